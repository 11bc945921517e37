"""`noroshi structure` in process: what it prints, one JSON document, and the documented exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from noroshi.cli.structure import app
from tests.structure.small import TEXT


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def document(result: Result) -> Any:
    return json.loads(result.stdout)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    file = tmp_path / "small.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


def test_check_lists_findings_and_ends_well() -> None:
    result = run("check", "before", "trilateral")
    assert result.exit_code == 0
    assert "before: no errors (37 units, 49 links, 15 sharing, 49 authorities), 18 findings" in result.stdout
    assert "  nobody-decides: nobody can take trilateral-consult" in result.stdout


def test_check_is_strict_on_demand(small: Path) -> None:
    assert run("check", str(small)).exit_code == 0
    assert run("check", str(small), "--strict").exit_code == 1
    result = run("check", str(small), "--strict", "--json")
    assert result.exit_code == 1
    (row,) = document(result)["structures"]
    assert row["counts"] == {"units": 5, "links": 3, "sharing": 2, "authorities": 3}
    assert {"code", "subject", "says"} == set(row["findings"][0])


def test_a_bad_file_is_one_sentence_and_exit_2(small: Path) -> None:
    small.write_text(TEXT.replace("type: command", "type: comand"), encoding="utf-8")
    result = run("check", str(small))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith(
        f"{small}:19: links[0].type: the text 'comand' is not allowed here; did you mean"
    )
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("words", [("check",), ("show",), ("diff", "before")])
def test_with_json_an_error_is_a_document_too(words: tuple[str, ...], small: Path) -> None:
    small.write_text(TEXT.replace("      - JP\n", "      - XX\n"), encoding="utf-8")
    result = run(*words, str(small), "--json")
    assert result.exit_code == 2
    error = document(result)["error"]
    assert (error["file"], error["line"]) == (str(small), 39)
    assert error["field"] == "sharing[1].releasable_to[1]"
    assert error["cause"] == "unknown nation XX"
    assert "US, JP, KR" in error["hint"]


@pytest.mark.parametrize(
    ("make", "cause"),
    [
        (lambda path: None, "there is no such file"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.write_bytes(b"title: a\nid: \xff\n"), "not readable as UTF-8"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
    ],
)
def test_an_unreadable_file_is_said_plainly(make: Any, cause: str, tmp_path: Path) -> None:
    make(tmp_path / "x.yaml")
    result = run("check", str(tmp_path / "x.yaml"))
    assert result.exit_code == 2
    assert cause in result.stderr
    assert "Traceback" not in result.stderr


def test_a_misspelt_name_is_told_the_names() -> None:
    result = run("show", "trilatral")
    assert result.exit_code == 2
    assert "after, before, trilateral" in result.stderr


def test_an_own_catalogue_can_be_given(small: Path, tmp_path: Path) -> None:
    own = tmp_path / "decisions.yaml"
    own.write_text("schema: noroshi.decisions/1\nroles: {}\n", encoding="utf-8")
    result = run("check", str(small), "--decisions", str(own))
    assert result.exit_code == 2
    assert f"{own}:1: decisions: the field is missing" in result.stderr


def test_show_says_who_gets_what_live() -> None:
    result = run("show", "trilateral")
    assert result.exit_code == 0
    assert "flight-path of kr-radars: JP by kr-radar-up > tri-kr > tri-jp; US by" in result.stdout
    assert "hostilities-coordination-lead: jp-jjoc with us-jfhqj (in hostilities)" in result.stdout
    assert "kr-mois: nobody" in result.stdout


def test_show_as_json_has_the_ways() -> None:
    shown = document(run("show", "after", "--json"))
    rows = {(row["from"], row["content"]): row for row in shown["reach"]}
    assert list(rows["kr-radars", "flight-path"]["nations"]) == ["US"]
    assert shown["structure"]["id"] == "after"
    assert shown["structure"]["sharing"][0]["from"] == "jp-asdf-radars"


def test_diff_tells_the_effect() -> None:
    result = run("diff", "after", "trilateral")
    assert result.exit_code == 0
    assert "  + tri-warning" in result.stdout
    assert "  JP gets flight-path of kr-radars by kr-radar-up > tri-kr > tri-jp" in result.stdout
    same = run("diff", "after", "after")
    assert "0 changes" in same.stdout
    assert "no nation gains or loses any" in same.stdout
    found = document(run("diff", "before", "after", "--json"))
    assert (found["first"], found["second"], found["effects"]) == ("before", "after", [])


def test_draw_writes_a_file_or_standard_output(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "small.svg"
    result = run("draw", str(small), "--out", str(out))
    assert (result.exit_code, result.stdout) == (0, "")
    assert out.read_text(encoding="utf-8") == run("draw", str(small)).stdout
    assert run("draw", str(small), "--format", "mermaid").stdout.startswith("flowchart TB\n")


def test_draw_into_a_missing_folder_is_said_plainly(small: Path, tmp_path: Path) -> None:
    result = run("draw", str(small), "--out", str(tmp_path / "no" / "x.svg"))
    assert result.exit_code == 2
    assert "cannot be written: No such file or directory" in result.stderr
