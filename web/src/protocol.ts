/**
 * The staff stream as the node sends it: one object per row. Times are UTC milliseconds of the node's clock,
 * angles degrees, positions [longitude, latitude]. A predicted field and an observed one never share a name:
 * `trail` and `last_observed_ms` were observed; `path`, `corridor`, `fall` and the areas are predictions.
 */

export type LonLat = [number, number];
export type Ring = LonLat[];

export interface RowBase {
  time_ms: number;
  /** One plain sentence for the timeline; empty: not in the timeline. */
  says: string;
}

export interface Fall {
  lon: number;
  lat: number;
  time_ms: number;
  sigma_time_s: number;
  probability: number;
  rings: Ring[];
}

export interface Picture extends RowBase {
  type: "picture";
  event: string;
  title: string;
  track_ms: number;
  updates: number;
  partners: string[];
  sensings: string[];
  first_observed_ms: number;
  last_observed_ms: number;
  position: { lon: number; lat: number; height_m: number };
  speed_mps: number;
  /** Of flight: "free-fall", "re-entry", "powered" or "manoeuvring"; older nodes do not say. */
  phase?: string;
  position_ring: Ring;
  fall: Fall | null;
  path: [number, number, number, number][];
  corridor: Ring[];
  trail: [number, number, number][];
  state: "tracked" | "lost" | "ended";
}

export interface EventRow extends RowBase {
  type: "event";
  event: string;
  partner: string;
  step: "opened" | "same-as" | "not-same-as" | "closed";
  other: string;
  other_partner: string;
}

/** A sensor that measures beside the others; where there are rivals, one of them may be the wrong one instead. */
export interface Finding extends RowBase {
  type: "finding";
  event: string;
  partner: string;
  kind: "range-bias" | "azimuth-bias" | "elevation-bias" | "clock-offset";
  value: number;
  unit: string;
  sigma: number;
  significance: number;
  rivals: string[];
}

export interface Place {
  name: string;
  name_ja: string;
  name_ko: string;
  lon: number;
  lat: number;
  people: number;
  probability: number;
}

export interface Area {
  kind: "pass" | "fall";
  region: string;
  region_ja: string;
  region_ko: string;
  country: string;
  probability: number;
  from_ms: number;
  to_ms: number;
  people: number;
  places: Place[];
}

export type Reason = "" | "false" | "superseded" | "passed";

export interface Warning extends RowBase {
  type: "warning";
  id: string;
  event: string;
  partner: string;
  number: number;
  state: "issued" | "updated" | "ended";
  basis: "single-source" | "one-kind" | "confirmed";
  sensings: string[];
  partners: string[];
  areas: Area[];
  corridor: Ring[];
  fall: Fall | null;
  valid_until_ms: number;
  last_observed_ms: number;
  reason: Reason;
}

export interface AlertText {
  language: string;
  headline: string;
  description: string;
  instruction: string;
}

export interface Alert extends RowBase {
  type: "alert";
  id: string;
  identifier: string;
  alert_type: "Alert" | "Update" | "Cancel";
  status: "Exercise" | "Actual";
  unit: string;
  partner: string;
  areas: Area[];
  rings: Ring[];
  texts: AlertText[];
  sent_ms: number;
  expires_ms: number;
  references: string[];
  recipients: string[];
  reason: Reason;
  file: string;
}

export interface Recipient {
  unit: string;
  name: string;
  received_ms: number | null;
  acknowledged_ms: number | null;
  by: string;
}

export interface AlertReach extends RowBase {
  type: "alert-reach";
  id: string;
  identifier: string;
  recipients: Recipient[];
}

export interface Acknowledgement extends RowBase {
  type: "acknowledgement";
  of: string;
  post: string;
  unit: string;
  partner: string;
}

export interface Decision extends RowBase {
  type: "decision";
  case: string;
  decision: string;
  title: string;
  step: string;
  outcome: string;
  unit: string;
  partner: string;
  post: string;
  deadline_ms: number;
}

export interface Concurrence {
  partner: string;
  unit: string;
  post: string;
  outcome: string;
  time_ms: number;
}

export interface DecisionStatus extends RowBase {
  type: "decision-status";
  case: string;
  decision: string;
  title: string;
  body: string;
  state: "open" | "decided" | "refused";
  requested_by: string;
  deadline_ms: number;
  needed: string[];
  concurrences: Concurrence[];
}

export interface Task extends RowBase {
  type: "task";
  task: string;
  duty: string;
  action: string;
  posts: string[];
  unit: string;
  state: "open" | "done" | "expired";
  deadline_ms: number;
  about: string;
  title: string;
}

export interface Link extends RowBase {
  type: "link";
  partner: string;
  state: "up" | "silent" | "down";
  since_ms: number;
  offset_s: number;
}

export interface Refusal extends RowBase {
  type: "refusal";
  party: string;
  reason: string;
  detail: string;
}

export interface Note extends RowBase {
  type: "inject" | "remark";
  unit: string;
  text: string;
}

export type Row =
  | Picture
  | EventRow
  | Finding
  | Warning
  | Alert
  | AlertReach
  | Acknowledgement
  | Decision
  | DecisionStatus
  | Task
  | Link
  | Refusal
  | Note;

export interface PartnerInfo {
  partner: string;
  name: string;
  node: string;
  url: string;
}

export interface Hello {
  type: "hello";
  realm: string;
  realm_kind: "exercise" | "real";
  title: string;
  partner: string;
  node: string;
  structure: { id: string; title: string };
  start_ms: number;
  now_ms: number;
  speed: number;
  partners: PartnerInfo[];
  /** Partners to whom the node has a link of its own; absent where the node does not say. */
  neighbours?: string[];
  units: Record<string, string>;
  attribution: string;
  version: string;
  /** The row after which the node goes on; lower than what was asked for when it holds another record. */
  after?: number;
  /** IANA zone of the node's people; if absent, see `zoneOf`. */
  time_zone?: string;
}

export interface ClockFrame {
  type: "clock";
  now_ms: number;
  speed: number;
  /** What is wrong with the node itself, in words; absent while nothing is. */
  trouble?: string;
}

export interface ByeFrame {
  type: "bye";
  reason: string;
}

export interface RowFrame {
  n: number;
  key: string;
  row: Row;
}

export type Frame = Hello | ClockFrame | ByeFrame | RowFrame;

export const isRowFrame = (frame: Frame): frame is RowFrame => "n" in frame && "row" in frame;

/** The frame in a text message, or null when it is not one: such a message is dropped and counted by the caller. */
export function readFrame(text: string): Frame | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const frame = value as Record<string, unknown>;
  if (typeof frame["n"] === "number" && Number.isSafeInteger(frame["n"])) {
    const row = frame["row"] as Record<string, unknown> | null;
    if (typeof row !== "object" || row === null || typeof row["type"] !== "string") return null;
    return value as RowFrame;
  }
  const type = frame["type"];
  if ((type === "hello" || type === "clock") && typeof frame["now_ms"] !== "number") return null;
  return type === "hello" || type === "clock" || type === "bye" ? (value as Frame) : null;
}
