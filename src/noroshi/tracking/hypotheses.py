"""Many objects as trees of hypotheses, one scan after the other: a pure step from picture to picture.

A *leaf* is one hypothesis about one object: a set of rows and the estimate from them. A *tree* holds the leaves of one
object. Each scan, every leaf goes on without a row and with each row in its gate; the best set of leaves over all trees,
no row used twice, says which rows belong to which object *for now*; what lies more than WINDOW decisions back is
settled. Rows are never shared or blended, so a track is a set of rows and close tracks do not run together.

Sources: track-oriented multiple hypotheses, Blackman 2004; the set by relaxation, `kernels.settle`; existence from the
log likelihood ratio with detection and false alarm densities, Blackman and Popoli 1999, section 6.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from noroshi.clock import NS_PER_S
from noroshi.geo.frames import ecef_to_geodetic
from noroshi.tracking import kernels
from noroshi.tracking.existence import (
    Watch,
    after_scan,
    alarm_density,
    faded,
    false_alarm,
    in_view,
    may_view,
)
from noroshi.tracking.measurements import INFRARED, Measurements
from noroshi.tracking.pictures import (
    KNOWN_ROWS,
    MOST_EVIDENCE,
    WINDOW,
    Chains,
    Ended,
    Leaves,
    Picture,
    Scan,
    Trees,
)
from noroshi.tracking.planting import POWERED_PSD, plant, plant_crossings
from noroshi.tracking.tracks import SIZE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GATE = 21.8
"""Squared Mahalanobis gate: with three components a true row is turned away seven times in 100,000."""
LEAVES = 4
"""Open hypotheses of one object; six or twelve did not lessen wrong associations, and cost time."""
CHOICES = 4
"""Rows that one leaf may go on with."""
MARGIN = 6.0
"""A leaf is dropped when it is e^6 times less likely than the best of its tree, in view of what the others want."""
CONFIRM = math.log(1e4)
"""Log odds of existence at which a track is confirmed."""
CONFIRM_ROWS = 3
"""And not with fewer rows."""
GIVE_UP = math.log(0.01)
"""Log odds at which a track that was ever more likely is given up."""
NEW_GIVE_UP = 5.0
"""A new track is given up when its odds fall to e^-5 of what one row gave it: three misses at 0.9."""
NEW_WAIT_S = 2.5
"""A new track without a second row is given up after this time, or three and a half scans of its sensor."""
UNSURE_WAIT_S = 10.0
"""The same for one that has rows but is not confirmed."""
LOST_S = 60.0
"""A confirmed track that should be seen and is not for so long has ended, however few scans there were."""
UNKNOWN_VIEW = 0.5
"""That an object is in view of a sensor which has not seen so far or so low yet, and whose coverage is not given."""
CLOSE_M = 20e3
"""Two tracks further apart than this are not on one object: thirty sigmas of a notional radar's cross-range."""
DOUBLE = 9.0
"""Doubt at which one of two close tracks is taken for a double: once in e^9 looks at one that is none."""
POWERED_FADES_S = 10.0
"""The noise halves in this time: strain renews it while power goes on. In a third of it a track under power fell behind
its object before the strain was noticed again, and was lost."""
POWER_LASTS_BELOW_M = 400e3
"""What climbs lower and was under power may be under power yet."""
BROKEN_MPS = 50.0
"""What the velocity may be off by when free fall is found not to fit, sigma an axis."""
STRAIN_REST, STRAIN_BREAKS = 6.0, 25.0
"""Squared distance of an update above which strain grows (3 is the mean), and the sum at which free fall is given up for
the moment: by chance once in some thousand rows."""
MIXED_ROWS = 20
"""A confirmed track that is given up with fewer rows than this, and was close to others, was made of their rows: while
two close objects have no velocity yet, a row of each makes as good a track as two of one."""
CONTESTED = 1.5
"""What the odds of a new track lose in a scan in which all that it claims is better explained by others."""
MOST_TREES = 20_000
"""New tracks beyond this number are left out, and counted: 20 scans with a thousand false alarms each."""


def step(picture: Picture, scan: Scan, chains: Chains) -> Picture:
    """The picture after one scan, which is not older than any before. A row is used by one object at most."""
    watches = list(picture.watch)
    watches[scan.sensor] = watch = faded(watches[scan.sensor].seen(scan.rows))
    leaves, trees = picture.leaves, picture.trees
    owner, sure = np.full(len(scan.rows), -1, np.int64), trees.confirmed_ns > 0
    over, seen, had = 0, np.zeros(0, np.bool_), np.zeros(0, np.bool_)
    if len(trees.id):
        grown = _grow(leaves, trees, scan, watch, chains)
        leaves, trees, owner, seen, had = grown.leaves, grown.trees, grown.owner, grown.seen, grown.had
        sure, over = sure & grown.alone, grown.over
    watches[scan.sensor] = watch = after_scan(watch, scan.rows, owner, sure, seen, had)
    ended: tuple[Ended, ...] = ()
    if len(trees.id):
        leaves, trees, ended, false = _bury(leaves, trees, grown, tuple(watches), int(scan.rows.time_ns[0]))
        for sensor, count in enumerate(false):
            if count:
                watches[sensor] = false_alarm(watches[sensor], int(count))
    new = np.flatnonzero(owner < 0)
    planted = new[: max(MOST_TREES - len(trees.id), 0)]
    waiting = picture.waiting
    if scan.rows.model[0] == INFRARED:
        leaves, trees, waiting = plant_crossings(leaves, trees, scan, planted, watch, chains, waiting)
    else:
        leaves, trees = plant(leaves, trees, scan, planted, watch, chains)
    return Picture(
        leaves,
        trees,
        picture.ended + ended,
        tuple(watches),
        waiting,
        picture.pruned + over,
        picture.crowded_out + len(new) - len(planted),
    )


@dataclass(frozen=True, eq=False)
class _Grown:
    """One scan's growth: owner (m,): tree of each row or -1; seen, had, high (t,): of the leading leaves, whether they
    should have been seen, had a row, whether their tree had one leaf, and
    their height, m; over: hypotheses given up for number.
    """

    leaves: Leaves
    trees: Trees
    owner: Ints
    seen: Bools
    had: Bools
    alone: Bools
    high: Floats
    over: int


def _grow(leaves: Leaves, trees: Trees, scan: Scan, watch: Watch, chains: Chains) -> _Grown:
    """Every leaf with each of its choices, the best set, and what is kept."""
    rows, size = scan.rows, len(leaves.tree)
    found, gain = np.empty((size, CHOICES), np.int64), np.zeros((size, CHOICES))
    view, later = np.empty((size, 4)), (np.empty((size, SIZE)), np.empty((size, SIZE, SIZE)))
    _gate(leaves, rows, *later, found, gain, view)
    sure = trees.confirmed_ns > 0
    seen, maybe = in_view(watch, view), may_view(watch, view) & (leaves.rows < KNOWN_ROWS)
    expected = watch.probability * np.where(seen, 1.0, UNKNOWN_VIEW)
    gain += np.log(expected)[:, None] - alarm_density(watch)
    miss = np.where((seen | maybe) & watch.together, np.log1p(-expected), 0.0)
    room = size * (1 + CHOICES)
    parent, row, window = (
        np.empty(room, np.int64),
        np.empty(room, np.int64),
        np.empty((room, WINDOW), np.int64),
    )
    score, evidence = np.empty(room), np.empty(room)
    count = kernels.branch(
        leaves.tree, leaves.window, leaves.score, leaves.evidence, found, gain, miss, scan.serial,
        parent, row, window, score, evidence,
    )  # fmt: skip
    parent, row, window = parent[:count], row[:count], window[:count]
    score, evidence = score[:count], evidence[:count]
    tree = leaves.tree[parent]
    begin = np.searchsorted(tree, np.arange(len(trees.id) + 1))
    fallback = np.where(trees.held, np.searchsorted(parent, trees.lead), -1)
    chosen, reduced, price = best_set(begin, window, score, ~sure, fallback)
    # What an object adds to the whole: its row counts for it only as far as nobody else could use it.
    evidence = np.minimum(evidence - np.where(row >= 0, price, 0.0), MOST_EVIDENCE)
    lead, keep = np.empty(len(trees.id), np.int64), np.empty(count, np.bool_)
    over = kernels.prune(begin, window, reduced, chosen, MARGIN, LEAVES, lead, keep)
    owner = np.full(len(rows), -1, np.int64)
    using = chosen[chosen >= 0]
    using = using[row[using] >= 0]
    owner[row[using]] = tree[using]
    had, first = row[lead] >= 0, parent[lead]
    alone = np.diff(np.searchsorted(leaves.tree, np.arange(len(trees.id) + 1))) == 1
    kept = np.flatnonzero(keep)
    lead = np.searchsorted(kept, lead)
    parent, row = parent[kept], row[kept]
    mean, cov, time_ns = (
        np.empty((len(kept), SIZE)),
        np.empty((len(kept), SIZE, SIZE)),
        np.empty(len(kept), np.int64),
    )
    distance = np.empty(len(kept))
    kernels.grow(
        leaves.mean,
        leaves.covariance,
        leaves.time_ns,
        *later,
        rows.rows,
        parent,
        row,
        mean,
        cov,
        time_ns,
        distance,
    )
    psd, strain = _strained(
        leaves.psd[parent],
        leaves.strain[parent],
        distance,
        (time_ns - leaves.time_ns[parent]) / NS_PER_S,
        mean,
        cov,
    )
    share = math.log((1 - 0.5 * watch.probability) / (1 - watch.probability))
    doubt = np.where(row >= 0, -math.log(2), np.where((seen & watch.together)[parent], share, 0.0))
    doubt = np.maximum(leaves.doubt[parent] + doubt, 0.0)
    node, used = leaves.node[parent], row >= 0
    node[used] = chains.add(node[used], scan.serial[row[used]])
    evidence = evidence[kept]
    # A new tree whose rows better explained others take is no evidence of anything.
    contested = (chosen < 0) & ~sure & (score[kept][lead] > 0)
    lost = contested[tree[kept]]
    evidence[lost] = np.minimum(evidence[lost], trees.begun[tree[kept]][lost]) - CONTESTED
    grown = Leaves(
        tree[kept], mean, cov, time_ns, psd, score[kept], evidence, doubt, strain, window[kept], node,
        leaves.rows[parent] + used,
    )  # fmt: skip
    now_ns = int(rows.time_ns[0])
    shown = (grown.evidence[lead] >= CONFIRM) & (grown.rows[lead] >= CONFIRM_ROWS) & (chosen >= 0)
    confirmed_ns = np.where(~sure & shown, now_ns, trees.confirmed_ns)
    return _Grown(
        grown, replace(trees, lead=lead, confirmed_ns=confirmed_ns, held=chosen >= 0), owner, seen[first], had, alone,
        view[first, 3], over,
    )  # fmt: skip


def _strained(
    psd: Floats, strain: Floats, distance: Floats, after_s: Floats, mean: Floats, cov: Floats
) -> tuple[Floats, Floats]:
    """Acceleration noise and strain after an update; distance (n,): squared innovation distance, below 0 for no row;
    after_s (n,): time since the row before.

    Where the rows say so too often that free fall does not fit, an unknown acceleration is allowed for, in place: it
    keeps the next rows in the gate while under power or in a glide, and fades, but not where the object climbs low. What
    the object does is said by its `TrackFilter`. Source: the cumulative sum test of Page 1954.
    """
    had = distance >= 0
    strain = np.where(had, np.maximum(strain + distance - STRAIN_REST, 0.0), strain)
    low = np.flatnonzero(psd > kernels.ACCELERATION_PSD)
    if len(low):
        climbing = (mean[low, :3] * mean[low, 3:6]).sum(axis=1) > 0
        low = low[climbing & (ecef_to_geodetic(mean[low, :3])[2] < POWER_LASTS_BELOW_M)]
        after_s[low] = 0.0
    psd = np.maximum(psd * 0.5 ** (after_s / POWERED_FADES_S), kernels.ACCELERATION_PSD)
    broken = strain > STRAIN_BREAKS
    for i in np.flatnonzero(broken):
        cov[i, range(3, 6), range(3, 6)] += BROKEN_MPS**2
    return np.where(broken, POWERED_PSD, psd), np.where(broken, 0.0, strain)


def _gate(
    leaves: Leaves, rows: Measurements, mean: Floats, cov: Floats, found: Ints, gain: Floats, view: Floats
) -> None:
    """Rows in the gates of leaves; see `kernels.gate_scan`."""
    count = len(rows)
    position, reach, order, distance = (
        np.zeros((count, 3)),
        np.zeros(count),
        np.arange(count),
        np.zeros(count),
    )
    if rows.model[0] == INFRARED:
        reach = np.sqrt(((rows.sigma + rows.bias_sigma) ** 2).sum(axis=1))
    else:
        kernels.place_scan(rows.rows, position, reach)
        order = np.argsort(rows.value[:, 0], kind="stable")
        distance = rows.value[order, 0]
    kernels.gate_scan(
        leaves.mean, leaves.covariance, leaves.time_ns, leaves.psd, rows.rows, position, reach, order, distance, GATE,
        mean, cov, found, gain, view,
    )  # fmt: skip


def best_set(
    begin: Ints, window: Ints, score: Floats, optional: Bools, fallback: Ints
) -> tuple[Ints, Floats, Floats]:
    """The leaves of the best set, (t,) or -1; how good each leaf is in view of the others' wants (n,); and the price of
    each leaf's last row (n,), 0 for none.

    begin (t + 1,): first leaf of each tree; window (n, w): serial numbers of rows, below 0 for none; score (n,);
    optional (t,): trees that may have no leaf in the set, at score 0; fallback (t,): leaves that share no row, -1 for
    none, which only the optional may have.
    """
    held = window >= 0
    names, claim = np.unique(window[held], return_inverse=True)
    claims = np.full(window.shape, -1, np.int64)
    claims[held] = claim.reshape(-1)
    chosen, reduced, price = (
        np.empty(len(begin) - 1, np.int64),
        np.empty(len(score)),
        np.zeros(len(names) + 1),
    )
    kernels.settle(begin, claims, score, optional, fallback, price[:-1], chosen, reduced)
    kernels.improve(begin, claims, score, optional, len(names), chosen)
    return chosen, reduced, price[claims[:, -1]]


def _bury(
    leaves: Leaves, trees: Trees, grown: _Grown, watches: tuple[Watch, ...], now_ns: int
) -> tuple[Leaves, Trees, tuple[Ended, ...], Ints]:
    """Takes out what fell, is lost, or never was; false alarms by sensor are the single rows that came to nothing."""
    lead = trees.lead
    evidence, count = leaves.evidence[lead], leaves.rows[lead]
    since_s = (now_ns - leaves.time_ns[lead]) / NS_PER_S
    interval_s = np.array([watch.interval_s for watch in watches])[trees.sensor]
    sure, fell = trees.confirmed_ns > 0, grown.high < 0
    lost = sure & ((evidence < GIVE_UP) | (grown.seen & (since_s > LOST_S)))
    wait_s = np.where(
        count == 1, np.maximum(NEW_WAIT_S, 3.5 * interval_s), np.maximum(UNSURE_WAIT_S, 5 * interval_s)
    )
    doubtful = (evidence < trees.begun - NEW_GIVE_UP) | ((count > 1) & (since_s > 0) & (evidence < GIVE_UP))
    never = ~sure & (doubtful | (since_s > wait_s) | fell)
    double = np.zeros(len(sure), np.bool_)
    leaves, worst = _double(leaves, trees, now_ns)
    double[worst] = True
    for t in np.flatnonzero(lost & (evidence < GIVE_UP) & (count < MIXED_ROWS)):
        double[t] = _close_to(leaves, trees, int(leaves.time_ns[lead[t]]), int(t)).any()
    gone = fell | lost | never | double
    if not gone.any():
        return leaves, trees, (), np.zeros(len(watches), np.int64)
    why = np.where(fell, "fell", np.where(double, "double", "lost"))
    ended = tuple(
        Ended(
            int(trees.id[t]), str(why[t]), int(leaves.node[lead[t]]), int(count[t]),
            float(evidence[t]), int(trees.confirmed_ns[t]), now_ns,
        )
        for t in np.flatnonzero(gone & sure)
    )  # fmt: skip
    false = np.bincount(trees.sensor[never & (count == 1)], minlength=len(watches))
    stay = ~gone
    keep = stay[leaves.tree]
    number, place = np.cumsum(stay) - 1, np.cumsum(keep) - 1
    columns = {name: getattr(leaves, name)[keep] for name in _LEAF_COLUMNS}
    columns["tree"] = number[columns["tree"]]
    left = {name: getattr(trees, name)[stay] for name in _TREE_COLUMNS}
    left["lead"] = place[left["lead"]]
    return Leaves(**columns), Trees(**left), ended, false


def _double(leaves: Leaves, trees: Trees, now_ns: int) -> tuple[Leaves, Ints]:
    """The tree, none or one, that shares another's object: the worst whose doubt is too great with a neighbour there.

    One at a time, and the doubt of its neighbours is halved, since they get its rows from now on.
    Source: the cumulative sum test of Page 1954, on detections at the full rate against half of it.
    """
    lead, sure = trees.lead, trees.confirmed_ns > 0
    doubt = np.where(sure, leaves.doubt[lead], 0.0)
    open_to = np.flatnonzero(doubt > DOUBLE)
    none = np.zeros(0, np.int64)
    if not len(open_to):
        return leaves, none
    for t in open_to[np.argsort(-doubt[open_to], kind="stable")]:
        close = _close_to(leaves, trees, now_ns, int(t))
        if close.any():
            halved = np.where(close[leaves.tree], 0.5 * leaves.doubt, leaves.doubt)
            return replace(leaves, doubt=halved), np.array([t])
    return leaves, none


def _close_to(leaves: Leaves, trees: Trees, time_ns: int, t: int) -> Bools:
    """The other confirmed trees (t,) that are close to this one at a time."""
    lead, sure = trees.lead, trees.confirmed_ns > 0
    since_s = (time_ns - leaves.time_ns[lead]) / NS_PER_S
    where = leaves.mean[lead, :3] + leaves.mean[lead, 3:6] * since_s[:, None]
    close: Bools = sure & (np.sqrt(((where - where[t]) ** 2).sum(axis=1)) < CLOSE_M)
    close[t] = False
    return close


_LEAF_COLUMNS = tuple(field.name for field in fields(Leaves))
_TREE_COLUMNS = tuple(field.name for field in fields(Trees))
