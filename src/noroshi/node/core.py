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

import msgspec

from noroshi.errors import LocalError
from noroshi.geo.places import PlaceTable
from noroshi.log import Chain, DamagedRecordError, Record, verified
from noroshi.node import flow
from noroshi.node.inputs import Commit, Genesis, Input, Secrets, TimerDue, decode_input, encode_input
from noroshi.node.state import State
from noroshi.node.work import Work
from noroshi.sharing import partner_party
from noroshi.sharing.link import receipt_bytes


class ReplayDiffersError(LocalError):
    """The inputs on the log do not give back what stands after them: other code, keys, places, or a forged log."""


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
        node: Node | None = None
        made: list[Record] = []
        for record in verified(subject, records):
            if made:
                if made.pop(0) != record:
                    raise _differs(subject, record.sequence)
                continue
            if not record.is_input or record.body is None:
                raise _differs(subject, record.sequence)
            try:
                given = decode_input(record.body)
            except msgspec.MsgspecError as error:
                raise DamagedRecordError(
                    subject, record.sequence, f"its input does not decode: {error}"
                ) from None
            if node is None:
                if not isinstance(given, Genesis):
                    raise _differs(subject, record.sequence)
                node = cls(given, secrets, places)
            made = list(node._commit(record.now_ns, given).batch.records)
            if made.pop(0) != record:
                raise _differs(subject, record.sequence)
        if node is None:
            raise DamagedRecordError(subject, 1, "it is empty")
        if made:
            raise _differs(subject, made[0].sequence)
        return node

    def handle(self, now_ns: int, given: Input) -> Commit:
        """What follows from one input, at the node's time `now_ns`."""
        return self._commit(now_ns, given)

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

    def received_upto(self, party: str) -> int:
        """The last row of a partner's outbox for us that is on our log: where its link goes on."""
        return self._state.received.get(party, 0)

    def outbox_upto(self, party: str) -> int:
        """The last row of our outbox for a party."""
        return self._state.outboxes.upto(party)

    def receipt(self, party: str) -> tuple[int, bytes]:
        """Our signed cumulative receipt for a partner's rows. Send it only after the commit is durable."""
        state = self._state
        partner, upto = party.removeprefix(partner_party("")), self.received_upto(party)
        data = receipt_bytes(state.genesis.realm, partner, state.own, upto)
        return upto, state.scheme.sign(state.secrets.signing, data)

    def _commit(self, now_ns: int, given: Input) -> Commit:
        type_, body = encode_input(given)
        work = Work(self._state, now_ns)
        work.record(type_, body)
        flow.run(work, given)
        return work.finish()


def _differs(subject: str, sequence: int) -> ReplayDiffersError:
    return ReplayDiffersError(
        "replay the record",
        subject=f"{subject}, record {sequence}",
        cause="the inputs before it do not give it back",
        hint="use the version and keys that wrote it; `noroshi log verify` tells whether the chain is whole",
    )
