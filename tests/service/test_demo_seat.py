"""Exercise control in a partner's seat: real TLS and sockets, on either side of the link, over a broken connection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from noroshi.clock import NS_PER_S
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import Signed
from noroshi.service import node_dir
from noroshi.service.demo_line import Line
from noroshi.service.demo_seat import Seat
from noroshi.service.link_keys import client_context, server_context
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports
from noroshi.sharing import Position, Statement
from noroshi.sharing.link import Heard, LinkSession, PeerReady, Receipted, Row
from noroshi.sharing.streams import START, next_head

HOST, REALM = "127.0.0.1", "exercise:seat"


class Clock:
    """Stands."""

    def now_ns(self) -> int:
        return 10 * NS_PER_S


@dataclass
class Other:
    """The side that is spoken to: takes rows, receipts them, and hangs up in the middle if it is told to."""

    directory: NodeDir
    hang_up_after: int = 0
    rows: list[tuple[int, int, bytes]] = field(default_factory=list)
    receipts: list[Statement] = field(default_factory=list)
    held: Position = START

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = self.directory.config
        peer = own.peers[0].partner
        session = LinkSession(REALM, own=own.partner, peer=peer)
        writer.write(session.hello(held=self.held, now_ns=0))
        while data := await reader.read(65_536):
            for event in session.receive(data, 0):
                if isinstance(event, PeerReady):
                    writer.write(session.greet(event.held, START, START) + session.ping(0))
                elif isinstance(event, Heard):
                    writer.write(event.answer)
                elif isinstance(event, Receipted):
                    self.receipts.append(event.statement)
                elif isinstance(event, Row):
                    self.rows.append((event.lane, event.number, event.data))
                    head = next_head(self.held.heads[event.lane], event.data)
                    self.held = self.held.at(event.lane, event.number, head)
            writer.write(session.receipt(Statement(self.held, bytes(64))))
            if self.hang_up_after and len(self.rows) >= self.hang_up_after:
                self.hang_up_after = 0
                break
        writer.transport.abort()


def message(number: int, kind: str) -> bytes:
    return encode(Signed(encode({"kind": kind, "number": number}), bytes(32), bytes(64)))


def play(
    tmp_path: Path, own: str, target: str, act: Callable[[Seat, Other], Awaitable[None]], hang_up: int = 0
) -> Other:
    """A seat of `own` beside a listening or a dialling other side, joined by a line."""
    ports = free_ports(3, HOST)
    made = [
        node_dir.create(
            tmp_path / name, realm=REALM, partner=name, node=name.lower(), link_port=port, page_port=port + 1
        )
        for name, port in zip((own, target), ports, strict=False)
    ]
    seat_dir, target_dir = node_dir.join(made)
    other = Other(target_dir, hang_up)

    async def dial(port: int) -> None:
        context = client_context(
            target_dir.link_certificate_path, target_dir.link_key_path, target_dir.peer_certificate(own)
        )
        while True:
            try:
                reader, writer = await asyncio.open_connection(HOST, port, ssl=context, server_hostname="")
                await other.serve(reader, writer)
            except OSError:
                pass
            await asyncio.sleep(0.01)

    async def run() -> None:
        listener = min((seat_dir, target_dir), key=lambda one: one.config.partner)
        line = Line(HOST, ports[2], listener.config.link.port, 0.0)
        await line.start()
        server, dialling = None, None
        if target < own:
            context = server_context(
                target_dir.link_certificate_path, target_dir.link_key_path, [target_dir.peer_certificate(own)]
            )
            server = await asyncio.start_server(other.serve, HOST, target_dir.config.link.port, ssl=context)
        else:
            dialling = asyncio.create_task(dial(ports[2]))
        try:
            await act(Seat(line, seat_dir, target_dir, Clock()), other)
        finally:
            if dialling is not None:
                dialling.cancel()
                await asyncio.gather(dialling, return_exceptions=True)
            if server is not None:
                server.close()
            await line.close()

    asyncio.run(run())
    return other


@pytest.mark.parametrize(("own", "target"), [("KOR", "JPN"), ("JPN", "KOR")], ids=["dials", "is dialled"])
def test_messages_arrive_in_their_lanes_and_in_order(own: str, target: str, tmp_path: Path) -> None:
    messages = [message(number, "warning" if number % 2 else "track") for number in range(600)] + [
        b"no message"
    ]

    async def act(seat: Seat, other: Other) -> None:
        await seat.bring(messages)
        await seat.bring([])

    other = play(tmp_path, own, target, act)
    by_lane = {lane: [data for at, _, data in other.rows if at == lane] for lane in (0, 2, 3)}
    assert by_lane[0] == messages[1:600:2]
    assert by_lane[3] == messages[0:600:2]
    assert by_lane[2] == [b"no message"]


def test_after_a_broken_connection_it_goes_on_where_it_was(tmp_path: Path) -> None:
    messages = [message(number, "warning") for number in range(500)]

    async def act(seat: Seat, other: Other) -> None:
        await seat.bring(messages)

    other = play(tmp_path, "KOR", "JPN", act, hang_up=100)
    assert [data for _, _, data in other.rows] == messages
    assert [number for _, number, _ in other.rows] == list(range(1, 501))


def test_a_wrong_receipt_is_read(tmp_path: Path) -> None:
    wrong = Position(0, (9, 9, 9, 9), START.heads)

    async def act(seat: Seat, other: Other) -> None:
        await seat.receipt(lambda sent: Statement(wrong, bytes(64)))

    other = play(tmp_path, "KOR", "JPN", act)
    assert [one.position for one in other.receipts] == [wrong]
