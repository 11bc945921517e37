"""The probability of passing near a place, against drawn tracks and against the whole globe's awkward corners."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr

from noroshi.tracking import GroundTrack
from noroshi.warning.passing import passages
from noroshi.warning.watch import Region, Watch, lay_out
from tests.warning.scenes import START_NS, course, line, now_at, small_watch

HALF_M = 100_000.0


def watch_at(*points_deg: tuple[float, float]) -> Watch:
    count = len(points_deg)
    lat, lon = np.radians(np.array(points_deg)).T
    zeros = np.zeros(count, np.int64)
    return lay_out(lat, lon, zeros, zeros, zeros, (Region("XX", "Here"),), [("", "", "")] * count)


def path_of(points_deg: list[tuple[float, float]], sigma_m: float) -> GroundTrack:
    lat, lon = np.radians(np.array(points_deg)).T
    times = START_NS + (np.arange(len(lat)) * 10e9).astype(np.int64)
    return line(lat, lon, times, sigma_m, 3_000.0)


def test_probability_is_the_share_of_drawn_tracks_that_pass_within_the_half_width() -> None:
    rng = np.random.default_rng(7)
    sigma_m = 40_000.0
    equator = path_of([(0.0, lon) for lon in np.linspace(100.0, 120.0, 81)], sigma_m)
    lat_deg = np.array([0.0, 0.5, 0.9, 1.3, 2.0])
    found = passages(equator, watch_at(*((lat, 110.0) for lat in lat_deg)), HALF_M)
    drawn_m = rng.normal(0.0, sigma_m, 200_000)
    share = [(np.abs(lat * 110_574.0 - drawn_m) <= HALF_M).mean() for lat in lat_deg]
    np.testing.assert_allclose(found.probability, share, atol=0.005)


def test_distance_is_right_to_a_part_in_a_thousand_against_the_geodesic() -> None:
    geod = pytest.importorskip("pyproj").Geod(ellps="WGS84")
    path = course(130.0, 160.0, sigma_m=1.0)
    offsets_m = np.array([99_500.0, 100_500.0])
    points = [geod.fwd(145.0, 41.0, 0.0, offset)[1::-1] for offset in offsets_m]
    found = passages(path, watch_at(*points), HALF_M)
    np.testing.assert_allclose(found.probability, [1.0, 0.0], atol=1e-6)


def test_time_is_that_of_the_nearest_approach_and_its_sigma_the_along_track_one_over_the_speed() -> None:
    found = passages(course(sigma_m=4_200.0), watch_at((41.2, 140.0)), HALF_M)
    assert abs(int(found.time_ns[0]) - now_at(140.0)) < 1e9
    assert found.sigma_s[0] == pytest.approx(1.0, rel=0.02)


def test_places_beyond_the_end_and_behind_the_start_are_not_passed() -> None:
    path = course(135.0, 150.0)
    found = passages(path, watch_at((41.0, 152.0), (41.0, 133.0), (41.0, 150.5), (41.0, 134.5)), HALF_M)
    probability = dict(zip(found.place.tolist(), found.probability.tolist(), strict=True))
    assert probability.get(0, 0.0) < 1e-6
    assert probability.get(1, 0.0) < 1e-6
    assert probability[2] > 0.99
    assert probability[3] > 0.99


def test_a_doubtful_end_makes_the_places_around_it_doubtful() -> None:
    path = course(135.0, 150.0, sigma_m=50_000.0)
    (found,) = passages(path, watch_at((41.0, 151.19)), HALF_M).probability
    assert 0.3 < found < 0.7


def test_the_cross_track_sigma_abeam_counts_and_not_that_of_the_end() -> None:
    path = course()
    growing = replace(path, cross_sigma_m=np.linspace(1.0, 300_000.0, len(path.time_ns)))
    near_start, near_end = passages(growing, watch_at((41.0, 131.0), (41.0, 155.0)), HALF_M).probability
    assert near_start == pytest.approx(1.0, abs=1e-6)
    assert near_end == pytest.approx(2 * ndtr(HALF_M / 250_000.0) - 1, abs=0.02)


def test_across_180_degrees_and_over_the_pole() -> None:
    date_line = path_of(
        [(10.0, lon if lon <= 180 else lon - 360) for lon in np.linspace(170.0, 190.0, 41)], 5_000.0
    )
    found = passages(
        date_line, watch_at((10.1, 179.95), (10.1, -179.95), (10.1, -170.3), (10.1, 0.0)), HALF_M
    )
    assert found.place.tolist() == [0, 1, 2]
    assert (found.probability > 0.999).all()
    over_pole = path_of(
        [(lat, 0.0) for lat in np.linspace(80, 90, 21)] + [(lat, 180.0) for lat in np.linspace(89, 80, 19)],
        5e3,
    )
    found = passages(over_pole, watch_at((89.9, 90.0), (85.0, 180.0), (85.0, 90.0)), HALF_M)
    assert found.place[found.probability > 0.99].tolist() == [0, 1]


def test_no_places_and_a_standing_object_are_no_trouble() -> None:
    assert len(passages(course(), watch_at((-60.0, 10.0)), HALF_M).place) == 0
    assert len(passages(course(), small_watch(()), HALF_M).place) == 0
    still = path_of([(41.0, 140.0)] * 3, 5_000.0)
    found = passages(still, watch_at((41.0, 140.1)), HALF_M)
    assert np.isfinite(found.probability).all()
    assert found.probability[0] > 0.99


def test_every_near_place_is_found_by_the_coarse_search() -> None:
    rng = np.random.default_rng(3)
    points = np.column_stack([rng.uniform(38, 44, 600), rng.uniform(127, 163, 600)])
    watch = watch_at(*map(tuple, points))
    path = course()
    coarse = passages(path, watch, HALF_M)
    vertices = np.column_stack([np.full(1201, np.radians(41.0)), np.radians(np.linspace(130, 160, 1201))])
    sin2 = (
        np.sin((watch.latitude_rad[:, None] - vertices[:, 0]) / 2) ** 2
        + np.cos(watch.latitude_rad[:, None])
        * np.cos(vertices[:, 0])
        * np.sin((watch.longitude_rad[:, None] - vertices[:, 1]) / 2) ** 2
    )
    distance_m = (2 * 6_371_000.0 * np.arcsin(np.sqrt(sin2))).min(axis=1)
    assert set(np.flatnonzero(distance_m < HALF_M * 0.98)) <= set(
        coarse.place[coarse.probability > 0.5].tolist()
    )
    assert set(coarse.place[coarse.probability > 0.5].tolist()) <= set(
        np.flatnonzero(distance_m < HALF_M * 1.02)
    )


def test_a_place_about_the_end_of_the_course_is_as_doubtful_as_the_end_is() -> None:
    """Abeam of the course the error across it counts; beyond the fall, the error along it, if that is larger."""
    rows = (("Abeam", 41.0, 135.0, 1, 0), ("Beyond", 41.0, 141.5, 1, 0))
    track = course(to_deg=140.0, sigma_m=20_000.0)
    track = replace(track, along_sigma_m=np.full(len(track.lat_rad), 120_000.0))
    found = passages(track, small_watch(rows), HALF_M)
    doubt = dict(zip(found.place.tolist(), found.doubt_m.tolist(), strict=True))
    assert doubt == {0: 20_000.0, 1: 120_000.0}
    assert found.sigma_m.tolist() == [20_000.0, 20_000.0]
