"""One object's track and its rows: the estimate is a function of the *set* of rows, whatever their order of arrival.

A row in time order costs one update. A late row goes back to the last checkpoint before it and runs the rows since
then again, which gives the same bits as if it had come in time. A row that is there already changes nothing.

    track = TrackFilter()
    track.add(rows)
    track.tracks.mean, track.tracks.covariance
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking import kernels
from noroshi.tracking.errors import TrackError
from noroshi.tracking.filtering import PRIOR, predict
from noroshi.tracking.measurements import Measurements, kernel_rows, row_order, trusted
from noroshi.tracking.packing import pack, unpack
from noroshi.tracking.tracks import SIZE, Tracks

Floats = NDArray[np.float64]

STEP = kernels.CHECKPOINT_ROWS
ROOM = 64
"""Rows for which room is made first; it doubles when full."""


class TrackFilter:
    """A single track with the rows that made it. Guards: rows in canonical order, checkpoints, the estimate."""

    __slots__ = ("_columns", "_cov", "_mean", "_ran", "_saved_cov", "_saved_mean", "_size")

    def __init__(self) -> None:
        self._size = 0
        self._ran = 0
        self._columns = _room(ROOM)
        self._mean: Floats = np.zeros(SIZE)
        self._cov: Floats = np.zeros((SIZE, SIZE))
        self._saved_mean: Floats = np.zeros((ROOM // STEP, SIZE))
        self._saved_cov: Floats = np.zeros((ROOM // STEP, SIZE, SIZE))

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
        return self._track(self._size, self._mean.copy(), self._cov.copy())

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
        if count == self._size:
            return predict(self.tracks, time_ns)
        base = count // STEP
        mean, cov = self._state(base)
        self._filter(base * STEP, count, mean, cov, self._saved_mean[:0], self._saved_cov[:0])
        return predict(self._track(count, mean, cov), time_ns)

    def copy(self) -> TrackFilter:
        """An independent filter with the same rows."""
        twin = TrackFilter.__new__(TrackFilter)
        twin._size, twin._ran = self._size, self._ran
        twin._columns = tuple(column.copy() for column in self._columns)
        twin._mean, twin._cov = self._mean.copy(), self._cov.copy()
        twin._saved_mean, twin._saved_cov = self._saved_mean.copy(), self._saved_cov.copy()
        return twin

    def packed(self) -> bytes:
        """All that it holds, as bytes: equal filters give equal ones."""
        saved = self._size // STEP
        rows = [column[: self._size] for column in self._columns]
        return pack([*rows, self._mean, self._cov, self._saved_mean[:saved], self._saved_cov[:saved]])

    @classmethod
    def unpacked(cls, data: bytes) -> TrackFilter:
        """The filter that gave these bytes. Raises TrackError for others."""
        *rows, mean, cov, saved_mean, saved_cov = unpack(data, _KINDS)
        count = len(rows[0])
        shapes: list[tuple[int, ...]] = [(count,), (count,), (count, 3), (count, 3), (count, 3), (count,)]
        shapes += [(count, 2), (count, 3)]
        shapes += [(SIZE,), (SIZE, SIZE), (count // STEP, SIZE), (count // STEP, SIZE, SIZE)]
        if [column.shape for column in (*rows, mean, cov, saved_mean, saved_cov)] != shapes:
            raise TrackError("read the track", cause="its columns do not fit together")
        track = cls()
        track._write(0, trusted(*rows))
        track._mean, track._cov, track._ran = mean, cov, count
        track._saved_mean[: len(saved_mean)], track._saved_cov[: len(saved_cov)] = saved_mean, saved_cov
        return track

    def __deepcopy__(self, memo: dict[int, Any]) -> TrackFilter:
        return self.copy()

    def _need_rows(self) -> None:
        if self._size == 0:
            raise TrackError("estimate the track", cause="it has no measurement yet")

    def _track(self, count: int, mean: Floats, cov: Floats) -> Tracks:
        times = self._columns[0]
        last = times[count - 1 : count].copy()
        return Tracks(last.copy(), mean[None], cov[None], np.array([count], np.int64), times[:1].copy(), last)

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
            kept = len(self._saved_mean)
            saved_mean, saved_cov = np.zeros((have // STEP, SIZE)), np.zeros((have // STEP, SIZE, SIZE))
            saved_mean[:kept], saved_cov[:kept] = self._saved_mean, self._saved_cov
            self._saved_mean, self._saved_cov = saved_mean, saved_cov
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

    def _state(self, base: int) -> tuple[Floats, Floats]:
        """A copy of the state after `base` times STEP rows."""
        if base == 0:
            return np.zeros(SIZE), np.zeros((SIZE, SIZE))
        return self._saved_mean[base - 1].copy(), self._saved_cov[base - 1].copy()

    def _run(self, start: int) -> None:
        """Brings the estimate up to the last row; rows before `start` are as they were at the last run."""
        appended = start > 0 and start == self._ran
        if appended:
            mean, cov = self._mean, self._cov
        else:
            start = start // STEP * STEP
            mean, cov = self._state(start // STEP)
        self._filter(start, self._size, mean, cov, self._saved_mean, self._saved_cov)
        self._mean, self._cov, self._ran = mean, cov, self._size

    def _filter(
        self, start: int, stop: int, mean: Floats, cov: Floats, saved_mean: Floats, saved_cov: Floats
    ) -> None:
        kernels.filter_rows(kernel_rows(self._columns), PRIOR, start, stop, mean, cov, saved_mean, saved_cov)


def estimate(rows: Measurements) -> Tracks:
    """The one track of all these rows, which belong to one object; their order does not matter.

    Raises TrackError for no rows.
    """
    track = TrackFilter()
    track.add(rows)
    return track.tracks


_NAMES = ("time_ns", "model", "site_m", "value", "sigma", "clock_sigma_s", "rate", "bias_sigma")
_KINDS = (np.int64, np.int8, *6 * (np.float64,), *4 * (np.float64,))

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
