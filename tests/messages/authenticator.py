"""A software authenticator: what a passkey's device and a browser do together, with its own keys and its own count.

device = Authenticator("localhost", "http://localhost:8701")
signature = device.sign(data)                    # an assertion over these bytes, as the signature of a message
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from fido2 import cbor

from noroshi.messages.passkeys import (
    ATTESTED,
    EDDSA,
    ES256,
    PRESENT,
    VERIFIED,
    Assertion,
    Passkey,
    assertion_bytes,
    challenge_of,
)

RP, ORIGIN = "localhost", "http://localhost:8701"


class Authenticator:
    """One device with one passkey. counts: whether it counts its signatures."""

    def __init__(
        self,
        rp: str = RP,
        origin: str = ORIGIN,
        *,
        algorithm: int = ES256,
        number: int = 1,
        counts: bool = True,
    ) -> None:
        self.rp, self.origin, self.algorithm = rp, origin, algorithm
        self.credential = hashlib.sha256(f"credential {number}".encode()).digest()
        self.count = 0
        self._counts = counts
        self._curve = ec.derive_private_key(number + 12345, ec.SECP256R1())
        self._edwards = ed25519.Ed25519PrivateKey.from_private_bytes(hashlib.sha256(bytes([number])).digest())

    @property
    def key(self) -> bytes:
        """Its public half, COSE."""
        if self.algorithm == EDDSA:
            raw = self._edwards.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw
            )
            return bytes(cbor.encode({1: 1, 3: EDDSA, -1: 6, -2: raw}))
        numbers = self._curve.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        return bytes(cbor.encode({1: 2, 3: ES256, -1: 1, -2: x, -3: y}))

    @property
    def passkey(self) -> Passkey:
        """As a certificate names it."""
        return Passkey(credential=self.credential, key=self.key, rp=self.rp, origins=(self.origin,))

    def made(self) -> bytes:
        """The authenticator data with which it describes its new credential."""
        size = len(self.credential).to_bytes(2, "big")
        return self._head(PRESENT | VERIFIED | ATTESTED) + bytes(16) + size + self.credential + self.key

    def assertion(self, challenge: bytes, /, **changes: Any) -> Assertion:
        """What it gives for a challenge; changes: of flags, of fields of the client data, of the relying party."""
        self.count += self._counts
        head = self._head(changes.pop("flags", PRESENT | VERIFIED), changes.pop("rp", self.rp))
        account = {
            "type": "webauthn.get",
            "challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
            "origin": self.origin,
            "crossOrigin": False,
        }
        client = json.dumps(account | changes).encode()
        return Assertion(head, client, self._signed(head + hashlib.sha256(client).digest()))

    def sign(self, data: bytes, /, **changes: Any) -> bytes:
        """An assertion over the bytes of a message or a request, as its signature."""
        return assertion_bytes(self.assertion(challenge_of(data), **changes))

    def _head(self, flags: int, rp: str = "") -> bytes:
        digest = hashlib.sha256((rp or self.rp).encode()).digest()
        return digest + bytes([flags]) + self.count.to_bytes(4, "big")

    def _signed(self, data: bytes) -> bytes:
        if self.algorithm == EDDSA:
            return self._edwards.sign(data)
        return self._curve.sign(data, ec.ECDSA(hashes.SHA256()))
