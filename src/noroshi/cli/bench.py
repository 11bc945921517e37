"""`noroshi bench`: measures noroshi beside its peers and bounds.

Standard output: with `--json` exactly one JSON document `{"results": [...]}`, else a table. Progress goes to standard
error. A bench is no test: exit 0 whenever it ran, also when a figure missed what it must reach; 2 for an unknown name
or a missing peer.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from noroshi.cli.benches.report import Result
from noroshi.cli.options import AsJson
from noroshi.cli.output import show, tell
from noroshi.errors import OperatorError

BENCHES = {
    "tracking": "noroshi.cli.benches.tracking",
    "accuracy": "noroshi.cli.benches.accuracy",
    "honesty": "noroshi.cli.benches.honesty",
    "fall": "noroshi.cli.benches.fall",
    "areas": "noroshi.cli.benches.areas",
    "raid": "noroshi.cli.benches.raid",
    "engine": "noroshi.cli.benches.engine",
    "end-to-end": "noroshi.cli.benches.end_to_end",
    "record": "noroshi.cli.benches.record",
    "heal": "noroshi.cli.benches.heal",
    "restart": "noroshi.cli.benches.restart",
    "fusion": "noroshi.cli.benches.fusion",
    "retraction": "noroshi.cli.benches.retraction",
    "cot": "noroshi.cli.benches.cot",
    "hazards": "noroshi.cli.benches.hazards",
}
"""Every benchmark and its module, which has `run(*, quick, seed, progress) -> list[Result]`."""

WIDTH = 150
"""Columns of the table where there is no terminal to fit."""


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help=f"{', '.join(BENCHES)}; all if left out.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A first look, each in under 10 s.")] = False,
    as_json: AsJson = False,
    seed: Annotated[int, typer.Option("--seed", help="Draws other cases.", min=0)] = 1,
) -> None:
    """Measure, against the named peers."""
    rows: list[Result] = []
    wanted = chosen(names or ())
    tell(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores: what else runs here shows in the figures")
    for name in wanted:
        rows += importlib.import_module(BENCHES[name]).run(quick=quick, seed=seed, progress=tell)
    if as_json:
        show({"results": [msgspec.to_builtins(row) for row in rows]}, (), True)
    else:
        console = Console()
        console = console if console.is_terminal else Console(width=WIDTH)
        console.print(table(rows))


def chosen(names: Sequence[str]) -> list[str]:
    """The benchmarks of these names, each once; all when there is no name. Raises OperatorError."""
    for name in names:
        if name not in BENCHES:
            raise OperatorError(
                "run the benchmark",
                subject=name,
                cause="there is none of that name",
                hint=f"choose from {', '.join(BENCHES)}",
            )
    return list(dict.fromkeys(names)) or list(BENCHES)


def table(rows: Sequence[Result]) -> Table:
    """The results for a person: medians, extremes, the peer beside them."""
    made = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("benchmark", "measure", "value", "low to high (runs)", "peer", "must", "held"):
        made.add_column(head)
    for row in rows:
        made.add_row(*_cells(row))
    return made


def _cells(row: Result) -> tuple[str, ...]:
    peer = ""
    if row.peer_value is not None and row.ratio is not None:
        peer = f"{row.ratio:.2f} x {row.peer} {row.peer_version} ({number(row.peer_value)})"
    held = {True: "yes", False: "NO", None: ""}[row.held]
    spread = f"{number(row.low)} to {number(row.high)} ({row.runs})"
    return row.name, row.measure, f"{number(row.value)} {row.unit}", spread, peer, row.must, held


def number(value: float) -> str:
    """Three or more figures, thousands parted."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
