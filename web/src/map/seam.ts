/** The base map's lines: unpacked, and without the false shore along ±180°. */

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
