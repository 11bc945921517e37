"""All compiled code of tracking: free fall, sigma points, the radar update, falls and ground tracks.

Rules: scalar loops in a fixed order, no fast-math, no threads, no randomness, so equal input gives equal bits. Nothing
is compiled on import; `noroshi.tracking.warm` compiles all of it once and the compiler keeps it on disk.

This module is longer than others on purpose: the compiler's disk cache notices a change only in the file that holds
the function called from Python. Were the inner functions in another file, an upgrade could leave old code in use.

State of one object, 7 numbers: Earth-fixed (ECEF, WGS-84) position m, velocity m/s, natural log of the ballistic
coefficient (kg/m^2). Sources of the equations are named at each function and in `docs/manual/tracking.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
from numba import njit
from numpy.typing import NDArray

from noroshi.geo import frames

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Function = TypeVar("Function", bound=Callable[..., Any])

# Short names, since the compiler freezes module globals and the equations below are read with them.
MU, SPIN = frames.GRAVITY_M3_S2, frames.EARTH_RATE_RAD_S
EQUATOR_M, POLAR_M, MEAN_M = frames.SEMI_MAJOR_M, frames.SEMI_MINOR_M, frames.MEAN_RADIUS_M
FLATTENING, E2 = frames.FLATTENING, frames.ECCENTRICITY_SQ
J2 = 1.08262668e-3
"""Second zonal harmonic, unnormalised (NIMA TR8350.2, table 5.1: C20 = -4.84166774985e-4 times -sqrt(5))."""

SEA_LEVEL_DENSITY = 1.225
SCALE_HEIGHT_M = 7200.0
DRAG_TOP_M = 150e3
"""Above this height drag is left out: it would be under 1e-6 m/s^2 for every coefficient considered."""
FINE_BELOW_M = 130e3
"""Below this height on the way down steps follow the atmosphere."""

COAST_STEP_S = 10.0
"""Runge-Kutta step outside the atmosphere: 2 mm of error after the 20 minutes of the 4,600 km arc, 6 cm after 68."""
FALL_WITHIN_S = 7200.0
"""An object that has not come down after this time is treated as not falling."""

SPREAD = math.sqrt(3.0)
"""Sigma points lie at the nodes of the three-point Gauss-Hermite rule: 0 and +-sqrt(3) sigma, outer weights 1/6."""
OUTER = 1 / 6
UNIFORM_SPREAD = math.sqrt(9 / 5)
"""Nodes for the log ballistic coefficient: three-point Gauss-Legendre, in standard deviations; outer weights 5/18."""
UNIFORM_OUTER = 5 / 18

ACCELERATION_PSD = 1e-8
"""White acceleration noise of the filter, m^2/s^3: padding that keeps covariances positive, 6 mm/s in an hour."""
REPEAT_ABOVE = 1e-4
"""The update is linearised again about its own result when curvature exceeds this share of the noise variance."""
PASSES = 3
FASTEST_DRAG_HZ = 1000.0
"""A drag that would stop an object within a millisecond is none: at sea level, a leaf at the speed of a re-entry."""
CHECKPOINT_ROWS = 16
"""A state is kept every so many rows: a late row costs about this many updates, and history stays small."""


def compiled(function: Function) -> Function:
    """Compiles for speed on first call and keeps the result on disk; bits do not depend on the machine's threads."""
    return cast(Function, njit(cache=True, fastmath=False, parallel=False)(function))


# --- Earth and motion ---------------------------------------------------------------------------------------------


@compiled
def height(x: float, y: float, z: float) -> float:
    """Height above the ellipsoid along the geocentric line, m: exact at 0, 0.5 m off at 100 km."""
    flat = x * x + y * y
    r = math.sqrt(flat + z * z)
    return r - POLAR_M * r / math.sqrt((1 - E2) * flat + z * z)


@compiled
def geodetic(x: float, y: float, z: float) -> tuple[float, float, float]:
    """Latitude rad, longitude rad, height m of an ECEF position (Bowring 1976, iterated)."""
    flat = math.sqrt(x * x + y * y)
    lat = math.atan2(z, flat * (1 - E2))
    for _ in range(3):
        u = math.atan2((1 - FLATTENING) * math.sin(lat), math.cos(lat))
        lat = math.atan2(
            z + E2 / (1 - E2) * POLAR_M * math.sin(u) ** 3, flat - E2 * EQUATOR_M * math.cos(u) ** 3
        )
    n = EQUATOR_M / math.sqrt(1 - E2 * math.sin(lat) ** 2)
    return lat, math.atan2(y, x), flat * math.cos(lat) + z * math.sin(lat) - EQUATOR_M**2 / n


@compiled
def _acceleration(
    x: float, y: float, z: float, u: float, v: float, w: float, inv_beta: float
) -> tuple[float, float, float]:
    """ECEF acceleration: point mass, J2, centrifugal, Coriolis, drag on the way down (Montenbruck and Gill 2000, ch. 3).

    Drag is rho |v| v / (2 beta) with an exponential atmosphere that turns with the Earth. On the way up there is none:
    in the dense atmosphere an ascending object is under power, which is outside this model.
    """
    r2 = x * x + y * y + z * z
    r = math.sqrt(r2)
    g = -MU / (r2 * r)
    k = 1.5 * J2 * EQUATOR_M * EQUATOR_M / r2
    q = 5 * z * z / r2
    ax = g * x * (1 + k * (1 - q)) + SPIN * SPIN * x + 2 * SPIN * v
    ay = g * y * (1 + k * (1 - q)) + SPIN * SPIN * y - 2 * SPIN * u
    az = g * z * (1 + k * (3 - q))
    if inv_beta > 0 and r < EQUATOR_M + DRAG_TOP_M and x * u + y * v + z * w < 0:
        h = height(x, y, z)
        if h < DRAG_TOP_M:
            density = SEA_LEVEL_DENSITY * math.exp(-max(h, 0.0) / SCALE_HEIGHT_M)
            d = 0.5 * density * math.sqrt(u * u + v * v + w * w) * inv_beta
            ax -= d * u
            ay -= d * v
            az -= d * w
    return ax, ay, az


@compiled
def _step(
    x: float, y: float, z: float, u: float, v: float, w: float, h: float, inv_beta: float
) -> tuple[float, float, float, float, float, float]:
    """One classical fourth-order Runge-Kutta step of h seconds (negative: backwards)."""
    a = 0.5 * h
    ax1, ay1, az1 = _acceleration(x, y, z, u, v, w, inv_beta)
    u2, v2, w2 = u + a * ax1, v + a * ay1, w + a * az1
    ax2, ay2, az2 = _acceleration(x + a * u, y + a * v, z + a * w, u2, v2, w2, inv_beta)
    u3, v3, w3 = u + a * ax2, v + a * ay2, w + a * az2
    ax3, ay3, az3 = _acceleration(x + a * u2, y + a * v2, z + a * w2, u3, v3, w3, inv_beta)
    u4, v4, w4 = u + h * ax3, v + h * ay3, w + h * az3
    ax4, ay4, az4 = _acceleration(x + h * u3, y + h * v3, z + h * w3, u4, v4, w4, inv_beta)
    b = h / 6
    return (
        x + b * (u + 2 * (u2 + u3) + u4),
        y + b * (v + 2 * (v2 + v3) + v4),
        z + b * (w + 2 * (w2 + w3) + w4),
        u + b * (ax1 + 2 * (ax2 + ax3) + ax4),
        v + b * (ay1 + 2 * (ay2 + ay3) + ay4),
        w + b * (az1 + 2 * (az2 + az3) + az4),
    )


@compiled
def _allowed_step(x: float, y: float, z: float, u: float, v: float, w: float, inv_beta: float) -> float:
    """The longest step, s: 10 s coasting, a fifth of a scale height or a quarter of the drag time in the atmosphere.

    A state that is none (rows that contradict one another lead to such) is stepped coarsely: it is wrong anyhow, and
    must come to an end.
    """
    if inv_beta <= 0:
        return COAST_STEP_S
    r = math.sqrt(x * x + y * y + z * z)
    if r > EQUATOR_M + 1.2e6:
        return COAST_STEP_S
    climb = (x * u + y * v + z * w) / r
    h = height(x, y, z)
    if h > FINE_BELOW_M:
        if climb >= 0:
            return COAST_STEP_S
        return min(COAST_STEP_S, max(0.5, 0.8 * (FINE_BELOW_M - h) / climb))
    if climb > 0:
        return min(COAST_STEP_S, max(0.5, climb / 20))
    density = SEA_LEVEL_DENSITY * math.exp(-max(h, 0.0) / SCALE_HEIGHT_M)
    rate = 0.5 * density * math.sqrt(u * u + v * v + w * w) * inv_beta
    if not rate < FASTEST_DRAG_HZ:
        return COAST_STEP_S
    step = min(1.0, 0.2 * SCALE_HEIGHT_M / max(-climb, 1.0))
    return min(step, 0.25 / max(rate, 1e-9))


@compiled
def _advance(
    x: float, y: float, z: float, u: float, v: float, w: float, dt: float, inv_beta: float
) -> tuple[float, float, float, float, float, float]:
    """Motion over dt seconds, forwards or backwards, in allowed steps."""
    left = dt
    while left != 0:
        step = _allowed_step(x, y, z, u, v, w, inv_beta)
        if abs(left) <= step:
            step, left = left, 0.0
        else:
            step = math.copysign(step, left)
            left -= step
        x, y, z, u, v, w = _step(x, y, z, u, v, w, step, inv_beta)
    return x, y, z, u, v, w


@compiled
def _touch(
    x: float, y: float, z: float, u: float, v: float, w: float, step: float, inv_beta: float
) -> tuple[float, float, float, float]:
    """Position and seconds at which the surface is met inside a step that crosses it (bracketed Newton)."""
    low, high, tau = 0.0, step, 0.5 * step
    px, py, pz = x, y, z
    for _ in range(30):
        px, py, pz, pu, pv, pw = _step(x, y, z, u, v, w, tau, inv_beta)
        h = height(px, py, pz)
        if abs(h) < 1e-4:
            break
        if h > 0:
            low = tau
        else:
            high = tau
        climb = (px * pu + py * pv + pz * pw) / math.sqrt(px * px + py * py + pz * pz)
        tau = tau - h / climb if climb < 0 else low
        if tau <= low or tau >= high:
            tau = 0.5 * (low + high)
    return px, py, pz, tau


@compiled
def _fall(
    x: float, y: float, z: float, u: float, v: float, w: float, inv_beta: float
) -> tuple[float, float, float, float]:
    """Where (ECEF m) and after how many seconds an object meets the surface on its way down; -1 s: not in two hours."""
    t = 0.0
    if height(x, y, z) <= 0 and x * u + y * v + z * w < 0:
        return x, y, z, 0.0
    while t < FALL_WITHIN_S:
        step = _allowed_step(x, y, z, u, v, w, inv_beta)
        a, b, c, d, e, f = _step(x, y, z, u, v, w, step, inv_beta)
        if a * d + b * e + c * f < 0 and height(a, b, c) < 0:
            a, b, c, tau = _touch(x, y, z, u, v, w, step, inv_beta)
            return a, b, c, t + tau
        x, y, z, u, v, w = a, b, c, d, e, f
        t += step
    return x, y, z, -1.0


@compiled
def propagate_rows(state: Floats, times: Floats, inv_beta: Floats, out: Floats, fallen: Floats) -> None:
    """States at ascending times >= 0 after `state`, marched on a grid that does not depend on `times`.

    After the fall a row rests where it fell, with zero velocity. fallen: seconds to the fall, -1 while still in flight
    at the last time.
    """
    for i in range(state.shape[0]):
        x, y, z, u, v, w = state[i, 0], state[i, 1], state[i, 2], state[i, 3], state[i, 4], state[i, 5]
        t, k = 0.0, 0
        fallen[i] = -1.0
        while k < times.shape[0]:
            step = _allowed_step(x, y, z, u, v, w, inv_beta[i])
            a, b, c, d, e, f = _step(x, y, z, u, v, w, step, inv_beta[i])
            end = t + step
            down = a * d + b * e + c * f < 0 and height(a, b, c) < 0
            if down:
                a, b, c, tau = _touch(x, y, z, u, v, w, step, inv_beta[i])
                end = t + tau
            while k < times.shape[0] and times[k] < end:
                p = _step(x, y, z, u, v, w, times[k] - t, inv_beta[i])
                for j in range(6):
                    out[i, k, j] = p[j]
                k += 1
            if down:
                if k < times.shape[0]:
                    fallen[i] = end
                while k < times.shape[0]:
                    out[i, k, 0], out[i, k, 1], out[i, k, 2] = a, b, c
                    out[i, k, 3:] = 0.0
                    k += 1
            x, y, z, u, v, w, t = a, b, c, d, e, f, end


@compiled
def fly_rows(state: Floats, inv_beta: Floats, out: Floats) -> None:
    """Per row: ECEF fall point, seconds to it (-1: none), greatest height m and its time s; out is (n, 6)."""
    for i in range(state.shape[0]):
        x, y, z, u, v, w = state[i, 0], state[i, 1], state[i, 2], state[i, 3], state[i, 4], state[i, 5]
        a, b, c, t = _fall(x, y, z, u, v, w, inv_beta[i])
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = a, b, c, t
        now, top, top_s = 0.0, height(x, y, z), 0.0
        while now < FALL_WITHIN_S and x * u + y * v + z * w > 0:
            step = _allowed_step(x, y, z, u, v, w, inv_beta[i])
            a, b, c, d, e, f = _step(x, y, z, u, v, w, step, inv_beta[i])
            if (
                a * d + b * e + c * f <= 0
            ):  # the highest point lies inside this step: golden section on the height
                low, high = 0.0, step
                for _ in range(60):
                    m1, m2 = low + 0.381966 * (high - low), high - 0.381966 * (high - low)
                    p1 = _step(x, y, z, u, v, w, m1, inv_beta[i])
                    p2 = _step(x, y, z, u, v, w, m2, inv_beta[i])
                    if geodetic(p1[0], p1[1], p1[2])[2] > geodetic(p2[0], p2[1], p2[2])[2]:
                        high = m2
                    else:
                        low = m1
                p = _step(x, y, z, u, v, w, 0.5 * (low + high), inv_beta[i])
                top, top_s = geodetic(p[0], p[1], p[2])[2], now + 0.5 * (low + high)
            x, y, z, u, v, w = a, b, c, d, e, f
            now += step
        out[i, 4], out[i, 5] = top, top_s


# --- small matrices -----------------------------------------------------------------------------------------------


@compiled
def _cholesky(a: Floats, low: Floats, n: int) -> None:
    """Lower Cholesky factor of the leading n x n block; a pivot lost to rounding is raised to 1e-12 of its diagonal."""
    for i in range(n):
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s -= low[i, k] * low[j, k]
            if i == j:
                low[i, i] = math.sqrt(max(s, 1e-12 * abs(a[i, i]), 1e-300))
            else:
                low[i, j] = s / low[j, j]
        for j in range(i + 1, n):
            low[i, j] = 0.0


@compiled
def _solve(low: Floats, b: Floats, n: int) -> None:
    """Solves (low low^T) x = b in place."""
    for i in range(n):
        s = b[i]
        for k in range(i):
            s -= low[i, k] * b[k]
        b[i] = s / low[i, i]
    for i in range(n - 1, -1, -1):
        s = b[i]
        for k in range(i + 1, n):
            s -= low[k, i] * b[k]
        b[i] = s / low[i, i]


# --- prediction of one state --------------------------------------------------------------------------------------


@compiled
def _predict(mean: Floats, cov: Floats, dt: float) -> None:
    """Sigma-point prediction over dt seconds, in place.

    Per axis of the Cholesky factor two points at +-sqrt(3) sigma with weight 1/6 (Julier and Uhlmann 2004, with
    kappa = 3 - n). The second-order term is taken out axis by axis, which keeps the covariance positive, where the
    usual negative central weight does not.
    """
    if dt == 0:
        return
    low = np.empty((7, 7))
    _cholesky(cov, low, 7)
    c = _advance(mean[0], mean[1], mean[2], mean[3], mean[4], mean[5], dt, math.exp(-mean[6]))
    shift = np.zeros(7)
    plus, minus, middle = np.empty(7), np.empty(7), np.empty(7)
    for i in range(7):
        for j in range(i, 7):
            cov[i, j] = 0.0
    for axis in range(7):
        for side in range(2):
            f = SPREAD if side == 0 else -SPREAD
            p = _advance(
                mean[0] + f * low[0, axis],
                mean[1] + f * low[1, axis],
                mean[2] + f * low[2, axis],
                mean[3] + f * low[3, axis],
                mean[4] + f * low[4, axis],
                mean[5] + f * low[5, axis],
                dt,
                math.exp(-mean[6] - f * low[6, axis]),
            )
            d = plus if side == 0 else minus
            for i in range(6):
                d[i] = p[i] - c[i]
            d[6] = f * low[6, axis]
        for i in range(7):
            middle[i] = OUTER * (plus[i] + minus[i])
            shift[i] += middle[i]
        for i in range(7):
            for j in range(i, 7):
                cov[i, j] += OUTER * (plus[i] * plus[j] + minus[i] * minus[j]) - middle[i] * middle[j]
    for i in range(6):
        mean[i] = c[i] + shift[i]
    t = abs(dt)
    for i in range(3):
        cov[i, i] += ACCELERATION_PSD * t * t * t / 3
        cov[i, i + 3] += ACCELERATION_PSD * t * dt / 2
        cov[i + 3, i + 3] += ACCELERATION_PSD * t
    for i in range(7):
        for j in range(i):
            cov[i, j] = cov[j, i]


# --- the radar ----------------------------------------------------------------------------------------------------


@compiled
def _site_frame(site: Floats, rot: Floats) -> None:
    """Rows of `rot`: east, north, up at the sensor, on the ellipsoid normal."""
    lat, lon, _ = geodetic(site[0], site[1], site[2])
    sa, ca, so, co = math.sin(lat), math.cos(lat), math.sin(lon), math.cos(lon)
    rot[0, 0], rot[0, 1], rot[0, 2] = -so, co, 0.0
    rot[1, 0], rot[1, 1], rot[1, 2] = -sa * co, -sa * so, ca
    rot[2, 0], rot[2, 1], rot[2, 2] = ca * co, ca * so, sa


@compiled
def _look(x: float, y: float, z: float, site: Floats, rot: Floats) -> tuple[float, float, float]:
    """Range m, azimuth rad clockwise from north, elevation rad of an ECEF position."""
    dx, dy, dz = x - site[0], y - site[1], z - site[2]
    e = rot[0, 0] * dx + rot[0, 1] * dy + rot[0, 2] * dz
    n = rot[1, 0] * dx + rot[1, 1] * dy + rot[1, 2] * dz
    u = rot[2, 0] * dx + rot[2, 1] * dy + rot[2, 2] * dz
    return math.sqrt(e * e + n * n + u * u), math.atan2(e, n), math.atan2(u, math.sqrt(e * e + n * n))


@compiled
def _wrap(angle: float) -> float:
    """The same angle in (-pi, pi]."""
    return angle - 2 * math.pi * math.ceil((angle - math.pi) / (2 * math.pi))


@compiled
def _place(r: float, az: float, el: float, site: Floats, rot: Floats) -> tuple[float, float, float]:
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
    _site_frame(site, rot)
    cx, cy, cz = _place(value[0], value[1], value[2], site, rot)
    position[0], position[1], position[2] = cx, cy, cz
    cov[:, :] = 0.0
    plus, minus, middle = np.empty(3), np.empty(3), np.empty(3)
    for axis in range(3):
        for side in range(2):
            f = (SPREAD if side == 0 else -SPREAD) * sigma[axis]
            p = _place(
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
def _begin(
    site: Floats, value: Floats, sigma: Floats, clock_s: float, prior: Floats, mean: Floats, cov: Floats
) -> None:
    """State from a single radar row. prior: velocity sigma m/s, mean and sigma of the log coefficient."""
    block = np.empty((3, 3))
    position = np.empty(3)
    place_row(site, value, sigma, position, block)
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
def _linearise(
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
    _cholesky(block, low, 3)
    zc = _look(centre[0], centre[1], centre[2], site, rot)
    slope = np.empty((3, 3))
    plus, minus = np.empty((3, 3)), np.empty((3, 3))
    mid = np.zeros(3)
    for axis in range(3):
        for side in range(2):
            f = SPREAD if side == 0 else -SPREAD
            p = _look(
                centre[0] + f * low[0, axis],
                centre[1] + f * low[1, axis],
                centre[2] + f * low[2, axis],
                site,
                rot,
            )
            d = plus if side == 0 else minus
            d[axis, 0] = p[0] - zc[0]
            d[axis, 1] = _wrap(p[1] - zc[1])
            d[axis, 2] = p[2] - zc[2]
        for i in range(3):
            slope[i, axis] = (plus[axis, i] - minus[axis, i]) / (2 * SPREAD)
            mid[i] += OUTER * (plus[axis, i] + minus[axis, i])
    zero[0] = value[0] - zc[0] - mid[0]
    zero[1] = _wrap(value[1] - zc[1] - mid[1])
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
def _apply(
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
    _cholesky(s, low, 3)
    gain = np.empty((7, 3))
    column = np.empty(3)
    for j in range(7):
        for i in range(3):
            column[i] = hp[i, j]
        _solve(low, column, 3)
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
    _solve(low, column, 3)
    d2 = nu[0] * column[0] + nu[1] * column[1] + nu[2] * column[2]
    return d2, 2 * (math.log(low[0, 0]) + math.log(low[1, 1]) + math.log(low[2, 2]))


@compiled
def _noise(mean: Floats, cov: Floats, a: Floats, sigma: Floats, clock_s: float, r: Floats) -> None:
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
def _update(
    mean: Floats, cov: Floats, site: Floats, value: Floats, sigma: Floats, clock_s: float, change: bool
) -> tuple[float, float]:
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
    _site_frame(site, rot)
    for i in range(3):
        centre[i] = mean[i]
        for j in range(3):
            block[i, j] = cov[i, j]
    _linearise(centre, block, value, site, rot, a, zero, r)
    curved = (
        r[0, 0] > REPEAT_ABOVE * sigma[0] ** 2
        or r[1, 1] > REPEAT_ABOVE * sigma[1] ** 2
        or r[2, 2] > REPEAT_ABOVE * sigma[2] ** 2
    )
    _noise(mean, cov, a, sigma, clock_s, r)
    d2, logdet = _apply(mean, cov, centre, a, zero, r, new_mean, new_cov)
    if not change:
        return d2, logdet
    if curved:
        for _ in range(PASSES - 1):
            for i in range(3):
                centre[i] = new_mean[i]
                for j in range(3):
                    block[i, j] = new_cov[i, j]
            _linearise(centre, block, value, site, rot, a, zero, r)
            _noise(new_mean, new_cov, a, sigma, clock_s, r)
            _apply(mean, cov, centre, a, zero, r, new_mean, new_cov)
    mean[:] = new_mean
    cov[:, :] = new_cov
    return d2, logdet


@compiled
def place_rows(site: Floats, value: Floats, sigma: Floats, position: Floats, cov: Floats) -> None:
    """`place_row` of every row."""
    for i in range(site.shape[0]):
        place_row(site[i], value[i], sigma[i], position[i], cov[i])


# --- entry points of the filter -----------------------------------------------------------------------------------


@compiled
def begin_rows(
    site: Floats, value: Floats, sigma: Floats, clock_s: Floats, prior: Floats, mean: Floats, cov: Floats
) -> None:
    """One new state per radar row."""
    for i in range(site.shape[0]):
        _begin(site[i], value[i], sigma[i], clock_s[i], prior, mean[i], cov[i])


@compiled
def predict_rows(mean: Floats, cov: Floats, dt: Floats) -> None:
    """Predicts every state by its own dt seconds, in place."""
    for i in range(mean.shape[0]):
        _predict(mean[i], cov[i], dt[i])


@compiled
def update_rows(
    mean: Floats,
    cov: Floats,
    dt: Floats,
    row: Ints,
    site: Floats,
    value: Floats,
    sigma: Floats,
    clock_s: Floats,
    distance: Floats,
) -> None:
    """Predicts and updates state i with measurement row[i], in place; row -1 leaves the state as it is."""
    for i in range(mean.shape[0]):
        k = row[i]
        if k >= 0:
            _predict(mean[i], cov[i], dt[i])
            distance[i] = _update(mean[i], cov[i], site[k], value[k], sigma[k], clock_s[k], True)[0]


@compiled
def filter_rows(
    time_ns: Ints,
    site: Floats,
    value: Floats,
    sigma: Floats,
    clock_s: Floats,
    prior: Floats,
    start: int,
    stop: int,
    mean: Floats,
    cov: Floats,
    saved_mean: Floats,
    saved_cov: Floats,
) -> tuple[float, float]:
    """Runs rows start..stop (in time order) through one state; row 0 begins it. Keeps a checkpoint every few rows.

    mean, cov: the state after row start - 1. Checkpoint j is the state after row (j + 1) * CHECKPOINT_ROWS - 1.
    Gives the sums of the squared innovation distances and of the log dets.
    """
    total, logdet = 0.0, 0.0
    for k in range(start, stop):
        if k == 0:
            _begin(site[0], value[0], sigma[0], clock_s[0], prior, mean, cov)
        else:
            _predict(mean, cov, (time_ns[k] - time_ns[k - 1]) * 1e-9)
            d2, ld = _update(mean, cov, site[k], value[k], sigma[k], clock_s[k], True)
            total += d2
            logdet += ld
        if (k + 1) % CHECKPOINT_ROWS == 0:
            j = (k + 1) // CHECKPOINT_ROWS - 1
            if j < saved_mean.shape[0]:
                saved_mean[j] = mean
                saved_cov[j] = cov
    return total, logdet


@compiled
def score_pairs(
    mean: Floats,
    cov: Floats,
    track_ns: Ints,
    time_ns: Ints,
    site: Floats,
    value: Floats,
    sigma: Floats,
    clock_s: Floats,
    distance: Floats,
    logdet: Floats,
) -> None:
    """Squared innovation distance and log det of every track (n) with every row (m); rows sorted by time."""
    m, c = np.empty(7), np.empty((7, 7))
    for i in range(mean.shape[0]):
        m[:] = mean[i]
        c[:, :] = cov[i]
        now = track_ns[i]
        for k in range(time_ns.shape[0]):
            _predict(m, c, (time_ns[k] - now) * 1e-9)
            now = time_ns[k]
            distance[i, k], logdet[i, k] = _update(m, c, site[k], value[k], sigma[k], clock_s[k], False)


# --- falls and ground tracks --------------------------------------------------------------------------------------


@compiled
def _spread_points(mean: Floats, cov: Floats, points: Floats) -> None:
    """Fifteen sigma points (15, 7) for a prediction: 0 centre, 1..12 the motion, 13 and 14 the log coefficient.

    The coefficient goes first, so that its axis carries what it is correlated with, and at the nodes of a uniform
    density (Gauss-Legendre), since that is what it has until drag has been seen.
    """
    low = np.empty((6, 6))
    block = np.empty((6, 6))
    variance = max(cov[6, 6], 1e-12)
    for i in range(6):
        for j in range(6):
            block[i, j] = cov[i, j] - cov[i, 6] * cov[j, 6] / variance
    _cholesky(block, low, 6)
    for k in range(15):
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


@compiled
def _moments(d: Floats, size: int, shift: Floats, cov: Floats) -> None:
    """Mean shift (size,) and covariance of differences d (14, size) from the centre, seven axes of two points each."""
    for i in range(size):
        shift[i] = 0.0
        for j in range(size):
            cov[i, j] = 0.0
    for axis in range(7):
        weight = UNIFORM_OUTER if axis == 6 else OUTER
        for i in range(size):
            mi = weight * (d[2 * axis, i] + d[2 * axis + 1, i])
            shift[i] += mi
            for j in range(size):
                mj = weight * (d[2 * axis, j] + d[2 * axis + 1, j])
                cov[i, j] += weight * (
                    d[2 * axis, i] * d[2 * axis, j] + d[2 * axis + 1, i] * d[2 * axis + 1, j]
                )
                cov[i, j] -= mi * mj


@compiled
def _surface_frame(x: float, y: float, z: float, rot: Floats) -> None:
    """East, north, up at the surface point below or at an ECEF position."""
    lat, lon, _ = geodetic(x, y, z)
    sa, ca, so, co = math.sin(lat), math.cos(lat), math.sin(lon), math.cos(lon)
    rot[0, 0], rot[0, 1], rot[0, 2] = -so, co, 0.0
    rot[1, 0], rot[1, 1], rot[1, 2] = -sa * co, -sa * so, ca
    rot[2, 0], rot[2, 1], rot[2, 2] = ca * co, ca * so, sa


@compiled
def _offset(dx: float, dy: float, dz: float, rot: Floats) -> tuple[float, float]:
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
def _displaced(x: float, y: float, z: float, east: float, north: float, rot: Floats) -> tuple[float, float]:
    """Latitude and longitude of the surface point at an east and north ground distance: the inverse of `_offset`."""
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
def fall_rows(mean: Floats, cov: Floats, place: Floats, spread: Floats, valid: Bools) -> None:
    """Predicted fall of every state: place (n, 3) lat, lon rad, seconds; spread (n, 3, 3) east m, north m, time s."""
    points = np.empty((15, 7))
    d = np.empty((14, 3))
    shift = np.empty(3)
    rot = np.empty((3, 3))
    for i in range(mean.shape[0]):
        _spread_points(mean[i], cov[i], points)
        cx, cy, cz, ct = 0.0, 0.0, 0.0, -1.0
        ok = True
        for k in range(15):
            p = points[k]
            x, y, z, t = _fall(p[0], p[1], p[2], p[3], p[4], p[5], math.exp(-p[6]))
            if t < 0:
                ok = False
                break
            if k == 0:
                cx, cy, cz, ct = x, y, z, t
                _surface_frame(x, y, z, rot)
            else:
                d[k - 1, 0], d[k - 1, 1] = _offset(x - cx, y - cy, z - cz, rot)
                d[k - 1, 2] = t - ct
        valid[i] = ok
        place[i] = 0.0
        spread[i] = 0.0
        if ok:
            _moments(d, 3, shift, spread[i])
            place[i, 0], place[i, 1] = _displaced(cx, cy, cz, shift[0], shift[1], rot)
            place[i, 2] = ct + shift[2]


@compiled
def ground_row(mean: Floats, cov: Floats, step_s: float, count: int, out: Floats) -> None:
    """Future ground track of one state at 0, step, 2 step, ...: out (count, 7).

    Columns: latitude, longitude rad, height m, along-track and cross-track sigma m on the ground, ground speed m/s,
    course rad. Points that have fallen stay where they fell.
    """
    points = np.empty((15, 7))
    _spread_points(mean, cov, points)
    fallen = np.zeros(15)
    d = np.empty((14, 2))
    shift, block = np.empty(2), np.empty((2, 2))
    rot = np.empty((3, 3))
    for k in range(count):
        if k > 0:
            for m in range(15):
                if fallen[m] == 0:
                    p = points[m]
                    x, y, z, u, v, w = _advance(p[0], p[1], p[2], p[3], p[4], p[5], step_s, math.exp(-p[6]))
                    if x * u + y * v + z * w < 0 and height(x, y, z) < 0:
                        x, y, z, _ = _fall(p[0], p[1], p[2], p[3], p[4], p[5], math.exp(-p[6]))
                        fallen[m] = 1.0
                    p[0], p[1], p[2], p[3], p[4], p[5] = x, y, z, u, v, w
        c = points[0]
        lat, lon, h = geodetic(c[0], c[1], c[2])
        _surface_frame(c[0], c[1], c[2], rot)
        scale = MEAN_M / math.sqrt(c[0] * c[0] + c[1] * c[1] + c[2] * c[2])
        for m in range(1, 15):
            p = points[m]
            own = MEAN_M / math.sqrt(p[0] * p[0] + p[1] * p[1] + p[2] * p[2])
            d[m - 1, 0], d[m - 1, 1] = _offset(
                p[0] * own - c[0] * scale, p[1] * own - c[1] * scale, p[2] * own - c[2] * scale, rot
            )
        _moments(d, 2, shift, block)
        ve = rot[0, 0] * c[3] + rot[0, 1] * c[4] + rot[0, 2] * c[5]
        vn = rot[1, 0] * c[3] + rot[1, 1] * c[4] + rot[1, 2] * c[5]
        speed = math.sqrt(ve * ve + vn * vn)
        se, sn = (ve / speed, vn / speed) if speed > 1.0 else (0.0, 1.0)
        along = se * se * block[0, 0] + 2 * se * sn * block[0, 1] + sn * sn * block[1, 1]
        cross = sn * sn * block[0, 0] - 2 * se * sn * block[0, 1] + se * se * block[1, 1]
        out[k, 0], out[k, 1], out[k, 2] = lat, lon, h
        out[k, 3], out[k, 4] = math.sqrt(max(along, 0.0)), math.sqrt(max(cross, 0.0))
        out[k, 5], out[k, 6] = speed * scale, math.atan2(se, sn)
