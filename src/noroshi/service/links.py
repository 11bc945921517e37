"""Links to partners' nodes: TCP, mutual TLS 1.3 with pinned certificates, and the link protocol on top.

Of each pair the node whose trigraph comes first in the alphabet listens and the other dials. Rows go out on
the party's own tick; receipts are cumulative and only for what is durable. Liveness is counted in seconds of
life, also in an exercise that runs faster. Whatever is wrong on a connection ends that connection and nothing
else.

    links = NodeLinks(shell, directory, note)
    await links.start()                  # raises OperatorError for a taken port
    await links.close()
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import ssl
from collections.abc import Callable
from typing import Literal

from noroshi.clock import ceil_to
from noroshi.errors import InputError, LocalError, OperatorError, PartnerError
from noroshi.log import OutboxRow
from noroshi.node.inputs import Answer, Input, LinkChanged, Received, said_input
from noroshi.service.lines import READ_BYTES, Pauses, certificate_of, dial, run_parts
from noroshi.service.link_keys import client_context, server_context
from noroshi.service.node_config import PeerConfig
from noroshi.service.node_dir import NodeDir
from noroshi.service.node_dir import load as load_node_dir
from noroshi.service.ports import listen_on
from noroshi.service.published import NEIGHBOURS
from noroshi.service.shell import NodeShell
from noroshi.service.tls_door import HANDSHAKE_S, TlsDoor, peer_of, streams
from noroshi.sharing.link import (
    CHECKPOINT_EVERY_S,
    PING_EVERY_S,
    SILENT_AFTER_S,
    TICK_NS,
    Attested,
    Event,
    Heard,
    LinkSession,
    Offset,
    PeerReady,
    Receipted,
    Restarted,
    Row,
)
from noroshi.sharing.streams import START, Position, Statement, stream_of

DOOR = "link"
"""What this door is called where refusals are counted."""

LOOK_EVERY_S = PING_EVERY_S / 4
"""How often silence is looked for; a partner is told to be silent at most SILENT_AFTER_S after its last word."""

DEAD_AFTER_S = 10.0
"""A connection on which nothing was heard for so long is given up and dialled anew."""

RETRY_FIRST_S, RETRY_CAP_S = 0.05, 1.0
"""Pauses between dials double from the first to the cap, each drawn from half to all of itself: a line that has come
back is found within a second, and warnings that were queued have arrived within two."""

WRITE_BUFFER_BYTES = 256 * 1024

CROWDED_S = 0.05
"""How long a socket is left alone when too much of its partner waits already."""

OFFSET_NEWS_S = 0.1
"""A change of the peer's clock offset that is worth a record, in seconds of life."""

PIN_LOOK_S = 2.0
"""How often a partner that was admitted is looked for among the pinned ones, until two persons have pinned it."""

MAX_STRANGERS = 32
"""Connections that wait to be taken."""


class PartnerLink:
    """The link to one partner, over all its connections, one at a time."""

    def __init__(self, shell: NodeShell, own: str, peer: PeerConfig, note: Callable[[str], None]) -> None:
        self.partner = peer.partner
        self.party = f"partner:{peer.partner}"
        self.state: Literal["up", "silent", "down"] = "down"
        self._shell = shell
        self._own = own
        self._note = note
        self._offset_s = 0.0
        self._error_s = 0.0
        self._connection: asyncio.Task[None] | None = None
        self._receipt: Statement | None = None
        self._receipt_under_way = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Runs one connection to its end, in the place of an earlier one; whether the peer's hello was good."""
        if self._connection is not None:
            self._connection.cancel()
        self._shell.drop(self.party)
        connection = _Connection(self, self._shell, self._own, reader, writer)
        task = asyncio.ensure_future(connection.run())
        self._connection = task
        reason = "it was closed"
        try:
            await asyncio.shield(asyncio.wait([task]))
            if task.cancelled():
                reason = "another connection took its place"
            elif (error := task.exception()) is not None:
                reason = str(error) or type(error).__name__
                if isinstance(error, PartnerError):
                    self._shell.doors.count(DOOR, self.partner, "malformed-frame")
                if not isinstance(error, PartnerError | LocalError | OSError | TimeoutError):
                    raise error
        finally:
            task.cancel()
            writer.transport.abort()
            if self._connection is task:
                self._connection = None
                self._shell.drop(self.party)
                self._note(f"link to {self.partner} ended: {reason}")
                self.changed("down")
        return connection.session.ready

    def close(self) -> None:
        """Ends the connection, if there is one."""
        if self._connection is not None:
            self._connection.cancel()

    def changed(self, state: Literal["up", "silent", "down"], offset: Offset | None = None) -> None:
        """Lets the node know what became of the link, when that is news."""
        moved_s = abs(offset.offset_s - self._offset_s) if offset is not None else 0.0
        news_s = OFFSET_NEWS_S * self._shell.clock.speed
        if state == self.state and (offset is None or moved_s <= news_s + offset.error_s + self._error_s):
            return
        self.state = state
        if offset is not None:
            self._offset_s, self._error_s = offset.offset_s, offset.error_s
        with contextlib.suppress(LocalError):  # a node that takes nothing more need not hear of its links
            self._shell.offer(
                LinkChanged(party=self.party, state=state, offset_s=self._offset_s, error_s=self._error_s)
            )

    def receipted(self, receipt: Statement) -> None:
        """Gives a receipt to the node; while one is being made durable only the newest of the others is kept."""
        self._receipt = receipt
        if not self._receipt_under_way:
            self._next_receipt()

    def _next_receipt(self) -> None:
        receipt, self._receipt = self._receipt, None
        if receipt is None:
            return
        with contextlib.suppress(LocalError):
            given = said_input(self.party, Receipted(receipt))
            self._shell.offer(given).add_done_callback(self._receipt_done)
            self._receipt_under_way = True

    def _receipt_done(self, _: asyncio.Future[Answer]) -> None:
        self._receipt_under_way = False
        self._next_receipt()


class _Connection:
    """One connection: a reader, a sender on the tick, and a watch on the peer's silence."""

    def __init__(
        self,
        link: PartnerLink,
        shell: NodeShell,
        own: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        genesis = shell.genesis
        self.session = LinkSession(genesis.realm, own=own, peer=link.partner, node=genesis.node)
        self._link = link
        self._shell = shell
        self._reader = reader
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._heard_s = self._loop.time()
        self._attested: Position = START
        self._attested_s = 0.0
        self._failed: LocalError | None = None
        self._ready = asyncio.Event()
        self._wake = shell.follow(link.party)

    async def run(self) -> None:
        """Until the connection ends. Raises PartnerError, LocalError, OSError or TimeoutError with the cause."""
        self._writer.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        held = self._shell.received(self._link.party)
        self._writer.write(self.session.hello(held=held, now_ns=self._shell.clock.now_ns()))
        await run_parts(self._read(), self._send(), self._watch())

    async def _read(self) -> None:
        while data := await self._reader.read(READ_BYTES):
            now_ns = self._shell.clock.now_ns()
            self._heard_s = self._loop.time()
            for event in self.session.receive(data, now_ns):
                await self._take(event)
            if self.session.repeated:
                self._shell.doors.count(DOOR, self._link.partner, "repeated-row", self.session.repeated)
                self.session.repeated = 0
            if self._failed is not None:
                raise self._failed
            while self._shell.crowded(self._link.party):
                await asyncio.sleep(CROWDED_S)

    async def _take(self, event: Event) -> None:
        """What the peer sends is bounded by the windows of the session: more than they hold ends the connection."""
        shell, party = self._shell, self._link.party
        match event:
            case PeerReady(held, _):
                self._writer.write(self.session.greet(held, shell.sent(party), shell.durable_there(party)))
                self._ready.set()
                self._ping()
            case Row(lane, number, data):
                self._offer(Received(party=party, number=number, raw=data, lane=lane))
            case Receipted(statement):
                self._link.receipted(statement)
                self._wake.set()
            case Attested():
                self._offer(said_input(party, event))
            case Restarted():
                # Rows that follow belong to the new streams: the core must have begun them when it gets the first.
                await self._offer(said_input(party, event))
            case Heard(answer):
                self._writer.write(answer)
            case Offset():
                self._link.changed("up", event)

    def _offer(self, given: Input) -> asyncio.Future[Answer]:
        answer = self._shell.offer(given)
        answer.add_done_callback(self._durable)
        return answer

    def _durable(self, answer: asyncio.Future[Answer]) -> None:
        if not answer.cancelled() and isinstance(error := answer.exception(), LocalError):
            self._failed = error
            self._wake.set()

    async def _send(self) -> None:
        """Receipts and rows, each time there are some, on the party's tick of the node's clock."""
        shell, party, session = self._shell, self._link.party, self.session
        receipted = START
        try:
            await self._ready.wait()
            while True:
                await asyncio.sleep(shell.clock.delay_s(ceil_to(shell.clock.now_ns(), TICK_NS)))
                self._wake.clear()
                if self._failed is not None:
                    raise self._failed
                if shell.received(party) != receipted:
                    statement = shell.receipt(party)
                    receipted = statement.position
                    self._writer.write(session.receipt(statement))
                if session.epoch != shell.sent(party).epoch:
                    self._writer.write(session.restart(shell.durable_there(party)))
                self._writer.write(session.serve(self._outbox))
                self._attest()
                await self._writer.drain()
                if not session.can_serve(shell.sent(party)):
                    await self._wake.wait()
        finally:
            shell.unfollow(party, self._wake)

    def _outbox(self, lane: int, after: int, limit: int) -> list[OutboxRow]:
        return self._shell.store.outbox(stream_of(self._link.party, lane), after, limit)

    def _attest(self) -> None:
        """Signs where our streams stand, once a while, when all of it has been sent."""
        now_s, sent = self._loop.time(), self._shell.sent(self._link.party)
        due = now_s - self._attested_s >= CHECKPOINT_EVERY_S
        all_sent = self.session.sent == sent.upto and self.session.epoch == sent.epoch
        if due and sent != self._attested and all_sent:
            self._attested, self._attested_s = sent, now_s
            self._writer.write(self.session.checkpoint(self._shell.checkpoint(self._link.party)))

    async def _watch(self) -> None:
        """Pings, and notices silence."""
        async with asyncio.timeout(HANDSHAKE_S):
            await self._ready.wait()
        pinged_s = self._loop.time()
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            silent_s = self._loop.time() - self._heard_s
            if silent_s > DEAD_AFTER_S:
                raise TimeoutError(f"nothing was heard for {DEAD_AFTER_S:.0f} s")
            if silent_s > SILENT_AFTER_S - LOOK_EVERY_S:
                self._link.changed("silent")
            if self._loop.time() - pinged_s >= PING_EVERY_S:
                pinged_s = self._loop.time()
                self._ping()
                self._attest()

    def _ping(self) -> None:
        self._writer.write(self.session.ping(self._shell.clock.now_ns()))


class NodeLinks:
    """All links of one node: its listener and its diallers, also to partners that a policy admits while it runs."""

    def __init__(
        self, shell: NodeShell, directory: NodeDir, note: Callable[[str], None] = lambda _: None
    ) -> None:
        self._shell = shell
        self._directory = directory
        self._own = directory.config.partner
        self._note = note
        self._peers: dict[str, PeerConfig] = {}
        self.links: dict[str, PartnerLink] = {}
        self._server_context: ssl.SSLContext | None = None
        self._partner_of: dict[str, str] = {}
        self._dialling: dict[str, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: TlsDoor | None = None
        self._random = random.Random()
        begun_with = set(shell.genesis.node_partners.values())
        for name in shell.neighbours:
            if name in begun_with:  # of those that were admitted later some may not be pinned yet
                self._admit(name)

    async def start(self) -> None:
        """Listens and dials. Raises OperatorError when the port is taken."""
        await self._open()
        self._keep(asyncio.ensure_future(self._follow_neighbours()))

    async def _open(self) -> None:
        """Listens if anybody is to dial us, and dials whoever listens for us, as far as that is not done yet."""
        if self._server_context is not None and self._server is None:
            address = self._directory.config.link
            self._server = TlsDoor(
                listen_on(address.host, address.port, "partners' links", "link.port"),
                self._server_context,
                streams(self._accepted),
                DOOR,
                self._shell.doors,
                backlog=MAX_STRANGERS,
            )
        for name in self.links:
            if not listens_for(self._own, name) and name not in self._dialling:
                task = self._dialling[name] = asyncio.ensure_future(self._dial(name))
                self._keep(task)

    def _admit(self, name: str) -> None:
        """Takes a neighbour that is pinned. Raises InputError when it is not."""
        pem = self._directory.peer_certificate(name)
        peer = self._directory.config.peer(name)
        assert peer is not None  # `peer_certificate` has looked
        self._peers[name] = peer
        self.links[name] = PartnerLink(self._shell, self._own, peer, self._note)
        if not listens_for(self._own, name):
            return
        self._partner_of[peer.tls_fingerprint] = name
        if self._server_context is None:
            certificate, key = self._directory.link_certificate_path, self._directory.link_key_path
            self._server_context = server_context(certificate, key, [pem])
        else:
            self._server_context.load_verify_locations(cadata=pem.decode("ascii"))

    def _remove(self, name: str) -> None:
        """A partner whom a policy has removed is neither dialled nor let in any more."""
        peer, link = self._peers.pop(name), self.links.pop(name)
        self._partner_of.pop(peer.tls_fingerprint, None)
        dialling = self._dialling.pop(name, None)
        if dialling is not None:
            dialling.cancel()
        link.close()

    async def _follow_neighbours(self) -> None:
        """Whenever a policy has admitted or removed somebody; one who is not pinned yet is looked for again."""
        wake = self._shell.follow(NEIGHBOURS)
        told: set[str] = set()
        try:
            while True:
                wake.clear()
                for name in self.links.keys() - set(self._shell.neighbours):
                    self._note(f"{name} is no longer spoken with: the release policy has removed it")
                    self._remove(name)
                missing = sorted(set(self._shell.neighbours) - self.links.keys())
                if missing:
                    self._directory = await asyncio.to_thread(load_node_dir, self._directory.path)
                for name in missing:
                    try:
                        self._admit(name)
                        await self._open()
                        self._note(f"{name} is spoken with: the release policy has admitted it")
                    except (InputError, OperatorError) as error:
                        if name not in told:
                            self._note(f"{name} is admitted and there is no link to it yet: {error}")
                        told.add(name)
                waiting = set(self._shell.neighbours) - self.links.keys()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PIN_LOOK_S if waiting else None):
                        await wake.wait()
        finally:
            self._shell.unfollow(NEIGHBOURS, wake)

    async def close(self) -> None:
        """Ends all connections."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        for link in self.links.values():
            link.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._keep(task)
        link = self.links.get(self._partner_of.get(certificate_of(writer), ""))
        if link is None:
            self._shell.doors.count(DOOR, peer_of(writer), "unknown-certificate")
            writer.transport.abort()
            return
        with contextlib.suppress(asyncio.CancelledError):
            await link.serve(reader, writer)

    async def _dial(self, name: str) -> None:
        """Keeps one link dialled: at once, then with growing pauses."""
        peer, link = self._peers[name], self.links[name]
        context = client_context(
            self._directory.link_certificate_path,
            self._directory.link_key_path,
            self._directory.peer_certificate(name),
        )
        pauses, told = Pauses(RETRY_FIRST_S, RETRY_CAP_S, self._random), ""
        while True:
            try:
                reader, writer = await dial(peer.host, peer.port, context, HANDSHAKE_S)
            except (OSError, TimeoutError) as error:
                cause = f"cannot reach {name} at {peer.host}:{peer.port}: {_reason(error)}; trying again"
                if cause != told:
                    self._note(cause)
                told = cause
            else:
                told = ""
                if certificate_of(writer) != peer.tls_fingerprint:
                    writer.transport.abort()
                elif await link.serve(reader, writer):
                    pauses.reset()
            await asyncio.sleep(pauses.next_s())


def listens_for(own: str, peer: str) -> bool:
    """Whether `own` is the side that listens: the trigraph that comes first in the alphabet."""
    return own < peer


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"it does not show the pinned certificate, or refuses ours ({error.reason or error})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.partition("[")[0].strip() or str(error)
    return (
        "no answer in time" if isinstance(error, TimeoutError) else str(error) or "it closed the connection"
    )
