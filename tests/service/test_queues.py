"""Queues: precedence, turns, bounds, quotas; and the order within a stream, whatever else happens."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noroshi.messages.kinds import Lane
from noroshi.node.inputs import Control, Input, LinkChanged, ReceiptGiven, Received, Restart
from noroshi.service.queues import (
    MAX_OWN_PARTIES,
    QUIET_S,
    SENSOR_TURN,
    CrowdedError,
    InputQueues,
    Place,
    party_of,
    place_of,
)
from noroshi.service.quotas import Quotas
from noroshi.sharing.streams import START
from tests.service.standin import detections

USA, KOR = "partner:USA", "partner:KOR"


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def row(party: str, lane: int, number: int, raw: bytes = b"x") -> Received:
    return Received(party=party, number=number, raw=raw, lane=lane)


def post(number: int, name: str = "duty") -> Received:
    return Received(party=f"post:{name}", number=0, raw=b"%d" % number)


class Queues(InputQueues):
    """With a clock that stands, and futures of a loop that never runs."""

    def __init__(self, loop: asyncio.AbstractEventLoop, **quotas: Any) -> None:
        super().__init__(Quotas(**quotas), 0.0)
        self.loop = loop

    def put(self, *inputs: Input) -> None:
        for one in inputs:
            self.add(one, self.loop.create_future())

    def all_of(self, now_s: float = 0.0, places_open: int = len(Place)) -> list[Input]:
        found = []
        while (waiting := self.take(now_s, places_open)) is not None:
            found.append(waiting.given)
        return found


def test_the_order_of_precedence(loop: asyncio.AbstractEventLoop) -> None:
    queues = Queues(loop)
    receipt = ReceiptGiven(party=USA, position=START, signature=b"r")
    inputs: list[Input] = [
        row(USA, Lane.TRACK, 1), row(USA, Lane.NOTICE, 1), detections(1), receipt, row(USA, Lane.DECISION, 1),
        row(USA, Lane.WARNING, 1),
    ]  # fmt: skip
    queues.put(*inputs)
    assert len(queues) == 6
    assert queues.all_of() == inputs[::-1]
    assert len(queues) == 0


def test_where_each_input_stands() -> None:
    assert place_of(Control(party="post:x", raw=b"")) == Place.WARNING
    assert place_of(post(1)) == place_of(LinkChanged(party=USA, state="down")) == Place.DECISION
    assert place_of(row(USA, 9, 1)) == Place.TRACK
    assert party_of(LinkChanged(party=USA, state="down")) == "node"
    assert party_of(Received(party="control:staff", number=0, raw=b"")) == "control"


def test_parties_take_turns_and_rows_keep_their_order(loop: asyncio.AbstractEventLoop) -> None:
    queues = Queues(loop)
    queues.put(
        *(row(USA, Lane.TRACK, n) for n in range(1, 6)), row(KOR, Lane.TRACK, 1), row(KOR, Lane.TRACK, 2)
    )
    taken = [(one.party, one.number) for one in queues.all_of() if isinstance(one, Received)]
    assert taken == [(USA, 1), (KOR, 1), (USA, 2), (KOR, 2), (USA, 3), (USA, 4), (USA, 5)]


def test_own_sensors_have_a_sure_turn_beside_a_flood_of_warnings(loop: asyncio.AbstractEventLoop) -> None:
    queues = Queues(loop)
    queues.put(*(row(USA, Lane.WARNING, n) for n in range(1, 101)), *(detections(n) for n in range(1, 6)))
    taken = queues.all_of()
    places = [at for at, one in enumerate(taken) if place_of(one) == Place.SENSOR]
    assert places == [(SENSOR_TURN + 1) * turn + SENSOR_TURN for turn in range(5)]


def test_a_full_queue_refuses_and_the_others_are_open(loop: asyncio.AbstractEventLoop) -> None:
    """Path 15, back-pressure: what one partner has waiting shows to no other one."""
    queues = Queues(loop, queue_inputs=1024)
    queues.put(*(row(USA, Lane.TRACK, n) for n in range(1, 513)))
    assert not queues.crowded(USA)
    queues.put(*(row(USA, Lane.TRACK, n) for n in range(513, 1025)))
    assert queues.crowded(USA)
    with pytest.raises(CrowdedError, match="give it again later") as refused:
        queues.put(row(USA, Lane.TRACK, 1025))
    assert refused.value.retry
    queues.put(row(USA, Lane.WARNING, 1), row(KOR, Lane.TRACK, 1))
    assert len(queues) == 1026


def test_bytes_are_bounded_too(loop: asyncio.AbstractEventLoop) -> None:
    queues = Queues(loop, queue_bytes=6 << 20)
    big = bytes(1 << 20)
    queues.put(*(row(USA, Lane.TRACK, n, big) for n in range(1, 6)))
    with pytest.raises(CrowdedError):
        queues.put(row(USA, Lane.TRACK, 6, big))
    queues.all_of()
    queues.put(row(USA, Lane.TRACK, 6, big))


def test_made_up_names_share_a_queue(loop: asyncio.AbstractEventLoop) -> None:
    queues = Queues(loop)
    queues.put(*(detections(1, f"feed-{n}") for n in range(MAX_OWN_PARTIES + 50)))
    queues.put(*(post(1, f"post-{n}") for n in range(50)), row(USA, Lane.WARNING, 1))
    parties = set()
    while (waiting := queues.take(0.0)) is not None:
        parties.add(waiting.party)
    assert len(parties) == MAX_OWN_PARTIES + 3
    assert {"feed:", "post:", USA} < parties


def test_a_party_over_its_share_of_the_processor_waits_for_the_others(
    loop: asyncio.AbstractEventLoop,
) -> None:
    queues = Queues(loop, processor_share=0.5, processor_burst_s=1.0)
    queues.put(*(row(USA, Lane.TRACK, n) for n in range(1, 4)))
    first = queues.take(0.0)
    assert first is not None
    queues.charge(first, handled_s=1.5, logged_bytes=0, now_s=0.0)
    (standing,) = queues.standings(0.0)
    assert standing.party == USA
    assert standing.reason == (
        "it has used more than 50 % of the processor: its notices and tracks wait until nobody else's do"
    )
    queues.put(row(USA, Lane.WARNING, 1), row(KOR, Lane.TRACK, 1), detections(1))
    taken = []
    while (waiting := queues.take(0.0)) is not None:
        taken.append((waiting.party, queues.deferred))
    assert taken == [(USA, False), ("feed:sado", False), (KOR, False), (USA, True), (USA, True)]
    assert queues.standings(1.9) == []
    assert queues.standings(2.1) == []
    (standing,) = queues.standings(1.9 + QUIET_S)
    assert standing.reason == ""


def test_a_party_over_its_quota_of_the_record_is_held_and_not_its_warnings(
    loop: asyncio.AbstractEventLoop,
) -> None:
    queues = Queues(loop, disk_hour_bytes=1 << 20, disk_day_bytes=1 << 30)
    queues.put(*(row(USA, Lane.TRACK, n) for n in range(1, 4)), row(KOR, Lane.TRACK, 1))
    first = queues.take(0.0)
    assert first is not None
    queues.charge(first, handled_s=0.0, logged_bytes=1_100_000, now_s=0.0)
    assert queues.standings(0.0)[0].reason == (
        "it has filled its quota of the record (1 MiB an hour, 1024 MiB a day): its notices and tracks are held"
    )
    queues.put(row(USA, Lane.WARNING, 1))
    assert queues.all_of() == [row(USA, Lane.WARNING, 1), row(KOR, Lane.TRACK, 1)]
    assert len(queues) == 2
    assert queues.standings(100.0) == []
    assert queues.standings(400.0)[0].reason == ""
    assert queues.standings(500.0) == []
    assert queues.all_of(400.0) == [row(USA, Lane.TRACK, 2), row(USA, Lane.TRACK, 3)]


def test_of_a_held_party_receipts_still_go_in_slowly(loop: asyncio.AbstractEventLoop) -> None:
    queues = Queues(loop, disk_hour_bytes=1 << 20)
    queues.put(row(USA, Lane.WARNING, 1))
    first = queues.take(0.0)
    assert first is not None
    queues.charge(first, handled_s=0.0, logged_bytes=1 << 20, now_s=0.0)
    receipt = ReceiptGiven(party=USA, position=START, signature=b"r")
    queues.put(row(USA, Lane.WARNING, 2), receipt, receipt)
    assert queues.all_of(2.0) == [receipt]
    assert queues.all_of(2.5) == []
    assert queues.all_of(3.1) == [receipt]
    assert len(queues) == 1


def test_places_that_are_closed_are_not_served(loop: asyncio.AbstractEventLoop) -> None:
    queues = Queues(loop)
    queues.put(row(USA, Lane.TRACK, 1), row(USA, Lane.WARNING, 1), detections(1), post(1))
    assert [one.given for one in queues.take_own(Place.SENSOR)] == [detections(1)]
    assert queues.all_of(places_open=Place.TRACK) == [row(USA, Lane.WARNING, 1), post(1)]
    assert queues.all_of() == [row(USA, Lane.TRACK, 1)]


def test_what_waits_of_a_partner_can_be_dropped(loop: asyncio.AbstractEventLoop) -> None:
    queues = Queues(loop)
    restart = Restart(party=USA, position=START)
    queues.put(row(USA, Lane.TRACK, 1), row(USA, Lane.WARNING, 1), row(KOR, Lane.TRACK, 1), restart)
    queues.put(row(USA, Lane.WARNING, 2))
    assert len(queues.drop(USA)) == 4
    assert queues.drop(USA) == []
    queues.put(row(USA, Lane.TRACK, 1))
    assert queues.all_of() == [row(KOR, Lane.TRACK, 1), row(USA, Lane.TRACK, 1)]


def test_what_follows_a_new_beginning_waits_for_what_was_before(loop: asyncio.AbstractEventLoop) -> None:
    queues = Queues(loop)
    first, second = Restart(party=USA, position=START), Restart(party=USA, position=START.at(0, 9, bytes(32)))
    inputs: list[Input] = [
        row(USA, Lane.TRACK, 1), first, row(USA, Lane.TRACK, 2), row(USA, Lane.WARNING, 1), second,
        row(USA, Lane.WARNING, 2),
    ]  # fmt: skip
    queues.put(*inputs, row(KOR, Lane.NOTICE, 1))
    assert queues.all_of() == [
        row(KOR, Lane.NOTICE, 1), inputs[0], first, row(USA, Lane.WARNING, 1), row(USA, Lane.TRACK, 2), second,
        row(USA, Lane.WARNING, 2),
    ]  # fmt: skip


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("row"), st.sampled_from([USA, KOR]), st.sampled_from(list(Lane))),
        st.tuples(st.just("restart"), st.sampled_from([USA, KOR]), st.just(Lane.WARNING)),
        st.tuples(st.just("own"), st.sampled_from(["feed:a", "post:b"]), st.just(Lane.TRACK)),
        st.tuples(st.just("take"), st.just(""), st.just(Lane.TRACK)),
    ),
    max_size=120,
)


@settings(deadline=None)
@given(steps=_STEPS, closed=st.integers(0, len(Place)))
def test_nothing_is_lost_or_repeated_and_each_stream_keeps_its_order(
    steps: list[tuple[str, str, Lane]], closed: int
) -> None:
    """Against the plainest model: all that went in comes out, and each party's own numbers rise as they should."""
    loop = asyncio.new_event_loop()
    queues = Queues(loop)
    epochs: dict[str, int] = defaultdict(int)
    went_in: list[Input] = []
    came_out: list[Input] = []
    for count, (step, party, lane) in enumerate(steps, 1):
        if step == "take":
            waiting = queues.take(0.0, closed)
            came_out += [waiting.given] if waiting is not None else []
            continue
        epochs[party] += step == "restart"
        made: Input = row(party, lane, count, b"%d" % epochs[party])
        if step == "restart":
            made = Restart(party=party, position=msgspec.structs.replace(START, epoch=epochs[party]))
        elif step == "own":
            made = detections(count, "a") if party == "feed:a" else post(count, "b")
        went_in.append(made)
        queues.put(made)
    came_out += queues.all_of()
    loop.close()
    assert len(queues) == 0
    assert sorted(map(repr, came_out)) == sorted(map(repr, went_in))
    for party in (USA, KOR):
        mine = [one for one in came_out if party_of(one) == party]
        begun = [int(one.raw) if isinstance(one, Received) else one.position.epoch for one in mine]  # type: ignore[union-attr]  # no other inputs
        assert begun == sorted(begun)
        for lane in Lane:
            numbers = [one.number for one in mine if isinstance(one, Received) and one.lane == lane]
            assert numbers == sorted(numbers)
    own = [one for one in came_out if party_of(one) in ("feed:a", "post:b")]
    for party in ("feed:a", "post:b"):
        counts = [went_in.index(one) for one in own if party_of(one) == party]
        assert counts == sorted(counts)
