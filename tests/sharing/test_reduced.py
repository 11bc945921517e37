"""Reduced editions: sticky cells on one grid, a slow step, and nothing by which the full form could be found again."""

from __future__ import annotations

from itertools import pairwise
from math import pi

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.clock import seconds
from noroshi.messages import soundness
from noroshi.messages.bodies import AreaRow, CellRow, FallRow, PlaceRow, ReducedTrackBody, WarningBody
from noroshi.messages.canonical import encode
from noroshi.messages.cells import cell_of, centre, is_near
from noroshi.sharing.reduced import Estimate, Grid, Seen, Sensing, reduce, tear_line

GRID = Grid(rows=180, window_s=60, every_s=10)
START_NS = seconds(1_664_835_720.0)
STEP_NS = seconds(10.0)
SENSED: frozenset[Sensing] = frozenset({"radar"})


def seen(
    latitude: float = 0.7, longitude: float = 2.4, error_m: float = 1000.0, after_s: float = 600.0
) -> Seen:
    return Seen(
        track=b"r" * 16,
        source="one",
        sensings=frozenset({"radar"}),
        launch=Estimate(0.7, 2.2, 500.0),
        fall=Estimate(latitude, longitude, error_m),
        from_ns=START_NS + seconds(after_s),
        to_ns=START_NS + seconds(after_s + 20.0),
    )


def said(steps: list[Seen]) -> list[ReducedTrackBody]:
    """The editions of one object, asked for once a step."""
    found: list[ReducedTrackBody] = []
    for number, one in enumerate(steps):
        body = reduce(found[-1] if found else None, one, START_NS + number * STEP_NS, GRID)
        if body is not None:
            found.append(body)
    return found


@given(
    st.floats(-pi / 2, pi / 2), st.floats(-pi, pi), st.integers(0, 3600), st.sampled_from([18, 90, 180, 720])
)
def test_an_edition_is_sound_everywhere_on_earth(
    latitude: float, longitude: float, after_s: int, rows: int
) -> None:
    body = reduce(None, seen(latitude, longitude, after_s=after_s), START_NS, Grid(rows=rows))
    assert body is not None
    assert body.fall is not None
    assert soundness.defect(body) == ""
    assert (body.fall.row, body.fall.column) == cell_of(latitude, longitude, rows)
    assert body.from_ns <= START_NS + seconds(after_s) < START_NS + seconds(after_s + 20.0) <= body.to_ns


def test_what_stays_in_its_cell_is_said_once() -> None:
    bodies = said([seen(0.7 + 1e-4 * number) for number in range(20)])
    assert [body.sequence for body in bodies] == [1]


def test_a_cell_is_kept_over_its_border_and_left_beyond_half_a_cell() -> None:
    row, column = cell_of(0.7, 2.4, 180)
    middle = centre(180, row, column)
    cell = pi / 180
    steps = [seen(middle[0], middle[1])]
    steps += [seen(middle[0] + off * cell, middle[1]) for off in (0.6, 0.4, 0.9, 0.5, 1.2)]
    falls = [body.fall for body in said(steps)]
    assert falls == [
        CellRow(row=row, column=column),
        CellRow(row=row + 1, column=cell_of(middle[0] + 1.2 * cell, middle[1], 180)[1]),
    ]


def test_at_most_one_edition_is_said_in_a_step() -> None:
    first = reduce(None, seen(0.7), START_NS + 1, GRID)
    assert first is not None
    assert first.issued_ns == START_NS // STEP_NS * STEP_NS
    moved = seen(0.9)
    assert reduce(first, moved, first.issued_ns + STEP_NS - 1, GRID) is None
    later = reduce(first, moved, first.issued_ns + STEP_NS, GRID)
    assert later is not None
    assert later.sequence == 2


def test_nothing_is_said_before_the_estimate_is_surer_than_a_cell_is_wide() -> None:
    unsure = seen(error_m=400_000.0)
    without = msgspec.structs.replace(GRID, every_s=10)
    body = reduce(
        None,
        Seen(unsure.track, "one", SENSED, None, unsure.fall, unsure.from_ns, unsure.to_ns),
        START_NS,
        without,
    )
    assert body is None
    for error_m in (float("nan"), float("inf")):
        assert (
            reduce(None, Seen(b"r" * 16, "one", SENSED, Estimate(0.7, 2.2, error_m)), START_NS, GRID) is None
        )


def test_an_estimate_that_becomes_unsure_leaves_what_was_said() -> None:
    bodies = said([seen(), seen(error_m=400_000.0), seen(1.2, error_m=400_000.0)])
    assert len(bodies) == 1


def test_a_window_is_on_whole_steps_and_kept_while_it_holds() -> None:
    bodies = said([seen(after_s=600.0 + off) for off in (0.0, 5.0, 10.0, 20.0, 15.0, 2.0)])
    assert len(bodies) == 1
    for body in said([seen(after_s=600.0), seen(after_s=700.0), seen(after_s=300.0)]):
        assert body.from_ns % seconds(60.0) == body.to_ns % seconds(60.0) == 0


def test_an_object_keeps_its_grid_when_the_policy_changes() -> None:
    """Cells of two grids would cut each other into smaller ones."""
    first = reduce(None, seen(), START_NS, GRID)
    assert first is not None
    later = reduce(first, seen(0.9), START_NS + 10 * STEP_NS, Grid(rows=181))
    assert later is not None
    assert later.rows == first.rows == 180


def test_repeats_cannot_be_averaged_into_a_place() -> None:
    """Leak path 11: what is said of a thousand noisy estimates of one place is one cell, whichever place in it it is."""
    row, column = cell_of(0.7, 2.4, 180)
    middle = centre(180, row, column)
    draws = np.random.Generator(np.random.Philox(11))
    editions = set()
    for place in ((0.0, 0.0), (0.3, -0.3), (-0.35, 0.2)):
        noise = draws.normal(0.0, 0.03, (1000, 2))
        at = [
            (middle[0] + (place[0] + n) * pi / 180, middle[1] + (place[1] + e) * pi / 180) for n, e in noise
        ]
        bodies = said([seen(*one) for one in at])
        assert len(bodies) == 1
        editions.add(encode(bodies[0]))
    assert len(editions) == 1


@given(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4), st.floats(1.0, 50_000.0), st.floats(0.0, 15.0))
def test_the_bytes_tell_nothing_of_place_error_or_time_inside_their_steps(
    north: float, east: float, error_m: float, late_s: float
) -> None:
    """Leak paths 11 and 13: neither content nor size of an edition depends on what lies inside a cell and a step."""
    row, column = cell_of(0.7, 2.4, 180)
    middle = centre(180, row, column)
    one = reduce(None, seen(*middle), START_NS, GRID)
    at = (middle[0] + north * pi / 180, middle[1] + east * pi / 180)
    other = reduce(None, seen(*at, error_m=error_m, after_s=600.0 + late_s), START_NS, GRID)
    assert encode(one) == encode(other)


@given(st.lists(st.tuples(st.floats(0.6, 0.8), st.floats(2.3, 2.5), st.floats(0.0, 3e5)), max_size=30))
def test_what_is_said_holds_and_comes_slowly(steps: list[tuple[float, float, float]]) -> None:
    bodies = said([seen(latitude, longitude, error_m) for latitude, longitude, error_m in steps])
    assert [body.sequence for body in bodies] == list(range(1, len(bodies) + 1))
    times = [body.issued_ns for body in bodies]
    assert all(later - earlier >= STEP_NS for earlier, later in pairwise(times))
    assert all(soundness.defect(body) == "" for body in bodies)
    sure = [one for one in steps if one[2] <= 111_000.0]
    if sure and bodies and bodies[-1].fall is not None:
        cell = (bodies[-1].fall.row, bodies[-1].fall.column)
        assert is_near(sure[-1][0], sure[-1][1], cell, 180, 0.5 + 1e-9)


WARNING = WarningBody(
    number=3,
    state="updated",
    basis="confirmed",
    sensings=["infrared", "radar"],
    partners=["JPN", "USA"],
    first_observed_ns=START_NS + 12_345_678_901,
    last_observed_ns=START_NS + 99_345_678_901,
    valid_until_ns=START_NS + 999_345_678_901,
    areas=[
        AreaRow(
            kind="fall",
            region="Aomori",
            country="JP",
            probability=0.8312,
            from_ns=START_NS + 600_123_456_789,
            to_ns=START_NS + 640_123_456_789,
            people=123_456,
            places=[
                PlaceRow(name="Mutsu", latitude_rad=0.72, longitude_rad=2.46, people=9, probability=0.81)
            ],
            region_ja="青森",
        )
    ],
    corridor=[[[0.7, 2.4], [0.7, 2.5], [0.8, 2.5], [0.7, 2.4]]],
    fall=FallRow(
        latitude_rad=0.7,
        longitude_rad=2.4,
        time_ns=START_NS,
        covariance=[1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0],
        probability=0.9,
        rings=[],
    ),
)


def test_a_tear_line_warns_and_says_no_more() -> None:
    line = tear_line(WARNING, GRID)
    assert soundness.defect(line) == ""
    (area,) = line.areas
    assert (area.region, area.country, area.kind, area.probability) == ("Aomori", "JP", "fall", 0.9)
    assert area.from_ns <= WARNING.areas[0].from_ns < WARNING.areas[0].to_ns <= area.to_ns
    assert line.valid_until_ns >= WARNING.valid_until_ns
    times = [line.first_observed_ns, line.last_observed_ns, line.valid_until_ns, area.from_ns, area.to_ns]
    assert all(time_ns % seconds(60.0) == 0 for time_ns in times)
    assert (line.fall, line.corridor, line.partners, line.sensings, area.places) == (None, [], [], [], [])


def test_a_tear_line_is_the_same_whatever_lies_behind_it() -> None:
    """Leak path 1: it is built field by field, so evidence, places and shapes that differ give the same bytes."""
    assert WARNING.fall is not None
    other = msgspec.structs.replace(
        WARNING,
        basis="one-kind",
        sensings=["radar"],
        partners=["JPN"],
        corridor=[],
        fall=msgspec.structs.replace(WARNING.fall, latitude_rad=0.71),
        first_observed_ns=WARNING.first_observed_ns + 1_000_000_000,
        areas=[msgspec.structs.replace(WARNING.areas[0], probability=0.8433, places=[], people=7)],
    )
    assert encode(tear_line(WARNING, GRID)) == encode(tear_line(other, GRID))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"rows": 7}, "a grid"),
        ({"launch": None, "fall": None, "from_ns": 0, "to_ns": 0}, "a grid"),
        ({"fall": CellRow(row=180, column=0)}, "a cell"),
        ({"fall": CellRow(row=0, column=1)}, "a cell"),
        ({"launch": CellRow(row=-1, column=0)}, "a cell"),
        ({"track": b"short"}, "an alias"),
        ({"sequence": 0}, "an alias"),
        ({"sensings": []}, "kinds of sensing"),
        ({"sensings": ["radar", "infrared"]}, "kinds of sensing"),
        ({"fall": None}, "a window"),
        ({"from_ns": 10**19}, "a window"),
        ({"issued_ns": -1}, "a time"),
    ],
)
def test_a_reduced_track_that_cannot_be_is_refused(change: dict[str, object], what: str) -> None:
    body = reduce(None, seen(), START_NS, GRID)
    assert body is not None
    assert soundness.defect(body) == ""
    assert soundness.defect(msgspec.structs.replace(body, **change)).startswith(what)
