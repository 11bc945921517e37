"""`noroshi demo`: one real crisis, end to end.

Live by default: a process for each partner's node, the page of each, some times faster than life. With
`--headless --fast` the same nodes run on the virtual clock, without a page, in seconds.

Standard output: with `--json` exactly one JSON document, else a short account. Everything else goes to standard
error. Exit 0: every expectation was met; 1: one was not; 2: the input is unusable.
"""

from __future__ import annotations

from typing import Annotated

import typer

from noroshi.cli.options import AsJson, Out, Seed, Speed, StructureName
from noroshi.cli.playing import finish, played
from noroshi.service.exercise_files import DEFAULT_OUT, PACKAGED_SCENARIO


def demo(
    headless: Annotated[bool, typer.Option("--headless", help="Without a page.")] = False,
    fast: Annotated[
        bool, typer.Option("--fast", help="On the virtual clock, in seconds; has no page.")
    ] = False,
    speed: Speed = 10.0,
    structure: StructureName = None,
    scenario: Annotated[
        str, typer.Option("--scenario", help="A packaged scenario or a file.")
    ] = PACKAGED_SCENARIO,
    seed: Seed = None,
    out: Out = None,
    as_json: AsJson = False,
    keep_open: Annotated[
        bool, typer.Option("--keep-open", help="Live: the nodes go on serving at the end.")
    ] = False,
    cot: Annotated[
        int,
        typer.Option(
            "--cot", help="Live: port of this machine for clients of Cursor on Target.", min=0, max=65_000
        ),
    ] = 0,
) -> None:
    """Play the flight of 4 October 2022 through three partners' nodes."""
    finish(
        played(
            scenario,
            fast=fast,
            page=not headless,
            structure=structure,
            seed=seed,
            out=out,
            speed=speed,
            keep_open=keep_open,
            as_json=as_json,
            default_out=DEFAULT_OUT,
            cot_port=cot,
        ),
        as_json,
    )
