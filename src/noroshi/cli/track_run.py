"""`noroshi track run`: from a file of detections to tracks on the screen, as JSON, or in a file."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from noroshi.cli.output import DONE, tell
from noroshi.clock import NS_PER_S, to_iso
from noroshi.errors import OperatorError
from noroshi.service.sensor_file import read_sensors
from noroshi.service.track_answer import as_json, check_format, counted, track_document, write_answer
from noroshi.service.track_passes import follow
from noroshi.tracking.filtering import arithmetic

WITHOUT_COMPILER = (
    "import sys; sys.modules['numba'] = None; from noroshi.cli.main import main; sys.exit(main())"
)
WIDTH = 150
"""Columns of the table where there is no terminal to fit."""
MOST_STEP_S = 1e6
"""Steps of eleven days are none; more does not fit beside nanoseconds, and NaN is no number of seconds."""
TELL_EVERY_S = 5.0
"""Between words of progress: a short run says nothing."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command was asked for."""

    detections: Path
    sensors: str
    history_s: float | None
    lag_s: float
    out: Path | None
    arithmetic: Literal["numba", "numpy"] | None
    as_json: bool
    as_measured: bool = False


def run_file(options: RunOptions) -> int:
    """Reads, follows, answers; the exit code. Raises InputError for what is wrong in a file; nothing is written then."""
    for name, given in (("--history", options.history_s), ("--lag", options.lag_s)):
        if given is not None and not given <= MOST_STEP_S:
            hint = f"give seconds, at most {MOST_STEP_S:g}"
            raise OperatorError(
                "follow the detections", subject=name, cause=f"{given:g} cannot be", hint=hint
            )
    if options.arithmetic == "numpy" and arithmetic() == "numba":
        return _without_compiler(options)
    if options.arithmetic == "numba" and arithmetic() == "numpy":
        hint = "pip install numba, or leave --arithmetic out"
        raise OperatorError("compile the arithmetic", cause="Numba cannot be imported", hint=hint)
    if options.out is not None:
        check_format(options.out)
    sensors = read_sensors(options.sensors)
    followed = follow(
        options.detections,
        sensors,
        history_s=options.history_s,
        lag_s=options.lag_s,
        as_measured=options.as_measured,
        watch=_Progress(),
    )
    answer, found = followed.answer, followed.findings
    document = track_document(answer, sensors, found, arithmetic=arithmetic(), corrected=followed.corrected)
    if options.out is not None:
        write_answer(options.out, document)
    if options.as_json:
        print(as_json(document), flush=True)
        return DONE
    console = Console(soft_wrap=False)
    console = console if console.is_terminal else Console(width=WIDTH)
    console.print(_table(document["tracks"]))
    for line in _lines(document):
        console.print(line, markup=False, highlight=False)
    if answer.left_out:
        tell(f"left out: {counted(answer.left_out)}")
    for finding in found:
        tell(f"warning: {finding['sentence']}")
    return DONE


class _Progress:
    """Words of progress on a long run. Guards: when it was told last."""

    def __init__(self) -> None:
        self._told = self._began = monotonic()

    def __call__(self, doing: str, read: int, at_ns: int) -> None:
        now = monotonic()
        if now - self._told > TELL_EVERY_S:
            self._told = now
            tell(f"{doing}: {read:,} detections, {now - self._began:.0f} s, at {to_iso(at_ns)}")


def _without_compiler(options: RunOptions) -> int:
    """The same run in a process of its own to which there is no compiler: functions are compiled or not as a whole."""
    arguments = [
        "track",
        "run",
        str(options.detections),
        "--sensors",
        options.sensors,
        "--lag",
        str(options.lag_s),
    ]
    arguments += [] if options.history_s is None else ["--history", str(options.history_s)]
    arguments += [] if options.out is None else ["--out", str(options.out)]
    arguments += ["--json"] if options.as_json else []
    arguments += ["--as-measured"] if options.as_measured else []
    sys.stdout.flush()
    return subprocess.run([sys.executable, "-c", WITHOUT_COMPILER, *arguments], check=False).returncode


def _table(tracks: Sequence[dict[str, Any]]) -> Table:
    made = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("track", "phase", "existence", "updates", "sensors", "seen", "launch", "fall", "fall time"):
        made.add_column(head)
    for row in tracks:
        seen = f"{_clock(row['first_observed_s'])} to {_clock(row['last_observed_s'])}"
        flags = f" ({', '.join(row['flags'])})" if row["flags"] else ""
        fall_time = _when(row["fall"]) if row["fall"] else row["fall_reason"]
        made.add_row(
            str(row["id"]), row["phase"] + flags, f"{row['existence']:.3f}", str(row["updates"]),
            " ".join(row["sensors"]), seen, _where(row["launch"]), _where(row["fall"]), fall_time,
        )  # fmt: skip
    return made


def _where(place: dict[str, Any] | None) -> str:
    """A place with its one-sigma error along the worse axis."""
    if place is None:
        return "none"
    (a, b, _), (_, c, _), _ = place["covariance"]
    half = (a + c) / 2
    worst_m = (half + ((a - c) ** 2 / 4 + b * b) ** 0.5) ** 0.5
    return f"{place['lat_deg']:.3f} {place['lon_deg']:.3f} ±{worst_m / 1000:.1f} km"


def _when(place: dict[str, Any]) -> str:
    return f"{_clock(place['time_s'])} ±{place['covariance'][2][2] ** 0.5:.1f} s"


def _clock(time_s: float) -> str:
    return to_iso(round(time_s * NS_PER_S), digits=0).partition("T")[2]


def _lines(document: dict[str, Any]) -> list[str]:
    """The run as a whole, and each sensor's share."""
    span = f"{to_iso(round(document['from_s'] * NS_PER_S))} to {to_iso(round(document['to_s'] * NS_PER_S))}"
    counts = f"{len(document['tracks'])} tracks, {document['tentative']} tentative, {document['detections']} detections"
    lines = [f"{counts}, {span}; arithmetic {document['arithmetic']}"]
    for row in document["sensors"]:
        lines.append(
            f"  {row['id']} ({row['partner']}): {row['detections']} detections, {row['in_tracks']} in tracks, "
            f"{row['in_no_track']} in none"
        )
    return lines
