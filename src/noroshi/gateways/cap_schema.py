"""What CAP 1.0, 1.1 and 1.2 allow, as tables: the children of each element in their order, and the words of each list.

    table = SCHEMAS["1.2"]
    table["area"][0]                         # Child(name='areaDesc', field='description', kind='text', least=1, most=1)

Source: the schemas in OASIS CAP 1.2, 1.1 and 1.0, section 3.3 and 3.4 of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from noroshi.gateways.cap_model import CapVersion

MANY = 2**31
"""As many times as one likes."""


@dataclass(frozen=True, slots=True)
class Child:
    """One child element: its name, the field of the model, the form of its content, how often at least and at most.

    kind: `text`, `time`, `language`, `uri`, `integer`, `decimal`, `named`, a list of `WORDS`, or the name of an element
    with children of its own.
    """

    name: str
    field: str
    kind: str
    least: int
    most: int


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_STATUS = _words("Actual Exercise System Test Draft")
_CATEGORY = _words("Geo Met Safety Security Rescue Fire Health Env Transport Infra CBRNE Other")
_RESPONSE = _words("Shelter Evacuate Prepare Execute Avoid Monitor Assess AllClear None")
_CERTAINTY = _words("Observed Likely Possible Unlikely Unknown")

_WORDS_12: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "status": _STATUS,
        "msgType": _words("Alert Update Cancel Ack Error"),
        "scope": _words("Public Restricted Private"),
        "category": _CATEGORY,
        "responseType": _RESPONSE,
        "urgency": _words("Immediate Expected Future Past Unknown"),
        "severity": _words("Extreme Severe Moderate Minor Unknown"),
        "certainty": _CERTAINTY,
    }
)

_WORDS_11: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {**_WORDS_12, "responseType": tuple(one for one in _RESPONSE if one not in ("Avoid", "AllClear"))}
)

_WORDS_10: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **_WORDS_12,
        "status": tuple(one for one in _STATUS if one != "Draft"),
        "category": tuple(one for one in _CATEGORY if one != "CBRNE"),
        "certainty": ("Very Likely", "Likely", "Possible", "Unlikely", "Unknown"),
    }
)

WORDS: Mapping[CapVersion, Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"1.0": _WORDS_10, "1.1": _WORDS_11, "1.2": _WORDS_12}
)
"""The words of each list, by version."""


def _one(name: str, kind: str = "text", field: str = "") -> Child:
    return Child(name, field or name, kind, 1, 1)


def _maybe(name: str, kind: str = "text", field: str = "") -> Child:
    return Child(name, field or name, kind, 0, 1)


def _any(name: str, kind: str, field: str) -> Child:
    return Child(name, field, kind, 0, MANY)


_NAMED = (_one("valueName", field="name"), _one("value"))

_ALERT = (
    _one("identifier"),
    _one("sender"),
    _one("sent", "time"),
    _one("status", "status"),
    _one("msgType", "msgType", "msg_type"),
    _maybe("source"),
    _one("scope", "scope"),
    _maybe("restriction"),
    _maybe("addresses"),
    _any("code", "text", "codes"),
    _maybe("note"),
    _maybe("references"),
    _maybe("incidents"),
    _any("info", "info", "infos"),
)

_INFO = (
    _maybe("language", "language"),
    Child("category", "categories", "category", 1, MANY),
    _one("event"),
    _any("responseType", "responseType", "response_types"),
    _one("urgency", "urgency"),
    _one("severity", "severity"),
    _one("certainty", "certainty"),
    _maybe("audience"),
    _any("eventCode", "named", "event_codes"),
    _maybe("effective", "time"),
    _maybe("onset", "time"),
    _maybe("expires", "time"),
    _maybe("senderName", field="sender_name"),
    _maybe("headline"),
    _maybe("description"),
    _maybe("instruction"),
    _maybe("web", "uri"),
    _maybe("contact"),
    _any("parameter", "named", "parameters"),
    _any("resource", "resource", "resources"),
    _any("area", "area", "areas"),
)

_RESOURCE = (
    _one("resourceDesc", field="description"),
    _one("mimeType", field="mime_type"),
    _maybe("size", "integer"),
    _maybe("uri", "uri"),
    _maybe("derefUri", field="deref_uri"),
    _maybe("digest"),
)

_AREA = (
    _one("areaDesc", field="description"),
    _any("polygon", "polygon", "polygons"),
    _any("circle", "circle", "circles"),
    _any("geocode", "named", "geocodes"),
    _maybe("altitude", "decimal"),
    _maybe("ceiling", "decimal"),
)


def _changed(row: tuple[Child, ...], **kinds: tuple[str, int]) -> tuple[Child, ...]:
    """The row with another kind and another least number for the children named."""
    return tuple(
        Child(one.name, one.field, *kinds[one.name], one.most) if one.name in kinds else one for one in row
    )


_SCHEMA_12 = MappingProxyType(
    {"alert": _ALERT, "info": _INFO, "resource": _RESOURCE, "area": _AREA, "named": _NAMED}
)

_SCHEMA_11 = MappingProxyType(
    {
        "alert": _ALERT,
        "info": _INFO,
        "resource": _changed(_RESOURCE, mimeType=("text", 0)),
        "area": _changed(_AREA, altitude=("text", 0), ceiling=("text", 0)),
        "named": _NAMED,
    }
)

_SCHEMA_10 = MappingProxyType(
    {
        "alert": (*_ALERT[:5], _maybe("password"), *_changed(_ALERT[5:], scope=("scope", 0))),
        "info": _changed(
            tuple(one for one in _INFO if one.name != "responseType"),
            category=("category", 0),
            eventCode=("pair", 0),
            parameter=("pair", 0),
        ),
        "resource": _changed(tuple(one for one in _RESOURCE if one.name != "derefUri"), mimeType=("text", 0)),
        "area": _changed(_AREA, geocode=("pair", 0), altitude=("text", 0), ceiling=("text", 0)),
    }
)

SCHEMAS: Mapping[CapVersion, Mapping[str, tuple[Child, ...]]] = MappingProxyType(
    {"1.0": _SCHEMA_10, "1.1": _SCHEMA_11, "1.2": _SCHEMA_12}
)
"""The children of each element in order, by version. `pair` is the `name=value` of CAP 1.0."""
