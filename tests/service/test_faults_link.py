"""The link between two nodes is cut, stalled, half open, or garbled: it ends, says why, and goes on where it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import msgspec
import pytest

from noroshi.service.node_config import config_bytes
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.record_file import RecordFile
from noroshi.sharing.link import SILENT_AFTER_S
from tests.service.faults import (
    Command,
    Hurt,
    Load,
    Make,
    Proxy,
    batches,
    check_nothing_lost_or_repeated,
    loaded,
    reached,
    rows_from,
)

HURTS: tuple[Hurt, ...] = ("cut", "stalled", "half-open", "garbage")
DEAD_S = 10.5
"""A connection of which nothing is heard is given up after 10 s."""


@asynccontextmanager
async def hurtable(jpn: NodeDir, usa: NodeDir, random: Random) -> AsyncIterator[Proxy]:
    """A proxy on the way from USA, which dials, to JPN."""
    (port,) = free_ports(1)
    config = usa.config
    peers = tuple(msgspec.structs.replace(peer, port=port) for peer in config.peers)
    (usa.path / "node.json").write_bytes(config_bytes(msgspec.structs.replace(config, peers=peers)))
    proxy = Proxy(jpn.config.link.port, random)
    await proxy.start(port)
    try:
        yield proxy
    finally:
        await proxy.close()


def said_to_staff(directory: NodeDir) -> str:
    with RecordFile(directory.record_path) as file:
        return b"\n".join(row.data for row in file.outbox("staff", 0, 1_000_000)).decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("turns", "longest_s"), [(6, 0.8), pytest.param(40, 2.0 * DEAD_S, marks=pytest.mark.soak)]
)
def test_a_link_that_is_hurt_again_and_again(
    made: Make, children: Command, turns: int, longest_s: float
) -> None:
    random, notes = Random(turns), list[str]()
    jpn, usa = made("jpn", "usa")
    directories = {"jpn": jpn, "usa": usa}

    async def scenario() -> dict[str, Load]:
        async with hurtable(jpn, usa, random) as proxy, loaded(directories, children, notes) as (_, loads):
            for turn in range(turns):
                before = len(rows_from(jpn, usa)), len(rows_from(usa, jpn))
                proxy.be(HURTS[turn % len(HURTS)])
                await asyncio.sleep(random.uniform(0.1, longest_s))
                proxy.be("whole")
                await reached(
                    lambda before=before: (  # type: ignore[misc]  # a bound default
                        len(rows_from(jpn, usa)) > before[0] and len(rows_from(usa, jpn)) > before[1]
                    ),
                    2 * DEAD_S,
                )
        return loads

    check_nothing_lost_or_repeated(directories, asyncio.run(scenario()))
    assert any(note.startswith("jpn: link to USA ended: ") for note in notes)
    assert any(note.startswith("usa: link to JPN ended: ") for note in notes)


@pytest.mark.slow
def test_a_stalled_link_is_shown_as_silent_and_what_waited_arrives(made: Make, children: Command) -> None:
    notes: list[str] = []
    jpn, usa = made("jpn", "usa")
    directories = {"jpn": jpn, "usa": usa}

    async def scenario() -> dict[str, Load]:
        async with hurtable(jpn, usa, Random(1)) as proxy, loaded(directories, children, notes) as (_, loads):
            await reached(lambda: len(rows_from(jpn, usa)) > 0 and len(rows_from(usa, jpn)) > 0, 30.0)
            proxy.be("stalled")
            await reached(lambda: "partner:USA silent" in said_to_staff(jpn), SILENT_AFTER_S + 3.0)
            await reached(lambda: "partner:JPN silent" in said_to_staff(usa), 3.0)
            assert len(batches(jpn)) > len(rows_from(usa, jpn))
            proxy.be("whole")
            await reached(lambda: said_to_staff(jpn).rstrip().count("partner:USA up") > 1, 10.0)
        return loads

    check_nothing_lost_or_repeated(directories, asyncio.run(scenario()))
