"""Frames of the TAK protocol: events in a stream of bytes, as XML or as protocol buffers, and in datagrams.

In a stream an XML event ends with its end tag, and a protocol buffer stands behind 0xBF and its length; no XML begins
with that byte, so both may follow one another. What cannot be told apart ends the stream: nothing after it is believed.

    reader = StreamReader()
    reader.feed(data)                       # [Framed(xml=True, data=b'<event ...</event>')], or raises FrameError
    stream_frame(payload), read_datagram(data)
"""

from __future__ import annotations

from dataclasses import dataclass

from noroshi.errors import PartnerError
from noroshi.gateways.cot import MAX_EVENT_BYTES

MAGIC = 0xBF
MESH_XML, MESH_PROTO = 0, 1
MAX_LENGTH_BYTES = 5
"""Of the length before a protocol buffer: 35 bits, far beyond what is taken."""

_ENDS = ((b"<event", b"</event>"), (b"<auth", b"</auth>"))
_BEGINS = tuple(begin for begin, _ in _ENDS) + (b"<?xml", b"<!--")
_SPACE = b" \t\r\n\0"
_MARK = b"\xef\xbb\xbf"
_MARKS_16 = (b"\xff\xfe", b"\xfe\xff")


class FrameError(PartnerError):
    """Bytes that are no frame; `reason` is a word for counts."""

    def __init__(self, reason: str, cause: str) -> None:
        super().__init__("read a stream of events", cause=cause)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Framed:
    """One event as it came: XML text, or the payload of a TAK message."""

    xml: bool
    data: bytes


class StreamReader:
    """Cuts a stream into events. Holds at most one that is not whole."""

    def __init__(self, limit: int = MAX_EVENT_BYTES) -> None:
        self._limit = limit
        self._held = bytearray()
        self._looked = 0

    def feed(self, data: bytes) -> list[Framed]:
        """The events that are whole now. Raises FrameError; the stream is of no use then."""
        held = self._held
        held += data
        found: list[Framed] = []
        at = 0
        while True:
            at = self._skip(at)
            if at >= len(held) or _MARK.startswith(bytes(held[at : at + 3])):
                break
            step = self._proto(at) if held[at] == MAGIC else self._xml(at)
            if step is None:
                break
            at, framed = step
            found.append(framed)
            self._looked = at
        del held[:at]
        self._looked = max(0, self._looked - at)
        if len(held) > self._limit:
            raise FrameError("too-long", f"an event has more than {self._limit} bytes")
        return found

    def _skip(self, at: int) -> int:
        held = self._held
        while at < len(held) and (held[at] in _SPACE or held.startswith(_MARK, at)):
            at += 3 if held[at] == _MARK[0] else 1
        return at

    def _proto(self, at: int) -> tuple[int, Framed] | None:
        length, start = read_length(self._held, at + 1)
        if start == 0:
            return None
        if length > self._limit:
            raise FrameError("too-long", f"a message of {length} bytes is announced")
        end = start + length
        return (end, Framed(False, bytes(self._held[start:end]))) if len(self._held) >= end else None

    def _xml(self, at: int) -> tuple[int, Framed] | None:
        held = self._held
        head = bytes(held[at : at + 8])
        if not any(head.startswith(one[: len(head)]) for one in _BEGINS):
            raise FrameError("no-event", "what comes is neither XML of an event nor a TAK message")
        from_ = max(at, self._looked - 8)
        ends = [(place + len(end)) for _, end in _ENDS if (place := held.find(end, from_)) >= 0]
        self._looked = len(held)
        if not ends:
            return None
        end = min(ends)
        if end - at > self._limit:
            raise FrameError("too-long", f"an event has more than {self._limit} bytes")
        return end, Framed(True, bytes(held[at:end]))


def stream_frame(payload: bytes) -> bytes:
    """A TAK message for a stream."""
    return bytes((MAGIC,)) + _length(len(payload)) + payload


def mesh_frame(payload: bytes) -> bytes:
    """A TAK message for a datagram."""
    return bytes((MAGIC, MESH_PROTO, MAGIC)) + payload


def read_datagram(data: bytes) -> Framed:
    """The event in a datagram, or in a file of one event in either form. Raises FrameError."""
    if data[:1] == bytes((MAGIC,)):
        if len(data) > 2 and data[2] == MAGIC and data[1] in (MESH_XML, MESH_PROTO):
            return Framed(data[1] == MESH_XML, data[3:])
        length, start = read_length(data, 1)
        if start == 0 or start + length != len(data):
            raise FrameError("no-event", "the length before the message is not that of the message")
        return Framed(False, data[start:])
    if data.removeprefix(_MARK).lstrip(_SPACE)[:1] == b"<" or data[:2] in _MARKS_16:
        return Framed(True, data)
    raise FrameError("no-event", "it is neither XML nor a TAK message")


def read_length(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """The length that stands at a place, and where it ends (0 while it is not whole). Raises FrameError."""
    value = 0
    for place in range(MAX_LENGTH_BYTES):
        if at + place >= len(data):
            return 0, 0
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if not byte & 0x80:
            return value, at + place + 1
    raise FrameError("no-event", "the length before a message never ends")


def _length(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append((value & 0x7F) | 0x80)
        value >>= 7
    made.append(value)
    return bytes(made)
