"""The public flight of 2022-10-04 through real tracking, with notional radars: who is warned, when, and when it ends.

Launch, range, apogee and time are figures of the public record; the course over the Tsugaru Strait is the one that
the public alerts named. Radar sites are at town level and their accuracies notional.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest

from noroshi.clock import from_iso, seconds
from noroshi.geo import ecef_to_geodetic, geodetic_to_ecef, inverse, look_angles
from noroshi.messages.bodies import WarningBody
from noroshi.tracking import (
    Measurements,
    TrackFilter,
    arc_state,
    free_fall_arc,
    ground_track,
    last_observation,
    predict_falls,
    radar_measurements,
)
from noroshi.warning import Evidence, WarningRules, WarningState, apply, draft_of, fall_of
from noroshi.warning.watch import Region, Watch, lay_out

LAUNCH_NS = from_iso("2022-10-03T22:22:00Z")
RULES = WarningRules()
SIGMA = np.array([50.0, 1.5e-3, 1.5e-3])
SITES = ((37.0, 127.5), (38.0, 138.4), (41.3, 141.1))
PLACES = (
    ("Hakodate", 41.77, 140.73, 250_000, "Hokkaido"),
    ("Sapporo", 43.06, 141.35, 1_900_000, "Hokkaido"),
    ("Aomori", 40.82, 140.74, 270_000, "Aomori"),
    ("Hachinohe", 40.50, 141.50, 220_000, "Aomori"),
    ("Akita", 39.72, 140.10, 300_000, "Akita"),
    ("Tokyo", 35.69, 139.69, 9_700_000, "Tokyo"),
    ("Hachijo", 33.11, 139.79, 7_000, "Izu Islands"),
    ("Chichijima", 27.09, 142.19, 2_000, "Ogasawara Islands"),
)


def japan() -> Watch:
    names = tuple(dict.fromkeys(row[4] for row in PLACES))
    people = np.array([row[3] for row in PLACES], np.int64)
    return lay_out(
        np.radians([row[1] for row in PLACES]),
        np.radians([row[2] for row in PLACES]),
        people,
        people,
        np.array([names.index(row[4]) for row in PLACES], np.int64),
        tuple(Region("JP", name) for name in names),
        [(row[0], "", "") for row in PLACES],
    )


@dataclass
class Run:
    """What was said, with the second of the flight at which it was said."""

    said: list[tuple[float, WarningBody]] = field(default_factory=list)
    over_aomori_s: float = 0.0
    beyond_s: float = 0.0
    state: WarningState | None = None


@cache
def flown(seen_until_s: float = 2000.0, until_s: float = 450.0) -> Run:
    """The flight with a look every second, its radars silent after `seen_until_s`."""
    launch, aim = np.radians([40.6, 126.4]), np.radians([41.0, 140.8])
    _, azimuth, _ = inverse(launch[0], launch[1], aim[0], aim[1])
    arc = free_fall_arc(launch[0], launch[1], float(azimuth[0]), 4_600_000.0, 1_000_000.0)
    times_s = np.arange(60.0, until_s)
    position_m = arc_state(arc, times_s, 5_000.0)[:, :3]
    _, lon, _ = ecef_to_geodetic(position_m)
    run = Run(over_aomori_s=float(times_s[np.searchsorted(lon, np.radians(140.7))]))
    run.beyond_s = float(times_s[np.searchsorted(lon, np.radians(141.5))])
    rng = np.random.default_rng(20221004)
    track, watch = TrackFilter(), japan()
    for i, at_s in enumerate(times_s):
        now_ns = LAUNCH_NS + seconds(float(at_s))
        if at_s <= seen_until_s:
            for site in SITES:
                track.add(measured(site, position_m[i], now_ns, rng))
        look(run, track, watch, now_ns, float(at_s))
    return run


def measured(
    site_deg: tuple[float, float], position_m: np.ndarray, now_ns: int, rng: np.random.Generator
) -> Measurements:
    lat, lon = np.radians(site_deg)
    distance, azimuth, elevation = (float(one[0]) for one in look_angles(position_m, lat, lon))
    noise = rng.normal(size=3) * SIGMA
    count = int(elevation > np.radians(2.0) and distance < 2_500_000.0)
    value = np.array([[distance, azimuth, elevation]] * count).reshape(count, 3) + noise
    return radar_measurements([now_ns] * count, geodetic_to_ecef(lat, lon)[0], value, SIGMA)


def look(run: Run, track: TrackFilter, watch: Watch, now_ns: int, at_s: float) -> None:
    falls = predict_falls(track.tracks)
    course = ground_track(track.tracks, falls=falls)
    if len(course.time_ns) < 2:
        return
    evidence = Evidence(track.first_observed_ns, track.last_observed_ns, len(track))
    draft = draft_of(course, fall_of(falls), watch, RULES, evidence, now_ns)
    seen = last_observation(track.measurements)
    run.state, body = apply(run.state, draft, seen, ("radar",), ("JPN", "KOR"), RULES, now_ns)
    if body is not None:
        run.said.append((at_s, body))


def named(body: WarningBody) -> set[str]:
    return {area.region for area in body.areas}


@pytest.mark.slow
def test_northern_honshu_and_southern_hokkaido_are_warned_minutes_before() -> None:
    run = flown()
    issued_s, body = run.said[0]
    assert body.state == "issued"
    assert run.over_aomori_s - issued_s > 180.0
    assert named(body) >= {"Hokkaido", "Aomori"}
    last = [body for _, body in run.said if body.state != "ended"][-1]
    aomori = next(area for area in last.areas if area.region == "Aomori")
    over_ns = LAUNCH_NS + seconds(run.over_aomori_s)
    assert aomori.from_ns - seconds(2.0) <= over_ns <= aomori.to_ns + seconds(2.0)
    assert "Sapporo" not in {place.name for area in last.areas for place in area.places}


@pytest.mark.slow
def test_tokyo_and_its_islands_are_never_named() -> None:
    everything = set().union(*(named(body) for _, body in flown().said))
    assert everything.isdisjoint({"Tokyo", "Izu Islands", "Ogasawara Islands"})


@pytest.mark.slow
def test_passed_is_said_after_an_observation_beyond_and_not_before() -> None:
    run = flown()
    ended = [(at_s, body) for at_s, body in run.said if body.state == "ended"]
    assert [body.reason for _, body in ended] == ["passed"]
    assert run.beyond_s < ended[0][0] < run.beyond_s + 60.0
    assert named(ended[0][1]) == {"Hokkaido", "Aomori"}


@pytest.mark.slow
def test_lost_over_the_sea_it_is_warned_of_and_never_said_to_have_passed() -> None:
    run = flown(seen_until_s=100.0, until_s=700.0)
    assert named(run.said[0][1]) >= {"Hokkaido", "Aomori"}
    assert all(body.state != "ended" for _, body in run.said)
    assert run.state is not None
    assert run.state.phase == "lapsed"
    assert run.state.valid_until_ns >= LAUNCH_NS + seconds(run.over_aomori_s)


@pytest.mark.slow
def test_few_words_are_made_of_it() -> None:
    numbers = [body.number for _, body in flown().said]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) <= 8
