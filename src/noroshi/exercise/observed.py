"""What the sensors measured, as points for the review's map.

points = observed_points(logs)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from noroshi.geo.frames import ecef_to_geodetic, look_to_ecef
from noroshi.review import Log, Point

EVERY_S = 5.0
"""One point per sensor in so many seconds: the map shows a line, not each look."""


def observed_points(logs: Sequence[Log]) -> tuple[Point, ...]:
    """Measured positions from all nodes' own sensors, thinned, in order of time."""
    return tuple(
        sorted((point for log in logs for point in _of_log(log)), key=lambda one: (one.time_ns, one.partner))
    )


def _of_log(log: Log) -> Iterator[Point]:
    sites = {row["id"]: row["site_m"] for row in log.genesis["sensors"]}
    last: dict[str, int] = {}
    for entry in log.entries:
        if entry.type != "detections" or not entry.accepted:
            continue
        sensor, time_ns = entry.fields["sensor"], entry.fields["time_ns"][0]
        if sensor in last and time_ns - last[sensor] < EVERY_S * 1e9:
            continue
        last[sensor] = time_ns
        latitude, longitude, height = ecef_to_geodetic(sites[sensor])
        value = np.array(entry.fields["value"][0])
        at = look_to_ecef(value[0], value[1], value[2], latitude, longitude, height)
        lat, lon, _ = ecef_to_geodetic(at)
        yield Point(float(np.degrees(lon[0])), float(np.degrees(lat[0])), time_ns, log.partner)
