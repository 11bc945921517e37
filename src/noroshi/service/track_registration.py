"""Sensors that do not agree: each radar's own tracks are matched with the others', and what each is off by is found.

Rows of a biased sensor that fit none of the others' tracks make a track of their own, so tracks alone hide the bias.
Here each radar's rows are followed by themselves, whatever else was made of them; its tracks are matched with the
others' with biases allowed for, and the joint objects are compared with all their rows.

    if in_doubt(answer, sensors):
        own = OwnPictures(sensors)
        for block in reading.blocks(path):
            own.take(block)
        registration = own.compared(answer, run.row_numbers())

Rules: a bias is named only where `find_biases` does; rows of no radar's own track stay with the track that has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.service.detection_rows import DetectionBlock
from noroshi.service.track_run import RunAnswer
from noroshi.tracking import Flight, Phase
from noroshi.tracking.measurements import Measurements, concatenate
from noroshi.tracking.own_arcs import MIN_ROWS, OwnArc, own_picture
from noroshi.tracking.registration import Finding, find_biases
from noroshi.tracking.sameness import joint_objects
from noroshi.tracking.sensors import Sensor
from noroshi.tracking.sightings import shifted_sightings
from noroshi.tracking.tracker import Tracker
from noroshi.tracking.tracklets import carried

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEAST_ROWS = 10
"""Of a sensor in two tracks together from which its share in each says something."""
SHARE_APART = 0.2
SHARE_SIGMAS = 5.0
"""Two tracks of which one sensor has so much more of its rows in the first than another one, and by so many sigmas of
chance, are looked at again: of two objects in view of both, both have a like share in each."""
NEAR_M = 50e3
"""What a bias may set an object apart from itself: 15 mrad at 3,000 km, seven seconds of clock."""
MOST_LOOKED = 500
"""Pairs of tracks that are predicted to one time; more than a few are there only where coverage differs widely."""
MOST_EYE_ROWS = 200_000
"""Rows of one infrared sensor that are kept for finding objects in them: 30 MB; one with more has mostly false
alarms."""
REUSED = 3.0
"""Rows are followed again with a bias that was found from themselves; taken for sure to its sigma they would count
twice. With three times that sigma what they say once more of the same thing weighs a tenth."""


@dataclass(frozen=True, eq=False)
class Registration:
    """What was found. object_of: for each sensor, the joint object of each of its rows in order of time; -1: none."""

    findings: tuple[Finding, ...]
    object_of: tuple[Ints, ...]

    @property
    def sure(self) -> tuple[Finding, ...]:
        """Findings that blame one sensor alone."""
        return tuple(one for one in self.findings if not one.rivals)

    def biases(self) -> tuple[Finding, ...]:
        """The findings as `corrected` takes them, while the rows from which they come are used again.

        Sure ones are taken out and leave `REUSED` times their sigma; of others the whole size is left as doubt, for it,
        its rivals, and what else of them it may be. A clock's error is the same in all rows, `clock_sigma_s` is new in
        each: it is made so much larger that all rows of an object together are no surer than one.
        """
        doubted = [
            replace(one, kind=kind, value=value, sigma=0.0)
            for one in self.findings
            if one.rivals
            for kind, value in one.or_kinds
        ]
        return tuple(replace(one, sigma=self._left(one)) for one in (*self.findings, *doubted))

    def _left(self, one: Finding) -> float:
        sigma = one.sigma * REUSED
        if one.kind != "clock-offset":
            return sigma
        objects = self.object_of[one.sensor]
        rows = np.bincount(objects[objects >= 0], minlength=1).max()
        return float(np.hypot(sigma, one.value if one.rivals else 0.0) * np.sqrt(max(1, rows)))

    def one_object(self, numbers: Sequence[Ints], sensors: Sequence[Ints]) -> list[list[int]]:
        """Tracks, by their places, of which each lot is one object. numbers, sensors: of the rows of each track."""
        lots: dict[int, list[int]] = {}
        for k, (number, sensor) in enumerate(zip(numbers, sensors, strict=True)):
            lots.setdefault(_most(self.objects(number, sensor)), []).append(k)
        return [lot for object_, lot in sorted(lots.items()) if object_ >= 0 and len(lot) > 1]

    def objects(self, number: Ints, sensor: Ints) -> Ints:
        """The joint object of each of these rows, -1 where there is none."""
        found = np.full(len(number), -1, np.int64)
        for i, objects in enumerate(self.object_of):
            mine = sensor == i
            found[mine] = objects[number[mine]]
        return found


@dataclass(frozen=True, eq=False)
class _Own:
    """A radar's own track: its rows in free fall, their numbers, and the arc that they make."""

    sensor: int
    rows: Measurements
    number: Ints
    arc: OwnArc


class OwnPictures:
    """Follows each radar's rows by themselves. Guards: a tracker for each."""

    def __init__(self, sensors: Sequence[Sensor]) -> None:
        self.sensors = tuple(sensors)
        radars = (i for i, one in enumerate(sensors) if one.kind == "radar")
        self._trackers = {i: Tracker((self.sensors[i],), lag_s=0.0) for i in radars}
        self._count = np.zeros(len(self.sensors), np.int64)
        self._eyes: dict[int, list[Measurements]] = {
            i: [] for i, one in enumerate(sensors) if one.kind == "infrared"
        }

    def take(self, block: DetectionBlock) -> None:
        """Follows the rows of a block, which are not older than those before."""
        self._count += np.bincount(block.sensor, minlength=len(self.sensors))
        for i, tracker in self._trackers.items():
            mine = block[block.sensor == i]
            if len(mine):
                tracker.add(self.sensors[i].measurements(mine.time_ns, mine.value, mine.rate), 0)
        for i, kept in self._eyes.items():
            mine = block[block.sensor == i]
            if len(mine) and self._count[i] <= MOST_EYE_ROWS:
                kept.append(self.sensors[i].measurements(mine.time_ns, mine.value))

    def compared(self, answer: RunAnswer, numbers: Sequence[Ints]) -> Registration:
        """Joint objects of all radars' own tracks, with other sensors' rows of the answer's tracks; biases over them.

        numbers: of the rows of the answer's tracks, see `TrackRun.row_numbers`.
        """
        own = [one for i in self._trackers for one in self._own(i)]
        stated = {
            i: np.array([one.bias_range_m, one.bias_azimuth_rad, one.bias_elevation_rad])
            for i, one in enumerate(self.sensors)
        }
        joined = joint_objects([one.arc for one in own], [one.sensor for one in own], stated)
        object_of = tuple(np.full(count, -1, np.int64) for count in self._count)
        for object_, members in enumerate(joined):
            for i in members:
                object_of[own[i].sensor][own[i].number] = object_
        registration = Registration((), object_of)
        seen = [{own[i].sensor for i in members} for members in joined]
        parts = [
            (own[i].rows, own[i].sensor, object_) for object_, members in enumerate(joined) for i in members
        ]
        for k, (rows, sensor) in enumerate(answer.rows):
            objects = registration.objects(numbers[k], sensor)
            open_ = falling(rows, answer.last[k].flight) & (objects < 0)
            object_ = _most(objects)
            if object_ < 0:
                object_ = len(seen)
                seen.append(set())
            for i in sorted(set(sensor[open_].tolist()) - seen[object_]):
                mine = open_ & (sensor == i)
                parts.append((rows[mine], i, object_))
        arcs = [max((own[i].arc for i in members), key=lambda arc: len(arc.rows)) for members in joined]
        for i in self._eyes:
            lacking = [of for of in range(len(joined)) if not self._shows(parts, i, of)]
            for of, rows, number in self._sightings(i, lacking, arcs, object_of[i]):
                object_of[i][number] = of
                parts.append((rows, i, of))
        return replace(registration, findings=self._found(parts))

    def _shows(self, parts: Sequence[tuple[Measurements, int, int]], i: int, object_: int) -> bool:
        return any((by, of) == (i, object_) and len(rows) >= MIN_ROWS for rows, by, of in parts)

    def _sightings(
        self, i: int, lacking: Sequence[int], arcs: Sequence[OwnArc], object_of: Ints
    ) -> list[tuple[int, Measurements, Ints]]:
        """An infrared sensor's rows, and their numbers, of objects of which it seems to have none."""
        if not lacking or not self._eyes[i] or self._count[i] > MOST_EYE_ROWS:
            return []
        rows = concatenate(self._eyes[i])
        shown = shifted_sightings(rows, [arcs[of] for of in lacking])
        return [(of, rows[at], at) for of, at in zip(lacking, shown, strict=True) if len(at)]

    def _own(self, i: int) -> list[_Own]:
        """The tracks of one radar that fall freely."""
        tracker = self._trackers[i]
        table = tracker.tracks
        found = []
        for name in table.id[table.confirmed].tolist():
            rows, _ = tracker.measurements_of(name)
            falls = falling(rows, tracker.filter_of(name).flight)
            arc = own_picture(rows[falls]) if falls.any() else None
            if arc is not None:
                found.append(_Own(i, rows[falls], tracker.rows_of(name)[falls], arc))
        return found

    def _found(self, parts: Sequence[tuple[Measurements, int, int]]) -> tuple[Finding, ...]:
        return find_biases(
            concatenate([rows for rows, _, _ in parts]),
            np.concatenate([np.zeros(0, np.int64), *(np.full(len(rows), i) for rows, i, _ in parts)]),
            np.concatenate([np.zeros(0, np.int64), *(np.full(len(rows), of) for rows, _, of in parts)]),
            {i: one.partner for i, one in enumerate(self.sensors)},
            {i: one.id for i, one in enumerate(self.sensors)},
        )


def falling(rows: Measurements, flight: Flight) -> Bools:
    """Which rows of a track are of its present free fall; none where it does not fall freely."""
    if not flight.phase.free:
        return np.zeros(len(rows), np.bool_)
    return rows.time_ns >= (flight.free_since_ns or 0)


def in_doubt(answer: RunAnswer, sensors: Sequence[Sensor]) -> bool:
    """Whether a sensor that is off may have made two tracks of one object or a manoeuvre of free fall, or be in none."""
    if _blind(answer, sensors):
        return True
    several = (answer.table.rows_of_sensor[answer.confirmed] >= LEAST_ROWS).sum(axis=1) > 1
    for k in np.flatnonzero(several).tolist():
        flight = answer.last[k].flight
        if flight.phase is Phase.MANOEUVRING or flight.manoeuvred_ns is not None:
            return True
    return any(_near(answer, i, k) for i, k in _unlike(answer)[:MOST_LOOKED])


def _blind(answer: RunAnswer, sensors: Sequence[Sensor]) -> bool:
    """Whether an infrared sensor with rows has none of them in a track that radars have."""
    used = answer.table.rows_of_sensor[answer.confirmed]
    eye = np.array([one.kind == "infrared" for one in sensors])
    radar = used[:, ~eye].sum(axis=1) >= LEAST_ROWS
    return bool(((used[radar][:, eye] < MIN_ROWS) & (answer.detections[eye] >= LEAST_ROWS)).any())


def _unlike(answer: RunAnswer) -> list[tuple[int, int]]:
    """Pairs of tracks at one time in which sensors have unlike shares."""
    used = answer.table.rows_of_sensor[answer.confirmed]
    first = answer.table.tracks.first_observed_ns[answer.confirmed]
    last = answer.table.tracks.last_observed_ns[answer.confirmed]
    found = []
    for i in range(len(used) - 1):
        both = used[i] + used[i + 1 :]
        share = np.where(both >= LEAST_ROWS, used[i] / np.maximum(both, 1), np.nan)
        most, least = np.nan_to_num(share, nan=-1.0).max(axis=1), np.nan_to_num(share, nan=2.0).min(axis=1)
        mean = used[i].sum() / np.maximum(both.sum(axis=1), 1)
        fewest = np.where(both >= LEAST_ROWS, both, np.inf).min(axis=1)
        chance = np.sqrt(2 * mean * (1 - mean) / np.maximum(fewest, 1))
        told = most - least > np.maximum(SHARE_APART, SHARE_SIGMAS * chance)
        meets = (first[i] <= last[i + 1 :]) & (first[i + 1 :] <= last[i])
        found += [(i, i + 1 + int(k)) for k in np.flatnonzero(told & meets)]
    return found


def _near(answer: RunAnswer, i: int, k: int) -> bool:
    """Whether two tracks are near each other at the end of the one that ends first."""
    tracks = answer.last[i].track, answer.last[k].track
    at_ns = min(int(one.time_ns[0]) for one in tracks)
    there = [carried(one.mean[0], (at_ns - int(one.time_ns[0])) / NS_PER_S)[0][:3] for one in tracks]
    return float(np.linalg.norm(there[0] - there[1])) < NEAR_M


def _most(objects: Ints) -> int:
    """The object of most of these rows, of those of any; -1 where none has more than half."""
    known = objects[objects >= 0]
    if not len(known):
        return -1
    count = np.bincount(known)
    best = int(np.argmax(count))
    return best if 2 * int(count[best]) > len(known) else -1
