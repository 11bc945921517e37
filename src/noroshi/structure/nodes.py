"""The service map: which node serves which unit.

A unit of one nation is served by that nation's node. A shared body is served by the node that the caller
names for it, or else by the node of the nation of a unit that `operates` it. Nobody serves an external unit.
Everything else is refused, so that no unit is silently without a node.

    served = assign(structure, {"jpn": {"JP"}, "usa": {"US"}, "kor": {"KR"}}, shared={"bi-acg": "usa"})
    served["jp-mod"]                  # 'jpn'
    unserved(structure, served)       # ('ext-cn-mnd', 'ext-partners')
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from noroshi.documents import suggest
from noroshi.errors import OperatorError
from noroshi.structure.model import Structure, Unit

_NOTHING: Mapping[str, str] = {}


class AssignmentError(OperatorError):
    """A unit cannot be given a node, or the caller's map is wrong. `unit` is the unit, or empty."""

    def __init__(self, unit: str, cause: str, hint: str = "") -> None:
        self.unit = unit
        super().__init__("give every unit a node", subject=unit, cause=cause, hint=hint)


def assign(
    structure: Structure,
    nodes: Mapping[str, Collection[str]],
    shared: Mapping[str, str] = _NOTHING,
    external: Collection[str] = (),
) -> dict[str, str]:
    """The node that serves each unit, in the order of the file; units that nobody serves are left out.

    nodes: node to the nation codes that it serves; shared: shared body to its node; external: units that the
    caller keeps out besides those of kind `external`. Which partner a nation is, is the caller's business.
    Raises AssignmentError naming the unit.
    """
    nation_nodes = _by_nation(nodes)
    for unit in (*shared, *external):
        if not structure.has(unit):
            hint = suggest(unit, structure.unit_ids)
            raise AssignmentError(unit, f"the structure {structure.id} has no such unit", hint)
    served = {}
    for found in structure.units:
        if found.kind == "external" or found.id in external:
            if found.id in shared:
                raise AssignmentError(found.id, "it is external, yet a node is named for it", "leave it out")
        elif found.shared:
            served[found.id] = _for_body(structure, found, nodes, nation_nodes, shared)
        else:
            served[found.id] = _for_nation(found, nation_nodes, shared)
    return served


def unserved(structure: Structure, served: Mapping[str, str]) -> tuple[str, ...]:
    """The units without a node in a map that `assign` made, in the order of the file."""
    return tuple(unit for unit in structure.unit_ids if unit not in served)


def _by_nation(nodes: Mapping[str, Collection[str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in sorted(nodes):
        for nation in sorted(nodes[node]):
            if nation in found:
                cause = f"{nation} is served by {found[nation]} and by {node}"
                raise AssignmentError("", cause, "let one node serve a nation")
            found[nation] = node
    return found


def _for_nation(unit: Unit, nation_nodes: Mapping[str, str], shared: Mapping[str, str]) -> str:
    node = nation_nodes.get(unit.nation)
    if node is None:
        hint = f"add a node that serves {unit.nation}, or keep the unit out as external"
        raise AssignmentError(unit.id, f"no node serves {unit.nation}", hint)
    if shared.get(unit.id, node) != node:
        cause = (
            f"{shared[unit.id]} is named for it, but it belongs to {unit.nation} alone, which {node} serves"
        )
        raise AssignmentError(unit.id, cause, "name nodes for shared bodies only")
    return node


def _for_body(
    structure: Structure,
    body: Unit,
    nodes: Mapping[str, Collection[str]],
    nation_nodes: Mapping[str, str],
    shared: Mapping[str, str],
) -> str:
    if body.id in shared:
        node = shared[body.id]
        if node not in nodes:
            raise AssignmentError(body.id, f"there is no node {node}", suggest(node, sorted(nodes)))
        if body.nations.isdisjoint(nodes[node]):
            cause = f"{node} serves none of its nations ({body.nation})"
            raise AssignmentError(body.id, cause, "name the node of one of its nations")
        return node
    operators = [
        link.from_unit for link in structure.links if (link.type, link.to_unit) == ("operates", body.id)
    ]
    nations = {nation for unit in operators for nation in structure.unit(unit).nations}
    found = sorted({nation_nodes[nation] for nation in nations if nation in nation_nodes})
    if len(found) == 1:
        return found[0]
    cause = f"several nodes operate it: {', '.join(found)}" if found else "no unit with a node operates it"
    known = sorted({nation_nodes[nation] for nation in body.nations if nation in nation_nodes})
    hint = (
        f"name the node of the shared body: {' or '.join(known)}"
        if known
        else f"add a node for {body.nation}"
    )
    raise AssignmentError(body.id, cause, hint)
