# %% [markdown]
# # One flight, worked through
#
# A notional flight with rounded public figures, three notional sensors, and what noroshi says of it as rows come in.
# Run it as a script, `python docs/examples/one_flight.py --out FOLDER`, or cell by cell as a notebook. It needs
# matplotlib (`pip install noroshi[plots]`). What it shows is described in `one-flight.md`.

# %%
"""The worked example: a flight is seen, tracked and predicted; four pictures and the figures behind them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from math import radians
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from noroshi.geo.frames import ecef_to_geodetic, look_angles
from noroshi.geo.geodesic import inverse
from noroshi.tracking import (
    Falls,
    Measurements,
    Sensor,
    Tracker,
    TrackFilter,
    Tracks,
    arc_fall,
    arc_state,
    concatenate,
    concatenate_tracks,
    free_fall_arc,
    ground_track,
    predict_falls,
)

mpl.use("Agg")
from matplotlib import pyplot as plt  # after the choice of how to draw

Floats = NDArray[np.float64]
RUNS, SHORT_RUNS = 200, 6
STEPS_S = (2, 5, 10, 20, 40, 60, 90, 120, 180, 240)
FIGURES = ("track.png", "covariance.png", "fall.png", "nees.png")

# %% [markdown]
# ## The world: an arc and three sensors
#
# The truth has drag with a coefficient that the filter is not told.

# %%
TRUE_BETA_KGM2 = 4_000.0
ARC = free_fall_arc(radians(39.2), radians(125.7), radians(70), 2_700e3, 550e3)
START_NS = 1_900_000_000_000_000_000
SENSORS = (
    Sensor("west", "KOR", "radar", radians(37.0), radians(127.5), 0.0, 40.0, 1.0e-3, 1.0e-3),
    Sensor("north", "JPN", "radar", radians(41.0), radians(140.0), 0.0, 20.0, 0.7e-3, 0.7e-3),
    Sensor("high", "USA", "infrared", radians(0.0), radians(140.0), 35_786e3, 0.0, 5e-5, 5e-5),
)


def truth(seconds: Floats) -> Floats:
    """States (k, 6) at seconds after the start."""
    order = np.argsort(seconds, kind="stable")
    states = np.empty((len(seconds), 6))
    states[order] = arc_state(ARC, seconds[order], TRUE_BETA_KGM2)
    return states


@dataclass(frozen=True)
class Seen:
    """One draw of what the sensors see: rows in order of time, and the sensor of each."""

    rows: Measurements
    sensor: NDArray[np.int64]


def see(seed: int, until_s: float = 420.0) -> Seen:
    """Each sensor looks once a second, at its own instants, above 5 degrees and 100 km."""
    rng = np.random.default_rng(seed)
    parts, which = [], []
    for i, sensor in enumerate(SENSORS):
        seconds = np.arange(60.0, until_s) + i / len(SENSORS)
        states = truth(seconds)
        site = (sensor.lat_rad, sensor.lon_rad, sensor.height_m)
        value = np.column_stack(look_angles(states[:, :3], *site))
        up = (value[:, 2] > np.radians(5)) | (sensor.kind == "infrared")
        up &= ecef_to_geodetic(states[:, :3])[2] > 100e3
        sigma = (sensor.sigma_range_m, sensor.sigma_azimuth_rad, sensor.sigma_elevation_rad)
        noisy = value + rng.normal(size=value.shape) * sigma
        parts.append(sensor.measurements(START_NS + np.int64(np.rint(seconds[up] * 1e9)), noisy[up]))
        which.append(np.full(int(up.sum()), i))
    rows, sensors = concatenate(parts), np.concatenate(which)
    order = np.argsort(rows.time_ns, kind="stable")
    return Seen(rows[order], sensors[order])


# %% [markdown]
# ## Tracking: rows in, an estimate after each step
#
# The tracker finds the object by itself. Its rows are then played again through one filter, as the tracker did.


# %%
def follow(seen: Seen) -> TrackFilter:
    """The one object that the tracker finds."""
    tracker = Tracker(SENSORS)
    tracker.add(seen.rows, seen.sensor)
    table = tracker.tracks
    (found,) = np.flatnonzero(table.confirmed)
    return tracker.filter_of(int(table.id[found]))


def history(rows: Measurements, steps_s: tuple[int, ...] = STEPS_S) -> Tracks:
    """Estimates at seconds after the first row, each from the rows up to then only."""
    track, estimates, done = TrackFilter(), [], 0
    for step_s in steps_s:
        count = int(np.searchsorted(rows.time_ns, rows.time_ns[0] + step_s * 1_000_000_000, "right"))
        track.add(rows[done:count])
        done = count
        estimates.append(track.tracks)
    return concatenate_tracks(estimates)


def errors(estimates: Tracks) -> Floats:
    """Estimate less truth, (k, 6)."""
    difference: Floats = estimates.mean[:, :6] - truth((estimates.time_ns - START_NS) / 1e9)
    return difference


def nees(estimates: Tracks) -> Floats:
    """Normalised error squared over position and velocity: 6 on average when the covariance is honest."""
    error = errors(estimates)
    weighted = np.linalg.solve(estimates.covariance[:, :6, :6], error[..., None])[..., 0]
    found: Floats = np.einsum("ki,ki->k", error, weighted)
    return found


# %% [markdown]
# ## Four pictures


# %%
def draw_track(track: TrackFilter, estimates: Tracks, falls: Falls, out: Path) -> None:
    """Where it was seen, where it goes, and the areas that hold the fall with 90 % at four times."""
    figure, (axes, near) = plt.subplots(1, 2, figsize=(9, 4), width_ratios=(5, 3))
    path = ecef_to_geodetic(truth(np.arange(0.0, ARC.flight_time_s, 5.0))[:, :3])
    axes.plot(np.degrees(path[1]), np.degrees(path[0]), color="0.7", lw=3, label="truth")
    course = ground_track(estimates[-1:])
    axes.plot(np.degrees(course.lon_rad), np.degrees(course.lat_rad), "--", label="predicted at the end")
    for sensor in SENSORS[:2]:
        place = np.degrees([sensor.lon_rad, sensor.lat_rad])
        axes.plot(*place, "^", color="k")
        axes.annotate(sensor.id, place, xytext=(5, -10), textcoords="offset points")
    axes.set(
        xlabel="longitude, degrees", ylabel="latitude, degrees", title=f"{len(track)} rows of three sensors"
    )
    axes.legend(fontsize=8)
    real = arc_fall(ARC, TRUE_BETA_KGM2)
    for row in (2, 3, 4, 5):
        away, bearing, _ = inverse(real.lat_rad, real.lon_rad, falls.lat_rad[row], falls.lon_rad[row])
        centre = away * np.stack((np.sin(bearing), np.cos(bearing)))
        near.plot(*(ellipse(falls.covariance[row, :2, :2]) + centre) / 1e3, label=f"after {STEPS_S[row]} s")
    near.plot(0, 0, "+", color="k", ms=12)
    near.set(xlabel="km east of the real fall", ylabel="km north", title="where it comes down with 90 %")
    near.legend(fontsize=8)
    near.set_aspect("equal", adjustable="datalim")
    save(figure, out)


def ellipse(covariance: Floats, inside: float = 0.9) -> Floats:
    """East and north (2, n) of the ellipse that holds this share of a Gaussian over two axes."""
    angle = np.linspace(0, 2 * np.pi, 73)
    reach = np.sqrt(-2 * np.log(1 - inside))
    ring: Floats = reach * np.linalg.cholesky(covariance) @ np.stack((np.cos(angle), np.sin(angle)))
    return ring


def draw_covariance(estimates: Tracks, out: Path) -> None:
    """Claimed and real errors of position and velocity."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.5))
    error = errors(estimates)
    for axes, part, unit in ((left, slice(0, 3), "position, m"), (right, slice(3, 6), "velocity, m/s")):
        claimed = np.sqrt(np.trace(estimates.covariance[:, part, part], axis1=1, axis2=2))
        axes.loglog(STEPS_S, claimed, label="claimed, one sigma")
        axes.loglog(STEPS_S, np.linalg.norm(error[:, part], axis=1), "o", label="real error of this run")
        axes.set(xlabel="s after the first row", title=unit)
    left.legend(fontsize=8)
    save(figure, out)


def draw_fall(falls: Falls, out: Path) -> None:
    """How the claimed fall area and time shrink, and where the real fall lay."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.5))
    real = arc_fall(ARC, TRUE_BETA_KGM2)
    good = np.flatnonzero(falls.valid)
    steps = np.array(STEPS_S)[good]
    widest = np.sqrt(np.linalg.eigvalsh(falls.covariance[good, :2, :2])[:, 1]) / 1e3
    away = inverse(falls.lat_rad[good], falls.lon_rad[good], real.lat_rad, real.lon_rad)[0] / 1e3
    left.loglog(steps, widest, label="claimed, longer axis")
    left.loglog(steps, away, "o", label="real error of this run")
    left.set(xlabel="s after the first row", title="fall point, km")
    left.legend(fontsize=8)
    late = (falls.time_ns[good] - START_NS) / 1e9 - real.time_s
    right.loglog(steps, np.sqrt(falls.covariance[good, 2, 2]))
    right.loglog(steps, np.abs(late), "o")
    right.set(xlabel="s after the first row", title="fall time, s")
    save(figure, out)


def draw_nees(runs: int, out: Path) -> Floats:
    """The mean of many runs against the band in which it lies 95 times in 100; gives the means."""
    found = np.array([nees(history(see(seed).rows)) for seed in range(1, runs + 1)])
    mean: Floats = found.mean(axis=0)
    half = 1.96 * np.sqrt(12 / runs)  # a chi-square variable of 6 degrees has the variance 12
    figure, axes = plt.subplots(figsize=(6, 3.5))
    axes.axhspan(6 - half, 6 + half, color="0.9", label="95 % band of an honest filter")
    axes.semilogx(STEPS_S, mean, "o-", label=f"mean of {runs} runs")
    axes.set(xlabel="s after the first row", ylabel="NEES, 6 degrees of freedom", ylim=(0, 12))
    axes.legend(fontsize=8)
    save(figure, out)
    return mean


def save(figure: Figure, out: Path) -> None:
    """Writes the picture small enough to live beside the text."""
    figure.tight_layout()
    figure.savefig(out, dpi=80)
    plt.close(figure)


# %% [markdown]
# ## All of it


# %%
def main(out: Path, runs: int = RUNS) -> dict[str, Floats]:
    """Draws the pictures into the folder; the figures that the text speaks of."""
    out.mkdir(parents=True, exist_ok=True)
    track = follow(see(1))
    estimates = history(track.measurements)
    falls = predict_falls(estimates)
    draw_track(track, estimates, falls, out / FIGURES[0])
    draw_covariance(estimates, out / FIGURES[1])
    draw_fall(falls, out / FIGURES[2])
    return {
        "rows": np.array([float(len(track))]),
        "nees": draw_nees(runs, out / FIGURES[3]),
        "fall_valid": falls.valid.astype(float),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    parser.add_argument("--runs", type=int, default=RUNS)
    given = parser.parse_args()
    for name, value in main(given.out, given.runs).items():
        print(name, np.round(value, 2))
