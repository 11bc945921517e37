"""Sensors: where one stands, how well it measures, and what is known of what it sees and misses.

    sensor = Sensor("north", "JPN", "radar", lat_rad, lon_rad, 120.0, 40.0, 1e-3, 1e-3)
    rows = sensor.measurements(time_ns, value)           # (m, 3): range m, azimuth, elevation rad

What is not given (None) is estimated while tracking: see `Tracker`. All accuracies in examples are notional.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noroshi.geo.frames import geodetic_to_ecef
from noroshi.tracking.errors import SensorError
from noroshi.tracking.measurements import Measurements, infrared_measurements, radar_measurements

Floats = NDArray[np.float64]

HEIGHTS_M = (-1e3, 9e4)
"""A radar stands, sails or flies here; an infrared sensor may also be in any orbit."""
MAX_HEIGHT_M = 1e8


@dataclass(frozen=True)
class Sensor:
    """One sensor at a fixed place.

    Angles rad (latitude geodetic, longitude east), height_m above the ellipsoid. sigma_range_m is 0 for an infrared
    sensor; sigma_range_rate_mps is 0 where no range rate is measured. bias_*: sigmas of what the sensor is off by in
    all of its rows alike. detection_probability: that an object in its coverage is in a scan; false_alarms: mean number
    in a scan; max_range_m, min_elevation_rad: its coverage. None: not known. Raises SensorError.
    """

    id: str
    partner: str
    kind: Literal["radar", "infrared"]
    lat_rad: float
    lon_rad: float
    height_m: float
    sigma_range_m: float
    sigma_azimuth_rad: float
    sigma_elevation_rad: float
    sigma_range_rate_mps: float = 0.0
    clock_sigma_s: float = 0.0
    bias_range_m: float = 0.0
    bias_azimuth_rad: float = 0.0
    bias_elevation_rad: float = 0.0
    detection_probability: float | None = None
    false_alarms: float | None = None
    max_range_m: float | None = None
    min_elevation_rad: float | None = None

    def __post_init__(self) -> None:
        radar = self.kind == "radar"
        probability, alarms = self.detection_probability, self.false_alarms
        rules = (
            (bool(self.id), "id", "must not be empty"),
            (self.kind in ("radar", "infrared"), "kind", "must be radar or infrared"),
            (abs(self.lat_rad) <= math.pi / 2, "lat", "must lie within +-90 degrees"),
            (abs(self.lon_rad) <= 2 * math.pi, "lon", "must lie within +-360 degrees"),
            (
                HEIGHTS_M[0] <= self.height_m <= (HEIGHTS_M[1] if radar else MAX_HEIGHT_M),
                "height_m",
                "no such sensor can be there",
            ),
            (
                0 < self.sigma_range_m <= 1e5 if radar else self.sigma_range_m == 0,
                "sigma_range_m",
                SIGMA_RANGE,
            ),
            (0 < self.sigma_azimuth_rad <= 0.2, "sigma_azimuth_rad", SIGMA_ANGLE),
            (0 < self.sigma_elevation_rad <= 0.2, "sigma_elevation_rad", SIGMA_ANGLE),
            (0 <= self.sigma_range_rate_mps <= 20e3, "sigma_range_rate_mps", "must be 0 to 20,000 m/s"),
            (
                radar or self.sigma_range_rate_mps == 0,
                "sigma_range_rate_mps",
                "infrared measures no range rate",
            ),
            (0 <= self.clock_sigma_s <= 60, "clock_sigma_s", "must be 0 to 60 s"),
            (
                0 <= self.bias_range_m <= (1e5 if radar else 0),
                "bias_range_m",
                "must be 0 to 1e5 m, 0 for infrared",
            ),
            (0 <= self.bias_azimuth_rad <= 0.2, "bias_azimuth_rad", "must be 0 to 0.2 rad"),
            (0 <= self.bias_elevation_rad <= 0.2, "bias_elevation_rad", "must be 0 to 0.2 rad"),
            (probability is None or 0 < probability < 1, "detection_probability", "must lie between 0 and 1"),
            (alarms is None or 0 <= alarms <= 1e6, "false_alarms", "must be 0 to 1,000,000 in a scan"),
            (self.max_range_m is None or self.max_range_m > 0, "max_range_m", "must be above 0"),
            (
                self.min_elevation_rad is None or abs(self.min_elevation_rad) <= math.pi / 2,
                "min_elevation_rad",
                "must lie within +-90 degrees",
            ),
        )
        for good, field, cause in rules:
            if not good:
                raise SensorError(self.id, field, cause)

    @property
    def site_m(self) -> Floats:
        """ECEF position (3,), m."""
        site: Floats = geodetic_to_ecef(self.lat_rad, self.lon_rad, self.height_m)[0]
        return site

    def measurements(
        self, time_ns: ArrayLike, value: ArrayLike, range_rate_mps: ArrayLike | None = None
    ) -> Measurements:
        """Rows as this sensor measures them; value (m, 3): range m (not read for infrared), azimuth, elevation rad.

        range_rate_mps (m,): positive going away; NaN, or None for all rows, where none was measured.
        Raises MeasurementError.
        """
        columns = np.asarray(value, np.float64).reshape(-1, 3)
        sigma = (self.sigma_range_m, self.sigma_azimuth_rad, self.sigma_elevation_rad)
        bias = (self.bias_range_m, self.bias_azimuth_rad, self.bias_elevation_rad)
        if self.kind == "infrared":
            return infrared_measurements(
                time_ns, self.site_m, columns[:, 1:], sigma[1:], self.clock_sigma_s, bias_sigma=bias[1:]
            )
        rate = np.zeros((len(columns), 2))
        if range_rate_mps is not None and self.sigma_range_rate_mps > 0:
            measured = np.broadcast_to(np.asarray(range_rate_mps, np.float64), (len(columns),))
            known = ~np.isnan(measured)
            rate[known, 0], rate[known, 1] = measured[known], self.sigma_range_rate_mps
        return radar_measurements(
            time_ns, self.site_m, columns, sigma, self.clock_sigma_s, rate=rate, bias_sigma=bias
        )


SIGMA_RANGE = "must be above 0 and at most 1e5 m for a radar, 0 for infrared"
SIGMA_ANGLE = "must be above 0 and at most 0.2 rad"
