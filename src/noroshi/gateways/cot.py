"""Cursor on Target events as XML: read strictly, kept whole, judged by rule and line.

An event is kept as the bytes that came; its header is read beside them, so that whatever this version does not know goes
on as it came. No trick of XML has an effect (`xml_parse`). What a reader can cope with is an event with defects; what it
cannot is refused.

    event = read_event(data)                 # CotEvent; raises XmlRefusedError
    [one.rule for one in defects(event)]     # ['how-missing']
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import msgspec
from lxml import etree

from noroshi.clock import NS_PER_S, from_iso
from noroshi.gateways.xml_parse import XmlLimits, XmlRefusedError, children, line_of, parse_xml

MAX_EVENT_BYTES = 128 * 1024
"""Of one event: routes and drawings of real clients have some ten kilobytes."""

MAX_MS = 253_402_300_799_999
"""The last millisecond of the year 9999."""

LIMITS = XmlLimits(
    max_bytes=MAX_EVENT_BYTES,
    max_depth=24,
    max_elements=2_000,
    max_attributes=48,
    max_name=128,
    max_value=16_384,
)
"""An event of the largest drawing seen has 700 elements, 8 deep."""

HEADER = ("version", "uid", "type", "how", "time", "start", "stale", "access", "qos", "opex")
"""Attributes of an event that this version reads; others stay in its bytes."""

POINT = ("lat", "lon", "hae", "ce", "le")

UNKNOWN_ERROR_M = 9_999_999.0
"""What an error that nobody knows is called."""

_REQUIRED = ("version", "uid", "type", "how", "time", "start", "stale")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_TYPE = re.compile(r"[a-zA-Z](-[A-Za-z0-9.]+)*")
_BOUNDS = {"lat": 90.0, "lon": 180.0, "hae": 1e9, "ce": 1e9, "le": 1e9}
_DECLARATION = re.compile(rb"\A\s*<\?xml[^>]*\?>")


class Point(msgspec.Struct, frozen=True):
    """Where an event is, as written: degrees, height over the ellipsoid m, errors m; empty where it is absent."""

    lat: str = ""
    lon: str = ""
    hae: str = ""
    ce: str = ""
    le: str = ""


class CotEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event. xml: all of it, as it came; the others: its header as written, empty where absent."""

    xml: bytes
    version: str = ""
    uid: str = ""
    type: str = ""
    how: str = ""
    time: str = ""
    start: str = ""
    stale: str = ""
    access: str = ""
    qos: str = ""
    opex: str = ""
    point: Point | None = None

    @property
    def time_ns(self) -> int | None:
        """When it was made, UTC ns; None where it does not say."""
        return time_of(self.time)

    @property
    def stale_ns(self) -> int | None:
        """Until when it holds, UTC ns; None where it does not say."""
        return time_of(self.stale)


@dataclass(frozen=True, slots=True)
class Defect:
    """One rule that an event breaks. line: 1-based."""

    line: int
    rule: str
    cause: str


def read_event(data: bytes) -> CotEvent:
    """The event in these bytes, with or without an XML declaration. Raises XmlRefusedError: rules of `parse_xml`, or
    `no-event`.
    """
    return _event(data, parse_xml(data, LIMITS))


def root_of(event: CotEvent) -> etree._Element:
    """The event's element."""
    return parse_xml(event.xml, LIMITS)


def detail_of(event: CotEvent) -> etree._Element | None:
    """The event's detail, None where it has none."""
    return next((one for one in children(root_of(event)) if one.tag == "detail"), None)


def number_of(text: str) -> float | None:
    """A finite number as written, or None. Clients write exponents too."""
    if not _NUMBER.fullmatch(text.strip(" \t\r\n")):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def time_of(text: str) -> int | None:
    """UTC ns of a time as written, or None. Its zone may be missing in no event."""
    try:
        time_ns = from_iso(text)
    except (ValueError, OverflowError):
        return None
    return time_ns if 0 <= time_ns <= MAX_MS * 1_000_000 else None


def defects(event: CotEvent) -> list[Defect]:
    """The rules of the base schema that an event breaks, in the order of its lines."""
    root = root_of(event)
    top = line_of(root)
    found = [
        Defect(top, f"{name}-missing", f"the event has no `{name}`")
        for name in _REQUIRED
        if root.get(name) is None
    ]
    version = number_of(event.version)
    if root.get("version") is not None and (version is None or version < 2.0):
        found.append(Defect(top, "version", f"{event.version!r} is no version from 2.0 on"))
    if root.get("uid") == "":
        found.append(Defect(top, "uid", "the uid is empty"))
    if root.get("type") is not None and not _TYPE.fullmatch(event.type):
        found.append(
            Defect(top, "type", f"{event.type[:64]!r} is no type: words joined by `-`, the first one letter")
        )
    if root.get("how") is not None and not _TYPE.fullmatch(event.how):
        found.append(Defect(top, "how", f"{event.how[:64]!r} is no `how`"))
    found += _time_defects(event, root, top)
    return sorted(found + _child_defects(root), key=lambda one: one.line)


def _event(data: bytes, root: etree._Element) -> CotEvent:
    if root.tag != "event":
        name = str(root.tag)[:64]
        raise XmlRefusedError(f"it is a `{name}` and no event", line=line_of(root), rule="no-event")
    point = next((one for one in children(root) if one.tag == "point"), None)
    where = None if point is None else Point(*(point.get(name, "") for name in POINT))
    header = {name: root.get(name, "") for name in HEADER}
    return CotEvent(xml=_bare(data, root), point=where, **header)


def _bare(data: bytes, root: etree._Element) -> bytes:
    """The event's bytes alone; written anew where what is around it, or its encoding, does not go on with it."""
    bare = _DECLARATION.sub(b"", data)
    declared = data[: len(data) - len(bare)].lower()
    plain = not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")) and b"\0" not in data
    if plain and (b"encoding" not in declared or b"utf-8" in declared) and not _beside(root):
        return (b"\n" * declared.count(b"\n") + bare).rstrip()
    return etree.tostring(root, encoding="utf-8", xml_declaration=False, with_tail=False)


def _beside(root: etree._Element) -> bool:
    """Whether a comment or an instruction stands before or after the event."""
    return root.getprevious() is not None or root.getnext() is not None


def _time_defects(event: CotEvent, root: etree._Element, line: int) -> list[Defect]:
    found = []
    for name in ("time", "start", "stale"):
        text = getattr(event, name)
        if root.get(name) is not None and time_of(text) is None:
            found.append(Defect(line, name, f"{text[:64]!r} is no time with a zone"))
    start, stale = time_of(event.start), time_of(event.stale)
    if start is not None and stale is not None and stale < start:
        found.append(
            Defect(line, "stale", f"it is stale {(start - stale) / NS_PER_S:.3f} s before it starts")
        )
    return found


def _child_defects(root: etree._Element) -> list[Defect]:
    found = []
    points = [one for one in children(root) if one.tag == "point"]
    details = [one for one in children(root) if one.tag == "detail"]
    if not points:
        found.append(Defect(line_of(root), "point-missing", "the event has no `point`"))
    for name, many in (("point", points), ("detail", details)):
        found += [Defect(line_of(one), f"{name}-twice", f"a second `{name}`") for one in many[1:]]
    for one in children(root):
        if one.tag not in ("point", "detail"):
            found.append(Defect(line_of(one), "element", f"`{str(one.tag)[:64]}` has no place in an event"))
    for text in [root.text, *(one.tail for one in root)]:
        if text and text.strip():
            found.append(
                Defect(line_of(root), "text", f"text {text.strip()[:32]!r} stands between the elements")
            )
            break
    for point in points:
        found += _point_defects(point)
    return found


def _point_defects(point: etree._Element) -> list[Defect]:
    found: list[Defect] = []
    line = line_of(point)
    found += [
        Defect(line_of(one), "element", f"`{str(one.tag)[:64]}` has no place in a point")
        for one in children(point)
    ]
    if any(text and text.strip() for text in [point.text, *(one.tail for one in point)]):
        found.append(Defect(line, "text", "text stands in a point"))
    for name in POINT:
        text = point.get(name)
        if text is None:
            found.append(Defect(line, f"{name}-missing", f"the point has no `{name}`"))
            continue
        value = number_of(text)
        low = 0.0 if name in ("ce", "le") else -_BOUNDS[name]
        if value is None or not low <= value <= _BOUNDS[name]:
            found.append(Defect(line, name, f"{text[:32]!r} is no {name}"))
    return found
