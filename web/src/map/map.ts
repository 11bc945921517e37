/**
 * The map itself. It fits itself to the picture until somebody moves it; F fits it again. It never animates: what
 * moves on this page moves because the world did.
 */
import OlMap from "ol/Map";
import OlView from "ol/View";
import ScaleLine from "ol/control/ScaleLine";
import Zoom from "ol/control/Zoom";
import { defaults as defaultInteractions } from "ol/interaction/defaults";
import { containsExtent, createEmpty, extend, getHeight, getWidth, isEmpty, type Extent } from "ol/extent";
import VectorLayer from "ol/layer/Vector";
import VectorSource from "ol/source/Vector";
import type { Language } from "../text";
import type { View } from "../view";
import { cityLayer, graticule, landLayers } from "./base";
import { shapes, type Shape, type Sheet } from "./features";
import { longitudeOf, projected, RESTING_EXTENT, WHOLE_EXTENT } from "./frame";
import { LABELS } from "./styles";

/** Room around the picture in CSS pixels: labels stand above and to the right. */
const PADDING = [70, 165, 60, 120];
/** The map fits itself again when the picture takes less than this share of its width and of its height. */
const LOOSE_SHARE = 0.55;
const Z_OF: Record<Sheet, number> = { areas: 20, lines: 30, labels: 40 };

export class PictureMap {
  private readonly map: OlMap;
  private readonly sheets: Record<Sheet, VectorSource>;
  private readonly cities = cityLayer();
  private shown: Shape[] = [];
  private spoken: Language | null = null;
  private signature = "";
  /** Null while nobody has moved the map. */
  private movedByHand = false;
  landMissing = false;

  constructor(
    target: HTMLElement,
    private readonly changed: () => void,
  ) {
    const source = () => new VectorSource({ wrapX: false });
    this.sheets = { areas: source(), lines: source(), labels: source() };
    const sheets = (Object.keys(this.sheets) as Sheet[]).map(
      (sheet) =>
        new VectorLayer({
          source: this.sheets[sheet],
          zIndex: Z_OF[sheet],
          ...(sheet === "labels" ? { declutter: LABELS } : {}),
        }),
    );
    this.map = new OlMap({
      target,
      layers: [graticule(), this.cities.layer, ...sheets],
      view: new OlView({ center: projected(150, 40), zoom: 3.5, minZoom: 2, maxZoom: 11, extent: WHOLE_EXTENT, enableRotation: false, smoothExtentConstraint: false }),
      controls: [new Zoom({ duration: 0, zoomInTipLabel: "+", zoomOutTipLabel: "−" }), new ScaleLine({ units: "metric", minWidth: 90 })],
      interactions: defaultInteractions({ altShiftDragRotate: false, pinchRotate: false, zoomDuration: 0 }),
    });
    this.fitTo(RESTING_EXTENT);
    for (const kind of ["wheel", "dblclick"]) target.addEventListener(kind, () => this.handMoved(), { passive: true });
    target.addEventListener("keydown", (event) => {
      if (/^(Arrow|[+-]$)/.test(event.key)) this.handMoved();
    });
    target.addEventListener("click", (event) => {
      if ((event.target as Element).closest(".ol-zoom")) this.handMoved();
    });
    this.map.on("pointerdrag", () => this.handMoved());
    this.map.on("change:size", () => {
      if (!this.movedByHand) this.refit();
    });
    landLayers().then(
      (layers) => layers.forEach((layer) => this.map.addLayer(layer)),
      () => {
        this.landMissing = true;
        this.changed();
      },
    );
  }

  get follows(): boolean {
    return !this.movedByHand;
  }

  private handMoved(): void {
    if (this.movedByHand) return;
    this.movedByHand = true;
    this.changed();
  }

  /** Back to the picture, and from now on the map fits itself again. */
  fit(): void {
    this.movedByHand = false;
    this.refit();
    this.changed();
  }

  /** To the places in the warned areas, from near; the map then rests until F. */
  fitPlaces(): void {
    const extent = createEmpty();
    for (const { feature, role } of this.shown)
      if (role === "place") extend(extent, feature.getGeometry()!.getExtent());
    if (isEmpty(extent)) return;
    this.movedByHand = true;
    this.fitTo(extent);
    this.changed();
  }

  private fitTo(extent: Extent): void {
    if (!this.map.getSize()) return;
    this.map.getView().fit(extent, { padding: PADDING, maxZoom: 8 });
  }

  private refit(): void {
    this.fitTo(this.content() ?? RESTING_EXTENT);
  }

  private content(): Extent | null {
    const extent = createEmpty();
    const alone = this.shown.every(({ role }) => role === "hazard"); // an agency may speak of the other side of the Earth
    for (const { feature, role } of this.shown) {
      const geometry = feature.getGeometry();
      if (geometry && role !== "tick" && (role !== "hazard" || alone)) extend(extent, geometry.getExtent());
    }
    return isEmpty(extent) ? null : extent;
  }

  /** Draws the state; shapes that say the same as before are left alone. */
  draw(view: View): void {
    if (this.spoken !== view.language) {
      this.cities.speak(view.language);
      this.spoken = view.language;
    }
    const signature = `${view.state.revision}:${view.language}:${view.zone}:${Math.floor(view.nowMs / 1000)}`;
    if (signature === this.signature) return;
    this.signature = signature;
    this.shown = shapes(view);
    for (const sheet of Object.keys(this.sheets) as Sheet[]) {
      const source = this.sheets[sheet];
      source.clear(true);
      source.addFeatures(this.shown.filter((s) => s.sheet === sheet).map((s) => s.feature));
    }
    this.follow();
  }

  /** Fits again when the picture has left the view or has become small in it; else the view rests. */
  private follow(): void {
    if (this.movedByHand) return;
    const content = this.content();
    const size = this.map.getSize();
    if (!content || !size) return;
    const seen = this.map.getView().calculateExtent(size);
    const tight = getWidth(content) < LOOSE_SHARE * getWidth(seen) && getHeight(content) < LOOSE_SHARE * getHeight(seen);
    if (tight || !containsExtent(seen, content)) this.fitTo(content);
  }

  resized(): void {
    this.map.updateSize();
  }

  /** What is on the map, in words and degrees: for tests and for whoever debugs a picture. */
  describe(): { follows: boolean; west: number; east: number; shapes: { role: string; lons: [number, number] }[] } {
    const size = this.map.getSize();
    const seen = size ? this.map.getView().calculateExtent(size) : [0, 0, 0, 0];
    return {
      follows: this.follows,
      west: longitudeOf(seen[0]!),
      east: longitudeOf(seen[2]!),
      shapes: this.shown.map(({ role, lons }) => ({ role, lons })),
    };
  }
}
