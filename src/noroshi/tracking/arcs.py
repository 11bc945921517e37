"""Free-fall arcs with a given range and apogee: the surrogate of a reported flight.

The arc starts at once at the surface, as if thrown: no powered ascent, no vehicle. Against the public record its flight
time is 0 to 4.5 minutes short, which is the powered ascent. Drag is left out unless a ballistic coefficient is given,
and then acts on the way down only.

    arc = free_fall_arc(lat_rad, lon_rad, azimuth_rad, 4_600e3, 1_000e3)
    states = arc_state(arc, [0.0, 1.0, 2.0], beta_kgm2=5000.0)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noroshi.geo.frames import (
    EARTH_RATE_RAD_S,
    GRAVITY_M3_S2,
    MEAN_RADIUS_M,
    SEMI_MINOR_M,
    ecef_to_geodetic,
    enu_rotation,
    geodetic_to_ecef,
)
from noroshi.geo.geodesic import destination
from noroshi.tracking.dynamics import fly, propagate
from noroshi.tracking.errors import ArcError

Floats = NDArray[np.float64]

TOLERANCE_M = 1.0
"""Fall point and apogee of the arc found are within this of what was asked."""
ATTEMPTS = 60


@dataclass(frozen=True, eq=False)
class Arc:
    """A free-fall arc without drag. state: (6,) ECEF m and m/s at the start; flight_time_s to the fall; apogee_m above
    the ellipsoid, reached after apogee_s; range_m along the geodesic from launch to fall; both places geodetic, rad.
    """

    state: Floats
    flight_time_s: float
    range_m: float
    apogee_m: float
    apogee_s: float
    launch_lat_rad: float
    launch_lon_rad: float
    fall_lat_rad: float
    fall_lon_rad: float


@dataclass(frozen=True, slots=True)
class ArcFall:
    """Where (geodetic rad) and how long after the start (s) an arc comes down."""

    time_s: float
    lat_rad: float
    lon_rad: float


def free_fall_arc(
    launch_lat_rad: float, launch_lon_rad: float, azimuth_rad: float, range_m: float, apogee_m: float
) -> Arc:
    """The free-fall arc from a place on the surface that comes down `range_m` away and rises to `apogee_m`.

    azimuth_rad: of the geodesic to the fall point, clockwise from true north at the launch point; range_m along it.
    Raises ArcError when no such arc is found.
    """
    given = (launch_lat_rad, launch_lon_rad, azimuth_rad, range_m, apogee_m)
    if not all(map(math.isfinite, given)) or abs(launch_lat_rad) > math.pi / 2:
        raise _no_arc(range_m, apogee_m, "a number is not finite or the latitude is outside +-90 degrees")
    if not (0 < range_m < math.pi * SEMI_MINOR_M) or apogee_m <= 0:
        raise _no_arc(
            range_m, apogee_m, "range and apogee must be above 0, range below half way round the Earth"
        )
    goal_lat, goal_lon = (
        float(angle[0]) for angle in destination(launch_lat_rad, launch_lon_rad, azimuth_rad, range_m)
    )
    start, goal = geodetic_to_ecef((launch_lat_rad, goal_lat), (launch_lon_rad, goal_lon))
    east_north = enu_rotation(goal_lat, goal_lon)[0, :2]
    velocity = _solve(start, _kepler_guess(start, goal, apogee_m), goal, east_north, apogee_m)
    if velocity is None:
        raise _no_arc(range_m, apogee_m, "the search did not reach them")
    state = np.concatenate((start, velocity))
    flight = fly(state)[0]
    return Arc(
        state, float(flight[3]), range_m, float(flight[4]), float(flight[5]),
        launch_lat_rad, launch_lon_rad, *_ground(flight[:3]),
    )  # fmt: skip


def arc_state(arc: Arc, t_s: ArrayLike, beta_kgm2: float | None = None) -> Floats:
    """States (k, 6) at ascending times after the start, s; at rest at the fall point after the fall."""
    states: Floats = propagate(arc.state, t_s, beta_kgm2)[0]
    return states


def arc_fall(arc: Arc, beta_kgm2: float | None = None) -> ArcFall:
    """When and where the arc comes down, later and shorter with drag."""
    flight = fly(arc.state, beta_kgm2)[0]
    return ArcFall(float(flight[3]), *_ground(flight[:3]))


def _kepler_guess(start: Floats, goal: Floats, apogee_m: float) -> Floats:
    """Launch velocity (ECEF) of the Kepler arc over a sphere to where the Earth will have turned the goal.

    Ellipse through two points of the sphere with a given apogee: Bate, Mueller and White 1971, section 6.2.
    """
    top = MEAN_RADIUS_M + apogee_m
    up = start / np.linalg.norm(start)
    time_s = 600.0
    velocity = np.zeros(3)
    for _ in range(30):
        turn = EARTH_RATE_RAD_S * time_s
        turned = np.array(
            [
                goal[0] * math.cos(turn) - goal[1] * math.sin(turn),
                goal[0] * math.sin(turn) + goal[1] * math.cos(turn),
                goal[2],
            ]
        )
        toward = turned / np.linalg.norm(turned)
        half = math.acos(max(-1.0, min(1.0, float(up @ toward)))) / 2
        e = (top - MEAN_RADIUS_M) / (top - MEAN_RADIUS_M * math.cos(half))
        axis = top / (1 + e)
        nu = math.pi - half
        anomaly = 2 * math.atan2(math.sqrt(1 - e) * math.sin(nu / 2), math.sqrt(1 + e) * math.cos(nu / 2))
        time_s = 2 * (math.pi - anomaly + e * math.sin(anomaly)) * math.sqrt(axis**3 / GRAVITY_M3_S2)
        momentum = math.sqrt(GRAVITY_M3_S2 * axis * (1 - e * e))
        rise, pace = GRAVITY_M3_S2 / momentum * e * math.sin(nu), momentum / MEAN_RADIUS_M
        ahead = toward - (toward @ up) * up
        length = np.linalg.norm(ahead)
        velocity = rise * up + (pace * ahead / length if length > 0 else 0.0)
    return velocity - EARTH_RATE_RAD_S * np.array([-start[1], start[0], 0.0])


def _solve(start: Floats, guess: Floats, goal: Floats, frame: Floats, apogee_m: float) -> Floats | None:
    """Newton's method with halved steps on fall point (east, north of the goal) and apogee; None when it fails."""
    velocity = guess

    def miss(velocities: Floats) -> Floats:
        states = np.concatenate((np.broadcast_to(start, velocities.shape), velocities), axis=1)
        flight = fly(states)
        rows = np.column_stack(((flight[:, :3] - goal) @ frame.T, flight[:, 4] - apogee_m))
        rows[flight[:, 3] < 0] = np.inf
        return rows

    now = miss(velocity[None])[0]
    for _ in range(ATTEMPTS):
        if not np.isfinite(now).all():
            return None
        if float(np.abs(now).max()) < TOLERANCE_M:
            return velocity
        delta = 0.05
        around = miss(np.concatenate((velocity + delta * np.eye(3), velocity - delta * np.eye(3))))
        slope = (around[:3] - around[3:]).T / (2 * delta)
        if not np.isfinite(slope).all():
            return None
        step = -np.linalg.lstsq(slope, now, rcond=None)[0]
        for cut in range(12):
            trial = velocity + step / 2**cut
            found = miss(trial[None])[0]
            if np.isfinite(found).all() and np.abs(found).max() < np.abs(now).max():
                velocity, now = trial, found
                break
        else:
            return None
    return None


def _ground(point: Floats) -> tuple[float, float]:
    """Geodetic latitude and longitude of a point."""
    lat, lon, _ = ecef_to_geodetic(point)
    return float(lat[0]), float(lon[0])


def _no_arc(range_m: float, apogee_m: float, cause: str) -> ArcError:
    return ArcError(
        "find the free-fall arc",
        subject=f"range {range_m / 1000:.0f} km, apogee {apogee_m / 1000:.0f} km",
        cause=cause,
        hint="give a range of 250 to 6,000 km and an apogee of 50 to 7,000 km",
    )
