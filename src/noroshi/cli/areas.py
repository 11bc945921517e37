"""`noroshi areas check|show|sign|give`: an agency's own areas, from GeoJSON to a node.

Exit 0: the list is good and holds; 1: it is good, but has expired; 2: it is unusable, with file, line and field.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from noroshi.cli.options import AsJson
from noroshi.cli.output import show
from noroshi.errors import OperatorError

app = typer.Typer(no_args_is_help=True, help="Check and show an agency's own areas; bring them to a node.")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A GeoJSON FeatureCollection.")]


@app.command()
def check(file: FileArgument, as_json: AsJson = False) -> None:
    """Say whether a list can be used, and until when it holds."""
    from noroshi.clock import to_iso
    from noroshi.service.area_files import read_areas

    given = read_areas(file)
    holds = given.holds(time.time_ns())
    until = to_iso(given.expires_ns)
    document = {
        "file": str(file),
        "agency": given.agency,
        "version": given.version,
        "areas": len(given.areas),
        "expires": until,
        "holds": holds,
    }
    says = f"holds until {until}" if holds else f"has expired at {until}: no new warning uses it"
    show(
        document,
        [f"{file}: good; {len(given.areas)} areas of {given.agency}, version {given.version}, {says}"],
        as_json,
    )
    if not holds:
        raise typer.Exit(1)


@app.command("show")
def show_areas(file: FileArgument, as_json: AsJson = False) -> None:
    """List the areas: id, name, codes, size, listed places and people."""
    from noroshi.geo.places import decode
    from noroshi.service.area_files import described, read_areas
    from noroshi.service.resources import packaged_places

    given = read_areas(file)
    rows = described(given, decode(packaged_places()))
    document = {
        "agency": given.agency,
        "version": given.version,
        "areas": [
            {
                "id": one.area.id,
                "name": one.area.name,
                "name_ja": one.area.name_ja,
                "name_ko": one.area.name_ko,
                "country": one.area.country,
                "codes": [list(code) for code in one.area.codes],
                "km2": round(one.km2, 1),
                "places": one.places,
                "people": one.people,
            }
            for one in rows
        ],
    }
    lines = []
    for one in rows:
        codes = "".join(f" {scheme}:{code}" for scheme, code in one.area.codes)
        lines.append(
            f"{one.area.id}  {one.area.name}{codes}  {one.km2:,.0f} km2  {one.places} places  {one.people:,} people"
        )
    show(document, lines, as_json)


@app.command()
def sign(
    root: Annotated[Path, typer.Argument(metavar="ROOT", help="The directory of the partner's root.")],
    file: FileArgument,
    out: Annotated[Path, typer.Option(help="Where the signed list is to lie.")],
    passphrase_file: Annotated[Path | None, typer.Option(help="A file with the root's passphrase.")] = None,
    as_json: AsJson = False,
) -> None:
    """Sign a list with the partner's root, so that the partner's nodes take it."""
    from noroshi.cli.node_trust import asking
    from noroshi.service.area_files import read_areas
    from noroshi.service.files import write_file
    from noroshi.service.root_dir import RootDir

    given = read_areas(file)
    raw = RootDir.load(root).sign_areas(given, asking(root, passphrase_file))
    try:
        write_file(out, raw, 0o644)
    except OSError as error:
        raise OperatorError("write the list", subject=str(out), cause=error.strerror or "") from None
    lines = [f"signed version {given.version} of {given.agency}", f"next: `noroshi areas give DIR {out}`"]
    show({"version": given.version, "file": str(out)}, lines, as_json)


@app.command()
def give(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A node's directory.")],
    file: Annotated[
        Path, typer.Argument(metavar="SIGNED", help="A list that this partner's root has signed.")
    ],
    as_json: AsJson = False,
) -> None:
    """Give a node its next list; a running node puts it in force within a second."""
    from noroshi.service import node_dir
    from noroshi.service.files import read_file
    from noroshi.service.trust_files import TrustFiles

    raw = read_file(file, "make it with `noroshi areas sign`")
    given = TrustFiles(node_dir.load(directory)).add_areas(raw)
    document = {"agency": given.agency, "version": given.version, "areas": len(given.areas)}
    show(document, [f"{directory} has version {given.version} of {given.agency}"], as_json)
