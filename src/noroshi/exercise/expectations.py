"""What a scenario may expect of those who play. `judge` answers whether it was so.

A new one is a type here, in `AnyExpectation`, and a row in the table of a module `judging_<subject>`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from noroshi.exercise.parts import Choice, Latitude, Longitude, Name, Positive, Share, Trigraph


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
    """The unit issues public alerts, and none of them names any of these regions."""

    unit: str
    regions: Annotated[tuple[str, ...], Meta(min_length=1)]


class AlertIssued(Expectation, frozen=True, kw_only=True, tag="alert-issued"):
    """The unit issues a public alert, signed by so many different posts of its own."""

    unit: str
    posts: Annotated[int, Meta(ge=1)] = 2


class AlertNever(Expectation, frozen=True, kw_only=True, tag="alert-never"):
    """The unit issues no public alert; signed: though so many of its posts have signed that it should."""

    unit: str
    signed: Annotated[int, Meta(ge=0)] = 0


class Acknowledged(Expectation, frozen=True, kw_only=True, tag="acknowledged"):
    """So large a share of the recipients of the unit's first alert has acknowledged it so soon after its issue."""

    unit: str
    share: Share
    within_s: Positive


class EndReachesSame(Expectation, frozen=True, kw_only=True, tag="end-reaches-same"):
    """The end of the unit's alert goes to all who were sent the alert, and to nobody else.

    Where there are relays, by the receipts of their last hops.
    reason: the one that it ends for, if named. posts: how many of them, at most, it took to sign the end.
    """

    unit: str
    reason: Literal["", "false", "superseded", "passed"] = ""
    posts: Annotated[int, Meta(ge=1)] = 1


class CorrectionWithin(Expectation, frozen=True, kw_only=True, tag="correction-within"):
    """Of the last hops that had received the unit's alert so many have the end so soon after it was taken back."""

    unit: str
    share: Share = 0.99
    within_s: Positive = 60.0


class LastHopAlarm(Expectation, frozen=True, kw_only=True, tag="last-hop-alarm"):
    """An alarm names this roster's silent last hops so soon after an alert; with `never`, none does at any time."""

    roster: Name
    within_s: Positive = 31.0
    never: bool = False


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


class WatchInformed(Expectation, frozen=True, kw_only=True, tag="watch-informed"):
    """Who gave the notice knows from the watch itself that it is informed, by the notice's deadline."""

    notice: Name
    unit: str


class WatchNotInformed(Expectation, frozen=True, kw_only=True, tag="watch-not-informed"):
    """The partner's node says, within a second of the deadline, that the watch is not informed; escalated_to: a unit
    whose posts were then asked at the watch's own node.
    """

    notice: Name
    unit: str
    partner: Trigraph
    escalated_to: str = ""


class NoticeShown(Expectation, frozen=True, kw_only=True, tag="notice-shown"):
    """The partner's picture carries the notice so soon after that node's first evidence, and still does at the end."""

    notice: Name
    partner: Trigraph
    within_s: Positive = 2.0


class NoticeNotShown(Expectation, frozen=True, kw_only=True, tag="notice-not-shown"):
    """No picture of the partner's ever carries the notice."""

    notice: Name
    partner: Trigraph


class RefusedInput(Expectation, frozen=True, kw_only=True, tag="refused"):
    """The partner's node refuses something for this reason; saying: words of the detail that its operator is shown."""

    partner: Trigraph
    reason: Annotated[str, Meta(min_length=1)]
    saying: str = ""
    at_least: Annotated[int, Meta(ge=1)] = 1


class TakenNever(Expectation, frozen=True, kw_only=True, tag="taken-never"):
    """Something came to the partner's node by this party (`post:`, `partner:` or `feed:` and a name), all in vain."""

    partner: Trigraph
    party: Annotated[str, Meta(min_length=1)]


class DoorRefused(Expectation, frozen=True, kw_only=True, tag="door-refused"):
    """The partner's node refuses something before it is an input of anybody's, and tells its operator how often.

    door: `record` (a backup that is not its own), `link`, `page`, `relays`.
    """

    partner: Trigraph
    door: Annotated[str, Meta(min_length=1)]
    reason: str = ""
    at_least: Annotated[int, Meta(ge=1)] = 1


class WarningNever(Expectation, frozen=True, kw_only=True, tag="warning-never"):
    """The partner warns of nothing, and its picture stays empty: no event is opened on it."""

    partner: Trigraph


class WarningIssued(Expectation, frozen=True, kw_only=True, tag="warning-issued"):
    """The partner warns, so soon after the first detection at any node."""

    partner: Trigraph
    within_s: Positive


class SecurityNotices(Expectation, frozen=True, kw_only=True, tag="security-notices"):
    """The partner's node tells its staff of exactly these sources, each once, however much came from it.

    alarm: whether one of them spoke in the node's own name.
    """

    partner: Trigraph
    sources: tuple[str, ...]
    alarm: bool = False


class NeverConfirmed(Expectation, frozen=True, kw_only=True, tag="never-confirmed"):
    """The partner's picture has something, and not one of its warnings says that it is confirmed.

    warned: and there are warnings, each of which says how little it rests on.
    """

    partner: Trigraph
    warned: bool = False


class ConfirmedWithin(Expectation, frozen=True, kw_only=True, tag="confirmed-within"):
    """The partner's warning is confirmed by two kinds of sensing, so soon after the first detection at any node."""

    partner: Trigraph
    within_s: Positive


class CountsShown(Expectation, frozen=True, kw_only=True, tag="counts-shown"):
    """The partner's node shows that counts differ so soon after it held evidence of what makes the difference.

    least, most: bounds of the picture's count there.
    """

    partner: Trigraph
    within_s: Positive = 5.0
    least: Annotated[int, Meta(ge=0)]
    most: Annotated[int, Meta(ge=1)]


class CountsAgree(Expectation, frozen=True, kw_only=True, tag="counts-agree"):
    """The last that the partner's node shows of counts is that all count so many."""

    partner: Trigraph
    count: Annotated[int, Meta(ge=0)]


class CountCorrected(Expectation, frozen=True, kw_only=True, tag="count-corrected"):
    """The partner corrects its count with one message for each audience, and all hold it who held what it corrects."""

    partner: Trigraph
    count: Annotated[int, Meta(ge=0)]


class ValidUntil(Expectation, frozen=True, kw_only=True, tag="valid-until"):
    """Every warning that the partner speaks says until when it stands, and its end goes to all who were given it."""

    partner: Trigraph


class LostWithin(Expectation, frozen=True, kw_only=True, tag="lost-within"):
    """The partner's warning says that the object is lost so soon after its last observation, and is not said passed.

    Every update says when the last observation was.
    """

    partner: Trigraph
    within_s: Positive = 10.0


class HazardShown(Expectation, frozen=True, kw_only=True, tag="hazard-shown"):
    """The partner's node holds another agency's alert, so soon after a node was given it; `ended`: and its end."""

    partner: Trigraph
    identifier: str
    within_s: Positive = 5.0
    ended: bool = False


class HazardNever(Expectation, frozen=True, kw_only=True, tag="hazard-never"):
    """The partner's node takes no alert of another agency as one (or not the one named), though something came."""

    partner: Trigraph
    identifier: str = ""


class HazardAlert(Expectation, frozen=True, kw_only=True, tag="hazard-alert"):
    """The unit's public alert rests on this message of another agency, and is out so soon after the message came.

    never: no alert of the unit does, though the message came.
    """

    unit: str
    identifier: str
    within_s: Positive = 120.0
    never: bool = False


class RelayShown(Expectation, frozen=True, kw_only=True, tag="relay-shown"):
    """The partner's node shows what was said in this unit's name as what it is.

    told: and so soon the authority's own node is told of it, or nobody where 0.
    """

    partner: Trigraph
    unit: str
    verdict: Literal["unverified", "verified", "ended", "other-words"] = "unverified"
    told_within_s: Annotated[float, Meta(ge=0.0)] = 5.0


class RelayUnverified(Expectation, frozen=True, kw_only=True, tag="relay-unverified"):
    """What was said in this unit's name is shown as an unverified relay, and its node is told so soon."""

    partner: Trigraph
    unit: str
    told_within_s: Annotated[float, Meta(ge=0.0)] = 5.0


AnyExpectation = (
    HazardShown
    | HazardNever
    | HazardAlert
    | RelayShown
    | RelayUnverified
    | WatchInformed
    | WatchNotInformed
    | NoticeShown
    | NoticeNotShown
    | RefusedInput
    | DoorRefused
    | TakenNever
    | ReportWithin
    | ReportNever
    | WarningLead
    | AlertNames
    | AlertOmits
    | AlertIssued
    | AlertNever
    | Acknowledged
    | EndReachesSame
    | CorrectionWithin
    | LastHopAlarm
    | PassedAfterObservation
    | Consulted
    | Intact
    | WarningNever
    | WarningIssued
    | SecurityNotices
    | NeverConfirmed
    | ConfirmedWithin
    | CountsShown
    | CountsAgree
    | CountCorrected
    | ValidUntil
    | LostWithin
)
