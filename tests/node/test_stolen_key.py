"""A stolen node key is contained to what that node could say: the thief has Korea's, and speaks to Japan.

Whoever has the key has the node's own certificate, all messages that were ever sent, and a link.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from noroshi.messages import Envelope, KeyedHash, certify, key_id, label_for, seal
from noroshi.messages.bodies import (
    AcknowledgementBody,
    AlertBody,
    Body,
    DecisionBody,
    EventBody,
    InjectBody,
    RemarkBody,
)
from noroshi.messages.envelope import SCHEMA_VERSION
from noroshi.messages.keys import Replacement, Revocation, Revoked, replace_root, signed
from tests.node.keys import Roots, give
from tests.node.scene import Scene

EVENT = EventBody(step="opened", first_observed_ns=1)
ALL = ("JPN", "KOR", "USA")


class Thief:
    """Somebody with the secret of Korea's node, on Korea's way to Japan."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.member = scene["kor"].member
        self.secret = self.member.secrets.signing
        self.scheme = KeyedHash()
        self.certificate = scene["kor"].node.state.certificate
        self.count = 0

    def say(self, kind: str, body: Body, **changes: Any) -> str:
        """Why Japan refuses it; an empty text when it does not."""
        self.count += 1
        fields: dict[str, Any] = {
            "v": SCHEMA_VERSION,
            "realm": self.scene.coalition.realm,
            "origin": "KOR",
            "node": "kor",
            "unit": self.member.genesis.assessing_unit,
            "id": self.count.to_bytes(16, "big"),
            "kind": kind,
            "time_ns": self.scene.now_ns,
            "time_error_ns": 0,
            "label": label_for(ALL),
            "event": b"e" * 16,
            "body": msgspec.Raw(b""),
        }
        message = seal(Envelope(**(fields | changes)), body, self.certificate, self.scheme, self.secret)
        return self.scene.bring("usa", "jpn", message.raw).answer.reason


@pytest.fixture
def thief(scene: Scene) -> Thief:
    return Thief(scene)


def test_it_says_what_the_node_could_say(thief: Thief) -> None:
    """Otherwise the refusals below would show nothing."""
    assert thief.say("event", EVENT) == ""


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("remark", RemarkBody(unit="kr-jcs", text="")),
        ("acknowledgement", AcknowledgementBody(of=bytes(16), unit="kr-jcs")),
        ("inject", InjectBody(inject="x", unit="jp-pm", text="x")),
    ],
)
def test_it_speaks_for_no_post_and_not_for_control(thief: Thief, kind: str, body: Body) -> None:
    post = next(iter(thief.member.seats))
    assert thief.say(kind, body) == "speaker-may-not"
    assert thief.say(kind, body, post=post) == "speaker-may-not"
    assert thief.say("event", EVENT, post=post) == "wrong-speaker"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"node": "kor-b"}, "wrong-speaker"),
        ({"node": "jpn"}, "wrong-speaker"),
        ({"origin": "USA"}, "wrong-speaker"),
        ({"origin": "USA", "node": "usa"}, "wrong-speaker"),
        ({"origin": "JPN", "node": "jpn"}, "wrong-speaker"),
        ({"unit": "us-indopacom"}, "not-its-unit"),
        ({"unit": "jp-cabsec"}, "not-its-unit"),
        ({"unit": "no-such-unit"}, "not-its-unit"),
        ({"realm": "real"}, "foreign-realm"),
    ],
)
def test_it_speaks_for_no_other_node_partner_unit_or_realm(
    thief: Thief, changes: dict[str, Any], reason: str
) -> None:
    assert thief.say("event", EVENT, **changes) == reason


def test_it_consents_for_nobody(thief: Thief) -> None:
    body = DecisionBody(
        case=b"c" * 16, decision="trilateral-consult", step="concurrence", unit="kr-nsc", outcome="concur"
    )
    assert thief.say("decision", body) != ""
    assert not thief.scene["jpn"].staff("decision")


def test_it_issues_no_alert_which_two_posts_must_sign(thief: Thief) -> None:
    alert = AlertBody(
        identifier="KOR-1", type="Alert", unit="kr-mois", sent_ns=thief.scene.now_ns, expires_ns=2**61, template="",
        texts=[], areas=[], rings=[], references=[], recipients=[], digest=b"", approvals=[],
    )  # fmt: skip
    from noroshi.command.alerts import digest_of

    whole = msgspec.structs.replace(alert, digest=digest_of(alert))
    assert thief.say("alert", whole, unit="kr-mois") == "second-person-needed"
    bare = DecisionBody(
        case=b"c" * 16, decision="civil-alert-issue", step="request", unit="kr-mois", subject=whole.digest
    )
    approvals = []
    for post in ("kr-mois.duty", "kr-mois.head"):
        envelope = Envelope(
            v=SCHEMA_VERSION, realm=thief.scene.coalition.realm, origin="KOR", node="kor", post=post, unit="kr-mois",
            id=post.encode().ljust(16)[:16], kind="decision", time_ns=thief.scene.now_ns, time_error_ns=0,
            label=label_for(ALL), body=msgspec.Raw(b""),
        )  # fmt: skip
        approvals.append(seal(envelope, bare, thief.certificate, thief.scheme, thief.secret).raw)
    signed_alert = msgspec.structs.replace(whole, approvals=approvals)
    assert thief.say("alert", signed_alert, unit="kr-mois") == "approval-wrong-speaker"
    assert not thief.scene["jpn"].staff("alert")


def test_it_certifies_nothing_takes_nothing_back_and_hands_nothing_over(thief: Thief, scene: Scene) -> None:
    roots = Roots(scene)
    mine = roots.certificate("KOR", "thief", "kr-mois.duty", role="post", unit="kr-mois")
    forged = certify(thief.scheme, thief.secret, mine)
    assert give(scene, "jpn", "partner:USA", forged).answer.reason == "bad-certificate"
    keys = (Revoked(key=key_id(scene["usa"].node.state.certificate.public)),)
    for partner in ALL:
        bare = Revocation(realm=roots.realm, partner=partner, number=9, time_ns=1, keys=keys)
        lie = signed(thief.scheme, thief.secret, bare)
        assert give(scene, "jpn", "partner:USA", lie).answer.reason == "bad-revocation"
    step = Replacement(
        realm=roots.realm, partner="KOR", old=thief.certificate.public, new=roots.public("thief"), time_ns=1,
        ends_ns=2, keeps=(),
    )  # fmt: skip
    lie_too = replace_root(thief.scheme, thief.secret, roots.secret("thief"), step)
    assert give(scene, "jpn", "partner:USA", lie_too).answer.reason == "bad-replacement"
    as_if = replace_root(
        thief.scheme,
        thief.secret,
        roots.secret("thief"),
        msgspec.structs.replace(step, old=roots.public("KOR")),
    )
    assert give(scene, "jpn", "partner:USA", as_if).answer.reason == "bad-replacement"


def test_it_admits_nobody_and_pins_nothing_elsewhere(thief: Thief, scene: Scene) -> None:
    roots = Roots(scene)
    for root in ("CHN-2", "USA-2", "JPN-2"):
        pin = roots.pin("kor", root, seed=thief.secret)
        assert give(scene, "jpn", "partner:USA", pin).answer.reason == "not-by-this-way"
        assert give(scene, "jpn", "control:trust", pin).answer.reason == "not-this-nodes-pin"
    assert scene["jpn"].node.state.trust.partners() == ALL


def test_it_changes_no_policy(thief: Thief, scene: Scene) -> None:
    data = b"noroshi policy 1\x00" + scene.coalition.realm.encode()
    trust, roots = scene["jpn"].node.state.trust, Roots(scene)
    for partner in ALL:
        assert not trust.root_signed(partner, data, thief.scheme.sign(thief.secret, data))
        assert trust.root_signed(partner, data, thief.scheme.sign(roots.secret(partner), data))


def test_it_ends_when_its_root_takes_it_back(thief: Thief, scene: Scene) -> None:
    """Over whichever link, and whatever date the thief writes."""
    assert thief.say("event", EVENT) == ""
    give(scene, "jpn", "partner:USA", Roots(scene).revocation("KOR", thief.certificate.public))
    assert thief.say("event", EVENT) == "revoked-key"
    assert thief.say("event", EVENT, time_ns=scene.now_ns - 10**12) == "revoked-key"
