"""The probability that a fall lies near a place, against draws and against the closed form of the round case."""

from __future__ import annotations

import numpy as np
import pytest

from noroshi.warning.falling import DEBRIS_SIGMA_M, Fall, circle_probability, falls_near
from tests.warning.scenes import START_NS, fall_at, small_watch


@pytest.mark.parametrize(
    ("major_m", "minor_m"), [(200_000.0, 20_000.0), (60_000.0, 50_000.0), (5_000.0, 2_000.0)]
)
def test_circle_probability_is_the_share_of_draws(major_m: float, minor_m: float) -> None:
    rng = np.random.default_rng(11)
    draws = rng.normal(0.0, 1.0, (400_000, 2)) * [major_m, minor_m]
    points = np.array([[0.0, 0.0], [40_000.0, 0.0], [0.0, 60_000.0], [150_000.0, 10_000.0], [9e5, 0.0]])
    share = [(np.hypot(*(draws - point).T) <= 50_000.0).mean() for point in points]
    found = circle_probability(points[:, 0], points[:, 1], major_m, minor_m, 50_000.0)
    np.testing.assert_allclose(found, share, atol=0.004)


def test_round_and_centred_is_the_rayleigh_distribution() -> None:
    (found,) = circle_probability(np.zeros(1), np.zeros(1), 30_000.0, 30_000.0, 50_000.0)
    assert found == pytest.approx(1.0 - np.exp(-0.5 * (50.0 / 30.0) ** 2), abs=2e-4)


def test_the_debris_spreads_a_certain_fall() -> None:
    place, probability = falls_near(fall_at(41.0, 140.0, sigma_m=0.0), small_watch())
    at_westport = probability[place == 0][0]
    assert at_westport == pytest.approx(1.0 - np.exp(-0.5 * (50_000.0 / DEBRIS_SIGMA_M) ** 2), abs=1e-3)
    assert probability[place == 3].sum() < 0.01


def test_the_long_axis_points_where_the_covariance_says() -> None:
    north = np.diag([10_000.0**2, 150_000.0**2, 1.0])
    east = np.diag([150_000.0**2, 10_000.0**2, 1.0])
    watch = small_watch((("North", 42.0, 140.0, 1, 0), ("East", 41.0, 141.32, 1, 0)))
    chances = []
    for covariance in (north, east):
        fall = Fall(np.radians(41.0), np.radians(140.0), START_NS, covariance)
        place, probability = falls_near(fall, watch)
        chances.append([probability[place == i].sum() for i in (0, 1)])
    assert chances[0][0] > 10 * chances[0][1]
    assert chances[1][1] > 10 * chances[1][0]
    assert chances[0][0] == pytest.approx(chances[1][1], rel=0.03)


def test_a_fall_that_may_not_happen_counts_for_less() -> None:
    whole = fall_at(41.0, 140.0)
    half = Fall(whole.latitude_rad, whole.longitude_rad, whole.time_ns, whole.covariance, 0.5)
    np.testing.assert_allclose(falls_near(half, small_watch())[1], falls_near(whole, small_watch())[1] / 2)


def test_far_falls_and_no_places_give_nothing() -> None:
    assert len(falls_near(fall_at(-41.0, -40.0), small_watch())[0]) == 0
    assert len(falls_near(fall_at(41.0, 140.0), small_watch(()))[0]) == 0


def test_across_180_degrees() -> None:
    watch = small_watch((("Here", -17.0, 179.9, 1, 0), ("There", -17.0, -179.9, 1, 0)))
    _, probability = falls_near(fall_at(-17.0, 180.0), watch)
    assert len(probability) == 2
    assert probability[0] == pytest.approx(probability[1], rel=1e-6)
