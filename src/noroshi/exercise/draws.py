"""Draws that are keyed by their purpose, so that no draw depends on what else was drawn before it.

key = entropy(seed, realm)
log_normal(key, 20.0, 0.3, "post", "jp-cabsec.watch", task_id)
"""

from __future__ import annotations

from math import cos, exp, log, pi, sqrt

import numpy as np

from noroshi.messages.signing import derive

_SCALE = 1 << 64


def entropy(seed: int, realm: str) -> bytes:
    """32 bytes from which everything random of a simulated run follows."""
    return derive(b"noroshi exercise seed", "seed", realm, seed)


def uniform(key: bytes, purpose: str, *parts: str | int) -> float:
    """A number above 0 and at most 1."""
    return (int.from_bytes(derive(key, purpose, *parts)[:8], "big") + 1) / _SCALE


def pair(key: bytes, purpose: str, *parts: str | int) -> tuple[float, float]:
    """Two independent numbers above 0 and at most 1, at the cost of one."""
    raw = derive(key, purpose, *parts)
    return (int.from_bytes(raw[:8], "big") + 1) / _SCALE, (int.from_bytes(raw[8:16], "big") + 1) / _SCALE


def normal(key: bytes, purpose: str, *parts: str | int) -> float:
    """A standard normal number (Box and Muller, Ann. Math. Statist. 29, 1958)."""
    raw = derive(key, purpose, *parts)
    one = (int.from_bytes(raw[:8], "big") + 1) / _SCALE
    other = int.from_bytes(raw[8:16], "big") / _SCALE
    return sqrt(-2.0 * log(one)) * cos(2.0 * pi * other)


def log_normal(key: bytes, median: float, spread: float, purpose: str, *parts: str | int) -> float:
    """A log-normal number with this median; `spread` is the standard deviation of its logarithm."""
    return median * exp(spread * normal(key, purpose, *parts))


def stream(key: bytes, purpose: str, *parts: str | int) -> np.random.Generator:
    """A generator of its own for a whole series whose k-th number belongs to its k-th event."""
    words = np.frombuffer(derive(key, purpose, *parts), dtype=np.uint64)
    return np.random.Generator(
        np.random.Philox(key=words[:2], counter=np.append(words[2:], (0, 0)).astype(np.uint64))
    )
