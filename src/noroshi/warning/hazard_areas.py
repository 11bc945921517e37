"""Which of our areas lie under another agency's hazard: by its polygons, its circles, and its geocodes.

An own area lies under a polygon or a circle that meets its ground, a built-in region when one of its places lies
inside; a polygon that holds none of our places, such as a strip of sea, stands for the place nearest to it within
`NEAR_M`. A geocode stands for the areas that carry it: (scheme, code) is its name and value.

    found = under(facts.infos, watch, area_list, now_ns)
    [area.region for area in found.areas], found.rings
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from noroshi.gateways.hazard_facts import HazardArea, HazardInfo, circle_ring
from noroshi.geo import Area, RingError, TangledError, from_rings_deg, hull_of_ring_deg
from noroshi.geo.areas import intersection
from noroshi.geo.frames import geodetic_to_ecef
from noroshi.geo.geodesic import distance_m
from noroshi.messages.bodies import AreaRow, PlaceRow, Ring
from noroshi.warning.area_list import AreaList, OwnArea, Surface, corners, surface_of
from noroshi.warning.draft import LARGEST
from noroshi.warning.watch import Region, Watch

NEAR_M = 25_000.0
"""How far a polygon that holds none of our places may be from the place that it stands for: a strip of sea at a
coast.
"""

OWN_SCHEME = "noroshi:region"
"""The scheme of the codes that our own files give to every region: `JP/Aomori`."""

MOST_CORNERS = 2_000
"""Corners of outlines that one alert carries; with more it names its areas and draws none."""

MOST_OUTLINES = 1_000
"""Polygons and circles of one message that are laid over our areas: real ones have some hundred counties."""

CORNERS_ASKED = 64
"""Of an outline that holds no place: from so many of its corners the nearest is looked for."""

SHARPEST_M = 6_335_000.0
"""Less than the radius of the Earth's sharpest bend, m: a way along the ground is no longer than on such a ball."""

FAR_SHARE = 0.99
"""Of the way through that ball: beyond, both ways round are nearly as long, and the bound says nothing."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class UnderHazard:
    """What of ours lies under a hazard: areas as an alert names them, and the hazard's outlines, rad.

    is_cut: there were more outlines than are looked at.
    """

    areas: tuple[AreaRow, ...]
    rings: list[Ring]
    is_cut: bool = False


@dataclass(slots=True)
class _Part:
    """One region under a hazard so far: its places inside, and from when to when."""

    places: Mask
    from_ns: int
    to_ns: int


@dataclass(slots=True)
class _Found:
    parts: dict[int, _Part] = field(default_factory=dict)

    def add(self, region: int, places: Mask, from_ns: int, to_ns: int) -> None:
        known = self.parts.get(region)
        if known is None:
            self.parts[region] = _Part(places, from_ns, to_ns)
        else:
            known.places = known.places | places
            known.from_ns, known.to_ns = min(known.from_ns, from_ns), max(known.to_ns, to_ns)


def under(
    infos: Iterable[HazardInfo],
    watch: Watch,
    own: AreaList | None,
    now_ns: int,
    *,
    until_ns: int,
    patterns: Sequence[str] = ("*",),
) -> UnderHazard:
    """Our areas under the texts of a hazard, earliest first, each from the onset until the text runs out.

    own: the list from which the watch's regions were made, in its order; None where they are the built-in ones.
    until_ns: when a text ends that does not say it; what is over is left out. patterns: of the areas that are meant at
    all.
    """
    ground, found = _Ground(watch, own), _Found()
    allowed = {i for i, one in enumerate(watch.regions) if any(map(one.matches, patterns))}
    for info in infos:
        from_ns = info.onset_ns or info.effective_ns or now_ns
        to_ns = info.expires_ns or until_ns
        if to_ns <= now_ns:
            continue
        for area in info.areas:
            for region, places in ground.under(area).items():
                if region in allowed:
                    found.add(region, places, min(from_ns, to_ns), to_ns)
    rows = [_row(watch, region, part) for region, part in found.parts.items()]
    drawn = _closed(ground.drawn)
    fits = sum(map(len, drawn)) <= MOST_CORNERS
    ordered = tuple(sorted(rows, key=lambda row: (row.from_ns, row.region)))
    return UnderHazard(ordered, drawn if fits else [], ground.is_cut)


def by_geocode(area: HazardArea, own: AreaList | None) -> tuple[OwnArea, ...]:
    """The own areas that carry one of the geocodes of an area that has no outline; none where it has one."""
    if own is None or area.rings or area.circles or not area.codes:
        return ()
    codes = frozenset(area.codes)
    return tuple(one for one in own.areas if any(f"{scheme}={code}" in codes for scheme, code in one.codes))


def outlines(area: OwnArea) -> list[Ring]:
    """The outer rings of an own area, closed, rad."""
    found = []
    for one in area.polygons:
        ring = corners(one.outer).tolist()
        found.append([*ring, ring[0]])
    return found


class _Ground:
    """Our ground as a hazard's outlines are laid over it, each once: a message repeats them in each of its languages."""

    def __init__(self, watch: Watch, own: AreaList | None) -> None:
        self._watch, self._own = watch, own
        self._known: dict[object, tuple[Mask, frozenset[int]]] = {}
        self._surfaces: dict[int, Surface] = {}
        self._boxes = _boxes(own.areas) if own is not None else np.zeros((0, 4))
        self.drawn: list[Ring] = []
        self.is_cut = False

    def under(self, area: HazardArea) -> dict[int, Mask]:
        """The regions under one area of a hazard, each with its places inside."""
        region_of = self._watch.region
        found = {i: region_of == i for i in _coded(frozenset(area.codes), self._watch.regions)}
        inside, met = np.zeros(len(self._watch), np.bool_), set[int]()
        outlines = [
            *((id(ring), ring, None) for ring in area.rings),
            *((one, [], one) for one in area.circles),
        ]
        for key, ring, circle in outlines:
            held, regions = self._outline(key, ring, circle)
            inside |= held
            met |= regions
        for region in {*met, *np.unique(region_of[inside]).tolist()}:
            mine = inside & (region_of == region)
            found[region] = found[region] | mine if region in found else mine
        return found

    def _outline(
        self, key: object, ring: Ring, circle: tuple[float, float, float] | None
    ) -> tuple[Mask, frozenset[int]]:
        if key not in self._known:
            if len(self._known) >= MOST_OUTLINES:
                self.is_cut = True
                return np.zeros(len(self._watch), np.bool_), frozenset()
            self._known[key] = self._laid(ring, circle)
        return self._known[key]

    def _laid(self, ring: Ring, circle: tuple[float, float, float] | None) -> tuple[Mask, frozenset[int]]:
        """The places inside an outline, and the own areas that it meets."""
        watch = self._watch
        outline = ring if circle is None else circle_ring(*circle)
        shape = _shape(outline) if outline and (circle is None or self._own is not None) else None
        if outline:
            self.drawn.append(outline)
        if circle is not None:
            held = _within(watch, *circle)
        elif shape is None:
            return np.zeros(len(watch), np.bool_), frozenset()
        else:
            held = shape.contains(watch.latitude_rad, watch.longitude_rad)
        if self._own is not None:
            return held, self._meeting(shape) if shape is not None else frozenset()
        return held if held.any() or not outline else _nearest(
            watch, np.array(outline, np.float64)
        ), frozenset()

    def _meeting(self, shape: Area) -> frozenset[int]:
        """The own areas whose ground a shape meets. Boxes settle most; one across 180 degrees is looked at always."""
        assert self._own is not None  # asked of own areas only
        south, west, north, east = self._boxes.T
        near = east - west > np.pi
        for one in shape.boxes_rad:
            near |= (one[0] <= north) & (one[2] >= south) & (one[1] <= east) & (one[3] >= west)
        found = []
        for number in np.flatnonzero(near).tolist():
            if number not in self._surfaces:
                self._surfaces[number] = surface_of(self._own.areas[number])
            if _meets(shape, self._surfaces[number]):
                found.append(number)
        return frozenset(found)


def _coded(codes: Collection[str], regions: Sequence[Region]) -> list[int]:
    """The regions that carry one of these codes, by their agency's or by our own."""
    return [
        i for i, one in enumerate(regions)
        if f"{OWN_SCHEME}={one.country}/{one.name}" in codes
        or any(f"{scheme}={code}" in codes for scheme, code in one.codes)
    ]  # fmt: skip


def _shape(ring: Ring) -> Area | None:
    """A polygon's ground; None where it encloses nothing. A knot stands for all that lies between its corners: rather
    more are told than fewer, and it costs no time.
    """
    turned = np.degrees(np.array(ring, np.float64))[:, ::-1]
    corners_deg = [(float(lon), float(lat)) for lon, lat in turned]
    try:
        try:
            return from_rings_deg([corners_deg])
        except TangledError:
            return hull_of_ring_deg(corners_deg)
    except RingError:
        return None


def _boxes(areas: Sequence[OwnArea]) -> NDArray[np.float64]:
    """(n, 4) south, west, north, east of each area."""
    points = [np.concatenate([corners(one.outer) for one in area.polygons]) for area in areas]
    return np.array([(*one.min(axis=0), *one.max(axis=0)) for one in points]).reshape(-1, 4)


def _meets(shape: Area, surface: Surface) -> bool:
    for outer, holes in surface.parts:
        ground_m2 = intersection(outer, shape).area_m2()
        if ground_m2 > sum(intersection(hole, shape).area_m2() for hole in holes):
            return True
    return False


def _within(watch: Watch, latitude_rad: float, longitude_rad: float, radius_m: float) -> Mask:
    """The places within a circle. The straight way settles it for all but those near its border: a message may have
    a thousand circles.
    """
    centre_m = geodetic_to_ecef(np.array([latitude_rad]), np.array([longitude_rad]))
    straight_m = np.linalg.norm(watch.point_m - centre_m, axis=1)
    share = straight_m / (2.0 * SHARPEST_M)
    longest_m = 2.0 * SHARPEST_M * np.arcsin(np.minimum(share, 1.0))
    held = (longest_m <= radius_m) & (share < FAR_SHARE)
    unsure = np.flatnonzero((straight_m <= radius_m) & ~held)
    away_m = distance_m(latitude_rad, longitude_rad, watch.latitude_rad[unsure], watch.longitude_rad[unsure])
    held[unsure] = away_m <= radius_m
    return np.asarray(held, np.bool_)


def _nearest(watch: Watch, ring: NDArray[np.float64]) -> Mask:
    """The place nearest to any corner of a ring, where it is near at all."""
    found = np.zeros(len(watch), np.bool_)
    some = ring[:: -(-len(ring) // CORNERS_ASKED)]
    corner_m = geodetic_to_ecef(some[:, 0], some[:, 1])
    near = watch.near(corner_m, np.full(len(corner_m), NEAR_M))
    if len(near):
        away_m = np.linalg.norm(watch.point_m[near][:, None, :] - corner_m[None, :, :], axis=2).min(axis=1)
        nearest = int(np.argmin(away_m))
        found[near[nearest]] = away_m[nearest] <= NEAR_M
    return found


def _row(watch: Watch, number: int, part: _Part) -> AreaRow:
    region = watch.regions[number]
    inside = np.flatnonzero(part.places)
    ordered = inside[np.lexsort((inside, -watch.population[inside]))]
    largest = [i for i in ordered.tolist()[:LARGEST] if watch.names[i][0]]
    return AreaRow(
        kind="hazard",
        region=region.name,
        region_ja=region.name_ja,
        region_ko=region.name_ko,
        country=region.country,
        probability=0.0,
        from_ns=part.from_ns,
        to_ns=part.to_ns,
        people=int(watch.people[inside].sum()),
        places=[_place(watch, i) for i in largest],
        codes=[[scheme, code] for scheme, code in region.codes] or UNSET,
    )


def _place(watch: Watch, index: int) -> PlaceRow:
    name, name_ja, name_ko = watch.names[index]
    return PlaceRow(
        name=name,
        name_ja=name_ja,
        name_ko=name_ko,
        latitude_rad=float(watch.latitude_rad[index]),
        longitude_rad=float(watch.longitude_rad[index]),
        people=int(watch.population[index]),
        probability=0.0,
    )


def _closed(rings: Iterable[Ring]) -> list[Ring]:
    """Rings that can be drawn: closed, of three corners at least, and not across 180 degrees."""
    found = []
    for ring in rings:
        whole = ring if ring[0] == ring[-1] else [*ring, ring[0]]
        jumps = any(abs(a[1] - b[1]) > np.pi for a, b in pairwise(whole))
        if len(whole) >= 4 and not jumps:
            found.append(whole)
    return found
