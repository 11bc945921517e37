"""Arrivals at areas: held against counted draws, over 180 degrees and the poles, and silent without knowledge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from noroshi.geo.areas import Area, circle, from_rings_deg
from noroshi.geo.frames import ecef_to_geodetic
from noroshi.geo.geodesic import destination
from noroshi.tracking import (
    Falls,
    TrackError,
    Tracks,
    arrivals,
    concatenate_tracks,
    estimate,
    ground_track,
    predict_falls,
    propagate,
)
from tests.tracking.scenes import rows

SECOND_NS = 10**9
COVARIANCE = np.array([[4e10, 1.5e10, 3e5], [1.5e10, 2e10, 1e5], [3e5, 1e5, 20.0]])
DRAWS = 40_000
CAP = [(lon, -89.0) for lon in range(-180, 181, 60)] + [(180.0, -90.0), (-180.0, -90.0)]


def old_track(count: int = 60) -> Tracks:
    return estimate(rows()[:count])


@pytest.mark.parametrize(
    ("place_deg", "area"),
    [
        ((40.0, 150.0), circle(np.radians(40.5), np.radians(151), 80e3)),
        ((40.0, 179.9), circle(np.radians(40.5), np.radians(-179), 150e3)),
        ((89.5, 10.0), circle(np.radians(89.8), np.radians(-100), 150e3)),
        ((-89.9, 10.0), from_rings_deg([CAP])),
        ((60.0, 100.0), from_rings_deg([[(99, 59.5), (103, 59.5), (103, 61), (100, 60)]])),
    ],
)
def test_a_fall_in_an_area_is_as_probable_as_draws_say(place_deg: tuple[float, float], area: Area) -> None:
    lat, lon = np.radians(place_deg)
    falls = Falls(np.array([True]), np.array([lat]), np.array([lon]), np.array([10**18]), COVARIANCE[None])
    track = old_track()
    found = arrivals(track, [area], 2 * 10**18, falls=falls, course=ground_track(track))
    away = np.random.default_rng(2).multivariate_normal(np.zeros(3), COVARIANCE, DRAWS)
    azimuth, reach = np.arctan2(away[:, 0], away[:, 1]), np.hypot(away[:, 0], away[:, 1])
    inside = area.contains(*destination(np.full(DRAWS, lat), np.full(DRAWS, lon), azimuth, reach))
    share = inside.mean()
    assert found.fall_probability[0, 0] == pytest.approx(share, abs=4 * np.sqrt(share / DRAWS) + 0.002)
    window_s = (found.fall_ns[0, 0] - 10**18) / 1e9
    assert window_s == pytest.approx(np.quantile(away[inside, 2], (0.05, 0.95)), abs=0.35)


def test_passes_and_falls_are_as_probable_as_flown_draws_say() -> None:
    """Draws of the state are flown; areas on, beside and at the end of the track."""
    track = old_track(40)
    course, falls = ground_track(track), predict_falls(track)
    middle, side = len(course.time_ns) // 2, 2 * course.cross_sigma_m[-9]
    right = destination(course.lat_rad[-9], course.lon_rad[-9], course.course_rad[-9] + np.pi / 2, side)
    areas = [
        circle(course.lat_rad[middle], course.lon_rad[middle], 60e3),
        circle(float(right[0][0]), float(right[1][0]), float(1.5 * side)),
        circle(course.lat_rad[-1], course.lon_rad[-1], 12e3),
        circle(course.lat_rad[0] - 0.3, course.lon_rad[0], 60e3),
    ]
    found = arrivals(track, areas, int(track.time_ns[0]), falls=falls, course=course)
    rng, count = np.random.default_rng(3), 250
    drawn = rng.multivariate_normal(track.mean[0], track.covariance[0], count)
    beta = np.exp(rng.uniform(np.log(2500), np.log(10_000), count))
    times_s = np.arange(0.0, 900.0, 3.0)
    flown = propagate(drawn[:, :6], times_s, beta)
    lat, lon, _ = ecef_to_geodetic(flown[..., :3].reshape(-1, 3))
    for k, area in enumerate(areas):
        inside = area.contains(lat, lon).reshape(count, -1)
        passed = inside.any(axis=1)
        assert found.pass_probability[0, k] == pytest.approx(passed.mean(), abs=0.1)
        assert found.fall_probability[0, k] == pytest.approx(inside[:, -1].mean(), abs=0.1)
        if passed.mean() > 0.2:
            counted = np.quantile(times_s[np.argmax(inside[passed], axis=1)], (0.05, 0.95))
            assert (found.pass_ns[0, k] - track.time_ns[0]) / 1e9 == pytest.approx(counted, abs=5.0)
    assert found.pass_probability[0, 3] == 0
    assert not found.pass_ns[0, 3].any()


def test_no_claim_without_an_observation_and_its_age_with_each() -> None:
    known, young = old_track(), estimate(rows()[:1])
    unseen = replace(known, updates=np.zeros(1, np.int64))
    tracks = concatenate_tracks([known, young, unseen, replace(known, free=np.zeros(1, np.bool_))])
    falls = predict_falls(tracks)
    area = circle(float(falls.lat_rad[0]), float(falls.lon_rad[0]), 500e3)
    now_ns = int(tracks.last_observed_ns.max()) + 7 * SECOND_NS
    found = arrivals(tracks, [area, Area()], now_ns)
    assert list(found.claimed) == [True, False, False, False]
    assert found.fall_probability[0, 0] > 0.99
    assert not found.fall_probability[1:].any()
    assert not found.pass_probability[:, 1].any()
    assert found.age_s == pytest.approx((now_ns - tracks.last_observed_ns) / 1e9)
    assert found.age_s[0] == pytest.approx(7.0)
    with pytest.raises(TrackError):
        arrivals(tracks, [area], int(tracks.last_observed_ns.min()) - SECOND_NS)
    with pytest.raises(TrackError):
        arrivals(tracks, [area], now_ns, share=1.0)
