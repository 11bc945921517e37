"""One relay as one process: follows its outbox at its node, keeps it, passes it on to last hops, gives receipts back.

Rules: a row is durable here before anybody is passed it; what its own signatures do not carry is passed to nobody and
told to the node. While the node is away last hops stay connected and their receipts wait, joined, for its return.

    run_relay("towns")                   # blocks until SIGTERM; raises NoroshiError
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

from noroshi.command.relaying import (
    UNVERIFIED,
    Kept,
    KeysTaken,
    NotPassedOn,
    PassOn,
    RelayDesk,
    keys_of,
)
from noroshi.errors import NoroshiError
from noroshi.messages.bodies_reach import bits_of, bytes_of
from noroshi.service import relay_dir
from noroshi.service.link_keys import client_context
from noroshi.service.ports import listen_on
from noroshi.service.relay_dir import RelayDir
from noroshi.service.relay_frames import (
    BAD_FRAME,
    FROM_NODE,
    MAX_ROW,
    VERSION,
    ByeFrame,
    NodeHello,
    PingFrame,
    RelayHello,
    RowFrame,
    SaidFrame,
    Splitter,
    TakenFrame,
    framed,
)
from noroshi.service.relay_hops import LastHops
from noroshi.service.relay_store import Receipted, RelayStore

DELIVER_EVERY_S = 0.05
"""Receipts are gathered for so long before the node is told, and until it has taken what it was told before: a crowd of
last hops makes a few statements and not thousands."""

HANDSHAKE_S = 5.0
"""Longest wait for the node's answer and for the TLS handshake."""

RETRY_FIRST_S, RETRY_CAP_S = 0.05, 1.0
"""Pauses between dials double from the first to the cap, each drawn from half to all of itself, as of links."""

PING_EVERY_S = 5.0
DEAD_AFTER_S = 15.0
READ_BYTES = 65_536

Note = Callable[[str], None]


def run_relay(
    path: Path | str,
    *,
    watch_stdin: bool = False,
    say: Callable[[str], None] = lambda text: print(text, flush=True),
    note: Note | None = None,
) -> None:
    """Runs the relay in this directory until it is told to stop. Raises NoroshiError when it cannot start."""
    directory = relay_dir.load(path)
    name = directory.config.name
    notes = note or (lambda text: print(f"{name}: {text}", file=sys.stderr, flush=True))
    raise_file_limit()
    with RelayStore(directory.store_path) as store:
        asyncio.run(RelayProcess(directory, store, notes).run(say, watch_stdin=watch_stdin))


def raise_file_limit() -> None:
    """Lets this process have as many connections as the machine allows it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class RelayProcess:
    """Everything of one running relay, put together."""

    def __init__(self, directory: RelayDir, store: RelayStore, note: Note) -> None:
        self.directory = directory
        self.store = store
        self.desk: RelayDesk = directory.desk()
        self.clock = directory.config.clock.clock()
        self._note = note
        self._stop = asyncio.Event()
        self._news = asyncio.Event()
        self._random = random.Random()
        self._node_context = client_context(
            directory.line_certificate_path, directory.line_key_path, directory.node_certificate()
        )
        self._keys: tuple[bytes, ...] = ()
        self.hops = LastHops(self.desk, self.clock, lambda: self._keys, self._news.set)
        self._told = ""
        self._load()

    async def run(self, say: Callable[[str], None], *, watch_stdin: bool = False) -> None:
        """Starts, says so, works until it is stopped. Raises OperatorError for a port that is taken."""
        config = self.directory.config
        listening = listen_on(config.listen.host, config.listen.port, "last hops", "listen.port")
        await self.hops.start(listening, self._hop_context())
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(one, self._stop.set)
        if watch_stdin:
            loop.add_reader(sys.stdin.fileno(), self._parent)
        working = asyncio.ensure_future(self._follow_node())
        stopping = asyncio.ensure_future(self._stop.wait())
        say(json.dumps(self._ready()))
        try:
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            working.cancel()
            stopping.cancel()
            self.hops.close("this relay stops")
            self._keep_receipts()
            await asyncio.gather(working, stopping, return_exceptions=True)

    def _parent(self) -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._stop.set()

    def _ready(self) -> dict[str, object]:
        config = self.directory.config
        return {
            "ready": True, "relay": config.name, "partner": config.partner, "realm": config.realm,
            "pid": os.getpid(), "hops": f"{config.listen.host}:{config.listen.port}", "after": self.store.after,
        }  # fmt: skip

    def _hop_context(self) -> ssl.SSLContext | None:
        if not self.directory.config.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.directory.line_certificate_path, self.directory.line_key_path)
        return context

    # What it has kept

    def _load(self) -> None:
        for _, data in self.store.rows():
            self.desk.take(data, self.clock.now_ns())
        for one in self.store.receipts():
            kept = self.desk.kept.get(one.of)
            if kept is not None:
                kept.sequence, kept.first_ns, kept.last_ns = one.sequence, one.first_ns, one.last_ns
                kept.passed, kept.received = bits_of(one.passed), bits_of(one.received)
        self._keys = keys_of(self.desk.trust.bundles())

    def _keep_receipts(self, only: list[Kept] | None = None) -> None:
        many = list(self.desk.kept.values()) if only is None else only
        self.store.note(
            Receipted(
                one.message.id,
                one.sequence,
                bytes_of(one.passed),
                bytes_of(one.received),
                one.first_ns,
                one.last_ns,
            )
            for one in many
        )

    # The node

    async def _follow_node(self) -> None:
        """Keeps the line to the node: at once, then with growing pauses."""
        pause_s = RETRY_FIRST_S
        while True:
            begun_s = asyncio.get_running_loop().time()
            reason = await self._once()
            if asyncio.get_running_loop().time() - begun_s > RETRY_CAP_S:
                pause_s = RETRY_FIRST_S
            if reason != self._told:
                self._note(f"no line to the node {self.directory.config.node.node}: {reason}; trying again")
            self._told = reason
            await asyncio.sleep(pause_s * self._random.uniform(0.5, 1.0))
            pause_s = min(2.0 * pause_s, RETRY_CAP_S)

    async def _once(self) -> str:
        """One connection to its end; why it ended."""
        node = self.directory.config.node
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                reader, writer = await asyncio.open_connection(
                    node.host, node.port, ssl=self._node_context, server_hostname="",
                    ssl_handshake_timeout=HANDSHAKE_S,
                )  # fmt: skip
        except (OSError, TimeoutError) as error:
            return str(error) or "no answer in time"
        line = _NodeLine(self, reader, writer)
        try:
            return await line.run()
        finally:
            writer.transport.abort()

    def taken(self, rows: list[RowFrame]) -> None:
        """Rows of the node: durable, then judged, then passed on."""
        self.store.add((row.number, row.data) for row in rows)
        now_ns = self.clock.now_ns()
        for row in rows:
            outcome = self.desk.take(row.data, now_ns)
            if isinstance(outcome, PassOn):
                count = self.hops.pass_on(outcome)
                self._note(f"passed on {outcome.purpose} {outcome.identifier} to {count} last hops")
            elif isinstance(outcome, KeysTaken):
                self._keys = keys_of(self.desk.trust.bundles())
                self.hops.tell_keys(row.data)
                if outcome.refused:
                    self._note(f"some keys do not count: {outcome.refused}")
            elif isinstance(outcome, NotPassedOn):
                self._note(f"{UNVERIFIED}: row {row.number} is passed on to nobody: {outcome.reason}")
                self._news.set()

    def has_ended(self, reason: str) -> None:
        """The line to the node is up: the next end of it is news."""
        self._told = reason

    @property
    def news(self) -> asyncio.Event:
        """Set when there are receipts of which the node has not been told."""
        return self._news

    def said(self, *, again: bool) -> list[bytes]:
        """What is to be told to the node now, kept before it is said."""
        made = self.desk.deliveries(self.clock.now_ns(), again=again)
        if made:
            self._keep_receipts()
        return made


class _NodeLine:
    """One connection to the node."""

    def __init__(
        self, relay: RelayProcess, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._relay = relay
        self._reader = reader
        self._writer = writer
        self._said = 0
        self._taken = 0
        self._room = asyncio.Event()
        self._heard_s = asyncio.get_running_loop().time()
        self._ended = "it was closed"

    async def run(self) -> str:
        """Until it ends; why."""
        relay = self._relay
        config = relay.directory.config
        self._writer.write(framed(RelayHello(VERSION, config.realm, config.name, relay.store.after)))
        parts = [asyncio.ensure_future(part) for part in (self._read(), self._watch())]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        except (OSError, TimeoutError, NoroshiError, *BAD_FRAME) as error:
            return str(error) or type(error).__name__
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
        return self._ended

    async def _read(self) -> None:
        splitter = Splitter(MAX_ROW)
        giving: asyncio.Task[None] | None = None
        try:
            while data := await self._reader.read(READ_BYTES):
                self._heard_s = asyncio.get_running_loop().time()
                rows: list[RowFrame] = []
                for payload in splitter.feed(data):
                    frame = FROM_NODE.decode(payload)
                    match frame:
                        case RowFrame():
                            rows.append(frame)
                        case NodeHello():
                            self._greeted(frame)
                            giving = giving or asyncio.ensure_future(self._give())
                        case TakenFrame(number=number):
                            self._taken = max(self._taken, number)
                            self._room.set()
                        case ByeFrame(reason=reason):
                            self._ended = reason
                            return
                        case PingFrame():
                            pass
                if rows:
                    self._relay.taken(rows)
        finally:
            if giving is not None:
                giving.cancel()
                await asyncio.gather(giving, return_exceptions=True)

    def _greeted(self, hello: NodeHello) -> None:
        self._relay.has_ended("")
        if self._relay.store.after > hello.upto:
            self._relay.store.begin_anew()  # the node goes on from another record, and gives all of it again
        self._say(self._relay.desk.here(self._relay.clock.now_ns()))

    async def _give(self) -> None:
        """Receipts, whenever there are some and the node has taken those before."""
        again = True
        while True:
            self._relay.news.clear()
            for raw in self._relay.said(again=again):
                self._say(raw)
            again = False
            await self._writer.drain()
            while self._taken < self._said:
                self._room.clear()
                await self._room.wait()
            await asyncio.sleep(DELIVER_EVERY_S)
            await self._relay.news.wait()

    def _say(self, raw: bytes) -> None:
        self._said += 1
        self._writer.write(framed(SaidFrame(self._said, raw)))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            self._writer.write(framed(PingFrame(self._relay.clock.now_ns())))
            if asyncio.get_running_loop().time() - self._heard_s > DEAD_AFTER_S:
                raise TimeoutError(f"nothing was heard for {DEAD_AFTER_S:.0f} s")
