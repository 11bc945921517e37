"""CAP 1.2 out of an alert's body: pure, always the same bytes for the same alert, valid against the OASIS schema.

The status comes from the realm alone. There is one `info` per language, one `area` per warned region with the
region's name and code, and one more `area` with the polygons of the corridor: a region's shape is not known here, and
to give a region the whole corridor's polygon would warn its neighbours in its name. What CAP cannot carry
(probabilities per place, the approvals, covariances) stays in the signed alert.

    data = encode_alert(body, CapContext(realm="exercise:demo", sender="jp-cabsec@exercise.noroshi.invalid"))
    check_own(data).status                   # 'Exercise'

Source: OASIS Common Alerting Protocol Version 1.2 (1 July 2010), section 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import pi
from types import MappingProxyType
from typing import Literal
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from noroshi.clock import NS_PER_S
from noroshi.errors import LocalError
from noroshi.gateways.geojson import point_deg
from noroshi.gateways.local_time import Zone, ceil_s, zone_of
from noroshi.gateways.realm import MARKS, check_realm_text, realm_kind, status_for
from noroshi.messages.bodies import AlertBody, AreaRow, Ring, TextRow

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"

MAX_POLYGON_POINTS = 200
"""Corners per polygon: receivers with little memory cut longer ones off."""

IMMEDIATE_NS = 15 * 60 * NS_PER_S
"""A window that opens within this time asks for action at once; one within an hour "soon" (CAP 1.2, `urgency`)."""

LANGUAGES: Mapping[str, str] = MappingProxyType({"en": "en-US", "ja": "ja-JP", "ko": "ko-KR"})

EVENTS: Mapping[str, str] = MappingProxyType(
    {"en": "Missile warning", "ja": "ミサイルに関する情報", "ko": "미사일 경보"}
)

CORRIDOR: Mapping[str, str] = MappingProxyType(
    {"en": "Area along the expected path", "ja": "予想される経路に沿った地域", "ko": "예상 경로 일대"}
)

_WORD = re.compile(r"[^\s,&<>]+")
_FORBIDDEN = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class CapError(LocalError):
    """An alert of ours cannot be written as CAP: it breaks a rule that it should have kept before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapContext:
    """What an alert's body does not say.

    realm: the gateway's own; sender: an address-like name, guaranteed to be nobody else's; nation: whose clock the
    times are in; sent_of: when each referenced alert of this sender was sent; incident: the event's alias, released to
    the alert's audience; basis: how sure it is; status: what somebody claims it should be, which can only refuse.
    """

    realm: str
    sender: str
    sender_name: str = ""
    nation: str = ""
    sent_of: Mapping[str, int] = field(default_factory=dict)
    incident: str = ""
    basis: Literal["single-source", "one-kind", "confirmed"] = "single-source"
    status: str = ""


def encode_alert(body: AlertBody, context: CapContext) -> bytes:
    """The alert as CAP 1.2 in UTF-8.

    Raises RealmError when the realm is none or another status is claimed, and CapError when the alert is unfit: an
    empty or spaced identifier, an update that refers to nothing or to an alert unknown to `context.sent_of`, no text,
    an unknown language, a text that does not fit the realm, an expiry before the sending, a ring across 180 degrees.
    """
    status = status_for(context.realm, context.status)
    _check(body, context)
    zone = zone_of(context.nation)
    root = Element("alert", {"xmlns": NAMESPACE})
    _put(root, "identifier", body.identifier)
    _put(root, "sender", context.sender)
    _put(root, "sent", zone.iso(body.sent_ns))
    _put(root, "status", status)
    _put(root, "msgType", body.type)
    _put(root, "scope", "Public")
    if status == "Exercise":
        name = context.realm.partition(":")[2]
        _put(root, "note", f"{' / '.join(MARKS.values())}: {name}")
    if body.references:
        _put(root, "references", " ".join(_reference(one, context, zone) for one in body.references))
    if context.incident:
        _put(root, "incidents", context.incident)
    polygons = [one for one in map(_polygon, body.rings) if one]
    for text in body.texts:
        _info(root, text, body, context, zone, polygons)
    ElementTree.indent(root, " ")
    whole = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{whole}\n'.encode()


def _check(body: AlertBody, context: CapContext) -> None:
    def refuse(cause: str) -> CapError:
        return CapError("write the alert as CAP", subject=body.identifier, cause=cause)

    for name, value in (("identifier", body.identifier), ("sender", context.sender), *(
        ("reference", one) for one in body.references
    )):  # fmt: skip
        if not _WORD.fullmatch(value) or _FORBIDDEN.search(value):
            raise refuse(f"{name} {value!r} is empty or has a space, comma, < or &")
    if (body.type == "Alert") == bool(body.references):
        raise refuse(f"an {body.type} with {len(body.references)} references")
    missing = [one for one in body.references if one not in context.sent_of]
    if missing:
        raise refuse(f"it is not known when {missing[0]} was sent")
    if not 0 < body.sent_ns < body.expires_ns:
        raise refuse("it expires before it is sent")
    if not body.texts or len({text.language for text in body.texts}) != len(body.texts):
        raise refuse("it has no text, or two in one language")
    if any(abs(a[1] - b[1]) > pi for ring in body.rings for a, b in pairwise(ring)):
        raise refuse("a ring crosses 180 degrees and is not split there")
    for text in body.texts:
        if text.language not in LANGUAGES:
            raise refuse(f"language {text.language!r} is unknown")
        for words in (text.headline, text.description, text.instruction):
            defect = check_realm_text(words, text.language, context.realm)
            if defect:
                raise refuse(f"its {text.language} text {defect}")


def _info(
    root: Element, text: TextRow, body: AlertBody, context: CapContext, zone: Zone, polygons: Sequence[str]
) -> None:
    ended = body.type == "Cancel"
    mark = f"{MARKS[text.language]}: " if realm_kind(context.realm) == "exercise" else ""
    urgency, severity, certainty = _grades(body, context)
    info = SubElement(root, "info")
    _put(info, "language", LANGUAGES[text.language])
    _put(info, "category", "Safety")
    _put(info, "event", mark + EVENTS[text.language])
    _put(info, "responseType", "AllClear" if ended else "Shelter")
    _put(info, "urgency", urgency)
    _put(info, "severity", severity)
    _put(info, "certainty", certainty)
    _put(info, "effective", zone.iso(body.sent_ns))
    if body.areas and not ended:
        _put(info, "onset", zone.iso(max(body.sent_ns, min(area.from_ns for area in body.areas))))
    _put(info, "expires", zone.iso(ceil_s(body.expires_ns)))
    if context.sender_name:
        _put(info, "senderName", mark + context.sender_name)
    _put(info, "headline", text.headline)
    _put(info, "description", text.description)
    _put(info, "instruction", text.instruction)
    for country, region, name in _regions(body.areas, text.language):
        area = SubElement(info, "area")
        _put(area, "areaDesc", f"{name} ({country})" if country else name)
        code = SubElement(area, "geocode")
        _put(code, "valueName", "noroshi:region")
        _put(code, "value", f"{country}/{region}")
    if polygons:
        area = SubElement(info, "area")
        _put(area, "areaDesc", CORRIDOR[text.language])
        for points in polygons:
            _put(area, "polygon", points)


def _grades(body: AlertBody, context: CapContext) -> tuple[str, str, str]:
    """urgency, severity, certainty. A prediction is never `Observed`; only "passed" comes from an observation."""
    if body.type == "Cancel":
        certainty = {"passed": "Observed", "false": "Unlikely"}.get(body.reason, "Unknown")
        return "Past", "Minor", certainty
    ahead_ns = min((area.from_ns for area in body.areas), default=body.sent_ns) - body.sent_ns
    urgency = (
        "Immediate" if ahead_ns <= IMMEDIATE_NS else "Expected" if ahead_ns <= 4 * IMMEDIATE_NS else "Future"
    )
    probability = max((area.probability for area in body.areas), default=0.0)
    several = context.basis in ("one-kind", "confirmed")
    return urgency, "Extreme", "Likely" if several and probability > 0.5 else "Possible"


def _regions(areas: Iterable[AreaRow], language: str) -> list[tuple[str, str, str]]:
    """(country, region, its name in the language), each once, in the order of the areas."""
    rows: dict[tuple[str, str], str] = {}
    for area in areas:
        local = {"ja": area.region_ja, "ko": area.region_ko}.get(language, "")
        rows.setdefault((area.country, area.region), local or area.region)
    return [(country, region, name) for (country, region), name in rows.items()]


def _reference(identifier: str, context: CapContext, zone: Zone) -> str:
    return f"{context.sender},{identifier},{zone.iso(context.sent_of[identifier])}"


def _polygon(ring: Ring) -> str:
    """`lat,lon lat,lon ...`, closed; empty when fewer than three corners are left after rounding to about 10 m."""
    step = -(-len(ring) // MAX_POLYGON_POINTS)
    corners = [point_deg(latitude, longitude) for latitude, longitude in ring[:: max(step, 1)]]
    points = [
        f"{lat:.4f},{lon:.4f}".replace("-0.0000", "0.0000") for lon, lat in ((c[0], c[1]) for c in corners)
    ]
    kept = [one for i, one in enumerate(points) if i == 0 or one != points[i - 1]]
    if kept and kept[-1] != kept[0]:
        kept.append(kept[0])
    return " ".join(kept) if len(set(kept)) >= 3 else ""


def _put(parent: Element, name: str, text: str) -> None:
    """A child with a text; line ends become \\n, and characters that no XML 1.0 file can hold U+FFFD."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    SubElement(parent, name).text = _FORBIDDEN.sub("\ufffd", plain)
