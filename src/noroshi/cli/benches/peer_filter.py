"""Stone Soup's unscented Kalman filter on one object in free fall: the peer of the `accuracy` benchmark.

Its predictor and updater, noroshi's equations of motion without drag, its own radar model, and for a beginning what
noroshi's first row gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from noroshi.cli.benches.arcs import Floats
from noroshi.errors import OperatorError
from noroshi.geo.frames import ecef_to_geodetic, enu_rotation
from noroshi.tracking import Measurements, initiate, propagate
from noroshi.tracking.kernels import ACCELERATION_PSD

PEER = "Stone Soup UKF"
EPOCH = datetime(2030, 1, 1, tzinfo=UTC)


def peer_version(bench: str) -> str:
    """The peer's version. Raises OperatorError when it is not installed."""
    try:
        return version("stonesoup")
    except PackageNotFoundError:
        raise OperatorError(
            "run the benchmark",
            subject=bench,
            cause="Stone Soup is not installed",
            hint="pip install noroshi[bench]",
        ) from None


def peer_errors(kept: Sequence[Measurements], truth: Floats) -> Floats:
    """Errors (runs, 6) of the peer after all instants. kept: per instant one row per run; truth (runs, 6) at the end."""
    return np.array([_one([rows[i : i + 1] for rows in kept]) for i in range(len(truth))]) - truth


def _one(rows: Sequence[Measurements]) -> Floats:
    """The estimate of one run."""
    from stonesoup.predictor.kalman import UnscentedKalmanPredictor
    from stonesoup.types.angle import Bearing, Elevation
    from stonesoup.types.array import StateVector
    from stonesoup.types.detection import Detection
    from stonesoup.types.hypothesis import SingleHypothesis
    from stonesoup.types.state import GaussianState
    from stonesoup.updater.kalman import UnscentedKalmanUpdater

    first = initiate(rows[0])
    state: Any = GaussianState(
        first.mean[0, :6].reshape(-1, 1), first.covariance[0, :6, :6], timestamp=_stamp(rows[0], rows[0])
    )
    predictor, updater = UnscentedKalmanPredictor(_motion()), UnscentedKalmanUpdater(None)
    models: dict[bytes, Any] = {}
    for row in rows[1:]:
        site = row.site_m.tobytes()
        if site not in models:
            models[site] = _radar(row)
        model = models[site]
        distance, azimuth, elevation = row.value[0]
        vector = StateVector([Elevation(elevation), Bearing(np.pi / 2 - azimuth), distance])
        stamp = _stamp(rows[0], row)
        seen = Detection(vector, timestamp=stamp, measurement_model=model)
        state = updater.update(SingleHypothesis(predictor.predict(state, timestamp=stamp), seen))
    return np.asarray(state.state_vector, float).ravel()


def _stamp(first: Measurements, row: Measurements) -> datetime:
    return EPOCH + timedelta(microseconds=int(row.time_ns[0] - first.time_ns[0]) / 1000)


def _motion() -> Any:
    """Free fall with noroshi's acceleration noise."""
    from stonesoup.models.base import TimeVariantModel
    from stonesoup.models.transition.nonlinear import GaussianTransitionModel
    from stonesoup.types.array import CovarianceMatrix, StateVector, StateVectors

    class FreeFall(GaussianTransitionModel, TimeVariantModel):  # type: ignore[misc]  # the peer has no types
        """Free fall over the turning Earth, rows in ECEF."""

        @property
        def ndim_state(self) -> int:
            return 6

        def covar(self, time_interval: timedelta, **_: Any) -> Any:
            h, found = time_interval.total_seconds(), np.zeros((6, 6))
            for i in range(3):
                found[i, i], found[i + 3, i + 3] = h**3 / 3, h
                found[i, i + 3] = found[i + 3, i] = h**2 / 2
            return CovarianceMatrix(ACCELERATION_PSD * found)

        def function(self, state: Any, noise: Any = False, time_interval: Any = None, **_: Any) -> Any:
            start = np.asarray(state.state_vector, float).T
            end = propagate(start, [time_interval.total_seconds()])[:, 0].T
            return end.view(StateVector if end.shape[1] == 1 else StateVectors)

    return FreeFall()


def _radar(row: Measurements) -> Any:
    """The library's radar model at the site of the row."""
    from stonesoup.models.measurement.nonlinear import CartesianToElevationBearingRange
    from stonesoup.types.array import StateVector

    lat, lon, _ = ecef_to_geodetic(row.site_m)
    turn = enu_rotation(lat, lon)[0]
    roll, pitch = np.arctan2(-turn[1, 2], turn[2, 2]), np.arcsin(turn[0, 2])
    yaw = np.arctan2(-turn[0, 1], turn[0, 0])
    return CartesianToElevationBearingRange(
        ndim_state=6,
        mapping=(0, 1, 2),
        noise_covar=np.diag(row.sigma[0, [2, 1, 0]] ** 2),
        translation_offset=StateVector(row.site_m[0]),
        rotation_offset=StateVector([-roll, pitch, -yaw]),
    )
