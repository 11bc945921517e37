"""Who may have a message, said plainly and slowly: what the door of the nodes is held against.

Not one line of it is shared with `noroshi.sharing` or `noroshi.structure.crossing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from noroshi.messages import Envelope
from noroshi.structure import SharingEdge, Structure
from tests.simulation.coalition import nation_of


def allowed(envelope: Envelope) -> frozenset[str]:
    """Those who may hold it: its originator, and whom its label names."""
    return frozenset(envelope.label.releasable_to) | {envelope.origin}


def required(
    envelope: Envelope, content: str, structure: Structure, wires: Iterable[tuple[str, str]]
) -> frozenset[str]:
    """Those who must have it in the end: allowed, on a line through others who are, and with an edge where one is asked.

    content: what sharing edges call it; empty for what needs no edge. Of several editions a partner gets the one that
    most may have; where two are as wide, either, and none is required here.
    """
    there = _joined(envelope.origin, allowed(envelope), wires)
    if not content:
        return there
    label = frozenset(map(nation_of, envelope.label.releasable_to))
    widest: dict[str, set[frozenset[str]]] = {}
    for unit, left in _ways(structure, envelope.unit, content):
        nation = structure.unit(unit).nation
        known = widest.setdefault(nation, set())
        if all(len(left) >= len(other) for other in known):
            widest[nation] = {other for other in known if len(other) == len(left)} | {left}
    return frozenset(p for p in there if p == envelope.origin or widest.get(nation_of(p)) == {label})


def way(
    origin: str, partner: str, among: frozenset[str], wires: Iterable[tuple[str, str]]
) -> tuple[str, ...]:
    """The shortest way over lines between these partners, the first in alphabetical order; empty if there is none."""
    ways: list[tuple[str, ...]] = [(origin,)]
    pairs = sorted({(a, b) for one, other in wires for a, b in ((one, other), (other, one))})
    seen = {origin}
    while ways:
        for one in ways:
            if one[-1] == partner:
                return one
        following: list[tuple[str, ...]] = []
        for one in ways:
            for start, end in pairs:
                if start == one[-1] and end in among and end not in seen:
                    seen.add(end)
                    following.append((*one, end))
        ways = following
    return ()


def _joined(origin: str, among: frozenset[str], wires: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Those who can be reached from the origin through these partners only."""
    wires = tuple(wires)
    found = {origin}
    while True:
        more = {
            end
            for one, other in wires
            for start, end in ((one, other), (other, one))
            if start in found and end in among
        } - found
        if not more:
            return frozenset(found)
        found |= more


def _ways(structure: Structure, unit: str, content: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Every unit that an item gets to along edges, way by way, with the nations that all edges of the way allow."""
    nations = {one.id: one.nations for one in structure.units}
    stack = [(unit, structure.nations, frozenset({unit}))]
    while stack:
        here, left, been = stack.pop()
        for start, end, edge in _steps(structure.sharing, content):
            narrower = left & frozenset(edge.releasable_to)
            if start == here and end not in been and nations[end] <= narrower:
                yield end, narrower
                stack.append((end, narrower, been | {end}))


def _steps(edges: Iterable[SharingEdge], content: str) -> Iterator[tuple[str, str, SharingEdge]]:
    for edge in edges:
        if content in edge.content and edge.cadence in ("realtime", "on-event"):
            yield edge.from_unit, edge.to_unit, edge
            if edge.both_ways:
                yield edge.to_unit, edge.from_unit, edge
