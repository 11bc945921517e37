"""Signatures behind one interface: Ed25519 for everything real, a keyed hash for mass simulation.

`KeyedHash` accepts and refuses exactly like Ed25519 as long as nobody forges: its key is public. It exists so
that thousands of simulated crises need not spend their time on curve arithmetic, and no real realm takes it.

    scheme = Ed25519()
    public = scheme.public_key(secret)
    scheme.verify(public, b"text", scheme.sign(secret, b"text"))      # True
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from nacl import bindings
from nacl.exceptions import BadSignatureError

SECRET_BYTES = 32
PUBLIC_BYTES = 32
SIGNATURE_BYTES = 64
ID_BYTES = 16


class Scheme(Protocol):
    """A signature scheme. `secret` is a 32-byte seed, `public` 32 bytes, a signature 64 bytes."""

    @property
    def name(self) -> str:
        """The scheme's name in a node's genesis."""
        ...

    def public_key(self, secret: bytes) -> bytes:
        """The public key of a secret seed."""
        ...

    def sign(self, secret: bytes, data: bytes) -> bytes:
        """A deterministic signature of `data`."""
        ...

    def verify(self, public: bytes, data: bytes, signature: bytes) -> bool:
        """Whether `signature` of `data` was made with the secret of `public`; never raises on bad bytes."""
        ...


MAX_EXPECTED = 8192
"""Signatures that are expected, or were found good ahead, at a time: more than wait of all partners for one group of
commits; 8 MB with messages of the usual size.
"""


class Ed25519:
    """RFC 8032 signatures by libsodium. Keeps expanded secret keys of the seeds it was given.

    Whoever knows that a signature will be looked at soon may `expect` it; another thread may then `work_ahead`, newest
    first, while libsodium leaves Python to others. `verify` answers the same, whatever was done ahead of it.
    """

    name = "ed25519"

    def __init__(self) -> None:
        self._expanded: dict[bytes, tuple[bytes, bytes]] = {}
        self._expected: dict[bytes, tuple[bytes, bytes]] = {}
        self._good: dict[bytes, tuple[bytes, bytes]] = {}

    def _expand(self, secret: bytes) -> tuple[bytes, bytes]:
        pair = self._expanded.get(secret)
        if pair is None:
            pair = self._expanded[secret] = bindings.crypto_sign_seed_keypair(secret)
        return pair

    def public_key(self, secret: bytes) -> bytes:
        return self._expand(secret)[0]

    def sign(self, secret: bytes, data: bytes) -> bytes:
        return bindings.crypto_sign(data, self._expand(secret)[1])[:SIGNATURE_BYTES]

    def verify(self, public: bytes, data: bytes, signature: bytes) -> bool:
        if self._expected or self._good:
            self._expected.pop(signature, None)
            if self._good.pop(signature, None) == (public, data):
                return True
        return self._is_good(public, data, signature)

    def expect(self, public: bytes, data: bytes, signature: bytes) -> bool:
        """Says that these will be verified soon; whether that is noted, since only so many are."""
        if len(self._expected) >= MAX_EXPECTED:
            return False
        self._expected[signature] = (public, data)
        return True

    def work_ahead(self) -> bool:
        """Verifies one that is expected, on any thread; whether there was one. Only good ones are remembered, and once.

        The newest is first: the thread that handles messages takes the oldest, and the two do not meet before the end.
        """
        try:
            signature, (public, data) = self._expected.popitem()
        except KeyError:
            return False
        if self._is_good(public, data, signature):
            if len(self._good) >= MAX_EXPECTED:  # left over by those that were verified twice
                self._good.clear()
            self._good[signature] = (public, data)
        return True

    def _is_good(self, public: bytes, data: bytes, signature: bytes) -> bool:
        if len(public) != PUBLIC_BYTES or len(signature) != SIGNATURE_BYTES:
            return False
        try:
            bindings.crypto_sign_open(signature + data, public)
        except (BadSignatureError, ValueError):
            return False
        return True


class KeyedHash:
    """BLAKE2b keyed with the public key: the same accepts and refusals, no protection against a forger."""

    name = "keyed-hash"

    def public_key(self, secret: bytes) -> bytes:
        return hashlib.blake2b(secret, digest_size=PUBLIC_BYTES, person=b"noroshi-public").digest()

    def sign(self, secret: bytes, data: bytes) -> bytes:
        return hashlib.blake2b(data, digest_size=SIGNATURE_BYTES, key=self.public_key(secret)).digest()

    def verify(self, public: bytes, data: bytes, signature: bytes) -> bool:
        if len(public) != PUBLIC_BYTES:
            return False
        return hashlib.blake2b(data, digest_size=SIGNATURE_BYTES, key=public).digest() == signature


def key_id(public: bytes) -> bytes:
    """The 16-byte name of a public key: the head of its SHA-256."""
    return hashlib.sha256(public).digest()[:ID_BYTES]


def derive(secret: bytes, purpose: str, *parts: str | int | bytes) -> bytes:
    """32 bytes keyed by a purpose and its parts, never by call order (BLAKE2b keyed with `secret`).

    Used for ids that tell nothing, for exercise keys from a seed, and for every simulated draw.
    """
    text = b"\x00".join(_part(part) for part in (purpose, *parts))
    return hashlib.blake2b(text, digest_size=32, key=secret, person=b"noroshi-derive").digest()


def _part(part: str | int | bytes) -> bytes:
    raw = part if isinstance(part, bytes) else str(part).encode()
    return len(raw).to_bytes(4, "big") + raw
