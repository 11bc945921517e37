"""What exercise control can reach among processes: each inject when it is due, what takes longer in the background.

control = LiveControls(coalition, places, key, clock, directories, lines, supervisor, hand, note)
plan_injects(control)
tasks = [asyncio.create_task(part) for part in (control.act(), control.labour())]
await control.settled()
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from noroshi.clock import seconds
from noroshi.errors import OperatorError
from noroshi.exercise.coalition import Coalition
from noroshi.exercise.injecting import Act, Backup, Handed
from noroshi.exercise.injecting_forgeries import wrong_receipt
from noroshi.exercise.relays import Relays
from noroshi.geo.places import PlaceTable
from noroshi.service.clocks import ScaledClock
from noroshi.service.demo_line import Line
from noroshi.service.demo_seat import Seat
from noroshi.service.files import make_private, write_file
from noroshi.service.node_dir import NodeDir
from noroshi.service.record_file import RECORD_NAME
from noroshi.service.sqlite_store import SqliteStore
from noroshi.service.supervisor import NodeEndedError, Supervisor
from noroshi.service.trust_files import SUFFIX, TrustFiles
from noroshi.sharing import Position, Statement

LOOK_S = 0.1
"""How often it is looked whether a node has taken all files, in seconds of life."""

FILES_WITHIN_S = 120.0
"""Longest wait for that: a thousand files take some ten seconds, and a busy machine longer."""

Job = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class LiveControls:
    """Implements `injecting.Controls`. hand: takes inputs of feeds and posts; note: what people should know of nodes."""

    coalition: Coalition
    places: PlaceTable
    key: bytes
    clock: ScaledClock
    directories: Mapping[str, NodeDir]
    lines: Mapping[frozenset[str], Line]
    supervisor: Supervisor
    hand: Callable[[str, Handed], None]
    note: Callable[[str, str], None]
    relays: Relays | None = None
    planned: list[tuple[float, int, Act]] = field(default_factory=list)
    _jobs: asyncio.Queue[Job] = field(default_factory=asyncio.Queue)
    _files: int = 0
    _away: set[str] = field(default_factory=set)

    async def act(self) -> None:
        """Does everything when it is due."""
        for at_s, _, act in sorted(self.planned, key=lambda one: one[:2]):
            await self.clock_reaches(self.coalition.start_ns + seconds(at_s))
            act(self.clock.now_ns())

    async def clock_reaches(self, time_ns: int) -> None:
        """Waits for a time of the exercise's clock."""
        while (delay_s := self.clock.delay_s(time_ns)) > 0.0:
            await asyncio.sleep(min(delay_s, 60.0))

    async def labour(self) -> None:
        """Does one after the other what takes longer than a moment, until cancelled. Raises NoroshiError."""
        while True:
            job = await self._jobs.get()
            await job()
            self._jobs.task_done()

    async def settled(self) -> None:
        """All that was begun is done, and the nodes have taken all files. Raises OperatorError after a long wait."""
        await self._jobs.join()
        waiting: list[Path] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FILES_WITHIN_S):
                while waiting := [
                    path for one in self.directories.values() for path in TrustFiles(one).waiting()
                ]:
                    await asyncio.sleep(LOOK_S)
        if waiting:
            raise OperatorError(
                "play live", subject=str(waiting[0]), cause=f"the node has not taken it within {FILES_WITHIN_S:.0f} s",
                hint="look at what the node says",
            )  # fmt: skip

    # What injects ask for

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

    def bring(self, node: str, partner: str, messages: Sequence[bytes]) -> None:
        self._jobs.put_nowait(lambda: self._seat(node, partner).bring(messages))

    def receipt(self, node: str, partner: str, rows: int) -> None:
        def wrong(sent: Position) -> Statement:
            return wrong_receipt(self, node, partner, sent, rows)

        self._jobs.put_nowait(lambda: self._seat(node, partner).receipt(wrong))

    def put_files(self, node: str, files: Sequence[bytes]) -> None:
        self._jobs.put_nowait(lambda: self._put_files(self.directories[node], files))

    def restore(self, node: str, backup: Backup) -> None:
        self._jobs.put_nowait(lambda: self._restore(self.directories[node], backup))

    def give(self, node: str, given: Handed) -> None:
        self.hand(node, given)

    def files(self, node: str) -> list[bytes]:
        return [
            path.read_bytes()
            for path in sorted(self.directories[node].alerts_path.glob("*.xml"), key=_written)
        ]

    def _seat(self, node: str, partner: str) -> Seat:
        own = next(one for one in self.directories.values() if one.config.partner == partner)
        target = self.directories[node]
        return Seat(self.lines[frozenset((partner, target.config.partner))], own, target, self.clock)

    async def _put_files(self, directory: NodeDir, files: Sequence[bytes]) -> None:
        first, self._files = self._files, self._files + len(files)
        await asyncio.to_thread(_write_all, TrustFiles(directory).path, files, first)

    async def _restore(self, directory: NodeDir, backup: Backup) -> None:
        """Real files: the node's record is set aside, another lies in its place, and the node is started on it."""
        node = directory.config.node
        aside = directory.path / "set-aside"
        batches = await asyncio.to_thread(backup)
        await self.supervisor.down(node)
        await asyncio.to_thread(_move_record, directory.path, aside)
        realm = msgspec.msgpack.decode(batches[0].records[0].body or b"")["realm"]
        with SqliteStore.open(directory.record_path, realm=realm, node=node) as store:
            await asyncio.to_thread(store.append, list(batches))
        self.supervisor.up(node)
        try:
            await self.supervisor.until_ready(node)
        except NodeEndedError as error:
            self.note(node, f"the restored backup is not started from: {error.cause}")
            await self.supervisor.down(node)
            await asyncio.to_thread(_remove_record, directory.path)
            await asyncio.to_thread(_move_record, aside, directory.path)
            self.supervisor.up(node)
            await self.supervisor.until_ready(node)
        else:
            self.note(node, "the node runs on a restored backup that is not its own")


def _write_all(folder: Path, files: Sequence[bytes], first: int) -> None:
    make_private(folder)
    for number, data in enumerate(files, first):
        write_file(folder / f"{number:06d}{SUFFIX}", data, 0o600)


def _move_record(source: Path, target: Path) -> None:
    """The file of the record, and what SQLite keeps beside it."""
    target.mkdir(mode=0o700, exist_ok=True)
    for path in source.glob(f"{RECORD_NAME}*"):
        path.rename(target / path.name)


def _remove_record(folder: Path) -> None:
    for path in folder.glob(f"{RECORD_NAME}*"):
        path.unlink()


def _written(path: Path) -> float:
    """When a file was written."""
    return path.stat().st_mtime
