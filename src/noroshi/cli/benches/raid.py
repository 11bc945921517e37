"""The `raid` benchmark: many objects at once with misses and false alarms, against Stone Soup on the same scans.

Two parts: association, where both are given the objects at the start; and full life, where objects appear and vanish and
both have to find them. noroshi is told of its radars where they stand and how well they measure; the density of false
alarms and the probability of detection, which the peer is given, it learns. Times are processor time of `Tracker.add`
and of the peer's association, update and initiation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from noroshi.cli.benches import raid_peer
from noroshi.cli.benches.peer_filter import peer_version
from noroshi.cli.benches.raid_scene import Look, Raid, scans, sensors
from noroshi.cli.benches.report import Result, result
from noroshi.tracking import Tracker, Tracks, predict, warm
from noroshi.tracking.filtering import LN_BETA_MEAN, LN_BETA_SIGMA

Floats = NDArray[np.float64]

CUT_M = 5e3
"""GOSPA's cut-off distance; order 2, alpha 2."""
KNOWN_SIGMA = np.array([300.0] * 3 + [20.0] * 3)
"""What both are told of the objects at the start of the association part: m, m/s."""
SPACINGS_KM = (15, 3, 1)
FULL = Raid(births_s=60.0, deaths=0.2, seconds=90)
BRIEF = Raid(births_s=3.0, seconds=12)
"""What both are held to: the peer takes seconds a scan while it holds every false alarm as a new track."""
QUIET = Raid(objects=1, seconds=300)


@dataclass(frozen=True, eq=False)
class Played:
    """One run of noroshi, as `raid_peer.Played`; and seconds from birth to confirmation, and false confirmed tracks."""

    spent_s: list[float]
    wrong: int
    made: int
    shown: list[Floats]
    confirm_s: list[float]
    false: int
    left_out: dict[str, int]


def known_tracks(looks: Sequence[Look], states: Floats) -> Tracks:
    """The objects as both are told of them at the first scan."""
    count = len(states)
    mean = np.column_stack((states, np.full(count, LN_BETA_MEAN)))
    covariance = np.tile(np.diag(np.append(KNOWN_SIGMA, LN_BETA_SIGMA) ** 2), (count, 1, 1))
    at = np.full(count, looks[0].time_ns)
    return Tracks(at, mean, covariance, np.zeros(count, np.int64), at, at)


def play(looks: Sequence[Look], known: Floats | None, *, every: int = 1) -> Played:
    """Noroshi on the scans; places are looked at in every so many scans (the others hold none)."""
    radars = sensors()
    tracker = Tracker(radars, known=None if known is None else known_tracks(looks, known))
    owner: list[int] = []
    spent, shown, wrong, made = [], [], 0, 0
    confirmed: dict[int, int] = {}
    for k, look in enumerate(looks):
        rows = radars[look.radar].measurements(np.full(len(look.value), look.time_ns), look.value)
        owner += look.owner.tolist()
        start = time.process_time()
        tracker.add(rows, look.radar)
        spent.append(time.process_time() - start)
        if known is not None:
            begun = len(owner) - len(look.owner)
            for n, last in tracker.latest_rows.items():
                if n < len(known) and last >= begun:
                    made += 1
                    wrong += owner[last] != n
        if k % every == every - 1:
            table = tracker.tracks
            alive = np.flatnonzero(table.confirmed & ~table.ended)
            shown.append(predict(table.tracks[alive], look.time_ns).position_m)
            for i in np.flatnonzero(table.confirmed):
                confirmed.setdefault(int(table.id[i]), int(table.confirmed_ns[i]))
        else:
            shown.append(np.zeros((0, 3)))
    if known is not None:
        return Played(spent, wrong, made, shown, [], 0, tracker.left_out)
    delays, false = _confirmations(tracker, confirmed, np.array(owner), looks)
    return Played(spent, wrong, made, shown, delays, false, tracker.left_out)


def _confirmations(
    tracker: Tracker, confirmed: dict[int, int], owner: NDArray[np.int64], looks: Sequence[Look]
) -> tuple[list[float], int]:
    """Seconds from an object's first row to the first confirmed track of it, and tracks of nothing."""
    rows = [look.owner for look in looks]
    times = np.repeat([look.time_ns for look in looks], [len(one) for one in rows])
    first: dict[int, float] = {}
    false, table = 0, tracker.tracks
    for name, at_ns in confirmed.items():
        if name not in table.id:
            continue
        whose = owner[tracker.rows_of(name)]
        held, count = np.unique(whose, return_counts=True)
        one = int(held[count.argmax()])
        if one < 0:
            false += 1
            continue
        delay = (at_ns - int(times[np.argmax(owner == one)])) / 1e9
        first[one] = min(delay, first.get(one, np.inf))
    return list(first.values()), false


def gospa(found: Floats, truth: Floats) -> tuple[float, float, int, int]:
    """GOSPA distance m, the share of localisation in it m, missed objects and false tracks.

    Order 2, alpha 2 (Rahmathullah, Garcia-Fernandez and Svensson 2017).
    """
    if not len(found) or not len(truth):
        missed, false, near = len(truth), len(found), 0.0
    else:
        gap = np.sqrt(((found[:, None] - truth[None]) ** 2).sum(axis=2))
        cost = np.minimum(gap, CUT_M) ** 2
        i, j = linear_sum_assignment(cost)
        paired = gap[i, j] < CUT_M
        near = float(cost[i, j][paired].sum())
        missed, false = len(truth) - int(paired.sum()), len(found) - int(paired.sum())
    return float(np.sqrt(near + CUT_M**2 / 2 * (missed + false))), float(np.sqrt(near)), missed, false


def scores(shown: Sequence[Floats], looks: Sequence[Look], every: int) -> Floats:
    """Means over scans of `gospa`'s four figures."""
    chosen = range(every - 1, len(shown), every)
    means: Floats = np.mean([gospa(shown[k], looks[k].states[looks[k].alive, :3]) for k in chosen], axis=0)
    return means


def swapped(places: Floats, truth: Floats, count: int) -> int:
    """Known objects whose track is nearer to another object at the end."""
    near = ((places[:count, None] - truth[None]) ** 2).sum(axis=2).argmin(axis=1)
    return int((near != np.arange(len(near))).sum())


def run(*, quick: bool, seed: int, progress: Callable[[str], None]) -> list[Result]:
    """All rows of the benchmark. Raises OperatorError when the peer is not installed."""
    version = peer_version("raid")
    warm()
    play(scans(Raid(objects=5, seconds=4), seed), None)
    rows: list[Result] = []
    for spacing in (3,) if quick else SPACINGS_KM:
        progress(f"raid: 50 known objects, {spacing} km apart")
        rows += association(spacing, quick, seed, version)
    for spacing in (3,) if quick else SPACINGS_KM:
        progress(f"raid: births and deaths, {spacing} km apart")
        rows += full_life(spacing, quick, seed, version)
    progress("raid: 500 objects; a thousand false alarms a scan")
    return rows + sizes(quick, seed)


def association(spacing: int, quick: bool, seed: int, version: str) -> list[Result]:
    """Both are given the 50 objects; which rows are theirs?"""
    runs = 1 if quick else 3
    own: list[Played] = []
    peers: dict[str, list[raid_peer.Played]] = {"GNN": [], "JPDA": []}
    ends: dict[str, list[Floats]] = {"noroshi": [], "GNN": [], "JPDA": []}
    for number in range(runs):
        raid = Raid(spacing_m=spacing * 1e3)
        looks = scans(raid, seed + number)
        rng = np.random.default_rng([seed, number])
        known = looks[0].states + rng.standard_normal(looks[0].states.shape) * KNOWN_SIGMA
        own.append(play(looks, known, every=30))
        share = {"GNN": (6 if quick else 45), "JPDA": (3 if quick else 24)}
        for method, count in share.items():
            few = looks[:count]
            peers[method].append(raid_peer.play(method, few, raid, known, KNOWN_SIGMA))
            mine = play(few, known)
            ends[method].append(
                np.array([scores(mine.shown, few, 1)[0], scores(peers[method][-1].shown, few, 1)[0],
                          100 * mine.wrong / max(mine.made, 1)])
            )  # fmt: skip
    where = f"50 known, {spacing} km"
    rows = times(where, own, 2.0, 10.0, peers["GNN"], version)
    for method, played in peers.items():
        wrong = [100 * one.wrong / max(one.made, 1) for one in played]
        own_wrong = [float(end[2]) for end in ends[method]]
        peer = f"Stone Soup {method}"
        rows.append(
            result("raid", f"wrong associations, {where}", own_wrong, "%", peer=peer, peer_version=version,
                   peer_values=wrong, must="no more than the peer",
                   holds=at_most(float(np.median(wrong))))
        )  # fmt: skip
        rows.append(
            result("raid", f"GOSPA, {where}", [float(end[0]) for end in ends[method]], "m", peer=peer,
                   peer_version=version, peer_values=[float(end[1]) for end in ends[method]],
                   must="no more than the peer", holds=no_worse)
        )  # fmt: skip
    return rows


def no_worse(_: float, ratio: float | None) -> bool:
    """Whether the ratio to the peer is at most 1, to a tenth of a percent: equal filters differ by rounding."""
    return ratio is not None and ratio <= 1.001


def at_most(limit: float) -> Callable[[float, float | None], bool]:
    """Whether a value is no more than that."""
    return lambda value, _: value <= limit


def times(
    where: str,
    own: Sequence[Played],
    median_ms: float,
    high_ms: float,
    peers: Sequence[raid_peer.Played],
    version: str,
) -> list[Result]:
    """Milliseconds a scan: median and 99th percentile of each run."""
    middle = [1e3 * float(np.median(one.spent_s)) for one in own]
    high = [1e3 * float(np.percentile(one.spent_s, 99)) for one in own]
    theirs = [1e3 * float(np.median(one.spent_s)) for one in peers]
    return [
        result("raid", f"time of a scan, {where}", middle, "ms", peer="Stone Soup GNN" if peers else "",
               peer_version=version if peers else "", peer_values=theirs, must=f"median at most {median_ms:g} ms",
               holds=lambda value, _: value <= median_ms),
        result("raid", f"99th percentile, {where}", high, "ms", must=f"at most {high_ms:g} ms",
               holds=lambda value, _: value <= high_ms),
    ]  # fmt: skip


def full_life(spacing: int, quick: bool, seed: int, version: str) -> list[Result]:
    """Both have to find the objects, which appear over the first minute; a fifth vanish later."""
    raid, brief = replace(FULL, spacing_m=spacing * 1e3), replace(BRIEF, spacing_m=spacing * 1e3)
    runs, count, every = (1, 9, 3) if quick else (3, 30, 3)
    own: list[Played] = []
    wholes: list[Floats] = []
    for number in range(runs):
        looks = scans(raid, seed + number)
        own.append(play(looks, None, every=15 if quick else every))
        wholes.append(scores(own[-1].shown, looks, 15 if quick else every))
    few = scans(brief, seed)[:count]
    peers = [raid_peer.play("GNN", few, brief, None, KNOWN_SIGMA)]
    beside = scores(play(few, None, every=every).shown, few, every), scores(peers[-1].shown, few, every)
    where = f"50 found, {spacing} km"
    rows = times(where, own, 2.0, 10.0, peers, version)
    names = (
        ("GOSPA", "m"),
        ("GOSPA, its localisation", "m"),
        ("missed objects", "objects"),
        ("false tracks", "tracks"),
    )
    for k, (name, unit) in enumerate(names):
        first = k == 0
        rows.append(
            result("raid", f"{name}, {where}, in {count} scans, all born in 3 s", [float(beside[0][k])], unit,
                   peer="Stone Soup GNN", peer_version=version, peer_values=[float(beside[1][k])],
                   must="no more than the peer" if first else "",
                   holds=no_worse if first else None)
        )  # fmt: skip
        rows.append(result("raid", f"{name}, {where}, whole", [float(one[k]) for one in wholes], unit))
    delays = [delay for one in own for delay in one.confirm_s] or [0.0]
    rows.append(result("raid", f"first row to confirmation, {where}", delays, "s"))
    hours = [(looks[-1].time_s - looks[0].time_s) / 3600] * len(own)
    false = [one.false / hour for one, hour in zip(own, hours, strict=True)]
    rows.append(result("raid", f"tracks of nothing, {where}", false, "1/h"))
    return rows


def sizes(quick: bool, seed: int) -> list[Result]:
    """500 objects, a thousand false alarms a scan, and an empty sky with false alarms."""
    rows: list[Result] = []
    seconds = 4 if quick else 30
    many = [
        play(
            scans(Raid(objects=500, spacing_m=spacing * 1e3, births_s=5.0, seconds=seconds), seed),
            None,
            every=30,
        )
        for spacing in ((15,) if quick else (15, 3))
    ]
    for spacing, one in zip((15, 3), many, strict=False):
        rows += times(f"500 found, {spacing} km", [one], 50.0, 250.0, (), "")
    looks = scans(Raid(alarms=1000.0, seconds=seconds), seed)
    flooded = play(looks, None, every=len(looks))
    spent = [1e3 * spent for spent in flooded.spent_s]
    rows.append(result("raid", "time of a scan, 50 found, 1,000 false alarms", spent, "ms"))
    rows.append(
        result("raid", "objects found of 50, 1,000 false alarms", [float(len(flooded.confirm_s))], "objects")
    )
    rows.append(result("raid", "left out, 1,000 false alarms", [float(left_out(flooded))], "rows"))
    if not quick:
        empty = scans(QUIET, seed)
        false = play(empty, None, every=30).false
        rows.append(result("raid", "tracks of nothing, empty sky, 25 false alarms", [12.0 * false], "1/h"))
    return rows


def left_out(played: Played) -> int:
    """Rows that were not considered."""
    return sum(count for reason, count in played.left_out.items() if reason.startswith("rows"))
