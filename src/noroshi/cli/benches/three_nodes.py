"""Three real nodes on loopback for a benchmark: processes, mutual TLS, SQLite with a full sync, the machine's own clock.

The coalition is that of the packaged scenario under its own structure (trilateral), in a realm of its own with fresh
keys, with one notional radar of Japan's and a rule that makes the last of `ROWS` measurements the one that warns.

    async with three_nodes(folder) as clients: await clients["JPN"].give([...])
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from noroshi.clock import to_iso
from noroshi.errors import LocalError
from noroshi.exercise.coalition import Coalition, found
from noroshi.exercise.scenario import Scenario
from noroshi.geo.places import decode
from noroshi.messages import Ed25519
from noroshi.service import node_dir
from noroshi.service.client import NodeClient
from noroshi.service.exercise_files import PACKAGED_SCENARIO, stage
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.resources import packaged_places
from noroshi.service.supervisor import Supervisor

ROWS = 12
"""Measurements of an object before it is warned of: after so many it is known well enough for a warning."""

RADAR = "jp-sado"
SIGMA_RANGE_M, SIGMA_MRAD = 20.0, 0.3
"""Of the benchmark's radar, notional: objects 60 km apart are never taken for one another."""

LINKS_UP_S = 20.0
KEPT_NOTES = 3
"""What the nodes said last, told when a measurement fails."""


def coalition(
    changed: Callable[[Scenario], Scenario] = lambda scenario: scenario, entropy: bytes = b""
) -> Coalition:
    """The three nations from now on. changed: what the scenario is to be made of the usual one.

    entropy: from which their keys follow; fresh ones without.
    """
    staged = stage(PACKAGED_SCENARIO)
    return found(
        changed(_scenario(staged.scenario)),
        staged.structure,
        staged.catalogue,
        entropy=entropy or os.urandom(32),
        scheme=Ed25519(),
        places_digest=decode(packaged_places()).digest,
    )


def _scenario(packaged: Scenario) -> Scenario:
    radar = next(sensor for sensor in packaged.sensors if sensor.id == RADAR)
    partners = tuple(
        msgspec.structs.replace(one, rules=msgspec.structs.replace(one.rules, minimum_updates=ROWS))
        for one in packaged.partners
    )
    return msgspec.structs.replace(
        packaged,
        id="bench",
        title="Benchmark: one warning from end to end",
        start=to_iso(time.time_ns()),
        partners=partners,
        sensors=(
            msgspec.structs.replace(
                radar,
                sigma_range_m=SIGMA_RANGE_M,
                sigma_azimuth_mrad=SIGMA_MRAD,
                sigma_elevation_mrad=SIGMA_MRAD,
            ),
        ),
        injects=(),
        expectations=(),
    )


@contextlib.asynccontextmanager
async def three_nodes(joined: Coalition, folder: Path) -> AsyncIterator[dict[str, NodeClient]]:
    """Starts a process for each node in `folder`; a client for each partner once all links are up.

    Stops everything at the end. Raises NodeEndedError when a node cannot run, LocalError when the links stay down.
    """
    made = directories(joined, folder)
    paths = {one.config.node: one.path for one in made}
    clients = {
        one.config.partner: NodeClient(
            one.page_address, page_token=one.page_token(), feed_token=one.feed_token()
        )
        for one in made
    }
    notes: list[str] = []
    async with Supervisor(paths, restart=False, note=lambda name, text: notes.append(f"{name}: {text}")):
        try:
            await _until_joined(clients, joined)
            yield clients
        except LocalError as error:
            said = "; ".join(notes[-KEPT_NOTES:]) or "nothing"
            raise LocalError(
                error.operation, subject=error.subject, cause=error.cause, hint=f"the nodes said: {said}"
            ) from None
        finally:
            for client in clients.values():
                await client.close()


def directories(joined: Coalition, folder: Path) -> list[NodeDir]:
    """The three nodes' directories in `folder`, pinned to one another as the coalition's links are."""
    ports = iter(free_ports(2 * len(joined.members)))
    made = [
        node_dir.create(
            folder / member.node,
            realm=joined.realm,
            partner=member.trigraph,
            node=member.node,
            link_port=next(ports),
            page_port=next(ports),
            genesis=member.genesis,
            secrets=member.secrets,
        )
        for member in joined.members
    ]
    return node_dir.join(made, joined.members[0].genesis.wires)


async def _until_joined(clients: dict[str, NodeClient], joined: Coalition) -> None:
    """Waits until both ends of every link say that it is up."""
    partner_of = joined.members[0].genesis.node_partners
    wanted = {
        (partner_of[a], partner_of[b])
        for pair in joined.members[0].genesis.wires
        for a, b in (pair, pair[::-1])
    }
    up: set[tuple[str, str]] = set()
    all_up = asyncio.Event()

    def watch(own: str) -> Any:
        def take(_: int, row: dict[str, Any]) -> None:
            if row["type"] == "link":
                (up.add if row["state"] == "up" else up.discard)((own, row["partner"]))
                if up == wanted:
                    all_up.set()

        return take

    following = [asyncio.create_task(client.follow(watch(own))) for own, client in clients.items()]
    try:
        await asyncio.wait_for(all_up.wait(), LINKS_UP_S)
    except TimeoutError:
        missing = ", ".join(f"{a} to {b}" for a, b in sorted(wanted - up))
        raise LocalError(
            "join the nodes", subject=missing, cause=f"not up within {LINKS_UP_S:.0f} s"
        ) from None
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
