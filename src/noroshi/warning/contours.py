"""Lines of equal probability around a prediction, as polygons: for the map, and for whoever wants to see how sure it is.

A contour of passing is where the probability that the object passes within the half-width comes down to a level: at
every vertex of the course the distance c from the mean track is solved for at which

    Phi((w - c) / s) - Phi((-w - c) / s) = level

(see `passing`), and there is none where the course is so unsure that even its middle stays below the level. Beyond the
predicted fall it reaches as far as the along-track error lets it. A contour of a fall is another thing: the area that
holds that share of the falls. Both are sound across 180 degrees and at the poles.

    for one in contours(course, fall, rules):
        one.kind, one.level, one.rings           # 'pass', 0.5, ([[latitude_rad, longitude_rad], ...],)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from noroshi.geo import AreaError, destination, inverse
from noroshi.messages.bodies import Ring
from noroshi.tracking import GroundTrack
from noroshi.warning.drafting import MAX_HALF_WIDTH_M, corridor_around, ellipse_rings
from noroshi.warning.falling import Fall
from noroshi.warning.rules import Kind, WarningRules
from noroshi.warning.watch import Floats, Ints

LEVELS = (0.1, 0.5, 0.9)
"""Drawn where nothing else is asked for: unlikely, even, all but certain."""

HALVINGS = 40
"""Of the interval in which a contour's distance lies: from 10,000 km to a tenth of a millimetre."""

LEAST_M = 100.0
"""A contour that is narrower than this is none: it would be a line on any map."""

MIN_SIGMA_M = 1.0


@dataclass(frozen=True, slots=True)
class Contour:
    """One level of one kind. rings: closed, corners of latitude and longitude in rad; split at 180 degrees."""

    kind: Kind
    level: float
    rings: tuple[Ring, ...]


def contours(
    course: GroundTrack | None, fall: Fall | None, rules: WarningRules, levels: Iterable[float] = LEVELS
) -> tuple[Contour, ...]:
    """The contours of one track's course (at least two vertices, or None) and of its fall, at levels within (0, 1).

    A level that is reached nowhere, or a fall too vague to draw, has none.
    """
    found, asked = [], tuple(levels)
    if course is not None:
        wide = beside_m(rules.pass_half_width_m, course.cross_sigma_m, np.array(asked)[:, None])
    for number, level in enumerate(asked):
        if course is not None and (rings := _passing(course, rules.pass_half_width_m, level, wide[number])):
            found.append(Contour("pass", level, rings))
        if fall is not None and (rings := _falling(fall, level)):
            found.append(Contour("fall", level, rings))
    return tuple(found)


def beside_m(half_width_m: float, sigma_m: Floats, level: float | Floats) -> Floats:
    """How far beside the mean track the probability of passing within the half-width is `level`; NaN where nowhere.

    level: one, or a column (k, 1), for each of which there is then a row of the answer.
    """
    level, sigma = np.broadcast_arrays(level, np.maximum(sigma_m, MIN_SIGMA_M))
    low, high = np.zeros(sigma.shape), half_width_m + 9.0 * sigma
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        inside = _within(half_width_m, middle, sigma) >= level
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return np.where(_within(half_width_m, np.zeros(sigma.shape), sigma) >= level, low, np.nan)


def _within(half_width_m: float, beside: Floats, sigma: Floats) -> Floats:
    return np.asarray(ndtr((half_width_m - beside) / sigma) - ndtr((-half_width_m - beside) / sigma))


def _passing(course: GroundTrack, half_width_m: float, level: float, wide: Floats) -> tuple[Ring, ...]:
    """wide: how far beside each vertex the level is reached."""
    drawn = np.flatnonzero(np.nan_to_num(wide) >= LEAST_M)
    if not len(drawn):
        return ()
    rings: list[Ring] = []
    for rows in np.split(drawn, np.flatnonzero(np.diff(drawn) > 1) + 1):
        lat, lon, width = course.lat_rad[rows], course.lon_rad[rows], wide[rows]
        if rows[-1] == len(wide) - 1:
            end_m = half_width_m - float(ndtri(level)) * max(float(course.along_sigma_m[-1]), MIN_SIGMA_M)
            lat, lon, width = _ended(lat, lon, width, end_m - float(width[-1]))
        if len(lat):
            rings += corridor_around(lat, lon, np.minimum(width, MAX_HALF_WIDTH_M))
    return tuple(rings)


def _ended(lat: Floats, lon: Floats, width: Floats, by_m: float) -> tuple[Floats, Floats, Floats]:
    """A line of at least one vertex made longer by `by_m`, or shorter where that is negative."""
    if len(lat) < 2:
        return lat, lon, width
    step_m, azimuth, back = inverse(lat[:-1], lon[:-1], lat[1:], lon[1:])
    if by_m >= 0.0:
        at, last = len(lat) - 1, float(back[-1] + np.pi)
        end = destination(lat[at : at + 1], lon[at : at + 1], np.array([last]), np.array([by_m]))
        return np.append(lat, end[0]), np.append(lon, end[1]), np.append(width, width[-1])
    along_m = np.concatenate([[0.0], np.cumsum(step_m)])
    stop_m = along_m[-1] + by_m
    if stop_m <= 0.0:
        return lat[:0], lon[:0], width[:0]
    at = int(np.searchsorted(along_m, stop_m)) - 1
    rest = np.array([stop_m - along_m[at]])
    end = destination(lat[at : at + 1], lon[at : at + 1], azimuth[at : at + 1], rest)
    kept: Ints = np.arange(at + 1)
    wide = np.interp(stop_m, along_m, width)
    return np.append(lat[kept], end[0]), np.append(lon[kept], end[1]), np.append(width[kept], wide)


def _falling(fall: Fall, level: float) -> tuple[Ring, ...]:
    try:
        return ellipse_rings(fall.latitude_rad, fall.longitude_rad, fall.covariance[:2, :2], level)
    except AreaError:
        return ()
