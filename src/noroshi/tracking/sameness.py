"""Which tracks of two partners are one object, their pictures perhaps shifted against one another as a whole.

A sensor that is off moves all its objects alike. The pattern of the objects still fits, so the shift and the assignment
are found together: each likely pair proposes a shift, the assignment under it a better one, until they agree; the best
of all that come out is taken. What the shift is allowed to be is a prior, so that pictures of other objects are not
pulled together.

    found = match_pictures(ours, theirs, shift_sigma=(500.0, 5.0))
    found.pairs, found.probability, found.not_same
    objects = joint_objects(arcs, sensor)       # of several sensors, each bent by biases of its own

Sources: track-to-track test, Bar-Shalom, Willett and Tian 2011, section 9.2; assignment of patterns with a common bias,
Levedahl 2002 (SPIE 4728).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from noroshi.clock import NS_PER_S
from noroshi.tracking.association import chi_square_limit
from noroshi.tracking.errors import TrackError
from noroshi.tracking.filtering import predict
from noroshi.tracking.own_arcs import OwnArc
from noroshi.tracking.tracklets import carried, inverse
from noroshi.tracking.tracks import Tracks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GATE_SCORE = 4.27
"""Normal score of the gate: two tracks of one object are held apart once in 100,000."""

SHIFT_SIGMA = (300.0, 5.0)
"""Sigmas per axis of a picture's shift where nothing is known of its sensors, m and m/s: a third of a milliradian at
1,000 km, and what that turns a velocity of 7 km/s by, and more."""

BIAS_SIGMA = (200.0, 2e-3, 2e-3, 0.3)
"""Sigmas of what a sensor may be off by unknown to itself: range m, azimuth, elevation rad, clock s. The gate lets five
times that through (11 mrad, 1.7 s), and costs what is likelier to be another object."""
NO_BIAS = (0.0, 0.0, 0.0)

BENT = (50.0, 0.5)
"""What a bias moves an arc by beyond its slope, m and m/s: a turn of 8 mrad at 1,500 km and 7 km/s."""

APART_S = 30.0
"""Arcs of two sensors further apart in time than this are not held against each other: what both saw tells of a bias."""

MOST_ARCS = 60
"""Arcs of one sensor that are matched with another's: some 2 s of work for two sensors; a bias shows in far fewer."""

SEEDS = 64
"""Pairs that propose a shift, the most likely first."""

ROUNDS = 20
"""Times that the assignment and the shift are fitted to one another; they agree after two or three."""

SPARSE = 1e-6
"""Chance that an object of one picture has a stranger of the other inside its gate; weighs pairs against none."""


@dataclass(frozen=True, eq=False)
class Matching:
    """pairs (k, 2): rows of a and b that are one object, by row of a; probability (n, m): that they are; statistic
    (n, m): squared distance over position and velocity under the shift (6 degrees of freedom); not_same (n, m): held
    apart, whatever shift is allowed; only_a, only_b: rows without a pair; shift (p,), shift_covariance (p, p): of b
    against a, m and m/s (6), or what `match_arcs` says.
    """

    pairs: Ints
    probability: Floats
    statistic: Floats
    not_same: Bools
    only_a: Ints
    only_b: Ints
    shift: Floats
    shift_covariance: Floats


def match_pictures(
    tracks_a: Tracks, tracks_b: Tracks, *, shift_sigma: tuple[float, float] = SHIFT_SIGMA
) -> Matching:
    """Assigns the tracks of one partner's picture to those of another's, each at most once.

    All are predicted to the latest time of any, so that estimates of different times compare. shift_sigma: m and m/s,
    0 for none. The errors of two tracks are taken as independent; where they share rows they differ less, and the test
    errs towards "the same". Raises TrackError for a shift below 0.
    """
    if min(shift_sigma) < 0:
        raise TrackError("match the pictures", cause="a sigma of the shift is below 0")
    n, m = len(tracks_a), len(tracks_b)
    prior = np.square([shift_sigma[0]] * 3 + [shift_sigma[1]] * 3)
    if not n or not m:
        return _matching(np.zeros((n, m)), np.zeros((n, m), np.bool_), np.zeros((n, m)), [], prior)
    at_ns = int(max(tracks_a.time_ns.max(), tracks_b.time_ns.max()))
    a, b = predict(tracks_a, at_ns), predict(tracks_b, at_ns)
    gap = b.mean[None, :, :6] - a.mean[:, None, :6]
    spread = a.covariance[:, None, :6, :6] + b.covariance[None, :, :6, :6]
    return _matched(gap, spread, np.broadcast_to(np.eye(6), (n, m, 6, 6)), prior)


def match_arcs(
    arcs_a: Sequence[OwnArc],
    arcs_b: Sequence[OwnArc],
    *,
    stated_a: ArrayLike = NO_BIAS,
    stated_b: ArrayLike = NO_BIAS,
) -> Matching:
    """Assigns what one sensor sees to what another sees, each at most once, whatever both may be off by.

    The common shift is that of the sensors' own biases: `shift` (8,) holds range m, azimuth, elevation rad and clock s
    of a, then of b; each bends every arc in its own way, wherever it flies. stated_a, stated_b (3,): sigmas of range,
    azimuth and elevation that the sensors admit, beside `BIAS_SIGMA`. Two arcs are held against each other in the middle
    of their common time; those further apart in time than `APART_S` are not the same. At most `MOST_ARCS` of each
    sensor are looked at, those of most rows; the others have no pair.
    """
    n, m = len(arcs_a), len(arcs_b)
    admitted = [np.append(np.asarray(one, np.float64), 0.0) for one in (stated_a, stated_b)]
    prior = np.concatenate([np.square(BIAS_SIGMA) + np.square(one) for one in admitted])
    gap, spread = np.full((n, m, 6), 1e9), np.broadcast_to(np.eye(6), (n, m, 6, 6)).copy()
    effect = np.zeros((n, m, 6, len(prior)))
    bent = np.square([BENT[0]] * 3 + [BENT[1]] * 3)
    for i in _longest(arcs_a):
        for k in _longest(arcs_b):
            first, second = arcs_a[i], arcs_b[k]
            begin, end = max(first.from_ns, second.from_ns), min(first.to_ns, second.to_ns)
            if begin - end > APART_S * NS_PER_S:
                continue
            (mean, cov, slope), (other, wide, turn) = (
                _there(one, (begin + end) // 2) for one in (first, second)
            )
            gap[i, k], spread[i, k] = other - mean, cov + wide + np.diag(bent)
            effect[i, k, :, :4], effect[i, k, :, 4:] = -slope, turn
    if not n or not m:
        return _matching(np.zeros((n, m)), np.zeros((n, m), np.bool_), np.zeros((n, m)), [], prior)
    return _matched(gap, spread, effect, prior)


def joint_objects(
    arcs: Sequence[OwnArc], sensor: Sequence[int], stated: Mapping[int, Floats] | None = None
) -> list[list[int]]:
    """Which arcs of all sensors are one object: lists of their indices, those of one arc alone included.

    sensor: of each arc; stated: as in `match_arcs`, by sensor. Every two sensors are matched; the pairs that fit best
    are joined first, and never two arcs of one sensor.
    """
    own = {one: [i for i, of in enumerate(sensor) if of == one] for one in sorted(set(sensor))}
    admitted = {one: np.asarray((stated or {}).get(one, NO_BIAS), np.float64) for one in own}
    pairs: list[tuple[float, int, int]] = []
    for first, second in combinations(own, 2):
        mine, theirs = [arcs[i] for i in own[first]], [arcs[k] for k in own[second]]
        found = match_arcs(mine, theirs, stated_a=admitted[first], stated_b=admitted[second])
        pairs += [
            (float(found.statistic[i, k]), own[first][i], own[second][k]) for i, k in found.pairs.tolist()
        ]
    group = {i: [i] for i in range(len(arcs))}
    for _, i, k in sorted(pairs):
        both = [*group[i], *group[k]]
        if group[i] is group[k] or len({sensor[one] for one in both}) < len(both):
            continue
        for one in both:
            group[one] = both
    return [sorted(one) for i, one in group.items() if i == min(one)]


def _longest(arcs: Sequence[OwnArc]) -> list[int]:
    return sorted(sorted(range(len(arcs)), key=lambda i: (-len(arcs[i].rows), i))[:MOST_ARCS])


def _there(arc: OwnArc, at_ns: int) -> tuple[Floats, Floats, Floats]:
    """Position and velocity of an arc at another time, their covariance, and their slope by its sensor's biases."""
    mean, turn = carried(arc.mean, (at_ns - arc.at_ns) / NS_PER_S)
    turn = turn[:6]
    return mean[:6], turn @ arc.covariance @ turn.T, turn @ arc.slope


def _matched(gap: Floats, spread: Floats, effect: Floats, prior: Floats) -> Matching:
    """The assignment and the common unknowns that fit best.

    gap (n, m, 6): of each pair; spread (n, m, 6, 6): its covariance; effect (n, m, 6, p): what the unknowns add to it;
    prior (p,): their variances.
    """
    n, m = gap.shape[:2]
    precision = inverse(spread)
    logdet = -_logdet(precision)
    wide = inverse(_widened(spread, effect, np.diag(prior)))
    far = np.einsum("nmi,nmij,nmj->nm", gap, wide, gap)
    limit = chi_square_limit(6, GATE_SCORE)
    likely = np.argwhere(far <= limit)
    if not len(likely):
        return _matching(far, far > limit, np.zeros((n, m)), [], prior)
    likely = likely[np.argsort(far[likely[:, 0], likely[:, 1]], kind="stable")][:SEEDS]
    seen: dict[tuple[tuple[int, int], ...], tuple[float, Floats, Floats]] = {}
    for i, k in likely.tolist():
        pairs: tuple[tuple[int, int], ...] = ((i, k),)
        for _ in range(ROUNDS):
            shift, covariance = _shift(gap, precision, effect, pairs, prior)
            # A pair may pull the others in by as much as it leaves the shift open.
            distance = _distance(gap - effect @ shift, inverse(_widened(spread, effect, covariance)))
            found = _assign(distance + logdet, distance <= limit, float(logdet.max()) + limit)
            if found == pairs or not found:
                break
            pairs = found
        if pairs not in seen:
            shift, covariance = _shift(gap, precision, effect, pairs, prior)
            cost = _cost(gap - effect @ shift, precision, logdet, pairs, shift, prior, limit)
            seen[pairs] = cost, shift, covariance
    pairs = min(seen, key=lambda one: (seen[one][0], one))
    _, shift, covariance = seen[pairs]
    distance = _distance(gap - effect @ shift, inverse(_widened(spread, effect, covariance)))
    probability = _probability(distance, logdet, far > limit)
    return _matching(distance, far > limit, probability, pairs, prior, shift, covariance)


def _widened(spread: Floats, effect: Floats, covariance: Floats) -> Floats:
    wide: Floats = spread + effect @ covariance @ np.swapaxes(effect, -1, -2)
    return wide


def _matching(
    statistic: Floats,
    apart: Bools,
    probability: Floats,
    pairs: tuple[tuple[int, int], ...] | list[tuple[int, int]],
    prior: Floats,
    shift: Floats | None = None,
    covariance: Floats | None = None,
) -> Matching:
    n, m = statistic.shape
    table = np.array(sorted(pairs), np.int64).reshape(-1, 2)
    return Matching(
        pairs=table,
        probability=probability,
        statistic=statistic,
        not_same=apart,
        only_a=np.setdiff1d(np.arange(n), table[:, 0]),
        only_b=np.setdiff1d(np.arange(m), table[:, 1]),
        shift=np.zeros(len(prior)) if shift is None else shift,
        shift_covariance=np.diag(prior) if covariance is None else covariance,
    )


def _logdet(matrix: Floats) -> Floats:
    """Log determinants of covariances or informations (..., 6, 6), scaled so that mixed units cost no digits."""
    scale = 1 / np.sqrt(np.einsum("...ii->...i", matrix))
    found = np.linalg.slogdet(matrix * scale[..., :, None] * scale[..., None, :])[1]
    result: Floats = found - 2 * np.log(scale).sum(axis=-1)
    return result


def _shift(
    gap: Floats, precision: Floats, effect: Floats, pairs: tuple[tuple[int, int], ...], prior: Floats
) -> tuple[Floats, Floats]:
    """The common unknowns of these pairs, prior included, and their covariance."""
    free = prior > 0
    if not free.any():
        return np.zeros(len(prior)), np.zeros((len(prior), len(prior)))
    information = np.diag(1 / np.where(free, prior, 1e-12))
    vector = np.zeros(len(prior))
    for i, k in pairs:
        weighed = effect[i, k].T @ precision[i, k]
        information = information + weighed @ effect[i, k]
        vector = vector + weighed @ gap[i, k]
    covariance = inverse(information)
    return covariance @ vector, covariance


def _distance(left: Floats, precision: Floats) -> Floats:
    found: Floats = np.einsum("nmi,nmij,nmj->nm", left, precision, left)
    return found


def _assign(cost: Floats, inside: Bools, reference: float) -> tuple[tuple[int, int], ...]:
    """Pairs of the assignment that costs least; a pair outside its gate costs what no pair costs."""
    from scipy.optimize import linear_sum_assignment  # loads in half a second, and few need it

    priced = np.where(inside, np.minimum(cost, reference), reference)
    return tuple(
        (int(i), int(k)) for i, k in zip(*linear_sum_assignment(priced), strict=True) if inside[i, k]
    )


def _cost(
    left: Floats,
    precision: Floats,
    logdet: Floats,
    pairs: tuple[tuple[int, int], ...],
    shift: Floats,
    prior: Floats,
    limit: float,
) -> float:
    """Twice the negative log likelihood of pairs and shift, against no pair at all. left: the gaps without the shift."""
    free = prior > 0
    total = float((shift[free] ** 2 / prior[free]).sum())
    distance = _distance(left, precision)
    reference = float(logdet.max()) + limit
    return total + sum(float(distance[i, k] + logdet[i, k]) - reference for i, k in pairs)


def _probability(distance: Floats, logdet: Floats, apart: Bools) -> Floats:
    """Probability of each pair, every row and column having one partner or none.

    Weights exp(-distance / 2) against SPARSE for none, made to sum to one over rows and columns by turns (Sinkhorn's
    scaling; a stand-in for the sum over all assignments, exact where no two pairs compete).
    """
    n, m = distance.shape
    weight = np.zeros((n + 1, m + 1))
    # `logdet` sets how densely the gate is filled: a wide gate makes a chance pair more likely.
    weight[:n, :m] = np.where(apart, 0.0, np.exp(-(distance + logdet - logdet.min()) / 2))
    weight[:n, m] = SPARSE
    weight[n, :m] = SPARSE
    for _ in range(100):
        weight[:n] /= weight[:n].sum(axis=1, keepdims=True)
        weight[:, :m] /= weight[:, :m].sum(axis=0, keepdims=True)
    return weight[:n, :m].copy()
