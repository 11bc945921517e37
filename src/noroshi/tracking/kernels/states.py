"""States: prediction of one object, by its derivative where that is all there is to see, else by sigma points.

State, 7 numbers: ECEF position m, velocity m/s, natural log of the ballistic coefficient (kg/m^2).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.matrices import cholesky
from noroshi.tracking.kernels.motion import (
    COAST_STEP_S,
    DRAG_TOP_M,
    EQUATOR_M,
    J2,
    MU,
    SPIN,
    advance,
    motion_step,
)

Floats = NDArray[np.float64]

SPREAD = math.sqrt(3.0)
"""Sigma points lie at the nodes of the three-point Gauss-Hermite rule: 0 and +-sqrt(3) sigma, outer weights 1/6."""
OUTER = 1 / 6

ACCELERATION_PSD = 1e-8
"""White acceleration noise of the filter, m^2/s^3: 6 mm/s in an hour. It keeps covariances positive, and stands for the
harmonics of gravity that the motion leaves out: with less of it an hour of flight would be overconfident (measured)."""


CURVED_M = 0.01
"""A prediction is curved when its second-order mean exceeds this, m: a thousandth of any range sigma."""
BENT_S = 400.0
"""The acceleration of the second order is the same error from step to step; it counts as white noise of its square times
this. It is nothing (1e-8 m^2/s^3) but where the range is still open, from angles of one sensor alone.
"""
CLEAR_SIGMAS = 4.0
"""So many sigmas have to lie outside the atmosphere, or climb, before drag is taken as none."""

ROOM, WIDTH = 40, 8
"""Rows and columns of the room that a prediction or an update works in."""
PHI, HALF = 0, 6
"""Rows of the room: the transition matrix, and it times the covariance."""


@compiled
def room() -> Floats:
    """What predictions and updates work in; made once for many."""
    return np.zeros((ROOM, WIDTH))


@compiled
def coasts(mean: Floats, cov: Floats, dt: float) -> bool:
    """Whether the derivative says all of a prediction: a short step, a tight enough state, and no drag before or after.

    The second-order mean of a free fall over t is at most 1.5 MU / r^4 tr(P) t^2 (expansion of the point mass).
    """
    x, y, z, u, v, w = mean[0], mean[1], mean[2], mean[3], mean[4], mean[5]
    if abs(dt) > COAST_STEP_S:
        return False
    r2 = x * x + y * y + z * z
    place = cov[0, 0] + cov[1, 1] + cov[2, 2]
    speed = cov[3, 3] + cov[4, 4] + cov[5, 5]
    if 1.5 * MU * place * dt * dt > CURVED_M * r2 * r2:
        return False
    lowest = EQUATOR_M + DRAG_TOP_M
    r = math.sqrt(r2)
    climb = (x * u + y * v + z * w) / r
    down = climb - CLEAR_SIGMAS * math.sqrt(speed) - abs(dt) * (MU / r2)
    if down > 0:
        return True
    return bool(r - CLEAR_SIGMAS * math.sqrt(place) + min(down * abs(dt), 0.0) > lowest)


@compiled
def transition(mean: Floats, dt: float, w: Floats) -> None:
    """Derivative (6, 6) of free fall over dt to its start, without drag, to the third order of dt; rows PHI of w.

    The gradient of gravity (point mass and J2) and of the centrifugal term is that of the middle of the way (Montenbruck
    and Gill 2000, sections 3.2 and 7.2.1).
    """
    a = 0.5 * dt
    x, y, z = mean[0] + a * mean[3], mean[1] + a * mean[4], mean[2] + a * mean[5]
    r2 = x * x + y * y + z * z
    m = MU / (r2 * math.sqrt(r2))
    k, e = m * (1.5 * J2 * EQUATOR_M * EQUATOR_M / r2), z * z / r2
    n = (3 * m + 5 * k * (1 - 7 * e)) / r2
    d = 10 * k * z / r2
    m += k * (1 - 5 * e)
    g00, g11 = n * x * x - m + SPIN * SPIN, n * y * y - m + SPIN * SPIN
    g22 = n * z * z - m + 2 * (d * z - k)
    g01, g02, g12 = n * x * y, n * x * z + d * x, n * y * z + d * y
    c = 2 * SPIN
    h2, h3 = 0.5 * dt * dt, dt * dt * dt / 6
    # A^2 = [[G, W], [W G, G + W^2]], A^3 = [[W G, G + W^2], [G G + W^2 G, W G + G W + W^3]], W = c [[0, 1], [-1, 0]]
    w[PHI, 0], w[PHI, 1], w[PHI, 2] = (
        1 + h2 * g00 + h3 * c * g01,
        h2 * g01 + h3 * c * g11,
        h2 * g02 + h3 * c * g12,
    )
    w[PHI + 1, 0], w[PHI + 1, 1], w[PHI + 1, 2] = (
        h2 * g01 - h3 * c * g00,
        1 + h2 * g11 - h3 * c * g01,
        h2 * g12 - h3 * c * g02,
    )
    w[PHI + 2, 0], w[PHI + 2, 1], w[PHI + 2, 2] = h2 * g02, h2 * g12, 1 + h2 * g22
    s = c * c
    w[PHI, 3], w[PHI, 4], w[PHI, 5] = dt + h3 * (g00 - s), h2 * c + h3 * g01, h3 * g02
    w[PHI + 1, 3], w[PHI + 1, 4], w[PHI + 1, 5] = h3 * g01 - h2 * c, dt + h3 * (g11 - s), h3 * g12
    w[PHI + 2, 3], w[PHI + 2, 4], w[PHI + 2, 5] = h3 * g02, h3 * g12, dt + h3 * g22
    q00, q01 = g00 * g00 + g01 * g01 + g02 * g02, g00 * g01 + g01 * g11 + g02 * g12
    q02, q11 = g00 * g02 + g01 * g12 + g02 * g22, g01 * g01 + g11 * g11 + g12 * g12
    q12, q22 = g01 * g02 + g11 * g12 + g12 * g22, g02 * g02 + g12 * g12 + g22 * g22
    w[PHI + 3, 0], w[PHI + 3, 1], w[PHI + 3, 2] = (
        dt * g00 + h2 * c * g01 + h3 * (q00 - s * g00),
        dt * g01 + h2 * c * g11 + h3 * (q01 - s * g01),
        dt * g02 + h2 * c * g12 + h3 * (q02 - s * g02),
    )
    w[PHI + 4, 0], w[PHI + 4, 1], w[PHI + 4, 2] = (
        dt * g01 - h2 * c * g00 + h3 * (q01 - s * g01),
        dt * g11 - h2 * c * g01 + h3 * (q11 - s * g11),
        dt * g12 - h2 * c * g02 + h3 * (q12 - s * g12),
    )
    w[PHI + 5, 0], w[PHI + 5, 1], w[PHI + 5, 2] = (
        dt * g02 + h3 * q02,
        dt * g12 + h3 * q12,
        dt * g22 + h3 * q22,
    )
    # W G + G W = c [[0, g00 + g11, g12], [-(g00 + g11), 0, -g02], [-g12, g02, 0]], with its diagonal g01 - g01
    t = h3 * c
    cross = dt * c + t * (g00 + g11 - s)
    w[PHI + 3, 3], w[PHI + 3, 4], w[PHI + 3, 5] = 1 + h2 * (g00 - s), h2 * g01 + cross, h2 * g02 + t * g12
    w[PHI + 4, 3], w[PHI + 4, 4], w[PHI + 4, 5] = h2 * g01 - cross, 1 + h2 * (g11 - s), h2 * g12 - t * g02
    w[PHI + 5, 3], w[PHI + 5, 4], w[PHI + 5, 5] = h2 * g02 - t * g12, h2 * g12 + t * g02, 1 + h2 * g22


@compiled
def add_motion_noise(cov: Floats, dt: float, psd: float) -> None:
    """White acceleration over dt on the upper half of a covariance, and that half mirrored."""
    t = abs(dt)
    for i in range(3):
        cov[i, i] += psd * t * t * t / 3
        cov[i, i + 3] += psd * t * dt / 2
        cov[i + 3, i + 3] += psd * t
    for i in range(1, 7):
        for j in range(i):
            cov[i, j] = cov[j, i]


@compiled
def predict_coasting(mean: Floats, cov: Floats, dt: float, psd: float, w: Floats) -> None:
    """Prediction over a short step by the motion of the mean and the derivative, in place; no drag."""
    transition(mean, dt, w)
    p = motion_step(mean[0], mean[1], mean[2], mean[3], mean[4], mean[5], dt, 0.0)
    for i in range(6):
        mean[i] = p[i]
    for i in range(6):
        for j in range(7):
            w[HALF + i, j] = (
                w[PHI + i, 0] * cov[0, j]
                + w[PHI + i, 1] * cov[1, j]
                + w[PHI + i, 2] * cov[2, j]
                + w[PHI + i, 3] * cov[3, j]
                + w[PHI + i, 4] * cov[4, j]
                + w[PHI + i, 5] * cov[5, j]
            )
    for i in range(6):
        for j in range(i, 6):
            cov[i, j] = (
                w[HALF + i, 0] * w[PHI + j, 0]
                + w[HALF + i, 1] * w[PHI + j, 1]
                + w[HALF + i, 2] * w[PHI + j, 2]
                + w[HALF + i, 3] * w[PHI + j, 3]
                + w[HALF + i, 4] * w[PHI + j, 4]
                + w[HALF + i, 5] * w[PHI + j, 5]
            )
        cov[i, 6] = w[HALF + i, 6]
    add_motion_noise(cov, dt, psd)


@compiled
def predict_spread(mean: Floats, cov: Floats, dt: float, psd: float) -> None:
    """Sigma-point prediction over dt seconds, in place.

    Per axis of the Cholesky factor two points at +-sqrt(3) sigma with weight 1/6 (Julier and Uhlmann 2004, with
    kappa = 3 - n). The second-order term is taken out axis by axis, which keeps the covariance positive, where the
    usual negative central weight does not.
    """
    r2 = mean[0] ** 2 + mean[1] ** 2 + mean[2] ** 2
    bent = 3 * MU / (r2 * r2) * (cov[0, 0] + cov[1, 1] + cov[2, 2])
    psd += BENT_S * bent * bent
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
    add_motion_noise(cov, dt, psd)


@compiled
def predict_within(mean: Floats, cov: Floats, dt: float, psd: float, w: Floats) -> None:
    """`predict_state` in a room that is used again."""
    if dt == 0:
        return
    if coasts(mean, cov, dt):
        predict_coasting(mean, cov, dt, psd, w)
    else:
        predict_spread(mean, cov, dt, psd)


@compiled
def predict_state(mean: Floats, cov: Floats, dt: float, psd: float) -> None:
    """Prediction over dt seconds, in place; psd: white acceleration noise, m^2/s^3."""
    predict_within(mean, cov, dt, psd, room())
