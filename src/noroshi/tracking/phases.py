"""Phases of flight: what a track says about how its object moves, and since when.

A track that falls freely is `FREE_FALL`, on its way down inside the atmosphere `RE_ENTRY`. `POWERED` and `MANOEUVRING`
mean that free fall does not fit: an acceleration of unknown size and direction is estimated instead, and no fall is
predicted. `POWERED` is what climbs and has not been seen in free fall before; all else is `MANOEUVRING`.

    track.flight.phase is Phase.POWERED, track.flight.since_ns
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """How an object moves."""

    POWERED = "powered"
    FREE_FALL = "free-fall"
    RE_ENTRY = "re-entry"
    MANOEUVRING = "manoeuvring"

    @property
    def free(self) -> bool:
        """Whether it falls freely, so that a fall may be predicted."""
        return self in (Phase.FREE_FALL, Phase.RE_ENTRY)


@dataclass(frozen=True, slots=True)
class Flight:
    """What is said of one track after its last row.

    phase; since_ns: time of the row from which on that is said; free_probability: weight of free fall against an
    unknown acceleration, 1 when no doubt is open; free_since_ns: time of the row after which the present free fall is
    thought to have begun, None from the first row on or when it is not in free fall; manoeuvred_ns: time of the first
    row at which a free fall no longer fitted, None if it always has.
    """

    phase: Phase
    since_ns: int
    free_probability: float
    free_since_ns: int | None
    manoeuvred_ns: int | None
