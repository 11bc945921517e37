"""Many objects: which there are, which rows are whose, and what is said of what was not considered."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from noroshi.cli.benches import raid_scene
from noroshi.geo.frames import geodetic_to_ecef, look_angles
from noroshi.tracking import (
    Measurements,
    Sensor,
    SensorError,
    Tracker,
    TrackError,
    TrackFilter,
    concatenate,
    kernels,
    propagate,
    warm,
)
from noroshi.tracking.hypotheses import best_set
from tests.tracking.honesty import EPOCH_NS, LAUNCH_RAD, RADARS
from tests.tracking.scenes import case, rows

Floats = NDArray[np.float64]

SENSORS = tuple(
    Sensor("abc"[i], "JPN", "radar", math.radians(r[0]), math.radians(r[1]), 0.0, r[2], r[3], r[3])
    for i, r in enumerate(RADARS)
)
FLIGHT = propagate(case().arc.state, [120.0])[0, 0]


def seen(sensor: Sensor, states: Floats, time_s: float, rng: np.random.Generator) -> Measurements:
    """One scan without a miss."""
    value = np.column_stack(look_angles(states[:, :3], sensor.lat_rad, sensor.lon_rad, sensor.height_m))
    sigma = (sensor.sigma_range_m, sensor.sigma_azimuth_rad, sensor.sigma_elevation_rad)
    value += rng.standard_normal(value.shape) * sigma
    return sensor.measurements(np.full(len(states), EPOCH_NS + round(time_s * 1e9)), value)


def flown(
    starts: Floats, seconds: int, sensors: tuple[Sensor, ...] = SENSORS, seed: int = 1
) -> list[tuple[Measurements, int]]:
    """Scans of several objects, each sensor once a second in turn."""
    rng = np.random.default_rng(seed)
    times = np.array([k + i / len(sensors) for k in range(seconds) for i in range(len(sensors))])
    paths = propagate(starts, times)
    return [
        (seen(sensors[k % len(sensors)], paths[:, k], float(t), rng), k % len(sensors))
        for k, t in enumerate(times)
    ]


def test_one_flight_is_one_track_with_the_filter_of_its_rows() -> None:
    tracker, alone = Tracker(SENSORS), TrackFilter()
    for k in range(40):
        row = rows()[k : k + 1]
        tracker.add(row, int(case().radar[k]))
        alone.add(row)
        if k == 0:
            assert tracker.tracks.tracks.updates.tolist() == [1]
            assert tracker.tracks.existence[0] < 0.5
    table = tracker.tracks
    assert table.tracks == alone.tracks
    assert table.confirmed.tolist() == [True]
    assert table.existence[0] > 0.999
    assert table.rows_of_sensor.sum() == 40
    assert tracker.filter_of(int(table.id[0])).measurements == alone.measurements
    assert not any(tracker.left_out.values())


def test_late_rows_take_their_place_and_later_ones_are_counted() -> None:
    scans = flown(np.stack((FLIGHT, FLIGHT + [9e3, 0, 0, 0, 50, 0])), 8)
    ordered, shuffled = Tracker(SENSORS), Tracker(SENSORS, lag_s=2.0)
    for scan, sensor in scans:
        ordered.add(scan, sensor)
    for k in itertools.chain.from_iterable((i + 2, i, i + 1) for i in range(0, len(scans), 3)):
        scan, sensor = scans[k]
        shuffled.add(scan[1:], sensor)
        shuffled.add(scan[:1], sensor)
        shuffled.add(scan[:1], sensor)  # a repeat changes nothing
    first, second = ordered.tracks, shuffled.tracks
    assert first.confirmed.tolist() == second.confirmed.tolist() == [True, True]
    order = np.argsort(first.tracks.mean[:, 0]), np.argsort(second.tracks.mean[:, 0])
    assert first.tracks[order[0]] == second.tracks[order[1]]
    shuffled.add(*scans[0])
    assert shuffled.left_out["rows too late"] == 2
    assert len(shuffled.tracks) == 2


def test_objects_appear_among_false_alarms_and_none_is_made_up() -> None:
    raid = raid_scene.Raid(objects=8, spacing_m=4e3, seconds=14, births_s=5.0)
    radars, looks = raid_scene.sensors(), raid_scene.scans(raid, 3)
    tracker, owner = Tracker(radars), []
    for look in looks:
        tracker.add(
            radars[look.radar].measurements(np.full(len(look.value), look.time_ns), look.value), look.radar
        )
        owner += look.owner.tolist()
    table = tracker.tracks
    whose = [np.array(owner)[tracker.rows_of(int(name))] for name in table.id[table.confirmed]]
    assert sorted(np.bincount(one + 1).argmax() - 1 for one in whose) == list(range(8))
    assert np.mean(np.concatenate([one == np.bincount(one + 1).argmax() - 1 for one in whose])) > 0.97
    heads = tracker.heads
    assert heads.confirmed.sum() == 8
    assert set(tracker.latest_rows) == set(heads.id.tolist())


@pytest.mark.slow
def test_an_empty_sky_stays_empty_and_a_flood_of_false_alarms_is_bounded() -> None:
    radars = raid_scene.sensors()
    for alarms, seconds in ((25.0, 60), (1000.0, 5)):
        tracker = Tracker(radars)
        for look in raid_scene.scans(
            raid_scene.Raid(objects=1, alarms=alarms, seconds=seconds, births_s=1e9), 2
        ):
            times = np.full(len(look.value), look.time_ns)
            tracker.add(radars[look.radar].measurements(times, look.value), look.radar)
        assert tracker.tracks.confirmed.sum() == 0
        assert len(tracker.heads.id) < 20 * alarms


def test_a_lost_object_ends_and_one_out_of_sight_does_not() -> None:
    inside = Sensor("a", "JPN", "radar", 0.646, 2.225, 0.0, 40.0, 1e-3, 1e-3, max_range_m=3e6)
    short = Sensor("b", "JPN", "radar", 0.646, 2.225, 0.0, 40.0, 1e-3, 1e-3, max_range_m=1e3)
    for sensor, ended in ((inside, True), (short, False)):
        both = flown(np.stack((FLIGHT, FLIGHT + [2e5, 2e5, 0, 0, 0, 0])), 25, (sensor,))
        tracker = Tracker((sensor,))
        for k, (scan, _) in enumerate(both):
            tracker.add(scan if k < 10 else scan[1:], 0)
        table = tracker.tracks
        assert sorted(table.reason) == (["", "lost"] if ended else ["", ""])
        assert table.ended.sum() == ended


def test_pieces_are_one_track_until_a_sensor_tells_them_apart() -> None:
    piece = propagate(FLIGHT, [10.0])[0, 0] + [0, 0, 0, 120.0, -80.0, 60.0]
    tracker, rng = Tracker(SENSORS), np.random.default_rng(4)
    times = np.arange(0, 60, 1 / 3)
    parent, other = propagate(FLIGHT, times)[0], propagate(piece, np.maximum(times - 10.0, 0.0))[0]
    counts = []
    for k, t in enumerate(times):
        apart = t > 10 and np.linalg.norm(parent[k, :3] - other[k, :3]) > 2e3
        states = np.stack((parent[k], other[k])) if apart else parent[k : k + 1]
        tracker.add(seen(SENSORS[k % 3], states, float(t), rng), k % 3)
        counts.append(int(tracker.heads.confirmed.sum()))
    assert counts[40] == 1
    assert counts[-1] == 2
    assert max(counts) == 2
    assert tracker.tracks.tracks.updates.max() == len(times)


def test_two_infrared_sensors_start_tracks_and_follow_those_of_a_radar() -> None:
    eyes = tuple(
        Sensor(name, "JPN", "infrared", math.radians(lat), math.radians(lon), high, 0.0, sigma, sigma)
        for name, lat, lon, high, sigma in (("i", 38.0, 125.0, 0.0, 3e-4), ("k", 20.0, 150.0, 3.6e7, 3e-5))
    )
    starts = np.stack((FLIGHT, FLIGHT + [2e4, 3e4, 0, 0, 100, 0]))
    tracker = Tracker(eyes)
    for scan, sensor in flown(starts, 20, eyes):
        tracker.add(scan, sensor)
    table = tracker.tracks
    assert table.confirmed.tolist() == [True, True]
    assert table.tracks.updates.tolist() == [40, 40]
    mixed = Tracker((SENSORS[0], eyes[0]))
    for scan, sensor in flown(FLIGHT[None], 12, (SENSORS[0], eyes[0])):
        mixed.add(scan, sensor)
    assert mixed.tracks.rows_of_sensor.tolist() == [[12, 12]]


def test_powered_ascent_and_the_free_fall_after_it_are_one_track() -> None:
    here = geodetic_to_ecef(*LAUNCH_RAD)[0]
    up = here / np.linalg.norm(here)
    side = np.cross([0.0, 0.0, 1.0], up)
    state, tracker, rng, step = (
        np.concatenate((here, np.zeros(3))),
        Tracker(SENSORS),
        np.random.default_rng(5),
        0.02,
    )
    for k in range(6000):
        t = k * step
        pull = -3.986e14 / np.linalg.norm(state[:3]) ** 3 * state[:3]
        if t < 70:
            pull = pull + (20 + t / 2) * (math.cos(t / 90) * up + math.sin(t / 90) * side)
        state = np.concatenate((state[:3] + state[3:] * step + 0.5 * pull * step**2, state[3:] + pull * step))
        if t > 20 and k % 50 == 0:
            tracker.add(seen(SENSORS[0], state[None], t, rng), 0)
    assert tracker.tracks.tracks.updates.tolist() == [99]


def test_the_best_set_is_the_best_there_is() -> None:
    """Against all sets, for seeded problems of five trees that want the same rows."""
    rng, exact = np.random.default_rng(8), []
    for _ in range(150):
        sizes = rng.integers(1, 5, 5)
        begin = np.concatenate(([0], np.cumsum(sizes)))
        window = np.where(rng.random((begin[-1], 3)) < 0.6, rng.integers(0, 6, (begin[-1], 3)), -1)
        window[begin[:-1]] = -1  # a leaf without rows, so that there is a set
        score, optional = rng.normal(3, 4, begin[-1]), rng.random(5) < 0.4
        chosen, _, _ = best_set(begin, window, score, optional, begin[:-1].copy())
        best = -np.inf
        choices = [([-1] if optional[t] else []) + list(range(begin[t], begin[t + 1])) for t in range(5)]
        for pick in itertools.product(*choices):
            used = [r for c in pick if c >= 0 for r in set(window[c].tolist()) if r >= 0]
            if len(used) == len(set(used)):
                best = max(best, sum(score[c] for c in pick if c >= 0))
        used = [r for c in chosen if c >= 0 for r in set(window[c].tolist()) if r >= 0]
        assert len(used) == len(set(used))
        assert ((chosen >= 0) | optional).all()
        assert score[chosen[chosen >= 0]].sum() >= best - 3.0
        exact.append(score[chosen[chosen >= 0]].sum() >= best - 1e-6)
    assert np.mean(exact) > 0.95


def test_nothing_is_compiled_after_warming() -> None:
    warm()
    names = ("place_scan", "gate_scan", "branch", "settle", "improve", "prune", "grow", "begin_rows")
    before = [len(getattr(kernels, name).signatures) for name in names]
    known = Tracker(SENSORS)
    for scan, sensor in flown(np.stack((FLIGHT, FLIGHT + [500.0, 0, 0, 0, 0, 0])), 3):
        known.add(scan, sensor)
    table = known.tracks
    handed = Tracker(SENSORS, known=table.tracks)
    for scan, sensor in flown(np.stack((FLIGHT, FLIGHT + [500.0, 0, 0, 0, 0, 0])), 5)[9:]:
        handed.add(scan, sensor)
    assert handed.tracks.confirmed.all()
    assert len(handed.tracks) == len(table)
    assert [len(getattr(kernels, name).signatures) for name in names] == before


def test_what_is_impossible_is_refused_and_what_is_too_much_is_counted() -> None:
    tracker = Tracker(SENSORS)
    with pytest.raises(TrackError, match="outside 0 to 2"):
        tracker.add(rows()[:1], 3)
    with pytest.raises(TrackError, match="none with this id"):
        tracker.filter_of(7)
    tracker.add(concatenate([rows()[:1]] * 3), 0)
    assert len(tracker.tracks) == 1
    value = np.column_stack((np.linspace(1e5, 2e6, 6000), np.linspace(0, 6, 6000), np.full(6000, 0.3)))
    tracker.add(SENSORS[0].measurements(np.full(6000, rows().time_ns[0] + 10**9), value), 0)
    assert tracker.left_out["rows over the limit of a scan"] == 1000


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "sonar"}, "kind"),
        ({"lat_rad": 38.0}, "lat"),
        ({"sigma_range_m": 0.0}, "sigma_range_m"),
        ({"sigma_azimuth_rad": math.nan}, "sigma_azimuth_rad"),
        ({"detection_probability": 1.0}, "detection_probability"),
    ],
)
def test_a_sensor_that_cannot_be_is_refused(change: dict[str, object], field: str) -> None:
    given: dict[str, object] = {
        "id": "a", "partner": "JPN", "kind": "radar", "lat_rad": 0.6, "lon_rad": 2.2, "height_m": 0.0,
        "sigma_range_m": 40.0, "sigma_azimuth_rad": 1e-3, "sigma_elevation_rad": 1e-3,
    }  # fmt: skip
    with pytest.raises(SensorError) as caught:
        Sensor(**{**given, **change})  # type: ignore[arg-type]  # the point of the test
    assert caught.value.field == field
