"""`noroshi relay enrol`, `roster`, `give`, `prove`, `check`: last hops that sign, from their keys to a proof.

noroshi relay enrol towns.hops --out towns.enrol                    # where the last hops are
noroshi relay roster jpn-root towns.enrol --out jp-towns.roster     # on the root's machine
noroshi relay give jpn jp-towns.roster                              # at the node, which gives it to its relays
noroshi relay prove towns --message JPN-1 --hops 3,7 --out shown.json
noroshi relay check jpn shown.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from noroshi.cli.options import AsJson
from noroshi.cli.output import UNMET, show
from noroshi.errors import InputError, OperatorError


def enrol(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The last hops' file, of `noroshi relay keys`.")
    ],
    out: Annotated[Path, typer.Option(help="The request for the root; it holds no secret.")],
    as_json: AsJson = False,
) -> None:
    """Make each last hop of a file a key of its own, under which it signs its receipts."""
    from noroshi.service.files import write_file
    from noroshi.service.hop_enrolment import enrol as enrolled

    made = enrolled(file)
    write_file(out, msgspec.json.encode(made) + b"\n", 0o644)
    lines = [
        f"{out}: {len(made.hops)} last hops of {made.roster}; their keys are in {file}",
        f"next: `noroshi relay roster ROOT {out} --out {made.roster}.roster` on the root's machine",
    ]
    show({"roster": made.roster, "hops": len(made.hops), "request": str(out)}, lines, as_json)


def roster(
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The directory of the partner's root.")],
    requests: Annotated[
        list[Path], typer.Argument(metavar="REQUEST...", help="What `noroshi relay enrol` made.")
    ],
    out: Annotated[Path, typer.Option(help="Where the signed list is to lie.")],
    before: Annotated[
        Path | None, typer.Option(help="The signed list before: whom it has stays in it.")
    ] = None,
    version: Annotated[int, typer.Option(help="Its version; 0: the one after the list before.", min=0)] = 0,
    passphrase_file: Annotated[Path | None, typer.Option(help="A file with the root's passphrase.")] = None,
    as_json: AsJson = False,
) -> None:
    """Sign the list of last hops that sign, so that the partner's nodes and relays take it."""
    from noroshi.cli.node_trust import asking
    from noroshi.command.hop_keys import Enrolled, open_roster
    from noroshi.messages import Ed25519
    from noroshi.service.files import read_file, write_file
    from noroshi.service.hop_enrolment import listed_in, read_requests
    from noroshi.service.root_dir import RootDir

    place = RootDir.load(root)
    older: Enrolled | None = None
    if before is not None:
        raw = read_file(before, "give the last list that was signed")
        found = open_roster(raw, Ed25519(), place.said.root, partner=place.partner, realm=place.realm)
        if isinstance(found, str):
            raise InputError(
                str(before), None, "", f"it is no list of this root ({found})", "give the last one"
            )
        older = found
    wanted = version or (older.version + 1 if older is not None else 1)
    listed = listed_in(read_requests(requests, realm=place.realm, partner=place.partner), wanted, older)
    raw = place.sign_roster(listed, asking(root, passphrase_file))
    try:
        write_file(out, raw, 0o644)
    except OSError as error:
        raise OperatorError("write the list", subject=str(out), cause=error.strerror or "") from None
    lines = [
        f"{out}: {len(listed.keys)} last hops of {listed.roster} sign, version {listed.version}",
        f"next: `noroshi relay give NODE {out}`",
    ]
    document = {
        "roster": listed.roster,
        "version": listed.version,
        "hops": len(listed.keys),
        "file": str(out),
    }
    show(document, lines, as_json)


def give(
    node: Annotated[Path, typer.Argument(metavar="NODE", help="The node's directory.")],
    file: Annotated[
        Path, typer.Argument(metavar="SIGNED", help="A list that this partner's root has signed.")
    ],
    as_json: AsJson = False,
) -> None:
    """Give a node the list of last hops that sign; a running node passes it on to its relays within a second."""
    from noroshi.service import node_dir
    from noroshi.service.files import read_file
    from noroshi.service.trust_files import TrustFiles

    raw = read_file(file, "make it with `noroshi relay roster`")
    given = TrustFiles(node_dir.load(node)).add_roster(raw)
    document = {"roster": given.roster, "version": given.version, "hops": len(given.keys)}
    show(document, [f"{node} has version {given.version} of {given.roster}: {len(given.keys)} sign"], as_json)


def prove(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The relay's directory.")],
    message: Annotated[str, typer.Option(help="The alert or end, as `noroshi relay status` names it.")],
    out: Annotated[Path, typer.Option(help="The file for whoever wants to see the signatures.")],
    hops: Annotated[
        str, typer.Option(help="Which last hops, for example 3,7; all that have signed if none.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Show last hops' own signatures under their receipts of a message."""
    from noroshi.cli.relay import numbers_of
    from noroshi.messages.bodies_reach import MAX_HOPS
    from noroshi.service import relay_dir
    from noroshi.service.files import write_file
    from noroshi.service.hop_enrolment import shown

    found = shown(relay_dir.load(directory), message, numbers_of(hops, MAX_HOPS) if hops else [])
    write_file(out, msgspec.json.encode(found) + b"\n", 0o644)
    show(
        {
            "file": str(out),
            "message": found.message,
            "root": found.root,
            "hops": [one.hop for one in found.proofs],
        },
        [f"{out}: {len(found.proofs)} signatures under {found.message}, in the tree {found.root}"],
        as_json,
    )


def check(
    node: Annotated[Path, typer.Argument(metavar="NODE", help="The node's directory.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `noroshi relay prove` has written.")],
    as_json: AsJson = False,
) -> None:
    """Hold signatures that a relay shows against the node's own record. Ends with 1 unless all hold."""
    from noroshi.service import node_dir
    from noroshi.service.hop_enrolment import checked, read_shown

    found = checked(node_dir.load(node), read_shown(file))
    document = {"hops": [{"hop": one.hop, "holds": not one.defect, "cause": one.defect} for one in found]}
    lines = [f"last hop {one.hop}: {one.defect or 'it has signed'}" for one in found]
    show(document, lines, as_json)
    if any(one.defect for one in found):
        raise typer.Exit(UNMET)
