"""Links over real sockets and TLS: what arrives, what is resumed, who is let in, and what garbage costs."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from noroshi.errors import OperatorError
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import Lane
from noroshi.node.inputs import Control, Received, decode_input
from noroshi.service import links as links_module
from noroshi.service.link_keys import client_context, new_link_key
from noroshi.service.links import NodeLinks, listens_for
from noroshi.service.node_dir import NodeDir
from noroshi.service.ports import free_ports, listen_on
from noroshi.service.shell import NodeShell
from noroshi.sharing.link import LinkSession
from noroshi.sharing.streams import START, stream_of
from tests.service.conftest import linked, shell_of, until
from tests.service.standin import REALM, detections

Make = Callable[..., list[NodeDir]]


def heard(shell: NodeShell, party: str) -> list[bytes]:
    """What was received from a partner, as the record has it."""
    inputs = [decode_input(record.body or b"") for record in shell.store.records()]
    return [given.raw for given in inputs if isinstance(given, Received) and given.party == party]


def sent(shell: NodeShell, party: str) -> list[bytes]:
    return [row.data for row in shell.store.outbox(stream_of(party, Lane.WARNING), 0, 100_000)]


def upto(shell: NodeShell, party: str) -> int:
    """How many rows of a partner are durable here."""
    return shell.received(party).upto[Lane.WARNING]


def rows(*numbers: int) -> bytes:
    """Frames of such rows of the first lane, whatever the protocol says of them."""
    frames = [encode(["row", int(Lane.WARNING), number, b"row %d" % number]) for number in numbers]
    return b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames)


def test_rows_go_both_ways_once_each_and_are_receipted(made: Make) -> None:
    async def scenario() -> None:
        jpn, usa = made("jpn", "usa")
        async with linked(jpn) as (a, _), linked(usa) as (b, _):
            await asyncio.gather(*(a.give(detections(n)) for n in range(1, 301)))
            await asyncio.gather(*(b.give(detections(n)) for n in range(1, 201)))
            await until(lambda: upto(b, "partner:JPN") == 300 and upto(a, "partner:USA") == 200)
            assert heard(b, "partner:JPN") == sent(a, "partner:USA")
            assert heard(a, "partner:USA") == sent(b, "partner:JPN")
            await until(
                lambda: b"partner:USA has 300" in b"".join(r.data for r in a.store.outbox("staff", 0, 9999))
            )

    asyncio.run(scenario())


def test_a_partner_that_was_away_gets_all_of_it_later(made: Make) -> None:
    async def scenario() -> None:
        jpn, usa = made("jpn", "usa")
        async with linked(jpn) as (a, _):
            async with linked(usa) as (b, _):
                await a.give(detections(1))
                await until(lambda: upto(b, "partner:JPN") == 1)
            for start in range(2, 3002, 500):
                await asyncio.gather(*(a.give(detections(n)) for n in range(start, start + 500)))
            async with linked(usa) as (b, _):
                await until(lambda: upto(b, "partner:JPN") == 3001)
                assert heard(b, "partner:JPN") == sent(a, "partner:USA")

    asyncio.run(scenario())


def test_links_are_told_up_and_down(made: Make) -> None:
    async def scenario() -> None:
        jpn, usa = made("jpn", "usa")
        async with linked(jpn) as (a, mine):
            async with linked(usa):
                await until(lambda: mine.links["USA"].state == "up")
            await until(lambda: mine.links["USA"].state == "down")

            def says() -> list[str]:
                return [msgspec.json.decode(row.data)["says"] for row in a.store.outbox("staff", 0, 99)]

            await until(lambda: len(says()) == 2)
            assert says() == ["partner:USA up", "partner:USA down"]

    asyncio.run(scenario())


def test_a_silent_partner_is_told_and_given_up(made: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links_module, "SILENT_AFTER_S", 0.15)
    monkeypatch.setattr(links_module, "DEAD_AFTER_S", 0.5)
    monkeypatch.setattr(links_module, "PING_EVERY_S", 0.05)
    monkeypatch.setattr(links_module, "LOOK_EVERY_S", 0.02)

    async def scenario() -> None:
        jpn, usa = made("jpn", "usa")
        async with linked(jpn) as (a, mine):
            reader, writer = await dialled(jpn, usa)
            session = LinkSession(REALM, own="USA", peer="JPN")
            writer.write(session.hello(held=START, now_ns=1))
            while mine.links["USA"].state != "up":
                for event in session.receive(await reader.read(65536), a.clock.now_ns()):
                    if hasattr(event, "answer"):
                        writer.write(event.answer)
            await until(lambda: mine.links["USA"].state == "silent")
            await until(lambda: mine.links["USA"].state == "down")
            writer.close()

    asyncio.run(scenario())


async def dialled(own: NodeDir, peer: NodeDir) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to `own` with the keys of `peer`."""
    context = client_context(
        peer.link_certificate_path, peer.link_key_path, own.link_certificate_path.read_bytes()
    )
    return await asyncio.open_connection("127.0.0.1", own.config.link.port, ssl=context, server_hostname="")


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x00\x00\x00\x00",
        b"\xff\xff\xff\xff" + b"x" * 100,
        b"\x00\x00\x00\x05hello",
        LinkSession("exercise:other", own="USA", peer="JPN").hello(held=START, now_ns=1),
        LinkSession(REALM, own="KOR", peer="JPN").hello(held=START, now_ns=1),
        LinkSession(REALM, own="USA", peer="JPN").hello(held=START.at(Lane.WARNING, 77, bytes(32)), now_ns=1),
        rows(1),
    ],
    ids=["http", "empty", "huge", "word", "realm", "partner", "ahead", "no hello"],
)
def test_garbage_ends_that_connection_and_nothing_else(made: Make, garbage: bytes) -> None:
    async def scenario() -> None:
        jpn, usa, kor = made("jpn", "usa", "kor")
        notes: list[str] = []
        async with linked(jpn, notes) as (a, mine), linked(kor) as (k, _):
            await until(lambda: mine.links["KOR"].state == "up")
            reader, writer = await dialled(jpn, usa)
            writer.write(garbage)
            async with asyncio.timeout(5.0):
                while await reader.read(65536):
                    pass
            writer.close()
            assert any("link to USA ended: cannot" in note for note in notes)
            assert mine.links["KOR"].state == "up"
            await a.give(detections(1))
            await until(lambda: upto(k, "partner:JPN") == 1)
            async with linked(usa) as (b, _):
                await until(lambda: upto(b, "partner:JPN") == 1)

    asyncio.run(scenario())


def test_a_gap_in_the_rows_ends_the_link_before_it_is_taken(made: Make) -> None:
    async def scenario() -> None:
        jpn, usa = made("jpn", "usa")
        async with linked(jpn) as (a, _):
            reader, writer = await dialled(jpn, usa)
            session = LinkSession(REALM, own="USA", peer="JPN")
            writer.write(session.hello(held=START, now_ns=1) + rows(1, 2, 2, 4))
            async with asyncio.timeout(5.0):
                while await reader.read(65536):
                    pass
            writer.close()
            await asyncio.sleep(0)
            assert heard(a, "partner:USA") in ([], [b"row 1"], [b"row 1", b"row 2"])
            async with linked(usa) as (b, _):
                await b.give(detections(1))
                assert b.outbox_upto("partner:JPN/warning") == 1

    asyncio.run(scenario())


def stranger(path: Path) -> tuple[Path, Path]:
    key, certificate = new_link_key("usa")
    (path / "key.pem").write_bytes(key)
    (path / "cert.pem").write_bytes(certificate)
    return path / "cert.pem", path / "key.pem"


@pytest.mark.parametrize("shown", ["another certificate", "none", "no tls", "old tls"])
def test_a_stranger_gets_not_one_byte_of_the_node(made: Make, tmp_path: Path, shown: str) -> None:
    async def scenario() -> None:
        jpn, _ = made("jpn", "usa")
        certificate, key = stranger(tmp_path)
        async with linked(jpn) as (_, mine):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if shown == "another certificate":
                context.load_cert_chain(certificate, key)
            if shown == "old tls":
                context.maximum_version = ssl.TLSVersion.TLSv1_2
            got = b""
            try:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", jpn.config.link.port, ssl=None if shown == "no tls" else context
                )
                writer.write(LinkSession(REALM, own="USA", peer="JPN").hello(held=START, now_ns=1))
                async with asyncio.timeout(5.0):
                    got = await reader.read(65536)
                writer.close()
            except OSError:
                pass
            # A TLS alert record is what a peer without TLS may see; it is not of the node.
            assert got == b"" or got[:1] == b"\x15"
            assert mine.links["USA"].state == "down"

    asyncio.run(scenario())


def test_a_dialler_does_not_speak_to_another_node_on_the_port(made: Make, tmp_path: Path) -> None:
    async def scenario() -> None:
        jpn, usa = made("jpn", "usa")
        certificate, key = stranger(tmp_path)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        got = bytearray()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            got.extend(await reader.read(65536))
            writer.close()

        server = await asyncio.start_server(take, "127.0.0.1", jpn.config.link.port, ssl=context)
        notes: list[str] = []
        async with linked(usa, notes) as (b, _):
            await b.give(detections(1))
            await until(lambda: any("does not show the pinned certificate" in note for note in notes))
        server.close()
        assert got == b""

    asyncio.run(scenario())


def test_a_second_connection_takes_the_place_of_the_first(made: Make) -> None:
    async def scenario() -> None:
        jpn, usa = made("jpn", "usa")
        notes: list[str] = []
        async with linked(jpn, notes) as (_, mine):
            first, one = await dialled(jpn, usa)
            await first.readexactly(4)
            async with linked(usa):
                await until(lambda: mine.links["USA"].state == "up")
                async with asyncio.timeout(5.0):
                    while await first.read(65536):
                        pass
                assert mine.links["USA"].state == "up"
            one.close()

    asyncio.run(scenario())


def test_a_partner_is_admitted_and_removed_while_others_run(made: Make) -> None:
    async def scenario() -> None:
        jpn, usa, kor = made("jpn", "usa", "kor")
        notes: list[str] = []
        async with linked(jpn, notes) as (a, mine), linked(usa) as (b, _), linked(kor) as (k, _):
            await until(lambda: {one.state for one in mine.links.values()} == {"up"})
            await a.give(Control(party="control:hand", raw=b"remove KOR"))
            await until(lambda: "KOR" not in mine.links)
            await a.give(detections(1))
            await until(lambda: upto(b, "partner:JPN") == 1)
            assert upto(k, "partner:JPN") == 0
            await a.give(Control(party="control:hand", raw=b"admit KOR"))
            await until(lambda: "KOR" in mine.links and mine.links["KOR"].state == "up")
            await a.give(detections(2))
            await until(lambda: upto(k, "partner:JPN") == 1)
            await until(lambda: upto(b, "partner:JPN") == 2)
            assert next(note for note in notes if "policy has" in note).startswith("KOR is no longer")

    asyncio.run(scenario())


def test_an_admitted_partner_that_nobody_has_pinned_is_named(made: Make) -> None:
    async def scenario() -> None:
        jpn, _ = made("jpn", "usa")
        notes: list[str] = []
        async with linked(jpn, notes) as (a, mine):
            await a.give(Control(party="control:hand", raw=b"admit AUS"))
            await until(
                lambda: any("AUS is admitted and there is no link to it yet" in note for note in notes)
            )
            assert set(mine.links) == {"USA"}

    asyncio.run(scenario())


def test_a_taken_port_is_one_sentence(made: Make) -> None:
    async def scenario() -> None:
        jpn, _ = made("jpn", "usa")
        with listen_on("127.0.0.1", jpn.config.link.port, "a test", "x"):
            async with shell_of(jpn) as shell:
                with pytest.raises(
                    OperatorError, match=r"another program has the port; .*link\.port in node\.json"
                ):
                    await NodeLinks(shell, jpn).start()

    asyncio.run(scenario())


def test_one_of_two_listens() -> None:
    assert listens_for("JPN", "USA")
    assert not listens_for("USA", "JPN")
    assert len(set(free_ports(5))) == 5
