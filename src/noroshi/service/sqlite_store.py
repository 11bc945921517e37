"""The record on SQLite: one file per node and realm, durable before anybody is told.

Rules: WAL with synchronous FULL, read back after setting; one process (a lock file), one connection that
writes and makes all checkpoints, readers on a connection of their own; one transaction per `append`, so the
caller commits many inputs together. After a failed write the store takes nothing more until it is opened
again, since nobody then knows what the disk holds.

    with SqliteStore.open(directory / "record.db", realm="exercise:demo", node="jpn") as store:
        store.append([commit.batch])
        store.outbox("partner:USA", after=41, limit=100)
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from noroshi.errors import LocalError, OperatorError
from noroshi.log import Batch, OutboxRow, Record
from noroshi.service.record_file import (
    APPLICATION_ID,
    BUSY_S,
    SCHEMA_VERSION,
    RecordFile,
    RecordFileError,
    mark_of,
    read_meta,
    read_records,
    told,
)

__all__ = ["RecordFile", "RecordFileError", "SqliteStore", "StoreStatus", "read_records"]

OLDEST_LIBRARY = (3, 7, 0)
"""First SQLite with a write-ahead log."""

WAL_RESET_FIXED = (3, 51, 3)
"""Earlier ones may corrupt a file that two connections write or checkpoint at once; this store has one."""

_FULL = 2
_SYNCHRONOUS = {0: "off", 1: "normal", _FULL: "full", 3: "extra"}

_TABLES = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE records(
    sequence INTEGER PRIMARY KEY, previous BLOB NOT NULL, now_ns INTEGER NOT NULL, type TEXT NOT NULL,
    body_hash BLOB NOT NULL, body BLOB, hash BLOB NOT NULL);
CREATE TABLE outbox(
    party TEXT NOT NULL, number INTEGER NOT NULL, lane INTEGER NOT NULL, key TEXT NOT NULL,
    now_ns INTEGER NOT NULL, data BLOB NOT NULL, mark BLOB NOT NULL, PRIMARY KEY(party, number))
"""
_PUT_RECORD = "INSERT INTO records VALUES(?, ?, ?, ?, ?, ?, ?)"
_PUT_ROW = "INSERT INTO outbox VALUES(?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """How the record is kept, as read back from SQLite.

    wal_reset_range: the library has the WAL-reset fault, which needs two writing connections to do harm.
    """

    path: str
    realm: str
    node: str
    library: str
    wal_reset_range: bool
    journal_mode: str
    synchronous: str
    records: int
    bytes: int


class SqliteStore:
    """A `noroshi.log.Store` on a disk. `append` from one thread at a time; reads from any."""

    def __init__(self, path: Path, writer: sqlite3.Connection, reader: RecordFile, lock: int) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._failed = False

    @classmethod
    def open(cls, path: Path | str, *, realm: str, node: str) -> SqliteStore:
        """The record in this file, made if there is none.

        Raises OperatorError when another process has it open, when it is damaged, no record at all, of a
        newer version, or the record of another node or realm; LocalError when the disk fails.
        """
        place = Path(path)
        check_library(sqlite3.sqlite_version_info)
        _make_directory(place.parent)
        lock = _take_lock(place)
        try:
            writer = _open_writer(place)
            try:
                _prepare(writer, place, realm, node)
                return cls(place, writer, RecordFile(place), lock)
            except BaseException:
                writer.close()
                raise
        except BaseException:
            os.close(lock)
            raise

    def append(self, batches: Sequence[Batch]) -> None:
        """Makes all batches durable in one transaction.

        Raises LocalError; then nothing was stored, and the store takes nothing more.
        """
        if self._failed:
            raise LocalError(
                "write the record", subject=str(self.path), cause="an earlier write has failed",
                hint="start the node again",
            )  # fmt: skip
        records = [
            (r.sequence, r.previous, r.now_ns, r.type, r.body_hash, r.body, r.hash)
            for batch in batches
            for r in batch.records
        ]
        rows = [
            (o.party, o.number, o.lane, o.key, o.now_ns, o.data, mark_of(o))
            for batch in batches
            for o in batch.outbox
        ]
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            self._writer.executemany(_PUT_RECORD, records)
            self._writer.executemany(_PUT_ROW, rows)
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            self._failed = True
            self._roll_back()
            raise _as_local(told(error, "write the record", self.path)) from None
        except BaseException:
            self._failed = True
            self._roll_back()
            raise

    def records(self, after: int = 0) -> Iterator[Record]:
        """Records with a number above `after`, in order, unchecked. Raises DamagedRecordError."""
        return self._reader.records(after)

    def outbox(self, party: str, after: int, limit: int) -> list[OutboxRow]:
        """At most `limit` rows of a party's outbox above number `after`, in order."""
        return self._reader.outbox(party, after, limit)

    def newest(self, party: str) -> dict[str, int]:
        """For each key that may be conflated, the number of its newest row in a party's outbox."""
        return self._reader.newest(party)

    def parties(self) -> dict[str, int]:
        """Each party that has an outbox, and the number of its last row."""
        return self._reader.parties()

    def status(self) -> StoreStatus:
        """How the record is kept. Call it from the writing thread."""
        value = self._writer.execute
        version = sqlite3.sqlite_version_info
        return StoreStatus(
            path=str(self.path),
            realm=self._reader.realm,
            node=self._reader.node,
            library=sqlite3.sqlite_version,
            wal_reset_range=OLDEST_LIBRARY <= version < WAL_RESET_FIXED,
            journal_mode=str(value("PRAGMA journal_mode").fetchone()[0]),
            synchronous=_SYNCHRONOUS[value("PRAGMA synchronous").fetchone()[0]],
            records=self._reader.last_sequence(),
            bytes=self.path.stat().st_size,
        )

    def close(self) -> None:
        """Checkpoints, gives the file and the lock back. Harmless when repeated."""
        if self._lock < 0:
            return
        self._reader.close()
        self._writer.close()
        os.close(self._lock)
        self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _roll_back(self) -> None:
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error:
            # The first error is the one to tell; the store is closed to writers already.
            return


def check_library(version: tuple[int, ...]) -> None:
    """Raises OperatorError for an SQLite without a write-ahead log."""
    if version < OLDEST_LIBRARY:
        raise OperatorError(
            "keep a record",
            subject=f"SQLite {'.'.join(map(str, version))}",
            cause="it has no write-ahead log",
            hint="use a Python with SQLite 3.51.3 or newer",
        )


def running_pid(path: Path) -> int | None:
    """The process that has a record open, None when there is none."""
    try:
        lock = os.open(path.with_suffix(".lock"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(lock, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else None
    else:
        return None
    finally:
        os.close(lock)


def _as_local(error: LocalError | OperatorError) -> LocalError:
    """An append raises one family only, as the store's contract says."""
    if isinstance(error, LocalError):
        return error
    return LocalError(error.operation, subject=error.subject, cause=error.cause, hint=error.hint)


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            "make the record's directory", subject=str(directory), cause=error.strerror or "",
            hint="choose a directory that this user may write",
        ) from None  # fmt: skip


def _take_lock(place: Path) -> int:
    """An open lock file; the kernel gives the lock back when this process ends, however it ends."""
    path = place.with_suffix(".lock")
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RecordFileError(
            "open the record", subject=str(place), cause=f"its lock file cannot be opened: {error.strerror}",
            hint="check that the directory belongs to the node's user",
        ) from None  # fmt: skip
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(lock)
        raise RecordFileError(
            "open the record", subject=str(place), cause=f"a node is already running on it as pid {holder}",
            hint="stop that one first",
        ) from None  # fmt: skip
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _open_writer(place: Path) -> sqlite3.Connection:
    try:
        if not place.exists():
            os.close(os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            _sync_directory(place.parent)
    except OSError as error:
        raise RecordFileError(
            "open the record", subject=str(place), cause=f"it cannot be made: {error.strerror}",
            hint="check the disk's free space and that the directory belongs to the node's user",
        ) from None  # fmt: skip
    try:
        return sqlite3.connect(place, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise told(error, "open the record", place) from None


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _prepare(writer: sqlite3.Connection, place: Path, realm: str, node: str) -> None:
    """Sets the file's modes and reads them back, makes tables in a new file, checks whose record it is."""
    try:
        empty = writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if not empty:
            _check_owner(read_meta(writer, place), place, realm, node)
        modes = {
            "journal_mode = WAL": ("journal_mode", "wal"),
            "synchronous = FULL": ("synchronous", _FULL),
            "mmap_size = 0": ("mmap_size", 0),
            "trusted_schema = OFF": ("trusted_schema", 0),
            "cell_size_check = ON": ("cell_size_check", 1),
        }
        for setting, (name, wanted) in modes.items():
            writer.execute(f"PRAGMA {setting}")
            got = writer.execute(f"PRAGMA {name}").fetchone()
            if (got[0] if got else wanted) != wanted:
                raise RecordFileError(
                    "open the record", subject=str(place), cause=f"SQLite refuses {setting}",
                    hint="keep the record on a local disk",
                )  # fmt: skip
        if empty:
            _make_tables(writer, realm, node)
    except sqlite3.Error as error:
        raise told(error, "open the record", place) from None


def _make_tables(writer: sqlite3.Connection, realm: str, node: str) -> None:
    writer.execute("BEGIN IMMEDIATE")
    for table in _TABLES.split(";"):
        writer.execute(table)
    meta = {"schema": str(SCHEMA_VERSION), "realm": realm, "node": node}
    writer.executemany("INSERT INTO meta VALUES(?, ?)", meta.items())
    writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    writer.execute("COMMIT")


def _check_owner(meta: dict[str, str], place: Path, realm: str, node: str) -> None:
    for name, wanted in (("realm", realm), ("node", node)):
        if meta[name] != wanted:
            raise RecordFileError(
                "open the record",
                subject=str(place),
                cause=f"it is the record of {name} {meta[name]!r}, not of {wanted!r}",
                hint="give each node and each realm a directory of its own",
            )
