"""Launches: the arc's own start, what an unseen ascent adds, and an ascent that was seen."""

from __future__ import annotations

import numpy as np
import pytest

from noroshi.geo.geodesic import inverse
from noroshi.tracking import (
    Launches,
    TrackFilter,
    concatenate_tracks,
    initiate,
    predict_launches,
    propagate,
    track_launch,
)
from tests.tracking.honesty import EPOCH_NS, LAUNCH_RAD, Floats, build
from tests.tracking.pulls import rows_of, seen_ascent


def error(launch: Launches) -> Floats:
    """East m, north m, time s from the launch said to the true one, which was at the epoch."""
    assert launch.valid[0]
    distance, azimuth, _ = inverse(launch.lat_rad, launch.lon_rad, *LAUNCH_RAD)
    d, a = float(np.asarray(distance)[0]), float(np.asarray(azimuth)[0])
    return np.array([d * np.sin(a), d * np.cos(a), (EPOCH_NS - int(launch.time_ns[0])) / 1e9])


@pytest.mark.parametrize("name", ["a500", "a4600"])
def test_an_arc_that_starts_at_the_surface_is_traced_to_its_start(name: str) -> None:
    case = build(name, 30.0)
    truth, found = propagate(case.arc.state, case.time_s)[0], []
    for seed in range(15):
        track = TrackFilter()
        track.add(rows_of(case.time_s, case.radar, truth, seed))
        launch = predict_launches(track.tracks)
        miss = error(launch)
        found.append(miss @ np.linalg.solve(launch.arc_covariance[0], miss))
        grown = np.diag(launch.covariance[0] - launch.arc_covariance[0])
        up_s = (int(track.first_observed_ns) - int(launch.time_ns[0])) / 1e9
        assert grown[2] == pytest.approx((1.2 * up_s) ** 2)
        assert grown[0] == pytest.approx(grown[1])
        assert launch.covariance[0, 0, 0] > launch.arc_covariance[0, 0, 0]
    assert 1.7 < np.mean(found) < 4.5  # three degrees of freedom


@pytest.mark.slow
@pytest.mark.parametrize("lowest_m", [10e3, 100e3])
def test_a_powered_ascent_comes_from_where_it_rose(lowest_m: float) -> None:
    """Seen low, the place is known to kilometres; seen late, the covariance says how little is known."""
    found, far = [], []
    for seed in range(15):
        track = TrackFilter()
        track.add(seen_ascent(100.0, seed, lowest_m=lowest_m)[0])
        launch = track_launch(track)
        miss = error(launch)
        found.append(miss @ np.linalg.solve(launch.covariance[0], miss))
        far.append(np.hypot(miss[0], miss[1]))
    assert np.mean(found) < 5
    assert max(far) < (6e3 if lowest_m < 50e3 else 80e3)


def test_there_is_no_launch_from_one_row_or_under_power_by_columns() -> None:
    seen, _, _ = seen_ascent(100.0, 1, lowest_m=15e3)
    track = TrackFilter()
    track.add(seen[:40])
    launch = predict_launches(concatenate_tracks((initiate(seen[:2]), track.tracks)))
    assert len(launch) == 3
    for column in (
        launch.lat_rad,
        launch.lon_rad,
        launch.time_ns,
        launch.covariance,
        launch.arc_covariance,
    ):
        assert not column.any()
    assert TrackFilter().packed() != track.packed()
