"""Plays one pair, or many: python -m tests.leaks --seed 7, or --from 1 --count 10000.

It ends with 0 when the partner who looks saw the same in both runs, with 1 when not: then it says what differed, made
small, and the command that repeats it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from time import monotonic

from tests.leaks.pairs import compare, shrunk, told
from tests.leaks.plan import SETTINGS, Wanted
from tests.leaks.planted import LEAKS
from tests.simulation.plan import numbers


def main(words: list[str]) -> int:
    """Plays what the words ask for, and gives the exit code."""
    asked = _parser().parse_args(words)
    if asked.seed is not None:
        verdict = compare(Wanted(asked.seed, asked.steps, asked.tracked, asked.setting, asked.leak))
        print(told(verdict))
        return 1 if verdict.outcome == "leak" else 0
    return _many(asked)


def _many(asked: argparse.Namespace) -> int:
    counts: Counter[str] = Counter()
    begun_s = monotonic()
    seed, leaks = asked.first, 0
    while (
        seed < asked.first + asked.count if asked.count is not None else monotonic() - begun_s < asked.seconds
    ):
        wanted = Wanted(seed, tracked=asked.tracked, setting=asked.setting, leak=asked.leak)
        verdict = compare(wanted)
        counts += verdict.counts
        counts[f"pairs {verdict.outcome}"] += 1
        counts[f"pairs {'tracked' if verdict.plan.tracked else 'untracked'}"] += 1
        seed += 1
        if verdict.outcome == "leak":
            leaks += 1
            print(told(shrunk(wanted)), flush=True)
            if not asked.go_on:
                break
    print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    print(f"{monotonic() - begun_s:.0f} s")
    return 1 if leaks else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.leaks", description=__doc__)
    parser.add_argument("--seed", type=int, help="the one pair to play")
    parser.add_argument("--steps", type=numbers, help="which of its steps to keep, for example 0-3,7")
    parser.add_argument(
        "--tracked", action=argparse.BooleanOptionalAction, help="whether radars see a flight"
    )
    parser.add_argument("--setting", choices=SETTINGS, help="which policy every node has")
    parser.add_argument("--leak", choices=LEAKS, default="", help="plant a leak, to see it found")
    parser.add_argument("--from", dest="first", type=int, default=1, help="the first of many seeds")
    parser.add_argument("--count", type=int, help="how many pairs")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="or for how long, where no count is given"
    )
    parser.add_argument("--go-on", action="store_true", help="go on after a leak")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
