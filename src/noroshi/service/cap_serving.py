"""Serves this node's own public alerts to whoever asks: an Atom feed, and each alert as the file that was issued.

On a port of its own, without a token: what it serves was issued to the public. It reads one outbox, and nothing else of
the node. An end is an entry like any other, and every entry says what it updates or ends. Where a key is configured,
each file is signed when it is first asked for; what was issued stays in it unchanged.

GET /cap/feed.atom          the newest alerts, newest first; with ETag, so that asking again costs little
GET /cap/JPN-0a1b2c-1.xml   one alert
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from noroshi.clock import to_iso
from noroshi.errors import OperatorError
from noroshi.gateways.atom import ATOM_TYPE, CAP_TYPE, AtomEntry, AtomFeed, feed_bytes
from noroshi.gateways.cap_model import CapAlert, CapUnreadableError
from noroshi.gateways.cap_read import read_cap
from noroshi.service.cap_signing import CapSigner
from noroshi.service.http_door import http_door
from noroshi.service.node_config import Address, NodeConfig
from noroshi.service.shell import NodeShell
from noroshi.sharing import CAP_GATEWAY

MAX_LISTED = 200
"""Alerts in the feed: in a crisis some ten are issued, and a consumer asks each minute or so."""

MAX_SERVED = 5_000
"""Alerts that are served one by one; older ones lie in the node's directory."""

PAGE_ROWS = 100
MAX_REQUEST_BYTES = 8_192
STOP_S = 2
CACHE = "public, max-age=5"
"""How long a cache may keep an answer: an end must not hide behind one."""

_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": CACHE, "Access-Control-Allow-Origin": "*"}


@dataclass(frozen=True, slots=True)
class Served:
    """One alert of ours, as it was issued."""

    name: str
    data: bytes
    alert: CapAlert
    etag: str


class CapServer:
    """Follows the outbox of public alerts, and answers."""

    def __init__(
        self,
        shell: NodeShell,
        config: NodeConfig,
        note: Callable[[str], None] = lambda _: None,
        signer: CapSigner | None = None,
    ) -> None:
        self._shell = shell
        self._config = config
        self._note = note
        self._signer = signer
        self._signing = asyncio.Lock()
        self._signed: OrderedDict[str, Served] = OrderedDict()
        self._alerts: OrderedDict[str, Served] = OrderedDict()
        self._done = 0
        self._feed: tuple[bytes, str] = self._made()

    @property
    def application(self) -> ASGIApp:
        """What answers."""
        routes = [
            Route("/cap/feed.atom", self.feed, methods=["GET"]),
            Route("/cap/{name}.xml", self.alert, methods=["GET"]),
        ]
        app = Starlette(routes=routes, exception_handlers={404: _nothing, 405: _nothing})
        app.router.redirect_slashes = False
        return app

    async def run(self, listening: socket.socket | None) -> None:
        """Serves until cancelled; without a socket nobody is served."""
        if listening is None:
            await asyncio.Event().wait()
            return
        server = _Server(
            uvicorn.Config(
                self.application,
                log_config=None,
                log_level="error",
                access_log=False,
                lifespan="off",
                http=http_door("feed of alerts", self._shell.doors),
                ws="none",
                h11_max_incomplete_event_size=MAX_REQUEST_BYTES,
                timeout_graceful_shutdown=STOP_S,
                server_header=False,
                proxy_headers=False,
                limit_concurrency=500,
            )
        )
        wake = self._shell.follow(CAP_GATEWAY)
        serving = asyncio.ensure_future(server.serve(sockets=[listening]))
        try:
            while True:
                wake.clear()
                self.catch_up()
                waiting = asyncio.ensure_future(wake.wait())
                await asyncio.wait([waiting, serving], return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
                if serving.done():
                    serving.result()
                    return
        finally:
            self._shell.unfollow(CAP_GATEWAY, wake)
            server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([serving], timeout=STOP_S + 1)

    def catch_up(self) -> None:
        """Takes in what has been issued since the last time."""
        before = self._done
        while rows := self._shell.store.outbox(CAP_GATEWAY, self._done, PAGE_ROWS):
            for row in rows:
                self._done = row.number
                try:
                    alert = read_cap(row.data)
                except CapUnreadableError as error:
                    self._note(f"alert row {row.number} is not served: {error}")
                    continue
                self._alerts[row.key] = Served(row.key, row.data, alert, _etag(row.data))
        for held in (self._alerts, self._signed):
            while len(held) > MAX_SERVED:
                held.popitem(last=False)
        if self._done != before:
            self._feed = self._made()

    async def feed(self, request: Request) -> Response:
        """The feed."""
        data, etag = self._feed
        return _answer(request, data, etag, f"{ATOM_TYPE}; charset=utf-8")

    async def alert(self, request: Request) -> Response:
        """One alert, byte for byte as it was issued, or that with the authority's signature."""
        found = self._alerts.get(request.path_params["name"])
        if found is None:
            return Response(status_code=404, headers=_HEADERS)
        if self._signer is not None:
            found = await self._with_signature(found, self._signer)
        return _answer(request, found.data, found.etag, f"{CAP_TYPE}; charset=utf-8")

    async def _with_signature(self, one: Served, signer: CapSigner) -> Served:
        """The alert signed, once for all who ask. One that cannot be signed is served as it is, and that is said."""
        async with self._signing:
            if one.name not in self._signed:
                data = one.data
                try:
                    data = await asyncio.to_thread(signer.signed, one.data)
                except (CapUnreadableError, OperatorError) as error:
                    self._note(f"alert {one.name} is served without a signature: {error}")
                self._signed[one.name] = Served(one.name, data, one.alert, _etag(data))
            return self._signed[one.name]

    def _made(self) -> tuple[bytes, str]:
        """The feed's bytes and their tag. Addresses are relative, so that it may stand behind any name."""
        config = self._config
        newest = list(self._alerts.values())[: -MAX_LISTED - 1 : -1]
        entries = tuple(self._entry(one) for one in newest)
        data = feed_bytes(
            AtomFeed(
                id=f"urn:noroshi:{config.realm}:{config.node}:cap",
                title=f"Public alerts of {config.partner} ({config.realm})",
                updated_ns=max((one.updated_ns for one in entries), default=0),
                author=config.partner,
                link="feed.atom",
                entries=entries,
            )
        )
        return data, _etag(data)

    def _entry(self, one: Served) -> AtomEntry:
        alert, config = one.alert, self._config
        sent_ns = alert.sent.time_ns or 0
        expires = [info.expires.time_ns for info in alert.infos if info.expires and info.expires.time_ns]
        first = alert.infos[0] if alert.infos else None
        words = [("status", alert.status), ("msgType", alert.msg_type)]
        words += [("references", name) for name in alert.references.split()]
        words += [("expires", to_iso(max(expires), digits=0))] if expires else []
        return AtomEntry(
            id=f"urn:noroshi:{config.realm}:{config.node}:cap:{one.name}",
            title=f"[{alert.status}] {alert.msg_type}: {first.headline if first else one.name}",
            updated_ns=sent_ns,
            published_ns=sent_ns,
            link=f"{one.name}.xml",
            summary=first.description if first else "",
            words=tuple((f"urn:noroshi:cap:{scheme}", word) for scheme, word in words),
        )


class _Server(uvicorn.Server):
    """Leaves the process's signals to the process."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]  # uvicorn's is a generator
        return contextlib.nullcontext()


def address_of(served: Address) -> str:
    """Where the feed is."""
    host = f"[{served.host}]" if ":" in served.host else served.host
    return f"http://{host}:{served.port}/cap/feed.atom"


def _answer(request: Request, data: bytes, etag: str, kind: str) -> Response:
    headers = {**_HEADERS, "ETag": etag}
    known = {one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")}
    if etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(data, media_type=kind, headers=headers)


def _etag(data: bytes) -> str:
    return f'"{hashlib.sha256(data).hexdigest()[:32]}"'


async def _nothing(request: Request, error: Exception) -> Response:
    return Response(status_code=404, headers=_HEADERS)
