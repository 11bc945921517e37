"""GeoJSON for the tests of own areas: squares, written here."""

from __future__ import annotations

import json
from typing import Any

EXPIRES = "2027-03-31T15:00:00Z"


def box(west: float, south: float, east: float, north: float) -> list[list[float]]:
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def feature(identity: str, *rings: list[list[float]], **properties: Any) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": identity,
        "properties": {"name": f"Area {identity}", **properties},
        "geometry": {"type": "Polygon", "coordinates": list(rings)},
    }


def collection(*features: dict[str, Any], **members: Any) -> str:
    head = {"type": "FeatureCollection", "agency": "Test agency", "expires": EXPIRES, **members}
    lines = ",\n".join(json.dumps(one, ensure_ascii=False) for one in features)
    return f'{json.dumps(head)[:-1]},\n"features": [\n{lines}\n]}}\n'
