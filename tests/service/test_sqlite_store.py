"""The record on a disk: durable, of one owner, and never half believed."""

from __future__ import annotations

import os
import random
import resource
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from noroshi.errors import LocalError, OperatorError
from noroshi.log import Batch, Chain, Cut, DamagedRecordError, OutboxRow, Record, verified
from noroshi.service.record_file import RecordFile, RecordFileError, find_records, read_records
from noroshi.service.record_schema import RecordFullError
from noroshi.service.sqlite_store import check_library, running_pid
from noroshi.sharing.streams import EMPTY_HEAD, next_head
from tests.service.record_batches import TRACKS, Author, filled, filled_up, opened, small_disk


def test_what_was_appended_is_there_after_opening_it_again(tmp_path: Path) -> None:
    path = tmp_path / "jpn" / "record.db"
    before = filled(path)
    with opened(path) as store:
        assert list(verified("record", store.records())) == before
        assert [row.number for row in store.outbox("staff", 57, 10)] == [58, 59, 60]
        assert store.outbox(TRACKS, 4, 1)[0].data == before[8].body
        assert store.outbox("partner:CHN/track", 0, 10) == []
        assert store.newest("staff") == {"key:0": 60, "key:1": 58, "key:2": 59}
        assert store.streams() == {
            "partner:KOR/track": 48,
            "partner:KOR/warning": 12,
            TRACKS: 60,
            "staff": 60,
        }
        assert list(store.records(after=118)) == before[118:]
        assert (store.base("staff"), store.snapshot()) == ((0, EMPTY_HEAD), None)


def test_the_modes_are_as_promised(tmp_path: Path) -> None:
    path = tmp_path / "jpn" / "record.db"
    with opened(path) as store:
        status = store.status()
        store.append([Author().batch(1)])
        modes = {one.name: one.stat().st_mode & 0o777 for one in path.parent.iterdir()}
    assert (status.journal_mode, status.synchronous) == ("wal", "full")
    assert status.library == sqlite3.sqlite_version
    assert set(modes.values()) == {0o600}
    assert {"record.db", "record.db-wal", "record.lock"} <= set(modes)
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_an_old_library_is_refused() -> None:
    with pytest.raises(OperatorError, match=r"SQLite 3\.34\.1\): it is older than 3\.35\.0"):
        check_library((3, 34, 1))
    check_library((3, 35, 0))


def test_all_batches_of_an_append_are_stored_or_none(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    author = Author()
    with opened(path) as store:
        store.append([author.batch(1)])
        good, twice = author.batch(2), Author().batch(1)
        with pytest.raises(LocalError, match="write the record"):
            store.append([good, twice])
        with pytest.raises(LocalError, match="an earlier write has failed"):
            store.append([good])
        assert len(list(store.records())) == 2
    with opened(path) as store:
        assert len(list(store.records())) == 2
        assert len(store.outbox(TRACKS, 0, 9)) == 1


def test_a_stream_begun_anew_keeps_what_it_is_told_to(tmp_path: Path) -> None:
    author = Author()
    head, kept = author.batch(1).outbox[1].head, []
    for old in range(2, 1300, 3):
        head = next_head(head, b"row %d" % old)
        kept.append((old, head))
    rows = [OutboxRow(TRACKS, number, 3, "", 5, b"row %d" % number, EMPTY_HEAD) for number in range(1, 1300)]
    following = OutboxRow(TRACKS, 1 + len(kept) + 1, 3, "", 6, b"after it", next_head(head, b"after it"))
    with opened(tmp_path / "record.db") as store:
        store.append([Batch((), (*rows, *Author().batch(1).outbox[:1]))])
        store.append([Batch((), (following,), cuts=(Cut(TRACKS, 1, tuple(kept)),))])
        now = store.outbox(TRACKS, 0, 2000)
        assert [row.number for row in now] == list(range(1, len(kept) + 3))
        assert [row.data for row in now[1:-1]] == [b"row %d" % old for old, _ in kept]
        assert [row.head for row in now[1:-1]] == [head for _, head in kept]
        assert now[-1] == following
        assert len(store.outbox("staff", 0, 9)) == 1


def test_a_cut_of_what_is_not_there_stores_nothing(tmp_path: Path) -> None:
    author = Author()
    with opened(tmp_path / "record.db") as store:
        store.append([author.batch(1), author.batch(2)])
        with pytest.raises(
            LocalError, match=r"partner:USA/track after row 1\): of 1 rows that stay there are only 0"
        ):
            store.append([Batch((), (), cuts=(Cut(TRACKS, 1, ((7, b"h" * 32),)),))])
        assert [row.number for row in store.outbox(TRACKS, 0, 9)] == [1, 2]


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
        store.append([Batch((), (OutboxRow(TRACKS, 1, 0, "", 5, b"what the partner may have", EMPTY_HEAD),))])
    raw = path.read_bytes()
    at = raw.index(b"what the partner")
    path.write_bytes(raw[:at] + b"W" + raw[at + 1 :])
    with (
        opened(path) as store,
        pytest.raises(LocalError, match=r"partner:USA/track row 1\): the row is damaged"),
    ):
        store.outbox(TRACKS, 0, 10)


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
    author = Author()
    with opened(path) as store:
        with no_file_larger_than(1_500_000), pytest.raises(LocalError, match="start again"):
            filled_up(store, author)
        done = len(store.outbox(TRACKS, 0, 5000))
        assert 10 < done < 1000
        assert len(list(store.records())) == 2 * done
        with pytest.raises(LocalError, match="an earlier write has failed"):
            store.append([])
    with opened(path) as store:
        assert len(list(verified("record", store.records()))) == 2 * done
        assert len(store.outbox(TRACKS, 0, 5000)) == done


def test_a_full_disk_is_told_and_survived_without_opening_the_record_again(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "400k") as place:
        path, ballast = place / "record.db", place / "ballast"
        ballast.write_bytes(bytes(100_000))
        author = Author()
        with opened(path) as store:
            with pytest.raises(RecordFullError, match="the disk is full; free space") as caught:
                filled_up(store, author)
            assert caught.value.retry
            done = len(store.outbox(TRACKS, 0, 5000))
            assert done > 1
            before = list(verified("record", store.records()))
            assert len(before) == 2 * done
            ballast.unlink()
            author.chain = Chain(before[-1].sequence, before[-1].hash)
            author.heads = {stream: (number, EMPTY_HEAD) for stream, number in store.streams().items()}
            store.append([author.batch(done + 1)])
            assert len(list(store.records())) == 2 * done + 2
        with opened(path) as store:
            assert len(list(verified("record", store.records()))) == 2 * done + 2


def test_readers_see_whole_commits_while_the_writer_works(tmp_path: Path) -> None:
    path = tmp_path / "record.db"
    author = Author()
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
            store.append([author.batch(number)])
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
