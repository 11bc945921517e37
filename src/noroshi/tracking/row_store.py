"""Rows by serial number, in the order in which they came; what no track can use any more is let go.

store = RowStore()
serial = store.add(rows, sensor)
store.take(serial)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.measurements import Measurements, concatenate, no_measurements

Ints = NDArray[np.int64]


class RowStore:
    """Guards: rows in pieces as they came, joined when asked for; serial numbers are never used again."""

    def __init__(self) -> None:
        self._next = 0
        self._serial: list[Ints] = []
        self._sensor: list[Ints] = []
        self._rows: list[Measurements] = []

    def add(self, rows: Measurements, sensor: Ints) -> Ints:
        """Takes rows; their serial numbers."""
        serial = np.arange(self._next, self._next + len(rows))
        self._next += len(rows)
        self._serial.append(serial)
        self._sensor.append(sensor)
        self._rows.append(rows)
        return serial

    def reserve(self, count: int) -> Ints:
        """Serial numbers that no row will have."""
        self._next += count
        return np.arange(self._next - count, self._next)

    @property
    def held(self) -> int:
        """How many rows are held."""
        return sum(len(piece) for piece in self._serial)

    def take(self, serial: Ints) -> Measurements:
        """The rows of these numbers, in this order; they must be held."""
        self._join()
        return self._rows[0][np.searchsorted(self._serial[0], serial)] if len(serial) else no_measurements()

    def sensor(self, serial: Ints) -> Ints:
        """The sensors of these rows."""
        self._join()
        return self._sensor[0][np.searchsorted(self._serial[0], serial)]

    def keep(self, serial: Ints) -> None:
        """Lets all other rows go. serial: ascending."""
        self._join()
        at = np.searchsorted(self._serial[0], serial)
        self._serial, self._sensor = [serial.copy()], [self._sensor[0][at]]
        self._rows = [self._rows[0][at]]

    def _join(self) -> None:
        if len(self._serial) != 1:
            self._rows = [concatenate(self._rows)]
            self._serial = [np.concatenate((np.zeros(0, np.int64), *self._serial))]
            self._sensor = [np.concatenate((np.zeros(0, np.int64), *self._sensor))]
