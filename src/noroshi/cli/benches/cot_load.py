"""A load of plain TCP clients of Cursor on Target, in a process of its own: prints one JSON line of what it saw.

One publisher sends events that carry a number and the time of this process; all others read. So a delay is from the
publisher's write to the subscriber's read, on one clock, with all queues in between, this process's own included.

    python -m noroshi.cli.benches.cot_load PORT --clients 1000 --rate 10 --seconds 10
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import socket
import sys
import time
from array import array
from collections.abc import Callable
from functools import partial
from typing import Any

from noroshi.clock import to_iso

UIDS = 100
"""Objects that the publisher moves in turn."""

PER_ADDRESS = 8_000
"""Connections from one loopback address: below the ports that one address has."""

AT_ONCE = 64
DRAIN_S = 10.0
QUIET_S = 2.0
"""After the last event the load waits until all have come, or nothing has for so long, but no longer than the first."""

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


class Reader(asyncio.Protocol):
    """A client that reads, and notes how late each event is; a slow one reads nothing."""

    def __init__(
        self, delays_ms: array[float], mark: re.Pattern[bytes], *, counts: bool = True, slow: bool = False
    ) -> None:
        self.got = 0
        self.ended = False
        self.transport: Any = None
        self._delays_ms = delays_ms
        self._mark = mark
        self._counts = counts
        self._slow = slow
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        if self._slow:
            self.transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        if not self._counts:
            return
        now_ns = time.monotonic_ns()
        whole, end = self._tail + data, 0
        for match in self._mark.finditer(whole):
            end = match.end()
            self.got += 1
            self._delays_ms.append((now_ns - int(match[1])) / 1e6)
        self._tail = whole[max(end, len(whole) - TAIL_BYTES) :]

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


async def connected(port: int, count: int, make: Callable[[], Reader], *, slow: bool = False) -> list[Reader]:
    """Clients of one server; those that cannot connect are left out."""
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
                    _, client = await loop.create_connection(make, sock=made)
                found.append(client)
            except (OSError, TimeoutError):
                made.close()

    await asyncio.gather(*map(one, range(count)))
    return found


async def load(given: argparse.Namespace) -> dict[str, Any]:
    """The whole load; what it saw."""
    delays_ms = array("d")
    run = time.monotonic_ns()
    mark = re.compile(b"T:%d\\.(\\d+);" % run)
    readers = await connected(given.port, given.clients, partial(Reader, delays_ms, mark))
    sleeping = partial(Reader, delays_ms, mark, counts=False, slow=True)
    slow = await connected(given.port, given.slow, sleeping, slow=True)
    mute = partial(Reader, delays_ms, mark, counts=False)
    odd = await connected(given.port, given.malformed, mute)
    (publisher,) = await connected(given.port, 1, mute)
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
