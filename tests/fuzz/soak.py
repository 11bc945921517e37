"""All targets for a time, each in a process of its own, as many at once as there are cores.

found = soak(("canonical", "cap"), seconds=60.0, folder=Path("/tmp/fuzz"))
print(table(found))
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FINDINGS = ("crash-*", "timeout-*", "oom-*", "leak-*", "current")
SHORT_BYTES = 3000
"""Findings of at most so many bytes are printed whole; longer ones are files."""

MARGIN_S = 180.0
"""How much longer than its time a process may take: to prepare, and to end at an input that hangs."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one target. repeat: the command that repeats the finding, empty when there is none."""

    name: str
    seconds: int
    executions: int
    coverage: str
    kept: int
    peak_mib: int
    repeat: str
    said: str


def soak(names: Sequence[str], seconds: float, folder: Path) -> list[Outcome]:
    """Shares `seconds` of all cores over the targets; the findings and the kept inputs are in `folder`."""
    workers = os.cpu_count() or 1
    each_s = max(1, int(seconds * workers / len(names)))
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda name: _one(name, each_s, folder / name.replace(":", "-")), names))


def _one(name: str, seconds: int, folder: Path) -> Outcome:
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.guided", name, str(seconds), str(folder)]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=2 * seconds + MARGIN_S,
            check=False,
        )
        said, failed = done.stdout.decode("utf-8", "replace"), done.returncode != 0
    except subprocess.TimeoutExpired as error:
        said, failed = (error.stdout or b"").decode("utf-8", "replace") + "\nit did not end", True
    reached = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", said)
    cov, _, kept = reached[-1] if reached else ("-", "", "0")
    return Outcome(
        name,
        seconds,
        _stat(said, "number_of_executed_units"),
        cov,
        int(kept),
        _stat(said, "peak_rss_mb"),
        _repeat(name, folder) if failed else "",
        said[-6000:] if failed else "",
    )


def _stat(said: str, name: str) -> int:
    found = re.search(rf"stat::{name}:\s*(\d+)", said)
    return int(found[1]) if found else 0


def _repeat(name: str, folder: Path) -> str:
    """One command that repeats what was found; the process's own words stay where there is no input to blame."""
    found = [path for pattern in FINDINGS for path in sorted(folder.glob(pattern))]
    if not found:
        return f"{sys.executable} -m tests.fuzz.guided {name} 60 {folder}"
    return repeat_command(name, found[0].read_bytes(), found[0])


def repeat_command(name: str, data: bytes, path: Path | None = None) -> str:
    """The command that looks at one input again: with the input in it while that is short, else with its file."""
    if path is not None and len(data) > SHORT_BYTES:
        return f"{sys.executable} -m tests.fuzz {name} {path}"
    return f"echo {base64.b64encode(data).decode()} | base64 -d | {sys.executable} -m tests.fuzz {name} -"


def table(outcomes: Iterable[Outcome]) -> str:
    """The figures of a run, for a person."""
    lines = [f"{'target':<24} {'inputs':>10} {'a second':>9} {'reached':>8} {'kept':>6} {'MiB':>6}  found"]
    for one in outcomes:
        rate = one.executions / one.seconds
        found = one.repeat or "nothing"
        counts = f"{one.executions:>10} {rate:>9.0f} {one.coverage:>8} {one.kept:>6} {one.peak_mib:>6}"
        lines.append(f"{one.name:<24} {counts}  {found}")
    return "\n".join(lines)
