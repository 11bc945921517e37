"""The side of a relay to which its last hops connect: the same bytes to all of them, receipts back, nobody waits.

Each message is framed once and written to whoever should have it; a last hop that does not read is cut off and comes
back. On connecting it proves which one it is (where hops have keys), says what it holds, and is given what it lacks.
Whoever does not say who it is in time goes, or as soon as there are too many such: who has waited longest goes first.

    hops = LastHops(desk, clock, keys=keys_of_now, changed=wake)
    hops.start(listening_socket, context)
    hops.pass_on(message)
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import Counter
from collections.abc import Callable

import msgspec
from websockets.exceptions import WebSocketException
from websockets.frames import Frame as SocketFrame
from websockets.frames import Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from noroshi.command.passing import PassOn
from noroshi.command.relaying import RelayDesk
from noroshi.errors import PartnerError
from noroshi.service.clocks import RunningClock
from noroshi.service.hop_wires import JSON_PATH, Cast, Form, written
from noroshi.service.relay_frames import (
    BAD_FRAME,
    FROM_HOP,
    MAX_FROM_HOP,
    MAX_HELD,
    VERSION,
    ByeFrame,
    FromHop,
    GreetingFrame,
    HopHello,
    KeysFrame,
    MessageFrame,
    PingFrame,
    ReceiptFrame,
    Splitter,
)
from noroshi.service.tls_door import TlsDoor

HELLO_S = 10.0
"""How long a last hop may take to say who it is."""

PING_EVERY_S = 10.0
"""Last hops hear from their relay so often, and go to another when they do not."""

DEAD_AFTER_S = 35.0
"""A last hop that has answered pings and answers three of them no more is gone, though nobody has closed its line."""

MAX_WAITING_BYTES = 4 << 20
"""What may wait for one last hop that reads slowly: four of the largest messages."""

MAX_STRANGERS = 2048
"""Connections that have not said who they are. A last hop needs some milliseconds for it: even when all of a nation's
come at once there are fewer, and ten thousand that say nothing push out one another and nobody else.
"""

MAX_HANDSHAKES = 1024
"""TLS handshakes at once: the last hops of a relay that was killed all come at one time."""

MAX_ODD = 64
"""Receipts of one last hop that do not count, after which it goes: an honest one has a few after a change of keys."""

BACKLOG = 1024
CHALLENGE_BYTES = 16
_JSON: msgspec.json.Decoder[FromHop] = msgspec.json.Decoder(FromHop)


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
        self._keys = keys
        self._casts: tuple[tuple[bytes, ...], list[Cast]] = ((), [])
        self.changed = changed
        self.here: dict[int, _Hop] = {}
        self.refused: Counter[str] = Counter()
        self._strangers: dict[_Hop, None] = {}
        self._doors: list[TlsDoor] = []
        self._pinging: asyncio.Task[None] | None = None

    def start(
        self, listening: socket.socket, context: ssl.SSLContext | None = None, *, by_socket: bool = False
    ) -> None:
        """Lets last hops connect; by_socket: by WebSocket. May be called for several sockets."""
        make = (lambda: _SocketHop(self)) if by_socket else (lambda: _Hop(self))
        self._doors.append(
            TlsDoor(listening, context, make, "last hops", self, backlog=BACKLOG, most=MAX_HANDSHAKES)
        )
        if self._pinging is None:
            self._pinging = asyncio.ensure_future(self._ping())

    def count(self, entrance: str, source: str, reason: str) -> None:
        """Counts somebody who was refused."""
        self.refused[reason] += 1

    def pass_on(self, message: PassOn) -> int:
        """Writes a new message to all last hops here that should have it; how many those are."""
        for end, owed in self.desk.owed(message, list(self.here)):
            self._pass(end, owed)
        to = self.desk.audience(message, list(self.here))
        self._pass(message, to)
        return len(to)

    def _pass(self, message: PassOn, to: list[int]) -> None:
        cast = Cast(MessageFrame(message.raw))
        for hop in to:
            self.here[hop].write(cast)
        self.desk.passed_all(message.id, to)

    def believed(self) -> list[Cast]:
        """The statements of roots with which last hops check."""
        keys = self._keys()
        if keys != self._casts[0]:
            self._casts = keys, [Cast(KeysFrame(raw)) for raw in keys]
        return self._casts[1]

    def tell_keys(self, raw: bytes) -> None:
        """Writes new statements of roots to all."""
        cast = Cast(KeysFrame(raw))
        for hop in list(self.here.values()):
            hop.write(cast)

    def close(self, reason: str) -> None:
        """Lets nobody in any more, and says goodbye: last hops go to another relay."""
        if self._pinging is not None:
            self._pinging.cancel()
        for door in self._doors:
            door.close()
        for hop in (*self.here.values(), *self._strangers):
            hop.end(reason)

    def came(self, hop: _Hop) -> None:
        """Somebody has connected and has not said who it is."""
        self._strangers[hop] = None
        if len(self._strangers) > MAX_STRANGERS:
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            self.count("", "", "too-many-strangers")
            oldest.abort()

    def entered(self, hop: _Hop, number: int) -> None:
        """It is this last hop; an older connection of the same ends."""
        self._strangers.pop(hop, None)
        older = self.here.get(number)
        self.here[number] = hop
        if older is not None:
            older.end("it has connected anew")

    def gone(self, hop: _Hop, number: int | None) -> None:
        """It has left."""
        self._strangers.pop(hop, None)
        if number is not None and self.here.get(number) is hop:
            del self.here[number]

    async def _ping(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PING_EVERY_S)
            cast = Cast(PingFrame(self.clock.now_ns()))
            for hop in list(self.here.values()):
                if hop.answers and loop.time() - hop.heard_s > DEAD_AFTER_S:
                    hop.abort()
                else:
                    hop.write(cast)


class _Hop(asyncio.Protocol):
    """One connection over TCP, with or without TLS."""

    form = Form.STREAM

    def __init__(self, hops: LastHops) -> None:
        self.heard_s = 0.0
        self.answers = False
        self._hops = hops
        self._splitter = Splitter(MAX_FROM_HOP)
        self._challenge = os.urandom(CHALLENGE_BYTES)
        self._number: int | None = None
        self._odd = 0
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._timer = asyncio.get_running_loop().call_later(
            HELLO_S, self._refuse, "no-hello", "no hello came"
        )
        self._hops.came(self)
        self._begin()

    def _begin(self) -> None:
        """Greets. What the last hop checks with comes after its hello: strangers are sent no more than this."""
        desk = self._hops.desk
        own = desk.seat.certificate
        self.write(Cast(GreetingFrame(VERSION, own.realm, own.subject, desk.roster, self._challenge, ())))

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._hops.gone(self, self._number)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self.heard_s = asyncio.get_running_loop().time()
        try:
            self._read(data)
        except (*BAD_FRAME, WebSocketException) as error:
            self._refuse("malformed-frame", f"no frame of this line: {error}")

    def _read(self, data: bytes) -> None:
        for payload in self._splitter.feed(data):
            self._take(FROM_HOP.decode(payload))

    def _take(self, frame: FromHop) -> None:
        match frame:
            case HopHello():
                self._hello(frame)
            case ReceiptFrame(of=of, code=code):
                self._receipt(of, code)
            case PingFrame():
                self.answers = True

    def _hello(self, hello: HopHello) -> None:
        hops, desk = self._hops, self._hops.desk
        if self._transport is None or self._transport.is_closing():
            return
        reason = desk.hello_defect(hello.hop, hello.code, self._challenge)
        if reason or self._number is not None or hello.version != VERSION or len(hello.held) > MAX_HELD:
            self._refuse(reason or "a-hello-that-is-none", reason or "a hello that is none")
            return
        if self._timer is not None:
            self._timer.cancel()
        self._number = hello.hop
        hops.entered(self, hello.hop)
        for cast in hops.believed():
            self.write(cast)
        now_ns = hops.clock.now_ns()
        desk.holds(hello.hop, hello.held, now_ns)
        for message in desk.wanted(hello.hop, {of for of, _ in hello.held}, now_ns):
            self.write(Cast(MessageFrame(message.raw)))
            desk.passed(message.id, hello.hop)
        if hello.held:
            hops.changed()

    def _receipt(self, of: bytes, code: bytes) -> None:
        if self._number is None:
            self._refuse("a-receipt-before-the-hello", "a receipt before the hello")
            return
        reason = self._hops.desk.receipt(self._number, of, self._hops.clock.now_ns(), code)
        if not reason:
            self._hops.changed()
            return
        self._hops.refused[reason] += 1
        self._odd += 1
        if self._odd > MAX_ODD:
            self._refuse("too-many-bad-receipts", "too many receipts that do not count")

    def write(self, cast: Cast) -> None:
        """Sends, unless the last hop is gone; one that does not read is cut off."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if transport.get_write_buffer_size() > MAX_WAITING_BYTES:
            self._hops.refused["does-not-read"] += 1
            transport.abort()
            return
        transport.write(cast.data(self.form))

    def _refuse(self, reason: str, says: str) -> None:
        self._hops.refused[reason] += 1
        self.end(says)

    def end(self, says: str) -> None:
        """Says why, and closes."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(written(ByeFrame(says[:200]), self.form))
            self._transport.close()

    def abort(self) -> None:
        """Closes at once, and says nothing."""
        if self._transport is not None:
            self._transport.abort()


class _SocketHop(_Hop):
    """One connection by WebSocket."""

    form = Form.BINARY

    def __init__(self, hops: LastHops) -> None:
        super().__init__(hops)
        self._socket = ServerProtocol(max_size=MAX_FROM_HOP)
        self._whole = bytearray()
        self._is_open = False

    def _begin(self) -> None:
        """Greets when it has asked for a WebSocket."""

    def _read(self, data: bytes) -> None:
        self._socket.receive_data(data)
        for event in self._socket.events_received():
            if isinstance(event, Request):
                self._request(event)
            elif isinstance(event, SocketFrame):
                self._frame(event)
        self._answer()
        if self._socket.handshake_exc is not None:
            self._refuse("no-websocket", "")
        elif self._socket.parser_exc is not None:
            self._refuse("malformed-frame", "no frame of this line")

    def _request(self, request: Request) -> None:
        is_json = request.path.partition("?")[0].rstrip("/").endswith(JSON_PATH)
        self.form = Form.TEXT if is_json else Form.BINARY
        self._socket.send_response(self._socket.accept(request))
        self._answer()
        if self._socket.handshake_exc is None:
            self._is_open = True
            super()._begin()

    def _frame(self, frame: SocketFrame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        self._whole += frame.data
        if len(self._whole) > MAX_FROM_HOP:
            raise PartnerError("read a frame", cause=f"it has more than {MAX_FROM_HOP} bytes")
        if frame.fin:
            payload, self._whole = bytes(self._whole), bytearray()
            self._take((_JSON if self.form is Form.TEXT else FROM_HOP).decode(payload))

    def _answer(self) -> None:
        """Sends what the protocol itself has to say: the answer to the request, to pings, to a close."""
        data = b"".join(self._socket.data_to_send())
        if self._transport is not None and not self._transport.is_closing():
            if data:
                self._transport.write(data)
            if self._socket.close_expected():
                self._transport.close()

    def write(self, cast: Cast) -> None:
        if self._is_open:
            super().write(cast)

    def end(self, says: str) -> None:
        if not self._is_open:
            self.abort()
            return
        if self._transport is not None and not self._transport.is_closing():
            if self._socket.state is State.OPEN:  # the other side may have closed it, in the same breath
                self._transport.write(written(ByeFrame(says[:200]), self.form))
                self._socket.send_close(1008 if self._number is None else 1001)
            self._answer()
            self._transport.close()
