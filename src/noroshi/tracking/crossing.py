"""Two infrared rows of one object: where the lines of sight of two sensors cross.

A single line says nothing of the distance; two from different places do. Lines of false alarms miss each other, or
cross under the ground or far out in space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.geo.frames import ecef_to_geodetic, enu_rotation
from noroshi.tracking.filtering import LN_BETA_MEAN, LN_BETA_SIGMA, VELOCITY_SIGMA_MPS
from noroshi.tracking.measurements import Measurements
from noroshi.tracking.tracks import SIZE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CROSS_SCORE = 4.0
"""Lines that pass one another by more than this many sigmas are not of one object."""
LEAST_ANGLE = 0.02
"""Sine of the angle between the lines below which they are too parallel to say where they cross."""
HEIGHTS_M = (0.0, 2e6)
"""Where an object in flight is when it is first seen by two."""


@dataclass(frozen=True, eq=False)
class Crossings:
    """new, old (k,): the rows that cross, each at most once; mean (k, 7), covariance (k, 7, 7): the state at the new
    row's time, its velocity unknown.
    """

    new: Ints
    old: Ints
    mean: Floats
    covariance: Floats


def directions(rows: Measurements) -> Floats:
    """Unit vectors (m, 3), ECEF, along which the sensors saw."""
    lat, lon, _ = ecef_to_geodetic(rows.site_m)
    azimuth, elevation = rows.value[:, 1], rows.value[:, 2]
    flat = np.cos(elevation)
    local = np.column_stack((flat * np.sin(azimuth), flat * np.cos(azimuth), np.sin(elevation)))
    turned: Floats = np.einsum("mji,mj->mi", enu_rotation(lat, lon), local)
    return turned


def cross(new: Measurements, old: Measurements) -> Crossings:
    """The rows whose lines cross, the closest first; both infrared, the old ones a little older.

    The nearest points of two lines: Eberly, Geometric Tools for Computer Graphics 2003, section 10.8.
    """
    a, b = directions(new)[:, None], directions(old)[None]
    apart = new.site_m[:, None] - old.site_m[None]
    cosine = (a * b).sum(axis=2)
    sine2 = 1 - cosine**2
    wide = sine2 > LEAST_ANGLE**2
    along, beside = (a * apart).sum(axis=2), (b * apart).sum(axis=2)
    scale = np.where(wide, sine2, 1.0)
    far_a, far_b = (cosine * beside - along) / scale, (beside - cosine * along) / scale
    point_a = new.site_m[:, None] + far_a[..., None] * a
    point_b = old.site_m[None] + far_b[..., None] * b
    gap = np.sqrt(((point_a - point_b) ** 2).sum(axis=2))
    between_s = np.abs(new.time_ns[:, None] - old.time_ns[None]) / NS_PER_S
    sharp = [
        np.sqrt((rows.sigma[:, 1:] ** 2 + rows.bias_sigma[:, 1:] ** 2).max(axis=1)) for rows in (new, old)
    ]
    spread = np.hypot(np.abs(far_a) * sharp[0][:, None], np.abs(far_b) * sharp[1][None])
    spread = np.hypot(spread, VELOCITY_SIGMA_MPS * between_s)
    high = ecef_to_geodetic(point_a.reshape(-1, 3))[2].reshape(gap.shape)
    fits = wide & (far_a > 0) & (far_b > 0) & (gap < CROSS_SCORE * spread)
    fits &= (high > HEIGHTS_M[0]) & (high < HEIGHTS_M[1])
    badness = np.where(fits, gap / spread, np.inf)
    chosen: list[tuple[int, int]] = []
    for number in np.argsort(badness, axis=None, kind="stable")[: int(fits.sum())]:
        i, j = divmod(int(number), len(old))
        if all(i != x and j != y for x, y in chosen):
            chosen.append((i, j))
    pairs = np.array(chosen, np.int64).reshape(-1, 2)
    first, second = pairs[:, 0], pairs[:, 1]
    mean, cov = np.zeros((len(pairs), SIZE)), np.zeros((len(pairs), SIZE, SIZE))
    mean[:, :3], mean[:, 6] = 0.5 * (point_a + point_b)[first, second], LN_BETA_MEAN
    place = spread[first, second] / np.sqrt(sine2[first, second])
    for axis in range(3):
        cov[:, axis, axis] = place**2
        cov[:, axis + 3, axis + 3] = VELOCITY_SIGMA_MPS**2
    cov[:, 6, 6] = LN_BETA_SIGMA**2
    return Crossings(first, second, mean, cov)
