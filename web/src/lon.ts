/**
 * Longitudes across ±180°: every shape is drawn in one continuous frame of 360° around `MAP_CENTRE_LON`.
 *
 *     continuous([[179, 38], [-179, 37]])    // [[179, 38], [181, 37]]
 */

/** The middle of the map: Japan, the Korean Peninsula and the north-west Pacific lie on either side of it. */
export const MAP_CENTRE_LON = 150;

/** `lon` moved by whole turns to within 180° of `near`. */
export function nearest(lon: number, near: number): number {
  return lon - 360 * Math.round((lon - near) / 360);
}

/**
 * The line with neighbouring points less than half a turn apart, and its middle within half a turn of `centre`.
 * Columns after the first two are kept. A ring around a pole stays a line that ends one turn from its start.
 */
export function continuous<T extends readonly number[]>(line: readonly T[], centre = MAP_CENTRE_LON): T[] {
  if (line.length === 0) return [];
  const lons: number[] = [];
  for (const point of line) {
    const before = lons[lons.length - 1];
    lons.push(before === undefined ? nearest(point[0]!, centre) : nearest(point[0]!, before));
  }
  const middle = (Math.min(...lons) + Math.max(...lons)) / 2;
  const shift = nearest(middle, centre) - middle;
  return line.map((point, index) => [lons[index]! + shift, ...point.slice(1)] as unknown as T);
}

/** West, south, east and north of the points, in the frame that they are given in; null for none. */
export function bounds(points: readonly (readonly number[])[]): [number, number, number, number] | null {
  if (points.length === 0) return null;
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const point of points) {
    west = Math.min(west, point[0]!);
    east = Math.max(east, point[0]!);
    south = Math.min(south, point[1]!);
    north = Math.max(north, point[1]!);
  }
  return [west, south, east, north];
}

/** `41.0°N 179.5°W`: a position in words, longitude in −180…180. */
export function positionText(lon: number, lat: number): string {
  const turned = nearest(lon, 0);
  return `${Math.abs(lat).toFixed(1)}°${lat < 0 ? "S" : "N"} ${Math.abs(turned).toFixed(1)}°${turned < 0 ? "W" : "E"}`;
}
