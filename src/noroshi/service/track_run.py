"""Detections of a file to tracks: rows are followed scan by scan, and what each track said at each step is kept.

Rules: an entry of a history is made when its rows have come and is never touched again; what is not used is counted;
nothing is predicted for a track that does not fall freely. Biases that are known beforehand are taken out of the rows,
which are then followed in the order of their corrected times.

    run = TrackRun(sensors, history_s=10.0)
    for block in reading.blocks(path):
        run.take(block)
    answer = run.answer()
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.service.detection_rows import DetectionBlock
from noroshi.tracking import Flight, Launches, Tracks, track_launch
from noroshi.tracking.measurements import Measurements, concatenate, no_measurements
from noroshi.tracking.registration import Finding, corrected
from noroshi.tracking.sensors import Sensor
from noroshi.tracking.tracker import Heads, Tracker, TrackTable

Ints = NDArray[np.int64]

LOOK_NS = NS_PER_S
"""How often the objects that are followed are looked at, where no history is asked for."""
NEVER_NS = np.iinfo(np.int64).max
BEGUN = 2
"""Rows after which a track has a velocity, and its history begins."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """What one track said after one of its rows. track, launch: one row each."""

    track: Tracks
    flight: Flight
    existence: float
    launch: Launches


@dataclass(slots=True)
class _Steps:
    """The history of one object, and when its next entry is due."""

    due_ns: int
    confirmed: bool = False
    entries: list[Snapshot] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class RunAnswer:
    """What a run found.

    table: of the tracker; confirmed: its rows with a confirmed track. For each of these: last: its last snapshot;
    histories: its entries, empty without `history_s`; rows: its measurements and the sensor of each. used, detections
    (s,): rows of each sensor in confirmed tracks, and all.
    """

    table: TrackTable
    confirmed: Ints
    last: tuple[Snapshot, ...]
    histories: tuple[tuple[Snapshot, ...], ...]
    rows: tuple[tuple[Measurements, Ints], ...]
    used: Ints
    detections: Ints
    from_ns: int
    to_ns: int
    left_out: Counter[str]


class TrackRun:
    """Follows rows in order of time. Guards: the tracker, the histories, what was counted."""

    def __init__(
        self, sensors: Sequence[Sensor], *, history_s: float | None = None, biases: Sequence[Finding] = ()
    ) -> None:
        """biases: to be taken out, with what stays uncertain of each."""
        self.sensors = tuple(sensors)
        self._biases = tuple(biases)
        late_s = max((one.value for one in biases if one.kind == "clock-offset"), default=0.0)
        self._late_ns = max(0, round(late_s * NS_PER_S) + 1)
        self._held: tuple[Measurements, Ints] = no_measurements(), np.zeros(0, np.int64)
        self._order: list[Ints] = []
        self.tracker = Tracker(self.sensors, lag_s=0.0)  # the reading has put them in order
        self._step_ns = None if history_s is None else round(history_s * NS_PER_S)
        self._steps: dict[int, _Steps] = {}
        self._seen: dict[int, tuple[int, float]] = {}
        self._detections = np.zeros(len(self.sensors), np.int64)
        self._from_ns = self._to_ns = 0

    def take(self, block: DetectionBlock) -> None:
        """Follows the rows of a block, which are not older than those before."""
        self._detections += np.bincount(block.sensor, minlength=len(self.sensors))
        rows, sensor = measurements_of(block, self.sensors), block.sensor
        if self._biases:
            self._hold(rows, sensor)
            rows, sensor = self._released(int(block.time_ns[-1]) - self._late_ns)
        self._follow(rows, sensor)

    def _hold(self, rows: Measurements, sensor: Ints) -> None:
        """Keeps corrected rows, in order of time, beside those that wait already."""
        held, of = self._held
        rows, sensor = (
            concatenate([held, corrected(rows, sensor, self._biases)]),
            np.concatenate((of, sensor)),
        )
        order = np.argsort(rows.time_ns, kind="stable")
        self._held = rows[order], sensor[order]

    def _released(self, until_ns: int) -> tuple[Measurements, Ints]:
        """The rows before a time, which wait no longer: what is still to come is later."""
        rows, sensor = self._held
        ready = int(np.searchsorted(rows.time_ns, until_ns, "left"))
        self._held = rows[ready:], sensor[ready:]
        return rows[:ready], sensor[:ready]

    def _follow(self, rows: Measurements, sensor: Ints) -> None:
        """Follows rows in order of time."""
        if not len(rows):
            return
        if not self._order:
            self._from_ns = int(rows.time_ns[0])
        self._to_ns = int(rows.time_ns[-1])
        self._order.append(sensor.astype(np.int16))
        looks = rows.time_ns if self._step_ns is not None else rows.time_ns // LOOK_NS
        cuts = np.flatnonzero(np.diff(looks)) + 1
        for part in np.split(np.arange(len(rows)), cuts):
            self.tracker.add(rows[part], sensor[part])
            heads = self.tracker.heads
            self._look(heads)
            if self._step_ns is not None:
                self._note(heads, self._step_ns)

    def answer(self) -> RunAnswer:
        """All that is known after the last row, which has come."""
        self._follow(*self._released(NEVER_NS))
        table = self.tracker.tracks
        confirmed = np.flatnonzero(table.confirmed)
        last = tuple(self._snapshot(int(table.id[i]), self._existence(table, int(i))) for i in confirmed)
        kept = [self._steps.get(int(table.id[i])) for i in confirmed]
        return RunAnswer(
            table,
            confirmed,
            last,
            tuple(tuple(steps.entries) if steps else () for steps in kept),
            tuple(self.tracker.measurements_of(int(table.id[i])) for i in confirmed),
            self._used(table.id[confirmed]),
            self._detections,
            self._from_ns,
            self._to_ns,
            Counter({why: count for why, count in self.tracker.left_out.items() if count}),
        )

    def row_numbers(self) -> tuple[Ints, ...]:
        """Of each confirmed track's rows: the how-manieth of its sensor's in the file each is, from 0."""
        table = self.tracker.tracks
        sensor = np.concatenate([np.zeros(0, np.int16), *self._order])
        number = np.zeros(len(sensor), np.int64)
        for i in range(len(self.sensors)):
            mine = np.flatnonzero(sensor == i)
            number[mine] = np.arange(len(mine))
        return tuple(number[self.tracker.rows_of(int(one))] for one in table.id[table.confirmed])

    def _look(self, heads: Heads) -> None:
        """Remembers how surely each confirmed object was there when it had its last row."""
        for i in np.flatnonzero(heads.confirmed):
            one, rows = int(heads.id[i]), int(heads.rows[i])
            if self._seen.get(one, (0, 0.0))[0] != rows:
                self._seen[one] = (rows, float(heads.existence[i]))

    def _existence(self, table: TrackTable, i: int) -> float:
        """That of an object that is followed now; of one that has ended, what it was at its last row."""
        now = float(table.existence[i])
        return self._seen.get(int(table.id[i]), (0, now))[1] if table.ended[i] else now

    def _note(self, heads: Heads, step_ns: int) -> None:
        """An entry for each track that has a new row and whose step has come."""
        for i in np.flatnonzero(heads.rows >= BEGUN):
            one, seen_ns = int(heads.id[i]), int(heads.last_observed_ns[i])
            steps = self._steps.setdefault(one, _Steps(seen_ns))
            if seen_ns < steps.due_ns:
                continue
            steps.entries.append(self._snapshot(one, float(heads.existence[i])))
            steps.due_ns += ((seen_ns - steps.due_ns) // step_ns + 1) * step_ns if step_ns else 0
            steps.due_ns = max(steps.due_ns, seen_ns + 1)
        alive = set(heads.id.tolist())
        for one in [one for one in self._steps if one not in alive and not self._steps[one].confirmed]:
            del self._steps[one]
        for one in heads.id[heads.confirmed].tolist():
            if one in self._steps:
                self._steps[one].confirmed = True

    def _used(self, ids: Ints) -> Ints:
        """Rows of each sensor in these tracks; one that two share, as pieces do that part there, counts once."""
        none = np.zeros(0, np.int64)
        serial = np.concatenate([none, *(self.tracker.rows_of(one) for one in ids.tolist())])
        sensor = np.concatenate([none, *(self.tracker.measurements_of(one)[1] for one in ids.tolist())])
        first = np.unique(serial, return_index=True)[1]
        return np.bincount(sensor[first], minlength=len(self.sensors)).astype(np.int64)

    def _snapshot(self, track: int, existence: float) -> Snapshot:
        found = self.tracker.filter_of(track)
        return Snapshot(found.tracks, found.flight, existence, track_launch(found))


def measurements_of(block: DetectionBlock, sensors: Sequence[Sensor]) -> Measurements:
    """The rows of a block with their sensors' places and accuracies, in the block's order."""
    which = [np.flatnonzero(block.sensor == i) for i in range(len(sensors))]
    parts = [
        sensor.measurements(block.time_ns[mine], block.value[mine], block.rate[mine])
        for sensor, mine in zip(sensors, which, strict=True)
        if len(mine)
    ]
    return concatenate(parts)[np.argsort(np.concatenate(which), kind="stable")]
