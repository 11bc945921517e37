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
import sqlite3
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from noroshi.clock import NS_PER_S, seconds, to_iso
from noroshi.exercise.coalition import Coalition, Member, found
from noroshi.exercise.draws import entropy
from noroshi.exercise.evidence import Evidence
from noroshi.exercise.injecting import Handed, plan_injects
from noroshi.exercise.people import People
from noroshi.exercise.run import people_of
from noroshi.exercise.world import looks
from noroshi.geo.places import PlaceTable, decode
from noroshi.messages import Ed25519
from noroshi.node.inputs import Received
from noroshi.service.client import NodeClient
from noroshi.service.clocks import ScaledClock
from noroshi.service.demo_control import LiveControls
from noroshi.service.demo_relays import LiveRelays
from noroshi.service.demo_setup import Lines, make_directories, make_lines, start_nodes, with_clients
from noroshi.service.exercise_files import DEFAULT_OUT, OutFolder, Staged, stage
from noroshi.service.exercise_result import LIMITS, conclude
from noroshi.service.node_dir import NodeDir
from noroshi.service.record_file import RECORD_NAME, RecordFile
from noroshi.service.resources import packaged_places
from noroshi.service.supervisor import Supervisor
from noroshi.tracking import warm

SETTLE_S = 1.5
"""Seconds of life between the end of the scenario and that of the nodes: what is under way arrives."""

NOT_YET_NS = 3600 * NS_PER_S
"""Until the nodes run, the exercise's clock stands."""

PROCESS_NEWS_S = 0.3
"""How soon it is told that a node is another process now, in seconds of life."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """How a staged scenario is played live. say: takes progress; show: the addresses of the pages, if anybody does.

    cot_port: where clients of Cursor on Target follow the first partner's staff, on this machine, the next partner's on
    the port after it (0: nowhere); keep: takes what is judged from.
    """

    speed: float
    say: Say
    show: Say | None = None
    keep_open: bool = False
    cot_port: int = 0
    keep: Callable[[Evidence], object] = lambda _: None


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

    The rest is as in `Stage`; page: whether the pages' addresses are shown. Raises OperatorError, and KeyboardInterrupt
    after Ctrl-C when all is stopped.
    """
    staged = stage(scenario, structure, seed)
    places = decode(packaged_places())
    folder = OutFolder.prepare(out, default_out)
    if folder.replaced:
        say(folder.replaced)
    say("Preparing: on a machine's first run this compiles the numerical code, which takes up to a minute")
    warm()  # the nodes then find their numerical code compiled
    return play_staged(staged, places, folder, Stage(speed, say, show if page else None, keep_open, cot_port))


def play_staged(staged: Staged, places: PlaceTable, folder: OutFolder, how: Stage) -> dict[str, Any]:
    """Plays a scenario that was read already; like `play_live`."""
    folder.begun(staged.scenario.id, staged.structure.id, staged.seed)
    how.say(
        f"{staged.scenario.title}, structure {staged.structure.id}, speed {how.speed:g}; results go to {folder.path}"
    )
    coalition = found(
        staged.scenario,
        staged.structure,
        staged.catalogue,
        entropy=os.urandom(32),
        scheme=Ed25519(),
        places_digest=places.digest,
        areas=staged.areas,
    )
    try:
        return asyncio.run(_Live(staged, coalition, places, folder, how).play())
    except asyncio.CancelledError:
        how.say(f"Ended early; the nodes have stopped, and their records are in {folder.path / 'nodes'}")
        raise KeyboardInterrupt from None


@dataclass(slots=True)
class _Side:
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
        self, staged: Staged, coalition: Coalition, places: PlaceTable, folder: OutFolder, how: Stage
    ) -> None:
        self._staged = staged
        self._coalition = coalition
        self._places = places
        self._folder = folder
        self._how = how
        self._key = entropy(staged.seed, staged.scenario.realm)
        self._sides: dict[str, _Side] = {}
        self._lines: Lines = {}
        self._clock = ScaledClock(coalition.start_ns, time.time_ns() + NOT_YET_NS, how.speed)
        self._playing = False
        self._told: set[str] = set()

    async def play(self) -> dict[str, Any]:
        """From the first process to the review."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([starting, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not starting.done():
                starting.cancel()
                await asyncio.gather(starting, return_exceptions=True)
        supervisor = starting.result()
        self._playing = True
        try:
            self._show_pages()
            ended = await self._until_end(supervisor, stop)
            if ended and self._how.keep_open:
                document = self._conclude()
                self._how.say("The exercise is over; the nodes go on serving until Ctrl-C")
                await stop.wait()
                return document
        finally:
            await self._close_lines()
            await supervisor.stop()
        if not ended:
            raise asyncio.CancelledError
        return self._conclude()

    # Setting up

    async def _start(self) -> Supervisor:
        """Directories, lines and processes."""
        try:
            directories = make_directories(
                self._coalition, self._folder.path / "nodes", usual=self._how.show is not None
            )
            if self._how.cot_port:
                directories = with_clients(directories, self._how.cot_port, self._how.say)
            directories, self._lines = await make_lines(self._coalition, directories, self._how.speed)
            begun = await start_nodes(
                self._coalition, directories, self._how.speed, self._note_process, self._how.say
            )
        except BaseException:
            await self._close_lines()
            raise
        self._clock = begun.clock
        self._sides = {name: self._side(one) for name, one in begun.directories.items()}
        return begun.supervisor

    async def _close_lines(self) -> None:
        for line in self._lines.values():
            await line.close()

    def _side(self, directory: NodeDir) -> _Side:
        member = self._coalition.member(directory.config.node)
        client = NodeClient(
            directory.page_address, page_token=directory.page_token(), feed_token=directory.feed_token()
        )
        return _Side(member, directory, people_of(self._coalition, member, self._key), client)

    def _show_pages(self) -> None:
        show = self._how.show
        if show is None:
            return
        for index, side in enumerate(self._sides.values()):
            address = f"{side.directory.page_address}#token={side.directory.page_token()}"
            show(f"{'Map' if index == 0 else 'Map as ' + side.member.partner.name + ' sees it'}: {address}")

    # Playing

    async def _until_end(self, supervisor: Supervisor, stop: asyncio.Event) -> bool:
        """Plays to the scenario's end; False when somebody stopped it before."""
        end_ns = self._coalition.start_ns + seconds(self._coalition.scenario.duration_s)
        parts: list[Coroutine[Any, Any, None]] = [self._sense(), self._tell_processes(supervisor)]
        directories = {name: side.directory for name, side in self._sides.items()}
        control = LiveControls(
            self._coalition, self._places, self._key, self._clock, directories, self._lines,
            supervisor, self._hand, self._note,
        )  # fmt: skip
        if any(one.relays for one in self._coalition.members):
            records = {name: one.record_path for name, one in directories.items()}
            relays = LiveRelays(self._coalition, self._key, self._clock, records, self._hand)
            control.relays = relays.model
            parts.append(relays.run())
        plan_injects(control)
        parts += [control.act(), control.labour()]
        for side in self._sides.values():
            parts += [self._give(side), self._follow(side), self._work(side)]
        tasks = [asyncio.create_task(each) for each in parts]
        stopping = asyncio.create_task(stop.wait())
        ending = asyncio.create_task(self._until_settled(end_ns, supervisor, control))
        try:
            while not stopping.done() and not ending.done():
                running: list[asyncio.Task[Any]] = [task for task in tasks if not task.done()]
                await asyncio.wait([*running, stopping, ending], return_when=asyncio.FIRST_COMPLETED)
                for task in tasks:
                    if task.done() and task.exception() is not None:
                        task.result()
            if stopping.done():
                return False
            ending.result()
            return True
        finally:
            for part in (*tasks, stopping, ending):
                part.cancel()
            await asyncio.gather(*tasks, stopping, ending, return_exceptions=True)
            for side in self._sides.values():
                await side.client.close()

    async def _tell_processes(self, supervisor: Supervisor) -> None:
        """Says which process each node is, so that somebody may kill one and see it come back."""
        known: dict[str, int] = {}
        while True:
            for name in self._sides:
                process = supervisor.pid(name)
                if process is not None and supervisor.ready(name) and known.get(name) != process:
                    self._note(name, f"the node runs as process {process}")
                    known[name] = process
            await asyncio.sleep(PROCESS_NEWS_S)

    async def _until(self, time_ns: int) -> None:
        while (delay_s := self._clock.delay_s(time_ns)) > 0.0:
            await asyncio.sleep(min(delay_s, 60.0))

    async def _until_settled(self, time_ns: int, supervisor: Supervisor, control: LiveControls) -> None:
        await self._until(time_ns)
        await self._settle(supervisor, control)

    async def _settle(self, supervisor: Supervisor, control: LiveControls) -> None:
        """Everything is done and given, and everybody is back; then a little time for the links."""
        await control.settled()
        for name, side in self._sides.items():
            await supervisor.until_ready(name)
            await side.queue.join()
        await asyncio.sleep(SETTLE_S)

    async def _sense(self) -> None:
        """The sensors: each look goes to its node when it is due."""
        for look in looks(self._coalition, self._key):
            await self._until(look.time_ns)
            self._sides[look.node].queue.put_nowait(look.detections)

    def _hand(self, node: str, given: Handed) -> None:
        self._sides[node].queue.put_nowait(given)

    async def _give(self, side: _Side) -> None:
        """Gives what waits to the node; the client repeats it until it is durable there."""
        while True:
            inputs = [await side.queue.get()]
            while not side.queue.empty():
                inputs.append(side.queue.get_nowait())
            for answer in await side.client.give(inputs):
                side.given += 1
                side.refused += answer.outcome == "refused"
            for _ in inputs:
                side.queue.task_done()

    async def _follow(self, side: _Side) -> None:
        """Reads the node's staff stream for its people, and for those who watch."""

        def take(_: int, row: dict[str, Any]) -> None:
            side.people.shown(self._clock.now_ns(), row)
            side.news.set()
            says = row.get("says", "")
            if says and says not in self._told:
                self._told.add(says)
                self._note(side.member.node, says, row["time_ms"] * 1_000_000)

        await side.client.follow(take)

    async def _work(self, side: _Side) -> None:
        """The people of one node: each answer goes to the node when it is ready."""
        while True:
            delay_s = min(self._clock.delay_s(side.people.next_due_ns), 3600.0)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await side.news.wait()
            side.news.clear()
            for answer in side.people.due(self._clock.now_ns()):
                side.queue.put_nowait(Received(party=f"post:{answer.post}", number=0, raw=answer.raw))

    def _note_process(self, node: str, says: str) -> None:
        """What a node's process says; before all of them run it is only that the others are not there yet."""
        if self._playing:
            self._note(node, says)

    def _note(self, node: str, says: str, time_ns: int | None = None) -> None:
        at = to_iso(self._clock.now_ns() if time_ns is None else time_ns, digits=1)[11:-1]
        self._how.say(f"{at}  {node}  {says}")

    # The end

    def _conclude(self) -> dict[str, Any]:
        """Copies the records, and judges them."""
        with contextlib.ExitStack() as open_files:
            stores = {}
            for name, side in self._sides.items():
                copy = _copied(side.directory.record_path, self._folder.path / "records" / name)
                stores[name] = open_files.enter_context(RecordFile(copy))
            return conclude(
                self._coalition,
                self._staged.seed,
                stores,
                self._places,
                self._folder,
                limits=(
                    *LIMITS,
                    f"The clock ran {self._how.speed:g} times as fast as life, and the machines did not.",
                ),
                speed=self._how.speed,
                played="live",
                keep=self._how.keep,
            )


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
