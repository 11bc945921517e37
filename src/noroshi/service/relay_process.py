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
from hashlib import sha256
from pathlib import Path

from noroshi.command.passing import UNVERIFIED, Asked, KeysTaken, NotPassedOn, PassOn, keys_of
from noroshi.errors import NoroshiError
from noroshi.messages.bodies_reach import bytes_of
from noroshi.service import relay_dir
from noroshi.service.lines import Frames, Pauses, dial, run_parts
from noroshi.service.link_keys import client_context
from noroshi.service.ports import listen_on
from noroshi.service.relay_dir import RelayDir
from noroshi.service.relay_frames import (
    BAD_FRAME,
    FROM_NODE,
    MAX_ROW,
    VERSION,
    BeatFrame,
    ByeFrame,
    Frame,
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
"""How often a node of the first version hears that the relay is there; others say how often they want to."""

LEAST_BEAT_S = 0.25
"""No node needs to hear oftener that its relay is there."""

DEAD_AFTER_S = 15.0

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
        self.clock = directory.config.clock.clock()
        self.desk, _ = directory.loaded(store, self.clock.now_ns())
        self._note = note
        self._stop = asyncio.Event()
        self._news = asyncio.Event()
        self._random = random.Random()
        self._node_context = client_context(
            directory.line_certificate_path, directory.line_key_path, directory.node_certificate()
        )
        self._keys: tuple[bytes, ...] = keys_of(self.desk.trust.bundles())
        self._noted: dict[bytes, tuple[int, int, int, int]] = {}
        self._answers: list[Asked] = []
        self.hops = LastHops(self.desk, self.clock, lambda: self._keys, self._news.set)
        self._told = ""
        self._mark_noted()
        store.forget(self.desk.kept)

    async def run(self, say: Callable[[str], None], *, watch_stdin: bool = False) -> None:
        """Starts, says so, works until it is stopped. Raises OperatorError for a port that is taken."""
        config = self.directory.config
        listening = listen_on(config.listen.host, config.listen.port, "last hops", "listen.port")
        self.hops.start(listening, self._hop_context())
        if config.websocket is not None:
            place = config.websocket
            more = listen_on(place.host, place.port, "last hops", "websocket.port")
            self.hops.start(more, self._hop_context(), by_socket=True)
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
            "addresses": [str(one) for one in self.directory.addresses()],
        }  # fmt: skip

    def _hop_context(self) -> ssl.SSLContext | None:
        if not self.directory.config.tls:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self.directory.line_certificate_path, self.directory.line_key_path)
        return context

    # What it has kept

    def _mark_noted(self) -> None:
        self._noted = {
            of: (one.sequence, one.passed, one.received, len(one.signatures))
            for of, one in self.desk.kept.items()
        }

    def _keep_receipts(self) -> None:
        """Notes what has changed since it was noted."""
        changed: list[Receipted] = []
        signatures: list[tuple[bytes, int, bytes]] = []
        for of, one in self.desk.kept.items():
            before = self._noted.get(of, (0, 0, 0, 0))
            if (one.sequence, one.passed, one.received, len(one.signatures)) == before:
                continue
            passed, received = bytes_of(one.passed), bytes_of(one.received)
            changed.append(Receipted(of, one.sequence, passed, received, one.first_ns, one.last_ns))
            signatures += [(of, hop, signed) for hop, signed in list(one.signatures.items())[before[3] :]]
        if changed:
            self.store.note(changed, signatures)
            self._mark_noted()

    # The node

    async def _follow_node(self) -> None:
        """Keeps the line to the node: at once, then with growing pauses."""
        pauses = Pauses(RETRY_FIRST_S, RETRY_CAP_S, self._random)
        while True:
            begun_s = asyncio.get_running_loop().time()
            reason = await self._once()
            if asyncio.get_running_loop().time() - begun_s > RETRY_CAP_S:
                pauses.reset()
            if reason != self._told:
                self._note(f"no line to the node {self.directory.config.node.node}: {reason}; trying again")
            self._told = reason
            await asyncio.sleep(pauses.next_s())

    async def _once(self) -> str:
        """One connection to its end; why it ended."""
        node = self.directory.config.node
        try:
            reader, writer = await dial(node.host, node.port, self._node_context, HANDSHAKE_S)
        except (OSError, TimeoutError) as error:
            return str(error) or "no answer in time"
        line = _NodeLine(self, reader, writer)
        try:
            return await line.run()
        finally:
            writer.transport.abort()

    def taken(self, rows: list[RowFrame]) -> None:
        """Rows of the node: durable, then judged, then passed on."""
        now_ns = self.clock.now_ns()
        self.store.add(((row.number, row.data) for row in rows), now_ns)
        for row in rows:
            outcome = self.desk.take(row.data, now_ns)
            if isinstance(outcome, PassOn):
                count = self.hops.pass_on(outcome)
                self._note(f"passed on {outcome.purpose} {outcome.identifier} to {count} last hops")
            elif isinstance(outcome, KeysTaken):
                self._keys = keys_of(self.desk.trust.bundles())
                if outcome.onward:
                    self.hops.tell_keys(row.data)
                else:  # of signatures under keys that were replaced others take the place, here and at the node
                    self._noted = {of: (*one[:3], 0) for of, one in self._noted.items()}
                    self._news.set()
                if outcome.refused:
                    self._note(f"some keys do not count: {outcome.refused}")
            elif isinstance(outcome, Asked):
                self._answers.append(outcome)
                self._news.set()
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
        now_ns = self.clock.now_ns()
        made = self.desk.deliveries(now_ns, again=again)
        answers, self._answers = self._answers, []
        for asked in answers:
            proof = self.desk.proof(asked, now_ns)
            if proof is None:
                self._note("the node asks for signatures of last hops that are not here")
            else:
                made.append(proof)
        if made:
            self._keep_receipts()
        return made

    def beat(self) -> BeatFrame:
        """That it is there, and whom it has refused since it last said so."""
        refused = dict(self.hops.refused)
        self.hops.refused.clear()
        return BeatFrame(self.clock.now_ns(), len(self.hops.here), refused)


class _NodeLine:
    """One connection to the node."""

    def __init__(
        self, relay: RelayProcess, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._relay = relay
        self._frames = Frames(reader, Splitter(MAX_ROW))
        self._writer = writer
        self._said = 0
        self._taken = 0
        self._room = asyncio.Event()
        self._greeted = asyncio.Event()
        self._beat_s = 0.0
        self._ended = "it was closed"

    async def run(self) -> str:
        """Until it ends; why."""
        relay, config = self._relay, self._relay.directory.config
        last = sha256(relay.store.last).digest() if relay.store.last else b""
        self._write(RelayHello(VERSION, config.realm, config.name, relay.store.after, True, last))
        try:
            await run_parts(self._read(), self._give(), self._watch())
        except (OSError, TimeoutError, NoroshiError, *BAD_FRAME) as error:
            return str(error) or type(error).__name__
        return self._ended

    async def _read(self) -> None:
        async for payloads in self._frames.batches():
            rows: list[RowFrame] = []
            for payload in payloads:
                match FROM_NODE.decode(payload):
                    case RowFrame() as row:
                        rows.append(row)
                    case NodeHello() as hello:
                        self._hear(hello)
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

    def _hear(self, hello: NodeHello) -> None:
        """The node is there, and says where the relay's outbox ends."""
        self._relay.has_ended("")
        if self._relay.store.after > hello.upto:
            self._relay.store.begin_anew()  # the node goes on from another record, and gives all of it again
        self._beat_s = hello.beat_s
        self._say(self._relay.desk.here(self._relay.clock.now_ns()))
        self._greeted.set()

    async def _give(self) -> None:
        """Receipts, whenever there are some and the node has taken those before."""
        again = True
        await self._greeted.wait()
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
        self._write(SaidFrame(self._said, raw))

    def _write(self, frame: Frame) -> None:
        self._writer.write(framed(frame))

    async def _watch(self) -> None:
        """Says as often as the node wants that the relay is there, and notices when the node is not."""
        async with asyncio.timeout(HANDSHAKE_S):
            await self._greeted.wait()
        beats = self._beat_s > 0.0
        while True:
            self._write(self._relay.beat() if beats else PingFrame(self._relay.clock.now_ns()))
            await asyncio.sleep(max(self._beat_s, LEAST_BEAT_S) if beats else PING_EVERY_S)
            if self._frames.silent_s > DEAD_AFTER_S:
                raise TimeoutError(f"nothing was heard for {DEAD_AFTER_S:.0f} s")
