"""The two sides of a link without cores: real outboxes and stores, and what came from the other side.

one, other = Side("JPN", "USA"), Side("USA", "JPN")
one.put(Lane.TRACK, b"...")
session.serve(one.rows)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from noroshi.log import Batch, MemoryStore, OutboxRow
from noroshi.messages.signing import SIGNATURE_BYTES
from noroshi.sharing import Outboxes, Position, Statement, partner_party, stream_of
from noroshi.sharing.link import LinkSession, Row
from noroshi.sharing.streams import EMPTY_HEAD, LANES, START, next_head

REALM = "exercise:test"
UNSIGNED = bytes(SIGNATURE_BYTES)


def position(*upto: int, epoch: int = 0, head: bytes = EMPTY_HEAD) -> Position:
    """A position with the same head in every lane."""
    assert len(upto) == len(LANES)
    return Position(epoch, upto, (head, head, head, head))  # type: ignore[arg-type]  # four, as asserted


class Side:
    """What a node's core and store are to its link. `got`: first arrivals by lane; what came before is a duplicate."""

    def __init__(self, own: str, peer: str) -> None:
        self.own = own
        self.party = partner_party(peer)
        self.outboxes = Outboxes()
        self.store = MemoryStore()
        self.said: list[list[bytes]] = [[] for _ in LANES]
        self.held = START
        self.got: list[list[bytes]] = [[] for _ in LANES]

    # What is sent

    def put(self, lane: int, *data: bytes, why: Hashable = None) -> None:
        """More rows for the peer."""
        rows = tuple(self.outboxes.put(self.party, lane, "", 0, one, why) for one in data)
        self.said[lane] += data
        self.store.append([Batch((), rows)])

    def restart(self, may_still_go: Callable[[Hashable], bool]) -> None:
        """A changed policy: the streams begin anew with what may still go."""
        self.store.append([Batch((), cuts=self.outboxes.restart(self.party, may_still_go))])

    def rows(self, lane: int, after: int, limit: int) -> list[OutboxRow]:
        """What a session serves."""
        return self.store.outbox(stream_of(self.party, lane), after, limit)

    @property
    def sent(self) -> Position:
        return self.outboxes.sent(self.party)

    @property
    def durable_there(self) -> Position:
        return self.outboxes.durable_there(self.party)

    def take_receipt(self, statement: Statement) -> None:
        """As the core does: nothing when it is old, and never one that differs."""
        if statement.position.epoch < self.sent.epoch:
            return
        assert self.outboxes.defect(self.party, statement.position) == ""
        self.outboxes.receipted(self.party, statement.position)

    # What arrives

    def take(self, row: Row) -> None:
        """The next row of the peer's stream."""
        assert row.number == self.held.upto[row.lane] + 1
        head = next_head(self.held.heads[row.lane], row.data)
        self.held = self.held.at(row.lane, row.number, head)
        if row.data not in self.got[row.lane]:
            self.got[row.lane].append(row.data)


def greeted(
    one: Side | None = None, other: Side | None = None
) -> tuple[LinkSession, LinkSession, Side, Side]:
    """Two sessions that have said hello, each going on where the other is."""
    one, other = one or Side("JPN", "USA"), other or Side("USA", "JPN")
    sessions = [
        LinkSession(REALM, own=a.own, peer=b.own, node=a.own.lower()) for a, b in ((one, other), (other, one))
    ]
    hellos = [
        session.hello(held=side.held, now_ns=0) for session, side in zip(sessions, (one, other), strict=True)
    ]
    sessions[1].receive(hellos[0], 0)
    sessions[0].receive(hellos[1], 0)
    for session, reader, side, held in (
        (sessions[0], sessions[1], one, other),
        (sessions[1], sessions[0], other, one),
    ):
        for event in reader.receive(session.greet(held.held, side.sent, side.durable_there), 0):
            held.held = event.position  # type: ignore[union-attr]  # a restart, or nothing
    return sessions[0], sessions[1], one, other
