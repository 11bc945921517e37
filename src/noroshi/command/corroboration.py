"""Whether a partner's signed warning says the same as an alert of ours, on evidence that is not ours come back.

An alert on another agency's word is corroborated by a partner that has the very same file, by an entrance of its own,
and has checked the agency's signature there.

corroboration_defect(alert, warning_message, "JPN", fresh_ns)      # '' or why it does not stand beside the alert
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from math import degrees

from msgspec import UNSET

from noroshi.geo.areas import RingError, from_rings_deg, intersection
from noroshi.messages import Message
from noroshi.messages.bodies import AlertBody, Ring, WarningBody
from noroshi.messages.bodies_hazard import HazardBody
from noroshi.messages.envelope import MAX_AHEAD_NS


def corroboration_defect(alert: AlertBody, message: Message, origin: str, fresh_ns: int) -> str:
    """Why a verified warning does not corroborate an alert of `origin` as it was sent; an empty text when it does.

    It is another partner's, stands and is fresh; that partner's own sensors have seen something; its areas or its
    corridor meet the alert's, and so do the times. That both speak of one event, each node judges by its own matching.
    """
    warning = message.body
    if not isinstance(warning, WarningBody) or alert.hazard is not UNSET:
        return "not-a-warning"
    if message.origin == origin:
        return "own-warning"
    said_ns, sent_ns = message.envelope.time_ns, alert.sent_ns
    if warning.state not in ("issued", "updated") or warning.valid_until_ns < sent_ns:
        return "corroboration-over"
    if not sent_ns - fresh_ns <= said_ns <= sent_ns + MAX_AHEAD_NS:
        return "corroboration-not-fresh"
    if message.origin not in warning.partners:
        return "only-our-own-evidence" if origin in warning.partners else "no-sensing-of-its-own"
    if not _times_meet(alert, warning):
        return "corroborates-another-time"
    return "" if _places_meet(alert, warning) else "corroborates-another-place"


def hazard_corroboration_defect(alert: AlertBody, message: Message, origin: str, fresh_ns: int) -> str:
    """Why a partner's verified word of a hazard does not corroborate an alert of `origin`; an empty text when it does.

    It is another partner's, fresh, and tells of the file that the alert cites, whose signature that partner has checked.
    """
    told, cited = message.body, alert.hazard
    if not isinstance(told, HazardBody) or cited is UNSET:
        return "not-the-same-kind"
    if message.origin == origin:
        return "own-hazard"
    if told.signature != "signed":
        return "corroboration-not-checked"
    if not alert.sent_ns - fresh_ns <= message.envelope.time_ns <= alert.sent_ns + MAX_AHEAD_NS:
        return "corroboration-not-fresh"
    same = (told.sender, told.identifier, told.sent_ns) == (cited.sender, cited.identifier, cited.sent_ns)
    return "" if same and sha256(told.cap).digest() == cited.file else "corroborates-another-hazard"


def _times_meet(alert: AlertBody, warning: WarningBody) -> bool:
    """Whether both speak of one flight: what one names has not ended before the other begins."""
    ends_ns = max((area.to_ns for area in warning.areas), default=warning.valid_until_ns)
    first_ns = min((area.from_ns for area in alert.areas), default=alert.sent_ns)
    last_ns = max((area.to_ns for area in alert.areas), default=alert.expires_ns)
    return warning.last_observed_ns <= last_ns and first_ns <= max(ends_ns, warning.valid_until_ns)


def _places_meet(alert: AlertBody, warning: WarningBody) -> bool:
    named = {(area.country, area.region) for area in alert.areas}
    if any((area.country, area.region) in named for area in warning.areas):
        return True
    if not alert.rings or not warning.corridor:
        return False
    try:
        ours, theirs = from_rings_deg(_degrees(alert.rings)), from_rings_deg(_degrees(warning.corridor))
    except RingError:
        return False
    return not intersection(ours, theirs).is_empty


def _degrees(rings: Iterable[Ring]) -> list[list[tuple[float, float]]]:
    """Rings as (longitude, latitude) in degrees."""
    return [[(degrees(longitude), degrees(latitude)) for latitude, longitude in ring] for ring in rings]
