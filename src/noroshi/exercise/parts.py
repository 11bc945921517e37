"""What the parts of scenarios and settings are made of: words, numbers with their limits, and what all parts share."""

from __future__ import annotations

from typing import Annotated, Literal, Protocol

import msgspec
from msgspec import Meta

from noroshi.command.readiness import RECEIPT_WITHIN_S
from noroshi.command.warrant import AlertRules
from noroshi.node.inputs import RuleSet

Name = Annotated[
    str, Meta(pattern="^[a-z0-9][a-z0-9.-]{0,63}$", description="lower-case letters, digits, dot, dash")
]
ScenarioName = Annotated[
    str, Meta(pattern="^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$", description="letters, digits, dot, dash")
]
RuleName = Annotated[str, Meta(pattern="^R[0-9]{1,2}$", description="R and a number")]
Trigraph = Annotated[str, Meta(pattern="^[A-Z]{3}$", description="ISO 3166 alpha-3, for example JPN")]
Seconds = Annotated[float, Meta(ge=0.0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Latitude = Annotated[float, Meta(ge=-90.0, le=90.0)]
Longitude = Annotated[float, Meta(ge=-180.0, le=180.0)]
Positive = Annotated[float, Meta(gt=0.0)]
LabelWord = Literal["notional", "reported"]
"""Whether a figure is invented, or is what a public source says."""


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all parts share: they are immutable, and a field that is not known is an error."""


class When(Part, frozen=True, kw_only=True):
    """In force only under one of these structures (their ids)."""

    structure: Annotated[tuple[str, ...], Meta(min_length=1)]


class MaybeInForce(Protocol):
    """What may be in force under some structures only: without a `when`, it is under all."""

    @property
    def when(self) -> When | None: ...


class Choice(Part, frozen=True, kw_only=True):
    """An element of a scenario alone that may be in force under some structures only."""

    when: When | None = None


class PartnerRules(RuleSet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The partner's policy: any of the fields of `noroshi.node.inputs.RuleSet`; the newest edition if none is named.

    What alerting units may do beyond two persons stands in a warrant, which the partner's root signs.
    """

    edition: Literal[1, 2] | msgspec.UnsetType = 2
    receipt_within_s: float | msgspec.UnsetType = RECEIPT_WITHIN_S


class Rules(PartnerRules, frozen=True, kw_only=True):
    """The partner's policy in a scenario, which may say too what its root warrants: the root is a drawn one."""

    alerts: AlertRules | None = None
    """What the partner's root warrants its alerting units beyond two persons; nothing if left out."""


class Window(Part, frozen=True, kw_only=True):
    """A span of time, from the scenario's start."""

    from_s: Seconds
    for_s: Positive
