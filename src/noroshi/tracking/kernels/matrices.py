"""Small matrices: Cholesky factors and solutions, in place, without a library call."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from noroshi.tracking.kernels.compiling import compiled

Floats = NDArray[np.float64]


@compiled
def cholesky(a: Floats, low: Floats, n: int) -> None:
    """Lower Cholesky factor of the leading n x n block; a pivot lost to rounding is raised to 1e-12 of its diagonal."""
    for i in range(n):
        for j in range(i + 1):
            s = a[i, j]
            for k in range(j):
                s -= low[i, k] * low[j, k]
            if i == j:
                low[i, i] = math.sqrt(max(s, 1e-12 * abs(a[i, i]), 1e-300))
            else:
                low[i, j] = s / low[j, j]
        for j in range(i + 1, n):
            low[i, j] = 0.0


@compiled
def solve(low: Floats, b: Floats, n: int) -> None:
    """Solves (low low^T) x = b in place."""
    for i in range(n):
        s = b[i]
        for k in range(i):
            s -= low[i, k] * b[k]
        b[i] = s / low[i, i]
    for i in range(n - 1, -1, -1):
        s = b[i]
        for k in range(i + 1, n):
            s -= low[k, i] * b[k]
        b[i] = s / low[i, i]
