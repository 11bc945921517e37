"""The populated places that a nation warns, taken out of the world's table once and laid out for arithmetic.

A node makes one for the countries that it warns, and every look at a track uses it. What is warned together, a region,
is a prefecture or province, or by the rules a country or a single place. Rules of single areas are laid out with it.

    watch = watch_over(places, ("JP",))
    watch.point_m.shape                      # (2188, 3)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import radians
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noroshi.geo import places as geo_places
from noroshi.geo.frames import geodetic_to_ecef
from noroshi.geo.places import LANGUAGES, Country, PlaceTable
from noroshi.warning.rules import AreaRule, Granularity, WarningRules

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Region:
    """What is warned together: its country's code, and its name in English, Japanese and Korean.

    id and codes ((scheme, code), ...): of an agency's own area.
    """

    country: str
    name: str
    name_ja: str = ""
    name_ko: str = ""
    id: str = ""
    codes: tuple[tuple[str, str], ...] = ()

    def matches(self, pattern: str) -> bool:
        """Whether a rule's `match` means this region."""
        names = [f"{self.country}/{self.name}", f"{self.country}/{self.id}" if self.id else ""]
        names += [f"{scheme}:{code}" for scheme, code in self.codes]
        return any(fnmatchcase(name, pattern) for name in names if name)


@dataclass(frozen=True, slots=True)
class Terms:
    """What rules of single areas say, per region (r,): half-width m, distance of a fall m, probability, and of what."""

    half_width_m: Floats
    near_m: Floats
    probability: Floats
    on_pass: NDArray[np.bool_]
    on_fall: NDArray[np.bool_]


CELL_RAD = radians(4.0)
"""Width of the cells of the coarse search: of the order of a warned corridor."""


@dataclass(frozen=True, slots=True)
class Watch:
    """The places to warn, m of them, as columns; made by `lay_out`.

    point_m: (m, 3) on the ellipsoid, Earth-fixed; latitude_rad, longitude_rad: (m,); population: (m,) as published, to
    be shown; people: (m,) every resident once, to be added up; region: (m,) index into `regions`; names: (English,
    Japanese, Korean) per place. Of the coarse search: cell: (m,) index of each
    place's cell; centre_m: (c, 3) and radius_m: (c,) of a ball around the places of each cell. A row without a name is
    no place but a point of an own area. terms: where rules of single areas hold.
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
    terms: Terms | None = None

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


def watch_over(places: PlaceTable, countries: Iterable[str], rules: WarningRules | None = None) -> Watch:
    """The places of these countries (ISO 3166 alpha-2), regions of one name in one country taken as one."""
    rules = rules or WarningRules()
    wanted = frozenset(countries)
    listed = places.region_list
    named = {i: _region(listed[i]) for i in range(len(listed)) if listed[i].country.alpha2 in wanted}
    inside = np.zeros(len(listed), np.bool_)
    inside[list(named)] = True
    rows = np.flatnonzero(inside[places.region_index])
    regions, region = _grouped(places, rows, named, rules)
    laid = lay_out(
        places.latitude_rad[rows],
        places.longitude_rad[rows],
        places.population[rows],
        places.people[rows],
        region,
        regions,
        [(places.names[i], places.names_ja[i], places.names_ko[i]) for i in rows.tolist()],
    )
    return on_terms(laid, rules)


def on_terms(watch: Watch, rules: WarningRules) -> Watch:
    """The watch with the rules of single areas laid out per region; itself where there are none."""
    if not rules.area_rules:
        return watch
    found = [_rule_for(region, rules.area_rules) for region in watch.regions]

    def column(field: str, otherwise: float) -> Floats:
        values = [getattr(rule, field) if rule is not None else None for rule in found]
        return np.array([otherwise if value is None else value for value in values], np.float64)

    terms = Terms(
        half_width_m=column("pass_half_width_m", rules.pass_half_width_m),
        near_m=column("fall_near_m", rules.near_m),
        probability=column("warn_probability", rules.warn_probability),
        on_pass=np.array([rule is None or "pass" in rule.kinds for rule in found], np.bool_),
        on_fall=np.array([rule is None or "fall" in rule.kinds for rule in found], np.bool_),
    )
    return replace(watch, terms=terms)


def _country(country: Country) -> Region:
    en, ja, ko = (country.named(language) for language in LANGUAGES)
    return Region(country.alpha2, en, ja, ko)


def _rule_for(region: Region, rules: Sequence[AreaRule]) -> AreaRule | None:
    return next((rule for rule in rules if region.matches(rule.match)), None)


def _grouped(
    places: PlaceTable, rows: NDArray[np.intp], named: dict[int, Region], rules: WarningRules
) -> tuple[tuple[Region, ...], Ints]:
    """What is warned together, and the index of it for each of these rows of the table."""
    usual: Granularity = rules.granularity or "region"
    names = {region.country.alpha2: region.country for region in places.region_list}
    size: dict[int, Granularity] = {}
    for i, region in named.items():
        rule = _rule_for(region, [one for one in rules.area_rules if one.granularity is not None])
        size[i] = rule.granularity if rule is not None and rule.granularity is not None else usual
    wholes = {
        i: _country(names[region.country]) if size[i] == "country" else region for i, region in named.items()
    }
    listed = places.region_index[rows].tolist()
    single = [size[i] == "place" for i in listed]
    twice = Counter(
        (named[i].country, places.names[row])
        for i, row, one in zip(listed, rows.tolist(), single, strict=True)
        if one
    )
    numbers: dict[object, int] = {}
    regions: list[Region] = []
    group = np.empty(len(rows), np.int64)
    for place, (i, row, one) in enumerate(zip(listed, rows.tolist(), single, strict=True)):
        key: object = (row,) if one else wholes[i]
        if key not in numbers:
            numbers[key] = len(regions)
            regions.append(_place_region(places, row, named[i], twice) if one else wholes[i])
        group[place] = numbers[key]
    return tuple(regions), group


def _place_region(places: PlaceTable, row: int, region: Region, twice: Counter[tuple[str, str]]) -> Region:
    """A single place as what is warned; where its name is there more than once, with its region's and its row."""
    name = places.names[row]
    if twice[region.country, name] > 1:
        return Region(
            region.country, f"{name} ({region.name}, {row})", places.names_ja[row], places.names_ko[row]
        )
    return Region(region.country, name, places.names_ja[row], places.names_ko[row])


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
    en, ja, ko = (region.label(language) for language in LANGUAGES)
    return Region(region.country.alpha2, en, ja, ko)
