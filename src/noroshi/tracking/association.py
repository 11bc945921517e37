"""Association: which row belongs to which track, and whether two tracks are one object.

Gates are Mahalanobis distances against chi-square; the assignment of a scan is global (least total negative log
likelihood, every row and every track used at most once per scan). Rows that fit nothing start new tracks.

    found = associate(tracks, scan)
    tracks = update(tracks, scan, found.row_of_track)
    tracks = concatenate_tracks((tracks, initiate(scan[found.unassigned])))
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking import kernels
from noroshi.tracking.filtering import predict
from noroshi.tracking.measurements import INFRARED, RADAR, Measurements
from noroshi.tracking.track_filter import TrackFilter
from noroshi.tracking.tracks import Tracks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GATE_SCORE = 3.72
"""Normal score of the gate: a true row is turned away once in 10,000."""


@dataclass(frozen=True, eq=False)
class Association:
    """row_of_track (n,): the row of each track or -1; track_of_row (m,): the track of each row or -1; distance (n,):
    squared Mahalanobis distance of the pairs, 0 where there is none.
    """

    row_of_track: Ints
    track_of_row: Ints
    distance: Floats

    @property
    def unassigned(self) -> Ints:
        """Rows that fit no track."""
        return np.flatnonzero(self.track_of_row < 0)


@dataclass(frozen=True, eq=False)
class Sameness:
    """statistic (n,): squared Mahalanobis distance of two tracks over position and velocity (6 degrees of freedom);
    probability (n,): that two tracks of one object would differ at least as much. Small: not the same object.
    """

    statistic: Floats
    probability: Floats


def associate(tracks: Tracks, scan: Measurements, *, gate_score: float = GATE_SCORE) -> Association:
    """Global assignment of one scan's rows (each object at most once in it) to tracks.

    Tracks are predicted to each row's own time; a row somewhat older than a track is compared with the track taken
    back by free fall, which is fine for a gate, though its update belongs to a `TrackFilter`.
    """
    distance, logdet = scores(tracks, scan)
    limit = chi_square_limit(3, gate_score)
    cost = distance + logdet
    reference = float(logdet.max()) + limit if cost.size else 0.0
    outside = distance > limit
    cost[outside] = reference
    track_of_row = np.full(len(scan), -1, np.int64)
    row_of_track = np.full(len(tracks), -1, np.int64)
    chosen = np.zeros(len(tracks))
    if cost.size:
        from scipy.optimize import (
            linear_sum_assignment,
        )  # loads in half a second, and only this function needs it

        for i, k in zip(*linear_sum_assignment(cost), strict=True):
            if not outside[i, k]:
                row_of_track[i], track_of_row[k], chosen[i] = k, i, distance[i, k]
    return Association(row_of_track, track_of_row, chosen)


def scores(tracks: Tracks, rows: Measurements) -> tuple[Floats, Floats]:
    """Squared innovation distance and log determinant of its covariance, each (n, m)."""
    order = np.argsort(rows.time_ns, kind="stable")
    ordered = rows[order]
    distance, logdet = np.zeros((len(tracks), len(rows))), np.zeros((len(tracks), len(rows)))
    kernels.score_pairs(
        tracks.mean,
        tracks.covariance,
        tracks.time_ns,
        ordered.rows,
        distance,
        logdet,
    )
    back = np.argsort(order, kind="stable")
    return np.ascontiguousarray(distance[:, back]), np.ascontiguousarray(logdet[:, back])


def gate(track: TrackFilter, rows: Measurements, *, gate_score: float = GATE_SCORE) -> float | None:
    """How well rows of one object fit a track, all together: negative log likelihood times two, smaller is better.

    None where they do not fit (chi-square gate, one degree of freedom for each number measured). Rows older than the
    track are compared with its estimate of their time, from its earlier rows.
    """
    if not len(rows) or not len(track):
        return None
    in_order = rows if len(rows) == 1 else rows[np.argsort(rows.time_ns, kind="stable")]
    distance, logdet = track.score(in_order)
    numbers = 2 * int((rows.model == INFRARED).sum()) + 3 * int((rows.model == RADAR).sum())
    numbers += int((rows.rate[:, 1] > 0).sum())
    return distance + logdet if distance <= chi_square_limit(numbers, gate_score) else None


def same_object(tracks_a: Tracks, tracks_b: Tracks) -> Sameness:
    """Tests row by row whether track a and track b are one object; both predicted to the later of their times.

    The errors are taken as independent. Where the two share measurements the difference is smaller than assumed, so
    the test then errs towards "the same". Source: Bar-Shalom, Willett and Tian 2011, section 9.2.
    """
    later = np.maximum(tracks_a.time_ns, tracks_b.time_ns)
    a, b = predict(tracks_a, later), predict(tracks_b, later)
    difference = (a.mean - b.mean)[:, :6]
    total = (a.covariance + b.covariance)[:, :6, :6]
    statistic = np.einsum("ni,ni->n", difference, np.linalg.solve(total, difference[..., None])[..., 0])
    half = statistic / 2
    return Sameness(statistic, np.exp(-half) * (1 + half + half * half / 2))


def chi_square_limit(degrees: int, score: float) -> float:
    """The value that a chi-square variable exceeds as rarely as a standard normal exceeds `score`.

    Source: Wilson and Hilferty 1931, the cube-root approximation; 3.5 % too wide at 3 degrees of freedom, 0.3 % at 30.
    """
    spread = 2 / (9 * degrees)
    return degrees * (1 - spread + score * math.sqrt(spread)) ** 3
