"""`noroshi release recall|allow`: what a post does about one message that has gone too far, or not far enough.

noroshi release recall nodes/jpn 3f2a --post-key keys/approver.json
noroshi release recall nodes/jpn 3f2a --post-key keys/approver.json --only USA
noroshi release allow nodes/jpn 3f2a AUS --post-key keys/approver.json

Exit 0: the node has done it; 1: the node refused; 2: the input is unusable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from noroshi.cli.node_trust import PassphraseFile, asking
from noroshi.cli.options import AsJson
from noroshi.cli.output import UNMET, show
from noroshi.messages import label_for
from noroshi.messages.bodies import Body, RecallBody, ReleaseBody
from noroshi.service import node_dir
from noroshi.service.key_files import read_key
from noroshi.service.node_dir import NodeDir
from noroshi.service.post_speech import OwnMessage, give, own_message, spoken
from noroshi.service.record_file import RecordFile

Node = Annotated[
    Path, typer.Argument(metavar="DIR", help="The running node's directory.", show_default=False)
]
Head = Annotated[str, typer.Argument(metavar="MESSAGE", help="The head of the message's id.")]
PostKey = Annotated[Path, typer.Option("--post-key", help="The key of the post that does this.")]


def recall(
    directory: Node,
    message: Head,
    post_key: PostKey,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="Who may keep it, under a raised label; may be repeated."),
    ] = None,
    classification: Annotated[
        str, typer.Option(help="The raised classification; as it was if not given.")
    ] = "",
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Ask a message back from all who had it, or, with a raised label, from those who may have it no longer."""
    place, said = _found(directory, message)
    body = RecallBody(of=said.id, step="ask")
    if only or classification:
        old = said.envelope.label
        partners = {said.envelope.origin, *only} if only else old.audience
        label = label_for(partners, classification or old.classification, old.caveats, old.others)
        body = msgspec.structs.replace(body, original=said.raw, label=label)
    reason = _say(place, post_key, passphrase_file, "recall", body)
    lines = (
        f"recalled the {_name(said)}: who had it is asked to put it away",
        "what has left cannot be called back; the timeline shows who has answered",
    )
    _show({"of": said.id.hex(), "kind": said.envelope.kind}, reason, lines, as_json)


def allow(
    directory: Node,
    message: Head,
    partner: Annotated[str, typer.Argument(metavar="PARTNER", help="Who is to have it, for example AUS.")],
    post_key: PostKey,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Release one message to one partner: case by case, or beyond a budget."""
    place, said = _found(directory, message)
    body = ReleaseBody(of=said.id, original=said.raw, partner=partner)
    reason = _say(place, post_key, passphrase_file, "release", body)
    lines = (f"released the {_name(said)} to {partner}, as far as its label and the links let it",)
    _show({"of": said.id.hex(), "kind": said.envelope.kind, "partner": partner}, reason, lines, as_json)


def _found(directory: Path, head: str) -> tuple[NodeDir, OwnMessage]:
    place = node_dir.load(directory)
    with RecordFile(place.record_path) as file:
        return place, own_message(file, head)


def _say(place: NodeDir, post_key: Path, passphrase_file: Path | None, kind: str, body: Body) -> str:
    """Why the node refused, or an empty text."""
    key = read_key(post_key, asking(post_key, passphrase_file))
    now_ns = place.config.clock.clock().now_ns()
    raw = spoken(key, node=place.config.node, kind=kind, body=body, now_ns=now_ns)
    answer = give(place, key, raw)
    return answer.reason or answer.outcome if answer.outcome == "refused" else ""


def _show(document: dict[str, str], reason: str, lines: tuple[str, ...], as_json: bool) -> None:
    whole = {**document, "done": not reason, "reason": reason}
    show(whole, [f"the node refused: {reason}; its timeline says more"] if reason else list(lines), as_json)
    if reason:
        raise typer.Exit(UNMET)


def _name(said: OwnMessage) -> str:
    return f"{said.envelope.kind} {said.id.hex()[:8]}"
