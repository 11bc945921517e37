"""WGS-84 frames, columnar: geodetic, Earth-centred Earth-fixed (ECEF), and local east-north-up (ENU).

Angles in radians, lengths in metres; one row per point. Latitude is geodetic, height is above the
ellipsoid, longitude is positive east. ECEF: x through latitude 0, longitude 0; z through the north pole.
Azimuth runs clockwise from true north, elevation upward from the horizon of the ellipsoid.

    site = geodetic_to_ecef(np.radians([[41.0, 140.7]]), ...)   # see geodetic_to_ecef
    range_m, azimuth_rad, elevation_rad = look_angles(target_ecef_m, site_lat_rad, site_lon_rad, site_height_m)

Sources: NIMA TR8350.2, "Department of Defense World Geodetic System 1984" (constants); B. R. Bowring,
"Transformation from spatial to geographical coordinates", Survey Review 23 (1976); P. D. Groves, "Principles
of GNSS, Inertial, and Multisensor Integrated Navigation Systems", 2nd ed., section 2.4 (ENU, look angles).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

SEMI_MAJOR_M = 6_378_137.0
FLATTENING = 1.0 / 298.257223563
SEMI_MINOR_M = SEMI_MAJOR_M * (1.0 - FLATTENING)
ECCENTRICITY_SQ = FLATTENING * (2.0 - FLATTENING)
SECOND_ECCENTRICITY_SQ = ECCENTRICITY_SQ / (1.0 - ECCENTRICITY_SQ)
MEAN_RADIUS_M = (2.0 * SEMI_MAJOR_M + SEMI_MINOR_M) / 3.0
GRAVITY_M3_S2 = 3.986004418e14
"""Gravitational constant times the Earth's mass, atmosphere included."""
EARTH_RATE_RAD_S = 7.292115e-5
"""Rotation of the Earth about +z, relative to the stars."""

_BOWRING_STEPS = 4
"""Three give 1e-12 rad from the surface to 10,000 km; the fourth also serves points deep underground."""


def geodetic_to_ecef(lat_rad: ArrayLike, lon_rad: ArrayLike, height_m: ArrayLike = 0.0) -> Floats:
    """ECEF position, shape (n, 3), of n geodetic points given as (n,) columns or scalars. Exact."""
    lat, lon, height = _columns(lat_rad, lon_rad, height_m)
    sin_lat, cos_lat = np.sin(lat), np.cos(lat)
    normal_m = SEMI_MAJOR_M / np.sqrt(1.0 - ECCENTRICITY_SQ * sin_lat**2)
    across_m = (normal_m + height) * cos_lat
    up_m = (normal_m * (1.0 - ECCENTRICITY_SQ) + height) * sin_lat
    return np.column_stack((across_m * np.cos(lon), across_m * np.sin(lon), up_m))


def ecef_to_geodetic(ecef_m: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Latitude, longitude (radians, longitude in (-pi, pi]) and height (m) as (n,) columns.

    ecef_m: (n, 3) or (3,). Good to 1e-11 rad and 1e-6 m from 10 km below the surface to 10,000 km above it,
    at the poles too, where the longitude is that of atan2. Source: Bowring (1976), iterated on the
    parametric latitude; height by the projection on the normal, which is sound at the poles.
    """
    x, y, z = np.atleast_2d(np.asarray(ecef_m, dtype=np.float64)).T
    across_m = np.hypot(x, y)
    parametric = np.arctan2(z, (1.0 - FLATTENING) * across_m)
    lat = parametric
    for _ in range(_BOWRING_STEPS):
        lat = np.arctan2(
            z + SECOND_ECCENTRICITY_SQ * SEMI_MINOR_M * np.sin(parametric) ** 3,
            across_m - ECCENTRICITY_SQ * SEMI_MAJOR_M * np.cos(parametric) ** 3,
        )
        parametric = np.arctan2((1.0 - FLATTENING) * np.sin(lat), np.cos(lat))
    sin_lat = np.sin(lat)
    surface_m = SEMI_MAJOR_M * np.sqrt(1.0 - ECCENTRICITY_SQ * sin_lat**2)
    return lat, np.arctan2(y, x), across_m * np.cos(lat) + z * sin_lat - surface_m


def enu_rotation(lat_rad: ArrayLike, lon_rad: ArrayLike) -> Floats:
    """Rotation from ECEF to ENU at n sites, shape (n, 3, 3): `enu = R @ ecef_difference`.

    Rows are the east, north and up unit vectors in ECEF; the transpose turns ENU into ECEF.
    """
    lat, lon = _columns(lat_rad, lon_rad)
    sin_lat, cos_lat, sin_lon, cos_lon = np.sin(lat), np.cos(lat), np.sin(lon), np.cos(lon)
    zero = np.zeros_like(lat)
    east = np.stack((-sin_lon, cos_lon, zero), axis=-1)
    north = np.stack((-sin_lat * cos_lon, -sin_lat * sin_lon, cos_lat), axis=-1)
    up = np.stack((cos_lat * cos_lon, cos_lat * sin_lon, sin_lat), axis=-1)
    return np.stack((east, north, up), axis=-2)


def ecef_to_enu(
    ecef_m: ArrayLike, site_lat_rad: ArrayLike, site_lon_rad: ArrayLike, site_height_m: ArrayLike = 0.0
) -> Floats:
    """Position relative to the site in its ENU frame, (n, 3). One site serves all points, or one each."""
    difference = np.atleast_2d(np.asarray(ecef_m, dtype=np.float64)) - geodetic_to_ecef(
        site_lat_rad, site_lon_rad, site_height_m
    )
    rotated: Floats = np.einsum("...ij,...j->...i", enu_rotation(site_lat_rad, site_lon_rad), difference)
    return rotated


def enu_to_ecef(
    enu_m: ArrayLike, site_lat_rad: ArrayLike, site_lon_rad: ArrayLike, site_height_m: ArrayLike = 0.0
) -> Floats:
    """ECEF position (n, 3) of points given relative to the site in its ENU frame; inverse of ecef_to_enu."""
    local = np.atleast_2d(np.asarray(enu_m, dtype=np.float64))
    turned: Floats = np.einsum("...ji,...j->...i", enu_rotation(site_lat_rad, site_lon_rad), local)
    return turned + geodetic_to_ecef(site_lat_rad, site_lon_rad, site_height_m)


def look_angles(
    ecef_m: ArrayLike, site_lat_rad: ArrayLike, site_lon_rad: ArrayLike, site_height_m: ArrayLike = 0.0
) -> tuple[Floats, Floats, Floats]:
    """Range (m), azimuth in [0, 2 pi) and elevation (rad) of n points seen from the site, (n,) columns.

    Geometric: no refraction. Straight overhead the azimuth is of no meaning.
    """
    east, north, up = ecef_to_enu(ecef_m, site_lat_rad, site_lon_rad, site_height_m).T
    level_m = np.hypot(east, north)
    azimuth = np.mod(np.arctan2(east, north), 2.0 * np.pi)
    # mod of a tiny negative angle rounds to 2 pi itself.
    azimuth = np.where(azimuth >= 2.0 * np.pi, 0.0, azimuth)
    return np.hypot(level_m, up), azimuth, np.arctan2(up, level_m)


def look_to_ecef(
    range_m: ArrayLike,
    azimuth_rad: ArrayLike,
    elevation_rad: ArrayLike,
    site_lat_rad: ArrayLike,
    site_lon_rad: ArrayLike,
    site_height_m: ArrayLike = 0.0,
) -> Floats:
    """ECEF position (n, 3) of points given by range, azimuth and elevation; inverse of look_angles."""
    distance, azimuth, elevation = _columns(range_m, azimuth_rad, elevation_rad)
    level_m = distance * np.cos(elevation)
    enu = np.column_stack(
        (level_m * np.sin(azimuth), level_m * np.cos(azimuth), distance * np.sin(elevation))
    )
    return enu_to_ecef(enu, site_lat_rad, site_lon_rad, site_height_m)


def unit_vectors(lat_rad: ArrayLike, lon_rad: ArrayLike) -> Floats:
    """Normals of the ellipsoid (n-vectors), (n, 3): the points of a unit sphere at these latitudes."""
    lat, lon = _columns(lat_rad, lon_rad)
    cos_lat = np.cos(lat)
    return np.column_stack((cos_lat * np.cos(lon), cos_lat * np.sin(lon), np.sin(lat)))


def wrap_longitude(lon_rad: ArrayLike) -> Floats:
    """The same longitudes within [-pi, pi); values inside are returned to the last bit."""
    lon = np.asarray(lon_rad, dtype=np.float64)
    turned: Floats = np.where(np.abs(lon) < np.pi, lon, np.mod(lon + np.pi, 2.0 * np.pi) - np.pi)
    return turned


def _columns(*values: ArrayLike) -> tuple[Floats, ...]:
    arrays = [np.atleast_1d(np.asarray(value, dtype=np.float64)) for value in values]
    return tuple(np.array(array) for array in np.broadcast_arrays(*arrays))
