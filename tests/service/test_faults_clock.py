"""A node's clock is stepped by an hour, while it runs and while it is down: it says so, and goes on."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from noroshi.clock import NS_PER_S
from noroshi.log import verified
from noroshi.node.inputs import ClockStepped
from noroshi.service.node_dir import NodeDir
from noroshi.service.record_file import read_records
from tests.service.faults import (
    Command,
    Load,
    Make,
    check_nothing_lost_or_repeated,
    inputs,
    loaded,
    reached,
    rows_from,
)

HOUR_S = 3600.0
SOURCE = Path(__file__).parent / "stepped_clock.c"


def library(folder: Path) -> Path:
    """The library that steps the clock of a process."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler to step a clock")
    made = folder / "stepped_clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(SOURCE)], check=True)
    return made


def steps(directory: NodeDir) -> list[float]:
    """The steps on a node's record, seconds."""
    return [one.by_ns / NS_PER_S for one in inputs(directory) if isinstance(one, ClockStepped)]


def backward(directory: NodeDir) -> list[str]:
    """Types of the records whose time is before that of the record before them."""
    found, last_ns = [], 0
    for record in verified("record", read_records(directory.record_path)):
        if record.now_ns < last_ns:
            found.append(record.type)
        last_ns = record.now_ns
    return found


@pytest.mark.slow
def test_a_clock_that_is_stepped_by_an_hour_each_way(made: Make, children: Command, tmp_path: Path) -> None:
    """JPN's clock goes an hour ahead and comes back; then it is killed, and comes up an hour behind."""
    ahead, notes = tmp_path / "ahead", list[str]()
    ahead.write_bytes(bytes(8))
    stepped = {"LD_PRELOAD": str(library(tmp_path)), "STEPPED_CLOCK": str(ahead)}
    jpn, usa = made("jpn", "usa")
    directories = {"jpn": jpn, "usa": usa}

    def set_ahead(seconds: float) -> None:
        with ahead.open("r+b") as file:
            file.write(int(seconds).to_bytes(8, sys.byteorder, signed=True))

    async def scenario() -> dict[str, Load]:
        async with loaded(directories, children, notes, {"jpn": stepped}) as (nodes, loads):
            for ahead_s, so_far in ((HOUR_S, 1), (0.0, 2)):
                before = len(loads["jpn"].durable), len(rows_from(usa, jpn))
                set_ahead(ahead_s)
                await reached(lambda so_far=so_far: len(steps(jpn)) == so_far, 5.0)  # type: ignore[misc]  # a bound default
                await reached(
                    lambda before=before: (
                        len(loads["jpn"].durable) > before[0] and len(rows_from(usa, jpn)) > before[1]
                    ),  # type: ignore[misc]  # a bound default
                    10.0,
                )
            nodes["jpn"].pause("jpn")  # so that it cannot see the step before it is killed
            set_ahead(-HOUR_S)
            nodes["jpn"].kill("jpn")
            await nodes["jpn"].until_ready("jpn")
            await reached(lambda: len(steps(jpn)) == 3, 20.0)
        return loads

    check_nothing_lost_or_repeated(directories, asyncio.run(scenario()))
    assert [round(step / HOUR_S, 2) for step in steps(jpn)] == [1.0, -1.0, -1.0]
    assert backward(jpn) == ["clock", "clock"]
    assert not steps(usa)
    assert not backward(usa)
    said = [note for note in notes if note.startswith("jpn: this machine's clock was stepped by ")]
    assert [note.split(" by ")[1].split(":")[0] for note in said][:2] == [
        "+3600.0 s",
        "-3600.0 s",
    ]
