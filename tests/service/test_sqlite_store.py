"""The record on a disk: durable, of one owner, and never half believed."""

from __future__ import annotations

import os
import random
import resource
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from noroshi.errors import LocalError, OperatorError
from noroshi.log import Batch, Chain, DamagedRecordError, OutboxRow, Record, verified
from noroshi.service.record_file import RecordFile, RecordFileError, find_records, read_records
from noroshi.service.sqlite_store import SqliteStore, check_library, running_pid

REALM, NODE = "exercise:store", "jpn"


def filled_up(store: SqliteStore, chain: Chain) -> None:
    """Appends until the disk refuses."""
    for number in range(1, 2000):
        store.append([batch(chain, number, 2000)])


def opened(path: Path, realm: str = REALM, node: str = NODE) -> SqliteStore:
    return SqliteStore.open(path, realm=realm, node=node)


def batch(chain: Chain, number: int, size: int = 200) -> Batch:
    """One commit: an input, a derived record, a row for the staff and one for a partner."""
    body = b"%08d" % number + bytes((number + n) % 251 for n in range(size))
    records = (
        chain.link(1000 + number, "timer", body),
        chain.link(1000 + number, "note", b"made of " + body[:8]),
    )
    rows = (
        OutboxRow("staff", number, 2, f"key:{number % 3}", 1000 + number, body[:40]),
        OutboxRow("partner:USA", number, 0, "", 1000 + number, body),
    )
    return Batch(records, rows)


def filled(path: Path, count: int = 60) -> list[Record]:
    """A record with `count` commits, closed."""
    chain = Chain()
    with opened(path) as store:
        for number in range(1, count + 1):
            store.append([batch(chain, number)])
        return list(store.records())


def test_what_was_appended_is_there_after_opening_it_again(tmp_path: Path) -> None:
    path = tmp_path / "jpn" / "record.db"
    before = filled(path)
    with opened(path) as store:
        assert list(verified("record", store.records())) == before
        assert [row.number for row in store.outbox("staff", 57, 10)] == [58, 59, 60]
        assert store.outbox("partner:USA", 4, 1)[0].data == before[8].body
        assert store.outbox("partner:KOR", 0, 10) == []
        assert store.newest("staff") == {"key:0": 60, "key:1": 58, "key:2": 59}
        assert store.parties() == {"partner:USA": 60, "staff": 60}
        assert list(store.records(after=118)) == before[118:]


def test_the_modes_are_as_promised(tmp_path: Path) -> None:
    path = tmp_path / "jpn" / "record.db"
    with opened(path) as store:
        status = store.status()
        store.append([batch(Chain(), 1)])
        modes = {one.name: one.stat().st_mode & 0o777 for one in path.parent.iterdir()}
    assert (status.journal_mode, status.synchronous) == ("wal", "full")
    assert status.library == sqlite3.sqlite_version
    assert set(modes.values()) == {0o600}
    assert {"record.db", "record.db-wal", "record.lock"} <= set(modes)
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_an_old_library_is_refused() -> None:
    with pytest.raises(OperatorError, match="no write-ahead log"):
        check_library((3, 6, 23))
    check_library((3, 7, 0))


def test_all_batches_of_an_append_are_stored_or_none(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    chain = Chain()
    with opened(path) as store:
        store.append([batch(chain, 1)])
        good, twice = batch(chain, 2), batch(chain, 1)
        with pytest.raises(LocalError, match="write the record"):
            store.append([good, twice])
        with pytest.raises(LocalError, match="an earlier write has failed"):
            store.append([good])
        assert len(list(store.records())) == 2
    with opened(path) as store:
        assert len(list(store.records())) == 2
        assert len(store.outbox("partner:USA", 0, 9)) == 1


def test_a_second_writer_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    with opened(path):
        with pytest.raises(OperatorError, match=f"already running on it as pid {os.getpid()}"):
            opened(path)
        assert running_pid(path) == os.getpid()
    assert running_pid(path) is None
    opened(path).close()


def test_another_realm_or_node_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    filled(path, 1)
    with pytest.raises(OperatorError, match=r"realm 'exercise:store', not of 'real'"):
        opened(path, realm="real")
    with pytest.raises(OperatorError, match="node 'jpn', not of 'usa'"):
        opened(path, node="usa")


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_bytes(b"this is no database, but it is long enough to be looked at" * 40)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE birds(name TEXT)")
    connection.close()
    for path in (text, other):
        with pytest.raises(RecordFileError, match="not a record"):
            opened(path)
        with pytest.raises(RecordFileError, match="not a record"):
            RecordFile(path)
    with pytest.raises(RecordFileError, match="no such file"):
        RecordFile(tmp_path / "nothing.db")


def test_a_newer_schema_is_refused_saying_so(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    filled(path, 1)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()
    for use in (opened, RecordFile):
        with pytest.raises(
            RecordFileError, match=r"newer noroshi wrote it \(schema 7.*run that newer version"
        ):
            use(path)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OperatorError, match="make the record's directory"):
        opened(tmp_path / "file" / "record.db")


def test_a_damaged_body_is_named(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    filled(path)
    raw = path.read_bytes()
    at = raw.index(b"made of 00000017")
    path.write_bytes(raw[: at + 3] + b"\xff" + raw[at + 4 :])
    with pytest.raises(DamagedRecordError, match=r"record 34\): its body does not match") as caught:
        list(verified(str(path), read_records(path)))
    assert caught.value.sequence == 34


def test_a_damaged_outbox_row_is_never_sent(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    with opened(path) as store:
        store.append([Batch((), (OutboxRow("partner:USA", 1, 0, "", 5, b"what the partner may have"),))])
    raw = path.read_bytes()
    at = raw.index(b"what the partner")
    path.write_bytes(raw[:at] + b"W" + raw[at + 1 :])
    with opened(path) as store, pytest.raises(LocalError, match=r"partner:USA row 1\): the row is damaged"):
        store.outbox("partner:USA", 0, 10)


def test_no_damage_gives_a_wrong_record_or_a_raw_error(tmp_path: Path) -> None:
    """Bytes flipped, pages overwritten, files cut: a true prefix comes out, and one sentence."""
    path = tmp_path / "record.db"
    before = filled(path)
    raw, draw = path.read_bytes(), random.Random(5)
    named = 0
    for case in range(120):
        broken = bytearray(raw)
        if case % 3 == 0:
            at = draw.randrange(len(raw))
            broken[at] ^= 1 << draw.randrange(8)
        elif case % 3 == 1:
            at = draw.randrange(0, len(raw), 4096)
            broken[at : at + 4096] = draw.randbytes(4096)
        else:
            del broken[draw.randrange(len(raw)) :]
        copy = tmp_path / f"copy{case}.db"
        copy.write_bytes(broken)
        good: list[Record] = []
        try:
            good.extend(verified(str(copy), read_records(copy)))
        except DamagedRecordError as error:
            named += 1
            told = error.sequence
        except (RecordFileError, LocalError):
            told = len(good) + 1
        else:
            told = len(good) + 1
        assert told == len(good) + 1
        assert good == before[: len(good)]
    assert named > 20


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_write_that_the_disk_refuses_stores_nothing(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    chain = Chain()
    with opened(path) as store:
        with no_file_larger_than(1_500_000), pytest.raises(LocalError, match="start again"):
            filled_up(store, chain)
        done = len(store.outbox("partner:USA", 0, 5000))
        assert 10 < done < 1000
        assert len(list(store.records())) == 2 * done
    with opened(path) as store:
        assert len(list(verified("record", store.records()))) == 2 * done
        assert len(store.outbox("partner:USA", 0, 5000)) == done


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_and_survived(small_disk: Path) -> None:
    path = small_disk / "record.db"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(60_000))
    chain = Chain()
    with opened(path) as store:
        with pytest.raises(LocalError, match="the disk is full; free space"):
            filled_up(store, chain)
        done = len(store.outbox("partner:USA", 0, 5000))
        assert done > 1
        assert len(list(store.records())) == 2 * done
    ballast.unlink()
    with opened(path) as store:
        assert len(list(verified("record", store.records()))) == 2 * done
        last = list(store.records())[-1]
        store.append([batch(Chain(last.sequence, last.hash), done + 1)])


def test_readers_see_whole_commits_while_the_writer_works(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    chain = Chain()
    seen: list[int] = []
    with opened(path) as store:
        stop = threading.Event()

        def read() -> None:
            with RecordFile(path) as file:
                while not stop.is_set():
                    seen.append(sum(1 for _ in verified("record", file.records())))

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(1, 150):
            store.append([batch(chain, number)])
        stop.set()
        reader.join()
    assert all(count % 2 == 0 for count in seen)
    assert seen == sorted(seen)


def test_records_are_found_by_file_node_or_folder(tmp_path: Path) -> None:
    filled(tmp_path / "nodes" / "jpn" / "record.db", 1)
    filled(tmp_path / "records" / "usa.db", 1)
    assert find_records(tmp_path / "nodes" / "jpn") == [tmp_path / "nodes" / "jpn" / "record.db"]
    assert find_records(tmp_path / "records" / "usa.db") == [tmp_path / "records" / "usa.db"]
    assert [path.name for path in find_records(tmp_path)] == ["record.db", "usa.db"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(RecordFileError, match=r"there is no record\.db in it"):
        find_records(empty)
