import assert from "node:assert/strict";
import { test } from "node:test";
import type { Notice } from "../src/protocol";
import { apply, emptyState, noticesInOrder } from "../src/state";
import { framed, T0 } from "./rows";

const notice = (changes: Partial<Notice>): Notice => ({
  type: "notice",
  time_ms: T0,
  says: "",
  notice: "n1",
  number: 1,
  partner: "JPN",
  unit: "jp-mofa",
  state: "announced",
  title: "Study",
  object: "sounding-rocket",
  count: 1,
  from_ms: T0,
  to_ms: T0 + 1,
  expires_ms: T0 + 2,
  azimuth_deg: [110, 170],
  rings: [],
  watches: [{ unit: "kr-jcs", partner: "KOR", informed_ms: null, by: "", alarm: false }],
  read_by: [],
  events: [],
  beyond: [],
  ...changes,
});

test("what explains an object comes first, then whose watch is not informed, then what is over", () => {
  const state = emptyState();
  const silent = { unit: "kr-jcs", partner: "KOR", informed_ms: null, by: "", alarm: true };
  const rows = [
    notice({ notice: "over", state: "done" }),
    notice({ notice: "open" }),
    notice({ notice: "silent", watches: [silent] }),
    notice({ notice: "carried", events: ["e1"] }),
  ];
  rows.forEach((row, index) => apply(state, framed(index + 1, row), 0));
  assert.deepEqual(noticesInOrder(state).map((one) => one.notice), ["carried", "silent", "open", "over"]);
});

test("the newest row of a notice counts, and old ones that are over leave the page", () => {
  const state = emptyState();
  apply(state, framed(1, notice({ title: "Old" })), 0);
  apply(state, framed(2, notice({ title: "New", number: 2 })), 0);
  assert.equal(state.notices.get("n1")?.title, "New");
  for (let at = 0; at < 40; at += 1) apply(state, framed(3 + at, notice({ notice: `o${at}`, state: "expired" })), 0);
  assert.equal(state.notices.size, 21);
});
