"""Bad input by every entrance of a real node: refused with a reason, counted, shown, and it changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import resource
import ssl
import struct
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from noroshi.cli.main import main
from noroshi.clock import seconds
from noroshi.geo.placefile import table_path
from noroshi.geo.places import decode
from noroshi.messages.bodies import AcknowledgementBody, RemarkBody
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import Lane
from noroshi.messages.trust import REAL
from noroshi.node import Node
from noroshi.node.inputs import Detections, Received
from noroshi.service.record_file import RecordFile
from noroshi.service.resources import packaged_places
from tests.node.agency import cap
from tests.node.alike import differences
from tests.service.entrance_scene import POST, Scene, counts, in_thread, made, running, seen

pytestmark = pytest.mark.skipif(not table_path().is_file(), reason="needs the table of places: `make places`")

FAR_S = 86_400.0
DEEP = 5_000
COUNTERS = frozenset(
    {"chain", "now_ns", "refused", "security", "timers", "outboxes", "received", "pruned_ns", "counters"}
)
"""What a refusal may change of a node: its counts, the staff's rows about them, and which row of a link comes next."""


def messages(scene: Scene, node: str) -> list[tuple[str, bytes]]:
    """Messages that nobody may believe, and why; whoever brings them."""
    good = scene.remark(node)
    twisted = bytearray(good)
    twisted[-1] ^= 1
    realm = scene.coalition.realm
    own = msgspec.msgpack.decode(good)
    deep = b"\x91" * DEEP + b"\xc0"
    body = {"unit": "x" * 300_000, "text": "\x00"}
    return [
        ("malformed", b""),
        ("malformed", b"\x00\xff no message"),
        ("malformed", good[:-5]),
        ("malformed", deep),
        ("malformed", "<?xml?>".encode("utf-16")),
        ("bad-signature", bytes(twisted)),
        ("malformed", encode([own[0], own[1], own[2], b"more"])),
        ("foreign-realm", scene.remark(node, realm=REAL)),
        ("foreign-realm", scene.remark(node, realm=f"{realm}-2")),
        ("future-dated", scene.remark(node, time_ns=scene.now_ns + seconds(FAR_S))),
        ("malformed-time", scene.remark(node, time_ns=(1 << 63) - 1)),
        ("unknown-version", scene.remark(node, v=99)),
        ("impossible-body", scene.sealed(node, encode(body), post=_post(scene, node))),
        ("malformed-body", scene.sealed(node, encode({"unit": 1}), post=_post(scene, node))),
    ]


def _post(scene: Scene, node: str) -> str:
    return POST if node == "jpn" else min(scene.coalition.member(node).seats)


def contradicting(scene: Scene, node: str, raw: bytes) -> bytes:
    """Other words of the same post under the id of a message of its own, rightly signed."""
    said = msgspec.msgpack.decode(msgspec.msgpack.decode(raw)[0])
    body = RemarkBody(unit=said["unit"], text="EXERCISE all is lost")
    return scene.sealed(node, body, post=said["post"], id=said["id"])


async def by_link(scene: Scene) -> dict[str, set[str]]:
    """A partner whose link key has been stolen, or whose node has gone mad."""
    async with scene.link() as link:
        for _, raw in messages(scene, "kor"):
            link.row(raw)
        good = scene.remark("kor")
        link.row(scene.remark("jpn"))  # in our own name
        link.row(scene.remark("usa"))  # another partner's, which comes by its own line
        link.row(scene.remark("kor", by="usa"))
        link.row(scene.sealed("kor", AcknowledgementBody(of=bytes(16), unit="jp-fdma"), "acknowledgement"))
        link.row(good)
        link.row(good)
        link.row(contradicting(scene, "kor", good))
        await seen(lambda: "repeated" in counts(scene).get("partner:KOR", {}))
        link.upto[Lane.NOTICE] += 5
        link.row(good)
        await link.reader.read()
    for junk in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x01\xc1", struct.pack(">I", 4) + b"\x93\xa3row"):
        async with scene.link() as link:
            link.writer.write(junk)
            assert await link.reader.read() is not None
    want = {reason for reason, _ in messages(scene, "kor")}
    own = {"our-own-message-came-back", "not-this-partners-way", "repeated", "contradictory"}
    return {"partner:KOR": want | own, "door:link KOR": {"malformed-frame"}}


async def by_page(scene: Scene) -> dict[str, set[str]]:
    """Somebody who has the page's token."""
    token, party = scene.place.page_token(), f"post:{POST}"
    listed = messages(scene, "jpn")

    async def give(raw: bytes, by: str = party) -> dict[str, str]:
        given = encode([Received(party=by, number=0, raw=raw)])
        status, answer = await in_thread(scene.ask, "POST", "/api/input", token, given)
        assert status == 200, answer
        return dict(json.loads(answer)[0])

    for reason, raw in listed:
        assert await give(raw) == {"outcome": "refused", "reason": reason}
    good = scene.remark()
    assert (await give(good))["outcome"] == "accepted"
    assert (await give(good))["outcome"] == "duplicate"
    assert (await give(contradicting(scene, "jpn", good)))["reason"] == "contradictory"
    assert (await give(scene.remark(), "post:jp-pm.duty"))["reason"] == "not-this-posts-message"
    assert (await give(scene.remark("kor")))["reason"] in ("not-this-posts-message", "not-its-unit")
    for body in (
        b"", b"\x90\x91", b"[]", b"\xdd\xff\xff\xff\xff", b"\x91" * DEEP, gzip.compress(b"0" * 99_999),
        encode([{"type": "genesis"}]), encode([{"type": "timer", "name": "decision:00"}]),
    ):  # fmt: skip
        status, answer = await in_thread(
            scene.ask, "POST", "/api/input", token, body, Content_Encoding="gzip"
        )
        assert (status, b"error" in answer) == (400, True) or answer == b"[]", body[:20]
    status, _ = await in_thread(scene.ask, "POST", "/api/input", token, b"\x90" * (5 << 20))
    assert status == 413
    assert (await in_thread(scene.ask, "POST", "/api/input", "wrong", b"\x90"))[0] == 403
    return {party: {reason for reason, _ in listed} | {"contradictory", "repeated"}}


async def by_feed(scene: Scene) -> dict[str, set[str]]:
    """A radar's computer that has gone mad."""
    token, now = scene.place.feed_token(), scene.now_ns

    async def give(**more: Any) -> dict[str, str]:
        fields: dict[str, Any] = {
            "feed": "sado", "sequence": 1, "sensor": "sado", "time_ns": (now,), "value": ((1e6, 0.1, 0.2),),
        }  # fmt: skip
        given = encode([Detections(**fields | more)])
        status, answer = await in_thread(scene.ask, "POST", "/api/input", token, given)
        return dict(json.loads(answer)[0]) if status == 200 else {"reason": "malformed"}

    sensor = next(iter(scene.place.genesis().sensors)).id
    nan, inf = float("nan"), float("inf")
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("unknown-sensor", {}),
        ("foreign-realm", {"realm": REAL}),
        ("malformed-batch", {"sensor": sensor, "time_ns": ()}),
        ("malformed-batch", {"sensor": sensor, "time_ns": (now, now)}),
        ("batch-too-large", {"sensor": sensor, "time_ns": (now,) * 1001, "value": ((1e6, 0.1, 0.2),) * 1001}),
        ("future-dated", {"sensor": sensor, "time_ns": (now + seconds(FAR_S),)}),
        ("future-dated", {"sensor": sensor, "time_ns": ((1 << 64) - 1,)}),
        ("too-old", {"sensor": sensor, "time_ns": (-(1 << 62),)}),
        ("too-old", {"sensor": sensor, "time_ns": (now - seconds(FAR_S),)}),
        ("impossible-measurement", {"sensor": sensor, "value": ((nan, 0.1, 0.2),)}),
        ("impossible-measurement", {"sensor": sensor, "value": ((inf, 0.1, 0.2),)}),
        ("impossible-measurement", {"sensor": sensor, "value": ((-1.0, 0.1, 0.2),)}),
        ("impossible-measurement", {"sensor": sensor, "value": ((1e300, 1e300, 1e300),)}),
        ("impossible-measurement", {"sensor": sensor, "rate_mps": (nan,)}),
        ("batch-out-of-order", {"sensor": sensor, "sequence": 1 << 60}),
        ("unknown-sensor", {"sequence": 9_000_000}),
        ("unknown-feed", {"feed": "x" * 200}),
    ]
    for reason, more in wanted:
        assert (await give(**more))["reason"] == reason, (reason, more)
    return {"feed:sado": {reason for reason, _ in wanted} - {"unknown-feed"}}


async def by_agency(scene: Scene) -> dict[str, set[str]]:
    """Files of other agencies, and what is said in public."""
    feed, page, now = scene.place.feed_token(), scene.place.page_token(), scene.now_ns

    async def give(path: str, token: str, body: bytes) -> tuple[int, dict[str, str]]:
        status, answer = await in_thread(scene.ask, "POST", path, token, body, Noroshi_Source="attack")
        return status, dict(json.loads(answer))

    good = cap(now, identifier="one")
    bomb = b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><alert>&c;</alert>'
    files: list[tuple[str, bytes]] = [
        ("malformed-cap", b""),
        ("malformed-cap", good[:300]),
        ("malformed-cap", bomb),
        ("malformed-cap", b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'),
        ("malformed-cap", b"<a>" * DEEP + b"</a>" * DEEP),
        ("malformed-cap", b'<alert a="' + b"x" * 200_000 + b'"/>'),
        ("malformed-cap", good.replace(b"one", b"o\x00ne")),
        ("malformed-cap", gzip.compress(good)),
        ("malformed-cap", good.decode().encode("utf-16")),
        ("wrong-status", cap(now, identifier="real", status="Actual")),
        ("future-dated", cap(now + seconds(FAR_S), identifier="later")),
        ("ends-before-it-was-sent", cap(now, identifier="ended", for_s=-60.0)),
        ("acknowledges-only", cap(now, identifier="ack", type_="Ack")),
        ("oversize", b" " * (1 << 20)),
    ]
    for reason, raw in files:
        status, answer = await give("/api/cap", feed, raw)
        assert (status in (413, 422), answer.get("reason")) == (True, reason), (reason, raw[:80], answer)
    for sent in (b"9999-12-31T23:59:59-00:00", b"0001-01-01T00:00:00-00:00", b"2022-10-03T22:22:00+99:00"):
        head, _, rest = good.partition(b"<sent>")
        raw = head + b"<sent>" + sent + rest[rest.index(b"</sent>") :]
        status, answer = await give("/api/cap", feed, raw.replace(b"one", b"odd"))
        assert (status, answer["outcome"]) == (422, "refused"), (sent, answer)
    said = {"outlet": "x", "authority": "jp-cabsec", "text": "EXERCISE y"}
    for more in (
        {"time": "9999-12-31T23:59:59Z"}, {"time": "0001-01-01T00:00:00Z"}, {"time": "now"}, {"aim": 1},
        {"text": ""}, {"text": "x" * 200_000}, {"original": "!"}, {"time": 5}, {"outlet": "x" * 5_000},
    ):  # fmt: skip
        status, answer = await give("/api/relay", page, json.dumps(said | more).encode())
        assert (status, answer["outcome"]) == (422, "refused"), (more, answer)
    for body in (
        b'{"outlet":"\\ud800","text":"\\udfff"}',
        b"[" * DEEP,
        b"\xff\xfe{\x00",
        b'{"outlet":1e999}',
    ):
        status, answer = await give("/api/relay", page, body)
        assert (status, answer["outcome"]) == (422, "refused"), (body[:20], answer)
    assert (await give("/api/relay", page, b" " * (5 << 20)))[0] == 413
    for name in ("enrol", "prepare", "speak"):
        for body in (b"", b"{}", b"[]", b"{" * DEEP, b'{"post": 1}', b'{"post":"../../x","payload":"AA"}'):
            status, raw = await in_thread(scene.ask, "POST", f"/api/passkey/{name}", page, body)
            assert (status in (400, 409, 422), b"error" in raw) == (True, True), (name, body[:20], raw)
    return {"hand:attack": {reason for reason, _ in files}, "hand:api": {"malformed-relay", "future-dated"}}


async def by_sockets(scene: Scene) -> dict[str, set[str]]:
    """Strangers at every port."""
    config = scene.place.config
    assert config.relays is not None
    assert config.cap_feed is not None
    page, served, cot = config.page.port, config.cap_feed.port, config.cot.servers[0].port
    host = f"Host: 127.0.0.1:{page}\r\n".encode()
    for data in (
        b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + host + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\n" + host + b"\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"POST /api/input HTTP/1.1\r\n" + host + b"Content-Length: -1\r\n\r\n",
    ):
        for port in (page, served):
            heard = await in_thread(scene.raw, port, data)
            assert heard.startswith((b"HTTP/1.1 400", b"HTTP/1.1 403", b"HTTP/1.1 404")) or not heard, heard[
                :80
            ]
    for path in ("/cap/../../node.json.xml", "/cap/%2e%2e%2fkeys.xml", "/cap/a%0d%0aX:y.xml", "/cap/%00.xml"):
        heard = await in_thread(scene.raw, served, f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert heard.startswith(b"HTTP/1.1 404"), heard[:80]
        assert b"X:y" not in heard
    for data in (
        b"\x00junk", b"<event", b"<!DOCTYPE a><event/>", b"<event>" + b"<a>" * DEEP, b"<event a='" + b"x" * 300_000,
        b"\xbf\xff\xff\xff\xff\x0f", b"\xbf\x02\xff\xff", b"<event uid='a' type='b' version='2.0'></event>" * 50,
    ):  # fmt: skip
        await in_thread(scene.raw, cot, data)
    for port in (config.link.port, config.relays.port):
        for data in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\xff\xff", os.urandom(2000)):
            await in_thread(scene.raw, port, data)
        loose = ssl.create_default_context()
        loose.check_hostname, loose.verify_mode = False, ssl.CERT_NONE
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=loose)
            await reader.read()
            writer.close()
    return {
        "door:page 127.0.0.1": {"malformed-http", "not-entitled:input", "malformed:input", "oversize:input"}
    }


async def by_relay(scene: Scene) -> dict[str, set[str]]:
    """A relay that was admitted, and has gone mad."""
    for hello in ({"version": 9}, {"realm": REAL}, {"relay": "other"}):
        async with scene.relay_line(**hello) as (reader, _):
            assert b"bye" in await reader.read()
    async with scene.relay_line() as (reader, writer):
        listed = messages(scene, "jpn")
        for number, (_, raw) in enumerate(listed):
            writer.write(scene.said(number, raw))
        writer.write(scene.said(99, scene.remark()))
        await seen(lambda: "not-this-relays-message" in counts(scene).get("relay:towns-a", {}))
    async with scene.relay_line() as (reader, writer):
        writer.write(b"\x00\x00\x00\x05\xc1\xc1\xc1\xc1\xc1")
        await reader.read()
    return {
        "relay:towns-a": {reason for reason, _ in listed},
        "door:relays towns-a": {"no-hello-of-this-version", "another-realm-or-name", "malformed-frame"},
    }


async def by_files(scene: Scene) -> dict[str, set[str]]:
    """What lies in the folder of trust, whoever has put it there."""
    folder = scene.place.path / "trust"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "0001.trust").write_bytes(b"no bundle")
    (folder / "0002.policy").write_bytes(b"\x91" * DEEP)
    (folder / "0003.areas").mkdir()
    os.symlink("/nowhere", folder / "0004.trust")
    os.mkfifo(folder / "0005.trust")
    os.symlink("/dev/zero", folder / "0006.warrant")
    (folder / "0007.templates").write_bytes(b"{}")
    await seen(lambda: sum(counts(scene).get("control:trust", Counter()).values()) >= 3)
    return {"control:trust": set()}


ENTRANCES = (by_link, by_page, by_feed, by_agency, by_sockets, by_relay, by_files)


@pytest.mark.slow
def test_bad_input_by_every_entrance_is_refused_counted_shown_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = made(tmp_path)
    before: list[int] = []

    async def play() -> dict[str, set[str]]:
        wanted: dict[str, set[str]] = {}
        async with running(scene):
            with RecordFile(scene.place.record_path) as file:
                before.append(file.last_sequence())
            for knock in ENTRANCES:
                for party, reasons in (await knock(scene)).items():
                    wanted.setdefault(party, set()).update(reasons)
            await seen(
                lambda: all(
                    set(counts(scene).get(one, {})) >= wanted[one] for one in wanted if "door" not in one
                )
            )
            assert (await in_thread(scene.ask, "GET", "/api/info", scene.place.page_token()))[0] == 200
        return wanted

    wanted = asyncio.run(asyncio.wait_for(play(), 120.0))
    assert not [one for one in scene.notes if "Traceback" in one], scene.notes
    told = counts(scene)
    for party, reasons in wanted.items():
        assert reasons <= set(told[party]), party
    assert {row["party"] for row in scene.rows("refusal")} >= {
        "partner:KOR",
        f"post:{POST}",
        "feed:sado",
        "hand:attack",
    }
    assert main(["node", "status", str(scene.place.path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["refused"]
    by_source = {(one["entrance"], one["source"]): one["reasons"] for one in shown}
    assert by_source["link", "KOR"]["bad-signature"] == 1
    assert by_source["door: page", "127.0.0.1"]["malformed-http"] >= 4
    changed = nothing_changed(scene, before[0])
    assert changed == [], changed


def nothing_changed(scene: Scene, upto: int) -> list[str]:
    """Where the node after all of it differs from the node before, beside its counts."""
    secrets, places = scene.place.secrets(), decode(packaged_places())
    with RecordFile(scene.place.record_path) as file:
        records = list(file.verified())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2 << 20
    before = Node.replay("before", records[:upto], secrets, places)
    after = Node.replay("after", records, secrets, places)
    found = differences(before.state, after.state, COUNTERS)
    return [
        one
        for one in found
        if not one.startswith((".known", ".trust", ".policy._", ".links", ".relay_lines"))
    ]


@pytest.mark.slow
def test_floods_cost_neither_the_record_nor_the_screen_nor_anybody_else(tmp_path: Path) -> None:
    scene = made(tmp_path)
    page, party = scene.place.config.page.port, f"post:{POST}"
    floods: list[Any] = []
    spent: list[bytes] = []

    async def give(*raw: bytes, by: str = party) -> list[dict[str, str]]:
        given = encode([Received(party=by, number=0, raw=one) for one in raw])
        _, answer = await in_thread(scene.ask, "POST", "/api/input", scene.place.page_token(), given)
        return list(json.loads(answer))

    async def silent(port: int, many: int, words: bytes) -> None:
        for _ in range(many):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(words)
            floods.append(writer)

    async def play() -> None:
        async with running(scene):
            spent.append(scene.remark())
            assert (await give(spent[0]))[0]["outcome"] == "accepted"
            answers = [one for _ in range(2) for one in await give(*[b"junk" * 500] * 1500)]
            junk = Counter(one["reason"] for one in answers)
            assert junk == {"malformed": 3000}
            assert {one["outcome"] for one in await give(*spent * 1500)} == {"duplicate"}
            # What is really of the post is believed all the while, and so is everybody else.
            assert (await give(scene.remark()))[0]["outcome"] == "accepted"
            assert (await give(b"junk", by="post:jp-pm.duty"))[0]["reason"] == "malformed"
            await silent(page, 300, b"GET / HTTP/1.1\r\nHost: 127")
            assert scene.place.config.relays is not None
            await silent(scene.place.config.link.port, 150, b"\x16\x03\x01")
            await silent(scene.place.config.relays.port, 150, b"\x16\x03\x01\x02\x00\x01")
            begun = asyncio.get_running_loop().time()
            assert (await in_thread(scene.ask, "GET", "/api/info", scene.place.page_token()))[0] == 200
            async with scene.link() as link, scene.relay_line() as (reader, _):
                assert await link.reader.read(1)
                assert await reader.read(1)
            assert asyncio.get_running_loop().time() - begun < 5.0
            for one in floods:
                one.transport.abort()
            await seen(lambda: counts(scene)[party]["malformed"] >= 1500)

    asyncio.run(asyncio.wait_for(play(), 120.0))

    async def again() -> None:
        async with running(scene):
            assert (await give(spent[0]))[0]["outcome"] == "duplicate"

    asyncio.run(asyncio.wait_for(again(), 60.0))
    assert not [one for one in scene.notes if "Traceback" in one], scene.notes
    told = counts(scene)
    assert told[party]["malformed"] + told[f"door:record {party}"]["not-kept:malformed"] == 3000
    assert told[party]["malformed"] < 2000  # what waited already when the allowance was used up is kept
    assert told["door:page 127.0.0.1"]["too-many-connections"] >= 40
    assert told["door:link 127.0.0.1"]["too-many-handshakes"] >= 20
    assert sum(row["party"] == party for row in scene.rows("refusal", "security")) < 20
    with RecordFile(scene.place.record_path) as file:
        assert file.last_sequence() < 3200  # of 9,000 that all of it would have been
