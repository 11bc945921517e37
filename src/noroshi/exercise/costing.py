"""What a rule costs in a run with a true event: a measure with the rule, and what it would be without.

priced(scenario.costs, evidence, lambda off: evidence_of_the_run_without(off))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from noroshi.clock import NS_PER_S
from noroshi.exercise.evidence import Evidence, own_warnings, public_alerts
from noroshi.exercise.trials import Cost, Without
from noroshi.messages import Envelope
from noroshi.messages.bodies import AlertBody, EventBody, WarningBody
from noroshi.messages.envelope import Signed

_SIGNED: msgspec.msgpack.Decoder[Signed] = msgspec.msgpack.Decoder(Signed)
_ENVELOPE: msgspec.msgpack.Decoder[Envelope] = msgspec.msgpack.Decoder(Envelope)


@dataclass(frozen=True, slots=True)
class Price:
    """What a rule cost in one run. took and spared: the measure with and without it, None where it never came."""

    id: str
    rule: str
    measure: str
    took: float | None
    spared: float | None

    @property
    def delay(self) -> float | None:
        """How much later (or, of a share, how much less) it was with the rule; None where either never came."""
        if self.took is None or self.spared is None:
            return None
        return self.spared - self.took if self.measure in SHARES else self.took - self.spared

    @property
    def missed(self) -> bool:
        """Whether what would have come without the rule never came with it."""
        return self.took is None and self.spared is not None


def priced(
    costs: Sequence[Cost], evidence: Evidence, again: Callable[[Without], Evidence]
) -> tuple[Price, ...]:
    """What each rule cost. again: gives the evidence of the same run in which something is otherwise."""
    found = []
    for one in costs:
        took = MEASURES[one.measure](one, evidence)
        if one.without is not None:
            spared = MEASURES[one.measure](one, again(one.without))
        else:
            spared = MEASURES[one.instead or one.measure](one, evidence)
        found.append(Price(one.id, one.rule, one.measure, took, spared))
    return tuple(found)


def _since(evidence: Evidence, at_ns: int | None) -> float | None:
    seen = [one for one in evidence.measures.first_detection_ns.values() if one is not None]
    return (at_ns - min(seen)) / NS_PER_S if at_ns is not None and seen else None


def _first_evidence(cost: Cost, evidence: Evidence) -> float | None:
    """When the partner's own picture first had anything: what would be believed at once, were one source enough."""
    times = (
        entry.now_ns
        for log in evidence.logs
        for entry in log.entries
        if log.partner == cost.partner and entry.type == "message" and isinstance(entry.body, EventBody)
    )
    return _since(evidence, min(times, default=None))


def _first_warning(cost: Cost, evidence: Evidence) -> float | None:
    times = (entry.now_ns for entry, _ in own_warnings(evidence, cost.partner or ""))
    return _since(evidence, min(times, default=None))


def _confirmed_warning(cost: Cost, evidence: Evidence) -> float | None:
    rows = own_warnings(evidence, cost.partner or "")
    return _since(evidence, min((at.now_ns for at, body in rows if body.basis == "confirmed"), default=None))


def _last_warning_end(cost: Cost, evidence: Evidence) -> float | None:
    times = (
        entry.now_ns
        for log in evidence.logs
        for entry in log.entries
        if log.partner == cost.partner
        and entry.type == "message"
        and isinstance(entry.body, WarningBody)
        and entry.body.state == "ended"
    )
    return _since(evidence, max(times, default=None))


def _predicted_passage(cost: Cost, evidence: Evidence) -> float | None:
    """When the last warning that stood expected the last of its areas to be behind."""
    rows = [body for _, body in own_warnings(evidence, cost.partner or "") if body.areas]
    return _since(evidence, max(area.to_ns for area in rows[-1].areas) if rows else None)


def _first_signature(cost: Cost, evidence: Evidence) -> float | None:
    """When the first of those who originated the unit's first alert had signed it."""
    for log in evidence.logs:
        for entry in log.entries:
            body = entry.body
            if entry.type == "message" and isinstance(body, AlertBody) and body.unit == cost.unit:
                return _since(evidence, min((_signed_ns(raw) for raw in body.approvals), default=None))
    return None


def _signed_ns(raw: bytes) -> int:
    return _ENVELOPE.decode(_SIGNED.decode(raw).payload).time_ns


def _public_alert(cost: Cost, evidence: Evidence) -> float | None:
    alerts = public_alerts(evidence, cost.unit or "")
    return _since(evidence, alerts[0].issued_ns if alerts else None)


def _public_end(cost: Cost, evidence: Evidence) -> float | None:
    """When the unit's public was told that its alert had ended."""
    ends = (
        one.issued_ns for one in evidence.measures.alerts if one.unit == cost.unit and one.type == "Cancel"
    )
    return _since(evidence, min(ends, default=None))


def _counts_agree(cost: Cost, evidence: Evidence) -> float | None:
    """From when on the partner's node showed that all count alike."""
    shown = [
        entry
        for log in evidence.logs
        for entry in log.entries
        if log.partner == cost.partner and entry.type == "note" and entry.fields.get("about") == "count"
    ]
    since_ns: int | None = None
    for entry in shown:
        if entry.fields["differs"]:
            since_ns = None
        elif since_ns is None:
            since_ns = entry.now_ns
    return _since(evidence, since_ns)


def _acknowledged_share(cost: Cost, evidence: Evidence) -> float | None:
    alerts = public_alerts(evidence, cost.unit or "")
    if not alerts or not alerts[0].acknowledged_ns:
        return None
    answered = alerts[0].acknowledged_ns.values()
    return sum(1 for at in answered if at) / len(answered)


def _report(cost: Cost, evidence: Evidence) -> float | None:
    """The earliest report of any other partner that reached this one."""
    times = [
        took
        for key, took in evidence.measures.report_s.items()
        if key.endswith(f"->{cost.partner}") and took is not None
    ]
    return min(times, default=None)


SHARES = frozenset({"acknowledged-share"})
"""Measures of which more is better."""

MEASURES: Mapping[str, Callable[[Cost, Evidence], float | None]] = {
    "first-evidence": _first_evidence,
    "first-warning": _first_warning,
    "confirmed-warning": _confirmed_warning,
    "last-warning-end": _last_warning_end,
    "predicted-passage": _predicted_passage,
    "first-signature": _first_signature,
    "public-alert": _public_alert,
    "public-end": _public_end,
    "counts-agree": _counts_agree,
    "acknowledged-share": _acknowledged_share,
    "report": _report,
}
"""How each measure of `trials.Measure` is taken; None where what it measures never came."""
