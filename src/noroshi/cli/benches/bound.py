"""The posterior Cramer-Rao bound of an arc: the least error that any filter can have with these rows and this prior.

Motion without noise carries all information back to the first row: J = J0 + sum of F' H' R^-1 H F over the rows, with F
the transition from the first row to each and H the radar's slope at the true state; the bound at a row is F J^-1 F'
(Tichavsky, Muravchik and Nehorai 1998, with zero process noise). J0 is what noroshi's own first row gives: the radar's
information and a velocity of zero within the prior's sigma. Slopes are central differences.

The fall is a function of the state and of the coefficient, of which the rows say nothing until drag is felt, so the
least squared error is the mean of G P G' over the coefficients plus the variance of the fall over them.
"""

from __future__ import annotations

import math

import numpy as np

from noroshi.cli.benches.arcs import Case, Floats, look, sigmas
from noroshi.geo.frames import ecef_to_geodetic, enu_rotation
from noroshi.tracking import propagate
from noroshi.tracking.dynamics import fly
from noroshi.tracking.filtering import BETA_RANGE_KGM2, VELOCITY_SIGMA_MPS

STEP = np.array([100.0] * 3 + [1.0] * 3)
"""Steps of the central differences, m and m/s."""
NODES = 5
"""Coefficients at which the fall is taken, at the nodes of a uniform density of their logarithm."""


def perturbed(state: Floats) -> Floats:
    """The state moved up and down along each axis: (12, 6)."""
    return np.concatenate((state + np.diag(STEP), state - np.diag(STEP)))


def state_bounds(case: Case, rows: list[int]) -> Floats:
    """Bound on the covariance of position and velocity after each of these rows of the schedule, (k, 6, 6)."""
    first = propagate(case.arc.state, case.time_s[:1])[0, 0]
    after = case.time_s - case.time_s[0]
    truth = propagate(first, after)[0]
    moved = propagate(perturbed(first), after)
    transition = np.moveaxis((moved[:6] - moved[6:]) / (2 * STEP[:, None, None]), 0, 2)
    information = np.diag([0.0] * 3 + [VELOCITY_SIGMA_MPS**-2] * 3)
    found = []
    for k in range(max(rows) + 1):
        radar = int(case.radar[k])
        seen = look(perturbed(truth[k])[:, :3], radar)
        turn = seen[:6] - seen[6:]
        turn[:, 1] = np.arctan2(np.sin(turn[:, 1]), np.cos(turn[:, 1]))
        slope = (turn / (2 * STEP[:, None])).T / sigmas(radar)[:, None] @ transition[k]
        information = information + slope.T @ slope
        if k in rows:
            found.append(transition[k] @ np.linalg.inv(information) @ transition[k].T)
    return np.array(found)


def fall_bound(case: Case, row: int, bound: Floats, *, drag: bool) -> Floats:
    """Bound on the covariance of the fall (east m, north m, time s) given that of the state at the row.

    drag: whether the coefficient is unknown, log-uniform within `BETA_RANGE_KGM2`, or known to be none.
    """
    state = propagate(case.arc.state, case.time_s[row : row + 1])[0, 0]
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    low, high = np.log(BETA_RANGE_KGM2)
    betas = [math.exp((low + high + x * (high - low)) / 2) for x in nodes] if drag else [None]
    lat, lon, _ = ecef_to_geodetic(fly(state, 5000.0)[:, :3])
    flat = enu_rotation(float(lat[0]), float(lon[0]))[0, :2]
    mean_square, values = np.zeros((3, 3)), []
    weights = weights / 2 if drag else np.ones(1)
    for beta, weight in zip(betas, weights, strict=True):
        down = fly(np.concatenate((state[None], perturbed(state))), beta)
        value = np.column_stack((down[:, :3] @ flat.T, down[:, 3]))
        slope = ((value[1:7] - value[7:]) / (2 * STEP[:, None])).T
        mean_square += weight * (slope @ bound @ slope.T)
        values.append(value[0])
    away = np.array(values) - weights @ np.array(values)
    return np.asarray(mean_square + (weights[:, None] * away).T @ away)
