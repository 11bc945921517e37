"""`noroshi track flights`: all fields come back, a reason beside each; a wrong field is named by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from noroshi.cli.main import main

GOOD = """# reported
flights:
- {date: 2022-10-04, by: MOD, range_km: 4600, apogee_km: 1000, time_min: 22, kind: ballistic, "note": "07:22 JST"}
- {date: 2017-07-04, by: news, range_km: 933, apogee_km: 2802, time_min: 29, kind: ballistic, source: a page}
- {range_km: 1000, apogee_km: 6000, time_min: 74, floor: true}
other: [1, 2]
"""


def written(folder: Path, text: str) -> str:
    file = folder / "flights.yaml"
    file.write_text(text)
    return str(file)


def test_every_flight_comes_back_with_its_fields(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["track", "flights", written(tmp_path, GOOD), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)["flights"]
    assert [row["flagged"] is None for row in rows] == [True, False, True]
    assert rows[0]["note"] == "07:22 JST"
    assert rows[0]["date"] == "2022-10-04"
    assert rows[1]["residual_min"] == pytest.approx(29 - rows[1]["arc_min"])
    assert rows[1]["residual_min"] == pytest.approx(-5.7, abs=0.1)
    assert set(rows[2]) == {
        "range_km",
        "apogee_km",
        "time_min",
        "floor",
        "arc_min",
        "residual_min",
        "flagged",
    }


def test_the_table_says_what_is_flagged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["track", "flights", written(tmp_path, GOOD)]) == 0
    said = capsys.readouterr().out
    assert "3 flights, 1 flagged" in said
    assert "misprint" in said


@pytest.mark.parametrize(
    ("old", "new", "line", "field"),
    [
        ("time_min: 29", "time_min: about 29", 4, "flights[1].time_min"),
        ("time_min: 29", "time_min: .inf", 4, "flights[1].time_min"),
        ("range_km: 933", "range_km: true", 4, "flights[1].range_km"),
        ("apogee_km: 2802, ", "", 4, "flights[1].apogee_km"),
        ("floor: true", "floor: over", 5, "flights[2].floor"),
        ("floor: true", "launch_lat_deg: 100", 5, "flights[2].launch_lat_deg"),
        ("flights:", "flight:", 2, "flights"),
        ("- {range_km", "- 3\n- {range_km", 5, "flights[2]"),
        ("other: [1", "other: [[1", 7, ""),
    ],
)
def test_a_wrong_field_is_named(
    old: str, new: str, line: int, field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in GOOD
    assert main(["track", "flights", written(tmp_path, GOOD.replace(old, new)), "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["line"], error["field"]) == (line, field)
