"""What a root, and the persons who pin it, say about keys: values that travel as bytes and are signed for one realm.

A *certificate* says who holds a key; a *revocation* lists all keys that count no more; a *replacement* hands over from
one root to the next; a *pin* is what two persons of one's own side have compared. Each has a domain of its own in what
is signed, so that no signature of one fits another. `noroshi.messages.trust` says what follows from a set of them.

    card = certify(scheme, root_secret, Certificate(realm=..., role="node", subject="jpn", ...))
    raw = bundle_bytes(Bundle(certificates=(card,)))
"""

from __future__ import annotations

import hashlib
from typing import Literal, TypeVar

import msgspec

from noroshi.clock import NEVER
from noroshi.messages import canonical, passkeys
from noroshi.messages.passkeys import Passkey
from noroshi.messages.signing import ID_BYTES, PUBLIC_BYTES, Scheme, key_id

REAL = "real"
EXERCISE_PREFIX = "exercise:"

Role = Literal["node", "post", "control", "relay"]

MAX_NAME = 128
"""Longest name of a subject, a unit or a person, characters: the longest of the packaged structures has 40."""

MAX_KEYS = 4096
"""Keys in one list: a partner with a thousand posts may change all keys three times under one root."""

MAX_IN_BUNDLE = 1024
"""Statements in one bundle: as many are checked in 0.2 s, once."""

MAX_ROOTS = 32
"""Replacements of one partner's roots: a root a year for a generation. Each root is tried on each statement."""


def is_realm(text: str) -> bool:
    """`real`, or `exercise:` and a name of letters, digits, dot, dash."""
    name = text.removeprefix(EXERCISE_PREFIX)
    if text == REAL:
        return True
    return (
        name != text
        and 0 < len(name) <= 64
        and name.isascii()
        and all(c.isalnum() or c in ".-" for c in name)
    )


class Statement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all statements share: the realm they hold in, the partner whose keys they are about, a signature."""

    realm: str
    partner: str
    signature: bytes = b""


class Certificate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who holds a key: a node, a post, a relay, or exercise control. Signed by the partner's root of that realm.

    subject: the node's name, the post's name, or `control`; unit: the post's unit. serial: the root's own count, from 1;
    left out of the bytes where a root counts nothing, as in an exercise. Of two certificates the higher serial is the
    newer. passkey: of a post whose key is a passkey; `public` is then the digest of that key.
    """

    realm: str
    partner: str
    role: Role
    subject: str
    public: bytes
    not_before_ns: int
    not_after_ns: int
    unit: str = ""
    signature: bytes = b""
    serial: int | msgspec.UnsetType = msgspec.UNSET
    passkey: Passkey | msgspec.UnsetType = msgspec.UNSET

    @property
    def number(self) -> int:
        """The serial; 0 where there is none."""
        return 0 if self.serial is msgspec.UNSET else self.serial

    @property
    def holder(self) -> tuple[str, str, str]:
        """Whom it names: role, subject, unit."""
        return self.role, self.subject, self.unit

    def signed_bytes(self) -> bytes:
        """What the root signs: all but the signature, behind a domain of its own."""
        return signed_bytes(self)


class Request(Statement, frozen=True, kw_only=True):
    """What a root is asked to certify. Signed with the key itself, by an assertion where it is a passkey: nobody asks
    for a key that is another's.
    """

    role: Role
    subject: str
    public: bytes
    unit: str = ""
    passkey: Passkey | msgspec.UnsetType = msgspec.UNSET


class Revoked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key that counts no more. since_ns: from when on it may have been in other hands; 0 says nothing."""

    key: bytes
    since_ns: int = 0


class Revocation(Statement, frozen=True, kw_only=True):
    """All keys that a root has ever taken back. number: rises with each list, so that an old one is known as old."""

    number: int
    time_ns: int
    keys: tuple[Revoked, ...]


class Replacement(Statement, frozen=True, kw_only=True):
    """A root hands over to the next. Signed by both, so that neither can be drawn in unasked.

    old, new: the roots' public keys. keeps: ids of the keys whose certificates under the old root hold on until
    `ends_ns`; whatever else the old root signs, whenever it is dated, counts no more.
    """

    old: bytes
    new: bytes
    time_ns: int
    ends_ns: int
    keeps: tuple[bytes, ...]
    accepted: bytes = b""


class Pin(Statement, frozen=True, kw_only=True):
    """Two persons have compared a partner's root, or the certificate of its links, with what the partner read out.

    Holds at one node only, and is signed with a key of that node: `own` and `node` name it, `key` is the key's id.
    value: the root's public key, or SHA-256 of the link certificate. number: rises with each pin of that partner. What
    earlier roots have certified holds on until `ends_ns`, for the keys in `keeps` only.
    """

    own: str
    node: str
    what: Literal["root", "link"]
    number: int
    value: bytes
    persons: tuple[str, str]
    time_ns: int
    ends_ns: int = 0
    keeps: tuple[bytes, ...] = ()
    key: bytes = b""


class Bundle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="trust"):
    """Statements that travel together. One under a new root goes with the replacements that lead to that root.

    root: the root that has made them, for those who are about to pin it; nobody believes it for standing here.
    """

    replacements: tuple[Replacement, ...] = ()
    pins: tuple[Pin, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    revocations: tuple[Revocation, ...] = ()
    root: bytes = b""

    def __len__(self) -> int:
        return len(self.replacements) + len(self.pins) + len(self.certificates) + len(self.revocations)


AnyStatement = Certificate | Request | Revocation | Replacement | Pin
T = TypeVar("T", Certificate, Request, Revocation, Replacement, Pin)

_DOMAINS = {
    Certificate: b"noroshi certificate 1\x00",
    Request: b"noroshi request 1\x00",
    Revocation: b"noroshi revocation 1\x00",
    Replacement: b"noroshi replacement 1\x00",
    Pin: b"noroshi pin 1\x00",
}
_ROOT_DOMAIN = b"noroshi root 1\x00"
_BUNDLE = msgspec.msgpack.Decoder(Bundle)
_REQUEST = msgspec.msgpack.Decoder(Request)


def signed_bytes(statement: AnyStatement) -> bytes:
    """What is signed: a domain, then the canonical bytes with empty signatures."""
    bare = msgspec.structs.replace(statement, signature=b"")
    if isinstance(bare, Replacement):
        bare = msgspec.structs.replace(bare, accepted=b"")
    return _DOMAINS[type(statement)] + canonical.encode(bare)


def signed(scheme: Scheme, secret: bytes, statement: T) -> T:
    """The statement with the signature of this secret's key."""
    return msgspec.structs.replace(statement, signature=scheme.sign(secret, signed_bytes(statement)))


def certify(scheme: Scheme, root_secret: bytes, certificate: Certificate) -> Certificate:
    """The certificate, signed by the root whose secret this is."""
    return signed(scheme, root_secret, certificate)


def replace_root(scheme: Scheme, old_secret: bytes, new_secret: bytes, bare: Replacement) -> Replacement:
    """The replacement, signed by the old root and accepted by the new one."""
    accepted = scheme.sign(new_secret, signed_bytes(bare))
    return msgspec.structs.replace(signed(scheme, old_secret, bare), accepted=accepted)


def fingerprint(realm: str, partner: str, root: bytes) -> str:
    """SHA-256, hexadecimal, of a root as what it is: this realm's, of this partner. What two persons compare."""
    return hashlib.sha256(_ROOT_DOMAIN + canonical.encode([realm, partner, root])).hexdigest()


def bundle_bytes(bundle: Bundle) -> bytes:
    """The bundle's canonical bytes: what goes into files and over links."""
    return canonical.encode(bundle)


def is_bundle(raw: bytes) -> bool:
    """Whether bytes may be a bundle; a signed message is an array and never is one."""
    return raw[:1] != b"" and (raw[0] & 0xF0 == 0x80 or raw[0] in (0xDE, 0xDF))


def read_bundle(raw: bytes) -> Bundle | str:
    """The bundle in these bytes, whose signatures are not looked at yet; or why it is none. Never raises."""
    if len(raw) > canonical.MAX_BYTES:
        return "too-long"
    try:
        bundle = _BUNDLE.decode(raw)
        if canonical.encode(bundle) != raw:
            return "not-canonical"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "malformed"
    too_many = len(bundle) > MAX_IN_BUNDLE or len(bundle.replacements) > MAX_ROOTS
    return "too-many-statements" if too_many else bundle


def read_request(raw: bytes, scheme: Scheme) -> Request | str:
    """The request in these bytes, when its own key has signed it; or why it is none. Never raises."""
    if len(raw) > canonical.MAX_BYTES:
        return "too-long"
    try:
        request = _REQUEST.decode(raw)
        if canonical.encode(request) != raw:
            return "not-canonical"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "malformed"
    if defect(request):
        return defect(request)
    if request.passkey is not msgspec.UNSET:
        return passkeys.defect(request.passkey, signed_bytes(request), request.signature) or request
    if not scheme.verify(request.public, signed_bytes(request), request.signature):
        return "bad-request"
    return request


def defect(statement: AnyStatement) -> str:
    """What cannot be in a statement, whoever signed it; an empty text when nothing is wrong."""
    match statement:
        case Certificate() | Request():
            sound = len(statement.public) == PUBLIC_BYTES and _named(statement.subject)
            sound = sound and len(statement.unit) <= MAX_NAME
            if statement.passkey is not msgspec.UNSET:
                reason = passkeys.passkey_defect(statement.passkey, statement.public)
                sound = sound and statement.role == "post" and not reason
            if isinstance(statement, Certificate):
                sound = sound and statement.number >= 0
                sound = sound and 0 <= statement.not_before_ns <= statement.not_after_ns <= NEVER
        case Revocation():
            sound = statement.number > 0 and _times(
                statement.time_ns, *(one.since_ns for one in statement.keys)
            )
            sound = sound and _ids([one.key for one in statement.keys])
        case Replacement():
            sound = (
                len(statement.old) == len(statement.new) == PUBLIC_BYTES and statement.old != statement.new
            )
            sound = sound and _times(statement.time_ns, statement.ends_ns) and _ids(statement.keeps)
        case Pin():
            one, other = (" ".join(person.split()).casefold() for person in statement.persons)
            sound = all(map(_named, statement.persons)) and one != other
            sound = sound and len(statement.value) == PUBLIC_BYTES and len(statement.key) == ID_BYTES
            sound = sound and statement.number > 0 and _ids(statement.keeps)
            sound = sound and _times(statement.time_ns, statement.ends_ns)
    return "" if sound else "impossible-statement"


def key_of(statement: Certificate | Request) -> bytes:
    """The id of the key that a certificate or a request is about."""
    return key_id(statement.public)


def _named(text: str) -> bool:
    return len(text.strip()) > 0 and len(text) <= MAX_NAME and text.isprintable()


def _times(*times_ns: int) -> bool:
    return all(0 <= one <= NEVER for one in times_ns)


def _ids(keys: list[bytes] | tuple[bytes, ...]) -> bool:
    return len(keys) <= MAX_KEYS and all(len(one) == ID_BYTES for one in keys)
