"""Files of detections for tests: notional sensors, free-fall arcs, misses and false alarms, all drawn from a seed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from noroshi.geo.frames import ecef_to_geodetic, geodetic_to_ecef, look_angles
from noroshi.tracking import Arc, arc_state, free_fall_arc

EPOCH_S = 1_900_000_000
SENSORS: tuple[dict[str, Any], ...] = (
    {"id": "A", "partner": "KOR", "kind": "radar", "lat_deg": 37.0, "lon_deg": 127.5, "height_m": 0.0,
     "sigma_range_m": 40.0, "sigma_azimuth_rad": 1e-3, "sigma_elevation_rad": 1e-3},
    {"id": "B", "partner": "JPN", "kind": "radar", "lat_deg": 41.0, "lon_deg": 140.0, "height_m": 0.0,
     "sigma_range_m": 20.0, "sigma_azimuth_rad": 7e-4, "sigma_elevation_rad": 7e-4, "sigma_range_rate_mps": 5.0},
    {"id": "C", "partner": "USA", "kind": "infrared", "lat_deg": 0.0, "lon_deg": 140.0, "height_m": 35_786_000.0,
     "sigma_azimuth_rad": 5e-5, "sigma_elevation_rad": 5e-5},
)  # fmt: skip


def arc(range_km: float = 1000, apogee_km: float = 250, azimuth_deg: float = 85) -> Arc:
    """An arc from the rounded public launch area."""
    lat, lon, azimuth = np.radians([39.2, 125.7, azimuth_deg]).tolist()
    return free_fall_arc(lat, lon, azimuth, range_km * 1e3, apogee_km * 1e3)


def detections(
    flights: Sequence[tuple[float, Arc]],
    seconds: float,
    *,
    sensors: Sequence[dict[str, Any]] = SENSORS,
    false_alarms: int = 0,
    detected: float = 1.0,
    seed: int = 1,
    low_km: float = 100.0,
) -> list[dict[str, Any]]:
    """Rows of all sensors at 1 Hz from EPOCH_S on. flights: (seconds after EPOCH_S of the start, arc)."""
    rng = np.random.default_rng(seed)
    found = []
    for i, sensor in enumerate(sensors):
        site = (*np.radians([sensor["lat_deg"], sensor["lon_deg"]]), sensor["height_m"])
        place, infrared = geodetic_to_ecef(*site)[0], sensor["kind"] == "infrared"
        sigma = [sensor.get("sigma_range_m", 0.0), sensor["sigma_azimuth_rad"], sensor["sigma_elevation_rad"]]
        for second in np.arange(0.0, seconds) + i / len(sensors):
            seen = []
            for start, flight in flights:
                if not 0 < second - start < flight.flight_time_s:
                    continue
                state = arc_state(flight, [second - start])[0]
                value = np.column_stack(look_angles(state[:3], *site))[0]
                up = infrared or (value[2] > 0.05 and value[0] < 3e6)
                high = ecef_to_geodetic(state[:3])[2][0] > low_km * 1e3
                if up and high and rng.random() < detected:
                    line = state[:3] - place
                    seen.append((value + rng.normal(size=3) * sigma, line @ state[3:] / value[0]))
            for _ in range(rng.poisson(false_alarms)):
                value = np.array([rng.uniform(2e5, 2e6), rng.uniform(0, 2 * np.pi), rng.uniform(0.05, 1.2)])
                seen.append((value * ([1, 1, -1] if infrared else [1, 1, 1]), rng.normal() * 1000))
            for value, rate in seen:
                row = {"time_s": EPOCH_S + round(float(second), 6), "sensor": sensor["id"]}
                if not infrared:
                    row["range_m"] = float(value[0])
                row |= {"azimuth_rad": float(value[1]), "elevation_rad": float(value[2])}
                if "sigma_range_rate_mps" in sensor:
                    row["range_rate_mps"] = float(rate + rng.normal() * sensor["sigma_range_rate_mps"])
                found.append(row)
    return sorted(found, key=lambda row: row["time_s"])


def write(
    folder: Path, rows: Sequence[dict[str, Any]], sensors: Sequence[dict[str, Any]] = SENSORS
) -> list[str]:
    """Writes both files; the first arguments of `noroshi track run`."""
    (folder / "detections.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "sensors.yaml").write_text(json.dumps({"sensors": list(sensors)}, indent=1))
    return ["track", "run", str(folder / "detections.jsonl"), "--sensors", str(folder / "sensors.yaml")]
