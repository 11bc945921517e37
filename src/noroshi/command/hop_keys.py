"""Keys of last hops: one that its relays can work out too, or one of its own, under which it signs what it receives.

The first kind follows from the roster's secret, and a relay vouches for the receipts under it. A last hop that can sign
has a key that nobody else has; the partner's root signs the list of them, and nobody can give a receipt in its place.
What is signed are lines of text, so that a browser or a small machine can do it without any of our encodings.

    key = hop_key(roster_secret, "jp-towns", 3)
    receipt_code(key, of), hello_code(key, challenge)                       # codes that a relay can check
    scheme.sign(secret, receipt_text(realm, "jp-towns", 3, of))             # what only the last hop can give
    raw = sign_roster(Enrolled("jp-towns", 1, ((3, public),)), "JPN", realm, scheme, root_secret)
    open_roster(raw, scheme, root, partner="JPN", realm=realm)              # Enrolled, or why not
"""

from __future__ import annotations

import msgspec

from noroshi.messages import Scheme, canonical, derive
from noroshi.messages.bodies_reach import MAX_HOPS, MAX_NAME
from noroshi.messages.rooted import open_rooted

CODE_BYTES = 16
PUBLIC_BYTES = 32

ROSTER_DOMAIN = b"noroshi roster of last hops\x00"

MAX_ENROLLED = 16_384
"""Last hops of one roster with keys of their own: the list stays under the largest message, with room to spare."""


class Enrolled(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The last hops of a roster that sign, and their public keys, by rising number. A later version takes its place."""

    roster: str
    version: int
    keys: tuple[tuple[int, bytes], ...]

    @property
    def bits(self) -> int:
        """A bit for each of them."""
        bits = bytearray(MAX_HOPS // 8)
        for hop, _ in self.keys:
            bits[hop >> 3] |= 1 << (hop & 7)
        return int.from_bytes(bits, "little")


class _Signed(msgspec.Struct, frozen=True, array_like=True, tag="roster"):
    payload: bytes
    signature: bytes


class _Payload(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    partner: str
    realm: str
    enrolled: Enrolled


_SIGNED = msgspec.msgpack.Decoder(_Signed)
_PAYLOAD = msgspec.msgpack.Decoder(_Payload)


def sign_roster(given: Enrolled, partner: str, realm: str, scheme: Scheme, root_secret: bytes) -> bytes:
    """The bytes of a list as nodes and relays take it, signed by the partner's root."""
    payload = canonical.encode(_Payload(partner, realm, given))
    return canonical.encode(_Signed(payload, scheme.sign(root_secret, ROSTER_DOMAIN + payload)))


def is_roster(raw: bytes) -> bool:
    """Whether these bytes want to be a signed list of last hops, whoever signed them."""
    try:
        _SIGNED.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return True


def open_roster(raw: bytes, scheme: Scheme, root: bytes, *, partner: str, realm: str) -> Enrolled | str:
    """The list in signed bytes, or why it is refused."""
    payload = open_rooted(raw, _SIGNED, _PAYLOAD, ROSTER_DOMAIN, scheme, root)
    if isinstance(payload, str):
        return payload
    if (payload.partner, payload.realm) != (partner, realm):
        return "foreign-roster"
    return payload.enrolled if enrolled_defect(payload.enrolled) == "" else "unusable-roster"


def enrolled_defect(given: Enrolled) -> str:
    """What cannot be in a list of last hops that sign, or an empty text."""
    hops = [hop for hop, _ in given.keys]
    if not 0 < len(given.roster) <= MAX_NAME or not given.roster.isprintable() or given.version < 1:
        return "it names no roster, or has no version"
    if len(hops) > MAX_ENROLLED:
        return f"it has {len(hops)} last hops, at most {MAX_ENROLLED}"
    if hops != sorted(set(hops)) or any(not 0 <= hop < MAX_HOPS for hop in hops):
        return "its last hops are not in order, or are none"
    if len({key for _, key in given.keys}) != len(hops):
        return "two last hops have one key"
    return "" if all(len(key) == PUBLIC_BYTES for _, key in given.keys) else "a key that is none"


def hop_key(secret: bytes, roster: str, hop: int) -> bytes:
    """The key of a last hop, which its relays can work out and nobody else."""
    return derive(secret, "last hop", roster, hop)


def receipt_code(key: bytes, of: bytes) -> bytes:
    """What a last hop sends as its receipt of a message: only the holder of its key can."""
    return derive(key, "receipt", of)[:CODE_BYTES]


def hello_code(key: bytes, challenge: bytes) -> bytes:
    """What a last hop answers to a relay's challenge."""
    return derive(key, "hello", challenge)[:CODE_BYTES]


def receipt_text(realm: str, roster: str, hop: int, of: bytes) -> bytes:
    """What a last hop with a key of its own signs when it has received the message `of`."""
    return _lines("noroshi last hop receipt", realm, roster, hop, of.hex())


def hello_text(realm: str, roster: str, hop: int, relay: str, challenge: bytes) -> bytes:
    """What it signs to say who it is, to this relay only."""
    return _lines("noroshi last hop hello", realm, roster, hop, relay, challenge.hex())


def enrol_text(realm: str, roster: str, hop: int, public: bytes) -> bytes:
    """What it signs to show that it has the key that is to be enrolled for it."""
    return _lines("noroshi last hop enrols", realm, roster, hop, public.hex())


def _lines(*parts: str | int) -> bytes:
    return "".join(f"{part}\n" for part in parts).encode()
