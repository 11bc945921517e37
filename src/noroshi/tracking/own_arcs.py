"""The arc of one sensor's rows alone: what it says of an object, how surely, and how its own biases would move that.

Rules: rows that do not fall freely, or of which too many lie beside every arc, give none; nothing is guessed.

    arc = own_picture(rows)                     # None, or where the object was in the middle of them
    arc.mean, arc.covariance, arc.slope

Sources: iterated least squares with Huber's weights (Huber 1964); how biases move an estimate: Bar-Shalom, Willett and
Tian 2011, section 9.6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.tracking import kernels
from noroshi.tracking.filtering import LN_BETA_MEAN, LN_BETA_SIGMA, PRIOR
from noroshi.tracking.measurements import RADAR, Measurements
from noroshi.tracking.tracklets import MAX_RADIUS_M, MIN_RADIUS_M, Lines, carried, lines, solved
from noroshi.tracking.tracks import SIZE

Floats = NDArray[np.float64]

KINDS_OF_BIAS = 4
"""What a sensor may be off by in all of its rows: range m, azimuth, elevation rad, clock s."""

MIN_ROWS = 4
"""Rows of one sensor on one object from which an arc can be told from noise."""

MAX_ROWS = 1500
"""Rows of one sensor on one object that are used, evenly spread over them: more than a flight has at 1 Hz, and what a
bias could still hide in after them is far under the noise of a row."""

ROW_LIMIT = 36.0
"""Squared distance of a row from its own sensor's arc beyond which it is no row of this object: six sigma."""

PULL = 3.0
ROBUST_PASSES = 10
LEAST_SHARE = 0.7
"""Of a sensor's rows on an object that must lie near one arc; with fewer it is not told which arc is the object's."""

FIT_SIGMAS = 6.0
"""A sensor's own rows must fit an arc of free fall; where chi-square is so many of its sigmas too large they are from
powered flight, a manoeuvre or another object, and say nothing of the sensor."""

LOOSE = np.array([1e6, 1e6, 1e6, 1e5, 1e5, 1e5])
"""Sigmas (m, m/s) about the arc's own estimate that keep an arc of few rows from being singular; far above any error."""

LED = 0.02
"""Of `LOOSE`, for a sensor without ranges: each step goes some 20 km and 2 km/s, since nothing holds its depth."""

PASSES = 3
"""Times that a fit is repeated about its own result; the second moves it by centimetres."""


@dataclass(frozen=True, eq=False)
class Pair:
    """One sensor's rows on one object, in order of time, and where among the sensors and objects it stands."""

    sensor: int
    object: int
    rows: Measurements


@dataclass(frozen=True, eq=False)
class OwnArc:
    """One sensor's own estimate of an object.

    from_ns, to_ns: its first and last row; at_ns: of the estimate, the middle of the rows; mean (7,), covariance
    (7, 7): of `Tracks`; slope (7, 4): what the mean changes by for each unit of range m, azimuth, elevation rad and
    clock s that the sensor measures more than the truth; rows: those that fit, in order of time.
    """

    from_ns: int
    to_ns: int
    at_ns: int
    mean: Floats
    covariance: Floats
    slope: Floats
    rows: Measurements


def own_picture(rows: Measurements) -> OwnArc | None:
    """The arc of rows of one radar and object, in order of time; None where none fits them, or they are too few."""
    used = rows
    if len(rows) > MAX_ROWS:
        used = rows[np.linspace(0, len(rows) - 1, MAX_ROWS).astype(np.int64)]
    if len(used) < MIN_ROWS or int(used.model[0]) != RADAR:
        return None
    from_ns, to_ns = int(rows.time_ns[0]), int(rows.time_ns[-1])
    at_ns = (from_ns + to_ns) // 2
    mean, kept = own_arc(Pair(0, 0, used), at_ns)
    if mean is None:
        return None
    found = lines(kept.rows, mean, at_ns)
    weighed = found.weight @ found.slope
    information = loose() + np.einsum("mji,mjk->ik", found.slope, weighed)
    cross = np.einsum("mji,mjk->ik", weighed, bias_effect(kept.rows, found))
    covariance, _ = solved(information, np.zeros(SIZE))
    return OwnArc(from_ns, to_ns, at_ns, mean, covariance, covariance @ cross, kept.rows)


def own_arc(pair: Pair, at_ns: int, begin: Floats | None = None) -> tuple[Floats | None, Pair]:
    """The arc at `at_ns` of one sensor's rows alone, and its rows without those far from it; None where none fits.

    begin: where to begin, for a sensor that has no range of its own.
    """
    rows, given = pair.rows, begin
    if begin is None:
        last, covariance = np.zeros(SIZE), np.zeros((SIZE, SIZE))
        none, none3 = np.zeros((0, SIZE)), np.zeros((0, SIZE, SIZE))
        kernels.filter_rows(rows.rows, PRIOR, 0, len(rows), last, covariance, none, none3)
        begin, _ = carried(last, (at_ns - int(rows.time_ns[-1])) / NS_PER_S)
    loosened = 1.0 if given is None else LED
    rough = _fitted(rows, begin, at_ns, loosened, robust=True)
    if rough is None:
        return None, pair
    near = _distances(lines(rows, rough, at_ns)) < ROW_LIMIT
    if near.sum() < max(MIN_ROWS, LEAST_SHARE * len(rows)):
        return None, pair
    rows = rows[near]
    mean = _fitted(rows, rough, at_ns, loosened, robust=False)
    if mean is None:
        return None, pair
    found = lines(rows, mean, at_ns)
    distance = _distances(found)
    free = int((np.einsum("mii->mi", found.weight) > 0).sum()) - SIZE + 1
    if free < 1 or float(distance.sum()) > free + FIT_SIGMAS * np.sqrt(2 * free):
        return None, pair
    return mean, Pair(pair.sensor, pair.object, rows)


def _fitted(rows: Measurements, mean: Floats, at_ns: int, loosened: float, *, robust: bool) -> Floats | None:
    """The arc that these rows fit, by Gauss and Newton; None where it leads away from the Earth.

    robust: rows far from the arc pull only as much as those at `PULL` sigmas (Huber 1964), so that strange ones show.
    """
    for _ in range(ROBUST_PASSES if robust else PASSES):
        found = lines(rows, mean, at_ns)
        share = np.ones(len(rows))
        if robust:
            share = np.minimum(1.0, PULL / np.sqrt(np.maximum(_distances(found), 1e-12)))
        weighed = np.einsum("m,mij,mjk->mik", share, found.weight, found.slope)
        state, vector = loose(loosened), np.einsum("mji,mj->i", weighed, found.residual)
        state += np.einsum("mji,mjk->ik", found.slope, weighed)
        vector[6] += (LN_BETA_MEAN - mean[6]) / LN_BETA_SIGMA**2
        mean = mean + solved(state, vector)[1]
        if not np.isfinite(mean).all() or not MIN_RADIUS_M < float(np.linalg.norm(mean[:3])) < MAX_RADIUS_M:
            return None
    return mean


def _distances(found: Lines) -> Floats:
    """Squared distance of each row from its arc."""
    result: Floats = np.einsum("mi,mij,mj->m", found.residual, found.weight, found.residual)
    return result


def loose(share: float = 1.0) -> Floats:
    return np.diag(np.append(1 / (share * LOOSE) ** 2, 1 / LN_BETA_SIGMA**2))


def bias_effect(rows: Measurements, found: Lines) -> Floats:
    """What a unit of each bias adds to each residual, (m, 4, 4); a late stamp compares with where it is later."""
    effect = np.zeros((len(rows), 4, KINDS_OF_BIAS))
    for axis in range(3):
        effect[rows.sigma[:, axis] > 0, axis, axis] = 1.0
    effect[:, :, 3] = -found.drift
    return effect
