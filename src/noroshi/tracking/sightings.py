"""Which rows of an infrared sensor show objects that radars follow, the sensor being off by one offset in all of them.

    shown = shifted_sightings(rows, arcs)       # for each arc the rows that show it; empty where that cannot be told

Rules: one offset has to fit all objects at once, so that rows of a neighbour are not taken for an object's; an offset
that most of an object's scans do not have is none. Purpose: finding the sensor's bias, never association for a track.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.tracking.measurements import Measurements
from noroshi.tracking.own_arcs import MIN_ROWS, OwnArc
from noroshi.tracking.tracklets import lines

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WIDEST_RAD = 3e-3
"""An infrared sensor that is off by more sees, from a high orbit, objects a hundred kilometres on in the place of
these."""
CELL_RAD = 3e-4
"""Rows of one offset lie so near each other: a second of clock, and a radar arc that is itself off by kilometres."""
CELL_SIGMAS = 6.0
LEAST_SHARE = 0.5
"""Of the scans in an object's time that must show it at the offset."""
BEYOND_S = 30.0
"""Before and after a radar's rows its arc still says where the object was."""
MOST_ROWS = 20_000
"""Rows near one object that are looked at; with more false alarms than that nothing is told from them."""


def shifted_sightings(rows: Measurements, arcs: Sequence[OwnArc]) -> list[Ints]:
    """For each arc the indices of the rows that show it. rows: of one infrared sensor, in order of time."""
    from scipy.spatial import cKDTree  # loads in a tenth of a second, and few need it

    near = [_near(rows, arc) for arc in arcs]
    offsets = np.concatenate([np.zeros((0, 2)), *(off for _, off in near)])
    if not len(offsets):
        return [at for at, _ in near]
    cell = max(CELL_RAD, CELL_SIGMAS * float(rows.sigma[:, 1:].max()))
    crowd = cKDTree(offsets).query_ball_point(offsets, cell, return_length=True)
    around = offsets[int(np.argmax(crowd))]
    middle = offsets[np.linalg.norm(offsets - around, axis=1) < cell].mean(axis=0)
    found = []
    for arc, (at, off) in zip(arcs, near, strict=True):
        mine = at[np.linalg.norm(off - middle, axis=1) < cell]
        first, last = np.searchsorted(rows.time_ns, [arc.from_ns, arc.to_ns])
        scans = len(np.unique(rows.time_ns[first:last]))
        seen = len(np.unique(rows.time_ns[mine]))
        found.append(mine if seen >= max(MIN_ROWS, LEAST_SHARE * scans) else mine[:0])
    return found


def _near(rows: Measurements, arc: OwnArc) -> tuple[Ints, Floats]:
    """Rows within `WIDEST_RAD` of where the arc is seen, and by how much each lies beside it, azimuth along the sky."""
    beyond_ns = round(BEYOND_S * NS_PER_S)
    first, last = np.searchsorted(rows.time_ns, [arc.from_ns - beyond_ns, arc.to_ns + beyond_ns])
    if not 0 < last - first <= MOST_ROWS:
        return np.zeros(0, np.int64), np.zeros((0, 2))
    part = rows[first:last]
    off = lines(part, arc.mean, arc.at_ns).residual[:, 1:3].copy()
    off[:, 0] *= np.cos(part.value[:, 2])
    near = np.flatnonzero(np.linalg.norm(off, axis=1) < WIDEST_RAD)
    return near + first, off[near]
