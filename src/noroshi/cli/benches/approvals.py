"""The approval chain that both parts of the `engine` benchmark work through.

Model: one day of cases (exponential gaps, mean 30 s) that go through five approval levels in series with 4, 4, 4, 4, 5
staff, first come first served, exponential handling times of mean 20, 40, 60, 90, 120 s. A decision is one level
finishing one case.
"""

from __future__ import annotations

import random
from collections import deque

from noroshi.exercise.kernel import Kernel

DAY_NS = 86_400 * 10**9
MEAN_GAP_S = 30.0
MEAN_WORK_S = (20.0, 40.0, 60.0, 90.0, 120.0)
STAFF = (4, 4, 4, 4, 5)
LEVELS = len(STAFF)


def draws(seed: int) -> tuple[list[int], list[list[int]]]:
    """Arrival times and handling times per case and level, ns."""
    generator = random.Random(seed)
    arrivals, at = [], 0
    while True:
        at += round(generator.expovariate(1 / MEAN_GAP_S) * 1e9)
        if at > DAY_NS:
            break
        arrivals.append(at)
    return arrivals, [
        [round(generator.expovariate(1 / mean) * 1e9) for mean in MEAN_WORK_S] for _ in arrivals
    ]


class Chain:
    """The approval chain on noroshi's kernel."""

    def __init__(self, arrivals: list[int], work: list[list[int]]) -> None:
        self.kernel = Kernel()
        self.work = work
        self.free = list(STAFF)
        self.waiting: list[deque[int]] = [deque() for _ in STAFF]
        self.decisions = 0
        self.checksum = 0
        self.arrivals = arrivals
        self.kernel.at(arrivals[0], self.source, 0)

    def source(self, now_ns: int, case: int) -> None:
        if case + 1 < len(self.arrivals):
            self.kernel.at(self.arrivals[case + 1], self.source, case + 1)
        self.arrive(now_ns, (0, case))

    def arrive(self, now_ns: int, argument: tuple[int, int]) -> None:
        level, case = argument
        if self.free[level]:
            self.free[level] -= 1
            self.kernel.at(now_ns + self.work[case][level], self.finish, argument)
        else:
            self.waiting[level].append(case)

    def finish(self, now_ns: int, argument: tuple[int, int]) -> None:
        level, case = argument
        self.decisions += 1
        self.checksum += now_ns
        queue = self.waiting[level]
        if queue:
            following = queue.popleft()
            self.kernel.at(now_ns + self.work[following][level], self.finish, (level, following))
        else:
            self.free[level] += 1
        if level + 1 < LEVELS:
            self.arrive(now_ns, (level + 1, case))
