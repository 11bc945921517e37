"""Compiles all kernels, so that the first real use is fast; the compiler keeps the result on disk.

Set-up calls it once. It costs some tens of seconds when nothing is compiled yet and well under a second afterwards.
"""

from __future__ import annotations

import numpy as np

from noroshi.clock import NS_PER_S
from noroshi.geo.frames import look_angles
from noroshi.tracking.arcs import arc_state, free_fall_arc
from noroshi.tracking.association import gate, scores
from noroshi.tracking.filtering import considering_biases, initiate, predict, update
from noroshi.tracking.launch import track_launch
from noroshi.tracking.measurements import radar_measurements
from noroshi.tracking.observation import last_observation
from noroshi.tracking.prediction import ground_track
from noroshi.tracking.sensors import Sensor
from noroshi.tracking.track_filter import TrackFilter
from noroshi.tracking.tracker import Tracker
from noroshi.tracking.tracklets import sum_up


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
    track_launch(track)
    low = TrackFilter()  # begins low, so with the hypotheses of powered flight
    values = np.column_stack(look_angles(arc_state(arc, times_s - 50.0)[:, :3], 0.7, 2.2))
    early = radar_measurements(
        np.int64((times_s - 50.0) * NS_PER_S), arc.state[:3], values, [50.0, 1e-3, 1e-3]
    )
    low.add(early[:5])
    gate(low, early[5:7])
    low.at(int(early.time_ns[6]))
    track_launch(low)
    scores(update(predict(initiate(rows[:1]), rows.time_ns[0]), rows, [1]), rows)
    ground_track(track.tracks)
    last_observation(rows)
    considering_biases(rows)
    sum_up(rows, track.tracks, origin="a", source="a", first=1, last=1)
    tracker = Tracker((Sensor("a", "a", "radar", 0.7, 2.2, 0.0, 50.0, 1e-3, 1e-3),))
    tracker.add(rows[:3], 0)
