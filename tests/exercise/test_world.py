"""The simulated world: the public record's flight, what sensors see of it, and draws that nobody else disturbs."""

from __future__ import annotations

from functools import cache

import msgspec
import numpy as np
import pytest

from noroshi.clock import from_iso
from noroshi.exercise import Coalition, Truth, entropy, looks
from noroshi.exercise.draws import log_normal, normal, stream, uniform
from noroshi.exercise.scenario import SensorDown, World
from noroshi.geo.frames import ecef_to_geodetic, look_angles
from tests.exercise.playing import coalition_of

KEY = entropy(1, "exercise:flight-2022-10-04")


@cache
def coalition() -> Coalition:
    return coalition_of()


def changed(**fields: object) -> Coalition:
    made = coalition()
    return Coalition(msgspec.structs.replace(made.scenario, **fields), made.structure, made.members)


def test_the_flight_agrees_with_the_public_record() -> None:
    truth = Truth(coalition())
    start_ns = coalition().start_ns
    passing_ns = truth.nearest_ns(41.2, 140.7)
    assert passing_ns is not None
    assert from_iso("2022-10-03T22:27:30Z") < passing_ns < from_iso("2022-10-03T22:29:30Z")
    assert 1_290 < truth.end_s("flight") < 1_330  # down about 07:44
    time_s = np.arange(56.0, truth.end_s("flight"), 1.0)
    latitude, longitude, height = (column for column in ecef_to_geodetic(truth.positions_m("flight", time_s)))
    assert 990e3 < height.max() < 1_010e3
    over = int((passing_ns - start_ns) / 1e9 - 56.0)
    assert np.degrees(latitude[over]) == pytest.approx(41.2, abs=0.05)
    assert np.degrees(longitude[over]) == pytest.approx(140.7, abs=0.1)


def test_nothing_is_anywhere_before_launch_and_after_the_fall() -> None:
    truth = Truth(coalition())
    at = truth.positions_m("flight", np.array([0.0, 54.9, 60.0, 1400.0]))
    assert np.isnan(at[:, 0]).tolist() == [True, True, False, True]


def test_looks_come_in_order_and_each_feed_is_numbered_without_gaps() -> None:
    seen = looks(coalition(), KEY)
    assert [look.time_ns for look in seen] == sorted(look.time_ns for look in seen)
    for sensor in coalition().scenario.sensors:
        numbers = [look.detections.sequence for look in seen if look.detections.sensor == sensor.id]
        assert numbers == list(range(1, len(numbers) + 1))
        assert len(numbers) > 50
    assert {look.node for look in seen} == {"jpn", "usa", "kor"}


def test_measurements_scatter_about_the_truth_as_claimed() -> None:
    truth = Truth(coalition())
    for sensor in coalition().scenario.sensors:
        rows = [look for look in looks(coalition(), KEY) if look.detections.sensor == sensor.id]
        time_s = np.array([(look.time_ns - coalition().start_ns) / 1e9 for look in rows])
        site = (np.radians(sensor.lat_deg), np.radians(sensor.lon_deg), sensor.height_m)
        true = np.column_stack(look_angles(truth.positions_m("flight", time_s), *site))
        error = np.array([look.detections.value[0] for look in rows]) - true
        error[:, 1:] = np.mod(error[:, 1:] + np.pi, 2 * np.pi) - np.pi
        assert sensor.sigma_range_m is not None
        sigma = (sensor.sigma_range_m, sensor.sigma_azimuth_mrad / 1e3, sensor.sigma_elevation_mrad / 1e3)
        scaled = error / sigma
        assert np.all(np.abs(scaled.std(axis=0) - 1.0) < 0.2)
        assert np.all(np.abs(scaled.mean(axis=0)) < 4.5 / np.sqrt(len(rows)))
        assert np.all(true[:, 0] <= sensor.range_max_km * 1e3)
        assert np.all(true[:, 2] >= np.radians(sensor.elevation_min_deg))


def test_what_one_sensor_sees_does_not_depend_on_the_others() -> None:
    whole = looks(coalition(), KEY)
    sensors = coalition().scenario.sensors
    alone = looks(changed(sensors=sensors[2:3]), KEY)
    assert alone == [look for look in whole if look.detections.sensor == sensors[2].id]


def test_a_longer_scenario_does_not_change_what_was_seen_before() -> None:
    shorter = looks(changed(duration_s=300.0), KEY)
    assert looks(coalition(), KEY)[: len(shorter)] == shorter


def test_another_seed_gives_other_noise() -> None:
    other = looks(coalition(), entropy(2, "exercise:flight-2022-10-04"))
    assert other[0].detections.value != looks(coalition(), KEY)[0].detections.value


def test_a_sensor_that_is_down_sees_nothing_and_its_numbers_stay_dense() -> None:
    down = SensorDown(id="a", sensor="us-shariki", at_s=200.0, for_s=100.0)
    rows = [look for look in looks(changed(injects=(down,)), KEY) if look.detections.sensor == "us-shariki"]
    times = [(look.time_ns - coalition().start_ns) / 1e9 for look in rows]
    assert not [at for at in times if 200.0 <= at < 300.0]
    assert [at for at in times if at > 300.0]
    assert [look.detections.sequence for look in rows] == list(range(1, len(rows) + 1))


def test_nothing_flies_and_nothing_is_seen() -> None:
    empty = changed(world=World())
    assert looks(empty, KEY) == []
    assert Truth(empty).nearest_ns(41.0, 140.0) is None


def test_draws_have_their_distribution_and_their_own_key() -> None:
    numbers = np.array([normal(KEY, "test", k) for k in range(2000)])
    assert abs(numbers.mean()) < 0.1
    assert abs(numbers.std() - 1.0) < 0.06
    shares = np.array([uniform(KEY, "test", k) for k in range(2000)])
    assert shares.min() > 0.0
    assert shares.max() <= 1.0
    assert abs(shares.mean() - 0.5) < 0.03
    assert log_normal(KEY, 20.0, 0.0, "test", 1) == 20.0
    assert uniform(KEY, "a", "bc") != uniform(KEY, "ab", "c")
    assert stream(KEY, "a").random(3).tolist() == stream(KEY, "a").random(5).tolist()[:3]
    assert stream(KEY, "a").random() != stream(KEY, "b").random()


def test_an_infrared_sensor_in_orbit_gives_angles_and_a_radar_its_range_rate() -> None:
    first = coalition().scenario.sensors[0]
    orbit = msgspec.structs.replace(
        first,
        sensing="infrared",
        lat_deg=0.0,
        lon_deg=150.0,
        height_m=35_786e3,
        sigma_range_m=None,
        sigma_azimuth_mrad=0.02,
        sigma_elevation_mrad=0.02,
        range_max_km=50_000.0,
        elevation_min_deg=-90.0,
    )
    doppler = msgspec.structs.replace(coalition().scenario.sensors[1], sigma_range_rate_mps=5.0)
    made = changed(sensors=(orbit, doppler))
    truth = Truth(made)
    seen = looks(made, KEY)
    for sensor in made.scenario.sensors:
        rows = [look for look in seen if look.detections.sensor == sensor.id]
        assert len(rows) > 100
        time_s = np.array([(look.time_ns - made.start_ns) / 1e9 for look in rows])
        site = (np.radians(sensor.lat_deg), np.radians(sensor.lon_deg), sensor.height_m)
        states = truth.states("flight", time_s)
        distance, azimuth, elevation = look_angles(states[:, :3], *site)
        value = np.array([look.detections.value[0] for look in rows])
        if sensor is orbit:
            assert not value[:, 0].any()
            assert not any(look.detections.rate_mps for look in rows)
            error = np.column_stack(
                (np.mod(value[:, 1] - azimuth + np.pi, 2 * np.pi) - np.pi, value[:, 2] - elevation)
            )
            assert np.all(np.abs(error.std(axis=0) / 2e-5 - 1.0) < 0.2)
        else:
            steps = truth.states("flight", time_s + 0.01)
            slope = (look_angles(steps[:, :3], *site)[0] - distance) / 0.01
            rate = np.array([(look.detections.rate_mps or ())[0] for look in rows])
            assert abs((rate - slope).std() / 5.0 - 1.0) < 0.2
            assert abs((rate - slope).mean()) < 2.0


def test_the_earth_hides_what_is_behind_it() -> None:
    first = coalition().scenario.sensors[0]
    far = msgspec.structs.replace(
        first, sensing="infrared", sigma_range_m=None, lat_deg=-20.0, lon_deg=-40.0, height_m=35_786e3,
        range_max_km=60_000.0, elevation_min_deg=-90.0,
    )  # fmt: skip
    assert looks(changed(sensors=(far,)), KEY) == []
