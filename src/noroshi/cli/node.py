"""`noroshi node`: make, run and check one partner's node.

noroshi node init jpn --partner JPN --node jpn --realm exercise:harbour --genesis jpn-genesis.bin
noroshi node run jpn
noroshi node status jpn --json
noroshi node check jpn
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from noroshi.cli.output import UNMET, show, tell
from noroshi.clock import to_iso
from noroshi.errors import InputError

app = typer.Typer(
    help="Make, run and check one partner's node.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The node's directory.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command()
def init(
    directory: Directory,
    partner: Annotated[str, typer.Option(help="Three capital letters, for example JPN.")],
    node: Annotated[str, typer.Option(help="The node's short name, for example jpn.")],
    realm: Annotated[str, typer.Option(help="`real`, or `exercise:<name>`.")],
    link_host: Annotated[str, typer.Option(help="Where to listen for partners.")] = "127.0.0.1",
    link_port: Annotated[int, typer.Option(help="Port for partners.")] = 8711,
    page_host: Annotated[str, typer.Option(help="Where to serve the page.")] = "127.0.0.1",
    page_port: Annotated[int, typer.Option(help="Port of the page.")] = 8701,
    genesis: Annotated[Path | None, typer.Option(help="What the node starts from, if you have it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a node's directory with fresh keys, readable by its owner only."""
    from noroshi.messages.signing import Ed25519
    from noroshi.service import node_dir

    raw = None if genesis is None else _genesis(genesis, realm, partner, node)
    made = node_dir.create(
        directory, realm=realm, partner=partner, node=node, genesis=raw,
        link_host=link_host, link_port=link_port, page_host=page_host, page_port=page_port,
    )  # fmt: skip
    public = Ed25519().public_key(made.secrets().signing).hex()
    document = {
        "directory": str(made.path),
        "partner": partner,
        "node": node,
        "realm": realm,
        "signing_key": public,
        "link_fingerprint": made.link_fingerprint,
        "page": made.page_address,
        "genesis": raw is not None,
    }
    lines = [
        f"made the node {node} of {partner} in {realm}: {made.path}",
        f"signing key:      {public}",
        f"link fingerprint: {made.link_fingerprint}",
        f"page:             {made.page_address} (its token is in {made.path}/keys/page.token)",
    ]
    if raw is None:
        lines.append("it has no genesis yet: give it with `noroshi node genesis` before it is run")
    show(document, lines, as_json)


@app.command()
def genesis(
    directory: Directory,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The genesis made for this node.")],
    as_json: AsJson = False,
) -> None:
    """Give a node what it starts from: structure, trusted roots, sensors, posts, rules."""
    from noroshi.errors import OperatorError
    from noroshi.service import node_dir

    place = node_dir.load(directory)
    if place.record_path.exists():
        raise OperatorError(
            "change the genesis", subject=str(directory), cause="the node has a record, which begins with another",
            hint="make a new node; a record keeps its genesis for ever",
        )  # fmt: skip
    config = place.config
    place.write_genesis(_genesis(file, config.realm, config.partner, config.node))
    show({"directory": str(directory), "genesis": True}, [f"{directory} has its genesis"], as_json)


@app.command()
def pin(
    directory: Directory,
    partner: Annotated[
        str, typer.Argument(metavar="PARTNER", help="Three capital letters, for example USA.")
    ],
    certificate: Annotated[Path, typer.Option(help="The partner's keys/link.cert.pem.")],
    fingerprint: Annotated[str, typer.Option(help="Its fingerprint, as the partner read it out.")],
    host: Annotated[str, typer.Option(help="Where its node listens for partners.")],
    port: Annotated[int, typer.Option(help="Port there.")] = 8711,
    as_json: AsJson = False,
) -> None:
    """Believe a partner's link certificate, after two persons have compared its fingerprint."""
    from noroshi.service import node_dir
    from noroshi.service.node_config import PeerConfig

    place = node_dir.load(directory)
    try:
        pem = certificate.read_bytes()
    except OSError as error:
        raise InputError(str(certificate), None, "", error.strerror or "it cannot be read") from None
    peer = PeerConfig(
        partner=partner, host=host, port=port, tls_fingerprint=fingerprint.lower().replace(":", "")
    )
    place.with_peer(peer, pem)
    node_dir.load(directory)
    show({"directory": str(directory), "pinned": partner}, [f"{directory} has a link to {partner}"], as_json)


@app.command()
def run(
    directory: Directory,
    watch_stdin: Annotated[bool, typer.Option("--watch-stdin", hidden=True)] = False,
) -> None:
    """Run a node until it is stopped (SIGTERM or Ctrl-C). Prints one JSON line when it listens."""
    from noroshi.service.process import run_node

    run_node(directory, watch_stdin=watch_stdin)


@app.command()
def status(directory: Directory, as_json: AsJson = False) -> None:
    """Show who a node is, whether it runs, and what its record holds."""
    from noroshi.service import node_dir

    place = node_dir.load(directory)
    config = place.config
    document: dict[str, Any] = {
        "directory": str(directory),
        "partner": config.partner,
        "node": config.node,
        "realm": config.realm,
        "page": place.page_address,
        "link": f"{config.link.host}:{config.link.port}",
        "link_fingerprint": place.link_fingerprint,
        "peers": [msgspec.to_builtins(peer) for peer in config.peers],
        "record": _record(place.record_path),
    }
    show(document, _status_lines(document), as_json)


@app.command()
def check(directory: Directory, as_json: AsJson = False) -> None:
    """Check configuration, keys, record; replay the record and compare all that comes out."""
    from noroshi.service.node_check import check_node

    checks = []
    for one in check_node(directory):
        checks.append({"name": one.name, "met": one.met, "detail": one.detail})
        if not as_json:
            tell(f"{'ok ' if one.met else 'BAD'} {one.name}: {one.detail}")
    whole = all(one["met"] for one in checks)
    show({"directory": str(directory), "whole": whole, "checks": checks}, [], as_json)
    if not as_json:
        show(None, [f"{directory} is whole" if whole else f"{directory} is not whole"], False)
    if not whole:
        raise typer.Exit(UNMET)


def _genesis(file: Path, realm: str, partner: str, node: str) -> Any:
    """The genesis in a file, when it is this node's. Raises InputError."""
    from noroshi.service.node_dir import read_genesis

    return read_genesis(file, realm=realm, partner=partner, node=node)


def _record(path: Path) -> dict[str, Any] | None:
    from noroshi.service.record_file import RecordFile
    from noroshi.service.sqlite_store import running_pid

    if not path.exists():
        return None
    with RecordFile(path) as file:
        last = next(file.records(max(0, file.last_sequence() - 1)), None)
        return {
            "pid": running_pid(path),
            "records": last.sequence if last else 0,
            "last": to_iso(last.now_ns) if last else None,
            "head": last.hash.hex() if last else None,
            "outboxes": file.parties(),
        }


def _status_lines(document: dict[str, Any]) -> list[str]:
    lines = [
        f"{document['node']} of {document['partner']} in {document['realm']}",
        f"page {document['page']}, link {document['link']}",
        f"link fingerprint {document['link_fingerprint']}",
        "partners: " + (", ".join(peer["partner"] for peer in document["peers"]) or "none"),
    ]
    record = document["record"]
    if record is None:
        return [*lines, "it has not run yet"]
    running = f"runs as pid {record['pid']}" if record["pid"] else "does not run"
    outboxes = ", ".join(f"{party} {number}" for party, number in record["outboxes"].items()) or "empty"
    return [
        *lines,
        f"{running}; {record['records']} records, the last of {record['last']}",
        f"outboxes: {outboxes}",
    ]
