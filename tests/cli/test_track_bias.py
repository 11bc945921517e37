"""A sensor that is off makes no second object: found, corrected where it alone can be wrong, doubted where not."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noroshi.cli.main import main
from noroshi.geo.frames import geodetic_to_ecef, look_angles
from noroshi.tracking import Arc, TrackFilter, arc_state, radar_measurements
from noroshi.tracking.own_arcs import own_picture
from noroshi.tracking.sameness import joint_objects
from tests.cli.scenes import EPOCH_S, SENSORS, arc, detections, write

C: dict[str, Any] = {
    "id": "C", "partner": "USA", "kind": "radar", "lat_deg": 35.5, "lon_deg": 135.5, "height_m": 0.0,
    "sigma_range_m": 60.0, "sigma_azimuth_rad": 1.5e-3, "sigma_elevation_rad": 1.5e-3,
}  # fmt: skip
RADARS = (*SENSORS[:2], C)
HIGH = (0.0, arc(2700, 550, 70))
Row = dict[str, Any]


def spoiled(rows: Sequence[Row], sensor: str, **bias: float) -> list[Row]:
    """The rows with what one sensor is off by, in the order of their stamps."""
    made = [
        {name: value + bias.get(name, 0) if name != "sensor" else value for name, value in row.items()}
        if row["sensor"] == sensor
        else row
        for row in rows
    ]
    return sorted(made, key=lambda row: row["time_s"])


def answer(
    folder: Path, capsys: pytest.CaptureFixture[str], rows: Sequence[Row], sensors: Sequence[Row], *more: str
) -> dict[str, Any]:
    assert main([*write(folder, rows, sensors), "--json", *more]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    return found


def nees(said: dict[str, Any], flight: tuple[float, Arc]) -> float:
    error = np.array(said["state"]) - arc_state(flight[1], [said["time_s"] - EPOCH_S - flight[0]])[0]
    return float(error @ np.linalg.solve(np.array(said["covariance"]), error))


def high(seconds: float, sensors: Sequence[Row] = RADARS, seed: int = 3) -> list[Row]:
    """The high flight in view, for so long after the first 90 s."""
    rows = detections([HIGH], 90 + seconds, sensors=sensors, seed=seed)
    return [row for row in rows if row["time_s"] >= EPOCH_S + 90]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sensor", "bias", "kind", "size"),
    [
        ("A", {"azimuth_rad": 4e-3}, "azimuth-bias", 4e-3),
        ("C", {"time_s": 0.5}, "clock-offset", 0.5),
        ("B", {"range_m": -600.0}, "range-bias", -600.0),
    ],
)
def test_of_three_the_one_that_is_off_is_corrected_and_makes_no_second_track(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sensor: str, bias: Row, kind: str, size: float
) -> None:
    rows = spoiled(high(60), sensor, **bias)
    found = answer(tmp_path, capsys, rows, RADARS, "--history", "20")
    (track,) = found["tracks"]
    assert nees(track, HIGH) < 24  # 6 degrees of freedom: one in 2,000
    assert all(nees(entry, HIGH) < 30 for entry in track["history"])
    assert track["perhaps_same_as"] == []
    assert track["updates"] > 0.97 * len(rows)
    (taken,) = found["corrected"]
    assert (taken["sensor"], taken["kind"]) == (sensor, kind)
    assert abs(taken["value"] - size) < 4 * taken["sigma"]
    (finding,) = (one for one in found["findings"] if one["kind"] == kind)
    assert finding["corrected"]
    assert finding["or_else"] == []
    assert finding["sentence"].endswith("Its rows were corrected by that.")


@pytest.mark.slow
def test_rows_may_be_left_as_they_were_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Then the second track is there, and nobody is to count it."""
    rows = spoiled(high(60), "B", time_s=-0.5)
    found = answer(tmp_path, capsys, rows, RADARS, "--as-measured")
    assert found["corrected"] == []
    assert [one["corrected"] for one in found["findings"] if one["kind"] == "clock-offset"] == [False]
    ids = {track["id"] for track in found["tracks"]}
    assert len(ids) > 1
    assert all({track["id"], *track["perhaps_same_as"]} == ids for track in found["tracks"])
    (double,) = (one for one in found["findings"] if one["kind"] == "one-object-or-two")
    assert set(double["tracks"]) == ids


@pytest.mark.slow
def test_of_two_neither_is_corrected_and_their_track_is_as_wide_as_the_doubt(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two = RADARS[:2]
    rows = spoiled(high(60, two), "A", azimuth_rad=4e-3)
    found = answer(tmp_path, capsys, rows, two)
    assert found["corrected"] == []
    biases = [one for one in found["findings"] if "or_else" in one]
    assert {(one["sensor"], *one["or_else"]) for one in biases} == {("A", "B"), ("B", "A")}
    assert all(one["allowed_for"] and not one["corrected"] for one in biases)
    assert len(found["tracks"]) == 1
    assert nees(found["tracks"][0], HIGH) < 24
    plain = answer(tmp_path, capsys, rows, two, "--as-measured")
    assert max(nees(track, HIGH) for track in plain["tracks"]) > 100


@pytest.mark.slow
def test_several_flights_in_all_directions_and_an_infrared_sensor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flights = [HIGH, (10.0, arc(1000, 300, 85)), (25.0, arc(1500, 600, 120))]
    sensors = (*RADARS, {**SENSORS[2], "id": "S"})
    rows = detections(flights, 170, sensors=sensors, seed=5, false_alarms=1)
    found = answer(tmp_path, capsys, spoiled(rows, "A", azimuth_rad=-5e-3), sensors)
    assert len(found["tracks"]) == 3
    assert [(one["sensor"], one["kind"]) for one in found["corrected"]] == [("A", "azimuth-bias")]
    for flight in flights:
        assert min(nees(track, flight) for track in found["tracks"]) < 24


@pytest.mark.slow
def test_an_infrared_sensor_so_far_off_that_it_shares_no_track_is_found_and_corrected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its clock: a second, in which the object crosses four of its sigmas; an azimuth would look alike on one flight."""
    sensors = (*RADARS, {**SENSORS[2], "id": "S"})
    rows = high(60, sensors)
    found = answer(tmp_path, capsys, spoiled(rows, "S", time_s=1.0, elevation_rad=5e-4), sensors)
    (track,) = found["tracks"]
    assert track["updates"] > 0.97 * len(rows)
    assert nees(track, HIGH) < 24
    assert {one["sensor"] for one in found["corrected"]} == {"S"}
    told = {one["kind"]: one["or_kind"] for one in found["findings"]}
    assert "elevation-bias" in told
    assert "clock-offset" in told or "clock-offset" in told["azimuth-bias"]


@pytest.mark.soak
@pytest.mark.parametrize(
    ("count", "sensor", "bias"),
    [
        (3, "A", {"azimuth_rad": 4e-3}),
        (3, "C", {"time_s": 0.5}),
        (3, "B", {"range_m": 400.0}),
        (2, "A", {"elevation_rad": 3e-3}),
        (2, "B", {"time_s": -0.4}),
    ],
)
def test_corrected_and_doubted_tracks_are_as_sure_as_they_say(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], count: int, sensor: str, bias: Row
) -> None:
    """Mean of 20 normalised errors squared of 6 degrees of freedom: at most four of its own sigmas over 6."""
    found = []
    for seed in range(20):
        rows = spoiled(high(60, RADARS[:count], seed), sensor, **bias)
        (track,) = answer(tmp_path, capsys, rows, RADARS[:count])["tracks"]
        found.append(nees(track, HIGH))
    assert np.mean(found) < 6 + 4 * np.sqrt(12 / 20)


@pytest.mark.slow
def test_honest_sensors_are_followed_once_and_nothing_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = detections([HIGH, (5.0, arc())], 150, sensors=RADARS, detected=0.8, false_alarms=2, seed=6)
    found = answer(tmp_path, capsys, rows, RADARS)
    assert (found["corrected"], len(found["tracks"])) == ([], 2)
    assert not [one for one in found["findings"] if "value" in one]
    assert found == answer(tmp_path, capsys, rows, RADARS, "--as-measured")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with a name here")
def test_what_can_be_read_once_only_is_not_corrected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = write(tmp_path, spoiled(high(40), "B", range_m=-600.0), RADARS)
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    text = (tmp_path / "detections.jsonl").read_text()
    feeding = threading.Thread(target=pipe.write_text, args=(text,), daemon=True)
    feeding.start()
    assert main([*arguments[:2], str(pipe), *arguments[3:], "--json"]) == 0
    feeding.join(10)
    assert json.loads(capsys.readouterr().out)["corrected"] == []


def test_a_turned_radar_s_own_arcs_are_matched_in_all_directions_and_move_as_their_slope_says() -> None:
    arcs, sensor = [], []
    for number, one in enumerate(RADARS[:2]):
        site = (*np.radians([one["lat_deg"], one["lon_deg"]]), one["height_m"])
        sigma = [one["sigma_range_m"], one["sigma_azimuth_rad"], one["sigma_elevation_rad"]]
        for azimuth in (70, 130):
            times = np.arange(120.0, 160.0)
            value = np.column_stack(look_angles(arc_state(arc(2000, 500, azimuth), times)[:, :3], *site))
            value[:, 1] += 5e-3 if number == 0 else 0.0
            rows = radar_measurements(np.int64(times * 1e9), geodetic_to_ecef(*site)[0], value, sigma)
            made = own_picture(rows)
            assert made is not None
            arcs.append(made)
            sensor.append(number)
            true = arc_state(arc(2000, 500, azimuth), [made.at_ns / 1e9])[0]
            off = made.mean[:6] - true
            if number == 0:
                np.testing.assert_allclose(off[:3], 5e-3 * made.slope[:3, 1], atol=30.0)
    assert joint_objects(arcs, sensor) == [[0, 2], [1, 3]]
    assert joint_objects(arcs, [0, 0, 0, 0]) == [[0], [1], [2], [3]]
    assert own_picture(TrackFilter().measurements) is None
