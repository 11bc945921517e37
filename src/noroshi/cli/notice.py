"""`noroshi notice check|give|list`: planned launches and exercises, announced to the watches that must know.

noroshi notice check rocket.yaml
noroshi notice give nodes/jpn rocket.yaml --post-key keys/notices.json
noroshi notice list nodes/jpn

Exit 0: done; 1: the node refused; 2: the input is unusable.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from noroshi.cli.node_trust import PassphraseFile, asking
from noroshi.cli.options import AsJson
from noroshi.cli.output import UNMET, show
from noroshi.clock import to_iso
from noroshi.command.notices import SAYS, notice_message
from noroshi.service import node_dir
from noroshi.service.key_files import read_key
from noroshi.service.notice_files import newest_notices, read_notice
from noroshi.service.post_speech import give as give_to_node
from noroshi.service.post_speech import seat_of
from noroshi.service.record_file import RecordFile
from noroshi.sharing import STAFF

NS_PER_MS = 1_000_000

app = typer.Typer(no_args_is_help=True, help="Check, give and list notices of planned launches.")

Node = Annotated[Path, typer.Argument(metavar="DIR", help="The node's directory.", show_default=False)]
File = Annotated[Path, typer.Argument(metavar="FILE", help="The notice.", show_default=False)]


@app.command()
def check(file: File, as_json: AsJson = False) -> None:
    """Check a notice's file; whether its giver may give it, its node says."""
    given = read_notice(file, time.time_ns(), SAYS)
    one = given.element
    document = {
        "file": str(file),
        "notice": one.notice,
        "step": one.step,
        "expires": to_iso(given.expires_ns, digits=0),
    }
    show(document, [f"{file}: a good notice ({one.step}), until {document['expires']}"], as_json)


@app.command()
def give(
    directory: Node,
    file: File,
    post_key: Annotated[Path, typer.Option("--post-key", help="The key of the post that gives it.")],
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a notice, or its next step, to the running node, which asks every watch for its own word."""
    place = node_dir.load(directory)
    now_ns = place.config.clock.clock().now_ns()
    given = read_notice(file, now_ns, SAYS)
    key = read_key(post_key, asking(post_key, passphrase_file))
    body = given.body(key.partner, key.unit)
    raw = notice_message(
        seat_of(key, place.config.node), body, given.element.partners, given.expires_ns, now_ns
    )
    answer = give_to_node(place, key, raw)
    reason = (answer.reason or answer.outcome) if answer.outcome == "refused" else ""
    document = {
        "notice": body.notice.hex(),
        "step": body.step,
        "watches": body.watches,
        "done": not reason,
        "reason": reason,
    }
    told = f"{body.step}; {', '.join(body.watches)} must say so until {to_iso(body.inform_by_ns, digits=0)}"
    show(
        document,
        [f"the node refused: {reason}: {SAYS.get(reason, 'its timeline says more')}" if reason else told],
        as_json,
    )
    if reason:
        raise typer.Exit(UNMET)


@app.command("list")
def list_notices(directory: Node, as_json: AsJson = False) -> None:
    """List the notices that a node holds: what is announced, and which watch has said that it knows."""
    place = node_dir.load(directory)
    with RecordFile(place.record_path) as file:
        numbers = sorted(number for key, number in file.newest(STAFF).items() if key.startswith("notice:"))
        rows = newest_notices(row for number in numbers for row in file.outbox(STAFF, number - 1, 1))
    show({"notices": rows}, [line for row in rows for line in _lines(row)] or ["no notices"], as_json)


def _lines(row: dict[str, Any]) -> list[str]:
    opens, closes = (to_iso(row[name] * NS_PER_MS, digits=0) for name in ("from_ms", "to_ms"))
    lines = [
        f"{row['notice'][:8]} {row['partner']} {row['unit']}: {row['title']} ({row['state']}), {opens} to {closes}"
    ]
    for watch in row["watches"]:
        at = watch["informed_ms"]
        words = "NOT INFORMED" if watch["alarm"] else "has not said so yet"
        told = f"informed {to_iso(at * NS_PER_MS, digits=0)} by {watch['by']}" if at is not None else words
        lines.append(f"         {watch['unit']}: {told}")
    return lines
