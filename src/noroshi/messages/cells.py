"""The fixed grid of reduced editions: cells of about one size all over the Earth, the same for everybody.

A grid has a number of rows of latitude from the south pole to the north pole, all of one height. A row is divided into
as many columns as make its cells about as wide as they are high; the first and the last row are one round cell each,
about their pole. Columns begin at longitude 0 and go east, so none begins or ends at the date line by rule: longitudes
are compared round the Earth. A cell is two whole numbers, which are the same on every machine.

    row, column = cell_of(0.71, 2.44, rows=180)
    centre(180, row, column)                        # latitude and longitude of its middle, rad
"""

from __future__ import annotations

from math import cos, floor, pi

COARSEST_ROWS = 18
"""Cells of 10 degrees, 1,100 km: coarser ones say nothing that helps anybody."""

FINEST_ROWS = 720
"""Cells of a quarter of a degree, 28 km: finer ones begin to show how well a sensor measures."""

_CAP_CORNERS = 12


def columns(rows: int, row: int) -> int:
    """How many cells there are in a row: 1 at the poles."""
    if row in (0, rows - 1):
        return 1
    return max(1, round(2 * rows * cos(_middle(rows, row))))


def is_cell(rows: int, row: int, column: int) -> bool:
    """Whether a grid with so many rows is used at all and has this cell."""
    return COARSEST_ROWS <= rows <= FINEST_ROWS and 0 <= row < rows and 0 <= column < columns(rows, row)


def cell_of(latitude_rad: float, longitude_rad: float, rows: int) -> tuple[int, int]:
    """Row and column of the cell that holds a point. Latitude -pi/2 to pi/2 rad; any longitude, rad."""
    row = min(rows - 1, max(0, floor((latitude_rad / pi + 0.5) * rows)))
    count = columns(rows, row)
    return row, floor((longitude_rad / (2 * pi)) % 1.0 * count) % count


def centre(rows: int, row: int, column: int) -> tuple[float, float]:
    """Latitude and longitude of a cell's middle, rad, longitude in [-pi, pi); of a round cell its pole."""
    if row in (0, rows - 1):
        return (-pi / 2 if row == 0 else pi / 2), 0.0
    return _middle(rows, row), _wrapped((column + 0.5) * 2 * pi / columns(rows, row))


def outline(rows: int, row: int, column: int) -> list[list[float]]:
    """A closed ring round the cell, [latitude, longitude] rad; longitudes go on past pi beyond the date line."""
    south, north = ((row + more) * pi / rows - pi / 2 for more in (0, 1))
    if row in (0, rows - 1):
        edge = north if row == 0 else south
        ring = [[edge, corner * 2 * pi / _CAP_CORNERS - pi] for corner in range(_CAP_CORNERS)]
        return [*ring, ring[0]]
    half = pi / columns(rows, row)
    middle = centre(rows, row, column)[1]
    west, east = middle - half, middle + half
    return [[south, west], [south, east], [north, east], [north, west], [south, west]]


def is_near(
    latitude_rad: float, longitude_rad: float, cell: tuple[int, int], rows: int, margin: float
) -> bool:
    """Whether a point lies in a cell, or outside it by no more than `margin` cells on any side."""
    row, column = cell
    place = (latitude_rad / pi + 0.5) * rows
    if not row - margin <= place <= row + 1 + margin:
        return False
    if row in (0, rows - 1):
        return True
    middle = centre(rows, row, column)[1]
    off = abs(_wrapped(longitude_rad - middle))
    return off <= (0.5 + margin) * 2 * pi / columns(rows, row)


def _middle(rows: int, row: int) -> float:
    return (row + 0.5) * pi / rows - pi / 2


def _wrapped(longitude_rad: float) -> float:
    return (longitude_rad + pi) % (2 * pi) - pi
