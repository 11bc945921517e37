"""What the schema of CAP 1.0, 1.1 or 1.2 forbids, and what is a CAP message at all.

The verdict is that of the OASIS schema as libxml2 applies it, rule by rule and with the line; the tests compare the two.

    root, version = cap_root(data)
    [finding.rule for finding in schema_findings(root, version)]         # []

Source: OASIS CAP 1.2 (1 July 2010), section 3.4; CAP 1.1; CAP 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, cast

from lxml import etree

from noroshi.gateways.cap_model import NAMESPACES, SIGNATURE_NAMESPACE, CapUnreadableError, CapVersion
from noroshi.gateways.cap_schema import SCHEMAS, WORDS, Child
from noroshi.gateways.xml_parse import (
    XmlLimits,
    XmlRefusedError,
    children,
    line_of,
    parse_xml,
    plain_text,
    split_name,
)
from noroshi.gateways.xml_types import (
    BUILT_IN_TYPES,
    collapsed,
    is_date_time,
    is_decimal,
    is_integer,
    is_language,
    is_uri,
)

MAX_CAP_BYTES = 2_000_000
"""Of one message: four times the largest real one that we know."""

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong: the line (1-based, 0 for the whole file), the rule's short name, a sentence, how bad."""

    line: int
    rule: str
    text: str
    severity: Severity = "error"


KEPT_RULES = frozenset({"unknown-element", "unknown-attribute", "order"})
"""Rules of the schema that `read_cap` lets pass, as nothing is lost and nothing changes its meaning by it."""

_LIMITS = XmlLimits(max_bytes=MAX_CAP_BYTES)
_INSTANCE = "{http://www.w3.org/2001/XMLSchema-instance}"
_XML_SCHEMA = "http://www.w3.org/2001/XMLSchema"
_PLACES = frozenset({f"{_INSTANCE}schemaLocation", f"{_INSTANCE}noNamespaceSchemaLocation"})
_CAP_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}")


def cap_root(data: bytes) -> tuple[etree._Element, CapVersion]:
    """The `alert` element and its version. Raises CapUnreadableError on anything that is not one CAP message."""
    try:
        root = parse_xml(data, _LIMITS)
    except XmlRefusedError as error:
        raise CapUnreadableError(error.plain, line=error.line, rule=error.rule) from error
    return root, version_of(root)


def version_of(root: etree._Element) -> CapVersion:
    """The version of an `alert` element by its namespace. Raises CapUnreadableError when it is none."""
    namespace, name = split_name(root)
    line = line_of(root)
    if name != "alert":
        raise CapUnreadableError(_container(root, namespace, name), line=line, rule="root")
    for version, known in NAMESPACES.items():
        if namespace == known:
            return version
    cause = (
        f"namespace {namespace!r} is none of CAP 1.0, 1.1 or 1.2" if namespace else "alert has no namespace"
    )
    raise CapUnreadableError(cause, line=line, rule="namespace")


def _container(root: etree._Element, namespace: str, name: str) -> str:
    """What a file is that is not one CAP message."""
    held = sum(len(root.findall(f".//{{{one}}}alert")) for one in NAMESPACES.values())
    inside = f"; it holds {held} CAP messages" if held else ""
    if namespace == "http://www.w3.org/2005/Atom":
        return f"this is an Atom {name}, not a CAP message{inside}"
    if name == "EDXLDistribution":
        return f"this is an EDXL distribution envelope, not a CAP message{inside}"
    if name == "alerts":
        return f"this is a list of alerts, not one CAP message{inside}"
    return f"the root element is {name}, not alert{inside}"


def schema_findings(root: etree._Element, version: CapVersion) -> Iterator[Finding]:
    """What the schema of its version forbids, in the order of the file."""
    yield from _element(root, "alert", version)


def _element(element: etree._Element, what: str, version: CapVersion) -> Iterator[Finding]:
    name = split_name(element)[1]
    yield from _bare(element)
    if any(one.strip(" \t\r\n") for one in _between(element)):
        yield Finding(line_of(element), "text", f"{name} has text of its own between its elements")
    table = {one.name: (place, one) for place, one in enumerate(SCHEMAS[version][what])}
    counts: dict[str, int] = {}
    reached = 0
    for one in children(element):
        uri, called = split_name(one)
        line = line_of(one)
        if what == "alert" and version == "1.2" and uri == SIGNATURE_NAMESPACE:
            reached = table["info"][0]
            yield from _claimed(one)
            yield from _within(one, version)
            continue
        if uri != NAMESPACES[version] or called not in table:
            yield Finding(line, "unknown-element", f"{called} is no element of CAP {version} in {name}")
            continue
        place, child = table[called]
        counts[called] = counts.get(called, 0) + 1
        if counts[called] > child.most:
            yield Finding(line, "repeated", f"{called} stands more than once in {name}")
        elif place < reached:
            yield Finding(line, "order", f"{called} is out of its order in {name}")
        reached = max(reached, place)
        yield from _child(one, child, version)
    for _, child in table.values():
        if counts.get(child.name, 0) < child.least:
            yield Finding(line_of(element), "missing", f"{name} has no {child.name}")


def _within(element: etree._Element, version: CapVersion) -> Iterator[Finding]:
    """What the schema says of CAP elements inside a signature: it looks at those that it knows by themselves."""
    for one in children(element):
        uri, name = split_name(one)
        if (uri, name) == (NAMESPACES[version], "alert"):
            yield from _element(one, "alert", version)
        elif uri == NAMESPACES[version] and name in ("valueName", "value"):
            yield from _child(one, Child(name, name, "text", 0, 1), version)
        else:
            yield from _claimed(one)
            yield from _within(one, version)


def _claimed(element: etree._Element) -> Iterator[Finding]:
    """What is wrong with a type that an element in a signature claims for itself: only XML Schema's own are known."""
    claim = element.get(f"{_INSTANCE}type")
    if claim is None:
        return
    line, name = line_of(element), split_name(element)[1]
    prefix, _, local = collapsed(claim).rpartition(":")
    if element.nsmap.get(prefix or None) != _XML_SCHEMA or local not in BUILT_IN_TYPES:
        yield Finding(
            line, "unknown-attribute", f"{name} claims to be of a type {claim[:60]!r}, which is not known"
        )
        return
    if local == "anyType":
        return
    if next(children(element), None) is not None:
        yield Finding(line, "markup", f"{name} has elements in it, and claims to be a plain {claim[:60]}")
    elif local in _SIMPLE and not _SIMPLE[local](plain_text(element)):
        yield Finding(line, "value", f"{name} {plain_text(element)[:60]!r} is no {claim[:60]}")
    for attribute in cast("dict[str, str]", element.attrib):
        if not attribute.startswith(_INSTANCE):
            yield Finding(
                line, "unknown-attribute", f"{name} is a plain {claim[:60]}, and has an attribute {attribute}"
            )


def _bare(element: etree._Element, own: str = "") -> Iterator[Finding]:
    """Attributes: CAP has none; XML Schema's hints of where a schema lies, and of the type that an element has anyhow,
    harm nobody. own: that type, where it has a name.
    """
    for attribute in cast("dict[str, str]", element.attrib):
        if attribute == f"{_INSTANCE}type" and own and _claims(element) == own:
            continue
        if attribute not in _PLACES:
            name = split_name(element)[1]
            yield Finding(line_of(element), "unknown-attribute", f"{name} has an attribute {attribute}")


def _claims(element: etree._Element) -> str:
    """The type of XML Schema that an element claims to be of; empty where it is none of those."""
    prefix, _, local = collapsed(element.get(f"{_INSTANCE}type") or "").rpartition(":")
    return local if element.nsmap.get(prefix or None) == _XML_SCHEMA else ""


def _between(element: etree._Element) -> Iterator[str]:
    yield element.text or ""
    for one in element:
        yield one.tail or ""


def _child(element: etree._Element, child: Child, version: CapVersion) -> Iterator[Finding]:
    if child.kind in SCHEMAS[version]:
        yield from _element(element, child.kind, version)
        return
    dated = child.kind == "time" and version != "1.2"
    yield from _bare(element, "dateTime" if dated else _NAMED_TYPES.get(child.kind, ""))
    line = line_of(element)
    if next(children(element), None) is not None:
        yield Finding(line, "markup", f"{child.name} has elements in it, and is a plain text")
        return
    text = plain_text(element)
    words = WORDS[version].get(child.kind)
    if words is not None:
        if text not in words:
            yield Finding(line, "value", f"{child.name} {text[:60]!r} is none of {', '.join(words)}")
    elif child.kind == "time":
        plain = collapsed(text) if version == "1.2" else text
        if not is_date_time(plain) or (version == "1.2" and not _CAP_TIME.fullmatch(plain)):
            wanted = "2022-10-04T07:25:10+09:00"
            yield Finding(line, "time", f"{child.name} {text[:60]!r} is no time such as {wanted}")
    elif child.kind == "language" and element.text is None and not text:
        return  # the schemas give an empty one the value en-US
    elif child.kind in _TYPES and not _TYPES[child.kind](text):
        yield Finding(line, child.kind, f"{child.name} {text[:60]!r} is no {child.kind}")


_SIMPLE = {
    "dateTime": lambda text: is_date_time(collapsed(text)),
    "language": is_language,
    "anyURI": is_uri,
    "integer": is_integer,
    "int": is_integer,
    "decimal": is_decimal,
}
"""How what claims one of these types of XML Schema is judged; what claims another is text."""

_NAMED_TYPES = {
    "text": "string",
    "polygon": "string",
    "circle": "string",
    "language": "language",
    "uri": "anyURI",
    "integer": "integer",
    "decimal": "decimal",
}
"""What the schemas call the types of plain elements; words of lists have types without a name, and times of CAP 1.2."""

_TYPES = {"language": is_language, "uri": is_uri, "integer": is_integer, "decimal": is_decimal}
