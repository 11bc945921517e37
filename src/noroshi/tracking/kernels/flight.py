"""One flight as one array of numbers: where its parts lie, and the figures of the phases of flight.

While nothing speaks against free fall there is one state and a watch over what an unknown acceleration would explain
(`watching`). In doubt there are many hypotheses: an unknown acceleration that goes on, and free fall since row j for
some rows j, each with its weight; the estimate is their mixture (`doubt`). A checkpoint is a copy, `HEAD` numbers of it
in free fall, `FULL` in doubt.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled
from noroshi.tracking.kernels.motion import FINE_BELOW_M, height

Floats = NDArray[np.float64]

# Where things lie. The estimate comes first: mean (7), covariance (7, 7).
DOUBT, SAID, SAID_ROW, BORN, FREE, JUDGED, FLAGGED_ROW, BURNT_ROW, ENDED = 56, 57, 58, 59, 60, 61, 62, 63, 64
"""DOUBT: 0 or 1; SAID: what is said (below); SAID_ROW: since which row; BORN: rows before the doubt; FREE: weight of
free fall; JUDGED: whether climbing or not has been weighed; FLAGGED_ROW: first row at which free fall no longer fitted
after it had, -1 for none; BURNT_ROW: row after which free fall began, -1 when from the start; ENDED: rows before
which the last doubt could not end, and after its end those before that."""
ODD = 65
"""1 once coefficients outside the prior are among the hypotheses of a doubt."""
WATCH = 66
WATCH_SIZE, WATCHES = 35, 2
"""One watch: sensitivity (7, 3), score (3), information (3, 3), row of its start or -1, its logarithmic Bayes factor."""
WATCH_BEGAN, WATCH_VALUE = 33, 34
HEAD = WATCH + WATCHES * WATCH_SIZE
WIDE, WIDE_SIZE, WIDES = HEAD, 111, 2
"""The unknown acceleration, strong and gentle: log weight, mean (10), covariance (10, 10) of each."""
COUNT = WIDE + WIDES * WIDE_SIZE
BORN_LAST = COUNT + 1
BANK = COUNT + 2
"""Number of free-fall hypotheses, row of the last one's birth, and then the hypotheses themselves."""
BANK_SIZE, BANK_MOST = 58, 16
"""One hypothesis: log weight, row after which it began, mean (7), covariance (7, 7); sixteen at most at a time."""
FULL = BANK + BANK_MOST * BANK_SIZE

FALLING, POWERED, MANOEUVRING = 0, 1, 2

WATCH_S = (12.0, 60.0)
"""A watch begins anew, at a checkpoint, when it is this old: the short one for strong pulls, the long one for weak."""
WATCH_SIGMA_MPS2 = 10.0
"""The acceleration that a watch looks for, standard deviation per axis."""
GENTLE_START = -5.0
"""Of what is under power from its first row on, one in 150 is thought to be so gently."""
DOUBT_ABOVE = math.log(0.05)
"""Logarithmic odds against free fall from which on there is doubt. It costs time only; nothing is said by it."""
START_ODDS = math.log(0.01)
"""Of a track that begins high, one in a hundred is thought to be under power still."""
LATER_ODDS = math.log(1e-5)
"""Odds that an object in free fall will begin to accelerate within a watch."""
RECALL_S = 20.0
"""A doubt begins at least so long before the row that raised it: by then the estimate was not yet led astray."""
ODD_SHARE = 0.1
ODD_RANGE = (math.log(300.0), math.log(50_000.0))
"""Of what comes down one in ten is thought to have any ballistic coefficient at all, log-uniform over this range,
kg/m^2: stages, parts, slim bodies. With more of them what is common would be claimed too wide, with fewer what is odd
too tight (measured, see the manual)."""
ODD_BELOW_M = 100e3
"""They are thought of below this height only: higher up nothing tells them, and every fall would be claimed too wide."""
SPLIT_BELOW_M = 110e3
SPLIT_SIGMA = 0.15
SPLIT_INTO = 5
LOOSE_SIGMA = 0.25
"""On the way down below 110 km, where drag begins to show, the best hypothesis is split into five when its log
coefficient is known no better than SPLIT_SIGMA, and any known no better than LOOSE_SIGMA: what drag does is too
curved in it for one Gaussian (measured)."""
CHANGE = -9.0
"""Of a strong and a gentle acceleration the less likely has at least this logarithmic weight against the other: one
may change into the other at any time."""
REBIRTH = math.log(1e-6)
"""In re-entry doubt lasts until the fall, and an unknown acceleration has at least this weight."""
DESCENDING_ODDS = math.log(1e-3)
"""What is first seen low and comes down is rarely under power."""
SURE = 0.95
RECENT_S = 10.0
"""Free fall is said when its weight exceeds SURE. That it does not fit is said when free fall since more than ten
seconds has less than the rest: an acceleration cannot be told so soon from one that has just ended."""
LOW_M = 80e3
LOW_ODDS = math.log(10.0)
"""A track that begins lower than this is thought to be under power, ten to one, until it is seen to come down."""
BURN_S = 80.0
"""Mean time until the unknown acceleration ends, for the hypotheses that it has."""
BIRTH_S = 0.5
"""Hypotheses of its end are at least so far apart."""
BIRTH_WEIGHT = -9.0
"""No hypothesis is born of an acceleration with a logarithmic weight under this."""
FORGET = -25.0
"""A hypothesis with a logarithmic weight this far under the best is dropped."""
CLEAR = 0.01
"""An unknown acceleration with less weight than this is left out of the estimate."""
SETTLED = -14.0
"""Doubt ends when the unknown acceleration has less than this logarithmic weight against all."""
IMPOSSIBLE = -1e12
"""Logarithmic likelihood of what is not a number: rows that contradict one another lead to such."""


@compiled
def reset_watch(state: Floats, w: int, row: float) -> None:
    """An empty watch that begins after `row` rows; -1: at the next checkpoint."""
    at = WATCH + w * WATCH_SIZE
    state[at : at + WATCH_SIZE] = 0.0
    state[at + WATCH_BEGAN] = row


@compiled
def climb_rate(mean: Floats, cov: Floats) -> tuple[float, float]:
    """Rate of climb and its sigma, m/s."""
    r = math.sqrt(mean[0] ** 2 + mean[1] ** 2 + mean[2] ** 2)
    rate, spread = 0.0, 0.0
    for i in range(3):
        rate += mean[i] * mean[i + 3]
        for j in range(3):
            spread += mean[i] * cov[i + 3, j + 3] * mean[j]
    return rate / r, math.sqrt(max(spread, 0.0)) / r


@compiled
def below(mean: Floats, top_m: float) -> bool:
    """Whether the state comes down below this height."""
    if mean[0] * mean[3] + mean[1] * mean[4] + mean[2] * mean[5] >= 0:
        return False
    return height(mean[0], mean[1], mean[2]) < top_m


@compiled
def re_entering(mean: Floats) -> bool:
    """Whether the state comes down inside the atmosphere."""
    return below(mean, FINE_BELOW_M)
