"""The shell around each node in a simulation: what the service's shell does, on a virtual clock and a disk that forgets.

Inputs wait in the service's own queues, a group of commits is written and synced, and only then published, answered,
sent and shown, by the service's own `Published`. A process may die at any point of that; a new one begins with what
the disk still has, and givers give again what was not answered.

    host = Host(kernel, member, places, key, group=4)
    host.start(now_ns)
    host.give(given, told)               # told(answer) when it is durable; told(None) when it must be given again
    host.die(now_ns); host.start(now_ns)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol, cast

from noroshi.clock import NEVER, seconds
from noroshi.errors import LocalError
from noroshi.exercise.draws import uniform
from noroshi.exercise.kernel import Kernel
from noroshi.geo.places import PlaceTable
from noroshi.log import Record
from noroshi.node import Commit, Node
from noroshi.node.inputs import Answer, ClockStepped, Input, LinkChanged, Received, Restart, decode_input
from noroshi.node.snapshot import SnapshotError
from noroshi.service.published import Published
from noroshi.service.queues import InputQueues
from noroshi.service.quotas import Quotas
from noroshi.sharing import STAFF
from tests.simulation.coalition import Member
from tests.simulation.disk import Disk, DiskStore

WORLD, LINE, TURN, TIMER, PERSON = 0, 1, 2, 3, 4
"""Priorities at one instant."""

USUAL_DISK_S = 0.002
FULL_DISK_RETRY_S = 0.5
STEP_NS = seconds(0.5)
"""A clock that stands further before the last record was set back while the node was down."""

STAFF_ROWS = 256

SNAPSHOT_PART = 0.04
"""Of the appends, those after which a snapshot is kept."""

Stage = Literal["now", "before", "during", "after", "told"]
"""Where a process dies: at once; before its next append, in it, after it, or when half of the givers have been told."""

Told = Callable[[Answer | None], None]


class Violation(Exception):  # noqa: N818  # what it is called in every sentence about it
    """Something that must never happen has happened."""


class Wakeable(Protocol):
    """A line, as a host sees it."""

    def wake(self, host: Host, now_ns: int) -> None: ...
    def died(self, host: Host, now_ns: int) -> None: ...
    def started(self, host: Host, now_ns: int) -> None: ...


@dataclass(slots=True)
class Ways:
    """How a shell works; anything but the defaults is a planted defect."""

    tells_first: bool = False
    whole_frames: bool = True
    forgets_seen: bool = False
    skips_lane: bool = False
    drops_when_full: bool = False


class Process(Published):
    """One life of a node, from its start to its death."""

    def __init__(self, node: Node, now_ns: int) -> None:
        super().__init__(node)
        self.node = node
        self.alive = True
        self.busy = False
        self.queues = InputQueues(Quotas(), now_ns / 1e9)
        self.first: deque[Input] = deque()
        self.last_ns = 0


@dataclass(slots=True)
class Group:
    """Commits that are made durable together, and who is told."""

    process: Process
    commits: list[Commit] = field(default_factory=list)
    answered: list[tuple[Told, Answer, bool]] = field(default_factory=list)
    from_partners: set[str] = field(default_factory=set)


class Held:
    """How far the durable records go in partners' streams, read off the inputs alone."""

    def __init__(self) -> None:
        self._upto: dict[str, tuple[int, list[int]]] = {}

    def take(self, records: Iterable[Record]) -> None:
        """Counts these records."""
        for record in records:
            if record.type not in ("received", "restart") or record.body is None:
                continue
            given = decode_input(record.body)
            if isinstance(given, Received) and given.number and 0 <= given.lane < 4:
                _, upto = self._upto.setdefault(given.party, (0, [0, 0, 0, 0]))
                upto[given.lane] += given.number == upto[given.lane] + 1
            elif isinstance(given, Restart) and given.position.epoch > self.of(given.party)[0]:
                self._upto[given.party] = given.position.epoch, list(given.position.upto)

    def of(self, party: str) -> tuple[int, tuple[int, ...]]:
        """Epoch and the last row of each lane."""
        epoch, upto = self._upto.get(party, (0, [0, 0, 0, 0]))
        return epoch, tuple(upto)


class Host:
    """One partner's machine: its disk, its clock, and the process on it, when there is one."""

    def __init__(
        self, kernel: Kernel, member: Member, places: PlaceTable, key: bytes, *, group: int, ways: Ways
    ) -> None:
        self.member = member
        self.disk = Disk()
        self.process: Process | None = None
        self.lines: list[Wakeable] = []
        self.offset_ns = 0
        self.disk_s = USUAL_DISK_S
        self.full_until_ns = 0
        self.doom: Stage | None = None
        self.reborn: Callable[[int], None] = lambda now_ns: None
        self.shown: Callable[[int, bytes], None] = lambda now_ns, row: None
        self.damage = ""
        self.deaths = self.restored = 0
        self._kernel = kernel
        self._places = places
        self._key = key
        self._group = group
        self._ways = ways
        self._store = DiskStore(self.disk, whole=ways.whole_frames)
        self._held = Held()
        self._promised: dict[str, tuple[int, tuple[int, ...]]] = {}
        self._turn_set = False
        self._timer_ns = NEVER
        self._staff_upto = 0

    @property
    def name(self) -> str:
        """The partner's trigraph."""
        return self.member.partner

    @property
    def store(self) -> DiskStore:
        """What is durable, while the process lives."""
        return self._store

    @property
    def idle(self) -> bool:
        """Whether nothing waits, here or in the disk."""
        process = self.process
        return process is not None and not (process.busy or len(process.queues) or process.first)

    def now(self, now_ns: int) -> int:
        """What this machine's clock shows."""
        return now_ns + self.offset_ns

    # --- life and death ---------------------------------------------------------------------------------------

    def start(self, now_ns: int) -> None:
        """Begins a process from what the disk has. Raises Violation when an undamaged record does not open."""
        if self.process is not None or self.damage:
            return
        try:
            self._store = DiskStore(self.disk, subject=self.name, whole=self._ways.whole_frames)
            records = list(self._store.records())
            node = self._node_of(records, now_ns)
        except LocalError as error:
            if not self.disk.rotten:
                raise Violation(f"{self.name} does not come back from its record: {error}") from None
            self.damage = str(error)
            return
        self._held = Held()
        self._held.take(records)
        self._check_promises(node)
        process = self.process = Process(node, now_ns)
        process.last_ns = records[-1].now_ns if records else self.now(now_ns)
        if self.now(now_ns) < process.last_ns - STEP_NS:
            self._tell_step(process, self.now(now_ns) - process.last_ns)
        process.first += [LinkChanged(party=f"partner:{p}", state="down") for p in node.neighbours]
        self._timer_ns = NEVER
        for line in self.lines:
            line.started(self, now_ns)
        self._show(now_ns)
        self._set_turn(now_ns)
        self.reborn(now_ns)

    def die(self, now_ns: int) -> None:
        """The process is gone, and with it all that was not synced, or parts of it."""
        if self.process is None:
            return
        self.deaths += 1
        self.process.alive = False
        self.process, self.doom, self._turn_set = None, None, False
        self.disk.crash(self._key + self.deaths.to_bytes(4, "big"))
        for line in self.lines:
            line.died(self, now_ns)

    def step(self, by_ns: int, now_ns: int) -> None:
        """The machine's clock is stepped; a process that runs sees it, one that does not may see it when it starts."""
        self.offset_ns += by_ns
        if self.process is not None:
            self._tell_step(self.process, by_ns)
            self._set_turn(now_ns)

    def _node_of(self, records: list[Record], now_ns: int) -> Node:
        member = self.member
        if not records:
            node, commit = Node.begin(self.now(now_ns), member.genesis, member.secrets, self._places)
            self._store.append([commit.batch])
            return node
        node = self._restored(records) or Node.replay(self.name, records, member.secrets, self._places)
        if self._ways.forgets_seen:
            node.state.known = type(node.state.known)(member.secrets.ids)
        return node

    def _restored(self, records: list[Record]) -> Node | None:
        """The node from its snapshot and the records after it; None without one, or with one that cannot be used."""
        kept, member = self._store.snapshot(), self.member
        if kept is None:
            return None
        self.restored += 1
        after = records[kept.sequence :]
        try:
            return Node.restore(self.name, kept, after, member.secrets, self._places)
        except SnapshotError as error:
            if not self.disk.rotten:
                raise Violation(f"{self.name} cannot use its own snapshot: {error}") from None
            return None

    def _tell_step(self, process: Process, by_ns: int) -> None:
        process.last_ns = 0
        process.first.appendleft(ClockStepped(by_ns=by_ns))

    def _check_promises(self, node: Node) -> None:
        for party, (epoch, upto) in self._promised.items():
            held = node.received(party)
            if held.epoch < epoch or (
                held.epoch == epoch and any(a < b for a, b in zip(held.upto, upto, strict=True))
            ):
                raise Violation(f"{self.name} had receipted {upto} of {party} and came back with {held.upto}")

    # --- inputs -----------------------------------------------------------------------------------------------

    def give(self, given: Input, told: Told, now_ns: int) -> bool:
        """Queues an input; whether there was anybody to take it."""
        if self.process is None:
            return False
        # The queues keep the future and never look at it: here it is the function to be told.
        self.process.queues.add(given, cast("asyncio.Future[Answer]", told))
        self._set_turn(now_ns)
        return True

    def promise(self, party: str) -> None:
        """A receipt goes out: checks that it says no more than what is durable, and remembers it."""
        assert self.process is not None
        position = self.process.received(party)
        durable = self._held.of(party)
        if position.epoch == durable[0] and any(
            a > b for a, b in zip(position.upto, durable[1], strict=True)
        ):
            raise Violation(
                f"{self.name} receipts {position.upto} of {party}, and {durable[1]} are on its disk"
            )
        self._promised[party] = position.epoch, position.upto

    def _set_turn(self, now_ns: int) -> None:
        if self.process is not None and not self._turn_set and not self.process.busy:
            self._turn_set = True
            self._kernel.at(now_ns, self._turn, self.process, TURN)

    def _turn(self, now_ns: int, process: Process) -> None:
        """Handles a group, and begins to write it."""
        if not process.alive or process.busy:
            return
        self._turn_set = False
        group = Group(process)
        self._handle(group, now_ns)
        if not group.commits:
            self._set_timer(now_ns)
            return
        process.busy = True
        if self._ways.tells_first:
            self._tell(group, now_ns)
        if self.doom == "before":
            self.die(now_ns)
            return
        self._write(now_ns, group)

    def _handle(self, group: Group, now_ns: int) -> None:
        process = group.process
        while process.first:
            group.commits.append(process.node.handle(self._time(process, now_ns), process.first.popleft()))
        time_ns = self._time(process, now_ns)
        group.commits += [process.node.handle(time_ns, timer) for timer in process.node.due(time_ns)]
        while len(group.commits) < self._group:
            waiting = process.queues.take(now_ns / 1e9)
            if waiting is None:
                break
            commit = process.node.handle(time_ns, waiting.given)
            group.commits.append(commit)
            group.answered.append((cast(Told, waiting.future), commit.answer, waiting.is_own))
            if not waiting.is_own:
                group.from_partners.add(waiting.party)

    def _time(self, process: Process, now_ns: int) -> int:
        """The node's time: never before what it was, unless the core was told of a step."""
        process.last_ns = max(process.last_ns, self.now(now_ns))
        return process.last_ns

    def _write(self, now_ns: int, group: Group) -> None:
        """Writes the group; while the disk is full it is tried again, and own givers are told to give again."""
        if not group.process.alive:
            return
        if now_ns < self.full_until_ns and self._ways.drops_when_full:
            group.process.busy = False
            self._tell(group, now_ns)
            return
        if now_ns < self.full_until_ns:
            for told, _, is_own in group.answered:
                if is_own:
                    told(None)
            group.answered = [one for one in group.answered if not one[2]]
            self._kernel.at(now_ns + seconds(FULL_DISK_RETRY_S), self._write, group, TURN)
            return
        self._store.begin([commit.batch for commit in group.commits])
        if self.doom == "during":
            self.die(now_ns)
            return
        share = 0.5 + uniform(self._key, "disk", self.disk.synced)
        self._kernel.at(now_ns + seconds(self.disk_s * share), self._synced, group, TURN)

    def _synced(self, now_ns: int, group: Group) -> None:
        process = group.process
        if not process.alive:
            return
        self._store.finish()
        for commit in group.commits:
            self._held.take(commit.batch.records)
        if self.doom == "after":
            self.die(now_ns)
            return
        if not self._ways.tells_first:
            self._tell(group, now_ns)
        if not process.alive:
            return
        if uniform(self._key, "snapshot", process.node.chain.sequence) < SNAPSHOT_PART:
            self._store.keep(process.node.snapshot())
        process.busy = False
        self._show(now_ns)
        self._set_timer(now_ns)
        self._set_turn(now_ns)

    def _tell(self, group: Group, now_ns: int) -> None:
        """Publishes what is durable, and tells those who gave it."""
        process = group.process
        process.publish(process.node, group.commits, group.from_partners)
        half = len(group.answered) // 2 if self.doom == "told" else len(group.answered)
        for told, answer, _ in group.answered[:half]:
            told(answer)
        if self.doom == "told":
            self.die(now_ns)
            return
        for line in self.lines:
            line.wake(self, now_ns)

    # --- timers and people ------------------------------------------------------------------------------------

    def _set_timer(self, now_ns: int) -> None:
        process = self.process
        if process is None or process.node.next_due_ns == NEVER:
            return
        due_ns = max(process.node.next_due_ns - self.offset_ns, now_ns)
        if due_ns < self._timer_ns or self._timer_ns <= now_ns:
            self._timer_ns = due_ns
            self._kernel.at(due_ns, self._on_timer, due_ns, TIMER)

    def _on_timer(self, now_ns: int, set_for_ns: int) -> None:
        if set_for_ns == self._timer_ns:
            self._timer_ns = NEVER
            self._set_turn(now_ns)

    def _show(self, now_ns: int) -> None:
        """Shows the staff what they have not seen, from the durable stream."""
        while rows := self._store.outbox(STAFF, self._staff_upto, STAFF_ROWS):
            self._staff_upto = rows[-1].number
            for row in rows:
                self.shown(now_ns, row.data)
