"""The stages in order, and no rule of its own: accept, authority, release, evidence, decision, warning.

Each stage hands its results on and never calls an earlier one. Whatever a stage says goes out by
`noroshi.node.speak`, which is the only way to the outboxes.
"""

from __future__ import annotations

from noroshi.command.hop_keys import is_roster
from noroshi.messages import Message
from noroshi.messages.bodies import (
    AcknowledgementBody,
    AlertBody,
    DecisionBody,
    EventBody,
    InjectBody,
    RecallBody,
    ReducedTrackBody,
    ReleaseBody,
    RemarkBody,
    TrackBody,
    WarningBody,
)
from noroshi.messages.bodies_alerts import AlertRequestBody
from noroshi.messages.bodies_counts import CountBody
from noroshi.messages.bodies_hazard import ClaimBody, HazardBody
from noroshi.messages.bodies_notice import NoticeBody
from noroshi.messages.bodies_reach import DeliveryBody, ReadinessBody
from noroshi.messages.keys import is_bundle
from noroshi.node import (
    accept,
    alerting,
    authority,
    chasing,
    counting,
    deciding,
    early,
    evidence,
    groups,
    hazard_alerts,
    hazards,
    hearing,
    informing,
    noticing,
    originating,
    own_areas,
    policing,
    proposing,
    proving,
    pruning,
    reaching,
    readiness,
    recalling,
    reducing,
    refused,
    relay_lines,
    relaying,
    security,
    tasks,
    trusting,
    warn,
    warranting,
)
from noroshi.node.events import REDUCED
from noroshi.node.inputs import (
    CapGiven,
    CheckpointGiven,
    ClockStepped,
    Control,
    Detections,
    DoorHeard,
    FeedHeard,
    Gateways,
    Genesis,
    GroupHeard,
    Input,
    LinkChanged,
    ReceiptGiven,
    Received,
    RelayGiven,
    Restart,
    Retention,
    TimerDue,
)
from noroshi.node.speak import release
from noroshi.node.work import Work
from noroshi.sharing import partner_party
from noroshi.warning.area_list import is_signed_areas


def run(work: Work, given: Input) -> None:
    """All that follows from one input."""
    pruning.hourly(work)
    match given:
        case Detections():
            sensor = accept.detections(work, given)
            if sensor is not None:
                evidence.own(work, given, sensor)
                _look(work)
        case Received() if given.number and is_bundle(given.raw):
            if accept.is_next_row(work, given):
                _keys(work, given.party, given.raw)
        case Received():
            message = accept.message(work, given)
            if message is not None:
                _heard(work, message, given.party, given.lane)
                _look(work)
        case ReceiptGiven():
            accept.receipt(work, given)
        case CheckpointGiven():
            accept.checkpoint(work, given)
        case Restart():
            accept.restart(work, given)
        case ClockStepped():
            accept.clock(work, given)
        case CapGiven():
            hazards.given(work, given)
        case RelayGiven():
            relaying.given(work, given)
        case DoorHeard():
            refused.door(work, given)
        case FeedHeard():
            hazards.feed(work, given)
        case Control():
            _control(work, given)
        case Gateways():
            groups.adopt(work, given)
            if any(row.is_whole for row in given.groups):
                _look(work)
        case GroupHeard():
            groups.heard(work, given)
        case Retention():
            accept.retention(work, given)
        case Genesis():
            trusting.begin(work)
            own_areas.begin(work)
        case LinkChanged() if relay_lines.is_relays(given):
            relay_lines.changed(work, given)
        case LinkChanged():
            accept.link(work, given)
        case TimerDue():
            _timer(work, given.name)


def _control(work: Work, given: Control) -> None:
    """What a root of ours has signed: keys, or a policy."""
    if is_bundle(given.raw):
        _keys(work, given.party, given.raw)
    elif warranting.is_ours(given.raw):
        warranting.adopt(work, given.party, given.raw)
        hazard_alerts.released(work)
    elif is_signed_areas(given.raw):
        own_areas.adopt(work, given.party, given.raw)
    elif is_roster(given.raw):
        proving.adopt(work, given.party, given.raw)
    else:
        policing.adopt(work, given.party, given.raw)


def _keys(work: Work, party: str, raw: bytes) -> None:
    """Takes a bundle of statements about keys, and passes on what the other neighbours should have as well."""
    onward = trusting.apply(work, party, raw)
    if onward:
        reaching.keys_changed(work)
    for neighbour in work.state.policy.neighbours if onward else ():
        if partner_party(neighbour) != party:
            work.send(partner_party(neighbour), trusting.LANE, onward)


def _heard(work: Work, message: Message, party: str, lane: int) -> None:
    """A relay passes on what the door lets through, whatever it thinks of it; its own posts' words only if they hold."""
    refusal = authority.defect(work.state, message, work.now_ns)
    if refusal is None or message.origin != work.state.own:
        release(work, message, lane=lane)
    if refusal is None:
        _act(work, message, party)
        _answered_early(work, message)
    elif refusal.reason == security.CONTRADICTORY:
        security.contradicts(work, party, refusal.detail)
    elif refusal.reason not in early.REASONS or not early.keep(work, message, party):
        work.refuse(party, refusal.reason, refusal.detail)


def _answered_early(work: Work, message: Message) -> None:
    """What had come before the question that it answers has its effect now."""
    if not work.state.early:
        return
    body = message.body
    is_request = isinstance(body, DecisionBody) and body.step == "request" and not body.subject
    of = body.case if isinstance(body, DecisionBody) and is_request else message.id
    for answer, party in early.due(work, of):
        refusal = authority.defect(work.state, answer, work.now_ns)
        if refusal is None:
            _act(work, answer, party)
        else:
            work.refuse(party, refusal.reason, refusal.detail)


def _act(work: Work, message: Message, party: str) -> None:
    match message.body:
        case TrackBody() as body:
            evidence.partners(work, message, body)
        case ReducedTrackBody() as body:
            hearing.reduced(work, message, body)
        case EventBody() as body:
            hearing.event(work, message, body)
        case WarningBody() as body:
            hearing.warning(work, message, body)
        case AlertBody() as body:
            hearing.alert(work, message, body)
            relaying.heard(work, message, body)
        case AcknowledgementBody() as body:
            hearing.acknowledgement(work, message, body)
        case DecisionBody() as body:
            _decision(work, message, body, party)
        case AlertRequestBody() as body:
            originating.asked(work, message, body)
        case NoticeBody() as body:
            noticing.said(work, message, body)
        case CountBody() as body:
            counting.heard(work, message, body)
        case HazardBody() as body:
            hazards.heard(work, message, body, party)
        case ClaimBody() as body:
            relaying.told(work, message, body)
        case DeliveryBody() as body:
            _delivered(work, message, body)
        case ReadinessBody() as body:
            readiness.here(work, message, body)
        case ReleaseBody() as body:
            policing.released(work, message, body)
        case RecallBody() as body:
            _recall(work, message, body)
        case InjectBody() | RemarkBody() as body:
            hearing.words(work, message, body)
        case _:
            hearing.unknown(work, message)


def _decision(work: Work, message: Message, body: DecisionBody, party: str) -> None:
    if body.decision == proposing.AGREE:
        warn.agreed(work, message, body)
    elif body.subject:
        alerting.signed(work, message, body, party)
    elif body.step == "request":
        deciding.asked(work, message, body)
    elif body.step == "concurrence":
        deciding.answered(work, message, body)
    else:
        deciding.recorded(work, message, body)


def _delivered(work: Work, message: Message, body: DeliveryBody) -> None:
    told = reaching.delivered(work, message, body)
    if told.purpose == "test":
        readiness.heard(work, told, body)


def _receipts_due(work: Work, of: bytes) -> None:
    told = reaching.late(work, of)
    if told is not None and told.purpose == "test":
        readiness.late(work, told)


def _recall(work: Work, message: Message, body: RecallBody) -> None:
    if body.step == "ask":
        recalling.asked(work, message, body)
    elif body.step == "done":
        recalling.answered(work, message, body)
    elif message.origin != work.state.own:
        recalling.told(work, message, body)


def _timer(work: Work, name: str) -> None:
    """A timer acts only if it is set and due; a repeated or early one does nothing."""
    due_ns = work.state.timers.get(name)
    if due_ns is None or due_ns > work.now_ns:
        work.duplicate()
        return
    del work.state.timers[name]
    word, _, rest = name.partition(":")
    match word:
        case "look" | "lost":
            warn.due(work, rest)
        case "agree":
            warn.unanswered(work, rest)
        case "decision":
            deciding.due(work, bytes.fromhex(rest))
        case "draft":
            alerting.due(work, bytes.fromhex(rest))
        case "automatic":
            alerting.near(work, bytes.fromhex(rest))
        case own_areas.TIMER:
            own_areas.due(work)
        case trusting.TIMER:
            trusting.due(work)
        case refused.TIMER:
            refused.due(work, rest)
        case security.TIMER:
            security.due(work, rest)
        case counting.TIMER:
            counting.due(work, rest)
        case informing.TIMER:
            noticing.due(work, bytes.fromhex(rest))
        case "receipts":
            _receipts_due(work, bytes.fromhex(rest))
        case "chase":
            chasing.go_on(work, bytes.fromhex(rest))
        case proving.TIMER:
            proving.due(work, bytes.fromhex(rest))
        case readiness.TIMER:
            readiness.due(work)
        case readiness.STALE:
            readiness.stale(work)
        case hazard_alerts.TIMER:
            hazards.due(work, bytes.fromhex(rest))
        case "task":
            tasks.close(work, rest, "expired")


def _look(work: Work) -> None:
    """Lets the warning stage see the pictures whose evidence this input has changed."""
    for event in work.state.events.take_touched():
        if REDUCED in event.audience:
            reducing.touched(work, event)
        else:
            warn.touched(work, event)
