"""Clocks: one exercise clock in many processes, and how long to sleep."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from noroshi.clock import NEVER, NS_PER_S
from noroshi.service import clocks
from noroshi.service.clocks import RealClock, ScaledClock

START_NS = 1_664_835_720 * NS_PER_S


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine whose clocks stand until a test moves them."""
    now = SimpleNamespace(unix=1_800_000_000 * NS_PER_S, monotonic=5 * NS_PER_S)
    fake = SimpleNamespace(time_ns=lambda: now.unix, monotonic_ns=lambda: now.monotonic)
    monkeypatch.setattr(clocks, "time", fake)
    return now


def test_it_stands_until_the_anchor_and_then_runs(machine: SimpleNamespace) -> None:
    clock = ScaledClock(START_NS, machine.unix + 2 * NS_PER_S, 10.0)
    assert clock.now_ns() == START_NS
    machine.monotonic += 2 * NS_PER_S
    assert clock.now_ns() == START_NS
    machine.monotonic += NS_PER_S // 2
    assert clock.now_ns() == START_NS + 5 * NS_PER_S


def test_processes_that_start_later_show_the_same(machine: SimpleNamespace) -> None:
    anchor = machine.unix
    first = ScaledClock(START_NS, anchor, 4.0)
    machine.unix += 3 * NS_PER_S
    machine.monotonic += 3 * NS_PER_S
    assert ScaledClock(START_NS, anchor, 4.0).now_ns() == first.now_ns() == START_NS + 12 * NS_PER_S


def test_a_step_of_the_machines_time_is_not_multiplied(machine: SimpleNamespace) -> None:
    clock = ScaledClock(START_NS, machine.unix, 10.0)
    machine.unix += 3600 * NS_PER_S
    assert clock.now_ns() == START_NS


def test_delays_are_in_seconds_of_life(machine: SimpleNamespace) -> None:
    clock = ScaledClock(START_NS, machine.unix + NS_PER_S, 10.0)
    assert clock.delay_s(START_NS) == 0.0
    assert clock.delay_s(START_NS + 20 * NS_PER_S) == pytest.approx(3.0)
    machine.monotonic += 2 * NS_PER_S
    assert clock.delay_s(START_NS + 20 * NS_PER_S) == pytest.approx(1.0)
    assert clock.delay_s(START_NS + NS_PER_S) == 0.0
    assert math.isinf(clock.delay_s(NEVER))
    assert math.isinf(RealClock().delay_s(NEVER))
    assert RealClock().delay_s(machine.unix + NS_PER_S) == pytest.approx(1.0)


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan, 1e9])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        ScaledClock(START_NS, 0, speed)
