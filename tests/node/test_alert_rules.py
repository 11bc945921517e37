"""What a root warrants beyond two persons, what a person types, and how an alert is asked for and taken back."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import msgspec
import pytest

from noroshi.command.alerts import CANCEL, approval_defect, digest_of
from noroshi.command.posts import alert_request, answer, prepared
from noroshi.command.warrant import SCHEMA, AlertRules, Automatic, Warrant, warranted
from noroshi.messages import Certificate, Message, Unverified, certify, verify
from noroshi.messages.bodies import AlertBody, DecisionBody
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import joined, signing_bytes
from noroshi.messages.keys import Bundle, bundle_bytes
from noroshi.node import alerting
from noroshi.node.saved import Saved, fill, save
from noroshi.node.state import State
from noroshi.node.warranting import APPROVE_TEMPLATES, GivenTemplates
from noroshi.node.work import Work
from noroshi.sharing import CAP_GATEWAY
from noroshi.warning.templates import packaged
from tests.messages.authenticator import Authenticator
from tests.node.scene import Scene, places
from tests.node.test_alerting import APPROVER, JPN, WATCH, states, warn, warning_body

REGIONS = [("JP", "Aomori")]


@pytest.fixture
def desk() -> Scene:
    """Japan's node with an event of which nobody has been warned."""
    return Scene("trilateral").watch(86.3)


def warrant(scene: Scene, version: int = 1, partner: str = "JPN", **rules: Any) -> str:
    """Japan's root allows more than two persons; what the node answers."""
    templates = rules.pop("templates", ())
    made = Warrant(
        schema=SCHEMA, realm=scene.coalition.realm, partner="JPN", version=version, templates=templates,
        rules=AlertRules(**rules),
    )  # fmt: skip
    scheme = scene["jpn"].node.state.scheme
    return scene.control("jpn", warranted(made, scheme, scene.root_secret(partner))).answer.reason


def ask(scene: Scene, *regions: tuple[str, str], post: str = WATCH, name: str = "") -> tuple[str, str]:
    """A post asks for an alert: the reason of a refusal, and its detail."""
    scene.now_ns += 10**9
    raw = alert_request(scene["jpn"].seat(post), list(regions), "fall", scene.now_ns, name=name)
    reason = scene.hand_in("jpn", post, raw).answer.reason
    return reason, scene["jpn"].staff("refusal")[-1]["detail"] if reason else ""


def issued(scene: Scene) -> list[AlertBody]:
    return list(scene["jpn"].node.state.alerts.values())


def test_a_post_asks_for_some_of_what_is_warned_of_and_two_persons_sign(desk: Scene) -> None:
    warn(desk, "Aomori", "Iwate")
    assert ask(desk, *REGIONS) == ("", "")
    desk.answer("jpn", desk.task("jpn", "originate-alert"))
    desk.answer("jpn", desk.task("jpn", "approve-alert"))
    (alert,) = issued(desk)
    assert [area.region for area in alert.areas] == ["Aomori"]


@pytest.mark.parametrize(
    ("regions", "reason", "widest"),
    [
        ([("JP", "Aomori"), ("JP", "Tokyo")], "wider-than-warning", "the widest that would pass: Aomori"),
        ([("JP", "Aomori"), ("KR", "Seoul")], "wider-than-authority", "the widest that would pass: Aomori"),
        ([("JP", "Tokyo")], "wider-than-warning", "no part of it would pass"),
        ([], "no-areas", "no part of it would pass"),
    ],
)
def test_what_is_wider_than_the_warning_is_refused_with_what_would_pass(
    desk: Scene, regions: list[tuple[str, str]], reason: str, widest: str
) -> None:
    warn(desk, "Aomori")
    before = len(desk.tasks("jpn"))
    found, detail = ask(desk, *regions)
    assert (found, detail.partition(": ")[2]) == (reason, widest)
    assert len(desk.tasks("jpn")) == before


def test_a_unit_with_regions_of_its_own_drafts_and_asks_for_no_more(desk: Scene) -> None:
    assert warrant(desk, scopes={"jp-cabsec": ("Aomori",)}) == ""
    warn(desk, "Aomori", "Iwate")
    assert desk.task("jpn", "originate-alert")["title"] == "Originate the alert for Aomori"
    reason, detail = ask(desk, ("JP", "Aomori"), ("JP", "Iwate"))
    assert (reason, detail.partition(": ")[2]) == (
        "wider-than-authority",
        "the widest that would pass: Aomori",
    )


def test_without_a_warning_nobody_alerts_unless_the_root_allows_it_and_then_two_persons(desk: Scene) -> None:
    assert ask(desk, *REGIONS)[0] == "no-warning"
    assert warrant(desk, without_warning=True) == ""
    assert ask(desk, ("JP", "Atlantis"))[0] == "unknown-region"
    assert ask(desk, *REGIONS)[0] == ""
    task = desk.task("jpn", "originate-alert")
    desk.answer("jpn", task)
    twice = answer(
        task["answer"] | {"task": "again", "step": "ruling"}, "", desk["jpn"].seat(WATCH), desk.now_ns
    )
    assert desk.hand_in("jpn", WATCH, twice).answer.reason == "not-this-posts-duty"
    assert not issued(desk)
    desk.answer("jpn", desk.task("jpn", "approve-alert"))
    (alert,) = issued(desk)
    assert alert.areas[0].people > 1_000_000
    assert desk["jpn"].rows(CAP_GATEWAY)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("exercise aomori", ""),
        ("real Aomori", "typed-another-realm"),
        ("exercise Aomori, Iwate", "typed-another-audience"),
        ("exercise", "typed-another-audience"),
        ("Aomori", "typed-no-realm"),
    ],
)
def test_what_a_person_types_must_be_the_realm_and_the_audience(desk: Scene, typed: str, reason: str) -> None:
    warn(desk, "Aomori")
    side = desk["jpn"]
    task = desk.task("jpn", "originate-alert")
    assert task["answer"]["confirm"] == "exercise Aomori"
    raw = answer(task["answer"], "", side.seat(WATCH), desk.now_ns, typed)
    assert desk.hand_in("jpn", WATCH, raw).answer.reason == reason


def stand(scene: Scene) -> AlertBody:
    """An alert for Aomori that two posts have signed."""
    warn(scene, "Aomori")
    scene.answer("jpn", scene.task("jpn", "originate-alert"))
    scene.answer("jpn", scene.task("jpn", "approve-alert"))
    return issued(scene)[-1]


def corrections(scene: Scene, state: str = "ready") -> dict[str, dict[str, Any]]:
    """The corrections that lie ready, by reason."""
    newest = {row["answer"]["subject"]: row for row in scene["jpn"].staff("correction")}
    return {row["reason"]: row for row in newest.values() if row["state"] == state}


def take_back(scene: Scene, row: dict[str, Any], **changes: Any) -> str:
    raw = answer(row["answer"] | changes, "concur", scene["jpn"].seat(WATCH), scene.now_ns)
    return scene.hand_in("jpn", WATCH, raw).answer.reason


def test_one_person_takes_an_alert_back_with_words_that_lie_ready(desk: Scene) -> None:
    alert = stand(desk)
    ready = corrections(desk)
    assert set(ready) == {"false", "superseded"}
    assert ready["false"]["recipients"] == alert.recipients
    assert [text["language"] for text in ready["false"]["texts"]] == ["ja", "en", "ko"]
    assert take_back(desk, ready["false"], subject="", task="x") == "needs-a-public-correction"
    assert len(issued(desk)) == 1
    assert take_back(desk, ready["false"]) == ""
    cancel = issued(desk)[-1]
    assert (cancel.type, cancel.reason, cancel.references) == ("Cancel", "false", [alert.identifier])
    assert cancel.recipients == alert.recipients
    assert not corrections(desk)
    assert take_back(desk, ready["superseded"]) == "draft-is-superseded"
    warn(desk, "Aomori", state="updated")
    assert not desk.tasks("jpn", "originate-alert"), (
        "the same warning does not ask again for what was called false"
    )
    warn(desk, "Aomori", state="ended", reason="superseded")
    warn(desk, "Aomori")
    assert desk.task("jpn", "originate-alert")


def test_corrections_lapse_with_the_alert(desk: Scene) -> None:
    stand(desk)
    desk.run_to(desk.now_ns + 1801 * 10**9)
    assert not corrections(desk)
    assert set(corrections(desk, "closed")) == {"false", "superseded"}
    assert not desk["jpn"].refusals()


def test_with_too_little_time_left_the_node_issues_by_itself_and_a_person_stops_it(desk: Scene) -> None:
    assert warrant(desk, automatic=Automatic(below_s=60.0, needs="one-kind")) == ""
    warn(desk, "Aomori")  # the window opens in 100 s
    assert not issued(desk)
    desk.run_to(desk.now_ns + 41 * 10**9)
    (alert,) = issued(desk)
    assert (alert.automatic, alert.basis) == (True, "one-kind")
    assert "automatically" in next(text for text in alert.texts if text.language == "en").description
    assert "issued automatically" in desk["jpn"].rows(CAP_GATEWAY)[-1].data.decode()
    assert not desk.tasks("jpn", "originate-alert")
    assert desk["jpn"].staff("alarm")[-1]["what"] == "automatic-alert"
    trust = desk["usa"].node.state.trust
    assert approval_defect(alert, trust, desk.now_ns, origin="JPN") == "", "a partner can check it"
    desk.answer("jpn", desk.task("jpn", "stop-alert"))
    assert issued(desk)[-1].reason == "false"
    assert desk["jpn"].staff("alarm")[-1]["state"] == "cleared"
    warn(desk, "Aomori", state="updated")
    assert len(issued(desk)) == 2, "what a person has stopped does not go out by itself again"


def test_a_draft_that_lapsed_still_goes_out_by_itself_when_the_time_has_come(desk: Scene) -> None:
    warrant(desk, automatic=Automatic(below_s=60.0, needs="one-kind"))
    (area,) = warning_body(desk, "Aomori").areas
    far = msgspec.structs.replace(area, from_ns=desk.now_ns + 300 * 10**9, to_ns=desk.now_ns + 400 * 10**9)
    warn(desk, "Aomori", areas=[far])
    desk.run_to(desk.now_ns + 130 * 10**9)
    assert desk["jpn"].refusals() == ["draft-expired"]
    assert not issued(desk)
    desk.run_to(desk.now_ns + 111 * 10**9)
    assert [alert.automatic for alert in issued(desk)] == [True]


def test_a_person_may_keep_it_and_the_alarm_is_over(desk: Scene) -> None:
    warrant(desk, automatic=Automatic(below_s=300.0, needs="one-kind"))
    warn(desk, "Aomori")
    desk.answer("jpn", desk.task("jpn", "stop-alert"), "refuse")
    assert [alert.type for alert in issued(desk)] == ["Alert"]
    assert desk["jpn"].staff("alarm")[-1]["state"] == "cleared"
    assert set(corrections(desk)) == {"false", "superseded"}, "it can still be taken back"


def test_no_single_source_goes_out_by_itself_and_nothing_without_a_warrant(desk: Scene) -> None:
    warrant(desk, automatic=Automatic(below_s=300.0))
    warn(desk, "Aomori")  # one kind of sensing only, and the warrant wants two
    assert not issued(desk)
    assert warrant(desk, 2) == ""
    warn(desk, "Aomori", "Iwate", state="updated")
    assert not issued(desk)


def test_an_automatic_alert_without_its_warrant_carries_nothing(desk: Scene) -> None:
    warrant(desk, automatic=Automatic(below_s=300.0, needs="one-kind"))
    warn(desk, "Aomori")
    (alert,) = issued(desk)
    trust = desk["usa"].node.state.trust
    scheme = desk["jpn"].node.state.scheme
    signed = desk["jpn"].node.state.warrant
    forged = warranted(
        Warrant(schema=SCHEMA, realm=desk.coalition.realm, partner="JPN", version=9, rules=AlertRules(
            automatic=Automatic(below_s=3600.0, needs="single-source"))),
        scheme, b"x" * 32,
    )  # fmt: skip
    for changes, reason in (
        ({"warrant": msgspec.UNSET}, "approval-of-something-else"),
        ({"warrant": forged}, "bad-warrant"),
        ({"warrant": signed[:-1]}, "malformed-warrant"),
        ({"basis": "single-source"}, "approval-of-something-else"),
        ({"automatic": False}, "approval-of-something-else"),
    ):
        changed = msgspec.structs.replace(alert, **changes)
        changed = msgspec.structs.replace(changed, digest=digest_of(changed))
        assert approval_defect(changed, trust, desk.now_ns, origin="JPN") == reason
    late = msgspec.structs.replace(alert, sent_ns=alert.areas[0].from_ns - 301 * 10**9)
    assert approval_defect(late, trust, desk.now_ns, origin="JPN") == "automatic-with-time-left"


@pytest.mark.parametrize(
    ("partner", "version", "reason"),
    [("USA", 1, "bad-warrant"), ("JPN", 1, "older-warrant"), ("JPN", 3, "contradictory")],
)
def test_a_warrant_is_the_own_roots_and_newer(desk: Scene, partner: str, version: int, reason: str) -> None:
    if partner == "JPN":
        assert warrant(desk, 3) == ""
    assert warrant(desk, version, partner, without_warning=True) == reason
    assert ask(desk, *REGIONS)[0] == "no-warning"


def words(realm: str = "exercise") -> bytes:
    """Own words of another version."""
    return encode(msgspec.structs.replace(packaged(realm), version=7))  # type: ignore[arg-type]  # two literals


def template(scene: Scene) -> str:
    """Of the draft that waits at the desk."""
    draft = scene["jpn"].node.state.desks["jp-cabsec"].pending(1)
    assert draft is not None
    return draft.body.template


def approve(scene: Scene, payload: bytes, *posts: str) -> str:
    digest = sha256(b"noroshi templates 1\x00" + payload).digest()
    body = DecisionBody(
        case=digest[:16],
        decision=APPROVE_TEMPLATES,
        step="ruling",
        unit="jp-cabsec",
        outcome="decided",
        subject=digest,
    )
    approvals = tuple(scene.sealed("jpn", "decision", body, post=post, audience=("JPN",)) for post in posts)
    return scene.control("jpn", encode(GivenTemplates("templates", payload, approvals))).answer.reason


def test_own_words_are_used_once_two_posts_have_approved_exactly_them(desk: Scene) -> None:
    assert approve(desk, words()) == "templates-not-approved"
    assert approve(desk, words(), WATCH) == "templates-not-approved"
    assert approve(desk, words(), WATCH, WATCH) == "templates-not-approved"
    assert approve(desk, words(), WATCH, "jp-mod.watch") == "approval-of-something-else"
    assert approve(desk, words("real"), WATCH, APPROVER) == "templates-of-the-other-realm"
    warn(desk, "Aomori")
    assert template(desk) == "exercise/pass/1"
    assert approve(desk, words(), WATCH, APPROVER) == ""
    warn(desk, "Aomori", "Iwate", state="updated")
    assert template(desk) == "exercise/pass/7"


def test_the_root_approves_words_by_their_digest_only(desk: Scene) -> None:
    other = msgspec.structs.replace(packaged("exercise"), version=8)
    assert warrant(desk, templates=(sha256(b"noroshi templates 1\x00" + words()).digest(),)) == ""
    assert approve(desk, encode(other)) == "templates-not-approved"
    assert approve(desk, words()) == ""
    state = desk["jpn"].node.state
    assert state.templates == words()
    assert warrant(desk, 2) == "", "a warrant that names them no more takes them back"
    warn(desk, "Aomori")
    assert template(desk) == "exercise/pass/1"


def test_it_comes_back_from_its_record(desk: Scene) -> None:
    warrant(desk, automatic=Automatic(below_s=300.0, needs="one-kind"))
    approve(desk, words(), WATCH, APPROVER)
    side = desk["jpn"]
    before = side.node.state
    side.restart()
    after = side.node.state
    assert (after.warrant, after.templates, after.templates_by) == (
        before.warrant, before.templates, before.templates_by,
    )  # fmt: skip


def corroborating(scene: Scene, **changes: Any) -> None:
    """Korea's warning of the same event reaches Japan's node, with Korea's own evidence behind it."""
    event = scene["jpn"].node.state.events.get(JPN, 1)
    fields = {"country": "KR", "partners": ["KOR", "JPN"], "corridor": RING} | changes
    body = warning_body(scene, "Busan", **fields)
    raw = scene.sealed("kor", "warning", body, audience=("JPN", "KOR", "USA"), event=b"k" * 16)
    event.same_as.add(("KOR", b"k" * 16))
    message = verify(Unverified(raw), scene["jpn"].node.state.trust, scene.now_ns)
    assert isinstance(message, Message)
    work = Work(scene["jpn"].node.state, scene.now_ns)
    work.record("note", b"\x80")
    alerting.heard(work, message, body)
    scene["jpn"].batches.append(work.finish().batch)


RING = [[[0.68, 2.40], [0.68, 2.48], [0.74, 2.48], [0.74, 2.40], [0.68, 2.40]]]


def test_a_partners_own_warning_stands_for_the_second_person_where_the_root_says_so(desk: Scene) -> None:
    warn(desk, "Aomori", corridor=RING)
    desk.answer("jpn", desk.task("jpn", "originate-alert"))
    corroborating(desk)
    assert not issued(desk), "without a warrant it stands for nobody"
    warrant(desk, second_by_partner=True)
    warn(desk, "Aomori", "Iwate", state="updated", corridor=RING)
    desk.answer("jpn", desk.task("jpn", "originate-alert"))
    (alert,) = issued(desk)
    assert len(alert.approvals) == 2
    for node in ("usa", "kor"):
        assert approval_defect(alert, desk[node].node.state.trust, desk.now_ns, origin="JPN") == ""
    alone = msgspec.structs.replace(alert, approvals=alert.approvals[1:])
    assert (
        approval_defect(alone, desk["usa"].node.state.trust, desk.now_ns, origin="JPN")
        == "second-person-needed"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"partners": ["JPN"]},
        {"partners": ["USA", "JPN"]},
        {"corridor": [[[0.1, 0.1], [0.1, 0.2], [0.2, 0.2], [0.2, 0.1], [0.1, 0.1]]]},
        {"corridor": []},
        {"state": "ended"},
        {"valid_until_ns": 1},
    ],
)
def test_what_does_not_corroborate_stands_for_nobody(desk: Scene, changes: dict[str, Any]) -> None:
    warrant(desk, second_by_partner=True)
    warn(desk, "Aomori", corridor=RING)
    desk.answer("jpn", desk.task("jpn", "originate-alert"))
    corroborating(desk, **changes)
    assert not issued(desk)
    assert states(desk, "approve-alert") == ["open"]


def test_a_stale_warning_stands_for_nobody(desk: Scene) -> None:
    warrant(desk, second_by_partner=True)
    warn(desk, "Aomori", corridor=RING)
    corroborating(desk)
    desk.now_ns += 61 * 10**9
    desk.answer("jpn", desk.task("jpn", "originate-alert"))
    assert not issued(desk)


def test_nobody_ends_an_alert_by_a_consultation(desk: Scene) -> None:
    stand(desk)
    body = DecisionBody(
        case=b"c" * 16, decision=CANCEL, step="request", unit="jp-cabsec", body="tri-ministers"
    )
    raw = desk.sealed("jpn", "decision", body, post=WATCH, audience=("JPN", "KOR", "USA"))
    assert desk.hand_in("jpn", WATCH, raw).answer.reason == "needs-a-public-correction"


def persons(scene: Scene) -> dict[str, Authenticator]:
    """Japan's root certifies a passkey for each of the two posts."""
    devices = {WATCH: Authenticator(number=1), APPROVER: Authenticator(number=2)}
    cards = tuple(card(scene, post, device) for post, device in devices.items())
    assert scene.control("jpn", bundle_bytes(Bundle(certificates=cards))).answer.outcome == "accepted"
    return devices


def card(scene: Scene, post: str, device: Authenticator) -> Certificate:
    old = scene["jpn"].seat(post).certificate
    bare = msgspec.structs.replace(old, public=device.passkey.public, passkey=device.passkey, serial=2)
    return certify(scene["jpn"].node.state.scheme, scene.root_secret("JPN"), bare)


def person_signs(scene: Scene, post: str, device: Authenticator, task: dict[str, Any]) -> str:
    own, state = card(scene, post, device), scene["jpn"].node.state
    payload = prepared(task["answer"], "concur", own, "jpn", scene.now_ns, task["answer"].get("confirm", ""))
    signature = device.sign(signing_bytes(state.genesis.realm, payload))
    return scene.hand_in("jpn", post, joined(payload, own.public, signature)).answer.reason


def test_two_passkeys_carry_an_alert_and_anybody_abroad_can_check_them(desk: Scene) -> None:
    devices = persons(desk)
    warn(desk, "Aomori")
    assert person_signs(desk, WATCH, devices[WATCH], desk.task("jpn", "originate-alert")) == ""
    assert person_signs(desk, APPROVER, devices[APPROVER], desk.task("jpn", "approve-alert")) == ""
    (alert,) = issued(desk)
    for node in ("usa", "kor"):  # the certificates have gone to the partners
        assert approval_defect(alert, desk[node].node.state.trust, desk.now_ns, origin="JPN") == ""


def test_a_passkey_whose_count_goes_back_has_been_copied_and_it_is_shown(desk: Scene) -> None:
    devices = persons(desk)
    warn(desk, "Aomori")
    devices[WATCH].count = 7
    assert person_signs(desk, WATCH, devices[WATCH], desk.task("jpn", "originate-alert")) == ""
    copied = Authenticator(number=1)
    copied.count = 3
    warn(desk, "Aomori", "Iwate", state="updated")
    assert person_signs(desk, WATCH, copied, desk.task("jpn", "originate-alert")) == "passkey-count-went-back"
    assert desk["jpn"].staff("refusal")[-1]["detail"] == f"{WATCH}: 4 after 8"
    assert person_signs(desk, WATCH, devices[WATCH], desk.task("jpn", "originate-alert")) == ""


def test_all_of_it_comes_back_from_a_snapshot(desk: Scene) -> None:
    devices = persons(desk)
    warrant(desk, second_by_partner=True)
    approve(desk, words(), WATCH, APPROVER)
    warn(desk, "Aomori", corridor=RING)
    person_signs(desk, WATCH, devices[WATCH], desk.task("jpn", "originate-alert"))
    corroborating(desk)
    take_back(desk, corrections(desk)["false"])
    side = desk["jpn"]
    kept: dict[bytes, bytes] = {}

    def put(data: bytes, digest: bytes = b"") -> bytes:
        name = sha256(data).digest()
        kept[name] = data
        return name

    saved = save(side.node.state, put)
    again = msgspec.msgpack.decode(encode(saved), type=Saved)
    for name in (
        "warrant",
        "templates",
        "templates_by",
        "warned",
        "heard_warnings",
        "passkey_counts",
        "desks",
    ):
        assert getattr(saved, name), name
        assert encode(getattr(again, name)) == encode(getattr(saved, name)), name
    state = State(side.member.genesis, side.member.secrets, places())
    fill(state, again, kept.__getitem__)
    assert encode(save(state, put)) == encode(saved)


def test_in_the_real_realm_nothing_is_drafted_before_somebody_has_approved_the_words(
    desk: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = desk["jpn"].node.state
    monkeypatch.setattr(state, "genesis", msgspec.structs.replace(state.genesis, realm="real"))
    warn(desk, "Aomori")
    assert not desk.tasks("jpn", "originate-alert")
    assert desk["jpn"].staff("alarm")[-1]["what"] == "templates-not-approved"
    made = Warrant(
        schema=SCHEMA, realm="real", partner="JPN", version=1, templates=(packaged("real").digest,)
    )
    monkeypatch.setattr(state, "warrant", warranted(made, state.scheme, desk.root_secret("JPN")))
    warn(desk, "Aomori", state="updated")
    assert template(desk) == "real/pass/1"
    assert desk["jpn"].staff("alarm")[-1]["state"] == "cleared"
    assert desk.task("jpn", "originate-alert")["answer"]["confirm"] == "real Aomori"
