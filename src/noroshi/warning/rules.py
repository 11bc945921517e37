"""When a partner warns. All figures are the partner's own policy; those of exercises are notional.

A field that came later is unset in the records that older versions began, which so replay as they were; the properties
give what counts where nothing is said.

    rules = WarningRules(granularity="place", areas=(AreaRule(match="JP/Izu*", warn_probability=0.2),))
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Granularity = Literal["country", "region", "place"]
"""What is named in a warning out of the built-in table: a whole country, a prefecture or province, or a single place."""

Kind = Literal["pass", "fall"]

BASIS_ORDER = ("single-source", "one-kind", "confirmed")
"""From the weakest foundation to the strongest."""

Metres = Annotated[float, Meta(gt=0.0, le=2_000_000.0)]
Share = Annotated[float, Meta(gt=0.0, lt=1.0)]

FALL_NEAR_M = 50_000.0
"""A place is warned of a fall within this distance: the order of a prefecture. Notional."""


class AreaRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What holds for some areas in the place of the general figures; the first rule that matches an area counts.

    match: a pattern with `*` and `?` over `<country>/<area>`, the area being a region's English name, an own area's id,
    or `<scheme>:<code>` of one of its codes. kinds: of what the area is warned. fall_near_m: it is warned of a fall
    within this distance. granularity: what is named there out of the built-in table.
    """

    match: Annotated[str, Meta(min_length=1, max_length=128)]
    kinds: Annotated[tuple[Kind, ...], Meta(min_length=1)] = ("pass", "fall")
    pass_half_width_m: Metres | None = None
    fall_near_m: Metres | None = None
    warn_probability: Share | None = None
    granularity: Granularity | None = None


class WarningRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The figures that decide whether, for whom and for how long a warning stands.

    pass_half_width_m: a place nearer than this to the ground track is passed over. warn_probability: an area at or
    above it is warned; one below half of it is no longer. warn_sigma_m: no area is newly warned while the
    cross-track sigma there is larger. minimum_updates: nor before so many measurements. valid_s: how long a warning
    stands without news, unless its last window ends later. refresh_s: with less than this left it is said again, if
    there is new evidence for it. lost_after_s: after so long without an observation a track counts as lost.
    fall_probability: the part of the probability that the drawn fall area holds.

    edition: from 2 on drafts are shown, a lost track is said to be lost, near the end of the track and for a fall it
    is the larger error that must not be larger than warn_sigma_m, and less is allowed to what is less probable.
    propose_below: a warning that is founded worse than this is proposed to the watch first, for propose_within_s;
    then it is issued without an answer, or dropped, by propose_then. fall_near_m: as for one area. granularity,
    areas: what is named, and rules of single areas.
    """

    pass_half_width_m: float = 100_000.0
    warn_probability: float = 0.10
    warn_sigma_m: float = 60_000.0
    minimum_updates: int = 6
    valid_s: float = 120.0
    refresh_s: float = 15.0
    lost_after_s: float = 10.0
    fall_probability: float = 0.9
    edition: Literal[1, 2] | UnsetType = UNSET
    propose_below: Literal["one-kind", "confirmed"] | UnsetType = UNSET
    propose_within_s: Annotated[float, Meta(gt=0.0, le=3600.0)] | UnsetType = UNSET
    propose_then: Literal["issue", "drop"] | UnsetType = UNSET
    fall_near_m: Metres | UnsetType = UNSET
    granularity: Granularity | UnsetType = UNSET
    areas: tuple[AreaRule, ...] | UnsetType = UNSET

    @property
    def tells(self) -> bool:
        """Whether drafts are shown to the own staff, and lost tracks said to be lost."""
        return self.edition is not UNSET and self.edition >= 2

    @property
    def propose_for_s(self) -> float:
        """How long a proposal waits for the watch, s."""
        return 20.0 if self.propose_within_s is UNSET else self.propose_within_s

    @property
    def near_m(self) -> float:
        """How near a fall may lie to a place that is warned of it, m."""
        return FALL_NEAR_M if self.fall_near_m is UNSET else self.fall_near_m

    @property
    def area_rules(self) -> tuple[AreaRule, ...]:
        """The rules of single areas, in their order."""
        return () if self.areas is UNSET else self.areas

    def must_propose(self, basis: str) -> bool:
        """Whether a warning with this foundation needs somebody's agreement."""
        wanted = self.propose_below
        return wanted is not UNSET and BASIS_ORDER.index(basis) < BASIS_ORDER.index(wanted)
