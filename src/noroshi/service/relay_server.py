"""A node's door for its relays: mutual TLS with pinned certificates, each relay its own outbox and nothing else.

Who may come is in the directory (`relays/<name>.pem`, looked at again while the node runs); what it says counts only
with a certificate of the partner's root. A relay that floods costs its own line: one statement at a time is taken of it.

    relays = RelayServer(shell, directory, note)
    await relays.start()                 # raises OperatorError for a taken port
    await relays.close()
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import Callable

from noroshi.errors import LocalError
from noroshi.node.inputs import Received
from noroshi.service.link_keys import fingerprint, server_context
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import listen_on
from noroshi.service.relay_dir import pinned
from noroshi.service.relay_frames import (
    BAD_FRAME,
    FROM_RELAY,
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
from noroshi.service.shell import NodeShell
from noroshi.service.tls_door import HANDSHAKE_S, TlsDoor, peer_of
from noroshi.sharing import RELAYS

PAGE_ROWS = 50
PING_EVERY_S = 5.0
DEAD_AFTER_S = 15.0
LOOK_S = 2.0
"""How often it is looked for relays that were admitted or removed."""

MAX_RELAYS = 1024
"""Connections at once: every prefecture and every broadcaster of a nation, with a second relay each."""

READ_BYTES = 65_536

DOOR = "relays"
"""What this door is called where refusals are counted."""


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
        self._server: TlsDoor | None = None
        self._context: ssl.SSLContext | None = None
        self._looking: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens, where the node has an address for relays. Raises OperatorError when the port is taken."""
        address = self._directory.config.relays
        if address is None:
            return
        certificate, key = self._directory.link_certificate_path, self._directory.link_key_path
        self._context = server_context(certificate, key, [])
        self._look()
        listening = listen_on(address.host, address.port, "relays", "relays.port")
        self._server = TlsDoor(listening, self._context, self._accepted, DOOR, self.shell.doors)
        self._looking = asyncio.ensure_future(self._keep_looking())

    async def close(self) -> None:
        """Ends all lines."""
        if self._looking is not None:
            self._looking.cancel()
        if self._server is not None:
            self._server.close()
        lines = list(self._lines.values())
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    def _look(self) -> None:
        """Takes the certificates that are in the directory now; lines of relays that are gone from it end."""
        assert self._context is not None
        found = {}
        for name, pem in pinned(self._directory.path).items():
            try:
                digest = fingerprint(pem)
                if digest not in self._names:
                    self._context.load_verify_locations(cadata=pem.decode("ascii"))
                found[digest] = name
            except (ValueError, ssl.SSLError) as error:
                self.note(f"the certificate of the relay {name} is damaged: {error}")
        gone = set(self._names.values()) - set(found.values())
        self._names = found
        for name in gone:
            if name in self._lines:
                self._lines[name].cancel()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            self._look()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls: ssl.SSLObject | None = writer.get_extra_info("ssl_object")
        raw = tls.getpeercert(binary_form=True) if tls is not None else None
        name = self._names.get(hashlib.sha256(raw or b"").hexdigest())
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


class _Line:
    """One relay's connection."""

    def __init__(
        self, server: RelayServer, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._shell = server.shell
        self._note = server.note
        self._name = name
        self._party = f"{RELAYS}{name}"
        self._reader = reader
        self._writer = writer
        self._heard_s = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Until it ends. Raises what ended it."""
        splitter = Splitter(MAX_ROW)
        async with asyncio.timeout(HANDSHAKE_S):
            first: list[bytes] = []
            while not first:
                data = await self._reader.read(READ_BYTES)
                if not data:
                    return
                first = splitter.feed(data)
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
        upto = self._upto(max(hello.after, 0))
        self._writer.write(framed(NodeHello(VERSION, realm, node, upto, self._shell.clock.now_ns())))
        after = hello.after if 0 <= hello.after <= upto else 0
        self._note(f"the relay {self._name} is connected, and has up to row {after}")
        parts = [
            asyncio.ensure_future(part)
            for part in (self._send(after), self._read(splitter, first), self._watch())
        ]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            for part in done:
                part.result()
        finally:
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)

    def _bye(self, reason: str) -> None:
        self._writer.write(framed(ByeFrame(reason)))

    def _upto(self, after: int) -> int:
        """The last durable row of its outbox: at least `after`, when there is one with that number."""
        store = self._shell.store
        upto = store.base(self._party)[0]
        at = min(max(after - 1, 0), 1 << 62)
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

    async def _read(self, splitter: Splitter, payloads: list[bytes]) -> None:
        while True:
            for payload in payloads:
                frame = FROM_RELAY.decode(payload)
                if isinstance(frame, SaidFrame):
                    given = Received(party=self._party, number=0, raw=frame.raw)
                    answer = await self._shell.give(given)
                    self._writer.write(framed(TakenFrame(frame.number, answer.outcome)))
            data = await self._reader.read(READ_BYTES)
            if not data:
                return
            self._heard_s = asyncio.get_running_loop().time()
            payloads = splitter.feed(data)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(PING_EVERY_S)
            self._writer.write(framed(PingFrame(self._shell.clock.now_ns())))
            if asyncio.get_running_loop().time() - self._heard_s > DEAD_AFTER_S:
                raise TimeoutError(f"nothing was heard for {DEAD_AFTER_S:.0f} s")
