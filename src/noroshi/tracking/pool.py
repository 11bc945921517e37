"""A pool of evidence: increments of several partners about one object, in any order, repeated, relayed or late.

Rules: an increment is known by origin, source and sequence, whoever brings it; a repeat changes nothing; two that say
different things under one number are both left out from then on, so that order cannot choose between them. A sum and
the rows that it stands for are never both counted: rows go before a sum of which all are held, a sum before a part of
its rows. The estimate is a function of the set of increments alone, and with rows only it is that of the central filter
to the last bit.

    pool = EvidencePool()
    pool.take(Increment("JPN", "a1", 7, rows))
    now = pool.fused()
    now.tracks, now.method, now.reason
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeVar

import numpy as np

from noroshi.tracking.errors import MeasurementError
from noroshi.tracking.fusion import UNMODELLED_MPS2, Method, intersect, intersect_inverse
from noroshi.tracking.measurements import Measurements, concatenate
from noroshi.tracking.track_filter import TrackFilter
from noroshi.tracking.tracklets import MAX_SEQUENCE, InformationSum, solve_sums
from noroshi.tracking.tracks import Tracks, concatenate_tracks

Key = tuple[str, str, int, int]
"""Origin, source, first and last sequence number."""

Piece = TypeVar("Piece", Measurements, InformationSum)

Taken = Literal["new", "repeat", "contradiction", "empty"]


@dataclass(frozen=True, eq=False)
class Increment:
    """Rows of one source with the number that its originator gave them; sequences begin at 1 and are dense.

    Raises MeasurementError for a number below 1.
    """

    origin: str
    source: str
    sequence: int
    rows: Measurements

    def __post_init__(self) -> None:
        if not 1 <= self.sequence <= MAX_SEQUENCE:
            raise MeasurementError(f"an increment's sequence is 1 to {MAX_SEQUENCE}")


@dataclass(frozen=True, eq=False)
class Foreign:
    """A track without its evidence. name: what it is called in the answer; tracks: one row; origins: whose evidence is
    known to be all of it, empty when nobody knows.
    """

    name: str
    tracks: Tracks
    origins: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was not counted: origin (or the name of a foreign track), source, first and last sequence, and why."""

    origin: str
    source: str
    first: int
    last: int
    why: str


@dataclass(frozen=True, eq=False)
class Fused:
    """tracks: one row; method and reason: how the parts were put together; rows, sums: how many were counted; origins:
    whose evidence; foreign: names of the foreign tracks in it; left_out: what was not counted.
    """

    tracks: Tracks
    method: Method
    reason: str
    rows: int
    sums: int
    origins: tuple[str, ...]
    foreign: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = field(default=())


class EvidencePool:
    """All evidence of one object. Guards: nothing is counted twice, and nothing that contradicts itself is counted."""

    __slots__ = ("_filter", "_in_filter", "_refused", "_rows", "_sums")

    def __init__(self) -> None:
        self._rows: dict[Key, Measurements] = {}
        self._sums: dict[Key, InformationSum] = {}
        self._refused: set[Key] = set()
        self._filter = TrackFilter()
        self._in_filter: set[Key] = set()

    def take(self, piece: Increment | InformationSum) -> Taken:
        """Takes rows or a sum in; what became of it."""
        if isinstance(piece, InformationSum):
            return self._keep(self._sums, (piece.origin, piece.source, piece.first, piece.last), piece)
        if not len(piece.rows):
            return "empty"
        return self._keep(
            self._rows, (piece.origin, piece.source, piece.sequence, piece.sequence), piece.rows
        )

    def held_until(self, origin: str) -> int:
        """Time of the last row up to which this origin's evidence is held without a gap, ns; 0 without any."""
        sources: dict[str, list[tuple[int, int, int]]] = {}
        for key, rows in self._rows.items():
            if key[0] == origin:
                sources.setdefault(key[1], []).append((key[2], key[3], int(rows.time_ns.max())))
        for key, one in self._sums.items():
            if key[0] == origin:
                sources.setdefault(key[1], []).append((key[2], key[3], one.to_ns))
        found = []
        for spans in sources.values():
            reached, until = 0, 0
            for first, last, to_ns in sorted(spans):
                if first > reached + 1:
                    break
                reached, until = max(reached, last), max(until, to_ns)
            found.append(until)
        return max(found, default=0)

    def missing(self, origin: str, source: str) -> tuple[int, ...]:
        """Sequence numbers below the greatest held that are not held: what to ask the partners for."""
        spans = [key[2:] for held in (self._rows, self._sums) for key in held if key[:2] == (origin, source)]
        have = {number for first, last in spans for number in range(first, last + 1)}
        return tuple(sorted(set(range(1, max(have, default=0))) - have))

    def fused(self, *, foreign: Sequence[Foreign] = (), manoeuvring: bool = False) -> Fused | None:
        """The estimate from all that is held, at the time of its last row; None while nothing gives one.

        Rows are exact always. Sums are exact in free flight; of a manoeuvring object each origin's sums are one track,
        joined by covariance intersection. Foreign tracks always are: in free flight by its inverse form. The flag is
        that of the rows' own track or of a foreign one, or `manoeuvring`, known from elsewhere. A foreign track whose
        origins' evidence is held as far as it goes is left out, and so is one without the flag when there is one: its
        errors are not those that it claims. The result has the flag that the held evidence has, so that a flag does not
        go round for ever.
        """
        sums, rows, left = self._chosen()
        self._fill(rows)
        track = self._filter.tracks if len(self._filter) else None
        known = [track] if track is not None else []
        if not all(bool(one.free[0]) for one in [*known, *(given.tracks for given in foreign)]):
            manoeuvring = True
        strangers = self._strangers(foreign, manoeuvring, left)
        own = _own_parts(sums, track, manoeuvring)
        parts = own + [one.tracks for one in strangers]
        if not parts:
            return None
        origins = tuple(sorted({one.origin for one in sums} | {key[0] for key in rows}))
        counted = len(self._filter), len(sums)
        if len(parts) == 1 and own:
            reason = "rows and information sums, in free flight" if sums else "rows of measurements"
            if sums and manoeuvring:
                reason = "information sums of one origin alone"
            return Fused(parts[0], "exact", reason, *counted, origins, (), tuple(left))
        whys = ["sums of a manoeuvring object share what moved it"] if len(own) > 1 else []
        if strangers:
            whys.append("nobody can name the evidence of " + ", ".join(one.name for one in strangers))
        if manoeuvring:
            made = intersect(concatenate_tracks(parts), unmodelled_mps2=UNMODELLED_MPS2)
            tracks, weights = made.tracks, made.weights[len(own) :]
            used = tuple(one.name for one, weight in zip(strangers, weights, strict=True) if weight > 0)
        else:
            whys.append("in free flight they share evidence at most, so the inverse form is right")
            tracks, used = intersect_inverse(concatenate_tracks(parts)), tuple(one.name for one in strangers)
        free = all(bool(one.free[0]) for one in (own or [tracks]))
        tracks = replace(tracks, free=np.array([free]))
        return Fused(tracks, "covariance-intersection", "; ".join(whys), *counted, origins, used, tuple(left))

    def _strangers(self, foreign: Sequence[Foreign], manoeuvring: bool, left: list[LeftOut]) -> list[Foreign]:
        """Foreign tracks that count; of those that do not, why, is added to `left`."""
        kept = []
        for one in sorted(foreign, key=lambda given: given.name):
            until = min((self.held_until(origin) for origin in one.origins), default=0)
            if until and until >= int(one.tracks.last_observed_ns[0]):
                left.append(LeftOut(one.name, "", 0, 0, "its evidence is held in full"))
            elif manoeuvring and one.tracks.free[0]:
                left.append(LeftOut(one.name, "", 0, 0, "it takes a manoeuvring object for one in free fall"))
            else:
                kept.append(one)
        return kept

    def _keep(self, held: dict[Key, Piece], key: Key, piece: Piece) -> Taken:
        if key in self._refused:
            return "contradiction"
        if key not in held:
            held[key] = piece
            return "new"
        if held[key] == piece:
            return "repeat"
        del held[key]
        self._refused.add(key)
        return "contradiction"

    def _chosen(self) -> tuple[list[InformationSum], list[Key], list[LeftOut]]:
        """The sums and the rows that count, and what does not: the longest sums first, none over another."""
        left = [LeftOut(*key, "different things were said under one number") for key in sorted(self._refused)]
        covered: dict[tuple[str, str], set[int]] = {}
        sums = []
        order = sorted(self._sums.values(), key=lambda one: (one.first - one.last, one.content()))
        for one in order:
            numbers = set(range(one.first, one.last + 1))
            taken = covered.setdefault((one.origin, one.source), set())
            if numbers & taken:
                left.append(
                    LeftOut(one.origin, one.source, one.first, one.last, "a longer sum holds a part of it")
                )
            elif all((one.origin, one.source, number, number) in self._rows for number in numbers):
                left.append(LeftOut(one.origin, one.source, one.first, one.last, "all of its rows are held"))
            else:
                taken |= numbers
                sums.append(one)
        rows = []
        for key in sorted(self._rows):
            if key[2] in covered.get(key[:2], ()):
                left.append(LeftOut(*key, "a sum stands for it"))
            else:
                rows.append(key)
        return sums, rows, left

    def _fill(self, rows: Sequence[Key]) -> None:
        """Brings the filter to exactly these rows; a set that only grew costs what is new in it."""
        wanted = set(rows)
        if not self._in_filter <= wanted:
            self._filter, self._in_filter = TrackFilter(), set()
        fresh = concatenate([self._rows[key] for key in sorted(wanted - self._in_filter)])
        if len(fresh):
            self._filter.add(fresh[np.argsort(fresh.time_ns, kind="stable")])
        self._in_filter = wanted


def _own_parts(sums: list[InformationSum], track: Tracks | None, manoeuvring: bool) -> list[Tracks]:
    """The tracks that the held evidence makes: one, or each origin's of a manoeuvring object."""
    if not sums:
        return [track] if track is not None else []
    if not manoeuvring:
        return [solve_sums(sums, track)]
    by_origin = [
        solve_sums([one for one in sums if one.origin == origin])
        for origin in sorted({one.origin for one in sums})
    ]
    return by_origin + ([track] if track is not None else [])
