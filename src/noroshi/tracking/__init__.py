"""Tracking: measurements in, honest estimates and predicted falls out; columns of many objects, nothing but arithmetic.

    track = TrackFilter()
    track.add(radar_measurements(time_ns, site_m, value, sigma))
    falls = predict_falls(track.tracks)
    course = ground_track(track.tracks)
    seen = last_observation(track.measurements)

Purpose: warning people in time. It estimates free fall and where and when it ends; it steers and intercepts nothing.
"""

from noroshi.tracking.arcs import Arc, ArcFall, arc_fall, arc_state, free_fall_arc
from noroshi.tracking.arrival import Arrivals, arrivals
from noroshi.tracking.association import Association, Sameness, associate, gate, same_object, scores
from noroshi.tracking.counts import Counts, Unmatched, compare_counts
from noroshi.tracking.dynamics import propagate
from noroshi.tracking.errors import ArcError, MeasurementError, SensorError, TrackError
from noroshi.tracking.filtering import arithmetic, considering_biases, initiate, predict, update
from noroshi.tracking.fusion import (
    FusedFall,
    Intersection,
    ReducedFall,
    intersect,
    intersect_falls,
    intersect_inverse,
    reduced_fall,
)
from noroshi.tracking.increment import from_columns, to_columns
from noroshi.tracking.launch import Launches, predict_launches, track_launch
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
from noroshi.tracking.phases import Flight, Phase
from noroshi.tracking.pool import EvidencePool, Foreign, Fused, Increment, LeftOut
from noroshi.tracking.prediction import Falls, GroundTrack, ground_track, predict_falls
from noroshi.tracking.registration import Finding, corrected, find_biases
from noroshi.tracking.sameness import Matching, match_pictures
from noroshi.tracking.sensors import Sensor
from noroshi.tracking.track_filter import TrackFilter, estimate
from noroshi.tracking.tracker import Tracker, TrackTable
from noroshi.tracking.tracklets import InformationSum, solve_sums, sum_columns, sum_from_columns, sum_up
from noroshi.tracking.tracks import Tracks, concatenate_tracks, no_tracks
from noroshi.tracking.warm import warm

__all__ = [
    "INFRARED",
    "RADAR",
    "Arc",
    "ArcError",
    "ArcFall",
    "Arrivals",
    "Association",
    "Counts",
    "EvidencePool",
    "Falls",
    "Finding",
    "Flight",
    "Foreign",
    "Fused",
    "FusedFall",
    "GroundTrack",
    "Increment",
    "InformationSum",
    "Intersection",
    "Launches",
    "LeftOut",
    "Matching",
    "MeasurementError",
    "Measurements",
    "Observation",
    "Observations",
    "Phase",
    "ReducedFall",
    "Sameness",
    "Sensor",
    "SensorError",
    "TrackError",
    "TrackFilter",
    "TrackTable",
    "Tracker",
    "Tracks",
    "Unmatched",
    "arc_fall",
    "arc_state",
    "arithmetic",
    "arrivals",
    "associate",
    "compare_counts",
    "concatenate",
    "concatenate_tracks",
    "considering_biases",
    "corrected",
    "estimate",
    "find_biases",
    "free_fall_arc",
    "from_columns",
    "gate",
    "ground_track",
    "infrared_measurements",
    "initiate",
    "intersect",
    "intersect_falls",
    "intersect_inverse",
    "last_observation",
    "match_pictures",
    "no_measurements",
    "no_tracks",
    "observe",
    "predict",
    "predict_falls",
    "predict_launches",
    "propagate",
    "radar_measurements",
    "reduced_fall",
    "same_object",
    "scores",
    "solve_sums",
    "sum_columns",
    "sum_from_columns",
    "sum_up",
    "to_columns",
    "track_launch",
    "update",
    "warm",
]
