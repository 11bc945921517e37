"""The record on SQLite: one file per node and realm, durable before anybody is told.

Rules: WAL with synchronous FULL, read back after setting; one process (a lock file), one connection that
writes and makes all checkpoints, readers on a connection of their own; one transaction per `append`, so the
caller commits many inputs together. Checkpoints and erasing are `upkeep`, for which no append waits long. After a full
disk the store goes on when there is room; after any other failed write it takes nothing more until it is opened again,
since nobody then knows what the disk holds.

    with SqliteStore.open(directory / "record.db", realm="exercise:demo", node="jpn") as store:
        store.append([commit.batch])
        store.outbox("partner:USA/track", after=41, limit=100)
        while store.upkeep(): ...               # on a thread of its own, when there is time
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from noroshi.errors import LocalError
from noroshi.log import Batch, OutboxRow, Record, Snapshot
from noroshi.service import record_changes as changes
from noroshi.service.record_file import RecordFile, RecordFileError, read_records
from noroshi.service.record_lock import running_pid, take_lock
from noroshi.service.record_open import check_library, make_directory, open_writer
from noroshi.service.record_room import Budget, Room, Space, room_in
from noroshi.service.record_schema import Head, RecordFullError, as_local, take_over, told
from noroshi.service.record_upkeep import Turns, sweep_step
from noroshi.service.record_wal import WAL_STEP_BYTES, WriteAheadLog

__all__ = [
    "Budget",
    "RecordFile",
    "RecordFileError",
    "SqliteStore",
    "StoreStatus",
    "check_library",
    "read_records",
    "running_pid",
]

WAL_RESET_FIRST, WAL_RESET_FIXED = (3, 7, 0), (3, 51, 3)
"""SQLite between these may corrupt a file that two connections write or checkpoint at once; this store has one."""

PARTS_BYTES = 1 << 20
"""Parts of a snapshot that are written in one turn: an append then waits some milliseconds at most."""

_SYNCHRONOUS = {0: "off", 1: "normal", 2: "full", 3: "extra"}


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """How the record is kept, as read back from SQLite. Sizes are bytes.

    wal_reset_range: the library has the WAL-reset fault, which needs two writing connections to do harm. bytes and
    wal_bytes: the two files; pages, free_pages: of the database, all and those that retention has emptied; free_bytes:
    what the disk has left; forgetting: retention is decided whose bytes are still to be erased.
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
    wal_bytes: int
    page_bytes: int
    pages: int
    free_pages: int
    free_bytes: int
    forgetting: bool


class SqliteStore:
    """A `noroshi.log.Store` on a disk. `append` from one thread at a time; upkeep and reads from any."""

    def __init__(
        self, path: Path, writer: sqlite3.Connection, reader: RecordFile, lock: int, budget: Budget
    ) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._lock = lock
        self._budget = budget
        self._failed = False
        self._turns = Turns()
        self._keeping = threading.Lock()
        self._wal = WriteAheadLog(path, writer, lambda: self._turns.appends_wait)
        self._page_bytes = int(self._value("page_size"))
        self._note_pages(*self._count_pages())
        self._last = self._read_last()

    @classmethod
    def open(cls, path: Path | str, *, realm: str, node: str, budget: Budget | None = None) -> SqliteStore:
        """The record in this file, made if there is none.

        Raises OperatorError when another process has it open, when it is damaged, no record at all, of a
        newer version, or the record of another node or realm; LocalError when the disk fails.
        """
        place, chosen = Path(path), budget or Budget()
        check_library(sqlite3.sqlite_version_info)
        make_directory(place.parent)
        lock = take_lock(place)
        try:
            writer = open_writer(place, realm, node, chosen)
            try:
                return cls(place, writer, RecordFile(place), lock, chosen)
            except sqlite3.Error as error:
                writer.close()
                raise told(error, "open the record", place) from None
            except BaseException:
                writer.close()
                raise
        except BaseException:
            os.close(lock)
            raise

    def append(self, batches: Sequence[Batch]) -> None:
        """Makes all batches durable in one transaction.

        Raises LocalError; then nothing was stored. When it is no RecordFullError, the store takes nothing more.
        """
        with self._turns.append(self._wal.hurry):
            self._wal.checkpoint_if_long()
            try:
                self._write(batches)
            except RecordFullError:
                # Brought into the file, the log begins anew in its own space, and there may be emptied pages.
                if not self._wal_fits():
                    raise
                self._write(batches)

    @property
    def head(self) -> Head:
        """What the file said of itself when it was opened: whose record it is, and which version wrote it."""
        return self._reader.head

    def take_over(self) -> None:
        """Notes that this version goes on with the record of an older one, which then opens it for reading only.

        Call it when the record has given its node back, and before anything is appended. Raises LocalError.
        """
        self._upkeep("take over the record", take_over, self._last[0])

    def keep(self, snapshot: Snapshot) -> None:
        """Makes a snapshot durable in the place of earlier ones; appends go on between its parts.

        Raises LocalError, also for one that is ahead of what is durable; then the earlier one stays.
        """
        if snapshot.sequence > self._last[0]:
            raise LocalError(
                "keep a snapshot", subject=str(self.path),
                cause=f"it is of record {snapshot.sequence}, and {self._last[0]} is the last that is durable",
            )  # fmt: skip
        with self._keeping:
            missing = self._upkeep("keep a snapshot", changes.missing_parts, snapshot)
            while missing:
                now, size = [], 0
                while missing and size < PARTS_BYTES:
                    now.append(missing.pop())
                    size += len(snapshot.parts[now[-1]])
                self._upkeep(
                    "keep a snapshot", changes.put_parts, [(one, snapshot.parts[one]) for one in now]
                )
            self._upkeep("keep a snapshot", changes.replace_snapshot, snapshot)

    def records(self, after: int = 0) -> Iterator[Record]:
        """Records with a number above `after`, in order, unchecked. Raises DamagedRecordError."""
        return self._reader.records(after)

    def outbox(self, stream: str, after: int, limit: int) -> list[OutboxRow]:
        """At most `limit` rows of a stream above number `after`, in order."""
        return self._reader.outbox(stream, after, limit)

    def base(self, stream: str) -> tuple[int, bytes]:
        """The last row of a stream that retention has let go, and its head; (0, the empty head) when there is none."""
        return self._reader.base(stream)

    def newest(self, stream: str) -> dict[str, int]:
        """For each key that may be conflated, the number of its newest row in a stream."""
        return self._reader.newest(stream)

    def streams(self) -> dict[str, int]:
        """Each stream, and the number of its last row, let go or not."""
        return self._reader.streams()

    def snapshot(self) -> Snapshot | None:
        """The newest snapshot, unchecked. Raises LocalError."""
        return self._reader.snapshot()

    def upkeep(self) -> bool:
        """One step of what can wait: erasing what retention let go, a checkpoint. Whether there is more to erase.

        Takes some milliseconds and gives way to an append. Call it when there is time, until it says no; and when it
        `presses`, also when there is none. Raises LocalError.
        """
        more = bool(self._upkeep("erase what was let go", self._sweep))
        if self._wal.waiting_bytes >= WAL_STEP_BYTES:
            self.checkpoint()
        return more

    @property
    def presses(self) -> bool:
        """Whether the write-ahead log wants a checkpoint even while there is work; soon an append makes it itself."""
        return self._wal.presses

    def checkpoint(self) -> bool:
        """Brings the write-ahead log into the file; whether all of it. An append that comes cuts it short.

        Raises LocalError when the disk fails; the record is then whole all the same, and the log stays.
        """
        with self._turns.upkeep():
            return not self._failed and self._wal.checkpoint()

    def room(self) -> Room:
        """How much may still be written, and which lanes that is enough for. Cheap; from any thread."""
        space = Space(
            pages_bytes=self._pages * self._page_bytes,
            reusable_bytes=self._free_pages * self._page_bytes,
            file_bytes=self.path.stat().st_size,
            wal_bytes=self._wal.file_bytes,
            free_bytes=self._disk_free(),
        )
        return room_in(self._budget, space)

    def status(self) -> StoreStatus:
        """How the record is kept. Waits for an append that is under way."""
        with self._turns.upkeep():
            try:
                journal_mode, synchronous = self._value("journal_mode"), self._value("synchronous")
                (forgetting,) = self._writer.execute("SELECT count(*) FROM forgetting").fetchone()
                pages, free_pages = self._count_pages()
            except sqlite3.Error as error:
                raise told(error, "read the record", self.path) from None
        return StoreStatus(
            path=str(self.path),
            realm=self._reader.realm,
            node=self._reader.node,
            library=sqlite3.sqlite_version,
            wal_reset_range=WAL_RESET_FIRST <= sqlite3.sqlite_version_info < WAL_RESET_FIXED,
            journal_mode=str(journal_mode),
            synchronous=_SYNCHRONOUS[synchronous],
            records=self._last[0],
            bytes=self.path.stat().st_size,
            wal_bytes=self._wal.file_bytes,
            page_bytes=self._page_bytes,
            pages=pages,
            free_pages=free_pages,
            free_bytes=self._disk_free(),
            forgetting=forgetting > 0,
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

    # --- one transaction --------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self, operation: str) -> Iterator[None]:
        """A transaction of the writing connection. Raises LocalError; then nothing of it is stored."""
        if self._failed:
            raise LocalError(
                operation, subject=str(self.path), cause="an earlier write has failed",
                hint="start the node again",
            )  # fmt: skip
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            yield
            self._writer.execute("COMMIT")
        except sqlite3.Error as error:
            failure = as_local(told(error, operation, self.path))
            if not self._rolled_back() or not isinstance(failure, RecordFullError):
                self._failed = True
            elif self._disk_free() >= WAL_STEP_BYTES:
                failure = RecordFullError(
                    operation, subject=str(self.path), cause=f"its budget of {self._budget.bytes} bytes is used up",
                    hint="give it more, or let retention make room", retry=True,
                )  # fmt: skip
            raise failure from None
        except BaseException:
            self._failed = True
            self._rolled_back()
            raise

    def _write(self, batches: Sequence[Batch]) -> None:
        with self._transaction("write the record"):
            changes.write(self._writer, batches)
            counted = self._count_pages()
        self._note_pages(*counted)
        for batch in reversed(batches):
            if batch.records:
                self._last = batch.records[-1].sequence, batch.records[-1].hash
                break

    def _wal_fits(self) -> bool:
        """Whether, on a full disk, all of the write-ahead log finds its place in the file."""
        try:
            return self._wal.waiting_bytes > 0 and self._wal.checkpoint()
        except LocalError:
            return False  # the error of the append is the one to tell

    def _rolled_back(self) -> bool:
        """Gives a failed transaction up; whether the record then ends as it did before.

        A disk that is full refuses the write itself, so nothing is in doubt once SQLite has rolled back. A failed sync
        is another matter: nobody knows what it has written.
        """
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            return self._read_last() == self._last
        except sqlite3.Error:
            # The first error is the one to tell; the store is closed to writers.
            return False

    def _upkeep(self, operation: str, act: Any, *arguments: Any) -> Any:
        """One turn of upkeep, in a transaction of its own."""
        with self._turns.upkeep():
            before = self._writer.total_changes
            with self._transaction(operation):
                done = act(self._writer, *arguments)
                counted = self._count_pages()
            if self._writer.total_changes != before:
                self._note_pages(*counted)
        return done

    def _sweep(self, writer: sqlite3.Connection) -> bool:
        # Asked within the turn: a snapshot that is begun after it finds what this step has left.
        return sweep_step(writer, with_parts=not self._keeping.locked())

    # --- small reads ------------------------------------------------------------------------------------------

    def _disk_free(self) -> int:
        disk = os.statvfs(self.path.parent)
        return disk.f_bavail * disk.f_frsize

    def _note_pages(self, pages: int, free_pages: int) -> None:
        self._pages, self._free_pages = pages, free_pages
        self._wal.note(pages - free_pages)

    def _value(self, pragma: str) -> Any:
        return self._writer.execute(f"PRAGMA {pragma}").fetchone()[0]

    def _count_pages(self) -> tuple[int, int]:
        return int(self._value("page_count")), int(self._value("freelist_count"))

    def _read_last(self) -> tuple[int, bytes]:
        found = self._writer.execute(
            "SELECT sequence, hash FROM records ORDER BY sequence DESC LIMIT 1"
        ).fetchone()
        return (found[0], found[1]) if found else (0, bytes(32))
