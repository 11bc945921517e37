"""The filter over columns of tracks: begin, predict, update, and one track from all its rows.

tracks = initiate(first_rows)                         # one track per row
tracks = update(tracks, rows, row_of_track)           # each predicted to its row and updated with it
later = predict(tracks, now_ns)
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noroshi.clock import NS_PER_S
from noroshi.tracking import kernels
from noroshi.tracking.errors import TrackError
from noroshi.tracking.measurements import Measurements
from noroshi.tracking.tracks import SIZE, Tracks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

VELOCITY_SIGMA_MPS = 2800.0
"""Prior sigma of each velocity component about zero: 95 % of an isotropic normal lie inside 7.8 km/s, the fastest
speed of the public flights."""
BETA_RANGE_KGM2 = (2500.0, 10_000.0)
"""The ballistic coefficient is unknown: log-uniform over this range (a notional range, see the manual)."""
LN_BETA_MEAN = math.log(BETA_RANGE_KGM2[0] * BETA_RANGE_KGM2[1]) / 2
LN_BETA_SIGMA = math.log(BETA_RANGE_KGM2[1] / BETA_RANGE_KGM2[0]) / math.sqrt(12)

PRIOR: Floats = np.array([VELOCITY_SIGMA_MPS, LN_BETA_MEAN, LN_BETA_SIGMA])
PRIOR.flags.writeable = False


def initiate(rows: Measurements) -> Tracks:
    """A new track from every single row: its position, no idea of the velocity, the prior of the coefficient."""
    count = len(rows)
    mean, cov = np.zeros((count, SIZE)), np.zeros((count, SIZE, SIZE))
    kernels.begin_rows(rows.rows, PRIOR, mean, cov)
    once = np.ones(count, np.int64)
    return Tracks(rows.time_ns.copy(), mean, cov, once, rows.time_ns.copy(), rows.time_ns.copy())


def predict(tracks: Tracks, to_ns: ArrayLike) -> Tracks:
    """The tracks at `to_ns` (one time or one per track), not before their own times. Raises TrackError otherwise."""
    times = np.array(np.broadcast_to(np.asarray(to_ns, np.int64), tracks.time_ns.shape))
    if (times < tracks.time_ns).any():
        row = int(np.argmax(times < tracks.time_ns))
        raise TrackError(
            "predict the track",
            subject=f"row {row}",
            cause="the time is before the estimate",
            hint="ask a TrackFilter for its estimate at an earlier time",
        )
    mean, cov = tracks.mean.copy(), tracks.covariance.copy()
    kernels.predict_rows(mean, cov, (times - tracks.time_ns) / NS_PER_S)
    return Tracks(times, mean, cov, tracks.updates, tracks.first_observed_ns, tracks.last_observed_ns)


def update(tracks: Tracks, rows: Measurements, row_of_track: ArrayLike) -> Tracks:
    """Each track predicted to its row and updated with it; a track whose row is -1 stays as it is.

    row_of_track (n,): index into `rows`, or -1. Raises TrackError for a row before its track or an index out of range.
    """
    row = np.array(row_of_track, np.int64).reshape(len(tracks))
    used = row >= 0
    if (row >= len(rows)).any() or (row < -1).any():
        raise TrackError("update the tracks", cause=f"a row index is outside -1 to {len(rows) - 1}")
    times = tracks.time_ns.copy()
    times[used] = rows.time_ns[row[used]]
    if (times < tracks.time_ns).any():
        late = int(np.argmax(times < tracks.time_ns))
        raise TrackError(
            "update the track",
            subject=f"row {late}",
            cause="the measurement is older than the estimate",
            hint="give late rows to a TrackFilter, which keeps the history",
        )
    mean, cov = tracks.mean.copy(), tracks.covariance.copy()
    kernels.update_rows(
        mean,
        cov,
        (times - tracks.time_ns) / NS_PER_S,
        row,
        rows.rows,
        np.zeros(len(tracks)),
    )
    last = np.where(used, times, tracks.last_observed_ns)
    return Tracks(times, mean, cov, tracks.updates + used, tracks.first_observed_ns, last)
