"""Straight lines: rows of one object linearised about one state at one time, in the order of their times."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.motion import advance
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.sensing import look, site_frame, wrap

Floats = NDArray[np.float64]

STEP_M, STEP_MPS, STEP_LN = 100.0, 1.0, 0.02
"""Half widths of the differences: far above rounding, far under the curvature of free fall (1e-9 of a slope)."""

DRIFT_S = 0.5
"""Half width of the difference over time, which gives what a clock that is off does to a row."""


@compiled
def see(state: Floats, site: Floats, rot: Floats, seen: Floats) -> None:
    """Range m, azimuth, elevation rad, range rate m/s of a state."""
    r, az, el = look(state[0], state[1], state[2], site, rot)
    dx, dy, dz = state[0] - site[0], state[1] - site[1], state[2] - site[2]
    seen[0], seen[1], seen[2] = r, az, el
    seen[3] = (dx * state[3] + dy * state[4] + dz * state[5]) / max(r, 1.0)


@compiled
def move(state: Floats, dt: float) -> None:
    """A state dt seconds later, in place."""
    p = advance(state[0], state[1], state[2], state[3], state[4], state[5], dt, math.exp(-state[6]))
    for i in range(6):
        state[i] = p[i]


@compiled
def line_rows(rows: Rows, mean: Floats, at_ns: int, residual: Floats, slope: Floats, drift: Floats) -> None:
    """`value - seen(state) ~ residual - slope (x - mean)` of every row, with `mean` and x states at `at_ns`.

    rows: in order of time. residual (m, 4): range m, azimuth, elevation rad (wrapped), range rate m/s; slope (m, 4, 7);
    drift (m, 4): what is seen one second later less what is seen, per s. Entries that a row does not have are 0.
    """
    points = np.empty((15, 7))
    for n in range(15):
        points[n] = mean
    for i in range(7):
        width = STEP_M if i < 3 else (STEP_MPS if i < 6 else STEP_LN)
        points[1 + 2 * i, i] += width
        points[2 + 2 * i, i] -= width
    rot = np.empty((3, 3))
    near, far, middle, beside = np.empty(4), np.empty(4), np.empty(4), np.empty(7)
    now = at_ns
    for k in range(rows.time_ns.shape[0]):
        dt = (rows.time_ns[k] - now) * 1e-9
        now = rows.time_ns[k]
        if dt != 0:
            for n in range(15):
                move(points[n], dt)
        site = rows.site_m[k]
        site_frame(site, rot)
        see(points[0], site, rot, middle)
        for j in range(3):
            residual[k, j] = rows.value[k, j] - middle[j]
        residual[k, 1] = wrap(residual[k, 1])
        residual[k, 3] = rows.rate[k, 0] - middle[3]
        for i in range(8):
            if i < 7:
                width = 2 * (STEP_M if i < 3 else (STEP_MPS if i < 6 else STEP_LN))
                see(points[1 + 2 * i], site, rot, near)
                see(points[2 + 2 * i], site, rot, far)
            else:
                width = 2 * DRIFT_S
                beside[:] = points[0]
                move(beside, DRIFT_S)
                see(beside, site, rot, near)
                beside[:] = points[0]
                move(beside, -DRIFT_S)
                see(beside, site, rot, far)
            for j in range(4):
                d = near[j] - far[j]
                if j == 1:
                    d = wrap(d)
                if i < 7:
                    slope[k, j, i] = d / width
                else:
                    drift[k, j] = d / width
        for j in range(4):
            there = rows.sigma[k, j] > 0 if j < 3 else rows.rate[k, 1] > 0
            if not there:
                residual[k, j] = 0.0
                drift[k, j] = 0.0
                for i in range(7):
                    slope[k, j, i] = 0.0


@compiled
def carry_state(mean: Floats, dt: float, after: Floats, slope: Floats) -> None:
    """The state dt seconds later (7,), and what it changes by with the state before, (7, 7)."""
    after[:] = mean
    move(after, dt)
    near, far = np.empty(7), np.empty(7)
    for i in range(7):
        width = STEP_M if i < 3 else (STEP_MPS if i < 6 else STEP_LN)
        near[:] = mean
        near[i] += width
        move(near, dt)
        far[:] = mean
        far[i] -= width
        move(far, dt)
        for j in range(7):
            slope[j, i] = (near[j] - far[j]) / (2 * width)
