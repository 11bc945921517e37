"""Our own public alerts for whoever asks: the feed, each file byte for byte, ends too, and nothing else of the node."""

from __future__ import annotations

import asyncio
import http.client
import socket
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response

from noroshi.errors import OperatorError
from noroshi.gateways.atom import read_feed
from noroshi.log import OutboxRow
from noroshi.service.cap_serving import MAX_LISTED, CapServer, address_of
from noroshi.service.doors import Doors
from noroshi.service.node_config import Address, parse_config
from tests.node.agency import cap

SENT_NS = 1_664_835_720 * 10**9
CONFIG = parse_config(
    '{"realm": "exercise:a", "partner": "JPN", "node": "jpn", "link": {"port": 1},'
    f' "page": {{"port": 2, "token_sha256": "{"0" * 64}"}}, "feeds": {{"token_sha256": "{"0" * 64}"}}}}',
    "node.json",
)


class Shell:
    """One outbox."""

    def __init__(self) -> None:
        self.rows: list[OutboxRow] = []
        self.wake = asyncio.Event()
        self.doors = Doors(lambda _: asyncio.Future(), lambda: 0.0)

    @property
    def store(self) -> Shell:
        return self

    def outbox(self, stream: str, after: int, limit: int) -> list[OutboxRow]:
        assert stream == "gateway:cap"
        return self.rows[after : after + limit]

    def follow(self, party: str) -> asyncio.Event:
        return self.wake

    def unfollow(self, party: str, wake: asyncio.Event) -> None: ...

    def issue(self, name: str, data: bytes) -> None:
        self.rows.append(OutboxRow("gateway:cap", len(self.rows) + 1, 0, name, SENT_NS, data, b""))
        self.wake.set()


def ask(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.slow
def test_consumers_find_alerts_and_their_ends_and_nothing_else() -> None:
    async def scenario() -> None:
        shell, listening = Shell(), socket.create_server(("127.0.0.1", 0))
        port = int(listening.getsockname()[1])
        server = CapServer(shell, CONFIG)  # type: ignore[arg-type]  # as much of a shell as it asks for
        running = asyncio.create_task(server.run(listening))

        async def asked(path: str, method: str = "GET", **headers: str) -> tuple[int, Any, bytes]:
            return await asyncio.to_thread(ask, port, path, method, **headers)

        first = cap(SENT_NS, identifier="JPN-1", sender="jp@jpn.noroshi.invalid")
        end = cap(
            SENT_NS + 10**9, identifier="JPN-2", sender="jp@jpn.noroshi.invalid", type_="Cancel",
            refers=(("JPN-1", SENT_NS),),
        )  # fmt: skip
        status, headers, empty = await asked("/cap/feed.atom")
        assert (status, read_feed(empty).entries) == (200, ())
        shell.issue("JPN-1", first)
        shell.issue("broken", b"<alert/>")
        shell.issue("JPN-2", end)
        await asyncio.sleep(0)
        while len((found := read_feed((await asked("/cap/feed.atom"))[2])).entries) < 2:
            await asyncio.sleep(0)
        assert [one.link for one in found.entries] == ["JPN-2.xml", "JPN-1.xml"]
        assert "Cancel" in found.entries[0].title
        assert "[Exercise]" in found.entries[0].title
        status, headers, data = await asked("/cap/JPN-1.xml")
        assert (status, data) == (200, first)
        assert headers["content-type"].startswith("application/cap+xml")
        again = await asked("/cap/JPN-1.xml", **{"If-None-Match": headers["etag"]})
        assert (again[0], again[2]) == (304, b"")
        _, headers, _ = await asked("/cap/feed.atom")
        assert (await asked("/cap/feed.atom", **{"If-None-Match": f'W/{headers["etag"]}, "x"'}))[0] == 304
        for path in ("/", "/api/info", "/cap/", "/cap/broken.xml", "/cap/..%2fnode.json.xml", "/cap/JPN-1"):
            assert (await asked(path))[0] == 404
        assert (await asked("/cap/feed.atom", "POST"))[0] == 404
        for number in range(3, MAX_LISTED + 10):
            shell.issue(f"JPN-{number}", first)
        server.catch_up()
        assert len(read_feed((await asked("/cap/feed.atom"))[2]).entries) == MAX_LISTED
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scenario())


class Signer:
    """Signs nothing that is called broken; counts."""

    def __init__(self) -> None:
        self.count = 0

    def signed(self, data: bytes) -> bytes:
        self.count += 1
        if b"JPN-2" in data:
            raise OperatorError("sign a CAP message", cause="the key is gone")
        return data + b"<!-- signed -->"


def test_each_file_is_signed_once_and_one_that_cannot_be_is_served_as_it_is() -> None:
    async def scenario() -> None:
        shell, signer, notes = Shell(), Signer(), list[str]()
        server = CapServer(shell, CONFIG, notes.append, signer)  # type: ignore[arg-type]  # as much of both as it asks for
        first, second = (
            cap(SENT_NS, identifier=name, sender="jp@jpn.noroshi.invalid") for name in ("JPN-1", "JPN-2")
        )
        shell.issue("JPN-1", first)
        shell.issue("JPN-2", second)
        server.catch_up()

        async def asked(name: str) -> Response:
            return await server.alert(Request({"type": "http", "path_params": {"name": name}, "headers": []}))

        answers = await asyncio.gather(*(asked("JPN-1") for _ in range(5)))
        assert {bytes(one.body) for one in answers} == {first + b"<!-- signed -->"}
        assert len({one.headers["etag"] for one in answers}) == 1
        assert (await asked("JPN-2")).body == second
        assert signer.count == 2
        assert ["JPN-2" in one and "without a signature" in one for one in notes] == [True]

    asyncio.run(scenario())


def test_where_it_is() -> None:
    assert address_of(Address(port=8721)) == "http://127.0.0.1:8721/cap/feed.atom"
    assert address_of(Address(host="::1", port=1)) == "http://[::1]:1/cap/feed.atom"
