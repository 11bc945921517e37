"""Which of our areas lie under an agency's hazard: outlines, strips of sea, geocodes, times; regions and own areas."""

from __future__ import annotations

from math import radians
from typing import Any

import numpy as np
import pytest

from noroshi.gateways.hazard_facts import HazardArea, HazardInfo
from noroshi.geo import distance_m
from noroshi.messages.bodies import Ring
from noroshi.warning import hazard_areas
from noroshi.warning.area_list import AreaList, OwnArea, Polygon, own_watch, packed
from noroshi.warning.hazard_areas import UnderHazard, by_geocode, outlines, under
from noroshi.warning.rules import WarningRules
from noroshi.warning.watch import Watch, watch_over
from tests.node.scene import places

NOW, UNTIL = 10**18, 10**18 + 3600 * 10**9


@pytest.fixture(scope="module")
def japan() -> Watch:
    return watch_over(places(), ("JP",))


def box(south: float, west: float, north: float, east: float) -> Ring:
    corners = [(south, west), (south, east), (north, east), (north, west), (south, west)]
    return [[radians(lat), radians(lon)] for lat, lon in corners]


def info(*areas: HazardArea, **changes: Any) -> HazardInfo:
    fields: dict[str, Any] = {
        "language": "en-US", "event": "Tsunami", "categories": ("Geo",), "responses": (), "urgency": "Immediate",
        "severity": "Extreme", "certainty": "Likely", "sender_name": "", "headline": "", "description": "",
        "instruction": "", "effective_ns": 0, "onset_ns": 0, "expires_ns": UNTIL, "areas": areas,
    }  # fmt: skip
    return HazardInfo(**fields | changes)


def area(
    *rings: Ring, circles: tuple[tuple[float, float, float], ...] = (), codes: tuple[str, ...] = ()
) -> HazardArea:
    return HazardArea("", rings, circles, codes)


def names(found: UnderHazard) -> set[str]:
    return {one.region for one in found.areas}


def laid(watch: Watch, *areas: HazardArea, own: AreaList | None = None, **more: Any) -> UnderHazard:
    return under([info(*areas)], watch, own, NOW, until_ns=UNTIL, **more)


def test_built_in_regions_lie_under_outlines_that_hold_a_place_or_a_strip_of_sea_beside_one(
    japan: Watch,
) -> None:
    assert names(laid(japan, area(box(40.0, 140.5, 41.0, 141.5)))) >= {"Aomori"}
    assert names(laid(japan, area(circles=((radians(26.2), radians(127.7), 30_000.0),)))) == {"Okinawa"}
    sea = box(39.0, 142.1, 39.4, 142.2)
    assert names(laid(japan, area(sea))) == {"Iwate"}
    assert names(laid(japan, area(box(39.0, 144.0, 39.4, 144.2)))) == set()
    assert names(laid(japan, area(codes=("noroshi:region=JP/Tokyo", "UGC=AKZ001")))) == {"Tokyo"}
    assert names(laid(japan, area(box(24.0, 123.0, 45.0, 146.0)), patterns=("JP/Aomori",))) == {"Aomori"}
    found = laid(japan, area(box(40.0, 140.5, 41.0, 141.5)))
    assert all(one.people > 0 and one.places and one.probability == 0.0 for one in found.areas)
    assert len(found.rings) == 1


def test_times_are_the_agencys_and_what_is_over_is_left_out(japan: Watch) -> None:
    here = area(box(40.0, 140.5, 41.0, 141.5))
    early = info(here, onset_ns=NOW + 5, expires_ns=NOW + 50)
    late = info(here, onset_ns=NOW + 9, expires_ns=0)
    over = info(area(codes=("noroshi:region=JP/Tokyo",)), expires_ns=NOW)
    found = under([early, late, over], japan, None, NOW, until_ns=UNTIL)
    assert "Tokyo" not in names(found)
    assert {(one.from_ns, one.to_ns) for one in found.areas} == {(NOW + 5, UNTIL)}
    backwards = under([info(here, onset_ns=UNTIL + 5)], japan, None, NOW, until_ns=UNTIL)
    assert all(one.from_ns <= one.to_ns for one in backwards.areas)


def own_list(expires_ns: int = UNTIL) -> AreaList:
    """A coast with a hole in it, an island across 180 degrees, and one area by code alone."""

    def ring(*box_deg: float) -> bytes:
        return packed(np.array(box(*box_deg)[:-1]))

    return AreaList(
        agency="Agency", version=1, expires_ns=expires_ns,
        areas=(
            OwnArea(id="n", name="North", polygons=(Polygon(ring(40, 140, 42, 142), (ring(40.5, 140.5, 41.5, 141.5),)),),
                    codes=(("zone", "N1"),), people=100),
            OwnArea(id="e", name="Edge", polygons=(Polygon(ring(50, 179, 51, 180)), Polygon(ring(50, -180, 51, -179)))),
            OwnArea(id="s", name="South", polygons=(Polygon(ring(30, 130, 31, 131)),), codes=(("zone", "S1"),)),
        ),
    )  # fmt: skip


def test_own_areas_lie_under_what_meets_their_ground_and_not_their_holes(japan: Watch) -> None:
    own = own_list()
    watch = own_watch(own, places(), "JP", WarningRules())
    assert names(laid(watch, area(box(40.1, 140.01, 40.11, 140.02)), own=own)) == {"North"}
    assert names(laid(watch, area(box(40.9, 140.9, 41.1, 141.1)), own=own)) == set()
    assert names(laid(watch, area(box(39.0, 139.0, 39.9, 139.9)), own=own)) == set()
    assert names(laid(watch, area(box(50.2, -179.9, 50.3, -179.8)), own=own)) == {"Edge"}
    assert names(laid(watch, area(circles=((radians(30.5), radians(130.5), 500.0),)), own=own)) == {"South"}
    by_code = laid(watch, area(codes=("zone=N1",)), own=own)
    assert names(by_code) == {"North"}
    assert by_code.areas[0].people == 100
    assert by_code.areas[0].codes == [["zone", "N1"]]


def test_a_geocode_is_drawn_as_the_own_area_that_carries_it_and_no_outline_twice() -> None:
    own = own_list()
    assert [one.name for one in by_geocode(area(codes=("zone=S1", "zone=X9")), own)] == ["South"]
    assert by_geocode(area(box(0, 0, 1, 1), codes=("zone=S1",)), own) == ()
    assert by_geocode(area(codes=("zone=S1",)), None) == ()
    ((first, *_, last),) = outlines(own.areas[2])
    assert first == last


def test_an_outline_that_is_none_stands_for_nothing_and_too_many_are_said_to_be(
    japan: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = [[0.7, 2.45], [0.71, 2.46], [0.7, 2.45], [0.7, 2.45]]
    assert names(laid(japan, area(line))) == set()
    monkeypatch.setattr(hazard_areas, "MOST_OUTLINES", 1)
    two = laid(japan, area(box(0, 0, 1, 1), box(40.0, 140.5, 41.0, 141.5)))
    assert two.is_cut
    assert not laid(japan, area(box(0, 0, 1, 1))).is_cut


def test_a_circle_holds_the_places_within_its_radius_and_no_other(japan: Watch) -> None:
    chance = np.random.default_rng(3)
    for radius_m in (0.0, 40_000.0, 900_000.0, 8_000_000.0, 19_990_000.0):
        latitude_rad, longitude_rad = chance.uniform(-1.5, 1.5), chance.uniform(-3.1, 3.1)
        for at in ((latitude_rad, longitude_rad), (radians(36), radians(138))):
            exact = distance_m(*at, japan.latitude_rad, japan.longitude_rad) <= radius_m
            assert np.array_equal(hazard_areas._within(japan, *at, radius_m), exact)


def test_a_knot_stands_for_all_that_lies_between_its_corners(japan: Watch) -> None:
    turns = 2.4 * np.arange(400)
    knot = [[radians(40 + np.sin(one)), radians(141 + np.cos(one))] for one in turns]
    assert names(laid(japan, area(knot))) >= {"Aomori", "Iwate"}
