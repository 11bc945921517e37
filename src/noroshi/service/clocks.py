"""The clocks of a running node: the only place where one is read.

A real node runs on UTC. Between two looks at the machine's wall clock its time comes from the machine's steady
clock, so that it never runs backwards by itself: small differences are followed gently, and a step is told to whoever
looks, before anything goes by the new time. In an exercise several processes share one clock: it stands at
`start_ns` until the anchor, a moment of real time, and then runs `speed` times as fast as life.

    clock = RealClock(error_s=0.05)
    if by_ns := clock.look():            # the machine's clock was stepped
        ...
    await asyncio.sleep(clock.delay_s(due_ns))
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from noroshi.clock import NEVER, NS_PER_S, seconds

STEP_S = 0.5
"""A difference to the wall clock beyond which it was stepped: a time service steps from 0.128 s on, drift and slewing
stay far below it between two looks."""

SLEW = 0.01
"""The part of the time that has gone by which a small difference is made good: 0.5 s within a minute, and speeds are
wrong by 1 % at most."""

READ_NS = 1_000_000
"""The wall clock was read well when the steady clock moved by no more than this meanwhile."""

READS = 3
"""Attempts at a good reading; on a machine that is too busy for one the look is left for the next time."""


class RunningClock(Protocol):
    """A `noroshi.clock.Clock` that also knows how fast it runs and how wrong it may be."""

    @property
    def speed(self) -> float:
        """Seconds of this clock per second of life."""
        ...

    @property
    def start_ns(self) -> int:
        """Where the clock of an exercise began; 0 for real time."""
        ...

    @property
    def error_ns(self) -> int:
        """How far this clock may be from UTC, as far as this machine can say."""
        ...

    def now_ns(self) -> int:
        """UTC nanoseconds on this clock; it steps in `look` only."""
        ...

    def look(self) -> int:
        """Compares with the machine's wall clock: by how many nanoseconds that was stepped, and 0 when it was not."""
        ...

    def delay_s(self, until_ns: int) -> float:
        """Seconds of life until this clock shows `until_ns`: 0 when it has passed, infinite for NEVER."""
        ...


def _steady_ns() -> int:
    """Nanoseconds since some moment, which go on while a virtual machine is suspended, where the system can tell."""
    clock: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Linux only
    return time.monotonic_ns() if clock is None else time.clock_gettime_ns(clock)


class RealClock:
    """UTC as the machine has it. error_s: how far the machine's clock may be from UTC, as its operator says."""

    speed = 1.0
    start_ns = 0

    def __init__(
        self,
        error_s: float = 0.0,
        *,
        wall_ns: Callable[[], int] = time.time_ns,
        steady_ns: Callable[[], int] = _steady_ns,
    ) -> None:
        self._error_ns = seconds(error_s)
        self._wall_ns = wall_ns
        self._steady_ns = steady_ns
        self._behind_ns = 0
        self._anchor_steady_ns = steady_ns()
        self._anchor_ns = wall_ns()

    @property
    def error_ns(self) -> int:
        return self._error_ns + abs(self._behind_ns)

    def now_ns(self) -> int:
        return self._anchor_ns + self._steady_ns() - self._anchor_steady_ns

    def look(self) -> int:
        for _ in range(READS):
            before_ns = self._steady_ns()
            wall_ns = self._wall_ns()
            steady_ns = self._steady_ns()
            if steady_ns - before_ns <= READ_NS:
                return self._compare(steady_ns, wall_ns)
        return 0

    def delay_s(self, until_ns: int) -> float:
        return float("inf") if until_ns >= NEVER else max(0.0, (until_ns - self.now_ns()) / NS_PER_S)

    def _compare(self, steady_ns: int, wall_ns: int) -> int:
        gone_ns = steady_ns - self._anchor_steady_ns
        shown_ns = self._anchor_ns + gone_ns
        behind_ns = wall_ns - shown_ns
        stepped = abs(behind_ns) > STEP_S * NS_PER_S
        most_ns = round(gone_ns * SLEW)
        moved_ns = behind_ns if stepped else max(-most_ns, min(most_ns, behind_ns))
        self._anchor_steady_ns, self._anchor_ns = steady_ns, shown_ns + moved_ns
        self._behind_ns = behind_ns - moved_ns
        return behind_ns if stepped else 0


class ScaledClock:
    """An exercise's clock, the same in every process that is given the same three figures.

    start_ns: what it shows until the anchor; anchor_unix_ns: the real time at which it begins to run; speed:
    its seconds per second of life, above 0; error_s: what its node says of its error. Once made it follows the machine's
    monotonic clock, so that a step of the machine's time is not multiplied.
    """

    def __init__(self, start_ns: int, anchor_unix_ns: int, speed: float, error_s: float = 0.0) -> None:
        if not 0.0 < speed <= 10_000.0:
            raise ValueError(f"speed {speed} is not between 0 and 10000")
        self._start_ns = start_ns
        self._speed = speed
        self._error_ns = seconds(error_s)
        self._anchor_monotonic_ns = time.monotonic_ns() + (anchor_unix_ns - time.time_ns())

    @property
    def speed(self) -> float:
        return self._speed

    @property
    def start_ns(self) -> int:
        return self._start_ns

    @property
    def error_ns(self) -> int:
        return self._error_ns

    def now_ns(self) -> int:
        gone_ns = time.monotonic_ns() - self._anchor_monotonic_ns
        return self._start_ns if gone_ns <= 0 else self._start_ns + round(gone_ns * self._speed)

    def look(self) -> int:
        return 0

    def delay_s(self, until_ns: int) -> float:
        if until_ns >= NEVER:
            return float("inf")
        if until_ns <= self._start_ns:
            return 0.0
        due_ns = self._anchor_monotonic_ns + (until_ns - self._start_ns) / self._speed
        return max(0.0, (due_ns - time.monotonic_ns()) / NS_PER_S)
