"""When a node's state is written down so that a restart is short, and when old bodies are let go.

Rules: a snapshot is made when doing the work since the last one again would take too long, at a clean stop, and before
retention; it is kept on a thread of its own, and commits go on meanwhile. Snapshots take a small part of the time,
however much there is to do. Retention goes no further than the snapshot that is durable, and is an input like any
other, so that it is on the record.

    snapshots = Snapshots(store.keep, on_background, let_go, note, retention_every_s=86_400.0)
    snapshots.worked(handled_s, records)
    snapshots.go_on(core)                #  between two commits
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from noroshi.errors import LocalError
from noroshi.log import Snapshot

SNAPSHOT_WORK_S = 3.0
"""Work since the last snapshot after which the next is due: with loading it, a restart stays under 10 s."""

SNAPSHOT_RECORDS = 50_000
"""Records since the last snapshot after which the next is due: reading and checking them takes a second or two."""

SNAPSHOT_PART = 0.05
"""The part of the time that snapshots may take: after one the next waits 20 times as long as it took."""

RETRY_S = 60.0
"""After a snapshot that could not be made or kept, the next attempt."""

FIRST_RETENTION_S = 600.0
"""A node that was just started has other things to do first; one that is often restarted still lets go each day."""

PRESSED_EVERY_S = 60.0
"""How often old bodies are let go while the disk is short of room."""


class Photographed(Protocol):
    """What a snapshot is made of."""

    def snapshot(self) -> Snapshot: ...


@dataclass(frozen=True, slots=True)
class _Photograph:
    """A snapshot, when making it began, and the work and records since the last one that it covers."""

    snapshot: Snapshot
    begun_s: float
    work_s: float
    records: int


class Snapshots:
    """What was done since the last snapshot, and when retention was; made inside the event loop.

    keep makes a snapshot durable (raises LocalError) and is run by on_background on another thread; let_go is called
    with the number up to which bodies may go, once a snapshot covers it.
    """

    def __init__(
        self,
        keep: Callable[[Snapshot], None],
        on_background: Callable[[Callable[[], None]], Awaitable[None]],
        let_go: Callable[[int], None],
        note: Callable[[str], None],
        retention_every_s: float,
    ) -> None:
        self._keep = keep
        self._on_background = on_background
        self._let_go = let_go
        self._note = note
        self._every_s = retention_every_s
        self._loop = asyncio.get_running_loop()
        now_s = self._loop.time()
        self._work_s = 0.0
        self._records = 0
        self._next_snapshot_s = now_s
        self._next_retention_s = now_s + min(FIRST_RETENTION_S, retention_every_s)
        self._next_pressed_s = now_s
        self._retain = False
        self._keeping: asyncio.Task[None] | None = None

    def worked(self, handled_s: float, records: int) -> None:
        """Counts what the core has done."""
        self._work_s += handled_s
        self._records += records

    def look(self, *, pressed: bool) -> None:
        """Whether it is time to let old bodies go: once a day, and often while the disk is short of room (pressed)."""
        now_s = self._loop.time()
        if now_s >= self._next_retention_s or (pressed and now_s >= self._next_pressed_s):
            self._next_retention_s = now_s + self._every_s
            self._next_pressed_s = now_s + PRESSED_EVERY_S
            self._retain = True

    @property
    def wanted(self) -> bool:
        """Whether a snapshot should be begun now."""
        under_way = self._keeping is not None and not self._keeping.done()
        return not under_way and (self._retain or self._is_due())

    def go_on(self, core: Photographed) -> None:
        """Begins a snapshot when one is due. Call it when all that the core did is durable: it is the core's state."""
        if self.wanted:
            retain, self._retain = self._retain, False
            taken = self._photograph(core)
            if taken is not None:
                self._keeping = asyncio.ensure_future(self._store(taken, retain=retain))

    async def wait(self) -> None:
        """Until the snapshot under way is kept, or was given up."""
        if self._keeping is not None:
            await asyncio.wait([self._keeping])

    async def finish(self, core: Photographed) -> None:
        """At a clean stop: a last snapshot, so that the next start, by whichever version, has nothing to do again."""
        await self.wait()
        if self._records:
            taken = self._photograph(core)
            if taken is not None:
                await self._store(taken, retain=False)

    def _is_due(self) -> bool:
        """Whether doing the work again would take too long, and the last snapshot's cost is paid back."""
        if self._loop.time() < self._next_snapshot_s:
            return False
        return self._work_s >= SNAPSHOT_WORK_S or self._records >= SNAPSHOT_RECORDS

    def _photograph(self, core: Photographed) -> _Photograph | None:
        """The core's state now; None, and said so, when it cannot be had."""
        begun_s = self._loop.time()
        try:
            return _Photograph(core.snapshot(), begun_s, self._work_s, self._records)
        except LocalError as error:
            self._failed(error)
            return None

    async def _store(self, taken: _Photograph, *, retain: bool) -> None:
        """Makes it durable, while commits go on."""
        try:
            await self._on_background(lambda: self._keep(taken.snapshot))
        except LocalError as error:
            self._failed(error)
            return
        now_s = self._loop.time()
        self._work_s -= taken.work_s
        self._records -= taken.records
        self._next_snapshot_s = now_s + (now_s - taken.begun_s) / SNAPSHOT_PART
        if retain:
            self._let_go(taken.snapshot.sequence)

    def _failed(self, error: LocalError) -> None:
        self._next_snapshot_s = self._loop.time() + RETRY_S
        self._note(f"no snapshot was kept, so the next start takes longer: {error}")
