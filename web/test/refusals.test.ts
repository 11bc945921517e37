import assert from "node:assert/strict";
import { test } from "node:test";
import { announcement } from "../src/live";
import { unwound } from "../src/map/seam";
import { reasonWords, sourceWords } from "../src/panels/refusals";
import type { Count, RelayRow, Row, Security } from "../src/protocol";
import { apply, countsInOrder, emptyState, securityAlarms } from "../src/state";
import { text, type Language } from "../src/text";
import type { View } from "../src/view";
import { framed, T0 } from "./rows";

const security = (changes: Partial<Security> = {}): Security => ({
  type: "security",
  time_ms: T0,
  says: "",
  party: "partner:KOR",
  level: "notice",
  reasons: { "foreign-realm": 2 },
  count: 2,
  first_ms: T0,
  last_ms: T0,
  ...changes,
});

const spoken = (language: Language) => ({ t: (key: never, values?: never) => text(language, key, values) }) as unknown as View;

test("a source's counts are one row, and its alarm another that they do not replace", () => {
  const state = emptyState();
  apply(state, framed(1, security()), 0);
  apply(state, framed(2, security({ level: "alarm", says: "ALARM: two contents", reasons: { contradictory: 1 } })), 0);
  apply(state, framed(3, security({ reasons: { "foreign-realm": 9 }, count: 9 })), 0);
  assert.equal(state.security.size, 2);
  assert.equal(state.security.get("partner:KOR")?.count, 9);
  assert.deepEqual(securityAlarms(state, T0 + 3_600_000).map((one) => one.says), ["ALARM: two contents"]);
  assert.equal(securityAlarms(state, T0 + 2 * 86_400_000).length, 0);
});

test("an alarm of what cannot be believed is read out at once, a count never", () => {
  const alarm: Row = security({ level: "alarm", says: "ALARM: two contents" });
  assert.deepEqual(announcement(alarm, T0, 1, "en"), { urgent: true, words: "ALARM: two contents" });
  assert.equal(announcement(security(), T0, 1, "en"), null);
});

test("reasons are said in the reader's language, with the record's own word", () => {
  const said = (reason: string, language: Language = "en") => reasonWords(spoken(language), reason);
  assert.equal(said("bad-signature"), "wrongly signed (bad-signature)");
  assert.equal(said("foreign-realm"), "of another realm (foreign-realm)");
  assert.equal(said("malformed:too-long"), "too large (malformed:too-long)");
  assert.equal(said("malformed-cap"), "cannot be read (malformed-cap)");
  assert.equal(said("not-kept:duplicate"), "came before (not-kept:duplicate)");
  assert.equal(said("not-entitled:input", "ko"), "권한 없음 (not-entitled:input)");
  assert.equal(said("no-such-authority"), "no-such-authority");
  assert.equal(sourceWords(spoken("en"), "door:page 127.0.0.1"), "Door · page · 127.0.0.1");
  assert.equal(sourceWords(spoken("ja"), "partner:KOR"), "リンク · KOR");
  assert.equal(sourceWords(spoken("en"), "USA usa"), "USA usa");
});

test("floods of sources and counts leave the page in order", () => {
  const state = emptyState();
  for (let n = 1; n <= 700; n += 1)
    apply(state, framed(n, { type: "refused", time_ms: T0, says: "", party: `hand:${n}`, reasons: { oversize: 1 }, count: 1, first_ms: T0, last_ms: T0 }), 0);
  assert.equal(state.refused.size, 600);
  assert.ok(state.refused.has("hand:700"));
});

test("counts that differ come first; a relay that was removed goes", () => {
  const state = emptyState();
  const count = (event: string, differs: boolean, time_ms: number): Count => ({ type: "count", time_ms, says: "", event, differs, count: 2, partners: [] });
  apply(state, framed(1, count("a", true, T0)), 0);
  apply(state, framed(2, count("b", false, T0 + 1000)), 0);
  apply(state, framed(3, { type: "count", time_ms: T0 + 2000, says: "", partner: "KOR", count: 4 }), 0);
  assert.deepEqual(countsInOrder(state).map((one) => one.event ?? one.partner), ["a", "b", "KOR"]);
  const relay: RelayRow = { type: "relay", time_ms: T0, says: "", relay: "towns-a", unit: "u", roster: "r", hops: 3, receipts: "keyed", here_ms: T0, line: "silent" };
  apply(state, framed(4, relay), 0);
  assert.equal(state.relays.get("towns-a")?.line, "silent");
  apply(state, framed(5, { ...relay, line: "removed" }), 0);
  assert.equal(state.relays.size, 0);
});

test("land that leaps over ±180° is drawn in one piece, and a ring around the pole is left alone", () => {
  const chukotka = [[170, 65], [180, 66], [-180, 66], [-170, 65], [-180, 64], [180, 64], [170, 65]];
  assert.deepEqual(unwound(chukotka).map(([lon]) => lon), [170, 180, 180, 190, 180, 180, 170]);
  const around = [[-179, -80], [-60, -70], [60, -70], [179, -80], [-179, -80]];
  assert.equal(unwound(around), around);
  const plain = [[10, 1], [20, 2], [10, 1]];
  assert.equal(unwound(plain), plain);
});
