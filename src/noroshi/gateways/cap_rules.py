"""What the text of the CAP standard asks beyond its schema: each rule a finding of severity `warning`.

    [finding.rule for finding in text_findings(root, "1.2")]         # ['polygon', 'restriction']

Source: OASIS CAP 1.2 (1 July 2010), section 3.2, and the same section of 1.1 and 1.0.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from lxml import etree

from noroshi.gateways.cap_model import SIGNATURE_NAMESPACE, CapVersion
from noroshi.gateways.cap_valid import Finding
from noroshi.gateways.cap_values import circle_of, number_of, polygon_of, reference_of, time_of
from noroshi.gateways.xml_parse import children, line_of, plain_text, split_name

_WORD = re.compile(r"[^\s,&<]+")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.+", re.DOTALL)
_MIME = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+(?:\s*;.*)?", re.DOTALL)
_SHA1 = re.compile(r"[0-9A-Fa-f]{40}")
_ALPHA_ZONE = re.compile(r".*[Zz]")

_NEEDS_REFERENCES = ("Update", "Cancel", "Ack", "Error")


def text_findings(root: etree._Element, version: CapVersion) -> Iterator[Finding]:
    """What the standard's text forbids in an `alert` element, whatever the schema says of it."""
    yield from _alert(root)
    yield from _signature_place(root)
    for element in children(root):
        yield from _leaf(element, version)
        if _name(element) == "info":
            yield from _info(element, version, root)


def _info(info: etree._Element, version: CapVersion, root: etree._Element) -> Iterator[Finding]:
    sent, expires = (time_of(_text(one, name)).time_ns for one, name in ((root, "sent"), (info, "expires")))
    if sent is not None and expires is not None and expires <= sent:
        yield _warn(_child(info, "expires"), "expires", "the info expires before the message is sent")
    for element in children(info):
        yield from _leaf(element, version)
        if _name(element) == "resource":
            yield from _resource(element)
        elif _name(element) == "area":
            yield from _area(element)
        if _name(element) in ("area", "resource", "eventCode", "parameter"):
            for one in children(element):
                yield from _leaf(one, version)
                for inner in children(one):
                    yield from _leaf(inner, version)


def _alert(root: etree._Element) -> Iterator[Finding]:
    kind, scope, status = (_text(root, name) for name in ("msgType", "scope", "status"))
    has = {_name(one) for one in children(root) if plain_text(one).strip()}
    if kind in _NEEDS_REFERENCES and "references" not in has:
        yield _warn(
            _child(root, "msgType"), "references", f"msgType {kind} without references to what it is about"
        )
    if (scope == "Restricted") != ("restriction" in has):
        cause = (
            "scope Restricted without restriction"
            if scope == "Restricted"
            else f"restriction with scope {scope}"
        )
        yield _warn(_child(root, "restriction", "scope"), "restriction", cause)
    if scope == "Private" and "addresses" not in has:
        yield _warn(_child(root, "scope"), "addresses", "scope Private without addresses")
    if "note" not in has and (kind == "Error" or status == "Exercise"):
        cause = (
            "msgType Error without a note that says why" if kind == "Error" else "an exercise without a note"
        )
        yield _warn(_child(root, "msgType"), "note", cause)
    if kind in ("Alert", "Update") and _child(root, "info") is root:
        yield _warn(root, "info", f"msgType {kind} without any info says nothing")


def _signature_place(root: etree._Element) -> Iterator[Finding]:
    """The schema puts signatures last; validators built on libxml2 let an `info` follow them all the same."""
    before = None
    for one in children(root):
        if split_name(one)[0] == SIGNATURE_NAMESPACE:
            before = one
        elif before is not None and _name(one) == "info":
            yield _warn(
                before, "signature-place", "a signature stands before an info, and belongs at the end"
            )
            return


def _resource(resource: etree._Element) -> Iterator[Finding]:
    uri, content, digest = (_text(resource, name) for name in ("uri", "derefUri", "digest"))
    if not uri and not content:
        yield _warn(resource, "resource", "a resource has neither uri nor derefUri")
    if uri and not content and not _ABSOLUTE.fullmatch(uri):
        yield _warn(_child(resource, "uri"), "uri-form", f"uri {uri[:60]!r} is not absolute")
    if not content:
        return
    try:
        plain = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        yield _warn(_child(resource, "derefUri"), "base64", "derefUri is not base 64")
        return
    if _SHA1.fullmatch(digest) and hashlib.sha1(plain, usedforsecurity=False).hexdigest() != digest.lower():
        yield _warn(_child(resource, "digest"), "digest", "digest is not that of the content in derefUri")


def _area(area: etree._Element) -> Iterator[Finding]:
    altitude, ceiling = (_text(area, name) for name in ("altitude", "ceiling"))
    if ceiling and not altitude:
        yield _warn(_child(area, "ceiling"), "ceiling", "a ceiling without an altitude")
    low, high = number_of(altitude), number_of(ceiling)
    if low is not None and high is not None and high < low:
        yield _warn(_child(area, "ceiling"), "ceiling", "the ceiling is below the altitude")


def _leaf(element: etree._Element, version: CapVersion) -> Iterator[Finding]:
    name, text = _name(element), plain_text(element)
    rule = _LEAVES.get(name)
    cause = rule(text) if rule is not None else ""
    if cause:
        yield _warn(element, _RULES.get(name, name), f"{name} {cause}")
    elif (
        name in _TIMES and version != "1.2" and (_ALPHA_ZONE.fullmatch(text) or time_of(text).time_ns is None)
    ):
        yield _warn(element, "time-zone", f"{name} {text[:60]!r} has no zone as a number such as +09:00")


def _word(text: str) -> str:
    return "" if _WORD.fullmatch(text) else f"{text[:60]!r} is empty or has a space, comma, < or &"


def _full(text: str) -> str:
    return "" if text.strip() else "is empty"


def _references(text: str) -> str:
    words = text.split()
    bad = next((one for one in words if one.count(",") != 2 or reference_of(one) is None), None)
    if not words:
        return "is empty"
    return "" if bad is None else f"{bad[:80]!r} is not sender,identifier,sent"


def _polygon(text: str) -> str:
    return "" if polygon_of(text).points else "is not four or more points on the Earth, the last as the first"


def _circle(text: str) -> str:
    return (
        ""
        if circle_of(text).radius_km is not None
        else f"{text[:60]!r} is not a point and a radius in kilometres"
    )


def _web(text: str) -> str:
    return "" if _ABSOLUTE.fullmatch(text.strip()) else f"{text[:60]!r} is not absolute"


def _mime(text: str) -> str:
    return "" if _MIME.fullmatch(text.strip()) else f"{text[:60]!r} is no MIME type"


def _digest(text: str) -> str:
    return "" if _SHA1.fullmatch(text.strip()) else "is not a SHA-1 digest in hexadecimal"


def _height(text: str) -> str:
    return "" if number_of(text) is not None else f"{text[:60]!r} is not a number of feet"


_TIMES = ("sent", "effective", "onset", "expires")

_LEAVES: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "identifier": _word,
        "sender": _word,
        "references": _references,
        "polygon": _polygon,
        "circle": _circle,
        "web": _web,
        "mimeType": _mime,
        "digest": _digest,
        "altitude": _height,
        "ceiling": _height,
        "event": _full,
        "areaDesc": _full,
        "resourceDesc": _full,
        "valueName": _full,
    }
)
"""By the name of an element, what says why its text is against the standard; an empty text when it is not."""

_RULES: Mapping[str, str] = MappingProxyType(
    {
        "web": "uri-form",
        "mimeType": "mime-type",
        **dict.fromkeys(("event", "areaDesc", "resourceDesc", "valueName"), "empty"),
    }
)


def _name(element: etree._Element) -> str:
    return split_name(element)[1]


def _child(element: etree._Element, *names: str) -> etree._Element:
    """The first child that has the first of the names that any has; the element itself when none has."""
    for name in names:
        for one in children(element):
            if _name(one) == name:
                return one
    return element


def _text(element: etree._Element, name: str) -> str:
    found = _child(element, name)
    return "" if found is element else plain_text(found).strip()


def _warn(element: etree._Element, rule: str, text: str) -> Finding:
    return Finding(line_of(element), rule, text, "warning")
