"""Free fall over the turning Earth: point mass, J2, Coriolis and centrifugal terms, drag on the way down.

    states = propagate(state, [0.0, 10.0, 20.0], beta_kgm2=5000.0)        # (n, 3, 6)

Equations: Montenbruck and Gill, Satellite Orbits (2000), sections 3.2 and 3.5; constants WGS-84; the atmosphere is one
exponential with 1.225 kg/m^3 at sea level and a scale height of 7,200 m, a generic figure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noroshi.tracking import kernels
from noroshi.tracking.errors import TrackError

Floats = NDArray[np.float64]

FALL_WITHIN_S = kernels.FALL_WITHIN_S
"""What has not come down after two hours is taken not to fall."""


def propagate(state: ArrayLike, times_s: ArrayLike, beta_kgm2: ArrayLike | None = None) -> Floats:
    """States at ascending times from 0 on: (n, k, 6), ECEF position m and velocity m/s.

    state: (6,) or (n, 6); times_s: (k,), s after the state; beta_kgm2: ballistic coefficient kg/m^2, one or (n,), None
    for no drag. A time's result does not depend on the other times. After the fall an object rests at its fall point.
    Raises TrackError for times that descend or are negative, or a coefficient that is not positive.
    """
    rows, times = _states(state), np.array(times_s, np.float64).reshape(-1)
    if len(times) and (not np.isfinite(times).all() or times[0] < 0 or (np.diff(times) < 0).any()):
        raise TrackError("propagate the state", cause="times must ascend from 0 on")
    out = np.zeros((len(rows), len(times), 6))
    kernels.propagate_rows(rows, times, inverse_beta(beta_kgm2, len(rows)), out, np.zeros(len(rows)))
    return out


def fly(state: ArrayLike, beta_kgm2: ArrayLike | None = None) -> Floats:
    """Rows (n, 6) of: ECEF fall point m (3), seconds to it (-1 where it does not fall in two hours), greatest height m
    above the ellipsoid from now on, and seconds to it. Raises TrackError as `propagate` does.
    """
    rows = _states(state)
    out = np.zeros((len(rows), 6))
    kernels.fly_rows(rows, inverse_beta(beta_kgm2, len(rows)), out)
    return out


def inverse_beta(beta_kgm2: ArrayLike | None, count: int) -> Floats:
    """1 / coefficient per row, 0 for no drag. Raises TrackError for a coefficient that is not positive."""
    if beta_kgm2 is None:
        return np.zeros(count)
    beta = np.array(np.broadcast_to(np.asarray(beta_kgm2, np.float64), (count,)))
    if not (beta > 0).all():
        raise TrackError("propagate the state", cause="a ballistic coefficient must be above 0 kg/m^2")
    return 1 / beta


def _states(state: ArrayLike) -> Floats:
    rows = np.array(state, np.float64).reshape(-1, 6)
    if not np.isfinite(rows).all():
        raise TrackError("propagate the state", cause="a state holds a number that is not finite")
    return rows
