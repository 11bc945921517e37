"""What a log needs of a store, and the store that lives in memory.

A store takes whole batches: the records of one commit and the outbox rows that it fills are durable together or
not at all, and only after `append` has returned may anybody be told. The service has one on SQLite.

    store.append([Batch(records, rows)])
    store.outbox("partner:USA/track", after=41, limit=100)
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

    stream: `partner:USA/track`, `staff`, `gateway:cap`; a partner has one stream per lane. number: dense per stream
    from 1; lane: 0 is served first; key: rows with the same key may be conflated to the newest (empty: never); data:
    the bytes to send; head: the stream's chain up to here (`noroshi.sharing.streams`), which both sides can compute.
    """

    stream: str
    number: int
    lane: int
    key: str
    now_ns: int
    data: bytes
    head: bytes


class Cut(msgspec.Struct, frozen=True):
    """A stream begun anew after row `after`: what a changed policy no longer lets go is taken out before it is sent.

    kept: the rows above `after` that stay, in order, as (old number, new head); their new numbers are `after` + 1 and
    on. All other rows above `after` go.
    """

    stream: str
    after: int
    kept: tuple[tuple[int, bytes], ...]


class Forget(msgspec.Struct, frozen=True):
    """What retention lets go: bodies of records up to `upto_sequence` whose `keep_ns` is before `before_ns`, and the
    rows of each stream up to the number given. The chain of records and the heads of the streams stay.
    """

    upto_sequence: int
    before_ns: int
    rows: tuple[tuple[str, int], ...]


class Batch(msgspec.Struct, frozen=True):
    """What one commit makes durable, in this order: cuts, records, rows; then what retention lets go."""

    records: tuple[Record, ...]
    outbox: tuple[OutboxRow, ...] = ()
    cuts: tuple[Cut, ...] = ()
    forget: Forget | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A node's state after record `sequence`, whose hash is `head`; signed by the node itself.

    manifest: canonical bytes that name the parts by their SHA-256, in order; signature: of the manifest. parts: the
    bytes by their SHA-256; a part that an earlier snapshot has too is stored once.
    """

    sequence: int
    head: bytes
    manifest: bytes
    signature: bytes
    parts: dict[bytes, bytes]


class Store(Protocol):
    """Durable records and outboxes of one node in one realm. One writer."""

    def append(self, batches: Sequence[Batch]) -> None:
        """Makes all batches durable together. Raises LocalError when it cannot; then nothing was stored."""
        ...

    def records(self, after: int = 0) -> Iterator[Record]:
        """Records with a number above `after`, in order, unchecked."""
        ...

    def outbox(self, stream: str, after: int, limit: int) -> list[OutboxRow]:
        """At most `limit` rows of a stream above number `after`, in order."""
        ...

    def base(self, stream: str) -> tuple[int, bytes]:
        """The last row of a stream that retention has let go, and its head; (0, the empty head) when there is none."""
        ...

    def keep(self, snapshot: Snapshot) -> None:
        """Makes a snapshot durable in the place of earlier ones. Raises LocalError."""
        ...

    def snapshot(self) -> Snapshot | None:
        """The newest snapshot, unchecked."""
        ...


class MemoryStore:
    """A store without a disk, for virtual time and tests."""

    def __init__(self) -> None:
        self._records: list[Record] = []
        self._outbox: dict[str, list[OutboxRow]] = {}
        self._bases: dict[str, tuple[int, bytes]] = {}
        self._snapshot: Snapshot | None = None

    def append(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            for cut in batch.cuts:
                self._cut(cut)
            self._records.extend(batch.records)
            for row in batch.outbox:
                self._outbox.setdefault(row.stream, []).append(row)
            if batch.forget is not None:
                self._forget(batch.forget)

    def records(self, after: int = 0) -> Iterator[Record]:
        return iter(self._records[after:])

    def outbox(self, stream: str, after: int, limit: int) -> list[OutboxRow]:
        rows = self._outbox.get(stream, [])
        start = bisect_right(rows, after, key=lambda row: row.number)
        return rows[start : start + limit]

    def base(self, stream: str) -> tuple[int, bytes]:
        return self._bases.get(stream, (0, bytes(32)))

    def keep(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def snapshot(self) -> Snapshot | None:
        return self._snapshot

    def _cut(self, cut: Cut) -> None:
        rows = self._outbox.get(cut.stream, [])
        by_number = {row.number: row for row in rows if row.number > cut.after}
        self._outbox[cut.stream] = [row for row in rows if row.number <= cut.after] + [
            msgspec.structs.replace(by_number[number], number=cut.after + place, head=head)
            for place, (number, head) in enumerate(cut.kept, 1)
        ]

    def _forget(self, forget: Forget) -> None:
        for place, record in enumerate(self._records[: forget.upto_sequence]):
            if record.keep_ns < forget.before_ns and record.body is not None:
                self._records[place] = msgspec.structs.replace(record, body=None)
        for stream, upto in forget.rows:
            rows = self._outbox.get(stream, [])
            gone = bisect_right(rows, upto, key=lambda row: row.number)
            if gone:
                self._bases[stream] = rows[gone - 1].number, rows[gone - 1].head
                del rows[:gone]


def verified(subject: str, records: Iterable[Record], *, any_type: bool = False) -> Iterator[Record]:
    """The same records, each checked against the one before it. Raises DamagedRecordError at the first bad one.

    any_type: types that this version does not know are no damage, as in the record of a newer one.
    """
    previous: Record | None = None
    for record in records:
        cause = check(previous, record, any_type=any_type)
        if cause:
            raise DamagedRecordError(subject, previous.sequence + 1 if previous else 1, cause)
        yield record
        previous = record
