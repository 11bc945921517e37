"""A client of a node: gives inputs until they are durable, and follows the staff's stream, through restarts.

Repeats are harmless: batches of detections carry their feed's number and messages their id, so what was
durable when the answer got lost is answered as a duplicate.

    client = NodeClient("http://127.0.0.1:8701/", page_token=..., feed_token=...)
    await client.give([Detections(...)])
    await client.follow(lambda number, row: print(row["says"]))
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from noroshi.clock import to_iso
from noroshi.errors import OperatorError, PartnerError
from noroshi.messages.canonical import encode
from noroshi.node.inputs import Answer, CapGiven, Detections, Received, RelayGiven

CHUNK_INPUTS = 500
CHUNK_BYTES = 1 << 20
"""At most so much in one request; the rest goes in the next."""

TIMEOUT_S = 15.0
RETRY_FIRST_S, RETRY_CAP_S = 0.1, 2.0
MAX_FRAME_BYTES = 8 << 20
SILENT_S = 5.0
"""The node sends its clock each second; after so long without a word the connection is given up."""

Row = dict[str, Any]


class RefusedError(OperatorError):
    """The node refuses this client: its token or its request is wrong, and trying again does not help."""


class NodeClient:
    """One node's client. `give` may be called from several tasks; calls are served one after the other."""

    def __init__(self, address: str, *, page_token: str = "", feed_token: str = "") -> None:
        parts = urlsplit(address)
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or 80
        self._page_token = page_token
        self._feed_token = feed_token
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="client")
        self._connection: http.client.HTTPConnection | None = None
        self._random = random.Random()
        self.last = 0
        """Number of the last row that `follow` has handed on."""

    def __repr__(self) -> str:
        return f"NodeClient({self._host}:{self._port})"

    async def give(self, inputs: Sequence[Detections | Received | CapGiven | RelayGiven]) -> list[Answer]:
        """The answers to all inputs, when they are durable; waits and repeats while the node is away. Files of other
        agencies and relays go to their own entrances, after the rest.

        Raises RefusedError when the node will never take them.
        """
        answers: list[Answer] = []
        for chunk in _chunks([one for one in inputs if isinstance(one, Detections | Received)]):
            answers += await self._give(chunk)
        for given in inputs:
            if isinstance(given, CapGiven | RelayGiven):
                answers.append(await self._hand_in(given))
        return answers

    async def info(self) -> dict[str, Any]:
        """The node's hello object. Raises OSError when it is away, RefusedError when it refuses."""
        status, body = await self._ask("GET", "/api/info", self._page_token, None)
        if status != 200:
            raise RefusedError("ask the node", subject=repr(self), cause=_cause(status, body))
        return dict(json.loads(body))

    async def follow(
        self,
        take: Callable[[int, Row], object],
        *,
        after: int = 0,
        hello: Callable[[Row], object] = lambda _: None,
        clock: Callable[[Row], object] = lambda _: None,
    ) -> NoReturn:
        """Hands on each row with its number, in order and once each, until cancelled; comes back by itself.

        hello: called at each connection; clock: each second. Raises RefusedError for a wrong token.
        """
        self.last = after
        pause_s = RETRY_FIRST_S
        while True:
            try:
                if await self._follow_once(take, hello, clock):
                    pause_s = RETRY_FIRST_S
            except (OSError, TimeoutError, WebSocketException, EOFError):
                pause_s = min(2 * pause_s, RETRY_CAP_S)
            await asyncio.sleep(pause_s * self._random.uniform(0.5, 1.0))

    async def close(self) -> None:
        """Ends the connection for inputs."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    async def _give(self, inputs: Sequence[Detections | Received]) -> list[Answer]:
        token = self._feed_token or self._page_token
        body = encode(list(inputs))
        pause_s = RETRY_FIRST_S
        while True:
            try:
                status, reply = await self._ask("POST", "/api/input", token, body)
            except (OSError, http.client.HTTPException):
                status, reply = 503, b""
            if status == 200:
                return [Answer(one["outcome"], one["reason"]) for one in json.loads(reply)]
            if status != 503:
                raise RefusedError("give inputs", subject=repr(self), cause=_cause(status, reply))
            await asyncio.sleep(pause_s * self._random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, RETRY_CAP_S)

    async def _hand_in(self, given: CapGiven | RelayGiven) -> Answer:
        """Brings a file or a relay to its entrance."""
        path, body = (
            ("/api/cap", given.raw) if isinstance(given, CapGiven) else ("/api/relay", _relay_body(given))
        )
        pause_s = RETRY_FIRST_S
        while True:
            try:
                status, reply = await self._ask("POST", path, self._feed_token or self._page_token, body)
            except (OSError, http.client.HTTPException):
                status, reply = 503, b""
            if status in (200, 413, 422):
                answer = json.loads(reply)
                return Answer(answer["outcome"], answer["reason"])
            if status != 503:
                raise RefusedError("hand it in", subject=repr(self), cause=_cause(status, reply))
            await asyncio.sleep(pause_s * self._random.uniform(0.5, 1.0))
            pause_s = min(2 * pause_s, RETRY_CAP_S)

    async def _ask(self, method: str, path: str, token: str, body: bytes | None) -> tuple[int, bytes]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._request, method, path, token, body)

    def _request(self, method: str, path: str, token: str, body: bytes | None) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_S)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/msgpack"}
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self._disconnect()
            raise

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def _follow_once(
        self,
        take: Callable[[int, Row], object],
        hello: Callable[[Row], object],
        clock: Callable[[Row], object],
    ) -> bool:
        """One connection; whether the node greeted us."""
        address = f"ws://{self._host}:{self._port}/api/staff"
        greeted = False
        async with connect(address, compression=None, max_size=MAX_FRAME_BYTES, proxy=None) as socket:
            await socket.send(json.dumps({"token": self._page_token, "after": self.last}))
            while True:
                try:
                    async with asyncio.timeout(SILENT_S):
                        text = await socket.recv()
                except WebSocketException:
                    if socket.close_code == 4403:
                        raise RefusedError(
                            "follow the node", subject=repr(self), cause="wrong token"
                        ) from None
                    return greeted
                frame = json.loads(text)
                if not isinstance(frame, dict):
                    raise PartnerError("follow the node", subject=repr(self), cause="a frame is no object")
                kind = frame.get("type")
                if kind == "hello":
                    greeted = True
                    self.last = min(self.last, int(frame.get("after", self.last)))
                    hello(frame)
                elif kind == "clock":
                    clock(frame)
                elif "n" in frame:
                    take(int(frame["n"]), frame["row"])
                    self.last = int(frame["n"])


def _relay_body(given: RelayGiven) -> bytes:
    """A relay as the body of its entrance."""
    document = {
        "outlet": given.outlet,
        "authority": given.claimed,
        "text": given.text,
        "link": given.link,
        "time": to_iso(given.said_ns, digits=9) if given.said_ns else "",
        "original": base64.b64encode(given.original).decode("ascii"),
    }
    return json.dumps(document).encode()


def _chunks(inputs: Sequence[Detections | Received]) -> list[list[Detections | Received]]:
    chunks: list[list[Detections | Received]] = []
    size = 0
    for given in inputs:
        length = len(encode(given))
        if not chunks or len(chunks[-1]) >= CHUNK_INPUTS or size + length > CHUNK_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(given)
        size += length
    return chunks


def _cause(status: int, body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return f"HTTP status {status}"
