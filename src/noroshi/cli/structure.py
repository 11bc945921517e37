"""`noroshi structure`: check, show, compare and draw structure files, or packaged ones by name.

    noroshi structure check my-structure.yaml --strict
    noroshi structure diff before after --json
    noroshi structure draw trilateral --out trilateral.svg

Exit 0: done; 1: findings under `--strict`; 2: the input is unusable, said with file, line and field.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from noroshi.cli.options import AsJson
from noroshi.errors import InputError, OperatorError
from noroshi.service.files import given_text
from noroshi.service.resources import packaged_decisions
from noroshi.service.structure_files import structure_text
from noroshi.structure import (
    MODES,
    Catalogue,
    Structure,
    Way,
    audiences,
    load_catalogue,
    load_structure,
    reach,
)
from noroshi.structure.authority import alert_recipients, deciders, units_with
from noroshi.structure.check import Finding, findings
from noroshi.structure.difference import Change, Difference, difference
from noroshi.structure.draw import mermaid, svg
from noroshi.structure.model import WARNING_CONTENT

T = TypeVar("T")

EXIT_FINDINGS = 1
EXIT_UNUSABLE = 2

app = typer.Typer(name="structure", no_args_is_help=True, help="Who exists, who shares what, who may decide.")

Decisions = Annotated[
    str,
    typer.Option("--decisions", metavar="FILE", help="Catalogue of decisions; default: the packaged one."),
]
Given = Annotated[
    str, typer.Argument(metavar="FILE|NAME", help="A file, or a packaged name such as trilateral.")
]


class Format(StrEnum):
    """What `draw` writes."""

    svg = "svg"
    mermaid = "mermaid"


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Files, or packaged names.")],
    as_json: AsJson = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 when there are findings.")] = False,
    decisions: Decisions = "",
) -> None:
    """Check structure files: errors stop, findings are listed."""

    def work() -> list[tuple[str, Structure, tuple[Finding, ...]]]:
        catalogue = _catalogue(decisions)
        loaded = [(given, _structure(given, catalogue)) for given in files]
        return [(given, structure, findings(structure, catalogue)) for given, structure in loaded]

    checked = _refusing(work, as_json)
    rows = [
        {
            "file": given,
            "id": structure.id,
            "counts": _counts(structure),
            "findings": msgspec.to_builtins(found),
        }
        for given, structure, found in checked
    ]
    _print(as_json, {"structures": rows}, _checked_lines(checked))
    if strict and any(found for _, _, found in checked):
        raise typer.Exit(EXIT_FINDINGS)


@app.command()
def show(given: Given, as_json: AsJson = False, decisions: Decisions = "") -> None:
    """Show a structure: units, sharing, live reach, who decides, who hears of an alert."""

    def work() -> tuple[Structure, Catalogue]:
        catalogue = _catalogue(decisions)
        return _structure(given, catalogue), catalogue

    structure, catalogue = _refusing(work, as_json)
    shown = {
        "structure": msgspec.to_builtins(structure),
        "counts": _counts(structure),
        "reach": _reach_rows(structure),
        "decisions": _decision_rows(structure, catalogue),
        "alerts": _alert_rows(structure),
    }
    _print(as_json, shown, _shown_lines(structure, shown))


@app.command()
def diff(first: Given, second: Given, as_json: AsJson = False, decisions: Decisions = "") -> None:
    """Compare two structures, and what the difference does to live warning."""

    def work() -> Difference:
        catalogue = _catalogue(decisions)
        return difference(_structure(first, catalogue), _structure(second, catalogue))

    found = _refusing(work, as_json)
    _print(as_json, msgspec.to_builtins(found), _diff_lines(found))


@app.command()
def draw(
    given: Given,
    out: Annotated[
        str, typer.Option("--out", metavar="FILE", help="Write to a file; default: standard output.")
    ] = "",
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.svg,
    decisions: Decisions = "",
) -> None:
    """Draw a structure as SVG or Mermaid."""

    def work() -> str:
        structure = _structure(given, _catalogue(decisions))
        text = svg(structure) if form is Format.svg else mermaid(structure)
        if out:
            _write(out, text)
        return text

    text = _refusing(work, False)
    if out:
        typer.echo(f"wrote {out}", err=True)
    else:
        typer.echo(text, nl=False)


# Files


def _structure(given: str, catalogue: Catalogue) -> Structure:
    file, text = structure_text(given)
    return load_structure(text, file, catalogue)


def _catalogue(given: str) -> Catalogue:
    if not given:
        file, text = packaged_decisions()
    else:
        file, text = given, given_text(given, "give the path of a file of decisions")
    return load_catalogue(text, file)


def _write(file: str, text: str) -> None:
    try:
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(file, None, "", f"cannot be written: {error.strerror or error}") from None


# Printing


def _refusing(work: Callable[[], T], as_json: bool) -> T:
    """The result of `work`; an operator's error is one sentence on standard error and exit 2."""
    try:
        return work()
    except OperatorError as error:
        refused = error
    if as_json:
        places: dict[str, object] = {"file": refused.subject, "line": None, "field": ""}
        if isinstance(refused, InputError):
            places = {"file": refused.file, "line": refused.line, "field": refused.field}
        _print_json({"error": {**places, "cause": refused.cause, "hint": refused.hint}})
    typer.echo(refused.sentence(), err=True)
    raise typer.Exit(EXIT_UNUSABLE)


def _print(as_json: bool, document: Any, lines: Iterable[str]) -> None:
    if as_json:
        _print_json(document)
    else:
        for line in lines:
            typer.echo(line)


def _print_json(document: Any) -> None:
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2))


def _counts(structure: Structure) -> dict[str, int]:
    return {name: len(getattr(structure, name)) for name in ("units", "links", "sharing", "authorities")}


def _count_text(structure: Structure) -> str:
    return ", ".join(f"{number} {name}" for name, number in _counts(structure).items())


def _checked_lines(checked: list[tuple[str, Structure, tuple[Finding, ...]]]) -> Iterable[str]:
    for given, structure, found in checked:
        yield f"{given}: no errors ({_count_text(structure)}), {len(found)} findings"
        for finding in found:
            yield f"  {finding.code}: {finding.says}"


def _reach_rows(structure: Structure) -> list[dict[str, Any]]:
    """Where live warning data of every sensor group get to: nations, and units with their ways."""
    rows = []
    for unit in structure.units:
        for content in WARNING_CONTENT if unit.kind == "sensor-group" else ():
            rows.append(
                {
                    "from": unit.id,
                    "content": content,
                    "nations": _way_rows(audiences(structure, unit.id, content)),
                    "units": _way_rows(reach(structure, unit.id, content)),
                }
            )
    return rows


def _way_rows(ways: Mapping[str, Way]) -> dict[str, dict[str, list[str]]]:
    return {
        end: {"edges": list(way.edges), "units": list(way.units), "releasable_to": sorted(way.releasable_to)}
        for end, way in ways.items()
    }


def _decision_rows(structure: Structure, catalogue: Catalogue) -> list[dict[str, Any]]:
    """Per decision, the modes of each set of units that may take it, and who may convene or must concur."""
    rows = []
    for decision in catalogue.decisions:
        taken: dict[str, list[str]] = {}
        for mode in MODES:
            alternatives = [sorted(units) for units in deciders(structure, decision.id, mode)]
            if decision.complete_when_proposed:
                alternatives += [[unit] for unit in units_with(structure, decision.id, "propose", mode)]
            for units in alternatives:
                taken.setdefault(" with ".join(units), []).append(mode)
        others = {
            role: list(
                dict.fromkeys(u for mode in MODES for u in units_with(structure, decision.id, role, mode))
            )
            for role in ("concur", "convene")
        }
        rows.append({"decision": decision.id, "title": decision.title, "taken_by": taken, **others})
    return rows


def _alert_rows(structure: Structure) -> dict[str, dict[str, tuple[str, ...]]]:
    issuing = dict.fromkeys(
        u for mode in MODES for u in units_with(structure, "civil-alert-issue", "decide", mode)
    )
    return {unit: alert_recipients(structure, unit) for unit in issuing}


def _shown_lines(structure: Structure, shown: dict[str, Any]) -> Iterable[str]:
    yield f"{structure.id}: {structure.title}"
    yield f"{structure.valid_from} to {structure.valid_to or 'open'}, {structure.combination}; {_count_text(structure)}"
    yield from (f"note: {note}" for note in structure.notes)
    yield "\nUnits"
    for unit in sorted(structure.units, key=lambda u: (u.shared, u.nation)):
        yield f"  {unit.nation:9} {unit.id:18} {unit.kind:17} {unit.name}"
    yield "\nSharing (-> one way, <-> both ways)"
    for edge in structure.sharing:
        arrow = "<->" if edge.both_ways else "->"
        yield f"  {edge.id}: {edge.from_unit} {arrow} {edge.to_unit}, {edge.cadence}, to {' '.join(edge.releasable_to)}"
        yield f"      {', '.join(edge.content)}"
    yield "\nLive warning data get to"
    for row in shown["reach"]:
        ways = [f"{nation} by {' > '.join(way['edges'])}" for nation, way in row["nations"].items()]
        yield f"  {row['content']} of {row['from']}: {'; '.join(ways) or 'nobody else'}"
    yield "\nDecisions"
    for row in shown["decisions"]:
        yield f"  {row['decision']}: {_taken_text(row)}"
    yield "\nCivil alerts go to"
    for unit, recipients in shown["alerts"].items():
        yield f"  {unit}: {', '.join(recipients) or 'nobody'}"


def _taken_text(row: dict[str, Any]) -> str:
    taken = [
        units if len(modes) == len(MODES) else f"{units} (in {' or '.join(modes)})"
        for units, modes in row["taken_by"].items()
    ]
    text = "; ".join(taken) or "nobody decides"
    for role, word in (("concur", "with the concurrence of"), ("convene", "convened by")):
        if row[role]:
            text += f", {word} {', '.join(row[role])}"
    return text


def _diff_lines(found: Difference) -> Iterable[str]:
    yield f"from {found.first} to {found.second}: {len(found.changes)} changes"
    signs = {"added": "+", "removed": "-", "changed": "~"}
    section = ""
    for change in found.changes:
        if change.section != section:
            section = change.section
            yield f"\n{section}"
        yield f"  {signs[change.what]} {change.key}"
        yield from _field_lines(change)
    yield "\nlive warning"
    for effect in found.effects:
        verb = "gets" if effect.gained else "no longer gets"
        yield f"  {effect.nation} {verb} {effect.content} of {effect.sensor} by {' > '.join(effect.edges)}"
    if not found.effects:
        yield "  no nation gains or loses any"


def _field_lines(change: Change) -> Iterable[str]:
    for name, one, other in change.fields:
        if name != "source":
            yield f"      {name}: {_value_text(one)} -> {_value_text(other)}"


def _value_text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "none" if value is None else str(value)
