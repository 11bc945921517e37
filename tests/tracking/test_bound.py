"""The Cramer-Rao bound of the benchmarks: what it rests on, and that the filter neither beats it nor lies far above."""

from __future__ import annotations

import numpy as np
import pytest

from noroshi.cli.benches.arcs import Case, build, play, rmse
from noroshi.cli.benches.bound import fall_bound, state_bounds
from noroshi.tracking import initiate
from noroshi.tracking.filtering import VELOCITY_SIGMA_MPS
from tests.tracking.scenes import rows


def test_the_bound_begins_with_what_the_first_row_gives() -> None:
    case = build("a2700", 60.0)
    alone = Case(case.arc, case.time_s[:1], case.radar[:1])
    bound = state_bounds(alone, [0])[0]
    own = initiate(rows()[:1]).covariance[0]
    sizes = [np.sqrt(np.linalg.eigvalsh(one[:3, :3])) for one in (bound, own)]
    assert sizes[1] == pytest.approx(sizes[0], rel=0.02)
    assert np.sqrt(np.diagonal(bound)[3:]) == pytest.approx(VELOCITY_SIGMA_MPS)


def test_every_row_lowers_the_bound_and_unknown_drag_raises_that_of_the_fall() -> None:
    case = build("a1000", 60.0)
    bounds = state_bounds(case, [3, 30, 140])
    volume = [np.linalg.slogdet(one)[1] for one in bounds]
    assert volume[0] > volume[1] > volume[2]
    known, unknown = (fall_bound(case, 140, bounds[-1], drag=drag) for drag in (False, True))
    assert np.sqrt(known[2, 2]) < 1.0
    assert 3.0 < np.sqrt(unknown[2, 2]) < 6.0


@pytest.mark.slow
def test_the_filter_is_on_the_bound() -> None:
    """200 runs: a ratio has a standard deviation of about 4 %."""
    case = build("a2700", 60.0)
    for mark in play("a2700", 200, 4, (5, 20, 60), drag=False):
        error = mark.tracks.mean[:, :6] - mark.truth
        bound = state_bounds(case, [mark.row])[0]
        for part in (slice(0, 3), slice(3, 6)):
            assert 0.85 < rmse(error[:, part]) / np.sqrt(np.trace(bound[part, part])) < 1.15
