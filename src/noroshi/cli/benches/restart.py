"""The `restart` benchmark: how long a node with a million messages takes from the start of its process until it listens.

The record is made here, by the node itself: four partners' posts sign words of 512 bytes with Ed25519, the hub's core
handles each, and its commits go to its real record, in groups. Only one thing is left out, and only while the record is
made: whoever has just signed need not check the signature. The snapshot is kept as long before the end as the shell
would have let it be: as many records follow it as make the next one due. The node is then started as an operator starts
it, and takes all of those in again, signatures and all.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from noroshi.cli.benches.report import Result, result
from noroshi.cli.benches.star import HUB, OUTER, Star
from noroshi.errors import LocalError
from noroshi.geo.places import decode
from noroshi.log import Batch
from noroshi.messages import Ed25519
from noroshi.messages.kinds import Lane
from noroshi.node import Node
from noroshi.node.inputs import Received
from noroshi.service import node_dir
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.resources import packaged_places
from noroshi.service.snapshots import SNAPSHOT_RECORDS
from noroshi.service.sqlite_store import SqliteStore
from noroshi.service.supervisor import Supervisor
from noroshi.sharing import partner_party
from noroshi.tracking import warm

MUST_S = 10.0
GROUP = 512
"""Commits in one transaction while the record is made."""

RECORDS_PER_MESSAGE = 2
"""The message, and what was decided about its release."""


@dataclass(frozen=True, slots=True)
class Size:
    """messages: on the record; starts: how often the node is started on it."""

    messages: int
    starts: int


FULL = Size(messages=1_000_000, starts=5)
QUICK = Size(messages=5_000, starts=1)


@dataclass(frozen=True, slots=True)
class _Start:
    """Seconds from the start of the process to the line that says that it listens; of these those for the node itself;
    and of processor time.
    """

    whole_s: float
    replayed_s: float
    processor_s: float


class _JustSigned(Ed25519):
    """Takes for good what was signed a moment ago in this process, and checks all else."""

    def __init__(self) -> None:
        super().__init__()
        self.signed: set[bytes] = set()

    def sign(self, secret: bytes, data: bytes) -> bytes:
        signature = super().sign(secret, data)
        self.signed.add(signature)
        return signature

    def verify(self, public: bytes, data: bytes, signature: bytes) -> bool:
        return signature in self.signed or super().verify(public, data, signature)


def run(*, quick: bool, seed: int, progress: Callable[[str], None], size: Size | None = None) -> list[Result]:
    """All rows of the benchmark. Raises LocalError when a message is not kept, NodeEndedError when no node can run."""
    size = size or (QUICK if quick else FULL)
    warm()
    with tempfile.TemporaryDirectory(prefix="noroshi-bench-") as folder:
        hub, bytes_ = build(Path(folder), size.messages, progress)
        taken = asyncio.run(_starts(hub, size, progress))
    name = f"process start to listening, {size.messages:,} messages"
    return [
        result(
            "restart", name, [one.whole_s for one in taken], "s",
            must=f"under {MUST_S:g} s", holds=lambda value, _: value < MUST_S,
        ),
        result("restart", "part: the node from its record", [one.replayed_s for one in taken], "s"),
        result("restart", "processor time of the process until then", [one.processor_s for one in taken], "s"),
        result("restart", "size of the record", [bytes_ / 1e6], "MB"),
    ]  # fmt: skip


def build(folder: Path, messages: int, progress: Callable[[str], None]) -> tuple[NodeDir, int]:
    """A node's directory with so many messages on its record, and the record's size in bytes."""
    star, scheme = Star.found(), _JustSigned()
    star = Star(star.genesis, star.secrets, scheme, star.speakers)
    hub = _directory(star, folder)
    now_ns = time.time_ns()
    node, commit = Node.begin(now_ns, star.genesis, star.secrets, decode(packaged_places()))
    node.state.trust.scheme = scheme
    snapshot_at = max(0, messages - SNAPSHOT_RECORDS // RECORDS_PER_MESSAGE)
    with SqliteStore.open(hub.record_path, realm=hub.config.realm, node=hub.config.node) as store:
        group = [commit.batch]
        for number, given in enumerate(_inputs(star, messages), 1):
            group.append(_kept(node, given))
            if len(group) == GROUP or number in (snapshot_at, messages):
                store.append(group)
                group = []
                scheme.signed.clear()
                while store.upkeep():
                    pass
            if number == snapshot_at:
                store.keep(node.snapshot())
            if number % max(1, messages // 10) == 0:
                progress(f"restart: {number:,} messages on the record")
        status = store.status()
    return hub, status.bytes + status.wal_bytes


def _kept(node: Node, given: Received) -> Batch:
    commit = node.handle(time.time_ns(), given)
    if commit.answer.outcome != "accepted" or len(commit.batch.records) != RECORDS_PER_MESSAGE:
        raise LocalError(
            "make the record", cause=f"a message was {commit.answer.outcome}: {commit.answer.reason}"
        )
    return commit.batch


def _inputs(star: Star, messages: int) -> Iterator[Received]:
    """Words from the four partners in turn, for the hub alone."""
    for place in range(messages):
        partner, number = OUTER[place % len(OUTER)], place // len(OUTER) + 1
        raw = star.remark(partner, number, time.time_ns(), alone=True)
        yield Received(party=partner_party(partner), number=number, raw=raw, lane=Lane.NOTICE)


def _directory(star: Star, folder: Path) -> NodeDir:
    """The hub's directory, with its partners pinned; of them there are no more than their link certificates."""
    ports = iter(free_ports(2 * (1 + len(OUTER))))
    names = {HUB: star.genesis.node, **{name: name.lower() for name in OUTER}}
    made = [
        node_dir.create(
            folder / node, realm=star.genesis.realm, partner=partner, node=node, link_port=next(ports),
            page_port=next(ports), genesis=star.genesis if partner == HUB else None,
            secrets=star.secrets if partner == HUB else None,
        )
        for partner, node in names.items()
    ]  # fmt: skip
    return node_dir.join(made, star.genesis.wires)[0]


async def _starts(hub: NodeDir, size: Size, progress: Callable[[str], None]) -> list[_Start]:
    """Starts the node so many times on the same record."""
    taken = []
    for number in range(size.starts):
        begun_s = time.perf_counter()
        supervisor = Supervisor({hub.config.node: hub.path}, restart=False)
        ready = (await supervisor.start())[hub.config.node]
        took_s, processor_s = time.perf_counter() - begun_s, _processor_s(ready.pid)
        supervisor.kill(
            hub.config.node
        )  # a clean stop would keep a newer snapshot: the next start would be easier
        await supervisor.stop()
        if ready.records < RECORDS_PER_MESSAGE * size.messages:
            raise LocalError("start the node", cause=f"{ready.records} records are there")
        progress(f"restart: start {number + 1} of {size.starts} took {took_s:.1f} s")
        taken.append(_Start(took_s, ready.replayed_s, processor_s))
    return taken


def _processor_s(pid: int) -> float:
    """Seconds of processor time that a process has used, from Linux's own account of it."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
