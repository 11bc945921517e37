/** What a panel is given to draw itself: the state, the moment, and the reader's language and zone. It only reads. */
import type { State } from "./state";
import type { Connection } from "./stream";
import { text, type Language } from "./text";
import type { TextKey } from "./text/en";
import { clockText, zoneName } from "./time";

export interface View {
  state: State;
  connection: Connection;
  /** The node's time, carried forward; 0 before the first word. */
  nowMs: number;
  /** Steady browser time. */
  mono: number;
  speed: number;
  language: Language;
  zone: string;
  t(key: TextKey, values?: Record<string, string | number>): string;
  /** Time of day in the watch's zone. */
  clock(timeMs: number): string;
  /** Time of day with the zone's name. */
  clockZone(timeMs: number): string;
  /** The name of a unit or of a post's unit, or its id where the node gave none. */
  unit(id: string): string;
}

/** `jp-pm` as its name, the post `jp-pm.duty` as the unit's name with the post's. */
function unitName(state: State, id: string): string {
  const units = state.hello?.units ?? {};
  const [unit = "", post] = id.split(".", 2);
  return units[id] ?? (post && units[unit] ? `${units[unit]} (${post})` : id);
}

export function makeView(
  state: State,
  connection: Connection,
  nowMs: number,
  mono: number,
  language: Language,
  zone: string,
): View {
  return {
    state,
    connection,
    nowMs,
    mono,
    speed: state.clock?.speed ?? 1,
    language,
    zone,
    t: (key, values) => text(language, key, values),
    clock: (timeMs) => clockText(timeMs, zone),
    clockZone: (timeMs) => `${clockText(timeMs, zone)} ${zoneName(zone)}`,
    unit: (id) => unitName(state, id),
  };
}
