"""Notices as files that a person writes: YAML in degrees, kilometres and times with a zone.

schema: noroshi.notice/1
notice: upper-air-2026             # the giver's own name for it, the same in all its steps
step: announced                    # then, with a higher `number`: updated, go, done, withdrawn
...

    given = read_notice("notice.yaml")               # InputError names file, line, field
    body = given.body("JPN", "jp-mofa")
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import radians
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from noroshi.clock import from_iso, seconds
from noroshi.command.notices import form_defect, notice_id
from noroshi.documents import Document, Element, convert, fail, parse
from noroshi.log import OutboxRow
from noroshi.messages.bodies_notice import CircleRow, NoticeBody, NoticeObject, NoticeStep
from noroshi.service.files import given_text

EXPIRES_AFTER_S = 3600.0
"""After the window, where the file does not say: late sights are still explained."""

Degrees = Annotated[float, Meta(ge=0.0, le=360.0)]
Latitude = Annotated[float, Meta(ge=-90.0, le=90.0)]
Longitude = Annotated[float, Meta(ge=-180.0, le=180.0)]
Name = Annotated[
    str,
    Meta(
        pattern="^[a-z0-9][a-z0-9.-]{0,63}$",
        description="a name of lower-case letters, digits, dots and hyphens",
    ),
]


class CircleElement(Element, frozen=True):
    """A circle on the ground."""

    lat_deg: Latitude
    lon_deg: Longitude
    radius_km: Annotated[float, Meta(gt=0.0, le=500.0)]


class NoticeElement(Element, frozen=True):
    """A step of a notice as its file has it. from, to, inform_by, expires: times with a zone; polygon: [lat, lon]."""

    schema: Literal["noroshi.notice/1"]
    notice: Name
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    object: NoticeObject
    opens: str = msgspec.field(name="from")
    closes: str = msgspec.field(name="to")
    inform_by: str
    azimuth_deg: tuple[Degrees, Degrees]
    watches: Annotated[tuple[str, ...], Meta(min_length=1, max_length=50)]
    step: NoticeStep = "announced"
    number: Annotated[int, Meta(ge=1)] = 1
    count: Annotated[int, Meta(ge=1, le=100)] = 1
    informed: Annotated[tuple[str, ...], Meta(max_length=50)] = ()
    partners: tuple[Annotated[str, Meta(pattern="^[A-Z]{3}$", description="a partner such as KOR")], ...] = ()
    circle: CircleElement | None = None
    polygon: Annotated[tuple[tuple[Latitude, Longitude], ...], Meta(max_length=400)] = ()
    expires: str | None = None


@dataclass(frozen=True, slots=True)
class NoticeFile:
    """A notice's file that is usable, whoever gives it."""

    element: NoticeElement
    expires_ns: int

    def body(self, partner: str, unit: str) -> NoticeBody:
        """The body that a post of this unit gives."""
        one = self.element
        circle = None
        if one.circle is not None:
            circle = CircleRow(
                latitude_rad=radians(one.circle.lat_deg),
                longitude_rad=radians(one.circle.lon_deg),
                radius_m=one.circle.radius_km * 1e3,
            )
        return NoticeBody(
            notice=notice_id(partner, unit, one.notice),
            number=one.number,
            step=one.step,
            unit=unit,
            title=one.title,
            object=one.object,
            count=one.count,
            from_ns=from_iso(one.opens),
            to_ns=from_iso(one.closes),
            area=_rings(one.polygon),
            circle=circle,
            azimuth_from_rad=radians(one.azimuth_deg[0]),
            azimuth_to_rad=radians(one.azimuth_deg[1]),
            watches=list(one.watches),
            informed=list(one.informed),
            inform_by_ns=from_iso(one.inform_by),
        )


PLACES = {
    "window-is-none": ("to",),
    "window-over": ("to",),
    "window-too-long": ("to",),
    "window-too-far": ("from",),
    "expires-before-window": ("expires",),
    "expired": ("expires",),
    "area-is-none": ("polygon",),
    "area-too-large": ("polygon",),
}
"""The field that a defect of a notice's form is about."""


def read_notice(path: Path, now_ns: int, says: Any) -> NoticeFile:
    """A notice's file. says: the words for each defect. Raises InputError with file, line and field."""
    document = parse(given_text(path, "give the path of a notice file"), str(path))
    element = convert(document, NoticeElement)
    times = {
        field: _time(document, field, value)
        for field, value in (
            ("from", element.opens),
            ("to", element.closes),
            ("inform_by", element.inform_by),
            ("expires", element.expires),
        )
        if value is not None
    }
    if (element.circle is None) == (not element.polygon):
        fail(document, ("polygon",), says["area-is-none"], "give `circle` or `polygon`")
    given = NoticeFile(element, times.get("expires", times["to"] + seconds(EXPIRES_AFTER_S)))
    reason = form_defect(given.body("AAA", "unit"), given.expires_ns, now_ns)
    if reason:
        fail(document, PLACES.get(reason, ()), says[reason])
    return given


def newest_notices(rows: Iterable[OutboxRow]) -> list[dict[str, Any]]:
    """The newest staff row of each notice among these rows, in the order in which they were first shown."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if row.key.startswith("notice:"):
            found[row.key] = msgspec.json.decode(row.data)
    return list(found.values())


def _rings(corners: tuple[tuple[float, float], ...]) -> list[list[list[float]]]:
    ring = [[radians(lat), radians(lon)] for lat, lon in corners]
    if ring and ring[0] != ring[-1]:
        ring.append(list(ring[0]))
    return [ring] if ring else []


def _time(document: Document, field: str, text: str) -> int:
    try:
        return from_iso(text)
    except ValueError:
        fail(document, (field,), f"{text!r} is no time with a zone", 'write "2026-02-01T00:00:00Z"')
