"""The `record` benchmark: what one node can take, verify, keep and pass on, with every message durable before it counts.

Four partners send words of 512 bytes, each signed with Ed25519, as fast as their links' windows let them; the hub's real
shell gives each to its core (verified, recorded, released to the other three, shown to the staff) and commits groups of
them to its real record, SQLite with a full sync. A message counts when its sender has the signed receipt for it.
Sessions of the link protocol stand at both ends of each line, without sockets between them; receipts and rows go on
ticks of 20 ms as on any line. Then, while nothing else happens, single warnings. SQLite alone, with the same messages
as rows of one plain table, is measured in the same run.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from noroshi.cli.benches.end_to_end import percentile
from noroshi.cli.benches.report import Result, result
from noroshi.cli.benches.star import HUB, OUTER, Star
from noroshi.clock import NS_PER_S
from noroshi.errors import LocalError
from noroshi.geo.places import PlaceTable, decode
from noroshi.log import OutboxRow
from noroshi.messages.kinds import Lane
from noroshi.node import Node
from noroshi.node.inputs import Answer, Received
from noroshi.service.clocks import RealClock
from noroshi.service.interpreter import settle
from noroshi.service.resources import packaged_places
from noroshi.service.shell import NodeShell
from noroshi.service.sqlite_store import SqliteStore
from noroshi.sharing import partner_party
from noroshi.sharing.link import TICK_NS, LinkSession, Row
from noroshi.sharing.streams import EMPTY_HEAD, START, next_head, stream_of

MUST_PER_S, MUST_MS = 10_000.0, 3.0
TOGETHER = 100
"""Rows that the peer writes in one transaction: as in the figures that the bounds were set by."""

PAUSE_S = 0.005
"""Between two single warnings: longer than one takes, so that they never share a transaction."""

STUCK_S = 60.0
"""After so long without the last receipt something is wrong, and not slow."""


@dataclass(frozen=True, slots=True)
class Size:
    """runs: each with a new record; messages: of all four partners in one; warnings: single ones in all; singles: rows
    that the peer writes one by one.
    """

    runs: int
    messages: int
    warnings: int
    singles: int


FULL = Size(runs=5, messages=40_000, warnings=1000, singles=4000)
QUICK = Size(runs=1, messages=12_000, warnings=100, singles=1000)


@dataclass(frozen=True, slots=True)
class _Measured:
    """Of one run: messages a second, processor time for each in µs, milliseconds of each warning."""

    per_s: float
    processor_us: float
    warnings_ms: list[float]


def run(*, quick: bool, seed: int, progress: Callable[[str], None], size: Size | None = None) -> list[Result]:
    """All rows of the benchmark. Raises LocalError when a message is lost or refused. seed: there is nothing to draw."""
    size = size or (QUICK if quick else FULL)
    places = decode(packaged_places())
    measured, singly, together = [], [], []
    for number in range(size.runs):
        progress(f"record: run {number + 1} of {size.runs}, signing {size.messages} messages")
        star, now_ns = Star.found(), time.time_ns()
        spoken = {name: said(star, name, size.messages // len(OUTER), now_ns) for name in OUTER}
        with tempfile.TemporaryDirectory(prefix="noroshi-bench-") as folder:
            found = asyncio.run(_node(star, places, spoken, Path(folder), size.warnings // size.runs))
            progress(f"record: {found.per_s:,.0f}/s, {found.processor_us:.0f} µs of processor time a message")
            measured.append(found)
            rows = [row.data for name in OUTER for row in spoken[name]]
            singly.append(_sqlite(Path(folder) / "singly.db", rows[: size.singles], 1))
            together.append(_sqlite(Path(folder) / "together.db", rows, TOGETHER))
    return _results(measured, singly, together)


def said(star: Star, partner: str, count: int, now_ns: int) -> list[OutboxRow]:
    """A partner's stream of notices for the hub."""
    lane = Lane.NOTICE
    stream = stream_of(partner_party(HUB), lane)
    rows, head = [], EMPTY_HEAD
    for number in range(1, count + 1):
        raw = star.remark(partner, number, now_ns)
        head = next_head(head, raw)
        rows.append(OutboxRow(stream, number, lane, "", now_ns, raw, head))
    return rows


class Line:
    """One partner's line to the hub: both sessions, and bytes handed from one to the other."""

    def __init__(self, shell: NodeShell, partner: str, rows: Sequence[OutboxRow]) -> None:
        realm = shell.genesis.realm
        self.party = partner_party(partner)
        self._shell = shell
        self._warnings: list[OutboxRow] = []
        self._rows: dict[int, Sequence[OutboxRow]] = {Lane.WARNING: self._warnings, Lane.NOTICE: rows}
        self._ours = LinkSession(realm, own=HUB, peer=partner)
        self._theirs = LinkSession(realm, own=partner, peer=HUB)
        self._receipted = START
        self._refused = ""
        now_ns = shell.clock.now_ns()
        self._theirs.receive(self._ours.hello(held=START, now_ns=now_ns), now_ns)
        self._ours.receive(self._theirs.hello(held=START, now_ns=now_ns), now_ns)

    @property
    def receipted(self) -> int:
        """How many notices the partner has a receipt for."""
        if self._refused:
            raise LocalError("measure the record", subject=self.party, cause=f"a message was {self._refused}")
        return self._receipted.upto[Lane.NOTICE]

    def tick(self) -> None:
        """A receipt for what is durable, then the next rows, as far as they may go."""
        statement = self._shell.receipt(self.party)
        if statement.position != self._receipted:
            self._receipted = statement.position
            self._theirs.receive(self._ours.receipt(statement), self._shell.clock.now_ns())
        for future in self.carry():
            future.add_done_callback(self._answered)

    def carry(self) -> list[asyncio.Future[Answer]]:
        """Hands the partner's next rows to the shell."""
        data = self._theirs.serve(self._outbox)
        events = self._ours.receive(data, self._shell.clock.now_ns()) if data else []
        return [
            self._shell.offer(
                Received(party=self.party, number=event.number, raw=event.data, lane=event.lane)
            )
            for event in events
            if isinstance(event, Row)
        ]

    def warn(self, now_ns: int, raw: bytes) -> None:
        """Puts a warning into the partner's outbox; `carry` takes it on."""
        stream = stream_of(partner_party(HUB), Lane.WARNING)
        head = next_head(self._warnings[-1].head if self._warnings else EMPTY_HEAD, raw)
        number = len(self._warnings) + 1
        self._warnings.append(OutboxRow(stream, number, Lane.WARNING, "", now_ns, raw, head))

    def _outbox(self, lane: int, after: int, limit: int) -> list[OutboxRow]:
        return list(self._rows.get(lane, ())[after : after + limit])

    def _answered(self, future: asyncio.Future[Answer]) -> None:
        answer = future.result()
        if answer.outcome != "accepted":
            self._refused = f"{answer.outcome} ({answer.reason})"


async def _node(
    star: Star, places: PlaceTable, spoken: dict[str, list[OutboxRow]], folder: Path, warnings: int
) -> _Measured:
    async with running(star, places, folder) as shell:
        lines = [Line(shell, name, rows) for name, rows in spoken.items()]
        count = sum(map(len, spoken.values()))
        begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
        await _all(lines, count)
        took_s, took_cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
        found = [await _warning(star, shell, lines[0], number) for number in range(1, warnings + 1)]
        return _Measured(count / took_s, 1e6 * took_cpu_s / count, found)


@asynccontextmanager
async def running(star: Star, places: PlaceTable, folder: Path) -> AsyncIterator[NodeShell]:
    """The hub's shell at work on a new record."""
    genesis, clock = star.genesis, RealClock()
    with SqliteStore.open(folder / "record.db", realm=genesis.realm, node=genesis.node) as store:
        node, commit = Node.begin(clock.now_ns(), genesis, star.secrets, places)
        store.append([commit.batch])

        def recover() -> Node:
            return Node.replay("record", store.records(), star.secrets, places)

        shell = NodeShell(node, store, clock, recover=recover, disk=store)
        working = asyncio.ensure_future(shell.run())
        settle()
        try:
            yield shell
        finally:
            shell.stop()
            await working


async def _all(lines: Sequence[Line], count: int) -> None:
    """Until every line has its last receipt, in ticks."""
    tick_s = TICK_NS / NS_PER_S
    async with asyncio.timeout(STUCK_S):
        while sum(line.receipted for line in lines) < count:
            for line in lines:
                line.tick()
            await asyncio.sleep(tick_s - time.time() % tick_s)


async def _warning(star: Star, shell: NodeShell, line: Line, number: int) -> float:
    """Milliseconds from the bytes of one warning to its being durable."""
    await asyncio.sleep(PAUSE_S)
    now_ns = shell.clock.now_ns()
    line.warn(now_ns, star.warning(OUTER[0], -number, now_ns))
    begun_s = time.perf_counter()
    (future,) = line.carry()
    answer = await future
    took_ms = 1e3 * (time.perf_counter() - begun_s)
    if answer.outcome != "accepted":
        raise LocalError("measure a warning", cause=f"it was {answer.outcome}: {answer.reason}")
    line.tick()
    return took_ms


def _sqlite(path: Path, rows: Sequence[bytes], together: int) -> float:
    """Rows a second that SQLite alone makes durable, so many in one transaction: one plain table, full sync."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE rows(number INTEGER PRIMARY KEY, data BLOB NOT NULL)")
        begun_s = time.perf_counter()
        for first in range(0, len(rows), together):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT INTO rows(data) VALUES(?)", [(row,) for row in rows[first : first + together]]
            )
            connection.execute("COMMIT")
        return len(rows) / (time.perf_counter() - begun_s)
    finally:
        connection.close()


def _results(measured: Sequence[_Measured], singly: list[float], together: list[float]) -> list[Result]:
    per_s = [one.per_s for one in measured]
    version = sqlite3.sqlite_version
    warnings = [one for run in measured for one in run.warnings_ms]
    alone = [percentile(one.warnings_ms, 0.5) for one in measured]
    rows = [
        result(
            "record", "messages, four partners at once", per_s, "1/s",
            peer=f"SQLite alone, {TOGETHER} rows a commit", peer_version=version, peer_values=together,
            must=f"at least {MUST_PER_S:,.0f}/s", holds=lambda value, _: value >= MUST_PER_S,
        ),
        result("record", "processor time a message", [one.processor_us for one in measured], "us"),
        result(
            "record", "commits of single warnings, one after the other", [1e3 / one for one in alone], "1/s",
            peer="SQLite alone, a row a commit", peer_version=version, peer_values=singly,
        ),
    ]  # fmt: skip
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        value = percentile(warnings, share)
        rows.append(
            Result(
                name="record", measure=f"a lone warning, {name}", value=value, unit="ms", runs=len(warnings),
                low=min(warnings), high=max(warnings), must=f"under {MUST_MS:g} ms", held=value < MUST_MS,
            )
        )  # fmt: skip
    return rows
