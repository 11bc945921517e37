"""What a relay has made durable: the rows of its outbox at the node, and what its last hops have receipted.

Rows are on the disk before anything is passed on. Receipts are written too, and not waited for: last hops that come back
say again what they hold, and the node forgets none.

    with RelayStore(path) as store:
        store.add(row_number, data)
        store.after                          # the last row that is durable here
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from noroshi.errors import LocalError, OperatorError

_SCHEMA = """
create table if not exists rows (
  number integer primary key, data blob not null, taken_ns integer not null default 0
);
create table if not exists signatures (
  of blob not null, hop integer not null, signature blob not null, primary key (of, hop)
) without rowid;
create table if not exists receipts (
  of blob primary key, sequence integer not null, passed blob not null, received blob not null,
  first_ns integer not null, last_ns integer not null
) without rowid;
create table if not exists place (name text primary key, value integer not null) without rowid;
"""

KEPT_ROWS = 4096
"""Rows that are kept: alerts, ends, tests and keys of more than a year; the oldest go."""


@dataclass(frozen=True, slots=True)
class Receipted:
    """What was known of one message: bitmaps, the last sequence number said, and times."""

    of: bytes
    sequence: int
    passed: bytes
    received: bytes
    first_ns: int
    last_ns: int


class RelayStore:
    """One SQLite file; one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._rows = sqlite3.connect(path, isolation_level=None)
            self._rows.execute("pragma locking_mode = normal")
            self._rows.execute("pragma journal_mode = wal")
            self._rows.execute("pragma synchronous = full")
            self._rows.executescript(_SCHEMA)
            if "taken_ns" not in {row[1] for row in self._rows.execute("pragma table_info(rows)")}:
                self._rows.execute("alter table rows add column taken_ns integer not null default 0")
            self._lazy = sqlite3.connect(path, isolation_level=None)
            self._lazy.execute("pragma synchronous = off")
        except sqlite3.Error as error:
            raise OperatorError(
                "open what the relay has kept", subject=str(path), cause=str(error),
                hint="move the file away: the node gives again what it holds",
            ) from None  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rows.close()
        self._lazy.close()

    @property
    def after(self) -> int:
        """The last row that is durable here; 0 before the first."""
        found = self._rows.execute("select value from place where name = 'after'").fetchone()
        return int(found[0]) if found else 0

    @property
    def last(self) -> bytes:
        """The last row that is durable here; empty before the first."""
        found = self._rows.execute("select data from rows where number = ?", (self.after,)).fetchone()
        return bytes(found[0]) if found else b""

    def add(self, rows: Iterable[tuple[int, bytes]], now_ns: int) -> None:
        """Makes rows durable, all or none, with the time at which they came. Raises LocalError."""
        try:
            with self._rows:
                self._rows.execute("begin immediate")
                for number, data in rows:
                    self._rows.execute("insert or replace into rows values (?, ?, ?)", (number, data, now_ns))
                    self._rows.execute("insert or replace into place values ('after', ?)", (number,))
                    self._rows.execute("delete from rows where number <= ?", (number - KEPT_ROWS,))
        except sqlite3.Error as error:
            raise LocalError(
                "keep what the node said", subject=str(self._path), cause=str(error), retry=True
            ) from None

    def begin_anew(self) -> None:
        """The node's record is another one: its rows are numbered anew; what is held stays known to last hops."""
        with self._rows:
            self._rows.execute("begin immediate")
            self._rows.execute("delete from rows")
            self._rows.execute("delete from place where name = 'after'")

    def rows(self) -> Iterator[tuple[int, bytes, int]]:
        """All rows, in order, and when they came; 0 for those of before that was kept."""
        yield from self._rows.execute("select number, data, taken_ns from rows order by number")

    def note(self, many: Iterable[Receipted], signatures: Iterable[tuple[bytes, int, bytes]] = ()) -> None:
        """Keeps what is known of receipts, and last hops' own signatures under them: message, last hop, signature.

        After a loss of power the last of it may be missing.
        """
        self._lazy.execute("begin immediate")
        self._lazy.executemany(
            "insert or replace into receipts values (?, ?, ?, ?, ?, ?)",
            [(one.of, one.sequence, one.passed, one.received, one.first_ns, one.last_ns) for one in many],
        )
        self._lazy.executemany("insert or replace into signatures values (?, ?, ?)", signatures)
        self._lazy.execute("commit")

    def forget(self, known: Iterable[bytes]) -> None:
        """Lets go of receipts and signatures of messages that are no longer known."""
        kept = set(known)
        gone = [(of,) for (of,) in self._rows.execute("select of from receipts") if of not in kept]
        self._lazy.execute("begin immediate")
        self._lazy.executemany("delete from receipts where of = ?", gone)
        self._lazy.executemany("delete from signatures where of = ?", gone)
        self._lazy.execute("commit")

    def signatures(self) -> Iterator[tuple[bytes, int, bytes]]:
        """All signatures of last hops: message, last hop, signature."""
        yield from self._rows.execute("select of, hop, signature from signatures order by of, hop")

    def receipts(self) -> Iterator[Receipted]:
        """What was noted."""
        for row in self._rows.execute(
            "select of, sequence, passed, received, first_ns, last_ns from receipts"
        ):
            yield Receipted(*row)
