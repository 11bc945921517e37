"""What exercise control may do to those who play, each with its time. `injecting` does them.

A new one is a type here, in `AnyInject`, and a row in the table of a module `injecting_<subject>`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from noroshi.exercise.parts import Choice, Latitude, Longitude, Name, Positive, Seconds, Trigraph
from noroshi.messages.bodies_notice import NoticeObject, NoticeStep


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


class RelayDown(Inject, frozen=True, kw_only=True, tag="relay_down"):
    """A relay is gone, and its last hops look for another; without `for_s`, to the end."""

    relay: Name
    for_s: Positive | None = None


class PostAbsent(Inject, frozen=True, kw_only=True, tag="post_absent"):
    """Nobody is at a post; without `for_s`, to the end."""

    post: Name
    for_s: Positive | None = None


class NoticeInject(Inject, frozen=True, kw_only=True, tag="notice"):
    """A post gives a notice of a planned launch, or goes on with one that it gave; whole in every step, as messages are.

    Times are from the scenario's start; the window may begin before it. The launch area is a circle; azimuth_deg: first
    and last launch azimuth, clockwise. partners: who gets it besides the post's own side. expires_s: a minute after the
    window where it is left out.
    """

    post: Name
    notice: Name
    number: Annotated[int, Meta(ge=1)] = 1
    step: NoticeStep = "announced"
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    object: NoticeObject = "sounding-rocket"
    count: Annotated[int, Meta(ge=1, le=100)] = 1
    from_s: float
    to_s: float
    lat_deg: Latitude
    lon_deg: Longitude
    radius_km: Positive
    azimuth_deg: tuple[Annotated[float, Meta(ge=0.0, le=360.0)], Annotated[float, Meta(ge=0.0, le=360.0)]]
    watches: Annotated[tuple[str, ...], Meta(min_length=1)]
    informed: tuple[str, ...] = ()
    partners: tuple[Trigraph, ...] = ()
    inform_by_s: Positive
    expires_s: float | None = None


class Originate(Inject, frozen=True, kw_only=True, tag="originate"):
    """A post asks its node for an alert for regions of its own nation; it rests on a standing warning, if there is one.

    country: of the regions; the partner's own where it is left out. What is drafted waits for the posts, as always.
    """

    post: Name
    regions: Annotated[tuple[str, ...], Meta(min_length=1)]
    kind: Literal["pass", "fall"] = "fall"
    country: Annotated[str, Meta(pattern="^[A-Z]{2}$")] | None = None


class Retract(Inject, frozen=True, kw_only=True, tag="retract"):
    """A post takes back the alert that stands, in one act, with the words that lie ready; nobody else is asked.

    correction: whether the public is told; stopping without it is what nobody may.
    """

    post: Name
    reason: Literal["false", "superseded"] = "false"
    correction: bool = True


class RecordedRaid(Inject, frozen=True, kw_only=True, tag="recorded_raid"):
    """The record of another exercise is fed into a node: a report and a warning of each of its tracks.

    entrance: a partner's link; a post's console; a sensor's feed, which takes measurements alone; files, among those
    that the node takes from the people who look after it; a backup, restored in the place of the node's own record until
    the node has refused to start from it. as_from: the partner, post or sensor (empty for files and backups). form, of
    messages: as recorded, with every time moved to the present, without the realm, or with the realm of those who play
    written over it.

    Over a link between processes somebody with the partner's link key sits in its place until all is delivered. The
    partner's own node cannot go on with its streams afterwards, since its neighbour holds rows that it never sent.
    """

    node: Name
    entrance: Literal["link", "console", "feed", "file", "backup"]
    as_from: str = ""
    realm: Name
    tracks: Annotated[int, Meta(ge=1, le=5000)] = 500
    form: Literal["as-recorded", "moved-in-time", "realm-stripped", "realm-rewritten"] = "as-recorded"


class ForgedWarning(Inject, frozen=True, kw_only=True, tag="forged_warning"):
    """A warning in the node's own name comes to it over a partner's link, as with `RecordedRaid`: signed with its own
    key, as an older copy of the node would sign it, or with another.
    """

    node: Name
    as_from: Trigraph
    key: Literal["own", "another"] = "own"


class FalseReceipt(Inject, frozen=True, kw_only=True, tag="false_receipt"):
    """A failing part counts wrongly: the partner's node receipts so many more rows than it was sent, in a lane each, and
    signs for them.
    """

    node: Name
    as_from: Trigraph
    rows: Annotated[int, Meta(ge=1, le=1_000_000)] = 200


class DamagedMessages(Inject, frozen=True, kw_only=True, tag="damaged_messages"):
    """Messages of a post, each with some bits turned over, come to its node: what a failing part would send."""

    post: Name
    count: Annotated[int, Meta(ge=1, le=100_000)] = 100


class CapInject(Inject, frozen=True, kw_only=True, tag="cap"):
    """A file of another agency in the Common Alerting Protocol comes to a node, by hand.

    identifier: the inject's id if left out; refers: ids of earlier injects of this type, which it updates or takes back;
    sent_s: when the agency sent it, from the inject's time; for_s: how long it stands; lat_deg, lon_deg, radius_km: a
    circle, if there is one; geocodes: `name=value` of each; onset_s: when it begins, from the inject's time; response:
    what people are to do; raw: the whole file instead of all this.
    """

    node: Name
    sender: Annotated[str, Meta(min_length=1, max_length=200)] = "agency@agency.example"
    sender_name: Annotated[str, Meta(max_length=200)] = ""
    identifier: Annotated[str, Meta(max_length=200)] = ""
    status: Literal["Actual", "Exercise", "System", "Test", "Draft"] = "Exercise"
    type: Literal["Alert", "Update", "Cancel", "Error", "Ack"] = "Alert"
    scope: Literal["Public", "Restricted", "Private"] = "Public"
    refers: tuple[Name, ...] = ()
    event: Annotated[str, Meta(max_length=200)] = "Hazard"
    headline: Annotated[str, Meta(max_length=2000)] = ""
    category: Literal[
        "Geo", "Met", "Safety", "Security", "Fire", "Health", "Env", "Infra", "CBRNE", "Other"
    ] = "Geo"
    urgency: Literal["Immediate", "Expected", "Future", "Past", "Unknown"] = "Immediate"
    severity: Literal["Extreme", "Severe", "Moderate", "Minor", "Unknown"] = "Severe"
    certainty: Literal["Observed", "Likely", "Possible", "Unlikely", "Unknown"] = "Likely"
    area: Annotated[str, Meta(min_length=1, max_length=200)] = "The area"
    lat_deg: Latitude | None = None
    lon_deg: Longitude | None = None
    radius_km: Positive = 100.0
    geocodes: tuple[Annotated[str, Meta(pattern="^[^=]{1,64}=.{1,64}$", description="name=value")], ...] = ()
    response: Literal[
        "", "Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "AllClear", "None"
    ] = ""
    onset_s: float | None = None
    sent_s: float = 0.0
    for_s: float = 3600.0
    raw: Annotated[str, Meta(max_length=100_000)] = ""


class RelayInject(Inject, frozen=True, kw_only=True, tag="relay"):
    """Somebody says something in public in an authority's name, and a node's people hand it in.

    authority: as the outlet names it; original: whether the newest alert that this node has issued is attached as its
    file, with the words of the relay where `text` is empty.
    """

    node: Name
    outlet: Annotated[str, Meta(min_length=1, max_length=200)]
    authority: Annotated[str, Meta(max_length=200)] = ""
    text: Annotated[str, Meta(max_length=2000)] = ""
    link: Annotated[str, Meta(max_length=200)] = ""
    original: bool = False


AnyInject = (
    CapInject
    | RelayInject
    | Originate
    | Retract
    | NoticeInject
    | MessageInject
    | LinkDown
    | NodeDown
    | SensorDown
    | PostAbsent
    | RelayDown
    | RecordedRaid
    | ForgedWarning
    | FalseReceipt
    | DamagedMessages
)
