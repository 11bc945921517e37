"""Counts that disagree: who counts how many objects, which of them nobody else has, and what would explain it.

One partner reports three objects and another two: one sensor may not tell two close objects apart, a piece may have
separated after the other looked, or one of the three is none. Nothing is decided here; what each counts, what is
unmatched and what would explain it are put side by side, and the fused count is a range.

    said = compare_counts({"JPN": ours, "KOR": theirs}, resolution_m={"KOR": 5_000.0})
    said.disagree, said.least, said.most, said.sentence
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.tracking import kernels
from noroshi.tracking.filtering import predict
from noroshi.tracking.sameness import SHIFT_SIGMA, match_pictures
from noroshi.tracking.tracks import Tracks

Floats = NDArray[np.float64]

Explanation = Literal["unresolved", "separated", "not-seen"]

RESOLUTION_M = 2_000.0
"""Two objects closer than this may be one to a sensor of which nothing is known: a beam of 2 mrad at 1,000 km."""

SEPARATED_WITHIN_S = 600.0
"""How far back two paths are followed to where they part: pieces part in the first minutes."""

STEP_S = 10.0
"""Between the times at which they are compared on the way back."""

SIGMAS = 3.0
"""How much of their own errors is granted to two paths when they are compared with a distance."""


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A track that another partner does not have. partner, track: whose and which row; missing_at: who lacks it; why:
    what would explain it; beside: the row of `partner` that it may be merged with, or come from, -1 for none;
    distance_m: to that one now; apart_s: how long before now the two were together (`separated`).
    """

    partner: str
    track: int
    missing_at: str
    why: Explanation
    beside: int = -1
    distance_m: float = 0.0
    apart_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """counts: (partner, objects), by name; objects: each object as its (partner, row) entries; unmatched: what somebody
    lacks; least, most: bounds of the fused count; expected: its mean by the tracks' existence; sentence: for a person.
    """

    counts: tuple[tuple[str, int], ...]
    objects: tuple[tuple[tuple[str, int], ...], ...]
    unmatched: tuple[Unmatched, ...]
    least: int
    most: int
    expected: float
    sentence: str

    @property
    def disagree(self) -> bool:
        """Whether partners count differently, or the same number of different objects."""
        return bool(self.unmatched)


def compare_counts(
    pictures: Mapping[str, Tracks],
    *,
    resolution_m: Mapping[str, float] | None = None,
    existence: Mapping[str, Floats] | None = None,
    shift_sigma: tuple[float, float] = SHIFT_SIGMA,
) -> Counts:
    """Holds the partners' pictures of one occurrence against each other.

    resolution_m: distance under which a partner's sensors see one object instead of two; existence: probability of each
    track, 1 where it is not given. least: objects that must be there if everything that can be explained away is;
    most: all that anybody has, each once.
    """
    names = sorted(pictures)
    at_ns = max((int(t.time_ns.max()) for t in pictures.values() if len(t)), default=0)
    now = {name: predict(pictures[name], at_ns) if len(pictures[name]) else pictures[name] for name in names}
    same: dict[tuple[str, int], set[tuple[str, int]]] = {
        (name, row): {(name, row)} for name in names for row in range(len(now[name]))
    }
    unmatched: list[Unmatched] = []
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            found = match_pictures(now[first], now[second], shift_sigma=shift_sigma)
            for row, other in found.pairs.tolist():
                _join(same, (first, row), (second, other))
            sides = (
                (first, found.only_a, found.pairs[:, 0], second),
                (second, found.only_b, found.pairs[:, 1], first),
            )
            for name, only, paired, lacking in sides:
                limit = (resolution_m or {}).get(lacking, RESOLUTION_M)
                unmatched += [_explained(now[name], int(row), paired, name, lacking, limit) for row in only]
    groups = {min(group): tuple(sorted(group)) for group in same.values()}
    objects = tuple(groups[key] for key in sorted(groups))
    chance = [_exists(group, existence or {}) for group in objects]
    counts = tuple((name, len(now[name])) for name in names)
    doubtful = {(one.partner, one.track) for one in unmatched if one.why != "unresolved"}
    # An object that nobody else has although nothing hides it may be none; one that is merged elsewhere is there.
    least = sum(1 for group in objects if len(group) > 1 or group[0] not in doubtful)
    least = max(least, min((count for _, count in counts), default=0))
    return Counts(
        counts=counts,
        objects=objects,
        unmatched=tuple(unmatched),
        least=min(least, len(objects)),
        most=len(objects),
        expected=float(sum(chance)),
        sentence=_sentence(counts, unmatched, min(least, len(objects)), len(objects)),
    )


def _join(
    same: dict[tuple[str, int], set[tuple[str, int]]], one: tuple[str, int], other: tuple[str, int]
) -> None:
    """Makes two entries one object, unless that would give a partner two tracks of it."""
    if same[one] is same[other] or {name for name, _ in same[one]} & {name for name, _ in same[other]}:
        return
    both = same[one] | same[other]
    for entry in both:
        same[entry] = both


def _explained(
    tracks: Tracks, row: int, paired: NDArray[np.int64], partner: str, lacking: str, resolution_m: float
) -> Unmatched:
    """What would explain that a partner lacks a track that another has."""
    if not len(paired):
        return Unmatched(partner, row, lacking, "not-seen")
    gap = np.linalg.norm(tracks.mean[paired, :3] - tracks.mean[row, :3], axis=1)
    at = int(np.argmin(gap))
    beside, distance = int(paired[at]), float(gap[at])
    if distance <= resolution_m + SIGMAS * _spread(tracks, row, beside):
        return Unmatched(partner, row, lacking, "unresolved", beside, distance)
    for other in paired[np.argsort(gap, kind="stable")]:
        apart_s = _parted(tracks, row, int(other), resolution_m)
        if apart_s is not None:
            away = float(np.linalg.norm(tracks.mean[int(other), :3] - tracks.mean[row, :3]))
            return Unmatched(partner, row, lacking, "separated", int(other), away, apart_s)
    return Unmatched(partner, row, lacking, "not-seen", beside, distance)


def _spread(tracks: Tracks, a: int, b: int) -> float:
    """Sigma of the distance of two tracks along its own direction, m."""
    line = tracks.mean[a, :3] - tracks.mean[b, :3]
    length = float(np.linalg.norm(line))
    if length == 0:
        return 0.0
    line = line / length
    both = tracks.covariance[a, :3, :3] + tracks.covariance[b, :3, :3]
    return float(np.sqrt(line @ both @ line))


def _parted(tracks: Tracks, a: int, b: int, resolution_m: float) -> float | None:
    """Seconds since the two were as close as the resolution, following both back; None if they never were."""
    pair = [a, b]
    for step in range(1, int(SEPARATED_WITHIN_S / STEP_S) + 1):
        mean, covariance = tracks.mean[pair].copy(), tracks.covariance[pair].copy()
        kernels.predict_rows(mean, covariance, np.full(2, -step * STEP_S))
        if not np.isfinite(mean).all():
            return None
        times = tracks.time_ns[pair] - step * int(STEP_S * NS_PER_S)
        back = Tracks(
            times,
            mean,
            covariance,
            tracks.updates[pair],
            tracks.first_observed_ns[pair],
            tracks.last_observed_ns[pair],
            tracks.free[pair],
        )
        away = float(np.linalg.norm(mean[0, :3] - mean[1, :3]))
        spread = _spread(back, 0, 1)
        if away > resolution_m and spread > resolution_m:
            return None  # followed back so far that they could have been anywhere
        if away <= resolution_m + SIGMAS * spread:
            return step * STEP_S
    return None


def _exists(group: tuple[tuple[str, int], ...], existence: Mapping[str, Floats]) -> float:
    """Probability that an object is there, its partners' doubts taken as independent."""
    missing = 1.0
    for name, row in group:
        missing *= 1 - (float(existence[name][row]) if name in existence else 1.0)
    return 1 - missing


def _sentence(counts: tuple[tuple[str, int], ...], unmatched: list[Unmatched], least: int, most: int) -> str:
    said = ", ".join(f"{name} counts {count}" for name, count in counts)
    if not unmatched:
        return f"{said}: the same objects."
    why = {
        "unresolved": "lies so close to another that {} may see one",
        "separated": "has come apart from another, and {} may not have seen it since",
        "not-seen": "is not in {}'s picture, and nothing explains it",
    }
    parts = [
        f"{one.partner}'s track {one.track + 1} " + why[one.why].format(one.missing_at) for one in unmatched
    ]
    fused = f"{least}" if least == most else f"{least} to {most}"
    return f"{said}; {'; '.join(parts)}. Together: {fused}."
