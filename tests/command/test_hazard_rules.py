"""On whose word an alert is drafted: what a rule covers, how a message must have come, and what an alert may cite."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from noroshi.command.hazard_rules import (
    AgencyName,
    HazardAutomatic,
    HazardRule,
    Way,
    automatic_s,
    is_released,
    is_trusted,
    rule_for,
    rule_of,
)
from noroshi.gateways.cap_read import read_cap
from noroshi.gateways.hazard_facts import HazardFacts, facts_of
from noroshi.messages.bodies import CitedRow
from tests.node.agency import SENDER, cap

FEED = Way("feed:waves", "not-checked")
RULE: dict[str, Any] = {
    "senders": (SENDER,), "name": AgencyName(en="Waves", ja="波", ko="파"), "hazard": "tsunami",
    "entrances": ("feed:waves",), "events": ("Tsunami*",),
}  # fmt: skip
CITED = CitedRow(
    sender=SENDER, identifier="wave-1", sent_ns=1, file=bytes(32), hazard="tsunami", agency="Waves", agency_ja="波",
    agency_ko="파", severity="Extreme", urgency="Immediate", certainty="Likely",
)  # fmt: skip


def facts(**changes: Any) -> HazardFacts:
    found = facts_of(read_cap(cap(1_664_835_720 * 10**9, **changes)))
    assert isinstance(found, HazardFacts)
    return found


def covered(rule: dict[str, Any], **message: Any) -> bool:
    return rule_for((HazardRule(**RULE | rule),), facts(**message), FEED) is not None


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({}, {}),
        ({"events": ("tsunami warning",)}, {}),
        ({"events": ("津波*",)}, {}),
        ({"events": (), "categories": ("Geo", "Met")}, {}),
        ({"severity": "Extreme", "urgency": "Immediate"}, {}),
        ({"entrances": ("feed:*",)}, {}),
        ({}, {"event": "ＴＳＵＮＡＭＩ watch"}),
    ],
)
def test_it_covers(rule: dict[str, Any], message: dict[str, Any]) -> None:
    assert covered(rule, **message)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"senders": ("others@agency.example",)}, {}),
        ({"entrances": ()}, {}),
        ({"entrances": ("feed:others",)}, {}),
        ({"events": ("Flood*",)}, {}),
        ({"events": ("Tsunami",)}, {}),
        ({"categories": ("Met",)}, {}),
        ({"severity": "Extreme"}, {"severity": "Severe"}),
        ({}, {"severity": "Unknown"}),
        ({"urgency": "Immediate"}, {"urgency": "Expected"}),
        ({"urgency": "Future"}, {"urgency": "Past"}),
        ({"certainty": "Observed"}, {}),
    ],
)
def test_it_does_not_cover(rule: dict[str, Any], message: dict[str, Any]) -> None:
    assert not covered(rule, **message)


def test_an_all_clear_is_no_reason_to_alert() -> None:
    said = facts()
    over = msgspec.structs.replace(
        said, infos=tuple(msgspec.structs.replace(one, responses=("AllClear",)) for one in said.infos)
    )
    assert rule_for((HazardRule(**RULE),), over, FEED) is None


def test_how_it_must_have_come() -> None:
    strict = HazardRule(**RULE | {"entrances": (), "partners": ("USA",)})
    ways = {
        Way("feed:waves", "signed"): True, Way("feed:waves", "not-checked"): False, Way("", "signed", "USA"): True,
        Way("", "unsigned", "USA"): False, Way("", "signed", "KOR"): False,
    }  # fmt: skip
    assert {way: is_trusted((strict,), SENDER, way) for way in ways} == ways
    assert not is_trusted((strict,), "else@agency.example", Way("feed:waves", "signed"))
    assert not is_trusted(msgspec.UNSET, SENDER, Way("feed:waves", "signed"))


def test_what_an_alert_may_cite_and_when_it_goes_out_by_itself() -> None:
    rule = HazardRule(**RULE, automatic=HazardAutomatic(below_s=60.0))
    assert rule_of((rule,), CITED) is rule
    assert automatic_s((rule,), CITED) == 60.0
    assert not is_released((rule,), CITED)
    for changes in ({"sender": "x"}, {"hazard": "weather"}, {"agency_ja": "庁"}, {"severity": "Minor"}):
        other = msgspec.structs.replace(CITED, **changes)
        assert rule_of((rule,), other) is None
        assert automatic_s((rule,), other) == 0.0
    assert rule_of(msgspec.UNSET, CITED) is None


@pytest.mark.parametrize("changes", [{"events": ()}, {"senders": ()}, {"areas": ()}, {"severity": "Unknown"}])
def test_a_rule_that_covers_everything_or_nothing_is_none(changes: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(msgspec.to_builtins(RULE | changes), HazardRule)
