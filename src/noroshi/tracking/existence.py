"""What a sensor sees, misses and makes up: its probability of detection, false alarms and coverage, given or learned.

    watch = Watch.of(sensor).seen(rows)
    watch = after_scan(watch, rows, owner, sure, seen, had)

A miss speaks against an object only where the sensor should have seen it. Where its coverage is not given, that is
inside what it has been known to see: as far and as low as confirmed objects were seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.tracking.measurements import Measurements
from noroshi.tracking.sensors import Sensor

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

DETECTION = (18.0, 20.0)
"""Where nothing is said: as if 18 of 20 looks had seen their object; learned from there."""
DETECTION_RANGE = (0.5, 0.98)
"""What is learned stays inside: beyond it one miss would decide over an object, or none would."""
ALARMS = (2.0, 1.0)
"""Where nothing is said: as if one scan had held two false alarms; learned from there."""
MEMORY = 0.98
"""Learned counts fade to this each scan: fifty scans weigh."""
FEWEST_ALARMS = 0.02
"""False alarms a scan are taken as no fewer, even of a sensor that is said to have none."""
LEAST_SPAN = (1e5, 0.1, 0.1)
"""The box that false alarms fall in is no smaller: m, rad, rad."""
COMMON_INTERVAL_S = 1.0
"""Time between scans until two were seen."""


@dataclass(frozen=True, eq=False)
class Watch:
    """What is known of one sensor: given figures (0 or less: none), and what was learned.

    probability: of detection; looks, hits: learned counts of confirmed objects; alarms, scans: fading counts; low, high
    (3,): box of all its rows (range m, azimuth rad from the first row's, elevation rad); far_m, floor_rad: its coverage;
    together: whether rows of several objects come at one instant; interval_s: between its scans.
    """

    infrared: bool
    given_probability: float
    given_alarms: float
    given_coverage: bool
    probability: float
    looks: float
    hits: float
    alarms: float
    scans: float
    low: Floats
    high: Floats
    middle_rad: float
    far_m: float
    floor_rad: float
    together: bool
    interval_s: float
    last_ns: int

    @classmethod
    def of(cls, sensor: Sensor) -> Watch:
        """What the sensor's definition says."""
        probability, alarms = sensor.detection_probability, sensor.false_alarms
        covered = sensor.max_range_m is not None or sensor.min_elevation_rad is not None
        far = sensor.max_range_m if sensor.max_range_m is not None else math.inf
        floor = sensor.min_elevation_rad if sensor.min_elevation_rad is not None else -math.pi / 2
        return cls(
            sensor.kind == "infrared",
            -1.0 if probability is None else probability,
            -1.0 if alarms is None else alarms,
            covered,
            DETECTION[0] / DETECTION[1] if probability is None else probability,
            DETECTION[1],
            DETECTION[0],
            0.0,
            0.0,
            np.full(3, np.inf),
            np.full(3, -np.inf),
            math.nan,
            far if covered else 0.0,
            floor if covered else math.pi,
            False,
            COMMON_INTERVAL_S,
            -1,
        )

    def seen(self, rows: Measurements) -> Watch:
        """After the rows of one more scan came in, before anything is known of them."""
        middle = self.middle_rad if self.last_ns >= 0 else float(rows.value[0, 1])
        box = rows.value.copy()
        box[:, 1] = (box[:, 1] - middle + math.pi) % (2 * math.pi) - math.pi
        now_ns, interval = int(rows.time_ns[0]), self.interval_s
        if self.last_ns >= 0:
            passed = min((now_ns - self.last_ns) / NS_PER_S, 10 * interval)
            interval = 0.8 * interval + 0.2 * passed
        return replace(
            self,
            low=np.minimum(self.low, box.min(axis=0)),
            high=np.maximum(self.high, box.max(axis=0)),
            middle_rad=middle,
            together=self.together or len(rows) > 1,
            interval_s=interval,
            last_ns=now_ns,
        )


def alarms_a_scan(watch: Watch) -> float:
    """False alarms in a scan, mean number."""
    if watch.given_alarms >= 0:
        return max(watch.given_alarms, FEWEST_ALARMS)
    return max((watch.alarms + ALARMS[0]) / (watch.scans + ALARMS[1]), FEWEST_ALARMS)


def alarm_density(watch: Watch) -> float:
    """Logarithm of the false alarms in a scan for each unit of range m (not infrared), azimuth and elevation rad."""
    span = np.maximum(watch.high - watch.low, LEAST_SPAN)
    volume = float(span[1] * span[2]) if watch.infrared else float(np.prod(span))
    return math.log(alarms_a_scan(watch) / volume)


def in_view(watch: Watch, view: Floats) -> Bools:
    """Whether the sensor should see what is at view (n, 4): range m, azimuth, elevation rad, height m."""
    return np.asarray((view[:, 0] <= watch.far_m) & (view[:, 2] >= watch.floor_rad))


def may_view(watch: Watch, view: Floats) -> Bools:
    """Where it is not known whether the sensor sees what is there."""
    known = watch.given_coverage | (view[:, 2] < -0.1)
    return np.asarray(~known & ~in_view(watch, view))


def after_scan(watch: Watch, rows: Measurements, owner: Ints, sure: Bools, seen: Bools, had: Bools) -> Watch:
    """What one scan teaches: owner (m,): tree of each row or -1; sure (t,): confirmed trees; seen, had (t,): should
    have been seen, and was.
    """
    if watch.given_probability < 0 and watch.together:
        counted = sure & seen
        looks = MEMORY * (watch.looks - DETECTION[1]) + DETECTION[1] + float(counted.sum())
        hits = MEMORY * (watch.hits - DETECTION[0]) + DETECTION[0] + float((counted & had).sum())
        low, high = DETECTION_RANGE
        watch = replace(watch, looks=looks, hits=hits, probability=min(max(hits / looks, low), high))
    if not watch.given_coverage:
        mine = np.flatnonzero(owner >= 0)
        mine = mine[sure[owner[mine]]]
        if len(mine):
            far, floor = float(rows.value[mine, 0].max()), float(rows.value[mine, 2].min())
            far = math.inf if watch.infrared else max(watch.far_m, far)
            watch = replace(watch, far_m=far, floor_rad=min(watch.floor_rad, floor))
    return replace(watch, scans=MEMORY * watch.scans + 1)


def false_alarm(watch: Watch, count: int) -> Watch:
    """After so many single rows of this sensor came to nothing."""
    return replace(watch, alarms=watch.alarms + count)


def faded(watch: Watch) -> Watch:
    """The count of false alarms fades with each scan of the sensor."""
    return replace(watch, alarms=MEMORY * watch.alarms)
