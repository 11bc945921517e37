"""What a judgement may look at, and the ways of looking that all judgements share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from noroshi.exercise.world import Truth
from noroshi.messages.bodies import WarningBody
from noroshi.review import AlertMeasure, Entry, Judged, Log, Measures


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a judgement may look at."""

    logs: Sequence[Log]
    measures: Measures
    truth: Truth
    problems: Sequence[str]
    speed: float


def looked_at(evidence: Evidence, alerts: Sequence[AlertMeasure]) -> tuple[str, ...]:
    """The records of the alerts; where there are none, the last record of each node."""
    return tuple(alert.cites for alert in alerts) or last_records(evidence)


def last_records(evidence: Evidence, partner: str = "") -> tuple[str, ...]:
    """The last record of each node, or of one partner's: so far was looked."""
    return tuple(log.entries[-1].cites for log in evidence.logs if partner in ("", log.partner))


def public_alerts(evidence: Evidence, unit: str) -> list[AlertMeasure]:
    """The unit's alerts and updates, without the ends."""
    return [alert for alert in evidence.measures.alerts if alert.unit == unit and alert.type != "Cancel"]


def own_warnings(evidence: Evidence, partner: str) -> Iterator[tuple[Entry, WarningBody]]:
    """The partner's own warnings that stand, each with its record, in the order in which they were said."""
    for log in evidence.logs:
        if log.partner == partner:
            for entry in log.entries:
                if (
                    entry.type == "message"
                    and isinstance(entry.body, WarningBody)
                    and entry.body.state in ("issued", "updated")
                ):
                    yield entry, entry.body


Judge = Callable[[Any, Evidence], Judged]
"""Answers one type of expectation; each module `judging_<subject>` has a table `JUDGES` of them by type."""
