"""The fixed grid: every point in one cell, cells of about one size, nothing special at the date line or a pole."""

from __future__ import annotations

from math import asin, cos, pi, sin

from hypothesis import given
from hypothesis import strategies as st

from noroshi.messages.cells import (
    COARSEST_ROWS,
    FINEST_ROWS,
    cell_of,
    centre,
    columns,
    is_cell,
    is_near,
    outline,
)

ROWS = st.integers(COARSEST_ROWS, FINEST_ROWS)
LATITUDES = st.floats(-pi / 2, pi / 2)
LONGITUDES = st.floats(-pi, pi)


@given(LATITUDES, LONGITUDES, ROWS)
def test_a_point_is_in_its_cell_however_its_longitude_is_counted(
    latitude: float, longitude: float, rows: int
) -> None:
    row, column = cell_of(latitude, longitude, rows)
    assert is_cell(rows, row, column)
    for turns in (-1, 0, 1):
        assert is_near(latitude, longitude + turns * 2 * pi, (row, column), rows, 1e-6)


@given(ROWS, st.data())
def test_the_middle_of_a_cell_is_in_it_and_its_outline_closed(rows: int, data: st.DataObject) -> None:
    row = data.draw(st.integers(0, rows - 1))
    column = data.draw(st.integers(0, columns(rows, row) - 1))
    assert cell_of(*centre(rows, row, column), rows) == (row, column)
    ring = outline(rows, row, column)
    assert ring[0] == ring[-1]
    assert all(abs(lat) <= pi / 2 + 1e-9 and abs(lon) <= 2 * pi for lat, lon in ring)


def test_the_two_sides_of_the_date_line_are_one_place() -> None:
    for rows in (18, 90, 180, 181, 360, 720):
        for latitude in (-1.2, 0.0, 0.5, 0.8):
            east, west = cell_of(latitude, pi, rows), cell_of(latitude, -pi, rows)
            assert east == west
            near = cell_of(latitude, -pi + 1e-4, rows)
            assert is_near(latitude, pi - 1e-4, near, rows, 0.5)


def test_a_pole_is_one_cell_whatever_its_longitude() -> None:
    for rows in (18, 180, 720):
        for pole, row in ((-pi / 2, 0), (pi / 2, rows - 1)):
            assert {cell_of(pole, longitude, rows) for longitude in (-3.0, 0.0, 1.0, 3.1)} == {(row, 0)}


def test_cells_are_of_about_one_size_everywhere() -> None:
    for rows in (18, 180, 360, 720):
        sizes = []
        for row in range(rows):
            south, north = ((row + more) * pi / rows - pi / 2 for more in (0, 1))
            sizes.append(2 * pi * (sin(north) - sin(south)) / columns(rows, row))
        whole = sum(size * columns(rows, row) for row, size in enumerate(sizes))
        assert abs(whole - 4 * pi) < 1e-9
        usual = (pi / rows) ** 2
        assert 0.85 * usual < min(sizes[1:-1]) <= max(sizes[1:-1]) < 1.15 * usual
        assert max(sizes) < 3.5 * usual


def test_the_number_of_columns_hangs_on_no_last_digit() -> None:
    """A machine that rounds a cosine otherwise must still count the same columns."""
    for rows in range(COARSEST_ROWS, FINEST_ROWS + 1):
        for row in range(1, rows - 1):
            exact = 2 * rows * cos((row + 0.5) * pi / rows - pi / 2)
            assert abs(exact % 1.0 - 0.5) > 1e-9


def test_near_is_measured_in_cells() -> None:
    rows, latitude = 180, asin(0.5)
    row, column = cell_of(latitude, 0.3, rows)
    middle = centre(rows, row, column)
    step, width = pi / rows, 2 * pi / columns(rows, row)
    for off, inside in ((0.9, True), (1.1, False)):
        assert is_near(middle[0] + off * step, middle[1], (row, column), rows, 0.5) is inside
        assert is_near(middle[0], middle[1] - off * width, (row, column), rows, 0.5) is inside
