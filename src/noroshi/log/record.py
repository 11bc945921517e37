"""Records: one link of a node's append-only, hash-chained log each.

The chain covers headers and body hashes, so retention may drop a body without breaking it. A record is either an
*input* of the core (in the order accepted) or something *derived* from the input before it: an own message, a
release decision, a refusal. A replay of the inputs gives the derived ones back, byte for byte.

    chain = Chain()
    record = chain.link(now_ns, "timer", body)
    check(previous_record, record)       # "" or what is wrong
"""

from __future__ import annotations

import hashlib

import msgspec

from noroshi.clock import NEVER
from noroshi.messages.canonical import encode

ORIGIN_HASH = bytes(32)
"""The `previous` of the first record."""

INPUTS = frozenset(
    {
        "genesis",
        "detections",
        "received",
        "receipt",
        "checkpoint",
        "restart",
        "timer",
        "link",
        "clock",
        "control",
        "retention",
        "cap",
        "relay",
        "feed",
        "gateways",
        "group",
        "door",
    }
)
"""Types of records that the core is given; everything else on the log follows from them."""

DERIVED = frozenset({"message", "release", "refusal", "note"})
"""Types of records that the core makes of the input before them."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record. `body` is None where retention has dropped it; `body_hash` stays.

    sequence: dense from 1; now_ns: the node's time when it was accepted; type: one of INPUTS or DERIVED. A log in memory
    holds many, so Python's collector of cycles is told to pass them by: they hold numbers, texts and bytes only.
    keep_ns: until when retention keeps the body; outside the chain, since it follows from the body.
    """

    sequence: int
    previous: bytes
    now_ns: int
    type: str
    body_hash: bytes
    body: bytes | None
    hash: bytes
    keep_ns: int = NEVER

    @property
    def is_input(self) -> bool:
        """Whether a replay feeds it to the core."""
        return self.type in INPUTS


def header_hash(sequence: int, previous: bytes, now_ns: int, type_: str, body_hash: bytes) -> bytes:
    """SHA-256 over the canonical msgpack array [sequence, previous, now_ns, type, body_hash]."""
    return hashlib.sha256(encode([sequence, previous, now_ns, type_, body_hash])).digest()


class Chain:
    """The end of a log: gives each new record its number and its place in the chain."""

    def __init__(self, sequence: int = 0, head: bytes = ORIGIN_HASH) -> None:
        self.sequence = sequence
        self.head = head

    def link(self, now_ns: int, type_: str, body: bytes, keep_ns: int = NEVER) -> Record:
        """The next record, with this body, which retention keeps until `keep_ns`."""
        sequence, previous = self.sequence + 1, self.head
        body_hash = hashlib.sha256(body).digest()
        self.head = hashlib.sha256(encode([sequence, previous, now_ns, type_, body_hash])).digest()
        self.sequence = sequence
        return Record(sequence, previous, now_ns, type_, body_hash, body, self.head, keep_ns)


def check(previous: Record | None, record: Record, *, any_type: bool = False) -> str:
    """What is wrong with a record that follows `previous` (None for the first); empty when nothing is.

    any_type: a type that this version does not know is not wrong.
    """
    expected, head = (1, ORIGIN_HASH) if previous is None else (previous.sequence + 1, previous.hash)
    if record.sequence != expected:
        return f"number {record.sequence} where {expected} must follow"
    if record.previous != head:
        return "does not follow the record before it"
    if record.body is not None and hashlib.sha256(record.body).digest() != record.body_hash:
        return "its body does not match its hash"
    if not any_type and record.type not in INPUTS and record.type not in DERIVED:
        return f"unknown type {record.type!r}"
    whole = header_hash(record.sequence, record.previous, record.now_ns, record.type, record.body_hash)
    return "" if whole == record.hash else "its header does not match its hash"
