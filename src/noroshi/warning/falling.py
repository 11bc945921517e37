"""How probable it is that a predicted fall lies near a place; for many places at once.

The fall point is Gaussian over east and north. Its parts come down around it, which adds a circular spread. The
probability of the circle around a place is an integral over the longer principal axis, x, of the exact integral over
the shorter one, y:

    P = int phi(x; X, s1) [Phi((h - Y) / s2) - Phi((-h - Y) / s2)] dx,   h = sqrt(r^2 - x^2)

by Gauss-Legendre quadrature over the part of (-r, r) that lies within six sigmas of X.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from noroshi.geo.frames import SEMI_MAJOR_M, enu_rotation, geodetic_to_ecef
from noroshi.messages.bodies import FallRow
from noroshi.tracking import Falls
from noroshi.warning.rules import FALL_NEAR_M
from noroshi.warning.watch import Floats, Ints, Watch

DEBRIS_SIGMA_M = 15_000.0
"""How far parts come down from the predicted point, one standard deviation per axis. Notional."""

REACH_SIGMAS = 6.0
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


@dataclass(frozen=True, slots=True)
class Fall:
    """One predicted fall. covariance: (3, 3) over east m, north m and time s; probability: that there is a fall."""

    latitude_rad: float
    longitude_rad: float
    time_ns: int
    covariance: Floats
    probability: float = 1.0

    @property
    def sigma_s(self) -> float:
        """Standard deviation of the time of the fall, s."""
        return float(np.sqrt(self.covariance[2, 2]))

    @property
    def least_sigma_m(self) -> float:
        """The shorter semi-axis of the one-sigma ellipse, m, without the debris."""
        return float(np.sqrt(max(np.linalg.eigvalsh(self.covariance[:2, :2])[0], 0.0)))


def greatest_sigma_m(fall: Fall) -> float:
    """The longer semi-axis of the one-sigma ellipse, m, without the debris."""
    return float(np.sqrt(max(np.linalg.eigvalsh(fall.covariance[:2, :2])[1], 0.0)))


def fall_of(falls: Falls, row: int = 0) -> Fall | None:
    """One row of the predicted falls; None where there is no valid one."""
    if not falls.valid[row]:
        return None
    lat_rad, lon_rad = float(falls.lat_rad[row]), float(falls.lon_rad[row])
    return Fall(lat_rad, lon_rad, int(falls.time_ns[row]), falls.covariance[row])


def fall_in(row: FallRow | None) -> Fall | None:
    """The fall that a warning or a draft carries; None where it has none."""
    if row is None:
        return None
    covariance = np.array(row.covariance, np.float64).reshape(3, 3)
    return Fall(row.latitude_rad, row.longitude_rad, row.time_ns, covariance)


def falls_near(fall: Fall, watch: Watch, near_m: float | Floats = FALL_NEAR_M) -> tuple[Ints, Floats]:
    """Index into the watch of places that the fall may lie within `near_m` of, and the probability of each.

    near_m: one for all, or one per place of the watch.
    """
    values, axes = np.linalg.eigh(fall.covariance[:2, :2])
    minor_m, major_m = np.sqrt(np.maximum(values, 0.0) + DEBRIS_SIGMA_M**2)
    centre = geodetic_to_ecef(fall.latitude_rad, fall.longitude_rad)[0]
    place = watch.near(
        centre[None, :], np.array([float(np.max(near_m, initial=0.0)) + REACH_SIGMAS * major_m])
    )
    if not len(place):
        return place, np.zeros(0)
    if isinstance(near_m, np.ndarray):
        near_m = near_m[place]
    offset = watch.point_m[place] - centre
    chord_m = np.sqrt(np.einsum("ij,ij->i", offset, offset))
    arc_m = 2.0 * SEMI_MAJOR_M * np.arcsin(np.minimum(chord_m / (2.0 * SEMI_MAJOR_M), 1.0))
    flat = offset @ enu_rotation(fall.latitude_rad, fall.longitude_rad)[0, :2].T
    flat *= (arc_m / np.maximum(np.linalg.norm(flat, axis=1), 1.0))[:, None]
    across_m, along_m = (flat @ axes).T
    probability = circle_probability(along_m, across_m, major_m, minor_m, near_m) * fall.probability
    return place, probability


def circle_probability(
    x_m: Floats, y_m: Floats, major_m: float, minor_m: float, radius_m: float | Floats
) -> Floats:
    """P that a centred Gaussian with these principal sigmas lies within `radius_m` of the points (x, y): (k,).

    radius_m: one for all, or one per point.
    """
    low = np.maximum(-radius_m, -x_m - REACH_SIGMAS * major_m)
    high = np.minimum(radius_m, -x_m + REACH_SIGMAS * major_m)
    half = np.maximum(high - low, 0.0) / 2.0
    x = (low + high)[:, None] / 2.0 + half[:, None] * _NODES
    h = np.sqrt(np.maximum(np.broadcast_to(radius_m, len(x_m))[:, None] ** 2 - x**2, 0.0))
    density = np.exp(-0.5 * ((x + x_m[:, None]) / major_m) ** 2) / (major_m * np.sqrt(2.0 * np.pi))
    inner = ndtr((h - y_m[:, None]) / minor_m) - ndtr((-h - y_m[:, None]) / minor_m)
    return np.asarray(np.clip(half * ((density * inner) @ _WEIGHTS), 0.0, 1.0))
