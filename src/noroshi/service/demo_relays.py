"""Modelled relays beside nodes that are processes: the same model as on the virtual clock, driven by the exercise's.

A relay's rows are read from its node's record, where they are durable; its statements go in by the door of posts.

    relays = LiveRelays(coalition, key, clock, records, hand)
    running = asyncio.create_task(relays.run())
    relays.model.down("jp-towns-a")
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from noroshi.exercise.coalition import Coalition
from noroshi.exercise.kernel import Kernel
from noroshi.exercise.relays import Relays
from noroshi.log import OutboxRow
from noroshi.node.inputs import LinkChanged, Received
from noroshi.service.clocks import RunningClock
from noroshi.service.record_file import RecordFile
from noroshi.sharing import RELAYS

LOOK_S = 0.1
"""How often records are looked at for rows, in seconds of life."""

AT_ONCE = 1_000


class _Side:
    """A node that is a process, as modelled relays see it."""

    def __init__(self, node: str, record: Path, hand: Callable[[str, Received], None]) -> None:
        self._node = node
        self._record = record
        self._hand = hand
        self._file: RecordFile | None = None

    def take(self, now_ns: int, inputs: Sequence[Received | LinkChanged]) -> None:
        for given in inputs:
            if isinstance(given, Received):  # the node itself sees its lines, and a model has none
                self._hand(self._node, given)

    def relay_rows(self, party: str, after: int) -> list[OutboxRow]:
        if self._file is None:
            self._file = RecordFile(self._record)
        return self._file.outbox(party, after, AT_ONCE)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class LiveRelays:
    """All modelled relays of a live exercise; `model` takes them down and up."""

    def __init__(
        self,
        coalition: Coalition,
        key: bytes,
        clock: RunningClock,
        records: Mapping[str, Path],
        hand: Callable[[str, Received], None],
    ) -> None:
        self._clock = clock
        self._kernel = Kernel(coalition.start_ns)
        self._sides = {
            one.node: _Side(one.node, records[one.node], hand) for one in coalition.members if one.relays
        }
        self._parties = [f"{RELAYS}{relay.id}" for one in coalition.members for relay, _ in one.relays]
        members = {
            one.node: (self._sides[one.node], one.genesis, one.relays)
            for one in coalition.members
            if one.relays
        }
        self.model = Relays(self._kernel, key, members)
        self.model.begin(coalition.start_ns)

    async def run(self) -> None:
        """Lets happen what is due, until cancelled."""
        try:
            while True:
                now_ns = max(self._clock.now_ns(), self._kernel.now_ns)
                for party in self._parties:
                    self.model.woken(party, self._kernel.now_ns)
                self._kernel.run(now_ns)
                await asyncio.sleep(LOOK_S)
        finally:
            for side in self._sides.values():
                side.close()
