"""The shell around the core: takes inputs, makes their commits durable, and only then lets anybody know.

Rules: what waits is handled by precedence and in turns (`queues`), and appended in one transaction (group commit);
answers, receipts and rows become visible after it and never before; what others ask about the node (`published`) is
what is durable, since the core's memory runs ahead while the disk works. When the disk is full the
same commits are tried again until it has room, and nothing is acknowledged meanwhile; when it fails otherwise the shell
takes nothing more. When the core fails on one input, that input is refused and the core is made again from the record.

    shell = NodeShell(node, store, clock, recover=lambda: replayed(store))
    running = asyncio.create_task(shell.run())
    answer = await shell.give(Detections(...))
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from noroshi.clock import NS_PER_S, seconds
from noroshi.errors import LocalError
from noroshi.log import Batch, Snapshot, Store
from noroshi.node.inputs import (
    Answer,
    ClockStepped,
    Commit,
    Genesis,
    Input,
    Retention,
    TimerDue,
)
from noroshi.service.clocks import STEP_S, RunningClock
from noroshi.service.disk import Disk, DiskWatch
from noroshi.service.doors import Doors
from noroshi.service.published import News, Published, Stated
from noroshi.service.queues import NODE, CrowdedError, InputQueues, Place, Waiting, party_of, place_of
from noroshi.service.quotas import Quotas
from noroshi.service.refusal_budget import RefusalBudget
from noroshi.service.snapshots import Snapshots

GROUP_INPUTS = 256
"""Most inputs per transaction: what SQLite writes in about 3 ms."""

GROUP_S = 0.02
"""Longest time for which the core works before its commits are made durable: a warning never waits longer."""

HURRIED_S = 0.005
"""The same when a warning is among what was handled, so that it is durable soon, and for partners that have used more
than their share, so that whoever comes meanwhile waits no longer for them."""

TIMERS_S = GROUP_S / 2
"""Longest time for timers in it: inputs have their turn too."""

SOCKET_STEPS = 3
"""Turns of the sockets between two groups: from bytes to an input, or from a receipt to the line, there are so many."""

MAX_DEFECTS = 3
"""Timers that may fail one after the other before the node gives up: a timer that fails comes again at once."""

LOOK_S = 0.25
"""How often clock, disk and quotas are looked at: a stepped clock is noticed well within a second."""

DISK_RETRY_S = 0.5
"""How often commits are tried again while the disk is full."""

RECORD_BYTES = 192
"""What a record or a row takes on the disk beside its body: hashes, numbers, keys."""

T = TypeVar("T")


class Core(Stated, Protocol):
    """What the shell asks of a node; `noroshi.node.Node` is the real one."""

    @property
    def genesis(self) -> Genesis: ...
    @property
    def next_due_ns(self) -> int: ...
    @property
    def neighbours(self) -> tuple[str, ...]: ...
    def handle(self, now_ns: int, given: Input) -> Commit: ...
    def due(self, now_ns: int) -> list[TimerDue]: ...
    def snapshot(self) -> Snapshot: ...
    def expect(self, now_ns: int, given: Input) -> bool: ...
    def foreseen(self, now_ns: int, given: Input) -> Answer | None: ...
    def work_ahead(self) -> bool: ...


class StoppedError(LocalError):
    """The node takes no inputs now: it is stopping, or its disk has failed."""


class CoreDefectError(LocalError):
    """The core failed on this input: a defect. Nothing of the input was kept."""


class NotDurableError(LocalError):
    """The disk is full: what was given is kept when there is room, or was never given if the node ends before."""


@dataclass(slots=True)
class _Group:
    """Commits that are to be durable together, and who waits for them."""

    commits: list[Commit] = field(default_factory=list)
    answered: list[tuple[Waiting, Answer]] = field(default_factory=list)
    from_partners: set[str] = field(default_factory=set)
    news: News | None = None
    defect: CoreDefectError | None = None
    failing: Waiting | None = None

    @property
    def is_full(self) -> bool:
        return self.defect is not None or len(self.commits) >= GROUP_INPUTS


class NodeShell(Published):
    """One running node. All of it lives on one event loop; the store writes on a thread of its own, and does its upkeep
    and keeps snapshots on another.

    disk: the store's, when it can fill; retention_every_s: seconds between retentions; last_ns: the time of the
    last record, before which the node's time does not fall back unseen.
    """

    def __init__(
        self,
        core: Core,
        store: Store,
        clock: RunningClock,
        *,
        recover: Callable[[], Core],
        note: Callable[[str], None] = lambda _: None,
        on_held: Callable[[str, str], None] = lambda party, reason: None,
        disk: Disk | None = None,
        quotas: Quotas | None = None,
        retention_every_s: float = 86_400.0,
        last_ns: int = 0,
    ) -> None:
        super().__init__(core)
        self.store = store
        self.clock = clock
        self.genesis = core.genesis
        self.failed = ""
        self.defects = 0
        self.on_held = on_held
        self._core = core
        self._recover = recover
        self._note = note
        self._loop = asyncio.get_running_loop()
        now_s = self._loop.time()
        self._queues = InputQueues(quotas or Quotas(), now_s)
        self._disk = DiskWatch(disk, note)
        self._nonsense = RefusalBudget(now_s)
        self.doors = Doors(self.offer, self._loop.time)
        self._snapshots = Snapshots(store.keep, self._on_background, self._let_go, note, retention_every_s)
        self._first: deque[Input] = deque()
        self._work = asyncio.Event()
        self._stopped_event = asyncio.Event()
        self._writing = ""
        self._looked_s = now_s
        self._last_ns = last_ns
        self._crowded: set[str] = set()
        self._timer_defects = 0
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="record")
        self._background = ThreadPoolExecutor(1, thread_name_prefix="upkeep")
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="ahead")
        self._ahead: Future[None] | None = None
        self._written: tuple[_Group, asyncio.Future[None]] | None = None
        self._since_then()

    @property
    def trouble(self) -> str:
        """Why the node takes less than everything, or nothing, in words; empty when all is well."""
        return self.failed or self._writing or self._disk.reason

    @property
    def clock_error_ns(self) -> int:
        """How far this node's clock may be from UTC."""
        return self.clock.error_ns

    # --- inputs -----------------------------------------------------------------------------------------------

    def offer(self, given: Input) -> asyncio.Future[Answer]:
        """Queues an input; the future is answered when all that follows from it is durable.

        Rows of a partner that is over a quota, or for which the disk has no room, wait; own inputs are then refused.
        Raises StoppedError when the node takes nothing more, CrowdedError when too much waits of this party. The
        future may raise them too, or CoreDefectError, or NotDurableError.
        """
        if self._stopping or self.failed:
            raise self._stopped()
        future: asyncio.Future[Answer] = self._loop.create_future()
        party = party_of(given)
        if not party.startswith(("partner:", NODE)) and (reason := self._refusal(given)):
            future.set_result(Answer("refused", reason))
            return future
        if (answer := self._worthless(party, given)) is not None:
            future.set_result(answer)
            return future
        try:
            self._queues.add(given, future)
        except CrowdedError as error:
            if party.startswith("partner:") and party not in self._crowded:
                self._crowded.add(party)
                self._held(party, f"{error.cause}: its link is stopped until some have been handled")
            raise
        if len(self._queues) > 1 and self._core.expect(self._last_ns, given):
            self._look_ahead()
        self._work.set()
        return future

    def _worthless(self, party: str, given: Input) -> Answer | None:
        """The answer to an input of an own giver that floods the record with what is refused, if it is not taken."""
        now_s = self._loop.time()
        if party.startswith(("partner:", NODE)) or not self._nonsense.over(party, now_s):
            return None
        answer = self._core.foreseen(max(self._last_ns, self.clock.now_ns()), given)
        if answer is None and not self._nonsense.doubtful(party, now_s):
            answer = Answer("refused", "too-many-refused")
        if answer is not None:
            self.doors.count("record", party, f"not-kept:{answer.reason or answer.outcome}")
        return answer

    def _look_ahead(self) -> None:
        """Lets another thread begin with what waits, if none does."""
        if self._ahead is None or self._ahead.done():
            core = self._core
            self._ahead = self._beside.submit(lambda: _all_ahead(core))

    async def give(self, given: Input) -> Answer:
        """The answer to an input, once it is durable. Raises as `offer` says."""
        return await self.offer(given)

    def crowded(self, party: str) -> bool:
        """Whether so much of a partner waits that its link should not be read just now."""
        return self._queues.crowded(party)

    def drop(self, party: str) -> None:
        """Takes out what waits of a partner, whose connection has ended: no receipt covers it, so it comes again."""
        for waiting in self._queues.drop(party):
            _fail(
                waiting.future,
                LocalError("take a row", subject=party, cause="its link has ended", retry=True),
            )

    def stop(self) -> None:
        """Ends `run` after the commit that is under way."""
        self._stopped_event.set()
        self._work.set()

    # --- the loop ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Works until `stop`. Raises LocalError when the disk or the core has failed; reads go on working."""
        tending = asyncio.ensure_future(self._disk.tend(self._on_background, lambda: not self._queues))
        try:
            while not self._stopping:
                self._look()
                if self._snapshots.wanted:
                    await self._settle()
                    self._snapshots.go_on(self._core)
                if not await self._group():
                    await self._until_work()
                for _ in range(SOCKET_STEPS):
                    await asyncio.sleep(0)
            await self._settle()
            await self._snapshots.finish(self._core)
        except LocalError as error:
            self.failed = str(error)
            raise
        finally:
            self._stopped_event.set()
            for waiting in self._queues.take_all():
                _fail(waiting.future, self._stopped())
            self.wake()
            tending.cancel()
            await asyncio.gather(tending, self._snapshots.wait(), return_exceptions=True)
            self._writer.shutdown(wait=True)
            self._background.shutdown(wait=True)
            self._beside.shutdown(wait=True)

    async def _until_work(self) -> None:
        """Until something is given, a timer is due, or it is time to look at clock, disk and quotas again."""
        if self._stopping or self._first:
            return
        due_s = self.clock.delay_s(self._core.next_due_ns) if self._disk.places_open else LOOK_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(due_s, LOOK_S)):
                await self._work.wait()

    def _held(self, party: str, reason: str) -> None:
        """Says that a partner's rows are held, or no longer."""
        self._note(f"{party.partition(':')[2]}: {reason or 'it is within its quotas again'}")
        self.on_held(party, reason)

    def _look(self) -> None:
        """Looks at the machine's clock, the disk and the quotas, now and then."""
        now_s = self._loop.time()
        if now_s < self._looked_s + LOOK_S:
            return
        self._looked_s = now_s
        if by_ns := self.clock.look():
            self._step(by_ns)
        if self._disk.look(now_s):
            for waiting in self._queues.take_own(self._disk.places_open):
                if not waiting.future.done():
                    waiting.future.set_result(Answer("refused", self._disk.reason))
        for standing in self._queues.standings(now_s):
            self._held(standing.party, standing.reason)
        for party in [one for one in self._crowded if not self._queues.crowded(one)]:
            self._crowded.discard(party)
            self._held(party, "")
        self._snapshots.look(pressed=bool(self._disk.reason))

    async def _group(self) -> bool:
        """Handles what is due and what waits while the group before is written, and lets it be written next. Whether
        anything was done.
        """
        self._work.clear()
        group = self._collected()
        before = self._written is not None
        await self._settle(group)
        if group.commits:
            self._written = group, self._append(group)
            group.news = self.news(self._core, group.commits, group.from_partners)
        if group.defect is not None:
            await self._settle()
            await self._survive(group.defect, group.failing)
        return before or bool(group.commits) or group.defect is not None

    def _collected(self) -> _Group:
        """Handles what is due and what waits, for at most GROUP_S."""
        group = _Group()
        begun_s = self._loop.time()
        end_s = begun_s + GROUP_S
        while self._first and not group.is_full:
            self._take(group, self._first.popleft(), None)
        if self._disk.places_open:
            self._take_timers(group)
        while not group.is_full:
            waiting = self._queues.take(self._loop.time(), self._disk.places_open)
            if waiting is None:
                break
            if waiting.place == Place.WARNING or self._queues.deferred:
                end_s = min(end_s, begun_s + HURRIED_S)
            if self._take(group, waiting.given, waiting) > end_s:
                break
        return group

    async def _settle(self, following: _Group | None = None) -> None:
        """Waits until the group that is being written is durable, and lets everybody know. Raises as `_durable` does.

        following: what the core has done since; it shares the fate of the group if that cannot be written.
        """
        if self._written is None:
            return
        (group, writing), self._written = self._written, None
        await self._durable(group, writing, following or _Group())
        if group.news is not None:
            self.tell(group.news)
        for waiting, answer in group.answered:
            if not waiting.future.done():
                waiting.future.set_result(answer)

    def _take_timers(self, group: _Group) -> None:
        end_s = self._loop.time() + TIMERS_S
        for timer in self._core.due(self._now_ns()):
            if group.is_full or self._take(group, timer, None) > end_s:
                return

    def _take(self, group: _Group, given: Input, waiting: Waiting | None) -> float:
        """Handles one input; the loop's time after it."""
        begun_s = self._loop.time()
        done = self._handle(given)
        now_s = self._loop.time()
        if isinstance(done, CoreDefectError):
            group.defect, group.failing = done, waiting
            return now_s
        group.commits.append(done)
        self._snapshots.worked(now_s - begun_s, len(done.batch.records))
        if waiting is None:
            self._timer_defects = 0
            return now_s
        group.answered.append((waiting, done.answer))
        if waiting.is_own and done.answer.outcome != "accepted" and waiting.party != NODE:
            self._nonsense.charge(waiting.party, _logged_bytes(done.batch), now_s)
        if not waiting.is_own:
            group.from_partners.add(waiting.party)
            self._queues.charge(waiting, now_s - begun_s, _logged_bytes(done.batch), now_s)
        return now_s

    def _handle(self, given: Input) -> Commit | CoreDefectError:
        try:
            return self._core.handle(self._now_ns(), given)
        except Exception as error:  # noqa: BLE001  # a defect on one input costs that input, not the node
            self._note(traceback.format_exc())
            what = given.name if isinstance(given, TimerDue) else getattr(given, "party", "")
            return CoreDefectError(
                "handle an input",
                subject=f"{type(given).__name__} {what}".strip(),
                cause=f"{type(error).__name__}: {error}",
                hint="report this defect with the record",
            )

    async def _survive(self, error: CoreDefectError, waiting: Waiting | None) -> None:
        """Makes the core again from the record, which knows nothing of the input on which it failed."""
        self.defects += 1
        self._note(str(error))
        if waiting is None:
            self._timer_defects += 1
            if self._timer_defects >= MAX_DEFECTS:
                raise error
        self._core = await self._on_writer(self._recover)
        self.publish_all(self._core)
        if waiting is not None:
            self._queues.bar(waiting, self._loop.time())
            _fail(waiting.future, error)

    # --- the disk ---------------------------------------------------------------------------------------------

    def _append(self, group: _Group) -> asyncio.Future[None]:
        """Lets the writer begin with a group."""
        batches = [commit.batch for commit in group.commits]
        return self._loop.run_in_executor(self._writer, self.store.append, batches)

    async def _durable(self, group: _Group, writing: asyncio.Future[None], following: _Group) -> None:
        """Waits until a group is durable. While the disk is full the same commits are tried again: the core has gone on
        from them, and nobody is told of them. Raises LocalError when the store has failed for good, or at a stop.
        """
        answered = [*group.answered, *following.answered]
        try:
            while True:
                try:
                    await writing
                except LocalError as error:
                    if not error.retry or self._stopping:
                        raise
                    self._cannot_write(answered, error)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(DISK_RETRY_S):
                            await self._stopped_event.wait()
                    writing = self._append(group)
                else:
                    break
        except LocalError as error:
            for waiting, _ in answered:
                _fail(waiting.future, error)
            raise
        if self._writing:
            self._writing = ""
            self._note("the disk takes what is written again; nothing that was acknowledged is lost")

    def _cannot_write(self, answered: list[tuple[Waiting, Answer]], error: LocalError) -> None:
        """The disk is full: says so once, and to all who wait for this node's own inputs."""
        if self._writing:
            return
        self._writing = f"{error}; nothing is acknowledged until there is room, what is held can be read"
        self._note(self._writing)
        hint = "give it again later; it counts once, however often it is given"
        for waiting, _ in answered:
            if waiting.is_own:
                cause = error.cause or str(error)
                _fail(waiting.future, NotDurableError("keep an input", cause=cause, hint=hint, retry=True))

    def _refusal(self, given: Input) -> str:
        """Why an input of our own is refused just now, or an empty text."""
        if self._writing:
            return self._writing
        return self._disk.reason if place_of(given) >= self._disk.places_open else ""

    # --- time -------------------------------------------------------------------------------------------------

    def _now_ns(self) -> int:
        """The node's time: never before what it was, unless the core was told of a step."""
        self._last_ns = max(self._last_ns, self.clock.now_ns())
        return self._last_ns

    def _since_then(self) -> None:
        """A clock that stands before the record's last time was set back while the node was down."""
        by_ns = self.clock.now_ns() - self._last_ns
        if by_ns < -seconds(STEP_S):
            self._step(by_ns)

    def _step(self, by_ns: int) -> None:
        self._last_ns = 0
        self._first.appendleft(ClockStepped(by_ns=by_ns, error_ns=self.clock_error_ns))
        self._note(
            f"this machine's clock was stepped by {by_ns / NS_PER_S:+.1f} s: what was to happen in a minute still"
            " happens in a minute; check the machine's time"
        )

    # --- inside -----------------------------------------------------------------------------------------------

    @property
    def _stopping(self) -> bool:
        return self._stopped_event.is_set()

    async def _on_writer(self, work: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(self._writer, work)

    async def _on_background(self, work: Callable[[], T]) -> T:
        return await self._loop.run_in_executor(self._background, work)

    def _let_go(self, upto_sequence: int) -> None:
        """A snapshot is durable: what need not be kept is let go up to there."""
        self._first.append(Retention(before_ns=self._now_ns(), upto_sequence=upto_sequence))
        self._work.set()

    def _stopped(self) -> StoppedError:
        if self.failed:
            hint = "nothing was kept of this input; the node must be started again"
            return StoppedError("take an input", cause=f"the node has failed ({self.failed})", hint=hint)
        return StoppedError("take an input", cause="the node is stopping", retry=True)


def _logged_bytes(batch: Batch) -> int:
    """About how many bytes of the record a commit takes."""
    bodies = sum(len(record.body or b"") for record in batch.records)
    rows = sum(len(row.data) for row in batch.outbox)
    return bodies + rows + RECORD_BYTES * (len(batch.records) + len(batch.outbox))


def _fail(future: asyncio.Future[Answer], error: LocalError) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # looked at, so that an input whose giver has gone is not reported as forgotten


def _all_ahead(core: Core) -> None:
    while core.work_ahead():
        pass
