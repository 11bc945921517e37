"""A pair: one plan played with and without what a partner may not have. All that the partner sees must be the same.

verdict = compare(Wanted(seed=7))
verdict.outcome                          # 'same', 'leak', or 'discarded' where the declared releases differ
"""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Literal

from tests.leaks.plan import Plan, Wanted, drawn
from tests.leaks.planted import planted
from tests.leaks.table import Table, differing

MOST_TRIES = 60
"""Pairs spent on making a failing one smaller: some seconds."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a pair shows. words: where the two differ; counts: of what was given and shown, for both runs."""

    plan: Plan
    outcome: Literal["same", "discarded", "leak"]
    words: str
    counts: Counter[str]


def compare(wanted: Wanted) -> Verdict:
    """Plays a pair."""
    plan = drawn(wanted)
    with planted(wanted.leak) if wanted.leak else nullcontext():
        with_it, without = (Table(plan, hidden=hidden).run() for hidden in (True, False))
    counts = with_it.counts + without.counts
    counts["glimpses"] = len(with_it.view)
    counts["declared"] = len(with_it.declared)
    if with_it.declared != without.declared:
        return Verdict(plan, "discarded", "", counts)
    words = differing(with_it.view, without.view)
    return Verdict(plan, "leak" if words else "same", words, counts)


def shrunk(wanted: Wanted) -> Verdict:
    """The smallest pair that still leaks, found by leaving steps out; the pair itself where it does not leak."""
    best = compare(wanted)
    tries = 0
    while best.outcome == "leak" and tries < MOST_TRIES:
        numbers = tuple(step.number for step in best.plan.steps)
        for smaller in _parts(numbers):
            tries += 1
            verdict = compare(replace(best.plan.wanted, steps=smaller))
            if verdict.outcome == "leak":
                best = verdict
                break
            if tries >= MOST_TRIES:
                return best
        else:
            return best
    return best


def told(verdict: Verdict) -> str:
    """A verdict in words, with the command that repeats it."""
    plan = verdict.plan
    lines = [f"{len(plan.coalition.members)} partners, {plan.partner} looks; {', '.join(plan.settings)}"]
    lines += [f"  {step}" for step in plan.steps]
    lines += [f"{verdict.outcome}: {verdict.words}" if verdict.words else verdict.outcome]
    return "\n".join((*lines, f"Repeat it with: {plan.wanted.command}"))


def _parts(numbers: tuple[int, ...]) -> list[tuple[int, ...]]:
    """The same without a half, a quarter, ... one of them."""
    parts: list[tuple[int, ...]] = []
    size = len(numbers) // 2 or len(numbers)
    while size:
        parts += [numbers[:start] + numbers[start + size :] for start in range(0, len(numbers), size)]
        size //= 2
    return parts
