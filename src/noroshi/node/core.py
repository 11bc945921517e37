"""One node as a pure function: `handle(now, input) -> commit`.

The same code runs as a service, in an exercise on a virtual clock, and in a simulation. It reads no clock, opens
no file, draws nothing at random. The shell makes each commit durable before it tells anybody; if it cannot, it
drops the node and replays the log.

    node, commit = Node.begin(now_ns, genesis, secrets, places)
    store.append([commit.batch])
    commit = node.handle(now_ns, given)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from noroshi.errors import LocalError
from noroshi.geo.places import PlaceTable
from noroshi.log import Chain, DamagedRecordError, Record, Snapshot
from noroshi.messages import Ed25519, Unverified
from noroshi.messages.envelope import claim
from noroshi.node import accept, flow, trusting
from noroshi.node.inputs import (
    Answer,
    Commit,
    Control,
    Genesis,
    Input,
    Received,
    Retention,
    Secrets,
    TimerDue,
    encode_input,
)
from noroshi.node.replay import ReplayDiffersError, follow
from noroshi.node.snapshot import opened, snapshot_of
from noroshi.node.state import State
from noroshi.node.work import FOR_EVER_S, KEPT_S, Work
from noroshi.sharing import Position, Statement, partner_party
from noroshi.sharing.streams import START, statement_bytes

_KEPT_FOR_EVER = (Genesis, Control, Retention)


class Node:
    """One node in one realm. `handle` is its only way to change."""

    def __init__(self, genesis: Genesis, secrets: Secrets, places: PlaceTable) -> None:
        if places.digest != genesis.places_digest:
            raise LocalError(
                "start the node",
                subject=genesis.node,
                cause="the table of places is not the one that this record was begun with",
                hint="build it again with `make places`",
            )
        self._state = State(genesis, secrets, places)

    @classmethod
    def begin(
        cls, now_ns: int, genesis: Genesis, secrets: Secrets, places: PlaceTable
    ) -> tuple[Node, Commit]:
        """A new node, and the commit of its first record. Raises LocalError when the parts do not fit."""
        node = cls(genesis, secrets, places)
        return node, node._commit(now_ns, genesis)

    @classmethod
    def replay(cls, subject: str, records: Iterable[Record], secrets: Secrets, places: PlaceTable) -> Node:
        """The node that these records leave behind. subject names them in errors.

        Raises DamagedRecordError when the chain is broken, ReplayDiffersError when the inputs do not give back the
        derived records, byte for byte.
        """
        begun: list[Node] = []

        def commit(now_ns: int, given: Input) -> Commit:
            if not begun:
                if not isinstance(given, Genesis):
                    raise ReplayDiffersError(subject, 1)
                begun.append(cls(given, secrets, places))
            return begun[0]._commit(now_ns, given)

        follow(subject, records, commit)
        if not begun:
            raise DamagedRecordError(subject, 1, "it is empty")
        return begun[0]

    @classmethod
    def restore(
        cls, subject: str, snapshot: Snapshot, records: Iterable[Record], secrets: Secrets, places: PlaceTable
    ) -> Node:
        """The node that a snapshot and the records after it leave behind.

        Raises SnapshotError when the snapshot cannot be used, and what `replay` raises.
        """
        node = cls.__new__(cls)
        node._state = opened(subject, snapshot, secrets, places)
        follow(subject, records, node._commit, after=node.chain)
        return node

    def snapshot(self) -> Snapshot:
        """What the node knows after its last commit, signed. Keep it only after that commit is durable."""
        return snapshot_of(self._state)

    def handle(self, now_ns: int, given: Input) -> Commit:
        """What follows from one input, at the node's time `now_ns`."""
        return self._commit(now_ns, given)

    def foreseen(self, now_ns: int, given: Input) -> Answer | None:
        """The answer to an input of an own giver that is worthless by its form, its signature or its number; None where
        only `handle` can tell. Changes nothing.
        """
        return accept.foreseen(self._state, now_ns, given)

    def expect(self, now_ns: int, given: Input) -> bool:
        """Says that this input will be handled soon; what `work_ahead` does meanwhile makes that quicker, not other.
        Whether there is something to do ahead.
        """
        state = self._state
        if not isinstance(given, Received) or not isinstance(state.scheme, Ed25519):
            return False
        asked = claim(Unverified(given.raw), state.trust, now_ns)
        return asked is not None and state.scheme.expect(*asked)

    def work_ahead(self) -> bool:
        """A piece of work on inputs that are expected, on any thread; whether there was one."""
        scheme = self._state.scheme
        return isinstance(scheme, Ed25519) and scheme.work_ahead()

    def due(self, now_ns: int) -> list[TimerDue]:
        """The timers that are due, earliest first; the shell hands each back to `handle`."""
        ready = sorted((due_ns, name) for name, due_ns in self._state.timers.items() if due_ns <= now_ns)
        return [TimerDue(name=name) for _, name in ready]

    @property
    def next_due_ns(self) -> int:
        """When the next timer is due; NEVER if none is set."""
        return self._state.next_due_ns()

    @property
    def genesis(self) -> Genesis:
        """The first input."""
        return self._state.genesis

    @property
    def chain(self) -> Chain:
        """The end of the log."""
        return self._state.chain

    @property
    def neighbours(self) -> tuple[str, ...]:
        """Partners to whom this node has a link."""
        return self._state.policy.neighbours

    @property
    def state(self) -> State:
        """What the node knows, for reading only: tests and reviews compare it after a replay."""
        return self._state

    def received(self, party: str) -> Position:
        """How much of a partner's streams for us is on our log: where its link goes on."""
        return self._state.received.get(party, START)

    def sent(self, party: str) -> Position:
        """Where our streams for a partner end."""
        return self._state.outboxes.sent(party)

    def durable_there(self, party: str) -> Position:
        """How much of our streams a partner has receipted."""
        return self._state.outboxes.durable_there(party)

    def outbox_upto(self, stream: str) -> int:
        """The last row of a stream."""
        return self._state.outboxes.upto(stream)

    def receipt(self, party: str) -> Statement:
        """Our signed cumulative receipt for a partner's rows. Send it only after the commit is durable."""
        return self._sign("receipt", party.removeprefix(partner_party("")), self.received(party))

    def checkpoint(self, party: str) -> Statement:
        """Our signed word on where our streams for a partner stand. Send it only after the commit is durable."""
        return self._sign("checkpoint", party.removeprefix(partner_party("")), self.sent(party))

    def _sign(self, what: Literal["receipt", "checkpoint"], partner: str, position: Position) -> Statement:
        state = self._state
        sender, receiver = (partner, state.own) if what == "receipt" else (state.own, partner)
        data = statement_bytes(what, state.genesis.realm, sender, receiver, position)
        _, secret = trusting.signer(state, state.now_ns)
        return Statement(position, state.scheme.sign(secret, data))

    def _commit(self, now_ns: int, given: Input) -> Commit:
        type_, body = encode_input(given)
        self._state.now_ns = now_ns
        work = Work(self._state, now_ns)
        work.record(type_, body, FOR_EVER_S if isinstance(given, _KEPT_FOR_EVER) else KEPT_S)
        flow.run(work, given)
        return work.finish()
