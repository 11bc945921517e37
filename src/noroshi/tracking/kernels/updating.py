"""The update of a state with one row: range, azimuth, elevation, range rate, or the two angles alone.

Three ways to lay the line through what is curved. EXTENDED: the derivative at the mean. SIGMA_POINT: a regression over
the sigma points of the prior (Arasaratnam and Haykin 2009). ITERATED, which ships: where the sensor is curved across
the prior (a young track), a regression laid again about its own result (posterior linearisation: Garcia-Fernandez,
Svensson, Morelande and Sarkka 2015), in coordinates without a pole; where it is not, the derivative and the second-order
mean, which is what the regression tends to. Without it a track's first minute is overconfident or inefficient.

Each linear row is then absorbed component by component in Joseph form, noise made white first.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.matrices import cholesky
from noroshi.tracking.kernels.motion import MU
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.sensing import (
    AIMED,
    INFRARED,
    NEAREST_M,
    TEXTBOOK,
    aimed_frame,
    aimed_noise,
    level_frame,
    seen,
    slopes,
    upright_again,
    wrap,
)
from noroshi.tracking.kernels.states import OUTER, SPREAD, room

Floats = NDArray[np.float64]

EXTENDED, SIGMA_POINT, ITERATED = 0, 1, 2
CONSIDERED = 4
"""Added to a method: the ballistic coefficient stays as it is, its doubt counted (Schmidt 1966)."""

CURVED_ABOVE = 1e-2
"""A row is curved when its second-order mean exceeds this share of the noise's sigma: 1e-4 of its variance."""
AIM_RAD = 0.1
"""Farther from the measured line than this the derivative of the aimed angles is not trusted."""
WIDE_RAD = 0.02
"""What a regression of angles may miss before something else says first where to lay it: a degree."""
REPEATED = 4.0
"""What a line through a range rate misses comes again in the next rows, since it is the same product of the same errors:
it is counted so many times over. With once, mean normalised errors are 10 % too large for the first ten rows."""
OPEN = 0.25
"""Where the distance is not even afterwards known to this share of itself it is open, as it is until a second sensor
looks across: such angles are left out, for a Gaussian cannot hold what they say.
"""
FLUNG = 16.0
"""Nor are angles used that would throw a track this squared distance from where it was: they are of no one object."""
PASSES = 3
INFRARED_PASSES = 8
"""Angles alone leave a track so long that the line has farther to go to where it is laid about its own result."""

# Rows of the room that an update works in.
FRAME, H, ZERO, R, HP, GAIN, LOW, SLOPE, PLUS, MINUS, MID, SITE, VALUE, VARIANCE = (
    0,
    3,
    7,
    8,
    12,
    13,
    14,
    20,
    24,
    30,
    36,
    37,
    38,
    39,
)
CLOCK = 4
"""Column of row VALUE where the clock's sigma stands, s."""


@compiled
def tabled(rows: Rows, start: int, stop: int) -> Floats:
    """Rows as one table, which costs far less to hand on in a loop than a tuple of columns.

    Per row: site (3), whether it is infrared, range, azimuth, elevation, range rate, their variances (4), clock sigma. A
    bias counts as if it were new in each row.
    """
    table = np.empty((stop - start, 13))
    for k in range(start, stop):
        out = k - start
        for i in range(3):
            table[out, i] = rows.site_m[k, i]
            table[out, 4 + i] = rows.value[k, i]
            table[out, 8 + i] = rows.sigma[k, i] ** 2 + rows.bias[k, i] ** 2
        table[out, 3] = 1.0 if rows.model[k] == INFRARED else 0.0
        table[out, 7], table[out, 11] = rows.rate[k, 0], rows.rate[k, 1] ** 2
        table[out, 12] = rows.clock_s[k]
    return table


@compiled
def lay(table: Floats, k: int, coordinates: int, w: Floats) -> tuple[int, int]:
    """Puts a row into w: FRAME, VALUE and VARIANCE as the coordinates have them, the clock; the first of its
    components range, angle, angle, range rate, and that after the last.
    """
    sa, ca, so, co = upright_again(table[k, 0], table[k, 1], table[k, 2], w, SITE)
    for i in range(4):
        w[VALUE, i], w[VARIANCE, i] = table[k, 4 + i], table[k, 8 + i]
    w[VALUE, CLOCK] = table[k, 12]
    if coordinates == AIMED:
        el = table[k, 6]
        aimed_frame(sa, ca, so, co, table[k, 5], el, w)
        w[VARIANCE, 1], w[VARIANCE, 2], w[VALUE, 2] = aimed_noise(table[k, 9], table[k, 10], el)
        w[VALUE, 1] = 0.0
    else:
        level_frame(sa, ca, so, co, w)
    return 1 if table[k, 3] > 0 else 0, 4 if table[k, 11] > 0 else 3


@compiled
def whiten(w: Floats, first: int, last: int) -> float:
    """Turns rows H and ZERO so that their noise is white with variance 1; log det of what it was."""
    logdet = 0.0
    for i in range(first, last):
        for j in range(first, i + 1):
            s = w[R + i, j]
            for k in range(first, j):
                s -= w[R + i, k] * w[R + j, k]
            if i == j:
                w[R + i, i] = math.sqrt(max(s, 1e-12 * w[R + i, i], 1e-300))
            else:
                w[R + i, j] = s / w[R + j, j]
    for i in range(first, last):
        for k in range(first, i):
            t = w[R + i, k]
            w[ZERO, i] -= t * w[ZERO, k]
            for c in range(6):
                w[H + i, c] -= t * w[H + k, c]
        t = 1 / w[R + i, i]
        logdet -= 2 * math.log(t)
        w[ZERO, i] *= t
        for c in range(6):
            w[H + i, c] *= t
        w[R + i, i] = 1.0
    return logdet


@compiled
def absorb(
    mean: Floats, cov: Floats, w: Floats, first: int, last: int, size: int, full: bool, considered: bool
) -> tuple[float, float]:
    """Kalman update, in place, with the linear rows first..last of w: H over the leading `size` numbers of the state,
    ZERO the innovation at the mean, R its noise (full: not diagonal; it is used up).

    Gives the squared distance and the log det of the innovation. One component after the other, each in Joseph form
    (I - gain h) P (I - gain h)^T + gain r gain^T (Bar-Shalom, Li and Kirubarajan 2001, section 5.2).
    """
    logdet = whiten(w, first, last) if full else 0.0
    d2, scale = 0.0, 1.0
    for i in range(first, last):
        noise = w[R + i, i]
        s = noise
        for j in range(7):
            t = w[H + i, 0] * cov[0, j] + w[H + i, 1] * cov[1, j] + w[H + i, 2] * cov[2, j]
            if size > 3:
                t += w[H + i, 3] * cov[3, j] + w[H + i, 4] * cov[4, j] + w[H + i, 5] * cov[5, j]
            w[HP, j] = t
        for j in range(size):
            s += w[H + i, j] * w[HP, j]
        nu = w[ZERO, i]
        inverse = 1 / s
        d2 += nu * nu * inverse
        scale *= s
        for j in range(7):
            w[GAIN, j] = w[HP, j] * inverse
        if considered:
            w[GAIN, 6] = 0.0
        for a in range(7):
            gain = w[GAIN, a]
            mean[a] += gain * nu
            t = gain * noise
            t -= (cov[a, 0] - gain * w[HP, 0]) * w[H + i, 0]
            t -= (cov[a, 1] - gain * w[HP, 1]) * w[H + i, 1]
            t -= (cov[a, 2] - gain * w[HP, 2]) * w[H + i, 2]
            for b in range(3, size):
                t -= (cov[a, b] - gain * w[HP, b]) * w[H + i, b]
            for b in range(a, 7):
                cov[a, b] += t * w[GAIN, b] - gain * w[HP, b]
        for a in range(1, 7):
            for b in range(a):
                cov[a, b] = cov[b, a]
        for j in range(i + 1, last):
            t = 0.0
            for b in range(size):
                t += w[H + j, b] * w[GAIN, b]
            w[ZERO, j] -= t * nu
    return d2, logdet + math.log(scale)


@compiled
def weigh(cov: Floats, w: Floats, first: int, last: int, size: int) -> tuple[float, float]:
    """What `absorb` gives, without changing the state."""
    for i in range(first, last):
        for j in range(size):
            t = 0.0
            for c in range(size):
                t += w[H + i, c] * cov[c, j]
            w[HP, j] = t
        for j in range(first, i + 1):
            s = w[R + i, j]
            for c in range(size):
                s += w[HP, c] * w[H + j, c]
            for c in range(first, j):
                s -= w[R + i, c] * w[R + j, c]
            w[R + i, j] = math.sqrt(max(s, 1e-12 * w[R + i, i], 1e-300)) if i == j else s / w[R + j, j]
    d2, scale = 0.0, 1.0
    for i in range(first, last):
        s = w[ZERO, i]
        for c in range(first, i):
            s -= w[R + i, c] * w[ZERO, c]
        w[ZERO, i] = s / w[R + i, i]
        d2 += w[ZERO, i] ** 2
        scale *= w[R + i, i]
    return d2, 2 * math.log(scale)


@compiled
def sighted(mean: Floats, w: Floats) -> tuple[float, float, float]:
    """The mean's place along the axes of the frame, from the sensor."""
    dx, dy, dz = mean[0] - w[SITE, 0], mean[1] - w[SITE, 1], mean[2] - w[SITE, 2]
    return (
        w[FRAME, 0] * dx + w[FRAME, 1] * dy + w[FRAME, 2] * dz,
        w[FRAME + 1, 0] * dx + w[FRAME + 1, 1] * dy + w[FRAME + 1, 2] * dz,
        w[FRAME + 2, 0] * dx + w[FRAME + 2, 1] * dy + w[FRAME + 2, 2] * dz,
    )


@compiled
def tangent(mean: Floats, cov: Floats, coordinates: int, last: int, w: Floats) -> None:
    """The line by the derivative at the mean: H, and in ZERO the expected value there."""
    d0, d1, d2 = sighted(mean, w)
    w[ZERO, 0], w[ZERO, 1], w[ZERO, 2] = seen(coordinates, d0, d1, d2)
    slopes(coordinates, d0, d1, d2, w, H)
    if last == 4:
        r = max(w[ZERO, 0], NEAREST_M)
        rate = w[H, 0] * mean[3] + w[H, 1] * mean[4] + w[H, 2] * mean[5]
        for j in range(3):
            w[H + 3, j + 3] = w[H, j]
            w[H + 3, j] = (mean[j + 3] - rate * w[H, j]) / r
            w[H, j + 3], w[H + 1, j + 3], w[H + 2, j + 3] = 0.0, 0.0, 0.0
        w[ZERO, 3] = rate


@compiled
def turned(w: Floats, axis: int, start: int) -> tuple[float, float, float]:
    """Three numbers of a column of LOW, from `start` on, along the axes of the frame."""
    x, y, z = w[LOW + start, axis], w[LOW + start + 1, axis], w[LOW + start + 2, axis]
    return (
        w[FRAME, 0] * x + w[FRAME, 1] * y + w[FRAME, 2] * z,
        w[FRAME + 1, 0] * x + w[FRAME + 1, 1] * y + w[FRAME + 1, 2] * z,
        w[FRAME + 2, 0] * x + w[FRAME + 2, 1] * y + w[FRAME + 2, 2] * z,
    )


@compiled
def regress(mean: Floats, cov: Floats, coordinates: int, last: int, w: Floats) -> None:
    """The line by regression over sigma points of a density: H, in ZERO the expected value at its mean, in R the
    covariance of what the line misses.

    The range rate bends with the position and is straight in the velocity; the product of both errors, which no point
    on an axis shows, is added: cov(direction) times what is left of cov(velocity) once the position is known.
    """
    size = 6 if last == 4 else 3
    cholesky(cov, w[LOW : LOW + 6], size)
    d0, d1, d2 = sighted(mean, w)
    r, y1, y2 = seen(coordinates, d0, d1, d2)
    r = max(r, NEAREST_M)
    u0, u1, u2 = mean[3], mean[4], mean[5]
    v0 = w[FRAME, 0] * u0 + w[FRAME, 1] * u1 + w[FRAME, 2] * u2
    v1 = w[FRAME + 1, 0] * u0 + w[FRAME + 1, 1] * u1 + w[FRAME + 1, 2] * u2
    v2 = w[FRAME + 2, 0] * u0 + w[FRAME + 2, 1] * u1 + w[FRAME + 2, 2] * u2
    rate = (d0 * v0 + d1 * v1 + d2 * v2) / r
    for i in range(last):
        w[MID, i] = 0.0
    product = 0.0
    for axis in range(3):
        c0, c1, c2 = turned(w, axis, 0)
        e0, e1, e2 = turned(w, axis, 3) if last == 4 else (0.0, 0.0, 0.0)
        n0, n1, n2 = 0.0, 0.0, 0.0
        for side in range(2):
            f = SPREAD if side == 0 else -SPREAD
            out = (PLUS if side == 0 else MINUS) + axis
            p0, p1, p2 = d0 + f * c0, d1 + f * c1, d2 + f * c2
            range_m, angle1, angle2 = seen(coordinates, p0, p1, p2)
            w[out, 0] = range_m - r
            w[out, 1] = wrap(angle1 - y1) if coordinates == TEXTBOOK else angle1 - y1
            w[out, 2] = angle2 - y2
            if last == 4:
                g = 1 / max(range_m, NEAREST_M)
                w[out, 3] = (p0 * (v0 + f * e0) + p1 * (v1 + f * e1) + p2 * (v2 + f * e2)) * g - rate
                g = math.copysign(g, f)
                n0, n1, n2 = n0 + p0 * g, n1 + p1 * g, n2 + p2 * g
        for i in range(last):
            w[SLOPE + i, axis] = (w[PLUS + axis, i] - w[MINUS + axis, i]) / (2 * SPREAD)
            w[MID, i] += OUTER * (w[PLUS + axis, i] + w[MINUS + axis, i])
        if last == 4:
            n0, n1, n2 = n0 / (2 * SPREAD), n1 / (2 * SPREAD), n2 / (2 * SPREAD)
            for other in range(3, 6):
                e0, e1, e2 = turned(w, other, 3)
                product += (n0 * e0 + n1 * e1 + n2 * e2) ** 2
    if last == 4:
        for axis in range(3, 6):
            e0, e1, e2 = turned(w, axis, 3)
            w[SLOPE, axis], w[SLOPE + 1, axis], w[SLOPE + 2, axis] = 0.0, 0.0, 0.0
            w[SLOPE + 3, axis] = (d0 * e0 + d1 * e1 + d2 * e2) / r
    w[ZERO, 0], w[ZERO, 1], w[ZERO, 2] = r + w[MID, 0], y1 + w[MID, 1], y2 + w[MID, 2]
    w[ZERO, 3] = rate + w[MID, 3]
    for i in range(last):
        for j in range(i + 1):
            s = 0.0
            for axis in range(3):
                s += OUTER * (
                    (w[PLUS + axis, i] - w[MID, i]) * (w[PLUS + axis, j] - w[MID, j])
                    + (w[MINUS + axis, i] - w[MID, i]) * (w[MINUS + axis, j] - w[MID, j])
                )
                s -= w[SLOPE + i, axis] * w[SLOPE + j, axis]
            w[R + i, j] = s
            w[R + j, i] = s
        for j in range(size - 1, -1, -1):  # H low = slope, row by row
            s = w[SLOPE + i, j]
            for m in range(j + 1, size):
                s -= w[H + i, m] * w[LOW + m, j]
            w[H + i, j] = s / w[LOW + j, j]
    if last == 4:
        w[R + 3, 3] = REPEATED * (w[R + 3, 3] + product)


@compiled
def lay_about(about: Floats, spread: Floats, w: Floats) -> None:
    """The first density to lay a line about where the prior is wide and the row has a range: the place that it gives."""
    r = w[VALUE, 0]
    r2 = r * r
    for i in range(3):
        about[i] = w[SITE, i] + r * w[FRAME + 2, i]
        for j in range(3):
            spread[i, j] = w[VARIANCE, 0] * w[FRAME + 2, i] * w[FRAME + 2, j] + r2 * (
                w[VARIANCE, 1] * w[FRAME, i] * w[FRAME, j]
                + w[VARIANCE, 2] * w[FRAME + 1, i] * w[FRAME + 1, j]
            )
        for j in range(3, 7):
            spread[i, j], spread[j, i] = 0.0, 0.0


@compiled
def crossed(cov: Floats, w: Floats, i: int, j: int) -> float:
    """Row H i times the position's covariance times row H j."""
    s = 0.0
    for a in range(3):
        s += w[H + i, a] * (cov[a, 0] * w[H + j, 0] + cov[a, 1] * w[H + j, 1] + cov[a, 2] * w[H + j, 2])
    return s


@compiled
def clear_noise(w: Floats) -> None:
    """R of zeros."""
    for i in range(4):
        for j in range(4):
            w[R + i, j] = 0.0


@compiled
def straight_line(mean: Floats, cov: Floats, w: Floats) -> None:
    """A first line for angles alone, exact at any width of the prior: the distance from the measured line, over the
    range at which the prior is nearest to it; the clock is left out. It only says where to lay the first regression.
    """
    d0, d1, d2 = sighted(mean, w)
    r = max(d2, 0.2 * math.sqrt(d0 * d0 + d1 * d1 + d2 * d2), NEAREST_M)
    clear_noise(w)
    w[R + 1, 1], w[R + 2, 2] = w[VARIANCE, 1], w[VARIANCE, 2]
    for _ in range(3):
        for j in range(3):
            w[H + 1, j], w[H + 2, j] = w[FRAME, j] / r, w[FRAME + 1, j] / r
        a0, a1, b1 = crossed(cov, w, 1, 1), crossed(cov, w, 1, 2), crossed(cov, w, 2, 2)
        a0, b1 = a0 + w[R + 1, 1], b1 + w[R + 2, 2]
        det = a0 * b1 - a1 * a1
        g0, g1 = (b1 * d0 / r - a1 * d1 / r) / det, (a0 * d1 / r - a1 * d0 / r) / det
        moved = 0.0
        for j in range(3):
            for m in range(3):
                moved -= w[FRAME + 2, j] * cov[j, m] * (w[H + 1, m] * g0 + w[H + 2, m] * g1)
        r = max(d2 + moved, 0.05 * r, NEAREST_M)
    w[ZERO, 1], w[ZERO, 2] = d0 / r, d1 / r


@compiled
def add_noise(mean: Floats, cov: Floats, first: int, last: int, w: Floats) -> bool:
    """Adds the sensor's noise to R, and what an uncertain clock adds, which is E[s s^T] clock^2 with s the speed of
    what is seen. True where R is not diagonal.
    """
    for i in range(first, last):
        w[R + i, i] += w[VARIANCE, i]
    clock_s = w[VALUE, CLOCK]
    if clock_s <= 0:
        return False
    r2 = mean[0] ** 2 + mean[1] ** 2 + mean[2] ** 2
    g = -MU / (r2 * math.sqrt(r2))
    for i in range(first, last):
        w[HP, i] = w[H + i, 0] * mean[3] + w[H + i, 1] * mean[4] + w[H + i, 2] * mean[5]
    if last == 4:
        w[HP, 3] += g * (w[H + 3, 3] * mean[0] + w[H + 3, 4] * mean[1] + w[H + 3, 5] * mean[2])
    for i in range(first, last):
        for j in range(i + 1):
            t = w[HP, i] * w[HP, j]
            for m in range(3):
                t += w[H + i, m] * (
                    w[H + j, 0] * cov[m + 3, 3] + w[H + j, 1] * cov[m + 3, 4] + w[H + j, 2] * cov[m + 3, 5]
                )
            t *= clock_s * clock_s
            w[R + i, j] += t
            if i != j:
                w[R + j, i] += t
    return True


@compiled
def innovate(coordinates: int, w: Floats) -> None:
    """ZERO from an expected value into what was seen less it."""
    for i in range(4):
        w[ZERO, i] = w[VALUE, i] - w[ZERO, i]
    if coordinates == TEXTBOOK:
        w[ZERO, 1] = wrap(w[ZERO, 1])


@compiled
def second_order(cov: Floats, first: int, last: int, w: Floats) -> bool:
    """Adds to ZERO, an expected value by `tangent` in aimed coordinates, the mean of the second order; or, where that
    is so large that the row is curved, says so. R holds the noise.
    """
    r = max(w[ZERO, 0], NEAREST_M)
    u0, u1, u2 = w[H, 0], w[H, 1], w[H, 2]
    p0 = cov[0, 0] * u0 + cov[0, 1] * u1 + cov[0, 2] * u2
    p1 = cov[1, 0] * u0 + cov[1, 1] * u1 + cov[1, 2] * u2
    p2 = cov[2, 0] * u0 + cov[2, 1] * u1 + cov[2, 2] * u2
    total = cov[0, 0] + cov[1, 1] + cov[2, 2]
    across = total - (u0 * p0 + u1 * p1 + u2 * p2)
    bend = 0.5 * across / r
    least = CURVED_ABOVE * CURVED_ABOVE
    turn = total * across / (r * r * r * r)
    far = turn > least * min(w[R + 1, 1], w[R + 2, 2]) or w[ZERO, 1] ** 2 + w[ZERO, 2] ** 2 > AIM_RAD**2
    if far or (first == 0 and bend * bend > least * w[R, 0]):
        return True
    if last == 4:
        speed = cov[3, 3] + cov[4, 4] + cov[5, 5]
        fastest = w[H + 3, 0] ** 2 + w[H + 3, 1] ** 2 + w[H + 3, 2] ** 2
        if across * speed / (r * r) + fastest * total * total / (r * r) > least * w[R + 3, 3]:
            return True
    w[ZERO, 0] += bend
    w[ZERO, 1] -= (w[H + 1, 0] * p0 + w[H + 1, 1] * p1 + w[H + 1, 2] * p2) / r
    w[ZERO, 2] -= (w[H + 2, 0] * p0 + w[H + 2, 1] * p1 + w[H + 2, 2] * p2) / r
    return False


@compiled
def closed(mean: Floats, cov: Floats, about: Floats, spread: Floats, w: Floats) -> bool:
    """Whether an update with angles alone has found the distance from their sensor, and near the track."""
    _, _, along = sighted(about, w)
    variance = 0.0
    for i in range(3):
        for j in range(3):
            variance += w[FRAME + 2, i] * w[FRAME + 2, j] * spread[i, j]
    if not (along > NEAREST_M and variance < OPEN * OPEN * along * along):
        return False
    cholesky(cov, w[LOW : LOW + 3], 3)
    far = 0.0
    for i in range(3):
        s = about[i] - mean[i]
        for j in range(i):
            s -= w[LOW + i, j] * w[MID, j]
        w[MID, i] = s / w[LOW + i, i]
        far += w[MID, i] ** 2
    return far < FLUNG


@compiled
def update_curved(
    mean: Floats,
    cov: Floats,
    coordinates: int,
    first: int,
    last: int,
    change: bool,
    method: int,
    considered: bool,
    w: Floats,
) -> tuple[float, float]:
    """The update with the row that lies in w, by regression, again and again about its own result. It stands apart from
    the straight way, which makes no arrays and is far faster for it.
    """
    size = 6 if last == 4 else 3
    about, spread = mean.copy(), cov.copy()
    clear_noise(w)
    regress(mean, cov, coordinates, last, w)
    add_noise(mean, cov, first, last, w)
    innovate(coordinates, w)
    wide = method == ITERATED and max(w[R + 1, 1], w[R + 2, 2]) > WIDE_RAD**2
    d2, logdet = absorb(about, spread, w, first, last, size, True, considered)
    if not change:
        return d2, logdet
    passes = 1
    if method == ITERATED:
        passes = INFRARED_PASSES if first == 1 or last == 4 else PASSES
    if wide and first == 0:
        lay_about(about, spread, w)
    elif wide:
        straight_line(mean, cov, w)
        innovate(coordinates, w)
        about[:], spread[:, :] = mean, cov
        absorb(about, spread, w, first, last, size, True, considered)
    for _ in range(passes - 1):
        clear_noise(w)
        regress(about, spread, coordinates, last, w)
        add_noise(about, spread, first, last, w)
        innovate(coordinates, w)
        for i in range(first, last):
            for j in range(size):
                w[ZERO, i] -= w[H + i, j] * (mean[j] - about[j])
        about[:], spread[:, :] = mean, cov
        absorb(about, spread, w, first, last, size, True, considered)
    if first == 0 or method != ITERATED or closed(mean, cov, about, spread, w):
        mean[:], cov[:, :] = about, spread
    return d2, logdet


@compiled
def update_within(
    mean: Floats, cov: Floats, table: Floats, k: int, change: bool, method: int, w: Floats
) -> tuple[float, float]:
    """`update_state` with row k of a table made by `tabled`, in a room `w` that is used again."""
    considered = method >= CONSIDERED
    if considered:
        method -= CONSIDERED
    coordinates = AIMED if method == ITERATED else TEXTBOOK
    first, last = lay(table, k, coordinates, w)
    size = 6 if last == 4 else 3
    clear_noise(w)
    curved = method == SIGMA_POINT
    full = False
    if method != SIGMA_POINT:
        tangent(mean, cov, coordinates, last, w)
        full = add_noise(mean, cov, first, last, w)
        if method == ITERATED:
            curved = second_order(cov, first, last, w)
    if not curved:
        innovate(coordinates, w)
        if change:
            return absorb(mean, cov, w, first, last, size, full, considered)
        return weigh(cov, w, first, last, size)
    return update_curved(mean, cov, coordinates, first, last, change, method, considered, w)


@compiled
def update_state(
    mean: Floats, cov: Floats, rows: Rows, k: int, change: bool, method: int = ITERATED
) -> tuple[float, float]:
    """Update with one row, in place; squared innovation distance and log det of its covariance.

    method: EXTENDED, SIGMA_POINT or ITERATED, plus CONSIDERED. With change=False only the distance is found.
    """
    return update_within(mean, cov, tabled(rows, k, k + 1), 0, change, method, room())
