/**
 * How things look on the map. Observed is solid and blue, predicted is dashed and pink or hatched, so that the two
 * differ by shape as well as by colour; the colours keep apart for the colour-blind (after Okabe and Ito).
 */
import { Circle, Fill, RegularShape, Stroke, Style, Text } from "ol/style";

export const FONT = '"Noto Sans", "Noto Sans CJK JP", "Noto Sans CJK KR", system-ui, sans-serif';
/** Layers with this mark keep their labels clear of one another. */
export const LABELS = "labels";

export const COLOURS = {
  land: "#212d36",
  coast: "#4a5c68",
  border: "#35434c",
  graticule: "rgba(150, 175, 190, 0.10)",
  dateLine: "rgba(170, 195, 210, 0.35)",
  city: "#93a4af",
  halo: "#0b1014",
  observed: "#62bdf0",
  predicted: "#f0a3cf",
  corridor: "#e8dc6a",
  fall: "#ff9466",
  hazard: "#b79df2",
  text: "#eef3f6",
};

/** Diagonal hatching: `both` crosses it. */
function hatch(colour: string, spacing: number, both: boolean): CanvasPattern | string {
  const tile = document.createElement("canvas");
  tile.width = tile.height = spacing;
  const context = tile.getContext("2d");
  if (!context) return "rgba(255, 255, 255, 0.08)";
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (const shift of [-spacing, 0, spacing]) {
    context.moveTo(shift, spacing);
    context.lineTo(shift + spacing, 0);
    if (both) {
      context.moveTo(shift, 0);
      context.lineTo(shift + spacing, spacing);
    }
  }
  context.stroke();
  return context.createPattern(tile, "repeat") ?? "rgba(255, 255, 255, 0.08)";
}

const label = (words: string, colour: string, size = 14, bold = false) =>
  new Text({
    text: words,
    font: `${bold ? "600 " : ""}${size}px ${FONT}`,
    fill: new Fill({ color: colour }),
    stroke: new Stroke({ color: COLOURS.halo, width: 4 }),
    padding: [2, 3, 2, 3],
  });

/** Where the object may go by the newest prediction: outline only. */
export const corridorStyle = (): Style =>
  new Style({ stroke: new Stroke({ color: "rgba(232, 220, 106, 0.5)", width: 1, lineDash: [3, 5] }) });

/** A line of equal probability: thin, the surer the brighter. */
export const contourStyle = (kind: "pass" | "fall", level: number): Style =>
  new Style({
    stroke: new Stroke({
      color: kind === "pass" ? `rgba(240, 163, 207, ${0.2 + 0.5 * level})` : `rgba(255, 148, 102, ${0.2 + 0.5 * level})`,
      width: 1,
      lineDash: [1, 4],
    }),
  });

/** What a warning speaks of: hatched. */
export const warnedStyle = (): Style =>
  new Style({
    fill: new Fill({ color: hatch("rgba(232, 220, 106, 0.30)", 10, false) }),
    stroke: new Stroke({ color: "rgba(232, 220, 106, 0.75)", width: 1.5, lineDash: [6, 5] }),
  });

export const fallStyle = (): Style =>
  new Style({
    fill: new Fill({ color: hatch("rgba(255, 148, 102, 0.45)", 9, true) }),
    stroke: new Stroke({ color: COLOURS.fall, width: 2, lineDash: [8, 5] }),
  });

/** What another agency speaks of: dotted and violet, so that nobody takes it for our own. */
export const hazardStyle = (act: boolean): Style =>
  new Style({
    fill: new Fill({ color: act ? "rgba(183, 157, 242, 0.20)" : "rgba(183, 157, 242, 0.08)" }),
    stroke: new Stroke({ color: COLOURS.hazard, width: act ? 2.5 : 1.5, lineDash: [2, 5], lineCap: "round" }),
  });

export function hazardPointStyle(words: string): Style {
  const text = label(words, COLOURS.hazard);
  return new Style({
    zIndex: 700,
    image: new RegularShape({
      points: 3,
      radius: 6,
      fill: new Fill({ color: COLOURS.hazard }),
      stroke: new Stroke({ color: COLOURS.halo, width: 1 }),
      declutterMode: "obstacle",
    }),
    text: (text.setOffsetY(-14), text),
  });
}

export const trailStyle = (): Style[] => [
  new Style({ stroke: new Stroke({ color: COLOURS.halo, width: 7 }) }),
  new Style({ stroke: new Stroke({ color: COLOURS.observed, width: 3.5 }) }),
];

export const pathStyle = (): Style =>
  new Style({ stroke: new Stroke({ color: COLOURS.predicted, width: 2, lineDash: [9, 8] }) });

/** The ellipse of an estimate: dashed once nothing observes the object any more. */
export const ringStyle = (observed: boolean): Style =>
  new Style({
    stroke: new Stroke({ color: COLOURS.text, width: 1.5, ...(observed ? {} : { lineDash: [5, 5] }) }), 
    fill: new Fill({ color: "rgba(98, 189, 240, 0.12)" }),
  });

/** A small ring on the predicted path with its time; a larger one for the present. */
export function tickStyle(words: string, now: boolean): Style {
  const text = label(words, COLOURS.predicted, 14, now);
  text.setOffsetY(now ? 20 : 16);
  return new Style({
    zIndex: now ? 850 : 0,
    image: new Circle({ radius: now ? 6 : 3, fill: new Fill({ color: COLOURS.halo }), stroke: new Stroke({ color: COLOURS.predicted, width: 1.5 }) }),
    text,
  });
}

/** Where the object is by the newest estimate: filled while it is observed, hollow when it is lost. */
export function objectStyle(words: string, observed: boolean): Style {
  const text = label(words, COLOURS.text, 14, true);
  text.setOffsetY(-30);
  return new Style({
    zIndex: 1000,
    image: new RegularShape({
      points: 4,
      radius: 8,
      angle: 0,
      fill: new Fill({ color: observed ? COLOURS.observed : COLOURS.halo }),
      stroke: new Stroke({ color: COLOURS.text, width: 2 }),
      declutterMode: "obstacle",
    }),
    text,
  });
}

export function fallPointStyle(words: string): Style {
  const text = label(words, COLOURS.fall, 14, true);
  text.setOffsetY(36);
  return new Style({
    zIndex: 900,
    image: new RegularShape({
      points: 4,
      radius: 8,
      radius2: 0,
      angle: Math.PI / 4,
      stroke: new Stroke({ color: COLOURS.fall, width: 2 }),
      declutterMode: "none",
    }),
    text,
  });
}

export function placeStyle(words: string, people: number): Style {
  const text = label(words, COLOURS.corridor);
  text.setTextAlign("left");
  text.setOffsetX(8);
  return new Style({
    zIndex: Math.min(800, Math.round(100 * Math.log10(Math.max(10, people)))),
    image: new Circle({
      radius: 3.5,
      fill: new Fill({ color: COLOURS.corridor }),
      stroke: new Stroke({ color: COLOURS.halo, width: 1 }),
      declutterMode: "none",
    }),
    text,
  });
}
