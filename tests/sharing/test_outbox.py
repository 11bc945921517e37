"""Outboxes against their store: dense numbers, right heads, receipts, and streams begun anew."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from noroshi.log import Batch, Cut, MemoryStore
from noroshi.messages.kinds import Lane
from noroshi.sharing import CAP_GATEWAY, STAFF, Outboxes, Position, stream_of
from noroshi.sharing.streams import EMPTY_HEAD, LANES, START, next_head

PARTY = "partner:USA"
OTHER = "partner:KOR"


def put(outboxes: Outboxes, store: MemoryStore, lane: Lane, *data: bytes, party: str = PARTY) -> None:
    rows = tuple(outboxes.put(party, lane, "", 7, one, one[:1]) for one in data)
    store.append([Batch((), rows)])


def restart(
    outboxes: Outboxes, store: MemoryStore, may_still_go: Callable[[Hashable], bool]
) -> tuple[Cut, ...]:
    cuts = outboxes.restart(PARTY, may_still_go)
    store.append([Batch((), cuts=cuts)])
    return cuts


def numbered(store: MemoryStore, lane: Lane) -> list[tuple[int, bytes]]:
    return [(row.number, row.data) for row in store.outbox(stream_of(PARTY, lane), 0, 1000)]


def test_a_partner_has_a_stream_per_lane_and_the_staff_one() -> None:
    outboxes = Outboxes()
    rows = [
        outboxes.put(party, lane, "k", 7, b"x") for party in (PARTY, STAFF, CAP_GATEWAY) for lane in LANES
    ]
    assert [(row.stream, row.number, row.lane) for row in rows[:5]] == [
        ("partner:USA/warning", 1, 0),
        ("partner:USA/decision", 1, 1),
        ("partner:USA/notice", 1, 2),
        ("partner:USA/track", 1, 3),
        ("staff", 1, 0),
    ]
    assert [row.number for row in rows[4:]] == [1, 2, 3, 4, 1, 2, 3, 4]
    assert outboxes.upto("staff") == 4
    assert outboxes.upto("partner:KOR/track") == 0
    assert outboxes.sent(OTHER) == START
    assert not outboxes.streams["staff"].unreceipted, "nobody receipts the staff's rows"


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        (START, ""),
        (START.at(0, 4, EMPTY_HEAD), "receipt-for-unsent-rows"),
        (START.at(3, 1, EMPTY_HEAD), "receipt-for-unsent-rows"),
        (START.at(0, 3, EMPTY_HEAD), "receipt-differs"),
        (START.at(0, 1, EMPTY_HEAD), "receipt-differs"),
        (START.at(1, 0, bytes([1]) * 32), "receipt-differs"),
        (Position(1, START.upto, START.heads), "receipt-of-another-epoch"),
    ],
)
def test_receipts_that_cannot_be(position: Position, reason: str) -> None:
    outboxes, store = Outboxes(), MemoryStore()
    put(outboxes, store, Lane.WARNING, b"a", b"b", b"c")
    assert outboxes.defect(PARTY, position) == reason


def test_a_receipt_is_held_against_each_row_and_against_the_one_before() -> None:
    outboxes, store = Outboxes(), MemoryStore()
    put(outboxes, store, Lane.WARNING, b"a", b"b", b"c", b"d")
    heads = [row.head for row in store.outbox("partner:USA/warning", 0, 9)]
    for upto, head in enumerate(heads, 1):
        assert outboxes.defect(PARTY, START.at(0, upto, head)) == ""
    assert outboxes.receipted(PARTY, START.at(0, 2, heads[1]))
    assert outboxes.durable_there(PARTY) == START.at(0, 2, heads[1])
    assert not outboxes.receipted(PARTY, START.at(0, 1, heads[0])), "an older one is no news"
    assert outboxes.defect(PARTY, START.at(0, 2, heads[0])) == "receipt-differs"
    assert outboxes.defect(PARTY, START.at(0, 3, heads[1])) == "receipt-differs"
    assert outboxes.defect(PARTY, START.at(0, 4, heads[3])) == ""


def test_a_restart_takes_out_what_may_no_longer_go_and_nothing_else() -> None:
    outboxes, store = Outboxes(), MemoryStore()
    put(outboxes, store, Lane.WARNING, b"a1", b"b2", b"a3", b"b4", b"a5")
    put(outboxes, store, Lane.TRACK, b"b6")
    put(outboxes, store, Lane.WARNING, b"b7", party=OTHER)
    first = store.outbox("partner:USA/warning", 0, 1)[0]
    outboxes.receipted(PARTY, START.at(0, 1, first.head))
    cuts = restart(outboxes, store, lambda why: why == b"a")
    assert [(cut.stream, cut.after, [number for number, _ in cut.kept]) for cut in cuts] == [
        ("partner:USA/warning", 1, [3, 5]),
        ("partner:USA/track", 0, []),
    ]
    assert numbered(store, Lane.WARNING) == [(1, b"a1"), (2, b"a3"), (3, b"a5")]
    assert numbered(store, Lane.TRACK) == []
    assert outboxes.sent(PARTY).upto == (3, 0, 0, 0)
    assert outboxes.sent(PARTY).epoch == 1
    assert outboxes.sent(OTHER).epoch == 0
    assert len(store.outbox("partner:KOR/warning", 0, 9)) == 1
    put(outboxes, store, Lane.WARNING, b"b8")
    assert numbered(store, Lane.WARNING)[-1] == (4, b"b8")
    assert outboxes.defect(PARTY, START.at(0, 1, first.head)) == "receipt-of-another-epoch"


class Model(RuleBasedStateMachine):
    """Outboxes, their store, and a plain list per lane of what the partner is to get."""

    def __init__(self) -> None:
        super().__init__()
        self.outboxes, self.store = Outboxes(), MemoryStore()
        self.lists: dict[Lane, list[bytes]] = {lane: [] for lane in LANES}
        self.receipted = dict.fromkeys(LANES, 0)
        self.epoch = self.count = 0

    @rule(
        lane=st.sampled_from(LANES),
        whys=st.lists(st.sampled_from([b"a", b"b", b"c"]), min_size=1, max_size=5),
    )
    def put(self, lane: Lane, whys: list[bytes]) -> None:
        data = [why + b"%d" % (self.count + place) for place, why in enumerate(whys)]
        self.count += len(whys)
        put(self.outboxes, self.store, lane, *data)
        put(self.outboxes, self.store, lane, *data, party=OTHER)
        self.lists[lane] += data

    @rule(shares=st.tuples(*[st.integers(0, 100)] * len(LANES)))
    def receipt(self, shares: tuple[int, ...]) -> None:
        position = Position(self.epoch, START.upto, START.heads)
        for lane, share in zip(LANES, shares, strict=True):
            known = self.receipted[lane]
            upto = known + (len(self.lists[lane]) - known) * share // 100
            position = position.at(lane, upto, self.head(lane, upto))
        news = position.upto != tuple(self.receipted.values())
        assert self.outboxes.defect(PARTY, position) == ""
        assert self.outboxes.receipted(PARTY, position) == news
        self.receipted = dict(zip(LANES, position.upto, strict=True))

    @rule(may=st.frozensets(st.sampled_from([b"a", b"b", b"c"])))
    def restart(self, may: frozenset[bytes]) -> None:
        restart(self.outboxes, self.store, lambda why: why in may)
        self.epoch += 1
        for lane, data in self.lists.items():
            done = self.receipted[lane]
            self.lists[lane] = data[:done] + [one for one in data[done:] if one[:1] in may]

    def head(self, lane: Lane, upto: int) -> bytes:
        head = EMPTY_HEAD
        for data in self.lists[lane][:upto]:
            head = next_head(head, data)
        return head

    @invariant()
    def store_holds_what_the_outboxes_say(self) -> None:
        sent, there = self.outboxes.sent(PARTY), self.outboxes.durable_there(PARTY)
        assert sent.epoch == there.epoch == self.epoch
        for lane, data in self.lists.items():
            rows = self.store.outbox(stream_of(PARTY, lane), 0, 10_000)
            assert [(row.number, row.data) for row in rows] == list(enumerate(data, 1))
            assert [row.head for row in rows] == [self.head(lane, row.number) for row in rows]
            assert (sent.upto[lane], sent.heads[lane]) == (len(data), self.head(lane, len(data)))
            done = self.receipted[lane]
            assert (there.upto[lane], there.heads[lane]) == (done, self.head(lane, done))

    @invariant()
    def others_are_left_alone(self) -> None:
        kept = sum(len(self.store.outbox(stream_of(OTHER, lane), 0, 10_000)) for lane in LANES)
        assert kept == self.count
        assert self.outboxes.sent(OTHER).epoch == 0


@pytest.mark.slow
def test_the_store_holds_what_the_outboxes_say_whatever_was_put_receipted_and_begun_anew() -> None:
    run_state_machine_as_test(Model, settings=settings(max_examples=100, stateful_step_count=30))
