"""Rings and points as GeoJSON writes them: degrees, longitude first, five decimals (about a metre).

rings_deg([[[0.7, 2.4], [0.7, 2.5], [0.8, 2.5], [0.7, 2.4]]])[0][0]        # [137.50987, 40.10705]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import degrees

import numpy as np

DECIMALS = 5


def point_deg(latitude_rad: float, longitude_rad: float) -> list[float]:
    """[longitude, latitude] in degrees. A longitude of exactly 180 keeps its sign: a ring's side tells which it is."""
    longitude = degrees(longitude_rad)
    if abs(longitude) > 180.0 + 1e-9:
        longitude = (longitude + 180.0) % 360.0 - 180.0
    return [round(longitude, DECIMALS) + 0.0, round(degrees(latitude_rad), DECIMALS) + 0.0]


def rings_deg(rings: Iterable[Sequence[Sequence[float]]]) -> list[list[list[float]]]:
    """Rings of [latitude_rad, longitude_rad] corners as rings of [longitude, latitude] degrees, in the same order."""
    return [_ring_deg(ring) for ring in rings]


def _ring_deg(ring: Sequence[Sequence[float]]) -> list[list[float]]:
    corners = np.degrees(np.array(ring, np.float64).reshape(-1, 2)[:, ::-1])
    beyond = np.abs(corners[:, 0]) > 180.0 + 1e-9
    corners[beyond, 0] = (corners[beyond, 0] + 180.0) % 360.0 - 180.0
    plain: list[list[float]] = (np.round(corners, DECIMALS) + 0.0).tolist()
    return plain
