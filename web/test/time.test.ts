import assert from "node:assert/strict";
import { test } from "node:test";
import { partnerAddress, readFragment, streamAddress } from "../src/address";
import { clockText, dayText, durationText, isOld, nodeTime, windowState, zoneOf } from "../src/time";
import { chanceWords, firstLanguage, LANGUAGES, peopleText, percent } from "../src/text";
import { en } from "../src/text/en";
import { ja } from "../src/text/ja";
import { ko } from "../src/text/ko";
import { pressed, type KeyActions } from "../src/keys";
import { span } from "../src/timeline/strip";
import { emptyState } from "../src/state";
import { T0 } from "./rows";

test("clocks of the watch: UTC and local", () => {
  assert.equal(clockText(T0, "UTC"), "22:22:00");
  assert.equal(clockText(T0, "Asia/Tokyo"), "07:22:00");
  assert.equal(dayText(T0, "Asia/Tokyo"), "2022-10-04");
  assert.equal(zoneOf("JPN", undefined), "Asia/Tokyo");
  assert.equal(zoneOf("USA", "Asia/Tokyo"), "Asia/Tokyo");
  assert.equal(zoneOf("JPN", "No/Such"), "UTC");
});

test("the node's time runs on at its speed, stands when stopped, never runs back", () => {
  const clock = { nowMs: T0, speed: 10, heardAt: 1000, stopped: false };
  assert.equal(nodeTime(clock, 2000), T0 + 10_000);
  assert.equal(nodeTime(clock, 900), T0);
  assert.equal(nodeTime({ ...clock, stopped: true }, 9000), T0);
});

test("a window is ahead, open or over, and never more than that", () => {
  assert.deepEqual(windowState(100, 200, 40), { state: "ahead", inMs: 60 });
  assert.deepEqual(windowState(100, 200, 100), { state: "open", leftMs: 100 });
  assert.deepEqual(windowState(100, 200, 200), { state: "open", leftMs: 0 });
  assert.deepEqual(windowState(100, 200, 260), { state: "over", sinceMs: 60 });
});

test("lengths of time", () => {
  assert.equal(durationText(187_999), "3:07");
  assert.equal(durationText(3_729_000), "1:02:09");
  assert.equal(durationText(-5_000), "0:05");
});

test("an observation grows old; at high speed the page's own lag is allowed for", () => {
  assert.equal(isOld(T0, T0 + 15_000, 1), false);
  assert.equal(isOld(T0, T0 + 15_001, 1), true);
  assert.equal(isOld(T0, T0 + 40_000, 20), false);
  assert.equal(isOld(T0, T0 + 61_000, 20), true);
});

test("predictions are never certain and never impossible", () => {
  assert.equal(percent(0.999), "> 99 %");
  assert.equal(percent(0.001), "< 1 %");
  assert.equal(percent(0.714), "71 %");
  assert.equal(chanceWords("en", 0.19), "very unlikely");
  assert.equal(chanceWords("en", 0.5), "about even");
  assert.equal(chanceWords("en", 1), "almost certain");
  assert.equal(peopleText(223_415), "223,000");
  assert.equal(peopleText(87), "87");
});

test("every sentence has the same places for values in each language, and no word claims an observation", () => {
  const places = (words: string) => [...words.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();
  for (const key of Object.keys(en) as (keyof typeof en)[])
    for (const texts of [ja, ko]) assert.deepEqual(places(texts[key]), places(en[key]), key);
  const predicted = (Object.keys(en) as (keyof typeof en)[]).filter((key) => /^(will|fall|ahead|open|over|legendCorridor|legendFall)/.test(key));
  for (const key of predicted) assert.doesNotMatch(en[key], /(?<!may be )\b(passed|landed|fell|hit)\b/, key);
});

test("the first language is the one asked for, then the browser's, then English", () => {
  assert.equal(firstLanguage("ko", ["ja"]), "ko");
  assert.equal(firstLanguage(null, ["fr", "ja-JP"]), "ja");
  assert.equal(firstLanguage("xx", []), "en");
  assert.deepEqual([...LANGUAGES], ["en", "ja", "ko"]);
});

test("the token goes along in the fragment and nowhere else", () => {
  assert.deepEqual(readFragment("#token=abc&lang=ja"), { token: "abc", language: "ja" });
  assert.equal(partnerAddress("http://127.0.0.1:8702/", "abc", "ja"), "http://127.0.0.1:8702/#token=abc&lang=ja");
  assert.equal(partnerAddress("http://h/#token=own", "abc", "en"), "http://h/#token=own&lang=en");
  assert.equal(streamAddress({ protocol: "https:", host: "h:1" }), "wss://h:1/api/staff");
});

test("keys do what the help says", () => {
  const done: string[] = [];
  const act: KeyActions = {
    help: () => done.push("help"),
    close: () => done.push("close"),
    language: () => done.push("language"),
    fit: () => done.push("fit"),
    zoom: () => done.push("zoom"),
    legend: () => done.push("legend"),
    partner: (index) => done.push(`partner ${index}`),
    focus: (panel) => done.push(panel),
    filter: () => done.push("filter"),
  };
  for (const key of ["?", "L", "l", "f", "z", "g", "2", "w", "t", "s", "Escape"]) assert.ok(pressed(key, act), key);
  assert.equal(pressed("x", act), false);
  assert.deepEqual(done, ["help", "language", "language", "fit", "zoom", "legend", "partner 1", "warnings", "timeline", "filter", "close"]);
});

test("the strip holds now, what was and what may come", () => {
  const state = emptyState();
  state.marks.push({ lane: "warning", timeMs: T0, says: "", ends: false });
  const [from, to] = span(state, T0 + 60_000, [T0 + 1_200_000]);
  assert.ok(from < T0 && to > T0 + 1_200_000);
  const [early, late] = span(emptyState(), T0, []);
  assert.ok(late - early >= 600_000);
});
