"""Monte Carlo measurement of the filter's honesty and of the predicted fall; the manual's table is made with it.

    python -m tests.tracking.honesty --runs 500 [--no-drag] [--arcs a500,a2700]

Six arcs with public or notional range and apogee, three notional radars at 1 Hz, staggered. Tracking starts with the
first detection above 100 km, from the filter's own initiation. Truth draws its ballistic coefficient log-uniformly.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from noroshi.geo.frames import ecef_to_geodetic, geodetic_to_ecef, look_angles
from noroshi.geo.geodesic import inverse
from noroshi.tracking import (
    Arc,
    Measurements,
    Tracks,
    free_fall_arc,
    initiate,
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
MARKS_S = (0, 1, 2, 5, 10, 20, 40, 60, 120)
EPOCH_NS = 1_900_000_000_000_000_000
LOWEST_M, MAX_RANGE_M, MIN_ELEVATION_RAD = 100e3, 3.0e6, math.radians(3.0)


@dataclass(frozen=True)
class Case:
    """An arc and the radars' schedule on it: times s after launch, radar index, true states without drag."""

    arc: Arc
    time_s: Floats
    radar: NDArray[np.int64]


SITES = geodetic_to_ecef(np.radians([r[0] for r in RADARS]), np.radians([r[1] for r in RADARS]))


def look(position: Floats, radar: int) -> Floats:
    """Range, azimuth, elevation (n, 3) of positions (n, 3) as the radar sees them without noise."""
    return np.column_stack(look_angles(position, *np.radians(RADARS[radar][:2])))


def build(name: str, window_s: float) -> Case:
    """The schedule of one arc from the first detection on."""
    range_km, apogee_km, azimuth = ARCS[name]
    arc = free_fall_arc(*LAUNCH_RAD, math.radians(azimuth), range_km * 1e3, apogee_km * 1e3)
    times = [(k + radar[4], i) for i, radar in enumerate(RADARS) for k in range(int(arc.flight_time_s))]
    time_s, radar = np.array([t for t, _ in sorted(times)]), np.array([i for _, i in sorted(times)])
    states = propagate(arc.state, time_s)[0]
    seen = ecef_to_geodetic(states[:, :3])[2] > LOWEST_M
    for i in range(len(RADARS)):
        z = look(states[:, :3], i)
        seen &= (radar != i) | ((z[:, 2] > MIN_ELEVATION_RAD) & (z[:, 0] < MAX_RANGE_M))
    seen &= time_s <= time_s[seen][0] + window_s
    return Case(arc, time_s[seen], radar[seen])


def detections(case: Case, truth: Floats, k: int, rng: np.random.Generator) -> Measurements:
    """One noisy row per run (truth (runs, 6)) at instant k."""
    _, _, s_range, s_angle, _ = RADARS[case.radar[k]]
    sigma = np.array([s_range, s_angle, s_angle])
    value = look(truth[:, :3], int(case.radar[k])) + rng.standard_normal((len(truth), 3)) * sigma
    time_ns = EPOCH_NS + round(case.time_s[k] * 1e9)
    return radar_measurements(np.full(len(truth), time_ns), SITES[case.radar[k]], value, sigma)


@dataclass(frozen=True)
class Mark:
    """All runs at one time after the first detection."""

    after_s: float
    tracks: Tracks
    truth: Floats
    fall: Floats
    left_s: Floats


def play(
    name: str, runs: int, seed: int, marks_s: tuple[int, ...] = MARKS_S, *, drag: bool = True
) -> list[Mark]:
    """Runs one arc; the tracks at every mark with the true state, true fall point (ECEF) and seconds to it."""
    case = build(name, max(marks_s))
    rng = np.random.default_rng(seed)
    low, high = BETA_RANGE_KGM2
    beta = np.exp(rng.uniform(math.log(low), math.log(high), runs)) if drag else None
    start = np.tile(case.arc.state, (runs, 1))
    truth = propagate(start, case.time_s, beta)
    down = fly(start, beta)
    tracks = initiate(detections(case, truth[:, 0], 0, rng))
    keep = {int(np.searchsorted(case.time_s, case.time_s[0] + m + 1e-6, "right") - 1) for m in marks_s}
    found = []
    for k in range(len(case.time_s)):
        if k:
            tracks = update(tracks, detections(case, truth[:, k], k, rng), np.arange(runs))
        if k in keep:
            after = case.time_s[k] - case.time_s[0]
            found.append(Mark(after, tracks, truth[:, k], down[:, :3], down[:, 3] - case.time_s[k]))
    return found


def squared(error: Floats, cov: Floats) -> Floats:
    """Normalised error squared (n,) of errors (n, k) with covariances (n, k, k)."""
    found: Floats = np.einsum("ni,ni->n", error, np.linalg.solve(cov, error[..., None])[..., 0])
    return found


def nees(mark: Mark) -> Floats:
    """Normalised error squared of position and velocity (runs,), 6 degrees of freedom."""
    return squared(mark.tracks.mean[:, :6] - mark.truth, mark.tracks.covariance[:, :6, :6])


@dataclass(frozen=True)
class FallErrors:
    """Of the runs with a valid fall: share of them, distance m, time s, normalised error squared (3 degrees)."""

    valid: float
    distance_m: Floats
    time_s: Floats
    nees: Floats
    nees_place: Floats


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
    return FallErrors(float(ok.mean()), distance, late, squared(error, cov), flat)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arcs", default=",".join(ARCS))
    parser.add_argument("--no-drag", action="store_true")
    given = parser.parse_args()
    bands = [[chi2.ppf(q, n * given.runs) / given.runs for q in (0.025, 0.975)] for n in (6, 3)]
    print(f"{given.runs} runs; 95 % bands: state {bands[0]}, fall {bands[1]}")
    for name in given.arcs.split(","):
        print(
            f"\n{name}\n after s  ANEES  pos m  vel m/s | valid  fANEES  in90  in90place  p50 km  p90 km  p90 s"
        )
        for mark in play(name, given.runs, given.seed, drag=not given.no_drag):
            state = nees(mark)
            error = mark.tracks.mean[:, :6] - mark.truth
            size = [
                math.sqrt(float(np.mean(np.sum(error[:, s] ** 2, 1)))) for s in (slice(0, 3), slice(3, 6))
            ]
            line = f"{mark.after_s:8.2f} {state.mean():6.2f} {size[0]:7.1f} {size[1]:8.2f} |"
            fall = fall_errors(mark)
            line += f" {fall.valid:5.2f}"
            if fall.valid > 0.05:
                line += (
                    f" {fall.nees.mean():6.2f} {np.mean(fall.nees < chi2.ppf(0.9, 3)):6.3f}"
                    f" {np.mean(fall.nees_place < chi2.ppf(0.9, 2)):6.3f}"
                    f" {np.quantile(fall.distance_m, 0.5) / 1e3:9.2f} {np.quantile(fall.distance_m, 0.9) / 1e3:9.2f}"
                    f" {np.quantile(np.abs(fall.time_s), 0.9):7.2f}"
                )
            print(line, flush=True)


if __name__ == "__main__":
    main()
