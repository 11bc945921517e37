"""The shapes that go with a draft: sound rings, as wide as what is warned, and cut where the map ends."""

from __future__ import annotations

import numpy as np
import pytest
import shapely

from noroshi.messages.bodies import Ring
from noroshi.warning.draft import Evidence
from noroshi.warning.drafting import corridor_rings, draft_of, ellipse_rings, fall_row
from noroshi.warning.passing import passages
from noroshi.warning.rules import WarningRules
from tests.warning.scenes import RULES, START_NS, course, draft_at, fall_at, small_watch


def polygon(ring: Ring) -> shapely.Polygon:
    """In degrees, longitude first."""
    return shapely.Polygon([(np.degrees(lon), np.degrees(lat)) for lat, lon in ring])


def sound(rings: tuple[Ring, ...]) -> bool:
    return all(
        ring[0] == ring[-1] and polygon(ring).is_valid and polygon(ring).exterior.is_ccw for ring in rings
    )


@pytest.mark.parametrize(
    ("from_deg", "to_deg", "lat_deg", "pieces"),
    [(130.0, 160.0, 41.0, 1), (165.0, 195.0, 41.0, 2), (-30.0, 20.0, -5.0, 1), (100.0, 130.0, 88.0, 1)],
    ids=["plain", "across 180", "across 0", "beside the pole"],
)
def test_corridors_are_closed_valid_and_anticlockwise(
    from_deg: float, to_deg: float, lat_deg: float, pieces: int
) -> None:
    rings = corridor_rings(course(from_deg, to_deg, lat_deg=lat_deg), RULES)
    assert len(rings) >= pieces
    assert sound(rings)
    assert all(abs(lon) <= np.pi for ring in rings for _, lon in ring)


def test_the_corridors_border_is_where_the_probability_meets_the_threshold() -> None:
    path = course(sigma_m=20_000.0)
    (ring,) = corridor_rings(path, RULES)
    middle = [corner for corner in ring if 140.0 < np.degrees(corner[1]) < 150.0]
    rows = tuple(("", float(np.degrees(lat)), float(np.degrees(lon)), 1, 0) for lat, lon in middle)
    chances = passages(path, small_watch(rows), RULES.pass_half_width_m).probability
    assert len(chances) == len(middle) >= 8
    np.testing.assert_allclose(chances, RULES.warn_probability, atol=0.01)


def test_the_corridor_of_a_draft_is_cut_to_the_warned_areas() -> None:
    path = course()
    draft = draft_at()
    (ring,) = corridor_rings(path, RULES, draft.areas)
    west, _, east, _ = polygon(ring).bounds
    assert 137.0 < west < 138.9
    assert 143.1 < east < 145.0
    west, _, east, _ = polygon(corridor_rings(path, RULES)[0]).bounds
    assert west < 129.0
    assert east > 161.0


def test_a_young_tracks_corridor_is_not_drawn_over_half_the_map() -> None:
    rings = corridor_rings(course(sigma_m=5_000_000.0), RULES)
    south, north = polygon(rings[0]).bounds[1::2]
    assert north - south < 30.0


def test_a_bent_course_still_gives_sound_rings() -> None:
    path = course(to_deg=140.0)
    bent = path.lat_rad + np.radians(3.0) * np.sin(np.linspace(0.0, 20.0, len(path.lat_rad)))
    rings = corridor_rings(
        type(path)(**{**{n: getattr(path, n) for n in path.__dataclass_fields__}, "lat_rad": bent}), RULES
    )
    assert sound(rings)


@pytest.mark.parametrize("place", [(41.0, 140.0), (41.0, 179.9), (89.5, 0.0)])
def test_ellipses_hold_their_probability_and_are_sound(place: tuple[float, float]) -> None:
    covariance = np.array([[60e3**2, 5e8], [5e8, 20e3**2]])
    rings = ellipse_rings(float(np.radians(place[0])), float(np.radians(place[1])), covariance, 0.9)
    assert sound(rings)
    if place[1] == 140.0:
        rng = np.random.default_rng(5)
        east, north = rng.multivariate_normal([0, 0], covariance, 20_000).T
        lat = 41.0 + north / 111_050.0
        lon = 140.0 + east / (111_320.0 * np.cos(np.radians(41.0)))
        inside = shapely.contains_xy(polygon(rings[0]), lon, lat).mean()
        assert inside == pytest.approx(0.9, abs=0.015)


def test_a_fall_row_says_place_time_spread_and_what_the_rings_hold() -> None:
    row = fall_row(fall_at(40.9, 150.0), WarningRules(fall_probability=0.8))
    assert len(row.covariance) == 9
    assert row.covariance[8] == pytest.approx(100.0)
    assert row.probability == 0.8
    assert len(row.rings) == 1


def test_a_draft_without_areas_has_no_corridor_and_one_with_them_has() -> None:
    evidence = Evidence(START_NS, START_NS, 20)
    empty = draft_of(course(lat_deg=55.0), None, small_watch(), RULES, evidence, START_NS)
    assert (empty.areas, empty.corridor, empty.fall) == ((), (), None)
    full = draft_of(course(), fall_at(41.0, 160.0), small_watch(), RULES, evidence, START_NS)
    assert len(full.areas) == 2
    assert len(full.corridor) == 1
    assert full.fall is not None
