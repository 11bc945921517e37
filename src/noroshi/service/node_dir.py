"""A node's directory: who it is, its keys, its record.

jpn/ node.json        who, where, whom linked to (no secret)
     genesis.bin      the first record: structure, trusted roots, sensors, posts, rules
     jpn.request      what its root is to certify: the newest signing key
     keys/            0700; signing.seed (and signing-2.seed ...) ids.seed link.key.pem page.token feed.token (0600),
                      link.cert.pem
     peers/           link certificates of the partners, <PARTNER>.pem
     trust/           pins and what roots have said, for the running node to take (`trust_files`)
     record.db        the record; record.lock while a node runs on it
     alerts/          public alerts as CAP files

jpn = create(root / "jpn", realm="exercise:a", partner="JPN", node="jpn", link_port=8711, page_port=8701)
jpn.write_genesis(genesis)
join([jpn, usa, kor])
"""

from __future__ import annotations

import hashlib
import secrets as system_secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from noroshi.errors import InputError, OperatorError
from noroshi.messages import canonical
from noroshi.messages.signing import SECRET_BYTES
from noroshi.node.inputs import Genesis, Secrets, decode_input, encode_input
from noroshi.node.trusting import Keyring
from noroshi.service.files import make_private, read_file, write_file
from noroshi.service.key_files import Key, new_seed
from noroshi.service.link_keys import fingerprint, new_link_key
from noroshi.service.node_config import (
    Address,
    ClockConfig,
    FeedConfig,
    NodeConfig,
    PageConfig,
    PageLink,
    PeerConfig,
    config_bytes,
    parse_config,
    read_config,
)
from noroshi.service.record_file import RECORD_NAME

CONFIG_NAME = "node.json"
GENESIS_NAME = "genesis.bin"

_LOST = "restore it from your copy; a new key would be another node"


@dataclass(frozen=True, slots=True)
class NodeDir:
    """A node's directory and its configuration; secrets stay in their files until they are asked for."""

    path: Path
    config: NodeConfig

    @property
    def record_path(self) -> Path:
        """The file of the record."""
        return self.path / RECORD_NAME

    @property
    def alerts_path(self) -> Path:
        """Where the alert gateway writes."""
        return self.path / "alerts"

    @property
    def link_key_path(self) -> Path:
        """The secret key of this node's links, PEM."""
        return self.path / "keys" / "link.key.pem"

    @property
    def link_certificate_path(self) -> Path:
        """This node's link certificate, PEM: what partners pin."""
        return self.path / "keys" / "link.cert.pem"

    @property
    def link_fingerprint(self) -> str:
        """SHA-256 of this node's link certificate, to be compared by two persons over another way."""
        return _fingerprint(self.link_certificate_path)

    @property
    def page_address(self) -> str:
        """Where the page is, without the token that opens it."""
        host = self.config.page.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.config.page.port}/"

    def secrets(self) -> Secrets:
        """The node's own secrets. Raises InputError when one is missing, damaged or readable by others."""
        first, *later = (_secret(path, SECRET_BYTES) for path in self._seed_paths())
        ids = _secret(self.path / "keys" / "ids.seed", SECRET_BYTES)
        return Keyring(first, ids, tuple(later)) if later else Secrets(first, ids)

    @property
    def request_path(self) -> Path:
        """What the partner's root is asked to certify."""
        return self.path / f"{self.config.node}.request"

    def newest_key(self) -> Key:
        """The newest signing key, certified or not. Raises InputError like `secrets`."""
        own = self.config
        seed = _secret(self._seed_paths()[-1], SECRET_BYTES)
        return Key(realm=own.realm, partner=own.partner, role="node", subject=own.node, seed=seed)

    def write_request(self) -> Path:
        """Writes what the root is asked to certify, for the newest key; where it lies."""
        write_file(self.request_path, canonical.encode(self.newest_key().request()), 0o600)
        return self.request_path

    def rotate(self) -> Path:
        """Makes a new signing key beside the others and asks for its certificate; where the request lies.

        The node goes on with the old one until it has been given a certificate of the new.
        """
        write_file(self.path / "keys" / f"signing-{len(self._seed_paths()) + 1}.seed", new_seed(), 0o600)
        return self.write_request()

    def _seed_paths(self) -> list[Path]:
        """Seeds of all signing keys that this node has had, oldest first; there is always a first."""
        keys = self.path / "keys"
        paths = [keys / "signing.seed"]
        while (path := keys / f"signing-{len(paths) + 1}.seed").exists():
            paths.append(path)
        return paths

    def page_token(self) -> str:
        """The token that opens the page. For showing to the person at this machine, and nowhere else."""
        return _secret(self.path / "keys" / "page.token", 43).decode("ascii")

    def feed_token(self) -> str:
        """The token with which own sensors give detections."""
        return _secret(self.path / "keys" / "feed.token", 43).decode("ascii")

    def genesis(self) -> Genesis:
        """What the node starts from. Raises InputError when it is missing, damaged, or of another node."""
        own = self.config
        return read_genesis(self.path / GENESIS_NAME, realm=own.realm, partner=own.partner, node=own.node)

    def peer_certificate(self, partner: str) -> bytes:
        """A partner's link certificate (PEM), checked against its pin. Raises InputError."""
        peer = self.config.peer(partner)
        path = self.path / "peers" / f"{partner}.pem"
        if peer is None:
            cause = f"the genesis has a link to {partner} and there is no peer of that name"
            raise InputError(
                str(self.path / CONFIG_NAME), None, "peers", cause, "add it with `noroshi node pin`"
            )
        pem = read_file(path, f"ask {partner} for its link certificate and compare fingerprints")
        if _fingerprint(path) != peer.tls_fingerprint:
            cause = f"its fingerprint is not the one that {CONFIG_NAME} pins"
            raise InputError(
                str(path), None, "", cause, f"compare fingerprints with {partner}, two persons present"
            )
        return pem

    def write_genesis(self, genesis: Genesis) -> None:
        """Keeps what the node starts from; to be done once, before its first start."""
        write_file(self.path / GENESIS_NAME, encode_input(genesis)[1], 0o600)

    def with_config(self, config: NodeConfig) -> NodeDir:
        """The directory with this configuration, written to disk. Raises InputError where no node could run with it."""
        data = config_bytes(config)
        parse_config(data.decode(), str(self.path / CONFIG_NAME))
        write_file(self.path / CONFIG_NAME, data, 0o600)
        return NodeDir(self.path, config)

    def with_clock(self, clock: ClockConfig) -> NodeDir:
        """The directory with this clock, written to disk."""
        return self.with_config(msgspec.structs.replace(self.config, clock=clock))

    def with_pages(self, pages: Sequence[PageLink]) -> NodeDir:
        """The directory with these pages of other partners, written to disk."""
        return self.with_config(msgspec.structs.replace(self.config, pages=tuple(pages)))

    def with_peer(self, peer: PeerConfig, certificate_pem: bytes) -> NodeDir:
        """The directory with this partner pinned, in the place of an earlier pin. Raises OperatorError."""
        try:
            seen = fingerprint(certificate_pem)
        except ValueError:
            seen = ""
        if seen != peer.tls_fingerprint:
            raise OperatorError(
                "pin a partner", subject=peer.partner, cause="certificate and fingerprint do not match",
                hint="compare fingerprints with the partner over another way",
            )  # fmt: skip
        make_private(self.path / "peers")
        write_file(self.path / "peers" / f"{peer.partner}.pem", certificate_pem, 0o600)
        others = [one for one in self.config.peers if one.partner != peer.partner]
        peers = tuple(sorted([*others, peer], key=lambda one: one.partner))
        return self.with_config(msgspec.structs.replace(self.config, peers=peers))


def create(
    path: Path | str,
    *,
    realm: str,
    partner: str,
    node: str,
    link_port: int,
    page_port: int,
    link_host: str = "127.0.0.1",
    page_host: str = "127.0.0.1",
    clock: ClockConfig | None = None,
    genesis: Genesis | None = None,
    secrets: Secrets | None = None,
) -> NodeDir:
    """A new node's directory, readable by its owner only. Keys are drawn unless `secrets` hands them in.

    Raises OperatorError when there is a node in it already, others could meddle with it, or it cannot be written;
    InputError for wrong names.
    """
    place = Path(path)
    if (place / CONFIG_NAME).exists() or (place / "keys").exists():
        raise OperatorError(
            "make a node",
            subject=str(place),
            cause="there is one in it already",
            hint="choose a new directory",
        )
    tokens = {name: system_secrets.token_urlsafe(32) for name in ("page.token", "feed.token")}
    hashes = {name: hashlib.sha256(token.encode()).hexdigest() for name, token in tokens.items()}
    config = NodeConfig(
        realm=realm,
        partner=partner,
        node=node,
        link=Address(host=link_host, port=link_port),
        page=PageConfig(host=page_host, port=page_port, token_sha256=hashes["page.token"]),
        feeds=FeedConfig(token_sha256=hashes["feed.token"]),
        clock=clock or ClockConfig(),
    )
    parse_config(config_bytes(config).decode(), str(place / CONFIG_NAME))
    own = secrets or Secrets(new_seed(), new_seed())
    key_pem, certificate_pem = new_link_key(node)
    try:
        for directory in (place, place / "keys", place / "peers", place / "alerts"):
            make_private(directory)
        write_file(place / "keys" / "signing.seed", own.signing, 0o600)
        write_file(place / "keys" / "ids.seed", own.ids, 0o600)
        write_file(place / "keys" / "link.key.pem", key_pem, 0o600)
        write_file(place / "keys" / "link.cert.pem", certificate_pem, 0o644)
        for name, token in tokens.items():
            write_file(place / "keys" / name, token.encode(), 0o600)
        if genesis is not None:
            write_file(place / GENESIS_NAME, encode_input(genesis)[1], 0o600)
        write_file(place / CONFIG_NAME, config_bytes(config), 0o600)
    except OSError as error:
        raise OperatorError(
            "make a node", subject=str(place), cause=error.strerror or "",
            hint="choose a directory that this user may write, on a disk with free space",
        ) from None  # fmt: skip
    made = load(place)
    made.write_request()
    return made


def load(path: Path | str) -> NodeDir:
    """The node in this directory. Raises InputError naming file, line and field."""
    place = Path(path)
    return NodeDir(place, read_config(place / CONFIG_NAME))


def join(directories: Iterable[NodeDir], wires: Iterable[tuple[str, str]] | None = None) -> list[NodeDir]:
    """Pins nodes to one another, as an exercise on one machine does; gives the directories as they now are.

    wires: pairs of node names that have a link (all pairs when None).
    """
    nodes = {one.config.node: one for one in directories}
    pairs = [(a, b) for a in nodes for b in nodes if a < b] if wires is None else list(wires)
    for pair in pairs:
        for own, other in (pair, pair[::-1]):
            peer = nodes[other]
            pin = PeerConfig(
                partner=peer.config.partner,
                host=peer.config.link.host,
                port=peer.config.link.port,
                tls_fingerprint=peer.link_fingerprint,
            )
            nodes[own] = nodes[own].with_peer(pin, peer.link_certificate_path.read_bytes())
    return list(nodes.values())


def read_genesis(path: Path, *, realm: str, partner: str, node: str) -> Genesis:
    """The genesis in a file. Raises InputError when it is missing, damaged, or of another node."""
    raw = read_file(path, "give it with `noroshi node genesis`, or restore the file")
    try:
        genesis = decode_input(raw)
    except msgspec.MsgspecError as error:
        raise InputError(str(path), None, "", f"it is damaged ({error})", "restore the file") from None
    if not isinstance(genesis, Genesis):
        raise InputError(str(path), None, "", "it holds no genesis", "restore the file")
    for name, wanted in (("realm", realm), ("partner", partner), ("node", node)):
        found = getattr(genesis, name)
        if found != wanted:
            cause = f"it is for {name} {found!r}, and this node's is {wanted!r}"
            raise InputError(str(path), None, name, cause, "use the genesis of this node")
    return genesis


def _secret(path: Path, length: int) -> bytes:
    raw = read_file(path, _LOST)
    if path.stat().st_mode & 0o077:
        cause = f"others may read this secret (mode {path.stat().st_mode & 0o777:04o})"
        raise InputError(str(path), None, "", cause, f"run `chmod 600 {path}`, and think of a new key")
    if len(raw) != length:
        raise InputError(str(path), None, "", f"it has {len(raw)} bytes and not {length}", _LOST)
    return raw


def _fingerprint(path: Path) -> str:
    raw = read_file(path, _LOST)
    try:
        return fingerprint(raw)
    except ValueError:
        raise InputError(str(path), None, "", "it is no certificate", _LOST) from None
