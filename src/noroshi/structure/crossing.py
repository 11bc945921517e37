"""The crossing rule: where an item may get to along the `sharing` edges, and what label that leaves it.

An item crosses an edge only if its content is listed there, the edge's cadence is among those asked for, and
the receiver may have it: every nation of the receiver is in the intersection of `releasable_to` over all
edges crossed, this one included. An edge with `both_ways` is crossed in either direction, under the same
rule. A shared body such as `US+JP+KR` receives only what all of its nations may have, since whoever sits in
it sees what it holds; `multi` counts as a nation of its own.

A longer way may keep a wider intersection than a shorter one, so the search keeps, for every unit, all sets
that are not contained in another (label setting on pairs of unit and set; a label is dropped only for one
that is at least as wide and came no later, which is safe because crossing an edge keeps set inclusion).

    path = reach(structure, "kr-radars", "flight-path")["jp-mod"]
    path.units            # ('kr-radars', 'kr-jcs', 'tri-warning', 'jp-mod')
    path.releasable_to    # frozenset({'US', 'JP', 'KR'})
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from noroshi.structure.model import LIVE, Structure


@dataclass(frozen=True, slots=True)
class Way:
    """A way of an item: edge ids and units in order, and the nations it may still get to at its end."""

    edges: tuple[str, ...]
    units: tuple[str, ...]
    releasable_to: frozenset[str]

    @property
    def end(self) -> str:
        """The unit that it arrives at."""
        return self.units[-1]


@dataclass(frozen=True, slots=True)
class _Step:
    """One direction of an edge."""

    edge: str
    to_unit: str
    receiver: frozenset[str]
    releasable_to: frozenset[str]


def ways(
    structure: Structure, from_unit: str, content: str, cadences: Collection[str] = LIVE
) -> dict[str, tuple[Way, ...]]:
    """For every other unit that an item of `from_unit` may get to, one path per widest set of nations.

    The sets of one unit do not contain one another. Paths are the shortest for their set, the first in the
    order of edge ids among equals; the widest set stands first. Raises UnknownUnitError.
    """
    structure.unit(from_unit)
    steps = _steps(structure, content, cadences)
    start = Way((), (from_unit,), structure.nations)
    labels: dict[str, list[Way]] = {from_unit: [start]}
    layer = [start]
    while layer:
        following = []
        for path in layer:
            for step in steps.get(path.end, ()):
                arrived = _cross(path, step)
                if arrived is None:
                    continue
                held = labels.setdefault(step.to_unit, [])
                if not any(arrived.releasable_to <= label.releasable_to for label in held):
                    held.append(arrived)
                    following.append(arrived)
        layer = sorted(following, key=_order)
    del labels[from_unit]
    return {unit: _widest_first(labels[unit]) for unit in structure.unit_ids if unit in labels}


def reach(
    structure: Structure, from_unit: str, content: str, cadences: Collection[str] = LIVE
) -> dict[str, Way]:
    """For every other unit that an item may get to, the path that keeps most nations, then the shortest.

    content: as the edges list it; cadences: which edges count, by default the live ones. Raises
    UnknownUnitError.
    """
    return {unit: paths[0] for unit, paths in ways(structure, from_unit, content, cadences).items()}


def audiences(
    structure: Structure, from_unit: str, content: str, cadences: Collection[str] = LIVE
) -> dict[str, Way]:
    """For every other nation, the way by which an item gets to a unit of it with the widest set of nations.

    A shared body is no destination: it is passed through, and a nation has the item when a unit of that
    nation alone may have it. The nation of `from_unit` itself is left out. Raises UnknownUnitError.
    """
    own = structure.unit(from_unit)
    found: dict[str, list[Way]] = {}
    for unit, paths in ways(structure, from_unit, content, cadences).items():
        nation = structure.unit(unit).nation
        if "+" not in nation and nation != own.nation:
            found.setdefault(nation, []).extend(paths)
    return {nation: min(paths, key=_preference) for nation, paths in sorted(found.items())}


def _cross(path: Way, step: _Step) -> Way | None:
    left = path.releasable_to & step.releasable_to
    if not step.receiver <= left:
        return None
    return Way((*path.edges, step.edge), (*path.units, step.to_unit), left)


def _steps(structure: Structure, content: str, cadences: Collection[str]) -> dict[str, list[_Step]]:
    nations = {unit.id: unit.nations for unit in structure.units}
    steps: dict[str, list[_Step]] = {}
    for edge in sorted(structure.sharing, key=lambda e: e.id):
        if content not in edge.content or edge.cadence not in cadences:
            continue
        allowed = frozenset(edge.releasable_to)
        ends = [(edge.from_unit, edge.to_unit)]
        if edge.both_ways:
            ends.append((edge.to_unit, edge.from_unit))
        for start, end in ends:
            steps.setdefault(start, []).append(_Step(edge.id, end, nations[end], allowed))
    return steps


def _widest_first(labels: list[Way]) -> tuple[Way, ...]:
    widest = [
        path for path in labels if not any(path.releasable_to < other.releasable_to for other in labels)
    ]
    return tuple(sorted(widest, key=_preference))


def _order(path: Way) -> tuple[int, tuple[str, ...]]:
    return len(path.edges), path.edges


def _preference(path: Way) -> tuple[int, int, tuple[str, ...], list[str]]:
    return -len(path.releasable_to), len(path.edges), path.edges, sorted(path.releasable_to)
