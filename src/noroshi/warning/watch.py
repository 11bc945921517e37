"""The populated places that a nation warns, taken out of the world's table once and laid out for arithmetic.

A node makes one for the countries that it warns, and every look at a track uses it.

    watch = watch_over(places, ("JP",))
    watch.point_m.shape                      # (2188, 3)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import radians
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noroshi.geo import places as geo_places
from noroshi.geo.frames import geodetic_to_ecef
from noroshi.geo.places import LANGUAGES, PlaceTable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Region:
    """A prefecture, province or state: its country's code, and its name in English, Japanese and Korean."""

    country: str
    name: str
    name_ja: str = ""
    name_ko: str = ""


CELL_RAD = radians(4.0)
"""Width of the cells of the coarse search: of the order of a warned corridor."""


@dataclass(frozen=True, slots=True)
class Watch:
    """The places to warn, m of them, as columns; made by `lay_out`.

    point_m: (m, 3) on the ellipsoid, Earth-fixed; latitude_rad, longitude_rad: (m,); population: (m,) as published, to
    be shown; people: (m,) every resident once, to be added up; region: (m,) index into `regions`; names: (English,
    Japanese, Korean) per place. Of the coarse search: cell: (m,) index of each
    place's cell; centre_m: (c, 3) and radius_m: (c,) of a ball around the places of each cell.
    """

    point_m: Floats
    latitude_rad: Floats
    longitude_rad: Floats
    population: Ints
    people: Ints
    region: Ints
    regions: tuple[Region, ...]
    names: Sequence[tuple[str, str, str]]
    cell: Ints
    centre_m: Floats
    radius_m: Floats

    def __len__(self) -> int:
        return len(self.people)

    def near(self, point_m: Floats, reach_m: Floats) -> Ints:
        """Indices of the places within `reach_m` (k,) of any of the points (k, 3), and some more around them."""
        gap = self.centre_m[:, None, :] - point_m[None, :, :]
        limit = self.radius_m[:, None] + reach_m[None, :]
        cells = (np.einsum("ckj,ckj->ck", gap, gap) <= limit**2).any(axis=1)
        some = np.flatnonzero(cells[self.cell]).astype(np.int64)
        square = np.einsum("ij,ij->i", self.point_m[some], self.point_m[some])
        bound = reach_m**2 - np.einsum("ij,ij->i", point_m, point_m)
        inside = square[:, None] - self.point_m[some] @ (2.0 * point_m.T) <= bound
        return np.asarray(some[inside.any(axis=1)], np.int64)


def watch_over(places: PlaceTable, countries: Iterable[str]) -> Watch:
    """The places of these countries (ISO 3166 alpha-2), regions of one name in one country taken as one."""
    wanted = frozenset(countries)
    listed = places.region_list
    named = {i: _region(listed[i]) for i in range(len(listed)) if listed[i].country.alpha2 in wanted}
    numbers = {region: i for i, region in enumerate(dict.fromkeys(named.values()))}
    number_of = np.full(len(listed), -1, np.int64)
    for i, region in named.items():
        number_of[i] = numbers[region]
    rows = np.flatnonzero(number_of[places.region_index] >= 0)
    return lay_out(
        places.latitude_rad[rows],
        places.longitude_rad[rows],
        places.population[rows],
        places.people[rows],
        number_of[places.region_index[rows]],
        tuple(numbers),
        [(places.names[i], places.names_ja[i], places.names_ko[i]) for i in rows.tolist()],
    )


def lay_out(
    latitude_rad: Floats,
    longitude_rad: Floats,
    population: NDArray[np.integer[Any]],
    people: NDArray[np.integer[Any]],
    region: Ints,
    regions: tuple[Region, ...],
    names: Sequence[tuple[str, str, str]],
) -> Watch:
    """A watch over these places: columns of equal length, `region` an index into `regions`."""
    point_m = geodetic_to_ecef(latitude_rad, longitude_rad)
    rows = np.floor(latitude_rad / CELL_RAD).astype(np.int64)
    columns = np.floor(longitude_rad / CELL_RAD).astype(np.int64)
    _, cell = np.unique(rows * 1000 + columns, return_inverse=True)
    count = int(cell.max()) + 1 if len(cell) else 0
    size = np.maximum(np.bincount(cell, minlength=count), 1)
    centre_m = np.stack([np.bincount(cell, point_m[:, i], count) / size for i in range(3)], axis=-1)
    radius_m = np.zeros(count)
    np.maximum.at(radius_m, cell, np.linalg.norm(point_m - centre_m[cell], axis=1))
    return Watch(
        point_m,
        latitude_rad,
        longitude_rad,
        population.astype(np.int64),
        people.astype(np.int64),
        region.astype(np.int64),
        regions,
        names,
        cell.astype(np.int64),
        centre_m,
        radius_m,
    )


def _region(region: geo_places.Region) -> Region:
    return Region(region.country.alpha2, *(region.label(language) for language in LANGUAGES))
