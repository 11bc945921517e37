"""The table of many runs: what held, and what each rule cost where the event was true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def trial_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """The lines of the table: a scenario each, with its costs and with what its first failure did not meet."""
    tables = document["scenarios"]
    width = max((len(one["scenario"]) for one in tables), default=0)
    for one in tables:
        held = "held" if one["held"] == one["runs"] else "FAILED"
        rules = f"  {', '.join(one['rules'])}" if one["rules"] else ""
        yield f"{one['scenario']:{width}}  {held:6}  {one['held']} of {one['runs']}{rules}"
        for cost in one["costs"]:
            yield f"{'':{width}}  {cost['rule']} {cost['id']}: {_cost(cost)}"
        for line in _background(one.get("background")):
            yield f"{'':{width}}  {line}"
        for row in _first_failure(document, one):
            yield f"{'':{width}}  NOT {row['id']}: {row['detail']}"
        if one["failed_seeds"]:
            seeds = ", ".join(str(seed) for seed in one["failed_seeds"][:5])
            more = ", ..." if len(one["failed_seeds"]) > 5 else ""
            yield f"{'':{width}}  seeds that failed: {seeds}{more}"
    for name in document.get("not_played", ()):
        yield f"{name:{width}}  not played"
    all_held = sum(1 for one in tables if one["held"] == one["runs"])
    live = " live" if document["played"] == "live" else ""
    yield f"{all_held} of {len(tables)} scenarios held in all of {len(document['runs'])}{live} runs"


def _cost(cost: Mapping[str, Any]) -> str:
    """What a rule cost, in words."""
    share = cost["measure"].endswith("-share")
    missed = f"{100 * cost['missed_share']:.1f} % missed"
    if cost["delay"] is None:
        return f"no delay could be measured of {cost['measure']}; {missed}"
    if share:
        return f"{cost['measure']} less by {cost['delay']:.3f} (most {cost['most']:.3f}); {missed}"
    spread = f" ({cost['least']:.1f} to {cost['most']:.1f})" if cost["measured"] > 1 else ""
    return f"{cost['measure']} later by {cost['delay']:.1f} s{spread}; {missed}"


def _background(study: Mapping[str, Any] | None) -> Iterator[str]:
    """What a study of days found, with the partners' notices and without."""
    if study is None:
        return
    told, alone = study["with_notices"], study["without_notices"]
    yield (
        f"{study['days']:g} days: {told['benign_alarms']} benign alarms, {told['test_launches']} test launches "
        f"({told['announced']} announced), {told['true_events']} true events"
    )
    yield f"{'':16}{'with notices':>18}{'without':>18}"
    for words, field in (
        ("precautions", "precautions"),
        ("  a year", "precautions_a_year"),
        ("false warnings", "false_warnings"),
        ("  a year", "false_warnings_a_year"),
        ("false alerts", "false_alerts"),
        ("  a year", "false_alerts_a_year"),
        ("true missed", "true_missed"),
    ):
        yield f"{words:16}{told[field]:>18g}{alone[field]:>18g}"
    for words, field in (("true warned", "true_warned_s"), ("true alerted", "true_alerted_s")):
        yield f"{words:16}{_times(told[field]):>18}{_times(alone[field]):>18}"


def _times(spread: Mapping[str, float | None]) -> str:
    if spread["median"] is None:
        return "never"
    return f"{spread['median']:.0f} s, most {spread['most']:.0f}"


def _first_failure(document: Mapping[str, Any], table: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the first failed run of a scenario did not meet."""
    for row in document["runs"]:
        if row["scenario"] == table["scenario"] and row["outcome"] != "held":
            return [one for one in row["expectations"] if not one["met"]]
    return []
