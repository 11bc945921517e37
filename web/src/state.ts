/**
 * What the page knows: a view of the staff stream, built by `apply` and by nothing else.
 *
 * Rows come in the order of their numbers; a number that is not above the last one is a repeat and changes nothing.
 * Panels only read. The state is changed in place, and `revision` rises with every change.
 */
import type {
  Alarm,
  Alert,
  AlertReach,
  Correction,
  Count,
  DecisionStatus,
  Draft,
  EventRow,
  Finding,
  Frame,
  Gateway,
  Hazard,
  HazardAlert,
  HazardFeed,
  Hello,
  Link,
  Notice,
  Picture,
  Readiness,
  Refusal,
  Refused,
  Relayed,
  RelayRow,
  Row,
  Security,
  Task,
  Warning,
} from "./protocol";
import { isRowFrame } from "./protocol";
import type { ClockReading } from "./time";

export type Topic = "picture" | "warning" | "alert" | "people" | "links" | "words";

export const TOPICS: readonly Topic[] = ["picture", "warning", "alert", "people", "links", "words"];

const TOPIC_OF: Record<Row["type"], Topic> = {
  picture: "picture",
  event: "picture",
  finding: "picture",
  count: "picture",
  "count-correction": "picture",
  security: "links",
  gateway: "links",
  warning: "warning",
  draft: "warning",
  "draft-answer": "warning",
  areas: "links",
  hazard: "warning",
  "hazard-state": "warning",
  "hazard-alert": "alert",
  "hazard-feed": "links",
  relayed: "words",
  alert: "alert",
  correction: "alert",
  "alert-request": "alert",
  "alert-reach": "alert",
  alarm: "alert",
  notice: "words",
  escalation: "alert",
  relay: "links",
  readiness: "links",
  acknowledgement: "alert",
  decision: "people",
  "decision-status": "people",
  task: "people",
  link: "links",
  refusal: "links",
  refused: "links",
  inject: "words",
  remark: "words",
};

export interface TimelineEntry {
  number: number;
  timeMs: number;
  says: string;
  topic: Topic;
  type: string;
}

export type Lane = "observed" | "warning" | "alert" | "acknowledged" | "decision";

/** One thing that did happen, as a mark of the strip. Predictions are never marks of this kind. */
export interface Mark {
  lane: Lane;
  timeMs: number;
  says: string;
  ends: boolean;
}

export interface State {
  revision: number;
  hello: Hello | null;
  clock: ClockReading | null;
  /** Number of the last row applied: where a new connection resumes. */
  last: number;
  /** Why the node said good-bye; null while the exercise runs. */
  bye: string | null;
  /** What the node says is wrong with itself; empty while nothing is. */
  trouble: string;
  pictures: Map<string, Picture>;
  events: EventRow[];
  /** Newest warning per partner and event. */
  warnings: Map<string, Warning>;
  /** Newest draft or proposal per own event, until it is issued or dropped. */
  drafts: Map<string, Draft>;
  alerts: Map<string, Alert>;
  reach: Map<string, AlertReach>;
  /** Newest row of each alarm, raised or cleared. */
  alarms: Map<string, Alarm>;
  /** Newest row of each notice, over or not. */
  notices: Map<string, Notice>;
  /** Newest test of each roster of last hops. */
  readiness: Map<string, Readiness>;
  decisions: Map<string, DecisionStatus>;
  tasks: Map<string, Task>;
  /** Newest row of each correction, by what a post signs to send it. */
  corrections: Map<string, Correction>;
  links: Map<string, Link>;
  /** Other agencies' alerts by their key; who of ours and of partners has acknowledged them, by message. */
  hazards: Map<string, Hazard>;
  /** What came of them here, by each of the messages that it is about. */
  hazardAlerts: Map<string, HazardAlert>;
  acknowledgedBy: Map<string, string[]>;
  feeds: Map<string, HazardFeed>;
  relayed: Relayed[];
  refusals: Refusal[];
  refused: Map<string, Refused>;
  /** Newest row of each source of what cannot be believed; an alarm has one of its own. */
  security: Map<string, Security>;
  /** Newest counts of each occurrence, and of what only a partner sees. */
  counts: Map<string, Count>;
  relays: Map<string, RelayRow>;
  gateways: Map<string, Gateway>;
  findings: Finding[];
  timeline: TimelineEntry[];
  marks: Mark[];
  /** Rows that this page could not read. They are counted and shown, never guessed at. */
  unreadable: number;
}

/** Old entries beyond this leave the page (not the node's record); a live exercise makes a few hundred an hour. */
export const MAX_TIMELINE_ENTRIES = 5_000;
const MAX_REFUSALS = 200;
const MAX_RELAYED = 100;
/** Sources of what was refused: more than a node tells apart. */
const MAX_SOURCES = 600;
const MAX_COUNTS = 50;
/** How long an alarm of what cannot be believed stands among those that are raised: nothing takes it back. */
const ALARM_KEPT_MS = 86_400_000;
/** Agencies' alerts that are over leave the page beyond this. */
const MAX_ENDED_HAZARDS = 50;
/** Notices that are over leave the page beyond this. */
const MAX_ENDED_NOTICES = 20;
const MAX_FINDINGS = 50;
const MAX_MARKS = 2_000;
const MAX_TRAIL_POINTS = 2_000;

export function emptyState(): State {
  return {
    revision: 0,
    hello: null,
    clock: null,
    last: 0,
    bye: null,
    trouble: "",
    pictures: new Map(),
    events: [],
    warnings: new Map(),
    drafts: new Map(),
    alerts: new Map(),
    reach: new Map(),
    alarms: new Map(),
    notices: new Map(),
    readiness: new Map(),
    decisions: new Map(),
    tasks: new Map(),
    corrections: new Map(),
    links: new Map(),
    hazards: new Map(),
    hazardAlerts: new Map(),
    acknowledgedBy: new Map(),
    feeds: new Map(),
    relayed: [],
    refusals: [],
    refused: new Map(),
    security: new Map(),
    counts: new Map(),
    relays: new Map(),
    gateways: new Map(),
    findings: [],
    timeline: [],
    marks: [],
    unreadable: 0,
  };
}

/** True when `hello` speaks of another record than the one this state was built from: the page must begin anew. */
export function isOtherRecord(state: State, hello: Hello): boolean {
  const known = state.hello;
  if (hello.after !== undefined && hello.after < state.last) return true;
  return known !== null && (known.realm !== hello.realm || known.node !== hello.node || known.start_ms !== hello.start_ms);
}

/**
 * Brings one frame into the state; `mono` is the browser's steady time. Returns the row when it was new, else null.
 */
export function apply(state: State, frame: Frame, mono: number): Row | null {
  if (isRowFrame(frame)) {
    if (frame.n <= state.last) return null;
    state.last = frame.n;
    state.revision += 1;
    if (!(frame.row.type in TOPIC_OF)) {
      addToTimeline(state, frame.n, frame.row, "words");
      return null;
    }
    try {
      applyRow(state, frame.row);
    } catch {
      state.unreadable += 1;
      return null;
    }
    addToTimeline(state, frame.n, frame.row, TOPIC_OF[frame.row.type]);
    return frame.row;
  }
  state.revision += 1;
  if (frame.type === "hello") {
    if (isOtherRecord(state, frame)) Object.assign(state, emptyState(), { revision: state.revision });
    state.hello = frame;
    state.bye = null;
    state.clock = { nowMs: frame.now_ms, speed: frame.speed, heardAt: mono, stopped: false };
  } else if (frame.type === "clock") {
    state.clock = { nowMs: frame.now_ms, speed: frame.speed, heardAt: mono, stopped: false };
    state.trouble = frame.trouble ?? "";
  } else {
    state.bye = frame.reason;
    if (state.clock) state.clock = { ...state.clock, stopped: true };
  }
  return null;
}

function addToTimeline(state: State, number: number, row: Row, topic: Topic): void {
  if (!row.says) return;
  state.timeline.push({ number, timeMs: row.time_ms, says: row.says, topic, type: row.type });
  if (state.timeline.length > MAX_TIMELINE_ENTRIES) state.timeline.shift();
}

function mark(state: State, lane: Lane, timeMs: number, says: string, ends = false): void {
  state.marks.push({ lane, timeMs, says, ends });
  if (state.marks.length > MAX_MARKS) state.marks.shift();
}

function applyRow(state: State, row: Row): void {
  switch (row.type) {
    case "picture":
      if (!state.pictures.has(row.event)) mark(state, "observed", row.first_observed_ms, row.title);
      state.pictures.set(row.event, { ...row, trail: joined(state.pictures.get(row.event)?.trail ?? [], row.trail) });
      return;
    case "event":
      state.events.push(row);
      if (row.step === "closed") closePicture(state, row.event);
      return;
    case "finding":
      state.findings.push(row);
      if (state.findings.length > MAX_FINDINGS) state.findings.shift();
      return;
    case "warning":
      state.drafts.delete(row.event);
      return applyWarning(state, row);
    case "draft":
      if (row.state === "dropped") state.drafts.delete(row.event);
      else state.drafts.set(row.event, row);
      return;
    case "draft-answer":
    case "areas":
    case "count-correction":
      return;
    case "security":
      state.security.set(row.level === "alarm" ? `alarm:${row.party}:${Object.keys(row.reasons)[0] ?? ""}` : row.party, row);
      forgetOldest(state.security, MAX_SOURCES);
      return;
    case "count":
      if (row.event) state.counts.delete(row.event);
      state.counts.set(row.event ?? `partner:${row.partner ?? ""}`, row);
      forgetOldest(state.counts, MAX_COUNTS);
      return;
    case "gateway":
      state.gateways.set(row.group, row);
      return;
    case "alert":
      state.alerts.set(row.id, row);
      mark(state, "alert", row.sent_ms, row.says || row.identifier, row.alert_type === "Cancel");
      return;
    case "alert-reach":
      state.reach.set(row.id, row);
      return;
    case "alarm":
      state.alarms.set(row.alarm, row);
      return;
    case "notice":
      state.notices.set(row.notice, row);
      forgetNotices(state);
      return;
    case "readiness":
      state.readiness.set(row.roster, row);
      return;
    case "escalation":
      return;
    case "relay":
      if (row.line === "removed") state.relays.delete(row.relay);
      else state.relays.set(row.relay, row);
      return;
    case "hazard":
      state.hazards.set(row.hazard, row);
      if (row.act) mark(state, "warning", row.time_ms, row.says || row.event);
      return;
    case "hazard-state": {
      const known = state.hazards.get(row.hazard);
      if (!known) return;
      if (known.act && known.state === "standing" && row.state !== "standing") mark(state, "warning", row.time_ms, known.event, true);
      state.hazards.set(row.hazard, { ...known, state: row.state, partners: row.partners });
      forgetHazards(state);
      return;
    }
    case "hazard-alert":
      for (const key of row.hazards) state.hazardAlerts.set(key, row);
      return;
    case "hazard-feed":
      state.feeds.set(row.feed, row);
      return;
    case "relayed":
      state.relayed.push(row);
      if (state.relayed.length > MAX_RELAYED) state.relayed.shift();
      return;
    case "acknowledgement":
      if ([...state.hazards.values()].some((hazard) => hazard.id === row.of))
        state.acknowledgedBy.set(row.of, [...(state.acknowledgedBy.get(row.of) ?? []), row.post]);
      mark(state, "acknowledged", row.time_ms, row.says || row.unit);
      return;
    case "decision":
      mark(state, "decision", row.time_ms, row.says || row.title, row.step === "ruling");
      return;
    case "decision-status":
      state.decisions.set(row.case, row);
      return;
    case "task":
      state.tasks.set(row.task, row);
      return;
    case "correction": {
      const name = String(row.answer["subject"]);
      if (row.state === "ready") state.corrections.set(name, row);
      else state.corrections.delete(name);
      return;
    }
    case "alert-request":
      return;
    case "link":
      state.links.set(row.partner, row);
      return;
    case "refusal":
      state.refusals.push(row);
      if (state.refusals.length > MAX_REFUSALS) state.refusals.shift();
      return;
    case "refused":
      state.refused.set(row.party, row);
      forgetOldest(state.refused, MAX_SOURCES);
      return;
    case "inject":
    case "remark":
      return;
  }
}

function forgetOldest<T>(rows: Map<string, T>, most: number): void {
  for (const key of rows.keys()) {
    if (rows.size <= most) return;
    rows.delete(key);
  }
}

/** The observed trail that the page has seen so far: rows carry only its newest part. */
function joined(known: Picture["trail"], newer: Picture["trail"]): Picture["trail"] {
  const from = newer[0]?.[2];
  if (from === undefined) return known;
  const older = known.filter((point) => point[2] < from);
  return [...older.slice(-MAX_TRAIL_POINTS), ...newer];
}

function closePicture(state: State, event: string): void {
  const picture = state.pictures.get(event);
  if (picture) state.pictures.set(event, { ...picture, state: "ended" });
}

function applyWarning(state: State, row: Warning): void {
  const key = `${row.partner}:${row.event}`;
  const known = state.warnings.get(key);
  if (known && known.number > row.number) return;
  state.warnings.set(key, row);
  if (row.state !== "updated") mark(state, "warning", row.time_ms, row.says || row.state, row.state === "ended");
}

function forgetHazards(state: State): void {
  const over = [...state.hazards.values()].filter((hazard) => hazard.state !== "standing");
  for (const old of over.slice(0, Math.max(0, over.length - MAX_ENDED_HAZARDS))) {
    state.hazards.delete(old.hazard);
    state.hazardAlerts.delete(old.hazard);
  }
}

function forgetNotices(state: State): void {
  const over = [...state.notices.values()].filter((notice) => !isOpen(notice));
  for (const old of over.slice(0, Math.max(0, over.length - MAX_ENDED_NOTICES))) state.notices.delete(old.notice);
}

export function isOpen(notice: Notice): boolean {
  return notice.state === "announced" || notice.state === "go";
}

/** Notices with those on the picture first, then those whose watch is not informed, then by their windows. */
export function noticesInOrder(state: State): Notice[] {
  const rank = (one: Notice) => (one.events.length > 0 ? 0 : one.watches.some((watch) => watch.alarm) ? 1 : isOpen(one) ? 2 : 3);
  return [...state.notices.values()].sort((a, b) => rank(a) - rank(b) || a.from_ms - b.from_ms || a.notice.localeCompare(b.notice));
}

/** Alarms of what cannot be believed, of the last day, the newest first. */
export function securityAlarms(state: State, nowMs: number): Security[] {
  return [...state.security.values()].filter((one) => one.level === "alarm" && one.last_ms + ALARM_KEPT_MS > nowMs).sort((a, b) => b.last_ms - a.last_ms);
}

/** Counts of occurrences, the newest first; those that differ before those that agree. */
export function countsInOrder(state: State): Count[] {
  const rank = (one: Count) => (one.differs ? 0 : one.partners ? 1 : 2);
  return [...state.counts.values()].sort((a, b) => rank(a) - rank(b) || b.time_ms - a.time_ms);
}

/** Other agencies' alerts that stand: first those on which somebody must act, then the newest. */
export function openHazards(state: State): Hazard[] {
  return [...state.hazards.values()]
    .filter((hazard) => hazard.state === "standing")
    .sort((a, b) => Number(b.act) - Number(a.act) || b.sent_ms - a.sent_ms || a.hazard.localeCompare(b.hazard));
}

/** Warnings that stand, own partner's first, then the newest. */
export function openWarnings(state: State): Warning[] {
  const own = state.hello?.partner;
  return [...state.warnings.values()]
    .filter((w) => w.state !== "ended")
    .sort((a, b) => Number(b.partner === own) - Number(a.partner === own) || b.time_ms - a.time_ms);
}

export function endedWarnings(state: State): Warning[] {
  return [...state.warnings.values()].filter((w) => w.state === "ended").sort((a, b) => b.time_ms - a.time_ms);
}

/** Alerts with the newest first; `replaced` holds the identifiers that a later alert updates or cancels. */
export function alertsNewestFirst(state: State): { alerts: Alert[]; replaced: Set<string> } {
  const alerts = [...state.alerts.values()].sort((a, b) => b.sent_ms - a.sent_ms);
  return { alerts, replaced: new Set(alerts.flatMap((a) => a.references)) };
}

/** Whose evidence the pictures are made from, who gives nothing, and which kinds of sensing there are. */
export interface Evidence {
  from: string[];
  nothingFrom: string[];
  sensings: string[];
  lastObservedMs: number | null;
}

export function evidence(state: State): Evidence {
  const pictures = [...state.pictures.values()].filter((p) => p.state !== "ended");
  const used = pictures.length > 0 ? pictures : [...state.pictures.values()];
  const from = [...new Set(used.flatMap((p) => p.partners))].sort();
  const partners = (state.hello?.partners ?? []).map((p) => p.partner);
  return {
    from,
    nothingFrom: used.length === 0 ? [] : partners.filter((p) => !from.includes(p)),
    sensings: [...new Set(used.flatMap((p) => p.sensings))].sort(),
    lastObservedMs: used.length === 0 ? null : Math.max(...used.map((p) => p.last_observed_ms)),
  };
}

/** Which partners' events are said to be the same occurrence; what was said last of a pair counts, whoever said it. */
export function sameEvents(state: State): { one: string; other: string; same: boolean }[] {
  const pairs = new Map<string, { one: string; other: string; same: boolean }>();
  for (const { step, partner, other_partner } of state.events) {
    if (step !== "same-as" && step !== "not-same-as") continue;
    const [one, other] = [partner, other_partner].sort() as [string, string];
    pairs.set(`${one}:${other}`, { one, other, same: step === "same-as" });
  }
  return [...pairs.values()];
}
