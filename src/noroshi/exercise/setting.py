"""What a setting file says: who takes part for real, or in a standing exercise, and what each of them has.

A setting is what a scenario is without its world: no flights, no injects, no modelled persons, no time. All partners are
given the same one; each may keep the sensors and posts of the others out of its own copy. Keys are in no file.

    loaded = load_setting(text, "two-nations.yaml")
    check_setting(loaded, structure, catalogue)          # raises InputError: file, line, field, what would be right
    cast = cast_of_setting(loaded.setting, structure, catalogue)

Angles in files are degrees and milliradians, lengths metres, times seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

from noroshi.command.readiness import RECEIPT_WITHIN_S
from noroshi.documents import Document, Path, convert, fail, json_schema, parse, suggest
from noroshi.exercise.cast import Cast, Taking, site_m
from noroshi.exercise.parts import Latitude, Longitude, Name, Part, Positive, Seconds, Trigraph
from noroshi.gateways.realm import check_realm_words
from noroshi.messages.bodies_reach import MAX_HOPS
from noroshi.messages.soundness import MAX_LINE
from noroshi.messages.trust import is_realm
from noroshi.node.inputs import PostRow, Publishing, RuleSet, SensorRow
from noroshi.structure import Catalogue, Structure
from noroshi.structure.nodes import AssignmentError, assign

SCHEMA = "noroshi.setting/1"

Title = Annotated[str, Meta(min_length=1, max_length=200)]
Duty = Annotated[
    str,
    Meta(
        pattern="^(watch|approve|acknowledge|concur|notify|request:[a-z0-9][a-z0-9-]{0,63})$",
        description="watch, approve, acknowledge, concur, notify, or request:<decision>",
    ),
]

_ADDRESS = re.compile(r"https?://[^\s<>\"{}|\\^`]+")


class SettingRules(RuleSet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The partner's policy: any of the fields of `noroshi.node.inputs.RuleSet`; the newest edition if none is named.

    What alerting units may do beyond two persons stands in a warrant, which the partner's root signs.
    """

    edition: Literal[1, 2] | msgspec.UnsetType = 2
    receipt_within_s: float | msgspec.UnsetType = RECEIPT_WITHIN_S


class SettingPartner(Part, frozen=True, kw_only=True):
    """A nation that takes part: its trigraph, its nation code in the structure, its node, the unit that warns.

    areas: an agency's own areas, a GeoJSON file beside the setting. publishing: what its public alerts say beside their
    words.
    """

    id: Trigraph
    nation: str
    name: Title
    node: Name
    assessing: str
    rules: SettingRules = SettingRules()
    areas: str = ""
    publishing: Publishing | None = None


class SettingShared(Part, frozen=True, kw_only=True):
    """Which node serves a unit that is not of one partner's nation only."""

    unit: str
    node: Name


class SettingSensor(Part, frozen=True, kw_only=True):
    """A radar, or an infrared sensor (angles only). Its figures are 1-sigma.

    clock_sigma_s: of its time stamps; bias_*: of what it may be off by in all its measurements at once, all of them or
    none.
    """

    id: Name
    unit: str
    sensing: Literal["radar", "infrared"] = "radar"
    lat_deg: Latitude
    lon_deg: Longitude
    height_m: float = 0.0
    sigma_range_m: Positive | None = None
    sigma_range_rate_mps: Positive | None = None
    sigma_azimuth_mrad: Positive
    sigma_elevation_mrad: Positive
    clock_sigma_s: Seconds = 0.0
    bias_range_m: Seconds | None = None
    bias_azimuth_mrad: Seconds | None = None
    bias_elevation_mrad: Seconds | None = None


class SettingPost(Part, frozen=True, kw_only=True):
    """A seat; who sits in it is the nation's business."""

    id: Name
    unit: str
    title: Title
    duties: Annotated[tuple[Duty, ...], Meta(min_length=1)]


class SettingRelay(Part, frozen=True, kw_only=True):
    """What is to carry a unit's alerts to its last hops. roster: whose last hops it serves; its own if left out."""

    id: Name
    unit: str
    roster: Name | None = None
    last_hops: Annotated[int, Meta(ge=1, le=MAX_HOPS)]


class Setting(Part, frozen=True, kw_only=True):
    """A whole setting. realm: `real`, or `exercise:<name>` for an exercise that stands for longer than one scenario.

    links: pairs of partners whose nodes have a link. outside: nations of the structure that have no node; their units
    are served by nobody.
    """

    schema: Literal["noroshi.setting/1"]
    realm: str
    title: Title
    structure: str
    partners: Annotated[tuple[SettingPartner, ...], Meta(min_length=1)]
    shared_units: tuple[SettingShared, ...] = ()
    outside: tuple[str, ...] = ()
    links: tuple[tuple[Trigraph, Trigraph], ...] = ()
    sensors: tuple[SettingSensor, ...] = ()
    posts: tuple[SettingPost, ...] = ()
    relays: tuple[SettingRelay, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedSetting:
    """A setting, and the document that it was read from, for naming lines."""

    setting: Setting
    document: Document


def load_setting(text: str, file: str) -> LoadedSetting:
    """The setting in `text`. Raises InputError for what is wrong whatever the structure."""
    document = parse(text, file)
    setting = convert(document, Setting)
    if not is_realm(setting.realm):
        fail(document, ("realm",), f"{setting.realm!r} is no realm", "write `real` or `exercise:<name>`")
    return LoadedSetting(setting, document)


def setting_schema() -> dict[str, Any]:
    """The JSON Schema of setting files; it cannot say all that loading and checking find."""
    return {
        "$id": "https://noroshi.invalid/schemas/setting.schema.json",
        "title": "noroshi setting",
        **json_schema(Setting),
    }


def cast_of_setting(setting: Setting, structure: Structure, catalogue: Catalogue) -> Cast:
    """The cast of a checked setting."""
    node_of = {one.id: one.node for one in setting.partners}
    return Cast(
        realm=setting.realm,
        title=setting.title,
        structure=structure,
        catalogue=catalogue,
        nodes=_served(setting, structure),
        taking=tuple(
            Taking(
                partner=one.id, nation=one.nation, node=one.node, assessing_unit=one.assessing, rules=one.rules,
                publishing=one.publishing or msgspec.UNSET,
            )
            for one in setting.partners
        ),
        wires=tuple((node_of[a], node_of[b]) for a, b in setting.links),
        sensors=tuple(_sensor_row(one) for one in setting.sensors),
        posts=tuple(
            PostRow(id=one.id, unit=one.unit, title=one.title, duties=one.duties) for one in setting.posts
        ),
    )  # fmt: skip


def check_setting(loaded: LoadedSetting, structure: Structure, catalogue: Catalogue) -> None:
    """Raises InputError at the first fault, with file, line, field, and what would be right."""
    check = _Check(loaded, structure, catalogue)
    check.partners()
    check.rules()
    check.publishing()
    check.outside()
    check.units()
    check.links()
    check.sensors()
    check.posts()
    check.relays()


Row = TypeVar("Row", bound=Part)


class _Check:
    def __init__(self, loaded: LoadedSetting, structure: Structure, catalogue: Catalogue) -> None:
        self.setting = loaded.setting
        self.document = loaded.document
        self.structure = structure
        self.catalogue = catalogue

    def fail(self, path: Path, cause: str, hint: str = "") -> None:
        fail(self.document, path, cause, hint)

    def known(self, path: Path, value: str, names: Iterable[str], what: str) -> None:
        names = tuple(names)
        if value not in names:
            self.fail(path, f"there is no {what} {value!r}", suggest(value, names))

    def unit(self, path: Path, unit: str) -> None:
        cause = f"the structure {self.structure.id} has no unit {unit!r}"
        if not self.structure.has(unit):
            self.fail(path, cause, suggest(unit, self.structure.unit_ids))

    def served(self, path: Path, unit: str) -> None:
        """The unit is there, and a node serves it."""
        self.unit(path, unit)
        if unit not in _served(self.setting, self.structure):
            self.fail(path, f"no node serves {unit}", "name a unit of a partner's nation")

    def rows(self, field: str, key: Callable[[Any], str], what: str) -> list[tuple[Path, Any]]:
        """The rows of a list with their places, none of them twice."""
        seen: dict[str, int] = {}
        found: list[tuple[Path, Any]] = []
        for index, one in enumerate(getattr(self.setting, field)):
            path: Path = (field, index)
            if key(one) in seen:
                self.fail(path, f"{what} is given twice; first in line {seen[key(one)]}", "give each once")
            seen[key(one)] = self.document.line(path)
            found.append((path, one))
        return found

    def partners(self) -> None:
        nations = sorted({one.nation for one in self.structure.units if not one.shared})
        seen: set[tuple[str, str]] = set()
        for index, one in enumerate(self.setting.partners):
            path: Path = ("partners", index)
            for field in ("id", "node", "nation"):
                pair = (field, getattr(one, field))
                if pair in seen:
                    self.fail((*path, field), f"{pair[1]!r} is given to two partners", "give each its own")
                seen.add(pair)
            self.known((*path, "nation"), one.nation, nations, f"nation in structure {self.structure.id}:")
            self.unit((*path, "assessing"), one.assessing)
            nation = self.structure.unit(one.assessing).nation
            if nation != one.nation:
                cause = f"{one.assessing} is of {nation}, not of {one.nation}"
                self.fail((*path, "assessing"), cause, "name an own unit")

    def rules(self) -> None:
        """A figure that no policy can mean: the types of the rules are those of records, which say less."""
        for index, one in enumerate(self.setting.partners):
            for field in msgspec.structs.fields(RuleSet):
                value, path = getattr(one.rules, field.name), ("partners", index, "rules", field.name)
                if isinstance(value, bool) or not isinstance(value, int | float):
                    continue
                if not 0 < value < float("inf"):
                    self.fail(path, f"{value:g} is no such figure", "give a number above 0")
                if field.name in ("warn_probability", "fall_probability") and value >= 1:
                    self.fail(path, f"{value:g} is no such probability", "give a number above 0 and below 1")

    def publishing(self) -> None:
        for index, one in enumerate(self.setting.partners):
            words, path = one.publishing, ("partners", index, "publishing")
            if words is None:
                continue
            for field in ("web", "contact"):
                if len(getattr(words, field)) > MAX_LINE:
                    self.fail((*path, field), "it is too long", f"give at most {MAX_LINE} characters")
            if words.web and not _ADDRESS.fullmatch(words.web):
                self.fail((*path, "web"), f"{words.web!r} is no address", "write https://... in full")
            if words.contact != " ".join(words.contact.split()) or not words.contact.isprintable():
                self.fail(
                    (*path, "contact"), "it is not one plain line", "write a name, a number or an address"
                )

            defect = check_realm_words(words.contact, self.setting.realm)
            if defect:
                self.fail((*path, "contact"), f"it {defect}", "leave the word out")

    def outside(self) -> None:
        nations = {nation for one in self.structure.units for nation in one.nations}
        inside = {one.nation: one.id for one in self.setting.partners}
        for index, nation in enumerate(self.setting.outside):
            path: Path = ("outside", index)
            self.known(path, nation, sorted(nations), f"nation in structure {self.structure.id}:")
            if nation in inside:
                self.fail(
                    path, f"{nation} is the nation of {inside[nation]}", "leave it out of one of the two"
                )

    def units(self) -> None:
        rows = self.rows("shared_units", lambda one: one.unit, "this unit")
        for path, row in rows:
            self.unit((*path, "unit"), row.unit)
            self.known((*path, "node"), row.node, [one.node for one in self.setting.partners], "node")
        try:
            _served(self.setting, self.structure)
        except AssignmentError as error:
            places = [path for path, row in rows if row.unit == error.unit]
            lone = self.structure.has(error.unit) and not self.structure.unit(error.unit).shared
            hint = "give the nation a partner, or name it in `outside`" if lone else error.hint
            what = f"{error.unit or 'units'} of structure {self.structure.id}: {error.cause}"
            self.fail(places[0] if places else ("outside",) if lone else ("shared_units",), what, hint)

    def links(self) -> None:
        known = [one.id for one in self.setting.partners]
        self.rows("links", lambda pair: " ".join(sorted(pair)), "this link")
        for index, pair in enumerate(self.setting.links):
            for end, partner in enumerate(pair):
                self.known(("links", index, end), partner, known, "partner")
            if pair[0] == pair[1]:
                self.fail(("links", index), f"{pair[0]} cannot be linked to itself", "name two partners")

    def sensors(self) -> None:
        for path, sensor in self.rows("sensors", lambda one: one.id, "this sensor"):
            self.served((*path, "unit"), sensor.unit)
            radar = sensor.sensing == "radar"
            if radar and sensor.sigma_range_m is None:
                self.fail((*path, "sigma_range_m"), "a radar has a range", "give its sigma in metres")
            for field in ("sigma_range_m", "sigma_range_rate_mps", "bias_range_m"):
                if not radar and getattr(sensor, field) is not None:
                    self.fail((*path, field), "an infrared sensor measures angles only", "leave it out")
            wanted = ["bias_azimuth_mrad", "bias_elevation_mrad", *(["bias_range_m"] if radar else [])]
            missing = [name for name in wanted if getattr(sensor, name) is None]
            if missing and len(missing) < len(wanted):
                self.fail(
                    (*path, missing[0]), "its biases are known in part only", "give all of them, or none"
                )

    def posts(self) -> None:
        for path, post in self.rows("posts", lambda one: one.id, "this post"):
            self.served((*path, "unit"), post.unit)
            if not post.id.startswith(f"{post.unit}."):
                cause = f"{post.id!r} does not begin with its unit"
                self.fail((*path, "id"), cause, f"call it {post.unit}.{post.id.rpartition('.')[2]}")
            if len(set(post.duties)) != len(post.duties):
                self.fail((*path, "duties"), "a duty is given twice", "give each once")
            for index, duty in enumerate(post.duties):
                if duty.startswith("request:"):
                    self.asks((*path, "duties", index), post.unit, duty.removeprefix("request:"))

    def asks(self, path: Path, unit: str, decision: str) -> None:
        """Whether posts of a unit may ask for a decision."""
        self.known(path, decision, self.catalogue.decision_ids, "decision")
        authorities = [one for one in self.structure.authorities if one.decision == decision]
        able = [one.unit for one in authorities if one.role in ("propose", "decide")]
        if unit not in able:
            cause = f"{unit} may not ask for {decision} in structure {self.structure.id}"
            self.fail(path, cause, f"units that may: {', '.join(able) or 'none'}")

    def relays(self) -> None:
        first: dict[str, SettingRelay] = {}
        for path, relay in self.rows("relays", lambda one: one.id, "this relay"):
            self.served((*path, "unit"), relay.unit)
            other = first.setdefault(relay.roster or relay.id, relay)
            if (other.last_hops, other.unit) != (relay.last_hops, relay.unit):
                cause = f"{other.id} of the same roster has {other.last_hops} last hops of {other.unit}"
                self.fail(
                    (*path, "last_hops"), cause, "relays of one roster have the same last hops and unit"
                )


def _served(setting: Setting, structure: Structure) -> dict[str, str]:
    """Which node serves each unit; nobody serves external ones, and those of nations outside. Raises AssignmentError."""
    outside = set(setting.outside)
    kept_out = [
        one.id for one in structure.units if one.kind != "external" and one.nations and one.nations <= outside
    ]
    nodes = {partner.node: (partner.nation,) for partner in setting.partners}
    return assign(structure, nodes, {row.unit: row.node for row in setting.shared_units}, kept_out)


def _sensor_row(sensor: SettingSensor) -> SensorRow:
    """The sensor as its node knows it, without its pseudonym."""
    biases: tuple[float, float, float] | msgspec.UnsetType = msgspec.UNSET
    if sensor.bias_azimuth_mrad is not None and sensor.bias_elevation_mrad is not None:
        biases = (
            sensor.bias_range_m or 0.0,
            sensor.bias_azimuth_mrad / 1e3,
            sensor.bias_elevation_mrad / 1e3,
        )
    return SensorRow(
        id=sensor.id,
        unit=sensor.unit,
        sensing=sensor.sensing,
        pseudonym="",
        site_m=site_m(sensor),
        sigma=(
            sensor.sigma_range_m or 0.0,
            sensor.sigma_azimuth_mrad / 1e3,
            sensor.sigma_elevation_mrad / 1e3,
        ),
        clock_sigma_s=sensor.clock_sigma_s,
        sigma_rate_mps=sensor.sigma_range_rate_mps or msgspec.UNSET,
        bias_sigma=biases,
    )
