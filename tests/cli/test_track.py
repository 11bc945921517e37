"""`noroshi track run`: files in, answers out; what is wrong in a file is named by line and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from noroshi.cli.main import main
from noroshi.errors import InputError
from noroshi.service.detection_file import DetectionReading
from noroshi.service.detection_rows import FIELDS, MOST_NAMED, DetectionBlock
from noroshi.service.sensor_file import read_sensors
from noroshi.tracking import Arc, arc_fall, arc_state
from tests.cli.scenes import EPOCH_S, SENSORS, arc, detections, write

ROW: dict[str, Any] = {
    "time_s": EPOCH_S, "sensor": "A", "range_m": 9e5, "azimuth_rad": 1.0, "elevation_rad": 0.3,
}  # fmt: skip
INFRARED: dict[str, Any] = {"time_s": EPOCH_S, "sensor": "C", "azimuth_rad": 1.0, "elevation_rad": -0.3}


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one document on standard output, in which no number may be missing its value."""
    found: dict[str, Any] = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    return found


@pytest.fixture(scope="module")
def flights() -> list[tuple[float, Arc]]:
    return [(2.0, arc()), (10.0, arc(2700, 550, 70))]


@pytest.fixture(scope="module")
def seen(flights: list[tuple[float, Arc]]) -> list[dict[str, Any]]:
    return detections(flights, 90.0, false_alarms=2, detected=0.9, seed=4)


@pytest.fixture(scope="module")
def answered(
    seen: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], Path]:
    """The document of a run with history, and the folder with its files."""
    folder = tmp_path_factory.mktemp("run")
    arguments = [*write(folder, seen), "--history", "10", "--out", str(folder / "tracks.parquet")]
    assert main([*arguments, "--out", str(folder / "tracks.json")]) == 0
    assert main(arguments) == 0
    return json.loads((folder / "tracks.json").read_text(), parse_constant=pytest.fail), folder


def nees(said: dict[str, Any], flight: tuple[float, Arc]) -> float:
    error = np.array(said["state"]) - arc_state(flight[1], [said["time_s"] - EPOCH_S - flight[0]])[0]
    return float(error @ np.linalg.solve(np.array(said["covariance"]), error))


@pytest.mark.slow
def test_two_flights_among_false_alarms_are_two_tracks(
    answered: tuple[dict[str, Any], Path], flights: list[tuple[float, Arc]], seen: list[dict[str, Any]]
) -> None:
    document, _ = answered
    assert document["detections"] == len(seen)
    assert document["arithmetic"] in ("numba", "numpy")
    assert len(document["tracks"]) == 2
    assert sum(row["in_tracks"] + row["in_no_track"] for row in document["sensors"]) == len(seen)
    for flight in flights:
        track = min(document["tracks"], key=lambda one: nees(one, flight))
        assert nees(track, flight) < 24  # 6 degrees of freedom: one in 2,000
        assert track["existence"] > 0.99
        assert track["phase"] == "free-fall"
        assert track["partners"] == ["JPN", "KOR", "USA"]
        assert track["age_s"] == pytest.approx(document["to_s"] - track["last_observed_s"])
        truth = arc_fall(flight[1], 5000.0)
        late_s = track["fall"]["time_s"] - EPOCH_S - flight[0] - truth.time_s
        assert abs(late_s) < 5 * np.sqrt(track["fall"]["covariance"][2][2]) + 5
        assert np.linalg.eigvalsh(np.array(track["fall"]["covariance"])).min() > 0
        launch = track["launch"]
        assert launch["lat_deg"] == pytest.approx(39.2, abs=0.3)
        assert launch["lon_deg"] == pytest.approx(125.7, abs=0.3)
        assert launch["time_s"] - EPOCH_S == pytest.approx(flight[0], abs=8)
        assert launch["covariance"][2][2] > launch["arc_covariance"][2][2] > 0


@pytest.mark.slow
def test_a_history_begins_with_the_second_row_and_knows_only_what_had_come(
    answered: tuple[dict[str, Any], Path], flights: list[tuple[float, Arc]], seen: list[dict[str, Any]], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    document, _ = answered
    for track in document["tracks"]:
        flight = min(flights, key=lambda one: nees(track, one))
        times = [entry["time_s"] for entry in track["history"]]
        assert times[0] - track["first_observed_s"] < 2.0
        assert np.diff(times).min() > 8
        assert max(nees(entry, flight) for entry in track["history"]) < 30
        assert all(("fall_reason" in entry) is (entry["fall"] is None) for entry in track["history"])
    until_s = EPOCH_S + 70
    assert (
        main(
            [*write(tmp_path, [row for row in seen if row["time_s"] <= until_s]), "--history", "10", "--json"]
        )
        == 0
    )
    early = {track["id"]: track["history"] for track in printed(capsys)["tracks"]}
    for track in document["tracks"]:
        assert early[track["id"]] == [entry for entry in track["history"] if entry["time_s"] <= until_s]


@pytest.mark.slow
def test_parquet_in_and_out_says_the_same(
    answered: tuple[dict[str, Any], Path], seen: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    document, folder = answered
    table = pq.read_table(folder / "tracks.parquet").to_pylist()
    last = [row for row in table if row["entry"] is None]
    assert [row["state"] for row in last] == [track["state"] for track in document["tracks"]]
    assert [row["fall_lat_deg"] for row in last] == [track["fall"]["lat_deg"] for track in document["tracks"]]
    assert len(table) == sum(1 + len(track["history"]) for track in document["tracks"])
    pq.write_table(
        pa.table({name: [row.get(name) for row in seen] for name in FIELDS}), folder / "detections.parquet"
    )
    sensors = str(folder / "sensors.yaml")
    assert main(["track", "run", str(folder / "detections.parquet"), "--sensors", sensors, "--json"]) == 0
    again = printed(capsys)
    for track, other in zip(document["tracks"], again["tracks"], strict=True):
        assert np.abs(np.array(track["state"]) - other["state"]).max() < 1.0  # times rounded to 0.24 us


@pytest.mark.slow
def test_rows_out_of_order_within_the_lag_give_the_same_answer(
    answered: tuple[dict[str, Any], Path],
    seen: list[dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    document, _ = answered
    rng = np.random.default_rng(2)
    arrival = np.argsort([row["time_s"] + rng.uniform(0, 4.0) for row in seen], kind="stable")
    assert main([*write(tmp_path, [seen[i] for i in arrival]), "--history", "10", "--json"]) == 0
    assert printed(capsys)["tracks"] == document["tracks"]


def wrong(changes: dict[str, Any], row: dict[str, Any] = ROW) -> str:
    return json.dumps({**row, **changes})


def without(name: str, row: dict[str, Any] = ROW) -> str:
    return json.dumps({key: value for key, value in row.items() if key != name})


BAD_LINES = [
    (wrong({"sensor": "AA"}), "sensor", "did you mean A"),
    (wrong({"sensor": 7}), "sensor", "text"),
    (wrong({"elevation_rad": 17.2}), "elevation_rad", "degrees"),
    (wrong({"azimuth_rad": 274.0}), "azimuth_rad", "degrees"),
    (wrong({"elevation_rad": float("nan")}), "elevation_rad", "NaN"),
    (wrong({"range_m": float("inf")}), "range_m", "Infinity"),
    (wrong({"range_m": 0}).replace('"range_m": 0', '"range_m": 1e999'), "range_m", "finite"),
    (wrong({"range_m": -5.0}), "range_m", "-5"),
    (wrong({"range_m": 0}), "range_m", "0"),
    (wrong({"range_m": "900 km"}), "range_m", "number"),
    (wrong({"range_m": True}), "range_m", "true"),
    (wrong({"range_m": None}), "range_m", "missing"),
    (wrong({"elevation_rad": None}), "elevation_rad", "null"),
    (wrong({"range_rate_mps": 7e4}), "range_rate_mps", "70000"),
    (wrong({"time_s": "now"}), "time_s", "UTC seconds"),
    (wrong({"time_s": str(EPOCH_S)}), "time_s", "UTC seconds"),
    (wrong({"time_s": -1}), "time_s", "-1"),
    (wrong({"time_s": EPOCH_S * 1000}), "time_s", "milliseconds"),
    (wrong({"time_s": EPOCH_S - 5.001}), "time_s", "older"),
    (without("time_s"), "time_s", "missing"),
    (without("sensor"), "sensor", "missing"),
    (without("range_m"), "range_m", "radar"),
    (wrong({"range_m": 9e5}, INFRARED), "range_m", "infrared"),
    (wrong({"range_rate_mps": 10.0}, INFRARED), "range_rate_mps", "infrared"),
    (wrong({}).replace("{", '{"sensor": "B", '), "sensor", "twice"),
    ("[1, 2]", "", "not a JSON object"),
    ("{}", "time_s", "missing"),
    ("{'time_s': 1}", "", "not JSON"),
    ('{"time_s": 1' + "[" * 5000, "", ""),
]


@pytest.mark.parametrize(("line", "name", "word"), BAD_LINES)
def test_a_wrong_line_is_named(
    line: str, name: str, word: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = write(tmp_path, [ROW, INFRARED])
    with Path(arguments[2]).open("a") as file:
        file.write("\n" + line + "\n")
    out = tmp_path / "out.json"
    assert main([*arguments, "--json", "--out", str(out)]) == 2
    error = printed(capsys)["error"]
    assert (error["file"], error["line"], error["field"]) == (arguments[2], 4, name)
    assert word in error["sentence"]
    assert not out.exists()


def test_a_file_cut_in_half_is_said_to_be_cut(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = write(tmp_path, [ROW, ROW])
    whole = Path(arguments[2]).read_bytes()
    Path(arguments[2]).write_bytes(whole[:-20])
    assert main([*arguments, "--json"]) == 2
    assert "cut off" in printed(capsys)["error"]["sentence"]
    Path(arguments[2]).write_bytes(whole[:-1])
    (block,) = DetectionReading(read_sensors(arguments[4])).blocks(Path(arguments[2]))
    assert len(block) == 2
    Path(arguments[2]).write_bytes(b"\xef\xbb\xbf" + whole.replace(b"\n", b"\r\n"))
    (block,) = DetectionReading(read_sensors(arguments[4])).blocks(Path(arguments[2]))
    assert list(block.line) == [1, 2]
    for nothing in (b"", b"\n\n"):
        Path(arguments[2]).write_bytes(nothing)
        assert main([*arguments, "--json"]) == 2
        assert "no detection" in printed(capsys)["error"]["sentence"]
    Path(arguments[2]).write_bytes(b'{"time_s": "\xff"}\n')
    assert main([*arguments, "--json"]) == 2
    assert printed(capsys)["error"]["line"] == 1
    parquet = tmp_path / "cut.parquet"
    pq.write_table(pa.Table.from_pylist([ROW] * 1000), parquet)
    parquet.write_bytes(parquet.read_bytes()[:-100])
    assert main(["track", "run", str(parquet), *arguments[3:], "--json"]) == 2
    assert "Parquet" in printed(capsys)["error"]["sentence"]


@pytest.mark.parametrize(
    ("columns", "line", "name"),
    [
        ({"elevation_rad": [0.1, 0.2, 30.0]}, 3, "elevation_rad"),
        ({"elevation_rad": [0.1, None, 0.2]}, 2, "elevation_rad"),
        ({"range_m": [9e5, float("nan"), 9e5]}, 2, "range_m"),
        ({"range_m": [9e5, 9e5, None]}, 3, "range_m"),
        ({"sensor": ["A", "B", "D"]}, 3, "sensor"),
        ({"time_s": [1.0, float("inf"), 2.0]}, 2, "time_s"),
        ({"time_s": [100.0, 101.0, 90.0]}, 3, "time_s"),
        ({"time_s": ["a", "b", "c"]}, 1, "time_s"),
        ({"range_m": [True, False, True]}, 1, "range_m"),
        ({"azimuth_rad": None}, 1, "azimuth_rad"),
    ],
)
def test_a_wrong_row_of_parquet_is_named(
    columns: dict[str, Any], line: int, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {key: [value] * 3 for key, value in ROW.items()} | columns
    table = pa.table({key: value for key, value in given.items() if value is not None})
    pq.write_table(table, tmp_path / "rows.parquet")
    arguments = write(tmp_path, [ROW])
    assert main(["track", "run", str(tmp_path / "rows.parquet"), *arguments[3:], "--json"]) == 2
    error = printed(capsys)["error"]
    assert (error["line"], error["field"]) == (line, name)


def change(number: int, **fields: Any) -> list[dict[str, Any]]:
    rows = [dict(one) for one in SENSORS]
    rows[number] |= fields
    return [{key: value for key, value in row.items() if value != "gone"} for row in rows]


@pytest.mark.parametrize(
    ("sensors", "name"),
    [
        (change(1, id="A"), "sensors[1].id"),
        (change(0, kind="lidar"), "sensors[0].kind"),
        (change(0, lat_deg=127.5), "sensors[0].lat_deg"),
        (change(0, lon_deg=500), "sensors[0].lon_deg"),
        (change(0, height_m=4e7), "sensors[0].height_m"),
        (change(0, sigma_azimuth_rad=0.5), "sensors[0].sigma_azimuth_rad"),
        (change(0, sigma_elevation_rad=0), "sensors[0].sigma_elevation_rad"),
        (change(0, sigma_range_m="gone"), "sensors[0].sigma_range_m"),
        (change(0, sigma_range_m=-4), "sensors[0].sigma_range_m"),
        (change(0, sigma_rage_m=40), "sensors[0].sigma_rage_m"),
        (change(0, partner="gone"), "sensors[0].partner"),
        (change(2, sigma_range_rate_mps=3), "sensors[2].sigma_range_rate_mps"),
        ([], "sensors"),
    ],
)
def test_a_wrong_sensor_is_named(
    sensors: list[dict[str, Any]], name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*write(tmp_path, [ROW], sensors), "--json"]) == 2
    error = printed(capsys)["error"]
    assert error["field"] == name
    assert error["line"] >= 1


def test_sensors_may_stand_as_a_bare_list_and_keep_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "# notional\n---\n" + "".join(
        "- " + "\n  ".join(f"{key}: {value}" for key, value in row.items()) + "\n" for row in SENSORS
    )
    arguments = write(tmp_path, [ROW])
    Path(arguments[4]).write_text(text)
    assert [one.id for one in read_sensors(arguments[4])] == ["A", "B", "C"]
    Path(arguments[4]).write_text(text.replace("kind: infrared", "kind: lidar"))
    assert main([*arguments, "--json"]) == 2
    assert printed(capsys)["error"]["line"] == 1 + text[: text.index("kind: infrared")].count("\n")


def read(folder: Path, lines: list[str], **options: Any) -> tuple[DetectionBlock, DetectionReading]:
    arguments = write(folder, [])
    Path(arguments[2]).write_text("\n".join(lines) + "\n")
    reading = DetectionReading(read_sensors(arguments[4]), **options)
    blocks = list(reading.blocks(Path(arguments[2])))
    return DetectionBlock(
        *(np.concatenate([getattr(b, name) for b in blocks]) for name in DetectionBlock.__slots__)
    ), reading


def test_times_are_kept_to_the_nanosecond_and_put_in_order(tmp_path: Path) -> None:
    texts = ["1900000002.123456789", "1900000001.5", "1900000001", "1900000002.1234567894", "1.9000000031e9"]
    lines = [wrong({}).replace(str(EPOCH_S), text) for text in texts]
    for size in (1, 2, 100):
        block, reading = read(tmp_path, lines, block_rows=size)
        assert list(block.time_ns - EPOCH_S * 10**9) == [
            1_000_000_000, 1_500_000_000, 2_123_456_789, 2_123_456_789, 3_100_000_000,
        ]  # fmt: skip
        assert list(block.line) == [3, 2, 1, 4, 5]
        assert reading.reordered == 2


def test_what_nobody_knows_is_left_out_and_counted(tmp_path: Path) -> None:
    lines = [
        wrong({"snr_db": 12, "range_rate_mps": 3.0}),
        wrong({"range_rate_mps": None}),
        json.dumps(INFRARED),
    ]
    block, reading = read(tmp_path, lines)
    assert len(block) == 3
    assert np.isnan(block.rate).all()
    assert reading.left_out == {
        "unknown field snr_db": 1,
        "range_rate_mps of a sensor without sigma_range_rate_mps": 1,
    }


def test_names_nobody_knows_are_printable_and_not_without_number(tmp_path: Path) -> None:
    half = wrong({}).replace("{", '{"\\ud800": 1, ')
    _, reading = read(tmp_path, [half, *(wrong({f"field {i}": i}) for i in range(100))])
    assert reading.left_out["unknown field \\ud800"] == 1
    assert reading.left_out["further unknown fields"] == 101 - MOST_NAMED
    assert len(reading.left_out) == MOST_NAMED + 1
    twice = half.replace("{", '{"\\ud800": 1, ')
    for line, cause in (
        (twice, "given twice"),
        (wrong({}).replace("900000.0", "9" * 5000), "too many digits"),
    ):
        with pytest.raises(InputError, match=cause) as refused:
            read(tmp_path, [line])
        assert str(refused.value).encode()


def test_an_answer_needs_a_format_and_a_sensor_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = write(tmp_path, [ROW])
    assert main([*arguments, "--out", str(tmp_path / "tracks.csv"), "--json"]) == 2
    assert ".parquet" in printed(capsys)["error"]["hint"]
    for seconds in ("inf", "1e9"):
        assert main([*arguments, "--history", seconds, "--json"]) == 2
        assert printed(capsys)["error"]["subject"] == "--history"
    assert main([*arguments[:4], str(tmp_path / "none.yaml"), "--json"]) == 2
    assert "no such file" in printed(capsys)["error"]["cause"]


@pytest.mark.slow
def test_without_a_compiler_the_answer_is_the_same_and_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = detections([(2.0, arc())], 70.0, sensors=SENSORS[:1])[:12]
    arguments = write(tmp_path, seen)
    said = []
    for one in ("numba", "numpy"):
        assert main([*arguments, "--json", "--arithmetic", one]) == 0
        said.append(json.loads(capfd.readouterr().out))
        assert said[-1]["arithmetic"] == one
    (compiled,), (plain,) = (one["tracks"] for one in said)
    sigma = np.sqrt(np.diag(compiled["covariance"]))
    assert (np.abs(np.array(compiled["state"]) - plain["state"]) / sigma).max() < 1e-9


@pytest.mark.slow
def test_a_sensor_that_is_beside_the_truth_is_named(
    flights: list[tuple[float, Arc]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    third = {**SENSORS[0], "id": "D", "partner": "USA", "lat_deg": 35.5, "lon_deg": 135.5}
    sensors = [*SENSORS[:2], third]
    seen = detections(flights, 100.0, sensors=sensors, seed=3)
    assert main([*write(tmp_path, seen, sensors), "--json"]) == 0
    assert printed(capsys)["findings"] == []
    off = [{**row, "azimuth_rad": row["azimuth_rad"] + 0.01 * (row["sensor"] == "D")} for row in seen]
    assert main([*write(tmp_path, off, sensors)]) == 0
    said = capsys.readouterr()
    assert main([*write(tmp_path, off, sensors), "--json"]) == 0
    found = printed(capsys)["findings"]
    assert found[0]["sensor"] == "D"
    assert found[0]["kind"] in ("azimuth-bias", "agrees-with-none")
    assert found[0]["sentence"] in said.err
    assert "tentative" in said.out
