"""Partners' pictures held together: one shift for all, strangers kept apart, and counts that disagree explained."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from noroshi.tracking import (
    TrackError,
    Tracks,
    compare_counts,
    concatenate_tracks,
    estimate,
    match_pictures,
    no_tracks,
    propagate,
    radar_measurements,
)
from tests.tracking.honesty import EPOCH_NS, RADARS, SITES, look
from tests.tracking.scenes import case

SHIFT = (2000.0, 20.0)


@cache
def picture(radar: int, offsets: tuple[tuple[float, float], ...], azimuth_rad: float = 0.0) -> Tracks:
    """One radar's tracks, after 40 s, of objects beside one arc: (m aside, m/s aside) of each at the start."""
    one = case("a2700", 40.0)
    mine = np.flatnonzero(one.radar == radar)
    _, _, s_range, s_angle, _ = RADARS[radar]
    sigma = np.array([s_range, s_angle, s_angle])
    aside = np.cross(one.arc.state[:3], one.arc.state[3:])
    aside /= np.linalg.norm(aside)
    found = []
    for number, (away_m, apart_mps) in enumerate(offsets):
        state = one.arc.state + np.concatenate((aside * away_m, aside * apart_mps))
        position = propagate(state, one.time_s[mine])[0, :, :3]
        rng = np.random.default_rng([radar, number])
        value = look(position, radar) + rng.standard_normal((len(mine), 3)) * sigma + [0.0, azimuth_rad, 0.0]
        times = EPOCH_NS + np.rint(one.time_s[mine] * 1e9).astype(np.int64)
        found.append(estimate(radar_measurements(times, SITES[radar], value, sigma)))
    return concatenate_tracks(found)


SPREAD = tuple((2_500.0 * k + 400.0 * k * k, 3.0 * (k % 3)) for k in range(6))


def test_a_shifted_picture_is_matched_as_a_whole() -> None:
    ours, theirs = picture(0, SPREAD, 3e-3), picture(2, SPREAD)[[5, 3, 1, 0, 4]]
    found = match_pictures(ours, theirs, shift_sigma=SHIFT)
    assert found.pairs.tolist() == [[0, 3], [1, 2], [3, 1], [4, 4], [5, 0]]
    assert found.only_a.tolist() == [2]
    assert found.only_b.tolist() == []
    assert (found.probability[found.pairs[:, 0], found.pairs[:, 1]] > 0.9).all()
    assert found.probability.sum(axis=1).max() < 1 + 1e-6
    assert 600 < np.linalg.norm(found.shift[:3]) < 2500
    rigid = match_pictures(ours, theirs, shift_sigma=(0.0, 0.0))
    assert len(rigid.pairs) < 3
    assert not rigid.shift.any()


def test_order_of_rows_is_of_no_matter() -> None:
    ours, theirs = picture(0, SPREAD), picture(2, SPREAD)
    turn = np.array([3, 1, 4, 0, 5, 2])
    straight, turned = match_pictures(ours, theirs), match_pictures(ours, theirs[turn])
    assert straight.pairs.tolist() == [[k, k] for k in range(6)]
    assert {(i, int(turn[k])) for i, k in turned.pairs.tolist()} == {(k, k) for k in range(6)}


def test_strangers_are_not_the_same() -> None:
    near, far = picture(0, ((0.0, 0.0),)), picture(2, ((60_000.0, 0.0),))
    found = match_pictures(near, far)
    assert found.not_same.all()
    assert len(found.pairs) == 0
    assert found.probability[0, 0] == 0
    empty = match_pictures(near, no_tracks())
    assert (empty.only_a.tolist(), empty.pairs.shape) == ([0], (0, 2))
    with pytest.raises(TrackError):
        match_pictures(near, far, shift_sigma=(-1.0, 0.0))


def test_equal_pictures_agree() -> None:
    said = compare_counts({"JPN": picture(0, SPREAD), "KOR": picture(2, SPREAD)})
    assert not said.disagree
    assert (said.least, said.most, said.expected) == (6, 6, 6.0)
    assert said.counts == (("JPN", 6), ("KOR", 6))
    assert said.sentence == "JPN counts 6, KOR counts 6: the same objects."


def test_three_against_two_is_named_and_explained() -> None:
    """Two close objects that the other radar cannot tell apart: both counts stand, with who lacks what and why."""
    three, two = ((0.0, 0.0), (1_500.0, 0.0), (30_000.0, 0.0)), ((0.0, 0.0), (30_000.0, 0.0))
    said = compare_counts({"JPN": picture(0, three), "KOR": picture(2, two)})
    assert said.disagree
    (one,) = said.unmatched
    assert (one.partner, one.track, one.missing_at, one.why, one.beside) == ("JPN", 1, "KOR", "unresolved", 0)
    assert one.distance_m == pytest.approx(1_500, abs=600)
    assert (said.least, said.most) == (3, 3)
    assert "KOR may see one" in said.sentence


def test_a_piece_that_came_apart_is_told_from_one_that_nothing_explains() -> None:
    apart, plain = picture(0, ((0.0, 0.0), (0.0, 60.0))), picture(2, ((0.0, 0.0),))
    said = compare_counts({"JPN": apart, "KOR": plain})
    (one,) = said.unmatched
    assert (one.why, one.beside) == ("separated", 0)
    assert one.apart_s > 0
    assert (said.least, said.most) == (1, 2)
    lone = compare_counts({"JPN": picture(0, ((0.0, 0.0), (60_000.0, 0.0))), "KOR": plain})
    assert [one.why for one in lone.unmatched] == ["not-seen"]
    assert (lone.least, lone.most) == (1, 2)


def test_three_partners_make_one_object_of_three_tracks() -> None:
    pictures = {"JPN": picture(0, SPREAD), "KOR": picture(2, SPREAD[:5]), "USA": picture(2, SPREAD[:5])}
    doubt = {"JPN": np.array([1, 1, 1, 1, 1, 0.25]), "KOR": np.ones(5), "USA": np.ones(5)}
    said = compare_counts(pictures, existence=doubt)
    assert [len(group) for group in said.objects] == [3, 3, 3, 3, 3, 1]
    assert {(one.partner, one.track, one.missing_at) for one in said.unmatched} == {
        ("JPN", 5, "KOR"),
        ("JPN", 5, "USA"),
    }
    assert said.expected == pytest.approx(5.25)
    assert (said.least, said.most) == (5, 6)
    assert not compare_counts({"JPN": no_tracks()}).disagree
