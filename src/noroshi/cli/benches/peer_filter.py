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
from noroshi.cli.benches.tracking_peer import free_fall, radar
from noroshi.errors import OperatorError
from noroshi.tracking import Measurements, initiate

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
    predictor, updater = UnscentedKalmanPredictor(free_fall()), UnscentedKalmanUpdater(None)
    models: dict[bytes, Any] = {}
    for row in rows[1:]:
        site = row.site_m.tobytes()
        if site not in models:
            models[site] = radar(row.site_m[0], row.sigma[0, [2, 1, 0]])
        model = models[site]
        distance, azimuth, elevation = row.value[0]
        vector = StateVector([Elevation(elevation), Bearing(np.pi / 2 - azimuth), distance])
        stamp = _stamp(rows[0], row)
        seen = Detection(vector, timestamp=stamp, measurement_model=model)
        state = updater.update(SingleHypothesis(predictor.predict(state, timestamp=stamp), seen))
    return np.asarray(state.state_vector, float).ravel()


def _stamp(first: Measurements, row: Measurements) -> datetime:
    return EPOCH + timedelta(microseconds=int(row.time_ns[0] - first.time_ns[0]) / 1000)
