"""Cholesky factors of many small matrices at once, the matrix being the last axis."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def cholesky(a: Floats) -> Floats:
    """Lower factors (k, k, n) of a (k, k, n); a pivot lost to rounding is raised to 1e-12 of its diagonal."""
    low = np.zeros_like(a)
    for i in range(len(a)):
        for j in range(i + 1):
            s = a[i, j] - (low[i, :j] * low[j, :j]).sum(0)
            if i == j:
                low[i, i] = np.sqrt(np.maximum(s, np.maximum(1e-12 * np.abs(a[i, i]), 1e-300)))
            else:
                low[i, j] = s / low[j, j]
    return low
