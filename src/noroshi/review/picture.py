"""What a review draws: a map and a strip of time, as SVG text.

Solid is observed, dashed is predicted. Longitudes run on beyond 180 degrees where the picture does, so nothing is cut
there. Shapes and words say what colours say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import cos, degrees, floor, radians

from noroshi.clock import NS_PER_S
from noroshi.messages.bodies import AlertBody, Ring, WarningBody
from noroshi.review.measures import Measures, holds
from noroshi.review.read import Log
from noroshi.review.story import TOPICS, Line

WIDTH, HEIGHT = 1100, 520
MARGIN_DEG = 4.0

THIN_PX = 1.2
"""Corners of a coastline nearer than this to the one before cannot be seen."""

Ringdeg = Sequence[Sequence[float]]
"""A ring of [longitude, latitude] in degrees."""


@dataclass(frozen=True, slots=True)
class Point:
    """A measured position: longitude and latitude in degrees, when, and by whom."""

    lon_deg: float
    lat_deg: float
    time_ns: int
    partner: str


def draw_map(logs: Sequence[Log], points: Sequence[Point], land: Iterable[Ringdeg]) -> str:
    """The observed track, the last predicted corridor and fall, warned places. land: rings in degrees, may be empty."""
    corridor, falls, places = _last_warning(logs)
    shapes = [*corridor, *falls]
    everything = [(p.lon_deg, p.lat_deg) for p in points] + [
        (lon, lat) for ring in shapes for lon, lat in _degrees(ring)
    ]
    if not everything:
        return "<p>Nothing was observed and nothing was warned of: there is no map to draw.</p>"
    frame = _Frame.around(everything)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="Map of the observed track and the warned area">'
    ]
    parts.append(f'<rect width="{WIDTH}" height="{HEIGHT}" class="sea"/>')
    parts += [frame.ring(ring, "land") for ring in land]
    parts += frame.graticule()
    parts += [frame.ring(_degrees(ring), "corridor") for ring in corridor]
    parts += [frame.ring(_degrees(ring), "fall") for ring in falls]
    parts += [frame.dot(p.lon_deg, p.lat_deg, f"seen {p.partner}") for p in points]
    parts += [frame.label(lon, lat, name) for lon, lat, name in places]
    parts.append("</svg>")
    return "".join(part for part in parts if part)


def draw_strip(logs: Sequence[Log], lines: Sequence[Line], measures: Measures) -> str:
    """One lane per node, a mark per line, gaps hatched; time in seconds from the first record."""
    span = max(1, measures.end_ns - measures.start_ns)
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


def _seconds_axis(span_ns: int, x: object, start_ns: int, y: int) -> list[str]:
    step = next((s for s in (1, 5, 10, 30, 60, 120, 300, 600, 3600) if span_ns / NS_PER_S / s <= 14), 7200)
    marks = range(0, int(span_ns / NS_PER_S) + 1, step)
    return [
        f'<text x="{x(start_ns + s * NS_PER_S):.1f}" y="{y}" class="axis" text-anchor="middle">{s} s</text>'  # type: ignore[operator]  # the scale above
        for s in marks
    ]


def _last_warning(logs: Sequence[Log]) -> tuple[list[Ring], list[Ring], list[tuple[float, float, str]]]:
    """The corridor and fall of the widest-known warning, and the largest warned places."""
    warning: WarningBody | None = None
    alert: AlertBody | None = None
    for log in logs:
        for entry in log.entries:
            if holds(entry) and isinstance(entry.body, WarningBody) and entry.body.areas:
                warning = entry.body
            if holds(entry) and isinstance(entry.body, AlertBody) and entry.body.type != "Cancel":
                alert = entry.body
    if warning is None:
        return [], [], []
    areas = alert.areas if alert else warning.areas
    named = {place.name: place for area in areas for place in area.places[:3]}
    places = [(degrees(p.longitude_rad), degrees(p.latitude_rad), p.name) for p in named.values()]
    return list(warning.corridor), list(warning.fall.rings) if warning.fall else [], places


def _degrees(ring: Ring) -> list[tuple[float, float]]:
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
    def around(cls, points: Sequence[tuple[float, float]]) -> _Frame:
        """The smallest frame with a margin; longitudes are taken on the side of the first point."""
        base = points[0][0]
        lons = [_near(lon, base) for lon, _ in points]
        lats = [lat for _, lat in points]
        return cls(
            min(lons) - MARGIN_DEG,
            max(min(lats) - MARGIN_DEG, -89),
            max(lons) + MARGIN_DEG,
            min(max(lats) + MARGIN_DEG, 89),
        )

    def at(self, lon: float, lat: float) -> tuple[float, float]:
        x = (_near(lon, self.middle) - self.west) * self.scale * self.squeeze
        return x, (self.north - lat) * self.scale

    def ring(self, ring: Ringdeg, name: str) -> str:
        """A ring as a path; one that is quite outside the frame gives nothing."""
        if not len(ring):
            return ""
        base = _near(ring[0][0], self.middle)
        flat = [
            ((_near(lon, base) - self.west) * self.scale * self.squeeze, (self.north - lat) * self.scale)
            for lon, lat in ring
        ]
        xs, ys = [x for x, _ in flat], [y for _, y in flat]
        if max(xs) < 0 or min(xs) > WIDTH or max(ys) < 0 or min(ys) > HEIGHT:
            return ""
        return f'<path class="{name}" d="M{"L".join(f"{x:.1f} {y:.1f}" for x, y in _thinned(flat))}Z"/>'

    def dot(self, lon: float, lat: float, name: str) -> str:
        x, y = self.at(lon, lat)
        return f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="1.8"/>'

    def label(self, lon: float, lat: float, text: str) -> str:
        x, y = self.at(lon, lat)
        return f'<circle class="place" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/><text class="name" x="{x + 5:.1f}" y="{y + 4:.1f}">{escape(text)}</text>'

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


def _thinned(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The corners of a line that are at least `THIN_PX` from the corner kept before them."""
    kept = [line[0]]
    for x, y in line[1:]:
        if abs(x - kept[-1][0]) + abs(y - kept[-1][1]) >= THIN_PX:
            kept.append((x, y))
    return kept


def _near(lon: float, base: float) -> float:
    """The longitude plus or minus whole turns that lies nearest to `base`."""
    return lon - 360.0 * round((lon - base) / 360.0)
