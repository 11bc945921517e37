"""A structure as a picture: SVG for a page, Mermaid text for a document. Pure: the same structure, the same text.

Columns are nations, shared bodies stand between the first two, the rest at the right; bands are kinds, from
the political at the top to sensors at the bottom. Links are thin and grey, sharing edges are thick and
coloured by the nations to which they may release, with their id beside them. Both ways means an arrow at both
ends.

    svg(structure)        # '<svg xmlns=...'
    mermaid(structure)    # 'flowchart TB ...'
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from noroshi.structure.model import Link, SharingEdge, Structure, Unit

WIDTH_PX = 1400
MARGIN_PX = 20
BOX_WIDTH_PX, BOX_HEIGHT_PX = 190, 42
ROW_PX = 54
BAND_GAP_PX = 18
HEAD_PX = 96
FOOT_PX = 26
NAME_CHARACTERS = 36
"""Characters of a unit's name in one line of its box, at 9.5 px."""

BANDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("political, bodies", ("political", "consult-body", "exercise-body", "hotline")),
    ("headquarters", ("military-hq", "liaison")),
    ("exchange", ("exchange",)),
    ("civil", ("civil-authority",)),
    ("local", ("local-government", "relay")),
    ("sensors", ("sensor-group",)),
    ("outside", ("external",)),
)
PALETTE = ("#0b6e99", "#b3402a", "#2f7d32", "#7a3e9d", "#a66a00", "#00737a", "#8a1c5c", "#4d5bb5")
"""Colours of sharing edges, one per set of nations: dark enough to read on white and apart from one another."""
SHARED = "shared bodies"
REST = "others"


@dataclass(frozen=True, slots=True)
class _Box:
    unit: Unit
    column: int
    x: float
    y: float

    @property
    def middle(self) -> float:
        return self.y + BOX_HEIGHT_PX / 2


def svg(structure: Structure) -> str:
    """The drawing, 1,400 px wide and as high as it needs, self-contained, without scripts."""
    columns = _columns(structure)
    boxes, bands, height = _layout(structure, columns)
    colours = _colours(structure)
    placed = _Labels([(b.x, b.y, b.x + BOX_WIDTH_PX, b.y + BOX_HEIGHT_PX) for b in boxes.values()])
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH_PX}" height="{height:g}" '
            f'viewBox="0 0 {WIDTH_PX} {height:g}" font-family="system-ui, sans-serif" role="img">'
        ),
        f"<title>{escape(structure.title)}</title>",
        _markers(colours),
        f'<rect width="{WIDTH_PX}" height="{height:g}" fill="#ffffff"/>',
        *_heading(structure, columns, colours),
        *_band_lines(bands),
        *(_link(link, boxes) for link in structure.links),
        *(_edge(edge, boxes, colours, lane) for lane, edge in enumerate(structure.sharing)),
        *(_box(box) for box in boxes.values()),
        *(_label(edge, boxes, colours, lane, placed) for lane, edge in enumerate(structure.sharing)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def mermaid(structure: Structure) -> str:
    """A flowchart: links dotted, command plain, sharing edges thick with content and nations."""
    lines = ["flowchart TB"]
    for title, nations in _groups(structure):
        lines.append(f'  subgraph {_mermaid_id(title)}["{title}"]')
        lines += [
            f'    {_mermaid_id(u.id)}["{_mermaid_text(u.name)}"]'
            for u in structure.units
            if u.nation in nations
        ]
        lines.append("  end")
    for link in structure.links:
        arrow = "-->" if link.type == "command" else "-.->"
        lines.append(f"  {_mermaid_id(link.from_unit)} {arrow}|{link.type}| {_mermaid_id(link.to_unit)}")
    for edge in structure.sharing:
        arrow = "<==>" if edge.both_ways else "==>"
        says = f'"{edge.id}: {", ".join(edge.content)} to {" ".join(edge.releasable_to)}"'
        lines.append(f"  {_mermaid_id(edge.from_unit)} {arrow}|{says}| {_mermaid_id(edge.to_unit)}")
    return "\n".join(lines) + "\n"


def _mermaid_id(name: str) -> str:
    return "u_" + "".join(c if c.isalnum() else "_" for c in name)


def _mermaid_text(text: str) -> str:
    return text.replace('"', "#quot;").replace("`", "'")


# Layout


def _groups(structure: Structure) -> list[tuple[str, frozenset[str]]]:
    """Titles of the columns and the nation texts that stand in each; largest nations first, shared ones second."""
    inside = [u for u in structure.units if u.kind != "external"]
    single = Counter(u.nation for u in inside if not u.shared)
    order = sorted(single, key=lambda nation: (-single[nation], nation))
    groups = [(nation, frozenset({nation})) for nation in order[:3]]
    shared = frozenset(u.nation for u in structure.units if u.shared)
    if shared:
        groups.insert(1, (SHARED, shared))
    rest = {u.nation for u in structure.units} - shared - set(order[:3])
    return [*groups, (REST, frozenset(rest))] if rest else groups


def _columns(structure: Structure) -> list[tuple[str, frozenset[str], float]]:
    groups = _groups(structure)
    free = WIDTH_PX - 2 * MARGIN_PX - BOX_WIDTH_PX
    step = free / max(1, len(groups) - 1)
    return [(title, nations, MARGIN_PX + step * i) for i, (title, nations) in enumerate(groups)]


def _layout(
    structure: Structure, columns: list[tuple[str, frozenset[str], float]]
) -> tuple[dict[str, _Box], list[tuple[str, float]], float]:
    boxes: dict[str, _Box] = {}
    bands = []
    y = float(HEAD_PX)
    for title, kinds in BANDS:
        stacks = [
            [u for u in structure.units if u.kind in kinds and u.nation in nations]
            for _, nations, _ in columns
        ]
        rows = max(map(len, stacks), default=0)
        if not rows:
            continue
        bands.append((title, y - BAND_GAP_PX / 2))
        for column, stack in enumerate(stacks):
            spare = (rows - len(stack)) * ROW_PX / (len(stack) + 1)
            for row, unit in enumerate(stack):
                top = y + row * ROW_PX + spare * (row + 1)
                boxes[unit.id] = _Box(unit, column, columns[column][2], top)
        y += rows * ROW_PX + BAND_GAP_PX
    return boxes, bands, y + FOOT_PX


def _colours(structure: Structure) -> dict[str, str]:
    sets = sorted({_audience(edge) for edge in structure.sharing}, key=lambda name: (name.count("+"), name))
    return {name: PALETTE[i % len(PALETTE)] for i, name in enumerate(sets)}


def _audience(edge: SharingEdge) -> str:
    return "+".join(sorted(edge.releasable_to))


# Lines


Curve = tuple[float, float, float, float, float, float, float, float]


def _curve(one: _Box, other: _Box, lane: int) -> Curve:
    """A cubic curve between two boxes' sides. Edges of one box leave at different heights, so they part early."""
    shift = ((lane % 5) - 2) * 6.0
    y1, y2 = one.middle + shift, other.middle + shift
    if one.column == other.column:
        # Inside a column: bow out at the side towards the middle of the page.
        right = one.x + BOX_WIDTH_PX * 1.5 < WIDTH_PX - MARGIN_PX
        x = one.x + BOX_WIDTH_PX if right else one.x
        bow = (24 + 9 * (lane % 5) + min(40.0, abs(y2 - y1) / 14)) * (1 if right else -1)
        return x, y1, x + bow, y1, x + bow, y2, x, y2
    leftwards = other.x < one.x
    x1 = one.x if leftwards else one.x + BOX_WIDTH_PX
    x2 = other.x + BOX_WIDTH_PX if leftwards else other.x
    pull = (x2 - x1) * 0.45
    return x1, y1, x1 + pull, y1, x2 - pull, y2, x2, y2


def _at(curve: Curve, t: float) -> tuple[float, float]:
    x0, y0, x1, y1, x2, y2, x3, y3 = curve
    a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
    return a * x0 + b * x1 + c * x2 + d * x3, a * y0 + b * y1 + c * y2 + d * y3


def _path(curve: Curve) -> str:
    x0, y0, *rest = (f"{value:.1f}" for value in curve)
    return f"M{x0} {y0}C{' '.join(rest)}"


def _link(link: Link, boxes: dict[str, _Box]) -> str:
    curve = _curve(boxes[link.from_unit], boxes[link.to_unit], 2)
    dash = "" if link.type == "command" else ' stroke-dasharray="3 3"'
    says = escape(f"{link.from_unit} {link.type} {link.to_unit}")
    return (
        f'<path d="{_path(curve)}" fill="none" stroke="#9aa3ad" stroke-width="1" opacity="0.65"{dash}>'
        f"<title>{says}</title></path>"
    )


def _edge(edge: SharingEdge, boxes: dict[str, _Box], colours: dict[str, str], lane: int) -> str:
    colour = colours[_audience(edge)]
    curve = _curve(boxes[edge.from_unit], boxes[edge.to_unit], lane)
    arrow = f"a{colour[1:]}"
    start = f' marker-start="url(#{arrow})"' if edge.both_ways else ""
    dash = "" if edge.cadence in ("realtime", "on-event") else ' stroke-dasharray="8 5"'
    says = (
        f"{edge.id}: {', '.join(edge.content)}, {edge.cadence}, releasable to {', '.join(edge.releasable_to)}"
    )
    return (
        f'<path d="{_path(curve)}" fill="none" stroke="{colour}" stroke-width="2.2"{dash}{start} '
        f'marker-end="url(#{arrow})"><title>{escape(says)}</title></path>'
    )


def _markers(colours: dict[str, str]) -> str:
    shapes = "".join(
        f'<marker id="a{colour[1:]}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="4" markerHeight="4" '
        f'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        for colour in sorted(set(colours.values()))
    )
    return f"<defs>{shapes}</defs>"


# Text


class _Labels:
    """The rectangles that are taken, as x1, y1, x2, y2; finds a label a place that overlaps none of them."""

    def __init__(self, taken: list[tuple[float, float, float, float]]) -> None:
        self._taken = list(taken)

    def place(self, curve: Curve, width: float, height: float) -> tuple[float, float]:
        """Middle of the label: on the curve if it fits there, else moved up or down as little as possible."""
        spots = [_at(curve, t) for t in (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.18, 0.82)]
        half = width / 2
        for shift in (0, 13, -13, 26, -26, 39, -39, 52, -52):
            for x, y in spots:
                centre = min(max(x, half + 2), WIDTH_PX - half - 2)
                spot = (centre - half, y + shift - height / 2, centre + half, y + shift + height / 2)
                if not any(_overlap(spot, other) for other in self._taken):
                    self._taken.append(spot)
                    return centre, y + shift
        return spots[0]


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _label(
    edge: SharingEdge, boxes: dict[str, _Box], colours: dict[str, str], lane: int, placed: _Labels
) -> str:
    curve = _curve(boxes[edge.from_unit], boxes[edge.to_unit], lane)
    width = 5.6 * len(edge.id) + 6
    x, y = placed.place(curve, width, 13)
    return (
        f'<rect x="{x - width / 2:.1f}" y="{y - 6.5:.1f}" width="{width:.1f}" height="13" rx="2" fill="#ffffff" '
        f'fill-opacity="0.88"/><text x="{x:.1f}" y="{y + 3.5:.1f}" font-size="10" text-anchor="middle" '
        f'fill="{colours[_audience(edge)]}">{escape(edge.id)}</text>'
    )


def _box(box: _Box) -> str:
    unit = box.unit
    dash = ' stroke-dasharray="4 3"' if unit.confidence != "reported" else ""
    lines = textwrap.wrap(unit.name, NAME_CHARACTERS, max_lines=2, placeholder=" …")
    text = "".join(
        f'<text x="{box.x + 6:.1f}" y="{box.y + 25 + 11 * i:.1f}" font-size="9.5" fill="#333">{escape(line)}</text>'
        for i, line in enumerate(lines)
    )
    return (
        f"<g><title>{escape(f'{unit.name} ({unit.nation}, {unit.kind})')}</title>"
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{BOX_WIDTH_PX}" height="{BOX_HEIGHT_PX}" rx="4" '
        f'fill="#f6f7f9" stroke="#4a5560"{dash}/>'
        f'<text x="{box.x + 6:.1f}" y="{box.y + 13:.1f}" font-size="11" font-weight="600">{escape(unit.id)}'
        f'<tspan font-weight="400" fill="#5c6873"> {escape(unit.nation)}</tspan></text>{text}</g>'
    )


def _heading(
    structure: Structure, columns: list[tuple[str, frozenset[str], float]], colours: dict[str, str]
) -> Iterable[str]:
    until = structure.valid_to or "open"
    says = f"{structure.id}: {structure.title} ({structure.valid_from} to {until}, {structure.combination})"
    yield f'<text x="{MARGIN_PX}" y="24" font-size="16" font-weight="600">{escape(says)}</text>'
    x = float(MARGIN_PX)
    for name, colour in colours.items():
        yield f'<path d="M{x:.1f} 44h22" stroke="{colour}" stroke-width="3"/>'
        yield f'<text x="{x + 27:.1f}" y="48" font-size="11">may get to {escape(name)}</text>'
        x += 27 + 6.4 * (len(name) + 11) + 18
    note = "grey: links, command solid; dashed colour: not live; dashed box: assumed or notional"
    yield f'<text x="{x:.1f}" y="48" font-size="11" fill="#5c6873">{note}</text>'
    for title, _, left in columns:
        yield (
            f'<text x="{left + BOX_WIDTH_PX / 2:.1f}" y="74" font-size="13" font-weight="600" '
            f'text-anchor="middle">{escape(title)}</text>'
        )


def _band_lines(bands: list[tuple[str, float]]) -> Iterable[str]:
    for title, y in bands:
        yield f'<path d="M0 {y:.1f}h{WIDTH_PX}" stroke="#e3e6ea"/>'
        yield f'<text x="4" y="{y - 3:.1f}" font-size="9" fill="#8a94a0">{title}</text>'
