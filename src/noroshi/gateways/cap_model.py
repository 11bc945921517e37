"""A message of the Common Alerting Protocol as values: all that CAP 1.0, 1.1 and 1.2 have, and what they have not.

Texts stand as the file has them. Absent texts are empty; `form.order` still tells `<note/>` from no note at all. Times,
polygons, circles and references keep their text beside what it means, so that writing gives the same text again;
what cannot be understood has the text only. Elements that CAP does not have are kept whole in `extra`, as canonical XML.

    alert = read_cap(data)                       # noroshi.gateways.cap_read
    alert.infos[0].areas[0].polygons[0].points   # ((38.47, -120.14), ...), degrees, latitude first, as the format has it

Source: OASIS Common Alerting Protocol 1.2 (1 July 2010), 1.1 (October 2005) and 1.0 (March 2004), section 3.2 of each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec

from noroshi.errors import PartnerError

CapVersion = Literal["1.0", "1.1", "1.2"]

NAMESPACES: Mapping[CapVersion, str] = MappingProxyType(
    {
        "1.0": "http://www.incident.com/cap/1.0",
        "1.1": "urn:oasis:names:tc:emergency:cap:1.1",
        "1.2": "urn:oasis:names:tc:emergency:cap:1.2",
    }
)

_WORDS = re.compile(r'"([^"]*)"|(\S+)')

SIGNATURE_NAMESPACE = "http://www.w3.org/2000/09/xmldsig#"


class CapUnreadableError(PartnerError):
    """Bytes that are no CAP message, or not one that may be acted on.

    `line` is 1-based (0 when there is none), `rule` the short name of what was broken, as in `check_cap`, `says` the
    cause without them.
    """

    def __init__(self, cause: str, *, line: int = 0, rule: str = "unreadable", subject: str = "") -> None:
        self.line = line
        self.rule = rule
        self.says = cause
        where = f"line {line}: {cause} [{rule}]" if line else f"{cause} [{rule}]"
        super().__init__("read a CAP message", subject=subject, cause=where)


class CapForm(msgspec.Struct, frozen=True):
    """How a file wrote one element, so that it can be written so again. A new element needs none.

    order: the names of its children as they came, `+` for the next of `extra`; spaces: the white space before each
    child, and before the end of the element; attributes: (name, value) of those that it carries itself, with the name
    as `{namespace}local`; marked: (place in `order`, attributes) of plain children that carry some. prefix and
    namespaces ((prefix, address) pairs) are those of the root.
    """

    order: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    marked: tuple[tuple[int, tuple[tuple[str, str], ...]], ...] = ()
    prefix: str = ""
    namespaces: tuple[tuple[str, str], ...] = ()


class CapTime(msgspec.Struct, frozen=True):
    """A time: its text, UTC nanoseconds, and the offset of its clock in seconds.

    `time_ns` is None when the text has no zone (CAP 1.1 lets it) or is no time at all.
    """

    text: str
    time_ns: int | None = None
    offset_s: int | None = None


class CapNamed(msgspec.Struct, frozen=True):
    """A value and what it is called: `eventCode`, `parameter`, `geocode`. CAP 1.0 writes them `name=value`."""

    name: str
    value: str
    extra: tuple[bytes, ...] = ()
    form: CapForm | None = None


class CapPolygon(msgspec.Struct, frozen=True):
    """A polygon: its text, and its corners (latitude, longitude) in degrees, WGS 84; none when it is not understood."""

    text: str
    points: tuple[tuple[float, float], ...] = ()


class CapCircle(msgspec.Struct, frozen=True):
    """A circle: its text, centre in degrees (WGS 84), radius in kilometres; None when it cannot be understood."""

    text: str
    latitude: float | None = None
    longitude: float | None = None
    radius_km: float | None = None


class CapArea(msgspec.Struct, frozen=True):
    """Where. altitude and ceiling: text, feet above mean sea level."""

    description: str
    polygons: tuple[CapPolygon, ...] = ()
    circles: tuple[CapCircle, ...] = ()
    geocodes: tuple[CapNamed, ...] = ()
    altitude: str = ""
    ceiling: str = ""
    extra: tuple[bytes, ...] = ()
    form: CapForm | None = None


class CapResource(msgspec.Struct, frozen=True):
    """A file that goes with an info. size: bytes, as text; deref_uri: its content in base 64; digest: SHA-1 in hex."""

    description: str
    mime_type: str = ""
    size: str = ""
    uri: str = ""
    deref_uri: str = ""
    digest: str = ""
    extra: tuple[bytes, ...] = ()
    form: CapForm | None = None


class CapInfo(msgspec.Struct, frozen=True):
    """What is said in one language. An empty `language` means `en-US`, as the standard has it."""

    language: str = ""
    categories: tuple[str, ...] = ()
    event: str = ""
    response_types: tuple[str, ...] = ()
    urgency: str = ""
    severity: str = ""
    certainty: str = ""
    audience: str = ""
    event_codes: tuple[CapNamed, ...] = ()
    effective: CapTime | None = None
    onset: CapTime | None = None
    expires: CapTime | None = None
    sender_name: str = ""
    headline: str = ""
    description: str = ""
    instruction: str = ""
    web: str = ""
    contact: str = ""
    parameters: tuple[CapNamed, ...] = ()
    resources: tuple[CapResource, ...] = ()
    areas: tuple[CapArea, ...] = ()
    extra: tuple[bytes, ...] = ()
    form: CapForm | None = None


class CapAlert(msgspec.Struct, frozen=True):
    """A whole message. password stands in CAP 1.0 only; signatures are among `extra`."""

    version: CapVersion
    identifier: str
    sender: str
    sent: CapTime
    status: str
    msg_type: str
    scope: str = ""
    password: str = ""
    source: str = ""
    restriction: str = ""
    addresses: str = ""
    codes: tuple[str, ...] = ()
    note: str = ""
    references: str = ""
    incidents: str = ""
    infos: tuple[CapInfo, ...] = ()
    extra: tuple[bytes, ...] = ()
    form: CapForm | None = None


class CapReference(msgspec.Struct, frozen=True):
    """An earlier message that this one is about: who sent it, its identifier, and when."""

    sender: str
    identifier: str
    sent: CapTime


def words_of(text: str) -> tuple[str, ...]:
    """The words of `addresses` or `incidents`: split at white space, several words in double quotes count as one."""
    return tuple(quoted or plain for quoted, plain in _WORDS.findall(text))
