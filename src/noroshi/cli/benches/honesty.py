"""The `honesty` benchmark: does what noroshi claims to know hold, from the first update on, with drag and without?

ANEES, the mean normalised error squared, over its expectation: 1 is honest, more is overconfident. A mark is one arc at
one time; a mark in the band lies within the 95 % chi-square band of its runs. The 90 % fall area is the ellipse over
east and north; its share of the true falls is pooled over the arcs at each time. Powered ascents stand apart: under
power, and after it, when free fall is not yet known to have begun.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import chi2

from noroshi.cli.benches import arcs, ascents
from noroshi.cli.benches.arcs import ARCS, Floats
from noroshi.cli.benches.report import Result

RUNS, QUICK_RUNS = 500, 120
MARKS_S = (0, *arcs.MARKS_S)
QUICK_MARKS_S = tuple(mark for mark in MARKS_S if mark <= 60)
"""A first look stops here, and is not judged where so few runs cannot tell."""
SHARE = 0.9
LOW, HIGH = 0.88, 0.92
LEAST_VALID = 0.5
"""A fall counts at a mark of an arc where this share of the runs claims one."""


@dataclass
class Tally:
    """What was measured with drag or without: per mark of an arc (ANEES over expectation, whether in the band), and the
    normalised errors of falls by the time of the mark.
    """

    state: list[tuple[float, bool]] = field(default_factory=list)
    fall: list[tuple[float, bool]] = field(default_factory=list)
    area: dict[float, list[Floats]] = field(default_factory=dict)
    full: dict[float, list[Floats]] = field(default_factory=dict)
    time: dict[float, list[Floats]] = field(default_factory=dict)


def run(*, quick: bool, seed: int, progress: Callable[[str], None]) -> list[Result]:
    """All rows of the benchmark; there is no peer but the chi-square bands."""
    runs, rows = QUICK_RUNS if quick else RUNS, []
    for drag in (False, True):
        kind = "unknown drag" if drag else "no drag"
        progress(f"honesty: {runs} runs of each arc, {kind}")
        tally = measure(runs, seed, drag, QUICK_MARKS_S if quick else MARKS_S)
        rows += _anees("state", kind, tally.state, judged=not quick)
        rows += _anees("fall", kind, tally.fall, judged=not quick)
        rows += [
            _held(f"share of falls in the 90 % area, {kind}", tally.area, 2, must=True, judged=not quick),
            _held(
                f"share of falls in the 90 % ellipsoid of place and time, {kind}", tally.full, 3, must=False
            ),
            _held(f"share of falls in the 90 % interval of time, {kind}", tally.time, 1, must=False),
        ]
    return rows + of_ascents(ascents.QUICK_RUNS if quick else ascents.RUNS, seed, progress)


def of_ascents(runs: int, seed: int, progress: Callable[[str], None]) -> list[Result]:
    """Powered ascents, apart and not judged: so few runs cannot tell."""
    progress(f"honesty: {runs} powered ascents")
    under: list[tuple[float, bool]] = []
    after: list[tuple[float, bool]] = []
    tally = Tally()
    for mark in ascents.play(ascents.draw(runs, seed)):
        (under if mark.after_s < 0 else after).append(_ratio(arcs.nees(mark), 6))
        if mark.tracks.free.mean() >= LEAST_VALID:
            fall = arcs.fall_errors(mark)
            tally.fall.append(_ratio(fall.nees, 3))
            tally.area[mark.after_s] = [fall.nees_place]
    return [
        *_anees("state", "under power", under, must=False, judged=False),
        *_anees("state", "after a powered ascent", after, must=False, judged=False),
        *_anees("fall", "after a powered ascent", tally.fall, must=False, judged=False),
        _held("share of falls in the 90 % area, after a powered ascent", tally.area, 2, must=False),
    ]


def measure(runs: int, seed: int, drag: bool, marks_s: tuple[float, ...] = MARKS_S) -> Tally:
    """All arcs at these marks."""
    tally = Tally()
    for name in ARCS:
        for mark in arcs.play(name, runs, seed, marks_s, drag=drag):
            tally.state.append(_ratio(arcs.nees(mark), 6))
            fall = arcs.fall_errors(mark)
            if fall.valid >= LEAST_VALID:
                tally.fall.append(_ratio(fall.nees, 3))
                tally.area.setdefault(mark.after_s, []).append(fall.nees_place)
                tally.full.setdefault(mark.after_s, []).append(fall.nees)
                tally.time.setdefault(mark.after_s, []).append(fall.nees_time)
    return tally


def _ratio(nees: Floats, degrees: int) -> tuple[float, bool]:
    """Mean over expectation, and whether it lies in its 95 % band."""
    low, high = (float(chi2.ppf(q, degrees * len(nees))) / len(nees) for q in (0.025, 0.975))
    return float(nees.mean()) / degrees, low <= float(nees.mean()) <= high


def _anees(
    what: str, kind: str, marks: Sequence[tuple[float, bool]], *, judged: bool, must: bool = True
) -> list[Result]:
    ratios, inside = [ratio for ratio, _ in marks], float(np.mean([held for _, held in marks]))
    mean = float(np.mean(ratios))
    return [
        Result(
            name="honesty",
            measure=f"ANEES of the {what} over its expectation, {kind}, mean of all marks",
            value=mean,
            unit="x",
            runs=len(marks),
            low=min(ratios),
            high=max(ratios),
            peer="chi-square",
            peer_value=1.0,
            ratio=mean,
            must="0.95 to 1.05" if must else "",
            held=0.95 <= mean <= 1.05 if must else None,
        ),
        Result(
            name="honesty",
            measure=f"marks of the {what} in the 95 % band, {kind}",
            value=inside,
            unit="share",
            runs=len(marks),
            low=inside,
            high=inside,
            peer="chi-square",
            peer_value=0.95,
            ratio=inside / 0.95,
            must="at least 0.90" if must else "",
            held=inside >= 0.9 if must and judged else None,
        ),
    ]


def _held(
    measure: str, marks: dict[float, list[Floats]], degrees: int, *, must: bool, judged: bool = True
) -> Result:
    """The share farthest from 90 %, low and high over the marks."""
    limit = float(chi2.ppf(SHARE, degrees))
    shares = [float(np.mean(np.concatenate(every) < limit)) for every in marks.values()]
    worst = max(shares, key=lambda share: abs(share - SHARE))
    return Result(
        name="honesty",
        measure=f"{measure}, worst mark pooled over arcs",
        value=worst,
        unit="share",
        runs=len(shares),
        low=min(shares),
        high=max(shares),
        peer="chi-square",
        peer_value=SHARE,
        ratio=worst / SHARE,
        must=f"{LOW} to {HIGH} at every mark" if must else "",
        held=all(LOW <= share <= HIGH for share in shares) if must and judged else None,
    )
