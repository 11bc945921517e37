"""Passkeys: a person's own key, which never leaves its authenticator, and what it signs (WebAuthn level 2).

A post's certificate may name a passkey in place of an Ed25519 key. The signature of the post's messages is then an
*assertion*: the authenticator signs its own state and the browser's account of what was asked, and that account holds
the challenge, which is a digest of the very bytes that are to be signed. Whoever holds the certificate can check it.

Rules: the challenge has a domain of its own; the origin and the relying party are those that the certificate names; a
person was present and was verified (by a PIN, a finger, a face); a page inside another page asks for nothing. The
authenticator's count of signatures is checked where the post speaks (`noroshi.node.accept`), since it needs a memory.

    signature = assertion_bytes(Assertion(authenticator_data, client_data, raw_signature))
    defect(passkey, data, signature)          # '' or why it does not count

Sources: W3C, Web Authentication Level 2, sections 6.1, 6.5.6 and 7.2; RFC 8152, sections 8 and 13.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import msgspec
from fido2 import cbor

from noroshi.messages import canonical
from noroshi.messages.signing import PUBLIC_BYTES

CHALLENGE_DOMAIN = b"noroshi passkey 1\x00"

ES256, EDDSA = -7, -8
"""COSE numbers of the two signatures that are taken: ECDSA on P-256 with SHA-256, and Ed25519."""

MAX_CREDENTIAL_BYTES = 1023
"""Longest credential id that the standard allows."""

MAX_KEY_BYTES = 256
"""Longest COSE key: one on P-256 has 77 bytes."""

MAX_CLIENT_BYTES = 4096
MAX_AUTHENTICATOR_BYTES = 1024
MAX_SIGNATURE_BYTES = 256
"""Of one assertion: browsers write 200, 37 and 72 bytes; what is far longer is somebody's wish to fill the record."""

MAX_ORIGINS = 8
MAX_ORIGIN = 256
MAX_RP = 253

HEAD_BYTES = 37
"""Authenticator data begin with the digest of the relying party (32), flags (1) and the count of signatures (4)."""

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40
"""Flags of authenticator data: somebody was there; it was the right person; a new credential follows."""


class Passkey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A passkey as a certificate names it.

    credential: the authenticator's id of it; key: its public half, COSE; rp: the relying party, a host name; origins: of
    the pages that may ask for its signature, for example `http://localhost:8701`.
    """

    credential: bytes
    key: bytes
    rp: str
    origins: tuple[str, ...]

    @property
    def public(self) -> bytes:
        """What stands where other certificates have a public key: SHA-256 of the COSE key."""
        return hashlib.sha256(self.key).digest()


class Assertion(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What an authenticator gives: its state, the browser's account (JSON), and the signature over both."""

    authenticator_data: bytes
    client_data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Registered:
    """A new credential, as its authenticator described it: its id and its public half, COSE."""

    credential: bytes
    key: bytes


_ASSERTION = msgspec.msgpack.Decoder(Assertion)


def challenge_of(data: bytes) -> bytes:
    """What an authenticator is asked to sign for these bytes: SHA-256 behind a domain of its own."""
    return hashlib.sha256(CHALLENGE_DOMAIN + data).digest()


def assertion_bytes(assertion: Assertion) -> bytes:
    """The assertion as the signature of a message."""
    return canonical.encode(assertion)


def read_assertion(signature: bytes) -> Assertion | None:
    """The assertion in a signature, when it is one in canonical form and of a size that it can have."""
    if len(signature) > MAX_CLIENT_BYTES + MAX_AUTHENTICATOR_BYTES + MAX_SIGNATURE_BYTES:
        return None
    try:
        found = _ASSERTION.decode(signature)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    sizes = (
        HEAD_BYTES <= len(found.authenticator_data) <= MAX_AUTHENTICATOR_BYTES
        and len(found.client_data) <= MAX_CLIENT_BYTES
        and len(found.signature) <= MAX_SIGNATURE_BYTES
    )
    return found if sizes and canonical.encode(found) == signature else None


def count_of(signature: bytes) -> int:
    """How many signatures the authenticator says that it has made; 0 from one that does not count."""
    found = read_assertion(signature)
    return int.from_bytes(found.authenticator_data[33:HEAD_BYTES], "big") if found else 0


def defect(passkey: Passkey, data: bytes, signature: bytes) -> str:
    """Why an assertion is no signature of these bytes by this passkey; an empty text when it is one. Never raises."""
    found = read_assertion(signature)
    if found is None:
        return "malformed-assertion"
    reason = _account_defect(passkey, data, found.client_data)
    if reason:
        return reason
    head = found.authenticator_data
    if head[:32] != hashlib.sha256(passkey.rp.encode()).digest():
        return "passkey-of-another-party"
    if not head[32] & PRESENT:
        return "nobody-present"
    if not head[32] & VERIFIED:
        return "person-not-verified"
    signed = head + hashlib.sha256(found.client_data).digest()
    return "" if _is_signed(passkey.key, signed, found.signature) else "bad-signature"


def passkey_defect(passkey: Passkey, public: bytes) -> str:
    """What cannot be in a passkey of a certificate with this public key; an empty text when nothing is wrong."""
    sound = (
        0 < len(passkey.credential) <= MAX_CREDENTIAL_BYTES
        and len(passkey.key) <= MAX_KEY_BYTES
        and len(public) == PUBLIC_BYTES
        and public == passkey.public
        and 0 < len(passkey.rp) <= MAX_RP
        and 0 < len(passkey.origins) <= MAX_ORIGINS
        and all(0 < len(one) <= MAX_ORIGIN and one.isprintable() for one in passkey.origins)
    )
    return "" if sound and _cose(passkey.key) is not None else "impossible-passkey"


def registered(authenticator_data: bytes) -> Registered | str:
    """The credential that an authenticator has just made, or why these bytes hold none. Never raises."""
    if not HEAD_BYTES + 18 <= len(authenticator_data) <= 4 * MAX_AUTHENTICATOR_BYTES:
        return "malformed-registration"
    if not authenticator_data[32] & ATTESTED:
        return "no-credential-in-it"
    size = int.from_bytes(authenticator_data[HEAD_BYTES + 16 : HEAD_BYTES + 18], "big")
    rest = authenticator_data[HEAD_BYTES + 18 :]
    credential, rest = rest[:size], rest[size:]
    try:
        _, after = cbor.decode_from(rest)
    except Exception:  # noqa: BLE001  # the decoder of the library answers bad bytes with whatever Python raises
        return "malformed-registration"
    key = rest[: len(rest) - len(after)]
    if len(credential) != size or not 0 < size <= MAX_CREDENTIAL_BYTES or len(key) > MAX_KEY_BYTES:
        return "malformed-registration"
    return Registered(credential, key) if _cose(key) is not None else "unknown-algorithm"


def _account_defect(passkey: Passkey, data: bytes, client_data: bytes) -> str:
    """What is wrong with the browser's account of what it was asked."""
    try:
        account = json.loads(client_data)
        asked = base64.urlsafe_b64decode(str(account["challenge"]) + "==")
    except (ValueError, KeyError, TypeError, RecursionError):
        return "malformed-assertion"
    if account.get("type") != "webauthn.get":
        return "not-an-assertion"
    if asked != challenge_of(data):
        return "passkey-signed-something-else"
    if account.get("origin") not in passkey.origins or account.get("crossOrigin") not in (None, False):
        return "passkey-of-another-origin"
    return ""


def _cose(key: bytes) -> dict[int, Any] | None:
    """The fields of a COSE key whose signature is taken, when its point is on the curve; None for any other."""
    try:
        fields = cbor.decode(key)
        if not isinstance(fields, dict) or cbor.encode(fields) != key:
            return None
        _public_key(fields)
    except Exception:  # noqa: BLE001  # as in `registered`; and of whatever a key may hold there is no list
        return None
    return dict(fields)


def _public_key(fields: dict[int, Any]) -> Any:
    # Only who meets a passkey pays for the import of the curves, a tenth of a second.
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    match (fields[1], fields[3], fields[-1]):
        case (2, -7, 1):  # a key with two coordinates, ES256, P-256
            x, y = fields[-2], fields[-3]
            if len(x) != 32 or len(y) != 32:
                raise ValueError
            point = b"\x04" + x + y
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        case (1, -8, 6):  # an octet key pair, EdDSA, Ed25519
            return ed25519.Ed25519PublicKey.from_public_bytes(fields[-2])
    raise ValueError


def _is_signed(key: bytes, data: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    fields = _cose(key)
    if fields is None:
        return False
    public = _public_key(fields)
    try:
        if fields[3] == ES256:
            public.verify(signature, data, ec.ECDSA(hashes.SHA256()))
        else:
            public.verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
