"""Seeded histories of whole coalitions: nothing acknowledged lost, nothing repeated, every replay the same.

`make test` runs `SEEDS` of them; `make soak` as many as it has time for, on all cores (NOROSHI_SOAK_S seconds, seeds
from NOROSHI_SOAK_SEED on).
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import count
from time import monotonic

import pytest

from tests.simulation.plan import Wanted, drawn
from tests.simulation.play import Outcome, play
from tests.simulation.shrink import shrunk

SEEDS = 300
GROUPS = 10
"""Tests that they are shared among, so that a failure is seen before all have run."""

SOAK_S = float(os.environ.get("NOROSHI_SOAK_S", "600"))
SOAK_FROM = int(os.environ.get("NOROSHI_SOAK_SEED", "100000"))
CHUNK = 20
"""Seeds that one process runs at a time."""


def complaint(outcome: Outcome) -> str:
    """What failed, made small, with the command that repeats it."""
    small = shrunk(outcome.plan.wanted)
    return "\n".join((*small.violations[:5], f"repeat it with: {small.plan.wanted.command}"))


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_nothing_is_lost_or_repeated_whatever_goes_wrong(group: int) -> None:
    for seed in range(group, SEEDS, GROUPS):
        outcome = play(drawn(Wanted(seed)))
        assert not outcome.violations, complaint(outcome)


def test_the_seeds_reach_what_they_are_for() -> None:
    """A harness that never crashes a node, tears a write or rots a bit would find nothing and look well."""
    plans = [drawn(Wanted(seed)) for seed in range(SEEDS)]
    kinds = Counter(fault.kind for plan in plans for fault in plan.faults)
    assert {plan.size for plan in plans} == set(range(2, 9))
    assert {plan.shape for plan in plans} == {"line", "ring", "star", "mesh"}
    assert min(kinds.values()) >= 5
    assert kinds["crash"] >= SEEDS // 2
    assert sum(plan.tracked for plan in plans) >= 8
    assert sum(plan.windows is not None for plan in plans) >= SEEDS // 5


@pytest.mark.slow
def test_one_seed_gives_one_run() -> None:
    first, again = (play(drawn(Wanted(12))) for _ in range(2))
    assert first.counts == again.counts
    assert first.heads == again.heads


@pytest.mark.soak
def test_soak_many_histories() -> None:
    """Chunks of seeds on all cores until the time is up."""
    end_s = monotonic() + SOAK_S
    counts: Counter[str] = Counter()
    starts = count(SOAK_FROM, CHUNK)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        running = {pool.submit(_chunk, next(starts)) for _ in range(os.cpu_count() or 1)}
        while running:
            done = next(as_completed(running))
            running.remove(done)
            failed, sums = done.result()
            counts += sums
            assert not failed, failed
            if monotonic() < end_s:
                running.add(pool.submit(_chunk, next(starts)))
    print(f"\n{dict(sorted(counts.items()))}")
    assert counts["runs"] >= CHUNK
    assert counts["deaths"] > counts["runs"] / 4


def _chunk(first: int) -> tuple[str, Counter[str]]:
    """What failed in the seeds of a chunk, and how much there was of what."""
    counts: Counter[str] = Counter()
    for seed in range(first, first + CHUNK):
        outcome = play(drawn(Wanted(seed)))
        counts += outcome.counts
        if outcome.violations:
            return complaint(outcome), counts
    return "", counts
