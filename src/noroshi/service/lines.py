"""What all lines have in common: parts that end together, pauses between dials, dialling, whose certificate it is.

reader, writer = await dial(host, port, context, HANDSHAKE_S)        # raises OSError, TimeoutError
await run_parts(read(), send(), watch())                             # until the first of them ends
await asyncio.sleep(pauses.next_s())
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import ssl
from collections.abc import AsyncIterator, Coroutine
from typing import Any, Protocol

READ_BYTES = 65_536


class Cutting(Protocol):
    """Cuts a stream of bytes into frames."""

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that are whole now. Raises PartnerError at a frame that cannot be."""


class Pauses:
    """Pauses between dials: they double from the first to the cap, each drawn from half to all of itself, so that all
    who have lost the same line do not come back in the same instant.
    """

    def __init__(self, first_s: float, cap_s: float, rng: random.Random) -> None:
        self._first_s, self._cap_s, self._rng = first_s, cap_s, rng
        self._pause_s = first_s

    def reset(self) -> None:
        """The line was good: the next pause is the first again."""
        self._pause_s = self._first_s

    def next_s(self) -> float:
        """How long to wait now, in seconds."""
        pause_s, self._pause_s = self._pause_s, min(2.0 * self._pause_s, self._cap_s)
        return pause_s * self._rng.uniform(0.5, 1.0)


async def run_parts(*parts: Coroutine[Any, Any, None]) -> None:
    """Runs the parts of one connection until the first ends, and ends the others. Raises what ended it."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def dial(
    host: str, port: int, context: ssl.SSLContext, within_s: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection with its handshake done. Raises OSError or TimeoutError."""
    # Not `wait_for`: before Python 3.12 it may lose a cancellation, and closing would wait for ever.
    async with asyncio.timeout(within_s):
        return await asyncio.open_connection(
            host, port, ssl=context, server_hostname="", ssl_handshake_timeout=within_s
        )


class Frames:
    """The frames of one connection, as they come, and when something was last heard."""

    def __init__(self, reader: asyncio.StreamReader, cutting: Cutting) -> None:
        self._reader = reader
        self._cutting = cutting
        self.heard_s = asyncio.get_running_loop().time()

    @property
    def silent_s(self) -> float:
        """For how long nothing was heard, in seconds of life."""
        return asyncio.get_running_loop().time() - self.heard_s

    async def batches(self) -> AsyncIterator[list[bytes]]:
        """The payloads of what was read at one time, until the other side closes. Raises OSError, PartnerError."""
        while data := await self._reader.read(READ_BYTES):
            self.heard_s = asyncio.get_running_loop().time()
            yield self._cutting.feed(data)


def certificate_of(transport: asyncio.BaseTransport | asyncio.StreamWriter) -> str:
    """SHA-256 of the certificate that the other side shows, hexadecimal; empty where it shows none."""
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    raw = tls.getpeercert(binary_form=True) if tls is not None else None
    return hashlib.sha256(raw).hexdigest() if raw else ""
