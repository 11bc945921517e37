"""Last hops over TLS and WebSocket, and what strangers do at their door."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.uri import parse_uri

from noroshi.command.hop_keys import hello_code, hop_key, receipt_code
from noroshi.errors import InputError
from noroshi.messages import Unverified, canonical, verify
from noroshi.service import relay_hops, tls_door
from noroshi.service.hop_wires import HopAddress
from noroshi.service.last_hop import LastHop
from noroshi.service.link_keys import fingerprint, new_link_key
from noroshi.service.relay_frames import (
    TO_HOP,
    VERSION,
    ByeFrame,
    GreetingFrame,
    HopHello,
    ReceiptFrame,
    Splitter,
    framed,
)
from noroshi.service.relay_listening import read_hops
from tests.node.relays import ROSTER, SECRET, Line
from tests.node.scene import Scene
from tests.service.conftest import until
from tests.service.test_relay_hops import Relay, believed, greeted, quiet

__all__ = ["quiet"]


def identity(folder: Path) -> tuple[ssl.SSLContext, str]:
    """A relay's TLS, and the fingerprint that its last hops pin."""
    key, certificate = new_link_key("towns-a")
    (folder / "key.pem").write_bytes(key)
    (folder / "cert.pem").write_bytes(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, fingerprint(certificate)


@pytest.mark.parametrize("scheme", ["tls", "ws", "wss"])
def test_a_last_hop_takes_the_test_and_receipts_it(quiet: Scene, tmp_path: Path, scheme: str) -> None:
    line = Line(quiet)
    relay = Relay(line)
    context, pin = identity(tmp_path) if scheme != "ws" else (None, "")
    (test,) = line.connect()

    async def play() -> None:
        address = await relay.open(scheme, context, pin)
        hop = LastHop(3, hop_key(SECRET, ROSTER, 3), [address], believed(line))
        hop.start()
        await until(lambda: line.desk.kept[test.id].received == 1 << 3)
        assert relay.hops.here.keys() == {3}
        await hop.stop()
        await until(lambda: not relay.hops.here)
        relay.hops.close("")

    asyncio.run(play())
    assert relay.hops.refused == {}


def test_a_relay_with_another_certificate_is_told_nothing(quiet: Scene, tmp_path: Path) -> None:
    relay, dropped = Relay(Line(quiet)), list[str]()
    context, _ = identity(tmp_path)

    async def play() -> None:
        address = await relay.open("tls", context, "0" * 64)
        hop = LastHop(
            3, hop_key(SECRET, ROSTER, 3), [address], believed(relay.line),
            dropped=lambda hop, reason: dropped.append(reason),
        )  # fmt: skip
        hop.start()
        await until(lambda: bool(dropped))
        assert relay.hops.here == {}
        await hop.stop()
        relay.hops.close("")

    asyncio.run(play())
    assert dropped[0] == "not-the-relays-certificate"


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:0", "host:99999", "ftp://h:1", "h:1#" + "0" * 64, "tls://h:1#00", "ws://h:x", ":1"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        HopAddress.of(text)


@pytest.mark.parametrize(
    "text", ["192.0.2.1:9001", "tls://h:1#" + "0a" * 32, "ws://[2001:db8::1]:9", "wss://h:443"]
)
def test_addresses_come_back_as_they_were(text: str) -> None:
    assert str(HopAddress.of(text)) == text


def test_a_page_speaks_json_by_websocket(quiet: Scene) -> None:
    """With nothing but a WebSocket, JSON and Base64, as a browser has them."""
    line = Line(quiet)
    relay = Relay(line)
    (test,) = line.connect()
    key = hop_key(SECRET, ROSTER, 5)

    def b64(data: bytes) -> str:
        return base64.b64encode(data).decode()

    async def play() -> None:
        address = await relay.open("ws")
        async with connect(f"ws://127.0.0.1:{address.port}/json") as page:
            kind, version, realm, name, roster, challenge, keys = json.loads(await page.recv())
            assert (kind, version, name, roster, keys) == ("greeting", 1, "towns-a", ROSTER, [])
            assert realm == quiet["jpn"].node.state.genesis.realm
            code = hello_code(key, base64.b64decode(challenge))
            await page.send(json.dumps(["hop", 1, 5, b64(code), []]))
            kind, raw = json.loads(await page.recv())
            assert kind == "message"
            assert not hasattr(
                verify(Unverified(base64.b64decode(raw)), line.desk.trust, quiet.now_ns), "reason"
            )
            await page.send(json.dumps(["receipt", b64(test.id), b64(receipt_code(key, test.id))]))
            await until(lambda: line.desk.kept[test.id].received == 1 << 5)
            await page.send('["hop", 1, 5, "", []]')
            assert json.loads(await page.recv())[0] == "bye"
            with pytest.raises(ConnectionClosed):
                await page.recv()
        relay.hops.close("")

    asyncio.run(play())
    assert relay.hops.refused == {"not-this-last-hop": 1}


@pytest.mark.parametrize(
    "said", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00" * 9000, b"POST / HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_websocket_costs_its_connection(quiet: Scene, said: bytes) -> None:
    relay = Relay(Line(quiet))

    async def play() -> None:
        address = await relay.open("ws")
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(said)
        async with asyncio.timeout(2.0):
            await reader.read()
        writer.close()
        await until(lambda: relay.hops.refused == {"no-websocket": 1})
        async with connect(f"ws://127.0.0.1:{address.port}/json") as page:
            await page.recv()
            await page.send("x" * 20_000)
            with pytest.raises(ConnectionClosed):
                await page.recv()
        await until(lambda: relay.hops.refused["malformed-frame"] == 1)
        relay.hops.close("")

    asyncio.run(play())
    assert relay.hops.here == {}


def test_strangers_push_out_one_another_and_no_last_hop(
    quiet: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_hops, "MAX_STRANGERS", 20)
    line = Line(quiet)
    relay = Relay(line)
    (test,) = line.connect()

    async def play() -> None:
        address = await relay.open()
        strangers = [await asyncio.open_connection(address.host, address.port) for _ in range(60)]
        hop = LastHop(3, hop_key(SECRET, ROSTER, 3), [address], believed(line))
        hop.start()
        await until(lambda: line.desk.kept[test.id].received == 1 << 3)
        assert relay.hops.refused["too-many-strangers"] >= 40
        strangers += [await asyncio.open_connection(address.host, address.port) for _ in range(60)]
        await until(lambda: relay.hops.refused["too-many-strangers"] >= 100)
        assert set(relay.hops.here) == {3}, "who has said who it is stays"
        for _, writer in strangers:
            writer.transport.abort()
        await hop.stop()
        relay.hops.close("")

    asyncio.run(play())


def test_half_handshakes_and_half_frames_end(
    quiet: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_hops, "HELLO_S", 0.1)
    monkeypatch.setattr(tls_door, "HANDSHAKE_S", 0.1)
    relay = Relay(Line(quiet))
    context, pin = identity(tmp_path)

    async def play() -> None:
        plain, sealed = await relay.open(), await relay.open("tls", context, pin)
        for address, said in ((plain, b"\x00\x00\x00\x40half"), (sealed, b"\x16\x03\x01")):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(said)
            async with asyncio.timeout(2.0):
                await reader.read()
            writer.close()
        relay.hops.close("")

    asyncio.run(play())
    assert dict(relay.hops.refused) == {"no-hello": 1, "handshake": 1}


def test_one_last_hop_has_one_connection_and_many_bad_receipts_end_it(
    quiet: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_hops, "MAX_ODD", 3)
    line = Line(quiet)
    relay = Relay(line)
    line.connect()

    async def heard(reader: asyncio.StreamReader) -> list[object]:
        splitter = Splitter(1 << 20)
        async with asyncio.timeout(2.0):
            return [TO_HOP.decode(one) for one in splitter.feed(await reader.read())]

    async def play() -> None:
        address = await relay.open()
        lines = []
        for _ in range(2):
            reader, writer = await asyncio.open_connection(address.host, address.port)
            greeting = TO_HOP.decode(Splitter(1 << 20).feed(await reader.read(65_536))[0])
            assert isinstance(greeting, GreetingFrame)
            writer.write(greeted(3, hop_key(SECRET, ROSTER, 3))(greeting.challenge))
            lines.append((reader, writer))
            await until(lambda: 3 in relay.hops.here)
        older = await heard(lines[0][0])
        assert older[-1] == ByeFrame("it has connected anew")
        for of in (bytes(16), bytes(15) + b"\x01", bytes(16), b""):
            lines[1][1].write(framed(ReceiptFrame(of, b"x")))
        newer = await heard(lines[1][0])
        assert newer[-1] == ByeFrame("too many receipts that do not count")
        assert relay.hops.refused["receipt-of-nothing-known"] == 4
        for _, writer in lines:
            writer.close()
        relay.hops.close("")

    asyncio.run(play())


@pytest.mark.parametrize(
    "said", [canonical.encode(HopHello(VERSION, 3, b"bad", ())), b"\xff\xff"], ids=["hello", "junk"]
)
@pytest.mark.parametrize("tail", [b"", b"\xff" * 40], ids=["closes", "goes on"])
def test_whoever_errs_and_closes_in_one_breath_costs_its_connection_alone(
    quiet: Scene, said: bytes, tail: bytes
) -> None:
    relay, faults = Relay(Line(quiet)), list[object]()

    async def play() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        address = await relay.open("ws")
        reader, writer = await asyncio.open_connection(address.host, address.port)
        stranger = ClientProtocol(parse_uri(f"ws://127.0.0.1:{address.port}/"))
        stranger.send_request(stranger.connect())
        writer.write(b"".join(stranger.data_to_send()))
        stranger.receive_data(await reader.readuntil(b"\r\n\r\n"))
        stranger.send_binary(said)
        if not tail:
            stranger.send_close(1000)
        writer.write(b"".join(stranger.data_to_send()) + tail)
        while await reader.read(4096):
            pass
        writer.close()
        relay.hops.close("")

    asyncio.run(play())
    assert faults == []
    assert sum(relay.hops.refused.values()) > 0


@pytest.mark.parametrize(
    "change",
    [
        {"secrets": {"0": "ab"}}, {"secrets": {"x": "00" * 32}}, {"hops": {"9" * 5000: ""}}, {"hops": {"03": ""}},
        {"hops": {}}, {"relays": []}, {"relays": ["ftp://h:1"]}, {"roots": {"JPN": "0"}},
    ],
)  # fmt: skip
def test_a_file_of_last_hops_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    fields: dict[str, object] = {
        "realm": "exercise:x", "partner": "JPN", "roster": ROSTER, "roots": {"JPN": "00" * 32},
        "relays": ["127.0.0.1:9"], "hops": {"0": "00"}, "secrets": {"0": "00" * 32},
    }  # fmt: skip
    (tmp_path / "towns.hops").write_text(json.dumps(fields))
    assert read_hops(tmp_path / "towns.hops").hops == {"0": "00"}
    (tmp_path / "towns.hops").write_text(json.dumps(fields | change))
    with pytest.raises(InputError):
        read_hops(tmp_path / "towns.hops")


def test_what_a_stranger_says_that_it_has_takes_no_room(quiet: Scene) -> None:
    """Where receipts are only counted anybody may say it."""
    desk = Line(quiet, secret=b"").desk
    desk.holds(3, [(bytes(16), b"x" * 16_000), (b"y" * 9_000, b""), (bytes(15), b"")], 0)
    assert desk._early == {}
