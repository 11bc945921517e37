"""All incidents and their mirrors on the virtual clock; many runs give one document on any number of workers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from noroshi.cli.main import main
from noroshi.exercise.scenario import Scenario
from noroshi.exercise.varying import varied
from noroshi.geo.placefile import PlaceTableError
from noroshi.service.exercise_files import scenario_files, stage
from noroshi.service.trial_runs import run_trials
from tests.node.scene import places

INCIDENTS = Path(__file__).resolve().parents[2] / "scenarios" / "incidents"
NUMBERS = range(1, 13)
SOAK_RUNS = 200

SAMPLE = ("H2-chip-own-name",)
"""A quick one, which every run of the tests plays; all of them are played in the soak."""


@pytest.fixture(scope="module", autouse=True)
def _places() -> None:
    try:
        places()
    except PlaceTableError as error:
        pytest.skip(f"needs the table of places (`make places`): {error.sentence()}")


def say(_: str) -> None:
    """Progress is for people."""


def files(*names: str) -> list[str]:
    return [str(INCIDENTS / f"{name}.yaml") for name in names]


def test_every_incident_has_a_mirror_that_names_its_costs() -> None:
    scenarios = {one.id: one for one in (stage(file).scenario for file in scenario_files(str(INCIDENTS)))}
    for number in NUMBERS:
        own = [one for name, one in scenarios.items() if name.partition("-")[0] == f"H{number}"]
        assert [one for one in own if one.mirror_of is None], number
        mirrors = [one for one in own if one.mirror_of is not None]
        assert mirrors, number
        assert all(one.mirror_of in scenarios for one in mirrors)
        assert all(one.costs or one.background for one in mirrors), number
        assert all({cost.rule for cost in one.costs} >= set(one.rules) for one in mirrors), number
        assert all(one.rules and (one.vary or one.background) for one in own), number


@pytest.mark.slow
def test_a_document_is_the_same_on_any_number_of_workers() -> None:
    one = run_trials(files(*SAMPLE), runs=3, seed=None, workers=1, say=say)
    two = run_trials(files(*SAMPLE), runs=3, seed=None, workers=2, say=say)
    assert one == two
    assert one["outcome"] == "held"
    assert [(row["scenario"], row["seed"]) for row in one["runs"]] == [
        (name, 19800603 + run) for name in SAMPLE for run in (0, 1, 2)
    ]
    assert one["runs"][0]["digest"] != one["runs"][1]["digest"]


def test_what_varies_is_drawn_by_seed_and_name() -> None:
    written = stage(files("H3-oko")[0]).scenario
    assert varied(written, written.seed) is written
    one, other = varied(written, 7), varied(written, 8)
    assert one == varied(written, 7)
    assert one.links != other.links
    fewer = Scenario(
        **{
            **{name: getattr(written, name) for name in written.__struct_fields__},
            "sensors": written.sensors[1:],
        }
    )
    assert varied(fewer, 7).sensors == one.sensors[1:]
    assert all(0.85 <= sensor.pd <= 1.0 for sensor in one.sensors)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("{of: links, field: colour, least: 0, most: 1}", "vary[0].field: none of the links has a number 'colour'"),
        ("{of: sensors, field: pd, least: 0.5, most: 1.5}", "vary[0].most: it gives what no scenario may say"),
        ("{of: posts, field: presence, least: 1, most: 0}", "vary[0].least: 1 is more than 0"),
        ("{of: links, field: loss, least: 0, most: 0.1, only: [JPN-USA]}", "vary[0].only"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_with_its_line(
    row: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (INCIDENTS / "H2-chip.yaml").read_text(encoding="utf-8")
    head = text[: text.index("vary:")].replace("structures/", f"{INCIDENTS}/structures/")
    file = tmp_path / "wrong.yaml"
    file.write_text(f"{head}vary:\n  - {row}\n", encoding="utf-8")
    assert main(["exercise", "run", str(tmp_path), "--json"]) == 2
    shown = capsys.readouterr()
    assert f"wrong.yaml:{head.count(chr(10)) + 2}: {told}" in shown.err + shown.out


@pytest.mark.slow
def test_a_run_that_does_not_hold_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (INCIDENTS / "H2-chip-own-name.yaml").read_text(encoding="utf-8")
    file = tmp_path / "own-name.yaml"
    file.write_text(
        text.replace("structures/", f"{INCIDENTS}/structures/").replace("alarm: true", "alarm: false"),
        encoding="utf-8",
    )
    assert main(["exercise", "run", str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "NOT alarm: 1 notices of partner:KOR for 2 refusals; alarm: 1" in capsys.readouterr().out
    document = json.loads((tmp_path / "out" / "trials.json").read_text(encoding="utf-8"))
    (run,) = document["runs"]
    assert (document["outcome"], run["scenario"], run["outcome"]) == ("failed", "H2-chip-own-name", "failed")
    assert {one["id"]: one["met"] for one in run["expectations"]}["alarm"] is False


@pytest.mark.soak
def test_all_incidents_hold_on_every_seed() -> None:
    everything = scenario_files(str(INCIDENTS))
    document = run_trials(everything, runs=SOAK_RUNS, seed=None, workers=os.cpu_count() or 1, say=say)
    failed = {one["scenario"]: one["failed_seeds"] for one in document["scenarios"] if one["failed_seeds"]}
    assert failed == {}
    missed = {
        (one["scenario"], cost["id"]): cost["missed_share"]
        for one in document["scenarios"]
        for cost in one["costs"]
        if cost["missed_share"]
    }
    assert missed == {}
