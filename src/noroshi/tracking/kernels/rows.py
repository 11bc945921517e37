"""Rows of measurements as compiled code takes them: the columns of `Measurements`, one tuple of arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Rows(NamedTuple):
    """m rows. All columns are read-only views, so that compiled code exists in one version.

    time_ns (m,); model (m,): 0 radar, 1 infrared; site_m (m, 3) ECEF; value (m, 3): range m (0 where there is none),
    azimuth, elevation rad; sigma (m, 3), that of a range that is not there 0; clock_s (m,); rate (m, 2): range rate and
    its sigma, m/s, sigma 0 where there is none; bias (m, 3): sigmas of the sensor's constant bias of range, azimuth,
    elevation, 0 where it has none.
    """

    time_ns: NDArray[np.int64]
    model: NDArray[np.int8]
    site_m: NDArray[np.float64]
    value: NDArray[np.float64]
    sigma: NDArray[np.float64]
    clock_s: NDArray[np.float64]
    rate: NDArray[np.float64]
    bias: NDArray[np.float64]
