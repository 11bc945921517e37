"""Last hops that sign: nobody receipts in their place, and a relay shows the signatures that it says it has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from noroshi.clock import seconds
from noroshi.command.hop_keys import Enrolled, hello_text, receipt_text, sign_roster
from noroshi.command.passing import Asked, KeysTaken, PassOn
from noroshi.messages import Message, Unverified, derive, verify
from noroshi.messages.bodies_reach import DeliveryBody, HopProof, ReadinessBody, bits_of
from noroshi.node import proving
from noroshi.node.snapshot import dump, opened
from tests.node.relays import HOPS, ROSTER, Line, alarms
from tests.node.scene import ENTROPY, Scene, places

SIGNING = tuple(range(0, HOPS, 2))


def seed(hop: int) -> bytes:
    return derive(ENTROPY, "hop", hop)


def listed(scene: Scene, version: int = 1, hops: tuple[int, ...] = SIGNING, roster: str = ROSTER) -> bytes:
    scheme = scene["jpn"].node.state.scheme
    keys = tuple((hop, scheme.public_key(seed(hop))) for hop in hops)
    realm = scene["jpn"].member.genesis.realm
    return sign_roster(Enrolled(roster, version, keys), "JPN", realm, scheme, scene.root_secret("JPN"))


def code(line: Line, hop: int, of: bytes) -> bytes:
    """The last hop's own receipt."""
    state = line.side.node.state
    return state.scheme.sign(seed(hop), receipt_text(state.genesis.realm, ROSTER, hop, of))


@pytest.fixture
def scene() -> Scene:
    return Scene("trilateral")


def signed_test(scene: Scene) -> tuple[Line, PassOn]:
    """A relay whose last hops have receipted a test: the even ones with their own signatures."""
    line = Line(scene)
    scene.control("jpn", listed(scene))
    (test,) = line.connect()
    assert tuple(line.desk.enrolled) == SIGNING
    for hop in range(HOPS):
        if hop in SIGNING:
            assert line.desk.receipt(hop, test.id, scene.now_ns, code(line, hop, test.id)) == ""
        else:
            line.receipts(test.id, hop)
    line.deliver()
    return line, test


def asked(line: Line) -> Asked:
    line.fetch()
    (found,) = [one for one in line.outcomes if isinstance(one, Asked)][-1:]
    return found


def test_only_a_last_hop_itself_can_say_who_it_is_and_what_it_has(scene: Scene) -> None:
    line = Line(scene)
    scene.control("jpn", listed(scene))
    (test,) = line.connect()
    desk, realm, scheme = line.desk, scene["jpn"].member.genesis.realm, scene["jpn"].node.state.scheme
    challenge = b"c" * 16
    good = scheme.sign(seed(2), hello_text(realm, ROSTER, 2, "towns-a", challenge))
    assert desk.hello_defect(2, good, challenge) == ""
    assert desk.hello_defect(2, good, b"d" * 16) == "not-this-last-hop", "an answer is good for one challenge"
    assert desk.hello_defect(4, good, challenge) == "not-this-last-hop"
    elsewhere = scheme.sign(seed(2), hello_text(realm, ROSTER, 2, "towns-b", challenge))
    assert desk.hello_defect(2, elsewhere, challenge) == "not-this-last-hop", (
        "another relay cannot hand it on"
    )
    of = test.id
    for bad in (code(line, 4, of), code(line, 2, bytes(16)), b"", b"x" * 64, code(line, 2, of)[:-1]):
        assert desk.receipt(2, of, scene.now_ns, bad) == "bad-receipt"
    assert desk.kept[of].received == 0
    assert desk.receipt(2, of, scene.now_ns, code(line, 2, of)) == ""
    assert desk.receipt(2, of, scene.now_ns, b"") == "", "a repeat changes nothing, whatever it carries"
    assert (desk.kept[of].received, len(desk.kept[of].signatures)) == (4, 1)


def test_what_was_asked_for_is_shown_and_the_status_tells_signed_from_vouched(scene: Scene) -> None:
    line, test = signed_test(scene)
    told = scene["jpn"].node.state.told[test.id]
    assert (told.union(ROSTER).bit_count(), told.signed(ROSTER).bit_count()) == (HOPS, 6)
    scene.run_to(scene.now_ns + seconds(31.0))
    question = asked(line)
    assert question.wanted.bit_count() == 6
    proof = line.desk.proof(question, scene.now_ns)
    assert proof is not None
    assert line.give(proof).answer.outcome == "accepted"
    word = told.words["towns-a"]
    assert (word.proven, word.shown, word.false) == (word.root, 6, False)
    scene.run_to(scene.now_ns + seconds(31.0))
    assert alarms(scene) == {}
    assert line.give(proof).answer.outcome == "duplicate"


def test_a_relay_that_shows_nothing_is_an_alarm_until_it_does(scene: Scene) -> None:
    line, _ = signed_test(scene)
    scene.run_to(scene.now_ns + seconds(62.0))
    assert list(alarms(scene).values()) == ["receipts-not-proven"]
    proof = line.desk.proof(asked(line), scene.now_ns)
    assert proof is not None
    line.give(proof)
    assert alarms(scene) == {}


def test_made_up_signatures_are_found_out_and_count_no_more(scene: Scene) -> None:
    """A relay in other hands claims receipts of last hops that never gave any."""
    line = Line(scene)
    scene.control("jpn", listed(scene))
    (test,) = line.connect()
    kept = line.desk.kept[test.id]
    kept.received, kept.first_ns, kept.last_ns = (1 << HOPS) - 1, scene.now_ns, scene.now_ns
    for hop in SIGNING:
        kept.sign(hop, derive(ENTROPY, "made up", hop) * 2)
    line.deliver()
    told = scene["jpn"].node.state.told[test.id]
    assert told.signed(ROSTER).bit_count() == 6
    scene.run_to(scene.now_ns + seconds(31.0))
    proof = line.desk.proof(asked(line), scene.now_ns)
    assert proof is not None
    line.give(proof)
    assert list(alarms(scene).values()) == ["receipts-not-proven"]
    assert "not those of last hops 0, 2, 4, 6, 8, 10" in scene["jpn"].staff("alarm")[-1]["says"]
    assert told.signed(ROSTER) == 0
    assert told.union(ROSTER).bit_count() == HOPS, "the relay's own word stands as what it is"


def test_signatures_that_came_after_the_root_are_not_in_it(scene: Scene) -> None:
    line, test = signed_test(scene)
    scene.run_to(scene.now_ns + seconds(31.0))
    question = asked(line)
    del line.desk.kept[test.id].signatures[question.signed.bit_length() - 1]
    assert line.desk.proof(question, scene.now_ns) is None
    assert line.desk.proof(replace(question, of=bytes(16)), scene.now_ns) is None


@pytest.mark.parametrize(
    "change",
    [
        {"signed": b""},
        {"signed": b"\x00\x10"},
        {"root": b"short"},
        {"root": msgspec.UNSET},
        {
            "signed": msgspec.UNSET,
            "root": msgspec.UNSET,
            "proofs": (HopProof(0, b"s" * 64, (bytes(32),) * 4),),
        },
        {"proofs": (HopProof(1, b"s" * 64, (bytes(32),) * 4),)},
        {"proofs": (HopProof(0, b"s" * 63, (bytes(32),) * 4),)},
        {"proofs": (HopProof(0, b"s" * 64, (bytes(32),) * 3),)},
        {"proofs": (HopProof(0, b"s" * 64, (bytes(31),) * 4),)},
        {"proofs": (HopProof(-2, b"s" * 64, (bytes(32),) * 4),)},
    ],
)
def test_what_cannot_be_said_of_signatures_is_refused(scene: Scene, change: dict[str, Any]) -> None:
    line = Line(scene)
    (test,) = line.connect()
    fields: dict[str, Any] = {
        "of": test.id, "relay": "towns-a", "roster": ROSTER, "hops": HOPS, "sequence": 1, "received": b"\x03",
        "count": 2, "first_ns": 1, "last_ns": 2, "receipts": "keyed", "signed": b"\x01", "root": bytes(32),
    }  # fmt: skip
    good = line.desk._sealed("delivery", DeliveryBody(**fields), test.id, 1, scene.now_ns)
    bad = line.desk._sealed("delivery", DeliveryBody(**(fields | change)), test.id, 2, scene.now_ns)
    assert line.give(bad).answer.reason == "impossible-body"
    assert line.give(good).answer.outcome == "accepted"


def test_a_list_is_taken_from_our_root_alone_and_only_forwards(scene: Scene) -> None:
    first, second = listed(scene), listed(scene, 2, (1,))
    line, other = Line(scene), Line(scene, "other", roster="elsewhere")
    line.connect()
    other.connect()
    assert scene.control("jpn", second).answer.outcome == "accepted"
    assert scene.control("jpn", second).answer.outcome == "duplicate"
    assert scene.control("jpn", first).answer.reason == "stale-roster"
    assert scene.control("jpn", first[:-1] + bytes([first[-1] ^ 1])).answer.reason == "bad-signature"
    line.fetch()
    other.fetch()
    assert (tuple(line.desk.enrolled), other.desk.enrolled) == ((1,), {})
    assert line.desk.take(first, scene.now_ns) == KeysTaken(onward=False)
    assert tuple(line.desk.enrolled) == (1,)
    given = len(scene["jpn"].rows(line.party))
    line.connect()
    assert len(scene["jpn"].rows(line.party)) == given, "what it believes it is not given again"
    late = Line(scene, "towns-b")
    late.connect()
    assert tuple(late.desk.enrolled) == (1,)


def test_a_question_is_no_alert_to_anybody(scene: Scene) -> None:
    line, _ = signed_test(scene)
    scene.run_to(scene.now_ns + seconds(31.0))
    row = scene["jpn"].rows(line.party)[-1].data
    message = verify(Unverified(row), scene["jpn"].node.state.trust, scene.now_ns)
    assert isinstance(message, Message)
    assert isinstance(message.body, ReadinessBody)
    assert message.body.step == "prove"
    kept = dict(line.desk.kept)
    assert isinstance(line.desk.take(row, scene.now_ns), Asked)
    assert line.desk.kept == kept, "it goes to no last hop"


def test_all_of_it_survives_a_restart_and_a_snapshot(scene: Scene) -> None:
    line, _ = signed_test(scene)
    scene.run_to(scene.now_ns + seconds(31.0))
    side = scene["jpn"]
    before = dump(side.node.state)
    side.restart()
    assert dump(side.node.state) == before
    twin = opened("jpn", side.node.snapshot(), side.member.secrets, places())
    for name in ("enrolled", "told", "relay_lines"):
        assert getattr(twin, name) == getattr(side.node.state, name), name
    proof = line.desk.proof(asked(line), scene.now_ns)
    assert proof is not None
    line.give(proof)
    assert alarms(scene) == {}
    found = proving.enrolled(side.node.state, ROSTER)
    assert found is not None
    assert bits_of(b"\x55\x05") == found.bits


def test_a_last_hop_with_a_new_key_brings_no_honest_relay_into_doubt(scene: Scene) -> None:
    line, test = signed_test(scene)
    scene.run_to(scene.now_ns + seconds(31.0))
    late = line.desk.proof(asked(line), scene.now_ns)
    state, side = line.side.node.state, scene["jpn"]
    fresh = derive(ENTROPY, "new", 2)
    keys = {hop: state.scheme.public_key(seed(hop)) for hop in SIGNING if hop != 4}
    keys[2] = state.scheme.public_key(fresh)
    given = Enrolled(ROSTER, 2, tuple(sorted(keys.items())))
    realm = side.member.genesis.realm
    scene.control("jpn", sign_roster(given, "JPN", realm, state.scheme, scene.root_secret("JPN")))
    assert late is not None
    line.give(late)
    assert alarms(scene) == {}, "what was shown by the list before is not held against this one"
    line.fetch()
    assert sorted(line.desk.kept[test.id].signatures) == [0, 6, 8, 10]
    line.deliver()
    told = state.told[test.id]
    assert told.signed(ROSTER).bit_count() == 4
    again = state.scheme.sign(fresh, receipt_text(realm, ROSTER, 2, test.id))
    line.desk.restore(test.id, 2, code(line, 2, test.id))
    assert 2 not in line.desk.kept[test.id].signatures, "the old one comes back from no disk"
    assert line.desk.receipt(2, test.id, scene.now_ns, again) == ""
    line.deliver()
    scene.run_to(scene.now_ns + seconds(31.0))
    proof = line.desk.proof(asked(line), scene.now_ns)
    assert proof is not None
    line.give(proof)
    scene.run_to(scene.now_ns + seconds(31.0))
    assert alarms(scene) == {}
    assert (told.signed(ROSTER).bit_count(), told.union(ROSTER).bit_count()) == (5, HOPS)


def test_a_relay_that_says_something_new_whenever_it_is_asked_owes_an_answer_all_the_same(
    scene: Scene,
) -> None:
    line, test = signed_test(scene)
    told = scene["jpn"].node.state.told[test.id]
    scene.run_to(scene.now_ns + seconds(31.0))
    line.desk.kept[test.id].sign(1, b"x" * 64)
    line.deliver()
    scene.run_to(scene.now_ns + seconds(31.0))
    assert list(alarms(scene).values()) == ["receipts-not-proven"]
    assert told.signed(ROSTER) == 0, "what it has not shown in time counts as its own word"
    del line.desk.kept[test.id].signatures[1]
    line.desk.kept[test.id].tree = None
    line.deliver()
    scene.run_to(scene.now_ns + seconds(31.0))
    proof = line.desk.proof(asked(line), scene.now_ns)
    assert proof is not None
    line.give(proof)
    assert alarms(scene) == {}
    assert told.signed(ROSTER).bit_count() == 6
