"""Sensors: where a row points, what it would have seen of a position, the place that one row gives, and its first state.

Two sets of coordinates, each about three perpendicular axes at the sensor. TEXTBOOK: east, north, up; seen are range,
azimuth, elevation. AIMED: across and along the line that was measured, and that line itself; seen are range and two
small angles in Lambert's azimuthal projection. The second has no pole overhead, where an azimuth means nothing, and no
seam at north; its angles are 1 part in 24 of their square off, and the noise of a row is turned into it to second order.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.motion import E2, EQUATOR_M, FLATTENING, MEAN_M, POLAR_M
from noroshi.tracking.kernels.rows import Rows

Floats = NDArray[np.float64]

RADAR, INFRARED = 0, 1
TEXTBOOK, AIMED = 0, 1

GREATEST_HEIGHT_M = 8.0e6
"""Angles alone leave the range open up to this height, above the highest public flight (7,700 km in 2024)."""
ORBIT_M = 1.0e5
"""Only a platform above this height sees the ground behind an object; lower, a line a little below level may not end."""
NEAREST_M = 1.0
"""An object is not nearer to its sensor than this; nearer, directions mean nothing."""


@compiled
def upright(x: float, y: float, z: float) -> tuple[float, float, float, float]:
    """Sine and cosine of geodetic latitude and of longitude of an ECEF position (Bowring 1976, without angles)."""
    flat = math.sqrt(x * x + y * y)
    s, c = z, flat * (1 - E2)
    for _ in range(3):
        su, cu = (1 - FLATTENING) * s, c
        size = 1 / math.sqrt(su * su + cu * cu)
        su, cu = su * size, cu * size
        s, c = z + E2 / (1 - E2) * POLAR_M * su * su * su, flat - E2 * EQUATOR_M * cu * cu * cu
    size = 1 / math.sqrt(s * s + c * c)
    if flat == 0:
        return s * size, c * size, 0.0, 1.0
    return s * size, c * size, y / flat, x / flat


@compiled
def level_frame(sa: float, ca: float, so: float, co: float, rot: Floats) -> None:
    """`site_frame` from the sine and cosine of latitude and longitude."""
    rot[0, 0], rot[0, 1], rot[0, 2] = -so, co, 0.0
    rot[1, 0], rot[1, 1], rot[1, 2] = -sa * co, -sa * so, ca
    rot[2, 0], rot[2, 1], rot[2, 2] = ca * co, ca * so, sa


@compiled
def site_frame(site: Floats, rot: Floats) -> None:
    """Rows of `rot` (at least 3 x 3): east, north, up at the sensor, on the ellipsoid normal."""
    level_frame(*upright(site[0], site[1], site[2]), rot)


@compiled
def upright_again(x: float, y: float, z: float, w: Floats, row: int) -> tuple[float, float, float, float]:
    """`upright` of a site, kept with it in a row of w for when the same site comes next."""
    if x != w[row, 0] or y != w[row, 1] or z != w[row, 2]:
        w[row, 0], w[row, 1], w[row, 2] = x, y, z
        w[row, 3], w[row, 4], w[row, 5], w[row, 6] = upright(x, y, z)
    return w[row, 3], w[row, 4], w[row, 5], w[row, 6]


@compiled
def aimed_frame(sa: float, ca: float, so: float, co: float, az: float, el: float, rot: Floats) -> None:
    """Rows of `rot` (at least 3 x 3): across (to the right), along (upwards), and the measured line itself."""
    sz, cz, se, ce = math.sin(az), math.cos(az), math.sin(el), math.cos(el)
    nx, ny = -sa * co, -sa * so
    hx, hy, hz = -so * sz + nx * cz, co * sz + ny * cz, ca * cz  # the level direction below the line
    ux, uy, uz = ca * co, ca * so, sa
    rot[0, 0], rot[0, 1], rot[0, 2] = -so * cz - nx * sz, co * cz - ny * sz, -ca * sz
    rot[1, 0], rot[1, 1], rot[1, 2] = ux * ce - hx * se, uy * ce - hy * se, uz * ce - hz * se
    rot[2, 0], rot[2, 1], rot[2, 2] = hx * ce + ux * se, hy * ce + uy * se, hz * ce + uz * se


@compiled
def seen(coordinates: int, d0: float, d1: float, d2: float) -> tuple[float, float, float]:
    """Range m and two angles rad of a place given along the three axes of the frame, m."""
    flat = d0 * d0 + d1 * d1
    r = math.sqrt(flat + d2 * d2)
    if coordinates == TEXTBOOK:
        return r, math.atan2(d0, d1), math.atan2(d2, math.sqrt(flat))
    q = math.sqrt(2 / max(r * (r + d2), NEAREST_M * NEAREST_M))
    return r, q * d0, q * d1


@compiled
def look(x: float, y: float, z: float, site: Floats, rot: Floats) -> tuple[float, float, float]:
    """Range m, azimuth rad clockwise from north, elevation rad of an ECEF position."""
    dx, dy, dz = x - site[0], y - site[1], z - site[2]
    e = rot[0, 0] * dx + rot[0, 1] * dy + rot[0, 2] * dz
    n = rot[1, 0] * dx + rot[1, 1] * dy + rot[1, 2] * dz
    u = rot[2, 0] * dx + rot[2, 1] * dy + rot[2, 2] * dz
    return seen(TEXTBOOK, e, n, u)


@compiled
def place(r: float, az: float, el: float, site: Floats, rot: Floats) -> tuple[float, float, float]:
    """ECEF position of a range, azimuth and elevation; the inverse of `look`."""
    e, n, u = r * math.cos(el) * math.sin(az), r * math.cos(el) * math.cos(az), r * math.sin(el)
    return (
        site[0] + rot[0, 0] * e + rot[1, 0] * n + rot[2, 0] * u,
        site[1] + rot[0, 1] * e + rot[1, 1] * n + rot[2, 1] * u,
        site[2] + rot[0, 2] * e + rot[1, 2] * n + rot[2, 2] * u,
    )


@compiled
def slopes(coordinates: int, d0: float, d1: float, d2: float, rot: Floats, row: int) -> None:
    """Derivatives of what `seen` gives to the ECEF position: into three rows of the same array as the frame."""
    flat = max(d0 * d0 + d1 * d1, NEAREST_M * NEAREST_M * 1e-6)
    r = max(math.sqrt(flat + d2 * d2), NEAREST_M)
    r0, r1, r2 = d0 / r, d1 / r, d2 / r
    if coordinates == TEXTBOOK:
        g = math.sqrt(flat)
        a0, a1, a2 = d1 / flat, -d0 / flat, 0.0
        b0, b1, b2 = -r0 * d2 / (r * g), -r1 * d2 / (r * g), g / (r * r)
    else:
        q2 = 2 / max(r * (r + d2), NEAREST_M * NEAREST_M)
        q = math.sqrt(q2)
        t = -0.25 * q2 * q
        q0, q1, q2 = t * (2 * r + d2) * r0, t * (2 * r + d2) * r1, t * ((2 * r + d2) * r2 + r)
        a0, a1, a2 = q + d0 * q0, d0 * q1, d0 * q2
        b0, b1, b2 = d1 * q0, q + d1 * q1, d1 * q2
    for j in range(3):
        rot[row + 0, j] = r0 * rot[0, j] + r1 * rot[1, j] + r2 * rot[2, j]
        rot[row + 1, j] = a0 * rot[0, j] + a1 * rot[1, j] + a2 * rot[2, j]
        rot[row + 2, j] = b0 * rot[0, j] + b1 * rot[1, j] + b2 * rot[2, j]


@compiled
def aimed_noise(az2: float, el2: float, el: float) -> tuple[float, float, float]:
    """Variances rad^2 of the two aimed angles, and the mean rad of the second, from those of azimuth and elevation.

    Seen from the measured line, the true one lies across by cos(el) of the azimuth's error, and up by the elevation's
    error and sin(el) cos(el) / 2 of the azimuth's square (expansion of spherical trigonometry to second order).
    """
    s, c = math.sin(el), math.cos(el)
    bent = s * c * az2
    return az2 * (c * c + s * s * el2), el2 + 0.5 * bent * bent, 0.5 * bent


@compiled
def wrap(angle: float) -> float:
    """The same angle in (-pi, pi]."""
    return angle - 2 * math.pi * math.ceil((angle - math.pi) / (2 * math.pi))


@compiled
def reach(x: float, y: float, z: float, u: float, v: float, w: float) -> tuple[float, float]:
    """Nearest and farthest distance m along a line at which an object in flight may be: above the Earth's mean sphere,
    below GREATEST_HEIGHT_M. A line that meets no such place is given the length from its sensor to that height.
    """
    along = x * u + y * v + z * w
    r2 = x * x + y * y + z * z
    top = (MEAN_M + GREATEST_HEIGHT_M) ** 2
    beside = r2 - along * along  # square of the line's least distance from the Earth's centre
    if beside >= top or (r2 > top and along > 0):
        return 0.0, GREATEST_HEIGHT_M
    half = math.sqrt(top - beside)
    near, far = max(-along - half, 0.0), -along + half
    if beside < MEAN_M * MEAN_M and along < 0 and r2 > (MEAN_M + ORBIT_M) ** 2:
        ground = -along - math.sqrt(MEAN_M * MEAN_M - beside)
        if ground > near + NEAREST_M:
            far = ground
    return near, far


@compiled
def place_row(rows: Rows, k: int, rot: Floats, position: Floats, cov: Floats) -> None:
    """Mean position (3,) and covariance (3, 3) given one row; rot: room of at least 3 x 3.

    A range and a direction, to second order in the angles (converted measurements and their bias: Lerro and Bar-Shalom
    1993). Without a range the place lies anywhere along the line within `reach`, evenly: its mean and variance.
    """
    site = rows.site_m[k]
    az, el = rows.value[k, 1], rows.value[k, 2]
    sa, ca, so, co = upright(site[0], site[1], site[2])
    aimed_frame(sa, ca, so, co, az, el, rot)
    r, variance = rows.value[k, 0], rows.sigma[k, 0] ** 2 + rows.bias[k, 0] ** 2
    if rows.model[k] == INFRARED:
        near, far = reach(site[0], site[1], site[2], rot[2, 0], rot[2, 1], rot[2, 2])
        r, variance = 0.5 * (near + far), (far - near) ** 2 / 12
    across, along, lift = aimed_noise(
        rows.sigma[k, 1] ** 2 + rows.bias[k, 1] ** 2, rows.sigma[k, 2] ** 2 + rows.bias[k, 2] ** 2, el
    )
    short = 0.5 * (across + along)
    square = r * r + variance
    down = variance * (1 - 2 * short) + 0.5 * square * (across * across + along * along)
    for i in range(3):
        position[i] = site[i] + r * ((1 - short) * rot[2, i] + lift * rot[1, i])
        for j in range(i + 1):
            cov[i, j] = (
                down * rot[2, i] * rot[2, j]
                + square * across * rot[0, i] * rot[0, j]
                + square * along * rot[1, i] * rot[1, j]
            )
            cov[j, i] = cov[i, j]


@compiled
def place_rows(rows: Rows, position: Floats, cov: Floats) -> None:
    """`place_row` of every row."""
    rot = np.empty((3, 3))
    for i in range(rows.time_ns.shape[0]):
        place_row(rows, i, rot, position[i], cov[i])


@compiled
def begin_state(rows: Rows, k: int, prior: Floats, mean: Floats, cov: Floats) -> None:
    """State from a single row. prior: velocity sigma m/s, mean and sigma of the log coefficient."""
    block, rot = np.empty((3, 3)), np.empty((3, 3))
    position = np.empty(3)
    place_row(rows, k, rot, position, block)
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
