"""`noroshi log`: verify, read and export a node's record, live or copied.

noroshi log verify jpn               # exit 1 names the first damaged record
noroshi log tail jpn -n 20 --follow
noroshi log export jpn --party partner:USA --out usa.jsonl
"""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from noroshi.cli.output import UNMET, show
from noroshi.clock import to_iso
from noroshi.errors import OperatorError
from noroshi.log import DamagedRecordError, Record, verified
from noroshi.service.record_file import RecordFile, find_records

app = typer.Typer(
    help="Verify, read and export a node's record.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Place = Annotated[
    Path,
    typer.Argument(metavar="PATH", help="A node's directory, or the file of a record.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

POLL_S = 0.5
EXPORT_ROWS = 200


@app.command()
def verify(path: Place, as_json: AsJson = False) -> None:
    """Check the chain of a record: names the first damaged record, if there is one, and exits 1."""
    found = [_verified(file) for file in find_records(path)]
    intact = all(one["intact"] for one in found)
    show({"intact": intact, "records": found}, [_sentence(one) for one in found], as_json)
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
    """Write what one party was given, and nothing else, as one JSON document per line."""
    source = _one(path)
    with RecordFile(source) as file:
        known = file.parties()
        if party not in known:
            names = ", ".join(known) or "none"
            raise OperatorError(
                "export an outbox",
                subject=party,
                cause="this record has no outbox for it",
                hint=f"it has: {names}",
            )
        rows = _export(file, party, out)
    document = {"record": str(source), "party": party, "rows": rows, "file": str(out)}
    show(document, [f"wrote {rows} rows of {party} to {out}"], as_json)


def _one(path: Path) -> Path:
    found = find_records(path)
    if len(found) > 1:
        names = ", ".join(str(one) for one in found)
        raise OperatorError(
            "choose a record", subject=str(path), cause="there are several", hint=f"give one of {names}"
        )
    return found[0]


def _verified(path: Path) -> dict[str, Any]:
    """What the check of one file gave. Raises OperatorError when it is no record at all."""
    last: Record | None = None
    damaged: dict[str, Any] | None = None
    with RecordFile(path) as file:
        try:
            for record in verified(str(path), file.records()):
                last = record
        except DamagedRecordError as error:
            damaged = {"sequence": error.sequence, "cause": error.cause}
        return {
            "path": str(path),
            "node": file.node,
            "realm": file.realm,
            "intact": damaged is None,
            "count": last.sequence if last else 0,
            "head": last.hash.hex() if last else None,
            "damaged": damaged,
        }


def _sentence(found: dict[str, Any]) -> str:
    whose = f"{found['path']} ({found['node']}, {found['realm']})"
    if found["damaged"] is None:
        return f"{whose}: {found['count']} records, all whole"
    damaged = found["damaged"]
    before = f"the {found['count']} before it are whole" if found["count"] else "none before it"
    return f"{whose}: record {damaged['sequence']} is damaged: {damaged['cause']}; {before}"


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


def _export(file: RecordFile, party: str, out: Path) -> int:
    """Writes the rows; their number. Only what the party itself may see: numbers and data."""
    count, after = 0, 0
    try:
        with out.open("x", encoding="utf-8") as target:
            head = {"format": "noroshi-outbox/1", "realm": file.realm, "node": file.node, "party": party}
            target.write(json.dumps(head) + "\n")
            while rows := file.outbox(party, after, EXPORT_ROWS):
                for row in rows:
                    data = base64.b64encode(row.data).decode("ascii")
                    target.write(json.dumps({"number": row.number, "data": data}) + "\n")
                count, after = count + len(rows), rows[-1].number
    except FileExistsError:
        raise OperatorError(
            "export an outbox",
            subject=str(out),
            cause="the file is there already",
            hint="choose another name",
        ) from None
    except OSError as error:
        raise OperatorError(
            "export an outbox",
            subject=str(out),
            cause=error.strerror or "",
            hint="choose a file that may be written",
        ) from None
    return count
