"""What a scenario file says: types only. `loading` reads the file, `checking` finds what is wrong with it.

A scenario is YAML. It names a structure, places partners, sensors, posts and links on it, says what flies, what
exercise control does, and what is expected. Everything invented carries the label `notional`. Lists whose elements
have a `when` may hold elements for several structures; `selected` keeps those that are in force.

    schema: noroshi.scenario/1
    id: two-nodes
    ...

Angles in files are degrees, times are seconds from the scenario's start.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta

from noroshi.exercise.background_parts import Background
from noroshi.exercise.cast_parts import PartnerPart, PostPart, RelayPart, SensorPart, ServedPart
from noroshi.exercise.expectations import (
    Acknowledged,
    AlertIssued,
    AlertNames,
    AlertNever,
    AlertOmits,
    AnyExpectation,
    Consulted,
    EndReachesSame,
    Expectation,
    Intact,
    PassedAfterObservation,
    ReportNever,
    ReportWithin,
    WarningLead,
)
from noroshi.exercise.injects import (
    AnyInject,
    Inject,
    LinkDown,
    MessageInject,
    NodeDown,
    PostAbsent,
    SensorDown,
)
from noroshi.exercise.parts import (
    Choice,
    LabelWord,
    Latitude,
    Longitude,
    MaybeInForce,
    Name,
    Part,
    Positive,
    RuleName,
    Rules,
    ScenarioName,
    Seconds,
    Share,
    Trigraph,
    When,
    Window,
)
from noroshi.exercise.trials import Cost, Varied

SCHEMA = "noroshi.scenario/1"

__all__ = [
    "SCHEMA",
    "Acknowledged",
    "AlertIssued",
    "AlertNames",
    "AlertNever",
    "AlertOmits",
    "AnyExpectation",
    "AnyInject",
    "Assessing",
    "Choice",
    "Consultation",
    "Consulted",
    "Cost",
    "Duty",
    "EndReachesSame",
    "Expectation",
    "Flight",
    "Inject",
    "Intact",
    "LabelWord",
    "Latitude",
    "Link",
    "LinkDown",
    "Longitude",
    "MaybeInForce",
    "MessageInject",
    "Name",
    "NodeDown",
    "Part",
    "Partner",
    "PassedAfterObservation",
    "Positive",
    "Post",
    "PostAbsent",
    "Relay",
    "ReportNever",
    "ReportWithin",
    "Response",
    "RuleName",
    "Rules",
    "Scenario",
    "ScenarioName",
    "Seconds",
    "Sensor",
    "SensorDown",
    "Share",
    "SharedUnit",
    "Trigraph",
    "Varied",
    "WarningLead",
    "When",
    "Window",
    "World",
    "in_force",
    "selected",
]


class Assessing(Choice, frozen=True, kw_only=True):
    """The unit whose warnings the partner's node speaks."""

    unit: str


class Partner(PartnerPart, frozen=True, kw_only=True):
    """A nation that takes part: its trigraph, its nation code in the structure, its node, its policy.

    areas: an agency's own areas, a GeoJSON file beside the scenario; assessing: exactly one unit under each structure.
    """

    assessing: Annotated[tuple[Assessing, ...], Meta(min_length=1)]
    rules: Rules = Rules()


class SharedUnit(ServedPart, frozen=True, kw_only=True):
    """Which node serves a unit that is not of one partner's nation only."""

    when: When | None = None


class Link(Choice, frozen=True, kw_only=True):
    """The connection between two partners' nodes. loss: the share of sendings that must be sent again."""

    between: tuple[Trigraph, Trigraph]
    delay_s: Seconds = 0.02
    jitter_s: Seconds = 0.0
    loss: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    down: tuple[Window, ...] = ()
    label: LabelWord


class Sensor(SensorPart, frozen=True, kw_only=True):
    """A radar, placed at city or island level, or an infrared sensor (angles only) on any platform.

    Its figures are 1-sigma; `pd` is the detection probability of a look. A radar has `sigma_range_m`, and with
    `sigma_range_rate_mps` it measures the range rate too; an infrared sensor has neither.
    """

    when: When | None = None
    period_s: Positive = 1.0
    phase_s: Seconds = 0.0
    range_max_km: Positive
    elevation_min_deg: Annotated[float, Meta(ge=-90.0, le=90.0)] = 2.0
    pd: Share = 1.0
    label: LabelWord


class Flight(Choice, frozen=True, kw_only=True):
    """A free-fall arc: whence, which way, how far and how high. ballistic_coefficient: mass over drag area, kg/m2.

    false_for: nothing flies; these sensors report it all the same, and nobody else sees anything.
    """

    id: Name
    lat_deg: Latitude
    lon_deg: Longitude
    azimuth_deg: Annotated[float, Meta(ge=0.0, lt=360.0)]
    range_km: Positive
    apogee_km: Positive
    launch_s: Seconds = 0.0
    ballistic_coefficient: Positive = 5000.0
    observable_above_km: Seconds = 60.0
    false_for: tuple[Name, ...] = ()
    label: LabelWord


class World(Part, frozen=True, kw_only=True):
    """The truth, which nodes never see."""

    flights: tuple[Flight, ...] = ()


class Response(Part, frozen=True, kw_only=True):
    """How long a post takes for one piece of work: log-normal with this median; spread is sigma of the logarithm."""

    median_s: Positive
    spread: Seconds = 0.3
    label: LabelWord


Duty = Literal["watch", "approve", "acknowledge", "concur", "request", "notify"]


class Post(PostPart, frozen=True, kw_only=True):
    """A seat, and how the modelled person in it behaves. presence: the probability that the seat is taken at all."""

    when: When | None = None
    duties: Annotated[tuple[Duty, ...], Meta(min_length=1)]
    response: Response
    presence: Share = 1.0
    answer: Literal["concur", "refuse"] = "concur"


class Relay(RelayPart, frozen=True, kw_only=True):
    """What carries a unit's alerts to its last hops (speakers, the entry to a cell broadcast, apps).

    roster: whose last hops it serves, shared by all relays that name it; its own if left out. delay_s and jitter_s:
    until a last hop has received; loss: the share of sendings to one that must be sent again; broken: last hops, by
    number, that receive nothing; down: when the relay is away.
    """

    when: When | None = None
    delay_s: Seconds = 0.5
    jitter_s: Seconds = 0.5
    loss: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    broken: tuple[Annotated[int, Meta(ge=0)], ...] = ()
    down: tuple[Window, ...] = ()
    label: LabelWord


class Consultation(Choice, frozen=True, kw_only=True):
    """Which post asks for which decision, once there is a first warning or alert at its node."""

    decision: str
    post: Name
    after: Literal["warning", "alert"] = "warning"


class Scenario(Part, frozen=True, kw_only=True):
    """A whole scenario. Its realm is `exercise:` and its id in lower case.

    mirror_of: the id of the scenario whose signals these are too, here with a true event behind them; rules: which rules
    it tries (R1 to R10); vary: what is other in each of many runs; costs: what the rules cost, of a mirror.
    background: the days around, of a study that is made of this scenario's parts.
    """

    schema: Literal["noroshi.scenario/1"]
    id: ScenarioName
    title: Annotated[str, Meta(min_length=1)]
    structure: str
    seed: Annotated[int, Meta(ge=0, le=(1 << 53) - 1)]
    start: str
    duration_s: Annotated[float, Meta(gt=0.0, le=86_400.0)]
    partners: Annotated[tuple[Partner, ...], Meta(min_length=1)]
    shared_units: tuple[SharedUnit, ...] = ()
    links: tuple[Link, ...] = ()
    sensors: tuple[Sensor, ...] = ()
    world: World = World()
    posts: tuple[Post, ...] = ()
    relays: tuple[Relay, ...] = ()
    consultations: tuple[Consultation, ...] = ()
    injects: tuple[AnyInject, ...] = ()
    expectations: tuple[AnyExpectation, ...] = ()
    mirror_of: ScenarioName | None = None
    rules: tuple[RuleName, ...] = ()
    vary: tuple[Varied, ...] = ()
    costs: tuple[Cost, ...] = ()
    background: Background | None = None

    @property
    def realm(self) -> str:
        """The realm in which this scenario is played."""
        return f"exercise:{self.id.lower()}"

    def partner(self, trigraph: str) -> Partner:
        """The partner with this trigraph. Raises KeyError."""
        return {one.id: one for one in self.partners}[trigraph]


def in_force(element: MaybeInForce, structure: str) -> bool:
    """Whether an element counts under this structure."""
    return element.when is None or structure in element.when.structure


AnyElement = TypeVar("AnyElement", bound=MaybeInForce)


def _kept(elements: tuple[AnyElement, ...], structure: str) -> tuple[AnyElement, ...]:
    return tuple(one for one in elements if in_force(one, structure))


def selected(scenario: Scenario, structure: str) -> Scenario:
    """The scenario with only what is in force under the structure with this id."""
    partners = tuple(
        msgspec.structs.replace(one, assessing=_kept(one.assessing, structure)) for one in scenario.partners
    )
    return msgspec.structs.replace(
        scenario,
        partners=partners,
        shared_units=_kept(scenario.shared_units, structure),
        links=_kept(scenario.links, structure),
        sensors=_kept(scenario.sensors, structure),
        world=World(flights=_kept(scenario.world.flights, structure)),
        posts=_kept(scenario.posts, structure),
        relays=_kept(scenario.relays, structure),
        consultations=_kept(scenario.consultations, structure),
        injects=_kept(scenario.injects, structure),
        expectations=_kept(scenario.expectations, structure),
    )
