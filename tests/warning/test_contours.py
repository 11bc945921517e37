"""Contours hold what they say: held against draws, also across 180 degrees and over a pole."""

from __future__ import annotations

import numpy as np
import pytest

from noroshi.clock import seconds
from noroshi.geo import destination, from_rings_deg, off_track
from noroshi.geo.geodesic import inverse
from noroshi.tracking import GroundTrack
from noroshi.warning import Fall, WarningRules, contours
from noroshi.warning.contours import beside_m
from tests.warning.scenes import START_NS, course, fall_at, line

RULES = WarningRules()
DRAWS = 40_000


def across(lat_deg: float, lon_deg: float, azimuth_deg: float, sigma_m: float) -> GroundTrack:
    """A geodesic of 2,400 km through nothing in particular."""
    away_m = np.linspace(0.0, 2.4e6, 49)
    lat, lon = destination(
        np.full(49, np.radians(lat_deg)),
        np.full(49, np.radians(lon_deg)),
        np.full(49, np.radians(azimuth_deg)),
        away_m,
    )
    time_ns = START_NS + np.rint(away_m / 4_200.0 * 1e9).astype(np.int64)
    return line(lat, lon, time_ns, sigma_m, 4_200.0)


PATHS = {
    "plain": lambda sigma_m: across(41.0, 130.0, 80.0, sigma_m),
    "over 180 degrees": lambda sigma_m: across(50.0, 165.0, 95.0, sigma_m),
    "over the pole": lambda sigma_m: across(80.0, 20.0, 10.0, sigma_m),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("sigma_m", [10_000.0, 70_000.0])
def test_beside_the_track_a_contour_is_where_the_draws_say_its_level(path: str, sigma_m: float) -> None:
    track = PATHS[path](sigma_m)
    error_m = np.random.default_rng(7).standard_normal(DRAWS) * sigma_m
    for one in contours(track, None, RULES):
        corners = np.concatenate([np.array(ring) for ring in one.rings])
        away = off_track(corners[:, 0], corners[:, 1], track.lat_rad, track.lon_rad)
        abeam = (away.along_m > 3e5) & (away.along_m < 2.1e6) & (np.abs(np.abs(corners[:, 1]) - np.pi) > 1e-6)
        abeam &= np.abs(corners[:, 0]) < np.pi / 2 - 1e-6
        assert abeam.sum() >= 4
        for beside in np.abs(away.cross_m[abeam]):
            share = float(np.mean(np.abs(beside + error_m) <= RULES.pass_half_width_m))
            assert share == pytest.approx(one.level, abs=0.04)


def test_a_level_that_is_reached_nowhere_has_no_contour() -> None:
    vague = course(sigma_m=200_000.0)
    assert [one.level for one in contours(vague, None, RULES)] == [0.1]
    assert np.isnan(beside_m(100_000.0, np.array([200_000.0]), 0.5)).all()
    assert contours(None, None, RULES) == ()


def test_levels_asked_for_together_are_what_each_is_alone() -> None:
    track, levels = course(sigma_m=60_000.0), (0.05, 0.1, 0.5, 0.9)
    together = contours(track, None, RULES, levels)
    assert together == tuple(one for level in levels for one in contours(track, None, RULES, (level,)))
    assert len(together) > 1
    wide = beside_m(100_000.0, track.cross_sigma_m, np.array(levels)[:, None])
    for level, row in zip(levels, wide, strict=True):
        assert np.array_equal(row, beside_m(100_000.0, track.cross_sigma_m, level), equal_nan=True)


def test_beyond_the_fall_a_contour_ends_as_far_as_the_error_along_the_track_lets_it() -> None:
    track = across(41.0, 130.0, 90.0, 20_000.0)
    along_m = np.random.default_rng(3).standard_normal(DRAWS) * 20_000.0
    end = (float(track.lat_rad[-1]), float(track.lon_rad[-1]))
    for one in contours(track, None, RULES):
        area = from_rings_deg([[(np.degrees(b), np.degrees(a)) for a, b in ring] for ring in one.rings])
        azimuth = (
            float(inverse(track.lat_rad[-2:-1], track.lon_rad[-2:-1], *np.array([[end[0]], [end[1]]]))[2][0])
            + np.pi
        )
        reach_m = np.arange(0.0, 200_000.0, 500.0)
        lat, lon = destination(np.full(400, end[0]), np.full(400, end[1]), np.full(400, azimuth), reach_m)
        last_m = float(reach_m[area.contains(lat, lon)].max())
        share = float(np.mean(along_m >= last_m - RULES.pass_half_width_m))
        assert share == pytest.approx(one.level, abs=0.04)


@pytest.mark.parametrize(("lat_deg", "lon_deg"), [(40.0, 150.0), (52.0, 179.8), (89.5, 40.0)])
def test_the_contour_of_a_fall_holds_its_share_of_the_falls(lat_deg: float, lon_deg: float) -> None:
    covariance = np.array([[9e8, 5e8, 0.0], [5e8, 6e8, 0.0], [0.0, 0.0, 25.0]])
    fall = Fall(np.radians(lat_deg), np.radians(lon_deg), START_NS + seconds(600.0), covariance)
    east, north = np.random.default_rng(5).multivariate_normal((0.0, 0.0), covariance[:2, :2], DRAWS).T
    lat, lon = destination(
        np.full(DRAWS, fall.latitude_rad),
        np.full(DRAWS, fall.longitude_rad),
        np.arctan2(east, north),
        np.hypot(east, north),
    )
    found = contours(None, fall, RULES)
    assert [(one.kind, one.level) for one in found] == [("fall", 0.1), ("fall", 0.5), ("fall", 0.9)]
    for one in found:
        area = from_rings_deg([[(np.degrees(b), np.degrees(a)) for a, b in ring] for ring in one.rings])
        assert float(np.mean(area.contains(lat, lon))) == pytest.approx(one.level, abs=0.015)


def test_contours_of_one_kind_lie_within_one_another() -> None:
    found = contours(course(sigma_m=30_000.0), fall_at(40.0, 150.0), RULES)
    for kind in ("pass", "fall"):
        areas = [
            from_rings_deg([[(np.degrees(b), np.degrees(a)) for a, b in ring] for ring in one.rings])
            for one in found
            if one.kind == kind
        ]
        sizes = [area.area_m2() for area in areas]
        assert sizes == sorted(sizes, reverse=(kind == "pass"))
