"""A slow, plain version of the filter for one track, in NumPy, to hold the compiled one against.

Written for reading: matrices, `numpy.linalg`, no in-place work, `geo.frames` for all geometry, sigma points everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noroshi.geo.frames import ecef_to_geodetic, look_angles, look_to_ecef
from noroshi.tracking import Measurements
from noroshi.tracking.filtering import LN_BETA_MEAN, LN_BETA_SIGMA, VELOCITY_SIGMA_MPS
from tests.tracking.honesty import Floats

MU, J2, A, W = 3.986004418e14, 1.08262668e-3, 6378137.0, 7.292115e-5
ROOT3 = np.sqrt(3.0)


@dataclass
class Density:
    """A Gaussian."""

    mean: NDArray[Any]
    cov: NDArray[Any]


def begin(row: Measurements) -> Density:
    """State from one radar row."""
    site = ecef_to_geodetic(row.site_m)
    axes = np.diag(row.sigma[0])
    points = look_to_ecef(*(row.value[0] + spread(axes)).T, *(float(angle[0]) for angle in site))
    position = moments(points)
    mean = np.concatenate((position.mean, np.zeros(3), [LN_BETA_MEAN]))
    cov = np.diag([0.0] * 3 + [VELOCITY_SIGMA_MPS**2] * 3 + [LN_BETA_SIGMA**2])
    cov[:3, :3] = position.cov + np.eye(3) * (VELOCITY_SIGMA_MPS * row.clock_sigma_s[0]) ** 2
    return Density(mean, cov)


def predict(before: Density, dt: float) -> Density:
    """State dt seconds later."""
    if dt == 0:
        return before
    after = moments(move(before.mean + spread(np.linalg.cholesky(before.cov)), dt))
    noise = np.zeros((7, 7))
    for i in range(3):
        block = 1e-8 * np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]])
        noise[np.ix_([i, i + 3], [i, i + 3])] = block
    return Density(after.mean, after.cov + noise)


def update(prior: Density, row: Measurements) -> Density:
    """State after one radar row: linearised about the prior, and about the result where the radar is curved."""
    now = prior
    for attempt in range(3):
        points = now.mean[:3] + spread(np.linalg.cholesky(now.cov[:3, :3]))
        site = tuple(float(angle[0]) for angle in ecef_to_geodetic(row.site_m))
        seen = np.column_stack(look_angles(points, *site))
        seen[:, 1] = seen[0, 1] + wrap(seen[:, 1] - seen[0, 1])
        expected = moments(seen, own_axes=False)
        cross = sum((points[k] - now.mean[:3])[:, None] * (seen[k] - expected.mean) / 6 for k in range(1, 7))
        h = np.zeros((3, 7))
        h[:, :3] = np.linalg.solve(now.cov[:3, :3], cross).T
        missed = expected.cov - h[:, :3] @ now.cov[:3, :3] @ h[:, :3].T
        if attempt == 0 and not (np.diag(missed) > 1e-4 * row.sigma[0] ** 2).any():
            attempts = 1
        elif attempt == 0:
            attempts = 3
        speed = np.outer(now.mean[3:6], now.mean[3:6]) + now.cov[3:6, 3:6]
        clock = h[:, :3] @ speed @ h[:, :3].T * row.clock_sigma_s[0] ** 2
        noise = np.diag(row.sigma[0] ** 2) + missed + clock
        innovation = row.value[0] - expected.mean
        innovation[1] = wrap(innovation[1])
        innovation -= h @ (prior.mean - now.mean)
        gain = np.linalg.solve(h @ prior.cov @ h.T + noise, h @ prior.cov).T
        keep = np.eye(7) - gain @ h
        now = Density(prior.mean + gain @ innovation, keep @ prior.cov @ keep.T + gain @ noise @ gain.T)
        if attempt + 1 == attempts:
            break
    return now


def run(rows: Measurements) -> Density:
    """One track from rows in time order."""
    state = begin(rows[:1])
    for k in range(1, len(rows)):
        state = predict(state, (int(rows.time_ns[k]) - int(rows.time_ns[k - 1])) / 1e9)
        state = update(state, rows[k : k + 1])
    return state


def spread(root: NDArray[Any]) -> Floats:
    """Offsets of the centre and of two points per axis, +-sqrt(3) columns of the root: (2 n + 1, n)."""
    pairs = [sign * ROOT3 * root[:, k] for k in range(len(root)) for sign in (1, -1)]
    return np.array([np.zeros(len(root)), *pairs])


def moments(points: Floats, *, own_axes: bool = True) -> Density:
    """Mean and covariance of the images of `spread`. own_axes: each axis by itself, without products across axes."""
    d = points[1:] - points[0]
    middles = (d[0::2] + d[1::2]) / 6
    cov = d.T @ d / 6
    cov -= middles.T @ middles if own_axes else np.outer(middles.sum(0), middles.sum(0))
    return Density(points[0] + middles.sum(0), cov)


def move(states: Floats, dt: float) -> Floats:
    """States (k, 7) dt seconds later, four Runge-Kutta steps."""

    def slope(y: Floats) -> Floats:
        p, v = y[:, :3], y[:, 3:6]
        r = np.linalg.norm(p, axis=1, keepdims=True)
        k, z2 = 1.5 * J2 * (A / r) ** 2, (p[:, 2:] / r) ** 2
        a = -MU / r**3 * p * (1 + k * (np.array([1.0, 1.0, 3.0]) - 5 * z2))
        a[:, :2] += W**2 * p[:, :2] + 2 * W * np.column_stack((v[:, 1], -v[:, 0]))
        density = 1.225 * np.exp(-ecef_to_geodetic(p)[2] / 7200.0)
        slowing = 0.5 * density * np.linalg.norm(v, axis=1) / np.exp(y[:, 6])
        a -= np.where(np.einsum("ki,ki->k", p, v) < 0, slowing, 0.0)[:, None] * v
        return np.concatenate((v, a, np.zeros((len(y), 1))), axis=1)

    for _ in range(4):
        h = dt / 4
        k1 = slope(states)
        k2 = slope(states + h / 2 * k1)
        k3 = slope(states + h / 2 * k2)
        states = states + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(states + h * k3))
    return states


def wrap(angle: Floats) -> Floats:
    """Into (-pi, pi]."""
    turned: Floats = np.angle(np.exp(1j * angle))
    return turned
