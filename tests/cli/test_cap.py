"""`noroshi cap`: the verdict, its lines and rules, conversions, and signatures, as a person at a terminal gets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from noroshi.cli.main import main
from noroshi.gateways.cap_check import check_cap
from tests.gateways.cap_samples import DATA, OLD_10, WHOLE, key_pair


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "alert.xml"
    path.write_bytes(WHOLE)
    return path


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main(["cap", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


def document(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, Any]:
    code, out, _ = run(capsys, *words, "--json")
    return code, json.loads(out)


def test_a_valid_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "check", file) == (
        0,
        f"{file}: valid, CAP 1.2 Exercise Update KUMO-7; not signed\n",
        "",
    )
    code, told = document(capsys, "check", file, "--profile", "ipaws")
    assert (code, told["valid"], told["files"][0]["findings"]) == (0, True, [])
    assert told["files"][0]["signature"]["state"] == "none"


def test_a_bad_file_names_line_and_rule(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(WHOLE.replace(b"<status>Exercise", b"<status>Drill").replace(b"KUMO-7", b"KUMO 7"))
    code, out, err = run(capsys, "check", file)
    assert code == 2
    assert f"{file}:6: value: status 'Drill' is none of Actual, Exercise" in out
    assert f"{file}:3: warning: identifier: " in out
    assert err == ""
    code, out, err = run(capsys, "check", file, "--json")
    told = json.loads(out)
    assert err.startswith(f"{file}:6: value: ")
    assert (code, told["valid"]) == (2, False)
    assert {"line": 6, "rule": "value", "severity": "error"}.items() <= told["files"][0]["findings"][
        1
    ].items()


def test_one_bad_file_among_good_ones_is_enough(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, told = document(capsys, "check", file, file.parent / "absent.xml", file.parent)
    assert (code, [one["valid"] for one in told["files"]]) == (2, [True, False, False])
    assert [one["findings"][0]["rule"] for one in told["files"][1:]] == ["file", "file"]


def test_a_list_says_what_it_is_and_looks_at_each(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = WHOLE.partition(b"?>")[2]
    file.write_bytes(b"<alerts>" + body + body.replace(b"<scope>Restricted</scope>", b"") + b"</alerts>")
    code, out, _ = run(capsys, "check", file)
    assert code == 2
    assert "this is a list of alerts, not one CAP message; it holds 2 CAP messages" in out
    assert "message 1 of 2, CAP 1.2 Exercise Update KUMO-7: valid" in out
    assert "missing: alert has no scope" in out


def test_what_a_terminal_would_obey_is_not_printed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(WHOLE.replace(b"KUMO-7", "a\u009b2J\u202eb\nc".encode()))
    _, out, _ = run(capsys, "check", file)
    assert "a\ufffd2J\ufffdb c" in out
    assert "\u009b" not in out


def test_signatures(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, certificate = key_pair("ec", "agency")
    mine, other, secret, out = (
        tmp_path / name for name in ("mine.pem", "other.pem", "key.pem", "signed.xml")
    )
    mine.write_text(certificate)
    other.write_text(key_pair("ec", "other")[1])
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    assert run(capsys, "sign", file, "--key", secret, "--certificate", mine, "--out", out)[0] == 0
    at = ("--at", "2026-02-01T00:00:00Z")
    code, told = document(capsys, "check", out, "--trust", mine, "--trust", other, *at)
    assert (code, told["files"][0]["signature"]["state"]) == (0, "valid")
    assert told["files"][0]["signature"]["certificate"] == str(mine)
    for args in (
        (out, "--trust", other),
        (file, "--trust", mine),
        (out, "--trust", mine, "--at", "2041-01-01T00:00:00Z"),
    ):
        code, said, _ = run(capsys, "check", *args)
        assert code == 2
        assert "signature: " in said
    out.write_bytes(out.read_bytes().replace(b"second step", b"third step"))
    code, said, _ = run(capsys, "check", out)
    assert code == 0
    assert "warning: signature: broken" in said
    assert run(capsys, "check", out, "--trust", mine)[0] == 2
    assert run(capsys, "check", out, "--trust", file)[0] == 2
    assert run(capsys, "check", out, "--at", "noon")[0] == 2
    assert run(capsys, "sign", file, "--key", mine, "--certificate", mine)[0] == 2
    assert run(capsys, "sign", secret, "--key", secret, "--certificate", mine)[0] == 2


def test_conversions(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "convert", file, "--to", "cap12")
    assert (code, check_cap(out.encode()), err) == (0, [], "")
    file.write_bytes(OLD_10)
    written = tmp_path / "new.xml"
    code, out, err = run(capsys, "convert", file, "--out", written)
    assert (code, out) == (0, "")
    assert "not carried: password" in err
    assert [one.severity for one in check_cap(written.read_bytes())] == ["warning"]
    code, told = document(capsys, "convert", file, "--to", "json")
    assert json.loads(told["text"])["info"][0]["event"] == "High tide"
    file.write_text(told["text"])
    code, out, _ = run(capsys, "convert", file)
    assert (code, "sesame" in out, "High tide" in out) == (0, False, True)
    file.write_text(told["text"].replace("Actual", "Unreal"))
    assert run(capsys, "convert", file)[0] == 2
    file.write_text('{\n"version":')
    code, out, err = run(capsys, "convert", file)
    assert (code, err.startswith(f"{file}:2: json: ")) == (2, True)
    file.write_bytes(OLD_10)
    code, out, _ = run(capsys, "convert", file, "--to", "geojson")
    assert json.loads(out)["features"][0]["properties"]["areaDesc"] == "Harbour"
    file.write_bytes(OLD_10.replace(b"<sender>", b"<sendr>", 1))
    code, out, err = run(capsys, "convert", file)
    assert (code, out) == (2, "")
    assert err.startswith(f"{file}:2: well-formed: ")


@pytest.mark.slow
def test_the_verdict_on_every_sample_of_others(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert shared.is_dir()
    files = sorted(DATA.glob("*/*.xml"))
    code, told = document(capsys, "check", *files)
    bad = sorted(Path(one["file"]).name for one in told["files"] if not one["valid"])
    assert code == 2
    assert bad == [
        "google__earthquake_signed.xml",  # CAP 1.1's schema knows no signature
        "google__invalid.xml",
        "google__xee.xml",
        "kelvinn__invalid_xmlns.xml",
        "kelvinn__smhi.se.alerts.xml",
        "kelvinn__sweden.xml",
    ]
