"""`noroshi bench`: the document that it prints, and that each benchmark really measures, at a size of almost nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from noroshi.cli import bench
from noroshi.cli.benches import approvals, end_to_end, engine, heal, node_load, record, restart, star
from noroshi.cli.benches.report import Result, result
from noroshi.cli.main import main
from noroshi.errors import LocalError, OperatorError
from noroshi.geo.places import decode
from noroshi.messages import KeyedHash
from noroshi.node.inputs import Answer
from noroshi.service.resources import packaged_places

FIELDS = {
    "name", "measure", "value", "unit", "peer", "peer_version", "peer_value", "ratio", "must", "held", "runs", "low",
    "high",
}  # fmt: skip
SMALL = node_load.Size(cases=8, runs=2, crisis_s=90.0, crises=1, worker_runs=2, worker_cases=3)


def quiet(_: str) -> None:
    """Takes progress that nobody reads."""


def stand_in(measured: list[Result]) -> Callable[..., list[Result]]:
    """A benchmark that finds these figures."""

    def run(*, quick: bool, seed: int, progress: Callable[[str], None]) -> list[Result]:
        progress(f"quick {quick}, seed {seed}")
        return measured

    return run


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    rows = [
        result("engine", "decisions", [1.0, 3.0, 2.0], "1/s", peer="SimPy", peer_version="4", peer_values=[8.0],
               must="5 times", holds=lambda _, ratio: ratio is not None and ratio >= 5),
        result("engine", "messages", [20_500.0], "1/s"),
    ]  # fmt: skip
    monkeypatch.setattr(engine, "run", stand_in(rows))
    return rows


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[Any, str]:
    said = capsys.readouterr()
    return json.loads(said.out), said.err


@pytest.mark.usefixtures("measured")
def test_json_is_one_document_and_a_missed_figure_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "engine", "--quick", "--json", "--seed", "7"]) == 0
    document, told = printed(capsys)
    assert [set(row) for row in document["results"]] == [FIELDS, FIELDS]
    first, second = document["results"]
    assert first["held"] is False
    assert (first["value"], first["low"], first["high"], first["runs"]) == (2.0, 1.0, 3.0, 3)
    assert (first["peer_value"], first["ratio"]) == (8.0, 0.25)
    assert (second["held"], second["peer"], second["peer_value"], second["ratio"]) == (None, "", None, None)
    assert "quick True, seed 7" in told


@pytest.mark.usefixtures("measured")
def test_the_table_names_what_was_missed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "engine", "engine"]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert len(lines) == 3, "a name given twice is measured once"
    assert "0.25 x SimPy 4 (8)" in lines[1]
    assert lines[1].rstrip().endswith("NO")
    assert "20,500 1/s" in lines[2]


def test_an_unknown_name_is_refused_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "engine", "speed", "--json"]) == 2
    document, told = printed(capsys)
    assert document["error"]["subject"] == "speed"
    assert "engine, end-to-end" in document["error"]["hint"]
    assert "speed" in told
    assert "run 1" not in told


def test_without_names_all_are_measured() -> None:
    assert bench.chosen(()) == list(bench.BENCHES)
    tracking = {"tracking", "accuracy", "honesty", "fall", "fusion", "raid"}
    assert {"engine", "end-to-end", "record", "heal", "restart"} | tracking <= set(bench.BENCHES)


def test_a_missing_peer_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(name: str) -> str:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(engine, "version", gone)
    assert main(["bench", "engine", "--quick"]) == 2
    assert "SimPy is not installed" in capsys.readouterr().err
    with pytest.raises(OperatorError, match=r"noroshi\[bench\]"):
        engine.run(quick=True, seed=1, progress=quiet)


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(200, 0, -1)]
    assert end_to_end.percentile(values, 0.50) == 100.0
    assert end_to_end.percentile(values, 0.99) == 198.0
    assert end_to_end.percentile([3.0], 0.99) == 3.0


@pytest.mark.slow
def test_both_sides_of_the_bare_engine_finish_the_same_cases() -> None:
    arrivals, work = approvals.draws(3)
    own, peer = engine.own_day(arrivals[:200], work), engine.simpy_day(arrivals[:200], work)
    assert own[:2] == peer[:2]
    assert own[0] == 1000


@pytest.mark.slow
def test_the_nodes_decide_every_case_alike_each_time() -> None:
    places = decode(packaged_places())
    coalition = node_load.coalition_with(KeyedHash(), places)
    said = node_load.spoken(coalition, 1, 5)
    first, again = (node_load.run_chain(coalition, places, said) for _ in range(2))
    other = node_load.run_chain(coalition, places, node_load.spoken(coalition, 2, 5))
    assert first[0] == 5 * node_load.MESSAGES_PER_CASE
    assert first[2] == again[2] != other[2]


@pytest.mark.slow
def test_the_engine_benchmark_measures_the_nodes() -> None:
    rows = node_load.handled_messages(quick=True, seed=1, progress=quiet, size=SMALL)
    assert [row.held for row in rows][1:3] == [None, None]
    assert all(row.value > 0 for row in rows)
    assert rows[-1].held is True, "the logs differ with the number of workers"
    assert {len(msgspec.to_builtins(row)) for row in rows} == {len(FIELDS)}


@pytest.mark.slow
def test_a_warning_goes_through_three_real_nodes_and_nothing_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    size = end_to_end.Size(rounds=1, events=3)
    rows = end_to_end.run(quick=True, seed=1, progress=quiet, size=size)
    by_measure = {row.measure: row for row in rows}
    far = by_measure["detection to warning at C, max"]
    assert (far.runs, far.unit) == (3, "ms")
    assert 0.0 < by_measure["part: to the warning at A"].low < far.value
    assert by_measure["detection to warning at C, p99"].held is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_record_benchmark_measures_a_node_and_sqlite(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    size = record.Size(runs=1, messages=400, warnings=5, singles=20)
    rows = {row.measure: row for row in record.run(quick=True, seed=1, progress=quiet, size=size)}
    together = rows["messages, four partners at once"]
    assert together.value > 0
    assert together.peer_value is not None
    assert together.held is not None
    assert rows["a lone warning, p99"].runs == 5
    assert 0 < rows["a lone warning, p50"].value <= rows["a lone warning, p99"].value
    assert rows["processor time a message"].value > 0
    assert list(tmp_path.iterdir()) == []


def test_what_a_node_refuses_ends_the_record_benchmark() -> None:
    refused: asyncio.Future[Answer] = asyncio.new_event_loop().create_future()
    refused.set_result(Answer("refused", "bad-signature"))
    line = record.Line.__new__(record.Line)
    line.party = "partner:JPN"
    line._answered(refused)
    with pytest.raises(LocalError, match="bad-signature"):
        _ = line.receipted


def test_messages_of_the_record_benchmark_have_the_size_that_they_say() -> None:
    found = star.Star.found()
    for partner in star.OUTER:
        assert len(found.remark(partner, 7, time.time_ns())) == star.MESSAGE_BYTES
        assert len(found.remark(partner, 8, time.time_ns(), alone=True)) == star.MESSAGE_BYTES


@pytest.mark.slow
def test_the_heal_benchmark_heals_and_compares_the_records(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    size = heal.Size(runs=1, increments=600)
    rows = {row.measure: row for row in heal.run(quick=True, seed=1, progress=quiet, size=size)}
    assert rows["increments"].value >= 600
    assert rows["warnings among them"].value > 0
    assert 0 < rows["queued warnings receipted after"].value <= rows["all receipted after"].value
    assert rows["rows lost, repeated or out of order"].held is True
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_restart_benchmark_starts_a_node_on_what_it_has_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(restart, "SNAPSHOT_RECORDS", 200)
    size = restart.Size(messages=300, starts=2)
    rows = restart.run(quick=True, seed=1, progress=quiet, size=size)
    assert [row.runs for row in rows] == [2, 2, 2, 1]
    assert rows[0].held is not None
    assert 0 < rows[1].value < rows[0].value
    assert list(tmp_path.iterdir()) == []
