"""Measurements: what sensors saw, in columns, one row per detection.

Rules: a `Measurements` that exists is sound (finite, possible, shapes agree); it never changes; rows keep the order in
which they were given. Rows of several sensors and partners mix freely.

    rows = radar_measurements(time_ns, site_m, value, sigma, clock_sigma_s=0.05)
    late = rows[-10:]
    both = concatenate((rows, others))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, pi
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noroshi.tracking.errors import MeasurementError
from noroshi.tracking.kernels import Rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RADAR = 0
"""Model of a row: range m, azimuth rad clockwise from true north, elevation rad above the ellipsoid's horizon."""
INFRARED = 1
"""Model of a row: azimuth and elevation as a radar's, from any platform; range and its sigma are 0."""

MAX_RANGE_M = 1e8
"""No radar measures a quarter of the way to the Moon; a larger range is a unit error."""
SITE_RADIUS_M = (6.3e6, 6.5e6)
"""A radar stands, sails or flies near the surface; anything else is a position in other units or another frame."""
PLATFORM_RADIUS_M = (6.3e6, 1e8)
"""An infrared sensor may also look down from any orbit."""
MAX_RATE_MPS = 20e3
"""Twice the speed of anything that falls back; a larger range rate is a unit error."""
MAX_AZIMUTH_RAD = 3 * np.pi
"""Both usual turns, 0 to 2 pi and -pi to pi, and noise that carries a value beyond; larger values are degrees."""
MAX_RANGE_SIGMA_M = 1e5
MAX_ANGLE_SIGMA_RAD = 0.2
"""About 11 degrees: beyond it a row says nothing that a Gaussian in these coordinates could carry."""
FEW = 4
"""Rows that are looked at one by one: of more, columns are the quicker way."""
WELL_M = 1.0
"""Two sums of three squares may differ in their last digit: what is nearer than this to a bound is left to one rule."""
MAX_CLOCK_SIGMA_S = 60.0
"""A sensor whose clock may be a minute off can be 400 km wrong; it has to be repaired, not fused."""


@dataclass(frozen=True, eq=False)
class Measurements:
    """Rows of measurements; all columns have the same length m.

    time_ns (m,) int64: UTC; model (m,) int8: RADAR or INFRARED; site_m (m, 3): ECEF of the sensor, m; value (m, 3):
    range m, azimuth rad clockwise from true north, elevation rad; sigma (m, 3): their standard deviations (the range of
    an infrared row: both 0); clock_sigma_s (m,): what the time of the row may be off by, s, independent from row
    to row; rate (m, 2): range rate m/s (positive: going away) and its sigma, both 0 where there is none; bias_sigma
    (m, 3): sigmas of what the sensor is off by in range m, azimuth, elevation rad, the same in all of its rows.
    Raises MeasurementError naming the row.
    """

    time_ns: Ints
    model: NDArray[np.int8]
    site_m: Floats
    value: Floats
    sigma: Floats
    clock_sigma_s: Floats
    rate: Floats
    bias_sigma: Floats

    def __post_init__(self) -> None:
        count = len(self.time_ns)
        for name, kind, shape in _COLUMNS:
            column = np.ascontiguousarray(getattr(self, name))
            if column.dtype != kind or column.shape != (count, *shape):
                raise MeasurementError(
                    f"column {name} is {column.dtype} {column.shape}, not {np.dtype(kind)} {(count, *shape)}"
                )
            if column is getattr(self, name) and column.flags.writeable:
                column = column.copy()
            column.flags.writeable = False
            object.__setattr__(self, name, column)
        _check(self)

    def __len__(self) -> int:
        return len(self.time_ns)

    @property
    def rows(self) -> Rows:
        """The columns as compiled code takes them."""
        return Rows(*(getattr(self, name) for name, _, _ in _COLUMNS))

    def __getitem__(self, rows: slice | NDArray[np.generic] | Sequence[int]) -> Measurements:
        """The rows of a slice, a mask or a list of indices, in that order."""
        return trusted(*(getattr(self, name)[rows] for name, _, _ in _COLUMNS))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Measurements):
            return NotImplemented
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name, _, _ in _COLUMNS)

    __hash__ = None  # type: ignore[assignment]  # equality is by content of arrays, which have no cheap hash


_COLUMNS: tuple[tuple[str, type, tuple[int, ...]], ...] = (
    ("time_ns", np.int64, ()),
    ("model", np.int8, ()),
    ("site_m", np.float64, (3,)),
    ("value", np.float64, (3,)),
    ("sigma", np.float64, (3,)),
    ("clock_sigma_s", np.float64, ()),
    ("rate", np.float64, (2,)),
    ("bias_sigma", np.float64, (3,)),
)


def radar_measurements(
    time_ns: ArrayLike,
    site_m: ArrayLike,
    value: ArrayLike,
    sigma: ArrayLike,
    clock_sigma_s: ArrayLike = 0.0,
    *,
    rate: ArrayLike = (0.0, 0.0),
    bias_sigma: ArrayLike = (0.0, 0.0, 0.0),
) -> Measurements:
    """Radar rows; all columns but `time_ns` and `value` may be given once for all rows.

    Raises MeasurementError.
    """
    return _measurements(RADAR, time_ns, site_m, value, sigma, clock_sigma_s, rate, bias_sigma)


def infrared_measurements(
    time_ns: ArrayLike,
    site_m: ArrayLike,
    direction: ArrayLike,
    sigma: ArrayLike,
    clock_sigma_s: ArrayLike = 0.0,
    *,
    bias_sigma: ArrayLike = (0.0, 0.0),
) -> Measurements:
    """Infrared rows; direction (m, 2), sigma and bias_sigma ((2,) or (m, 2)): azimuth and elevation, rad.

    Raises MeasurementError.
    """
    count = len(np.asarray(time_ns).reshape(-1))
    try:
        value, spread, bias = (
            np.insert(np.broadcast_to(np.asarray(column, np.float64), (count, 2)), 0, 0.0, axis=1)
            for column in (direction, sigma, bias_sigma)
        )
    except (ValueError, TypeError) as error:
        raise MeasurementError(f"the columns do not fit together: {error}") from error
    return _measurements(INFRARED, time_ns, site_m, value, spread, clock_sigma_s, (0.0, 0.0), bias)


def _measurements(
    model: int,
    time_ns: ArrayLike,
    site_m: ArrayLike,
    value: ArrayLike,
    sigma: ArrayLike,
    clock_sigma_s: ArrayLike,
    rate: ArrayLike,
    bias_sigma: ArrayLike,
) -> Measurements:
    try:
        times = np.array(time_ns, np.int64).reshape(-1)
        count = len(times)
        return Measurements(
            times,
            np.full(count, model, np.int8),
            np.array(np.broadcast_to(np.asarray(site_m, np.float64), (count, 3))),
            np.array(value, np.float64).reshape(count, 3),
            np.array(np.broadcast_to(np.asarray(sigma, np.float64), (count, 3))),
            np.array(np.broadcast_to(np.asarray(clock_sigma_s, np.float64), (count,))),
            np.array(np.broadcast_to(np.asarray(rate, np.float64), (count, 2))),
            np.array(np.broadcast_to(np.asarray(bias_sigma, np.float64), (count, 3))),
        )
    except (ValueError, TypeError, OverflowError) as error:
        raise MeasurementError(f"the columns do not fit together: {error}") from error


def no_measurements() -> Measurements:
    """Zero rows."""
    return radar_measurements([], np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3)))


def concatenate(parts: Sequence[Measurements]) -> Measurements:
    """All rows, one part after the other."""
    if not parts:
        return no_measurements()
    return trusted(*(np.concatenate([getattr(part, name) for part in parts]) for name, _, _ in _COLUMNS))


def trusted(*columns: NDArray[np.generic]) -> Measurements:
    """Rows that came out of sound ones: not checked again."""
    rows = object.__new__(Measurements)
    for (name, _, _), column in zip(_COLUMNS, columns, strict=True):
        column = np.ascontiguousarray(column)
        column.flags.writeable = False
        object.__setattr__(rows, name, column)
    return rows


def kernel_rows(columns: Sequence[NDArray[Any]]) -> Rows:
    """The columns of `Measurements` as compiled code takes them: read-only views."""
    views = [column.view() for column in columns]
    for view in views:
        view.flags.writeable = False
    return Rows(*views)


def row_order(columns: Sequence[NDArray[np.generic]]) -> tuple[Ints, NDArray[np.bool_]]:
    """The canonical order of rows given as the columns of `Measurements`: by time, ties by content.

    Gives indices, and which entries of that order are the first of their kind (repeats of a row are False).
    """
    time_ns, model, site, value, sigma, clock, rate, bias = columns
    keys = (
        *bias.T[::-1],
        *rate.T[::-1],
        model,
        clock,
        *sigma.T[::-1],
        *value.T[::-1],
        *site.T[::-1],
        time_ns,
    )
    order = np.lexsort(keys)
    first = np.zeros(len(order), np.bool_)
    first[:1] = True
    for key in keys:
        first[1:] |= key[order[1:]] != key[order[:-1]]
    return order, first


def _check(rows: Measurements) -> None:
    """Refuses the first row that cannot be."""
    if not len(rows) or (
        len(rows) <= FEW and all(map(_is_usual, *(column.tolist() for column in rows.rows)))
    ):
        return
    radius = np.sqrt(np.einsum("ij,ij->i", rows.site_m, rows.site_m))
    distance, azimuth, elevation = rows.value.T
    angles, bias = rows.sigma[:, 1:], rows.bias_sigma
    radar = rows.model == RADAR
    infrared = rows.model == INFRARED
    no_range = (distance == 0) & (rows.sigma[:, 0] == 0) & (bias[:, 0] == 0) & (rows.rate == 0).all(axis=1)
    with np.errstate(invalid="ignore"):
        rules = (
            (radar | infrared, "model must be 0 (radar) or 1 (infrared)"),
            (rows.time_ns >= 0, "time_ns is before 1970"),
            (
                _inside(radius, *SITE_RADIUS_M) | (infrared & _inside(radius, *PLATFORM_RADIUS_M)),
                "site_m is not an ECEF position, in m, where such a sensor can be",
            ),
            (radar | no_range, "an infrared row has no range, range rate or their sigmas: they must be 0"),
            (
                infrared | ((distance > 0) & (distance <= MAX_RANGE_M)),
                "range_m must be above 0 and at most 1e8",
            ),
            (np.abs(azimuth) <= MAX_AZIMUTH_RAD, "azimuth_rad must lie within +-3 pi"),
            (np.abs(elevation) <= np.pi / 2, "elevation_rad must lie within +-pi/2"),
            (
                infrared | ((rows.sigma[:, 0] > 0) & (rows.sigma[:, 0] <= MAX_RANGE_SIGMA_M)),
                "sigma of range must be above 0, at most 1e5 m",
            ),
            (
                ((angles > 0) & (angles <= MAX_ANGLE_SIGMA_RAD)).all(axis=1),
                "sigma of angles must be above 0, at most 0.2 rad",
            ),
            (_inside(rows.clock_sigma_s, 0.0, MAX_CLOCK_SIGMA_S), "clock_sigma_s must be 0 to 60"),
            (np.abs(rows.rate[:, 0]) <= MAX_RATE_MPS, "range_rate_mps must lie within +-20,000"),
            (_inside(rows.rate[:, 1], 0.0, MAX_RATE_MPS), "sigma of the range rate must be 0 to 20,000 m/s"),
            (
                _inside(bias[:, 0], 0.0, MAX_RANGE_SIGMA_M)
                & (
                    _inside(bias[:, 1], 0.0, MAX_ANGLE_SIGMA_RAD)
                    & _inside(bias[:, 2], 0.0, MAX_ANGLE_SIGMA_RAD)
                ),
                "bias_sigma must be 0 to 1e5 m and 0 to 0.2 rad",
            ),
        )
    for good, cause in rules:
        if not good.all():
            raise MeasurementError(cause, row=int(np.argmin(good)))


def _is_usual(
    time_ns: int,
    model: int,
    site_m: list[float],
    value: list[float],
    sigma: list[float],
    clock_sigma_s: float,
    rate: list[float],
    bias: list[float],
) -> bool:
    """Whether a radar's row breaks none of the rules, well within their bounds; False says nothing.

    Most increments hold one row, for which the rules over columns take ten times as long.
    """
    x, y, z = site_m
    distance, azimuth, elevation = value
    return (
        model == RADAR
        and time_ns >= 0
        and SITE_RADIUS_M[0] + WELL_M < hypot(x, y, z) < SITE_RADIUS_M[1] - WELL_M
        and 0.0 < distance <= MAX_RANGE_M
        and abs(azimuth) <= pi
        and abs(elevation) <= 1.5
        and 0.0 < sigma[0] <= MAX_RANGE_SIGMA_M
        and 0.0 < sigma[1] <= MAX_ANGLE_SIGMA_RAD
        and 0.0 < sigma[2] <= MAX_ANGLE_SIGMA_RAD
        and 0.0 <= clock_sigma_s <= MAX_CLOCK_SIGMA_S
        and abs(rate[0]) <= MAX_RATE_MPS
        and 0.0 <= rate[1] <= MAX_RATE_MPS
        and 0.0 <= bias[0] <= MAX_RANGE_SIGMA_M
        and 0.0 <= bias[1] <= MAX_ANGLE_SIGMA_RAD
        and 0.0 <= bias[2] <= MAX_ANGLE_SIGMA_RAD
    )


def _inside(column: Floats, low: float, high: float) -> NDArray[np.bool_]:
    return (column >= low) & (column <= high)
