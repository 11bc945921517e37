"""Two link sessions on a line that breaks at any byte: each row arrives once, in the order of its lane."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from noroshi.messages.kinds import Lane
from noroshi.sharing import Position, Statement, link
from noroshi.sharing.link import Attested, Event, LinkSession, PeerReady, Receipted, Restarted, Row
from noroshi.sharing.streams import LANES, START
from tests.sharing.sides import REALM, UNSIGNED, Side

WINDOWS = (3, 3, 3, 5)
"""So small that they fill."""

SIDES = st.sampled_from([0, 1])
SIZES = st.sampled_from([1 << 20, 1 << 20, 400, 60, 7])
"""Bytes that come through before something else happens."""


@dataclass
class End(Side):
    """A side that may die: what it holds for certain is `durable`, and only that is receipted."""

    own: str
    peer: str
    session: LinkSession = field(init=False)
    line: bytearray = field(default_factory=bytearray)
    """What is on the line to this side."""
    ready: bool = False
    durable: Position = START
    withdrawn: set[bytes] = field(default_factory=set)
    unseen: set[bytes] = field(default_factory=set)
    """Withdrawn before it was ever put on the line."""
    restarts: int = 0

    def __post_init__(self) -> None:
        super().__init__(self.own, self.peer)
        self.on_line: set[bytes] = set()
        self.got_durable: list[list[bytes]] = [[] for _ in LANES]

    def commit(self) -> None:
        self.durable, self.got_durable = self.held, [list(lane) for lane in self.got]

    def crash(self) -> None:
        self.held, self.got = self.durable, [list(lane) for lane in self.got_durable]


class Line(RuleBasedStateMachine):
    """Each rule is one thing that a node, a line or an operator may do."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = End("JPN", "USA"), End("USA", "JPN")
        self.count = 0
        self.connect()
        self.greet(True)

    def connect(self) -> None:
        for one in self.ends:
            one.line.clear()
        for one, other in (self.ends, self.ends[::-1]):
            one.session = LinkSession(REALM, own=one.own, peer=other.own)
            one.ready = False
            other.line += one.session.hello(held=one.held, now_ns=0)

    @rule(side=SIDES, lane=st.sampled_from(LANES), many=st.integers(1, 8), keeps=st.booleans())
    def put(self, side: int, lane: Lane, many: int, keeps: bool) -> None:
        for _ in range(many):
            self.count += 1
            self.ends[side].put(lane, b"%d" % self.count, why=keeps)

    @rule(side=SIDES, budget=st.integers(1, 40))
    def serve(self, side: int, budget: int) -> None:
        one, other = self.ends[side], self.ends[1 - side]
        if not one.ready:
            return
        if one.session.epoch != one.sent.epoch:
            other.line += one.session.restart(one.durable_there)
        data = one.session.serve(one.rows, budget)
        other.line += data
        for lane, upto in zip(LANES, one.session.sent, strict=True):
            one.on_line |= {row.data for row in one.rows(lane, 0, upto)}
        if one.session.sent == one.sent.upto:
            other.line += one.session.checkpoint(Statement(one.sent, UNSIGNED))

    @rule(side=SIDES, size=SIZES)
    def deliver(self, side: int, size: int) -> None:
        one = self.ends[side]
        data = bytes(one.line[:size])
        del one.line[:size]
        for event in one.session.receive(data, 0):
            self.take(one, event)

    def take(self, one: End, event: Event) -> None:
        other = self.ends[1 - self.ends.index(one)]
        match event:
            case PeerReady(held, _):
                other.line += one.session.greet(held, one.sent, one.durable_there)
                one.ready = True
            case Row():
                one.take(event)
            case Receipted(statement):
                one.take_receipt(statement)
            case Restarted(position):
                one.held = position
            case Attested(statement):
                assert statement.position == one.held

    @rule(side=SIDES)
    def commit(self, side: int) -> None:
        self.ends[side].commit()

    @rule(side=SIDES)
    def receipt(self, side: int) -> None:
        one, other = self.ends[side], self.ends[1 - side]
        if one.ready:
            other.line += one.session.receipt(Statement(one.durable, UNSIGNED))

    @rule(side=SIDES, size=SIZES, durable=st.booleans(), receipts=st.booleans())
    def flow(self, side: int, size: int, durable: bool, receipts: bool) -> None:
        """What a tick does when nothing is in its way: rows go, arrive, are made durable, are receipted."""
        self.serve(side, 1000)
        self.deliver(1 - side, size)
        if durable:
            self.commit(1 - side)
        if receipts:
            self.receipt(1 - side)
            self.deliver(side, size)

    @rule(greets=st.booleans())
    def cut(self, greets: bool) -> None:
        """The line breaks: what is on it is lost; both nodes live."""
        self.connect()
        self.greet(greets)

    @rule(side=SIDES, greets=st.booleans())
    def crash(self, side: int, greets: bool) -> None:
        """A node dies and forgets what was not durable."""
        self.ends[side].crash()
        self.connect()
        self.greet(greets)

    def greet(self, greets: bool) -> None:
        for side in (0, 1, 0) if greets else ():
            self.deliver(side, 1 << 20)

    @precondition(lambda self: self.ends[0].restarts + self.ends[1].restarts < 6)
    @rule(side=SIDES, strict=st.booleans())
    def policy(self, side: int, strict: bool) -> None:
        """The policy for the partner changes: only what may still go stays."""
        one = self.ends[side]
        before = {row.data for lane in LANES for row in one.rows(lane, one.durable_there.upto[lane], 10_000)}
        one.restart(lambda why: bool(why) or not strict)
        after = {row.data for lane in LANES for row in one.rows(lane, one.durable_there.upto[lane], 10_000)}
        gone = before - after
        one.withdrawn |= gone
        one.unseen |= gone - one.on_line
        one.restarts += 1

    @invariant()
    def windows_hold(self) -> None:
        for one in self.ends:
            for lane in LANES:
                assert len(one.session._out[lane].sizes) <= WINDOWS[lane]
                assert len(one.session._in[lane].sizes) <= WINDOWS[lane]

    def teardown(self) -> None:
        """The line holds at last: everything comes through."""
        self.connect()
        for _ in range(self.count + 20):
            for side in (0, 1):
                self.deliver(side, 1 << 20)
                self.serve(side, 1000)
                self.deliver(1 - side, 1 << 20)
                self.commit(1 - side)
                self.receipt(1 - side)
                self.deliver(side, 1 << 20)
        for one, other in (self.ends, self.ends[::-1]):
            assert other.held == one.sent == one.durable_there
            for lane in LANES:
                arrived = other.got[lane]
                assert arrived == [data for data in one.said[lane] if data in set(arrived)], "in order, once"
                assert set(one.said[lane]) - one.withdrawn <= set(arrived), "nothing lost"
                assert not one.unseen & set(arrived), "what was withdrawn in time never went"


@pytest.mark.slow
def test_whatever_the_line_does_each_row_arrives_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "WINDOW_ROWS", WINDOWS)
    run_state_machine_as_test(
        Line,
        settings=settings(
            max_examples=60, stateful_step_count=50, report_multiple_bugs=False, phases=[Phase.generate]
        ),
    )
