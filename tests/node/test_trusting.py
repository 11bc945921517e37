"""Keys that change while a node runs: over any link or by hand, told to the staff, passed on once."""

from __future__ import annotations

import msgspec
import pytest

from noroshi.clock import NEVER
from noroshi.messages import Certificate, Refused, Unverified, key_id, verify
from noroshi.messages.bodies import EventBody
from noroshi.messages.keys import is_bundle, read_bundle
from noroshi.messages.trust import DAY_NS
from noroshi.node import trusting
from noroshi.node.trusting import Keyring
from noroshi.node.work import Work
from tests.node.keys import PERSONS, Given, Roots, give
from tests.node.scene import Scene

BODY = EventBody(step="opened", first_observed_ns=1)


@pytest.fixture
def roots(scene: Scene) -> Roots:
    return Roots(scene)


def node_key(scene: Scene, node: str) -> bytes:
    state = scene[node].node.state
    return state.scheme.public_key(scene[node].member.secrets.signing)


def believed(scene: Scene, node: str, raw: bytes) -> str:
    outcome = verify(Unverified(raw), scene[node].node.state.trust, scene.now_ns)
    return outcome.reason if isinstance(outcome, Refused) else ""


def test_what_is_new_is_told_kept_and_passed_on_and_what_is_not_is_a_duplicate(
    scene: Scene, roots: Roots
) -> None:
    certificate = roots.certificate("USA", "usa-2", "usa")
    given = give(scene, "jpn", "partner:USA", certificate)
    assert (given.answer.outcome, given.records[0].keep_ns) == ("accepted", NEVER)
    assert "USA has certified a key of usa" in given.says
    assert is_bundle(given.onward)
    again = Given(scene, "jpn", "partner:USA", given.onward)
    assert (again.answer.outcome, again.onward, len(again.rows)) == ("duplicate", b"", 0)
    relayed = Given(scene, "kor", "partner:USA", given.onward)
    assert relayed.onward == given.onward
    assert isinstance(
        scene["kor"].node.state.trust.holder(key_id(roots.public("usa-2")), scene.now_ns), Certificate
    )


def test_a_revocation_by_any_way_stops_what_comes_after_it(scene: Scene, roots: Roots) -> None:
    """Korea's root takes back Korea's node key; it reaches Japan over the link to the United States."""
    raw = scene.sealed("kor", "event", BODY)
    assert believed(scene, "jpn", raw) == ""
    taken_back = roots.revocation("KOR", node_key(scene, "kor"), since_ns=scene.now_ns - DAY_NS)
    given = give(scene, "jpn", "partner:USA", taken_back)
    assert believed(scene, "jpn", raw) == "revoked-key"
    assert "KOR has taken back a key of kor (in doubt since" in given.says
    assert given.onward


def test_a_partner_takes_back_no_key_but_its_own(scene: Scene, roots: Roots) -> None:
    bare = msgspec.structs.replace(roots.revocation("USA", node_key(scene, "kor")), partner="KOR")
    given = give(scene, "jpn", "partner:USA", bare)
    assert (given.answer.reason, given.onward) == ("bad-revocation", b"")
    give(scene, "jpn", "partner:USA", roots.revocation("USA", node_key(scene, "kor")))
    assert believed(scene, "jpn", scene.sealed("kor", "event", BODY)) == ""


def test_what_is_bad_in_a_bundle_costs_only_itself(scene: Scene, roots: Roots) -> None:
    good, other = roots.certificate("USA", "usa-2", "usa"), roots.certificate("USA", "usa-3", "usa")
    bad = msgspec.structs.replace(other, subject="jpn")
    given = give(scene, "jpn", "partner:USA", bad, good)
    assert given.answer.reason == "bad-certificate"
    assert "certificate of USA jpn: bad-certificate" in given.says
    assert given.onward
    assert good in scene["jpn"].node.state.trust.valid("USA", "node", scene.now_ns)


@pytest.mark.parametrize(
    ("raw", "reason"), [(b"", "malformed"), (b"\x81", "malformed"), (bytes(2 << 20), "too-long")]
)
def test_bytes_that_are_no_bundle_are_refused(scene: Scene, raw: bytes, reason: str) -> None:
    assert Given(scene, "jpn", "partner:USA", raw).answer.reason == reason


def test_a_handover_is_told_and_a_second_one_is_an_alarm(scene: Scene, roots: Roots) -> None:
    first = give(scene, "jpn", "partner:USA", roots.replacement("USA", "USA-2"))
    assert "The root of USA has handed over to" in first.says
    assert "compare fingerprints" not in first.says
    second = give(scene, "jpn", "partner:USA", roots.replacement("USA", "USA-3"))
    assert "and to another one as well: compare fingerprints and pin one of them" in second.says
    assert believed(scene, "jpn", scene.sealed("usa", "event", BODY)) == "key-of-a-lost-root"


def test_a_pin_is_made_by_hand_and_stays_at_home(scene: Scene, roots: Roots) -> None:
    pin, certificate = roots.pin("jpn", "USA-2"), roots.certificate("USA-2", "usa-2", "usa")
    assert give(scene, "jpn", "partner:USA", pin).answer.reason == "not-by-this-way"
    given = give(scene, "jpn", "control:trust", pin, certificate)
    assert f"{PERSONS[0]} and {PERSONS[1]} have pinned the root" in given.says
    onward = read_bundle(given.onward)
    assert not isinstance(onward, str)
    assert (onward.pins, onward.certificates) == ((), (certificate,))
    alone = give(scene, "jpn", "control:trust", roots.pin("jpn", "USA-2", number=2))
    assert (alone.answer.outcome, alone.onward) == ("accepted", b"")


def test_a_post_brings_no_keys(scene: Scene, roots: Roots) -> None:
    certificate = roots.certificate("JPN", "jpn-2", "jpn")
    assert give(scene, "jpn", "post:jp-pm.duty", certificate).answer.reason == "not-by-this-way"


def test_a_node_signs_with_its_newest_key_that_counts(scene: Scene, roots: Roots) -> None:
    state = scene["jpn"].node.state
    first, seed = scene["jpn"].member.secrets, roots.secret("jpn-2")
    state.secrets = Keyring(first.signing, first.ids, (seed,))
    assert trusting.signer(state, scene.now_ns) == (state.certificate, first.signing)
    new = roots.certificate("JPN", "jpn-2", "jpn", not_before_ns=scene.now_ns + DAY_NS)
    give(scene, "jpn", "control:trust", new)
    assert trusting.signer(state, scene.now_ns)[1] == first.signing
    assert trusting.signer(state, scene.now_ns + DAY_NS) == (new, seed)
    give(scene, "jpn", "control:trust", roots.revocation("JPN", roots.public("jpn-2")))
    assert trusting.signer(state, scene.now_ns + DAY_NS) == (state.certificate, first.signing)
    assert trusting.signer(state, scene.now_ns + 999 * DAY_NS) == (state.certificate, first.signing)


def test_a_key_that_was_certified_for_somebody_else_signs_nothing(scene: Scene, roots: Roots) -> None:
    state = scene["jpn"].node.state
    first = scene["jpn"].member.secrets
    state.secrets = Keyring(first.signing, first.ids, (roots.secret("jpn-2"),))
    give(scene, "jpn", "control:trust", roots.certificate("JPN", "jpn-2", "jpn-b"))
    assert trusting.signer(state, scene.now_ns) == (state.certificate, first.signing)


def test_an_end_that_is_near_is_told_every_day(scene: Scene, roots: Roots) -> None:
    state = scene["jpn"].node.state
    give(
        scene,
        "jpn",
        "partner:USA",
        roots.certificate("USA", "u", "usa-b", not_after_ns=scene.now_ns + 2 * DAY_NS),
    )
    work = Work(state, scene.now_ns + 2 * DAY_NS - DAY_NS // 4)
    trusting.due(work)
    told = [row.data.decode() for row in work.finish().batch.outbox]
    assert len([one for one in told if "The key of usa-b (USA) ends in 0.2 days" in one]) == 1
    assert state.timers[trusting.TIMER] == work.now_ns + DAY_NS
    later = Work(state, scene.now_ns + 3 * DAY_NS)
    trusting.due(later)
    assert any(b"The key of usa-b (USA) has ended" in row.data for row in later.finish().batch.outbox)


def test_a_quiet_day_tells_nothing(scene: Scene) -> None:
    work = Work(scene["jpn"].node.state, scene.now_ns)
    trusting.begin(work)
    trusting.due(work)
    batch = work.finish().batch
    assert (batch.records, batch.outbox) == ((), ())


def test_the_secrets_of_a_changed_key_say_nothing_of_themselves() -> None:
    ring = Keyring(b"s" * 32, b"i" * 32, (b"l" * 32,))
    for text in (repr(ring), str(ring), f"{ring}", repr({"x": ring})):
        assert not any(letter * 5 in text for letter in "sil")
