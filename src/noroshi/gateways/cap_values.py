"""The values that CAP writes as text: times, polygons, circles, references. What cannot be understood keeps its text.

    time_of("2022-10-04T07:25:10+09:00").time_ns         # 1664835910000000000
    polygon_of("1,2 1,3 2,3 1,2").points[0]              # (1.0, 2.0)
    reference_of("jma@x.jp,a-1,2022-10-04T07:25:10+09:00").identifier        # 'a-1'

Source: OASIS CAP 1.2, section 3.2, and W3C XML Schema Part 2, section 3.2.7 (dateTime).
"""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import UTC, datetime

from noroshi.clock import NS_PER_S
from noroshi.gateways.cap_model import CapAlert, CapCircle, CapPolygon, CapReference, CapTime

_TIME = re.compile(
    r"([0-9]{4,6})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,18}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})")
_XML_SPACE = " \t\r\n"

MAX_ZONE_S = 14 * 3600
"""The furthest that a clock may be from UTC: W3C XML Schema Part 2, section 3.2.7.3."""


def time_of(text: str) -> CapTime:
    """A time with what it means; `time_ns` is None when it has no zone, or is no time of the years 1 to 9999."""
    found = _TIME.fullmatch(text.strip(_XML_SPACE))
    if not found:
        return CapTime(text)
    year, month, day, hour, minute, second = (int(one) for one in found.groups()[:6])
    midnight = hour == 24 and minute == second == 0 and not (found[7] or "").strip(".0")
    if not (1 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= monthrange(year, month)[1]):
        return CapTime(text)
    if not ((hour < 24 or midnight) and minute < 60 and second < 60):
        return CapTime(text)
    offset_s = _offset_s(found[8] or "")
    if offset_s is None:
        return CapTime(text)
    days = (datetime(year, month, day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
    whole_s = days * 86_400 + hour * 3600 + minute * 60 + second - offset_s
    part_ns = int(((found[7] or ".")[1:] + "0" * 9)[:9])
    return CapTime(text, whole_s * NS_PER_S + part_ns, offset_s)


def _offset_s(zone: str) -> int | None:
    if zone == "Z":
        return 0
    if not zone:
        return None
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    offset_s = hours * 3600 + minutes * 60
    if minutes > 59 or offset_s > MAX_ZONE_S:
        return None
    return -offset_s if zone[0] == "-" else offset_s


def number_of(text: str) -> float | None:
    """A decimal number as the format writes it; None for anything else."""
    plain = text.strip(_XML_SPACE)
    return float(plain) if _NUMBER.fullmatch(plain) else None


def point_of(text: str) -> tuple[float, float] | None:
    """`latitude,longitude` in degrees; None when it is none, or not on the Earth."""
    latitude, comma, longitude = text.partition(",")
    values = number_of(latitude), number_of(longitude)
    if not comma or values[0] is None or values[1] is None:
        return None
    if abs(values[0]) > 90.0 or abs(values[1]) > 180.0:
        return None
    return values[0], values[1]


def polygon_of(text: str) -> CapPolygon:
    """A polygon; without points unless it has four or more, all on the Earth, the last the same as the first."""
    points = [point_of(one) for one in text.split()]
    known = tuple(one for one in points if one is not None)
    if len(known) < 4 or len(known) != len(points) or known[0] != known[-1]:
        return CapPolygon(text)
    return CapPolygon(text, known)


def circle_of(text: str) -> CapCircle:
    """A circle; without centre and radius unless it is a point and a radius of zero or more."""
    parts = text.split()
    if len(parts) != 2:
        return CapCircle(text)
    centre, radius_km = point_of(parts[0]), number_of(parts[1])
    if centre is None or radius_km is None or radius_km < 0.0:
        return CapCircle(text)
    return CapCircle(text, centre[0], centre[1], radius_km)


def reference_of(text: str) -> CapReference | None:
    """`sender,identifier,sent`; None when it is none. A sender may have commas of its own, against the rule."""
    parts = text.rsplit(",", 2)
    if len(parts) != 3 or not all(parts):
        return None
    sent = time_of(parts[2])
    return None if sent.time_ns is None else CapReference(parts[0], parts[1], sent)


def references_of(alert: CapAlert) -> tuple[CapReference, ...]:
    """The earlier messages that this one is about, in order; what cannot be understood is left out."""
    return tuple(found for one in alert.references.split() if (found := reference_of(one)) is not None)
