"""Reads back what `noroshi.gateways.cap` wrote, and nothing else: a check of our own files, not a reader of others'.

Strict on purpose: a document type, an entity, a comment, a processing instruction, an attribute, an element that we
do not write, or one in another place is refused. So nothing can hide in a file that passed.

    alert = check_own(data)
    alert.infos[0].areas[0].description      # 'Aomori (JP)'
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.parsers import expat

from noroshi.clock import from_iso
from noroshi.errors import PartnerError
from noroshi.gateways.cap import NAMESPACE

MAX_BYTES = 1_000_000
"""Of a file that is read: our largest alerts have a tenth of that."""

_ORDER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "alert": ("identifier", "sender", "sent", "status", "msgType", "scope", "note?", "references?", "incidents?",
                  "info*"),
        "info": ("language", "category", "event", "responseType", "urgency", "severity", "certainty", "effective",
                 "onset?", "expires", "senderName?", "headline", "description", "instruction", "area*"),
        "area": ("areaDesc", "polygon*", "geocode*"),
        "geocode": ("valueName", "value"),
    }
)  # fmt: skip
"""The children of each element in order; `?` may be absent, `*` may be absent or repeated."""


class CapUnreadableError(PartnerError):
    """Bytes that are not a CAP file as this codec writes it."""


@dataclass(frozen=True, slots=True)
class CapArea:
    """One area: its name, its polygons of (latitude, longitude) in degrees, its codes."""

    description: str
    polygons: tuple[tuple[tuple[float, float], ...], ...]
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CapInfo:
    """What is said in one language; `onset_ns` is None when the file names none."""

    language: str
    event: str
    response: str
    urgency: str
    severity: str
    certainty: str
    effective_ns: int
    onset_ns: int | None
    expires_ns: int
    sender_name: str
    headline: str
    description: str
    instruction: str
    areas: tuple[CapArea, ...]


@dataclass(frozen=True, slots=True)
class CapAlert:
    """The whole file. references: (sender, identifier, time sent) of earlier alerts."""

    identifier: str
    sender: str
    sent_ns: int
    status: str
    type: str
    note: str
    incident: str
    references: tuple[tuple[str, str, int], ...]
    infos: tuple[CapInfo, ...]


def check_own(data: bytes) -> CapAlert:
    """What one of our CAP files says. Raises CapUnreadableError on any other bytes, and never anything else."""
    if len(data) > MAX_BYTES:
        raise _unreadable(f"it has more than {MAX_BYTES} bytes")
    try:
        _guard(data)
        root = ElementTree.fromstring(data)
        _form(root, "alert")
        return _alert(root)
    except (expat.ExpatError, ElementTree.ParseError, ValueError, LookupError) as error:
        raise _unreadable(str(error)) from error


def _guard(data: bytes) -> None:
    """Refuses all that XML has beyond elements and text, before any tree is built."""

    def refuse(*_: object) -> None:
        raise _unreadable("it has a document type, an instruction, a comment or an entity")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ProcessingInstructionHandler = refuse
    parser.CommentHandler = refuse
    parser.StartCdataSectionHandler = refuse
    parser.Parse(data, True)


def _form(element: Element, name: str) -> None:
    if element.tag != f"{{{NAMESPACE}}}{name}" or element.attrib:
        raise ValueError(f"{element.tag} is not a plain CAP 1.2 {name}")
    rest = [child.tag.removeprefix(f"{{{NAMESPACE}}}") for child in element]
    if rest and (element.text or "").strip():
        raise ValueError(f"{name} has a text of its own")
    place = 0
    for wanted in _ORDER.get(name, ()):
        plain, begin = wanted.rstrip("?*"), place
        while place < len(rest) and rest[place] == plain and (place == begin or wanted.endswith("*")):
            place += 1
        if place == begin and plain == wanted:
            raise ValueError(f"{name} has no {plain} in its place")
    if place < len(rest):
        raise ValueError(f"{rest[place]} does not belong here in {name}")
    for child in element:
        if (child.tail or "").strip():
            raise ValueError(f"{name} has a text between its elements")
        _form(child, child.tag.removeprefix(f"{{{NAMESPACE}}}"))


def _alert(root: Element) -> CapAlert:
    return CapAlert(
        identifier=_text(root, "identifier"),
        sender=_text(root, "sender"),
        sent_ns=_time(root, "sent"),
        status=_one_of(_text(root, "status"), "Actual", "Exercise"),
        type=_one_of(_text(root, "msgType"), "Alert", "Update", "Cancel"),
        note=_text(root, "note"),
        incident=_text(root, "incidents"),
        references=tuple(_reference(one) for one in _text(root, "references").split()),
        infos=tuple(_info(one) for one in _all(root, "info")),
    )


def _info(info: Element) -> CapInfo:
    return CapInfo(
        language=_text(info, "language"),
        event=_text(info, "event"),
        response=_one_of(_text(info, "responseType"), "Shelter", "AllClear"),
        urgency=_text(info, "urgency"),
        severity=_text(info, "severity"),
        certainty=_text(info, "certainty"),
        effective_ns=_time(info, "effective"),
        onset_ns=_time(info, "onset") if _all(info, "onset") else None,
        expires_ns=_time(info, "expires"),
        sender_name=_text(info, "senderName"),
        headline=_text(info, "headline"),
        description=_text(info, "description"),
        instruction=_text(info, "instruction"),
        areas=tuple(_area(one) for one in _all(info, "area")),
    )


def _area(area: Element) -> CapArea:
    polygons = tuple(_polygon(one.text or "") for one in _all(area, "polygon"))
    return CapArea(
        _text(area, "areaDesc"), polygons, tuple(_text(one, "value") for one in _all(area, "geocode"))
    )


def _polygon(text: str) -> tuple[tuple[float, float], ...]:
    corners = []
    for pair in text.split():
        latitude, longitude = (float(one) for one in pair.split(","))
        if not (abs(latitude) <= 90.0 and abs(longitude) <= 180.0):
            raise ValueError(f"{pair} is not on the earth")
        corners.append((latitude, longitude))
    if len(corners) < 4 or corners[0] != corners[-1]:
        raise ValueError("a polygon is not closed")
    return tuple(corners)


def _reference(text: str) -> tuple[str, str, int]:
    sender, identifier, sent = text.split(",")
    return sender, identifier, from_iso(sent)


def _all(parent: Element, name: str) -> list[Element]:
    return parent.findall(f"{{{NAMESPACE}}}{name}")


def _text(parent: Element, name: str) -> str:
    return parent.findtext(f"{{{NAMESPACE}}}{name}") or ""


def _time(parent: Element, name: str) -> int:
    return from_iso(_text(parent, name))


def _one_of(text: str, *allowed: str) -> str:
    if text not in allowed:
        raise ValueError(f"{text!r} is none of {', '.join(allowed)}")
    return text


def _unreadable(cause: str) -> CapUnreadableError:
    return CapUnreadableError("read a CAP file", cause=cause)
