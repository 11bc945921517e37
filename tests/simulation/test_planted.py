"""The simulation can fail: each planted defect is found within a few seeds, and shrunk to one command."""

from __future__ import annotations

import pytest

from tests.simulation.__main__ import main
from tests.simulation.defects import DEFECTS
from tests.simulation.plan import Wanted, drawn, numbers, ranges
from tests.simulation.play import Outcome, play
from tests.simulation.shrink import shrunk

MOST_SEEDS = 60


def found(defect: str) -> Outcome:
    """The first run that shows a planted defect."""
    for seed in range(MOST_SEEDS):
        outcome = play(drawn(Wanted(seed, defect=defect)))
        if outcome.violations:
            return outcome
    pytest.fail(f"{MOST_SEEDS} seeds did not show {defect}")


@pytest.mark.slow
@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found(defect: str) -> None:
    outcome = found(defect)
    healthy = play(drawn(Wanted(outcome.plan.wanted.seed)))
    assert not healthy.violations


@pytest.mark.slow
def test_a_failing_run_is_made_small_and_repeated_by_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    big = found("torn-batches")
    small = shrunk(big.plan.wanted)
    assert small.violations
    assert len(small.plan.faults) <= len(big.plan.faults)
    assert len(small.plan.says) < len(big.plan.says)
    words = small.plan.wanted.command.split()[3:]
    assert main(words) == 1
    said = capsys.readouterr().out
    assert all(f"VIOLATION: {one}" in said for one in small.violations)


def test_numbers_are_written_and_read() -> None:
    for some in ((), (3,), (0, 1, 2, 5, 7, 8)):
        assert numbers(ranges(some)) == some
    assert ranges((0, 1, 2, 7)) == "0-2,7"
