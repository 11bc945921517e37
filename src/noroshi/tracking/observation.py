"""Observations: what a sensor really measured, as a place and a time.

Only an `Observation` may make anybody say that an object passed, or came down: estimates (`Tracks`) and predictions
(`Falls`, `GroundTrack`) are other types, and no function here makes an observation out of them.

    newest = last_observation(track.measurements)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noroshi.geo.frames import ecef_to_geodetic
from noroshi.tracking import kernels
from noroshi.tracking.errors import TrackError
from noroshi.tracking.measurements import RADAR, Measurements

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Observations:
    """Observed positions, one row per measurement: time_ns; position_m (m, 3) ECEF; covariance (m, 3, 3) m^2; and the
    same place as lat_rad, lon_rad (geodetic) and height_m above the ellipsoid.
    """

    time_ns: Ints
    position_m: Floats
    covariance: Floats
    lat_rad: Floats
    lon_rad: Floats
    height_m: Floats

    def __len__(self) -> int:
        return len(self.time_ns)


@dataclass(frozen=True, slots=True)
class Observation:
    """One observed position: UTC ns, geodetic rad, height above the ellipsoid m, and sigma_m, the standard deviation of
    its worst direction, m.
    """

    time_ns: int
    lat_rad: float
    lon_rad: float
    height_m: float
    sigma_m: float


def observe(rows: Measurements) -> Observations:
    """Every row as an observed position. That of an infrared row is the middle of the line along which it saw something,
    with a covariance of thousands of kilometres along it.
    """
    count = len(rows)
    position, cov = np.zeros((count, 3)), np.zeros((count, 3, 3))
    kernels.place_rows(rows.rows, position, cov)
    lat, lon, height = ecef_to_geodetic(position)
    return Observations(rows.time_ns, position, cov, lat, lon, height)


def last_observation(rows: Measurements) -> Observation:
    """The newest of the rows that measured a place, which needs a range; where none did, the newest row, whose `sigma_m`
    tells that the place is open. Raises TrackError when there is no row.
    """
    if not len(rows):
        raise TrackError("give the last observation", cause="nothing was measured")
    placed = rows.model == RADAR
    newest = int(np.argmax(np.where(placed, rows.time_ns, -1) if placed.any() else rows.time_ns))
    seen = observe(rows[newest : newest + 1])
    return Observation(
        int(seen.time_ns[0]),
        float(seen.lat_rad[0]),
        float(seen.lon_rad[0]),
        float(seen.height_m[0]),
        float(np.sqrt(np.linalg.eigvalsh(seen.covariance[0])[-1])),
    )
