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
  /** Lines of equal probability; older nodes draw none. */
  contours?: Contour[];
  /** Notices that may explain it; older nodes do not say. */
  notices?: string[];
  /** When each radar could first see what only infrared sensors have reported (null: not within a quarter of an hour). */
  first_seen_by?: { sensor: string; time_ms: number | null }[];
  state: "tracked" | "lost" | "ended";
}

/** Where the probability of passing within the half-width is `level`, or the area that holds that share of the falls. */
export interface Contour {
  kind: "pass" | "fall";
  level: number;
  rings: Ring[];
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

/** What came of one source and cannot be believed: once with words, then with counts. */
export interface Security extends RowBase {
  type: "security";
  party: string;
  level: "notice" | "alarm";
  reasons: Record<string, number>;
  count: number;
  first_ms: number;
  last_ms: number;
  /** Whose key has signed what contradicts, and the records that hold both. */
  origin?: string;
  records?: [number, number];
}

/** A group of clients of Cursor on Target. */
export interface Gateway extends RowBase {
  type: "gateway";
  group: string;
  partners: string[];
  clients: number;
  counts: Record<string, number>;
}

/** Who counts how many objects in one occurrence; of what this node sees nothing of, only whose count it is. */
export interface Count extends RowBase {
  type: "count";
  event?: string;
  differs?: boolean;
  partners?: { partner: string; count: number; stated: boolean; by: string }[];
  partner?: string;
  count: number;
  least?: number;
  most?: number;
}

export interface CountCorrection extends RowBase {
  type: "count-correction";
  event: string;
  partner: string;
  post: string;
  count: number;
  supersedes: string;
  why: string;
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
  kind: "pass" | "fall" | "hazard";
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
  /** Nobody observes the object any more; older nodes do not say. */
  lost?: boolean;
  reason: Reason;
}

/** What would be warned of, for the own staff alone. */
export interface Draft extends RowBase {
  type: "draft";
  event: string;
  state: "draft" | "proposed" | "dropped";
  basis: Warning["basis"];
  sensings: string[];
  partners: string[];
  areas: Area[];
  valid_until_ms: number;
  last_observed_ms: number;
}

/** What became of a proposed warning. */
export interface DraftAnswer extends RowBase {
  type: "draft-answer";
  event: string;
  agreed: boolean;
  why: string;
}

/** The agency's own areas: whether their list holds. */
export interface AreaListRow extends RowBase {
  type: "areas";
  agency: string;
  version: number;
  areas: number;
  expires_ms: number;
  state: "good" | "near" | "expired";
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
  /** No person had signed it before it went out. */
  automatic?: boolean;
  /** The agency on whose word it was issued, by what our nation calls it; older nodes do not say. */
  hazard?: { agency: string; agency_ja: string; agency_ko: string; sender: string; identifier: string; kind: string } | null;
}

export interface Recipient {
  unit: string;
  name: string;
  received_ms: number | null;
  acknowledged_ms: number | null;
  by: string;
}

/** One roster of last hops and one message: how many have it, and which are silent, as `3, 17-19`. */
export interface RosterReach {
  roster: string;
  units: string[];
  hops: number;
  received: number;
  silent: number;
  silent_hops: string;
  first_ms: number | null;
  last_ms: number | null;
  receipts: string[];
  /** Receipts that the last hop has signed itself, that its relay vouches for or counts; signatures that are on the record. */
  signed?: number;
  vouched?: number;
  shown?: number;
  /** Relays that have shown signatures which do not hold. */
  not_proven?: string[];
  relays: { relay: string; received: number; refused: string }[];
}

/** Who has been asked to acknowledge for a unit, and when the next is. */
export interface Chase {
  unit: string;
  asked: string[];
  due_ms: number;
  state: "open" | "done" | "nobody";
  by: string;
}

export interface AlertReach extends RowBase {
  type: "alert-reach";
  id: string;
  identifier: string;
  recipients: Recipient[];
  /** When receipts are late; absent where nothing went to relays and nobody is asked in another's place. */
  within_ms?: number;
  rosters?: RosterReach[];
  chases?: Chase[];
  /** Of an end: whether it has come to just those who had the alert. */
  same?: { roster: string; had: number; ended: number; not_ended: string; only_ended: string }[];
}

export interface NoticeWatch {
  unit: string;
  partner: string;
  informed_ms: number | null;
  by: string;
  alarm: boolean;
}

/** What was announced ahead, and which watch has said that it knows. */
export interface Notice extends RowBase {
  type: "notice";
  notice: string;
  number: number;
  partner: string;
  unit: string;
  state: "announced" | "go" | "done" | "withdrawn" | "expired";
  title: string;
  object: string;
  count: number;
  from_ms: number;
  to_ms: number;
  expires_ms: number;
  azimuth_deg: [number, number];
  rings: Ring[];
  watches: NoticeWatch[];
  read_by: string[];
  /** Own events that carry it, those beyond its count among them. */
  events: string[];
  beyond: string[];
}

export interface Alarm extends RowBase {
  type: "alarm";
  alarm: string;
  what: string;
  state: "raised" | "cleared";
}

export interface Escalation extends RowBase {
  type: "escalation";
  of: string;
  unit: string;
  asked: string;
  post: string;
}

export interface RelayRow extends RowBase {
  type: "relay";
  relay: string;
  unit: string;
  roster: string;
  hops: number;
  receipts: string;
  here_ms: number | null;
  /** How the line to it is: nothing before it was ever connected. */
  line?: "" | "up" | "silent" | "down" | "removed";
  connected?: number | null;
  since_ms?: number | null;
}

export interface Readiness extends RowBase {
  type: "readiness";
  roster: string;
  state: "never" | "waiting" | "ready" | "partial" | "failed" | "stale";
  number: number;
  sent_ms: number;
  hops: number;
  received: number;
  silent_hops: string;
  stale_ms: number;
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
  /** What a post signs to answer it; `confirm` in it is what the person types, `shown` what is signed. Absent from older nodes. */
  answer?: Record<string, unknown>;
}

/** The end of a standing alert, worded beforehand: one signature sends it. */
export interface Correction extends RowBase {
  type: "correction";
  identifier: string;
  of: string;
  unit: string;
  reason: Reason;
  state: "ready" | "closed";
  posts: string[];
  deadline_ms: number;
  recipients: string[];
  texts: AlertText[];
  answer: Record<string, unknown>;
}

/** A post has asked for an alert of its own. */
export interface AlertRequest extends RowBase {
  type: "alert-request";
  unit: string;
  post: string;
  identifier: string;
  regions: string[];
}

/** Another agency's alert: its own words, never ours. `replaces` are the keys of those that it follows. */
export interface HazardText {
  language: string;
  event: string;
  sender_name: string;
  headline: string;
  description: string;
  instruction: string;
}

export type HazardStanding = "standing" | "expired" | "superseded" | "cancelled" | "withdrawn" | "notice";

export interface Hazard extends RowBase {
  type: "hazard";
  hazard: string;
  id: string;
  partner: string;
  partners: string[];
  state: HazardStanding;
  sender: string;
  sender_name: string;
  identifier: string;
  message_type: string;
  status: string;
  signature: "signed" | "unsigned" | "not-checked";
  act: boolean;
  event: string;
  urgency: string;
  severity: string;
  certainty: string;
  texts: HazardText[];
  areas: string[];
  /** Own areas that are drawn since they carry a geocode of it; older nodes draw none. */
  by_geocode?: string[];
  rings: Ring[];
  thinned: boolean;
  sent_ms: number;
  onset_ms: number | null;
  expires_ms: number;
  replaces: string[];
}

/** How an agency's alert that was shown stands now, and who has told of it. */
export interface HazardState extends RowBase {
  type: "hazard-state";
  hazard: string;
  sender: string;
  identifier: string;
  state: HazardStanding;
  partners: string[];
}

/** What another agency's alert has led to here: drafts on its word, or why there are none. */
export interface HazardAlert extends RowBase {
  type: "hazard-alert";
  /** The agency's messages that it is about. */
  hazards: string[];
  state: "open" | "ended" | "run-out";
  held: boolean;
  reason: Reason;
  agency: string;
  event: string;
  regions: string[];
  people: number;
}

export interface HazardFeed extends RowBase {
  type: "hazard-feed";
  feed: string;
  state: "fresh" | "failing" | "stale";
  detail: string;
}

/** What somebody says in public in an authority's name. */
export interface Relayed extends RowBase {
  type: "relayed";
  outlet: string;
  unit: string;
  unit_name: string;
  partner: string;
  text: string;
  link: string;
  said_ms: number;
  verdict: "unverified" | "verified" | "ended" | "other-words";
  alert: string;
  told_by: string;
  tells: string;
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

/** What was refused of one source by now, by reason: a flood is a count. */
export interface Refused extends RowBase {
  type: "refused";
  party: string;
  reasons: Record<string, number>;
  count: number;
  first_ms: number;
  last_ms: number;
}

export interface Note extends RowBase {
  type: "inject" | "remark";
  unit: string;
  text: string;
}

export type Row =
  | Correction
  | AlertRequest
  | Hazard
  | HazardState
  | HazardFeed
  | HazardAlert
  | Relayed
  | Picture
  | EventRow
  | Finding
  | Refused
  | Security
  | Gateway
  | Count
  | CountCorrection
  | Warning
  | Draft
  | DraftAnswer
  | AreaListRow
  | Alert
  | AlertReach
  | Alarm
  | Notice
  | Escalation
  | RelayRow
  | Readiness
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
