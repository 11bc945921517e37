"""The public record held against free fall: which reported flights can have been as they were reported.

A real flight of a given range and apogee takes longer than the free-fall arc of the same figures, because powered
ascent is slower than an instant start: 0 to 4.5 minutes over the public flights of 2017 to 2024. What lies outside is
a misprint, a flight that did not fall freely, or figures of two flights; it is flagged, never mended.

    judged = judge_flight(Flight(range_km=933, apogee_km=2802, time_min=29))
    judged.residual_min, judged.flagged       # about -5.7, and why that cannot be
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from noroshi.geo.frames import MEAN_RADIUS_M
from noroshi.tracking.arcs import Arc, free_fall_arc
from noroshi.tracking.errors import ArcError

LAUNCH_LAT_DEG, LAUNCH_LON_DEG = 39.2, 125.7
"""Rounded public launch area, for a report that names no place; the place moves the time by seconds only."""
AZIMUTH_DEG = 75.0
"""Towards the sea to the east, for a report that names no direction; the Earth's turning makes it a few seconds."""
LONGER_MIN = (0.0, 4.5)
"""How much longer than its arc a real flight takes, min: the span of the public flights with an exact apogee."""
FLAT_APOGEE_KM = 100.0
"""Below it an arc stays in air that carries: there free fall and gliding part."""
FLAT_SHARE = 0.5
"""An arc under FLAT_APOGEE_KM that leaves at less than this share of the angle of least energy was not thrown but
glided: the public short flights leave at 0.9 to 1.3 of it."""
FLOOR_FACTOR = 2.0
"""A floor is rounded down, not halved: where even twice the apogee is too short for the time, the report is flagged."""
GLIDING_WORDS = ("glid", "manoeuv", "maneuv", "cruise", "skip")
"""A report whose `kind` holds one of these says itself that the flight did not fall freely."""


@dataclass(frozen=True, slots=True)
class Flight:
    """What a report says of one flight. floor: the apogee is "more than" that; kind: the report's own word."""

    range_km: float
    apogee_km: float
    time_min: float
    floor: bool = False
    kind: str = ""
    launch_lat_deg: float = LAUNCH_LAT_DEG
    launch_lon_deg: float = LAUNCH_LON_DEG
    azimuth_deg: float = AZIMUTH_DEG


@dataclass(frozen=True, slots=True)
class Judged:
    """arc_min: the free-fall arc's flight time; residual_min: reported less that; both None where there is no arc.

    flagged: why the report cannot be, or None.
    """

    arc_min: float | None
    residual_min: float | None
    flagged: str | None


def judge_flight(flight: Flight) -> Judged:
    """Holds one report against the free-fall arc with J2 over the turning Earth (`free_fall_arc`).

    A floor is judged from one side, up to `FLOOR_FACTOR`: a higher apogee makes the arc longer.
    """
    reported = {
        "range": flight.range_km,
        "apogee": flight.apogee_km,
        "time": flight.time_min,
        "latitude": flight.launch_lat_deg,
        "longitude": flight.launch_lon_deg,
        "azimuth": flight.azimuth_deg,
    }
    for name, value in reported.items():
        if not math.isfinite(value) or (name in ("range", "apogee", "time") and value <= 0):
            return Judged(None, None, f"a {name} of {value:g} cannot be")
    try:
        arc = _arc(flight, flight.apogee_km)
    except ArcError as error:
        what = "range or apogee is misprinted, or it did not fall freely"
        return Judged(None, None, f"there is no such free-fall arc ({error.cause}): {what}")
    arc_min = arc.flight_time_s / 60
    residual_min = flight.time_min - arc_min
    return Judged(arc_min, residual_min, _flag(flight, arc, residual_min))


def _arc(flight: Flight, apogee_km: float) -> Arc:
    return free_fall_arc(
        math.radians(flight.launch_lat_deg),
        math.radians(flight.launch_lon_deg),
        math.radians(flight.azimuth_deg),
        flight.range_km * 1e3,
        apogee_km * 1e3,
    )


def _too_long(flight: Flight, residual_min: float) -> bool:
    """Whether powered ascent, or for a floor a higher apogee, leaves the time unexplained."""
    if residual_min <= LONGER_MIN[1]:
        return False
    if not flight.floor:
        return True
    try:
        higher = _arc(flight, FLOOR_FACTOR * flight.apogee_km)
    except ArcError:
        return False
    return flight.time_min - higher.flight_time_s / 60 > LONGER_MIN[1]


def _flag(flight: Flight, arc: Arc, residual_min: float) -> str | None:
    """Why a report whose arc exists cannot be."""
    arc_min = arc.flight_time_s / 60
    fits = f"{arc_min + LONGER_MIN[0]:.1f} to {arc_min + LONGER_MIN[1]:.1f} min would fit"
    head = f"{flight.time_min:g} min reported"
    word = next((word for word in GLIDING_WORDS if word in flight.kind.lower()), None)
    if word is not None:
        return f"reported as {flight.kind}: it did not fall freely ({head}, the arc takes {arc_min:.1f})"
    if residual_min < LONGER_MIN[0]:
        return (
            f"{head}, {-residual_min:.1f} min less than free fall takes ({arc_min:.1f}): "
            f"a misprint, or another flight's figures; {fits}"
        )
    if _too_long(flight, residual_min):
        return (
            f"{head}, {residual_min:.1f} min more than free fall takes ({arc_min:.1f}), powered ascent explains "
            f"{LONGER_MIN[1]:g} at most: a misprint, or it glided; {fits}"
        )
    least = (math.pi - arc.range_m / MEAN_RADIUS_M) / 4
    leaves = _climb_rad(arc)
    if flight.apogee_km < FLAT_APOGEE_KM and not flight.floor and leaves < FLAT_SHARE * least:
        return (
            f"{flight.range_km:g} km under an apogee of {flight.apogee_km:g} km leaves at {math.degrees(leaves):.0f} "
            f"degrees and stays in the air: that is gliding, not free fall"
        )
    return None


def _climb_rad(arc: Arc) -> float:
    """The angle of the arc's start above the horizontal.

    Least energy over a sphere: a quarter of (pi - range angle). Bate, Mueller and White 1971, section 6.2.
    """
    position, velocity = arc.state[:3], arc.state[3:]
    length = math.sqrt(float(position @ position) * float(velocity @ velocity))
    return math.asin(float(position @ velocity) / length)
