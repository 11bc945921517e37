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
from noroshi.documents import Document, Element, convert, fail, parse
from noroshi.documents import Path as Place
from noroshi.errors import InputError
from noroshi.messages.trust import is_realm
from noroshi.service.clocks import RealClock, RunningClock, ScaledClock

CONFIG_VERSION = 1

_PARTNER = re.compile(r"[A-Z]{3}"), "a partner is three capital letters, for example JPN"
_NODE = re.compile(r"[a-z][a-z0-9-]{0,31}"), "a node is a short name in small letters, for example jpn"
_DIGEST = re.compile(r"[0-9a-f]{64}"), "a SHA-256 is 64 hexadecimal digits in small letters"


class Address(Element, frozen=True, kw_only=True):
    """Where to listen. host: a name or number of this machine; port: 1 to 65535."""

    port: int
    host: str = "127.0.0.1"


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
    """`real`, or `scaled` with the three figures of `ScaledClock`."""

    mode: Literal["real", "scaled"] = "real"
    start_ns: int = 0
    anchor_unix_ns: int = 0
    speed: float = 1.0

    def clock(self) -> RunningClock:
        """The clock that this describes."""
        if self.mode == "real":
            return RealClock()
        return ScaledClock(self.start_ns, self.anchor_unix_ns, self.speed)


class PageConfig(Element, frozen=True, kw_only=True):
    """The page and the staff stream: where on this machine, and SHA-256 (hex) of the token that opens them."""

    port: int
    token_sha256: str
    host: str = "127.0.0.1"


class FeedConfig(Element, frozen=True, kw_only=True):
    """Own sensors: SHA-256 (hex) of the token for giving detections, and which sensors (empty: all)."""

    token_sha256: str
    sensors: tuple[str, ...] = ()


class PageLink(Element, frozen=True, kw_only=True):
    """Another partner's page, for the switch on the page of an exercise."""

    partner: str
    name: str
    node: str
    url: str


class NodeConfig(Element, frozen=True, kw_only=True):
    """One node: who it is, where it listens, whom it is linked to, what its clock is."""

    realm: str
    partner: str
    node: str
    link: Address
    page: PageConfig
    feeds: FeedConfig
    version: int = CONFIG_VERSION
    clock: ClockConfig = ClockConfig()
    peers: tuple[PeerConfig, ...] = ()
    pages: tuple[PageLink, ...] = ()

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
    """The file's bytes: indented JSON, for people to read and change."""
    return json.dumps(msgspec.to_builtins(config), indent=2).encode() + b"\n"


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
    return [
        (("link", "port"), config.link.port),
        (("page", "port"), config.page.port),
        *((("peers", i, "port"), peer.port) for i, peer in enumerate(config.peers)),
    ]
