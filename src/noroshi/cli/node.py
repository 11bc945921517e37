"""`noroshi node`: make, run and check one partner's node.

noroshi node init jpn --partner JPN --node jpn --realm exercise:harbour --genesis jpn-genesis.bin
noroshi node run jpn
noroshi node status jpn --json
noroshi node check jpn

Roots, pins and keys: `noroshi.cli.node_trust`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from noroshi.cli import node_cot, node_hazard, node_trust
from noroshi.cli.output import UNMET, show, tell
from noroshi.clock import to_iso
from noroshi.errors import NoroshiError, OperatorError

app = typer.Typer(
    help="Make, run and check one partner's node.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
app.add_typer(node_trust.root, name="root")
app.command("hazard")(node_hazard.hazard)
app.command("relay")(node_hazard.relay)
app.command("pin")(node_trust.pin)
app.command("trust")(node_trust.trust)
app.command("policy")(node_trust.policy)
app.command("rotate")(node_trust.rotate)
app.command("post")(node_trust.post)
app.command("cot-client")(node_cot.client)

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
    document["request"] = str(made.request_path)
    if raw is None:
        lines += [
            "it has no genesis yet: give it with `noroshi node genesis` before it is run",
            f"next: 1. have {made.request_path} certified: `noroshi node root certify ROOT {made.request_path.name}`",
            f"      2. pin roots, your own first: `noroshi node pin {directory} {partner} --root {partner}.trust ...`",
            f"      3. pin the links of the partners: `noroshi node pin {directory} PARTNER --certificate ...`",
            f"      4. make the genesis: `noroshi node genesis {directory} {_source(realm)}`",
            f"      5. `noroshi node check {directory}`, and run it",
        ]
    show(document, lines, as_json)


@app.command()
def genesis(
    directory: Directory,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="The genesis made for this node.", show_default=False),
    ] = None,
    scenario: Annotated[
        str, typer.Option(help="Make it: from this scenario, and the pins in the directory.")
    ] = "",
    structure: Annotated[str | None, typer.Option(help="With --scenario: under this structure.")] = None,
    setting: Annotated[
        str, typer.Option(help="Make it: from this file, for the real realm or a standing exercise.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Give a node what it starts from: structure, trusted roots, sensors, posts, rules."""
    from noroshi.service import node_dir

    place = node_dir.load(directory)
    if place.record_path.exists():
        raise OperatorError(
            "change the genesis", subject=str(directory), cause="the node has a record, which begins with another",
            hint="make a new node; a record keeps its genesis for ever",
        )  # fmt: skip
    if [file is not None, bool(scenario), bool(setting)].count(True) != 1:
        raise OperatorError(
            "give the genesis", subject=str(directory), cause="give either a file, --scenario or --setting"
        )
    if structure is not None and not scenario:
        raise OperatorError(
            "give the genesis", subject=str(directory), cause="--structure goes with --scenario only",
            hint="a setting names its structure itself",
        )  # fmt: skip
    config = place.config
    document: dict[str, Any] = {"directory": str(directory), "genesis": True}
    lines = [f"{directory} has its genesis"]
    if file is not None:
        made = _genesis(file, config.realm, config.partner, config.node)
    else:
        from noroshi.service.exercise_files import stage
        from noroshi.service.founding import found_here, unpinned, wanting
        from noroshi.service.setting_files import read_setting

        now_ns = config.clock.clock().now_ns()
        if setting:
            read = read_setting(setting)
            made = found_here(place, read, now_ns)
            document["wanting"] = wanting(made, read.relays_of(made.node))
        else:
            made = found_here(place, stage(scenario, structure), now_ns)
        document["unpinned"] = unpinned(made)
        lines[0] += f": {made.title}; {len(made.certificates)} keys of {', '.join(sorted(made.roots))}"
        lines += [
            f"no root of {one} is pinned: nothing that it says will be believed" for one in unpinned(made)
        ]
        lines += document.get("wanting", [])
    place.write_genesis(made)
    show(document, lines, as_json)


@app.command()
def setting(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="A setting: who takes part for real.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Check a setting, with the structure and the areas that it names; exit 0, or 2 with line and field."""
    from noroshi.service.setting_files import read_setting

    read = read_setting(file)
    cast = read.cast
    rows: list[dict[str, Any]] = [
        {
            "partner": one.partner, "node": one.node, "assessing": one.assessing_unit,
            "units": sum(node == one.node for node in cast.nodes.values()),
            "sensors": [row.id for row in cast.sensors if cast.nodes.get(row.unit) == one.node],
            "posts": [row.id for row in cast.posts if cast.nodes.get(row.unit) == one.node],
            "relays": list(read.relays_of(one.node)),
        }
        for one in cast.taking
    ]  # fmt: skip
    document = {"file": file, "realm": cast.realm, "structure": cast.structure.id, "partners": rows}
    lines = [f"{file}: good in {cast.realm} under {cast.structure.id}"]
    lines += [
        f"{row['node']} of {row['partner']}: {row['units']} units, {len(row['sensors'])} sensors, "
        f"{len(row['posts'])} posts, {len(row['relays'])} relays"
        for row in rows
    ]
    show(document, lines, as_json)


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
        "trust": _trust(place),
        "cot": node_cot.standing(place),
        "record": _record(place.record_path),
        "refused": _refused(place.record_path),
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


@app.command()
def readiness(directory: Directory, as_json: AsJson = False) -> None:
    """Show whether the way to every last hop is known to work, by the newest test, hop by hop."""
    from noroshi.cli.relay import opened
    from noroshi.command.reach import in_words
    from noroshi.review.reach import readiness as standing
    from noroshi.service import node_dir

    now_ns = node_dir.load(directory).config.clock.clock().now_ns()
    rows = standing(opened(directory), now_ns)
    document = {
        "directory": str(directory),
        "ready": bool(rows) and all(one.state == "ready" for one in rows),
        "rosters": [
            {
                "roster": one.roster, "state": one.state, "test": one.test, "sent": to_iso(one.sent_ns),
                "age_s": round((now_ns - one.sent_ns) / 1e9, 3), "hops": one.hops, "relays": list(one.relays),
                "missing": list(one.missing),
                "took_s": {str(hop): round(took, 3) for hop, took in sorted(one.took_s.items())},
            }
            for one in rows
        ],
    }  # fmt: skip
    lines = []
    for one in rows:
        slow = f", the slowest after {max(one.took_s.values()):.3f} s" if one.took_s else ""
        silent = in_words(sum(1 << hop for hop in one.missing))
        lines.append(
            f"{one.roster}: {one.state}; {one.test} of {to_iso(one.sent_ns, digits=0)}: "
            f"{one.hops - len(one.missing)} of {one.hops} last hops{slow}"
            + (f"; silent: {silent}" if silent else "")
        )
    show(document, lines or ["no relay has been heard of: there is no last hop to test"], as_json)
    if not document["ready"]:
        raise typer.Exit(UNMET)


def _source(realm: str) -> str:
    """From what a node of a realm is usually founded."""
    return "--setting FILE" if realm == "real" else "--scenario NAME"


def _genesis(file: Path, realm: str, partner: str, node: str) -> Any:
    """The genesis in a file, when it is this node's. Raises InputError."""
    from noroshi.service.node_dir import read_genesis

    return read_genesis(file, realm=realm, partner=partner, node=node)


def _trust(place: Any) -> dict[str, Any]:
    """What the directory tells of trust: the node's key, the roots with those who pinned them, what is near its end."""
    from noroshi.messages.keys import fingerprint
    from noroshi.service.node_check import near_ends, own_certificate
    from noroshi.service.trust_files import TrustFiles

    files, now_ns = TrustFiles(place), place.config.clock.clock().now_ns()
    try:
        trust = files.store()
    except NoroshiError as error:
        return {"error": str(error)}
    own = own_certificate(place, trust, now_ns)
    roots = {}
    for partner in trust.partners():
        root, pins = trust.root(partner), trust.pins(partner, "root")
        roots[partner] = {
            "fingerprint": fingerprint(trust.realm, partner, root) if root else None,
            "pinned_by": list(pins[-1].persons) if pins else [],
        }
    return {
        "key": {"counts": False, "reason": own}
        if isinstance(own, str)
        else {"counts": True, "until": to_iso(own.not_after_ns)},
        "roots": roots,
        "near": near_ends(trust, now_ns),
        "waiting": len(files.waiting()),
    }


def _trust_lines(told: dict[str, Any]) -> list[str]:
    if "error" in told:
        return [told["error"]]
    key = told["key"]
    lines = [
        f"its key counts until {key['until']}"
        if key["counts"]
        else f"its key does not count: {key['reason']}"
    ]
    for partner, root in told["roots"].items():
        by = f", pinned by {' and '.join(root['pinned_by'])}" if root["pinned_by"] else ""
        lines.append(f"root of {partner}: {root['fingerprint'] or 'contested'}{by}")
    lines += told["near"]
    if told["waiting"]:
        lines.append(f"{told['waiting']} files of trust wait for the node to run")
    return lines


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
            "outboxes": file.streams(),
        }


def _refused(path: Path) -> list[dict[str, Any]]:
    """What was refused, by entrance, source and reason."""
    from noroshi.service.refusal_counts import refusal_counts

    if not path.exists():
        return []
    return [
        {
            "entrance": one.entrance, "source": one.source, "count": one.count, "reasons": one.reasons,
            "first": to_iso(one.first_ms * 1_000_000), "last": to_iso(one.last_ms * 1_000_000),
        }
        for one in refusal_counts(path)
    ]  # fmt: skip


def _status_lines(document: dict[str, Any]) -> list[str]:
    lines = [
        f"{document['node']} of {document['partner']} in {document['realm']}",
        f"page {document['page']}, link {document['link']}",
        f"link fingerprint {document['link_fingerprint']}",
        "partners: " + (", ".join(peer["partner"] for peer in document["peers"]) or "none"),
    ]
    lines += _trust_lines(document["trust"])
    lines += node_cot.standing_lines(document["cot"])
    record = document["record"]
    if record is None:
        return [*lines, "it has not run yet"]
    running = f"runs as pid {record['pid']}" if record["pid"] else "does not run"
    outboxes = ", ".join(f"{party} {number}" for party, number in record["outboxes"].items()) or "empty"
    refused = [
        f"refused from {one['entrance']} {one['source']}".rstrip()
        + f": {one['count']} ({', '.join(f'{many} {reason}' for reason, many in one['reasons'].items())})"
        for one in document["refused"]
    ]
    return [
        *lines,
        f"{running}; {record['records']} records, the last of {record['last']}",
        f"outboxes: {outboxes}",
        *refused,
    ]
