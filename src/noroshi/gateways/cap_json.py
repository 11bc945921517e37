"""A CAP message as one JSON document with the names of CAP, and back.

document = cap_document(alert)
document["info"][0]["headline"], document["info"][0]["area"][0]["polygon"][0]["points"]
alert_of(document)                       # the same message, but for white space, order and attributes
"""

from __future__ import annotations

from typing import Any

from noroshi.gateways.cap_model import (
    NAMESPACES,
    CapAlert,
    CapArea,
    CapCircle,
    CapForm,
    CapInfo,
    CapNamed,
    CapPolygon,
    CapResource,
    CapTime,
    CapUnreadableError,
    CapVersion,
)
from noroshi.gateways.cap_schema import MANY, SCHEMAS, Child
from noroshi.gateways.cap_values import circle_of, polygon_of, time_of
from noroshi.gateways.xml_parse import XmlRefusedError, parse_xml, xml_text

_MADE: dict[str, Any] = {
    "alert": CapAlert,
    "info": CapInfo,
    "resource": CapResource,
    "area": CapArea,
    "named": CapNamed,
}


def cap_document(alert: CapAlert) -> dict[str, Any]:
    """The message as one JSON document with the names of CAP; lists where CAP lets one repeat.

    Polygons and circles are objects with their text and, where understood, their numbers in degrees and kilometres;
    `extra` holds what CAP does not have, as XML. White space between elements and attributes of known ones are left out.
    """
    return {
        "version": alert.version,
        "namespace": NAMESPACES[alert.version],
        **_document(alert, "alert", alert.version),
    }


def _document(value: Any, what: str, version: Any) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for child in SCHEMAS[version][what]:
        held = getattr(value, child.field)
        if child.most == MANY:
            rows = [_plain(one, child.kind, version) for one in held]
            if rows:
                document[child.name] = rows
        elif held or child.least or (value.form is not None and child.name in value.form.order):
            document[child.name] = _plain(held, child.kind, version)
    if value.extra:
        document["extra"] = [one.decode() for one in value.extra]
    return document


def _plain(value: Any, kind: str, version: Any) -> Any:
    if isinstance(value, CapTime):
        return value.text
    if isinstance(value, CapPolygon):
        return {"text": value.text, "points": [list(one) for one in value.points]}
    if isinstance(value, CapCircle):
        centre = None if value.latitude is None else [value.latitude, value.longitude]
        return {"text": value.text, "centre": centre, "radius_km": value.radius_km}
    if kind == "pair":
        return {"valueName": value.name, "value": value.value}
    return _document(value, kind, version) if kind in SCHEMAS[version] else value


def alert_of(document: Any) -> CapAlert:
    """The message in a document as `cap_document` makes it; numbers beside a text are not looked at.

    Raises CapUnreadableError, and never anything else. Whether the message is valid is for `check_cap` to say of what
    `write_cap` writes.
    """
    said = document.get("version") if isinstance(document, dict) else None
    version = next((one for one in NAMESPACES if one == said), None)
    if version is None:
        raise CapUnreadableError("the document names no version of CAP", rule="json")
    if document.get("namespace", NAMESPACES[version]) != NAMESPACES[version]:
        raise CapUnreadableError("its namespace is not that of its version", rule="json")
    return CapAlert(version=version, **_fields(document, "alert", version))


def _fields(document: Any, what: str, version: CapVersion) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise CapUnreadableError(f"{what} is no object", rule="json")
    table = {one.name: one for one in SCHEMAS[version][what]}
    strange = [one for one in document if one not in table and one not in ("version", "namespace", "extra")]
    if strange:
        raise CapUnreadableError(f"{what} has no {str(strange[0])[:40]!r}", rule="json")
    fields: dict[str, Any] = {
        one.field: "" for one in table.values() if one.least and one.most == 1 and one.kind != "time"
    }
    if what == "alert":
        fields["sent"] = CapTime("")
    order: list[str] = []
    for name, child in table.items():
        if name in document:
            fields[child.field] = _value(document[name], child, version)
            order += [name] * (len(fields[child.field]) if child.most == MANY else 1)
    fields["extra"] = tuple(_extra(one) for one in _list(document.get("extra", []), "extra"))
    fields["form"] = CapForm(order=(*order, *("+" for _ in fields["extra"])))
    return fields


def _value(held: Any, child: Child, version: CapVersion) -> Any:
    if child.most == MANY:
        return tuple(_single(one, child, version) for one in _list(held, child.name))
    return _single(held, child, version)


def _single(held: Any, child: Child, version: CapVersion) -> Any:
    if child.kind in SCHEMAS[version]:
        return _MADE[child.kind](**_fields(held, child.kind, version))
    if child.kind == "pair":
        parts = held if isinstance(held, dict) else {}
        return CapNamed(_text(parts.get("valueName"), child.name), _text(parts.get("value"), child.name))
    if child.kind in ("polygon", "circle"):
        text = _text(held.get("text") if isinstance(held, dict) else None, child.name)
        return polygon_of(text) if child.kind == "polygon" else circle_of(text)
    text = _text(held, child.name)
    return time_of(text) if child.kind == "time" else text


def _text(held: Any, name: str) -> str:
    if not isinstance(held, str) or xml_text(held) != held:
        raise CapUnreadableError(f"{name} is no text that XML can hold", rule="json")
    return held


def _list(held: Any, name: str) -> list[Any]:
    if not isinstance(held, list):
        raise CapUnreadableError(f"{name} is no list", rule="json")
    return held


def _extra(held: Any) -> bytes:
    data = _text(held, "extra").encode()
    try:
        parse_xml(data)
    except XmlRefusedError as error:
        raise CapUnreadableError(f"extra: {error.plain}", rule="json") from error
    return data
