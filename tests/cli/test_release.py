"""`noroshi release`: names what is wrong with a policy and where, and tells who got what and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from noroshi.cli.main import main
from noroshi.cli.output import DONE, UNMET, UNUSABLE
from noroshi.log import Batch
from noroshi.service.sqlite_store import SqliteStore
from tests.sharing.policies import REALM
from tests.sharing.test_explain import NARROW, WIDE, Writer, log
from tests.sharing.test_policy_file import GOOD

__all__ = ["log"]


def spoken(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["release", *map(str, arguments)])
    out, error = capsys.readouterr()
    assert "Traceback" not in error
    return code, out, error


def document(text: str) -> Any:
    return json.loads(text)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "jpn.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_a_policy_without_findings_is_said_to_have_none(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = spoken(
        capsys, "check", "jpn-example", "--structure", "trilateral", "--structure", "before"
    )
    assert code == DONE
    assert "version 1 of JPN in exercise:example, no errors (4 partners, 2 rules), 0 findings" in out
    code, out, _ = spoken(capsys, "check", "jpn-example", "--json")
    assert (code, document(out)["findings"], document(out)["version"]) == (DONE, [], 1)


def test_findings_are_told_with_their_lines_and_exit_1(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = spoken(capsys, "check", file, "--structure", "trilateral")
    assert code == UNMET
    assert "line 17: warnings-may-wait: few lets every warning over 5" in out
    assert "line 12: edge-defeated: tri-kr would bring KOR launch-point" in out
    assert "line 11: edge-narrowed: tri-kr would bring KOR flight-path" in out
    assert "[trilateral]" in out
    code, out, _ = spoken(capsys, "check", file, "--structure", "before", "--json")
    rows = document(out)["findings"]
    assert (code, [(row["code"], row["line"], row["field"]) for row in rows]) == (
        UNMET,
        [("warnings-may-wait", 17, "budgets[0].contents")],
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("[KOR], contents: [flight", "[AUS], contents: [flight"), "jpn.yaml:11: rules[0].to[0]: "),
        (GOOD.replace("version: 7", "version: seven"), "jpn.yaml:4: version:"),
        ("", "jpn.yaml:1: the file is empty"),
    ],
)  # fmt: skip
def test_an_unusable_policy_exits_2_with_file_line_and_field(
    file: Path, text: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(text, encoding="utf-8")
    code, out, error = spoken(capsys, "check", file)
    assert (code, out) == (UNUSABLE, "")
    assert says in error
    code, out, _ = spoken(capsys, "check", file, "--json")
    assert code == UNUSABLE
    assert document(out)["error"]["file"].endswith("jpn.yaml")


def test_files_that_cannot_be_read_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, error = spoken(capsys, "check", tmp_path / "none.yaml")
    assert code == UNUSABLE
    assert "there is no such file" in error
    assert "jpn-example" in error
    code, _, error = spoken(capsys, "check", "jpn-example", "--structure", "afterr")
    assert (code, "trilateral" in error) == (UNUSABLE, True)
    (tmp_path / "bytes.yaml").write_bytes(b"schema: \xff\xfe")
    code, _, error = spoken(capsys, "check", tmp_path / "bytes.yaml")
    assert (code, "UTF-8" in error) == (UNUSABLE, True)
    code, _, _ = spoken(capsys, "check", tmp_path)
    assert code == UNUSABLE


# Explaining


@pytest.fixture
def record(tmp_path: Path, log: Writer) -> Path:
    path = tmp_path / "jpn" / "record.db"
    with SqliteStore.open(path, realm=REALM, node="jpn") as store:
        store.append([Batch(tuple(log.records))])
    return path.parent


def test_it_is_told_who_got_it(record: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = spoken(capsys, "explain", record, WIDE.hex()[:8], "USA")
    assert code == DONE
    assert "track aaaaaaaa of jp-mod (JPN), for JPN, KOR, USA" in out
    assert "USA got it at" in out
    assert "because of us-jp" in out
    assert "row 4 of partner:USA/track, receipted" in out


def test_it_is_told_who_got_another_edition_and_who_none(
    record: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = spoken(capsys, "explain", record, NARROW.hex(), "KOR", "--json")
    told = document(out)
    assert code == DONE
    assert told["withheld"] == [{"sequence": 5, "reason": "not-in-label", "rule": "label"}]
    assert [(one["id"], one["rule"]) for one in told["got"]] == [(WIDE.hex(), "tri-kr")]
    code, out, _ = spoken(capsys, "explain", record / "record.db", "last", "partner:USA")
    assert code == DONE
    assert "withheld from USA: this node is not on its way, record 7" in out
    assert "USA got no edition of it" in out


def test_what_cannot_be_explained_exits_2(
    record: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (("explain", record, "ee", "USA"), ("explain", record, "last", "XXX")):
        code, _, error = spoken(capsys, *arguments)
        assert (code, "cannot explain the release" in error) == (UNUSABLE, True)
    code, _, error = spoken(capsys, "explain", tmp_path / "none", "last", "USA")
    assert (code, "no such file" in error) == (UNUSABLE, True)
