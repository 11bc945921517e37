"""Structures as checked values: who exists, who is linked, who shares what, who may take which decision.

The records mirror the files field by field. Every element names its `source` and its `confidence`; nothing
here gives, or can give, authority over a weapon. Build structures with `load_structure`, which checks what
types cannot.

    structure.unit("kr-jcs").nations         # frozenset({'KR'})
    [edge.id for edge in structure.sharing if "flight-path" in edge.content]
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, field

from noroshi.documents import Element, suggest
from noroshi.errors import OperatorError

REFERENCE_PATTERN = r"^(report-[a-z0-9-]+|https?://[^\s/]\S*)$"
"""What a source looks like: a report's id, or the address of a public page."""

Id = Annotated[
    str,
    Meta(
        pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$",
        max_length=64,
        description="an id: lower-case letters, digits and single hyphens, beginning with a letter",
    ),
]
Text = Annotated[str, Meta(min_length=1, description="a text that is not empty")]
Day = Annotated[str, Meta(pattern=r"^\d{4}-\d{2}-\d{2}$", description="a date such as 2025-03-24")]
Offset = Annotated[
    str, Meta(pattern=r"^[+-]\d{2}:\d{2}$", description="an offset from UTC in quotes, such as '+09:00'")
]
Nation = Annotated[
    str,
    Meta(
        pattern=r"^[A-Z]{2}(\+[A-Z]{2})*$|^multi$",
        description="a nation such as JP, several such as US+JP, or multi",
    ),
]
NationCode = Annotated[
    str, Meta(pattern=r"^[A-Z]{2}$|^multi$", description="one nation such as JP, or multi")
]
Reference = Annotated[
    str,
    Meta(
        min_length=1,
        description="a report's id such as report-a, or a page address",
        # The form is checked by `load`, not by a `pattern` here: msgspec 0.22 frees a pattern twice, and crashes,
        # when two records have a field that is either a text with a pattern or a list.
        extra_json_schema={"pattern": REFERENCE_PATTERN},
    ),
]
Source = Reference | Annotated[tuple[Reference, ...], Meta(min_length=1)]

UnitKind = Literal[
    "political",
    "military-hq",
    "civil-authority",
    "local-government",
    "consult-body",
    "liaison",
    "relay",
    "sensor-group",
    "exchange",
    "exercise-body",
    "hotline",
    "external",
]
LinkType = Literal[
    "command", "tasking", "coordination", "counterpart", "liaison", "member", "relay", "hotline", "operates"
]
Cadence = Literal["realtime", "on-event", "on-request", "scheduled"]
Role = Literal["decide", "concur", "propose", "recommend", "convene", "transmit", "inform"]
Mode = Literal["peacetime", "crisis", "hostilities"]
Confidence = Literal["reported", "assumed", "notional"]
Content = Literal[
    "launch-point",
    "flight-path",
    "expected-impact",
    "assessment",
    "alert",
    "correction",
    "acknowledgement",
    "coordination-picture",
    "task-status",
    "summary",
    "transparency-notice",
    "incident-notice",
    "cyber-warning",
    "assistance-request",
]

NATIONS = ("US", "JP", "KR", "CN", "multi")
"""Nation codes that structures may use; `multi` stands for several that are not told apart."""
ROLES: tuple[Role, ...] = get_args(Role)
MODES: tuple[Mode, ...] = get_args(Mode)
WARNING_CONTENT: tuple[Content, ...] = ("launch-point", "flight-path", "expected-impact")
"""What sensors say about a flight: the content whose way is checked for single points of failure."""
LIVE: frozenset[Cadence] = frozenset({"realtime", "on-event"})
"""Cadences that count for live release; the others carry nothing by themselves."""
BODY_KINDS: frozenset[UnitKind] = frozenset({"consult-body", "exchange", "exercise-body", "hotline"})
"""Kinds of unit that exist through their members."""


class UnknownUnitError(OperatorError):
    """A unit was named that the structure does not have."""


class Population(Element, frozen=True):
    """A count, and of what: counts without a population mislead."""

    value: Annotated[int, Meta(ge=0)]
    of: Text


class Unit(Element, frozen=True):
    """A box of the structure. place: city, island or region, never finer; several joined with `;`."""

    id: Id
    name: Text
    nation: Nation
    kind: UnitKind
    source: Source
    confidence: Confidence
    place: Text | None = None
    utc_offset: Offset | None = None
    rank: Text | None = None
    layer: Text | None = None
    status: Text | None = None
    population: Population | None = None

    @property
    def nations(self) -> frozenset[str]:
        """The nations of a shared body, or the one nation of any other unit."""
        return frozenset(self.nation.split("+"))

    @property
    def shared(self) -> bool:
        """Whether it belongs to more than one nation."""
        return len(self.nations) > 1


class Link(Element, frozen=True):
    """Who is tied to whom. For `command` the first is superior, for `member` the first is the body."""

    from_unit: Id = field(name="from")
    to_unit: Id = field(name="to")
    type: LinkType
    source: Source
    confidence: Confidence
    note: Text | None = None


class SharingEdge(Element, frozen=True):
    """What may pass from one unit to another, how often, and to which nations it may get in the end."""

    id: Id
    from_unit: Id = field(name="from")
    to_unit: Id = field(name="to")
    content: Annotated[tuple[Content, ...], Meta(min_length=1)]
    cadence: Cadence
    releasable_to: Annotated[tuple[NationCode, ...], Meta(min_length=1)]
    source: Source
    confidence: Confidence
    both_ways: bool = False
    note: Text | None = None


class Authority(Element, frozen=True):
    """One unit's part in one decision. Whoever has no such row has no part in it."""

    unit: Id
    decision: Id
    role: Role
    source: Source
    confidence: Confidence
    modes: Annotated[tuple[Mode, ...], Meta(min_length=1)] = MODES
    joint_with: Id | None = None
    limits: Text | None = None


class Structure(Element, frozen=True):
    """One complete structure. Text that a rule depends on is in fields; `notes` are for readers."""

    schema: Literal["noroshi.structure/1"]
    id: Id
    title: Text
    valid_from: Day
    valid_to: Day | None
    combination: Literal["historical", "counterfactual"]
    units: Annotated[tuple[Unit, ...], Meta(min_length=1)]
    links: tuple[Link, ...]
    sharing: tuple[SharingEdge, ...]
    authorities: tuple[Authority, ...]
    notes: tuple[Text, ...] = ()

    @property
    def unit_ids(self) -> tuple[str, ...]:
        """All units, in the order of the file."""
        return tuple(unit.id for unit in self.units)

    @property
    def nations(self) -> frozenset[str]:
        """Every nation that a unit has or that something may be released to."""
        owned = {nation for unit in self.units for nation in unit.nations}
        return frozenset(owned.union(*(edge.releasable_to for edge in self.sharing)))

    def has(self, unit: str) -> bool:
        """Whether there is such a unit."""
        return any(found.id == unit for found in self.units)

    def unit(self, unit: str) -> Unit:
        """The unit with this id. Raises UnknownUnitError."""
        for found in self.units:
            if found.id == unit:
                return found
        raise UnknownUnitError(
            "find the unit",
            subject=unit,
            cause=f"{self.id} has no such unit",
            hint=suggest(unit, self.unit_ids),
        )


class Decision(Element, frozen=True):
    """A decision that authorities may refer to. reversible and clock are notional judgements."""

    id: Id
    title: Text
    reversible: bool
    clock: Text
    source: Source
    confidence: Confidence

    @property
    def complete_when_proposed(self) -> bool:
        """A request is complete when a unit with `propose` makes it; others need one with `decide`."""
        return self.id.endswith("-request")


class Catalogue(Element, frozen=True):
    """The only decisions that structures may refer to, what the roles mean, and what is excluded for good."""

    schema: Literal["noroshi.decisions/1"]
    roles: dict[str, Text]
    decisions: Annotated[tuple[Decision, ...], Meta(min_length=1)]
    excluded: Annotated[tuple[Text, ...], Meta(min_length=1)]

    @property
    def decision_ids(self) -> tuple[str, ...]:
        """All decisions, in the order of the file."""
        return tuple(decision.id for decision in self.decisions)

    def decision(self, decision: str) -> Decision:
        """The decision with this id. Raises OperatorError when there is none."""
        for found in self.decisions:
            if found.id == decision:
                return found
        raise OperatorError(
            "find the decision",
            subject=decision,
            cause="not in the catalogue",
            hint=suggest(decision, self.decision_ids),
        )


def references(source: str | tuple[str, ...]) -> tuple[str, ...]:
    """The sources of an element as a tuple, whether one or several were given."""
    return (source,) if isinstance(source, str) else source


Cited = Unit | Link | SharingEdge | Authority | Decision
"""Every element that names a source and a confidence."""


def fields_of(element: Cited) -> dict[str, object]:
    """The element as the file would have it: plain values under the file's names, defaults left out."""
    plain: dict[str, object] = msgspec.to_builtins(element)
    defaults = {"modes": MODES, "both_ways": False}
    return {name: value for name, value in plain.items() if value is not None and value != defaults.get(name)}
