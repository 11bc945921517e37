"""Is the way to every last hop known to work? What the last tests have shown, and whether that is too old to count.

A test goes the whole way of an alert: signed by the node, checked by the relay, passed on to every last hop, receipted.
It is a kind of its own and no relay or last hop can take it for an alert.

    ready = Readiness()
    ready.tested("jp-pref", number=3, sent_ns=now_ns, hops=120)
    ready.heard("jp-pref", 3, received_bits, now_ns)
    ready.state("jp-pref", now_ns, stale_after_ns=...)      # 'ready', 'partial', 'failed', 'stale', 'waiting', 'never'
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from noroshi.messages.bodies_reach import bits_of, bytes_of

EVERY_S = 86_400.0
"""Between two tests: once a day, so that a town's broken speaker is known the day after and not in the crisis."""

STALE_S = 1.25 * EVERY_S
"""Older than this a test shows nothing any more: a day, and a quarter of one for a test that came late."""

RECEIPT_WITHIN_S = 30.0
"""How long a last hop may take; one that says nothing for longer is taken for one that has received nothing."""

Standing = Literal["never", "waiting", "ready", "partial", "failed", "stale"]


@dataclass(slots=True)
class Tested:
    """The tests of one roster. number: of the newest, sent at `sent_ns`, of which `received` have come back.

    good_ns: when last all had come back; judged: whether the time for it is over.
    """

    roster: str
    hops: int = 0
    number: int = 0
    sent_ns: int = 0
    received: bytes = b""
    last_ns: int = 0
    judged: bool = False
    good_ns: int = 0

    @property
    def missing(self) -> int:
        """Bits of the last hops that the newest test has not come back from."""
        return ((1 << self.hops) - 1) & ~bits_of(self.received)


class Readiness:
    """The tests of all rosters of one node."""

    def __init__(self) -> None:
        self.rosters: dict[str, Tested] = {}

    def tested(self, roster: str, number: int, sent_ns: int, hops: int) -> None:
        """A test was sent to this roster's relays."""
        row = self.rosters.setdefault(roster, Tested(roster))
        row.hops, row.number, row.sent_ns = hops, number, sent_ns
        row.received, row.last_ns, row.judged = b"", 0, False

    def heard(self, roster: str, number: int, received: bytes, now_ns: int) -> bool:
        """Receipts of a test; whether it is the newest, and they are news."""
        row = self.rosters.get(roster)
        if row is None or row.number != number:
            return False
        joined = bytes_of(bits_of(row.received) | bits_of(received))
        if joined == row.received:
            return False
        row.received, row.last_ns = joined, now_ns
        if not row.missing:
            row.good_ns = now_ns
        return True

    def judge(self, roster: str) -> bool:
        """The time of the newest test is over; whether it had not been judged before."""
        row = self.rosters.get(roster)
        if row is None or row.judged:
            return False
        row.judged = True
        return True

    def state(self, roster: str, now_ns: int, stale_after_ns: int) -> Standing:
        """How the roster stands at `now_ns`: stale goes before all else, since what it says is then no longer known."""
        row = self.rosters.get(roster)
        if row is None or not row.number:
            return "never"
        if now_ns - row.sent_ns > stale_after_ns:
            return "stale"
        if not row.missing:
            return "ready"
        if not row.judged:
            return "waiting"
        return "partial" if row.received else "failed"

    def saved(self) -> list[Tested]:
        """All of it, in the order in which the rosters came."""
        return list(self.rosters.values())

    @classmethod
    def loaded(cls, saved: list[Tested]) -> Readiness:
        """The readiness that `saved` gave."""
        ready = cls()
        ready.rosters = {row.roster: row for row in saved}
        return ready
