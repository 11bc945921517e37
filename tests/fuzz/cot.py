"""Targets: what clients of Cursor on Target send, and files of events."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from noroshi.gateways.cot import MAX_EVENT_BYTES, defects, read_event
from noroshi.gateways.cot_json import DocumentRefusedError, from_document, to_document
from noroshi.gateways.tak_proto import ProtoRefusedError, from_proto, losses, to_proto
from noroshi.gateways.tak_stream import FrameError, StreamReader, read_datagram, stream_frame
from noroshi.gateways.xml_parse import XmlRefusedError
from tests.fuzz.table import Target

EVENT = (
    b'<event version="2.0" uid="u1" type="a-f-G" how="m-g" time="2026-01-01T00:00:00Z" start="2026-01-01T00:00:00Z"'
    b' stale="2026-01-01T00:05:00Z"><point lat="35.5" lon="139.25" hae="0.0" ce="9.9" le="9.9"/><detail>'
    b'<contact callsign="ANN"/><track speed="1.5" course="2.0"/><x:more xmlns:x="urn:x"><!-- c -->t</x:more>'
    b"</detail></event>"
)


def refusing(look: Callable[[bytes], object]) -> Callable[[bytes], None]:
    """Lets through the refusals that are promised."""

    def looked(data: bytes) -> None:
        try:
            look(data)
        except (XmlRefusedError, ProtoRefusedError, FrameError, DocumentRefusedError):
            return

    return looked


def _event(data: bytes) -> None:
    event = read_event(data)
    defects(event)
    losses(event)


def _stream(data: bytes) -> None:
    reader = StreamReader()
    for at in range(0, len(data), 4096):
        for framed in reader.feed(data[at : at + 4096]):
            _ = read_event(framed.data) if framed.xml else from_proto(framed.data)


def _document(data: bytes) -> None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return
    from_document(document)


def _framed() -> Sequence[bytes]:
    frame = stream_frame(to_proto(read_event(EVENT)))
    return [EVENT + frame + EVENT, frame]


TARGETS = (
    Target(
        "cot",
        "an event of Cursor on Target",
        lambda: refusing(_event),
        lambda: [EVENT],
        "xml",
        MAX_EVENT_BYTES,
        64.0,
        3.0,
    ),
    Target(
        "cot-proto",
        "a TAK message",
        lambda: refusing(from_proto),
        lambda: [to_proto(read_event(EVENT))],
        "bytes",
        MAX_EVENT_BYTES,
        64.0,
        3.0,
    ),
    Target(
        "cot-stream",
        "a stream of events",
        lambda: refusing(_stream),
        _framed,
        "bytes",
        MAX_EVENT_BYTES,
        64.0,
        3.0,
    ),
    Target(
        "cot-datagram",
        "a datagram of events",
        lambda: refusing(read_datagram),
        _framed,
        "bytes",
        MAX_EVENT_BYTES,
        16.0,
        1.0,
    ),
    Target(
        "cot-json",
        "an event as JSON",
        lambda: refusing(_document),
        lambda: [json.dumps(to_document(read_event(EVENT))).encode()],
        "json",
        MAX_EVENT_BYTES,
        64.0,
        3.0,
    ),
)
