"""Distances, azimuths and tracks along the WGS-84 ellipsoid, columnar.

Radians in and out, metres, (n,) columns (scalars are taken as one row). Azimuth runs clockwise from true
north, in [0, 2 pi). A thin wrapper of pyproj.Geod, which solves the geodesic to about 15 nm: C. F. F. Karney,
"Algorithms for geodesics", Journal of Geodesy 87 (2013).

    away_m, azimuth_rad, back_rad = inverse(lat1, lon1, lat2, lon2)
    lat_rad, lon_rad = destination(lat1, lon1, azimuth_rad, away_m)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pyproj import Geod

from noroshi.errors import LocalError
from noroshi.geo.frames import FLATTENING, SEMI_MAJOR_M, unit_vectors, wrap_longitude

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_MAX_CELLS = 4_000_000
"""Point-segment pairs held at a time by off_track: about 100 MB."""


_LINE_STEP_M = 200_000.0
"""Arcs between normals this far apart are within 2 m of the geodesic; over 2,000 km they are 160 m off."""


class BadShapeError(LocalError):
    """Columns of different length, or a polyline without a segment."""


def _geod() -> Geod:
    # Made on use: a module-level Geod would be state made by the import.
    return Geod(a=SEMI_MAJOR_M, f=FLATTENING)


def inverse(
    lat1_rad: ArrayLike, lon1_rad: ArrayLike, lat2_rad: ArrayLike, lon2_rad: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    """Distance (m), azimuth at the first point, and azimuth at the second point back to the first."""
    lat1, lon1, lat2, lon2 = _columns(lat1_rad, lon1_rad, lat2_rad, lon2_rad)
    azimuth, back, away_m = _geod().inv(lon1, lat1, lon2, lat2, radians=True)
    return np.asarray(away_m), _turn(azimuth), _turn(back)


def distance_m(lat1_rad: ArrayLike, lon1_rad: ArrayLike, lat2_rad: ArrayLike, lon2_rad: ArrayLike) -> Floats:
    """Geodesic distance of n pairs of points, (n,)."""
    return inverse(lat1_rad, lon1_rad, lat2_rad, lon2_rad)[0]


def destination(
    lat_rad: ArrayLike, lon_rad: ArrayLike, azimuth_rad: ArrayLike, away_m: ArrayLike
) -> tuple[Floats, Floats]:
    """Latitude and longitude (in [-pi, pi)) of the points reached from each start along its azimuth."""
    lat, lon, azimuth, away = _columns(lat_rad, lon_rad, azimuth_rad, away_m)
    end_lon, end_lat, _ = _geod().fwd(lon, lat, azimuth, away, radians=True)
    return np.asarray(end_lat), wrap_longitude(end_lon)


def path_lengths_m(lat_rad: ArrayLike, lon_rad: ArrayLike) -> Floats:
    """Distance along a polyline from its first vertex to each vertex, (m,)."""
    lat, lon = _columns(lat_rad, lon_rad)
    return np.concatenate(([0.0], np.cumsum(distance_m(lat[:-1], lon[:-1], lat[1:], lon[1:]))))


def cut_long(lat_rad: ArrayLike, lon_rad: ArrayLike, step_m: float) -> tuple[Floats, Floats, Indices, Floats]:
    """A polyline of m >= 2 vertices with points added on its geodesics, so that no segment exceeds `step_m`.

    Gives latitude and longitude of the k vertices, then for each of them the segment of the given line on which
    it lies and its share of that segment's length (the last vertex: segment m - 2, share 1).
    """
    lat, lon = _columns(lat_rad, lon_rad)
    away_m, azimuth, _ = inverse(lat[:-1], lon[:-1], lat[1:], lon[1:])
    counts = np.maximum(1, np.ceil(away_m / step_m)).astype(np.intp)
    segment = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    share = (np.arange(len(segment)) - starts[segment]) / counts[segment]
    cut_lat, cut_lon = destination(lat[segment], lon[segment], azimuth[segment], share * away_m[segment])
    return (
        np.append(cut_lat, lat[-1]),
        np.append(cut_lon, lon[-1]),
        np.append(segment, len(counts) - 1),
        np.append(share, 1.0),
    )


@dataclass(frozen=True)
class OffTrack:
    """Where n points lie beside a polyline; all columns (n,).

    cross_m: distance to the nearest point of the line, positive to its right, negative to its left.
    along_m: distance along the line from its first vertex to that nearest point; never beyond its ends.
    segment: index of the segment that holds it. A point past an end is measured from that end.
    """

    cross_m: Floats
    along_m: Floats
    segment: Indices


def off_track(
    lat_rad: ArrayLike, lon_rad: ArrayLike, line_lat_rad: ArrayLike, line_lon_rad: ArrayLike
) -> OffTrack:
    """Cross-track and along-track distance of n points to a polyline of m >= 2 vertices.

    The nearest point is found on the sphere of the normals, among segments shorter than half a turn; both
    distances are then measured on the ellipsoid. Error of `cross_m` under 0.1 % (at least 3 m) within
    3,000 km, of `along_m` under 0.3 % of the distance off the track. Repeated vertices are allowed.
    Raises BadShapeError for fewer than two vertices. Source: K. Gade, "A non-singular horizontal position
    representation", Journal of Navigation 63 (2010), cross-track and nearest-point solutions.
    """
    lat, lon = _columns(lat_rad, lon_rad)
    line_lat, line_lon = _columns(line_lat_rad, line_lon_rad)
    if len(line_lat) < 2:
        raise BadShapeError(
            "measure beside the line", cause=f"it has {len(line_lat)} vertices", hint="give two or more"
        )
    line_lat, line_lon, original, _ = cut_long(line_lat, line_lon, _LINE_STEP_M)
    points, line = unit_vectors(lat, lon), unit_vectors(line_lat, line_lon)
    step = max(1, _MAX_CELLS // (len(line) - 1))
    parts = [_nearest(points[at : at + step], line) for at in range(0, len(points), step)]
    feet = np.concatenate([part[0] for part in parts]) if parts else np.empty((0, 3))
    segment = np.concatenate([part[1] for part in parts]) if parts else np.empty(0, dtype=np.intp)
    foot_lat = np.arctan2(feet[:, 2], np.hypot(feet[:, 0], feet[:, 1]))
    foot_lon = np.arctan2(feet[:, 1], feet[:, 0])
    side = np.einsum("ij,ij->i", np.cross(line[segment], line[segment + 1]), points)
    cross_m = distance_m(lat, lon, foot_lat, foot_lon) * np.where(side > 0.0, -1.0, 1.0)
    along_m = path_lengths_m(line_lat, line_lon)[segment]
    along_m = along_m + distance_m(line_lat[segment], line_lon[segment], foot_lat, foot_lon)
    return OffTrack(cross_m, along_m, original[segment])


def nearest_vertex(
    lat_rad: ArrayLike, lon_rad: ArrayLike, line_lat_rad: ArrayLike, line_lon_rad: ArrayLike
) -> Indices:
    """Index of the polyline's vertex nearest to each of n points, (n,); the first one of equals."""
    points = unit_vectors(*_columns(lat_rad, lon_rad))
    line = unit_vectors(*_columns(line_lat_rad, line_lon_rad))
    step = max(1, _MAX_CELLS // len(line))
    blocks = (points[at : at + step] for at in range(0, len(points), step))
    found = [np.argmin(_chords_sq(block, line), axis=1) for block in blocks]
    return np.concatenate(found) if found else np.empty(0, dtype=np.intp)


def _nearest(points: Floats, line: Floats) -> tuple[Floats, Indices]:
    """The nearest point of the line, as a unit vector, and its segment, for each point."""
    start, end = line[:-1], line[1:]
    normal = np.cross(start, end)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.divide(normal, length, out=np.zeros_like(normal), where=length > 1e-15)
    sine = points @ normal.T
    # The foot of the perpendicular lies within the segment when it is past the start and before the end.
    past = points @ np.cross(normal, start).T
    before = points @ np.cross(end, normal).T
    inside = (past > 0.0) & (before > 0.0) & (length[:, 0] > 1e-15)
    ends_sq = np.minimum(_chords_sq(points, start), _chords_sq(points, end))
    foot_sq = 2.0 - 2.0 * np.sqrt(np.maximum(0.0, 1.0 - sine**2))
    best = np.argmin(np.where(inside, foot_sq, ends_sq), axis=1)
    rows = np.arange(len(points))
    feet = points - sine[rows, best, None] * normal[best]
    feet /= np.maximum(np.linalg.norm(feet, axis=1, keepdims=True), 1e-300)
    nearer_end = _chord_sq(points, end[best]) < _chord_sq(points, start[best])
    ends = np.where(nearer_end[:, None], end[best], start[best])
    return np.where(inside[rows, best, None], feet, ends), best


def _chords_sq(points: Floats, others: Floats) -> Floats:
    products: Floats = points @ others.T
    return np.maximum(0.0, 2.0 - 2.0 * products)


def _chord_sq(points: Floats, others: Floats) -> Floats:
    squares: Floats = np.square(points - others).sum(axis=1)
    return squares


def _columns(*values: ArrayLike) -> tuple[Floats, ...]:
    arrays = [np.atleast_1d(np.asarray(value, dtype=np.float64)) for value in values]
    try:
        return tuple(np.array(array) for array in np.broadcast_arrays(*arrays))
    except ValueError as error:
        raise BadShapeError("pair the points", cause=f"columns differ in length ({error})") from error


def _turn(azimuth: ArrayLike) -> Floats:
    turned = np.mod(np.asarray(azimuth, dtype=np.float64), 2.0 * np.pi)
    return np.where(turned >= 2.0 * np.pi, 0.0, turned)
