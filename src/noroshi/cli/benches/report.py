"""What a benchmark prints: one row per measure, the peer or bound beside it, medians with minimum and maximum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

import msgspec


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One measured figure. ratio: value over peer_value; must: what it has to reach, in words; held: whether it did.

    low and high are the extremes over `runs`; peer fields are empty where there is only a bound.
    """

    name: str
    measure: str
    value: float
    unit: str
    runs: int
    low: float
    high: float
    peer: str = ""
    peer_version: str = ""
    peer_value: float | None = None
    ratio: float | None = None
    must: str = ""
    held: bool | None = None


def result(
    name: str,
    measure: str,
    values: Sequence[float],
    unit: str,
    *,
    peer: str = "",
    peer_version: str = "",
    peer_values: Sequence[float] = (),
    must: str = "",
    holds: Callable[[float, float | None], bool] | None = None,
) -> Result:
    """A row from repeated runs of noroshi and of its peer. holds(value, ratio) says whether `must` was reached."""
    value = median(values)
    peer_value = median(peer_values) if peer_values else None
    ratio = value / peer_value if peer_value else None
    return Result(
        name=name,
        measure=measure,
        value=value,
        unit=unit,
        runs=len(values),
        low=min(values),
        high=max(values),
        peer=peer,
        peer_version=peer_version,
        peer_value=peer_value,
        ratio=ratio,
        must=must,
        held=holds(value, ratio) if holds else None,
    )
