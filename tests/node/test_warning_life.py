"""The life of a warning in real nodes: drafts, proposals, lost tracks, and an agency's own areas with their expiry."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from noroshi.clock import seconds, to_iso
from noroshi.exercise.coalition import Coalition, Member
from noroshi.messages.bodies import DecisionBody
from noroshi.node.inputs import Control
from noroshi.node.proposing import AGREE
from noroshi.node.saved import DERIVED
from noroshi.sharing import CAP_GATEWAY, STAFF, party_of
from noroshi.warning import AreaList, load_areas, sign_areas
from tests.node.alike import differences
from tests.node.scene import Scene, coalition_of, replayed
from tests.node.test_snapshot import CACHES, again
from tests.warning.maps import box, collection, feature

LOSE_S = 105.0
"""After the start: Japan has warned by then, and from here on nobody sees the object."""


def scene_with(**rules: Any) -> Scene:
    """The usual scene, Japan's rules changed."""
    return Scene(
        coalition=_changed(lambda one: {"rules": msgspec.structs.replace(one.genesis.rules, **rules)})
    )


def scene_of(areas: AreaList, **rules: Any) -> Scene:
    """The usual scene, Japan with areas of its own."""
    return Scene(
        coalition=_changed(
            lambda one: {"areas": areas, "rules": msgspec.structs.replace(one.genesis.rules, **rules)}
        )
    )


def _changed(change: Any) -> Coalition:
    made = coalition_of("trilateral")

    def member(one: Member) -> Member:
        if one.trigraph != "JPN":
            return one
        return replace(one, genesis=msgspec.structs.replace(one.genesis, **change(one)))

    return replace(made, members=tuple(member(one) for one in made.members))


def seconds_of(scene: Scene, row: dict[str, Any]) -> float:
    return float(row["time_ms"]) / 1e3 - scene.coalition.start_ns / 1e9


def sent_to_partners(scene: Scene) -> list[bytes]:
    """What left Japan in words that only its own staff may see."""
    rows = [row for batch in scene["jpn"].batches for row in batch.outbox if party_of(row.stream) != STAFF]
    return [word for row in rows for word in (b"draft", b"proposed") if word in row.data]


def test_a_draft_is_shown_to_the_own_staff_before_the_warning_and_sent_to_nobody(scene: Scene) -> None:
    scene.watch(100.0)
    drafts = scene["jpn"].staff("draft")
    (issued,) = [row for row in scene["jpn"].staff("warning") if row["state"] == "issued"]
    assert drafts[0]["state"] == "draft"
    assert drafts[0]["says"].startswith("Draft, not sent: a warning for ")
    assert drafts[0]["time_ms"] < issued["time_ms"]
    for field in ("valid_until_ms", "areas", "basis", "age_s", "corridor"):
        assert drafts[0][field] is not None
    assert {area["probability"] > 0 for area in drafts[0]["areas"]} == {True}
    assert not sent_to_partners(scene)
    assert not [
        row for node in ("kor", "usa") for row in scene[node].staff("draft") if row["partners"] == ["JPN"]
    ]


def test_a_lost_track_is_said_to_be_lost_to_the_moment_to_partners_too(scene: Scene) -> None:
    scene.watch(LOSE_S)
    last_s = scene["jpn"].staff("picture")[-1]["last_observed_ms"] / 1e3 - scene.coalition.start_ns / 1e9
    scene.run_to(scene.at(LOSE_S + 60.0))
    for node in scene.sides:
        said = [row for row in scene[node].staff("warning") if row["partner"] == "JPN" and row["lost"]]
        assert len(said) == 1
        assert said[0]["state"] == "updated"
        assert 10.0 < seconds_of(scene, said[0]) - last_s < 10.01
        assert said[0]["age_s"] == pytest.approx(10.0, abs=0.1)
        assert "the track is lost, last observed 10 seconds ago" in said[0]["says"]
    own = [row for row in scene["jpn"].staff("picture") if row["state"] == "lost"]
    assert 10.0 < seconds_of(scene, own[0]) - last_s < 10.01
    assert not [row for row in scene["jpn"].staff("warning") if row["reason"] == "passed"]


def test_a_track_that_is_seen_again_is_no_longer_lost(scene: Scene) -> None:
    scene.watch(LOSE_S)
    scene.run_to(scene.at(LOSE_S + 30.0))
    scene.watch(LOSE_S + 40.0)
    said = [row["lost"] for row in scene["jpn"].staff("warning")]
    assert said.index(True) < len(said) - 1
    assert said[-1] is False


def test_rules_of_the_first_edition_draft_nothing_and_lose_nothing() -> None:
    scene = scene_with(edition=msgspec.UNSET).watch(LOSE_S)
    scene.run_to(scene.at(LOSE_S + 60.0))
    assert not scene["jpn"].staff("draft")
    assert not any(row["lost"] for row in scene["jpn"].staff("warning"))
    assert not any(name.startswith("lost:") for name in scene["jpn"].node.state.timers)


PROPOSE = {"propose_below": "confirmed", "propose_within_s": 15.0}


def test_a_proposed_warning_waits_for_the_watch_and_is_issued_when_it_agrees() -> None:
    scene = scene_with(**PROPOSE).watch(96.0)
    task = scene.task("jpn", "agree-warning")
    assert "without an answer it is issued" in task["title"]
    assert not scene["jpn"].staff("warning")
    assert not sent_to_partners(scene)
    assert scene.answer("jpn", task).answer.outcome == "accepted"
    (issued,) = scene["jpn"].staff("warning")
    assert (issued["state"], issued["number"]) == ("issued", 1)
    assert scene["kor"].staff("warning")[0]["state"] == "issued"
    assert not scene.tasks("jpn", "agree-warning")
    assert scene.answer("jpn", task).answer.outcome in ("refused", "duplicate")
    scene.run_to(scene.at(130.0))
    assert len([row for row in scene["jpn"].staff("warning") if row["state"] == "issued"]) == 1


@pytest.mark.parametrize(("then", "warned"), [("issue", True), ("drop", False)])
def test_without_an_answer_the_rule_decides_at_the_deadline(then: str, warned: bool) -> None:
    scene = scene_with(**PROPOSE, propose_then=then).watch(96.0)
    asked = scene.task("jpn", "agree-warning")
    due_s = asked["deadline_ms"] / 1e3 - scene.coalition.start_ns / 1e9
    scene.watch(due_s + 2.0)
    rows = scene["jpn"].staff("warning")
    assert bool(rows) == warned
    assert not rows or seconds_of(scene, rows[0]) == pytest.approx(due_s, abs=0.01)
    assert scene["jpn"].staff("draft-answer")[0]["why"] == "nobody answered in time"
    assert not scene.tasks("jpn", "agree-warning")


def test_what_was_declined_stays_declined_while_it_is_founded_no_better() -> None:
    scene = scene_with(**PROPOSE).watch(96.0)
    scene.answer("jpn", scene.task("jpn", "agree-warning"), "refuse")
    scene.watch(125.0)
    assert not scene["jpn"].staff("warning")
    assert [row["state"] for row in scene["jpn"].staff("draft")][-1] == "dropped"
    assert not scene.tasks("jpn", "agree-warning")


def test_better_evidence_issues_what_waits_without_a_person() -> None:
    """One radar's warning is proposed; the second partner's agrees by what it sees."""
    scene = scene_with(propose_below="one-kind", propose_within_s=60.0)
    scene.watch(110.0, only=lambda look: look.node == "jpn")
    assert scene.tasks("jpn", "agree-warning")
    scene.watch(113.0)
    assert scene["jpn"].staff("warning")[0]["basis"] == "one-kind"
    assert not scene.tasks("jpn", "agree-warning")


@pytest.mark.parametrize("wrong", ["post", "case", "step", "partner"])
def test_nobody_else_agrees_to_a_proposal(wrong: str) -> None:
    scene = scene_with(**PROPOSE).watch(96.0)
    fields = scene.task("jpn", "agree-warning")
    case = bytes.fromhex(fields["answer"]["case"])
    post = "jp-pm.duty" if wrong == "post" else fields["posts"][0]
    body = DecisionBody(
        case=bytes(16) if wrong == "case" else case, decision=AGREE, outcome="decided",
        step="concurrence" if wrong == "step" else "ruling", unit=post.partition(".")[0],
    )  # fmt: skip
    if wrong == "partner":
        body = msgspec.structs.replace(body, unit="us-indopacom")
        raw = scene.sealed("usa", "decision", body, post="us-indopacom.watch", audience=("JPN", "USA"))
        commit = scene.bring("usa", "jpn", raw)
    else:
        raw = scene.sealed("jpn", "decision", body, post=post, audience=("JPN",))
        commit = scene.hand_in("jpn", post, raw)
    assert commit.answer.outcome == "refused"
    assert not scene["jpn"].staff("warning")


def test_a_node_that_restarts_between_proposal_and_answer_goes_on_as_it_was() -> None:
    scene = scene_with(**PROPOSE).watch(96.0)
    side = scene["jpn"]
    snapshot = side.node.snapshot()
    side.restart()
    assert not differences(side.node.state, replayed(side.member, side.records()).state, CACHES | DERIVED)
    assert snapshot.sequence == side.node.chain.sequence
    scene.answer("jpn", scene.task("jpn", "agree-warning"))
    assert [row["state"] for row in side.staff("warning")] == ["issued"]


NORTH = feature(
    "n1", box(139.5, 40.3, 142.0, 41.6), name={"en": "North zone", "ja": "北部"}, codes={"zone": "N1"}
)
FAR = feature("s1", box(129.0, 31.0, 131.0, 33.0), name="South zone")


def areas_until(scene_start_ns: int, after_s: float, version: int = 1, *features: dict[str, Any]) -> AreaList:
    text = collection(
        *(features or (NORTH, FAR)),
        expires=to_iso(scene_start_ns + seconds(after_s)),
        version=version,
        country="JP",
    )
    return load_areas(text, "zones.geojson")


START_NS = coalition_of("trilateral").start_ns


def alarms(scene: Scene) -> list[str]:
    return [row["what"] for row in scene["jpn"].staff("alarm") if row["alarm"] == "areas:list"]


def test_own_areas_are_named_in_warning_and_alert_with_their_codes() -> None:
    scene = scene_of(areas_until(START_NS, 86_400.0 * 365))
    alert = scene.alert()
    (issued,) = [row for row in scene["jpn"].staff("warning") if row["state"] == "issued"]
    assert [area["region"] for area in issued["areas"]] == ["North zone"]
    assert issued["areas"][0]["people"] > 500_000
    assert issued["areas"][0]["places"][0]["name"]
    assert [area["region"] for area in alert["areas"]] == ["North zone"]
    (file,) = [row.data.decode() for row in scene["jpn"].rows(CAP_GATEWAY)]
    assert "<valueName>zone</valueName>" in file
    assert "<value>N1</value>" in file
    assert scene["jpn"].staff("areas")[-1]["state"] == "good"


def test_an_expired_list_warns_of_nothing_new_and_the_operator_is_told() -> None:
    """It runs out before the object is seen: the built-in regions take its place, with an alarm."""
    scene = scene_of(areas_until(START_NS, 60.0)).watch(100.0)
    assert [row["state"] for row in scene["jpn"].staff("areas")] == ["near", "expired"]
    assert alarms(scene) == ["area-list-near-expiry", "area-list-expired"]
    (issued,) = [row for row in scene["jpn"].staff("warning") if row["state"] == "issued"]
    assert {"Aomori", "Hokkaido"} <= {area["region"] for area in issued["areas"]}


def test_a_list_that_expires_in_flight_keeps_the_warning_of_its_areas() -> None:
    scene = scene_of(areas_until(START_NS, 97.0)).watch(125.0)
    rows = scene["jpn"].staff("warning")
    assert {area["region"] for row in rows for area in row["areas"]} == {"North zone"}
    assert alarms(scene) == ["area-list-near-expiry", "area-list-expired"]


def test_a_newer_list_of_our_root_takes_the_place_and_nothing_else_does() -> None:
    scene = scene_of(areas_until(START_NS, 86_400.0)).watch(5.0)
    side, realm = scene["jpn"], scene.coalition.realm
    scheme, root = side.node.state.scheme, scene.root_secret("JPN")
    newer = areas_until(
        START_NS, 86_400.0 * 90, 2, feature("k", box(139.5, 40.3, 142.0, 41.6), name="Zone K")
    )

    def given(areas: AreaList, secret: bytes = root, party: str = "control:hand") -> str:
        raw = sign_areas(areas, "JPN", realm, scheme, secret)
        answer = side.take(scene.now_ns, Control(party=party, raw=raw)).answer
        return answer.reason or answer.outcome

    assert given(newer, scene.root_secret("KOR")) == "bad-signature"
    assert given(newer, party="partner:USA") == "not-by-this-way"
    assert given(areas_until(START_NS, 1.0, 3)) == "area-list-expired"
    assert given(areas_until(START_NS, 9e5, 1)) == "contradictory"
    assert alarms(scene) == ["area-list-near-expiry"]
    assert given(newer) == "accepted"
    assert scene["jpn"].staff("alarm")[-1]["state"] == "cleared"
    assert given(areas_until(START_NS, 8e5, 2)) == "contradictory"
    assert given(areas_until(START_NS, 9e5, 1)) == "stale-areas"
    assert given(newer) == "duplicate"
    scene.watch(100.0)
    issued = next(row for row in side.staff("warning") if row["state"] == "issued")
    assert [area["region"] for area in issued["areas"]] == ["Zone K"]
    before = side.node.state
    twin = again(side.node, side).state
    assert not differences(before, twin, CACHES | DERIVED)
    assert twin.own_watch is not None
    assert [region.name for region in twin.own_watch.regions] == ["Zone K"]
    side.restart()
    assert not differences(before, side.node.state, CACHES | DERIVED)


def test_contours_go_with_the_picture_where_a_place_of_ours_may_be_concerned(scene: Scene) -> None:
    scene.watch(100.0)
    last = scene["jpn"].staff("picture")[-1]
    assert {(one["kind"], one["level"]) for one in last["contours"]} >= {
        ("pass", 0.1),
        ("pass", 0.5),
        ("pass", 0.9),
    }
    assert all(ring[0] == ring[-1] for one in last["contours"] for ring in one["rings"])
    assert scene["kor"].staff("picture")[-1]["contours"] == []
