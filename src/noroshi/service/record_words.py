"""A record in one plain sentence, for `noroshi log tail`."""

from __future__ import annotations

from typing import Any

import msgspec

from noroshi.log import Record
from noroshi.review.read import read_message


def words(record: Record) -> str:
    """What a record says, in one line; never raises, since also a damaged body must be shown."""
    if record.body is None:
        return f"{record.type}: its body was removed by retention"
    try:
        return _words(record.type, record.body)
    except (msgspec.MsgspecError, KeyError, TypeError, IndexError, AttributeError):
        return f"{record.type}: {len(record.body)} bytes that do not open"


def _words(type_: str, body: bytes) -> str:
    if type_ == "message":
        return f"said: {_message(body)}"
    fields: dict[str, Any] = msgspec.msgpack.decode(body)
    match type_:
        case "genesis":
            return f"the log of {fields['node']} ({fields['partner']}) begins in {fields['realm']}: {fields['title']}"
        case "detections":
            return f"{fields['sensor']} measured {len(fields['time_ns'])} times (batch {fields['sequence']})"
        case "received":
            number = f" row {fields['number']}" if fields["number"] else ""
            return f"received from {fields['party']}{number}: {_message(fields['raw'])}"
        case "receipt":
            return f"{fields['party']} has our rows up to {fields['upto']}"
        case "timer":
            return f"timer {fields['name']} came due"
        case "link":
            offset = f", clock {fields['offset_s']:+.3f} s" if fields["state"] == "up" else ""
            return f"link {fields['party']} is {fields['state']}{offset}"
        case "release":
            to = ", ".join(f"{name} (row {number})" for name, number in fields["to"].items()) or "nobody"
            withheld = ", ".join(f"{name} ({reason})" for name, reason in fields["withheld"].items())
            ending = f"; withheld from {withheld}" if withheld else ""
            return f"released {fields['kind']} {fields['id'].hex()[:8]} to {to}{ending}"
        case "refusal":
            detail = f" ({fields['detail']})" if fields["detail"] else ""
            return f"refused from {fields['party']}: {fields['reason']}{detail}"
        case "note":
            return "note: " + ", ".join(f"{name} {value}" for name, value in fields.items())
    return f"{type_}: {len(body)} bytes"


def _message(raw: bytes) -> str:
    envelope, _ = read_message(raw)
    if envelope is None:
        return f"{len(raw)} bytes that are no message"
    speaker = envelope.post or envelope.node
    return f"{envelope.kind} {envelope.id.hex()[:8]} of {speaker} ({envelope.origin})"
