"""Regions out of a prediction: who is in, with what probability, when, and how many people."""

from __future__ import annotations

import numpy as np
import pytest

from noroshi.clock import seconds
from noroshi.warning.draft import areas_of, split_areas, start_gate
from noroshi.warning.rules import WarningRules
from tests.warning.scenes import RULES, START_NS, course, draft_at, fall_at, now_at, regions, small_watch


def test_regions_under_the_track_are_in_and_far_ones_and_far_islands_are_not() -> None:
    draft = draft_at()
    assert regions(draft.areas) == ["West", "East"]
    assert draft.near == ()


def test_a_region_carries_probability_window_people_and_largest_places() -> None:
    west = draft_at().areas[0].row
    assert (west.kind, west.country, west.region_ja, west.region_ko) == ("pass", "JP", "西県", "서현")
    assert west.probability == 1.0
    assert west.people == 320_000
    assert [place.name for place in west.places] == ["Westport", "Westhill"]
    assert west.places[0].name_ja == "Westport・日"
    assert west.from_ns < now_at(140.0) < now_at(140.4) < west.to_ns
    beside_s = 2 * RULES.pass_half_width_m / course().speed_mps.max()
    assert seconds(beside_s) < west.to_ns - west.from_ns < seconds(beside_s + 16.0)


def test_the_largest_five_places_are_named_and_all_are_counted() -> None:
    rows = tuple((f"P{i}", 41.0 + i / 100, 140.0, 1000 * i, 0) for i in range(8))
    (area,) = areas_of(course(), None, small_watch(rows), RULES, START_NS)
    assert [place.name for place in area.row.places] == ["P7", "P6", "P5", "P4", "P3"]
    assert area.row.people == 28_000


def test_probability_of_a_region_is_the_highest_of_its_places() -> None:
    (west, east) = areas_of(course(sigma_m=80_000.0), None, small_watch(), RULES, START_NS)[:2]
    assert west.row.probability == max(place.probability for place in west.row.places)
    assert east.row.probability < 0.9


def test_below_the_threshold_an_area_is_near_but_not_warned() -> None:
    rows = (("Edge", 42.0, 140.0, 5_000, 0),)
    areas = areas_of(course(sigma_m=8_000.0), None, small_watch(rows), RULES, START_NS)
    warned, near = split_areas(areas, RULES)
    assert (len(warned), len(near)) == (0, 1)
    assert RULES.warn_probability / 2 <= near[0].row.probability < RULES.warn_probability


def test_what_lies_behind_the_estimate_is_out_and_what_is_being_passed_stays() -> None:
    assert regions(draft_at(141.0).areas) == ["West", "East"]
    assert regions(draft_at(141.9).areas) == ["East"]
    assert regions(draft_at(145.0).areas) == []


def test_a_window_that_is_over_is_not_warned_of() -> None:
    late = areas_of(course(), None, small_watch(), RULES, now_at(142.2))
    assert regions(late) == ["East"]


def test_a_fall_warns_the_region_around_it() -> None:
    fall = fall_at(40.9, 142.3)
    areas = areas_of(course(150.0, 160.0), fall, small_watch(), RULES, START_NS)
    (area,) = areas
    assert (area.row.kind, area.row.region) == ("fall", "East")
    assert area.exit is None
    assert area.row.to_ns - area.row.from_ns == pytest.approx(2 * 1.96 * 10e9, rel=1e-3)


def test_the_start_gate_measures_along_the_flight() -> None:
    gate = start_gate(course(140.0))
    ahead = gate.beyond_m(float(np.radians(41.0)), float(np.radians(141.0)))
    assert ahead == pytest.approx(84_000.0, rel=0.01)
    assert gate.beyond_m(float(np.radians(41.0)), float(np.radians(139.0))) == pytest.approx(
        -84_000.0, rel=0.01
    )


def test_a_lower_threshold_warns_more() -> None:
    sure = areas_of(
        course(sigma_m=50_000.0), None, small_watch(), WarningRules(warn_probability=0.9), START_NS
    )
    wary = areas_of(
        course(sigma_m=150_000.0), None, small_watch(), WarningRules(warn_probability=0.01), START_NS
    )
    assert set(regions(sure)) <= set(regions(wary))
    assert "West" in regions(wary)
