"""Compares the sensors of our own picture with one another, and tells the staff of one that measures beside the others.

A bias of a few milliradians or a clock that is a second off moves a fall by kilometres, and no single partner can see it
in its own measurements. What is found is told, never corrected: whose sensor is wrong is for people to settle.
"""

from __future__ import annotations

import numpy as np

from noroshi.clock import seconds
from noroshi.node.events import Event, row_keys
from noroshi.node.work import Work
from noroshi.tracking import INFRARED, Measurements, find_biases

AFTER_S = (30.0, 90.0, 270.0)
"""After so long of observation the sensors are compared: each time with three times as much to go by."""

ROWS = 40
"""Of each sensor, spread evenly over all that it saw: a comparison then takes some 30 ms, three times in an event."""


def compare(work: Work, event: Event) -> None:
    """Compares the sensors of an own event when it is time, and says what was found for the first time."""
    track = event.estimate.filter
    if event.compared >= len(AFTER_S):
        return
    seen_ns = track.last_observed_ns - track.first_observed_ns
    if seen_ns < seconds(AFTER_S[event.compared]):
        return
    event.compared += 1
    rows = track.measurements
    sensor = _sensors(rows)
    if sensor.max() == 0:
        return
    partner = _partners(work, event, rows, sensor)
    kept = _thinned(sensor)
    names = {number: f"{one}'s {_words(rows, sensor, number)}" for number, one in partner.items()}
    found = find_biases(rows[kept], sensor[kept], np.zeros(len(kept), np.int64), partner, names)
    for one in found:
        row = int(np.argmax(sensor == one.sensor))
        told = (rows.site_m[row].tobytes(), one.kind)
        if told in event.told:
            continue
        event.told.add(told)
        work.show(
            "finding",
            one.sentence,
            event=work.state.event_alias(event).hex(),
            partner=one.partner,
            kind=one.kind,
            value=one.value,
            unit=one.unit,
            sigma=one.sigma,
            significance=round(one.significance, 1),
            rivals=[partner[rival] for rival in one.rivals],
        )


def _sensors(rows: Measurements) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """A number for each row's sensor: those of one site and one kind of sensing are one."""
    keys = np.column_stack((rows.site_m, rows.model))
    number: np.ndarray[tuple[int], np.dtype[np.int64]] = np.unique(keys, axis=0, return_inverse=True)[1]
    return number.reshape(-1).astype(np.int64)


def _partners(
    work: Work, event: Event, rows: Measurements, sensor: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> dict[int, str]:
    """Whose each sensor is: what no partner's message gave is our own."""
    giver = {row: given.partner for given in event.given.values() for row in given.rows}
    keys = row_keys(rows)
    firsts = (int(np.argmax(sensor == number)) for number in range(int(sensor.max()) + 1))
    return {number: giver.get(keys[first], work.state.own) for number, first in enumerate(firsts)}


def _thinned(
    sensor: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """At most `ROWS` rows of each sensor, the first and the last among them, in order."""
    mine = [np.flatnonzero(sensor == number) for number in range(int(sensor.max()) + 1)]
    kept = [one[np.linspace(0, len(one) - 1, min(len(one), ROWS)).round().astype(np.int64)] for one in mine]
    return np.sort(np.concatenate(kept))


def _words(rows: Measurements, sensor: np.ndarray[tuple[int], np.dtype[np.int64]], number: int) -> str:
    infrared = rows.model[int(np.argmax(sensor == number))] == INFRARED
    return f"{'infrared sensor' if infrared else 'radar'} (number {number + 1})"
