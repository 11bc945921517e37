"""The stages in order, and no rule of its own: accept, authority, release, evidence, decision, warning.

Each stage hands its results on and never calls an earlier one. Whatever a stage says goes out by
`noroshi.node.speak`, which is the only way to the outboxes.
"""

from __future__ import annotations

from noroshi.messages import Message
from noroshi.messages.bodies import (
    AcknowledgementBody,
    AlertBody,
    DecisionBody,
    EventBody,
    InjectBody,
    RemarkBody,
    TrackBody,
    WarningBody,
)
from noroshi.node import accept, alerting, authority, deciding, evidence, hearing, tasks, warn
from noroshi.node.inputs import Detections, Input, LinkChanged, ReceiptGiven, Received, TimerDue
from noroshi.node.speak import release
from noroshi.node.work import Work


def run(work: Work, given: Input) -> None:
    """All that follows from one input."""
    match given:
        case Detections():
            sensor = accept.detections(work, given)
            if sensor is not None:
                evidence.own(work, given, sensor)
                _look(work)
        case Received():
            message = accept.message(work, given)
            if message is not None:
                _heard(work, message, given.party)
                _look(work)
        case ReceiptGiven():
            accept.receipt(work, given)
        case LinkChanged():
            accept.link(work, given)
        case TimerDue():
            _timer(work, given.name)


def _heard(work: Work, message: Message, party: str) -> None:
    """A relay passes on what the door lets through, whatever it thinks of it; its own posts' words only if they hold."""
    refused = authority.defect(work.state, message, work.now_ns)
    if refused is None or message.origin != work.state.own:
        release(work, message)
    if refused is None:
        _act(work, message, party)
    else:
        work.refuse(party, refused.reason, refused.detail)


def _act(work: Work, message: Message, party: str) -> None:
    match message.body:
        case TrackBody() as body:
            evidence.partners(work, message, body)
        case EventBody() as body:
            hearing.event(work, message, body)
        case WarningBody() as body:
            hearing.warning(work, message, body)
        case AlertBody() as body:
            hearing.alert(work, message, body)
        case AcknowledgementBody() as body:
            hearing.acknowledgement(work, message, body)
        case DecisionBody() as body:
            _decision(work, message, body, party)
        case InjectBody() | RemarkBody() as body:
            hearing.words(work, message, body)
        case _:
            hearing.unknown(work, message)


def _decision(work: Work, message: Message, body: DecisionBody, party: str) -> None:
    if body.subject:
        alerting.signed(work, message, body, party)
    elif body.step == "request":
        deciding.asked(work, message, body)
    elif body.step == "concurrence":
        deciding.answered(work, message, body)
    else:
        deciding.recorded(work, message, body)


def _timer(work: Work, name: str) -> None:
    """A timer acts only if it is set and due; a repeated or early one does nothing."""
    due_ns = work.state.timers.get(name)
    if due_ns is None or due_ns > work.now_ns:
        work.duplicate()
        return
    del work.state.timers[name]
    word, _, rest = name.partition(":")
    match word:
        case "look":
            warn.due(work, rest)
        case "decision":
            deciding.due(work, bytes.fromhex(rest))
        case "draft":
            alerting.due(work, bytes.fromhex(rest))
        case "task":
            tasks.close(work, rest, "expired")


def _look(work: Work) -> None:
    """Lets the warning stage see the pictures whose evidence this input has changed."""
    for event in work.state.events.take_touched():
        warn.touched(work, event)
