"""Reported flights against free fall: the public record passes, what cannot be is flagged, from figures alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from noroshi.service.flights_file import ReportedFlight, read_flights
from noroshi.tracking.flights import LONGER_MIN, Flight, judge_flight

PUBLIC = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "flights.yaml"
PLAIN = Flight(range_km=4600, apogee_km=1000, time_min=22)


def public() -> tuple[ReportedFlight, ...]:
    if not PUBLIC.exists():
        pytest.skip("needs ../shared/data/flights.yaml")
    return read_flights(str(PUBLIC))


@pytest.mark.slow
def test_the_public_record_passes_but_for_what_contradicts_itself() -> None:
    rows = public()
    flagged = [(row.fields["date"], row.fields["by"]) for row in rows if judge_flight(row.flight).flagged]
    # The misprint, and the state figure that the ministry's contradicts.
    assert flagged == [("2017-07-04", "KCNA via news"), ("2022-03-24", "KCNA")]
    assert len(rows) >= 16


def test_no_word_of_a_report_hides_or_makes_a_misprint() -> None:
    for row in public():
        given = judge_flight(row.flight)
        for kind in ("", "ballistic", "misprint"):
            assert judge_flight(replace(row.flight, kind=kind)) == given


@pytest.mark.parametrize("field", ["range_km", "apogee_km", "time_min"])
@pytest.mark.parametrize("factor", [0.1, 10.0])
def test_a_slipped_point_is_flagged(field: str, factor: float) -> None:
    assert judge_flight(PLAIN).flagged is None
    wrong = replace(PLAIN, **{field: getattr(PLAIN, field) * factor})
    assert judge_flight(wrong).flagged


@pytest.mark.parametrize(("longer", "floor", "passes"), [
    (LONGER_MIN[0] - 0.01, False, False), (0.01, False, True), (LONGER_MIN[1] - 0.01, False, True),
    (LONGER_MIN[1] + 0.01, False, False), (LONGER_MIN[1] + 4, True, True), (-0.5, True, False), (200, True, False),
])  # fmt: skip
def test_a_real_flight_is_a_little_longer_and_a_floor_is_judged_from_one_side(
    longer: float, floor: bool, passes: bool
) -> None:
    arc_min = judge_flight(PLAIN).arc_min
    assert arc_min is not None
    judged = judge_flight(replace(PLAIN, time_min=arc_min + longer, floor=floor))
    assert judged.residual_min == pytest.approx(longer)
    assert (judged.flagged is None) is passes


@pytest.mark.parametrize(
    ("flight", "word"),
    [
        (Flight(1000, 60, 7.5), "gliding"),
        (Flight(1000, 60, 12), "glided"),
        (Flight(2700, 550, 14, kind="hypersonic glide"), "did not fall freely"),
        (Flight(2700, 550, -14), "cannot be"),
        (Flight(0, 550, 14), "cannot be"),
        (Flight(2700, float("nan"), 14), "cannot be"),
        (Flight(27_000, 550, 14), "no such free-fall arc"),
        (Flight(2700, 5.5e8, 14), "no such free-fall arc"),
    ],
)
def test_what_cannot_be_is_flagged_with_a_reason(flight: Flight, word: str) -> None:
    judged = judge_flight(flight)
    assert word in (judged.flagged or "")


@pytest.mark.parametrize(
    "short", [Flight(250, 50, 5), Flight(350, 100, 7), Flight(150, 30, 4), Flight(450, 60, 6)]
)
def test_short_thrown_flights_are_no_glides(short: Flight) -> None:
    assert judge_flight(short).flagged is None


def test_place_and_direction_change_the_arc_by_the_turning_of_the_earth() -> None:
    east, west = (
        judge_flight(replace(PLAIN, launch_lat_deg=0.0, azimuth_deg=a)).arc_min for a in (90.0, 270.0)
    )
    assert east is not None
    assert west is not None
    assert 0.2 < abs(east - west) < 3
