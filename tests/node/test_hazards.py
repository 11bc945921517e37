"""Other agencies' alerts at real nodes: by every entrance, told on, acknowledged, ended; and all that is refused."""

from __future__ import annotations

from typing import Any

import pytest

from noroshi.clock import seconds
from noroshi.gateways.cap_read import read_cap
from noroshi.gateways.hazard_facts import facts_of
from noroshi.messages.bodies_hazard import MAX_HAZARD_BYTES, HazardBody
from noroshi.node.hazards import realm_defect
from noroshi.node.inputs import CapGiven, FeedHeard
from noroshi.sharing import partner_party
from tests.node.agency import SENDER, cap
from tests.node.scene import Scene, envelopes, replayed

S = seconds(1.0)


def give(scene: Scene, raw: bytes, node: str = "jpn", **more: Any) -> str:
    """A file by an entrance of a node; how it was answered."""
    commit = scene[node].take(scene.now_ns, CapGiven(party="feed:waves", raw=raw, **more))
    scene.pump()
    return commit.answer.reason or commit.answer.outcome


def standing(scene: Scene, node: str) -> set[str]:
    """The identifiers of what stands by the staff's rows."""
    found: dict[str, tuple[str, str]] = {}
    for row in scene[node].staff("hazard", "hazard-state"):
        found[row["hazard"]] = (row["identifier"], row["state"])
    return {identifier for identifier, state in found.values() if state == "standing"}


def now(scene: Scene) -> int:
    return scene.now_ns // S * S


def test_it_is_shown_shared_and_acknowledged_and_its_end_goes_to_the_same(scene: Scene) -> None:
    sent_ns = now(scene)
    assert give(scene, cap(sent_ns)) == "accepted"
    for node in ("jpn", "kor", "usa"):
        (row,) = scene[node].staff("hazard")
        assert (row["state"], row["act"], row["partner"], row["status"]) == (
            "standing",
            True,
            "JPN",
            "Exercise",
        )
        assert row["sender_name"] == "Agency of Waves"
        assert row["signature"] == "not-checked"
        assert [text["language"] for text in row["texts"]] == ["en-US", "ja-JP"]
        assert row["rings"][0][0] == [140.0, 35.0]
    assert not scene["kor"].staff("warning")
    task = scene.task("kor", "acknowledge")
    assert "Agency of Waves" in task["title"]
    assert scene.answer("kor", task).answer.outcome == "accepted"
    assert [row["partner"] for row in scene["jpn"].staff("acknowledgement")] == ["KOR"]
    end = cap(sent_ns + S, identifier="wave-2", type_="Cancel", refers=(("wave-1", sent_ns),))
    assert give(scene, end) == "accepted"
    for node in ("jpn", "kor", "usa"):
        assert standing(scene, node) == set()
    rows = [row for row in scene["jpn"].rows(partner_party("USA")) if row.lane == 0]
    alert, ended = [one for one in envelopes(rows) if one.kind == "hazard"]
    assert alert.label.audience == ended.label.audience == {"JPN", "KOR", "USA"}
    assert any("end of" in task["title"] for task in scene.tasks("kor", "acknowledge"))


def test_two_ways_and_two_partners_count_once(scene: Scene) -> None:
    raw = cap(now(scene))
    assert give(scene, raw) == "accepted"
    assert give(scene, raw) == "duplicate"
    assert give(scene, raw.replace(b"\n", b"\r\n")) == "duplicate"
    assert give(scene, raw, "usa") == "duplicate"
    assert len(scene["kor"].staff("hazard")) == 1
    assert len(scene.tasks("kor", "acknowledge")) == 1
    assert give(scene, cap(now(scene), headline="EXERCISE EXERCISE. Nothing")) == "contradictory"
    assert standing(scene, "kor") == {"wave-1"}


def test_a_partner_that_has_it_from_two_sides_is_asked_once(scene: Scene) -> None:
    scene.cut = {("jpn", "usa"), ("usa", "jpn")}
    raw = cap(now(scene))
    assert [give(scene, raw, node) for node in ("jpn", "usa")] == ["accepted", "accepted"]
    scene.cut = set()
    scene.pump()
    for node in ("jpn", "kor", "usa"):
        assert len(scene[node].staff("hazard")) == 1
        assert scene[node].refusals() == []
    assert scene["jpn"].staff("hazard-state")[-1]["partners"] == ["JPN", "USA"]


def test_a_late_and_an_early_message_do_no_harm(scene: Scene) -> None:
    at = now(scene)
    first, update = cap(at), cap(at + S, identifier="wave-2", type_="Update", refers=(("wave-1", at),))
    cancel = cap(at + 2 * S, identifier="wave-3", type_="Cancel", refers=(("wave-1", at), ("wave-2", at + S)))
    assert give(scene, update) == "accepted"
    assert standing(scene, "usa") == {"wave-2"}
    assert give(scene, first) == "accepted"
    assert standing(scene, "usa") == {"wave-2"}
    assert len(scene.tasks("kor", "acknowledge")) == 1
    assert give(scene, cancel, "usa") == "accepted"
    assert standing(scene, "jpn") == set()
    early = Scene()
    assert [give(early, one) for one in (cancel, first, update)] == ["accepted"] * 3
    assert early["kor"].staff("hazard") == early.tasks("kor") == []


def test_an_update_that_is_over_when_it_comes_ends_what_it_updates(scene: Scene) -> None:
    at = now(scene)
    give(scene, cap(at))
    last = cap(at + S, identifier="wave-2", type_="Update", refers=(("wave-1", at),), for_s=0.0)
    scene.now_ns += 2 * S
    assert give(scene, last) == "accepted"
    for node in ("jpn", "kor", "usa"):
        assert standing(scene, node) == set()
        assert "ended by an update" in scene[node].staff("hazard-state")[0]["says"]
    assert any("end of" in task["title"] for task in scene.tasks("kor", "acknowledge"))


def test_an_agency_under_two_names_changes_its_own_and_nobody_elses(scene: Scene) -> None:
    at = now(scene)
    give(scene, cap(at))
    give(scene, cap(at, identifier="quake-1", sender="quakes@else.example"))
    update = cap(at + S, identifier="wave-2", type_="Update", refers=(("wave-1", at), ("quake-1", at)))
    renamed = update.replace(f"{SENDER},".encode(), b"WAVES,")
    assert give(scene, renamed) == "accepted"
    assert standing(scene, "usa") == {"wave-2", "quake-1"}
    end = cap(at + 2 * S, identifier="wave-3", type_="Cancel", refers=(("quake-1", at),))
    assert (
        give(scene, end.replace(f"{SENDER},".encode(), b"quakes@else.example,")) == "refers-to-another-sender"
    )
    assert standing(scene, "usa") == {"wave-2", "quake-1"}


def test_it_runs_out_by_itself_and_what_is_over_raises_nothing(scene: Scene) -> None:
    at = now(scene)
    give(scene, cap(at, for_s=60.0))
    scene.run_to(at + 61 * S)
    assert standing(scene, "jpn") == standing(scene, "kor") == set()
    assert give(scene, cap(at - 7200 * S, identifier="old")) == "accepted"
    assert [row["identifier"] for row in scene["kor"].staff("hazard")] == ["wave-1"]
    assert "kept as history" in scene["jpn"].staff("hazard-state")[-1]["says"]


REFUSED: dict[str, dict[str, Any]] = {
    "wrong-status": {"status": "Actual"},
    "wrong-status of a test": {"status": "Test"},
    "claims-another-realm": {"headline": "EXERCISE. This is not a drill"},
    "future-dated": {"later_s": 3600.0},
    "ends-before-it-was-sent": {"for_s": -60.0},
    "refers-to-nothing": {"type_": "Cancel"},
    "text-too-long": {"headline": "EXERCISE. " + "\ufdfa" * 20_000},
    "acknowledges-only": {"type_": "Ack"},
    "not-this-entrances-sender": {"sender": "else@agency.example"},
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_shown_and_changes_nothing(case: str) -> None:
    scene, wanted = Scene(), dict(REFUSED[case])
    sent_ns = now(scene) + seconds(wanted.pop("later_s", 0.0))
    reason = case.partition(" ")[0]
    assert give(scene, cap(sent_ns, **wanted), senders=(SENDER,)) == reason
    assert scene["jpn"].refusals() == [reason]
    assert any(record.type == "refusal" for record in scene["jpn"].records())
    assert len(scene["jpn"].node.state.hazards) == 0
    assert not scene["jpn"].rows(partner_party("USA"))
    assert not scene["kor"].staff("hazard")


@pytest.mark.parametrize(
    ("realm", "status", "headline", "reason"),
    [
        ("real", "Actual", "Tsunami. Exercise extreme caution. This is not a drill", ""),
        ("real", "Actual", "This is an exercise", "claims-another-realm"),
        ("real", "Actual", "これは訓練です", "claims-another-realm"),
        ("real", "Exercise", "Tsunami", "wrong-status"),
        ("real", "Test", "Tsunami", "wrong-status"),
        ("real", "System", "Tsunami", "wrong-status"),
        ("exercise:a", "Exercise", "EXERCISE", ""),
        ("exercise:a", "Exercise", "실제 상황입니다", "claims-another-realm"),
        ("exercise:a", "Actual", "EXERCISE", "wrong-status"),
        ("exercise:a", "Draft", "EXERCISE", "wrong-status"),
    ],
)
def test_a_file_is_of_one_realm_only(realm: str, status: str, headline: str, reason: str) -> None:
    raw = cap(10**18, status=status, headline=headline).replace("訓練 高さ".encode(), "高さ".encode())
    facts = facts_of(read_cap(raw))
    assert not isinstance(facts, str)
    assert realm_defect(facts, realm)[0] == reason


ENTITIES = b'<!DOCTYPE a [<!ENTITY b "c">]><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">&b;</alert>'


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "malformed-cap"),
        (b"\x00\xff<alert", "malformed-cap"),
        (cap(10**18)[:300], "malformed-cap"),
        (ENTITIES, "malformed-cap"),
        (b"<alert>" * 10_000, "malformed-cap"),
        (b" " * (MAX_HAZARD_BYTES + 1), "oversize"),
    ],
)
def test_what_is_no_file_is_refused(scene: Scene, raw: bytes, reason: str) -> None:
    assert give(scene, raw) == reason
    assert scene["jpn"].refusals() == [reason]


def test_what_the_shell_has_found_wrong_is_on_the_record(scene: Scene) -> None:
    assert give(scene, b"", fault="wrongly-signed", detail="feed of waves") == "wrongly-signed"
    (row,) = scene["jpn"].staff("refusal")
    assert (row["party"], row["detail"]) == ("feed:waves", "feed of waves")


def test_an_unsigned_cancel_does_not_end_what_was_signed(scene: Scene) -> None:
    at = now(scene)
    give(scene, cap(at), signature="signed")
    end = cap(at + S, identifier="wave-2", type_="Cancel", refers=(("wave-1", at),))
    assert give(scene, end) == "weaker-than-what-it-changes"
    assert give(scene, end, "usa") == "weaker-than-what-it-changes"
    assert standing(scene, "kor") == {"wave-1"}
    assert give(scene, end, signature="signed") == "accepted"
    assert standing(scene, "kor") == set()


def test_what_is_not_public_stays_at_home(scene: Scene) -> None:
    give(scene, cap(now(scene), scope="Private"))
    give(scene, cap(now(scene), identifier="wave-2"), shared=False)
    assert len(scene["jpn"].staff("hazard")) == 2
    assert not scene["kor"].staff("hazard")
    assert not scene["usa"].staff("hazard")
    assert not scene["jpn"].rows(partner_party("USA"))


def test_a_partner_cannot_make_a_file_say_something_else(scene: Scene) -> None:
    at = now(scene)
    fields = {"sender": SENDER, "identifier": "wave-9", "sent_ns": at, "signature": "signed"}
    false = HazardBody(cap=cap(at), **fields)  # type: ignore[arg-type]  # as above
    raw = scene.sealed("usa", "hazard", false)
    assert scene.bring("usa", "jpn", raw).answer.reason == "facts-differ"
    fields["identifier"] = "wave-1"
    real = HazardBody(cap=cap(at, status="Actual"), **fields)  # type: ignore[arg-type]  # as above
    assert scene.bring("usa", "jpn", scene.sealed("usa", "hazard", real)).answer.reason == "wrong-status"
    empty = HazardBody(cap=b"", **fields)  # type: ignore[arg-type]  # as above
    assert scene.bring("usa", "jpn", scene.sealed("usa", "hazard", empty)).answer.reason == "impossible-body"
    assert scene["jpn"].staff("hazard") == []


def test_a_feed_that_falls_silent_is_shown(scene: Scene) -> None:
    side = scene["jpn"]
    for state in ("fresh", "fresh", "failing", "stale", "fresh"):
        side.take(scene.now_ns, FeedHeard(feed="waves", state=state, detail="no answer"))
    rows = side.staff("hazard-feed")
    assert [row["state"] for row in rows] == ["fresh", "failing", "stale", "fresh"]
    assert "too long" in rows[2]["says"]
    assert "again" in rows[3]["says"]


def test_it_is_the_same_after_a_replay(scene: Scene) -> None:
    at = now(scene)
    give(scene, cap(at))
    give(scene, cap(at + S, identifier="wave-2", type_="Update", refers=(("wave-1", at),)))
    give(scene, b"<alert/>")
    for node in ("jpn", "kor"):
        side = scene[node]
        again = replayed(side.member, side.records()).state
        assert again.hazards.saved() == side.node.state.hazards.saved()
        assert again.timers == side.node.state.timers
