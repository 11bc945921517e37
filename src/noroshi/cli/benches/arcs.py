"""Six free-fall arcs under three notional radars, played many times at once, for `accuracy`, `honesty` and `fall`.

Ranges and apogees are rounded public figures or plainly notional; the radars are notional. Tracking begins with the
first detection above 100 km, from noroshi's own first row, and ends when the object is back there. Every arc draws its
own noise, so that falls pooled over arcs are independent.

    for mark in play("a2700", 500, seed=1, drag=True):
        state_errors(mark), fall_errors(mark)
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from noroshi.geo.frames import ecef_to_geodetic, geodetic_to_ecef, look_angles
from noroshi.geo.geodesic import inverse
from noroshi.tracking import (
    Arc,
    Measurements,
    Tracks,
    free_fall_arc,
    initiate,
    no_tracks,
    predict_falls,
    propagate,
    radar_measurements,
    update,
)
from noroshi.tracking.dynamics import fly
from noroshi.tracking.filtering import BETA_RANGE_KGM2

Floats = NDArray[np.float64]

LAUNCH_RAD = (math.radians(39.2), math.radians(125.7))
ARCS = {  # range km, apogee km, azimuth deg; the last four are rounded public figures, the first two notional
    "a500": (500, 150, 85),
    "a1000": (1000, 250, 85),
    "a2700": (2700, 550, 70),
    "a3700": (3700, 800, 70),
    "a4600": (4600, 1000, 70),
    "lofted": (1090, 6200, 75),
}
RADARS = (  # notional: latitude, longitude deg, sigma of range m, of both angles rad, phase s
    (37.0, 127.5, 40.0, 1.0e-3, 0.00),
    (41.0, 140.0, 20.0, 0.7e-3, 0.33),
    (35.5, 135.5, 60.0, 1.5e-3, 0.66),
)
MARKS_S = (2, 5, 10, 20, 40, 60, 90, 120, 180, 300)
"""Seconds after the first free-flight detection at which all is measured."""
SAME_MARK_S = 2.0
"""A mark that has no row so near to it is left out: the object was back at 100 km before."""
EPOCH_NS = 1_900_000_000_000_000_000
LOWEST_M, MAX_RANGE_M, MIN_ELEVATION_RAD = 100e3, 3.0e6, math.radians(3.0)


@dataclass(frozen=True)
class Case:
    """An arc and the radars' schedule on it: times s after launch, radar index of each row."""

    arc: Arc
    time_s: Floats
    radar: NDArray[np.int64]


def site_m(radar: int) -> Floats:
    """Where the radar stands, ECEF m (3,)."""
    found: Floats = geodetic_to_ecef(*np.radians(RADARS[radar][:2]))[0]
    return found


def look(position: Floats, radar: int) -> Floats:
    """Range, azimuth, elevation (n, 3) of positions (n, 3) as the radar sees them without noise."""
    return np.column_stack(look_angles(position, *np.radians(RADARS[radar][:2])))


def sigmas(radar: int) -> Floats:
    """The radar's standard deviations: range m, azimuth, elevation rad."""
    return np.array([RADARS[radar][2], RADARS[radar][3], RADARS[radar][3]])


@cache
def build(name: str, window_s: float, radars: tuple[int, ...] = (0, 1, 2), every_s: float = 1.0) -> Case:
    """The schedule of one arc from the first detection on, with these radars, each measuring every so many seconds."""
    range_km, apogee_km, azimuth = ARCS[name]
    arc = free_fall_arc(*LAUNCH_RAD, math.radians(azimuth), range_km * 1e3, apogee_km * 1e3)
    looks = int(arc.flight_time_s / every_s)
    times = sorted(((k + RADARS[i][4]) * every_s, i) for i in radars for k in range(looks))
    time_s, radar = np.array([t for t, _ in times]), np.array([i for _, i in times])
    states = propagate(arc.state, time_s)[0]
    seen = ecef_to_geodetic(states[:, :3])[2] > LOWEST_M
    for i in radars:
        z = look(states[:, :3], i)
        seen &= (radar != i) | ((z[:, 2] > MIN_ELEVATION_RAD) & (z[:, 0] < MAX_RANGE_M))
    seen &= time_s <= time_s[seen][0] + window_s
    return Case(arc, time_s[seen], radar[seen])


def detections(case: Case, truth: Floats, k: int, rng: np.random.Generator) -> Measurements:
    """One noisy row per run (truth (runs, 6)) at instant k."""
    sigma = sigmas(int(case.radar[k]))
    value = look(truth[:, :3], int(case.radar[k])) + rng.standard_normal((len(truth), 3)) * sigma
    time_ns = EPOCH_NS + round(case.time_s[k] * 1e9)
    return radar_measurements(np.full(len(truth), time_ns), site_m(int(case.radar[k])), value, sigma)


@dataclass(frozen=True)
class Mark:
    """All runs of one arc at one time.

    after_s: seconds after the first row as asked for, 0 for the first update; row: index into the schedule;
    truth (runs, 6); fall (runs, 3): true fall point, ECEF m; left_s (runs,): true seconds to it.
    """

    after_s: float
    row: int
    tracks: Tracks
    truth: Floats
    fall: Floats
    left_s: Floats


def rows_of_marks(case: Case, marks_s: tuple[float, ...]) -> dict[int, float]:
    """The last row at or before each mark; mark 0 is the first update, the second row."""
    after = case.time_s - case.time_s[0]
    found: dict[int, float] = {}
    for mark in marks_s:
        row = int(np.searchsorted(after, mark + 1e-6, "right")) - 1 if mark > 0 else 1
        if row >= 1 and (mark == 0 or mark - after[row] < SAME_MARK_S):
            found.setdefault(row, mark)
    return found


def play(
    name: str,
    runs: int,
    seed: int,
    marks_s: tuple[float, ...] = MARKS_S,
    *,
    drag: bool = True,
    case: Case | None = None,
    keep: list[Measurements] | None = None,
) -> list[Mark]:
    """Runs one arc `runs` times at once; the tracks at every mark beside the truth.

    drag: whether the truth has a coefficient, log-uniform within `BETA_RANGE_KGM2`, or none. keep: takes the rows, one
    column of runs per instant.
    """
    case = case if case is not None else build(name, float(max(marks_s)))
    rng = np.random.default_rng([seed, list(ARCS).index(name), int(drag)])
    low, high = BETA_RANGE_KGM2
    beta = np.exp(rng.uniform(math.log(low), math.log(high), runs)) if drag else None
    start = np.tile(case.arc.state, (runs, 1))
    truth = propagate(start, case.time_s, beta)
    down = fly(start, beta)
    wanted = rows_of_marks(case, marks_s)
    found = []
    tracks = no_tracks()
    for k in range(max(wanted) + 1):
        rows = detections(case, truth[:, k], k, rng)
        tracks = update(tracks, rows, np.arange(runs)) if k else initiate(rows)
        if keep is not None:
            keep.append(rows)
        if k in wanted:
            left_s = down[:, 3] - case.time_s[k]
            found.append(Mark(wanted[k], k, tracks, truth[:, k], down[:, :3], left_s))
    return found


def squared(error: Floats, cov: Floats) -> Floats:
    """Normalised error squared (n,) of errors (n, k) with covariances (n, k, k)."""
    found: Floats = np.einsum("ni,ni->n", error, np.linalg.solve(cov, error[..., None])[..., 0])
    return found


def nees(mark: Mark) -> Floats:
    """Normalised error squared of position and velocity (runs,), 6 degrees of freedom."""
    return squared(mark.tracks.mean[:, :6] - mark.truth, mark.tracks.covariance[:, :6, :6])


def rmse(error: Floats) -> float:
    """Root of the mean squared length of errors (n,) or (n, k)."""
    return math.sqrt(float(np.mean(np.sum(error.reshape(len(error), -1) ** 2, axis=1))))


@dataclass(frozen=True)
class FallErrors:
    """Of the runs with a valid fall: share of them, distance m, time s, normalised errors squared.

    nees: east, north and time, 3 degrees of freedom; nees_place: east and north, 2; nees_time: 1.
    """

    valid: float
    distance_m: Floats
    time_s: Floats
    nees: Floats
    nees_place: Floats
    nees_time: Floats


def fall_errors(mark: Mark) -> FallErrors:
    """Errors of the predicted falls of all runs at a mark."""
    falls = predict_falls(mark.tracks)
    ok = falls.valid
    true_lat, true_lon, _ = ecef_to_geodetic(mark.fall[ok])
    distance, azimuth, _ = inverse(falls.lat_rad[ok], falls.lon_rad[ok], true_lat, true_lon)
    late = mark.left_s[ok] - (falls.time_ns[ok] - mark.tracks.time_ns[ok]) / 1e9
    error = np.column_stack((distance * np.sin(azimuth), distance * np.cos(azimuth), late))
    cov = falls.covariance[ok]
    flat = squared(error[:, :2], np.ascontiguousarray(cov[:, :2, :2]))
    return FallErrors(float(ok.mean()), distance, late, squared(error, cov), flat, late**2 / cov[:, 2, 2])
