"""Clocks: one exercise clock in many processes, and how long to sleep."""

from __future__ import annotations

import math
import time
from itertools import pairwise
from types import SimpleNamespace

import pytest

from noroshi.clock import NEVER, NS_PER_S, seconds
from noroshi.service import clocks
from noroshi.service.clocks import SLEW, RealClock, ScaledClock

START_NS = 1_664_835_720 * NS_PER_S


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine whose clocks stand until a test moves them."""
    now = SimpleNamespace(unix=1_800_000_000 * NS_PER_S, monotonic=5 * NS_PER_S)
    fake = SimpleNamespace(time_ns=lambda: now.unix, monotonic_ns=lambda: now.monotonic)
    monkeypatch.setattr(clocks, "time", fake)
    return now


def real_clock(machine: SimpleNamespace, error_s: float = 0.0) -> RealClock:
    return RealClock(error_s, wall_ns=lambda: machine.unix, steady_ns=lambda: machine.monotonic)


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
    real = real_clock(machine)
    assert math.isinf(real.delay_s(NEVER))
    assert real.delay_s(machine.unix + NS_PER_S) == pytest.approx(1.0)


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan, 1e9])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(ValueError, match="speed"):
        ScaledClock(START_NS, 0, speed)


@pytest.mark.parametrize("step_s", [-3600.0, -0.6, 0.6, 3600.0])
def test_a_step_is_seen_in_a_look_and_nowhere_else(machine: SimpleNamespace, step_s: float) -> None:
    clock = real_clock(machine, error_s=0.05)
    begun_ns = clock.now_ns()
    machine.unix += seconds(1.0 + step_s)
    machine.monotonic += NS_PER_S
    assert clock.now_ns() == begun_ns + NS_PER_S
    assert clock.look() == seconds(step_s)
    assert clock.now_ns() == machine.unix
    assert clock.look() == 0
    assert clock.error_ns == seconds(0.05)


@pytest.mark.parametrize("behind_s", [-0.4, 0.4])
def test_a_small_difference_is_followed_gently(machine: SimpleNamespace, behind_s: float) -> None:
    clock = real_clock(machine)
    machine.unix += seconds(behind_s)
    shown = [clock.now_ns()]
    for _ in range(100):
        machine.unix += NS_PER_S // 2
        machine.monotonic += NS_PER_S // 2
        assert clock.look() == 0
        shown.append(clock.now_ns())
    steps_s = [(after - before) / NS_PER_S for before, after in pairwise(shown)]
    assert min(steps_s) >= 0.5 * (1 - SLEW) - 1e-9
    assert max(steps_s) <= 0.5 * (1 + SLEW) + 1e-9
    assert shown[-1] == machine.unix
    assert clock.error_ns == 0


def test_what_is_not_yet_followed_is_part_of_the_error(machine: SimpleNamespace) -> None:
    clock = real_clock(machine, error_s=0.1)
    machine.unix += seconds(1.3)
    machine.monotonic += NS_PER_S
    assert clock.look() == 0
    assert clock.error_ns == seconds(0.1) + seconds(0.3) - seconds(SLEW)


def test_a_reading_that_was_interrupted_counts_for_nothing() -> None:
    """A process that is stopped between reading one clock and the other would see a step where there is none."""
    steady = iter([0, 0, *(n * NS_PER_S for n in range(1, 7)), 7 * NS_PER_S])
    clock = RealClock(wall_ns=lambda: 5, steady_ns=lambda: next(steady))
    clock.now_ns()
    assert clock.look() == 0
    assert clock.now_ns() == 5 + 7 * NS_PER_S


def test_it_goes_with_the_machine() -> None:
    clock = RealClock()
    assert abs(clock.now_ns() - time.time_ns()) < NS_PER_S // 10
    assert clock.look() == 0
