"""`noroshi alert`: what a post does about public alerts at a terminal, and the words and rules that its root approves.

noroshi alert tasks nodes/jpn
noroshi alert sign nodes/jpn originate:3f2a --post-key keys/watch.json --typed "exercise Aomori"
noroshi alert ask nodes/jpn --region Aomori --post-key keys/watch.json
noroshi alert retract nodes/jpn --post-key keys/watch.json
noroshi alert templates check our-words.yaml

Exit 0: done; 1: the node refused; 2: the input is unusable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from noroshi.cli import alert_words
from noroshi.cli.node_trust import PassphraseFile, asking
from noroshi.cli.options import AsJson
from noroshi.cli.output import UNMET, show
from noroshi.clock import to_iso

NS_PER_MS = 1_000_000

app = typer.Typer(
    no_args_is_help=True,
    help="Sign, ask for and take back public alerts; approve their words.",
    rich_markup_mode=None,
)
app.add_typer(alert_words.templates, name="templates")
app.command("warrant")(alert_words.warrant)
app.command("passkeys")(alert_words.passkeys)

Node = Annotated[Path, typer.Argument(metavar="DIR", help="The node's directory.", show_default=False)]
PostKey = Annotated[Path, typer.Option("--post-key", help="The key of the post that does this.")]


@app.command()
def tasks(directory: Node, as_json: AsJson = False) -> None:
    """Show what waits: alerts to be signed, with what must be typed, and corrections that lie ready."""
    from noroshi.service.alert_desk import name_of

    rows = _waiting(directory)
    document = [_document(row) for row in rows]
    lines = []
    for row, one in zip(rows, document, strict=True):
        lines.append(
            f"{name_of(row)}  {one['what']}, until {one['until']}, by {', '.join(row['posts']) or 'nobody'}"
        )
        if one["type"]:
            lines.append(f'    type: "{one["type"]}"')
        if one["hazard"]:
            lines += _word(one["hazard"])
        lines += [
            f"    {text['language']}: {text['headline']} {text['description']} {text['instruction']}".rstrip()
            for text in one["texts"]
        ]
        lines += [f"    {name}: {one[name]}" for name in ("web", "contact") if one[name]]
        if one["recipients"]:
            lines.append(f"    to: {', '.join(one['recipients'])}")
    show(document, lines or ["nothing waits"], as_json)


@app.command()
def sign(
    directory: Node,
    task: Annotated[str, typer.Argument(metavar="TASK", help="The head of its name, as `tasks` shows it.")],
    post_key: PostKey,
    typed: Annotated[
        str, typer.Option(help="The realm and the audience, typed by the person who signs.")
    ] = "",
    refuse: Annotated[bool, typer.Option("--refuse", help="Refuse it; of an end: keep the alert.")] = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign, or refuse, what waits for this post; a person with a passkey does it on the node's page."""
    from noroshi.service.alert_desk import found, name_of

    row = found(_waiting(directory), task)
    reason = _answer(directory, post_key, passphrase_file, row, "refuse" if refuse else "concur", typed)
    done = "refused" if refuse else "signed"
    _show({"task": name_of(row)}, reason, [f"{done}: {name_of(row)}"], as_json)


@app.command()
def ask(
    directory: Node,
    region: Annotated[
        list[str], typer.Option("--region", help="A region of one's own nation; may be repeated.")
    ],
    post_key: PostKey,
    kind: Annotated[str, typer.Option(help="`pass` or `fall`, where nothing is warned of.")] = "fall",
    country: Annotated[
        str, typer.Option(help="Code of the regions' country; the nation's own if not given.")
    ] = "",
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Ask for an alert for regions of one's choice; refused, with the widest that would pass, where it is too wide."""
    from noroshi.command.posts import alert_request
    from noroshi.errors import OperatorError
    from noroshi.service import node_dir
    from noroshi.service.key_files import read_key
    from noroshi.service.post_speech import give, seat_of

    if kind not in ("pass", "fall"):
        raise OperatorError(
            "ask for an alert", subject=kind, cause="there is no such kind", hint="pass or fall"
        )
    place = node_dir.load(directory)
    key = read_key(post_key, asking(post_key, passphrase_file))
    nation = country or place.genesis().partners[place.config.partner]
    seat, now_ns = seat_of(key, place.config.node), place.config.clock.clock().now_ns()
    areas = [(nation, one) for one in region]
    answer = give(place, key, alert_request(seat, areas, "pass" if kind == "pass" else "fall", now_ns))
    reason = answer.reason if answer.outcome == "refused" else ""
    names = ", ".join(region)
    detail = _last_refusal(place.record_path) if reason else ""
    lines = [f"asked for an alert for {names}: it waits to be signed, see `noroshi alert tasks {directory}`"]
    _show({"regions": region, "detail": detail}, reason, lines, as_json, detail)


@app.command()
def retract(
    directory: Node,
    post_key: PostKey,
    alert: Annotated[str, typer.Argument(metavar="ALERT", help="Its identifier, where several stand.")] = "",
    reason: Annotated[str, typer.Option(help="`false` or `superseded`.")] = "false",
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Take back an alert that stands: one signature sends the correction, to everybody who was sent the alert."""
    from noroshi.service.alert_desk import correction
    from noroshi.service.key_files import read_key

    key = read_key(post_key, asking(post_key, passphrase_file))
    row = correction(_waiting(directory), key.subject, reason, alert)
    refused = _answer(directory, post_key, passphrase_file, row, "concur", "")
    lines = [f"taken back: {row['of']} ({reason}), to {len(row['recipients'])} recipients"]
    _show({"of": row["of"], "identifier": row["identifier"]}, refused, lines, as_json)


def _waiting(directory: Path) -> list[Any]:
    from noroshi.service import node_dir
    from noroshi.service.alert_desk import waiting
    from noroshi.service.record_file import RecordFile

    with RecordFile(node_dir.load(directory).record_path) as file:
        return list(waiting(file))


def _document(row: Any) -> dict[str, Any]:
    from noroshi.service.alert_desk import name_of

    ready = row["type"] == "correction"
    shown = row if ready else row["answer"].get("shown", {})
    return {
        "name": name_of(row),
        "what": f"correction of {row['of']} ({row['reason']}), ready" if ready else row["title"],
        "action": "retract-alert" if ready else row["action"],
        "posts": row["posts"],
        "until": to_iso(row["deadline_ms"] * NS_PER_MS, digits=0),
        "type": row["answer"].get("confirm", ""),
        "texts": shown.get("texts", []),
        "recipients": shown.get("recipients", []),
        "web": shown.get("web", ""),
        "contact": shown.get("contact", ""),
        "hazard": shown.get("hazard"),
    }


def _word(hazard: Any) -> list[str]:
    """On whose word a draft rests, and what that agency says; its text is a stranger's, so no terminal obeys it."""
    said = "".join(one if one.isprintable() else "?" for one in f"{hazard['event']}: {hazard['headline']}")
    grades = f"{hazard['severity']}, {hazard['urgency']}, {hazard['certainty']}"
    return [
        f"    on the word of {hazard['agency']}, not seen by our own sensors ({grades}; {hazard['signature']})",
        f"    it says: {said}",
        f"    ours of it: {', '.join(hazard['ours'])}",
    ]


def _answer(
    directory: Path, post_key: Path, passphrase_file: Path | None, row: Any, outcome: str, typed: str
) -> str:
    """Why the node refused, or an empty text."""
    from noroshi.command.posts import answer
    from noroshi.service import node_dir
    from noroshi.service.key_files import read_key
    from noroshi.service.post_speech import give, seat_of

    place = node_dir.load(directory)
    key = read_key(post_key, asking(post_key, passphrase_file))
    seat, now_ns = seat_of(key, place.config.node), place.config.clock.clock().now_ns()
    given = give(place, key, answer(row["answer"], outcome, seat, now_ns, typed))
    return given.reason or given.outcome if given.outcome == "refused" else ""


def _last_refusal(record: Path) -> str:
    """What the node's own side was told of the last refusal."""
    from noroshi.messages.canonical import decode
    from noroshi.service.record_file import RecordFile

    with RecordFile(record) as file:
        found = [
            one
            for one in file.records(max(file.last_sequence() - 50, 0))
            if one.type == "refusal" and one.body
        ]
    return str(decode(found[-1].body or b"")["detail"]) if found else ""


def _show(document: dict[str, Any], reason: str, lines: list[str], as_json: bool, detail: str = "") -> None:
    whole = {**document, "done": not reason, "reason": reason}
    more = f" ({detail})" if detail else ""
    show(whole, [f"the node refused: {reason}{more}"] if reason else lines, as_json)
    if reason:
        raise typer.Exit(UNMET)
