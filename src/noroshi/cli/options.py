"""Options that several commands of exercises share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results; a new one if left out.")]
Seed = Annotated[
    int | None,
    typer.Option("--seed", help="Repeats a run; the scenario's own if left out.", min=0, max=(1 << 53) - 1),
]
Speed = Annotated[
    float, typer.Option("--speed", help="Times faster than life, when live.", min=0.1, max=60.0)
]
StructureName = Annotated[
    str | None, typer.Option("--structure", help="before, after, trilateral, or a structure file.")
]
