"""What those are told who may not have everything: reduced editions of tracks, and tear-lines of warnings.

A reduced track is a launch cell, a fall cell and a window of time, all on one fixed grid, for one object. A cell is
chosen once and kept until the estimate has clearly left it, so that no amount of repeats can be averaged into a place;
nothing is added at random. A cell is given only where the estimate is surer than the cell is wide, so that its size is
its error and the estimate's own error is never told. At most one edition is said in a step of time.

A tear-line is what is left of a warning when somebody must be warned who may not see what it was made from: which
regions, when, until when. Both are built from nothing, field by field; a field that a body gets later is not in them.

    body = reduce(previous, Seen(track=alias, source="one", sensings=..., fall=...), now_ns, Grid())
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, pi
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from noroshi.clock import seconds
from noroshi.documents import Element
from noroshi.messages.bodies import AreaRow, CellRow, ReducedTrackBody, WarningBody
from noroshi.messages.cells import COARSEST_ROWS, FINEST_ROWS, cell_of, is_near

EARTH_MERIDIAN_M = 20_004_000.0
"""Pole to pole along the WGS-84 ellipsoid, m, to the kilometre: turns rows into a cell's height."""

STICKY_CELLS = 0.5
"""How far outside its cell an estimate must be, in cells, before another cell is said: half a cell is far more than what
an estimate moves while it settles, and so a border between two cells does not show where inside them the object is."""

LONGEST_STEPS = 8
"""Steps that a window may span; an estimate that is less sure of the time than that has no reduced form yet."""

PROBABILITY_STEPS = 10
"""A tear-line gives probabilities upwards to tenths: enough to choose by, and no shape of an error."""

Sensing = Literal["radar", "infrared"]


class Grid(Element, frozen=True):
    """The grid of a policy's reduced editions. rows: of latitude from pole to pole; window_s: step of the fall's window;
    every_s: at most one edition of an object is said in so long.
    """

    rows: Annotated[int, Meta(ge=COARSEST_ROWS, le=FINEST_ROWS)] = 180
    window_s: Annotated[int, Meta(ge=10, le=3600)] = 60
    every_s: Annotated[int, Meta(ge=5, le=3600)] = 10


@dataclass(frozen=True, slots=True)
class Estimate:
    """Where something was or will be: rad, and the radius in m within which it is at 95 %."""

    latitude_rad: float
    longitude_rad: float
    error_m: float


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as an audience's own picture shows it, precisely. None of this leaves as it is.

    track: its alias in the reduced class; source: a pseudonym of the origin; from_ns, to_ns: window of the fall at 95 %.
    """

    track: bytes
    source: str
    sensings: frozenset[Sensing]
    launch: Estimate | None = None
    fall: Estimate | None = None
    from_ns: int = 0
    to_ns: int = 0


def reduce(previous: ReducedTrackBody | None, seen: Seen, now_ns: int, grid: Grid) -> ReducedTrackBody | None:
    """The next reduced edition of an object, or None when there is nothing to say now.

    previous: the last one said of this object to this audience; its grid is kept to the end, since cells of two grids
    would cut each other into smaller ones. Depends on these four and on nothing else.
    """
    issued_ns = _step_down(now_ns, seconds(grid.every_s))
    if previous is not None and issued_ns <= previous.issued_ns:
        return None
    rows = previous.rows if previous is not None else grid.rows
    launch = _cell(previous.launch if previous else None, seen.launch, rows)
    window_ns = _window(previous, seen, seconds(grid.window_s))
    timed = window_ns is not None
    fall = _cell(previous.fall if previous else None, seen.fall if timed else None, rows)
    if (launch is None and fall is None) or not seen.sensings:
        return None
    from_ns, to_ns = window_ns if window_ns is not None and fall is not None else (0, 0)
    body = ReducedTrackBody(
        track=seen.track,
        sequence=previous.sequence + 1 if previous is not None else 1,
        source=seen.source,
        sensings=sorted(seen.sensings),
        rows=rows,
        issued_ns=issued_ns,
        from_ns=from_ns,
        to_ns=to_ns,
        launch=launch,
        fall=fall,
    )
    return None if previous is not None and _says(body) == _says(previous) else body


def tear_line(body: WarningBody, grid: Grid) -> WarningBody:
    """The declared edition of a warning: the pre-agreed least that warns. Regions, windows and ends on whole steps; no
    corridor, no place, no mean point or covariance, nobody's name, and no claim of what kinds of sensing agree.
    """
    step_ns = seconds(grid.window_s)
    return WarningBody(
        number=body.number,
        state=body.state,
        basis="single-source",
        sensings=[],
        partners=[],
        first_observed_ns=_step_down(body.first_observed_ns, step_ns),
        last_observed_ns=_step_down(body.last_observed_ns, step_ns),
        valid_until_ns=_step_up(body.valid_until_ns, step_ns),
        areas=[_region(area, step_ns) for area in body.areas],
        corridor=[],
        fall=None,
        reason=body.reason,
    )


def _region(area: AreaRow, step_ns: int) -> AreaRow:
    return AreaRow(
        kind=area.kind,
        region=area.region,
        country=area.country,
        probability=min(1.0, ceil(area.probability * PROBABILITY_STEPS) / PROBABILITY_STEPS),
        from_ns=_step_down(area.from_ns, step_ns),
        to_ns=_step_up(area.to_ns, step_ns),
        people=0,
        places=[],
        region_ja=area.region_ja,
        region_ko=area.region_ko,
    )


def _cell(previous: CellRow | None, estimate: Estimate | None, rows: int) -> CellRow | None:
    """The cell to say: the one said before as long as it holds, else the estimate's own, once it is sure enough."""
    if estimate is None or not estimate.error_m <= EARTH_MERIDIAN_M / rows:
        return previous
    latitude_rad = min(pi / 2, max(-pi / 2, estimate.latitude_rad))
    if previous is not None and is_near(
        latitude_rad, estimate.longitude_rad, (previous.row, previous.column), rows, STICKY_CELLS
    ):
        return previous
    row, column = cell_of(latitude_rad, estimate.longitude_rad, rows)
    return CellRow(row=row, column=column)


def _window(previous: ReducedTrackBody | None, seen: Seen, step_ns: int) -> tuple[int, int] | None:
    """The window to say: the one said before as long as it holds the estimate's and is not much wider."""
    before = (previous.from_ns, previous.to_ns) if previous is not None and previous.to_ns else None
    if seen.fall is None or not 0 < seen.from_ns <= seen.to_ns:
        return before
    from_ns, to_ns = _step_down(seen.from_ns, step_ns), _step_up(seen.to_ns, step_ns)
    if to_ns - from_ns > LONGEST_STEPS * step_ns:
        return before
    if before is not None and before[0] <= seen.from_ns and seen.to_ns <= before[1]:
        slack_ns = (before[1] - before[0]) - (to_ns - from_ns)
        if slack_ns <= 2 * step_ns:
            return before
    return from_ns, max(to_ns, from_ns + step_ns)


def _says(body: ReducedTrackBody) -> ReducedTrackBody:
    """What is in an edition beside its number and time."""
    return msgspec.structs.replace(body, sequence=1, issued_ns=0)


def _step_down(time_ns: int, step_ns: int) -> int:
    return time_ns // step_ns * step_ns


def _step_up(time_ns: int, step_ns: int) -> int:
    return -(-time_ns // step_ns) * step_ns
