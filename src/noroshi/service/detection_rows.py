"""Rows of detections as columns, and what makes one right: every refusal names file, line and field.

checks = RowChecks(file, sensors, left_out)
block = checks.sound(block, has_range)           # InputError at the first row that cannot be
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.documents import suggest
from noroshi.errors import InputError
from noroshi.tracking.measurements import MAX_AZIMUTH_RAD, MAX_RANGE_M, MAX_RATE_MPS
from noroshi.tracking.sensors import Sensor

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MAX_TIME_S = 9_000_000_000
"""The year 2255, near the end of 64-bit nanoseconds; milliseconds given for seconds lie far beyond."""

MOST_SHOWN = 40
"""Characters of a wrong value or name that are shown."""

FIELDS = ("time_s", "sensor", "range_m", "azimuth_rad", "elevation_rad", "range_rate_mps")
OPTIONAL = ("range_m", "range_rate_mps")
UNKNOWN_FIELD = "unknown field {}"
OTHER_FIELDS = "further unknown fields"
MOST_NAMED = 20
"""Unknown fields that are counted by name; a file with another name in each of ten million lines stays bounded."""
RATE_WITHOUT_SIGMA = "range_rate_mps of a sensor without sigma_range_rate_mps"


@dataclass(frozen=True, slots=True)
class DetectionBlock:
    """Rows as columns: time_ns (m,); sensor (m,) index; value (m, 3) range m, azimuth, elevation rad, range 0 where it
    is not given; rate (m,) m/s, NaN where it is not given; line (m,) of the file.
    """

    time_ns: Ints
    sensor: Ints
    value: Floats
    rate: Floats
    line: Ints

    def __len__(self) -> int:
        return len(self.time_ns)

    def __getitem__(self, rows: Any) -> DetectionBlock:
        """The rows of a slice, a mask or indices."""
        return DetectionBlock(*(getattr(self, name)[rows] for name in _BLOCK))


_BLOCK = ("time_ns", "sensor", "value", "rate", "line")


def joined(blocks: Sequence[DetectionBlock]) -> DetectionBlock:
    """One block after the other."""
    return DetectionBlock(*(np.concatenate([getattr(one, name) for one in blocks]) for name in _BLOCK))


@dataclass(slots=True)
class RowChecks:
    """What makes a row right; the words for one that is not."""

    file: str
    sensors: Sequence[Sensor]
    left_out: Counter[str]
    index: dict[str, int] = field(default_factory=dict)
    infrared: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))
    has_rate: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    def __post_init__(self) -> None:
        self.index = {sensor.id: i for i, sensor in enumerate(self.sensors)}
        self.infrared = np.array([sensor.kind == "infrared" for sensor in self.sensors])
        self.has_rate = np.array([sensor.sigma_range_rate_mps > 0 for sensor in self.sensors])

    def refuse(self, line: int, name: str, cause: str, hint: str = "") -> NoReturn:
        raise InputError(self.file, line, name, cause, hint)

    def unknown_sensor(self, line: int, name: object) -> NoReturn:
        self.refuse(line, "sensor", f"there is no sensor {name!r}", suggest(name, self.index))

    def leave_field_out(self, name: str) -> None:
        """Counts a field that nobody knows."""
        said = UNKNOWN_FIELD.format(name[:MOST_SHOWN])
        named = said in self.left_out or len(self.left_out) < MOST_NAMED
        self.left_out[said if named else OTHER_FIELDS] += 1

    def sound(self, block: DetectionBlock, has_range: NDArray[np.bool_]) -> DetectionBlock:
        """The block, all its values possible. Raises InputError at the first row that is not."""
        infrared = self.infrared[block.sensor]
        distance, azimuth, elevation = block.value.T
        given = ~np.isnan(block.rate)
        rules: tuple[tuple[NDArray[np.bool_], str, Callable[[int], tuple[str, str]]], ...] = (
            (infrared | has_range, "range_m", self._missing_range),
            (~infrared | ~has_range, "range_m", self._infrared_range),
            (~has_range | ((distance > 0) & (distance <= MAX_RANGE_M)), "range_m", _cannot(
                distance, f"a range lies above 0 and up to {MAX_RANGE_M:g} m")),
            (np.abs(azimuth) <= MAX_AZIMUTH_RAD, "azimuth_rad", _cannot(
                azimuth, "radians, clockwise from true north", degrees=True)),
            (np.abs(elevation) <= math.pi / 2, "elevation_rad", _cannot(
                elevation, "an elevation lies within +-pi/2 rad", degrees=True)),
            (~infrared | ~given, "range_rate_mps", lambda row: (
                f"the infrared sensor {self.sensors[block.sensor[row]].id} measures no range rate", "leave it out")),
            (~given | (np.abs(block.rate) <= MAX_RATE_MPS), "range_rate_mps", _cannot(
                block.rate, f"a range rate lies within +-{MAX_RATE_MPS:g} m/s")),
        )  # fmt: skip
        wrong = [(int(np.argmin(good)), name, said) for good, name, said in rules if not good.all()]
        if wrong:
            row, name, said = min(wrong, key=lambda one: one[0])
            cause, hint = said(row)
            self.refuse(int(block.line[row]), name, cause, hint)
        unweighed = given & ~self.has_rate[block.sensor]
        if unweighed.any():
            self.left_out[RATE_WITHOUT_SIGMA] += int(unweighed.sum())
            block.rate[unweighed] = np.nan
        return block

    def _missing_range(self, row: int) -> tuple[str, str]:
        return (
            "the field is missing, and the sensor is a radar",
            "add it, or make the sensor `kind: infrared`",
        )

    def _infrared_range(self, row: int) -> tuple[str, str]:
        return "an infrared sensor measures no range", "leave it out, or make the sensor `kind: radar`"


def _cannot(column: Floats, rule: str, *, degrees: bool = False) -> Callable[[int], tuple[str, str]]:
    def said(row: int) -> tuple[str, str]:
        value = float(column[row])
        hint = (
            f"{value:g} looks like degrees: give radians"
            if degrees and math.isfinite(value)
            else f"give {rule}"
        )
        return f"{value:g} cannot be", hint if degrees else rule

    return said


def time_ns_of(time_s: Any, line: int, checks: RowChecks) -> int:
    """Nanoseconds of the seconds as they are written, exact to half a nanosecond."""
    kind = type(time_s)
    if kind is Decimal or kind is int:
        if 0 <= time_s <= MAX_TIME_S:
            nanoseconds: int = round(time_s * NS_PER_S)
            return nanoseconds
        hint = "give UTC seconds since 1970, not milliseconds or nanoseconds"
        checks.refuse(line, "time_s", f"{shortened(time_s)} cannot be", hint)
    return refuse_value("time_s", time_s, line, checks)


def refuse_value(name: str, value: Any, line: int, checks: RowChecks) -> NoReturn:
    wanted = {"time_s": "UTC seconds as a number", "sensor": "the id of a sensor as text"}.get(
        name, "a number"
    )
    checks.refuse(line, name, f"{shortened(value)} is not {wanted}", f"give {wanted}")


def shortened(value: Any) -> str:
    text = str(value) if isinstance(value, Decimal) else json.dumps(value, default=str)
    return text if len(text) <= MOST_SHOWN else text[: MOST_SHOWN - 3] + "..."
