"""Scans of many objects: which rows may belong to which leaf, the best set of leaves without a shared row, and growth.

A leaf is one hypothesis about an object: the set of rows that made it. Trees of leaves are numbered 0, 1, ... and lie
one after the other, so a tree is a range of leaves.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.matrices import cholesky, solve
from noroshi.tracking.kernels.motion import advance, height
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.sensing import look, place, site_frame, wrap
from noroshi.tracking.kernels.states import predict_state
from noroshi.tracking.kernels.updating import update_state

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LN_TWO_PI = math.log(2 * math.pi)
LN_RATE_SPAN = math.log(16e3)
"""False alarms have any range rate between -8 and 8 km/s: the logarithm of that span in m/s."""
ROUNDS = 20
"""Price rounds of `settle`; nearly all scans are settled in fewer than five."""
SWEEPS = 8
"""Passes of `improve`, which nearly always ends after two or three."""
STUCK = 1e3
"""Loss of a tree that has no leaf without the row: it bids more than any likelihood is worth."""
EMPTY = -2
"""A place of the window where nothing was decided yet; -1: decided that no row is the object's."""


@compiled
def place_scan(rows: Rows, position: Floats, reach: Floats) -> None:
    """ECEF position (m, 3) of the rows of one scan of a radar, and the length of their sigmas, m."""
    rot = np.empty((3, 3))
    for k in range(rows.time_ns.shape[0]):
        site_frame(rows.site_m[k], rot)
        v, s, b = rows.value[k], rows.sigma[k], rows.bias[k]
        position[k, 0], position[k, 1], position[k, 2] = place(v[0], v[1], v[2], rows.site_m[k], rot)
        reach[k] = math.sqrt(
            s[0] * s[0] + b[0] * b[0] + v[0] * v[0] * (s[1] ** 2 + s[2] ** 2 + b[1] ** 2 + b[2] ** 2)
        )


@compiled
def slopes(p: Floats, site: Floats, rot: Floats, infrared: bool, h: Floats, z: Floats) -> int:
    """Expected row z (4,) of a state and its derivatives h (4, 6); gives how many components there may be.

    A radar: range, azimuth, elevation, range rate; infrared: azimuth, elevation.
    """
    dx, dy, dz = p[0] - site[0], p[1] - site[1], p[2] - site[2]
    e = rot[0, 0] * dx + rot[0, 1] * dy + rot[0, 2] * dz
    n = rot[1, 0] * dx + rot[1, 1] * dy + rot[1, 2] * dz
    u = rot[2, 0] * dx + rot[2, 1] * dy + rot[2, 2] * dz
    g2 = max(e * e + n * n, 1.0)
    r2 = g2 + u * u
    g, r = math.sqrt(g2), math.sqrt(r2)
    az, el = (0, 1) if infrared else (1, 2)
    z[az], z[el] = math.atan2(e, n), math.atan2(u, g)
    for j in range(3):
        h[az, j] = (n * rot[0, j] - e * rot[1, j]) / g2
        h[el, j] = (g2 * rot[2, j] - u * (e * rot[0, j] + n * rot[1, j])) / (g * r2)
        h[az, j + 3] = 0.0
        h[el, j + 3] = 0.0
    if infrared:
        return 2
    lx, ly, lz = dx / r, dy / r, dz / r
    rate = lx * p[3] + ly * p[4] + lz * p[5]
    z[0], z[3] = r, rate
    h[0, 0], h[0, 1], h[0, 2] = lx, ly, lz
    h[3, 0], h[3, 1], h[3, 2] = (p[3] - rate * lx) / r, (p[4] - rate * ly) / r, (p[5] - rate * lz) / r
    for j in range(3):
        h[0, j + 3] = 0.0
        h[3, j + 3] = h[0, j]
    return 4


@compiled
def gate_scan(
    mean: Floats,
    cov: Floats,
    time_ns: Ints,
    psd: Floats,
    rows: Rows,
    position: Floats,
    reach: Floats,
    order: Ints,
    distance: Floats,
    limit: float,
    later_mean: Floats,
    later_cov: Floats,
    found: Ints,
    gain: Floats,
    view: Floats,
) -> None:
    """The rows of one scan (one sensor, one instant) inside the gate of every leaf, the likeliest first.

    order, distance: rows by range and their ranges, so that a leaf looks at few of them. limit: squared Mahalanobis
    gate. Out: later_mean, later_cov: the leaf at the scan, only where a row may fit; found (n, K) row or -1;
    gain (n, K) log likelihood density of the row; view (n, 4) expected range, azimuth, elevation and the height, m.
    The measurement is linear here (extended Kalman), with what curvature adds as noise: good for a gate and a choice.
    """
    rot, h, hp, z = np.empty((3, 3)), np.zeros((4, 6)), np.empty((4, 6)), np.empty(4)
    base, s, low = np.empty((4, 4)), np.empty((4, 4)), np.empty((4, 4))
    nu, column = np.empty(4), np.empty(4)
    count, room = rows.time_ns.shape[0], found.shape[1]
    now, site = rows.time_ns[0], rows.site_m[0]
    infrared = rows.model[0] == 1
    site_frame(site, rot)
    score = math.sqrt(limit)
    widest = 0.0
    for k in range(count):
        widest = max(widest, reach[k])
    for i in range(mean.shape[0]):
        for j in range(room):
            found[i, j] = -1
        dt = (now - time_ns[i]) * 1e-9
        m = mean[i]
        c = advance(m[0], m[1], m[2], m[3], m[4], m[5], dt, math.exp(-m[6]))
        view[i, 0], view[i, 1], view[i, 2] = look(c[0], c[1], c[2], site, rot)
        view[i, 3] = height(c[0], c[1], c[2])
        far = math.sqrt(cov[i, 0, 0] + cov[i, 1, 1] + cov[i, 2, 2])
        far += abs(dt) * math.sqrt(cov[i, 3, 3] + cov[i, 4, 4] + cov[i, 5, 5])
        far = score * (far + math.sqrt(psd[i] * abs(dt) ** 3))
        first, last = 0, count
        if not infrared:
            first = np.searchsorted(distance, view[i, 0] - far - score * widest)
            last = np.searchsorted(distance, view[i, 0] + far + score * widest)
        ready = False
        parts = 0
        for q in range(first, last):
            k = order[q]
            if infrared:
                angle = far / view[i, 0] + score * reach[k]
                if abs(rows.value[k, 2] - view[i, 2]) > angle:
                    continue
            else:
                x, y, w = position[k, 0] - c[0], position[k, 1] - c[1], position[k, 2] - c[2]
                if math.sqrt(x * x + y * y + w * w) > far + score * reach[k]:
                    continue
            if not ready:
                ready = True
                later_mean[i] = mean[i]
                later_cov[i] = cov[i]
                predict_state(later_mean[i], later_cov[i], dt, psd[i])
                parts = slopes(later_mean[i], site, rot, infrared, h, z)
                p = later_cov[i]
                for a in range(parts):
                    for b in range(6):
                        t = 0.0
                        for j in range(6):
                            t += h[a, j] * p[j, b]
                        hp[a, b] = t
                for a in range(parts):
                    for b in range(parts):
                        t = 0.0
                        for j in range(6):
                            t += hp[a, j] * h[b, j]
                        base[a, b] = t
                bend = (p[0, 0] + p[1, 1] + p[2, 2]) / view[i, 0]
                shape = 0.5 * (bend / view[i, 0]) ** 2
                if infrared:
                    base[0, 0] += shape
                    base[1, 1] += shape
                else:
                    base[0, 0] += 0.5 * bend * bend
                    base[1, 1] += shape
                    base[2, 2] += shape
            used = parts
            if not infrared and not rows.rate[k, 1] > 0:
                used = 3
            shift = 1 if infrared else 0
            clock2 = rows.clock_s[k] ** 2
            for a in range(used):
                for b in range(used):
                    s[a, b] = base[a, b]
                if a < 3:
                    s[a, a] += rows.sigma[k, a + shift] ** 2 + rows.bias[k, a + shift] ** 2
                    nu[a] = rows.value[k, a + shift] - z[a]
                    if a + shift > 0:
                        nu[a] = wrap(nu[a])
                else:
                    s[a, a] += rows.rate[k, 1] ** 2
                    nu[a] = rows.rate[k, 0] - z[a]
            if clock2 > 0:
                for a in range(used):
                    for b in range(used):
                        ma = (
                            h[a, 0] * later_mean[i, 3]
                            + h[a, 1] * later_mean[i, 4]
                            + h[a, 2] * later_mean[i, 5]
                        )
                        mb = (
                            h[b, 0] * later_mean[i, 3]
                            + h[b, 1] * later_mean[i, 4]
                            + h[b, 2] * later_mean[i, 5]
                        )
                        s[a, b] += ma * mb * clock2
            cholesky(s, low, used)
            for a in range(used):
                column[a] = nu[a]
            solve(low, column, used)
            d2, logdet = 0.0, 0.0
            for a in range(used):
                d2 += nu[a] * column[a]
                logdet += 2 * math.log(low[a, a])
            if d2 > limit:
                continue
            worth = -0.5 * (d2 + logdet + used * LN_TWO_PI)
            if used == 4:
                worth += LN_RATE_SPAN
            j = room - 1
            if found[i, j] >= 0 and gain[i, j] >= worth:
                continue
            while j > 0 and (found[i, j - 1] < 0 or gain[i, j - 1] < worth):
                found[i, j], gain[i, j] = found[i, j - 1], gain[i, j - 1]
                j -= 1
            found[i, j], gain[i, j] = k, worth


@compiled
def branch(
    tree: Ints,
    window: Ints,
    score: Floats,
    evidence: Floats,
    found: Ints,
    gain: Floats,
    miss: Floats,
    serial: Ints,
    parent: Ints,
    row: Ints,
    new_window: Ints,
    new_score: Floats,
    new_evidence: Floats,
) -> int:
    """Every leaf goes on without a row, and with each row in its gate; how many leaves there are then.

    The windows of a tree move on only where some leaf of it had a choice. gain: log likelihood ratio of the row, miss
    (n,): that of none. evidence: log odds of existence.
    """
    size, places, made, begin = tree.shape[0], window.shape[1], 0, 0
    while begin < size:
        end = begin
        choice = False
        while end < size and tree[end] == tree[begin]:
            choice = choice or found[end, 0] >= 0
            end += 1
        for i in range(begin, end):
            for j in range(-1, found.shape[1]):
                if j >= 0 and found[i, j] < 0:
                    break
                worth = miss[i] if j < 0 else gain[i, j]
                parent[made] = i
                row[made] = -1 if j < 0 else found[i, j]
                new_score[made] = score[i] + worth
                new_evidence[made] = evidence[i] + worth
                if choice:
                    for q in range(1, places):
                        new_window[made, q - 1] = window[i, q]
                    new_window[made, places - 1] = -1 if j < 0 else serial[found[i, j]]
                else:
                    new_window[made] = window[i]
                made += 1
        begin = end
    return made


@compiled
def settle(
    begin: Ints,
    claim: Ints,
    score: Floats,
    optional: Bools,
    fallback: Ints,
    price: Floats,
    chosen: Ints,
    reduced: Floats,
) -> int:
    """The leaves, at most one per tree and no row twice, with the greatest total score, by prices on contested rows.

    begin (t + 1,): first leaf of each tree; claim (n, w): rows that a leaf uses, below 0 for none; optional (t,): trees
    that may go without (score 0); fallback (t,): leaves without a common row, -1 only for the optional, so that there is
    a set at all. Out: chosen (t,) leaf or -1; price (rows,): what the second-best user would lose without
    the row, 0 where it is not contested; reduced (n,): score less the prices of its rows, which ranks leaves with regard
    to what the others want. Gives the rounds taken.
    Lagrangian relaxation of the assignment in several dimensions (Poore and Robertson 1997), prices raised as in an
    auction (Bertsekas 1988); exact when no row is wanted twice at the end, else the best set found on the way.
    """
    trees, places = begin.shape[0] - 1, claim.shape[1]
    count = price.shape[0]
    price[:] = 0.0
    use = np.zeros(count, np.int64)
    first, second = np.empty(count), np.empty(count)
    owner = np.empty(count, np.int64)
    pick, trial = np.empty(trees, np.int64), np.empty(trees, np.int64)
    regret, queue, stack = np.empty(trees), np.empty(trees, np.int64), np.empty(trees, np.int64)
    best, rounds = -np.inf, 0
    while True:
        rounds += 1
        use[:] = 0
        for t in range(trees):
            top = -1
            next_best = 0.0 if optional[t] else -STUCK
            for c in range(begin[t], begin[t + 1]):
                v = score[c]
                for q in range(places):
                    if claim[c, q] >= 0:
                        v -= price[claim[c, q]]
                reduced[c] = v
                if top < 0 or v > reduced[top]:
                    if top >= 0:
                        next_best = max(next_best, reduced[top])
                    top = c
                else:
                    next_best = max(next_best, v)
            regret[t] = reduced[top] - next_best
            pick[t] = -1 if optional[t] and reduced[top] < 0 else top
            if pick[t] >= 0:
                for q in range(places):
                    if claim[top, q] >= 0:
                        use[claim[top, q]] += 1
        # A set without conflict: what nobody else wants first, then the others, who would lose most by waiting first.
        owner[:] = -1
        waiting, value = 0, 0.0
        for t in range(trees):
            trial[t] = pick[t]
            if pick[t] < 0:
                continue
            alone = True
            for q in range(places):
                r = claim[pick[t], q]
                alone = alone and (r < 0 or use[r] == 1)
            if alone:
                for q in range(places):
                    if claim[pick[t], q] >= 0:
                        owner[claim[pick[t], q]] = t
            else:
                j = waiting
                while j > 0 and regret[queue[j - 1]] < regret[t]:
                    queue[j] = queue[j - 1]
                    j -= 1
                queue[j] = t
                waiting += 1
        for j in range(waiting):
            t = queue[j]
            top = -1
            for c in range(begin[t], begin[t + 1]):
                free = True
                for q in range(places):
                    free = free and (claim[c, q] < 0 or owner[claim[c, q]] < 0)
                if free and (top < 0 or reduced[c] > reduced[top]):
                    top = c
            if top >= 0 and optional[t] and score[top] < 0:
                top = -1
            trial[t] = top
            if top >= 0:
                for q in range(places):
                    if claim[top, q] >= 0:
                        owner[claim[top, q]] = t
        # Who must have a leaf and found none takes the fallback; whoever stands in its way goes to the own fallback.
        for j in range(waiting):
            if trial[queue[j]] >= 0 or optional[queue[j]]:
                continue
            stack[0] = queue[j]
            height = 1
            while height > 0:
                height -= 1
                t = stack[height]
                trial[t] = fallback[t]
                if trial[t] < 0:
                    continue
                for q in range(places):
                    r = claim[trial[t], q]
                    if r < 0 or owner[r] == t:
                        continue
                    u = owner[r]
                    if u >= 0:
                        for w in range(places):
                            if claim[trial[u], w] >= 0:
                                owner[claim[trial[u], w]] = -1
                        stack[height] = u
                        height += 1
                    owner[r] = t
        for t in range(trees):
            if trial[t] >= 0:
                value += score[trial[t]]
        if value > best:
            best = value
            chosen[:] = trial
        idle = False
        for r in range(count):
            idle = idle or (use[r] == 0 and price[r] > 0)
            first[r], second[r] = -1.0, -1.0
        if rounds >= ROUNDS or (waiting == 0 and not idle):
            return rounds
        for j in range(waiting):
            t = queue[j]
            for q in range(places):
                r = claim[pick[t], q]
                if r < 0 or use[r] < 2:
                    continue
                other = 0.0 if optional[t] else -STUCK
                for c in range(begin[t], begin[t + 1]):
                    without = True
                    for w in range(places):
                        without = without and claim[c, w] != r
                    if without:
                        other = max(other, reduced[c])
                loss = max(reduced[pick[t]] - other, 0.0)
                if loss > first[r]:
                    first[r], second[r] = loss, first[r]
                elif loss > second[r]:
                    second[r] = loss
        for r in range(count):
            if use[r] > 1:
                price[r] += second[r] + 0.01
            elif use[r] == 0 and price[r] > 0:
                price[r] = 0.5 * price[r] if price[r] > 0.02 else 0.0


@compiled
def improve(begin: Ints, claim: Ints, score: Floats, optional: Bools, count: int, chosen: Ints) -> int:
    """Betters a set without conflict, in place: a tree takes a better leaf whose rows are free or held by one other
    tree, when the total gains after that other has taken the best that is then left to it. Gives the number of changes.
    """
    trees, places, changes = begin.shape[0] - 1, claim.shape[1], 0
    owner = np.full(count, -1, np.int64)
    for t in range(trees):
        if chosen[t] >= 0:
            for q in range(places):
                if claim[chosen[t], q] >= 0:
                    owner[claim[chosen[t], q]] = t
    for _ in range(SWEEPS):
        before = changes
        for t in range(trees):
            now = score[chosen[t]] if chosen[t] >= 0 else 0.0
            best, best_leaf, best_other, best_instead = 1e-9, -1, -1, -1
            for c in range(begin[t], begin[t + 1]):
                gain = score[c] - now
                if gain <= best or c == chosen[t]:
                    continue
                u, single = -1, True
                for q in range(places):
                    r = claim[c, q]
                    if r >= 0 and owner[r] >= 0 and owner[r] != t:
                        single = single and (u < 0 or u == owner[r])
                        u = owner[r]
                if not single:
                    continue
                instead = -1
                if u >= 0:
                    left = 0.0 if optional[u] else -STUCK
                    for d in range(begin[u], begin[u + 1]):
                        if score[d] <= left:
                            continue
                        free = True
                        for q in range(places):
                            r = claim[d, q]
                            if r >= 0:
                                free = free and (owner[r] < 0 or owner[r] == u or owner[r] == t)
                                for w in range(places):
                                    free = free and claim[c, w] != r
                        if free:
                            left, instead = score[d], d
                    if instead < 0 and not optional[u]:
                        continue
                    gain += left - score[chosen[u]]
                if gain > best:
                    best, best_leaf, best_other, best_instead = gain, c, u, instead
            if best_leaf < 0:
                continue
            changes += 1
            for side in range(2):
                x = t if side == 0 else best_other
                if x >= 0 and chosen[x] >= 0:
                    for q in range(places):
                        if claim[chosen[x], q] >= 0:
                            owner[claim[chosen[x], q]] = -1
            chosen[t] = best_leaf
            if best_other >= 0:
                chosen[best_other] = best_instead
            for side in range(2):
                x = t if side == 0 else best_other
                if x >= 0 and chosen[x] >= 0:
                    for q in range(places):
                        if claim[chosen[x], q] >= 0:
                            owner[claim[chosen[x], q]] = x
        if changes == before:
            break
    return changes


@compiled
def prune(
    begin: Ints,
    window: Ints,
    reduced: Floats,
    chosen: Ints,
    margin: float,
    most: int,
    lead: Ints,
    keep: Bools,
) -> int:
    """Which leaves go on: those that share the oldest decision of the tree's leading leaf, are at most `margin` worse
    and among the `most` best of it. Gives how many were inside the margin but over the number.
    """
    over = 0
    for t in range(begin.shape[0] - 1):
        top = chosen[t]
        if top < 0:
            top = begin[t]
            for c in range(begin[t], begin[t + 1]):
                if reduced[c] > reduced[top]:
                    top = c
        lead[t] = top
        for c in range(begin[t], begin[t + 1]):
            keep[c] = False
            if c != top and (reduced[c] < reduced[top] - margin or window[c, 0] != window[top, 0]):
                continue
            better = 0
            for d in range(begin[t], begin[t + 1]):
                if d != top and window[d, 0] == window[top, 0]:
                    better += reduced[d] > reduced[c] or (reduced[d] == reduced[c] and d < c)
            if c == top or better < most - 1:
                keep[c] = True
            else:
                over += 1
    return over


@compiled
def grow(
    mean: Floats,
    cov: Floats,
    time_ns: Ints,
    later_mean: Floats,
    later_cov: Floats,
    rows: Rows,
    parent: Ints,
    row: Ints,
    new_mean: Floats,
    new_cov: Floats,
    new_time_ns: Ints,
    distance: Floats,
) -> None:
    """The leaves that go on: the parent as it is, or at the scan and updated with its row; distance (n,) then."""
    for j in range(parent.shape[0]):
        i, k = parent[j], row[j]
        if k < 0:
            new_mean[j] = mean[i]
            new_cov[j] = cov[i]
            new_time_ns[j] = time_ns[i]
            distance[j] = -1.0
        else:
            new_mean[j] = later_mean[i]
            new_cov[j] = later_cov[i]
            new_time_ns[j] = rows.time_ns[k]
            distance[j] = update_state(new_mean[j], new_cov[j], rows, k, True)[0]
