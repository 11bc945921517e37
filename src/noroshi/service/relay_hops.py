"""The side of a relay to which its last hops connect: the same bytes to all of them, receipts back, nobody waits.

Each message is framed once and written to whoever should have it; a last hop that does not read is cut off and comes
back. On connecting it proves which one it is (where hops have keys), says what it holds, and is given what it lacks.

    hops = LastHops(desk, clock, keys=keys_of_now, changed=wake)
    await hops.start(listening_socket, context)
    hops.pass_on(message)
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable

from noroshi.command.relaying import PassOn, RelayDesk, hello_code, hop_key
from noroshi.service.clocks import RunningClock
from noroshi.service.relay_frames import (
    BAD_FRAME,
    FROM_HOP,
    MAX_FROM_HOP,
    MAX_HELD,
    VERSION,
    ByeFrame,
    GreetingFrame,
    HopHello,
    KeysFrame,
    MessageFrame,
    PingFrame,
    ReceiptFrame,
    Splitter,
    framed,
)

HELLO_S = 10.0
"""How long a last hop may take to say who it is."""

PING_EVERY_S = 10.0
"""Last hops hear from their relay so often, and go to another when they do not."""

MAX_WAITING_BYTES = 4 << 20
"""What may wait for one last hop that reads slowly: four of the largest messages."""

CHALLENGE_BYTES = 16


class LastHops:
    """All last hops that are connected."""

    def __init__(
        self,
        desk: RelayDesk,
        clock: RunningClock,
        keys: Callable[[], tuple[bytes, ...]],
        changed: Callable[[], None],
    ) -> None:
        """keys: the statements of roots that last hops check with; changed: called when there is a new receipt."""
        self.desk = desk
        self.clock = clock
        self.keys = keys
        self.changed = changed
        self.here: dict[int, _Hop] = {}
        self.refused = 0
        self._server: asyncio.Server | None = None
        self._pinging: asyncio.Task[None] | None = None

    async def start(self, listening: socket.socket, context: ssl.SSLContext | None = None) -> None:
        """Lets last hops connect."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Hop(self), sock=listening, ssl=context, backlog=1024)
        self._pinging = asyncio.ensure_future(self._ping())

    def pass_on(self, message: PassOn) -> int:
        """Writes a new message to all last hops here that should have it; how many those are."""
        data = framed(MessageFrame(message.raw))
        to = self.desk.audience(message, list(self.here))
        for hop in to:
            self.here[hop].write(data)
        self.desk.passed_all(message.id, to)
        return len(to)

    def tell_keys(self, raw: bytes) -> None:
        """Writes new statements of roots to all."""
        data = framed(KeysFrame(raw))
        for hop in list(self.here.values()):
            hop.write(data)

    def close(self, reason: str) -> None:
        """Lets nobody in any more, and says goodbye: last hops go to another relay."""
        if self._pinging is not None:
            self._pinging.cancel()
        if self._server is not None:
            self._server.close()
        for hop in list(self.here.values()):
            hop.end(reason)

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            data = framed(PingFrame(self.clock.now_ns()))
            for hop in list(self.here.values()):
                hop.write(data)


class _Hop(asyncio.Protocol):
    """One connection."""

    def __init__(self, hops: LastHops) -> None:
        self._hops = hops
        self._splitter = Splitter(MAX_FROM_HOP)
        self._challenge = os.urandom(CHALLENGE_BYTES)
        self._number: int | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        hops = self._hops
        self._timer = asyncio.get_running_loop().call_later(HELLO_S, self.end, "no hello came")
        own = hops.desk.seat.certificate
        self.write(
            framed(
                GreetingFrame(VERSION, own.realm, own.subject, hops.desk.roster, self._challenge, hops.keys())
            )
        )

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._number is not None and self._hops.here.get(self._number) is self:
            del self._hops.here[self._number]
        self._transport = None

    def data_received(self, data: bytes) -> None:
        try:
            for payload in self._splitter.feed(data):
                frame = FROM_HOP.decode(payload)
                if isinstance(frame, HopHello):
                    self._hello(frame)
                elif isinstance(frame, ReceiptFrame):
                    self._receipt(frame.of, frame.code)
        except BAD_FRAME as error:
            self._hops.refused += 1
            self.end(f"no frame of this line: {error}")

    def _hello(self, hello: HopHello) -> None:
        hops, desk = self._hops, self._hops.desk
        reason = desk.hop_defect(hello.hop)
        if not reason and desk.secret:
            wanted = hello_code(hop_key(desk.secret, desk.roster, hello.hop), self._challenge)
            reason = "" if hello.code == wanted else "not-this-last-hop"
        if reason or self._number is not None or hello.version != VERSION or len(hello.held) > MAX_HELD:
            hops.refused += 1
            self.end(reason or "a hello that is none")
            return
        if self._timer is not None:
            self._timer.cancel()
        older = hops.here.get(hello.hop)
        self._number = hello.hop
        hops.here[hello.hop] = self
        if older is not None:
            older.end("it has connected anew")
        held = set()
        for of, code in hello.held:
            held.add(of)
            if of in desk.kept:
                self._receipt(of, code)
        for message in desk.wanted(hello.hop, held, hops.clock.now_ns()):
            self.write(framed(MessageFrame(message.raw)))
            desk.passed(message.id, hello.hop)

    def _receipt(self, of: bytes, code: bytes) -> None:
        if self._number is None:
            self._hops.refused += 1
            self.end("a receipt before the hello")
            return
        if self._hops.desk.receipt(self._number, of, self._hops.clock.now_ns(), code) == "":
            self._hops.changed()

    def write(self, data: bytes) -> None:
        """Sends, unless the last hop is gone; one that does not read is cut off."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            transport.abort()
            return
        transport.write(data)

    def end(self, reason: str) -> None:
        """Says why, and closes."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(framed(ByeFrame(reason[:200])))
            self._transport.close()
