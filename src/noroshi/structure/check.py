"""What is legal in a structure but worth a second look. Errors are `load`'s business; these are findings.

for finding in findings(structure, catalogue):
    print(finding.code, finding.says)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from noroshi.structure.authority import ALERT_DECISION, alert_recipients, deciders, members, units_with
from noroshi.structure.crossing import reach
from noroshi.structure.model import (
    BODY_KINDS,
    MODES,
    WARNING_CONTENT,
    Catalogue,
    Decision,
    Structure,
    Unit,
)

CODES: Mapping[str, str] = {
    "nobody-decides": "a decision of the catalogue that nobody can take, in some mode or in any",
    "convened-only": "a decision that a body convenes for, but that nobody decides: it can only be recorded",
    "concurrer-unreachable": "who must concur is not connected with anybody who could ask",
    "external-authority": "an external unit, which no node serves, holds an authority",
    "unit-without-link": "no link leads to or from the unit",
    "body-without-members": "nobody sits in the body",
    "edge-never-delivers": "the receiver's nation is not in the edge's own `releasable_to`",
    "single-point-of-failure": "without this unit, live warnings of a sensor group no longer get to a nation",
    "alert-reaches-nobody": "who issues a civil alert has nobody to pass it on to",
}
"""All findings and what they mean; the manual's table is made from it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """code: one of `CODES`; subject: the id of the unit, edge or decision; says: one plain sentence."""

    code: str
    subject: str
    says: str


def findings(structure: Structure, catalogue: Catalogue) -> tuple[Finding, ...]:
    """Everything worth a second look, in the order of `CODES`, then of the file."""
    found = [
        *_decisions(structure, catalogue),
        *_external(structure),
        *_units(structure),
        *_edges(structure),
        *_single_points(structure),
        *_alerts(structure),
    ]
    order = list(CODES)
    return tuple(sorted(found, key=lambda finding: order.index(finding.code)))


def _decisions(structure: Structure, catalogue: Catalogue) -> Iterator[Finding]:
    neighbours = _neighbours(structure)
    for decision in catalogue.decisions:
        missing = [mode for mode in MODES if not _can_be_taken(structure, decision, mode)]
        if missing:
            when = "" if len(missing) == len(MODES) else f" in {' or '.join(missing)}"
            conveners = list(
                dict.fromkeys(u for m in missing for u in units_with(structure, decision.id, "convene", m))
            )
            if conveners:
                says = f"{', '.join(conveners)} can convene for {decision.id}, but nobody decides it{when}"
                yield Finding("convened-only", decision.id, says)
            else:
                yield Finding("nobody-decides", decision.id, f"nobody can take {decision.id}{when}")
        yield from _concurrers(structure, decision.id, neighbours)


def _can_be_taken(structure: Structure, decision: Decision, mode: str) -> bool:
    if decision.complete_when_proposed and units_with(structure, decision.id, "propose", mode):
        return True
    return bool(deciders(structure, decision.id, mode))


def _concurrers(structure: Structure, decision: str, neighbours: Mapping[str, set[str]]) -> Iterator[Finding]:
    asking = {row.unit for row in structure.authorities if row.decision == decision and row.role in _ASKING}
    connected = _connected(asking, neighbours)
    for row in structure.authorities:
        if row.decision == decision and row.role == "concur" and row.unit not in connected:
            says = f"{row.unit} must concur in {decision}, but nothing connects it with {_listed(asking) or 'anybody'}"
            yield Finding("concurrer-unreachable", row.unit, says)


_ASKING = ("decide", "propose", "convene")


def _neighbours(structure: Structure) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {unit: set() for unit in structure.unit_ids}
    ends = [(link.from_unit, link.to_unit) for link in structure.links]
    ends += [(edge.from_unit, edge.to_unit) for edge in structure.sharing]
    for one, other in ends:
        found[one].add(other)
        found[other].add(one)
    return found


def _connected(start: set[str], neighbours: Mapping[str, set[str]]) -> set[str]:
    seen, waiting = set(start), list(start)
    while waiting:
        for unit in neighbours[waiting.pop()] - seen:
            seen.add(unit)
            waiting.append(unit)
    return seen


def _external(structure: Structure) -> Iterator[Finding]:
    for row in structure.authorities:
        if structure.unit(row.unit).kind == "external":
            says = f"{row.unit} is external, yet it has {row.role} for {row.decision}"
            yield Finding("external-authority", row.unit, says)


def _units(structure: Structure) -> Iterator[Finding]:
    linked = {unit for link in structure.links for unit in (link.from_unit, link.to_unit)}
    for unit in structure.units:
        if unit.id not in linked:
            yield Finding(
                "unit-without-link", unit.id, f"{unit.id} has no link{_only_shares(structure, unit)}"
            )
        if unit.kind in BODY_KINDS and not members(structure, unit.id) and not _in_use(structure, unit.id):
            yield Finding("body-without-members", unit.id, f"nobody is a member of {unit.id}")


def _only_shares(structure: Structure, unit: Unit) -> str:
    edges = [edge.id for edge in structure.sharing if unit.id in (edge.from_unit, edge.to_unit)]
    return f", only the sharing edges {', '.join(edges)}" if edges else ""


def _in_use(structure: Structure, body: str) -> bool:
    """An exchange lives from its sharing edges, without members."""
    return any(body in (edge.from_unit, edge.to_unit) for edge in structure.sharing)


def _edges(structure: Structure) -> Iterator[Finding]:
    for edge in structure.sharing:
        ends = (edge.to_unit, edge.from_unit) if edge.both_ways else (edge.to_unit,)
        for end in ends:
            lacking = structure.unit(end).nations - set(edge.releasable_to)
            if lacking:
                says = f"{edge.id} can never deliver to {end}: releasable_to lacks {_listed(lacking)}"
                yield Finding("edge-never-delivers", edge.id, says)


def _single_points(structure: Structure) -> Iterator[Finding]:
    sensors = [unit.id for unit in structure.units if unit.kind == "sensor-group"]
    before = {sensor: _warned(structure, sensor) for sensor in sensors}
    for unit in structure.unit_ids:
        without = _without(structure, unit)
        cut = []
        for sensor in sensors:
            lost = set() if sensor == unit else before[sensor] - _warned(without, sensor)
            if lost:
                cut.append(f"{sensor} to {_listed(lost)}")
        if cut:
            says = f"without {unit}, no live warning data pass from {'; from '.join(cut)}"
            yield Finding("single-point-of-failure", unit, says)


def _warned(structure: Structure, sensor: str) -> set[str]:
    """The nations that get live warning data of a sensor group in a unit of their own, outside the group."""
    units = {unit for content in WARNING_CONTENT for unit in reach(structure, sensor, content)}
    return {structure.unit(unit).nation for unit in units if not structure.unit(unit).shared}


def _without(structure: Structure, unit: str) -> Structure:
    return msgspec.structs.replace(
        structure,
        units=tuple(other for other in structure.units if other.id != unit),
        sharing=tuple(edge for edge in structure.sharing if unit not in (edge.from_unit, edge.to_unit)),
    )


def _alerts(structure: Structure) -> Iterator[Finding]:
    issuing = dict.fromkeys(
        row.unit for row in structure.authorities if (row.decision, row.role) == (ALERT_DECISION, "decide")
    )
    for unit in issuing:
        if not alert_recipients(structure, unit):
            says = f"{unit} may issue a civil alert, but no edge, relay or transmitter takes it on"
            yield Finding("alert-reaches-nobody", unit, says)


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
