"""Setting up an exercise among processes: directories for its nodes, lines between them, and one clock for all.

directories = make_directories(coalition, folder / "nodes")
directories, lines = await make_lines(coalition, directories, speed)
begun = await start_nodes(coalition, directories, speed, note, say)
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from noroshi.clock import NS_PER_S
from noroshi.exercise.coalition import Coalition
from noroshi.service import node_dir
from noroshi.service.clocks import ScaledClock
from noroshi.service.cot_config import CotConfig, CotGroup, CotServer
from noroshi.service.demo_line import Line
from noroshi.service.files import write_file
from noroshi.service.node_config import ClockConfig, PageLink
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.record_file import RECORD_NAME
from noroshi.service.supervisor import Supervisor

HOST = "127.0.0.1"
FIRST_PAGE_PORT, FIRST_LINK_PORT = 8701, 8711
"""Tried first, one after the other for each partner, so that addresses stay the same from run to run."""

LEAD_S = (8.0, 20.0, 60.0)
"""How long the exercise's clock stands after the nodes are started; the next where they took longer."""

Say = Callable[[str], None]
Lines = dict[frozenset[str], Line]


def make_directories(coalition: Coalition, folder: Path, *, usual: bool) -> dict[str, NodeDir]:
    """A directory for each node, by its name: on free ports, pinned to one another, with one page token for all.

    usual: the same ports each time, if they are free, since somebody looks at the pages.
    """
    members = coalition.members
    ports = _ports if usual else _free
    page_ports = ports(FIRST_PAGE_PORT, len(members))
    link_ports = ports(FIRST_LINK_PORT, len(members))
    made: list[NodeDir] = []
    for member, page_port, link_port in zip(members, page_ports, link_ports, strict=True):
        made.append(
            node_dir.create(
                folder / member.node,
                realm=coalition.realm,
                partner=member.trigraph,
                node=member.node,
                link_port=link_port,
                page_port=page_port,
                genesis=member.genesis,
                secrets=member.secrets,
            )
        )
    joined = node_dir.join(_one_token(made), members[0].genesis.wires)
    pages = [
        PageLink(
            partner=member.trigraph, name=member.partner.name, node=member.node, url=directory.page_address
        )
        for member, directory in zip(members, joined, strict=True)
    ]
    return {directory.config.node: directory.with_pages(pages) for directory in joined}


def with_clients(directories: Mapping[str, NodeDir], first_port: int, say: Say) -> dict[str, NodeDir]:
    """The directories with a gateway each for clients of Cursor on Target that follow the partner's staff."""
    made = {}
    for place, (name, one) in enumerate(directories.items()):
        port, partner = first_port + place, one.config.partner
        group = CotGroup(name="staff", partners=(partner,))
        cot = CotConfig(groups=(group,), servers=(CotServer(group="staff", port=port),))
        made[name] = one.with_config(msgspec.structs.replace(one.config, cot=cot))
        say(f"Clients of Cursor on Target follow {partner}'s staff on {HOST}:{port}")
    return made


async def make_lines(
    coalition: Coalition, directories: Mapping[str, NodeDir], speed: float
) -> tuple[dict[str, NodeDir], Lines]:
    """Puts a line between each pair: the side that dials gets the line's port for its partner's."""
    node_of = {member.trigraph: member.node for member in coalition.members}
    made, lines = dict(directories), Lines()
    for link in coalition.scenario.links:
        listener, dialler = sorted(link.between)
        target = made[node_of[listener]]
        dialling = made[node_of[dialler]]
        peer = dialling.config.peer(listener)
        if peer is None:
            continue
        port = free_ports(1, HOST)[0]
        line = Line(HOST, port, target.config.link.port, link.delay_s / speed)
        await line.start()
        lines[frozenset(link.between)] = line
        pem = dialling.peer_certificate(listener)
        made[node_of[dialler]] = dialling.with_peer(msgspec.structs.replace(peer, port=port), pem)
    return made, lines


@dataclass(frozen=True, slots=True)
class Begun:
    """Nodes that run as processes, and the clock of the exercise, which is theirs as well."""

    directories: Mapping[str, NodeDir]
    supervisor: Supervisor
    clock: ScaledClock


async def start_nodes(
    coalition: Coalition,
    directories: Mapping[str, NodeDir],
    speed: float,
    note: Callable[[str, str], None],
    say: Say,
) -> Begun:
    """Starts the nodes with one clock; again with a later one where they took too long. Raises OperatorError."""
    for lead_s in LEAD_S:
        anchor_ns = time.time_ns() + round(lead_s * NS_PER_S)
        clock = ClockConfig(mode="scaled", start_ns=coalition.start_ns, anchor_unix_ns=anchor_ns, speed=speed)
        timed = {name: one.with_clock(clock) for name, one in directories.items()}
        supervisor = Supervisor({name: one.path for name, one in timed.items()}, note=note)
        await supervisor.start()
        if time.time_ns() < anchor_ns or lead_s == LEAD_S[-1]:
            return Begun(timed, supervisor, ScaledClock(coalition.start_ns, anchor_ns, speed))
        say("The nodes were slow to start; the clock is set anew")
        await supervisor.stop()
        for one in timed.values():
            for path in one.path.glob(f"{RECORD_NAME}*"):
                path.unlink()
    raise AssertionError("the last lead is always taken")


def _ports(first: int, count: int) -> Sequence[int]:
    """The usual ports if all are free, else any free ones."""
    usual = list(range(first, first + count))
    for port in usual:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                return free_ports(count, HOST)
    return usual


def _free(_: int, count: int) -> Sequence[int]:
    return free_ports(count, HOST)


def _one_token(directories: Sequence[NodeDir]) -> list[NodeDir]:
    """One page token for all nodes of the exercise, so that a person can go from page to page."""
    first = directories[0]
    token = first.page_token()
    made = []
    for one in directories:
        write_file(one.path / "keys" / "page.token", token.encode(), 0o600)
        page = msgspec.structs.replace(one.config.page, token_sha256=first.config.page.token_sha256)
        made.append(one.with_config(msgspec.structs.replace(one.config, page=page)))
    return made
