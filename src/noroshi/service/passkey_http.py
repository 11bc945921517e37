"""The entrances by which a person's browser enrols a passkey and signs with it. All take the page's token, and JSON.

    POST /api/passkey/enrol    {post, unit, rp, origin, made}             what the authenticator is to sign
                               {..., assertion: {data, client, signature}}    the request's file
    POST /api/passkey/prepare  {post, answer, outcome, typed}             the payload, and what is to be signed of it
    POST /api/passkey/speak    {post, payload, assertion}                 the node's answer, when it is durable

Bytes are base64url without padding, as browsers have them. The node never signs for a person: what comes back goes
through the same check as a message from anywhere.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from noroshi.errors import LocalError, NoroshiError
from noroshi.messages.envelope import joined, signing_bytes
from noroshi.messages.passkeys import Assertion, assertion_bytes, challenge_of
from noroshi.node.inputs import Received
from noroshi.service.http import matches, refusal
from noroshi.service.node_dir import NodeDir
from noroshi.service.passkey_enrolment import (
    card_of,
    challenge_bytes,
    payload_for,
    request_for,
    write_request,
)
from noroshi.service.shell import NodeShell

MAX_BODY_BYTES = 64 << 10
"""Largest body, 64 KiB: an assertion has 2 KiB, and a task's fields have less."""

Handler = Callable[[dict[str, Any]], Awaitable[Response]]


class _UnfitError(Exception):
    """The body has not what it should have."""


class PasskeyPages:
    """The handlers of one node."""

    def __init__(self, shell: NodeShell, directory: NodeDir) -> None:
        self._shell = shell
        self._directory = directory

    def routes(self) -> list[Route]:
        """For the application of the node."""
        return [
            Route(f"/api/passkey/{name}", self._entrance(handler), methods=["POST"])
            for name, handler in (("enrol", self.enrol), ("prepare", self.prepare), ("speak", self.speak))
        ]

    async def enrol(self, body: dict[str, Any]) -> Response:
        """The two steps of enrolment."""
        bare = request_for(
            self._directory.config,
            _text(body, "post"),
            _text(body, "unit"),
            _bytes(body, "made"),
            origin=_text(body, "origin"),
            rp=_text(body, "rp"),
        )
        if "assertion" not in body:
            return JSONResponse({"challenge": _base64(challenge_of(challenge_bytes(bare)))})
        path = write_request(self._directory, bare, _assertion(body))
        return JSONResponse({"file": str(path)})

    async def prepare(self, body: dict[str, Any]) -> Response:
        """What a post signs to answer a task."""
        post, fields = _text(body, "post"), body.get("answer")
        now_ns = self._shell.clock.now_ns()
        card = await asyncio.to_thread(card_of, self._directory, post, now_ns)
        if card is None or card.passkey is msgspec.UNSET:
            return _error(409, f"{post} has no passkey that its root has certified")
        if not isinstance(fields, dict):
            raise _UnfitError("`answer` is no task's")
        config = self._directory.config
        payload = payload_for(
            fields, _text(body, "outcome"), card, config.node, now_ns, str(body.get("typed", ""))
        )
        return JSONResponse(
            {
                "payload": _base64(payload),
                "challenge": _base64(challenge_of(signing_bytes(config.realm, payload))),
                "credential": _base64(card.passkey.credential),
                "rp": card.passkey.rp,
            }
        )

    async def speak(self, body: dict[str, Any]) -> Response:
        """Gives the node the message of a payload and its assertion."""
        post = _text(body, "post")
        card = await asyncio.to_thread(card_of, self._directory, post, self._shell.clock.now_ns())
        if card is None:
            return _error(409, f"{post} has no passkey that its root has certified")
        raw = joined(_bytes(body, "payload"), card.public, assertion_bytes(_assertion(body)))
        try:
            answer = await self._shell.give(Received(party=f"post:{post}", number=0, raw=raw))
        except LocalError as error:
            return _error(503, str(error))
        return JSONResponse({"outcome": answer.outcome, "reason": answer.reason})

    def _entrance(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            own = self._directory.config.page.token_sha256
            if not matches(token if scheme.lower() == "bearer" else "", own):
                return refusal()
            try:
                return await handler(await _read(request))
            except _UnfitError as error:
                return _error(400, str(error))
            except NoroshiError as error:
                return _error(422, error.sentence())

        return answer


async def _read(request: Request) -> dict[str, Any]:
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise _UnfitError(f"the body is larger than {MAX_BODY_BYTES} bytes")
        found = json.loads(body)
    except ClientDisconnect:
        raise _UnfitError("the body did not come whole") from None
    except (ValueError, RecursionError):
        raise _UnfitError("the body is no JSON") from None
    if not isinstance(found, dict):
        raise _UnfitError("the body is no object")
    return found


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value or len(value) > 1000:
        raise _UnfitError(f"`{name}` is missing")
    return value


def _bytes(body: dict[str, Any], name: str) -> bytes:
    value = body.get(name)
    try:
        return (
            base64.urlsafe_b64decode(str(value) + "==")
            if isinstance(value, str) and value
            else _missing(name)
        )
    except (ValueError, binascii.Error):
        raise _UnfitError(f"`{name}` is no base64url") from None


def _missing(name: str) -> bytes:
    raise _UnfitError(f"`{name}` is missing")


def _assertion(body: dict[str, Any]) -> Assertion:
    given = body.get("assertion")
    if not isinstance(given, dict):
        raise _UnfitError("`assertion` is missing")
    return Assertion(_bytes(given, "data"), _bytes(given, "client"), _bytes(given, "signature"))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _error(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status_code=status)
