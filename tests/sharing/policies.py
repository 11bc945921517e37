"""Policies, messages and nodes' doors for the tests of what may leave."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from noroshi.messages import Certificate, KeyedHash, Label, Message, certify, seal
from noroshi.messages.bodies import Body, EventBody, TrackBody
from noroshi.messages.envelope import Envelope
from noroshi.service.structure_files import read_structure
from noroshi.sharing import ReleasePolicy
from noroshi.sharing.policy import Policy, Rule, Terms, default_policy, faults
from noroshi.structure import Structure

NATIONS = {"JPN": "JP", "KOR": "KR", "USA": "US"}
ALL_NATIONS = {**NATIONS, "AUS": "AU", "FRA": "FR"}
"""With two partners of whom no structure knows."""

WIRES = (("JPN", "USA"), ("USA", "KOR"))
ALL_WIRES = (*WIRES, ("JPN", "AUS"), ("JPN", "FRA"), ("JPN", "KOR"))
SCHEME = KeyedHash()
REALM = "exercise:t"
STRUCTURES: dict[str, Structure] = {
    name: read_structure(name)[1] for name in ("before", "after", "trilateral")
}
TRACK = TrackBody(
    track=b"t" * 16,
    sequence=1,
    from_ns=1,
    to_ns=1,
    sensing="radar",
    source="one",
    time_ns=[1],
    site_m=[[1.0, 2.0, 3.0]],
    value=[[1.0, 2.0, 3.0]],
    sigma=[[1.0, 1.0, 1.0]],
    clock_sigma_s=[0.0],
    rate=[[-120.0, 3.0]],
    bias_sigma=[[10.0, 1e-4, 1e-4]],
)
EVENT = EventBody(step="opened", first_observed_ns=1)

MEMBER = Terms(terms="member", highest="restricted")
OBSERVER = Terms(terms="observer", highest="restricted")
CASE = Terms(terms="case-by-case", highest="restricted")
REMOVED = Terms(terms="removed")


def written(own: str = "JPN", *, rules: Iterable[Rule] = (), **changes: Any) -> Policy:
    """A policy of `own` with everybody a member, changed; it must be one that could be put in force."""
    base = default_policy(own, NATIONS, REALM)
    partners = {**base.partners, **changes.pop("partners", {})}
    policy = msgspec.structs.replace(base, rules=tuple(rules), partners=partners, **changes)
    assert list(faults(policy)) == []
    return policy


def door(policy: Policy | None = None, *, own: str = "JPN", structure: str = "trilateral") -> ReleasePolicy:
    """The door of `own`, with two partners more than the structure knows."""
    return ReleasePolicy(STRUCTURES[structure], own=own, nations=ALL_NATIONS, wires=ALL_WIRES, policy=policy)


def message(
    origin: str,
    unit: str,
    label: Label,
    kind: str = "track",
    body: Body = TRACK,
    *,
    id: bytes = b"i" * 16,  # what the field is called
) -> Message:
    """A signed message of a partner's node."""
    secret = origin.encode() * 10 + b"xx"
    certificate = certify(
        SCHEME,
        secret,
        Certificate(
            realm=REALM,
            partner=origin,
            role="node",
            subject=origin.lower(),
            public=SCHEME.public_key(secret),
            not_before_ns=0,
            not_after_ns=9,
        ),
    )
    envelope = Envelope(
        v=1,
        realm=REALM,
        origin=origin,
        node=origin.lower(),
        unit=unit,
        id=id,
        kind=kind,
        time_ns=1,
        time_error_ns=0,
        label=label,
        body=msgspec.Raw(b""),
    )
    return seal(envelope, body, certificate, SCHEME, secret)
