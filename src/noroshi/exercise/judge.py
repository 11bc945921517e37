"""Were the expectations met? Answered from the nodes' records, and from the truth that only exercise control has.

judged = judge(scenario, logs, measures, truth, problems)
all(one.met for one in judged)

Each answer cites the records that it rests on; one that says that something did not happen cites what was looked at,
or the last record of each node that was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from noroshi.exercise import (
    judging_alerts,
    judging_hazards,
    judging_incidents,
    judging_notices,
    judging_picture,
    judging_reach,
    judging_refusals,
)
from noroshi.exercise.evidence import Evidence, Judge
from noroshi.exercise.scenario import Scenario
from noroshi.exercise.world import Truth
from noroshi.review import Judged, Log, Measures

JUDGES: Mapping[type, Judge] = {
    **judging_picture.JUDGES,
    **judging_alerts.JUDGES,
    **judging_hazards.JUDGES,
    **judging_incidents.JUDGES,
    **judging_notices.JUDGES,
    **judging_refusals.JUDGES,
    **judging_reach.JUDGES,
}
"""Who answers which type of expectation."""


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
    return tuple(JUDGES[type(one)](one, evidence) for one in scenario.expectations)
