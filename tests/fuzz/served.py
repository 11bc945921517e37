"""Targets: the node's page and its inputs, as any program on this machine may ask for them, without sockets.

A fresh shell with the stand-in core serves each input, so that one input alone repeats what it did.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message

from noroshi.log import MemoryStore
from noroshi.messages import canonical
from noroshi.service.clocks import ScaledClock
from noroshi.service.hello import hello
from noroshi.service.http import MAX_BODY_BYTES, Pages, application
from noroshi.service.node_config import NodeConfig, parse_config
from noroshi.service.shell import NodeShell
from noroshi.service.staff_stream import StaffStream
from tests.fuzz.messages import crowded
from tests.fuzz.sample import samples
from tests.fuzz.table import Look, Target
from tests.fuzz.texts import CONFIG
from tests.service.standin import START_NS, StandIn, detections, genesis

PAGE, FEED = "page-token", "feed-token"
HOST = (b"host", b"127.0.0.1:7001")
REFUSED = 403, b'{"error":"refused"}'
ANSWERS = frozenset({200, 206, 304, 400, 403, 404, 405, 413, 416, 503})


def _config() -> NodeConfig:
    config = parse_config(CONFIG.decode(), "node.json")
    page, feed = (hashlib.sha256(token.encode()).hexdigest() for token in (PAGE, FEED))
    return msgspec.structs.replace(
        config,
        page=msgspec.structs.replace(config.page, token_sha256=page),
        feeds=msgspec.structs.replace(config.feeds, token_sha256=feed, sensors=()),
    )


CONFIG_READ = _config()
PAGE_FILES = (Path("no-page-is-here"), Path(__file__).parent)
"""Folders in the place of the built page's: none, and one with files in it."""


async def _served(ask: Callable[[ASGIApp], Coroutine[Any, Any, None]]) -> None:
    """Starts a shell and its pages, asks, and stops; a defect of the core is one of the input."""
    core, commit = StandIn.begin(START_NS, genesis())
    store = MemoryStore()
    store.append([commit.batch])
    clock = ScaledClock(START_NS, START_NS, 1.0)
    shell = NodeShell(core, store, clock, recover=lambda: StandIn.replay("fuzz", store.records()))
    stream = StaffStream(shell)
    greeting = hello(genesis(), CONFIG_READ, "nobody")
    tasks = [asyncio.ensure_future(shell.run()), asyncio.ensure_future(stream.run())]
    try:
        for files in PAGE_FILES:
            pages = Pages(shell, stream, CONFIG_READ, greeting, files)
            await ask(application(pages, CONFIG_READ, files))
            await pages.close()
    finally:
        shell.stop()
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert shell.defects == 0


async def _asked(
    app: ASGIApp,
    method: str,
    path: str,
    query: bytes,
    headers: list[tuple[bytes, bytes]],
    chunks: list[bytes],
) -> tuple[int, bytes]:
    """One request; the status and the body of the answer."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query,
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 7001),
    }
    coming = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    coming.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Message] = []

    async def receive() -> Message:
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    status = next(one["status"] for one in sent if one["type"] == "http.response.start")
    return status, b"".join(one.get("body", b"") for one in sent if one["type"] == "http.response.body")


def _input_look() -> Look:
    """The body of /api/input, with each of the two tokens and with none."""

    async def ask(app: ASGIApp, body: bytes) -> None:
        chunks = [body[start : start + 65_536] for start in range(0, len(body), 65_536)]
        for token in (b"", PAGE.encode(), FEED.encode()):
            headers = [HOST, (b"authorization", b"Bearer " + token)]
            answer = await _asked(app, "POST", "/api/input", b"", headers, list(chunks))
            assert answer[0] in ANSWERS
            assert token or answer == REFUSED

    return lambda body: asyncio.run(_served(lambda app: ask(app, body)))


class _Request(msgspec.Struct, array_like=True):
    method: str
    path: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    chunks: list[bytes]


def _request_look() -> Look:
    """Any request at all; without the token each address under /api is refused in the same words."""

    async def ask(app: ASGIApp, one: _Request) -> None:
        answer = await _asked(app, one.method, one.path, one.query, one.headers, one.chunks)
        assert answer[0] in ANSWERS
        words = b" ".join(value for _, value in one.headers)
        if one.path.startswith("/api") and PAGE.encode() not in words and FEED.encode() not in words:
            assert answer == REFUSED or (one.method == "HEAD" and answer[0] == 403)

    def look(data: bytes) -> None:
        try:
            one = msgspec.msgpack.decode(data, type=_Request)
            one.path.encode()
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return
        asyncio.run(_served(lambda app: ask(app, one)))

    return look


def _staff_look() -> Look:
    """The first frame of a client of the staff's stream, as text and as bytes, and what it says after that."""

    async def ask(app: ASGIApp, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        first: dict[str, Any] = {"text": text}
        second: dict[str, Any] = {"bytes": data}
        for frames in ([first], [second], [first, first, second]):
            coming: list[dict[str, Any]] = [{"type": "websocket.connect"}]
            coming += [{"type": "websocket.receive", **frame} for frame in frames]
            sent: list[Message] = []

            async def receive(coming: list[dict[str, Any]] = coming) -> Message:
                await asyncio.sleep(0)
                return coming.pop(0) if coming else {"type": "websocket.disconnect", "code": 1000}

            async def send(message: Message, sent: list[Message] = sent) -> None:
                sent.append(message)

            scope = {
                "type": "websocket",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "scheme": "ws",
                "path": "/api/staff",
                "raw_path": b"/api/staff",
                "root_path": "",
                "query_string": b"",
                "headers": [HOST],
                "subprotocols": [],
                "client": ("127.0.0.1", 1),
                "server": ("127.0.0.1", 7001),
            }
            await app(scope, receive, send)
            told = [one for one in sent if one["type"] == "websocket.send"]
            assert not told or PAGE in text or "\\u" in text

    return lambda data: asyncio.run(_served(lambda app: ask(app, data)))


def _bodies() -> Sequence[bytes]:
    given = [canonical.encode([detections(1), detections(2), detections(2)])]
    received = [one for one in samples(_Any) if one]
    return [*given, canonical.encode([{**received[0], "party": "post:jp-pm.duty", "number": 0}]), b"\x90"]


def _requests() -> Sequence[bytes]:
    bearer = [list(HOST), [b"authorization", b"Bearer " + PAGE.encode()]]
    rows = [
        ["GET", "/", b"", [list(HOST)], []],
        ["GET", "/api/info", b"", bearer, []],
        ["POST", "/api/input", b"", bearer, [_bodies()[1]]],
        ["GET", "/api/info/", b"", [list(HOST)], []],
        ["GET", "/api/nothing", b"a=b", [list(HOST)], []],
        [
            "GET",
            "/static/../../etc/passwd",
            b"",
            [*bearer, [b"range", b"bytes=0-1"], [b"origin", b"http://x"]],
            [],
        ],
        ["HEAD", "/static/table.py", b"", [*bearer, [b"if-none-match", b"x"]], []],
        ["GET", "/static/table.py", b"", [*bearer, [b"range", b"bytes=0-9"], [b"if-range", b"x"]], []],
        ["GET", "/static/\x00", b"\xff", [list(HOST), [b"accept-encoding", b"gzip"]], []],
    ]
    return [canonical.encode(row) for row in rows]


def _frames() -> Sequence[bytes]:
    rows: list[dict[str, Any]] = [
        {"token": PAGE, "after": 0},
        {"token": PAGE, "after": 10**6},
        {"token": "wrong"},
    ]
    return [json.dumps(row).encode() for row in rows]


def _large_bodies(size: int) -> Iterable[bytes]:
    yield from crowded(size - 100)
    row, rows = b"\x93\x01\x02\x03", (size - 200) // 5
    one = {"type": "detections", "feed": "a", "sequence": 1, "sensor": "a", "time_ns": [], "value": []}
    columns = {
        "time_ns": msgspec.Raw(b"\xdd" + rows.to_bytes(4, "big") + b"\x01" * rows),
        "value": msgspec.Raw(b"\xdd" + rows.to_bytes(4, "big") + row * rows),
    }
    yield canonical.encode([{**one, **columns}])
    yield canonical.encode([one] * 5000)
    yield canonical.encode([one] * (size // 80))


def _large_frames(size: int) -> Iterable[bytes]:
    yield b"[" * size
    yield b'{"after":' + b"9" * (size - 10) + b"}"


_Any = msgspec.defstruct(
    "_Any", [("party", str), ("number", int), ("raw", bytes), ("lane", int)], tag="received"
)

TARGETS = (
    Target(
        "http:input",
        "the body of /api/input, with each token",
        _input_look,
        _bodies,
        "msgpack",
        MAX_BODY_BYTES,
        400.0,
        8.0,
        _large_bodies,
    ),
    Target(
        "http:request",
        "any request to the node's page",
        _request_look,
        _requests,
        "msgpack",
        1 << 16,
        16.0,
        1.0,
    ),
    Target(
        "http:staff",
        "the first frames of a client of the staff's stream",
        _staff_look,
        _frames,
        "json",
        1 << 20,
        32.0,
        2.0,
        _large_frames,
    ),
)
