"""Everybody who takes part, made from a scenario and a structure: keys, certificates, and each node's genesis.

All secrets follow from 32 bytes that are handed in: in a virtual run from the seed, in a run with processes from the
machine's own randomness. The keys are of the exercise's realm and of no use in another.

    coalition = found(scenario, structure, catalogue, entropy=entropy, scheme=Ed25519(), places_digest=digest)
    for member in coalition.members: Node.begin(start_ns, member.genesis, member.secrets, places)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import msgspec

from noroshi.clock import from_iso, seconds
from noroshi.command.posts import Seat
from noroshi.command.warrant import SCHEMA as WARRANT_SCHEMA
from noroshi.command.warrant import Warrant, warranted
from noroshi.exercise.cast import Keys, cast_of_scenario
from noroshi.exercise.scenario import Partner, Post, Relay, Scenario, selected
from noroshi.messages import KINDS, Certificate, Envelope, Scheme, certify, derive, label_for, seal
from noroshi.messages.bodies import InjectBody
from noroshi.messages.signing import ID_BYTES
from noroshi.node.inputs import Genesis, Secrets
from noroshi.structure import Catalogue, Structure
from noroshi.warning import AreaList

VALID_BEFORE_S = 86_400.0
VALID_AFTER_S = 7 * 86_400.0
"""Exercise keys are good from a day before the start to a week after it."""

CONTROL = "control"
"""The subject of exercise control's certificates, and the post in whose name it speaks."""


@dataclass(frozen=True, slots=True)
class Member:
    """One partner in the exercise: its node's genesis and secrets, the seats of its posts, its relays and their keys."""

    partner: Partner
    genesis: Genesis
    secrets: Secrets
    posts: tuple[Post, ...]
    seats: Mapping[str, Seat]
    control: Seat
    relays: tuple[tuple[Relay, Seat], ...] = ()

    @property
    def node(self) -> str:
        """The node's name."""
        return self.partner.node

    @property
    def trigraph(self) -> str:
        """The partner's trigraph."""
        return self.partner.id


@dataclass(frozen=True, slots=True)
class Coalition:
    """All members, and the scenario with only what is in force under the structure."""

    scenario: Scenario
    structure: Structure
    members: tuple[Member, ...]

    @property
    def realm(self) -> str:
        """The exercise's realm."""
        return self.scenario.realm

    @property
    def start_ns(self) -> int:
        """When it begins."""
        return from_iso(self.scenario.start)

    def member(self, node: str) -> Member:
        """The member with this node. Raises KeyError."""
        return {one.node: one for one in self.members}[node]

    def serving(self, unit: str) -> Member:
        """The member whose node serves a unit. Raises KeyError."""
        return self.member(self.members[0].genesis.nodes[unit])


def found(
    scenario: Scenario,
    structure: Structure,
    catalogue: Catalogue,
    *,
    entropy: bytes,
    scheme: Scheme,
    places_digest: bytes,
    areas: Mapping[str, AreaList] = MappingProxyType({}),
) -> Coalition:
    """The coalition of a checked scenario under a structure. areas: own areas of partners that have some."""
    cast = cast_of_scenario(scenario, structure, catalogue)
    scenario = selected(scenario, structure.id)
    keys = _Keys(scenario, entropy, scheme)
    nodes, partners = cast.nodes, scenario.partners
    posts = {one.node: tuple(p for p in scenario.posts if nodes.get(p.unit) == one.node) for one in partners}
    relays = {
        one.node: tuple(r for r in scenario.relays if nodes.get(r.unit) == one.node) for one in partners
    }
    certificates = [keys.certificate(one, "node", one.node, "") for one in partners]
    certificates += [keys.certificate(one, "post", p.id, p.unit) for one in partners for p in posts[one.node]]
    certificates += [keys.certificate(one, "control", CONTROL, "") for one in partners]
    roots = {each.id: keys.root(each.id) for each in partners}
    members = []
    for one, taking in zip(partners, cast.taking, strict=True):
        ids = keys.secret(one.id, "ids", one.node)
        held = Keys(
            ids=ids, scheme=scheme.name, roots=roots, warrant=keys.warrant(one),
            certificates=(*certificates, *(keys.certificate(one, "relay", r.id, r.unit) for r in relays[one.node])),
        )  # fmt: skip
        genesis = cast.genesis(
            taking, held, places_digest=places_digest, areas=areas.get(one.id, msgspec.UNSET)
        )
        secrets = Secrets(signing=keys.secret(one.id, "node", one.node), ids=ids)
        seats = {post.id: keys.seat(one, "post", post.id, post.unit) for post in posts[one.node]}
        members.append(
            Member(
                one,
                genesis,
                secrets,
                posts[one.node],
                seats,
                keys.seat(one, "control", CONTROL, ""),
                tuple((r, keys.seat(one, "relay", r.id, r.unit)) for r in relays[one.node]),
            )
        )
    return Coalition(scenario, structure, tuple(members))


def inject_message(member: Member, inject: str, unit: str, text: str, now_ns: int) -> bytes:
    """Exercise control's signed words to a unit of this member; only this member's node is an audience."""
    own = member.control.certificate
    envelope = Envelope(
        v=KINDS["inject"].since,
        realm=own.realm,
        origin=own.partner,
        node=member.node,
        post=own.subject,
        unit=unit,
        id=derive(member.control.ids_secret, "inject", inject, unit)[:ID_BYTES],
        kind="inject",
        time_ns=now_ns,
        time_error_ns=0,
        label=label_for((own.partner,)),
        body=msgspec.Raw(b""),
    )
    body = InjectBody(inject=inject, unit=unit, text=text)
    return seal(envelope, body, own, member.control.scheme, member.control.secret).raw


class _Keys:
    """Secrets of a realm by their purpose, and the certificates that the partners' roots sign for them."""

    def __init__(self, scenario: Scenario, entropy: bytes, scheme: Scheme) -> None:
        start_ns = from_iso(scenario.start)
        self._realm = scenario.realm
        self._entropy = entropy
        self._scheme = scheme
        self._from_ns = start_ns - seconds(VALID_BEFORE_S)
        self._to_ns = start_ns + seconds(scenario.duration_s + VALID_AFTER_S)

    def secret(self, partner: str, purpose: str, subject: str) -> bytes:
        return derive(self._entropy, "secret", self._realm, partner, purpose, subject)

    def root(self, partner: str) -> bytes:
        return self._scheme.public_key(self.secret(partner, "root", ""))

    def warrant(self, partner: Partner) -> bytes | msgspec.UnsetType:
        """What the partner's root allows its alerting units, where the scenario says anything of it.

        The packaged words need no warrant: an exercise is founded with them approved.
        """
        if partner.rules.alerts is None:
            return msgspec.UNSET
        bare = Warrant(
            schema=WARRANT_SCHEMA,
            realm=self._realm,
            partner=partner.id,
            version=1,
            rules=partner.rules.alerts,
        )
        return warranted(bare, self._scheme, self.secret(partner.id, "root", ""))

    def certificate(
        self, partner: Partner, role: Literal["node", "post", "control", "relay"], subject: str, unit: str
    ) -> Certificate:
        bare = Certificate(
            realm=self._realm,
            partner=partner.id,
            role=role,
            subject=subject,
            public=self._scheme.public_key(self.secret(partner.id, role, subject)),
            not_before_ns=self._from_ns,
            not_after_ns=self._to_ns,
            unit=unit,
        )
        return certify(self._scheme, self.secret(partner.id, "root", ""), bare)

    def seat(
        self, partner: Partner, role: Literal["post", "control", "relay"], subject: str, unit: str
    ) -> Seat:
        return Seat(
            self.certificate(partner, role, subject, unit),
            partner.node,
            self._scheme,
            self.secret(partner.id, role, subject),
            self.secret(partner.id, f"{role} ids", subject),
        )
