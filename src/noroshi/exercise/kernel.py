"""The event kernel: what happens next on a virtual clock, and nothing else.

Rules: events come in the order of their time; at one time the lower priority number first; at one priority in the
order in which they were set. So a run repeats exactly. The clock moves only from event to event; nothing here
reads a wall clock, sleeps or draws a number.

    kernel = Kernel(start_ns)
    kernel.at(start_ns + 5, print, "hello")      # calls print(now_ns, "hello")
    kernel.run(until_ns)
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any

from noroshi.clock import NEVER
from noroshi.errors import LocalError

Action = Callable[[int, Any], object]
"""What an event does: it is called with the time of the event (ns) and the argument that it was set with."""

Event = tuple[int, int, int, Action, Any]
"""time_ns, priority, serial, action, argument: a plain tuple, so that the heap compares numbers only."""


class PastEventError(LocalError):
    """An event was set for a time that the clock has passed."""


class Kernel:
    """A heap of events and a clock. Not for several threads."""

    __slots__ = ("_heap", "_serial", "now_ns", "stopped")

    def __init__(self, now_ns: int = 0) -> None:
        self.now_ns = now_ns
        self.stopped = False
        self._heap: list[Event] = []
        self._serial = count()

    def at(self, time_ns: int, action: Action, argument: Any = None, priority: int = 0) -> None:
        """Sets an event. Raises PastEventError for a time before the present one."""
        if time_ns < self.now_ns:
            raise PastEventError("set an event", cause=f"{time_ns} is before the present, {self.now_ns}")
        heappush(self._heap, (time_ns, priority, next(self._serial), action, argument))

    def run(self, until_ns: int = NEVER) -> int:
        """Runs all events up to and at `until_ns`, also those that they set; gives their number.

        The clock then stands at `until_ns` (or at the last event, when that is NEVER). An action ends the run
        early by setting `stopped`.
        """
        heap, done = self._heap, 0
        while heap and not self.stopped:
            if heap[0][0] > until_ns:
                break
            time_ns, _, _, action, argument = heappop(heap)
            self.now_ns = time_ns
            action(time_ns, argument)
            done += 1
        if not self.stopped and until_ns != NEVER:
            self.now_ns = max(self.now_ns, until_ns)
        return done

    @property
    def next_ns(self) -> int:
        """The time of the next event, NEVER if there is none."""
        return self._heap[0][0] if self._heap else NEVER

    def __len__(self) -> int:
        return len(self._heap)
