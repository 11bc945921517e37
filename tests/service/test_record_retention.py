"""Retention, snapshots and upkeep of the record: what goes is gone at once, what stays is whole, and room is made."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
from pathlib import Path

import pytest

from noroshi.errors import LocalError
from noroshi.log import Batch, Forget, MemoryStore, OutboxRow, Snapshot, verified
from noroshi.messages.kinds import Lane
from noroshi.service.record_file import RecordFile
from noroshi.service.record_room import LEAST_LEFT, Budget, Room, Space, room_in
from noroshi.service.record_schema import RecordFullError
from noroshi.service.record_upkeep import BLOCK_RECORDS, SWEEP_ROWS, Turns
from tests.service.record_batches import TRACKS, Author, body_of, filled_up, opened, small_disk
from tests.service.record_work import drawn_batch, snapshot

MIB = 1 << 20


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_the_store_on_a_disk_gives_what_the_one_in_memory_gives(tmp_path: Path, seed: int) -> None:
    """Appends, cuts, retention, upkeep and opening again, in any order."""
    draw, author, memory = random.Random(seed), Author(), MemoryStore()
    store = opened(tmp_path / "record.db")
    for number in range(1, 120):
        given = [drawn_batch(draw, author, memory, number)]
        memory.append(given)
        store.append(given)
        step = draw.random()
        if step < 0.2:
            store.upkeep()
        elif step < 0.25:
            store.close()
            store = opened(tmp_path / "record.db")
        elif step < 0.3:
            kept = snapshot(memory, b"shared", b"part %d" % number)
            memory.keep(kept)
            store.keep(kept)
        if number % 10 == 0:
            assert list(store.records()) == list(memory.records())
            assert store.snapshot() == memory.snapshot()
            for stream in author.heads:
                assert store.outbox(stream, 0, 1000) == memory.outbox(stream, 0, 1000)
                assert store.outbox(stream, 40, 7) == memory.outbox(stream, 40, 7)
                assert store.base(stream) == memory.base(stream)
                if store.outbox(stream, 0, 1):
                    assert store.streams()[stream] == memory.outbox(stream, 0, 1000)[-1].number
    while store.upkeep():
        pass
    assert list(verified("record", store.records())) == list(memory.records())
    assert not store.status().forgetting
    store.close()


def forgetting(author: Author, number: int, before: int) -> Batch:
    """A commit by which all inputs before `before` go, and all rows up to there."""
    rows = tuple((stream, before) for stream in ("staff", TRACKS, "partner:KOR/track"))
    return author.batch(number, forget=Forget(2 * number, before, rows))


@pytest.mark.slow
def test_what_retention_lets_go_is_gone_at_once_and_its_bytes_soon(tmp_path: Path) -> None:
    path, author, count = tmp_path / "record.db", Author(), BLOCK_RECORDS + 200
    secret = body_of(17)[:40]
    with opened(path) as store, RecordFile(path) as other:
        store.append([author.batch(number) for number in range(1, count)])
        store.append([forgetting(author, count, count - 50)])
        for reader in (store, other):
            records = list(verified("record", reader.records()))
            assert [record.body is None for record in records[:6]] == [True, False] * 3
            assert sum(record.body is None for record in records) == count - 51
            assert reader.outbox(TRACKS, 0, 1)[0].number == count - 49
            assert reader.base(TRACKS) == (count - 50, records_head(author, count - 50))
        assert store.status().forgetting
        steps = 1
        while store.upkeep():
            steps += 1
        assert steps > 3
        assert not store.status().forgetting
        assert list(verified("record", other.records())) == list(store.records()) == records
        store.checkpoint()
    assert secret not in path.read_bytes()


def records_head(author: Author, number: int) -> bytes:
    """The head of the track stream of a new author after so many commits."""
    again = Author()
    return [again.batch(one).outbox[1].head for one in range(1, number + 1)][-1]


@pytest.mark.slow
def test_a_second_retention_looks_only_at_what_may_go(tmp_path: Path) -> None:
    author, count = Author(), 3 * BLOCK_RECORDS
    with opened(tmp_path / "record.db") as store:
        store.append([author.batch(number) for number in range(1, count)])
        store.append([forgetting(author, count, 100)])
        while store.upkeep():
            pass
        store.append([forgetting(author, count + 1, 120)])
        steps = 0
        while store.upkeep():
            steps += 1
        assert steps == 4  # the rows, the first block, the last one, which is not whole yet, the order itself
        gone = [record.sequence for record in store.records() if record.body is None]
        assert gone == list(range(1, 239, 2))


@pytest.mark.slow
def test_retention_that_is_cut_off_goes_on_after_the_start(tmp_path: Path) -> None:
    path, author, count = tmp_path / "record.db", Author(), SWEEP_ROWS
    with opened(path) as store:
        store.append([author.batch(number) for number in range(1, count)])
        store.append([forgetting(author, count, count)])
        store.upkeep()
        before = list(store.records())
    with opened(path) as store:
        assert store.status().forgetting
        assert list(store.records()) == before
        while store.upkeep():
            pass
        assert list(store.records()) == before
        assert not store.status().forgetting


@pytest.mark.slow
def test_retention_makes_room_on_a_small_disk(tmp_path: Path) -> None:
    """Full to where tracks are refused, three times over: the file does not grow with what has gone."""
    with small_disk(tmp_path / "small", "6m") as place:
        author, number, sizes = Author(), 0, []
        with opened(place / "record.db", budget=Budget(3 * MIB, reserve_bytes=MIB)) as store:
            for _ in range(3):
                while store.room().takes(Lane.TRACK):
                    number += 1
                    store.append([author.batch(number, 1500)])
                    store.checkpoint()
                assert store.room().takes(Lane.WARNING)
                number += 1
                store.append([forgetting(author, number, number - 1)])
                while store.upkeep():
                    store.checkpoint()
                sizes.append(store.status().bytes)
                assert store.room().left_bytes > MIB
            assert number > 1000
            assert max(sizes) <= 1.1 * sizes[0]
            assert len(list(verified("record", store.records()))) == 2 * number


@pytest.mark.slow
def test_a_budget_is_kept_even_by_who_never_asks(tmp_path: Path) -> None:
    author = Author()
    with opened(tmp_path / "record.db", budget=Budget(MIB)) as store:
        with pytest.raises(RecordFullError, match="its budget of 1048576 bytes is used up") as caught:
            filled_up(store, author)
        assert caught.value.retry
        done = len(list(store.records()))
        assert 100 < done < 600
        assert not any(store.room().open_lanes)
        assert store.room().words.endswith("no tracks, notices, decisions, warnings are taken")
    assert (tmp_path / "record.db").stat().st_size <= MIB + 4096


def test_lanes_are_refused_in_their_order_as_the_room_runs_out() -> None:
    budget, whole = Budget(1000 * MIB, reserve_bytes=64 * MIB), 1000 * MIB
    shut: list[list[Lane]] = []
    for used in range(1001):
        room = room_in(budget, Space(used * MIB, 0, used * MIB, 0, 500_000 * MIB))
        assert room.used_bytes + room.left_bytes == whole
        now = [lane for lane in Lane if not room.takes(lane)]
        if not shut or shut[-1] != now:
            shut.append(now)
    assert [len(now) for now in shut] == [0, 1, 2, 3, 4]
    assert shut[1:3] == [[Lane.TRACK], [Lane.NOTICE, Lane.TRACK]]
    assert list(LEAST_LEFT) == sorted(LEAST_LEFT)


def test_room_is_what_the_disk_leaves_when_that_is_less() -> None:
    budget = Budget(1000 * MIB, reserve_bytes=64 * MIB)

    def left(**changes: int) -> Room:
        space = {
            "pages_bytes": 100,
            "reusable_bytes": 0,
            "file_bytes": 100,
            "wal_bytes": 0,
            "free_bytes": 200,
        }
        return room_in(budget, Space(**{name: size * MIB for name, size in {**space, **changes}.items()}))

    assert left().left_bytes == 136 * MIB
    assert left(reusable_bytes=40).left_bytes == 176 * MIB
    assert left(file_bytes=60).left_bytes == 96 * MIB
    assert left(free_bytes=50).left_bytes == 0
    assert left(free_bytes=31, reusable_bytes=90).left_bytes == 0
    assert left(free_bytes=50, reusable_bytes=90).left_bytes == 76 * MIB
    with pytest.raises(ValueError, match="no budget"):
        Budget(0)


@pytest.mark.slow
def test_a_snapshot_replaces_the_one_before_and_shares_its_parts(tmp_path: Path) -> None:
    path, author = tmp_path / "record.db", Author()
    with opened(path) as store:
        store.append([author.batch(1)])
        first = snapshot(store, b"old" * MIB, b"both")
        store.keep(first)
        assert store.snapshot() == first
        before = store.status().bytes + store.status().wal_bytes
        second = snapshot(store, b"both", b"new")
        store.keep(second)
        assert store.snapshot() == second
        with RecordFile(path) as other:
            assert other.snapshot() == second
        while store.upkeep():
            pass
        store.keep(snapshot(store, b"new" * MIB, b"both"))
        store.checkpoint()
        assert store.status().bytes <= before


def test_a_snapshot_of_what_is_not_durable_is_refused(tmp_path: Path) -> None:
    author = Author()
    with opened(tmp_path / "record.db") as store:
        store.append([author.batch(1)])
        ahead = Snapshot(3, b"h" * 32, b"m", b"s", {})
        with pytest.raises(LocalError, match="it is of record 3, and 2 is the last that is durable"):
            store.keep(ahead)
        store.append([author.batch(2)])
        store.keep(ahead)


def test_parts_that_no_snapshot_has_are_erased(tmp_path: Path) -> None:
    path, author = tmp_path / "record.db", Author()
    with opened(path) as store:
        store.append([author.batch(1)])
        first, second = snapshot(store, b"1"), snapshot(store, b"2")
        store.keep(first)
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO parts VALUES(?, ?)", (b"d" * 32, b"left over"))
    connection.close()
    with opened(path) as store:
        kept = store.snapshot()
        assert kept == first
        store.keep(second)
        assert store.snapshot() == second
        while store.upkeep():
            pass
        assert store.snapshot() == second
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM parts").fetchone() == (1,)
    connection.close()


def test_the_write_ahead_log_waits_for_a_checkpoint_and_stays_bounded(tmp_path: Path) -> None:
    author = Author()
    with opened(tmp_path / "record.db") as store:
        for number in range(1, 400, 20):
            store.append([author.batch(number + more, 5000) for more in range(20)])
        grown = store.status().wal_bytes
        assert grown > 4 * MIB  # SQLite itself would have made a checkpoint at a thousand pages
        assert store.checkpoint()
        store.append([author.batch(number, 5000) for number in range(401, 450)])
        assert store.status().wal_bytes == grown


@pytest.mark.slow
def test_without_upkeep_an_append_brings_the_log_in_itself_and_a_large_one_is_shortened(
    tmp_path: Path,
) -> None:
    author = Author()
    with opened(tmp_path / "record.db") as store:
        for number in range(1, 60):
            store.append([author.batch(number, 1_000_000)])
        assert store.status().wal_bytes < 48 * MIB
        store.append([author.batch(number, 1_000_000) for number in range(60, 120)])
        assert store.presses
        assert store.checkpoint()
        assert store.status().wal_bytes == 0


def test_a_reader_that_stays_holds_up_the_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    path, author = tmp_path / "record.db", Author()
    with opened(path) as store:
        store.append([author.batch(1)])
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM records").fetchone()
            store.append([author.batch(2)])
            assert not store.checkpoint()
            store.append([author.batch(3)])
            reader.execute("COMMIT")
        reader.close()
        assert store.checkpoint()
        assert len(list(store.records())) == 6


@pytest.mark.slow
def test_appends_go_on_beside_upkeep_of_another_thread(tmp_path: Path) -> None:
    """Checkpoints are cut short, sweeping gives way, and all that was appended is there."""
    path, author, stop = tmp_path / "record.db", Author(), threading.Event()
    failures: list[BaseException] = []
    with opened(path) as store:

        def keep_up() -> None:
            try:
                while not stop.is_set():
                    store.upkeep()
                    store.checkpoint()
                    store.room()
            except LocalError as error:
                failures.append(error)

        tending = threading.Thread(target=keep_up)
        tending.start()
        for number in range(1, 300):
            store.append(
                [forgetting(author, number, number // 2) if number % 40 == 0 else author.batch(number)]
            )
            if number % 50 == 0:
                store.keep(snapshot(store, os.urandom(100_000)))
        stop.set()
        tending.join()
        assert failures == []
        assert len(list(verified("record", store.records()))) == 2 * 299
    with opened(path) as store:
        assert len(list(verified("record", store.records()))) == 2 * 299
        assert [row.number for row in store.outbox(TRACKS, 250, 100)] == list(range(251, 300))


def test_an_append_has_the_next_turn() -> None:
    turns, order, hurried = Turns(), [], threading.Event()
    with turns.upkeep():

        def append() -> None:
            with turns.append(hurried.set):
                order.append("append")

        def tend() -> None:
            with turns.upkeep():
                order.append("upkeep")

        appending = threading.Thread(target=append)
        appending.start()
        assert hurried.wait(5)
        tending = threading.Thread(target=tend)
        tending.start()
        assert turns.appends_wait
    appending.join()
    tending.join()
    assert order == ["append", "upkeep"]


def test_status_says_how_the_record_is_kept(tmp_path: Path) -> None:
    author = Author()
    with opened(tmp_path / "record.db") as store:
        store.append([author.batch(number) for number in range(1, 200)])
        status = store.status()
        assert (status.records, status.journal_mode, status.synchronous) == (398, "wal", "full")
        assert status.library == sqlite3.sqlite_version
        assert status.wal_bytes > 100_000
        assert status.pages * status.page_bytes > 100_000
        assert status.free_bytes > 0
        assert (status.free_pages, status.forgetting) == (0, False)
        rows = [OutboxRow("staff", 200, 2, "", 1, b"r", b"h" * 32)]
        store.append([Batch((), tuple(rows), forget=Forget(398, 1000, (("staff", 150), (TRACKS, 199))))])
        while store.upkeep():
            pass
        assert store.status().free_pages > 10
