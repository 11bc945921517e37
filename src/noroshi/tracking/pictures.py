"""What is held of many objects at a time, in columns: hypotheses, objects, and the chains of rows behind them.

A *leaf* is one hypothesis about one object: a set of rows and the estimate from them. A *tree* holds the leaves of one
object. A picture never changes, so that an earlier one can be gone back to; `hypotheses.step` makes the next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking import kernels
from noroshi.tracking.existence import Watch
from noroshi.tracking.measurements import Measurements
from noroshi.tracking.tracks import SIZE, Tracks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Table = TypeVar("Table", "Leaves", "Trees")

WINDOW = 5
"""Decisions that stay open: about two seconds of three radars at 1 Hz."""
EMPTY = -2
"""A place of the window where nothing was decided yet."""
MOST_EVIDENCE = math.log(1e6)
"""Log odds of existence count no further, so that something lost is given up after some eight misses."""
KNOWN_ROWS = 20
"""A track with fewer rows is doubted where a sensor of unknown coverage does not see it: with half as many, tracks mixed
of two close objects' rows flew out of what the sensors were known to see, and lived on there."""


@dataclass(frozen=True, eq=False)
class Leaves:
    """Hypotheses in columns, those of a tree one after the other, trees in order.

    tree (n,) index; mean, covariance, time_ns: after the last row; psd (n,): acceleration noise m^2/s^3 expected until
    the next; score: log likelihood ratio of all decisions; evidence: log odds of existence; doubt: how much more
    its hits and misses look like those of one of two tracks on one object; strain: cumulated sum of how badly free fall
    fits its rows; window (n, WINDOW): serial numbers of the rows of the last decisions; node: its rows, as the last link
    of a chain; rows: how many.
    """

    tree: Ints
    mean: Floats
    covariance: Floats
    time_ns: Ints
    psd: Floats
    score: Floats
    evidence: Floats
    doubt: Floats
    strain: Floats
    window: Ints
    node: Ints
    rows: Ints


@dataclass(frozen=True, eq=False)
class Trees:
    """One row per object: id, the serial number of its first row; sensor of that row and its time; evidence that one
    row gave; confirmed, and when (0: not yet); lead: its leading leaf; held: whether that is in the best set.
    """

    id: Ints
    sensor: Ints
    first_ns: Ints
    begun: Floats
    confirmed_ns: Ints
    lead: Ints
    held: Bools


@dataclass(frozen=True, eq=False)
class Ended:
    """A confirmed object that is followed no longer: why ("fell", "lost", or "double": it was no object of its own), and
    its leading leaf then.
    """

    id: int
    reason: str
    node: int
    rows: int
    evidence: float
    confirmed_ns: int
    ended_ns: int


@dataclass(frozen=True, eq=False)
class Scan:
    """Rows of one sensor at one instant, with their serial numbers."""

    rows: Measurements
    sensor: int
    serial: Ints


@dataclass(frozen=True, eq=False)
class Picture:
    """All that is held at a time: leaves, trees, what has ended, what was learned of the sensors, infrared rows that
    wait for another sensor's, and what was left out.
    """

    leaves: Leaves
    trees: Trees
    ended: tuple[Ended, ...]
    watch: tuple[Watch, ...]
    waiting: tuple[Scan, ...] = ()
    pruned: int = 0
    crowded_out: int = 0


class Chains:
    """The rows of all leaves: links (link before, serial number). Links are only added, so that pictures share them."""

    def __init__(self) -> None:
        self._before = np.zeros(1024, np.int64)
        self._serial = np.zeros(1024, np.int64)
        self._size = 0

    def add(self, before: Ints, serial: Ints) -> Ints:
        """New links; gives their numbers."""
        start, stop = self._size, self._size + len(before)
        while stop > len(self._before):
            self._before = np.concatenate((self._before, np.zeros_like(self._before)))
            self._serial = np.concatenate((self._serial, np.zeros_like(self._serial)))
        self._before[start:stop], self._serial[start:stop] = before, serial
        self._size = stop
        return np.arange(start, stop)

    def last(self, node: Ints) -> Ints:
        """The last serial number of each chain, -1 where it has none."""
        return np.where(node >= 0, self._serial[node], -1)

    def used(self, node: Ints) -> Ints:
        """Serial numbers in any of these chains, ascending."""
        found, at = np.zeros(self._size, np.bool_), node[node >= 0]
        while len(at):
            found[at] = True
            at = np.unique(self._before[at])
            at = at[(at >= 0)]
            at = at[~found[at]]
        return np.unique(self._serial[: self._size][found])

    def rows(self, node: int) -> Ints:
        """Serial numbers of a chain, oldest first."""
        found, before, serial = [], self._before, self._serial
        while node >= 0:
            found.append(serial[node])
            node = int(before[node])
        return np.array(found[::-1], np.int64)


def no_picture(watch: tuple[Watch, ...]) -> Picture:
    """Nothing is held yet."""
    none, none_f = np.zeros(0, np.int64), np.zeros(0)
    leaves = Leaves(
        none, np.zeros((0, SIZE)), np.zeros((0, SIZE, SIZE)), none, none_f, none_f, none_f, none_f, none_f,
        np.zeros((0, WINDOW), np.int64), none, none,
    )  # fmt: skip
    return Picture(leaves, Trees(none, none, none, none_f, none, none, none > 0), (), watch)


def known_picture(watch: tuple[Watch, ...], known: Tracks, name: Ints) -> Picture:
    """Objects that are known from elsewhere, as confirmed; they have no rows yet. name: their ids, ascending."""
    count = len(known)
    empty = np.full((count, WINDOW), EMPTY, np.int64)
    zero, at = np.zeros(count), np.arange(count)
    leaves = Leaves(
        at, known.mean.copy(), known.covariance.copy(), known.time_ns.copy(), np.full(count, kernels.ACCELERATION_PSD),
        zero, np.full(count, MOST_EVIDENCE), zero, zero, empty, np.full(count, -1), np.full(count, KNOWN_ROWS),
    )  # fmt: skip
    trees = Trees(
        name,
        np.zeros(count, np.int64),
        known.first_observed_ns.copy(),
        zero,
        known.time_ns.copy(),
        at,
        at >= 0,
    )
    return Picture(leaves, trees, (), watch)


def added(table: Table, columns: tuple[NDArray[Any], ...], kind: type[Table]) -> Table:
    """The columns of a table with more rows at the end."""
    names = [field.name for field in fields(kind)]
    return kind(*(np.concatenate((getattr(table, n), c)) for n, c in zip(names, columns, strict=True)))
