"""The `tracking` benchmark: pairs of a prediction and an update per second, against Stone Soup on the same rows.

A thousand objects on neighbouring notional arcs, three notional radars that take turns; all filters start from the same
priors and use one thread. Stone Soup gets its best: analytic derivatives for its extended filter, plain scalar code for
the motion of one state, and fewer objects, since its rate does not depend on their number. Times are the process's own.

The agreement rows hold both filters' states together after every row: the same motion without drag, the same noise, the
same sigma points. The rate rows of the shipped filter include its drag and the iteration of young tracks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from noroshi.cli.benches import tracking_peer
from noroshi.cli.benches.report import Result, result
from noroshi.errors import OperatorError
from noroshi.geo.frames import geodetic_to_ecef, look_angles
from noroshi.tracking import (
    Measurements,
    Tracks,
    arc_state,
    free_fall_arc,
    propagate,
    radar_measurements,
    update,
    warm,
)
from noroshi.tracking.filtering import LN_BETA_MEAN, LN_BETA_SIGMA, Arithmetic, Method

Floats = NDArray[np.float64]

OBJECTS = 1000
PEER_OBJECTS = 8
RADARS = (  # notional: latitude, longitude rad, sigmas of range m, azimuth and elevation rad
    (0.65, 2.23, 40.0, 1.0e-3),
    (0.71, 2.44, 20.0, 0.7e-3),
    (0.62, 2.37, 60.0, 1.5e-3),
)
PHASES_S = np.array([0.0, 0.33, 0.66])
"""Each radar looks once a second, one after the other, on whole microseconds, which is all that the peer can tell."""
FIRST_S = 90.0
"""Rows begin this long after the start of the arc, above 200 km, and end while it climbs, where drag is none."""
EPOCH_NS = 1_900_000_000_000_000_000
PRIOR_SIGMA = np.array([5e3] * 3 + [200.0] * 3)
EXTENDED_TIMES, SHIPPED_TIMES, PLAIN_TIMES = 300.0, 300.0, 100.0
AGREE_SIGMA = 1e-5


@dataclass(frozen=True)
class Scenario:
    """Times s after the arc's start (k,), radar of each, priors (n, 6), and rows of all objects, one set per time."""

    time_s: Floats
    radar: NDArray[np.int64]
    prior: Floats
    scans: list[Measurements]


def scenario(seed: int, seconds: int) -> Scenario:
    """Objects within some kilometres of one arc, seen by the radars in turn."""
    rng = np.random.default_rng(seed)
    arc = free_fall_arc(0.68, 2.19, 1.25, 2_600e3, 560e3)
    time_s = (FIRST_S + np.arange(seconds)[:, None] + PHASES_S).ravel()
    start = arc_state(arc, time_s[:1])[0] + rng.normal(size=(OBJECTS, 6)) * ([4e3] * 3 + [20.0] * 3)
    states = propagate(start, time_s - time_s[0])
    radar = np.arange(len(time_s)) % len(RADARS)
    scans = []
    for k, which in enumerate(radar):
        lat, lon, metres, angle = RADARS[which]
        sigma = np.array([metres, angle, angle])
        value = (
            np.column_stack(look_angles(states[:, k, :3], lat, lon)) + rng.normal(size=(OBJECTS, 3)) * sigma
        )
        times = np.full(OBJECTS, EPOCH_NS + round(time_s[k] * 1e9))
        scans.append(radar_measurements(times, geodetic_to_ecef(lat, lon)[0], value, sigma))
    return Scenario(time_s, radar, start + rng.normal(size=start.shape) * PRIOR_SIGMA, scans)


def begun(given: Scenario, count: int) -> Tracks:
    """The priors of the first objects as tracks."""
    mean, cov = np.zeros((count, 7)), np.zeros((count, 7, 7))
    mean[:, :6], mean[:, 6] = given.prior[:count], LN_BETA_MEAN
    cov[:, range(7), range(7)] = np.append(PRIOR_SIGMA, LN_BETA_SIGMA) ** 2
    times = given.scans[0].time_ns[:count].copy()
    return Tracks(times, mean, cov, np.zeros(count, np.int64), times.copy(), times.copy())


def own_rate(given: Scenario, method: Method, using: Arithmetic) -> float:
    """Pairs per second over all rows of all objects."""
    tracks, index = begun(given, OBJECTS), np.arange(OBJECTS)
    start = time.process_time()
    for scan in given.scans:
        tracks = update(tracks, scan, index, method=method, using=using)
    return OBJECTS * len(given.scans) / (time.process_time() - start)


def own_states(given: Scenario, method: Method, count: int) -> tuple[Floats, Floats]:
    """Means (k, n, 6) and covariances (k, n, 6, 6) of the first objects after every row."""
    tracks, index = begun(given, count), np.arange(count)
    means, covs = [], []
    for scan in given.scans:
        tracks = update(tracks, scan[:count], index, method=method)
        means.append(tracks.mean[:, :6])
        covs.append(tracks.covariance[:, :6, :6])
    return np.array(means), np.array(covs)


def apart(own: tuple[Floats, Floats], peer: tuple[Floats, Floats]) -> tuple[float, float]:
    """Greatest differences of the means in sigmas and of the covariances relative to products of sigmas."""
    sigma = np.sqrt(np.einsum("...ii->...i", peer[1]))
    return (
        float(np.max(np.abs(own[0] - peer[0]) / sigma)),
        float(np.max(np.abs(own[1] - peer[1]) / (sigma[..., :, None] * sigma[..., None, :]))),
    )


def run(*, quick: bool, seed: int, progress: Callable[[str], None]) -> list[Result]:
    """All rows of the benchmark. Raises OperatorError when the peer is not installed."""
    try:
        peer_version = version("stonesoup")
    except ModuleNotFoundError:
        raise OperatorError(
            "run the benchmark",
            subject="tracking",
            cause="Stone Soup is not installed",
            hint="pip install noroshi[bench]",
        ) from None
    progress("tracking: compiling and drawing the rows")
    warm()
    given = scenario(seed, 14 if quick else 60)
    sites = [(*radar[:2], (radar[3], radar[3], radar[2])) for radar in RADARS]
    rows: list[Result] = []
    rounds = 3 if quick else 7
    ways: tuple[tuple[str, Method, Method, float], ...] = (
        ("EKF", "extended", "extended", EXTENDED_TIMES),
        ("UKF", "sigma-point", "iterated", SHIPPED_TIMES),
    )
    for peer_name, same, method, must in ways:
        peer = f"Stone Soup {peer_name}"
        own, plain, others = [], [], []
        for number in range(rounds):
            progress(f"tracking: {method} against {peer}, run {number + 1} of {rounds}")
            own.append(own_rate(given, method, "numba"))
            if number < 3:
                plain.append(own_rate(given, method, "numpy"))
            took, states = tracking_peer.filtered(peer_name, given, sites, PEER_OBJECTS, PRIOR_SIGMA)
            others.append(PEER_OBJECTS * len(given.scans) / took)
        for label, values, least in (
            (f"predict+update, {method}, compiled", own, must),
            (f"predict+update, {method}, NumPy", plain, PLAIN_TIMES),
        ):
            rows.append(
                result(
                    "tracking",
                    label,
                    values,
                    "1/s",
                    peer=peer,
                    peer_version=peer_version,
                    peer_values=others,
                    must=f"at least {least:.0f} times {peer}",
                    holds=_at_least(least),
                )
            )
        mean, cov = apart(own_states(given, same, PEER_OBJECTS), states)
        for label, value in (("mean", mean), ("covariance", cov)):
            rows.append(
                result(
                    "tracking",
                    f"{label} of {same} apart from {peer}, worst of all rows",
                    [value],
                    "sigma",
                    must=f"at most {AGREE_SIGMA:g}",
                    holds=lambda value, _: value <= AGREE_SIGMA,
                )
            )
    return rows


def _at_least(times: float) -> Callable[[float, float | None], bool]:
    """Whether the ratio reaches so many times the peer."""
    return lambda _, ratio: ratio is not None and ratio >= times
