"""Replays records in processes of their own while they are made, so that the second core is of use.

A replay proves that a record gives itself back; it costs about as much as making the record did.

    with Replays(coalition.members, places) as replays:
        play(..., store_for=replays.store_for)
        problems = replays.problems()            # node to what is wrong, () where nothing is
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from noroshi.exercise.audit import replayed
from noroshi.exercise.coalition import Member
from noroshi.geo.places import PlaceTable
from noroshi.log import Batch, MemoryStore, Record

RECORDS_AT_ONCE = 200
"""Records in one message to the other process; fewer where they come more slowly than they are sent."""

JOIN_S = 5.0


class KeptStore(MemoryStore):
    """A store in memory that keeps its batches, to be written to a disk at once when the run is over."""

    def __init__(self, follow: SimpleQueue[Record | None] | None = None) -> None:
        super().__init__()
        self.batches: list[Batch] = []
        self._follow = follow

    def append(self, batches: Sequence[Batch]) -> None:
        super().append(batches)
        self.batches += batches
        if self._follow is not None:
            for batch in batches:
                for record in batch.records:
                    self._follow.put(record)


class Replays:
    """One process per node; where the platform cannot fork, the replays are made at the end, one after the other."""

    def __init__(self, members: Iterable[Member], places: PlaceTable) -> None:
        self.stores: dict[str, KeptStore] = {}
        self._members = {member.node: member for member in members}
        self._places = places
        self._queues: dict[str, SimpleQueue[Record | None]] = {}
        self._ends: dict[str, Connection] = {}
        self._processes: list[BaseProcess] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        if "fork" in multiprocessing.get_all_start_methods():
            context = multiprocessing.get_context("fork")
            for node, member in self._members.items():
                here, there = context.Pipe()
                process = context.Process(
                    target=_follow,
                    args=(node, member, self._places, there),
                    name=f"replay {node}",
                    daemon=True,
                )
                process.start()
                there.close()
                self._processes.append(process)
                self._ends[node] = here
        for node, end in self._ends.items():
            queue = self._queues[node] = SimpleQueue()
            thread = threading.Thread(target=_send, args=(queue, end), name=f"to replay {node}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for queue in self._queues.values():
            queue.put(None)
        for process in self._processes:
            if error is not None:
                process.terminate()
            process.join(JOIN_S)

    def store_for(self, node: str) -> KeptStore:
        """A store whose records are replayed as they come."""
        self.stores[node] = KeptStore(self._queues.get(node))
        return self.stores[node]

    def problems(self) -> dict[str, tuple[str, ...]]:
        """What is wrong with each record, when all of them are complete."""
        for queue in self._queues.values():
            queue.put(None)
        return {node: self._problems_of(node) for node in self._members}

    def _problems_of(self, node: str) -> tuple[str, ...]:
        if node in self._ends:
            with contextlib.suppress(EOFError, OSError):
                return tuple(self._ends[node].recv())
        return tuple(replayed(node, self._members[node], self.stores[node].records(), self._places))


def _send(queue: SimpleQueue[Record | None], end: Connection) -> None:
    """In a thread of this process: passes records on, until None comes."""
    with contextlib.suppress(OSError):
        while True:
            taken = [queue.get()]
            while taken[-1] is not None and len(taken) < RECORDS_AT_ONCE and not queue.empty():
                taken.append(queue.get())
            records = [record for record in taken if record is not None]
            if records:
                end.send(records)
            if taken[-1] is None:
                end.send([])
                return


def _follow(node: str, member: Member, places: PlaceTable, end: Connection) -> None:
    """In the other process: replays what comes, and answers with the problems."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that started this one decides when it ends
    with contextlib.suppress(OSError, EOFError):
        end.send(replayed(node, member, _received(end), places))


def _received(end: Connection) -> Iterator[Record]:
    while records := end.recv():
        yield from records
