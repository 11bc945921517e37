"""The node's door for its relays: TLS with admitted certificates; each gets its own outbox and nothing else.

Who may come is in the directory (`relays/<name>.pem`, looked at again while the node runs); what it says counts only
with a certificate of the partner's root. A relay that floods costs its own line: one statement at a time is taken of it.
A relay of which nothing is heard for three seconds is told to the core as silent.

    relays = RelayServer(shell, directory, note)
    await relays.start()                 # raises OperatorError for a taken port
    await relays.close()
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import msgspec

from noroshi.errors import LocalError
from noroshi.node.inputs import LinkChanged, Received
from noroshi.service.doors import OTHERS
from noroshi.service.lines import Frames, certificate_of, run_parts
from noroshi.service.link_keys import fingerprint, server_context
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import listen_on
from noroshi.service.relay_dir import pinned
from noroshi.service.relay_frames import (
    BAD_FRAME,
    FROM_RELAY,
    MAX_ROW,
    VERSION,
    BeatFrame,
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
from noroshi.service.shell import NodeShell
from noroshi.service.tls_door import HANDSHAKE_S, TlsDoor, peer_of, streams
from noroshi.sharing import RELAYS
from noroshi.sharing.link import PING_EVERY_S, SILENT_AFTER_S

PAGE_ROWS = 50

DEAD_AFTER_S = 15.0
"""A line on which nothing was heard for so long is given up: three times as long as relays of the first version wait
between their pings."""

WATCH_S = PING_EVERY_S / 4
"""How often silence is looked for; a relay is told to be silent at most SILENT_AFTER_S after its last word."""

LOOK_S = 2.0
"""How often it is looked for relays that were admitted or removed."""

NEWS_S, BIG_NEWS_S = 10.0, 1.0
"""A change in the number of connected last hops is told so long after the last; one of more than a tenth sooner."""

MAX_RELAYS = 1024
"""Connections at once: every prefecture and every broadcaster of a nation, with a second relay each."""

MAX_REASONS, MAX_REFUSED = 24, 1_000_000
"""Reasons, and refusals of each, that are taken of one word of a relay."""

DOOR, HOPS_DOOR = "relays", "last hops"
"""What this door, and those of the relays behind it, are called where refusals are counted."""

State = Literal["up", "silent", "down", "removed"]


@dataclass(slots=True)
class _Heard:
    """What is known of one relay's line. at_s: when it was last heard; beats: whether it does so every second;
    told: what the core was told.
    """

    at_s: float
    beats: bool = True
    hops: int = 0
    told: State | None = None
    told_hops: int = 0
    told_s: float = 0.0


class RelayServer:
    """All lines to relays of one node; without an address for them there are none."""

    def __init__(
        self, shell: NodeShell, directory: NodeDir, note: Callable[[str], None] = lambda _: None
    ) -> None:
        self.shell = shell
        self.note = note
        self._directory = directory
        self._names: dict[str, str] = {}
        self._lines: dict[str, asyncio.Task[None]] = {}
        self._heard: dict[str, _Heard] = {}
        self._unreadable = ""
        self._server: TlsDoor | None = None
        self._context: ssl.SSLContext | None = None
        self._tending: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens, where the node has an address for relays. Raises OperatorError when the port is taken."""
        address = self._directory.config.relays
        if address is None:
            return
        certificate, key = self._directory.link_certificate_path, self._directory.link_key_path
        self._context = server_context(certificate, key, [])
        self._look()
        listening = listen_on(address.host, address.port, "relays", "relays.port")
        self._server = TlsDoor(listening, self._context, streams(self._accepted), DOOR, self.shell.doors)
        self._tending = asyncio.ensure_future(run_parts(self._keep_looking(), self._keep_watching()))

    async def close(self) -> None:
        """Ends all lines."""
        tasks = list(self._lines.values())
        if self._tending is not None:
            tasks.append(self._tending)
        if self._server is not None:
            self._server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Who may come

    def _look(self) -> None:
        """Takes the certificates that are in the directory now; lines of relays that are gone from it end."""
        assert self._context is not None
        found = {}
        try:
            files = pinned(self._directory.path)
        except OSError as error:  # one is being removed, or is no file: it is looked again soon
            self._note_once(f"the certificates of relays cannot be read: {error}")
            return
        self._unreadable = ""
        for name, pem in files.items():
            try:
                digest = fingerprint(pem)
                if digest not in self._names:
                    self._context.load_verify_locations(cadata=pem.decode("ascii"))
                found[digest] = name
            except (ValueError, ssl.SSLError) as error:
                self.note(f"the certificate of the relay {name} is damaged: {error}")
        gone = set(self._names.values()) - set(found.values())
        replaced = {name for digest, name in self._names.items() if digest not in found}
        self._names = found
        for name in found.values():
            self._heard.setdefault(name, _Heard(asyncio.get_running_loop().time()))
        for name in replaced:
            if name in self._lines:
                self._lines[name].cancel()
        for name in gone:
            if self._heard.pop(name).told is not None:
                self._tell(name, "removed", None)

    def _note_once(self, says: str) -> None:
        if says != self._unreadable:
            self.note(says)
        self._unreadable = says

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._look()

    # Who is heard

    async def _keep_watching(self) -> None:
        while True:
            await asyncio.sleep(WATCH_S)
            now_s = asyncio.get_running_loop().time()
            for name, heard in self._heard.items():
                self._judge(name, heard, now_s)

    def _judge(self, name: str, heard: _Heard, now_s: float) -> None:
        """Tells the core what has become of one relay's line, where that is news."""
        has_line = name in self._lines
        silent = now_s - heard.at_s > (SILENT_AFTER_S if heard.beats else DEAD_AFTER_S) - WATCH_S
        if silent:
            state: State = "silent" if has_line else "down"
        elif has_line:
            state = "up"
        else:
            return  # it may be back in a moment
        moved = abs(heard.hops - heard.told_hops)
        since_s = now_s - heard.told_s
        news = state != heard.told or (state == "up" and moved and since_s >= NEWS_S)
        if news or (state == "up" and moved > heard.told_hops / 10 and since_s >= BIG_NEWS_S):
            heard.told, heard.told_hops, heard.told_s = state, heard.hops, now_s
            self._tell(name, state, heard.hops if state == "up" else None)

    def heard(self, name: str, *, beats: bool | None = None, hops: int | None = None) -> None:
        """Something was heard of a relay."""
        found = self._heard.get(name)
        if found is None:
            return
        found.at_s = asyncio.get_running_loop().time()
        found.beats = found.beats if beats is None else beats
        found.hops = found.hops if hops is None else hops
        if found.told != "up":
            self._judge(name, found, found.at_s)

    def _tell(self, name: str, state: State, hops: int | None) -> None:
        with contextlib.suppress(LocalError):  # a node that takes nothing more need not hear of its relays
            self.shell.offer(
                LinkChanged(
                    party=f"{RELAYS}{name}", state=state, hops=msgspec.UNSET if hops is None else hops
                )
            )

    # Lines

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = self._names.get(certificate_of(writer))
        task = asyncio.current_task()
        if name is None or task is None or len(self._lines) >= MAX_RELAYS:
            full = "too-many-relays" if name is not None else "unknown-certificate"
            self.shell.doors.count(DOOR, peer_of(writer), full)
            writer.transport.abort()
            return
        older = self._lines.get(name)
        if older is not None:
            older.cancel()
        self._lines[name] = task
        reason = "it was closed"
        try:
            await _Line(self, name, reader, writer).run()
        except (OSError, TimeoutError, LocalError, *BAD_FRAME) as error:
            reason = str(error) or type(error).__name__
            if isinstance(error, BAD_FRAME):
                self.shell.doors.count(DOOR, name, "malformed-frame")
        except asyncio.CancelledError:
            reason = "the node ended it"
            with contextlib.suppress(OSError, RuntimeError):
                writer.write(framed(ByeFrame(reason)))
        finally:
            if self._lines.get(name) is task:
                del self._lines[name]
            writer.close()
            self.note(f"line to the relay {name} ended: {reason}")


def _word(reason: str) -> str:
    """A relay's reason as the staff read it, on a page or at a terminal: a word of letters, digits and dashes."""
    return reason[:64] if reason.isascii() and reason.replace("-", "").isalnum() else OTHERS


class _Line:
    """One relay's connection."""

    def __init__(
        self, server: RelayServer, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._shell = server.shell
        self._note = server.note
        self._name = name
        self._party = f"{RELAYS}{name}"
        self._frames = Frames(reader, Splitter(MAX_ROW))
        self._batches = self._frames.batches()
        self._writer = writer

    async def run(self) -> None:
        """Until it ends. Raises what ended it."""
        async with asyncio.timeout(HANDSHAKE_S):
            first: list[bytes] = []
            while not first:
                batch = await anext(self._batches, None)
                if batch is None:
                    return
                first = batch
        hello = FROM_RELAY.decode(first.pop(0))
        realm, node = self._shell.genesis.realm, self._shell.genesis.node
        if not isinstance(hello, RelayHello) or hello.version != VERSION:
            self._shell.doors.count(DOOR, self._name, "no-hello-of-this-version")
            self._bye("no hello of this version")
            return
        if hello.realm != realm or hello.relay != self._name:
            self._shell.doors.count(DOOR, self._name, "another-realm-or-name")
            self._bye(f"this is {node} in {realm}, and the line belongs to the relay {self._name}")
            return
        after = self._after(hello)
        upto = self._upto(after)
        now_ns = self._shell.clock.now_ns()
        self._writer.write(framed(NodeHello(VERSION, realm, node, upto, now_ns, PING_EVERY_S)))
        self._server.heard(self._name, beats=hello.beats, hops=0)
        after = after if after <= upto else 0
        self._note(f"the relay {self._name} is connected, and has up to row {after}")
        await run_parts(self._send(after), self._read(first), self._watch())

    def _bye(self, reason: str) -> None:
        self._writer.write(framed(ByeFrame(reason)))

    def _after(self, hello: RelayHello) -> int:
        """After which row it goes on: none, where its last one is not ours."""
        after = min(max(hello.after, 0), 1 << 62)
        if after and hello.last:
            rows = self._shell.store.outbox(self._party, after - 1, 1)
            if rows and rows[0].number == after and sha256(rows[0].data).digest() != hello.last:
                return 0
        return after

    def _upto(self, after: int) -> int:
        """The last durable row of its outbox: at least `after`, when there is one with that number."""
        store = self._shell.store
        upto = store.base(self._party)[0]
        at = max(after - 1, 0)
        if rows := store.outbox(self._party, at, 1):
            upto = rows[0].number
        elif at:  # it follows another record
            at = 0
        at = max(upto, at)
        while rows := store.outbox(self._party, at, PAGE_ROWS):
            upto = at = rows[-1].number
        return upto

    async def _send(self, after: int) -> None:
        wake = self._shell.follow(self._party)
        try:
            while True:
                wake.clear()
                while rows := self._shell.store.outbox(self._party, after, PAGE_ROWS):
                    for row in rows:
                        self._writer.write(framed(RowFrame(row.number, row.data)))
                    after = rows[-1].number
                    await self._writer.drain()
                await wake.wait()
        finally:
            self._shell.unfollow(self._party, wake)

    async def _read(self, payloads: list[bytes]) -> None:
        await self._take(payloads)
        async for batch in self._batches:
            self._server.heard(self._name)
            await self._take(batch)

    async def _take(self, payloads: list[bytes]) -> None:
        for payload in payloads:
            match FROM_RELAY.decode(payload):
                case SaidFrame(number=number, raw=raw):
                    given = Received(party=self._party, number=0, raw=raw)
                    answer = await self._shell.give(given)
                    self._server.heard(self._name)  # what it has said since waits for us
                    self._writer.write(framed(TakenFrame(number, answer.outcome)))
                    await self._writer.drain()  # a relay that does not read its answers is not read either
                case BeatFrame(hops=hops, refused=refused):
                    self._server.heard(self._name, beats=True, hops=hops)
                    for reason, count in list(refused.items())[:MAX_REASONS]:
                        many = max(0, min(count, MAX_REFUSED))
                        self._shell.doors.count(HOPS_DOOR, self._name, _word(reason), many)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            self._writer.write(framed(PingFrame(self._shell.clock.now_ns())))
            if self._frames.silent_s > DEAD_AFTER_S:
                raise TimeoutError(f"nothing was heard for {DEAD_AFTER_S:.0f} s")
