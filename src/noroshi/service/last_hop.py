"""Last hops: what a speaker, the entry to a cell broadcast or an app does with a relay. Many may run in one process.

A last hop knows two relays or more. It checks the original signatures itself, gives a receipt for what holds, and drops
what does not. When its relay is gone it goes to the next, says what it has, and is given what it lacks; a message that
comes twice is received once. A test of readiness is receipted and shown to nobody.

    believed = Believed(realm, "JPN", trust)
    hop = LastHop(3, key, [("127.0.0.1", 9001), ("127.0.0.1", 9002)], believed, shown=print)
    hop.start()
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Callable, Sequence

from noroshi.command.relaying import NotPassedOn, PassOn, hello_code, judged, keys_taken, receipt_code
from noroshi.messages import TrustStore
from noroshi.service.relay_frames import (
    BAD_FRAME,
    MAX_HELD,
    MAX_ROW,
    TO_HOP,
    VERSION,
    ByeFrame,
    GreetingFrame,
    HopHello,
    KeysFrame,
    MessageFrame,
    ReceiptFrame,
    Splitter,
    framed,
)

RETRY_FIRST_S, RETRY_CAP_S = 0.1, 5.0
"""Pauses between relays double from the first to the cap, each drawn from half to all of itself, so that the last hops
of a relay that is gone do not come to the next one all in the same instant."""

DEAD_AFTER_S = 30.0
"""A relay that says nothing for so long is given up: it pings three times as often."""

CONNECT_S = 5.0

MAX_JUDGED = 256

Address = tuple[str, int]


class Believed:
    """Whom the last hops of one process believe, and what of it they have looked at already."""

    def __init__(
        self, realm: str, partner: str, trust: TrustStore, now_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.realm = realm
        self.partner = partner
        self.trust = trust
        self.now_ns = now_ns
        self._seen: dict[bytes, PassOn | NotPassedOn] = {}
        self._keys: set[bytes] = set()

    def keys(self, raw: bytes) -> None:
        """Takes statements of roots; only those of pinned ones count."""
        digest = hashlib.sha256(raw).digest()
        if digest not in self._keys:
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
            found = self._seen[digest] = judged(raw, self.trust, self.partner, self.now_ns())
        return found


class LastHop:
    """One last hop. key: empty where its relay only counts; shown: called once with each message that holds."""

    def __init__(
        self,
        number: int,
        key: bytes,
        relays: Sequence[Address],
        believed: Believed,
        shown: Callable[[int, PassOn], None] = lambda hop, message: None,
        dropped: Callable[[int, str], None] = lambda hop, reason: None,
        *,
        first: int = 0,
    ) -> None:
        """first: with which of its relays it begins."""
        self.number = number
        self.key = key
        self.believed = believed
        self.shown = shown
        self.dropped = dropped
        self.held: dict[bytes, PassOn] = {}
        self._relays = list(relays)
        self._at = first % len(self._relays)
        self._running: asyncio.Task[None] | None = None

    @property
    def relay(self) -> Address:
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
        loop = asyncio.get_running_loop()
        pause_s = RETRY_FIRST_S
        while True:
            host, port = self.relay
            ended: asyncio.Future[None] = loop.create_future()
            line = _Line(self, ended)
            transport: asyncio.Transport | None = None
            try:
                async with asyncio.timeout(CONNECT_S):
                    transport, _ = await loop.create_connection(lambda line=line: line, host, port)  # type: ignore[misc]  # bound at once
                while not ended.done():
                    await asyncio.wait([ended], timeout=DEAD_AFTER_S / 2)
                    if loop.time() - line.heard_s > DEAD_AFTER_S:
                        break
            except (OSError, TimeoutError):
                pass
            finally:
                if transport is not None:
                    transport.abort()
            if line.was_good:
                pause_s = RETRY_FIRST_S
            self._at = (self._at + 1) % len(self._relays)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
            pause_s = min(2.0 * pause_s, RETRY_CAP_S)

    def took(self, raw: bytes) -> bytes | None:
        """The receipt for a message, or None where it gets none."""
        found = self.believed.judged(raw)
        reason = found.reason if isinstance(found, NotPassedOn) else found.defect
        if isinstance(found, NotPassedOn) or reason:
            self.dropped(self.number, reason)
            return None
        if found.id not in self.held:
            while len(self.held) >= MAX_HELD:
                del self.held[next(iter(self.held))]
            self.held[found.id] = found
            if found.purpose != "test":
                self.shown(self.number, found)
        return framed(ReceiptFrame(found.id, self._code(found.id)))

    def hello(self, challenge: bytes) -> bytes:
        """Who it is, and what it holds."""
        code = hello_code(self.key, challenge) if self.key else b""
        held = tuple((of, self._code(of)) for of in self.held)
        return framed(HopHello(VERSION, self.number, code, held))

    def _code(self, of: bytes) -> bytes:
        return receipt_code(self.key, of) if self.key else b""


class _Line(asyncio.Protocol):
    """One connection to a relay."""

    def __init__(self, hop: LastHop, ended: asyncio.Future[None]) -> None:
        self._hop = hop
        self._ended = ended
        self._splitter = Splitter(MAX_ROW)
        self._transport: asyncio.Transport | None = None
        self.heard_s = asyncio.get_running_loop().time()
        self.was_good = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    def data_received(self, data: bytes) -> None:
        self.heard_s = asyncio.get_running_loop().time()
        try:
            for payload in self._splitter.feed(data):
                self._take(payload)
        except BAD_FRAME:
            self._close()

    def _take(self, payload: bytes) -> None:
        hop, transport = self._hop, self._transport
        frame = TO_HOP.decode(payload)
        if transport is None or transport.is_closing():
            return
        match frame:
            case GreetingFrame():
                if frame.realm != hop.believed.realm or frame.version != VERSION:
                    self._close()
                    return
                for raw in frame.keys:
                    hop.believed.keys(raw)
                transport.write(hop.hello(frame.challenge))
                self.was_good = True
            case MessageFrame(raw=raw):
                receipt = hop.took(raw)
                if receipt is not None:
                    transport.write(receipt)
            case KeysFrame(raw=raw):
                hop.believed.keys(raw)
            case ByeFrame():
                self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
