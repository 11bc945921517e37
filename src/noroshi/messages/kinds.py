"""The message kinds: one row each, and nothing about a kind anywhere else.

A kind that is not in this table is stored and relayed, never acted on, and shown as unknown.

    kind = KINDS["warning"]
    kind.lane            # Lane.WARNING
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType

from noroshi.messages import bodies, bodies_alerts, bodies_counts, bodies_hazard, bodies_notice, bodies_reach


class Lane(IntEnum):
    """Order of precedence under overload: the lower number is served first."""

    WARNING = 0
    DECISION = 1
    NOTICE = 2
    TRACK = 3


DAY_S = 86_400.0
YEAR_S = 365.25 * DAY_S


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table.

    content: what the structure's `sharing` edges call it, which decides where it may go; an empty text means that
    it goes only to those whom it names or who took part. speakers: who may sign it (`node`, `post`, `relay`, `control`).
    retention_s: how long bodies are kept; expiry_s: after which it is history and raises nothing. reduces: the kind
    whose reduced edition this is, if it is one. since: the schema version that brought it, which its messages bear.
    """

    name: str
    body: type[bodies.Body]
    lane: Lane
    content: str
    speakers: frozenset[str]
    retention_s: float
    expiry_s: float
    reduces: str = ""
    since: int = 1

    @property
    def subject(self) -> str:
        """What release rules call it: a reduced edition is what its full form is."""
        return self.reduces or self.name


_NODE, _POST, _CONTROL = frozenset({"node"}), frozenset({"post"}), frozenset({"control"})
_RELAY = frozenset({"relay"})

_ROWS = (
    Kind("track", bodies.TrackBody, Lane.TRACK, "flight-path", _NODE, 30 * DAY_S, 600.0),
    Kind(
        "reduced-track",
        bodies.ReducedTrackBody,
        Lane.TRACK,
        "flight-path",
        _NODE,
        30 * DAY_S,
        600.0,
        reduces="track",
        since=2,
    ),
    Kind("event", bodies.EventBody, Lane.NOTICE, "launch-point", _NODE, YEAR_S, DAY_S),
    Kind("warning", bodies.WarningBody, Lane.WARNING, "expected-impact", _NODE, YEAR_S, 3600.0),
    Kind("alert", bodies.AlertBody, Lane.WARNING, "alert", _NODE, 10 * YEAR_S, 3600.0),
    Kind("acknowledgement", bodies.AcknowledgementBody, Lane.DECISION, "", _POST, YEAR_S, DAY_S),
    Kind("decision", bodies.DecisionBody, Lane.DECISION, "", _POST | _NODE, 10 * YEAR_S, DAY_S),
    Kind("recall", bodies.RecallBody, Lane.DECISION, "", _POST | _NODE, 10 * YEAR_S, YEAR_S, since=2),
    Kind("release", bodies.ReleaseBody, Lane.DECISION, "", _POST, 10 * YEAR_S, DAY_S, since=2),
    Kind(
        "count", bodies_counts.CountBody, Lane.NOTICE, "launch-point", _NODE | _POST, YEAR_S, DAY_S, since=3
    ),
    Kind("delivery", bodies_reach.DeliveryBody, Lane.DECISION, "", _RELAY, 10 * YEAR_S, DAY_S, since=3),
    Kind("readiness", bodies_reach.ReadinessBody, Lane.NOTICE, "", _NODE | _RELAY, YEAR_S, DAY_S, since=3),
    Kind("notice", bodies_notice.NoticeBody, Lane.NOTICE, "", _POST, YEAR_S, YEAR_S, since=3),
    Kind("hazard", bodies_hazard.HazardBody, Lane.WARNING, "", _NODE, YEAR_S, DAY_S, since=3),
    Kind("claim", bodies_hazard.ClaimBody, Lane.NOTICE, "", _NODE, YEAR_S, DAY_S, since=3),
    Kind(
        "alert-request", bodies_alerts.AlertRequestBody, Lane.DECISION, "", _POST, 10 * YEAR_S, DAY_S, since=3
    ),
    Kind("inject", bodies.InjectBody, Lane.NOTICE, "", _CONTROL, YEAR_S, DAY_S),
    Kind("remark", bodies.RemarkBody, Lane.NOTICE, "", _POST, YEAR_S, DAY_S),
)

KINDS: Mapping[str, Kind] = MappingProxyType({row.name: row for row in _ROWS})
