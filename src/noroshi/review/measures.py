"""Measures from merged logs: when each partner first knew, warned, alerted, was answered, and what was lost.

Times are those of the records, so of the nodes' own clocks; durations are seconds. A stamp that is missing is
None, never dropped and never zero. Beside each measure stand the records that it rests on.

    measures = measure(logs)
    measures.report_s["KOR->JPN"]         # seconds, or None if it never got there
    measures.cites.report["KOR->JPN"]     # ("kor#7", "jpn#9 5bf76a0c"): there the first detection, here the report
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

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

CITED = 3
"""Records cited for a count: enough to look it up, the rest are alike."""


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
    acknowledged_cites: dict[str, str] = field(default_factory=dict)


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
    answer_cites: dict[str, str] = field(default_factory=dict)
    recorded_cites: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """A node recorded nothing from `from_ns` to `to_ns` while others went on."""

    node: str
    from_ns: int
    to_ns: int
    cites: tuple[str, ...] = ()


Citing = dict[str, tuple[str, ...]]
"""For a key of a measure, the records that it rests on; a key that is missing has none."""


@dataclass(frozen=True, slots=True)
class Cites:
    """The records that the measures of the same names rest on."""

    first_detection: Citing = field(default_factory=dict)
    report: Citing = field(default_factory=dict)
    picture: Citing = field(default_factory=dict)
    shared_picture: Citing = field(default_factory=dict)
    warning: Citing = field(default_factory=dict)
    alert: Citing = field(default_factory=dict)
    refusals: Citing = field(default_factory=dict)
    withheld: Citing = field(default_factory=dict)
    repeated: tuple[str, ...] = ()


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
    cites: Cites = field(default_factory=Cites)


def measure(logs: Sequence[Log]) -> Measures:
    """Everything that can be said from the records. logs: one per node, of one realm."""
    partners = sorted({log.partner for log in logs})
    detected = {partner: _first_detection(logs, partner) for partner in partners}
    first = {partner: None if one is None else _detected_ns(one) for partner, one in detected.items()}
    earliest = min((at for at in first.values() if at is not None), default=None)
    reports = {
        f"{one}->{other}": (first[one], detected[one], _report(logs, one, other, first[one]))
        for one in partners
        for other in partners
        if one != other
    }
    pictures = {p: _first(logs, p, EventBody) for p in partners}
    shared = {p: _shared(logs, p) for p in partners}
    warnings = {p: _first(logs, p, WarningBody) for p in partners}
    alerts = {p: _first(logs, p, AlertBody) for p in partners}
    refusals = _refusals(logs)
    withheld = _withheld(logs)
    repeated = _repeated_effects(logs)
    return Measures(
        start_ns=min(log.entries[0].now_ns for log in logs),
        end_ns=max(log.entries[-1].now_ns for log in logs),
        first_detection_ns=first,
        report_s={key: _since(at, held) for key, (at, _, held) in reports.items()},
        picture_s={p: _since(earliest, one) for p, one in pictures.items()},
        shared_picture_s={p: _since(earliest, one) for p, one in shared.items()},
        warning_s={p: _since(earliest, one) for p, one in warnings.items()},
        alert_s={p: _since(earliest, one) for p, one in alerts.items()},
        alerts=tuple(_alerts(logs)),
        cases=tuple(_cases(logs)),
        gaps=tuple(_gaps(logs)),
        repeated_effects=len(repeated),
        refusals={reason: len(entries) for reason, entries in refusals.items()},
        withheld={key: len(entries) for key, entries in withheld.items()},
        cites=Cites(
            first_detection=_citing((p, [one]) for p, one in detected.items()),
            report=_citing((key, [seen, held]) for key, (_, seen, held) in reports.items()),
            picture=_citing((p, [one]) for p, one in pictures.items()),
            shared_picture=_citing((p, [one]) for p, one in shared.items()),
            warning=_citing((p, [one]) for p, one in warnings.items()),
            alert=_citing((p, [one]) for p, one in alerts.items()),
            refusals=_citing((reason, entries[:CITED]) for reason, entries in refusals.items()),
            withheld=_citing((key, entries[:CITED]) for key, entries in withheld.items()),
            repeated=tuple(entry.cites for entry in repeated[:CITED]),
        ),
    )


def holds(entry: Entry) -> bool:
    """Whether the entry is a message that the node accepted or said itself."""
    return entry.envelope is not None and entry.accepted and entry.type in ("message", "received")


def _citing(found: Iterable[tuple[str, Sequence[Entry | None]]]) -> Citing:
    cited = ((key, tuple(one.cites for one in entries if one is not None)) for key, entries in found)
    return {key: cites for key, cites in cited if cites}


def _detected_ns(entry: Entry) -> int:
    return int(min(entry.fields["time_ns"]))


def _first_detection(logs: Sequence[Log], partner: str) -> Entry | None:
    """The record with the earliest measurement by one of the partner's own sensors."""
    entries = (
        entry
        for log in logs
        if log.partner == partner
        for entry in log.entries
        if entry.type == "detections" and entry.accepted and entry.fields["time_ns"]
    )
    return min(entries, key=_detected_ns, default=None)


def _report(logs: Sequence[Log], origin: str, holder: str, first_ns: int | None) -> Entry | None:
    """The holder's record of the origin's first detection, as it reached its node."""
    if first_ns is None:
        return None
    for log in logs:
        if log.partner != holder:
            continue
        for entry in log.entries:
            body = entry.body
            if not holds(entry) or not isinstance(body, TrackBody) or entry.envelope is None:
                continue
            if entry.envelope.origin == origin and min(body.time_ns, default=first_ns + 1) <= first_ns:
                return entry
    return None


def _first(logs: Sequence[Log], partner: str, body: type) -> Entry | None:
    """The first message with such a body that the partner said itself."""
    entries = (
        entry
        for log in logs
        if log.partner == partner
        for entry in log.entries
        if holds(entry) and isinstance(entry.body, body) and entry.type == "message"
    )
    return min(entries, key=lambda entry: entry.now_ns, default=None)


def _shared(logs: Sequence[Log], partner: str) -> Entry | None:
    """The record with which this partner's node first held evidence of two partners."""
    for log in logs:
        if log.partner != partner:
            continue
        origins: set[str] = set()
        for entry in log.entries:
            if holds(entry) and isinstance(entry.body, TrackBody) and entry.envelope:
                origins.add(entry.envelope.origin)
                if len(origins) > 1:
                    return entry
    return None


def _since(start_ns: int | None, entry: Entry | None) -> float | None:
    return None if start_ns is None or entry is None else (entry.now_ns - start_ns) / NS_PER_S


def _alerts(logs: Sequence[Log]) -> list[AlertMeasure]:
    found = []
    for log in logs:
        warned: int | None = None
        answered = _acknowledgements(log)
        told: set[str] = set()
        for entry in log.entries:
            if entry.type != "message" or entry.envelope is None:
                continue
            if isinstance(entry.body, WarningBody) and warned is None:
                warned = entry.now_ns
            if isinstance(entry.body, AlertBody) and entry.body.identifier not in told:
                told.add(
                    entry.body.identifier
                )  # the edition for its own people is the first, and acknowledged
                found.append(_alert(log, entry, entry.body, warned, answered.get(entry.envelope.id, {})))
    return sorted(found, key=lambda alert: (alert.issued_ns, alert.identifier))


def _alert(
    log: Log, entry: Entry, body: AlertBody, warned: int | None, answered: dict[str, Entry]
) -> AlertMeasure:
    passes = [area.from_ns for area in body.areas]
    heard = {unit: answered[unit] for unit in body.recipients if unit in answered}
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
        acknowledged_ns={unit: heard[unit].now_ns if unit in heard else None for unit in body.recipients},
        reason=body.reason,
        cites=entry.cites,
        acknowledged_cites={unit: answer.cites for unit, answer in heard.items()},
    )


def _posts(body: AlertBody) -> tuple[str, ...]:
    """Who has signed it: posts, and a partner whose warning stands for one. A node that issued it alone is nobody."""
    envelopes = [read_message(raw)[0] for raw in body.approvals]
    names = [
        (one.post or (one.origin if one.kind == "warning" else "")) for one in envelopes if one is not None
    ]
    return tuple(filter(None, names))


def _acknowledgements(log: Log) -> dict[bytes, dict[str, Entry]]:
    found: dict[bytes, dict[str, Entry]] = {}
    for entry in log.entries:
        if holds(entry) and isinstance(entry.body, AcknowledgementBody):
            found.setdefault(entry.body.of, {}).setdefault(entry.body.unit, entry)
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
    cited: dict[str, str] = {}
    rulings: tuple[str, ...] = ()
    for entry in ordered:
        body = entry.body
        assert isinstance(body, DecisionBody)
        assert entry.envelope is not None
        origin = entry.envelope.origin
        if body.step == "request" and entry.envelope.time_ns <= requested.now_ns:
            requested = entry
        elif body.step == "concurrence":
            answers.setdefault(origin, (origin, entry.envelope.post, body.outcome, entry.envelope.time_ns))
            cited.setdefault(origin, entry.cites)
        elif body.step == "ruling" and recorded is None:
            outcome, recorded, rulings = body.outcome, entry.now_ns, (entry.cites,)
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
        answer_cites=cited,
        recorded_cites=rulings,
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
                    found.append(Gap(log.node, before.now_ns, after.now_ns, (before.cites, after.cites)))
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


def _repeated_effects(logs: Sequence[Log]) -> list[Entry]:
    """Messages that any node acted on twice, by their second records: must be none."""
    found = []
    for log in logs:
        acted: set[bytes] = set()
        for entry in log.entries:
            if holds(entry) and entry.envelope is not None:
                identity = entry.envelope.origin.encode() + entry.envelope.id
                if identity in acted:
                    found.append(entry)
                acted.add(identity)
    return found


def _refusals(logs: Sequence[Log]) -> dict[str, list[Entry]]:
    """The refusals of all nodes by their reason."""
    found: dict[str, list[Entry]] = {}
    for log in logs:
        for entry in log.entries:
            if entry.type == "refusal":
                found.setdefault(entry.fields["reason"], []).append(entry)
    return dict(sorted(found.items()))


def _withheld(logs: Sequence[Log]) -> dict[str, list[Entry]]:
    """The records by which each partner's node kept a message from another partner, by `XXX-|YYY`."""
    found: dict[str, list[Entry]] = {}
    for log in logs:
        for entry in log.entries:
            if entry.type == "release":
                for partner in entry.fields["withheld"]:
                    found.setdefault(f"{log.partner}-|{partner}", []).append(entry)
    return dict(sorted(found.items()))
