"""Documents signed by a root: what is let in, and the one reason of each that is not."""

from __future__ import annotations

import msgspec
import pytest

from noroshi.messages import canonical
from noroshi.messages.rooted import open_rooted
from noroshi.messages.signing import Ed25519

DOMAIN = b"noroshi test document\x00"
SECRET = bytes(range(32))
SCHEME = Ed25519()
ROOT = SCHEME.public_key(SECRET)


class Outside(msgspec.Struct, frozen=True, array_like=True):
    payload: bytes
    signature: bytes


class Inside(msgspec.Struct, frozen=True, kw_only=True):
    partner: str
    number: int


def signed(payload: bytes, domain: bytes = DOMAIN, secret: bytes = SECRET) -> bytes:
    return canonical.encode(Outside(payload, SCHEME.sign(secret, domain + payload)))


GOOD = canonical.encode(Inside(partner="JPN", number=7))


def opened(raw: bytes, root: bytes = ROOT) -> Inside | str:
    outside, inside = msgspec.msgpack.Decoder(Outside), msgspec.msgpack.Decoder(Inside)
    return open_rooted(raw, outside, inside, DOMAIN, SCHEME, root)


def test_what_the_root_has_signed_is_opened() -> None:
    assert opened(signed(GOOD)) == Inside(partner="JPN", number=7)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "malformed"),
        (signed(GOOD)[:-1], "malformed"),
        (b"\x93" + signed(GOOD)[1:] + b"\xc0", "not-canonical"),
        (signed(GOOD, domain=b"noroshi another\x00"), "bad-signature"),
        (signed(GOOD, secret=bytes(32)), "bad-signature"),
        (canonical.encode(Outside(GOOD, b"short")), "bad-signature"),
        (signed(b"\xc0"), "malformed"),
        (signed(msgspec.msgpack.encode({"number": 7, "partner": "JPN", "more": 1})), "not-canonical"),
    ],
)
def test_what_is_not_so_is_refused_by_name(raw: bytes, reason: str) -> None:
    assert opened(raw) == reason


def test_an_empty_root_has_signed_nothing() -> None:
    assert opened(signed(GOOD), root=b"") == "bad-signature"
