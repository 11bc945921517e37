"""The end of an exercise: from the nodes' records to the judgement, the review and the files.

document = conclude(coalition, seed, stores, places, folder)
document["outcome"]                          # 'passed' or 'failed'
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from noroshi.exercise.audit import Reading, audit
from noroshi.exercise.coalition import Coalition
from noroshi.exercise.evidence import Evidence
from noroshi.exercise.judge import judge
from noroshi.exercise.observed import observed_points
from noroshi.exercise.run import alerts_of, digest_of
from noroshi.exercise.summary import summary
from noroshi.exercise.world import Truth
from noroshi.geo.places import PlaceTable
from noroshi.review import measure, open_log, render
from noroshi.service.exercise_files import OutFolder
from noroshi.service.resources import packaged_land

LIMITS = (
    "Sensors, lines and people are modelled; their figures are notional and describe no real equipment and no person.",
    "A flight is a free-fall arc with a range and an apogee; the powered ascent is left out.",
    "Times are those of the nodes' own clocks.",
)
"""What a reader must know before drawing conclusions."""


def conclude(
    coalition: Coalition,
    seed: int,
    stores: Mapping[str, Reading],
    places: PlaceTable,
    folder: OutFolder,
    limits: Sequence[str] = LIMITS,
    truth: Truth | None = None,
    speed: float = 1.0,
    replays: Mapping[str, Sequence[str]] = MappingProxyType({}),
    played: Literal["live", "fast"] = "fast",
    keep: Callable[[Evidence], object] = lambda _: None,
) -> dict[str, Any]:
    """Judges, writes review.html, alerts/*.xml and summary.json, and gives the summary with their paths.

    stores: each node's whole record; speed: of the exercise's clock against real processes, 1 on the virtual clock.
    replays: what replays made already have found, by node; keep: takes what was judged from. Raises OperatorError when a
    file cannot be written.
    """
    nodes = {member.node: (member, stores[member.node]) for member in coalition.members}
    problems = audit(nodes, places, replays)
    logs = [open_log(name, store.records()) for name, store in sorted(stores.items())]
    measures = measure(logs)
    seen = truth or Truth(coalition)
    keep(Evidence(logs, measures, seen, problems, speed))
    judged = judge(coalition.scenario, logs, measures, seen, problems, speed)
    records = {log.node: len(log.entries) for log in logs}
    digest = digest_of({log.node: log.head for log in logs}, sum(records.values()))
    document = summary(coalition, seed, judged, measures, digest, records)
    html = render(
        logs,
        measures,
        judged,
        observed_points(logs),
        packaged_land(),
        limits=limits,
        attribution=places.attribution,
        digest=digest,
    )
    files = [
        (name, file, data) for name, (_, store) in sorted(nodes.items()) for file, data in alerts_of(store)
    ]
    document["played"], document["speed"] = played, speed
    document["review"] = str(folder.write_review(html))
    document["out"] = str(folder.path)
    document["alert_files"] = [str(path) for path in folder.write_alerts(files)]
    folder.write_summary(document)
    return document
