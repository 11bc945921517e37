"""A failing run made small: fewer faults, fewer things said, fewer partners, a plainer shape, while it still fails.

small = shrunk(Wanted(seed=7))
small.wanted.command                     # the one command that repeats it
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tests.simulation.coalition import SHAPES, SMALLEST
from tests.simulation.plan import Wanted, drawn
from tests.simulation.play import Outcome, play

MOST_TRIES = 60
"""Runs spent on making one smaller: some five seconds."""


def shrunk(wanted: Wanted) -> Outcome:
    """The smallest failing run that was found, or the run itself where it does not fail."""
    best = play(drawn(wanted))
    tries = 0
    while best.violations:
        for smaller in _smaller(best):
            tries += 1
            outcome = play(drawn(smaller))
            if outcome.violations:
                best = outcome
                break
            if tries >= MOST_TRIES:
                return best
        else:
            return best
    return best


def _smaller(outcome: Outcome) -> Iterator[Wanted]:
    """Plans that ask for less, those that ask for much less first."""
    plan = outcome.plan
    wanted = replace(
        plan.wanted,
        says=tuple(one.number for one in plan.says),
        faults=tuple(one.number for one in plan.faults),
    )
    assert wanted.says is not None
    assert wanted.faults is not None
    for faults in _parts(wanted.faults):
        yield replace(wanted, faults=faults)
    for says in _parts(wanted.says):
        yield replace(wanted, says=says)
    for partners in range(SMALLEST, plan.size):
        yield replace(wanted, partners=partners)
    for shape in SHAPES[: SHAPES.index(plan.shape)]:
        yield replace(wanted, shape=shape)


def _parts(numbers: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The same without a half, a quarter, ... one of them."""
    size = len(numbers)
    while size:
        for start in range(0, len(numbers), size):
            yield numbers[:start] + numbers[start + size :]
        size //= 2
