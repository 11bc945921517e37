"""Nodes killed hard at random moments under load: nothing that was answered is lost, nothing takes effect twice."""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import count, permutations
from pathlib import Path
from random import Random

import msgspec
import pytest

from noroshi.clock import seconds
from noroshi.exercise.world import Look, looks
from noroshi.messages.kinds import Lane
from noroshi.node.inputs import Detections, Received
from noroshi.service.client import NodeClient
from noroshi.service.node_check import check_node
from noroshi.service.node_config import ClockConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.record_file import RecordFile
from noroshi.service.supervisor import Supervisor
from noroshi.sharing import stream_of
from tests.service.conftest import ROOT
from tests.service.faults import (
    Command,
    Load,
    Make,
    check_nothing_lost_or_repeated,
    client_of,
    inputs,
    loaded,
    reached,
)
from tests.service.test_real_nodes import SPEED, coalition, directories


@pytest.mark.slow
@pytest.mark.parametrize("kills", [5, pytest.param(200, marks=pytest.mark.soak)])
def test_killed_at_random_moments_under_load(made: Make, children: Command, kills: int) -> None:
    random, notes = Random(kills), list[str]()

    async def scenario() -> dict[str, Load]:
        async with loaded(linked, children, notes) as (nodes, loads):
            for _ in range(kills):
                name = random.choice(sorted(linked))
                await asyncio.sleep(random.uniform(0.0, 0.5))
                nodes[name].kill(name)
                await nodes[name].until_ready(name)
                await loads[name].goes_on()
        return loads

    jpn, usa = made("jpn", "usa")
    linked = {"jpn": jpn, "usa": usa}
    check_nothing_lost_or_repeated(linked, asyncio.run(scenario()))
    assert sum("was killed by signal 9; it is started again" in note for note in notes) == kills


@pytest.mark.soak
def test_real_nodes_killed_at_random_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three nations' nodes see flight after flight, five times as fast as life, while one after the other is killed."""
    kills, random, notes = 60, Random(7), list[str]()
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    made = coalition()
    seen = looks(made, b"k" * 32)
    clock = ClockConfig(
        mode="scaled", start_ns=seen[0].time_ns - seconds(5.0), anchor_unix_ns=time.time_ns(), speed=SPEED
    )
    nodes_of = {name: one.with_clock(clock) for name, one in directories(made, tmp_path).items()}
    durable: dict[tuple[str, str], list[int]] = defaultdict(list)

    async def see(name: str, client: NodeClient) -> None:
        now = clock.clock()
        for look in flights([look for look in seen if look.node == name]):
            await asyncio.sleep(now.delay_s(look.time_ns))
            await client.give([look.detections])
            durable[name, look.detections.feed].append(look.detections.sequence)

    async def scenario() -> None:
        paths = {name: one.path for name, one in nodes_of.items()}
        async with Supervisor(paths, note=lambda name, text: notes.append(f"{name}: {text}")) as nodes:
            clients = {name: client_of(one) for name, one in nodes_of.items()}
            seeing = [asyncio.create_task(see(name, client)) for name, client in clients.items()]
            for _ in range(kills):
                name = random.choice(sorted(nodes_of))
                await asyncio.sleep(random.uniform(0.0, 2.0))
                nodes.kill(name)
                await nodes.until_ready(name)
            for task in seeing:
                task.cancel()
            await asyncio.gather(*seeing, return_exceptions=True)
            await reached(
                lambda: all(sent(a, b) == held(b, a) for a, b in permutations(nodes_of.values(), 2)), 60.0
            )
            for client in clients.values():
                await client.close()

    asyncio.run(scenario())
    for name, one in nodes_of.items():
        for check in check_node(one.path):
            assert check.met, f"{name}: {check.name}: {check.detail}"
        on_record = defaultdict(set)
        for given in inputs(one):
            if isinstance(given, Detections):
                on_record[given.feed].add(given.sequence)
        for (node, feed), numbers in durable.items():
            assert node != name or on_record[feed] >= set(numbers)
    assert sum("was killed by signal 9; it is started again" in note for note in notes) == kills


def flights(seen: list[Look]) -> Iterator[Look]:
    """The same flight again and again, each time later, with the numbers of each feed going on."""
    span_ns = seen[-1].time_ns - seen[0].time_ns + seconds(1.0)
    last = {look.detections.feed: look.detections.sequence for look in seen}
    for turn in count():
        for look in seen:
            given = look.detections
            yield replace(
                look,
                time_ns=look.time_ns + turn * span_ns,
                detections=msgspec.structs.replace(
                    given,
                    sequence=given.sequence + turn * last[given.feed],
                    time_ns=tuple(time_ns + turn * span_ns for time_ns in given.time_ns),
                ),
            )


def sent(one: NodeDir, other: NodeDir) -> list[int]:
    """The numbers of the last rows in a node's streams for another."""
    with RecordFile(one.record_path) as file:
        streams = file.streams()
    return [streams.get(stream_of(f"partner:{other.config.partner}", lane), 0) for lane in Lane]


def held(one: NodeDir, other: NodeDir) -> list[int]:
    """How many rows of another node's streams a node holds, without a gap."""
    numbers: dict[int, set[int]] = {lane: set() for lane in Lane}
    for given in inputs(one):
        if isinstance(given, Received) and given.party == f"partner:{other.config.partner}":
            numbers[given.lane].add(given.number)
    assert all(found == set(range(1, len(found) + 1)) for found in numbers.values())
    return [len(numbers[lane]) for lane in Lane]
