"""Unknown acceleration: one object under power, gliding or turning, of which nothing more is known.

State, 10 numbers: the seven of free fall, then what accelerates the object beyond free fall, ECEF m/s^2. Its three
components are Ornstein-Uhlenbeck processes about zero (Singer 1970, whose target model this is). There is no model of
any vehicle in it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.matrices import cholesky, solve
from noroshi.tracking.kernels.motion import advance
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.states import ACCELERATION_PSD, OUTER, SPREAD
from noroshi.tracking.kernels.updating import update_state

Floats = NDArray[np.float64]

STRONG = (30.0, 30.0)
"""Standard deviation per axis, m/s^2, and correlation time, s, of an unknown acceleration such as power gives: 20 to 60
in any direction lie inside two sigmas; it changes by 8 m/s^2 in a second, so steps are followed within seconds."""
GENTLE = (4.0, 60.0)
"""The same of lift or a weak pull, which the strong one would take for free fall that ends again and again."""
WIDE_STEP_S = 5.0
"""Longest step of a prediction with it, a sixth of the shorter correlation time."""


@compiled
def widen(mean: Floats, cov: Floats, sigma: float, wide_mean: Floats, wide_cov: Floats) -> None:
    """The free-fall state (7) as one with an unknown acceleration (10) of that standard deviation per axis."""
    wide_mean[:7] = mean
    wide_mean[7:] = 0.0
    wide_cov[:, :] = 0.0
    for i in range(7):
        for j in range(7):
            wide_cov[i, j] = cov[i, j]
    for i in range(7, 10):
        wide_cov[i, i] = sigma * sigma


@compiled
def wide_step(mean: Floats, cov: Floats, dt: float, sigma: float, time_s: float) -> None:
    """One step of `predict_wide`."""
    low = np.empty((10, 10))
    cholesky(cov, low, 10)
    t = abs(dt)
    kept = math.exp(-t / time_s)
    to_velocity = math.copysign(time_s * (1 - kept), dt)
    to_place = time_s * (t - time_s * (1 - kept))
    c = advance(mean[0], mean[1], mean[2], mean[3], mean[4], mean[5], dt, math.exp(-mean[6]))
    shift = np.zeros(7)
    plus, minus, middle = np.empty(10), np.empty(10), np.zeros(10)
    cov[:, :] = 0.0
    for axis in range(10):
        for side in range(2):
            f = SPREAD if side == 0 else -SPREAD
            d = plus if side == 0 else minus
            d[:] = 0.0
            if axis < 7:
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
                for i in range(6):
                    d[i] = p[i] - c[i]
                d[6] = f * low[6, axis]
            for i in range(3):
                pull = f * low[7 + i, axis]
                d[i] += to_place * pull
                d[i + 3] += to_velocity * pull
                d[i + 7] = kept * pull
        for i in range(7):
            middle[i] = OUTER * (plus[i] + minus[i])
            shift[i] += middle[i]
        for i in range(10):
            for j in range(i, 10):
                cov[i, j] += OUTER * (plus[i] * plus[j] + minus[i] * minus[j]) - middle[i] * middle[j]
    for i in range(3):
        mean[i] = c[i] + shift[i] + to_place * mean[i + 7]
        mean[i + 3] = c[i + 3] + shift[i + 3] + to_velocity * mean[i + 7]
        mean[i + 7] *= kept
    # White noise through three integrals (Singer 1970 for steps short against the correlation time), scaled so that
    # the acceleration's own variance is exact at any step.
    q = sigma * sigma * (1 - kept * kept) / t
    for i in range(3):
        cov[i, i] += q * t**5 / 20 + ACCELERATION_PSD * t**3 / 3
        cov[i, i + 3] += dt * (q * t**3 / 8 + ACCELERATION_PSD * t / 2)
        cov[i, i + 7] += q * t**3 / 6
        cov[i + 3, i + 3] += q * t**3 / 3 + ACCELERATION_PSD * t
        cov[i + 3, i + 7] += dt * q * t / 2
        cov[i + 7, i + 7] += q * t
    for i in range(10):
        for j in range(i):
            cov[i, j] = cov[j, i]


@compiled
def predict_wide(mean: Floats, cov: Floats, dt: float, sigma: float, time_s: float) -> None:
    """Prediction over dt seconds, in place, forwards or backwards: free fall by sigma points, the rest linear.

    sigma m/s^2, time_s: of the acceleration, as `STRONG` has them. The process runs backwards as it does forwards, for
    it is stationary.
    """
    left = dt
    while left != 0:
        step = math.copysign(min(abs(left), WIDE_STEP_S), left)
        left = 0.0 if abs(left) <= WIDE_STEP_S else left - step
        wide_step(mean, cov, step, sigma, time_s)


@compiled
def update_wide(mean: Floats, cov: Floats, rows: Rows, k: int) -> tuple[float, float]:
    """Updates with row k, in place; squared innovation distance and log det of its covariance.

    No row sees the acceleration itself, so the seven are updated as in free fall and the acceleration follows by its
    regression on them (Rauch, Tung and Striebel 1965, the same algebra).
    """
    before, spread = mean[:7].copy(), cov[:7, :7].copy()
    low = np.empty((7, 7))
    cholesky(spread, low, 7)
    regression = np.empty((3, 7))
    for i in range(3):
        regression[i] = cov[7 + i, :7]
        solve(low, regression[i], 7)
    narrow_mean, narrow = before.copy(), spread.copy()
    d2, logdet = update_state(narrow_mean, narrow, rows, k, True)
    gained = np.empty((3, 7))
    for i in range(3):
        for j in range(7):
            s = 0.0
            for m in range(7):
                s += regression[i, m] * (spread[m, j] - narrow[m, j])
            gained[i, j] = s
    for i in range(3):
        for m in range(7):
            mean[7 + i] += regression[i, m] * (narrow_mean[m] - before[m])
        for j in range(3):
            for m in range(7):
                cov[7 + i, 7 + j] -= gained[i, m] * regression[j, m]
        for j in range(7):
            cov[7 + i, j] -= gained[i, j]
            cov[j, 7 + i] = cov[7 + i, j]
    for i in range(3):
        for j in range(i):
            cov[7 + i, 7 + j] = cov[7 + j, 7 + i]
    mean[:7] = narrow_mean
    for i in range(7):
        for j in range(7):
            cov[i, j] = narrow[i, j]
    return d2, logdet
