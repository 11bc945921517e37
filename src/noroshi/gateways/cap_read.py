"""Reads a CAP message whole: versions 1.0, 1.1 and 1.2, strictly, losing nothing that its elements and texts say.

What the schema forbids is refused with its line and rule, with three exceptions that harm nobody and that real agencies
send: elements and attributes that CAP does not have are kept whole, and elements out of their order are read. All that
`check_cap` finds is still a finding. Where a file must be looked at although it is broken, say `forgiving`.

    alert = read_cap(data)
    alert.sender, alert.sent.time_ns, alert.infos[0].headline
    read_cap(b"<alert/>")                    # CapUnreadableError: line 1, rule "namespace"
"""

from __future__ import annotations

from typing import Any, cast

from lxml import etree

from noroshi.gateways.cap_model import (
    CapAlert,
    CapArea,
    CapForm,
    CapInfo,
    CapNamed,
    CapResource,
    CapTime,
    CapUnreadableError,
    CapVersion,
)
from noroshi.gateways.cap_schema import MANY, SCHEMAS, Child
from noroshi.gateways.cap_valid import KEPT_RULES, MAX_CAP_BYTES, cap_root, schema_findings
from noroshi.gateways.cap_values import circle_of, polygon_of, time_of
from noroshi.gateways.xml_parse import canonical, children, line_of, plain_text, split_name

__all__ = ["MAX_CAP_BYTES", "read_cap", "read_element"]

_MADE: dict[str, Any] = {"info": CapInfo, "resource": CapResource, "area": CapArea, "named": CapNamed}


MAX_EXTRA_BYTES = 2 * MAX_CAP_BYTES
"""Of all that CAP does not have, in canonical form, which repeats namespaces: a file made for it would grow a lot."""


def read_cap(data: bytes, *, forgiving: bool = False) -> CapAlert:
    """The message. With `forgiving` broken values stay as they are, absent texts are empty, an absent time has no time.

    Raises CapUnreadableError, and never anything else, on XML that is unsafe or not well formed, on what is no CAP
    message or several of them, and unless `forgiving` on what the schema forbids (see `noroshi.gateways.cap_check`).
    """
    root, version = cap_root(data)
    return read_element(root, version, forgiving=forgiving)


def read_element(root: etree._Element, version: CapVersion, *, forgiving: bool = False) -> CapAlert:
    """As `read_cap`, of an `alert` element that was parsed safely."""
    if not forgiving:
        for finding in schema_findings(root, version):
            if finding.rule not in KEPT_RULES:
                raise CapUnreadableError(finding.text, line=finding.line, rule=finding.rule)
    fields = _fields(root, "alert", version, [MAX_EXTRA_BYTES])
    fields.setdefault("sent", CapTime(""))
    for name in ("identifier", "sender", "status", "msg_type"):
        fields.setdefault(name, "")
    prefix = root.prefix or ""
    form: CapForm = fields.pop("form")
    declared = tuple(sorted(((name or "", address) for name, address in root.nsmap.items())))
    form = CapForm(form.order, form.spaces, form.attributes, form.marked, prefix, declared)
    return CapAlert(version=version, form=form, **fields)


def _fields(element: etree._Element, what: str, version: CapVersion, room: list[int]) -> dict[str, Any]:
    """What the element says, by field of the model, with `extra` and `form`. room: bytes of `extra` that are left."""
    table = {one.name: one for one in SCHEMAS[version][what]}
    namespace = split_name(element)[0]
    single: dict[str, Any] = {}
    several: dict[str, list[Any]] = {}
    extra: list[bytes] = []
    order: list[str] = []
    marked: list[tuple[int, tuple[tuple[str, str], ...]]] = []
    for one in children(element):
        uri, name = split_name(one)
        child = table.get(name) if uri == namespace else None
        if child is None or not _readable(one, child, version) or (child.most == 1 and child.field in single):
            order.append("+")
            extra.append(canonical(one))
            room[0] -= len(extra[-1])
            if room[0] < 0:
                cause = f"what CAP does not have takes more than {MAX_EXTRA_BYTES} bytes"
                raise CapUnreadableError(cause, line=line_of(one), rule="size")
            continue
        value = _value(one, child, version, room)
        if child.most == MANY:
            several.setdefault(child.field, []).append(value)
        else:
            single[child.field] = value
        if one.attrib and child.kind not in SCHEMAS[version]:
            marked.append((len(order), _attributes(one)))
        order.append(name)
    fields = {**single, **{name: tuple(values) for name, values in several.items()}}
    if extra:
        fields["extra"] = tuple(extra)
    if what in ("area", "resource"):
        fields.setdefault("description", "")
    if what == "named":
        fields = {"name": "", "value": "", **fields}
    form = CapForm(tuple(order), _spaces(element), _attributes(element), tuple(marked))
    return {**fields, "form": form}


def _readable(element: etree._Element, child: Child, version: CapVersion) -> bool:
    """Whether the model can hold it: a plain text without elements in it, or elements without text between them."""
    if child.kind not in SCHEMAS[version]:
        return next(children(element), None) is None
    return not any(one.strip() for one in _spaces(element))


def _value(element: etree._Element, child: Child, version: CapVersion, room: list[int]) -> Any:
    if child.kind in SCHEMAS[version]:
        return _MADE[child.kind](**_fields(element, child.kind, version, room))
    text = plain_text(element)
    if child.kind == "time":
        return time_of(text)
    if child.kind == "polygon":
        return polygon_of(text)
    if child.kind == "circle":
        return circle_of(text)
    if child.kind == "pair":
        name, equals, value = text.partition("=")
        return CapNamed(name, value) if name and equals else CapNamed("", text)
    return text


def _spaces(element: etree._Element) -> tuple[str, ...]:
    """The text before each child element and before the end; comments and instructions are left out of it."""
    spaces = [element.text or ""]
    for one in element:
        if isinstance(one.tag, str):
            spaces.append(one.tail or "")
        else:
            spaces[-1] += one.tail or ""
    return tuple(spaces)


def _attributes(element: etree._Element) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(value)) for name, value in cast("dict[str, str]", element.attrib).items())
