"""Sets of public words: whole, in every language, of their realm, and known by their digest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from noroshi.cli.main import main
from noroshi.messages.bodies import AreaRow
from noroshi.messages.canonical import encode
from noroshi.warning.templates import CASES, LANGUAGES, TemplateSet, faults, packaged, read_set
from noroshi.warning.texts import alert_texts

AREA = AreaRow(
    kind="pass", region="Aomori", country="JP", probability=0.9, from_ns=10**18, to_ns=10**18 + 10**11, people=1,
    places=[],
)  # fmt: skip

Change = Callable[[dict[str, Any]], object]


def changed(change: Change, kind: str = "real") -> dict[str, Any]:
    data = msgspec.to_builtins(packaged("real" if kind == "real" else "exercise"))
    change(data)
    return dict(data)


def test_the_packaged_sets_are_whole_and_differ_in_every_text() -> None:
    real, exercise = packaged("real"), packaged("exercise")
    for one in (real, exercise):
        assert list(faults(one)) == []
        assert read_set(encode(one)) == one
    assert real.digest != exercise.digest
    for case in CASES:
        for language in LANGUAGES:
            assert real.template(case, language) != exercise.template(case, language)


@pytest.mark.parametrize(
    ("change", "where", "words"),
    [
        (lambda d: d["cases"].pop("false"), ("cases",), "the case false is missing"),
        (lambda d: d["cases"]["passed"].pop("ko"), ("cases", "passed"), "ko is missing"),
        (lambda d: d["automatic"].pop("ja"), ("automatic",), "ja is missing"),
        (lambda d: d["cases"]["pass"].update(fr=d["cases"]["pass"]["en"]), ("cases", "pass", "fr"), "not known"),
        (lambda d: d["cases"]["fall"]["en"].update(lines=["Shelter. {window}"]), ("cases", "fall", "en", "lines"),
         "{regions} is missing"),
        (lambda d: d["cases"]["fall"]["en"].update(headline="To {regions}"), ("cases", "fall", "en", "headline"),
         "{regions} cannot be filled in"),
        (lambda d: d["cases"]["fall"]["en"].update(lines=["{regions} {window} {name}"]),
         ("cases", "fall", "en", "lines"), "{name} cannot"),
        (lambda d: d["cases"]["fall"]["en"].update(lines=["{regions!r} {window}"]), ("cases", "fall", "en", "lines"),
         "braces are wrong"),
        (lambda d: d["cases"]["fall"]["en"].update(lines=["{regions} {window"]), ("cases", "fall", "en", "lines"),
         "braces are wrong"),
        (lambda d: d["cases"]["pass"]["en"].update(instruction="This is a drill."),
         ("cases", "pass", "en", "instruction"), "claims to be an exercise"),
        (lambda d: d["automatic"].update(ja="訓練です"), ("automatic", "ja"), "claims to be an exercise"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_set_is_named_with_its_place(
    change: Change, where: tuple[str, ...], words: str
) -> None:
    found = list(faults(msgspec.convert(changed(change), TemplateSet)))
    assert any(one.path == where and words in one.cause for one in found), found
    assert read_set(encode(msgspec.convert(changed(change), TemplateSet))) == "faulty-templates"


def test_an_exercises_words_must_carry_the_mark_and_never_claim_to_be_real() -> None:
    for text, words in (
        ("Take shelter now.", "must say EXERCISE"),
        ("EXERCISE. This is not a drill.", "real"),
    ):
        data = changed(lambda d: None, "exercise")
        data["cases"]["pass"]["en"]["headline"] = text
        (found,) = faults(msgspec.convert(data, TemplateSet))
        assert words in found.cause


def test_every_changed_letter_is_another_digest() -> None:
    data = changed(lambda d: d["cases"]["pass"]["en"].update(headline="Missile launched. Take shelter now!"))
    assert msgspec.convert(data, TemplateSet).digest != packaged("real").digest


def test_an_automatic_alert_says_so_in_each_language() -> None:
    for realm, kind in (("real", "real"), ("exercise:x", "exercise")):
        _, plain = alert_texts(realm, "Alert", [AREA], "", nation="JP", now_ns=10**18)
        _, said = alert_texts(realm, "Alert", [AREA], "", nation="JP", now_ns=10**18, automatic=True)
        lines = packaged("real" if kind == "real" else "exercise").automatic
        for before, after in zip(plain, said, strict=True):
            assert after.description.startswith(before.description)
            assert after.description.endswith(lines[after.language])


def test_raw_bytes_that_are_no_set_are_refused() -> None:
    good = encode(packaged("real"))
    for raw in (b"", b"\xc0", good[:-1], good + b"\x00", encode({"schema": "noroshi.templates/1"})):
        assert read_set(raw) == "malformed-templates"


def test_words_are_checked_and_shown_at_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["alert", "templates", "show", "real"]) == 0
    own = tmp_path / "own.yaml"
    own.write_text(capsys.readouterr().out.replace('"version": 1', '"version": 2'), encoding="utf-8")
    assert main(["alert", "templates", "check", str(own), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["version"], document["realm"]) == (2, "real")
    own.write_text(own.read_text(encoding="utf-8").replace("{window}", "{time}", 1), encoding="utf-8")
    assert main(["alert", "templates", "check", str(own)]) == 2
    said = capsys.readouterr().err
    assert f"{own}:" in said
    assert "{time}" in said
    assert main(["alert", "templates", "check", str(tmp_path / "none.yaml")]) == 2
