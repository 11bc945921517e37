"""A CAP message as CAP 1.2 or as GeoJSON, and what the other form could not carry.

    converted = to_cap12(read_cap(data))
    converted.alert.version, converted.lost              # '1.2', ('password (CAP 1.2 has none)',)
    cap_geojson(alert)["features"][0]["geometry"]["type"]

Source: OASIS CAP 1.1, appendix B, and CAP 1.2, appendix B, for what changed; RFC 7946 for GeoJSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import radians
from typing import Any

import msgspec

from noroshi.errors import LocalError, OperatorError
from noroshi.gateways.cap_model import (
    SIGNATURE_NAMESPACE,
    CapAlert,
    CapArea,
    CapForm,
    CapInfo,
    CapNamed,
    CapPolygon,
    CapResource,
    CapTime,
    CapUnreadableError,
)
from noroshi.gateways.cap_values import time_of
from noroshi.gateways.xml_parse import parse_xml, split_name
from noroshi.gateways.xml_types import is_decimal
from noroshi.geo.areas import MAX_REACH_M, circle, from_rings_deg

DEFAULT_LANGUAGE = "en-US"
"""Of an info that names none: CAP 1.2, section 3.2.2."""

_FRACTION = re.compile(r"\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Converted:
    """The message in CAP 1.2, and what was lost or had to be put in, one phrase each."""

    alert: CapAlert
    lost: tuple[str, ...]


def to_cap12(alert: CapAlert) -> Converted:
    """The message as CAP 1.2; one that is already comes back as it is, with nothing lost.

    Raises CapUnreadableError when `sent` has no zone: when it was sent cannot be guessed.
    """
    if alert.version == "1.2":
        return Converted(alert, ())
    lost: list[str] = []
    if alert.sent.time_ns is None:
        raise CapUnreadableError("sent has no zone, which CAP 1.2 asks for", rule="time-zone")
    if alert.password:
        lost.append("password (CAP 1.2 has none)")
    scope, restriction = alert.scope, alert.restriction
    if not scope:
        scope, restriction = "Restricted", restriction or "the CAP 1.0 original names no scope"
        lost.append("no scope: written as Restricted")
    extra = tuple(one for one in alert.extra if split_name(parse_xml(one))[0] != SIGNATURE_NAMESPACE)
    if len(extra) != len(alert.extra):
        lost.append("the signature (it covers the original, not the conversion)")
    form = alert.form or CapForm()
    other = msgspec.structs.replace(
        alert, version="1.2", sent=_time(alert.sent, "sent", lost), scope=scope, restriction=restriction, password="",
        infos=tuple(_info(one, number, lost) for number, one in enumerate(alert.infos)), extra=extra,
        form=CapForm(attributes=form.attributes, prefix=form.prefix, namespaces=form.namespaces),
    )  # fmt: skip
    return Converted(other, tuple(lost))


def _info(info: CapInfo, number: int, lost: list[str]) -> CapInfo:
    where = f"info[{number}]"
    categories, certainty = info.categories, info.certainty
    if not categories:
        categories = ("Other",)
        lost.append(f"{where} no category: written as Other")
    if certainty == "Very Likely":
        certainty = "Likely"
        lost.append(f"{where} certainty Very Likely: written as Likely, as CAP 1.1 says")
    times = {
        name: None if held is None else _time(held, f"{where}.{name}", lost)
        for name, held in (("effective", info.effective), ("onset", info.onset), ("expires", info.expires))
    }
    return msgspec.structs.replace(
        info,
        categories=categories,
        certainty=certainty,
        **{name: held if held is None or held.text else None for name, held in times.items()},
        event_codes=_named(info.event_codes, f"{where}.eventCode", lost),
        parameters=_named(info.parameters, f"{where}.parameter", lost),
        resources=tuple(
            _resource(one, f"{where}.resource[{i}]", lost) for i, one in enumerate(info.resources)
        ),
        areas=tuple(_area(one, f"{where}.area[{i}]", lost) for i, one in enumerate(info.areas)),
        form=_loose(info.form),
    )


def _resource(resource: CapResource, where: str, lost: list[str]) -> CapResource:
    mime_type = resource.mime_type
    if not mime_type:
        mime_type = "application/octet-stream"
        lost.append(f"{where} no mimeType: written as {mime_type}")
    return msgspec.structs.replace(resource, mime_type=mime_type, form=_loose(resource.form))


def _area(area: CapArea, where: str, lost: list[str]) -> CapArea:
    heights = {"altitude": area.altitude, "ceiling": area.ceiling}
    for name, text in heights.items():
        if text and not is_decimal(text):
            heights[name] = ""
            lost.append(f"{where} {name} {text!r} (CAP 1.2 takes numbers only)")
    codes = _named(area.geocodes, f"{where}.geocode", lost)
    return msgspec.structs.replace(area, **heights, geocodes=codes, form=_loose(area.form))


def _named(rows: tuple[CapNamed, ...], where: str, lost: list[str]) -> tuple[CapNamed, ...]:
    lost += [f"{where} {one.value!r} has no name: written with an empty one" for one in rows if not one.name]
    return tuple(msgspec.structs.replace(one, form=_loose(one.form)) for one in rows)


def _time(time: CapTime, where: str, lost: list[str]) -> CapTime:
    """To the second, with a numeric zone; an empty text when it has no zone."""
    if time.time_ns is None:
        lost.append(f"{where} {time.text!r} (it has no zone)")
        return CapTime("")
    plain = time.text.strip()
    cut = _FRACTION.sub("", plain)
    if cut != plain:
        lost.append(f"{where} fraction of the second")
    return time_of(f"{cut[:-1]}-00:00" if cut[-1:] == "Z" else cut)


def _loose(form: CapForm | None) -> CapForm | None:
    """Attributes only: order and white space were those of another version."""
    return None if form is None or not form.attributes else CapForm(attributes=form.attributes)


def cap_geojson(alert: CapAlert) -> dict[str, Any]:
    """A feature per area of each info: polygons and circles as rings (RFC 7946), split at 180 degrees.

    An area without either has no geometry (null). What is not understood is named in the feature's `left_out`.
    """
    features = [
        {
            "type": "Feature",
            "geometry": geometry,
            "properties": {**_facts(alert, info, area), "left_out": left_out},
        }
        for info in alert.infos
        for area in info.areas
        for geometry, left_out in [_geometry(area)]
    ]
    return {"type": "FeatureCollection", "features": features}


def _facts(alert: CapAlert, info: CapInfo, area: CapArea) -> dict[str, Any]:
    times = {"effective": info.effective, "onset": info.onset, "expires": info.expires}
    return {
        "identifier": alert.identifier,
        "sender": alert.sender,
        "sent": alert.sent.text,
        "status": alert.status,
        "msgType": alert.msg_type,
        "scope": alert.scope,
        "language": info.language or DEFAULT_LANGUAGE,
        "category": list(info.categories),
        "event": info.event,
        "responseType": list(info.response_types),
        "urgency": info.urgency,
        "severity": info.severity,
        "certainty": info.certainty,
        **{name: held.text for name, held in times.items() if held is not None},
        "senderName": info.sender_name,
        "headline": info.headline,
        "areaDesc": area.description,
        "geocode": [[one.name, one.value] for one in area.geocodes],
    }


def _geometry(area: CapArea) -> tuple[dict[str, Any] | None, list[str]]:
    rings: list[list[list[float]]] = []
    points: list[list[float]] = []
    left_out: list[str] = []
    for polygon in area.polygons:
        try:
            rings += _polygon_rings(polygon)
        except (OperatorError, LocalError):
            left_out.append(polygon.text[:200])
    for one in area.circles:
        if one.latitude is None or one.longitude is None or one.radius_km is None:
            left_out.append(one.text[:200])
        elif one.radius_km == 0.0:
            points.append([one.longitude, one.latitude])
        elif one.radius_km * 1000.0 > MAX_REACH_M:
            left_out.append(one.text[:200])
        else:
            around = circle(radians(one.latitude), radians(one.longitude), one.radius_km * 1000.0)
            rings += [[list(corner) for corner in ring] for ring in around.to_rings_deg()]
    return _joined(rings, points), left_out


def _joined(rings: list[list[list[float]]], points: list[list[float]]) -> dict[str, Any] | None:
    parts: list[dict[str, Any]] = []
    if len(rings) == 1:
        parts.append({"type": "Polygon", "coordinates": rings})
    elif rings:
        parts.append({"type": "MultiPolygon", "coordinates": [[ring] for ring in rings]})
    parts += [{"type": "Point", "coordinates": one} for one in points]
    if len(parts) > 1:
        return {"type": "GeometryCollection", "geometries": parts}
    return parts[0] if parts else None


def _polygon_rings(polygon: CapPolygon) -> Iterator[list[list[float]]]:
    """Rings of [longitude, latitude], anticlockwise; the points themselves where the ring crosses nothing."""
    corners = [(longitude, latitude) for latitude, longitude in polygon.points]
    if not corners or any(abs(a[0] - b[0]) > 180.0 for a, b in pairwise(corners)):
        for ring in from_rings_deg([corners]).to_rings_deg():
            yield [list(corner) for corner in ring]
        return
    turn = sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(corners))
    yield [list(corner) for corner in (corners if turn >= 0.0 else corners[::-1])]
