"""Simulated lines: order, delay, loss, cuts and resets; every row arrives once, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noroshi.clock import seconds
from noroshi.exercise import Kernel, Wire, entropy
from noroshi.exercise.scenario import Link
from noroshi.exercise.wires import State
from noroshi.log import OutboxRow
from noroshi.messages.kinds import Lane
from noroshi.sharing import Position, Statement
from noroshi.sharing.link import TICK_NS, WINDOW_ROWS, Attested, Receipted, Restarted, Row
from tests.sharing.sides import UNSIGNED, Side

KEY = entropy(1, "exercise:test")
REALM = "exercise:test"


@dataclass
class Node:
    """A port without a core: its rows and what arrived survive its death."""

    own: str
    peer: str
    alive: bool = True
    arrived: list[tuple[int, int, bytes]] = field(default_factory=list)
    receipts: list[Position] = field(default_factory=list)
    checkpoints: list[Position] = field(default_factory=list)
    restarts: list[Position] = field(default_factory=list)
    links: list[tuple[int, State]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.side = Side(self.own, self.peer)

    @property
    def name(self) -> str:
        return self.own.lower()

    def put(self, now_ns: int, wire: Wire, *data: bytes, lane: Lane = Lane.WARNING) -> None:
        self.side.put(lane, *data)
        wire.wake(self.own, now_ns)

    def received(self, partner: str) -> Position:
        return self.side.held

    def sent(self, partner: str) -> Position:
        return self.side.sent

    def durable_there(self, partner: str) -> Position:
        return self.side.durable_there

    def rows(self, partner: str, lane: int, after: int, limit: int) -> list[OutboxRow]:
        return self.side.rows(lane, after, limit)

    def take_rows(self, now_ns: int, partner: str, rows: Sequence[Row]) -> None:
        assert self.alive
        for row in rows:
            self.side.take(row)
            self.arrived.append((now_ns, row.number, row.data))

    def receipt(self, partner: str) -> Statement:
        return Statement(self.side.held, UNSIGNED)

    def checkpoint(self, partner: str) -> Statement:
        return Statement(self.side.sent, UNSIGNED)

    def take_statement(self, now_ns: int, partner: str, said: Receipted | Attested | Restarted) -> None:
        match said:
            case Receipted(statement):
                self.side.take_receipt(statement)
                self.receipts.append(statement.position)
            case Attested(statement):
                assert statement.position == self.side.held
                self.checkpoints.append(statement.position)
            case Restarted(position):
                self.side.held = position
                self.restarts.append(position)

    def take_link(self, now_ns: int, partner: str, state: State, offset_s: float, error_s: float) -> None:
        self.links.append((now_ns, state))


def pair(**link: float) -> tuple[Kernel, Node, Node, Wire]:
    kernel, one, other = Kernel(), Node("JPN", "USA"), Node("USA", "JPN")
    line = Link(between=("JPN", "USA"), label="notional", **link)  # type: ignore[arg-type]  # figures only
    wire = Wire(kernel, line, one, other, REALM, KEY)
    kernel.at(0, wire.connect)
    return kernel, one, other, wire


def put(kernel: Kernel, wire: Wire, node: Node, at_s: float, data: bytes) -> None:
    kernel.at(seconds(at_s), lambda now_ns, _: node.put(now_ns, wire, data))


def test_a_row_leaves_on_the_next_tick_and_takes_the_delay() -> None:
    kernel, one, other, wire = pair(delay_s=0.1)
    put(kernel, wire, one, 1.005, b"hello")
    kernel.run(seconds(2))
    assert other.arrived == [(seconds(1.02) + seconds(0.1), 1, b"hello")]
    assert [place.upto for place in one.receipts] == [(1, 0, 0, 0)]
    assert [state for _, state in one.links] == ["up"]


def test_rows_of_one_tick_go_together_and_the_receipt_is_one() -> None:
    kernel, one, other, wire = pair(delay_s=0.05)
    for index in range(5):
        put(kernel, wire, one, 1.001 + index / 1000, b"%d" % index)
    kernel.run(seconds(2))
    assert len({now_ns for now_ns, _, _ in other.arrived}) == 1
    assert [number for _, number, _ in other.arrived] == [1, 2, 3, 4, 5]
    assert [place.upto for place in one.receipts] == [(5, 0, 0, 0)]
    assert other.arrived[0][0] == TICK_NS * 51 + seconds(0.05)


def test_a_cut_is_silent_and_what_was_sent_arrives_after_it_once() -> None:
    kernel, one, other, wire = pair(delay_s=0.02)
    kernel.at(seconds(5), wire.cut)
    for index in range(20):
        put(kernel, wire, one, 4.0 + index, b"%d" % index)
    kernel.at(seconds(15), wire.heal)
    kernel.run(seconds(30))
    assert [data for _, _, data in other.arrived] == [b"%d" % index for index in range(20)]
    assert not [now for now, _, _ in other.arrived if seconds(5.0) < now < seconds(15)]
    states = [(state, now_ns / 1e9) for now_ns, state in other.links]
    assert [state for state, _ in states] == ["up", "silent", "up"]
    assert 7.0 < states[1][1] <= 8.05
    assert one.side.durable_there.upto == (20, 0, 0, 0)


def test_a_dead_node_resets_its_line_and_the_other_knows_at_once() -> None:
    kernel, one, other, wire = pair(delay_s=0.02)

    def die(now_ns: int, _: object) -> None:
        other.alive = False
        wire.reset(now_ns)

    def rise(now_ns: int, _: object) -> None:
        other.alive = True
        wire.connect(now_ns)

    kernel.at(seconds(2), die)
    put(kernel, wire, one, 3.0, b"later")
    kernel.at(seconds(6), rise)
    kernel.run(seconds(8))
    assert [(now_ns, state) for now_ns, state in one.links][1] == (seconds(2), "down")
    assert [data for _, _, data in other.arrived] == [b"later"]
    assert other.arrived[0][0] > seconds(6)


def test_two_cuts_at_once_need_two_heals() -> None:
    kernel, one, other, wire = pair()
    for at_s, act in ((1, wire.cut), (2, wire.cut), (3, wire.heal), (5, wire.heal)):
        kernel.at(seconds(at_s), act)
    put(kernel, wire, one, 1.5, b"x")
    kernel.run(seconds(10))
    assert other.arrived[0][0] >= seconds(5)


def test_loss_delays_and_never_loses_or_turns_round() -> None:
    kernel, one, other, wire = pair(delay_s=0.01, jitter_s=0.3, loss=0.4)
    for index in range(200):
        put(kernel, wire, one, 1.0 + index * 0.05, b"%d" % index)
    kernel.run(seconds(120))
    assert [data for _, _, data in other.arrived] == [b"%d" % index for index in range(200)]
    waits = [now_ns / 1e9 - (1.0 + index * 0.05) for index, (now_ns, _, _) in enumerate(other.arrived)]
    assert max(waits) > 0.5
    assert min(waits) >= 0.01


def test_a_warning_overtakes_tracks_that_wait_for_receipts() -> None:
    kernel, one, other, wire = pair(delay_s=0.1)
    tracks = [b"track %d" % number for number in range(5 * WINDOW_ROWS[Lane.TRACK])]
    kernel.at(seconds(1), lambda now_ns, _: one.put(now_ns, wire, *tracks, lane=Lane.TRACK))
    put(kernel, wire, one, 1.21, b"warning")
    kernel.run(seconds(3))
    (warned_ns,) = [now_ns for now_ns, _, data in other.arrived if data == b"warning"]
    assert warned_ns == seconds(1.22) + seconds(0.1)
    behind = [data for now_ns, _, data in other.arrived if now_ns > warned_ns]
    assert len(behind) > WINDOW_ROWS[Lane.TRACK]
    assert other.side.got == one.side.said


def test_a_sender_signs_where_its_streams_stand_while_they_move() -> None:
    kernel, one, other, wire = pair(delay_s=0.02)
    for index in range(3):
        put(kernel, wire, one, 1.5 + index, b"%d" % index)
    kernel.run(seconds(10))
    assert [place.upto[0] for place in other.checkpoints] == [1, 2, 3]
    assert other.checkpoints[-1] == one.side.sent
    assert one.checkpoints == [], "nothing was sent the other way"


def test_what_was_held_before_a_cut_is_receipted_after_it() -> None:
    """The receipt itself was lost: without it the sender would never learn that its last rows have arrived."""
    kernel, one, other, wire = pair(delay_s=0.05)
    put(kernel, wire, one, 1.0, b"x")
    kernel.at(seconds(1.06), wire.cut)
    kernel.at(seconds(5), wire.heal)
    kernel.run(seconds(5.04))
    assert other.side.held == one.side.sent
    assert one.receipts == []
    kernel.run(seconds(7))
    assert one.side.durable_there == one.side.sent


def test_a_changed_policy_takes_out_what_waits_and_the_line_goes_on() -> None:
    kernel, one, other, wire = pair(delay_s=0.1)

    def change(now_ns: int, _: object) -> None:
        one.side.restart(lambda why: False)
        wire.wake("JPN", now_ns)

    for index in range(4):
        put(kernel, wire, one, 1.0 + index / 10, b"%d" % index)
    kernel.at(seconds(1.32), change)
    put(kernel, wire, one, 2.0, b"after")
    kernel.run(seconds(4))
    assert [data for _, _, data in other.arrived] == [b"0", b"1", b"2", b"3", b"after"]
    assert [(place.epoch, place.upto) for place in other.restarts] == [(1, (2, 0, 0, 0))]
    assert other.side.held == one.side.sent == one.side.durable_there
    assert other.checkpoints[-1] == one.side.sent


def test_a_policy_changed_behind_a_cut_holds_for_what_waits_there() -> None:
    kernel, one, other, wire = pair(delay_s=0.1)
    put(kernel, wire, one, 1.0, b"before")
    kernel.at(seconds(2), wire.cut)
    put(kernel, wire, one, 3.0, b"withdrawn")
    kernel.at(seconds(4), lambda now_ns, _: one.side.restart(lambda why: False))
    put(kernel, wire, one, 5.0, b"after")
    kernel.at(seconds(6), wire.heal)
    kernel.run(seconds(8))
    assert [(number, data) for _, number, data in other.arrived] == [(1, b"before"), (2, b"after")]
    assert other.side.held == one.side.sent == one.side.durable_there


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(st.integers(0, 3000), st.sampled_from(["put-a", "put-b", "cut", "heal", "kill", "rise"])),
        max_size=60,
    )
)  # fmt: skip
def test_whatever_happens_all_rows_arrive_once_and_in_order(events: list[tuple[int, str]]) -> None:
    kernel, one, other, wire = pair(delay_s=0.03, jitter_s=0.05, loss=0.1)
    cuts = 0
    for at_cs, what in sorted(events):
        at_ns = seconds(at_cs / 100)
        if what == "cut":
            cuts += 1
            kernel.at(at_ns, wire.cut)
        elif what == "heal" and cuts:
            cuts -= 1
            kernel.at(at_ns, wire.heal)
        elif what in ("kill", "rise"):
            kernel.at(at_ns, lambda now_ns, alive: switch(now_ns, other, wire, alive), what == "rise")
        elif what.startswith("put"):
            node = one if what == "put-a" else other
            kernel.at(
                at_ns, lambda now_ns, node: node.put(now_ns, wire, str(len(node.side.said[0])).encode()), node
            )
    kernel.at(seconds(40), lambda now_ns, _: switch(now_ns, other, wire, True))
    for _ in range(cuts):
        kernel.at(seconds(41), wire.heal)
    kernel.run(seconds(60))
    for sender, receiver in ((one, other), (other, one)):
        assert [(number, data) for _, number, data in receiver.arrived] == list(
            enumerate(sender.side.said[0], 1)
        )
        assert receiver.side.held == sender.side.sent == sender.side.durable_there
    assert one.links[-1][1] == other.links[-1][1] == "up"


def switch(now_ns: int, node: Node, wire: Wire, alive: bool) -> None:
    """The node dies or comes back; nothing when it is so already."""
    if alive and not node.alive:
        node.alive = True
        wire.connect(now_ns)
    elif not alive and node.alive:
        node.alive = False
        wire.reset(now_ns)
