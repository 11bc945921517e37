"""What the tests with real processes share: two linked nodes under load, a link to hurt, what must hold afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Literal

from noroshi.log import verified
from noroshi.messages.kinds import Lane
from noroshi.node.inputs import Detections, Input, Received, decode_input
from noroshi.service.client import NodeClient
from noroshi.service.node_check import check_node
from noroshi.service.node_dir import NodeDir
from noroshi.service.record_file import read_records
from noroshi.service.supervisor import Supervisor
from tests.service.standin import StandInCores, detections

Make = Callable[..., list[NodeDir]]
Command = tuple[str, ...]


def client_of(directory: NodeDir) -> NodeClient:
    return NodeClient(
        directory.page_address, page_token=directory.page_token(), feed_token=directory.feed_token()
    )


def inputs(directory: NodeDir) -> list[Input]:
    """All inputs on a node's record, which may be in use."""
    return [
        decode_input(record.body or b"")
        for record in verified("record", read_records(directory.record_path))
        if record.is_input
    ]


async def reached(met: Callable[[], bool], within_s: float) -> None:
    """Waits for something that is read from records: looks seldom, since each look reads a whole record."""
    async with asyncio.timeout(within_s):
        while not met():
            await asyncio.sleep(0.1)


PAUSE_S = 0.005
"""Between one batch and the next: enough of a load, and records that can still be read when the test is over."""


class Load:
    """Gives a node one batch after the other, and remembers those that were answered as durable."""

    def __init__(self, directory: NodeDir) -> None:
        self.directory = directory
        self.durable: list[int] = []
        self.outcomes: set[str] = set()
        self._client = client_of(directory)
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        number = 1
        while True:
            (answer,) = await self._client.give([detections(number)])
            self.outcomes.add(answer.outcome)
            if answer.outcome == "refused":
                await asyncio.sleep(0.05)
                continue
            self.durable.append(number)
            number += 1
            await asyncio.sleep(PAUSE_S)

    async def goes_on(self) -> None:
        """Waits until one more batch is durable. Raises what has ended the load."""
        before = len(self.durable)
        while len(self.durable) <= before:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.close()


@asynccontextmanager
async def loaded(
    directories: Mapping[str, NodeDir],
    children: Command,
    notes: list[str],
    environments: Mapping[str, Mapping[str, str]] | None = None,
) -> AsyncIterator[tuple[dict[str, Supervisor], dict[str, Load]]]:
    """These nodes as processes, each under load until the end of the block; then what is under way arrives."""

    def note(name: str, text: str) -> None:
        notes.append(f"{name}: {text}")

    nodes = {
        name: Supervisor(
            {name: one.path}, note=note, command=children, environment=(environments or {}).get(name)
        )
        for name, one in directories.items()
    }
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(node) for node in nodes.values()))
        loads = {name: Load(one) for name, one in directories.items()}
        try:
            await asyncio.gather(*(load.goes_on() for load in loads.values()))
            yield nodes, loads
        finally:
            for load in loads.values():
                await load.stop()
        await all_arrived(directories)


async def all_arrived(directories: Mapping[str, NodeDir], within_s: float = 60.0) -> None:
    """Waits until each node has the rows of all batches on the others' records."""

    def missing() -> bool:
        given = {name: len(batches(one)) for name, one in directories.items()}
        return any(
            rows_from(one, other) != list(range(1, given[name] + 1))
            for one in directories.values()
            for name, other in directories.items()
            if other is not one
        )

    await reached(lambda: not missing(), within_s)


def batches(directory: NodeDir) -> list[int]:
    """The batches on a node's record, each once, as they came."""
    return list(dict.fromkeys(one.sequence for one in inputs(directory) if isinstance(one, Detections)))


def rows_from(directory: NodeDir, other: NodeDir) -> list[int]:
    """The rows of another node on this one's record, repeated ones left out as the core does."""
    party = f"partner:{other.config.partner}"
    found = [one for one in inputs(directory) if isinstance(one, Received) and one.party == party]
    return list(dict.fromkeys(one.number for one in found if one.lane == Lane.WARNING))


def check_nothing_lost_or_repeated(directories: Mapping[str, NodeDir], loads: Mapping[str, Load]) -> None:
    """After the nodes have stopped: all that was answered is there, each batch took effect once, records are whole."""
    for name, one in directories.items():
        durable = loads[name].durable
        assert durable == list(range(1, len(durable) + 1))
        assert len(durable) > 5, f"{name}: {len(durable)}"
        kept = batches(one)
        assert kept[: len(durable)] == durable
        assert len(kept) - len(durable) <= 1  # one more may have been made durable whose answer nobody heard
        for other in directories.values():
            if other is not one:
                assert rows_from(other, one) == kept
                assert sent_by(one, other) == kept
        for check in check_node(one.path, StandInCores):
            assert check.met, f"{name}: {check.name}: {check.detail}"


def sent_by(directory: NodeDir, other: NodeDir) -> list[int]:
    """The batches in the rows that another node holds of this one: each took effect exactly once."""
    party = f"partner:{directory.config.partner}"
    rows = {one.number: one.raw for one in inputs(other) if isinstance(one, Received) and one.party == party}
    decoded = [decode_input(raw) for _, raw in sorted(rows.items())]
    return [one.sequence for one in decoded if isinstance(one, Detections)]


Hurt = Literal["whole", "cut", "stalled", "half-open", "garbage"]


class Proxy:
    """Stands between the node that dials and the one that listens, and hurts what goes through.

    cut: connections end and new ones are refused; stalled: nothing goes through, in either direction; half-open: nothing
    goes from the dialling side, whose connections live on; garbage: bytes are changed on their way, now and then.
    """

    def __init__(self, to_port: int, random: Random) -> None:
        self.hurt: Hurt = "whole"
        self.port = 0
        self._to_port = to_port
        self._random = random
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self, port: int) -> None:
        self.port = port
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", port)

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        self._cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def be(self, hurt: Hurt) -> None:
        self.hurt = hurt
        if hurt == "cut":
            self._cut()

    def _cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            if self.hurt == "cut":
                return
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
            self._writers.add(there_writer)
            try:
                parts = [
                    asyncio.ensure_future(self._carry(reader, there_writer, dialled=True)),
                    asyncio.ensure_future(self._carry(there_reader, writer, dialled=False)),
                ]
                await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
                for part in parts:
                    part.cancel()
                await asyncio.gather(*parts, return_exceptions=True)
            finally:
                there_writer.transport.abort()
                self._writers.discard(there_writer)
        except (OSError, asyncio.CancelledError):
            return  # the node behind is away, and the one in front dials again; or the test is over
        finally:
            writer.transport.abort()
            self._writers.discard(writer)

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, dialled: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                while self.hurt == "stalled" or (self.hurt == "half-open" and dialled):
                    await asyncio.sleep(0.02)
                if self.hurt == "garbage" and self._random.random() < 0.2:
                    at = self._random.randrange(len(data))
                    data = data[:at] + self._random.randbytes(min(64, len(data) - at)) + data[at + 64 :]
                writer.write(data)
                await writer.drain()
