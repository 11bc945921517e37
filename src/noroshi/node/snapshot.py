"""Snapshots: a node's whole state after one record, signed by the node, so that a restart need not do all again.

A snapshot is a manifest and parts. The manifest names the record that it follows, the first record, and the parts by
their SHA-256; what has not changed since the last snapshot has the same name and need not be written again. Equal
states give equal bytes. Nothing is believed that this node has not signed: whoever can write to the disk cannot make
the node know what it never heard.

    taken = snapshot_of(state)
    state = opened("jpn/record.db", taken, secrets, places)
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import msgspec

from noroshi.errors import LocalError
from noroshi.geo.places import PlaceTable
from noroshi.log import Chain, Snapshot
from noroshi.messages.canonical import encode
from noroshi.node.inputs import Genesis, Secrets, decode_input, encode_input
from noroshi.node.saved import Saved, fill, save
from noroshi.node.state import State, scheme_named

VERSION = 3
"""Of the form of a snapshot. 1: without recalls; 2: with them; 3: with what the kinds of messages of version
3 leave, each field of which has a default. Of a newer one nothing is read: the node then takes its
state from the whole log.
"""

OLDEST = 1
"""The oldest form that is read: what it does not have is as in a node that has not heard of it."""

DOMAIN = b"noroshi snapshot 1\x00"


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a snapshot consists of.

    sequence, head: the last record that it covers; genesis, state: the parts that hold the body of the first record and
    the state's own fields; parts: all of them, by their SHA-256.
    """

    version: int
    sequence: int
    head: bytes
    genesis: bytes
    state: bytes
    parts: tuple[bytes, ...]


class SnapshotError(LocalError):
    """A snapshot that cannot be used: damaged, forged, of another node, or of another version."""

    def __init__(self, subject: str, cause: str) -> None:
        super().__init__(
            "use the snapshot",
            subject=subject,
            cause=cause,
            hint="a replay of the whole log gives the same state, as long as retention has left it whole",
        )


_MANIFEST = msgspec.msgpack.Decoder(Manifest)
_STATE = msgspec.msgpack.Decoder(Saved)


def dump(state: State) -> tuple[bytes, dict[bytes, bytes]]:
    """The manifest's bytes, and the parts by their digests."""
    parts: dict[bytes, bytes] = {}

    def put(data: bytes, digest: bytes = b"") -> bytes:
        digest = digest or sha256(data).digest()
        parts[digest] = data
        return digest

    genesis = put(encode_input(state.genesis)[1])
    own = put(encode(save(state, put)))
    chain = state.chain
    return encode(Manifest(VERSION, chain.sequence, chain.head, genesis, own, tuple(parts))), parts


def load(manifest: bytes, parts: Mapping[bytes, bytes], secrets: Secrets, places: PlaceTable) -> State:
    """The state that `dump` gave, of parts that are known to be whole. Raises SnapshotError where they do not fit."""
    named = _manifest("", manifest)
    return _load("", named, _genesis("", parts[named.genesis]), parts, secrets, places)


def snapshot_of(state: State) -> Snapshot:
    """The state after its last record, signed."""
    manifest, parts = dump(state)
    signature = state.scheme.sign(state.secrets.signing, _signed(state.genesis.realm, manifest))
    return Snapshot(state.chain.sequence, state.chain.head, manifest, signature, parts)


def opened(subject: str, snapshot: Snapshot, secrets: Secrets, places: PlaceTable) -> State:
    """The state that this node has signed. subject names the record in errors.

    Raises SnapshotError when a part is damaged or missing, when somebody else has made it, when it is of another
    version, or when it does not belong to these places.
    """
    named = _manifest(subject, snapshot.manifest)
    if (named.sequence, named.head) != (snapshot.sequence, snapshot.head):
        raise SnapshotError(subject, "it is of another record than it says")
    for digest in named.parts:
        part = snapshot.parts.get(digest)
        if part is None or sha256(part).digest() != digest:
            raise SnapshotError(
                subject, f"its part {digest.hex()[:16]} is {'missing' if part is None else 'damaged'}"
            )
    if not {named.genesis, named.state} <= set(named.parts):
        raise SnapshotError(subject, "its manifest does not name all of it")
    genesis = _genesis(subject, snapshot.parts[named.genesis])
    scheme = scheme_named(genesis.scheme, genesis.realm)
    public = scheme.public_key(secrets.signing)
    if not scheme.verify(public, _signed(genesis.realm, snapshot.manifest), snapshot.signature):
        raise SnapshotError(subject, "it is not signed with the key of this node")
    if genesis.places_digest != places.digest:
        raise SnapshotError(subject, "the table of places is not the one that it was made with")
    return _load(subject, named, genesis, snapshot.parts, secrets, places)


def _load(
    subject: str,
    named: Manifest,
    genesis: Genesis,
    parts: Mapping[bytes, bytes],
    secrets: Secrets,
    places: PlaceTable,
) -> State:
    state = State(genesis, secrets, places)
    try:
        fill(state, _STATE.decode(parts[named.state]), parts.__getitem__)
    except (msgspec.MsgspecError, LookupError, ValueError) as error:
        raise SnapshotError(subject, f"its parts do not fit together: {error!r}") from None
    state.chain = Chain(named.sequence, named.head)
    return state


def _manifest(subject: str, data: bytes) -> Manifest:
    try:
        version = msgspec.msgpack.decode(data, type=_Version).version
        if not OLDEST <= version <= VERSION:
            raise SnapshotError(
                subject, f"it has the form {version}, and this program reads {OLDEST} to {VERSION}"
            )
        return _MANIFEST.decode(data)
    except msgspec.MsgspecError as error:
        raise SnapshotError(subject, f"its manifest is damaged: {error}") from None


def _genesis(subject: str, body: bytes) -> Genesis:
    try:
        genesis = decode_input(body)
    except msgspec.MsgspecError as error:
        raise SnapshotError(subject, f"its first record is damaged: {error}") from None
    if not isinstance(genesis, Genesis):
        raise SnapshotError(subject, "its first record is none")
    return genesis


def _signed(realm: str, manifest: bytes) -> bytes:
    """What is signed: a domain of its own, the realm, and the manifest."""
    return DOMAIN + realm.encode() + b"\x00" + manifest


class _Version(msgspec.Struct, frozen=True):
    """As much of a manifest as every version of it has."""

    version: int
