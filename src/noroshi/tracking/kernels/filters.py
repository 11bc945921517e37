"""Entry points of the filter: columns of states and rows of measurements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.radar import begin_state, update_state
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.states import ACCELERATION_PSD, predict_state

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CHECKPOINT_ROWS = 16
"""A state is kept every so many rows: a late row costs about this many updates, and history stays small."""


@compiled
def begin_rows(rows: Rows, prior: Floats, mean: Floats, cov: Floats) -> None:
    """One new state per row."""
    for i in range(rows.time_ns.shape[0]):
        begin_state(rows, i, prior, mean[i], cov[i])


@compiled
def predict_rows(mean: Floats, cov: Floats, dt: Floats) -> None:
    """Predicts every state by its own dt seconds, in place."""
    for i in range(mean.shape[0]):
        predict_state(mean[i], cov[i], dt[i], ACCELERATION_PSD)


@compiled
def update_rows(
    mean: Floats,
    cov: Floats,
    dt: Floats,
    row: Ints,
    rows: Rows,
    distance: Floats,
) -> None:
    """Predicts and updates state i with measurement row[i], in place; row -1 leaves the state as it is."""
    for i in range(mean.shape[0]):
        k = row[i]
        if k >= 0:
            predict_state(mean[i], cov[i], dt[i], ACCELERATION_PSD)
            distance[i] = update_state(mean[i], cov[i], rows, k, True)[0]


@compiled
def filter_rows(
    rows: Rows,
    prior: Floats,
    start: int,
    stop: int,
    mean: Floats,
    cov: Floats,
    saved_mean: Floats,
    saved_cov: Floats,
) -> tuple[float, float]:
    """Runs rows start..stop (in time order) through one state; row 0 begins it. Keeps a checkpoint every few rows.

    mean, cov: the state after row start - 1. Checkpoint j is the state after row (j + 1) * CHECKPOINT_ROWS - 1.
    Gives the sums of the squared innovation distances and of the log dets.
    """
    total, logdet = 0.0, 0.0
    for k in range(start, stop):
        if k == 0:
            begin_state(rows, 0, prior, mean, cov)
        else:
            predict_state(mean, cov, (rows.time_ns[k] - rows.time_ns[k - 1]) * 1e-9, ACCELERATION_PSD)
            d2, ld = update_state(mean, cov, rows, k, True)
            total += d2
            logdet += ld
        if (k + 1) % CHECKPOINT_ROWS == 0:
            j = (k + 1) // CHECKPOINT_ROWS - 1
            if j < saved_mean.shape[0]:
                saved_mean[j] = mean
                saved_cov[j] = cov
    return total, logdet


@compiled
def score_pairs(
    mean: Floats,
    cov: Floats,
    track_ns: Ints,
    rows: Rows,
    distance: Floats,
    logdet: Floats,
) -> None:
    """Squared innovation distance and log det of every track (n) with every row (m); rows sorted by time."""
    m, c = np.empty(7), np.empty((7, 7))
    for i in range(mean.shape[0]):
        m[:] = mean[i]
        c[:, :] = cov[i]
        now = track_ns[i]
        for k in range(rows.time_ns.shape[0]):
            predict_state(m, c, (rows.time_ns[k] - now) * 1e-9, ACCELERATION_PSD)
            now = rows.time_ns[k]
            distance[i, k], logdet[i, k] = update_state(m, c, rows, k, False)
