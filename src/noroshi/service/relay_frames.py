"""Frames between a node and its relays, and between a relay and its last hops: a length, and an array with its name.

splitter = Splitter(MAX_FROM_HOP)
for payload in splitter.feed(data): frame = from_hop(payload)      # raises msgspec.MsgspecError
transport.write(framed(MessageFrame(raw)))
"""

from __future__ import annotations

import msgspec

from noroshi.errors import PartnerError
from noroshi.messages import canonical

VERSION = 1
LENGTH_BYTES = 4

MAX_ROW = 2 << 20
"""Largest frame between a node and a relay, and to a last hop: one message of at most 1 MiB and its header."""

MAX_FROM_HOP = 16_384
"""Largest frame from a last hop: its hello with all that it holds, each with its signature."""

MAX_HELD = 64
"""Messages that a last hop says it holds: more than stand at one time."""


class _Form(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An array of just these."""


class RelayHello(msgspec.Struct, frozen=True, array_like=True, tag="relay"):
    """Which relay it is, and after which row of its outbox it goes on. A newer version may say more at its end.

    beats: whether it says as often as its node wants that it is there; last: SHA-256 of the row `after`, so that a node
    whose record is another one by now gives all of it again.
    """

    version: int
    realm: str
    relay: str
    after: int
    beats: bool = False
    last: bytes = b""


class NodeHello(msgspec.Struct, frozen=True, array_like=True, tag="node"):
    """Which node it is, where the relay's outbox ends, the node's time, and how often it wants to hear from the relay
    (0: a node from before that).
    """

    version: int
    realm: str
    node: str
    upto: int
    now_ns: int
    beat_s: float = 0.0


class RowFrame(_Form, frozen=True, tag="row"):
    """A row of the relay's outbox, as its node has signed it."""

    number: int
    data: bytes


class SaidFrame(_Form, frozen=True, tag="said"):
    """A signed statement of the relay; number counts on this connection."""

    number: int
    raw: bytes


class TakenFrame(_Form, frozen=True, tag="taken"):
    """The node has made the statement with this number durable, or refused it."""

    number: int
    outcome: str


class PingFrame(_Form, frozen=True, tag="ping"):
    """The sender is there."""

    now_ns: int


class BeatFrame(_Form, frozen=True, tag="beat"):
    """The relay is there: how many last hops are connected to it, and whom it has refused since it last said so.

    It is numbers and nothing else: nobody can take it for a warning.
    """

    now_ns: int
    hops: int
    refused: dict[str, int]


class GreetingFrame(msgspec.Struct, frozen=True, array_like=True, tag="greeting"):
    """A relay to a last hop: who it is, a challenge, and what roots have said, to check alerts with."""

    version: int
    realm: str
    relay: str
    roster: str
    challenge: bytes
    keys: tuple[bytes, ...]


class HopHello(msgspec.Struct, frozen=True, array_like=True, tag="hop"):
    """Which last hop it is, its answer to the challenge, and receipts for all that it holds."""

    version: int
    hop: int
    code: bytes
    held: tuple[tuple[bytes, bytes], ...]


class MessageFrame(_Form, frozen=True, tag="message"):
    """A message with its original signatures."""

    raw: bytes


class KeysFrame(_Form, frozen=True, tag="keys"):
    """New statements of roots."""

    raw: bytes


class ReceiptFrame(_Form, frozen=True, tag="receipt"):
    """The last hop has received and checked the message `of`."""

    of: bytes
    code: bytes


class ByeFrame(_Form, frozen=True, tag="bye"):
    """Why the connection ends."""

    reason: str


Frame = (
    RelayHello | NodeHello | RowFrame | SaidFrame | TakenFrame | PingFrame | GreetingFrame | HopHello
    | MessageFrame | KeysFrame | ReceiptFrame | ByeFrame | BeatFrame
)  # fmt: skip

FromRelay = RelayHello | SaidFrame | PingFrame | BeatFrame
FromNode = NodeHello | RowFrame | TakenFrame | PingFrame | ByeFrame
ToHop = GreetingFrame | MessageFrame | KeysFrame | PingFrame | ByeFrame
FromHop = HopHello | ReceiptFrame | PingFrame

FROM_RELAY: msgspec.msgpack.Decoder[FromRelay] = msgspec.msgpack.Decoder(FromRelay)
FROM_NODE: msgspec.msgpack.Decoder[FromNode] = msgspec.msgpack.Decoder(FromNode)
TO_HOP: msgspec.msgpack.Decoder[ToHop] = msgspec.msgpack.Decoder(ToHop)
FROM_HOP: msgspec.msgpack.Decoder[FromHop] = msgspec.msgpack.Decoder(FromHop)

BAD_FRAME = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, PartnerError)
"""What bytes raise that are no frame of a line."""


def framed(frame: Frame) -> bytes:
    """The frame with its length before it."""
    data = canonical.encode(frame)
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


class Splitter:
    """Cuts a stream of bytes into frames' payloads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that are whole now. Raises PartnerError at a frame that is too large."""
        self._data += data
        found = []
        at = 0
        while len(self._data) - at >= LENGTH_BYTES:
            size = int.from_bytes(self._data[at : at + LENGTH_BYTES], "big")
            if size > self._most:
                raise PartnerError("read a frame", cause=f"it has {size} bytes, at most {self._most}")
            if len(self._data) - at - LENGTH_BYTES < size:
                break
            at += LENGTH_BYTES
            found.append(bytes(self._data[at : at + size]))
            at += size
        del self._data[:at]
        return found
