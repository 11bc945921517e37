"""Which last hops have received what, and when, from one node's record: alerts, their ends, tests of readiness.

for one in reaches(log):
    one.purpose, one.identifier, one.share, one.after_s(0.99)
same_sets(reaches(log))                    # per end and roster: who had the alert, who has its end
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

from noroshi.clock import NS_PER_S
from noroshi.messages.bodies import AlertBody
from noroshi.messages.bodies_reach import DeliveryBody, ReadinessBody, bits_of
from noroshi.review.read import Log

READINESS_STALE_S = 1.25 * 86_400.0
"""A test that is older shows nothing, where the node's rules do not say otherwise."""


@dataclass(slots=True)
class Roster:
    """One roster's receipts of one message. received: bits of last hops; recorded_ns: when the node's record had each;
    receipted_ns: up to when its relay had it. signed: of those who, as their relay says, have signed it themselves;
    shown: whose signatures are on the record.
    """

    roster: str
    hops: int = 0
    received: int = 0
    recorded_ns: dict[int, int] = field(default_factory=dict)
    receipted_ns: dict[int, int] = field(default_factory=dict)
    relays: dict[str, int] = field(default_factory=dict)
    receipts: set[str] = field(default_factory=set)
    signed: int = 0
    shown: set[int] = field(default_factory=set)

    @property
    def missing(self) -> tuple[int, ...]:
        """Last hops that have given no receipt."""
        return tuple(hop for hop in range(self.hops) if not self.received >> hop & 1)


@dataclass(slots=True)
class Reached:
    """One message that went to last hops. refers: the identifiers that it updates or ends."""

    node: str
    message: bytes
    identifier: str
    purpose: Literal["alert", "end", "test"]
    sent_ns: int
    cites: str
    refers: tuple[str, ...] = ()
    rosters: dict[str, Roster] = field(default_factory=dict)

    @property
    def hops(self) -> int:
        """Last hops of all rosters."""
        return sum(one.hops for one in self.rosters.values())

    @property
    def received(self) -> int:
        """Those of them that have given a receipt."""
        return sum(one.received.bit_count() for one in self.rosters.values())

    @property
    def share(self) -> float:
        """Of all last hops those that have; 0 where there are none."""
        return self.received / self.hops if self.hops else 0.0

    def times_s(self, only: dict[str, int] | None = None) -> list[float]:
        """Seconds from sending to the node's record of each receipt, rising. only: bits of the last hops that count."""
        return sorted(
            (at - self.sent_ns) / NS_PER_S
            for roster in self.rosters.values()
            for hop, at in roster.recorded_ns.items()
            if only is None or only.get(roster.roster, 0) >> hop & 1
        )

    def after_s(self, share: float) -> float | None:
        """Seconds until so large a share of all last hops had it; None when that never was."""
        times, needed = self.times_s(), ceil(share * self.hops - 1e-9)
        return times[needed - 1] if 0 < needed <= len(times) else None


@dataclass(frozen=True, slots=True)
class Same:
    """An end and one roster: bits of who had what it ends, and of who has the end."""

    identifier: str
    roster: str
    had: int
    ended: int
    cites: str

    @property
    def equal(self) -> bool:
        """Whether they are the same."""
        return self.had == self.ended


def reaches(log: Log) -> tuple[Reached, ...]:
    """All messages of this node of which a relay has spoken, or that update or end such, in their order."""
    said: dict[bytes, Reached] = {}
    for entry in log.entries:
        envelope, body = entry.envelope, entry.body
        if envelope is None:
            continue
        if entry.type == "message" and isinstance(body, AlertBody):
            purpose: Literal["alert", "end"] = "end" if body.type == "Cancel" else "alert"
            said[envelope.id] = Reached(
                log.node,
                envelope.id,
                body.identifier,
                purpose,
                entry.now_ns,
                entry.cites,
                tuple(body.references),
            )
        elif entry.type == "message" and isinstance(body, ReadinessBody):
            name = f"readiness test {body.number}"
            said[envelope.id] = Reached(log.node, envelope.id, name, "test", entry.now_ns, entry.cites)
        elif isinstance(body, DeliveryBody) and entry.accepted and body.of in said:
            _take(said[body.of], body, entry.now_ns)
    told = {one.identifier for one in said.values() if one.rosters}
    return tuple(one for one in said.values() if one.rosters or told.intersection(one.refers))


def _take(reached: Reached, body: DeliveryBody, now_ns: int) -> None:
    roster = reached.rosters.setdefault(body.roster, Roster(body.roster))
    roster.hops = max(roster.hops, body.hops)
    roster.receipts.add(body.receipts)
    roster.signed |= bits_of(body.signed or b"")
    roster.shown.update(one.hop for one in body.proofs or ())
    new = bits_of(body.received) & ~roster.received
    roster.received |= new
    roster.relays[body.relay] = max(roster.relays.get(body.relay, 0), body.count)
    for hop in range(new.bit_length()):
        if new >> hop & 1:
            roster.recorded_ns[hop] = now_ns
            roster.receipted_ns[hop] = body.last_ns


def same_sets(reached: Iterable[Reached]) -> tuple[Same, ...]:
    """Per end and roster whether it has come to just those who had one of the alerts that it ends."""
    every = tuple(reached)
    found = []
    for end in every:
        if end.purpose != "end":
            continue
        before = [one for one in every if one.purpose == "alert" and one.identifier in end.refers]
        for roster in dict.fromkeys(name for one in (*before, end) for name in one.rosters):
            had = 0
            for one in before:
                had |= one.rosters[roster].received if roster in one.rosters else 0
            ended = end.rosters[roster].received if roster in end.rosters else 0
            found.append(Same(end.identifier, roster, had, ended, end.cites))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Ready:
    """How one roster stands by its newest test. took_s: of each last hop that answered, as its relay had it."""

    roster: str
    state: Literal["ready", "partial", "failed", "stale"]
    test: str
    sent_ns: int
    hops: int
    missing: tuple[int, ...]
    took_s: dict[int, float]
    relays: tuple[str, ...]


def readiness(log: Log, now_ns: int) -> tuple[Ready, ...]:
    """Every roster by its newest test, as it stands at `now_ns`; a roster that was never heard of is not in it."""
    rules = log.genesis.get("rules", {})
    stale_s = float(rules.get("readiness_stale_s", READINESS_STALE_S))
    sent = _tests(log)
    newest: dict[str, Reached] = {}
    every = [one for one in reaches(log) if one.purpose == "test"]
    for one in every:
        for name in one.rosters:
            newest[name] = one
    found = []
    for name, one in sorted(newest.items()):
        last = sent[-1] if sent else one  # a later test of which no relay has spoken has failed
        held = one.rosters[name]
        answered = last.message == one.message
        missing = held.missing if answered else tuple(range(held.hops))
        state: Literal["ready", "partial", "failed", "stale"] = (
            "stale"
            if now_ns - last.sent_ns > stale_s * NS_PER_S
            else "ready"
            if not missing
            else "partial"
            if len(missing) < held.hops
            else "failed"
        )
        took = (
            {hop: (at - one.sent_ns) / NS_PER_S for hop, at in held.receipted_ns.items()} if answered else {}
        )
        found.append(
            Ready(
                name,
                state,
                last.identifier,
                last.sent_ns,
                held.hops,
                missing,
                took,
                tuple(sorted(held.relays)),
            )
        )
    return tuple(found)


def _tests(log: Log) -> Sequence[Reached]:
    return [
        Reached(
            log.node,
            entry.envelope.id,
            f"readiness test {entry.body.number}",
            "test",
            entry.now_ns,
            entry.cites,
        )
        for entry in log.entries
        if entry.type == "message" and entry.envelope is not None and isinstance(entry.body, ReadinessBody)
    ]
