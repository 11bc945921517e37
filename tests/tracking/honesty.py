"""The arcs, radars and measures of the benchmarks under the names that the tests use: `noroshi bench honesty`."""

from __future__ import annotations

import numpy as np

from noroshi.cli.benches.arcs import (
    ARCS,
    EPOCH_NS,
    LAUNCH_RAD,
    RADARS,
    Case,
    FallErrors,
    Floats,
    Mark,
    build,
    detections,
    fall_errors,
    look,
    nees,
    play,
    site_m,
    squared,
)

SITES = np.array([site_m(radar) for radar in range(len(RADARS))])

__all__ = [
    "ARCS",
    "EPOCH_NS",
    "LAUNCH_RAD",
    "RADARS",
    "SITES",
    "Case",
    "FallErrors",
    "Floats",
    "Mark",
    "build",
    "detections",
    "fall_errors",
    "look",
    "nees",
    "play",
    "site_m",
    "squared",
]
