"""Last hops: what a speaker, the entry to a cell broadcast or an app does with a relay. Many may run in one process.

A last hop knows two relays or more. It checks the original signatures itself, gives a receipt for what holds, and drops
what does not. When its relay is gone it goes to the next, says what it has, and is given what it lacks; a message that
comes twice is shown once, one that is over when it comes is not shown, and a test of readiness is shown to nobody. An
end is shown whenever it comes: a relay gives it only to those whom it has given what it ends.

    believed = Believed(realm, "JPN", trust, roster="jp-towns")
    hop = LastHop(3, key, [HopAddress("127.0.0.1", 9001), HopAddress("127.0.0.1", 9002)], believed, shown=print)
    hop.start()
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Sequence

from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import Frame as SocketFrame
from websockets.frames import Opcode
from websockets.uri import parse_uri

from noroshi.command.hop_keys import CODE_BYTES, hello_code, hello_text, receipt_code, receipt_text
from noroshi.command.passing import Asked, NotPassedOn, PassOn, judged, keys_taken
from noroshi.messages import TrustStore, canonical
from noroshi.service.hop_wires import HopAddress
from noroshi.service.lines import Pauses, certificate_of
from noroshi.service.relay_frames import (
    BAD_FRAME,
    MAX_HELD,
    MAX_ROW,
    TO_HOP,
    VERSION,
    ByeFrame,
    Frame,
    GreetingFrame,
    HopHello,
    KeysFrame,
    MessageFrame,
    PingFrame,
    ReceiptFrame,
    Splitter,
    framed,
)

RETRY_FIRST_S, RETRY_CAP_S = 0.1, 5.0
"""The first and the longest pause between relays."""

DEAD_AFTER_S = 30.0
"""A relay that says nothing for so long is given up: it pings three times as often."""

CONNECT_S = 5.0

MAX_JUDGED = 256

MAX_KEY_ROWS = 4096
"""Statements of roots that are known to have been looked at: a relay in other hands may invent any number."""

MAX_OVER = 512
"""Identifiers of what is over that a last hop remembers: it holds fewer messages."""


class Believed:
    """Whom the last hops of one process believe, and what of it they have looked at already."""

    def __init__(
        self,
        realm: str,
        partner: str,
        trust: TrustStore,
        now_ns: Callable[[], int] = time.time_ns,
        roster: str = "",
    ) -> None:
        """roster: to which all of them belong; empty where it does not matter."""
        self.realm = realm
        self.partner = partner
        self.trust = trust
        self.now_ns = now_ns
        self.roster = roster
        self._seen: dict[bytes, PassOn | NotPassedOn] = {}
        self._keys: set[bytes] = set()

    def greets(self, greeting: GreetingFrame) -> bool:
        """Whether it is a relay of this realm and roster."""
        ours = self.roster in ("", greeting.roster)
        return greeting.realm == self.realm and ours and greeting.version == VERSION

    def keys(self, raw: bytes) -> None:
        """Takes statements of roots; only those of pinned ones count."""
        digest = hashlib.sha256(raw).digest()
        if digest not in self._keys:
            if len(self._keys) >= MAX_KEY_ROWS:
                self._keys.clear()
            self._keys.add(digest)
            keys_taken(raw, self.trust)
            self._seen.clear()

    def judged(self, raw: bytes) -> PassOn | NotPassedOn:
        """What these bytes are; the same bytes are looked at once for all last hops of the process."""
        digest = hashlib.sha256(raw).digest()
        found = self._seen.get(digest)
        if found is None:
            if len(self._seen) >= MAX_JUDGED:
                self._seen.clear()
            judgement = judged(raw, self.trust, self.partner, self.now_ns())
            if isinstance(judgement, Asked):
                judgement = NotPassedOn("not-for-last-hops", judgement.id)
            found = self._seen[digest] = judgement
        if isinstance(found, PassOn) and found.purpose == "alert" and found.expires_ns <= self.now_ns():
            return NotPassedOn("has-run-out", found.id)
        return found


class LastHop:
    """One last hop. key: empty where its relay only counts; shown: called once with each message that holds."""

    def __init__(
        self,
        number: int,
        key: bytes,
        relays: Sequence[HopAddress],
        believed: Believed,
        shown: Callable[[int, PassOn], None] = lambda hop, message: None,
        dropped: Callable[[int, str], None] = lambda hop, reason: None,
        *,
        first: int = 0,
        secret: bytes = b"",
    ) -> None:
        """first: with which of its relays it begins; secret: the key under which it signs, if it has one."""
        self.number = number
        self.key = key
        self.secret = secret
        self.believed = believed
        self.shown = shown
        self.dropped = dropped
        self.held: dict[bytes, PassOn] = {}
        self.over: dict[str, None] = {}
        self.line: _Line | None = None
        self._codes: dict[bytes, bytes] = {}
        self._relays = list(relays)
        self._at = first % len(self._relays)
        self._running: asyncio.Task[None] | None = None

    @property
    def relay(self) -> HopAddress:
        """To which relay it is connected, or connects next."""
        return self._relays[self._at]

    def start(self) -> None:
        """Connects, and comes back whenever the connection ends."""
        self._running = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Ends it."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        # Pauses are drawn anew in every process: a thousand last hops must not come in step.
        pauses = Pauses(RETRY_FIRST_S, RETRY_CAP_S, random.Random())
        while True:
            if await self._once(self.relay):
                pauses.reset()
            self._at = (self._at + 1) % len(self._relays)
            await asyncio.sleep(pauses.next_s())

    async def _once(self, relay: HopAddress) -> bool:
        """One connection to its end; whether a relay was there."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[None] = loop.create_future()
        line = self.line = (_SocketLine if relay.is_socket else _Line)(self, relay, ended)
        try:
            async with asyncio.timeout(CONNECT_S):
                await loop.create_connection(lambda: line, relay.host, relay.port, ssl=relay.context())
            while not ended.done():
                await asyncio.wait([ended], timeout=DEAD_AFTER_S / 2)
                if loop.time() - line.heard_s > DEAD_AFTER_S:
                    break
        except (OSError, TimeoutError):
            pass
        finally:
            line.abort()
        return line.was_good

    def took(self, raw: bytes) -> ReceiptFrame | None:
        """The receipt for a message, or None where it gets none."""
        found = self.believed.judged(raw)
        reason = found.reason if isinstance(found, NotPassedOn) else found.defect
        if isinstance(found, NotPassedOn) or reason:
            self.dropped(self.number, reason)
            return None
        if found.id not in self.held:
            while len(self.held) >= MAX_HELD:
                oldest = next(iter(self.held))
                del self.held[oldest]
                self._codes.pop(oldest, None)
            self.held[found.id] = found
            is_over = found.identifier in self.over
            self.over.update(dict.fromkeys(found.refers))
            while len(self.over) > MAX_OVER:
                del self.over[next(iter(self.over))]
            if found.purpose != "test" and not is_over:
                self.shown(self.number, found)
        return ReceiptFrame(found.id, self._code(found.id))

    def hello(self, greeting: GreetingFrame) -> HopHello:
        """Who it is, and what it holds."""
        challenge = greeting.challenge
        code = hello_code(self.key, challenge) if self.key else b""
        if self.secret:
            text = hello_text(greeting.realm, greeting.roster, self.number, greeting.relay, challenge)
            code = self._sign(code, text)
        held = tuple((of, self._code(of)) for of in self.held)
        return HopHello(VERSION, self.number, code, held)

    def _code(self, of: bytes) -> bytes:
        found = self._codes.get(of)
        if found is None:
            found = receipt_code(self.key, of) if self.key else b""
            if self.secret:
                roster = self.believed.roster
                found = self._sign(found, receipt_text(self.believed.realm, roster, self.number, of))
            self._codes[of] = found
        return found

    def _sign(self, code: bytes, text: bytes) -> bytes:
        return code.ljust(CODE_BYTES, b"\x00") + self.believed.trust.scheme.sign(self.secret, text)


class _Line(asyncio.Protocol):
    """One connection to a relay over TCP, with or without TLS."""

    def __init__(self, hop: LastHop, relay: HopAddress, ended: asyncio.Future[None]) -> None:
        self._hop = hop
        self._relay = relay
        self._ended = ended
        self._splitter = Splitter(MAX_ROW)
        self._transport: asyncio.Transport | None = None
        self.heard_s = asyncio.get_running_loop().time()
        self.was_good = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._relay.fingerprint and certificate_of(transport) != self._relay.fingerprint:
            self._hop.dropped(self._hop.number, "not-the-relays-certificate")
            transport.abort()
            return
        self._begin()

    def _begin(self) -> None:
        """The relay speaks first."""

    def connection_lost(self, error: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.heard_s = asyncio.get_running_loop().time()
        try:
            self._read(data)
        except (*BAD_FRAME, WebSocketException):
            self._close()

    def _read(self, data: bytes) -> None:
        for payload in self._splitter.feed(data):
            self._take(payload)

    def _take(self, payload: bytes) -> None:
        hop, transport = self._hop, self._transport
        frame = TO_HOP.decode(payload)
        if transport is None or transport.is_closing():
            return
        match frame:
            case GreetingFrame():
                if not hop.believed.greets(frame):
                    self._close()
                    return
                for raw in frame.keys:
                    hop.believed.keys(raw)
                self._write(hop.hello(frame))
                self.was_good = True
            case MessageFrame(raw=raw):
                receipt = hop.took(raw)
                if receipt is not None:
                    self._write(receipt)
            case KeysFrame(raw=raw):
                hop.believed.keys(raw)
            case PingFrame():
                self._write(frame)
            case ByeFrame():
                self._close()

    def _write(self, frame: Frame) -> None:
        if self._transport is not None:
            self._transport.write(framed(frame))

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Ends it at once."""
        if self._transport is not None:
            self._transport.abort()


class _SocketLine(_Line):
    """One connection to a relay by WebSocket."""

    def __init__(self, hop: LastHop, relay: HopAddress, ended: asyncio.Future[None]) -> None:
        super().__init__(hop, relay, ended)
        uri = f"{relay.scheme}://{f'[{relay.host}]' if ':' in relay.host else relay.host}:{relay.port}/"
        self._socket = ClientProtocol(parse_uri(uri), max_size=MAX_ROW)
        self._whole = bytearray()

    def _begin(self) -> None:
        self._socket.send_request(self._socket.connect())
        self._answer()

    def _read(self, data: bytes) -> None:
        self._socket.receive_data(data)
        for event in self._socket.events_received():
            if isinstance(event, SocketFrame) and event.opcode in (Opcode.BINARY, Opcode.CONT):
                self._whole += event.data
                if event.fin:
                    payload, self._whole = bytes(self._whole), bytearray()
                    self._take(payload)
        self._answer()
        if self._socket.handshake_exc is not None or self._socket.parser_exc is not None:
            self._close()

    def _write(self, frame: Frame) -> None:
        self._socket.send_binary(canonical.encode(frame))
        self._answer()

    def _answer(self) -> None:
        data = b"".join(self._socket.data_to_send())
        if self._transport is not None and not self._transport.is_closing():
            if data:
                self._transport.write(data)
            if self._socket.close_expected():
                self._transport.close()
