"""New objects: a tree from every row that fits none, or from two infrared rows whose lines cross."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.geo.frames import ecef_to_geodetic
from noroshi.tracking import kernels
from noroshi.tracking.crossing import cross
from noroshi.tracking.existence import Watch, alarms_a_scan
from noroshi.tracking.filtering import PRIOR
from noroshi.tracking.pictures import EMPTY, WINDOW, Chains, Leaves, Scan, Trees, added
from noroshi.tracking.tracks import SIZE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEW_A_SCAN = 0.05
"""Objects that a sensor meets for the first time, mean number in a scan: one in six seconds of three radars at 1 Hz."""
NEAR_M = 50e3
"""A new object this close to a confirmed one may move like it: pieces that part, objects of one raid."""
NEAR_MPS = 200.0
"""How differently it may move, sigma an axis."""
POWERED_PSD = 2500.0
"""Acceleration noise, m^2/s^3, while free fall does not fit: 50 m/s in the first second, as under five times gravity."""
POWERED_BELOW_M = 80e3
"""What is first seen lower may be under power."""
PAIR_S = 2.0
"""How long an infrared row that fits no object waits for another sensor's row that crosses its line."""
MOST_WAITING = 300
"""Infrared rows of one scan that wait, at most: every pair is looked at."""


def plant(
    leaves: Leaves, trees: Trees, scan: Scan, rows: Ints, watch: Watch, chains: Chains
) -> tuple[Leaves, Trees]:
    """A new tree from every one of these rows of the scan."""
    if not len(rows):
        return leaves, trees
    count, begin = len(rows), len(trees.id)
    seed, serial = scan.rows[rows], scan.serial[rows]
    mean, cov = np.zeros((count, SIZE)), np.zeros((count, SIZE, SIZE))
    kernels.begin_rows(seed.rows, PRIOR, mean, cov)
    begun = np.full(count, math.log(NEW_A_SCAN / alarms_a_scan(watch)))
    near, velocity = _neighbours(leaves, trees, mean[:, :3], int(seed.time_ns[0]))
    tree = np.repeat(np.arange(count), 1 + near)
    like = np.flatnonzero(
        np.diff(tree, prepend=-1) == 0
    )  # the second leaf of a tree moves like its neighbour
    mean, cov = mean[tree], cov[tree]
    mean[like, 3:6] = velocity[tree[like]]
    cov[like, 3:6, 3:6] = np.eye(3) * NEAR_MPS**2
    window = np.full((len(tree), WINDOW), EMPTY, np.int64)
    window[:, -1] = serial[tree]
    node, none = chains.add(np.full(count, -1), serial), np.zeros(len(tree))
    high = ecef_to_geodetic(mean[:, :3])[2]
    psd = np.where(high < POWERED_BELOW_M, POWERED_PSD, kernels.ACCELERATION_PSD)
    new_leaves = (
        begin + tree, mean, cov, seed.time_ns[tree], psd,
        (begun - np.log(1.0 + near))[tree], begun[tree], none, none, window, node[tree],
        np.ones(len(tree), np.int64),
    )  # fmt: skip
    lead = len(leaves.tree) + np.flatnonzero(np.diff(tree, prepend=-1))
    new_trees = (
        serial,
        np.full(count, scan.sensor),
        seed.time_ns,
        begun,
        np.zeros(count, np.int64),
        lead,
        np.ones(count, np.bool_),
    )
    return added(leaves, new_leaves, Leaves), added(trees, new_trees, Trees)


def plant_crossings(
    leaves: Leaves,
    trees: Trees,
    scan: Scan,
    rows: Ints,
    watch: Watch,
    chains: Chains,
    waiting: tuple[Scan, ...],
) -> tuple[Leaves, Trees, tuple[Scan, ...]]:
    """A new tree where the line of one of these rows crosses that of a row that waits; the others wait too."""
    now_ns = int(scan.rows.time_ns[0])
    waiting = tuple(one for one in waiting if now_ns - int(one.rows.time_ns[0]) <= PAIR_S * NS_PER_S)
    for k, one in enumerate(waiting):
        if one.sensor == scan.sensor or not len(rows):
            continue
        pairs = cross(scan.rows[rows], one.rows)
        count, begin = len(pairs.new), len(trees.id)
        if not count:
            continue
        serial, before = scan.serial[rows[pairs.new]], one.serial[pairs.old]
        window = np.full((count, WINDOW), EMPTY, np.int64)
        window[:, -2], window[:, -1] = before, serial
        node = chains.add(chains.add(np.full(count, -1), before), serial)
        begun = np.full(count, math.log(NEW_A_SCAN / alarms_a_scan(watch)))
        at, zero = np.full(count, now_ns), np.zeros(count)
        new_leaves = (
            begin + np.arange(count), pairs.mean, pairs.covariance, at, np.full(count, POWERED_PSD), begun, begun,
            zero, zero, window, node, np.full(count, 2),
        )  # fmt: skip
        lead = len(leaves.tree) + np.arange(count)
        new_trees = (
            serial,
            np.full(count, scan.sensor),
            at,
            begun,
            np.zeros(count, np.int64),
            lead,
            lead >= 0,
        )
        leaves, trees = added(leaves, new_leaves, Leaves), added(trees, new_trees, Trees)
        left = np.setdiff1d(np.arange(len(one.serial)), pairs.old)
        waiting = (*waiting[:k], Scan(one.rows[left], one.sensor, one.serial[left]), *waiting[k + 1 :])
        rows = np.delete(rows, pairs.new)
    kept = rows[:MOST_WAITING]
    stay = (*waiting, Scan(scan.rows[kept], scan.sensor, scan.serial[kept]))
    return leaves, trees, tuple(one for one in stay if len(one.serial))


def _neighbours(leaves: Leaves, trees: Trees, place: Floats, now_ns: int) -> tuple[Bools, Floats]:
    """Whether a confirmed object is near each place (m, 3), and the velocity of the nearest."""
    lead = trees.lead[trees.confirmed_ns > 0]
    velocity = leaves.mean[lead, 3:6]
    if not len(lead):
        return np.zeros(len(place), np.bool_), np.zeros((len(place), 3))
    since_s = (now_ns - leaves.time_ns[lead]) / NS_PER_S
    there = leaves.mean[lead, :3] + velocity * since_s[:, None]
    gap = np.sqrt(((place[:, None, :] - there[None]) ** 2).sum(axis=2))
    nearest = gap.argmin(axis=1)
    return gap[np.arange(len(place)), nearest] < NEAR_M, velocity[nearest]
