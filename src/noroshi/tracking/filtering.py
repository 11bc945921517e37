"""The filter over columns of tracks: begin, predict, update, and one track from all its rows.

tracks = initiate(first_rows)                         # one track per row
tracks = update(tracks, rows, row_of_track)           # each predicted to its row and updated with it
later = predict(tracks, now_ns)
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noroshi.clock import NS_PER_S
from noroshi.tracking import kernels, plain
from noroshi.tracking.errors import TrackError
from noroshi.tracking.kernels.compiling import COMPILED
from noroshi.tracking.kernels.updating import CONSIDERED, EXTENDED, ITERATED, SIGMA_POINT
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


Method = Literal["extended", "sigma-point", "iterated"]
Coefficient = Literal["estimated", "considered"]
Arithmetic = Literal["numba", "numpy"]

_METHODS = {"extended": EXTENDED, "sigma-point": SIGMA_POINT, "iterated": ITERATED}


def arithmetic() -> Arithmetic:
    """What `predict` and `update` use where nothing is said: compiled loops ("numba"), or, where there is no compiler,
    NumPy. Both give the same within 1e-9 sigma.
    """
    return "numba" if COMPILED else "numpy"


def predict(tracks: Tracks, to_ns: ArrayLike, *, using: Arithmetic | None = None) -> Tracks:
    """The tracks at `to_ns` (one time or one per track), not before their own times. Raises TrackError otherwise.

    using: the arithmetic; None: that of `arithmetic()`.
    """
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
    dt = (times - tracks.time_ns) / NS_PER_S
    if (using or arithmetic()) == "numba":
        kernels.predict_rows(mean, cov, dt)
    else:
        mean, cov = _back(*plain.predict_columns(*_last(mean, cov), dt, kernels.ACCELERATION_PSD))
    return Tracks(
        times, mean, cov, tracks.updates, tracks.first_observed_ns, tracks.last_observed_ns, tracks.free
    )


def update(
    tracks: Tracks,
    rows: Measurements,
    row_of_track: ArrayLike,
    *,
    method: Method = "iterated",
    coefficient: Coefficient = "estimated",
    using: Arithmetic | None = None,
) -> Tracks:
    """Each track predicted to its row and updated with it; a track whose row is -1 stays as it is.

    row_of_track (n,): index into `rows`, or -1. method: "iterated" ships, the other two are the textbook's. coefficient:
    "considered" leaves the ballistic coefficient at its prior, its doubt counted in all else. using: the arithmetic;
    None: that of `arithmetic()`. A sensor's bias counts here as if it were new in each row; `considering_biases`
    knows better. Raises TrackError for a row before its track or an index out of range.
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
    dt = (times - tracks.time_ns) / NS_PER_S
    code = _METHODS[method] + (CONSIDERED if coefficient == "considered" else 0)
    if (using or arithmetic()) == "numba":
        kernels.update_rows(mean, cov, dt, row, rows.rows, np.zeros(len(tracks)), code)
    else:
        before = plain.predict_columns(*_last(mean[used], cov[used]), dt[used], kernels.ACCELERATION_PSD)
        mean[used], cov[used] = _back(*plain.update_columns(*before, rows[row[used]].rows, code)[:2])
    last = np.where(used, times, tracks.last_observed_ns)
    return Tracks(times, mean, cov, tracks.updates + used, tracks.first_observed_ns, last, tracks.free)


def considering_biases(rows: Measurements) -> Tracks:
    """The one track of all these rows, in order of time, no surer than the constant biases of their sensors allow.

    Rows of one site, model and `bias_sigma` are one sensor's; its offsets are considered, not estimated. Where no row
    has a bias this is the ordinary track within a few thousandths of a sigma. Raises TrackError for no rows, or rows out
    of order.
    """
    if not len(rows):
        raise TrackError("estimate the track", cause="it has no measurement yet")
    if (np.diff(rows.time_ns) < 0).any():
        raise TrackError("estimate the track", cause="its rows are not in order of time")
    keys = np.column_stack((rows.site_m, rows.model, rows.bias_sigma))
    sensors, number = np.unique(keys, axis=0, return_inverse=True)
    mean, cov, cross = np.zeros(SIZE), np.zeros((SIZE, SIZE)), np.zeros((SIZE, 3 * len(sensors)))
    kernels.consider_rows(rows.rows, number.reshape(-1).astype(np.int64), PRIOR, mean, cov, cross)
    first, last = rows.time_ns[:1].copy(), rows.time_ns[-1:].copy()
    return Tracks(last, mean[None], cov[None], np.array([len(rows)], np.int64), first, last.copy())


def _last(mean: Floats, cov: Floats) -> tuple[Floats, Floats]:
    """Columns with the track as the last axis, which the plain filter takes."""
    return np.ascontiguousarray(mean.T), np.ascontiguousarray(np.moveaxis(cov, 0, -1))


def _back(mean: Floats, cov: Floats) -> tuple[Floats, Floats]:
    """The inverse of `_last`."""
    return np.ascontiguousarray(mean.T), np.ascontiguousarray(np.moveaxis(cov, -1, 0))
