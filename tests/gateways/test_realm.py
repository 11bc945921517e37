"""A text that claims the other realm is refused, in three languages and however it is dressed up."""

from __future__ import annotations

import random

import pytest

from noroshi.gateways.realm import (
    RealmError,
    check_foreign_words,
    check_realm_text,
    check_realm_words,
    realm_kind,
    status_for,
)

DRILL = "exercise:demo"

CLAIMS_REAL = [
    "BALLISTIC MISSILE THREAT INBOUND. SEEK IMMEDIATE SHELTER. THIS IS NOT A DRILL.",
    "This is not an exercise",
    "this isn't just a test",
    "This isn’t a drill",
    "no drill!",
    "not\u200b a\u00a0drill",
    "ＮＯＴ　Ａ　ＤＲＩＬＬ",
    "NOT A **DRILL**",
    "This is real.",
    "real-world attack",
    "an actual attack is under way",
    "これは訓練ではありません",
    "訓 練 で は な い",
    "演習じゃない",
    "テストではない。",
    "本番です",
    "実際のミサイルが発射",
    "이것은 훈련이 아닙니다",
    "훈 련 아님",
    "연습이 아니다",
    "실제 상황입니다",
]
CLAIMS_DRILL = [
    "This is an exercise",
    "EXERCISE EXERCISE EXERCISE",
    "A drill is under way",
    "simulated attack",
    "this is only a test",
    "Test alert",
    "Ｅxercise",
    "exer\u00adcise",
    "これは訓練です",
    "訓　練",
    "ミサイル対処演習",
    "テスト配信",
    "훈련 상황",
    "모의 발사",
    "시험 방송입니다",
]
PLAIN = [
    "Missile launched. Take shelter now.",
    "ミサイル発射。ただちに避難してください。",
    "미사일 발사. 즉시 대피하십시오.",
    "Hachinohe, Aomori",
    "",
]


@pytest.mark.parametrize("text", CLAIMS_REAL)
def test_in_an_exercise_a_claim_to_be_real_is_refused_and_the_words_are_named(text: str) -> None:
    assert check_realm_words(text, DRILL).startswith("claims to be real: ")
    assert check_realm_words(f"EXERCISE 訓練 훈련. {text}", DRILL) != ""


@pytest.mark.parametrize("text", CLAIMS_DRILL)
def test_in_the_real_realm_a_claim_to_be_an_exercise_is_refused(text: str) -> None:
    assert check_realm_words(text, "real").startswith("claims to be an exercise: ")


@pytest.mark.parametrize("text", CLAIMS_DRILL)
def test_an_exercise_may_say_that_it_is_one(text: str) -> None:
    assert check_realm_words(text, DRILL) == ""


@pytest.mark.parametrize(
    "text",
    [
        "This is not a drill.",
        "これは訓練ではありません。",
        "이것은 훈련이 아닙니다.",
        "No test, no exercise.",
    ],
)
def test_the_real_realm_may_deny_a_drill(text: str) -> None:
    assert check_realm_words(text, "real") == ""


def test_denying_and_claiming_a_drill_in_one_text_is_refused() -> None:
    assert check_realm_words("This is not a drill. Drill ends at noon.", "real") != ""


@pytest.mark.parametrize("text", PLAIN)
def test_plain_words_fit_both_realms(text: str) -> None:
    assert check_realm_words(text, "real") == ""
    assert check_realm_words(text, DRILL) == ""


@pytest.mark.parametrize("realm", ["real", DRILL])
def test_plain_ascii_is_read_as_all_other_text_is(realm: str) -> None:
    """The quick way of texts in ASCII finds what the long one does, which an invisible character asks for."""
    words = (
        "this is not a drill an exercise exercises tests training simulated mock only just test alert real live"
        " actual attack no longer isn't never neither , . ~ ** __ \t \x1c the any real-world warning caution"
    ).split(" ")
    rng = random.Random(11)
    found = 0
    for _ in range(3_000):
        text = " ".join(rng.choice(words) for _ in range(rng.randint(1, 6)))
        text = text.upper() if rng.random() < 0.2 else text
        said = check_realm_words(text, realm)
        assert said == check_realm_words(f"{text}\u200b", realm), text
        assert check_foreign_words(text, realm) == check_foreign_words(f"{text}\u200b", realm), text
        found += bool(said)
    assert 300 < found < 2_900


def test_an_exercises_text_must_carry_its_languages_mark() -> None:
    assert check_realm_text("Take shelter", "en", DRILL) == "an exercise's text must say EXERCISE"
    assert check_realm_text("EXERCISE. Take shelter", "ja", DRILL) == "an exercise's text must say 訓練"
    assert check_realm_text("EXERCISE. Take shelter", "en", DRILL) == ""
    assert check_realm_text("Take shelter", "en", "real") == ""


def test_the_status_comes_from_the_realm_and_a_claim_can_only_refuse() -> None:
    assert status_for("real") == "Actual"
    assert status_for(DRILL) == "Exercise"
    assert status_for(DRILL, "Exercise") == "Exercise"
    for claimed in ("Actual", "Test", "System", "Draft", "actual", "EXERCISE"):
        with pytest.raises(RealmError, match="does not belong to this realm"):
            status_for(DRILL, claimed)
    with pytest.raises(RealmError):
        status_for("real", "Exercise")


@pytest.mark.parametrize(
    "realm", ["", "REAL", "real ", "exercise", "exercise:", "exercise:ä", "exercise:a/b"]
)
def test_what_is_no_realm_speaks_for_nobody(realm: str) -> None:
    for refuse in (realm_kind, status_for, lambda one: check_realm_words("x", one)):
        with pytest.raises(RealmError):
            refuse(realm)
