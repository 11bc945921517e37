"""One object's track and its rows: the estimate is a function of the *set* of rows, whatever their order of arrival.

A row in time order costs one update. A late row goes back to the last checkpoint before it and runs the rows since
then again, which gives the same bits as if it had come in time. A row that is there already changes nothing.

    track = TrackFilter()
    track.add(rows)
    track.tracks.mean, track.tracks.covariance
    track.flight.phase

In free fall this is the filter of `update`. A watch over its corrections raises doubt when an unknown acceleration
explains them better; then hypotheses are weighed against each other until one is clear (`kernels.flight`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.tracking import kernels
from noroshi.tracking.errors import TrackError
from noroshi.tracking.filtering import PRIOR, considering_biases, predict
from noroshi.tracking.kernels import flight as place
from noroshi.tracking.measurements import Measurements, kernel_rows, row_order, trusted
from noroshi.tracking.packing import pack, unpack
from noroshi.tracking.phases import Flight, Phase
from noroshi.tracking.tracks import SIZE, Tracks

Floats = NDArray[np.float64]

STEP = kernels.CHECKPOINT_ROWS
ASCENT_S = 30.0
"""Rows of the first seconds, from which the start of a powered ascent is estimated."""
ROOM = 64
"""Rows for which room is made first; it doubles when full."""


class TrackFilter:
    """A single track with the rows that made it. Guards: rows in canonical order, checkpoints, the estimate."""

    __slots__ = ("_columns", "_ran", "_saved", "_size", "_state")

    def __init__(self) -> None:
        self._size = 0
        self._ran = 0
        self._columns = _room(ROOM)
        self._state: Floats = np.zeros(place.FULL)
        self._saved: list[Floats] = []

    def __len__(self) -> int:
        """Number of different rows."""
        return self._size

    def add(self, rows: Measurements) -> int:
        """Takes rows in, in any order; how many of them were new."""
        before = self._size
        if not len(rows):
            return 0
        times = rows.time_ns
        if (before == 0 or times[0] > self._columns[0][before - 1]) and (
            len(rows) == 1 or (np.diff(times) > 0).all()
        ):
            self._write(before, rows)
            self._run(before)
        else:
            changed = self._merge(rows)
            if self._size > before:
                self._run(changed)
        return self._size - before

    @property
    def tracks(self) -> Tracks:
        """The estimate as one track, at the time of its last row. Raises TrackError while there is no row."""
        self._need_rows()
        return self._track(self._size, self._state)

    @property
    def flight(self) -> Flight:
        """Its phase of flight after the last row. Raises TrackError while there is no row."""
        self._need_rows()
        return self._flight(self._state)

    @property
    def measurements(self) -> Measurements:
        """All rows in time order."""
        return trusted(*(column[: self._size].copy() for column in self._columns))

    @property
    def first_observed_ns(self) -> int:
        """Time of the first row. Raises TrackError while there is none."""
        self._need_rows()
        return int(self._columns[0][0])

    @property
    def last_observed_ns(self) -> int:
        """Time of the last row. Raises TrackError while there is none."""
        self._need_rows()
        return int(self._columns[0][self._size - 1])

    def at(self, time_ns: int) -> Tracks:
        """The estimate for `time_ns` from the rows up to then. Raises TrackError before the first row."""
        self._need_rows()
        count = int(np.searchsorted(self._columns[0][: self._size], time_ns, "right"))
        if count == 0:
            raise TrackError("estimate the track", cause="the time is before its first measurement")
        state = self._after(count)
        found, dt_s = self._track(count, state), (time_ns - int(self._columns[0][count - 1])) / NS_PER_S
        if found.free[0] and not state[place.DOUBT]:
            return predict(found, time_ns)
        _carry(state, dt_s)
        found = self._track(count, state)
        return Tracks(np.array([time_ns], np.int64), *(getattr(found, name) for name in _NOT_TIME))

    def powered_start(self) -> Tracks | None:
        """The estimate at the first row from the first seconds, where the object was under power then, or None.

        Raises TrackError while there is no row.
        """
        self._need_rows()
        flagged = int(self._state[place.FLAGGED_ROW])
        state = self._state if flagged < 0 else self._after(flagged)
        burnt = int(state[place.BURNT_ROW])
        if state[place.SAID] != place.POWERED and burnt < 0:
            return None
        times = self._columns[0][: self._size]
        within = int(np.searchsorted(times, times[0] + int(ASCENT_S * NS_PER_S), "right"))
        count = min(within, burnt + 1 if burnt >= 0 else within)
        mean, cov = np.zeros(SIZE), np.zeros((SIZE, SIZE))
        kernels.first_state(kernel_rows(self._columns), count, PRIOR, mean, cov)
        return Tracks(
            times[:1].copy(), mean[None], cov[None], np.array([count]), times[:1].copy(), times[:1].copy()
        )

    def before_re_entry(self) -> Tracks:
        """The newest estimate that is not one of re-entry, of those kept; the present one where there is none.

        Raises TrackError while there is no row.
        """
        self._need_rows()
        count, state = self._size, self._state
        for base in range(len(self._saved), 0, -1):
            if not place.re_entering(state[:SIZE]):
                break
            count, state = base * STEP, self._saved[base - 1]
        if place.re_entering(state[:SIZE]):
            count, state = self._size, self._state
        return self._track(count, state)

    def score(self, rows: Measurements) -> tuple[float, float]:
        """How well rows of one object continue the track: squared innovation distance and log det, summed over them.

        Rows ascend in time. Those older than the track are held against what was known at the first one's time.
        """
        self._need_rows()
        times = self._columns[0][: self._size]
        count = max(1, int(np.searchsorted(times, rows.time_ns[0], "right")))
        begin_ns = max(int(rows.time_ns[0]), int(times[0]))
        state = self._after(count)
        _carry(state, (begin_ns - int(times[count - 1])) / NS_PER_S)
        columns = [np.concatenate((column[:1], column)) for column in _columns(rows)]
        columns[0][0] = begin_ns
        line = trusted(*columns)
        if state[place.DOUBT]:
            return kernels.score_doubt(line.rows, state)
        none, none3 = np.zeros((0, SIZE)), np.zeros((0, SIZE, SIZE))
        return kernels.filter_rows(line.rows, PRIOR, 1, len(line), *_moments(state), none, none3)

    def copy(self) -> TrackFilter:
        """An independent filter with the same rows."""
        twin = TrackFilter.__new__(TrackFilter)
        twin._size, twin._ran = self._size, self._ran
        twin._columns = tuple(column.copy() for column in self._columns)
        twin._state = self._state.copy()
        twin._saved = list(self._saved)  # a checkpoint is never written to again
        return twin

    def packed(self) -> bytes:
        """All that it holds, as bytes: equal filters give equal ones."""
        rows = [column[: self._size] for column in self._columns]
        kept = [_needed(self._state), *self._saved]
        sizes = np.array([len(state) for state in kept], np.int64)
        return pack([*rows, sizes, np.concatenate(kept)])

    @classmethod
    def unpacked(cls, data: bytes) -> TrackFilter:
        """The filter that gave these bytes. Raises TrackError for others."""
        try:
            *rows, sizes, numbers = unpack(data, _KINDS)
        except TrackError:
            return cls._unpacked_before(data)
        count = len(rows[0])
        shapes: list[tuple[int, ...]] = [(count,), (count,), (count, 3), (count, 3), (count, 3), (count,)]
        shapes += [(count, 2), (count, 3), (1 + count // STEP,), (int(sizes.sum()),)]
        good = [column.shape for column in (*rows, sizes, numbers)] == shapes
        good = good and bool(np.isin(sizes, (place.HEAD, place.FULL)).all())
        kept = np.split(numbers, np.cumsum(sizes)[:-1]) if good else []
        if not good or not all(_fits(state, count) for state in kept):
            raise TrackError("read the track", cause="its columns do not fit together")
        track = cls()
        track._write(0, trusted(*rows))
        track._ran, track._saved = count, [state.copy() for state in kept[1:]]
        track._state[: len(kept[0])] = kept[0]
        return track

    @classmethod
    def _unpacked_before(cls, data: bytes) -> TrackFilter:
        """The filter of the rows in what was packed before there were phases; the estimate is made anew from them."""
        *rows, _, _, _, _ = unpack(data, _KINDS_BEFORE)
        count = len(rows[0])
        if [column.shape for column in rows] != [(count,), (count,), *3 * ((count, 3),), (count,)]:
            raise TrackError("read the track", cause="its columns do not fit together")
        track = cls()
        track.add(trusted(*rows, np.zeros((count, 2)), np.zeros((count, 3))))
        return track

    def __deepcopy__(self, memo: dict[int, Any]) -> TrackFilter:
        return self.copy()

    def _need_rows(self) -> None:
        if self._size == 0:
            raise TrackError("estimate the track", cause="it has no measurement yet")

    def _track(self, count: int, state: Floats) -> Tracks:
        times = self._columns[0]
        last = times[count - 1 : count].copy()
        mean, cov = _moments(state.copy())
        free = np.array([state[place.SAID] == place.FALLING])
        updates = np.array([count], np.int64)
        if free[0] and not state[place.DOUBT] and self._columns[7][:count].any():
            mean, cov = self._considered(max(int(state[place.BURNT_ROW]), 0), count)
        return Tracks(last.copy(), mean[None], cov[None], updates, times[:1].copy(), last, free)

    def _considered(self, start: int, count: int) -> tuple[Floats, Floats]:
        """Mean and covariance after so many rows, from those of the free fall, no surer than sensors' biases allow.

        The running filter counts a bias as noise of each row, which many rows would wear away; where rows have one, the
        estimate is made anew from all of them, 3 us a row.
        """
        found = considering_biases(trusted(*(column[start:count] for column in self._columns)))
        return found.mean[0].copy(), found.covariance[0].copy()

    def _flight(self, state: Floats) -> Flight:
        times = self._columns[0]
        said = int(state[place.SAID])
        phase = (Phase.FREE_FALL, Phase.POWERED, Phase.MANOEUVRING)[said]
        if phase is Phase.FREE_FALL and place.re_entering(state[:SIZE]):
            phase = Phase.RE_ENTRY
        burnt, flagged = int(state[place.BURNT_ROW]), int(state[place.FLAGGED_ROW])
        return Flight(
            phase,
            int(times[int(state[place.SAID_ROW])]),
            float(state[place.FREE]),
            int(times[burnt]) if burnt >= 0 and phase.free else None,
            int(times[flagged]) if flagged >= 0 else None,
        )

    def _write(self, start: int, rows: Measurements) -> None:
        """Puts rows from `start` on; what was there after it is gone."""
        self._size = start + len(rows)
        have = len(self._columns[0])
        if self._size > have:
            while have < self._size:
                have *= 2
            grown = _room(have)
            for new, old in zip(grown, self._columns, strict=True):
                new[:start] = old[:start]
            self._columns = grown
        for column, name in zip(self._columns, _NAMES, strict=True):
            column[start : self._size] = getattr(rows, name)

    def _merge(self, rows: Measurements) -> int:
        """Sorts rows into the history, dropping repeats; index of the first row that is not as it was."""
        cut = int(np.searchsorted(self._columns[0][: self._size], rows.time_ns.min(), "left"))
        columns = tuple(
            np.concatenate((column[cut : self._size], getattr(rows, name)))
            for column, name in zip(self._columns, _NAMES, strict=True)
        )
        order, new = row_order(columns)
        kept = order[new]
        old = self._size - cut
        moved = np.flatnonzero(kept[:old] != np.arange(min(old, len(kept))))
        changed = cut + (int(moved[0]) if len(moved) else old)
        self._write(cut, trusted(*(column[kept] for column in columns)))
        return changed

    def _run(self, start: int) -> None:
        """Brings the estimate up to the last row; rows before `start` are as they were at the last run."""
        if start == 0 or start != self._ran:
            start = start // STEP * STEP
            self._back(self._state, start)
            del self._saved[start // STEP :]
        self._advance(self._state, start, self._size, keep=True)
        self._ran = self._size

    def _after(self, count: int) -> Floats:
        """A copy of the state after so many rows."""
        if count == self._size:
            return self._state.copy()
        state, base = np.zeros(place.FULL), count // STEP * STEP
        self._back(state, base)
        self._advance(state, base, count, keep=False)
        return state

    def _back(self, state: Floats, count: int) -> None:
        """Sets the state to that of a checkpoint."""
        state[:] = 0.0
        if count:
            kept = self._saved[count // STEP - 1]
            state[: len(kept)] = kept

    def _advance(self, state: Floats, start: int, stop: int, *, keep: bool) -> None:
        """Takes a state from row start to row stop. A doubt goes back to where its watch began, and on from there."""
        rows = kernel_rows(self._columns)
        done = start
        while done < stop:
            end = min(stop, (done // STEP + 1) * STEP)
            if state[place.DOUBT]:
                done = kernels.doubt_rows(rows, done, end, state)
            else:
                done = kernels.fall_rows_freely(rows, PRIOR, done, end, state)
            if done < 0:
                done = self._doubt(state, int(state[place.BORN]), -done)
            elif keep and done == (len(self._saved) + 1) * STEP:
                self._saved.append(_needed(state).copy())

    def _doubt(self, state: Floats, born: int, done: int) -> int:
        """Begins doubt, raised by the last of `done` rows, after `born` rows or before; the count of rows done."""
        times = self._columns[0]
        ended = int(state[place.ENDED])
        while born - STEP >= ended and (times[done - 1] - times[born - 1]) / NS_PER_S < place.RECALL_S:
            if born > STEP and self._saved[born // STEP - 2][place.DOUBT]:
                break
            born -= STEP
        self._back(state, born)
        if born == 0:
            kernels.fall_rows_freely(kernel_rows(self._columns), PRIOR, 0, 1, state)
        kernels.begin_doubt(state, born, place.LATER_ODDS if born else place.START_ODDS)
        state[place.ENDED] = done
        return max(born, 1)


def estimate(rows: Measurements) -> Tracks:
    """The one track of all these rows, which belong to one object; their order does not matter.

    Raises TrackError for no rows.
    """
    track = TrackFilter()
    track.add(rows)
    return track.tracks


def _moments(state: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance that stand in a state."""
    return state[:SIZE], state[SIZE : SIZE + SIZE * SIZE].reshape(SIZE, SIZE)


def _needed(state: Floats) -> Floats:
    """What has to be kept of a state."""
    return state[: place.FULL if state[place.DOUBT] else place.HEAD]


def _fits(state: Floats, count: int) -> bool:
    """Whether a state that was read can be one of a track with so many rows: its indices lead nowhere else."""
    rows = [state[i] for i in (place.SAID_ROW, place.BORN, place.FLAGGED_ROW, place.BURNT_ROW)]
    rows += [state[place.WATCH + w * place.WATCH_SIZE + place.WATCH_BEGAN] for w in range(place.WATCHES)]
    if len(state) == place.FULL:
        if not 0 <= state[place.COUNT] <= place.BANK_MOST:
            return False
        rows.append(state[place.BORN_LAST])
    inside = all(-1 <= row <= count for row in rows) and state[place.SAID] in (0, 1, 2)
    return inside and bool(state[place.DOUBT]) == (len(state) == place.FULL)


def _carry(state: Floats, dt_s: float) -> None:
    """Takes a state dt_s seconds on, in place."""
    if dt_s == 0:
        return
    if state[place.DOUBT]:
        kernels.predict_doubt(state, dt_s)
    else:
        mean, cov = _moments(state)
        kernels.predict_rows(mean[None], cov[None], np.array([dt_s]))


def _columns(rows: Measurements) -> Columns:
    return tuple(getattr(rows, name) for name in _NAMES)


_NAMES = ("time_ns", "model", "site_m", "value", "sigma", "clock_sigma_s", "rate", "bias_sigma")
_KINDS = (np.int64, np.int8, *6 * (np.float64,), np.int64, np.float64)
_KINDS_BEFORE = (np.int64, np.int8, *4 * (np.float64,), *4 * (np.float64,))
_NOT_TIME = ("mean", "covariance", "updates", "first_observed_ns", "last_observed_ns", "free")

Columns = tuple[NDArray[Any], ...]


def _room(count: int) -> Columns:
    return (
        np.zeros(count, np.int64),
        np.zeros(count, np.int8),
        np.zeros((count, 3)),
        np.zeros((count, 3)),
        np.zeros((count, 3)),
        np.zeros(count),
        np.zeros((count, 2)),
        np.zeros((count, 3)),
    )
