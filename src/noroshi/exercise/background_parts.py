"""What a scenario says of the days around an event: how often something is seen that is none."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from noroshi.exercise.parts import Name, Part, Positive, Seconds, Share, Trigraph


class BenignAlarm(Part, frozen=True, kw_only=True):
    """Something harmless that looks like an object: a flight that these sensors alone see, and not for long."""

    flight: Name
    sensors: Annotated[tuple[Name, ...], Meta(min_length=1)]
    least_s: Positive
    most_s: Positive


class Launch(Part, frozen=True, kw_only=True):
    """A real flight, and the inject by which a partner announces it where it does."""

    flight: Name
    notice: Name


class Background(Part, frozen=True, kw_only=True):
    """A study of days: the scenario's parts are played for each alarm, test launch and true event that its seed draws.

    trues: each is played alone and beneath its notice. partner and unit: whose warnings and public alerts are counted.
    patience_s: an object that is seen for longer, and that no notice explains, leads to first precautions. most_delay_s:
    how much later a true event may be warned of beneath a notice.
    """

    days: Annotated[float, Meta(gt=0.0, le=3660.0)]
    benign_per_day: Annotated[float, Meta(ge=0.0, le=10.0)]
    launches_per_week: Annotated[float, Meta(ge=0.0, le=70.0)]
    notified_share: Share
    benign: Annotated[tuple[BenignAlarm, ...], Meta(min_length=1)]
    launches: Annotated[tuple[Launch, ...], Meta(min_length=1)]
    trues: Annotated[tuple[Launch, ...], Meta(min_length=1)]
    partner: Trigraph
    unit: str
    patience_s: Positive
    most_delay_s: Seconds
