"""Stone Soup on the rows of the `tracking` benchmark: the same motion, noise and radars, written for its interfaces."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from noroshi.geo import frames
from noroshi.tracking.kernels import ACCELERATION_PSD
from noroshi.tracking.kernels.motion import J2
from noroshi.tracking.measurements import Measurements

Floats = NDArray[np.float64]
Site = tuple[float, float, tuple[float, float, float]]
"""Latitude, longitude rad; sigmas of elevation, bearing rad, range m, in the peer's order."""

MU, SPIN, RADIUS_M = frames.GRAVITY_M3_S2, frames.EARTH_RATE_RAD_S, frames.SEMI_MAJOR_M
START = datetime(2030, 1, 1, tzinfo=UTC)


class Given(Protocol):
    """What is read of a scenario."""

    @property
    def time_s(self) -> Floats: ...
    @property
    def radar(self) -> NDArray[np.int64]: ...
    @property
    def prior(self) -> Floats: ...
    @property
    def scans(self) -> list[Measurements]: ...


def slope(s: Any) -> tuple[Any, ...]:
    """Derivative of a state's six numbers, each a number or an array: point mass, J2, the turning Earth."""
    x, y, z, u, v, w = s
    r2 = x * x + y * y + z * z
    g = -MU / (r2 * r2**0.5)
    k = 1.5 * J2 * RADIUS_M**2 / r2
    q = 5 * z * z / r2
    return (
        u,
        v,
        w,
        (g * (1 + k * (1 - q)) + SPIN * SPIN) * x + 2 * SPIN * v,
        (g * (1 + k * (1 - q)) + SPIN * SPIN) * y - 2 * SPIN * u,
        g * (1 + k * (3 - q)) * z,
    )


def step(s: Any, h: float) -> list[Any]:
    """One classical Runge-Kutta step of six numbers or arrays."""
    k1 = slope(s)
    k2 = slope([a + 0.5 * h * b for a, b in zip(s, k1, strict=True)])
    k3 = slope([a + 0.5 * h * b for a, b in zip(s, k2, strict=True)])
    k4 = slope([a + h * b for a, b in zip(s, k3, strict=True)])
    return [a + h / 6 * (b + 2 * (c + d) + e) for a, b, c, d, e in zip(s, k1, k2, k3, k4, strict=True)]


def step_matrix(s: list[float], h: float) -> Floats:
    """Derivative of a step to its start: the third-order series, gravity's gradient taken in the middle of the way."""
    x, y, z = (s[i] + 0.5 * h * s[i + 3] for i in range(3))
    r2 = x * x + y * y + z * z
    m = MU / (r2 * math.sqrt(r2))
    k, e = m * 1.5 * J2 * RADIUS_M**2 / r2, z * z / r2
    n, d = (3 * m + 5 * k * (1 - 7 * e)) / r2, 10 * k * z / r2
    m += k * (1 - 5 * e)
    xx, yy, zz = n * x * x - m + SPIN * SPIN, n * y * y - m + SPIN * SPIN, n * z * z - m + 2 * d * z - 2 * k
    xy, xz, yz = n * x * y, n * x * z + d * x, n * y * z + d * y
    a = np.array(
        [
            [0.0, 0.0, 0.0, h, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, h, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0, h],
            [h * xx, h * xy, h * xz, 0.0, 2 * h * SPIN, 0.0],
            [h * xy, h * yy, h * yz, -2 * h * SPIN, 0.0, 0.0],
            [h * xz, h * yz, h * zz, 0.0, 0.0, 0.0],
        ]
    )
    square = a @ a
    found: Floats = np.eye(6) + a + square / 2 + square @ a / 6
    return found


def filtered(
    kind: str, given: Given, sites: Sequence[Site], count: int, prior_sigma: Floats
) -> tuple[float, tuple[Floats, Floats]]:
    """Seconds of processor time for the first objects' predictions and updates, and their means (k, n, 6) and
    covariances (k, n, 6, 6) after every row. kind: "EKF" or "UKF".
    """
    from stonesoup.types.array import CovarianceMatrix, StateVector
    from stonesoup.types.detection import Detection
    from stonesoup.types.hypothesis import SingleHypothesis
    from stonesoup.types.state import GaussianState

    predictor, updater, models = parts(kind, sites)
    stamps = [START + timedelta(seconds=float(t)) for t in given.time_s]
    typed = models[0]._typed_vector()
    size = (len(stamps), count)
    mean, cov, spent = np.empty((*size, 6)), np.empty((*size, 6, 6)), 0.0
    for n in range(count):
        state = GaussianState(
            StateVector(given.prior[n]), CovarianceMatrix(np.diag(prior_sigma**2)), timestamp=stamps[0]
        )
        found = []
        for k, stamp in enumerate(stamps):
            distance, azimuth, elevation = given.scans[k].value[n]
            seen = np.array([[elevation], [math.pi / 2 - azimuth], [distance]])
            found.append(
                Detection(
                    StateVector(typed + seen), timestamp=stamp, measurement_model=models[given.radar[k]]
                )
            )
        for k, detection in enumerate(found):
            start = time.process_time()
            prediction = predictor.predict(state, timestamp=detection.timestamp) if k else state
            state = updater.update(SingleHypothesis(prediction, detection))
            spent += time.process_time() - start
            mean[k, n] = np.asarray(state.state_vector, np.float64).ravel()
            cov[k, n] = np.asarray(state.covar, np.float64)
    return spent, (mean, cov)


def parts(kind: str, sites: Sequence[Site]) -> tuple[Any, Any, list[Any]]:
    """Predictor, updater, and a measurement model per radar."""
    from stonesoup.predictor.kalman import ExtendedKalmanPredictor, UnscentedKalmanPredictor
    from stonesoup.updater.kalman import ExtendedKalmanUpdater, UnscentedKalmanUpdater

    models = [radar(frames.geodetic_to_ecef(lat, lon)[0], sigma) for lat, lon, sigma in sites]
    motion = free_fall()
    if kind == "EKF":
        return ExtendedKalmanPredictor(motion), ExtendedKalmanUpdater(None), models
    points = {"alpha": 1.0, "beta": 0.0, "kappa": -3.0}  # three sigma squared along each axis, as noroshi's
    return UnscentedKalmanPredictor(motion, **points), UnscentedKalmanUpdater(None, **points), models


def free_fall() -> Any:
    """The peer's model of motion: noroshi's without drag, with its acceleration noise."""
    from stonesoup.models.base import TimeVariantModel
    from stonesoup.models.transition.nonlinear import GaussianTransitionModel
    from stonesoup.types.array import CovarianceMatrix, StateVector, StateVectors

    class FreeFall(GaussianTransitionModel, TimeVariantModel):  # type: ignore[misc]  # the peer has no types
        """Free fall over the turning Earth, with its derivative."""

        @property
        def ndim_state(self) -> int:
            return 6

        def covar(self, time_interval: timedelta, **_: Any) -> Any:
            h = time_interval.total_seconds()
            q = np.zeros((6, 6))
            i = np.arange(3)
            q[i, i], q[i + 3, i + 3] = ACCELERATION_PSD * h**3 / 3, ACCELERATION_PSD * h
            q[i, i + 3] = q[i + 3, i] = ACCELERATION_PSD * h**2 / 2
            return CovarianceMatrix(q)

        def function(self, state: Any, noise: bool = False, time_interval: Any = None, **_: Any) -> Any:
            h, vector = time_interval.total_seconds(), state.state_vector
            if vector.shape[1] == 1:
                return StateVector(step(np.asarray(vector, np.float64).ravel().tolist(), h))
            return np.array(step(np.asarray(vector, np.float64), h)).view(StateVectors)

        def jacobian(self, state: Any, time_interval: Any = None, **_: Any) -> Floats:
            vector = np.asarray(state.state_vector, np.float64).ravel().tolist()
            return step_matrix(vector, time_interval.total_seconds())

    return FreeFall()


def radar(place_m: Floats, sigma: Sequence[float] | Floats) -> Any:
    """The peer's model of a radar at an ECEF position; sigma: of elevation, bearing rad, range m."""
    from stonesoup.base import Property
    from stonesoup.models.measurement.nonlinear import CartesianToElevationBearingRange
    from stonesoup.types.array import StateVector

    class Radar(CartesianToElevationBearingRange):  # type: ignore[misc]  # the peer has no types
        """The library's model with its derivative."""

        axes: Floats = Property(doc="Rows: east, north, up at the radar")
        place: Floats = Property(doc="ECEF, m")

        def jacobian(self, state: Any, **_: Any) -> Floats:
            offset = np.asarray(state.state_vector[:3], np.float64).ravel() - self.place
            e, n, u = (self.axes @ offset).tolist()
            flat = e * e + n * n
            r2 = flat + u * u
            g, r = math.sqrt(flat), math.sqrt(r2)
            local = np.array(
                [
                    [-e * u / (r2 * g), -n * u / (r2 * g), g / r2],
                    [-n / flat, e / flat, 0.0],
                    [e / r, n / r, u / r],
                ]
            )
            h = np.zeros((3, 6))
            h[:, :3] = local @ self.axes
            return h

    lat, lon, _ = frames.ecef_to_geodetic(place_m)
    axes = frames.enu_rotation(lat, lon).reshape(3, 3)
    turns = (
        -math.atan2(-axes[1, 2], axes[2, 2]),
        math.asin(axes[0, 2]),
        -math.atan2(-axes[0, 1], axes[0, 0]),
    )
    return Radar(
        axes=axes,
        place=place_m,
        ndim_state=6,
        mapping=(0, 1, 2),
        noise_covar=np.diag(np.asarray(sigma) ** 2),
        translation_offset=StateVector(place_m),
        rotation_offset=StateVector(turns),
    )
