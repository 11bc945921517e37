"""Runs nodes as processes of this machine: starts them, waits until they listen, starts again what died.

Each child's standard input is a pipe from here: when this process ends, however it ends, the pipe does too
and the children stop.

    async with Supervisor({"jpn": jpn.path, "usa": usa.path}, note=print) as nodes:
        nodes.kill("usa")                # SIGKILL; it is started again
        await nodes.until_ready("usa")
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from noroshi.errors import OperatorError

READY_S = 120.0
"""Longest start: numerical code is compiled at the first start on a machine, and a long record is replayed."""

STOP_S = 10.0
"""How long a child may take to stop before it is killed."""

RESTART_FIRST_S, RESTART_CAP_S = 0.2, 5.0
STEADY_S = 30.0
"""A child that ran for so long is started again without a pause."""

UNUSABLE = 2
"""Exit code of a node that needs a person: starting it again would not help."""

KEPT_LINES = 20
MAX_LINE_BYTES = 1 << 20
"""Longest line of a node's notes: a reader that gave up on one would let the pipe fill and the node wait."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What a node said when it began to listen. page: its address without a token; records: on its log."""

    node: str
    partner: str
    pid: int
    page: str
    link: str
    records: int
    replayed_s: float


class NodeEndedError(OperatorError):
    """A node's process has ended and is not started again."""


class Supervisor:
    """The processes of some nodes; made inside the event loop that runs them.

    note: called with a node's name and a sentence for people.
    """

    def __init__(
        self,
        directories: Mapping[str, Path],
        *,
        note: Callable[[str, str], None] = lambda name, text: None,
        restart: bool = True,
        command: Sequence[str] = (sys.executable, "-m", "noroshi.cli.main", "node", "run"),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        children = {
            name: _Child(name, path, note, command, environment) for name, path in directories.items()
        }
        self._children = children
        self._restart = restart
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self) -> dict[str, Ready]:
        """Starts all and waits until each listens. Raises NodeEndedError with the sentence of one that cannot."""
        for name in self._children:
            self.up(name)
        try:
            found = await asyncio.gather(*(self.until_ready(name) for name in self._children))
        except BaseException:
            await self.stop()
            raise
        return dict(zip(self._children, found, strict=True))

    async def until_ready(self, name: str) -> Ready:
        """Waits until a node listens (after `kill`: until the next one does). Raises NodeEndedError."""
        return await self._children[name].until_ready()

    def ready(self, name: str) -> bool:
        """Whether a node listens now."""
        return self._children[name].ready.done()

    def pid(self, name: str) -> int | None:
        """The process of a node, None while there is none."""
        process = self._children[name].process
        return process.pid if process is not None and process.returncode is None else None

    def kill(self, name: str) -> None:
        """SIGKILL: as hard an end as there is. A node that has none just now is left alone."""
        self._signal(name, signal.SIGKILL)

    def pause(self, name: str) -> None:
        """Freezes a node (SIGSTOP) until `resume`."""
        self._signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Lets a frozen node go on."""
        self._signal(name, signal.SIGCONT)

    async def down(self, name: str) -> None:
        """Stops a node in order and leaves it so until `up`; its files may be changed meanwhile."""
        task = self._tasks.pop(name, None)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._children[name].stop()

    def up(self, name: str) -> None:
        """Starts a node that is down, or that has ended for good."""
        child = self._children[name]
        child.forget_ready()
        self._tasks[name] = asyncio.create_task(child.keep(self._restart))

    async def stop(self) -> None:
        """Stops all, and waits until they have ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(child.stop() for child in self._children.values()))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _signal(self, name: str, number: signal.Signals) -> None:
        child = self._children[name]
        if number == signal.SIGKILL:
            child.forget_ready()
        if self.pid(name) is not None and child.process is not None:
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(number)


class _Child:
    """One node's process, and those that follow it."""

    def __init__(
        self,
        name: str,
        path: Path,
        note: Callable[[str, str], None],
        command: Sequence[str],
        environment: Mapping[str, str] | None,
    ) -> None:
        self.name = name
        self.process: asyncio.subprocess.Process | None = None
        self.ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
        self._path = path
        self._note = note
        self._command = command
        self._environment = environment
        self._said: list[str] = []

    def forget_ready(self) -> None:
        """The next `until_ready` waits for a new process."""
        if self.ready.done():
            self.ready = asyncio.get_running_loop().create_future()

    async def until_ready(self) -> Ready:
        try:
            async with asyncio.timeout(READY_S):
                return await asyncio.shield(self.ready)
        except TimeoutError:
            raise NodeEndedError(
                "start the node", subject=self.name, cause=f"it did not listen within {READY_S:.0f} s",
                hint=f"try `noroshi node run {self._path}` by hand",
            ) from None  # fmt: skip

    async def keep(self, restart: bool) -> None:
        """Keeps a process running until cancelled."""
        loop = asyncio.get_running_loop()
        pause_s = RESTART_FIRST_S
        while True:
            begun_s = loop.time()
            code = await self._once()
            told = self._said[-1] if self._said else f"it ended with exit code {code}"
            if code == UNUSABLE or not restart:
                self._gone(told)
                return
            self.forget_ready()
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            self._note(self.name, f"the node {how}; it is started again")
            if loop.time() - begun_s > STEADY_S:
                pause_s = RESTART_FIRST_S
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, RESTART_CAP_S)

    async def stop(self) -> None:
        """Ends the process: asks, waits, kills."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _once(self) -> int:
        """Runs one process to its end; its exit code."""
        self._said.clear()
        pipe = asyncio.subprocess.PIPE
        command = [*self._command, str(self._path), "--watch-stdin"]
        environment = {**os.environ, **(self._environment or {})}
        self.process = process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, limit=MAX_LINE_BYTES
        )
        assert process.stdout is not None
        assert process.stderr is not None
        reading = [
            asyncio.create_task(self._hear(process.stdout)),
            asyncio.create_task(self._heed(process.stderr)),
        ]
        try:
            code = await process.wait()
            await asyncio.wait(reading, timeout=1.0)
            return code
        finally:
            for task in reading:
                task.cancel()

    async def _hear(self, lines: asyncio.StreamReader) -> None:
        """Standard output: the ready line."""
        async for line in lines:
            try:
                said = json.loads(line)
                found = Ready(*(said[name] for name in Ready.__dataclass_fields__))
            except (ValueError, KeyError, TypeError):
                continue
            if not self.ready.done():
                self.ready.set_result(found)

    async def _heed(self, lines: asyncio.StreamReader) -> None:
        """Standard error: notes for people."""
        async for line in lines:
            text = line.decode("utf-8", "replace").rstrip().removeprefix(f"{self.name}: ")
            self._said = [*self._said[-KEPT_LINES:], text]
            self._note(self.name, text)

    def _gone(self, told: str) -> None:
        error = NodeEndedError("run the node", subject=self.name, cause=told)
        self._note(self.name, str(error))
        self.forget_ready()
        self.ready.set_exception(error)
        self.ready.exception()  # looked at, so that nobody is warned when nobody waits
