import assert from "node:assert/strict";
import { test } from "node:test";
import { announcement } from "../src/live";
import { readFrame, type Alert, type Row } from "../src/protocol";
import { alertsNewestFirst, apply, emptyState, endedWarnings, evidence, openWarnings, sameEvents } from "../src/state";
import { framed, hello, picture, T0, warning } from "./rows";

const remark = (says: string): Row => ({ type: "remark", time_ms: T0, says, unit: "u", text: says });

const alert = (changes: Partial<Alert>): Alert => ({
  type: "alert",
  time_ms: T0,
  says: "",
  id: "a1",
  identifier: "one",
  alert_type: "Alert",
  status: "Exercise",
  unit: "jp-cabsec",
  partner: "JPN",
  areas: [],
  rings: [],
  texts: [],
  sent_ms: T0,
  expires_ms: T0,
  references: [],
  recipients: [],
  reason: "",
  file: "",
  ...changes,
});

test("a row that was already applied changes nothing", () => {
  const state = emptyState();
  assert.ok(apply(state, framed(5, remark("first")), 0));
  assert.equal(apply(state, framed(5, remark("again")), 0), null);
  assert.equal(apply(state, framed(3, remark("late")), 0), null);
  assert.deepEqual(state.timeline.map((entry) => entry.says), ["first"]);
  assert.equal(state.last, 5);
});

test("numbers may leap: what was conflated is not missed", () => {
  const state = emptyState();
  apply(state, framed(2, picture({ updates: 2 })), 0);
  apply(state, framed(90, picture({ updates: 60 })), 0);
  assert.equal(state.pictures.get("e1")?.updates, 60);
  assert.equal(state.last, 90);
});

test("an empty sentence stays out of the timeline", () => {
  const state = emptyState();
  apply(state, framed(1, remark("")), 0);
  assert.equal(state.timeline.length, 0);
});

test("an older number of a warning never replaces a newer one", () => {
  const state = emptyState();
  apply(state, framed(1, warning({ number: 4, id: "w4" })), 0);
  apply(state, framed(2, warning({ number: 3, id: "w3" })), 0);
  assert.equal(openWarnings(state)[0]?.id, "w4");
});

test("a draft is kept apart from the warnings until it is issued or dropped", () => {
  const state = emptyState();
  const draft = (event: string, now: "draft" | "proposed" | "dropped"): Row => ({
    type: "draft",
    time_ms: T0,
    says: "",
    event,
    state: now,
    basis: "single-source",
    sensings: [],
    partners: [],
    areas: [],
    valid_until_ms: T0,
    last_observed_ms: T0,
  });
  apply(state, framed(1, draft(warning().event, "draft")), 0);
  apply(state, framed(2, draft("other", "proposed")), 0);
  assert.equal(openWarnings(state).length, 0);
  assert.deepEqual([...state.drafts.values()].map((one) => one.state), ["draft", "proposed"]);
  apply(state, framed(3, warning()), 0);
  apply(state, framed(4, draft("other", "dropped")), 0);
  assert.equal(state.drafts.size, 0);
  assert.equal(openWarnings(state).length, 1);
});

test("own warnings come first, and an ended one is no longer open", () => {
  const state = emptyState();
  apply(state, hello(), 0);
  apply(state, framed(1, warning({ partner: "USA", time_ms: T0 + 9_000 })), 0);
  apply(state, framed(2, warning({ partner: "JPN" })), 0);
  assert.deepEqual(openWarnings(state).map((w) => w.partner), ["JPN", "USA"]);
  apply(state, framed(3, warning({ partner: "JPN", number: 2, state: "ended", reason: "passed" })), 0);
  assert.deepEqual(openWarnings(state).map((w) => w.partner), ["USA"]);
  assert.equal(endedWarnings(state)[0]?.reason, "passed");
});

test("the evidence names who gives nothing, and nobody before there is a picture", () => {
  const state = emptyState();
  apply(state, hello(), 0);
  assert.deepEqual(evidence(state), { from: [], nothingFrom: [], sensings: [], lastObservedMs: null });
  apply(state, framed(1, picture({ partners: ["USA", "JPN"], last_observed_ms: T0 + 7 })), 0);
  assert.deepEqual(evidence(state), { from: ["JPN", "USA"], nothingFrom: ["KOR"], sensings: ["radar"], lastObservedMs: T0 + 7 });
});

test("a cancelling alert replaces the one that it refers to", () => {
  const state = emptyState();
  apply(state, framed(1, alert({})), 0);
  apply(state, framed(2, alert({ id: "a2", identifier: "two", alert_type: "Cancel", sent_ms: T0 + 1, references: ["one"] })), 0);
  const { alerts, replaced } = alertsNewestFirst(state);
  assert.deepEqual(alerts.map((a) => a.identifier), ["two", "one"]);
  assert.ok(replaced.has("one") && !replaced.has("two"));
});

test("a hello of another record begins again, one of the same keeps all", () => {
  const state = emptyState();
  apply(state, hello(), 0);
  apply(state, framed(7, remark("kept")), 0);
  apply(state, hello({ now_ms: T0 + 5_000 }), 0);
  assert.equal(state.last, 7);
  apply(state, hello({ start_ms: T0 + 86_400_000 }), 0);
  assert.equal(state.last, 0);
  assert.equal(state.timeline.length, 0);
});

test("a node that goes on before our last row holds another record", () => {
  const state = emptyState();
  apply(state, hello({ after: 0 }), 0);
  apply(state, framed(7, remark("of the old record")), 0);
  apply(state, hello({ after: 7 }), 0);
  assert.equal(state.last, 7);
  apply(state, hello({ after: 0 }), 0);
  assert.equal(state.last, 0);
  assert.ok(apply(state, framed(1, remark("of the new one")), 0));
});

test("a closed event ends its picture and keeps what was observed", () => {
  const state = emptyState();
  apply(state, framed(1, picture({ trail: [[140, 41, T0]] })), 0);
  const closed = { type: "event", time_ms: T0, says: "", event: "e1", partner: "JPN", step: "closed", other: "", other_partner: "" } as const;
  apply(state, framed(2, closed), 0);
  assert.equal(state.pictures.get("e1")?.state, "ended");
  assert.equal(state.pictures.get("e1")?.trail.length, 1);
});

test("the observed trail is kept although rows carry only its newest part", () => {
  const state = emptyState();
  apply(state, framed(1, picture({ trail: [[130, 41, 1], [131, 41, 2]] })), 0);
  apply(state, framed(2, picture({ trail: [[131, 41, 2], [132, 41, 3]] })), 0);
  assert.deepEqual(state.pictures.get("e1")?.trail.map((p) => p[2]), [1, 2, 3]);
  apply(state, framed(3, picture({ trail: [] })), 0);
  assert.equal(state.pictures.get("e1")?.trail.length, 3);
});

test("a pair of events is named once, and the last word on it counts", () => {
  const state = emptyState();
  const said = (n: number, partner: string, other_partner: string, step: "same-as" | "not-same-as") =>
    apply(state, framed(n, { type: "event", time_ms: T0, says: "", event: "e", partner, step, other: "o", other_partner }), 0);
  said(1, "JPN", "USA", "same-as");
  said(2, "USA", "JPN", "same-as");
  said(3, "JPN", "KOR", "not-same-as");
  assert.deepEqual(sameEvents(state), [
    { one: "JPN", other: "USA", same: true },
    { one: "JPN", other: "KOR", same: false },
  ]);
});

test("trouble of the node is kept until it is over", () => {
  const state = emptyState();
  apply(state, { type: "clock", now_ms: T0, speed: 1, trouble: "the disk is full" }, 0);
  assert.equal(state.trouble, "the disk is full");
  apply(state, { type: "clock", now_ms: T0, speed: 1 }, 0);
  assert.equal(state.trouble, "");
});

test("bye stops the clock and is kept", () => {
  const state = emptyState();
  apply(state, hello(), 0);
  apply(state, { type: "bye", reason: "over" }, 10);
  assert.equal(state.bye, "over");
  assert.equal(state.clock?.stopped, true);
});

test("a kind that this page does not know is shown in the timeline and nowhere else", () => {
  const state = emptyState();
  const strange = { type: "weather", time_ms: T0, says: "Snow." } as unknown as Row;
  assert.equal(apply(state, framed(1, strange), 0), null);
  assert.deepEqual(state.timeline.map((e) => e.says), ["Snow."]);
});

test("bytes that are no frame are refused", () => {
  for (const bad of ["", "[]", "null", "{", '{"n":1}', '{"n":1,"row":{}}', '{"n":1.5,"row":{"type":"picture"}}', '{"type":"clock"}', '{"type":"other"}'])
    assert.equal(readFrame(bad), null, bad);
  assert.ok(readFrame('{"type":"clock","now_ms":1,"speed":1}'));
});

test("history is never raised as live, updates are silent, ends are urgent", () => {
  assert.equal(announcement(warning({ says: "Warning." }), T0 + 31_000, 1, "en"), null);
  assert.equal(announcement(warning({ says: "Warning." }), T0 + 31_000, 10, "en")?.urgent, true);
  assert.equal(announcement(warning({ state: "updated" }), T0, 1, "en"), null);
  assert.equal(announcement(warning({ state: "ended", says: "Ended." }), T0, 1, "en")?.words, "Ended.");
  assert.equal(announcement(remark("Words."), T0, 1, "en")?.urgent, false);
});

test("a finding about a sensor is kept for the panel of evidence and told in the timeline", () => {
  const state = emptyState();
  const row: Row = {
    type: "finding",
    time_ms: T0,
    says: "KOR's radar measures azimuth 5 mrad too large.",
    event: "e1",
    partner: "KOR",
    kind: "azimuth-bias",
    value: 0.005,
    unit: "rad",
    sigma: 0.0004,
    significance: 12.5,
    rivals: [],
  };
  apply(state, framed(1, row), 0);
  assert.deepEqual(state.findings.map((one) => one.partner), ["KOR"]);
  assert.equal(state.timeline.at(-1)?.topic, "picture");
});
