"""`noroshi track run|flights`: detections in, tracks out; and the public record held against free fall.

Exit 0: done; 2: the input is unusable, with file, line and field. Progress and warnings go to standard error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from noroshi.cli.options import AsJson
from noroshi.service.detection_file import DEFAULT_LAG_S, MAX_LAG_S

app = typer.Typer(
    no_args_is_help=True, help="Track objects from files of detections; check the public record."
)


@app.command()
def run(
    detections: Annotated[
        Path, typer.Argument(metavar="DETECTIONS", help="Detections: one JSON object a line, or .parquet.")
    ],
    sensors: Annotated[str, typer.Option("--sensors", help="A YAML file with the sensors.")],
    history: Annotated[
        float | None,
        typer.Option(
            "--history", metavar="SECONDS", help="Also every track at steps of this; 0: at each row.", min=0
        ),
    ] = None,
    lag: Annotated[
        float,
        typer.Option(
            "--lag", metavar="SECONDS", help="How far a time may go back in the file.", min=0, max=MAX_LAG_S
        ),
    ] = DEFAULT_LAG_S,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also write a file: .json, .jsonl or .parquet.")
    ] = None,
    arithmetic: Annotated[
        Literal["numba", "numpy"] | None,
        typer.Option("--arithmetic", help="Compiled, or NumPy alone; what is installed if left out."),
    ] = None,
    as_measured: Annotated[
        bool,
        typer.Option("--as-measured", help="Leave rows as they came, whatever is found of their sensors."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Follow the objects in a file of detections: where each is, how surely, whence it came and where it falls."""
    from noroshi.cli.track_run import RunOptions, run_file  # help and the other command need none of it

    code = run_file(RunOptions(detections, sensors, history, lag, out, arithmetic, as_json, as_measured))
    raise typer.Exit(code)


@app.command()
def flights(
    file: Annotated[str, typer.Argument(metavar="FLIGHTS", help="A YAML file with reported flights.")],
    as_json: AsJson = False,
) -> None:
    """Hold reported flights against the free-fall arc of their range and apogee; flag what cannot be."""
    from noroshi.cli.track_flights import hold_flights  # the other command needs none of it

    hold_flights(file, as_json)
