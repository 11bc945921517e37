"""What a record does when nobody waits: erases what was let go.

Rules: all of it is on the one writing connection, in steps of some milliseconds, and an append goes before the next
step. What is let go is gone for readers when the append that said so has returned; here its bytes go too. Records are
rewritten in blocks, since SQLite does not join pages that grow empty in place: only so does retention make room.

    with turns.upkeep():
        more = sweep_step(writer)
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from noroshi.clock import NEVER
from noroshi.service.record_schema import DIGEST_BYTES

BLOCK_RECORDS = 512
"""Records that are rewritten in one step: about half a MB, 5 ms."""

SWEEP_ROWS = 1024
"""Outbox rows that are deleted in one step, about as much."""

_FIELDS = "sequence, previous, now_ns, type, body_hash, hash, keep_ns"


class Turns:
    """Who may use the writing connection: one at a time, and appends before upkeep."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._appends = 0

    @property
    def appends_wait(self) -> bool:
        """Whether somebody waits to append."""
        return self._appends > 0

    @contextmanager
    def append(self, hurry: Callable[[], None]) -> Iterator[None]:
        """A turn to append; `hurry` is called when somebody else has the turn."""
        with self._changed:
            self._appends += 1
            try:
                if self._taken:
                    hurry()
                while self._taken:
                    self._changed.wait()
            finally:
                self._appends -= 1
            self._taken = True
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def upkeep(self) -> Iterator[None]:
        """A turn for a step of upkeep."""
        with self._changed:
            while self._taken or self._appends:
                self._changed.wait()
            self._taken = True
        try:
            yield
        finally:
            self._give_back()

    def _give_back(self) -> None:
        with self._changed:
            self._taken = False
            self._changed.notify_all()


def sweep_step(writer: sqlite3.Connection, with_parts: bool) -> bool:
    """Erases the next piece of what was let go; whether there may be more. Call it within a transaction.

    with_parts: also parts that no snapshot has any more, which must not be while one is being written.
    """
    return _sweep_rows(writer) or _sweep_bodies(writer) or (with_parts and _sweep_part(writer))


def _sweep_part(writer: sqlite3.Connection) -> bool:
    found = writer.execute("SELECT digests FROM snapshot").fetchone()
    own = found[0] if found else b""
    kept = {own[at : at + DIGEST_BYTES] for at in range(0, len(own), DIGEST_BYTES)}
    for (digest,) in writer.execute("SELECT digest FROM parts").fetchall():
        if digest not in kept:
            writer.execute("DELETE FROM parts WHERE digest = ?", (digest,))
            return True
    return False


def _sweep_rows(writer: sqlite3.Connection) -> bool:
    left = SWEEP_ROWS
    for stream, base in writer.execute("SELECT stream, number FROM bases").fetchall():
        (first,) = writer.execute("SELECT min(number) FROM outbox WHERE stream = ?", (stream,)).fetchone()
        if first is not None and first <= base and left > 0:
            upto = min(base, first + left - 1)  # a stream's numbers are dense
            writer.execute("DELETE FROM outbox WHERE stream = ? AND number <= ?", (stream, upto))
            left -= upto - first + 1
    return left < SWEEP_ROWS


def _sweep_bodies(writer: sqlite3.Connection) -> bool:
    order = writer.execute(
        "SELECT id, upto_sequence, before_ns, next FROM forgetting ORDER BY id LIMIT 1"
    ).fetchone()
    if order is None:
        return False
    id_, upto, before_ns, at = order
    first = _next_block(writer, at, before_ns)
    if first > upto:
        writer.execute("DELETE FROM forgetting WHERE id = ?", (id_,))
    else:
        last = min(first + BLOCK_RECORDS - 1, upto)
        soonest_ns = _rewrite(writer, first, last, before_ns)
        if last == first + BLOCK_RECORDS - 1:
            writer.execute("INSERT OR REPLACE INTO swept VALUES(?, ?)", (first, soonest_ns))
        writer.execute("UPDATE forgetting SET next = ? WHERE id = ?", (last + 1, id_))
    return True


def _next_block(writer: sqlite3.Connection, at: int, before_ns: int) -> int:
    """The first record, from `at` on, of a block of which something may go: one that is due, or was never swept."""
    (due,) = writer.execute(
        "SELECT min(first) FROM swept WHERE first >= ? AND soonest_ns < ?", (at, before_ns)
    ).fetchone()
    if due is not None:
        return int(due)
    (swept_last,) = writer.execute("SELECT max(first) FROM swept").fetchone()
    return max(int(at), 1 if swept_last is None else int(swept_last) + BLOCK_RECORDS)


def _rewrite(writer: sqlite3.Connection, first: int, last: int, before_ns: int) -> int:
    """Writes records anew without the bodies that are let go; the soonest time at which another one may go."""
    between = "sequence BETWEEN ? AND ?"
    (due,) = writer.execute(
        f"SELECT count(*) FROM records WHERE {between} AND keep_ns < ? AND body IS NOT NULL",
        (first, last, before_ns),
    ).fetchone()
    if due:
        rows = writer.execute(
            f"SELECT {_FIELDS}, CASE WHEN keep_ns < ? THEN NULL ELSE body END FROM records WHERE {between}",
            (before_ns, first, last),
        ).fetchall()
        writer.execute(f"DELETE FROM records WHERE {between}", (first, last))
        writer.executemany(f"INSERT INTO records({_FIELDS}, body) VALUES(?, ?, ?, ?, ?, ?, ?, ?)", rows)
    (soonest_ns,) = writer.execute(
        f"SELECT min(keep_ns) FROM records WHERE {between} AND body IS NOT NULL", (first, last)
    ).fetchone()
    return NEVER if soonest_ns is None else int(soonest_ns)
