"""A partner's root, node, post and control in one realm."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest

from noroshi.messages import Certificate, Ed25519, Envelope, TrustStore, certify, label_for
from noroshi.messages.signing import derive

REALM = "exercise:test"
YEAR_NS = 365 * 86_400 * 10**9


@dataclass
class Party:
    """Keys of one partner and a store that believes them."""

    scheme: Ed25519
    root: bytes
    trust: TrustStore
    secrets: dict[str, bytes]
    certificates: dict[str, Certificate]


def make_party(partner: str = "JPN", realm: str = REALM, seed: bytes = b"seed") -> Party:
    scheme = Ed25519()
    root = derive(seed, "root", partner, realm)
    trust = TrustStore(realm, scheme, {partner: scheme.public_key(root)})
    secrets, certificates = {}, {}
    for role, subject, unit in (
        ("node", "jpn", ""),
        ("post", "jp-pm.duty", "jp-pm"),
        ("post", "jp-cabsec.watch", "jp-cabsec"),
        ("control", "control", ""),
    ):
        secrets[subject] = derive(seed, "key", partner, realm, subject)
        certificates[subject] = certify(
            scheme,
            root,
            Certificate(
                realm=realm,
                partner=partner,
                role=role,  # type: ignore[arg-type]  # the literals above
                subject=subject,
                public=scheme.public_key(secrets[subject]),
                not_before_ns=0,
                not_after_ns=YEAR_NS,
                unit=unit,
            ),
        )
        assert trust.admit(certificates[subject]) == ""
    return Party(scheme, root, trust, secrets, certificates)


def make_envelope(**changes: object) -> Envelope:
    fields: dict[str, object] = {
        "v": 1,
        "realm": REALM,
        "origin": "JPN",
        "node": "jpn",
        "unit": "jp-mod",
        "id": b"i" * 16,
        "kind": "event",
        "time_ns": 10**9,
        "time_error_ns": 0,
        "label": label_for(["JPN", "USA"]),
        "event": b"e" * 16,
        "body": msgspec.Raw(b""),
    }
    return Envelope(**(fields | changes))  # type: ignore[arg-type]  # the fields of an envelope


@pytest.fixture
def party() -> Party:
    return make_party()
