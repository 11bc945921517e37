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

from noroshi.node.inputs import RuleSet

SCHEMA = "noroshi.scenario/1"

Name = Annotated[
    str, Meta(pattern="^[a-z0-9][a-z0-9.-]{0,63}$", description="lower-case letters, digits, dot, dash")
]
Trigraph = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 3166 alpha-3, for example JPN")]
Seconds = Annotated[float, Meta(ge=0.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Latitude = Annotated[float, Meta(ge=-90.0, le=90.0)]
Longitude = Annotated[float, Meta(ge=-180.0, le=180.0)]
Positive = Annotated[float, Meta(gt=0.0)]
LabelWord = Literal["notional", "reported"]


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all parts of a scenario share: they are immutable, and a field that is not known is an error."""


class When(Part, frozen=True, kw_only=True):
    """In force only under one of these structures (their ids)."""

    structure: Annotated[tuple[str, ...], Meta(min_length=1)]


class Choice(Part, frozen=True, kw_only=True):
    """An element that may be in force under some structures only."""

    when: When | None = None


class Rules(RuleSet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The partner's policy: any of the fields of `noroshi.node.inputs.RuleSet`."""


class Assessing(Choice, frozen=True, kw_only=True):
    """The unit whose warnings the partner's node speaks."""

    unit: str


class Partner(Part, frozen=True, kw_only=True):
    """A nation that takes part: its trigraph, its nation code in the structure, its node, its policy."""

    id: Trigraph
    nation: str
    name: str
    node: Name
    assessing: Annotated[tuple[Assessing, ...], Meta(min_length=1)]
    rules: Rules = Rules()


class SharedUnit(Choice, frozen=True, kw_only=True):
    """Which node serves a unit that is not of one partner's nation only."""

    unit: str
    node: Name


class Window(Part, frozen=True, kw_only=True):
    """A span of time, from the scenario's start."""

    from_s: Seconds
    for_s: Positive


class Link(Choice, frozen=True, kw_only=True):
    """The connection between two partners' nodes. loss: the share of sendings that must be sent again."""

    between: tuple[Trigraph, Trigraph]
    delay_s: Seconds = 0.02
    jitter_s: Seconds = 0.0
    loss: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    down: tuple[Window, ...] = ()
    label: LabelWord


class Sensor(Choice, frozen=True, kw_only=True):
    """A radar, placed at city or island level, or an infrared sensor (angles only) on any platform.

    Its figures are 1-sigma; `pd` is the detection probability of a look. A radar has `sigma_range_m`, and with
    `sigma_range_rate_mps` it measures the range rate too; an infrared sensor has neither.
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
    period_s: Positive = 1.0
    phase_s: Seconds = 0.0
    range_max_km: Positive
    elevation_min_deg: Annotated[float, Meta(ge=-90.0, le=90.0)] = 2.0
    pd: Share = 1.0
    label: LabelWord


class Flight(Choice, frozen=True, kw_only=True):
    """A free-fall arc: whence, which way, how far and how high. ballistic_coefficient: mass over drag area, kg/m2."""

    id: Name
    lat_deg: Latitude
    lon_deg: Longitude
    azimuth_deg: Annotated[float, Meta(ge=0.0, lt=360.0)]
    range_km: Positive
    apogee_km: Positive
    launch_s: Seconds = 0.0
    ballistic_coefficient: Positive = 5000.0
    observable_above_km: Seconds = 60.0
    label: LabelWord


class World(Part, frozen=True, kw_only=True):
    """The truth, which nodes never see."""

    flights: tuple[Flight, ...] = ()


class Response(Part, frozen=True, kw_only=True):
    """How long a post takes for one piece of work: log-normal with this median; spread is sigma of the logarithm."""

    median_s: Positive
    spread: Seconds = 0.3
    label: LabelWord


Duty = Literal["watch", "approve", "acknowledge", "concur", "request"]


class Post(Choice, frozen=True, kw_only=True):
    """A seat, and how the modelled person in it behaves. presence: the probability that the seat is taken at all."""

    id: Name
    unit: str
    title: str
    duties: Annotated[tuple[Duty, ...], Meta(min_length=1)]
    response: Response
    presence: Share = 1.0
    answer: Literal["concur", "refuse"] = "concur"


class Consultation(Choice, frozen=True, kw_only=True):
    """Which post asks for which decision, once there is a first warning or alert at its node."""

    decision: str
    post: Name
    after: Literal["warning", "alert"] = "warning"


class Inject(Choice, frozen=True, kw_only=True, tag_field="do"):
    """Something that exercise control does, `at_s` after the start."""

    id: Name
    at_s: Seconds


class MessageInject(Inject, frozen=True, kw_only=True, tag="message"):
    """Exercise control tells a unit something."""

    unit: str
    text: Annotated[str, Meta(min_length=1, max_length=2000)]


class LinkDown(Inject, frozen=True, kw_only=True, tag="link_down"):
    """A link is cut for a time."""

    between: tuple[Trigraph, Trigraph]
    for_s: Positive


class NodeDown(Inject, frozen=True, kw_only=True, tag="node_down"):
    """A node dies, and comes back from its record."""

    node: Name
    for_s: Positive


class SensorDown(Inject, frozen=True, kw_only=True, tag="sensor_down"):
    """A sensor sees nothing; without `for_s`, to the end."""

    sensor: Name
    for_s: Positive | None = None


class PostAbsent(Inject, frozen=True, kw_only=True, tag="post_absent"):
    """Nobody is at a post; without `for_s`, to the end."""

    post: Name
    for_s: Positive | None = None


AnyInject = MessageInject | LinkDown | NodeDown | SensorDown | PostAbsent


class Expectation(Choice, frozen=True, kw_only=True, tag_field="type"):
    """Something that must hold at the end; `id` names it in every result."""

    id: Name


class ReportWithin(
    Expectation, frozen=True, kw_only=True, tag="report-within", rename={"origin": "from", "receiver": "to"}
):
    """The receiver's node holds what the origin's own sensor saw, so soon after the origin's first detection."""

    origin: Trigraph
    receiver: Trigraph
    within_s: Positive


class ReportNever(
    Expectation, frozen=True, kw_only=True, tag="report-never", rename={"origin": "from", "receiver": "to"}
):
    """Nothing that the origin's sensors saw ever reaches the receiver's node."""

    origin: Trigraph
    receiver: Trigraph


class WarningLead(Expectation, frozen=True, kw_only=True, tag="warning-lead"):
    """The partner warns of a region so long before the true ground track is nearest to the point given."""

    partner: Trigraph
    region: str
    lat_deg: Latitude
    lon_deg: Longitude
    at_least_s: float


class AlertNames(Expectation, frozen=True, kw_only=True, tag="alert-names"):
    """The unit's public alerts name each of these regions."""

    unit: str
    regions: Annotated[tuple[str, ...], Meta(min_length=1)]


class AlertOmits(Expectation, frozen=True, kw_only=True, tag="alert-omits"):
    """No public alert of the unit names any of these regions."""

    unit: str
    regions: Annotated[tuple[str, ...], Meta(min_length=1)]


class AlertIssued(Expectation, frozen=True, kw_only=True, tag="alert-issued"):
    """The unit issues a public alert, signed by so many different posts of its own."""

    unit: str
    posts: Annotated[int, Meta(ge=1)] = 2


class AlertNever(Expectation, frozen=True, kw_only=True, tag="alert-never"):
    """The unit issues no public alert."""

    unit: str


class Acknowledged(Expectation, frozen=True, kw_only=True, tag="acknowledged"):
    """So large a share of the recipients of the unit's first alert has acknowledged it so soon after its issue."""

    unit: str
    share: Share
    within_s: Positive


class EndReachesSame(Expectation, frozen=True, kw_only=True, tag="end-reaches-same"):
    """The end of the unit's alert goes to everybody who was sent the alert, and to nobody else."""

    unit: str


class PassedAfterObservation(Expectation, frozen=True, kw_only=True, tag="passed-after-observation"):
    """No node says "passed" without an observation beyond; with `required`, the partner does say it."""

    partner: Trigraph
    required: bool = True


class Consulted(Expectation, frozen=True, kw_only=True, tag="consultation"):
    """The decision is asked for, and recorded with this outcome."""

    decision: str
    outcome: Literal["decided", "refused"] = "decided"


class Intact(Expectation, frozen=True, kw_only=True, tag="intact"):
    """Every record verifies, replays to itself, and nothing that was receipted is lost or repeated."""


AnyExpectation = (
    ReportWithin
    | ReportNever
    | WarningLead
    | AlertNames
    | AlertOmits
    | AlertIssued
    | AlertNever
    | Acknowledged
    | EndReachesSame
    | PassedAfterObservation
    | Consulted
    | Intact
)


class Scenario(Part, frozen=True, kw_only=True):
    """A whole scenario. Its realm is `exercise:` and its id."""

    schema: Literal["noroshi.scenario/1"]
    id: Name
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
    consultations: tuple[Consultation, ...] = ()
    injects: tuple[AnyInject, ...] = ()
    expectations: tuple[AnyExpectation, ...] = ()

    @property
    def realm(self) -> str:
        """The realm in which this scenario is played."""
        return f"exercise:{self.id}"

    def partner(self, trigraph: str) -> Partner:
        """The partner with this trigraph. Raises KeyError."""
        return {one.id: one for one in self.partners}[trigraph]


def in_force(element: Choice, structure: str) -> bool:
    """Whether an element counts under this structure."""
    return element.when is None or structure in element.when.structure


AnyChoice = TypeVar("AnyChoice", bound=Choice)


def _kept(elements: tuple[AnyChoice, ...], structure: str) -> tuple[AnyChoice, ...]:
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
        consultations=_kept(scenario.consultations, structure),
        injects=_kept(scenario.injects, structure),
        expectations=_kept(scenario.expectations, structure),
    )
