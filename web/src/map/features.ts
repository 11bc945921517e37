/** The picture and the warnings as shapes of the map: one list, made anew from the state; nothing here draws. */
import Feature from "ol/Feature";
import LineString from "ol/geom/LineString";
import Point from "ol/geom/Point";
import Polygon from "ol/geom/Polygon";
import { bounds, continuous, nearest, MAP_CENTRE_LON } from "../lon";
import type { Fall, Hazard, Picture, Place, Ring, Warning } from "../protocol";
import { openHazards, openWarnings } from "../state";
import { chanceWords, localName, peopleText, percent } from "../text";
import { durationText } from "../time";
import type { View } from "../view";
import { projected } from "./frame";
import {
  contourStyle,
  corridorStyle,
  fallPointStyle,
  fallStyle,
  hazardPointStyle,
  hazardStyle,
  objectStyle,
  pathStyle,
  placeStyle,
  ringStyle,
  tickStyle,
  trailStyle,
  warnedStyle,
} from "./styles";

/** Which layer a shape belongs to, from the ground up. */
export type Sheet = "areas" | "lines" | "labels";

export interface Shape {
  sheet: Sheet;
  /** What it is, for those who ask the page instead of looking at it. */
  role: "hazard" | "contour" | "corridor" | "warned" | "fall" | "trail" | "path" | "ellipse" | "object" | "place" | "tick";
  feature: Feature;
  /** In degrees, in the continuous frame. */
  lons: [number, number];
}

const PLACES_ON_MAP = 40;
const HAZARDS_ON_MAP = 60;
const MINUTE_MS = 60_000;

const put = (line: readonly (readonly number[])[]): number[][] => line.map((p) => projected(p[0]!, p[1]!));

function shape(sheet: Sheet, role: Shape["role"], line: readonly (readonly number[])[], feature: Feature): Shape {
  const box = bounds(line);
  return { sheet, role, feature, lons: box ? [box[0], box[2]] : [NaN, NaN] };
}

function area(role: "hazard" | "contour" | "corridor" | "warned" | "fall" | "ellipse", ring: Ring, style: ReturnType<typeof corridorStyle>): Shape[] {
  if (ring.length < 3) return [];
  const line = continuous(ring);
  const feature = new Feature(new Polygon([put(line)]));
  feature.setStyle(style);
  return [shape(role === "ellipse" ? "lines" : "areas", role, line, feature)];
}

function line(role: "trail" | "path", points: readonly (readonly number[])[]): Shape[] {
  if (points.length < 2) return [];
  const drawn = continuous(points);
  const feature = new Feature(new LineString(put(drawn)));
  feature.setStyle(role === "trail" ? trailStyle() : pathStyle());
  return [shape("lines", role, drawn, feature)];
}

function point(role: "hazard" | "object" | "place" | "tick" | "fall", lon: number, lat: number, style: ReturnType<typeof placeStyle>): Shape {
  const at: [number, number] = [nearest(lon, MAP_CENTRE_LON), lat];
  const feature = new Feature(new Point(projected(...at)));
  feature.setStyle(style);
  return shape("labels", role, [at], feature);
}

/** All shapes for this moment. */
export function shapes(view: View): Shape[] {
  const warnings = openWarnings(view.state);
  const all = [...view.state.pictures.values()];
  const pictures = all.filter((p) => p.state !== "ended");
  const falls = pictures.flatMap((p) => (p.fall ? [p.fall] : []));
  const warned = falls.length > 0 ? falls : warnings.flatMap((w) => (w.fall ? [w.fall] : [])).slice(0, 1);
  return [
    ...openHazards(view.state).slice(0, HAZARDS_ON_MAP).flatMap((hazard) => hazardShapes(view, hazard)),
    ...pictures.flatMap((p) => p.contours ?? []).flatMap((one) => one.rings.flatMap((ring) => area("contour", ring, contourStyle(one.kind, one.level)))),
    ...pictures.flatMap((p) => p.corridor).flatMap((ring) => area("corridor", ring, corridorStyle())),
    ...warnings.flatMap((w) => w.corridor).flatMap((ring) => area("warned", ring, warnedStyle())),
    ...warned.flatMap((fall) => fallShapes(view, fall)),
    ...all.filter((p) => p.state === "ended").flatMap((p) => line("trail", p.trail)),
    ...pictures.flatMap((picture) => pictureShapes(view, picture)),
    ...placesOf(warnings).map((place) =>
      point("place", place.lon, place.lat, placeStyle(placeWords(view, place), place.people)),
    ),
  ];
}

/** An agency's areas, and once its name and what it speaks of, in the reader's language where it has said so. */
function hazardShapes(view: View, hazard: Hazard): Shape[] {
  const said = hazard.texts.find((t) => t.language.slice(0, 2) === view.language) ?? hazard.texts[0];
  const words = `${said?.sender_name || hazard.sender_name || hazard.sender}\n${said?.event ?? hazard.event}`;
  const largest = [...hazard.rings].sort((a, b) => b.length - a.length)[0];
  const box = largest && bounds(continuous(largest));
  return [
    ...hazard.rings.flatMap((ring) => area("hazard", ring, hazardStyle(hazard.act))),
    ...(box ? [point("hazard", (box[0] + box[2]) / 2, (box[1] + box[3]) / 2, hazardPointStyle(words))] : []),
  ];
}

function fallShapes(view: View, fall: Fall): Shape[] {
  const words = [
    view.t("fallLabel", { words: chanceWords(view.language, fall.probability), percent: percent(fall.probability) }),
    view.t("fallTime", { time: view.clockZone(fall.time_ms), sigma: Math.round(fall.sigma_time_s) }),
  ].join("\n");
  return [
    ...fall.rings.flatMap((ring) => area("fall", ring, fallStyle())),
    point("fall", fall.lon, fall.lat, fallPointStyle(words)),
  ];
}

export function objectWords(view: View, picture: Picture): string {
  const age = durationText(view.nowMs - picture.last_observed_ms);
  if (picture.state === "ended") return `${picture.title}\n${view.t("objectEnded", { age })}`;
  const seen = view.t(picture.state === "tracked" ? "objectObserved" : "objectLost", { age });
  const more =
    picture.state === "tracked"
      ? view.t("height", { km: Math.round(picture.position.height_m / 1000) })
      : view.t("objectEstimate", { time: view.clock(picture.track_ms) });
  const phase = picture.state === "tracked" ? PHASES[picture.phase ?? ""] : undefined;
  const told = (picture.notices ?? []).flatMap((id) => view.state.notices.get(id)?.title ?? []).map((title) => `\n○ ${title}`);
  return `${picture.title}\n${seen} · ${more}${phase ? `\n${view.t(phase)}` : ""}${told.join("")}`;
}

const PHASES: Record<string, "phasePowered" | "phaseManoeuvring" | "phaseReentry"> = {
  powered: "phasePowered",
  manoeuvring: "phaseManoeuvring",
  "re-entry": "phaseReentry",
};

function pictureShapes(view: View, picture: Picture): Shape[] {
  const { position } = picture;
  const observed = picture.state === "tracked";
  return [
    ...line("path", picture.state === "lost" ? [...picture.trail.slice(-1), ...picture.path] : picture.path),
    ...line("trail", picture.trail),
    ...area("ellipse", picture.position_ring, ringStyle(observed)),
    ...ticks(view, picture),
    ...(observed ? [] : predictedNow(view, picture)),
    point("object", position.lon, position.lat, objectStyle(objectWords(view, picture), observed)),
  ];
}

/** Longitude and latitude on the predicted path at a time, or null outside it. */
function onPath(path: Picture["path"], timeMs: number): [number, number] | null {
  const drawn = continuous(path);
  const after = drawn.findIndex((p) => p[3] >= timeMs);
  if (after < 1) return null;
  const [a, b] = [drawn[after - 1]!, drawn[after]!];
  const share = (timeMs - a[3]) / Math.max(1, b[3] - a[3]);
  return [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])];
}

/** Where a lost object should be by now, as a mark of the prediction. */
function predictedNow(view: View, picture: Picture): Shape[] {
  const at = onPath(picture.path, view.nowMs);
  return at ? [point("tick", ...at, tickStyle(`${view.t("predictedNow")} ${view.clock(view.nowMs)}`, true))] : [];
}

/** Times along the predicted path: each full minute, or fewer on long paths. */
function ticks(view: View, picture: Picture): Shape[] {
  const { path } = picture;
  const [first, last] = [path[0]?.[3], path[path.length - 1]?.[3]];
  if (first === undefined || last === undefined || last <= first) return [];
  const step = last - first > 8 * MINUTE_MS ? 2 * MINUTE_MS : MINUTE_MS;
  const found: Shape[] = [];
  for (let time = Math.ceil(first / step) * step; time <= last; time += step) {
    const at = onPath(path, time);
    if (at) found.push(point("tick", ...at, tickStyle(view.clock(time).slice(0, 5), false)));
  }
  return found;
}

/** Each warned place once, the most populous first. */
export function placesOf(warnings: readonly Warning[]): Place[] {
  const places = new Map<string, Place>();
  for (const warning of warnings)
    for (const region of warning.areas)
      for (const place of region.places) {
        const key = `${place.name}:${place.lon.toFixed(2)}:${place.lat.toFixed(2)}`;
        if (!places.has(key)) places.set(key, place);
      }
  return [...places.values()].sort((a, b) => b.people - a.people).slice(0, PLACES_ON_MAP);
}

const placeWords = (view: View, place: Place): string =>
  `${localName(view.language, place)} ${peopleText(place.people)} · ${percent(place.probability)}`;
