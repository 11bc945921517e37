"""What types cannot see in a scenario: names of nothing, things given twice, times outside, units nobody serves.

Checked under one structure; elements that are not in force under it are left alone, except that their `when` must
name known structures.

    check_scenario(loaded, structure, catalogue, known_structures=("before", "after", "trilateral"))
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from math import isfinite
from typing import TypeVar

from noroshi.documents import Path, fail, suggest
from noroshi.exercise.coalition import units_to_nodes
from noroshi.exercise.loading import Loaded, choices
from noroshi.exercise.scenario import (
    Acknowledged,
    AlertIssued,
    AlertNames,
    AlertNever,
    AlertOmits,
    Choice,
    Consulted,
    EndReachesSame,
    LinkDown,
    MessageInject,
    NodeDown,
    PassedAfterObservation,
    PostAbsent,
    ReportNever,
    ReportWithin,
    Scenario,
    SensorDown,
    WarningLead,
    in_force,
    selected,
)
from noroshi.structure import Catalogue, Structure
from noroshi.structure.nodes import AssignmentError

AnyChoice = TypeVar("AnyChoice", bound=Choice)

LOWEST_DEG = -5.0
"""Of a radar's looks: a little below the horizon from a mountain or an aircraft."""


def check_scenario(
    loaded: Loaded, structure: Structure, catalogue: Catalogue, known_structures: Collection[str] = ()
) -> None:
    """Raises InputError at the first fault, with file, line, field, and what would be right."""
    check = _Check(loaded, structure, catalogue)
    check.whens(known_structures)
    check.partners()
    check.units()
    check.links()
    check.sensors()
    check.flights()
    check.posts()
    check.consultations()
    check.injects()
    check.expectations()


class _Check:
    def __init__(self, loaded: Loaded, structure: Structure, catalogue: Catalogue) -> None:
        self.scenario: Scenario = loaded.scenario
        self.document = loaded.document
        self.structure = structure
        self.catalogue = catalogue
        self.units_known = frozenset(structure.unit_ids)
        self.partners_known = tuple(one.id for one in self.scenario.partners)
        self.nodes_known = tuple(one.node for one in self.scenario.partners)

    # Small questions

    def fail(self, path: Path, cause: str, hint: str = "") -> None:
        fail(self.document, path, cause, hint)

    def kept(self, field: Path, elements: Iterable[AnyChoice]) -> Iterator[tuple[Path, AnyChoice]]:
        """The elements in force, each with its path."""
        for index, one in enumerate(elements):
            if in_force(one, self.structure.id):
                yield (*field, index), one

    def known(self, path: Path, value: str, names: Iterable[str], what: str) -> None:
        names = tuple(names)
        if value not in names:
            self.fail(path, f"there is no {what} {value!r}", suggest(value, names))

    def unit(self, path: Path, unit: str) -> None:
        if unit not in self.units_known:
            cause = f"the structure {self.structure.id} has no unit {unit!r}"
            self.fail(path, cause, suggest(unit, self.structure.unit_ids))

    def once(
        self, rows: Iterable[tuple[Path, AnyChoice]], key: Callable[[AnyChoice], object], what: str
    ) -> None:
        seen: dict[object, int] = {}
        for path, one in rows:
            value = key(one)
            if value in seen:
                self.fail(path, f"{what} is given twice; first in line {seen[value]}", "give each once")
            seen[value] = self.document.line(path)

    def in_time(self, path: Path, at_s: float) -> None:
        if at_s > self.scenario.duration_s:
            cause = f"{at_s:g} s is after the end of the scenario"
            self.fail(path, cause, f"use at most duration_s, {self.scenario.duration_s:g}")

    # The parts of a scenario

    def whens(self, known: Collection[str]) -> None:
        names = tuple(dict.fromkeys((*known, self.structure.id)))
        for path, one in choices(self.scenario):
            for index, name in enumerate(one.when.structure if one.when else ()):
                if known:
                    self.known((*path, "when", "structure", index), name, names, "structure")

    def partners(self) -> None:
        rows = [(("partners", index), one) for index, one in enumerate(self.scenario.partners)]
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
            assessing = list(self.kept((*path, "assessing"), one.assessing))
            if len(assessing) != 1:
                cause = f"{len(assessing)} units assess for {one.id} under structure {self.structure.id}"
                self.fail((*path, "assessing"), cause, "give exactly one")
            place, row = assessing[0]
            self.unit((*place, "unit"), row.unit)
            nation = self.structure.unit(row.unit).nation
            if nation != one.nation:
                self.fail(
                    (*place, "unit"), f"{row.unit} is of {nation}, not of {one.nation}", "name an own unit"
                )

    def units(self) -> None:
        rows = list(self.kept(("shared_units",), self.scenario.shared_units))
        self.once(rows, lambda one: one.unit, "this unit")
        for path, row in rows:
            self.unit((*path, "unit"), row.unit)
            self.known((*path, "node"), row.node, self.nodes_known, "node")
        try:
            units_to_nodes(selected(self.scenario, self.structure.id), self.structure)
        except AssignmentError as error:
            places = [path for path, row in rows if row.unit == error.unit]
            what = f"{error.unit or 'units'} of structure {self.structure.id}: {error.cause}"
            self.fail(places[0] if places else ("shared_units",), what, error.hint)

    def links(self) -> None:
        rows = list(self.kept(("links",), self.scenario.links))
        for path, link in rows:
            self.pair((*path, "between"), link.between)
            for index, window in enumerate(link.down):
                self.in_time((*path, "down", index, "from_s"), window.from_s)
        self.once(rows, lambda one: frozenset(one.between), "this link")

    def pair(self, path: Path, between: tuple[str, str]) -> None:
        for index, partner in enumerate(between):
            self.known((*path, index), partner, self.partners_known, "partner")
        if between[0] == between[1]:
            self.fail(path, f"{between[0]} cannot be linked to itself", "name two partners")

    def sensors(self) -> None:
        rows = list(self.kept(("sensors",), self.scenario.sensors))
        self.once(rows, lambda one: one.id, "this sensor")
        for path, sensor in rows:
            self.unit((*path, "unit"), sensor.unit)
            radar = sensor.sensing == "radar"
            if radar and sensor.sigma_range_m is None:
                self.fail((*path, "sigma_range_m"), "a radar has a range", "give its sigma in metres")
            for field in ("sigma_range_m", "sigma_range_rate_mps"):
                if not radar and getattr(sensor, field) is not None:
                    self.fail((*path, field), "an infrared sensor measures angles only", "leave it out")
            if radar and sensor.elevation_min_deg < LOWEST_DEG:
                cause = f"no radar looks {-sensor.elevation_min_deg:g} degrees down"
                self.fail((*path, "elevation_min_deg"), cause, f"use {LOWEST_DEG:g} or more")

    def flights(self) -> None:
        rows = list(self.kept(("world", "flights"), self.scenario.world.flights))
        self.once(rows, lambda one: one.id, "this flight")
        for path, flight in rows:
            self.in_time((*path, "launch_s"), flight.launch_s)
            if not isfinite(flight.range_km + flight.apogee_km) or flight.range_km > 15_000:
                self.fail((*path, "range_km"), f"{flight.range_km:g} km is too far", "use at most 15000")
            if not 50 <= flight.apogee_km <= 10_000:
                self.fail((*path, "apogee_km"), f"{flight.apogee_km:g} km is out of reach", "use 50 to 10000")

    def posts(self) -> None:
        rows = list(self.kept(("posts",), self.scenario.posts))
        self.once(rows, lambda one: one.id, "this post")
        for path, post in rows:
            self.unit((*path, "unit"), post.unit)
            if not post.id.startswith(f"{post.unit}."):
                cause = f"{post.id!r} does not begin with its unit"
                self.fail((*path, "id"), cause, f"call it {post.unit}.{post.id.rpartition('.')[2]}")
            if len(set(post.duties)) != len(post.duties):
                self.fail((*path, "duties"), "a duty is given twice", "give each once")

    def consultations(self) -> None:
        posts = {one.id: one for _, one in self.kept(("posts",), self.scenario.posts)}
        for path, row in self.kept(("consultations",), self.scenario.consultations):
            self.decision((*path, "decision"), row.decision)
            self.known((*path, "post"), row.post, posts, "post")
            post = posts[row.post]
            if "request" not in post.duties:
                self.fail(
                    (*path, "post"), f"{row.post} has not the duty request", "add it to the post's duties"
                )
            authorities = [one for one in self.structure.authorities if one.decision == row.decision]
            able = [one.unit for one in authorities if one.role in ("propose", "decide")]
            if post.unit not in able:
                cause = f"{post.unit} may not ask for {row.decision} in structure {self.structure.id}"
                self.fail((*path, "post"), cause, f"units that may: {', '.join(able) or 'none'}")
            if not any(one.role == "convene" for one in authorities):
                cause = f"nobody convenes {row.decision} in structure {self.structure.id}"
                self.fail((*path, "decision"), cause, "name a decision with a body, or limit it with `when`")

    def injects(self) -> None:
        rows = list(self.kept(("injects",), self.scenario.injects))
        self.once(rows, lambda one: one.id, "this inject")
        links = {frozenset(link.between) for _, link in self.kept(("links",), self.scenario.links)}
        down: dict[str, float] = {}
        for path, inject in sorted(rows, key=lambda row: row[1].at_s):
            self.in_time((*path, "at_s"), inject.at_s)
            match inject:
                case MessageInject():
                    self.unit((*path, "unit"), inject.unit)
                case LinkDown():
                    self.pair((*path, "between"), inject.between)
                    if frozenset(inject.between) not in links:
                        cause = f"there is no link between {inject.between[0]} and {inject.between[1]}"
                        self.fail((*path, "between"), cause, "name a link of the scenario")
                case NodeDown():
                    self.known((*path, "node"), inject.node, self.nodes_known, "node")
                    if inject.at_s < down.get(inject.node, 0.0):
                        cause = f"{inject.node} is down already at {inject.at_s:g} s"
                        self.fail((*path, "at_s"), cause, f"begin after {down[inject.node]:g} s")
                    down[inject.node] = inject.at_s + inject.for_s
                case SensorDown():
                    self.known((*path, "sensor"), inject.sensor, _ids(self, "sensors"), "sensor")
                case PostAbsent():
                    self.known((*path, "post"), inject.post, _ids(self, "posts"), "post")

    def expectations(self) -> None:
        rows = list(self.kept(("expectations",), self.scenario.expectations))
        self.once(rows, lambda one: one.id, "this expectation")
        for path, one in rows:
            match one:
                case ReportWithin() | ReportNever():
                    for field, partner in (("from", one.origin), ("to", one.receiver)):
                        self.known((*path, field), partner, self.partners_known, "partner")
                    if one.origin == one.receiver:
                        self.fail(
                            (*path, "to"), "a partner does not report to itself", "name another partner"
                        )
                case WarningLead() | PassedAfterObservation():
                    self.known((*path, "partner"), one.partner, self.partners_known, "partner")
                case (
                    AlertNames()
                    | AlertOmits()
                    | AlertIssued()
                    | AlertNever()
                    | Acknowledged()
                    | EndReachesSame()
                ):
                    self.unit((*path, "unit"), one.unit)
                case Consulted():
                    self.decision((*path, "decision"), one.decision)

    def decision(self, path: Path, decision: str) -> None:
        self.known(path, decision, self.catalogue.decision_ids, "decision")


def _ids(check: _Check, field: str) -> tuple[str, ...]:
    return tuple(one.id for _, one in check.kept((field,), getattr(check.scenario, field)))
