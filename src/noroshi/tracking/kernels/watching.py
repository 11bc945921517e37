"""Free fall under watch: one object in free fall, and whether its corrections look like an acceleration."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.doubt import begin_doubt, curved
from noroshi.tracking.kernels.filters import CHECKPOINT_ROWS
from noroshi.tracking.kernels.flight import (
    BORN,
    BURNT_ROW,
    DOUBT,
    DOUBT_ABOVE,
    FLAGGED_ROW,
    FREE,
    LATER_ODDS,
    LOW_M,
    LOW_ODDS,
    POWERED,
    SAID,
    START_ODDS,
    WATCH,
    WATCH_BEGAN,
    WATCH_S,
    WATCH_SIGMA_MPS2,
    WATCH_SIZE,
    WATCH_VALUE,
    WATCHES,
    reset_watch,
)
from noroshi.tracking.kernels.matrices import cholesky, solve
from noroshi.tracking.kernels.motion import height
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.sensing import begin_state
from noroshi.tracking.kernels.states import ACCELERATION_PSD, predict_state
from noroshi.tracking.kernels.updating import update_state

Floats = NDArray[np.float64]


@compiled
def begin_flight(rows: Rows, prior: Floats, state: Floats) -> None:
    """The state after row 0: free fall, or in doubt where the object may be low enough to be under power."""
    state[:] = 0.0
    mean, cov = state[0:7], state[7:56].reshape((7, 7))
    begin_state(rows, 0, prior, mean, cov)
    state[FLAGGED_ROW] = -1.0
    state[BURNT_ROW] = -1.0
    state[FREE] = 1.0
    for w in range(WATCHES):
        reset_watch(state, w, 0.0)
    r = math.sqrt(mean[0] ** 2 + mean[1] ** 2 + mean[2] ** 2)
    spread = 0.0
    for i in range(3):
        for j in range(3):
            spread += mean[i] * cov[i, j] * mean[j]
    if height(mean[0], mean[1], mean[2]) - 2 * math.sqrt(spread) / r < LOW_M:
        state[SAID] = POWERED
        begin_doubt(state, 0, LOW_ODDS)


@compiled
def watch_row(state: Floats, before: Floats, spread: Floats, dt: float) -> float:
    """Scores the row that took the estimate from (before, spread) to `state`; largest log Bayes factor plus log odds.

    What a constant acceleration since the watch began would have done to the estimate is carried along; against it the
    correction that the row made is laid. Separate-bias estimation: Friedland 1969; as a test: Willsky and Jones 1976.
    Only estimates before and after the row are used, so any kind of row serves. Under free fall the factor is a
    martingale of mean 1, so that it exceeds L with a probability under 1/L, however long the watch (Ville 1939).
    """
    mean, cov = state[0:7], state[7:56].reshape((7, 7))
    low = np.empty((7, 7))
    cholesky(spread, low, 7)
    gain = np.empty((7, 7))
    for i in range(7):
        for j in range(7):
            gain[i, j] = spread[i, j] - cov[i, j]
    best = -1e9
    side = np.empty((3, 7))
    moved = np.empty((3, 7))
    inner, factor, vector = np.empty((3, 3)), np.empty((3, 3)), np.empty(3)
    for w in range(WATCHES):
        at = WATCH + w * WATCH_SIZE
        if state[at + WATCH_BEGAN] < 0:
            continue
        drift = state[at : at + 21].reshape((7, 3))
        score, weight = state[at + 21 : at + 24], state[at + 24 : at + WATCH_BEGAN].reshape((3, 3))
        for i in range(3):
            for j in range(3):
                drift[i, j] += dt * drift[i + 3, j]
            drift[i, i] += 0.5 * dt * dt
            drift[i + 3, i] += dt
        for j in range(3):
            for i in range(7):
                side[j, i] = drift[i, j]
            solve(low, side[j], 7)
            for i in range(7):
                s = 0.0
                for m in range(7):
                    s += gain[i, m] * side[j, m]
                moved[j, i] = s
        for j in range(3):
            for i in range(7):
                score[j] += side[j, i] * (mean[i] - before[i])
                drift[i, j] -= moved[j, i]
            for m in range(3):
                s = 0.0
                for i in range(7):
                    s += side[j, i] * moved[m, i]
                weight[j, m] += s
        for j in range(3):
            for m in range(3):
                inner[j, m] = 0.5 * WATCH_SIGMA_MPS2**2 * (weight[j, m] + weight[m, j])
            inner[j, j] += 1.0
            vector[j] = score[j]
        cholesky(inner, factor, 3)
        solve(factor, vector, 3)
        value = 0.0
        for j in range(3):
            value += 0.5 * WATCH_SIGMA_MPS2**2 * score[j] * vector[j] - math.log(factor[j, j])
        state[at + WATCH_VALUE] = value
        odds = START_ODDS if state[at + WATCH_BEGAN] == 0 else LATER_ODDS
        best = max(best, value + odds)
    return best


@compiled
def fall_rows_freely(rows: Rows, prior: Floats, start: int, stop: int, state: Floats) -> int:
    """Runs rows start..stop through free fall; the count of rows done.

    Negative: the last of them raised doubt, which has to be begun after as many rows as BORN says. A first row alone
    may be in doubt by itself.
    """
    for k in range(start, stop):
        if k == 0:
            begin_flight(rows, prior, state)
            if state[DOUBT] != 0:
                return 1
            continue
        mean, cov = state[0:7], state[7:56].reshape((7, 7))
        dt = (rows.time_ns[k] - rows.time_ns[k - 1]) * 1e-9
        predict_state(mean, cov, dt, ACCELERATION_PSD)
        before, spread = mean.copy(), cov.copy()
        update_state(mean, cov, rows, k, True)
        odds = watch_row(state, before, spread, dt)
        if curved(state[0:56]):
            begin_doubt(state, k + 1, LATER_ODDS)
            return k + 1
        if odds > DOUBT_ABOVE:
            born = 0.0
            for w in range(WATCHES):
                at = WATCH + w * WATCH_SIZE
                margin = START_ODDS if state[at + WATCH_BEGAN] == 0 else LATER_ODDS
                if state[at + WATCH_BEGAN] >= 0 and state[at + WATCH_VALUE] + margin > DOUBT_ABOVE:
                    born = max(born, state[at + WATCH_BEGAN])
            state[BORN] = born
            return -(k + 1)
        if (k + 1) % CHECKPOINT_ROWS == 0:
            for w in range(WATCHES):
                began = int(state[WATCH + w * WATCH_SIZE + WATCH_BEGAN])
                if began < 0 or (rows.time_ns[k] - rows.time_ns[max(began - 1, 0)]) * 1e-9 > WATCH_S[w]:
                    reset_watch(state, w, k + 1.0)
    return stop
