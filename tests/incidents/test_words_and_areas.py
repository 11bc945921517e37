"""H5, H6, H12, bytes in, refusal out: words of the other realm, one person alone, others' authority, areas too wide."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from noroshi.command.posts import alert_request
from noroshi.exercise.coalition import Coalition, found, inject_message
from noroshi.geo.placefile import PlaceTableError
from noroshi.messages import KeyedHash
from noroshi.node import Commit
from noroshi.node.inputs import Received, RelayGiven
from noroshi.service.exercise_files import stage
from tests.node.scene import ENTROPY, Scene, places

INCIDENTS = Path(__file__).resolve().parents[2] / "scenarios" / "incidents"
OFFICER, SECOND = "us-point.officer", "us-point.second"


@pytest.fixture(scope="module", autouse=True)
def _places() -> None:
    try:
        places()
    except PlaceTableError as error:
        pytest.skip(f"needs the table of places (`make places`): {error.sentence()}")


@cache
def coalition(name: str) -> Coalition:
    staged = stage(str(INCIDENTS / f"{name}.yaml"))
    return found(
        staged.scenario, staged.structure, staged.catalogue, entropy=ENTROPY, scheme=KeyedHash(),
        places_digest=places().digest,
    )  # fmt: skip


def scene_of(name: str) -> Scene:
    return Scene(coalition=coalition(name))


def ask(scene: Scene, node: str, post: str, *areas: tuple[str, str]) -> Commit:
    scene.now_ns += 1
    raw = alert_request(scene[node].seat(post), areas, "fall", scene.now_ns)
    return scene.hand_in(node, post, raw)


def order(scene: Scene, node: str, unit: str, text: str) -> Commit:
    member = scene[node].member
    raw = inject_message(member, text[:20], unit, text, scene.now_ns)
    given = Received(party=f"control:{member.control.certificate.subject}", number=0, raw=raw)
    return scene[node].take(scene.now_ns, given)


def detail(scene: Scene, node: str) -> str:
    return str(scene[node].staff("refusal")[-1]["detail"])


@pytest.mark.parametrize(
    "text",
    [
        "EXERCISE EXERCISE. Missile inbound. THIS IS NOT A DRILL.",
        "Exercise. This is not\u200b a   dri\u200bll",
        "訓練。これは訓練ではありません。",
        "훈련. 이것은 훈련이 아닙니다.",
        "EXERCISE: this is a real-world event",
    ],
)
def test_an_order_that_claims_the_other_realm_is_refused_in_every_language(text: str) -> None:
    scene = scene_of("H5-hawaii")
    assert order(scene, "usa", "us-point", text).answer.reason == "claims-the-other-realm"
    assert scene["usa"].staff("inject") == []
    assert scene["usa"].refusals() == ["claims-the-other-realm"]
    assert order(scene, "usa", "us-point", "EXERCISE. Check your lines.").answer.outcome == "accepted"


def test_one_person_originates_nothing_and_stops_nothing_quietly() -> None:
    scene = scene_of("H5-hawaii")
    assert ask(scene, "usa", OFFICER, ("US", "Hawaii")).answer.outcome == "accepted"
    task = scene.task("usa", "originate-alert")
    scene.answer("usa", task)
    approval = scene.task("usa", "approve-alert")
    assert OFFICER not in approval["posts"]
    again = scene.answer("usa", approval, post=OFFICER)
    assert again.answer.outcome == "refused"
    assert scene["usa"].staff("alert") == []
    scene.answer("usa", approval)
    assert [row["alert_type"] for row in scene["usa"].staff("alert")] == ["Alert"]
    ready = [
        row
        for row in scene["usa"].staff("correction")
        if row["state"] == "ready" and row["reason"] == "false"
    ][-1]
    quiet: dict[str, Any] = {**ready, "answer": {**ready["answer"], "subject": "", "task": "quiet"}}
    assert scene.answer("usa", quiet, post=OFFICER).answer.reason == "needs-a-public-correction"
    assert len(scene["usa"].staff("alert")) == 1
    scene.answer("usa", ready, post=OFFICER)  # one act, and the second person is not asked
    rows = scene["usa"].staff("alert")
    assert [row["alert_type"] for row in rows] == ["Alert", "Cancel"]
    assert rows[0]["recipients"] == rows[1]["recipients"]


def test_a_relay_in_an_authoritys_name_is_never_a_warning_and_the_authority_is_told() -> None:
    scene = scene_of("H6-nhk")
    words = "EXERCISE. Government alert: take shelter."
    given = RelayGiven(party="hand:news", outlet="A broadcaster", claimed="jp-cabsec", text=words)
    scene["usa"].take(scene.now_ns, given)
    scene.pump()
    for node in ("usa", "jpn"):
        assert scene[node].staff("warning", "alert", "hazard") == []
        says = [
            row["says"].lower() for row in scene[node].staff() if "broadcaster" in str(row.get("says", ""))
        ]
        assert says, node
        assert all("unverified" in text for text in says), node
    before = len(scene["jpn"].records())
    scene["usa"].take(scene.now_ns, given)  # said again: it counts once
    scene.pump()
    assert len(scene["jpn"].records()) == before


def test_an_alert_wider_than_its_authority_or_than_what_is_warned_of_is_refused_at_the_source() -> None:
    scene = scene_of("H12-seoul")
    assert ask(scene, "kor", "kr-seoul.watch", ("KR", "Seoul")).answer.reason == "no-warning"
    assert ask(scene, "kor", "kr-seoul.approver", ("KR", "Seoul")).answer.reason == "not-this-posts-duty"
    assert scene["kor"].node.state.desks == {} or not scene.tasks("kor")


@pytest.mark.slow
def test_the_widest_that_would_pass_is_told() -> None:
    """The islands are warned of, the capital is not."""
    from noroshi.exercise.world import looks

    scene = scene_of("H12-seoul")
    for look in looks(scene.coalition, ENTROPY):
        if look.time_ns > scene.at(100.0):
            break
        scene.run_to(look.time_ns)
        scene["kor"].take(scene.now_ns, look.detections)
    assert scene["kor"].staff("warning")
    both = (("KR", "Incheon"), ("KR", "Seoul"))
    assert ask(scene, "kor", "kr-mois.watch", *both).answer.reason == "wider-than-warning"
    assert "Incheon" in detail(scene, "kor")
    assert "Seoul" not in detail(scene, "kor")
    assert ask(scene, "kor", "kr-seoul.watch", *both).answer.reason == "wider-than-authority"
    assert "no part of it would pass" in detail(scene, "kor")
    assert ask(scene, "kor", "kr-seoul.watch", ("KR", "Seoul")).answer.reason == "wider-than-warning"
    assert ask(scene, "kor", "kr-mois.watch", ("KR", "Incheon")).answer.outcome == "accepted"
