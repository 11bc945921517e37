/** The base map's lines: unpacked, and without the false shore along ±180°. */

import { continuous } from "../lon";

/** Rings and lines as flat lists in units of 1/`scale` degree: lon, lat, then differences. */
export interface BaseMapData {
  scale: number;
  land: number[][][];
  borders: number[][];
}

/** A packed line in degrees. */
export function unpacked(flat: number[], scale: number): number[][] {
  const line: number[][] = [];
  let [x, y] = [0, 0];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    x += flat[index]!;
    y += flat[index + 1]!;
    line.push([x / scale, y / scale]);
  }
  return line;
}

/**
 * A ring that leaps from one side of ±180° to the other, in one piece beyond it: filled as it stands, it would be a band
 * around the Earth. A ring around a pole closes only along the map's edge, and stays.
 */
export function unwound(ring: readonly (readonly number[])[]): readonly (readonly number[])[] {
  const leaps = ring.some((point, index) => index > 0 && Math.abs(point[0]! - ring[index - 1]![0]!) > 180);
  if (!leaps) return ring;
  const line = continuous(ring);
  const ends = line[0]![0]! - line[line.length - 1]![0]!;
  return Math.abs(ends) < 1 ? line : ring;
}

/**
 * The coast: rings of land without the false shore that the data have along ±180°, so that Chukotka and Fiji are
 * drawn in one piece. `ring` is in degrees.
 */
export function withoutSeam(ring: readonly (readonly number[])[]): number[][][] {
  const onSeam = (point: readonly number[] | undefined) => point !== undefined && Math.abs(Math.abs(point[0]!) - 180) < 0.011;
  const parts: number[][][] = [];
  let part: number[][] = [];
  ring.forEach((point, index) => {
    if (onSeam(point) && onSeam(ring[index - 1])) {
      if (part.length > 1) parts.push(part);
      part = [];
    }
    part.push([...point]);
  });
  if (part.length > 1) parts.push(part);
  return parts;
}
