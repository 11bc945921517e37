/** Rows for the tests: whole ones, so that the reducer meets what a node sends. */
import type { Hello, Picture, Row, RowFrame, Warning } from "../src/protocol";

export const T0 = Date.UTC(2022, 9, 3, 22, 22, 0);

export const hello = (changes: Partial<Hello> = {}): Hello => ({
  type: "hello",
  realm: "exercise:kaikyo",
  realm_kind: "exercise",
  title: "A title",
  partner: "JPN",
  node: "jpn",
  structure: { id: "trilateral", title: "Trilateral" },
  start_ms: T0,
  now_ms: T0,
  speed: 10,
  partners: ["JPN", "USA", "KOR"].map((partner) => ({ partner, name: partner, node: partner.toLowerCase(), url: "" })),
  units: { "jp-fdma": "Fire and Disaster Management Agency" },
  attribution: "",
  version: "0",
  ...changes,
});

export const picture = (changes: Partial<Picture> = {}): Picture => ({
  type: "picture",
  time_ms: T0,
  says: "",
  event: "e1",
  title: "Object 1",
  track_ms: T0,
  updates: 1,
  partners: ["JPN"],
  sensings: ["radar"],
  first_observed_ms: T0,
  last_observed_ms: T0,
  position: { lon: 140, lat: 41, height_m: 500_000 },
  speed_mps: 4_000,
  position_ring: [],
  fall: null,
  path: [],
  corridor: [],
  trail: [],
  state: "tracked",
  ...changes,
});

export const warning = (changes: Partial<Warning> = {}): Warning => ({
  type: "warning",
  time_ms: T0,
  says: "",
  id: "w1",
  event: "e1",
  partner: "JPN",
  number: 1,
  state: "issued",
  basis: "one-kind",
  sensings: ["radar"],
  partners: ["JPN"],
  areas: [],
  corridor: [],
  fall: null,
  valid_until_ms: T0 + 120_000,
  last_observed_ms: T0,
  reason: "",
  ...changes,
});

export const framed = (n: number, row: Row, key = ""): RowFrame => ({ n, key, row });
