"""The simulated world: what really flies, and what each sensor sees of it.

The truth is the same free-fall model that `noroshi.tracking` uses, with a drag that the nodes do not know. What a
sensor sees at its k-th look depends on the seed, the sensor, the flight and k, never on any order of calls.

    truth = Truth(coalition)
    for look in looks(coalition, entropy): ...
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from noroshi.clock import seconds
from noroshi.exercise.coalition import Coalition
from noroshi.exercise.draws import stream
from noroshi.exercise.scenario import Flight, Sensor, SensorDown
from noroshi.geo.frames import SEMI_MINOR_M, ecef_to_geodetic, geodetic_to_ecef, look_angles, unit_vectors
from noroshi.node.inputs import Detections
from noroshi.tracking import Arc, arc_fall, arc_state, free_fall_arc

Floats = NDArray[np.float64]

TRACK_STEP_S = 1.0
"""Step of the ground track in which nearest times are looked for."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look of one sensor that saw something, and what its feed gives to the node that serves it."""

    time_ns: int
    node: str
    detections: Detections


class Truth:
    """Where everything really is."""

    def __init__(self, coalition: Coalition) -> None:
        self._start_ns = coalition.start_ns
        self._flights = {flight.id: flight for flight in coalition.scenario.world.flights}
        self._real = tuple(name for name, flight in self._flights.items() if not flight.false_for)
        self._arcs = {name: _arc(flight) for name, flight in self._flights.items()}
        self._ends_s = {
            name: flight.launch_s + arc_fall(self._arcs[name], flight.ballistic_coefficient).time_s
            for name, flight in self._flights.items()
        }
        self._tracks: dict[str, tuple[Floats, Floats]] = {}

    def positions_m(self, flight: str, time_s: Floats) -> Floats:
        """(n, 3) ECEF positions at ascending times (s after the start); NaN before launch and after the fall."""
        return self.states(flight, time_s)[:, :3]

    def states(self, flight: str, time_s: Floats) -> Floats:
        """(n, 6) ECEF positions m and velocities m/s at ascending times; NaN before launch and after the fall."""
        known = self._flights[flight]
        inside = (time_s >= known.launch_s) & (time_s <= self._ends_s[flight])
        found = np.full((len(time_s), 6), np.nan)
        if inside.any():
            found[inside] = arc_state(
                self._arcs[flight], time_s[inside] - known.launch_s, known.ballistic_coefficient
            )
        return found

    def end_s(self, flight: str) -> float:
        """When it falls, s after the start."""
        return self._ends_s[flight]

    def nearest_ns(self, lat_deg: float, lon_deg: float) -> int | None:
        """When the ground track of a flight comes nearest to a point; None when nothing flies."""
        return self.nearest_rad_ns(float(np.radians(lat_deg)), float(np.radians(lon_deg)))

    def nearest_rad_ns(self, latitude_rad: float, longitude_rad: float) -> int | None:
        """The same for angles in radians. Of several flights, the one that comes nearest."""
        place = unit_vectors(latitude_rad, longitude_rad)[0]
        best: tuple[float, int] | None = None
        for name in self._real:
            time_s, ground = self._ground_track(name)
            apart = 1.0 - ground @ place
            index = int(np.argmin(apart))
            found = (float(apart[index]), self._start_ns + seconds(float(time_s[index])))
            best = found if best is None or found < best else best
        return best[1] if best else None

    def passage_rad_ns(self, latitude_rad: float, longitude_rad: float, about_ns: int) -> int:
        """When the flight that comes by nearest to `about_ns` is nearest to a point; 0 when nothing flies."""
        place = unit_vectors(latitude_rad, longitude_rad)[0]
        times = []
        for name in self._real:
            time_s, ground = self._ground_track(name)
            times.append(self._start_ns + seconds(float(time_s[int(np.argmax(ground @ place))])))
        return min(times, key=lambda at: abs(at - about_ns), default=0)

    def _ground_track(self, flight: str) -> tuple[Floats, Floats]:
        """Times (n,) s after the start, and the normals (n, 3) of the points below the flight."""
        if flight not in self._tracks:
            time_s = np.arange(self._flights[flight].launch_s, self._ends_s[flight], TRACK_STEP_S)
            latitude, longitude, _ = ecef_to_geodetic(self.positions_m(flight, time_s))
            self._tracks[flight] = (time_s, unit_vectors(latitude, longitude))
        return self._tracks[flight]


def looks(coalition: Coalition, entropy: bytes, truth: Truth | None = None) -> list[Look]:
    """All looks that saw something, in the order of time and sensor. truth: of this coalition, if it is at hand."""
    truth = truth or Truth(coalition)
    scenario = coalition.scenario
    nodes = coalition.members[0].genesis.nodes
    downs = [one for one in scenario.injects if isinstance(one, SensorDown)]
    found: list[Look] = []
    for sensor in scenario.sensors:
        seen = _rows(coalition, truth, sensor, entropy)
        windows = [(one.at_s, one.at_s + (one.for_s or np.inf)) for one in downs if one.sensor == sensor.id]
        sequence = 0
        for time_s, rows in sorted(seen.items()):
            if any(low <= time_s < high for low, high in windows):
                continue
            sequence += 1
            time_ns = coalition.start_ns + seconds(time_s)
            detections = Detections(
                feed=sensor.id,
                sequence=sequence,
                sensor=sensor.id,
                time_ns=(time_ns,) * len(rows),
                value=tuple(value for value, _ in rows),
                rate_mps=tuple(rate for _, rate in rows) if sensor.sigma_range_rate_mps else UNSET,
            )
            found.append(Look(time_ns, nodes[sensor.unit], detections))
    return sorted(found, key=lambda look: (look.time_ns, look.detections.sensor))


def _rows(
    coalition: Coalition, truth: Truth, sensor: Sensor, entropy: bytes
) -> dict[float, list[tuple[tuple[float, float, float], float]]]:
    """Measured (range m or 0, azimuth rad, elevation rad) and range rate m/s, by time of look, s after the start."""
    site = (np.radians(sensor.lat_deg), np.radians(sensor.lon_deg), sensor.height_m)
    time_s = np.arange(sensor.phase_s, coalition.scenario.duration_s, sensor.period_s)
    sigma = (
        sensor.sigma_range_m or 0.0,
        sensor.sigma_azimuth_mrad / 1e3,
        sensor.sigma_elevation_mrad / 1e3,
        sensor.sigma_range_rate_mps or 0.0,
    )
    found: dict[float, list[tuple[tuple[float, float, float], float]]] = {}
    for flight in coalition.scenario.world.flights:
        if flight.false_for and sensor.id not in flight.false_for:
            continue
        states = truth.states(flight.id, time_s)
        up = np.flatnonzero(np.isfinite(states[:, 0]))
        value = np.full((len(time_s), 4), np.nan)
        visible = np.zeros(len(time_s), dtype=bool)
        if up.size:
            at = states[up]
            value[up, :3] = np.column_stack(look_angles(at[:, :3], *site))
            value[up, 3] = _range_rate(at, geodetic_to_ecef(*site)[0])
            visible[up] = (
                (ecef_to_geodetic(at[:, :3])[2] >= flight.observable_above_km * 1e3)
                & (value[up, 0] <= sensor.range_max_km * 1e3)
                & (value[up, 2] >= np.radians(sensor.elevation_min_deg))
                & _above_horizon(at[:, :3], geodetic_to_ecef(*site)[0])
            )
        noise = np.column_stack(
            (
                stream(entropy, "noise", sensor.id, flight.id).standard_normal((len(time_s), 3)),
                stream(entropy, "rate noise", sensor.id, flight.id).standard_normal(len(time_s)),
            )
        )
        hit = stream(entropy, "detection", sensor.id, flight.id).random(len(time_s)) < sensor.pd
        measured = value + noise * sigma
        measured[:, 1] = np.mod(measured[:, 1], 2 * np.pi)
        for index in np.flatnonzero(visible & hit):
            distance, azimuth, elevation, rate = (float(one) for one in measured[index])
            row = (distance if sensor.sigma_range_m else 0.0, azimuth, elevation)
            found.setdefault(float(time_s[index]), []).append((row, rate))
    return found


def _range_rate(states: Floats, site_m: Floats) -> Floats:
    """Speed along the line of sight, m/s, positive going away."""
    away = states[:, :3] - site_m
    rate: Floats = np.einsum("ij,ij->i", away, states[:, 3:]) / np.linalg.norm(away, axis=1)
    return rate


def _above_horizon(position_m: Floats, site_m: Floats) -> NDArray[np.bool_]:
    """Whether the line of sight (n, 3) to (3,) stays clear of the Earth, taken as a sphere of its least radius."""
    along = position_m - site_m
    share = np.clip(-(along @ site_m) / np.einsum("ij,ij->i", along, along), 0.0, 1.0)
    nearest = site_m + share[:, None] * along
    clear: NDArray[np.bool_] = np.linalg.norm(nearest, axis=1) >= SEMI_MINOR_M
    return clear


def _arc(flight: Flight) -> Arc:
    return free_fall_arc(
        float(np.radians(flight.lat_deg)),
        float(np.radians(flight.lon_deg)),
        float(np.radians(flight.azimuth_deg)),
        flight.range_km * 1e3,
        flight.apogee_km * 1e3,
    )
