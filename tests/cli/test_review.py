"""`noroshi review`: a page from records alone; records that do not belong together are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from noroshi.cli.main import main
from noroshi.log import Batch, Chain
from noroshi.messages.canonical import encode
from noroshi.service.sqlite_store import SqliteStore

START_NS = 1_664_835_720_000_000_000


def record(folder: Path, node: str, realm: str = "exercise:x", **more: object) -> Path:
    """A node's directory with a short record in it."""
    genesis = {
        "node": node,
        "partner": node.upper(),
        "realm": realm,
        "title": "A title",
        "sensors": [],
        **more,
    }
    chain = Chain()
    place = folder / node
    with SqliteStore.open(place / "record.db", realm=realm, node=node) as store:
        given = [("genesis", genesis), ("note", {"about": "link", "partner": "USA", "state": "up"})]
        for number, (type_, body) in enumerate(given):
            store.append([Batch((chain.link(START_NS + number, type_, encode(body)),))])
    return place


def spoken(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["review", *map(str, arguments)])
    out, error = capsys.readouterr()
    assert "Traceback" not in error
    return code, out, error


def test_a_review_is_made_from_records_alone(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page = tmp_path / "new" / "report.html"
    places = [record(tmp_path, node) for node in ("jpn", "usa")]
    code, out, error = spoken(capsys, *places, "--out", page)
    assert (code, out, error) == (0, f"review of jpn, usa: {page}\n", "")
    text = page.read_text(encoding="utf-8")
    assert "exercise:x" in text
    assert "link to USA is up" in text
    assert "no scenario was given" in text


def test_a_folder_of_records_gives_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for node in ("jpn", "usa"):
        record(tmp_path, node)
    code, out, _ = spoken(capsys, tmp_path, "--out", tmp_path / "r.html", "--json")
    document = json.loads(out)
    assert (code, document["nodes"]) == (0, ["jpn", "usa"])
    assert document["report_s"] == {"JPN->USA": None, "USA->JPN": None}


def test_records_of_two_realms_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    places = [record(tmp_path, "jpn"), record(tmp_path, "usa", realm="exercise:y")]
    code, _, error = spoken(capsys, *places, "--out", tmp_path / "r.html")
    assert code == 2
    assert "different realms: exercise:x, exercise:y" in error
    assert not (tmp_path / "r.html").exists()


def test_the_same_node_twice_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    place = record(tmp_path, "jpn")
    code, _, error = spoken(capsys, place, place, "--out", tmp_path / "r.html")
    assert code == 2
    assert "cannot review the logs (jpn): given more than once" in error


def test_a_place_that_cannot_be_written_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, _, error = spoken(capsys, record(tmp_path, "jpn"), "--out", tmp_path / "file" / "r.html")
    assert code == 2
    assert "write the review" in error


def test_a_damaged_record_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    place = record(tmp_path, "jpn")
    path = place / "record.db"
    raw = path.read_bytes()
    at = raw.index(b"state")
    path.write_bytes(raw[:at] + b"S" + raw[at + 1 :])
    code, out, error = spoken(capsys, place, "--out", tmp_path / "r.html", "--json")
    assert code == 2
    assert "record 2" in error
    assert "record 2" in json.loads(out)["error"]["subject"]


def test_foreign_files_are_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    other.write_bytes(b"not a record at all")
    assert spoken(capsys, other, "--out", tmp_path / "r.html")[0] == 2
    assert spoken(capsys, tmp_path / "nowhere", "--out", tmp_path / "r.html")[0] == 2
    nameless = record(tmp_path, "kor", partner=7)
    code, _, error = spoken(capsys, nameless, "--out", tmp_path / "r.html")
    assert code == 2
    assert "kor" in error
    assert "the partner is no text" in error
