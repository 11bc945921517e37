"""Nodes with the stand-in core: directories, and whole nodes running inside the test's event loop."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from noroshi.service import node_dir
from noroshi.service.links import NodeLinks
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.process import NodeProcess
from noroshi.service.shell import NodeShell
from noroshi.service.sqlite_store import SqliteStore
from tests.service.standin import NODES, REALM, SECRETS, StandIn, StandInCores, genesis

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., list[NodeDir]]:
    """Makes node directories of these names, all linked to one another."""

    def make(*names: str) -> list[NodeDir]:
        ports = iter(free_ports(2 * len(names)))
        found = []
        for name in names:
            others = tuple(other for other in names if other != name)
            found.append(
                node_dir.create(
                    tmp_path / name, realm=REALM, partner=NODES[name], node=name, secrets=SECRETS,
                    link_port=next(ports), page_port=next(ports), genesis=genesis(name, others),
                )
            )  # fmt: skip
        return node_dir.join(found)

    return make


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The command that runs a node with the stand-in core in a process of its own."""
    path = os.pathsep.join((str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")))
    monkeypatch.setenv("PYTHONPATH", path)
    return (sys.executable, "-m", "tests.service.standin_node")


@contextmanager
def opened(directory: NodeDir) -> Iterator[SqliteStore]:
    """A node's store."""
    config = directory.config
    with SqliteStore.open(directory.record_path, realm=config.realm, node=config.node) as store:
        yield store


@asynccontextmanager
async def shell_of(directory: NodeDir, notes: list[str] | None = None) -> AsyncIterator[NodeShell]:
    """A running shell on a node's record, without sockets."""
    with opened(directory) as store:
        clock = directory.config.clock.clock()

        def replayed() -> StandIn:
            return StandIn.replay("record", store.records())

        if next(store.records(), None) is None:
            core, commit = StandIn.begin(clock.now_ns(), directory.genesis())
            store.append([commit.batch])
        else:
            core = replayed()
        told = notes if notes is not None else []
        shell = NodeShell(core, store, clock, recover=replayed, note=told.append)
        running = asyncio.create_task(shell.run())
        try:
            yield shell
        finally:
            shell.stop()
            await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def linked(
    directory: NodeDir, notes: list[str] | None = None
) -> AsyncIterator[tuple[NodeShell, NodeLinks]]:
    """A running shell with its links."""
    told = notes if notes is not None else []
    async with shell_of(directory, told) as shell:
        links = NodeLinks(shell, directory, told.append)
        await links.start()
        try:
            yield shell, links
        finally:
            await links.close()


@asynccontextmanager
async def served(directory: NodeDir, notes: list[str] | None = None) -> AsyncIterator[NodeProcess]:
    """A whole node, page and links and all, in this process."""
    told = notes if notes is not None else []
    with opened(directory) as store:
        process = NodeProcess(directory, directory.genesis(), store, StandInCores(directory), told.append)
        ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(process.run(ready.set_result))
        try:
            both: list[asyncio.Future[Any]] = [running, ready]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
            yield process
        finally:
            process.stop()
            await running


async def until(met: Callable[[], bool], within_s: float = 10.0) -> None:
    """Waits for something that other tasks bring about."""
    async with asyncio.timeout(within_s):
        while not met():
            await asyncio.sleep(0.005)
