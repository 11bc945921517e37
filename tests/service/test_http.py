"""The page's door: closed by default, the stream whole and resumable, inputs durable before they are answered."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from noroshi.messages.canonical import encode
from noroshi.node.inputs import Received, TimerDue
from noroshi.service import http as http_module
from noroshi.service.client import NodeClient, RefusedError
from noroshi.service.node_dir import NodeDir
from tests.service.conftest import served, until
from tests.service.standin import detections

Make = Callable[..., list[NodeDir]]
Answer = tuple[int, dict[str, str], bytes]


def ask(
    directory: NodeDir, method: str, path: str, token: str = "", body: bytes | None = None, **more: str
) -> Answer:
    """One request, as any program might make it. Blocks."""
    connection = http.client.HTTPConnection("127.0.0.1", directory.config.page.port, timeout=10)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        connection.request(
            method, path, body, headers | {name.title(): value for name, value in more.items()}
        )
        response = connection.getresponse()
        return response.status, {key.lower(): value for key, value in response.getheaders()}, response.read()
    finally:
        connection.close()


async def asked(directory: NodeDir, *args: Any, **more: Any) -> Answer:
    return await asyncio.to_thread(ask, directory, *args, **more)


def client_of(directory: NodeDir) -> NodeClient:
    return NodeClient(
        directory.page_address, page_token=directory.page_token(), feed_token=directory.feed_token()
    )


def address(directory: NodeDir) -> str:
    return f"ws://127.0.0.1:{directory.config.page.port}/api/staff"


async def entered(socket: ClientConnection, directory: NodeDir, after: int = 0) -> dict[str, Any]:
    """Shows the token; the hello."""
    await socket.send(json.dumps({"token": directory.page_token(), "after": after}))
    return dict(json.loads(await socket.recv()))


async def rows(socket: ClientConnection, upto: int) -> list[dict[str, Any]]:
    """Frames of rows up to a number; clock frames are left out."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(10.0):
        while not found or found[-1]["n"] < upto:
            frame = json.loads(await socket.recv())
            if "n" in frame:
                found.append(frame)
    return found


def test_without_the_token_everything_under_api_gives_the_same_refusal(made: Make) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        async with served(jpn):
            body = encode([detections(1)])
            answers = [
                await asked(jpn, "GET", "/api/info"),
                await asked(jpn, "GET", "/api/info", "wrong"),
                await asked(jpn, "GET", "/api/info", jpn.feed_token()),
                await asked(jpn, "GET", "/api/staff", "wrong"),
                await asked(jpn, "GET", "/api/nothing", "wrong"),
                await asked(jpn, "POST", "/api/input", "", body),
                await asked(jpn, "POST", "/api/input", jpn.page_token(), body),
                await asked(jpn, "GET", "/api/input", jpn.page_token()),
            ]
            assert {(status, raw) for status, _, raw in answers} == {(403, b'{"error":"refused"}')}
            headers = [{k: v for k, v in one.items() if k != "date"} for _, one, _ in answers]
            assert all(one == headers[0] for one in headers)

    asyncio.run(scenario())


def test_every_answer_carries_the_strict_headers(made: Make) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        async with served(jpn):
            for path, token in (
                ("/", ""),
                ("/api/info", jpn.page_token()),
                ("/static/none.js", ""),
                ("/x", ""),
            ):
                status, headers, _ = await asked(jpn, "GET", path, token)
                assert status in (200, 404)
                assert headers["x-content-type-options"] == "nosniff"
                assert headers["referrer-policy"] == "no-referrer"
                assert "default-src 'none'" in headers["content-security-policy"]
                assert "unsafe" not in headers["content-security-policy"]
                assert headers["cache-control"] in ("no-store", "no-cache")
                assert "server" not in headers
            info = json.loads((await asked(jpn, "GET", "/api/info", jpn.page_token()))[2])
            assert (info["realm_kind"], info["partner"], info["speed"]) == ("exercise", "JPN", 1.0)
            assert info["units"]
            assert (await asked(jpn, "GET", "/static/../http.py"))[0] == 404
            assert (await asked(jpn, "GET", "/static/%2e%2e/http.py"))[0] == 404

    asyncio.run(scenario())


def test_another_origin_or_host_is_refused(made: Make) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        token, port = jpn.page_token(), jpn.config.page.port
        async with served(jpn):
            for more in (
                {"origin": "http://evil.example"},
                {"host": "evil.example"},
                {"host": f"evil.example:{port}"},
            ):
                assert (await asked(jpn, "GET", "/api/info", token, None, **more))[0] == 403
                assert (await asked(jpn, "GET", "/", "", None, **more))[0] == 403
            own = {"origin": f"http://localhost:{port}", "host": f"localhost:{port}"}
            assert (await asked(jpn, "GET", "/api/info", token, None, **own))[0] == 200
            with pytest.raises(InvalidStatus):
                await connect(address(jpn), origin=Origin("http://evil.example"), proxy=None)
            async with connect(address(jpn), origin=Origin(f"http://127.0.0.1:{port}"), proxy=None) as socket:
                assert (await entered(socket, jpn))["type"] == "hello"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "first",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"token": "wrong"}',
        '{"token": 7}',
        '{"token": "wrong", "after": -1}',
        "{" * 900,
    ],
)
def test_a_wrong_first_frame_is_refused_without_a_word(made: Make, first: str) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        async with served(jpn), connect(address(jpn), proxy=None) as socket:
            await socket.send(first)
            with pytest.raises(ConnectionClosed) as caught:
                await socket.recv()
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4403, "refused")

    asyncio.run(scenario())


def test_who_shows_no_token_in_time_is_refused(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "FIRST_FRAME_S", 0.05)

    async def scenario() -> None:
        (jpn,) = made("jpn")
        async with served(jpn), connect(address(jpn), proxy=None) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()

    asyncio.run(scenario())


def test_inputs_are_answered_when_durable_and_the_stream_shows_them(made: Make) -> None:
    async def scenario() -> None:
        jpn, _ = made("jpn", "usa")
        async with served(jpn) as node, connect(address(jpn), proxy=None) as socket:
            client = client_of(jpn)
            hello = await entered(socket, jpn)
            assert (hello["type"], hello["after"], hello["node"]) == ("hello", 0, "jpn")
            post = Received(party="post:jp-pm.duty", number=0, raw=b"signed")
            answers = [*await client.give([detections(1), detections(1)]), *await client.give([post])]
            assert [one.outcome for one in answers] == ["accepted", "duplicate", "accepted"]
            found = await rows(socket, 2)
            assert [(one["n"], one["key"], one["row"]["says"]) for one in found] == [
                (1, "picture:sado", "sado 1"),
                (2, "", "post:jp-pm.duty says b'signed'"),
            ]
            assert len(list(node.store.records())) == 4
            await client.close()

    asyncio.run(scenario())


def test_a_newcomer_gets_the_newest_of_each_key_in_order(made: Make) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        async with served(jpn):
            client = client_of(jpn)
            post = Received(party="post:x", number=0, raw=b"")
            for one in (detections(1), detections(2), post, detections(3), detections(1, "oki"), post):
                await client.give([one])
            async with connect(address(jpn), proxy=None) as socket:
                await entered(socket, jpn)
                assert [one["n"] for one in await rows(socket, 6)] == [3, 4, 5, 6]
            async with connect(address(jpn), proxy=None) as socket:
                await entered(socket, jpn, after=4)
                assert [one["n"] for one in await rows(socket, 6)] == [5, 6]
        async with served(jpn), connect(address(jpn), proxy=None) as socket:
            await entered(socket, jpn)
            assert [one["n"] for one in await rows(socket, 6)] == [3, 4, 5, 6]
            await client.close()

    asyncio.run(scenario())


def test_a_client_of_another_record_begins_anew(made: Make) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        async with served(jpn), connect(address(jpn), proxy=None) as socket:
            hello = await entered(socket, jpn, after=1000)
            assert hello["after"] == 0

    asyncio.run(scenario())


def test_the_clock_comes_and_a_stop_is_told(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "CLOCK_EVERY_S", 0.05)

    async def scenario() -> None:
        (jpn,) = made("jpn")
        async with connect_later(jpn) as frames, served(jpn):
            await until(lambda: any(frame.get("type") == "clock" for frame in frames))
        assert frames[0]["type"] == "hello"
        assert frames[-1] == {"type": "bye", "reason": "the node is stopping"}

    asyncio.run(scenario())


class connect_later:  # noqa: N801  # used like the function that it stands for
    """Follows a node as soon as it is there; all frames, also the last."""

    def __init__(self, directory: NodeDir) -> None:
        self._directory = directory
        self.frames: list[dict[str, Any]] = []

    async def _follow(self) -> None:
        while True:
            try:
                async with connect(address(self._directory), proxy=None) as socket:
                    await socket.send(json.dumps({"token": self._directory.page_token(), "after": 0}))
                    async for text in socket:
                        self.frames.append(json.loads(text))
                return
            except OSError:
                await asyncio.sleep(0.02)

    async def __aenter__(self) -> list[dict[str, Any]]:
        self._task = asyncio.create_task(self._follow())
        return self.frames

    async def __aexit__(self, *_: object) -> None:
        async with asyncio.timeout(10.0):
            await self._task


async def until_closed(socket: ClientConnection) -> tuple[int, str]:
    """The number of the last row that came, and why no more did."""
    got = 0
    try:
        while True:
            got = json.loads(await socket.recv()).get("n", got)
    except ConnectionClosed as closed:
        return got, closed.rcvd.reason if closed.rcvd else ""


def test_a_client_that_cannot_keep_up_is_cut_off_and_goes_on_later(
    made: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_module, "SLOW_S", 0.3)

    async def scenario() -> None:
        (jpn,) = made("jpn")
        async with served(jpn):
            client = client_of(jpn)
            slow = connect(address(jpn), proxy=None, max_queue=1)
            async with slow as socket:
                await entered(socket, jpn)
                for _ in range(40):
                    await client.give([Received(party="post:x", number=0, raw=bytes(50_000))])
                await asyncio.sleep(0.5)
                got, told = await until_closed(socket)
            assert "could not keep up" in told
            assert 0 < got < 40
            async with connect(address(jpn), proxy=None) as socket:
                await entered(socket, jpn, after=got)
                assert [one["n"] for one in await rows(socket, 40)] == list(range(got + 1, 41))
            await client.close()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"\xc1", 400),
        (encode({"a": 1}), 400),
        (encode([TimerDue(name="x")]), 400),
        (encode([Received(party="partner:USA", number=1, raw=b"")]), 403),
        (encode([Received(party="post:x", number=1, raw=b"")]), 403),
        (bytes(4 * 1024 * 1024 + 1), 413),
        (encode([detections(n) for n in range(5001)]), 413),
        (encode([]), 200),
    ],
    ids=["empty", "bytes", "map", "timer", "link", "number", "large", "many", "none"],
)
def test_a_body_that_is_no_list_of_inputs_is_refused(made: Make, body: bytes, status: int) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        async with served(jpn) as node:
            assert (await asked(jpn, "POST", "/api/input", jpn.feed_token(), body))[0] == status
            assert len(list(node.store.records())) == 1

    asyncio.run(scenario())


def test_a_sensor_that_is_not_of_this_feed_is_refused(made: Make) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        feeds = msgspec.structs.replace(jpn.config.feeds, sensors=("oki",))
        jpn = jpn.with_config(msgspec.structs.replace(jpn.config, feeds=feeds))
        async with served(jpn):
            client = client_of(jpn)
            assert (await client.give([detections(1, "oki")]))[0].outcome == "accepted"
            with pytest.raises(RefusedError, match="refused"):
                await client.give([detections(1, "sado")])
            await client.close()

    asyncio.run(scenario())


def test_a_client_follows_through_a_restart_without_a_gap(made: Make) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        got: list[int] = []
        client = client_of(jpn)
        async with served(jpn):
            following = asyncio.create_task(client.follow(lambda number, _: got.append(number)))
            await client.give([Received(party="post:x", number=0, raw=b"1")])
            await until(lambda: got == [1])
        giving = asyncio.create_task(client.give([Received(party="post:x", number=0, raw=b"2")]))
        await asyncio.sleep(0.05)
        assert not giving.done()
        async with served(jpn):
            assert (await giving)[0].outcome == "accepted"
            await until(lambda: got == [1, 2])
            info = await client.info()
            assert info["node"] == "jpn"
        following.cancel()
        await client.close()

    asyncio.run(scenario())


def test_a_client_with_a_wrong_token_is_told(made: Make) -> None:
    async def scenario() -> None:
        (jpn,) = made("jpn")
        async with served(jpn):
            client = NodeClient(jpn.page_address, page_token="wrong")
            with pytest.raises(RefusedError):
                await client.info()
            with pytest.raises(RefusedError):
                await client.give([detections(1)])
            with pytest.raises(RefusedError, match="wrong token"):
                async with asyncio.timeout(5.0):
                    await client.follow(lambda *_: None)
            await client.close()

    asyncio.run(scenario())
