"""All incidents and their mirrors on the virtual clock; many runs give one document on any number of workers."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from noroshi.cli.main import main
from noroshi.cli.trial_table import trial_lines
from noroshi.exercise.scenario import Scenario
from noroshi.exercise.varying import varied
from noroshi.geo.placefile import PlaceTableError
from noroshi.service.exercise_files import scenario_files, stage
from noroshi.service.live_runs import run_live
from noroshi.service.trial_document import broken_off, whole
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


@pytest.mark.soak
def test_all_incidents_hold_live(tmp_path: Path) -> None:
    """With a process for each node, sockets and disks: some minutes of a quiet machine."""
    everything = scenario_files(str(INCIDENTS))
    document = run_live(everything, runs=1, seed=None, speed=10.0, out=tmp_path, say=say)
    unmet = {
        row["scenario"]: [one for one in row["expectations"] if not one["met"]]
        for row in document["runs"]
        if row["outcome"] != "held"
    }
    assert unmet == {}
    assert len(document["runs"]) == len(everything)
    assert all(row["played"] == "live" for row in document["runs"])


RAID = """\
injects:
  - {id: by-files, do: recorded_raid, at_s: 1, node: jpn, entrance: file, realm: autumn-study, tracks: 5}
  - {id: by-backup, do: recorded_raid, at_s: 2, node: jpn, entrance: backup, realm: autumn-study, tracks: 5}

expectations:
  - {id: one-notice, type: security-notices, partner: JPN, sources: ["trust:files"]}
  - {id: nothing-taken, type: taken-never, partner: JPN, party: "trust:files"}
  - {id: backup-refused, type: door-refused, partner: JPN, door: record, reason: not-our-record}
  - {id: records-intact, type: intact}
"""


def written(folder: Path, text: str, instead_of: str = "injects:", to: str = "vary:") -> Path:
    """A scenario of its own: the worst case of H2, with other injects and expectations."""
    every = (INCIDENTS / "H2-chip-own-name.yaml").read_text(encoding="utf-8")
    head, tail = every[: every.index(instead_of)], every[every.index(to) :]
    file = folder / "own.yaml"
    file.write_text(
        f"{head}{text}\n{tail}".replace("structures/", f"{INCIDENTS}/structures/"), encoding="utf-8"
    )
    return file


@pytest.mark.slow
def test_files_and_backups_of_another_exercise_are_refused(tmp_path: Path) -> None:
    document = run_trials([str(written(tmp_path, RAID))], runs=1, seed=None, workers=1, say=say)
    (run,) = document["runs"]
    assert [one["detail"] for one in run["expectations"] if not one["met"]] == []
    assert (document["played"], run["played"]) == ("fast", "fast")


@pytest.mark.parametrize(
    ("inject", "told"),
    [
        ("recorded_raid, at_s: 1, node: jpn, entrance: link, as_from: USA, realm: a", "no link between"),
        ("recorded_raid, at_s: 1, node: jpn, entrance: link, realm: a", "between JPN and nobody"),
        ("recorded_raid, at_s: 1, node: jpn, entrance: console, as_from: jp-mod.wach, realm: a", "mean jp-mod.watch"),
        ("recorded_raid, at_s: 1, node: jpn, entrance: feed, as_from: radar, realm: a", "as_from: there is no sensor"),
        ("recorded_raid, at_s: 1, node: jpn, entrance: backup, as_from: KOR, realm: a", "a backup comes from nobody"),
        ("forged_warning, at_s: 1, node: jpn, as_from: JPN", "no link between JPN and JPN"),
        ("false_receipt, at_s: 1, node: jpn, as_from: KOR, rows: 0", "rows"),
        ("recorded_raid, at_s: -1, node: jpn, entrance: file, realm: a", "at_s"),
        ("recorded_rade, at_s: 1, node: jpn", "do"),
    ],
)  # fmt: skip
def test_a_wrong_inject_is_named(
    inject: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is played, live or fast: all files of a folder are read before the first."""
    (tmp_path / "a-good-one.yaml").write_text(
        (INCIDENTS / "H2-chip.yaml")
        .read_text(encoding="utf-8")
        .replace("structures/", f"{INCIDENTS}/structures/"),
        encoding="utf-8",
    )
    written(tmp_path, f"injects:\n  - {{id: wrong, do: {inject}}}\n")
    out = tmp_path / "out"
    assert main(["exercise", "run", str(tmp_path), "--live", "--out", str(out), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert told in error["sentence"], error
    assert error["file"].endswith("own.yaml")
    assert error["line"]
    assert not out.exists()


@pytest.mark.parametrize(
    "wrong", [["--runs", "0"], ["--live", "--fast"], ["--speed", "0"], ["--workers", "no"]]
)
def test_wrong_options_are_one_document_as_well(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exercise", "run", str(INCIDENTS), "--json", *wrong]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["cause"]


def test_runs_that_were_ended_are_told() -> None:
    scenarios = [stage(file).scenario for file in files("H2-chip", "H3-oko", "H2-chip-own-name")]
    row = {"scenario": "H2-chip", "seed": 1, "outcome": "held", "expectations": [], "costs": [], "digest": ""}
    document = whole("live", scenarios, 2, [row, row, {**row, "scenario": "H3-oko"}], speed=10.0)
    assert (document["outcome"], document["not_played"]) == ("interrupted", ["H2-chip-own-name"])
    assert [(one["scenario"], one["runs"]) for one in document["scenarios"]] == [
        ("H2-chip", 2),
        ("H3-oko", 1),
    ]
    lines = list(trial_lines(document))
    assert "H2-chip-own-name  not played" in lines
    assert lines[-1] == "2 of 2 scenarios held in all of 3 live runs"
    failed = whole("fast", scenarios[:1], 1, [{**row, **broken_off(ValueError("no"))}])
    assert (failed["outcome"], failed["scenarios"][0]["failed_seeds"]) == ("failed", [1])
