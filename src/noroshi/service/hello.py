"""What a node says of itself first: the `hello` of the staff's stream, and of `/api/info`."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from noroshi.messages.trust import REAL
from noroshi.node.inputs import Genesis
from noroshi.service.clocks import RunningClock
from noroshi.service.node_config import NodeConfig

NS_PER_MS = 1_000_000


def hello(genesis: Genesis, config: NodeConfig, attribution: str) -> dict[str, Any]:
    """The object without its time; `timed` adds that. attribution: of the table of places."""
    structure = genesis.structure
    return {
        "type": "hello",
        "realm": genesis.realm,
        "realm_kind": "real" if genesis.realm == REAL else "exercise",
        "title": genesis.title,
        "partner": genesis.partner,
        "node": genesis.node,
        "structure": {"id": structure.id, "title": structure.title},
        "partners": _partners(genesis, config),
        "neighbours": _neighbours(genesis),
        "units": {unit.id: unit.name for unit in structure.units},
        "attribution": attribution,
        "version": version(),
    }


def timed(hello: dict[str, Any], clock: RunningClock) -> dict[str, Any]:
    """The object as it stands now."""
    return {
        **hello,
        "start_ms": clock.start_ns // NS_PER_MS,
        "now_ms": clock.now_ns() // NS_PER_MS,
        "speed": clock.speed,
    }


def version() -> str:
    """The installed version, or `unknown` when it runs from a bare tree."""
    try:
        return metadata.version("noroshi")
    except metadata.PackageNotFoundError:
        return "unknown"


def _neighbours(genesis: Genesis) -> list[str]:
    """The partners to whom this node has a link; the others are reached through them or not at all."""
    ends = [set(wire) for wire in genesis.wires if genesis.node in wire]
    return sorted({genesis.node_partners[node] for pair in ends for node in pair} - {genesis.partner})


def _partners(genesis: Genesis, config: NodeConfig) -> list[dict[str, str]]:
    known = {page.partner: page for page in config.pages}
    found = []
    for node, partner in genesis.node_partners.items():
        page = known.get(partner)
        found.append(
            {
                "partner": partner,
                "name": page.name if page else partner,
                "node": node,
                "url": page.url if page else "",
            }
        )
    return found
