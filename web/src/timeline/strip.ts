/**
 * The course of events on one time axis. What happened is a filled mark; what is only predicted is a dashed bar in a
 * lane of its own, before and after its time: it never turns into a mark because its time has come.
 */
import { h, type VNode } from "../dom";
import type { Area } from "../protocol";
import { openWarnings, type Lane, type Mark, type State } from "../state";
import { percent, regionName } from "../text";
import type { TextKey } from "../text/en";
import { durationText } from "../time";
import type { View } from "../view";

const LANES: readonly [Lane, TextKey][] = [
  ["observed", "laneObserved"],
  ["warning", "laneWarning"],
  ["alert", "laneAlert"],
  ["acknowledged", "laneAcknowledged"],
  ["decision", "laneDecision"],
];
const LABEL_WIDTH = 92;
const RIGHT_MARGIN = 14;
const AXIS_HEIGHT = 22;
const MINIMUM_SPAN_MS = 10 * 60_000;
const STEPS_MIN = [1, 2, 5, 10, 15, 30, 60, 120, 240, 720, 1440];

/** Predicted windows of the open warnings: each area once, and the fall. */
function predictions(view: View): { fromMs: number; toMs: number; label: string; fall: boolean }[] {
  const newest = openWarnings(view.state)[0];
  if (!newest) return [];
  const passes = newest.areas.map((area: Area) => ({
    fromMs: area.from_ms,
    toMs: area.to_ms,
    label: `${regionName(view.language, area)} ${percent(area.probability)}`,
    fall: area.kind === "fall",
  }));
  const { fall } = newest;
  if (!fall) return passes;
  const twoSigmaMs = 2000 * fall.sigma_time_s;
  return [...passes, { fromMs: fall.time_ms - twoSigmaMs, toMs: fall.time_ms + twoSigmaMs, label: view.t("fallPredicted"), fall: true }];
}

/** First and last time of the strip: from the first thing known to a little after the last expected. */
export function span(state: State, nowMs: number, ahead: readonly number[]): [number, number] {
  const known = [...state.marks.map((m) => m.timeMs), ...ahead, nowMs];
  const from = Math.min(...known);
  const to = Math.max(...known, from + MINIMUM_SPAN_MS);
  const margin = (to - from) * 0.03;
  return [from - margin, to + margin];
}

export function strip(view: View, width: number, height: number): VNode {
  const lane = (height - AXIS_HEIGHT) / (LANES.length + 1);
  const coming = predictions(view);
  const [from, to] = span(view.state, view.nowMs, coming.map((p) => p.toMs));
  const x = (timeMs: number) => LABEL_WIDTH + ((timeMs - from) / (to - from)) * (width - LABEL_WIDTH - RIGHT_MARGIN);
  const middle = (index: number) => (index + 0.5) * lane;
  const label = (key: TextKey, index: number) =>
    h("text", { x: 0, y: middle(index) + 5, class: "lane-label" }, view.t(key));
  const now = x(view.nowMs);
  return h(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": view.t("strip") },
    ...axis(view, from, to, x, width, height),
    ...LANES.map(([, key], index) => label(key, index)),
    label("lanePredicted", LANES.length),
    ...LANES.map(([name], index) => laneMarks(view, name, middle(index), x, now)),
    h(
      "g",
      { class: "predicted" },
      coming.map((p) => {
        const left = x(p.fromMs);
        return h(
          "rect",
          {
            x: left,
            y: middle(LANES.length) - 6,
            width: Math.max(4, x(p.toMs) - left),
            height: 12,
            class: p.fall ? "bar fall" : "bar pass",
          },
          h("title", {}, `${view.t("legendPredicted")}: ${p.label}, ${view.clock(p.fromMs)} – ${view.clock(p.toMs)}`),
        );
      }),
    ),
    h("line", { x1: now, x2: now, y1: 0, y2: height - AXIS_HEIGHT, class: "now" }),
  );
}

function axis(view: View, from: number, to: number, x: (ms: number) => number, width: number, height: number): VNode[] {
  const minutes = (to - from) / 60_000;
  const room = Math.max(2, (width - LABEL_WIDTH) / 56);
  const step = (STEPS_MIN.find((s) => minutes / s <= room) ?? 1440) * 60_000;
  const ticks: VNode[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    ticks.push(
      h("line", { x1: x(at), x2: x(at), y1: 0, y2: height - AXIS_HEIGHT, class: "tick" }),
      h("text", { x: x(at), y: height - 5, class: "tick-label" }, view.clock(at).slice(0, 5)),
    );
  }
  return ticks;
}

function laneMarks(view: View, lane: Lane, y: number, x: (ms: number) => number, now: number): VNode {
  const marks = view.state.marks.filter((m) => m.lane === lane);
  return h("g", { class: `lane ${lane}` }, lane === "observed" && observed(view, y, x, now), marks.map((m) => shape(view, lane, m, x(m.timeMs), y)));
}

/** Bars from the first to the last observation of each track: observed time and nothing else. */
function observed(view: View, y: number, x: (ms: number) => number, now: number): VNode[] {
  return [...view.state.pictures.values()].map((p) => {
    const left = x(p.first_observed_ms);
    const right = Math.min(now, x(p.last_observed_ms));
    return h(
      "rect",
      { x: left, y: y - 4, width: Math.max(2, right - left), height: 8, class: "bar observed" },
      h("title", {}, `${p.title}: ${view.clock(p.first_observed_ms)} – ${view.clock(p.last_observed_ms)} (${durationText(p.last_observed_ms - p.first_observed_ms)})`),
    );
  });
}

function shape(view: View, lane: Lane, mark: Mark, x: number, y: number): VNode {
  const title = h("title", {}, `${view.clock(mark.timeMs)} ${mark.says}`);
  if (mark.ends) return h("rect", { x: x - 5, y: y - 5, width: 10, height: 10, class: "mark ends" }, title);
  if (lane === "warning") return h("polygon", { points: `${x},${y - 7} ${x + 7},${y + 6} ${x - 7},${y + 6}`, class: "mark" }, title);
  if (lane === "alert") return h("polygon", { points: `${x},${y - 8} ${x + 8},${y} ${x},${y + 8} ${x - 8},${y}`, class: "mark" }, title);
  return h("circle", { cx: x, cy: y, r: 5, class: "mark" }, title);
}
