"""What a file with CAP messages is: one message, a list of them, a feed, or an envelope; and the messages in it.

    found = alerts_in(data)
    found.kind, len(found.alerts)            # 'alerts', 17
    found.alerts[0].element, found.alerts[0].version

Source: OASIS EDXL-DE 1.0, section 3.2; RFC 4287; lists with the root `alerts` are no standard, and are published all
the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lxml import etree

from noroshi.gateways.cap_model import NAMESPACES, CapUnreadableError, CapVersion
from noroshi.gateways.xml_parse import XmlLimits, XmlRefusedError, parse_xml, split_name

ContainerKind = Literal["alert", "alerts", "atom", "rss", "edxl", "other"]

MAX_CONTAINER_BYTES = 8_000_000
"""Of a feed or a list: a national feed in the worst week holds some hundred messages of 20 kB."""

CONTAINER_LIMITS = XmlLimits(max_bytes=MAX_CONTAINER_BYTES, max_elements=300_000)

ATOM = "http://www.w3.org/2005/Atom"

_VERSIONS = {address: version for version, address in NAMESPACES.items()}


@dataclass(frozen=True, slots=True)
class HeldAlert:
    """One message within a file: its `alert` element, in place, and the version."""

    element: etree._Element
    version: CapVersion

    def data(self) -> bytes:
        """The message as a document of its own; a signature over it holds only if it was made over it alone."""
        return b'<?xml version="1.0" encoding="UTF-8"?>\n' + etree.tostring(
            self.element, encoding="UTF-8", with_tail=False
        )


@dataclass(frozen=True, slots=True)
class Container:
    """What a file is, its root element's name, and the messages in it in order."""

    kind: ContainerKind
    root: str
    alerts: tuple[HeldAlert, ...]


def alerts_in(data: bytes) -> Container:
    """The messages in a file. Raises CapUnreadableError on XML that is unsafe or not well formed."""
    try:
        root = parse_xml(data, CONTAINER_LIMITS)
    except XmlRefusedError as error:
        raise CapUnreadableError(error.plain, line=error.line, rule=error.rule) from error
    return container_of(root)


def container_of(root: etree._Element) -> Container:
    """As `alerts_in`, of an element that was parsed safely. A message inside a message is not looked for."""
    namespace, name = split_name(root)
    if name == "alert" and namespace in _VERSIONS:
        return Container("alert", name, (HeldAlert(root, _VERSIONS[namespace]),))
    kind: ContainerKind = "other"
    if namespace == ATOM:
        kind = "atom"
    elif name == "rss":
        kind = "rss"
    elif name == "alerts":
        kind = "alerts"
    elif name == "EDXLDistribution":
        kind = "edxl"
    held = [
        HeldAlert(one, _VERSIONS[split_name(one)[0]])
        for one in root.iter("{*}alert")
        if split_name(one)[0] in _VERSIONS and not any(_is_alert(above) for above in one.iterancestors())
    ]
    return Container(kind, name, tuple(held))


def _is_alert(element: etree._Element) -> bool:
    namespace, name = split_name(element)
    return name == "alert" and namespace in _VERSIONS
