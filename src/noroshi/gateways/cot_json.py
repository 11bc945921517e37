"""Cursor on Target events as JSON: the same tree of elements, attributes and text, and back.

document = to_document(event)           # {"element": "event", "attributes": {"uid": ...}, "children": [...]}
from_document(document)                 # CotEvent; raises DocumentRefusedError
"""

from __future__ import annotations

from typing import Any

from lxml import etree

from noroshi.errors import PartnerError
from noroshi.gateways.cot import LIMITS, CotEvent, read_event, root_of
from noroshi.gateways.xml_parse import XmlRefusedError


class DocumentRefusedError(PartnerError):
    """JSON that is no event."""

    def __init__(self, cause: str) -> None:
        super().__init__("read an event in JSON", cause=cause)
        self.plain = cause


def to_document(event: CotEvent) -> dict[str, Any]:
    """The event as plain values. Names with a namespace stand as `{namespace}name`; their prefixes are not kept."""
    return _element(root_of(event))


def from_document(document: Any) -> CotEvent:
    """The event in such values. Raises DocumentRefusedError."""
    try:
        return read_event(etree.tostring(_made(document, 0), encoding="utf-8"))
    except (ValueError, TypeError, KeyError) as error:
        raise DocumentRefusedError(str(error)) from None
    except XmlRefusedError as error:
        raise DocumentRefusedError(error.plain) from None


def _element(one: etree._Element) -> dict[str, Any]:
    children: list[Any] = [one.text] if one.text else []
    for child in one:
        if isinstance(child, etree._Comment):
            children.append({"comment": child.text})
        elif isinstance(child, etree._ProcessingInstruction):
            children.append({"instruction": child.target, "text": child.text or ""})
        else:
            children.append(_element(child))
        if child.tail:
            children.append(child.tail)
    return {
        "element": str(one.tag),
        "attributes": {str(name): str(value) for name, value in one.attrib.items()},
        "children": children,
    }


def _made(document: Any, depth: int) -> etree._Element:
    if not isinstance(document, dict) or not isinstance(document.get("element"), str):
        raise ValueError("an element is an object with `element`, `attributes` and `children`")
    if depth > LIMITS.max_depth:
        raise ValueError(f"elements are nested more than {LIMITS.max_depth} deep")
    made = etree.Element(document["element"])
    for name, value in document.get("attributes", {}).items():
        if not isinstance(value, str):
            raise TypeError(f"the attribute {name!r} is no text")
        made.set(name, value)
    last: etree._Element | None = None
    for child in document.get("children", ()):
        if isinstance(child, str):
            if last is None:
                made.text = (made.text or "") + child
            else:
                last.tail = (last.tail or "") + child
            continue
        last = _child(child, depth)
        made.append(last)
    return made


def _child(child: Any, depth: int) -> etree._Element:
    if isinstance(child, dict) and "comment" in child:
        return etree.Comment(child["comment"])
    if isinstance(child, dict) and "instruction" in child:
        return etree.ProcessingInstruction(child["instruction"], child.get("text") or None)
    return _made(child, depth + 1)
