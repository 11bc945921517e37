"""Reading the file of a record: live, copied or damaged, and never changing it.

A live record is read beside its writer (SQLite WAL); a copy needs its `-wal` file beside it if it was taken
while the node ran. What SQLite cannot read is told as one sentence, which names the first damaged record
where there is one.

    with RecordFile("jpn/record.db") as file:
        for record in file.records(): ...
        file.outbox("staff", after=0, limit=100)
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from noroshi.errors import LocalError, OperatorError
from noroshi.log import DamagedRecordError, OutboxRow, Record

RECORD_NAME = "record.db"
APPLICATION_ID = 0x4E4F524F
"""SQLite application id of a record ("NORO"): tells it from any other database."""

SCHEMA_VERSION = 1

PAGE_ROWS = 500
"""Rows per read of a whole record: bounds memory, and no read holds up the writer's checkpoints for long."""

BUSY_S = 5.0
"""How long a read waits for another process that recovers the file after a crash; normally not at all."""

_RECORDS = (
    "SELECT sequence, previous, now_ns, type, body_hash, body, hash FROM records"
    " WHERE sequence > ? ORDER BY sequence LIMIT ?"
)
_OUTBOX = (
    "SELECT party, number, lane, key, now_ns, data, mark FROM outbox"
    " WHERE party = ? AND number > ? ORDER BY number LIMIT ?"
)
_NEWEST = "SELECT key, max(number) FROM outbox WHERE party = ? AND key <> '' GROUP BY key"
_LAST = "SELECT coalesce(max(sequence), 0) FROM records"
_PARTIES = "SELECT party, max(number) FROM outbox GROUP BY party ORDER BY party"


class RecordFileError(OperatorError):
    """The file of a record cannot be used as it is: a person must choose another or repair it."""


class RecordFile:
    """A record opened for reading only. Safe to share between threads."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        self._connection = _open_read_only(self.path)
        try:
            self.meta = read_meta(self._connection, self.path)
        except BaseException:
            self._connection.close()
            raise

    @property
    def realm(self) -> str:
        """The realm of all that is in the record."""
        return self.meta["realm"]

    @property
    def node(self) -> str:
        """The name of the node whose record it is."""
        return self.meta["node"]

    def records(self, after: int = 0) -> Iterator[Record]:
        """Records with a number above `after`, in order, unchecked.

        Raises DamagedRecordError where the file itself is broken, naming the record after the last good one.
        """
        last = after
        while True:
            try:
                with self._lock:
                    rows = self._connection.execute(_RECORDS, (last, PAGE_ROWS)).fetchall()
            except sqlite3.DatabaseError:
                yield from self._one_by_one(last)
                return
            for row in rows:
                yield self._record(row, last)
                last = row[0]
            if len(rows) < PAGE_ROWS:
                return

    def outbox(self, party: str, after: int, limit: int) -> list[OutboxRow]:
        """At most `limit` rows of a party's outbox above number `after`, in order.

        Raises LocalError for a row that is damaged: rows are outside the chain, so each has its own mark.
        """
        rows = []
        for *fields, mark in self._all(_OUTBOX, party, after, limit):
            row = OutboxRow(*fields)
            if mark_of(row) != mark:
                raise LocalError(
                    "read the outbox", subject=f"{self.path}, {party} row {row.number}", cause="the row is damaged",
                    hint="restore a copy of the record",
                )  # fmt: skip
            rows.append(row)
        return rows

    def newest(self, party: str) -> dict[str, int]:
        """For each key that may be conflated, the number of its newest row in a party's outbox."""
        return {str(key): int(number) for key, number in self._all(_NEWEST, party)}

    def parties(self) -> dict[str, int]:
        """Each party that has an outbox, and the number of its last row."""
        return {str(party): int(number) for party, number in self._all(_PARTIES)}

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

    def _all(self, sql: str, *values: object) -> list[Any]:
        try:
            with self._lock:
                return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise told(error, "read the record", self.path) from None

    def _one_by_one(self, last: int) -> Iterator[Record]:
        """The records up to the first unreadable one, after the read of a whole page of them has failed."""
        while True:
            try:
                with self._lock:
                    row = self._connection.execute(_RECORDS, (last, 1)).fetchone()
            except sqlite3.DatabaseError as error:
                cause = f"the file is damaged there ({error})"
                raise DamagedRecordError(str(self.path), last + 1, cause) from None
            if row is None:
                raise DamagedRecordError(str(self.path), last + 1, "the file is damaged there")
            yield self._record(row, last)
            last = row[0]

    def _record(self, row: tuple[Any, ...], last: int) -> Record:
        sequence, previous, now_ns, type_, body_hash, body, hash_ = row
        fits = (
            all(isinstance(value, bytes) for value in (previous, body_hash, hash_))
            and isinstance(type_, str)
            and isinstance(now_ns, int)
            and (body is None or isinstance(body, bytes))
        )
        if not fits:
            raise DamagedRecordError(str(self.path), last + 1, "its columns hold values of another type")
        return Record(sequence, previous, now_ns, type_, body_hash, body, hash_)


def mark_of(row: OutboxRow) -> bytes:
    """The first 8 bytes of BLAKE2b over a row's fields: finds what a disk has damaged, not what a forger has."""
    head = f"{row.party}\0{row.number}\0{row.lane}\0{row.key}\0{row.now_ns}\0".encode()
    return hashlib.blake2b(head + row.data, digest_size=8).digest()


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


def read_meta(connection: sqlite3.Connection, path: Path) -> dict[str, str]:
    """The record's `meta` table. Raises RecordFileError for another kind of file or a newer schema."""
    hint = "give the record of a node (record.db), or restore a copy of it"
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION_ID:
            raise RecordFileError("open the record", subject=str(path), cause="it is not a record", hint=hint)
        if version > SCHEMA_VERSION:
            raise RecordFileError(
                "open the record",
                subject=str(path),
                cause=f"a newer noroshi wrote it (schema {version}, this one knows up to {SCHEMA_VERSION})",
                hint="run that newer version",
            )
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    except sqlite3.Error as error:
        raise told(error, "open the record", path) from None
    if not {"realm", "node"} <= meta.keys():
        raise RecordFileError(
            "open the record", subject=str(path), cause="it does not say whose record it is", hint=hint
        )
    return meta


def told(error: sqlite3.Error, operation: str, path: Path) -> LocalError | OperatorError:
    """What a person should hear of an error of SQLite: what failed, why, and what to do."""
    name = getattr(error, "sqlite_errorname", "") or ""
    subject = str(path)
    if name.startswith("SQLITE_NOTADB"):
        return RecordFileError(
            operation, subject=subject, cause="the file is not a record, or its head is damaged",
            hint="give the record of a node (record.db), or restore a copy of it",
        )  # fmt: skip
    if name.startswith("SQLITE_CORRUPT"):
        return RecordFileError(
            operation, subject=subject, cause="the file is damaged",
            hint="run `noroshi log verify` on it to see from where, and restore a copy",
        )  # fmt: skip
    if name.startswith("SQLITE_FULL"):
        hint = "free space, then start again"
        return LocalError(operation, subject=subject, cause="the disk is full", hint=hint)
    if name.startswith("SQLITE_IOERR"):
        return LocalError(
            operation, subject=subject, cause=f"the disk gave an error ({name})",
            hint="check the disk and its free space, then start again",
        )  # fmt: skip
    if name.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH")):
        return RecordFileError(
            operation, subject=subject, cause=f"it may not be opened or written ({error})",
            hint="check that the directory exists and belongs to the node's user",
        )  # fmt: skip
    return LocalError(operation, subject=subject, cause=f"{error}", hint="report this defect with the record")


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
        if not Path(f"{path}-wal").exists() and (error.sqlite_errorname or "").startswith("SQLITE_CANTOPEN"):
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
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
