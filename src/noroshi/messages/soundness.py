"""Whether a body's values can be: what types cannot say of bodies that are shown as they came.

A decoded body has fields of the right types; a ring with one corner or a covariance of two numbers has too. Measurements
are checked where they become evidence.

    defect(body)                # '' or what cannot be
"""

from __future__ import annotations

from collections.abc import Iterable
from math import pi

from noroshi.messages.bodies import (
    AcknowledgementBody,
    AlertBody,
    AreaRow,
    Body,
    DecisionBody,
    EventBody,
    FallRow,
    Ring,
    WarningBody,
)
from noroshi.messages.signing import ID_BYTES

LAST_NS = 2**62
"""The year 2116: later times are no times, and arithmetic on them leaves 64 bits."""

SLACK_RAD = 1e-9
"""Of an angle that was rounded on its way from degrees."""


def defect(body: Body) -> str:
    """What cannot be in a body, or an empty text."""
    match body:
        case WarningBody():
            times = (body.first_observed_ns, body.last_observed_ns, body.valid_until_ns)
            return (
                _times(times)
                or _areas(body.areas)
                or _rings(body.corridor)
                or (_fall(body.fall) if body.fall is not None else "")
            )
        case AlertBody():
            return _times((body.sent_ns, body.expires_ns)) or _areas(body.areas) or _rings(body.rings)
        case EventBody():
            known = len(body.other) in (0, ID_BYTES)
            return _times((body.first_observed_ns,)) if known else "an alias of another size"
        case DecisionBody():
            return _times((body.deadline_ns,))
        case AcknowledgementBody():
            return "" if len(body.of) == ID_BYTES else "an id of another size"
    return ""


def _areas(areas: Iterable[AreaRow]) -> str:
    for area in areas:
        reason = _times((area.from_ns, area.to_ns)) or _share(area.probability)
        for place in area.places:
            reason = reason or _point(place.latitude_rad, place.longitude_rad) or _share(place.probability)
        if reason:
            return reason
    return ""


def _fall(fall: FallRow) -> str:
    if len(fall.covariance) != 9 or min(fall.covariance[0::4]) < 0.0:
        return "a covariance that is none"
    return (
        _times((fall.time_ns,))
        or _share(fall.probability)
        or _point(fall.latitude_rad, fall.longitude_rad)
        or _rings(fall.rings)
    )


def _rings(rings: Iterable[Ring]) -> str:
    for ring in rings:
        if len(ring) < 4 or any(len(corner) != 2 for corner in ring) or ring[0] != ring[-1]:
            return "a ring that is none"
        reason = next(filter(None, (_point(latitude, longitude) for latitude, longitude in ring)), "")
        if reason:
            return reason
    return ""


def _point(latitude_rad: float, longitude_rad: float) -> str:
    on_earth = abs(latitude_rad) <= pi / 2 + SLACK_RAD and abs(longitude_rad) <= 2 * pi + SLACK_RAD
    return "" if on_earth else "a point that is not on the Earth"


def _share(probability: float) -> str:
    return "" if 0.0 <= probability <= 1.0 else "a probability outside 0 to 1"


def _times(times: Iterable[int]) -> str:
    return "" if all(0 <= time_ns < LAST_NS for time_ns in times) else "a time that is none"
