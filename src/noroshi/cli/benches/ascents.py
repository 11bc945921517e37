"""Notional powered ascents under the three notional radars, played through `TrackFilter`, for `accuracy` and `honesty`.

An acceleration of 25 to 60 m/s^2 for 60 to 170 s, of which the filter knows nothing, then free fall with unknown drag.
The rows begin at 15 km; the clock is zero when the power ends, which is when the first free-flight detection can be.

    flights = draw(60, seed=1)
    for mark in play(flights):
        nees(mark), fall_errors(mark)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np

from noroshi.cli.benches import arcs
from noroshi.cli.benches.arcs import EPOCH_NS, LAUNCH_RAD, RADARS, Case, Floats, Mark
from noroshi.cli.benches.bound import state_bounds
from noroshi.geo.frames import ecef_to_geodetic, enu_rotation, geodetic_to_ecef
from noroshi.tracking import (
    Arc,
    Measurements,
    TrackFilter,
    concatenate_tracks,
    free_fall_arc,
    propagate,
    radar_measurements,
)
from noroshi.tracking.dynamics import fly
from noroshi.tracking.filtering import BETA_RANGE_KGM2
from noroshi.tracking.kernels.motion import acceleration

PULL_MPS2, BURN_S = (25.0, 60.0), (60.0, 170.0)
GAIN_MPS = (3000.0, 7500.0)
"""Acceleration times duration, from a few hundred kilometres of range to several thousand."""
LEAN_RAD = (math.radians(30.0), math.radians(60.0))
"""Largest angle between the acceleration and the vertical."""
UPRIGHT_S = 8.0
AZIMUTH_RAD = (math.radians(40.0), math.radians(110.0))
SEEN_ABOVE_M, SEEN_ELEVATION_RAD = 15e3, math.radians(1.0)
"""Lower than the free-fall arcs ask for, so that most of the ascent is seen."""
EVERY_S = 1 / 3
MARKS_S = (-20.0, -5.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Seconds after the power ends at which all is measured."""
RUNS, QUICK_RUNS = 60, 15


@dataclass(frozen=True)
class Ascent:
    """One flight: its rows, their times s after the power ended, the true states (k, 6), the true fall point (3,), ECEF
    m, and its time s after that; case: what was seen of it in free fall, for the bound.
    """

    rows: Measurements
    after_s: Floats
    truth: Floats
    fall: Floats
    fall_s: float
    case: Case

    def seen_by(self, after_s: float) -> int:
        """How many rows there are up to that time."""
        return int(np.searchsorted(self.after_s, after_s, "right"))

    def seen_at(self, after_s: float) -> bool:
        """Whether there is a row near enough before that time."""
        count = self.seen_by(after_s)
        return count > 0 and after_s - float(self.after_s[count - 1]) < arcs.SAME_MARK_S


def draw(runs: int, seed: int) -> list[Ascent]:
    """So many ascents, all about them drawn at random; those not seen at every mark are left out."""
    rng, found = np.random.default_rng([seed, 7]), list[Ascent]()
    while len(found) < runs:
        pull, burn_s = sorted(rng.uniform(*PULL_MPS2, 2)), float(rng.uniform(*BURN_S))
        if GAIN_MPS[0] < sum(pull) / 2 * burn_s < GAIN_MPS[1]:
            one = _drawn(rng, pull, burn_s)
            if all(one.seen_at(mark) for mark in MARKS_S):
                found.append(one)
    return found


def _drawn(rng: np.random.Generator, pull: list[float], burn_s: float) -> Ascent:
    """One ascent with these accelerations, at first and at last."""
    before = np.append(np.arange(0.0, burn_s, EVERY_S), burn_s)
    climb = climbed(before, pull, float(rng.uniform(*LEAN_RAD)), float(rng.uniform(*AZIMUTH_RAD)))
    beta = math.exp(rng.uniform(*np.log(BETA_RANGE_KGM2)))
    after = np.arange(len(before) - 1, (burn_s + MARKS_S[-1]) / EVERY_S) * EVERY_S - burn_s
    truth = np.concatenate((climb[:-1], propagate(climb[-1], after, beta)[0]))
    time_s = np.concatenate((before[:-1] - burn_s, after))
    radar = np.arange(len(time_s)) % len(RADARS)
    value, sigma = np.zeros((len(truth), 3)), np.zeros((len(truth), 3))
    seen = ecef_to_geodetic(truth[:, :3])[2] > SEEN_ABOVE_M
    for i in range(len(RADARS)):
        of = radar == i
        value[of], sigma[of] = arcs.look(truth[of, :3], i), arcs.sigmas(i)
        seen[of] &= (value[of, 2] > SEEN_ELEVATION_RAD) & (value[of, 0] < arcs.MAX_RANGE_M)
    value += rng.standard_normal(value.shape) * sigma
    site = np.array([arcs.site_m(i) for i in range(len(RADARS))])[radar]
    time_ns = EPOCH_NS + np.rint((time_s + burn_s) * 1e9).astype(np.int64)
    rows = radar_measurements(time_ns[seen], site[seen], value[seen], sigma[seen])
    down, free = fly(climb[-1], beta)[0], seen & (time_s >= 0)
    case = Case(replace(_any_arc(), state=climb[-1]), time_s[free], radar[free])
    return Ascent(rows, time_s[seen], truth[seen], down[:3], float(down[3]), case)


@cache
def _any_arc() -> Arc:
    """An arc whose state is replaced by that at the end of the power; nothing else of it is used."""
    return free_fall_arc(*LAUNCH_RAD, 1.0, 1e6, 3e5)


def climbed(times_s: Floats, pull: list[float], lean_rad: float, azimuth_rad: float) -> Floats:
    """True states (k, 6) under power from rest at the surface: up, then leaning over; fourth-order Runge-Kutta.

    The acceleration grows evenly from the first pull to the second, m/s^2.
    """
    turn = np.asarray(enu_rotation(*LAUNCH_RAD)).reshape(3, 3)
    ahead = turn.T @ np.array([math.sin(azimuth_rad), math.cos(azimuth_rad), 0.0])
    up, end_s = turn[2], times_s[-1]

    def slope(t: float, state: Floats) -> Floats:
        lean = lean_rad * min(1.0, max(0.0, (t - UPRIGHT_S) / (0.6 * end_s)))
        size = pull[0] + (pull[1] - pull[0]) * t / end_s
        pulled = size * (math.cos(lean) * up + math.sin(lean) * ahead)
        x, y, z, u, v, w = state
        return np.concatenate((state[3:], np.array(acceleration(x, y, z, u, v, w, 0.0)) + pulled))

    states = [np.concatenate((geodetic_to_ecef(*LAUNCH_RAD).reshape(3), np.zeros(3)))]
    for a, b in pairwise(times_s):
        h, s = b - a, states[-1]
        k1 = slope(a, s)
        k2 = slope(a + h / 2, s + h / 2 * k1)
        k3 = slope(a + h / 2, s + h / 2 * k2)
        states.append(s + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(b, s + h * k3)))
    return np.array(states)


def play(flights: list[Ascent]) -> list[Mark]:
    """Each flight row by row; all of them at every mark. A mark's row is no index here."""
    filters, found, before = [TrackFilter() for _ in flights], list[Mark](), -math.inf
    for after_s in MARKS_S:
        last = [one.seen_by(after_s) - 1 for one in flights]
        for track, one, k in zip(filters, flights, last, strict=True):
            for row in range(one.seen_by(before), k + 1):
                track.add(one.rows[row : row + 1])
        found.append(
            Mark(
                after_s,
                0,
                concatenate_tracks([track.tracks for track in filters]),
                np.array([one.truth[k] for one, k in zip(flights, last, strict=True)]),
                np.array([one.fall for one in flights]),
                np.array([one.fall_s - one.after_s[k] for one, k in zip(flights, last, strict=True)]),
            )
        )
        before = after_s
    return found


def bounds(flights: list[Ascent], marks_s: Sequence[float]) -> Floats:
    """Bounds (marks, flights, 6, 6) on the errors of a filter that begins with the first row after the power."""
    found = []
    for one in flights:
        rows = [int(np.searchsorted(one.case.time_s, mark, "right")) - 1 for mark in marks_s]
        found.append(state_bounds(one.case, rows))
    return np.moveaxis(np.array(found), 0, 1)
