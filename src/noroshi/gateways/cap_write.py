"""Writes a CAP message as its version has it; one that was read comes out as it was, element for element.

What was not read is not written: comments, processing instructions, the document's encoding (always UTF-8), how
characters were escaped, namespaces declared below the root that nothing needs. A message that was changed keeps its
order and all that it had; what was added stands where the schema wants it.

    write_cap(read_cap(data))                # the same canonical XML as data
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from noroshi.gateways.cap_model import (
    NAMESPACES,
    CapAlert,
    CapCircle,
    CapForm,
    CapNamed,
    CapPolygon,
    CapTime,
    CapVersion,
)
from noroshi.gateways.cap_schema import MANY, SCHEMAS, Child
from noroshi.gateways.xml_parse import parse_xml

_INDENT = " "


@dataclass(slots=True)
class _Part:
    """One child to be written: its name, `+` for one that CAP does not have; what it holds; its attributes."""

    name: str
    value: Any
    attributes: tuple[tuple[str, str], ...] = field(default=())


def write_cap(alert: CapAlert) -> bytes:
    """The message in UTF-8, white space and all as it was read; indented where it was not.

    Raises XmlRefusedError when something in `extra` is not safe XML, ValueError on a text that no XML file can hold.
    """
    root = cap_element(alert)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + etree.tostring(root, encoding="UTF-8") + b"\n"


def cap_element(alert: CapAlert) -> etree._Element:
    """As `write_cap`, the `alert` element."""
    namespace = NAMESPACES[alert.version]
    form = alert.form or CapForm()
    spaces = {
        prefix or None: namespace if address in NAMESPACES.values() else address
        for prefix, address in form.namespaces
    } or {None: namespace}
    if namespace not in spaces.values():
        spaces[None] = namespace
    root = etree.Element(f"{{{namespace}}}alert", nsmap=spaces)
    _fill(root, alert, "alert", alert.version, 0)
    return root


def _fill(element: etree._Element, value: Any, what: str, version: CapVersion, depth: int) -> None:
    """Gives an element the attributes and children of a value of the model."""
    form: CapForm = value.form or CapForm()
    for name, text in form.attributes:
        element.set(name, text)
    table = {one.name: one for one in SCHEMAS[version][what]}
    parts = _parts(value, form, list(table.values()))
    kept = value.form is not None and tuple(one.name for one in parts) == form.order
    inner = f"\n{_INDENT * (depth + 1)}"
    spaces = form.spaces if kept and len(form.spaces) == len(parts) + 1 else (inner,) * len(parts)
    element.text = spaces[0] if spaces else None
    for place, part in enumerate(parts):
        child = _child(element, part, table.get(part.name), version, depth + 1)
        after = spaces[place + 1] if place + 1 < len(spaces) else f"\n{_INDENT * depth}"
        child.tail = after or None


def _parts(value: Any, form: CapForm, table: list[Child]) -> list[_Part]:
    """The children in order: as they came, and what was added since before the first that the schema wants later."""
    waiting = {one.name: deque(_held(value, one, form)) for one in table}
    extra = deque(value.extra)
    marks = dict(form.marked)
    parts: list[_Part] = []
    for place, name in enumerate(form.order):
        queue = extra if name == "+" else waiting.get(name)
        if queue:
            parts.append(_Part(name, queue.popleft(), marks.get(place, ())))
    places = {one.name: place for place, one in enumerate(table)}
    for name in places:
        added = [_Part(name, one) for one in waiting[name]]
        if added:
            later = (i for i, part in enumerate(parts) if places.get(part.name, -1) > places[name])
            last = max((i + 1 for i, part in enumerate(parts) if part.name == name), default=0)
            where = last or next(later, _known_end(parts))
            parts[where:where] = added
    return [*parts, *(_Part("+", one) for one in extra)]


def _known_end(parts: list[_Part]) -> int:
    """The place after the last child that CAP has; signatures come after it."""
    return max((i + 1 for i, part in enumerate(parts) if part.name != "+"), default=0)


def _held(value: Any, child: Child, form: CapForm) -> Iterator[Any]:
    held = getattr(value, child.field)
    if child.most == MANY:
        yield from held
        return
    empty = held in (None, "", CapTime(""))
    wanted = child.name in form.order or (child.least and value.form is None)
    if not empty or (wanted and held is not None):
        yield held


def _child(
    parent: etree._Element, part: _Part, child: Child | None, version: CapVersion, depth: int
) -> etree._Element:
    if child is None:
        strange = parse_xml(part.value)
        parent.append(strange)
        return strange
    element = etree.SubElement(parent, f"{{{NAMESPACES[version]}}}{child.name}")
    if child.kind in SCHEMAS[version]:
        _fill(element, part.value, child.kind, version, depth)
        return element
    for name, text in part.attributes:
        element.set(name, text)
    element.text = _text(part.value) or None
    return element


def _text(value: Any) -> str:
    if isinstance(value, CapTime | CapPolygon | CapCircle):
        return value.text
    if isinstance(value, CapNamed):
        return f"{value.name}={value.value}" if value.name else value.value
    return str(value)
