"""A record in one plain sentence, for `noroshi log tail`."""

from __future__ import annotations

from typing import Any

import msgspec

from noroshi.clock import NS_PER_S, to_iso
from noroshi.log import Record
from noroshi.review.read import read_message
from noroshi.sharing.streams import LANES


def words(record: Record) -> str:
    """What a record says, in one line; never raises, since also a damaged body must be shown."""
    if record.body is None:
        return f"{record.type}: its body was removed by retention"
    try:
        return _words(record.type, record.body)
    except (
        msgspec.MsgspecError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        ValueError,
        OverflowError,
        RecursionError,
    ):
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
            row = f" {LANES[fields['lane']].name.lower()} row {fields['number']}" if fields["number"] else ""
            return f"received from {fields['party']}{row}: {_message(fields['raw'])}"
        case "receipt":
            return f"{fields['party']} has our rows up to {_position(fields['position'])}"
        case "checkpoint":
            return (
                f"{fields['party']} has signed that its rows for us go up to {_position(fields['position'])}"
            )
        case "restart":
            return f"{fields['party']} begins its streams for us anew after {_position(fields['position'])}"
        case "timer":
            return f"timer {fields['name']} came due"
        case "link":
            offset = f", clock {fields['offset_s']:+.3f} s" if fields["state"] == "up" else ""
            return f"link {fields['party']} is {fields['state']}{offset}"
        case "clock":
            return f"this machine's clock was stepped by {fields['by_ns'] / NS_PER_S:+.3f} s"
        case "control":
            return f"{fields['party']} brought a signed change of keys, policy or structure: {_message(fields['raw'])}"
        case "cap":
            what = (
                f"refused at the door: {fields['fault']}"
                if fields["fault"]
                else f"{len(fields['raw'])} bytes"
            )
            return f"a file of another agency from {fields['party']} ({what}, {fields['signature']})"
        case "relay":
            name = fields["claimed"] or "nobody"
            return f"{fields['party']} hands in what {fields['outlet']} says in the name of {name}"
        case "feed":
            return f"the feed {fields['feed']} is {fields['state']}: {fields['detail']}"
        case "retention":
            return (
                f"retention lets go what need not be kept beyond {to_iso(fields['before_ns'])},"
                f" of the records up to {fields['upto_sequence']}"
            )
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


def _position(fields: list[Any]) -> str:
    """How far the four streams of a partner go: `warning 4, decision 0, notice 2, track 310`."""
    epoch, upto, _ = fields
    rows = ", ".join(f"{lane.name.lower()} {number}" for lane, number in zip(LANES, upto, strict=True))
    return f"{rows} (begun anew {epoch} times)" if epoch else rows


def _message(raw: bytes) -> str:
    envelope, _ = read_message(raw)
    if envelope is None:
        return f"{len(raw)} bytes that are no message"
    speaker = envelope.post or envelope.node
    return f"{envelope.kind} {envelope.id.hex()[:8]} of {speaker} ({envelope.origin})"
