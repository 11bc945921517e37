"""Launches: sigma points of a state followed back along the free-fall arc to where it leaves the surface."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.falls import displaced, offset, surface_frame
from noroshi.tracking.kernels.matrices import cholesky
from noroshi.tracking.kernels.motion import FALL_WITHIN_S, allowed_step, height, motion_step
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.sensing import begin_state
from noroshi.tracking.kernels.states import OUTER, SPREAD
from noroshi.tracking.kernels.wide import STRONG, predict_wide, update_wide, widen

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@compiled
def rise(
    x: float, y: float, z: float, u: float, v: float, w: float, inv_beta: float
) -> tuple[float, float, float, float]:
    """Where (ECEF m) and how many seconds ago an object left the surface in free fall; -1 s: not within two hours."""
    t = 0.0
    if height(x, y, z) <= 0:
        return x, y, z, 0.0
    while t < FALL_WITHIN_S:
        step = allowed_step(x, y, z, u, v, w, inv_beta)
        a, b, c, d, e, f = motion_step(x, y, z, u, v, w, -step, inv_beta)
        if a * d + b * e + c * f > 0 and height(a, b, c) < 0:
            low, high = 0.0, step
            for _ in range(45):  # halving: to a nanosecond
                middle = 0.5 * (low + high)
                a, b, c, d, e, f = motion_step(x, y, z, u, v, w, -middle, inv_beta)
                if height(a, b, c) > 0:
                    low = middle
                else:
                    high = middle
            return a, b, c, t + 0.5 * (low + high)
        x, y, z, u, v, w = a, b, c, d, e, f
        t += step
    return x, y, z, -1.0


@compiled
def launch_rows(mean: Floats, cov: Floats, place: Floats, spread: Floats, valid: Bools) -> None:
    """Start of the arc of every state: place (n, 3) lat, lon rad, seconds before the state; spread (n, 3, 3) over east
    m, north m, time s. Thirteen points: the motion alone, for the coefficient has no say above the atmosphere.
    """
    low = np.empty((6, 6))
    p = np.empty(6)
    side = np.empty((2, 3))
    middle = np.empty(3)
    rot = np.empty((3, 3))
    for i in range(mean.shape[0]):
        place[i] = 0.0
        spread[i] = 0.0
        inv_beta = math.exp(-mean[i, 6])
        p[:] = mean[i, :6]
        cx, cy, cz, ct = rise(p[0], p[1], p[2], p[3], p[4], p[5], inv_beta)
        valid[i] = ct >= 0
        if not valid[i]:
            continue
        surface_frame(cx, cy, cz, rot)
        cholesky(cov[i], low, 6)
        shift = np.zeros(3)
        for axis in range(6):
            for half in range(2):
                f = SPREAD if half == 0 else -SPREAD
                for j in range(6):
                    p[j] = mean[i, j] + f * low[j, axis]
                x, y, z, t = rise(p[0], p[1], p[2], p[3], p[4], p[5], inv_beta)
                if not t >= 0:
                    valid[i] = False
                side[half, 0], side[half, 1] = offset(x - cx, y - cy, z - cz, rot)
                side[half, 2] = ct - t
            for j in range(3):
                middle[j] = OUTER * (side[0, j] + side[1, j])
                shift[j] += middle[j]
            for j in range(3):
                for m in range(3):
                    product = side[0, j] * side[0, m] + side[1, j] * side[1, m]
                    spread[i, j, m] += OUTER * product - middle[j] * middle[m]
        if valid[i]:
            place[i, 0], place[i, 1] = displaced(cx, cy, cz, shift[0], shift[1], rot)
            place[i, 2] = ct - shift[2]
        else:
            spread[i] = 0.0


@compiled
def first_state(rows: Rows, count: int, prior: Floats, mean: Floats, cov: Floats) -> None:
    """State (7) at row 0 from the first `count` rows, taken backwards, under a strong unknown acceleration."""
    begin_state(rows, count - 1, prior, mean, cov)
    wide_mean, wide_cov = np.empty(10), np.empty((10, 10))
    widen(mean, cov, STRONG[0], wide_mean, wide_cov)
    for k in range(count - 2, -1, -1):
        dt = (rows.time_ns[k] - rows.time_ns[k + 1]) * 1e-9
        predict_wide(wide_mean, wide_cov, dt, STRONG[0], STRONG[1])
        update_wide(wide_mean, wide_cov, rows, k)
    mean[:] = wide_mean[:7]
    for i in range(7):
        for j in range(7):
            cov[i, j] = wide_cov[i, j]
