"""`noroshi release`: check a policy, explain who got which edition of a message and why, recall or allow one message.

    noroshi release check jpn-example --structure trilateral
    noroshi release explain nodes/jpn last KOR

Exit 0: done, and for `check` nothing was found; 1: `check` found something; 2: the input is unusable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from noroshi.cli.options import AsJson
from noroshi.cli.output import UNMET, show
from noroshi.cli.release_posts import allow, recall
from noroshi.clock import to_iso
from noroshi.documents import Document, dotted
from noroshi.errors import OperatorError
from noroshi.log import verified
from noroshi.service.record_file import RecordFile, find_records
from noroshi.service.release_files import read_policy
from noroshi.service.structure_files import read_structure
from noroshi.sharing.explain import REASONS, Decision, Explanation, explain
from noroshi.sharing.policy import Policy
from noroshi.sharing.policy_check import Finding, findings, structure_findings

app = typer.Typer(
    help="Check release policies; explain who got what, and why; recall a message, or release one.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

app.command("recall")(recall)
app.command("allow")(allow)


@app.command("check")
def check_policy(
    policy: Annotated[
        str, typer.Argument(metavar="FILE|NAME", help="A policy's file, or a packaged example.")
    ],
    structure: Annotated[
        list[str] | None,
        typer.Option(
            "--structure", metavar="FILE|NAME", help="Hold it against this structure too; may be repeated."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find contradictions, rules that never decide, and sharing edges that the policy defeats."""
    loaded, document = read_policy(policy)
    structures = {given: read_structure(given)[1] for given in structure or ()}
    rows = [_row(one, document, "") for one in findings(loaded)]
    for given, held in structures.items():
        rows += [_row(one, document, given) for one in structure_findings(loaded, held)]
    result = {
        "file": document.file,
        "partner": loaded.partner,
        "realm": loaded.realm,
        "version": loaded.version,
        "structures": list(structures),
        "findings": rows,
    }
    show(result, [_head(loaded, document, list(structures), rows), *map(_line, rows)], as_json)
    if rows:
        raise typer.Exit(UNMET)


@app.command("explain")
def explain_release(
    record: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", help="A node's directory, or the file of a record.", show_default=False
        ),
    ],
    message: Annotated[str, typer.Argument(metavar="MESSAGE", help="The head of a message's id, or `last`.")],
    party: Annotated[str, typer.Argument(metavar="PARTY", help="For example KOR.")],
    as_json: AsJson = False,
) -> None:
    """Tell which edition of a message a partner got, or why none, and which rule decided."""
    found = find_records(record)
    if len(found) > 1:
        names = ", ".join(str(one) for one in found)
        raise OperatorError(
            "choose a record", subject=str(record), cause="there are several", hint=f"give one of {names}"
        )
    with RecordFile(found[0]) as file:
        told = explain(verified(str(found[0]), file.records()), message, party)
    show(_document(told), _told_lines(told), as_json)


def _row(finding: Finding, document: Document, structure: str) -> dict[str, Any]:
    return {
        "code": finding.code,
        "subject": finding.subject,
        "says": finding.says,
        "line": document.line(finding.path),
        "field": dotted(finding.path),
        "structure": structure,
    }


def _head(policy: Policy, document: Document, structures: list[str], rows: list[dict[str, Any]]) -> str:
    against = f" against {', '.join(structures)}" if structures else ""
    counts = f"{len(policy.partners)} partners, {len(policy.rules)} rules"
    return (
        f"{document.file}: version {policy.version} of {policy.partner} in {policy.realm}, no errors"
        f" ({counts}), {len(rows)} findings{against}"
    )


def _line(row: dict[str, Any]) -> str:
    under = f" [{row['structure']}]" if row["structure"] else ""
    return f"  line {row['line']}: {row['code']}: {row['says']}{under}"


def _document(told: Explanation) -> dict[str, Any]:
    last = told.asked[-1]
    return {
        "id": last.id.hex(),
        "kind": last.kind,
        "partner": told.partner,
        "got": [_decision(one, told) for one in told.got],
        "withheld": [
            {"sequence": one.sequence, "reason": one.reason(told.partner), "rule": one.rule(told.partner)}
            for one in told.asked
            if one.reason(told.partner)
        ],
    }


def _decision(one: Decision, told: Explanation) -> dict[str, Any]:
    return {
        "id": one.id.hex(),
        "kind": one.kind,
        "sequence": one.sequence,
        "time": to_iso(one.now_ns),
        "rule": one.rule(told.partner),
        "to": sorted(one.envelope.label.releasable_to) if one.envelope is not None else None,
        "rows": [
            {
                "stream": stream,
                "number": number,
                "receipted": _time(told.receipts.get((stream, number))),
                "doubtful_since": told.doubtful.get((stream, number)),
            }
            for stream, number in one.rows(told.partner)
        ],
    }


def _time(now_ns: int | None) -> str | None:
    return None if now_ns is None else to_iso(now_ns)


def _told_lines(told: Explanation) -> list[str]:
    last = told.asked[-1]
    lines = [f"{_name(last)}{_whose(last)}"]
    own = {one.id for one in told.asked}
    for one in told.got:
        what = "got it" if one.id in own else f"got another edition of it, {_name(one)}{_whose(one)}"
        lines.append(f"{told.partner} {what} at {to_iso(one.now_ns)}, because of {one.rule(told.partner)}")
        for stream, number in one.rows(told.partner):
            lines.append(f"  row {number} of {stream}{_fate(told, (stream, number))}")
    for one in told.asked:
        reason, rule = one.reason(told.partner), one.rule(told.partner)
        if reason:
            by = f" (rule {rule})" if rule else ""
            lines.append(
                f"withheld from {told.partner}: {REASONS.get(reason, reason)}{by}, record {one.sequence}"
            )
    if not told.got:
        lines.append(f"{told.partner} got no edition of it")
    return lines


def _fate(told: Explanation, row: tuple[str, int]) -> str:
    if row in told.receipts:
        return f", receipted {to_iso(told.receipts[row])}"
    if row in told.doubtful:
        changed = f"record {told.doubtful[row]} changed what may go"
        return f", not receipted before {changed}: it may have been taken out, or have another number"
    return ""


def _name(one: Decision) -> str:
    return f"{one.kind} {one.id.hex()[:8]}"


def _whose(one: Decision) -> str:
    if one.envelope is None:
        return " (its message was removed by retention)"
    return (
        f" of {one.envelope.unit} ({one.envelope.origin}), for {', '.join(one.envelope.label.releasable_to)}"
    )
