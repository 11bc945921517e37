"""What the parts of a scenario are made of: words, numbers with their limits, and what all parts share."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from noroshi.command.readiness import RECEIPT_WITHIN_S
from noroshi.command.warrant import AlertRules
from noroshi.messages.bodies_reach import MAX_HOPS
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
    """What all parts of a scenario share: they are immutable, and a field that is not known is an error."""


class When(Part, frozen=True, kw_only=True):
    """In force only under one of these structures (their ids)."""

    structure: Annotated[tuple[str, ...], Meta(min_length=1)]


class Choice(Part, frozen=True, kw_only=True):
    """An element that may be in force under some structures only."""

    when: When | None = None


class Rules(RuleSet, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The partner's policy: any of the fields of `noroshi.node.inputs.RuleSet`; the newest edition if none is named."""

    edition: Literal[1, 2] | msgspec.UnsetType = 2
    alerts: AlertRules | None = None
    """What the partner's root warrants its alerting units beyond two persons; nothing if left out."""
    receipt_within_s: float | msgspec.UnsetType = RECEIPT_WITHIN_S


class Window(Part, frozen=True, kw_only=True):
    """A span of time, from the scenario's start."""

    from_s: Seconds
    for_s: Positive


class Relay(Choice, frozen=True, kw_only=True):
    """What carries a unit's alerts to its last hops (speakers, the entry to a cell broadcast, apps).

    roster: whose last hops it serves, shared by all relays that name it; its own if left out. delay_s and jitter_s:
    until a last hop has received; loss: the share of sendings to one that must be sent again; broken: last hops, by
    number, that receive nothing; down: when the relay is away.
    """

    id: Name
    unit: str
    roster: Name | None = None
    last_hops: Annotated[int, Meta(ge=1, le=MAX_HOPS)]
    delay_s: Seconds = 0.5
    jitter_s: Seconds = 0.5
    loss: Annotated[float, Meta(ge=0.0, lt=1.0)] = 0.0
    broken: tuple[Annotated[int, Meta(ge=0)], ...] = ()
    down: tuple[Window, ...] = ()
    label: LabelWord
