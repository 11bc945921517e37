"""`noroshi log`: verify, read and export a node's record, live or copied.

noroshi log verify jpn               # exit 1 names the first damaged record or row
noroshi log tail jpn -n 20 --follow
noroshi log export jpn --party partner:USA --out usa.jsonl
noroshi log verify usa.jsonl
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec import to_builtins

from noroshi.cli.output import UNMET, show, tell
from noroshi.clock import to_iso
from noroshi.errors import OperatorError
from noroshi.log import Record
from noroshi.service.record_check import check_record
from noroshi.service.record_export import check_export, is_export, write_export
from noroshi.service.record_file import RecordFile, find_records

app = typer.Typer(
    help="Verify, read and export a node's record.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Place = Annotated[
    Path,
    typer.Argument(
        metavar="PATH", help="A node's directory, or the file of a record or an export.", show_default=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

POLL_S = 0.5


@app.command()
def verify(path: Place, as_json: AsJson = False) -> None:
    """Check a record, or an export of one: names the first thing that is damaged, if any is, and exits 1."""
    if is_export(path):
        export_found = check_export(path)
        intact = not export_found.damaged
        document = {"intact": intact, "export": to_builtins(export_found)}
        show(document, [export_found.sentence], as_json)
    else:
        found = [check_record(file) for file in find_records(path)]
        intact = all(one.intact for one in found)
        for one in found:
            _notice(one.notice)
        show({"intact": intact, "records": to_builtins(found)}, [one.sentence for one in found], as_json)
    if not intact:
        raise typer.Exit(UNMET)


@app.command()
def tail(
    path: Place,
    count: Annotated[int, typer.Option("-n", help="How many of the last records.", min=0)] = 20,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new ones, until Ctrl-C.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document per line.")] = False,
) -> None:
    """Show the last records in plain sentences."""
    with RecordFile(_one(path)) as file:
        _notice(file.notice)
        last = max(0, file.last_sequence() - count)
        while True:
            for record in file.records(last):
                print(json.dumps(_row(record), ensure_ascii=False) if as_json else _line(record), flush=True)
                last = record.sequence
            if not follow:
                return
            time.sleep(POLL_S)


@app.command()
def export(
    path: Place,
    party: Annotated[str, typer.Option(help="Whose outbox, for example partner:USA, staff or gateway:cap.")],
    out: Annotated[Path, typer.Option(help="The file to write; it must not be there yet.")],
    as_json: AsJson = False,
) -> None:
    """Write what one party was given, and nothing else: a file that `verify` checks by itself."""
    source = _one(path)
    with RecordFile(source) as file:
        _notice(file.notice)
        rows = write_export(file, party, out)
    document = {"record": str(source), "party": party, "rows": rows, "file": str(out)}
    show(document, [f"wrote {rows} rows of {party} to {out}"], as_json)


def _notice(text: str) -> None:
    """What a person should know of a record of another version."""
    if text:
        tell(text)


def _one(path: Path) -> Path:
    found = find_records(path)
    if len(found) > 1:
        names = ", ".join(str(one) for one in found)
        raise OperatorError(
            "choose a record", subject=str(path), cause="there are several", hint=f"give one of {names}"
        )
    return found[0]


def _row(record: Record) -> dict[str, Any]:
    from noroshi.service.record_words import words

    return {
        "sequence": record.sequence,
        "time": to_iso(record.now_ns),
        "type": record.type,
        "says": words(record),
        "hash": record.hash.hex(),
    }


def _line(record: Record) -> str:
    row = _row(record)
    return f"{row['sequence']:>7} {row['time']} {row['says']}"
