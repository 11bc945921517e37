"""What many runs come to: one document, of runs on the virtual clock and of live ones alike.

document = whole("fast", scenarios, rows)
write_trials(folder, document)
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Literal

from noroshi.errors import NoroshiError, OperatorError
from noroshi.exercise import background
from noroshi.exercise.costing import Price
from noroshi.exercise.scenario import Scenario
from noroshi.review import Judged

SCHEMA = "noroshi.trials/1"

TRIALS = "trials.json"

INTERRUPTED = "interrupted"
"""The outcome of runs that somebody ended before the last: those that were played are told."""

Row = dict[str, Any]


def whole(
    played: Literal["live", "fast"],
    scenarios: Sequence[Scenario],
    runs: int,
    rows: Sequence[Row],
    **more: object,
) -> dict[str, Any]:
    """The document. rows: of `runs` runs of each scenario, in order; fewer where somebody ended them."""
    parts = [rows[index * runs : (index + 1) * runs] for index in range(len(scenarios))]
    ended = len(rows) < len(scenarios) * runs
    held = all(row["outcome"] == "held" for row in rows)
    return {
        "schema": SCHEMA,
        "played": played,
        **more,
        "outcome": INTERRUPTED if ended else "held" if held else "failed",
        **(
            {"not_played": [one.id for one, part in zip(scenarios, parts, strict=True) if not part]}
            if ended
            else {}
        ),
        "scenarios": [_table(one, part) for one, part in zip(scenarios, parts, strict=True) if part],
        "runs": list(rows),
    }


def judged_rows(judged: Sequence[Judged]) -> list[Row]:
    """Expectations of one run, as plain data."""
    return [{"id": one.id, "met": one.met, "detail": one.detail, "cites": list(one.cites)} for one in judged]


def broken_off(error: Exception) -> Row:
    """What a run that broke off says: the sentence of a known error, or the defect."""
    sentence = error.sentence() if isinstance(error, NoroshiError) else repr(error)
    row = {"id": "played", "met": False, "detail": f"the run broke off: {sentence}", "cites": []}
    return {"outcome": "failed", "expectations": [row], "costs": [], "digest": ""}


def unmet(row: Row) -> str:
    """A run that did not hold, in one line."""
    first = next(one for one in row["expectations"] if not one["met"])
    return f"{row['scenario']} with seed {row['seed']}: {first['id']}: {first['detail']}"


def write_trials(folder: Path, document: Mapping[str, Any]) -> Path:
    """Writes the document into a folder. Raises OperatorError where it cannot."""
    path = folder / TRIALS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OperatorError(
            "write the results", subject=str(path), cause=error.strerror or str(error),
            hint="choose a folder that you may write with --out",
        ) from None  # fmt: skip
    return path


def _table(scenario: Scenario, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the runs of one scenario come to."""
    failed = [row["seed"] for row in rows if row["outcome"] != "held"]
    return {
        "scenario": scenario.id,
        "title": scenario.title,
        "mirror_of": scenario.mirror_of,
        "rules": list(scenario.rules),
        "runs": len(rows),
        "held": len(rows) - len(failed),
        "failed_seeds": failed,
        "costs": [_summed(one, rows) for one in _cost_ids(rows)],
        **({"background": background.together(studies)} if (studies := _studies(rows)) else {}),
    }


def _cost_ids(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(one["id"] for row in rows for one in row["costs"]))


def _studies(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [row["background"] for row in rows if "background" in row]


def _summed(cost: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """One rule's cost over all runs. delay: of those in which both came; missed: the share that the rule lost."""
    found = [one for row in rows for one in row["costs"] if one["id"] == cost]
    delays = sorted(one["delay"] for one in found if one["delay"] is not None)
    first = found[0]
    return {
        "id": cost,
        "rule": first["rule"],
        "measure": first["measure"],
        "runs": len(found),
        "measured": len(delays),
        "delay": round(median(delays), 3) if delays else None,
        "least": delays[0] if delays else None,
        "most": delays[-1] if delays else None,
        "missed_share": round(sum(1 for one in found if one["missed"]) / len(found), 4),
    }


def price_row(one: Price) -> dict[str, Any]:
    """A cost of one run, as plain data."""
    return {
        "id": one.id,
        "rule": one.rule,
        "measure": one.measure,
        "with": _rounded(one.took),
        "without": _rounded(one.spared),
        "delay": _rounded(one.delay),
        "missed": one.missed,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
