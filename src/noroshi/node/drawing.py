"""Draws what a group's clients of Cursor on Target see: one event for each thing, under a uid that stays.

Whoever calls has asked who may see it. What was drawn is remembered by group, so that it can be taken away, and an alert
be ended, exactly as it was drawn. A prediction is called one in its words; a position has its error beside it.

    picture(work, row, base, event, estimate, outlook)
    warning(work, row, f"{base}.warning", "JPN", body, of, label)
    clear(work, row)
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from math import atan2, degrees, hypot, pi, sqrt

import numpy as np
from lxml import etree

from noroshi.clock import seconds, to_iso
from noroshi.command.notices import LONGEST_ASCENT_NS, launch_area
from noroshi.gateways import cot_write as cot
from noroshi.gateways.geojson import rings_deg
from noroshi.gateways.hazard_facts import HazardFacts, circle_ring
from noroshi.geo.frames import enu_rotation
from noroshi.messages.bodies import AlertBody, AreaRow, FallRow, Ring, WarningBody
from noroshi.messages.bodies_notice import NoticeBody
from noroshi.messages.kinds import Lane
from noroshi.messages.labels import USUAL_CLASSIFICATION
from noroshi.node import own_areas
from noroshi.node.events import Estimate, Event
from noroshi.node.inputs import GroupRow
from noroshi.node.outlook import Outlook
from noroshi.node.state import Shown, State
from noroshi.node.work import Work
from noroshi.warning.hazard_areas import by_geocode
from noroshi.warning.hazard_areas import outlines as own_outlines

Of = tuple[str, bytes]
"""The origin and the id of the message that says something; empty where none does."""

NOBODY: Of = ("", b"")

TRACK_EVERY_NS = seconds(0.9)
"""A track is shown anew no more often: a client draws no faster, and each row is kept."""

AREAS_EVERY_NS = seconds(4.5)
"""The predicted areas of a track likewise, which are some kilobytes."""

TRACK_STALE_NS = seconds(15.0)
"""How long a track holds after its last observation: a look comes each five seconds, and after ten it is lost."""

ENDED_NS = seconds(60.0)
"""How long an end is shown at least, to clients that come meanwhile and still draw what has ended."""

SPACE_M = 100_000.0
"""From this height on an object is in space."""

SHAPES = 12
"""Areas that one thing may have: more are the smallest splinters of a contour."""

MAX_CALLSIGN = 160
MAX_REMARKS = 12_000
"""Characters of what another agency says: a client reads its events whole, and some take 64 KiB at most."""

ACK_DIGITS = 8
"""Hexadecimal digits of a message's id that a person types to acknowledge it."""


def name_of(event: Event) -> str:
    """What an event is called on a map."""
    return f"Event {event.number}"


def party(group: str) -> str:
    """The party name of a group."""
    return f"gateway:cot-{group}"


def picture(work: Work, row: GroupRow, base: str, event: Event, estimate: Estimate, outlook: Outlook) -> None:
    """The newest state of one event: its track, where it is predicted to fall, what it is predicted to pass."""
    shown = _items(work.state, row).get(f"{base}.track")
    if shown is None or outlook.lost or work.now_ns >= shown.shown_ns + TRACK_EVERY_NS:
        _track(work, row, base, event, estimate, outlook)
    if not _is_due(work, row, base):
        return
    name, fall = name_of(event), outlook.fall
    _shapes(
        work, row, f"{base}.fall", fall.rings if fall else (), cot.AMBER, callsign=f"Predicted fall of {name}",
        remarks=_fall_words(fall) if fall else "", stale_ns=_areas_stale_ns(outlook),
    )  # fmt: skip
    _shapes(
        work, row, f"{base}.path", outlook.corridor, cot.BLUE, callsign=f"Predicted path of {name}",
        remarks="A prediction: what may be passed over. Nothing was observed there", stale_ns=_areas_stale_ns(outlook),
    )  # fmt: skip


# --- tracks ------------------------------------------------------------------------------------------


def _track(work: Work, row: GroupRow, base: str, event: Event, estimate: Estimate, outlook: Outlook) -> None:
    state = work.state
    uid = f"{base}.track"
    lat, lon, height_m = outlook.position
    ce_m, le_m, speed_mps, course_deg = _errors(estimate, lat, lon)
    before = _items(state, row).get(uid)
    if outlook.lost and before is not None and before.stale_ns <= work.now_ns:
        return  # it was shown as lost
    stale_ns = work.now_ns if outlook.lost else max(outlook.last_observed_ns + TRACK_STALE_NS, work.now_ns)
    name = name_of(event)
    words = [
        f"Unknown object, seen by {' and '.join(sorted(estimate.sensings))} of {', '.join(sorted(estimate.partners))}",
        f"phase: {outlook.phase}; {outlook.updates} measurements, the last at {_clock(outlook.last_observed_ns)}",
        f"its position is off by {ce_m / 1000:.1f} km over the ground and {le_m / 1000:.1f} km in height (one sigma)",
    ]
    if outlook.lost:
        words.insert(
            0, "LOST: nothing has been observed since then, and nothing says that it has passed or fallen"
        )
    head = cot.Writing(
        state.genesis.realm, uid, cot.SPACE if height_m >= SPACE_M else cot.AIR, work.now_ns, stale_ns,
        cot.Place(degrees(lat), degrees(lon), height_m, ce_m, le_m),
    )  # fmt: skip
    details = [
        _own_detail(row, "track", "", label_of(row), phase=outlook.phase, lost=str(outlook.lost).lower())
    ]
    if speed_mps > 0.0:  # of one measurement nothing moves yet
        details.insert(0, cot.element("track", speed=f"{speed_mps:.1f}", course=f"{course_deg:.1f}"))
    data = cot.write_event(
        head, callsign=f"{name} LOST" if outlook.lost else name, remarks=". ".join(words), details=details
    )
    _put(work, row, head, data, Lane.TRACK)


def _errors(estimate: Estimate, lat_rad: float, lon_rad: float) -> tuple[float, float, float, float]:
    """One sigma over the ground (longer axis) and in height, m; speed over the ground m/s, course deg from north."""
    tracks = estimate.filter.tracks
    rotation = np.asarray(enu_rotation(lat_rad, lon_rad)).reshape(3, 3)
    local = rotation @ tracks.covariance[0, :3, :3] @ rotation.T
    east, north, _ = (rotation @ tracks.velocity_mps[0]).tolist()
    course = atan2(east, north) % (2.0 * pi)
    largest = float(np.linalg.eigvalsh(local[:2, :2])[-1])
    return sqrt(max(largest, 0.0)), sqrt(max(float(local[2, 2]), 0.0)), hypot(east, north), degrees(course)


def _is_due(work: Work, row: GroupRow, base: str) -> bool:
    """Whether the areas of a picture have not been drawn for a while."""
    known = [_items(work.state, row).get(f"{base}.{part}.0") for part in ("fall", "path")]
    return all(one is None or work.now_ns >= one.shown_ns + AREAS_EVERY_NS for one in known)


def _areas_stale_ns(outlook: Outlook) -> int:
    """A predicted area holds until the object must be down, or as long as its track."""
    end_ns = outlook.fall.time_ns if outlook.fall is not None else outlook.last_observed_ns
    return max(end_ns, outlook.last_observed_ns) + TRACK_STALE_NS


def _fall_words(fall: FallRow) -> str:
    return (
        f"A prediction: the fall lies in here with a probability of {fall.probability:.0%}, about"
        f" {_clock(fall.time_ns)} (one sigma {fall.covariance[8] ** 0.5:.0f} s). Nothing was observed there"
    )


# --- warnings and alerts ------------------------------------------------------------------------------------------


def warning(work: Work, row: GroupRow, uid: str, origin: str, body: WarningBody, of: Of, label: str) -> None:
    names = _names(body.areas)
    callsign = f"Warning of {origin}: {names}"
    before = _items(work.state, row).get(uid)
    if body.state == "ended":
        end(
            work,
            row,
            uid,
            before,
            f"{origin} ended its warning: {body.reason or 'no reason given'}",
            callsign,
            body.areas,
        )
        return
    observed = f"last observed {_clock(body.last_observed_ns)}" if body.last_observed_ns else ""
    words = [
        f"{origin} warns ({body.state}, {body.number}): {_basis(body.basis)}",
        *(_area_words(area) for area in body.areas),
        f"{observed}; stands until {_clock(body.valid_until_ns)}".removeprefix("; "),
        f"label: {label}",
    ]
    place = _place(body.fall, body.areas, body.corridor)
    head = cot.Writing(work.state.genesis.realm, uid, cot.WARNING, work.now_ns, body.valid_until_ns, place)
    details = [
        cot.emergency("Warning", callsign, head.realm),
        _own_detail(row, "warning", _ack(of), label, basis=body.basis, number=str(body.number)),
    ]
    data = cot.write_event(
        head, callsign=callsign, remarks=". ".join([*words, *_ack_words(of)]), details=details
    )
    _put(work, row, head, data, Lane.WARNING, of)
    rings = [*body.corridor, *(body.fall.rings if body.fall is not None else ())]
    _shapes(
        work,
        row,
        f"{uid}.area",
        rings,
        cot.RED,
        callsign=callsign,
        remarks=words[0],
        stale_ns=body.valid_until_ns,
        of=of,
    )


def alert(work: Work, row: GroupRow, uid: str, origin: str, body: AlertBody, of: Of, label: str) -> None:
    callsign = f"Public alert of {origin}: {_names(body.areas)}"
    texts = [
        f"[{one.language}] {one.headline} {one.description} {one.instruction}".strip() for one in body.texts
    ]
    before = _items(work.state, row).get(uid)
    if body.type == "Cancel":
        why = " ".join([f"{body.unit} ended the public alert ({body.reason or 'no reason given'})", *texts])
        end(work, row, uid, before, why, callsign, body.areas, of)
        return
    words = [
        *texts,
        *(_area_words(area) for area in body.areas),
        f"until {_clock(body.expires_ns)}",
        f"label: {label}",
    ]
    place = _place(None, body.areas, body.rings)
    head = cot.Writing(
        work.state.genesis.realm, uid, cot.ALERT, work.now_ns, body.expires_ns, place, cot.HOW_HUMAN
    )
    details = [
        cot.emergency("Public alert", callsign, head.realm),
        _own_detail(row, "alert", _ack(of), label, identifier=body.identifier, type=body.type),
    ]
    data = cot.write_event(
        head, callsign=callsign, remarks=" ".join([*words, *_ack_words(of)]), details=details
    )
    _put(work, row, head, data, Lane.WARNING, of)
    _shapes(
        work, row, f"{uid}.area", body.rings, cot.RED, callsign=callsign, remarks=texts[0] if texts else "",
        stale_ns=body.expires_ns, of=of,
    )  # fmt: skip


def hazard(work: Work, row: GroupRow, uid: str, name: str, facts: HazardFacts, of: Of, label: str) -> None:
    """Another agency's alert, in its own words and under its own name."""
    texts = dict.fromkeys(
        f"[{one.language}] {one.headline or one.event} {one.description} {one.instruction}".strip()
        for one in facts.infos
    )
    areas = [area for one in facts.infos for area in one.areas]
    rings = {id(ring): ring for area in areas for ring in area.rings}
    circles = dict.fromkeys(circle for area in areas for circle in area.circles)
    own = own_areas.list_now(work.state, work.now_ns)
    coded = {one.id: one for area in areas for one in by_geocode(area, own)}
    by_code = [ring for one in list(coded.values())[:SHAPES] for ring in own_outlines(one)]
    outlines = [
        *rings.values(),
        *filter(None, (circle_ring(*one) for one in list(circles)[:SHAPES])),
        *by_code,
    ]
    callsign = f"Another agency: {name}"[:MAX_CALLSIGN]
    place = _place(None, (), outlines)
    head = cot.Writing(
        work.state.genesis.realm, uid, cot.HAZARD, work.now_ns, facts.until_ns, place, cot.HOW_HUMAN
    )
    details = [
        cot.emergency("Another agency's alert", callsign, head.realm),
        _own_detail(row, "hazard", _ack(of), label, sender=facts.sender[:MAX_CALLSIGN]),
    ]
    words = [
        f"From {facts.sender}, not from this node",
        *texts,
        *([f"area by geocode: {', '.join(one.name for one in coded.values())}"] if coded else []),
        f"until {_clock(facts.until_ns)}",
        f"label: {label}",
    ]
    remarks = " ".join([". ".join(words)[:MAX_REMARKS], *_ack_words(of)])
    data = cot.write_event(head, callsign=callsign, remarks=remarks, details=details)
    _put(work, row, head, data, Lane.WARNING, of)
    _shapes(
        work,
        row,
        f"{uid}.area",
        outlines,
        cot.AMBER,
        callsign=callsign,
        remarks="",
        stale_ns=facts.until_ns,
        of=of,
    )


def notice(work: Work, row: GroupRow, uid: str, body: NoticeBody, of: Of, label: str) -> None:
    """An announced launch: its area, and words that say that it is no warning. It explains nothing to anybody."""
    ways = [degrees(one) for one in (body.azimuth_from_rad, body.azimuth_to_rad)]
    callsign = f"Announced by {of[0]}: {body.title}"[:MAX_CALLSIGN]
    words = [
        f"{of[0]} announces: {body.title}. An announcement, no warning, and nothing was observed",
        f"{body.count} of kind {body.object}, {to_iso(body.from_ns, digits=0)} to {to_iso(body.to_ns, digits=0)}",
        f"towards {ways[0]:.0f} to {ways[1]:.0f} degrees from north",
        f"label: {label}",
    ]
    remarks = ". ".join([*words, *_ack_words(of)])[:MAX_REMARKS]
    rings = [ring.tolist() for ring in launch_area(body).rings]
    until_ns = body.to_ns + LONGEST_ASCENT_NS
    _shapes(work, row, uid, rings, cot.BLUE, callsign=callsign, remarks=remarks, stale_ns=until_ns, of=of,
            own=_own_detail(row, "notice", _ack(of), label, step=body.step, number=str(body.number)))  # fmt: skip


def stop(work: Work, row: GroupRow, uid: str, why: str) -> None:
    """Ends an alert where it is shown."""
    shown = _items(work.state, row).get(uid)
    if shown is not None:
        end(work, row, uid, shown, why)


def end(
    work: Work, row: GroupRow, uid: str, before: Shown | None, why: str, callsign: str = "",
    areas: Iterable[AreaRow] = (), of: Of = NOBODY,
) -> None:  # fmt: skip
    """Ends an alert as it was shown, and takes its areas away. It is said also where nothing of it was shown."""
    items = _items(work.state, row)
    if before is not None and not before.type.startswith("b-a-"):
        _drop(work, row, uid, before)
        return
    wipe(work, row, f"{uid}.area")
    stale_ns = max(before.stale_ns if before is not None else 0, work.now_ns + ENDED_NS)
    place = cot.Place(before.lat_deg, before.lon_deg) if before is not None else _place(None, areas, ())
    head = cot.Writing(work.state.genesis.realm, uid, cot.CANCEL, work.now_ns, stale_ns, place, cot.HOW_HUMAN)
    name = callsign or "Alert"
    details = [
        cot.emergency("", name, head.realm, ends=True),
        _own_detail(row, "end", _ack(of), ""),
    ]
    data = cot.write_event(
        head, callsign=f"{name} ENDED", remarks=". ".join([why, *_ack_words(of)]), details=details
    )
    items.pop(uid, None)
    work.draw(party(row.name), data, Lane.WARNING, uid)


def _shapes(
    work: Work, row: GroupRow, base: str, rings: Iterable[Ring], colour: int, *, callsign: str, remarks: str,
    stale_ns: int, of: Of = NOBODY, own: etree._Element | None = None,
) -> None:  # fmt: skip
    """Draws these areas and no others under this name. own: what programs of ours read in each."""
    drawn = rings_deg(sorted(rings, key=len, reverse=True)[:SHAPES])
    for place, ring in enumerate(drawn):
        uid = f"{base}.{place}"
        lons, lats = [corner[0] for corner in ring], [corner[1] for corner in ring]
        centre = cot.Place(sum(lats) / len(lats), sum(lons) / len(lons))
        head = cot.Writing(work.state.genesis.realm, uid, cot.SHAPE, work.now_ns, stale_ns, centre)
        details = [*cot.outline(ring, colour), *([copy(own)] if own is not None else [])]
        data = cot.write_event(head, callsign=callsign, remarks=remarks, details=details)
        _put(work, row, head, data, Lane.NOTICE, of)
    for uid in list(_items(work.state, row)):
        stem, _, number = uid.rpartition(".")
        if stem == base and int(number) >= len(drawn):
            _drop(work, row, uid, _items(work.state, row)[uid])


# --- rows ------------------------------------------------------------------------------------------


def _put(work: Work, row: GroupRow, head: cot.Writing, data: bytes, lane: int, of: Of = NOBODY) -> None:
    place = head.place
    _items(work.state, row)[head.uid] = Shown(
        head.type, work.now_ns, head.stale_ns, place.lat_deg, place.lon_deg, of
    )
    work.draw(party(row.name), data, lane, head.uid)


def _drop(work: Work, row: GroupRow, uid: str, shown: Shown) -> None:
    """Takes one thing off the map, also for clients that come while others might still draw it."""
    _items(work.state, row).pop(uid, None)
    stale_ns = max(shown.stale_ns, work.now_ns + ENDED_NS)
    head = cot.Writing(work.state.genesis.realm, f"{uid}.gone", cot.DELETE, work.now_ns, stale_ns)
    data = cot.write_event(head, details=[cot.link_to(uid, shown.type), cot.element("__forcedelete")])
    # On the lane of what it takes away: behind a warning that is drawn anew, it would take away the new one.
    lane = Lane.WARNING if shown.type.startswith("b-a-") else Lane.NOTICE
    work.draw(party(row.name), data, lane, uid)


def wipe(work: Work, row: GroupRow, base: str) -> None:
    for uid, shown in list(_items(work.state, row).items()):
        if uid == base or uid.rpartition(".")[0] == base:
            _drop(work, row, uid, shown)


def clear(work: Work, row: GroupRow, *, told: bool) -> None:
    """Takes all away that a group was shown. told: alerts with the words of an end, else without a word."""
    items = _items(work.state, row)
    for uid, shown in list(items.items()):
        if not told:
            _drop(work, row, uid, shown)
        elif uid in items:  # the end of an alert takes its areas with it
            end(work, row, uid, shown, "It is no longer shown to this group")


def _items(state: State, row: GroupRow) -> dict[str, Shown]:
    return state.shown.setdefault(row.name, {})


# --- words ------------------------------------------------------------------------------------------


def _own_detail(row: GroupRow, kind: str, ack: str, label: str, **more: str) -> etree._Element:
    """What programs of ours read in an event."""
    return cot.element(
        "noroshi", kind=kind, group=row.name, label=label, **({"id": ack} if ack else {}), **more
    )


def _ack(of: Of) -> str:
    return of[1].hex()


def _ack_words(of: Of) -> list[str]:
    return [f"To acknowledge it, write ACK {_ack(of)[:ACK_DIGITS]} to the group"] if of[1] else []


def _basis(basis: str) -> str:
    return {
        "single-source": "a single source, not confirmed",
        "one-kind": "several sources, one kind of sensing, not confirmed",
        "confirmed": "confirmed by two kinds of sensing",
    }[basis]


def _area_words(area: AreaRow) -> str:
    what = "a fall in" if area.kind == "fall" else "passing over"
    window = f"{_clock(area.from_ns)} to {_clock(area.to_ns)}"
    if area.kind == "hazard":
        return f"another agency's hazard in {area.region} ({area.country}), {window}, {area.people} people"
    return (
        f"{what} {area.region} ({area.country}) with {area.probability:.0%}, {window}, {area.people} people"
    )


def _names(areas: Iterable[AreaRow]) -> str:
    return ", ".join(dict.fromkeys(area.region for area in areas)) or "no area"


def _clock(time_ns: int) -> str:
    return to_iso(time_ns, digits=0)[11:]


def _place(fall: FallRow | None, areas: Iterable[AreaRow], rings: Iterable[Ring]) -> cot.Place:
    """Where something is put on the map: the expected fall, else the largest place of its areas, else a corner."""
    if fall is not None:
        local = np.array(fall.covariance).reshape(3, 3)[:2, :2]
        ce_m = sqrt(max(float(np.linalg.eigvalsh(local)[-1]), 0.0))
        return cot.Place(degrees(fall.latitude_rad), degrees(fall.longitude_rad), 0.0, ce_m)
    places = [place for area in areas for place in area.places]
    if places:
        largest = max(places, key=lambda one: (one.people, one.name))
        return cot.Place(degrees(largest.latitude_rad), degrees(largest.longitude_rad))
    for ring in rings:
        return cot.Place(degrees(ring[0][0]), degrees(ring[0][1]))
    return cot.NOWHERE


def label_of(row: GroupRow) -> str:
    return f"{USUAL_CLASSIFICATION}, releasable to {', '.join(sorted(row.partners))}"


def put_away(work: Work, row: GroupRow, of: Of) -> None:
    """Takes away what a message had drawn that its originator has recalled."""
    for uid, shown in list(_items(work.state, row).items()):
        if shown.of == of and of[1] and uid in _items(work.state, row):  # an end takes areas with it
            end(work, row, uid, shown, f"{of[0]} recalled it")


def prune(state: State, now_ns: int) -> None:
    """Forgets what is stale for clients by itself."""
    for items in state.shown.values():
        for uid in [uid for uid, one in items.items() if one.stale_ns + ENDED_NS < now_ns]:
            del items[uid]
