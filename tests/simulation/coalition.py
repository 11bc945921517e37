"""A made coalition of two to eight nations: structure, keys, places, and one flight that their radars can see.

Nothing of it is real: codes are those that ISO 3166 leaves to users (XA, XAA), the places lie in the ocean. Every
nation has a government, a headquarters and a radar; some sit in a council that is asked to concur.

    coalition = found(key, size=4, shape="ring")
    Node.begin(START_NS, coalition.members[0].genesis, coalition.members[0].secrets, places_of(4))
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from typing import Literal, get_args

import numpy as np

from noroshi.clock import from_iso, seconds
from noroshi.command.posts import Seat
from noroshi.exercise.draws import uniform
from noroshi.geo.frames import geodetic_to_ecef, look_angles
from noroshi.geo.places import Country, PlaceTable, Region
from noroshi.messages import Certificate, KeyedHash, certify, derive
from noroshi.node.inputs import Genesis, PostRow, RuleSet, Secrets, SensorRow
from noroshi.structure import Authority, Catalogue, Link, SharingEdge, Structure, Unit
from noroshi.structure.model import Content, Decision, LinkType, Role, UnitKind
from noroshi.tracking import Arc, arc_state, free_fall_arc

REALM = "exercise:simulation"
START_NS = from_iso("2025-01-01T00:00:00Z")
KEYS_FROM_NS, KEYS_TO_NS = START_NS - seconds(86_400.0), START_NS + seconds(86_400.0)

SMALLEST, LARGEST = 2, 8
CONSULT = "coalition-consult"
COUNCIL = "council"

Shape = Literal["line", "ring", "star", "mesh"]
SHAPES: tuple[Shape, ...] = get_args(Shape)

CONTENTS: tuple[Content, ...] = ("launch-point", "flight-path", "expected-impact", "alert")
"""What sharing edges carry here: all that nodes say by themselves."""

LAUNCH = (0.0, 0.0)
FLIGHT = {"azimuth_rad": np.radians(90.0), "range_m": 900e3, "apogee_m": 250e3}
CITY = (0.0, np.radians(8.05))
"""Where the flight comes down: every nation has a place near, so every nation warns of it."""
SIGMA = (50.0, 1.0e-3, 1.0e-3)


@dataclass(frozen=True, slots=True)
class Member:
    """One nation: its node's genesis and secrets, its root, and the seats of its posts."""

    genesis: Genesis
    secrets: Secrets
    root: bytes
    seats: dict[str, Seat]

    @property
    def partner(self) -> str:
        """Its trigraph."""
        return self.genesis.partner

    @property
    def node(self) -> str:
        """Its node's name."""
        return self.genesis.node


@dataclass(frozen=True, slots=True)
class Coalition:
    """All members. wires: pairs of partners that have a line; council: those who sit in it."""

    members: tuple[Member, ...]
    wires: tuple[tuple[str, str], ...]
    council: frozenset[str]
    places: PlaceTable

    @property
    def structure(self) -> Structure:
        """The structure in force."""
        return self.members[0].genesis.structure


def nation_of(partner: str) -> str:
    """`XA` of `XAA`."""
    return partner[:2]


def partners_of(size: int) -> tuple[str, ...]:
    """The first `size` partners."""
    return tuple(f"X{letter}{letter}" for letter in "ABCDEFGH"[:size])


def wires_of(partners: tuple[str, ...], shape: Shape) -> tuple[tuple[str, str], ...]:
    """The lines of a shape: neighbours in a row, closed or not; all to the first; everybody to everybody."""
    match shape:
        case "mesh":
            return tuple(combinations(partners, 2))
        case "star":
            return tuple((partners[0], other) for other in partners[1:])
    row = tuple(pairwise(partners))
    closes = shape == "ring" and len(partners) > 2
    return (*row, (partners[0], partners[-1])) if closes else row


def found(key: bytes, *, size: int, shape: Shape) -> Coalition:
    """The coalition of a key: what may be shared with whom, who sits in the council and how long it has is drawn."""
    partners = partners_of(size)
    wires = wires_of(partners, shape)
    council = frozenset(_some(key, "council", partners, always=partners[:2]))
    structure = _structure(key, partners, wires, council)
    places = places_of(size)
    return Coalition(_members(key, partners, wires, structure, places), wires, council, places)


@cache
def places_of(size: int) -> PlaceTable:
    """One place for each nation, near where the flight comes down."""
    partners = partners_of(size)
    regions = tuple(
        Region(f"{nation_of(p)}.01", Country(nation_of(p), p, p, "", ""), f"Coast of {p}", "", "")
        for p in partners
    )
    return PlaceTable(
        latitude_rad=np.full(size, CITY[0]) + np.radians(0.05) * np.arange(size),
        longitude_rad=np.full(size, CITY[1]),
        population=np.full(size, 1000, np.int32),
        people=np.full(size, 1000, np.int32),
        names=[f"Port of {p}" for p in partners],
        names_ja=[""] * size,
        names_ko=[""] * size,
        region_index=np.arange(size, dtype=np.int32),
        region_list=regions,
        attribution="made for tests",
        source="made for tests",
        digest=derive(bytes(32), "places", size),
    )


@cache
def seen_from(place: int, time_s: float) -> tuple[float, float, float]:
    """Range m, azimuth rad, elevation rad of the flight from the radar of the nation with this place, without noise."""
    state = arc_state(_arc(), np.array([time_s]))
    range_m, azimuth, elevation = look_angles(state[:, :3], *_site_rad(place), 0.0)
    return float(range_m[0]), float(azimuth[0]), float(elevation[0])


@cache
def _arc() -> Arc:
    return free_fall_arc(*LAUNCH, **FLIGHT)


def _site_rad(place: int) -> tuple[float, float]:
    return float(np.radians(-1.0 + 0.4 * place)), float(np.radians(1.5))


def _some(key: bytes, purpose: str, partners: Iterable[str], *, always: Iterable[str]) -> tuple[str, ...]:
    """A drawn part of the partners, in order, with those who must be in it; everybody in half of all draws."""
    partners = tuple(partners)
    if uniform(key, "everybody", purpose) < 0.5:
        return partners
    sure = frozenset(always)
    return tuple(p for p in partners if p in sure or uniform(key, "some", purpose, p) < 0.5)


# --- the structure ---------------------------------------------------------------------------------------------


def _structure(
    key: bytes, partners: tuple[str, ...], wires: tuple[tuple[str, str], ...], council: frozenset[str]
) -> Structure:
    units = [unit for partner in partners for unit in _units(partner)]
    seated = sorted(nation_of(partner) for partner in council)
    units.append(_unit(COUNCIL, "+".join(seated), "consult-body"))
    authorities = [_authority(f"{_low(p)}-gov", CONSULT, "propose") for p in sorted(council)]
    authorities += [_authority(f"{_low(p)}-gov", "civil-alert-issue", "decide") for p in partners]
    authorities += [_authority(f"{_low(p)}-gov", "civil-alert-cancel", "decide") for p in partners]
    authorities.append(_authority(COUNCIL, CONSULT, "convene"))
    return Structure(
        schema="noroshi.structure/1",
        id="made",
        title="A made coalition",
        valid_from="2025-01-01",
        valid_to=None,
        combination="counterfactual",
        units=tuple(units),
        links=tuple(_link(COUNCIL, "member", f"{_low(p)}-gov") for p in sorted(council)),
        sharing=tuple(_edges(key, partners, wires)),
        authorities=tuple(authorities),
    )


def _edges(
    key: bytes, partners: tuple[str, ...], wires: tuple[tuple[str, str], ...]
) -> Iterable[SharingEdge]:
    for partner in partners:
        low = _low(partner)
        yield _edge(
            f"{low}-up", f"{low}-radar", f"{low}-hq", _some(key, f"up {low}", partners, always=[partner])
        )
        yield _edge(
            f"{low}-gov", f"{low}-hq", f"{low}-gov", _some(key, f"gov {low}", partners, always=[partner])
        )
    for one, other in wires:
        name = f"{_low(one)}-{_low(other)}"
        both = _some(key, f"wire {name}", partners, always=(one, other))
        yield _edge(name, f"{_low(one)}-hq", f"{_low(other)}-hq", both, both_ways=True)


def _units(partner: str) -> tuple[Unit, ...]:
    low, nation = _low(partner), nation_of(partner)
    return (
        _unit(f"{low}-gov", nation, "political"),
        _unit(f"{low}-hq", nation, "military-hq"),
        _unit(f"{low}-radar", nation, "sensor-group"),
    )


def _low(partner: str) -> str:
    return partner.lower()


def _unit(name: str, nation: str, kind: UnitKind) -> Unit:
    return Unit(id=name, name=name, nation=nation, kind=kind, source="report-a", confidence="notional")


def _link(start: str, kind: LinkType, end: str) -> Link:
    return Link(from_unit=start, to_unit=end, type=kind, source="report-a", confidence="notional")


def _authority(unit: str, decision: str, role: Role) -> Authority:
    return Authority(unit=unit, role=role, decision=decision, source="report-a", confidence="notional")


def _edge(
    name: str, start: str, end: str, partners: Iterable[str], *, both_ways: bool = False
) -> SharingEdge:
    return SharingEdge(
        id=name,
        from_unit=start,
        to_unit=end,
        content=CONTENTS,
        cadence="realtime",
        releasable_to=tuple(map(nation_of, partners)),
        both_ways=both_ways,
        source="report-a",
        confidence="notional",
    )


def _catalogue() -> Catalogue:
    titles = {CONSULT: "Consult the coalition", "civil-alert-issue": "Alert", "civil-alert-cancel": "End it"}
    return Catalogue(
        schema="noroshi.decisions/1",
        roles={"decide": "decides"},
        decisions=tuple(
            Decision(
                id=name,
                title=title,
                reversible=True,
                clock="minutes",
                source="report-a",
                confidence="notional",
            )
            for name, title in titles.items()
        ),
        excluded=("weapons",),
    )


# --- keys and nodes --------------------------------------------------------------------------------------------


def _members(
    key: bytes,
    partners: tuple[str, ...],
    wires: tuple[tuple[str, str], ...],
    structure: Structure,
    places: PlaceTable,
) -> tuple[Member, ...]:
    scheme = KeyedHash()
    concur_s = 3.0 if uniform(key, "short deadline") < 0.3 else 600.0
    seats = {partner: _seats(key, scheme, partner) for partner in partners}
    certificates = tuple(
        _certificate(key, scheme, partner, "node", _low(partner), "") for partner in partners
    )
    certificates += tuple(seat.certificate for one in seats.values() for seat in one.values())
    nodes = {f"{_low(p)}-{unit}": _low(p) for p in partners for unit in ("gov", "hq", "radar")}
    nodes[COUNCIL] = _low(partners[0])
    members = []
    for place, partner in enumerate(partners):
        ids = _secret(key, partner, "ids", "")
        genesis = Genesis(
            realm=REALM,
            title="Simulation",
            partner=partner,
            node=_low(partner),
            scheme=scheme.name,
            roots={p: scheme.public_key(_secret(key, p, "root", "")) for p in partners},
            certificates=certificates,
            structure=structure,
            catalogue=_catalogue(),
            nodes=nodes,
            partners={p: nation_of(p) for p in partners},
            node_partners={_low(p): p for p in partners},
            wires=tuple((_low(one), _low(other)) for one, other in wires),
            assessing_unit=f"{_low(partner)}-hq",
            sensors=(_sensor(partner, place),),
            posts=tuple(
                PostRow(id=post, unit=f"{_low(partner)}-gov", title=post, duties=duties)
                for post, duties in _posts(partner).items()
            ),
            rules=RuleSet(
                concur_within_s=concur_s,
                minimum_updates=3,
                warn_sigma_m=1e6,
                warn_probability=0.02,
                approve_within_s=30.0,
            ),
            places_digest=places.digest,
        )
        secrets = Secrets(signing=_secret(key, partner, "node", _low(partner)), ids=ids)
        members.append(Member(genesis, secrets, _secret(key, partner, "root", ""), seats[partner]))
    return tuple(members)


def _posts(partner: str) -> dict[str, tuple[str, ...]]:
    low = _low(partner)
    return {
        f"{low}-gov.watch": ("watch", "acknowledge", "concur", f"request:{CONSULT}"),
        f"{low}-gov.duty": ("approve",),
    }


def _sensor(partner: str, place: int) -> SensorRow:
    site = geodetic_to_ecef(*_site_rad(place), 0.0)[0]
    return SensorRow(
        id=f"{_low(partner)}-radar-1",
        unit=f"{_low(partner)}-radar",
        sensing="radar",
        pseudonym=f"radar-{place}",
        site_m=(float(site[0]), float(site[1]), float(site[2])),
        sigma=SIGMA,
        clock_sigma_s=0.05,
    )


def _seats(key: bytes, scheme: KeyedHash, partner: str) -> dict[str, Seat]:
    unit = f"{_low(partner)}-gov"
    return {
        post: Seat(
            _certificate(key, scheme, partner, "post", post, unit),
            _low(partner),
            scheme,
            _secret(key, partner, "post", post),
            _secret(key, partner, "post ids", post),
        )
        for post in _posts(partner)
    }


def _secret(key: bytes, partner: str, purpose: str, subject: str) -> bytes:
    return derive(key, "secret", partner, purpose, subject)


def _certificate(
    key: bytes, scheme: KeyedHash, partner: str, role: Literal["node", "post"], subject: str, unit: str
) -> Certificate:
    bare = Certificate(
        realm=REALM,
        partner=partner,
        role=role,
        subject=subject,
        public=scheme.public_key(_secret(key, partner, role, subject)),
        not_before_ns=KEYS_FROM_NS,
        not_after_ns=KEYS_TO_NS,
        unit=unit,
    )
    return certify(scheme, _secret(key, partner, "root", ""), bare)
