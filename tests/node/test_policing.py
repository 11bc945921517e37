"""A policy that changes while nodes run and lines are down: it holds for all that has not gone yet."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest

from noroshi.log import MemoryStore, OutboxRow
from noroshi.messages.bodies import ReducedTrackBody, ReleaseBody, WarningBody
from noroshi.node import Commit
from noroshi.node.inputs import Control, Restart
from noroshi.sharing.policy import Admission, Policy, Rule, Terms, default_policy, sign
from noroshi.sharing.streams import EMPTY_HEAD, LANES, next_head, stream_of
from tests.node.scene import Scene, envelopes

USA = "partner:USA"


def policy_of(scene: Scene, node: str, **changes: Any) -> Policy:
    """What holds there without a policy, with these changes, one version later."""
    genesis = scene[node].member.genesis
    base = default_policy(genesis.partner, genesis.partners, genesis.realm)
    version = scene[node].node.state.release_policy.version + 1
    return msgspec.structs.replace(base, **({"version": version} | changes))


def give(scene: Scene, node: str, policy: Policy, *, deliver: bool = True) -> Commit:
    state = scene[node].node.state
    raw = sign(policy, state.scheme, scene.root_secret(state.own))
    if deliver:
        return scene.control(node, raw)
    return scene[node].take(scene.now_ns, Control(party="control:hand", raw=raw))


def terms(scene: Scene, node: str, **changed: Terms) -> dict[str, Terms]:
    genesis = scene[node].member.genesis
    return dict(default_policy(genesis.partner, genesis.partners).partners) | changed


def stored(scene: Scene, node: str, party: str) -> list[OutboxRow]:
    """A party's rows as a store holds them after all cuts."""
    store = MemoryStore()
    store.append(scene[node].batches)
    return [row for lane in LANES for row in store.outbox(stream_of(party, lane), 0, 10_000)]


def assert_dense(rows: Iterable[OutboxRow]) -> None:
    ends: dict[str, tuple[int, bytes]] = {}
    for row in rows:
        number, head = ends.get(row.stream, (0, EMPTY_HEAD))
        assert row.number == number + 1
        assert row.head == next_head(head, row.data)
        ends[row.stream] = row.number, row.head


@pytest.fixture
def cut_off() -> Scene:
    """Japan has seen the flight while its line to the United States was down: all of it waits."""
    scene = Scene("trilateral")
    scene.watch(70.0)
    scene.cut = {("jpn", "usa"), ("usa", "jpn")}
    return scene.watch(110.0)


def test_what_waits_is_decided_again_before_it_goes(cut_off: Scene) -> None:
    scene = cut_off
    before = stored(scene, "jpn", USA)
    kinds = {one.kind for one in envelopes(before)}
    assert {"track", "event", "warning"} <= kinds
    rule = Rule(id="no-tracks", to=("USA", "KOR"), effect="deny", kinds=("track",))
    commit = give(scene, "jpn", policy_of(scene, "jpn", rules=(rule,)), deliver=False)
    assert commit.answer.outcome == "accepted"
    after = stored(scene, "jpn", USA)
    receipted = scene["jpn"].node.durable_there(USA)
    assert_dense(after)
    assert [row for row in after if row.number <= receipted.upto[row.lane]] == [
        row for row in before if row.number <= receipted.upto[row.lane]
    ], "what has gone has gone"
    waiting = [row for row in after if row.number > receipted.upto[row.lane]]
    assert "track" not in {one.kind for one in envelopes(waiting)}
    assert {"event", "warning"} <= {one.kind for one in envelopes(waiting)}
    assert scene["jpn"].node.sent(USA).epoch == 1
    scene["jpn"].restart()
    assert scene["jpn"].node.sent(USA).epoch == 1


def test_the_other_side_goes_on_after_the_cut_and_nothing_is_repeated(cut_off: Scene) -> None:
    scene = cut_off
    scene.deliver(
        "jpn", "usa", limit=3
    )  # rows arrive, and then their receipt is lost with the policy's change
    rule = Rule(id="no-tracks", to=("USA", "KOR"), effect="deny", kinds=("track",))
    give(scene, "jpn", policy_of(scene, "jpn", rules=(rule,)), deliver=False)
    position = scene["jpn"].node.durable_there(USA)
    usa = scene["usa"]
    assert (
        usa.take(scene.now_ns, Restart(party="partner:JPN", position=position)).answer.outcome == "accepted"
    )
    assert (
        usa.take(scene.now_ns, Restart(party="partner:JPN", position=position)).answer.outcome == "duplicate"
    )
    waiting = [row for row in stored(scene, "jpn", USA) if row.number > position.upto[row.lane]]
    from noroshi.node.inputs import Received

    for row in waiting:
        given = Received(party="partner:JPN", number=row.number, raw=row.data, lane=row.lane)
        assert usa.take(scene.now_ns, given).answer.outcome in ("accepted", "duplicate")
    assert usa.node.received("partner:JPN") == scene["jpn"].node.sent(USA)
    usa.restart()


def test_a_removed_partner_gets_nothing_more_and_is_not_listened_to(cut_off: Scene) -> None:
    scene = cut_off
    gone = terms(scene, "jpn", USA=Terms(terms="removed"))
    give(scene, "jpn", policy_of(scene, "jpn", partners=gone), deliver=False)
    receipted = scene["jpn"].node.durable_there(USA)
    assert scene["jpn"].node.sent(USA).upto == receipted.upto
    assert "USA" not in scene["jpn"].node.neighbours
    rows = len(stored(scene, "jpn", USA))
    scene.watch(115.0)
    assert len(stored(scene, "jpn", USA)) == rows
    raw = scene.sealed("usa", "event", msgspec.Raw(b"\x80"), audience=("JPN", "USA"))
    assert scene.bring("usa", "jpn", raw).answer.outcome == "refused"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": 1}, "stale-policy"),
        (
            {"version": 2, "rules": (Rule(id="none", to=("KOR",), effect="deny", kinds=("track",)),)},
            "contradictory",
        ),
        ({"partner": "USA", "partners": {}}, "foreign-policy"),
        ({"realm": "exercise:other"}, "foreign-policy"),
        ({"ranks": ("secret", "restricted")}, "unusable-policy"),
    ],
)
def test_a_policy_that_cannot_follow_changes_nothing(change: dict[str, Any], reason: str) -> None:
    scene = Scene("trilateral")
    give(scene, "jpn", policy_of(scene, "jpn"))
    before = scene["jpn"].node.state.release_policy
    commit = give(scene, "jpn", policy_of(scene, "jpn", **change))
    assert commit.answer.reason == reason
    assert scene["jpn"].node.state.release_policy == before


def test_a_policy_comes_from_our_root_by_hand_and_from_nobody_else() -> None:
    scene = Scene("trilateral")
    side = scene["jpn"]
    policy, scheme = policy_of(scene, "jpn"), side.node.state.scheme
    for secret in (scene.root_secret("USA"), side.member.secrets.signing):
        assert scene.control("jpn", sign(policy, scheme, secret)).answer.reason == "bad-signature"
    raw = sign(policy, scheme, scene.root_secret("JPN"))
    commit = side.take(scene.now_ns, Control(party="partner:USA", raw=raw))
    assert commit.answer.reason == "not-by-this-way"
    assert side.node.state.release_policy.version == 1


def test_reduced_editions_take_the_place_of_tracks_and_say_no_place() -> None:
    scene = Scene("trilateral")
    rules = (
        Rule(id="coarse", to=("USA", "KOR"), effect="reduced", kinds=("track",)),
        Rule(id="tear-line", to=("USA", "KOR"), effect="declare", kinds=("warning",)),
    )
    assert give(scene, "jpn", policy_of(scene, "jpn", rules=rules)).answer.outcome == "accepted"
    scene.watch(130.0)
    given = envelopes(scene["jpn"].rows(USA))
    kinds = {one.kind for one in given}
    assert "reduced-track" in kinds
    assert "warning" in kinds
    assert "track" not in kinds
    bodies = [
        msgspec.msgpack.decode(one.body, type=ReducedTrackBody)
        for one in given
        if one.kind == "reduced-track"
    ]
    assert [one.sequence for one in bodies] == list(range(1, len(bodies) + 1))
    assert len({(one.fall.row, one.fall.column) for one in bodies if one.fall}) <= 3
    for one in given:
        if one.kind == "warning":
            body = msgspec.msgpack.decode(one.body, type=WarningBody)
            assert body.fall is None
            assert not body.corridor
            assert not body.partners
    decided = [
        msgspec.msgpack.decode(record.body)
        for record in scene["jpn"].records()
        if record.type == "release" and record.body
    ]
    assert {one["kind"] for one in decided if one["declared"]} == {"warning"}
    scene["jpn"].restart()


def test_an_observer_is_admitted_while_nodes_run_and_gets_what_rules_name_in_editions_of_its_own() -> None:
    scene = Scene("trilateral")
    scene.watch(80.0)
    observer = Terms(
        terms="observer",
        highest="restricted",
        admitted=Admission(node="aus", unit="au-ops", nation="AU"),
    )
    rule = Rule(id="warn-aus", to=("AUS",), effect="declare", kinds=("warning",))
    policy = policy_of(scene, "jpn", partners=terms(scene, "jpn", AUS=observer), rules=(rule,))
    assert give(scene, "jpn", policy).answer.outcome == "accepted"
    assert "AUS" in scene["jpn"].node.neighbours
    before = len(scene["jpn"].rows(USA))
    scene.watch(110.0)
    given = envelopes(scene["jpn"].rows("partner:AUS"))
    assert {one.kind for one in given} == {"warning"}
    assert {one.label.releasable_to for one in given} == {("AUS", "JPN")}
    assert len(scene["jpn"].rows(USA)) > before
    for one in envelopes(scene["jpn"].rows(USA)):
        assert "AUS" not in one.label.releasable_to
    scene["jpn"].restart()


def test_nobody_is_admitted_in_anothers_name() -> None:
    scene = Scene("trilateral")
    for admitted in (
        Admission(node="usa", unit="au-ops", nation="AU"),
        Admission(node="aus", unit="us-wh", nation="AU"),
        Admission(node="aus", unit="au-ops", nation="KR"),
    ):
        new = terms(scene, "jpn", AUS=Terms(terms="observer", highest="restricted", admitted=admitted))
        assert (
            give(scene, "jpn", policy_of(scene, "jpn", partners=new)).answer.reason == "admits-what-is-there"
        )


def test_case_by_case_takes_a_named_post_for_each_message() -> None:
    scene = Scene("trilateral")
    posts = scene["jpn"].node.state.posts
    post = next(iter(posts))
    other = next(one for one in posts if one != post)
    cases = terms(scene, "jpn", USA=Terms(terms="case-by-case", highest="restricted"))
    policy = policy_of(scene, "jpn", partners=cases, releasing_posts=(post,))
    assert give(scene, "jpn", policy).answer.outcome == "accepted"
    scene.watch(95.0)
    assert not scene["jpn"].rows(USA)
    raw = next(
        record.body
        for record in scene["jpn"].records()
        if record.type == "message" and record.body and b"warning" in record.body
    )
    of = envelopes([OutboxRow("", 0, 0, "", 0, raw, b"")])[0].id
    body = ReleaseBody(of=of, original=raw, partner="USA")

    def ask(who: str, what: ReleaseBody) -> Commit:
        scene.now_ns += 1
        return scene.hand_in("jpn", who, scene.sealed("jpn", "release", what, post=who, audience=("JPN",)))

    assert ask(other, body).answer.reason == "no-authority"
    assert ask(post, msgspec.structs.replace(body, of=b"x" * 16)).answer.reason == "not-the-message-itself"
    assert ask(post, body).answer.outcome == "accepted"
    (edition,) = envelopes(scene["jpn"].rows(USA))
    assert edition.kind == "warning"
    assert edition.id != of
    assert edition.label.releasable_to == ("JPN", "USA")
    assert scene["usa"].staff("warning")
    scene["jpn"].restart()
