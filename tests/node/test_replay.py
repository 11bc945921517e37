"""The log is the truth: any prefix of it gives the node back, and a crash loses and repeats nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noroshi.log import Chain, DamagedRecordError, Record
from noroshi.node import ReplayDiffersError
from noroshi.node.inputs import TimerDue, decode_input
from noroshi.sharing import ReleasePolicy
from noroshi.sharing.release import ReleaseKey
from noroshi.sharing.streams import streams_of
from tests.node.scene import Scene, Side, replayed


@cache
def alerted() -> Scene:
    """A run up to the alert. Not to be changed."""
    scene = Scene("trilateral")
    scene.alert()
    return scene


@dataclass(frozen=True)
class Shape:
    """What can be compared of a node."""

    head: bytes
    sequence: int
    timers: tuple[tuple[str, int], ...]
    outboxes: tuple[int, ...]
    tasks: tuple[str, ...]
    next_due_ns: int


def shape(side: Side) -> Shape:
    state = side.node.state
    return Shape(
        state.chain.head,
        state.chain.sequence,
        tuple(sorted(state.timers.items())),
        tuple(
            side.node.outbox_upto(stream)
            for party in ("partner:JPN", "partner:KOR", "partner:USA", "staff")
            for stream in streams_of(party)
        ),
        tuple(sorted(state.tasks)),
        side.node.next_due_ns,
    )


@pytest.mark.parametrize("node", ["jpn", "kor", "usa"])
def test_a_replay_gives_the_node_back_and_it_goes_on_alike(node: str) -> None:
    side = alerted()[node]
    twin = replayed(side.member, side.records())
    other = Side.__new__(Side)
    other.member, other.node, other.batches = side.member, twin, list(side.batches)
    assert shape(other) == shape(side)
    again = replayed(side.member, side.records())
    late = alerted().at(300)
    for timer in (*twin.due(late), TimerDue(name="nothing")):
        assert twin.handle(late, timer) == again.handle(late, timer)


@settings(max_examples=12, deadline=None)
@given(st.integers(1, 400))
def test_any_prefix_of_whole_commits_replays(cut: int) -> None:
    side = alerted()["jpn"]
    kept = side.batches[: max(1, min(cut, len(side.batches)))]
    records = [record for batch in kept for record in batch.records]
    node = replayed(side.member, records)
    assert node.chain.head == records[-1].hash


@pytest.mark.parametrize("node", ["jpn", "usa"])
def test_what_is_worked_out_once_for_many_messages_is_the_same_as_for_each(
    monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    """The short way of a release gives the rows and the records of the long one, byte for byte."""
    side, plain = alerted()[node], ReleasePolicy.plain
    short: list[bool] = []

    def never(policy: ReleasePolicy, key: ReleaseKey) -> None:
        short.append(plain(policy, key) is not None)

    monkeypatch.setattr(ReleasePolicy, "plain", never)
    records = list(side.records())
    assert replayed(side.member, records).chain.head == records[-1].hash
    assert any(short)


def rechained(records: list[Record], index: int, body: bytes | None) -> list[Record]:
    """The same log with one record changed (None: left out), every hash made good again: a forger's work."""
    chain = Chain()
    return [
        chain.link(
            record.now_ns, record.type, body if number == index and body is not None else record.body or b""
        )
        for number, record in enumerate(records)
        if not (number == index and body is None)
    ]


def test_a_forged_derived_record_is_found_and_named() -> None:
    records = alerted()["jpn"].records()
    index = next(number for number, record in enumerate(records) if record.type == "release")
    forged = msgspec.msgpack.decode(records[index].body or b"")
    forged["withheld"] = {}
    forged["to"] = {"CHN": 1}
    for broken in (
        rechained(records, index, msgspec.msgpack.encode(forged)),
        rechained(records, index, None),
        rechained(records, 3, b"\x80"),
    ):
        with pytest.raises((ReplayDiffersError, DamagedRecordError)) as caught:
            replayed(alerted()["jpn"].member, broken)
        assert "record" in str(caught.value)


def test_a_log_of_other_keys_or_another_node_is_not_this_nodes() -> None:
    scene = alerted()
    with pytest.raises(Exception, match=r"key|record") as caught:
        replayed(scene["usa"].member, scene["jpn"].records())
    assert "Traceback" not in str(caught.value)


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["jpn", "usa", "kor"]), st.integers(5, 200)), min_size=1, max_size=4)
)
def test_nodes_that_die_and_come_back_lose_and_repeat_nothing(deaths: list[tuple[str, int]]) -> None:
    """Nodes die between two looks, so also in the middle of a warning; their record is all that they come back with."""
    scene = Scene("trilateral")
    looks = 0

    def die(scene: Scene) -> None:
        nonlocal looks
        looks += 1
        for node, when in deaths:
            if looks == when % 40:
                scene[node].restart()
                scene.pump()

    scene.watch(105.0, on_quiet=die)
    for name, side in scene.sides.items():
        said = [record.body for record in side.records() if record.type == "message"]
        assert len(said) == len(set(said))
        for other in scene.sides.values():
            if (name, other.member.node) in scene.wires:
                assert sum(other.node.received(side.party).upto) == len(side.rows(other.party))
        assert replayed(side.member, side.records()).chain.head == side.node.chain.head


def test_a_commit_that_was_not_durable_is_given_again_and_counts_once() -> None:
    scene = Scene("trilateral").watch(95.0)
    side = scene["jpn"]
    last = next(batch for batch in reversed(side.batches) if batch.records[0].type == "received")
    whole = shape(side)
    lost = len(side.batches) - side.batches.index(last)
    undone = side.batches[-lost:]
    side.restart(losing=lost)
    assert side.node.chain.sequence < whole.sequence
    for batch in undone:
        record = batch.records[0]
        side.take(record.now_ns, decode_input(record.body or b""))
    assert shape(side) == whole
    before = side.node.chain.sequence
    repeated = decode_input(last.records[0].body or b"")
    assert side.take(scene.now_ns, repeated).answer.outcome == "duplicate"
    assert side.node.chain.sequence == before + 1
