"""Arrivals: how probable it is that tracks fall in areas or pass over them, and from when to when.

Rules: no claim without a fall and an observation behind it, whose age is part of the answer; sound across 180 degrees
and at the poles, wherever `noroshi.geo.areas` is.

    found = arrivals(tracks, [area, other], now_ns)
    found.fall_probability[0, 1], found.pass_ns[0, 1]      # track 0, area 1; (earliest, latest)

The fall is Gaussian over east and north, distances measured along the ground. Its probability in a polygon is the sum
over the edges of the signed probability of the triangle from the mean to the edge, which Owen's function T gives
exactly (D. B. Owen, "Tables for computing bivariate normal probabilities", Annals of Mathematical Statistics 27, 1956).
The time of a fall within the area follows from its correlation with the place, by integration over lines across it.

A pass: the ground track lies beside its mean by a normal number of cross-track sigmas, the same all along; for each of
such lines the place where it enters the area is found, and the probability that the fall comes later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, owens_t

from noroshi.clock import NS_PER_S
from noroshi.geo.areas import Area
from noroshi.geo.frames import MEAN_RADIUS_M, enu_rotation, geodetic_to_ecef, unit_vectors, wrap_longitude
from noroshi.geo.geodesic import off_track
from noroshi.tracking.errors import TrackError
from noroshi.tracking.prediction import Falls, GroundTrack, ground_track, predict_falls
from noroshi.tracking.tracks import Tracks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_PROBABILITY = 1e-6
"""Below it no window is given: it would rest on the far tails of a Gaussian, which no measurement supports."""
REACH_SIGMAS = 6.0
_EDGE_RAD = np.radians(0.5)
"""Edges, straight on the map, are cut so fine; each is then within 0.1 km of straight in the plane of the fall."""
_LINES = 48
_STEPS = 256
"""Lines across an area and steps along each: an area is entered to within 1/256 of its length along the track."""
_MIN_SIGMA_S = 1e-3
_MIN_SIGMA_M = 1.0


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Of n tracks at k areas.

    fall_probability (n, k): of falling in the area; pass_probability (n, k): of passing over it, falls in it included;
    fall_ns, pass_ns (n, k, 2) int64 UTC: earliest and latest time of the fall there, or of entering the area, that
    between them hold the asked-for share; both 0 where the probability is below `LEAST_PROBABILITY`;
    last_observed_ns (n,); age_s (n,): of the last observation; claimed (n,): false where there is no fall to speak
    of, and all probabilities are then 0 for want of knowledge.
    """

    fall_probability: Floats
    fall_ns: Ints
    pass_probability: Floats
    pass_ns: Ints
    last_observed_ns: Ints
    age_s: Floats
    claimed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.claimed)


def arrivals(
    tracks: Tracks,
    areas: Sequence[Area],
    now_ns: int,
    *,
    share: float = 0.9,
    falls: Falls | None = None,
    course: GroundTrack | None = None,
) -> Arrivals:
    """What the tracks may do to the areas, from what was observed up to now.

    share: of the times of arrival that a window holds. falls, course: those of the same tracks, if they are at hand.
    Raises TrackError for a share that is not between 0 and 1, or a `now_ns` before a last observation.
    """
    if not 0 < share < 1:
        raise TrackError("predict the arrivals", cause="the share of a window must lie between 0 and 1")
    if (tracks.last_observed_ns > now_ns).any():
        raise TrackError("predict the arrivals", cause="a track was observed after the present time")
    down = falls if falls is not None else predict_falls(tracks)
    path = course if course is not None else ground_track(tracks, falls=down)
    count, size = len(tracks), len(areas)
    found = Arrivals(
        np.zeros((count, size)),
        np.zeros((count, size, 2), np.int64),
        np.zeros((count, size)),
        np.zeros((count, size, 2), np.int64),
        tracks.last_observed_ns,
        (now_ns - tracks.last_observed_ns) / NS_PER_S,
        down.valid & (tracks.updates > 0),
    )
    for i in np.flatnonzero(found.claimed):
        line = path.of(int(i))
        for k, area in enumerate(areas):
            if area.is_empty:
                continue
            one = _fall_in(down, int(i), area, share)
            found.fall_probability[i, k], found.fall_ns[i, k] = one
            found.pass_probability[i, k], found.pass_ns[i, k] = _pass_over(line, area, share)
    return found


def _fall_in(falls: Falls, row: int, area: Area, share: float) -> tuple[float, Ints]:
    """Probability of a fall in the area, and earliest and latest time of it."""
    lat, lon = float(falls.lat_rad[row]), float(falls.lon_rad[row])
    cov = falls.covariance[row]
    low = np.linalg.cholesky(cov[:2, :2])
    slope = np.linalg.solve(low, cov[:2, 2])  # of the time over the whitened place
    steep = float(np.linalg.norm(slope))
    ahead = slope / steep if steep > 0 else np.array([1.0, 0.0])
    turn = np.array(
        [ahead, [-ahead[1], ahead[0]]]
    )  # the first whitened axis: the one along which the time changes
    a, b = (turn @ np.linalg.solve(low, one.T) for one in _edges(lat, lon, area))
    beyond = float(area.contains(-lat, lon + np.pi)[0])  # a ring around the antipode runs the other way round
    probability = float(np.clip(_triangles(a, b).sum() + beyond, 0.0, 1.0))
    if probability < LEAST_PROBABILITY:
        return probability, np.zeros(2, np.int64)
    nodes, weights = _nodes(
        float(min(a[0].min(), b[0].min())), float(max(a[0].max(), b[0].max())), beyond > 0
    )
    inside = np.maximum(_across(a, b, nodes) + beyond, 0.0)
    density = weights * np.exp(-(nodes**2) / 2) * inside
    rest = np.sqrt(max(cov[2, 2] - steep**2, _MIN_SIGMA_S**2))
    window = _window(steep * nodes, np.full(_LINES, rest), density, share)
    return probability, falls.time_ns[row] + np.rint(window * NS_PER_S).astype(np.int64)


def _edges(lat: float, lon: float, area: Area) -> tuple[Floats, Floats]:
    """Both ends (m, 2) of all edges, east and north of the point along the ground, m; interiors on the left."""
    centre, rot = geodetic_to_ecef(lat, lon)[0], enu_rotation(lat, lon)[0, :2]
    ends = []
    for ring in area.rings:
        ring = _fine(ring)
        away = geodetic_to_ecef(ring[:, 0], ring[:, 1]) - centre
        chord = np.sqrt(np.einsum("ij,ij->i", away, away))
        arc = 2 * MEAN_RADIUS_M * np.arcsin(np.minimum(chord / (2 * MEAN_RADIUS_M), 1.0))
        flat = away @ rot.T
        flat *= (arc / np.maximum(np.linalg.norm(flat, axis=1), 1e-9))[:, None]
        ends.append(flat)
    return np.concatenate([ring[:-1] for ring in ends]), np.concatenate([ring[1:] for ring in ends])


def _fine(ring: Floats) -> Floats:
    """The closed ring with points added until no edge is longer than `_EDGE_RAD` on the map."""
    cuts = np.maximum(1, np.ceil(np.abs(np.diff(ring, axis=0)).max(axis=1) / _EDGE_RAD)).astype(np.int64)
    edge = np.repeat(np.arange(len(cuts)), cuts)
    part = (np.arange(len(edge)) - np.repeat(np.cumsum(cuts) - cuts, cuts)) / cuts[edge]
    points = ring[edge] + part[:, None] * (ring[edge + 1] - ring[edge])
    return np.concatenate((points, ring[-1:]))


def _triangles(a: Floats, b: Floats) -> Floats:
    """Signed probability of each triangle from the origin to the edge a-b (2, m) under a unit Gaussian."""
    step = b - a
    length = np.maximum(np.sqrt(step[0] ** 2 + step[1] ** 2), 1e-300)
    cross = (a[0] * b[1] - a[1] * b[0]) / length  # signed distance of the edge's line
    away = np.maximum(np.abs(cross), 1e-12)
    start, end = ((one[0] * step[0] + one[1] * step[1]) / length / away for one in (a, b))
    angle = (np.arctan(end) - np.arctan(start)) / (2 * np.pi)
    return np.asarray(np.sign(cross) * (angle - owens_t(away, end) + owens_t(away, start)))


def _nodes(low: float, high: float, everywhere: bool) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights over the part of low..high within `REACH_SIGMAS`."""
    if everywhere:
        low, high = -REACH_SIGMAS, REACH_SIGMAS
    low, high = np.clip((low, high), -REACH_SIGMAS, REACH_SIGMAS)
    x, w = np.polynomial.legendre.leggauss(_LINES)
    return (low + high) / 2 + (high - low) / 2 * x, (high - low) / 2 * w


def _across(a: Floats, b: Floats, nodes: Floats) -> Floats:
    """Probability over the second axis within the polygon, on each line at a node of the first."""
    found = np.zeros(len(nodes))
    for i, x in enumerate(nodes):
        crossed = (a[0] <= x) != (b[0] <= x)
        (ax, ay), (bx, by) = a[:, crossed], b[:, crossed]
        found[i] = -np.sum(np.sign(bx - ax) * ndtr(ay + (x - ax) / (bx - ax) * (by - ay)))
    return found


def _window(mean: Floats, sigma: Floats, weight: Floats, share: float) -> Floats:
    """The middle `share` of a mixture of Gaussians, (2,); bisection. Zeros when it has no weight."""
    if not weight.sum() > 0:
        return np.zeros(2)
    kept = weight > 0
    mean, sigma, weight = mean[kept], sigma[kept], weight[kept] / weight[kept].sum()
    goal = np.array([(1 - share) / 2, (1 + share) / 2])
    low = np.full(2, (mean - 9 * sigma).min())
    high = np.full(2, (mean + 9 * sigma).max())
    for _ in range(60):
        middle = (low + high) / 2
        under = (weight * ndtr((middle[:, None] - mean) / sigma)).sum(axis=1) < goal
        low, high = np.where(under, middle, low), np.where(under, high, middle)
    return np.asarray((low + high) / 2)


def _pass_over(course: GroundTrack, area: Area, share: float) -> tuple[float, Ints]:
    """Probability that the track passes over the area, and earliest and latest time of entering it."""
    none = 0.0, np.zeros(2, np.int64)
    if len(course.time_ns) < 2:
        return none
    line = _Line.of(course)
    ring = np.concatenate([_fine(ring) for ring in area.rings])
    beside = off_track(ring[:, 0], ring[:, 1], line.lat_rad, line.lon_rad)
    z = beside.cross_m / np.interp(beside.along_m, line.along_m, line.cross_sigma_m)
    over = area.contains(line.lat_rad, line.lon_rad).any()
    low, high = (min(z.min(), 0.0), max(z.max(), 0.0)) if over else (z.min(), z.max())
    if low > REACH_SIGMAS or high < -REACH_SIGMAS:
        return none
    nodes, weights = _nodes(float(low), float(high), False)
    margin = 0.1 * (beside.along_m.max() - beside.along_m.min()) + 20e3
    first = max(beside.along_m.min() - margin, 0.0)
    last = min(beside.along_m.max() + margin, line.along_m[-1])
    along = np.linspace(first, last, _STEPS)
    lat, lon = line.displaced(along, nodes)
    inside = area.contains(lat.ravel(), lon.ravel()).reshape(lat.shape)
    enters = inside.any(axis=1)
    at = along[np.argmax(inside, axis=1)]
    reached = ndtr((line.end_m - at) / line.end_sigma_m)
    weight = np.where(enters, weights * np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi) * reached, 0.0)
    probability = float(np.clip(weight.sum(), 0.0, 1.0))
    if probability < LEAST_PROBABILITY:
        return probability, none[1]
    time_s = np.interp(at, line.along_m, line.time_s)
    sigma_s = np.maximum(np.interp(at, line.along_m, line.time_sigma_s), _MIN_SIGMA_S)
    window = np.maximum(_window(time_s, sigma_s, weight, share), 0.0)
    return probability, course.time_ns[0] + np.rint(window * NS_PER_S).astype(np.int64)


@dataclass(frozen=True, eq=False)
class _Line:
    """A ground track by the distance along it, going on beyond the mean fall as far as the fall may lie.

    Columns (m,): lat_rad, lon_rad, along_m, cross_sigma_m, time_s after the first vertex, time_sigma_s; normal (m, 3);
    end_m and end_sigma_m: the fall, along the track.
    """

    lat_rad: Floats
    lon_rad: Floats
    along_m: Floats
    cross_sigma_m: Floats
    time_s: Floats
    time_sigma_s: Floats
    normal: Floats
    end_m: float
    end_sigma_m: float

    @classmethod
    def of(cls, course: GroundTrack) -> _Line:
        """Of one track with at least two vertices."""
        normal = unit_vectors(course.lat_rad, course.lon_rad)
        kept = np.append(np.linalg.norm(np.diff(normal, axis=0), axis=1) * MEAN_RADIUS_M > _MIN_SIGMA_M, True)
        normal = normal[kept]
        time_s = (course.time_ns[kept] - course.time_ns[0]) / NS_PER_S
        cross = np.maximum(course.cross_sigma_m[kept], _MIN_SIGMA_M)
        time_sigma = np.maximum(course.time_sigma_s[kept], _MIN_SIGMA_S)
        end_sigma = max(float(course.along_sigma_m[-1]), _MIN_SIGMA_M)
        speed = max(float(course.speed_mps[-1]), _MIN_SIGMA_M)
        step = np.linspace(0.0, REACH_SIGMAS * end_sigma, 9)[1:]
        heading = _forward(normal)[-1]
        more = np.outer(np.cos(step / MEAN_RADIUS_M), normal[-1]) + np.outer(
            np.sin(step / MEAN_RADIUS_M), heading
        )
        normal = np.concatenate((normal, more))
        away = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(normal, axis=0), axis=1))))
        lat, lon = _places(normal)
        return cls(
            lat_rad=lat,
            lon_rad=lon,
            along_m=away * MEAN_RADIUS_M,
            cross_sigma_m=np.append(cross, np.full(len(step), cross[-1])),
            time_s=np.append(time_s, time_s[-1] + step / speed),
            time_sigma_s=np.append(time_sigma, np.full(len(step), time_sigma[-1])),
            normal=normal,
            end_m=float(away[-len(step) - 1]) * MEAN_RADIUS_M,
            end_sigma_m=end_sigma,
        )

    def displaced(self, along_m: Floats, sigmas: Floats) -> tuple[Floats, Floats]:
        """Latitude and longitude (j, m) at these distances, so many cross-track sigmas to the right."""
        forward = _forward(self.normal)
        up = np.stack([np.interp(along_m, self.along_m, column) for column in self.normal.T], axis=1)
        up /= np.linalg.norm(up, axis=1, keepdims=True)
        ahead = np.stack([np.interp(along_m, self.along_m, column) for column in forward.T], axis=1)
        right = np.cross(ahead, up)
        right /= np.maximum(np.linalg.norm(right, axis=1, keepdims=True), 1e-12)
        angle = sigmas[:, None] * np.interp(along_m, self.along_m, self.cross_sigma_m) / MEAN_RADIUS_M
        point = np.cos(angle)[..., None] * up + np.sin(angle)[..., None] * right
        lat, lon = _places(point)
        return lat, wrap_longitude(lon)


def _places(normal: Floats) -> tuple[Floats, Floats]:
    """Latitude and longitude of unit normals (..., 3)."""
    level = np.hypot(normal[..., 0], normal[..., 1])
    return np.arctan2(normal[..., 2], level), np.arctan2(normal[..., 1], normal[..., 0])


def _forward(normal: Floats) -> Floats:
    """Unit direction of motion at each vertex of unit normals (m, 3), m >= 2."""
    step = np.gradient(normal, axis=0)
    step -= np.einsum("ij,ij->i", step, normal)[:, None] * normal
    found: Floats = step / np.maximum(np.linalg.norm(step, axis=1, keepdims=True), 1e-300)
    return found
