"""Frames: known points, round trips at every latitude and height, the poles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer

from noroshi.geo import (
    SEMI_MAJOR_M,
    SEMI_MINOR_M,
    ecef_to_enu,
    ecef_to_geodetic,
    enu_rotation,
    enu_to_ecef,
    geodetic_to_ecef,
    look_angles,
    look_to_ecef,
    wrap_longitude,
)

latitudes = st.floats(-np.pi / 2, np.pi / 2)
longitudes = st.floats(-np.pi, np.pi)
heights = st.floats(-10_000.0, 10_000_000.0)


def test_axes_end_where_the_ellipsoid_says() -> None:
    points = geodetic_to_ecef([0.0, 0.0, np.pi / 2, -np.pi / 2], [0.0, np.pi / 2, 0.0, 1.0])
    expected = [[SEMI_MAJOR_M, 0, 0], [0, SEMI_MAJOR_M, 0], [0, 0, SEMI_MINOR_M], [0, 0, -SEMI_MINOR_M]]
    np.testing.assert_allclose(points, expected, atol=1e-8)


def test_agrees_with_proj() -> None:
    rng = np.random.default_rng(7)
    lat, lon = rng.uniform(-90, 90, 500), rng.uniform(-180, 180, 500)
    height = rng.uniform(-5e3, 1e7, 500)
    proj = np.column_stack(Transformer.from_crs(4979, 4978, always_xy=True).transform(lon, lat, height))
    np.testing.assert_allclose(geodetic_to_ecef(np.radians(lat), np.radians(lon), height), proj, atol=1e-6)


@given(latitudes, longitudes, heights)
def test_geodetic_round_trip(lat: float, lon: float, height: float) -> None:
    back_lat, back_lon, back_height = ecef_to_geodetic(geodetic_to_ecef(lat, lon, height))
    assert abs(back_lat[0] - lat) < 1e-11
    assert abs(back_height[0] - height) < 1e-6
    # At the pole longitude means nothing; elsewhere the ground distance counts.
    assert abs(float(wrap_longitude(back_lon[0] - lon))) * np.cos(lat) < 1e-11


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("height_m", [0.0, 1_000_000.0, 10_000_000.0])
def test_exactly_at_a_pole(sign: float, height_m: float) -> None:
    lat, _, height = ecef_to_geodetic([0.0, 0.0, sign * (SEMI_MINOR_M + height_m)])
    assert lat[0] == pytest.approx(sign * np.pi / 2, abs=1e-15)
    assert height[0] == pytest.approx(height_m, abs=1e-6)


@given(latitudes, longitudes)
def test_enu_is_a_rotation(lat: float, lon: float) -> None:
    rotation = enu_rotation(lat, lon)[0]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-14)
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_enu_points_the_right_way() -> None:
    site = (np.radians(41.0), np.radians(140.0), 50.0)
    north = geodetic_to_ecef(site[0] + 1e-6, site[1], site[2])
    east = geodetic_to_ecef(site[0], site[1] + 1e-6, site[2])
    up = geodetic_to_ecef(site[0], site[1], site[2] + 10.0)
    seen = ecef_to_enu(np.concatenate((east, north, up)), *site)
    assert np.argmax(seen, axis=1).tolist() == [0, 1, 2]
    np.testing.assert_allclose(seen[2], [0.0, 0.0, 10.0], atol=1e-8)


@given(
    latitudes,
    longitudes,
    st.floats(1.0, 1e7),
    st.floats(0.0, 2 * np.pi, exclude_max=True),
    st.floats(-1.5, 1.5),
)
def test_look_round_trip(lat: float, lon: float, range_m: float, azimuth: float, elevation: float) -> None:
    target = look_to_ecef(range_m, azimuth, elevation, lat, lon, 100.0)
    seen_range, seen_azimuth, seen_elevation = look_angles(target, lat, lon, 100.0)
    # The subtraction of two positions of 6.4e6 m costs about 1e-9 m.
    angle = 1e-11 + 1e-8 / (range_m * np.cos(elevation))
    assert abs(seen_range[0] - range_m) < 1e-7
    assert abs(float(wrap_longitude(seen_azimuth[0] - azimuth))) < angle
    assert abs(seen_elevation[0] - elevation) < angle
    assert 0.0 <= seen_azimuth[0] < 2 * np.pi


def test_look_angles_take_a_site_for_each_point() -> None:
    sites = np.radians([[40.0, 140.0], [-30.0, -179.9]])
    targets = look_to_ecef([1e5, 2e5], [0.5, 4.0], [0.2, 0.9], sites[:, 0], sites[:, 1])
    columns = look_angles(targets, sites[:, 0], sites[:, 1])
    np.testing.assert_allclose(np.column_stack(columns), [[1e5, 0.5, 0.2], [2e5, 4.0, 0.9]], rtol=1e-9)
    np.testing.assert_allclose(
        enu_to_ecef(ecef_to_enu(targets, sites[:, 0], sites[:, 1]), sites[:, 0], sites[:, 1]), targets
    )


@given(st.floats(-50.0, 50.0))
def test_wrapped_longitude_is_the_same_place(lon: float) -> None:
    wrapped = float(wrap_longitude(lon))
    assert -np.pi <= wrapped < np.pi
    assert np.cos(wrapped - lon) == pytest.approx(1.0)
    if -np.pi < lon < np.pi:
        assert wrapped == lon
