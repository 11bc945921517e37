"""The result of an exercise as plain data: what `--json` prints and `summary.json` holds.

document = summary(coalition, seed, judged, measures, digest, records)
document["outcome"]                  # 'passed' or 'failed'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from noroshi.clock import NS_PER_S, to_iso
from noroshi.exercise.coalition import Coalition
from noroshi.review import AlertMeasure, CaseMeasure, Judged, Measures

SCHEMA = "noroshi.summary/1"


def summary(
    coalition: Coalition,
    seed: int,
    judged: Sequence[Judged],
    measures: Measures,
    digest: str,
    records: Mapping[str, int],
) -> dict[str, Any]:
    """Plain JSON data. Durations are seconds of the exercise's clock; null is what never happened."""
    return {
        "schema": SCHEMA,
        "outcome": "passed" if all(one.met for one in judged) else "failed",
        "scenario": coalition.scenario.id,
        "structure": coalition.structure.id,
        "realm": coalition.realm,
        "seed": seed,
        "digest": digest,
        "records": dict(sorted(records.items())),
        "expectations": [
            {"id": one.id, "met": one.met, "detail": one.detail, "cites": list(one.cites)} for one in judged
        ],
        "alerts": [_alert(alert) for alert in measures.alerts],
        "consultations": [_case(case) for case in measures.cases],
        "latencies": latencies(measures),
        "gaps": [
            {"node": gap.node, "from": to_iso(gap.from_ns), "for_s": _s(gap.to_ns - gap.from_ns)}
            for gap in measures.gaps
        ],
    }


def latencies(measures: Measures) -> dict[str, Any]:
    """Seconds from the first detection anywhere, by partner; `report_s` from the reporting partner's own first."""
    first = min((at for at in measures.first_detection_ns.values() if at is not None), default=None)
    alerts = [alert for alert in measures.alerts if alert.type == "Alert"]
    answered = {
        alert.identifier: {
            unit: None if at is None else _s(at - alert.issued_ns)
            for unit, at in alert.acknowledged_ns.items()
        }
        for alert in alerts
    }
    taken = [took for units in answered.values() for took in units.values() if took is not None]
    return {
        "first_detection": {
            partner: None if at is None else to_iso(at) for partner, at in measures.first_detection_ns.items()
        },
        "report_s": {pair: _rounded(took) for pair, took in measures.report_s.items()},
        "picture_s": {partner: _rounded(took) for partner, took in measures.picture_s.items()},
        "shared_picture_s": {partner: _rounded(took) for partner, took in measures.shared_picture_s.items()},
        "detection_to_warning_s": {partner: _rounded(took) for partner, took in measures.warning_s.items()},
        "detection_to_alert_s": {partner: _rounded(took) for partner, took in measures.alert_s.items()},
        "warning_to_alert_s": {
            alert.identifier: None if alert.warned_ns is None else _s(alert.issued_ns - alert.warned_ns)
            for alert in alerts
        },
        "alert_to_acknowledgement_s": answered,
        "first_acknowledgement_s": min(taken, default=None),
        "last_acknowledgement_s": max(taken, default=None),
        "first_detection_to_first_alert_s": (
            _s(alerts[0].issued_ns - first) if alerts and first is not None else None
        ),
    }


def _alert(alert: AlertMeasure) -> dict[str, Any]:
    return {
        "identifier": alert.identifier,
        "type": alert.type,
        "partner": alert.partner,
        "unit": alert.unit,
        "posts": list(alert.posts),
        "regions": list(alert.regions),
        "issued": to_iso(alert.issued_ns),
        "reason": alert.reason,
        "recipients": list(alert.recipients),
        "acknowledged": sorted(unit for unit, at in alert.acknowledged_ns.items() if at is not None),
        "file": f"alerts/{alert.identifier}.xml",
        "cites": alert.cites,
    }


def _case(case: CaseMeasure) -> dict[str, Any]:
    return {
        "decision": case.decision,
        "requested_by": case.requested_by,
        "requested": to_iso(case.requested_ns),
        "answers": [
            {"partner": partner, "post": post, "outcome": outcome, "after_s": _s(at - case.requested_ns)}
            for partner, post, outcome, at in case.answers
        ],
        "outcome": case.outcome,
        "after_s": None if case.recorded_ns is None else _s(case.recorded_ns - case.requested_ns),
        "cites": case.cites,
    }


def _s(length_ns: int) -> float:
    return round(length_ns / NS_PER_S, 3)


def _rounded(took_s: float | None) -> float | None:
    return None if took_s is None else round(took_s, 3)
