"""What a prediction warns of: regions, each with its probability, time window, people and largest places.

A draft is not yet a warning: `noroshi.warning.lifecycle` decides whether it is said. Only what lies ahead of the
estimate is drafted; a window that is over, or a place off the track, is not.

    areas = areas_of(course, fall, watch_over(places, ("JP",)), rules, now_ns)
    [area.row.region for area in areas]                  # ['Hokkaido', 'Aomori']
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from noroshi.clock import seconds
from noroshi.geo.frames import geodetic_to_ecef
from noroshi.messages.bodies import AreaRow, FallRow, PlaceRow, Ring
from noroshi.tracking import GroundTrack
from noroshi.warning.falling import Fall, falls_near, greatest_sigma_m
from noroshi.warning.passing import passages
from noroshi.warning.rules import WarningRules
from noroshi.warning.watch import Floats, Ints, Watch

WINDOW_SIGMAS = 1.959964
"""Two-sided 95 % of a Gaussian."""

MIN_SPEED_MPS = 50.0
"""Slower over the ground than this, the time of passing a place is not bounded by its speed."""

KEEP_SHARE = 0.5
"""A warned area stays until its probability is below this share of `warn_probability`, so that none flickers."""

LARGEST = 5
"""Places named per area."""

_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Gate:
    """A point of the ground track, Earth-fixed on the ellipsoid, m, and the unit direction of flight there."""

    point_m: tuple[float, float, float]
    heading: tuple[float, float, float]

    def beyond_m(self, latitude_rad: float, longitude_rad: float) -> float:
        """How far a position's ground point lies beyond the gate along the flight; negative before it."""
        at = geodetic_to_ecef(latitude_rad, longitude_rad)[0]
        return float((at - np.array(self.point_m)) @ np.array(self.heading))


@dataclass(frozen=True, slots=True)
class DraftArea:
    """An area that may be warned.

    sigma_m: of the cross-track error there, near the end of the course of the error along it, or of the fall's longer
    axis (by rules of the first edition of the cross-track error and of the fall's shorter axis); entry and exit:
    where the track comes to the first and leaves the last of its places (None for a fall). level and half_width_m:
    the probability at which it is warned and how near the track must come, where rules of single areas say so.
    """

    row: AreaRow
    sigma_m: float
    entry: Gate | None = None
    exit: Gate | None = None
    level: float | None = None
    half_width_m: float | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Kind, country and region."""
        return self.row.kind, self.row.country, self.row.region


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a prediction rests on: when the object was first and last observed, and by how many measurements."""

    first_observed_ns: int
    last_observed_ns: int
    updates: int


@dataclass(frozen=True, slots=True)
class Draft:
    """All that a prediction says of the watched places.

    areas: at or above `warn_probability`, the earliest first; near: below it, but not so far that a standing warning
    would leave them out. start: the gate at the estimate itself. corridor: rings over the stretch of the areas.
    """

    evidence: Evidence
    areas: tuple[DraftArea, ...]
    near: tuple[DraftArea, ...]
    start: Gate
    corridor: tuple[Ring, ...] = ()
    fall: FallRow | None = None


def areas_of(
    course: GroundTrack, fall: Fall | None, watch: Watch, rules: WarningRules, now_ns: int
) -> tuple[DraftArea, ...]:
    """The areas down to `KEEP_SHARE` of `warn_probability` whose window is not over, the earliest first."""
    found = [*_pass_areas(course, watch, rules)]
    if fall is not None:
        found += _fall_areas(fall, watch, rules)
    ahead = [area for area in found if area.row.to_ns > now_ns]
    return tuple(sorted(ahead, key=lambda area: (area.row.from_ns, area.key)))


def split_areas(
    areas: Sequence[DraftArea], rules: WarningRules
) -> tuple[tuple[DraftArea, ...], tuple[DraftArea, ...]]:
    """The areas at or above `warn_probability`, and the others."""

    def is_warned(area: DraftArea) -> bool:
        return area.row.probability >= (area.level or rules.warn_probability)

    return tuple(filter(is_warned, areas)), tuple(area for area in areas if not is_warned(area))


def start_gate(course: GroundTrack) -> Gate:
    """The gate at the first vertex of a course."""
    ends = geodetic_to_ecef(course.lat_rad[:2], course.lon_rad[:2])
    step = ends[1] - ends[0]
    return _gate(ends[0], step / max(float(np.linalg.norm(step)), 1e-9))


def _pass_areas(course: GroundTrack, watch: Watch, rules: WarningRules) -> list[DraftArea]:
    terms = watch.terms
    width_m = None if terms is None else terms.half_width_m[watch.region]
    near = passages(course, watch, rules.pass_half_width_m if width_m is None else width_m)
    speed_mps = np.maximum(np.interp(near.time_ns, course.time_ns, course.speed_mps), MIN_SPEED_MPS)
    beside_s = (rules.pass_half_width_m if width_m is None else width_m[near.place]) / speed_mps
    window_ns = np.rint((WINDOW_SIGMAS * near.sigma_s + beside_s) * 1e9).astype(np.int64)
    areas = []
    on = None if terms is None else terms.on_pass
    for rows in _by_region(watch, near.place, near.probability, rules, on):
        first, last = rows[np.argmin(near.along_m[rows])], rows[np.argmax(near.along_m[rows])]
        region = int(watch.region[near.place[rows[0]]])
        row = _row(
            "pass",
            watch,
            near.place[rows],
            near.probability[rows],
            int((near.time_ns[rows] - window_ns[rows]).min()),
            int((near.time_ns[rows] + window_ns[rows]).max()),
        )
        areas.append(
            DraftArea(
                row,
                float((near.doubt_m if rules.tells else near.sigma_m)[rows].min()),
                _gate(near.foot_m[first], near.heading[first]),
                _gate(near.foot_m[last], near.heading[last]),
                level=None if terms is None else float(terms.probability[region]),
                half_width_m=None if terms is None else float(terms.half_width_m[region]),
            )
        )
    return areas


def _fall_areas(fall: Fall, watch: Watch, rules: WarningRules) -> list[DraftArea]:
    terms = watch.terms
    place, probability = falls_near(
        fall, watch, rules.near_m if terms is None else terms.near_m[watch.region]
    )
    window_ns = seconds(WINDOW_SIGMAS * fall.sigma_s)
    return [
        DraftArea(
            _row(
                "fall",
                watch,
                place[rows],
                probability[rows],
                fall.time_ns - window_ns,
                fall.time_ns + window_ns,
            ),
            greatest_sigma_m(fall) if rules.tells else fall.least_sigma_m,
            level=None if terms is None else float(terms.probability[watch.region[place[rows[0]]]]),
        )
        for rows in _by_region(watch, place, probability, rules, None if terms is None else terms.on_fall)
    ]


def _by_region(
    watch: Watch, place: Ints, probability: Floats, rules: WarningRules, on: NDArray[np.bool_] | None
) -> list[Ints]:
    """Per region that is to be kept, the rows of its places that count: those at or above the level it reaches.

    on: the regions that are warned of this at all, None for all of them.
    """
    region = watch.region[place]
    level: Floats | float = rules.warn_probability if watch.terms is None else watch.terms.probability[region]
    kept = probability >= level * KEEP_SHARE
    keep = np.flatnonzero(kept if on is None else kept & on[region])
    enough = probability >= level
    groups = []
    for one in np.unique(region[keep]):
        rows = keep[region[keep] == one]
        warned = rows[enough[rows]]
        groups.append(warned if len(warned) else rows)
    return groups


def _row(
    kind: Literal["pass", "fall"], watch: Watch, place: Ints, probability: Floats, from_ns: int, to_ns: int
) -> AreaRow:
    region = watch.regions[int(watch.region[place[0]])]
    largest = [
        i for i in np.lexsort((place, -watch.population[place]))[:LARGEST] if watch.names[int(place[i])][0]
    ]
    return AreaRow(
        kind=kind,
        region=region.name,
        region_ja=region.name_ja,
        region_ko=region.name_ko,
        country=region.country,
        probability=round(float(probability.max()), _DECIMALS),
        from_ns=from_ns,
        to_ns=to_ns,
        people=int(watch.people[place].sum()),
        places=[_place(watch, int(place[i]), float(probability[i])) for i in largest],
        codes=[[scheme, code] for scheme, code in region.codes] or UNSET,
    )


def _place(watch: Watch, index: int, probability: float) -> PlaceRow:
    name, name_ja, name_ko = watch.names[index]
    return PlaceRow(
        name=name,
        name_ja=name_ja,
        name_ko=name_ko,
        latitude_rad=float(watch.latitude_rad[index]),
        longitude_rad=float(watch.longitude_rad[index]),
        people=int(watch.population[index]),
        probability=round(probability, _DECIMALS),
    )


def _gate(point_m: Floats, heading: Floats) -> Gate:
    x, y, z = (float(one) for one in point_m)
    u, v, w = (float(one) for one in heading)
    return Gate((x, y, z), (u, v, w))
