"""An agency's own areas: read strictly, laid out honestly across 180 degrees, at a pole and with holes, signed."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from noroshi.clock import from_iso
from noroshi.errors import InputError
from noroshi.geo.places import PlaceTable
from noroshi.messages import KeyedHash
from noroshi.warning import AreaRule, load_areas, own_watch, surface_of
from noroshi.warning.area_list import MAX_AREAS, is_signed_areas, open_areas, sign_areas
from noroshi.warning.draft import areas_of
from noroshi.warning.rules import WarningRules as Rules
from tests.warning.maps import EXPIRES, box, collection, feature
from tests.warning.scenes import RULES, START_NS, course, fall_at, small_watch

NORTH = feature("n", box(139.5, 40.5, 141.0, 42.0), people=1234, codes={"jis": "02"}, name_ja="北")


def no_places() -> PlaceTable:
    empty, ints = np.zeros(0), np.zeros(0, np.int32)
    return PlaceTable(empty, empty, ints, ints, [], [], [], ints, (), "", "")


def inside(text: str, number: int, lat_deg: float, lon_deg: float) -> bool:
    surface = surface_of(load_areas(text, "a.geojson").areas[number])
    return bool(surface.contains(np.radians([lat_deg]), np.radians([lon_deg]))[0])


def test_a_list_says_whose_it_is_until_when_and_what_is_in_it() -> None:
    found = load_areas(collection(NORTH, version=3, country="JP"), "a.geojson")
    assert (found.agency, found.version, found.expires_ns) == ("Test agency", 3, from_iso(EXPIRES))
    (area,) = found.areas
    assert (area.id, area.name, area.name_ja, area.country) == ("n", "Area n", "北", "JP")
    assert (area.codes, area.people) == ((("jis", "02"),), 1234)


def test_holes_parts_the_antimeridian_and_a_pole() -> None:
    ring = feature("h", box(0, 0, 10, 10), box(4, 4, 6, 6))
    over = feature("o", [[175, -5], [-175, -5], [-175, 5], [175, 5], [175, -5]])
    pole = feature("p", [[0, 80], [90, 80], [180, 80], [-90, 80], [0, 80]])
    two = {
        **NORTH,
        "geometry": {"type": "MultiPolygon", "coordinates": [[box(20, 0, 21, 1)], [box(30, 0, 31, 1)]]},
    }
    text = collection(ring, over, pole, two)
    assert inside(text, 0, 1.0, 1.0)
    assert not inside(text, 0, 5.0, 5.0)
    assert inside(text, 1, 0.0, 179.9)
    assert inside(text, 1, 0.0, -179.9)
    assert not inside(text, 1, 0.0, 0.0)
    assert inside(text, 2, 89.9, -120.0)
    assert not inside(text, 2, -89.9, 0.0)
    assert inside(text, 3, 0.5, 20.5)
    assert inside(text, 3, 0.5, 30.5)
    assert not inside(text, 3, 0.5, 25.0)


BOW = [[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]]
BAD: dict[str, tuple[str, int, str]] = {
    "no expiry": ('{"type": "FeatureCollection", "agency": "x",\n"features": []}', 1, "expires"),
    "not a time": (collection(NORTH, expires="soon"), 1, "expires"),
    "no agency": (collection(NORTH, agency=""), 1, "agency"),
    "no feature": (collection(), 2, "features"),
    "crosses itself": (collection(NORTH, feature("b", BOW)), 4, "features[1].geometry, ring 0"),
    "not closed": (collection(feature("b", box(0, 0, 1, 1)[:-1])), 3, "features[0].geometry, ring 0"),
    "not on the Earth": (collection(feature("b", box(0, 0, 1, 91))), 3, "features[0].geometry, ring 0"),
    "no surface": (collection(feature("b", [[0, 0], [1, 0], [2, 0], [0, 0]])), 3, "features[0].geometry, ring 0"),
    "a hole outside": (collection(feature("b", box(0, 0, 1, 1), box(5, 5, 6, 6))), 3, "features[0].geometry"),
    "a point": (collection({**NORTH, "geometry": {"type": "Point", "coordinates": [0, 0]}}), 3, "features[0].geometry"),
    "an id twice": (collection(NORTH, NORTH), 4, "features[1].id"),
    "no id": (collection({**NORTH, "id": None}), 3, "features[0].id"),
    "no name": (collection(feature("b", box(0, 0, 1, 1), name="")), 3, "features[0].properties.name"),
    "people that are none": (collection(feature("b", box(0, 0, 1, 1), people=-1)), 3, "features[0].properties.people"),
    "a code that is none": (collection(feature("b", box(0, 0, 1, 1), codes={"": "1"})), 3,
                            "features[0].properties.codes"),
    "an unknown member": (collection(NORTH, expire="x"), 1, "expire"),
    "a member twice": (collection(NORTH).replace('"agency"', '"version": 1, "version": 2, "agency"', 1), 1, "version"),
    "not JSON": (collection(NORTH)[:-4], 3, ""),
    "more behind it": (collection(NORTH) + "x", 4, ""),
    "not a number": (collection(NORTH).replace("139.5", "NaN", 1), 3, ""),
    "deep": ('{"type": ' + "[" * 100_000, 1, ""),
    "empty": ("", 1, ""),
    "a list": ("[]", 1, ""),
    "metres": (collection(NORTH, crs={"properties": {"name": "EPSG:3857"}}), 1, "crs"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_told_with_line_and_field(what: str) -> None:
    text, line, field = BAD[what]
    with pytest.raises(InputError) as told:
        load_areas(text, "zones.geojson")
    error = told.value
    assert (error.file, error.field) == ("zones.geojson", field)
    assert error.line == line
    assert error.cause
    assert error.hint or what in ("empty",)


def test_too_many_areas_are_refused() -> None:
    many = [feature(str(i), box(0, 0, 1, 1)) for i in range(MAX_AREAS + 1)]
    with pytest.raises(InputError, match="more than 5000 areas"):
        load_areas(collection(*many), "a.geojson")


def test_an_area_without_any_listed_place_is_warned_by_its_own_ground() -> None:
    """Its probability is that of its nearest point; of its people so many as its ground is inside the warned strip."""
    watch = own_watch(load_areas(collection(NORTH), "a.geojson"), no_places(), "JP", RULES)
    (area,) = areas_of(course(sigma_m=5_000.0), None, watch, RULES, START_NS)
    assert (area.row.region, area.row.region_ja, area.row.country) == ("Area n", "北", "JP")
    assert (area.row.people, area.row.places, area.row.codes) == (992, [], [["jis", "02"]])
    assert area.row.probability == 1.0


@pytest.mark.parametrize("far_deg", [0.95, 1.05, 1.2])
def test_the_probability_of_an_area_is_that_of_its_nearest_border(far_deg: float) -> None:
    """A square whose southern border lies `far_deg` north of the track, held against a fine row of points on it."""
    border = 41.0 + far_deg
    watch = own_watch(
        load_areas(collection(feature("b", box(139.0, border, 142.0, 44.0))), "a.geojson"),
        no_places(),
        "JP",
        RULES,
    )
    fine = small_watch(tuple(("x", border, 139.0 + i / 100, 1, 0) for i in range(301)))
    track = course(sigma_m=30_000.0)
    (mine,), (true,) = (areas_of(track, None, one, RULES, START_NS) for one in (watch, fine))
    assert mine.row.probability == pytest.approx(true.row.probability, abs=0.02)


def test_rules_of_single_areas_say_when_and_of_what() -> None:
    text = collection(
        feature("near", box(139.5, 40.5, 140.5, 41.5), codes={"zone": "A1"}),
        feature("far", box(139.5, 42.3, 140.5, 43.0)),
    )
    given, track, fall = load_areas(text, "a.geojson"), course(), fall_at(41.0, 140.0)

    def named(*rules: AreaRule) -> list[tuple[str, str]]:
        own = Rules(areas=rules)
        watch = own_watch(given, no_places(), "JP", own)
        return sorted(
            (area.row.kind, area.row.region) for area in areas_of(track, fall, watch, own, START_NS)
        )

    assert named() == [("fall", "Area near"), ("pass", "Area near")]
    assert named(AreaRule(match="zone:A1", kinds=("fall",))) == [("fall", "Area near")]
    assert named(AreaRule(match="JP/far", pass_half_width_m=160_000.0, kinds=("pass",))) == [
        ("fall", "Area near"), ("pass", "Area far"), ("pass", "Area near"),
    ]  # fmt: skip
    assert ("fall", "Area far") in named(AreaRule(match="JP/*", fall_near_m=200_000.0))
    assert named(
        AreaRule(match="JP/near", warn_probability=0.99, kinds=("pass",)), AreaRule(match="JP/near")
    ) == [("pass", "Area near")]


def test_a_signed_list_is_taken_whole_and_from_its_root_only() -> None:
    scheme, secret, other = KeyedHash(), bytes(32), b"1" * 32
    given = load_areas(collection(NORTH), "a.geojson")
    raw = sign_areas(given, "JPN", "real", scheme, secret)
    root = scheme.public_key(secret)
    assert is_signed_areas(raw)
    assert open_areas(raw, scheme, root, partner="JPN", realm="real") == given
    assert open_areas(raw, scheme, root, partner="KOR", realm="real") == "foreign-areas"
    assert open_areas(raw, scheme, root, partner="JPN", realm="exercise:x") == "foreign-areas"
    assert open_areas(raw, scheme, scheme.public_key(other), partner="JPN", realm="real") == "bad-signature"
    for place in range(0, len(raw), 7):
        bent = raw[:place] + bytes([raw[place] ^ 4]) + raw[place + 1 :]
        assert isinstance(open_areas(bent, scheme, root, partner="JPN", realm="real"), str)
    empty = msgspec.structs.replace(given, areas=())
    assert open_areas(
        sign_areas(empty, "JPN", "real", scheme, secret), scheme, root, partner="JPN", realm="real"
    ) == ("unusable-areas")
    assert not is_signed_areas(b"\x93\x01")
