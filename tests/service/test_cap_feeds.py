"""Feeds of other agencies: asked politely, read once, bounded in every way; a feed's fault is the feed's own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from noroshi.errors import InputError
from noroshi.messages.bodies_hazard import MAX_HAZARD_BYTES
from noroshi.node.inputs import Answer, CapGiven, FeedHeard, Input
from noroshi.service.cap_config import CapEntrance, CapFeedConfig
from noroshi.service.cap_entrance import Entrance
from noroshi.service.cap_feeds import MAX_PAUSE_S, CapFeed, Fetched, FetchError, may_ask
from noroshi.service.node_config import parse_config
from tests.node.agency import cap

NOW_NS = 1_664_835_720 * 10**9
URL = "https://agency.example/feed.atom"


@dataclass
class Shell:
    """What a feed is given to; answers come from a table by reason."""

    answers: dict[str, Answer] = field(default_factory=dict)
    given: list[Input] = field(default_factory=list)

    @property
    def clock(self) -> Shell:
        return self

    def now_ns(self) -> int:
        return NOW_NS

    async def give(self, given: Input) -> Answer:
        self.given.append(given)
        fault = given.fault if isinstance(given, CapGiven) else ""
        return Answer("refused", fault) if fault else self.answers.get("next", Answer("accepted"))

    def caps(self) -> list[bytes]:
        return [one.raw for one in self.given if isinstance(one, CapGiven) and not one.fault]

    def faults(self) -> list[str]:
        return [one.fault for one in self.given if isinstance(one, CapGiven) and one.fault]

    def states(self) -> list[str]:
        return [one.state for one in self.given if isinstance(one, FeedHeard)]


def atom(*entries: str) -> bytes:
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id>{"".join(entries)}</feed>'.encode()


def entry(name: str, content: str = "", href: str = "") -> str:
    link = f'<link type="application/cap+xml" href="{href}"/>' if href else ""
    return f"<entry><id>{name}</id><updated>2022-10-03T22:00:00Z</updated>{link}{content}</entry>"


def inside(raw: bytes) -> str:
    return f'<content type="text/xml">{raw.decode().partition("?>")[2]}</content>'


def feed_of(answers: dict[str, bytes | Exception], shell: Shell, **more: Any) -> tuple[CapFeed, list[str]]:
    """A feed whose server answers from a table, and the addresses that were asked."""
    asked: list[str] = []
    clock: Callable[[], float] = more.pop("now_s", lambda: 0.0)

    def get(url: str, hosts: frozenset[str], most: int, etag: str, modified: str) -> Fetched:
        asked.append(url)
        found = answers[url]
        if isinstance(found, Exception):
            raise found
        if len(found) > most:
            raise FetchError("too large", "oversize")
        return Fetched(found, f'"{len(found)}"')

    config = CapFeedConfig(name="waves", url=URL, **more)
    return CapFeed(shell, config, Entrance.of(config, Path()), get=get, now_s=clock), asked


def test_entries_are_given_once_whole_and_from_where_they_are() -> None:
    one, two, three = (cap(NOW_NS, identifier=name) for name in ("a", "b", "c"))
    shell = Shell()
    answers: dict[str, bytes | Exception] = {
        URL: atom(entry("a", inside(one)), entry("b", href="b.xml"), entry("c", href="c.xml")),
        "https://agency.example/b.xml": two,
        "https://agency.example/c.xml": FetchError("it does not answer"),
    }
    feed, asked = feed_of(answers, shell)

    async def scenario() -> None:
        await feed.look()
        assert shell.caps()[1:] == [two]
        assert b"<identifier>a<" in shell.caps()[0]
        assert shell.states() == ["failing"]
        assert feed.failures == 1
        answers["https://agency.example/c.xml"] = three
        await feed.look()
        await feed.look()
        assert shell.caps()[2:] == [three]
        assert asked.count("https://agency.example/b.xml") == 1
        assert shell.states() == ["failing", "fresh"]
        assert feed.failures == 0

    asyncio.run(scenario())


def test_what_is_refused_is_not_given_again_but_for_what_comes_too_early() -> None:
    shell = Shell({"next": Answer("refused", "wrong-status")})
    feed, _ = feed_of({URL: atom(entry("a", inside(cap(NOW_NS))))}, shell)

    async def scenario() -> None:
        await feed.look()
        await feed.look()
        assert len(shell.caps()) == 1
        early = Shell({"next": Answer("refused", "future-dated")})
        again, _ = feed_of({URL: atom(entry("a", inside(cap(NOW_NS))))}, early)
        await again.look()
        await again.look()
        assert len(early.caps()) == 2

    asyncio.run(scenario())


def test_a_bad_feed_is_on_the_record_once_and_harms_nobody() -> None:
    shell = Shell()
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><feed xmlns="http://www.w3.org/2005/Atom">&b;</feed>'
    answers: dict[str, bytes | Exception] = {URL: bomb}
    feed, asked = feed_of(answers, shell)
    elsewhere = (
        "http://agency.example/a.xml",
        "https://else.example/a.xml",
        "file:///etc/passwd",
        "https://[",
    )

    async def scenario() -> None:
        for _ in range(2):
            await feed.look()
        assert shell.faults() == ["malformed-feed"]
        answers[URL] = atom(*(entry(str(n), href=href) for n, href in enumerate(elsewhere)))
        await feed.look()
        assert shell.faults()[1:] == ["foreign-link"] * 4
        assert asked == [URL] * 3
        answers[URL] = atom(entry("big", href="big.xml"))
        answers["https://agency.example/big.xml"] = b" " * (MAX_HAZARD_BYTES + 1)
        await feed.look()
        assert shell.faults()[5:] == ["oversize"]
        assert shell.caps() == []

    asyncio.run(scenario())


def test_a_silent_feed_is_stale_and_is_asked_less_often() -> None:
    shell, at = Shell(), [0.0]
    feed, _ = feed_of({URL: FetchError("no answer")}, shell, now_s=lambda: at[0])

    async def scenario() -> None:
        for _ in range(12):
            await feed.look()
            at[0] += 30.0
        assert shell.states() == ["failing", "stale"]
        assert feed.pause_s == MAX_PAUSE_S

    asyncio.run(scenario())


def test_a_server_that_hangs_keeps_nobody_waiting() -> None:
    hanging = threading.Event()

    def get(url: str, hosts: frozenset[str], most: int, etag: str, modified: str) -> Fetched:
        hanging.wait(30.0)
        return Fetched(None)

    config = CapFeedConfig(name="waves", url=URL)
    feed = CapFeed(Shell(), config, Entrance.of(config, Path()), get=get)

    async def scenario() -> None:
        look = asyncio.create_task(feed.look())
        await asyncio.sleep(0)
        assert await asyncio.to_thread(lambda: 7) == 7
        look.cancel()
        await asyncio.gather(look, return_exceptions=True)

    asyncio.run(scenario())  # ends at once: the hanging answer is waited for by nobody
    hanging.set()


def test_links_lead_where_they_may() -> None:
    hosts = frozenset({"agency.example"})
    assert may_ask("https://agency.example/x", URL, hosts)
    assert may_ask("https://agency.example/x", "http://agency.example/", hosts)
    assert not may_ask("http://agency.example/x", URL, hosts)
    assert not may_ask("https://agency.example@else.example/x", URL, hosts)
    assert not may_ask("https://user@agency.example/x", URL, hosts)


def test_a_signature_is_checked_at_the_entrance(tmp_path: Path) -> None:
    pem, key = _certificate()
    (tmp_path / "agency.pem").write_text(pem)
    from noroshi.gateways.cap_signature import sign_cap

    entrance = Entrance.of(CapEntrance(certificates=("agency.pem",), require_signature=True), tmp_path)
    raw = cap(NOW_NS)
    signed = sign_cap(raw, key, pem)
    assert entrance.given("hand:a", signed, NOW_NS).signature == "signed"
    assert entrance.given("hand:a", raw, NOW_NS).fault == "unsigned"
    changed = signed.replace(b"three metres", b"one metre")
    assert entrance.given("hand:a", changed, NOW_NS).fault == "wrongly-signed"
    other, _ = _certificate()
    (tmp_path / "agency.pem").write_text(other)
    strict = Entrance.of(entrance.config, tmp_path)
    assert strict.given("hand:a", signed, NOW_NS).fault == "signed-by-a-stranger"
    lenient = Entrance.of(CapEntrance(), tmp_path)
    assert lenient.given("hand:a", signed, NOW_NS).signature == "not-checked"
    assert lenient.given("hand:a", changed, NOW_NS).fault == "wrongly-signed"
    assert lenient.given("hand:a", b"<a", NOW_NS).raw == b"<a"
    (tmp_path / "agency.pem").write_text("no certificate")
    with pytest.raises(InputError, match=r"agency\.pem"):
        Entrance.of(entrance.config, tmp_path)


def _certificate() -> tuple[str, Any]:
    from datetime import UTC, datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "agency")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2030, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), key


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ('"cap_feeds": [{"name": "a", "url": "ftp://x/y"}]', "url"),
        ('"cap_feeds": [{"name": "A b", "url": "https://x/y"}]', "name"),
        ('"cap_feeds": [{"name": "a", "url": "https://x/y", "every_s": 0.1}]', "every_s"),
        ('"cap_hand": {"require_signature": true}', "require_signature"),
        ('"cap_feed": {"port": 0}', "cap_feed.port"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused_by_name(words: str, field: str) -> None:
    digest = "0" * 64
    text = (
        '{"realm": "exercise:a", "partner": "JPN", "node": "jpn", "link": {"port": 1},'
        f' "page": {{"port": 2, "token_sha256": "{digest}"}}, "feeds": {{"token_sha256": "{digest}"}}, {words}}}'
    )
    with pytest.raises(InputError, match=field):
        parse_config(text, "node.json")
