"""Small worlds for the tests of warnings: places along a flight to the east at 41 degrees north, and its course."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from noroshi.clock import from_iso, seconds
from noroshi.tracking import GroundTrack, Observation
from noroshi.warning.draft import Draft, DraftArea, Evidence, areas_of, split_areas, start_gate
from noroshi.warning.falling import Fall
from noroshi.warning.rules import WarningRules
from noroshi.warning.watch import Floats, Ints, Region, Watch, lay_out

RULES = WarningRules()
START_NS = from_iso("2022-10-03T22:23:00Z")
SPEED_DEG_S = 0.05
"""About 4.2 km/s over the ground at 41 degrees north."""

WEST, EAST, SOUTH = (
    Region("JP", "West", "西県", "서현"),
    Region("JP", "East", "東県", "동현"),
    Region("JP", "Islands", "島", "섬"),
)

PLACES = (
    ("Westport", 41.0, 140.0, 300_000, 0),
    ("Westhill", 41.3, 140.4, 20_000, 0),
    ("Far Westland", 39.0, 140.0, 500_000, 0),
    ("Easttown", 40.9, 142.0, 100_000, 1),
    ("Isle", 33.1, 139.8, 7_000, 2),
)


def small_watch(rows: tuple[tuple[str, float, float, int, int], ...] = PLACES) -> Watch:
    """The places above (name, latitude and longitude in degrees, people, region)."""
    return lay_out(
        np.radians([row[1] for row in rows]),
        np.radians([row[2] for row in rows]),
        np.array([row[3] for row in rows], np.int64),
        np.array([row[3] for row in rows], np.int64),
        np.array([row[4] for row in rows], np.int64),
        (WEST, EAST, SOUTH),
        [(row[0], row[0] + "・日", row[0] + "・한") for row in rows],
    )


def course(
    from_deg: float = 130.0, to_deg: float = 160.0, sigma_m: float = 5_000.0, lat_deg: float = 41.0
) -> GroundTrack:
    """Due east along a parallel, the whole flight being at longitude 130 at START_NS. Sigmas are the same all along."""
    longitude = np.linspace(from_deg, to_deg, 121)
    time_ns = START_NS + np.rint((longitude - 130.0) / SPEED_DEG_S * 1e9).astype(np.int64)
    flat = np.ones(len(longitude))
    return line(np.radians(lat_deg * flat), np.radians(longitude), time_ns, sigma_m, 4_200.0)


def line(lat_rad: Floats, lon_rad: Floats, time_ns: Ints, sigma_m: float, speed_mps: float) -> GroundTrack:
    """One ground track with the same sigmas all along."""
    flat = np.ones(len(lat_rad))
    return GroundTrack(
        start=np.array([0, len(flat)], np.int64),
        time_ns=time_ns,
        lat_rad=lat_rad,
        lon_rad=lon_rad,
        height_m=300_000.0 * flat,
        along_sigma_m=sigma_m * flat,
        cross_sigma_m=sigma_m * flat,
        time_sigma_s=sigma_m / speed_mps * flat,
        course_rad=np.pi / 2 * flat,
        speed_mps=speed_mps * flat,
    )


def fall_at(lat_deg: float, lon_deg: float, sigma_m: float = 20_000.0, sigma_s: float = 10.0) -> Fall:
    """A fall 600 s after START_NS."""
    covariance = np.diag([sigma_m**2, sigma_m**2, sigma_s**2])
    return Fall(np.radians(lat_deg), np.radians(lon_deg), START_NS + seconds(600.0), covariance)


def now_at(lon_deg: float) -> int:
    """When the object is at this longitude."""
    return START_NS + seconds((lon_deg - 130.0) / SPEED_DEG_S)


def draft_at(
    lon_deg: float = 130.0,
    *,
    updates: int = 20,
    sigma_m: float = 5_000.0,
    lat_deg: float = 41.0,
    fall: Fall | None = None,
    rules: WarningRules = RULES,
    delay_s: float = 0.0,
) -> Draft:
    """The draft when the estimate is at this longitude; `delay_s`: by how much all times are later."""
    path = course(lon_deg, 160.0, sigma_m, lat_deg)
    path = replace(path, time_ns=path.time_ns + seconds(delay_s))
    areas = areas_of(path, fall, small_watch(), rules, now_at(lon_deg))
    warned, near = split_areas(areas, rules)
    evidence = Evidence(START_NS, now_at(lon_deg), updates)
    return Draft(evidence, warned, near, start_gate(path))


def seen_at(lon_deg: float, lat_deg: float = 41.0) -> Observation:
    """The object measured at this longitude, when it is there."""
    return Observation(now_at(lon_deg), float(np.radians(lat_deg)), float(np.radians(lon_deg)), 3e5, 200.0)


def regions(areas: tuple[DraftArea, ...]) -> list[str]:
    """The names of the areas' regions."""
    return [area.row.region for area in areas]
