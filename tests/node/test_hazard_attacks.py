"""Who would silence an agency, or speak for it: forged, quicker, half trusted, or no longer warranted."""

from __future__ import annotations

from typing import Any

import pytest

from noroshi.messages import Label
from noroshi.messages.bodies_hazard import HazardBody
from tests.node.agency import SENDER, cap
from tests.node.scene import Scene, replayed
from tests.node.test_alert_rules import warrant
from tests.node.test_hazard_alerts import S, alarms, alerts, drafts, file, give, now, rule, scene_with, sign

FORGED: dict[str, Any] = {"headline": "EXERCISE EXERCISE. Nothing", "severity": "Minor"}


@pytest.mark.parametrize(("node", "signature"), [("jpn", "unsigned"), ("usa", "signed")])
def test_whoever_is_quicker_with_another_content_does_not_silence_the_agency(
    node: str, signature: str
) -> None:
    scene = scene_with(rule(entrances=()))
    assert give(scene, file(scene, **FORGED), node, "hand:somebody", signature=signature) == "accepted"
    assert give(scene, file(scene), signature="signed") == "accepted"
    assert len(drafts(scene)) == 1
    assert alarms(scene) == ["hazard-displaced"]
    assert give(scene, file(scene, headline="EXERCISE EXERCISE. Else"), signature="signed") == "contradictory"
    again = replayed(scene["jpn"].member, scene["jpn"].records())
    assert again.state.hazards.saved() == scene["jpn"].node.state.hazards.saved()
    scene.run_to(scene.now_ns + 3601 * S)
    assert alarms(scene) == []


def from_usa(scene: Scene, raw: bytes, identifier: str, sent_ns: int) -> None:
    body = HazardBody(cap=raw, sender=SENDER, identifier=identifier, sent_ns=sent_ns, signature="signed")
    sealed = scene.sealed("usa", "hazard", body, label=Label("unclassified", ("JPN", "KOR", "USA")))
    assert scene.bring("usa", "jpn", sealed).answer.outcome == "accepted"


def test_who_is_trusted_with_storms_does_not_end_a_wave() -> None:
    storms = rule(hazard="weather", events=("Storm*",), entrances=(), partners=("USA",))
    scene = scene_with(rule(), storms)
    at = now(scene)
    scene.cut = {("jpn", "usa")}
    give(scene, file(scene))
    scene.cut = set()
    scene.now_ns += 2 * S
    from_usa(scene, cap(at + S, identifier="w2", type_="Cancel", refers=(("wave-1", at),)), "w2", at + S)
    assert len(drafts(scene)) == 1
    assert alarms(scene) == ["hazard-change-unverified"]
    early = scene_with(rule(), storms)
    at = now(early)
    from_usa(early, cap(at, identifier="w2", type_="Cancel", refers=(("wave-1", at),)), "w2", at)
    give(early, file(early))
    assert alarms(early) == ["hazard-ended-unverified"]


def test_an_unverified_update_keeps_no_true_end_from_the_posts_and_no_draft_alive() -> None:
    scene = scene_with()
    at = now(scene)
    give(scene, file(scene))
    sign(scene)
    forged = cap(at + 50 * S, identifier="x", type_="Update", refers=(("wave-1", at),))
    give(scene, forged, party="hand:somebody")
    assert alarms(scene) == ["hazard-change-unverified"]
    scene.now_ns += 5 * S
    lower = cap(at + 2 * S, identifier="w2", type_="Update", refers=(("wave-1", at),), severity="Minor")
    give(scene, lower)
    assert scene.tasks("jpn", "retract-alert")
    assert alarms(scene) == []
    other = scene_with()
    give(other, file(other, for_s=60.0))
    forged = cap(now(other), identifier="x", type_="Update", refers=(("wave-1", now(other)),))
    give(other, forged, party="hand:somebody")
    other.run_to(other.now_ns + 61 * S)
    assert other["jpn"].staff("hazard-alert")[-1]["state"] == "run-out"
    assert alarms(other) == []


def test_what_our_root_has_withdrawn_nobody_signs_any_more_and_the_agencys_end_is_not_lost() -> None:
    scene = scene_with()
    at = now(scene)
    give(scene, file(scene))
    scene.answer("jpn", scene.task("jpn", "originate-alert"))
    assert warrant(scene, 2) == ""
    assert scene.answer("jpn", scene.task("jpn", "approve-alert")).answer.reason == "needs-a-release"
    assert not alerts(scene)
    give(scene, cap(at, identifier="w2", type_="Cancel", refers=(("wave-1", at),)))
    assert alarms(scene) == ["hazard-change-unverified"]
    changed = scene_with()
    give(changed, file(changed))
    assert warrant(changed, 2, hazards=(rule(certainty="Observed"),)) == ""
    assert sign(changed).type == "Alert"


def test_a_matter_that_goes_on_for_days_holds_the_keys_of_what_is_still_known_only() -> None:
    scene = scene_with()
    before = ("wave-0", now(scene))
    give(scene, file(scene, identifier="wave-0"))
    for number in range(1, 6):
        scene.run_to(scene.now_ns + 3000 * S)
        at = now(scene)
        raw = cap(at, identifier=f"wave-{number}", type_="Update", refers=(before,))
        give(scene, raw)
        before = (f"wave-{number}", at)
    (matter,) = [one for one in scene["jpn"].node.state.hazard_matters.values() if one.is_open]
    assert len(matter.keys) < 5
