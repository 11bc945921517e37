"""Range rate: it sharpens the velocity, honestly; and azimuth overhead: no false certainty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from noroshi.geo.frames import ecef_to_geodetic, geodetic_to_ecef, look_angles
from noroshi.tracking import Measurements, initiate, propagate, radar_measurements, update
from tests.tracking.honesty import Floats, detections, squared
from tests.tracking.scenes import case

RUNS = 150
RATE_SIGMA = 2.0


def with_rate(one: Measurements, true: Floats, rng: np.random.Generator) -> Measurements:
    """Rows (one per run) of a single true state with their noisy range rate."""
    line = true[:3] - one.site_m[0]
    rate = line @ true[3:] / np.linalg.norm(line) + rng.normal(size=len(one)) * RATE_SIGMA
    return replace(one, rate=np.column_stack((rate, np.full(len(one), RATE_SIGMA))))


@pytest.mark.slow
@pytest.mark.parametrize("radars", [(0,), (0, 1, 2)])
def test_a_range_rate_sharpens_the_velocity_honestly(radars: tuple[int, ...]) -> None:
    one = case("a2700", 30.0)
    rng = np.random.default_rng(2)
    use = [k for k in range(len(one.time_s)) if one.radar[k] in radars]
    states = propagate(one.arc.state, one.time_s)[0]
    rated = bare = initiate(detections(one, np.tile(states[use[0]], (RUNS, 1)), use[0], rng))
    for n, k in enumerate(use[1:], 2):
        rows = detections(one, np.tile(states[k], (RUNS, 1)), k, rng)
        rated = update(rated, with_rate(rows, states[k], rng), np.arange(RUNS))
        bare = update(bare, rows, np.arange(RUNS))
        if n in (3, 6, 12, 20):
            error = rated.mean[:, :6] - states[k]
            assert 4.5 < squared(error, np.ascontiguousarray(rated.covariance[:, :6, :6])).mean() < 7.3
            size = np.trace(rated.covariance[:, 3:6, 3:6], axis1=1, axis2=2).mean()
            assert size < np.trace(bare.covariance[:, 3:6, 3:6], axis1=1, axis2=2).mean()


@pytest.mark.slow
@pytest.mark.parametrize("tilt_deg", [0.0, 0.05, 0.5, 2.0])
def test_azimuth_overhead_makes_no_track_overconfident(tilt_deg: float) -> None:
    """A radar that the object passes almost, or exactly, above: azimuth turns by half a circle there."""
    one = case("a1000", 30.0)
    rng = np.random.default_rng(3)
    true = propagate(one.arc.state, 150.0 + np.arange(12.0))[0]
    lat, lon, _ = ecef_to_geodetic(true[6:7, :3])
    place = (float(lat[0]) + np.radians(tilt_deg) * 0.03, float(lon[0]))
    sigma, tracks = np.array([50.0, 2e-3, 1e-3]), None
    for k, state in enumerate(true):
        value = np.column_stack(look_angles(state[None, :3], *place)) + rng.normal(size=(RUNS, 3)) * sigma
        value[:, 2] = np.minimum(value[:, 2], np.pi / 2)
        rows = radar_measurements(np.full(RUNS, k * 10**9), geodetic_to_ecef(*place)[0], value, sigma)
        tracks = initiate(rows) if tracks is None else update(tracks, rows, np.arange(RUNS))
        found = squared(tracks.mean[:, :6] - state, np.ascontiguousarray(tracks.covariance[:, :6, :6]))
        assert np.isfinite(found).all()
        assert found.mean() < 7.6, (k, found.mean())


def test_an_object_at_its_sensor_gives_numbers() -> None:
    site = geodetic_to_ecef(0.6, 2.2)[0]
    rows = radar_measurements(
        [0, 1], site, [[1.0, 0.0, np.pi / 2], [3.0, 1.0, 0.0]], [50.0, 1e-3, 1e-3], rate=[5.0, 1.0]
    )
    tracks = update(initiate(rows[:1]), rows, [1])
    assert np.isfinite(tracks.mean).all()
    assert np.isfinite(tracks.covariance).all()
