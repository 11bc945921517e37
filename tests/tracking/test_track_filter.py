"""One track and its rows: the estimate depends on the set of rows alone."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from noroshi.tracking import TrackError, TrackFilter, estimate, predict
from noroshi.tracking.measurements import radar_measurements
from noroshi.tracking.packing import pack
from tests.tracking.scenes import rows, truth

COUNT = 70


def in_order() -> TrackFilter:
    track = TrackFilter()
    for k in range(COUNT):
        assert track.add(rows()[k : k + 1]) == 1
    return track


@pytest.mark.slow
@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.permutations(range(COUNT)), st.lists(st.integers(1, 9), min_size=1), st.booleans())
def test_any_order_and_any_batches_give_the_same_bits(
    order: list[int], sizes: list[int], repeat: bool
) -> None:
    track, at, turn = TrackFilter(), 0, 0
    while at < COUNT:
        size = sizes[turn % len(sizes)]
        batch = rows()[order[at : at + size]]
        track.add(batch)
        if repeat:
            assert track.add(batch) == 0
        at, turn = at + size, turn + 1
    assert track.tracks == estimate(rows()[:COUNT])
    assert track.measurements == rows()[:COUNT]


def test_row_by_row_equals_all_at_once() -> None:
    assert in_order().tracks == estimate(rows()[:COUNT])


def test_a_row_older_than_all_begins_the_track_anew() -> None:
    track = TrackFilter()
    track.add(rows()[1:40])
    assert track.add(rows()[:1]) == 1
    assert track.tracks == estimate(rows()[:40])
    assert track.first_observed_ns == rows().time_ns[0]
    assert track.last_observed_ns == rows().time_ns[39]


def test_rows_at_the_same_time_are_taken_in_one_order() -> None:
    base = rows()[:6]
    twins = radar_measurements(base.time_ns, base.site_m, base.value + [30.0, 0.0, 0.0], base.sigma)
    a, b = TrackFilter(), TrackFilter()
    a.add(base)
    a.add(twins)
    b.add(twins)
    b.add(base)
    assert a.tracks == b.tracks
    assert len(a) == 12


def test_it_grows_past_its_first_room() -> None:
    track, late = TrackFilter(), rows("a2700", 120.0)
    order = np.argsort(np.arange(len(late)) + 12 * np.sin(np.arange(len(late))))
    for k in order:
        track.add(late[[int(k)]])
    assert len(track) == len(late) > 300
    assert track.tracks == estimate(late)


def test_the_past_is_told_from_the_rows_up_to_then() -> None:
    track = in_order()
    for count in (1, 15, 16, 17, 33, COUNT):
        when = int(rows().time_ns[count - 1]) + 1000
        assert track.at(when) == predict(estimate(rows()[:count]), when)
    assert track.tracks == estimate(rows()[:COUNT])
    with pytest.raises(TrackError, match="before its first"):
        track.at(int(rows().time_ns[0]) - 1)


def test_a_copy_goes_its_own_way() -> None:
    track = in_order()
    twin = copy.deepcopy(track)
    twin.add(rows()[COUNT : COUNT + 30])
    assert track.tracks == estimate(rows()[:COUNT])
    assert twin.tracks == estimate(rows()[: COUNT + 30])


def test_without_rows_there_is_no_estimate() -> None:
    track = TrackFilter()
    assert track.add(rows()[:0]) == 0
    for ask in (lambda: track.tracks, lambda: track.at(5), lambda: track.first_observed_ns):
        with pytest.raises(TrackError, match="no measurement"):
            ask()
    with pytest.raises(TrackError):
        estimate(rows()[:0])


def test_what_was_packed_before_there_were_phases_is_made_anew_from_its_rows() -> None:
    some = rows()[:COUNT]
    columns: list[NDArray[Any]] = [some.time_ns, some.model, some.site_m]
    columns += [some.value, some.sigma, some.clock_sigma_s]
    old = pack([*columns, np.zeros(7), np.zeros((7, 7)), np.zeros((4, 7)), np.zeros((4, 7, 7))])
    assert TrackFilter.unpacked(old).tracks == estimate(some)
    with pytest.raises(TrackError):
        TrackFilter.unpacked(pack([*columns[:5], np.zeros(3), *4 * [np.zeros(7)]]))


def test_no_number_of_rows_makes_a_track_surer_than_its_sensors_bias() -> None:
    mine = np.flatnonzero((rows().site_m == rows().site_m[0]).all(axis=1))
    some, true = rows()[mine], truth()[mine[-1]]
    value, bias = some.value + [0.0, 2e-3, 0.0], (0.0, 2e-3, 2e-3)
    turned = radar_measurements(some.time_ns, some.site_m, value, some.sigma, bias_sigma=bias)
    track = TrackFilter()
    for k in range(len(turned)):
        track.add(turned[k : k + 1])
    found, plain = track.tracks, estimate(radar_measurements(some.time_ns, some.site_m, value, some.sigma))
    nees = []
    for one in (found, plain):
        error = one.mean[0, :6] - true
        nees.append(float(error @ np.linalg.solve(one.covariance[0, :6, :6], error)))
    assert nees[0] < 16.8 < 80.0 < nees[1]  # 99 % of a chi-square of 6
    assert track.at(int(turned.time_ns[-1]) + 10**9) == predict(found, int(turned.time_ns[-1]) + 10**9)
    assert TrackFilter.unpacked(track.packed()).tracks == found
