"""Tracking: measurements in, honest estimates and predicted falls out; columns of many objects, nothing but arithmetic.

    track = TrackFilter()
    track.add(radar_measurements(time_ns, site_m, value, sigma))
    falls = predict_falls(track.tracks)
    course = ground_track(track.tracks)
    seen = last_observation(track.measurements)

Purpose: warning people in time. It estimates free fall and where and when it ends; it steers and intercepts nothing.
"""

from noroshi.tracking.arcs import Arc, ArcFall, arc_fall, arc_state, free_fall_arc
from noroshi.tracking.association import Association, Sameness, associate, gate, same_object, scores
from noroshi.tracking.dynamics import propagate
from noroshi.tracking.errors import ArcError, MeasurementError, TrackError
from noroshi.tracking.filtering import initiate, predict, update
from noroshi.tracking.increment import from_columns, to_columns
from noroshi.tracking.measurements import (
    INFRARED,
    RADAR,
    Measurements,
    concatenate,
    infrared_measurements,
    no_measurements,
    radar_measurements,
)
from noroshi.tracking.observation import Observation, Observations, last_observation, observe
from noroshi.tracking.prediction import Falls, GroundTrack, ground_track, predict_falls
from noroshi.tracking.track_filter import TrackFilter, estimate
from noroshi.tracking.tracks import Tracks, concatenate_tracks, no_tracks
from noroshi.tracking.warm import warm

__all__ = [
    "INFRARED",
    "RADAR",
    "Arc",
    "ArcError",
    "ArcFall",
    "Association",
    "Falls",
    "GroundTrack",
    "MeasurementError",
    "Measurements",
    "Observation",
    "Observations",
    "Sameness",
    "TrackError",
    "TrackFilter",
    "Tracks",
    "arc_fall",
    "arc_state",
    "associate",
    "concatenate",
    "concatenate_tracks",
    "estimate",
    "free_fall_arc",
    "from_columns",
    "gate",
    "ground_track",
    "infrared_measurements",
    "initiate",
    "last_observation",
    "no_measurements",
    "no_tracks",
    "observe",
    "predict",
    "predict_falls",
    "propagate",
    "radar_measurements",
    "same_object",
    "scores",
    "to_columns",
    "update",
    "warm",
]
