"""Many seeded crises with random deaths and cuts: nothing lost, nothing repeated, every replay equal.

As long as it is given: NOROSHI_SOAK_S seconds (ten minutes by default), seeds from NOROSHI_SOAK_SEED on. A failure
prints its seed; the same seed alone repeats it.
"""

from __future__ import annotations

import os
import random
import time

import pytest

from noroshi.exercise.scenario import AnyInject, LinkDown, NodeDown
from tests.exercise.playing import SHORT_S, coalition_of, played

pytestmark = pytest.mark.soak

SECONDS = float(os.environ.get("NOROSHI_SOAK_S", "600"))
FIRST_SEED = int(os.environ.get("NOROSHI_SOAK_SEED", "1"))
STRUCTURES = ("before", "after", "trilateral")
LINKS = (("JPN", "USA"), ("KOR", "USA"))


def faults(draw: random.Random) -> tuple[AnyInject, ...]:
    """One to four deaths and cuts in the minutes around the warning; a node dies only while it lives."""
    injects: list[AnyInject] = []
    alive_from = dict.fromkeys(("jpn", "kor", "usa"), 0.0)
    for number in range(draw.randint(1, 4)):
        at_s, for_s = draw.uniform(60.0, 150.0), draw.uniform(0.5, 20.0)
        node = draw.choice(sorted(alive_from))
        if draw.random() < 0.5:
            injects.append(LinkDown(id=f"cut-{number}", at_s=at_s, between=draw.choice(LINKS), for_s=for_s))
        elif at_s > alive_from[node]:
            injects.append(NodeDown(id=f"death-{number}", at_s=at_s, node=node, for_s=for_s))
            alive_from[node] = 1e9
    return tuple(injects)


def test_random_faults_lose_nothing_and_repeat_nothing() -> None:
    started, seed = time.monotonic(), FIRST_SEED
    while seed == FIRST_SEED or time.monotonic() - started < SECONDS:
        draw = random.Random(seed)
        structure = draw.choice(STRUCTURES)
        injects = faults(draw)
        run = played(coalition_of(structure=structure, seed=seed, duration_s=SHORT_S, injects=injects), seed)
        assert run.audited() == (), (
            f"NOROSHI_SOAK_SEED={seed} NOROSHI_SOAK_S=0 make soak: {structure} {injects}"
        )
        assert run.measures.repeated_effects == 0, f"NOROSHI_SOAK_SEED={seed} NOROSHI_SOAK_S=0 make soak"
        seed += 1
    print(f"{seed - FIRST_SEED} seeds from {FIRST_SEED}: nothing lost, nothing repeated")
