"""Drawings: complete, well-formed, the same every time, and readable: labels and boxes do not overlap."""

from __future__ import annotations

from itertools import combinations

import pytest
from lxml import etree

from noroshi.structure import Structure, mermaid, svg
from noroshi.structure.draw import BOX_HEIGHT_PX, BOX_WIDTH_PX, WIDTH_PX
from tests.structure.small import edge, structure, unit

SVG = "{http://www.w3.org/2000/svg}"
Rectangle = tuple[float, float, float, float]


def rectangles(text: str, *, boxes: bool) -> list[Rectangle]:
    """Boxes of units, or the grounds of labels, as x1, y1, x2, y2."""
    found = []
    for one in etree.fromstring(text.encode()).iter(f"{SVG}rect"):
        x, y, width, height = (float(one.get(name, "0")) for name in ("x", "y", "width", "height"))
        is_box = (width, height) == (BOX_WIDTH_PX, BOX_HEIGHT_PX)
        if width < WIDTH_PX and is_box == boxes:
            found.append((x, y, x + width, y + height))
    return found


def overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


@pytest.mark.parametrize("name", ["before", "after", "trilateral"])
def test_the_drawing_is_complete_and_readable(name: str, packaged: dict[str, Structure]) -> None:
    given = packaged[name]
    text = svg(given)
    shown = {one.text for one in etree.fromstring(text.encode()).iter(f"{SVG}text")}
    assert set(given.unit_ids) <= shown
    assert {edge.id for edge in given.sharing} <= shown
    boxes, labels = rectangles(text, boxes=True), rectangles(text, boxes=False)
    assert len(boxes) == len(given.units)
    assert len(labels) == len(given.sharing)
    assert not any(overlap(*pair) for pair in combinations([*boxes, *labels], 2))
    assert all(box[0] >= 0 and box[2] <= WIDTH_PX for box in [*boxes, *labels])


def test_the_drawing_is_the_same_every_time(packaged: dict[str, Structure]) -> None:
    assert svg(packaged["after"]) == svg(packaged["after"])
    assert svg(packaged["after"]) != svg(packaged["before"])


def test_foreign_text_cannot_break_out_of_the_drawing() -> None:
    bad = unit("us-a", "US")
    given = structure(
        [type(bad)(**{**{f: getattr(bad, f) for f in bad.__struct_fields__}, "name": "<script>&\"'"})]
    )
    tree = etree.fromstring(svg(given).encode())
    assert not list(tree.iter(f"{SVG}script"))
    assert '"<script>&#quot;' in mermaid(given)


def test_the_drawing_needs_nothing_from_outside(packaged: dict[str, Structure]) -> None:
    text = svg(packaged["trilateral"]).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "http" not in text
    assert "<script" not in text


def test_the_smallest_structures_can_be_drawn() -> None:
    assert rectangles(svg(structure([unit("us-a", "US")])), boxes=True)
    only_shared = structure([unit("bi", "US+JP", "consult-body")])
    assert len(rectangles(svg(only_shared), boxes=True)) == 1
    only_outside = structure([unit("cn-a", "CN", "external")])
    assert len(rectangles(svg(only_outside), boxes=True)) == 1


def test_mermaid_names_everything(packaged: dict[str, Structure]) -> None:
    given = packaged["trilateral"]
    lines = mermaid(given).splitlines()
    assert lines[0] == "flowchart TB"
    assert sum("==>" in line for line in lines) == len(given.sharing)
    assert sum("-->" in line or "-.->" in line for line in lines) == len(given.links)
    assert sum('["' in line and "subgraph" not in line for line in lines) == len(given.units)
    text = mermaid(
        structure([unit("us-a", "US"), unit("jp-a", "JP")], sharing=[edge("e", "us-a", "jp-a", "JP")])
    )
    assert '  u_us_a ==>|"e: flight-path to JP"| u_jp_a' in text.splitlines()
