"""The file of reported flights: YAML, a list of them at the top or under `flights:`, each with fields of its own.

rows = read_flights("flights.yaml")
rows[0].fields["by"], rows[0].flight.range_km
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from noroshi.documents import Document, Path, fail
from noroshi.service.listed_file import read_listed
from noroshi.tracking.flights import AZIMUTH_DEG, LAUNCH_LAT_DEG, LAUNCH_LON_DEG, Flight

NUMBERS = ("range_km", "apogee_km", "time_min")
PLACE = {"launch_lat_deg": LAUNCH_LAT_DEG, "launch_lon_deg": LAUNCH_LON_DEG, "azimuth_deg": AZIMUTH_DEG}
"""Where a flight began and whither; fields that a row may leave out, with what is then taken."""


@dataclass(frozen=True, slots=True)
class ReportedFlight:
    """One row: its fields as they stand in the file, and what is judged of them."""

    fields: dict[str, Any]
    flight: Flight


def read_flights(file: str) -> tuple[ReportedFlight, ...]:
    """All flights of a file. Raises InputError naming line and field; other fields and lists in the file are let be."""
    document = read_listed(file, "flights")
    return tuple(_flight(document, ("flights", i)) for i in range(len(document.data["flights"])))


def _flight(document: Document, path: Path) -> ReportedFlight:
    fields = document.data["flights"][path[1]]
    if not isinstance(fields, dict):
        fail(document, path, "a flight is a mapping of fields", f"give {', '.join(NUMBERS)}")
    values = [_number(document, path, fields, name) for name in NUMBERS]
    place = {name: _number(document, path, fields, name) for name in PLACE if name in fields}
    for name, limit in (("launch_lat_deg", 90.0), ("launch_lon_deg", 360.0), ("azimuth_deg", 360.0)):
        if abs(place.get(name, 0.0)) > limit:
            fail(document, (*path, name), f"{place[name]:g} cannot be", f"give degrees within +-{limit:g}")
    floor, kind = fields.get("floor", False), fields.get("kind", "")
    if not isinstance(floor, bool):
        fail(
            document, (*path, "floor"), "it is neither true nor false", 'true where the apogee is "more than"'
        )
    if not isinstance(kind, str):
        fail(document, (*path, "kind"), "it is not a text", "for example ballistic")
    where = [place.get(name, usual) for name, usual in PLACE.items()]
    return ReportedFlight(fields, Flight(values[0], values[1], values[2], floor, kind, *where))


def _number(document: Document, path: Path, fields: dict[str, Any], name: str) -> float:
    if name not in fields:
        fail(document, (*path, name), "the field is missing", f"a flight has {', '.join(NUMBERS)}")
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        fail(document, (*path, name), f"{value!r} is not a number", "give a number")
    return float(value)
