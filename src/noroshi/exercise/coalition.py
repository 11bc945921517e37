"""Everybody who takes part, made from a scenario and a structure: keys, certificates, and each node's genesis.

All secrets follow from 32 bytes that are handed in: in a virtual run from the seed, in a run with processes from the
machine's own randomness. The keys are of the exercise's realm and of no use in another.

    coalition = found(scenario, structure, catalogue, entropy=entropy, scheme=Ed25519(), places_digest=digest)
    for member in coalition.members: Node.begin(start_ns, member.genesis, member.secrets, places)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from noroshi.clock import from_iso, seconds
from noroshi.command.posts import Seat
from noroshi.exercise.scenario import Partner, Post, Scenario, Sensor, selected
from noroshi.geo.frames import geodetic_to_ecef
from noroshi.messages import KINDS, Certificate, Envelope, Scheme, certify, derive, label_for, seal
from noroshi.messages.bodies import InjectBody
from noroshi.messages.signing import ID_BYTES
from noroshi.node.inputs import Genesis, PostRow, RuleSet, Secrets, SensorRow
from noroshi.structure import Catalogue, Structure
from noroshi.structure.nodes import assign

VALID_BEFORE_S = 86_400.0
VALID_AFTER_S = 7 * 86_400.0
"""Exercise keys are good from a day before the start to a week after it."""

CONTROL = "control"
"""The subject of exercise control's certificates, and the post in whose name it speaks."""


@dataclass(frozen=True, slots=True)
class Member:
    """One partner in the exercise: its node's genesis and secrets, and the seats of its posts."""

    partner: Partner
    genesis: Genesis
    secrets: Secrets
    posts: tuple[Post, ...]
    seats: Mapping[str, Seat]
    control: Seat

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


def units_to_nodes(scenario: Scenario, structure: Structure) -> dict[str, str]:
    """Which node serves each unit: its nation's, or the one that `shared_units` names; nobody serves external ones.

    scenario: as `selected` for this structure. Raises AssignmentError; `checking` refuses it with its line.
    """
    nodes = {partner.node: (partner.nation,) for partner in scenario.partners}
    return assign(structure, nodes, {row.unit: row.node for row in scenario.shared_units})


def found(
    scenario: Scenario,
    structure: Structure,
    catalogue: Catalogue,
    *,
    entropy: bytes,
    scheme: Scheme,
    places_digest: bytes,
) -> Coalition:
    """The coalition of a checked scenario under a structure."""
    scenario = selected(scenario, structure.id)
    keys = _Keys(scenario, entropy, scheme)
    nodes = units_to_nodes(scenario, structure)
    partners = scenario.partners
    node_of = {one.id: one.node for one in partners}
    posts = {one.node: tuple(p for p in scenario.posts if nodes.get(p.unit) == one.node) for one in partners}
    certificates = [keys.certificate(one, "node", one.node, "") for one in partners]
    certificates += [keys.certificate(one, "post", p.id, p.unit) for one in partners for p in posts[one.node]]
    certificates += [keys.certificate(one, "control", CONTROL, "") for one in partners]
    members = []
    for one in partners:
        ids = keys.secret(one.id, "ids", one.node)
        genesis = Genesis(
            realm=scenario.realm,
            title=scenario.title,
            partner=one.id,
            node=one.node,
            scheme=scheme.name,
            roots={each.id: keys.root(each.id) for each in partners},
            certificates=tuple(certificates),
            structure=structure,
            catalogue=catalogue,
            nodes=nodes,
            partners={each.id: each.nation for each in partners},
            node_partners={each.node: each.id for each in partners},
            wires=tuple((node_of[link.between[0]], node_of[link.between[1]]) for link in scenario.links),
            assessing_unit=one.assessing[0].unit,
            sensors=tuple(_sensor_row(s, ids) for s in scenario.sensors if nodes.get(s.unit) == one.node),
            posts=tuple(_post_row(post, scenario) for post in posts[one.node]),
            rules=RuleSet(**{name: getattr(one.rules, name) for name in RuleSet.__struct_fields__}),
            places_digest=places_digest,
        )
        secrets = Secrets(signing=keys.secret(one.id, "node", one.node), ids=ids)
        seats = {post.id: keys.seat(one, "post", post.id, post.unit) for post in posts[one.node]}
        members.append(
            Member(one, genesis, secrets, posts[one.node], seats, keys.seat(one, "control", CONTROL, ""))
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


def pseudonym(ids: bytes, sensor: str) -> str:
    """What partners call a sensor of the node with this secret of ids."""
    return f"radar-{derive(ids, 'sensor', sensor)[:3].hex()}"


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

    def certificate(
        self, partner: Partner, role: Literal["node", "post", "control"], subject: str, unit: str
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

    def seat(self, partner: Partner, role: Literal["post", "control"], subject: str, unit: str) -> Seat:
        return Seat(
            self.certificate(partner, role, subject, unit),
            partner.node,
            self._scheme,
            self.secret(partner.id, role, subject),
            self.secret(partner.id, f"{role} ids", subject),
        )


def _post_row(post: Post, scenario: Scenario) -> PostRow:
    """The seat as its node knows it; a post that may ask for a decision has it in its duty."""
    asks = tuple(f"request:{one.decision}" for one in scenario.consultations if one.post == post.id)
    duties = tuple(duty for duty in post.duties if duty != "request") + asks
    return PostRow(id=post.id, unit=post.unit, title=post.title, duties=duties)


def _sensor_row(sensor: Sensor, ids: bytes) -> SensorRow:
    """The sensor as its node knows it; partners see a pseudonym that tells nothing."""
    site = geodetic_to_ecef(np.radians(sensor.lat_deg), np.radians(sensor.lon_deg), sensor.height_m)[0]
    return SensorRow(
        id=sensor.id,
        unit=sensor.unit,
        sensing=sensor.sensing,
        pseudonym=pseudonym(ids, sensor.id),
        site_m=(float(site[0]), float(site[1]), float(site[2])),
        sigma_rate_mps=sensor.sigma_range_rate_mps or msgspec.UNSET,
        sigma=(
            sensor.sigma_range_m or 0.0,
            sensor.sigma_azimuth_mrad / 1e3,
            sensor.sigma_elevation_mrad / 1e3,
        ),
    )
