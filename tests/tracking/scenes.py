"""Small seeded scenes for the tests of tracking: one arc, the three notional radars of `honesty`, noisy rows."""

from __future__ import annotations

from functools import cache

import numpy as np

from noroshi.tracking import Measurements, concatenate, propagate
from tests.tracking.honesty import Case, Floats, build, detections

BETA_KGM2 = 5000.0


@cache
def case(name: str = "a2700", window_s: float = 60.0) -> Case:
    """The schedule of an arc; built once."""
    return build(name, window_s)


def truth(name: str = "a2700", window_s: float = 60.0) -> Floats:
    """True states (k, 6) at the instants of the schedule."""
    one = case(name, window_s)
    states: Floats = propagate(one.arc.state, one.time_s, BETA_KGM2)[0]
    return states


@cache
def rows(name: str = "a2700", window_s: float = 60.0, seed: int = 1) -> Measurements:
    """Noisy rows of one object in time order."""
    one, states = case(name, window_s), truth(name, window_s)
    rng = np.random.default_rng(seed)
    return concatenate([detections(one, states[k : k + 1], k, rng) for k in range(len(states))])
