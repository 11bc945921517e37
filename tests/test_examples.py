"""Worked examples run, in a short form, and draw what their pages show."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="needs matplotlib (the extra `plots`)")

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"


@pytest.mark.slow
def test_one_flight_is_followed_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("one_flight", EXAMPLES / "one_flight.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "one_flight", example)  # where its dataclasses look for their names
    spec.loader.exec_module(example)
    found = example.main(tmp_path, runs=example.SHORT_RUNS)
    assert found["rows"][0] > 1000
    assert found["fall_valid"][2:].all()
    half = 3.3 * np.sqrt(12 / example.SHORT_RUNS)  # one in a thousand at each step
    assert (np.abs(found["nees"] - 6) < half).all()
    page = (EXAMPLES / "one-flight.md").read_text(encoding="utf-8")
    for name in example.FIGURES:
        drawn, kept = tmp_path / name, EXAMPLES / name
        assert drawn.stat().st_size > 5_000
        assert kept.is_file()
        assert f"({name})" in page
    assert sum((EXAMPLES / name).stat().st_size for name in example.FIGURES) < 300_000
