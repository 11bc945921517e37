"""Notional flights with an acceleration besides free fall, for the tests of phases and launches: rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from noroshi.geo.frames import ecef_to_geodetic, enu_rotation, geodetic_to_ecef
from noroshi.tracking import Measurements, TrackFilter, propagate, radar_measurements
from noroshi.tracking.kernels.motion import acceleration
from tests.tracking.honesty import EPOCH_NS, LAUNCH_RAD, RADARS, SITES, Case, Floats, build, look, squared

BETA_KGM2 = 5000.0
STEP_S = 0.1

Pull = Callable[[float, Floats], Floats]


def flown(start: Floats, times_s: Floats, pull: Pull) -> Floats:
    """States (k, 6) at ascending times under free fall and `pull(time, state)` m/s^2; fourth-order Runge-Kutta."""

    def slope(t: float, s: Floats) -> Floats:
        return np.concatenate(
            (s[3:], np.asarray(acceleration(s[0], s[1], s[2], s[3], s[4], s[5], 1 / BETA_KGM2)) + pull(t, s))
        )

    states = [np.array(start)]
    for a, b in pairwise(times_s):
        state, count = states[-1], max(1, round((b - a) / STEP_S))
        h = (b - a) / count
        for i in range(count):
            t = a + i * h
            k1 = slope(t, state)
            k2 = slope(t + h / 2, state + h / 2 * k1)
            k3 = slope(t + h / 2, state + h / 2 * k2)
            state = state + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(t + h * 0.999, state + h * k3))
        states.append(state)
    return np.array(states)


@cache
def ascent(burn_s: float, pull_mps2: float, growth: float, lean_deg: float) -> tuple[Floats, Floats]:
    """Times from rest, one row of a radar each, and true states (k, 6): up, leaning over, free after `burn_s`.

    The acceleration grows by `growth` m/s^2 a second. Times end 60 s after the burn.
    """
    rotation = np.asarray(enu_rotation(*LAUNCH_RAD)).reshape(3, 3)
    start = np.concatenate((geodetic_to_ecef(*LAUNCH_RAD).reshape(3), np.zeros(3)))
    azimuth = math.radians(70)

    def pull(t: float, state: Floats) -> Floats:
        if t >= burn_s:
            return np.zeros(3)
        lean = math.radians(lean_deg) * min(1.0, max(0.0, (t - 8) / (0.6 * burn_s)))
        ahead = np.array([math.sin(azimuth), math.cos(azimuth), 0.0]) * math.sin(lean)
        up = np.array([0.0, 0.0, math.cos(lean)])
        thrust: Floats = (pull_mps2 + growth * t) * (rotation.T @ (ahead + up))
        return thrust

    times = np.append(np.arange(0.0, burn_s + 60.0, 1 / 3), burn_s)
    times.sort()
    return times, flown(start, times, pull)


def rows_of(times_s: Floats, radar: NDArray[np.int64], truth: Floats, seed: int) -> Measurements:
    """One noisy row of radar `radar[k]` for each true state."""
    rng = np.random.default_rng(seed)
    value, sigma = np.zeros((len(truth), 3)), np.zeros((len(truth), 3))
    for i, (_, _, distance, angle, _) in enumerate(RADARS):
        of = radar == i
        value[of], sigma[of] = look(truth[of, :3], i), (distance, angle, angle)
    value += rng.standard_normal(value.shape) * sigma
    return radar_measurements(EPOCH_NS + np.rint(times_s * 1e9).astype(np.int64), SITES[radar], value, sigma)


def seen_ascent(
    burn_s: float, seed: int, *, lowest_m: float, growth: float = 0.2
) -> tuple[Measurements, Floats, Floats]:
    """Rows of the ascent from above a height on, their times and true states; every third row is of the same radar."""
    times, truth = ascent(burn_s, 25.0, growth, 50.0)
    radar = np.arange(len(times)) % 3
    seen = ecef_to_geodetic(truth[:, :3])[2] > lowest_m
    for i in range(3):
        seen &= (radar != i) | (look(truth[:, :3], i)[:, 2] > math.radians(1))
    return rows_of(times[seen], radar[seen], truth[seen], seed), times[seen], truth[seen]


@cache
def pulled(pull_mps2: float, begin_s: float, end_s: float) -> tuple[Case, Floats]:
    """The first 230 s of the 2,700 km arc with a sideways pull between two times after the first detection."""
    case = build("a2700", 230.0)
    first = case.time_s[0]

    def pull(t: float, state: Floats) -> Floats:
        if not begin_s <= t - first < end_s:
            return np.zeros(3)
        aside = np.cross(state[3:], state[:3])
        turned: Floats = pull_mps2 * aside / np.linalg.norm(aside)
        return turned

    return case, flown(propagate(case.arc.state, [first])[0, 0], case.time_s, pull)


def nees_of(track: TrackFilter, state: Floats) -> float:
    """Normalised error squared of a track's position and velocity."""
    tracks = track.tracks
    return float(squared(tracks.mean[:, :6] - state, tracks.covariance[:, :6, :6])[0])
