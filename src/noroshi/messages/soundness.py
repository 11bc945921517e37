"""Whether a body's values can be: what types cannot say of bodies that are shown as they came.

A decoded body has fields of the right types; a ring with one corner or a covariance of two numbers has too. Measurements
are checked where they become evidence.

    defect(body)                # '' or what cannot be
"""

from __future__ import annotations

from collections.abc import Iterable
from math import pi, tau

from msgspec import UNSET

from noroshi.messages.bodies import (
    AcknowledgementBody,
    AlertBody,
    AreaRow,
    Body,
    DecisionBody,
    EventBody,
    FallRow,
    InjectBody,
    RecallBody,
    ReducedTrackBody,
    ReleaseBody,
    RemarkBody,
    Ring,
    WarningBody,
)
from noroshi.messages.bodies_alerts import AlertRequestBody
from noroshi.messages.bodies_hazard import MAX_CLAIM_WORD, ClaimBody, HazardBody, claim_defect, hazard_defect
from noroshi.messages.bodies_notice import NoticeBody
from noroshi.messages.bodies_reach import (
    DeliveryBody,
    ReadinessBody,
    delivery_defect,
    readiness_defect,
)
from noroshi.messages.cells import COARSEST_ROWS, FINEST_ROWS, is_cell
from noroshi.messages.labels import is_partner
from noroshi.messages.signing import ID_BYTES

LAST_NS = 2**62
"""The year 2116: later times are no times, and arithmetic on them leaves 64 bits."""

MOST_CORNERS = 500
"""Of an announced area, which a person has written."""

MAX_LINE = 200
"""Of an address or a contact in a public alert: what a receiver shows in a line or two."""

MAX_SAID = 10_000
"""Characters of what a post or exercise control says: the timeline of everybody has it."""

MAX_TYPED = 400
"""Characters that a person types to confirm an alert, or of a region's name: four long names."""

MAX_AREAS = 1000
"""Regions of one request: more than any nation has."""

FILE_BYTES = 32
"""Of the digest of an agency's file, SHA-256."""

SLACK_RAD = 1e-9
"""Of an angle that was rounded on its way from degrees."""


def defect(body: Body) -> str:
    """What cannot be in a body, or an empty text."""
    match body:
        case WarningBody():
            if body.state in ("draft", "proposed"):
                return "a draft, which is nobody else's"
            if any(area.kind == "hazard" for area in body.areas):
                return "another agency's word as a warning of its own"
            times = (body.first_observed_ns, body.last_observed_ns, body.valid_until_ns)
            return (
                _times(times)
                or _areas(body.areas)
                or _rings(body.corridor)
                or (_fall(body.fall) if body.fall is not None else "")
            )
        case AlertBody():
            lines = [one for one in (body.web, body.contact) if one is not UNSET]
            if any(len(one) > MAX_LINE for one in lines):
                return "more than stands in a line"
            if reason := _cited(body):
                return reason
            return _times((body.sent_ns, body.expires_ns)) or _areas(body.areas) or _rings(body.rings)
        case EventBody():
            known = len(body.other) in (0, ID_BYTES)
            return _times((body.first_observed_ns,)) if known else "an alias of another size"
        case ReducedTrackBody():
            return _reduced(body)
        case DecisionBody():
            if body.typed is not UNSET and len(body.typed) > MAX_TYPED:
                return "more than anybody types"
            return _times((body.deadline_ns,))
        case AlertRequestBody():
            names = [name for area in body.areas for name in area]
            sound = len(body.areas) <= MAX_AREAS and all(0 < len(name) <= MAX_TYPED for name in names)
            return "" if sound and len(body.event) in (0, ID_BYTES) else "areas that are none"
        case AcknowledgementBody():
            return "" if len(body.of) == ID_BYTES else "an id of another size"
        case ReleaseBody():
            return "" if len(body.of) == ID_BYTES and is_partner(body.partner) else "an id of another size"
        case RecallBody():
            return _recall(body)
        case NoticeBody():
            return _notice(body)
        case HazardBody():
            return _times((body.sent_ns,)) or hazard_defect(body)
        case ClaimBody():
            return _times((body.said_ns,)) or claim_defect(body)
        case DeliveryBody():
            known = len(body.of) == ID_BYTES
            return (
                _times((body.first_ns, body.last_ns)) or delivery_defect(body)
                if known
                else "an id of another size"
            )
        case ReadinessBody():
            return readiness_defect(body)
        case InjectBody() | RemarkBody():
            sound = len(body.unit) <= MAX_LINE and len(body.text) <= MAX_SAID
            return "" if sound and "\0" not in body.text else "words that nobody says"
    return ""


def _areas(areas: Iterable[AreaRow]) -> str:
    for area in areas:
        reason = _times((area.from_ns, area.to_ns)) or _share(area.probability)
        if any(len(code) != 2 or not all(code) for code in area.codes or ()):
            reason = "a code that is none"
        for place in area.places:
            reason = reason or _point(place.latitude_rad, place.longitude_rad) or _share(place.probability)
        if reason:
            return reason
    return ""


def _cited(body: AlertBody) -> str:
    """Whether an alert rests on an agency's message or on a warning, and never a little on each."""
    one = body.hazard
    if one is UNSET:
        return "a hazard that is nobody's" if any(area.kind == "hazard" for area in body.areas) else ""
    names, ours = (one.sender, one.identifier), (one.agency, one.agency_ja, one.agency_ko)
    if not all(0 < len(name) <= MAX_CLAIM_WORD for name in names) or not all(
        0 < len(name) <= MAX_LINE for name in ours
    ):
        return "a name of another size"
    if len(one.file) != FILE_BYTES:
        return "a digest of another size"
    if any(area.kind != "hazard" for area in body.areas):
        return "a prediction in an agency's name"
    return _times((one.sent_ns,))


def _recall(body: RecallBody) -> str:
    if len(body.of) != ID_BYTES or len(body.by) != (ID_BYTES if body.step == "replaced" else 0):
        return "an id of another size"
    if bool(body.original) != (body.label is not None) or (body.original and body.step != "ask"):
        return "a new label without its message"
    return "" if all(map(is_partner, body.asked)) else "a partner that is none"


def _notice(body: NoticeBody) -> str:
    if len(body.notice) != ID_BYTES or body.number < 1:
        return "an id of another size"
    if not 1 <= body.count <= 100 or not 1 <= len(body.title) <= 200:
        return "a count or a title that is none"
    if max(len(body.watches), len(body.informed)) > 50 or sum(map(len, body.area)) > MOST_CORNERS:
        return "more of something than anybody announces"
    if not all(0.0 <= one <= tau for one in (body.azimuth_from_rad, body.azimuth_to_rad)):
        return "an azimuth that is none"
    if body.circle is not None and not 0.0 < body.circle.radius_m <= 10_000_000.0:
        return "a radius that is none"
    middle = _point(body.circle.latitude_rad, body.circle.longitude_rad) if body.circle is not None else ""
    return middle or _rings(body.area) or _times((body.from_ns, body.to_ns, body.inform_by_ns))


def _reduced(body: ReducedTrackBody) -> str:
    cells = [cell for cell in (body.launch, body.fall) if cell is not None]
    if not COARSEST_ROWS <= body.rows <= FINEST_ROWS or not cells:
        return "a grid that is none"
    if not all(is_cell(body.rows, cell.row, cell.column) for cell in cells):
        return "a cell that is none"
    if len(body.track) != ID_BYTES or body.sequence < 1:
        return "an alias of another size"
    if not body.sensings or body.sensings != sorted(set(body.sensings)):
        return "kinds of sensing that are none"
    if body.from_ns > body.to_ns or (body.fall is None) != (body.to_ns == 0):
        return "a window that is none"
    return _times((body.issued_ns, body.from_ns, body.to_ns))


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
    for time_ns in times:
        if not 0 <= time_ns < LAST_NS:
            return "a time that is none"
    return ""
