"""Passkeys: what an authenticator signs carries a post's message, and nothing else does."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec
import pytest
from fido2 import cbor

from noroshi.messages import Certificate, Envelope, Message, Refused, Unverified, certify, key_id, verify
from noroshi.messages.bodies import RemarkBody
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import Signed, claim, signing_bytes
from noroshi.messages.keys import (
    Bundle,
    Request,
    Revocation,
    Revoked,
    bundle_bytes,
    defect,
    read_bundle,
    read_request,
    signed,
    signed_bytes,
)
from noroshi.messages.passkeys import (
    EDDSA,
    ES256,
    PRESENT,
    VERIFIED,
    Assertion,
    assertion_bytes,
    count_of,
    passkey_defect,
    read_assertion,
    registered,
)
from noroshi.messages.passkeys import defect as passkey_signature_defect
from tests.messages.authenticator import Authenticator
from tests.messages.conftest import REALM, YEAR_NS, Party, make_envelope

POST = "jp-cabsec.person"
DATA = b"what is signed"


def carded(party: Party, device: Authenticator) -> Certificate:
    """The root certifies the post's passkey."""
    bare = Certificate(
        realm=REALM, partner="JPN", role="post", subject=POST, public=device.passkey.public, not_before_ns=0,
        not_after_ns=YEAR_NS, unit="jp-cabsec", passkey=device.passkey,
    )  # fmt: skip
    made = certify(party.scheme, party.root, bare)
    assert party.trust.admit(made) == ""
    return made


def spoken(device: Authenticator, signature: bytes | None = None) -> tuple[bytes, bytes]:
    """A remark of the post, and the bytes that were signed."""
    body = msgspec.Raw(encode(RemarkBody(unit="jp-cabsec", text="hello")))
    envelope: Envelope = make_envelope(kind="remark", post=POST, unit="jp-cabsec", body=body)
    payload = encode(envelope)
    data = signing_bytes(REALM, payload)
    sign = device.sign(data) if signature is None else signature
    return encode(Signed(payload, key_id(device.passkey.public), sign)), data


@pytest.mark.parametrize("algorithm", [ES256, EDDSA])
def test_a_post_speaks_with_its_passkey(party: Party, algorithm: int) -> None:
    device = Authenticator(algorithm=algorithm)
    carded(party, device)
    raw, _ = spoken(device)
    outcome = verify(Unverified(raw), party.trust, 2 * 10**9)
    assert isinstance(outcome, Message)
    assert outcome.envelope.post == POST
    assert outcome.signer.passkey == device.passkey
    assert claim(Unverified(raw), party.trust, 2 * 10**9) is None, (
        "nothing is worked ahead with another scheme"
    )


def test_no_signature_of_an_ordinary_key_passes_for_a_passkey(party: Party) -> None:
    device = Authenticator()
    carded(party, device)
    _, data = spoken(device)
    raw, _ = spoken(device, party.scheme.sign(party.secrets["jp-pm.duty"], data))
    outcome = verify(Unverified(raw), party.trust, 2 * 10**9)
    assert isinstance(outcome, Refused)
    assert outcome.reason == "malformed-assertion"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "webauthn.create"}, "not-an-assertion"),
        ({"challenge": "AAAA"}, "passkey-signed-something-else"),
        ({"challenge": 5}, "malformed-assertion"),
        ({"origin": "https://evil.example"}, "passkey-of-another-origin"),
        ({"crossOrigin": True}, "passkey-of-another-origin"),
        ({"rp": "evil.example"}, "passkey-of-another-party"),
        ({"flags": VERIFIED}, "nobody-present"),
        ({"flags": PRESENT}, "person-not-verified"),
    ],
)
def test_an_assertion_for_anything_else_is_refused_by_name(changes: dict[str, Any], reason: str) -> None:
    device = Authenticator()
    assert passkey_signature_defect(device.passkey, DATA, device.sign(DATA)) == ""
    assert passkey_signature_defect(device.passkey, DATA, device.sign(DATA, **changes)) == reason


def test_another_device_another_text_and_every_flipped_bit_are_refused() -> None:
    device, other = Authenticator(), Authenticator(number=2)
    good = device.sign(DATA)
    assert passkey_signature_defect(device.passkey, DATA, other.sign(DATA)) == "bad-signature"
    assert passkey_signature_defect(device.passkey, DATA + b"!", good) == "passkey-signed-something-else"
    for place in range(len(good)):
        torn = bytearray(good)
        torn[place] ^= 1 << place % 8
        assert passkey_signature_defect(device.passkey, DATA, bytes(torn)), place
    for upto in range(0, len(good), 7):
        assert passkey_signature_defect(device.passkey, DATA, good[:upto]) == "malformed-assertion"


def test_what_no_authenticator_writes_is_not_looked_at() -> None:
    device = Authenticator()
    whole = read_assertion(device.sign(DATA))
    assert whole is not None
    for changes in (
        {"client_data": b"[" * 5000},
        {"signature": bytes(300)},
        {"authenticator_data": bytes(36)},
    ):
        signature = assertion_bytes(msgspec.structs.replace(whole, **changes))
        assert passkey_signature_defect(device.passkey, DATA, signature) == "malformed-assertion"
    nested = assertion_bytes(Assertion(whole.authenticator_data, b"[" * 4000, whole.signature))
    assert passkey_signature_defect(device.passkey, DATA, nested) == "malformed-assertion"


def test_the_count_is_read_from_what_was_signed() -> None:
    device = Authenticator()
    assert [count_of(device.sign(DATA)) for _ in range(3)] == [1, 2, 3]
    assert count_of(Authenticator(counts=False).sign(DATA)) == 0
    assert count_of(b"none") == 0


def off_curve(device: Authenticator) -> bytes:
    fields = cbor.decode(device.key)
    assert isinstance(fields, dict)
    return bytes(cbor.encode({**fields, -2: bytes(32)}))


@pytest.mark.parametrize("what", ["off-curve", "rsa", "digest", "no-origin", "rp", "role", "credential"])
def test_a_certificate_with_an_impossible_passkey_is_none(party: Party, what: str) -> None:
    device = Authenticator()
    role: Literal["node", "post"] = "post"
    passkey = device.passkey
    if what == "off-curve":
        passkey = msgspec.structs.replace(passkey, key=off_curve(device))
    elif what == "rsa":
        passkey = msgspec.structs.replace(
            passkey, key=bytes(cbor.encode({1: 3, 3: -257, -1: b"n" * 32, -2: b"e"}))
        )
    elif what == "no-origin":
        passkey = msgspec.structs.replace(passkey, origins=())
    elif what == "rp":
        passkey = msgspec.structs.replace(passkey, rp="")
    elif what == "credential":
        passkey = msgspec.structs.replace(passkey, credential=b"")
    elif what == "role":
        role = "node"
    public = b"p" * 32 if what == "digest" else passkey.public
    bare = Certificate(
        realm=REALM, partner="JPN", role=role, subject=POST, public=public, not_before_ns=0, not_after_ns=YEAR_NS,
        unit="jp-cabsec", passkey=passkey,
    )  # fmt: skip
    assert defect(bare) == "impossible-statement"
    assert party.trust.admit(certify(party.scheme, party.root, bare)) == "impossible-statement"
    assert (passkey_defect(passkey, public) == "") == (what == "role")


def test_a_passkey_travels_in_a_bundle_and_is_taken_back_like_any_key(party: Party) -> None:
    device = Authenticator()
    card = carded(party, device)
    again = read_bundle(bundle_bytes(Bundle(certificates=(card,))))
    assert isinstance(again, Bundle)
    assert again.certificates == (card,)
    bare = Revocation(
        realm=REALM, partner="JPN", number=1, time_ns=1, keys=(Revoked(key=key_id(device.passkey.public)),)
    )
    assert party.trust.apply(signed(party.scheme, party.root, bare)) == ""
    outcome = verify(Unverified(spoken(device)[0]), party.trust, 2 * 10**9)
    assert isinstance(outcome, Refused)
    assert outcome.reason == "revoked-key"


def asked(device: Authenticator) -> Request:
    bare = Request(
        realm=REALM, partner="JPN", role="post", subject=POST, unit="jp-cabsec", public=device.passkey.public,
        passkey=device.passkey,
    )  # fmt: skip
    return msgspec.structs.replace(bare, signature=device.sign(signed_bytes(bare)))


def test_a_request_proves_that_the_passkey_is_there(party: Party) -> None:
    device = Authenticator()
    good = asked(device)
    assert read_request(encode(good), party.scheme) == good
    other = msgspec.structs.replace(good, subject="jp-cabsec.other")
    assert read_request(encode(other), party.scheme) == "passkey-signed-something-else"
    stolen = msgspec.structs.replace(good, signature=party.scheme.sign(party.root, signed_bytes(good)))
    assert read_request(encode(stolen), party.scheme) == "malformed-assertion"


@pytest.mark.parametrize("algorithm", [ES256, EDDSA])
def test_a_new_credential_is_read_from_what_its_authenticator_says(algorithm: int) -> None:
    device = Authenticator(algorithm=algorithm)
    made = device.made()
    found = registered(made)
    assert not isinstance(found, str)
    assert (found.credential, found.key) == (device.credential, device.key)
    assert registered(made + cbor.encode({"credProtect": 2})) == found, "extensions may follow"
    for upto in range(len(made)):
        assert isinstance(registered(made[:upto]), str), upto
    assert registered(hashlib.sha256(b"rp").digest() + bytes(80)) == "no-credential-in-it"
    assert registered(bytes(10_000)) == "malformed-registration"
