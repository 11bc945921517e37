/** The map's frame: Web Mercator, continuous from 30° W eastwards over ±180°, without wrapping anything. */

const HALF_TURN_M = 20_037_508.342789244;
/** Beyond this latitude Mercator is cut off; a shape over a pole is drawn to here. */
const MAX_LATITUDE = 84;

/** Map coordinates of a position in degrees; longitudes beyond 180° go on eastwards. */
export function projected(lon: number, lat: number): [number, number] {
  const bounded = Math.max(-MAX_LATITUDE, Math.min(MAX_LATITUDE, lat));
  const y = (Math.log(Math.tan(Math.PI / 4 + (bounded * Math.PI) / 360)) / Math.PI) * HALF_TURN_M;
  return [(lon / 180) * HALF_TURN_M, y];
}

/** Longitude of a map coordinate, in the continuous frame. */
export const longitudeOf = (x: number): number => (x / HALF_TURN_M) * 180;

/** West, south, east, north of what the map can show at all. */
export const WHOLE_EXTENT = [...projected(-30, -70), ...projected(330, 78)] as [number, number, number, number];

/** What the map shows while there is no picture: the Korean Peninsula to 180°. */
export const RESTING_EXTENT = [...projected(122, 24), ...projected(182, 52)] as [number, number, number, number];
