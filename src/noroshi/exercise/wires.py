"""Links between nodes in virtual time: the real link protocol over a wire that delays, loses and breaks.

A wire carries bytes in order, like TCP: what is lost arrives later, never out of turn. A cut swallows everything
until it heals; a node that dies resets its wires. After either, both sides say hello again and go on after the last
row that they made durable. Each side is served on its own tick, as `noroshi.sharing.link` asks.

    wire = Wire(kernel, link, left, right, realm, key)
    wire.connect(now_ns)
    wire.wake("JPN", now_ns)                 # its node has committed something
    wire.cut(now_ns); wire.heal(now_ns)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, Protocol

from noroshi.clock import ceil_to, seconds
from noroshi.exercise.draws import pair, uniform
from noroshi.exercise.kernel import Kernel
from noroshi.exercise.scenario import Link
from noroshi.log import OutboxRow
from noroshi.sharing.link import (
    PING_EVERY_S,
    SILENT_AFTER_S,
    TICK_NS,
    Attested,
    Heard,
    LinkSession,
    PeerReady,
    Receipted,
    Restarted,
    Row,
)
from noroshi.sharing.streams import START, Position, Statement

RESEND_S = 0.2
"""How long a lost sending waits before it is repeated; doubled at each further loss, as TCP does."""

MAX_LOSSES = 8
"""Losses in a row after which the sending is let through, so that a bad line delays and never stops."""

State = Literal["up", "silent", "down"]


class Port(Protocol):
    """What a wire needs of the node at one of its ends. `partner` is the trigraph of the other side."""

    @property
    def own(self) -> str:
        """The trigraph of this side."""
        ...

    @property
    def name(self) -> str:
        """The node's name."""
        ...

    @property
    def alive(self) -> bool:
        """Whether the node runs."""
        ...

    def received(self, partner: str) -> Position:
        """How much of what came from there is durable here."""
        ...

    def sent(self, partner: str) -> Position:
        """Where the streams for the other side end."""
        ...

    def durable_there(self, partner: str) -> Position:
        """How much the other side has receipted."""
        ...

    def rows(self, partner: str, lane: int, after: int, limit: int) -> list[OutboxRow]:
        """Durable rows for the other side."""
        ...

    def take_rows(self, now_ns: int, partner: str, rows: Sequence[Row]) -> None:
        """Makes rows durable. Returns when they are."""
        ...

    def receipt(self, partner: str) -> Statement:
        """The signed receipt for all rows that are durable here."""
        ...

    def checkpoint(self, partner: str) -> Statement:
        """The signed word on where the streams for the other side end."""
        ...

    def take_statement(self, now_ns: int, partner: str, said: Receipted | Attested | Restarted) -> None:
        """Takes the other side's receipt, checkpoint, or word that it begins anew."""
        ...

    def take_link(self, now_ns: int, partner: str, state: State, offset_s: float, error_s: float) -> None:
        """Takes a change of the link."""
        ...


@dataclass(slots=True)
class End:
    """One side of a wire: its session, what it has sent, when it last heard the other."""

    port: Port
    session: LinkSession
    attested: Position = START
    ready: bool = False
    due: bool = False
    receipt_due: bool = False
    heard_ns: int = 0
    arrives_ns: int = 0
    state: State = "down"


class Wire:
    """One link of two nodes."""

    def __init__(self, kernel: Kernel, link: Link, left: Port, right: Port, realm: str, key: bytes) -> None:
        self._kernel = kernel
        self._link = link
        self._realm = realm
        self._key = key
        self._ends = tuple(
            End(port, self._session(port, other)) for port, other in ((left, right), (right, left))
        )
        self._generation = 0
        self._cuts = 0
        self._name = f"{left.own}-{right.own}"

    @property
    def between(self) -> tuple[str, str]:
        """The two partners."""
        return self._ends[0].port.own, self._ends[1].port.own

    def connect(self, now_ns: int, _: object = None) -> None:
        """Opens the connection, if the line is whole and both nodes run."""
        if self._cuts or not all(end.port.alive for end in self._ends):
            return
        self._generation += 1
        for side, end in enumerate(self._ends):
            other = self._ends[1 - side].port
            end.session = self._session(end.port, other)
            end.ready, end.due, end.receipt_due, end.attested = False, False, False, START
            end.heard_ns = end.arrives_ns = now_ns
        for side, end in enumerate(self._ends):
            other = self._ends[1 - side].port
            held = end.port.received(other.own)
            self._send(now_ns, side, end.session.hello(held=held, now_ns=now_ns))
            self._kernel.at(now_ns + seconds(PING_EVERY_S), self._beat, (side, self._generation))

    def cut(self, now_ns: int, _: object = None) -> None:
        """The line breaks: nothing comes through, and nobody is told. Several cuts need as many to heal."""
        self._cuts += 1

    def heal(self, now_ns: int, _: object = None) -> None:
        """The line is whole again."""
        self._cuts -= 1
        self.connect(now_ns)

    def reset(self, now_ns: int) -> None:
        """A node at an end has died: the connection is gone, and the other side notices at once, if it can."""
        self._generation += 1
        for side, end in enumerate(self._ends):
            end.ready = False
            if end.port.alive and not self._cuts:
                self._tell(now_ns, side, "down")
            elif not end.port.alive:
                end.state = "down"

    def wake(self, own: str, now_ns: int) -> None:
        """The node of `own` has durable news: it is served on its next tick."""
        side = 0 if self._ends[0].port.own == own else 1
        end = self._ends[side]
        if end.ready and not end.due:
            end.due = True
            self._kernel.at(ceil_to(now_ns, TICK_NS), self._serve, (side, self._generation), 1)

    def _session(self, port: Port, other: Port) -> LinkSession:
        return LinkSession(self._realm, own=port.own, peer=other.own, node=port.name)

    def _serve(self, now_ns: int, which: tuple[int, int]) -> None:
        side, generation = which
        end = self._ends[side]
        if generation != self._generation:
            return
        end.due = False
        other = self._ends[1 - side].port.own
        data = b""
        if end.receipt_due:
            end.receipt_due = False
            data += end.session.receipt(end.port.receipt(other))
        if end.session.epoch != end.port.sent(other).epoch:
            data += end.session.restart(end.port.durable_there(other))
        data += end.session.serve(partial(end.port.rows, other))
        if data:
            self._send(now_ns, side, data)
        if end.session.can_serve(end.port.sent(other)):
            self.wake(end.port.own, now_ns + 1)

    def _beat(self, now_ns: int, which: tuple[int, int]) -> None:
        side, generation = which
        end = self._ends[side]
        if generation != self._generation:
            return
        silent_ns = end.heard_ns + seconds(SILENT_AFTER_S)
        if silent_ns <= now_ns + seconds(PING_EVERY_S):
            self._kernel.at(max(now_ns, silent_ns), self._doubt, which)
        if end.ready:
            self._send(now_ns, side, end.session.ping(now_ns) + self._checkpoint(side))
        self._kernel.at(now_ns + seconds(PING_EVERY_S), self._beat, which)

    def _checkpoint(self, side: int) -> bytes:
        """The sender's signed word on its streams, when they have moved since the last one and all of it was sent."""
        end, other = self._ends[side], self._ends[1 - side].port.own
        sent = end.port.sent(other)
        all_sent = (end.session.epoch, end.session.sent) == (sent.epoch, sent.upto)
        if sent == end.attested or not all_sent:
            return b""
        end.attested = sent
        return end.session.checkpoint(end.port.checkpoint(other))

    def _doubt(self, now_ns: int, which: tuple[int, int]) -> None:
        side, generation = which
        end = self._ends[side]
        quiet = now_ns - end.heard_ns >= seconds(SILENT_AFTER_S)
        if quiet and generation == self._generation and end.state == "up":
            self._tell(now_ns, side, "silent")

    def _send(self, now_ns: int, side: int, data: bytes) -> None:
        if self._cuts:
            return
        end = self._ends[side]
        end.arrives_ns = max(end.arrives_ns, now_ns + self._delay_ns(now_ns, end.port.own))
        self._kernel.at(end.arrives_ns, self._arrive, (1 - side, self._generation, data), 1)

    def _delay_ns(self, now_ns: int, own: str) -> int:
        link = self._link
        if not link.jitter_s and not link.loss:
            return seconds(link.delay_s)
        share, chance = pair(self._key, "wire", self._name, own, now_ns)
        delay_s, losses = link.delay_s + link.jitter_s * share, 0
        while chance <= link.loss and losses < MAX_LOSSES:
            delay_s += RESEND_S * 2.0**losses
            losses += 1
            chance = uniform(self._key, "wire loss", self._name, own, now_ns, losses)
        return seconds(delay_s)

    def _arrive(self, now_ns: int, what: tuple[int, int, bytes]) -> None:
        side, generation, data = what
        if generation != self._generation or self._cuts:
            return
        end, other = self._ends[side], self._ends[1 - side].port
        end.heard_ns = now_ns
        if end.state == "silent":
            self._tell(now_ns, side, "up")
        rows: list[Row] = []
        for event in end.session.receive(data, now_ns):
            if isinstance(event, Row):
                rows.append(event)
                continue
            self._take_rows(now_ns, side, rows)
            if isinstance(event, PeerReady):
                end.ready = True
                end.receipt_due = end.port.received(other.own) != START
                greeting = end.session.greet(
                    event.held, end.port.sent(other.own), end.port.durable_there(other.own)
                )
                self._send(now_ns, side, greeting + end.session.ping(now_ns))
                self.wake(end.port.own, now_ns)
            elif isinstance(event, Receipted | Attested | Restarted):
                end.port.take_statement(now_ns, other.own, event)
                self.wake(end.port.own, now_ns)
            elif isinstance(event, Heard):
                self._send(now_ns, side, event.answer)
            elif end.state != "up":
                self._tell(now_ns, side, "up", event.offset_s, event.error_s)
        self._take_rows(now_ns, side, rows)

    def _take_rows(self, now_ns: int, side: int, rows: list[Row]) -> None:
        if not rows:
            return
        end = self._ends[side]
        end.port.take_rows(now_ns, self._ends[1 - side].port.own, tuple(rows))
        rows.clear()
        end.receipt_due = True
        self.wake(end.port.own, now_ns)

    def _tell(
        self, now_ns: int, side: int, state: State, offset_s: float = 0.0, error_s: float = 0.0
    ) -> None:
        end = self._ends[side]
        if end.state != state and end.port.alive:
            end.state = state
            end.port.take_link(now_ns, self._ends[1 - side].port.own, state, offset_s, error_s)
