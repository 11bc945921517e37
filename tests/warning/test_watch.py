"""Places of a nation out of the world's table, and the coarse search for those near a course."""

from __future__ import annotations

import numpy as np
import pytest

from noroshi.geo import Country, PlaceTable, Region, geodetic_to_ecef, table_path
from noroshi.geo.places import decode
from noroshi.warning.watch import Watch, watch_over
from tests.warning.scenes import small_watch

JP = Country("JP", "JPN", "Japan", "日本", "일본")
KR = Country("KR", "KOR", "South Korea", "韓国", "대한민국")
TOKYO = Region("JP.40", JP, "Tokyo", "東京都", "도쿄도")
IZU = Region("JP.40.izu", JP, "Tokyo", "東京都", "도쿄도", "Izu Islands", "伊豆諸島", "이즈 제도")
SEOUL = Region("KR.11", KR, "Seoul", "", "서울")
TWIN = Region("JP.99", JP, "Tokyo", "東京都", "도쿄도")


def table() -> PlaceTable:
    return PlaceTable(
        latitude_rad=np.radians([35.7, 33.1, 37.6, 35.8]),
        longitude_rad=np.radians([139.7, 139.8, 127.0, 139.3]),
        population=np.array([9_000_000, 7_000, 10_000_000, 50_000], np.int32),
        people=np.array([8_000_000, 7_000, 10_000_000, 40_000], np.int32),
        names=["Tokyo", "Hachijo", "Seoul", "Ome"],
        names_ja=["東京", "八丈", "", "青梅"],
        names_ko=["도쿄", "", "서울", ""],
        region_index=np.array([0, 1, 2, 3], np.int32),
        region_list=(TOKYO, IZU, SEOUL, TWIN),
        attribution="",
        source="",
    )


def test_only_the_nations_places_with_island_groups_apart_and_one_name_one_region() -> None:
    watch = watch_over(table(), ("JP",))
    assert [name for name, _, _ in watch.names] == ["Tokyo", "Hachijo", "Ome"]
    assert [(one.country, one.name, one.name_ja) for one in watch.regions] == [
        ("JP", "Tokyo", "東京都"),
        ("JP", "Izu Islands", "伊豆諸島"),
    ]
    assert watch.region.tolist() == [0, 1, 0]
    assert watch.population.tolist() == [9_000_000, 7_000, 50_000]
    assert watch.people.tolist() == [8_000_000, 7_000, 40_000]


def test_several_nations_none_and_unknown_ones() -> None:
    assert len(watch_over(table(), ("JP", "KR"))) == 4
    assert watch_over(table(), ("KR",)).regions[0].name_ja == "Seoul"
    assert len(watch_over(table(), ())) == 0
    assert len(watch_over(table(), ("ZZ",))) == 0


def test_near_finds_all_within_reach() -> None:
    watch = small_watch()
    at = geodetic_to_ecef(np.radians([41.0, 33.0]), np.radians([140.2, 139.8]))
    found = watch.near(at, np.array([60_000.0, 20_000.0]))
    assert found.tolist() == [0, 1, 4]
    assert len(small_watch(()).near(at, np.array([1e6, 1e6]))) == 0


def test_near_across_180_degrees() -> None:
    watch = small_watch(
        (("Here", -17.0, 179.9, 1, 0), ("There", -17.0, -179.9, 1, 0), ("Far", -17.0, 0.0, 1, 0))
    )
    found = watch.near(geodetic_to_ecef(np.radians(-17.0), np.pi), np.array([20_000.0]))
    assert found.tolist() == [0, 1]


@pytest.fixture(scope="module")
def japan() -> Watch:
    if not table_path().is_file():
        pytest.skip("needs the place table (make places)")
    return watch_over(decode(table_path().read_bytes()), ("JP",))


@pytest.mark.slow
def test_the_real_table_gives_japans_prefectures_and_its_islands_apart(japan: Watch) -> None:
    names = {region.name for region in japan.regions}
    assert {"Aomori", "Hokkaido", "Tokyo"} <= names
    assert all(region.country == "JP" for region in japan.regions)
    islands = {japan.regions[i].name for i in japan.region[japan.latitude_rad < np.radians(34.0)]}
    assert "Tokyo" not in islands
    assert 100_000_000 < japan.people.sum() < 150_000_000
