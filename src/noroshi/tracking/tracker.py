"""Many objects from many sensors' rows: which there are, how surely, and the rows of each.

    tracker = Tracker((north, south))
    tracker.add(rows, sensor)                   # sensor (m,): index into the tuple
    table = tracker.tracks                      # ids, estimates, existence, confirmed, ended
    tracker.filter_of(table.id[0])              # the TrackFilter of that object's rows

Rows come in order of time or late by up to `lag_s`; rows of one sensor at one instant are a scan, in which each object
is at most once. The picture is a function of the set of rows: a late row is put in its place and what came since is done
again. What is not considered is counted in `left_out`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noroshi.clock import NS_PER_S
from noroshi.tracking.errors import TrackError
from noroshi.tracking.existence import Watch
from noroshi.tracking.hypotheses import step
from noroshi.tracking.measurements import Measurements, concatenate, row_order
from noroshi.tracking.pictures import KNOWN_ROWS, Chains, Picture, Scan, known_picture, no_picture
from noroshi.tracking.row_store import RowStore
from noroshi.tracking.sensors import Sensor
from noroshi.tracking.track_filter import TrackFilter
from noroshi.tracking.tracks import Tracks, concatenate_tracks, no_tracks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LAG_S = 5.0
"""Rows that are later than this are left out: what came since they were due is done again for each late scan."""
MOST_ROWS = 5000
"""Rows of one scan beyond this number are left out: five times the thousand false alarms that are foreseen."""
KEPT_ROWS = 100_000
"""When so many more rows are held than after the last clearing, those that no track uses are let go."""


@dataclass(frozen=True, eq=False)
class TrackTable:
    """All objects, confirmed or not, in the order of their ids; those that ended stay.

    id (n,): never used for another; tracks: the estimate at the last row, from the object's own rows; existence (n,):
    probability that there is such an object; confirmed, ended (n,); reason: "", "fell", "lost", or "double" (it was no
    object of its own, and counts as not confirmed); confirmed_ns, ended_ns
    (n,): 0 when not; rows_of_sensor (n, s): rows used of each sensor, in the order of the tracker's sensors.
    """

    id: Ints
    tracks: Tracks
    existence: Floats
    confirmed: Bools
    ended: Bools
    reason: tuple[str, ...]
    confirmed_ns: Ints
    ended_ns: Ints
    rows_of_sensor: Ints

    def __len__(self) -> int:
        return len(self.id)


@dataclass(frozen=True, eq=False)
class Heads:
    """What is followed now. id, rows, last_observed_ns, existence, confirmed (n,): as in `TrackTable`, in no order."""

    id: Ints
    rows: Ints
    last_observed_ns: Ints
    existence: Floats
    confirmed: Bools


class Tracker:
    """Follows many objects. Guards: the picture, the scans of the last `lag_s`, the rows."""

    def __init__(
        self, sensors: Sequence[Sensor], *, known: Tracks | None = None, lag_s: float = LAG_S
    ) -> None:
        """known: objects handed over from elsewhere, followed from these estimates on; lag_s: how late rows may be."""
        self.sensors = tuple(sensors)
        self._lag_ns = int(lag_s * NS_PER_S)
        watch = tuple(Watch.of(sensor) for sensor in self.sensors)
        self._picture = no_picture(watch)
        self._recent: deque[tuple[Scan, Picture]] = deque()
        self._chains = Chains()
        self._store = RowStore()
        self._kept = 0
        self._latest_ns = 0
        self._too_late = 0
        self._over = 0
        self._filters: dict[int, tuple[Ints, TrackFilter]] = {}
        self._known = no_tracks() if known is None else known
        self._known_id = self._store.reserve(len(self._known))
        if len(self._known):
            self._picture = known_picture(watch, self._known, self._known_id)

    def add(self, rows: Measurements, sensor: ArrayLike) -> None:
        """Takes rows in; sensor: index into `sensors`, one for all or (m,). Raises TrackError for an index outside."""
        which = np.array(np.broadcast_to(np.asarray(sensor, np.int64), (len(rows),)))
        if len(which) and (which.min() < 0 or which.max() >= len(self.sensors)):
            raise TrackError(
                "follow the rows", cause=f"a sensor index is outside 0 to {len(self.sensors) - 1}"
            )
        serial = self._store.add(rows, which)
        order = np.lexsort((which, rows.time_ns))
        times, by = rows.time_ns[order], which[order]
        cuts = np.flatnonzero((np.diff(times) != 0) | (np.diff(by) != 0)) + 1
        for part in np.split(order, cuts) if len(order) else ():
            self._take(Scan(rows[part], int(which[part[0]]), serial[part]))
        if self._store.held > self._kept + KEPT_ROWS:
            self._clear()

    @property
    def tracks(self) -> TrackTable:
        """All objects, also those that are not confirmed yet and those that have ended."""
        leaves, trees, ended = self._picture.leaves, self._picture.trees, self._picture.ended
        lead = trees.lead
        name = np.concatenate((trees.id, np.array([one.id for one in ended], np.int64)))
        order = np.argsort(name, kind="stable")
        alive, name = len(lead), name[order]
        evidence = np.concatenate((leaves.evidence[lead], np.array([one.evidence for one in ended])))[order]
        sure_ns = np.array([*trees.confirmed_ns, *(one.confirmed_ns for one in ended)], np.int64)[order]
        ended_ns = np.array([0] * alive + [one.ended_ns for one in ended], np.int64)[order]
        reason = [""] * alive + [one.reason for one in ended]
        nodes = self._nodes()
        parts, used = [], np.zeros((len(name), len(self.sensors)), np.int64)
        for i, one in enumerate(name.tolist()):
            made = self._filter(one, nodes[one])
            parts.append(self._handed(one) if one < len(self._known) else made.tracks)
            used[i] = np.bincount(self._store.sensor(self._filters[one][0]), minlength=len(self.sensors))
        return TrackTable(
            name,
            concatenate_tracks(parts),
            1 / (1 + np.exp(-evidence)),
            (sure_ns > 0) & np.array([reason[i] != "double" for i in order], np.bool_),
            ended_ns > 0,
            tuple(reason[i] for i in order),
            sure_ns,
            ended_ns,
            used,
        )

    def filter_of(self, track: int) -> TrackFilter:
        """The filter of the rows of the object with this id; a copy. Raises TrackError for an id that is not there."""
        return self._filter(int(track), self._node(track)).copy()

    def measurements_of(self, track: int) -> tuple[Measurements, Ints]:
        """The object's rows, oldest first, and the sensor of each. Raises TrackError for an id that is not there."""
        serial = self._chains.rows(self._node(track))
        serial = serial[serial >= len(self._known)]
        return self._store.take(serial), self._store.sensor(serial)

    @property
    def heads(self) -> Heads:
        """The objects that are followed now, without their estimates: costs next to nothing."""
        leaves, trees = self._picture.leaves, self._picture.trees
        lead = trees.lead
        existence = 1 / (1 + np.exp(-leaves.evidence[lead]))
        return Heads(trees.id, leaves.rows[lead], leaves.time_ns[lead], existence, trees.confirmed_ns > 0)

    def rows_of(self, track: int) -> Ints:
        """Which rows are the object's for now, oldest first: numbers of rows in the order in which they were added.

        Raises TrackError for an id that is not there.
        """
        return self._chains.rows(self._node(track)) - len(self._known)

    @property
    def latest_rows(self) -> dict[int, int]:
        """The last row of every object that is followed, by id, numbered as in `rows_of`; not those without one."""
        leaves, trees = self._picture.leaves, self._picture.trees
        last = self._chains.last(leaves.node[trees.lead]) - len(self._known)
        return {int(name): int(row) for name, row in zip(trees.id, last, strict=True) if row >= 0}

    @property
    def left_out(self) -> dict[str, int]:
        """Rows that were not considered, and hypotheses that were given up for number, counted by reason."""
        return {
            "rows too late": self._too_late,
            "rows over the limit of a scan": self._over,
            "rows that would begin too many new tracks": self._picture.crowded_out,
            "hypotheses over the limit of a track": self._picture.pruned,
        }

    def _take(self, scan: Scan) -> None:
        """One scan, in its place."""
        now_ns = int(scan.rows.time_ns[0])
        if now_ns < self._latest_ns - self._lag_ns:
            self._too_late += len(scan.rows)
            return
        redo: list[Scan] = []
        while self._recent and _key(self._recent[-1][0]) >= _key(scan):
            later, self._picture = self._recent.pop()
            if _key(later) == _key(scan):
                serial = np.concatenate((later.serial, scan.serial))
                scan = Scan(concatenate((later.rows, scan.rows)), scan.sensor, serial)
            else:
                redo.append(later)
        for one in (self._in_order(scan), *reversed(redo)):
            self._recent.append((one, self._picture))
            self._picture = step(self._picture, one, self._chains)
        self._latest_ns = max(self._latest_ns, now_ns)
        while int(self._recent[0][0].rows.time_ns[0]) < self._latest_ns - self._lag_ns:
            self._recent.popleft()

    def _in_order(self, scan: Scan) -> Scan:
        """The scan in an order that does not depend on arrival, without repeats, and not too long."""
        order = np.argsort(scan.rows.value[:, 1], kind="stable")
        if (np.diff(scan.rows.value[order, 1]) == 0).any():
            order, first = row_order([getattr(scan.rows, field.name) for field in fields(Measurements)])
            order = order[first]
        if len(order) > MOST_ROWS:
            self._over += len(order) - MOST_ROWS
            order = order[np.linspace(0, len(order) - 1, MOST_ROWS).astype(np.int64)]
        return Scan(scan.rows[order], scan.sensor, scan.serial[order])

    def _handed(self, track: int) -> Tracks:
        """An object that was handed over: its estimate with the rows since, or as it was when it has ended."""
        leaves, trees = self._picture.leaves, self._picture.trees
        at = np.flatnonzero(trees.id == track)
        if not len(at):
            return self._known[[track]]
        leaf = trees.lead[at]
        seen = leaves.time_ns[leaf]
        count = self._known.updates[[track]] + leaves.rows[leaf] - KNOWN_ROWS
        return Tracks(
            seen,
            leaves.mean[leaf],
            leaves.covariance[leaf],
            count,
            self._known.first_observed_ns[[track]],
            seen,
        )

    def _nodes(self) -> dict[int, int]:
        """The chain of every object's leading leaf, by id."""
        leaves, trees = self._picture.leaves, self._picture.trees
        found = dict(zip(trees.id.tolist(), leaves.node[trees.lead].tolist(), strict=True))
        return found | {one.id: one.node for one in self._picture.ended}

    def _node(self, track: int) -> int:
        node = self._nodes().get(int(track))
        if node is None:
            raise TrackError("find the track", subject=str(track), cause="there is none with this id")
        return node

    def _filter(self, track: int, node: int) -> TrackFilter:
        """The filter of a chain: the one kept for this object when it only went on, else a new one."""
        serial = self._chains.rows(node)
        had, made = self._filters.get(track, (serial[:0], None))
        if made is None or len(had) > len(serial) or not np.array_equal(had, serial[: len(had)]):
            had, made = serial[:0], TrackFilter()
        if len(serial) > len(had):
            made.add(self._store.take(serial[len(had) :]))
        self._filters[track] = (serial, made)
        return made

    def _clear(self) -> None:
        """Lets go of the rows that no hypothesis uses."""
        pictures = [self._picture, *(picture for _, picture in self._recent)]
        nodes = [picture.leaves.node for picture in pictures]
        ended = [one.node for one in self._picture.ended]
        scans = [scan.serial for scan, _ in self._recent]
        scans += [one.serial for picture in pictures for one in picture.waiting]
        used = self._chains.used(np.unique(np.concatenate((*nodes, np.array(ended, np.int64)))))
        self._store.keep(np.unique(np.concatenate((used, *scans))))
        self._kept = self._store.held
        alive = self._nodes()
        self._filters = {name: made for name, made in self._filters.items() if name in alive}


def _key(scan: Scan) -> tuple[int, int]:
    return int(scan.rows.time_ns[0]), scan.sensor
