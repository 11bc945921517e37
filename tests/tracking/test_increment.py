"""Increments: exact round trip, and columns that no `to_columns` made."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from noroshi.tracking import (
    MeasurementError,
    from_columns,
    infrared_measurements,
    no_measurements,
    radar_measurements,
    to_columns,
)
from tests.tracking.scenes import rows


def columns() -> dict[str, Any]:
    return to_columns(rows()[:5])


def test_rows_come_back_to_the_last_bit() -> None:
    assert from_columns(columns()) == rows()[:5]
    assert from_columns(json.loads(json.dumps(columns()))) == rows()[:5]
    assert from_columns(SimpleNamespace(sensing="radar", **columns())) == rows()[:5]
    assert from_columns(to_columns(no_measurements())) == no_measurements()


def test_range_rates_biases_and_infrared_rows_come_back_too() -> None:
    some = rows()[:5]
    full = radar_measurements(
        some.time_ns, some.site_m, some.value, some.sigma, rate=(-12.5, 3.0), bias_sigma=(50.0, 1e-3, 0.0)
    )
    assert from_columns(to_columns(full)) == full
    seen = infrared_measurements(
        some.time_ns, some.site_m, some.value[:, 1:], (1e-4, 2e-4), bias_sigma=(1e-5, 0.0)
    )
    assert from_columns({"sensing": "infrared", **to_columns(seen)}) == seen
    assert "rate" not in to_columns(seen)


def test_columns_are_plain_numbers() -> None:
    made = columns()
    assert type(made["time_ns"][0]) is int
    assert type(made["value"][0][0]) is float


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("time_ns", [1, 2], "length"),
        ("time_ns", [1.0, 2.0, 3.0, 4.0, 5.0], "whole number"),
        ("time_ns", [1, 2, 3, 4, 2**70], "fit together"),
        ("value", [[1.0, 2.0]] * 5, "numbers in rows"),
        ("value", [[1.0, 2.0, "x"]] * 5, "numbers in rows"),
        ("value", [[float("nan"), 0.0, 0.0]] * 5, "range_m"),
        ("clock_sigma_s", [None] * 5, "clock_sigma_s"),
        ("sensing", "infrared", "no range"),
        ("sensing", "sonar", "not supported"),
        ("rate", [[1.0, 2.0]] * 4, "length"),
        ("rate", [[1.0]] * 5, "numbers in rows"),
        ("bias_sigma", [[-1.0, 0.0, 0.0]] * 5, "bias_sigma"),
    ],
)
def test_other_columns_are_refused(name: str, value: object, says: str) -> None:
    with pytest.raises(MeasurementError, match=says):
        from_columns({**columns(), name: value})


def test_missing_and_endless_columns_are_refused() -> None:
    made = columns()
    del made["sigma"]
    with pytest.raises(MeasurementError, match="sigma"):
        from_columns(made)
    with pytest.raises(MeasurementError, match="at most"):
        from_columns({name: column * 3000 for name, column in columns().items()})
