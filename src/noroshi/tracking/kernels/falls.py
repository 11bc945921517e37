"""Falls and ground tracks: sigma points of a state followed to the surface."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.matrices import cholesky
from noroshi.tracking.kernels.motion import E2, MEAN_M, advance, fall, geodetic, height
from noroshi.tracking.kernels.states import OUTER, SPREAD

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

UNIFORM_SPREAD = math.sqrt(9 / 5)
"""Nodes for the log ballistic coefficient: three-point Gauss-Legendre, in standard deviations; outer weights 5/18."""
UNIFORM_OUTER = 5 / 18
DRAG_WIDENING = 1.06
"""What drag adds to the covariance is made larger by this: an ellipse of its exact size holds a little less than 90 %
of a density with such sharp ends (measured, see the manual)."""
BENT_MPS = 1500.0
"""What the motion adds is made larger by 1 + (velocity sigma / this) squared: so much do thirteen points miss of how the
way from a young state to its fall is bent (measured, see the manual). Nothing after some seconds."""
POINTS = 16
"""Of a prediction: the centre, twelve for the motion, two for the coefficient, one without drag."""


@compiled
def spread_points(mean: Floats, cov: Floats, points: Floats) -> None:
    """Sixteen points (16, 7) for a prediction: 0 centre, 1..12 the motion, 13 and 14 the log coefficient, 15 no drag.

    The coefficient goes first, so that its axis carries what it is correlated with, and at the nodes of a uniform
    density (Gauss-Legendre), since that is what it has until drag has been seen.
    """
    low = np.empty((6, 6))
    block = np.empty((6, 6))
    variance = max(cov[6, 6], 1e-12)
    for i in range(6):
        for j in range(6):
            block[i, j] = cov[i, j] - cov[i, 6] * cov[j, 6] / variance
    cholesky(block, low, 6)
    for k in range(POINTS):
        points[k] = mean
    for axis in range(6):
        for i in range(6):
            points[1 + 2 * axis, i] += SPREAD * low[i, axis]
            points[2 + 2 * axis, i] -= SPREAD * low[i, axis]
    step = UNIFORM_SPREAD * math.sqrt(variance)
    for side in range(2):
        f = step if side == 0 else -step
        for i in range(6):
            points[13 + side, i] += f * cov[i, 6] / variance
        points[13 + side, 6] += f
    points[15, 6] = math.inf


@compiled
def bend(cov: Floats) -> float:
    """Factor on what the motion adds, for what its points miss."""
    factor: float = 1 + (cov[3, 3] + cov[4, 4] + cov[5, 5]) / (BENT_MPS * BENT_MPS)
    return factor


@compiled
def moments(d: Floats, size: int, share: float, stretch: float, shift: Floats, cov: Floats) -> None:
    """Mean shift (size,) and covariance of differences d (15, size) from the centre.

    Six axes of motion with two points each, then the coefficient: its two nodes and, with the weight `share`, no drag.
    stretch: factor on what the motion adds.
    """
    side = UNIFORM_OUTER * (1 - share)
    for i in range(size):
        shift[i] = side * (d[12, i] + d[13, i]) + share * d[14, i]
    for i in range(size):
        for j in range(size):
            spread = side * (d[12, i] * d[12, j] + d[13, i] * d[13, j]) + share * d[14, i] * d[14, j]
            cov[i, j] = DRAG_WIDENING * (spread - shift[i] * shift[j])
    for axis in range(6):
        a, b = d[2 * axis], d[2 * axis + 1]
        for i in range(size):
            for j in range(size):
                spread = OUTER * (a[i] * a[j] + b[i] * b[j])
                cov[i, j] += stretch * (spread - OUTER * OUTER * (a[i] + b[i]) * (a[j] + b[j]))
    for axis in range(6):
        for i in range(size):
            shift[i] += OUTER * (d[2 * axis, i] + d[2 * axis + 1, i])


@compiled
def surface_frame(x: float, y: float, z: float, rot: Floats) -> None:
    """East, north, up at the surface point below or at an ECEF position."""
    lat, lon, _ = geodetic(x, y, z)
    sa, ca, so, co = math.sin(lat), math.cos(lat), math.sin(lon), math.cos(lon)
    rot[0, 0], rot[0, 1], rot[0, 2] = -so, co, 0.0
    rot[1, 0], rot[1, 1], rot[1, 2] = -sa * co, -sa * so, ca
    rot[2, 0], rot[2, 1], rot[2, 2] = ca * co, ca * so, sa


@compiled
def offset(dx: float, dy: float, dz: float, rot: Floats) -> tuple[float, float]:
    """East and north distance along the ground of a surface point seen as a chord from another (both on the surface)."""
    e = rot[0, 0] * dx + rot[0, 1] * dy + rot[0, 2] * dz
    n = rot[1, 0] * dx + rot[1, 1] * dy + rot[1, 2] * dz
    flat = math.sqrt(e * e + n * n)
    if flat == 0:
        return 0.0, 0.0
    chord = math.sqrt(dx * dx + dy * dy + dz * dz)
    arc = 2 * MEAN_M * math.asin(min(1.0, chord / (2 * MEAN_M)))
    return e * arc / flat, n * arc / flat


@compiled
def displaced(x: float, y: float, z: float, east: float, north: float, rot: Floats) -> tuple[float, float]:
    """Latitude and longitude of the surface point at an east and north ground distance: the inverse of `offset`."""
    arc = math.sqrt(east * east + north * north)
    if arc > 0:
        chord = 2 * MEAN_M * math.sin(arc / (2 * MEAN_M))
        flat, up = chord * math.cos(arc / (2 * MEAN_M)), -chord * math.sin(arc / (2 * MEAN_M))
        e, n = east * flat / arc, north * flat / arc
        x += rot[0, 0] * e + rot[1, 0] * n + rot[2, 0] * up
        y += rot[0, 1] * e + rot[1, 1] * n + rot[2, 1] * up
        z += rot[0, 2] * e + rot[1, 2] * n + rot[2, 2] * up
    return math.atan2(z, (1 - E2) * math.sqrt(x * x + y * y)), math.atan2(y, x)


@compiled
def fall_rows(mean: Floats, cov: Floats, share: Floats, place: Floats, spread: Floats, valid: Bools) -> None:
    """Predicted fall of every state: place (n, 3) lat, lon rad, seconds; spread (n, 3, 3) east m, north m, time s.

    share (n,): weight of falling without drag.
    """
    points = np.empty((POINTS, 7))
    d = np.empty((POINTS - 1, 3))
    shift = np.empty(3)
    rot = np.empty((3, 3))
    for i in range(mean.shape[0]):
        spread_points(mean[i], cov[i], points)
        cx, cy, cz, ct = 0.0, 0.0, 0.0, -1.0
        ok = True
        d[:, :] = 0.0
        for k in range(POINTS if share[i] > 0 else POINTS - 1):
            p = points[k]
            x, y, z, t = fall(p[0], p[1], p[2], p[3], p[4], p[5], math.exp(-p[6]))
            if t < 0:
                ok = False
                break
            if k == 0:
                cx, cy, cz, ct = x, y, z, t
                surface_frame(x, y, z, rot)
            else:
                d[k - 1, 0], d[k - 1, 1] = offset(x - cx, y - cy, z - cz, rot)
                d[k - 1, 2] = t - ct
        valid[i] = ok
        place[i] = 0.0
        spread[i] = 0.0
        if ok:
            moments(d, 3, share[i], bend(cov[i]), shift, spread[i])
            place[i, 0], place[i, 1] = displaced(cx, cy, cz, shift[0], shift[1], rot)
            place[i, 2] = ct + shift[2]


@compiled
def ground_row(mean: Floats, cov: Floats, share: float, step_s: float, count: int, out: Floats) -> None:
    """Future ground track of one state at 0, step, 2 step, ...: out (count, 7).

    share: weight of falling without drag. Columns: latitude, longitude rad, height m, along-track and cross-track
    sigma m on the ground, ground speed m/s, course rad. Points that have fallen stay where they fell.
    """
    points = np.empty((POINTS, 7))
    spread_points(mean, cov, points)
    stretch = bend(cov)
    fallen = np.zeros(POINTS)
    d = np.empty((POINTS - 1, 2))
    shift, block = np.empty(2), np.empty((2, 2))
    rot = np.empty((3, 3))
    for k in range(count):
        if k > 0:
            for m in range(POINTS):
                if fallen[m] == 0:
                    p = points[m]
                    x, y, z, u, v, w = advance(p[0], p[1], p[2], p[3], p[4], p[5], step_s, math.exp(-p[6]))
                    if x * u + y * v + z * w < 0 and height(x, y, z) < 0:
                        x, y, z, _ = fall(p[0], p[1], p[2], p[3], p[4], p[5], math.exp(-p[6]))
                        fallen[m] = 1.0
                    p[0], p[1], p[2], p[3], p[4], p[5] = x, y, z, u, v, w
        c = points[0]
        lat, lon, h = geodetic(c[0], c[1], c[2])
        surface_frame(c[0], c[1], c[2], rot)
        scale = MEAN_M / math.sqrt(c[0] * c[0] + c[1] * c[1] + c[2] * c[2])
        for m in range(1, POINTS):
            p = points[m]
            own = MEAN_M / math.sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2])
            d[m - 1, 0], d[m - 1, 1] = offset(
                p[0] * own - c[0] * scale, p[1] * own - c[1] * scale, p[2] * own - c[2] * scale, rot
            )
        moments(d, 2, share, stretch, shift, block)
        ve = rot[0, 0] * c[3] + rot[0, 1] * c[4] + rot[0, 2] * c[5]
        vn = rot[1, 0] * c[3] + rot[1, 1] * c[4] + rot[1, 2] * c[5]
        speed = math.sqrt(ve * ve + vn * vn)
        se, sn = (ve / speed, vn / speed) if speed > 1.0 else (0.0, 1.0)
        along = se * se * block[0, 0] + 2 * se * sn * block[0, 1] + sn * sn * block[1, 1]
        cross = sn * sn * block[0, 0] - 2 * se * sn * block[0, 1] + se * se * block[1, 1]
        out[k, 0], out[k, 1], out[k, 2] = lat, lon, h
        out[k, 3], out[k, 4] = math.sqrt(max(along, 0.0)), math.sqrt(max(cross, 0.0))
        out[k, 5], out[k, 6] = speed * scale, math.atan2(se, sn)
