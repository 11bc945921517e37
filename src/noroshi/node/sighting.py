"""When a radar could first see what only an infrared sensor has reported: what would confirm it, and when.

first_seen_by(estimate.filter.tracks, state.sensors.values())      # [Sight("sado", time_ns), ...], earliest first
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noroshi.geo.frames import ecef_to_geodetic, look_angles
from noroshi.node.inputs import SensorRow
from noroshi.tracking import Tracks, propagate

LOWEST_RAD = float(np.radians(2.0))
"""Above the horizon, for a radar to see anything: hills and ducting hide what is lower."""

AHEAD_S = np.arange(0.0, 901.0, 10.0)
"""So far ahead is looked: what no radar can see within a quarter of an hour, none will confirm in time."""


@dataclass(frozen=True, slots=True)
class Sight:
    """From when on one radar could see it: UTC ns, None where it does not rise above its horizon in time."""

    sensor: str
    time_ns: int | None


def first_seen_by(tracks: Tracks, sensors: Iterable[SensorRow]) -> list[Sight]:
    """Each radar's first sight of the first track, if it falls freely from where it is thought to be; earliest first.

    An estimate from directions alone is a poor one, and one under power flies otherwise: it says about when to look.
    """
    radars = [one for one in sensors if one.sensing == "radar"]
    if not len(tracks) or not radars:
        return []
    at_m = propagate(tracks.mean[:1, :6], AHEAD_S)[0, :, :3]
    found = [Sight(one.id, _risen_ns(int(tracks.time_ns[0]), at_m, one)) for one in radars]
    return sorted(found, key=lambda one: (one.time_ns is None, one.time_ns or 0, one.sensor))


def _risen_ns(time_ns: int, at_m: NDArray[np.float64], sensor: SensorRow) -> int | None:
    lat, lon, height = ecef_to_geodetic(np.array(sensor.site_m).reshape(1, 3))
    elevation = look_angles(at_m, float(lat[0]), float(lon[0]), float(height[0]))[2] - LOWEST_RAD
    above = np.flatnonzero(elevation >= 0.0)
    if not above.size:
        return None
    first = int(above[0])
    step_s = float(AHEAD_S[first])
    if first:
        share = float(elevation[first - 1] / (elevation[first - 1] - elevation[first]))
        step_s = float(AHEAD_S[first - 1] + share * (AHEAD_S[first] - AHEAD_S[first - 1]))
    return time_ns + round(step_s * 1e9)
