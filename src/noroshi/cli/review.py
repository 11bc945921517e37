"""`noroshi review`: a review of records, made from the records alone.

noroshi review runs/first/records/* --out report.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from noroshi.cli.output import show
from noroshi.errors import OperatorError
from noroshi.exercise.observed import observed_points
from noroshi.geo.places import decode
from noroshi.review import Log, measure, open_log, render
from noroshi.service.record_file import find_records, read_records
from noroshi.service.resources import packaged_land, packaged_places

LIMITS = (
    "Made from the records alone: no scenario was given, so nothing was expected and no truth is known.",
)


def review(
    logs: Annotated[list[Path], typer.Argument(metavar="LOG...", help="Nodes' directories or record files.")],
    out: Annotated[Path, typer.Option("--out", help="The HTML file to write.")] = Path("review.html"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the measures as JSON.")] = False,
) -> None:
    """Make a review of the records of one exercise."""
    opened = [open_log(str(file), read_records(file)) for place in logs for file in find_records(place)]
    _check(opened)
    measures = measure(opened)
    html = render(
        opened,
        measures,
        (),
        observed_points(opened),
        packaged_land(),
        limits=LIMITS,
        attribution=decode(packaged_places()).attribution,
    )
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(html, encoding="utf-8")
    except OSError as error:
        raise OperatorError(
            "write the review", subject=str(out), cause=error.strerror or str(error)
        ) from None
    document = {
        "review": str(out),
        "nodes": [log.node for log in opened],
        "report_s": measures.report_s,
        "alerts": [alert.identifier for alert in measures.alerts],
        "gaps": [{"node": gap.node, "from_ns": gap.from_ns, "to_ns": gap.to_ns} for gap in measures.gaps],
    }
    show(document, [f"review of {', '.join(log.node for log in opened)}: {out}"], as_json)


def _check(logs: list[Log]) -> None:
    """Records that belong together: one realm, each node once."""
    realms = sorted({str(log.genesis["realm"]) for log in logs})
    if len(realms) > 1:
        raise OperatorError(
            "review the logs",
            cause=f"they are of different realms: {', '.join(realms)}",
            hint="give the logs of one",
        )
    nodes = [log.node for log in logs]
    twice = sorted({node for node in nodes if nodes.count(node) > 1})
    if twice:
        raise OperatorError("review the logs", subject=", ".join(twice), cause="given more than once")
