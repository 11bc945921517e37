"""The shell around the core: takes inputs, makes their commits durable, and only then lets anybody know.

Rules: what waits is handled together and appended in one transaction (group commit); answers, receipts and
rows become visible after it and never before; what others ask about the node (`receipt`, `received_upto`) is
what is durable, since the core's memory runs ahead while the disk works. When the disk fails the shell takes
nothing more. When the core fails on one input, that input is refused and the core is made again from the
record.

    shell = NodeShell(node, store, clock, recover=lambda: replayed(store))
    running = asyncio.create_task(shell.run())
    answer = await shell.give(Detections(...))
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from noroshi.errors import LocalError
from noroshi.log import Batch, Store
from noroshi.node.inputs import Answer, Commit, Genesis, Input, Received, TimerDue
from noroshi.service.clocks import RunningClock

GROUP_INPUTS = 256
"""Most inputs per transaction: what SQLite writes in about 3 ms."""

GROUP_S = 0.02
"""Longest time for which the core works before its commits are made durable: a warning never waits longer."""

MAX_WAITING = 20_000
"""Inputs that may wait; more are refused, so that a flood costs the giver and not the memory."""

MAX_DEFECTS = 3
"""Timers that may fail one after the other before the node gives up: a timer that fails comes again at once."""

LONGEST_SLEEP_S = 60.0
"""A machine's clock may be set while we sleep; after so long the timers are looked at again."""


class Core(Protocol):
    """What the shell asks of a node; `noroshi.node.Node` is the real one."""

    @property
    def genesis(self) -> Genesis: ...
    @property
    def next_due_ns(self) -> int: ...
    @property
    def neighbours(self) -> tuple[str, ...]: ...
    def handle(self, now_ns: int, given: Input) -> Commit: ...
    def due(self, now_ns: int) -> list[TimerDue]: ...
    def received_upto(self, party: str) -> int: ...
    def outbox_upto(self, party: str) -> int: ...
    def receipt(self, party: str) -> tuple[int, bytes]: ...


class StoppedError(LocalError):
    """The node takes no inputs now: it is stopping, or its disk has failed."""


class CoreDefectError(LocalError):
    """The core failed on this input: a defect. Nothing of the input was kept."""


class NodeShell:
    """One running node. All of it lives on one event loop; only `append` works on a thread of its own."""

    def __init__(
        self,
        core: Core,
        store: Store,
        clock: RunningClock,
        *,
        recover: Callable[[], Core],
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.genesis = core.genesis
        self.neighbours = core.neighbours
        self.failed = ""
        self.defects = 0
        self._core = core
        self._recover = recover
        self._note = note
        self._waiting: deque[tuple[Input, asyncio.Future[Answer]]] = deque()
        self._work = asyncio.Event()
        self._stopping = False
        self._timer_defects = 0
        self._followers: dict[str, set[asyncio.Event]] = {}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="record")
        self._receipts: dict[str, tuple[int, bytes]] = {}
        self._outbox_upto: dict[str, int] = {}
        self._publish_all()

    # --- what others may know: durable things only ------------------------------------------------------------

    def received_upto(self, party: str) -> int:
        """The last row of a partner's outbox for us that is durable here."""
        return self._receipts[party][0] if party in self._receipts else 0

    def receipt(self, party: str) -> tuple[int, bytes]:
        """The signed receipt for a partner's rows that are durable here: (upto, signature)."""
        return self._receipts[party]

    def outbox_upto(self, party: str) -> int:
        """The last durable row of our outbox for a party."""
        return self._outbox_upto.get(party, 0)

    def follow(self, party: str) -> asyncio.Event:
        """An event that is set whenever a party has new rows, or new rows of a partner are durable here."""
        event = asyncio.Event()
        self._followers.setdefault(party, set()).add(event)
        return event

    def unfollow(self, party: str, event: asyncio.Event) -> None:
        """Ends `follow`."""
        self._followers.get(party, set()).discard(event)

    # --- inputs -----------------------------------------------------------------------------------------------

    def offer(self, given: Input) -> asyncio.Future[Answer]:
        """Queues an input; the future is answered when all that follows from it is durable.

        Raises StoppedError when the node takes nothing more. The future may raise it too, or CoreDefectError.
        """
        if self._stopping or self.failed:
            raise self._stopped()
        if len(self._waiting) >= MAX_WAITING:
            raise LocalError("take an input", cause=f"{MAX_WAITING} inputs are waiting already", retry=True)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        future.add_done_callback(_seen)
        self._waiting.append((given, future))
        self._work.set()
        return future

    async def give(self, given: Input) -> Answer:
        """The answer to an input, once it is durable. Raises as `offer` says."""
        return await self.offer(given)

    def stop(self) -> None:
        """Ends `run` after the commit that is under way."""
        self._stopping = True
        self._work.set()

    # --- the loop ---------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Works until `stop`. Raises LocalError when the disk or the core has failed; reads go on working."""
        try:
            while not self._stopping:
                await self._until_work()
                await self._group()
        except LocalError as error:
            self.failed = str(error)
            raise
        finally:
            self._stopping = True
            self._refuse_waiting()
            self._wake(self._followers)
            self._writer.shutdown(wait=True)

    async def _until_work(self) -> None:
        self._work.clear()
        if self._waiting or self._stopping:
            return
        wait_s = min(self.clock.delay_s(self._core.next_due_ns), LONGEST_SLEEP_S)
        if wait_s > 0.0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._work.wait()

    async def _group(self) -> None:
        """Handles what is due and what waits, for at most GROUP_S, and makes it durable at once."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + GROUP_S
        commits: list[Commit] = []
        answered: list[tuple[asyncio.Future[Answer], Answer]] = []
        received: set[str] = set()
        defect: tuple[asyncio.Future[Answer] | None, CoreDefectError] | None = None
        for timer in self._core.due(self.clock.now_ns()):
            done = self._handle(timer)
            if isinstance(done, CoreDefectError):
                defect = (None, done)
                break
            self._timer_defects = 0
            commits.append(done)
        while self._waiting and defect is None and len(commits) < GROUP_INPUTS:
            given, future = self._waiting.popleft()
            done = self._handle(given)
            if isinstance(done, CoreDefectError):
                defect = (future, done)
                break
            commits.append(done)
            answered.append((future, done.answer))
            if isinstance(given, Received) and given.number:
                received.add(given.party)
            if loop.time() > end_s:
                break
        if commits:
            try:
                await self._append([commit.batch for commit in commits])
            except LocalError as error:
                for future, _ in answered:
                    _fail(future, error)
                raise
            self._publish(commits, received)
            for future, answer in answered:
                if not future.done():
                    future.set_result(answer)
        if defect is not None:
            await self._survive(*defect)

    def _handle(self, given: Input) -> Commit | CoreDefectError:
        try:
            return self._core.handle(self.clock.now_ns(), given)
        except Exception as error:  # noqa: BLE001  # a defect on one input costs that input, not the node
            self._note(traceback.format_exc())
            what = given.name if isinstance(given, TimerDue) else getattr(given, "party", "")
            return CoreDefectError(
                "handle an input",
                subject=f"{type(given).__name__} {what}".strip(),
                cause=f"{type(error).__name__}: {error}",
                hint="report this defect with the record",
            )

    async def _append(self, batches: list[Batch]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writer, self.store.append, batches)

    async def _survive(self, future: asyncio.Future[Answer] | None, error: CoreDefectError) -> None:
        """Makes the core again from the record, which knows nothing of the input on which it failed."""
        self.defects += 1
        self._note(str(error))
        if future is None:
            self._timer_defects += 1
            if self._timer_defects >= MAX_DEFECTS:
                raise error
        self._core = await asyncio.get_running_loop().run_in_executor(self._writer, self._recover)
        self._publish_all()
        if future is not None:
            _fail(future, error)

    # --- publishing -------------------------------------------------------------------------------------------

    def _publish_all(self) -> None:
        for partner in self.neighbours:
            party = f"partner:{partner}"
            self._receipts[party] = self._core.receipt(party)
        for party in ("staff", "gateway:cap", *(f"partner:{partner}" for partner in self.neighbours)):
            self._outbox_upto[party] = self._core.outbox_upto(party)

    def _publish(self, commits: list[Commit], received: set[str]) -> None:
        changed = set(received)
        for party in received:
            self._receipts[party] = self._core.receipt(party)
        for commit in commits:
            for row in commit.batch.outbox:
                self._outbox_upto[row.party] = row.number
                changed.add(row.party)
        self._wake(changed)

    def _wake(self, parties: Iterable[str]) -> None:
        for party in parties:
            for event in self._followers.get(party, ()):
                event.set()

    def _refuse_waiting(self) -> None:
        while self._waiting:
            _fail(self._waiting.popleft()[1], self._stopped())

    def _stopped(self) -> StoppedError:
        if self.failed:
            hint = "nothing was kept of this input; the node must be started again"
            return StoppedError("take an input", cause=f"the node has failed ({self.failed})", hint=hint)
        return StoppedError("take an input", cause="the node is stopping", retry=True)


def _fail(future: asyncio.Future[Answer], error: LocalError) -> None:
    if not future.done():
        future.set_exception(error)


def _seen(future: asyncio.Future[Answer]) -> None:
    """Looks at the outcome, so that an input whose giver has gone is not reported as forgotten."""
    if not future.cancelled():
        future.exception()
