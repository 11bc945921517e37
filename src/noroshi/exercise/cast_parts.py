"""What scenarios and settings say alike of those who take part: partners, shared units, sensors, posts, relays.

Types only. A scenario adds to each how the modelled world and its persons behave, and under which structures it is in
force; a setting adds what is known of real instruments and what real alerts say. `cast` makes the same records of both,
and `cast_checks` finds the same faults in both.

Angles in files are degrees and milliradians, lengths metres, times seconds.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from noroshi.exercise.parts import Latitude, Longitude, Name, Part, PartnerRules, Positive, Trigraph
from noroshi.messages.bodies_reach import MAX_HOPS


class PartnerPart(Part, frozen=True, kw_only=True):
    """A nation that takes part: its trigraph, its nation code in the structure, its node, its policy.

    areas: an agency's own areas, a GeoJSON file beside the file.
    """

    id: Trigraph
    nation: str
    name: str
    node: Name
    areas: str = ""
    rules: PartnerRules = PartnerRules()


class ServedPart(Part, frozen=True, kw_only=True):
    """Which node serves a unit that is not of one partner's nation only."""

    unit: str
    node: Name


class SensorPart(Part, frozen=True, kw_only=True):
    """A radar, or an infrared sensor (angles only), of a unit. Its figures are 1-sigma.

    A radar has `sigma_range_m`, and with `sigma_range_rate_mps` it measures the range rate too; an infrared sensor has
    neither.
    """

    id: Name
    unit: str
    sensing: Literal["radar", "infrared"] = "radar"
    lat_deg: Latitude
    lon_deg: Longitude
    height_m: float = 0.0
    sigma_range_m: Positive | None = None
    sigma_range_rate_mps: Positive | None = None
    sigma_azimuth_mrad: Positive
    sigma_elevation_mrad: Positive


class PostPart(Part, frozen=True, kw_only=True):
    """A seat of a unit, by whose name its own begins, and what whoever sits in it does there."""

    id: Name
    unit: str
    title: str
    duties: Annotated[tuple[str, ...], Meta(min_length=1)]


class RelayPart(Part, frozen=True, kw_only=True):
    """What is to carry a unit's alerts to its last hops. roster: whose last hops it serves; its own if left out."""

    id: Name
    unit: str
    roster: Name | None = None
    last_hops: Annotated[int, Meta(ge=1, le=MAX_HOPS)]
