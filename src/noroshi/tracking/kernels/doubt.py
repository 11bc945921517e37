"""Doubt whether an object falls freely: hypotheses, their weights, and the mixture that is the estimate.

Free fall that began after row j is a hypothesis of its own for many j, born of the unknown acceleration at that row; the
weights are Bayes' rule. When the unknown acceleration has lost, free fall goes on alone. Multiple models with a growing
tree cut to its likeliest branches: Bar-Shalom, Li and Kirubarajan 2001, section 11.6.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.filters import CHECKPOINT_ROWS
from noroshi.tracking.kernels.flight import (
    BANK,
    BANK_MOST,
    BANK_SIZE,
    BIRTH_S,
    BIRTH_WEIGHT,
    BORN,
    BORN_LAST,
    BURN_S,
    BURNT_ROW,
    CHANGE,
    CLEAR,
    COUNT,
    DESCENDING_ODDS,
    DOUBT,
    ENDED,
    FALLING,
    FLAGGED_ROW,
    FORGET,
    FREE,
    GENTLE_START,
    HEAD,
    IMPOSSIBLE,
    JUDGED,
    LOOSE_SIGMA,
    MANOEUVRING,
    ODD,
    ODD_BELOW_M,
    ODD_RANGE,
    ODD_SHARE,
    POWERED,
    REBIRTH,
    RECENT_S,
    SAID,
    SAID_ROW,
    SETTLED,
    SPLIT_BELOW_M,
    SPLIT_INTO,
    SPLIT_SIGMA,
    SURE,
    WATCHES,
    WIDE,
    WIDE_SIZE,
    WIDES,
    below,
    climb_rate,
    reset_watch,
)
from noroshi.tracking.kernels.rows import Rows
from noroshi.tracking.kernels.states import ACCELERATION_PSD, predict_state
from noroshi.tracking.kernels.updating import update_state
from noroshi.tracking.kernels.wide import GENTLE, STRONG, predict_wide, update_wide, widen

Floats = NDArray[np.float64]


@compiled
def join(one: Floats, other: Floats, share: float) -> None:
    """`one` (mean and covariance, 56 numbers) becomes the mixture of both, with `share` of itself; moments kept."""
    rest = 1 - share
    for i in range(7):
        for j in range(7):
            between = share * rest * (one[i] - other[i]) * (one[j] - other[j])
            one[7 + 7 * i + j] = share * one[7 + 7 * i + j] + rest * other[7 + 7 * i + j] + between
    for i in range(7):
        one[i] = share * one[i] + rest * other[i]


@compiled
def mix(state: Floats) -> None:
    """Weight of free fall, and the mixture of all hypotheses as the estimate."""
    count = int(state[COUNT])
    one = np.empty(56)
    total, best, burnt = 0.0, -1e9, state[BURNT_ROW]
    for i in range(count):
        at = BANK + i * BANK_SIZE
        weight = math.exp(state[at])
        if weight > best:
            best, burnt = weight, state[at + 1]
        if total == 0:
            one[:] = state[at + 2 : at + BANK_SIZE]
            total = weight
        elif weight > 0:
            join(one, state[at + 2 : at + BANK_SIZE], total / (total + weight))
            total += weight
    wide = 0.0
    for i in range(WIDES):
        wide += math.exp(state[WIDE + i * WIDE_SIZE])
    free = total / (total + wide)
    if free < 1 - CLEAR:
        last = np.empty(56)
        for i in range(WIDES):
            at = WIDE + i * WIDE_SIZE
            weight = math.exp(state[at])
            last[:7] = state[at + 1 : at + 8]
            for row in range(7):
                last[7 + 7 * row : 14 + 7 * row] = state[at + 11 + 10 * row : at + 18 + 10 * row]
            if total == 0:
                one[:] = last
                total = weight
            elif weight > 0:
                join(one, last, total / (total + weight))
                total += weight
    state[0:56] = one
    state[FREE] = free
    state[BURNT_ROW] = burnt


@compiled
def say(state: Floats, what: float, k: int) -> None:
    """Says a phase from row k on, unless it is said already."""
    if state[SAID] != what:
        state[SAID] = what
        state[SAID_ROW] = k


@compiled
def curved(one: Floats) -> bool:
    """Whether a hypothesis (mean and covariance, 56 numbers) has to be split over its coefficient."""
    return one[55] > SPLIT_SIGMA**2 and below(one[:7], SPLIT_BELOW_M)


@compiled
def best_weight(state: Floats) -> float:
    """The greatest log weight of all hypotheses."""
    best = float(state[WIDE])
    for i in range(1, WIDES):
        best = max(best, state[WIDE + i * WIDE_SIZE])
    for i in range(int(state[COUNT])):
        best = max(best, state[BANK + i * BANK_SIZE])
    return best


@compiled
def begin_wide(state: Floats, i: int, weight: float) -> None:
    """Begins an unknown acceleration from the estimate that stands in `state`."""
    at = WIDE + i * WIDE_SIZE
    state[at] = weight
    mean, cov = state[0:7], state[7:56].reshape((7, 7))
    sigma = STRONG[0] if i == 0 else GENTLE[0]
    widen(mean, cov, sigma, state[at + 1 : at + 11], state[at + 11 : at + WIDE_SIZE].reshape((10, 10)))


@compiled
def carry_wide(mean: Floats, cov: Floats, i: int, dt: float) -> None:
    """Predicts one of the two unknown accelerations."""
    if i == 0:
        predict_wide(mean, cov, dt, STRONG[0], STRONG[1])
    else:
        predict_wide(mean, cov, dt, GENTLE[0], GENTLE[1])


@compiled
def forget(state: Floats) -> None:
    """Drops hypotheses of no weight."""
    best = best_weight(state)
    count = int(state[COUNT])
    kept = 0
    for i in range(count):
        at, to = BANK + i * BANK_SIZE, BANK + kept * BANK_SIZE
        if state[at] - best > FORGET:
            if kept < i:
                state[to : to + BANK_SIZE] = state[at : at + BANK_SIZE].copy()
            kept += 1
    state[COUNT] = kept


@compiled
def make_room(state: Floats) -> None:
    """Joins the two neighbours with the least weight between them."""
    count = int(state[COUNT])
    least, first = 1e300, 0
    for i in range(count - 1):
        a, b = state[BANK + i * BANK_SIZE], state[BANK + (i + 1) * BANK_SIZE]
        both = max(a, b) + math.log1p(math.exp(-abs(a - b)))
        if both < least:
            least, first = both, i
    at = BANK + first * BANK_SIZE
    next_at = at + BANK_SIZE
    share = math.exp(state[at] - least)
    join(state[at + 2 : at + BANK_SIZE], state[next_at + 2 : next_at + BANK_SIZE], share)
    if share < 0.5:
        state[at + 1] = state[next_at + 1]
    state[at] = least
    for i in range(first + 1, count - 1):
        to = BANK + i * BANK_SIZE
        state[to : to + BANK_SIZE] = state[to + BANK_SIZE : to + 2 * BANK_SIZE].copy()
    state[COUNT] = count - 1


@compiled
def divide(state: Floats, which: int) -> None:
    """Splits a hypothesis over the log coefficient; moments are kept.

    Equal parts of a uniform density, which is what the coefficient has until drag has been seen.
    """
    count = int(state[COUNT])
    at = BANK + which * BANK_SIZE
    whole = state[at : at + BANK_SIZE].copy()
    for i in range(which, count - 1):
        to = BANK + i * BANK_SIZE
        state[to : to + BANK_SIZE] = state[to + BANK_SIZE : to + 2 * BANK_SIZE].copy()
    state[COUNT] = count - 1
    while int(state[COUNT]) > BANK_MOST - SPLIT_INTO:
        make_room(state)
    cov = whole[9:58].reshape((7, 7))
    variance = cov[6, 6]
    slope = cov[6].copy() / variance
    width = math.sqrt(12 * variance) / SPLIT_INTO
    for i in range(7):
        for j in range(7):
            cov[i, j] -= slope[i] * slope[j] * (variance - width * width / 12)
    for part in range(SPLIT_INTO):
        at = BANK + int(state[COUNT]) * BANK_SIZE
        state[at : at + BANK_SIZE] = whole
        state[at] -= math.log(SPLIT_INTO)
        for i in range(7):
            state[at + 2 + i] += slope[i] * width * (part - 0.5 * (SPLIT_INTO - 1))
        state[COUNT] += 1


@compiled
def likeliest(state: Floats) -> int:
    """Index of the free fall with the greatest weight; 0 where there is none."""
    best = 0
    for i in range(1, int(state[COUNT])):
        if state[BANK + i * BANK_SIZE] > state[BANK + best * BANK_SIZE]:
            best = i
    return best


@compiled
def add_odd(state: Floats) -> None:
    """Gives ODD_SHARE of the weight of free fall to one with any coefficient at all, of which nothing has been seen."""
    if int(state[COUNT]) == BANK_MOST:
        make_room(state)
    count = int(state[COUNT])
    at, to = BANK + likeliest(state) * BANK_SIZE, BANK + count * BANK_SIZE
    top, total = state[at], 0.0
    for i in range(count):
        total += math.exp(state[BANK + i * BANK_SIZE] - top)
        state[BANK + i * BANK_SIZE] += math.log(1 - ODD_SHARE)
    state[to : to + BANK_SIZE] = state[at : at + BANK_SIZE]
    state[to] = top + math.log(total * ODD_SHARE)
    mean, cov = state[to + 2 : to + 9], state[to + 9 : to + BANK_SIZE].reshape((7, 7))
    mean[6] = 0.5 * (ODD_RANGE[0] + ODD_RANGE[1])
    cov[6, :] = 0.0
    cov[:, 6] = 0.0
    cov[6, 6] = (ODD_RANGE[1] - ODD_RANGE[0]) ** 2 / 12
    state[COUNT] = count + 1
    state[ODD] = 1.0


@compiled
def split(state: Floats) -> None:
    """Divides the best hypothesis where that is called for, and if there is room one of a very unknown coefficient.

    Once it surely comes down to where drag begins, coefficients outside the prior are among them.
    """
    if int(state[COUNT]) == 0:
        return
    if state[ODD] == 0:
        at = BANK + likeliest(state) * BANK_SIZE
        mean, cov = state[at + 2 : at + 9], state[at + 9 : at + BANK_SIZE].reshape((7, 7))
        rate, sigma = climb_rate(mean, cov)
        if rate < -3 * sigma and below(mean, ODD_BELOW_M):
            add_odd(state)
    best = likeliest(state)
    at = BANK + best * BANK_SIZE
    if curved(state[at + 2 : at + BANK_SIZE]):
        divide(state, best)
    for i in range(int(state[COUNT])):
        at = BANK + i * BANK_SIZE
        loose = state[at + BANK_SIZE - 1] > LOOSE_SIGMA**2 and curved(state[at + 2 : at + BANK_SIZE])
        if loose and int(state[COUNT]) + SPLIT_INTO - 1 <= BANK_MOST:
            divide(state, i)
            break


@compiled
def begin_doubt(state: Floats, born: int, odds: float) -> None:
    """Doubt from the estimate that stands in `state`, after max(born, 1) rows; odds: log odds of an acceleration."""
    state[HEAD:] = 0.0
    state[ODD] = 0.0
    state[DOUBT] = 1.0
    state[BORN] = born
    for i in range(WIDES):
        begin_wide(state, i, odds)
    state[WIDE + WIDE_SIZE] += GENTLE_START if born == 0 else 0.0
    state[BORN_LAST] = max(born, 1) - 1
    state[COUNT] = 1.0
    state[BANK + 1] = state[BURNT_ROW]
    state[BANK + 2 : BANK + BANK_SIZE] = state[0:56]
    split(state)
    mix(state)


@compiled
def likelihood(d2: float, logdet: float) -> float:
    """Log likelihood but for a constant."""
    value = -0.5 * (d2 + logdet)
    return value if abs(value) < 1e12 else IMPOSSIBLE


@compiled
def new_born(wide_mean: Floats, wide_cov: Floats, which: int, dt: float, gap: float, new: Floats) -> None:
    """The hypothesis that the acceleration ended about half-way to the next row, uniformly within `gap` s."""
    m, c = wide_mean.copy(), wide_cov.copy()
    carry_wide(m, c, which, 0.5 * dt)
    mean, cov = new[2:9], new[9:58].reshape((7, 7))
    mean[:] = m[:7]
    for i in range(7):
        for j in range(7):
            cov[i, j] = c[i, j]
    for i in range(3):
        for j in range(3):
            cov[i + 3, j + 3] += (m[i + 7] * m[j + 7] + c[i + 7, j + 7]) * gap * gap / 12
    predict_state(mean, cov, 0.5 * dt, ACCELERATION_PSD)


@compiled
def old_weight(rows: Rows, k: int, state: Floats) -> float:
    """Weight of free fall that began longer than RECENT_S ago."""
    old, total = 0.0, 0.0
    for i in range(WIDES):
        total += math.exp(state[WIDE + i * WIDE_SIZE])
    for i in range(int(state[COUNT])):
        at = BANK + i * BANK_SIZE
        weight = math.exp(state[at])
        total += weight
        since = int(state[at + 1])
        if since < 0 or (rows.time_ns[k] - rows.time_ns[since]) * 1e-9 > RECENT_S:
            old += weight
    return old / total


@compiled
def judge(rows: Rows, k: int, state: Floats) -> None:
    """What is said from row k on, and whether the doubt is over."""
    mean, cov = state[0:7], state[7:56].reshape((7, 7))
    if state[JUDGED] == 0 and state[BORN] == 0:
        rate, sigma = climb_rate(mean, cov)
        if abs(rate) > 3 * sigma:
            state[JUDGED] = 1.0
            if rate < 0:
                for i in range(WIDES):
                    state[WIDE + i * WIDE_SIZE] += DESCENDING_ODDS
                mix(state)
                if state[SAID] == POWERED:
                    say(state, FALLING, k)
    if state[FREE] > SURE:
        say(state, FALLING, k)
    elif old_weight(rows, k, state) < 1 - SURE:
        rate, _ = climb_rate(mean, cov)
        first = state[FLAGGED_ROW] < 0 and state[BORN] == 0 and (rate > 0 or state[SAID] == POWERED)
        if not first and state[FLAGGED_ROW] < 0:
            state[FLAGGED_ROW] = k
        say(state, POWERED if first else MANOEUVRING, k)
    settled = 1 - state[FREE] < math.exp(SETTLED) and k + 1 >= state[ENDED]
    if settled and not below(mean, SPLIT_BELOW_M):
        for i in range(WIDES):
            state[WIDE + i * WIDE_SIZE] = IMPOSSIBLE
        mix(state)
        state[DOUBT] = 0.0
        state[ENDED] = k + 1.0
        state[FREE] = 1.0
        say(state, FALLING, k)
        for w in range(WATCHES):
            reset_watch(state, w, k + 1.0 if (k + 1) % CHECKPOINT_ROWS == 0 else -1.0)


@compiled
def renew(state: Floats) -> None:
    """Raises an unknown acceleration that has lost to its floor, so that a change of strength, or lift, is seen.

    The strong one follows anything, so its state serves; the gentle one goes on from the strong one's.
    """
    strong, gentle = state[WIDE], state[WIDE + WIDE_SIZE]
    floor = max(strong, gentle) + CHANGE
    if below(state[0:7], SPLIT_BELOW_M):  # there doubt lasts until the fall
        floor = max(floor, REBIRTH)
    state[WIDE] = max(strong, floor)
    if gentle < floor:
        at = WIDE + WIDE_SIZE
        state[at] = floor
        state[at + 1 : at + WIDE_SIZE] = state[WIDE + 1 : at]


@compiled
def doubt_row(rows: Rows, k: int, state: Floats) -> None:
    """Predicts all hypotheses to row k, updates and weighs them, says what is clear, and mixes the estimate."""
    dt = (rows.time_ns[k] - rows.time_ns[k - 1]) * 1e-9
    gap = (rows.time_ns[k] - rows.time_ns[int(state[BORN_LAST])]) * 1e-9
    strongest = 0
    for i in range(1, WIDES):
        if state[WIDE + i * WIDE_SIZE] > state[WIDE + strongest * WIDE_SIZE]:
            strongest = i
    at = WIDE + strongest * WIDE_SIZE
    born = gap >= BIRTH_S and state[at] > BIRTH_WEIGHT
    share = min(0.5, gap / BURN_S)
    new = np.empty(BANK_SIZE)
    if born:
        wide_cov = state[at + 11 : at + WIDE_SIZE].reshape((10, 10))
        new_born(state[at + 1 : at + 11], wide_cov, strongest, dt, gap, new)
        new[0] = state[at] + math.log(share)
        new[1] = k - 1.0
        d2, logdet = update_state(new[2:9], new[9:58].reshape((7, 7)), rows, k, True)
        new[0] += likelihood(d2, logdet)
    if gap >= BIRTH_S:
        state[BORN_LAST] = k
    for i in range(WIDES):
        at = WIDE + i * WIDE_SIZE
        wide_mean, wide_cov = state[at + 1 : at + 11], state[at + 11 : at + WIDE_SIZE].reshape((10, 10))
        carry_wide(wide_mean, wide_cov, i, dt)
        d2, logdet = update_wide(wide_mean, wide_cov, rows, k)
        state[at] += likelihood(d2, logdet) + (math.log(1 - share) if born else 0.0)
    for i in range(int(state[COUNT])):
        at = BANK + i * BANK_SIZE
        mean, cov = state[at + 2 : at + 9], state[at + 9 : at + 58].reshape((7, 7))
        predict_state(mean, cov, dt, ACCELERATION_PSD)
        d2, logdet = update_state(mean, cov, rows, k, True)
        state[at] += likelihood(d2, logdet)
    forget(state)
    if born:
        if int(state[COUNT]) == BANK_MOST:
            make_room(state)
        at = BANK + int(state[COUNT]) * BANK_SIZE
        state[at : at + BANK_SIZE] = new
        state[COUNT] += 1
    best = best_weight(state)
    for i in range(WIDES):
        state[WIDE + i * WIDE_SIZE] -= best
    for i in range(int(state[COUNT])):
        state[BANK + i * BANK_SIZE] -= best
    split(state)
    mix(state)
    renew(state)
    judge(rows, k, state)


@compiled
def doubt_rows(rows: Rows, start: int, stop: int, state: Floats) -> int:
    """Runs rows start..stop in doubt; the count of rows done, under `stop` when the doubt ended before."""
    for k in range(start, stop):
        doubt_row(rows, k, state)
        if state[DOUBT] == 0:
            return k + 1
    return stop


@compiled
def predict_doubt(state: Floats, dt: float) -> None:
    """All hypotheses and their mixture dt seconds later, in place."""
    for i in range(WIDES):
        at = WIDE + i * WIDE_SIZE
        carry_wide(state[at + 1 : at + 11], state[at + 11 : at + WIDE_SIZE].reshape((10, 10)), i, dt)
    for i in range(int(state[COUNT])):
        at = BANK + i * BANK_SIZE
        predict_state(state[at + 2 : at + 9], state[at + 9 : at + 58].reshape((7, 7)), dt, ACCELERATION_PSD)
    mix(state)


@compiled
def score_doubt(rows: Rows, state: Floats) -> tuple[float, float]:
    """Sums of squared innovation distances and log dets of rows 1, 2, ... after `state`, whose time is that of row 0."""
    total, logdet = 0.0, 0.0
    state[BORN_LAST] = 0.0
    for k in range(1, rows.time_ns.shape[0]):
        ahead = state.copy()
        predict_doubt(ahead, (rows.time_ns[k] - rows.time_ns[k - 1]) * 1e-9)
        d2, ld = update_state(ahead[0:7], ahead[7:56].reshape((7, 7)), rows, k, False)
        total += d2
        logdet += ld
        doubt_row(rows, k, state)
        state[DOUBT] = 1.0
    return total, logdet
