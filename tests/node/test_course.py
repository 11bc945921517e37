"""The course of a crisis through the stages: evidence, event, warning, alert by two posts, acknowledgement, end."""

from __future__ import annotations

import pytest

from noroshi.command.posts import answer
from noroshi.gateways.cap_own import check_own
from noroshi.messages.bodies import RemarkBody
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import Lane
from noroshi.node.inputs import Detections, LinkChanged, ReceiptGiven, TimerDue
from noroshi.sharing import CAP_GATEWAY
from tests.node.scene import Scene, envelopes, looks_of


def test_each_partner_opens_its_own_event_and_signs_that_they_are_the_same(scene: Scene) -> None:
    scene.watch(95.0)
    for node, partner in (("jpn", "JPN"), ("kor", "KOR"), ("usa", "USA")):
        rows = scene[node].staff("event")
        own = [row for row in rows if row["partner"] == partner]
        assert [row["step"] for row in own].count("opened") == 1
        same = {row["other_partner"] for row in own if row["step"] == "same-as"}
        assert same == {"JPN", "KOR", "USA"} - {partner}


def test_all_have_the_same_picture_under_trilateral_and_less_under_before() -> None:
    three = Scene("trilateral").watch(100.0)
    pictures = [three[node].staff("picture")[-1] for node in three.sides]
    assert all(picture["partners"] == ["JPN", "KOR", "USA"] for picture in pictures)
    two = Scene("before").watch(100.0)
    assert two["jpn"].staff("picture")[-1]["partners"] == ["JPN", "USA"]
    assert two["kor"].staff("picture")[-1]["partners"] == ["KOR"]
    assert two["usa"].staff("picture")[-1]["partners"] == ["JPN", "KOR", "USA"]


def test_a_warning_names_own_regions_only_and_reaches_the_others(scene: Scene) -> None:
    scene.watch(100.0)
    (issued,) = [row for row in scene["jpn"].staff("warning") if row["state"] == "issued"]
    names = {area["region"] for area in issued["areas"]}
    assert {"Aomori", "Hokkaido"} <= names
    assert not any("Tokyo" in name or "Izu" in name for name in names)
    assert issued["basis"] in ("single-source", "one-kind")
    for node in ("kor", "usa"):
        assert [row["partner"] for row in scene[node].staff("warning") if row["state"] == "issued"] == ["JPN"]
        assert scene.task(node, "acknowledge")["title"].startswith("Acknowledge JPN's warning")


def test_two_posts_one_alert_one_file_and_every_recipient_is_asked(scene: Scene) -> None:
    alert = scene.alert()
    assert alert["status"] == "Exercise"
    rows = scene["jpn"].rows(CAP_GATEWAY)
    assert [row.key for row in rows] == [alert["identifier"]]
    assert check_own(rows[0].data).status == "Exercise"
    asked = {row["unit"] for row in scene.tasks("jpn", "acknowledge")}
    assert asked == set(alert["recipients"])
    for task in scene.tasks("jpn", "acknowledge"):
        scene.answer("jpn", task)
    reach = scene["jpn"].staff("alert-reach")[-1]
    assert all(row["acknowledged_ms"] for row in reach["recipients"])
    assert scene["kor"].staff("alert") + scene["usa"].staff("alert") == []


def test_nobody_alerts_alone_and_no_stranger_at_all(scene: Scene) -> None:
    scene.watch(110.0)
    task = scene.task("jpn", "originate-alert")
    stranger = answer(task["answer"], "", scene["jpn"].seat("jp-pm.duty"), scene.now_ns)
    assert scene.hand_in("jpn", "jp-pm.duty", stranger).answer.outcome == "refused"
    scene.answer("jpn", task)
    approve = scene.task("jpn", "approve-alert")
    assert task["posts"][0] not in approve["posts"]
    alone = answer(approve["answer"], "", scene["jpn"].seat(task["posts"][0]), scene.now_ns)
    assert scene.hand_in("jpn", task["posts"][0], alone).answer.outcome == "refused"
    assert not scene["jpn"].staff("alert")


def test_an_alert_that_is_refused_or_lapses_is_not_issued(scene: Scene) -> None:
    scene.watch(110.0)
    scene.answer("jpn", scene.task("jpn", "originate-alert"))
    scene.answer("jpn", scene.task("jpn", "approve-alert"), "refuse")
    assert not scene["jpn"].staff("alert")
    late = Scene("trilateral").watch(110.0)
    task = late.task("jpn", "originate-alert")
    late.run_to(late.at(110.0 + 200.0))
    assert late.answer("jpn", task).answer.outcome == "refused"
    assert not late["jpn"].staff("alert")


def test_passed_is_said_after_an_observation_and_the_end_goes_to_the_same(scene: Scene) -> None:
    alert = scene.alert()
    scene.watch(440.0)
    (ended,) = [row for row in scene["jpn"].staff("warning") if row["state"] == "ended"]
    assert ended["reason"] == "passed"
    scene.answer("jpn", scene.task("jpn", "retract-alert"))
    cancel = scene["jpn"].staff("alert")[-1]
    assert cancel["alert_type"] == "Cancel"
    assert cancel["references"] == [alert["identifier"]]
    assert cancel["recipients"] == alert["recipients"]


def test_a_track_that_nobody_sees_any_more_is_lost_and_nothing_has_passed(scene: Scene) -> None:
    scene.watch(120.0)
    scene.run_to(scene.at(600.0))
    assert scene["jpn"].staff("picture")[-1]["state"] == "lost"
    assert not [row for row in scene["jpn"].staff("warning") if row["reason"] == "passed"]


@pytest.mark.parametrize(("outcome", "expected"), [("concur", "decided"), ("refuse", "refused")])
def test_each_nation_answers_a_consultation_for_itself(scene: Scene, outcome: str, expected: str) -> None:
    scene.alert()
    scene.answer("jpn", scene.task("jpn", "request"))
    for node in ("jpn", "kor"):
        scene.answer(node, scene.task(node, "concur"))
    assert scene["usa"].staff("decision-status")[-1]["state"] == "open"
    scene.answer("usa", scene.task("usa", "concur"), outcome)
    for node in scene.sides:
        status = scene[node].staff("decision-status")[-1]
        assert (status["state"], len(status["concurrences"])) == (expected, 3)


def test_silence_refuses_a_consultation_at_its_deadline(scene: Scene) -> None:
    scene.alert()
    scene.answer("jpn", scene.task("jpn", "request"))
    scene.answer("jpn", scene.task("jpn", "concur"))
    scene.run_to(scene.now_ns + 3600 * 10**9)
    for node in scene.sides:
        assert scene[node].staff("decision-status")[-1]["state"] == "refused"


def test_timers_receipts_and_feeds_that_come_twice_early_or_false_do_nothing(scene: Scene) -> None:
    scene.watch(95.0)
    side = scene["jpn"]
    assert side.take(scene.now_ns, TimerDue(name="look:1:0")).answer.outcome == "duplicate"
    assert side.take(scene.now_ns, TimerDue(name="nonsense")).answer.outcome == "duplicate"
    sent, held = side.node.sent("partner:USA"), side.node.durable_there("partner:USA")
    track = Lane.TRACK
    side.take(scene.now_ns, looks_of("trilateral")[0].detections)
    for position, expected in (
        (sent.at(track, sent.upto[track] + 500, bytes(32)), "receipt-for-unsent-rows"),
        (held, "duplicate"),
        (held.at(track, held.upto[track], bytes(32)), "receipt-differs"),
        (held.at(track, 1, bytes(32)), "bad-receipt"),
    ):
        given = ReceiptGiven(party="partner:USA", position=position, signature=bytes(64))
        outcome = side.take(scene.now_ns, given).answer
        assert expected in (outcome.reason, outcome.outcome)
    look = next(one for one in looks_of("trilateral") if one.node == "jpn")
    assert side.take(scene.now_ns, look.detections).answer.outcome == "duplicate"


def test_a_feed_that_loses_a_batch_goes_on_and_says_so(scene: Scene) -> None:
    looks = [one for one in looks_of("trilateral") if one.node == "kor"][:3]
    side = scene["kor"]
    for look in (looks[0], looks[2]):
        scene.run_to(look.time_ns)
        assert side.take(scene.now_ns, look.detections).answer.outcome == "accepted"
    assert side.refusals() == ["feed-gap"]
    assert side.take(scene.now_ns, looks[1].detections).answer.outcome == "duplicate"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sensor": "nobody"}, "unknown-sensor"),
        ({"time_ns": (0,)}, "too-old"),
        ({"time_ns": (2**62,)}, "future-dated"),
        ({"value": ()}, "malformed-batch"),
        ({"value": ((-1.0, 0.0, 0.0),)}, "impossible-measurement"),
    ],
)
def test_detections_that_cannot_be_are_refused(scene: Scene, change: dict[str, object], reason: str) -> None:
    look = next(one for one in looks_of("trilateral") if one.node == "kor")
    scene.run_to(look.time_ns)
    fields = {name: getattr(look.detections, name) for name in Detections.__struct_fields__}
    commit = scene["kor"].take(scene.now_ns, Detections(**(fields | change)))
    assert (commit.answer.outcome, commit.answer.reason) == ("refused", reason)


def test_links_are_shown_and_strangers_links_refused(scene: Scene) -> None:
    side = scene["jpn"]
    for state in ("up", "silent", "down"):
        side.take(scene.now_ns, LinkChanged(party="partner:USA", state=state))
        assert side.staff("link")[-1]["state"] == state
    assert side.take(scene.now_ns, LinkChanged(party="partner:KOR", state="up")).answer.outcome == "refused"


def test_a_relay_passes_on_the_same_bytes(scene: Scene) -> None:
    scene.watch(90.0)
    from_korea = {row.data for row in scene["kor"].rows("partner:USA")}
    onward = [row.data for row in scene["usa"].rows("partner:JPN")]
    passed = [data for data in onward if data in from_korea]
    assert passed
    origins = [one.origin for one in envelopes(scene["usa"].rows("partner:JPN"))]
    assert origins.count("KOR") == len(passed)


def test_words_are_shown_and_garbage_of_a_link_costs_that_row_only(scene: Scene) -> None:
    raw = scene.sealed(
        "jpn", "remark", RemarkBody(unit="jp-pm", text="<b>hello</b>"), post="jp-pm.duty", audience=("JPN",)
    )
    scene.hand_in("jpn", "jp-pm.duty", raw)
    assert scene["jpn"].staff("remark")[-1]["text"] == "<b>hello</b>"
    before = sum(scene["jpn"].node.received("partner:USA").upto)
    for rubbish in (b"", b"rubbish", encode(["a", "b", "c"])):
        assert scene.bring("usa", "jpn", rubbish).answer.outcome == "refused"
    assert sum(scene["jpn"].node.received("partner:USA").upto) == before + 3
