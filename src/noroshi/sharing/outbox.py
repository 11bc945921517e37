"""Outboxes: dense, numbered streams per party. Everything that leaves a node is one of their rows.

Only this package makes rows; links, pages, exports and gateways read them. A party's numbers count what it was
given and nothing else, so what was withheld leaves no gap. Of partners' rows that nobody has receipted yet it is kept
why they may go, since that is asked again when the policy changes before they have gone.

    row = outboxes.put("partner:USA", Lane.WARNING, "", now_ns, raw, why)
    outboxes.defect("partner:USA", position)             # "" or what is wrong with a receipt
    outboxes.receipted("partner:USA", position)
    cuts = outboxes.restart("partner:USA", may_still_go)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec

from noroshi.log import Cut, OutboxRow
from noroshi.sharing.streams import EMPTY_HEAD, LANES, Position, head_after, stream_of, streams_of

STAFF = "staff"
CAP_GATEWAY = "gateway:cap"
RELAYS = "relay:"
"""How the parties of relays begin: each has an outbox of its own."""


def partner_party(partner: str) -> str:
    """The party name of a partner's link."""
    return f"partner:{partner}"


class Unreceipted(msgspec.Struct, frozen=True, gc=False):
    """A row that its partner has not receipted. why: what decides whether it may go; digest: SHA-256 of its data."""

    number: int
    digest: bytes
    head: bytes
    why: Hashable


@dataclass(slots=True)
class Stream:
    """The end of one stream, and what of it is not receipted."""

    number: int = 0
    head: bytes = EMPTY_HEAD
    receipted: int = 0
    receipted_head: bytes = EMPTY_HEAD
    unreceipted: deque[Unreceipted] = field(default_factory=deque)


class Outboxes:
    """The ends of all streams of one node."""

    def __init__(self) -> None:
        self.streams: dict[str, Stream] = {}
        self.epochs: dict[str, int] = {}

    def put(
        self,
        party: str,
        lane: int,
        key: str,
        now_ns: int,
        data: bytes,
        why: Hashable = None,
        digest: bytes = b"",
    ) -> OutboxRow:
        """The next row for `party`; `why` is kept for partners until they have receipted it.

        digest: SHA-256 of the data, where the caller has it: one message goes to several partners.
        """
        name = stream_of(party, lane)
        stream = self.streams.get(name) or self._stream(name)
        digest = digest or sha256(data).digest()
        stream.number += 1
        stream.head = head_after(stream.head, digest)
        if name != party:
            stream.unreceipted.append(Unreceipted(stream.number, digest, stream.head, why))
        return OutboxRow(name, stream.number, lane, key, now_ns, data, stream.head)

    def upto(self, stream: str) -> int:
        """The number of the last row of a stream, 0 if none."""
        known = self.streams.get(stream)
        return known.number if known else 0

    def sent(self, party: str) -> Position:
        """Where a partner's streams end."""
        a, b, c, d = self._ends(party)
        numbers, heads = (a.number, b.number, c.number, d.number), (a.head, b.head, c.head, d.head)
        return Position(self.epochs.get(party, 0), numbers, heads)

    def durable_there(self, party: str) -> Position:
        """How far a partner has receipted."""
        a, b, c, d = self._ends(party)
        upto = a.receipted, b.receipted, c.receipted, d.receipted
        heads = a.receipted_head, b.receipted_head, c.receipted_head, d.receipted_head
        return Position(self.epochs.get(party, 0), upto, heads)

    def defect(self, party: str, position: Position) -> str:
        """Why a partner cannot hold this of our streams, or an empty text. What it receipted long ago is not known."""
        if position.epoch != self.epochs.get(party, 0):
            return "receipt-of-another-epoch"
        for lane in LANES:
            end, upto, head = self._end(party, lane), position.upto[lane], position.heads[lane]
            if upto > end.number:
                return "receipt-for-unsent-rows"
            if upto == end.receipted and head != end.receipted_head:
                return "receipt-differs"
            if upto > end.receipted and end.unreceipted[upto - end.receipted - 1].head != head:
                return "receipt-differs"
        return ""

    def receipted(self, party: str, position: Position) -> bool:
        """Takes a receipt without defect; whether it was news."""
        news = False
        for lane in LANES:
            end, upto = self._end(party, lane), position.upto[lane]
            while end.receipted < upto:
                row = end.unreceipted.popleft()
                end.receipted, end.receipted_head = row.number, row.head
                news = True
        return news

    def done_with(self) -> dict[str, int]:
        """Of each stream the last row that nobody waits for: of partners' what is receipted, of others all."""
        return {
            name: stream.receipted if name.startswith(partner_party("")) else stream.number
            for name, stream in sorted(self.streams.items())
        }

    def must_restart(self, party: str, may_still_go: Callable[[Hashable], bool]) -> bool:
        """Whether something waits for a partner that may no longer go."""
        return any(not may_still_go(row.why) for lane in LANES for row in self._end(party, lane).unreceipted)

    def restart(self, party: str, may_still_go: Callable[[Hashable], bool]) -> tuple[Cut, ...]:
        """Begins a partner's streams anew after what it has receipted, with those rows that may still go."""
        self.epochs[party] = self.epochs.get(party, 0) + 1
        cuts: list[Cut] = []
        for lane in LANES:
            end = self._end(party, lane)
            if not end.unreceipted:
                continue
            stays = [row for row in end.unreceipted if may_still_go(row.why)]
            end.number, end.head = end.receipted, end.receipted_head
            end.unreceipted = deque()
            kept: list[tuple[int, bytes]] = []
            for row in stays:
                end.number += 1
                end.head = head_after(end.head, row.digest)
                end.unreceipted.append(Unreceipted(end.number, row.digest, end.head, row.why))
                kept.append((row.number, end.head))
            cuts.append(Cut(stream_of(party, lane), end.receipted, tuple(kept)))
        return tuple(cuts)

    def _stream(self, name: str) -> Stream:
        known = self.streams.get(name)
        if known is None:
            known = self.streams[name] = Stream()
        return known

    def _ends(self, party: str) -> list[Stream]:
        """The streams of a partner, one per lane."""
        return [self.streams.get(name) or Stream() for name in streams_of(party)]

    def _end(self, party: str, lane: int) -> Stream:
        return self.streams.get(stream_of(party, lane)) or Stream()
