"""The file of sensors: YAML, a list at the top or under `sensors:`; refused by file, line and field.

    sensors = read_sensors("sensors.yaml")

A field that is not known is refused: a misspelt accuracy would be a wrong one.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import msgspec

from noroshi.documents import Document, Element, convert, fail
from noroshi.service.listed_file import read_listed
from noroshi.tracking.errors import SensorError
from noroshi.tracking.sensors import Sensor

MAX_SENSORS = 1000
"""More than any warning network has; each costs a row of every answer."""

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]


class SensorRow(Element, frozen=True):
    """One sensor as it stands in the file; a field with a default may be left out. Sigmas are standard deviations."""

    id: Name
    partner: Name
    kind: Literal["radar", "infrared"]
    lat_deg: float
    lon_deg: float
    height_m: float
    sigma_azimuth_rad: float
    sigma_elevation_rad: float
    sigma_range_m: float | None = None
    sigma_range_rate_mps: float | None = None
    clock_sigma_s: float = 0.0
    bias_range_m: float = 0.0
    bias_azimuth_rad: float = 0.0
    bias_elevation_rad: float = 0.0
    detection_probability: float | None = None
    false_alarms: float | None = None
    max_range_m: float | None = None
    min_elevation_rad: float | None = None


class SensorList(Element, frozen=True):
    """The whole file."""

    sensors: tuple[SensorRow, ...]


def read_sensors(file: str) -> tuple[Sensor, ...]:
    """All sensors of a file. Raises InputError naming line and field."""
    document = read_listed(file, "sensors")
    rows = convert(document, SensorList).sensors
    if len(rows) > MAX_SENSORS:
        fail(
            document, ("sensors", MAX_SENSORS), f"more than {MAX_SENSORS} sensors", "give those that detected"
        )
    first: dict[str, int] = {}
    for i, row in enumerate(rows):
        if row.id in first:
            before = document.line(("sensors", first[row.id]))
            cause = f"the id {row.id} is given twice, first in line {before}"
            fail(document, ("sensors", i, "id"), cause, "give every sensor its own")
        first[row.id] = i
    return tuple(_sensor(document, i, row) for i, row in enumerate(rows))


def _sensor(document: Document, i: int, row: SensorRow) -> Sensor:
    infrared = row.kind == "infrared"
    if row.sigma_range_m is None and not infrared:
        fail(
            document,
            ("sensors", i, "sigma_range_m"),
            "the field is missing, and the sensor is a radar",
            "add it, m",
        )
    try:
        return Sensor(
            id=row.id,
            partner=row.partner,
            kind=row.kind,
            lat_rad=math.radians(row.lat_deg),
            lon_rad=math.radians(row.lon_deg),
            height_m=row.height_m,
            sigma_range_m=0.0 if infrared else row.sigma_range_m or 0.0,
            sigma_azimuth_rad=row.sigma_azimuth_rad,
            sigma_elevation_rad=row.sigma_elevation_rad,
            sigma_range_rate_mps=row.sigma_range_rate_mps or 0.0,
            clock_sigma_s=row.clock_sigma_s,
            bias_range_m=row.bias_range_m,
            bias_azimuth_rad=row.bias_azimuth_rad,
            bias_elevation_rad=row.bias_elevation_rad,
            detection_probability=row.detection_probability,
            false_alarms=row.false_alarms,
            max_range_m=row.max_range_m,
            min_elevation_rad=row.min_elevation_rad,
        )
    except SensorError as error:
        name = {"lat": "lat_deg", "lon": "lon_deg"}.get(error.field, error.field)
        value = getattr(row, name, None)
        said = f"{value:g} {error.cause}" if isinstance(value, int | float) else error.cause
        hint = "angles of accuracy are radians: one degree is 0.01745" if name.endswith("_rad") else ""
        fail(document, ("sensors", i, name), said, hint)
