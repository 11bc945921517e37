"""What a review draws: maps of the flight and of the warned area, and a strip of time, as SVG text.

Solid is observed, dashed is predicted. Longitudes run on beyond 180 degrees where the picture does, so nothing is cut
there. Shapes and words say what colours say. Land is cut at the frame and thinned to what can be seen, so that a map
stays small whatever coastlines it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import acos, cos, degrees, floor, radians, sin, sqrt

import numpy as np

from noroshi.clock import NS_PER_S
from noroshi.messages.bodies import PlaceRow, Ring, WarningBody
from noroshi.review.measures import Measures, holds
from noroshi.review.read import Entry, Log
from noroshi.review.story import TOPICS, Line

WIDTH, HEIGHT = 1100, 520
MARGIN_DEG = 4.0
CLOSE_MARGIN_DEG = 0.8

THIN_PX = 1.4
"""Corners of a coastline nearer than this to the one before cannot be seen."""

LETTER_PX, LINE_PX = 7.0, 14.0
"""Room that a letter of a label takes at 12 px; East Asian letters take nearly twice as much."""

MAX_LABELS, FAR_LABELS = 14, 3
"""More names than this hide the map; the map of the whole flight only says where the warned area is."""

PATH_STEPS = 24

Ringdeg = Sequence[Sequence[float]]
"""A ring of [longitude, latitude] in degrees."""


@dataclass(frozen=True, slots=True)
class Point:
    """A measured position: longitude and latitude in degrees, when, and by whom."""

    lon_deg: float
    lat_deg: float
    time_ns: int
    partner: str


@dataclass(frozen=True, slots=True)
class Warned:
    """The ground as it was last warned: rings [longitude, latitude] and the mean fall in degrees, places, records."""

    corridor: tuple[Ringdeg, ...]
    fall: tuple[Ringdeg, ...]
    fall_points: tuple[tuple[float, float], ...]
    places: tuple[PlaceRow, ...]
    entries: tuple[Entry, ...]


def draw_map(
    logs: Sequence[Log], points: Sequence[Point], land: Iterable[Ringdeg], name: Callable[[str], str] = escape
) -> str:
    """The observed flight with what was last warned, and the warned area near at hand.

    land: rings in degrees, may be empty. name: how a cited record is written in HTML.
    """
    warned = last_warned(logs)
    ground = [corner for ring in (*warned.corridor, *warned.fall) for corner in ring]
    everything = [(p.lon_deg, p.lat_deg) for p in points] + [(lon, lat) for lon, lat in ground]
    if not everything:
        return "<p>Nothing was observed and nothing was warned of: there is no map to draw.</p>"
    coasts = [np.asarray(ring, dtype=np.float64).reshape(-1, 2) for ring in land]
    frame = _Frame.around([*everything, *warned.fall_points], MARGIN_DEG)
    pictures = [
        _drawn(frame, "Map of the observed track and the last warning", warned, points, coasts, FAR_LABELS)
    ]
    near = [(lon, lat) for ring in warned.corridor for lon, lat in ring] + [
        (degrees(place.longitude_rad), degrees(place.latitude_rad)) for place in warned.places
    ]
    if near:
        close = _Frame.around(near, CLOSE_MARGIN_DEG)
        pictures += [
            "<h3>The warned area</h3>",
            _drawn(close, "Map of the warned area and its places", warned, points, coasts, MAX_LABELS),
        ]
    return "".join(pictures) + _caption(warned, name)


def last_warned(logs: Sequence[Log]) -> Warned:
    """Of every event that was warned of, the newest warning that its originator's words in the records hold."""
    newest: dict[tuple[str, bytes], tuple[Entry, WarningBody]] = {}
    for log in logs:
        for entry in log.entries:
            if not holds(entry) or not isinstance(entry.body, WarningBody) or entry.envelope is None:
                continue
            key = entry.envelope.origin, entry.envelope.event
            if key not in newest or newest[key][1].number < entry.body.number:
                newest[key] = entry, entry.body
    unlike: dict[str, tuple[Entry, WarningBody]] = {}
    for entry, body in newest.values():  # editions for other audiences draw the same
        unlike.setdefault(repr((body.number, body.corridor, body.fall, body.areas)), (entry, body))
    bodies = [body for _, body in unlike.values()]
    falls = [body.fall for body in bodies if body.fall is not None]
    places = {
        (place.name, place.latitude_rad): place
        for body in bodies
        for area in body.areas
        for place in area.places
    }
    return Warned(
        corridor=tuple(_degrees(ring) for body in bodies for ring in body.corridor),
        fall=tuple(_degrees(ring) for fall in falls for ring in fall.rings),
        fall_points=tuple((degrees(fall.longitude_rad), degrees(fall.latitude_rad)) for fall in falls),
        places=tuple(sorted(places.values(), key=lambda place: (-place.people, place.name))),
        entries=tuple(entry for entry, _ in unlike.values()),
    )


def _drawn(
    frame: _Frame,
    title: str,
    warned: Warned,
    points: Sequence[Point],
    coasts: Sequence[np.ndarray],
    most: int,
) -> str:
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" class="sea"/>',
        frame.land(coasts),
        *frame.graticule(),
        *(frame.ring(ring, "corridor") for ring in warned.corridor),
        *(frame.ring(ring, "fall") for ring in warned.fall),
    ]
    if points and len(warned.fall_points) == 1:
        last = max(points, key=lambda point: point.time_ns)
        parts.append(frame.line(shortest((last.lon_deg, last.lat_deg), warned.fall_points[0]), "ahead"))
    parts += [
        frame.dots([p for p in points if p.partner == partner], partner)
        for partner in sorted({p.partner for p in points})
    ]
    parts += [frame.cross(lon, lat) for lon, lat in warned.fall_points]
    parts += frame.labels(warned.places, most)
    return "".join(parts) + "</svg>"


def _caption(warned: Warned, name: Callable[[str], str]) -> str:
    """What the map says of the last warning, in words."""
    said = []
    for entry in warned.entries:
        body = entry.body
        if isinstance(body, WarningBody):
            regions = ", ".join(area.region for area in body.areas) or "no region"
            why = f" ({body.reason})" if body.reason else ""
            origin = entry.envelope.origin if entry.envelope else entry.partner
            text = f"{origin}'s last warning, number {body.number}, {body.state}{why}: {regions}"
            said.append(f"<p>{escape(text)} {name(entry.cites)}</p>")
    return "".join(said)


def shortest(start: tuple[float, float], end: tuple[float, float]) -> list[tuple[float, float]]:
    """Points of the great circle between two places, [longitude, latitude] in degrees; just the two if they oppose."""
    one, two = _unit(*start), _unit(*end)
    angle = acos(max(-1.0, min(1.0, float(one @ two))))
    if not 1e-9 < angle < 3.14:
        return [start, end]
    found = []
    for step in range(PATH_STEPS + 1):
        part = step / PATH_STEPS
        at = (sin((1 - part) * angle) * one + sin(part * angle) * two) / sin(angle)
        lon, lat = np.degrees(np.arctan2(at[1], at[0])), np.degrees(np.arcsin(np.clip(at[2], -1, 1)))
        found.append((float(lon), float(lat)))
    return found


def _unit(lon_deg: float, lat_deg: float) -> np.ndarray:
    lon, lat = radians(lon_deg), radians(lat_deg)
    return np.array([cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)])


def draw_strip(logs: Sequence[Log], lines: Sequence[Line], measures: Measures) -> str:
    """One lane per node, a mark per line, gaps boxed; time in seconds from the first record to the last thing told."""
    told_ns = [line.time_ns for line in lines] + [gap.to_ns for gap in measures.gaps]
    span = max(NS_PER_S, int(1.02 * (max(told_ns, default=measures.end_ns) - measures.start_ns)))
    lane, left, width = 46, 70, WIDTH - 90
    height = lane * len(logs) + 40

    def x(time_ns: int) -> float:
        return left + width * (time_ns - measures.start_ns) / span

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="Who knew what when, one lane per node">'
    ]
    rows = {log.node: number for number, log in enumerate(logs)}
    for node, number in rows.items():
        y = 20 + lane * number
        parts.append(f'<text x="4" y="{y + 4}" class="axis">{escape(node)}</text>')
        parts.append(f'<line x1="{left}" y1="{y}" x2="{left + width}" y2="{y}" class="lane"/>')
    for gap in measures.gaps:
        y = 20 + lane * rows[gap.node]
        parts.append(
            f'<rect x="{x(gap.from_ns):.1f}" y="{y - 9}" width="{x(gap.to_ns) - x(gap.from_ns):.1f}" height="18" '
            f'class="gap"><title>{escape(gap.node)}: nothing recorded</title></rect>'
        )
    for line in lines:
        y = 20 + lane * rows[line.node] + 2 * (TOPICS.index(line.topic) - 4)
        parts.append(
            f'<path d="M{x(line.time_ns):.1f} {y - 7}v14" class="mark {line.topic}">'
            f"<title>{escape(line.text)} [{escape(line.cites)}]</title></path>"
        )
    parts += _seconds_axis(span, x, measures.start_ns, height - 8)
    parts.append("</svg>")
    return "".join(parts)


def _seconds_axis(span_ns: int, x: Callable[[int], float], start_ns: int, y: int) -> list[str]:
    step = next((s for s in (1, 5, 10, 30, 60, 120, 300, 600, 3600) if span_ns / NS_PER_S / s <= 14), 7200)
    marks = range(0, int(span_ns / NS_PER_S) + 1, step)
    return [
        f'<text x="{x(start_ns + s * NS_PER_S):.1f}" y="{y}" class="axis" text-anchor="middle">{s} s</text>'
        for s in marks
    ]


def _degrees(ring: Ring) -> Ringdeg:
    return [(degrees(lon), degrees(lat)) for lat, lon in ring]


class _Frame:
    """An equirectangular frame around the picture, true to scale at its middle latitude."""

    def __init__(self, west: float, south: float, east: float, north: float) -> None:
        self.middle = (west + east) / 2
        self.squeeze = cos(radians((south + north) / 2))
        self.scale = min(WIDTH / ((east - west) * self.squeeze), HEIGHT / (north - south))
        self.north = (south + north) / 2 + HEIGHT / 2 / self.scale
        self.west = self.middle - WIDTH / 2 / self.scale / self.squeeze

    @classmethod
    def around(cls, points: Sequence[tuple[float, float]], margin_deg: float) -> _Frame:
        """The smallest frame with a margin; longitudes are taken on the side of the first point."""
        base = points[0][0]
        lons = [_near(lon, base) for lon, _ in points]
        lats = [lat for _, lat in points]
        return cls(
            min(lons) - margin_deg,
            max(min(lats) - margin_deg, -89),
            max(lons) + margin_deg,
            min(max(lats) + margin_deg, 89),
        )

    def at(self, lon: float, lat: float) -> tuple[float, float]:
        x = (_near(lon, self.middle) - self.west) * self.scale * self.squeeze
        return x, (self.north - lat) * self.scale

    def flat(self, line: Ringdeg) -> list[tuple[float, float]]:
        """A line in pixels, each corner on the side of the one before, so that nothing jumps at 180 degrees."""
        found: list[tuple[float, float]] = []
        base = self.middle
        for lon, lat in line:
            base = _near(lon, base)
            found.append(((base - self.west) * self.scale * self.squeeze, (self.north - lat) * self.scale))
        return found

    def ring(self, ring: Ringdeg, name: str) -> str:
        """A ring as a path; one that is quite outside the frame gives nothing."""
        line = _cut(np.array(self.flat(ring)).reshape(-1, 2))
        return f'<path class="{name}" d="{_path(_thinned(line))}Z"/>' if len(line) else ""

    def line(self, line: Ringdeg, name: str) -> str:
        """An open line as a path."""
        return f'<path class="{name}" d="{_path(self.flat(line))}"/>'

    def land(self, coasts: Sequence[np.ndarray]) -> str:
        """All land that is in the frame, as one path. coasts: (n, 2) longitudes and latitudes in degrees each."""
        parts = []
        for coast in coasts:
            if not len(coast):
                continue
            lons = np.degrees(np.unwrap(np.radians(coast[:, 0])))
            lons += 360.0 * round((self.middle - (lons.min() + lons.max()) / 2) / 360.0)
            ring = np.column_stack(
                ((lons - self.west) * self.scale * self.squeeze, (self.north - coast[:, 1]) * self.scale)
            )
            line = _thinned(_cut(ring))
            if len(line) > 2:
                parts.append(_path(line) + "Z")
        return f'<path class="land" d="{"".join(parts)}"/>' if parts else ""

    def dots(self, points: Sequence[Point], partner: str) -> str:
        """A partner's measured positions, as one path of dots."""
        places = [self.at(p.lon_deg, p.lat_deg) for p in points]
        marks = "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places if 0 <= x <= WIDTH and 0 <= y <= HEIGHT)
        title = f"<title>observed by {escape(partner)}</title>"
        return f'<path class="seen" d="{marks}">{title}</path>' if marks else ""

    def cross(self, lon: float, lat: float) -> str:
        """Where the predicted fall has its mean."""
        x, y = self.at(lon, lat)
        if not (0 <= x <= WIDTH and 0 <= y <= HEIGHT):
            return ""
        return (
            f'<path class="mean" d="M{x - 6:.1f} {y:.1f}h12M{x:.1f} {y - 6:.1f}v12"/>'
            f'<text class="name" x="{x:.1f}" y="{y + 20:.1f}" text-anchor="middle">predicted fall</text>'
        )

    def labels(self, places: Sequence[PlaceRow], most: int) -> list[str]:
        """A dot for each place, and at most so many of the names that have room, the first places first."""
        parts: list[str] = []
        taken: list[_Box] = []
        for place in places:
            x, y = self.at(degrees(place.longitude_rad), degrees(place.latitude_rad))
            parts.append(f'<circle class="place" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>')
            room = next((one for one in _rooms(x, y, place.name) if one.free_of(taken)), None)
            if room is None or len(taken) >= most:
                continue
            taken.append(room)
            parts.append(
                f'<text class="name" x="{room.left:.1f}" y="{room.top + LINE_PX - 3:.1f}">'
                f"{escape(place.name)}</text>"
            )
        return parts

    def graticule(self) -> list[str]:
        east = self.west + WIDTH / self.scale / self.squeeze
        south = self.north - HEIGHT / self.scale
        lines = []
        for lon in range(floor(self.west / 10) * 10, int(east) + 10, 10):
            x, _ = self.at(lon, 0)
            name = f"{abs(_near(lon, 0)):.0f}{'E' if _near(lon, 0) >= 0 else 'W'}"
            lines.append(
                f'<path class="grid" d="M{x:.1f} 0V{HEIGHT}"/><text class="axis" x="{x + 3:.1f}" y="12">{name}</text>'
            )
        for lat in range(floor(south / 10) * 10, int(self.north) + 10, 10):
            _, y = self.at(0, lat)
            lines.append(f'<path class="grid" d="M0 {y:.1f}H{WIDTH}"/>')
        return lines


@dataclass(frozen=True, slots=True)
class _Box:
    """The room of a label, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def free_of(self, others: Sequence[_Box]) -> bool:
        """Whether it is inside the picture and touches none of the others."""
        inside = self.left >= 0 and self.top >= 0 and self.right <= WIDTH and self.bottom <= HEIGHT
        return inside and not any(
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
            for other in others
        )


def _rooms(x: float, y: float, text: str) -> list[_Box]:
    """Where a label may stand: right of its dot, left, above, below."""
    width = sum(LETTER_PX if ord(letter) < 0x1100 else 12.5 for letter in text)
    half = LINE_PX / 2
    corners = [
        (x + 5, y - half),
        (x - 5 - width, y - half),
        (x - width / 2, y - LINE_PX - 4),
        (x - width / 2, y + 4),
    ]
    return [_Box(left, top, left + width, top + LINE_PX) for left, top in corners]


def _cut(ring: np.ndarray) -> np.ndarray:
    """The part of a ring, (n, 2) in pixels, inside the frame and a little around it.

    Cut at one side after the other (I. Sutherland and G. Hodgman, Reentrant polygon clipping, 1974). Empty when
    nothing is left.
    """
    edge = 4.0
    for axis, limit, sign in ((0, -edge, 1), (0, WIDTH + edge, -1), (1, -edge, 1), (1, HEIGHT + edge, -1)):
        if not len(ring):
            break
        depth = sign * (ring[:, axis] - limit)
        if (depth >= 0).all():
            continue
        before, before_depth = np.roll(ring, 1, axis=0), np.roll(depth, 1)
        crosses = (depth >= 0) != (before_depth >= 0)
        part = np.where(crosses, before_depth / np.where(crosses, before_depth - depth, 1.0), 0.0)
        crossing = before + part[:, None] * (ring - before)
        kept = np.stack((crosses, depth >= 0), axis=1).ravel()
        ring = np.stack((crossing, ring), axis=1).reshape(-1, 2)[kept]
    return ring


def _thinned(line: np.ndarray) -> list[tuple[float, float]]:
    """The corners of a line that are at least `THIN_PX` from the corner kept before them."""
    kept: list[tuple[float, float]] = []
    for x, y in line.tolist():
        if not kept or sqrt((x - kept[-1][0]) ** 2 + (y - kept[-1][1]) ** 2) >= THIN_PX:
            kept.append((x, y))
    return kept


def _path(line: Sequence[tuple[float, float]]) -> str:
    """A line as path data: the first corner, then steps in tenths of a pixel that do not add up errors."""
    if not line:
        return ""
    x, y = round(line[0][0], 1), round(line[0][1], 1)
    parts = [f"M{x:g} {y:g}"]
    for next_x, next_y in line[1:]:
        step_x, step_y = round(next_x - x, 1), round(next_y - y, 1)
        parts.append(f"l{step_x:g} {step_y:g}")
        x, y = round(x + step_x, 1), round(y + step_y, 1)
    return "".join(parts)


def _near(lon: float, base: float) -> float:
    """The longitude plus or minus whole turns that lies nearest to `base`."""
    return lon - 360.0 * round((lon - base) / 360.0)
