"""A small server that speaks the staff stream, for trying the page: real sockets, made-up rows, a clock set by hand.

It serves the built page under the strictest content security policy, so that a page that needs more fails here.

    with StaffServer(STATIC, "secret") as server:
        server.give(rows); server.set_clock(moment_ms(300.0))
        server.address        # http://127.0.0.1:PORT/#token=secret
        server.cut()          # every connection breaks; pages come back and ask for what they lack
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.web.synthetic_stream import Row, newcomer

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_LOOK_S = 0.02
_CLOCK_S = 1.0


class StaffServer:
    """One node's page and stream on a free loopback port."""

    def __init__(self, static: Path, token: str, hello: dict[str, Any]) -> None:
        self.token = token
        self.asked_after: list[int] = []
        self._hello = hello
        self._static = static
        self._rows: list[Row] = []
        self._now_ms: int = hello["now_ms"]
        self._speed: float = 0.0
        self._cuts = 0
        self._admits = True
        self._bye: str | None = None
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            self._application(), log_level="error", ws="websockets-sansio", timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/#token={self.token}"

    def give(self, rows: list[Row]) -> None:
        """All rows that there are by now."""
        with self._lock:
            self._rows = list(rows)

    def set_clock(self, now_ms: int, speed: float = 0.0) -> None:
        with self._lock:
            self._now_ms, self._speed = now_ms, speed

    def cut(self, admit: bool = True) -> None:
        """Breaks every connection; with `admit` false, refuses new ones too."""
        with self._lock:
            self._cuts += 1
            self._admits = admit

    def say_bye(self, reason: str) -> None:
        with self._lock:
            self._bye = reason

    def __enter__(self) -> StaffServer:
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10.0)

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/api/info", self._info),
                WebSocketRoute("/api/staff", self._staff),
                Mount("/static", StaticFiles(directory=self._static)),
            ]
        )

    async def _page(self, request: Request) -> Response:
        return FileResponse(self._static / "index.html", headers={"Content-Security-Policy": POLICY})

    async def _info(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"detail": "not admitted"}, status_code=403)
        return JSONResponse(self._hello)

    async def _staff(self, websocket: WebSocket) -> None:
        if not self._admits:
            await websocket.close()
            return
        await websocket.accept()
        try:
            first = json.loads(await websocket.receive_text())
            if first["token"] != self.token:
                await websocket.close(4403)
                return
            self.asked_after.append(first["after"])
            await self._send_all(websocket, first["after"])
        except (WebSocketDisconnect, RuntimeError):
            return

    async def _send_all(self, websocket: WebSocket, after: int) -> None:
        cuts, said_at, asked = self._cuts, 0.0, after
        await websocket.send_text(json.dumps({**self._hello, "now_ms": self._now_ms, "speed": self._speed}))
        while True:
            with self._lock:
                rows, now_ms, speed, bye = self._rows, self._now_ms, self._speed, self._bye
            for number, key, row in newcomer(rows) if asked == 0 and after == 0 else rows:
                if number > after:
                    await websocket.send_text(json.dumps({"n": number, "key": key, "row": row}))
            after = max(after, rows[-1][0] if rows else 0)
            if time.monotonic() - said_at >= _CLOCK_S:
                said_at = time.monotonic()
                await websocket.send_text(json.dumps({"type": "clock", "now_ms": now_ms, "speed": speed}))
            if bye is not None:
                await websocket.send_text(json.dumps({"type": "bye", "reason": bye}))
                await websocket.close()
                return
            if self._cuts != cuts:
                await websocket.close(1012)
                return
            await asyncio.sleep(_LOOK_S)
