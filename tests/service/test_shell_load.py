"""The shell under load and fault: who floods pays alone, a full disk costs nothing acknowledged, a clock may step."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from noroshi.clock import NS_PER_S, seconds
from noroshi.errors import LocalError
from noroshi.log import Batch, MemoryStore
from noroshi.messages.kinds import Lane
from noroshi.node.inputs import Answer, ClockStepped, Detections, LinkChanged, Received, decode_input
from noroshi.service import disk as disks
from noroshi.service import quotas
from noroshi.service import shell as shells
from noroshi.service.clocks import RealClock
from noroshi.service.node_dir import NodeDir
from noroshi.service.queues import CrowdedError
from noroshi.service.quotas import Quotas
from noroshi.service.shell import GROUP_S, CoreDefectError, NodeShell, NotDurableError
from tests.service.conftest import opened, until
from tests.service.standin import SLOW_S, StandIn, detections, genesis

USA, KOR = "partner:USA", "partner:KOR"


@dataclass
class Running:
    """A shell, what it has said, and the task it runs in."""

    shell: NodeShell
    task: asyncio.Task[None]
    notes: list[str]
    held: list[tuple[str, str]] = field(default_factory=list)

    def inputs(self) -> list[Any]:
        return [decode_input(record.body or b"") for record in self.shell.store.records()]


@asynccontextmanager
async def running(store: MemoryStore | None = None, clock: RealClock | None = None, **options: Any) -> Any:
    store, clock = store or MemoryStore(), clock or RealClock()
    core, commit = StandIn.begin(clock.now_ns(), genesis("jpn", ("usa", "kor")))
    MemoryStore.append(store, [commit.batch])
    notes: list[str] = []
    held: list[tuple[str, str]] = []
    shell = NodeShell(
        core, store, clock, recover=lambda: StandIn.replay("record", store.records()), note=notes.append,
        on_held=lambda party, reason: held.append((party, reason)), **options,
    )  # fmt: skip
    task = asyncio.create_task(shell.run())
    try:
        yield Running(shell, task, notes, held)
    finally:
        shell.stop()
        await asyncio.gather(task, return_exceptions=True)


def row(party: str, lane: int, number: int, raw: bytes = b"x") -> Received:
    return Received(party=party, number=number, raw=raw, lane=lane)


# --- a partner that floods ------------------------------------------------------------------------------------

FLOOD_S = 0.25
"""What nine in ten warnings take at most beside a flood, also on a machine that is busy with other tests; alone it takes
about 30 ms: the group that is under way, and the next."""


@pytest.mark.slow
def test_a_flood_does_not_delay_anothers_warnings(made: Callable[..., list[NodeDir]]) -> None:
    """USA sends notices and tracks that cost 2 ms each, as fast as they are taken: five times what the node can do."""
    flood, warnings = 400, 60

    async def scenario() -> tuple[list[float], list[Any], Running]:
        (jpn,) = made("jpn")
        took_s = []
        with opened(jpn) as store:
            core, commit = StandIn.begin(RealClock().now_ns(), genesis("jpn", ("usa", "kor")))
            store.append([commit.batch])
            notes: list[str] = []
            shell = NodeShell(
                core, store, RealClock(), recover=lambda: StandIn.replay("record", store.records()),
                note=notes.append, disk=store, quotas=Quotas(processor_share=0.25, processor_burst_s=0.1),
            )  # fmt: skip
            task = asyncio.create_task(shell.run())
            flooded = [
                shell.offer(row(USA, lane, number, b"slow"))
                for lane in (Lane.NOTICE, Lane.TRACK)
                for number in range(1, flood + 1)
            ]
            for number in range(1, warnings + 1):
                begun_s = time.perf_counter()
                await shell.give(row(KOR, Lane.WARNING, number))
                took_s.append(time.perf_counter() - begun_s)
            assert not all(future.done() for future in flooded)
            answers = await asyncio.gather(*flooded)
            assert set(answers) == {Answer("accepted")}
            shell.stop()
            await task
            inputs = [decode_input(record.body or b"") for record in store.records()]
        return took_s, inputs, Running(shell, task, notes)

    took_s, inputs, run = asyncio.run(scenario())
    assert sorted(took_s)[int(0.9 * warnings)] < FLOOD_S
    between = [
        sum(isinstance(one, Received) and one.party == USA for one in inputs[first:second])
        for first, second in pairwise(at(inputs, KOR))
    ]
    assert max(between) <= 2 * (GROUP_S / SLOW_S + 1)
    assert any(note.startswith("USA: it has used more than 25 % of the processor") for note in run.notes)
    assert not any(note.startswith("KOR") for note in run.notes)


def at(inputs: list[Any], party: str) -> list[int]:
    return [place for place, one in enumerate(inputs) if isinstance(one, Received) and one.party == party]


def test_a_partner_over_its_quota_of_the_record_is_held_and_the_operator_hears() -> None:
    async def scenario() -> None:
        async with running(quotas=Quotas(disk_hour_bytes=1 << 20, disk_day_bytes=1 << 30)) as run:
            shell = run.shell
            big = bytes(300_000)
            futures = [shell.offer(row(USA, Lane.TRACK, number, big)) for number in range(1, 7)]
            assert await shell.give(row(KOR, Lane.TRACK, 1, big)) == Answer("accepted")
            assert await shell.give(row(USA, Lane.WARNING, 1)) == Answer("accepted")
            await until(lambda: len(run.held) == 1)
            assert [future.done() for future in futures] == [True] * 4 + [False] * 2
            ((party, reason),) = run.held
            assert party == USA
            assert reason.endswith("its notices and tracks are held")
            assert run.notes == [f"USA: {reason}"]
            assert shell.received(USA).upto == (1, 0, 0, 4)
            shell.drop(USA)
            with pytest.raises(LocalError, match="its link has ended"):
                await futures[-1]

    asyncio.run(scenario())


def test_more_than_may_wait_stops_a_link_and_that_is_said_once() -> None:
    async def scenario() -> None:
        async with running(quotas=Quotas(queue_inputs=1024)) as run:
            shell = run.shell
            futures = [shell.offer(row(USA, Lane.TRACK, number)) for number in range(1, 1025)]
            assert shell.crowded(USA)
            for _ in range(2):
                with pytest.raises(CrowdedError):
                    shell.offer(row(USA, Lane.TRACK, 1025))
            assert len(run.held) == 1
            await asyncio.gather(*futures)
            assert not shell.crowded(USA)
            await until(lambda: run.held[1:] == [(USA, "")])
            assert run.notes[-1] == "USA: it is within its quotas again"

    asyncio.run(scenario())


def test_a_row_on_which_the_core_fails_bars_its_sender_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "BARRED_S", 0.5)

    async def scenario() -> None:
        async with running() as run:
            shell = run.shell
            with pytest.raises(CoreDefectError):
                await shell.give(row(USA, Lane.TRACK, 1, b"poison"))
            again = shell.offer(row(USA, Lane.WARNING, 1))
            assert await shell.give(row(KOR, Lane.WARNING, 1)) == Answer("accepted")
            await until(lambda: run.held != [])
            assert run.held == [
                (USA, "one of its rows makes this node fail: nothing of it is taken for 0 s"),
            ]
            assert not again.done()
            assert await again == Answer("accepted")
            assert shell.defects == 1

    asyncio.run(scenario())


# --- the disk -------------------------------------------------------------------------------------------------


@dataclass
class Room:
    lanes: int

    def takes(self, lane: int) -> bool:
        return lane < self.lanes

    @property
    def words(self) -> str:
        return "" if self.lanes == 4 else f"the record has room for {self.lanes} lanes"


class SmallDisk:
    """A disk whose room the test says."""

    def __init__(self) -> None:
        self.lanes = 4
        self.steps = 3
        self.presses = False

    def room(self) -> Room:
        return Room(self.lanes)

    def upkeep(self) -> bool:
        self.steps -= 1
        return self.steps > 0


def test_as_room_runs_out_tracks_are_refused_first_and_warnings_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shells, "LOOK_S", 0.002)
    monkeypatch.setattr(disks, "LOOK_EVERY_S", 0.001)

    async def scenario() -> None:
        small = SmallDisk()
        async with running(disk=small) as run:
            shell = run.shell
            durable = [0, 0, 0, 0]
            for lanes, own_sensor, own_post in (
                (3, True, True),
                (2, False, True),
                (1, False, False),
                (0, False, False),
            ):
                small.lanes = lanes
                await until(lambda lanes=lanes: f"room for {lanes} lanes" in shell.trouble)  # type: ignore[misc]  # a bound default
                waiting = [shell.offer(row(USA, lane, durable[lane] + 1)) for lane in range(4)]
                for lane in range(lanes):
                    assert await waiting[lane] == Answer("accepted")
                    durable[lane] += 1
                answer = await shell.give(detections(5 - lanes))
                assert (answer.outcome == "accepted") == own_sensor
                answer = await shell.give(Received(party="post:duty", number=0, raw=b"%d" % lanes))
                assert (answer.outcome == "accepted") == own_post
                if not own_post:
                    assert answer.reason.startswith(f"the record has room for {lanes} lanes")
                assert list(shell.received(USA).upto) == durable
                shell.drop(USA)
            small.lanes = 4
            await until(lambda: not shell.trouble)
            assert await shell.give(detections(5)) == Answer("accepted")
            assert run.notes[-1] == "there is room on the disk again: everything is taken"

    asyncio.run(scenario())


class SlowStore(MemoryStore):
    """Holds each append until it is let through."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()

    def append(self, batches: Sequence[Batch]) -> None:
        assert self.gate.wait(10.0)
        super().append(batches)


def test_what_waited_when_the_room_ran_out_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shells, "LOOK_S", 0.0)
    monkeypatch.setattr(disks, "LOOK_EVERY_S", 0.0)

    async def scenario() -> None:
        small, store = SmallDisk(), SlowStore()
        async with running(store, disk=small) as run:
            first = run.shell.offer(detections(1))
            await asyncio.sleep(0)
            sensor = run.shell.offer(detections(2))
            link = run.shell.offer(LinkChanged(party=USA, state="down"))
            small.lanes = 0
            store.gate.set()
            assert (await first).outcome == "accepted"
            assert (await sensor).outcome == "refused"
            small.lanes = 4
            assert (await link).outcome == "accepted"

    asyncio.run(scenario())


def test_the_store_has_its_upkeep_when_there_is_time() -> None:
    async def scenario() -> None:
        small = SmallDisk()
        async with running(disk=small):
            await until(lambda: small.steps <= 0)

    asyncio.run(scenario())


FULL = (
    "cannot write the record: the disk is full; free space; nothing is acknowledged until there is room, what is held"
    " can be read"
)


class FullStore(MemoryStore):
    """A store whose disk is full when the test says so; an append then stores nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.is_full = False
        self.refused = 0

    def append(self, batches: Sequence[Batch]) -> None:
        if self.is_full:
            self.refused += 1
            raise LocalError("write the record", cause="the disk is full", hint="free space", retry=True)
        super().append(batches)


def test_a_full_disk_acknowledges_nothing_and_recovers_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shells, "DISK_RETRY_S", 0.01)

    async def scenario() -> None:
        store = FullStore()
        async with running(store) as run:
            shell = run.shell
            await shell.give(detections(1))
            store.is_full = True
            theirs = shell.offer(row(USA, Lane.WARNING, 1))
            with pytest.raises(NotDurableError, match="it counts once, however often") as refused:
                await shell.give(detections(2))
            assert refused.value.retry
            await until(lambda: store.refused > 3)
            assert not theirs.done()
            assert shell.received(USA).upto[0] == 0
            assert (await shell.give(detections(2))).outcome == "refused"
            assert "nothing is acknowledged until there is room" in shell.trouble
            assert len(store.outbox("partner:USA/warning", 0, 10)) == 1
            store.is_full = False
            assert await theirs == Answer("accepted")
            assert shell.trouble == ""
            assert await shell.give(detections(2)) == Answer("duplicate")
            assert await shell.give(detections(3)) == Answer("accepted")
            assert [one.sequence for one in run.inputs() if isinstance(one, Detections)] == [1, 2, 2, 3]
            assert run.notes == [
                FULL,
                "the disk takes what is written again; nothing that was acknowledged is lost",
            ]
        StandIn.replay("record", store.records())

    asyncio.run(scenario())


def test_a_node_that_is_stopped_while_the_disk_is_full_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shells, "DISK_RETRY_S", 60.0)

    async def scenario() -> None:
        store = FullStore()
        async with running(store) as run:
            store.is_full = True
            theirs = run.shell.offer(row(USA, Lane.WARNING, 1))
            await until(lambda: bool(run.shell.trouble))
            run.shell.stop()
            with pytest.raises(LocalError, match="the disk is full"):
                await run.task
            with pytest.raises(LocalError, match="the disk is full"):
                await theirs

    asyncio.run(scenario())


# --- time -----------------------------------------------------------------------------------------------------


class Machine:
    """A machine whose wall clock the test steps, on top of the real one."""

    def __init__(self) -> None:
        self.stepped_ns = 0

    def clock(self) -> RealClock:
        return RealClock(0.05, wall_ns=lambda: time.time_ns() + self.stepped_ns)


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_stepped_clock_is_noticed_within_a_second_and_timers_stay(step_s: float) -> None:
    async def scenario() -> None:
        machine = Machine()
        async with running(clock=machine.clock()) as run:
            await run.shell.give(detections(1, "timer"))
            machine.stepped_ns = seconds(step_s)
            begun_s = time.monotonic()
            await until(lambda: any(isinstance(one, ClockStepped) for one in run.inputs()))
            assert time.monotonic() - begun_s < 1.0
            await run.shell.give(detections(2))
            await until(lambda: any(b"timer t" in one.data for one in run.shell.store.outbox("staff", 0, 9)))
            assert time.monotonic() - begun_s < 2.0
            (by_ns,) = [one.by_ns for one in run.inputs() if isinstance(one, ClockStepped)]
            assert abs(by_ns - machine.stepped_ns) < NS_PER_S // 10
            assert run.notes[0].startswith(f"this machine's clock was stepped by {step_s:+.1f} s")
            assert run.shell.clock_error_ns == seconds(0.05)
            steps_back = backward(run)
            assert len(steps_back) == (1 if step_s < 0 else 0)

    asyncio.run(scenario())


def backward(run: Running) -> list[str]:
    """Types of the records whose time is before that of the record before them."""
    records = list(run.shell.store.records())
    return [after.type for before, after in pairwise(records) if after.now_ns < before.now_ns]


def test_only_a_step_lets_time_run_backwards() -> None:
    async def scenario() -> None:
        machine = Machine()
        async with running(clock=machine.clock()) as run:
            for step, number in ((0.2, 1), (-0.4, 2), (0.3, 3)):
                machine.stepped_ns += seconds(step)
                await run.shell.give(detections(number))
            machine.stepped_ns -= seconds(100.0)
            await until(lambda: backward(run) == ["clock"])

    asyncio.run(scenario())


def test_a_clock_set_back_while_the_node_was_down_is_noticed_at_the_start() -> None:
    async def scenario() -> None:
        ahead_ns = time.time_ns() + 7200 * NS_PER_S
        async with running(last_ns=ahead_ns) as run:
            await run.shell.give(detections(1))
            first = run.inputs()[1]
            assert isinstance(first, ClockStepped)
            assert abs(first.by_ns + 7200 * NS_PER_S) < NS_PER_S
        async with running(last_ns=time.time_ns() + NS_PER_S // 10) as run:
            await run.shell.give(detections(1))
            assert run.notes == []
            assert isinstance(run.inputs()[1], Detections)

    asyncio.run(scenario())
