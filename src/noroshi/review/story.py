"""The merged timeline: one plain sentence per thing that happened at a node, citing its record.

Increments of evidence come once a second from every sensor; of each partner's at a node only the first is told, and
the rest are counted.

    for line in story(logs): ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
from noroshi.messages.bodies_hazard import ClaimBody, HazardBody
from noroshi.review.read import Entry, Log, merged

TOPICS = ("evidence", "event", "warning", "alert", "acknowledgement", "decision", "link", "refusal", "words")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline. topic: one of TOPICS; cites: the record, and the message where there is one."""

    time_ns: int
    node: str
    partner: str
    topic: str
    text: str
    cites: str


def story(logs: Sequence[Log]) -> Iterator[Line]:
    """All lines in order of time."""
    told: set[tuple[str, str]] = set()
    for entry in merged(logs):
        found = _told(entry, told)
        if found is not None:
            topic, text = found
            yield Line(entry.now_ns, entry.node, entry.partner, topic, text, entry.cites)


def _told(entry: Entry, told: set[tuple[str, str]]) -> tuple[str, str] | None:
    if entry.type == "refusal":
        return "refusal", f"refused from {entry.fields['party']}: {entry.fields['reason']}"
    if entry.type == "note" and entry.fields.get("about") == "link":
        return "link", f"link to {entry.fields['partner']} is {entry.fields['state']}"
    if entry.type == "detections" and entry.accepted:
        return _once(
            entry, told, f"own {entry.fields['sensor']}", f"first detection by {entry.fields['sensor']}"
        )
    if entry.envelope is None or not entry.accepted or entry.type not in ("message", "received"):
        return None
    return _message(entry, told)


def _message(entry: Entry, told: set[tuple[str, str]]) -> tuple[str, str] | None:
    envelope = entry.envelope
    assert envelope is not None
    said, origin = entry.type == "message", envelope.origin
    speaker = envelope.post or envelope.node
    match entry.body:
        case TrackBody() as body:
            if said:
                return None
            key = f"{origin} {body.source}"
            return _once(entry, told, key, f"holds {origin}'s first report ({body.source})")
        case EventBody() as body:
            if body.step in ("same-as", "not-same-as"):
                text = (
                    f"{origin}'s event is the {'same as' if body.step == 'same-as' else 'not the same as'} "
                )
                return "event", f"{'signed that' if said else 'holds that'} {text}{body.other_partner}'s"
            return "event", f"{'opened an event' if said else f'holds that {origin} opened an event'}"
        case WarningBody() as body:
            regions = ", ".join(sorted({area.region for area in body.areas})) or "no region"
            why = f", {body.reason}" if body.reason else ""
            whom = "+".join(envelope.label.releasable_to)
            verb = (
                f"warning {body.number} {body.state}"
                if said
                else f"holds {origin}'s warning {body.number} {body.state}"
            )
            return "warning", f"{verb} for {whom}: {regions} ({body.basis}{why})"
        case AlertBody() as body:
            return (
                "alert",
                f"{body.unit} issued {body.type} {body.identifier}: {_regions(body)}{_reason(body)}",
            )
        case AcknowledgementBody():
            return "acknowledgement", f"{speaker} acknowledged"
        case DecisionBody() as body:
            return "decision", _decision(body, origin, speaker)
        case HazardBody() as body:
            verb = "told of" if said else f"holds, from {origin},"
            return "warning", f"{verb} {body.sender}'s alert {body.identifier} ({body.signature})"
        case ClaimBody() as body:
            verb = "told" if said else f"was told by {origin}"
            return "words", f"{verb} that {body.outlet} speaks in the name of {body.unit}: unverified relay"
        case InjectBody() | RemarkBody() as body:
            return "words", f"{speaker} to {body.unit}: {body.text}"
    return "words", f"kept a message of the unknown kind {envelope.kind} from {origin}"


def _once(entry: Entry, told: set[tuple[str, str]], key: str, text: str) -> tuple[str, str] | None:
    mark = (entry.node, key)
    if mark in told:
        return None
    told.add(mark)
    return "evidence", text


def _decision(body: DecisionBody, origin: str, speaker: str) -> str:
    if body.subject:
        step = {"request": "originated", "ruling": "approved"}.get(body.step, body.step)
        if body.decision.endswith("-cancel"):
            step = "took back"
        return f"{speaker} {'refused' if body.outcome == 'refused' else step} the alert ({body.decision})"
    if body.step == "request":
        return f"{speaker} ({origin}) asked {body.body} for {body.decision}"
    if body.step == "concurrence":
        return f"{speaker} {'refused' if body.outcome == 'refuse' else 'concurred in'} {body.decision}, for {origin}"
    return f"{body.unit} recorded {body.decision} as {body.outcome}"


def _regions(body: AlertBody) -> str:
    return ", ".join(area.region for area in body.areas)


def _reason(body: AlertBody) -> str:
    return f" ({body.reason})" if body.reason else ""
