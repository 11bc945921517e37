"""Registration: what is off is found and named, honest sensors are left alone, and one alone says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from noroshi.tracking import (
    Finding,
    MeasurementError,
    Measurements,
    concatenate,
    corrected,
    estimate,
    find_biases,
    infrared_measurements,
    radar_measurements,
)
from noroshi.tracking.measurements import INFRARED
from tests.tracking.honesty import ARCS, EPOCH_NS, RADARS, SITES, Floats, look
from tests.tracking.scenes import case, truth

Ints = NDArray[np.int64]
WINDOW_S = 60.0
PARTNERS = {0: "KOR", 1: "JPN", 2: "USA"}


@cache
def clean(name: str) -> Floats:
    """What the three radars would measure without noise."""
    one, states = case(name, WINDOW_S), truth(name, WINDOW_S)
    return np.array([look(states[k : k + 1, :3], int(radar))[0] for k, radar in enumerate(one.radar)])


def noisy(name: str, seed: int) -> tuple[Measurements, Ints]:
    """A minute of one arc and each row's sensor."""
    one = case(name, WINDOW_S)
    sigma = np.array([[RADARS[k][2], RADARS[k][3], RADARS[k][3]] for k in one.radar])
    value = clean(name) + np.random.default_rng(seed).standard_normal(sigma.shape) * sigma
    times = EPOCH_NS + np.rint(one.time_s * 1e9).astype(np.int64)
    return radar_measurements(times, SITES[one.radar], value, sigma), one.radar


def spoiled(rows: Measurements, mine: NDArray[np.bool_], bias: Sequence[float]) -> Measurements:
    """Rows with a sensor's bias in: range m, azimuth, elevation rad, clock s."""
    value, times = rows.value.copy(), rows.time_ns.copy()
    value[mine] += bias[:3]
    times[mine] += round(bias[3] * 1e9)
    return replace(rows, value=value, time_ns=times)


def found(
    bias: Sequence[float], *, seed: int = 1, name: str = "a2700", who: int = 0, use: Sequence[int] = (0, 1, 2)
) -> tuple[Finding, ...]:
    rows, sensor = noisy(name, seed)
    rows = spoiled(rows, sensor == who, bias)
    used = np.isin(sensor, use)
    return find_biases(rows[used], sensor[used], np.zeros(int(used.sum()), np.int64), PARTNERS)


@pytest.mark.parametrize(
    ("bias", "kind", "unit"),
    [
        ((300.0, 0, 0, 0), "range-bias", "m"),
        ((0, -3e-3, 0, 0), "azimuth-bias", "rad"),
        ((0, 0, 3e-3, 0), "elevation-bias", "rad"),
        ((0, 0, 0, -0.5), "clock-offset", "s"),
    ],
)
def test_a_bias_is_found_and_named_with_its_size(bias: tuple[float, ...], kind: str, unit: str) -> None:
    first = found(bias, seed=2)[0]
    assert (first.sensor, first.partner, first.kind, first.unit) == (0, "KOR", kind, unit)
    assert abs(first.value - sum(bias)) < 4 * first.sigma
    assert first.significance > 5
    assert first.sentence.startswith("KOR's sensor 0 ")


def test_two_biases_of_one_sensor_are_both_found() -> None:
    told = {(one.sensor, one.kind) for one in found((300.0, 0, 2e-3, 0))}
    assert told == {(0, "range-bias"), (0, "elevation-bias")}


def test_of_two_sensors_both_are_named_and_neither_is_blamed() -> None:
    told = found((0, 0, 0, 0.5), use=(0, 1))
    assert {one.sensor for one in told} == {0, 1}
    assert {one.rivals for one in told} == {(0,), (1,)}
    assert all("do not tell which" in one.sentence for one in told)


def test_honest_sensors_and_one_alone_are_left_alone() -> None:
    assert all(
        found((0, 0, 0, 0), seed=seed, name=name) == ()
        for seed, name in enumerate(("a500", "a2700", "lofted"))
    )
    assert found((300.0, 3e-3, 0, 0), use=(0,)) == ()
    rows, sensor = noisy("a2700", 1)
    rows = spoiled(rows, sensor == 0, (0, 3e-3, 0, 0))
    assert find_biases(rows, sensor, sensor.astype(np.int64)) == ()  # each on an object of its own
    assert find_biases(rows[:0], sensor[:0], sensor[:0]) == ()
    with pytest.raises(MeasurementError, match="one length"):
        find_biases(rows, sensor[:3], sensor)


@pytest.mark.soak
def test_honest_sensors_are_accused_less_than_once_in_a_thousand() -> None:
    names = [*ARCS]
    accused = sum(bool(found((0, 0, 0, 0), seed=seed, name=names[seed % 6])) for seed in range(10_000))
    assert accused < 10


def test_a_bias_that_the_sensor_admits_is_no_finding() -> None:
    rows, sensor = noisy("a2700", 1)
    rows = spoiled(rows, sensor == 0, (0, 2e-3, 0, 0))
    admitted = np.where((sensor == 0)[:, None], [0.0, 2e-3, 0.0], 0.0)
    one_object = np.zeros(len(rows), np.int64)
    assert find_biases(rows, sensor, one_object)
    assert find_biases(replace(rows, bias_sigma=admitted), sensor, one_object) == ()


def test_rows_that_do_not_fall_freely_accuse_nobody() -> None:
    """One sensor's rows bend away: another object, or a manoeuvre; the rest is still compared."""
    rows, sensor = noisy("a2700", 3)
    after_s = np.maximum(0.0, (rows.time_ns - rows.time_ns[0]) / 1e9 - 20)
    value = rows.value.copy()
    value[:, 0] += np.where(sensor == 1, 10 * after_s**2, 0.0)
    bent = replace(rows, value=value)
    assert find_biases(bent, sensor, np.zeros(len(rows), np.int64)) == ()
    off = spoiled(bent, sensor == 0, (0, 0, 0, 0.5))
    assert {one.sensor for one in find_biases(off, sensor, np.zeros(len(rows), np.int64))} == {0, 2}


def test_several_objects_and_strange_rows_are_used_together() -> None:
    parts = [noisy("a2700", seed) for seed in (1, 2, 3)]
    rows, sensor = concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    number = np.repeat([4, 9, 2], [len(p[0]) for p in parts])
    rows = spoiled(rows, sensor == 2, (0, 0, 0, 0.25))
    strange = rows.value.copy()
    strange[::40, 0] += 20e3
    number[5] = -1
    told = find_biases(replace(rows, value=strange), sensor, number, PARTNERS)
    assert [(one.sensor, one.kind, one.rivals) for one in told] == [(2, "clock-offset", ())]
    assert abs(told[0].value - 0.25) < 4 * told[0].sigma


def test_an_infrared_sensor_beside_radars_is_compared_too() -> None:
    rows, sensor = noisy("a2700", 4)
    eye = sensor == 1
    seen = infrared_measurements(
        rows.time_ns[eye], rows.site_m[eye], rows.value[eye, 1:] + [0.0, 4e-3], rows.sigma[eye, 1:]
    )
    both, who = concatenate((rows[~eye], seen)), np.concatenate((sensor[~eye], sensor[eye]))
    told = find_biases(both, who, np.zeros(len(both), np.int64))
    assert (told[0].sensor, told[0].kind) == (1, "elevation-bias")
    assert abs(told[0].value - 4e-3) < 4 * told[0].sigma
    better = corrected(both, who, told)
    assert (better.model[who == 1] == INFRARED).all()
    assert (better.value[better.model == INFRARED, 0] == 0).all()


def test_corrected_rows_give_the_truth_back_and_tell_what_stays_uncertain() -> None:
    rows, sensor = noisy("a2700", 5)
    off = spoiled(rows, sensor == 0, (0, 3e-3, 0, 0))
    told = find_biases(off, sensor, np.zeros(len(rows), np.int64))
    better = corrected(off, sensor, told)
    true = truth("a2700", WINDOW_S)[-1, :3]
    wrong_m, right_m = (np.linalg.norm(estimate(one).position_m[0] - true) for one in (off, better))
    assert right_m < wrong_m / 4
    np.testing.assert_allclose(better.bias_sigma[sensor == 0, 1], told[0].sigma)
    assert (better.bias_sigma[sensor != 0] == 0).all()
    assert find_biases(better, sensor, np.zeros(len(rows), np.int64)) == ()


def test_what_may_be_anothers_is_not_taken_out_but_doubted() -> None:
    rows, sensor = noisy("a2700", 6)
    off = spoiled(rows, sensor == 0, (0, 0, 0, 0.5))
    used = sensor < 2
    told = find_biases(off[used], sensor[used], np.zeros(int(used.sum()), np.int64))
    better = corrected(off[used], sensor[used], told)
    assert np.array_equal(better.time_ns, off[used].time_ns)
    assert (better.clock_sigma_s > 0.4).all()
