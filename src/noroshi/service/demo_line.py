"""A line between two nodes of an exercise on one machine: passes bytes on, later, or not at all.

What goes through is TLS and stays closed to it. A cut holds everything back without a word, as a broken cable does;
when it heals the old connections are dropped and the nodes dial anew.

    line = Line("127.0.0.1", listen_port, target_port, delay_s=0.006)
    await line.start()
    line.cut(); line.heal()
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

READ_BYTES = 65_536
MAX_HELD = 256
"""Pieces under way in one direction; then the sender's socket has to wait."""


class Line:
    """Listens on one port and connects each caller with another. delay_s: seconds of life, each way."""

    def __init__(self, host: str, listen_port: int, target_port: int, delay_s: float) -> None:
        self._host = host
        self._listen_port = listen_port
        self._target_port = target_port
        self._delay_s = delay_s
        self._whole = asyncio.Event()
        self._whole.set()
        self._server: asyncio.Server | None = None
        self._calls: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begins to listen. Raises OSError when the port is taken."""
        self._server = await asyncio.start_server(self._call, self._host, self._listen_port)

    def cut(self) -> None:
        """From now on nothing comes through."""
        self._whole.clear()

    def heal(self) -> None:
        """The line is whole again; what was on it is lost."""
        self._whole.set()
        for call in self._calls:
            call.cancel()

    def turn_to(self, port: int) -> int:
        """Leads to another port from now on, with the calls that are under way ended; where it led before."""
        usual, self._target_port = self._target_port, port
        self.heal()
        return usual

    async def close(self) -> None:
        """Ends all calls."""
        if self._server is not None:
            self._server.close()
        calls = list(self._calls)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._calls.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._whole.wait()
                far_reader, far_writer = await asyncio.open_connection(self._host, self._target_port)
                try:
                    await self._between(reader, writer, far_reader, far_writer)
                finally:
                    far_writer.close()
        finally:
            writer.close()
            self._calls.discard(task)

    async def _between(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        """Passes on in both directions until one side ends."""
        ways = [
            asyncio.ensure_future(self._pass_on(reader, far_writer)),
            asyncio.ensure_future(self._pass_on(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        held: deque[tuple[float, bytes]] = deque()
        changed = asyncio.Event()
        sending = asyncio.ensure_future(self._deliver(held, changed, writer))
        try:
            while data := await reader.read(READ_BYTES):
                held.append((loop.time() + self._delay_s, data))
                changed.set()
                while len(held) > MAX_HELD:
                    await asyncio.sleep(self._delay_s)
            while held and not sending.done():
                await asyncio.sleep(self._delay_s)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _deliver(
        self, held: deque[tuple[float, bytes]], changed: asyncio.Event, writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            changed.clear()
            while held:
                due_s, data = held[0]
                await asyncio.sleep(max(0.0, due_s - loop.time()))
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
                held.popleft()
            await changed.wait()
