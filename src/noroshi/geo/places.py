"""The world's populated places: what lies inside an area, in which regions, and how many people live there.

Rules: `decode` is pure, and refuses a table that is not whole; a table never changes. Rows are sorted by
country, region and falling population, so that the first row of a region is its largest place.
`population` is the figure as published for the place; `people` counts every resident once (a city's
districts that are listed as places too hold their own residents, and the city the rest): show the
first, add up the second. Names follow GeoNames and ISO 3166; they say nothing about whose a place is.

    table = decode(table_path().read_bytes())          # the reading is done by `service`
    inside = table.within(corridor(lat_rad, lon_rad, half_width_m))
    for row in table.regions(inside):
        print(row.region.name, row.people, table.names[row.largest[0]])
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from noroshi.geo.frames import MEAN_RADIUS_M, unit_vectors
from noroshi.geo.geodesic import distance_m
from noroshi.geo.placefile import refuse, unpack

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Indices = NDArray[np.intp]

LANGUAGES = ("en", "ja", "ko")
STEPS_PER_DEGREE = 10_000
"""Latitude and longitude are kept to 0.0001 degree, about 11 m: finer than the extent of any village."""

_SPHERE_MARGIN = 1.006
"""A sphere of mean radius gives distances up to 0.56 % longer or shorter than the ellipsoid."""


class Contains(Protocol):
    """An area: `noroshi.geo.Area`, or anything else that answers which points lie in it."""

    @property
    def boxes_rad(self) -> Floats:
        """(k, 4) south, west, north, east; longitudes within +-pi and west <= east. Together they cover it."""
        ...

    def contains(self, lat_rad: Floats, lon_rad: Floats) -> NDArray[np.bool_]:
        """(n,) True where the point lies in the area or on its border."""
        ...


@dataclass(frozen=True)
class Country:
    """A country or territory with a code of its own in ISO 3166."""

    alpha2: str
    alpha3: str
    name: str
    name_ja: str
    name_ko: str

    def named(self, language: str) -> str:
        """The name in `language` ("en", "ja", "ko"), English where the table has none."""
        return _named(self, language)


@dataclass(frozen=True)
class Region:
    """A first-level division (prefecture, province, state), or a named group of remote islands in it.

    `code` is unique: "JP.03", for island groups "JP.40.izu". `name` is the division's also for island groups;
    their own name is `part` ("Izu Islands"), empty elsewhere.
    """

    code: str
    country: Country
    name: str
    name_ja: str
    name_ko: str
    part: str = ""
    part_ja: str = ""
    part_ko: str = ""

    def named(self, language: str) -> str:
        """The division's name in `language`, English where the table has none."""
        return _named(self, language)

    def part_named(self, language: str) -> str:
        """The island group's name in `language`; empty for the division itself."""
        return {"ja": self.part_ja, "ko": self.part_ko}.get(language, "") or self.part

    def label(self, language: str = "en") -> str:
        """What a warning names: the island group where there is one, else the division."""
        return self.part_named(language) or self.named(language)


@dataclass(frozen=True)
class RegionRow:
    """The places of one region among those asked about.

    `people` counts residents once. `largest` are row indices by falling population, `indices` all of them.
    """

    region: Region
    people: int
    largest: tuple[int, ...]
    indices: Indices

    @property
    def country(self) -> Country:
        """The region's country."""
        return self.region.country


@dataclass(frozen=True, eq=False)
class PlaceTable:
    """All places as columns, one row per place; text columns are as long as the number columns.

    `latitude_rad`, `longitude_rad`: WGS-84, longitude within [-pi, pi]. `names_ja` and `names_ko` hold ""
    where the table has no name in that language. `region_index` points into `region_list`. `digest` is the SHA-256
    of the file's bytes, by which a node's record names the table that it was begun with.
    """

    latitude_rad: Floats
    longitude_rad: Floats
    population: Ints
    people: Ints
    names: Sequence[str]
    names_ja: Sequence[str]
    names_ko: Sequence[str]
    region_index: Ints
    region_list: tuple[Region, ...]
    attribution: str
    source: str
    digest: bytes = b""

    def __len__(self) -> int:
        return len(self.names)

    def name(self, index: int, language: str = "en") -> str:
        """The place's name in `language` ("en", "ja", "ko"), the international one where there is no other."""
        column = {"ja": self.names_ja, "ko": self.names_ko}.get(language, self.names)
        return column[index] or self.names[index]

    def region_of(self, index: int) -> Region:
        """The region of one place."""
        return self.region_list[int(self.region_index[index])]

    @cached_property
    def _vectors(self) -> Floats:
        return unit_vectors(self.latitude_rad, self.longitude_rad)

    def within(self, area: Contains) -> Indices:
        """Rows of the places inside `area` or on its border, ascending.

        Bounding boxes first (one pass over the columns for each), then the exact test for what is left.
        """
        maybe = np.zeros(len(self), dtype=bool)
        for south, west, north, east in area.boxes_rad:
            inside = (self.latitude_rad >= south) & (self.latitude_rad <= north)
            inside &= (self.longitude_rad >= west) & (self.longitude_rad <= east)
            maybe |= inside
        rows = np.flatnonzero(maybe)
        return rows[area.contains(self.latitude_rad[rows], self.longitude_rad[rows])]

    def near(self, lat_rad: float, lon_rad: float, radius_m: float) -> Indices:
        """Rows of the places at most `radius_m` (WGS-84 geodesic) from the point, nearest first.

        A scan of unit vectors settles most rows on the sphere; the geodesic decides the rest and the order.
        """
        reach_rad = min(np.pi, radius_m * _SPHERE_MARGIN / MEAN_RADIUS_M + 1e-9)
        here = unit_vectors(np.array([lat_rad]), np.array([lon_rad]))[0]
        # The chord, not the cosine: arccos loses the small angles of near places.
        chord_sq = 4.0 * np.sin(reach_rad / 2.0) ** 2
        rows = np.flatnonzero(np.square(self._vectors - here).sum(axis=1) <= chord_sq)
        away_m = distance_m(
            np.full(len(rows), lat_rad),
            np.full(len(rows), lon_rad),
            self.latitude_rad[rows],
            self.longitude_rad[rows],
        )
        inside = away_m <= radius_m
        rows, away_m = rows[inside], away_m[inside]
        return rows[np.argsort(away_m, kind="stable")]

    def regions(self, indices: Indices, *, largest: int = 5) -> list[RegionRow]:
        """The given rows grouped by region, most people first; `largest` places are named in each.

        Ties are broken by the region's code, so that the order is always the same.
        """
        groups: list[RegionRow] = []
        ordered = np.unique(np.asarray(indices, dtype=np.intp))
        ordered = ordered[np.argsort(self.region_index[ordered], kind="stable")]
        edges = np.flatnonzero(np.diff(self.region_index[ordered])) + 1
        for rows in np.split(ordered, edges):
            if not len(rows):
                continue
            top = rows[np.argsort(-self.population[rows], kind="stable")][:largest]
            people = int(self.people[rows].sum(dtype=np.int64))
            groups.append(RegionRow(self.region_of(int(rows[0])), people, tuple(int(i) for i in top), rows))
        return sorted(groups, key=lambda row: (-row.people, row.region.code))


def decode(data: bytes) -> PlaceTable:
    """The table of the file's bytes. Raises PlaceTableError with what to do when they are not a whole table."""
    packed = unpack(data)
    try:
        numbers, texts = packed.numbers, packed.texts
        countries = {row[0]: Country(*row) for row in (line.split("\t") for line in texts["countries"])}
        regions = tuple(
            Region(code, countries[alpha2], *names)
            for code, alpha2, *names in (line.split("\t") for line in texts["regions"])
        )
        table = PlaceTable(
            latitude_rad=_radians(numbers["latitude"]),
            longitude_rad=_radians(numbers["longitude"]),
            population=numbers["population"],
            people=numbers["people"],
            names=texts["names"],
            names_ja=texts["names_ja"],
            names_ko=texts["names_ko"],
            region_index=numbers["region"],
            region_list=regions,
            attribution=packed.head["attribution"],
            source=packed.head["source"],
            digest=hashlib.sha256(data).digest(),
        )
    except (KeyError, TypeError) as error:
        raise refuse(f"a column is missing or has another form ({error})") from error
    lengths = {len(table), len(table.latitude_rad), len(table.longitude_rad), len(table.population)}
    lengths |= {len(table.people), len(table.names_ja), len(table.names_ko), len(table.region_index)}
    if lengths == {0} or len(lengths) != 1:
        raise refuse("its columns are empty or differ in length")
    if not 0 <= table.region_index.min() <= table.region_index.max() < len(regions):
        raise refuse("a place names a region that the table does not hold")
    return table


def _radians(steps: Ints) -> Floats:
    return np.radians(steps / STEPS_PER_DEGREE)


def _named(what: Country | Region, language: str) -> str:
    return {"ja": what.name_ja, "ko": what.name_ko}.get(language, "") or what.name
