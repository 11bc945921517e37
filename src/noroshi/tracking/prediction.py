"""Predictions: where and when a track comes down, and the ground track until then.

A prediction is never an observation: nothing "passed" or "landed" because of what is said here (see `observation`).

    falls = predict_falls(tracks)
    course = ground_track(tracks, step_s=10.0)
    first = course.of(0)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.tracking import kernels
from noroshi.tracking.errors import TrackError
from noroshi.tracking.filtering import LN_BETA_SIGMA
from noroshi.tracking.tracks import Tracks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAX_FALL_SIGMA_M = 2_000_000.0
"""A fall known no better than this is no fall point: an east-north Gaussian cannot carry a hemisphere."""
MAX_VELOCITY_SIGMA_MPS = 650.0
"""Nor is there one while the velocity (all three axes together) is known no better: the way from state to fall is then
so bent that a Gaussian over it is overconfident (measured, see the manual)."""
DRAG_FREE_SHARE = 0.135
"""Weight of a fall with next to no drag beside coefficients within `BETA_RANGE_KGM2`: what falls may be slimmer than
that range. With this weight the fall area holds its share of falls with unknown drag and with none (measured)."""
MIN_GROUND_SPEED_MPS = 50.0
"""Under this ground speed the time of passing over a point is not bounded by the position error; it is capped here."""
VERTEX_LIMIT = 2000
"""Vertices of one ground track at most; two hours at 10 s are 720."""


@dataclass(frozen=True, eq=False)
class Falls:
    """Predicted falls of n tracks: one row each.

    valid (n,): whether there is one; all other columns are 0 where there is not. lat_rad, lon_rad (n,): geodetic, mean
    fall point on the ellipsoid; time_ns (n,) int64: mean time; covariance (n, 3, 3): over east m, north m, time s there.
    """

    valid: Bools
    lat_rad: Floats
    lon_rad: Floats
    time_ns: Ints
    covariance: Floats

    def __len__(self) -> int:
        return len(self.valid)


@dataclass(frozen=True, eq=False)
class GroundTrack:
    """Predicted ground tracks of n tracks, laid end to end; track i has the vertices start[i] to start[i + 1].

    start (n + 1,) int64; per vertex: time_ns; lat_rad, lon_rad of the point below; height_m above the ellipsoid;
    along_sigma_m, cross_sigma_m: of the point below at that time, on the ground; time_sigma_s: of the time of passing
    abeam of the vertex; course_rad: clockwise from north; speed_mps: of the point below. The first vertex is the
    estimate, the last the predicted fall. A track without a valid fall has no vertices.
    """

    start: Ints
    time_ns: Ints
    lat_rad: Floats
    lon_rad: Floats
    height_m: Floats
    along_sigma_m: Floats
    cross_sigma_m: Floats
    time_sigma_s: Floats
    course_rad: Floats
    speed_mps: Floats

    def __len__(self) -> int:
        """Number of tracks."""
        return len(self.start) - 1

    def of(self, track: int) -> GroundTrack:
        """The ground track of one track alone."""
        a, b = int(self.start[track]), int(self.start[track + 1])
        return GroundTrack(np.array([0, b - a], np.int64), *(getattr(self, name)[a:b] for name in _VERTEX))


_VERTEX = (
    "time_ns",
    "lat_rad",
    "lon_rad",
    "height_m",
    "along_sigma_m",
    "cross_sigma_m",
    "time_sigma_s",
    "course_rad",
    "speed_mps",
)


def predict_falls(tracks: Tracks, *, debris_sigma_m: float = 0.0, debris_sigma_s: float = 0.0) -> Falls:
    """Where and when each track comes down, its unknown drag counted in.

    debris_sigma_m, debris_sigma_s: extra spread per axis and in time for parts that come down around the point; 0 by
    default because what it is depends on the object; any figure for it is the caller's assumption.
    Rows are invalid where a track is not in free fall, where a sigma point does not fall within two hours, or where the
    velocity or the fall is known too badly for an honest Gaussian.
    """
    count = len(tracks)
    place, spread = np.zeros((count, 3)), np.zeros((count, 3, 3))
    valid = np.zeros(count, np.bool_)
    kernels.fall_rows(tracks.mean, tracks.covariance, _drag_free(tracks), place, spread, valid)
    valid &= tracks.free
    valid &= np.trace(spread[:, :2, :2], axis1=1, axis2=2) < MAX_FALL_SIGMA_M**2
    valid &= np.trace(tracks.covariance[:, 3:6, 3:6], axis1=1, axis2=2) < MAX_VELOCITY_SIGMA_MPS**2
    place[~valid], spread[~valid] = 0.0, 0.0
    extra = np.array([debris_sigma_m**2, debris_sigma_m**2, debris_sigma_s**2])
    spread[valid] += np.diag(extra)
    time_ns = np.where(valid, tracks.time_ns + np.rint(place[:, 2] * NS_PER_S).astype(np.int64), 0)
    return Falls(valid, place[:, 0].copy(), place[:, 1].copy(), time_ns, spread)


def ground_track(tracks: Tracks, step_s: float = 10.0, *, falls: Falls | None = None) -> GroundTrack:
    """The points below the predicted arcs every `step_s` seconds from the estimate to the fall, with their sigmas.

    falls: those of the same tracks, if they are at hand. Raises TrackError for a step that is not positive.
    """
    if not step_s > 0:
        raise TrackError("predict the ground track", cause="the step must be above 0 s")
    down = falls if falls is not None else predict_falls(tracks)
    parts = [_one(tracks, down, i, step_s) for i in range(len(tracks))]
    start = np.cumsum([0, *(len(times) for times, _ in parts)]).astype(np.int64)
    times = np.concatenate([np.zeros(0, np.int64), *(times for times, _ in parts)])
    columns = np.concatenate([np.zeros((0, 8)), *(rows for _, rows in parts)])
    return GroundTrack(start, times, *(np.ascontiguousarray(column) for column in columns.T))


def _one(tracks: Tracks, falls: Falls, track: int, step_s: float) -> tuple[Ints, Floats]:
    """Vertex times and the columns lat, lon, height, along, cross, time sigma, course, speed of one track."""
    if not falls.valid[track]:
        return np.zeros(0, np.int64), np.zeros((0, 8))
    left_s = float(falls.time_ns[track] - tracks.time_ns[track]) / NS_PER_S
    step_s = max(step_s, left_s / VERTEX_LIMIT)
    count = max(1, int(np.ceil(left_s / step_s - 0.25)))
    out = np.zeros((count, 7))
    share = float(_drag_free(tracks[track : track + 1])[0])
    kernels.ground_row(tracks.mean[track], tracks.covariance[track], share, step_s, count, out)
    lat, lon, height, along, cross, speed, course = out.T
    rows = np.empty((count + 1, 8))
    rows[:-1] = np.stack(
        [lat, lon, height, along, cross, along / np.maximum(speed, MIN_GROUND_SPEED_MPS), course, speed],
        axis=1,
    )
    rows[-1] = _fall_vertex(falls, track, course[-1], speed[-1])
    times = tracks.time_ns[track] + np.rint(np.arange(count) * step_s * NS_PER_S).astype(np.int64)
    return np.append(times, falls.time_ns[track]), rows


def _drag_free(tracks: Tracks) -> Floats:
    """Weight of no drag (n,): all of it before drag has been seen, none once that has halved the variance of ln beta."""
    unseen = np.clip(2 * tracks.covariance[:, 6, 6] / LN_BETA_SIGMA**2 - 1, 0.0, 1.0)
    return np.asarray(DRAG_FREE_SHARE * unseen)


def _fall_vertex(falls: Falls, track: int, course: float, speed: float) -> Floats:
    """The last vertex: the predicted fall, its covariance turned into the direction of motion."""
    ahead = np.array([np.sin(course), np.cos(course)])
    aside = np.array([ahead[1], -ahead[0]])
    cov = falls.covariance[track]
    along, cross = np.sqrt(ahead @ cov[:2, :2] @ ahead), np.sqrt(aside @ cov[:2, :2] @ aside)
    return np.array(
        [falls.lat_rad[track], falls.lon_rad[track], 0.0, along, cross, np.sqrt(cov[2, 2]), course, speed]
    )
