"""The `heal` benchmark: a line comes back after a partition in which increments, and warnings among them, were queued.

Japan's node runs its real shell, record and links in this process; the node of the United States is another process.
While the line is down Japan's node is given measurements as fast as it takes them, at the machine's own time: it tracks
the objects, signs an increment of each measurement, warns by its own rule, and all of that waits in its outbox on disk.
Then its links begin to listen, and the clock starts: the other side must find out by itself that the line is back, over
mutual TLS. It stops when Japan's node has the other's signed receipt. At the end the two records are held against each
other, row by row.
"""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from noroshi.cli.benches.end_to_end import (
    APOGEE_M,
    AZIMUTH_RAD,
    FIRST_LAT_DEG,
    LAUNCH_LON_DEG,
    RANGE_M,
    SEEN_FROM_S,
)
from noroshi.cli.benches.report import Result, result
from noroshi.cli.benches.three_nodes import RADAR, SIGMA_MRAD, SIGMA_RANGE_M, coalition, directories
from noroshi.clock import NS_PER_S, seconds
from noroshi.errors import LocalError
from noroshi.exercise.coalition import Coalition
from noroshi.exercise.draws import entropy, stream
from noroshi.geo.frames import look_angles
from noroshi.geo.places import decode
from noroshi.messages.kinds import Lane
from noroshi.node import Node
from noroshi.node.inputs import Detections, Received, decode_input
from noroshi.service.clocks import RealClock
from noroshi.service.links import NodeLinks
from noroshi.service.node_dir import NodeDir
from noroshi.service.record_file import RecordFile
from noroshi.service.resources import packaged_places
from noroshi.service.shell import NodeShell
from noroshi.service.sqlite_store import SqliteStore
from noroshi.service.supervisor import Supervisor
from noroshi.sharing import partner_party
from noroshi.sharing.streams import LANES, streams_of
from noroshi.tracking import arc_state, free_fall_arc, warm

SENDER, RECEIVER = "JPN", "USA"

OBJECTS = 4
LANE_DEG = 0.6
"""Objects fly side by side, so far apart in latitude that they are never taken for one another."""

LOOKS = 16
"""Looks at all objects that are given together: what the shell makes durable in one or two commits."""

LOOK_S = 0.01
"""Least time between two looks at one object."""

SEEN_S = 900.0
"""Of its arc an object is followed for so long; then it would fall."""

MUST_S = 2.0
POLL_S = 0.002
LOST_S = 1800.0
"""A row that has no receipt after so long counts as lost."""


@dataclass(frozen=True, slots=True)
class Size:
    """runs: each with new nodes; increments: queued in each."""

    runs: int
    increments: int


FULL = Size(runs=1, increments=100_000)
QUICK = Size(runs=1, increments=1_500)


@dataclass(frozen=True, slots=True)
class _Healed:
    """Of one run: rows queued, by lane; seconds until all warnings, and all rows, were receipted; rows wrong."""

    queued: tuple[int, ...]
    warnings_s: float
    all_s: float
    wrong: int


def run(*, quick: bool, seed: int, progress: Callable[[str], None], size: Size | None = None) -> list[Result]:
    """All rows of the benchmark. Raises LocalError when rows get no receipt, NodeEndedError when a node cannot run."""
    size = size or (QUICK if quick else FULL)
    warm()
    found = []
    for number in range(size.runs):
        progress(f"heal: run {number + 1} of {size.runs}, a partition with {size.increments} increments")
        with tempfile.TemporaryDirectory(prefix="noroshi-bench-") as folder:
            healed = asyncio.run(_run(coalition(), Path(folder), seed + number, size.increments, progress))
        found.append(healed)
    return [
        result(
            "heal", "queued warnings receipted after", [one.warnings_s for one in found], "s",
            must=f"at most {MUST_S:g} s", holds=lambda value, _: value <= MUST_S,
        ),
        result("heal", "warnings among them", [float(one.queued[Lane.WARNING]) for one in found], "rows"),
        result("heal", "increments", [float(one.queued[Lane.TRACK]) for one in found], "rows"),
        result("heal", "all receipted after", [one.all_s for one in found], "s"),
        result(
            "heal", "rows lost, repeated or out of order", [float(one.wrong) for one in found], "rows",
            must="none", holds=lambda value, _: value == 0,
        ),
    ]  # fmt: skip


async def _run(
    joined: Coalition, folder: Path, seed: int, increments: int, progress: Callable[[str], None]
) -> _Healed:
    by_partner = {one.config.partner: one for one in directories(joined, folder)}
    sender, receiver = by_partner[SENDER], by_partner[RECEIVER]
    party = partner_party(RECEIVER)
    notes: list[str] = []
    async with (
        Supervisor({receiver.config.node: receiver.path}, restart=False),
        _shell(sender, notes) as shell,
    ):
        await _queue(shell, party, joined, seed, increments, progress)
        progress(f"heal: queued {_told(shell.sent(party).upto)}; the line comes back")
        links = NodeLinks(shell, sender, notes.append)
        begun_s = time.perf_counter()
        await links.start()
        try:
            queued = shell.sent(party).upto
            warnings_s = await _receipted(shell, party, queued, (Lane.WARNING,), begun_s)
            progress(f"heal: {queued[Lane.WARNING]} warnings receipted after {warnings_s:.2f} s")
            all_s = await _receipted(shell, party, queued, LANES, begun_s)
            progress(f"heal: all receipted after {all_s:.1f} s")
        finally:
            await links.close()
    return _Healed(queued, warnings_s, all_s, wrong_rows(sender, receiver, queued))


@asynccontextmanager
async def _shell(directory: NodeDir, notes: list[str]) -> AsyncIterator[NodeShell]:
    """The sender's shell on a new record."""
    genesis, secrets, places = directory.genesis(), directory.secrets(), decode(packaged_places())
    clock = RealClock()
    with SqliteStore.open(directory.record_path, realm=genesis.realm, node=genesis.node) as store:
        node, commit = Node.begin(clock.now_ns(), genesis, secrets, places)
        store.append([commit.batch])

        def recover() -> Node:
            return Node.replay("record", store.records(), secrets, places)

        shell = NodeShell(node, store, clock, recover=recover, note=notes.append, disk=store)
        working = asyncio.ensure_future(shell.run())
        try:
            yield shell
        finally:
            shell.stop()
            await working


async def _queue(
    shell: NodeShell,
    party: str,
    joined: Coalition,
    seed: int,
    increments: int,
    progress: Callable[[str], None],
) -> None:
    """Gives looks until so many increments wait for the partner."""
    looks = _looks(joined, seed, shell.clock.now_ns())
    sequence, told = 0, 0
    while (queued := shell.sent(party).upto[Lane.TRACK]) < increments:
        if queued - told >= increments // 4:
            told = queued
            progress(f"heal: {queued} increments queued")
        given: list[Detections] = []
        while len(given) < LOOKS:
            time_ns, value = next(looks)
            if time_ns > shell.clock.now_ns():
                await asyncio.sleep((time_ns - shell.clock.now_ns()) / NS_PER_S)
            sequence += 1
            given.append(
                Detections(
                    feed=RADAR, sequence=sequence, sensor=RADAR, time_ns=(time_ns,) * OBJECTS, value=value
                )
            )
        for answer in await asyncio.gather(*map(shell.give, given)):
            if answer.outcome != "accepted":
                raise LocalError("queue increments", cause=f"looks were {answer.outcome}: {answer.reason}")


def _looks(
    joined: Coalition, seed: int, begun_ns: int
) -> Iterator[tuple[int, tuple[tuple[float, float, float], ...]]]:
    """Looks at all objects from now on: time, and range, azimuth, elevation of each."""
    radar = joined.scenario.sensors[0]
    site = (math.radians(radar.lat_deg), math.radians(radar.lon_deg), radar.height_m)
    sigma = (SIGMA_RANGE_M, SIGMA_MRAD / 1e3, SIGMA_MRAD / 1e3)
    after_s = np.arange(0.0, SEEN_S, LOOK_S)
    columns = []
    for number in range(OBJECTS):
        lane = math.radians(FIRST_LAT_DEG + LANE_DEG * number)
        arc = free_fall_arc(lane, math.radians(LAUNCH_LON_DEG), AZIMUTH_RAD, RANGE_M, APOGEE_M)
        states = arc_state(arc, SEEN_FROM_S + after_s)
        noise = stream(entropy(seed, "bench"), "noise", number).standard_normal((len(after_s), 3)) * sigma
        columns.append(np.column_stack(look_angles(states[:, :3], *site)) + noise)
    for place, at_s in enumerate(after_s):
        rows = tuple((float(one[place, 0]), float(one[place, 1]), float(one[place, 2])) for one in columns)
        yield begun_ns + seconds(float(at_s)), rows
    raise LocalError(
        "queue increments", cause=f"the objects fell before all were queued, after {SEEN_S:.0f} s"
    )


async def _receipted(
    shell: NodeShell, party: str, queued: tuple[int, ...], lanes: tuple[Lane, ...], begun_s: float
) -> float:
    """Seconds until the partner has receipted all that was queued in these lanes."""
    try:
        async with asyncio.timeout(LOST_S):
            while any(shell.durable_there(party).upto[lane] < queued[lane] for lane in lanes):
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        there = _told(shell.durable_there(party).upto)
        raise LocalError(
            "heal the line", cause=f"only {there} were receipted within {LOST_S:.0f} s"
        ) from None
    return time.perf_counter() - begun_s


def wrong_rows(sender: NodeDir, receiver: NodeDir, queued: tuple[int, ...]) -> int:
    """Rows that the receiver's record does not have just once and in order, lane by lane, as the sender's has them.

    queued: the rows of each lane that must be there; the sender may have more, still under way, and no others are heard.
    """
    party = partner_party(sender.config.partner)
    heard: dict[int, list[bytes]] = {lane: [] for lane in LANES}
    with RecordFile(receiver.record_path) as file:
        for record in file.records():
            given = decode_input(record.body or b"") if record.type == "received" else None
            if isinstance(given, Received) and given.party == party:
                heard[given.lane].append(given.raw)
    wrong = 0
    with RecordFile(sender.record_path) as file:
        for lane, name in zip(LANES, streams_of(partner_party(receiver.config.partner)), strict=True):
            sent = [row.data for row in file.outbox(name, 0, file.streams().get(name, 0))]
            places = Counter(map(hash, heard[lane]))
            if len(heard[lane]) < queued[lane] or sent[: len(heard[lane])] != heard[lane]:
                wrong += (
                    sum(places[hash(one)] != 1 for one in sent[: max(queued[lane], len(heard[lane]))]) or 1
                )
    return wrong


def _told(upto: tuple[int, ...]) -> str:
    return ", ".join(f"{upto[lane]} {lane.name.lower()}s" for lane in LANES)
