"""What a log needs of a store, and the store that lives in memory.

A store takes whole batches: the records of one commit and the outbox rows that it fills are durable together or
not at all, and only after `append` has returned may anybody be told. The service has one on SQLite.

    store.append([Batch(records, rows)])
    store.outbox("partner:USA", after=41, limit=100)
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from noroshi.errors import LocalError
from noroshi.log.record import Record, check


class DamagedRecordError(LocalError):
    """A record that fails its check: names the first damaged one."""

    def __init__(self, subject: str, sequence: int, cause: str) -> None:
        self.sequence = sequence
        super().__init__(
            "read the record",
            subject=f"{subject}, record {sequence}",
            cause=cause,
            hint="restore a copy of the record; nothing from this record on can be trusted",
        )


class OutboxRow(msgspec.Struct, frozen=True, gc=False):
    """One numbered row of what one party may have; all that a link, a page or a gateway ever reads.

    party: `partner:USA`, `staff`, `gateway:cap`; number: dense per party from 1; lane: 0 is served first; key: rows
    with the same key may be conflated to the newest (empty: never); data: the bytes to send.
    """

    party: str
    number: int
    lane: int
    key: str
    now_ns: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """What one commit makes durable."""

    records: tuple[Record, ...]
    outbox: tuple[OutboxRow, ...] = ()


class Store(Protocol):
    """Durable records and outboxes of one node in one realm. One writer."""

    def append(self, batches: Sequence[Batch]) -> None:
        """Makes all batches durable together. Raises LocalError when it cannot; then nothing was stored."""
        ...

    def records(self, after: int = 0) -> Iterator[Record]:
        """Records with a number above `after`, in order, unchecked."""
        ...

    def outbox(self, party: str, after: int, limit: int) -> list[OutboxRow]:
        """At most `limit` rows of a party's outbox above number `after`, in order."""
        ...


class MemoryStore:
    """A store without a disk, for virtual time and tests."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._outbox: dict[str, list[OutboxRow]] = {}

    def append(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            self._records.extend(batch.records)
            for row in batch.outbox:
                self._outbox.setdefault(row.party, []).append(row)

    def records(self, after: int = 0) -> Iterator[Record]:
        return iter(self._records[after:])

    def outbox(self, party: str, after: int, limit: int) -> list[OutboxRow]:
        rows = self._outbox.get(party, [])
        start = bisect_right(rows, after, key=lambda row: row.number)
        return rows[start : start + limit]


def verified(subject: str, records: Iterable[Record]) -> Iterator[Record]:
    """The same records, each checked against the one before it. Raises DamagedRecordError at the first bad one."""
    previous: Record | None = None
    for record in records:
        cause = check(previous, record)
        if cause:
            raise DamagedRecordError(subject, previous.sequence + 1 if previous else 1, cause)
        yield record
        previous = record
