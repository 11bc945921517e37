"""`noroshi track flights`: reported flights held against free fall."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from noroshi.cli.output import show
from noroshi.service.flights_file import read_flights
from noroshi.tracking.flights import LONGER_MIN, Judged, judge_flight

WIDTH = 150
"""Columns of the table where there is no terminal to fit."""


def hold_flights(file: str, as_json: bool) -> None:
    """Judges every flight of the file and prints it. Raises InputError."""
    rows = [(row.fields, judge_flight(row.flight)) for row in read_flights(file)]
    document = {"flights": [_document(fields, judged) for fields, judged in rows]}
    if as_json:
        show(document, (), True)
        return
    console = Console(soft_wrap=False)
    console = console if console.is_terminal else Console(width=WIDTH)
    console.print(_table(document["flights"]))
    flagged = sum(row["flagged"] is not None for row in document["flights"])
    low, high = LONGER_MIN
    console.print(
        f"{len(rows)} flights, {flagged} flagged; a real one takes {low:g} to {high:g} min longer than its arc"
    )


def _document(fields: dict[str, Any], judged: Judged) -> dict[str, Any]:
    results = {"arc_min": judged.arc_min, "residual_min": judged.residual_min, "flagged": judged.flagged}
    return {**fields, **results}


def _table(rows: list[dict[str, Any]]) -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("date", "by"):
        made.add_column(head)
    for head in ("range km", "apogee km", "time min", "arc min", "residual"):
        made.add_column(head, justify="right")
    made.add_column("flagged")
    for row in rows:
        numbers = [f"{row[name]:g}" for name in ("range_km", "apogee_km", "time_min")]
        found = [
            "" if row[name] is None else text.format(row[name])
            for name, text in (("arc_min", "{:.2f}"), ("residual_min", "{:+.2f}"))
        ]
        made.add_row(str(row.get("date", "")), str(row.get("by", "")), *numbers, *found, row["flagged"] or "")
    return made
