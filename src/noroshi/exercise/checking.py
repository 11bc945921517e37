"""What types cannot see in a scenario: names of nothing, things given twice, times outside, units nobody serves.

Checked under one structure; elements that are not in force under it are left alone, except that their `when` must
name known structures.

    check_scenario(loaded, structure, catalogue, known_structures=("before", "after", "trilateral"))
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from math import isfinite
from typing import TypeVar

import msgspec

from noroshi.documents import Path
from noroshi.exercise.cast import units_to_nodes
from noroshi.exercise.cast_checks import CastCheck, placed
from noroshi.exercise.injects import CapInject, FalseReceipt, ForgedWarning, RecordedRaid
from noroshi.exercise.loading import Loaded, choices
from noroshi.exercise.scenario import (
    Choice,
    LinkDown,
    MaybeInForce,
    NodeDown,
    ReportNever,
    ReportWithin,
    Scenario,
    in_force,
)
from noroshi.exercise.varying import changed, meant, name_of
from noroshi.structure import Catalogue, Structure
from noroshi.structure.nodes import AssignmentError

AnyElement = TypeVar("AnyElement", bound=MaybeInForce)

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


class _Check(CastCheck):
    def __init__(self, loaded: Loaded, structure: Structure, catalogue: Catalogue) -> None:
        super().__init__(loaded.document, loaded.scenario.partners, structure, catalogue)
        self.scenario: Scenario = loaded.scenario

    def kept(self, field: Path, elements: Iterable[AnyElement]) -> Iterator[tuple[Path, AnyElement]]:
        """The elements in force, each with its path."""
        return (row for row in placed(field, elements) if in_force(row[1], self.structure.id))

    def in_time(self, path: Path, at_s: float) -> None:
        if at_s > self.scenario.duration_s:
            cause = f"{at_s:g} s is after the end of the scenario"
            self.fail(path, cause, f"use at most duration_s, {self.scenario.duration_s:g}")

    def whens(self, known: Collection[str]) -> None:
        names = tuple(dict.fromkeys((*known, self.structure.id)))
        for path, one in choices(self.scenario):
            for index, name in enumerate(one.when.structure if one.when else ()):
                if known:
                    self.known((*path, "when", "structure", index), name, names, "structure")

    def partners(self) -> None:
        rows = list(placed(("partners",), self.scenario.partners))
        self.own_names(rows)
        for path, one in rows:
            assessing = list(self.kept((*path, "assessing"), one.assessing))
            if len(assessing) != 1:
                cause = f"{len(assessing)} units assess for {one.id} under structure {self.structure.id}"
                self.fail((*path, "assessing"), cause, "give exactly one")
            place, row = assessing[0]
            self.assesses((*place, "unit"), row.unit, one)

    def units(self) -> None:
        rows = list(self.kept(("shared_units",), self.scenario.shared_units))
        self.served(rows)
        try:
            units_to_nodes(self.scenario.partners, [row for _, row in rows], self.structure)
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

    def sensors(self) -> None:
        rows = list(self.kept(("sensors",), self.scenario.sensors))
        self.once(rows, lambda one: one.id, "this sensor")
        for path, sensor in rows:
            self.unit((*path, "unit"), sensor.unit)
            self.sensor(path, sensor)
            if sensor.sensing == "radar" and sensor.elevation_min_deg < LOWEST_DEG:
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
            self.post(path, post)

    def relays(self) -> None:
        rows = list(self.kept(("relays",), self.scenario.relays))
        self.once(rows, lambda one: one.id, "this relay")
        for path, relay in rows:
            self.unit((*path, "unit"), relay.unit)
            for index, window in enumerate(relay.down):
                self.in_time((*path, "down", index, "from_s"), window.from_s)
            for index, hop in enumerate(relay.broken):
                if hop >= relay.last_hops:
                    hint = f"they are numbered 0 to {relay.last_hops - 1}"
                    self.fail((*path, "broken", index), f"it has no last hop {hop}", hint)
        self.rosters(rows)

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
            self.may_ask((*path, "post"), post.unit, row.decision)
            authorities = [one for one in self.structure.authorities if one.decision == row.decision]
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
                case RecordedRaid() | ForgedWarning() | FalseReceipt():
                    self.speaker(path, inject, links)

    def speaker(
        self,
        path: Path,
        inject: RecordedRaid | ForgedWarning | FalseReceipt,
        links: Collection[frozenset[str]],
    ) -> None:
        """Whom an inject speaks as must be there, with a way to the node that hears it."""
        kind = inject.entrance if isinstance(inject, RecordedRaid) else "link"
        field: Path = (*path, "as_from")
        own = next((one.id for one in self.scenario.partners if one.node == inject.node), "")
        if kind == "link" and frozenset((inject.as_from, own)) not in links:
            cause = f"there is no link between {own} and {inject.as_from or 'nobody'}"
            self.fail(field, cause, "name a partner that has a link to the node's")
        elif kind == "console":
            self.known(field, inject.as_from, _ids(self, "posts"), "post")
        elif kind == "feed":
            self.known(field, inject.as_from, _ids(self, "sensors"), "sensor")
        elif kind in ("file", "backup") and inject.as_from:
            self.fail(field, f"a {kind} comes from nobody", "leave it out")

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
        rows: dict[str, Iterable[MaybeInForce]] = {
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


def _ids(check: _Check, field: str) -> tuple[str, ...]:
    return tuple(one.id for _, one in check.kept((field,), getattr(check.scenario, field)))
