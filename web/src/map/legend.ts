/** The legend: each line and area of the map as it looks, with what it means. */
import { h, type VNode } from "../dom";
import type { View } from "../view";
import { COLOURS } from "./styles";

export function legend(view: View): VNode[] {
  const row = (mark: VNode, key: Parameters<View["t"]>[0]) =>
    h("li", {}, h("svg", { width: 34, height: 16, viewBox: "0 0 34 16", "aria-hidden": "true" }, mark), view.t(key));
  const line = (colour: string, width: number, dash = "") =>
    h("line", { x1: 1, x2: 33, y1: 8, y2: 8, stroke: colour, "stroke-width": width, "stroke-dasharray": dash || null });
  const box = (colour: string, path: string) =>
    h(
      "g",
      { fill: "none", stroke: colour },
      h("rect", { x: 2, y: 1, width: 30, height: 14, "stroke-width": 1.5, "stroke-dasharray": "5 3" }),
      h("path", { d: path, "stroke-width": 1 }),
    );
  return [
    row(line(COLOURS.observed, 4), "legendObserved"),
    row(line(COLOURS.predicted, 2, "7 5"), "legendPredicted"),
    row(
      h("rect", { x: 6, y: 2, width: 22, height: 12, rx: 10, ry: 6, fill: "rgba(98,189,240,0.15)", stroke: COLOURS.text, "stroke-width": 1.5 }),
      "legendPosition",
    ),
    row(h("rect", { x: 2, y: 3, width: 30, height: 10, fill: "none", stroke: COLOURS.corridor, "stroke-width": 1, "stroke-dasharray": "3 4" }), "legendCorridor"),
    row(h("rect", { x: 2, y: 4, width: 30, height: 8, rx: 8, ry: 4, fill: "none", stroke: COLOURS.predicted, "stroke-width": 1, "stroke-dasharray": "1 3" }), "legendContour"),
    row(box(COLOURS.corridor, "M4 15 L18 1 M14 15 L28 1 M24 15 L32 7"), "legendWarned"),
    row(box(COLOURS.fall, "M4 15 L18 1 M14 15 L28 1 M4 1 L18 15 M14 1 L28 15"), "legendFall"),
    row(h("rect", { x: 2, y: 2, width: 30, height: 12, fill: "rgba(183,157,242,0.2)", stroke: COLOURS.hazard, "stroke-width": 2, "stroke-dasharray": "2 4" }), "legendHazard"),
    row(h("circle", { cx: 17, cy: 8, r: 4, fill: COLOURS.corridor }), "legendPlace"),
  ];
}
