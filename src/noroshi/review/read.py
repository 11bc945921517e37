"""From records to what happened: each node's log opened into entries, and all of them merged by time.

A review is a replay of nothing: it reads what the nodes recorded, each statement of it cites the record, and where
messages are meant, their ids. Logs are handed in as records; nothing here opens a file.

    logs = [open_log(records) for records in ...]
    for entry in merged(logs): ...
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from noroshi.errors import OperatorError
from noroshi.log import DamagedRecordError, Record, verified
from noroshi.messages import KINDS
from noroshi.messages.bodies import Body
from noroshi.messages.envelope import Envelope, Signed

_SIGNED = msgspec.msgpack.Decoder(Signed)
_ENVELOPE = msgspec.msgpack.Decoder(Envelope)
_BODIES = {name: msgspec.msgpack.Decoder(kind.body) for name, kind in KINDS.items()}


NEEDED = {
    "genesis": ("node", "partner", "realm", "title", "sensors"),
    "detections": ("feed", "sequence", "sensor", "time_ns", "value"),
    "received": ("raw",),
    "link": ("party", "state"),
    "cap": ("party", "raw"),
    "relay": ("party", "outlet", "text"),
    "release": ("id", "withheld"),
    "refusal": ("party", "reason"),
}
"""The fields without which a record of a type says nothing to a review: a chain can hold another program's records."""


DROPPED = "dropped"
"""The type of an entry of whose record retention has left no more than the header: its number and its time."""

NOT_KEPT = "refused for a reason that is no longer kept"


class NotALogError(OperatorError):
    """The records do not begin as a node's log does."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of one node, opened.

    type: the record's; accepted: False where the node refused the input (reason then says why) or had it before;
    fields: an input's or derived record's own fields; envelope and body: of the message in it, if it holds one.
    """

    node: str
    partner: str
    sequence: int
    now_ns: int
    type: str
    accepted: bool
    reason: str
    fields: dict[str, Any]
    envelope: Envelope | None
    body: Body | None

    @property
    def cites(self) -> str:
        """How a statement names this record: node, number, and the head of the message's id."""
        identity = f" {self.envelope.id.hex()[:8]}" if self.envelope is not None else ""
        return f"{self.node}#{self.sequence}{identity}"


@dataclass(frozen=True, slots=True)
class Log:
    """One node's log: its first record's fields, its entries, the end of its chain; dropped: how many of the entries
    say nothing any more, since retention has let their bodies go.
    """

    node: str
    partner: str
    genesis: dict[str, Any]
    entries: tuple[Entry, ...]
    head: bytes
    dropped: int = 0


def open_log(subject: str, records: Iterable[Record]) -> Log:
    """Opens one node's log, checking the chain. Raises DamagedRecordError or NotALogError.

    What retention has dropped is skipped over and counted: its entries have a time and the type `DROPPED`.
    """
    checked = list(verified(subject, records))
    if not checked:
        raise NotALogError("review the log", subject=subject, cause="it is empty: the node has not run yet")
    if checked[0].type != "genesis" or checked[0].body is None:
        raise NotALogError(
            "review the log", subject=subject, cause="it does not begin with a node's first record"
        )
    try:
        genesis = msgspec.msgpack.decode(checked[0].body)
        for name in ("node", "partner", "realm", "title"):
            if not isinstance(genesis[name], str):
                raise TypeError(f"the {name} is no text")
        entries = tuple(_entries(genesis, checked))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, KeyError, TypeError) as error:
        raise NotALogError(
            "review the log", subject=subject, cause=f"a record does not open: {error}"
        ) from None
    dropped = sum(entry.type == DROPPED for entry in entries)
    return Log(genesis["node"], genesis["partner"], genesis, entries, checked[-1].hash, dropped)


def merged(logs: Sequence[Log]) -> Iterator[Entry]:
    """All entries by time; ties by node name and record number."""
    return heapq.merge(
        *(log.entries for log in logs), key=lambda entry: (entry.now_ns, entry.node, entry.sequence)
    )


def _entries(genesis: dict[str, Any], records: Sequence[Record]) -> Iterator[Entry]:
    """Opens each record; an input is accepted unless a refusal follows it or its message was here before.

    A message that was taken in has been released or withheld, which its commit says: where that is the only trace of an
    earlier one, it tells the first from the repeats.
    """
    seen: set[bytes] = set()
    numbers: dict[str, int] = {}
    whole = all(record.body is not None for record in records)
    for index, record in enumerate(records):
        if record.body is None:
            yield _dropped(genesis, record)
            continue
        fields = msgspec.msgpack.decode(record.body) if record.type != "message" else {}
        for name in NEEDED.get(record.type, ()):
            if name not in fields:
                raise KeyError(f"{record.type} {record.sequence} has no {name}")
        raw = (
            record.body
            if record.type == "message"
            else fields.get("raw")
            if record.type == "received"
            else None
        )
        envelope, body = read_message(raw) if raw else (None, None)
        refusal, released = _outcome(records, index)
        again = _repeated(record.type, fields, envelope, seen, numbers)
        in_doubt = not whole and record.type == "received" and envelope is not None
        repeated = (again or in_doubt) and not released
        yield Entry(
            node=genesis["node"],
            partner=genesis["partner"],
            sequence=record.sequence,
            now_ns=record.now_ns,
            type=record.type,
            accepted=not refusal and not repeated,
            reason=refusal or ("duplicate" if repeated else ""),
            fields=fields,
            envelope=envelope,
            body=body,
        )


def _dropped(genesis: dict[str, Any], record: Record) -> Entry:
    return Entry(
        node=genesis["node"],
        partner=genesis["partner"],
        sequence=record.sequence,
        now_ns=record.now_ns,
        type=DROPPED,
        accepted=False,
        reason="",
        fields={},
        envelope=None,
        body=None,
    )


def _outcome(records: Sequence[Record], index: int) -> tuple[str, bool]:
    """Why an input was refused, by the refusal in its own commit; and whether it was a message that was taken in.

    A message is decided upon once, when it is first taken: somebody else may have used its id before, in vain.
    """
    released = False
    if not records[index].is_input:
        return "", released
    for place in range(index + 1, len(records)):
        later = records[place]
        if later.is_input:
            break
        if later.type == "refusal":
            reason = NOT_KEPT if later.body is None else str(msgspec.msgpack.decode(later.body)["reason"])
            return reason, released
        released = released or later.type == "release"
    return "", released


def _repeated(
    type_: str, fields: dict[str, Any], envelope: Envelope | None, seen: set[bytes], numbers: dict[str, int]
) -> bool:
    if type_ == "detections":
        last = numbers.get(fields["feed"], 0)
        numbers[fields["feed"]] = max(last, fields["sequence"])
        return bool(fields["sequence"] <= last)
    if envelope is None:
        return False
    identity = envelope.id + envelope.origin.encode()
    known = identity in seen
    seen.add(identity)
    return known


def read_message(raw: bytes) -> tuple[Envelope | None, Body | None]:
    """The message in these bytes, for reading only; (None, None) where a node was sent something else."""
    try:
        envelope = _ENVELOPE.decode(_SIGNED.decode(raw).payload)
        decoder = _BODIES.get(envelope.kind)
        return envelope, decoder.decode(bytes(envelope.body)) if decoder else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None, None


__all__ = ["DamagedRecordError", "Entry", "Log", "NotALogError", "merged", "open_log", "read_message"]
