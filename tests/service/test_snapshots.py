"""Snapshots and retention as the shell does them, and the way back from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from noroshi.errors import LocalError
from noroshi.log import DamagedRecordError, MemoryStore, Snapshot
from noroshi.node.inputs import ReceiptGiven, Retention, decode_input
from noroshi.service import shell as shells
from noroshi.service import snapshots
from noroshi.service.node_dir import NodeDir
from noroshi.service.starting import core_of
from tests.service import standin
from tests.service.conftest import opened, until
from tests.service.standin import KEPT_S, StandIn, StandInCores, detections, genesis
from tests.service.test_shell_load import USA, running


class Keeping(MemoryStore):
    """Knows its snapshots, and fails them when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[int] = []
        self.fails = False

    def keep(self, snapshot: Snapshot) -> None:
        if self.fails:
            raise LocalError("keep a snapshot", cause="the disk is full")
        super().keep(snapshot)
        self.kept.append(snapshot.sequence)


def same(core: Any, other: Any) -> bool:
    """Whether two stand-ins know the same."""
    return bool(core.snapshot() == other.snapshot())


def test_a_snapshot_is_made_when_there_is_much_to_do_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "SNAPSHOT_RECORDS", 20)
    monkeypatch.setattr(snapshots, "SNAPSHOT_PART", 1e9)

    async def scenario() -> None:
        store = Keeping()
        async with running(store) as run:
            for number in range(1, 101):
                await run.shell.give(detections(number))
            await until(lambda: len(store.kept) >= 4)
        assert all(20 <= after - before <= 60 for before, after in pairwise([0, *store.kept]))
        snapshot = store.snapshot()
        assert snapshot is not None
        core = StandIn.restore("record", snapshot, store.records(snapshot.sequence))
        assert same(core, StandIn.replay("record", store.records()))

    asyncio.run(scenario())


def test_snapshots_take_a_small_part_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "SNAPSHOT_RECORDS", 1)
    monkeypatch.setattr(snapshots, "SNAPSHOT_PART", 1e-9)

    async def scenario() -> None:
        store = Keeping()
        async with running(store) as run:
            for number in range(1, 50):
                await run.shell.give(detections(number))
            assert len(store.kept) == 1

    asyncio.run(scenario())


def test_a_clean_stop_leaves_nothing_to_do_again() -> None:
    async def scenario() -> None:
        for given, kept in ((0, []), (1, [2]), (12, [13])):
            store = Keeping()
            async with running(store) as run:
                for number in range(1, given + 1):
                    await run.shell.give(detections(number))
            assert store.kept == kept

    asyncio.run(scenario())


def test_a_snapshot_that_cannot_be_kept_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "SNAPSHOT_RECORDS", 5)

    async def scenario() -> None:
        store = Keeping()
        store.fails = True
        async with running(store) as run:
            for number in range(1, 50):
                await run.shell.give(detections(number))
            await until(lambda: len(run.notes) == 1)
            assert run.notes[0].startswith(
                "no snapshot was kept, so the next start takes longer: cannot keep a"
            )
        assert len(run.inputs()) == 50

    asyncio.run(scenario())


def test_retention_goes_as_far_as_the_snapshot_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shells, "LOOK_S", 0.005)
    monkeypatch.setattr(standin, "KEPT_S", -1)

    async def scenario() -> None:
        store = Keeping()
        async with running(store, retention_every_s=0.2) as run:
            for number in range(1, 11):
                await run.shell.give(detections(number))
            await run.shell.give(ReceiptGiven(party=USA, position=run.shell.sent(USA), signature=b"r"))
            await until(lambda: store.kept != [])
            await run.shell.give(detections(11))
        act = next(one for one in acts(store) if isinstance(one, Retention))
        assert act.upto_sequence == store.kept[0]
        bodies = [record.body is not None for record in store.records()]
        assert bodies == [number > act.upto_sequence for number in range(1, len(bodies) + 1)]
        assert store.base(f"{USA}/warning")[0] == 10

    asyncio.run(scenario())


def acts(store: MemoryStore) -> Iterator[Any]:
    return (decode_input(record.body) for record in store.records() if record.body is not None)


# --- the way back ---------------------------------------------------------------------------------------------


def filled(store: Any, keep_at: int = 0, size: int = 20) -> StandIn:
    """A record of `size` batches and the genesis, with a snapshot after record `keep_at`."""
    core, commit = StandIn.begin(1, genesis("jpn", ("usa", "kor")))
    store.append([commit.batch])
    for number in range(1, size + 1):
        if number == keep_at:
            store.keep(core.snapshot())
        store.append([core.handle(number, detections(number)).batch])
    return core


@pytest.fixture
def cores(made: Callable[..., list[NodeDir]]) -> Iterator[tuple[Any, StandInCores]]:
    (jpn,) = made("jpn")
    with opened(jpn) as store:
        yield store, StandInCores(jpn)


def test_from_a_snapshot_and_what_came_after(cores: tuple[Any, StandInCores]) -> None:
    store, made = cores
    core = filled(store, keep_at=15)
    notes: list[str] = []
    assert same(core_of(store, made, "record", notes.append), core)
    assert notes == []


def test_a_snapshot_that_cannot_be_used_costs_time_only(cores: tuple[Any, StandInCores]) -> None:
    store, made = cores
    core = filled(store)
    store.keep(replace(core.snapshot(), signature=b"f" * 64))
    notes: list[str] = []
    assert same(core_of(store, made, "record", notes.append), core)
    assert len(notes) == 1
    assert notes[0].startswith("the snapshot cannot be used, so the whole record is replayed: cannot use the")


def test_without_a_snapshot_and_without_bodies_there_is_no_way_back(cores: tuple[Any, StandInCores]) -> None:
    store, made = cores
    core = filled(store)
    store.keep(core.snapshot())
    late_ns = 10 * KEPT_S * 10**9
    store.append([core.handle(late_ns, Retention(before_ns=late_ns, upto_sequence=12)).batch])
    while store.upkeep():
        pass
    assert same(core_of(store, made, "record", pytest.fail), core)
    store.keep(replace(core.snapshot(), signature=b"f" * 64))
    with pytest.raises(
        LocalError, match=r"record 1\).*retention has let its body go.*signature.*restore a copy"
    ):
        core_of(store, made, "record", lambda _: None)


def test_a_damaged_record_is_said_to_be_one(made: Callable[..., list[NodeDir]]) -> None:
    class Damaged(StandInCores):
        def restore(self, subject: str, *_: Any) -> StandIn:
            raise DamagedRecordError(subject, 17, "its body does not match its hash")

    (jpn,) = made("jpn")
    with opened(jpn) as store:
        filled(store, keep_at=15)
        with pytest.raises(DamagedRecordError, match="record 17"):
            core_of(store, Damaged(jpn), "record", pytest.fail)


def test_a_version_that_gives_other_rows_does_not_go_on(cores: tuple[Any, StandInCores]) -> None:
    class Other(StandIn):
        def outbox_upto(self, stream: str) -> int:
            return super().outbox_upto(stream) - (stream == "staff")

    class OtherCores(StandInCores):
        def __init__(self) -> None:
            pass

        def replay(self, subject: str, records: Any) -> StandIn:
            return Other.replay(subject, records)

    store, _ = cores
    filled(store)
    with pytest.raises(
        LocalError, match="it has 20 rows for staff, of which this version makes 19; run the version"
    ):
        core_of(store, OtherCores(), "record", pytest.fail)
