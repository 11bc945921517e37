"""Writes Cursor on Target events: those that this system has to say, and no others.

A table lists the types that may be written. None of them tasks anybody or describes a weapon: tracks are unknown
objects in the air or in space, the rest are areas, alerts and their ends, chat, and the words of the protocol itself. An
event of an exercise says so in its call sign and in its remarks, whatever it is.

    xml = write_event(Writing(realm, "n1", "a-u-A", now_ns, stale_ns, place), callsign="Event 4", remarks="...")
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lxml import etree

from noroshi.clock import to_iso
from noroshi.errors import LocalError
from noroshi.gateways.cot import UNKNOWN_ERROR_M
from noroshi.gateways.realm import MARKS, realm_kind

AIR, SPACE = "a-u-A", "a-u-P"
SHAPE = "u-d-f"
WARNING, ALERT, HAZARD, CANCEL = "b-a-o-pan", "b-a-o-tbl", "b-a-g", "b-a-o-can"
DELETE = "t-x-d-d"
CHAT = "b-t-f"
PING, PONG = "t-x-c-t", "t-x-c-t-r"
VERSIONS, REQUEST, RESPONSE = "t-x-takp-v", "t-x-takp-q", "t-x-takp-r"

WRITTEN = frozenset(
    {AIR, SPACE, SHAPE, WARNING, ALERT, HAZARD, CANCEL, DELETE, CHAT, PONG, VERSIONS, RESPONSE}
)
"""Every type that is ever written. `t-x-` are the protocol's own words; of all else under `t-` there is nothing here."""

HOW_PREDICTED, HOW_HUMAN = "m-p", "h-g-i-g-o"
"""Calculated by a machine from what was observed; entered by people."""

RED, AMBER, BLUE = -65_536, -23_296, -16_776_961
"""Colours as signed ARGB."""

FAINT = 0x33000000
"""The part of a colour's byte of opacity that fills an area."""

MAX_CORNERS = 120
"""Of one area: clients draw each corner, and a contour of ours has up to a thousand."""

_NO_XML = "[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event is. Degrees, m; ce and le: one sigma of the horizontal radius and of the height, m."""

    lat_deg: float
    lon_deg: float
    hae_m: float = 0.0
    ce_m: float = UNKNOWN_ERROR_M
    le_m: float = UNKNOWN_ERROR_M


NOWHERE = Place(0.0, 0.0)
"""For events that are nowhere."""


@dataclass(frozen=True, slots=True)
class Writing:
    """The header of an event that is written."""

    realm: str
    uid: str
    type: str
    time_ns: int
    stale_ns: int
    place: Place = NOWHERE
    how: str = HOW_PREDICTED


def write_event(
    head: Writing,
    *,
    callsign: str = "",
    remarks: str = "",
    details: Iterable[etree._Element] = (),
) -> bytes:
    """The event's bytes, UTF-8, on one line without a declaration. Raises LocalError for a type that is not written."""
    if head.type not in WRITTEN:
        raise LocalError("write an event", subject=head.type, cause="this system writes no such type")
    root = etree.Element("event")
    place = head.place
    for name, value in (
        ("version", "2.0"), ("uid", head.uid), ("type", head.type), ("how", head.how), ("time", to_iso(head.time_ns)),
        ("start", to_iso(head.time_ns)), ("stale", to_iso(max(head.stale_ns, head.time_ns))),
    ):  # fmt: skip
        root.set(name, value)
    point = etree.SubElement(root, "point")
    point.set("lat", repr(round(float(place.lat_deg), 6)))
    point.set("lon", repr(round(float(place.lon_deg), 6)))
    for name, metres in (("hae", place.hae_m), ("ce", place.ce_m), ("le", place.le_m)):
        point.set(name, f"{metres:.1f}")
    detail = etree.SubElement(root, "detail")
    if callsign:
        element("contact", detail, callsign=marked(callsign, head.realm))
    for one in details:
        detail.append(one)
    if remarks:
        element("remarks", detail).text = _clean(marked(remarks, head.realm))
    return etree.tostring(root, encoding="utf-8", xml_declaration=False)


def element(name: str, parent: etree._Element | None = None, /, **attributes: str) -> etree._Element:
    """An element with these attributes, inside its parent if it has one."""
    made = etree.Element(name) if parent is None else etree.SubElement(parent, name)
    for key, value in attributes.items():
        made.set(key.rstrip("_"), _clean(value))
    return made


def marked(text: str, realm: str) -> str:
    """The text with the mark of an exercise before it, in an exercise."""
    if realm_kind(realm) == "real" or text.startswith(MARKS["en"]):
        return text
    return f"{MARKS['en']} {text}"


def outline(ring: Iterable[Iterable[float]], colour: int) -> list[etree._Element]:
    """A closed area by its corners, [longitude, latitude] in degrees, as clients draw it."""
    corners = [tuple(one) for one in ring]
    step = -(-len(corners) // MAX_CORNERS)
    kept = corners[::step]
    if kept[-1] != corners[-1]:
        kept.append(corners[-1])
    links = [element("link", point=f"{lat:.5f},{lon:.5f}") for lon, lat in kept]
    return [
        *links,
        element("strokeColor", value=str(colour)),
        element("strokeWeight", value="3.0"),
        element("fillColor", value=str((colour & 0xFFFFFF) | FAINT)),
        element("labels_on", value="true"),
    ]


def emergency(kind: str, callsign: str, realm: str, *, ends: bool = False) -> etree._Element:
    """What makes an event an alert to clients, or its end. kind: what the alert is called."""
    made = element("emergency", cancel="true") if ends else element("emergency", type=kind)
    made.text = _clean(marked(callsign, realm))
    return made


def link_to(uid: str, type_: str, relation: Literal["p-p", "none"] = "p-p") -> etree._Element:
    """The event that another one is about."""
    return element("link", uid=uid, type=type_, relation=relation)


def _clean(text: str) -> str:
    """Without what XML cannot hold."""
    return re.sub(_NO_XML, "", text)
