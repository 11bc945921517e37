"""Measurements: refused rows, immutability, slicing, joining, equality."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from noroshi.errors import PartnerError
from noroshi.tracking import (
    INFRARED,
    MeasurementError,
    Measurements,
    concatenate,
    no_measurements,
    radar_measurements,
)
from tests.tracking.scenes import rows

BAD = (
    ("value", 0, float("nan"), "range_m"),
    ("value", 0, -1.0, "range_m"),
    ("value", 0, float("inf"), "range_m"),
    ("value", 1, float("nan"), "azimuth_rad"),
    ("value", 1, 45.0, "azimuth_rad"),
    ("value", 2, 1.6, "elevation_rad"),
    ("sigma", 0, 0.0, "sigma of range"),
    ("sigma", 0, float("nan"), "sigma of range"),
    ("sigma", 1, -1e-3, "sigma of angles"),
    ("sigma", 2, 3.0, "sigma of angles"),
    ("site_m", 0, float("nan"), "site_m"),
    ("site_m", 0, 0.5, "site_m"),
    ("clock_sigma_s", None, -0.1, "clock_sigma_s"),
    ("clock_sigma_s", None, float("nan"), "clock_sigma_s"),
    ("time_ns", None, -5, "time_ns"),
    ("model", None, INFRARED, "infrared"),
)


@pytest.mark.parametrize(("column", "part", "wrong", "says"), BAD)
def test_an_impossible_row_is_refused_by_its_number(
    column: str, part: int | None, wrong: float, says: str
) -> None:
    good = rows()[:9]
    values = np.array(getattr(good, column))
    values[(4,) if part is None else (4, part)] = wrong
    if column == "site_m" and wrong == 0.5:
        values[4] = 0.5
    with pytest.raises(MeasurementError, match=says) as caught:
        replace(good, **{column: values})
    assert caught.value.row == 4
    assert isinstance(caught.value, PartnerError)


@pytest.mark.parametrize(("column", "part", "wrong", "says"), BAD)
def test_rows_that_are_looked_at_one_by_one_meet_the_same_rules(
    column: str, part: int | None, wrong: float, says: str
) -> None:
    good = rows()[:1]
    values = np.array(getattr(good, column))
    values[(0,) if part is None else (0, part)] = wrong
    if column == "site_m" and wrong == 0.5:
        values[0] = 0.5
    with pytest.raises(MeasurementError, match=says) as caught:
        replace(good, **{column: values})
    assert caught.value.row == 0


EDGES = (
    ("value", 0, 1e8), ("value", 1, 3 * np.pi), ("value", 1, -3.2), ("value", 2, np.pi / 2), ("value", 2, -1.51),
    ("sigma", 0, 1e5), ("sigma", 1, 0.2), ("clock_sigma_s", None, 60.0), ("rate", 0, -20e3), ("rate", 1, 20e3),
    ("bias_sigma", 0, 1e5), ("bias_sigma", 2, 0.2), ("time_ns", None, 0),
)  # fmt: skip
"""The largest values that are lawful, some of which the quick look leaves to the long one."""


@pytest.mark.parametrize(("column", "part", "edge"), EDGES)
def test_the_largest_lawful_values_pass_in_one_row_as_in_many(
    column: str, part: int | None, edge: float
) -> None:
    for count in (1, 9):
        good = rows()[:count]
        values = np.array(getattr(good, column))
        values[..., slice(None) if part is None else part] = edge
        assert len(replace(good, **{column: values})) == count
        if edge:
            values[..., slice(None) if part is None else part] = edge * 1.001
            if abs(edge) not in (3.2, 1.51):
                with pytest.raises(MeasurementError):
                    replace(good, **{column: values})


def test_columns_of_different_length_or_kind_are_refused() -> None:
    good = rows()[:3]
    with pytest.raises(MeasurementError, match="value"):
        replace(good, value=good.value[:2])
    with pytest.raises(MeasurementError, match="time_ns"):
        replace(good, time_ns=good.time_ns.astype(np.float64))
    with pytest.raises(MeasurementError, match="fit together"):
        radar_measurements([1, 2], good.site_m[0], good.value[:2, :2], good.sigma[0])


def test_rows_never_change() -> None:
    given = np.array(rows().value[:2])
    made = radar_measurements([1, 2], rows().site_m[0], given, rows().sigma[0])
    given[:] = 1.0
    assert np.array_equal(made.value, rows().value[:2])
    with pytest.raises(ValueError, match="read-only"):
        made.value[0, 0] = 5.0


def test_slices_masks_and_joins_keep_rows_and_order() -> None:
    all_rows = rows()
    assert len(all_rows[3:7]) == 4
    assert concatenate([all_rows[:10], all_rows[10:]]) == all_rows
    assert all_rows[[2, 0]].time_ns.tolist() == [all_rows.time_ns[2], all_rows.time_ns[0]]
    assert len(all_rows[all_rows.time_ns < all_rows.time_ns[5]]) == 5
    assert len(concatenate([])) == len(no_measurements()) == 0


def test_equality_is_by_content() -> None:
    a, b = rows()[:4], rows()[:4]
    assert a == b
    assert a != rows()[1:5]
    assert a != 4
    assert a != Measurements(
        a.time_ns, a.model, a.site_m, a.value, a.sigma, a.clock_sigma_s + 0.01, a.rate, a.bias_sigma
    )
