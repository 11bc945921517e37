"""Real nodes as real processes: what one sees reaches the others, also the one that was killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from noroshi.clock import NS_PER_S, seconds
from noroshi.exercise.coalition import Coalition, found
from noroshi.exercise.world import looks
from noroshi.geo.placefile import table_path
from noroshi.geo.places import decode
from noroshi.log import verified
from noroshi.messages.signing import Ed25519
from noroshi.node.inputs import Detections, Received, decode_input
from noroshi.service import node_dir
from noroshi.service.client import NodeClient
from noroshi.service.exercise_files import PACKAGED_SCENARIO, stage
from noroshi.service.node_check import check_node
from noroshi.service.node_config import ClockConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.record_file import read_records
from noroshi.service.resources import packaged_places
from noroshi.service.supervisor import Supervisor
from tests.service.conftest import ROOT, until

SPEED = 5.0
SEEN_S = 20.0
"""How much of the flight is played, on the exercise's clock."""


def coalition() -> Coalition:
    if not table_path().is_file():
        pytest.skip("needs the table of places: `make places`")
    staged = stage(PACKAGED_SCENARIO, "trilateral", None)
    return found(
        staged.scenario,
        staged.structure,
        staged.catalogue,
        entropy=bytes(range(32)),
        scheme=Ed25519(),
        places_digest=decode(packaged_places()).digest,
    )


def directories(made: Coalition, folder: Path) -> dict[str, NodeDir]:
    ports = iter(free_ports(2 * len(made.members)))
    created = [
        node_dir.create(
            folder / one.node, realm=made.realm, partner=one.trigraph, node=one.node, secrets=one.secrets,
            genesis=one.genesis, link_port=next(ports), page_port=next(ports),
        )
        for one in made.members
    ]  # fmt: skip
    return {one.config.node: one for one in node_dir.join(created, made.members[0].genesis.wires)}


@pytest.mark.slow
def test_three_nodes_share_a_flight_through_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT / "src"), os.environ.get("PYTHONPATH", ""))))
    made = coalition()
    seen = looks(made, b"k" * 32)
    start_ns = seen[0].time_ns - seconds(2.0)
    played = [look for look in seen if look.time_ns < start_ns + seconds(SEEN_S)]
    rows: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)

    async def scenario() -> None:
        nodes = directories(made, tmp_path)
        anchor_ns = time.time_ns() + 4 * NS_PER_S
        clock = ClockConfig(mode="scaled", start_ns=start_ns, anchor_unix_ns=anchor_ns, speed=SPEED)
        nodes = {name: one.with_clock(clock) for name, one in nodes.items()}
        now = clock.clock()
        async with Supervisor({name: one.path for name, one in nodes.items()}) as running:
            clients = {
                name: NodeClient(one.page_address, page_token=one.page_token(), feed_token=one.feed_token())
                for name, one in nodes.items()
            }
            following = [
                asyncio.create_task(client.follow(lambda n, row, name=name: rows[name].setdefault(n, row)))  # type: ignore[misc]  # a bound default
                for name, client in clients.items()
            ]
            giving = []
            for index, look in enumerate(played):
                await asyncio.sleep(now.delay_s(look.time_ns))
                giving.append(asyncio.create_task(clients[look.node].give([look.detections])))
                if index == len(played) // 2:
                    running.kill("usa")
            await asyncio.gather(*giving)
            await running.until_ready("usa")
            forged = await clients["jpn"].give([Received(party="post:jp-pm.duty", number=0, raw=b"forged")])
            assert forged[0].outcome == "refused"
            for name, others in (("jpn", {"USA", "KOR"}), ("usa", {"JPN", "KOR"}), ("kor", {"JPN", "USA"})):
                await until(lambda name=name, others=others: others <= openers(rows[name]), 30.0)  # type: ignore[misc]  # bound defaults
            for task in following:
                task.cancel()
            for client in clients.values():
                await client.close()

    asyncio.run(scenario())
    given: dict[str, list[int]] = defaultdict(list)
    for name in ("jpn", "usa", "kor"):
        for check in check_node(tmp_path / name):
            assert check.met, f"{name}: {check.name}: {check.detail}"
        for record in verified(name, read_records(tmp_path / name / "record.db")):
            if record.type == "detections" and isinstance(
                one := decode_input(record.body or b""), Detections
            ):
                given[one.feed].append(one.sequence)
    for feed in {look.detections.feed for look in played}:
        wanted = [look.detections.sequence for look in played if look.detections.feed == feed]
        assert sorted(set(given[feed])) == wanted


def openers(rows: dict[int, dict[str, Any]]) -> set[str]:
    """The partners of whose events a node has heard."""
    return {row["partner"] for row in rows.values() if row["type"] == "event" and row["step"] == "opened"}
