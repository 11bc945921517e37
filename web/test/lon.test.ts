import assert from "node:assert/strict";
import { test } from "node:test";
import { flat } from "../build/basemap.mjs";
import { bounds, continuous, nearest, positionText } from "../src/lon";
import { projected, longitudeOf } from "../src/map/frame";
import { unpacked, withoutSeam } from "../src/map/seam";

const lons = (line: readonly (readonly number[])[]) => line.map((p) => p[0]);

test("a line over the antimeridian goes on eastwards", () => {
  assert.deepEqual(lons(continuous([[170, 38], [179, 37], [-179, 36], [-170, 35]])), [170, 179, 181, 190]);
});

test("the same line drawn westwards, and in the other notation, lies in the same place", () => {
  assert.deepEqual(lons(continuous([[-170, 35], [-179, 36], [179, 37]])), [190, 181, 179]);
  assert.deepEqual(lons(continuous([[190, 35], [181, 36], [179, 37]])), [190, 181, 179]);
});

test("a ring around a point near 180° stays one ring", () => {
  const ring = continuous([[178, 36], [-178, 36], [-178, 38], [178, 38], [178, 36]]);
  assert.deepEqual(bounds(ring), [178, 36, 182, 38]);
  assert.deepEqual(ring[0], ring[ring.length - 1]);
});

test("shapes east of 180° come beside those west of it, far ones go to the nearer side", () => {
  assert.deepEqual(lons(continuous([[-157.9, 21]])), [202.1]);
  assert.deepEqual(lons(continuous([[-20, 64], [-22, 65]])), [340 - 360, -22]);
});

test("columns after the first two are kept", () => {
  assert.deepEqual(continuous([[179, 38, 1000, 5], [-179, 37, 2000, 6]]), [[179, 38, 1000, 5], [181, 37, 2000, 6]]);
});

test("empty lines and single points do no harm", () => {
  assert.deepEqual(continuous([]), []);
  assert.equal(bounds([]), null);
  assert.equal(nearest(150, 150), 150);
});

test("positions read as people write them", () => {
  assert.equal(positionText(181.5, 38.24), "38.2°N 178.5°W");
  assert.equal(positionText(179.96, -3), "3.0°S 180.0°E");
});

test("the projection goes on beyond 180° and is bounded at the poles", () => {
  assert.ok(projected(181, 38)[0] > projected(179, 38)[0]);
  assert.ok(Math.abs(longitudeOf(projected(200, 10)[0]) - 200) < 1e-9);
  assert.ok(Number.isFinite(projected(0, 90)[1]));
});

test("the false coast along 180° is not drawn", () => {
  const ring = [[178, 65], [180, 66], [180, 68], [178, 69], [178, 65]];
  assert.deepEqual(withoutSeam(ring), [[[178, 65], [180, 66]], [[180, 68], [178, 69], [178, 65]]]);
  assert.deepEqual(withoutSeam([[1, 1], [2, 2]]), [[[1, 1], [2, 2]]]);
});

test("the base map is packed and unpacked to a hundredth of a degree", () => {
  const line = [[140.123, 41.456], [140.124, 41.457], [141.5, 40.25]];
  const back = unpacked(flat(line), 100);
  assert.equal(back.length, 2, "points in one hundredth fall together");
  assert.deepEqual(back.map((p) => p.map((v) => Math.round(v * 100) / 100)), [[140.12, 41.46], [141.5, 40.25]]);
});
