"""Biases that stay: a sensor that is off by the same range, azimuth and elevation in all of its rows.

They are considered, not estimated (Schmidt 1966; Jazwinski 1970, section 8.4): each sensor's three offsets keep their
prior variance, and what they do to the state is carried as a cross-covariance, so that no number of rows makes a track
surer than its sensors' offsets allow. Sensors that are off independently correct one another as far as they can.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.motion import advance
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.sensing import AIMED, begin_state
from noroshi.tracking.kernels.states import (
    ACCELERATION_PSD,
    PHI,
    coasts,
    predict_coasting,
    predict_spread,
    room,
)
from noroshi.tracking.kernels.updating import (
    FRAME,
    GAIN,
    HP,
    ITERATED,
    VARIANCE,
    ZERO,
    H,
    R,
    add_noise,
    clear_noise,
    innovate,
    lay,
    regress,
    tabled,
    update_within,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP_M, STEP_MPS, STEP_LN = 100.0, 1.0, 0.02
"""Half widths of the differences where a prediction has no closed derivative: far above rounding, under curvature."""


@compiled
def carry(mean: Floats, cov: Floats, cross: Floats, dt: float, w: Floats) -> None:
    """Prediction of a state together with its cross-covariances (7, sensors * 3), in place."""
    if dt == 0:
        return
    moved = np.empty((6, cross.shape[1]))
    if coasts(mean, cov, dt):
        predict_coasting(mean, cov, dt, ACCELERATION_PSD, w)
        for i in range(6):
            for j in range(cross.shape[1]):
                s = 0.0
                for m in range(6):
                    s += w[PHI + i, m] * cross[m, j]
                moved[i, j] = s
    else:
        moved[:, :] = 0.0
        for m in range(7):
            h = STEP_M if m < 3 else (STEP_MPS if m < 6 else STEP_LN)
            point = mean.copy()
            point[m] += h
            a = advance(point[0], point[1], point[2], point[3], point[4], point[5], dt, math.exp(-point[6]))
            point[m] -= 2 * h
            b = advance(point[0], point[1], point[2], point[3], point[4], point[5], dt, math.exp(-point[6]))
            for i in range(6):
                for j in range(cross.shape[1]):
                    moved[i, j] += (a[i] - b[i]) / (2 * h) * cross[m, j]
        predict_spread(mean, cov, dt, ACCELERATION_PSD)
    for i in range(6):
        for j in range(cross.shape[1]):
            cross[i, j] = moved[i, j]


@compiled
def apart(rows: Rows, k: int, i: int) -> float:
    """Sigma of a row's offset in component i as the aimed angles have it."""
    return float(rows.bias[k, i]) * (math.cos(rows.value[k, 2]) if i == 1 else 1.0)


@compiled
def whiten_with(b: Floats, first: int, last: int, w: Floats) -> None:
    """Makes the noise of rows H, ZERO and b white with variance 1."""
    for i in range(first, last):
        for j in range(first, i + 1):
            s = w[R + i, j]
            for m in range(first, j):
                s -= w[R + i, m] * w[R + j, m]
            w[R + i, j] = math.sqrt(max(s, 1e-12 * w[R + i, i], 1e-300)) if i == j else s / w[R + j, j]
    for i in range(first, last):
        for m in range(first, i + 1):
            t = w[R + i, m] if m < i else 1 / w[R + i, i]
            for c in range(6):
                w[H + i, c] = w[H + i, c] * t if m == i else w[H + i, c] - t * w[H + m, c]
            for c in range(3):
                b[i, c] = b[i, c] * t if m == i else b[i, c] - t * b[m, c]
            w[ZERO, i] = w[ZERO, i] * t if m == i else w[ZERO, i] - t * w[ZERO, m]


@compiled
def consider(
    mean: Floats, cov: Floats, cross: Floats, rows: Rows, table: Floats, k: int, at: int, w: Floats
) -> None:
    """Update with row k, whose sensor's offsets stand in columns at, at + 1, at + 2 of `cross`; in place.

    The line is laid about what the ordinary update gives, with the offsets as noise; the gain is the best one given
    them; P, C and the state follow from it component by component.
    """
    about, spread = mean.copy(), cov.copy()
    update_within(about, spread, table, k, True, ITERATED, w)
    first, last = lay(table, k, AIMED, w)
    if first == 1 and about[0] == mean[0] and about[1] == mean[1] and about[2] == mean[2]:
        return  # angles that leave the range open
    size = 6 if last == 4 else 3
    clear_noise(w)
    regress(about, spread, AIMED, last, w)
    for i in range(3):
        w[VARIANCE, i] = max(w[VARIANCE, i] - apart(rows, k, i) ** 2, 0.0)
    add_noise(about, spread, first, last, w)
    innovate(AIMED, w)
    for i in range(first, last):
        for j in range(size):
            w[ZERO, i] -= w[H + i, j] * (mean[j] - about[j])
    b = np.zeros((4, 3))
    for i in range(first, 3):
        b[i, i] = math.cos(rows.value[k, 2]) if i == 1 else 1.0
    whiten_with(b, first, last, w)
    column = np.empty(cross.shape[1])
    for i in range(first, last):
        for j in range(cross.shape[1]):
            s = 0.0
            for m in range(size):
                s += w[H + i, m] * cross[m, j]
            column[j] = s
        total = 1.0
        for m in range(3):
            total += b[i, m] * (2 * column[at + m] + b[i, m] * rows.bias[k, m] ** 2)
        for a in range(7):
            s = 0.0
            for m in range(size):
                s += w[H + i, m] * cov[m, a]
            if a < size:
                total += s * w[H + i, a]
            for m in range(3):
                s += cross[a, at + m] * b[i, m]
            w[HP, a] = s
        for a in range(7):
            w[GAIN, a] = w[HP, a] / total
        for m in range(3):
            column[at + m] += b[i, m] * rows.bias[k, m] ** 2
        nu = w[ZERO, i]
        for a in range(7):
            mean[a] += w[GAIN, a] * nu
            for c in range(7):
                cov[a, c] -= w[GAIN, a] * w[GAIN, c] * total
            for j in range(cross.shape[1]):
                cross[a, j] -= w[GAIN, a] * column[j]
        for j in range(i + 1, last):
            for m in range(size):
                w[ZERO, j] -= w[H + j, m] * w[GAIN, m] * nu


@compiled
def consider_rows(rows: Rows, sensor: Ints, prior: Floats, mean: Floats, cov: Floats, cross: Floats) -> None:
    """One state through all rows, in order of time, the first of which begins it. sensor (m,): number of each row's
    sensor; cross (7, 3 * sensors): out, what its offsets do to the state.
    """
    w, table = room(), tabled(rows, 0, rows.time_ns.shape[0])
    cross[:, :] = 0.0
    begin_state(rows, 0, prior, mean, cov)
    lay(table, 0, AIMED, w)
    at = 3 * sensor[0]
    r = 0.0
    for i in range(3):
        r += (mean[i] - rows.site_m[0, i]) * w[FRAME + 2, i]
    for i in range(3):  # the first place is the true one plus the offset: their errors are opposite
        cross[i, at] = -w[FRAME + 2, i] * rows.bias[0, 0] ** 2
        cross[i, at + 1] = -w[FRAME, i] * r * math.cos(rows.value[0, 2]) * rows.bias[0, 1] ** 2
        cross[i, at + 2] = -w[FRAME + 1, i] * r * rows.bias[0, 2] ** 2
    for k in range(1, rows.time_ns.shape[0]):
        carry(mean, cov, cross, (rows.time_ns[k] - rows.time_ns[k - 1]) * 1e-9, w)
        consider(mean, cov, cross, rows, table, k, 3 * sensor[k], w)
