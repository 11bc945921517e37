"""To and from Stone Soup: its detections as `Measurements` and its tracks as `Tracks`, both ways.

    frame = earth_fixed()                                 # or local_frame(lat_rad, lon_rad, height_m)
    rows = from_detections(detections, frame)             # elevation-bearing(-range(-rate)) models
    detections = to_detections(rows, frame)
    track = to_track(history, frame, name="T1")           # rows of `history`: one object at successive times
    history = from_track(track, frame)

A `Frame` says in which axes Stone Soup's states are: Earth-fixed (ECEF), or east, north, up at a place. Stone Soup's
bearing runs anticlockwise from the sensor's x axis and its angles are against the sensor's own axes
(`rotation_offset`); noroshi's azimuth runs clockwise from true north and its elevation is above the sensor's own
horizon. The extra `stonesoup` brings the library; it is imported when a function here is called.

What one side cannot carry: Stone Soup has no nanoseconds (they travel in the metadata), no clock sigma and no
considered bias (refused); its track states have six numbers, so the ballistic coefficient is the prior's after a round
trip. Correlated noise of angles becomes uncorrelated noise that is at least as wide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import to_datetime
from noroshi.errors import OperatorError
from noroshi.geo.frames import ecef_to_geodetic, enu_rotation, geodetic_to_ecef
from noroshi.tracking.errors import TrackError
from noroshi.tracking.filtering import PRIOR
from noroshi.tracking.measurements import (
    RADAR,
    Measurements,
    concatenate,
    infrared_measurements,
    no_measurements,
    radar_measurements,
)
from noroshi.tracking.tracks import SIZE, Tracks

Floats = NDArray[np.float64]

INTERLEAVED = (0, 2, 4, 1, 3, 5)
"""Where x, y, z and their rates stand in a Stone Soup state by its custom: x, vx, y, vy, z, vz."""
STACKED = (0, 1, 2, 3, 4, 5)
"""The other order in use: x, y, z, vx, vy, vz, which is noroshi's own."""
TIME_NS = "time_ns"
TIMES_NS, LN_BETA = "times_ns", "ln_beta"
"""Keys of the metadata of detections, and of tracks, for what the types of Stone Soup do not carry."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND_NS = 1000


@dataclass(frozen=True, eq=False)
class Frame:
    """Axes of Stone Soup's states. origin_m (3,): ECEF of their zero; rotation (3, 3): from ECEF into them."""

    origin_m: Floats
    rotation: Floats

    def point(self, ecef_m: Floats) -> Floats:
        """A position (3,) in these axes."""
        point: Floats = self.rotation @ (ecef_m - self.origin_m)
        return point

    def ecef(self, point_m: Floats) -> Floats:
        """The ECEF position (3,) of a point in these axes."""
        ecef: Floats = self.rotation.T @ point_m + self.origin_m
        return ecef


def earth_fixed() -> Frame:
    """States in ECEF."""
    return Frame(np.zeros(3), np.eye(3))


def local_frame(lat_rad: float, lon_rad: float, height_m: float = 0.0) -> Frame:
    """States in east, north, up at a geodetic place; velocities are relative to the turning Earth here too."""
    return Frame(geodetic_to_ecef(lat_rad, lon_rad, height_m)[0], enu_rotation(lat_rad, lon_rad)[0])


def from_detections(detections: Iterable[Any], frame: Frame) -> Measurements:
    """Rows of Stone Soup detections, in their order. Each carries its measurement model.

    Models: CartesianToElevationBearing (infrared), -Range, -RangeRate with a sensor at rest in the frame. Times without
    a zone are UTC. Raises TrackError for another model, MeasurementError for impossible values.
    """
    rows = [_row(detection, frame) for detection in detections]
    return concatenate(rows) if rows else no_measurements()


def to_detections(
    rows: Measurements,
    frame: Frame,
    *,
    order: Sequence[int] = INTERLEAVED,
    sensors: Sequence[str] | None = None,
) -> list[Any]:
    """Stone Soup detections of rows, each with the measurement model of its sensor at its own horizon.

    order: where position and velocity stand in the state. sensors: names of the rows' sensors, put into the metadata.
    Raises TrackError for rows with a clock sigma or a considered bias; OperatorError without Stone Soup.
    """
    soup = _stone_soup()
    if rows.clock_sigma_s.any() or rows.bias_sigma.any():
        raise TrackError(
            "hand rows to Stone Soup",
            cause="a row has a clock sigma or a bias sigma, which a detection there cannot carry",
        )
    models: dict[bytes, Any] = {}
    made = []
    for k in range(len(rows)):
        key = (
            rows.model[k].tobytes()
            + rows.site_m[k].tobytes()
            + rows.sigma[k].tobytes()
            + rows.rate[k, 1].tobytes()
        )
        model = models.setdefault(key, None) or _model(soup, rows, k, frame, order)
        models[key] = model
        distance, azimuth, elevation = rows.value[k]
        values: list[Any] = [soup.Elevation(elevation), soup.Bearing(np.pi / 2 - azimuth)]
        if rows.model[k] == RADAR:
            values.append(distance)
        if rows.rate[k, 1] > 0:
            values.append(rows.rate[k, 0])
        metadata: dict[str, Any] = {TIME_NS: int(rows.time_ns[k])}
        if sensors is not None:
            metadata["sensor"] = sensors[k]
        made.append(
            soup.Detection(
                soup.StateVector(values),
                timestamp=to_datetime(int(rows.time_ns[k])).replace(tzinfo=None),
                measurement_model=model,
                metadata=metadata,
            )
        )
    return made


def to_track(history: Tracks, frame: Frame, *, name: str, order: Sequence[int] = INTERLEAVED) -> Any:
    """A Stone Soup track of one object: a GaussianState of six numbers for each row, rows at ascending times.

    The ballistic coefficients go into the track's metadata. Raises TrackError when times do not ascend.
    """
    soup = _stone_soup()
    if (np.diff(history.time_ns) < 0).any():
        raise TrackError("hand the track to Stone Soup", subject=name, cause="its times do not ascend")
    places = _places(order)
    turn = _turn(frame)
    states = []
    for mean, covariance, time_ns in zip(history.mean, history.covariance, history.time_ns, strict=True):
        state = np.concatenate((frame.point(mean[:3]), frame.rotation @ mean[3:6]))
        spread = turn @ covariance[:6, :6] @ turn.T
        vector, matrix = np.zeros(6), np.zeros((6, 6))
        vector[places] = state
        matrix[np.ix_(places, places)] = (spread + spread.T) / 2
        when = to_datetime(int(time_ns)).replace(tzinfo=None)
        states.append(
            soup.GaussianState(soup.StateVector(vector), soup.CovarianceMatrix(matrix), timestamp=when)
        )
    metadata = {
        TIMES_NS: [int(time_ns) for time_ns in history.time_ns],
        LN_BETA: [
            (float(mean[6]), float(cov[6, 6]))
            for mean, cov in zip(history.mean, history.covariance, strict=True)
        ],
    }
    return soup.Track(states, id=name, init_metadata=metadata)


def from_track(track: Any, frame: Frame, *, order: Sequence[int] = INTERLEAVED) -> Tracks:
    """The states of a Stone Soup track as rows of `Tracks`, in their order.

    `updates` counts the states that are updates up to each row (all of them where none is); first and last observed are
    the times of the first of them and of the latest up to the row. Uncorrelated with the rest, the coefficient is the
    metadata's, else the prior's. Raises TrackError for states that are not six numbers with a covariance and a time.
    """
    places = _places(order)
    turn = _turn(frame).T
    count = len(track.states)
    mean, covariance = np.zeros((count, SIZE)), np.zeros((count, SIZE, SIZE))
    times = np.zeros(count, np.int64)
    kept = dict(track.metadata)
    coefficients, exact = kept.get(LN_BETA, ()), kept.get(TIMES_NS, ())
    for i, state in enumerate(track.states):
        vector = np.asarray(getattr(state, "mean", ()), np.float64).ravel()
        matrix = np.asarray(getattr(state, "covar", ()), np.float64)
        if vector.shape != (6,) or matrix.shape != (6, 6) or state.timestamp is None:
            cause = "a state is not six numbers with a covariance and a time"
            raise TrackError("take the track from Stone Soup", subject=f"state {i}", cause=cause)
        placed = vector[places]
        mean[i, :3], mean[i, 3:6] = frame.ecef(placed[:3]), frame.rotation.T @ placed[3:]
        covariance[i, :6, :6] = turn @ matrix[np.ix_(places, places)] @ turn.T
        same = len(coefficients) == count
        mean[i, 6], covariance[i, 6, 6] = coefficients[i] if same else (PRIOR[1], PRIOR[2] ** 2)
        times[i] = _time_ns(state.timestamp, exact[i] if len(exact) == count else None)
    updated = np.array([hasattr(state, "hypothesis") for state in track.states], np.bool_)
    if not updated.any():
        updated[:] = True
    seen = np.maximum.accumulate(np.where(updated, times, 0)) if count else times
    first = np.full(count, times[np.argmax(updated)] if count else 0, np.int64)
    last = np.maximum(seen, first)
    return Tracks(times, mean, covariance, np.cumsum(updated).astype(np.int64), first, last)


class _Names:
    """The types of Stone Soup that are used here."""

    def __init__(self) -> None:
        from stonesoup.models.measurement import nonlinear
        from stonesoup.types.angle import Bearing, Elevation
        from stonesoup.types.array import CovarianceMatrix, StateVector
        from stonesoup.types.detection import Detection
        from stonesoup.types.state import GaussianState
        from stonesoup.types.track import Track

        self.nonlinear: Any = nonlinear
        self.Bearing, self.Elevation = Bearing, Elevation
        self.CovarianceMatrix, self.StateVector = CovarianceMatrix, StateVector
        self.Detection, self.GaussianState, self.Track = Detection, GaussianState, Track


def _stone_soup() -> _Names:
    try:
        return _Names()
    except ImportError as error:
        raise OperatorError(
            "exchange with Stone Soup", cause=str(error), hint="pip install noroshi[stonesoup]"
        ) from error


def _row(detection: Any, frame: Frame) -> Measurements:
    """One detection as a row."""
    model = detection.measurement_model
    kind = type(model).__name__
    names = _KINDS.get(kind)
    if names is None:
        cause = f"its measurement model is {kind}"
        raise TrackError(
            "take the detection from Stone Soup", cause=cause, hint=f"known are {', '.join(_KINDS)}"
        )
    value = np.array([float(number) for number in np.asarray(detection.state_vector).ravel()])
    noise = np.array(model.noise_covar, np.float64)
    site = frame.ecef(np.asarray(model.translation_offset, np.float64).ravel()[:3])
    azimuth, elevation, turn = _at_horizon(model, value, frame, site)
    noise[:2, :2] = turn @ noise[:2, :2] @ turn.T
    noise[:2, 2:] = turn @ noise[:2, 2:]
    noise[2:, :2] = noise[:2, 2:].T
    spread = np.sqrt(np.diag(noise))
    # A diagonal at least as wide as the matrix: |C_ij| <= rho_ij s_i s_j (Gershgorin on the correlations).
    spread = spread * np.sqrt((np.abs(noise) / np.outer(spread, spread)).sum(axis=1))
    time_ns = _time_ns(detection.timestamp, dict(detection.metadata).get(TIME_NS))
    if kind == "CartesianToElevationBearing":
        return infrared_measurements([time_ns], site, [(azimuth, elevation)], (spread[1], spread[0]))
    rate = (0.0, 0.0)
    if len(names) == 4:
        if np.asarray(model.velocity, np.float64).any():
            raise TrackError("take the detection from Stone Soup", cause="its sensor moves: not supported")
        rate = (float(value[3]), float(spread[3]))
    sigma = (spread[2], spread[1], spread[0])
    return radar_measurements([time_ns], site, [(value[2], azimuth, elevation)], sigma, rate=rate)


_KINDS = {
    "CartesianToElevationBearing": ("elevation", "bearing"),
    "CartesianToElevationBearingRange": ("elevation", "bearing", "range"),
    "CartesianToElevationBearingRangeRate": ("elevation", "bearing", "range", "rate"),
}


def _at_horizon(model: Any, value: Floats, frame: Frame, site: Floats) -> tuple[float, float, Floats]:
    """Azimuth and elevation at the sensor's own horizon, and how small changes of (elevation, bearing) turn into those
    of (elevation, azimuth).
    """
    lat, lon, _ = ecef_to_geodetic(site)
    axes = enu_rotation(lat, lon)[0] @ frame.rotation.T @ np.asarray(model.rotation_matrix, np.float64).T
    theta, phi = value[0], value[1]
    line = axes @ np.array([np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), np.sin(theta)])
    up = axes @ np.array([-np.sin(theta) * np.cos(phi), -np.sin(theta) * np.sin(phi), np.cos(theta)])
    aside = axes @ np.array([-np.cos(theta) * np.sin(phi), np.cos(theta) * np.cos(phi), 0.0])
    level = float(np.hypot(line[0], line[1]))
    azimuth, elevation = float(np.arctan2(line[0], line[1])), float(np.arctan2(line[2], level))
    level = max(level, _NEAR_ZENITH)
    raise_by = np.array([-line[2] * line[0], -line[2] * line[1], level * level]) / level
    turn_by = np.array([line[1], -line[0], 0.0]) / (level * level)
    return azimuth, elevation, np.array([[raise_by @ up, raise_by @ aside], [turn_by @ up, turn_by @ aside]])


_NEAR_ZENITH = 1e-9
"""Cosine of the elevation below which the azimuth is of no meaning; keeps the division possible."""


def _model(soup: _Names, rows: Measurements, k: int, frame: Frame, order: Sequence[int]) -> Any:
    """The measurement model of a row's sensor, turned to its own horizon: x east, y north, z up."""
    lat, lon, _ = ecef_to_geodetic(rows.site_m[k])
    places = _places(order)
    fields: dict[str, Any] = {
        "ndim_state": 6,
        "mapping": tuple(int(i) for i in places[:3]),
        "translation_offset": soup.StateVector(frame.point(rows.site_m[k])),
        "rotation_offset": soup.StateVector(_angles(enu_rotation(lat, lon)[0] @ frame.rotation.T)),
    }
    sigma_range, sigma_azimuth, sigma_elevation = rows.sigma[k]
    sigma = [sigma_elevation, sigma_azimuth]
    name = "CartesianToElevationBearing"
    if rows.model[k] == RADAR:
        name, sigma = name + "Range", [*sigma, sigma_range]
    if rows.rate[k, 1] > 0:
        name, sigma = name + "Rate", [*sigma, rows.rate[k, 1]]
        fields["velocity_mapping"] = tuple(int(i) for i in places[3:])
    noise = soup.CovarianceMatrix(np.diag(np.square(sigma)))
    return getattr(soup.nonlinear, name)(noise_covar=noise, **fields)


def _angles(rotation: Floats) -> Floats:
    """The rotation_offset (roll, pitch, yaw) whose matrix is this rotation: Rx(-roll) Ry(pitch) Rz(-yaw)."""
    pitch = np.arcsin(np.clip(rotation[0, 2], -1.0, 1.0))
    if abs(rotation[0, 2]) > 1 - 1e-12:
        # Roll and yaw turn about one axis: all of it is given to roll.
        return np.array([np.arctan2(rotation[1, 0], rotation[1, 1]) * -np.sign(rotation[0, 2]), pitch, 0.0])
    return np.array(
        [np.arctan2(rotation[1, 2], rotation[2, 2]), pitch, np.arctan2(rotation[0, 1], rotation[0, 0])]
    )


def _places(order: Sequence[int]) -> NDArray[np.int64]:
    if sorted(order) != list(range(6)):
        raise TrackError("exchange with Stone Soup", cause="an order names each of the places 0 to 5 once")
    return np.array(order, np.int64)


def _turn(frame: Frame) -> Floats:
    """From ECEF to the frame for position and velocity (6, 6)."""
    turn = np.zeros((6, 6))
    turn[:3, :3] = turn[3:, 3:] = frame.rotation
    return turn


def _time_ns(when: datetime, exact_ns: object) -> int:
    """UTC nanoseconds: the exact ones where they belong to this time, else those of the time."""
    aware = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
    time_ns = (aware - _EPOCH) // timedelta(microseconds=1) * _MICROSECOND_NS
    if isinstance(exact_ns, int) and 0 <= exact_ns - time_ns < _MICROSECOND_NS:
        return exact_ns
    return time_ns
