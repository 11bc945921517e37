"""Targets: a partner's line. One session against any frames, and two sessions with a hostile middle between them.

An input for one session is a list of frames in msgpack: a list in it is put into a frame, bytes go on the line as they
are. What is no such list goes on the line whole.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from noroshi.log import OutboxRow
from noroshi.messages import canonical
from noroshi.messages.signing import SIGNATURE_BYTES
from noroshi.sharing.frames import MAX_FRAME_BYTES, Frame
from noroshi.sharing.link import (
    PROTOCOL_VERSION,
    WINDOW_BYTES,
    Event,
    LinkProtocolError,
    LinkSession,
    PeerReady,
    Restarted,
    Row,
)
from noroshi.sharing.streams import EMPTY_HEAD, HEAD_BYTES, LANES, START, Position, Statement, next_head
from tests.fuzz.messages import crowded
from tests.fuzz.sample import samples
from tests.fuzz.table import Look, Target

REALM = "exercise:fuzz"
NOW_NS = 1_664_835_810_000_000_000
LINE_BYTES = 8 << 20
"""Longest input on the line: four of the largest frames."""

READ_BYTES = 64 << 10
"""How much a node reads from the line at a time."""

KEPT_EVENTS = 1000

LINE_MIB = 40.0
"""What it costs at most: itself, one frame as it is read, and the windows of rows."""

HELLO: list[Any] = ["hello", PROTOCOL_VERSION, REALM, "USA", "JPN", "usa", START, NOW_NS]
HELD = Position(0, (3, 0, 0, 2), (b"h" * HEAD_BYTES, EMPTY_HEAD, EMPTY_HEAD, b"k" * HEAD_BYTES))


def line(data: bytes) -> bytes:
    """The bytes on the line that an input stands for."""
    try:
        pieces = msgspec.msgpack.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return data
    if not isinstance(pieces, list):
        return data
    return b"".join(piece if isinstance(piece, bytes) else _framed(piece) for piece in pieces)


def _framed(piece: object) -> bytes:
    body = canonical.encode(piece)
    return len(body).to_bytes(4, "big") + body


def _chunks(data: bytes, size: int) -> Iterable[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def _session(greeted: bool) -> LinkSession:
    session = LinkSession(REALM, own="JPN", peer="USA", node="jpn")
    if greeted:
        session.hello(held=HELD, now_ns=NOW_NS)
    return session


def _received(session: LinkSession, chunks: Iterable[bytes]) -> tuple[list[Event], str]:
    """The last that a session makes of pieces of the line, and why it ended, if it did; it answers as a node does."""
    events: deque[Event] = deque(maxlen=KEPT_EVENTS)
    try:
        for chunk in chunks:
            for event in session.receive(chunk, NOW_NS):
                events.append(event)
                if isinstance(event, PeerReady):
                    session.greet(event.held, HELD, START)
            session.serve(lambda lane, after, limit: [])
    except LinkProtocolError as error:
        assert error.cause
        return list(events), error.cause
    return list(events), ""


def _session_look(greeted: bool) -> Look:
    def look(data: bytes) -> None:
        sent = line(data)
        session = _session(greeted)
        whole = _received(session, _chunks(sent, READ_BYTES))
        assert sum(lane.bytes for lane in session._in) <= len(LANES) * (WINDOW_BYTES + MAX_FRAME_BYTES)
        if len(sent) > 1 << 14:
            return
        # The line may cut frames anywhere: what is heard is the same, and so is whether the link ends.
        cut = _received(_session(greeted), _chunks(sent, 7))
        assert (cut[1] == "") == (whole[1] == "")
        if not whole[1]:
            assert cut == whole
            assert len(session._buffer) <= MAX_FRAME_BYTES + 4

    return look


def _frames() -> Sequence[bytes]:
    """Each frame after the greeting, right in form; and a short talk."""
    statement = [[0, [3, 0, 0, 2], [bytes(HEAD_BYTES)] * 4], bytes(SIGNATURE_BYTES)]
    talk = [
        HELLO,
        ["row", 0, 4, b"row"],
        ["row", 3, 3, b"row"],
        ["checkpoint", statement],
        ["receipt", [START, statement[1]]],
        ["restart", [1, [3, 0, 0, 2], [bytes(HEAD_BYTES)] * 4]],
        ["row", 0, 4, b"again"],
        ["ping", 1],
        ["pong", 1, 2],
    ]
    return [canonical.encode(talk), *(canonical.encode([HELLO, frame]) for frame in samples(Frame))]


def _crowded_line(size: int) -> Iterable[bytes]:
    """Frames that promise much, hold many small values, or are as many as fit."""
    hello = _framed(HELLO)
    for crowd in crowded(min(MAX_FRAME_BYTES - 200, size // 3 - 100)):
        for frame in (
            b"\x94\xa3row\x00\x04" + crowd,
            b"\x92\xa7receipt" + crowd,
            b"\x98\xa5hello\x02" + crowd,
        ):
            yield hello + (len(frame).to_bytes(4, "big") + frame) * 3
    ping = _framed(["ping", 1])
    yield hello + ping * ((size - len(hello)) // len(ping))
    yield hello + MAX_FRAME_BYTES.to_bytes(4, "big") + bytes(min(MAX_FRAME_BYTES - 1, size - 300))
    rows = [_framed(["row", 0, 4 + number, b""]) for number in range(300)]
    yield hello + b"".join(rows)
    yield hello + b"".join(_framed(["row", 3, 3 + number, bytes(size // 8)]) for number in range(6))


# --- two sessions, and what lies between them ---------------------------------------------------------------


class Ends:
    """A sender and a receiver, each with its own idea of the streams; `way` and `back` are what lies between them."""

    def __init__(self) -> None:
        self.rows: list[list[OutboxRow]] = [[] for _ in LANES]
        self.held: list[list[bytes]] = [[] for _ in LANES]
        self.sender = LinkSession(REALM, own="USA", peer="JPN", node="usa")
        self.receiver = LinkSession(REALM, own="JPN", peer="USA", node="jpn")
        self.way = bytearray(self.sender.hello(held=START, now_ns=NOW_NS))
        self.back = bytearray(self.receiver.hello(held=START, now_ns=NOW_NS))
        self.receipted = START
        self.receiver_epoch = 0
        self.ended = self.tampered = False

    def position(self, epoch: int, upto: list[int]) -> Position:
        heads = [self.rows[lane][last - 1].head if last else EMPTY_HEAD for lane, last in enumerate(upto)]
        return msgspec.convert([epoch, upto, heads], Position)

    def say(self, argument: int) -> None:
        rows = self.rows[argument % 4]
        data = bytes((argument,)) * (1 + argument % 40)
        head = next_head(rows[-1].head if rows else EMPTY_HEAD, data)
        rows.append(OutboxRow("partner:JPN", len(rows) + 1, argument % 4, "", NOW_NS, data, head))

    def serve(self, argument: int) -> None:
        if self.sender.ready:
            rows = self.rows
            self.way += self.sender.serve(
                lambda lane, after, limit: rows[lane][after : after + limit], 1 + argument
            )

    def forth(self, argument: int) -> None:
        piece = bytes(self.way[: 1 + argument])
        del self.way[: len(piece)]
        for event in self.receiver.receive(piece, NOW_NS):
            if isinstance(event, Row):
                held = self.held[event.lane]
                assert event.number == len(held) + 1
                held.append(event.data)
            elif isinstance(event, Restarted):
                self.receiver_epoch = event.position.epoch
                for held, upto in zip(self.held, event.position.upto, strict=True):
                    assert upto <= len(held)
                    del held[upto:]

    def receipt(self, argument: int) -> None:
        if self.receiver.ready and not self.tampered:
            upto = [len(held) for held in self.held]
            if self.receiver_epoch == self.sender.epoch:
                position = self.position(self.receiver_epoch, upto)
                self.back += self.receiver.receipt(Statement(position, bytes(SIGNATURE_BYTES)))
        elif self.receiver.ready:
            self.back += self.receiver.ping(argument)

    def home(self, argument: int) -> None:
        piece = bytes(self.back[: 1 + argument])
        del self.back[: len(piece)]
        for event in self.sender.receive(piece, NOW_NS):
            if isinstance(event, PeerReady):
                sent = self.position(self.sender.epoch, [len(rows) for rows in self.rows])
                self.way += self.sender.greet(event.held, sent, self.receipted)
            elif hasattr(event, "statement") and event.statement.position.epoch == self.sender.epoch:
                self.receipted = event.statement.position

    def restart(self, _: int) -> None:
        """The sender's policy has changed: what was not receipted is said in another way."""
        if self.sender.ready:
            for rows, upto in zip(self.rows, self.receipted.upto, strict=True):
                del rows[upto:]
            position = self.position(self.sender.epoch + 1, list(self.receipted.upto))
            self.receipted = position
            self.way += self.sender.restart(position)

    def tamper(self, argument: int) -> None:
        """The middle changes, drops or repeats what is under way; real lines are sealed, and nothing else is harmed."""
        self.tampered = True
        pipe = self.way if argument & 1 else self.back
        place = argument * 7 % (len(pipe) + 1)
        match argument >> 1 & 3:
            case 0 if place < len(pipe):
                pipe[place] ^= 1 << (argument >> 4 & 7)
            case 1:
                del pipe[place : place + 5]
            case 2:
                pipe[place:place] = pipe[max(0, place - 30) : place]
            case _:
                pipe[place:place] = bytes((argument,)) * 3


def _middle(script: bytes) -> None:
    """Each pair of bytes is a step and how much of it."""
    ends = Ends()
    steps = (ends.say, ends.serve, ends.forth, ends.receipt, ends.home, ends.say, ends.restart, ends.tamper)
    try:
        for step, argument in zip(script[::2], script[1::2], strict=False):
            steps[step % 8](argument)
    except LinkProtocolError as error:
        assert ends.tampered, error
    if not ends.tampered and ends.receiver_epoch == ends.sender.epoch:
        for held, rows in zip(ends.held, ends.rows, strict=True):
            assert held == [row.data for row in rows[: len(held)]]


def _scripts() -> Sequence[bytes]:
    open_ = bytes((2, 255, 4, 255))
    talk = bytes((0, 4, 0, 7, 1, 200, 2, 9, 2, 255, 3, 0, 4, 255, 4, 255))
    return [
        open_ + talk,
        open_ + talk * 3 + bytes((6, 0, 0, 9, 1, 255, 2, 255, 3, 0, 4, 255)) + talk,
        open_ + talk + bytes((7, 3)) + talk,
    ]


def _long_scripts(size: int) -> Iterable[bytes]:
    yield (bytes((2, 255, 4, 255)) + _scripts()[0] * (size // 16))[:size]
    yield (bytes((2, 255, 4, 255)) + bytes((0, 3, 1, 255)) * size)[:size]


TARGETS = (
    Target(
        "link:greeting",
        "frames to a session that has not said hello",
        lambda: _session_look(False),
        _frames,
        "msgpack",
        LINE_BYTES,
        LINE_MIB,
        6.0,
        _crowded_line,
    ),
    Target(
        "link:open",
        "frames to a session that has said hello",
        lambda: _session_look(True),
        _frames,
        "msgpack",
        LINE_BYTES,
        LINE_MIB,
        6.0,
        _crowded_line,
    ),
    Target(
        "link:middle",
        "two sessions with a hostile middle, by a script",
        lambda: _middle,
        _scripts,
        "bytes",
        1 << 14,
        16.0,
        2.0,
        _long_scripts,
    ),
)
