"""Falls and ground tracks: honest with unknown drag, close in time, sound over 180 degrees, silent if need be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from noroshi.geo.frames import ecef_to_geodetic, geodetic_to_ecef, look_angles
from noroshi.geo.geodesic import distance_m
from noroshi.tracking import (
    TrackError,
    Tracks,
    arc_fall,
    arc_state,
    concatenate_tracks,
    estimate,
    free_fall_arc,
    ground_track,
    no_tracks,
    predict,
    predict_falls,
    radar_measurements,
)
from tests.tracking.honesty import fall_errors, play
from tests.tracking.scenes import BETA_KGM2, case, rows


@pytest.mark.slow
@pytest.mark.parametrize("drag", [True, False])
def test_the_fall_is_honest_with_drag_that_nobody_knows_and_with_none(drag: bool) -> None:
    """Falls pooled over arcs and marks: 900, so the share inside 90 % has a standard deviation of at least 1 %."""
    arcs = ("a500", "a2700", "a4600")
    marks = [mark for name in arcs for mark in play(name, 100, 5, (5, 20, 60), drag=drag)]
    errors = [fall_errors(mark) for mark in marks]
    assert all(one.valid == 1 for one in errors)
    every = np.concatenate([one.nees for one in errors])
    place = np.concatenate([one.nees_place for one in errors])
    assert 0.86 < np.mean(place < chi2.ppf(0.9, 2)) < 0.94
    if drag:  # without, all falls are early by the same: no Gaussian holds its share of one fixed time
        assert 0.86 < np.mean(every < chi2.ppf(0.9, 3)) < 0.94
        assert 2.6 < every.mean() < 3.3


@pytest.mark.slow
def test_the_fall_is_close_in_time() -> None:
    """p90 of the error of place: under 20 km after 20 s and under 5 km after 60 s."""
    for name in ("a500", "a1000", "a4600"):
        twenty, sixty = (fall_errors(mark) for mark in play(name, 100, 6, (20, 60)))
        assert np.quantile(twenty.distance_m, 0.9) < 20e3
        assert np.quantile(sixty.distance_m, 0.9) < 5e3


def test_without_the_unknown_drag_the_time_would_be_a_lie() -> None:
    track = estimate(rows("a2700", 120.0))
    known = np.array(track.covariance)
    known[:, 6, :] = known[:, :, 6] = 0
    known[:, 6, 6] = 1e-8
    sure = predict_falls(replace(track, covariance=known))
    honest = predict_falls(track)
    assert np.sqrt(sure.covariance[0, 2, 2]) < 0.5
    assert 2 < np.sqrt(honest.covariance[0, 2, 2]) < 6


def over_the_antimeridian() -> Tracks:
    """Two minutes of a notional radar on an arc that comes down just beyond 180 degrees."""
    arc = free_fall_arc(np.radians(45), np.radians(165), np.radians(90), 1200e3, 300e3)
    site = (np.radians(45), np.radians(165))
    times = np.arange(100, 160, 1.0)
    value = np.column_stack(look_angles(arc_state(arc, times)[:, :3], *site))
    value += np.random.default_rng(1).normal(0, [30, 1e-3, 1e-3], value.shape)
    made = radar_measurements(np.int64(times * 1e9), geodetic_to_ecef(*site)[0], value, [30, 1e-3, 1e-3])
    assert arc.fall_lon_rad < 0
    return estimate(made)


def test_a_fall_beyond_180_degrees() -> None:
    arc = free_fall_arc(np.radians(45), np.radians(165), np.radians(90), 1200e3, 300e3)
    falls = predict_falls(over_the_antimeridian())
    down = arc_fall(arc, BETA_KGM2)
    assert distance_m(falls.lat_rad, falls.lon_rad, down.lat_rad, down.lon_rad)[0] < 30e3
    course = ground_track(over_the_antimeridian())
    away = distance_m(course.lat_rad[:-1], course.lon_rad[:-1], course.lat_rad[1:], course.lon_rad[1:])
    assert away.max() < 60e3
    assert course.cross_sigma_m.max() < 60e3


def test_the_ground_track_runs_from_the_estimate_to_the_fall() -> None:
    track = estimate(rows())
    course, falls = ground_track(track, 10.0), predict_falls(track)
    lat, lon, height = ecef_to_geodetic(track.position_m)
    assert (course.lat_rad[0], course.lon_rad[0]) == pytest.approx((lat[0], lon[0]))
    assert course.height_m[0] == pytest.approx(height[0])
    assert course.time_ns[0] == track.time_ns[0]
    assert (course.lat_rad[-1], course.lon_rad[-1], course.time_ns[-1]) == (
        falls.lat_rad[0], falls.lon_rad[0], falls.time_ns[0],
    )  # fmt: skip
    assert course.height_m[-1] == 0
    assert (np.diff(course.time_ns) > 0).all()
    assert course.height_m.max() == pytest.approx(550e3, rel=0.1)
    for column in (course.along_sigma_m, course.cross_sigma_m, course.time_sigma_s):
        assert np.isfinite(column).all()
        assert (column > 0).all()
    along = np.sqrt(falls.covariance[0, 0, 0] + falls.covariance[0, 1, 1])
    assert np.hypot(course.along_sigma_m[-1], course.cross_sigma_m[-1]) == pytest.approx(along)


def test_the_ground_track_covers_where_the_object_goes() -> None:
    """The true point below lies within four sigmas of the vertices, along and across, up to re-entry."""
    track = estimate(rows())
    course = ground_track(track, 20.0)
    one = case()
    after = (course.time_ns - track.time_ns[0])[:-4] / 1e9
    true = arc_state(one.arc, one.time_s[-1] + after, BETA_KGM2)
    lat, lon, _ = ecef_to_geodetic(true[:, :3])
    miss = distance_m(lat, lon, course.lat_rad[:-4], course.lon_rad[:-4])
    assert (miss < 4 * np.hypot(course.along_sigma_m, course.cross_sigma_m)[:-4]).all()


def test_tracks_lie_end_to_end() -> None:
    young, old = estimate(rows()[:1]), estimate(rows())
    both = ground_track(concatenate_tracks([old, young, old]), 15.0)
    assert len(both) == 3
    assert both.start[1] == both.start[2]
    alone = ground_track(old, 15.0)
    for i in (0, 2):
        assert np.array_equal(both.of(i).lat_rad, alone.lat_rad)
        assert np.array_equal(both.of(i).time_ns, alone.time_ns)
    assert len(both.of(1).time_ns) == 0
    assert len(ground_track(no_tracks())) == 0


def test_a_single_report_predicts_no_fall() -> None:
    falls = predict_falls(estimate(rows()[:1]))
    assert not falls.valid[0]
    assert falls.time_ns[0] == 0
    assert not falls.covariance.any()


def test_what_escapes_has_no_fall() -> None:
    track = estimate(rows())
    mean = np.array(track.mean)
    mean[:, 3:6] *= 13e3 / np.linalg.norm(mean[:, 3:6])
    falls = predict_falls(concatenate_tracks([replace(track, mean=mean), track]))
    assert falls.valid.tolist() == [False, True]
    assert np.isfinite(falls.covariance).all()


def test_debris_adds_what_the_caller_assumes() -> None:
    track = estimate(rows())
    plain, wide = predict_falls(track), predict_falls(track, debris_sigma_m=5e3, debris_sigma_s=10.0)
    assert np.allclose(wide.covariance - plain.covariance, np.diag([25e6, 25e6, 100.0]))


def test_a_prediction_later_falls_at_the_same_place() -> None:
    track = estimate(rows())
    now, later = predict_falls(track), predict_falls(predict(track, int(track.time_ns[0]) + 100 * 10**9))
    assert distance_m(now.lat_rad, now.lon_rad, later.lat_rad, later.lon_rad)[0] < 200
    assert abs(int(now.time_ns[0]) - int(later.time_ns[0])) < 5e7
    ratio = later.covariance[0].diagonal() / now.covariance[0].diagonal()
    assert (np.abs(ratio - 1) < 0.05).all()


def test_a_step_must_be_positive() -> None:
    with pytest.raises(TrackError, match="above 0"):
        ground_track(estimate(rows()), 0.0)
