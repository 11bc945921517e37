"""Who takes part in a realm, whatever file says it: what all nodes know of one another, and who sits at which node.

A scenario and a setting both come down to a cast; from the cast and from the keys of a node comes the node's first
record, in the same way for an exercise and for the real thing.

    cast = cast_of_scenario(scenario, structure, catalogue)
    genesis = cast.genesis(cast.seat("jpn"), keys, places_digest=digest)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

import msgspec
import numpy as np

from noroshi.exercise.cast_parts import PartnerPart, SensorPart, ServedPart
from noroshi.exercise.parts import Latitude, Longitude
from noroshi.exercise.scenario import Post, Scenario, selected
from noroshi.geo.frames import geodetic_to_ecef
from noroshi.messages import Certificate, derive
from noroshi.node.inputs import Genesis, PostRow, Publishing, RuleSet, SensorRow
from noroshi.structure import Catalogue, Structure
from noroshi.structure.nodes import assign
from noroshi.warning import AreaList


class Sited(Protocol):
    """What every sensor of a file says of itself, in degrees and metres."""

    @property
    def lat_deg(self) -> Latitude: ...
    @property
    def lon_deg(self) -> Longitude: ...
    @property
    def height_m(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """One partner that takes part, with its one node. publishing: what its public alerts say beside their words."""

    partner: str
    nation: str
    node: str
    assessing_unit: str
    rules: RuleSet
    publishing: Publishing | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What is a node's own at its beginning: whom it believes, its secret of ids, what its root has signed."""

    ids: bytes
    scheme: str
    roots: dict[str, bytes]
    certificates: tuple[Certificate, ...]
    warrant: bytes | msgspec.UnsetType = msgspec.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """All that take part. nodes: which node serves each unit; wires: the pairs of nodes that have a link.

    sensors, posts: with the unit to which each belongs; a sensor's pseudonym is not made yet.
    """

    realm: str
    title: str
    structure: Structure
    catalogue: Catalogue
    nodes: dict[str, str]
    taking: tuple[Taking, ...]
    wires: tuple[tuple[str, str], ...]
    sensors: tuple[SensorRow, ...]
    posts: tuple[PostRow, ...]

    def seat(self, node: str, partner: str) -> Taking | None:
        """The partner's place, if it has this node in the cast."""
        return next((one for one in self.taking if (one.node, one.partner) == (node, partner)), None)

    def genesis(
        self,
        own: Taking,
        keys: Keys,
        *,
        places_digest: bytes,
        areas: AreaList | msgspec.UnsetType = msgspec.UNSET,
    ) -> Genesis:
        """The first record of one node: it learns of its own sensors and posts only."""
        return Genesis(
            realm=self.realm,
            title=self.title,
            partner=own.partner,
            node=own.node,
            scheme=keys.scheme,
            roots=keys.roots,
            certificates=keys.certificates,
            structure=self.structure,
            catalogue=self.catalogue,
            nodes=self.nodes,
            partners={one.partner: one.nation for one in self.taking},
            node_partners={one.node: one.partner for one in self.taking},
            wires=self.wires,
            assessing_unit=own.assessing_unit,
            sensors=tuple(
                msgspec.structs.replace(one, pseudonym=pseudonym(keys.ids, one.id))
                for one in self.sensors
                if self.nodes.get(one.unit) == own.node
            ),
            posts=tuple(one for one in self.posts if self.nodes.get(one.unit) == own.node),
            rules=RuleSet(**{name: getattr(own.rules, name) for name in RuleSet.__struct_fields__}),
            places_digest=places_digest,
            warrant=keys.warrant,
            areas=areas,
            publishing=own.publishing,
        )


def cast_of_scenario(scenario: Scenario, structure: Structure, catalogue: Catalogue) -> Cast:
    """The cast of a checked scenario under a structure."""
    scenario = selected(scenario, structure.id)
    return Cast(
        realm=scenario.realm,
        title=scenario.title,
        structure=structure,
        catalogue=catalogue,
        nodes=units_to_nodes(scenario.partners, scenario.shared_units, structure),
        taking=tuple(taking(one, one.assessing[0].unit) for one in scenario.partners),
        wires=wires(scenario.partners, (link.between for link in scenario.links)),
        sensors=tuple(sensor_row(one) for one in scenario.sensors),
        posts=tuple(_post_row(one, scenario) for one in scenario.posts),
    )


def units_to_nodes(
    partners: Iterable[PartnerPart],
    shared_units: Iterable[ServedPart],
    structure: Structure,
    outside: Collection[str] = (),
) -> dict[str, str]:
    """Which node serves each unit: its nation's, or the one that `shared_units` names.

    Nobody serves external ones, and those of nations `outside` only. Raises AssignmentError; the checks of a file refuse
    it with its line.
    """
    kept_out = [
        one.id
        for one in structure.units
        if outside and one.kind != "external" and one.nations and one.nations <= frozenset(outside)
    ]
    nodes = {partner.node: (partner.nation,) for partner in partners}
    return assign(structure, nodes, {row.unit: row.node for row in shared_units}, kept_out)


def taking(partner: PartnerPart, assessing_unit: str) -> Taking:
    """The partner's place."""
    return Taking(
        partner=partner.id, nation=partner.nation, node=partner.node, assessing_unit=assessing_unit, rules=partner.rules
    )  # fmt: skip


def wires(partners: Iterable[PartnerPart], pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The nodes of each pair of partners that have a link."""
    node_of = {one.id: one.node for one in partners}
    return tuple((node_of[a], node_of[b]) for a, b in pairs)


def pseudonym(ids: bytes, sensor: str) -> str:
    """What partners call a sensor of the node with this secret of ids: it tells nothing."""
    return f"radar-{derive(ids, 'sensor', sensor)[:3].hex()}"


def site_m(placed: Sited) -> tuple[float, float, float]:
    """Where a sensor stands, ECEF m."""
    site = geodetic_to_ecef(np.radians(placed.lat_deg), np.radians(placed.lon_deg), placed.height_m)[0]
    return float(site[0]), float(site[1]), float(site[2])


def sensor_row(sensor: SensorPart) -> SensorRow:
    """The sensor as its node knows it, without its pseudonym."""
    return SensorRow(
        id=sensor.id,
        unit=sensor.unit,
        sensing=sensor.sensing,
        pseudonym="",
        site_m=site_m(sensor),
        sigma_rate_mps=sensor.sigma_range_rate_mps or msgspec.UNSET,
        sigma=(
            sensor.sigma_range_m or 0.0,
            sensor.sigma_azimuth_mrad / 1e3,
            sensor.sigma_elevation_mrad / 1e3,
        ),
    )


def _post_row(post: Post, scenario: Scenario) -> PostRow:
    """The seat as its node knows it; a post that may ask for a decision has it in its duty."""
    asks = tuple(f"request:{one.decision}" for one in scenario.consultations if one.post == post.id)
    duties = tuple(duty for duty in post.duties if duty != "request") + asks
    return PostRow(id=post.id, unit=post.unit, title=post.title, duties=duties)
