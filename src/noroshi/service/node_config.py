"""What a node's directory says in the open: `node.json`, without any secret.

An unknown field is an error, not a wish that is overlooked.

    config = read_config(directory / "node.json")
    config.peers[0].tls_fingerprint
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

import msgspec

from noroshi.clock import NS_PER_S
from noroshi.documents import Document, Element, convert, dotted, fail, parse
from noroshi.documents import Path as Place
from noroshi.errors import InputError
from noroshi.messages.trust import is_realm
from noroshi.service.cap_config import CapEntrance, CapFeedConfig, check_cap
from noroshi.service.clocks import RealClock, RunningClock, ScaledClock
from noroshi.service.cot_config import CotConfig, check_cot
from noroshi.service.quotas import Quotas

CONFIG_VERSION = 1

MAX_CLOCK_ERROR_S = 60.0
"""A clock that may be further from UTC is no clock: in a minute a missile flies 400 km."""

MIN_BUDGET_BYTES = 1 << 20
"""A record of a few hundred messages; less cannot hold the first one and its snapshot."""

MIN_RETENTION_S = 60.0
"""Each retention costs a snapshot; more often than each minute they would get in the way of the work."""

EVERYWHERE = frozenset({"0.0.0.0", "::"})
"""Hosts that stand for all addresses of a machine."""

_PARTNER = re.compile(r"[A-Z]{3}"), "a partner is three capital letters, for example JPN"
_NODE = re.compile(r"[a-z][a-z0-9-]{0,31}"), "a node is a short name in small letters, for example jpn"
_DIGEST = re.compile(r"[0-9a-f]{64}"), "a SHA-256 is 64 hexadecimal digits in small letters"


class Address(Element, frozen=True, kw_only=True):
    """Where to listen. host: a name or number of this machine; port: 1 to 65535."""

    port: int
    host: str = "127.0.0.1"


class CapSigning(Element, frozen=True, kw_only=True):
    """With what the files of our alerts are signed for whoever asks: PEM files, from the node's directory."""

    key: str
    certificate: str


class CapServed(Address, frozen=True, kw_only=True):
    """Where our own public alerts are served; signed, where a key is named."""

    sign: CapSigning | None = None


class PeerConfig(Element, frozen=True, kw_only=True):
    """A partner to whom this node has a link.

    host, port: where its node listens for partners (used by the side that dials); tls_fingerprint: SHA-256 of
    its link certificate, which lies in `peers/<partner>.pem`.
    """

    partner: str
    host: str
    port: int
    tls_fingerprint: str


class ClockConfig(Element, frozen=True, kw_only=True):
    """`real`, or `scaled` with the three figures of `ScaledClock`.

    error_s: how far this machine's clock may be from UTC; what the node sends carries it as its claimed error.
    """

    mode: Literal["real", "scaled"] = "real"
    start_ns: int = 0
    anchor_unix_ns: int = 0
    speed: float = 1.0
    error_s: float = 0.0

    def clock(self) -> RunningClock:
        """The clock that this describes."""
        if self.mode == "real":
            return RealClock(self.error_s)
        return ScaledClock(self.start_ns, self.anchor_unix_ns, self.speed, self.error_s)


class PageConfig(Element, frozen=True, kw_only=True):
    """The page and the staff stream: where on this machine, and SHA-256 (hex) of the token that opens them."""

    port: int
    token_sha256: str
    host: str = "127.0.0.1"


class FeedConfig(Element, frozen=True, kw_only=True):
    """Own sensors: SHA-256 (hex) of the token for giving detections, and which sensors (empty: all)."""

    token_sha256: str
    sensors: tuple[str, ...] = ()


class RecordConfig(Element, frozen=True, kw_only=True):
    """The record on the disk.

    budget_bytes: what it may grow to; reserve_bytes: free space of the disk that it leaves to others and to its own
    repair; what is refused when either is short is in the manual. retention_every_s: how often what need not be kept is
    let go.
    """

    budget_bytes: int = 16 << 30
    reserve_bytes: int = 64 << 20
    retention_every_s: float = 86_400.0


class PageLink(Element, frozen=True, kw_only=True):
    """Another partner's page, for the switch on the page of an exercise."""

    partner: str
    name: str
    node: str
    url: str


LATER = frozenset({"relays", "cap_feeds", "cap_hand", "cap_feed", "cot"})
"""Fields of a node's file that the first programs of its version do not know."""


class NodeConfig(Element, frozen=True, kw_only=True):
    """One node: who it is, where it listens, whom it is linked to, what its clock is.

    cap_feeds: other agencies' feeds of alerts that it asks; cap_hand: what is taken of such alerts by hand; cap_feed:
    where it serves its own public alerts to whoever asks, if anywhere. cot: the gateway for Cursor on Target.
    """

    realm: str
    partner: str
    node: str
    link: Address
    page: PageConfig
    feeds: FeedConfig
    version: int = CONFIG_VERSION
    clock: ClockConfig = ClockConfig()
    record: RecordConfig = RecordConfig()
    quotas: Quotas = Quotas()
    relays: Address | None = None
    peers: tuple[PeerConfig, ...] = ()
    pages: tuple[PageLink, ...] = ()
    cap_feeds: tuple[CapFeedConfig, ...] = ()
    cap_hand: CapEntrance = CapEntrance()
    cap_feed: CapServed | None = None
    cot: CotConfig = CotConfig()

    def peer(self, partner: str) -> PeerConfig | None:
        """The peer of that partner, if there is a link to it."""
        return next((peer for peer in self.peers if peer.partner == partner), None)


def read_config(path: Path) -> NodeConfig:
    """The configuration in a file. Raises InputError naming file, line and field."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        hint = "give a node's directory, or make one with `noroshi node init`"
        raise InputError(str(path), None, "", "there is no such file", hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(path), None, "", f"it cannot be read ({error})", "restore the file") from None
    return parse_config(text, str(path))


def parse_config(text: str, file: str) -> NodeConfig:
    """The configuration in this JSON or YAML text. Raises InputError naming file, line and field."""
    document = parse(text, file)
    config = convert(document, NodeConfig)
    _check(document, config)
    return config


def config_bytes(config: NodeConfig) -> bytes:
    """The file's bytes: indented JSON, for people to read and change. What an older program does not know is left out
    where it says nothing, so that it can still read the file.
    """
    told = msgspec.to_builtins(config)
    for one in msgspec.structs.fields(NodeConfig):
        if one.name in LATER and getattr(config, one.name) == one.default:
            del told[one.name]
    return json.dumps(told, indent=2).encode() + b"\n"


def _check(document: Document, config: NodeConfig) -> None:
    """Refuses what the types cannot see."""
    if config.version != CONFIG_VERSION:
        fail(
            document, ("version",), f"this noroshi knows version {CONFIG_VERSION} only", "run a newer noroshi"
        )
    if not is_realm(config.realm):
        fail(document, ("realm",), f"{config.realm!r} is no realm", "write `real` or `exercise:<name>`")
    for place, (form, hint), value in _formed(config):
        if not form.fullmatch(value):
            fail(document, place, f"{value!r} has the wrong form", hint)
    for place, port in _ports(config):
        if not 1 <= port <= 65_535:
            fail(document, place, f"{port} is no port", "a port is a number from 1 to 65535")
    _check_doors(document, config)
    for index, peer in enumerate(config.peers):
        if peer.partner == config.partner:
            fail(
                document,
                ("peers", index, "partner"),
                "a node has no link to its own partner",
                "remove this peer",
            )
        if config.peer(peer.partner) is not peer:
            fail(document, ("peers", index, "partner"), "this partner is named twice", "keep one of them")
    if config.page.host not in ("127.0.0.1", "::1", "localhost"):
        hint = "write 127.0.0.1, and put a proxy with TLS in front of it for other machines"
        fail(document, ("page", "host"), "the page is served without TLS, on this machine only", hint)
    _check_limits(document, config)
    check_cap(document, config.cap_feeds, config.cap_hand)
    check_cot(document, config.cot, partner=config.partner, realm=config.realm)
    clock = config.clock
    if clock.mode == "real":
        return
    if config.realm == "real":
        fail(document, ("clock", "mode"), "the real realm runs on the real clock only", "write `real`")
    if not 0.0 < clock.speed <= 10_000.0:
        fail(
            document, ("clock", "speed"), f"{clock.speed} is no speed", "a speed is above 0 and at most 10000"
        )
    if min(clock.start_ns, clock.anchor_unix_ns) < NS_PER_S:
        hint = "give start_ns and anchor_unix_ns, UTC nanoseconds"
        fail(document, ("clock",), "a scaled clock needs its start and its anchor", hint)


def _check_limits(document: Document, config: NodeConfig) -> None:
    """Refuses figures of clock, record and quotas that cannot be meant."""
    record = config.record
    if not 0.0 <= config.clock.error_s <= MAX_CLOCK_ERROR_S:
        hint = f"write the seconds by which this machine's clock may be wrong, 0 to {MAX_CLOCK_ERROR_S:.0f}"
        fail(document, ("clock", "error_s"), f"{config.clock.error_s} is no clock error", hint)
    if record.budget_bytes < MIN_BUDGET_BYTES:
        hint = f"a record needs {MIN_BUDGET_BYTES} bytes or more"
        fail(document, ("record", "budget_bytes"), f"{record.budget_bytes} is too small", hint)
    if not 0 <= record.reserve_bytes < record.budget_bytes:
        hint = "it is 0 or more, and below budget_bytes"
        fail(document, ("record", "reserve_bytes"), f"{record.reserve_bytes} is no reserve", hint)
    if record.retention_every_s < MIN_RETENTION_S:
        hint = f"let go at most every {MIN_RETENTION_S:.0f} seconds; a day is 86400"
        fail(document, ("record", "retention_every_s"), f"{record.retention_every_s} is too often", hint)
    field, cause = config.quotas.defect
    if field:
        fail(document, ("quotas", field), f"{getattr(config.quotas, field)} is no such quota", cause)


def _check_doors(document: Document, config: NodeConfig) -> None:
    """No two entrances of this node wait at one port."""
    named: list[tuple[str, Address | PageConfig | CapServed | None]] = [
        ("link", config.link),
        ("page", config.page),
        ("relays", config.relays),
        ("cap_feed", config.cap_feed),
    ]
    doors: list[tuple[Place, str, int]] = [
        ((name,), one.host, one.port) for name, one in named if one is not None
    ]
    doors += [(("cot", "servers", i), one.host, one.port) for i, one in enumerate(config.cot.servers)]
    for number, (place, host, port) in enumerate(doors):
        for other, other_host, other_port in doors[:number]:
            if port == other_port and (host == other_host or {host, other_host} & EVERYWHERE):
                cause = f"{port} is the port of {dotted(other)} as well"
                fail(document, (*place, "port"), cause, "give each entrance its own")


def _formed(config: NodeConfig) -> list[tuple[Place, tuple[re.Pattern[str], str], str]]:
    return [
        (("partner",), _PARTNER, config.partner),
        (("node",), _NODE, config.node),
        (("page", "token_sha256"), _DIGEST, config.page.token_sha256),
        (("feeds", "token_sha256"), _DIGEST, config.feeds.token_sha256),
        *((("peers", i, "partner"), _PARTNER, peer.partner) for i, peer in enumerate(config.peers)),
        *(
            (("peers", i, "tls_fingerprint"), _DIGEST, peer.tls_fingerprint)
            for i, peer in enumerate(config.peers)
        ),
    ]


def _ports(config: NodeConfig) -> list[tuple[Place, int]]:
    relays = [] if config.relays is None else [(("relays", "port"), config.relays.port)]
    return [
        *relays,
        (("link", "port"), config.link.port),
        (("page", "port"), config.page.port),
        *([(("cap_feed", "port"), config.cap_feed.port)] if config.cap_feed is not None else []),
        *((("peers", i, "port"), peer.port) for i, peer in enumerate(config.peers)),
    ]
