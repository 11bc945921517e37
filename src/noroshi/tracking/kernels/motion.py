"""Motion: free fall over the turning Earth with drag on the way down, and where it ends.

Rules: scalar loops in a fixed order, so equal input gives equal bits. State: Earth-fixed (ECEF, WGS-84) position m and
velocity m/s. Sources of the equations are named at each function and in the manual.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.geo import frames
from noroshi.tracking.kernels.compiling import compiled

Floats = NDArray[np.float64]

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
FASTEST_DRAG_HZ = 1000.0
"""A drag that would stop an object within a millisecond is none: at sea level, a leaf at the speed of a re-entry."""


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
def acceleration(
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
def motion_step(
    x: float, y: float, z: float, u: float, v: float, w: float, h: float, inv_beta: float
) -> tuple[float, float, float, float, float, float]:
    """One classical fourth-order Runge-Kutta step of h seconds (negative: backwards)."""
    a = 0.5 * h
    ax1, ay1, az1 = acceleration(x, y, z, u, v, w, inv_beta)
    u2, v2, w2 = u + a * ax1, v + a * ay1, w + a * az1
    ax2, ay2, az2 = acceleration(x + a * u, y + a * v, z + a * w, u2, v2, w2, inv_beta)
    u3, v3, w3 = u + a * ax2, v + a * ay2, w + a * az2
    ax3, ay3, az3 = acceleration(x + a * u2, y + a * v2, z + a * w2, u3, v3, w3, inv_beta)
    u4, v4, w4 = u + h * ax3, v + h * ay3, w + h * az3
    ax4, ay4, az4 = acceleration(x + h * u3, y + h * v3, z + h * w3, u4, v4, w4, inv_beta)
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
def allowed_step(x: float, y: float, z: float, u: float, v: float, w: float, inv_beta: float) -> float:
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
def advance(
    x: float, y: float, z: float, u: float, v: float, w: float, dt: float, inv_beta: float
) -> tuple[float, float, float, float, float, float]:
    """Motion over dt seconds, forwards or backwards, in allowed steps."""
    left = dt
    while left != 0:
        step = allowed_step(x, y, z, u, v, w, inv_beta)
        if abs(left) <= step:
            step, left = left, 0.0
        else:
            step = math.copysign(step, left)
            left -= step
        x, y, z, u, v, w = motion_step(x, y, z, u, v, w, step, inv_beta)
    return x, y, z, u, v, w


@compiled
def touch(
    x: float, y: float, z: float, u: float, v: float, w: float, step: float, inv_beta: float
) -> tuple[float, float, float, float]:
    """Position and seconds at which the surface is met inside a step that crosses it (bracketed Newton)."""
    low, high, tau = 0.0, step, 0.5 * step
    px, py, pz = x, y, z
    for _ in range(30):
        px, py, pz, pu, pv, pw = motion_step(x, y, z, u, v, w, tau, inv_beta)
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
def fall(
    x: float, y: float, z: float, u: float, v: float, w: float, inv_beta: float
) -> tuple[float, float, float, float]:
    """Where (ECEF m) and after how many seconds an object meets the surface on its way down; -1 s: not in two hours."""
    t = 0.0
    if height(x, y, z) <= 0 and x * u + y * v + z * w < 0:
        return x, y, z, 0.0
    while t < FALL_WITHIN_S:
        step = allowed_step(x, y, z, u, v, w, inv_beta)
        a, b, c, d, e, f = motion_step(x, y, z, u, v, w, step, inv_beta)
        if a * d + b * e + c * f < 0 and height(a, b, c) < 0:
            a, b, c, tau = touch(x, y, z, u, v, w, step, inv_beta)
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
            step = allowed_step(x, y, z, u, v, w, inv_beta[i])
            a, b, c, d, e, f = motion_step(x, y, z, u, v, w, step, inv_beta[i])
            end = t + step
            down = a * d + b * e + c * f < 0 and height(a, b, c) < 0
            if down:
                a, b, c, tau = touch(x, y, z, u, v, w, step, inv_beta[i])
                end = t + tau
            while k < times.shape[0] and times[k] < end:
                p = motion_step(x, y, z, u, v, w, times[k] - t, inv_beta[i])
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
        a, b, c, t = fall(x, y, z, u, v, w, inv_beta[i])
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = a, b, c, t
        now, top, top_s = 0.0, height(x, y, z), 0.0
        while now < FALL_WITHIN_S and x * u + y * v + z * w > 0:
            step = allowed_step(x, y, z, u, v, w, inv_beta[i])
            a, b, c, d, e, f = motion_step(x, y, z, u, v, w, step, inv_beta[i])
            if (
                a * d + b * e + c * f <= 0
            ):  # the highest point lies inside this step: golden section on the height
                low, high = 0.0, step
                for _ in range(60):
                    m1, m2 = low + 0.381966 * (high - low), high - 0.381966 * (high - low)
                    p1 = motion_step(x, y, z, u, v, w, m1, inv_beta[i])
                    p2 = motion_step(x, y, z, u, v, w, m2, inv_beta[i])
                    if geodetic(p1[0], p1[1], p1[2])[2] > geodetic(p2[0], p2[1], p2[2])[2]:
                        high = m2
                    else:
                        low = m1
                p = motion_step(x, y, z, u, v, w, 0.5 * (low + high), inv_beta[i])
                top, top_s = geodetic(p[0], p[1], p[2])[2], now + 0.5 * (low + high)
            x, y, z, u, v, w = a, b, c, d, e, f
            now += step
        out[i, 4], out[i, 5] = top, top_s
