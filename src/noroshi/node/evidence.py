"""Second stage: measurements become evidence of an event, and own evidence is reported to those who may have it.

Own measurements and partners' increments end in the same form, so equal evidence gives equal pictures everywhere.
"""

from __future__ import annotations

import numpy as np

from noroshi.messages import Message, derive
from noroshi.messages.bodies import EventBody, TrackBody
from noroshi.node.events import Event, Piece
from noroshi.node.inputs import Detections, SensorRow
from noroshi.node.speak import say
from noroshi.node.work import Work
from noroshi.tracking import (
    MeasurementError,
    Measurements,
    from_columns,
    gate,
    radar_measurements,
    to_columns,
)

GATE_SCORE = 5.0
"""Normal score of the gate for joining a row to an event: a true row is turned away three times in ten million, since
one that is opens an event that is not there."""


def own(work: Work, given: Detections, sensor: SensorRow) -> None:
    """Takes own measurements in, and says each audience's increment of them."""
    try:
        rows = radar_measurements(
            np.array(given.time_ns, np.int64),
            np.array(sensor.site_m),
            np.array(given.value, float),
            np.array(sensor.sigma),
            sensor.clock_sigma_s,
        )
    except MeasurementError as error:
        work.refuse(f"feed:{given.feed}", "impossible-measurement", error.sentence())
        return
    for event, part in assign(work, rows):
        _own_piece(work, event, part, sensor)


def partners(work: Work, message: Message, body: TrackBody) -> None:
    """Takes a partner's increment in, joining its event to one of ours or to a new one."""
    envelope = message.envelope
    try:
        rows = from_columns(body)
    except MeasurementError as error:
        work.refuse(f"partner:{envelope.origin}", "impossible-measurement", error.sentence())
        return
    audience = envelope.label.audience | {envelope.origin}
    event = work.state.events.find(envelope.origin, envelope.event)
    if event is None:
        event = _matching(work, rows) or _open(work, rows)
        work.state.events.join(event, envelope.origin, envelope.event, audience)
    piece = Piece(message.raw[-64:], envelope.origin, body.sensing, rows, (audience,))
    _take(work, event, piece)
    _say_same(work, event, envelope.origin, envelope.event, audience)


def assign(work: Work, rows: Measurements) -> list[tuple[Event, Measurements]]:
    """Own measurements by event: the one whose picture they fit, else a new one."""
    found: list[tuple[Event, Measurements]] = []
    for index in range(len(rows)):
        one = rows[index : index + 1]
        found.append((_matching(work, one) or _open(work, one), one))
    return found


def _own_piece(work: Work, event: Event, rows: Measurements, sensor: SensorRow) -> None:
    state = work.state
    audiences = state.policy.audiences(sensor.unit, "flight-path")
    identity = derive(state.secrets.ids, "piece", event.number, sensor.id, int(rows.time_ns[0]))
    allowed = (state.own_audience, *(one.partners for one in audiences))
    _take(work, event, Piece(identity, state.own, sensor.sensing, rows, allowed))
    for audience in audiences:
        _say_increment(work, event, rows, sensor, audience.partners)
    if not audiences:
        _say_increment(work, event, rows, sensor, state.own_audience)


def _say_increment(
    work: Work, event: Event, rows: Measurements, sensor: SensorRow, audience: frozenset[str]
) -> None:
    state = work.state
    key = (audience, sensor.id)
    sequence = event.sequences[key] = event.sequences.get(key, 0) + 1
    body = TrackBody(
        track=state.alias(f"track {sensor.id}", event.number, audience),
        sequence=sequence,
        from_ns=int(rows.time_ns.min()),
        to_ns=int(rows.time_ns.max()),
        sensing=sensor.sensing,
        source=sensor.pseudonym,
        **to_columns(rows),
    )
    say(work, "track", sensor.unit, audience, body, event=state.alias("event", event.number, audience))


def _take(work: Work, event: Event, piece: Piece) -> None:
    """Adds a piece to every picture that may use it; says "event opened" where it is the first."""
    state = work.state
    fresh = not event.keys
    for audience in event.add(piece, state.picture_audiences()):
        state.events.touch(event, audience)
        event.known_ns.setdefault(audience, work.now_ns)
        if audience not in event.announced:
            event.announced.add(audience)
            body = EventBody(step="opened", first_observed_ns=event.first_observed_ns)
            alias = state.alias("event", event.number, audience)
            say(work, "event", state.genesis.assessing_unit, audience, body, event=alias)
    if fresh:
        work.show(
            "event",
            f"{state.own} opened an event: first evidence from {piece.partner}'s {piece.sensing}",
            event=state.alias("event", event.number, state.own_audience).hex(),
            partner=state.own,
            step="opened",
            other="",
            other_partner=piece.partner if piece.partner != state.own else "",
        )


def _say_same(work: Work, event: Event, partner: str, alias: bytes, audience: frozenset[str]) -> None:
    """Signs once that a partner's event and ours are the same, inside the audience that knows both."""
    state = work.state
    mark = (audience, f"same-as {partner} {alias.hex()}")
    if mark in event.sequences or audience not in event.announced:
        return
    event.sequences[mark] = 1
    body = EventBody(
        step="same-as", first_observed_ns=event.first_observed_ns, other=alias, other_partner=partner
    )
    ours = state.alias("event", event.number, audience)
    say(work, "event", state.genesis.assessing_unit, audience, body, event=ours)
    work.show(
        "event",
        f"{state.own} signed that {partner}'s event is the same as its own",
        event=state.alias("event", event.number, state.own_audience).hex(),
        partner=state.own,
        step="same-as",
        other=alias.hex(),
        other_partner=partner,
    )


def _matching(work: Work, rows: Measurements) -> Event | None:
    """The active event whose own picture these rows fit best, if they fit any."""
    best: tuple[float, Event] | None = None
    for event in work.state.events.active(work.state.own_audience):
        estimate = event.picture(work.state.own_audience)
        if estimate is None:
            continue
        distance = gate(estimate.filter, rows, gate_score=GATE_SCORE)
        if distance is not None and (best is None or distance < best[0]):
            best = (distance, event)
    return best[1] if best else None


def _open(work: Work, rows: Measurements) -> Event:
    return work.state.events.open(work.now_ns, int(rows.time_ns.min()))
