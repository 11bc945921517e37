"""Relays and last hops at their node: receipts, silence, the end to the same set, who is asked next."""

from __future__ import annotations

from typing import Any

import pytest

from noroshi.clock import seconds
from noroshi.messages.bodies import AcknowledgementBody, RemarkBody
from noroshi.messages.bodies_reach import DeliveryBody
from noroshi.node.inputs import Received
from noroshi.node.snapshot import dump, opened
from tests.node.relays import HOPS, ROSTER, UNIT, Line, alarms
from tests.node.scene import Scene, places
from tests.node.test_alerting import WATCH, issue, warn


@pytest.fixture
def desk() -> Scene:
    """Japan's node with an event of which nobody has been warned."""
    return Scene("trilateral").watch(86.3)


def reach(scene: Scene, identifier: str) -> dict[str, Any]:
    """The newest row on who has an alert."""
    return [row for row in scene["jpn"].staff("alert-reach") if row["identifier"] == identifier][-1]


def told(scene: Scene, line: Line) -> None:
    """Takes the test with which every roster begins, so that what follows is an alert."""
    line.connect()
    line.receipts(next(iter(line.desk.kept)), *range(HOPS))
    line.deliver()


def end(scene: Scene) -> dict[str, Any]:
    warn(scene, "Aomori", state="ended", reason="false")
    scene.answer("jpn", scene.task("jpn", "retract-alert"))
    return scene["jpn"].staff("alert")[-1]


def test_receipts_of_two_relays_are_joined_and_repeats_change_nothing(desk: Scene) -> None:
    one, other = Line(desk), Line(desk, "towns-b")
    told(desk, one)
    other.connect()
    warn(desk, "Aomori")
    alert = issue(desk)
    one.pass_on(0, 1, 2)
    other.pass_on(2, 3)
    (roster,) = reach(desk, alert["identifier"])["rosters"]
    assert (roster["received"], roster["silent"], roster["silent_hops"]) == (4, 8, "4-11")
    assert {row["relay"]: row["received"] for row in roster["relays"]} == {"towns-a": 3, "towns-b": 2}
    (recipient,) = (r for r in reach(desk, alert["identifier"])["recipients"] if r["unit"] == "jp-fdma")
    assert recipient["received_ms"] == desk.now_ns // 10**6
    assert recipient["acknowledged_ms"] is None, "what a machine receives nobody has read"
    before = desk["jpn"].node.state.told
    (again,) = one.desk.deliveries(desk.now_ns, again=True)[-1:]
    one.give(again)
    one.give(again)
    assert desk["jpn"].node.state.told is before
    assert reach(desk, alert["identifier"])["rosters"][0]["received"] == 4


def test_a_silent_last_hop_raises_an_alarm_and_its_receipt_ends_it(desk: Scene) -> None:
    line = Line(desk)
    told(desk, line)
    warn(desk, "Aomori")
    issue(desk)
    message = line.pass_on(*range(HOPS - 2))
    desk.run_to(desk.now_ns + seconds(20.0))
    line.connect()
    Line(desk, "towns-b").connect()
    desk.run_to(desk.now_ns + seconds(9.0))
    assert alarms(desk) == {}
    desk.run_to(desk.now_ns + seconds(2.0))
    (name,) = alarms(desk)
    assert alarms(desk)[name] == "last-hop-silent"
    assert "2 of 12 last hops of jp-towns: 10-11" in desk["jpn"].staff("alarm")[-1]["says"]
    line.receipts(message.id, 10)
    line.deliver()
    assert desk["jpn"].staff("alarm")[-1]["detail"] == "11"
    line.receipts(message.id, 11)
    line.deliver()
    assert alarms(desk) == {}


def test_the_end_goes_to_those_who_had_the_alert_and_says_who_lacks_it(desk: Scene) -> None:
    line, late = Line(desk), Line(desk, "towns-b")
    told(desk, line)
    late.connect()
    warn(desk, "Aomori")
    issue(desk)
    line.pass_on(*range(8))
    end_row = end(desk)
    message = line.fetch()[-1]
    assert message.purpose == "end"
    assert line.desk.audience(message, range(HOPS)) == list(range(8)), "four never heard of it"
    line.receipts(message.id, *range(7))
    line.deliver()
    (same,) = reach(desk, end_row["identifier"])["same"]
    assert (same["had"], same["ended"], same["not_ended"], same["only_ended"]) == (8, 7, "7", "")
    # The last of them comes to the other relay, and says what it holds.
    alert, ending = late.fetch()
    tested = next(one.message for one in late.desk.kept.values() if one.message.purpose == "test")
    assert late.desk.wanted(7, {alert.id, tested.id}, desk.now_ns) == [ending]
    assert late.desk.wanted(11, {tested.id}, desk.now_ns) == [], (
        "what is over goes to nobody any more, and no end alone"
    )
    late.receipts(ending.id, 7)
    late.deliver()
    (same,) = reach(desk, end_row["identifier"])["same"]
    assert (same["had"], same["ended"], same["not_ended"]) == (8, 8, "")


def test_a_relay_that_comes_later_is_given_what_stands_and_keys_it_lacks(desk: Scene) -> None:
    warn(desk, "Aomori")
    line = Line(desk)
    issue(desk)
    assert set(alarms(desk).values()) >= {"relay-never-heard"}
    passed = line.connect()
    assert [one.purpose for one in passed] == ["alert", "test"]
    assert "relay-never-heard" not in alarms(desk).values()
    assert line.refused() == []
    end(desk)
    assert [one.purpose for one in line.connect()] == ["end"]
    fresh = Line(desk, "towns-c")
    test, ending, alert = fresh.connect()
    assert (test.purpose, ending.purpose, alert.purpose) == ("test", "end", "alert")
    assert fresh.desk.audience(alert, range(HOPS)) == [], "what is over is not begun again"
    assert fresh.desk.wanted(3, {test.id}, desk.now_ns) == []
    assert fresh.desk.wanted(3, {test.id, alert.id}, desk.now_ns) == [ending], (
        "whoever had it elsewhere is told"
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"relay": "towns-b"}, "speaks-for-another-relay"),
        ({"of": bytes(16)}, "delivery-of-nothing-known"),
        ({"roster": "other"}, "another-roster"),
        ({"received": b"\xff\xff", "count": 16}, "impossible-body"),
        ({"received": b"\x01", "count": 2}, "impossible-body"),
        ({"received": b"\x01\x00", "count": 1}, "impossible-body"),
        ({"first_ns": 0}, "impossible-body"),
    ],
)
def test_statements_that_cannot_be_are_refused_and_change_nothing(
    desk: Scene, change: dict[str, Any], reason: str
) -> None:
    line = Line(desk)
    line.connect()
    (of,) = line.desk.kept
    fields: dict[str, Any] = {
        "of": of, "relay": "towns-a", "roster": ROSTER, "hops": HOPS, "sequence": 1, "received": b"\x03",
        "count": 2, "first_ns": 1, "last_ns": 2, "receipts": "keyed",
    }  # fmt: skip
    raw = line.desk._sealed("delivery", DeliveryBody(**(fields | change)), of, 1, desk.now_ns)
    assert line.give(raw).answer.reason == reason
    assert desk["jpn"].node.state.told[of].received == 0


def test_only_our_own_relays_speak_and_only_of_deliveries(desk: Scene) -> None:
    stranger = Line(desk, "nobody", admit=False)
    assert stranger.give(stranger.desk.here(desk.now_ns)).answer.reason == "unknown-key"
    line = Line(desk)
    remark = RemarkBody(unit="jp-cabsec", text="x")
    raw = line.desk.here(desk.now_ns)
    given = Received(party="relay:towns-b", number=0, raw=raw)
    assert desk["jpn"].take(desk.now_ns, given).answer.reason == "not-this-relays-message"
    assert desk["jpn"].node.state.relays == {}
    post = Received(party="relay:towns-a", number=0, raw=desk.sealed("jpn", "remark", remark, post=WATCH))
    assert desk["jpn"].take(desk.now_ns, post).answer.reason == "not-this-relays-message"
    acknowledged = line.desk._sealed(
        "acknowledgement", AcknowledgementBody(of=bytes(16), unit=UNIT), b"", 1, desk.now_ns
    )
    assert line.give(acknowledged).answer.reason == "speaker-may-not", "a machine has read nothing"


def test_relays_are_our_own_business(desk: Scene) -> None:
    """Neither their certificates nor what they say leaves: partners' rows are as many as before."""
    before = len(desk["jpn"].rows("partner:USA"))
    line = Line(desk)
    told(desk, line)
    assert len(desk["jpn"].rows("partner:USA")) == before


def test_all_of_it_survives_a_restart_and_a_snapshot() -> None:
    desk = Scene("trilateral")
    line = Line(desk)
    told(desk, line)
    desk.alert()
    line.pass_on(0, 1)
    desk.run_to(desk.now_ns + seconds(31.0))
    side = desk["jpn"]
    before = dump(side.node.state)
    side.restart()
    assert dump(side.node.state) == before
    twin = opened("jpn", side.node.snapshot(), side.member.secrets, places())
    for name in ("relays", "told", "chases", "alarms"):
        assert getattr(twin, name) == getattr(side.node.state, name), name
        assert getattr(twin, name), name
    assert twin.readiness.saved() == side.node.state.readiness.saved() != []


def test_the_next_post_and_then_the_unit_above_are_asked_and_nobody_left_is_an_alarm(desk: Scene) -> None:
    warn(desk, "Aomori")
    alert = issue(desk)
    first = desk.tasks("jpn", "acknowledge")
    assert [task["posts"] for task in first if task["unit"] == "jp-fdma"] == [["jp-fdma.duty"]]
    desk.run_to(desk.now_ns + seconds(121.0))
    steps = [row for row in desk["jpn"].staff("escalation") if row["unit"] == "jp-fdma"]
    assert steps, "silence is passed on"
    desk.run_to(desk.now_ns + seconds(1000.0))
    assert "nobody-left" in alarms(desk).values()
    (row,) = (one for one in reach(desk, alert["identifier"])["chases"] if one["unit"] == "jp-fdma")
    assert row["state"] == "nobody"
    task = next(one for one in first if one["unit"] == "jp-fdma")
    desk.answer("jpn", task)
    (row,) = (one for one in reach(desk, alert["identifier"])["chases"] if one["unit"] == "jp-fdma")
    assert (row["state"], row["by"]) == ("done", "jp-fdma.duty")
    assert not any(name.endswith(":jp-fdma") for name in alarms(desk)), (
        "an answer that comes late still counts"
    )


def test_an_acknowledgement_stops_the_chase(desk: Scene) -> None:
    warn(desk, "Aomori")
    issue(desk)
    for task in desk.tasks("jpn", "acknowledge"):
        desk.answer("jpn", task)
    rows = len(desk["jpn"].staff("escalation"))
    desk.run_to(desk.now_ns + seconds(1000.0))
    assert len(desk["jpn"].staff("escalation")) == rows
    assert not any(name.endswith(":jp-fdma") for name in alarms(desk))


def test_a_unit_above_that_has_the_alert_is_told_and_not_asked_again(desk: Scene) -> None:
    warn(desk, "Aomori")
    alert = issue(desk)
    for task in desk.tasks("jpn", "acknowledge"):
        if task["unit"] != "jp-muni":
            desk.answer("jpn", task)
    desk.run_to(desk.now_ns + seconds(400.0))
    (row,) = (one for one in reach(desk, alert["identifier"])["chases"] if one["unit"] == "jp-muni")
    assert (row["state"], row["asked"]) == ("done", ["jp-muni.duty"])
    assert desk["jpn"].staff("escalation")[-1]["says"].endswith("which has the alert, is told")
    assert [t["unit"] for t in desk.tasks("jpn", "acknowledge")] == ["jp-muni"]
    (recipient,) = (r for r in reach(desk, alert["identifier"])["recipients"] if r["unit"] == "jp-muni")
    assert recipient["acknowledged_ms"] is None, (
        "that somebody above knows is no acknowledgement of the unit's"
    )
