"""Launches: where and when a tracked object left the surface, estimated from its track back.

A track in free fall is followed back along its own arc to the surface. A real flight begins with powered ascent, which
takes longer than that part of the arc and does not keep to it; the covariance carries a term for it. Purpose: telling
people and partners where a flight came from.

    launches = predict_launches(track.tracks)
    launch = track_launch(track)                  # uses what was seen of the ascent itself
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.geo.frames import ecef_to_geodetic, enu_rotation
from noroshi.geo.geodesic import inverse
from noroshi.tracking import kernels
from noroshi.tracking.track_filter import TrackFilter
from noroshi.tracking.tracks import Tracks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAX_LAUNCH_SIGMA_M = 500_000.0
"""A launch known no better than this is no launch point."""
ASCENT_SHARE_S = 1.2
"""Sigma of the ascent's extra time as a share of the arc's time up to where the object was first seen: from rest with an
even acceleration it takes about as long again (1.0 to 1.4 times over notional ascents)."""
MOST_ASCENT_S = 159.0
"""Its greatest: flights of the public record take 135 s longer on average, spread 84 s (their root sum square)."""
ASCENT_SHARE_M = 0.35
"""Sigma per axis of the launch point as a share of the ground distance from the arc's start to where the object was
first seen: under power it turns over where an arc does not (0.28 to 0.36 over the same)."""
LOW_RATE_MPS = 100.0
"""Under power and climbing no faster than this, the way back to the surface is not known."""


@dataclass(frozen=True, eq=False)
class Launches:
    """Estimated launches of n tracks, one row each.

    valid (n,): whether there is one; all other columns are 0 where there is not. lat_rad, lon_rad (n,): geodetic, on
    the ellipsoid; time_ns (n,) int64; covariance (n, 3, 3): over east m, north m, time s, all counted in;
    arc_covariance (n, 3, 3): the same without the unknown ascent, that of the start of the arc itself.
    """

    valid: Bools
    lat_rad: Floats
    lon_rad: Floats
    time_ns: Ints
    covariance: Floats
    arc_covariance: Floats

    def __len__(self) -> int:
        return len(self.valid)


def predict_launches(tracks: Tracks) -> Launches:
    """Where and when each track's arc leaves the surface, going back from its estimate.

    Mean and `arc_covariance` are those of the arc. `covariance` adds the ascent: sigma in time ASCENT_SHARE_S of the
    arc's time from the surface to the first observation, at most MOST_ASCENT_S, and sigma of each axis of the place
    ASCENT_SHARE_M of the ground distance between the two; nothing where the object was seen from the surface up.
    Rows are invalid where a track is not in free fall or a sigma point does not come from the surface within two hours.
    """
    count = len(tracks)
    place, arc = np.zeros((count, 3)), np.zeros((count, 3, 3))
    valid = np.zeros(count, np.bool_)
    kernels.launch_rows(tracks.mean, tracks.covariance, place, arc, valid)
    valid &= tracks.free & np.isfinite(place).all(axis=1) & np.isfinite(arc).all(axis=(1, 2))
    valid &= np.trace(arc[:, :2, :2], axis1=1, axis2=2) < MAX_LAUNCH_SIGMA_M**2
    place[~valid], arc[~valid] = 0.0, 0.0
    total = arc.copy()
    seen_s = place[:, 2] - (tracks.time_ns - tracks.first_observed_ns) / NS_PER_S
    for i in np.flatnonzero(valid):
        up_s = max(float(seen_s[i]), 0.0)
        far = _ground_distance(tracks, int(i), place[i]) * ASCENT_SHARE_M if up_s > 0 else 0.0
        extra_s = min(ASCENT_SHARE_S * up_s, MOST_ASCENT_S)
        total[i] += np.diag([far**2, far**2, extra_s**2])
    return _launches(valid, place[:, :2], tracks.time_ns, place[:, 2], total, arc)


def track_launch(track: TrackFilter) -> Launches:
    """The launch of one track, one row; as `predict_launches`, or from its first rows when it was under power then.

    Under power: from rest the way to the first row takes between once and two and a half times the height over the
    rate of climb (an even speed once, an even acceleration twice, a rising one longer), and covers half to all of the
    ground that this speed does in once that time. These bounds, taken as uniform, and the covariance of the estimate at
    the first row make the covariance; `arc_covariance` is the part of the estimate alone. In re-entry the estimate
    before it is used. Raises TrackError while there is no row.
    """
    first = track.powered_start()
    if first is None:
        return predict_launches(track.before_re_entry())
    return _from_ascent(first)


def _from_ascent(first: Tracks) -> Launches:
    """The launch of an object under power, from its estimate at the first row."""
    none = np.zeros((1, 3, 3))
    lat, lon, height = (float(value[0]) for value in ecef_to_geodetic(first.position_m))
    rotation = np.asarray(enu_rotation(lat, lon)).reshape(3, 3)
    whole = np.kron(np.eye(2), rotation)
    cov = whole @ first.covariance[0, :6, :6] @ whole.T
    east, north, climb = rotation @ first.velocity_mps[0]
    back_s = height / climb if climb > 0 else -1.0
    sure = climb > max(LOW_RATE_MPS, 2 * float(np.sqrt(cov[5, 5])))
    if height <= 0:
        back_s, sure = 0.0, True
    if not sure:
        return _launches(
            np.zeros(1, np.bool_), np.zeros((1, 2)), first.time_ns, np.zeros(1), none, none.copy()
        )
    share, share_sigma = 0.75, 0.5 / np.sqrt(12)
    time, time_sigma = 1.75, 1.5 / np.sqrt(12)
    # Of (east, north, time) by position and velocity, at the mean of both shares.
    slope = np.zeros((3, 6))
    slope[0, 0] = slope[1, 1] = 1.0
    if back_s > 0:
        slope[0, 3] = slope[1, 4] = -share * back_s
        slope[:2, 2] = -share * np.array([east, north]) / climb
        slope[:2, 5] = share * np.array([east, north]) * back_s / climb
        slope[2, 2], slope[2, 5] = -time / climb, time * back_s / climb
    arc = slope @ cov @ slope.T
    away = np.array([east, north, 0.0]) * back_s * share_sigma
    total = arc + np.outer(away, away) + np.diag([0.0, 0.0, (back_s * time_sigma) ** 2])
    offset = -share * back_s * (rotation[0] * east + rotation[1] * north)
    down = first.position_m[0] + offset - height * rotation[2]
    place = np.array([[float(value[0]) for value in ecef_to_geodetic(down[None])[:2]]])
    valid = np.array([bool(np.trace(arc[:2, :2]) < MAX_LAUNCH_SIGMA_M**2)])
    place[~valid], total, arc = 0.0, total * valid, arc * valid
    return _launches(valid, place, first.time_ns, np.array([time * back_s]), total[None], arc[None])


def _ground_distance(tracks: Tracks, i: int, place: Floats) -> float:
    """Metres along the ground from the arc's start to below where track i was first observed."""
    back_s = float(tracks.first_observed_ns[i] - tracks.time_ns[i]) / NS_PER_S
    mean, cov = tracks.mean[i : i + 1].copy(), tracks.covariance[i : i + 1].copy()
    kernels.predict_rows(mean, cov, np.array([back_s]))
    lat, lon, _ = ecef_to_geodetic(mean[:, :3])
    distance, _, _ = inverse(place[:1], place[1:2], lat, lon)
    return float(np.asarray(distance)[0])


def _launches(
    valid: Bools, place: Floats, time_ns: Ints, before_s: Floats, total: Floats, arc: Floats
) -> Launches:
    when = np.where(valid, time_ns - np.rint(before_s * NS_PER_S).astype(np.int64), 0)
    return Launches(valid, place[:, 0].copy(), place[:, 1].copy(), when, total, arc)
