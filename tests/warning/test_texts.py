"""Public texts: only from templates of their realm, in three languages, in the nation's clock."""

from __future__ import annotations

from itertools import product

import pytest

from noroshi.clock import from_iso
from noroshi.gateways.local_time import zone_of
from noroshi.gateways.realm import MARKS, RealmError, check_realm_text
from noroshi.messages.bodies import AreaRow
from noroshi.warning.templates import BY_REALM, EXERCISE, REAL
from noroshi.warning.texts import alert_texts, region_names, window_text
from tests.warning.scenes import draft_at, fall_at

NOW_NS = from_iso("2022-10-03T22:25:10Z")
CASES = [
    ("Alert", ""),
    ("Update", ""),
    ("Cancel", "passed"),
    ("Cancel", "false"),
    ("Cancel", "superseded"),
    ("Cancel", ""),
]


def area(region: str, from_: str, to: str, kind: str = "pass") -> AreaRow:
    return AreaRow(
        kind=kind,  # type: ignore[arg-type]  # one of the two kinds
        region=region,
        region_ja=region + "県",
        region_ko="",
        country="JP",
        probability=0.9,
        from_ns=from_iso(f"2022-10-03T{from_}Z"),
        to_ns=from_iso(f"2022-10-03T{to}Z"),
        people=1,
        places=[],
    )


AREAS = [area("Aomori", "22:28:20", "22:29:10"), area("Hokkaido", "22:28:00", "22:28:50")]


@pytest.mark.parametrize(("type_", "reason"), CASES)
@pytest.mark.parametrize("nation", ["JP", "KR", "US"])
def test_every_exercise_text_carries_the_mark_and_fits_its_realm(
    type_: str, reason: str, nation: str
) -> None:
    template, texts = alert_texts("exercise:demo", type_, AREAS, reason, nation=nation, now_ns=NOW_NS)
    assert template.startswith("exercise/")
    assert {text.language for text in texts} == {"en", "ja", "ko"}
    for text in texts:
        for words in (text.headline, text.description, text.instruction):
            assert MARKS[text.language] in words
            assert check_realm_text(words, text.language, "exercise:demo") == ""
            assert "{" not in words


@pytest.mark.parametrize(("type_", "reason"), CASES)
def test_no_real_text_speaks_of_a_drill(type_: str, reason: str) -> None:
    template, texts = alert_texts("real", type_, AREAS, reason, nation="JP", now_ns=NOW_NS)
    assert template.startswith("real/")
    for text in texts:
        for words in (text.headline, text.description, text.instruction):
            assert not any(mark.casefold() in words.casefold() for mark in MARKS.values())


def test_the_nations_language_comes_first() -> None:
    for nation, first in (("JP", "ja"), ("KR", "ko"), ("US", "en"), ("ZZ", "en")):
        _, texts = alert_texts("exercise:x", "Alert", AREAS, "", nation=nation, now_ns=NOW_NS)
        assert texts[0].language == first


def test_the_case_follows_from_kind_and_reason() -> None:
    def name(type_: str, areas: list[AreaRow], reason: str) -> str:
        return alert_texts("exercise:x", type_, areas, reason, nation="JP", now_ns=NOW_NS)[0]

    falling = [*AREAS, area("Iwate", "22:30:00", "22:31:00", "fall")]
    assert name("Alert", AREAS, "") == "exercise/pass/1"
    assert name("Update", falling, "") == "exercise/fall/1"
    assert name("Alert", AREAS, "passed") == "exercise/pass/1"
    assert name("Cancel", falling, "passed") == "exercise/passed/1"
    assert name("Cancel", AREAS, "") == "exercise/superseded/1"


def test_passed_speaks_of_an_observation_and_only_the_passed_template_does() -> None:
    for (case, language), template in REAL.items():
        says = "".join((template.headline, *template.lines))
        word = {"en": "has passed", "ja": "ミサイル通過", "ko": "미사일 통과"}[language]
        assert (word in says) == (case == "passed")
        if case == "passed":
            assert {"en": "observed", "ja": "観測", "ko": "관측"}[language] in says


def test_windows_open_outwards_to_the_minute_in_local_time_and_utc() -> None:
    zone_text = alert_texts("real", "Alert", AREAS, "", nation="JP", now_ns=NOW_NS)[1]
    english = next(text for text in zone_text if text.language == "en")
    assert "07:28–07:30 (JST), 22:28–22:30 (UTC)" in english.description
    japanese = next(text for text in zone_text if text.language == "ja")
    assert "07:28～07:30（日本時間）、22:28～22:30（協定世界時）" in japanese.description
    korean = alert_texts("real", "Alert", AREAS, "", nation="KR", now_ns=NOW_NS)[1][0]
    assert "07:28–07:30 (한국 시간), 22:28–22:30 (협정 세계시)" in korean.description


def test_a_nation_with_several_clocks_gets_utc_alone() -> None:
    english = alert_texts("real", "Alert", AREAS, "", nation="US", now_ns=NOW_NS)[1][0]
    assert "22:28–22:30 (UTC)." in english.description


def test_a_window_that_has_begun_starts_now() -> None:
    late_ns = from_iso("2022-10-03T22:29:00Z")
    assert window_text(AREAS, "en", zone_of("JP"), late_ns).startswith("07:29–07:30")
    assert window_text([], "en", zone_of("US"), late_ns) == "22:29–22:29 (UTC)"


def test_regions_are_named_once_earliest_first_in_the_language_that_there_is() -> None:
    again = [*AREAS, area("Aomori", "22:30:00", "22:31:00", "fall")]
    assert region_names(again, "en") == "Hokkaido, Aomori"
    assert region_names(again, "ja") == "Hokkaido県、Aomori県"
    assert region_names(again, "ko") == "Hokkaido, Aomori"


@pytest.mark.parametrize("realm", ["", "exercise", "exercise:", "Real", "exercise:a b", "drill:x"])
def test_no_realm_no_text(realm: str) -> None:
    with pytest.raises(RealmError):
        alert_texts(realm, "Alert", AREAS, "", nation="JP", now_ns=NOW_NS)


def test_a_region_whose_name_would_claim_the_other_realm_stops_the_text() -> None:
    for realm, name in (("real", "Exercise Bay"), ("exercise:x", "(this is not a drill)")):
        with pytest.raises(RealmError):
            alert_texts(realm, "Alert", [area(name, "22:28:00", "22:29:00")], "", nation="JP", now_ns=NOW_NS)


def test_both_realms_have_every_case_in_every_language() -> None:
    cases = {"pass", "fall", "passed", "false", "superseded"}
    for table in BY_REALM.values():
        assert set(table) == set(product(cases, MARKS))
    assert all(EXERCISE[key].headline != REAL[key].headline for key in REAL)


def test_areas_of_a_real_draft_make_a_text() -> None:
    rows = [one.row for one in draft_at(fall=fall_at(40.9, 142.3)).areas]
    template, texts = alert_texts("exercise:x", "Alert", rows, "", nation="JP", now_ns=NOW_NS)
    assert template == "exercise/fall/1"
    assert "西県、東県" in texts[0].description
