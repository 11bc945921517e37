"""What may be said, and from what: a prediction never says that something passed, and nobody may say "confirmed".

`passed` takes an `Observation`, a measured position. A predicted one has another type, and the type checker refuses
it there; at run time it is refused as well.

    basis(("radar",), ("JPN", "KOR"))                            # 'one-kind'
    passed(areas, last_observation(track.measurements), rules)   # True once seen beyond them all
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from noroshi.clock import seconds
from noroshi.errors import LocalError
from noroshi.tracking import Observation
from noroshi.warning.draft import DraftArea
from noroshi.warning.rules import WarningRules

Basis = Literal["single-source", "one-kind", "confirmed"]

KINDS_OF_SENSING = frozenset({"radar", "infrared"})
"""Kinds that fail for different reasons; a kind that is not here confirms nothing."""


class NotObservedError(LocalError):
    """Somebody tried to say of a prediction what only an observation can tell."""


def basis(sensings: Iterable[str], partners: Iterable[str]) -> Basis:
    """How well an event is founded: `confirmed` by two kinds of sensing, whatever anybody claims.

    Several partners with one kind of sensing are `one-kind`; anything less is `single-source`.
    """
    kinds = KINDS_OF_SENSING.intersection(sensings)
    if len(kinds) > 1:
        return "confirmed"
    return "one-kind" if kinds and len(set(partners)) > 1 else "single-source"


def passed(areas: Sequence[DraftArea], observation: Observation, rules: WarningRules) -> bool:
    """Whether the object has been observed beyond the last warned place of all these areas of passing over.

    Beyond is by the half-width and three sigmas of the measurement, and not before the first moment at which the
    prediction would have it pass there. False without any such area: of a fall nobody can say "passed".
    Raises NotObservedError when `observation` is anything but an observation.
    """
    if not isinstance(observation, Observation):
        raise NotObservedError(
            "say that it passed", subject=type(observation).__name__, cause="it is not an observation"
        )
    over = [area for area in areas if area.exit is not None]
    return bool(over) and all(beyond(area, observation, rules) for area in over)


def beyond(area: DraftArea, observation: Observation, rules: WarningRules) -> bool:
    """Whether the object has been observed beyond this one area."""
    if area.exit is None or observation.time_ns < area.row.from_ns:
        return False
    margin_m = (area.half_width_m or rules.pass_half_width_m) + 3.0 * observation.sigma_m
    return area.exit.beyond_m(observation.lat_rad, observation.lon_rad) > margin_m


def lost(last_observed_ns: int, now_ns: int, rules: WarningRules) -> bool:
    """Whether nothing has been observed for so long that the track is to be called lost."""
    return now_ns - last_observed_ns > seconds(rules.lost_after_s)
