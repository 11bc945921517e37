"""An agency's own areas: prefectures, warning zones, districts, with an expiry; laid out like the built-in places.

A list is immutable, has a rising version, and is on the record: in the node's first record, or in a later one that the
partner's root has signed. Every area is its polygons; points over its surface and its border stand for it beside the
populated places inside, so that an area in which nobody is listed is warned as well. After its expiry a list warns of
no new object: areas change, and a warning to towns that are no more reaches nobody.

    watch = own_watch(area_list, places, "JP", rules)
    watch.regions[0].codes                   # (('jis', '02'),)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from noroshi.geo import Area, PlaceTable, RingError, from_rings_deg
from noroshi.geo.frames import MEAN_RADIUS_M, wrap_longitude
from noroshi.messages import Scheme, canonical
from noroshi.messages.rooted import open_rooted
from noroshi.warning.rules import WarningRules
from noroshi.warning.watch import Floats, Ints, Region, Watch, lay_out, on_terms

AREAS_DOMAIN = b"noroshi area list 1\x00"

STEP_RAD = 1e-7
"""Of a stored corner: 0.6 m."""

MAX_AREAS = 5_000
"""Of one list: Japan has 1,741 municipalities."""

MAX_CORNERS = 90_000
"""Of all areas together: at 8 bytes each a signed list stays below the largest value that a node decodes, 1 MiB."""

BORDER_STEP_M = 10_000.0
GRID_STEP_M = 25_000.0
"""Between two points of a border, and of a surface: a warned strip is 100 km wide to each side."""

MAX_POINTS = 1_500
"""That stand for one area; the steps of a continent are longer."""

Code = tuple[
    Annotated[str, Meta(min_length=1, max_length=32)], Annotated[str, Meta(min_length=1, max_length=32)]
]


class Polygon(msgspec.Struct, frozen=True, array_like=True):
    """One polygon: its outer ring and its holes, each as pairs of latitude and longitude, 4 bytes, in `STEP_RAD`."""

    outer: bytes
    holes: tuple[bytes, ...] = ()


class OwnArea(msgspec.Struct, frozen=True, kw_only=True):
    """One area. country: ISO 3166 alpha-2, empty for the nation's own; people: None where the places inside tell."""

    id: str
    name: str
    polygons: tuple[Polygon, ...]
    name_ja: str = ""
    name_ko: str = ""
    country: str = ""
    codes: tuple[Code, ...] = ()
    people: Annotated[int, Meta(ge=0)] | None = None


class AreaList(msgspec.Struct, frozen=True, kw_only=True):
    """An agency's areas, good until `expires_ns`. version: rises with every list that takes another's place."""

    agency: str
    version: Annotated[int, Meta(ge=1)]
    expires_ns: int
    areas: tuple[OwnArea, ...]

    def holds(self, time_ns: int) -> bool:
        """Whether it may be used for an object that was first seen at this time."""
        return time_ns < self.expires_ns


class SignedAreas(msgspec.Struct, frozen=True, array_like=True):
    """An area list for one partner's nodes in one realm, and its root's signature over all of it."""

    payload: bytes
    signature: bytes


class _Payload(msgspec.Struct, frozen=True, kw_only=True):
    partner: str
    realm: str
    list: AreaList


_SIGNED = msgspec.msgpack.Decoder(SignedAreas)
_PAYLOAD = msgspec.msgpack.Decoder(_Payload)


def sign_areas(given: AreaList, partner: str, realm: str, scheme: Scheme, root_secret: bytes) -> bytes:
    """The bytes of a list as they are handed to nodes, signed by their partner's root."""
    payload = canonical.encode(_Payload(partner=partner, realm=realm, list=given))
    return canonical.encode(SignedAreas(payload, scheme.sign(root_secret, AREAS_DOMAIN + payload)))


def open_areas(raw: bytes, scheme: Scheme, root: bytes, *, partner: str, realm: str) -> AreaList | str:
    """The list in signed bytes, or why it is refused."""
    payload = open_rooted(raw, _SIGNED, _PAYLOAD, AREAS_DOMAIN, scheme, root)
    if isinstance(payload, str):
        return payload
    if (payload.partner, payload.realm) != (partner, realm):
        return "foreign-areas"
    return payload.list if is_usable(payload.list) and _have_surfaces(payload.list) else "unusable-areas"


def _have_surfaces(given: AreaList) -> bool:
    try:
        return all(surface_of(area).area_m2() > 0.0 for area in given.areas)
    except RingError:
        return False


def is_signed_areas(raw: bytes) -> bool:
    """Whether these bytes want to be a signed list, whoever signed them."""
    try:
        payload = msgspec.msgpack.decode(_SIGNED.decode(raw).payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return isinstance(payload, dict) and "list" in payload


def is_usable(given: AreaList) -> bool:
    """Whether every area has an id of its own and corners that are ones; what a file's reader has seen already."""
    rings = [ring for area in given.areas for one in area.polygons for ring in (one.outer, *one.holes)]
    return (
        0 < len(given.areas) <= MAX_AREAS
        and len({area.id for area in given.areas}) == len(given.areas)
        and all(area.polygons and area.id and area.name for area in given.areas)
        and all(len(ring) % 8 == 0 and len(ring) >= 24 for ring in rings)
        and sum(map(len, rings)) <= 8 * MAX_CORNERS
        and all(_are_corners(corners(ring)) for ring in rings)
    )


def _are_corners(ring: Floats) -> bool:
    return bool((np.abs(ring[:, 0]) <= np.pi / 2 + 1e-6).all() and (np.abs(ring[:, 1]) <= np.pi + 1e-6).all())


def packed(ring_rad: Floats) -> bytes:
    """An open ring (k, 2) of latitude and longitude, rad, as it is stored."""
    return np.rint(ring_rad / STEP_RAD).astype("<i4").tobytes()


def corners(ring: bytes) -> Floats:
    """The open ring (k, 2) of latitude and longitude, rad, that is stored in these bytes."""
    return np.frombuffer(ring, "<i4").reshape(-1, 2).astype(np.float64) * STEP_RAD


@dataclass(frozen=True, slots=True)
class Surface:
    """The ground that polygons with holes cover, sound across 180 degrees and at the poles."""

    parts: tuple[tuple[Area, tuple[Area, ...]], ...]

    def contains(self, lat_rad: Floats, lon_rad: Floats) -> NDArray[np.bool_]:
        """(n,) True where the point lies on it or on its outer border."""
        found = np.zeros(len(lat_rad), np.bool_)
        for outer, holes in self.parts:
            inside = outer.contains(lat_rad, lon_rad)
            for hole in holes:
                inside &= ~hole.contains(lat_rad, lon_rad)
            found |= inside
        return found

    @property
    def boxes_rad(self) -> Floats:
        """(k, 4) south, west, north, east; together they cover it."""
        return np.concatenate([outer.boxes_rad for outer, _ in self.parts])

    def area_m2(self) -> float:
        """Its size; holes taken out."""
        return sum(outer.area_m2() - sum(hole.area_m2() for hole in holes) for outer, holes in self.parts)


def surface_of(area: OwnArea) -> Surface:
    """The ground of an area. Raises RingError where a ring encloses nothing."""
    return Surface(
        tuple((_area(one.outer), tuple(_area(hole) for hole in one.holes)) for one in area.polygons)
    )


def _area(ring: bytes) -> Area:
    turned = np.degrees(corners(ring)[:, ::-1])
    return from_rings_deg([[(float(lon), float(lat)) for lon, lat in turned]])


def own_watch(given: AreaList, places: PlaceTable, nation: str, rules: WarningRules) -> Watch:
    """The areas of a list, laid out for arithmetic; nation: the country of areas that name none."""
    count_of = Counter(area.name for area in given.areas)
    lat: list[Floats] = []
    lon: list[Floats] = []
    population: list[Ints] = []
    people: list[Ints] = []
    region: list[Ints] = []
    names: list[tuple[str, str, str]] = []
    regions = []
    for number, area in enumerate(given.areas):
        surface = surface_of(area)
        rows = places.within(surface)
        points = _points(area, surface)
        count = len(rows) + len(points)
        lat += [places.latitude_rad[rows], points[:, 0]]
        lon += [places.longitude_rad[rows], points[:, 1]]
        population += [places.population[rows].astype(np.int64), np.zeros(len(points), np.int64)]
        if area.people is None:
            people += [places.people[rows].astype(np.int64), np.zeros(len(points), np.int64)]
        else:
            people.append(area.people // count + (np.arange(count) < area.people % count).astype(np.int64))
        region.append(np.full(count, number, np.int64))
        names += [(places.names[i], places.names_ja[i], places.names_ko[i]) for i in rows.tolist()]
        names += [("", "", "")] * len(points)
        name = f"{area.name} ({area.id})" if count_of[area.name] > 1 else area.name
        regions.append(Region(area.country or nation, name, area.name_ja, area.name_ko, area.id, area.codes))
    laid = lay_out(
        np.concatenate(lat), np.concatenate(lon), np.concatenate(population), np.concatenate(people),
        np.concatenate(region), tuple(regions), names,
    )  # fmt: skip
    return on_terms(laid, rules)


def _points(area: OwnArea, surface: Surface) -> Floats:
    """Points (n, 2) over an area, rad: along its borders, and a grid inside."""
    border = [_along(corners(ring)) for one in area.polygons for ring in (one.outer, *one.holes)]
    kept = np.concatenate(border)
    if len(kept) > MAX_POINTS:
        kept = kept[np.linspace(0, len(kept) - 1, MAX_POINTS).astype(np.int64)]
    step_m = max(GRID_STEP_M, float(np.sqrt(max(surface.area_m2(), 0.0) / MAX_POINTS)))
    grid = [
        _grid(south, west, north, east, step_m) for south, west, north, east in surface.boxes_rad.tolist()
    ]
    inner = np.concatenate(grid)
    return np.concatenate([kept, inner[surface.contains(inner[:, 0], inner[:, 1])]])


def _along(ring: Floats) -> Floats:
    """An open ring with points between its corners, straight on the map, none further apart than the step."""
    lat, lon = ring[:, 0], ring[:, 1]
    step_lat, step_lon = np.roll(lat, -1) - lat, wrap_longitude(np.roll(lon, -1) - lon)
    long_m = MEAN_RADIUS_M * np.hypot(step_lat, step_lon * np.cos(lat))
    pieces = np.clip(np.ceil(long_m / BORDER_STEP_M), 1, MAX_POINTS).astype(np.int64)
    edge = np.repeat(np.arange(len(ring)), pieces)
    share = (np.arange(len(edge)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[edge]
    return np.column_stack(
        (lat[edge] + share * step_lat[edge], wrap_longitude(lon[edge] + share * step_lon[edge]))
    )


def _grid(south: float, west: float, north: float, east: float, step_m: float) -> Floats:
    """Points of a box, about a step apart in both directions."""
    step = step_m / MEAN_RADIUS_M
    rows = np.arange(south + step / 2, north, step)
    found = []
    for lat in rows.tolist():
        lon = np.arange(west, east, step / max(float(np.cos(lat)), 0.05))
        found.append(np.column_stack((np.full(len(lon), lat), lon)))
    return np.concatenate(found) if found else np.zeros((0, 2))
