"""The scene of the `raid` benchmark: many free falls at once, seen by three notional radars with false alarms.

Objects start along one notional arc (1,000 km, apogee 250 km) 45 s after its start, each with its own offset in place
and velocity; radars look once a second, a third of a second apart. Everything follows from the seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noroshi.geo.frames import geodetic_to_ecef, look_angles
from noroshi.tracking import Sensor, arc_state, free_fall_arc, propagate

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EPOCH_NS = 1_900_000_000_000_000_000
LAUNCH_RAD = (math.radians(39.2), math.radians(125.7))
ENTER_S = 45.0
"""Objects are first seen so long after the start of the arc, at 85 km and climbing."""
SPREAD_MPS = 60.0
SIGHT = (3.0e6, math.radians(3.0))
"""Greatest range m and lowest elevation rad of a radar."""
SITES = (("a", 37.0, 127.5, 40.0, 1.0e-3), ("b", 41.0, 140.0, 20.0, 0.7e-3), ("c", 35.5, 135.5, 60.0, 1.5e-3))
PHASE_S = (0.0, 0.33, 0.66)
BOX = ((2.0e5, 1.6e6), (-1.0, 1.0), (0.05, 1.05))
"""False alarms fall evenly over range m, azimuth rad from the middle of the raid, elevation rad."""


@dataclass(frozen=True, eq=False)
class Look:
    """One scan: time s, radar, value (m, 3): range m, azimuth, elevation rad; owner (m,): object or -1; states (n, 6)
    of all objects; alive (n,).
    """

    time_s: float
    radar: int
    value: Floats
    owner: Ints
    states: Floats
    alive: Bools

    @property
    def time_ns(self) -> int:
        """UTC."""
        return EPOCH_NS + round(self.time_s * 1e9)


@dataclass(frozen=True)
class Raid:
    """What kind of raid: objects, spacing m (one sigma an axis), seconds, probability of detection, false alarms a scan,
    births_s: over which objects appear; deaths: share of objects that vanish in the second half.
    """

    objects: int = 50
    spacing_m: float = 15e3
    seconds: int = 30
    detection: float = 0.9
    alarms: float = 25.0
    births_s: float = 0.0
    deaths: float = 0.0


def sensors(*, detection: float | None = None) -> tuple[Sensor, ...]:
    """The three radars as noroshi is told of them: places and accuracies only, the rest it has to learn."""
    return tuple(
        Sensor(
            name, "NOTIONAL", "radar", math.radians(lat), math.radians(lon), 0.0, range_m, angle_rad, angle_rad,
            detection_probability=detection,
        )
        for name, lat, lon, range_m, angle_rad in SITES
    )  # fmt: skip


def scans(raid: Raid, seed: int) -> list[Look]:
    """All scans of a raid in order of time."""
    rng = np.random.default_rng(seed)
    count = raid.objects
    arc = free_fall_arc(*LAUNCH_RAD, math.radians(85), 1_000e3, 250e3)
    enter = arc_state(arc, np.array([ENTER_S]))[0, :6]
    place = rng.normal(0, raid.spacing_m, (count, 3))
    start = enter + np.hstack((place, rng.normal(0, SPREAD_MPS, (count, 3))))
    born = np.sort(rng.uniform(0, raid.births_s, count)) if raid.births_s else np.zeros(count)
    dies = rng.permutation(count) < raid.deaths * count
    end = np.where(dies, rng.uniform(raid.seconds / 2, raid.seconds, count), np.inf)
    times = np.array([second + phase for second in range(raid.seconds) for phase in PHASE_S])
    paths = np.zeros((count, len(times), 6))
    for i in range(count):
        later = times >= born[i]
        paths[i, later] = propagate(start[i], times[later] - born[i])[0]
        paths[i, ~later] = start[i]
    found = []
    for k, time_s in enumerate(times):
        radar = k % len(SITES)
        _, lat, lon, range_m, angle_rad = SITES[radar]
        states, alive = paths[:, k], (times[k] >= born) & (times[k] < end)
        seen = np.column_stack(look_angles(states[:, :3], math.radians(lat), math.radians(lon)))
        value = seen + rng.standard_normal((count, 3)) * (range_m, angle_rad, angle_rad)
        drawn = (
            alive & (rng.random(count) < raid.detection) & (seen[:, 0] < SIGHT[0]) & (seen[:, 2] > SIGHT[1])
        )
        false = _false(raid, rng)
        false[:, 1] += np.median(seen[:, 1])
        owner = np.concatenate((np.flatnonzero(drawn), np.full(len(false), -1)))
        mixed = rng.permutation(len(owner))
        found.append(
            Look(float(time_s), radar, np.vstack((value[drawn], false))[mixed], owner[mixed], states, alive)
        )
    return found


def _false(raid: Raid, rng: np.random.Generator) -> Floats:
    count = int(rng.poisson(raid.alarms))
    return np.column_stack([rng.uniform(low, high, count) for low, high in BOX])


def site_m(radar: int) -> Floats:
    """ECEF place of a radar, m."""
    place: Floats = geodetic_to_ecef(math.radians(SITES[radar][1]), math.radians(SITES[radar][2]))[0]
    return place
