"""Who may say what: every way of speaking for somebody else, or beyond one's part, is refused with its reason."""

from __future__ import annotations

from math import cos, sin
from typing import Any

import msgspec
import pytest

from noroshi.command.alerts import digest_of
from noroshi.errors import LocalError
from noroshi.messages import KeyedHash, Message, Unverified, label_for, verify
from noroshi.messages.bodies import (
    AcknowledgementBody,
    AlertBody,
    Body,
    DecisionBody,
    EventBody,
    InjectBody,
    RemarkBody,
    TrackBody,
)
from noroshi.messages.canonical import encode
from noroshi.messages.trust import REAL
from noroshi.node import Node, evidence
from noroshi.node.inputs import Received
from noroshi.sharing import Withheld
from tests.node.scene import Scene, places

ALL = ("JPN", "KOR", "USA")
CASE = b"c" * 16
CONSULT = "trilateral-consult"
MINISTERS = "tri-ministers"
HOUR_NS = 3600 * 10**9


def request(**changes: Any) -> DecisionBody:
    fields: dict[str, Any] = {
        "case": CASE,
        "decision": CONSULT,
        "step": "request",
        "unit": "jp-pm",
        "body": MINISTERS,
    }
    return DecisionBody(**(fields | changes))


def concurrence(unit: str, outcome: Any = "concur", **changes: Any) -> DecisionBody:
    fields: dict[str, Any] = {
        "case": CASE,
        "decision": CONSULT,
        "step": "concurrence",
        "unit": unit,
        "outcome": outcome,
    }
    return DecisionBody(**(fields | {"body": MINISTERS} | changes))


def ruling(outcome: Any = "decided", **changes: Any) -> DecisionBody:
    fields: dict[str, Any] = {
        "case": CASE,
        "decision": CONSULT,
        "step": "ruling",
        "unit": MINISTERS,
        "outcome": outcome,
    }
    return DecisionBody(**(fields | {"body": MINISTERS} | changes))


def say(scene: Scene, node: str, post: str, body: Body, audience: tuple[str, ...] = ALL, **more: Any) -> str:
    """A post says it at its own node; the reason why it may not, or an empty text."""
    kind = {AcknowledgementBody: "acknowledgement", RemarkBody: "remark"}.get(type(body), "decision")
    scene.now_ns += 1
    raw = scene.sealed(node, kind, body, post=post, audience=audience, **more)
    return scene.hand_in(node, post, raw).answer.reason


def hear(scene: Scene, sender: str, receiver: str, kind: str, body: Body, /, **more: Any) -> str:
    """A node's or post's message comes over a link; the reason why it is refused, or an empty text."""
    scene.now_ns += 1
    return scene.bring(sender, receiver, scene.sealed(sender, kind, body, **more)).answer.reason


@pytest.fixture
def asked(scene: Scene) -> Scene:
    """A consultation is open at all three nodes."""
    assert say(scene, "jpn", "jp-pm.duty", request()) == ""
    assert [len(scene.tasks(node, "concur")) for node in scene.sides] == [1, 1, 1]
    return scene


@pytest.mark.parametrize(
    ("post", "changes", "audience", "reason"),
    [
        ("jp-pm.duty", {"unit": "us-wh"}, ALL, "speaks-for-another-unit"),
        ("jp-mofa.duty", {"unit": "jp-mofa"}, ALL, "no-authority"),
        ("jp-pm.duty", {"decision": "no-such-decision"}, ALL, "no-authority"),
        ("jp-pm.duty", {"body": "nobody"}, ALL, "no-such-body"),
        ("jp-pm.duty", {"body": ""}, ALL, "no-such-body"),
        ("jp-pm.duty", {"body": "bi-acg"}, ("JPN", "USA"), "no-such-body"),
        ("jp-pm.duty", {}, ("JPN", "USA"), "wrong-audience"),
        ("jp-pm.duty", {}, ("CHN", *ALL), "wrong-audience"),
        ("jp-pm.duty", {"case": b"short"}, ALL, "malformed-case"),
        ("jp-pm.duty", {"deadline_ns": 1}, ALL, "late"),
        ("jp-pm.duty", {"deadline_ns": 2**61}, ALL, "deadline-too-far"),
        ("jp-pm.duty", {"deadline_ns": 2**63}, ALL, "impossible-body"),
    ],
)
def test_a_request_that_may_not_be_made_is_refused_and_does_not_leave(
    scene: Scene, post: str, changes: dict[str, Any], audience: tuple[str, ...], reason: str
) -> None:
    assert say(scene, "jpn", post, request(**changes), audience) == reason
    assert sum(scene["jpn"].node.sent("partner:USA").upto) == 0
    assert not scene["jpn"].node.state.cases


def test_a_case_is_opened_once(asked: Scene) -> None:
    assert say(asked, "jpn", "jp-pm.duty", request(deadline_ns=asked.now_ns + HOUR_NS)) == "case-exists"


def test_a_post_asks_only_for_what_is_its_duty(scene: Scene) -> None:
    """The structure lets the ministry propose a bilateral consultation; its watch has not the duty to ask for one."""
    before = Scene("before")
    body = request(decision="bilateral-consult", body="bi-acg", unit="jp-mod")
    assert say(before, "jpn", "jp-mod.watch", body, ("JPN", "USA")) == "not-this-posts-duty"
    body = msgspec.structs.replace(body, unit="jp-mofa")
    assert say(before, "jpn", "jp-mofa.duty", body, ("JPN", "USA")) == ""


@pytest.mark.parametrize(
    ("post", "body", "audience", "reason"),
    [
        ("kr-mnd.minister", concurrence("jp-mod"), ALL, "speaks-for-another-unit"),
        ("kr-jcs.watch", concurrence("kr-jcs"), ALL, "no-authority"),
        ("kr-mnd.minister", concurrence("kr-mnd", case=b"d" * 16), ALL, "unknown-case"),
        ("kr-mnd.minister", concurrence("kr-mnd", decision="bilateral-consult"), ALL, "no-authority"),
        ("kr-mnd.minister", concurrence("kr-mnd", ""), ALL, "malformed-answer"),
        ("kr-mnd.minister", concurrence("kr-mnd", "decided"), ALL, "malformed-answer"),
        ("kr-mnd.minister", concurrence("kr-mnd"), ("KOR", "USA"), "wrong-audience"),
    ],
)
def test_an_answer_that_does_not_count(
    asked: Scene, post: str, body: DecisionBody, audience: tuple[str, ...], reason: str
) -> None:
    sent = sum(asked["kor"].node.sent("partner:USA").upto)
    assert say(asked, "kor", post, body, audience) == reason
    assert sum(asked["kor"].node.sent("partner:USA").upto) == sent
    assert say(asked, "kor", "kr-mnd.minister", concurrence("kr-mnd")) == ""


def test_an_answer_counts_once_and_a_late_one_not_at_all(asked: Scene) -> None:
    assert say(asked, "kor", "kr-mnd.minister", concurrence("kr-mnd")) == ""
    assert say(asked, "kor", "kr-mnd.minister", concurrence("kr-mnd", "refuse")) == "already-answered"
    asked.run_to(asked.now_ns + HOUR_NS)
    assert say(asked, "jpn", "jp-mod.minister", concurrence("jp-mod")) == "case-closed"


def test_a_node_does_not_answer_for_its_people(asked: Scene) -> None:
    for body in (concurrence("us-dod"), request(case=b"d" * 16, unit="us-wh")):
        assert hear(asked, "usa", "jpn", "decision", body, unit=body.unit) == "needs-a-post"


@pytest.mark.parametrize(
    ("body", "more", "reason"),
    [
        (ruling(), {}, "ruling-differs-from-answers"),
        (ruling("concur"), {}, "malformed-answer"),
        (ruling(case=b"d" * 16), {}, "no-authority"),
        (ruling(decision="bilateral-consult"), {}, "no-authority"),
        (ruling(unit="us-dod"), {"unit": "us-dod"}, "no-authority"),
        (ruling(unit="jp-mod"), {"unit": "jp-mod"}, "not-its-unit"),
    ],
)
def test_the_convening_unit_decides_for_nobody(
    asked: Scene, body: DecisionBody, more: dict[str, Any], reason: str
) -> None:
    assert hear(asked, "usa", "jpn", "decision", body, **({"unit": MINISTERS} | more)) == reason
    assert asked["jpn"].node.state.cases[CASE].state == "open"


def test_an_outcome_is_recorded_once(asked: Scene) -> None:
    assert hear(asked, "usa", "jpn", "decision", ruling("refused"), unit=MINISTERS) == ""
    assert not asked.tasks("jpn", "concur")
    assert hear(asked, "usa", "jpn", "decision", ruling("refused"), unit=MINISTERS) == "case-closed"


def test_a_post_does_not_record_an_outcome(asked: Scene) -> None:
    assert say(asked, "usa", "us-dod.duty", ruling(unit="us-dod")) == "no-authority"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"unit": "nobody"}, "not-its-unit"),
        ({"unit": "kr-jcs"}, "not-its-unit"),
        ({"node": "usa2"}, "wrong-speaker"),
        ({"origin": "KOR"}, "wrong-speaker"),
        ({"post": "us-dod.duty", "origin": "KOR"}, "wrong-speaker"),
        ({"realm": REAL}, "foreign-realm"),
        ({"label": label_for(("USA",))}, "not-released-to-us"),
        ({"label": label_for(("JPN", "usa"))}, "unknown-partner-form"),
        ({"label": label_for(("JPN",), "cosmic")}, "unknown-classification"),
        ({"label": label_for(("JPN",), caveats=("eyes",))}, "unknown-caveat"),
        ({"critical": ("hologram",)}, "unknown-critical-field"),
        ({"id": b"short"}, "malformed-id"),
        ({"event": b"short"}, "malformed-id"),
        ({"v": 9}, "unknown-version"),
        ({"time_ns": 2**63}, "malformed-time"),
        ({"time_ns": 2**61, "time_error_ns": 2**62}, "malformed-time"),
        ({"time_ns": 2**61}, "future-dated"),
    ],
)
def test_what_a_partner_may_not_send(scene: Scene, more: dict[str, Any], reason: str) -> None:
    body = EventBody(step="opened", first_observed_ns=1)
    assert hear(scene, "usa", "jpn", "event", body, **more) == reason


def test_a_message_comes_by_its_own_way_only(scene: Scene) -> None:
    scene.now_ns += 1
    body = EventBody(step="opened", first_observed_ns=1)
    own = scene.sealed("jpn", "event", body)
    assert scene.bring("usa", "jpn", own).answer.reason == "our-own-message-came-back"
    korean = scene.sealed("kor", "event", body)
    assert scene.bring("kor", "jpn", korean).answer.reason == "unknown-partner"
    narrow = scene.sealed("kor", "event", body, audience=("JPN", "KOR"))
    assert scene.bring("usa", "jpn", narrow).answer.reason == "not-this-partners-way"
    assert scene.bring("usa", "jpn", korean).answer.outcome == "accepted"
    assert scene.bring("usa", "jpn", korean).answer.outcome == "duplicate"
    assert scene["usa"].take(
        scene.now_ns, Received(party="feed:KOR", number=0, raw=korean)
    ).answer.reason == ("unknown-partner")
    early = Received(party="partner:USA", number=99, raw=korean)
    assert scene["jpn"].take(scene.now_ns, early).answer.reason == "row-out-of-order"


def test_a_post_speaks_for_itself_and_control_for_control(scene: Scene) -> None:
    raw = scene.sealed(
        "jpn", "remark", RemarkBody(unit="jp-pm", text=""), post="jp-pm.duty", audience=("JPN",)
    )
    assert scene.hand_in("jpn", "jp-mod.watch", raw).answer.reason == "not-this-posts-message"
    control = Received(party="control:control", number=0, raw=raw)
    assert scene["jpn"].take(scene.now_ns, control).answer.reason == "not-control"
    inject = InjectBody(inject="x", unit="jp-pm", text="x")
    assert hear(scene, "usa", "jpn", "inject", inject) == "speaker-may-not"
    event = EventBody(step="opened", first_observed_ns=1)
    spoken = scene.sealed("jpn", "event", event, post="jp-pm.duty")
    assert scene.hand_in("jpn", "jp-pm.duty", spoken).answer.reason == "speaker-may-not"


def test_nobody_alerts_in_the_name_of_another_nation(scene: Scene) -> None:
    alert = AlertBody(
        identifier="X-1",
        type="Alert",
        unit="jp-cabsec",
        sent_ns=1,
        expires_ns=2,
        template="",
        texts=[],
        areas=[],
        rings=[],
        references=[],
        recipients=[],
        digest=b"",
        approvals=[],
    )
    assert hear(scene, "usa", "jpn", "alert", alert) == "speaks-for-another-unit"
    assert hear(scene, "usa", "jpn", "alert", alert, unit="jp-cabsec") == "not-its-unit"
    own = msgspec.structs.replace(alert, unit="us-indopacom")
    assert hear(scene, "usa", "jpn", "alert", own) == "no-authority"
    korean = msgspec.structs.replace(alert, unit="kr-mois")
    assert hear(scene, "kor", "usa", "alert", korean, unit="kr-mois") == "digest-differs"
    assert not scene["usa"].staff("alert")


def test_approvals_of_another_nation_carry_no_alert(scene: Scene) -> None:
    """Korea's node shows an alert under which only Japan's posts have signed."""
    alert = scene.alert()
    said = scene["jpn"].node.state.alerts[bytes.fromhex(alert["id"])]
    assert hear(scene, "kor", "usa", "alert", said, unit="kr-mois") == "speaks-for-another-unit"
    renamed = msgspec.structs.replace(said, unit="kr-mois")
    renamed = msgspec.structs.replace(renamed, digest=digest_of(renamed))
    assert hear(scene, "kor", "usa", "alert", renamed, unit="kr-mois") == "approval-of-something-else"
    assert hear(scene, "jpn", "usa", "alert", said, unit="jp-cabsec") == ""
    assert scene["usa"].staff("alert")[-1]["identifier"] == alert["identifier"]


def track(scene: Scene, **changes: Any) -> TrackBody:
    now = scene.now_ns
    fields: dict[str, Any] = {
        "track": b"t" * 16,
        "sequence": 1,
        "from_ns": now,
        "to_ns": now,
        "sensing": "radar",
        "source": "radar-x",
        "time_ns": [now],
        "site_m": [[-3.8e6, 3.3e6, 3.9e6]],
        "value": [[1e6, 1.0, 0.5]],
        "sigma": [[50.0, 1e-3, 1e-3]],
        "clock_sigma_s": [0.0],
    }
    return TrackBody(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"time_ns": [], "site_m": [], "value": [], "sigma": [], "clock_sigma_s": []}, "empty-increment"),
        ({"time_ns": [2**62]}, "future-dated"),
        ({"time_ns": [5]}, "too-old"),
        ({"sensing": "infrared"}, "impossible-measurement"),
        ({"value": [[-1.0, 0.0, 0.0]]}, "impossible-measurement"),
        ({"site_m": [[0.0, 0.0, 0.0]]}, "impossible-measurement"),
        ({"sigma": []}, "impossible-measurement"),
    ],
)
def test_an_increment_is_evidence_or_is_refused(scene: Scene, changes: dict[str, Any], reason: str) -> None:
    body = track(scene, **changes)
    assert hear(scene, "usa", "jpn", "track", body, unit="us-radars-jp", event=b"e" * 16) == reason
    assert bool(scene["jpn"].staff("event")) == (reason == "")


def test_an_increment_of_no_event_is_no_evidence(scene: Scene) -> None:
    assert hear(scene, "usa", "jpn", "track", track(scene), unit="us-radars-jp") == "empty-increment"


def test_one_partners_alias_is_nothing_in_anothers_mouth(scene: Scene) -> None:
    """The same alias from two partners is two events, unless their measurements say otherwise."""
    far = track(scene, site_m=[[6.378e6, 0.0, 0.0]])
    assert hear(scene, "usa", "jpn", "track", track(scene), unit="us-radars-jp", event=b"e" * 16) == ""
    raw = scene.sealed("kor", "track", far, unit="kr-radars", event=b"e" * 16)
    assert scene.bring("usa", "jpn", raw).answer.reason == ""
    assert len(scene["jpn"].node.state.events.of(frozenset({"JPN"}))) == 2


def test_a_partner_that_opens_events_without_end_is_stopped(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MAX_OPEN", 3)
    reasons = []
    for number in range(5):
        body = track(scene, site_m=[[6.37e6 * cos(number), 6.37e6 * sin(number), 0.0]])
        more = {"unit": "us-radars-jp", "event": bytes([number + 1]) * 16}
        reasons.append(hear(scene, "usa", "jpn", "track", body, **more))
    assert reasons == ["", "", "", "too-many-events", "too-many-events"]
    raw = scene.sealed("kor", "track", track(scene), unit="kr-radars", event=b"e" * 16)
    assert scene.bring("usa", "jpn", raw).answer.reason == ""


def test_an_unknown_kind_is_kept_relayed_by_its_label_and_not_acted_on(scene: Scene) -> None:
    raw = scene.sealed("kor", "hologram", encode({"x": 1}))
    assert scene.bring("kor", "usa", raw).answer.outcome == "accepted"
    assert [row.data for row in scene["usa"].rows("partner:JPN")] == [raw]
    assert "unknown kind" in scene["usa"].staff("remark")[-1]["says"]
    narrow = scene.sealed("kor", "hologram", encode({"x": 2}), audience=("KOR", "USA"))
    assert scene.bring("kor", "usa", narrow).answer.outcome == "accepted"
    assert len(scene["usa"].rows("partner:JPN")) == 1


def test_own_kinds_that_are_unknown_stay_at_home(scene: Scene) -> None:
    raw = scene.sealed("jpn", "hologram", encode({"x": 1}))
    state = scene["jpn"].node.state
    message = verify(Unverified(raw), state.trust, scene.now_ns)
    assert isinstance(message, Message)
    assert state.policy.onward(message, "USA") == Withheld("unknown-kind", "kinds")


def test_an_acknowledgement_finds_its_way_back_through_the_relay(scene: Scene) -> None:
    """Japan and Korea have no line of their own: the one between them carries the answer, and nobody else."""
    scene.watch(100.0)
    scene.answer("kor", scene.task("kor", "acknowledge"))
    (row,) = [one for one in scene["jpn"].staff("acknowledgement") if one["partner"] == "KOR"]
    assert (row["unit"], row["post"]) == ("kr-jcs", "kr-jcs.watch")
    unknown = AcknowledgementBody(of=b"u" * 16, unit="kr-jcs")
    assert say(scene, "kor", "kr-jcs.watch", unknown, ("JPN", "KOR", "USA")) == "acknowledges-nothing-known"
    wide = AcknowledgementBody(of=bytes.fromhex(scene["jpn"].staff("warning")[0]["id"]), unit="jp-mod")
    assert say(scene, "jpn", "jp-mod.watch", wide, ("JPN", "USA")) == "label-too-wide"


def test_a_keyed_hash_is_no_signature_in_a_real_realm(scene: Scene) -> None:
    member = scene["jpn"].member
    real = msgspec.structs.replace(member.genesis, realm=REAL)
    assert real.scheme == KeyedHash.name
    with pytest.raises(LocalError, match="not allowed"):
        Node.begin(scene.now_ns, real, member.secrets, places())
