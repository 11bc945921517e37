"""Areas: the same answers as a slow distance test, at the antimeridian and the poles as anywhere else."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from noroshi.geo import (
    MEAN_RADIUS_M,
    Area,
    AreaError,
    RingError,
    TangledError,
    circle,
    corridor,
    destination,
    distance_m,
    ellipse,
    from_rings_deg,
    hull_of_ring_deg,
    intersection,
    inverse,
    off_track,
    union,
)

Floats = NDArray[np.float64]


def around(lat: float, lon: float, reach_m: float, count: int, seed: int = 1) -> tuple[Floats, Floats]:
    """Random points up to `reach_m` from a point."""
    rng = np.random.default_rng(seed)
    ones = np.ones(count)
    return destination(
        lat * ones, lon * ones, rng.uniform(0, 2 * np.pi, count), reach_m * np.sqrt(rng.uniform(0, 1, count))
    )


def check_form(area: Area) -> None:
    """What every area keeps: closed plain rings within +-180, anticlockwise, none overlapping another."""
    shapes = []
    for ring in area.to_rings_deg(digits=9):
        assert ring[0] == ring[-1]
        lon, lat = np.array(ring).T
        assert np.abs(lon).max() <= 180.0
        assert np.abs(lat).max() <= 90.0
        shape = shapely.Polygon(ring)
        assert shape.is_valid
        assert shape.exterior.is_ccw
        shapes.append(shape)
    for i, one in enumerate(shapes):
        assert all(one.intersection(other).area < 1e-9 for other in shapes[i + 1 :])


# Circles -------------------------------------------------------------------------------------------------


@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.floats(1e3, 9e6),
    st.floats(0.0, 2 * np.pi),
    st.floats(0.0, 1.9),
)
def test_a_circle_holds_what_is_nearer_than_its_radius(
    lat: float, lon: float, radius_m: float, azimuth: float, share: float
) -> None:
    area = circle(np.radians(lat), np.radians(lon), radius_m)
    point = destination(np.radians(lat), np.radians(lon), azimuth, share * radius_m)
    if abs(share - 1.0) > 0.003:
        assert area.contains(*point).tolist() == [share < 1.0]
    assert area.contains(np.radians(lat), np.radians(lon))[0]
    check_form(area)


@pytest.mark.parametrize("pole", [90.0, -90.0])
@pytest.mark.parametrize(("lat", "radius_m"), [(89.0, 500e3), (90.0, 100e3), (60.0, 5000e3), (80.0, 2000e3)])
def test_a_circle_around_a_pole_holds_that_pole_only(pole: float, lat: float, radius_m: float) -> None:
    area = circle(np.radians(np.copysign(lat, pole)), np.radians(135.0), radius_m)
    held = area.contains(np.radians([pole] * 4 + [-pole] * 4), np.radians([0.0, 90.0, 180.0, -180.0] * 2))
    assert held.tolist() == [True] * 4 + [False] * 4
    check_form(area)
    assert area.boxes_rad[:, 1].min() == pytest.approx(-np.pi)
    assert area.boxes_rad[:, 3].max() == pytest.approx(np.pi)


@pytest.mark.parametrize("miss_m", [-10.0, 0.0, 0.1, 10.0])
def test_a_circle_that_all_but_touches_the_pole(miss_m: float) -> None:
    lat = np.radians(85.0)
    radius_m = float(distance_m(lat, 0.3, np.pi / 2, 0.3)[0]) + miss_m
    area = circle(lat, 0.3, radius_m)
    check_form(area)
    assert area.area_m2() == pytest.approx(
        2 * np.pi * MEAN_RADIUS_M**2 * (1 - np.cos(radius_m / MEAN_RADIUS_M)), rel=0.01
    )
    lats, lons = around(np.pi / 2, 0.0, 1.9 * radius_m, 2000)
    away = distance_m(lats, lons, np.full(2000, lat), np.full(2000, 0.3))
    clear = np.abs(away / radius_m - 1.0) > 0.003
    assert (area.contains(lats, lons) == (away < radius_m))[clear].all()


def test_a_circle_on_the_antimeridian_has_a_ring_on_either_side() -> None:
    area = circle(0.0, np.radians(179.0), 500e3)
    boxes = np.degrees(area.boxes_rad)
    assert sorted(boxes[:, 1].round(1)) == [-180.0, 174.5]
    assert sorted(boxes[:, 3].round(1)) == [-176.5, 180.0]
    # Points given with any turn, and on the cut itself.
    held = area.contains(np.zeros(6), np.radians([180.0, -180.0, 181.0, -181.0, 539.0, 184.0]))
    assert held.tolist() == [True] * 5 + [False]


def test_surface_of_a_circle() -> None:
    assert circle(0.6, 2.4, 300e3).area_m2() == pytest.approx(np.pi * 300e3**2, rel=1e-3)


def test_surface_of_the_whole_earth() -> None:
    globe = from_rings_deg([[(-180, -90), (180, -90), (180, 90), (-180, 90)]])
    assert globe.area_m2() == pytest.approx(510_065_621_724_089, rel=1e-9)
    assert globe.contains([np.pi / 2, 0.0, -np.pi / 2], [0.0, np.pi, -3.0]).all()


@pytest.mark.parametrize("radius_m", [0.0, -1.0, 1e7, np.nan, np.inf])
def test_a_circle_of_no_sense_is_refused(radius_m: float) -> None:
    with pytest.raises(AreaError, match="a size is not between"):
        circle(0.0, 0.0, radius_m)


# Ellipses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lat", "lon"), [(41.0, 141.0), (-20.0, 179.9), (88.5, 10.0)])
@pytest.mark.parametrize("probability", [0.5, 0.95])
def test_an_ellipse_holds_its_probability(lat: float, lon: float, probability: float) -> None:
    covariance = np.array([[9e9, 4e9], [4e9, 5e9]])
    area = ellipse(np.radians(lat), np.radians(lon), covariance, probability)
    check_form(area)
    east, north = np.random.default_rng(11).multivariate_normal([0, 0], covariance, 20_000).T
    ones = np.ones(len(east))
    points = destination(
        np.radians(lat) * ones, np.radians(lon) * ones, np.arctan2(east, north), np.hypot(east, north)
    )
    assert area.contains(*points).mean() == pytest.approx(probability, abs=0.01)


def test_an_ellipse_lies_along_its_greater_axis() -> None:
    area = ellipse(0.0, 1.0, np.diag([1e10, 1e8]), 0.9)
    south, west, north, east = area.boxes_rad[0]
    assert (east - west) / (north - south) == pytest.approx(10.0, rel=0.02)


@pytest.mark.parametrize(
    ("covariance", "probability", "cause"),
    [
        (np.eye(3), 0.5, "not a symmetric 2 x 2"),
        ([[1e8, 1e7], [0.0, 1e8]], 0.5, "not a symmetric 2 x 2"),
        ([[1e8, 2e8], [2e8, 1e8]], 0.5, "not positive definite"),
        (np.full((2, 2), np.nan), 0.5, "not a symmetric 2 x 2"),
        (np.eye(2) * 1e8, 1.0, "probability 1.0"),
        (np.eye(2) * 1e8, 0.0, "probability 0.0"),
        (np.eye(2) * 1e14, 0.9, "a size is not between"),
    ],
)
def test_an_ellipse_of_no_sense_is_refused(covariance: Floats, probability: float, cause: str) -> None:
    with pytest.raises(AreaError, match=cause):
        ellipse(0.0, 0.0, covariance, probability)


# Corridors -----------------------------------------------------------------------------------------------

PATHS_DEG = {
    "over Japan": (40.97, 126.6, 78.0, 4.6e6),
    "across the antimeridian": (35.0, 165.0, 80.0, 4e6),
    "over the north pole": (75.0, 20.0, 5.0, 4e6),
    "through the very pole": (80.0, 20.0, 0.0, 3e6),
    "by the south pole": (-70.0, -179.0, 170.0, 4e6),
    "up the antimeridian": (-20.0, 180.0, 0.0, 4e6),
}


@pytest.mark.parametrize("path", PATHS_DEG.values(), ids=PATHS_DEG)
@pytest.mark.parametrize("vertices", [2, 40])
def test_a_corridor_holds_what_lies_within_its_half_width(
    path: tuple[float, float, float, float], vertices: int
) -> None:
    lat, lon, azimuth = np.radians(path[:3])
    ones = np.ones(vertices)
    line = destination(lat * ones, lon * ones, azimuth * ones, np.linspace(0.0, path[3], vertices))
    area = corridor(*line, 100e3)
    check_form(area)
    middle = destination(lat, lon, azimuth, path[3] / 2)
    points = around(middle[0][0], middle[1][0], 0.7 * path[3], 4000)
    beside = around(middle[0][0], middle[1][0], 300e3, 1000)
    lats, lons = np.append(points[0], beside[0]), np.append(points[1], beside[1])
    away_m = np.abs(off_track(lats, lons, *line).cross_m)
    clear = np.abs(away_m / 100e3 - 1.0) > 0.005
    held = area.contains(lats, lons)
    assert (held == (away_m < 100e3))[clear].all()
    assert held.any()
    assert not held.all()
    assert area.area_m2() == pytest.approx(path[3] * 200e3 + np.pi * 100e3**2, rel=0.01)


def test_half_widths_change_evenly_along_the_line() -> None:
    area = corridor(np.zeros(2), np.radians([0.0, 20.0]), [50e3, 250e3])
    for share in (0.1, 0.5, 0.9):
        reach_deg = np.degrees((50e3 + share * 200e3) / 6_335_439.0)  # radius of the meridian at the equator
        lat = np.radians([reach_deg * 0.98, reach_deg * 1.03])
        assert area.contains(lat, np.radians([20.0 * share] * 2)).tolist() == [True, False]


def test_a_corridor_that_turns_back_on_itself_has_no_hole() -> None:
    lat, lon = np.radians([[0, 0], [0, 4], [4, 4], [4, 0], [0, 0]]).T
    area = corridor(lat, lon, 60e3)
    assert area.contains(np.radians(2.0), np.radians(2.0))[0]
    assert len(area.rings) == 1


def test_a_corridor_of_one_vertex_is_a_disc() -> None:
    assert corridor(0.5, 1.0, 40e3).area_m2() == pytest.approx(circle(0.5, 1.0, 40e3).area_m2())


def test_a_repeated_vertex_does_no_harm() -> None:
    lat, lon = np.radians([[10, 10], [10, 10], [11, 11]]).T
    plain = corridor(lat[1:], lon[1:], 50e3)
    assert corridor(lat, lon, 50e3).area_m2() == pytest.approx(plain.area_m2(), rel=1e-3)


def test_the_same_corridor_has_the_same_rings() -> None:
    lat, lon = np.radians([[35, 170], [38, -170], [36, -150]]).T
    assert corridor(lat, lon, 90e3).to_rings_deg() == corridor(lat, lon, 90e3).to_rings_deg()


@pytest.mark.parametrize(
    ("lat", "lon", "width", "cause"),
    [
        ([], [], 1e3, "not columns of one length"),
        ([0.0, 1.0], [0.0], 1e3, "not columns of one length"),
        ([0.0, 0.1], [0.0, 0.1], [1e3, 1e3, 1e3], "do not fit 2 vertices"),
        ([0.0, 0.1], [0.0, 0.1], [1e3, 0.0], "a size is not between"),
    ],
)
def test_a_corridor_of_no_sense_is_refused(
    lat: list[float], lon: list[float], width: float, cause: str
) -> None:
    with pytest.raises(AreaError, match=cause):
        corridor(lat, lon, width)


# Rings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "area",
    [circle(0.7, 2.4, 4e5), circle(0.2, np.pi, 4e5), circle(1.5, 0.3, 1e6), circle(-1.56, 3.0, 1e6)],
    ids=["plain", "antimeridian", "north pole", "south pole"],
)
def test_rings_there_and_back(area: Area) -> None:
    back = from_rings_deg(area.to_rings_deg(digits=12))
    assert back.area_m2() == pytest.approx(area.area_m2(), rel=1e-9)
    assert back.to_rings_deg(digits=7) == area.to_rings_deg(digits=7)


def test_a_ring_that_jumps_crosses_the_antimeridian() -> None:
    area = from_rings_deg([[(179, -1), (-179, -1), (-179, 1), (179, 1)]])
    check_form(area)
    held = area.contains(np.zeros(4), np.radians([179.5, -179.5, 180.0, 0.0]))
    assert held.tolist() == [True, True, True, False]
    assert from_rings_deg([[(179, -1), (181, -1), (181, 1), (179, 1)]]).to_rings_deg() == area.to_rings_deg()


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_ring_around_the_earth_holds_the_pole_of_its_side(side: float) -> None:
    area = from_rings_deg([[(lon, side * 70.0) for lon in (-180, -90, 0, 90, 180)]])
    check_form(area)
    held = area.contains(
        np.radians([side * 90, side * 75, side * 65, -side * 90]), np.radians([12, 100, 100, 0])
    )
    assert held.tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("rings", "cause"),
    [
        ([], "enclose no surface"),
        ([[(0, 0), (1, 1)]], "at least three"),
        ([[(0, 0), (1, 1), (2, 2)]], "enclose no surface"),
        ([[(0, 0), (1, 91), (2, 0)]], "latitude"),
        ([[(0, 0), (1, float("nan")), (2, 0)]], "latitude"),
        ([[(0, 0, 5), (1, 1, 5), (2, 0, 5)]], "at least three"),
    ],
)
def test_rings_without_surface_are_refused(rings: list[list[tuple[float, float]]], cause: str) -> None:
    with pytest.raises(RingError, match=cause):
        from_rings_deg(rings)


def test_a_ring_that_crosses_itself_keeps_what_it_encloses() -> None:
    area = from_rings_deg([[(0, 0), (2, 2), (2, 0), (0, 2)]])
    check_form(area)
    assert area.contains(np.radians([1.0, 1.0]), np.radians([0.3, 1.7])).all()


def test_holes_are_filled() -> None:
    ring = [(0, 0), (10, 0), (10, 10), (0, 10)]
    left = [(0, 0), (6, 0), (6, 2), (2, 2), (2, 8), (6, 8), (6, 10), (0, 10)]
    right = [(10, 0), (10, 10), (6, 10), (6, 8), (8, 8), (8, 2), (6, 2), (6, 0)]
    assert from_rings_deg([left, right]).area_m2() == pytest.approx(from_rings_deg([ring]).area_m2())


def test_thinned_rings_have_fewer_vertices() -> None:
    area = circle(0.7, 2.4, 4e5)
    full, thin = area.to_rings_deg()[0], area.to_rings_deg(tolerance_deg=0.05)[0]
    assert len(thin) < len(full) / 3
    assert thin[0] == thin[-1]


# Together ------------------------------------------------------------------------------------------------


def test_union_and_intersection() -> None:
    one, other = circle(0.0, np.pi, 3e5), circle(0.0, np.pi - 0.05, 3e5)
    both, either = intersection(one, other), union([one, other])
    check_form(both)
    check_form(either)
    assert both.area_m2() + either.area_m2() == pytest.approx(one.area_m2() + other.area_m2(), rel=1e-6)
    assert intersection(one, circle(0.0, 0.0, 3e5)).is_empty


def test_the_empty_area_holds_nothing() -> None:
    empty = union([])
    assert empty.is_empty
    assert not empty.contains([0.0, 1.0], [0.0, 1.0]).any()
    assert empty.to_rings_deg() == []
    assert empty.area_m2() == 0.0
    assert empty.boxes_rad.shape == (0, 4)
    assert union([empty, circle(0.0, 0.0, 1e4)]).area_m2() > 0.0
    assert intersection(empty, circle(0.0, 0.0, 1e4)).is_empty


@given(
    st.floats(-89.9, 89.9), st.floats(-180, 180), st.floats(0, 360), st.floats(1e5, 5e6), st.floats(2e4, 4e5)
)
def test_a_corridor_holds_its_own_line(
    lat: float, lon: float, azimuth: float, length_m: float, width_m: float
) -> None:
    ones = np.ones(12)
    start = np.radians([lat, lon, azimuth])
    line = destination(start[0] * ones, start[1] * ones, start[2] * ones, np.linspace(0.0, length_m, 12))
    area = corridor(*line, width_m)
    check_form(area)
    assert area.contains(*line).all()
    _, bearing, _ = inverse(line[0][5], line[1][5], line[0][6], line[1][6])
    for side in (-np.pi / 2, np.pi / 2):
        inside = destination(line[0][5], line[1][5], bearing + side, 0.97 * width_m)
        outside = destination(line[0][5], line[1][5], bearing + side, 1.03 * width_m)
        assert area.contains(*inside)[0]
        assert not area.contains(*outside)[0]


def star(corners: int) -> list[tuple[float, float]]:
    turns = 2.4 * np.arange(corners)
    return [
        (float(lon), float(lat))
        for lon, lat in zip(141 + 3 * np.cos(turns), 40 + 3 * np.sin(turns), strict=True)
    ]


def test_a_knot_is_refused_at_once_and_a_slip_of_a_hand_is_made_whole() -> None:
    for corners in (50, 4000):
        with pytest.raises(TangledError):
            from_rings_deg([star(corners)])
        assert hull_of_ring_deg(star(corners)).contains(np.radians(40.0), np.radians(141.0))
    assert not from_rings_deg([star(5)]).is_empty
    with pytest.raises(TangledError):
        from_rings_deg([[((100.0 * i) % 360.0 - 180.0, 0.01 * i) for i in range(2000)]])
    pole = [(-180.0 + 1.2 * i, 80.0 + 3.0 * float(np.sin(2.1 * i))) for i in range(300)]
    assert from_rings_deg([pole]).contains(np.radians(89.0), 0.0)
    with pytest.raises(RingError):
        hull_of_ring_deg([(0.0, 0.0), (120.0, 0.0), (-120.0, 0.0), (0.0, 1.0)])
