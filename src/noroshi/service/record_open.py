"""Opening the file of a record for writing: its modes set and read back, its owner and version checked.

Rules: nothing is changed before it is known that the file is a record, whose it is, and that its schema is ours or
older; an older one is migrated after a copy. The caller has the lock.

    writer = open_writer(place, realm="exercise:demo", node="jpn", budget=Budget())
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from noroshi.errors import OperatorError
from noroshi.service.record_lock import sync_directory
from noroshi.service.record_migration import migrate
from noroshi.service.record_room import Budget
from noroshi.service.record_schema import (
    BUSY_S,
    SCHEMA_VERSION,
    Head,
    NotOurRecordError,
    RecordFileError,
    count_tables,
    make_tables,
    read_head,
    told,
)

OLDEST_LIBRARY = (3, 35, 0)
"""First SQLite with everything that the record asks of it (a write-ahead log since 3.7.0)."""

FULL = 2
"""What `PRAGMA synchronous` says when every commit is on the disk before it returns."""

_MODES = {
    "journal_mode = WAL": ("journal_mode", "wal"),
    "synchronous = FULL": ("synchronous", FULL),
    "wal_autocheckpoint = 0": ("wal_autocheckpoint", 0),
    "secure_delete = ON": ("secure_delete", 1),
    "mmap_size = 0": ("mmap_size", 0),
    "trusted_schema = OFF": ("trusted_schema", 0),
    "cell_size_check = ON": ("cell_size_check", 1),
}


def check_library(version: tuple[int, ...]) -> None:
    """Raises OperatorError for an SQLite that is too old."""
    if version < OLDEST_LIBRARY:
        raise OperatorError(
            "keep a record",
            subject=f"SQLite {'.'.join(map(str, version))}",
            cause=f"it is older than {'.'.join(map(str, OLDEST_LIBRARY))}",
            hint="use a Python with SQLite 3.51.3 or newer",
        )


def make_directory(directory: Path) -> None:
    """The record's directory, for its owner only. Raises OperatorError."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            "make the record's directory", subject=str(directory), cause=error.strerror or "",
            hint="choose a directory that this user may write",
        ) from None  # fmt: skip


def open_writer(place: Path, realm: str, node: str, budget: Budget) -> sqlite3.Connection:
    """The one writing connection. Raises RecordFileError, or LocalError when the disk fails."""
    _make_file(place)
    try:
        writer = sqlite3.connect(place, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise told(error, "open the record", place) from None
    try:
        _prepare(writer, place, realm, node)
        _limit(writer, budget)
    except sqlite3.Error as error:
        writer.close()
        raise told(error, "open the record", place) from None
    except BaseException:
        writer.close()
        raise
    return writer


def _make_file(place: Path) -> None:
    try:
        if not place.exists():
            os.close(os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            sync_directory(place.parent)
    except OSError as error:
        raise RecordFileError(
            "open the record", subject=str(place), cause=f"it cannot be made: {error.strerror}",
            hint="check the disk's free space and that the directory belongs to the node's user",
        ) from None  # fmt: skip


def _prepare(writer: sqlite3.Connection, place: Path, realm: str, node: str) -> None:
    """Checks whose record it is, sets the file's modes, makes tables in a new file or migrates those of an old one."""
    empty = count_tables(writer) == 0
    head = Head(SCHEMA_VERSION, realm, node) if empty else read_head(writer, place)
    _check_ours(head, place, realm, node)
    _set_modes(writer, place)
    if empty:
        writer.execute("BEGIN IMMEDIATE")
        make_tables(writer, realm, node)
        writer.execute("COMMIT")
    elif head.schema < SCHEMA_VERSION:
        migrate(writer, place, head)


def _set_modes(writer: sqlite3.Connection, place: Path) -> None:
    for setting, (name, wanted) in _MODES.items():
        writer.execute(f"PRAGMA {setting}")
        got = writer.execute(f"PRAGMA {name}").fetchone()
        if (got[0] if got else wanted) != wanted:
            raise RecordFileError(
                "open the record", subject=str(place), cause=f"SQLite refuses {setting}",
                hint="keep the record on a local disk",
            )  # fmt: skip


def _limit(writer: sqlite3.Connection, budget: Budget) -> None:
    """Lets SQLite itself refuse what is over the budget, should nobody have asked for `room` before."""
    (page_bytes,) = writer.execute("PRAGMA page_size").fetchone()
    # SQLite keeps its own greatest number of pages when a greater one is asked for.
    writer.execute(f"PRAGMA max_page_count = {min(budget.bytes // page_bytes + 1, (1 << 32) - 2)}")


def _check_ours(head: Head, place: Path, realm: str, node: str) -> None:
    if head.is_newer:
        raise RecordFileError(
            "write the record", subject=str(place), cause=head.newer,
            hint="run that newer version; `noroshi log` and `noroshi review` of this one can read it",
        )  # fmt: skip
    for name, found, wanted in (("realm", head.realm, realm), ("node", head.node, node)):
        if found != wanted:
            raise NotOurRecordError(
                "open the record",
                subject=str(place),
                cause=f"it is the record of {name} {found!r}, not of {wanted!r}",
                hint="give each node and each realm a directory of its own",
            )
