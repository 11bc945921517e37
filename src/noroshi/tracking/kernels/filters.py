"""Entry points of the filter: columns of states and rows of measurements."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.sensing import begin_state
from noroshi.tracking.kernels.states import ACCELERATION_PSD, predict_within, room
from noroshi.tracking.kernels.updating import ITERATED, tabled, update_within

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
    w = room()
    for i in range(mean.shape[0]):
        predict_within(mean[i], cov[i], dt[i], ACCELERATION_PSD, w)


@compiled
def update_rows(
    mean: Floats,
    cov: Floats,
    dt: Floats,
    row: Ints,
    rows: Rows,
    distance: Floats,
    method: int,
) -> None:
    """Predicts and updates state i with measurement row[i], in place; row -1 leaves the state as it is."""
    w, table = room(), tabled(rows, 0, rows.time_ns.shape[0])
    for i in range(mean.shape[0]):
        k = row[i]
        if k >= 0:
            predict_within(mean[i], cov[i], dt[i], ACCELERATION_PSD, w)
            distance[i] = update_within(mean[i], cov[i], table, k, True, method, w)[0]


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
    w, table = room(), tabled(rows, start, stop)
    for k in range(start, stop):
        if k == 0:
            begin_state(rows, 0, prior, mean, cov)
        else:
            predict_within(mean, cov, (rows.time_ns[k] - rows.time_ns[k - 1]) * 1e-9, ACCELERATION_PSD, w)
            d2, ld = update_within(mean, cov, table, k - start, True, ITERATED, w)
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
    m, c, w = np.empty(7), np.empty((7, 7)), room()
    table = tabled(rows, 0, rows.time_ns.shape[0])
    for i in range(mean.shape[0]):
        m[:] = mean[i]
        c[:, :] = cov[i]
        now = track_ns[i]
        for k in range(rows.time_ns.shape[0]):
            predict_within(m, c, (rows.time_ns[k] - now) * 1e-9, ACCELERATION_PSD, w)
            now = rows.time_ns[k]
            distance[i, k], logdet[i, k] = update_within(m, c, table, k, False, ITERATED, w)
