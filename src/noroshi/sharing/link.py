"""The link protocol between two partners' nodes, without sockets: bytes in, events out, bytes to send.

A link carries one partner's four streams, one per lane, rows numbered densely from 1. Each side says at the start how
far it made the other's streams durable; rows repeat until a signed cumulative receipt covers them. On each tick
warnings go first, then decisions, notices, tracks; of each lane no more than a window of rows is under way without a
receipt, so that what is being carried never stands in the way of a warning, and a receiver that takes no more of one
lane stops that lane only. What does not parse, or comes at the wrong moment, ends this link and nothing else.

    session = LinkSession("exercise:demo", own="USA", peer="JPN")
    send(session.hello(held=node.received("partner:JPN"), now_ns=now_ns))
    for event in session.receive(data, now_ns): ...
    send(session.serve(rows_of, MAX_SERVED_BYTES))
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from noroshi.clock import NS_PER_S
from noroshi.errors import PartnerError
from noroshi.log import OutboxRow
from noroshi.messages.signing import SIGNATURE_BYTES
from noroshi.sharing import frames
from noroshi.sharing.frames import (
    MAX_FRAME_BYTES,
    CheckpointFrame,
    HelloFrame,
    PingFrame,
    PongFrame,
    ReceiptFrame,
    RestartFrame,
    RowFrame,
)
from noroshi.sharing.streams import LANES, Position, Statement, next_head, resume_defect

PROTOCOL_VERSION = 2
OLDEST_PROTOCOL, NEWEST_PROTOCOL = 2, 3
"""Spoken with: ours, and the next one, which must still understand this one's frames."""

WINDOW_ROWS = (256, 256, 256, 1024)
"""Rows of each lane that may be under way without a receipt: a tick and a round trip of them at 10,000 rows a second."""

WINDOW_BYTES = 4 << 20
"""Bytes of a lane under way, 4 MiB, beside one more row: bounds what a partner costs us in memory to 24 MiB."""

MAX_SERVED_BYTES = 256 << 10
"""Bytes put on the line at a time: what a line of 100 Mbit/s carries in one tick."""

PING_EVERY_S = 1.0
SILENT_AFTER_S = 3.0
"""A partner of whom nothing was heard for this long is shown as silent."""

TICK_NS = 20_000_000
"""Each party is served on its own tick, so that what others get does not show in its timing."""

CHECKPOINT_EVERY_S = 1.0
"""How often a sender signs where its streams stand, while they move."""

ROWS_AT_ONCE = 64
"""Rows of one lane that are read from the record at a time."""

MAX_QUOTED = 80
"""Characters of a peer's words that an error repeats: a realm's name is shorter."""


class LinkProtocolError(PartnerError):
    """The peer sent something that is no frame of this protocol, or at the wrong moment. Ends the link."""


@dataclass(frozen=True, slots=True)
class PeerReady:
    """The peer has said hello: it holds this much of our streams."""

    held: Position
    node: str


@dataclass(frozen=True, slots=True)
class Row:
    """Row `number` of the peer's stream of a lane."""

    lane: int
    number: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Receipted:
    """The peer has made this much of our streams durable, and signed for it."""

    statement: Statement


@dataclass(frozen=True, slots=True)
class Attested:
    """The peer signs where its streams for us stand."""

    statement: Statement


@dataclass(frozen=True, slots=True)
class Restarted:
    """The peer has begun its streams for us anew after this position; what it sends from here on follows it."""

    position: Position


@dataclass(frozen=True, slots=True)
class Heard:
    """A ping that wants this answer sent back."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class Offset:
    """The peer's clock against ours, seconds (positive: theirs is ahead), and half the round trip as its error."""

    offset_s: float
    error_s: float


Event = PeerReady | Row | Receipted | Attested | Restarted | Heard | Offset

Outbox = Callable[[int, int, int], list[OutboxRow]]
"""Rows of our stream of a lane, above a number, at most so many."""


class _Lane:
    """One direction of one lane: the last row, and the sizes of those that no receipt covers.

    head: after the last row, where the peer has said so and no row has followed it yet.
    """

    __slots__ = ("bytes", "head", "last", "receipted", "sizes")

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, last: int, head: bytes | None = None) -> None:
        self.last = self.receipted = last
        self.head = head
        self.sizes: deque[int] = deque()
        self.bytes = 0

    def add(self, size: int) -> None:
        self.last += 1
        self.sizes.append(size)
        self.bytes += size

    def cover(self, upto: int) -> None:
        """Takes a receipt; it may be for what came on an earlier connection and is durable since this one's hello."""
        if upto > self.last:
            self.begin(upto)
        while self.receipted < upto and self.sizes:
            self.bytes -= self.sizes.popleft()
            self.receipted += 1

    def is_full(self, lane: int) -> bool:
        return len(self.sizes) >= WINDOW_ROWS[lane] or self.bytes >= WINDOW_BYTES


class LinkSession:
    """One connection's state. A new connection is a new session."""

    def __init__(self, realm: str, *, own: str, peer: str, node: str = "") -> None:
        self.realm = realm
        self.own = own
        self.peer = peer
        self.node = node
        self.ready = False
        self.epoch = 0
        self._their_epoch = 0
        self._buffer = bytearray()
        self._greeting = False
        self.repeated = 0  # rows that came again, and were dropped
        self._in = [_Lane() for _ in LANES]
        self._out = [_Lane() for _ in LANES]

    # --- what we send -----------------------------------------------------------------------------------------

    def hello(self, *, held: Position, now_ns: int) -> bytes:
        """The first frame: who we are, in which realm, and how much of the peer's streams we hold."""
        self._greeting = True
        self._their_epoch = held.epoch
        for lane, last in zip(self._in, held.upto, strict=True):
            lane.begin(last)
        return frames.encode(
            HelloFrame(PROTOCOL_VERSION, self.realm, self.own, self.peer, self.node, held, now_ns)
        )

    def resume(self, position: Position) -> None:
        """What we send goes on after this, which the peer holds."""
        self.epoch = position.epoch
        for lane, last, head in zip(self._out, position.upto, position.heads, strict=True):
            lane.begin(last, head)

    def restart(self, position: Position) -> bytes:
        """The frame that tells the peer that our streams go on anew after `position`."""
        self.resume(position)
        return frames.encode(RestartFrame(position))

    def serve(self, outbox: Outbox, budget_bytes: int = MAX_SERVED_BYTES) -> bytes:
        """Frames of the next rows in the order of precedence, as far as windows and the budget let them go.

        Raises LinkProtocolError when our record has not the row that must follow what the peer holds.
        """
        out: list[bytes] = []
        for number, lane in enumerate(self._out):
            while budget_bytes > 0 and not lane.is_full(number):
                room = min(ROWS_AT_ONCE, WINDOW_ROWS[number] - len(lane.sizes))
                rows = outbox(number, lane.last, room)
                for row in rows:
                    self._check_next(lane, row)
                    out.append(frames.encode(RowFrame(number, row.number, row.data)))
                    lane.add(len(row.data))
                    budget_bytes -= len(row.data)
                    if budget_bytes <= 0 or lane.is_full(number):
                        break
                if len(rows) < room:
                    break
        return b"".join(out)

    def _check_next(self, lane: _Lane, row: OutboxRow) -> None:
        """A row must follow what the peer holds: by number always, by its head where we go on after the peer's word."""
        if row.number != lane.last + 1:
            cause = f"it wants {row.stream} row {lane.last + 1}, which this record has let go"
        elif lane.head is not None and row.head != next_head(lane.head, row.data):
            cause = f"it holds another {row.stream} row {lane.last} than this record: one of them is an older copy"
        else:
            lane.head = None
            return
        raise LinkProtocolError("send a row", subject=self.peer, cause=cause)

    @property
    def sent(self) -> tuple[int, ...]:
        """The last row of each lane that was put on the line."""
        return tuple(lane.last for lane in self._out)

    def can_serve(self, sent: Position) -> bool:
        """Whether there are rows that no window holds back, when our streams end at `sent`."""
        lanes = enumerate(zip(self._out, sent.upto, strict=True))
        return any(lane.last < upto and not lane.is_full(number) for number, (lane, upto) in lanes)

    def greet(self, held: Position, sent: Position, receipted: Position) -> bytes:
        """Goes on where the peer is: after what it holds, or, when our streams were begun anew since, after what it has
        receipted; gives the frame to send. Raises LinkProtocolError when one of the two records must be an old copy.
        """
        cause = resume_defect(held, sent, receipted)
        if cause:
            raise LinkProtocolError("open the link", subject=self.peer, cause=cause)
        if held.epoch < sent.epoch:
            return self.restart(receipted)
        self.resume(held)
        return b""

    def receipt(self, statement: Statement) -> bytes:
        """The frame of a cumulative receipt for what is durable here."""
        if statement.position.epoch == self._their_epoch:
            for lane, upto in zip(self._in, statement.position.upto, strict=True):
                lane.cover(upto)
        return frames.encode(ReceiptFrame(statement))

    def checkpoint(self, statement: Statement) -> bytes:
        """The frame in which we sign where our streams for the peer stand."""
        return frames.encode(CheckpointFrame(statement))

    def ping(self, now_ns: int) -> bytes:
        """A frame that says "still here" and asks for the peer's time."""
        return frames.encode(PingFrame(now_ns))

    # --- what we receive --------------------------------------------------------------------------------------

    def receive(self, data: bytes, now_ns: int) -> list[Event]:
        """The events in these bytes, as far as frames are whole. Raises LinkProtocolError."""
        self._buffer += data
        events: list[Event] = []
        start = 0
        while len(self._buffer) - start >= 4:
            length = int.from_bytes(self._buffer[start : start + 4], "big")
            if not 0 < length <= MAX_FRAME_BYTES:
                raise self._wrong(f"a frame's length is {length}")
            if len(self._buffer) - start < 4 + length:
                break
            event = self._event(bytes(self._buffer[start + 4 : start + 4 + length]), now_ns)
            start += 4 + length
            if event is not None:
                events.append(event)
        del self._buffer[:start]
        return events

    def _event(self, data: bytes, now_ns: int) -> Event | None:
        try:
            frame = frames.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise self._wrong("not a frame of this protocol") from None
        if isinstance(frame, HelloFrame):
            return self._greeted(frame)
        if not (self.ready and self._greeting):
            raise self._wrong("it came before the greetings")
        match frame:
            case RowFrame(lane, number, body):
                return self._row(lane, number, body)
            case ReceiptFrame(statement):
                return self._receipted(self._checked(statement))
            case CheckpointFrame(statement):
                return Attested(self._checked(statement))
            case RestartFrame(position):
                return self._restarted(position)
            case PingFrame(sent_ns):
                return Heard(frames.encode(PongFrame(sent_ns, now_ns)))
            case PongFrame(sent_ns, their_ns):
                return self._offset(sent_ns, their_ns, now_ns)

    def _greeted(self, said: HelloFrame) -> PeerReady:
        wrong = (
            (self.ready, "it said hello twice"),
            (
                not OLDEST_PROTOCOL <= said.version <= NEWEST_PROTOCOL,
                f"it speaks version {said.version} of the link protocol, and this node {PROTOCOL_VERSION}",
            ),
            (said.realm != self.realm, f"it is in realm {said.realm[:MAX_QUOTED]!r}"),
            (said.own != self.peer or said.peer != self.own, "it is not the partner that this link is for"),
            (said.held.defect, f"it says that it holds {said.held.defect}"),
        )
        for is_wrong, cause in wrong:
            if is_wrong:
                raise LinkProtocolError("open the link", subject=self.peer, cause=cause)
        self.ready = True
        self.resume(
            said.held
        )  # its receipts may be in the same piece of the line: `greet` comes too late for them
        return PeerReady(said.held, said.node)

    def _row(self, number_of_lane: int, number: int, data: bytes) -> Row | None:
        """The row, or None for one already seen; a gap, or more than the window, is a fault of the peer."""
        if not 0 <= number_of_lane < len(LANES):
            raise self._wrong(f"there is no lane {number_of_lane}")
        lane = self._in[number_of_lane]
        if number > lane.last + 1:
            raise self._wrong(f"row {number} came after {lane.last}")
        if number <= lane.last:
            self.repeated += 1
            return None
        if lane.is_full(number_of_lane):
            raise self._wrong(f"more than {len(lane.sizes)} rows came without waiting for a receipt")
        lane.add(len(data))
        return Row(number_of_lane, number, data)

    def _receipted(self, statement: Statement) -> Receipted | None:
        """The receipt; None when it is of streams as they were before we began them anew."""
        position = statement.position
        if position.epoch < self.epoch:
            return None
        if position.epoch > self.epoch:
            raise self._wrong("it receipts streams that we have not begun")
        for lane, upto in zip(self._out, position.upto, strict=True):
            lane.cover(upto)
        return Receipted(statement)

    def _restarted(self, position: Position) -> Restarted:
        if position.defect:
            raise self._wrong(position.defect)
        if position.epoch <= self._their_epoch:
            raise self._wrong("it begins its streams anew and says that it did so before")
        for lane, upto in zip(self._in, position.upto, strict=True):
            if upto > lane.last:
                raise self._wrong(f"it goes on after row {upto}, and this node holds {lane.last}")
            lane.begin(upto)
        self._their_epoch = position.epoch
        return Restarted(position)

    def _checked(self, statement: Statement) -> Statement:
        if statement.position.defect or len(statement.signature) != SIGNATURE_BYTES:
            raise self._wrong(statement.position.defect or "a signature of another size")
        return statement

    def _offset(self, sent_ns: int, their_ns: int, now_ns: int) -> Offset | None:
        """The peer's clock against ours; None when ours was set back since the ping, which is no fault of the peer."""
        if sent_ns < 0:
            raise self._wrong("it answers a ping that was not sent")
        if sent_ns > now_ns:
            return None
        half_s = (now_ns - sent_ns) / NS_PER_S / 2.0
        return Offset((their_ns - sent_ns) / NS_PER_S - half_s, half_s)

    def _wrong(self, cause: str) -> LinkProtocolError:
        return LinkProtocolError("read a frame", subject=self.peer, cause=cause)
