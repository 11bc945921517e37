"""What a core makes of its partners' streams: rows, receipts, checkpoints, streams begun anew, and a stepped clock."""

from __future__ import annotations

import pickle
from itertools import count

import pytest

from noroshi.clock import seconds
from noroshi.messages import Ed25519
from noroshi.messages.bodies import RemarkBody
from noroshi.messages.kinds import Lane
from noroshi.node import Commit
from noroshi.node.inputs import CheckpointGiven, ClockStepped, ReceiptGiven, Received, Restart, decode_input
from noroshi.sharing import Position, Statement
from noroshi.sharing.proof import What
from noroshi.sharing.streams import EMPTY_HEAD, START, next_head, statement_bytes
from tests.node.scene import Scene, Side, replayed

POSTS = {
    "jpn": ("jp-pm.duty", "jp-pm"),
    "usa": ("us-dod.duty", "us-dod"),
    "kor": ("kr-mnd.minister", "kr-mnd"),
}
OTHER_HEAD = bytes([7]) * 32
NUMBERS = count()


def remark(scene: Scene, node: str) -> bytes:
    """A post's words to all three, each time others."""
    post, unit = POSTS[node]
    return scene.sealed(node, "remark", RemarkBody(unit=unit, text=f"remark {next(NUMBERS)}"), post=post)


def say(scene: Scene, node: str, times: int = 1) -> None:
    """Words of a post that go to both partners, one row each in the lane of notices."""
    for _ in range(times):
        assert scene.hand_in(node, POSTS[node][0], remark(scene, node)).answer.outcome == "accepted"


def head_of(side: Side, party: str, upto: int) -> bytes:
    """The head of our stream of notices after a row, from the rows themselves."""
    head = EMPTY_HEAD
    for row in side.stream(party, Lane.NOTICE, 0)[:upto]:
        head = next_head(head, row.data)
    return head


def signed(
    scene: Scene, what: What, signer: str, sender: str, receiver: str, position: Position
) -> Statement:
    """A statement with a genuine signature, whatever it says."""
    side, realm = scene[signer], scene[signer].member.genesis.realm
    there, here = scene[sender].member.trigraph, scene[receiver].member.trigraph
    data = statement_bytes(what, realm, there, here, position)
    return Statement(position, side.node.state.scheme.sign(side.member.secrets.signing, data))


def attest(scene: Scene, sender: str, receiver: str, statement: Statement) -> Commit:
    given = CheckpointGiven(
        party=scene[sender].party, position=statement.position, signature=statement.signature
    )
    return scene[receiver].take(scene.now_ns, given)


def receipt(scene: Scene, receiver: str, sender: str, statement: Statement) -> Commit:
    given = ReceiptGiven(
        party=scene[receiver].party, position=statement.position, signature=statement.signature
    )
    return scene[sender].take(scene.now_ns, given)


def assert_replays(scene: Scene) -> None:
    for side in scene.sides.values():
        again = replayed(side.member, side.records())
        assert again.chain.head == side.node.chain.head
        for party in ("partner:JPN", "partner:KOR", "partner:USA"):
            assert again.received(party) == side.node.received(party)
            assert again.sent(party) == side.node.sent(party)
            assert again.durable_there(party) == side.node.durable_there(party)


# --- both sides compute the same ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_one_has_sent_is_what_the_other_holds_and_has_receipted() -> None:
    scene = Scene("trilateral", Ed25519).watch(100.0, thin=8)
    lanes = set()
    for one, other in sorted(scene.wires):
        sent = scene[one].node.sent(scene[other].party)
        assert scene[other].node.received(scene[one].party) == sent
        assert scene[one].node.durable_there(scene[other].party) == sent
        assert (
            attest(scene, one, other, scene[one].node.checkpoint(scene[other].party)).answer.outcome
            == "accepted"
        )
        assert scene[other].refusals() == []
        lanes |= {lane for lane, upto in enumerate(sent.upto) if upto}
    assert {Lane.WARNING, Lane.NOTICE, Lane.TRACK} <= lanes
    assert_replays(scene)


def test_a_relays_rows_are_in_the_relays_stream(scene: Scene) -> None:
    """Japan and Korea have no link: what Japan says to Korea is a row of America's, and America answers for it."""
    say(scene, "jpn")
    for one, other in (("jpn", "usa"), ("usa", "kor")):
        assert scene[one].node.sent(scene[other].party).upto == (0, 0, 1, 0)
        assert scene[one].node.durable_there(scene[other].party).upto == (0, 0, 1, 0)
    (first,), (second,) = (
        scene[node].stream(party, Lane.NOTICE, 0)
        for node, party in (("jpn", "partner:USA"), ("usa", "partner:KOR"))
    )
    assert first.data == second.data, "the originator's bytes as they were"
    assert scene["kor"].node.received("partner:JPN") == START
    statement = scene["usa"].node.checkpoint("partner:KOR")
    assert attest(scene, "usa", "kor", statement).answer.outcome == "accepted"
    assert scene["kor"].refusals() == []


# --- checkpoints ----------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_kept_and_a_repeated_one_is_a_duplicate(scene: Scene) -> None:
    say(scene, "usa", 2)
    statement = scene["usa"].node.checkpoint("partner:JPN")
    assert attest(scene, "usa", "jpn", statement).answer.outcome == "accepted"
    assert attest(scene, "usa", "jpn", statement).answer.outcome == "duplicate"
    kept = [record for record in scene["jpn"].records() if record.type == "checkpoint"]
    assert kept[0].body is not None
    assert decode_input(kept[0].body) == CheckpointGiven(
        party="partner:USA", position=statement.position, signature=statement.signature
    )
    assert scene["jpn"].refusals() == []
    assert_replays(scene)


def test_a_checkpoint_that_differs_is_refused_and_kept_as_proof(scene: Scene) -> None:
    say(scene, "usa", 2)
    place = scene["usa"].node.sent("partner:JPN").at(Lane.NOTICE, 2, OTHER_HEAD)
    answer = attest(scene, "usa", "jpn", signed(scene, "checkpoint", "usa", "usa", "jpn", place)).answer
    assert (answer.outcome, answer.reason) == ("refused", "stream-differs")
    (shown,) = scene["jpn"].staff("refusal")
    assert (shown["party"], shown["detail"]) == ("partner:USA", "notice row 2")
    (record,) = [record for record in scene["jpn"].records() if record.type == "checkpoint"]
    assert record.body is not None
    given = decode_input(record.body)
    assert isinstance(given, CheckpointGiven)
    assert given.position == place, "what it has signed is on the log, and its rows before it"
    say(scene, "usa")
    assert scene["jpn"].node.received("partner:USA").upto == (0, 0, 3, 0), (
        "the warnings of a liar are heard all the same"
    )
    assert_replays(scene)


def test_a_checkpoint_of_each_lane_is_looked_at(scene: Scene) -> None:
    say(scene, "usa")
    place = Position(0, (0, 0, 1, 0), (OTHER_HEAD,) * 4)
    attest(scene, "usa", "jpn", signed(scene, "checkpoint", "usa", "usa", "jpn", place))
    assert [row["detail"] for row in scene["jpn"].staff("refusal")] == [
        "warning row 0", "decision row 0", "notice row 1", "track row 0",
    ]  # fmt: skip


@pytest.mark.parametrize("honest", [True, False])
def test_a_checkpoint_ahead_of_its_rows_is_compared_when_they_come(scene: Scene, honest: bool) -> None:
    scene.cut = {("usa", "jpn"), ("jpn", "usa")}
    say(scene, "usa", 3)
    head = head_of(scene["usa"], "partner:JPN", 2) if honest else OTHER_HEAD
    place = START.at(Lane.NOTICE, 2, head)
    assert (
        attest(scene, "usa", "jpn", signed(scene, "checkpoint", "usa", "usa", "jpn", place)).answer.outcome
        == "accepted"
    )
    scene.deliver("usa", "jpn", limit=1)
    assert scene["jpn"].refusals() == []
    scene.deliver("usa", "jpn", limit=1)
    assert scene["jpn"].refusals() == ([] if honest else ["stream-differs"])
    scene.deliver("usa", "jpn")
    assert len(scene["jpn"].refusals()) == (not honest)
    assert scene["jpn"].node.received("partner:USA").upto == (0, 0, 3, 0)
    assert_replays(scene)


def test_a_forged_checkpoint_proves_nothing(scene: Scene) -> None:
    say(scene, "usa")
    genuine = scene["usa"].node.checkpoint("partner:JPN")
    forged = [
        Statement(genuine.position, bytes(64)),
        Statement(genuine.position.at(Lane.NOTICE, 1, OTHER_HEAD), genuine.signature),
        Statement(genuine.position.at(Lane.TRACK, 1, EMPTY_HEAD), genuine.signature),
        signed(scene, "checkpoint", "kor", "usa", "jpn", genuine.position),
        signed(scene, "checkpoint", "usa", "usa", "kor", genuine.position),
        signed(scene, "checkpoint", "usa", "jpn", "usa", genuine.position),
        signed(scene, "receipt", "usa", "usa", "jpn", genuine.position),
        signed(scene, "checkpoint", "usa", "usa", "jpn", Position(-1, (0, 0, 1, 0), genuine.position.heads)),
        signed(scene, "checkpoint", "usa", "usa", "jpn", START.at(Lane.NOTICE, 1, b"short")),
    ]
    for statement in forged:
        answer = attest(scene, "usa", "jpn", statement).answer
        assert (answer.outcome, answer.reason) == ("refused", "bad-checkpoint")
    assert attest(scene, "usa", "jpn", genuine).answer.outcome == "accepted"


def test_a_checkpoint_of_other_streams_is_not_held_against_these(scene: Scene) -> None:
    say(scene, "usa")
    place = Position(1, (0, 0, 1, 0), (OTHER_HEAD,) * 4)
    attest(scene, "usa", "jpn", signed(scene, "checkpoint", "usa", "usa", "jpn", place))
    say(scene, "usa")
    assert scene["jpn"].refusals() == []


# --- receipts -------------------------------------------------------------------------------------------------------


def test_receipts_that_are_not_so_change_nothing(scene: Scene) -> None:
    say(scene, "usa", 2)
    usa, known = scene["usa"], scene["usa"].node.durable_there("partner:JPN")
    scene.cut = {("usa", "jpn"), ("jpn", "usa")}
    say(scene, "usa", 2)
    heads = [head_of(usa, "partner:JPN", upto) for upto in range(5)]
    place = START.at(Lane.NOTICE, 3, heads[3])
    genuine = signed(scene, "receipt", "jpn", "usa", "jpn", place)
    refused = [
        ("bad-receipt", Statement(place, bytes(64))),
        ("bad-receipt", Statement(START.at(Lane.NOTICE, 4, heads[4]), genuine.signature)),
        ("bad-receipt", signed(scene, "receipt", "kor", "usa", "jpn", place)),
        ("bad-receipt", signed(scene, "receipt", "jpn", "usa", "kor", place)),
        ("bad-receipt", signed(scene, "receipt", "jpn", "jpn", "usa", place)),
        ("bad-receipt", signed(scene, "checkpoint", "jpn", "usa", "jpn", place)),
        ("bad-receipt", Statement(START.at(Lane.NOTICE, -1, EMPTY_HEAD), bytes(64))),
        ("bad-receipt", Statement(START.at(Lane.NOTICE, 3, b"short"), bytes(64))),
    ]
    for what, number, head in (
        ("receipt-differs", 3, OTHER_HEAD),
        ("receipt-differs", 3, heads[4]),
        ("receipt-differs", 2, OTHER_HEAD),
        ("receipt-for-unsent-rows", 5, heads[4]),
    ):
        position = START.at(Lane.NOTICE, number, head)
        refused.append((what, signed(scene, "receipt", "jpn", "usa", "jpn", position)))
    later = Position(1, place.upto, place.heads)
    refused.append(("receipt-of-another-epoch", signed(scene, "receipt", "jpn", "usa", "jpn", later)))
    for reason, statement in refused:
        answer = receipt(scene, "jpn", "usa", statement).answer
        assert (answer.outcome, answer.reason) == ("refused", reason)
        assert usa.node.durable_there("partner:JPN") == known
    assert receipt(scene, "jpn", "usa", genuine).answer.outcome == "accepted"
    assert usa.node.durable_there("partner:JPN") == place
    for old in (place, known):
        assert (
            receipt(scene, "jpn", "usa", signed(scene, "receipt", "jpn", "usa", "jpn", old)).answer.outcome
            == "duplicate"
        )
    assert usa.node.durable_there("partner:JPN") == place
    assert_replays(scene)


def test_a_receipt_of_a_partner_without_a_link_is_refused(scene: Scene) -> None:
    answer = receipt(scene, "kor", "jpn", signed(scene, "receipt", "kor", "jpn", "kor", START)).answer
    assert (answer.outcome, answer.reason) == ("refused", "bad-receipt")


# --- streams begun anew ---------------------------------------------------------------------------------------------


def test_a_partner_that_begins_anew_goes_on_where_it_says_and_repeats_nothing(scene: Scene) -> None:
    say(scene, "usa", 3)
    jpn, usa = scene["jpn"], scene["usa"]
    rows = usa.stream("partner:JPN", Lane.NOTICE, 0)
    attest(scene, "usa", "jpn", usa.node.checkpoint("partner:JPN"))
    shown = len(jpn.staff("remark"))
    place = Position(1, (0, 0, 1, 0), START.at(Lane.NOTICE, 1, rows[0].head).heads)
    assert jpn.take(scene.now_ns, Restart(party="partner:USA", position=place)).answer.outcome == "accepted"
    assert jpn.node.received("partner:USA") == place
    assert jpn.node.receipt("partner:USA").position == place
    for number, row in ((2, rows[2]), (3, rows[1])):
        given = Received(party="partner:USA", number=number, raw=row.data, lane=Lane.NOTICE)
        assert jpn.take(scene.now_ns, given).answer.outcome == "duplicate"
    fresh = remark(scene, "usa")
    given = Received(party="partner:USA", number=4, raw=fresh, lane=Lane.NOTICE)
    assert jpn.take(scene.now_ns, given).answer.outcome == "accepted"
    assert len(jpn.staff("remark")) == shown + 1
    head = place.heads[Lane.NOTICE]
    for data in (rows[2].data, rows[1].data, fresh):
        head = next_head(head, data)
    assert jpn.node.received("partner:USA") == place.at(Lane.NOTICE, 4, head)
    assert jpn.refusals() == []
    assert replayed(jpn.member, jpn.records()).received("partner:USA") == place.at(Lane.NOTICE, 4, head)


def test_a_restart_that_cannot_be_is_refused(scene: Scene) -> None:
    say(scene, "usa", 2)
    jpn = scene["jpn"]
    known = jpn.node.received("partner:USA")
    head = known.heads[Lane.NOTICE]

    def at(upto: int, head: bytes, epoch: int = 1) -> Position:
        return Position(epoch, START.upto, START.heads).at(Lane.NOTICE, upto, head)

    for party, place, reason in (
        ("partner:USA", at(3, head), "restart-differs"),
        ("partner:USA", at(2, OTHER_HEAD), "restart-differs"),
        ("partner:USA", at(2, head).at(Lane.WARNING, 0, OTHER_HEAD), "restart-differs"),
        ("partner:USA", at(-1, head), "bad-restart"),
        ("partner:USA", at(1, b"short"), "bad-restart"),
        ("partner:USA", at(1, head, epoch=-1), "bad-restart"),
        ("partner:KOR", at(0, EMPTY_HEAD), "bad-restart"),
        ("post:jp-pm.duty", at(0, EMPTY_HEAD), "bad-restart"),
    ):
        answer = jpn.take(scene.now_ns, Restart(party=party, position=place)).answer
        assert (answer.outcome, answer.reason) == ("refused", reason)
    again = jpn.take(scene.now_ns, Restart(party="partner:USA", position=at(1, OTHER_HEAD, epoch=0)))
    assert again.answer.outcome == "duplicate"
    assert jpn.node.received("partner:USA") == known
    assert_replays(scene)


# --- rows in the wrong place ----------------------------------------------------------------------------------------


def test_a_row_in_another_lane_is_refused_and_its_stream_goes_on(scene: Scene) -> None:
    """A partner that sends tracks or talk as warnings would stand in the way of warnings."""
    jpn = scene["jpn"]
    for number, lane in enumerate((Lane.WARNING, Lane.DECISION, Lane.TRACK)):
        given = Received(party="partner:USA", number=1, raw=remark(scene, "usa"), lane=lane)
        assert jpn.take(scene.now_ns, given).answer.reason == "wrong-lane"
        assert jpn.node.received("partner:USA").upto[lane] == 1
        assert len(jpn.refusals()) == number + 1
    say(scene, "usa")
    assert jpn.node.received("partner:USA").upto == (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("lane", "number", "outcome", "reason"),
    [
        (4, 1, "refused", "unknown-lane"),
        (-1, 1, "refused", "unknown-lane"),
        (2, 3, "refused", "row-out-of-order"),
        (2, 1, "duplicate", ""),
        (2, -1, "duplicate", ""),
    ],
)
def test_rows_out_of_place_move_nothing(
    scene: Scene, lane: int, number: int, outcome: str, reason: str
) -> None:
    say(scene, "usa")
    jpn = scene["jpn"]
    known = jpn.node.received("partner:USA")
    given = Received(party="partner:USA", number=number, raw=remark(scene, "usa"), lane=lane)
    answer = jpn.take(scene.now_ns, given).answer
    assert (answer.outcome, answer.reason) == (outcome, reason)
    assert jpn.node.received("partner:USA") == known
    assert_replays(scene)


# --- a stepped clock ------------------------------------------------------------------------------------------------

MOVED = {"timers", "chain", "outboxes", "pruned_ns", "now_ns", "warned", "standing"}
"""What a stepped clock touches: timers, log and staff stream; and a new hour is one for any input: what was warned of
or stood on a client's map then has run out by its own time."""


@pytest.mark.slow
@pytest.mark.parametrize("by_s", [3600.0, -3600.0, 0.25])
def test_a_stepped_clock_shifts_the_timers_and_nothing_else(by_s: float) -> None:
    scene = Scene("trilateral").watch(95.0)
    jpn = scene["jpn"]
    state = jpn.node.state
    before = {name: pickle.dumps(value) for name, value in vars(state).items() if name not in MOVED}
    timers, partners = dict(state.timers), [state.outboxes.sent(f"partner:{one}") for one in ("USA", "KOR")]
    assert timers
    by_ns = seconds(by_s)
    commit = jpn.take(scene.now_ns + by_ns, ClockStepped(by_ns=by_ns))
    assert commit.answer.outcome == "accepted"
    assert state.timers == {name: due_ns + by_ns for name, due_ns in timers.items()}
    assert {name: pickle.dumps(value) for name, value in vars(state).items() if name not in MOVED} == before
    assert [state.outboxes.sent(f"partner:{one}") for one in ("USA", "KOR")] == partners
    assert {row.stream for row in commit.batch.outbox} == {"staff"}
    assert f"{by_s:+.1f} s" in jpn.staff("clock")[-1]["says"]
    again = replayed(jpn.member, jpn.records())
    assert again.state.timers == state.timers
    assert again.chain.head == jpn.node.chain.head


@pytest.mark.parametrize("by_ns", [2**62, -(2**62), 2**63 - 1, -(2**63)])
def test_a_clock_stepped_out_of_all_time_leaves_timers_that_can_be(scene: Scene, by_ns: int) -> None:
    side = scene["jpn"]
    side.node.state.timers.update({"look:x": scene.now_ns})
    side.node.handle(scene.now_ns, ClockStepped(by_ns=by_ns))
    assert all(0 <= due_ns < 2**63 for due_ns in side.node.state.timers.values())
