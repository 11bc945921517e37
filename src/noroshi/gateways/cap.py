"""CAP 1.2 out of an alert's body: pure, always the same bytes for the same alert, valid against the OASIS schema.

The status comes from the realm alone. There is one `info` per language, one `area` per warned region with the
region's name and codes, and one more `area` with the polygons of the corridor: a region's shape is not known here, and
to give a region the whole corridor's polygon would warn its neighbours in its name. What CAP cannot carry
(probabilities per place, the approvals, covariances) stays in the signed alert.

    data = encode_alert(body, CapContext(realm="exercise:demo", sender="jp-cabsec@exercise.noroshi.invalid"))
    check_own(data).status                   # 'Exercise'

Source: OASIS Common Alerting Protocol Version 1.2 (1 July 2010), section 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import pi
from types import MappingProxyType
from typing import Literal

from msgspec import UNSET, UnsetType

from noroshi.clock import NS_PER_S
from noroshi.errors import LocalError
from noroshi.gateways.cap_check import Profile, check_cap
from noroshi.gateways.cap_ipaws import PROFILE_CODE
from noroshi.gateways.cap_model import (
    NAMESPACES,
    CapAlert,
    CapArea,
    CapCircle,
    CapInfo,
    CapNamed,
    CapPolygon,
    CapResource,
    CapTime,
)
from noroshi.gateways.cap_write import write_cap
from noroshi.gateways.geojson import point_deg
from noroshi.gateways.local_time import Zone, ceil_s, zone_of
from noroshi.gateways.realm import MARKS, check_realm_text, realm_kind, status_for
from noroshi.gateways.xml_parse import xml_text
from noroshi.messages.bodies import AlertBody, AreaRow, CitedRow, Ring, TextRow

NAMESPACE = NAMESPACES["1.2"]

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


@dataclass(frozen=True, slots=True)
class Said:
    """What our file says of a kind of alert: its event by language, the standard's category, what people are to do."""

    events: Mapping[str, str]
    category: str
    response: str


MISSILE = Said(EVENTS, "Safety", "Shelter")
HAZARDS: Mapping[str, Said] = MappingProxyType(
    {
        "tsunami": Said(
            {"en": "Tsunami warning", "ja": "津波警報", "ko": "지진해일 경보"}, "Geo", "Evacuate"
        ),
        "earthquake": Said(
            {"en": "Earthquake warning", "ja": "地震の警報", "ko": "지진 경보"}, "Geo", "Shelter"
        ),
        "weather": Said(
            {"en": "Severe weather warning", "ja": "気象の警報", "ko": "기상 경보"}, "Met", "Shelter"
        ),
        "general": Said(
            {"en": "Warning of danger", "ja": "危険に関する警報", "ko": "위험 경보"}, "Safety", "Shelter"
        ),
    }
)
"""Of alerts on another agency's word, by kind of hazard."""

NAMED_AREA: Mapping[str, str] = MappingProxyType(
    {"en": "Area that the agency has named", "ja": "機関が発表した地域", "ko": "기관이 발표한 지역"}
)

NAMELESS = "-"
"""Of an area that nobody has named: CAP wants a text there."""

SAME_EVENT = "CDW"
"""Civil danger warning: the code of the USA's alerting for an attack that is on its way (47 CFR 11.31)."""

SAME_HAZARD = "CEM"
"""Civil emergency message: what an alerting authority of the USA sends of whatever else people must act on."""

_WORD = re.compile(r"[^\s,&<>]+")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")


class CapError(LocalError):
    """An alert of ours cannot be written as CAP: it breaks a rule that it should have kept before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapContext:
    """What an alert's body does not say.

    realm: the gateway's own; sender: an address-like name, guaranteed to be nobody else's; nation: whose clock the
    times are in; sent_of: when each referenced alert of this sender was sent; incident: the event's alias, released to
    the alert's audience; basis: how sure it is; status: what somebody claims it should be, which can only refuse.
    web, contact: for the public, the same in all languages, where the body has none; resources: files that go along;
    circles: (latitude_rad, longitude_rad, radius_m) beside the polygons; profile: `ipaws` writes what that profile
    asks for, and then an area must have a code of the scheme SAME.
    """

    realm: str
    sender: str
    sender_name: str = ""
    nation: str = ""
    sent_of: Mapping[str, int] = field(default_factory=dict)
    incident: str = ""
    basis: Literal["single-source", "one-kind", "confirmed"] = "single-source"
    status: str = ""
    web: str = ""
    contact: str = ""
    resources: tuple[CapResource, ...] = ()
    circles: tuple[tuple[float, float, float], ...] = ()
    profile: Profile = ""


def encode_alert(body: AlertBody, context: CapContext) -> bytes:
    """The alert as CAP 1.2 in UTF-8.

    Raises RealmError when the realm is none or another status is claimed, and CapError when the alert is unfit: an
    empty or spaced identifier, an update that refers to nothing or to an alert unknown to `context.sent_of`, no text,
    an unknown language, a text that does not fit the realm, an expiry before the sending, a ring across 180 degrees, an
    address that is not absolute, a profile's rule that is not kept.
    """
    data = write_cap(cap_of(body, context))
    if context.profile:
        broken = next(
            (one for one in check_cap(data, profile=context.profile) if one.severity == "error"), None
        )
        if broken is not None:
            raise CapError("write the alert as CAP", subject=body.identifier, cause=broken.text)
    return data


def cap_of(body: AlertBody, context: CapContext) -> CapAlert:
    """The alert as values of CAP 1.2. Raises what `encode_alert` raises, but for the rules of a profile."""
    status = status_for(context.realm, context.status)
    _check(body, context)
    zone = zone_of(context.nation)
    note = ""
    if status == "Exercise":
        note = f"{' / '.join(MARKS.values())}: {context.realm.partition(':')[2]}"
    return CapAlert(
        version="1.2",
        identifier=body.identifier,
        sender=context.sender,
        sent=CapTime(zone.iso(body.sent_ns)),
        status=status,
        msg_type=body.type,
        scope="Public",
        codes=(PROFILE_CODE,) if context.profile == "ipaws" else (),
        note=xml_text(note),
        references=" ".join(_reference(one, context, zone) for one in body.references),
        incidents=xml_text(context.incident),
        infos=tuple(_info(text, body, context, zone) for text in body.texts),
    )


def _check(body: AlertBody, context: CapContext) -> None:
    def refuse(cause: str) -> CapError:
        return CapError("write the alert as CAP", subject=body.identifier, cause=cause)

    for name, value in (("identifier", body.identifier), ("sender", context.sender), *(
        ("reference", one) for one in body.references
    )):  # fmt: skip
        if not _WORD.fullmatch(value) or xml_text(value) != value:
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
    web = _said(body.web) or context.web
    if web and not _ABSOLUTE.fullmatch(web):
        raise refuse(f"web {web!r} is not an absolute address")
    if any(abs(a[1] - b[1]) > pi for ring in body.rings for a, b in pairwise(ring)):
        raise refuse("a ring crosses 180 degrees and is not split there")
    for text in body.texts:
        if text.language not in LANGUAGES:
            raise refuse(f"language {text.language!r} is unknown")
        for words in (text.headline, text.description, text.instruction):
            defect = check_realm_text(words, text.language, context.realm)
            if defect:
                raise refuse(f"its {text.language} text {defect}")


def _info(text: TextRow, body: AlertBody, context: CapContext, zone: Zone) -> CapInfo:
    ended = body.type == "Cancel"
    mark = f"{MARKS[text.language]}: " if realm_kind(context.realm) == "exercise" else ""
    urgency, severity, certainty = _grades(body, context)
    onset = None
    if body.areas and not ended:
        onset = CapTime(zone.iso(max(body.sent_ns, min(area.from_ns for area in body.areas))))
    ipaws = context.profile == "ipaws"
    said = MISSILE if body.hazard is UNSET else HAZARDS[body.hazard.hazard]
    return CapInfo(
        language=LANGUAGES[text.language],
        categories=(said.category,),
        event=mark + said.events[text.language],
        response_types=("AllClear" if ended else said.response,),
        urgency=urgency,
        severity=severity,
        certainty=certainty,
        event_codes=(CapNamed("SAME", SAME_EVENT if body.hazard is UNSET else SAME_HAZARD),) if ipaws else (),
        effective=CapTime(zone.iso(body.sent_ns)),
        onset=onset,
        expires=CapTime(zone.iso(ceil_s(body.expires_ns))),
        sender_name=xml_text(mark + context.sender_name) if context.sender_name else "",
        headline=xml_text(text.headline),
        description=xml_text(text.description),
        instruction=xml_text(text.instruction),
        web=_said(body.web) or context.web,
        contact=xml_text(_said(body.contact) or context.contact),
        parameters=(CapNamed("EAS-ORG", "CIV"),) if ipaws else (),
        resources=context.resources,
        areas=_areas(text.language, body, context),
    )


def _said(text: str | UnsetType) -> str:
    return "" if isinstance(text, UnsetType) else text


def _areas(language: str, body: AlertBody, context: CapContext) -> tuple[CapArea, ...]:
    areas = [
        CapArea(_described(name, country), geocodes=codes)
        for country, name, codes in _regions(body.areas, language)
    ]
    polygons = tuple(CapPolygon(one) for one in map(_polygon, body.rings) if one)
    circles = tuple(CapCircle(_circle(*one)) for one in context.circles)
    if polygons or circles:
        where = CORRIDOR if body.hazard is UNSET else NAMED_AREA
        areas.append(CapArea(where[language], polygons, circles))
    return tuple(areas)


def _grades(body: AlertBody, context: CapContext) -> tuple[str, str, str]:
    """urgency, severity, certainty. A prediction is never `Observed`; only "passed" comes from an observation.

    What an agency has observed is likely to us, and that it is over as well: we say it on its word.
    """
    if body.hazard is not UNSET:
        return _agencys_grades(body, body.hazard)
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


def _agencys_grades(body: AlertBody, cited: CitedRow) -> tuple[str, str, str]:
    if body.type == "Cancel":
        certainty = {"passed": "Likely", "false": "Unlikely"}.get(body.reason, "Unknown")
        return "Past", "Minor", certainty
    certainty = "Possible" if cited.certainty == "Possible" else "Likely"
    return cited.urgency, cited.severity, certainty


def _described(name: str, country: str) -> str:
    text = xml_text(f"{name} ({country})" if country else name)
    return text if text.strip() else NAMELESS


def _regions(areas: Iterable[AreaRow], language: str) -> list[tuple[str, str, tuple[CapNamed, ...]]]:
    """(country, name in the language, codes) of each region once, in the order of the areas.

    Every region has our own code; those that its agency gave it follow, in their order.
    """
    names: dict[tuple[str, str], str] = {}
    codes: dict[tuple[str, str], dict[tuple[str, str], None]] = {}
    for area in areas:
        region = (area.country, area.region)
        local = {"ja": area.region_ja, "ko": area.region_ko}.get(language, "")
        names.setdefault(region, local or area.region)
        own = codes.setdefault(region, {("noroshi:region", f"{area.country}/{area.region}"): None})
        if area.codes is not UNSET:
            own.update({(row[0], row[1]): None for row in area.codes if len(row) == 2 and row[0]})
    return [
        (
            country,
            name,
            tuple(CapNamed(xml_text(scheme), xml_text(code)) for scheme, code in codes[country, region]),
        )
        for (country, region), name in names.items()
    ]


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


def _circle(latitude: float, longitude: float, radius_m: float) -> str:
    lon, lat = point_deg(latitude, longitude)
    return f"{lat:.4f},{lon:.4f} {radius_m / 1000.0:.3f}".replace("-0.0000", "0.0000")
