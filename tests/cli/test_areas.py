"""`noroshi areas` and `noroshi exercise replays`: lists judged, signed and given; days of the public record played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from noroshi.cli.main import main
from noroshi.cli.output import DONE, UNMET, UNUSABLE
from noroshi.exercise.loading import load_scenario
from noroshi.exercise.replays import as_scenario, load_replays, moments
from noroshi.service.exercise_files import scenario_text, stage
from noroshi.service.replay_runs import PACKAGED
from noroshi.service.root_dir import RootDir
from tests.service.test_trust_files import Office
from tests.warning.maps import box, collection, feature

GOOD = collection(feature("n", box(139.8, 40.9, 141.6, 41.9), codes={"zone": "N1"}), country="JP")


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, Any]:
    code = main([*map(str, arguments), "--json"])
    out, error = capsys.readouterr()
    assert "Traceback" not in error
    return code, json.loads(out)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "zones.geojson"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_a_list_is_checked_and_shown(capsys: pytest.CaptureFixture[str], file: Path) -> None:
    code, checked = said(capsys, "areas", "check", file)
    assert (code, checked["areas"], checked["holds"]) == (DONE, 1, True)
    code, shown = said(capsys, "areas", "show", file)
    assert code == DONE
    assert shown["areas"][0]["codes"] == [["zone", "N1"]]
    assert shown["areas"][0]["people"] > 100_000
    file.write_text(GOOD.replace("2027", "2001"), encoding="utf-8")
    code, checked = said(capsys, "areas", "check", file)
    assert (code, checked["holds"]) == (UNMET, False)
    file.write_bytes(b"\xff\xfe")
    assert said(capsys, "areas", "check", file)[0] == UNUSABLE


def test_a_list_is_signed_and_given_to_the_node_of_its_root_only(
    capsys: pytest.CaptureFixture[str], file: Path, tmp_path: Path
) -> None:
    office = Office(tmp_path)
    office.pin(office.root)
    out = tmp_path / "zones.areas"
    assert said(capsys, "areas", "sign", office.root.path, file, "--out", out)[0] == DONE
    assert said(capsys, "areas", "give", office.jpn.path, out)[0] == DONE
    assert [path.name for path in office.files.waiting()] == ["0001.trust", "0002.areas"]
    foreign = RootDir.create(tmp_path / "other", realm=office.root.realm, partner="JPN")
    assert said(capsys, "areas", "sign", foreign.path, file, "--out", out)[0] == DONE
    assert said(capsys, "areas", "give", office.jpn.path, out)[0] == UNUSABLE
    assert len(office.files.waiting()) == 2


def test_a_scenario_names_the_areas_of_a_partner_beside_it(tmp_path: Path, file: Path) -> None:
    text, _ = scenario_text("flight-2022-10-04")
    named = tmp_path / "own.yaml"
    named.write_text(
        text.replace("    node: jpn\n", "    node: jpn\n    areas: zones.geojson\n", 1), encoding="utf-8"
    )
    assert [area.id for area in stage(str(named)).areas["JPN"].areas] == ["n"]
    file.unlink()
    assert main(["exercise", "check", str(named)]) == UNUSABLE


def test_every_packaged_day_is_a_scenario_that_can_be_played() -> None:
    found = load_replays(PACKAGED.read_text(encoding="utf-8"), "public-timings.yaml")
    base = load_scenario(*scenario_text(found.base)).scenario
    assert [one.id for one in found.replays] == [
        "2017-08-29", "2022-10-04", "2022-11-03", "2023-04-13", "2023-05-31", "2018-01-13",
    ]  # fmt: skip
    for one in found.replays:
        scenario = as_scenario(one, base)
        assert scenario.realm == f"exercise:replay-{one.id}"
        assert any(row.what == "alert" for row in one.reported)


def test_moments_are_the_first_of_each_kind_by_its_own_node() -> None:
    areas = [{"region": "Aomori"}]

    def row(type_: str, at_s: float, **more: Any) -> dict[str, Any]:
        return {"type": type_, "time_ms": at_s * 1000, "says": "", "areas": areas, **more}

    rows = [
        row("draft", 1, state="draft"), row("draft", 2, state="draft"),
        row("warning", 3, partner="JPN", state="issued", reason=""), row("warning", 4, partner="JPN", state="updated"),
        row("warning", 4, partner="KOR", state="issued"),
        row("alert", 5, partner="JPN", alert_type="Alert", reason=""),
        row("warning", 6, partner="JPN", state="ended", reason="passed"),
        row("alert", 7, partner="JPN", alert_type="Cancel", reason="passed"),
    ]  # fmt: skip
    found = moments({"jpn": rows}, {"jpn": "JPN"}, 0)
    assert [(one.after_s, one.what) for one in found] == [
        (1, "draft"), (3, "warning"), (5, "alert"), (6, "warning ended"), (7, "end"),
    ]  # fmt: skip


@pytest.mark.slow
def test_where_nothing_flew_and_where_it_was_lost_at_once_nobody_is_warned(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, document = said(capsys, "exercise", "replays", "2018-01-13", "2023-04-13")
    assert (code, document["outside_bound"]) == (DONE, 0)
    lost, nothing = document["replays"]
    assert nothing["noroshi"] == []
    assert lost["first"]["warning"] is None
    assert 10.0 < lost["first"]["lost"] - lost["first"]["detected"] < 15.0
    assert main(["exercise", "replays", "1999-01-01"]) == UNUSABLE
