"""The event kernel: order, ties, the clock, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.clock import NEVER
from noroshi.exercise.kernel import Kernel, PastEventError


def test_events_come_by_time_then_priority_then_order_of_setting() -> None:
    kernel, seen = Kernel(10), []

    def note(now_ns: int, what: str) -> None:
        seen.append((now_ns, what))

    kernel.at(30, note, "late")
    kernel.at(20, note, "second", 1)
    kernel.at(20, note, "first", 0)
    kernel.at(20, note, "third", 1)
    kernel.at(10, note, "now")
    assert kernel.run() == 5
    assert seen == [(10, "now"), (20, "first"), (20, "second"), (20, "third"), (30, "late")]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(-2, 2)), max_size=60))
def test_any_set_of_events_comes_in_a_stable_order(events: list[tuple[int, int]]) -> None:
    kernel, seen = Kernel(), []
    for serial, (time_ns, priority) in enumerate(events):
        kernel.at(time_ns, lambda now_ns, key: seen.append(key), (time_ns, priority, serial), priority)
    kernel.run()
    assert seen == sorted((time_ns, priority, serial) for serial, (time_ns, priority) in enumerate(events))


def test_run_stops_at_the_given_time_and_goes_on_from_there() -> None:
    kernel, seen = Kernel(), []
    for time_ns in (5, 6, 7):
        kernel.at(time_ns, lambda now_ns, _: seen.append(now_ns))
    assert kernel.run(6) == 2
    assert (kernel.now_ns, kernel.next_ns, len(kernel)) == (6, 7, 1)
    assert kernel.run(100) == 1
    assert (seen, kernel.now_ns, kernel.next_ns) == ([5, 6, 7], 100, NEVER)


def test_events_that_events_set_at_the_same_time_still_come() -> None:
    kernel, seen = Kernel(), []

    def again(now_ns: int, left: int) -> None:
        seen.append(left)
        if left:
            kernel.at(now_ns, again, left - 1)

    kernel.at(3, again, 3)
    kernel.run(3)
    assert seen == [3, 2, 1, 0]


def test_an_action_may_stop_the_run() -> None:
    kernel, seen = Kernel(), []

    def stop(now_ns: int, _: Any) -> None:
        seen.append(now_ns)
        kernel.stopped = True

    kernel.at(1, stop)
    kernel.at(2, stop)
    kernel.run()
    assert (seen, kernel.now_ns) == ([1], 1)


def test_the_past_is_refused() -> None:
    kernel = Kernel(5)
    with pytest.raises(PastEventError, match="4 is before the present, 5"):
        kernel.at(4, lambda now_ns, _: None)


def test_no_two_arguments_are_ever_compared() -> None:
    kernel, seen = Kernel(), []
    for what in ({}, object(), None, lambda: 0):
        kernel.at(1, lambda now_ns, argument: seen.append(argument), what)
    kernel.run()
    assert len(seen) == 4
