"""What others may know of a running node: durable things only, while the core has perhaps gone on from there.

node.receipt("partner:USA")          # what may be sent to it now
wake = node.follow("partner:USA")    # set when there is more
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

from noroshi.node.inputs import Commit
from noroshi.sharing import CAP_GATEWAY, STAFF, Position, Statement, partner_party, party_of
from noroshi.sharing.streams import streams_of

NEIGHBOURS = "node:neighbours"
"""Who follows this is woken when a policy has admitted or removed a partner."""


class Stated(Protocol):
    """What is asked of a core, in the moments in which all that it has done is durable."""

    @property
    def neighbours(self) -> tuple[str, ...]: ...
    def received(self, party: str) -> Position: ...
    def sent(self, party: str) -> Position: ...
    def durable_there(self, party: str) -> Position: ...
    def outbox_upto(self, stream: str) -> int: ...
    def receipt(self, party: str) -> Statement: ...
    def checkpoint(self, party: str) -> Statement: ...


class Published:
    """The durable ends of all streams, and who is to be woken when they move."""

    def __init__(self, core: Stated) -> None:
        self.neighbours = core.neighbours
        self._partners = frozenset(map(partner_party, core.neighbours))
        self._followers: dict[str, set[asyncio.Event]] = {}
        self._receipts: dict[str, Statement] = {}
        self._checkpoints: dict[str, Statement] = {}
        self._sent: dict[str, Position] = {}
        self._durable_there: dict[str, Position] = {}
        self._outbox_upto: dict[str, int] = {}
        self.publish_all(core)

    def received(self, party: str) -> Position:
        """How much of a partner's streams for us is durable here."""
        return self._receipts[party].position

    def receipt(self, party: str) -> Statement:
        """The signed receipt for a partner's rows that are durable here."""
        return self._receipts[party]

    def sent(self, party: str) -> Position:
        """Where our durable streams for a partner end."""
        return self._sent[party]

    def checkpoint(self, party: str) -> Statement:
        """Our signed word on where our durable streams for a partner stand: as `sent` says."""
        return self._checkpoints[party]

    def durable_there(self, party: str) -> Position:
        """How much of our streams a partner has receipted."""
        return self._durable_there[party]

    def outbox_upto(self, stream: str) -> int:
        """The last durable row of a stream."""
        return self._outbox_upto.get(stream, 0)

    def follow(self, party: str) -> asyncio.Event:
        """An event that is set whenever a party has new rows, or new rows of a partner are durable here."""
        event = asyncio.Event()
        self._followers.setdefault(party, set()).add(event)
        return event

    def unfollow(self, party: str, event: asyncio.Event) -> None:
        """Ends `follow`."""
        self._followers.get(party, set()).discard(event)

    def wake(self, parties: Iterable[str] | None = None) -> None:
        """Wakes who follows these parties, or all."""
        for party in self._followers if parties is None else parties:
            for event in self._followers.get(party, ()):
                event.set()

    def publish_all(self, core: Stated) -> None:
        """Takes everything from a core that has done no more than is durable."""
        for party in self._partners:
            self._receipts[party] = core.receipt(party)
            self._checkpoints[party] = core.checkpoint(party)
            self._durable_there[party] = core.durable_there(party)
            self._sent[party] = core.sent(party)
        for party in (STAFF, CAP_GATEWAY, *self._partners):
            for stream in streams_of(party):
                self._outbox_upto[stream] = core.outbox_upto(stream)

    def publish(self, core: Stated, commits: Iterable[Commit], from_partners: set[str]) -> None:
        """Takes what these commits have changed, once they are durable; `from_partners`: who gave something in them."""
        if core.neighbours != self.neighbours:
            self.neighbours = core.neighbours
            self._partners = frozenset(map(partner_party, core.neighbours))
            self.publish_all(core)
            self.wake({NEIGHBOURS})
        grown: set[str] = set()
        for commit in commits:
            for cut in commit.batch.cuts:
                self._outbox_upto[cut.stream] = cut.after + len(cut.kept)
                grown.add(party_of(cut.stream))
            for row in commit.batch.outbox:
                self._outbox_upto[row.stream] = row.number
                grown.add(party_of(row.stream))
        for party in self._partners:
            self._durable_there[party] = core.durable_there(party)
            if core.received(party) != self._receipts[party].position:
                self._receipts[party] = core.receipt(party)
            if core.sent(party) != self._sent[party]:
                self._checkpoints[party] = core.checkpoint(party)
                self._sent[party] = self._checkpoints[party].position
        self.wake(grown | from_partners)
