"""Compiles all kernels, so that the first real use is fast; the compiler keeps the result on disk.

Set-up calls it once. It costs some tens of seconds when nothing is compiled yet and well under a second afterwards.
"""

from __future__ import annotations

import numpy as np

from noroshi.clock import NS_PER_S
from noroshi.geo.frames import look_angles
from noroshi.tracking.arcs import arc_state, free_fall_arc
from noroshi.tracking.association import gate, scores
from noroshi.tracking.filtering import initiate, predict, update
from noroshi.tracking.measurements import radar_measurements
from noroshi.tracking.observation import last_observation
from noroshi.tracking.prediction import ground_track
from noroshi.tracking.track_filter import TrackFilter


def warm() -> None:
    """Runs every kernel once on a small notional case."""
    arc = free_fall_arc(0.7, 2.2, 1.3, 1000e3, 250e3)
    times_s = np.arange(60.0, 100.0, 2.0)
    value = np.column_stack(look_angles(arc_state(arc, times_s)[:, :3], 0.7, 2.2))
    rows = radar_measurements(np.int64(times_s * NS_PER_S), arc.state[:3], value, [50.0, 1e-3, 1e-3])
    track = TrackFilter()
    track.add(rows[1:])
    track.add(rows[:1])
    gate(track, rows)
    scores(update(predict(initiate(rows[:1]), rows.time_ns[0]), rows, [1]), rows)
    ground_track(track.tracks)
    last_observation(rows)
