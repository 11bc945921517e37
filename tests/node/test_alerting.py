"""The public alert at its node: drafts that grow, lapse, are refused, come back; what carries an alert, and its end."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from noroshi.command.alerts import CANCEL, approval_defect
from noroshi.command.posts import answer
from noroshi.gateways.cap_own import check_own
from noroshi.messages import key_id
from noroshi.messages.bodies import AcknowledgementBody, AreaRow, DecisionBody, WarningBody
from noroshi.messages.keys import Bundle, Revocation, Revoked, bundle_bytes, signed
from noroshi.node import alerting
from noroshi.node.inputs import CapGiven, Publishing
from noroshi.node.work import Work
from noroshi.review import measure, open_log
from noroshi.sharing import CAP_GATEWAY, Audience
from tests.node.scene import Scene, envelopes

JPN = frozenset({"JPN"})
WATCH, APPROVER = "jp-cabsec.watch", "jp-cabsec.approver"


@pytest.fixture
def desk() -> Scene:
    """Japan's node with an event of which nobody has been warned."""
    scene = Scene("trilateral").watch(86.3)
    assert scene["jpn"].node.state.events.of(JPN)
    assert not scene.tasks("jpn")
    return scene


def warning_body(
    scene: Scene, *regions: str, state: str = "issued", reason: str = "", country: str = "JP", **changes: Any
) -> WarningBody:
    """A warning of these regions as of now."""
    areas = [
        AreaRow(
            kind="pass",
            region=region,
            country=country,
            probability=0.9,
            from_ns=scene.now_ns + 10**11,
            to_ns=scene.now_ns + 2 * 10**11,
            people=1000,
            places=[],
        )
        for region in regions
    ]
    fields: dict[str, Any] = {
        "number": 1,
        "state": state,
        "basis": "one-kind",
        "sensings": ["radar"],
        "partners": ["JPN", "KOR"],
        "first_observed_ns": scene.now_ns,
        "last_observed_ns": scene.now_ns,
        "valid_until_ns": scene.now_ns + 10**12,
        "areas": areas,
        "corridor": [],
        "reason": reason,
    }
    return WarningBody(**fields | changes)


def warn(scene: Scene, *regions: str, state: str = "issued", reason: str = "", **changes: Any) -> None:
    """Japan's own warning says this now; a second later it is that much later."""
    scene.now_ns += 10**9
    side = scene["jpn"]
    body = warning_body(scene, *regions, state=state, reason=reason, **changes)
    work = Work(side.node.state, scene.now_ns)
    work.record("note", b"\x80")
    alerting.warned(work, side.node.state.events.get(JPN, 1), body)
    side.batches.append(work.finish().batch)


def issue(scene: Scene) -> dict[str, Any]:
    scene.answer("jpn", scene.task("jpn", "originate-alert"))
    scene.answer("jpn", scene.task("jpn", "approve-alert"))
    return scene["jpn"].staff("alert")[-1]


def states(scene: Scene, action: str) -> list[str]:
    """The newest state of each task of this kind, the oldest task first."""
    newest: dict[str, str] = {}
    for row in scene["jpn"].staff("task"):
        if row["action"] == action:
            newest[row["task"]] = row["state"]
    return list(newest.values())


def test_a_growing_warning_replaces_the_draft_and_then_updates_the_alert(desk: Scene) -> None:
    warn(desk, "Aomori")
    first = desk.task("jpn", "originate-alert")
    desk.answer("jpn", first)
    warn(desk, "Aomori", state="updated")
    assert states(desk, "originate-alert") == ["done"]
    warn(desk, "Aomori", "Hokkaido", state="updated")
    assert states(desk, "originate-alert") == ["done", "open"]
    assert states(desk, "approve-alert") == ["expired"]
    again = answer(first["answer"], "", desk["jpn"].seat(APPROVER), desk.now_ns)
    assert desk.hand_in("jpn", APPROVER, again).answer.outcome == "refused"
    alert = issue(desk)
    assert [area["region"] for area in alert["areas"]] == ["Aomori", "Hokkaido"]
    assert (alert["alert_type"], alert["references"]) == ("Alert", [])
    warn(desk, "Hokkaido", state="updated")
    assert not desk.tasks("jpn", "originate-alert")
    warn(desk, "Hokkaido", "Iwate", state="updated")
    update = issue(desk)
    assert (update["alert_type"], update["references"]) == ("Update", [alert["identifier"]])
    files = desk["jpn"].rows(CAP_GATEWAY)
    assert [row.key for row in files] == [alert["identifier"], update["identifier"]]
    assert all(check_own(row.data).status == "Exercise" for row in files)


def test_an_end_goes_to_everybody_who_was_told_and_a_new_warning_is_a_new_alert(desk: Scene) -> None:
    warn(desk, "Aomori")
    alert = issue(desk)
    warn(desk, "Iwate", state="updated")
    update = issue(desk)
    warn(desk, "Iwate", state="ended", reason="superseded")
    desk.answer("jpn", desk.task("jpn", "retract-alert"))
    cancel = desk["jpn"].staff("alert")[-1]
    assert cancel["alert_type"] == "Cancel"
    assert [area["region"] for area in cancel["areas"]] == ["Aomori", "Iwate"], (
        "the end covers all that was alerted"
    )
    assert cancel["references"] == [alert["identifier"], update["identifier"]]
    assert cancel["recipients"] == alert["recipients"]
    # What was cancelled is over: a CAP `Alert` refers to nothing, and once could not be written for that.
    warn(desk, "Aomori")
    again = issue(desk)
    assert (again["alert_type"], again["references"]) == ("Alert", [])
    assert len({row["identifier"] for row in desk["jpn"].staff("alert")}) == 4


def test_a_warning_that_comes_back_keeps_the_alert_that_was_about_to_be_taken_back(desk: Scene) -> None:
    warn(desk, "Aomori")
    issue(desk)
    warn(desk, "Aomori", state="ended", reason="superseded")
    assert states(desk, "retract-alert") == ["open"]
    warn(desk, "Aomori")
    assert states(desk, "retract-alert") == ["expired"]
    assert not desk.tasks("jpn", "originate-alert")
    warn(desk, "Aomori", "Iwate", state="updated")
    assert issue(desk)["alert_type"] == "Update"


def test_taking_back_can_wait_for_as_long_as_the_alert_stands(desk: Scene) -> None:
    warn(desk, "Aomori")
    alert = issue(desk)
    warn(desk, "Aomori", state="ended", reason="false")
    task = desk.task("jpn", "retract-alert")
    assert task["deadline_ms"] == alert["expires_ms"]
    desk.run_to(desk.now_ns + 1000 * 10**9)
    desk.answer("jpn", task)
    assert desk["jpn"].staff("alert")[-1]["reason"] == "false"


def test_an_alert_that_is_over_by_itself_is_not_taken_back(desk: Scene) -> None:
    warn(desk, "Aomori")
    issue(desk)
    desk.run_to(desk.now_ns + 1801 * 10**9)
    warn(desk, "Aomori", state="ended", reason="false")
    assert not desk.tasks("jpn", "retract-alert")


@pytest.mark.parametrize("action", ["originate-alert", "approve-alert"])
def test_either_post_can_refuse_and_nothing_is_left_open(desk: Scene, action: str) -> None:
    warn(desk, "Aomori")
    if action == "approve-alert":
        desk.answer("jpn", desk.task("jpn", "originate-alert"))
    desk.answer("jpn", desk.task("jpn", action), "refuse")
    assert not desk.tasks("jpn", "originate-alert") + desk.tasks("jpn", "approve-alert")
    assert states(desk, action) == ["done"]
    assert not desk["jpn"].staff("alert")
    assert "refused the alert" in desk["jpn"].staff("decision")[-1]["says"]


def test_keeping_an_alert_leaves_it_as_it_is(desk: Scene) -> None:
    warn(desk, "Aomori")
    issue(desk)
    warn(desk, "Aomori", state="ended", reason="false")
    desk.answer("jpn", desk.task("jpn", "retract-alert"), "refuse")
    assert [row["alert_type"] for row in desk["jpn"].staff("alert")] == ["Alert"]
    assert not desk.tasks("jpn", "retract-alert")


def test_a_draft_lapses_with_its_tasks_and_the_next_news_asks_again(desk: Scene) -> None:
    warn(desk, "Aomori")
    desk.answer("jpn", desk.task("jpn", "originate-alert"))
    desk.run_to(desk.now_ns + 121 * 10**9)
    assert states(desk, "approve-alert") == ["expired"]
    assert desk["jpn"].refusals() == ["draft-expired"]
    warn(desk, "Aomori", state="updated")
    assert issue(desk)["alert_type"] == "Alert"


def test_a_signature_that_comes_after_the_deadline_is_too_late_whatever_time_it_names(desk: Scene) -> None:
    warn(desk, "Aomori")
    task = desk.task("jpn", "originate-alert")
    raw = answer(task["answer"], "", desk["jpn"].seat(WATCH), desk.now_ns)
    desk.now_ns += 121 * 10**9  # the timer has not been handed in yet
    assert desk.hand_in("jpn", WATCH, raw).answer.reason == "draft-expired"


def signature(scene: Scene, post: str, task: dict[str, Any], **changes: Any) -> bytes:
    """What a post signs under a draft, changed."""
    fields = task["answer"]
    body = DecisionBody(
        case=bytes.fromhex(fields["case"]),
        decision=fields["decision"],
        step=fields["step"],
        unit="jp-cabsec",
        outcome="" if fields["step"] == "request" else "decided",
        subject=bytes.fromhex(fields["subject"]),
    )
    audience = changes.pop("audience", ("JPN",))
    body = msgspec.structs.replace(body, **changes)
    return scene.sealed("jpn", "decision", body, post=post, audience=audience)


@pytest.mark.parametrize(
    ("post", "changes", "reason"),
    [
        ("jp-pref.duty", {}, "speaks-for-another-unit"),
        ("jp-pref.duty", {"unit": "jp-pref"}, "unknown-draft"),
        (WATCH, {"subject": b"x" * 32}, "unknown-draft"),
        (WATCH, {"decision": CANCEL}, "no-authority"),
        (WATCH, {"decision": "bilateral-consult"}, "no-authority"),
        (APPROVER, {}, "not-this-posts-duty"),
        (WATCH, {"audience": ("JPN", "USA")}, "label-too-wide"),
        (WATCH, {"outcome": "concur"}, "malformed-answer"),
        (WATCH, {"step": "concurrence", "outcome": "concur"}, "malformed-answer"),
        (APPROVER, {"step": "ruling", "outcome": ""}, "malformed-answer"),
        (WATCH, {"step": "ruling", "outcome": "decided"}, "not-this-posts-duty"),
    ],
)
def test_a_signature_that_does_not_count_leaves_the_draft_as_it_is(
    desk: Scene, post: str, changes: dict[str, Any], reason: str
) -> None:
    """A post of another unit once brought a draft to "issued" without an alert: it could never be issued then."""
    warn(desk, "Aomori")
    task = desk.task("jpn", "originate-alert")
    sent = sum(desk["jpn"].node.sent("partner:USA").upto)
    commit = desk.hand_in("jpn", post, signature(desk, post, task, **changes))
    assert (commit.answer.outcome, commit.answer.reason) == ("refused", reason)
    assert sum(desk["jpn"].node.sent("partner:USA").upto) == sent, "what may not be said has left"
    assert issue(desk)["alert_type"] == "Alert"


def test_approving_again_or_in_place_of_the_first_post_does_not_count(desk: Scene) -> None:
    warn(desk, "Aomori")
    task = desk.task("jpn", "originate-alert")
    early = signature(desk, APPROVER, task, step="ruling", outcome="decided")
    assert desk.hand_in("jpn", APPROVER, early).answer.reason == "draft-is-drafted"
    desk.answer("jpn", task)
    twice = signature(desk, WATCH, task, deadline_ns=1)
    assert desk.hand_in("jpn", WATCH, twice).answer.reason == "draft-is-originated"


def test_an_alert_whose_first_signature_no_longer_holds_is_not_issued(desk: Scene) -> None:
    warn(desk, "Aomori")
    desk.answer("jpn", desk.task("jpn", "originate-alert"))
    member = desk["jpn"].member
    gone = Revocation(
        realm=member.genesis.realm,
        partner="JPN",
        number=1,
        time_ns=desk.now_ns,
        keys=(Revoked(key=key_id(desk["jpn"].seat(WATCH).certificate.public)),),
    )
    scheme = desk["jpn"].node.state.scheme
    raw = bundle_bytes(Bundle(revocations=(signed(scheme, desk.root_secret("JPN"), gone),)))
    assert desk.control("jpn", raw).answer.outcome == "accepted"
    commit = desk.answer("jpn", desk.task("jpn", "approve-alert"))
    assert commit.answer.reason == "approval-revoked-key"
    assert not desk["jpn"].staff("alert")
    assert not desk["jpn"].rows(CAP_GATEWAY)
    warn(desk, "Aomori", state="updated")
    assert states(desk, "originate-alert") == ["done", "open"], "it is asked for again"


def test_only_recipients_acknowledge_an_alert_and_each_for_its_own_unit(desk: Scene) -> None:
    warn(desk, "Aomori")
    alert = issue(desk)
    of = bytes.fromhex(alert["id"])

    def acknowledge(post: str, unit: str, audience: tuple[str, ...] = ("JPN",)) -> str:
        body = AcknowledgementBody(of=of, unit=unit)
        raw = desk.sealed("jpn", "acknowledgement", body, post=post, audience=audience)
        return desk.hand_in("jpn", post, raw).answer.reason

    assert acknowledge("jp-fdma.duty", "jp-pref") == "speaks-for-another-unit"
    assert acknowledge("jp-mod.watch", "jp-mod") == "not-a-recipient"
    assert acknowledge("jp-fdma.duty", "jp-fdma", ("JPN", "USA")) == "label-too-wide"
    reach = desk["jpn"].staff("alert-reach")[-1]["recipients"]
    assert [row["unit"] for row in reach] == alert["recipients"]
    assert not any(row["acknowledged_ms"] for row in reach)
    desk.now_ns += 1000
    assert acknowledge("jp-fdma.duty", "jp-fdma") == ""
    (done,) = [row for row in desk["jpn"].staff("alert-reach")[-1]["recipients"] if row["acknowledged_ms"]]
    assert (done["unit"], done["by"]) == ("jp-fdma", "jp-fdma.duty")


def test_what_the_public_reads_beside_the_words_is_signed_with_them(
    desk: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Address and contact are part of what two persons sign; a profile that cannot be kept stops no alert."""
    state = desk["jpn"].node.state
    publishing = Publishing(web="https://alerts.example/jp", contact="Crisis centre", profile="ipaws")
    monkeypatch.setattr(state, "genesis", msgspec.structs.replace(state.genesis, publishing=publishing))
    warn(desk, "Aomori")
    issue(desk)
    (body,) = state.alerts.values()
    assert (body.web, body.contact) == (publishing.web, publishing.contact)
    other = msgspec.structs.replace(body, web="https://elsewhere.example")
    assert approval_defect(other, state.trust, desk.now_ns, origin="JPN") == "digest-differs"
    (file,) = [row.data for row in desk["jpn"].rows(CAP_GATEWAY)]
    assert {(one.web, one.contact) for one in check_own(file).infos} == {(publishing.web, "Crisis centre")}
    assert desk["jpn"].staff("alarm")[-1]["what"] == "profile-not-kept"
    for changed in (
        file.replace(b"alerts.example", b"elsewhere.example"),
        file.replace(b"Crisis c", b"Other c"),
    ):
        desk["jpn"].take(desk.now_ns, CapGiven(party="feed:press", raw=changed))
        assert desk["jpn"].staff("relayed")[-1]["verdict"] == "unverified"
    desk["jpn"].take(desk.now_ns, CapGiven(party="feed:press", raw=file))
    assert desk["jpn"].staff("relayed")[-1]["verdict"] == "verified"
    correction = [row for row in desk["jpn"].staff("correction") if row["reason"] == "false"][-1]
    desk.answer("jpn", {**correction, "posts": correction["posts"]})
    end = [row.data for row in desk["jpn"].rows(CAP_GATEWAY)][-1]
    assert {one.web for one in check_own(end).infos} == {publishing.web}


def test_partners_who_may_have_the_alert_get_an_edition_each_of_their_own(
    desk: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One edition for all of them together would be wider than the structure lets any of them have."""
    policy = desk["jpn"].node.state.policy
    known = policy._structural

    def structural(unit: str, content: str, origin: str) -> tuple[Audience, ...]:
        if content != "alert":
            return known(unit, content, origin)
        usa, all_three = frozenset({"JPN", "USA"}), frozenset({"JPN", "KOR", "USA"})
        return (Audience(usa, (("USA", ("e1",)),)), Audience(all_three, (("KOR", ("e2",)),)))

    monkeypatch.setattr(policy, "_structural", structural)
    warn(desk, "Aomori")
    alert = issue(desk)
    editions = [
        envelope for envelope in envelopes(desk["jpn"].rows("partner:USA")) if envelope.kind == "alert"
    ]
    assert [one.label.releasable_to for one in editions] == [("JPN", "KOR", "USA"), ("JPN", "USA")]
    assert len({one.id for one in editions}) == 2
    assert all(row["identifier"] == alert["identifier"] for row in desk["usa"].staff("alert"))
    assert len(desk["jpn"].rows(CAP_GATEWAY)) == 1
    log = open_log("jpn", desk["jpn"].records())
    assert [one.identifier for one in measure([log]).alerts] == [alert["identifier"]]
