"""Observations: from measured rows only."""

from __future__ import annotations

import numpy as np
import pytest

from noroshi.tracking import TrackError, last_observation, no_measurements, observe
from tests.tracking.honesty import squared
from tests.tracking.scenes import rows, truth


def test_positions_are_where_the_object_was() -> None:
    seen = observe(rows())
    error = seen.position_m - truth()[:, :3]
    assert squared(error, seen.covariance).mean() == pytest.approx(3, abs=4 * np.sqrt(6 / len(rows())))


def test_the_last_observation_is_the_newest_row_whatever_the_order() -> None:
    mixed = rows()[[5, 9, 2]]
    last = last_observation(mixed)
    assert last.time_ns == rows().time_ns[9]
    seen = observe(rows()[9:10])
    assert (last.lat_rad, last.lon_rad, last.height_m) == (seen.lat_rad[0], seen.lon_rad[0], seen.height_m[0])
    assert 100 < last.sigma_m < 5000


def test_nothing_measured_is_nothing_observed() -> None:
    assert len(observe(no_measurements())) == 0
    with pytest.raises(TrackError, match="nothing was measured"):
        last_observation(no_measurements())
