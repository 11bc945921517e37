"""TAK protocol version 1: events as protocol buffers, both ways, with a list of what does not go over.

The message types are declared here, field by field, from the public format, in a pool of their own. Of a detail the
known elements go into typed fields if these hold all of them; else they stay in the text of the rest, so that nothing
is lost that the format can carry.

    payload = to_proto(event)
    again = from_proto(payload)             # CotEvent; raises ProtoRefusedError
    losses(event)                           # ['the digits of `lat` of the point']
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from types import MappingProxyType
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from lxml import etree

from noroshi.clock import to_iso
from noroshi.errors import PartnerError
from noroshi.gateways.cot import (
    HEADER,
    MAX_EVENT_BYTES,
    MAX_MS,
    POINT,
    UNKNOWN_ERROR_M,
    CotEvent,
    number_of,
    read_event,
    root_of,
    time_of,
)
from noroshi.gateways.xml_parse import XmlRefusedError, children

PACKAGE = "atakmap.commoncommo.protobuf.v1"
MS_PER_NS = 1_000_000

_FIELDS = MappingProxyType(
    {
        "TakMessage": (("takControl", "TakControl"), ("cotEvent", "CotEvent")),
        "TakControl": (("minProtoVersion", "uint32"), ("maxProtoVersion", "uint32"), ("contactUid", "string")),
        "CotEvent": (
            ("type", "string"), ("access", "string"), ("qos", "string"), ("opex", "string"), ("uid", "string"),
            ("sendTime", "uint64"), ("startTime", "uint64"), ("staleTime", "uint64"), ("how", "string"),
            ("lat", "double"), ("lon", "double"), ("hae", "double"), ("ce", "double"), ("le", "double"),
            ("detail", "Detail"),
        ),
        "Detail": (
            ("xmlDetail", "string"), ("contact", "Contact"), ("group", "Group"),
            ("precisionLocation", "PrecisionLocation"), ("status", "Status"), ("takv", "Takv"), ("track", "Track"),
        ),
        "Contact": (("endpoint", "string"), ("callsign", "string")),
        "Group": (("name", "string"), ("role", "string")),
        "PrecisionLocation": (("geopointsrc", "string"), ("altsrc", "string")),
        "Status": (("battery", "uint32"),),
        "Takv": (("device", "string"), ("platform", "string"), ("os", "string"), ("version", "string")),
        "Track": (("speed", "double"), ("course", "double")),
    }
)  # fmt: skip
"""Each message's fields in the order of their numbers, from 1."""

_SCALARS = MappingProxyType({"double": 1, "uint64": 4, "string": 9, "uint32": 13})
_MESSAGE = 11
_TYPED = MappingProxyType(
    {
        "contact": ("contact", "Contact"),
        "__group": ("group", "Group"),
        "precisionlocation": ("precisionLocation", "PrecisionLocation"),
        "status": ("status", "Status"),
        "takv": ("takv", "Takv"),
        "track": ("track", "Track"),
    }
)
"""Elements of a detail that have a field of their own."""

_TIMES = (("time", "sendTime"), ("start", "startTime"), ("stale", "staleTime"))
_TEXTS = ("type", "access", "qos", "opex", "uid", "how")
_WHOLE = re.compile(r"0|[1-9][0-9]{0,8}")


class ProtoRefusedError(PartnerError):
    """Bytes that are no TAK message with an event, or one that cannot be."""

    def __init__(self, cause: str) -> None:
        super().__init__("read a TAK message", cause=cause)
        self.plain = cause


@cache
def tak_message() -> type[Message]:
    """The class of `TakMessage`, declared when it is first asked for."""
    file = descriptor_pb2.FileDescriptorProto(name="noroshi/tak.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        declared = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields, 1):
            made = declared.field.add(name=field, number=number, label=1)
            if kind in _SCALARS:
                made.type = _SCALARS[kind]  # type: ignore[assignment]  # the numbers are the format's own
            else:
                made.type = _MESSAGE  # type: ignore[assignment]  # likewise
                made.type_name = f".{PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.TakMessage"))


def to_proto(event: CotEvent) -> bytes:
    """The event as the payload of a TAK message. What `losses` lists is not in it."""
    message: Any = tak_message()()
    made = message.cotEvent
    for name in _TEXTS:
        setattr(made, name, getattr(event, name))
    for name, field in _TIMES:
        time_ns = time_of(getattr(event, name))
        if time_ns is not None:
            setattr(made, field, time_ns // MS_PER_NS)
    for name in POINT:
        value = number_of(getattr(event.point, name)) if event.point is not None else None
        fallback = UNKNOWN_ERROR_M if name in ("ce", "le") else 0.0
        setattr(made, name, fallback if value is None else value)
    detail = next((one for one in children(root_of(event)) if one.tag == "detail"), None)
    if detail is not None:
        made.detail.SetInParent()
        _fill_detail(made.detail, detail)
    return bytes(message.SerializeToString())


def from_proto(payload: bytes) -> CotEvent:
    """The event in the payload of a TAK message. Raises ProtoRefusedError."""
    if len(payload) > MAX_EVENT_BYTES:
        raise ProtoRefusedError(f"it has more than {MAX_EVENT_BYTES} bytes")
    message: Any = tak_message()()
    try:
        message.ParseFromString(payload)
    except DecodeError:
        raise ProtoRefusedError("it is no TAK message") from None
    if not message.HasField("cotEvent"):
        raise ProtoRefusedError("it holds no event")
    try:
        return read_event(_xml_of(message.cotEvent))
    except XmlRefusedError as error:
        raise ProtoRefusedError(f"its detail cannot be read: {error.plain}") from None
    except ValueError:
        raise ProtoRefusedError("it holds characters that no event may have") from None


def losses(event: CotEvent) -> list[str]:
    """What of an event the protocol buffers do not carry, in words; found by taking it there and back."""
    try:
        again = from_proto(to_proto(event))
    except ProtoRefusedError as error:
        return [error.plain]
    return list(dict.fromkeys(_differences(root_of(event), root_of(again))))


def _fill_detail(made: Any, detail: etree._Element) -> None:
    rest: list[str] = [_escaped(detail.text or "")]
    taken: set[str] = set()
    for one in detail:
        tag = one.tag if isinstance(one.tag, str) else ""
        if tag in _TYPED and tag not in taken and _fits(one, _TYPED[tag][1]):
            taken.add(tag)
            _take(getattr(made, _TYPED[tag][0]), one, _TYPED[tag][1])
        else:
            rest.append(etree.tostring(one, encoding="unicode", with_tail=False))
        rest.append(_escaped(one.tail or ""))
    text = "".join(rest)
    made.xmlDetail = "" if not text.strip() else text.strip()


def _fits(one: etree._Element, kind: str) -> bool:
    """Whether a typed field holds all of an element."""
    fields = dict(_FIELDS[kind])
    if len(one) or (one.text or "").strip() or not set(map(str, one.attrib)) <= set(fields):
        return False
    if any(how != "string" for how in fields.values()) and set(map(str, one.attrib)) != set(fields):
        return False
    for name, how in fields.items():
        text = one.get(name)
        sound = (
            text is None
            or (how == "string" and text != "")
            or (how == "uint32" and _WHOLE.fullmatch(text))
            or (how == "double" and number_of(text) is not None)
        )
        if not sound:
            return False
    return True


def _take(made: Any, one: etree._Element, kind: str) -> None:
    made.SetInParent()
    for name, how in _FIELDS[kind]:
        text = one.get(name)
        if text is not None:
            setattr(made, name, text if how == "string" else int(text) if how == "uint32" else float(text))


def _xml_of(made: Any) -> bytes:
    root = etree.Element("event")
    root.set("version", "2.0")
    for name in HEADER[1:]:
        field = dict(_TIMES).get(name, name)
        value = getattr(made, field)
        if isinstance(value, int):
            if value > MAX_MS:
                raise ProtoRefusedError(f"its {name} lies beyond all times")
            value = to_iso(value * MS_PER_NS) if value else ""
        if value:
            root.set(name, value)
    point = etree.SubElement(root, "point")
    for name in POINT:
        point.set(name, _digits(getattr(made, name)))
    text = etree.tostring(root, encoding="unicode")
    if not made.HasField("detail"):
        return text.encode()
    typed = "".join(_typed_texts(made.detail))
    return f"{text.removesuffix('</event>')}<detail>{typed}{made.detail.xmlDetail}</detail></event>".encode()


def _typed_texts(detail: Any) -> Iterator[str]:
    for tag, (field, kind) in _TYPED.items():
        if not detail.HasField(field):
            continue
        one = etree.Element(tag)
        for name, how in _FIELDS[kind]:
            value = getattr(getattr(detail, field), name)
            if value != "":
                one.set(name, value if how == "string" else _digits(value))
        yield etree.tostring(one, encoding="unicode")


def _digits(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _differences(one: etree._Element, other: etree._Element) -> Iterator[str]:
    """In words, what of the first event the second lacks or has otherwise."""
    yield from _attributes(one, other, "the event")
    parts = [{str(c.tag): c for c in reversed(list(children(root)))} for root in (one, other)]
    seen: set[str] = set()
    for child in children(one):
        tag = str(child.tag)
        if tag not in ("point", "detail") or tag in seen:
            yield f"the element `{tag}` beside the detail"
        seen.add(tag)
    if any(text and text.strip() for text in [one.text, *(child.tail for child in one)]):
        yield "text between the elements of the event"
    if any(not isinstance(child.tag, str) for child in one):
        yield "comments and instructions outside the detail"
    points = [part.get("point") for part in parts]
    if points[0] is None:
        yield "that there is no point"
    elif points[1] is not None:
        yield from _attributes(points[0], points[1], "the point")
        if len(points[0]) or (points[0].text or "").strip():
            yield "what stands inside the point"
    order = [tag for tag in (str(one.tag) for one in children(one)) if tag in ("point", "detail")]
    if order[:2] == ["detail", "point"]:
        yield "that the detail stands before the point"
    details = [part.get("detail") for part in parts]
    if details[0] is not None and details[1] is not None:
        yield from _detail(details[0], details[1])


def _attributes(one: etree._Element, other: etree._Element, where: str) -> Iterator[str]:
    for name in one.attrib:
        text, again = one.get(name, ""), other.get(name)
        if text == again:
            continue
        if again is None:
            yield f"`{name}` of {where}: {text[:40]!r}"
        elif (number_of(text) is not None and number_of(text) == number_of(again)) or (
            time_of(text) is not None and time_of(text) == time_of(again)
        ):
            yield f"the digits of `{name}` of {where}"
        elif time_of(text) is not None and where == "the event":
            yield f"parts of a millisecond in `{name}` of {where}"
        else:
            yield f"`{name}` of {where}: {text[:40]!r}"
    for name in other.attrib:
        if name not in one.attrib:
            yield f"that {where} has no `{name}`"


def _detail(one: etree._Element, other: etree._Element) -> Iterator[str]:
    if one.attrib:
        yield "attributes of the detail"
    before, after = _pieces(one), _pieces(other)
    if before == after:
        return
    left = list(after)
    for piece in before:
        if piece in left:
            left.remove(piece)
            continue
        if not piece.startswith("<"):
            yield "where text stands between the elements of the detail"
            continue
        tag = piece.removeprefix("<").split(" ", 1)[0].rstrip("/>")
        twin = next((new for new in left if new.startswith(f"<{tag} ") and _same_numbers(piece, new)), None)
        if twin is None:
            yield f"`{tag[:40]}` of the detail as it was"
        else:
            left.remove(twin)
            yield f"the digits in `{tag}` of the detail"
    if sorted(before) == sorted(after) or not left:
        tags = [[piece.split(" ", 1)[0].rstrip("/>") for piece in pieces] for pieces in (before, after)]
        if tags[0] != tags[1]:
            yield "the order of the elements of the detail"


def _pieces(detail: etree._Element) -> list[str]:
    """The detail's children in canonical form, and its text where there is any."""
    pieces = [(detail.text or "").strip()]
    for child in detail:
        alone = etree.tostring(child, with_tail=False)
        if isinstance(child.tag, str):
            alone = etree.tostring(etree.fromstring(alone), method="c14n", with_comments=True)
        pieces += [alone.decode(), (child.tail or "").strip()]
    return [piece for piece in pieces if piece]


def _same_numbers(one: str, other: str) -> bool:
    """Whether two texts differ in how numbers are written only."""
    quoted = re.compile(r'"([^"]*)"')
    if quoted.sub('""', one) != quoted.sub('""', other):
        return False
    pairs = zip(quoted.findall(one), quoted.findall(other), strict=True)
    return all(a == b or (number_of(a) is not None and number_of(a) == number_of(b)) for a, b in pairs)
