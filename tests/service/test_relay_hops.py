"""A relay and its last hops over real sockets: passing on, receipts, going to another relay, and whatever else comes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import msgspec
import pytest

from noroshi.command.hop_keys import hello_code, hop_key, receipt_code
from noroshi.command.passing import NotPassedOn, PassOn, judged
from noroshi.geo.placefile import table_path
from noroshi.messages import KINDS, Message, TrustStore, Unverified, verify
from noroshi.messages.bodies import AlertBody
from noroshi.node.inputs import Received
from noroshi.service.clocks import RealClock
from noroshi.service.hop_wires import HopAddress
from noroshi.service.last_hop import Believed, LastHop
from noroshi.service.ports import listen_on
from noroshi.service.relay_frames import (
    FROM_HOP,
    MAX_FROM_HOP,
    TO_HOP,
    ByeFrame,
    GreetingFrame,
    HopHello,
    ReceiptFrame,
    Splitter,
    framed,
)
from noroshi.service.relay_hops import LastHops
from tests.node.relays import HOPS, ROSTER, SECRET, Line
from tests.node.scene import Scene
from tests.node.test_alerting import issue, warn
from tests.service.conftest import until


class Stood(RealClock):
    """The scene's time."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene

    def now_ns(self) -> int:
        return self._scene.now_ns


class Relay:
    """A line of a scene with a door for last hops."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.hops = LastHops(line.desk, Stood(line.scene), lambda: (), lambda: None)

    async def open(
        self, scheme: str = "tcp", context: ssl.SSLContext | None = None, pin: str = ""
    ) -> HopAddress:
        sock = listen_on("127.0.0.1", 0, "last hops", "listen.port")
        self.hops.start(sock, context, by_socket=scheme.startswith("ws"))
        host, port = sock.getsockname()
        return HopAddress(host, port, scheme, pin)

    def fetch(self) -> list[PassOn]:
        """What its node has for it, passed on."""
        found = self.line.fetch()
        for message in found:
            self.hops.pass_on(message)
        return found


@pytest.fixture
def scene() -> Scene:
    if not table_path().is_file():
        pytest.skip("needs the table of places: `make places`")
    return Scene("trilateral").watch(86.3)


@pytest.fixture
def quiet() -> Scene:
    """Nodes that have seen nothing."""
    if not table_path().is_file():
        pytest.skip("needs the table of places: `make places`")
    return Scene("trilateral")


def believed(line: Line) -> Believed:
    """All keys of the scene, as a relay would have told them."""
    state = line.side.node.state
    trust = TrustStore(state.genesis.realm, state.scheme, state.genesis.roots)
    trust.admit_all(state.genesis.certificates)
    return Believed(state.genesis.realm, state.own, trust, lambda: line.scene.now_ns)


def test_last_hops_go_from_relay_to_relay_and_receive_all_once(scene: Scene) -> None:
    one, other = Relay(Line(scene)), Relay(Line(scene, "towns-b"))
    one.line.connect()
    other.line.connect()
    shown: list[tuple[int, str]] = []

    async def play() -> None:
        addresses = [await one.open(), await other.open()]
        trust = believed(one.line)
        hops = [
            LastHop(
                hop, hop_key(SECRET, ROSTER, hop), addresses, trust,
                lambda hop, message: shown.append((hop, message.purpose)),
            )
            for hop in range(4)
        ]  # fmt: skip
        for hop in hops:
            hop.start()
        await until(lambda: len(one.hops.here) == 4)
        warn(scene, "Aomori")
        issue(scene)
        (alert,) = one.fetch()
        other.fetch()
        await until(lambda: one.line.desk.kept[alert.id].received == 0b1111)
        one.hops.close("this relay stops")
        await until(lambda: len(other.hops.here) == 4)
        assert other.line.desk.kept[alert.id].received == 0b1111, "they say again what they hold"
        warn(scene, "Aomori", state="ended", reason="false")
        scene.answer("jpn", scene.task("jpn", "retract-alert"))
        end = other.fetch()[-1]
        await until(lambda: other.line.desk.kept[end.id].received == 0b1111)
        for hop in hops:
            await hop.stop()
        other.hops.close("")

    asyncio.run(play())
    assert sorted(shown) == sorted((hop, what) for hop in range(4) for what in ("alert", "end"))
    assert other.line.desk.counts.bad_receipts == 0


async def speak(address: HopAddress, *said: Callable[[bytes], bytes]) -> list[object]:
    """What a relay answers to somebody who says this, given its challenge, until it closes or is silent."""
    reader, writer = await asyncio.open_connection(address.host, address.port)
    splitter = Splitter(1 << 20)
    heard: list[object] = []
    try:
        async with asyncio.timeout(0.3):
            while data := await reader.read(65_536):
                for payload in splitter.feed(data):
                    frame = TO_HOP.decode(payload)
                    heard.append(frame)
                    if isinstance(frame, GreetingFrame):
                        for one in said:
                            writer.write(one(frame.challenge))
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return heard


def greeted(hop: int, key: bytes) -> Callable[[bytes], bytes]:
    return lambda challenge: framed(HopHello(1, hop, hello_code(key, challenge), ()))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (greeted(0, bytes(32)), "not-this-last-hop"),
        (greeted(HOPS, hop_key(SECRET, ROSTER, HOPS)), "no-such-last-hop"),
        (greeted(-1, bytes(32)), "no-such-last-hop"),
        (lambda _: framed(ReceiptFrame(bytes(16), b"")), "a receipt before the hello"),
        (lambda _: b"\xff\xff\xff\xff", "no frame of this line"),
        (lambda _: b"\x00\x00\x00\x03abc", "no frame of this line"),
        (lambda _: framed(ByeFrame("x")), "no frame of this line"),
    ],
)
def test_whoever_is_no_last_hop_is_shown_the_door(
    quiet: Scene, said: Callable[[bytes], bytes], reason: str
) -> None:
    relay = Relay(Line(quiet))

    async def play() -> None:
        address = await relay.open()
        heard = await speak(address, said)
        assert isinstance(heard[-1], ByeFrame)
        assert heard[-1].reason.startswith(reason)
        assert (relay.hops.refused.total(), relay.hops.here) == (1, {})
        relay.hops.close("")

    asyncio.run(play())


def test_receipts_count_with_the_key_of_that_last_hop_only(quiet: Scene) -> None:
    line = Line(quiet)
    line.connect()
    (of,) = line.desk.kept
    other = receipt_code(hop_key(SECRET, ROSTER, 2), of)
    assert line.desk.receipt(1, of, quiet.now_ns, other) == "bad-receipt"
    assert line.desk.receipt(1, of, quiet.now_ns) == "bad-receipt"
    assert line.desk.receipt(1, bytes(16), quiet.now_ns, other) == "receipt-of-nothing-known"
    assert line.desk.receipt(HOPS, of, quiet.now_ns, other) == "no-such-last-hop"
    assert (line.desk.kept[of].received, line.desk.counts.bad_receipts) == (0, 4)
    assert line.desk.deliveries(quiet.now_ns) == []


def test_what_its_own_signatures_do_not_carry_is_passed_on_to_nobody_and_the_node_is_told(
    scene: Scene,
) -> None:
    line = Line(scene)
    line.connect()
    warn(scene, "Aomori")
    issue(scene)
    raw = next(row.data for row in reversed(scene["jpn"].rows(line.party)))
    state = scene["jpn"].node.state
    message = verify(Unverified(raw), state.trust, scene.now_ns)
    body = getattr(message, "body", None)
    assert isinstance(body, AlertBody)
    lone = msgspec.structs.replace(body, approvals=body.approvals[:1])
    forged = scene.sealed("jpn", "alert", lone, unit=body.unit, audience=("JPN",))
    outcome = line.desk.take(forged, scene.now_ns)
    assert isinstance(outcome, NotPassedOn)
    assert outcome.reason == "second-person-needed"
    assert line.desk.wanted(0, (), scene.now_ns)[-1].purpose == "test"
    for damaged in (raw[:-1], raw[:100] + bytes([raw[100] ^ 1]) + raw[101:], b"", b"\x93"):
        assert isinstance(line.desk.take(damaged, scene.now_ns), NotPassedOn)
    foreign = scene.sealed("usa", "alert", body, unit="us-indopacom", audience=("JPN", "USA"))
    assert isinstance(line.desk.take(foreign, scene.now_ns), NotPassedOn)
    warned = next(row.data for row in scene["jpn"].rows("partner:USA"))
    assert line.desk.take(warned, scene.now_ns) == NotPassedOn("not-for-relays", outcome_id(warned, line))
    assert line.desk.counts.unverified == 7
    assert line.desk.deliveries(scene.now_ns), "its node hears which of its alerts goes no further, and why"


def outcome_id(raw: bytes, line: Line) -> bytes:
    found = judged(raw, line.side.node.state.trust, "JPN", line.scene.now_ns)
    assert isinstance(found, NotPassedOn)
    return found.of


def test_a_test_of_readiness_is_no_alert_to_anybody(quiet: Scene) -> None:
    """Its body is neither an alert's nor a warning's, a last hop shows it to nobody, and no node acts on another's."""
    line = Line(quiet)
    (found,) = line.connect()
    assert found.purpose == "test"
    message = verify(Unverified(found.raw), quiet["jpn"].node.state.trust, quiet.now_ns)
    assert isinstance(message, Message)
    for kind in ("alert", "warning", "hazard", "notice"):
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(message.envelope.body, type=KINDS[kind].body)
    shown: list[int] = []
    hop = LastHop(
        0, b"", [HopAddress("127.0.0.1", 1)], believed(line), lambda hop, message: shown.append(hop)
    )
    assert hop.took(found.raw) is not None
    assert shown == []
    given = Received(party="post:jp-cabsec.watch", number=0, raw=found.raw)
    assert quiet["jpn"].take(quiet.now_ns, given).answer.outcome in ("duplicate", "refused")
    quiet.bring("jpn", "usa", found.raw)
    assert quiet["usa"].refusals() == ["not-released-to-us"]
    assert not quiet["usa"].staff("readiness", "alert", "warning")


def test_frames_of_last_hops_are_cut_wherever_they_are_broken() -> None:
    frames: list[HopHello | ReceiptFrame] = [
        HopHello(1, 3, b"c", ((bytes(16), b"d"),)),
        ReceiptFrame(bytes(16), b"e"),
    ]
    data = b"".join(framed(one) for one in frames)
    for step in (1, 3, len(data)):
        splitter = Splitter(MAX_FROM_HOP)
        found = [
            FROM_HOP.decode(payload)
            for at in range(0, len(data), step)
            for payload in splitter.feed(data[at : at + step])
        ]
        assert found == frames
