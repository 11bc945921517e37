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
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from noroshi.documents import Document, Path, convert, fail, json_schema, parse
from noroshi.exercise.cast import Cast, sensor_row, taking, units_to_nodes, wires
from noroshi.exercise.cast_checks import CastCheck, placed
from noroshi.exercise.cast_parts import PartnerPart, PostPart, RelayPart, SensorPart, ServedPart
from noroshi.exercise.parts import Part, Seconds, Trigraph
from noroshi.gateways.realm import check_realm_words
from noroshi.messages.soundness import MAX_LINE
from noroshi.messages.trust import is_realm
from noroshi.node.inputs import PostRow, Publishing, RuleSet, SensorRow
from noroshi.structure import Catalogue, Structure
from noroshi.structure.nodes import AssignmentError

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


class SettingPartner(PartnerPart, frozen=True, kw_only=True):
    """A nation that takes part: its trigraph, its nation code in the structure, its node, the unit that warns.

    areas: an agency's own areas, a GeoJSON file beside the setting. publishing: what its public alerts say beside their
    words.
    """

    name: Title
    assessing: str
    publishing: Publishing | None = None


class SettingSensor(SensorPart, frozen=True, kw_only=True):
    """A radar, or an infrared sensor (angles only). Its figures are 1-sigma.

    clock_sigma_s: of its time stamps; bias_*: of what it may be off by in all its measurements at once, all of them or
    none.
    """

    clock_sigma_s: Seconds = 0.0
    bias_range_m: Seconds | None = None
    bias_azimuth_mrad: Seconds | None = None
    bias_elevation_mrad: Seconds | None = None


class SettingPost(PostPart, frozen=True, kw_only=True):
    """A seat; who sits in it is the nation's business."""

    title: Title
    duties: Annotated[tuple[Duty, ...], Meta(min_length=1)]


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
    shared_units: tuple[ServedPart, ...] = ()
    outside: tuple[str, ...] = ()
    links: tuple[tuple[Trigraph, Trigraph], ...] = ()
    sensors: tuple[SettingSensor, ...] = ()
    posts: tuple[SettingPost, ...] = ()
    relays: tuple[RelayPart, ...] = ()


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
    return Cast(
        realm=setting.realm,
        title=setting.title,
        structure=structure,
        catalogue=catalogue,
        nodes=_served(setting, structure),
        taking=tuple(
            replace(taking(one, one.assessing), publishing=one.publishing or msgspec.UNSET)
            for one in setting.partners
        ),
        wires=wires(setting.partners, setting.links),
        sensors=tuple(_sensor_row(one) for one in setting.sensors),
        posts=tuple(
            PostRow(id=one.id, unit=one.unit, title=one.title, duties=one.duties) for one in setting.posts
        ),
    )


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


class _Check(CastCheck):
    def __init__(self, loaded: LoadedSetting, structure: Structure, catalogue: Catalogue) -> None:
        super().__init__(loaded.document, loaded.setting.partners, structure, catalogue)
        self.setting = loaded.setting

    def has_node(self, path: Path, unit: str) -> None:
        """The unit is there, and a node serves it."""
        self.unit(path, unit)
        if unit not in _served(self.setting, self.structure):
            self.fail(path, f"no node serves {unit}", "name a unit of a partner's nation")

    def partners(self) -> None:
        rows = list(placed(("partners",), self.setting.partners))
        self.own_names(rows)
        for path, one in rows:
            self.assesses((*path, "assessing"), one.assessing, one)

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
        rows = list(placed(("shared_units",), self.setting.shared_units))
        self.served(rows)
        try:
            _served(self.setting, self.structure)
        except AssignmentError as error:
            places = [path for path, row in rows if row.unit == error.unit]
            lone = self.structure.has(error.unit) and not self.structure.unit(error.unit).shared
            hint = "give the nation a partner, or name it in `outside`" if lone else error.hint
            what = f"{error.unit or 'units'} of structure {self.structure.id}: {error.cause}"
            self.fail(places[0] if places else ("outside",) if lone else ("shared_units",), what, hint)

    def links(self) -> None:
        rows = list(placed(("links",), self.setting.links))
        for path, pair in rows:
            self.pair(path, pair)
        self.once(rows, frozenset, "this link")

    def sensors(self) -> None:
        rows = list(placed(("sensors",), self.setting.sensors))
        self.once(rows, lambda one: one.id, "this sensor")
        for path, sensor in rows:
            self.has_node((*path, "unit"), sensor.unit)
            self.sensor(path, sensor, of_range=("bias_range_m",))
            radar = sensor.sensing == "radar"
            wanted = ["bias_azimuth_mrad", "bias_elevation_mrad", *(["bias_range_m"] if radar else [])]
            missing = [name for name in wanted if getattr(sensor, name) is None]
            if missing and len(missing) < len(wanted):
                self.fail(
                    (*path, missing[0]), "its biases are known in part only", "give all of them, or none"
                )

    def posts(self) -> None:
        rows = list(placed(("posts",), self.setting.posts))
        self.once(rows, lambda one: one.id, "this post")
        for path, post in rows:
            self.has_node((*path, "unit"), post.unit)
            self.post(path, post)
            for index, duty in enumerate(post.duties):
                if duty.startswith("request:"):
                    place, decision = (*path, "duties", index), duty.removeprefix("request:")
                    self.decision(place, decision)
                    self.may_ask(place, post.unit, decision)

    def relays(self) -> None:
        rows = list(placed(("relays",), self.setting.relays))
        self.once(rows, lambda one: one.id, "this relay")
        for path, relay in rows:
            self.has_node((*path, "unit"), relay.unit)
        self.rosters(rows)


def _served(setting: Setting, structure: Structure) -> dict[str, str]:
    """Which node serves each unit. Raises AssignmentError."""
    return units_to_nodes(setting.partners, setting.shared_units, structure, setting.outside)


def _sensor_row(sensor: SettingSensor) -> SensorRow:
    """The sensor as its node knows it, without its pseudonym."""
    biases: tuple[float, float, float] | msgspec.UnsetType = msgspec.UNSET
    if sensor.bias_azimuth_mrad is not None and sensor.bias_elevation_mrad is not None:
        biases = (
            sensor.bias_range_m or 0.0,
            sensor.bias_azimuth_mrad / 1e3,
            sensor.bias_elevation_mrad / 1e3,
        )
    row = sensor_row(sensor)
    return msgspec.structs.replace(row, clock_sigma_s=sensor.clock_sigma_s, bias_sigma=biases)
