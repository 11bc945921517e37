"""The adapter to Stone Soup: the real library measures, filters and holds tracks; what comes back is what went in."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from noroshi.clock import to_datetime
from noroshi.geo.frames import enu_rotation, geodetic_to_ecef, look_angles
from noroshi.tracking import Measurements, TrackError, concatenate, infrared_measurements, radar_measurements
from noroshi.tracking.filtering import initiate, predict, update
from noroshi.tracking.stone_soup import (
    STACKED,
    Frame,
    earth_fixed,
    from_detections,
    from_track,
    local_frame,
    to_detections,
    to_track,
)
from noroshi.tracking.tracks import Tracks, concatenate_tracks

pytest.importorskip("stonesoup", reason="needs Stone Soup (the extra `stonesoup`)")

SITE = (math.radians(38.1), math.radians(138.4), 120.0)
OTHER = (math.radians(-33.0), math.radians(-71.5), 900.0)
TARGET = geodetic_to_ecef(math.radians(39.5), math.radians(139.2), 310e3)[0]
VELOCITY = np.array([900.0, -2400.0, 1500.0])
START_NS = 1_700_000_000_123_456_789
FRAMES = pytest.mark.parametrize(
    "frame", [earth_fixed(), local_frame(*SITE), local_frame(math.radians(44.0), math.radians(145.0))]
)


def rows() -> Measurements:
    """A radar, a radar with range rate and an infrared sensor, two of them seeing the same object."""
    sigma = (40.0, 1e-3, 1.5e-3)
    parts = []
    for i, (site, rate) in enumerate(((SITE, (0.0, 0.0)), (SITE, (-1234.5, 3.0)), (OTHER, (0.0, 0.0)))):
        distance, azimuth, elevation = (float(column[0]) for column in look_angles(TARGET, *site))
        value = [[distance, azimuth, elevation if i < 2 else 0.4]]
        place, time_ns = geodetic_to_ecef(*site)[0], [START_NS + i]
        parts.append(radar_measurements(time_ns, place, value, sigma, rate=rate))
    direction = [[0.3, -0.2]]
    parts.append(infrared_measurements([START_NS], geodetic_to_ecef(*OTHER)[0] * 4, direction, (2e-4, 3e-4)))
    return concatenate(parts)


@FRAMES
def test_detections_come_back_as_they_went(frame: Frame) -> None:
    given = rows()
    found = from_detections(to_detections(given, frame), frame)
    assert (found.time_ns == given.time_ns).all()
    assert (found.model == given.model).all()
    assert np.abs(found.site_m - given.site_m).max() < 1e-6
    around = np.angle(np.exp(1j * (found.value[:, 1] - given.value[:, 1])))
    assert np.abs(around).max() < 1e-9
    assert np.abs(found.value[:, [0, 2]] - given.value[:, [0, 2]]).max() < 1e-9
    assert np.allclose(found.sigma, given.sigma, rtol=1e-6, atol=0)
    assert np.allclose(found.rate, given.rate, rtol=1e-12, atol=0)


@FRAMES
@pytest.mark.parametrize("order", [(0, 2, 4, 1, 3, 5), STACKED])
def test_stone_soups_own_models_see_what_noroshi_computes(frame: Frame, order: tuple[int, ...]) -> None:
    from stonesoup.types.state import State, StateVector

    made = to_detections(rows(), frame, order=order)[1]
    state = np.zeros(6)
    state[list(order)] = np.concatenate((frame.point(TARGET), frame.rotation @ VELOCITY))
    seen = made.measurement_model.function(State(StateVector(state)), noise=False)
    elevation, bearing, distance, rate = (float(number) for number in np.asarray(seen).ravel())
    want = [float(column[0]) for column in look_angles(TARGET, *SITE)]
    assert distance == pytest.approx(want[0], abs=1e-6)
    assert math.remainder(math.pi / 2 - bearing - want[1], 2 * math.pi) == pytest.approx(0, abs=1e-11)
    assert elevation == pytest.approx(want[2], abs=1e-11)
    line = TARGET - geodetic_to_ecef(*SITE)[0]
    assert rate == pytest.approx(float(line @ VELOCITY / np.linalg.norm(line)), abs=1e-6)


def test_a_sensor_with_axes_of_its_own_is_turned_to_its_horizon() -> None:
    """A model without rotation in a frame elsewhere: the line through the sky stays, its noise is not narrowed."""
    from stonesoup.models.measurement.nonlinear import CartesianToElevationBearingRange
    from stonesoup.types.detection import Detection
    from stonesoup.types.state import State, StateVector

    frame = local_frame(math.radians(44.0), math.radians(145.0))
    noise = np.diag([1e-3, 2e-3, 40.0]) ** 2
    site = geodetic_to_ecef(*SITE)[0]
    model = CartesianToElevationBearingRange(
        ndim_state=6, mapping=(0, 2, 4), noise_covar=noise, translation_offset=StateVector(frame.point(site))
    )
    state = np.zeros(6)
    state[[0, 2, 4]] = frame.point(TARGET)
    seen = model.function(State(StateVector(state)), noise=False)
    detection = Detection(seen, timestamp=to_datetime(START_NS), measurement_model=model)
    (row,) = from_detections([detection], frame).value
    assert np.abs(row - np.column_stack(look_angles(TARGET, *SITE))[0]).max() < 1e-7
    sigma = from_detections([detection], frame).sigma[0]
    rng = np.random.default_rng(3)
    noisy = [
        Detection(seen + StateVector(rng.normal(size=3) * np.sqrt(np.diag(noise))), timestamp=detection.timestamp,
                  measurement_model=model)
        for _ in range(400)
    ]  # fmt: skip
    spread = np.cov(from_detections(noisy, frame).value.T)
    claimed = np.diag(sigma**2)
    ratio = np.linalg.eigvals(np.linalg.solve(claimed, spread)).real
    assert 0.3 < ratio.min() <= ratio.max() < 1.2
    assert (model.noise_covar == noise).all()


def history() -> Tracks:
    given = rows()[:2]
    first = initiate(given[:1])
    second = update(first, given, [1])
    return concatenate_tracks((first, second, predict(second, START_NS + 2_000_000_000)))


@FRAMES
def test_tracks_come_back_but_for_what_six_numbers_cannot_carry(frame: Frame) -> None:
    given = history()
    track = to_track(given, frame, name="T7")
    assert track.id == "T7"
    assert track.states[0].state_vector.shape == (6, 1)
    found = from_track(track, frame)
    assert (found.time_ns == given.time_ns).all()
    sigma = np.sqrt(np.einsum("nii->ni", given.covariance))
    assert (np.abs(found.mean - given.mean) / sigma).max() < 1e-6
    scale = sigma[:, :6, None] * sigma[:, None, :6]
    assert (np.abs(found.covariance - given.covariance)[:, :6, :6] / scale).max() < 1e-9
    assert (found.covariance[:, 6, :6] == 0).all()


def test_a_track_of_stone_soups_own_filter_comes_in() -> None:
    from stonesoup.models.transition.linear import CombinedLinearGaussianTransitionModel, ConstantVelocity
    from stonesoup.predictor.kalman import ExtendedKalmanPredictor
    from stonesoup.types.hypothesis import SingleHypothesis
    from stonesoup.types.track import Track
    from stonesoup.updater.kalman import ExtendedKalmanUpdater

    frame = local_frame(*SITE)
    motion = CombinedLinearGaussianTransitionModel([ConstantVelocity(100.0)] * 3)
    predictor, updater = ExtendedKalmanPredictor(motion), ExtendedKalmanUpdater()
    state = to_track(history()[:1], frame, name="T1").states[0]
    states: list[Any] = []
    for k in range(3):
        (detection,) = to_detections(rows()[[0]], frame)
        detection.timestamp = detection.timestamp.replace(microsecond=200_000 + k)
        prediction = predictor.predict(state, timestamp=detection.timestamp)
        state = updater.update(SingleHypothesis(prediction, detection))
        states += [prediction, state]
    found = from_track(Track(states), frame)
    assert len(found) == 6
    assert list(found.updates) == [0, 1, 1, 2, 2, 3]
    assert (found.last_observed_ns[1::2] == found.time_ns[1::2]).all()
    assert np.linalg.norm(found.position_m[-1] - TARGET) < 100


def test_what_stone_soup_cannot_carry_is_refused_not_dropped() -> None:
    from stonesoup.models.measurement.nonlinear import CartesianToBearingRange
    from stonesoup.types.detection import Detection

    value, place = [[1e6, 0.3, 0.4]], geodetic_to_ecef(*SITE)[0]
    late = radar_measurements([START_NS], place, value, (40.0, 1e-3, 1e-3), 0.1)
    with pytest.raises(TrackError, match="clock sigma"):
        to_detections(late, earth_fixed())
    flat = CartesianToBearingRange(ndim_state=6, mapping=(0, 2), noise_covar=np.eye(2))
    seen = Detection([0.1, 1e5], timestamp=to_datetime(START_NS), measurement_model=flat)
    with pytest.raises(TrackError, match="CartesianToBearingRange"):
        from_detections([seen], earth_fixed())
    with pytest.raises(TrackError, match="ascend"):
        to_track(history()[[1, 0]], earth_fixed(), name="T")
    with pytest.raises(TrackError, match="0 to 5"):
        to_track(history(), earth_fixed(), name="T", order=(0, 1, 2))


def test_a_local_frame_is_east_north_up() -> None:
    frame = local_frame(*SITE)
    assert np.abs(frame.rotation - enu_rotation(SITE[0], SITE[1])[0]).max() == 0
    assert np.abs(frame.ecef(frame.point(TARGET)) - TARGET).max() < 1e-8
