"""Increments of evidence: measurement rows as the plain columns of a message body, and back without losing a bit.

body = TrackBody(sensing="radar", **to_columns(rows), ...)
rows = from_columns(body)                     # an object or a mapping with the columns
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from noroshi.tracking.errors import MeasurementError
from noroshi.tracking.measurements import INFRARED, RADAR, Measurements

MAX_ROWS = 10_000
"""One message holds at most an hour of one radar at 3 Hz; more is a fault or an attack."""


class Columns(Protocol):
    """What `from_columns` reads: equal-length columns, one entry per row. It may have `rate` and `bias_sigma` too."""

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
    """Plain columns (lists of int and float): time_ns, site_m, value, sigma, clock_sigma_s; rate and bias_sigma only
    where a row has one. All rows are of one model. Raises MeasurementError for a mixture.
    """
    if len(rows) and (rows.model != rows.model[0]).any():
        raise MeasurementError("radar and infrared rows in one increment; make one of each")
    names = (*_NAMES, *(name for name in _EXTRA if getattr(rows, name).any()))
    return {name: getattr(rows, name).tolist() for name in names}


def from_columns(columns: Columns | Mapping[str, Any]) -> Measurements:
    """The rows of a body, checked like any others; exactly those that `to_columns` was given.

    A body's `sensing` says what they are, "radar" or "infrared"; without it they are a radar's. Columns `rate` and
    `bias_sigma` need not be there. Raises MeasurementError.
    """
    if isinstance(columns, Mapping):
        found = dict(columns)
    else:
        found = {
            name: getattr(columns, name) for name in (*_NAMES, *_EXTRA, "sensing") if hasattr(columns, name)
        }
    sensing = found.get("sensing") or "radar"
    if sensing not in _MODELS:
        raise MeasurementError(f"sensing {sensing!r} is not supported; only {' and '.join(_MODELS)} are")
    missing = [name for name in _NAMES if name not in found]
    if missing:
        raise MeasurementError(f"column {missing[0]} is missing")
    extra = [name for name in _EXTRA if isinstance(found.get(name), Sequence)]
    sizes = {name: len(found[name]) for name in (*_NAMES, *extra)}
    if len(set(sizes.values())) > 1:
        raise MeasurementError(f"columns differ in length: {sizes}")
    if sizes["time_ns"] > MAX_ROWS:
        raise MeasurementError(f"{sizes['time_ns']} rows in one increment; at most {MAX_ROWS}")
    if any(type(time) is not int for time in found["time_ns"]):
        raise MeasurementError("time_ns holds something that is not a whole number")
    count = sizes["time_ns"]
    try:
        site, value, sigma = (
            np.array(found[name], np.float64).reshape(count, 3) for name in ("site_m", "value", "sigma")
        )
        clock = np.array(found["clock_sigma_s"], np.float64).reshape(count)
        rate = (
            np.array(found["rate"], np.float64).reshape(count, 2) if "rate" in extra else np.zeros((count, 2))
        )
        bias = np.zeros((count, 3))
        if "bias_sigma" in extra:
            bias = np.array(found["bias_sigma"], np.float64).reshape(count, 3)
    except (ValueError, TypeError, OverflowError) as error:
        raise MeasurementError(f"the columns are not numbers in rows of their width: {error}") from error
    try:
        times = np.array(found["time_ns"], np.int64)
    except OverflowError as error:
        raise MeasurementError(f"the columns do not fit together: {error}") from error
    model = np.full(count, _MODELS[sensing], np.int8)
    return Measurements(times, model, site, value, sigma, clock, rate, bias)


_NAMES = ("time_ns", "site_m", "value", "sigma", "clock_sigma_s")
_EXTRA = ("rate", "bias_sigma")
_MODELS = {"radar": RADAR, "infrared": INFRARED}
