"""The table of places: what lies in an area, near a point, in which regions; and the real table's facts."""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.geo import PlaceTable, circle, corridor, destination, distance_m, from_rings_deg, union
from tests.geo.tables import real_table, small_table

ROWS = [
    (40.8, 140.7, 300, "Town"),
    (40.9, 140.8, 500, "City"),
    (35.7, 139.7, 9000, "Capital"),
    (33.1, 139.8, 20, "Isle"),
    (10.0, 179.95, 5, "East"),
    (10.0, -179.95, 6, "West"),
    (89.9, 30.0, 1, "Top"),
]
REGIONS = [0, 0, 1, 2, 0, 0, 0]
TABLE = small_table(ROWS, REGIONS)


@pytest.fixture(scope="module")
def world() -> PlaceTable:
    return real_table()


def names(table: PlaceTable, rows: Iterable[int]) -> list[str]:
    return [table.name(int(row)) for row in rows]


# A small table -------------------------------------------------------------------------------------------


def test_within_an_area() -> None:
    area = from_rings_deg([[(140, 40), (142, 40), (142, 42), (140, 42)]])
    assert names(TABLE, TABLE.within(area)) == ["Town", "City"]
    assert len(TABLE.within(union([]))) == 0


def test_within_across_the_antimeridian_and_at_the_pole() -> None:
    assert names(TABLE, TABLE.within(circle(np.radians(10.0), np.pi, 20e3))) == ["East", "West"]
    assert names(TABLE, TABLE.within(circle(np.pi / 2, 0.0, 50e3))) == ["Top"]


def test_near_gives_the_nearest_first() -> None:
    assert names(TABLE, TABLE.near(np.radians(40.88), np.radians(140.78), 30e3)) == ["City", "Town"]
    assert names(TABLE, TABLE.near(np.radians(10.0), np.radians(-179.9), 30e3)) == ["West", "East"]
    assert names(TABLE, TABLE.near(np.radians(89.9), np.radians(-150.0), 30e3)) == ["Top"]
    assert len(TABLE.near(0.0, 0.0, 1000.0)) == 0
    assert len(TABLE.near(0.0, 0.0, 3e7)) == len(TABLE)


def test_names_fall_back_on_the_international_one() -> None:
    assert [TABLE.name(0, language) for language in ("en", "ja", "ko")] == ["Town", "町", "Town"]


def test_regions_group_places() -> None:
    rows = TABLE.regions(np.array([3, 0, 2, 1, 1]))
    assert [(row.region.code, row.people) for row in rows] == [
        ("JP.40", 9000),
        ("JP.03", 800),
        ("JP.40.izu", 20),
    ]
    assert names(TABLE, rows[1].largest) == ["City", "Town"]
    assert rows[1].indices.tolist() == [0, 1]
    assert rows[0].country.alpha3 == "JPN"
    assert TABLE.regions(np.array([0, 1]), largest=1)[0].largest == (1,)
    assert TABLE.regions(np.empty(0, dtype=np.intp)) == []


def test_islands_are_told_from_the_rest_of_their_region() -> None:
    capital, isle = TABLE.region_of(2), TABLE.region_of(3)
    assert capital.name == isle.name == "Tokyo"
    assert (capital.label(), isle.label()) == ("Tokyo", "Izu Islands")
    assert (isle.label("ja"), isle.label("ko"), isle.named("ja")) == ("伊豆諸島", "이즈 제도", "東京都")
    assert capital.label("fr") == "Tokyo"


# The real table ------------------------------------------------------------------------------------------

JAPAN = """
北海道 青森県 岩手県 宮城県 秋田県 山形県 福島県 茨城県 栃木県 群馬県 埼玉県 千葉県
東京都 神奈川県 新潟県 富山県 石川県 福井県 山梨県 長野県 岐阜県 静岡県 愛知県 三重県
滋賀県 京都府 大阪府 兵庫県 奈良県 和歌山県 鳥取県 島根県 岡山県 広島県 山口県 徳島県
香川県 愛媛県 高知県 福岡県 佐賀県 長崎県 熊本県 大分県 宮崎県 鹿児島県 沖縄県
""".split()

CAPITALS = [  # one city of each of some regions, to tie codes to names
    ("Aomori", "Hachinohe", "JP"),
    ("Hokkaido", "Hakodate", "JP"),
    ("Iwate", "Morioka", "JP"),
    ("Okinawa", "Naha", "JP"),
    ("Kagoshima", "Kagoshima", "JP"),
    ("Gangwon", "Chuncheon", "KR"),
    ("Jeju", "Seogwipo", "KR"),
    ("Gyeonggi", "Suwon", "KR"),
    ("North Hamgyong", "Chongjin", "KP"),
    ("Alaska", "Anchorage", "US"),
    ("Metro Manila", "Quezon City", "PH"),
    ("Queensland", "Brisbane", "AU"),
    ("Guam", "Hagåtña", "GU"),
]


@pytest.mark.slow
def test_the_real_table_is_the_world(world: PlaceTable) -> None:
    assert len(world) > 200_000
    assert len({region.country.alpha2 for region in world.region_list}) > 230
    assert "GeoNames" in world.attribution
    assert "CC BY 4.0" in world.attribution
    assert np.abs(world.latitude_rad).max() <= np.pi / 2
    assert np.abs(world.longitude_rad).max() <= np.pi
    assert (world.people <= world.population).all()
    assert world.people.min() >= 0

    assert all(len(region.country.alpha3) == 3 for region in world.region_list)


def test_all_prefectures_have_their_names(world: PlaceTable) -> None:
    regions = [region for region in world.region_list if region.country.alpha2 == "JP" and not region.part]
    assert sorted(region.name_ja for region in regions) == sorted(JAPAN)
    assert all(region.name_ko and region.name.isascii() for region in regions)
    korea = [region for region in world.region_list if region.country.alpha2 == "KR" and not region.part]
    assert len(korea) == 17
    assert all(region.name_ko and region.name_ja for region in korea)


@pytest.mark.parametrize(("region", "city", "country"), CAPITALS)
def test_cities_lie_in_their_regions(world: PlaceTable, region: str, city: str, country: str) -> None:
    found = [
        i
        for i, name in enumerate(world.names)
        if name == city and world.region_of(i).country.alpha2 == country
    ]
    assert region in {world.region_of(i).label() for i in found}


@pytest.mark.parametrize(
    ("region", "low", "high"),
    [
        ("青森県", 1.15e6, 1.25e6),
        ("北海道", 5.0e6, 5.3e6),
        ("東京都", 13.5e6, 14.1e6),
        ("伊豆諸島", 15e3, 30e3),
    ],
)
def test_residents_are_counted_once(world: PlaceTable, region: str, low: float, high: float) -> None:
    index = [row.label("ja") for row in world.region_list].index(region)
    assert low < world.people[world.region_index == index].sum() < high


def test_the_tokyo_islands_are_told_from_the_city(world: PlaceTable) -> None:
    hachijo = world.near(np.radians(33.103), np.radians(139.779), 5e3)
    chichijima = world.near(np.radians(27.096), np.radians(142.2), 5e3)
    city = world.near(np.radians(35.69), np.radians(139.69), 5e3)
    labels = [{world.region_of(int(i)).label() for i in rows} for rows in (hachijo, chichijima, city)]
    assert labels == [{"Izu Islands"}, {"Ogasawara Islands"}, {"Tokyo"}]
    assert world.name(int(hachijo[0]), "ja") == "八丈町"


def test_names_in_three_languages(world: PlaceTable) -> None:
    sapporo = world.near(np.radians(43.0667), np.radians(141.35), 1e3)[0]
    seoul = world.near(np.radians(37.566), np.radians(126.9784), 1e3)[0]
    assert [world.name(int(sapporo), language) for language in ("en", "ja", "ko")] == [
        "Sapporo",
        "札幌市",
        "삿포로시",
    ]
    assert [world.name(int(seoul), language) for language in ("en", "ja", "ko")] == [
        "Seoul",
        "ソウル",
        "서울특별시",
    ]


@pytest.mark.slow
def test_a_long_corridor_is_fast_and_right(world: PlaceTable) -> None:
    ones = np.ones(47)
    start = np.radians([40.97, 126.6, 78.0])
    line = destination(start[0] * ones, start[1] * ones, start[2] * ones, np.linspace(0.0, 4.6e6, 47))
    area = corridor(*line, 100e3)
    inside = world.within(area)
    durations_s = []
    for _ in range(5):
        begin = time.perf_counter()
        world.within(area)
        durations_s.append(time.perf_counter() - begin)
    # Usually under 1 ms; the bound leaves room for a busy machine.
    assert min(durations_s) < 0.010
    labels = [row.region.label() for row in world.regions(inside)]
    assert labels[0] == "Hokkaido"
    assert "Izu Islands" not in labels
    rows = np.zeros(len(world), dtype=bool)
    rows[inside] = True
    np.testing.assert_array_equal(rows, area.contains(world.latitude_rad, world.longitude_rad))


@pytest.mark.slow
@given(st.floats(-90, 90), st.floats(-180, 180), st.floats(1e3, 2e6))
def test_near_agrees_with_every_distance(lat: float, lon: float, radius_m: float) -> None:
    table = real_table_once()
    point = np.radians([lat, lon])
    away_m = distance_m(point[0], point[1], table.latitude_rad[::50], table.longitude_rad[::50])
    expected = np.flatnonzero(away_m <= radius_m) * 50
    found = table.near(point[0], point[1], radius_m)
    assert sorted(found[found % 50 == 0].tolist()) == expected.tolist()
    order = distance_m(point[0], point[1], table.latitude_rad[found], table.longitude_rad[found])
    assert (np.diff(order) >= 0).all()


_KEPT: list[PlaceTable] = []


def real_table_once() -> PlaceTable:
    """The real table, decoded once for all examples (hypothesis forbids the fixture's use in each)."""
    if not _KEPT:
        _KEPT.append(real_table())
    return _KEPT[0]
