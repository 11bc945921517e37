"""How much of one giver's nonsense the record keeps: a flood of it is dropped at the door, counted and not kept.

Partners have quotas of their own (`quotas`): their rows are numbered, and wait. Of an own giver (a post, a feed, another
agency's files) the first refusals and repeats are all on the record, with what was refused. Whoever goes on has used up
its allowance: what the core can see to be worthless is then refused without a record, and of the rest only so much is
taken as a person or a feed that means it would give. Nothing that would be believed is dropped for what others send.

    budget = RefusalBudget(now_s)
    budget.charge("hand:api", logged_bytes, now_s)      # something of it was refused
    if budget.over("hand:api", now_s) and not budget.doubtful("hand:api", now_s): ...
"""

from __future__ import annotations

BURST, PER_S = 500.0, 1.0
"""Refusals and repeats of one giver that are kept at once, and each second after them."""

BURST_BYTES, BYTES_PER_S = float(64 << 20), float(8 << 10)
"""The same in bytes of the record: 700 MiB a day at most, of whoever goes on for all of it."""

ALL_BYTES, ALL_BYTES_PER_S = float(256 << 20), float(16 << 10)
"""All givers together: names are cheap."""

DOUBTFUL, DOUBTFUL_PER_S = 50.0, 1.0
"""What is taken of a giver that is over its allowance although it may be refused as well."""

MAX_GIVERS = 256

OTHERS = "others"


class _Tank:
    """Fills by what is used and drains steadily."""

    __slots__ = ("_at_s", "_drain", "_level", "_size")

    def __init__(self, size: float, drain: float, now_s: float) -> None:
        self._size, self._drain = size, drain
        self._level, self._at_s = 0.0, now_s

    def level(self, now_s: float) -> float:
        self._level = max(self._level - self._drain * (now_s - self._at_s), 0.0)
        self._at_s = now_s
        return self._level

    def add(self, amount: float, now_s: float) -> None:
        self._level = min(self.level(now_s) + amount, 2.0 * self._size)

    def full(self, now_s: float) -> bool:
        return self.level(now_s) >= self._size


class _Giver:
    __slots__ = ("count", "doubtful", "size")

    def __init__(self, now_s: float) -> None:
        self.count = _Tank(BURST, PER_S, now_s)
        self.size = _Tank(BURST_BYTES, BYTES_PER_S, now_s)
        self.doubtful = _Tank(DOUBTFUL, DOUBTFUL_PER_S, now_s)

    def idle(self, now_s: float) -> bool:
        return not any(one.level(now_s) for one in (self.count, self.size, self.doubtful))


class RefusalBudget:
    """The allowances of all own givers. now_s: steady seconds."""

    def __init__(self, now_s: float) -> None:
        self._givers: dict[str, _Giver] = {}
        self._all = _Tank(ALL_BYTES, ALL_BYTES_PER_S, now_s)

    def charge(self, party: str, logged_bytes: int, now_s: float) -> None:
        """Counts something that was refused, or had been given before."""
        giver = self._giver(party, now_s)
        giver.count.add(1.0, now_s)
        giver.size.add(logged_bytes, now_s)
        self._all.add(logged_bytes, now_s)

    def over(self, party: str, now_s: float) -> bool:
        """Whether a giver has used up its allowance, or all of them together have."""
        giver = self._givers.get(party)
        if giver is None and len(self._givers) >= MAX_GIVERS:
            giver = self._givers.get(OTHERS)
        own = giver is not None and (giver.count.full(now_s) or giver.size.full(now_s))
        return own or self._all.full(now_s)

    def doubtful(self, party: str, now_s: float) -> bool:
        """Whether one more of a giver that is over is taken, which may be good; counts it."""
        giver = self._giver(party, now_s)
        if giver.doubtful.full(now_s):
            return False
        giver.doubtful.add(1.0, now_s)
        return True

    def _giver(self, party: str, now_s: float) -> _Giver:
        found = self._givers.get(party)
        if found is None and len(self._givers) >= MAX_GIVERS:
            self._givers = {name: one for name, one in self._givers.items() if not one.idle(now_s)}
        if found is None and len(self._givers) >= MAX_GIVERS:
            party = OTHERS
        return found or self._givers.setdefault(party, _Giver(now_s))
