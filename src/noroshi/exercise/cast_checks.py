"""What can be wrong alike in scenarios and settings with those who take part in them.

Names of nothing, things given twice, units of others, seats without a unit, figures that no instrument has. Each check
raises InputError at the first fault, with file, line, field, and what would be right.

    class _Check(CastCheck): ...
    check.own_names(rows)                # rows: the parts with their paths, as `placed` gives them
    check.sensor(path, sensor)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from noroshi.documents import Document, Path, fail, suggest
from noroshi.exercise.cast_parts import PartnerPart, PostPart, RelayPart, SensorPart, ServedPart
from noroshi.structure import Catalogue, Structure

AnyPart = TypeVar("AnyPart")

MAY_ASK = ("propose", "decide")
"""Roles in a decision of which one lets a unit's posts ask for it."""


def placed(field: Path, parts: Iterable[AnyPart]) -> Iterator[tuple[Path, AnyPart]]:
    """The parts of a list, each with its path."""
    for index, one in enumerate(parts):
        yield (*field, index), one


class CastCheck:
    """One file under check, with the structure that it is held against."""

    def __init__(
        self, document: Document, partners: Sequence[PartnerPart], structure: Structure, catalogue: Catalogue
    ) -> None:
        self.document = document
        self.structure = structure
        self.catalogue = catalogue
        self.partners_known = tuple(one.id for one in partners)
        self.nodes_known = tuple(one.node for one in partners)

    # Small questions

    def fail(self, path: Path, cause: str, hint: str = "") -> None:
        fail(self.document, path, cause, hint)

    def known(self, path: Path, value: str, names: Iterable[str], what: str) -> None:
        names = tuple(names)
        if value not in names:
            self.fail(path, f"there is no {what} {value!r}", suggest(value, names))

    def unit(self, path: Path, unit: str) -> None:
        if not self.structure.has(unit):
            cause = f"the structure {self.structure.id} has no unit {unit!r}"
            self.fail(path, cause, suggest(unit, self.structure.unit_ids))

    def decision(self, path: Path, decision: str) -> None:
        self.known(path, decision, self.catalogue.decision_ids, "decision")

    def once(
        self, rows: Iterable[tuple[Path, AnyPart]], key: Callable[[AnyPart], Hashable], what: str
    ) -> None:
        """No two parts have the same key."""
        seen: dict[Hashable, int] = {}
        for path, one in rows:
            value = key(one)
            if value in seen:
                self.fail(path, f"{what} is given twice; first in line {seen[value]}", "give each once")
            seen[value] = self.document.line(path)

    # The parts

    def own_names(self, rows: Sequence[tuple[Path, PartnerPart]]) -> None:
        """Each partner has an id, a node and a nation of its own, and the structure knows the nation."""
        for field in ("id", "node", "nation"):
            seen: set[str] = set()
            for path, one in rows:
                value = getattr(one, field)
                if value in seen:
                    self.fail(
                        (*path, field), f"{value!r} is given to two partners", "give each partner its own"
                    )
                seen.add(value)
        nations = sorted({unit.nation for unit in self.structure.units if not unit.shared})
        for path, one in rows:
            self.known((*path, "nation"), one.nation, nations, f"nation in structure {self.structure.id}:")

    def assesses(self, path: Path, unit: str, partner: PartnerPart) -> None:
        """The unit whose warnings the partner's node speaks is the partner's own."""
        self.unit(path, unit)
        nation = self.structure.unit(unit).nation
        if nation != partner.nation:
            self.fail(path, f"{unit} is of {nation}, not of {partner.nation}", "name an own unit")

    def served(self, rows: Sequence[tuple[Path, ServedPart]]) -> None:
        self.once(rows, lambda one: one.unit, "this unit")
        for path, row in rows:
            self.unit((*path, "unit"), row.unit)
            self.known((*path, "node"), row.node, self.nodes_known, "node")

    def pair(self, path: Path, between: tuple[str, str]) -> None:
        """Both ends of a link are partners, and they are two."""
        for index, partner in enumerate(between):
            self.known((*path, index), partner, self.partners_known, "partner")
        if between[0] == between[1]:
            self.fail(path, f"{between[0]} cannot be linked to itself", "name two partners")

    def sensor(self, path: Path, sensor: SensorPart, of_range: Iterable[str] = ()) -> None:
        """It has the figures of what it is. of_range: further figures that only a radar has."""
        radar = sensor.sensing == "radar"
        if radar and sensor.sigma_range_m is None:
            self.fail((*path, "sigma_range_m"), "a radar has a range", "give its sigma in metres")
        for field in ("sigma_range_m", "sigma_range_rate_mps", *of_range):
            if not radar and getattr(sensor, field) is not None:
                self.fail((*path, field), "an infrared sensor measures angles only", "leave it out")

    def post(self, path: Path, post: PostPart) -> None:
        if not post.id.startswith(f"{post.unit}."):
            cause = f"{post.id!r} does not begin with its unit"
            self.fail((*path, "id"), cause, f"call it {post.unit}.{post.id.rpartition('.')[2]}")
        if len(set(post.duties)) != len(post.duties):
            self.fail((*path, "duties"), "a duty is given twice", "give each once")

    def may_ask(self, path: Path, unit: str, decision: str) -> None:
        """Posts of the unit may ask for the decision."""
        authorities = [one for one in self.structure.authorities if one.decision == decision]
        able = [one.unit for one in authorities if one.role in MAY_ASK]
        if unit not in able:
            cause = f"{unit} may not ask for {decision} in structure {self.structure.id}"
            self.fail(path, cause, f"units that may: {', '.join(able) or 'none'}")

    def rosters(self, rows: Iterable[tuple[Path, RelayPart]]) -> None:
        """Relays of one roster serve the same last hops of the same unit."""
        first: dict[str, RelayPart] = {}
        for path, relay in rows:
            other = first.setdefault(relay.roster or relay.id, relay)
            if (other.last_hops, other.unit) != (relay.last_hops, relay.unit):
                cause = f"{other.id} of the same roster has {other.last_hops} last hops of {other.unit}"
                hint = "relays of one roster have the same last hops and unit"
                self.fail((*path, "last_hops"), cause, hint)
