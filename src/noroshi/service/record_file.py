"""Reading the file of a record: live, copied or damaged, and never changing it.

A live record is read beside its writer (SQLite WAL); a copy needs its `-wal` file beside it if it was taken
while the node ran. What SQLite cannot read is told as one sentence, which names the first damaged record
where there is one. What retention has let go is gone for every reader at once, also while its bytes are still being
erased.

    with RecordFile("jpn/record.db") as file:
        for record in file.records(): ...
        file.outbox("staff", after=0, limit=100)
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from noroshi.clock import NEVER
from noroshi.errors import LocalError, OperatorError
from noroshi.log import DamagedRecordError, OutboxRow, Record, Snapshot, verified
from noroshi.service.record_schema import (
    BUSY_S,
    DIGEST_BYTES,
    RECORD_NAME,
    Head,
    RecordFileError,
    as_local,
    count_tables,
    errorname,
    mark_of,
    read_head,
    told,
)
from noroshi.sharing.streams import EMPTY_HEAD

__all__ = ["RECORD_NAME", "RecordFile", "RecordFileError", "find_records", "read_records"]

PAGE_ROWS = 500
"""Rows per read of a whole record: bounds memory, and no read holds up the writer's checkpoints for long."""

STREAMS_SCHEMA = 2
"""The schema that brought streams, retention and snapshots: of an older file only the records are read."""

_COLUMNS = "sequence, previous, now_ns, type, body_hash, body, hash"
_RECORDS = f"SELECT {_COLUMNS}, keep_ns FROM records WHERE sequence > ? ORDER BY sequence LIMIT ?"
_OLD_RECORDS = f"SELECT {_COLUMNS}, {NEVER} FROM records WHERE sequence > ? ORDER BY sequence LIMIT ?"
_LAST = "SELECT coalesce(max(sequence), 0) FROM records"
_FORGETTING = "SELECT upto_sequence, before_ns FROM forgetting"
_BASE = "SELECT number, head FROM bases WHERE stream = ?"
_ABOVE = "number > max(?2, coalesce((SELECT number FROM bases WHERE stream = ?1), 0))"
_OUTBOX = (
    "SELECT stream, number, lane, key, now_ns, data, head, mark FROM outbox"
    f" WHERE stream = ?1 AND {_ABOVE} ORDER BY number LIMIT ?3"
)
_NEWEST = f"SELECT key, max(number) FROM outbox WHERE stream = ?1 AND {_ABOVE} AND key <> '' GROUP BY key"
# From one stream's name to the next through the index, since reading every row's would take seconds.
_STREAMS = """
WITH RECURSIVE named(stream) AS (
    SELECT min(stream) FROM outbox
    UNION ALL
    SELECT (SELECT min(stream) FROM outbox WHERE stream > named.stream) FROM named WHERE named.stream IS NOT NULL)
SELECT stream, max(number) FROM (
    SELECT stream, (SELECT max(number) FROM outbox WHERE stream = named.stream) AS number
        FROM named WHERE stream IS NOT NULL
    UNION ALL
    SELECT stream, number FROM bases)
GROUP BY stream ORDER BY stream
"""
_SNAPSHOT = "SELECT sequence, head, manifest, signature, digests FROM snapshot"
_SNAPSHOT_TYPES = (int, bytes, bytes, bytes, bytes)
_PARTS = "SELECT digest, data FROM parts"


class RecordFile:
    """A record opened for reading only. Safe to share between threads."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = threading.RLock()
        self._connection = _open_read_only(self.path)
        try:
            self.head: Head = read_head(self._connection, self.path)
        except BaseException:
            self._connection.close()
            raise
        self.has_streams = self.head.schema >= STREAMS_SCHEMA

    @property
    def realm(self) -> str:
        """The realm of all that is in the record."""
        return self.head.realm

    @property
    def node(self) -> str:
        """The name of the node whose record it is."""
        return self.head.node

    @property
    def notice(self) -> str:
        """What a person should know before trusting what is read; empty for a record of this version."""
        if self.head.is_newer:
            return f"{self.path}: {self.head.newer}: it is opened for reading only; run that newer version to write it"
        if not self.has_streams:
            return f"{self.path}: an older noroshi wrote it (schema {self.head.schema}): only its records are read"
        return ""

    def verified(self) -> Iterator[Record]:
        """All records, each checked against the one before it; one of a newer version may have types of its own.

        Raises DamagedRecordError at the first bad one.
        """
        return verified(str(self.path), self.records(), any_type=self.head.is_newer)

    def records(self, after: int = 0) -> Iterator[Record]:
        """Records with a number above `after`, in order, unchecked.

        Raises DamagedRecordError where the file itself is broken, naming the record after the last good one.
        """
        last = after
        while True:
            try:
                rows, forgetting = self._page(last, PAGE_ROWS)
            except sqlite3.DatabaseError:
                yield from self._one_by_one(last)
                return
            for row in rows:
                yield self._record(row, last, forgetting)
                last = row[0]
            if len(rows) < PAGE_ROWS:
                return

    def outbox(self, stream: str, after: int, limit: int) -> list[OutboxRow]:
        """At most `limit` rows of a stream above number `after`, in order.

        Raises LocalError for a row that is damaged: rows are outside the chain, so each has its own mark.
        """
        rows = []
        for *fields, data, head, mark in self._all(_OUTBOX, stream, after, limit):
            row = OutboxRow(*[*fields, data, head])
            if not isinstance(data, bytes) or not isinstance(head, bytes) or mark_of(row) != mark:
                raise LocalError(
                    "read the outbox", subject=f"{self.path}, {stream} row {row.number}", cause="the row is damaged",
                    hint="restore a copy of the record",
                )  # fmt: skip
            rows.append(row)
        return rows

    def base(self, stream: str) -> tuple[int, bytes]:
        """The last row of a stream that retention has let go, and its head; (0, the empty head) when there is none."""
        for number, head in self._typed(_BASE, (int, bytes), stream):
            return number, head
        return 0, EMPTY_HEAD

    def newest(self, stream: str) -> dict[str, int]:
        """For each key that may be conflated, the number of its newest row in a stream."""
        return dict(self._typed(_NEWEST, (str, int), stream, 0))

    def streams(self) -> dict[str, int]:
        """Each stream, and the number of its last row, let go or not."""
        return dict(self._typed(_STREAMS, (str, int)))

    def snapshot(self) -> Snapshot | None:
        """The newest snapshot, unchecked: parts of it may be missing or damaged.

        Raises LocalError when the file cannot be read there.
        """
        try:
            with self._whole_view():
                for sequence, head, manifest, signature, digests in self._typed(_SNAPSHOT, _SNAPSHOT_TYPES):
                    own = {digests[at : at + DIGEST_BYTES] for at in range(0, len(digests), DIGEST_BYTES)}
                    parts = {
                        digest: data for digest, data in self._typed(_PARTS, (bytes, bytes)) if digest in own
                    }
                    return Snapshot(sequence, head, manifest, signature, parts)
            return None
        except RecordFileError as error:
            raise as_local(error) from None

    def last_sequence(self) -> int:
        """The number of the last record, 0 when there is none."""
        return int(self._all(_LAST)[0][0])

    def close(self) -> None:
        """Gives the file back. Harmless when repeated."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        if not self.has_streams and sql != _LAST:
            raise RecordFileError(
                "read the streams",
                subject=str(self.path),
                cause=f"an older noroshi wrote it (schema {self.head.schema})",
                hint="start its node once: the record is migrated, after a copy",
            )
        try:
            with self._lock:
                return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._told(error) from None

    @contextlib.contextmanager
    def _whole_view(self) -> Iterator[None]:
        """Several reads of one moment, whatever the writer does meanwhile."""
        with self._lock:
            self._all("BEGIN")
            try:
                yield
            finally:
                self._all("COMMIT")

    def _typed(self, sql: str, types: tuple[type, ...], *values: object) -> list[Any]:
        """The rows of a query; a damaged file may hold values of any type, and such a row is an error."""
        rows = self._all(sql, *values)
        if any(not isinstance(value, type_) for row in rows for value, type_ in zip(row, types, strict=True)):
            raise RecordFileError(
                "read the record", subject=str(self.path), cause="the file is damaged", hint="restore a copy"
            )
        return rows

    def _told(self, error: sqlite3.Error) -> LocalError | OperatorError:
        """What failed; of a newer file whose tables are others, that this is so."""
        if self.head.is_newer and errorname(error) == "SQLITE_ERROR":
            cause = f"{self.head.newer}, and its tables are others"
            return RecordFileError(
                "read the record", subject=str(self.path), cause=cause, hint="run that newer version"
            )
        return told(error, "read the record", self.path)

    def _page(self, after: int, limit: int) -> tuple[list[Any], list[tuple[Any, Any]]]:
        """Rows of records, and the retention that holds for them. Raises sqlite3.DatabaseError."""
        if not self.has_streams:
            with self._lock:
                return self._connection.execute(_OLD_RECORDS, (after, limit)).fetchall(), []
        with self._lock:
            # Retention first: what it lets go between the two reads is then merely read as it was before.
            forgetting = self._connection.execute(_FORGETTING).fetchall()
            return self._connection.execute(_RECORDS, (after, limit)).fetchall(), forgetting

    def _one_by_one(self, last: int) -> Iterator[Record]:
        """The records up to the first unreadable one, after the read of a whole page of them has failed."""
        while True:
            try:
                rows, forgetting = self._page(last, 1)
            except sqlite3.DatabaseError as error:
                if self.head.is_newer or errorname(error).startswith("SQLITE_BUSY"):
                    raise self._told(error) from None
                cause = f"the file is damaged there ({error})"
                raise DamagedRecordError(str(self.path), last + 1, cause) from None
            if not rows:
                raise DamagedRecordError(str(self.path), last + 1, "the file is damaged there")
            yield self._record(rows[0], last, forgetting)
            last = rows[0][0]

    def _record(self, row: tuple[Any, ...], last: int, forgetting: list[tuple[Any, Any]]) -> Record:
        sequence, previous, now_ns, type_, body_hash, body, hash_, keep_ns = row
        fits = (
            all(isinstance(value, bytes) for value in (previous, body_hash, hash_))
            and isinstance(type_, str)
            and isinstance(now_ns, int)
            and isinstance(keep_ns, int)
            and (body is None or isinstance(body, bytes))
        )
        if not fits:
            raise DamagedRecordError(str(self.path), last + 1, "its columns hold values of another type")
        for upto_sequence, before_ns in forgetting:
            if not isinstance(upto_sequence, int) or not isinstance(before_ns, int):
                raise DamagedRecordError(str(self.path), last + 1, "what retention has let go cannot be read")
            if sequence <= upto_sequence and keep_ns < before_ns:
                body = None
        return Record(sequence, previous, now_ns, type_, body_hash, body, hash_, keep_ns)


def read_records(path: Path | str, after: int = 0) -> Iterator[Record]:
    """The records in a file, live or copied, in order and unchecked; the file is closed at the end.

    Raises RecordFileError when it is no record, DamagedRecordError where it is broken.
    """
    with contextlib.closing(RecordFile(path)) as file:
        yield from file.records(after)


def find_records(path: Path | str) -> list[Path]:
    """The record files that a path means: itself, `record.db` in it, or all `*.db` up to two folders below.

    Raises RecordFileError when there is none.
    """
    place = Path(path)
    if place.is_file():
        return [place]
    if (place / RECORD_NAME).is_file():
        return [place / RECORD_NAME]
    found = sorted({one for depth in ("*.db", "*/*.db", "*/*/*.db") for one in place.glob(depth)})
    if not found:
        cause = "there is no such file" if not place.exists() else f"there is no {RECORD_NAME} in it"
        raise RecordFileError(
            "read the record",
            subject=str(place),
            cause=cause,
            hint="give the node's directory or the record's file",
        )
    return found


def _open_read_only(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise RecordFileError(
            "read the record",
            subject=str(path),
            cause="there is no such file" if not path.exists() else "it is not a file",
            hint="give the node's directory or the record's file",
        )
    try:
        return _connect(path, "mode=ro")
    except sqlite3.Error as error:
        # A copy without its -wal file in a place where nothing may be written: nobody else writes it either.
        if not Path(f"{path}-wal").exists() and errorname(error).startswith("SQLITE_CANTOPEN"):
            with contextlib.suppress(sqlite3.Error):
                return _connect(path, "mode=ro&immutable=1")
        raise told(error, "read the record", path) from None


def _connect(path: Path, options: str) -> sqlite3.Connection:
    address = f"file:{quote(str(path.absolute()))}?{options}"
    connection = sqlite3.connect(
        address, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA mmap_size = 0")
        connection.execute("PRAGMA query_only = ON")
        count_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection
