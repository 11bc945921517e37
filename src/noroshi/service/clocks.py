"""The clocks of a running node: the only place where one is read.

A real node runs on UTC. In an exercise several processes share one clock: it stands at `start_ns` until the
anchor, a moment of real time, and then runs `speed` times as fast as life.

    clock = ScaledClock(from_iso("2022-10-03T22:21:00Z"), anchor_unix_ns, speed=10.0)
    clock.now_ns()
    await asyncio.sleep(clock.delay_s(due_ns))
"""

from __future__ import annotations

import time
from typing import Protocol

from noroshi.clock import NEVER, NS_PER_S


class RunningClock(Protocol):
    """A `noroshi.clock.Clock` that also knows how fast it runs."""

    @property
    def speed(self) -> float:
        """Seconds of this clock per second of life."""
        ...

    @property
    def start_ns(self) -> int:
        """Where the clock of an exercise began; 0 for real time."""
        ...

    def now_ns(self) -> int:
        """UTC nanoseconds on this clock."""
        ...

    def delay_s(self, until_ns: int) -> float:
        """Seconds of life until this clock shows `until_ns`: 0 when it has passed, infinite for NEVER."""
        ...


class RealClock:
    """UTC as the machine has it. Steps when the machine's clock is set."""

    speed = 1.0
    start_ns = 0

    def now_ns(self) -> int:
        return time.time_ns()

    def delay_s(self, until_ns: int) -> float:
        return float("inf") if until_ns >= NEVER else max(0.0, (until_ns - time.time_ns()) / NS_PER_S)


class ScaledClock:
    """An exercise's clock, the same in every process that is given the same three figures.

    start_ns: what it shows until the anchor; anchor_unix_ns: the real time at which it begins to run; speed:
    its seconds per second of life, above 0. Once made it follows the machine's monotonic clock, so that a
    step of the machine's time is not multiplied.
    """

    def __init__(self, start_ns: int, anchor_unix_ns: int, speed: float) -> None:
        if not 0.0 < speed <= 10_000.0:
            raise ValueError(f"speed {speed} is not between 0 and 10000")
        self._start_ns = start_ns
        self._speed = speed
        self._anchor_monotonic_ns = time.monotonic_ns() + (anchor_unix_ns - time.time_ns())

    @property
    def speed(self) -> float:
        return self._speed

    @property
    def start_ns(self) -> int:
        return self._start_ns

    def now_ns(self) -> int:
        gone_ns = time.monotonic_ns() - self._anchor_monotonic_ns
        return self._start_ns if gone_ns <= 0 else self._start_ns + round(gone_ns * self._speed)

    def delay_s(self, until_ns: int) -> float:
        if until_ns >= NEVER:
            return float("inf")
        if until_ns <= self._start_ns:
            return 0.0
        due_ns = self._anchor_monotonic_ns + (until_ns - self._start_ns) / self._speed
        return max(0.0, (due_ns - time.monotonic_ns()) / NS_PER_S)
