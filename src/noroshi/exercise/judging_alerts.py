"""Expectations of public alerts, of who acknowledged them, and of decisions."""

from __future__ import annotations

from collections.abc import Mapping

from noroshi.clock import NS_PER_S
from noroshi.command.alerts import ISSUE
from noroshi.exercise.evidence import Evidence, Judge, last_records, looked_at, public_alerts
from noroshi.exercise.expectations import (
    Acknowledged,
    AlertIssued,
    AlertNames,
    AlertNever,
    AlertOmits,
    Consulted,
)
from noroshi.messages.bodies import DecisionBody
from noroshi.review import Judged
from noroshi.review.measures import holds


def _alert_names(one: AlertNames, evidence: Evidence) -> Judged:
    issued = public_alerts(evidence, one.unit)
    named = {region for alert in issued for region in alert.regions}
    missing = [region for region in one.regions if region not in named]
    detail = f"alerts of {one.unit} name {', '.join(sorted(named)) or 'no region'}"
    if missing:
        detail += f"; not {', '.join(missing)}"
    return Judged(one.id, not missing, detail, looked_at(evidence, issued))


def _alert_omits(one: AlertOmits, evidence: Evidence) -> Judged:
    issued = public_alerts(evidence, one.unit)
    if not issued:
        detail = f"{one.unit} issued no public alert, so that nothing is shown by its absence"
        return Judged(one.id, False, detail, last_records(evidence))
    wrong = [alert for alert in issued if set(one.regions) & set(alert.regions)]
    named = sorted({region for alert in wrong for region in alert.regions if region in one.regions})
    detail = f"{', '.join(named)} was alerted" if wrong else f"{', '.join(one.regions)} was not alerted"
    return Judged(one.id, not wrong, detail, looked_at(evidence, wrong or issued))


def _alert_issued(one: AlertIssued, evidence: Evidence) -> Judged:
    issued = public_alerts(evidence, one.unit)
    if not issued:
        return Judged(one.id, False, f"{one.unit} issued no public alert", last_records(evidence))
    short = [alert for alert in issued if len(set(alert.posts)) < one.posts]
    first = issued[0]
    detail = f"{len(issued)} issued; {first.identifier} signed by {', '.join(first.posts)}"
    if short:
        detail = f"{short[0].identifier} carries {len(set(short[0].posts))} of {one.posts} signatures"
    return Judged(one.id, not short, detail, looked_at(evidence, issued))


def _alert_never(one: AlertNever, evidence: Evidence) -> Judged:
    issued = public_alerts(evidence, one.unit)
    detail = f"{one.unit} issued {len(issued)} public alerts"
    signing = _signing(evidence, one.unit) if one.signed else {}
    if one.signed:
        detail += f"; {', '.join(sorted(signing)) or 'nobody'} had signed"
    cites = (*looked_at(evidence, issued), *signing.values())
    return Judged(one.id, not issued and len(signing) >= one.signed, detail, cites)


def _signing(evidence: Evidence, unit: str) -> dict[str, str]:
    """The unit's posts whose signature under an alert counted, each with the record of its first."""
    found: dict[str, str] = {}
    for log in evidence.logs:
        for entry in log.entries:
            body, envelope = entry.body, entry.envelope
            if (
                holds(entry)
                and envelope is not None
                and isinstance(body, DecisionBody)
                and body.unit == unit
                and body.decision == ISSUE
                and body.step in ("request", "concurrence")
                and body.outcome in ("", "concur")
            ):
                found.setdefault(envelope.post, entry.cites)
    return found


def _acknowledged(one: Acknowledged, evidence: Evidence) -> Judged:
    issued = public_alerts(evidence, one.unit)
    if not issued:
        return Judged(one.id, False, f"{one.unit} issued no public alert", last_records(evidence))
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


def _consulted(one: Consulted, evidence: Evidence) -> Judged:
    cases = [case for case in evidence.measures.cases if case.decision == one.decision]
    if not cases:
        return Judged(one.id, False, f"nobody asked for {one.decision}", last_records(evidence))
    case = cases[0]
    answers = ", ".join(f"{partner} {outcome}" for partner, _, outcome, _ in case.answers)
    took = f" after {(case.recorded_ns - case.requested_ns) / NS_PER_S:.0f} s" if case.recorded_ns else ""
    detail = f"asked by {case.requested_by}; {answers or 'no answers'}; {case.outcome}{took}"
    cites = (case.cites, *case.answer_cites.values(), *case.recorded_cites)
    return Judged(one.id, any(each.outcome == one.outcome for each in cases), detail, cites)


JUDGES: Mapping[type, Judge] = {
    AlertNames: _alert_names,
    AlertOmits: _alert_omits,
    AlertIssued: _alert_issued,
    AlertNever: _alert_never,
    Acknowledged: _acknowledged,
    Consulted: _consulted,
}
