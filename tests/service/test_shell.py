"""The shell: nothing is told before it is durable, and what fails costs as little as it can."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest

from noroshi.errors import LocalError
from noroshi.log import Batch, MemoryStore
from noroshi.node.inputs import Answer, Commit, Input, Received, TimerDue
from noroshi.service.alert_files import AlertFiles
from noroshi.service.clocks import RealClock
from noroshi.service.node_dir import NodeDir
from noroshi.service.shell import GROUP_INPUTS, CoreDefectError, NodeShell, StoppedError
from tests.service.conftest import shell_of, until
from tests.service.standin import StandIn, detections, genesis

USA, KOR = "partner:USA", "partner:KOR"
USA_WARNING = "partner:USA/warning"


class GatedStore(MemoryStore):
    """Holds each append until it is let through, or fails it."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.fails = False
        self.writing = 0
        self.sizes: list[int] = []

    def append(self, batches: Sequence[Batch]) -> None:
        self.writing = len(batches)
        self.entered.set()
        assert self.gate.wait(10.0)
        if self.fails:
            raise LocalError("write the record", cause="the disk is full")
        self.sizes.append(len(batches))
        super().append(batches)


def gated() -> tuple[NodeShell, GatedStore]:
    store = GatedStore()
    core, commit = StandIn.begin(RealClock().now_ns(), genesis("jpn", ("usa",)))
    MemoryStore.append(store, [commit.batch])

    def replayed() -> StandIn:
        return StandIn.replay("record", store.records())

    return NodeShell(core, store, RealClock(), recover=replayed), store


def stands(shell: NodeShell) -> tuple[int, int, int]:
    """What the shell says of its durable warnings from and to USA."""
    received, receipt = shell.received(USA), shell.receipt(USA).position
    return received.upto[0], receipt.upto[0], shell.outbox_upto(USA_WARNING)


async def entered(store: GatedStore) -> None:
    assert await asyncio.to_thread(store.entered.wait, 10.0)
    store.entered.clear()


def test_nobody_is_told_before_it_is_durable() -> None:
    async def scenario() -> None:
        shell, store = gated()
        running = asyncio.create_task(shell.run())
        wake = shell.follow(USA)
        answers = [shell.offer(detections(1)), shell.offer(Received(party=USA, number=1, raw=b"x"))]
        await entered(store)
        assert not any(answer.done() for answer in answers)
        assert not wake.is_set()
        assert stands(shell) == (0, 0, 0)
        store.gate.set()
        assert await asyncio.gather(*answers) == [Answer("accepted")] * 2
        assert wake.is_set()
        assert stands(shell) == (1, 1, 1)
        assert shell.checkpoint(USA).position == shell.sent(USA)
        assert shell.sent(USA).upto == (1, 0, 0, 0)
        shell.stop()
        await running

    asyncio.run(scenario())


def test_what_waits_is_committed_together() -> None:
    async def scenario() -> None:
        shell, store = gated()
        running = asyncio.create_task(shell.run())
        first = shell.offer(detections(1))
        await entered(store)
        others = [shell.offer(detections(number)) for number in range(2, 101)]
        store.gate.set()
        await asyncio.gather(first, *others)
        shell.stop()
        await running
        assert store.sizes[0] == 1
        assert sum(store.sizes) == 100
        assert len(store.sizes) <= 4

    asyncio.run(scenario())


def many(shell: NodeShell) -> list[asyncio.Future[Answer]]:
    """More than one group of inputs, at once."""
    return [
        shell.offer(Received(party=USA, number=number, raw=b"x")) for number in range(1, GROUP_INPUTS + 50)
    ]


def test_the_next_group_is_handled_while_one_is_written_and_nobody_is_told() -> None:
    async def scenario() -> None:
        shell, store = gated()
        running = asyncio.create_task(shell.run())
        answers = many(shell)
        await entered(store)
        await until(lambda: shell._core.received(USA).upto[0] > store.writing)
        assert store.sizes == []
        assert stands(shell) == (0, 0, 0)
        assert not any(answer.done() for answer in answers)
        store.gate.set()
        assert await asyncio.gather(*answers) == [Answer("accepted")] * len(answers)
        assert len(store.sizes) >= 2
        assert stands(shell)[:2] == (len(answers), len(answers))
        shell.stop()
        await running

    asyncio.run(scenario())


def test_what_was_handled_while_a_group_could_not_be_written_fails_with_it() -> None:
    async def scenario() -> None:
        shell, store = gated()
        store.fails = True
        running = asyncio.create_task(shell.run())
        answers = many(shell)
        await entered(store)
        await until(lambda: shell._core.received(USA).upto[0] > store.writing)
        store.gate.set()
        for answer in answers:
            with pytest.raises(LocalError, match="the disk is full"):
                await answer
        with pytest.raises(LocalError, match="the disk is full"):
            await running
        assert stands(shell) == (0, 0, 0)
        assert len(list(store.records())) == 1

    asyncio.run(scenario())


def test_when_the_disk_fails_nothing_more_is_taken_and_reads_go_on() -> None:
    async def scenario() -> None:
        shell, store = gated()
        store.gate.set()
        running = asyncio.create_task(shell.run())
        await shell.give(detections(1))
        store.fails = True
        answers = [shell.offer(detections(number)) for number in (2, 3)]
        for answer in answers:
            with pytest.raises(LocalError, match="the disk is full"):
                await answer
        with pytest.raises(LocalError, match="the disk is full"):
            await running
        assert "the disk is full" in shell.failed
        with pytest.raises(StoppedError, match="the node has failed"):
            shell.offer(detections(4))
        assert shell.outbox_upto(USA_WARNING) == 1
        assert len(store.outbox(USA_WARNING, 0, 10)) == 1

    asyncio.run(scenario())


def test_an_input_on_which_the_core_fails_costs_only_itself() -> None:
    async def scenario() -> None:
        shell, store = gated()
        store.gate.set()
        running = asyncio.create_task(shell.run())
        answers = [
            shell.offer(detections(1)),
            shell.offer(detections(1, "poison")),
            shell.offer(detections(2)),
        ]
        done = await asyncio.gather(*answers, return_exceptions=True)
        assert done[0] == done[2] == Answer("accepted")
        assert isinstance(done[1], CoreDefectError)
        assert shell.defects == 1
        assert [record.type for record in store.records()] == ["genesis", "detections", "detections"]
        shell.stop()
        await running
        StandIn.replay("record", store.records())

    asyncio.run(scenario())


def test_a_timer_that_fails_again_and_again_ends_the_node() -> None:
    class Stuck(StandIn):
        next_due_ns = 0

        def due(self, now_ns: int) -> list[TimerDue]:
            return [TimerDue(name="stuck")]

        def handle(self, now_ns: int, given: Input) -> Commit:
            if isinstance(given, TimerDue):
                raise RuntimeError("stuck")
            return super().handle(now_ns, given)

    async def scenario() -> None:
        store = MemoryStore()
        core, commit = Stuck.begin(1, genesis())
        store.append([commit.batch])
        shell = NodeShell(core, store, RealClock(), recover=lambda: Stuck.replay("record", store.records()))
        with pytest.raises(CoreDefectError, match="TimerDue stuck"):
            async with asyncio.timeout(5.0):
                await shell.run()

    asyncio.run(scenario())


def test_stopping_refuses_what_still_waits() -> None:
    async def scenario() -> None:
        shell, store = gated()
        running = asyncio.create_task(shell.run())
        first = shell.offer(detections(1))
        await entered(store)
        second = shell.offer(detections(2))
        shell.stop()
        store.gate.set()
        await running
        assert await first == Answer("accepted")
        with pytest.raises(StoppedError, match="stopping"):
            await second
        with pytest.raises(StoppedError):
            shell.offer(detections(3))

    asyncio.run(scenario())


def test_timers_come_due_by_themselves(made: Callable[..., list[NodeDir]]) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        async with shell_of(jpn) as shell:
            await shell.give(detections(1, "timer"))
            await until(lambda: shell.outbox_upto("staff") == 2)
            assert b"timer t" in shell.store.outbox("staff", 1, 1)[0].data

    asyncio.run(scenario())


def test_a_restarted_shell_goes_on_where_the_record_ends(made: Callable[..., list[NodeDir]]) -> None:
    async def scenario() -> None:
        jpn, _ = made("jpn", "usa")
        async with shell_of(jpn) as shell:
            await shell.give(detections(1))
            await shell.give(Received(party=USA, number=1, raw=b"x"))
        async with shell_of(jpn) as shell:
            assert stands(shell) == (1, 1, 1)
            assert await shell.give(detections(1)) == Answer("duplicate")
            assert await shell.give(detections(2)) == Answer("accepted")
            assert shell.outbox_upto(USA_WARNING) == 2

    asyncio.run(scenario())


def test_alerts_are_written_once_and_repaired(made: Callable[..., list[NodeDir]]) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        files = jpn.alerts_path
        async with shell_of(jpn) as shell:
            gateway = asyncio.create_task(AlertFiles(shell, files).run())
            await shell.give(detections(1, "alert"))
            await shell.give(detections(2, "alert"))
            await until(lambda: (files / "alert-2.xml").exists())
            gateway.cancel()
            await shell.give(detections(3, "alert"))
        (files / "alert-1.xml").write_bytes(b"<ale")
        whole = (files / "alert-2.xml").stat().st_mtime_ns
        async with shell_of(jpn) as shell:
            gateway = asyncio.create_task(AlertFiles(shell, files).run())
            await until(lambda: (files / "alert-3.xml").exists())
            gateway.cancel()
        assert sorted(one.name for one in files.iterdir()) == ["alert-1.xml", "alert-2.xml", "alert-3.xml"]
        assert (files / "alert-1.xml").read_bytes() == b"<alert/>"
        assert (files / "alert-2.xml").stat().st_mtime_ns == whole

    asyncio.run(scenario())
