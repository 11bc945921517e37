"""Geodesics and distances beside a line, against known lines and slow references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyproj import Geod

from noroshi.geo import (
    BadShapeError,
    destination,
    distance_m,
    inverse,
    nearest_vertex,
    off_track,
    path_lengths_m,
)

Floats = NDArray[np.float64]

latitudes = st.floats(-np.pi / 2 + 1e-9, np.pi / 2 - 1e-9)
longitudes = st.floats(-np.pi, np.pi, exclude_max=True)


def degrees(*pairs: tuple[float, float]) -> tuple[Floats, Floats]:
    lat, lon = np.radians(pairs).T
    return lat, lon


def test_known_distance() -> None:
    # Quarter of the meridian, and a degree of the equator, of WGS-84.
    assert distance_m(0.0, 1.0, np.pi / 2, 1.0)[0] == pytest.approx(10_001_965.729, abs=0.001)
    assert distance_m(0.0, 0.0, 0.0, np.radians(1.0))[0] == pytest.approx(111_319.491, abs=0.001)


@given(latitudes, longitudes, st.floats(0.0, 2 * np.pi, exclude_max=True), st.floats(1.0, 1.5e7))
def test_destination_and_inverse_agree(lat: float, lon: float, azimuth: float, away_m: float) -> None:
    end_lat, end_lon = destination(lat, lon, azimuth, away_m)
    assert -np.pi <= end_lon[0] < np.pi
    back_m, bearing, _ = inverse(lat, lon, end_lat, end_lon)
    assert back_m[0] == pytest.approx(away_m, abs=1e-5)
    assert 0.0 <= bearing[0] < 2 * np.pi


def test_the_short_way_across_the_antimeridian() -> None:
    lat, lon = degrees((10.0, 179.5), (10.0, -179.5))
    away_m, azimuth, back = inverse(lat[0], lon[0], lat[1], lon[1])
    assert away_m[0] < 110_000
    assert np.degrees([azimuth[0], back[0]]) == pytest.approx([89.9, 270.1], abs=0.1)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(BadShapeError, match="differ in length"):
        distance_m([0.0, 1.0], [0.0, 1.0], [0.0, 1.0, 0.5], [0.0, 1.0, 0.5])


def test_a_line_needs_two_vertices() -> None:
    with pytest.raises(BadShapeError, match="it has 1 vertices"):
        off_track(0.1, 0.1, 0.2, 0.2)


def slow_distance(lat: float, lon: float, line_lat: Floats, line_lon: Floats) -> tuple[float, float]:
    """Least distance to a polyline sampled every 500 m, and the distance along it: the reference."""
    geod = Geod(ellps="WGS84")
    best, best_along, start = np.inf, 0.0, 0.0
    for i in range(len(line_lat) - 1):
        azimuth, _, length = geod.inv(
            line_lon[i], line_lat[i], line_lon[i + 1], line_lat[i + 1], radians=True
        )
        along = np.linspace(0.0, length, max(2, int(length / 500.0)))
        ones = np.ones_like(along)
        lons, lats, _ = geod.fwd(line_lon[i] * ones, line_lat[i] * ones, azimuth * ones, along, radians=True)
        _, _, away = geod.inv(lons, lats, lon * ones, lat * ones, radians=True)
        if away.min() < best:
            best, best_along = float(away.min()), start + float(along[np.argmin(away)])
        start += length
    return best, best_along


@pytest.mark.slow
@pytest.mark.parametrize(
    "line",
    [
        degrees((40.9, 126.6), (43.0, 150.0), (42.0, 170.0), (38.0, -175.0)),
        degrees((-10.0, 0.0), (20.0, 3.0)),
        degrees((80.0, 30.0), (80.0, -150.0)),
        degrees((0.0, 100.0), (0.0, 126.0)),
    ],
)
def test_off_track_agrees_with_a_sampled_line(line: tuple[Floats, Floats]) -> None:
    rng = np.random.default_rng(3)
    start = rng.integers(0, len(line[0]) - 1, 25)
    lat, lon = destination(
        line[0][start], line[1][start], rng.uniform(0, 2 * np.pi, 25), rng.uniform(1e3, 3e6, 25)
    )
    found = off_track(lat, lon, *line)
    for i in range(len(lat)):
        away_m, along_m = slow_distance(lat[i], lon[i], *line)
        assert abs(found.cross_m[i]) == pytest.approx(away_m, rel=1e-3, abs=1.0)
        assert found.along_m[i] == pytest.approx(along_m, abs=600.0 + 3e-3 * away_m)


def test_right_is_positive_and_ends_are_ends() -> None:
    line = degrees((0.0, 0.0), (0.0, 10.0))
    found = off_track(*degrees((-1.0, 5.0), (1.0, 5.0), (0.0, 12.0), (0.0, -1.0)), *line)
    assert np.sign(found.cross_m[:2]).tolist() == [1.0, -1.0]
    assert np.abs(found.cross_m[:2]) == pytest.approx([110_574.4] * 2, abs=1.0)
    assert np.abs(found.cross_m[2:]) == pytest.approx([222_639.0, 111_319.5], abs=1.0)
    assert found.along_m == pytest.approx([556_597.5, 556_597.5, 1_113_194.9, 0.0], abs=1.0)


def test_a_repeated_vertex_does_no_harm() -> None:
    found = off_track(*degrees((1.0, 1.0)), *degrees((0.0, 0.0), (0.0, 0.0), (0.0, 2.0), (0.0, 2.0)))
    assert abs(found.cross_m[0]) == pytest.approx(110_574.4, abs=1.0)
    assert np.isfinite(found.along_m).all()


def test_the_far_side_of_the_earth_is_far() -> None:
    found = off_track(*degrees((0.0, -175.0)), *degrees((0.0, 0.0), (0.0, 10.0)))
    assert abs(found.cross_m[0]) > 1.8e7


def test_no_points_give_no_rows() -> None:
    none = np.empty(0)
    line = degrees((0.0, 0.0), (0.0, 1.0))
    assert len(off_track(none, none, *line).cross_m) == 0
    assert len(nearest_vertex(none, none, *line)) == 0


def test_nearest_vertex_and_lengths_across_the_antimeridian() -> None:
    line = degrees((0.0, 178.0), (0.0, 179.0), (0.0, -179.0))
    assert nearest_vertex(*degrees((1.0, -179.9), (0.0, 179.4), (5.0, 100.0)), *line).tolist() == [2, 1, 0]
    assert path_lengths_m(*line) == pytest.approx([0.0, 111_319.5, 333_958.5], abs=0.1)
