"""Fusion: the same bits as the central filter in any order, nothing counted twice, and never surer than is true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from noroshi.messages.cells import cell_of
from noroshi.tracking import (
    EvidencePool,
    Foreign,
    Increment,
    InformationSum,
    MeasurementError,
    TrackError,
    TrackFilter,
    Tracks,
    concatenate,
    concatenate_tracks,
    estimate,
    intersect,
    intersect_falls,
    intersect_inverse,
    predict,
    predict_falls,
    reduced_fall,
    solve_sums,
    sum_columns,
    sum_from_columns,
    sum_up,
)
from tests.tracking.scenes import case, rows, truth

WINDOW_S = 60.0
STEP = 5


def increments() -> list[Increment]:
    """The three radars' rows as three partners say them, five at a time."""
    made = []
    for radar in range(3):
        mine = rows("a2700", WINDOW_S)[case("a2700", WINDOW_S).radar == radar]
        for number in range((len(mine) + STEP - 1) // STEP):
            part = mine[number * STEP : (number + 1) * STEP]
            made.append(Increment(f"P{radar}", "radar", number + 1, part))
    return made


def sums(each: int = 2) -> list[InformationSum]:
    """Sums of `each` increments, from each partner's own track alone."""
    made = []
    for origin in ("P0", "P1", "P2"):
        track = TrackFilter()
        mine = [one for one in increments() if one.origin == origin]
        for k in range(0, len(mine), each):
            parts = mine[k : k + each]
            for part in parts:
                track.add(part.rows)
            made.append(
                sum_up(
                    concatenate([part.rows for part in parts]),
                    track.tracks,
                    origin=origin,
                    source="radar",
                    first=parts[0].sequence,
                    last=parts[-1].sequence,
                )
            )
    return made


def sigmas_off(found: Tracks, wanted: Tracks) -> float:
    off = (found.mean - wanted.mean)[0]
    return float(np.sqrt(off @ np.linalg.solve(wanted.covariance[0], off)))


@pytest.mark.parametrize("seed", [0, 1])
def test_any_order_with_repeats_is_the_central_filter_to_the_last_bit(seed: int) -> None:
    pool, said = EvidencePool(), increments()
    rng = np.random.default_rng(seed)
    for turn, k in enumerate([*rng.permutation(len(said)), *rng.permutation(len(said))]):
        assert pool.take(said[k]) == ("new" if turn < len(said) else "repeat")
        if turn == 7:
            assert pool.fused() is not None  # what is asked meanwhile changes nothing
    fused = pool.fused()
    assert fused is not None
    assert fused.tracks == estimate(rows("a2700", WINDOW_S))
    assert (fused.method, fused.rows, fused.origins) == (
        "exact",
        len(rows("a2700", WINDOW_S)),
        ("P0", "P1", "P2"),
    )


def test_what_is_missing_is_named_and_how_far_it_is_held() -> None:
    pool, said = EvidencePool(), [one for one in increments() if one.origin == "P0"]
    for one in said:
        if one.sequence != 3:
            pool.take(one)
    assert pool.missing("P0", "radar") == (3,)
    assert pool.held_until("P0") == said[1].rows.time_ns[-1]
    pool.take(said[2])
    assert pool.missing("P0", "radar") == ()
    assert pool.held_until("P0") == said[-1].rows.time_ns[-1]
    assert pool.held_until("P9") == 0


def test_two_things_under_one_number_are_both_left_out_in_either_order() -> None:
    said = increments()
    lie = Increment(said[0].origin, said[0].source, said[0].sequence, said[4].rows)
    answers = []
    for first, second in ((said[0], lie), (lie, said[0])):
        pool = EvidencePool()
        pool.take(said[1])
        assert pool.take(first) == "new"
        assert pool.take(second) == pool.take(first) == "contradiction"
        answers.append(pool.fused())
    for fused in answers:
        assert fused is not None
        assert fused.tracks == estimate(said[1].rows)
        assert [(left.first, left.why) for left in fused.left_out] == [
            (1, "different things were said under one number")
        ]


def test_sums_are_the_central_filter_within_a_twentieth() -> None:
    central = estimate(rows("a2700", WINDOW_S))
    pool = EvidencePool()
    for one in reversed(sums()):
        assert pool.take(one) == "new"
    fused = pool.fused()
    assert fused is not None
    assert (fused.method, fused.rows) == ("exact", 0)
    assert sigmas_off(fused.tracks, central) < 0.1
    ratio = np.sqrt(np.diagonal(fused.tracks.covariance[0]) / np.diagonal(central.covariance[0]))
    assert np.abs(ratio - 1).max() < 0.05


def test_a_sum_and_its_rows_are_never_both_counted() -> None:
    said, summed = increments(), sums()
    central = estimate(rows("a2700", WINDOW_S))
    pool = EvidencePool()
    everything: list[Increment | InformationSum] = [*summed, *said]
    for piece in everything:
        pool.take(piece)
    fused = pool.fused()
    assert fused is not None
    assert fused.tracks == central  # all rows of every sum are held: they go before it
    assert {left.why for left in fused.left_out} == {"all of its rows are held"}
    partly = EvidencePool()
    for piece in everything[: len(summed)] + everything[len(summed) :: 2]:
        partly.take(piece)
    mixed = partly.fused()
    assert mixed is not None
    assert mixed.sums > 0
    assert "a sum stands for it" in {left.why for left in mixed.left_out}
    size = np.trace(mixed.tracks.covariance[0, :3, :3]) / np.trace(central.covariance[0, :3, :3])
    assert 0.95**2 < size < 1.05**2


def test_of_sums_that_overlap_the_longest_counts() -> None:
    short, long = sums(1), sums(3)
    pool = EvidencePool()
    for piece in (*short, *long):
        pool.take(piece)
    fused = pool.fused()
    assert fused is not None
    assert fused.tracks == solve_sums(long)
    assert fused.sums == len(long)


def test_a_stated_bias_is_shared_by_all_sums_of_a_source() -> None:
    """Ten sums of one radar that may be off do not average its bias away."""
    track = TrackFilter()
    made = []
    for one in (part for part in increments() if part.origin == "P0"):
        biased = replace(one.rows, bias_sigma=np.tile([0.0, 3e-3, 3e-3], (len(one.rows), 1)))
        track.add(biased)
        made.append(
            sum_up(biased, track.tracks, origin="P0", source="radar", first=one.sequence, last=one.sequence)
        )
    sure = solve_sums([one for one in sums() if one.origin == "P0"])
    unsure = solve_sums(made)
    across_m = 3e-3 * float(rows("a2700", WINDOW_S)[case("a2700", WINDOW_S).radar == 0].value[-1, 0])
    assert np.sqrt(np.trace(sure.covariance[0, :3, :3])) < 0.2 * across_m
    assert np.sqrt(np.trace(unsure.covariance[0, :3, :3])) > across_m
    assert sum_from_columns(sum_columns(made[0])) == made[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("first", 0),
        ("last", 10**9),
        ("count", 0),
        ("from_ns", -1),
        ("origin", 7),
        ("first", 1.0),
        ("reference", [0.0] * 7),
        ("reference", [float("nan")] * 7),
        ("vector", [0.0] * 6),
        ("bias_sigma", [-1.0, 0.0, 0.0]),
        ("information", [-1.0] * 28),
        ("information", None),
    ],
)
def test_a_sum_that_is_none_is_refused(name: str, value: object) -> None:
    with pytest.raises(MeasurementError):
        sum_from_columns({**sum_columns(sums()[0]), name: value})


def locals_() -> Tracks:
    """Each radar's own track, at the time of the last row."""
    at_ns = int(rows("a2700", WINDOW_S).time_ns[-1])
    parts = []
    for radar in range(3):
        own = estimate(rows("a2700", WINDOW_S)[case("a2700", WINDOW_S).radar == radar])
        parts.append(predict(own, at_ns))
    return concatenate_tracks(parts)


def test_a_track_and_its_own_copies_stay_what_they_are() -> None:
    one = locals_()[:1]
    many = concatenate_tracks([one] * 4)
    for found in (intersect(many).tracks, intersect_inverse(many)):
        np.testing.assert_allclose(found.mean, one.mean, rtol=1e-9)
        np.testing.assert_allclose(found.covariance, one.covariance, rtol=1e-6, atol=1e-9)


def test_intersection_lies_inside_every_bound_and_its_order_is_of_no_matter() -> None:
    parts = locals_()
    found = intersect(parts)
    assert found.weights.sum() == pytest.approx(1.0)
    assert intersect(parts[[2, 0, 1]]).tracks == found.tracks
    information = np.einsum("n,nij->ij", found.weights, np.linalg.inv(parts.covariance))
    np.testing.assert_allclose(np.linalg.inv(information), found.tracks.covariance[0], rtol=1e-4)
    best = np.linalg.slogdet(information)[1]
    for weights in np.random.default_rng(1).dirichlet([1.0, 1.0, 1.0], 200):
        other = np.einsum("n,nij->ij", weights, np.linalg.inv(parts.covariance))
        assert np.linalg.slogdet(other)[1] < best + 0.02
    inverse = intersect_inverse(parts)
    independent = np.linalg.inv(np.linalg.inv(parts.covariance).sum(axis=0))
    sizes = [
        np.linalg.slogdet(one)[1] for one in (independent, inverse.covariance[0], found.tracks.covariance[0])
    ]
    assert sizes == sorted(sizes)


def test_foreign_tracks_are_intersected_and_the_answer_says_so() -> None:
    pool = EvidencePool()
    for one in increments():
        if one.origin == "P0":
            pool.take(one)
    theirs = estimate(rows("a2700", WINDOW_S))
    fused = pool.fused(foreign=[Foreign("rumour", theirs)])
    assert fused is not None
    assert fused.method == "covariance-intersection"
    assert "rumour" in fused.reason
    assert fused.foreign == ("rumour",)
    # It holds P0's rows already: a copy that counted them again would be surer than all rows together.
    assert (
        np.linalg.slogdet(fused.tracks.covariance[0])[1] > np.linalg.slogdet(theirs.covariance[0])[1] - 0.05
    )
    own = estimate(rows("a2700", WINDOW_S)[case("a2700", WINDOW_S).radar == 0])
    known = pool.fused(foreign=[Foreign("echo", own, frozenset({"P0"}))])
    assert known is not None
    assert known.method == "exact"
    assert known.left_out[-1].why == "its evidence is held in full"


def test_a_flag_turns_sums_into_tracks_and_drops_those_without_it() -> None:
    pool = EvidencePool()
    for one in sums():
        pool.take(one)
    fused = pool.fused(foreign=[Foreign("late", locals_()[:1])], manoeuvring=True)
    assert fused is not None
    assert fused.method == "covariance-intersection"
    assert "manoeuvring" in fused.reason
    assert fused.foreign == ()
    assert "free fall" in fused.left_out[-1].why
    calm = pool.fused()
    assert calm is not None
    assert np.trace(fused.tracks.covariance[0, :3, :3]) > 2 * np.trace(calm.tracks.covariance[0, :3, :3])


def test_nothing_gives_nothing() -> None:
    assert EvidencePool().fused() is None
    assert EvidencePool().take(Increment("A", "b", 1, rows()[:0])) == "empty"
    with pytest.raises(MeasurementError):
        Increment("A", "b", 0, rows()[:1])
    for ask in (
        lambda: intersect(locals_()[:0]),
        lambda: intersect_inverse(locals_()[:0]),
        lambda: solve_sums([]),
    ):
        with pytest.raises(TrackError):
            ask()


def test_a_reduced_edition_counts_only_where_its_full_form_is_not_held() -> None:
    early = predict_falls(estimate(rows("a2700", WINDOW_S)[:12]))
    late = predict_falls(estimate(rows("a2700", WINDOW_S)))
    row, column = cell_of(late.lat_rad[0], late.lon_rad[0], 720)
    middle = int(late.time_ns[0]) // 10**9 // 60 * 60
    edition = reduced_fall("KOR", 720, row, column, middle * 10**9, (middle + 60) * 10**9)
    assert edition is not None
    assert edition.sigma_m[1] == pytest.approx(0.75 * 20_004_000 / 720)
    held = intersect_falls(early, [edition], held={"KOR"})
    assert held.falls is early
    assert (held.method, held.used, held.left_out) == ("exact", (), (("KOR", "its full evidence is held"),))
    fused = intersect_falls(early, [edition])
    assert (fused.method, fused.used) == ("covariance-intersection", ("KOR",))
    assert np.linalg.det(fused.falls.covariance[0]) < np.linalg.det(early.covariance[0])
    twice = intersect_falls(early, [edition, edition])
    np.testing.assert_allclose(twice.falls.covariance, fused.falls.covariance, rtol=0.02)
    none = predict_falls(estimate(rows()[:1]))
    alone = intersect_falls(none, [edition])
    assert not none.valid[0]
    assert alone.falls.valid[0]
    assert abs(alone.falls.lat_rad[0] - edition.lat_rad) < 1e-9
    sure = intersect_falls(late, [edition])
    assert (sure.falls, sure.method) == (late, "exact")
    assert reduced_fall("KOR", 720, -1, 0, 1, 2) is None
    assert reduced_fall("KOR", 720, row, column, 5, 5) is None


def test_fused_truth_lies_where_it_is_claimed() -> None:
    true = truth("a2700", WINDOW_S)[-1]
    for found in (intersect(locals_()).tracks, intersect_inverse(locals_())):
        off = found.mean[0, :6] - true
        assert off @ np.linalg.solve(found.covariance[0, :6, :6], off) < 22.5  # 99.9 % of 6 degrees
