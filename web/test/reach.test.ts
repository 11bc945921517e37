import assert from "node:assert/strict";
import { test } from "node:test";
import type { VNode } from "../src/dom";
import { alarmsPanel, hopsOf, readinessPanel } from "../src/panels/reach";
import type { AlertReach, Row } from "../src/protocol";
import { apply, emptyState, type State } from "../src/state";
import { LANGUAGES } from "../src/text";
import { makeView, type View } from "../src/view";
import { framed, hello, T0 } from "./rows";

const reach = (changes: Partial<AlertReach> = {}): AlertReach => ({
  type: "alert-reach",
  time_ms: T0,
  says: "",
  id: "a1",
  identifier: "one",
  recipients: [],
  within_ms: T0 + 30_000,
  rosters: [
    {
      roster: "towns",
      units: ["jp-fdma"],
      hops: 20,
      received: 16,
      silent: 4,
      silent_hops: "3, 17-19",
      first_ms: T0,
      last_ms: T0,
      receipts: ["keyed"],
      relays: [{ relay: "towns-a", received: 16, refused: "" }],
    },
  ],
  chases: [{ unit: "jp-fdma", asked: ["jp-fdma.duty"], due_ms: T0 + 120_000, state: "open", by: "" }],
  ...changes,
});

const at = (state: State, afterMs: number, language: (typeof LANGUAGES)[number] = "en"): View =>
  makeView(state, { state: "live" } as View["connection"], T0 + afterMs, 0, language, "UTC");

const words = (nodes: (VNode | string)[]): string => nodes.map((node) => (typeof node === "string" ? node : words(node.children))).join("|");

const state = (...rows: Row[]): State => {
  const made = emptyState();
  apply(made, hello({ speed: 1 }), 0);
  rows.forEach((row, index) => apply(made, framed(index + 1, row), 0));
  return made;
};

test("silent last hops have a countdown, and are a caution when it is over", () => {
  const known = state(reach());
  assert.match(words(hopsOf(at(known, 10_000), known.reach.get("a1"))), /◔ towns: 16 of 20 have received it.* left/);
  const over = words(hopsOf(at(known, 31_000), known.reach.get("a1")));
  assert.match(over, /✕ towns: 16 of 20/);
  assert.match(over, /no receipt from 4: 3, 17-19/);
  assert.match(over, /Fire and Disaster Management Agency: not acknowledged/);
});

test("an end says whether it has come to the same set, and nobody left is named", () => {
  const same = { roster: "towns", had: 16, ended: 16, not_ended: "", only_ended: "" };
  const equal = state(reach({ same: [same] }));
  assert.match(words(hopsOf(at(equal, 0), equal.reach.get("a1"))), /✓ the end has come to the same 16 last hops/);
  const other = state(
    reach({
      same: [{ ...same, ended: 15, not_ended: "7" }],
      chases: [{ unit: "jp-fdma", asked: [], due_ms: 0, state: "nobody", by: "" }],
    }),
  );
  const shown = words(hopsOf(at(other, 0), other.reach.get("a1")));
  assert.match(shown, /✕ towns: had the alert and not its end: 7/);
  assert.match(shown, /nobody is left to ask/);
});

test("a node that knows of no relay shows what it always did", () => {
  const bare: AlertReach = { type: "alert-reach", time_ms: T0, says: "", id: "a1", identifier: "one", recipients: [] };
  const known = state(bare);
  assert.deepEqual(hopsOf(at(known, 0), known.reach.get("a1")), []);
  assert.deepEqual(hopsOf(at(known, 0), undefined), []);
});

test("a cleared alarm is gone from the panel, and a test that is too old is stale whatever it said", () => {
  const raised: Row = { type: "alarm", time_ms: T0, says: "No receipt of one", alarm: "x", what: "last-hop-silent", state: "raised" };
  assert.match(words(alarmsPanel(at(state(raised), 0))), /▲ No receipt of one/);
  assert.match(words(alarmsPanel(at(state(raised, { ...raised, state: "cleared" }), 0))), /No alarm is raised/);
  const ready: Row = {
    type: "readiness",
    time_ms: T0,
    says: "",
    roster: "towns",
    state: "ready",
    number: 1,
    sent_ms: T0,
    hops: 20,
    received: 20,
    silent_hops: "",
    stale_ms: T0 + 108_000_000,
  };
  const known = state(ready);
  assert.match(words(readinessPanel(at(known, 0))), /✓ towns: .*READY/);
  assert.match(words(readinessPanel(at(known, 108_000_001))), /✕ towns: .*STALE/);
  for (const language of LANGUAGES) assert.doesNotMatch(words(readinessPanel(at(known, 0, language))), /\{/);
});

test("whose word a receipt is shows: the last hop's own, or its relay's", () => {
  const [roster] = reach().rosters ?? [];
  const signed = state(reach({ rosters: [{ ...roster, signed: 12, vouched: 4, shown: 3, not_proven: ["towns-b"] }] as AlertReach["rosters"] }));
  const found = words(hopsOf(at(signed, 0), signed.reach.get("a1")));
  assert.match(found, /12 signed by the last hop \(3 looked at here\), 4 vouched for by the relay/);
  assert.match(found, /✕ towns-b has shown signatures that are not those of its last hops/);
  assert.doesNotMatch(words(hopsOf(at(state(reach()), 0), reach())), /signed by/);
  for (const language of LANGUAGES) assert.doesNotMatch(words(hopsOf(at(signed, 0, language), signed.reach.get("a1"))), /\{/);
});
