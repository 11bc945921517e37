"""The gateway for Cursor on Target with real clients: pytak over TCP and TLS, WebSockets, TAK messages; and odd ones."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import socket
import ssl
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lxml import etree
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from noroshi.errors import InputError
from noroshi.gateways.cot import CotEvent, read_event
from noroshi.gateways.tak_proto import from_proto, to_proto
from noroshi.gateways.tak_stream import Framed, StreamReader, stream_frame
from noroshi.service.cot_certificates import CotKeys, write_card
from noroshi.service.cot_config import CotClient, CotConfig, CotGroup, CotServer
from noroshi.service.node_config import parse_config
from noroshi.service.node_dir import load
from noroshi.service.ports import free_ports
from noroshi.service.record_file import RecordFile
from tests.service.cot_scene import CotScene, made_node, post_key, running

DUTY = "jp-fdma.duty"
TOKEN = "a token that nobody guesses"
PATIENCE_S = 120.0
"""On a machine that is busy with other things as well."""

MANY = 90
"""Events of 100 kB: more than the buffers of a connection hold."""

ACK = re.compile(rb"write ACK ([0-9a-f]{8}) to")


def config(*servers: CotServer, share: bool = False, **limits: int) -> CotConfig:
    """One group of Japan's staff, and a client that is bound to the duty post by its token."""
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    return CotConfig(
        groups=(CotGroup(name="staff", partners=("JPN",), share_positions=share),),
        servers=servers,
        clients=(CotClient(name="fdma", group="staff", post=DUTY, token_sha256=digest),),
        **limits,
    )


def played(folder: Path, cot: CotConfig, part: Callable[[CotScene], Awaitable[None]]) -> None:
    """Runs Japan's node with this gateway, and a part of a test with it."""

    async def scene() -> None:
        made = made_node(folder)
        post_key(made.path, DUTY)
        async with asyncio.timeout(PATIENCE_S), running(made, cot) as one:
            await part(one)

    asyncio.run(scene())


MADE = count()


def event(type_: str, detail: str, uid: str = "client-1") -> bytes:
    """An event of a client, each a millisecond after the one before."""
    made = f"2026-01-01T00:00:00.{next(MADE):03d}Z"
    return (
        f'<event version="2.0" uid="{uid}" type="{type_}" how="h-e" time="{made}"'
        f' start="2026-01-01T00:00:00Z" stale="2126-01-01T00:00:00Z"><point lat="35.5" lon="139.25" hae="0.0" ce="9.9"'
        f' le="9.9"/><detail>{detail}</detail></event>'
    ).encode()


class Client:
    """A plain client: reads events in either form."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.frames = StreamReader()
        self.events: list[tuple[bool, CotEvent]] = []

    @classmethod
    async def to(cls, port: int, **options: Any) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port, **options))

    async def until(self, type_: str, words: str = "") -> CotEvent:
        """The next event of a type, with these words in it."""
        while True:
            for place, (_, one) in enumerate(self.events):
                if one.type == type_ and words in one.xml.decode():
                    del self.events[: place + 1]
                    return one
            data = await asyncio.wait_for(self.reader.read(65_536), PATIENCE_S)
            assert data, "the connection has ended"
            self.take(self.frames.feed(data))

    def take(self, framed: list[Framed]) -> None:
        self.events += [
            (one.xml, read_event(one.data) if one.xml else from_proto(one.data)) for one in framed
        ]

    async def ended(self) -> None:
        """Reads on until the connection ends."""
        while await asyncio.wait_for(self.reader.read(65_536), PATIENCE_S):
            pass


def says(scene: CotScene) -> list[str]:
    """What the staff were told."""
    return [json.loads(row.data)["says"] for row in scene.shell.store.outbox("staff", 0, 10_000)]


# --- pytak ----------------------------------------------------------------------------------------------------------


async def through_pytak(scene: CotScene, settings: dict[str, str], first: bytes = b"") -> None:
    """Pytak's own workers see track and warning, and acknowledge it."""
    pytak = pytest.importorskip("pytak")
    received: asyncio.Queue[bytes] = asyncio.Queue()
    outgoing: asyncio.Queue[bytes] = asyncio.Queue()
    reader, writer = await pytak.protocol_factory(settings)
    if first:
        await outgoing.put(first)
    workers = [
        asyncio.ensure_future(pytak.RXWorker(received, settings, reader).run()),
        asyncio.ensure_future(pytak.TXWorker(outgoing, settings, writer).run()),
    ]
    try:
        await scene.fly()
        seen: dict[str, bytes] = {}
        while not {"a-u-P", "u-d-f", "b-a-o-pan"} <= set(seen):
            raw = await asyncio.wait_for(received.get(), PATIENCE_S)
            seen[read_event(raw).type] = raw
        acked = ACK.search(seen["b-a-o-pan"])
        assert acked is not None
        await outgoing.put(event("b-t-f", f"<remarks>ACK {acked[1].decode()}</remarks>"))
        await scene.until("acknowledgement:accepted", "staff")
        assert f"{DUTY} (JPN) acknowledged" in says(scene)[-1]
        assert "through the TAK group staff" in says(scene)[-1]
    finally:
        for worker in workers:
            worker.cancel()
        writer.close()


@pytest.mark.slow
def test_pytak_sees_and_acknowledges_over_tcp(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    async def part(scene: CotScene) -> None:
        token = f'<auth><cot username="fdma" password="{TOKEN}"/></auth>'.encode()
        await through_pytak(scene, {"COT_URL": f"tcp://127.0.0.1:{port}", "TAK_PROTO": "0"}, token)

    played(tmp_path, config(CotServer(group="staff", port=port)), part)


@pytest.mark.slow
def test_pytak_sees_and_acknowledges_over_tls_with_a_certificate(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    made = made_node(tmp_path)
    post_key(made.path, DUTY)
    keys = CotKeys(made.path)
    keys.prepare(())
    cards = {name: keys.new_client(name, "") for name in ("bound", "unknown")}
    for name, card in cards.items():
        write_card(card, tmp_path / "cards", name)
    bound = CotClient(name="bound", group="staff", post=DUTY, certificate_sha256=cards["bound"].sha256)
    cot = CotConfig(
        groups=(CotGroup(name="staff", partners=("JPN",)),),
        servers=(CotServer(group="staff", port=port, transport="tls"),),
        clients=(bound,),
    )

    def context(name: str) -> ssl.SSLContext:
        made = ssl.create_default_context(cafile=str(keys.authority_path))
        if name:
            made.load_cert_chain(tmp_path / "cards" / f"{name}.pem", tmp_path / "cards" / f"{name}.key.pem")
        return made

    async def scene() -> None:
        async with asyncio.timeout(PATIENCE_S), running(made, cot) as one:
            for name, reason in (("unknown", "refused:unknown-certificate"), ("", "refused:handshake")):
                try:
                    refused = await Client.to(port, ssl=context(name))
                    assert not await refused.reader.read(1)
                except (OSError, ssl.SSLError):
                    pass
                await one.until(reason, "staff")
            plain = await Client.to(port)
            plain.writer.write(event("b-t-f", "<remarks>hello</remarks>"))
            await plain.ended()
            await through_pytak(
                one,
                {
                    "COT_URL": f"tls://127.0.0.1:{port}",
                    "TAK_PROTO": "0",
                    "PYTAK_TLS_CLIENT_CERT": str(tmp_path / "cards" / "bound.pem"),
                    "PYTAK_TLS_CLIENT_KEY": str(tmp_path / "cards" / "bound.key.pem"),
                    "PYTAK_TLS_CLIENT_CAFILE": str(keys.authority_path),
                },
            )

    asyncio.run(scene())


# --- WebSocket, TAK messages ----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_websockets_carry_tak_messages_and_xml(tmp_path: Path) -> None:
    takproto = pytest.importorskip("takproto")
    (port,) = free_ports(1)

    async def part(scene: CotScene) -> None:
        header = {"Authorization": f"Bearer {TOKEN}"}
        await scene.fly()
        with pytest.raises(InvalidStatus):
            await connect(f"ws://127.0.0.1:{port}/", additional_headers={"Authorization": "Bearer no"})
        async with connect(f"ws://127.0.0.1:{port}/takproto/1", additional_headers=header) as binary:
            types = set()
            while "b-a-o-pan" not in types:
                data = await binary.recv()
                assert isinstance(data, bytes)
                types.add(takproto.parse_proto(bytearray(data)).cotEvent.type)
            report = event("b-m-p-s-m", '<contact callsign="ANN"/><remarks>smoke in the harbour</remarks>')
            await binary.send(bytes(takproto.xml2proto(report.decode(), takproto.TAKProtoVer.STREAM)))
            await scene.until("remark:accepted", "staff")
            assert says(scene)[-1].endswith("ANN at 35.50000, 139.25000: smoke in the harbour")
        async with connect(f"ws://127.0.0.1:{port}/xml") as text:
            data = await text.recv()
            assert isinstance(data, str)
            assert read_event(data.encode()).type.startswith("b-a-"), "alerts first"
            await text.send("hello")
            with pytest.raises(ConnectionClosedError, match="malformed"):
                await read_on(text)
        await scene.until("malformed:no-event", "staff")

    played(tmp_path, config(CotServer(group="staff", port=port, transport="websocket")), part)


async def read_on(socket: ClientConnection) -> None:
    """Reads until the connection ends."""
    while True:
        await socket.recv()


@pytest.mark.slow
def test_a_client_agrees_on_tak_messages_and_is_told_what_stands(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    async def part(scene: CotScene) -> None:
        await scene.fly()
        early = await Client.to(port)
        await early.until("t-x-takp-v")
        late = await Client.to(port)
        await late.until("t-x-takp-v")
        assert (await late.until("b-a-o-pan")).stale_ns
        late.writer.write(event("t-x-takp-q", '<TakControl><TakRequest version="1"/></TakControl>'))
        await late.until("t-x-takp-r")
        late.writer.write(stream_frame(to_proto(read_event(event("t-x-c-t", "", uid="ping-7")))))
        assert (await late.until("t-x-c-t-r")).uid == "ping-7"
        late.writer.write(stream_frame(to_proto(read_event(event("t-x-c-t", "", uid="ping-8")))))
        await late.until("t-x-c-t-r")
        data = await asyncio.wait_for(_ping(late), PATIENCE_S)
        assert data == 0xBF, "from the answer on it is sent TAK messages"

    async def _ping(client: Client) -> int:
        client.writer.write(stream_frame(to_proto(read_event(event("t-x-c-t", "", uid="ping-9")))))
        return (await client.reader.readexactly(1))[0]

    played(tmp_path, config(CotServer(group="staff", port=port)), part)


# --- who may speak, who may not -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_only_a_bound_connection_speaks_for_its_post(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    async def part(scene: CotScene) -> None:
        nobody, other = await Client.to(port), await Client.to(port)
        await other.until("t-x-takp-v")
        nobody.writer.write(event("b-t-f", "<remarks>ACK 12345678</remarks>"))
        await nobody.until("b-t-f", "bound to no post")
        nobody.writer.write(b'<auth><cot username="x" password="wrong"/></auth>')
        await nobody.ended()
        assert scene.gateway.counts("staff")["refused:wrong-token"] == 1
        bound = await Client.to(port)
        bound.writer.write(f'<auth><cot username="x" password="{TOKEN}"/></auth>'.encode())
        bound.writer.write(event("b-t-f", "<remarks>ack deadbeef</remarks>"))
        await bound.until("b-t-f", "no such message")
        bound.writer.write(event("a-f-G", '<contact callsign="ANN"/>'))
        bound.writer.write(event("b-t-f", "<remarks>all well</remarks>"))
        await scene.until("remark:accepted", "staff")
        assert says(scene)[-1] == f"{DUTY} to jp-fdma through the TAK group staff: all well"
        await scene.until("positions-not-shared", "staff")
        assert scene.gateway.counts("staff")["relayed"] == 0
        await repeats(scene, bound)
        for number in range(40):
            bound.writer.write(event("b-t-f", f"<remarks>flood {number}</remarks>"))
        await bound.until("b-t-f", "too much at once")
        await scene.until("refused:too-much-at-once", "staff", 15)

    played(tmp_path, config(CotServer(group="staff", port=port)), part)


async def repeats(scene: CotScene, bound: Client) -> None:
    """The same event again has no effect; another one of its name and time, or not of now, is refused with a reason."""
    first = event("b-t-f", "<remarks>the bridge is open</remarks>")
    bound.writer.write(first)
    await scene.until("remark:accepted", "staff", 2)
    bound.writer.write(first)
    await bound.until("b-t-f", "repeated")
    bound.writer.write(first.replace(b"open", b"shut"))
    await bound.until("b-t-f", "contradictory")
    for changed, reason in (
        ((b'time="2026', b'time="2126'), "future-dated"),
        ((b'stale="2126', b'stale="2026'), "stale"),
        ((b' time="2026', b' when="2026'), "no-time"),
    ):
        bound.writer.write(event("b-t-f", "<remarks>late</remarks>").replace(*changed))
        await bound.until("b-t-f", reason)
    assert not [one for one in says(scene) if "shut" in one or "late" in one]
    counts = scene.gateway.counts("staff")
    assert (counts["repeated"], counts["remark:accepted"]) == (1, 2)
    assert all(counts[f"refused:{one}"] == 1 for one in ("contradictory", "future-dated", "stale", "no-time"))


def test_positions_are_shared_where_the_group_says_so_and_marked(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    async def part(scene: CotScene) -> None:
        one, other = await Client.to(port), await Client.to(port)
        await other.until("t-x-takp-v")
        one.writer.write(event("a-h-A-W-M", "", uid="weapon"))
        one.writer.write(event("a-f-G", '<contact callsign="ANN"/><remarks>here</remarks>'))
        seen = await other.until("a-f-G")
        assert b'callsign="EXERCISE ANN"' in seen.xml
        assert b"EXERCISE here" in seen.xml
        late = await Client.to(port)
        await late.until("a-f-G")
        assert b"weapon" not in seen.xml
        assert scene.gateway.counts("staff")["passed-over"] == 1

    played(tmp_path, config(CotServer(group="staff", port=port), share=True), part)


def test_odd_clients_cost_themselves_and_are_counted(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    junk = {
        b"GET / HTTP/1.1\r\n\r\n": "malformed:no-event",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><event>&b;</event>": "malformed:no-event",
        b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY b 'c'>]><event>&b;</event>": "malformed:document-type",
        b"<event><a></event>": "malformed:well-formed",
        b"<event " + b"a" * 200_000: "malformed:too-long",
        b"\xbf\x02\xff\xff": "malformed:no-event",
    }

    async def part(scene: CotScene) -> None:
        good = await Client.to(port)
        await good.until("t-x-takp-v")
        for data, reason in junk.items():
            before = scene.gateway.counts("staff")[reason]
            odd = await Client.to(port)
            odd.writer.write(data)
            await odd.ended()
            assert scene.gateway.counts("staff")[reason] == before + 1
        silent = await Client.to(port)
        await scene.fly()
        await good.until("b-a-o-pan")
        silent.writer.close()
        scene.gateway._tell(scene.gateway._feeds["staff"])
        await asyncio.sleep(0.05)
        told = [one for one in says(scene) if one.startswith("TAK group staff")]
        assert "3 malformed: no-event" in told[-1]
        with RecordFile(scene.directory.record_path) as file:
            assert "gateway:cot-staff" in file.newest("staff")

    played(tmp_path, config(CotServer(group="staff", port=port)), part)


def test_too_many_from_one_address_are_refused(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    async def part(scene: CotScene) -> None:
        held = [await Client.to(port) for _ in range(3)]
        for client in held:
            await client.until("t-x-takp-v")
        more = await Client.to(port)
        assert await more.reader.read() == b""
        assert scene.gateway.counts("staff")["refused:too-many-from-one-address"] == 1
        elsewhere = await Client.to(port, local_addr=("127.0.0.2", 0))
        await elsewhere.until("t-x-takp-v")
        held[0].writer.close()
        await asyncio.sleep(0.05)
        again = await Client.to(port)
        await again.until("t-x-takp-v")

    played(tmp_path, config(CotServer(group="staff", port=port), per_address=3), part)


@pytest.mark.slow
def test_a_client_that_reads_nothing_harms_nobody_and_finds_every_warning(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    async def part(scene: CotScene) -> None:
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
        slow = Client(*await asyncio.open_connection(sock=made, limit=4_096))
        quick, writer = await Client.to(port), await Client.to(port)
        await quick.until("t-x-takp-v")
        await slow.until("t-x-takp-v")
        slow.reader._transport.pause_reading()  # type: ignore[attr-defined]  # it reads nothing for a while
        text = "x" * 100_000
        for number in range(MANY):
            writer.writer.write(event("a-f-G", f"<remarks>{text}</remarks>", uid=f"c{number % 5}"))
            await quick.until("a-f-G", f'uid="c{number % 5}"')
        await scene.fly()
        await quick.until("b-a-o-pan")
        assert scene.gateway.counts("staff")["conflated"] > 0
        slow.reader._transport.resume_reading()  # type: ignore[attr-defined]  # and then all that stands
        await slow.until("b-a-o-pan")
        assert scene.gateway.counts("staff")["cut-off:slow"] == 0

    played(tmp_path, config(CotServer(group="staff", port=port), share=True), part)


# --- configuration, the command line ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cot", "words"),
    [
        ({"groups": [{"name": "Staff!", "partners": ["JPN"]}]}, "wrong form"),
        ({"groups": [{"name": "a", "partners": ["USA"]}]}, "JPN is not among them"),
        ({"groups": [{"name": "a", "partners": ["JPN"]}] * 2}, "named twice"),
        ({"servers": [{"group": "a", "port": 3}]}, "no group 'a'"),
        ({"groups": [{"name": "a", "partners": ["JPN"]}], "servers": [{"group": "a", "port": 0}]}, "no port"),
        (
            {
                "groups": [{"name": "a", "partners": ["JPN"]}],
                "servers": [{"group": "a", "port": 3, "host": "0.0.0.0"}],
            },
            "encrypted only",
        ),
        (
            {"groups": [{"name": "a", "partners": ["JPN"]}], "clients": [{"name": "x", "group": "a"}]},
            "64 hex",
        ),
        ({"max_clients": 0}, "no such limit"),
        ({"sewers": []}, "sewers"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(cot: dict[str, Any], words: str) -> None:
    token = "0" * 64
    config = {
        "realm": "real", "partner": "JPN", "node": "jpn", "link": {"port": 1},
        "page": {"port": 2, "token_sha256": token}, "feeds": {"token_sha256": token}, "cot": cot,
    }  # fmt: skip
    with pytest.raises(InputError) as refused:
        parse_config(json.dumps(config, indent=1), "node.json")
    assert words in refused.value.sentence()
    assert refused.value.line


@pytest.mark.slow
def test_a_client_is_let_in_by_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from noroshi.cli.main import main

    made = made_node(tmp_path)
    made = made.with_config(msgspec.structs.replace(made.config, cot=config()))
    node, cards = str(made.path), str(tmp_path / "cards")
    assert main(["node", "cot-client", node, "tablet", "--group", "staff", "--out", cards, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "server" not in told, "there is no server with TLS yet"
    clients = load(made.path).config.cot.clients
    assert told["certificate_sha256"] == clients[-1].certificate_sha256
    assert (tmp_path / "cards" / "tablet.p12").stat().st_mode & 0o077 == 0
    for arguments, words in (
        (["tablet", "--group", "staff"], "has a client of that name"),
        (["other", "--group", "none"], "no such group"),
        (["other", "--group", "staff", "--post", DUTY], "no key of this post"),
        (["../other", "--group", "staff"], "cannot be called so"),
        (["other", "--group", "staff", "--passphrase", "a\x01"], "no tablet can enter"),
        (["other", "--group", "staff", "--host", "node.example", "--host", "h\u00f6he"], "is no host"),
    ):
        assert main(["node", "cot-client", node, *arguments]) == 2
        assert words in capsys.readouterr().err
    post_key(tmp_path / "away", DUTY)
    key = str(tmp_path / "away" / "keys" / "cot" / f"{DUTY}.key")
    given = ["other", "--group", "staff", "--token", "--post", DUTY, "--key", key, "--json"]
    assert main(["node", "cot-client", node, *given]) == 0
    token = json.loads(capsys.readouterr().out)["token"]
    (last,) = (one for one in load(made.path).config.cot.clients if one.name == "other")
    assert last.token_sha256 == hashlib.sha256(token.encode()).hexdigest()
    assert main(["node", "status", node]) == 0
    assert "group staff (JPN): 0 clients" in capsys.readouterr().out


@pytest.mark.slow
def test_a_data_package_has_all_that_a_tablet_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its certificates open a connection, its settings name the server; locked as Android's own reader takes it."""
    import zipfile

    from cryptography.hazmat.primitives.serialization import pkcs12

    from noroshi.cli.main import main

    made = made_node(tmp_path)
    served = CotServer(group="staff", port=8089, host="0.0.0.0", transport="tls")
    made = made.with_config(msgspec.structs.replace(made.config, cot=config(served)))
    cards = tmp_path / "cards"
    given = ["cot-client", str(made.path), "tablet", "--group", "staff", "--out", str(cards)]
    assert main(["node", *given, "--host", "node.example", "--passphrase", "over & out", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["server"] == "node.example:8089:ssl"
    for name, folder, kept in (("tablet.zip", "certs/", "cert/"), ("tablet-itak.zip", "", "")):
        with zipfile.ZipFile(cards / name) as packed:
            files = {one: packed.read(one) for one in packed.namelist()}
        listed = [
            one.get("zipEntry") for one in etree.fromstring(files["MANIFEST/manifest.xml"]).iter("Content")
        ]
        assert sorted(map(str, listed)) == sorted(set(files) - {"MANIFEST/manifest.xml"})
        entries = etree.fromstring(files[f"{folder}preference.pref"]).iter("entry")
        settings = {one.get("key"): one.text for one in entries}
        assert settings["connectString0"] == "node.example:8089:ssl"
        assert settings["certificateLocation"] == settings["certificateLocation0"] == f"{kept}tablet.p12"
        assert settings["clientPassword"] == "over & out"
        for inside in ("tablet.p12", "authority.p12"):
            assert bytes.fromhex("2a864886f70d010c0103") in files[folder + inside], "triple DES"
        key, card, others = pkcs12.load_key_and_certificates(files[f"{folder}tablet.p12"], b"over & out")
        assert key is not None
        assert card is not None
        known = pkcs12.load_pkcs12(files[f"{folder}authority.p12"], b"over & out")
        assert [one.certificate for one in known.additional_certs] == others
        card.verify_directly_issued_by(others[0])


# --- what people do with their clients ------------------------------------------------------------------------------


@pytest.mark.slow
def test_another_version_is_declined_and_xml_goes_on(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    async def part(scene: CotScene) -> None:
        client = await Client.to(port)
        await client.until("t-x-takp-v")
        for wish in ('<TakControl><TakRequest version="2"/></TakControl>', "<TakControl/>", ""):
            client.writer.write(event("t-x-takp-q", wish))
            answer = await client.until("t-x-takp-r")
            assert b'status="false"' in answer.xml
        client.writer.write(event("t-x-c-t", "", uid="ping-1"))
        first = await asyncio.wait_for(client.reader.readexactly(1), PATIENCE_S)
        assert first == b"<", "still XML"
        client.take(client.frames.feed(first))
        await client.until("t-x-c-t-r")
        client.writer.write(event("t-x-takp-q", '<TakControl><TakRequest version="1"/></TakControl>'))
        assert b'status="true"' in (await client.until("t-x-takp-r")).xml
        client.writer.write(event("t-x-c-t", "", uid="ping-2"))
        assert await asyncio.wait_for(client.reader.readexactly(1), PATIENCE_S) == b"\xbf", "TAK messages"

    played(tmp_path, config(CotServer(group="staff", port=port)), part)


REPORTS = {
    '<emergency type="911 Alert">ANN</emergency>': ("b-a-o-tbl", "Emergency of ANN raised (911 Alert) at "),
    '<emergency cancel="true">ANN</emergency>': ("b-a-o-can", "Emergency of ANN ended at "),
    '<archive/><contact callsign="H.1"/><remarks>two of them</remarks>': (
        "a-h-A-M-F",
        "Marked by hand: H.1 (hostile, in the air) at 35.50000, 139.25000: two of them",
    ),
    '<contact callsign="smoke"/>': ("b-m-p-s-m", "smoke at 35.50000, 139.25000: no words"),
}
"""What people do in their clients, and what the timeline shows of it."""


@pytest.mark.slow
def test_what_people_mark_and_raise_is_a_word_of_their_post_and_no_detection(tmp_path: Path) -> None:
    (port,) = free_ports(1)

    async def part(scene: CotScene) -> None:
        client = await Client.to(port)
        client.writer.write(f'<auth><cot username="x" password="{TOKEN}"/></auth>'.encode())
        for number, (detail, (kind, words)) in enumerate(REPORTS.items(), 1):
            for _ in range(3):  # clients send such things again and again, each with its own time
                client.writer.write(event(kind, detail, uid=f"report-{number}"))
            await scene.until("remark:accepted", "staff", number)
            assert any(words in one for one in says(scene))
        await scene.until("repeated", "staff", 2 * len(REPORTS))
        kinds = {json.loads(row.data)["type"] for row in scene.shell.store.outbox("staff", 0, 1_000)}
        assert "remark" in kinds
        assert not kinds & {"event", "picture", "track", "warning"}
        assert scene.gateway.counts("staff")["relayed"] == 0
        marks = list(scene.shell.store.outbox("gateway:cot-staff", 0, 1_000))
        assert marks == [], "it is drawn for nobody"

    played(tmp_path, config(CotServer(group="staff", port=port)), part)
