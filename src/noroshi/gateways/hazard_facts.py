"""What a message of another agency says, as values of the core: radians, nanoseconds, one row a language.

What cannot be understood is left out, never guessed; the message itself is kept whole elsewhere.

    facts = facts_of(read_cap(data))
    facts.sender, facts.until_ns, facts.infos[0].headline
    act_now(facts)                       # whether people must act within the hour
"""

from __future__ import annotations

from hashlib import sha256
from math import radians

import msgspec
import numpy as np

from noroshi.clock import seconds
from noroshi.gateways.cap_model import CapAlert, CapArea, CapInfo
from noroshi.gateways.cap_values import references_of
from noroshi.geo.geodesic import destination
from noroshi.messages.bodies import Ring
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import DAY_S
from noroshi.messages.soundness import LAST_NS

UNSTATED_NS = seconds(DAY_S)
"""How long an alert stands that does not say until when: the standard leaves it to us."""

LONGEST_NS = seconds(31 * DAY_S)
"""The longest that an alert stands without being said again: real ones of floods and droughts are renewed in days."""

CIRCLE_CORNERS = 64
"""Corners of a circle's ring: off by 0.1 % of its radius."""

WIDEST_M = 20_000_000.0
"""Nearly half of the Earth's girth: a wider circle is all of it, and has no border to draw."""

DEFAULT_LANGUAGE = "en-US"
"""Of a text that names none: CAP 1.2, section 3.2.2."""

_NOW = frozenset({"Immediate", "Expected"})
_GRAVE = frozenset({"Extreme", "Severe"})


class HazardArea(msgspec.Struct, frozen=True):
    """Where: the agency's words, its polygons as rings, its circles as (latitude_rad, longitude_rad, radius_m), its
    codes.
    """

    description: str
    rings: tuple[Ring, ...]
    circles: tuple[tuple[float, float, float], ...]
    codes: tuple[str, ...]


class HazardInfo(msgspec.Struct, frozen=True):
    """What is said in one language. Words of urgency, severity and certainty as the standard has them; 0: no time."""

    language: str
    event: str
    categories: tuple[str, ...]
    responses: tuple[str, ...]
    urgency: str
    severity: str
    certainty: str
    sender_name: str
    headline: str
    description: str
    instruction: str
    effective_ns: int
    onset_ns: int
    expires_ns: int
    areas: tuple[HazardArea, ...]
    web: str = ""
    contact: str = ""


class Reference(msgspec.Struct, frozen=True):
    """An earlier message that this one is about."""

    sender: str
    identifier: str
    sent_ns: int


class HazardFacts(msgspec.Struct, frozen=True):
    """All of a message that matters here. until_ns: when it ends by itself, the latest of its texts."""

    sender: str
    identifier: str
    sent_ns: int
    status: str
    message_type: str
    scope: str
    note: str
    references: tuple[Reference, ...]
    infos: tuple[HazardInfo, ...]
    until_ns: int

    @property
    def digest(self) -> bytes:
        """SHA-256 of what it says: the same for two files that differ in spaces only."""
        return sha256(encode(self)).digest()

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything in it that a person reads."""
        infos = (
            text
            for one in self.infos
            for text in (one.event, one.sender_name, one.headline, one.description, one.instruction)
        )
        places = (area.description for one in self.infos for area in one.areas)
        return tuple(text for text in (self.note, *infos, *places) if text)


def facts_of(alert: CapAlert) -> HazardFacts | str:
    """What a message says, or why nothing can be done with it: it has no time that means something."""
    sent_ns = alert.sent.time_ns
    if sent_ns is None or not 0 < sent_ns < LAST_NS - LONGEST_NS:
        return "no-time-of-sending"
    known: dict[str, Ring] = {}
    infos = tuple(_info(one, known) for one in alert.infos)
    stated = [one.expires_ns for one in infos if one.expires_ns]
    until_ns = max(stated) if stated else sent_ns + UNSTATED_NS
    return HazardFacts(
        sender=alert.sender.strip(),
        identifier=alert.identifier.strip(),
        sent_ns=sent_ns,
        status=alert.status.strip(),
        message_type=alert.msg_type.strip(),
        scope=alert.scope.strip(),
        note=alert.note,
        references=tuple(
            Reference(one.sender, one.identifier, one.sent.time_ns or 0) for one in references_of(alert)
        ),
        infos=infos,
        until_ns=min(until_ns, sent_ns + LONGEST_NS),
    )


def act_now(facts: HazardFacts) -> bool:
    """Whether somebody must act within the hour, by the agency's own words: grave, soon, and not held unlikely."""
    return any(
        one.urgency in _NOW
        and one.severity in _GRAVE
        and one.certainty != "Unlikely"
        and "AllClear" not in one.responses
        for one in facts.infos
    )


def _info(info: CapInfo, known: dict[str, Ring]) -> HazardInfo:
    times = (info.effective, info.onset, info.expires)
    effective_ns, onset_ns, expires_ns = (_time(one.time_ns if one else None) for one in times)
    return HazardInfo(
        language=info.language.strip() or DEFAULT_LANGUAGE,
        event=info.event,
        categories=info.categories,
        responses=info.response_types,
        urgency=info.urgency,
        severity=info.severity,
        certainty=info.certainty,
        sender_name=info.sender_name,
        headline=info.headline,
        description=info.description,
        instruction=info.instruction,
        effective_ns=effective_ns,
        onset_ns=onset_ns,
        expires_ns=expires_ns,
        areas=tuple(_area(one, known) for one in info.areas),
        web=info.web.strip(),
        contact=info.contact.strip(),
    )


def _time(time_ns: int | None) -> int:
    """A time within the years that times here have; 0 for none."""
    return 0 if time_ns is None else min(max(time_ns, 1), LAST_NS - 1)


def _area(area: CapArea, known: dict[str, Ring]) -> HazardArea:
    """One area; known: rings by the text of their polygons, which a message repeats in each of its languages."""
    rings = []
    for one in area.polygons:
        if one.points and one.text not in known:
            known[one.text] = np.radians(np.array(one.points, np.float64)).tolist()
        if one.points:
            rings.append(known[one.text])
    circles = []
    for circle in area.circles:
        if circle.latitude is not None and circle.longitude is not None and circle.radius_km:
            circles.append((radians(circle.latitude), radians(circle.longitude), 1000.0 * circle.radius_km))
    codes = tuple(f"{one.name}={one.value}" for one in area.geocodes)
    return HazardArea(area.description, tuple(rings), tuple(circles), codes)


def circle_ring(latitude_rad: float, longitude_rad: float, radius_m: float) -> Ring:
    """A circle's ring, closed; none for one that has no border to draw."""
    if radius_m >= WIDEST_M:
        return []
    azimuth = np.linspace(0.0, 2.0 * np.pi, CIRCLE_CORNERS, endpoint=False)
    start = np.full((2, CIRCLE_CORNERS), [[latitude_rad], [longitude_rad]])
    lat, lon = destination(start[0], start[1], azimuth, np.full(CIRCLE_CORNERS, radius_m))
    corners: Ring = np.column_stack((lat, lon)).tolist()
    return [*corners, corners[0]]
