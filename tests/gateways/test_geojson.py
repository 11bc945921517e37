"""Degrees for maps."""

from __future__ import annotations

from math import pi, radians

from hypothesis import given
from hypothesis import strategies as st

from noroshi.gateways.geojson import point_deg, rings_deg


def test_longitude_first_five_decimals_same_order() -> None:
    ring = [
        [radians(41.0), radians(140.123456)],
        [radians(42.0), radians(141.0)],
        [radians(41.0), radians(140.123456)],
    ]
    assert rings_deg([ring]) == [[[140.12346, 41.0], [141.0, 42.0], [140.12346, 41.0]]]
    assert rings_deg([]) == []


def test_the_date_line_keeps_its_side_and_more_than_a_turn_comes_back() -> None:
    assert point_deg(0.0, pi) == [180.0, 0.0]
    assert point_deg(0.0, -pi) == [-180.0, 0.0]
    assert point_deg(0.0, radians(190.0)) == [-170.0, 0.0]
    assert point_deg(0.0, radians(-190.0)) == [170.0, 0.0]


def test_no_negative_zero() -> None:
    assert str(point_deg(-1e-12, -1e-12)) == "[0.0, 0.0]"


@given(st.floats(-pi / 2, pi / 2), st.floats(-2 * pi, 2 * pi))
def test_always_on_the_map(lat: float, lon: float) -> None:
    longitude, latitude = point_deg(lat, lon)
    assert abs(longitude) <= 180.0
    assert abs(latitude) <= 90.0
