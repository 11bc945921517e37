"""The `end-to-end` benchmark: from the detection that meets Japan's warning rule to the warning on a Korean screen.

Each event is a new simulated object. Japan's node is given all its measurements but one; then the last, which tips the
rule. The clock starts when that one is handed over (HTTP) and stops when the warning comes to a WebSocket client of
the Korean node, through the node of the United States: tracked, drafted, signed, committed with a full sync, sent over
mutual TLS, verified and committed again at both other nodes. Three processes and this one share the machine.
"""

from __future__ import annotations

import asyncio
import gc
import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from noroshi.cli.benches.report import Result, result
from noroshi.cli.benches.three_nodes import RADAR, ROWS, SIGMA_MRAD, SIGMA_RANGE_M, coalition, three_nodes
from noroshi.clock import NS_PER_S, seconds
from noroshi.errors import LocalError
from noroshi.exercise.coalition import Coalition
from noroshi.exercise.draws import entropy, stream, uniform
from noroshi.exercise.scenario import Sensor
from noroshi.geo.frames import look_angles
from noroshi.node.inputs import Detections
from noroshi.node.warn import EAGER_S
from noroshi.service.client import NodeClient
from noroshi.sharing.link import TICK_NS
from noroshi.tracking import arc_state, free_fall_arc, warm

ORIGIN, NEXT_HOP, FAR = "JPN", "USA", "KOR"

LANES = 10
LANE_DEG = 0.6
FIRST_LAT_DEG, LAUNCH_LON_DEG, AZIMUTH_RAD = 37.4, 126.4, math.radians(84.8)
RANGE_M, APOGEE_M = 4_600e3, 1_000e3
SEEN_FROM_S = 150.0
"""Objects fly the packaged arc side by side, 67 km apart, and are first seen so long after their start. A lane is used
again after ten events, when its last object is far ahead."""

LEAD_S = 0.25
"""From the earlier measurements to the deciding one: a young picture is looked at each `EAGER_S` at most. To it comes
a part of a link's tick, drawn anew for each event: else all would follow the tick of the one before."""

PAUSE_S = 0.05
LOST_S = 20.0
"""A warning that takes so long counts as lost, and a lost one is a defect."""

MUST_MS = 250.0


@dataclass(frozen=True, slots=True)
class Size:
    """rounds: times that three new nodes are started; events: objects in each."""

    rounds: int
    events: int


FULL = Size(rounds=8, events=26)
QUICK = Size(rounds=1, events=12)


@dataclass(frozen=True, slots=True)
class Event:
    """Milliseconds from handing over the deciding detection to: each partner's staff client; the answer of the node."""

    shown_ms: dict[str, float]
    answered_ms: float


def run(*, quick: bool, seed: int, progress: Callable[[str], None], size: Size | None = None) -> list[Result]:
    """All rows of the benchmark. Raises LocalError when a warning is lost, NodeEndedError when a node cannot run."""
    size = size or (QUICK if quick else FULL)
    warm()  # the nodes then find their numerical code compiled
    found: list[Event] = []
    for number in range(size.rounds):
        progress(f"end-to-end: round {number + 1} of {size.rounds}, starting three nodes")
        joined = coalition()
        with tempfile.TemporaryDirectory(prefix="noroshi-bench-") as folder:
            found += asyncio.run(_round(joined, Path(folder), seed + number, size.events))
        slowest = max(one.shown_ms[FAR] for one in found[-size.events :])
        progress(f"end-to-end: {size.events} warnings, the slowest after {slowest:.0f} ms")
    return _results(found)


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


async def _round(joined: Coalition, folder: Path, seed: int, events: int) -> list[Event]:
    gc.collect()
    gc.freeze()  # a collection here would be measured as if the nodes were slow
    async with three_nodes(joined, folder) as clients:
        watch = _Watch()
        following = [
            asyncio.create_task(client.follow(watch.taker(partner), hello=watch.hello))
            for partner, client in clients.items()
        ]
        try:
            await watch.connected(len(clients))
            radar = joined.scenario.sensors[0]
            return [await _event(clients[ORIGIN], watch, radar, seed, number) for number in range(events)]
        finally:
            for task in following:
                task.cancel()
            await asyncio.gather(*following, return_exceptions=True)


class _Watch:
    """When Japan's newest warning came to each partner's staff."""

    def __init__(self) -> None:
        self.shown_s: dict[str, float] = {}
        self._news = asyncio.Event()
        self._greeted = 0

    def hello(self, _: dict[str, Any]) -> None:
        self._greeted += 1
        self._news.set()

    def taker(self, partner: str) -> Callable[[int, dict[str, Any]], None]:
        def take(_: int, row: dict[str, Any]) -> None:
            if row["type"] == "warning" and row["partner"] == ORIGIN and row["state"] == "issued":
                self.shown_s[partner] = time.perf_counter()
                self._news.set()

        return take

    async def connected(self, count: int) -> None:
        await self._until(lambda: self._greeted >= count, "follow the nodes")

    async def all_shown(self) -> None:
        await self._until(lambda: len(self.shown_s) == 3, "measure a warning")

    async def _until(self, held: Callable[[], bool], operation: str) -> None:
        try:
            async with asyncio.timeout(LOST_S):
                while not held():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            cause = f"it came to {', '.join(sorted(self.shown_s)) or 'nobody'} within {LOST_S:.0f} s"
            raise LocalError(operation, cause=cause) from None


async def _event(client: NodeClient, watch: _Watch, radar: Sensor, seed: int, number: int) -> Event:
    """One object: its earlier measurements, a pause, the deciding one."""
    lead_s = LEAD_S + uniform(entropy(seed, "bench"), "phase", number) * TICK_NS / NS_PER_S
    last_ns = time.time_ns() + seconds(lead_s)
    *earlier, deciding = detections(radar, seed, number, last_ns)
    watch.shown_s.clear()
    await _give(client, earlier)
    await asyncio.sleep(max(EAGER_S, (last_ns - time.time_ns()) / NS_PER_S))
    if watch.shown_s:
        raise LocalError("measure a warning", subject=f"event {number + 1}", cause="it came too early")
    start_s = time.perf_counter()
    await _give(client, [deciding])
    answered_s = time.perf_counter()
    await watch.all_shown()
    await asyncio.sleep(PAUSE_S)
    shown_ms = {partner: 1e3 * (at_s - start_s) for partner, at_s in watch.shown_s.items()}
    return Event(shown_ms, 1e3 * (answered_s - start_s))


async def _give(client: NodeClient, given: list[Detections]) -> None:
    for answer in await client.give(given):
        if answer.outcome != "accepted":
            raise LocalError("measure a warning", cause=f"a detection was {answer.outcome}: {answer.reason}")


def detections(radar: Sensor, seed: int, number: int, last_ns: int) -> list[Detections]:
    """The looks of one object, one a second, the last at `last_ns`."""
    lane = math.radians(FIRST_LAT_DEG + LANE_DEG * (number % LANES))
    arc = free_fall_arc(lane, math.radians(LAUNCH_LON_DEG), AZIMUTH_RAD, RANGE_M, APOGEE_M)
    states = arc_state(arc, SEEN_FROM_S + np.arange(ROWS))
    site = (math.radians(radar.lat_deg), math.radians(radar.lon_deg), radar.height_m)
    sigma = (SIGMA_RANGE_M, SIGMA_MRAD / 1e3, SIGMA_MRAD / 1e3)
    noise = stream(entropy(seed, "bench"), "noise", number).standard_normal((ROWS, 3)) * sigma
    value = np.column_stack(look_angles(states[:, :3], *site)) + noise
    return [
        Detections(
            feed=RADAR,
            sequence=number * ROWS + index + 1,
            sensor=RADAR,
            time_ns=(last_ns - seconds(ROWS - 1 - index),),
            value=((float(row[0]), float(row[1]), float(row[2])),),
        )
        for index, row in enumerate(value)
    ]


def _results(found: list[Event]) -> list[Result]:
    far = [one.shown_ms[FAR] for one in found]
    rows = [
        _at("detection to warning at C, p50", far, 0.50),
        _at("detection to warning at C, p99", far, 0.99, must=f"at most {MUST_MS:.0f} ms"),
        _at("detection to warning at C, max", far, 1.0),
    ]
    parts = {
        "part: to the answer of A": [one.answered_ms for one in found],
        "part: to the warning at A": [one.shown_ms[ORIGIN] for one in found],
        "part: to the warning at B": [one.shown_ms[NEXT_HOP] for one in found],
    }
    return rows + [result("end-to-end", name, values, "ms") for name, values in parts.items()]


def _at(measure: str, values: list[float], share: float, must: str = "") -> Result:
    return Result(
        name="end-to-end",
        measure=measure,
        value=percentile(values, share),
        unit="ms",
        runs=len(values),
        low=min(values),
        high=max(values),
        must=must,
        held=percentile(values, share) <= MUST_MS if must else None,
    )
