"""Exercise control in a partner's seat: whoever has a node's link key can speak in its place on the link.

It holds back the partner's own node, speaks the link protocol with the other side over mutual TLS, as that node would,
and goes on with its streams from where the other side holds them. It has no key that signs messages or receipts: what it
brings must carry its own signatures. When all of it is receipted the line is given back; the partner's own node then
finds that its neighbour holds rows which it never sent.

    await Seat(line, own, target, clock).bring(messages)
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from noroshi.clock import Clock
from noroshi.errors import LocalError, PartnerError
from noroshi.log import OutboxRow
from noroshi.messages import KINDS
from noroshi.messages.envelope import Signed
from noroshi.messages.kinds import Lane
from noroshi.service.demo_line import Line
from noroshi.service.link_keys import client_context, server_context
from noroshi.service.links import listens_for
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.sharing import frames
from noroshi.sharing.frames import ReceiptFrame
from noroshi.sharing.link import Heard, LinkSession, Offset, PeerReady, Receipted
from noroshi.sharing.streams import START, Position, Statement, next_head, stream_of

HOST = "127.0.0.1"

WITHIN_S = 60.0
"""Longest delivery, in seconds of life: a thousand rows take one or two, and a busy machine ten times as much."""

PAUSE_S = 0.2

READ_BYTES = 65_536


Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class _Kind(msgspec.Struct):
    """As much of a message as says on which lane it goes."""

    kind: str = ""


_SIGNED: msgspec.msgpack.Decoder[Signed] = msgspec.msgpack.Decoder(Signed)
_KIND = msgspec.msgpack.Decoder(_Kind)


class Seat:
    """The seat of `own`'s node on its link to `target`'s. line: what joins the two."""

    def __init__(self, line: Line, own: NodeDir, target: NodeDir, clock: Clock) -> None:
        self._line = line
        self._own = own
        self._target = target
        self._clock = clock
        self._rows: dict[int, list[OutboxRow]] | None = None

    async def bring(self, messages: Sequence[bytes]) -> None:
        """Brings messages to the other side, and waits until it has made them durable.

        Raises LocalError where that cannot be done.
        """
        await self._sit(lambda reader, writer: self._bring(reader, writer, messages))

    async def receipt(self, wrong: Callable[[Position], Statement]) -> None:
        """Says a receipt: of more rows than the position that is handed in. Raises LocalError like `bring`."""
        await self._sit(lambda reader, writer: self._receipt(reader, writer, wrong(START)))

    async def _sit(self, speak: Speak) -> None:
        """Holds back the partner's node until one connection in its place has said what there is to say."""
        own, target = self._own.config.partner, self._target.config.partner
        self._line.cut()
        try:
            async with asyncio.timeout(WITHIN_S):
                if listens_for(target, own):
                    await self._dial(speak)
                else:
                    await self._be_dialled(speak)
        except TimeoutError:
            raise LocalError(
                "sit in a partner's seat on a link", subject=f"{own} to {target}",
                cause=f"not all was taken within {WITHIN_S:.0f} s", hint="play it slower, with --speed",
            ) from None  # fmt: skip
        finally:
            self._line.heal()

    async def _dial(self, speak: Speak) -> None:
        """Dials until one connection has served."""
        target = self._target.config
        pinned = self._own.peer_certificate(target.partner)
        context = client_context(self._own.link_certificate_path, self._own.link_key_path, pinned)
        while True:
            with contextlib.suppress(OSError, PartnerError, EOFError):
                reader, writer = await asyncio.open_connection(
                    target.link.host, target.link.port, ssl=context, server_hostname=""
                )
                try:
                    await speak(reader, writer)
                    return
                finally:
                    writer.transport.abort()
            await asyncio.sleep(PAUSE_S)

    async def _be_dialled(self, speak: Speak) -> None:
        """Listens where the line leads for as long as it takes: the other side dials by itself."""
        done = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, PartnerError, EOFError):
                await speak(reader, writer)
                done.set()
            writer.transport.abort()

        port = free_ports(1, HOST)[0]
        server = await asyncio.start_server(serve, HOST, port, ssl=self._server_context())
        usual = self._line.turn_to(port)
        try:
            await done.wait()
        finally:
            self._line.turn_to(usual)
            server.close()

    def _server_context(self) -> ssl.SSLContext:
        pinned = self._own.peer_certificate(self._target.config.partner)
        return server_context(self._own.link_certificate_path, self._own.link_key_path, [pinned])

    def _session(self) -> LinkSession:
        own, target = self._own.config, self._target.config
        return LinkSession(own.realm, own=own.partner, peer=target.partner, node=own.node)

    async def _receipt(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: Statement
    ) -> None:
        """One connection, until the other side has read what was said. Raises EOFError where it ends before."""
        session = self._session()
        writer.write(session.hello(held=START, now_ns=self._clock.now_ns()))
        while data := await reader.read(READ_BYTES):
            for event in session.receive(data, self._clock.now_ns()):
                if isinstance(event, PeerReady):
                    writer.write(session.greet(event.held, event.held, event.held))
                    writer.write(frames.encode(ReceiptFrame(said)) + session.ping(self._clock.now_ns()))
                elif isinstance(event, Heard):
                    writer.write(event.answer)
                elif isinstance(event, Offset):  # the answer to a ping that came after the receipt
                    return
        raise EOFError

    async def _bring(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, messages: Sequence[bytes]
    ) -> None:
        """One connection, until the other side has receipted everything. Raises EOFError where it ends before."""
        session = self._session()
        writer.write(session.hello(held=START, now_ns=self._clock.now_ns()))
        upto: tuple[int, ...] | None = None
        while data := await reader.read(READ_BYTES):
            for event in session.receive(data, self._clock.now_ns()):
                match event:
                    case PeerReady(held, _):
                        writer.write(session.greet(held, held, held))
                        if self._rows is None:  # a second connection goes on where the first broke off
                            self._rows = _rows(messages, session.peer, held)
                        upto = held.upto
                    case Heard(answer):
                        writer.write(answer)
                    case Receipted(statement):
                        upto = statement.position.upto
            rows = self._rows
            if upto is not None and rows is not None:
                if all(upto[lane] >= found[-1].number for lane, found in rows.items()):
                    return
                writer.write(session.serve(self._outbox))
                await writer.drain()
        raise EOFError

    def _outbox(self, lane: int, after: int, limit: int) -> list[OutboxRow]:
        found = (self._rows or {}).get(lane, [])
        first = max(0, after + 1 - found[0].number) if found else 0
        return found[first : first + limit]


def _rows(messages: Sequence[bytes], partner: str, held: Position) -> dict[int, list[OutboxRow]]:
    """The messages as rows of the streams for a partner that holds so much of them, by lane."""
    found: dict[int, list[OutboxRow]] = {}
    numbers, heads = list(held.upto), list(held.heads)
    for raw in messages:
        lane = _lane_of(raw)
        numbers[lane] += 1
        heads[lane] = next_head(heads[lane], raw)
        stream = stream_of(f"partner:{partner}", lane)
        found.setdefault(lane, []).append(OutboxRow(stream, numbers[lane], lane, "", 0, raw, heads[lane]))
    return found


def _lane_of(raw: bytes) -> int:
    """Where a message of its kind goes; what is none goes where notices do."""
    try:
        kind = KINDS.get(_KIND.decode(_SIGNED.decode(raw).payload).kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        kind = None
    return kind.lane if kind is not None else Lane.NOTICE
