"""One look at a track: where it is, what was observed, where it goes and comes down, and what that means for places.

Everything here follows from the evidence of one picture; two pictures with the same evidence share one look.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from noroshi.geo.areas import AreaError
from noroshi.geo.frames import ecef_to_geodetic, enu_rotation, geodetic_to_ecef, look_angles
from noroshi.geo.places import PlaceTable
from noroshi.messages.bodies import FallRow, Ring
from noroshi.tracking import (
    GroundTrack,
    Observation,
    Observations,
    TrackFilter,
    Tracks,
    arc_state,
    free_fall_arc,
    ground_track,
    last_observation,
    observe,
    radar_measurements,
    warm,
)
from noroshi.tracking.prediction import predict_falls
from noroshi.warning.draft import Draft, Evidence
from noroshi.warning.drafting import corridor_rings, draft_of, ellipse_rings
from noroshi.warning.falling import fall_of
from noroshi.warning.rules import WarningRules
from noroshi.warning.statements import lost
from noroshi.warning.watch import Watch, watch_over

STEP_S = 15.0
"""Between two vertices of a ground track: about 60 km at the speed of the public flights."""

TRAIL_POINTS = 150
"""Observed positions that a row shows, spread over the whole time of observation."""

POSITION_PROBABILITY = 0.9

MIN_VERTICES = 2
"""Of a ground track that leads anywhere."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a picture shows at one time. Angles rad, lengths m, times UTC ns.

    position: latitude, longitude, height of the estimate; path: the predicted ground track; trail: the newest observed
    positions; draft: what may be warned, None while nothing can be predicted; phase: of flight, see `tracking.phases`.
    """

    time_ns: int
    first_observed_ns: int
    last_observed_ns: int
    updates: int
    position: tuple[float, float, float]
    position_ring: Ring
    speed_mps: float
    path: GroundTrack
    trail: Observations
    corridor: tuple[Ring, ...]
    fall: FallRow | None
    draft: Draft | None
    observation: Observation
    lost: bool
    phase: str


def look_ahead(track: TrackFilter, watch: Watch, rules: WarningRules, now_ns: int) -> Outlook | None:
    """The outlook of one track, which has at least one measurement; None when its measurements contradict one another.

    Rows that are possible one by one can make no sense together; the filter then has no covariance to speak of, and
    nothing is shown or predicted from it.
    """
    tracks = track.tracks
    if not _is_sound(tracks):
        return None
    falls = predict_falls(tracks)
    course = ground_track(tracks, STEP_S, falls=falls)
    fall = fall_of(falls)
    known = len(course.time_ns) >= MIN_VERTICES
    evidence = Evidence(track.first_observed_ns, track.last_observed_ns, len(track))
    draft = draft_of(course, fall, watch, rules, evidence, now_ns) if known else None
    lat, lon, height = ecef_to_geodetic(tracks.position_m)
    return Outlook(
        time_ns=int(tracks.time_ns[0]),
        first_observed_ns=evidence.first_observed_ns,
        last_observed_ns=evidence.last_observed_ns,
        updates=evidence.updates,
        position=(float(lat[0]), float(lon[0]), float(height[0])),
        position_ring=_position_ring(tracks, float(lat[0]), float(lon[0])),
        speed_mps=float(tracks.speed_mps[0]),
        path=course,
        trail=_trail(track),
        corridor=corridor_rings(course, rules) if known else (),
        fall=draft.fall if draft is not None else None,
        draft=draft,
        observation=last_observation(track.measurements),
        lost=lost(evidence.last_observed_ns, now_ns, rules),
        phase=str(track.flight.phase),
    )


def rehearse(places: PlaceTable) -> None:
    """Looks once at a made-up track, so that the first real one does not wait for code to be loaded or compiled.

    places: the node's table. Gives nothing and changes nothing; a process calls it before it says that it is ready.
    """
    warm()
    arc = free_fall_arc(0.7, 2.2, 1.45, 4.6e6, 1.0e6)
    site = geodetic_to_ecef(0.7, 2.44).reshape(3)
    times_s = np.arange(100.0, 160.0)
    columns = look_angles(arc_state(arc, times_s)[:, :3], 0.7, 2.44)
    value = np.stack(columns, axis=1)
    track = TrackFilter()
    track.add(radar_measurements((times_s * 1e9).astype(np.int64), site, value, (50.0, 1e-3, 1e-3)))
    look_ahead(track, watch_over(places, ("JP",)), WarningRules(), int(160e9))


def _is_sound(tracks: Tracks) -> bool:
    """Whether the estimate is a point with a covariance; the units are scaled so that one bound serves all."""
    covariance = tracks.covariance[0]
    if not (np.isfinite(tracks.mean).all() and np.isfinite(covariance).all()):
        return False
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    if not spread.all():
        return False
    return bool(np.linalg.eigvalsh(covariance / np.outer(spread, spread))[0] > 0.0)


def _position_ring(tracks: Tracks, lat_rad: float, lon_rad: float) -> Ring:
    """The ellipse over the ground that holds the position with `POSITION_PROBABILITY`, or nothing."""
    rotation = np.asarray(enu_rotation(lat_rad, lon_rad)).reshape(3, 3)
    local = rotation @ tracks.covariance[0, :3, :3] @ rotation.T
    try:
        return next(iter(ellipse_rings(lat_rad, lon_rad, local[:2, :2], POSITION_PROBABILITY)), [])
    except AreaError:
        return []


def _trail(track: TrackFilter) -> Observations:
    rows = track.measurements
    spread = np.linspace(0, len(rows) - 1, min(len(rows), TRAIL_POINTS)).round().astype(np.int64)
    return observe(rows[spread])
