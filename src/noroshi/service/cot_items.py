"""Events on their way to clients: each encoded once for each form, the same bytes for all who read that form.

item = Item("uid", Lane.TRACK, xml, read_event(xml))
item.data(Form.STREAM_XML)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import IntEnum

from lxml import etree

from noroshi.clock import to_iso
from noroshi.gateways import cot_write as cot
from noroshi.gateways.cot import CotEvent, detail_of, read_event, root_of, time_of
from noroshi.gateways.tak_proto import to_proto
from noroshi.gateways.tak_stream import stream_frame
from noroshi.messages.kinds import Lane

DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
"""Before each event of a stream: some clients know XML by it."""


class Form(IntEnum):
    """How a client reads events: XML or TAK messages, in a plain stream or in messages of a WebSocket."""

    STREAM_XML = 0
    STREAM_PROTO = 1
    SOCKET_XML = 2
    SOCKET_PROTO = 3


class Item:
    """One event for all clients of a group. key: of which only the newest counts; ack: the id of what it says, if own
    staff may acknowledge it.
    """

    __slots__ = ("_data", "ack", "key", "lane", "stale_ns", "type", "xml")

    def __init__(self, key: str, lane: int, event: CotEvent) -> None:
        self.key = key
        self.lane = lane
        self.type = event.type
        self.xml = event.xml
        self.stale_ns = event.stale_ns or 0
        self.ack = _ack_of(event) if lane in (Lane.WARNING, Lane.NOTICE) else ""
        self._data: list[bytes | None] = [None] * len(Form)

    def data(self, form: Form) -> bytes:
        """Its bytes in a form."""
        made = self._data[form]
        if made is None:
            made = self._data[form] = self._made(form)
        return made

    def _made(self, form: Form) -> bytes:
        if form == Form.STREAM_XML:
            return DECLARATION + self.xml
        if form == Form.STREAM_PROTO:
            return stream_frame(to_proto(read_event(self.xml)))
        plain = self.data(Form.STREAM_XML if form == Form.SOCKET_XML else Form.STREAM_PROTO)
        return socket_frame(plain, text=form == Form.SOCKET_XML)


class Batch:
    """Some events that go to everybody together: joined once for each form."""

    __slots__ = ("_data", "items")

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self._data: list[bytes | None] = [None] * len(Form)

    def data(self, form: Form) -> bytes:
        """Their bytes in a form, one after the other."""
        made = self._data[form]
        if made is None:
            made = self._data[form] = b"".join([one.data(form) for one in self.items])
        return made


def socket_frame(payload: bytes, *, text: bool) -> bytes:
    """A whole message of a WebSocket, from the server."""
    first = bytes((0x81 if text else 0x82,))
    size = len(payload)
    if size < 126:
        return first + bytes((size,)) + payload
    if size < 1 << 16:
        return first + b"\x7e" + size.to_bytes(2, "big") + payload
    return first + b"\x7f" + size.to_bytes(8, "big") + payload


def retimed(event: CotEvent, moved: Callable[[int], int]) -> CotEvent:
    """The event with its times moved: an exercise's clock stands elsewhere than the clocks of its clients."""
    root = root_of(event)
    for name in ("time", "start", "stale"):
        time_ns = time_of(root.get(name, ""))
        if time_ns is not None:
            root.set(name, to_iso(moved(time_ns)))
    return read_event(etree.tostring(root, encoding="utf-8"))


def marked_event(event: CotEvent, realm: str) -> CotEvent:
    """A client's event as others see it: in an exercise its call sign and its remarks say so."""
    if not cot.marked("", realm):
        return event
    root = root_of(event)
    for contact in root.iterfind("detail/contact"):
        contact.set("callsign", cot.marked(contact.get("callsign") or event.uid, realm))
    for remarks in root.iterfind("detail/remarks"):
        remarks.text = cot.marked(remarks.text or "", realm)
    return read_event(etree.tostring(root, encoding="utf-8"))


def _ack_of(event: CotEvent) -> str:
    if b"<noroshi" not in event.xml:
        return ""
    detail = detail_of(event)
    own = detail.find("noroshi") if detail is not None else None
    return own.get("id", "") if own is not None else ""
