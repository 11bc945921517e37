"""Angles alone: from two platforms, or with a radar, the track is honest; from one, nothing is claimed; never a NaN."""

from __future__ import annotations

import numpy as np
import pytest

from noroshi.geo.frames import geodetic_to_ecef, look_angles
from noroshi.tracking import (
    INFRARED,
    Measurements,
    Tracks,
    arc_state,
    concatenate,
    infrared_measurements,
    initiate,
    last_observation,
    observe,
    predict,
    predict_falls,
    propagate,
    radar_measurements,
    update,
)
from tests.tracking.honesty import Floats, squared
from tests.tracking.scenes import case, rows

GROUND = (np.radians(37.0), np.radians(127.5), 0.0)
OTHER = (np.radians(41.0), np.radians(140.0), 0.0)
HIGH = (0.0, np.radians(105.0), 35_786e3)
NS = 1_900_000_000_000_000_000

Eye = tuple[tuple[float, float, float], str, tuple[float, float, float]]
ANGLES, RADAR_SIGMA = (0.0, 1e-3, 1e-3), (40.0, 1e-3, 1e-3)


def seen(eye: Eye, true: Floats, time_s: float, rng: np.random.Generator, runs: int) -> Measurements:
    """A noisy row per run of one true state."""
    place, kind, sigma = eye
    value = np.column_stack(look_angles(true[None, :3], *place))
    value = value + rng.normal(size=(runs, 3)) * sigma
    times, site = np.full(runs, NS + round(time_s * 1e9)), geodetic_to_ecef(*place)[0]
    if kind == "infrared":
        return infrared_measurements(times, site, value[:, 1:], sigma[1:])
    return radar_measurements(times, site, value, sigma)


def played(eyes: list[Eye], count: int, runs: int, name: str = "a2700", from_s: float = 90.0) -> Tracks:
    """Tracks of one object after `count` rows, a second apart, the sensors taking turns."""
    rng = np.random.default_rng(5)
    true = propagate(arc_state(case(name).arc, [from_s])[0], np.arange(count, dtype=float), 5000.0)[0]
    tracks = initiate(seen(eyes[0], true[0], from_s, rng, runs))
    for k in range(1, count):
        tracks = update(tracks, seen(eyes[k % len(eyes)], true[k], from_s + k, rng, runs), np.arange(runs))
    return tracks


def errors(tracks: Tracks, name: str = "a2700", from_s: float = 90.0) -> Floats:
    """Errors (n, 6) of tracks that `played` made."""
    after = (tracks.time_ns[:1] - NS) / 1e9 - from_s
    true = propagate(arc_state(case(name).arc, [from_s])[0], after, 5000.0)[0, 0]
    error: Floats = tracks.mean[:, :6] - true
    return error


PAIRS: dict[str, list[Eye]] = {
    "two on the ground": [(GROUND, "infrared", ANGLES), (OTHER, "infrared", ANGLES)],
    "one in orbit": [(GROUND, "infrared", ANGLES), (HIGH, "infrared", (0.0, 3e-5, 3e-5))],
    "with a radar": [(GROUND, "infrared", ANGLES), (OTHER, "radar", RADAR_SIGMA)],
    "after a radar": [(OTHER, "radar", RADAR_SIGMA), (GROUND, "infrared", ANGLES)],
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(("arc", "from_s"), [("a2700", 90.0), ("lofted", 400.0)])
def test_two_lines_of_sight_make_an_honest_track(name: str, arc: str, from_s: float) -> None:
    """Mean normalised error squared (6 expected) with 150 runs: within +-5 standard deviations of 0.28, or below in the
    first rows, whose prior is wider than the truth; and the place is found to some kilometres.
    """
    for count in (4, 8, 20, 40):
        tracks = played(PAIRS[name], count, 150, arc, from_s)
        error = errors(tracks, arc, from_s)
        found = squared(error, np.ascontiguousarray(tracks.covariance[:, :6, :6])).mean()
        assert 3.5 < found < 7.4, (count, found)
    assert np.linalg.norm(error[:, :3], axis=1).mean() < 6e3


def test_two_rows_across_each_other_meet() -> None:
    tracks = played(PAIRS["two on the ground"], 2, 20)
    assert np.linalg.norm(errors(tracks)[:, :3], axis=1).max() < 8e3
    assert np.sqrt(np.trace(tracks.covariance[0, :3, :3])) < 20e3


def test_one_row_tells_a_line_and_no_more() -> None:
    """The truth lies within what is claimed, far along the line and close across it."""
    for eye in (PAIRS["two on the ground"][0], PAIRS["one in orbit"][1]):
        tracks = played([eye], 1, 50)
        assert np.sqrt(np.linalg.eigvalsh(tracks.covariance[0, :3, :3])[-1]) > 1e6
        found = squared(errors(tracks)[:, :3], np.ascontiguousarray(tracks.covariance[:, :3, :3]))
        assert np.quantile(found, 0.5) < 6
        assert found.max() < 25


def test_one_platform_alone_leaves_the_range_open_and_no_fall() -> None:
    tracks = played(PAIRS["two on the ground"][:1], 6, 20)
    assert (np.sqrt(np.trace(tracks.covariance[:, :3, :3], axis1=1, axis2=2)) > 5e5).mean() > 0.9
    assert not predict_falls(tracks).valid.any()


def test_degenerate_lines_give_numbers() -> None:
    """A sensor that looks straight down, through or away from the Earth, at its zenith, or at an object on it."""
    below = geodetic_to_ecef(*HIGH)[0]
    odd = infrared_measurements(
        [NS] * 6,
        [below, below, geodetic_to_ecef(*GROUND)[0], geodetic_to_ecef(0.0, 0.0)[0], [0.0, 0.0, 6.4e6], below],
        [[0.0, -np.pi / 2], [3.0, -0.2], [1.0, np.pi / 2], [0.0, -0.02], [2.0, 0.3], [0.0, np.pi / 2]],
        [1e-4, 1e-4],
    )
    tracks = initiate(odd)
    for k in range(len(odd)):
        again = update(tracks, odd, np.full(len(odd), k))
        for made in (tracks, again, predict(again, NS + 10**9)):
            assert np.isfinite(made.mean).all()
            assert np.isfinite(made.covariance).all()
            scale = np.sqrt(np.einsum("nii->ni", made.covariance))
            shaped = made.covariance / (scale[:, :, None] * scale[:, None])
            assert np.linalg.eigvalsh(shaped).min() > -1e-9
    at_site = predict(initiate(rows()[:1]), int(rows().time_ns[0]))
    here = infrared_measurements(at_site.time_ns, at_site.mean[0, :3], [[0.5, 0.5]], [1e-3, 1e-3])
    assert np.isfinite(update(at_site, here, [0]).mean).all()


def test_the_last_observation_is_one_with_a_range() -> None:
    radar = rows()[:3]
    late = infrared_measurements(
        radar.time_ns[:1] + 10**10, radar.site_m[0], radar.value[:1, 1:], [1e-3, 1e-3]
    )
    both = concatenate((radar, late))
    assert both.model[3] == INFRARED
    assert last_observation(both).time_ns == radar.time_ns[2]
    assert last_observation(late).sigma_m > 1e6
    assert np.linalg.eigvalsh(observe(late).covariance[0])[0] > 0
