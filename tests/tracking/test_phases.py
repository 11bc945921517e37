"""Phases of flight: powered ascent, its end, manoeuvres, re-entry; honest in each, and quiet in free fall."""

from __future__ import annotations

import math

import numpy as np
import pytest

from noroshi.geo.frames import ecef_to_geodetic
from noroshi.tracking import Phase, TrackError, TrackFilter, kernels, predict, predict_falls, propagate
from noroshi.tracking.filtering import BETA_RANGE_KGM2, LN_BETA_SIGMA, PRIOR
from tests.tracking.honesty import ARCS, RADARS, Floats, build, look
from tests.tracking.pulls import nees_of, pulled, rows_of, seen_ascent
from tests.tracking.scenes import rows

MANOEUVRE_S = (100.0, 150.0)


def test_free_fall_is_the_plain_filter_bit_for_bit() -> None:
    track = TrackFilter()
    track.add(rows())
    mean, cov = np.zeros(7), np.zeros((7, 7))
    none, none3 = np.zeros((0, 7)), np.zeros((0, 7, 7))
    kernels.filter_rows(rows().rows, PRIOR, 0, len(rows()), mean, cov, none, none3)
    assert np.array_equal(track.tracks.mean[0], mean)
    assert np.array_equal(track.tracks.covariance[0], cov)
    assert track.flight.phase is Phase.FREE_FALL
    assert track.flight.free_probability == 1
    assert track.flight.since_ns == track.first_observed_ns
    assert track.flight.manoeuvred_ns is None
    assert track.flight.free_since_ns is None


@pytest.mark.slow
def test_a_powered_ascent_is_said_and_no_fall_is_claimed_until_it_ends() -> None:
    seen, times, _ = seen_ascent(100.0, 1, lowest_m=15e3)
    track, said = TrackFilter(), []
    for k in range(len(seen)):
        track.add(seen[k : k + 1])
        flight = track.flight
        said.append(flight.phase)
        assert predict_falls(track.tracks).valid[0] <= flight.phase.free
    burning = times < 99
    assert {phase for phase, burns in zip(said, burning, strict=True) if burns} == {Phase.POWERED}
    assert said[-1] is Phase.FREE_FALL
    assert predict_falls(track.tracks).valid[0]
    assert track.flight.free_since_ns is not None
    burnt_s = (track.flight.free_since_ns - seen.time_ns[0]) / 1e9 + times[0]
    assert abs(burnt_s - 100) < 5
    assert track.flight.manoeuvred_ns is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("burn_s", "growth", "lowest_m"), [(70, 0.4, 15e3), (100, 0.2, 15e3), (150, 0.1, 90e3)]
)
def test_the_estimate_is_honest_under_power_and_after(burn_s: float, growth: float, lowest_m: float) -> None:
    """And 40 s after the burn as good as that of a filter which is told when it ended."""
    marks: dict[float, list[float]] = {-5.0: [], 1.0: [], 10.0: [], 20.0: [], 40.0: [], 55.0: []}
    errors, told_errors = [], []
    for seed in range(40):
        seen, times, truth = seen_ascent(burn_s, seed, lowest_m=lowest_m, growth=growth)
        track, at = TrackFilter(), 0
        for mark, found in marks.items():
            k = int(np.searchsorted(times, burn_s + mark))
            track.add(seen[at : k + 1])
            at = k + 1
            found.append(nees_of(track, truth[k]))
            if mark == 40.0:
                told = TrackFilter()
                told.add(seen[int(np.searchsorted(times, burn_s)) : k + 1])
                errors.append(track.tracks.velocity_mps[0] - truth[k, 3:])
                told_errors.append(told.tracks.velocity_mps[0] - truth[k, 3:])
    means = {mark: float(np.mean(found)) for mark, found in marks.items()}
    assert all(mean < 9.0 for mean in means.values()), means
    assert all(4.5 < means[mark] < 7.8 for mark in (20.0, 40.0, 55.0)), means
    assert np.mean(np.square(errors)) < 1.1 * np.mean(np.square(told_errors))


@pytest.mark.slow
@pytest.mark.parametrize(("pull_mps2", "within_s"), [(5.0, 15.0), (10.0, 12.0), (30.0, 8.0)])
def test_a_manoeuvre_is_said_and_followed_honestly(pull_mps2: float, within_s: float) -> None:
    case, truth = pulled(pull_mps2, *MANOEUVRE_S)
    times = case.time_s - case.time_s[0]
    delays: list[float] = []
    during: list[float] = []
    after: list[float] = []
    for seed in range(10):
        seen, track = rows_of(case.time_s, case.radar, truth, seed), TrackFilter()
        begin = int(np.searchsorted(times, MANOEUVRE_S[0]))
        track.add(seen[:begin])
        assert track.flight.phase.free
        for k in range(begin, len(seen)):
            track.add(seen[k : k + 1])
            if track.flight.phase is Phase.MANOEUVRING and track.flight.manoeuvred_ns == seen.time_ns[k]:
                delays.append(times[k] - MANOEUVRE_S[0])
                assert not predict_falls(track.tracks).valid[0]
            if k == int(np.searchsorted(times, MANOEUVRE_S[0] + 35)):
                during.append(nees_of(track, truth[k]))
        after.append(nees_of(track, truth[-1]))
        assert track.flight.phase is Phase.FREE_FALL
        assert track.flight.free_since_ns is not None
    assert len(delays) == 10
    assert max(delays) < within_s
    assert np.mean(during) < 12
    assert np.mean(after) < 10


def test_in_doubt_too_the_estimate_is_a_function_of_the_set_of_rows() -> None:
    case, truth = pulled(10.0, *MANOEUVRE_S)
    stop = int(np.searchsorted(case.time_s, case.time_s[0] + 130))
    seen = rows_of(case.time_s, case.radar, truth, 3)[:stop]
    in_order, mixed = TrackFilter(), TrackFilter()
    in_order.add(seen)
    order = np.argsort(np.arange(stop) + 20 * np.sin(np.arange(stop)))
    for part in np.array_split(order, 40):
        mixed.add(seen[part])
    assert mixed.flight == in_order.flight
    assert mixed.flight.phase is Phase.MANOEUVRING
    assert mixed.tracks == in_order.tracks
    again = TrackFilter.unpacked(in_order.packed())
    assert again.packed() == in_order.packed() == mixed.packed() == in_order.copy().packed()
    row_by_row = TrackFilter()
    for k in range(stop):
        row_by_row.add(seen[k : k + 1])
        if k in (100, 330, 350):
            when = int(seen.time_ns[k])
            assert in_order.at(when).mean.tobytes() == row_by_row.tracks.mean.tobytes()
    assert row_by_row.packed() == in_order.packed()
    later = in_order.at(in_order.last_observed_ns + 5_000_000_000)
    plain = predict(in_order.tracks, later.time_ns)
    assert np.trace(later.covariance[0, :3, :3]) > 1.2 * np.trace(plain.covariance[0, :3, :3])
    assert not later.free[0]


def test_a_broken_snapshot_is_refused() -> None:
    seen, _, _ = seen_ascent(100.0, 1, lowest_m=15e3)
    track = TrackFilter()
    track.add(seen[:20])
    good = track.packed()
    for cut in (len(good) // 2, len(good) - 1):
        with pytest.raises(TrackError):
            TrackFilter.unpacked(good[:cut])


def re_entry(name: str, seed: int, beta: float) -> tuple[TrackFilter, list[float]]:
    """A track followed from the first detection down to 30 km, and its normalised errors below 90 km, every ten rows."""
    case = build(name, 2000.0)
    truth: Floats = propagate(case.arc.state, np.arange(case.time_s[0], case.arc.flight_time_s, 1 / 3), beta)[
        0
    ]
    times = case.time_s[0] + np.arange(len(truth)) / 3
    radar = np.arange(len(truth)) % 3
    keep = (ecef_to_geodetic(truth[:, :3])[2] > 30e3) & (np.linalg.norm(truth[:, 3:], axis=1) > 0)
    for i in range(len(RADARS)):
        keep &= (radar != i) | (look(truth[:, :3], i)[:, 2] > math.radians(1))
    times, radar, truth = times[keep], radar[keep], truth[keep]
    seen, track, found = rows_of(times, radar, truth, seed), TrackFilter(), []
    low = (ecef_to_geodetic(truth[:, :3])[2] < 90e3) & (times > case.arc.apogee_s)
    begin = int(np.argmax(low)) if low.any() else len(truth)
    track.add(seen[:begin])
    for k in range(begin, len(truth), 10):
        track.add(seen[k : k + 10])
        found.append(nees_of(track, truth[min(k + 9, len(truth) - 1)]))
    assert len(found) > 3
    return track, found


@pytest.mark.slow
def test_re_entry_is_honest_whatever_the_coefficient() -> None:
    found = []
    for seed in range(20):
        beta = BETA_RANGE_KGM2[0] * (BETA_RANGE_KGM2[1] / BETA_RANGE_KGM2[0]) ** (seed / 19)
        track, nees = re_entry("a1000", seed, beta)
        assert track.flight.phase is Phase.RE_ENTRY
        assert track.flight.manoeuvred_ns is None
        found.append(np.mean(nees))
    assert 4.5 < np.mean(found) < 7.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "beta", "most"),
    [("a1000", 800.0, 8.0), ("a500", 1500.0, 5.0), ("a1000", 20_000.0, 2.2), ("a500", 40_000.0, 2.7)],
)
def test_a_coefficient_far_outside_its_range_is_owned_up_to_and_found(
    name: str, beta: float, most: float
) -> None:
    """Of what 6 is honest for, `most` times at the worst height, where a prior without them would give up to 23."""
    tracks, found = zip(*(re_entry(name, seed, beta) for seed in range(6)), strict=True)
    length = min(map(len, found))
    assert np.mean([nees[:length] for nees in found], axis=0).max() < 6 * most
    assert np.mean([nees[-1] for nees in found]) < 6 * 2.2
    assert all(track.flight.manoeuvred_ns is None for track in tracks)


def test_what_still_climbs_has_the_coefficients_of_the_prior_alone() -> None:
    """From few and coarse rows it may seem to come down; only what surely does may have any coefficient at all."""
    case = build("a1000", 20.0)
    times, radar = case.time_s[0] + np.arange(12) / 3, np.arange(12) % 3
    truth = propagate(case.arc.state, times)[0]
    for seed in range(20):
        seen, track = rows_of(times, radar, truth, seed), TrackFilter()
        for k in range(len(seen)):
            track.add(seen[k : k + 1])
            assert track.tracks.covariance[0, 6, 6] < 1.01 * LN_BETA_SIGMA**2


@pytest.mark.soak
@pytest.mark.parametrize("name", ARCS)
def test_free_fall_is_not_called_anything_else(name: str) -> None:
    """170 tracks an arc: a rate of one in a thousand would show once in the six arcs; none may."""
    case, rng = build(name, 2000.0), np.random.default_rng(5)
    for seed in range(170):
        beta = float(np.exp(rng.uniform(*np.log(BETA_RANGE_KGM2))))
        truth = propagate(case.arc.state, case.time_s, beta)[0]
        seen, track = rows_of(case.time_s, case.radar, truth, seed), TrackFilter()
        for k in range(0, len(seen), 5):
            track.add(seen[k : k + 5])
            assert track.flight.phase.free
            assert track.flight.manoeuvred_ns is None
