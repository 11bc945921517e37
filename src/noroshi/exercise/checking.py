"""What types cannot see in a scenario: names of nothing, things given twice, times outside, units nobody serves.

Checked under one structure; elements that are not in force under it are left alone, except that their `when` must
name known structures.

    check_scenario(loaded, structure, catalogue, known_structures=("before", "after", "trilateral"))
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from math import isfinite
from typing import TypeVar

import msgspec

from noroshi.documents import Path, fail, suggest
from noroshi.exercise.cast import units_to_nodes
from noroshi.exercise.injects import CapInject
from noroshi.exercise.loading import Loaded, choices
from noroshi.exercise.scenario import (
    Choice,
    LinkDown,
    NodeDown,
    Relay,
    ReportNever,
    ReportWithin,
    Scenario,
    in_force,
    selected,
)
from noroshi.exercise.varying import changed, meant, name_of
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
    check.relays()
    check.consultations()
    check.injects()
    check.expectations()
    check.variations()
    check.costs()
    check.background()


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
            for name in flight.false_for:
                self.known((*path, "false_for"), name, _ids(self, "sensors"), "sensor")
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

    def relays(self) -> None:
        rows = list(self.kept(("relays",), self.scenario.relays))
        self.once(rows, lambda one: one.id, "this relay")
        first: dict[str, Relay] = {}
        for path, relay in rows:
            self.unit((*path, "unit"), relay.unit)
            for index, window in enumerate(relay.down):
                self.in_time((*path, "down", index, "from_s"), window.from_s)
            for index, hop in enumerate(relay.broken):
                if hop >= relay.last_hops:
                    cause = f"it has no last hop {hop}"
                    self.fail(
                        (*path, "broken", index), cause, f"they are numbered 0 to {relay.last_hops - 1}"
                    )
            other = first.setdefault(relay.roster or relay.id, relay)
            if (other.last_hops, other.unit) != (relay.last_hops, relay.unit):
                cause = f"{other.id} of the same roster has {other.last_hops} last hops of {other.unit}"
                self.fail(
                    (*path, "last_hops"), cause, "relays of one roster have the same last hops and unit"
                )

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
            self.names(path, inject)
            match inject:
                case LinkDown():
                    if frozenset(inject.between) not in links:
                        cause = f"there is no link between {inject.between[0]} and {inject.between[1]}"
                        self.fail((*path, "between"), cause, "name a link of the scenario")
                case NodeDown():
                    if inject.at_s < down.get(inject.node, 0.0):
                        cause = f"{inject.node} is down already at {inject.at_s:g} s"
                        self.fail((*path, "at_s"), cause, f"begin after {down[inject.node]:g} s")
                    down[inject.node] = inject.at_s + inject.for_s

    def expectations(self) -> None:
        rows = list(self.kept(("expectations",), self.scenario.expectations))
        self.once(rows, lambda one: one.id, "this expectation")
        for path, one in rows:
            self.names(path, one)
            if isinstance(one, ReportWithin | ReportNever) and one.origin == one.receiver:
                self.fail((*path, "to"), "a partner does not report to itself", "name another partner")

    def variations(self) -> None:
        """Each row of `vary` must be about something, and leave numbers that a scenario may say."""
        for index, row in enumerate(self.scenario.vary):
            path: Path = ("vary", index)
            elements = self.scenario.world.flights if row.of == "flights" else getattr(self.scenario, row.of)
            for name in row.only:
                self.known((*path, "only"), name, [name_of(one) for one in elements], f"element of {row.of}:")
            if row.least > row.most:
                self.fail(
                    (*path, "least"), f"{row.least:g} is more than {row.most:g}", "give the lesser number"
                )
            if not any(meant(one, row) for one in elements):
                cause = f"none of the {row.of} has a number {row.field!r}"
                self.fail((*path, "field"), cause, "name a number of these elements")
            for end, share in (("least", 0.0), ("most", 1.0)):
                drawn = changed(self.scenario, row, lambda name, share=share: share)
                try:
                    msgspec.convert(msgspec.to_builtins(drawn), Scenario, strict=False)
                except msgspec.ValidationError as error:
                    self.fail((*path, end), f"it gives what no scenario may say: {error}", "narrow it")

    def costs(self) -> None:
        scenario = self.scenario
        rows: dict[str, Iterable[Choice]] = {
            "injects": scenario.injects, "sensors": scenario.sensors, "posts": scenario.posts,
        }  # fmt: skip
        for index, one in enumerate(scenario.costs):
            path: Path = ("costs", index)
            if (one.instead is None) == (one.without is None):
                self.fail(path, "it must be held against one thing", "give either `instead` or `without`")
            if one.partner is None and one.unit is None:
                self.fail(path, "it does not say of whom", "give `partner` or `unit`")
            if one.partner is not None:
                self.known((*path, "partner"), one.partner, self.partners_known, "partner")
            if one.unit is not None:
                self.unit((*path, "unit"), one.unit)
            if one.without is not None:
                for field, elements in rows.items():
                    for name in getattr(one.without, field):
                        known = [name_of(each) for each in elements]
                        self.known((*path, "without", field), name, known, field.removesuffix("s"))
                for partner in one.without.rules:
                    self.known((*path, "without", "rules"), partner, self.partners_known, "partner")

    def background(self) -> None:
        """What a study of days names must be there."""
        study = self.scenario.background
        if study is None:
            return
        here: Path = ("background",)
        flights = tuple(one.id for one in self.scenario.world.flights)
        for field in ("benign", "launches", "trues"):
            for index, one in enumerate(getattr(study, field)):
                self.known((*here, field, index, "flight"), one.flight, flights, "flight")
                if field != "benign":
                    self.known((*here, field, index, "notice"), one.notice, _ids(self, "injects"), "inject")
        for index, alarm in enumerate(study.benign):
            for number, sensor in enumerate(alarm.sensors):
                self.known(
                    (*here, "benign", index, "sensors", number), sensor, _ids(self, "sensors"), "sensor"
                )
            if alarm.most_s < alarm.least_s:
                self.fail((*here, "benign", index, "most_s"), "it is below least_s", "give a longer time")
        self.known((*here, "partner"), study.partner, self.partners_known, "partner")
        self.unit((*here, "unit"), study.unit)

    def names(self, path: Path, one: Choice) -> None:
        """What the fields of an inject or an expectation name must be there: `unit` is a unit in all."""
        for field in msgspec.structs.fields(one):
            place, value = (*path, field.encode_name), getattr(one, field.name)
            if value is None or value == "":
                continue
            match field.name:
                case "unit":
                    self.unit(place, value)
                case "node":
                    self.known(place, value, self.nodes_known, "node")
                case "partner" | "origin" | "receiver":
                    self.known(place, value, self.partners_known, "partner")
                case "sensor":
                    self.known(place, value, _ids(self, "sensors"), "sensor")
                case "post":
                    self.known(place, value, _ids(self, "posts"), "post")
                case "decision":
                    self.decision(place, value)
                case "relay":
                    self.known(place, value, _ids(self, "relays"), "relay")
                case "roster":
                    relays = [one for _, one in self.kept(("relays",), self.scenario.relays)]
                    self.known(place, value, [one.roster or one.id for one in relays], "roster")
                case "between":
                    self.pair(place, value)
                case "refers":
                    for name in value:
                        files = [each.id for each in self.scenario.injects if isinstance(each, CapInject)]
                        self.known(place, name, [each for each in files if each != name_of(one)], "file:")

    def decision(self, path: Path, decision: str) -> None:
        self.known(path, decision, self.catalogue.decision_ids, "decision")


def _ids(check: _Check, field: str) -> tuple[str, ...]:
    return tuple(one.id for _, one in check.kept((field,), getattr(check.scenario, field)))
