"""What a scenario says of being played many times: what varies from run to run, and what its rules cost.

A mirror is a scenario with the same signals and a true event behind them. There the rule that stops the false case is
held against what would have been without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Meta

from noroshi.exercise.parts import Name, Part, RuleName, Rules, Trigraph


class Varied(Part, frozen=True, kw_only=True):
    """One number that is drawn anew in each run, evenly from `least` to `most`, for each element by itself.

    how: the number itself, a factor, or an addition to what is written. only: ids of the elements (of links, both
    partners as `JPN-USA`); all where it is left out.
    """

    of: Literal["links", "sensors", "flights", "posts", "relays", "injects"]
    field: Annotated[str, Meta(min_length=1)]
    least: float
    most: float
    how: Literal["value", "times", "plus"] = "value"
    only: tuple[str, ...] = ()


Measure = Literal[
    "first-evidence",
    "first-warning",
    "confirmed-warning",
    "last-warning-end",
    "predicted-passage",
    "first-signature",
    "public-alert",
    "public-end",
    "counts-agree",
    "acknowledged-share",
    "report",
]
"""What can be measured of a run; see `costing`. Times are seconds from the first detection at any node."""


class Without(Part, frozen=True, kw_only=True):
    """What is left out of the run without the rule: injects, sensors, posts by id; rules: policies in force there."""

    injects: tuple[Name, ...] = ()
    sensors: tuple[Name, ...] = ()
    posts: tuple[Name, ...] = ()
    rules: Mapping[Trigraph, Rules] = {}


class Cost(Part, frozen=True, kw_only=True):
    """What a rule costs where the event is true: the difference in a measure with it and without it.

    Without it is either another measure of the same run (`instead`), or the same measure of a second run with the same
    seed in which `without` is in force.
    """

    id: Name
    rule: RuleName
    measure: Measure
    partner: Trigraph | None = None
    unit: str | None = None
    instead: Measure | None = None
    without: Without | None = None
