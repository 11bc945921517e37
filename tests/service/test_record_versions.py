"""Records of other versions: a newer one is read and never written, an older one is migrated after a copy."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from noroshi.clock import NEVER
from noroshi.errors import LocalError, OperatorError
from noroshi.log import Batch, Chain, DamagedRecordError, Record, verified
from noroshi.messages.envelope import SCHEMA_VERSION as MESSAGES
from noroshi.service.record_check import check_record
from noroshi.service.record_file import RecordFile, RecordFileError
from noroshi.service.record_schema import APPLICATION_ID, SCHEMA_VERSION
from noroshi.sharing.streams import EMPTY_HEAD, next_head
from tests.service.record_batches import NODE, REALM, filled, opened, small_disk

OLD_TABLES = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE records(
    sequence INTEGER PRIMARY KEY, previous BLOB NOT NULL, now_ns INTEGER NOT NULL, type TEXT NOT NULL,
    body_hash BLOB NOT NULL, body BLOB, hash BLOB NOT NULL);
CREATE TABLE outbox(
    party TEXT NOT NULL, number INTEGER NOT NULL, lane INTEGER NOT NULL, key TEXT NOT NULL,
    now_ns INTEGER NOT NULL, data BLOB NOT NULL, mark BLOB NOT NULL, PRIMARY KEY(party, number));
"""
COUNT = 700
COPY = f"record.db.v1-{COUNT}"


def old_record(path: Path) -> list[Record]:
    """A record as schema 1 has it: COUNT records, and for each a row for the staff and one for a partner."""
    chain = Chain()
    records = [chain.link(number, "timer", b"body %d" % number) for number in range(1, COUNT + 1)]
    with closing(sqlite3.connect(path, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode = WAL")
        old.executescript(OLD_TABLES)
        old.execute("BEGIN")
        meta = {"schema": "1", "realm": REALM, "node": NODE}
        old.executemany("INSERT INTO meta VALUES(?, ?)", meta.items())
        old.executemany(
            "INSERT INTO records VALUES(?, ?, ?, ?, ?, ?, ?)",
            [(r.sequence, r.previous, r.now_ns, r.type, r.body_hash, r.body, r.hash) for r in records],
        )
        for number in range(1, COUNT + 1):
            for party, lane in (("staff", 2), ("partner:USA", number % 4)):
                row = (party, number, lane, "", number, b"row %d" % number)
                fields = f"{party}\0{number}\0{lane}\0\0{number}\0".encode() + row[-1]
                mark = hashlib.blake2b(fields, digest_size=8).digest()
                old.execute("INSERT INTO outbox VALUES(?, ?, ?, ?, ?, ?, ?)", (*row, mark))
        old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        old.execute("PRAGMA user_version = 1")
        old.execute("COMMIT")
    return records


def change(path: Path, sql: str) -> None:
    """Changes a record behind its store's back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(sql)


def test_a_newer_record_is_read_and_not_written(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    before = filled(path, 5)
    change(path, "PRAGMA user_version = 7")
    change(path, "ALTER TABLE records ADD COLUMN weather TEXT")
    raw = path.read_bytes()
    both = rf"a newer noroshi wrote it \(schema 7, this one knows up to {SCHEMA_VERSION}\)"
    with pytest.raises(OperatorError, match=rf"cannot write the record .*{both}; run that newer version"):
        opened(path)
    with RecordFile(path) as file:
        assert "opened for reading only" in file.notice
        assert "schema 7" in file.notice
        assert list(verified("record", file.records())) == before
        assert len(file.outbox("staff", 0, 100)) == 5
    assert path.read_bytes() == raw


def test_a_newer_record_with_other_tables_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    filled(path, 5)
    change(path, "PRAGMA user_version = 7")
    change(path, "ALTER TABLE records RENAME COLUMN body TO flesh")
    change(path, "ALTER TABLE outbox RENAME TO outboxes")
    with RecordFile(path) as file:
        for read in (lambda: list(file.records()), lambda: file.outbox("staff", 0, 9), file.streams):
            with pytest.raises(RecordFileError, match=r"schema 7.*its tables are others; run that newer"):
                read()


def test_what_a_newer_version_said_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    """The same tables, messages of a later version, and a type of record that this version does not know."""
    path = tmp_path / "record.db"
    before = filled(path, 5)
    with opened(path) as store:
        strange = Chain(before[-1].sequence, before[-1].hash).link(9999, "omen", b"a body")
        store.append([Batch((strange,))])
    assert "record 11 is damaged: unknown type 'omen'" in check_record(path).sentence
    change(path, f"UPDATE meta SET value = '{MESSAGES + 1}' WHERE name = 'messages'")
    both = (
        rf"a newer noroshi wrote it \(messages of version {MESSAGES + 1}, this one knows up to {MESSAGES}\)"
    )
    with pytest.raises(OperatorError, match=rf"cannot write the record .*{both}; run that newer version"):
        opened(path)
    found = check_record(path)
    assert found.intact
    assert "opened for reading only" in found.notice
    with RecordFile(path) as file:
        assert [*before, strange] == list(file.verified())


def test_an_older_versions_record_is_taken_over_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    before = filled(path, 5)
    change(path, "DELETE FROM meta WHERE name = 'messages'")
    with opened(path) as store:
        assert (store.head.messages, store.head.taken_over) == (1, 0)
        store.take_over()
    with opened(path) as store:
        assert (store.head.messages, store.head.taken_over) == (MESSAGES, before[-1].sequence)
        assert list(verified("record", store.records())) == before


def test_a_record_that_does_not_say_which_version_wrote_it_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    filled(path, 2)
    change(path, "UPDATE meta SET value = 'the second' WHERE name = 'messages'")
    with pytest.raises(RecordFileError, match="it does not say which version wrote it"):
        RecordFile(path)


def test_an_older_record_is_migrated_after_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    before = old_record(path)
    with RecordFile(path) as file:
        assert "an older noroshi wrote it (schema 1)" in file.notice
        assert list(verified("record", file.records())) == before
        assert file.last_sequence() == COUNT
        with pytest.raises(RecordFileError, match="start its node once: the record is migrated"):
            file.outbox("partner:USA", 0, 9)
    with opened(path) as store:
        assert list(verified("record", store.records())) == before
        assert {record.keep_ns for record in store.records()} == {NEVER}
        quarter = COUNT // 4
        partner = {f"partner:USA/{name}": quarter for name in ("warning", "decision", "notice", "track")}
        assert store.streams() == {**partner, "staff": COUNT}
        head = EMPTY_HEAD
        for place, row in enumerate(store.outbox("partner:USA/notice", 0, COUNT), 1):
            head = next_head(head, b"row %d" % (4 * place - 2))
            assert (row.number, row.lane, row.data, row.head) == (place, 2, b"row %d" % (4 * place - 2), head)
        assert [row.number for row in store.outbox("staff", 0, COUNT)] == list(range(1, COUNT + 1))
    copy = tmp_path / COPY
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["record.db", COPY, "record.lock"]
    with RecordFile(copy) as file:
        assert file.head.schema == 1
        assert list(verified("copy", file.records())) == before
    with opened(path) as store:
        assert len(list(store.records())) == COUNT


def test_a_migration_uses_the_copy_that_an_interrupted_one_has_made(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    old_record(path)
    shutil.copy(path, tmp_path / COPY)
    (tmp_path / f"{COPY}.part").write_bytes(b"half a copy")
    number = os.stat(tmp_path / COPY).st_ino
    opened(path).close()
    assert os.stat(tmp_path / COPY).st_ino == number


@pytest.mark.parametrize("there", [b"something else", b""])
def test_a_migration_does_not_write_over_another_file(tmp_path: Path, there: bytes) -> None:
    path = tmp_path / "record.db"
    old_record(path)
    (tmp_path / COPY).write_bytes(there)
    with pytest.raises(RecordFileError, match=f"{COPY} is there, and is no copy of it; move that file away"):
        opened(path)
    assert (tmp_path / COPY).read_bytes() == there
    with RecordFile(path) as file:
        assert file.head.schema == 1


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE records SET body = x'00' WHERE sequence = 9", "record 9.*its body does not match its hash"),
        ("DELETE FROM records WHERE sequence = 9", "record 9.*number 10 where 9 must follow"),
        ("UPDATE outbox SET data = x'00' WHERE number = 8", "partner:USA row 8.*damaged or missing"),
        ("DELETE FROM outbox WHERE number = 8", "partner:USA row 8.*damaged or missing"),
    ],
)
def test_a_damaged_older_record_is_left_as_it_is(tmp_path: Path, damage: str, said: str) -> None:
    path = tmp_path / "record.db"
    old_record(path)
    change(path, damage)
    with pytest.raises(LocalError, match=said) as caught:
        opened(path)
    assert isinstance(caught.value, DamagedRecordError) == ("record 9" in str(caught.value))
    with closing(sqlite3.connect(path)) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (1,)
        assert {name for (name,) in old.execute("SELECT name FROM sqlite_master WHERE type = 'table'")} == {
            "meta",
            "records",
            "outbox",
        }


def test_a_migration_without_room_changes_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "600k") as place:
        path = place / "record.db"
        before = old_record(path)
        with pytest.raises(RecordFileError, match=r"that needs .* MiB, and the disk has .* free; free space"):
            opened(path)
        assert [one.name for one in place.iterdir() if "v1" in one.name] == []
        with RecordFile(path) as file:
            assert list(file.records()) == before


def test_the_record_of_another_node_is_not_migrated(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    old_record(path)
    with pytest.raises(OperatorError, match="node 'jpn', not of 'usa'"):
        opened(path, node="usa")
    assert [one.name for one in tmp_path.iterdir() if "v1" in one.name] == []


def test_a_schema_that_never_was_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    old_record(path)
    change(path, "PRAGMA user_version = 0")
    with pytest.raises(RecordFileError, match="its schema 0 is unknown"):
        opened(path)
