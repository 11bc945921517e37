"""What others may know of a running node: durable things only, while the core has perhaps gone on from there.

node.receipt("partner:USA")          # what may be sent to it now
wake = node.follow("partner:USA")    # set when there is more
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Protocol

import msgspec

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


class News(msgspec.Struct, frozen=True):
    """What is to be known of a core after some commits. upto: the last row of each stream that has grown or was begun
    anew; awake: who is to be woken.
    """

    neighbours: tuple[str, ...]
    receipts: dict[str, Statement]
    checkpoints: dict[str, Statement]
    durable_there: dict[str, Position]
    upto: dict[str, int]
    awake: set[str]


class Published:
    """The durable ends of all streams, and who is to be woken when they move."""

    def __init__(self, core: Stated) -> None:
        self.neighbours = core.neighbours
        self._partners = frozenset(map(partner_party, core.neighbours))
        self._followers: dict[str, set[asyncio.Event]] = {}
        self._receipts: dict[str, Statement] = {}
        self._checkpoints: dict[str, Statement] = {}
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
        return self._checkpoints[party].position

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
        self.tell(self._all_of(core))

    def publish(self, core: Stated, commits: Iterable[Commit], from_partners: set[str]) -> None:
        """Takes what these commits have changed, once they are durable; `from_partners`: who gave something in them."""
        self.tell(self.news(core, commits, from_partners))

    def news(self, core: Stated, commits: Iterable[Commit], from_partners: set[str]) -> News:
        """What these commits, the last that the core has made, have changed: to be told when they are durable."""
        upto: dict[str, int] = {}
        for commit in commits:
            for cut in commit.batch.cuts:
                upto[cut.stream] = cut.after + len(cut.kept)
            for row in commit.batch.outbox:
                upto[row.stream] = row.number
        awake = from_partners.union(map(party_of, upto))
        if core.neighbours != self.neighbours:
            return msgspec.structs.replace(self._all_of(core), awake=awake | {NEIGHBOURS})
        receipts, checkpoints = {}, {}
        for party in self._partners:
            if core.received(party) != self._receipts[party].position:
                receipts[party] = core.receipt(party)
            if core.sent(party) != self._checkpoints[party].position:
                checkpoints[party] = core.checkpoint(party)
        there = {party: core.durable_there(party) for party in self._partners}
        return News(self.neighbours, receipts, checkpoints, there, upto, awake)

    def tell(self, news: News) -> None:
        """Makes known what is durable now."""
        if news.neighbours != self.neighbours:
            self.neighbours = news.neighbours
            self._partners = frozenset(map(partner_party, news.neighbours))
        self._receipts.update(news.receipts)
        self._checkpoints.update(news.checkpoints)
        self._durable_there.update(news.durable_there)
        self._outbox_upto.update(news.upto)
        self.wake(news.awake)

    def _all_of(self, core: Stated) -> News:
        """All that is to be known of a core as it stands."""
        parties = list(map(partner_party, core.neighbours))
        streams = [stream for party in (STAFF, CAP_GATEWAY, *parties) for stream in streams_of(party)]
        return News(
            core.neighbours,
            {party: core.receipt(party) for party in parties},
            {party: core.checkpoint(party) for party in parties},
            {party: core.durable_there(party) for party in parties},
            {stream: core.outbox_upto(stream) for stream in streams},
            set(),
        )
