"""Checks the whole of a record: its chain, the heads of its streams, where its snapshot stands.

Rules: nothing is changed and nothing is needed but the file. A body that retention has let go is no damage; a row that
does not give its head, a number that is missing, a snapshot of a record that is another, are.

    found = check_record("jpn/record.db")
    found.intact, found.sentence
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from noroshi.errors import LocalError
from noroshi.log import DamagedRecordError
from noroshi.service.record_file import RecordFile
from noroshi.sharing.streams import next_head

PAGE_ROWS = 500


class Damage(msgspec.Struct, frozen=True):
    """The first thing that is wrong: the record's number, or 0 and the stream and row."""

    cause: str
    sequence: int = 0
    stream: str = ""
    row: int = 0

    @property
    def words(self) -> str:
        """Where and what."""
        if self.sequence:
            return f"record {self.sequence} is damaged: {self.cause}"
        return f"{self.stream} row {self.row} is damaged: {self.cause}" if self.stream else self.cause


class StreamFound(msgspec.Struct, frozen=True):
    """A stream: rows that are there, the last that retention has let go, the last of all and its head (hex)."""

    rows: int
    base: int
    upto: int
    head: str


class Found(msgspec.Struct, frozen=True):
    """What the check of one file gave. count: records before the first damaged one; dropped: of them without a body.

    head: the chain's end (hex); snapshot: the number of the record that the snapshot stands at; notice: what is to be
    known of a record of another version.
    """

    path: str
    node: str
    realm: str
    schema: int
    intact: bool
    count: int
    dropped: int
    head: str | None
    streams: dict[str, StreamFound]
    snapshot: int | None
    damaged: Damage | None
    notice: str

    @property
    def sentence(self) -> str:
        """All of it for a person."""
        whose = f"{self.path} ({self.node}, {self.realm})"
        if self.damaged is not None and self.damaged.sequence:
            before = f"the {self.count} before it are whole" if self.count else "none before it"
            return f"{whose}: {self.damaged.words}; {before}"
        dropped = f", {self.dropped} of them without the body that retention let go" if self.dropped else ""
        if self.damaged is not None:
            return f"{whose}: {self.damaged.words}; its {self.count} records are whole{dropped}"
        rows = sum(stream.rows for stream in self.streams.values())
        streams = f"; {rows} rows in {len(self.streams)} streams, all in their places" if self.streams else ""
        snapshot = f"; a snapshot at record {self.snapshot}" if self.snapshot is not None else ""
        return f"{whose}: {self.count} records, all whole{dropped}{streams}{snapshot}"


def check_record(path: Path) -> Found:
    """What is in a record, and the first thing that is wrong. Raises OperatorError when it is no record at all."""
    count = dropped = 0
    head: str | None = None
    damage: Damage | None = None
    streams: dict[str, StreamFound] = {}
    with RecordFile(path) as file:
        snapshot = None
        try:
            taken = file.snapshot() if file.has_streams else None
            snapshot = taken.sequence if taken is not None else None
            met = taken is None
            for record in file.verified():
                count, head = record.sequence, record.hash.hex()
                dropped += record.body is None
                met = met or (
                    taken is not None and (record.sequence, record.hash) == (taken.sequence, taken.head)
                )
            if not met:
                damage = Damage(
                    f"the snapshot stands at record {snapshot}, which is not the one that is there"
                )
        except DamagedRecordError as error:
            damage = Damage(error.cause, sequence=error.sequence)
        except LocalError as error:
            damage = Damage(str(error))
        if file.has_streams and damage is None:
            streams, damage = _check_streams(file)
        return Found(
            str(path), file.node, file.realm, file.head.schema, damage is None,
            count, dropped, head, streams, snapshot, damage, file.notice,
        )  # fmt: skip


def _check_streams(file: RecordFile) -> tuple[dict[str, StreamFound], Damage | None]:
    found: dict[str, StreamFound] = {}
    for stream in file.streams():
        checked = _check_stream(file, stream)
        if isinstance(checked, Damage):
            # Of a live record a stream may have been begun anew, or rows let go, between two reads.
            checked = _check_stream(file, stream)
        if isinstance(checked, Damage):
            return found, checked
        found[stream] = checked
    return found, None


def _check_stream(file: RecordFile, stream: str) -> StreamFound | Damage:
    base, head = file.base(stream)
    rows, last = 0, base
    while True:
        try:
            page = file.outbox(stream, last, PAGE_ROWS)
        except LocalError as error:
            return Damage(error.cause, stream=stream, row=last + 1)
        for row in page:
            if row.number != last + 1:
                return Damage(
                    f"number {row.number} where {last + 1} must follow", stream=stream, row=last + 1
                )
            head = next_head(head, row.data)
            if row.head != head:
                return Damage("it does not give its head", stream=stream, row=row.number)
            rows, last = rows + 1, row.number
        if len(page) < PAGE_ROWS:
            return StreamFound(rows, base, last, head.hex())
