"""An exercise with real processes: a node each, sockets, disks, pages, and a clock faster than life.

The same world, people and exercise control as on the virtual clock, through the doors that real ones use: sensors
give detections to their node over HTTP, people follow the staff's stream and answer with their own keys. A node that
is killed comes back from its record; sensors and people repeat what was not answered.

    document = play_live("flight-2022-10-04", structure=None, seed=None, out=None, speed=10.0, page=True,
                         keep_open=False, say=print)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from noroshi.clock import NS_PER_S, seconds, to_iso
from noroshi.errors import OperatorError
from noroshi.exercise.coalition import Coalition, Member, found
from noroshi.exercise.draws import entropy
from noroshi.exercise.injecting import Act, Handed, plan_injects
from noroshi.exercise.injects import ForgedWarning, RecordedRaid
from noroshi.exercise.people import People
from noroshi.exercise.relays import Relays
from noroshi.exercise.run import people_of
from noroshi.exercise.world import looks
from noroshi.geo.places import PlaceTable, decode
from noroshi.messages import Ed25519
from noroshi.node.inputs import Received
from noroshi.service import node_dir
from noroshi.service.client import NodeClient
from noroshi.service.clocks import ScaledClock
from noroshi.service.cot_config import CotConfig, CotGroup, CotServer
from noroshi.service.demo_line import Line
from noroshi.service.demo_relays import LiveRelays
from noroshi.service.exercise_files import DEFAULT_OUT, OutFolder, Staged, stage
from noroshi.service.exercise_result import LIMITS, conclude
from noroshi.service.files import write_file
from noroshi.service.node_config import ClockConfig, PageLink
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.service.record_file import RECORD_NAME, RecordFile
from noroshi.service.resources import packaged_places
from noroshi.service.supervisor import Supervisor
from noroshi.tracking import warm

HOST = "127.0.0.1"
FIRST_PAGE_PORT, FIRST_LINK_PORT = 8701, 8711
"""Tried first, one after the other for each partner, so that addresses stay the same from run to run."""

LEAD_S = (8.0, 20.0, 60.0)
"""How long the exercise's clock stands after the nodes are started; the next where they took longer."""

SETTLE_S = 1.5
"""Seconds of life between the end of the scenario and that of the nodes: what is under way arrives."""

NOT_YET_NS = 3600 * NS_PER_S
"""Until the nodes run, the exercise's clock stands."""

PROCESS_NEWS_S = 0.3
"""How soon it is told that a node is another process now, in seconds of life."""

Say = Callable[[str], None]


def play_live(
    scenario: str,
    *,
    structure: str | None,
    seed: int | None,
    out: Path | None,
    speed: float,
    page: bool,
    keep_open: bool,
    say: Say,
    show: Say = print,
    default_out: str = DEFAULT_OUT,
    cot_port: int = 0,
) -> dict[str, Any]:
    """Plays a scenario with a process for each node; the summary of its result.

    say: takes progress; show: takes the addresses of the pages; cot_port: where clients of Cursor on Target follow the
    first partner's staff, on this machine, the next partner's on the port after it (0: nowhere). Raises OperatorError,
    and KeyboardInterrupt after Ctrl-C when all is stopped.
    """
    staged = stage(scenario, structure, seed)
    _refuse_links(staged)
    places = decode(packaged_places())
    folder = OutFolder.prepare(out, default_out)
    if folder.replaced:
        say(folder.replaced)
    folder.begun(staged.scenario.id, staged.structure.id, staged.seed)
    say(
        f"{staged.scenario.title}, structure {staged.structure.id}, speed {speed:g}; results go to {folder.path}"
    )
    say("Preparing: on a machine's first run this compiles the numerical code, which takes up to a minute")
    warm()  # the nodes then find their numerical code compiled
    coalition = found(
        staged.scenario,
        staged.structure,
        staged.catalogue,
        entropy=os.urandom(32),
        scheme=Ed25519(),
        places_digest=places.digest,
        areas=staged.areas,
    )
    live = _Live(staged, coalition, places, folder, speed, say)
    live.cot_port = cot_port
    try:
        return asyncio.run(live.play(show if page else None, keep_open))
    except asyncio.CancelledError:
        say(f"Ended early; the nodes have stopped, and their records are in {folder.path / 'nodes'}")
        raise KeyboardInterrupt from None


def _refuse_links(staged: Staged) -> None:
    """Refuses injects that put bytes on a link: between processes nobody but the two nodes can do that."""
    for one in staged.scenario.injects:
        if isinstance(one, ForgedWarning) or (isinstance(one, RecordedRaid) and one.entrance == "link"):
            raise OperatorError(
                "play live", subject=staged.scenario.id,
                cause=f"the inject {one.id} stands on the link between two nodes",
                hint="play it on the virtual clock, with --fast or --runs",
            )  # fmt: skip


@dataclass(slots=True)
class _Seat:
    """One node in a live exercise, and what waits to be given to it."""

    member: Member
    directory: NodeDir
    people: People
    client: NodeClient
    queue: asyncio.Queue[Handed] = field(default_factory=asyncio.Queue)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    given: int = 0
    refused: int = 0


class _Live:
    """One live exercise."""

    def __init__(
        self,
        staged: Staged,
        coalition: Coalition,
        places: PlaceTable,
        folder: OutFolder,
        speed: float,
        say: Say,
    ) -> None:
        self._staged = staged
        self._coalition = coalition
        self._places = places
        self._folder = folder
        self._speed = speed
        self._say = say
        self._key = entropy(staged.seed, staged.scenario.realm)
        self._seats: dict[str, _Seat] = {}
        self._lines: dict[frozenset[str], Line] = {}
        self._clock = ScaledClock(coalition.start_ns, time.time_ns() + NOT_YET_NS, speed)
        self._playing = False
        self._relays: LiveRelays | None = None
        self._told: set[str] = set()
        self.cot_port = 0

    async def play(self, show: Say | None, keep_open: bool) -> dict[str, Any]:
        """From the first process to the review."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        directories = self._with_clients(self._make_directories())
        supervisor, seats = await self._start(directories)
        self._seats = seats
        self._playing = True
        try:
            self._show_pages(show)
            ended = await self._until_end(supervisor, stop)
            if ended and keep_open:
                document = self._conclude()
                self._say("The exercise is over; the nodes go on serving until Ctrl-C")
                await stop.wait()
                return document
        finally:
            for line in self._lines.values():
                await line.close()
            await supervisor.stop()
        if not ended:
            raise asyncio.CancelledError
        return self._conclude()

    # Setting up

    def _with_clients(self, directories: dict[str, NodeDir]) -> dict[str, NodeDir]:
        """The directories with a gateway for clients of Cursor on Target each, where they are wanted."""
        if not self.cot_port:
            return directories
        made = {}
        for place, (name, one) in enumerate(directories.items()):
            port, partner = self.cot_port + place, one.config.partner
            group = CotGroup(name="staff", partners=(partner,))
            cot = CotConfig(groups=(group,), servers=(CotServer(group="staff", port=port),))
            made[name] = one.with_config(msgspec.structs.replace(one.config, cot=cot))
            self._say(f"Clients of Cursor on Target follow {partner}'s staff on 127.0.0.1:{port}")
        return made

    def _make_directories(self) -> dict[str, NodeDir]:
        members = self._coalition.members
        page_ports = _ports(FIRST_PAGE_PORT, len(members))
        link_ports = _ports(FIRST_LINK_PORT, len(members))
        made: list[NodeDir] = []
        for member, page_port, link_port in zip(members, page_ports, link_ports, strict=True):
            made.append(
                node_dir.create(
                    self._folder.path / "nodes" / member.node,
                    realm=self._coalition.realm,
                    partner=member.trigraph,
                    node=member.node,
                    link_port=link_port,
                    page_port=page_port,
                    genesis=member.genesis,
                    secrets=member.secrets,
                )
            )
        joined = node_dir.join(_one_token(made), self._coalition.members[0].genesis.wires)
        pages = [
            PageLink(
                partner=member.trigraph,
                name=member.partner.name,
                node=member.node,
                url=directory.page_address,
            )
            for member, directory in zip(members, joined, strict=True)
        ]
        return {directory.config.node: directory.with_pages(pages) for directory in joined}

    async def _start(self, directories: dict[str, NodeDir]) -> tuple[Supervisor, dict[str, _Seat]]:
        """Starts the lines and the nodes with one clock; again with a later one where they took too long."""
        directories = await self._start_lines(directories)
        for lead_s in LEAD_S:
            anchor_ns = time.time_ns() + round(lead_s * NS_PER_S)
            clock = ClockConfig(
                mode="scaled", start_ns=self._coalition.start_ns, anchor_unix_ns=anchor_ns, speed=self._speed
            )
            directories = {name: one.with_clock(clock) for name, one in directories.items()}
            supervisor = Supervisor(
                {name: one.path for name, one in directories.items()}, note=self._note_process
            )
            await supervisor.start()
            if time.time_ns() < anchor_ns or lead_s == LEAD_S[-1]:
                self._clock = ScaledClock(self._coalition.start_ns, anchor_ns, self._speed)
                return supervisor, {name: self._seat(one) for name, one in directories.items()}
            self._say("The nodes were slow to start; the clock is set anew")
            await supervisor.stop()
            for one in directories.values():
                for path in one.path.glob(f"{RECORD_NAME}*"):
                    path.unlink()
        raise AssertionError("the last lead is always taken")

    async def _start_lines(self, directories: dict[str, NodeDir]) -> dict[str, NodeDir]:
        """Puts a line between each pair: the side that dials gets the line's port for its partner's."""
        node_of = {member.trigraph: member.node for member in self._coalition.members}
        made = dict(directories)
        for link in self._coalition.scenario.links:
            listener, dialler = sorted(link.between)
            target = made[node_of[listener]]
            dialling = made[node_of[dialler]]
            peer = dialling.config.peer(listener)
            if peer is None:
                continue
            port = free_ports(1, HOST)[0]
            line = Line(HOST, port, target.config.link.port, link.delay_s / self._speed)
            await line.start()
            self._lines[frozenset(link.between)] = line
            pem = dialling.peer_certificate(listener)
            made[node_of[dialler]] = dialling.with_peer(msgspec.structs.replace(peer, port=port), pem)
        return made

    def _seat(self, directory: NodeDir) -> _Seat:
        member = self._coalition.member(directory.config.node)
        client = NodeClient(
            directory.page_address, page_token=directory.page_token(), feed_token=directory.feed_token()
        )
        return _Seat(member, directory, people_of(self._coalition, member, self._key), client)

    def _show_pages(self, show: Say | None) -> None:
        if show is None:
            return
        for index, seat in enumerate(self._seats.values()):
            address = f"{seat.directory.page_address}#token={seat.directory.page_token()}"
            show(f"{'Map' if index == 0 else 'Map as ' + seat.member.partner.name + ' sees it'}: {address}")

    # Playing

    async def _until_end(self, supervisor: Supervisor, stop: asyncio.Event) -> bool:
        """Plays to the scenario's end; False when somebody stopped it before."""
        end_ns = self._coalition.start_ns + seconds(self._coalition.scenario.duration_s)
        parts: list[Coroutine[Any, Any, None]] = [self._sense(), self._control(supervisor)]
        parts.append(self._tell_processes(supervisor))
        if any(one.relays for one in self._coalition.members):
            records = {name: seat.directory.record_path for name, seat in self._seats.items()}
            self._relays = LiveRelays(self._coalition, self._key, self._clock, records, self._hand)
            parts.append(self._relays.run())
        for seat in self._seats.values():
            parts += [self._give(seat), self._follow(seat), self._work(seat)]
        tasks = [asyncio.create_task(each) for each in parts]
        stopping = asyncio.create_task(stop.wait())
        ending = asyncio.create_task(self._until(end_ns))
        try:
            while not stopping.done() and not ending.done():
                running: list[asyncio.Task[Any]] = [task for task in tasks if not task.done()]
                await asyncio.wait([*running, stopping, ending], return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task.done() and task.exception() is not None:
                        task.result()
            if stopping.done():
                return False
            await self._settle(supervisor)
            return True
        finally:
            for part in (*tasks, stopping, ending):
                part.cancel()
            await asyncio.gather(*tasks, stopping, ending, return_exceptions=True)
            for seat in self._seats.values():
                await seat.client.close()

    async def _tell_processes(self, supervisor: Supervisor) -> None:
        """Says which process each node is, so that somebody may kill one and see it come back."""
        known: dict[str, int] = {}
        while True:
            for name in self._seats:
                process = supervisor.pid(name)
                if process is not None and supervisor.ready(name) and known.get(name) != process:
                    self._note(name, f"the node runs as process {process}")
                    known[name] = process
            await asyncio.sleep(PROCESS_NEWS_S)

    async def _until(self, time_ns: int) -> None:
        while (delay_s := self._clock.delay_s(time_ns)) > 0.0:
            await asyncio.sleep(min(delay_s, 60.0))

    async def _settle(self, supervisor: Supervisor) -> None:
        """Everybody is back and everything given; then a little time for the links."""
        for name, seat in self._seats.items():
            await supervisor.until_ready(name)
            await seat.queue.join()
        await asyncio.sleep(SETTLE_S)

    async def _sense(self) -> None:
        """The sensors: each look goes to its node when it is due."""
        for look in looks(self._coalition, self._key):
            await self._until(look.time_ns)
            self._seats[look.node].queue.put_nowait(look.detections)

    async def _control(self, supervisor: Supervisor) -> None:
        """Exercise control: injects when they are due."""
        alerts = {name: seat.directory.alerts_path for name, seat in self._seats.items()}
        relays = self._relays.model if self._relays is not None else None
        todo = _Controls(self._coalition, self._key, self._lines, supervisor, self._hand, alerts, relays)
        plan_injects(todo)
        for at_s, _, act in sorted(todo.planned, key=lambda one: one[:2]):
            await self._until(self._coalition.start_ns + seconds(at_s))
            act(self._clock.now_ns())

    def _hand(self, node: str, given: Handed) -> None:
        self._seats[node].queue.put_nowait(given)

    async def _give(self, seat: _Seat) -> None:
        """Gives what waits to the node; the client repeats it until it is durable there."""
        while True:
            inputs = [await seat.queue.get()]
            while not seat.queue.empty():
                inputs.append(seat.queue.get_nowait())
            for answer in await seat.client.give(inputs):
                seat.given += 1
                seat.refused += answer.outcome == "refused"
            for _ in inputs:
                seat.queue.task_done()

    async def _follow(self, seat: _Seat) -> None:
        """Reads the node's staff stream for its people, and for those who watch."""

        def take(_: int, row: dict[str, Any]) -> None:
            seat.people.shown(self._clock.now_ns(), row)
            seat.news.set()
            says = row.get("says", "")
            if says and says not in self._told:
                self._told.add(says)
                self._note(seat.member.node, says, row["time_ms"] * 1_000_000)

        await seat.client.follow(take)

    async def _work(self, seat: _Seat) -> None:
        """The people of one node: each answer goes to the node when it is ready."""
        while True:
            delay_s = min(self._clock.delay_s(seat.people.next_due_ns), 3600.0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await seat.news.wait()
            seat.news.clear()
            for answer in seat.people.due(self._clock.now_ns()):
                seat.queue.put_nowait(Received(party=f"post:{answer.post}", number=0, raw=answer.raw))

    def _note_process(self, node: str, says: str) -> None:
        """What a node's process says; before all of them run it is only that the others are not there yet."""
        if self._playing:
            self._note(node, says)

    def _note(self, node: str, says: str, time_ns: int | None = None) -> None:
        at = to_iso(self._clock.now_ns() if time_ns is None else time_ns, digits=1)[11:-1]
        self._say(f"{at}  {node}  {says}")

    # The end

    def _conclude(self) -> dict[str, Any]:
        """Copies the records, and judges them."""
        with contextlib.ExitStack() as open_files:
            stores = {}
            for name, seat in self._seats.items():
                copy = _copied(seat.directory.record_path, self._folder.path / "records" / name)
                stores[name] = open_files.enter_context(RecordFile(copy))
            return conclude(
                self._coalition,
                self._staged.seed,
                stores,
                self._places,
                self._folder,
                limits=(
                    *LIMITS,
                    f"The clock ran {self._speed:g} times as fast as life, and the machines did not.",
                ),
                speed=self._speed,
            )


@dataclass(slots=True)
class _Controls:
    """What exercise control can reach among processes. Implements `injecting.Controls`; it is done when it is due."""

    coalition: Coalition
    key: bytes
    lines: Mapping[frozenset[str], Line]
    supervisor: Supervisor
    hand: Callable[[str, Handed], None]
    alerts: Mapping[str, Path]
    relays: Relays | None = None
    planned: list[tuple[float, int, Act]] = field(default_factory=list)

    def plan(self, at_s: float, act: Act) -> None:
        self.planned.append((at_s, len(self.planned), act))

    def cut(self, between: tuple[str, str]) -> None:
        self.lines[frozenset(between)].cut()

    def heal(self, between: tuple[str, str]) -> None:
        self.lines[frozenset(between)].heal()

    def kill(self, node: str) -> None:
        self.supervisor.kill(node)

    def rise(self, node: str) -> None:
        """Nothing: its supervisor starts it again."""

    def relay_down(self, name: str) -> None:
        assert self.relays is not None
        self.relays.down(name)

    def relay_up(self, name: str) -> None:
        assert self.relays is not None
        self.relays.up(name)

    def give(self, node: str, given: Handed) -> None:
        self.hand(node, given)

    def files(self, node: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted(self.alerts[node].glob("*.xml"), key=_written)]


def _written(path: Path) -> float:
    """When a file was written."""
    return path.stat().st_mtime


def _copied(record: Path, folder: Path) -> Path:
    """A whole copy of a record, also of one that a node still writes to."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / RECORD_NAME
    with (
        contextlib.closing(sqlite3.connect(f"{record.absolute().as_uri()}?mode=ro", uri=True)) as source,
        contextlib.closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    return copy


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
