"""Increments of evidence: measurement rows as the plain columns of a message body, and back without losing a bit.

body = TrackBody(sensing="radar", **to_columns(rows), ...)
rows = from_columns(body)                     # an object or a mapping with the five columns
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from noroshi.tracking.errors import MeasurementError
from noroshi.tracking.measurements import Measurements, radar_measurements

MAX_ROWS = 10_000
"""One message holds at most an hour of one radar at 3 Hz; more is a fault or an attack."""


class Columns(Protocol):
    """What `from_columns` reads: equal-length columns, one entry per row."""

    @property
    def time_ns(self) -> list[int]: ...
    @property
    def site_m(self) -> list[list[float]]: ...
    @property
    def value(self) -> list[list[float]]: ...
    @property
    def sigma(self) -> list[list[float]]: ...
    @property
    def clock_sigma_s(self) -> list[float]: ...


def to_columns(rows: Measurements) -> dict[str, list[Any]]:
    """Five plain columns: time_ns, site_m, value, sigma, clock_sigma_s (lists of int and float)."""
    return {
        "time_ns": rows.time_ns.tolist(),
        "site_m": rows.site_m.tolist(),
        "value": rows.value.tolist(),
        "sigma": rows.sigma.tolist(),
        "clock_sigma_s": rows.clock_sigma_s.tolist(),
    }


def from_columns(columns: Columns | Mapping[str, Any]) -> Measurements:
    """The rows of a body, checked like any others; exactly those that `to_columns` was given.

    A body's `sensing`, if it has one, must be "radar". Raises MeasurementError.
    """
    found = columns if isinstance(columns, Mapping) else {name: getattr(columns, name) for name in _NAMES}
    sensing = columns.get("sensing") if isinstance(columns, Mapping) else getattr(columns, "sensing", "radar")
    if sensing not in (None, "radar"):
        raise MeasurementError(f"sensing {sensing!r} is not supported; only radar is")
    missing = [name for name in _NAMES if name not in found]
    if missing:
        raise MeasurementError(f"column {missing[0]} is missing")
    sizes = {name: len(found[name]) for name in _NAMES}
    if len(set(sizes.values())) > 1:
        raise MeasurementError(f"columns differ in length: {sizes}")
    if sizes["time_ns"] > MAX_ROWS:
        raise MeasurementError(f"{sizes['time_ns']} rows in one increment; at most {MAX_ROWS}")
    if any(type(time) is not int for time in found["time_ns"]):
        raise MeasurementError("time_ns holds something that is not a whole number")
    count = sizes["time_ns"]
    try:
        triples = [
            np.array(found[name], np.float64).reshape(count, 3) for name in ("site_m", "value", "sigma")
        ]
        clock = np.array(found["clock_sigma_s"], np.float64).reshape(count)
    except (ValueError, TypeError, OverflowError) as error:
        raise MeasurementError(f"the columns are not numbers in rows of three: {error}") from error
    return radar_measurements(found["time_ns"], triples[0], triples[1], triples[2], clock)


_NAMES = ("time_ns", "site_m", "value", "sigma", "clock_sigma_s")
