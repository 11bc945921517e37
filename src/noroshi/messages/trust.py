"""Whose signature counts: one root per partner and realm, certificates under it.

A realm is a trust root, not a flag: a store holds the roots of exactly one realm, and a certificate of another
realm cannot enter it. A key may speak only as the subject that its certificate names.

    trust = TrustStore("exercise:demo", Ed25519(), {"JPN": root_public})
    trust.admit(certificate)             # None, or the reason of the refusal
    trust.holder(key_id, now_ns)         # the certificate, or the reason why nobody
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from noroshi.messages import canonical
from noroshi.messages.signing import Scheme, key_id

CERTIFICATE_DOMAIN = b"noroshi certificate 1\x00"

REAL = "real"
EXERCISE_PREFIX = "exercise:"


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


class Certificate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who holds a key: a node, a post, or exercise control. Signed by the partner's root of that realm.

    subject: the node's name, the post's name, or `control`; unit: the post's unit.
    """

    realm: str
    partner: str
    role: Literal["node", "post", "control"]
    subject: str
    public: bytes
    not_before_ns: int
    not_after_ns: int
    unit: str = ""
    signature: bytes = b""

    def signed_bytes(self) -> bytes:
        """What the root signs: all but the signature, behind a domain of its own."""
        return CERTIFICATE_DOMAIN + canonical.encode(msgspec.structs.replace(self, signature=b""))


def certify(scheme: Scheme, root_secret: bytes, certificate: Certificate) -> Certificate:
    """The certificate, signed by the root whose secret this is."""
    return msgspec.structs.replace(
        certificate, signature=scheme.sign(root_secret, certificate.signed_bytes())
    )


class TrustStore:
    """The keys that one node believes, in one realm. Admits only what a pinned root has signed."""

    def __init__(self, realm: str, scheme: Scheme, roots: Mapping[str, bytes]) -> None:
        self.realm = realm
        self.scheme = scheme
        self.roots = dict(roots)
        self._holders: dict[bytes, Certificate] = {}
        self._revoked: set[bytes] = set()

    def admit(self, certificate: Certificate) -> str:
        """Takes a certificate; an empty text when it is believed from now on, else the reason why not."""
        root = self.roots.get(certificate.partner)
        if certificate.realm != self.realm:
            return "foreign-realm"
        if root is None:
            return "unknown-partner"
        if not self.scheme.verify(root, certificate.signed_bytes(), certificate.signature):
            return "bad-certificate"
        known = self._holders.setdefault(key_id(certificate.public), certificate)
        return "" if known == certificate else "key-already-held"

    def admit_all(self, certificates: Iterable[Certificate]) -> dict[str, str]:
        """Admits each; gives the refused subjects with their reasons."""
        reasons = {one.subject: self.admit(one) for one in certificates}
        return {subject: reason for subject, reason in reasons.items() if reason}

    def revoke(self, key: bytes) -> None:
        """Believes this key no longer, whatever comes later."""
        self._revoked.add(key)

    def holder(self, key: bytes, now_ns: int) -> Certificate | str:
        """The certificate of a key id that is valid now, or the reason why there is none."""
        certificate = self._holders.get(key)
        if certificate is None:
            return "unknown-key"
        if key in self._revoked:
            return "revoked-key"
        if not certificate.not_before_ns <= now_ns <= certificate.not_after_ns:
            return "key-not-valid-now"
        return certificate

    def certificates(self) -> tuple[Certificate, ...]:
        """All that were admitted, in the order of admission."""
        return tuple(self._holders.values())
