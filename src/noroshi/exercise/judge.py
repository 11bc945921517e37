"""Were the expectations met? Answered from the nodes' records, and from the truth that only exercise control has.

judged = judge(scenario, logs, measures, truth, problems)
all(one.met for one in judged)

Each answer cites the records that it rests on; one that says that something did not happen cites what was looked at,
or the last record of each node that was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from noroshi.clock import NS_PER_S, to_iso
from noroshi.exercise.scenario import (
    Acknowledged,
    AlertIssued,
    AlertNames,
    AlertNever,
    AlertOmits,
    AnyExpectation,
    Consulted,
    EndReachesSame,
    Intact,
    PassedAfterObservation,
    ReportNever,
    ReportWithin,
    Scenario,
    WarningLead,
)
from noroshi.exercise.world import Truth
from noroshi.messages.bodies import TrackBody, WarningBody
from noroshi.review import AlertMeasure, Entry, Judged, Log, Measures
from noroshi.review.measures import holds


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a judgement may look at."""

    logs: Sequence[Log]
    measures: Measures
    truth: Truth
    problems: Sequence[str]
    speed: float


def judge(
    scenario: Scenario,
    logs: Sequence[Log],
    measures: Measures,
    truth: Truth,
    problems: Sequence[str],
    speed: float = 1.0,
) -> tuple[Judged, ...]:
    """One answer per expectation, in the scenario's order. scenario: as `selected` for the structure in force.

    speed: of the exercise's clock against the machines that played it. Limits on what machines alone do are held
    against seconds of life; people and flights keep the exercise's clock.
    """
    evidence = Evidence(logs, measures, truth, problems, speed)
    return tuple(_judged(one, evidence) for one in scenario.expectations)


def _judged(one: AnyExpectation, evidence: Evidence) -> Judged:
    match one:
        case ReportWithin():
            return _report_within(one, evidence)
        case ReportNever():
            return _report_never(one, evidence)
        case WarningLead():
            return _warning_lead(one, evidence)
        case AlertNames():
            return _alert_names(one, evidence)
        case AlertOmits():
            return _alert_omits(one, evidence)
        case AlertIssued():
            return _alert_issued(one, evidence)
        case AlertNever():
            issued = _told(evidence, one.unit)
            detail = f"{one.unit} issued {len(issued)} public alerts"
            return Judged(one.id, not issued, detail, _looked_at(evidence, issued))
        case Acknowledged():
            return _acknowledged(one, evidence)
        case EndReachesSame():
            return _end_reaches_same(one, evidence)
        case PassedAfterObservation():
            return _passed_after_observation(one, evidence)
        case Consulted():
            return _consulted(one, evidence)
        case Intact():
            detail = (
                "; ".join(evidence.problems)
                or "every record verifies and replays; nothing lost, nothing repeated"
            )
            return Judged(one.id, not evidence.problems, detail, _ends(evidence))


def _report_within(one: ReportWithin, evidence: Evidence) -> Judged:
    key = f"{one.origin}->{one.receiver}"
    took_s = evidence.measures.report_s.get(key)
    cites = evidence.measures.cites.report.get(key, ())
    if took_s is None:
        searched = (
            *cites,
            *_withholding(evidence, one.origin, one.receiver)[0],
            *_ends(evidence, one.receiver),
        )
        return Judged(one.id, False, f"{key}: the report never arrived", searched)
    detail = f"{key}: {took_s:.3f} s, {one.within_s:g} s allowed"
    if evidence.speed != 1.0:
        detail += f"; {took_s / evidence.speed:.3f} s of life at {evidence.speed:g} times its speed"
    return Judged(one.id, took_s / evidence.speed <= one.within_s, detail, cites)


def _report_never(one: ReportNever, evidence: Evidence) -> Judged:
    if evidence.measures.first_detection_ns.get(one.origin) is None:
        return Judged(
            one.id,
            False,
            f"{one.origin} detected nothing, so that nothing is shown by its absence",
            _ends(evidence, one.origin),
        )
    cites = tuple(
        entry.cites
        for log in evidence.logs
        if log.partner == one.receiver
        for entry in log.entries
        if isinstance(entry.body, TrackBody) and entry.envelope and entry.envelope.origin == one.origin
    )
    key = f"{one.origin}->{one.receiver}"
    if cites:
        return Judged(one.id, False, f"{key}: {len(cites)} reports arrived", cites[:3])
    withheld, reason = _withholding(evidence, one.origin, one.receiver)
    detail = f"{key}: no record of one, nothing arrived, as the structure has it"
    if withheld:
        detail += f"; withheld where it began: {reason}"
    seen = evidence.measures.cites.first_detection.get(one.origin, ())
    return Judged(one.id, True, detail, (*seen, *withheld, *_ends(evidence, one.receiver)))


def _withholding(evidence: Evidence, origin: str, receiver: str) -> tuple[tuple[str, ...], str]:
    """The first record by which the origin's node kept a report of its own from the receiver, and why."""
    for log in evidence.logs:
        if log.partner != origin:
            continue
        own: set[bytes] = set()
        for entry in log.entries:
            if entry.type == "message" and entry.envelope and isinstance(entry.body, TrackBody):
                own.add(entry.envelope.id)
            elif (
                entry.type == "release" and entry.fields["id"] in own and receiver in entry.fields["withheld"]
            ):
                return (entry.cites,), entry.fields["withheld"][receiver]
    return (), ""


def _warning_lead(one: WarningLead, evidence: Evidence) -> Judged:
    passing_ns = evidence.truth.nearest_ns(one.lat_deg, one.lon_deg)
    if passing_ns is None:
        return Judged(one.id, False, "nothing flies in this scenario", _ends(evidence, one.partner))
    looked_at = []
    for entry, body in _own_warnings(evidence, one.partner):
        if any(area.region == one.region for area in body.areas):
            lead_s = (passing_ns - entry.now_ns) / NS_PER_S
            detail = (
                f"{one.partner} warned {one.region} at {to_iso(entry.now_ns, digits=1)}, "
                f"{lead_s:.1f} s before the passage; {one.at_least_s:g} s wanted"
            )
            return Judged(one.id, lead_s >= one.at_least_s, detail, (entry.cites,))
        looked_at.append(entry.cites)
    cites = tuple(looked_at[-3:]) or _ends(evidence, one.partner)
    return Judged(one.id, False, f"{one.partner} never warned {one.region}", cites)


def _alert_names(one: AlertNames, evidence: Evidence) -> Judged:
    issued = _told(evidence, one.unit)
    named = {region for alert in issued for region in alert.regions}
    missing = [region for region in one.regions if region not in named]
    detail = f"alerts of {one.unit} name {', '.join(sorted(named)) or 'no region'}"
    if missing:
        detail += f"; not {', '.join(missing)}"
    return Judged(one.id, not missing, detail, _looked_at(evidence, issued))


def _alert_omits(one: AlertOmits, evidence: Evidence) -> Judged:
    issued = _told(evidence, one.unit)
    wrong = [alert for alert in issued if set(one.regions) & set(alert.regions)]
    named = sorted({region for alert in wrong for region in alert.regions if region in one.regions})
    detail = f"{', '.join(named)} was alerted" if wrong else f"{', '.join(one.regions)} was not alerted"
    return Judged(one.id, not wrong, detail, _looked_at(evidence, wrong or issued))


def _alert_issued(one: AlertIssued, evidence: Evidence) -> Judged:
    issued = _told(evidence, one.unit)
    if not issued:
        return Judged(one.id, False, f"{one.unit} issued no public alert", _ends(evidence))
    short = [alert for alert in issued if len(set(alert.posts)) < one.posts]
    first = issued[0]
    detail = f"{len(issued)} issued; {first.identifier} signed by {', '.join(first.posts)}"
    if short:
        detail = f"{short[0].identifier} carries {len(set(short[0].posts))} of {one.posts} signatures"
    return Judged(one.id, not short, detail, _looked_at(evidence, issued))


def _acknowledged(one: Acknowledged, evidence: Evidence) -> Judged:
    issued = _told(evidence, one.unit)
    if not issued:
        return Judged(one.id, False, f"{one.unit} issued no public alert", _ends(evidence))
    first = issued[0]
    answered = first.acknowledged_ns
    in_time = [
        unit for unit, at in answered.items() if at and at - first.issued_ns <= one.within_s * NS_PER_S
    ]
    share = len(in_time) / len(answered) if answered else 0.0
    late = [unit for unit in answered if unit not in in_time]
    detail = f"{len(in_time)} of {len(answered)} within {one.within_s:g} s"
    if late:
        detail += f"; not {', '.join(late)}"
    return Judged(one.id, share >= one.share, detail, (first.cites, *first.acknowledged_cites.values()))


def _end_reaches_same(one: EndReachesSame, evidence: Evidence) -> Judged:
    issued = _told(evidence, one.unit)
    ends = [alert for alert in evidence.measures.alerts if alert.unit == one.unit and alert.type == "Cancel"]
    if not issued or not ends:
        detail = f"{one.unit} {'ended no' if issued else 'issued no'} public alert"
        return Judged(one.id, False, detail, _looked_at(evidence, issued))
    told = {unit for alert in issued for unit in alert.recipients}
    ended = set(ends[-1].recipients)
    detail = f"alert and end ({ends[-1].reason}) went to the same {len(told)} recipients"
    if told != ended:
        detail = f"recipients differ: {', '.join(sorted(told ^ ended))}"
    return Judged(one.id, told == ended, detail, _looked_at(evidence, [*issued, ends[-1]]))


def _passed_after_observation(one: PassedAfterObservation, evidence: Evidence) -> Judged:
    said: list[str] = []
    for log in evidence.logs:
        warned: dict[bytes, list[tuple[float, float, int]]] = {}
        seen_ns, seen = 0, ""
        for entry in log.entries:
            observed_ns = _observed_ns(entry)
            if observed_ns > seen_ns:
                seen_ns, seen = observed_ns, entry.cites
            body = entry.body
            if entry.type != "message" or entry.envelope is None or not isinstance(body, WarningBody):
                continue
            if body.state != "ended":
                warned[entry.envelope.event] = [
                    (place.latitude_rad, place.longitude_rad, (area.from_ns + area.to_ns) // 2)
                    for area in body.areas
                    if area.kind == "pass"
                    for place in area.places
                ]
            elif body.reason == "passed":
                cites = (entry.cites, seen) if seen else (entry.cites,)
                if log.partner == one.partner:
                    said += [cite for cite in cites if cite not in said]
                places = warned.get(entry.envelope.event, ())
                needed_ns = max((evidence.truth.passage_rad_ns(*place) for place in places), default=0)
                if seen_ns < needed_ns:
                    short_s = (needed_ns - seen_ns) / NS_PER_S
                    detail = f'{log.partner} said "passed" {short_s:.1f} s short of seeing it'
                    return Judged(one.id, False, detail, cites)
    if not said:
        detail = (
            f'{one.partner} never said "passed"' if one.required else f'{one.partner} did not say "passed"'
        )
        looked_at = tuple(entry.cites for entry, _ in _own_warnings(evidence, one.partner))[-1:]
        return Judged(one.id, not one.required, detail, (*looked_at, *_ends(evidence, one.partner)))
    return Judged(one.id, True, '"passed" was said only after an observation beyond', tuple(said))


def _consulted(one: Consulted, evidence: Evidence) -> Judged:
    cases = [case for case in evidence.measures.cases if case.decision == one.decision]
    if not cases:
        return Judged(one.id, False, f"nobody asked for {one.decision}", _ends(evidence))
    case = cases[0]
    answers = ", ".join(f"{partner} {outcome}" for partner, _, outcome, _ in case.answers)
    took = f" after {(case.recorded_ns - case.requested_ns) / NS_PER_S:.0f} s" if case.recorded_ns else ""
    detail = f"asked by {case.requested_by}; {answers or 'no answers'}; {case.outcome}{took}"
    cites = (case.cites, *case.answer_cites.values(), *case.recorded_cites)
    return Judged(one.id, any(each.outcome == one.outcome for each in cases), detail, cites)


def _looked_at(evidence: Evidence, alerts: Sequence[AlertMeasure]) -> tuple[str, ...]:
    """The records of the alerts; where there are none, the last record of each node."""
    return tuple(alert.cites for alert in alerts) or _ends(evidence)


def _ends(evidence: Evidence, partner: str = "") -> tuple[str, ...]:
    """The last record of each node, or of one partner's: so far was looked."""
    return tuple(log.entries[-1].cites for log in evidence.logs if partner in ("", log.partner))


def _told(evidence: Evidence, unit: str) -> list[AlertMeasure]:
    """The unit's alerts and updates, without the ends."""
    return [alert for alert in evidence.measures.alerts if alert.unit == unit and alert.type != "Cancel"]


def _own_warnings(evidence: Evidence, partner: str) -> Iterator[tuple[Entry, WarningBody]]:
    for log in evidence.logs:
        if log.partner == partner:
            for entry in log.entries:
                if (
                    entry.type == "message"
                    and isinstance(entry.body, WarningBody)
                    and entry.body.state != "ended"
                ):
                    yield entry, entry.body


def _observed_ns(entry: Entry) -> int:
    """The newest measurement that this record brought the node; 0 if none."""
    if entry.type == "detections" and entry.accepted:
        return int(max(entry.fields["time_ns"]))
    if entry.type == "received" and holds(entry) and isinstance(entry.body, TrackBody):
        return max(entry.body.time_ns, default=0)
    return 0
