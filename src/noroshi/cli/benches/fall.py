"""The `fall` benchmark: how near the predicted fall is to the true one, and how soon; the drag is unknown.

p90: nine errors of ten are smaller. Root mean square errors stand beside the bound, which does not know the drag
either. After a powered ascent, apart, the clock begins when the power ends, which the filter has to find out. For
comparison: public warnings took three to seven minutes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from noroshi.cli.benches import arcs, ascents
from noroshi.cli.benches.arcs import ARCS
from noroshi.cli.benches.bound import fall_bound, state_bounds
from noroshi.cli.benches.report import Result

RUNS, QUICK_RUNS = 500, 100
LIMITS_KM = {20: 20.0, 60: 5.0}
"""p90 of the error of place that must not be exceeded, km, by seconds after the first free-flight detection."""


def run(*, quick: bool, seed: int, progress: Callable[[str], None]) -> list[Result]:
    """All rows of the benchmark; its peer is the bound."""
    runs = QUICK_RUNS if quick else RUNS
    progress(f"fall: {runs} runs of each arc, unknown drag")
    found: dict[int, list[tuple[float, ...]]] = {mark: [] for mark in LIMITS_KM}
    first: list[float] = []
    for name in ARCS:
        case = arcs.build(name, float(max(LIMITS_KM)))
        marks = arcs.play(name, runs, seed, (0, *LIMITS_KM), drag=True)
        first.append(first_fall_s(name, seed))
        for mark, bound in zip(marks[1:], state_bounds(case, [one.row for one in marks[1:]]), strict=True):
            error = arcs.fall_errors(mark)
            least = fall_bound(case, mark.row, bound, drag=True)
            found[int(mark.after_s)].append(
                (
                    float(np.quantile(error.distance_m, 0.9)) / 1e3,
                    float(np.quantile(np.abs(error.time_s), 0.9)),
                    arcs.rmse(error.distance_m) / 1e3,
                    math.sqrt(least[0, 0] + least[1, 1]) / 1e3,
                )
            )
    rows = [_row("first claim of a fall after the first detection", "s", first)]
    for after_s, arcs_found in found.items():
        place, time, root, least_root = (list(column) for column in zip(*arcs_found, strict=True))
        limit = LIMITS_KM[after_s]
        rows.append(_row(f"p90 of the place after {after_s} s", "km", place, limit=limit))
        rows.append(_row(f"p90 of the time after {after_s} s", "s", time))
        rows.append(
            _row(f"error of the place after {after_s} s, root mean square", "km", root, bound=least_root)
        )
    return rows + of_ascents(ascents.QUICK_RUNS if quick else ascents.RUNS, seed, progress)


def of_ascents(runs: int, seed: int, progress: Callable[[str], None]) -> list[Result]:
    """The same after powered ascents, apart."""
    progress(f"fall: {runs} powered ascents")
    rows = []
    for mark in ascents.play(ascents.draw(runs, seed)):
        if mark.after_s in LIMITS_KM:
            error, when = arcs.fall_errors(mark), f"{mark.after_s:.0f} s after a powered ascent"
            for what, unit, values in (
                ("place", "km", error.distance_m / 1e3),
                ("time", "s", np.abs(error.time_s)),
            ):
                rows.append(
                    Result(
                        name="fall",
                        measure=f"p90 of the {what} {when}, all flights together",
                        value=float(np.quantile(values, 0.9)),
                        unit=unit,
                        runs=len(values),
                        low=float(values.min()),
                        high=float(values.max()),
                    )
                )
    return rows


def first_fall_s(name: str, seed: int) -> float:
    """Seconds after the first detection at which half of a few runs claim a fall."""
    for mark in arcs.play(name, 20, seed, tuple(range(1, 20)), drag=True):
        if arcs.fall_errors(mark).valid >= 0.5:
            return mark.after_s
    return math.inf


def _row(
    measure: str,
    unit: str,
    values: Sequence[float],
    *,
    limit: float | None = None,
    bound: Sequence[float] | None = None,
) -> Result:
    """The worst arc, low and high over the arcs; the bound is that of the same arc."""
    worst = int(np.argmax(values))
    return Result(
        name="fall",
        measure=f"{measure}, worst arc",
        value=values[worst],
        unit=unit,
        runs=len(values),
        low=min(values),
        high=max(values),
        peer="bound" if bound else "",
        peer_value=bound[worst] if bound else None,
        ratio=values[worst] / bound[worst] if bound else None,
        must="" if limit is None else f"under {limit:.0f} km",
        held=None if limit is None else values[worst] < limit,
    )
