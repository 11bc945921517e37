"""Association: scans of several objects, new objects, gates for late rows, and the test for one and the same object."""

from __future__ import annotations

import numpy as np
import pytest

from noroshi.tracking import (
    Measurements,
    TrackFilter,
    associate,
    concatenate,
    concatenate_tracks,
    estimate,
    gate,
    initiate,
    no_measurements,
    no_tracks,
    propagate,
    radar_measurements,
    same_object,
    scores,
    update,
)
from noroshi.tracking.association import chi_square_limit
from tests.tracking.honesty import SITES, look
from tests.tracking.scenes import case, rows

SIGMA = (40.0, 1e-3, 1e-3)


def scan(states: np.ndarray, second: int, rng: np.random.Generator) -> Measurements:
    """One row per object, shuffled by the caller."""
    value = look(states[:, :3], 0) + rng.normal(0, SIGMA, (len(states), 3))
    return radar_measurements(np.full(len(states), second * 10**9), SITES[0], value, SIGMA)


@pytest.mark.slow
def test_a_raid_of_eight_is_followed_without_a_mix_up() -> None:
    rng = np.random.default_rng(9)
    begin = propagate(case().arc.state, [100.0])[0, 0]
    start = begin + np.hstack((rng.normal(0, 15e3, (8, 3)), rng.normal(0, 60, (8, 3))))
    states = propagate(start, np.arange(40.0))
    tracks, owner = no_tracks(), np.zeros(0, np.int64)
    for second in range(40):
        order = rng.permutation(8)
        seen = scan(states[order, second], second, rng)
        found = associate(tracks, seen)
        held = found.row_of_track >= 0
        if second > 12:
            assert (order[found.row_of_track[held]] == owner[held]).all()
        tracks = concatenate_tracks(
            [update(tracks, seen, found.row_of_track), initiate(seen[found.unassigned])]
        )
        owner = np.concatenate((owner, order[found.unassigned]))
    assert len(tracks) == 8
    assert sorted(owner) == list(range(8))


def test_a_stranger_starts_a_new_track() -> None:
    track = estimate(rows()[:30])
    near = rows()[30:31]
    far = radar_measurements(near.time_ns, near.site_m, near.value + [0.0, 0.3, 0.0], near.sigma)
    found = associate(track, concatenate([far, near]))
    assert found.row_of_track.tolist() == [1]
    assert found.track_of_row.tolist() == [-1, 0]
    assert found.unassigned.tolist() == [0]
    assert 0 < found.distance[0] < chi_square_limit(3, 3.72)


def test_no_tracks_and_no_rows_are_fine() -> None:
    assert associate(no_tracks(), rows()[:3]).unassigned.tolist() == [0, 1, 2]
    assert associate(estimate(rows()[:3]), no_measurements()).row_of_track.tolist() == [-1]


@pytest.mark.slow
def test_innovation_distances_follow_chi_square() -> None:
    d2 = [
        scores(estimate(rows(seed=s)[:k]), rows(seed=s)[k : k + 1])[0][0, 0]
        for s in range(15)
        for k in (1, 2, 5, 20, 60, 100)
    ]
    assert np.mean(d2) == pytest.approx(3.0, abs=4 * np.sqrt(6 / len(d2)))


def test_the_gate_takes_own_rows_new_late_and_early_and_no_others() -> None:
    track = TrackFilter()
    track.add(rows()[5:60])
    assert gate(track, rows()[60:61]) is not None
    assert gate(track, rows()[60:70]) is not None
    assert gate(track, rows(seed=2)[20:23]) is not None
    assert gate(track, rows(seed=2)[:2]) is not None
    other = rows()[60:61]
    assert (
        gate(track, radar_measurements(other.time_ns, other.site_m, other.value + [0, 0.05, 0], SIGMA))
        is None
    )
    assert gate(track, no_measurements()) is None
    assert gate(TrackFilter(), other) is None
    assert len(track) == 55


def test_the_better_fit_scores_lower() -> None:
    near, vague = TrackFilter(), TrackFilter()
    near.add(rows()[:60])
    vague.add(rows()[58:60])
    row = rows()[60:61]
    sharp, blunt = gate(near, row), gate(vague, row)
    assert sharp is not None
    assert blunt is not None
    assert sharp < blunt


def test_two_partners_tracks_of_one_object_are_the_same_and_of_two_are_not() -> None:
    ours = [estimate(rows(seed=s)[0:60:2]) for s in range(20)]
    theirs = [estimate(rows(seed=s)[1:60:2]) for s in range(20)]
    same = same_object(concatenate_tracks(ours), concatenate_tracks(theirs))
    assert same.statistic.mean() == pytest.approx(6, abs=4 * np.sqrt(12 / 20))
    assert (same.probability > 1e-4).all()
    shifted = rows()[1:60:2]
    value = shifted.value - [0.0, 0.02, 0.0]
    other = estimate(radar_measurements(shifted.time_ns, shifted.site_m, value, shifted.sigma))
    assert same_object(ours[1], other).probability[0] < 1e-6


@pytest.mark.parametrize(("degrees", "expected"), [(3, 21.1), (30, 67.6), (300, 399.8)])
def test_gate_limits(degrees: int, expected: float) -> None:
    assert chi_square_limit(degrees, 3.72) == pytest.approx(expected, rel=0.04)
