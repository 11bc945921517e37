"""Bringing the record of an older schema to the present one: after a copy, in one transaction, checked before it holds.

Rules: nothing is changed before a whole copy lies beside the record, synced, as `record.db.v1-<last record>`. The chain
of records stays as it is, body for body. If anything fails, or the power does, the old record is as it was, and the next
start begins again.

From schema 1: a partner had one stream for all lanes; its rows go to the streams of their lanes, in their order, with
numbers of their own. The partner may be sent some of them again, which it suppresses by origin and id.

    migrate(writer, place, read_head(writer, place))
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import astuple

from noroshi.clock import NEVER
from noroshi.errors import LocalError
from noroshi.log import OutboxRow, Record, verified
from noroshi.service.record_lock import sync_directory
from noroshi.service.record_schema import (
    PUT_ROW,
    SCHEMA_VERSION,
    TABLES,
    Head,
    RecordFileError,
    errorname,
    mark_of,
    told,
)
from noroshi.sharing.streams import EMPTY_HEAD, LANES, next_head, stream_of

SPACE_FACTOR = 3
"""Room that a migration needs, in sizes of the record: the copy, the new tables, and the log that they go through."""

PAGE_ROWS = 500

_LAST = "SELECT sequence, hash FROM records ORDER BY sequence DESC LIMIT 1"


def migrate(writer: sqlite3.Connection, place: Path, head: Head) -> Path:
    """Migrates the record that this connection has open; where the copy of the old one is.

    Raises RecordFileError when there is no room or the copy cannot be made, DamagedRecordError or LocalError when the
    old record is damaged; nothing has then been changed.
    """
    if head.schema != 1:
        raise RecordFileError(
            "migrate the record", subject=str(place), cause=f"its schema {head.schema} is unknown",
            hint="restore a copy of it",
        )  # fmt: skip
    _check_space(place)
    copy = _copied(writer, place, head.schema)
    try:
        writer.execute("BEGIN IMMEDIATE")
        _move(writer, place)
        writer.execute("COMMIT")
    except sqlite3.Error as error:
        _roll_back(writer)
        raise told(error, "migrate the record", place) from None
    except BaseException:
        _roll_back(writer)
        raise
    return copy


def _check_space(place: Path) -> None:
    disk = os.statvfs(place.parent)
    free, needed = disk.f_bavail * disk.f_frsize, SPACE_FACTOR * place.stat().st_size
    if free < needed:
        raise RecordFileError(
            "migrate the record", subject=str(place),
            cause=f"that needs {needed >> 20} MiB, and the disk has {free >> 20} MiB free",
            hint="free space; nothing was changed",
        )  # fmt: skip


def _copied(writer: sqlite3.Connection, place: Path, schema: int) -> Path:
    """Makes the copy, or finds the one that an interrupted migration has made of the same record."""
    last = writer.execute(_LAST).fetchone() or (0, b"")
    copy = place.with_name(f"{place.name}.v{schema}-{last[0]}")
    if copy.exists():
        with contextlib.suppress(sqlite3.Error):
            if _last_of(copy) == last:
                return copy
        raise RecordFileError(
            "migrate the record", subject=str(place), cause=f"{copy.name} is there, and is no copy of it",
            hint="move that file away; nothing was changed",
        )  # fmt: skip
    part = copy.with_name(f"{copy.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with contextlib.closing(sqlite3.connect(part, isolation_level=None)) as target:
            writer.backup(target)
            # The copy of a file in WAL mode would want a log of its own beside it.
            target.execute("PRAGMA journal_mode = DELETE")
        if _last_of(part) != last:
            raise sqlite3.DatabaseError("the copy does not end as the record does")
        _sync(part)
        part.rename(copy)
        sync_directory(place.parent)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        cause = errorname(error) or str(error) if isinstance(error, sqlite3.Error) else error.strerror or ""
        raise RecordFileError(
            "migrate the record", subject=str(place), cause=f"the copy {copy.name} cannot be made: {cause}",
            hint="check the disk and its free space; nothing was changed",
        ) from None  # fmt: skip
    return copy


def _last_of(path: Path) -> tuple[int, bytes]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        found = connection.execute(_LAST).fetchone()
    return (found[0], found[1]) if found else (0, b"")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _roll_back(writer: sqlite3.Connection) -> None:
    with contextlib.suppress(sqlite3.Error):  # the first error is the one to tell; closing rolls back as well
        if writer.in_transaction:
            writer.execute("ROLLBACK")


def _move(writer: sqlite3.Connection, place: Path) -> None:
    """Makes the new tables of the old ones, and checks them, within a transaction."""
    last = writer.execute(_LAST).fetchone() or (0, bytes(32))
    (bodies,) = writer.execute("SELECT count(body) FROM records").fetchone()
    writer.execute("ALTER TABLE records RENAME TO old_records")
    writer.execute("ALTER TABLE outbox RENAME TO old_outbox")
    for table in TABLES:
        if not table.startswith("CREATE TABLE meta"):
            writer.execute(table)
    writer.execute(
        "INSERT INTO records(sequence, previous, now_ns, type, body_hash, hash, keep_ns, body)"
        f" SELECT sequence, previous, now_ns, type, body_hash, hash, {NEVER}, body FROM old_records ORDER BY sequence"
    )
    moved = _move_rows(writer, place)
    _check(writer, place, last, bodies, moved)
    writer.execute("DROP TABLE old_records")
    writer.execute("DROP TABLE old_outbox")
    writer.execute("DELETE FROM meta WHERE name = 'schema'")
    writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _move_rows(writer: sqlite3.Connection, place: Path) -> int:
    """Puts each party's rows into its streams; how many there were."""
    total = 0
    for (party,) in writer.execute("SELECT DISTINCT party FROM old_outbox ORDER BY party").fetchall():
        ends: dict[str, tuple[int, bytes]] = {}
        for row in _old_rows(writer, place, party):
            stream = stream_of(party, row.lane)
            number, head = ends.get(stream, (0, EMPTY_HEAD))
            ends[stream] = number + 1, next_head(head, row.data)
            moved = OutboxRow(stream, number + 1, row.lane, row.key, row.now_ns, row.data, ends[stream][1])
            writer.execute(PUT_ROW, (*astuple(moved), mark_of(moved)))
            total += 1
    return total


def _old_rows(writer: sqlite3.Connection, place: Path, party: str) -> Iterator[OutboxRow]:
    """A party's rows as schema 1 has them. Raises LocalError for one that is damaged or missing."""
    last = 0
    while rows := writer.execute(
        "SELECT number, lane, key, now_ns, data, mark FROM old_outbox WHERE party = ? AND number > ?"
        " ORDER BY number LIMIT ?",
        (party, last, PAGE_ROWS),
    ).fetchall():
        for number, lane, key, now_ns, data, mark in rows:
            fields = f"{party}\0{number}\0{lane}\0{key}\0{now_ns}\0".encode()
            whole = isinstance(data, bytes) and hashlib.blake2b(fields + data, digest_size=8).digest() == mark
            if not whole or number != last + 1 or lane not in LANES:
                raise LocalError(
                    "migrate the record", subject=f"{place}, {party} row {last + 1}",
                    cause="the row is damaged or missing", hint="restore a copy of the record; nothing was changed",
                )  # fmt: skip
            yield OutboxRow(party, number, lane, key, now_ns, data, b"")
            last = number


def _check(writer: sqlite3.Connection, place: Path, last: tuple[int, bytes], bodies: int, rows: int) -> None:
    """Holds the new tables against the old ones. Raises DamagedRecordError or LocalError."""
    end = (0, bytes(32))
    for record in verified(str(place), _new_records(writer)):
        end = record.sequence, record.hash
    (kept,) = writer.execute("SELECT count(body) FROM records").fetchone()
    (put,) = writer.execute("SELECT count(*) FROM outbox").fetchone()
    (there,) = writer.execute("SELECT count(*) FROM old_outbox").fetchone()
    if end != last or kept != bodies or not rows == put == there:
        raise LocalError(
            "migrate the record", subject=str(place), cause="what came out is not what went in",
            hint="report this defect with the record; nothing was changed",
        )  # fmt: skip


def _new_records(writer: sqlite3.Connection) -> Iterator[Record]:
    last = 0
    while rows := writer.execute(
        "SELECT sequence, previous, now_ns, type, body_hash, body, hash, keep_ns FROM records"
        " WHERE sequence > ? ORDER BY sequence LIMIT ?",
        (last, PAGE_ROWS),
    ).fetchall():
        yield from (Record(*row) for row in rows)
        last = rows[-1][0]
