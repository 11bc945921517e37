"""The page, the staff's stream and the inputs of a node, over HTTP.

Deny by default: without the token each address under /api gives the same 403, whatever it is; only the page's
own files are open, and they hold nothing of the node. The page's token opens the stream and takes signed
messages of posts; detections need the feeds' token. Another origin or host name than the page's own is
refused.

    app = application(shell, stream, config, hello)
    GET  /                page
    GET  /api/info        the hello object                      Authorization: Bearer <token>
    WS   /api/staff       first frame {"token": ..., "after": N}, then hello, rows, clock, bye
    POST /api/input       msgpack list of inputs; answered when all are durable
    POST /api/passkey/... how persons enrol a passkey and sign with it; see `passkey_http`
    POST /api/cap         a file of another agency, /api/relay: what somebody says in public; see `cap_http`
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from noroshi.errors import LocalError
from noroshi.node.inputs import Detections, Received
from noroshi.service.doors import Doors
from noroshi.service.hello import timed
from noroshi.service.node_config import NodeConfig
from noroshi.service.shell import CoreDefectError, NodeShell
from noroshi.service.staff_stream import Cursor, StaffStream

MAX_BODY_BYTES = 4 << 20
"""Largest body of /api/input, 4 MiB: some thousand detections, or four of the largest messages."""

MAX_INPUTS = 5000
"""Most inputs in one body; each is a record and an answer."""

FIRST_FRAME_S = 5.0
"""How long a client may take to show its token."""

MAX_FIRST_FRAME = 1024

SLOW_S = 10.0
"""A client that takes nothing for so long is cut off; it may come back and go on."""

BYE_S = 1.0
CLOCK_EVERY_S = 1.0

CLOSE_REFUSED, CLOSE_AWAY, CLOSE_SLOW, CLOSE_PROTOCOL = 4403, 1001, 1013, 1002
TOO_SLOW = "this client could not keep up; it may come back and go on after its last row"
STOPPING = "the node is stopping"

_NO_PAGE = (
    "<!doctype html><meta charset=utf-8><title>noroshi</title>"
    "<p>The node is running. Its page has not been built: run <code>make web</code>, then load this again."
)

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self';"
        " connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

PAGE = "page"
"""What this door is called where refusals are counted."""

REFUSALS = {400: "malformed", 403: "not-entitled", 409: "unfit", 413: "oversize"}
RECORDED = ("/api/cap", "/api/relay")
"""Entrances whose oversize bodies are on the record as refused."""

ADDRESSES = ("/api/info", "/api/input", "/api/cap", "/api/relay", "/api/passkey", "/api/staff")
MAX_ENTERING = 128
"""Staff sockets that have not shown their token yet: a page's does at once."""

_INPUTS = msgspec.msgpack.Decoder(list[Detections | Received])


class Pages:
    """The handlers of one node."""

    def __init__(
        self, shell: NodeShell, stream: StaffStream, config: NodeConfig, hello: dict[str, Any], static: Path
    ) -> None:
        self._shell = shell
        self._stream = stream
        self._config = config
        self._hello = hello
        self._static = static
        self._clients: set[asyncio.Task[None]] = set()
        self._entering = 0
        self.doors: Doors = shell.doors

    async def index(self, _: Request) -> Response:
        """The page."""
        index = self._static / "index.html"
        if not index.is_file():
            return HTMLResponse(_NO_PAGE)
        return FileResponse(index, headers={"Cache-Control": "no-cache"})

    async def info(self, request: Request) -> Response:
        """The hello object, and what is the matter with the node, if anything is."""
        if not self._has_token(request.headers, self._config.page.token_sha256):
            return refusal()
        return JSONResponse({**timed(self._hello, self._shell.clock), "trouble": self._shell.trouble})

    async def give(self, request: Request) -> Response:
        """Takes inputs; answers when they are durable."""
        feeds = self._has_token(request.headers, self._config.feeds.token_sha256)
        if not feeds and not self._has_token(request.headers, self._config.page.token_sha256):
            return refusal()
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return _error(413, f"the body is larger than {MAX_BODY_BYTES} bytes")
        except ClientDisconnect:
            return _error(400, "the body did not come whole")
        try:
            inputs = _INPUTS.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return _error(400, f"the body is no list of inputs: {error}")
        if len(inputs) > MAX_INPUTS:
            return _error(413, f"there are more than {MAX_INPUTS} inputs in one body")
        if not all(self._may_give(given, feeds) for given in inputs):
            return refusal()
        try:
            futures = [self._shell.offer(given) for given in inputs]
            await asyncio.wait(futures) if futures else None
            answers = [_answer(future) for future in futures]
        except LocalError as error:
            return _error(503, str(error))
        return JSONResponse(answers)

    async def staff(self, socket: WebSocket) -> None:
        """One client's stream, until it leaves, cannot keep up, or the node stops."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if self._entering >= MAX_ENTERING:
                self.doors.count(PAGE, source_of(socket.scope), "too-many-entering:staff")
                await socket.close(CLOSE_SLOW)
                return
            self._entering += 1
            try:
                await socket.accept()
                after = await self._first_frame(socket)
            finally:
                self._entering -= 1
            if after is None:
                self.doors.count(PAGE, source_of(socket.scope), "not-entitled:staff")
                await socket.close(CLOSE_REFUSED, "refused")
                return
            await self._serve(socket, after)
        except (WebSocketDisconnect, OSError, RuntimeError):
            return  # the client has gone; it comes back with its last row
        except asyncio.CancelledError:
            with contextlib.suppress(WebSocketDisconnect, OSError, RuntimeError):
                await _bye(socket, CLOSE_AWAY, self._shell.failed or STOPPING)
        finally:
            self._clients.discard(task)

    async def close(self) -> None:
        """Says goodbye to all clients."""
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        if clients:
            await asyncio.wait(clients, timeout=2.0)

    async def _first_frame(self, socket: WebSocket) -> int | None:
        """The row after which an entitled client goes on; None for everybody else."""
        try:
            async with asyncio.timeout(FIRST_FRAME_S):
                text = await socket.receive_text()
            first = json.loads(text) if len(text) <= MAX_FIRST_FRAME else None
        except (TimeoutError, ValueError, KeyError, RecursionError):
            return None
        if not isinstance(first, dict):
            return None
        token, after = first.get("token"), first.get("after", 0)
        if not isinstance(token, str) or type(after) is not int or after < 0:
            return None
        return after if matches(token, self._config.page.token_sha256) else None

    async def _serve(self, socket: WebSocket, after: int) -> None:
        if after > self._stream.upto:
            after = 0  # it followed another record; the hello tells it to begin anew
        cursor = self._stream.cursor(after)
        parts = [
            asyncio.ensure_future(part)
            for part in (self._send(socket, cursor, after), self._tick(socket), self._listen(socket))
        ]
        try:
            done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
            error = next((part.exception() for part in done if part.exception() is not None), None)
        finally:
            cursor.close()
            for part in parts:
                part.cancel()
            await asyncio.gather(*parts, return_exceptions=True)
        if isinstance(error, TimeoutError):
            await _bye(socket, CLOSE_SLOW, TOO_SLOW)
        elif isinstance(error, LocalError):
            await _bye(socket, CLOSE_AWAY, str(error))
        elif error is not None:
            raise error

    async def _send(self, socket: WebSocket, cursor: Cursor, after: int) -> None:
        greeting = {**timed(self._hello, self._shell.clock), "after": after}
        await _send_in_time(socket, _json(greeting))
        while True:
            for text in await cursor.frames():
                await _send_in_time(socket, text)

    async def _tick(self, socket: WebSocket) -> None:
        clock = self._shell.clock
        while True:
            await asyncio.sleep(CLOCK_EVERY_S)
            frame = {"type": "clock", "now_ms": clock.now_ns() // 1_000_000, "speed": clock.speed}
            if self._shell.trouble:
                frame["trouble"] = self._shell.trouble
            await _send_in_time(socket, _json(frame))

    async def _listen(self, socket: WebSocket) -> None:
        """A client has nothing more to say: whatever it sends is dropped, and its leaving is noticed."""
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1000))

    def _has_token(self, headers: Headers, digest: str) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return matches(token if scheme.lower() == "bearer" else "", digest)

    def _may_give(self, given: Detections | Received, feeds: bool) -> bool:
        if isinstance(given, Detections):
            allowed = self._config.feeds.sensors
            return feeds and (not allowed or given.sensor in allowed)
        return given.number == 0 and given.party.partition(":")[0] in ("post", "control", "relay")


class Guard:
    """Around the whole application: host and origin are our own, each answer has its headers, refusals are counted."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], port: int, doors: Doors) -> None:
        self._app = app
        self._doors = doors
        self._hosts = {f"{host}:{port}" for host in hosts}
        self._origins = {f"http://{host}" for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        own = headers.get("host", "") in self._hosts and (origin is None or origin in self._origins)

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                self._count(scope, int(message["status"]))
                given = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in _HEADERS.items():
                    given[name] = value
                if "cache-control" not in given:
                    given["Cache-Control"] = "no-store"
            await send(message)

        if not own and scope["type"] == "websocket":
            self._doors.count(PAGE, source_of(scope), "another-host-or-origin")
            await receive()
            await send({"type": "websocket.close", "code": CLOSE_REFUSED})
        elif not own:
            await refusal()(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    def _count(self, scope: Scope, status: int) -> None:
        """Counts what was refused before it was an input; what the core refuses is on the record already."""
        path = scope["path"]
        reason = "another-method" if status == 405 else REFUSALS.get(status, "")
        if reason and (status != 413 or path not in RECORDED):
            known = next((one for one in ADDRESSES if path == one or path.startswith(f"{one}/")), "other")
            self._doors.count(PAGE, source_of(scope), f"{reason}:{known.removeprefix('/api/')}")


class _Built(StaticFiles):
    """The page's files: there are none as long as the page has not been built."""

    async def check_config(self) -> None:
        if self.directory is None or not Path(self.directory).is_dir():
            raise HTTPException(404)


def application(pages: Pages, config: NodeConfig, static: Path, more: Iterable[BaseRoute] = ()) -> ASGIApp:
    """The application of one node. more: other entrances below /api, each of which asks for its own token."""

    async def not_there(request: Request, error: Exception) -> Response:
        """Under /api, what is not there looks like what one may not have."""
        if request.scope["path"].startswith("/api"):  # its url is read as UTF-8, which a query need not be
            return refusal()
        status = error.status_code if isinstance(error, HTTPException) else 404
        return Response(status_code=status)

    app = Starlette(
        routes=[
            Route("/", pages.index),
            Route("/api/info", pages.info),
            Route("/api/input", pages.give, methods=["POST"]),
            *more,
            WebSocketRoute("/api/staff", pages.staff),
            Mount("/static", _Built(directory=static, check_dir=False)),
        ],
        exception_handlers={404: not_there, 405: not_there},
    )
    app.router.redirect_slashes = False  # /api/info/ would lead to /api/info, and so tell that it exists
    return Guard(app, (*_LOOPBACK, config.page.host), config.page.port, pages.doors)


def source_of(scope: Scope) -> str:
    """The address from which a request comes."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def matches(token: str, digest: str) -> bool:
    """Whether SHA-256 of the token is `digest` (hexadecimal); takes the same time wherever they differ."""
    return hmac.compare_digest(hashlib.sha256(token.encode("utf-8", "replace")).hexdigest(), digest)


def refusal() -> Response:
    """The one answer to everybody who may not: it tells nothing of what is there."""
    return JSONResponse({"error": "refused"}, status_code=403)


def _error(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status_code=status)


def _answer(future: asyncio.Future[Any]) -> dict[str, str]:
    error = future.exception()
    if isinstance(error, CoreDefectError):
        return {"outcome": "refused", "reason": "defect"}
    if error is not None:
        raise error
    answer = future.result()
    return {"outcome": answer.outcome, "reason": answer.reason}


async def _send_in_time(socket: WebSocket, text: str) -> None:
    """Raises TimeoutError when the client takes nothing for SLOW_S."""
    async with asyncio.timeout(SLOW_S):
        await socket.send_text(text)


async def _bye(socket: WebSocket, code: int, reason: str) -> None:
    """Says why the stream ends, to a client that may take nothing any more."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BYE_S):
            await socket.send_text(_json({"type": "bye", "reason": reason}))
            await socket.close(code, reason[:100])


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
