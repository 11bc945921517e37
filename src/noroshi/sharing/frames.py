"""Frames of the link protocol: what each holds, and its bytes.

A frame is a length (4 bytes, big-endian) and a canonical array, whose first item names it. Its types are exact, with no
`true` where a number belongs: what a frame brings goes on the log, which must be read again as it was written.

    data = encode(PingFrame(now_ns))
    decode(data[LENGTH_BYTES:])               # raises msgspec.MsgspecError, UnicodeDecodeError or RecursionError
"""

from __future__ import annotations

import msgspec

from noroshi.messages import canonical
from noroshi.sharing.streams import Position, Statement

LENGTH_BYTES = 4

MAX_FRAME_BYTES = 2 << 20
"""Largest frame, 2 MiB: one message of at most 1 MiB and its header."""


class _Form(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An array of just these."""


class HelloFrame(msgspec.Struct, frozen=True, array_like=True, tag="hello"):
    """Who speaks, to whom, and how much of the other's streams it holds. A newer version may say more at its end."""

    version: int
    realm: str
    own: str
    peer: str
    node: str
    held: Position
    now_ns: int


class RowFrame(_Form, frozen=True, tag="row"):
    """Row `number` of the sender's stream of a lane."""

    lane: int
    number: int
    data: bytes


class ReceiptFrame(_Form, frozen=True, tag="receipt"):
    """Up to where the other's rows are durable here."""

    statement: Statement


class CheckpointFrame(_Form, frozen=True, tag="checkpoint"):
    """Where the sender's streams stand."""

    statement: Statement


class RestartFrame(_Form, frozen=True, tag="restart"):
    """After where the sender's streams go on anew."""

    position: Position


class PingFrame(_Form, frozen=True, tag="ping"):
    """The sender's clock."""

    sent_ns: int


class PongFrame(_Form, frozen=True, tag="pong"):
    """The clock in the ping, and the answerer's."""

    sent_ns: int
    now_ns: int


Frame = HelloFrame | RowFrame | ReceiptFrame | CheckpointFrame | RestartFrame | PingFrame | PongFrame

_DECODER: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


def encode(frame: Frame) -> bytes:
    """The frame with its length before it."""
    data = canonical.encode(frame)
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


def decode(data: bytes) -> Frame:
    """The frame in these bytes, without the length. Raises msgspec.MsgspecError, UnicodeDecodeError, RecursionError."""
    return _DECODER.decode(data)
