"""The benchmarks of one object, at a size of almost nothing: they measure, and judge what they can."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from noroshi.cli.benches import accuracy, arcs, ascents, fall, honesty, peer_filter
from noroshi.cli.benches.report import Result
from noroshi.errors import OperatorError
from noroshi.tracking import propagate

FEW = 4
TWO = {name: arcs.ARCS[name] for name in ("a500", "a4600")}


def by_measure(rows: list[Result]) -> dict[str, Result]:
    found = {row.measure: row for row in rows}
    assert len(found) == len(rows)
    return found


@pytest.mark.slow
def test_honesty_measures_all_arcs_with_drag_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(honesty, "ARCS", TWO)
    monkeypatch.setattr(ascents, "QUICK_RUNS", FEW)
    monkeypatch.setattr(honesty, "QUICK_RUNS", 40)
    monkeypatch.setattr(honesty, "QUICK_MARKS_S", (0, 5))
    rows = by_measure(honesty.run(quick=True, seed=1, progress=lambda _: None))
    for kind in ("no drag", "unknown drag"):
        state = rows[f"ANEES of the state over its expectation, {kind}, mean of all marks"]
        assert state.runs == 2 * len(TWO)
        assert 0.8 < state.value < 1.2
        area = rows[f"share of falls in the 90 % area, {kind}, worst mark pooled over arcs"]
        assert area.low >= 0.7
        assert area.held is None, "so few runs cannot tell"
    for kind in ("under power", "after a powered ascent"):
        apart = rows[f"ANEES of the state over its expectation, {kind}, mean of all marks"]
        assert 0.4 < apart.value < 2.0
        assert (apart.must, apart.held) == ("", None)


@pytest.mark.slow
def test_fall_measures_beside_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fall, "ARCS", TWO)
    monkeypatch.setattr(ascents, "QUICK_RUNS", FEW)
    monkeypatch.setattr(fall, "QUICK_RUNS", 40)
    rows = by_measure(fall.run(quick=True, seed=1, progress=lambda _: None))
    assert rows["first claim of a fall after the first detection, worst arc"].value <= 5.0
    late = rows["p90 of the place after 60 s, worst arc"]
    assert late.held is True
    beside = rows["error of the place after 60 s, root mean square, worst arc"]
    assert beside.ratio is not None
    assert 0.6 < beside.ratio < 1.6
    apart = rows["p90 of the place 60 s after a powered ascent, all flights together"]
    assert apart.runs == FEW
    assert apart.value < 10.0


@pytest.mark.slow
def test_accuracy_runs_the_peer_on_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both filters see the same rows and begin alike, so that their errors are nearly the same."""
    monkeypatch.setattr(accuracy, "ARCS", TWO)
    monkeypatch.setattr(ascents, "QUICK_RUNS", FEW)
    monkeypatch.setattr(accuracy, "QUICK_RUNS", 10)
    monkeypatch.setattr(accuracy, "QUICK_MARKS_S", (5,))
    rows = accuracy.run(quick=True, seed=1, progress=lambda _: None)
    beside = [row for row in rows if row.peer == peer_filter.PEER]
    assert len(beside) == 2
    for row in beside:
        assert row.ratio == pytest.approx(1.0, abs=0.3)
    apart = by_measure(rows)["velocity over bound after a powered ascent, worst mark"]
    assert 0.2 < apart.value < 2.0


@pytest.mark.slow
def test_ascents_are_what_they_are_said_to_be() -> None:
    """Under power the acceleration beyond free fall lies within its range, afterwards there is none."""
    for one in ascents.draw(3, seed=4):
        for k in range(len(one.truth) - 1):
            dt = one.after_s[k + 1] - one.after_s[k]
            fallen = propagate(one.truth[k], [dt])[0, 0]
            pull = np.linalg.norm(one.truth[k + 1, 3:] - fallen[3:]) / dt
            if one.after_s[k + 1] <= 0:
                assert ascents.PULL_MPS2[0] * 0.99 < pull < ascents.PULL_MPS2[1] * 1.01
            elif one.after_s[k] >= 0:
                assert pull < 1e-6
        assert len(one.rows) == len(one.truth) == len(one.after_s)
    first, twin = (ascents.draw(1, seed=4)[0] for _ in range(2))
    assert first.rows == twin.rows


def test_without_the_peer_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(peer_filter, "version", missing)
    with pytest.raises(OperatorError, match=r"noroshi\[bench\]"):
        accuracy.run(quick=True, seed=1, progress=lambda _: None)
