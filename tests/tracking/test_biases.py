"""Sensors that stay off: a track is honest about them however many rows there are, and uses what corrects them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from noroshi.tracking import (
    Measurements,
    TrackError,
    Tracks,
    concatenate,
    considering_biases,
    estimate,
    infrared_measurements,
    no_measurements,
    propagate,
)
from tests.tracking.honesty import Floats, detections, squared
from tests.tracking.scenes import case, rows

BIAS = np.array([100.0, 2e-3, 2e-3])


def biased(radars: tuple[int, ...], count: int, seed: int) -> tuple[Measurements, Floats]:
    """Rows of sensors that are each off by one draw of BIAS, and the true state at the last of them."""
    one = case("a2700", 60.0)
    rng = np.random.default_rng(seed)
    off = rng.normal(size=(3, 3)) * BIAS
    use = [k for k in range(len(one.time_s)) if one.radar[k] in radars][:count]
    true = propagate(one.arc.state, one.time_s)[0]
    parts = []
    for k in use:
        exact = detections(one, true[k : k + 1], k, rng)
        parts.append(replace(exact, value=exact.value + off[one.radar[k]], bias_sigma=BIAS[None]))
    return concatenate(parts), true[use[-1]]


def error(track: Tracks, true: Floats) -> float:
    """Normalised error squared of position and velocity."""
    return float(squared(track.mean[:, :6] - true, np.ascontiguousarray(track.covariance[:, :6, :6]))[0])


@pytest.mark.slow
@pytest.mark.parametrize("radars", [(0,), (0, 1, 2)])
@pytest.mark.parametrize("count", [3, 15, 50])
def test_no_number_of_rows_hides_a_bias(radars: tuple[int, ...], count: int) -> None:
    """80 runs: 6 expected, +-4 standard deviations of 0.39; as noise of each row it is far more."""
    found = []
    for seed in range(80):
        given, true = biased(radars, count, seed)
        track = considering_biases(given)
        assert np.array_equal(track.covariance[0], track.covariance[0].T)
        assert np.linalg.eigvalsh(track.covariance[0]).min() > 0
        found.append(error(track, true))
    assert 4.4 < np.mean(found) < 7.6


def test_a_track_is_no_surer_than_its_only_sensor() -> None:
    """The offsets turn the whole arc about the radar: its share of the place stays, where noise would average away."""
    given, _ = biased((0,), 60, 1)
    track = considering_biases(given)
    away = np.linalg.norm(track.mean[0, :3] - given.site_m[0])
    assert np.sqrt(np.linalg.eigvalsh(track.covariance[0, :3, :3])[-1]) > 0.7 * BIAS[1] * away


def test_without_biases_it_is_the_ordinary_track() -> None:
    one, other = considering_biases(rows()), estimate(rows())
    assert (np.abs(one.mean - other.mean)[0] < 5e-3 * np.sqrt(np.diag(other.covariance[0]))).all()


def test_infrared_sensors_may_be_off_too_and_odd_rows_give_numbers() -> None:
    given, _ = biased((0, 1), 12, 2)
    angles = infrared_measurements(
        given.time_ns[:3], given.site_m[:3], given.value[:3, 1:], [1e-3, 1e-3], bias_sigma=[1e-3, 1e-3]
    )
    track = considering_biases(concatenate((angles, given[3:])))
    assert np.isfinite(track.mean).all()
    assert np.isfinite(track.covariance).all()
    assert np.isfinite(considering_biases(angles).mean).all()


def test_no_rows_and_rows_out_of_order_are_refused() -> None:
    with pytest.raises(TrackError, match="no measurement"):
        considering_biases(no_measurements())
    with pytest.raises(TrackError, match="order of time"):
        considering_biases(rows()[::-1])
