"""Budgets: many small releases make a large one, so a policy may bound how many of a content go to a partner in an hour.

What is over its budget is withheld until a person has looked: a named post may release it. The count is exact over any
hour, not per hour of the clock, so that nobody gets two hours' worth round the turn of one.

    spent = Spent()
    spent.charge("KOR", policy.budgets_for("KOR", "launch-point"), now_ns)     # '' or the id of the budget that is full
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from noroshi.clock import seconds
from noroshi.sharing.policy import Budget

HOUR_NS = seconds(3600.0)


class Spent:
    """When messages went that count against a budget, for the last hour. State of a node, changed by its inputs only."""

    def __init__(self) -> None:
        self._times_ns: dict[tuple[str, str], deque[int]] = {}

    def charge(self, partner: str, budgets: Sequence[Budget], now_ns: int) -> str:
        """Counts one message to `partner` against all these budgets; or against none, and the id of one that is full."""
        spent = [self._within(one.id, partner, now_ns) for one in budgets]
        for one, times_ns in zip(budgets, spent, strict=True):
            if len(times_ns) >= one.per_hour:
                return one.id
        for times_ns in spent:
            times_ns.append(now_ns)
        return ""

    def shift(self, by_ns: int) -> None:
        """The node's clock was stepped: what was `t` is now `t + by_ns`."""
        for key, times_ns in self._times_ns.items():
            self._times_ns[key] = deque(time_ns + by_ns for time_ns in times_ns)

    def dump(self) -> list[tuple[str, str, list[int]]]:
        """All of it as plain values, in one order: budget, partner, times."""
        return [(*key, list(times_ns)) for key, times_ns in sorted(self._times_ns.items()) if times_ns]

    @classmethod
    def load(cls, rows: Iterable[tuple[str, str, list[int]]]) -> Spent:
        """What `dump` gave, again."""
        spent = cls()
        for budget, partner, times_ns in rows:
            spent._times_ns[budget, partner] = deque(times_ns)
        return spent

    def _within(self, budget: str, partner: str, now_ns: int) -> deque[int]:
        times_ns = self._times_ns.setdefault((budget, partner), deque())
        while times_ns and times_ns[0] <= now_ns - HOUR_NS:
            times_ns.popleft()
        return times_ns
