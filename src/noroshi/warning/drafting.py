"""A prediction made into a draft: its areas, and the shapes that are drawn and sent with them.

The corridor's border is where the probability of passing within the half-width falls to `warn_probability`: it lies
the half-width and k sigmas beside the track, k being the quantile of that probability. So it is what is warned, and
not a picture beside it.

    draft = draft_of(course, fall, watch_over(places, ("JP",)), rules, evidence, now_ns)
    draft.corridor[0][0]                     # [latitude_rad, longitude_rad]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.special import ndtri

from noroshi.geo import Area, corridor, destination, ellipse, geodetic_to_ecef, inverse
from noroshi.messages.bodies import FallRow, Ring
from noroshi.tracking import GroundTrack
from noroshi.warning.draft import Draft, DraftArea, Evidence, areas_of, split_areas, start_gate
from noroshi.warning.falling import Fall
from noroshi.warning.rules import WarningRules
from noroshi.warning.watch import Floats, Ints, Watch

MAX_HALF_WIDTH_M = 1_500_000.0
"""A corridor is drawn no wider: a young track's would cover half the map."""

VERTICES = 24
"""Of a corridor's middle line at most; the arcs are smooth."""

THIN_DEG = 0.02
"""A ring that has to be cut or joined is thinned to within this (2 km)."""

METRES_PER_DEGREE = 111_000.0

PLAIN_LAT_RAD = 1.45
"""Beyond 83 degrees rings are drawn by the slower way that is sound at the poles."""

_CAP = np.linspace(0.0, np.pi, 7)
_TURN = np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False)
_DECIMALS = 7


def draft_of(
    course: GroundTrack,
    fall: Fall | None,
    watch: Watch,
    rules: WarningRules,
    evidence: Evidence,
    now_ns: int,
) -> Draft:
    """What a prediction warns of at `now_ns`. course: one track alone, with at least two vertices."""
    areas = areas_of(course, fall, watch, rules, now_ns)
    warned, near = split_areas(areas, rules)
    return Draft(
        evidence,
        warned,
        near,
        start_gate(course),
        corridor_rings(course, rules, warned) if any(area.exit for area in warned) else (),
        fall_row(fall, rules) if fall is not None else None,
    )


def corridor_rings(
    course: GroundTrack, rules: WarningRules, areas: Iterable[DraftArea] = ()
) -> tuple[Ring, ...]:
    """The corridor of a course as rings, split at 180 degrees: over the areas of passing and a half-width beyond them.

    Without such areas it is the whole arc's.
    """
    over = [area for area in areas if area.exit is not None]
    half_width_m = max(
        (area.half_width_m or rules.pass_half_width_m for area in over), default=rules.pass_half_width_m
    )
    level = min((area.level or rules.warn_probability for area in over), default=rules.warn_probability)
    rows = _stretch(course, half_width_m, over)
    sigmas = max(float(ndtri(1.0 - level)), 0.0)
    width_m = np.minimum(half_width_m + sigmas * course.cross_sigma_m[rows], MAX_HALF_WIDTH_M)
    return corridor_around(course.lat_rad[rows], course.lon_rad[rows], width_m)


def corridor_around(lat_rad: Floats, lon_rad: Floats, width_m: Floats) -> tuple[Ring, ...]:
    """The points within these half-widths of a line, as rings that are split at 180 degrees; the ends are round.

    Columns of equal length, at least one; the line is thinned to `VERTICES`. Raises AreaError for widths that are none.
    """
    rows = np.linspace(0, len(lat_rad) - 1, min(len(lat_rad), VERTICES)).round().astype(np.int64)
    lat, lon, width = lat_rad[rows], lon_rad[rows], width_m[rows]
    plain = _plain_corridor(lat, lon, width) if len(lat) > 1 else None
    return (plain,) if plain is not None else _rings(corridor(lat, lon, width))


def fall_row(fall: Fall, rules: WarningRules) -> FallRow:
    """A fall as it is sent, with the ellipse that holds `fall_probability` of it."""
    rings = ellipse_rings(
        fall.latitude_rad, fall.longitude_rad, fall.covariance[:2, :2], rules.fall_probability
    )
    return FallRow(
        latitude_rad=fall.latitude_rad,
        longitude_rad=fall.longitude_rad,
        time_ns=fall.time_ns,
        covariance=[float(one) for one in fall.covariance.ravel()],
        probability=rules.fall_probability * fall.probability,
        rings=list(rings),
    )


def ellipse_rings(
    latitude_rad: float, longitude_rad: float, covariance_m2: Floats, probability: float
) -> tuple[Ring, ...]:
    """The ellipse that holds `probability` of a point's distribution over east and north (2, 2), split at 180 degrees.

    Raises AreaError where the covariance is none.
    """
    values, axes = np.linalg.eigh(covariance_m2)
    reach_m = np.sqrt(np.maximum(values, 0.0) * -2.0 * np.log1p(-probability))
    if reach_m[0] <= 0.0 or reach_m[1] > MAX_HALF_WIDTH_M:
        return _rings(ellipse(latitude_rad, longitude_rad, covariance_m2, probability), float(reach_m[0]))
    east, north = axes @ (reach_m[:, None] * np.stack((np.cos(_TURN), np.sin(_TURN))))
    if axes[0, 0] * axes[1, 1] < axes[0, 1] * axes[1, 0]:
        east, north = east[::-1], north[::-1]
    outline = destination(latitude_rad, longitude_rad, np.arctan2(east, north), np.hypot(east, north))
    plain = _closed(*outline, longitude_rad)
    return (
        (plain,)
        if plain is not None
        else _rings(ellipse(latitude_rad, longitude_rad, covariance_m2, probability), float(reach_m[0]))
    )


def _stretch(course: GroundTrack, half_width_m: float, areas: Sequence[DraftArea]) -> Ints:
    """The vertices from a half-width before the first area to a half-width behind the last; at least two."""
    vertex_m = geodetic_to_ecef(course.lat_rad, course.lon_rad)
    along_m = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(vertex_m, axis=0), axis=1))])
    first, last = 0, len(vertex_m) - 1
    if areas:
        gates = np.array(
            [gate.point_m for area in areas for gate in (area.entry, area.exit) if gate is not None]
        )
        near = np.linalg.norm(vertex_m[None] - gates[:, None], axis=2).argmin(axis=1)
        first = int(np.searchsorted(along_m, along_m[near.min()] - half_width_m))
        last = int(np.searchsorted(along_m, along_m[near.max()] + half_width_m))
    first = min(max(first - 1, 0), len(vertex_m) - 2)
    return np.arange(first, min(max(last, first + 1), len(vertex_m) - 1) + 1)


def _plain_corridor(lat: Floats, lon: Floats, width_m: Floats) -> Ring | None:
    """The ring beside a smooth course, to the right of it and back; None where it would not be sound."""
    length_m, azimuth, back = inverse(lat[:-1], lon[:-1], lat[1:], lon[1:])
    if length_m.min() < 1.0:
        return None
    bearing = np.concatenate([azimuth, back[-1:] + np.pi])
    turn = np.abs(np.angle(np.exp(1j * np.diff(bearing))))
    if (turn * np.maximum(width_m[:-1], width_m[1:]) > 0.5 * length_m).any():
        return None
    start, end = bearing[0], bearing[-1]
    sides = np.concatenate(
        [
            bearing + np.pi / 2,
            end + np.pi / 2 - _CAP[1:-1],
            bearing[::-1] - np.pi / 2,
            start - np.pi / 2 - _CAP[1:-1],
        ]
    )
    cap = np.ones(len(_CAP) - 2, np.int64)
    order = np.arange(len(lat))
    rows = np.concatenate([order, cap * order[-1], order[::-1], cap * 0])
    outline = destination(lat[rows], lon[rows], sides, width_m[rows])
    return _closed(*outline, float(lon[0]))


def _closed(lat: Floats, lon: Floats, near_lon_rad: float) -> Ring | None:
    """A closed ring of an outline, or None where it comes to 180 degrees or near a pole."""
    steps = np.abs(np.diff(lon, append=lon[0]))
    if (
        np.abs(lat).max() > PLAIN_LAT_RAD
        or steps.max() > np.pi / 2
        or np.abs(lon - near_lon_rad).max() > np.pi
    ):
        return None
    corners = np.round(np.column_stack((lat, lon)), _DECIMALS).tolist()
    return [*corners, corners[0]]


def _rings(area: Area, least_m: float = np.inf) -> tuple[Ring, ...]:
    """The rings of an area, thinned, but to no more than a hundredth of its least half-width where it is small."""
    tolerance_deg = min(THIN_DEG, 0.01 * least_m / METRES_PER_DEGREE)
    outlines = area.to_rings_deg(digits=5, tolerance_deg=tolerance_deg)
    turned = [np.round(np.radians([(lat, lon) for lon, lat in outline]), 9) for outline in outlines]
    return tuple(np.clip(ring, [-np.pi / 2, -np.pi], [np.pi / 2, np.pi]).tolist() for ring in turned)
