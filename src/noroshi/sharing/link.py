"""The link protocol between two partners' nodes, without sockets: bytes in, events out, bytes to send.

A link carries one outbox: rows numbered densely from 1. Each side says at the start after which row of the other
it wants to go on, which is the last that it made durable; rows repeat until a signed cumulative receipt covers
them. What does not parse ends this link and nothing else.

    session = LinkSession("exercise:demo", own="USA", peer="JPN")
    send(session.hello(resume_after=node.received_upto("partner:JPN"), now_ns=now_ns))
    for event in session.receive(data): ...
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from noroshi.errors import PartnerError
from noroshi.log import OutboxRow
from noroshi.messages.canonical import encode
from noroshi.messages.signing import SIGNATURE_BYTES

PROTOCOL_VERSION = 1
MAX_FRAME_BYTES = 2 << 20
"""Largest frame, 2 MiB: one message of at most 1 MiB and its header."""

PING_EVERY_S = 1.0
SILENT_AFTER_S = 3.0
"""A partner of whom nothing was heard for this long is shown as silent."""

TICK_NS = 20_000_000
"""Each party is served on its own tick, so that what others get does not show in its timing."""

RECEIPT_DOMAIN = b"noroshi receipt 1\x00"


class LinkProtocolError(PartnerError):
    """The peer sent something that is no frame of this protocol, or at the wrong moment. Ends the link."""


@dataclass(frozen=True, slots=True)
class PeerReady:
    """The peer has said hello: send it the rows after `resume_after`."""

    resume_after: int
    node: str


@dataclass(frozen=True, slots=True)
class Row:
    """Row `number` of the peer's outbox for us."""

    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """The peer has made our rows up to `upto` durable, and signed for it."""

    upto: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """A ping that wants this answer sent back."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class Offset:
    """The peer's clock against ours, seconds (positive: theirs is ahead), and half the round trip as its error."""

    offset_s: float
    error_s: float


Event = PeerReady | Row | Receipt | Heard | Offset


def receipt_bytes(realm: str, sender: str, receiver: str, upto: int) -> bytes:
    """What the receiver signs: that rows 1 to `upto` of the sender's outbox for it are durable there."""
    return RECEIPT_DOMAIN + encode([realm, sender, receiver, upto])


class LinkSession:
    """One connection's state. A new connection is a new session."""

    def __init__(self, realm: str, *, own: str, peer: str, node: str = "") -> None:
        self.realm = realm
        self.own = own
        self.peer = peer
        self.node = node
        self.ready = False
        self._buffer = bytearray()
        self._last_number: int | None = None

    def hello(self, *, resume_after: int, now_ns: int) -> bytes:
        """The first frame: who we are, in which realm, and after which of the peer's rows we go on."""
        self._last_number = resume_after
        return _frame(
            ["hello", PROTOCOL_VERSION, self.realm, self.own, self.peer, self.node, resume_after, now_ns]
        )

    def rows(self, rows: Iterable[OutboxRow]) -> bytes:
        """Frames of outbox rows, in order."""
        return b"".join(_frame(["row", row.number, row.data]) for row in rows)

    def receipt(self, upto: int, signature: bytes) -> bytes:
        """The frame of a cumulative receipt."""
        return _frame(["receipt", upto, signature])

    def ping(self, now_ns: int) -> bytes:
        """A frame that says "still here" and asks for the peer's time."""
        return _frame(["ping", now_ns])

    def receive(self, data: bytes, now_ns: int) -> list[Event]:
        """The events in these bytes, as far as frames are whole. Raises LinkProtocolError."""
        self._buffer += data
        events: list[Event] = []
        while len(self._buffer) >= 4:
            length = int.from_bytes(self._buffer[:4], "big")
            if not 0 < length <= MAX_FRAME_BYTES:
                raise LinkProtocolError("read a frame", subject=self.peer, cause=f"its length is {length}")
            if len(self._buffer) < 4 + length:
                break
            frame = bytes(self._buffer[4 : 4 + length])
            del self._buffer[: 4 + length]
            event = self._event(frame, now_ns)
            if event is not None:
                events.append(event)
        return events

    def _event(self, frame: bytes, now_ns: int) -> Event | None:
        try:
            match msgspec.msgpack.decode(frame):
                case ["hello", int(v), str(realm), str(own), str(peer), str(node), int(after), int()]:
                    return self._greeted(v, realm, own, peer, node, after)
                case ["row", int(number), bytes(data)] if self.ready:
                    return self._row(number, data)
                case ["receipt", int(upto), bytes(signature)] if (
                    self.ready and len(signature) == SIGNATURE_BYTES
                ):
                    return Receipt(upto, signature)
                case ["ping", int(sent_ns)] if self.ready:
                    return Heard(_frame(["pong", sent_ns, now_ns]))
                case ["pong", int(sent_ns), int(their_ns)] if self.ready and sent_ns <= now_ns:
                    half_s = (now_ns - sent_ns) / 2e9
                    return Offset((their_ns - sent_ns) / 1e9 - half_s, half_s)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        raise LinkProtocolError("read a frame", subject=self.peer, cause="not a frame that fits here")

    def _greeted(self, version: int, realm: str, own: str, peer: str, node: str, after: int) -> PeerReady:
        wrong = (
            (self.ready, "it said hello twice"),
            (version != PROTOCOL_VERSION, f"it speaks version {version} of the link protocol"),
            (realm != self.realm, f"it is in realm {realm!r}"),
            (own != self.peer or peer != self.own, "it is not the partner that this link is for"),
            (after < 0, "it resumes after a negative row"),
        )
        for is_wrong, cause in wrong:
            if is_wrong:
                raise LinkProtocolError("open the link", subject=self.peer, cause=cause)
        self.ready = True
        return PeerReady(after, node)

    def _row(self, number: int, data: bytes) -> Row | None:
        """The row, or None for one already seen; a gap is a fault of the peer."""
        last = self._last_number
        if last is None or number > last + 1:
            raise LinkProtocolError("read a row", subject=self.peer, cause=f"row {number} came after {last}")
        if number <= last:
            return None
        self._last_number = number
        return Row(number, data)


def _frame(fields: list[object]) -> bytes:
    data = encode(fields)
    return len(data).to_bytes(4, "big") + data
