"""Groups of clients of Cursor on Target: each sees what all of its partners may have; ends take away what was drawn."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
import pytest

from noroshi.gateways.cot import CotEvent, defects, detail_of, read_event
from noroshi.messages import key_id
from noroshi.messages.bodies import AcknowledgementBody, DecisionBody, RecallBody, RemarkBody
from noroshi.messages.kinds import Lane
from noroshi.node import Node, warn
from noroshi.node import groups as groups_stage
from noroshi.node.inputs import CapGiven, Gateways, GroupHeard, GroupRow, Received
from noroshi.node.work import Work
from noroshi.review import open_log
from noroshi.sharing.policy import Rule, Terms
from tests.incidents import test_notices as notices
from tests.node.agency import cap
from tests.node.alike import differences
from tests.node.scene import Scene, envelopes, places
from tests.node.test_alerting import warning_body
from tests.node.test_policing import give, policy_of, terms

OWN, ALLIES, ALL = ("JPN",), ("JPN", "USA"), ("JPN", "KOR", "USA")
DUTY = "jp-fdma.duty"


def groups(scene: Scene, node: str = "jpn", **partners: tuple[str, ...]) -> str:
    """Gives a node these groups; its answer. The duty post may speak through the group `staff`."""
    key = key_id(scene[node].seat(DUTY).certificate.public) if node == "jpn" else b""
    rows = tuple(
        GroupRow(name=name, partners=audience, posts=((DUTY, key),) if name == "staff" and key else ())
        for name, audience in partners.items()
    )
    return scene[node].take(scene.now_ns, Gateways(groups=rows)).answer.outcome


def drawn(scene: Scene, group: str, node: str = "jpn") -> list[CotEvent]:
    """All that a group was sent, in order."""
    return [read_event(row.data) for row in scene[node].rows(f"gateway:cot-{group}")]


def on_screen(events: list[CotEvent]) -> dict[str, CotEvent]:
    """What a client draws after these events."""
    shown: dict[str, CotEvent] = {}
    for event in events:
        detail = detail_of(event)
        assert detail is not None
        if event.type == "t-x-d-d":
            link = detail.find("link")
            assert link is not None
            assert shown.pop(link.get("uid", "")).type == link.get("type")
        elif event.type == "b-a-o-can":
            assert shown.pop(event.uid).type.startswith("b-a-")
        else:
            shown[event.uid] = event
    return shown


@cache
def alerted() -> Scene:
    """Japan has warned and alerted; its staff, and those of all three, have a group each."""
    scene = Scene("trilateral")
    assert groups(scene, staff=OWN, allies=ALLIES, all=ALL) == "accepted"
    scene.alert()
    return scene


@pytest.mark.slow
def test_a_group_sees_tracks_areas_warnings_and_alerts() -> None:
    scene = alerted()
    events = drawn(scene, "staff")
    assert {"a-u-P", "u-d-f", "b-a-o-pan", "b-a-o-tbl"} <= {one.type for one in events}
    for event in events:
        assert defects(event) == []
        detail = detail_of(event)
        assert detail is not None
        for one in detail.iter("contact", "remarks"):
            assert (one.get("callsign") or one.text or "").startswith("EXERCISE")
    track = next(one for one in reversed(events) if one.type == "a-u-P")
    assert track.point is not None
    assert 0.0 < float(track.point.ce) < 50_000.0
    assert (track.stale_ns or 0) - (track.time_ns or 0) <= 16e9, (
        "a track that nobody sees any more goes stale"
    )
    alert = next(one for one in events if one.type == "b-a-o-tbl")
    text = alert.xml.decode()
    assert all(f"[{language}]" in text for language in ("ja", "en", "ko"))


def test_each_row_is_conflated_under_the_uid_that_it_draws() -> None:
    for row in alerted()["jpn"].rows("gateway:cot-staff"):
        event = read_event(row.data)
        assert row.key == event.uid.removesuffix(".gone")
        assert (row.lane == 0) == event.type.startswith("b-a-")


def test_no_uid_of_one_group_tells_of_another() -> None:
    scene = alerted()
    uids = [{one.uid for one in drawn(scene, name)} for name in ("staff", "allies", "all")]
    assert len(set.union(*uids)) == sum(map(len, uids))
    own = {one.hex() for one in scene["jpn"].node.state.alerts}
    assert not [row for name in ("allies", "all") for row in scene["jpn"].rows(f"gateway:cot-{name}")
                if any(one.encode() in row.data for one in own)]  # fmt: skip


@pytest.mark.slow
def test_the_end_takes_away_exactly_what_was_drawn() -> None:
    scene = Scene("trilateral")
    groups(scene, staff=OWN)
    scene.alert()
    before = on_screen(drawn(scene, "staff"))
    assert {"b-a-o-tbl", "b-a-o-pan", "u-d-f", "a-u-P"} <= {one.type for one in before.values()}
    _end_warning(scene)
    scene.answer("jpn", scene.task("jpn", "retract-alert"))
    left = on_screen(drawn(scene, "staff"))
    assert {one.type for one in left.values()} <= {"a-u-P", "u-d-f"}
    assert not [uid for uid in left if ".warning" in uid or ".alert" in uid]
    _alone(scene, scene.at(1500.0))
    left = on_screen(drawn(scene, "staff"))
    assert not [one.type for one in left.values() if (one.stale_ns or 0) > scene.now_ns]
    assert not [uid for uid in left if uid.partition(".")[2].startswith(("track", "fall", "path"))]
    assert {"t-x-d-d", "b-a-o-can"} <= {one.type for one in drawn(scene, "staff")}


def _alone(scene: Scene, until_ns: int) -> None:
    """Japan's node goes on by itself."""
    side = scene["jpn"]
    while side.node.next_due_ns <= until_ns:
        scene.now_ns = max(scene.now_ns, side.node.next_due_ns)
        for timer in side.node.due(scene.now_ns):
            side.take(scene.now_ns, timer)
    scene.now_ns = until_ns


def _end_warning(scene: Scene) -> None:
    """Japan's node ends its warning as false."""
    side = scene["jpn"]
    state = side.node.state
    event = state.events.get(frozenset(OWN), 1)
    body = warning_body(scene, "Aomori", state="ended", reason="false")
    work = Work(state, scene.now_ns)
    work.record("note", b"\x80")
    warn._say_warning(work, event, body)
    side.batches.append(work.finish().batch)


@pytest.mark.slow
def test_a_partners_warning_is_shown_to_groups_of_its_label_only() -> None:
    scene = Scene("trilateral")
    groups(scene, "usa", staff=("USA",), two=("JPN", "USA"), korea=("KOR", "USA"))
    scene.alert()
    warned = {
        name: [
            one for one in drawn(scene, name, "usa") if one.type == "b-a-o-pan" and one.uid.startswith("JPN.")
        ]
        for name in ("staff", "two", "korea")
    }
    labels = [
        one.label.audience for one in envelopes(scene["jpn"].rows("partner:USA")) if one.kind == "warning"
    ]
    assert labels
    assert len(warned["staff"]) == len(warned["two"]) == len(labels)
    assert len(warned["korea"]) == sum("KOR" in one for one in labels)


@pytest.mark.slow
def test_a_recalled_warning_goes_from_the_screen() -> None:
    scene = Scene("trilateral")
    groups(scene, "usa", staff=("USA",))
    scene.watch(110.0)
    sent = [one for one in envelopes(scene["jpn"].rows("partner:USA")) if one.kind == "warning"][-1]
    before = on_screen(drawn(scene, "staff", "usa"))
    assert f"JPN.{sent.event.hex()}.warning" in before
    raw = scene.sealed(
        "jpn", "recall", RecallBody(of=sent.id, step="ask"), post="jp-cabsec.watch", audience=("JPN",)
    )
    assert scene.hand_in("jpn", "jp-cabsec.watch", raw).answer.outcome == "accepted"
    after = on_screen(drawn(scene, "staff", "usa"))
    assert not [uid for uid in after if uid.startswith(f"JPN.{sent.event.hex()}.warning")]


@pytest.mark.slow
def test_the_same_groups_again_change_nothing_and_others_end_what_was_drawn() -> None:
    scene = Scene("trilateral")
    assert groups(scene, staff=OWN, all=ALL) == "accepted"
    scene.watch(110.0)
    assert on_screen(drawn(scene, "all"))
    assert groups(scene, staff=OWN, all=ALL) == "duplicate"
    assert groups(scene, staff=OWN) == "accepted"
    assert on_screen(drawn(scene, "all")) == {}
    assert on_screen(drawn(scene, "staff"))


@pytest.mark.parametrize("partners", [("USA",), ("JPN", "XXX"), ()])
def test_a_group_without_our_own_side_or_with_strangers_is_refused(partners: tuple[str, ...]) -> None:
    scene = Scene("trilateral")
    assert groups(scene, odd=partners) == "refused"
    assert scene["jpn"].node.state.groups == {}


def test_a_snapshot_holds_what_was_drawn() -> None:
    scene = alerted()
    side = scene["jpn"]
    again = Node.restore("jpn", side.node.snapshot(), [], side.member.secrets, places())
    assert again.state.groups == side.node.state.groups
    assert again.state.shown == side.node.state.shown != {}
    assert differences(again.state.shown, side.node.state.shown) == []


def test_another_agencys_alert_is_drawn_under_its_name_and_ended() -> None:
    scene = Scene("trilateral")
    groups(scene, staff=OWN, allies=ALLIES)
    sent_ns = scene.now_ns // 10**9 * 10**9
    scene["jpn"].take(scene.now_ns, CapGiven(party="feed:waves", raw=cap(sent_ns)))
    for name in ("staff", "allies"):
        (alert,) = (one for one in on_screen(drawn(scene, name)).values() if one.type == "b-a-g")
        assert b"Another agency: Agency of Waves" in alert.xml
        assert defects(alert) == []
        assert any(one.type == "u-d-f" for one in on_screen(drawn(scene, name)).values())
    end = cap(sent_ns + 10**9, identifier="wave-2", type_="Cancel", refers=(("wave-1", sent_ns),))
    scene["jpn"].take(scene.now_ns, CapGiven(party="feed:waves", raw=end))
    for name in ("staff", "allies"):
        assert on_screen(drawn(scene, name)) == {}


# --- words of clients ---------------------------------------------------------------------------------------------


def brought(scene: Scene, kind: str, body: Any, party: str = "gateway:cot-staff", post: str = DUTY) -> str:
    """What the node answers to a message of the duty post's gateway key."""
    raw = scene.sealed("jpn", kind, body, post=post, audience=("JPN",))
    return scene["jpn"].take(scene.now_ns, Received(party=party, number=0, raw=raw)).answer.reason


@pytest.mark.slow
def test_a_gateways_key_acknowledges_and_remarks_and_does_nothing_else() -> None:
    scene = Scene("trilateral")
    scene.alert()
    groups(scene, staff=OWN, all=ALL)
    assert drawn(scene, "staff")[0].type == "b-a-o-tbl", "a late group of our own staff is shown what stands"
    of = next(iter(scene["jpn"].node.state.alerts))
    unit = scene["jpn"].seat(DUTY).certificate.unit
    acknowledged = AcknowledgementBody(of=of, unit=unit, through="staff")
    assert (
        brought(scene, "acknowledgement", msgspec.structs.replace(acknowledged, through="all"))
        == "not-through-this-gateway"
    )
    assert (
        brought(scene, "acknowledgement", acknowledged, party="gateway:cot-all")
        == "not-this-gateways-message"
    )
    silent = AcknowledgementBody(of=of, unit=unit)
    assert brought(scene, "acknowledgement", silent, party=f"post:{DUTY}") == "not-through-this-gateway"
    for case, party in ((b"c", "gateway:cot-staff"), (b"d", f"post:{DUTY}")):
        decision = DecisionBody(case=case * 16, decision="x", step="concurrence", unit=unit, outcome="concur")
        assert brought(scene, "decision", decision, party=party) == "gateway-may-not"
    recall = RecallBody(of=of, step="ask")
    assert brought(scene, "recall", recall) == "gateway-may-not"
    other = "jp-pm.duty"
    claims = AcknowledgementBody(of=of, unit=scene["jpn"].seat(other).certificate.unit, through="staff")
    assert brought(scene, "acknowledgement", claims, party=f"post:{other}", post=other) == "names-a-gateway"
    claims = msgspec.structs.replace(claims, through=msgspec.UNSET)
    assert brought(scene, "acknowledgement", claims, post=other) == "not-this-gateways-message"
    assert brought(scene, "acknowledgement", acknowledged) == ""
    assert brought(scene, "remark", RemarkBody(unit=unit, text="seen", through="staff")) == ""
    said = [row["says"] for row in scene["jpn"].staff("acknowledgement", "remark")]
    assert f"{DUTY} (JPN) acknowledged" in said[-2]
    assert said[-2].endswith("through the TAK group staff")
    assert "through the TAK group staff: seen" in said[-1]
    scene["jpn"].restart()


def test_what_the_shell_sees_of_clients_is_shown_to_the_staff() -> None:
    scene = Scene("trilateral")
    groups(scene, staff=OWN)
    told = GroupHeard(
        group="staff", clients=3, counts={"malformed:no-event": 2}, news="2 malformed: no-event"
    )
    scene["jpn"].take(scene.now_ns, told)
    row = scene["jpn"].staff("gateway")[-1]
    assert (row["clients"], row["counts"], row["says"]) == (
        3, {"malformed:no-event": 2}, "TAK group staff: 2 malformed: no-event",
    )  # fmt: skip
    scene["jpn"].take(scene.now_ns, GroupHeard(group="none", clients=1, counts={}))
    assert scene["jpn"].refusals()[-1] == "unknown-group"
    assert open_log("jpn", scene["jpn"].records()).entries


@pytest.mark.slow
def test_what_a_group_may_not_have_changes_nothing_that_it_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(*, hidden: bool) -> list[tuple[Any, ...]]:
        scene = Scene("before")
        groups(scene, "usa", japan=("JPN", "USA"))
        scene.watch(105.0, only=lambda look: hidden or look.node != "kor")
        rows = scene["usa"].rows("gateway:cot-japan")
        return [(row.number, row.now_ns, row.key, row.data) for row in rows]

    with_it, without = seen(hidden=True), seen(hidden=False)
    assert len(with_it) > 5
    assert with_it == without
    with monkeypatch.context() as patch:
        patch.setattr(groups_stage, "_of_audience", lambda state, audience: iter(state.groups.values()))
        assert seen(hidden=True) != without, "a leak that is planted is found"


# --- groups that come late, and what they may no longer see --------------------------------------------------------


def whole(scene: Scene, **partners: tuple[str, ...]) -> str:
    """Gives Japan these groups, as nodes do that show them all that stands."""
    rows = tuple(GroupRow(name=name, partners=audience, whole=True) for name, audience in partners.items())
    return scene["jpn"].take(scene.now_ns, Gateways(groups=rows)).answer.outcome


def standing(scene: Scene, group: str) -> dict[str, str]:
    """What a client of a group draws that is not stale, by uid: its type."""
    shown = on_screen(drawn(scene, group))
    return {uid: one.type for uid, one in shown.items() if (one.stale_ns or 0) > scene.now_ns}


@pytest.mark.slow
def test_a_group_that_is_set_down_late_sees_what_others_of_its_audience_see() -> None:
    scene = Scene("trilateral")
    groups(scene, early=OWN, allies=ALLIES)
    scene.alert()
    sent_ns = scene.now_ns // 10**9 * 10**9
    scene["jpn"].take(scene.now_ns, CapGiven(party="feed:waves", raw=cap(sent_ns)))
    before = {"staff": standing(scene, "early"), "friends": standing(scene, "allies")}
    assert {"a-u-P", "u-d-f", "b-a-o-pan", "b-a-o-tbl", "b-a-g"} <= set(before["staff"].values())
    assert whole(scene, staff=OWN, friends=ALLIES) == "accepted"
    for name, shown in before.items():
        assert standing(scene, name) == shown
    rows = [read_event(row.data) for row in scene["jpn"].rows("gateway:cot-staff")]
    assert not [one for one in rows if defects(one)]
    assert whole(scene, staff=OWN, friends=ALLIES) == "duplicate"
    side = scene["jpn"]
    again = Node.restore("jpn", side.node.snapshot(), [], side.member.secrets, places())
    assert differences(again.state.standing, side.node.state.standing) == []


@pytest.mark.slow
def test_an_audience_without_a_picture_gets_that_of_more_partners() -> None:
    scene = Scene("trilateral")
    scene.watch(110.0)
    state = scene["jpn"].node.state
    korea = frozenset(("JPN", "KOR"))
    assert korea not in state.picture_audiences()
    assert frozenset(ALL) in state.event_audiences()
    assert whole(scene, korea=("JPN", "KOR")) == "accepted"
    (event,) = state.events.active(korea)
    wide = next(one for one in state.events.active(frozenset(ALL)) if one.estimate.rows)
    assert event.estimate is wide.estimate
    assert "a-u-P" in standing(scene, "korea").values()
    uids = set(standing(scene, "korea"))
    scene.watch(116.0)
    assert event.estimate.rows >= wide.estimate.rows > 0
    assert uids <= set(on_screen(drawn(scene, "korea")))


@pytest.mark.slow
def test_what_a_group_may_no_longer_see_goes_without_a_word() -> None:
    scene = Scene("trilateral")
    whole(scene, staff=OWN, allies=ALLIES)
    tear_line = Rule(id="tear-line", to=("USA",), effect="declare", kinds=("warning",))
    give(scene, "jpn", policy_of(scene, "jpn", rules=(tear_line,)), deliver=False)
    scene.alert()
    shown, own = standing(scene, "allies"), standing(scene, "staff")
    assert {"a-u-P", "b-a-o-pan"} <= set(shown.values())
    assert {one.what for one in scene["jpn"].node.state.standing.values()} >= {"warning", "declared", "alert"}
    count = len(scene["jpn"].rows("gateway:cot-allies"))
    gone = terms(scene, "jpn", USA=Terms(terms="removed"))
    give(scene, "jpn", policy_of(scene, "jpn", partners=gone), deliver=False)
    after = scene["jpn"].rows("gateway:cot-allies")[count:]
    events = [read_event(row.data) for row in after]
    assert {one.type for one in events} == {"t-x-d-d"}
    assert all(b"remarks" not in one.xml and b"callsign" not in one.xml for one in events)
    assert standing(scene, "allies") == {}
    assert standing(scene, "staff") == own
    lanes = {row.key: row.lane for row in after}
    assert {lanes[uid] for uid, type_ in shown.items() if type_.startswith("b-a-")} == {Lane.WARNING}, (
        "or what is drawn anew is sent first, and then taken away"
    )


def test_announced_launches_are_drawn_for_those_who_may_know_and_wiped() -> None:
    scene = Scene(coalition=notices.coalition("H4-norway"))
    whole(scene, staff=OWN, both=("JPN", "KOR"))
    body = notices.notice(scene)
    assert notices.give(scene, body).answer.outcome == "accepted"
    for name in ("staff", "both"):
        (found,) = on_screen(drawn(scene, name)).values()
        assert (found.type, defects(found)) == ("u-d-f", [])
        assert b"An announcement, no warning" in found.xml
        assert b'kind="notice"' in found.xml
    assert whole(scene, staff=OWN, late=("JPN", "KOR")) == "accepted"
    assert len(on_screen(drawn(scene, "late"))) == 1
    withdrawn = msgspec.structs.replace(body, number=2, step="withdrawn")
    assert notices.give(scene, withdrawn).answer.outcome == "accepted"
    assert on_screen(drawn(scene, "staff")) == on_screen(drawn(scene, "late")) == {}
    assert whole(scene, staff=OWN, latest=("JPN", "KOR")) == "accepted"
    assert drawn(scene, "latest") == []
