"""Public alerts on another agency's word, played whole: from its file to the last hops and back, and the mirror."""

from __future__ import annotations

from pathlib import Path

import pytest

from noroshi.geo.placefile import PlaceTableError
from noroshi.service.trial_runs import run_trials
from tests.exercise.playing import places

HAZARDS = Path(__file__).resolve().parents[2] / "scenarios" / "hazards"


@pytest.fixture(scope="module", autouse=True)
def _places() -> None:
    try:
        places()
    except PlaceTableError as error:
        pytest.skip(f"needs the table of places (`make places`): {error.sentence()}")


def say(_: str) -> None:
    """Progress is for people."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tsunami", "tsunami-unverified"])
def test_it_is_played_to_its_end_as_expected(name: str) -> None:
    document = run_trials([str(HAZARDS / f"{name}.yaml")], runs=1, seed=None, workers=1, say=say)
    (run,) = document["runs"]
    assert run["outcome"] == "held"
    assert {one["id"]: one["met"] for one in run["expectations"]} == {
        one["id"]: True for one in run["expectations"]
    }
