"""`noroshi demo` and `noroshi exercise` as commands: output, files, exit codes, and a live run with a killed node."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from noroshi.cli.main import main
from noroshi.service.record_file import RecordFile

FLIGHT = (files("noroshi.exercise") / "data" / "flight-2022-10-04.yaml").read_text(encoding="utf-8")
ROOT = Path(__file__).resolve().parents[2]


def scenario(folder: Path, *, duration_s: float = 150.0, expectations: str = "", injects: str = "") -> Path:
    """The packaged flight, shorter and with other expectations, as a file."""
    head, _, _ = FLIGHT.partition("\nexpectations:\n")
    head = head.replace("duration_s: 1470", f"duration_s: {duration_s:g}")
    head = head.replace("injects:\n", f"injects:\n{injects}")
    path = folder / "short.yaml"
    path.write_text(f"{head}\nexpectations:\n{expectations or '  - {id: records-intact, type: intact}'}\n")
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """The exit code, standard output and standard error of a command."""
    code = main([str(one) for one in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.slow
def test_the_demo_leaves_what_it_promises(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, printed, told = run(capsys, "demo", "--headless", "--fast", "--json", "--out", out)
    document: dict[str, Any] = json.loads(printed)
    assert (code, document["outcome"]) == (0, "passed")
    assert all(one["met"] and one["detail"] for one in document["expectations"])
    assert set(document["latencies"]["report_s"]) == {
        "JPN->KOR", "JPN->USA", "KOR->JPN", "KOR->USA", "USA->JPN", "USA->KOR",
    }  # fmt: skip
    assert 0.0 < document["latencies"]["report_s"]["KOR->JPN"] < 1.0
    assert re.fullmatch("[0-9a-f]{64}", document["digest"])
    assert Path(document["review"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert json.loads((out / "summary.json").read_text(encoding="utf-8")) == document
    assert sorted(path.name for path in (out / "alerts").glob("*.xml")) == sorted(
        f"{alert['identifier']}.xml" for alert in document["alerts"]
    )
    for node, count in document["records"].items():
        with RecordFile(out / "records" / node / "record.db") as record:
            assert record.last_sequence() == count
            assert record.realm == "exercise:flight-2022-10-04"
    assert "jp-cabsec issued the public alert" in told


@pytest.mark.slow
def test_an_expectation_that_fails_gives_exit_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = scenario(
        tmp_path,
        duration_s=95,
        expectations="  - {id: impossible, type: alert-issued, unit: kr-mois, posts: 2}",
    )
    code, printed, _ = run(
        capsys, "demo", "--headless", "--fast", "--scenario", path, "--out", tmp_path / "out"
    )
    assert code == 1
    assert "failed" in printed
    assert "NOT  impossible  kr-mois issued no public alert" in printed


def test_an_unusable_scenario_gives_exit_2_with_file_line_and_field(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = scenario(tmp_path)
    text = path.read_text().replace("unit: us-radars-jp", "unit: us-radars")
    path.write_text(text)
    line = 1 + text[: text.index("unit: us-radars\n")].count("\n")
    code, printed, told = run(
        capsys, "demo", "--headless", "--fast", "--scenario", path, "--out", tmp_path / "out"
    )
    assert (code, printed) == (2, "")
    assert told.startswith(
        f"{path}:{line}: sensors[3].unit: the structure trilateral has no unit 'us-radars'"
    )
    assert "Traceback" not in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["demo", "--headless", "--fast", "--structure", "befor"], "did you mean before"),
        (["demo", "--headless", "--fast", "--scenario", "flight"], "flight-2022-10-04"),
        (["exercise", "check", "nothing-here"], "nothing-here"),
    ],
)
def test_wrong_arguments_give_exit_2_and_a_hint(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, printed, told = run(capsys, *arguments)
    assert (code, printed) == (2, "")
    assert words in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_former_results_are_kept_or_their_end_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    path = scenario(tmp_path, duration_s=60)
    play = ["demo", "--headless", "--fast", "--scenario", path]
    assert run(capsys, *play)[0] == 0
    assert run(capsys, *play)[0] == 0
    assert (tmp_path / "noroshi-demo" / "summary.json").exists()
    assert (tmp_path / "noroshi-demo-2" / "summary.json").exists()
    (tmp_path / "noroshi-demo" / "mine.txt").write_text("kept")
    code, _, told = run(capsys, *play, "--out", "noroshi-demo")
    assert code == 0
    assert "the former run in noroshi-demo is replaced" in told
    assert (tmp_path / "noroshi-demo" / "mine.txt").read_text() == "kept"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "review.html").write_text("somebody's")
    code, _, told = run(capsys, *play, "--out", "other")
    assert code == 2
    assert "review.html that no former run left there" in told
    assert (tmp_path / "other" / "review.html").read_text() == "somebody's"


@pytest.mark.slow
def test_seed_and_structure_are_taken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = scenario(tmp_path, duration_s=100)
    play = ["exercise", "run", path, "--fast", "--json"]
    documents = [
        json.loads(run(capsys, *play, *more, "--out", tmp_path / str(index))[1])
        for index, more in enumerate(
            (["--seed", "5"], ["--seed", "5"], ["--seed", "6"], ["--seed", "5", "--structure", "before"])
        )
    ]
    digests = [one["digest"] for one in documents]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
    assert [one["seed"] for one in documents] == [5, 5, 6, 5]
    assert [one["structure"] for one in documents] == ["trilateral"] * 3 + ["before"]
    assert documents[3]["latencies"]["report_s"]["KOR->JPN"] is None


def test_check_and_list_name_scenarios(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    scenario(tmp_path)
    code, printed, _ = run(capsys, "exercise", "check", tmp_path, "--json")
    assert code == 0
    (row,) = json.loads(printed)["checked"]
    assert row["structures"] == ["trilateral", "after", "before"]
    code, printed, _ = run(capsys, "exercise", "list")
    assert code == 0
    assert "flight-2022-10-04: Flight over northern Japan" in printed
    code, printed, _ = run(capsys, "exercise", "check", ROOT / "scenarios")
    assert code == 0
    assert "line-cut.yaml: good under trilateral" in printed


@pytest.mark.slow
def test_a_live_run_survives_the_death_of_any_node(tmp_path: Path) -> None:
    """Three processes, sockets and disks; SIGKILL from outside, while the alert is being made."""
    path = scenario(
        tmp_path,
        duration_s=420,
        expectations=(
            "  - {id: alert, type: alert-issued, unit: jp-cabsec, posts: 2}\n"
            "  - {id: north, type: alert-names, unit: jp-cabsec, regions: [Aomori, Hokkaido]}\n"
            "  - {id: records-intact, type: intact}"
        ),
    )
    text = path.read_text()
    patient = text.replace(
        "rules: {}", "rules: {approve_within_s: 900}", 1
    )  # a slow machine may take minutes of the
    path.write_text(patient)  # exercise's time until its nodes are back
    command = [
        sys.executable,
        "-m",
        "noroshi.cli.main",
        "exercise",
        "run",
        str(path),
        "--speed",
        "10",
        "--json",
    ]
    out = tmp_path / "out"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    notes = tmp_path / "notes.txt"
    with (
        notes.open("w") as stderr,
        subprocess.Popen(
            [*command, "--out", str(out)], stdout=subprocess.PIPE, stderr=stderr, text=True, env=environment
        ) as process,
    ):
        try:
            wait_for(lambda: "originated the alert" in notes.read_text(), process)
            for node in ("jpn", "usa", "kor"):
                os.kill(int((out / "nodes" / node / "record.lock").read_text().strip()), signal.SIGKILL)
            printed, _ = process.communicate(timeout=90)
        finally:
            process.kill()
    document = json.loads(printed)
    told = notes.read_text().splitlines()
    assert [one for one in document["expectations"] if not one["met"]] == []
    assert process.returncode == 0
    assert sum("was killed by signal 9" in line for line in told) == 3
    assert {gap["node"] for gap in document["gaps"]} == {"jpn", "usa", "kor"}
    assert sum(line.startswith("Map") for line in told) == 3


def wait_for(happened: Callable[[], bool], process: subprocess.Popen[str], at_most_s: float = 90.0) -> None:
    """Waits until something has happened; fails when the process ends or the time is over."""
    end_s = time.monotonic() + at_most_s
    while not happened():
        assert process.poll() is None, "the exercise ended before its time"
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.1)
