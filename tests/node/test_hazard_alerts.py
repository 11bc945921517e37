"""Public alerts on another agency's word: drafted where the root says so, signed, updated, ended; and all that is
not.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import pytest

from noroshi.clock import seconds, to_iso
from noroshi.command.alerts import approval_defect, digest_of
from noroshi.command.hazard_rules import AgencyName, HazardAutomatic, HazardRule
from noroshi.command.posts import alert_request
from noroshi.gateways.cap_read import read_cap
from noroshi.messages import Label
from noroshi.messages.bodies import AlertBody, CitedRow
from noroshi.messages.bodies_hazard import HazardBody
from noroshi.messages.canonical import encode
from noroshi.node.inputs import CapGiven, Gateways, GroupRow
from noroshi.node.saved import Saved, fill, save
from noroshi.node.state import State
from noroshi.sharing import CAP_GATEWAY
from tests.node.agency import SENDER, cap
from tests.node.scene import Scene, places, replayed
from tests.node.test_alert_rules import warrant
from tests.node.test_alerting import WATCH
from tests.warning.test_hazard_areas import own_list

S = seconds(1.0)
COAST = "<polygon>39.0,141.0 39.0,142.5 41.5,142.5 41.5,141.0 39.0,141.0</polygon>"
SOUTH = "<polygon>36.0,140.0 36.0,141.5 41.5,142.5 41.5,140.0 36.0,140.0</polygon>"
FEED = "feed:waves"
RULE: dict[str, Any] = {
    "senders": (SENDER,),
    "name": AgencyName(en="Agency of Waves", ja="波の庁", ko="파도청"),
    "hazard": "tsunami",
    "entrances": (FEED,),
    "events": ("Tsunami*",),
}


def rule(**changes: Any) -> HazardRule:
    return HazardRule(**RULE | changes)


def scene_with(*rules: HazardRule, **more: Any) -> Scene:
    """Three nodes, and a warrant of Japan's root with these rules."""
    scene = Scene("trilateral")
    assert warrant(scene, hazards=rules or (rule(),), **more) == ""
    return scene


def now(scene: Scene) -> int:
    return scene.now_ns // S * S


def give(scene: Scene, raw: bytes, node: str = "jpn", party: str = FEED, **more: Any) -> str:
    commit = scene[node].take(scene.now_ns, CapGiven(party=party, raw=raw, **more))
    scene.pump()
    return commit.answer.reason or commit.answer.outcome


def file(scene: Scene, sent_ns: int | None = None, **changes: Any) -> bytes:
    return cap(now(scene) if sent_ns is None else sent_ns, **{"area": COAST} | changes)


def sign(scene: Scene) -> AlertBody:
    """The two posts sign what waits; the newest alert."""
    scene.answer("jpn", scene.task("jpn", "originate-alert"))
    scene.answer("jpn", scene.task("jpn", "approve-alert"))
    return alerts(scene)[-1]


def alarms(scene: Scene) -> list[str]:
    """What is raised now."""
    raised: dict[str, str] = {}
    for row in scene["jpn"].staff("alarm"):
        raised[row["alarm"]] = row["what"] if row["state"] == "raised" else ""
    return [what for what in raised.values() if what]


def alerts(scene: Scene) -> list[AlertBody]:
    return list(scene["jpn"].node.state.alerts.values())


def cited(alert: AlertBody) -> CitedRow:
    """What an alert rests on."""
    assert isinstance(alert.hazard, CitedRow)
    return alert.hazard


def drafts(scene: Scene) -> list[dict[str, Any]]:
    return scene.tasks("jpn", "originate-alert")


def test_it_is_drafted_signed_by_two_and_ended_to_the_same_on_the_agencys_word() -> None:
    scene = scene_with()
    at = now(scene)
    raw = file(scene)
    assert give(scene, raw) == "accepted"
    task = scene.task("jpn", "originate-alert")
    shown = task["answer"]["shown"] if "shown" in task["answer"] else task["shown"]
    assert shown["hazard"]["agency"] == "Agency of Waves"
    assert shown["hazard"]["headline"] == "EXERCISE EXERCISE. Waves of three metres"
    assert {"Aomori", "Iwate"} <= set(shown["hazard"]["ours"])
    assert "Tokyo" not in shown["hazard"]["ours"]
    assert not scene.tasks("kor", "originate-alert")
    alert = sign(scene)
    assert (alert.type, cited(alert).identifier, cited(alert).file) == (
        "Alert",
        "wave-1",
        sha256(raw).digest(),
    )
    assert {area.kind for area in alert.areas} == {"hazard"}
    assert all((area.from_ns, area.to_ns) == (at, at + seconds(3600.0)) for area in alert.areas)
    assert alert.expires_ns == at + seconds(3600.0)
    texts = {one.language: one for one in alert.texts}
    assert "Agency of Waves has issued a tsunami warning" in texts["en"].description
    assert "波の庁" in texts["ja"].description
    assert "파도청" in texts["ko"].description
    assert "Waves of three metres" not in str(
        alert.texts
    )  # nothing of the agency's own words is said in our name
    file_ = read_cap(scene["jpn"].rows(CAP_GATEWAY)[-1].data)
    (info, *_) = [one for one in file_.infos if one.language == "en-US"]
    assert (info.event, info.severity, info.certainty, info.categories) == (
        "EXERCISE: Tsunami warning", "Extreme", "Likely", ("Geo",),
    )  # fmt: skip
    end = cap(at + S, identifier="wave-2", type_="Cancel", refers=(("wave-1", at),))
    scene.now_ns += 2 * S
    assert give(scene, end) == "accepted"
    scene.answer("jpn", scene.task("jpn", "retract-alert"))
    ended = alerts(scene)[-1]
    assert (ended.type, ended.reason) == ("Cancel", "superseded")
    assert sorted(ended.recipients) == sorted(alert.recipients)
    assert {area.region for area in ended.areas} == {area.region for area in alert.areas}
    assert "on the word of Agency of Waves" in {one.language: one for one in ended.texts}["en"].description
    for node in ("kor", "usa"):
        assert scene[node].refusals() == []
    again = replayed(scene["jpn"].member, scene["jpn"].records())
    assert again.state.hazard_matters == scene["jpn"].node.state.hazard_matters


def test_what_no_rule_covers_is_shown_and_nothing_more() -> None:
    scene = scene_with(
        rule(severity="Extreme"), rule(areas=("JP/Okinawa*",)), rule(units=("jp-fdma",)), rule(entrances=())
    )
    far = "<polygon>10,150 10,151 11,151 11,150 10,150</polygon>"
    assert give(scene, file(scene, identifier="mild", severity="Severe")) == "accepted"
    assert give(scene, file(scene, identifier="far", area=far)) == "accepted"
    assert give(scene, file(scene, identifier="nowhere", area="")) == "accepted"
    assert give(scene, file(scene, identifier="real", status="Actual")) == "wrong-status"
    assert give(scene, file(scene, identifier="test", status="Test")) == "wrong-status"
    assert len(scene["jpn"].staff("hazard")) == 3
    assert not drafts(scene)
    for only in (rule(areas=("JP/Okinawa*",)), rule(units=("jp-fdma",))):
        other = scene_with(only)
        assert give(other, file(other)) == "accepted"
        assert not drafts(other)


def test_only_a_trusted_way_drafts_and_a_later_trusted_one_does() -> None:
    scene = scene_with()
    raw = file(scene)
    assert give(scene, raw, party="hand:duty") == "accepted"
    assert not drafts(scene)
    assert give(scene, raw, "usa", party="feed:waves", signature="signed") == "duplicate"
    assert not drafts(scene)
    assert give(scene, raw) == "duplicate"
    assert len(drafts(scene)) == 1
    assert give(scene, raw) == "duplicate"
    assert len(drafts(scene)) == 1
    signed = scene_with(rule(entrances=()))
    assert give(signed, file(signed), party="hand:duty", signature="signed") == "accepted"
    assert len(drafts(signed)) == 1


def test_a_partners_check_counts_only_where_it_is_named() -> None:
    for partners, wanted in (((), 0), (("USA",), 1)):
        scene = scene_with(rule(partners=partners))
        assert give(scene, file(scene), "usa", signature="signed") == "accepted"
        assert len(drafts(scene)) == wanted
    unsigned = scene_with(rule(partners=("USA",)))
    assert give(unsigned, file(unsigned), "usa") == "accepted"
    assert not drafts(unsigned)


def test_who_is_not_trusted_changes_nothing_and_raises_an_alarm() -> None:
    scene = scene_with()
    at = now(scene)
    give(scene, file(scene))
    end = cap(at, identifier="wave-9", type_="Cancel", refers=(("wave-1", at),))
    assert give(scene, end, party="hand:somebody") == "accepted"
    assert len(drafts(scene)) == 1
    assert alarms(scene) == ["hazard-change-unverified"]
    assert give(scene, end) == "duplicate"
    assert not drafts(scene)
    late = scene_with()
    early = cap(now(late), identifier="wave-9", type_="Cancel", refers=(("wave-1", now(late)),))
    give(late, early, party="hand:somebody")
    assert give(late, file(late)) == "accepted"
    assert not drafts(late)
    assert alarms(late) == ["hazard-ended-unverified"]


def test_an_update_changes_the_draft_and_what_stands_and_an_end_before_it_drafts_nothing() -> None:
    scene = scene_with()
    at = now(scene)
    give(scene, file(scene))
    (first,) = drafts(scene)
    scene.answer("jpn", first)
    wider = cap(at + S, identifier="wave-2", type_="Update", refers=(("wave-1", at),), area=SOUTH)
    scene.now_ns += 2 * S
    give(scene, wider)
    assert not scene.tasks("jpn", "approve-alert")
    (second,) = drafts(scene)
    assert "Fukushima" in second["title"]
    alert = sign(scene)
    assert (alert.type, cited(alert).identifier) == ("Alert", "wave-2")
    same = cap(
        at + 2 * S,
        identifier="wave-3",
        type_="Update",
        refers=(("wave-2", at + S),),
        area=SOUTH,
        for_s=3599.0,
    )
    scene.now_ns += S
    give(scene, same.replace(b"urgency>Immediate", b"urgency>Expected"))
    narrower = cap(
        at + 3 * S, identifier="wave-4", type_="Update", refers=(("wave-3", at + 2 * S),), area=COAST
    )
    scene.now_ns += S
    give(scene, narrower)
    update = sign(scene)
    assert (update.type, update.references) == ("Update", [alert.identifier])
    assert "It now concerns" in {one.language: one for one in update.texts}["en"].description
    lower = cap(
        at + 4 * S, identifier="wave-5", type_="Update", refers=(("wave-4", at + 3 * S),), severity="Minor"
    )
    scene.now_ns += S
    give(scene, lower)
    scene.answer("jpn", scene.task("jpn", "retract-alert"))
    assert {area.region for area in alerts(scene)[-1].areas} == {area.region for area in alert.areas}
    ahead = scene_with()
    give(ahead, cap(now(ahead) + S, identifier="wave-2", type_="Cancel", refers=(("wave-1", now(ahead)),)))
    assert give(ahead, file(ahead)) == "accepted"
    assert not drafts(ahead)
    assert not alarms(ahead)


@pytest.mark.parametrize(
    ("type_", "info", "reason"),
    [
        ("Error", b"<certainty>Likely", "false"),
        ("Cancel", b"<responseType>AllClear</responseType><certainty>Observed", "passed"),
    ],
)
def test_the_reason_of_the_end_is_what_the_agency_itself_has_said(
    type_: str, info: bytes, reason: str
) -> None:
    scene = scene_with()
    at = now(scene)
    give(scene, file(scene))
    sign(scene)
    scene.now_ns += 2 * S
    end = cap(at + S, identifier="wave-2", type_=type_, refers=(("wave-1", at),))
    response, _, certainty = info.rpartition(b"<certainty>")
    end = end.replace(b"<event>", b"<event>").replace(b"<certainty>Likely", b"<certainty>" + certainty)
    end = end.replace(b"<urgency>", response + b"<urgency>")
    assert give(scene, end) == "accepted"
    scene.answer("jpn", scene.task("jpn", "retract-alert"))
    ended = alerts(scene)[-1]
    assert ended.reason == reason
    words = {one.language: one for one in ended.texts}["en"]
    assert "Agency of Waves" in words.description
    assert "observed" not in words.description


def test_a_draft_that_nobody_signs_is_dropped_when_the_agency_ends_it_or_it_runs_out() -> None:
    scene = scene_with()
    at = now(scene)
    give(scene, file(scene))
    give(scene, cap(at, identifier="wave-2", type_="Cancel", refers=(("wave-1", at),)))
    assert not scene.tasks("jpn", "originate-alert")
    assert not scene.tasks("jpn", "retract-alert")
    short = scene_with()
    give(short, file(short, for_s=60.0))
    short.run_to(short.now_ns + 61 * S)
    assert not drafts(short)
    assert short["jpn"].staff("hazard-alert")[-1]["state"] == "run-out"


def test_what_a_person_has_taken_back_is_asked_again_only_for_new_areas() -> None:
    scene = scene_with()
    at = now(scene)
    give(scene, file(scene))
    sign(scene)
    state = scene["jpn"].node.state
    ready = next(row for row in scene["jpn"].staff("correction") if row["reason"] == "false")
    scene.answer("jpn", {"id": "back", **ready}, post=WATCH)
    assert alerts(scene)[-1].type == "Cancel"
    scene.now_ns += 2 * S
    graver = cap(
        at + S, identifier="wave-2", type_="Update", refers=(("wave-1", at),), area=COAST, for_s=7200.0
    )
    give(scene, graver)
    assert not drafts(scene)
    scene.now_ns += S
    give(
        scene, cap(at + 2 * S, identifier="wave-3", type_="Update", refers=(("wave-2", at + S),), area=SOUTH)
    )
    assert len(drafts(scene)) == 1
    assert state.hazard_matters[-1].keys


def ask(scene: Scene, *regions: str) -> tuple[str, str]:
    scene.now_ns += S
    raw = alert_request(scene["jpn"].seat(WATCH), [("JP", one) for one in regions], "fall", scene.now_ns)
    reason = scene.hand_in("jpn", WATCH, raw).answer.reason
    return reason, scene["jpn"].staff("refusal")[-1]["detail"] if reason else ""


def test_an_alert_wider_than_the_hazard_is_refused_with_the_widest_that_would_pass() -> None:
    scene = scene_with()
    assert ask(scene, "Aomori")[0] == "no-warning"
    give(scene, file(scene))
    reason, detail = ask(scene, "Aomori", "Tokyo")
    assert (reason, detail.partition(": ")[2]) == ("wider-than-warning", "the widest that would pass: Aomori")
    assert ask(scene, "Aomori") == ("", "")
    alert = sign(scene)
    assert [area.region for area in alert.areas] == ["Aomori"]
    assert cited(alert).sender == SENDER


def test_what_was_not_said_to_the_public_waits_for_a_declared_release() -> None:
    scene = scene_with()
    give(scene, file(scene, scope="Restricted"))
    assert not drafts(scene)
    assert alarms(scene) == ["hazard-not-public"]
    assert scene["jpn"].staff("hazard-alert")[-1]["held"] is True
    assert ask(scene, "Aomori")[0] == "no-warning"
    assert warrant(scene, 2, hazards=(rule(restricted=True),)) == ""
    assert alarms(scene) == []
    task = scene.task("jpn", "originate-alert")
    assert warrant(scene, 3, hazards=(rule(),)) == ""
    assert scene.answer("jpn", task).answer.reason == "needs-a-release"


def test_a_partners_label_holds_it_whatever_our_root_says() -> None:
    scene = scene_with(rule(partners=("USA",), restricted=True))
    raw = file(scene)
    body = HazardBody(cap=raw, sender=SENDER, identifier="wave-1", sent_ns=now(scene), signature="signed")
    sealed = scene.sealed("usa", "hazard", body, label=Label("restricted", ("JPN", "KOR", "USA")))
    assert scene.bring("usa", "jpn", sealed).answer.outcome == "accepted"
    assert not drafts(scene)
    assert alarms(scene) == ["hazard-not-public"]
    assert give(scene, raw) == "duplicate"  # our own feed has it from the agency itself
    assert scene.answer("jpn", scene.task("jpn", "originate-alert")).answer.outcome == "accepted"


def test_it_goes_out_by_itself_only_where_declared_and_with_too_little_time() -> None:
    for below_s, left_s, wanted in ((120.0, 60.0, 1), (120.0, 600.0, 0), (0.0, 60.0, 0)):
        terms = HazardAutomatic(below_s=below_s) if below_s else None
        scene = scene_with(rule(automatic=terms))
        onset = cap(now(scene), area=COAST).replace(
            b"<expires>", b"<onset>%b</onset><expires>" % _time(scene, left_s)
        )
        assert give(scene, onset) == "accepted"
        assert len(alerts(scene)) == wanted
        if wanted:
            (alert,) = alerts(scene)
            assert alert.automatic is True
            assert "automatically" in str(alert.texts)
            assert scene.tasks("jpn", "stop-alert")
        elif below_s:
            scene.run_to(scene.now_ns + seconds(left_s - below_s) + S)
            assert len(alerts(scene)) == 1


def _time(scene: Scene, after_s: float) -> bytes:
    return to_iso(now(scene) + seconds(after_s), digits=0).replace("Z", "-00:00").encode()


def test_a_partner_that_has_checked_the_same_file_stands_for_the_second_person() -> None:
    for changes, wanted in (({}, 1), ({"signature": "unsigned"}, 0), ({"fresh": False}, 0)):
        scene = scene_with(second_by_partner=True)
        raw = file(scene)
        scene.cut = {("jpn", "usa"), ("jpn", "kor")}
        give(scene, raw)
        give(scene, raw, "usa", signature=changes.get("signature", "signed"))
        scene.cut = set()
        if not changes.get("fresh", True):
            scene.now_ns += seconds(61.0)
        scene.answer("jpn", scene.task("jpn", "originate-alert"))
        scene.pump()
        assert len(alerts(scene)) == wanted
        if wanted:
            (alert,) = alerts(scene)
            trust = scene["kor"].node.state.trust
            assert approval_defect(alert, trust, scene.now_ns, origin="JPN") == ""
            other = msgspec.structs.replace(cited(alert), file=bytes(32))
            forged = msgspec.structs.replace(alert, hazard=other)
            forged = msgspec.structs.replace(forged, digest=digest_of(forged))
            assert approval_defect(forged, trust, scene.now_ns, origin="JPN") != ""


def test_nobody_abroad_believes_an_alert_on_a_word_that_no_root_has_warranted() -> None:
    scene = scene_with()
    give(scene, file(scene))
    alert = sign(scene)
    trust = scene["kor"].node.state.trust
    assert approval_defect(alert, trust, scene.now_ns, origin="JPN") == ""
    for changes in (
        {"warrant": msgspec.UNSET},
        {"hazard": msgspec.structs.replace(cited(alert), sender="x@y")},
    ):
        bad = msgspec.structs.replace(alert, **changes)
        bad = msgspec.structs.replace(bad, digest=digest_of(bad))
        assert approval_defect(bad, trust, scene.now_ns, origin="JPN") == "hazard-not-warranted"


def test_a_name_that_claims_the_other_realm_is_never_said() -> None:
    scene = scene_with(rule(name=AgencyName(en="This is not a drill Agency", ja="庁", ko="청")))
    give(scene, file(scene))
    assert not drafts(scene)
    assert alarms(scene) == ["agencys-name-unfit"]


def test_a_snapshot_holds_it_and_a_record_without_rules_is_as_it_was() -> None:
    scene = scene_with()
    give(scene, file(scene))
    side = scene["jpn"]
    kept: dict[bytes, bytes] = {}

    def put(data: bytes, digest: bytes = b"") -> bytes:
        kept[sha256(data).digest()] = data
        return sha256(data).digest()

    saved = msgspec.msgpack.decode(msgspec.msgpack.encode(save(side.node.state, put)), type=Saved)
    fresh = State(side.member.genesis, side.member.secrets, places())
    fill(fresh, saved, kept.__getitem__)
    assert fresh.hazard_matters == side.node.state.hazard_matters != {}
    assert [one.trusted for one in fresh.hazards] == [True]


def test_the_alert_carries_nothing_of_the_agencys_own_words_and_no_id_of_a_partners_message() -> None:
    scene = scene_with(rule(partners=("USA",)))
    give(scene, file(scene), "usa", signature="signed")
    said = encode(sign(scene))
    matter = scene["jpn"].node.state.hazard_matters[-1]
    assert matter.cited.identifier.encode() in said
    assert matter.message not in said
    assert matter.headline.encode() not in said


def test_geocodes_alone_are_drawn_and_alerted_as_the_own_areas_that_carry_them() -> None:
    scene = scene_with()
    state = scene["jpn"].node.state
    state.take_areas(own_list(scene.now_ns + 3600 * S))
    scene["jpn"].take(scene.now_ns, Gateways(groups=(GroupRow(name="own", partners=("JPN",)),)))
    code = "<geocode><valueName>zone</valueName><value>{}</value></geocode>"
    assert give(scene, file(scene, area=code.format("S1") + code.format("X9"))) == "accepted"
    row = scene["jpn"].staff("hazard")[-1]
    assert row["by_geocode"] == ["South"]
    assert row["rings"][0][0] == [130.0, 30.0]
    assert row["codes"] == ["zone=S1", "zone=X9"]
    assert drafts(scene)[-1]["title"] == "Originate the alert for South"
    shapes = [uid for uid in state.shown["own"] if uid.startswith("hazard.") and ".area" in uid]
    assert len(shapes) == 1
