"""`noroshi exercise run|check|list`: scenarios of one's own.

A scenario is a file, the name of a packaged one, or a folder. Exit 0: done and held; 1: an expectation was not met;
2: the input is unusable, with file, line and field.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from noroshi.cli.options import AsJson, Out, Seed, Speed, StructureName
from noroshi.cli.output import show
from noroshi.cli.playing import finish, played
from noroshi.service.exercise_files import packaged_scenarios, scenario_files, stage

DEFAULT_OUT = "noroshi-exercise"

app = typer.Typer(no_args_is_help=True, help="Play, check and list scenarios.")

ScenarioArgument = Annotated[
    str, typer.Argument(help="A file, a packaged name, or a folder.", metavar="SCENARIO")
]


@app.command()
def run(
    scenario: ScenarioArgument,
    fast: Annotated[bool, typer.Option("--fast", help="On the virtual clock, in seconds.")] = False,
    speed: Speed = 10.0,
    structure: StructureName = None,
    seed: Seed = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Play a scenario; with --fast on the virtual clock, else with a process for each node."""
    finish(
        played(
            scenario,
            fast=fast,
            page=True,
            structure=structure,
            seed=seed,
            out=out,
            speed=speed,
            keep_open=False,
            as_json=as_json,
            default_out=DEFAULT_OUT,
        ),
        as_json,
    )


@app.command()
def check(scenario: ScenarioArgument, structure: StructureName = None, as_json: AsJson = False) -> None:
    """Check scenarios without playing them, under their own structure and all that they name."""
    rows = [_checked(file, structure) for file in scenario_files(scenario)]
    lines = [f"{row['file']}: good under {', '.join(row['structures'])}" for row in rows]
    show({"checked": rows}, lines, as_json)


@app.command("list")
def list_scenarios(
    folder: Annotated[
        str | None, typer.Argument(help="A folder or file; the packaged ones if left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List scenarios: what they are called and what they hold."""
    rows = [_described(name) for name in (scenario_files(folder) if folder else packaged_scenarios())]
    lines = [
        f"{row['id']}: {row['title']} ({row['structure']}, {row['duration_s']:g} s) {row['file']}"
        for row in rows
    ]
    show({"scenarios": rows}, lines, as_json)


def _checked(file: str, structure: str | None) -> dict[str, Any]:
    staged = stage(file, structure)
    names = [staged.structure.id]
    if structure is None:
        for name in staged.loaded.structures_named():
            if name not in names:
                stage(file, name)
                names.append(name)
    return {"file": staged.loaded.document.file, "id": staged.scenario.id, "structures": names}


def _described(name: str) -> dict[str, Any]:
    scenario = stage(name).scenario
    return {
        "file": name,
        "id": scenario.id,
        "title": scenario.title,
        "structure": scenario.structure,
        "duration_s": scenario.duration_s,
        "partners": [partner.id for partner in scenario.partners],
        "injects": len(scenario.injects),
        "expectations": len(scenario.expectations),
    }
