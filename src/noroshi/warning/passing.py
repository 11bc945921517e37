"""How probable it is that a predicted ground track passes near a place, and when; for many places at once.

The track is a course of vertices with the standard deviations of its cross-track and along-track errors, so a
place at the distance c from the mean track is passed within w of it with the probability

    P = [Phi((w - c) / s) - Phi((-w - c) / s)] * Phi((v - a) / s_end) * Phi((v - b) / s_start),  v = sqrt(w^2 - c^2)

where s is the cross-track sigma abeam of the place, a and b say how far the place lies beyond the end of the course
and behind its start (negative when it lies abeam of it), and v is 0 for c > w. Distances are chords between points on
the ellipsoid: 8 m short of the geodesic at 200 km, and equally sound at the poles and across 180 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from noroshi.geo.frames import geodetic_to_ecef
from noroshi.tracking import GroundTrack
from noroshi.warning.watch import Floats, Ints, Watch

REACH_SIGMAS = 5.0
"""Places further off than the half-width and so many sigmas are not looked at: P is then below 1e-6."""

CHUNK = 16
"""Vertices from one ball, or post, of the coarse search to the next."""

SURELY_BEFORE = 0.99
"""A place whose passage is less sure than this to come before the fall hangs on where the fall is, not on the course."""

MIN_SIGMA_M = 1.0
"""Below this a course would be certain, which no prediction is."""


@dataclass(frozen=True, slots=True)
class Passages:
    """The places near a course, k of them: index into the watch, and what is predicted for each.

    probability; time_ns and sigma_s of the nearest approach; sigma_m across the track there; doubt_m: the same, or the
    error along the track of its end where the place may lie beyond it; along_m: distance along the course from its start
    (negative behind it); foot_m and heading: (k, 3) the abeam point and the direction there.
    """

    place: Ints
    probability: Floats
    time_ns: Ints
    sigma_s: Floats
    sigma_m: Floats
    doubt_m: Floats
    along_m: Floats
    foot_m: Floats
    heading: Floats


def passages(course: GroundTrack, watch: Watch, half_width_m: float | Floats) -> Passages:
    """The watched places that the course may pass within `half_width_m`, with probability, time and sigma.

    course: one track alone, with at least two vertices; half_width_m: one for all, or one per place of the watch.
    """
    vertex_m = geodetic_to_ecef(course.lat_rad, course.lon_rad)
    widest_m = float(np.max(half_width_m, initial=0.0))
    reach_m = widest_m + REACH_SIGMAS * float(course.cross_sigma_m.max())
    place = watch.near(*_balls(vertex_m, reach_m))
    if isinstance(half_width_m, np.ndarray):
        half_width_m = half_width_m[place]
    point_m = watch.point_m[place]
    segment, part, foot_m = _feet(vertex_m, point_m)
    step_m = np.linalg.norm(np.diff(vertex_m, axis=0), axis=1)
    heading = np.diff(vertex_m, axis=0)[segment] / np.maximum(step_m[segment, None], MIN_SIGMA_M)
    length_m = np.concatenate([[0.0], np.cumsum(step_m)])
    offset_m = point_m - foot_m
    beside_m = np.einsum("ij,ij->i", offset_m, heading)
    cross_m = np.sqrt(np.maximum(np.einsum("ij,ij->i", offset_m, offset_m) - beside_m**2, 0.0))
    along_m = length_m[segment] + part * step_m[segment] + beside_m
    sigma_m = np.maximum(_between(course.cross_sigma_m, segment, part), MIN_SIGMA_M)
    probability = ndtr((half_width_m - cross_m) / sigma_m) - ndtr((-half_width_m - cross_m) / sigma_m)
    start_m, end_m = np.maximum(course.along_sigma_m[[0, -1]], MIN_SIGMA_M)
    around_m = np.sqrt(np.maximum(half_width_m**2 - cross_m**2, 0.0))
    before_end = ndtr((length_m[-1] + around_m - along_m) / end_m)
    probability *= before_end * ndtr((along_m + around_m) / start_m)
    step_s = np.diff(course.time_ns)[segment] / 1e9
    return Passages(
        place=place,
        probability=probability,
        time_ns=course.time_ns[segment] + np.rint(part * step_s * 1e9).astype(np.int64),
        sigma_s=_between(course.time_sigma_s, segment, part),
        sigma_m=sigma_m,
        doubt_m=np.where(before_end < SURELY_BEFORE, np.maximum(sigma_m, end_m), sigma_m),
        along_m=along_m,
        foot_m=foot_m,
        heading=heading,
    )


def _balls(vertex_m: Floats, reach_m: float) -> tuple[Floats, Floats]:
    """Balls that together hold all points within `reach_m` of the course: centres (k, 3) and radii (k,)."""
    chunks = [vertex_m[i : i + CHUNK + 1] for i in range(0, max(len(vertex_m) - 1, 1), CHUNK)]
    centre = np.array([chunk.mean(axis=0) for chunk in chunks])
    radius = [float(np.linalg.norm(c - m, axis=1).max()) for c, m in zip(chunks, centre, strict=True)]
    return centre, np.array(radius) + reach_m


def _feet(vertex_m: Floats, point_m: Floats) -> tuple[Ints, Floats, Floats]:
    """For each point the nearest segment, the part of it passed at the foot (0 to 1), and the foot itself."""
    last = len(vertex_m) - 2
    nearest = _nearest(vertex_m, point_m)
    segments = np.stack([np.clip(nearest - 1, 0, last), np.clip(nearest, 0, last)])
    start = vertex_m[segments]
    along = vertex_m[segments + 1] - start
    length2 = np.einsum("sij,sij->si", along, along)
    part = np.clip(np.einsum("sij,sij->si", point_m - start, along) / np.maximum(length2, 1.0), 0.0, 1.0)
    foot = start + part[..., None] * along
    gap = np.einsum("sij,sij->si", point_m - foot, point_m - foot)
    choice = np.argmin(gap, axis=0)
    rows = np.arange(len(point_m))
    return segments[choice, rows].astype(np.int64), part[choice, rows], foot[choice, rows]


def _nearest(vertex_m: Floats, point_m: Floats) -> Ints:
    """Index of the vertex nearest to each point: that of every `CHUNK`th first, then those around it."""
    posts = np.arange(0, len(vertex_m) + CHUNK - 1, CHUNK).clip(max=len(vertex_m) - 1)
    post = _closest(vertex_m[posts], point_m)
    nearest = np.zeros(len(point_m), np.int64)
    for i, middle in enumerate(posts):
        rows = np.flatnonzero(post == i)
        first = max(int(middle) - CHUNK, 0)
        nearest[rows] = first + _closest(vertex_m[first : middle + CHUNK + 1], point_m[rows])
    return nearest


def _closest(vertex_m: Floats, point_m: Floats) -> Ints:
    square = np.einsum("ij,ij->i", vertex_m, vertex_m)
    return np.asarray(np.argmin(square - 2.0 * (point_m @ vertex_m.T), axis=1), np.int64)


def _between(column: Floats, segment: Ints, part: Floats) -> Floats:
    return column[segment] * (1.0 - part) + column[segment + 1] * part
