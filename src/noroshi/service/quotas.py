"""What one party may cost a node: processor, record, waiting inputs. A party that costs more pays for it alone.

Rules: what a partner says is counted in two accounts, one for warnings and decisions and one for notices and tracks, so
that a radar gone mad does not silence its nation's warnings. More than a share of the processor is given only when
nobody else wants it; more of the record than the quota is not given at all until time has gone by. Nothing is lost:
what is held waits, and then waits with its sender.

    account = Account(Quotas(), now_s)
    account.charge(urgent=False, handled_s=0.002, logged_bytes=900, now_s=now_s)
    account.deferred(urgent=False), account.held(urgent=False), account.reason
"""

from __future__ import annotations

from dataclasses import dataclass

from noroshi.documents import Element

BACK_AT = 0.5
"""A party is over its share from its whole burst on, until it is down to this part of it: so that it is told once."""

DEEPEST = 2.0
"""Most bursts that are held against a party: it is itself again soon after it has stopped."""

URGENT_DISK = 0.25
"""What warnings and decisions have of the record beside a party's quota, as a part of that: they are small and few."""

FULL_AT, ROOM_AT = 1.0, 0.95
"""A quota of the record is used up at the first and has room again at the second."""

BARRED_S = 60.0
"""After a row on which the core fails nothing of its sender is taken for so long: it will send that row again, and
making the core anew from the record each time would leave no time for anybody else."""

HOUR_S, DAY_S = 3600.0, 86_400.0
_MIB = 1 << 20


class Quotas(Element, frozen=True, kw_only=True):
    """What each partner may cost. Figures are defaults; `node.json` may give others.

    processor_share: part of the processor that a partner may use steadily, and processor_burst_s: seconds of it at
    once, before others go first. disk_hour_bytes, disk_day_bytes: what it may have logged within an hour and a day.
    queue_inputs, queue_bytes: what may wait of it in each lane; above a link's window, or links would end for it.
    """

    processor_share: float = 0.5
    processor_burst_s: float = 1.0
    disk_hour_bytes: int = 1 << 30
    disk_day_bytes: int = 4 << 30
    queue_inputs: int = 2048
    queue_bytes: int = 8 << 20

    @property
    def defect(self) -> tuple[str, str]:
        """The field that cannot be meant, and why; two empty texts when all can."""
        if not 0.01 <= self.processor_share <= 1.0:
            return "processor_share", "a share of the processor is from 0.01 to 1"
        if not 0.01 <= self.processor_burst_s <= 60.0:
            return "processor_burst_s", "a burst is from 0.01 to 60 seconds"
        if self.disk_hour_bytes < _MIB:
            return "disk_hour_bytes", "a partner needs at least 1048576 bytes an hour"
        if self.disk_day_bytes < self.disk_hour_bytes:
            return "disk_day_bytes", "a day's quota is at least an hour's"
        if not 1024 <= self.queue_inputs <= 1_000_000:
            return "queue_inputs", "from 1024, a link's window, to 1000000 inputs may wait"
        if self.queue_bytes < 6 * _MIB:
            return "queue_bytes", "a link's window needs at least 6291456 bytes"
        return "", ""


class _Tank:
    """Fills by what is used and drains steadily: what was used lately."""

    __slots__ = ("_at_s", "_level", "drain", "size")

    def __init__(self, size: float, drain: float, now_s: float) -> None:
        self.size = size
        self.drain = drain
        self._level = 0.0
        self._at_s = now_s

    def add(self, amount: float, now_s: float) -> float:
        """The level as a part of the size, after `amount` more."""
        drained = self._level - self.drain * (now_s - self._at_s)
        self._level = min(max(drained, 0.0) + amount, DEEPEST * self.size)
        self._at_s = now_s
        return self._level / self.size


class _Part:
    """One account of a party."""

    __slots__ = ("_day", "_hour", "_processor", "deferred", "held")

    def __init__(self, quotas: Quotas, disk: float, now_s: float) -> None:
        self._processor = _Tank(quotas.processor_burst_s, quotas.processor_share, now_s)
        hour, day = disk * quotas.disk_hour_bytes, disk * quotas.disk_day_bytes
        self._hour = _Tank(hour, hour / HOUR_S, now_s)
        self._day = _Tank(day, day / DAY_S, now_s)
        self.deferred = False
        self.held = False

    def charge(self, handled_s: float, logged_bytes: int, now_s: float) -> None:
        level = self._processor.add(handled_s, now_s)
        self.deferred = level > BACK_AT if self.deferred else level > 1.0
        disk = max(self._hour.add(logged_bytes, now_s), self._day.add(logged_bytes, now_s))
        self.held = disk > ROOM_AT if self.held else disk > FULL_AT


@dataclass(frozen=True, slots=True)
class Standing:
    """How a party stands, for people. reason: why it is held, or empty."""

    party: str
    reason: str


class Account:
    """What one party has used, and what that means for it now."""

    def __init__(self, quotas: Quotas, now_s: float) -> None:
        self._quotas = quotas
        self._parts = (_Part(quotas, 1.0, now_s), _Part(quotas, URGENT_DISK, now_s))
        self._barred_until_s = 0.0
        self._barred = False

    @property
    def barred(self) -> bool:
        """Whether nothing at all is taken, not even receipts."""
        return self._barred

    def bar(self, now_s: float) -> None:
        """Holds all of it for BARRED_S: one of its rows is more than the core can bear."""
        self._barred_until_s = now_s + BARRED_S
        self._barred = True

    def charge(self, *, urgent: bool, handled_s: float, logged_bytes: int, now_s: float) -> None:
        """Counts what one input has cost.

        handled_s: seconds in which the core worked on it; logged_bytes: of its records and rows; now_s: steady seconds.
        """
        self._parts[urgent].charge(handled_s, logged_bytes, now_s)

    def pass_time(self, now_s: float) -> None:
        """Lets time go by, after which the party may stand better."""
        for part in self._parts:
            part.charge(0.0, 0, now_s)
        self._barred = now_s < self._barred_until_s

    def deferred(self, *, urgent: bool) -> bool:
        """Whether everybody else goes first: it has used more than its share of the processor."""
        return self._parts[urgent].deferred

    def held(self, *, urgent: bool) -> bool:
        """Whether no rows are taken: it has filled its quota of the record."""
        return self._parts[urgent].held

    @property
    def reason(self) -> str:
        """Why the party is held or deferred now, for the operator; empty when it is not."""
        bulk, urgent = self._parts
        if self._barred:
            return f"one of its rows makes this node fail: nothing of it is taken for {BARRED_S:.0f} s"
        if bulk.held or urgent.held:
            what = "all its rows are" if bulk.held and urgent.held else _kept(urgent.held)
            hour, day = self._quotas.disk_hour_bytes // _MIB, self._quotas.disk_day_bytes // _MIB
            return f"it has filled its quota of the record ({hour} MiB an hour, {day} MiB a day): {what} held"
        if bulk.deferred or urgent.deferred:
            what = "its rows wait" if bulk.deferred and urgent.deferred else _waiting(urgent.deferred)
            share = round(100 * self._quotas.processor_share)
            return f"it has used more than {share} % of the processor: {what} until nobody else's do"
        return ""


def _kept(urgent: bool) -> str:
    return "its warnings and decisions are" if urgent else "its notices and tracks are"


def _waiting(urgent: bool) -> str:
    return "its warnings and decisions wait" if urgent else "its notices and tracks wait"
