"""A load of plain TCP clients of Cursor on Target, in a process of its own: prints one JSON line of what it saw.

One publisher sends events that carry a number and the time of this process; all others read. So a delay is from the
publisher's write to the subscriber's read, on one clock, with all queues in between, this process's own included. Those
who read have a queue of their own in the system, without asyncio: it took three times as long as a server's writing.

    python -m noroshi.cli.benches.cot_load PORT --clients 1000 --rate 10 --seconds 10
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import select
import socket
import sys
import time
from array import array
from functools import partial
from typing import Any

from noroshi.clock import to_iso

UIDS = 100
"""Objects that the publisher moves in turn."""

PER_ADDRESS = 8_000
"""Connections from one loopback address: below the ports that one address has."""

AT_ONCE = 64
READ_AT_ONCE, READ_BYTES = 512, 1 << 18
"""Clients that read before the publisher has its turn: some milliseconds."""

DRAIN_S = 10.0
QUIET_S = 2.0
"""After the last event the load waits until all have come, or nothing has for so long, but no longer than the first."""

TAKEN_S, PROBE_S = 30.0, 0.5
"""Until the server has taken all clients, each is sent something so often; a system takes them long before it."""

TAIL_BYTES = 48
"""Of what was read, kept in case a mark stands across its end."""

JUNK = (
    b"<event><broken></event>",
    b"\x00\xff\xfe" * 300,
    b"<event uid='x' type='a-f'>" * 400,
    b"<!DOCTYPE a [<!ENTITY b 'c'>]><event>&b;</event>",
    b"<event uid='" + b"A" * 200_000,
    b"\xbf\xff\xff\xff\x7f",
)
"""What is no event, each in another way."""


class Reader:
    """A client that reads, and notes how late each event is."""

    __slots__ = ("_delays_ms", "_mark", "_tail", "ended", "got", "heard", "socket")

    def __init__(self, made: socket.socket, delays_ms: array[float], mark: re.Pattern[bytes]) -> None:
        self.socket = made
        self.got = 0
        self.heard = False
        self.ended = False
        self._delays_ms = delays_ms
        self._mark = mark
        self._tail = b""

    def read(self) -> None:
        """Takes what is there."""
        try:
            data = self.socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return
        self.heard = True
        now_ns = time.monotonic_ns()
        whole, end = self._tail + data, 0
        for match in self._mark.finditer(whole):
            end = match.end()
            self.got += 1
            self._delays_ms.append((now_ns - int(match[1])) / 1e6)
        self._tail = whole[max(end, len(whole) - TAIL_BYTES) :]


class Readers:
    """Many of them: asyncio is told only that some of them have something to read."""

    def __init__(self) -> None:
        self._found: dict[int, Reader] = {}
        self._epoll = select.epoll()
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._read)

    def add(self, one: Reader) -> None:
        self._found[one.socket.fileno()] = one
        self._epoll.register(one.socket.fileno(), select.EPOLLIN)

    def _read(self) -> None:
        for number, _ in self._epoll.poll(0, READ_AT_ONCE):
            one = self._found[number]
            one.read()
            if one.ended:
                self._epoll.unregister(number)
                one.socket.close()


class Mute(asyncio.Protocol):
    """A client whose events nobody counts; a slow one reads nothing."""

    def __init__(self, *, slow: bool = False) -> None:
        self.ended = False
        self.transport: Any = None
        self._slow = slow

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if self._slow:
            self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True


def event(run: int, number: int, padding: int) -> bytes:
    """One event of the publisher, marked with this load's number: about 480 bytes and the padding."""
    now_ns = time.time_ns()
    now, stale = to_iso(now_ns), to_iso(now_ns + 300 * 10**9)
    remarks = f"T:{run}.{time.monotonic_ns()};{'.' * (120 + padding)}"
    return (
        f'<event version="2.0" uid="bench-{number % UIDS}" type="a-n-A-C-F" how="m-g" time="{now}" start="{now}"'
        f' stale="{stale}"><point lat="40.5" lon="140.25" hae="9000.0" ce="90.0" le="90.0"/><detail>'
        f"<remarks>{remarks}</remarks></detail></event>"
    ).encode()


async def sockets(port: int, count: int, *, slow: bool = False) -> list[socket.socket]:
    """Connections to one server; those that cannot connect are left out."""
    loop, gate, found = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE), []

    async def one(place: int) -> None:
        async with gate:
            made = socket.socket()
            made.setblocking(False)
            if slow:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            try:
                made.bind((f"127.0.0.{2 + place // PER_ADDRESS}", 0))
                async with asyncio.timeout(20.0):
                    await loop.sock_connect(made, ("127.0.0.1", port))
                found.append(made)
            except (OSError, TimeoutError):
                made.close()

    await asyncio.gather(*map(one, range(count)))
    return found


async def muted(port: int, count: int, *, slow: bool = False) -> list[Mute]:
    """Clients that nobody counts."""
    loop = asyncio.get_running_loop()
    found = await sockets(port, count, slow=slow)
    return [(await loop.create_connection(partial(Mute, slow=slow), sock=one))[1] for one in found]


async def load(given: argparse.Namespace) -> dict[str, Any]:
    """The whole load; what it saw."""
    delays_ms = array("d")
    run = time.monotonic_ns()
    mark = re.compile(b"T:%d\\.(\\d+);" % run)
    readers = [Reader(one, delays_ms, mark) for one in await sockets(given.port, given.clients)]
    queue = Readers()
    for reader in readers:
        queue.add(reader)
    slow = await muted(given.port, given.slow, slow=True)
    odd = await muted(given.port, given.malformed)
    (publisher,) = await muted(given.port, 1)
    taken_s = time.monotonic() + TAKEN_S
    while time.monotonic() < taken_s and not all(one.heard or one.ended for one in readers):
        publisher.transport.write(event(0, 0, 0))
        await asyncio.sleep(PROBE_S)
    await asyncio.sleep(given.settle)
    alive = [one for one in readers if not one.ended]
    for place, one in enumerate(odd):
        if not one.ended:
            one.transport.write(JUNK[place % len(JUNK)])
    sent, begun_s = 0, time.monotonic()
    while time.monotonic() < begun_s + given.seconds and not publisher.ended:
        publisher.transport.write(event(run, sent, given.padding))
        sent += 1
        await asyncio.sleep(max(0.0, begun_s + sent / given.rate - time.monotonic()))
    end_s, got, news_s = time.monotonic() + DRAIN_S, -1, time.monotonic()
    while (
        time.monotonic() < end_s
        and len(delays_ms) < sent * len(alive)
        and time.monotonic() < news_s + QUIET_S
    ):
        if len(delays_ms) != got:
            got, news_s = len(delays_ms), time.monotonic()
        await asyncio.sleep(0.05)
    ordered = sorted(delays_ms)

    def share(part: float) -> float | None:
        return round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 3) if ordered else None

    return {
        "connected": len(readers),
        "held": sum(not one.ended for one in readers),
        "sent": sent,
        "wanted": sent * given.clients,
        "got": len(ordered),
        "whole": sum(one.got >= sent for one in readers),
        "p50_ms": share(0.5),
        "p99_ms": share(0.99),
        "max_ms": share(1.0),
        "slow_ended": sum(one.ended for one in slow),
        "odd_ended": sum(one.ended for one in odd),
        "busy": round(time.process_time() / (time.monotonic() - begun_s), 2),
    }


def main(arguments: list[str]) -> None:
    """Runs the load that the arguments describe."""
    parser = argparse.ArgumentParser(prog="cot_load", description="A load of clients of Cursor on Target.")
    parser.add_argument("port", type=int)
    for name, whole in (("clients", 100), ("slow", 0), ("malformed", 0), ("padding", 0)):
        parser.add_argument(f"--{name}", type=int, default=whole)
    for name, part in (("rate", 10.0), ("seconds", 10.0), ("settle", 1.0)):
        parser.add_argument(f"--{name}", type=float, default=part)
    print(json.dumps(asyncio.run(load(parser.parse_args(arguments)))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
