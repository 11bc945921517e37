"""Files of an agency's own areas: read from the disk, checked, and summed up for people.

given = read_areas(Path("prefectures.geojson"))            # InputError names file, line and field
rows = described(given, places)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from noroshi.geo.places import PlaceTable
from noroshi.service.files import given_text
from noroshi.warning import AreaList, OwnArea, load_areas, surface_of

MAX_BYTES = 64_000_000
"""Of a file: twice what the reader takes in characters."""


@dataclass(frozen=True, slots=True)
class Described:
    """One area for a person: its size on the ground, the listed places inside, and who lives there."""

    area: OwnArea
    km2: float
    places: int
    people: int


def read_areas(path: Path) -> AreaList:
    """The list in a file. Raises InputError."""
    return load_areas(given_text(path, "give a GeoJSON file of areas", most=MAX_BYTES), str(path))


def areas_beside(file: str, named: Mapping[str, str]) -> dict[str, AreaList]:
    """The lists that partners of a scenario name, found beside its file; by partner. Raises InputError."""
    return {partner: read_areas(Path(file).parent / name) for partner, name in named.items() if name}


def described(given: AreaList, places: PlaceTable) -> list[Described]:
    """Each area of a list, in its order."""
    found = []
    for area in given.areas:
        surface = surface_of(area)
        rows = places.within(surface)
        people = int(places.people[rows].sum()) if area.people is None else area.people
        found.append(Described(area, surface.area_m2() / 1e6, len(rows), people))
    return found
