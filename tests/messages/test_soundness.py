"""Values of the right types that cannot be."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from noroshi.messages.bodies import (
    AcknowledgementBody,
    AlertBody,
    AreaRow,
    Body,
    DecisionBody,
    EventBody,
    FallRow,
    PlaceRow,
    RemarkBody,
    WarningBody,
)
from noroshi.messages.soundness import LAST_NS, defect

RING = [[0.7, 2.4], [0.7, 2.5], [0.8, 2.5], [0.7, 2.4]]
PLACE = PlaceRow(name="Aomori", latitude_rad=0.7, longitude_rad=2.4, people=1, probability=0.5)
AREA = AreaRow(
    kind="pass", region="Aomori", country="JP", probability=1.0, from_ns=1, to_ns=2, people=1, places=[PLACE]
)
FALL = FallRow(
    latitude_rad=0.7,
    longitude_rad=-3.2,
    time_ns=5,
    covariance=[1.0, 0, 0, 0, 1.0, 0, 0, 0, 1.0],
    probability=0.9,
    rings=[RING],
)
WARNING = WarningBody(
    number=1,
    state="issued",
    basis="one-kind",
    sensings=[],
    partners=[],
    first_observed_ns=0,
    last_observed_ns=0,
    valid_until_ns=LAST_NS - 1,
    areas=[AREA],
    corridor=[RING],
    fall=FALL,
)
ALERT = AlertBody(
    identifier="",
    type="Alert",
    unit="",
    sent_ns=0,
    expires_ns=0,
    template="",
    texts=[],
    areas=[AREA],
    rings=[RING],
    references=[],
    recipients=[],
    digest=b"",
    approvals=[],
)
DECISION = DecisionBody(case=b"", decision="", step="request", unit="")
EVENT = EventBody(step="opened", first_observed_ns=0)


def changed(body: Any, **changes: Any) -> Any:
    return msgspec.structs.replace(body, **changes)


@pytest.mark.parametrize(
    "body",
    [
        WARNING,
        changed(WARNING, fall=None, areas=[], corridor=[]),
        ALERT,
        DECISION,
        EVENT,
        changed(EVENT, other=bytes(16)),
        AcknowledgementBody(of=bytes(16), unit=""),
        RemarkBody(unit="", text=""),
    ],
)
def test_what_can_be(body: Body) -> None:
    assert defect(body) == ""


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (changed(WARNING, valid_until_ns=LAST_NS), "time"),
        (changed(WARNING, first_observed_ns=-1), "time"),
        (changed(WARNING, state="draft"), "draft"),
        (changed(WARNING, state="proposed"), "draft"),
        (changed(WARNING, areas=[changed(AREA, codes=[["jis"]])]), "code"),
        (changed(WARNING, corridor=[[]]), "ring"),
        (changed(WARNING, corridor=[RING[:3]]), "ring"),
        (changed(WARNING, corridor=[[*RING[:3], [0.0, 0.0]]]), "ring"),
        (changed(WARNING, corridor=[[[0.7], *RING[1:]]]), "ring"),
        (changed(WARNING, corridor=[[[2.0, 0.0], *RING[1:3], [2.0, 0.0]]]), "point"),
        (changed(WARNING, fall=changed(FALL, covariance=[])), "covariance"),
        (changed(WARNING, fall=changed(FALL, covariance=[1.0] * 8 + [-1.0])), "covariance"),
        (changed(WARNING, fall=changed(FALL, latitude_rad=1e308)), "point"),
        (changed(WARNING, fall=changed(FALL, longitude_rad=7.0)), "point"),
        (changed(WARNING, fall=changed(FALL, probability=1.1)), "probability"),
        (changed(WARNING, fall=changed(FALL, rings=[[]])), "ring"),
        (changed(WARNING, fall=changed(FALL, time_ns=2**63)), "time"),
        (changed(WARNING, areas=[AREA, changed(AREA, probability=-0.1)]), "probability"),
        (changed(WARNING, areas=[changed(AREA, to_ns=2**64 - 1)]), "time"),
        (changed(ALERT, areas=[changed(AREA, places=[changed(PLACE, latitude_rad=-2.0)])]), "point"),
        (changed(ALERT, areas=[changed(AREA, places=[changed(PLACE, probability=2.0)])]), "probability"),
        (changed(ALERT, rings=[[[0.0, 0.0]]]), "ring"),
        (changed(ALERT, expires_ns=-1), "time"),
        (changed(DECISION, deadline_ns=2**63), "time"),
        (changed(EVENT, other=b"x"), "alias"),
        (AcknowledgementBody(of=b"", unit=""), "id"),
    ],
)
def test_what_cannot_be(body: Body, word: str) -> None:
    assert word in defect(body)
