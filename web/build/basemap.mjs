/**
 * The base map, cut down at build time from the 50m land and country borders of Natural Earth (public domain).
 *
 * What is kept: rings of land, and borders as bare lines. Names, codes and the areas of countries are dropped, so
 * nothing can be coloured or labelled by claimant.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { feature, mesh } from "topojson-client";

/** @import { Position, MultiPolygon, Polygon } from "geojson" */
/** @import { Topology, GeometryCollection } from "topojson-specification" */
/** @import { BaseMapData } from "../src/map/seam" */

const MODULE = "virtual:basemap";
/** A hundredth of a degree: about 1 km at the equator, finer than the 50m source. */
const SCALE = 100;

/**
 * A line as whole hundredths of a degree: lon, lat, then differences.
 * @param {Position[]} line
 * @returns {number[]}
 */
export function flat(line) {
  /** @type {number[]} */
  const out = [];
  let [x, y] = [0, 0];
  for (const [lon = 0, lat = 0] of line) {
    const [nextX, nextY] = [Math.round(lon * SCALE), Math.round(lat * SCALE)];
    if (out.length > 0 && nextX === x && nextY === y) continue;
    out.push(nextX - x, nextY - y);
    [x, y] = [nextX, nextY];
  }
  return out;
}

/**
 * @param {Topology} topology
 * @returns {BaseMapData}
 */
export function reduced(topology) {
  const land = /** @type {GeometryCollection} */ (topology.objects["land"]);
  const countries = /** @type {GeometryCollection} */ (topology.objects["countries"]);
  const shapes = feature(topology, land).features.map((f) => /** @type {MultiPolygon | Polygon} */ (f.geometry));
  const polygons = shapes.flatMap((g) => (g.type === "Polygon" ? [g.coordinates] : g.coordinates));
  const borders = mesh(topology, countries, (a, b) => a !== b).coordinates;
  return {
    scale: SCALE,
    land: polygons.map((rings) => rings.map(flat)),
    borders: borders.map(flat).filter((line) => line.length > 2),
  };
}

export function baseMapText() {
  const source = createRequire(import.meta.url).resolve("world-atlas/countries-50m.json");
  return JSON.stringify(reduced(JSON.parse(readFileSync(source, "utf8"))));
}

/**
 * `import address from "virtual:basemap"` gives the address of the reduced map as a file of its own.
 * @returns {import("esbuild").Plugin}
 */
export function baseMap() {
  return {
    name: "basemap",
    setup(build) {
      build.onResolve({ filter: /^virtual:basemap$/ }, () => ({ path: "basemap.json", namespace: MODULE }));
      build.onLoad({ filter: /.*/, namespace: MODULE }, () => ({ contents: baseMapText(), loader: "file" }));
    },
  };
}
