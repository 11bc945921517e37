"""What one group's clients are sent: rows of its outbox as they become durable, warnings before all else.

Of things that move the newest is kept, so that who comes late is sent what stands and not what was. What goes out goes
to all clients in the same bytes; after each few hundred of them others have their turn, and a warning that has come
meanwhile goes first. A client that is slow holds up nobody: what waits for it is conflated by uid, never a warning.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import Protocol

from noroshi.clock import seconds
from noroshi.gateways.cot import CotEvent, read_event
from noroshi.gateways.xml_parse import XmlRefusedError
from noroshi.messages.kinds import Lane
from noroshi.service.cot_items import Batch, Item, retimed
from noroshi.service.shell import NodeShell

PAGE_ROWS = 200
AT_ONCE = 256
"""Clients that are written to before others have their turn: some milliseconds."""

BATCH_BYTES = 48 * 1024
"""Of events that are joined: below what a connection may have waiting."""

MAX_RELAYED = 5_000
"""Positions of clients that are kept for who comes late."""

ACKS_NS = seconds(86_400.0)
"""A message that was shown can be acknowledged for so long: after that it is history to the node as well."""

PRUNE_S = 15.0
BACK_ROWS = 20_000
"""Rows of an outbox that are looked through at a start, at most: what still stands is among the newest."""


class Receiver(Protocol):
    """One client, as its feed sees it."""

    def take(self, batch: Batch) -> None:
        """Sends events, or keeps them until the client reads again."""


class GroupFeed:
    """One group's events and clients. moved: from the node's time to that of the clients' clocks."""

    def __init__(
        self,
        shell: NodeShell,
        group: str,
        note: Callable[[str], None],
        moved: Callable[[int], int] | None = None,
    ) -> None:
        self.group = group
        self.party = f"gateway:cot-{group}"
        self.counts: Counter[str] = Counter()
        self.clients: dict[Receiver, None] = {}
        self._shell = shell
        self._note = note
        self._moved = moved
        self._current: dict[str, Item] = {}
        self._relayed: dict[str, Item] = {}
        self._acks: dict[str, int] = {}
        self._urgent: deque[Item] = deque()
        self._other: dict[str, Item] = {}
        self._work = asyncio.Event()
        self._upto = 0

    def standing(self) -> list[Item]:
        """What a newcomer is sent: alerts first, then what is drawn, then positions; nothing that is stale."""
        now_ns = self.now_ns()
        kept = [one for one in (*self._current.values(), *self._relayed.values()) if one.stale_ns > now_ns]
        return sorted(kept, key=lambda one: one.lane)

    def find(self, head: str) -> list[str]:
        """The ids that begin so of what was shown lately and may be acknowledged; an update leaves them to be."""
        return sorted(one for one in self._acks if one.startswith(head))

    def now_ns(self) -> int:
        """The present by the clocks of the clients."""
        now_ns = self._shell.clock.now_ns()
        return self._moved(now_ns) if self._moved is not None else now_ns

    def relay(self, event: CotEvent) -> None:
        """Sends a client's own position to the group."""
        if event.uid not in self._relayed and len(self._relayed) >= MAX_RELAYED:
            self.counts["positions-not-kept"] += 1
            return
        item = Item(f"client {event.uid}", Lane.TRACK, event)
        self._relayed[event.uid] = item
        self.counts["relayed"] += 1
        self._send(item)

    async def run(self) -> None:
        """Follows the outbox until cancelled."""
        wake = self._shell.follow(self.party)
        pruning = asyncio.ensure_future(self._prune())
        fanning = asyncio.ensure_future(self._fan())
        try:
            self._upto = self._start()
            live = False
            while True:
                wake.clear()
                while rows := self._shell.store.outbox(self.party, self._upto, PAGE_ROWS):
                    for row in rows:
                        self._row(row.key, row.lane, row.data, live=live)
                    self._upto = rows[-1].number
                    await asyncio.sleep(0)
                live = True
                if fanning.done():
                    fanning.result()
                await wake.wait()
        finally:
            self._shell.unfollow(self.party, wake)
            for task in (pruning, fanning):
                task.cancel()
            await asyncio.gather(pruning, fanning, return_exceptions=True)

    def _start(self) -> int:
        """The row after which it is worth while to look for what stands."""
        streams = getattr(self._shell.store, "streams", None)
        last = streams().get(self.party, 0) if streams is not None else 0
        return max(0, last - BACK_ROWS)

    def _row(self, key: str, lane: int, data: bytes, *, live: bool) -> None:
        try:
            event = read_event(data)
        except XmlRefusedError as error:  # our own rows are sound; one of another version may not be
            self._note(f"a row of {self.party} is not sent: {error}")
            return
        item = Item(key, lane, retimed(event, self._moved) if self._moved is not None else event)
        self._current.pop(key, None)
        self._current[key] = item
        if item.ack:
            self._acks[item.ack] = self.now_ns() + ACKS_NS
        if live:
            self.counts["sent"] += 1
            self._send(item)

    def _send(self, item: Item) -> None:
        if item.lane == Lane.WARNING:
            self._urgent.append(item)
        else:
            self._other.pop(item.key, None)
            self._other[item.key] = item
        self._work.set()

    async def _fan(self) -> None:
        while True:
            self._work.clear()
            while self._urgent or self._other:
                urgent = bool(self._urgent)
                await self._out(self._batch(urgent=urgent), urgent=urgent)
            await self._work.wait()

    async def _out(self, batch: Batch, *, urgent: bool) -> None:
        """To all who are here now; a warning that comes meanwhile goes to all of them first."""
        for place, client in enumerate(list(self.clients), 1):
            client.take(batch)
            if place % AT_ONCE == 0:
                await asyncio.sleep(0)
                while self._urgent and not urgent:
                    await self._out(self._batch(urgent=True), urgent=True)

    async def _prune(self) -> None:
        while True:
            await asyncio.sleep(PRUNE_S)
            now_ns = self.now_ns()
            self._acks = {ack: until_ns for ack, until_ns in self._acks.items() if until_ns > now_ns}
            for kept in (self._current, self._relayed):
                for key in [key for key, one in kept.items() if one.stale_ns <= now_ns]:
                    del kept[key]

    def _batch(self, *, urgent: bool) -> Batch:
        """The next events, in order, as many as are joined."""
        items: list[Item] = []
        size = 0
        while waiting := self._urgent if urgent else self._other:
            item = self._urgent[0] if urgent else next(iter(self._other.values()))
            size += len(item.xml)
            if items and size > BATCH_BYTES:
                break
            items.append(item)
            if isinstance(waiting, deque):
                waiting.popleft()
            else:
                del waiting[item.key]
        return Batch(items)
