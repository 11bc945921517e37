"""Which tracks of two partners are one object, their pictures perhaps shifted against one another as a whole.

A sensor that is off moves all its objects alike. The pattern of the objects still fits, so the shift and the assignment
are found together: each likely pair proposes a shift, the assignment under it a better one, until they agree; the best
of all that come out is taken. What the shift is allowed to be is a prior, so that pictures of other objects are not
pulled together.

    found = match_pictures(ours, theirs, shift_sigma=(500.0, 5.0))
    found.pairs, found.probability, found.not_same

Sources: track-to-track test, Bar-Shalom, Willett and Tian 2011, section 9.2; assignment of patterns with a common bias,
Levedahl 2002 (SPIE 4728).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.association import chi_square_limit
from noroshi.tracking.errors import TrackError
from noroshi.tracking.filtering import predict
from noroshi.tracking.tracklets import inverse
from noroshi.tracking.tracks import Tracks

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GATE_SCORE = 4.27
"""Normal score of the gate: two tracks of one object are held apart once in 100,000."""

SHIFT_SIGMA = (300.0, 5.0)
"""Sigmas per axis of a picture's shift where nothing is known of its sensors, m and m/s: a third of a milliradian at
1,000 km, and what that turns a velocity of 7 km/s by, and more."""

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
    apart, whatever shift is allowed; only_a, only_b: rows without a pair; shift (6,), shift_covariance (6, 6): of b
    against a, m and m/s.
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
    precision = inverse(spread)
    logdet = -_logdet(precision)
    wide = inverse(spread + np.diag(prior))
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
            shift, covariance = _shift(gap, precision, pairs, prior)
            distance = _distance(gap, precision, shift)
            found = _assign(distance + logdet, distance <= limit, float(logdet.max()) + limit)
            if found == pairs or not found:
                break
            pairs = found
        if pairs not in seen:
            shift, covariance = _shift(gap, precision, pairs, prior)
            seen[pairs] = _cost(gap, precision, logdet, pairs, shift, prior, limit), shift, covariance
    pairs = min(seen, key=lambda one: (seen[one][0], one))
    _, shift, covariance = seen[pairs]
    distance = _distance(gap, inverse(spread + covariance), shift)
    probability = _probability(distance, logdet, far > limit)
    return _matching(distance, far > limit, probability, pairs, prior, shift, covariance)


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
        shift=np.zeros(6) if shift is None else shift,
        shift_covariance=np.diag(prior) if covariance is None else covariance,
    )


def _logdet(matrix: Floats) -> Floats:
    """Log determinants of covariances or informations (..., 6, 6), scaled so that mixed units cost no digits."""
    scale = 1 / np.sqrt(np.einsum("...ii->...i", matrix))
    found = np.linalg.slogdet(matrix * scale[..., :, None] * scale[..., None, :])[1]
    result: Floats = found - 2 * np.log(scale).sum(axis=-1)
    return result


def _shift(
    gap: Floats, precision: Floats, pairs: tuple[tuple[int, int], ...], prior: Floats
) -> tuple[Floats, Floats]:
    """The common shift of these pairs, prior included, and its covariance."""
    free = prior > 0
    if not free.any():
        return np.zeros(6), np.zeros((6, 6))
    information = np.diag(1 / np.where(free, prior, 1e-12))
    vector = np.zeros(6)
    for i, k in pairs:
        information = information + precision[i, k]
        vector = vector + precision[i, k] @ gap[i, k]
    covariance = inverse(information)
    return covariance @ vector, covariance


def _distance(gap: Floats, precision: Floats, shift: Floats) -> Floats:
    left = gap - shift
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
    gap: Floats,
    precision: Floats,
    logdet: Floats,
    pairs: tuple[tuple[int, int], ...],
    shift: Floats,
    prior: Floats,
    limit: float,
) -> float:
    """Twice the negative log likelihood of pairs and shift, against no pair at all."""
    free = prior > 0
    total = float((shift[free] ** 2 / prior[free]).sum())
    distance = _distance(gap, precision, shift)
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
