"""Two entrances of the page's door: files of other agencies, and what somebody says in public in an authority's name.

Files need the feeds' token; for what was said the page's will do as well. The answer comes when all that follows is
durable: 200 with `accepted` or `duplicate`, 422 with `refused`. What is refused is on the record and before the staff,
also what is too large or unreadable.

POST /api/cap      the file as it is; the header `Noroshi-Source` may name where it comes from, letters beyond ASCII
                   as in an address (%E6%B3%A2)
POST /api/relay    {"outlet": ..., "authority": ..., "text": ..., "link": ..., "time": ..., "original": base 64}
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from noroshi.clock import from_iso
from noroshi.errors import LocalError
from noroshi.messages.bodies_hazard import MAX_HAZARD_BYTES
from noroshi.messages.canonical import MAX_BYTES
from noroshi.node.inputs import CapGiven, RelayGiven
from noroshi.service.cap_entrance import Entrance
from noroshi.service.http import matches, refusal
from noroshi.service.node_config import NodeConfig
from noroshi.service.shell import CoreDefectError, NodeShell

MAX_RELAY_BYTES = 2 * MAX_BYTES
"""Largest body of /api/relay: an original message in base 64, and the words."""

FAR_NS = 1 << 62
"""A time beyond any that is meant, and still a number that a record holds: the core refuses it as future-dated."""

SOURCE = "noroshi-source"
_NAME = re.compile(r"[^\W_][\w. -]{0,63}")


class RelayRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of /api/relay. time: ISO 8601 with a zone; original: the authority's signed message, base 64."""

    outlet: str
    text: str
    authority: str = ""
    link: str = ""
    time: str = ""
    original: bytes = b""


_RELAY = msgspec.json.Decoder(RelayRequest)


def cap_routes(shell: NodeShell, config: NodeConfig, entrance: Entrance) -> tuple[BaseRoute, ...]:
    """The two entrances."""

    async def cap(request: Request) -> Response:
        if not _allowed(request, config.feeds.token_sha256):
            return refusal()
        found = _NAME.fullmatch(unquote(request.headers.get(SOURCE, "")))
        party = f"hand:{found[0]}" if found else "hand:api"
        raw = await _body(request, MAX_HAZARD_BYTES)
        if raw is None:
            return _unread()
        if len(raw) > MAX_HAZARD_BYTES:
            detail = f"more than {MAX_HAZARD_BYTES} bytes"
            return await _given(shell, entrance.refused(party, "oversize", detail), 413)
        given = await asyncio.to_thread(entrance.given, party, raw, shell.clock.now_ns())
        return await _given(shell, given)

    async def relay(request: Request) -> Response:
        if not _allowed(request, config.feeds.token_sha256, config.page.token_sha256):
            return refusal()
        raw = await _body(request, MAX_RELAY_BYTES)
        if raw is None:
            return _unread()
        return await _given(shell, relay_of(raw), 413 if len(raw) > MAX_RELAY_BYTES else 422)

    return (
        Route("/api/cap", _whole(cap), methods=["POST"]),
        Route("/api/relay", _whole(relay), methods=["POST"]),
    )


def relay_of(raw: bytes) -> RelayGiven:
    """What was said, from a body of /api/relay; one that cannot be read says nothing, which the core refuses."""
    party = "hand:api"
    nothing = RelayGiven(party=party, outlet="", claimed="", text="")
    if len(raw) > MAX_RELAY_BYTES:
        return nothing
    try:
        asked = _RELAY.decode(raw)
        said_ns = min(max(from_iso(asked.time), -1), FAR_NS) if asked.time else 0
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return nothing
    return RelayGiven(
        party=party,
        outlet=asked.outlet,
        claimed=asked.authority,
        text=asked.text,
        link=asked.link,
        said_ns=said_ns,
        original=asked.original,
    )


def _whole(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The same, with an answer for when the node takes nothing."""

    async def whole(request: Request) -> Response:
        try:
            return await answer(request)
        except LocalError as error:
            return JSONResponse({"error": str(error)}, status_code=503)

    return whole


def _allowed(request: Request, *digests: str) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    shown = token if scheme.lower() == "bearer" else ""
    return any(matches(shown, digest) for digest in digests)


async def _body(request: Request, most: int) -> bytes | None:
    """The body, cut after the first byte too many; None when it did not come whole."""
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                return bytes(body[: most + 1])
    except ClientDisconnect:
        return None
    return bytes(body)


async def _given(shell: NodeShell, given: CapGiven | RelayGiven, refused: int = 422) -> Response:
    try:
        answer = await shell.give(given)
    except CoreDefectError:
        return JSONResponse({"outcome": "refused", "reason": "defect"}, status_code=500)
    status = refused if answer.outcome == "refused" else 200
    return JSONResponse({"outcome": answer.outcome, "reason": answer.reason}, status_code=status)


def _unread() -> Response:
    return JSONResponse({"error": "the body did not come whole"}, status_code=400)
