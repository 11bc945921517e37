"""The statements by which a record changes: records, rows, streams begun anew, retention, snapshots.

Rules: every function is called within a transaction of the one writing connection, and leaves it to the caller. What
cannot be (a cut of rows that are not there) is a LocalError, and the caller rolls back.

    write(writer, batches)
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from msgspec.structs import astuple

from noroshi.errors import LocalError
from noroshi.log import Batch, Cut, Forget, OutboxRow, Snapshot
from noroshi.service.record_schema import PUT_RECORD, PUT_ROW, mark_of

CUT_ROWS = 500
"""Rows that are moved at once when a stream is begun anew: bounds memory."""

TOGETHER = (64, 32, 16, 8, 4, 2, 1)
"""Rows that one statement puts: with the largest its values stay below 999, which any SQLite takes, and with powers of
two a few statements do for any number."""

_VALUES = "(?, ?, ?, ?, ?, ?, ?, ?)"
"""One row of either table: both have eight columns."""

_RECORDS = {count: PUT_RECORD + f", {_VALUES}" * (count - 1) for count in TOGETHER}
_ROWS = {count: PUT_ROW + f", {_VALUES}" * (count - 1) for count in TOGETHER}


def write(writer: sqlite3.Connection, batches: Sequence[Batch]) -> None:
    """Puts batches into the record, in their order; within one: cuts, records, rows, then what retention lets go."""
    plain: list[Batch] = []
    for batch in batches:
        if batch.cuts:
            _put(writer, plain)
            plain = []
            for cut in batch.cuts:
                _cut(writer, cut)
        plain.append(batch)
        if batch.forget is not None:
            _put(writer, plain)
            plain = []
            _forget(writer, batch.forget)
    _put(writer, plain)


def _put(writer: sqlite3.Connection, batches: Sequence[Batch]) -> None:
    _insert(writer, _RECORDS, [astuple(record) for batch in batches for record in batch.records])
    _insert(writer, _ROWS, [(*astuple(row), mark_of(row)) for batch in batches for row in batch.outbox])


def _insert(writer: sqlite3.Connection, statements: dict[int, str], rows: list[tuple[Any, ...]]) -> None:
    """Puts rows into a table, many by one statement: SQLite then works on all of them without Python's lock."""
    first = 0
    for count, statement in statements.items():
        while len(rows) - first >= count:
            writer.execute(statement, tuple(chain.from_iterable(rows[first : first + count])))
            first += count


def _cut(writer: sqlite3.Connection, cut: Cut) -> None:
    """Takes out of a stream what is not kept, and gives the kept rows their new numbers, which are never greater."""
    base = writer.execute("SELECT number FROM bases WHERE stream = ?", (cut.stream,)).fetchone()
    if base is not None and cut.after < base[0]:
        raise _cannot_cut(cut, f"rows up to {base[0]} were let go already")
    places = {old: (cut.after + place, head) for place, (old, head) in enumerate(cut.kept, 1)}
    last, moved = cut.after, 0
    while rows := writer.execute(
        "SELECT number, lane, key, now_ns, data FROM outbox WHERE stream = ? AND number > ? ORDER BY number LIMIT ?",
        (cut.stream, last, CUT_ROWS),
    ).fetchall():
        first, last = last, rows[-1][0]
        writer.execute(
            "DELETE FROM outbox WHERE stream = ? AND number > ? AND number <= ?", (cut.stream, first, last)
        )
        kept = [_moved(cut.stream, row, *places[row[0]]) for row in rows if row[0] in places]
        writer.executemany(PUT_ROW, kept)
        moved += len(kept)
    if moved != len(places):
        raise _cannot_cut(cut, f"of {len(places)} rows that stay there are only {moved}")


def _moved(stream: str, row: tuple[Any, ...], number: int, head: bytes) -> tuple[Any, ...]:
    _, lane, key, now_ns, data = row
    moved = OutboxRow(stream, number, lane, key, now_ns, data, head)
    return (*astuple(moved), mark_of(moved))


def _cannot_cut(cut: Cut, cause: str) -> LocalError:
    return LocalError(
        "begin a stream anew", subject=f"{cut.stream} after row {cut.after}", cause=cause,
        hint="report this defect with the record",
    )  # fmt: skip


def _forget(writer: sqlite3.Connection, what: Forget) -> None:
    """Decides retention: it holds for every reader from now on; `record_upkeep.sweep_step` erases the bytes."""
    writer.execute(
        "INSERT INTO forgetting(upto_sequence, before_ns, next)"
        " SELECT min(?, coalesce(max(sequence), 0)), ?, 1 FROM records",
        (what.upto_sequence, what.before_ns),
    )
    for stream, upto in what.rows:
        writer.execute(
            "INSERT OR REPLACE INTO bases SELECT stream, number, head FROM outbox WHERE stream = ?1 AND number <= ?2"
            " AND number > coalesce((SELECT number FROM bases WHERE stream = ?1), 0) ORDER BY number DESC LIMIT 1",
            (stream, upto),
        )


def missing_parts(connection: sqlite3.Connection, snapshot: Snapshot) -> list[bytes]:
    """Digests of the parts of a snapshot that are not in the record yet."""
    there = {digest for (digest,) in connection.execute("SELECT digest FROM parts")}
    return [digest for digest in snapshot.parts if digest not in there]


def put_parts(writer: sqlite3.Connection, parts: Iterable[tuple[bytes, bytes]]) -> None:
    """Puts parts into the record, ahead of the snapshot that they are for."""
    writer.executemany("INSERT INTO parts VALUES(?, ?)", parts)


def replace_snapshot(writer: sqlite3.Connection, snapshot: Snapshot) -> None:
    """Puts a snapshot, whose parts are there, in the place of the one before. Parts that it does not have are no longer
    anybody's; `record_upkeep.sweep_step` erases them.
    """
    writer.execute(
        "INSERT OR REPLACE INTO snapshot VALUES(1, ?, ?, ?, ?, ?)",
        (snapshot.sequence, snapshot.head, snapshot.manifest, snapshot.signature, b"".join(snapshot.parts)),
    )
