"""`noroshi relay`: carry alerts over the last hops, and see who has received them.

noroshi relay offer jpn --port 8721 --out jpn.offer          # at the node
noroshi relay init towns --offer jpn.offer --name towns-a --unit jp-fdma --roster jp-towns --hops 120 --port 9001
noroshi node root certify jpn-root towns/towns-a.request && noroshi node trust jpn JPN.trust
noroshi relay admit jpn towns/towns-a.relay
noroshi relay run towns
noroshi relay keys towns --out towns.hops && noroshi relay listen towns.hops --hops 0-9
noroshi relay reach jpn
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from noroshi.cli import relay_signing
from noroshi.cli.options import AsJson
from noroshi.cli.output import UNMET, show
from noroshi.clock import to_iso
from noroshi.errors import InputError, OperatorError

app = typer.Typer(
    help="Carry alerts over the last hops, and see who has received them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

NodePath = Annotated[Path, typer.Argument(metavar="NODE", help="The node's directory.", show_default=False)]
RelayPath = Annotated[Path, typer.Argument(metavar="DIR", help="The relay's directory.", show_default=False)]


@app.command()
def offer(
    node: NodePath,
    out: Annotated[Path, typer.Option(help="The file for the relay's operator.")],
    port: Annotated[int | None, typer.Option(help="Listen for relays on this port from now on.")] = None,
    host: Annotated[str, typer.Option(help="With --port: on this address.")] = "127.0.0.1",
    as_json: AsJson = False,
) -> None:
    """Give a relay what it needs of a node: where it listens, its certificate, the roots."""
    from noroshi.service import node_dir, relay_dir
    from noroshi.service.files import write_file
    from noroshi.service.node_config import Address

    place = node_dir.load(node)
    if port is not None:
        if not 1 <= port <= 65_535:
            raise OperatorError("offer relays a place", subject=str(port), cause="it is no port")
        place = place.with_config(msgspec.structs.replace(place.config, relays=Address(host=host, port=port)))
    made = relay_dir.offered(place)
    write_file(out, msgspec.json.encode(made) + b"\n", 0o644)
    lines = [
        f"{out}: {made.node} of {made.partner} takes relays at {made.host}:{made.port}",
        f"fingerprint of its line: {place.link_fingerprint}",
        f"next: `noroshi relay init DIR --offer {out.name} ...` where the relay runs; restart the node if it runs",
    ]
    document = {"offer": str(out), "node": made.node, "address": f"{made.host}:{made.port}"}
    show(document | {"fingerprint": place.link_fingerprint}, lines, as_json)


@app.command()
def init(
    directory: RelayPath,
    offer: Annotated[Path, typer.Option(help="The node's offer, of `noroshi relay offer`.")],
    name: Annotated[str, typer.Option(help="The relay's name, for example towns-a.")],
    unit: Annotated[str, typer.Option(help="The unit of the structure whose relay it is.")],
    roster: Annotated[str, typer.Option(help="The name of its list of last hops.")],
    hops: Annotated[int, typer.Option(help="How many last hops there are, numbered from 0.")],
    port: Annotated[int, typer.Option(help="Port for last hops.")],
    host: Annotated[str, typer.Option(help="Where to listen for last hops.")] = "127.0.0.1",
    counted: Annotated[
        bool, typer.Option("--counted", help="Last hops have no keys: receipts are counted only.")
    ] = False,
    tls: Annotated[bool, typer.Option("--tls", help="Last hops connect by TLS.")] = False,
    websocket_port: Annotated[
        int | None, typer.Option(help="Port for last hops that connect by WebSocket.")
    ] = None,
    like: Annotated[
        Path | None, typer.Option(help="Another relay of the same roster, whose last hops' keys it takes.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a relay's directory with fresh keys, readable by its owner only."""
    from noroshi.service import relay_dir

    secret = relay_dir.load(like).roster_secret() if like is not None else None
    made = relay_dir.create(
        directory, relay_dir.read_offer(offer), name=name, unit=unit, roster=roster, hops=hops,
        listen_port=port, listen_host=host, counted=counted, tls=tls, websocket_port=websocket_port,
        roster_secret=secret or None,
    )  # fmt: skip
    document = {
        "directory": str(made.path), "relay": name, "unit": unit, "roster": roster, "hops": hops,
        "request": str(made.request_path), "admission": str(made.admission_path),
        "addresses": [str(one) for one in made.addresses()],
    }  # fmt: skip
    lines = [
        f"made the relay {name} of {unit}: {directory}, for {hops} last hops ({roster})",
        f"last hops connect at {', '.join(str(one) for one in made.addresses())}",
        f"next: 1. have {made.request_path} certified, and give the node the root's file",
        f"      2. admit it at the node: `noroshi relay admit NODE {made.admission_path}`",
        f"      3. `noroshi relay run {directory}`",
    ]
    show(document, lines, as_json)


@app.command()
def admit(
    node: NodePath,
    admission: Annotated[Path, typer.Argument(metavar="FILE", help="The relay's .relay file.")],
    as_json: AsJson = False,
) -> None:
    """Let a relay connect to a node. What it says counts only with a certificate of the root."""
    from noroshi.service import node_dir, relay_dir

    name, found = relay_dir.admit(node_dir.load(node), admission)
    lines = [f"{name} may connect; compare the fingerprint of its line with its operator: {found}"]
    show({"relay": name, "fingerprint": found}, lines, as_json)


@app.command()
def run(
    directory: RelayPath,
    watch_stdin: Annotated[bool, typer.Option("--watch-stdin", hidden=True)] = False,
) -> None:
    """Run a relay until it is stopped (SIGTERM or Ctrl-C). Prints one JSON line when it listens."""
    from noroshi.service.relay_process import run_relay

    run_relay(directory, watch_stdin=watch_stdin)


@app.command()
def status(directory: RelayPath, as_json: AsJson = False) -> None:
    """Show whom a relay serves, what it has kept, what it refused to pass on, and what was receipted."""
    from noroshi.command.passing import UNVERIFIED
    from noroshi.command.reach import in_words
    from noroshi.service import relay_dir
    from noroshi.service.relay_store import RelayStore

    place = relay_dir.load(directory)
    config = place.config
    with RelayStore(place.store_path) as store:
        after = store.after
        desk, rows = place.loaded(store, config.clock.clock().now_ns())
    refused = [{"row": number, "shown": UNVERIFIED, "reason": one.reason} for number, one in rows]
    messages = [
        {
            "message": one.message.identifier, "purpose": one.message.purpose, "over": one.is_over,
            "received": one.received.bit_count(), "signed": len(one.signatures),
            "missing": in_words(((1 << config.hops) - 1) & ~one.received),
        }
        for one in desk.kept.values()
        if not one.refused
    ]  # fmt: skip
    document = {
        "relay": config.name, "unit": config.unit, "roster": config.roster, "hops": config.hops,
        "receipts": config.receipts, "node": config.node.node, "after": after, "messages": messages,
        "unverified": refused, "signing": len(desk.enrolled),
        "addresses": [str(one) for one in place.addresses()],
    }  # fmt: skip
    lines = [
        f"{config.name} of {config.unit} serves {config.hops} last hops ({config.roster}), receipts {config.receipts}",
        f"it has rows of {config.node.node} up to {after}",
        f"last hops connect at {', '.join(str(one) for one in place.addresses())}",
    ]
    for row in messages:
        lacking = f"; not from {row['missing']}" if row["missing"] else ""
        signed = f", {row['signed']} of them signed by the last hop itself" if row["signed"] else ""
        lines.append(f"{row['purpose']} {row['message']}: {row['received']} receipts{signed}{lacking}")
    lines += [f"{UNVERIFIED}: row {row['row']} was passed on to nobody: {row['reason']}" for row in refused]
    show(document, lines, as_json)


@app.command()
def keys(
    directory: RelayPath,
    out: Annotated[Path, typer.Option(help="The file for last hops; it holds their keys.")],
    hops: Annotated[str, typer.Option(help="Which last hops, for example 0-9 or 3.")] = "",
    relay: Annotated[
        list[str] | None,
        typer.Option(
            "--relay", help="Another relay of the roster, as its `noroshi relay status` names its address."
        ),
    ] = None,
    websocket: Annotated[bool, typer.Option("--websocket", help="They connect by WebSocket.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write what last hops need: their keys, the roots, and the relays to which they may connect."""
    from noroshi.command.hop_keys import hop_key
    from noroshi.service import relay_dir
    from noroshi.service.files import write_file
    from noroshi.service.hop_wires import HopAddress

    place = relay_dir.load(directory)
    config, secret = place.config, place.roster_secret()
    chosen = numbers_of(hops or f"0-{config.hops - 1}", config.hops)
    own = [one for one in place.addresses() if one.is_socket == websocket]
    if not own:
        raise OperatorError(
            "write last hops' keys", subject=config.name, cause="nobody can connect to it by WebSocket",
            hint="make relays with `--websocket-port`",
        )  # fmt: skip
    others = [HopAddress.of(one) for one in relay or []]
    document = {
        "realm": config.realm,
        "partner": config.partner,
        "roster": config.roster,
        "roots": {partner: root.hex() for partner, root in place.roots().items()},
        "relays": [str(one) for one in (*own, *others)],
        "hops": {str(hop): hop_key(secret, config.roster, hop).hex() if secret else "" for hop in chosen},
    }
    write_file(out, msgspec.json.encode(document) + b"\n", 0o600)
    show({"file": str(out), "hops": len(chosen)}, [f"{out}: keys of {len(chosen)} last hops"], as_json)


@app.command()
def listen(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `noroshi relay keys` has written.")],
    hops: Annotated[str, typer.Option(help="Which of its last hops, for example 0-9.")] = "",
    seconds: Annotated[float, typer.Option(help="Stop after so long; 0: never.", min=0.0)] = 0.0,
) -> None:
    """Be last hops: connect, check each alert, give receipts, print one JSON line for each message that holds."""
    from noroshi.service.relay_listening import listen_as

    listen_as(file, hops, seconds)


@app.command()
def reach(node: NodePath, as_json: AsJson = False) -> None:
    """Show which last hops have received each alert, and whether its end has come to just the same."""
    from noroshi.command.reach import in_words
    from noroshi.review.reach import reaches, same_sets

    log = opened(node)
    every = [one for one in reaches(log) if one.purpose != "test"]
    sames = same_sets(every)
    document = {
        "node": log.node,
        "alerts": [
            {
                "identifier": one.identifier, "purpose": one.purpose, "sent": to_iso(one.sent_ns),
                "hops": one.hops, "received": one.received, "half_s": one.after_s(0.5),
                "most_s": one.after_s(0.99), "all_s": one.after_s(1.0),
                "rosters": [
                    {
                        "roster": roster.roster, "hops": roster.hops, "received": roster.received.bit_count(),
                        "missing": list(roster.missing), "relays": roster.relays,
                        "receipts": sorted(roster.receipts),
                        "signed": roster.signed.bit_count(), "shown": len(roster.shown),
                        "vouched": (roster.received & ~roster.signed).bit_count(),
                    }
                    for roster in one.rosters.values()
                ],
            }
            for one in every
        ],
        "ends": [
            {
                "identifier": one.identifier, "roster": one.roster, "had": one.had.bit_count(),
                "ended": one.ended.bit_count(), "equal": one.equal,
                "not_ended": in_words(one.had & ~one.ended), "only_ended": in_words(one.ended & ~one.had),
            }
            for one in sames
        ],
        "equal": all(one.equal for one in sames),
    }  # fmt: skip
    lines = []
    for one in every:
        most = one.after_s(0.99)
        when = f", 99 % after {most:.3f} s" if most is not None else ""
        lines.append(f"{one.purpose} {one.identifier}: {one.received} of {one.hops} last hops{when}")
        for roster in one.rosters.values():
            silent = ((1 << roster.hops) - 1) & ~roster.received
            if roster.signed:
                vouched = (roster.received & ~roster.signed).bit_count()
                lines.append(
                    f"  {roster.roster}: {roster.signed.bit_count()} signed by the last hop, of {len(roster.shown)} of"
                    f" them the signature is here; {vouched} vouched for by the relay"
                )
            if silent:
                lines.append(f"  {roster.roster}: no receipt from {in_words(silent)}")
    for same in sames:
        words = (
            f"the same {same.had.bit_count()} last hops"
            if same.equal
            else f"not the same: had it and not its end: {in_words(same.had & ~same.ended) or 'nobody'}; "
            f"its end and not it: {in_words(same.ended & ~same.had) or 'nobody'}"
        )
        lines.append(f"end {same.identifier}, {same.roster}: {words}")
    show(document, lines or [f"{log.node} has sent nothing to last hops"], as_json)
    if not document["equal"]:
        raise typer.Exit(UNMET)


app.command("enrol")(relay_signing.enrol)
app.command("roster")(relay_signing.roster)
app.command("give")(relay_signing.give)
app.command("prove")(relay_signing.prove)
app.command("check")(relay_signing.check)


def opened(node: Path) -> Any:
    """The log of a node, from its record. Raises OperatorError where it has none."""
    from noroshi.review import open_log
    from noroshi.service import node_dir
    from noroshi.service.record_file import RecordFile

    place = node_dir.load(node)
    if not place.record_path.exists():
        raise OperatorError("read the record", subject=str(node), cause="the node has not run yet")
    with RecordFile(place.record_path) as file:
        return open_log(place.config.node, file.records())


def numbers_of(text: str, hops: int) -> list[int]:
    """The last hops that `0-9,12` names. Raises InputError."""
    found: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise InputError("--hops", None, "hops", f"{text!r} names no last hops", "write 0-9 or 3,5")
        found += range(int(first), int(last or first) + 1) if int(last or first) < hops else [hops]
    if not found or max(found) >= hops:
        raise InputError("--hops", None, "hops", f"there are last hops 0 to {hops - 1}", "name some of these")
    return found
