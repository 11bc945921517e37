"""`noroshi exercise run|check|list`: scenarios of one's own.

A scenario is a file, the name of a packaged one, or a folder; a folder's are all played, on the virtual clock or, with
--live, with real processes one after the other. Exit 0: done and held; 1: an expectation was not met; 2: the input is
unusable, with file, line and field, and nothing was played; 130: ended with Ctrl-C, and what was played is told.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from noroshi.cli.options import AsJson, Out, Seed, Speed, StructureName
from noroshi.cli.output import INTERRUPTED, UNMET, show
from noroshi.cli.playing import finish, played, tell
from noroshi.cli.trial_table import trial_lines
from noroshi.service.exercise_files import fresh_folder, is_folder, packaged_scenarios, scenario_files, stage
from noroshi.service.trial_document import INTERRUPTED as ENDED
from noroshi.service.trial_document import write_trials
from noroshi.service.trial_runs import MAX_RUNS, run_trials

DEFAULT_OUT = "noroshi-exercise"

app = typer.Typer(no_args_is_help=True, help="Play, check and list scenarios.")

ScenarioArgument = Annotated[
    str, typer.Argument(help="A file, a packaged name, or a folder.", metavar="SCENARIO")
]


Runs = Annotated[
    int | None,
    typer.Option(
        "--runs", help="Play each so many times, with seeds one after the other.", min=1, max=MAX_RUNS
    ),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", help="Processes for many runs; one a core if left out.", min=1, max=256),
]


@app.command()
def run(
    scenario: ScenarioArgument,
    fast: Annotated[bool, typer.Option("--fast", help="On the virtual clock, in seconds.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="With real processes: also a folder's, or with --runs.")
    ] = False,
    speed: Speed = 10.0,
    structure: StructureName = None,
    seed: Seed = None,
    out: Out = None,
    as_json: AsJson = False,
    runs: Runs = None,
    workers: Workers = None,
) -> None:
    """Play a scenario; with --fast on the virtual clock, else with a process for each node.

    A folder's scenarios, and with --runs one of them, are played on the virtual clock, or live where --live asks for it;
    a table says what held and what each rule cost.
    """
    if fast and live:
        raise typer.BadParameter("a run is either --fast or --live")
    if runs is not None or is_folder(scenario):
        if live:
            _many_live(scenario, runs or 1, speed, structure, seed, out, as_json)
        else:
            _many(scenario, runs or 1, workers, structure, seed, out, as_json)
        return
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


def _many(
    scenario: str,
    runs: int,
    workers: int | None,
    structure: str | None,
    seed: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Plays each scenario many times, and prints the table."""
    document = run_trials(
        scenario_files(scenario),
        runs=runs,
        seed=seed,
        workers=workers or os.cpu_count() or 1,
        say=tell,
        structure=structure,
    )
    _told(document, out, as_json)


def _many_live(
    scenario: str,
    runs: int,
    speed: float,
    structure: str | None,
    seed: int | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Plays each scenario live, and prints the table."""
    from noroshi.service.live_runs import run_live  # sockets and processes are loaded only when they are used

    files = scenario_files(scenario)
    folder = out or fresh_folder(DEFAULT_OUT)
    document = run_live(files, runs=runs, seed=seed, speed=speed, out=folder, say=tell, structure=structure)
    tell(f"The document and what each run left are in {folder}")
    _told(document, folder, as_json)


def _told(document: dict[str, Any], out: Path | None, as_json: bool) -> None:
    """Writes and prints what many runs came to, and ends with the exit code that it deserves."""
    if out is not None:
        write_trials(out, document)
    show(document, trial_lines(document), as_json)
    if document["outcome"] != "held":
        raise typer.Exit(INTERRUPTED if document["outcome"] == ENDED else UNMET)


@app.command()
def check(scenario: ScenarioArgument, structure: StructureName = None, as_json: AsJson = False) -> None:
    """Check scenarios without playing them, under their own structure and all that they name."""
    rows = [_checked(file, structure) for file in scenario_files(scenario)]
    lines = [f"{row['file']}: good under {', '.join(row['structures'])}" for row in rows]
    show({"checked": rows}, lines, as_json)


@app.command()
def replays(
    names: Annotated[
        list[str] | None, typer.Argument(help="Days of the public record; all if left out.")
    ] = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Play days of the public record, and print when noroshi would have warned whom beside what happened.

    Exit 1: an area was told that lies outside the over-warning bound.
    """
    from noroshi.service.replay_runs import replay_lines, run_replays

    document = run_replays(names or (), seed=seed, say=tell)
    show(document, replay_lines(document), as_json)
    if document["outside_bound"]:
        raise typer.Exit(UNMET)


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
