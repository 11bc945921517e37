"""Repeats one seeded run, or runs many: python -m tests.simulation --seed 7, or --from 1 --count 500.

It ends with 0 when all held, with 1 when something did not: then it says what, and the command that repeats it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from time import monotonic

from tests.simulation.coalition import LARGEST, SHAPES, SMALLEST
from tests.simulation.defects import DEFECTS
from tests.simulation.plan import Wanted, drawn, numbers
from tests.simulation.play import Outcome, play
from tests.simulation.shrink import shrunk


def main(words: list[str]) -> int:
    """Runs what the words ask for, and gives the exit code."""
    asked = _parser().parse_args(words)
    if asked.seed is not None:
        outcome = play(
            drawn(Wanted(asked.seed, asked.partners, asked.shape, asked.says, asked.faults, asked.defect))
        )
        print(_told(outcome))
        return 1 if outcome.violations else 0
    return _many(asked.first, asked.count, asked.seconds)


def _many(first: int, count: int | None, seconds: float) -> int:
    counts: Counter[str] = Counter()
    begun_s = monotonic()
    seed = first
    while seed < first + count if count is not None else monotonic() - begun_s < seconds:
        outcome = play(drawn(Wanted(seed)))
        counts += outcome.counts
        seed += 1
        if outcome.violations:
            print(f"Seed {outcome.plan.wanted.seed} fails; made as small as it goes:")
            print(_told(shrunk(outcome.plan.wanted)))
            return 1
    print(_sums(counts))
    return 0


def _told(outcome: Outcome) -> str:
    """A run in words."""
    plan = outcome.plan
    lines = [f"{plan.size} partners in a {plan.shape}, {len(plan.says)} things said; what went wrong:"]
    lines += [f"  {fault}" for fault in plan.faults] or ["  nothing"]
    lines += [_sums(outcome.counts)]
    lines += [f"VIOLATION: {one}" for one in outcome.violations] or ["All held."]
    lines += [f"Repeat it with: {plan.wanted.command}"] if outcome.violations else []
    return "\n".join(lines)


def _sums(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items()) if count)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="the one seed to run")
    parser.add_argument("--partners", type=int, choices=range(SMALLEST, LARGEST + 1), metavar="N")
    parser.add_argument("--shape", choices=SHAPES)
    parser.add_argument("--says", type=numbers, help="which of the things said to keep, for example 0-3,7")
    parser.add_argument("--faults", type=numbers, help="which of the faults to keep, or none")
    parser.add_argument("--defect", choices=DEFECTS, default="", help="plant a defect, to see it found")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first of many seeds")
    parser.add_argument("--count", type=int, help="how many seeds")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="or for how long, where no count is given"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
