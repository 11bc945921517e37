"""The `accuracy` benchmark: errors of the estimate and of the fall beside the posterior Cramer-Rao bound.

Six free-fall arcs from noroshi's own first row. Position and velocity: free fall without drag. The fall: with a drag
that nobody knows, against the bound that does not know it either; beside it, as the losing case that it is, the fall of
an object without drag against a bound that knows there is none. Powered ascents stand apart: under power as they are,
and from 5 s after its end against the bound of a filter that is told when that was and begins then. Stone Soup's
unscented filter runs on a few of the same runs, begun with the same first row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from noroshi.cli.benches import arcs, ascents
from noroshi.cli.benches.arcs import ARCS, Floats, Mark
from noroshi.cli.benches.bound import fall_bound, state_bounds
from noroshi.cli.benches.peer_filter import PEER, peer_errors, peer_version
from noroshi.cli.benches.report import Result
from noroshi.errors import LocalError
from noroshi.tracking import Measurements, TrackFilter, concatenate

RUNS, QUICK_RUNS = 500, 100
QUICK_MARKS_S = tuple(mark for mark in arcs.MARKS_S if mark <= 60)
"""A first look stops here, and its worst mark is not judged: so few runs cannot tell."""
FROM_S = 5.0
"""Before this mark the bound, which takes the way to the fall as straight, is no measure of the fall."""
MEAN_MUST, WORST_MUST = 1.05, 1.15
PEER_RUNS, PEER_S = 10, 40.0
PEER_ARCS = ("a500", "a2700", "lofted")


@dataclass(frozen=True)
class Ratio:
    """Root mean square error over bound of one arc at one mark, in position, velocity, place and time of the fall."""

    name: str
    after_s: float
    position: float
    velocity: float
    place: float
    time: float


def run(*, quick: bool, seed: int, progress: Callable[[str], None]) -> list[Result]:
    """All rows of the benchmark. Raises OperatorError when the peer is not installed."""
    version = peer_version("accuracy")
    runs, marks_s = (QUICK_RUNS, QUICK_MARKS_S) if quick else (RUNS, arcs.MARKS_S)
    ratios: dict[bool, list[Ratio]] = {}
    for drag in (False, True):
        progress(f"accuracy: {runs} runs of each arc, {'unknown drag' if drag else 'no drag'}")
        ratios[drag] = [one for name in ARCS for one in of_arc(name, runs, seed, drag, marks_s)]
    free, unknown = ratios[False], ratios[True]
    rows = [
        *two_rows("position over bound", [one.position for one in free], must=True, judged=not quick),
        *two_rows("velocity over bound", [one.velocity for one in free], must=True, judged=not quick),
        *two_rows(
            "fall place over bound, unknown drag", [one.place for one in unknown], must=True, judged=not quick
        ),
        *two_rows(
            "fall time over bound, unknown drag", [one.time for one in unknown], must=True, judged=not quick
        ),
        *two_rows(
            "fall place over a bound that knows: no drag",
            [one.place for one in free],
            must=False,
            judged=False,
        ),
        *two_rows(
            "fall time over a bound that knows: no drag", [one.time for one in free], must=False, judged=False
        ),
    ]
    rows += of_ascents(ascents.QUICK_RUNS if quick else ascents.RUNS, seed, progress)
    return rows + beside_peer(version, quick=quick, seed=seed, progress=progress)


def of_ascents(runs: int, seed: int, progress: Callable[[str], None]) -> list[Result]:
    """Powered ascents, apart: errors under power, and over the bound after it."""
    progress(f"accuracy: {runs} powered ascents")
    flights = ascents.draw(runs, seed)
    marks = ascents.play(flights)
    after = [mark for mark in marks if mark.after_s >= FROM_S]
    bounds = ascents.bounds(flights, [mark.after_s for mark in after])
    rows = []
    for what, part, unit in (("position", slice(0, 3), "m"), ("velocity", slice(3, 6), "m/s")):
        errors = [arcs.rmse((mark.tracks.mean[:, :6] - mark.truth)[:, part]) for mark in after]
        least = [math.sqrt(float(np.trace(one[:, part, part].mean(axis=0)))) for one in bounds]
        ratios = [error / bound for error, bound in zip(errors, least, strict=True)]
        rows += two_rows(f"{what} over bound after a powered ascent", ratios, must=False, judged=False)
        under = [mark for mark in marks if mark.after_s < 0]
        values = [arcs.rmse((mark.tracks.mean[:, :6] - mark.truth)[:, part]) for mark in under]
        worst = max(values)
        rows.append(
            Result(
                name="accuracy",
                measure=f"{what} error under power, root mean square",
                value=worst,
                unit=unit,
                runs=runs,
                low=min(values),
                high=worst,
            )
        )
    return rows


def of_arc(name: str, runs: int, seed: int, drag: bool, marks_s: tuple[float, ...]) -> list[Ratio]:
    """These marks of one arc from `FROM_S` on."""
    case = arcs.build(name, float(max(marks_s)))
    marks = [mark for mark in arcs.play(name, runs, seed, marks_s, drag=drag) if mark.after_s >= FROM_S]
    bounds = state_bounds(case, [mark.row for mark in marks])
    found = []
    for mark, bound in zip(marks, bounds, strict=True):
        error = mark.tracks.mean[:, :6] - mark.truth
        fall, least = arcs.fall_errors(mark), fall_bound(case, mark.row, bound, drag=drag)
        found.append(
            Ratio(
                name,
                mark.after_s,
                arcs.rmse(error[:, :3]) / math.sqrt(np.trace(bound[:3, :3])),
                arcs.rmse(error[:, 3:]) / math.sqrt(np.trace(bound[3:, 3:])),
                arcs.rmse(fall.distance_m) / math.sqrt(least[0, 0] + least[1, 1]),
                arcs.rmse(fall.time_s) / math.sqrt(least[2, 2]),
            )
        )
    return found


def two_rows(measure: str, values: Sequence[float], *, must: bool, judged: bool) -> list[Result]:
    """The mean over all marks and arcs, and the worst of them."""
    mean, worst = float(np.mean(values)), max(values)
    return [
        Result(
            name="accuracy",
            measure=f"{measure}, {kind}",
            value=value,
            unit="x",
            runs=len(values),
            low=min(values),
            high=worst,
            peer="bound",
            peer_value=1.0,
            ratio=value,
            must=f"at most {limit}" if must else "",
            held=value <= limit if must and (judged or kind == "mean") else None,
        )
        for kind, value, limit in (("mean", mean, MEAN_MUST), ("worst mark", worst, WORST_MUST))
    ]


def beside_peer(version: str, *, quick: bool, seed: int, progress: Callable[[str], None]) -> list[Result]:
    """Errors at `PEER_S` over the bound, for the same few runs of noroshi and of Stone Soup."""
    own: dict[str, list[float]] = {"position": [], "velocity": []}
    peer: dict[str, list[float]] = {"position": [], "velocity": []}
    runs = 3 if quick else PEER_RUNS
    for name in PEER_ARCS[:1] if quick else PEER_ARCS:
        progress(f"accuracy: {runs} runs of {name} with {PEER}")
        case = arcs.build(name, PEER_S)
        kept: list[Measurements] = []
        mark = arcs.play(name, runs, seed, (PEER_S,), drag=False, case=case, keep=kept)[-1]
        bound = state_bounds(case, [mark.row])[0]
        same_as_track_filter(mark, kept)
        for found, error in (
            (own, mark.tracks.mean[:, :6] - mark.truth),
            (peer, peer_errors(kept, mark.truth)),
        ):
            found["position"].append(arcs.rmse(error[:, :3]) / math.sqrt(np.trace(bound[:3, :3])))
            found["velocity"].append(arcs.rmse(error[:, 3:]) / math.sqrt(np.trace(bound[3:, 3:])))
    return [
        Result(
            name="accuracy",
            measure=f"{what} over bound at {PEER_S:.0f} s, the same {runs} runs of {len(own[what])} arcs",
            value=float(np.mean(own[what])),
            unit="x",
            runs=len(own[what]),
            low=min(own[what]),
            high=max(own[what]),
            peer=PEER,
            peer_version=version,
            peer_value=float(np.mean(peer[what])),
            ratio=float(np.mean(own[what]) / np.mean(peer[what])),
        )
        for what in ("position", "velocity")
    ]


def same_as_track_filter(mark: Mark, kept: Sequence[Measurements]) -> None:
    """One run through a `TrackFilter`, which is what a node holds, must give what the columns gave."""
    track = TrackFilter()
    track.add(concatenate([rows[:1] for rows in kept]))
    away: Floats = track.tracks.mean - mark.tracks.mean[:1]
    sigma = np.sqrt(np.diagonal(mark.tracks.covariance[0]))
    if not (np.abs(away) < 1e-6 * sigma).all():
        raise LocalError("compare with a TrackFilter", cause="it and the columns give different estimates")
