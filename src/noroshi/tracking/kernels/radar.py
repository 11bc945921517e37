"""Sensors: a row seen from its sensor, the position it gives, and the update of a state with it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.matrices import cholesky, solve
from noroshi.tracking.kernels.motion import geodetic
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.states import OUTER, SPREAD

Floats = NDArray[np.float64]

REPEAT_ABOVE = 1e-4
"""The update is linearised again about its own result when curvature exceeds this share of the noise variance."""
PASSES = 3


@compiled
def site_frame(site: Floats, rot: Floats) -> None:
    """Rows of `rot`: east, north, up at the sensor, on the ellipsoid normal."""
    lat, lon, _ = geodetic(site[0], site[1], site[2])
    sa, ca, so, co = math.sin(lat), math.cos(lat), math.sin(lon), math.cos(lon)
    rot[0, 0], rot[0, 1], rot[0, 2] = -so, co, 0.0
    rot[1, 0], rot[1, 1], rot[1, 2] = -sa * co, -sa * so, ca
    rot[2, 0], rot[2, 1], rot[2, 2] = ca * co, ca * so, sa


@compiled
def look(x: float, y: float, z: float, site: Floats, rot: Floats) -> tuple[float, float, float]:
    """Range m, azimuth rad clockwise from north, elevation rad of an ECEF position."""
    dx, dy, dz = x - site[0], y - site[1], z - site[2]
    e = rot[0, 0] * dx + rot[0, 1] * dy + rot[0, 2] * dz
    n = rot[1, 0] * dx + rot[1, 1] * dy + rot[1, 2] * dz
    u = rot[2, 0] * dx + rot[2, 1] * dy + rot[2, 2] * dz
    return math.sqrt(e * e + n * n + u * u), math.atan2(e, n), math.atan2(u, math.sqrt(e * e + n * n))


@compiled
def wrap(angle: float) -> float:
    """The same angle in (-pi, pi]."""
    return angle - 2 * math.pi * math.ceil((angle - math.pi) / (2 * math.pi))


@compiled
def place(r: float, az: float, el: float, site: Floats, rot: Floats) -> tuple[float, float, float]:
    """ECEF position of a radar's range, azimuth, elevation."""
    e, n, u = r * math.cos(el) * math.sin(az), r * math.cos(el) * math.cos(az), r * math.sin(el)
    return (
        site[0] + rot[0, 0] * e + rot[1, 0] * n + rot[2, 0] * u,
        site[1] + rot[0, 1] * e + rot[1, 1] * n + rot[2, 1] * u,
        site[2] + rot[0, 2] * e + rot[1, 2] * n + rot[2, 2] * u,
    )


@compiled
def place_row(site: Floats, value: Floats, sigma: Floats, position: Floats, cov: Floats) -> None:
    """Mean position (3,) and covariance (3, 3) given one radar row, right to second order (sigma points over r, az, el).

    Converted measurements and their bias: Lerro and Bar-Shalom 1993.
    """
    rot = np.empty((3, 3))
    site_frame(site, rot)
    cx, cy, cz = place(value[0], value[1], value[2], site, rot)
    position[0], position[1], position[2] = cx, cy, cz
    cov[:, :] = 0.0
    plus, minus, middle = np.empty(3), np.empty(3), np.empty(3)
    for axis in range(3):
        for side in range(2):
            f = (SPREAD if side == 0 else -SPREAD) * sigma[axis]
            p = place(
                value[0] + (f if axis == 0 else 0.0),
                value[1] + (f if axis == 1 else 0.0),
                value[2] + (f if axis == 2 else 0.0),
                site,
                rot,
            )
            d = plus if side == 0 else minus
            d[0], d[1], d[2] = p[0] - cx, p[1] - cy, p[2] - cz
        for i in range(3):
            middle[i] = OUTER * (plus[i] + minus[i])
            position[i] += middle[i]
        for i in range(3):
            for j in range(3):
                cov[i, j] += OUTER * (plus[i] * plus[j] + minus[i] * minus[j]) - middle[i] * middle[j]


@compiled
def begin_state(rows: Rows, k: int, prior: Floats, mean: Floats, cov: Floats) -> None:
    """State from a single radar row. prior: velocity sigma m/s, mean and sigma of the log coefficient."""
    block = np.empty((3, 3))
    position = np.empty(3)
    place_row(rows.site_m[k], rows.value[k], rows.sigma[k], position, block)
    clock_s = rows.clock_s[k]
    mean[:] = 0.0
    cov[:, :] = 0.0
    for i in range(3):
        mean[i] = position[i]
        for j in range(3):
            cov[i, j] = block[i, j]
        cov[i, i] += (prior[0] * clock_s) ** 2
        cov[i + 3, i + 3] = prior[0] ** 2
    mean[6] = prior[1]
    cov[6, 6] = prior[2] ** 2


@compiled
def linearise(
    centre: Floats,
    block: Floats,
    value: Floats,
    site: Floats,
    rot: Floats,
    a: Floats,
    zero: Floats,
    r: Floats,
) -> None:
    """Statistical linearisation of the radar about a position density, `value - radar(p) ~ zero - a (p - centre)`.

    a (3, 3), zero (3,): expected innovation at the centre, azimuth wrapped; r (3, 3): covariance of what the line
    misses. Sigma-point form: Arasaratnam and Haykin 2009; as regression: Garcia-Fernandez et al. 2015, section III.
    """
    low = np.empty((3, 3))
    cholesky(block, low, 3)
    zc = look(centre[0], centre[1], centre[2], site, rot)
    slope = np.empty((3, 3))
    plus, minus = np.empty((3, 3)), np.empty((3, 3))
    mid = np.zeros(3)
    for axis in range(3):
        for side in range(2):
            f = SPREAD if side == 0 else -SPREAD
            p = look(
                centre[0] + f * low[0, axis],
                centre[1] + f * low[1, axis],
                centre[2] + f * low[2, axis],
                site,
                rot,
            )
            d = plus if side == 0 else minus
            d[axis, 0] = p[0] - zc[0]
            d[axis, 1] = wrap(p[1] - zc[1])
            d[axis, 2] = p[2] - zc[2]
        for i in range(3):
            slope[i, axis] = (plus[axis, i] - minus[axis, i]) / (2 * SPREAD)
            mid[i] += OUTER * (plus[axis, i] + minus[axis, i])
    zero[0] = value[0] - zc[0] - mid[0]
    zero[1] = wrap(value[1] - zc[1] - mid[1])
    zero[2] = value[2] - zc[2] - mid[2]
    for i in range(3):
        for j in range(3):
            s = 0.0
            for axis in range(3):
                s += OUTER * (
                    (plus[axis, i] - mid[i]) * (plus[axis, j] - mid[j])
                    + (minus[axis, i] - mid[i]) * (minus[axis, j] - mid[j])
                )
                s -= slope[i, axis] * slope[j, axis]
            r[i, j] = s
        for j in range(2, -1, -1):  # a = slope low^-1, row by row
            s = slope[i, j]
            for k in range(j + 1, 3):
                s -= a[i, k] * low[k, j]
            a[i, j] = s / low[j, j]


@compiled
def apply_linear(
    prior_mean: Floats,
    prior_cov: Floats,
    centre: Floats,
    a: Floats,
    zero: Floats,
    r: Floats,
    mean: Floats,
    cov: Floats,
) -> tuple[float, float]:
    """Kalman update with a linear position measurement, Joseph form; squared distance and log det of the innovation."""
    hp = np.empty((3, 7))
    s = np.empty((3, 3))
    low = np.empty((3, 3))
    nu = np.empty(3)
    for i in range(3):
        for j in range(7):
            hp[i, j] = a[i, 0] * prior_cov[0, j] + a[i, 1] * prior_cov[1, j] + a[i, 2] * prior_cov[2, j]
        nu[i] = zero[i] - (
            a[i, 0] * (prior_mean[0] - centre[0])
            + a[i, 1] * (prior_mean[1] - centre[1])
            + a[i, 2] * (prior_mean[2] - centre[2])
        )
    for i in range(3):
        for j in range(3):
            s[i, j] = hp[i, 0] * a[j, 0] + hp[i, 1] * a[j, 1] + hp[i, 2] * a[j, 2] + r[i, j]
    cholesky(s, low, 3)
    gain = np.empty((7, 3))
    column = np.empty(3)
    for j in range(7):
        for i in range(3):
            column[i] = hp[i, j]
        solve(low, column, 3)
        for i in range(3):
            gain[j, i] = column[i]
    left = np.zeros((7, 7))  # I - gain H
    for i in range(7):
        left[i, i] = 1.0
        for j in range(3):
            left[i, j] -= gain[i, 0] * a[0, j] + gain[i, 1] * a[1, j] + gain[i, 2] * a[2, j]
    half = np.empty((7, 7))
    for i in range(7):
        mean[i] = prior_mean[i] + gain[i, 0] * nu[0] + gain[i, 1] * nu[1] + gain[i, 2] * nu[2]
        for j in range(7):
            t = left[i, 0] * prior_cov[0, j] + left[i, 1] * prior_cov[1, j] + left[i, 2] * prior_cov[2, j]
            if i > 2:
                t += prior_cov[i, j]
            half[i, j] = t
    for i in range(7):
        g0 = gain[i, 0] * r[0, 0] + gain[i, 1] * r[1, 0] + gain[i, 2] * r[2, 0]
        g1 = gain[i, 0] * r[0, 1] + gain[i, 1] * r[1, 1] + gain[i, 2] * r[2, 1]
        g2 = gain[i, 0] * r[0, 2] + gain[i, 1] * r[1, 2] + gain[i, 2] * r[2, 2]
        for j in range(i, 7):
            t = half[i, 0] * left[j, 0] + half[i, 1] * left[j, 1] + half[i, 2] * left[j, 2]
            if j > 2:
                t += half[i, j]
            t += g0 * gain[j, 0] + g1 * gain[j, 1] + g2 * gain[j, 2]
            cov[i, j] = t
            cov[j, i] = t
    for i in range(3):
        column[i] = nu[i]
    solve(low, column, 3)
    d2 = nu[0] * column[0] + nu[1] * column[1] + nu[2] * column[2]
    return d2, 2 * (math.log(low[0, 0]) + math.log(low[1, 1]) + math.log(low[2, 2]))


@compiled
def add_noise(mean: Floats, cov: Floats, a: Floats, sigma: Floats, clock_s: float, r: Floats) -> None:
    """Adds sensor noise to r, and what an uncertain clock adds along the velocity: a E[v v^T] a^T clock^2."""
    for i in range(3):
        r[i, i] += sigma[i] * sigma[i]
    if clock_s > 0:
        for i in range(3):
            for j in range(3):
                t = 0.0
                for k in range(3):
                    for m in range(3):
                        t += a[i, k] * a[j, m] * (mean[k + 3] * mean[m + 3] + cov[k + 3, m + 3])
                r[i, j] += t * clock_s * clock_s


@compiled
def update_state(mean: Floats, cov: Floats, rows: Rows, k: int, change: bool) -> tuple[float, float]:
    """Sigma-point update with one radar row, in place; squared innovation distance and log det of its covariance.

    Where the radar is curved across the prior (a young track), the line is laid again about the result: the posterior
    linearisation filter of Garcia-Fernandez, Svensson, Morelande and Sarkka 2015. Without it the first minute of a
    track is overconfident (EKF) or inefficient. With change=False only the distance is found.
    """
    rot = np.empty((3, 3))
    a, r = np.empty((3, 3)), np.empty((3, 3))
    zero, centre = np.empty(3), np.empty(3)
    block = np.empty((3, 3))
    new_mean, new_cov = np.empty(7), np.empty((7, 7))
    site, value, sigma, clock_s = rows.site_m[k], rows.value[k], rows.sigma[k], rows.clock_s[k]
    site_frame(site, rot)
    for i in range(3):
        centre[i] = mean[i]
        for j in range(3):
            block[i, j] = cov[i, j]
    linearise(centre, block, value, site, rot, a, zero, r)
    curved = (
        r[0, 0] > REPEAT_ABOVE * sigma[0] ** 2
        or r[1, 1] > REPEAT_ABOVE * sigma[1] ** 2
        or r[2, 2] > REPEAT_ABOVE * sigma[2] ** 2
    )
    add_noise(mean, cov, a, sigma, clock_s, r)
    d2, logdet = apply_linear(mean, cov, centre, a, zero, r, new_mean, new_cov)
    if not change:
        return d2, logdet
    if curved:
        for _ in range(PASSES - 1):
            for i in range(3):
                centre[i] = new_mean[i]
                for j in range(3):
                    block[i, j] = new_cov[i, j]
            linearise(centre, block, value, site, rot, a, zero, r)
            add_noise(new_mean, new_cov, a, sigma, clock_s, r)
            apply_linear(mean, cov, centre, a, zero, r, new_mean, new_cov)
    mean[:] = new_mean
    cov[:, :] = new_cov
    return d2, logdet


@compiled
def place_rows(rows: Rows, position: Floats, cov: Floats) -> None:
    """`place_row` of every row."""
    for i in range(rows.time_ns.shape[0]):
        place_row(rows.site_m[i], rows.value[i], rows.sigma[i], position[i], cov[i])
