/** The base map: land, coasts, borders as plain lines, graticule and a few cities to find one's way. No sea has a name. */
import Feature from "ol/Feature";
import LineString from "ol/geom/LineString";
import MultiLineString from "ol/geom/MultiLineString";
import MultiPolygon from "ol/geom/MultiPolygon";
import Point from "ol/geom/Point";
import VectorLayer from "ol/layer/Vector";
import VectorSource from "ol/source/Vector";
import { Circle, Fill, Stroke, Style, Text } from "ol/style";
import baseMapAddress from "virtual:basemap";
import type { Language } from "../text";
import { projected } from "./frame";
import { unpacked, unwound, withoutSeam, type BaseMapData } from "./seam";
import { COLOURS, FONT, LABELS } from "./styles";

/** The map runs from 30° W over 180° to 30° W: the world's copy to the east is drawn as far as it can be seen. */
const COPIES = [0, 360];

const turned = (line: readonly (readonly number[])[], turn: number): number[][] =>
  line.map((point) => projected(point[0]! + turn, point[1]!));

const fixed = (zIndex: number, style: Style | Style[], features: Feature[]): VectorLayer =>
  new VectorLayer({ source: new VectorSource({ features, wrapX: false }), style, zIndex });

/** Layers that need no data: the graticule, every ten degrees. */
export function graticule(): VectorLayer {
  const lines: number[][][] = [];
  for (let lon = -180; lon <= 540; lon += 10) lines.push([projected(lon, -80), projected(lon, 80)]);
  for (let lat = -80; lat <= 80; lat += 10) lines.push([projected(-180, lat), projected(540, lat)]);
  const style = new Style({ stroke: new Stroke({ color: COLOURS.graticule, width: 1 }) });
  const date = new Style({ stroke: new Stroke({ color: COLOURS.dateLine, width: 1, lineDash: [2, 6] }) });
  return fixed(2, style, [
    new Feature(new MultiLineString(lines)),
    ...[-180, 180, 540].map((lon) => {
      const feature = new Feature(new LineString([projected(lon, -80), projected(lon, 80)]));
      feature.setStyle(date);
      return feature;
    }),
  ]);
}

/** Land and lines, once they are loaded. Rejects when the asset cannot be read; the map then has no land, and says so. */
export async function landLayers(): Promise<VectorLayer[]> {
  const response = await fetch(baseMapAddress);
  if (!response.ok) throw new Error(`base map: ${response.status}`);
  const data = (await response.json()) as BaseMapData;
  const land = data.land.map((rings) => rings.map((ring) => unwound(unpacked(ring, data.scale))));
  const coast = land.flat().flatMap(withoutSeam);
  const borders = data.borders.map((line) => unpacked(line, data.scale));
  const areas = COPIES.map((turn) => new Feature(new MultiPolygon(land.map((rings) => rings.map((ring) => turned(ring, turn))))));
  const lines = (drawn: number[][][]) =>
    COPIES.map((turn) => new Feature(new MultiLineString(drawn.map((line) => turned(line, turn)))));
  return [
    fixed(1, new Style({ fill: new Fill({ color: COLOURS.land }) }), areas),
    fixed(3, new Style({ stroke: new Stroke({ color: COLOURS.border, width: 1, lineDash: [4, 3] }) }), lines(borders)),
    fixed(4, new Style({ stroke: new Stroke({ color: COLOURS.coast, width: 1 }) }), lines(coast)),
  ];
}

/** Cities for orientation only: name, 日本語, 한국어, longitude, latitude. */
const CITIES: readonly [string, string, string, number, number][] = [
  ["Tokyo", "東京", "도쿄", 139.69, 35.69],
  ["Sapporo", "札幌", "삿포로", 141.35, 43.06],
  ["Osaka", "大阪", "오사카", 135.5, 34.69],
  ["Fukuoka", "福岡", "후쿠오카", 130.4, 33.59],
  ["Naha", "那覇", "나하", 127.68, 26.21],
  ["Seoul", "ソウル", "서울", 126.98, 37.57],
  ["Busan", "釜山", "부산", 129.08, 35.18],
  ["Pyongyang", "平壌", "평양", 125.75, 39.03],
  ["Vladivostok", "ウラジオストク", "블라디보스토크", 131.89, 43.12],
  ["Beijing", "北京", "베이징", 116.4, 39.9],
  ["Shanghai", "上海", "상하이", 121.47, 31.23],
  ["Taipei", "台北", "타이베이", 121.56, 25.04],
  ["Manila", "マニラ", "마닐라", 120.98, 14.6],
  ["Petropavlovsk-Kamchatsky", "ペトロパブロフスク・カムチャツキー", "페트로파블롭스크캄차츠키", 158.65, 53.02],
  ["Hagåtña", "ハガニア", "하갓냐", 144.75, 13.47],
  ["Wake Island", "ウェーク島", "웨이크섬", 166.63, 19.28],
  ["Midway", "ミッドウェー", "미드웨이", -177.37, 28.21],
  ["Honolulu", "ホノルル", "호놀룰루", -157.86, 21.31],
  ["Anchorage", "アンカレジ", "앵커리지", -149.9, 61.22],
];

export function cityLayer(): { layer: VectorLayer; speak(language: Language): void } {
  const source = new VectorSource({ wrapX: false });
  const layer = new VectorLayer({ source, zIndex: 10, declutter: LABELS });
  const speak = (language: Language) => {
    const column = { en: 0, ja: 1, ko: 2 }[language] as 0 | 1 | 2;
    source.clear(true);
    source.addFeatures(
      CITIES.map((city) => {
        const lon = city[3] < -30 ? city[3] + 360 : city[3];
        const feature = new Feature(new Point(projected(lon, city[4])));
        feature.setStyle(
          new Style({
            image: new Circle({ radius: 2, fill: new Fill({ color: COLOURS.city }) }),
            text: new Text({
              text: city[column],
              font: `14px ${FONT}`,
              fill: new Fill({ color: COLOURS.city }),
              stroke: new Stroke({ color: COLOURS.halo, width: 3 }),
              textAlign: "left",
              offsetX: 7,
            }),
          }),
        );
        return feature;
      }),
    );
  };
  return { layer, speak };
}
