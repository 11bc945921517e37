"""Prediction of columns: what `tracking.kernels.motion` and `tracking.kernels.states` say, where each is explained."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels import motion, states
from noroshi.tracking.plain.matrices import cholesky

Floats = NDArray[np.float64]


def predict_columns(mean: Floats, cov: Floats, dt: Floats, psd: float) -> tuple[Floats, Floats]:
    """States mean (7, n), cov (7, 7, n) after dt (n,) seconds each; psd: white acceleration noise, m^2/s^3."""
    straight = coasts(mean, cov, dt)
    out_mean, out_cov = mean.copy(), cov.copy()
    for chosen, way in ((straight, _coast), (~straight & (dt != 0), _spread)):
        if chosen.all() and len(chosen):
            return way(mean, cov, dt, psd)
        if chosen.any():
            out_mean[:, chosen], out_cov[:, :, chosen] = way(
                np.ascontiguousarray(mean[:, chosen]),
                np.ascontiguousarray(cov[:, :, chosen]),
                dt[chosen],
                psd,
            )
    return out_mean, out_cov


def coasts(mean: Floats, cov: Floats, dt: Floats) -> NDArray[np.bool_]:
    """Whether the derivative says all of a prediction."""
    r2 = _square(mean[:3])
    place, speed = cov[0, 0] + cov[1, 1] + cov[2, 2], cov[3, 3] + cov[4, 4] + cov[5, 5]
    short = (np.abs(dt) <= motion.COAST_STEP_S) & (dt != 0)
    short &= 1.5 * motion.MU * place * dt * dt <= states.CURVED_M * r2 * r2
    r = np.sqrt(r2)
    climb = (mean[:3] * mean[3:6]).sum(0) / r
    down = climb - states.CLEAR_SIGMAS * np.sqrt(speed) - np.abs(dt) * (motion.MU / r2)
    lowest = r - states.CLEAR_SIGMAS * np.sqrt(place) + np.minimum(down * np.abs(dt), 0.0)
    found: NDArray[np.bool_] = short & ((down > 0) | (lowest > motion.EQUATOR_M + motion.DRAG_TOP_M))
    return found


def _coast(mean: Floats, cov: Floats, dt: Floats, psd: float) -> tuple[Floats, Floats]:
    phi = transition(mean, dt)
    half = np.einsum("ikn,kjn->ijn", phi, cov[:6])
    out = cov.copy()
    out[:6, :6] = np.einsum("ikn,jkn->ijn", half[:, :6], phi)
    out[:6, 6] = half[:, 6]
    moved = mean.copy()
    moved[:6] = motion_step(mean[:6], dt, np.zeros_like(dt))
    return moved, with_noise(out, dt, psd)


def transition(mean: Floats, dt: Floats) -> Floats:
    """Derivative (6, 6, n) of free fall over dt, without drag, to the third order of dt."""
    n = len(dt)
    p = mean[:3] + 0.5 * dt * mean[3:6]
    r2 = _square(p)
    m = motion.MU / (r2 * np.sqrt(r2))
    k, e = m * (1.5 * motion.J2 * motion.EQUATOR_M**2 / r2), p[2] * p[2] / r2
    g = (3 * m + 5 * k * (1 - 7 * e)) / r2 * p[:, None] * p[None]
    d = 10 * k * p[2] / r2
    g[2] += d * p
    g[:, 2] += d * p
    g[2, 2] -= 2 * k
    turn = np.zeros((3, 3, 1))
    turn[0, 1], turn[1, 0] = 2 * motion.SPIN, -2 * motion.SPIN
    for i in range(3):
        g[i, i] -= m + k * (1 - 5 * e)
    g[0, 0] += motion.SPIN**2
    g[1, 1] += motion.SPIN**2
    turns = np.broadcast_to(turn, (3, 3, n))
    wg, gw = _times(turns, g), _times(g, turns)
    second = g + _times(turns, turns)
    h2, h3 = 0.5 * dt * dt, dt**3 / 6
    phi = np.zeros((6, 6, n))
    phi[:3, :3] = h2 * g + h3 * wg
    phi[:3, 3:] = h2 * turns + h3 * second
    phi[3:, :3] = dt * g + h2 * wg + h3 * (_times(g, g) + _times(turns, wg))
    phi[3:, 3:] = dt * turns + h2 * second + h3 * (gw + _times(turns, second))
    for i in range(6):
        phi[i, i] += 1
        if i < 3:
            phi[i, i + 3] += dt
    return phi


def _spread(mean: Floats, cov: Floats, dt: Floats, psd: float) -> tuple[Floats, Floats]:
    n = len(dt)
    r2 = _square(mean[:3])
    bent = 3 * motion.MU / (r2 * r2) * (cov[0, 0] + cov[1, 1] + cov[2, 2])
    low = states.SPREAD * cholesky(cov)
    points = np.repeat(mean[:, None], 15, 1)
    points[:, 1:8] += low
    points[:, 8:] -= low
    after = advance(points[:6].reshape(6, -1), np.tile(dt, 15), np.exp(-points[6].reshape(-1)))
    centre = after[:, :n].copy()
    d = np.concatenate((after.reshape(6, 15, n) - centre[:, None], (points[6] - mean[6])[None]))
    plus, minus = d[:, 1:8], d[:, 8:]
    middle = states.OUTER * (plus + minus)
    out = states.OUTER * (np.einsum("ian,jan->ijn", plus, plus) + np.einsum("ian,jan->ijn", minus, minus))
    out -= np.einsum("ian,jan->ijn", middle, middle)
    moved = mean.copy()
    moved[:6] = centre + middle[:6].sum(1)
    return moved, with_noise(out, dt, psd + states.BENT_S * bent * bent)


def with_noise(cov: Floats, dt: Floats, psd: Any) -> Floats:
    """With white acceleration over dt, in place, and symmetric."""
    t = np.abs(dt)
    for i in range(3):
        cov[i, i] += psd * t**3 / 3
        cov[i, i + 3] += psd * t * dt / 2
        cov[i + 3, i + 3] += psd * t
    for i in range(1, 7):
        cov[i, :i] = cov[:i, i]
    return cov


def acceleration(p: Floats, v: Floats, inv_beta: Floats) -> Floats:
    """ECEF acceleration (3, n) with drag on the way down."""
    r2 = _square(p)
    r = np.sqrt(r2)
    g = -motion.MU / (r2 * r)
    k = 1.5 * motion.J2 * motion.EQUATOR_M**2 / r2
    q = 5 * p[2] * p[2] / r2
    a: Floats = np.stack(
        (
            g * p[0] * (1 + k * (1 - q)) + motion.SPIN**2 * p[0] + 2 * motion.SPIN * v[1],
            g * p[1] * (1 + k * (1 - q)) + motion.SPIN**2 * p[1] - 2 * motion.SPIN * v[0],
            g * p[2] * (1 + k * (3 - q)),
        )
    )
    low = (inv_beta > 0) & (r < motion.EQUATOR_M + motion.DRAG_TOP_M) & ((p * v).sum(0) < 0)
    if low.any():
        h = height(p[:, low])
        density = motion.SEA_LEVEL_DENSITY * np.exp(-np.maximum(h, 0.0) / motion.SCALE_HEIGHT_M)
        slow = 0.5 * density * np.sqrt(_square(v[:, low])) * inv_beta[low]
        a[:, low] -= np.where(h < motion.DRAG_TOP_M, slow, 0.0) * v[:, low]
    return a


def height(p: Floats) -> Floats:
    """Height above the ellipsoid along the geocentric line, m."""
    flat = p[0] * p[0] + p[1] * p[1]
    r = np.sqrt(flat + p[2] * p[2])
    found: Floats = r - motion.POLAR_M * r / np.sqrt((1 - motion.E2) * flat + p[2] * p[2])
    return found


def motion_step(state: Floats, h: Floats, inv_beta: Floats) -> Floats:
    """One Runge-Kutta step of states (6, n) by h (n,) seconds."""
    p, v = state[:3], state[3:]
    a1 = acceleration(p, v, inv_beta)
    v2 = v + 0.5 * h * a1
    a2 = acceleration(p + 0.5 * h * v, v2, inv_beta)
    v3 = v + 0.5 * h * a2
    a3 = acceleration(p + 0.5 * h * v2, v3, inv_beta)
    v4 = v + h * a3
    a4 = acceleration(p + h * v3, v4, inv_beta)
    return np.concatenate((p + h / 6 * (v + 2 * (v2 + v3) + v4), v + h / 6 * (a1 + 2 * (a2 + a3) + a4)))


def allowed_step(state: Floats, inv_beta: Floats) -> Floats:
    """The longest step (n,), s."""
    p, v = state[:3], state[3:]
    r = np.sqrt(_square(p))
    climb, h = (p * v).sum(0) / r, height(p)
    safe = np.where(climb == 0, 1.0, climb)
    coast = motion.COAST_STEP_S
    above = np.where(
        climb >= 0, coast, np.minimum(coast, np.maximum(0.5, 0.8 * (motion.FINE_BELOW_M - h) / safe))
    )
    up = np.minimum(coast, np.maximum(0.5, climb / 20))
    density = motion.SEA_LEVEL_DENSITY * np.exp(-np.maximum(h, 0.0) / motion.SCALE_HEIGHT_M)
    rate = 0.5 * density * np.sqrt(_square(v)) * inv_beta
    down = np.minimum(1.0, 0.2 * motion.SCALE_HEIGHT_M / np.maximum(-climb, 1.0))
    down = np.where(rate < motion.FASTEST_DRAG_HZ, np.minimum(down, 0.25 / np.maximum(rate, 1e-9)), coast)
    step = np.where(h > motion.FINE_BELOW_M, above, np.where(climb > 0, up, down))
    free = (inv_beta <= 0) | (r > motion.EQUATOR_M + 1.2e6)
    return np.where(free, coast, step)


def advance(state: Floats, dt: Floats, inv_beta: Floats) -> Floats:
    """States (6, n) after dt (n,) seconds, forwards or backwards, in allowed steps."""
    state, left = state.copy(), dt.copy()
    while True:
        live = np.flatnonzero(left)
        if not len(live):
            return state
        now = state[:, live]
        step = allowed_step(now, inv_beta[live])
        last = np.abs(left[live]) <= step
        step = np.where(last, left[live], np.copysign(step, left[live]))
        left[live] = np.where(last, 0.0, left[live] - step)
        state[:, live] = motion_step(now, step, inv_beta[live])


def _square(v: Floats) -> Floats:
    found: Floats = v[0] * v[0] + v[1] * v[1] + v[2] * v[2]
    return found


def _times(a: Floats, b: Floats) -> Floats:
    found: Floats = np.einsum("ikn,kjn->ijn", a, b)
    return found
