"""Second stage: measurements become evidence of an event, and own evidence is reported to those who may have it.

Own measurements and partners' increments end in the same form, so equal evidence gives equal pictures everywhere.
For each audience the event is looked for among that audience's own pictures: two audiences may see one object or two,
each by what it may have.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import hypot

import numpy as np

from noroshi.clock import NS_PER_S
from noroshi.messages import Message
from noroshi.messages.bodies import EventBody, TrackBody
from noroshi.node import counting
from noroshi.node.accept import MAX_AGE_NS, MAX_AHEAD_NS, counted
from noroshi.node.events import REDUCED, Estimate, Event, Partners, Piece, given_by
from noroshi.node.inputs import Detections, SensorRow
from noroshi.node.speak import say
from noroshi.node.work import Work
from noroshi.tracking import (
    MeasurementError,
    Measurements,
    from_columns,
    gate,
    infrared_measurements,
    radar_measurements,
    to_columns,
)

GATE_SCORE = 5.0
"""Normal score of the gate for joining a row to an event: a true row is turned away three times in ten million, since
one that is opens an event that is not there."""

MAX_OPEN = 200
"""Events that one partner's evidence may have open at a time: each is looked at and compared with, so they cost."""


def own(work: Work, given: Detections, sensor: SensorRow) -> None:
    """Takes own measurements in, and says each audience's increment of them."""
    try:
        rows = _measured(given, sensor, hypot(sensor.clock_sigma_s, work.state.clock_error_ns / NS_PER_S))
    except MeasurementError as error:
        work.refuse(f"feed:{given.feed}", "impossible-measurement", error.sentence())
        return
    counted(work, given)
    for index in range(len(rows)):
        _own_row(work, rows[index : index + 1], sensor)


def _measured(given: Detections, sensor: SensorRow, clock_sigma_s: float) -> Measurements:
    """The rows of one own sensor. Raises MeasurementError."""
    time_ns, site = np.array(given.time_ns, np.int64), np.array(sensor.site_m)
    value, sigma = np.array(given.value, float).reshape(-1, 3), np.array(sensor.sigma)
    bias = sensor.bias_sigma or (0.0, 0.0, 0.0)
    if given.rate_mps and len(given.rate_mps) != len(time_ns):
        raise MeasurementError(f"{len(given.rate_mps)} range rates for {len(time_ns)} rows")
    if sensor.sensing == "infrared":
        if value[:, 0].any() or given.rate_mps:
            raise MeasurementError("an infrared sensor has no range and no range rate")
        return infrared_measurements(
            time_ns, site, value[:, 1:], sigma[1:], clock_sigma_s, bias_sigma=bias[1:]
        )
    rate = [(one, sensor.sigma_rate_mps or 0.0) for one in given.rate_mps or ()] or (0.0, 0.0)
    return radar_measurements(time_ns, site, value, sigma, clock_sigma_s, rate=rate, bias_sigma=bias)


def partners(work: Work, message: Message, body: TrackBody) -> None:
    """Takes a partner's increment in, joining its event to one of ours or to a new one, for each audience."""
    envelope = message.envelope
    party = f"partner:{envelope.origin}"
    try:
        rows = from_columns(body)
    except MeasurementError as error:
        work.refuse(party, "impossible-measurement", error.sentence())
        return
    reason = _increment_defect(work, envelope.event, rows)
    if reason:
        work.refuse(party, reason, body.source)
        return
    audience = envelope.label.audience | {envelope.origin}
    found = _take(work, Piece(envelope.origin, body.sensing, rows, (audience,)), envelope.event)
    if not found:
        work.refuse(party, "too-many-events", body.source)
        return
    key = work.state.known.key(envelope.origin, message.id)
    for event in found.values():
        event.given[key] = given_by(Piece(envelope.origin, body.sensing, rows, ()))
    if audience in found and audience in work.state.picture_audiences():
        ours = found[work.state.own_audience]
        _say_same(work, found[audience], ours, envelope.origin, envelope.event)


def _increment_defect(work: Work, alias: bytes, rows: Measurements) -> str:
    """Why an increment is no evidence now. Late rows are history: on the log, never raised as live."""
    if not len(rows) or not alias:
        return "empty-increment"
    if int(rows.time_ns.max()) > work.now_ns + MAX_AHEAD_NS:
        return "future-dated"
    return "too-old" if int(rows.time_ns.min()) < work.now_ns - MAX_AGE_NS else ""


def _own_row(work: Work, row: Measurements, sensor: SensorRow) -> None:
    state = work.state
    audiences = [one.partners for one in state.policy.audiences(sensor.unit, "flight-path")]
    coarse = [
        one.partners | {REDUCED} for one in state.policy.audiences(sensor.unit, "flight-path", reduced=True)
    ]
    found = _take(work, Piece(state.own, sensor.sensing, row, (state.own_audience, *audiences, *coarse)))
    for audience in audiences or [state.own_audience]:
        _say_increment(work, found[audience], row, sensor)


def _say_increment(work: Work, event: Event, rows: Measurements, sensor: SensorRow) -> None:
    state = work.state
    sequence = event.sequences[sensor.id] = event.sequences.get(sensor.id, 0) + 1
    body = TrackBody(
        track=state.alias(f"track {sensor.id}", event.number, event.audience),
        sequence=sequence,
        from_ns=int(rows.time_ns.min()),
        to_ns=int(rows.time_ns.max()),
        sensing=sensor.sensing,
        source=sensor.pseudonym,
        **to_columns(rows),
    )
    message = say(work, "track", sensor.unit, event.audience, body, event=state.event_alias(event))
    if event.audience != state.own_audience:  # taken back from others, it is still ours
        key = state.known.key(state.own, message.id)
        event.given[key] = given_by(Piece(state.own, sensor.sensing, rows, ()))


def withdraw(work: Work, origin: str, message: bytes) -> None:
    """A message was taken back: what it gave counts no longer in any picture of those who may not have it."""
    work.state.events.withdraw(work.state.known.key(origin, message), work.now_ns)


def _take(work: Work, piece: Piece, alias: bytes = b"") -> Mapping[Partners, Event]:
    """Adds a piece to one event of every audience that may use it; says "event opened" where it is the first.

    Gives those events; none when a partner has more events open than one can have, and this would be another.
    """
    state = work.state
    gates: dict[Estimate, float | None] = {}
    found: dict[Partners, Event] = {}
    for audience in filter(piece.usable_for, state.event_audiences()):
        event = _event_for(work, audience, piece, alias, gates)
        if event is not None:
            found[audience] = event
        elif audience == state.own_audience:  # the first of them
            return {}
    fresh = [event for event in found.values() if not event.estimate.rows]
    joined = [event for event in found.values() if piece.partner not in event.estimate.partners]
    state.events.add(piece, found.values())
    ours = found[state.own_audience]
    for audience, event in found.items():
        ours.known_as.setdefault(audience, event)
    for event in fresh:
        if event.audience in state.picture_audiences():
            _say_opened(work, event)
    for event in joined:
        counting.opened(work, event)
    if ours in fresh:
        work.show(
            "event",
            f"{state.own} opened an event: first evidence from {piece.partner}'s {piece.sensing}",
            event=state.event_alias(ours).hex(),
            partner=state.own,
            step="opened",
            other="",
            other_partner=piece.partner if piece.partner != state.own else "",
        )
    return found


def _event_for(
    work: Work, audience: Partners, piece: Piece, alias: bytes, gates: dict[Estimate, float | None]
) -> Event | None:
    """The audience's event that a piece belongs to: the one its alias was joined to, the one it fits, or a new one.

    What a partner calls one event may still not fit what we know of it: then it is another to us, so that rows that
    are wrong spoil no picture but their own.
    """
    book = work.state.events
    rows = piece.measurements
    event = book.find(audience, piece.partner, alias) if alias else None
    if event is not None and event.over_ns is not None:
        if int(rows.time_ns.max()) <= event.over_ns and event.estimate.rows:
            return event
    elif event is not None and _distance(event, rows, gates) is not None:
        return event
    event = _matching(work, audience, rows, gates)
    if event is None:
        if alias and book.open_by(audience, piece.partner) >= MAX_OPEN:
            return None
        event = book.open(audience, piece.partner, work.now_ns)
    if alias:
        book.join(event, piece.partner, alias)
    return event


def _matching(
    work: Work, audience: Partners, rows: Measurements, gates: dict[Estimate, float | None]
) -> Event | None:
    """The active event of this audience whose picture these rows fit best, if they fit any."""
    best: tuple[float, Event] | None = None
    for event in work.state.events.active(audience):
        distance = _distance(event, rows, gates)
        if distance is not None and (best is None or distance < best[0]):
            best = (distance, event)
    return best[1] if best else None


def _distance(event: Event, rows: Measurements, gates: dict[Estimate, float | None]) -> float | None:
    """How far rows are from an event's picture, None if too far. gates: answers so far; equal pictures share one."""
    estimate = event.estimate
    if estimate not in gates:
        gates[estimate] = gate(estimate.filter, rows, gate_score=GATE_SCORE)
    return gates[estimate]


def _say_opened(work: Work, event: Event) -> None:
    state = work.state
    body = EventBody(step="opened", first_observed_ns=event.estimate.filter.first_observed_ns)
    say(work, "event", state.genesis.assessing_unit, event.audience, body, event=state.event_alias(event))


def _say_same(work: Work, event: Event, ours: Event, partner: str, alias: bytes) -> None:
    """Signs once that a partner's event is the same as one that the same audience knows from us.

    ours: what our own staff call it.
    """
    state = work.state
    if (partner, alias) in event.same_as:
        return
    event.same_as.add((partner, alias))
    body = EventBody(
        step="same-as",
        first_observed_ns=event.estimate.filter.first_observed_ns,
        other=alias,
        other_partner=partner,
    )
    say(work, "event", state.genesis.assessing_unit, event.audience, body, event=state.event_alias(event))
    work.show(
        "event",
        f"{state.own} signed that {partner}'s event is the same as its own",
        event=state.event_alias(ours).hex(),
        partner=state.own,
        step="same-as",
        other=alias.hex(),
        other_partner=partner,
    )
