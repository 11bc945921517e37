"""`noroshi node hazard|relay`: give a running node another agency's alert, or what somebody says in public.

noroshi node hazard nodes/jpn tsunami.xml
noroshi node relay nodes/jpn --outlet "A broadcaster" --authority jp-cabsec --text "Take shelter" --link https://...

Exit 0: the node has taken it, or had it before; 1: it was refused, and the record says why; 2: the input is unusable.
"""

from __future__ import annotations

import http
import http.client
import json
from pathlib import Path
from typing import Annotated, Any
from unicodedata import normalize
from urllib.parse import quote, urlsplit

import typer

from noroshi.cli.options import AsJson
from noroshi.cli.output import UNMET, show
from noroshi.errors import OperatorError
from noroshi.messages.bodies_hazard import MAX_HAZARD_BYTES
from noroshi.service import node_dir
from noroshi.service.files import read_file
from noroshi.service.node_dir import NodeDir

TIMEOUT_S = 30.0

Node = Annotated[
    Path, typer.Argument(metavar="DIR", help="The running node's directory.", show_default=False)
]


def hazard(
    directory: Node,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help="Alerts of other agencies, CAP 1.0 to 1.2.", show_default=False
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Give a running node alerts of other agencies."""
    place = node_dir.load(directory)
    answers = []
    for path in files:
        raw = read_file(path, "give a file in the Common Alerting Protocol")[: MAX_HAZARD_BYTES + 1]
        answer = _post(place, "/api/cap", raw, {"Noroshi-Source": quote(source_of(path.name))})
        answers.append({"file": str(path), **answer})
    lines = [_line(one["file"], one) for one in answers]
    if any(one["reason"] == "malformed-cap" for one in answers):
        lines.append("`noroshi cap check FILE` names the line and the rule")
    show({"answers": answers}, lines, as_json)
    if any(one["outcome"] == "refused" for one in answers):
        raise typer.Exit(UNMET)


def source_of(name: str) -> str:
    """What the record calls a file that came by hand: its name in any script, without what is no letter or digit."""
    plain = "".join(c if c.isalnum() or c in "._-" else "-" for c in normalize("NFC", name))
    return plain[-60:].lstrip("._-") or "file"


def relay(
    directory: Node,
    outlet: Annotated[str, typer.Option(help="Who says it.")],
    text: Annotated[str, typer.Option(help="The words.")],
    authority: Annotated[str, typer.Option(help="In whose name: a unit, its name, or a partner.")] = "",
    link: Annotated[str, typer.Option(help="Where it stands.")] = "",
    time: Annotated[str, typer.Option(help="When it was said, for example 2022-10-03T22:24:00Z.")] = "",
    original: Annotated[
        Path | None, typer.Option(help="The authority's own message or file, if it is attached.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell a running node what somebody says in public in an authority's name."""
    import base64

    place = node_dir.load(directory)
    document = {"outlet": outlet, "text": text, "authority": authority, "link": link, "time": time}
    if original is not None:
        raw = read_file(original, "give the message as it came")
        document["original"] = base64.b64encode(raw).decode("ascii")
    answer = _post(place, "/api/relay", json.dumps(document).encode(), {})
    show(answer, [_line(outlet, answer)], as_json)
    if answer["outcome"] == "refused":
        raise typer.Exit(UNMET)


def _line(name: str, answer: dict[str, Any]) -> str:
    words = {"accepted": "taken", "duplicate": "was there before", "refused": f"refused: {answer['reason']}"}
    return f"{name}: {words[answer['outcome']]}"


def _post(place: NodeDir, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    """The node's answer. Raises OperatorError when it does not run here, or takes nothing just now."""
    parts = urlsplit(place.page_address)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 80, timeout=TIMEOUT_S)
    wanted = {"Authorization": f"Bearer {place.feed_token()}", **headers}
    try:
        connection.request("POST", path, body, wanted)
        response = connection.getresponse()
        document = json.loads(response.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise OperatorError(
            "give it to the node", subject=str(place.path), cause=f"nothing answers at {place.page_address} ({why})",
            hint="start it with `noroshi node run`",
        ) from None  # fmt: skip
    finally:
        connection.close()
    if not isinstance(document, dict) or "outcome" not in document:
        cause = str(document.get("error", "")) if isinstance(document, dict) else ""
        hint = ""
        if response.status == http.HTTPStatus.FORBIDDEN:
            cause = f"what answers at {place.page_address} does not know the token of its feeds"
            hint = "does another node have the port, or is keys/feed.token not the one of node.json?"
        raise OperatorError(
            "give it to the node",
            subject=str(place.path),
            cause=cause or f"HTTP {response.status}",
            hint=hint,
        )
    return document
