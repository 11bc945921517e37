"""One object is one track: through a long powered ascent, and where two fly so close that their rows can be mixed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from noroshi.tracking import Tracker, propagate
from tests.tracking.honesty import RADARS
from tests.tracking.pulls import ascent, rows_of
from tests.tracking.scenes import case
from tests.tracking.test_tracker import SENSORS, seen

FLIGHT = propagate(case().arc.state, [120.0])[0, 0]


@pytest.mark.slow
def test_power_that_lasts_far_above_the_air_makes_no_second_track() -> None:
    counts = []
    for seed, (burn_s, pull_mps2, growth, lean_deg) in enumerate(
        ((160.0, 28.0, 0.14, 60.0), (120.0, 30.0, 0.2, 50.0), (160.0, 25.0, 0.16, 55.0))
    ):
        times_s, states = ascent(burn_s, pull_mps2, growth, lean_deg)
        which = np.arange(len(times_s)) % len(RADARS)
        made = rows_of(times_s, which, states, seed)
        kept = np.flatnonzero((np.random.default_rng(seed).random(len(made)) < 0.9) & (times_s > 40))
        tracker = Tracker(SENSORS)
        for k in kept.tolist():
            tracker.add(made[k : k + 1], int(which[k]))
        counts.append(int(tracker.tracks.confirmed.sum()))
    assert counts == [1, 1, 1]


def test_rows_of_two_that_fly_close_are_no_third() -> None:
    ahead = FLIGHT[3:6] / math.sqrt(float(FLIGHT[3:6] @ FLIGHT[3:6])) * 2e3
    both = np.stack((FLIGHT, FLIGHT + np.concatenate((ahead, np.zeros(3)))))
    times_s = np.arange(0.0, 14.0, 1 / 3)
    paths, reasons = propagate(both, times_s), []
    for seed in (10, 12, 26):
        rng, tracker = np.random.default_rng(seed), Tracker(SENSORS)
        for k, time_s in enumerate(times_s.tolist()):
            there = rng.random(2) < 0.9
            if there.any():
                tracker.add(seen(SENSORS[k % 3], paths[there, k], time_s, rng), k % 3)
        table = tracker.tracks
        assert int(table.confirmed.sum()) == 2
        reasons += [reason for reason in table.reason if reason]
    assert set(reasons) == {"double"}  # there were such, and they do not count
