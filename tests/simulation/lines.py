"""Lines between hosts: the real link protocol over connections that break, stall, repeat and overlap.

A connection is two pipes of bytes in order. A cut loses the rest of what a pipe carries, and nobody is told; one side
may have a new connection while the other still reads the old one. The side whose name comes first dials.

    line = Line(kernel, left, right, key)
    line.cut(now_ns); line.heal(now_ns)
    line.settled                         # both sides have all of the other's rows, and know it
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from noroshi.clock import ceil_to, seconds
from noroshi.exercise.draws import pair, uniform
from noroshi.exercise.kernel import Action, Kernel
from noroshi.log import OutboxRow
from noroshi.messages.kinds import Lane
from noroshi.node.inputs import Answer, Input, LinkChanged, Received, said_input
from noroshi.sharing import Position, Statement, partner_party, stream_of
from noroshi.sharing.link import (
    CHECKPOINT_EVERY_S,
    PING_EVERY_S,
    SILENT_AFTER_S,
    TICK_NS,
    Attested,
    Event,
    Heard,
    LinkProtocolError,
    LinkSession,
    Offset,
    PeerReady,
    Receipted,
    Restarted,
    Row,
)
from noroshi.sharing.streams import START
from tests.simulation.coalition import REALM
from tests.simulation.shell import LINE, Host, Process

REDIAL_S = 0.25
"""Between two looks at whether a line needs a new connection."""

GIVEN_UP_S, NO_HELLO_S = 4.0, 1.5
"""A connection on which nothing was heard for so long is given up; before the first hello, sooner."""

SMALL_BUDGET = 600
"""Bytes put on some lines at a time, so that sendings end in the middle of everything."""

State = Literal["up", "silent", "down"]


@dataclass(slots=True)
class Side:
    """One side of a connection: its session and what it has said."""

    place: int
    process: Process
    session: LinkSession
    open: bool = True
    ready: bool = False
    due: bool = False
    heard_ns: int = 0
    receipted: Position = START
    attested: Position = START
    attested_ns: int = 0
    receipt: Statement | None = None
    receipt_under_way: bool = False
    waits: bool = False
    pending: deque[Event] = field(default_factory=deque)


@dataclass(slots=True)
class Connection:
    """Two sides, None before a side has opened; broken: the pipes, by who sends, that carry nothing any more."""

    number: int
    sides: list[Side | None] = field(default_factory=lambda: [None, None])
    broken: list[bool] = field(default_factory=lambda: [False, False])
    arrives_ns: list[int] = field(default_factory=lambda: [0, 0])
    last: list[bytes] = field(default_factory=lambda: [b"", b""])
    tampered: bool = False


class Line:
    """The line of two hosts. Of several connections each side uses its newest; what the old one gave is given."""

    def __init__(
        self, kernel: Kernel, left: Host, right: Host, key: bytes, *, skips_lane: bool = False
    ) -> None:
        self.hosts = (left, right)
        self.faults: list[str] = []
        self.stalled_until_ns = 0
        self._kernel = kernel
        self._key = key
        self._name = f"{left.name}-{right.name}"
        self._skips_lane = skips_lane
        self._cuts = [0, 0]
        self._connections: list[Connection] = []
        self._current: list[Connection | None] = [None, None]
        self._states: list[State] = ["down", "down"]
        self._delay_s = (0.004, 0.02, 0.08)[int(uniform(key, "delay", self._name) * 2.999)]
        self._budget = SMALL_BUDGET if uniform(key, "budget", self._name) < 0.3 else 1 << 18
        left.lines.append(self)
        right.lines.append(self)
        kernel.at(kernel.now_ns, self._look, None, LINE)

    # --- what happens to it -----------------------------------------------------------------------------------

    def cut(self, now_ns: int, _: object = None) -> None:
        """Nothing comes through, either way."""
        self.half(now_ns, 0)
        self.half(now_ns, 1)

    def heal(self, now_ns: int, _: object = None) -> None:
        """Undoes one cut."""
        self.mend(now_ns, 0)
        self.mend(now_ns, 1)

    def half(self, now_ns: int, sender: int) -> None:
        """Nothing that this side sends comes through."""
        self._cuts[sender] += 1
        for connection in self._connections:
            connection.broken[sender] = True

    def heal_all(self) -> None:
        """Undoes all that is wrong with it."""
        self._cuts = [0, 0]
        self.stalled_until_ns = 0

    def mend(self, now_ns: int, sender: int) -> None:
        """Undoes one `half`; connections that have lost something stay broken."""
        self._cuts[sender] -= 1

    def echo(self, now_ns: int, sender: int) -> None:
        """A broken peer sends again what it sent last."""
        self._tamper(now_ns, sender, lambda connection: connection.last[sender])

    def garbage(self, now_ns: int, sender: int) -> None:
        """A broken peer sends bytes that are no frame."""
        noise = b"".join(
            int(uniform(self._key, "garbage", self._name, now_ns, n) * 255).to_bytes(1, "big")
            for n in range(12)
        )
        self._tamper(now_ns, sender, lambda connection: noise)

    def twin(self, now_ns: int) -> None:
        """A second connection is made while the first still lives: for a while each side is on another one."""
        self._dial(now_ns)

    def _tamper(self, now_ns: int, sender: int, what: Callable[[Connection], bytes]) -> None:
        connection = self._current[sender]
        if connection is not None and connection.sides[sender] is not None:
            data = what(connection)
            if data:
                connection.tampered = True
                self._send(now_ns, connection, sender, data, remember=False)

    @property
    def settled(self) -> bool:
        """Whether each side has receipted all that the other has for it."""
        for place in (0, 1):
            process = self.hosts[place].process
            party = self._party_at(place)
            if process is None or process.sent(party) != process.durable_there(party):
                return False
        return True

    # --- connections ------------------------------------------------------------------------------------------

    def _look(self, now_ns: int, _: object) -> None:
        """Dials when there is no connection, and gives up one that is silent for too long."""
        for place in (0, 1):
            connection = self._current[place]
            side = connection.sides[place] if connection is not None else None
            if connection is None or side is None:
                continue
            if now_ns - side.heard_ns > seconds(GIVEN_UP_S if side.ready else NO_HELLO_S):
                self._close(now_ns, connection, place)
            elif now_ns - side.heard_ns > seconds(SILENT_AFTER_S) and self._states[place] == "up":
                self._tell(now_ns, place, "silent")
        if self._current[0] is None:
            self._dial(now_ns)
        share = 0.5 + uniform(self._key, "redial", self._name, now_ns)
        self._kernel.at(now_ns + seconds(REDIAL_S * share), self._look, None, LINE)

    def _dial(self, now_ns: int) -> None:
        if self.hosts[0].process is None:
            return
        connection = Connection(len(self._connections), broken=[cuts > 0 for cuts in self._cuts])
        connection.arrives_ns = [now_ns, now_ns]
        self._connections.append(connection)
        self._open(now_ns, connection, 0)

    def _open(self, now_ns: int, connection: Connection, place: int) -> None:
        """A side begins to use this connection, in the place of an earlier one."""
        host, old = self.hosts[place], self._current[place]
        assert host.process is not None
        if old is not None:
            self._shut(old, place)
        session = LinkSession(REALM, own=host.name, peer=self.hosts[1 - place].name, node=host.member.node)
        side = Side(place, host.process, session, heard_ns=now_ns)
        connection.sides[place] = side
        self._current[place] = connection
        held = host.process.received(self._party_at(place))
        self._send(now_ns, connection, place, session.hello(held=held, now_ns=host.now(now_ns)))
        self._kernel.at(now_ns + seconds(PING_EVERY_S), self._beat, (connection, side), LINE)

    def _shut(self, connection: Connection, place: int) -> None:
        side = connection.sides[place]
        if side is not None:
            side.open = False

    def _close(self, now_ns: int, connection: Connection, place: int) -> None:
        """A side ends its connection; the other hears of it, if anything gets through."""
        self._shut(connection, place)
        if self._current[place] is connection:
            self._current[place] = None
            self._tell(now_ns, place, "down")
        self._later(now_ns, connection, place, self._closed, (connection, 1 - place))

    def _closed(self, now_ns: int, what: tuple[Connection, int]) -> None:
        connection, place = what
        side = connection.sides[place]
        if side is not None and side.open and self.hosts[place].process is side.process:
            self._close(now_ns, connection, place)

    def died(self, host: Host, now_ns: int) -> None:
        """A host's process is gone: its machine resets what it is sent, and says so at once where it can."""
        place = self._place(host)
        for connection in self._connections:
            side = connection.sides[place]
            if side is not None and side.open:
                side.open = False
                self._later(now_ns, connection, place, self._closed, (connection, 1 - place))
        self._current[place] = None
        self._states[place] = "down"

    def started(self, host: Host, now_ns: int) -> None:
        """A host has a new process, which knows of no connection."""

    # --- sending ----------------------------------------------------------------------------------------------

    def wake(self, host: Host, now_ns: int) -> None:
        """Something of this host has become durable: its side is served on its next tick."""
        place = self._place(host)
        connection = self._current[place]
        if connection is not None and (side := connection.sides[place]) is not None:
            self._set_due(now_ns, connection, side)

    def _set_due(self, now_ns: int, connection: Connection, side: Side) -> None:
        if side.ready and side.open and not side.due:
            side.due = True
            self._kernel.at(ceil_to(now_ns, TICK_NS), self._serve, (connection, side), LINE)

    def _serve(self, now_ns: int, what: tuple[Connection, Side]) -> None:
        connection, side = what
        side.due = False
        if not self._is_current(connection, side):
            return
        process, session, party = side.process, side.session, self._party_at(side.place)
        data = b""
        if process.received(party) != side.receipted:
            side.receipted = process.received(party)
            self.hosts[side.place].promise(party)
            data += session.receipt(process.receipt(party))
        if session.epoch != process.sent(party).epoch:
            data += session.restart(process.durable_there(party))
        try:
            data += session.serve(partial(self._rows, side.place), self._budget) + self._attest(now_ns, side)
        except LinkProtocolError as error:
            self._fault(now_ns, connection, side.place, error)
            return
        if data:
            self._send(now_ns, connection, side.place, data)
        if session.can_serve(process.sent(party)):
            self._set_due(now_ns + 1, connection, side)

    def _attest(self, now_ns: int, side: Side) -> bytes:
        """The signed word on our streams, now and then, when all of them has been sent."""
        process, party = side.process, self._party_at(side.place)
        sent = process.sent(party)
        if now_ns < side.attested_ns + seconds(CHECKPOINT_EVERY_S) or sent == side.attested:
            return b""
        if side.session.sent != sent.upto or side.session.epoch != sent.epoch:
            return b""
        side.attested, side.attested_ns = sent, now_ns
        return side.session.checkpoint(process.checkpoint(party))

    def _rows(self, place: int, lane: int, after: int, limit: int) -> list[OutboxRow]:
        return self.hosts[place].store.outbox(stream_of(self._party_at(place), lane), after, limit)

    def _beat(self, now_ns: int, what: tuple[Connection, Side]) -> None:
        connection, side = what
        if not side.open or self.hosts[side.place].process is not side.process:
            return
        if side.ready:
            data = side.session.ping(self.hosts[side.place].now(now_ns))
            if self._is_current(connection, side):
                data += self._attest(now_ns, side)
            self._send(now_ns, connection, side.place, data)
        self._kernel.at(now_ns + seconds(PING_EVERY_S), self._beat, what, LINE)

    def _send(
        self, now_ns: int, connection: Connection, place: int, data: bytes, *, remember: bool = True
    ) -> None:
        if remember:
            connection.last[place] = data
        share, cut = pair(self._key, "pieces", self._name, place, connection.number, now_ns)
        at = int(share * len(data)) if cut < 0.2 else len(data)
        for piece in filter(None, (data[:at], data[at:])):
            self._later(now_ns, connection, place, self._arrive, (connection, 1 - place, piece))

    def _later(
        self, now_ns: int, connection: Connection, sender: int, action: Action, argument: tuple[Any, ...]
    ) -> None:
        """Sets what comes out at the other end of a pipe, after all that was sent before."""
        if connection.broken[sender]:
            return
        jitter = uniform(self._key, "jitter", self._name, sender, connection.number, now_ns)
        delay_ns = seconds(self._delay_s * (0.5 + jitter))
        stalled_ns = max(0, self.stalled_until_ns - now_ns)
        arrives_ns = max(connection.arrives_ns[sender] + 1, now_ns + delay_ns + stalled_ns)
        connection.arrives_ns[sender] = arrives_ns
        self._kernel.at(arrives_ns, self._pass, (connection, sender, action, argument), LINE)

    def _pass(self, now_ns: int, what: tuple[Connection, int, Action, tuple[Any, ...]]) -> None:
        connection, sender, action, argument = what
        if not connection.broken[sender]:
            action(now_ns, argument)

    # --- receiving --------------------------------------------------------------------------------------------

    def _arrive(self, now_ns: int, what: tuple[Connection, int, bytes]) -> None:
        connection, place, data = what
        host = self.hosts[place]
        if host.process is None:
            self._later(now_ns, connection, place, self._closed, (connection, 1 - place))
            return
        side = connection.sides[place]
        if side is None:
            newest = self._current[place]
            if newest is not None and newest.number > connection.number:
                return
            self._open(now_ns, connection, place)
            side = connection.sides[place]
        if side is None or not side.open or side.process is not host.process:
            return
        side.heard_ns = now_ns
        if self._states[place] == "silent":
            self._tell(now_ns, place, "up")
        try:
            side.pending += side.session.receive(data, host.now(now_ns))
        except LinkProtocolError as error:
            self._fault(now_ns, connection, place, error)
        else:
            self._take(now_ns, connection, side)

    def _take(self, now_ns: int, connection: Connection, side: Side) -> None:
        """Hands over what has come, up to a new beginning of the streams, which must be durable before the rest."""
        while side.pending and not side.waits and side.open:
            event = side.pending.popleft()
            try:
                self._event(now_ns, connection, side, event)
            except LinkProtocolError as error:
                self._fault(now_ns, connection, side.place, error)

    def _event(self, now_ns: int, connection: Connection, side: Side, event: Event) -> None:
        place, process, party = side.place, side.process, self._party_at(side.place)
        match event:
            case PeerReady(held, _):
                greeting = side.session.greet(held, process.sent(party), process.durable_there(party))
                side.ready = True
                if self._skips_lane and connection.number:
                    self._skip(side, process.sent(party))
                self._send(
                    now_ns, connection, place, greeting + side.session.ping(self.hosts[place].now(now_ns))
                )
                self._set_due(now_ns, connection, side)
            case Row(lane, number, data):
                self._give(now_ns, side, Received(party=party, number=number, raw=data, lane=lane))
            case Receipted(statement):
                side.receipt = statement
                self._next_receipt(now_ns, side)
                self._set_due(now_ns, connection, side)
            case Attested():
                self._give(now_ns, side, said_input(party, event))
            case Restarted():
                side.waits = True
                self._give(now_ns, side, said_input(party, event), connection)
            case Heard(answer):
                self._send(now_ns, connection, place, answer)
            case Offset():
                self._tell(now_ns, place, "up", event)

    def _next_receipt(self, now_ns: int, side: Side) -> None:
        """While one receipt is made durable only the newest of the others is kept."""
        if side.receipt is None or side.receipt_under_way:
            return
        given = said_input(self._party_at(side.place), Receipted(side.receipt))
        side.receipt, side.receipt_under_way = None, True

        def told(_: Answer | None) -> None:
            side.receipt_under_way = False
            self._next_receipt(self._kernel.now_ns, side)

        if side.process.alive:
            self.hosts[side.place].give(given, told, now_ns)

    def _give(self, now_ns: int, side: Side, given: Input, waiting: Connection | None = None) -> None:
        """Gives the node what came; `waiting`: the connection that is read on when it is durable."""

        def told(_: Answer | None) -> None:
            if waiting is not None:
                side.waits = False
                self._take(self._kernel.now_ns, waiting, side)

        if side.process.alive:
            self.hosts[side.place].give(given, told, now_ns)

    def _skip(self, side: Side, sent: Position) -> None:
        """A planted defect: after a new connection the notices that are waiting are not sent."""
        side.session.resume(sent.at(Lane.NOTICE, sent.upto[Lane.NOTICE], sent.heads[Lane.NOTICE]))

    # --- inside -----------------------------------------------------------------------------------------------

    def _fault(self, now_ns: int, connection: Connection, place: int, error: LinkProtocolError) -> None:
        """A side ends a connection on which the other broke the protocol: noted, unless somebody tampered with it."""
        if not connection.tampered:
            self.faults.append(f"{self.hosts[place].name} ended its link: {error}")
        self._close(now_ns, connection, place)

    def _is_current(self, connection: Connection, side: Side) -> bool:
        return (
            side.open
            and self._current[side.place] is connection
            and self.hosts[side.place].process is side.process
        )

    def _place(self, host: Host) -> int:
        return 0 if self.hosts[0] is host else 1

    def _party_at(self, place: int) -> str:
        """What the host at this place calls the other."""
        return partner_party(self.hosts[1 - place].name)

    def _tell(self, now_ns: int, place: int, state: State, offset: Offset | None = None) -> None:
        if self._states[place] == state:
            return
        self._states[place] = state
        changed = LinkChanged(
            party=self._party_at(place),
            state=state,
            offset_s=offset.offset_s if offset else 0.0,
            error_s=offset.error_s if offset else 0.0,
        )
        self.hosts[place].give(changed, lambda _: None, now_ns)
