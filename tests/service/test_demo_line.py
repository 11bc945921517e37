"""The line between two nodes of a live exercise: passes on, delays, is cut and healed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from noroshi.service.demo_line import Line
from noroshi.service.ports import free_ports

HOST = "127.0.0.1"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1000):
        writer.write(data)
        await writer.drain()
    writer.close()


def with_line(delay_s: float, act: Callable[[Line, int], Awaitable[None]]) -> None:
    """An echoing server behind a line."""

    async def run() -> None:
        port, target = free_ports(2, HOST)
        server = await asyncio.start_server(echo, HOST, target)
        line = Line(HOST, port, target, delay_s)
        await line.start()
        try:
            await act(line, port)
        finally:
            await line.close()
            server.close()

    asyncio.run(run())


def test_bytes_come_through_in_order_and_late() -> None:
    async def act(line: Line, port: int) -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        begun = time.monotonic()
        for part in (b"one ", b"two ", b"three"):
            writer.write(part)
            await writer.drain()
        assert await reader.readexactly(13) == b"one two three"
        assert time.monotonic() - begun >= 0.06
        writer.close()

    with_line(0.03, act)


def test_a_cut_holds_everything_and_healing_ends_the_call() -> None:
    async def act(line: Line, port: int) -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"before")
        assert await reader.readexactly(6) == b"before"
        line.cut()
        writer.write(b"during")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(6), 0.05)
        line.heal()
        assert await asyncio.wait_for(reader.read(), 1.0) in (b"", b"during")
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"after")
        assert await reader.readexactly(5) == b"after"
        writer.close()

    with_line(0.0, act)


def test_a_far_end_that_is_not_there_ends_the_call_only() -> None:
    async def act(line: Line, port: int) -> None:
        (nobody,) = free_ports(1, HOST)
        other_port = free_ports(1, HOST)[0]
        dead = Line(HOST, other_port, nobody, 0.0)
        await dead.start()
        reader, writer = await asyncio.open_connection(HOST, other_port)
        assert await asyncio.wait_for(reader.read(), 1.0) == b""
        writer.close()
        await dead.close()
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
        writer.close()

    with_line(0.0, act)
