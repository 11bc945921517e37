"""The write-ahead log of a record: how much of it waits, and when it is brought into the file.

Rules: SQLite's own checkpoints are off, since they would be made within some commit, and that may be the one of a
warning. Here they are made when there is time, passively (no reader is waited for), and an append that comes cuts one
short, unless so much waits that the log would go on growing. All on the one writing connection, in the caller's turn.

    wal.note(pages, free_pages)          # after each write
    wal.checkpoint()                     # whether all of it is in the file now
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from noroshi.service.record_schema import BUSY_S, as_local, errorname, told

WAL_STEP_BYTES = 4 << 20
"""A write-ahead log of this size is worth a checkpoint: SQLite's own measure, 1,000 pages."""

WAL_PRESSING_BYTES = 16 << 20
"""From here on a checkpoint is finished even if an append comes, which waits about 50 ms for it."""

WAL_MOST_BYTES = 32 << 20
"""From here on an append makes the checkpoint itself. Half of what the record leaves free of its disk."""

WAL_KEPT_BYTES = 32 << 20
"""A log that one large write has made longer than this is shortened; else its file stays, which makes commits faster."""

TAIL_PAGES = 16
"""Pages that a commit writes beside those that it fills: the ends of the tables and of each stream's index."""


class WriteAheadLog:
    """The log of one record. appends_wait: whether somebody waits for the writing connection in order to append."""

    def __init__(self, path: Path, writer: sqlite3.Connection, appends_wait: Callable[[], bool]) -> None:
        self._path = path
        self._writer = writer
        self._appends_wait = appends_wait
        self._page_bytes = int(writer.execute("PRAGMA page_size").fetchone()[0])
        self._waiting_pages = self.file_bytes // self._page_bytes
        self._filled_pages: int | None = None
        self._refused_bytes = 0
        self._cutting_short = threading.Lock()
        self._may_be_cut_short = False

    @property
    def waiting_bytes(self) -> int:
        """About how much of the log is not in the file yet."""
        return self._waiting_pages * self._page_bytes

    @property
    def file_bytes(self) -> int:
        """The size of the log's file, whatever of it is in use."""
        try:
            return os.stat(f"{self._path}-wal").st_size
        except FileNotFoundError:
            return 0

    @property
    def presses(self) -> bool:
        """Whether a checkpoint should be made even while there is work."""
        return self.waiting_bytes >= WAL_PRESSING_BYTES

    def note(self, filled_pages: int) -> None:
        """Keeps count after a commit. filled_pages: those of the database that hold anything."""
        before = filled_pages if self._filled_pages is None else self._filled_pages
        self._waiting_pages += abs(filled_pages - before) + TAIL_PAGES
        self._filled_pages = filled_pages

    def hurry(self) -> None:
        """Ends a checkpoint that is under way, unless it presses: the next one does its work again. From any thread."""
        with self._cutting_short:
            if self._may_be_cut_short:
                self._writer.interrupt()

    def checkpoint(self) -> bool:
        """Brings the log into the file; whether all of it. Raises LocalError; the record is whole all the same."""
        return self._waiting_pages == 0 or self._checkpoint(may_be_cut_short=not self.presses)

    def checkpoint_if_long(self) -> None:
        """A checkpoint before an append, as nobody has made one; after one that a reader held up, not at once again."""
        if self.waiting_bytes > max(WAL_MOST_BYTES, self._refused_bytes + WAL_STEP_BYTES):
            done = self._checkpoint(may_be_cut_short=False)
            self._refused_bytes = 0 if done else self.waiting_bytes

    def _checkpoint(self, *, may_be_cut_short: bool) -> bool:
        with self._cutting_short:
            self._may_be_cut_short = may_be_cut_short
        try:
            if may_be_cut_short and self._appends_wait():
                return False
            _, pages, done = self._writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            if errorname(error).startswith(("SQLITE_INTERRUPT", "SQLITE_BUSY")):
                return False
            raise as_local(told(error, "bring the log into the file", self._path)) from None
        finally:
            # An interruption between the statement's end and here is void: SQLite forgets it at the next statement.
            with self._cutting_short:
                self._may_be_cut_short = False
        self._waiting_pages = max(0, int(pages) - int(done))
        all_of_it = self._waiting_pages == 0
        if all_of_it and self.file_bytes > WAL_KEPT_BYTES:
            self._shorten()
        return all_of_it

    def _shorten(self) -> None:
        """Gives the disk back what one large write has taken for the log; not when a reader holds it."""
        self._writer.execute("PRAGMA busy_timeout = 0")
        try:
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            raise as_local(told(error, "shorten the log", self._path)) from None
        finally:
            self._writer.execute(f"PRAGMA busy_timeout = {int(BUSY_S * 1000)}")
