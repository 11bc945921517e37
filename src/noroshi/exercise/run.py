"""A whole exercise on the virtual clock: real nodes, simulated world, people and lines.

Each node is the same `noroshi.node.core.Node` that runs as a service, behind a shell that does what the service
does: it takes inputs, makes all their commits durable in one append, and only then answers, sends and shows. One
seed gives one digest.

    result = play(coalition, places, entropy=entropy(seed, realm), store_for=lambda node: MemoryStore())
    result.digest, result.alerts
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec

from noroshi.clock import NEVER, seconds
from noroshi.errors import LocalError
from noroshi.exercise.audit import Reading
from noroshi.exercise.coalition import Coalition, Member
from noroshi.exercise.injecting import Act, Backup, Handed, plan_injects
from noroshi.exercise.injecting_forgeries import wrong_receipt
from noroshi.exercise.injects import PostAbsent, Retract
from noroshi.exercise.kernel import Kernel
from noroshi.exercise.people import READ, Answer, People
from noroshi.exercise.relays import Relays
from noroshi.exercise.wires import State, Wire
from noroshi.exercise.world import Look, Truth, looks
from noroshi.geo.places import PlaceTable
from noroshi.log import Batch, MemoryStore, OutboxRow, Store
from noroshi.messages.canonical import encode
from noroshi.node.core import Node
from noroshi.node.inputs import (
    FILES,
    NOT_OURS,
    RECORD,
    RESTORED,
    DoorHeard,
    Input,
    LinkChanged,
    Received,
    said_input,
)
from noroshi.sharing import CAP_GATEWAY, STAFF, Position, Statement, partner_party, party_of, stream_of
from noroshi.sharing.link import Attested, Receipted, Restarted, Row

Progress = Callable[[int, str, str], None]
"""Told the time (ns), the node, and one sentence of its timeline, as it happens."""

AT_ONCE = 1_000
"""Rows that a modelled relay takes at a time: more than there are."""

WORLD, LINE, TIMER, PERSON = 0, 1, 2, 3
"""Priorities at one instant: the world first, people last."""


class _Seen(msgspec.Struct):
    """What every row of the staff stream is looked at for."""

    type: str
    says: str = ""


_SEEN = msgspec.json.Decoder(_Seen)


@dataclass(frozen=True, slots=True)
class Result:
    """What a run leaves. alerts: (node, file name, CAP bytes) in the order of issue; records: count per node."""

    digest: str
    records: Mapping[str, int]
    alerts: tuple[tuple[str, str, bytes], ...]
    events: int
    end_ns: int
    stores: Mapping[str, Store]
    truth: Truth


class Shell:
    """One node on the virtual clock: what the service does, without sockets and disks. Implements `wires.Port`."""

    def __init__(
        self,
        kernel: Kernel,
        member: Member,
        store: Store,
        places: PlaceTable,
        people: People,
        progress: Progress,
    ) -> None:
        self.member = member
        self.store = store
        self.people = people
        self.wires: dict[str, Wire] = {}
        self.relays: Relays | None = None
        self._kernel = kernel
        self._places = places
        self._progress = progress
        self._node: Node | None = None
        self._timer_ns = NEVER
        self._person_ns = NEVER
        self._held: deque[Input] = deque()

    @property
    def own(self) -> str:
        return self.member.trigraph

    @property
    def name(self) -> str:
        return self.member.node

    @property
    def alive(self) -> bool:
        return self._node is not None

    def begin(self, now_ns: int) -> None:
        """Starts the node for the first time."""
        self._node, commit = Node.begin(now_ns, self.member.genesis, self.member.secrets, self._places)
        self.store.append([commit.batch])
        self._after(now_ns, [commit.batch])

    def die(self, now_ns: int, _: object = None) -> None:
        """The process is gone, and with it all that is not in the store."""
        self._node = None
        self._timer_ns = NEVER
        self._progress(now_ns, self.name, "The node has died")
        for _partner, wire in sorted(self.wires.items()):
            wire.reset(now_ns)

    def rise(self, now_ns: int, _: object = None) -> None:
        """Starts again from the record; feeds and people give again what was not answered."""
        self._node = Node.replay(self.name, self.store.records(), self.member.secrets, self._places)
        self._progress(
            now_ns, self.name, f"The node is back from its record of {self._node.chain.sequence} entries"
        )
        self._set_timer(now_ns)
        for partner in sorted(self.wires):
            self.take_link(now_ns, partner, "down", 0.0, 0.0)  # what it knew of its links ended with it
        held, self._held = tuple(self._held), deque()
        self.take(now_ns, held)
        for _partner, wire in sorted(self.wires.items()):
            wire.connect(now_ns)

    def restart_from(self, now_ns: int, batches: Sequence[Batch]) -> None:
        """Ends, and starts from this record if the node takes it for its own; else from its own, saying so."""
        self.die(now_ns)
        other = MemoryStore()
        other.append(batches)
        try:
            self._node = Node.replay(self.name, other.records(), self.member.secrets, self._places)
        except LocalError as error:
            self._progress(
                now_ns, self.name, f"The node does not start from a restored backup: {error.cause}"
            )
            self.rise(now_ns)
            self.take(now_ns, [DoorHeard(entrance=RECORD, source=RESTORED, counts={NOT_OURS: 1})])
        else:
            self.store = other
            self._set_timer(now_ns)

    def take(self, now_ns: int, inputs: Sequence[Input]) -> None:
        """Handles inputs and makes them durable together. While the node is down, feeds and people hold theirs."""
        if self._node is None:
            self._held.extend(inputs)
            return
        if not inputs:
            return
        batches = [self._node.handle(now_ns, one).batch for one in inputs]
        self.store.append(batches)
        self._after(now_ns, batches)

    # What a wire needs

    def received(self, partner: str) -> Position:
        return self._running.received(partner_party(partner))

    def sent(self, partner: str) -> Position:
        return self._running.sent(partner_party(partner))

    def durable_there(self, partner: str) -> Position:
        return self._running.durable_there(partner_party(partner))

    def rows(self, partner: str, lane: int, after: int, limit: int) -> list[OutboxRow]:
        return self.store.outbox(stream_of(partner_party(partner), lane), after, limit)

    def take_rows(self, now_ns: int, partner: str, rows: Sequence[Row]) -> None:
        party = partner_party(partner)
        self.take(
            now_ns, [Received(party=party, number=row.number, raw=row.data, lane=row.lane) for row in rows]
        )

    def receipt(self, partner: str) -> Statement:
        return self._running.receipt(partner_party(partner))

    def checkpoint(self, partner: str) -> Statement:
        return self._running.checkpoint(partner_party(partner))

    def take_statement(self, now_ns: int, partner: str, said: Receipted | Attested | Restarted) -> None:
        self.take(now_ns, [said_input(partner_party(partner), said)])

    @property
    def _running(self) -> Node:
        assert self._node is not None  # a wire is reset when its node dies
        return self._node

    def take_link(self, now_ns: int, partner: str, state: State, offset_s: float, error_s: float) -> None:
        changed = LinkChanged(party=partner_party(partner), state=state, offset_s=offset_s, error_s=error_s)
        self.take(now_ns, [changed])

    def relay_rows(self, party: str, after: int) -> list[OutboxRow]:
        return self.store.outbox(party, after, AT_ONCE)

    # After a commit

    def _after(self, now_ns: int, batches: Iterable[Batch]) -> None:
        parties: set[str] = set()
        for batch in batches:
            for row in batch.outbox:
                if row.stream == STAFF:
                    self._show(now_ns, row.data)
                else:
                    parties.add(party_of(row.stream))
        for partner, wire in sorted(self.wires.items()):
            if partner_party(partner) in parties:
                wire.wake(self.own, now_ns)
        if self.relays is not None:
            for party in sorted(parties):
                self.relays.woken(party, now_ns)
        self._set_timer(now_ns)
        self._set_person(now_ns)

    def _show(self, now_ns: int, data: bytes) -> None:
        seen = _SEEN.decode(data)
        if seen.says:
            self._progress(now_ns, self.name, seen.says)
        if seen.type in READ:
            self.people.shown(now_ns, msgspec.json.decode(data))

    def _set_timer(self, now_ns: int) -> None:
        due_ns = self._node.next_due_ns if self._node else NEVER
        if due_ns < self._timer_ns:
            self._timer_ns = max(due_ns, now_ns)
            self._kernel.at(self._timer_ns, self._on_timer, self._timer_ns, TIMER)

    def _on_timer(self, now_ns: int, set_for_ns: int) -> None:
        if self._node is None or set_for_ns != self._timer_ns:
            return
        self._timer_ns = NEVER
        self.take(now_ns, self._node.due(now_ns))
        self._set_timer(now_ns)

    def _set_person(self, now_ns: int) -> None:
        due_ns = self.people.next_due_ns
        if due_ns < self._person_ns:
            self._person_ns = max(due_ns, now_ns)
            self._kernel.at(self._person_ns, self._on_person, self._person_ns, PERSON)

    def _on_person(self, now_ns: int, set_for_ns: int) -> None:
        if set_for_ns != self._person_ns:
            return
        self._person_ns = NEVER
        self.take(now_ns, [_spoken(answer) for answer in self.people.due(now_ns)])
        self._set_person(now_ns)


def _spoken(answer: Answer) -> Received:
    return Received(party=f"post:{answer.post}", number=0, raw=answer.raw)


@dataclass(slots=True)
class _Stage:
    """A run while it is set up and played. Implements `injecting.Controls`."""

    kernel: Kernel
    coalition: Coalition
    places: PlaceTable
    key: bytes
    shells: dict[str, Shell] = field(default_factory=dict)
    wires: dict[frozenset[str], Wire] = field(default_factory=dict)
    relays: Relays | None = None

    def plan(self, at_s: float, act: Act) -> None:
        self.kernel.at(self.coalition.start_ns + seconds(at_s), _acted, act, WORLD)

    def cut(self, between: tuple[str, str]) -> None:
        self.wires[frozenset(between)].cut(self.kernel.now_ns)

    def heal(self, between: tuple[str, str]) -> None:
        self.wires[frozenset(between)].heal(self.kernel.now_ns)

    def kill(self, node: str) -> None:
        self.shells[node].die(self.kernel.now_ns)

    def rise(self, node: str) -> None:
        self.shells[node].rise(self.kernel.now_ns)

    def relay_down(self, name: str) -> None:
        assert self.relays is not None
        self.relays.down(name)

    def relay_up(self, name: str) -> None:
        assert self.relays is not None
        self.relays.up(name)

    def bring(self, node: str, partner: str, messages: Sequence[bytes]) -> None:
        for raw in messages:
            self.give(node, Received(party=partner_party(partner), number=0, raw=raw))

    def receipt(self, node: str, partner: str, rows: int) -> None:
        shell = self.shells[node]
        wrong = wrong_receipt(self, node, partner, shell.sent(partner), rows)
        shell.take_statement(self.kernel.now_ns, partner, Receipted(wrong))

    def put_files(self, node: str, files: Sequence[bytes]) -> None:
        for raw in files:
            self.give(node, Received(party=FILES, number=0, raw=raw))

    def restore(self, node: str, backup: Backup) -> None:
        self.shells[node].restart_from(self.kernel.now_ns, backup())

    def give(self, node: str, given: Handed) -> None:
        self.shells[node].take(self.kernel.now_ns, [given])

    def files(self, node: str) -> list[bytes]:
        return [data for _, data in alerts_of(self.shells[node].store)]


def _acted(now_ns: int, act: Act) -> None:
    act(now_ns)


def play(
    coalition: Coalition,
    places: PlaceTable,
    *,
    entropy: bytes,
    store_for: Callable[[str], Store],
    progress: Progress = lambda now_ns, node, says: None,
) -> Result:
    """Plays the whole scenario. store_for gives each node its empty store. Raises what a node or a store raises."""
    start_ns = coalition.start_ns
    end_ns = start_ns + seconds(coalition.scenario.duration_s)
    stage = _Stage(Kernel(start_ns), coalition, places, entropy)
    for member in coalition.members:
        people = people_of(coalition, member, entropy)
        store = store_for(member.node)
        stage.shells[member.node] = Shell(stage.kernel, member, store, places, people, progress)
    _join(stage, entropy)
    stage.relays = Relays(
        stage.kernel, entropy,
        {m.node: (stage.shells[m.node], m.genesis, m.relays) for m in coalition.members if m.relays},
    )  # fmt: skip
    for shell in stage.shells.values():
        shell.relays = stage.relays
    for shell in stage.shells.values():
        shell.begin(start_ns)
    for wire in stage.wires.values():
        stage.kernel.at(start_ns, wire.connect, None, LINE)
    stage.relays.begin(start_ns)
    truth = Truth(coalition)
    _set_world(stage, looks(coalition, entropy, truth))
    plan_injects(stage)
    events = stage.kernel.run(end_ns)
    return _result(stage, events, end_ns, truth)


def people_of(coalition: Coalition, member: Member, entropy: bytes) -> People:
    """The modelled persons at one node, their absences already known to them."""
    scenario = coalition.scenario
    consultations = [one for one in scenario.consultations if one.post in member.seats]
    people = People(member.posts, member.seats, consultations, entropy)
    for inject in scenario.injects:
        if isinstance(inject, PostAbsent) and inject.post in member.seats:
            from_ns = coalition.start_ns + seconds(inject.at_s)
            people.absent(
                inject.post, from_ns, NEVER if inject.for_s is None else from_ns + seconds(inject.for_s)
            )
        elif isinstance(inject, Retract) and inject.post in member.seats:
            at_ns = coalition.start_ns + seconds(inject.at_s)
            people.retract(inject.post, at_ns, inject.id, inject.reason, correction=inject.correction)
    return people


def digest_of(heads: Mapping[str, bytes], count: int) -> str:
    """The digest of a run: SHA-256 over all chains' heads by node name, and the number of records."""
    return sha256(encode([[[node, heads[node]] for node in sorted(heads)], count])).hexdigest()


def _join(stage: _Stage, entropy: bytes) -> None:
    by_partner = {shell.own: shell for shell in stage.shells.values()}
    for link in stage.coalition.scenario.links:
        one, other = (by_partner[partner] for partner in link.between)
        wire = Wire(stage.kernel, link, one, other, stage.coalition.realm, entropy)
        one.wires[other.own] = other.wires[one.own] = wire
        stage.wires[frozenset(link.between)] = wire


def _set_world(stage: _Stage, seen: Iterable[Look]) -> None:
    for look in seen:
        stage.kernel.at(look.time_ns, _detect, (stage.shells[look.node], look), WORLD)


def _detect(now_ns: int, what: tuple[Shell, Look]) -> None:
    shell, look = what
    shell.take(now_ns, [look.detections])


def alerts_of(store: Reading) -> list[tuple[str, bytes]]:
    """The CAP files that a node's gateway may have: (file name, bytes) in order of issue."""
    rows: list[tuple[str, bytes]] = []
    after = 0
    while page := store.outbox(CAP_GATEWAY, after, 100):
        rows += [(f"{row.key}.xml", row.data) for row in page]
        after = page[-1].number
    return rows


def _result(stage: _Stage, events: int, end_ns: int, truth: Truth) -> Result:
    heads: dict[str, bytes] = {}
    records: dict[str, int] = {}
    alerts: list[tuple[int, str, str, bytes]] = []
    for name, shell in sorted(stage.shells.items()):
        if not shell.alive:
            shell.rise(end_ns)
        last = deque(shell.store.records(), maxlen=1)[0]
        heads[name], records[name] = last.hash, last.sequence
        alerts += [(index, name, file, data) for index, (file, data) in enumerate(alerts_of(shell.store))]
    return Result(
        digest=digest_of(heads, sum(records.values())),
        records=records,
        alerts=tuple(
            (name, file, data) for _, name, file, data in sorted(alerts, key=lambda one: one[1:2] + one[:1])
        ),
        events=events,
        end_ns=end_ns,
        stores={name: shell.store for name, shell in stage.shells.items()},
        truth=truth,
    )
