"""A relay's directory: who it is, whom it serves, its keys, what it has kept.

towns/ relay.json       who, whose last hops, where its node is, where last hops connect (no secret)
       roots.bin        the roots that its partner's people trust, as the node's directory had them
       towns-a.request  what the partner's root is to certify
       towns-a.relay    what the node's operator admits: its name and the certificate of its line
       keys/            0700; signing.seed ids.seed line.key.pem roster.secret (0600), line.cert.pem, node.pem
       relay.db         rows and receipts

offer = offered(node_dir)                                 # what a relay needs of its node
relay = create(path, offer, name="towns-a", unit="jp-fdma", roster="jp-towns", hops=120)
admit(node_dir, relay.path / "towns-a.relay")
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from noroshi.clock import NEVER
from noroshi.command.passing import NotPassedOn
from noroshi.command.posts import Seat
from noroshi.command.relaying import RelayDesk
from noroshi.documents import Element, convert, fail, parse
from noroshi.errors import InputError, OperatorError
from noroshi.messages import Certificate, Ed25519, TrustStore, canonical
from noroshi.messages.bodies_reach import MAX_HOPS, bits_of
from noroshi.messages.keys import Request as KeyRequest
from noroshi.messages.keys import is_realm, signed
from noroshi.messages.signing import SECRET_BYTES
from noroshi.service.files import make_private, read_file, write_file
from noroshi.service.hop_wires import HopAddress
from noroshi.service.link_keys import fingerprint, new_link_key
from noroshi.service.node_config import Address, ClockConfig
from noroshi.service.relay_store import RelayStore

if TYPE_CHECKING:
    from noroshi.service.node_dir import NodeDir  # a relay's process need not load all of a node

CONFIG_NAME = "relay.json"
ROOTS_NAME = "roots.bin"
PINNED = "relays"
"""Where a node's directory has the certificates of the relays that were admitted: `<name>.pem`."""

NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_LOST = "restore it from your copy; a new key would be another relay"


class NodeAddress(Element, frozen=True, kw_only=True):
    """Where the relay's node listens for relays, and SHA-256 of the certificate that it shows there."""

    node: str
    host: str
    port: int
    tls_fingerprint: str


class RelayConfig(Element, frozen=True, kw_only=True):
    """One relay. receipts: `keyed` where its last hops have keys of their own, `counted` where they have none.

    tls: whether last hops connect by TLS, with the certificate of the relay's line; websocket: where they connect by
    WebSocket, if anywhere.
    """

    realm: str
    partner: str
    name: str
    unit: str
    roster: str
    hops: int
    node: NodeAddress
    listen: Address
    receipts: Literal["keyed", "counted"] = "keyed"
    tls: bool = False
    websocket: Address | None = None
    clock: ClockConfig = ClockConfig()
    version: int = 1


class Offer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a relay needs of its node: the realm, where it listens, its certificate, the roots. No secret."""

    realm: str
    partner: str
    node: str
    host: str
    port: int
    certificate_pem: str
    roots: dict[str, str]


class Admission(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a node needs of a relay: its name and the certificate of its line."""

    realm: str
    partner: str
    relay: str
    certificate_pem: str


@dataclass(frozen=True, slots=True)
class RelayDir:
    """A relay's directory and its configuration; secrets stay in their files until they are asked for."""

    path: Path
    config: RelayConfig

    @property
    def store_path(self) -> Path:
        """What the relay has kept."""
        return self.path / "relay.db"

    @property
    def line_key_path(self) -> Path:
        """The secret key of its lines, PEM."""
        return self.path / "keys" / "line.key.pem"

    @property
    def line_certificate_path(self) -> Path:
        """The certificate of its lines, PEM."""
        return self.path / "keys" / "line.cert.pem"

    @property
    def request_path(self) -> Path:
        """What the partner's root is to certify."""
        return self.path / f"{self.config.name}.request"

    @property
    def admission_path(self) -> Path:
        """What the node's operator admits."""
        return self.path / f"{self.config.name}.relay"

    def addresses(self) -> list[HopAddress]:
        """Where its last hops connect, with the fingerprint of its certificate where that is by TLS."""
        config = self.config
        pin = fingerprint(self.line_certificate_path.read_bytes()) if config.tls else ""
        found = [HopAddress(config.listen.host, config.listen.port, "tls" if config.tls else "tcp", pin)]
        if config.websocket is not None:
            scheme = "wss" if config.tls else "ws"
            found.append(HopAddress(config.websocket.host, config.websocket.port, scheme, pin))
        return found

    def node_certificate(self) -> bytes:
        """The pinned certificate of its node, PEM. Raises InputError when it is not the one of the configuration."""
        path = self.path / "keys" / "node.pem"
        pem = read_file(path, "make the relay again from its node's offer")
        if fingerprint(pem) != self.config.node.tls_fingerprint:
            raise InputError(
                str(path), None, "", "it is not the certificate of the configuration",
                "compare fingerprints with the node's operator",
            )  # fmt: skip
        return pem

    def roots(self) -> dict[str, bytes]:
        """The pinned roots by partner. Raises InputError."""
        path = self.path / ROOTS_NAME
        try:
            found: dict[str, bytes] = msgspec.msgpack.decode(read_file(path, _LOST), type=dict[str, bytes])
        except msgspec.MsgspecError as error:
            raise InputError(str(path), None, "", f"it is damaged ({error})", _LOST) from None
        return found

    def seed(self) -> bytes:
        """The seed of its signing key. Raises InputError."""
        return _secret(self.path / "keys" / "signing.seed")

    def roster_secret(self) -> bytes:
        """From which the keys of its last hops follow; empty where receipts are counted. Raises InputError."""
        return _secret(self.path / "keys" / "roster.secret") if self.config.receipts == "keyed" else b""

    def loaded(self, store: RelayStore, now_ns: int) -> tuple[RelayDesk, list[tuple[int, NotPassedOn]]]:
        """The relay's desk with all that it has kept, and the rows that were passed on to nobody, and why.

        A row is judged as of the time when it came: what was good then is not bad for having run out since.
        """
        desk, refused = self.desk(), []
        for number, data, taken_ns in store.rows():
            outcome = desk.take(data, taken_ns or now_ns)
            if isinstance(outcome, NotPassedOn):
                refused.append((number, outcome))
        for of, hop, signature in store.signatures():
            desk.restore(of, hop, signature)
        for one in store.receipts():
            kept = desk.kept.get(one.of)
            if kept is not None:
                kept.sequence, kept.first_ns, kept.last_ns = one.sequence, one.first_ns, one.last_ns
                kept.passed, kept.received = bits_of(one.passed), bits_of(one.received)
        return desk, refused

    def desk(self) -> RelayDesk:
        """The relay's desk, which knows nothing yet but whom it trusts."""
        config, scheme = self.config, Ed25519()
        seed = self.seed()
        card = Certificate(
            realm=config.realm, partner=config.partner, role="relay", subject=config.name, unit=config.unit,
            public=scheme.public_key(seed), not_before_ns=0, not_after_ns=NEVER,
        )  # fmt: skip
        seat = Seat(card, config.node.node, scheme, seed, _secret(self.path / "keys" / "ids.seed"))
        trust = TrustStore(config.realm, scheme, self.roots())
        return RelayDesk(seat, trust, roster=config.roster, hops=config.hops, secret=self.roster_secret())


def offered(node: NodeDir) -> Offer:
    """What a relay needs of this node. Raises OperatorError where the node has no address for relays yet."""
    address = node.config.relays
    if address is None:
        raise OperatorError(
            "offer relays a place", subject=str(node.path), cause="its node.json has no address for relays",
            hint="run `noroshi relay offer DIR --port PORT` once, which sets it",
        )  # fmt: skip
    return Offer(
        realm=node.config.realm,
        partner=node.config.partner,
        node=node.config.node,
        host=address.host,
        port=address.port,
        certificate_pem=node.link_certificate_path.read_text(encoding="ascii"),
        roots={partner: root.hex() for partner, root in node.genesis().roots.items()},
    )


def read_offer(path: Path) -> Offer:
    """The offer in a file. Raises InputError."""
    try:
        return msgspec.json.decode(read_file(path, "ask the node's operator for it"), type=Offer)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(
            str(path), None, "", f"it is no offer of a node ({error})", "ask for a whole one"
        ) from None


def create(
    path: Path | str,
    offer: Offer,
    *,
    name: str,
    unit: str,
    roster: str,
    hops: int,
    listen_port: int,
    listen_host: str = "127.0.0.1",
    counted: bool = False,
    tls: bool = False,
    websocket_port: int | None = None,
    roster_secret: bytes | None = None,
    seed: bytes | None = None,
    clock: ClockConfig | None = None,
) -> RelayDir:
    """A new relay's directory, with fresh keys unless they are handed in. Raises OperatorError or InputError.

    roster_secret: the same for all relays that serve one roster.
    """
    place = Path(path)
    if (place / CONFIG_NAME).exists() or (place / "keys").exists():
        raise OperatorError(
            "make a relay",
            subject=str(place),
            cause="there is one in it already",
            hint="choose a new directory",
        )
    pem = offer.certificate_pem.encode("ascii", "replace")
    try:
        node_print = fingerprint(pem)
        roots = {partner: bytes.fromhex(root) for partner, root in offer.roots.items()}
    except ValueError:
        raise InputError(
            "offer", None, "", "its certificate or a root is damaged", "ask for a whole one"
        ) from None
    config = RelayConfig(
        realm=offer.realm,
        partner=offer.partner,
        name=name,
        unit=unit,
        roster=roster,
        hops=hops,
        node=NodeAddress(node=offer.node, host=offer.host, port=offer.port, tls_fingerprint=node_print),
        listen=Address(host=listen_host, port=listen_port),
        receipts="counted" if counted else "keyed",
        tls=tls,
        websocket=None if websocket_port is None else Address(host=listen_host, port=websocket_port),
        clock=clock or ClockConfig(),
    )
    text = _config_bytes(config)
    _read(text.decode(), str(place / CONFIG_NAME))
    own_seed = seed or os.urandom(SECRET_BYTES)
    key_pem, certificate_pem = new_link_key(name)
    try:
        for directory in (place, place / "keys"):
            make_private(directory)
        keys = place / "keys"
        write_file(keys / "signing.seed", own_seed, 0o600)
        write_file(keys / "ids.seed", os.urandom(SECRET_BYTES), 0o600)
        write_file(keys / "line.key.pem", key_pem, 0o600)
        write_file(keys / "line.cert.pem", certificate_pem, 0o644)
        write_file(keys / "node.pem", pem, 0o644)
        if not counted:
            write_file(keys / "roster.secret", roster_secret or os.urandom(SECRET_BYTES), 0o600)
        write_file(place / ROOTS_NAME, canonical.encode(roots), 0o644)
        admission = Admission(
            realm=offer.realm, partner=offer.partner, relay=name,
            certificate_pem=certificate_pem.decode("ascii"),
        )  # fmt: skip
        write_file(place / f"{name}.relay", msgspec.json.encode(admission) + b"\n", 0o644)
        scheme = Ed25519()
        bare = KeyRequest(
            realm=offer.realm, partner=offer.partner, role="relay", subject=name, unit=unit,
            public=scheme.public_key(own_seed),
        )  # fmt: skip
        write_file(place / f"{name}.request", canonical.encode(signed(scheme, own_seed, bare)), 0o644)
        write_file(place / CONFIG_NAME, text, 0o600)
    except OSError as error:
        raise OperatorError("make a relay", subject=str(place), cause=error.strerror or "") from None
    return load(place)


def load(path: Path | str) -> RelayDir:
    """The relay in this directory. Raises InputError naming file, line and field."""
    place = Path(path) / CONFIG_NAME
    try:
        text = place.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        hint = "give a relay's directory, or make one with `noroshi relay init`"
        raise InputError(str(place), None, "", "there is no such file", hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(str(place), None, "", f"it cannot be read ({error})", "restore the file") from None
    return RelayDir(Path(path), _read(text, str(place)))


def admit(node: NodeDir, file: Path) -> tuple[str, str]:
    """Pins a relay's line at its node; the relay's name and the fingerprint. Raises InputError."""
    try:
        asked = msgspec.json.decode(read_file(file, "ask the relay's operator for it"), type=Admission)
        found = fingerprint(asked.certificate_pem.encode("ascii", "replace"))
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        raise InputError(str(file), None, "", "it is no relay's admission", "ask for a whole one") from None
    for field, theirs, ours in (
        ("realm", asked.realm, node.config.realm),
        ("partner", asked.partner, node.config.partner),
    ):
        if theirs != ours:
            cause = f"its {field} is {theirs!r}, and this node's is {ours!r}"
            raise InputError(str(file), None, field, cause, "a relay serves a node of its own side and realm")
    if not NAME.fullmatch(asked.relay):
        raise InputError(
            str(file), None, "relay", f"{asked.relay!r} is no name of a relay", "ask for another"
        )
    make_private(node.path / PINNED)
    write_file(node.path / PINNED / f"{asked.relay}.pem", asked.certificate_pem.encode("ascii"), 0o600)
    return asked.relay, found


def pinned(node: Path) -> dict[str, bytes]:
    """The certificates of a node's relays, PEM, by name."""
    return {one.stem: one.read_bytes() for one in sorted((node / PINNED).glob("*.pem"))}


def _config_bytes(config: RelayConfig) -> bytes:
    return json.dumps(msgspec.to_builtins(config), indent=2).encode() + b"\n"


def _read(text: str, file: str) -> RelayConfig:
    document = parse(text, file)
    config = convert(document, RelayConfig)
    if not is_realm(config.realm):
        fail(document, ("realm",), f"{config.realm!r} is no realm", "write `real` or `exercise:<name>`")
    for field in ("name", "roster"):
        if not NAME.fullmatch(getattr(config, field)):
            hint = "use small letters, digits, dot and dash"
            fail(document, (field,), f"{getattr(config, field)!r} is no name", hint)
    if not 0 < config.hops <= MAX_HOPS:
        fail(document, ("hops",), f"{config.hops} last hops cannot be", f"use 1 to {MAX_HOPS}")
    ports = [(("listen", "port"), config.listen.port), (("node", "port"), config.node.port)]
    if config.websocket is not None:
        ports.append((("websocket", "port"), config.websocket.port))
    for place, port in ports:
        if not 1 <= port <= 65_535:
            fail(document, place, f"{port} is no port", "a port is a number from 1 to 65535")
    return config


def _secret(path: Path) -> bytes:
    raw = read_file(path, _LOST)
    if path.stat().st_mode & 0o077:
        cause = f"others may read this secret (mode {path.stat().st_mode & 0o777:04o})"
        raise InputError(str(path), None, "", cause, f"run `chmod 600 {path}`, and think of a new key")
    if len(raw) != SECRET_BYTES:
        raise InputError(str(path), None, "", f"it has {len(raw)} bytes and not {SECRET_BYTES}", _LOST)
    return raw
