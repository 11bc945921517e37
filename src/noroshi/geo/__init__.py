"""WGS-84 frames, geodesics, areas on the Earth, and the world's populated places; pure and columnar.

from noroshi.geo import corridor, decode
"""

from __future__ import annotations

from noroshi.geo.areas import (
    Area,
    AreaError,
    RingError,
    circle,
    corridor,
    ellipse,
    from_rings_deg,
    intersection,
    union,
)
from noroshi.geo.frames import (
    EARTH_RATE_RAD_S,
    ECCENTRICITY_SQ,
    FLATTENING,
    GRAVITY_M3_S2,
    MEAN_RADIUS_M,
    SEMI_MAJOR_M,
    SEMI_MINOR_M,
    ecef_to_enu,
    ecef_to_geodetic,
    enu_rotation,
    enu_to_ecef,
    geodetic_to_ecef,
    look_angles,
    look_to_ecef,
    unit_vectors,
    wrap_longitude,
)
from noroshi.geo.geodesic import (
    BadShapeError,
    OffTrack,
    destination,
    distance_m,
    inverse,
    nearest_vertex,
    off_track,
    path_lengths_m,
)
from noroshi.geo.placefile import PlaceTableError, table_path
from noroshi.geo.places import Country, PlaceTable, Region, RegionRow, decode

__all__ = [
    "EARTH_RATE_RAD_S",
    "ECCENTRICITY_SQ",
    "FLATTENING",
    "GRAVITY_M3_S2",
    "MEAN_RADIUS_M",
    "SEMI_MAJOR_M",
    "SEMI_MINOR_M",
    "Area",
    "AreaError",
    "BadShapeError",
    "Country",
    "OffTrack",
    "PlaceTable",
    "PlaceTableError",
    "Region",
    "RegionRow",
    "RingError",
    "circle",
    "corridor",
    "decode",
    "destination",
    "distance_m",
    "ecef_to_enu",
    "ecef_to_geodetic",
    "ellipse",
    "enu_rotation",
    "enu_to_ecef",
    "from_rings_deg",
    "geodetic_to_ecef",
    "intersection",
    "inverse",
    "look_angles",
    "look_to_ecef",
    "nearest_vertex",
    "off_track",
    "path_lengths_m",
    "table_path",
    "union",
    "unit_vectors",
    "wrap_longitude",
]
