"""When a partner warns. All figures are the partner's own policy; those of exercises are notional."""

from __future__ import annotations

import msgspec


class WarningRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The figures that decide whether, for whom and for how long a warning stands.

    pass_half_width_m: a place nearer than this to the ground track is passed over. warn_probability: an area at or
    above it is warned; one below half of it is no longer. warn_sigma_m: no area is newly warned while the
    cross-track sigma there is larger. minimum_updates: nor before so many measurements. valid_s: how long a warning
    stands without news, unless its last window ends later. refresh_s: with less than this left it is said again, if
    there is new evidence for it. lost_after_s: after so long without an observation a track counts as lost.
    fall_probability: the part of the probability that the drawn fall area holds.
    """

    pass_half_width_m: float = 100_000.0
    warn_probability: float = 0.10
    warn_sigma_m: float = 60_000.0
    minimum_updates: int = 6
    valid_s: float = 120.0
    refresh_s: float = 15.0
    lost_after_s: float = 10.0
    fall_probability: float = 0.9
