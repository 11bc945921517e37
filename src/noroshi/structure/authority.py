"""Who may do what about a decision, who must hear of an alert, who sits in a body.

Whoever has no row has no authority; a link, also a command link, gives none. An unknown decision, role or
mode gives nothing. Every nation decides for itself: `deciders` gives alternatives, each a set of units that
must decide together.

    units_with(structure, "civil-alert-issue", "decide", "crisis")   # ('jp-cabsec', 'kr-mois', 'kr-seoul')
    deciders(structure, "exercise-approval", "peacetime")            # (frozenset({'us-jfhqj', 'jp-jjoc'}),)
    members(structure, "tri-ministers")                              # ('us-dod', 'jp-mod', 'kr-mnd')
"""

from __future__ import annotations

from collections.abc import Collection

from noroshi.structure.crossing import reach
from noroshi.structure.model import LIVE, Authority, Structure

ALERT_CONTENT = "alert"
ALERT_DECISION = "civil-alert-issue"


def rows(structure: Structure, decision: str, role: str, mode: str) -> tuple[Authority, ...]:
    """The rows that give the role for the decision in the mode, with their limits, in the order of the file."""
    return tuple(
        row
        for row in structure.authorities
        if row.decision == decision and row.role == role and mode in row.modes
    )


def units_with(structure: Structure, decision: str, role: str, mode: str) -> tuple[str, ...]:
    """The units that have the role for the decision in the mode, in the order of the file."""
    return tuple(row.unit for row in rows(structure, decision, role, mode))


def may(structure: Structure, unit: str, decision: str, role: str, mode: str) -> bool:
    """Whether the unit has the role for the decision in the mode."""
    return unit in units_with(structure, decision, role, mode)


def deciders(structure: Structure, decision: str, mode: str) -> tuple[frozenset[str], ...]:
    """The alternatives: each is the set of units that must decide together; often one unit alone."""
    found = dict.fromkeys(
        frozenset({row.unit} if row.joint_with is None else {row.unit, row.joint_with})
        for row in rows(structure, decision, "decide", mode)
    )
    return tuple(found)


def members(structure: Structure, body: str) -> tuple[str, ...]:
    """The units that sit in a body, in the order of the file. Raises UnknownUnitError."""
    structure.unit(body)
    return tuple(link.to_unit for link in structure.links if link.type == "member" and link.from_unit == body)


def alert_recipients(
    structure: Structure, unit: str, cadences: Collection[str] = LIVE
) -> dict[str, tuple[str, ...]]:
    """Who must hear of a public alert that `unit` issues, each with the reasons, in the order of the file.

    By `alert` content over the sharing edges (the crossing rule holds), by `transmit` and `inform` authority
    for a civil alert within the unit's nation, and from all of these on by `relay` and `tasking` links within
    the nation: a nation alerts its own people, so no link carries an alert abroad. Raises UnknownUnitError.
    """
    own = structure.unit(unit).nations
    reasons: dict[str, list[str]] = {}
    for end, way in reach(structure, unit, ALERT_CONTENT, cadences).items():
        reasons.setdefault(end, []).append(f"sharing {way.edges[-1]}")
    for row in structure.authorities:
        passes_on = row.decision == ALERT_DECISION and row.role in ("transmit", "inform")
        if passes_on and row.unit != unit and structure.unit(row.unit).nations <= own:
            reasons.setdefault(row.unit, []).append(row.role)
    _pass_on(structure, unit, own, reasons)
    return {end: tuple(reasons[end]) for end in structure.unit_ids if end in reasons}


def _pass_on(structure: Structure, unit: str, own: frozenset[str], reasons: dict[str, list[str]]) -> None:
    waiting = [unit, *reasons]
    seen = set(waiting)
    while waiting:
        here = waiting.pop(0)
        for link in structure.links:
            inside = link.to_unit != unit and structure.unit(link.to_unit).nations <= own
            if link.type not in ("relay", "tasking") or link.from_unit != here or not inside:
                continue
            reasons.setdefault(link.to_unit, []).append(f"{link.type} from {here}")
            if link.to_unit not in seen:
                seen.add(link.to_unit)
                waiting.append(link.to_unit)
