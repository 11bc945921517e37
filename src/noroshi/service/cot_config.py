"""What `node.json` says of the gateway for Cursor on Target: groups, servers, and who may speak through them.

    "cot": {"groups": [{"name": "staff", "partners": ["JPN"]}],
            "servers": [{"group": "staff", "transport": "tcp", "port": 8087}]}

A group's partners are its audience: it is shown what every one of them may have.
"""

from __future__ import annotations

import re
from typing import Literal

from noroshi.documents import Document, Element, fail

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_DIGEST = re.compile(r"[0-9a-f]{64}")

Transport = Literal["tcp", "tls", "websocket", "websocket-tls"]


class CotGroup(Element, frozen=True, kw_only=True):
    """One group of clients. share_positions: whether they see one another's positions."""

    name: str
    partners: tuple[str, ...]
    share_positions: bool = False


class CotServer(Element, frozen=True, kw_only=True):
    """Where clients of one group connect. anonymous: without a token, which is so on this machine only if left out."""

    group: str
    port: int
    host: str = "127.0.0.1"
    transport: Transport = "tcp"
    anonymous: bool | None = None

    @property
    def is_encrypted(self) -> bool:
        """Whether it takes TLS with client certificates only."""
        return self.transport in ("tls", "websocket-tls")

    @property
    def is_open(self) -> bool:
        """Whether a client without a token is let in."""
        return self.host in LOOPBACK if self.anonymous is None else self.anonymous


class CotClient(Element, frozen=True, kw_only=True):
    """One client that is known: by SHA-256 of its certificate, or of its token. post: for which it may speak."""

    name: str
    group: str
    post: str = ""
    certificate_sha256: str = ""
    token_sha256: str = ""


class CotConfig(Element, frozen=True, kw_only=True):
    """The whole gateway. max_clients: over all servers; per_address: connections from one address."""

    groups: tuple[CotGroup, ...] = ()
    servers: tuple[CotServer, ...] = ()
    clients: tuple[CotClient, ...] = ()
    max_clients: int = 10_000
    per_address: int = 200

    def group(self, name: str) -> CotGroup | None:
        """The group of that name."""
        return next((one for one in self.groups if one.name == name), None)

    def of_certificate(self, sha256: str, group: str) -> CotClient | None:
        """The client of a group with this certificate."""
        return next(
            (one for one in self.clients if one.certificate_sha256 == sha256 and one.group == group), None
        )

    def posts_of(self, group: str) -> tuple[str, ...]:
        """The posts that somebody may speak for through a group."""
        return tuple(sorted({one.post for one in self.clients if one.group == group and one.post}))


def check_cot(document: Document, cot: CotConfig, *, partner: str, realm: str) -> None:
    """Refuses what the types cannot see. Raises InputError naming file, line and field."""
    names = [one.name for one in cot.groups]
    for place, group in enumerate(cot.groups):
        if not _NAME.fullmatch(group.name):
            hint = "a group is a short name in small letters, for example staff"
            fail(document, ("cot", "groups", place, "name"), f"{group.name!r} has the wrong form", hint)
        if names.index(group.name) != place:
            fail(document, ("cot", "groups", place, "name"), "this group is named twice", "keep one of them")
        if partner not in group.partners:
            hint = f"add {partner}: what goes to a group is released by its own side"
            fail(document, ("cot", "groups", place, "partners"), f"{partner} is not among them", hint)
    for place, server in enumerate(cot.servers):
        at = ("cot", "servers", place)
        if server.group not in names:
            fail(document, (*at, "group"), f"there is no group {server.group!r}", "name one of `groups`")
        if not 1 <= server.port <= 65_535:
            fail(document, (*at, "port"), f"{server.port} is no port", "a port is a number from 1 to 65535")
        if realm == "real" and not server.is_encrypted and server.host not in LOOPBACK:
            hint = "write 127.0.0.1, or take `tls`"
            fail(document, (*at, "host"), "what is real goes to other machines encrypted only", hint)
    for place, client in enumerate(cot.clients):
        at = ("cot", "clients", place)
        if client.group not in names:
            fail(document, (*at, "group"), f"there is no group {client.group!r}", "name one of `groups`")
        digests = [one for one in (client.certificate_sha256, client.token_sha256) if one]
        if not digests or not all(map(_DIGEST.fullmatch, digests)):
            hint = "make the client with `noroshi node cot-client`"
            fail(
                document,
                at,
                "a client has `certificate_sha256` or `token_sha256`, 64 hexadecimal digits",
                hint,
            )
    if not 0 < cot.max_clients <= 100_000:
        fail(document, ("cot", "max_clients"), f"{cot.max_clients} is no such limit", "write 1 to 100000")
    if not 0 < cot.per_address <= cot.max_clients:
        fail(
            document,
            ("cot", "per_address"),
            f"{cot.per_address} is no such limit",
            "it is at most max_clients",
        )
