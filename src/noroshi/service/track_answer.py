"""What a run says, as one JSON document, as lines of JSON, or as a Parquet table; never a number that is not one.

    document = track_document(run_answer, sensors, findings, arithmetic="numba")
    write_answer(Path("tracks.parquet"), document)

Times are UTC seconds; `state` is Earth-fixed (ECEF), m and m/s over the turning Earth; places are geodetic degrees.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from noroshi.clock import NS_PER_S
from noroshi.errors import OperatorError
from noroshi.service.files import write_file
from noroshi.service.track_run import RunAnswer, Snapshot
from noroshi.tracking import Falls, Phase, Tracks, concatenate_tracks, predict_falls
from noroshi.tracking.prediction import MAX_VELOCITY_SIGMA_MPS
from noroshi.tracking.sensors import Sensor

FORMATS = (".json", ".jsonl", ".parquet")
MODE = 0o644


def track_document(
    answer: RunAnswer,
    sensors: Sequence[Sensor],
    findings: Sequence[dict[str, Any]],
    *,
    arithmetic: str,
    corrected: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """The whole answer: confirmed tracks, also those that have ended, and what was left out.

    findings: see `findings_of`; corrected: what was taken out of the rows before.
    """
    table = answer.table
    open_tracks = int((~table.confirmed & ~table.ended).sum())
    in_tracks = sum(answer.used.tolist())
    return {
        "arithmetic": arithmetic,
        "detections": int(answer.detections.sum()),
        "from_s": answer.from_ns / NS_PER_S,
        "to_s": answer.to_ns / NS_PER_S,
        "tracks": _tracks(answer, sensors, _doubles(findings)),
        "tentative": open_tracks,
        "left_out": dict(sorted(answer.left_out.items())),
        "findings": list(findings),
        "corrected": list(corrected),
        "in_no_track": int(answer.detections.sum()) - in_tracks,
        "sensors": [
            {
                "id": sensor.id,
                "partner": sensor.partner,
                "detections": int(answer.detections[i]),
                "in_tracks": int(answer.used[i]),
                "in_no_track": int(answer.detections[i] - answer.used[i]),
            }
            for i, sensor in enumerate(sensors)
        ],
    }


def _doubles(findings: Sequence[dict[str, Any]]) -> dict[int, list[int]]:
    """For each track that may be one object with others: those."""
    lots = [one["tracks"] for one in findings if one["kind"] == "one-object-or-two"]
    return {one: [other for other in lot if other != one] for lot in lots for one in lot}


def _tracks(
    answer: RunAnswer, sensors: Sequence[Sensor], doubles: Mapping[int, list[int]]
) -> list[dict[str, Any]]:
    made = []
    snapshots = [*answer.last, *(one for history in answer.histories for one in history)]
    said = iter(_said(snapshots))
    last = [next(said) for _ in answer.last]
    histories = [[next(said) for _ in history] for history in answer.histories]
    for k, i in enumerate(answer.confirmed):
        table, snapshot = answer.table, answer.last[k]
        seen = [sensors[j] for j in np.flatnonzero(table.rows_of_sensor[i]).tolist()]
        track = snapshot.track
        row = {
            "id": int(table.id[i]),
            "existence": snapshot.existence,
            "phase": str(snapshot.flight.phase),
            "phase_since_s": snapshot.flight.since_ns / NS_PER_S,
            "flags": flags_of(snapshot),
            "ended": table.reason[i] if table.ended[i] else None,
            **{name: last[k][name] for name in ("time_s", "state", "covariance")},
            "first_observed_s": int(track.first_observed_ns[0]) / NS_PER_S,
            "last_observed_s": int(track.last_observed_ns[0]) / NS_PER_S,
            "age_s": (answer.to_ns - int(track.last_observed_ns[0])) / NS_PER_S,
            "updates": int(track.updates[0]),
            "partners": sorted({sensor.partner for sensor in seen}),
            "sensors": [sensor.id for sensor in seen],
            "perhaps_same_as": doubles.get(int(table.id[i]), []),
            **{name: last[k][name] for name in ("launch", "launch_reason", "fall", "fall_reason")},
        }
        if histories[k]:
            row["history"] = [_entry(one) for one in histories[k]]
        made.append(row)
    return made


def _entry(said: dict[str, Any]) -> dict[str, Any]:
    """An entry of a history: reasons only where they stand for something that is not there."""
    return {name: value for name, value in said.items() if not (name.endswith("_reason") and value is None)}


def _said(snapshots: Sequence[Snapshot]) -> list[dict[str, Any]]:
    """Each snapshot as it is printed; all falls are predicted together."""
    tracks = concatenate_tracks([one.track for one in snapshots])
    falls = predict_falls(tracks)
    return [
        {
            "time_s": int(tracks.time_ns[i]) / NS_PER_S,
            "state": tracks.mean[i, :6].tolist(),
            "covariance": tracks.covariance[i, :6, :6].tolist(),
            "existence": one.existence,
            "phase": str(one.flight.phase),
            **_launch(one),
            **_fall(tracks, falls, i, one),
        }
        for i, one in enumerate(snapshots)
    ]


def _launch(one: Snapshot) -> dict[str, Any]:
    launch = one.launch
    if not launch.valid[0]:
        why = "the way back to the surface is known too badly"
        return {
            "launch": None,
            "launch_reason": why if one.flight.phase.free else f"{why} (phase {one.flight.phase})",
        }
    place = _place(
        float(launch.lat_rad[0]), float(launch.lon_rad[0]), int(launch.time_ns[0]), launch.covariance[0]
    )
    place["arc_covariance"] = launch.arc_covariance[0].tolist()
    return {"launch": place, "launch_reason": None}


def _fall(tracks: Tracks, falls: Falls, i: int, one: Snapshot) -> dict[str, Any]:
    if not falls.valid[i]:
        return {"fall": None, "fall_reason": _no_fall(tracks, i, one.flight.phase)}
    place = _place(
        float(falls.lat_rad[i]), float(falls.lon_rad[i]), int(falls.time_ns[i]), falls.covariance[i]
    )
    return {"fall": place, "fall_reason": None}


def _place(lat_rad: float, lon_rad: float, time_ns: int, covariance: Any) -> dict[str, Any]:
    """A place and time; covariance over east m, north m and time s."""
    return {
        "lat_deg": float(np.degrees(lat_rad)),
        "lon_deg": float(np.degrees(lon_rad)),
        "time_s": time_ns / NS_PER_S,
        "covariance": covariance.tolist(),
    }


def _no_fall(tracks: Tracks, i: int, phase: Phase) -> str:
    """Why nothing is said of the fall."""
    if not phase.free:
        why = "it is under power" if phase is Phase.POWERED else "it does not fall freely"
        return f"{why} (phase {phase})"
    if not tracks.free[i]:
        return "whether it falls freely is open"
    speed = float(np.sqrt(np.trace(tracks.covariance[i, 3:6, 3:6])))
    if speed >= MAX_VELOCITY_SIGMA_MPS:
        return f"its velocity is known to {speed:.0f} m/s only, not to {MAX_VELOCITY_SIGMA_MPS:.0f}"
    return "it may not come down within two hours, or the place is known too badly"


def flags_of(snapshot: Snapshot) -> list[str]:
    """What is to be known of a track beside its phase, in a word each."""
    flight = snapshot.flight
    found = []
    if flight.manoeuvred_ns is not None:
        found.append("manoeuvred")
    if flight.free_probability < DOUBT_BELOW and flight.phase.free:
        found.append("in-doubt")
    return found


DOUBT_BELOW = 0.95
"""A weight of free fall under this is said: one in twenty is what a person expects to be told."""


def as_json(document: dict[str, Any]) -> str:
    """One line of JSON; raises ValueError rather than write a number that is not one."""
    return json.dumps(document, ensure_ascii=False, allow_nan=False)


def check_format(path: Path) -> None:
    """Raises OperatorError for a file name that says no format."""
    if path.suffix.lower() not in FORMATS:
        raise OperatorError(
            "write the tracks", subject=str(path), cause="its name does not say in what format",
            hint=f"end it with {', '.join(FORMATS)}",
        )  # fmt: skip


def write_answer(path: Path, document: dict[str, Any]) -> None:
    """Writes a file in the format of its name: the document; a line for each track; or a table, a row for each track and
    each entry of its history. It is there whole or not at all. Raises OperatorError.
    """
    check_format(path)
    kind = path.suffix.lower()
    if kind == ".json":
        data = (as_json(document) + "\n").encode()
    elif kind == ".jsonl":
        data = "".join(as_json(track) + "\n" for track in document["tracks"]).encode()
    else:
        data = parquet_bytes(document["tracks"])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, data, MODE)
    except OSError as error:
        cause = error.strerror or str(error)
        raise OperatorError("write the tracks", subject=str(path), cause=cause) from None


def parquet_bytes(tracks: Sequence[dict[str, Any]]) -> bytes:
    """A table of tracks: `entry` counts a track's history from 0, and is null in the row of its last estimate."""
    import pyarrow as pa  # slow to load, and only this needs it
    import pyarrow.parquet as pq

    rows = [row for track in tracks for row in _flat(track)]
    place = [("lat_deg", pa.float64()), ("lon_deg", pa.float64()), ("time_s", pa.float64())]
    place.append(("covariance", pa.list_(pa.float64())))
    numbers = pa.list_(pa.float64())
    words = pa.list_(pa.string())
    schema = pa.schema(
        [
            ("id", pa.int64()), ("entry", pa.int32()), ("existence", pa.float64()), ("phase", pa.string()),
            ("flags", words), ("ended", pa.string()), ("time_s", pa.float64()), ("state", numbers),
            ("covariance", numbers), ("first_observed_s", pa.float64()), ("last_observed_s", pa.float64()),
            ("age_s", pa.float64()), ("updates", pa.int64()), ("partners", words), ("sensors", words),
            ("perhaps_same_as", pa.list_(pa.int64())),
            *((f"{what}_{name}", kind) for what in ("launch", "fall") for name, kind in place),
            ("launch_arc_covariance", numbers), ("launch_reason", pa.string()), ("fall_reason", pa.string()),
        ]
    )  # fmt: skip
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    return bytes(sink.getvalue())


def _flat(track: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one track: its last estimate, then its history; matrices row by row."""
    rows = []
    for number, said in enumerate([track, *track.get("history", ())]):
        row = {**said, "id": track["id"], "entry": number - 1 if number else None}
        row["covariance"] = [x for line in said["covariance"] for x in line]
        for what in ("launch", "fall"):
            place = row.pop(what)
            if place is not None:
                row |= {f"{what}_{name}": value for name, value in place.items()}
                for name in (name for name in place if name.endswith("covariance")):
                    row[f"{what}_{name}"] = [x for line in place[name] for x in line]
        rows.append(row)
    return rows


def counted(counter: Counter[str]) -> str:
    """What was left out, in one line."""
    return ", ".join(f"{count} x {reason}" for reason, count in sorted(counter.items()))
