"""States: sigma-point prediction of one object.

State, 7 numbers: ECEF position m, velocity m/s, natural log of the ballistic coefficient (kg/m^2).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.matrices import cholesky
from noroshi.tracking.kernels.motion import advance

Floats = NDArray[np.float64]

SPREAD = math.sqrt(3.0)
"""Sigma points lie at the nodes of the three-point Gauss-Hermite rule: 0 and +-sqrt(3) sigma, outer weights 1/6."""
OUTER = 1 / 6

ACCELERATION_PSD = 1e-8
"""White acceleration noise of the filter, m^2/s^3: padding that keeps covariances positive, 6 mm/s in an hour."""


@compiled
def predict_state(mean: Floats, cov: Floats, dt: float, psd: float) -> None:
    """Sigma-point prediction over dt seconds, in place; psd: white acceleration noise, m^2/s^3.

    Per axis of the Cholesky factor two points at +-sqrt(3) sigma with weight 1/6 (Julier and Uhlmann 2004, with
    kappa = 3 - n). The second-order term is taken out axis by axis, which keeps the covariance positive, where the
    usual negative central weight does not.
    """
    if dt == 0:
        return
    low = np.empty((7, 7))
    cholesky(cov, low, 7)
    c = advance(mean[0], mean[1], mean[2], mean[3], mean[4], mean[5], dt, math.exp(-mean[6]))
    shift = np.zeros(7)
    plus, minus, middle = np.empty(7), np.empty(7), np.empty(7)
    for i in range(7):
        for j in range(i, 7):
            cov[i, j] = 0.0
    for axis in range(7):
        for side in range(2):
            f = SPREAD if side == 0 else -SPREAD
            p = advance(
                mean[0] + f * low[0, axis],
                mean[1] + f * low[1, axis],
                mean[2] + f * low[2, axis],
                mean[3] + f * low[3, axis],
                mean[4] + f * low[4, axis],
                mean[5] + f * low[5, axis],
                dt,
                math.exp(-mean[6] - f * low[6, axis]),
            )
            d = plus if side == 0 else minus
            for i in range(6):
                d[i] = p[i] - c[i]
            d[6] = f * low[6, axis]
        for i in range(7):
            middle[i] = OUTER * (plus[i] + minus[i])
            shift[i] += middle[i]
        for i in range(7):
            for j in range(i, 7):
                cov[i, j] += OUTER * (plus[i] * plus[j] + minus[i] * minus[j]) - middle[i] * middle[j]
    for i in range(6):
        mean[i] = c[i] + shift[i]
    t = abs(dt)
    for i in range(3):
        cov[i, i] += psd * t * t * t / 3
        cov[i, i + 3] += psd * t * dt / 2
        cov[i + 3, i + 3] += psd * t
    for i in range(7):
        for j in range(i):
            cov[i, j] = cov[j, i]
