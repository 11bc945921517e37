"""The power goes at any moment: what `append` had returned for is there, whole, exactly once."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from noroshi.clock import NEVER
from noroshi.errors import NoroshiError
from noroshi.log import Batch, Chain, MemoryStore, OutboxRow, Record, Snapshot, verified
from noroshi.service.record_check import check_record
from noroshi.service.record_file import RecordFile
from noroshi.service.sqlite_store import SqliteStore
from tests.service.power_cut import traced
from tests.service.record_batches import TRACKS, opened
from tests.service.record_work import steps
from tests.service.test_record_versions import COPY, COUNT, old_record

STREAMS = ("staff", TRACKS, "partner:KOR/track", "partner:KOR/warning")
CUTS, MIGRATION_CUTS = 120, 60
SOAK_SEEDS, SOAK_CUTS = 10, 400

Held = tuple[list[Record], list[list[OutboxRow]], list[tuple[int, bytes]], Snapshot | None]


def held(store: SqliteStore | MemoryStore) -> Held:
    """All that a store holds for a reader."""
    return (
        list(store.records()),
        [store.outbox(stream, 0, 10_000) for stream in STREAMS],
        [store.base(stream) for stream in STREAMS],
        store.snapshot(),
    )


def expected(seed: int) -> list[Held]:
    """What is held before the first step, after it, after the second, and so on."""
    memory = MemoryStore()
    states = [held(memory)]
    for act, what in steps(seed):
        if act == "append":
            memory.append(what)
        elif act == "keep":
            memory.keep(what)
        states.append(held(memory))
    return states


def lay_out(place: Path, files: dict[str, bytes]) -> Path:
    """Writes what was left of the files; where the record is."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name, content in files.items():
        (place / name).write_bytes(content)
    return place / "record.db"


def survived(path: Path, states: Sequence[Held]) -> bool:
    """Whether a record holds what one of these states has, and can be gone on with."""
    try:
        with opened(path) as store:
            if held(store) not in states:
                return False
            last = list(store.records())[-1:]
            chain = Chain(last[0].sequence, last[0].hash) if last else Chain()
            store.append([Batch((chain.link(1, "timer", b"on it goes"),))])
        found = check_record(path)
    except NoroshiError:
        return False
    return found.intact and found.count == chain.sequence


def lost_by(tmp_path: Path, seed: int, cuts: int, *how: str) -> list[tuple[int, int]]:
    """Cuts the power at so many places of one seeded history; after which of them not all is there that must be, and how
    many steps had been acknowledged there.
    """
    directory = tmp_path / "traced"
    directory.mkdir()
    trace = traced(directory, ["-m", "tests.service.record_work", str(directory), str(seed), *how])
    states = expected(seed)
    assert len(trace.acks) == len(states) - 1 > 40
    return [
        (at, done)
        for at, done, files in trace.cuts(cuts, random.Random(seed))
        if not survived(lay_out(tmp_path / "after", files), states[done : done + 2])
    ]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_acknowledged_is_lost_or_repeated_by_a_power_cut(tmp_path: Path, seed: int) -> None:
    assert lost_by(tmp_path, seed, CUTS) == []


@pytest.mark.slow
def test_a_store_that_does_not_wait_for_the_disk_is_found_out(tmp_path: Path) -> None:
    """The check above can fail: the same history without syncs."""
    assert len(lost_by(tmp_path, 1, 40, "careless")) > 5


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 100 + SOAK_SEEDS))
def test_nothing_acknowledged_is_lost_or_repeated_by_any_of_many_power_cuts(
    tmp_path: Path, seed: int
) -> None:
    assert lost_by(tmp_path, seed, SOAK_CUTS) == []


@pytest.mark.slow
def test_a_power_cut_during_a_migration_leaves_the_old_record_or_the_new_one(tmp_path: Path) -> None:
    directory = tmp_path / "traced"
    directory.mkdir()
    before = old_record(directory / "record.db")
    trace = traced(directory, ["-m", "tests.service.record_work", str(directory), "migrate"])
    schemas = set()
    for _, done, files in trace.cuts(MIGRATION_CUTS, random.Random(9)):
        path = lay_out(tmp_path / "after", files)
        with RecordFile(path) as file:
            schemas.add(file.head.schema)
            assert file.head.schema == 2 or not done
            assert list(verified("record", file.records())) == before
            if file.head.schema == 2:
                assert COPY in files
        with opened(path) as store:
            assert list(verified("record", store.records())) == before
            assert {record.keep_ns for record in store.records()} == {NEVER}
            assert sum(store.streams().values()) == 2 * COUNT
        with RecordFile(path.with_name(COPY)) as copy:
            assert copy.head.schema == 1
            assert list(copy.records()) == before
    assert schemas == {1, 2}
