"""Measures from merged logs: when each partner first knew, warned, alerted, was answered, and what was lost.

Times are those of the records, so of the nodes' own clocks; durations are seconds. A stamp that is missing is
None, never dropped and never zero.

    measures = measure(logs)
    measures.report_s["KOR->JPN"]         # seconds, or None if it never got there
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from noroshi.clock import NS_PER_S
from noroshi.messages.bodies import (
    AcknowledgementBody,
    AlertBody,
    DecisionBody,
    EventBody,
    TrackBody,
    WarningBody,
)
from noroshi.review.read import Entry, Log, read_message

GAP_S = 3.0
"""A node that records nothing for so long, while others do, has a gap that the review shows."""


@dataclass(frozen=True, slots=True)
class AlertMeasure:
    """One public alert: what it said, when, on whose warning, and how it was answered. Times in ns."""

    identifier: str
    type: str
    partner: str
    unit: str
    posts: tuple[str, ...]
    regions: tuple[str, ...]
    first_pass_ns: int | None
    issued_ns: int
    warned_ns: int | None
    recipients: tuple[str, ...]
    acknowledged_ns: dict[str, int | None]
    reason: str
    cites: str


@dataclass(frozen=True, slots=True)
class CaseMeasure:
    """One consultation: asked when and by whom, each nation's answer, the recorded outcome."""

    case: str
    decision: str
    requested_by: str
    requested_ns: int
    answers: tuple[tuple[str, str, str, int], ...]
    outcome: str
    recorded_ns: int | None
    cites: str


@dataclass(frozen=True, slots=True)
class Gap:
    """A node recorded nothing from `from_ns` to `to_ns` while others went on."""

    node: str
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class Measures:
    """All measures of one run; see the fields' names. Keys `XXX->YYY` are partners' trigraphs."""

    start_ns: int
    end_ns: int
    first_detection_ns: dict[str, int | None]
    report_s: dict[str, float | None]
    picture_s: dict[str, float | None]
    shared_picture_s: dict[str, float | None]
    warning_s: dict[str, float | None]
    alert_s: dict[str, float | None]
    alerts: tuple[AlertMeasure, ...]
    cases: tuple[CaseMeasure, ...]
    gaps: tuple[Gap, ...]
    repeated_effects: int
    refusals: dict[str, int]
    withheld: dict[str, int]


def measure(logs: Sequence[Log]) -> Measures:
    """Everything that can be said from the records. logs: one per node, of one realm."""
    partners = sorted({log.partner for log in logs})
    first = {partner: _first_detection(logs, partner) for partner in partners}
    earliest = min((at for at in first.values() if at is not None), default=None)
    return Measures(
        start_ns=min(log.entries[0].now_ns for log in logs),
        end_ns=max(log.entries[-1].now_ns for log in logs),
        first_detection_ns=first,
        report_s={
            f"{one}->{other}": _report_s(logs, one, other, first[one])
            for one in partners
            for other in partners
            if one != other
        },
        picture_s={p: _since(earliest, _first(logs, p, EventBody, own=True)) for p in partners},
        shared_picture_s={p: _since(earliest, _shared(logs, p)) for p in partners},
        warning_s={p: _since(earliest, _first(logs, p, WarningBody, own=True)) for p in partners},
        alert_s={p: _since(earliest, _first(logs, p, AlertBody, own=True)) for p in partners},
        alerts=tuple(_alerts(logs)),
        cases=tuple(_cases(logs)),
        gaps=tuple(_gaps(logs)),
        repeated_effects=_repeated_effects(logs),
        refusals=_counted(
            log_entry for log in logs for log_entry in log.entries if log_entry.type == "refusal"
        ),
        withheld=_withheld(logs),
    )


def holds(entry: Entry) -> bool:
    """Whether the entry is a message that the node accepted or said itself."""
    return entry.envelope is not None and entry.accepted and entry.type in ("message", "received")


def _first_detection(logs: Sequence[Log], partner: str) -> int | None:
    times = (
        min(entry.fields["time_ns"])
        for log in logs
        if log.partner == partner
        for entry in log.entries
        if entry.type == "detections" and entry.accepted
    )
    return min(times, default=None)


def _report_s(logs: Sequence[Log], origin: str, holder: str, first_ns: int | None) -> float | None:
    """Seconds from the origin's first detection to the holder's node having recorded it."""
    if first_ns is None:
        return None
    for log in logs:
        if log.partner != holder:
            continue
        for entry in log.entries:
            body = entry.body
            if not holds(entry) or not isinstance(body, TrackBody) or entry.envelope is None:
                continue
            if entry.envelope.origin == origin and min(body.time_ns) <= first_ns:
                return (entry.now_ns - first_ns) / NS_PER_S
    return None


def _first(logs: Sequence[Log], partner: str, body: type, *, own: bool) -> int | None:
    times = (
        entry.now_ns
        for log in logs
        if log.partner == partner
        for entry in log.entries
        if holds(entry) and isinstance(entry.body, body) and (entry.type == "message") == own
    )
    return min(times, default=None)


def _shared(logs: Sequence[Log], partner: str) -> int | None:
    """When this partner's node first held own and foreign evidence of one event, or signed two events as the same."""
    for log in logs:
        if log.partner != partner:
            continue
        origins: set[str] = set()
        for entry in log.entries:
            if holds(entry) and isinstance(entry.body, TrackBody) and entry.envelope:
                origins.add(entry.envelope.origin)
                if len(origins) > 1:
                    return entry.now_ns
    return None


def _since(start_ns: int | None, at_ns: int | None) -> float | None:
    return None if start_ns is None or at_ns is None else (at_ns - start_ns) / NS_PER_S


def _alerts(logs: Sequence[Log]) -> list[AlertMeasure]:
    found = []
    for log in logs:
        warned: int | None = None
        answered = _acknowledgements(log)
        for entry in log.entries:
            if entry.type != "message" or entry.envelope is None:
                continue
            if isinstance(entry.body, WarningBody) and warned is None:
                warned = entry.now_ns
            if isinstance(entry.body, AlertBody):
                found.append(_alert(log, entry, entry.body, warned, answered.get(entry.envelope.id, {})))
    return sorted(found, key=lambda alert: (alert.issued_ns, alert.identifier))


def _alert(
    log: Log, entry: Entry, body: AlertBody, warned: int | None, answered: dict[str, int]
) -> AlertMeasure:
    passes = [area.from_ns for area in body.areas]
    return AlertMeasure(
        identifier=body.identifier,
        type=body.type,
        partner=log.partner,
        unit=body.unit,
        posts=_posts(body),
        regions=tuple(area.region for area in body.areas),
        first_pass_ns=min(passes, default=None),
        issued_ns=entry.now_ns,
        warned_ns=warned,
        recipients=tuple(body.recipients),
        acknowledged_ns={unit: answered.get(unit) for unit in body.recipients},
        reason=body.reason,
        cites=entry.cites,
    )


def _posts(body: AlertBody) -> tuple[str, ...]:
    envelopes = (read_message(raw)[0] for raw in body.approvals)
    return tuple(envelope.post for envelope in envelopes if envelope is not None)


def _acknowledgements(log: Log) -> dict[bytes, dict[str, int]]:
    found: dict[bytes, dict[str, int]] = {}
    for entry in log.entries:
        if holds(entry) and isinstance(entry.body, AcknowledgementBody):
            found.setdefault(entry.body.of, {}).setdefault(entry.body.unit, entry.now_ns)
    return found


def _cases(logs: Sequence[Log]) -> list[CaseMeasure]:
    """Each case as the node of the convening body saw it, or else the first node that knew it."""
    cases: dict[bytes, list[Entry]] = {}
    for log in logs:
        for entry in log.entries:
            body = entry.body
            if holds(entry) and isinstance(body, DecisionBody) and not body.subject:
                cases.setdefault(body.case, []).append(entry)
    return [
        _case(case, entries) for case, entries in sorted(cases.items(), key=lambda item: item[1][0].now_ns)
    ]


def _case(case: bytes, entries: list[Entry]) -> CaseMeasure:
    ordered = sorted(entries, key=lambda entry: entry.now_ns)
    answers: dict[str, tuple[str, str, str, int]] = {}
    requested: Entry = ordered[0]
    outcome, recorded = "open", None
    for entry in ordered:
        body = entry.body
        assert isinstance(body, DecisionBody)
        assert entry.envelope is not None
        origin = entry.envelope.origin
        if body.step == "request" and entry.envelope.time_ns <= requested.now_ns:
            requested = entry
        elif body.step == "concurrence":
            answers.setdefault(origin, (origin, entry.envelope.post, body.outcome, entry.envelope.time_ns))
        elif body.step == "ruling" and recorded is None:
            outcome, recorded = body.outcome, entry.now_ns
    assert requested.envelope is not None
    assert isinstance(requested.body, DecisionBody)
    return CaseMeasure(
        case=case.hex(),
        decision=requested.body.decision,
        requested_by=requested.envelope.post,
        requested_ns=requested.envelope.time_ns,
        answers=tuple(sorted(answers.values(), key=lambda answer: answer[3])),
        outcome=outcome,
        recorded_ns=recorded,
        cites=requested.cites,
    )


def _gaps(logs: Sequence[Log]) -> list[Gap]:
    """Silences of one node longer than GAP_S in which it was away: it began anew, or a partner saw its link go.

    A node with nothing to record is silent too; that alone is no gap.
    """
    found = []
    for log in logs:
        away = _link_losses(logs, log)
        for before, after in zip(log.entries, log.entries[1:], strict=False):
            if after.now_ns - before.now_ns > GAP_S * NS_PER_S:
                index = bisect_left(away, before.now_ns)
                if index < len(away) and away[index] <= after.now_ns + NS_PER_S:
                    found.append(Gap(log.node, before.now_ns, after.now_ns))
    return found


def _link_losses(logs: Sequence[Log], log: Log) -> list[int]:
    """When a node's links were lost: as partners saw it, and as it said itself when it began anew."""
    return sorted(
        entry.now_ns
        for other in logs
        for entry in other.entries
        if entry.type == "link"
        and entry.fields["state"] != "up"
        and (other.node == log.node or entry.fields["party"] == f"partner:{log.partner}")
    )


def _repeated_effects(logs: Sequence[Log]) -> int:
    """Messages that any node acted on twice: must be 0."""
    count = 0
    for log in logs:
        acted: set[bytes] = set()
        for entry in log.entries:
            if holds(entry) and entry.envelope is not None:
                identity = entry.envelope.origin.encode() + entry.envelope.id
                count += identity in acted
                acted.add(identity)
    return count


def _counted(entries: Iterable[Entry]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for entry in entries:
        reason = entry.fields["reason"]
        counts[reason] = counts.get(reason, 0) + 1
    return dict(sorted(counts.items()))


def _withheld(logs: Sequence[Log]) -> dict[str, int]:
    """How many own messages each partner's node kept from each other partner, `XXX-|YYY`, by the record."""
    counts: dict[str, int] = {}
    for log in logs:
        for entry in log.entries:
            if entry.type == "release":
                for partner in entry.fields["withheld"]:
                    key = f"{log.partner}-|{partner}"
                    counts[key] = counts.get(key, 0) + 1
    return dict(sorted(counts.items()))
