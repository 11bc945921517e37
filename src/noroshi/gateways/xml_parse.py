"""XML from strangers, made safe before a tree is built: no document type, no entities of its own, bounded in every way.

A first pass counts and refuses, a second builds the tree; both must agree on what stands there. Nothing is ever
fetched, expanded, or looked up.

    root = parse_xml(data)                  # an lxml element
    parse_xml(b"<!DOCTYPE a><a/>")          # XmlRefusedError: line 1, rule "document-type"
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.parsers import expat

from lxml import etree

from noroshi.errors import PartnerError


@dataclass(frozen=True, slots=True)
class XmlLimits:
    """What one file may hold.

    max_bytes: of the whole file. max_depth: the deepest element of EDXL around a signed CAP message stands 16 deep.
    max_elements: real ones have some hundreds, and one for every municipality of a nation 20,000. max_attributes: of one
    element, namespaces included; real ones have 7. max_name: characters of a name, and of a namespace's address, which
    canonical form may repeat in every element; max_value: of another attribute.
    """

    max_bytes: int = 2_000_000
    max_depth: int = 40
    max_elements: int = 50_000
    max_attributes: int = 64
    max_name: int = 256
    max_value: int = 8_192


DEFAULT_LIMITS = XmlLimits()


class XmlRefusedError(PartnerError):
    """XML that is not well formed, or more than is let in.

    `line` is 1-based, 0 when there is none; `rule` names what was broken; `plain` is the cause without them.
    """

    def __init__(self, cause: str, *, line: int, rule: str) -> None:
        self.line = line
        self.rule = rule
        super().__init__("read XML", cause=f"line {line}: {cause} [{rule}]" if line else f"{cause} [{rule}]")
        self.plain = cause


def parse_xml(data: bytes, limits: XmlLimits = DEFAULT_LIMITS) -> etree._Element:
    """The root element. Comments and processing instructions stay in the tree, as signatures may cover them.

    Raises XmlRefusedError, and never anything else, with one of the rules `size`, `empty`, `document-type`, `depth`,
    `elements`, `attributes`, `attribute`, `name`, `encoding`, `well-formed`.
    """
    if len(data) > limits.max_bytes:
        raise XmlRefusedError(f"it has more than {limits.max_bytes} bytes", line=0, rule="size")
    if not data.strip():
        raise XmlRefusedError("it is empty", line=0, rule="empty")
    data = _in_unicode(data)
    elements = _guard(data, limits)
    try:
        root = etree.fromstring(data, _safe_parser())
    except etree.XMLSyntaxError as error:
        line = error.lineno or 0
        raise XmlRefusedError(error.msg or "it is not well formed", line=line, rule="well-formed") from error
    except (ValueError, LookupError) as error:
        raise XmlRefusedError(str(error), line=0, rule="well-formed") from error
    if root.getroottree().docinfo.doctype or sum(1 for _ in root.iter("*")) != elements:
        raise XmlRefusedError("two readers understand it differently", line=0, rule="well-formed")
    return root


_DECLARED = re.compile(rb"""\A<\?xml\s[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["']""")

_MULTI_BYTE = frozenset(
    "shift_jis windows-31j cp932 euc-jp euc-kr ks_c_5601-1987 cp949 big5 gb2312 gbk gb18030".split()
)
"""Encodings of East Asia that the first pass does not know: such a file is put into UTF-8 before it. They hold ASCII as
it is, so that the declaration can be read; stateful ones (ISO-2022) are left out."""


def _in_unicode(data: bytes) -> bytes:
    """The file in UTF-8 when it declares an encoding of `_MULTI_BYTE`, else as it is. Raises XmlRefusedError."""
    found = _DECLARED.match(data)
    name = found[1].decode().lower() if found else ""
    if found is None or name not in _MULTI_BYTE:
        return data
    try:
        text = data.decode("cp932" if name == "windows-31j" else name)
    except (UnicodeDecodeError, LookupError) as error:
        raise XmlRefusedError(f"it is not in {name}, as it says", line=1, rule="encoding") from error
    start, end = found.span(1)
    return (text[:start] + "UTF-8" + text[end:]).encode()


def _safe_parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=False, remove_pis=False, strip_cdata=True,
    )  # fmt: skip


def children(element: etree._Element) -> Iterator[etree._Element]:
    """Its child elements, without comments and processing instructions."""
    return (one for one in element if isinstance(one.tag, str))


def plain_text(element: etree._Element) -> str:
    """The text of an element before its first child element; comments and processing instructions do not cut it."""
    parts = [element.text or ""]
    for one in element:
        if isinstance(one.tag, str):
            break
        parts.append(one.tail or "")
    return "".join(parts)


def split_name(element: etree._Element) -> tuple[str, str]:
    """(namespace, local name) of an element; an empty namespace when it has none."""
    namespace, _, local = str(element.tag).rpartition("}")
    return namespace.removeprefix("{"), local


def line_of(element: etree._Element) -> int:
    """The line on which an element starts; 0 when it is not known."""
    return element.sourceline or 0


def canonical(element: etree._Element) -> bytes:
    """The element alone in canonical XML 1.0, without comments and without what follows it.

    It is taken out of its document first: lxml writes the namespaces of a part of a document wrongly in this form. Where
    a namespace is no absolute address there is no canonical form, and the element comes as it stands.
    """
    plain = etree.tostring(element, with_tail=False)
    try:
        alone = etree.fromstring(plain, _safe_parser())
        return etree.tostring(alone, method="c14n", exclusive=False, with_comments=False)
    except etree.C14NError:
        return plain


_FORBIDDEN = re.compile("[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """The text as XML 1.0 can hold it: line ends become \\n, characters that no file can hold U+FFFD."""
    return _FORBIDDEN.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def _guard(data: bytes, limits: XmlLimits) -> int:
    """Reads through once and builds nothing; the number of elements."""
    parser = expat.ParserCreate()
    depth = count = 0

    def refuse(cause: str, rule: str) -> XmlRefusedError:
        return XmlRefusedError(cause, line=parser.CurrentLineNumber, rule=rule)

    def document_type(*_: object) -> None:
        raise refuse("it has a document type, which is never read", "document-type")

    def start(name: str, attributes: list[str]) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > limits.max_depth:
            raise refuse(f"elements are nested more than {limits.max_depth} deep", "depth")
        if count > limits.max_elements:
            raise refuse(f"it has more than {limits.max_elements} elements", "elements")
        if len(attributes) > 2 * limits.max_attributes:
            raise refuse(f"an element has more than {limits.max_attributes} attributes", "attributes")
        if len(name) > limits.max_name or any(len(one) > limits.max_name for one in attributes[::2]):
            raise refuse(f"a name has more than {limits.max_name} characters", "name")
        for called, value in zip(attributes[::2], attributes[1::2], strict=True):
            most = limits.max_name if called.startswith("xmlns") else limits.max_value
            if len(value) > most:
                raise refuse(f"an attribute has more than {most} characters", "attribute")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser.ordered_attributes = True
    parser.StartDoctypeDeclHandler = document_type
    parser.EntityDeclHandler = document_type
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        rule = "encoding" if error.code in _ENCODING_ERRORS else "well-formed"
        raise XmlRefusedError(
            expat.ErrorString(error.code) or str(error), line=error.lineno, rule=rule
        ) from error
    except (ValueError, LookupError) as error:
        raise XmlRefusedError(str(error), line=parser.CurrentLineNumber, rule="encoding") from error
    return count


_ENCODING_ERRORS = frozenset({18, 19})
"""Numbers of expat's errors "unknown encoding" and "encoding specified in XML declaration is incorrect"."""
