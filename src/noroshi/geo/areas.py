"""Areas on the Earth: corridors, ellipses, circles and rings, sound across +-180 degrees and at the poles.

Rules: an `Area` is one or more closed rings, each within +-180 degrees of longitude, none inside another. One
that crosses the antimeridian is cut there, and one that holds a pole is closed along the pole's edge of the
map, so that every ring can be drawn and tested as a plain polygon in longitude and latitude. Holes are
filled: a warning area that says too much is better than one with a gap. The border belongs to the area. An
area without rings is empty.

    area = corridor(lat_rad, lon_rad, half_width_m)
    area.contains(place_lat_rad, place_lon_rad)        # (n,) of bool
    area.to_rings_deg()                                # [[(lon, lat), ...], ...] for the map and for CAP

Built borders lie within 0.3 % of the half-width or radius from the true ones. Sources: geodesics as in
`noroshi.geo.geodesic`; the probability ellipse from the chi-square distribution with two degrees of freedom
(Y. Bar-Shalom et al., "Estimation with Applications to Tracking and Navigation", section 2.4); rings by
RFC 7946, sections 3.1.6 and 3.1.9.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry.base import BaseGeometry

from noroshi.errors import LocalError, OperatorError
from noroshi.geo.frames import ECCENTRICITY_SQ, SEMI_MAJOR_M, unit_vectors, wrap_longitude
from noroshi.geo.geodesic import cut_long, destination, inverse

Floats = NDArray[np.float64]
RingDeg = list[tuple[float, float]]

MAX_REACH_M = 9_900_000.0
"""From the centre of a shape to its border: under a quarter turn no shape holds both poles."""

_MAX_EDGE_M = 100_000.0
"""A straight edge on the map this long is 0.7 km off the geodesic at 60 degrees of latitude."""
_MAX_LONGITUDE_STEP = np.radians(2.0)
_LEAST_EDGE = 1e-6
"""Radians, 6 m: edges beside the pole are not cut finer."""
_POLE_GAP = 1e-9
"""Radians, 6 mm: vertices are held off the pole, where longitude has no meaning."""
_SEGMENT_M = 90_000.0
"""A corridor is laid in pieces of at most this length, each in a plane of its own."""
_STRIPS = 720
_STRIP_MARGIN = 1e-9
"""Radians: what turning degrees into radians and back may cost a point on the border."""
_DISC = 48
_CIRCLE = 128

MAX_CROSSINGS = 16
"""Places where the outline of somebody else may meet itself: slips of a hand are one or two, and a knot of some hundred
corners, which has ten thousand, takes a minute to be made whole.
"""

_MAX_TURN_DEG = 720.0
"""From the west to the east of an outline: what goes round the Earth more than once encloses nothing that is meant."""

_EDGES_ASKED = 16
"""Edges whose meetings are looked for at once: a knot shows in the first of them."""


class AreaError(LocalError):
    """A shape that cannot be built: columns of the wrong form, or sizes that are not positive."""


class RingError(OperatorError):
    """Rings handed in by a person or a file that enclose no area."""


class TangledError(RingError):
    """A ring that crosses itself again and again."""


@dataclass(frozen=True, eq=False)
class Area:
    """One or more closed rings; each (k, 2) latitude, longitude in radians, first row repeated as the last.

    Longitudes are within [-pi, pi], the interior is on the left (anticlockwise on the map). Areas are made
    by the functions of this module, which keep these rules.
    """

    rings: tuple[Floats, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True when it holds no point."""
        return not self.rings

    @cached_property
    def _planar(self) -> BaseGeometry:
        """The area on the map, longitude and latitude in degrees, prepared for many tests."""
        shape = shapely.MultiPolygon([shapely.polygons(np.degrees(ring[:, ::-1])) for ring in self.rings])
        shapely.prepare(shape)
        return shape

    @cached_property
    def boxes_rad(self) -> Floats:
        """(k, 4) south, west, north, east of each ring."""
        boxes = [(*ring.min(axis=0), *ring.max(axis=0)) for ring in self.rings]
        return np.array(boxes, dtype=np.float64).reshape(-1, 4)

    @cached_property
    def _strips(self) -> tuple[Floats, Floats]:
        """Least and greatest latitude of the area in each of _STRIPS equal strips of longitude.

        No latitude of a strip goes beyond those of the edges that touch it, so a look-up settles most points.
        """
        low, high = np.full(_STRIPS, np.inf), np.full(_STRIPS, -np.inf)
        for ring in self.rings:
            strip = _strip(ring[:, 1])
            first, last = np.minimum(strip[:-1], strip[1:]), np.maximum(strip[:-1], strip[1:])
            count = last - first + 1
            edge = np.repeat(np.arange(len(count)), count)
            touched = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
            np.minimum.at(low, touched, np.minimum(ring[:-1, 0], ring[1:, 0])[edge])
            np.maximum.at(high, touched, np.maximum(ring[:-1, 0], ring[1:, 0])[edge])
        return low - _STRIP_MARGIN, high + _STRIP_MARGIN

    def contains(self, lat_rad: ArrayLike, lon_rad: ArrayLike) -> NDArray[np.bool_]:
        """(n,) True where the point lies in the area or on its border; longitudes may have any turn."""
        lat = np.atleast_1d(np.asarray(lat_rad, dtype=np.float64))
        lon = wrap_longitude(np.atleast_1d(np.asarray(lon_rad, dtype=np.float64)))
        found = np.zeros(lat.shape, dtype=bool)
        if self.is_empty:
            return found
        low, high = self._strips
        strip = _strip(lon)
        # The antimeridian is the western edge of the map (strip 0) and its eastern one.
        rows = np.flatnonzero(((lat >= low[strip]) & (lat <= high[strip])) | (strip == 0))
        lon_deg, lat_deg = np.degrees(lon[rows]), np.degrees(lat[rows])
        found[rows] = shapely.intersects_xy(self._planar, lon_deg, lat_deg)
        seam = lon_deg <= -180.0
        found[rows[seam]] |= shapely.intersects_xy(self._planar, 180.0, lat_deg[seam])
        return found

    def to_rings_deg(self, *, digits: int = 5, tolerance_deg: float = 0.0) -> list[RingDeg]:
        """Closed rings of (longitude, latitude) in degrees, longitude first as in GeoJSON, anticlockwise.

        Each ring lies within +-180; an area across the antimeridian has rings on both sides of it. CAP wants latitude
        first: turn each pair. `tolerance_deg` thins the vertices out, keeping the border within it.
        """
        shape = self._planar
        if tolerance_deg > 0.0:
            shape = shapely.simplify(shape, tolerance_deg, preserve_topology=True)
        rounded = (np.round(ring, digits) + 0.0 for ring in _outlines(shape))
        return [[(float(lon), float(lat)) for lon, lat in ring] for ring in rounded]

    def area_m2(self) -> float:
        """Surface on the ellipsoid; good to 0.1 %, exact in latitude bands.

        Line integral of the authalic latitude around each ring. Source: J. P. Snyder, "Map Projections: A Working
        Manual", USGS Professional Paper 1395, equations 3-11 to 3-13 and 10-1.
        """
        return sum(_ring_area_m2(ring) for ring in self.rings)


def circle(lat_rad: float, lon_rad: float, radius_m: float) -> Area:
    """Points at most `radius_m` from the centre along the ellipsoid. Raises AreaError outside (0, MAX_REACH_M]."""
    _check_sizes("draw the circle", np.array([radius_m]))
    azimuth = np.linspace(0.0, 2.0 * np.pi, _CIRCLE, endpoint=False)
    return _from_outlines(
        [_around(lat_rad, lon_rad, azimuth, np.full(_CIRCLE, radius_m))], [(lat_rad, lon_rad)]
    )


def ellipse(lat_rad: float, lon_rad: float, covariance_m2: ArrayLike, probability: float) -> Area:
    """The ellipse that holds `probability` of a normal distribution around the centre.

    covariance_m2: (2, 2), east and north at the centre. Raises AreaError when it is not symmetric and
    positive definite, when the probability is not within (0, 1), or beyond MAX_REACH_M.
    """
    covariance = np.asarray(covariance_m2, dtype=np.float64)
    if covariance.shape != (2, 2) or not np.allclose(covariance, covariance.T, rtol=1e-6):
        raise AreaError("draw the ellipse", cause="the covariance is not a symmetric 2 x 2 matrix")
    if not 0.0 < probability < 1.0:
        raise AreaError("draw the ellipse", cause=f"probability {probability} is not between 0 and 1")
    variances, axes = np.linalg.eigh((covariance + covariance.T) / 2.0)
    if not variances[0] > 0.0:
        raise AreaError("draw the ellipse", cause="the covariance is not positive definite")
    reach = np.sqrt(variances * -2.0 * np.log1p(-probability))
    _check_sizes("draw the ellipse", reach)
    turn = np.linspace(0.0, 2.0 * np.pi, _CIRCLE, endpoint=False)
    east, north = axes @ (reach[:, None] * np.stack((np.cos(turn), np.sin(turn))))
    outline = _around(lat_rad, lon_rad, np.arctan2(east, north), np.hypot(east, north))
    return _from_outlines([outline], [(lat_rad, lon_rad)])


def corridor(lat_rad: ArrayLike, lon_rad: ArrayLike, half_width_m: ArrayLike) -> Area:
    """Points within the half-width of a polyline, (m,) vertices joined by geodesics; the ends are round.

    half_width_m: one per vertex, or one for all; between vertices it changes evenly. One vertex gives a
    disc. Raises AreaError for no vertex, differing lengths, or half-widths outside (0, MAX_REACH_M].
    """
    lat = np.atleast_1d(np.asarray(lat_rad, dtype=np.float64))
    lon = np.atleast_1d(np.asarray(lon_rad, dtype=np.float64))
    if lat.shape != lon.shape or lat.ndim != 1 or not len(lat):
        raise AreaError("draw the corridor", cause="latitudes and longitudes are not columns of one length")
    try:
        width = np.array(np.broadcast_to(np.asarray(half_width_m, dtype=np.float64), lat.shape))
    except ValueError as error:
        raise AreaError("draw the corridor", cause=f"half-widths do not fit {len(lat)} vertices") from error
    _check_sizes("draw the corridor", width)
    if len(lat) == 1:
        return circle(float(lat[0]), float(lon[0]), float(width[0]))
    cut_lat, cut_lon, segment, share = cut_long(lat, lon, _SEGMENT_M)
    cut_width = width[segment] + share * (width[segment + 1] - width[segment])
    return _from_outlines(*_capsules(cut_lat, cut_lon, cut_width))


def from_rings_deg(rings: Iterable[Sequence[tuple[float, float]]]) -> Area:
    """The area of rings of (longitude, latitude) in degrees, as `to_rings_deg` gives them; open or closed.

    Edges are straight on the map (RFC 7946, section 3.1.1). Where longitude jumps by more than half a turn the
    ring is taken to cross the antimeridian; a ring that so goes around a pole holds the pole on whose side its
    mean latitude lies. Raises RingError for rings of under three points, off the globe, or without surface, and
    TangledError for one that crosses itself in more than `MAX_CROSSINGS` places.
    """
    pieces: list[BaseGeometry] = []
    for number, ring in enumerate(rings):
        points = np.asarray(ring, dtype=np.float64)
        subject = f"ring {number}"
        if points.ndim != 2 or points.shape[1:] != (2,) or len(points) < 3:
            raise RingError(
                "use the area", subject=subject, cause="it is not a list of at least three (lon, lat) pairs"
            )
        if not np.isfinite(points).all() or np.abs(points[:, 1]).max() > 90.0:
            raise RingError("use the area", subject=subject, cause="a latitude is not within +-90 degrees")
        if np.array_equal(points[0], points[-1]):
            points = points[:-1]
        if _is_tangled(points):
            raise TangledError("use the area", subject=subject, cause="its outline is a knot")
        jumps = np.abs(np.diff(points[:, 0], append=points[0, 0])) > 180.0
        at_pole = np.abs(points[:, 1]) == 90.0
        if (jumps & ~(at_pole & np.roll(at_pole, -1))).any() or np.abs(points[:, 0]).max() > 180.0:
            mean_lat = float(points[:, 1].mean())
            pieces += _on_map(points, north_inside=mean_lat >= 0.0)
        else:
            pieces.append(shapely.polygons(points))
    area = _joined(pieces)
    if area.is_empty:
        raise RingError("use the area", cause="its rings enclose no surface")
    return area


def hull_of_ring_deg(ring: Sequence[tuple[float, float]]) -> Area:
    """The smallest convex area on the map that holds a ring of (longitude, latitude) in degrees, however tangled.

    Raises RingError where it has no surface, or goes round the Earth.
    """
    points = np.asarray(ring, dtype=np.float64)
    unrolled = np.column_stack((np.unwrap(points[:, 0], period=360.0), points[:, 1]))
    hull = shapely.get_coordinates(shapely.convex_hull(shapely.multipoints(unrolled)))
    if np.ptp(unrolled[:, 0]) >= 360.0:
        raise RingError("use the area", cause="its ring goes round the Earth")
    return from_rings_deg([[(float(lon), float(lat)) for lon, lat in hull]])


def union(areas: Iterable[Area]) -> Area:
    """All points that lie in any of the areas."""
    return _joined([area._planar for area in areas if not area.is_empty])


def intersection(one: Area, other: Area) -> Area:
    """All points that lie in both; empty when they only touch."""
    if one.is_empty or other.is_empty:
        return Area()
    return _joined([shapely.intersection(one._planar, other._planar)])


def _check_sizes(operation: str, sizes_m: Floats) -> None:
    if not (np.isfinite(sizes_m).all() and (sizes_m > 0.0).all() and (sizes_m <= MAX_REACH_M).all()):
        raise AreaError(operation, cause=f"a size is not between 0 and {MAX_REACH_M / 1000:.0f} km")


def _around(lat: float, lon: float, azimuth: Floats, away_m: Floats) -> Floats:
    """Outline (k, 2) latitude, longitude at the given azimuths and distances of one point."""
    return np.column_stack(
        destination(np.full(len(azimuth), lat), np.full(len(azimuth), lon), azimuth, away_m)
    )


def _capsules(lat: Floats, lon: Floats, width: Floats) -> tuple[list[Floats], list[tuple[float, float]]]:
    """Outline and middle of the hull of the discs at both ends of each segment, in the plane of its middle."""
    away_m, azimuth, _ = inverse(lat[:-1], lon[:-1], lat[1:], lon[1:])
    mid_lat, mid_lon = destination(lat[:-1], lon[:-1], azimuth, away_m / 2.0)
    turn = np.linspace(0.0, 2.0 * np.pi, _DISC, endpoint=False)
    # Vertices on a circle drawn around the true one, so that no point of the disc is left out.
    disc = np.column_stack((np.sin(turn), np.cos(turn))) / np.cos(np.pi / _DISC)
    ends = []
    for end_lat, end_lon, reach in ((lat[:-1], lon[:-1], width[:-1]), (lat[1:], lon[1:], width[1:])):
        length, bearing, _ = inverse(mid_lat, mid_lon, end_lat, end_lon)
        centre = np.column_stack((length * np.sin(bearing), length * np.cos(bearing)))
        ends.append(centre[:, None, :] + reach[:, None, None] * disc)
    hulls = shapely.convex_hull(shapely.linestrings(np.concatenate(ends, axis=1)))
    points, piece = shapely.get_coordinates(hulls, return_index=True)
    reach_lat, reach_lon = destination(
        mid_lat[piece],
        mid_lon[piece],
        np.arctan2(points[:, 0], points[:, 1]),
        np.hypot(points[:, 0], points[:, 1]),
    )
    outlines = np.split(np.column_stack((reach_lat, reach_lon)), np.flatnonzero(np.diff(piece)) + 1)
    middles = [(float(a), float(b)) for a, b in zip(mid_lat, mid_lon, strict=True)]
    return [outline[:-1] for outline in outlines], middles


def _from_outlines(outlines: list[Floats], insides: list[tuple[float, float]]) -> Area:
    """The union of outlines (k, 2) of latitude, longitude, open, each with a point inside it."""
    plain = _plain(outlines)
    sizes = [len(outline) for outline, easy in zip(outlines, plain, strict=True) if easy]
    pieces: list[BaseGeometry] = []
    if sizes:
        vertices = np.degrees(np.concatenate([o for o, easy in zip(outlines, plain, strict=True) if easy]))
        rings = shapely.linearrings(vertices[:, ::-1], indices=np.repeat(np.arange(len(sizes)), sizes))
        pieces += list(shapely.polygons(rings))
    for outline, inside, easy in zip(outlines, insides, plain, strict=True):
        if not easy:
            dense = _dense(outline)
            pieces += _on_map(np.degrees(dense[:, ::-1]), north_inside=_north_inside(dense, *inside))
    return _joined(pieces)


def _plain(outlines: list[Floats]) -> NDArray[np.bool_]:
    """Which outlines are plain polygons on the map as they are: short edges, no pole, no antimeridian.

    Tells them apart in one pass, since a corridor has many pieces and few of them need more.
    """
    sizes = np.array([len(outline) for outline in outlines])
    starts = np.cumsum(sizes) - sizes
    points = np.concatenate(outlines)
    following = np.arange(1, len(points) + 1)
    following[starts + sizes - 1] = starts
    north, east = np.abs((points[following] - points).T)
    short = np.hypot(north, east * np.cos(points[:, 0])) < _MAX_EDGE_M / SEMI_MAJOR_M
    return np.asarray(np.logical_and.reduceat(short & (east < _MAX_LONGITUDE_STEP), starts))


def _north_inside(outline: Floats, lat: float, lon: float) -> bool:
    """Whether the inside point lies north of the outline; asked of outlines around a pole only."""
    offset = wrap_longitude(outline[:, 1] - lon)
    return bool(lat > outline[np.argmin(np.abs(offset)), 0])


def _dense(outline: Floats) -> Floats:
    """The open outline with great-circle points added until its edges are straight on the map."""
    points = unit_vectors(outline[:, 0], outline[:, 1])
    for _ in range(24):
        lat, lon = _latitude_longitude(points)
        following = np.roll(points, -1, axis=0)
        chord = np.linalg.norm(following - points, axis=1)
        turn = np.abs(wrap_longitude(np.roll(lon, -1) - lon))
        wide = (chord > _MAX_EDGE_M / SEMI_MAJOR_M) | ((turn > _MAX_LONGITUDE_STEP) & (chord > _LEAST_EDGE))
        if not wide.any():
            break
        middles = points[wide] + following[wide]
        middles /= np.linalg.norm(middles, axis=1, keepdims=True)
        points = np.insert(points, np.flatnonzero(wide) + 1, middles, axis=0)
    limit = np.pi / 2.0 - _POLE_GAP
    return np.column_stack((np.clip(lat, -limit, limit), lon))


def _latitude_longitude(points: Floats) -> tuple[Floats, Floats]:
    return np.arctan2(points[:, 2], np.hypot(points[:, 0], points[:, 1])), np.arctan2(
        points[:, 1], points[:, 0]
    )


def _on_map(ring_deg: Floats, *, north_inside: bool) -> list[BaseGeometry]:
    """An open ring (k, 2) of longitude, latitude in degrees, cut into polygons within +-180.

    `north_inside` decides, for a ring around a pole, which of the two caps it encloses.
    """
    lon, lat = ring_deg[:, 0], ring_deg[:, 1]
    turns = np.diff(lon, append=lon[0])
    turns -= 360.0 * np.round(turns / 360.0)
    unrolled = lon[0] + np.concatenate(([0.0], np.cumsum(turns)))
    turned = 360.0 * np.round((unrolled[-1] - unrolled[0]) / 360.0)
    points = np.column_stack((unrolled, np.append(lat, lat[0])))
    if turned:
        # Two rounds along the cap's border, of which one window of 360 degrees is kept: no seam where it began.
        points = np.concatenate((points, points[1:] + (turned, 0.0)))
        pole = 90.0 if north_inside else -90.0
        points = np.concatenate((points, [(points[-1, 0], pole), (points[0, 0], pole), points[0]]))
    else:
        points[-1] = points[0]
    shape = _whole(shapely.polygons(points))
    west, east = points[:, 0].min(), points[:, 0].max()
    if west >= -180.0 and east <= 180.0:
        return [shape]
    if turned:
        first = last = int(np.ceil((west + 180.0) / 360.0))
    else:
        first, last = int(np.floor((west + 180.0) / 360.0)), int(np.ceil((east - 180.0) / 360.0))
    return [_window(shape, turn) for turn in range(first, last + 1)]


def _is_tangled(points: Floats) -> bool:
    """Whether an open ring of longitude, latitude in degrees crosses itself too often to be made whole in time."""
    plane = np.column_stack((np.unwrap(points[:, 0], period=360.0), points[:, 1]))
    if np.ptp(plane[:, 0]) > _MAX_TURN_DEG:
        return True
    plane = plane[(plane != np.roll(plane, 1, axis=0)).any(axis=1)]
    turned = 360.0 * np.round((plane[-1, 0] - plane[0, 0]) / 360.0) if len(plane) else 0.0
    if len(plane) <= 3 or (not turned and shapely.is_valid(shapely.polygons(plane))):
        return False
    following = np.concatenate((plane[1:], plane[:1] + (turned, 0.0)))
    edges = shapely.linestrings(np.stack((plane, following), axis=1))
    tree, met = shapely.STRtree(edges), 0
    for start in range(0, len(edges), _EDGES_ASKED):
        some = edges[start : start + _EDGES_ASKED]
        others = 3 * len(some)  # each meets itself, and one at each end
        met += tree.query(some, predicate="intersects").shape[1] - others
        if met > 2 * MAX_CROSSINGS:
            return True
    return False


def _window(shape: BaseGeometry, turn: int) -> BaseGeometry:
    """What the shape has within 180 degrees of `turn` times 360, moved to within +-180."""
    kept = shapely.intersection(shape, shapely.box(360.0 * turn - 180.0, -90.0, 360.0 * turn + 180.0, 90.0))
    return shapely.transform(kept, lambda xy: xy - (360.0 * turn, 0.0))


def _whole(shape: BaseGeometry) -> BaseGeometry:
    """The shape itself, or, where its outline crosses itself, the surface that it encloses."""
    return (
        shape
        if shapely.is_valid(shape)
        else shapely.make_valid(shape, method="structure", keep_collapsed=False)
    )


def _joined(pieces: list[BaseGeometry]) -> Area:
    """The union of planar pieces in degrees, holes filled."""
    shapes = np.array(pieces, dtype=object)
    crossed = ~shapely.is_valid(shapes)
    shapes[crossed] = [_whole(shape) for shape in shapes[crossed]]
    joined = shapely.union_all(shapes)
    return Area(tuple(np.radians(ring[:, ::-1]) for ring in _outlines(joined)))


def _outlines(shape: BaseGeometry) -> list[Floats]:
    """Closed outer rings (k, 2) of longitude, latitude, anticlockwise, in an order that does not vary."""
    filled = [
        shapely.polygons(shapely.get_exterior_ring(part))
        for part in shapely.get_parts(shape)
        if shapely.get_type_id(part) == shapely.GeometryType.POLYGON and shapely.area(part) > 0.0
    ]
    parts = shapely.get_parts(shapely.normalize(shapely.union_all(filled)))
    # `normalize` turns outer rings clockwise and sorts them.
    return [shapely.get_coordinates(part)[::-1] for part in parts]


def _strip(lon_rad: Floats) -> NDArray[np.intp]:
    return np.clip((lon_rad + np.pi) * (_STRIPS / (2.0 * np.pi)), 0, _STRIPS - 1).astype(np.intp)


def _ring_area_m2(ring: Floats) -> float:
    """Surface enclosed by a ring of latitude, longitude whose edges are straight on the map."""
    authalic, longitude = _authalic(ring[:, 0]), ring[:, 1]
    middle = (authalic[1:] + authalic[:-1]) / 2.0
    half = (authalic[1:] - authalic[:-1]) / 2.0
    # The mean of the sine over an edge: sin(middle) * sin(half) / half.
    mean_sine = np.sin(middle) * np.sinc(half / np.pi)
    around = float(np.sum(mean_sine * np.diff(longitude)))
    return abs(around) * SEMI_MAJOR_M**2 * _authalic_scale(1.0) / 2.0


def _authalic(lat_rad: Floats) -> Floats:
    sine = np.sin(lat_rad)
    ratio = (1.0 - ECCENTRICITY_SQ) * _authalic_sum(sine) / _authalic_scale(1.0)
    return np.arcsin(np.clip(ratio, -1.0, 1.0))


def _authalic_sum(sine: Floats) -> Floats:
    eccentricity = np.sqrt(ECCENTRICITY_SQ)
    total: Floats = sine / (1.0 - ECCENTRICITY_SQ * sine**2) + np.arctanh(eccentricity * sine) / eccentricity
    return total


def _authalic_scale(sine: float) -> float:
    """The quantity q of Snyder 3-12; at the pole for sine 1."""
    return float((1.0 - ECCENTRICITY_SQ) * _authalic_sum(np.array([sine]))[0])
