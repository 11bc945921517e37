"""All targets of the fuzzers for as long as they are given, steered by what is reached: nothing is found.

NOROSHI_SOAK_S seconds in all (ten minutes by default), shared over the targets. A finding is printed as one command that
repeats it. What the fuzzers are for is planted and found in seconds, so that silence means something.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.fuzz.soak import ROOT, soak, table
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.soak

SECONDS = float(os.environ.get("NOROSHI_SOAK_S", "600"))


@pytest.mark.parametrize("name", ["planted:crash", "planted:slow", "planted:large", "planted:keeping"])
def test_what_is_planted_is_found_and_repeated(name: str, tmp_path: Path) -> None:
    (one,) = soak([name], 20.0, tmp_path)
    assert one.repeat, one
    if name in ("planted:crash", "planted:slow"):
        done = subprocess.run(one.repeat, shell=True, cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == 1, done


def test_nothing_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="noroshi-fuzz-"))
    outcomes = soak([one.name for one in TARGETS], SECONDS, folder)
    with capsys.disabled():
        print(f"\n{table(outcomes)}")
    found = [one for one in outcomes if one.repeat]
    if not found:
        shutil.rmtree(folder)
    assert not found, "\n\n".join(f"{one.repeat}\n{one.said}" for one in found)
    assert all(one.executions for one in outcomes)
