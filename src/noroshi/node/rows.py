"""The staff's rows of pictures, warnings and alerts: plain JSON in degrees, for maps and consoles.

A projection for the staff's clearance group: it shows what this node has, and says from whom.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import degrees
from typing import Any

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from noroshi.gateways.geojson import rings_deg
from noroshi.messages import Message
from noroshi.messages.bodies import AlertBody, AreaRow, FallRow, TextRow, WarningBody
from noroshi.messages.trust import REAL
from noroshi.node.events import Estimate, Event
from noroshi.node.outlook import Outlook
from noroshi.node.sighting import first_seen_by
from noroshi.node.work import MS_PER_NS, Work
from noroshi.warning.ages import age_s, age_words
from noroshi.warning.contours import contours
from noroshi.warning.falling import fall_in
from noroshi.warning.lifecycle import WarningState

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BASIS_WORDS = {
    "single-source": "a single source, not confirmed",
    "one-kind": "several sources, one kind of sensing, not confirmed",
    "confirmed": "confirmed by two kinds of sensing",
}

PHASE_WORDS = {
    "powered": "The object is still under power: no fall is predicted yet",
    "manoeuvring": "The object does not fall freely: it manoeuvres or glides, and no fall is predicted",
}
"""What the timeline says when a track enters a phase of which nothing can be predicted."""


def show_picture(work: Work, event: Event, estimate: Estimate, outlook: Outlook) -> None:
    """The newest state of one event's own picture."""
    identity = work.state.event_alias(event).hex()
    lost = outlook.lost and not event.lost
    event.lost = outlook.lost
    changed, event.phase = outlook.phase != event.phase, outlook.phase
    says = PHASE_WORDS.get(outlook.phase, "") if changed else ""
    work.show(
        "picture",
        f"Track lost: no observation since {age_s(outlook.last_observed_ns, work.now_ns):.0f} s"
        if lost
        else says,
        lane=3,
        key=f"picture:{identity}",
        event=identity,
        title=f"Event {event.number}",
        track_ms=outlook.time_ns // MS_PER_NS,
        updates=estimate.rows,
        partners=sorted(estimate.partners),
        sensings=sorted(estimate.sensings),
        first_observed_ms=outlook.first_observed_ns // MS_PER_NS,
        last_observed_ms=outlook.last_observed_ns // MS_PER_NS,
        position=dict(zip(("lat", "lon", "height_m"), _position(outlook.position), strict=True)),
        speed_mps=round(outlook.speed_mps, 1),
        phase=outlook.phase,
        position_ring=rings_deg([outlook.position_ring])[0] if outlook.position_ring else [],
        fall=_fall(outlook.fall),
        path=_columns(
            outlook.path.lon_rad, outlook.path.lat_rad, outlook.path.time_ns, outlook.path.height_m
        ),
        corridor=rings_deg(outlook.corridor),
        trail=_columns(outlook.trail.lon_rad, outlook.trail.lat_rad, outlook.trail.time_ns),
        state="lost" if outlook.lost else "tracked",
        first_seen_by=_sights(work, estimate),
        contours=_contours(work, outlook),
        **_carried(work, event),
    )


def _carried(work: Work, event: Event) -> dict[str, list[str]]:
    """The notices that may explain a picture; no field where there are none."""
    found = [key.hex() for key, one in work.state.notices.items() if event.number in one.events]
    return {"notices": found} if found else {}


def _sights(work: Work, estimate: Estimate) -> list[dict[str, Any]]:
    """When each own radar could first see what only infrared sensors report; nothing once a radar has seen it."""
    if "radar" in estimate.sensings:
        return []
    return [
        {"sensor": one.sensor, "time_ms": one.time_ns // MS_PER_NS if one.time_ns is not None else None}
        for one in first_seen_by(estimate.filter.tracks, work.state.sensors.values())
    ]


def show_closed(work: Work, event: Event) -> None:
    """The event is over."""
    identity = work.state.event_alias(event).hex()
    work.show(
        "event",
        f"{work.state.own} closed the event",
        event=identity,
        partner=work.state.own,
        step="closed",
        other="",
        other_partner="",
    )


def show_warning(work: Work, message: Message, body: WarningBody) -> None:
    """A warning, our own or a partner's."""
    envelope = message.envelope
    work.show(
        "warning",
        _warning_sentence(envelope.origin, body, work.now_ns),
        lane=0,
        id=message.id.hex(),
        event=envelope.event.hex(),
        partner=envelope.origin,
        number=body.number,
        state=body.state,
        **_said(body, work.now_ns),
        lost=body.lost is True,
        reason=body.reason,
    )


def show_draft(work: Work, event: Event, before: WarningState | None, body: WarningBody) -> None:
    """What would be warned of, for our own staff alone: a draft, a proposal, or that one of them is dropped."""
    identity = work.state.event_alias(event).hex()
    state = "dropped" if body.state == "ended" else body.state
    regions = {area.region for area in body.areas}
    known = {area.row.region for area in before.areas} if before is not None else set()
    names = ", ".join(sorted(regions))
    says = {
        "draft": f"Draft, not sent: a warning for {names}; {BASIS_WORDS[body.basis]}",
        "proposed": f"Proposed, not sent: a warning for {names}; {BASIS_WORDS[body.basis]}",
        "dropped": f"The draft of a warning for {names} is dropped",
    }[state]
    work.show(
        "draft",
        "" if before is not None and (before.phase, known) == (state, regions) else says,
        lane=1,
        key=f"draft:{identity}",
        event=identity,
        state=state,
        **_said(body, work.now_ns),
    )


def show_answer(work: Work, event: Event, yes: bool, why: str) -> None:
    """What became of a proposed warning, and by whom."""
    work.show(
        "draft-answer",
        f"The proposed warning is {'issued' if yes else 'dropped'}: {why}",
        lane=1,
        event=work.state.event_alias(event).hex(),
        agreed=yes,
        why=why,
    )


def texts(given: Iterable[TextRow]) -> list[dict[str, str]]:
    """Public words as the page shows them."""
    return [
        {
            "language": t.language,
            "headline": t.headline,
            "description": t.description,
            "instruction": t.instruction,
        }
        for t in given
    ]


def show_alert(work: Work, message: Message, body: AlertBody) -> None:
    """A public alert that has been issued."""
    envelope = message.envelope
    status = "Actual" if envelope.realm == REAL else "Exercise"
    names = ", ".join(area.region for area in body.areas)
    verb = {"Alert": "issued", "Update": "updated", "Cancel": "ended"}[body.type]
    why = f" ({body.reason})" if body.reason else " automatically" if body.automatic is True else ""
    work.show(
        "alert",
        f"{body.unit} {verb} the public alert {body.identifier} for {names}{why} [{status}]",
        lane=0,
        id=message.id.hex(),
        identifier=body.identifier,
        alert_type=body.type,
        status=status,
        unit=body.unit,
        partner=envelope.origin,
        areas=_areas(body.areas),
        rings=rings_deg(body.rings),
        texts=texts(body.texts),
        automatic=body.automatic is True,
        hazard=_cited(body),
        sent_ms=body.sent_ns // MS_PER_NS,
        expires_ms=body.expires_ns // MS_PER_NS,
        references=body.references,
        recipients=body.recipients,
        reason=body.reason,
        file=f"{body.identifier}.xml",
    )


def _cited(body: AlertBody) -> dict[str, str] | None:
    """On whose word an alert rests, where it is not our own warning."""
    if body.hazard is UNSET:
        return None
    one = body.hazard
    return {
        "agency": one.agency,
        "agency_ja": one.agency_ja,
        "agency_ko": one.agency_ko,
        "sender": one.sender,
        "identifier": one.identifier,
        "kind": one.hazard,
    }


def _warning_sentence(origin: str, body: WarningBody, now_ns: int) -> str:
    names = ", ".join(sorted({area.region for area in body.areas}))
    if body.state == "ended":
        return f"{origin} ended its warning for {names}: {body.reason}"
    verb = "warns" if body.state == "issued" else f"updated its warning ({body.number})"
    age = age_words(body.last_observed_ns, now_ns, "en")
    if body.lost is True:
        return f"{origin} updated its warning ({body.number}): {names}; the track is lost, {age}"
    return f"{origin} {verb}: {names}; {BASIS_WORDS[body.basis]}; {age}"


def _said(body: WarningBody, now_ns: int) -> dict[str, Any]:
    """What a warning and a draft of one say alike: how sure, of where, until when, from what."""
    return {
        "basis": body.basis,
        "sensings": body.sensings,
        "partners": body.partners,
        "areas": _areas(body.areas),
        "corridor": rings_deg(body.corridor),
        "fall": _fall(body.fall),
        "valid_until_ms": body.valid_until_ns // MS_PER_NS,
        "first_observed_ms": body.first_observed_ns // MS_PER_NS,
        "last_observed_ms": body.last_observed_ns // MS_PER_NS,
        "age_s": round(age_s(body.last_observed_ns, now_ns), 1),
    }


def _position(position: tuple[float, float, float]) -> tuple[float, float, float]:
    lat, lon, height = position
    return round(degrees(lat), 5), round(degrees(lon), 5), round(height, 1)


def _contours(work: Work, outlook: Outlook) -> list[dict[str, Any]]:
    """Lines of equal probability, where a place of ours may be concerned: a raid elsewhere stays light."""
    rules, draft = work.state.genesis.rules, outlook.draft
    if not rules.tells or draft is None or not (draft.areas or draft.near):
        return []
    return [
        {"kind": one.kind, "level": one.level, "rings": [_thin(ring) for ring in rings_deg(one.rings)]}
        for one in contours(outlook.path, fall_in(draft.fall), rules)
    ]


def _thin(ring: list[list[float]]) -> list[list[float]]:
    """A ring to 100 m and every other corner of it, its ends kept: enough for a line that is drawn faintly."""
    kept = [*ring[:-1:2], ring[-1]]
    return [[round(lon, 3), round(lat, 3)] for lon, lat in kept]


def _lon_lat(lat_rad: float, lon_rad: float) -> tuple[float, float]:
    return round(degrees(lon_rad), 4), round(degrees(lat_rad), 4)


def _columns(
    lon_rad: Floats, lat_rad: Floats, time_ns: Ints, height_m: Floats | None = None
) -> list[list[float]]:
    """Rows [lon, lat, height m (if given), time ms] with plain numbers for JSON."""
    columns = [np.round(np.degrees(lon_rad), 4).tolist(), np.round(np.degrees(lat_rad), 4).tolist()]
    if height_m is not None:
        columns.append(np.rint(height_m).astype(np.int64).tolist())
    columns.append((time_ns // MS_PER_NS).tolist())
    return [list(row) for row in zip(*columns, strict=True)]


def _fall(fall: FallRow | None) -> dict[str, Any] | None:
    if fall is None:
        return None
    lon, lat = _lon_lat(fall.latitude_rad, fall.longitude_rad)
    return {
        "lon": lon,
        "lat": lat,
        "time_ms": fall.time_ns // MS_PER_NS,
        "sigma_time_s": round(fall.covariance[8] ** 0.5, 2),
        "probability": fall.probability,
        "rings": rings_deg(fall.rings),
    }


def _areas(areas: Iterable[AreaRow]) -> list[dict[str, Any]]:
    return [
        {
            "kind": area.kind,
            "region": area.region,
            "region_ja": area.region_ja,
            "region_ko": area.region_ko,
            "country": area.country,
            "probability": round(area.probability, 4),
            "from_ms": area.from_ns // MS_PER_NS,
            "to_ms": area.to_ns // MS_PER_NS,
            "people": area.people,
            "places": [
                {
                    "name": place.name,
                    "name_ja": place.name_ja,
                    "name_ko": place.name_ko,
                    "lon": round(degrees(place.longitude_rad), 4),
                    "lat": round(degrees(place.latitude_rad), 4),
                    "people": place.people,
                    "probability": round(place.probability, 4),
                }
                for place in area.places
            ],
        }
        for area in areas
    ]
