"""What others say in an authority's name: unverified without its signature, never a warning; the authority is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from noroshi.clock import seconds
from noroshi.messages import Message, Unverified, verify
from noroshi.messages.bodies import AlertBody
from noroshi.messages.bodies_hazard import MAX_CLAIM_TEXT, ClaimBody
from noroshi.node import relaying
from noroshi.node.inputs import CapGiven, RelayGiven
from noroshi.node.work import Work
from noroshi.sharing import CAP_GATEWAY
from tests.node.agency import cap
from tests.node.scene import Scene, envelopes

TEXT = "EXERCISE. The government says: take shelter now"


def say(scene: Scene, node: str = "usa", **more: Any) -> str:
    fields: dict[str, Any] = {
        "party": "hand:duty",
        "outlet": "A broadcaster",
        "claimed": "jp-cabsec",
        "text": TEXT,
    }
    commit = scene[node].take(scene.now_ns, RelayGiven(**(fields | more)))
    scene.pump()
    return commit.answer.reason or commit.answer.outcome


def nothing_raised(scene: Scene) -> bool:
    return not any(side.staff("warning", "hazard", "alert", "task") for side in scene.sides.values())


@pytest.mark.parametrize(
    "claimed", ["jp-cabsec", "JPN", "CABINET  Secretariat", "Cabinet Secretariat, crisis management centre"]
)
def test_without_a_signature_it_is_unverified_and_the_authority_is_told(scene: Scene, claimed: str) -> None:
    assert say(scene, claimed=claimed) == "accepted"
    (here,) = scene["usa"].staff("relayed")
    (there,) = scene["jpn"].staff("relayed")
    assert (here["verdict"], here["unit"], here["tells"]) == ("unverified", "jp-cabsec", "JPN")
    assert (there["verdict"], there["told_by"], there["outlet"]) == ("unverified", "USA", "A broadcaster")
    assert "UNVERIFIED RELAY" in here["says"]
    assert "our own authority" in there["says"]
    assert not scene["kor"].staff("relayed")
    assert nothing_raised(scene)
    assert say(scene, claimed=claimed) == "duplicate"
    assert len(scene["jpn"].staff("relayed")) == 1


def test_a_name_inside_the_text_is_enough_and_nobody_is_told_of_nobody(scene: Scene) -> None:
    say(scene, claimed="", text="EXERCISE. Cabinet Secretariat: take shelter")
    assert scene["jpn"].staff("relayed")[-1]["unit"] == "jp-cabsec"
    say(scene, claimed="Bureau of Nothing", text="EXERCISE. Take shelter")
    assert scene["usa"].staff("relayed")[-1]["unit"] == "Bureau of Nothing"
    assert len(scene["jpn"].staff("relayed")) == 1
    say(scene, "jpn")
    assert scene["jpn"].staff("relayed")[-1]["tells"] == ""


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"text": ""}, "malformed-relay"),
        ({"outlet": " "}, "malformed-relay"),
        ({"text": "x" * (MAX_CLAIM_TEXT + 1)}, "oversize"),
        ({"said_ns": 2**62}, "future-dated"),
        ({"said_ns": -1}, "future-dated"),
        ({"text": "Take shelter. This is not a drill"}, "claims-another-realm"),
    ],
)
def test_what_cannot_be_is_refused(scene: Scene, more: dict[str, Any], reason: str) -> None:
    assert say(scene, **more) == reason
    assert scene["usa"].refusals() == [reason]
    assert not scene["usa"].staff("relayed")
    assert not scene["jpn"].staff("relayed")


def test_a_claim_about_somebody_elses_authority_is_refused(scene: Scene) -> None:
    body = ClaimBody(outlet="x", unit="kr-mois", text="y", link="", said_ns=scene.now_ns, form="text")
    raw = scene.sealed("usa", "claim", body, audience=("JPN", "USA"))
    assert scene.bring("usa", "jpn", raw).answer.reason == "no-such-authority"


def test_a_file_in_our_name_is_no_hazard(scene: Scene) -> None:
    at = scene.now_ns // 10**9 * 10**9
    for place, sender in enumerate(
        ("jp-cabsec@jpn.noroshi.invalid", "JP-CABSEC@jpn.noroshi.invalid", "jp-cabsec")
    ):
        raw = cap(at, sender=sender, identifier=f"JPN-{place}", headline=f"EXERCISE. Wave {place}")
        scene["kor"].take(scene.now_ns, CapGiven(party="feed:any", raw=raw))
    raw = cap(at, identifier="JPN-9", sender_name="Cabinet Secretariat, crisis management centre")
    scene["kor"].take(scene.now_ns, CapGiven(party="feed:other", raw=raw))
    scene.pump()
    assert [row["verdict"] for row in scene["kor"].staff("relayed")] == ["unverified"] * 4
    assert {row["unit"] for row in scene["jpn"].staff("relayed")} == {"jp-cabsec"}
    assert nothing_raised(scene)


@pytest.mark.slow
def test_with_the_original_it_is_verified_until_the_alert_has_ended() -> None:
    scene = Scene("trilateral")
    alert = scene.alert()
    words = next(text for text in alert["texts"] if text["language"] == "en")["headline"]
    record = next(
        record.body
        for record in scene["jpn"].records()
        if record.type == "message" and record.body is not None and b"approvals" in record.body
    )
    (file,) = [row.data for row in scene["jpn"].rows(CAP_GATEWAY)]

    def last(node: str = "jpn") -> str:
        return str(scene[node].staff("relayed")[-1]["verdict"])

    for original in (record, file):
        say(scene, "jpn", outlet=f"one {len(original)}", text=words, original=original)
        assert last() == "verified"
        say(
            scene,
            "jpn",
            outlet=f"two {len(original)}",
            text=f"{words} Everybody in Tokyo.",
            original=original,
        )
        assert last() == "other-words"
    say(scene, "jpn", outlet="forged", text=words, original=record[:-1] + bytes([record[-1] ^ 1]))
    assert last() == "unverified"
    say(scene, "jpn", outlet="other", claimed="kr-mois", text=words, original=record)
    assert last() == "unverified"
    scene["jpn"].take(scene.now_ns, CapGiven(party="feed:press", raw=file))
    assert last() == "verified"
    wider = file.replace(b"JP/Aomori", b"JP/Tokyo")
    assert wider != file
    scene["jpn"].take(scene.now_ns, CapGiven(party="feed:press", raw=wider))
    assert last() == "unverified"
    usa = scene["usa"].node.state
    message = verify(Unverified(record), usa.trust, scene.now_ns)
    assert isinstance(message, Message)
    assert isinstance(message.body, AlertBody)
    say(scene, "usa", outlet="stranger", text=words, original=file)
    assert last("usa") == "unverified"  # the alert was never told to this node
    relaying.heard(Work(usa, scene.now_ns), message, message.body)
    say(scene, "usa", outlet="partner", text=words, original=file)
    assert last("usa") == "verified"
    references = [message.body.identifier]
    end = msgspec.structs.replace(message.body, identifier="JPN-end", type="Cancel", references=references)
    relaying.heard(Work(usa, scene.now_ns), message, end)
    say(scene, "usa", outlet="late partner", text=words, original=file)
    assert last("usa") == "ended"
    scene.now_ns += seconds(1900.0)
    say(scene, "jpn", outlet="late", text=words, original=record)
    assert last() == "ended"
    (claim,) = [one for one in envelopes(scene["jpn"].rows("partner:USA")) if one.kind == "claim"]
    assert claim.label.audience == {
        "JPN",
        "KOR",
        "USA",
    }  # the one in the name of the ministry, over the only line
    assert scene["kor"].staff("relayed")[-1]["told_by"] == "JPN"
