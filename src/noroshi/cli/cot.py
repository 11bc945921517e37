"""`noroshi cot`: check and convert events of Cursor on Target.

noroshi cot check FILE...
noroshi cot convert FILE --to proto > event.bin

A file holds one event: XML, a TAK message (of a stream or of a datagram), or JSON as `convert --to json` writes it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from noroshi.cli.options import AsJson
from noroshi.cli.output import UNUSABLE, show, tell
from noroshi.errors import InputError

app = typer.Typer(
    help="Check and convert events of Cursor on Target.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

MAX_FILE_BYTES = 1 << 20
"""What is read of a file: one event has an eighth of that at most, and as JSON three times as much."""

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", show_default=False)]


@app.command()
def check(files: Files, as_json: AsJson = False) -> None:
    """Say whether events are as the base schema wants them: exit 0, or 2 with line and rule."""
    rows = [_checked(file) for file in files]
    lines = []
    for row in rows:
        if row["valid"]:
            lines.append(f"{row['file']}: valid, {row['type']} {row['uid']}")
        lines += [f"{row['file']}:{one['line']}: {one['rule']}: {one['cause']}" for one in row["defects"]]
    show({"files": rows}, lines, as_json)
    if not all(row["valid"] for row in rows):
        raise typer.Exit(UNUSABLE)


@app.command()
def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False)],
    to: Annotated[Literal["xml", "proto", "json"], typer.Option("--to", help="What is written.")] = "xml",
    out: Annotated[Path | None, typer.Option("--out", help="Where to; standard output if left out.")] = None,
    mesh: Annotated[
        bool, typer.Option("--mesh", help="With proto: as a datagram, not for a stream.")
    ] = False,
) -> None:
    """Write one event in another form; what that form cannot carry is listed on standard error."""
    from noroshi.gateways import cot_json, tak_proto, tak_stream

    event = _event(file)
    lost: list[str] = []
    if to == "xml":
        data = event.xml + b"\n"
    elif to == "json":
        data = json.dumps(cot_json.to_document(event), ensure_ascii=False, indent=1).encode() + b"\n"
    else:
        lost = tak_proto.losses(event)
        payload = tak_proto.to_proto(event)
        data = tak_stream.mesh_frame(payload) if mesh else tak_stream.stream_frame(payload)
    for words in lost:
        tell(f"{file}: not carried: {words}")
    if out is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        out.write_bytes(data)
    except OSError as error:
        raise InputError(str(out), None, "", f"it cannot be written: {error.strerror}") from None


def _checked(file: Path) -> dict[str, Any]:
    from noroshi.gateways.cot import defects

    row: dict[str, Any] = {"file": str(file), "valid": False, "uid": "", "type": "", "defects": []}
    try:
        event = _event(file)
    except InputError as error:
        row["defects"] = [{"line": error.line or 1, "rule": error.field or "file", "cause": error.cause}]
        return row
    found = defects(event)
    row |= {"valid": not found, "uid": event.uid, "type": event.type}
    row["defects"] = [{"line": one.line, "rule": one.rule, "cause": one.cause} for one in found]
    return row


def _event(file: Path) -> Any:
    """The event in a file of any of the forms. Raises InputError with line and rule."""
    from noroshi.gateways import cot, cot_json, tak_proto, tak_stream
    from noroshi.gateways.xml_parse import XmlRefusedError

    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(str(file), None, "file", f"it cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise InputError(str(file), None, "size", f"it has more than {MAX_FILE_BYTES} bytes")
    try:
        if data.lstrip()[:1] == b"{":
            return cot_json.from_document(json.loads(data))
        framed = tak_stream.read_datagram(data)
        return cot.read_event(framed.data) if framed.xml else tak_proto.from_proto(framed.data)
    except XmlRefusedError as error:
        raise InputError(str(file), error.line or 1, error.rule, error.plain) from None
    except cot_json.DocumentRefusedError as error:
        raise InputError(str(file), 1, "no-event", error.plain) from None
    except tak_proto.ProtoRefusedError as error:
        raise InputError(str(file), 1, "no-event", error.plain) from None
    except tak_stream.FrameError as error:
        raise InputError(str(file), 1, error.reason, error.cause) from None
    except json.JSONDecodeError as error:
        raise InputError(str(file), error.lineno, "json", error.msg) from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise InputError(str(file), 1, "json", f"it is no JSON ({type(error).__name__})") from None
