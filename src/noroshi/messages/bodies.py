"""The bodies of the message kinds. Angles are radians, lengths metres, times UTC nanoseconds.

Every field here may be released to the whole audience of its message: what an audience may not have is never
put into its edition. Fields that a newer version adds are kept in the signed bytes and ignored here.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from noroshi.messages.labels import Label

Ring = list[list[float]]
"""A closed ring of [latitude_rad, longitude_rad] corners; the last corner repeats the first."""


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=False):
    """What all bodies share: they are immutable, and unknown fields do not harm them."""


class TrackBody(Body, frozen=True, kw_only=True):
    """An increment of evidence: what one partner's own sensors measured in one interval, and nothing else.

    track: alias of the originator's track for this audience; sequence: dense per track and audience, from 1.
    Columns of equal length, one row per measurement: `site_m` is the sensor's ECEF position, `value` range m,
    azimuth rad clockwise from true north, elevation rad, `sigma` their standard deviations (infrared: both 0 for the
    range), `clock_sigma_s` what the time of the row may be off by. Where they are there: `rate`, range rate m/s and
    its sigma; `bias_sigma`, of what the sensor may be off by in all of its rows.
    """

    track: bytes
    sequence: int
    from_ns: int
    to_ns: int
    sensing: Literal["radar", "infrared"]
    source: str
    time_ns: list[int]
    site_m: list[list[float]]
    value: list[list[float]]
    sigma: list[list[float]]
    clock_sigma_s: list[float]
    rate: list[list[float]] | msgspec.UnsetType = msgspec.UNSET
    bias_sigma: list[list[float]] | msgspec.UnsetType = msgspec.UNSET


class CellRow(Body, frozen=True, kw_only=True):
    """One cell of the fixed grid of `messages.cells`."""

    row: int
    column: int


class ReducedTrackBody(Body, frozen=True, kw_only=True):
    """What an object is for those who may not have its track: two cells, a time window, and how it was sensed.

    track: the object's alias in this class of precision, which joins with no alias of a full edition; sequence: dense
    per object and audience, from 1. rows: of the grid, for both cells. from_ns to to_ns: the window of the fall, both on
    whole steps of a fixed length, both 0 without a fall; issued_ns: the step of time in which it was said. It carries no
    measurement, no place of a sensor and no error: it is shown, and never fused beside the full form.
    """

    track: bytes
    sequence: int
    source: str
    sensings: list[Literal["radar", "infrared"]]
    rows: int
    issued_ns: int
    from_ns: int = 0
    to_ns: int = 0
    launch: CellRow | None = None
    fall: CellRow | None = None


class EventBody(Body, frozen=True, kw_only=True):
    """One real-world occurrence as one partner sees it, or how two partners' events relate.

    step `opened` and `closed` speak of the envelope's own event; `same-as` and `not-same-as` of it and `other`,
    another event's alias in the same audience, that `other_partner` opened.
    """

    step: Literal["opened", "same-as", "not-same-as", "closed"]
    first_observed_ns: int
    other: bytes = b""
    other_partner: str = ""


class PlaceRow(Body, frozen=True, kw_only=True):
    """A populated place inside a warned area, with the probability of its being passed over or hit."""

    name: str
    latitude_rad: float
    longitude_rad: float
    people: int
    probability: float
    name_ja: str = ""
    name_ko: str = ""


class AreaRow(Body, frozen=True, kw_only=True):
    """One region that is warned: by passing over it (`pass`), by a fall inside it (`fall`), or by another agency
    (`hazard`).

    probability: that it happens anywhere in the region, 0 where nothing was predicted here; from_ns, to_ns: the time
    window at 95 %, or the agency's own; people: living in the warned places; places: the largest of them. codes:
    [scheme, code] of an agency's own area, where it has some.
    """

    kind: Literal["pass", "fall", "hazard"]
    region: str
    country: str
    probability: float
    from_ns: int
    to_ns: int
    people: int
    places: list[PlaceRow]
    region_ja: str = ""
    region_ko: str = ""
    codes: list[list[str]] | msgspec.UnsetType = msgspec.UNSET


class FallRow(Body, frozen=True, kw_only=True):
    """A predicted fall: mean point and time, covariance over east m, north m and time s (row by row, 9 numbers)."""

    latitude_rad: float
    longitude_rad: float
    time_ns: int
    covariance: list[float]
    probability: float
    rings: list[Ring]


class WarningBody(Body, frozen=True, kw_only=True):
    """A warning: which areas, how probable, when, how sure, and until when it stands.

    number: rises with each update of one event's warning. basis: `single-source` until two independent kinds of
    sensing agree, whatever anybody claims. reason says why it ended: `passed` only after an observation beyond.
    state: a draft or a proposal is shown to the own staff and never sent. lost: nobody observes the object any more.
    """

    number: int
    state: Literal["draft", "proposed", "issued", "updated", "ended"]
    basis: Literal["single-source", "one-kind", "confirmed"]
    sensings: list[str]
    partners: list[str]
    first_observed_ns: int
    last_observed_ns: int
    valid_until_ns: int
    areas: list[AreaRow]
    corridor: list[Ring]
    fall: FallRow | None = None
    reason: Literal["", "false", "superseded", "passed"] = ""
    lost: bool | msgspec.UnsetType = msgspec.UNSET


class TextRow(Body, frozen=True, kw_only=True):
    """The public words in one language (`en`, `ja`, `ko`), made from a template bound to the realm."""

    language: str
    headline: str
    description: str
    instruction: str


class CitedRow(Body, frozen=True, kw_only=True):
    """The message of another agency on which a public alert rests: by its own name for it, and in none of its own words.

    file: SHA-256 of the file as it came; hazard: of what kind our nation has declared it to be; agency: what our nation
    calls the agency, in English, Japanese and Korean; severity, urgency, certainty: as the agency has graded it.
    """

    sender: str
    identifier: str
    sent_ns: int
    file: bytes
    hazard: Literal["tsunami", "earthquake", "weather", "general"]
    agency: str
    agency_ja: str
    agency_ko: str
    severity: Literal["Minor", "Moderate", "Severe", "Extreme"]
    urgency: Literal["Future", "Expected", "Immediate"]
    certainty: Literal["Possible", "Likely", "Observed"]


class AlertBody(Body, frozen=True, kw_only=True):
    """A standard alert to the public of one nation, originated by two posts of the authority that may decide it.

    digest: SHA-256 of the draft that both approved; approvals: their signed messages, whole; a partner's signed warning
    among them where it stands for the second person. references: the identifiers of the earlier alerts that this one
    updates or cancels. recipients: the units it was sent to. Where they are there: `warrant`, what the partner's root
    allows beyond two persons, signed; `automatic`, the node issued it by itself, on a warning of this `basis`; `web`, an
    address where the public reads on, and `contact`, whom it asks; `hazard`, the agency's message on which it rests in
    the place of a warning.
    """

    identifier: str
    type: Literal["Alert", "Update", "Cancel"]
    unit: str
    sent_ns: int
    expires_ns: int
    template: str
    texts: list[TextRow]
    areas: list[AreaRow]
    rings: list[Ring]
    references: list[str]
    recipients: list[str]
    digest: bytes
    approvals: list[bytes]
    reason: Literal["", "false", "superseded", "passed"] = ""
    warrant: bytes | msgspec.UnsetType = msgspec.UNSET
    automatic: bool | msgspec.UnsetType = msgspec.UNSET
    basis: Literal["single-source", "one-kind", "confirmed"] | msgspec.UnsetType = msgspec.UNSET
    web: str | msgspec.UnsetType = msgspec.UNSET
    contact: str | msgspec.UnsetType = msgspec.UNSET
    hazard: CitedRow | msgspec.UnsetType = msgspec.UNSET


class AcknowledgementBody(Body, frozen=True, kw_only=True):
    """A post says that it has read and understood the message `of`.

    through: the group of clients of Cursor on Target by whose gateway it came, where it did.
    """

    of: bytes
    unit: str
    through: str | msgspec.UnsetType = msgspec.UNSET


class DecisionBody(Body, frozen=True, kw_only=True):
    """One step of a decision: asked for, agreed to by one nation for itself, or recorded with its outcome.

    case: the same in all steps. decision: an id of the catalogue. body: the consulting body, if any. subject:
    digest of what is decided on, if it is a text. outcome: empty for a request. typed: what a person wrote to confirm
    a public alert, its realm and its audience.
    """

    case: bytes
    decision: str
    step: Literal["request", "concurrence", "ruling"]
    unit: str
    outcome: Literal["", "concur", "refuse", "decided", "refused"] = ""
    body: str = ""
    subject: bytes = b""
    deadline_ns: int = 0
    typed: str | msgspec.UnsetType = msgspec.UNSET


class RecallBody(Body, frozen=True, kw_only=True):
    """A message is taken back, or its label has been raised. What has left cannot be called back: this asks for it.

    step `ask`: an own post asks its node, and goes no further; `recalled`: the originator's node to those who had the
    message and may have it no longer; `replaced`: to those who may, with the id of the edition that takes its place in
    `by`; `done`: a node says that it has put the message away, or (`unknown` set) that it never had it. of: the
    message's id. asked: with `recalled`, who is to put it away; others of the label only pass it on. original and label:
    with `ask` where a label is raised, the whole message and its new label. A reason is never given.
    """

    of: bytes
    step: Literal["ask", "recalled", "replaced", "done"]
    by: bytes = b""
    unknown: bool = False
    asked: tuple[str, ...] = ()
    original: bytes = b""
    label: Label | None = None


class ReleaseBody(Body, frozen=True, kw_only=True):
    """A post that may do so releases one message of its own side to one partner, who would not get it otherwise.

    of: the message's id; original: the whole message, as the record has it. Goes no further than the post's own node.
    """

    of: bytes
    original: bytes
    partner: str


class InjectBody(Body, frozen=True, kw_only=True):
    """What exercise control tells a unit. Exists only in the realm of an exercise."""

    inject: str
    unit: str
    text: str


class RemarkBody(Body, frozen=True, kw_only=True):
    """Free words of a post, shown in the timeline and acted on by nobody. through: as of an acknowledgement."""

    unit: str
    text: str
    through: str | msgspec.UnsetType = msgspec.UNSET
