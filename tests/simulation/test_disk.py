"""The simulated disk keeps its own promises: what was synced is there, whole commits or none, rot is not hidden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.log import Batch, Chain, DamagedRecordError, OutboxRow, Record
from noroshi.messages import derive
from noroshi.sharing.streams import EMPTY_HEAD
from tests.simulation.disk import Disk, DiskStore


def batches(count: int) -> list[Batch]:
    """Commits of two records and one row each."""
    chain = Chain()
    return [
        Batch(
            (chain.link(n, "timer", b"t" * (n % 97)), chain.link(n, "note", bytes(600))),
            (OutboxRow("staff", n, 0, "", n, b"row", EMPTY_HEAD),),
        )
        for n in range(1, count + 1)
    ]


def kept(store: DiskStore) -> list[Record]:
    return list(store.records())


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 1000))
def test_after_a_crash_all_that_was_synced_is_there_and_commits_are_whole(
    synced: int, loose: int, seed: int
) -> None:
    disk = Disk()
    store = DiskStore(disk)
    made = batches(synced + loose)
    for batch in made[:synced]:
        store.append([batch])
    for batch in made[synced:]:
        store.begin([batch])
    disk.crash(derive(bytes(32), "seed", seed))
    again = DiskStore(disk)
    whole = len(kept(again)) // 2
    assert synced <= whole <= synced + loose
    assert kept(again) == [record for batch in made[:whole] for record in batch.records]
    assert [row.number for row in again.outbox("staff", 0, 100)] == list(range(1, whole + 1))
    again.append(made[whole:])
    assert kept(DiskStore(disk)) == [record for batch in made for record in batch.records]


def test_crashes_lose_tear_and_flip() -> None:
    """All that may be left of a loose write is left by some seed: nothing, all of it, and something between."""
    left = set()
    for seed in range(60):
        disk = Disk()
        store = DiskStore(disk)
        for batch in batches(4):
            store.begin([batch])
        disk.crash(derive(bytes(32), "seed", seed))
        left.add(len(kept(DiskStore(disk))))
    assert left == {0, 2, 4, 6, 8}


def test_rot_is_not_taken_for_the_end_of_the_file() -> None:
    damaged, whole = 0, 0
    for seed in range(40):
        disk = Disk()
        store = DiskStore(disk)
        store.append(batches(4))
        disk.rot(derive(bytes(32), "seed", seed))
        try:
            whole += len(kept(DiskStore(disk))) == 8
        except DamagedRecordError:
            damaged += 1
    assert damaged > 0
    assert damaged + whole == 40


def test_a_store_without_transactions_keeps_half_a_commit() -> None:
    """What `torn-batches` plants is really planted."""
    counts = set()
    for seed in range(40):
        disk = Disk()
        store = DiskStore(disk, whole=False)
        store.begin(batches(1))
        disk.crash(derive(bytes(32), "seed", seed))
        counts.add(len(kept(DiskStore(disk, whole=False))))
    assert 1 in counts


@pytest.mark.parametrize("size", [1, 511, 512, 513])
def test_a_crash_with_nothing_loose_changes_nothing(size: int) -> None:
    disk = Disk()
    disk.write(bytes(size))
    disk.sync()
    disk.crash(bytes(32))
    assert disk.data == bytes(size)
