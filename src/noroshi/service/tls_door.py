"""A listener whose handshakes, of TLS mostly, are bounded in number and in time.

Who connects and does not finish the handshake goes after a few seconds, or as soon as there are too many such: the one
that has waited longest first. So half handshakes take no descriptors from anybody else. What failed is counted.

    door = TlsDoor(listening, context, streams(accepted), "link", shell.doors)
    door.close()
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Protocol

HANDSHAKE_S = 5.0
"""Longest TLS handshake, and longest wait for the other side's first words."""

MAX_HANDSHAKES = 128
"""Handshakes at once: a nation's relays that all come back take turns of milliseconds."""

ACCEPTED_AT_ONCE = 32
FULL_PAUSE_S = 0.2
"""How long nobody is taken when this process has no file descriptors left."""

READ_BYTES = 1 << 16

Accepted = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Make = Callable[[], asyncio.BaseProtocol]


class Counting(Protocol):
    """Counts what is refused."""

    def count(self, entrance: str, source: str, reason: str) -> None:
        """Counts something that was refused."""


def streams(accepted: Accepted) -> Make:
    """Connections as streams. accepted: is run for each whose handshake is done."""

    def make() -> asyncio.StreamReaderProtocol:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=READ_BYTES, loop=loop)
        return asyncio.StreamReaderProtocol(reader, accepted, loop=loop)

    return make


class TlsDoor:
    """One listening socket. context: None for connections without TLS; make: gives the protocol of each; most:
    handshakes at one time.
    """

    def __init__(
        self,
        listening: socket.socket,
        context: ssl.SSLContext | None,
        make: Make,
        entrance: str,
        doors: Counting,
        *,
        backlog: int = 100,
        most: int = MAX_HANDSHAKES,
    ) -> None:
        self._listening = listening
        self._context = context
        self._make = make
        self._most = most
        self._entrance = entrance
        self._doors = doors
        self._loop = asyncio.get_running_loop()
        self._handshakes: dict[asyncio.Task[None], None] = {}
        listening.listen(backlog)
        listening.setblocking(False)
        self._loop.add_reader(listening, self._take)

    def close(self) -> None:
        """Takes nobody more; connections that are let in go on. Harmless when repeated."""
        if self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening)
            self._listening.close()
        for task in list(self._handshakes):
            task.cancel()

    def _take(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                accepted, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                self._doors.count(self._entrance, "", "no-files")
                self._loop.remove_reader(self._listening)
                self._loop.call_later(FULL_PAUSE_S, self._again)
                return
            accepted.setblocking(False)
            if len(self._handshakes) >= self._most:
                next(iter(self._handshakes)).cancel()
            task = asyncio.ensure_future(self._begin(accepted, str(address[0])))
            self._handshakes[task] = None
            task.add_done_callback(lambda done: self._handshakes.pop(done, None))

    def _again(self) -> None:
        if self._listening.fileno() >= 0:
            self._loop.add_reader(self._listening, self._take)

    async def _begin(self, accepted: socket.socket, host: str) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._make, accepted, ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_S if self._context is not None else None,
            )  # fmt: skip
        except (OSError, ssl.SSLError, TimeoutError) as error:
            self._doors.count(self._entrance, host, _reason(error))
            accepted.close()
        except asyncio.CancelledError:
            self._doors.count(self._entrance, host, "too-many-handshakes")
            with contextlib.suppress(OSError):
                accepted.close()


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return "unknown-certificate"
    if isinstance(error, ssl.SSLError) and "CERTIFICATE" in (error.reason or ""):
        return "unknown-certificate"
    return "handshake"


def peer_of(writer: asyncio.StreamWriter) -> str:
    """The address of the other side."""
    name = writer.get_extra_info("peername")
    return str(name[0]) if name else ""
