"""What the file of a record looks like: its tables, its versions, and what SQLite's errors mean to a person.

Rules: a file says by its application id that it is a record, by its user version which schema its tables have, and in
its table `meta` which version of messages made its last record. What is newer in either is read as far as its tables
allow and never written; older tables are migrated after a copy (`record_migration`), and an older version's record is
taken over once it has given its node back (`starting`).

    head = read_head(connection, path)      # schema, realm, node, messages
    raise told(error, "read the record", path)
"""

from __future__ import annotations

import sqlite3
import zlib
from dataclasses import dataclass
from pathlib import Path

from noroshi.errors import LocalError, OperatorError
from noroshi.log import OutboxRow
from noroshi.messages.envelope import SCHEMA_VERSION as MESSAGES

RECORD_NAME = "record.db"
APPLICATION_ID = 0x4E4F524F
"""SQLite application id of a record ("NORO"): tells it from any other database."""

SCHEMA_VERSION = 2
"""1: one outbox per party; 2: streams with heads, retention, snapshots."""

DIGEST_BYTES = 32
"""Length of the SHA-256 by which a snapshot's parts are kept; its row has those of its own, one after another."""

BUSY_S = 5.0
"""How long a read waits for another process that recovers the file after a crash; normally not at all."""

TABLES = (
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    # The body comes last: what is before it is read without touching the pages over which a long one spills.
    """CREATE TABLE records(
        sequence INTEGER PRIMARY KEY, previous BLOB NOT NULL, now_ns INTEGER NOT NULL, type TEXT NOT NULL,
        body_hash BLOB NOT NULL, hash BLOB NOT NULL, keep_ns INTEGER NOT NULL, body BLOB)""",
    """CREATE TABLE outbox(
        stream TEXT NOT NULL, number INTEGER NOT NULL, lane INTEGER NOT NULL, key TEXT NOT NULL,
        now_ns INTEGER NOT NULL, data BLOB NOT NULL, head BLOB NOT NULL, mark INTEGER NOT NULL,
        PRIMARY KEY(stream, number))""",
    # The last row of a stream that retention has let go: rows up to it are no longer there for anybody.
    "CREATE TABLE bases(stream TEXT PRIMARY KEY, number INTEGER NOT NULL, head BLOB NOT NULL) WITHOUT ROWID",
    # Retention that is decided and holds for every reader, but whose bodies are still to be erased, from `next` on.
    """CREATE TABLE forgetting(
        id INTEGER PRIMARY KEY, upto_sequence INTEGER NOT NULL, before_ns INTEGER NOT NULL, next INTEGER NOT NULL)""",
    # Per block of records that was swept: the soonest time at which retention lets another of its bodies go.
    "CREATE TABLE swept(first INTEGER PRIMARY KEY, soonest_ns INTEGER NOT NULL)",
    """CREATE TABLE snapshot(
        id INTEGER PRIMARY KEY CHECK(id = 1), sequence INTEGER NOT NULL, head BLOB NOT NULL,
        manifest BLOB NOT NULL, signature BLOB NOT NULL, digests BLOB NOT NULL)""",
    "CREATE TABLE parts(digest BLOB PRIMARY KEY, data BLOB NOT NULL)",
)
PUT_RECORD = (
    "INSERT INTO records(sequence, previous, now_ns, type, body_hash, body, hash, keep_ns)"
    " VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
)
"""Takes the fields of a `Record` in their order."""

PUT_ROW = "INSERT INTO outbox VALUES(?, ?, ?, ?, ?, ?, ?, ?)"
"""Takes the fields of an `OutboxRow` in their order, then its mark."""


class RecordFileError(OperatorError):
    """The file of a record cannot be used as it is: a person must choose another or repair it."""


class NotOurRecordError(RecordFileError):
    """A whole record, of another node or another realm: a restored backup that belongs elsewhere."""


class RecordFullError(LocalError):
    """There is no room for this write. Nothing of it was stored; the store goes on when there is room again."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a file says of itself: its schema, whose record it is, and of which realm.

    messages: the schema version of messages by which its last record was made; taken_over: the number of the last record
    that an older version has made, 0 if there is none.
    """

    schema: int
    realm: str
    node: str
    messages: int = MESSAGES
    taken_over: int = 0

    @property
    def is_newer(self) -> bool:
        """Whether a newer noroshi wrote it: it may be read as far as its tables allow, and is not written."""
        return self.schema > SCHEMA_VERSION or self.messages > MESSAGES

    @property
    def newer(self) -> str:
        """What to say of a newer record: both versions."""
        if self.schema > SCHEMA_VERSION:
            return f"a newer noroshi wrote it (schema {self.schema}, this one knows up to {SCHEMA_VERSION})"
        return (
            f"a newer noroshi wrote it (messages of version {self.messages}, this one knows up to {MESSAGES})"
        )


def make_tables(writer: sqlite3.Connection, realm: str, node: str) -> None:
    """Makes a new record's tables. Call it within a transaction."""
    for table in TABLES:
        writer.execute(table)
    meta = {"realm": realm, "node": node, "messages": str(MESSAGES)}
    writer.executemany("INSERT INTO meta VALUES(?, ?)", meta.items())
    writer.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    writer.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


class _DamagedNamesError(sqlite3.DatabaseError):
    """SQLite complains of the tables' definitions, and its very words are no text."""

    sqlite_errorname = "SQLITE_CORRUPT"


def count_tables(connection: sqlite3.Connection) -> int:
    """How many tables and indices the file has: what makes SQLite read their definitions. Raises sqlite3.Error."""
    try:
        return int(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
    except UnicodeDecodeError:
        raise _DamagedNamesError("the definitions of its tables are damaged") from None


def read_head(connection: sqlite3.Connection, path: Path) -> Head:
    """What the file says of itself. Raises RecordFileError for another kind of file, LocalError when the disk fails."""
    hint = "give the record of a node (record.db), or restore a copy of it"
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        schema = connection.execute("PRAGMA user_version").fetchone()[0]
        if application != APPLICATION_ID:
            raise RecordFileError("open the record", subject=str(path), cause="it is not a record", hint=hint)
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    except sqlite3.Error as error:
        raise told(error, "open the record", path) from None
    if not {"realm", "node"} <= meta.keys() or not all(isinstance(value, str) for value in meta.values()):
        raise RecordFileError(
            "open the record", subject=str(path), cause="it does not say whose record it is", hint=hint
        )
    messages, taken_over = meta.get("messages", "1"), meta.get("taken_over", "0")
    if not all(isinstance(value, str) and value.isdecimal() for value in (messages, taken_over)):
        raise RecordFileError(
            "open the record", subject=str(path), cause="it does not say which version wrote it", hint=hint
        )
    return Head(schema, meta["realm"], meta["node"], int(messages), int(taken_over))


def take_over(writer: sqlite3.Connection, last: int) -> None:
    """Notes that this version goes on after record `last`, which an older one has made. Call it within a transaction."""
    meta = {"messages": str(MESSAGES), "taken_over": str(last)}
    writer.executemany("INSERT OR REPLACE INTO meta VALUES(?, ?)", meta.items())


def mark_of(row: OutboxRow) -> int:
    """CRC-32 over all fields of a row: finds what a disk has damaged. What a forger has, the stream's heads find."""
    fields = f"{row.stream}\0{row.number}\0{row.lane}\0{row.key}\0{row.now_ns}\0".encode()
    return zlib.crc32(row.data, zlib.crc32(fields + row.head))


def errorname(error: sqlite3.Error) -> str:
    """SQLite's name of an error, `SQLITE_FULL`; empty for one that Python's module made itself."""
    return str(getattr(error, "sqlite_errorname", ""))


def told(error: sqlite3.Error, operation: str, path: Path) -> LocalError | OperatorError:
    """What a person should hear of an error of SQLite: what failed, why, and what to do."""
    name = errorname(error)
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
        return RecordFullError(
            operation, subject=subject, cause="the disk is full",
            hint="free space; what was stored before can be read meanwhile", retry=True,
        )  # fmt: skip
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


def as_local(error: LocalError | OperatorError) -> LocalError:
    """The same as a LocalError: what a store's contract names raises this family only."""
    if isinstance(error, LocalError):
        return error
    return LocalError(error.operation, subject=error.subject, cause=error.cause, hint=error.hint)
