"""A node of the flight with a gateway for Cursor on Target, in this process: its clock and its flight are the test's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from noroshi.clock import seconds
from noroshi.messages import Ed25519
from noroshi.node import Node
from noroshi.service import node_dir
from noroshi.service.clocks import RealClock
from noroshi.service.cot_config import CotConfig
from noroshi.service.cot_gateway import CotGateway
from noroshi.service.key_files import Key, write_key
from noroshi.service.node_config import ClockConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.shell import NodeShell
from noroshi.service.sqlite_store import SqliteStore
from tests.node.scene import coalition_of, looks_of, places

WATCHED_S = 36.0
"""Of the flight: until Japan has warned."""


class HandClock(RealClock):
    """The node's time is what the test says."""

    at_ns = 0

    def now_ns(self) -> int:
        return self.at_ns

    def look(self) -> int:
        return 0


@dataclass
class CotScene:
    """What runs. notes: what the operator was told."""

    directory: NodeDir
    shell: NodeShell
    gateway: CotGateway
    notes: list[str]
    clock: HandClock

    async def fly(self, upto_s: float = WATCHED_S) -> None:
        """Japan's radars see the flight, from their first look on, as fast as they are heard."""
        seen = [look for look in looks_of("trilateral") if look.node == "jpn"]
        for look in seen:
            if look.time_ns <= seen[0].time_ns + seconds(upto_s):
                self.clock.at_ns = look.time_ns
                await self.shell.give(look.detections)

    async def until(self, count: str, group: str, at_least: int = 1) -> None:
        """Waits for a count of the gateway."""
        async with asyncio.timeout(120.0):
            while self.gateway.counts(group)[count] < at_least:
                await asyncio.sleep(0.01)


def post_key(folder: Path, post: str) -> None:
    """Puts the post's key where the gateway looks for it."""
    (member,) = (one for one in coalition_of("trilateral", Ed25519).members if one.node == "jpn")
    seat = member.seats[post]
    key = Key(
        realm=member.genesis.realm,
        partner="JPN",
        role="post",
        subject=post,
        seed=seat.secret,
        unit=seat.certificate.unit,
    )
    place = folder / "keys" / "cot"
    place.mkdir(parents=True, exist_ok=True)
    write_key(place / f"{post}.key", key)


def made_node(folder: Path) -> NodeDir:
    """Japan's directory."""
    (member,) = (one for one in coalition_of("trilateral", Ed25519).members if one.node == "jpn")
    link, page = free_ports(2)
    start_ns = looks_of("trilateral")[0].time_ns
    made = node_dir.create(
        folder / "jpn", realm=member.genesis.realm, partner="JPN", node="jpn", secrets=member.secrets,
        genesis=member.genesis, link_port=link, page_port=page,
    )  # fmt: skip
    clock = ClockConfig(mode="scaled", start_ns=start_ns, anchor_unix_ns=time.time_ns(), speed=1.0)
    return made.with_clock(clock)


@asynccontextmanager
async def running(directory: NodeDir, cot: CotConfig) -> AsyncIterator[CotScene]:
    """Japan's node with this gateway."""
    directory = directory.with_config(msgspec.structs.replace(directory.config, cot=cot))
    (member,) = (one for one in coalition_of("trilateral", Ed25519).members if one.node == "jpn")
    notes: list[str] = []
    config = directory.config
    with SqliteStore.open(directory.record_path, realm=config.realm, node=config.node) as store:
        clock = HandClock()
        clock.at_ns = looks_of("trilateral")[0].time_ns

        def replayed() -> Node:
            return Node.replay("jpn", store.records(), member.secrets, places())

        if store.status().records:
            core = replayed()
        else:
            core, commit = Node.begin(clock.at_ns, directory.genesis(), member.secrets, places())
            store.append([commit.batch])
        shell = NodeShell(core, store, clock, recover=replayed, note=notes.append)
        working = asyncio.create_task(shell.run())
        gateway = CotGateway(shell, directory, notes.append)
        await gateway.start()
        try:
            yield CotScene(directory, shell, gateway, notes, clock)
        finally:
            await gateway.close()
            shell.stop()
            await asyncio.gather(working, return_exceptions=True)
