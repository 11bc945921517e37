import assert from "node:assert/strict";
import { test } from "node:test";
import { announcement } from "../src/live";
import type { Hazard, HazardAlert, HazardState, Relayed, Row } from "../src/protocol";
import { apply, emptyState, openHazards } from "../src/state";
import { framed, hello, T0 } from "./rows";

const hazard = (changes: Partial<Hazard> = {}): Hazard => ({
  type: "hazard",
  time_ms: T0,
  says: "Another agency issued an alert",
  hazard: "h1",
  id: "m1",
  partner: "JPN",
  partners: ["JPN"],
  state: "standing",
  sender: "waves@agency.example",
  sender_name: "Agency of Waves",
  identifier: "wave-1",
  message_type: "Alert",
  status: "Exercise",
  signature: "unsigned",
  act: true,
  event: "Tsunami warning",
  urgency: "Immediate",
  severity: "Extreme",
  certainty: "Likely",
  texts: [
    { language: "en-US", event: "Tsunami warning", sender_name: "Agency of Waves", headline: "Waves", description: "", instruction: "" },
    { language: "ja-JP", event: "津波警報", sender_name: "", headline: "津波", description: "", instruction: "" },
  ],
  areas: ["The coast"],
  rings: [],
  thinned: false,
  sent_ms: T0,
  onset_ms: null,
  expires_ms: T0 + 3_600_000,
  replaces: [],
  ...changes,
});

const ended = (state: HazardState["state"], key = "h1"): HazardState => ({
  type: "hazard-state", time_ms: T0, says: "", hazard: key, sender: "", identifier: "", state, partners: ["JPN", "USA"],
});

const applied = (...rows: Row[]) => {
  const state = emptyState();
  apply(state, hello(), 0);
  rows.forEach((row, place) => apply(state, framed(place + 1, row), 0));
  return state;
};

test("an agency's alert stands until it has ended, and those to act on come first", () => {
  const mild = hazard({ hazard: "h2", act: false, sent_ms: T0 + 5 });
  assert.deepEqual(openHazards(applied(mild, hazard())).map((one) => one.hazard), ["h1", "h2"]);
  const state = applied(hazard(), mild, ended("cancelled"));
  assert.deepEqual(openHazards(state).map((one) => one.hazard), ["h2"]);
  assert.deepEqual(state.hazards.get("h1")?.partners, ["JPN", "USA"]);
  assert.equal(openHazards(applied(ended("cancelled"))).length, 0);
});

test("who has acknowledged it is known, and of what is over only some is kept", () => {
  const by: Row = { type: "acknowledgement", time_ms: T0, says: "", of: "m1", post: "jp-mod.watch", unit: "jp-mod", partner: "JPN" };
  assert.deepEqual(applied(hazard(), by).acknowledgedBy.get("m1"), ["jp-mod.watch"]);
  assert.equal(applied(by).acknowledgedBy.size, 0);
  const many = Array.from({ length: 80 }, (_, n) => [hazard({ hazard: `k${n}` }), ended("expired", `k${n}`)]).flat();
  assert.equal(applied(...many).hazards.size, 50);
});

test("it is read out at once in the reader's language when somebody must act", () => {
  const said = announcement(hazard(), T0, 1, "ja");
  assert.deepEqual([said?.urgent, said?.words.includes("津波警報")], [true, true]);
  assert.equal(announcement(hazard({ act: false }), T0, 1, "ja")?.urgent, false);
});

test("an unverified relay is kept apart from warnings and alerts", () => {
  const relay: Relayed = {
    type: "relayed", time_ms: T0, says: "UNVERIFIED RELAY", outlet: "A broadcaster", unit: "jp-cabsec", unit_name: "Cabinet Secretariat",
    partner: "JPN", text: "Take shelter", link: "", said_ms: T0, verdict: "unverified", alert: "", told_by: "USA", tells: "",
  };
  const state = applied(relay);
  assert.deepEqual([state.relayed.length, state.warnings.size, state.alerts.size, openHazards(state).length], [1, 0, 0, 0]);
});

test("what an agency's alert has led to here is known under each message that it is about", () => {
  const drafted: HazardAlert = {
    type: "hazard-alert", time_ms: T0, says: "", hazards: ["h1", "h2"], state: "open", held: false, reason: "", agency: "Agency of Waves",
    event: "Tsunami warning", regions: ["Aomori"], people: 1,
  };
  const state = applied(hazard(), hazard({ hazard: "h2" }), drafted, { ...drafted, hazards: ["h2"], state: "ended", reason: "passed" });
  assert.equal(state.hazardAlerts.get("h1")?.state, "open");
  assert.equal(state.hazardAlerts.get("h2")?.reason, "passed");
  const many = Array.from({ length: 80 }, (_, n) => [hazard({ hazard: `k${n}` }), { ...drafted, hazards: [`k${n}`] }, ended("expired", `k${n}`)]).flat();
  assert.equal(applied(...many).hazardAlerts.size, 50);
});
