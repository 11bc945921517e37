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
from noroshi.sharing.link import TICK_NS, Row

KEY = entropy(1, "exercise:test")
REALM = "exercise:test"


@dataclass
class Node:
    """A port without a core: rows in a list, what arrived in another; both survive its death."""

    own: str
    alive: bool = True
    sent: list[bytes] = field(default_factory=list)
    arrived: list[tuple[int, int, bytes]] = field(default_factory=list)
    receipts: list[int] = field(default_factory=list)
    links: list[tuple[int, State]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.own.lower()

    def put(self, now_ns: int, wire: Wire, data: bytes) -> None:
        self.sent.append(data)
        wire.wake(self.own, now_ns)

    def received_upto(self, partner: str) -> int:
        return len(self.arrived)

    def rows(self, partner: str, after: int, limit: int) -> list[OutboxRow]:
        numbered = list(enumerate(self.sent, 1))[after : after + limit]
        return [OutboxRow(f"partner:{partner}", number, 0, "", 0, data) for number, data in numbered]

    def take_rows(self, now_ns: int, partner: str, rows: Sequence[Row]) -> None:
        assert self.alive
        self.arrived += [(now_ns, row.number, row.data) for row in rows]

    def receipt(self, partner: str) -> tuple[int, bytes]:
        return len(self.arrived), bytes(64)

    def take_receipt(self, now_ns: int, partner: str, upto: int, signature: bytes) -> None:
        self.receipts.append(upto)

    def take_link(self, now_ns: int, partner: str, state: State, offset_s: float, error_s: float) -> None:
        self.links.append((now_ns, state))


def pair(**link: float) -> tuple[Kernel, Node, Node, Wire]:
    kernel, one, other = Kernel(), Node("JPN"), Node("USA")
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
    assert one.receipts == [1]
    assert [state for _, state in one.links] == ["up"]


def test_rows_of_one_tick_go_together_and_the_receipt_is_one() -> None:
    kernel, one, other, wire = pair(delay_s=0.05)
    for index in range(5):
        put(kernel, wire, one, 1.001 + index / 1000, b"%d" % index)
    kernel.run(seconds(2))
    assert len({now_ns for now_ns, _, _ in other.arrived}) == 1
    assert [number for _, number, _ in other.arrived] == [1, 2, 3, 4, 5]
    assert one.receipts == [5]
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
    assert max(one.receipts) == 20


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
            kernel.at(at_ns, lambda now_ns, node: node.put(now_ns, wire, str(len(node.sent)).encode()), node)
    kernel.at(seconds(40), lambda now_ns, _: switch(now_ns, other, wire, True))
    for _ in range(cuts):
        kernel.at(seconds(41), wire.heal)
    kernel.run(seconds(60))
    for sender, receiver in ((one, other), (other, one)):
        assert [(number, data) for _, number, data in receiver.arrived] == list(enumerate(sender.sent, 1))
    assert one.links[-1][1] == other.links[-1][1] == "up"


def switch(now_ns: int, node: Node, wire: Wire, alive: bool) -> None:
    """The node dies or comes back; nothing when it is so already."""
    if alive and not node.alive:
        node.alive = True
        wire.connect(now_ns)
    elif not alive and node.alive:
        node.alive = False
        wire.reset(now_ns)
