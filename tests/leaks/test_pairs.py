"""What a partner may not have shows in nothing that it gets: bytes, sizes, order, numbering, tick, receipts, proofs.

`make test` plays `PAIRS` pairs; `make soak` as many as it has time for, on all cores (NOROSHI_SOAK_S seconds, seeds from
NOROSHI_SOAK_SEED on). A pair whose declared releases differ says nothing and is counted.
"""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from itertools import count
from time import monotonic

import pytest

from tests.leaks.__main__ import main
from tests.leaks.pairs import compare, shrunk, told
from tests.leaks.plan import HIDDEN_KINDS, SETTINGS, Wanted, drawn
from tests.leaks.planted import LEAKS, showing

PAIRS = 240
GROUPS = 8
"""Tests that they are shared among, so that a failure is seen before all have been played."""

MOST_DISCARDED = 0.15
"""Of the pairs: more would mean that what is hidden mostly comes out by declared releases, and little is compared."""

MOST_TRIED = 60
"""Pairs within which a planted leak must show."""

SOAK_S = float(os.environ.get("NOROSHI_SOAK_S", "600"))
SOAK_FROM = int(os.environ.get("NOROSHI_SOAK_SEED", "100000"))
CHUNK = 20
"""Pairs that one process plays at a time."""


def played(seeds: range) -> tuple[str, Counter[str]]:
    """What leaked, made small, with the command that repeats it; and how much there was of what."""
    counts: Counter[str] = Counter()
    for seed in seeds:
        verdict = compare(Wanted(seed))
        counts += verdict.counts
        counts[verdict.outcome] += 1
        if verdict.outcome == "leak":
            return told(shrunk(Wanted(seed))), counts
    return "", counts


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_what_a_partner_may_not_have_shows_in_nothing(group: int) -> None:
    leak, counts = played(range(group, PAIRS, GROUPS))
    assert not leak, leak
    assert counts["discarded"] <= 2 * MOST_DISCARDED * counts.total()


def test_the_pairs_reach_what_they_are_for() -> None:
    """Pairs in which nothing is hidden, or nothing is seen, would all be the same and look well."""
    plans = [drawn(Wanted(seed)) for seed in range(PAIRS)]
    hidden = Counter(step.kind for plan in plans for step in plan.steps if step.hidden)
    assert set(hidden) == set(HIDDEN_KINDS)
    assert min(hidden.values()) >= 5
    assert {len(plan.coalition.members) for plan in plans} == {2, 3, 4, 5}
    assert {setting for plan in plans for setting in plan.settings} == set(SETTINGS)
    assert sum(plan.tracked for plan in plans) >= PAIRS // 30
    assert all(any(step.hidden for step in plan.steps) for plan in plans[:200:10])


@pytest.mark.slow
def test_there_is_something_to_see() -> None:
    counts: Counter[str] = Counter()
    for seed in range(20):
        verdict = compare(Wanted(seed))
        counts += verdict.counts
        counts["seen"] += verdict.counts["glimpses"] > len(verdict.plan.coalition.members)
    assert counts["glimpses"] > 80
    assert counts["seen"] >= 10
    assert counts["received refused"] > 10, "others' garbage is refused"


def test_one_seed_gives_one_pair() -> None:
    first, again = (compare(Wanted(3)) for _ in range(2))
    assert (first.outcome, first.counts) == (again.outcome, again.counts)


def found(leak: str) -> Wanted:
    """The first pair that shows a planted leak."""
    for number in range(1, MOST_TRIED):
        wanted = showing(leak, number)
        if compare(wanted).outcome == "leak":
            return wanted
    pytest.fail(f"{MOST_TRIED} pairs did not show: {leak}")


@pytest.mark.slow
@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_found(leak: str) -> None:
    wanted = found(leak)
    sound = compare(replace(wanted, leak=""))
    assert sound.outcome != "leak", "and without it the same pair shows none"


@pytest.mark.slow
def test_a_leaking_pair_is_made_small_and_repeated_by_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    big = found("refusals are told")
    small = shrunk(big)
    assert small.outcome == "leak"
    assert len(small.plan.steps) <= 2 < len(drawn(big).steps)
    command = small.plan.wanted.command
    assert main(["--seed", str(big.seed), "--steps", command.split()[6], "--leak", big.leak]) == 1
    assert small.words in capsys.readouterr().out


@pytest.mark.soak
def test_soak_many_pairs() -> None:
    """Chunks of pairs on all cores until the time is up."""
    end_s = monotonic() + SOAK_S
    counts: Counter[str] = Counter()
    starts = count(SOAK_FROM, CHUNK)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        running = {pool.submit(played, _chunk(next(starts))) for _ in range(os.cpu_count() or 1)}
        while running:
            done = next(as_completed(running))
            running.remove(done)
            leak, sums = done.result()
            counts += sums
            assert not leak, leak
            if monotonic() < end_s:
                running.add(pool.submit(played, _chunk(next(starts))))
    print(f"\n{dict(sorted(counts.items()))}")
    assert counts["same"] >= CHUNK
    assert counts["discarded"] <= MOST_DISCARDED * (counts["same"] + counts["discarded"])


def _chunk(first: int) -> range:
    return range(first, first + CHUNK)
