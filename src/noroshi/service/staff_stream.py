"""The staff's stream: one follower of the outbox, each row framed once, any number of clients with a cursor.

Rows are sent as they were stored; only a number and a key are put around them. Of rows with the same key a
client gets the newest, as far as it has not had the others already: so a newcomer gets the state instead of
its history, and a slow client skips what is out of date but never a warning.

    stream = StaffStream(shell)
    following = asyncio.create_task(stream.run())
    cursor = stream.cursor(after)
    frames = await cursor.frames()       # waits for some
"""

from __future__ import annotations

import asyncio
import json

from noroshi.errors import LocalError
from noroshi.log import OutboxRow
from noroshi.service.record_file import RecordFile
from noroshi.service.shell import NodeShell
from noroshi.service.sqlite_store import SqliteStore

PARTY = "staff"
PAGE_ROWS = 500
KEPT_ROWS = 2048
"""Framed rows kept in memory: about 20 s of a busy exercise; a client further behind reads from the record."""


class Frame:
    """One row, framed."""

    __slots__ = ("key", "number", "text")

    def __init__(self, row: OutboxRow) -> None:
        self.number = row.number
        self.key = row.key
        self.text = f'{{"n":{row.number},"key":{json.dumps(row.key)},"row":{row.data.decode()}}}'


class StaffStream:
    """Follows the staff's outbox for all clients of this process."""

    def __init__(self, shell: NodeShell) -> None:
        self._shell = shell
        self._kept: list[Frame] = []
        self._newest: dict[str, int] = {}
        self._waiters: set[asyncio.Event] = set()
        self.upto = shell.outbox_upto(PARTY)
        store = shell.store
        if isinstance(store, SqliteStore | RecordFile):
            self._newest = store.newest(PARTY)
        else:
            self._newest = {row.key: row.number for row in store.outbox(PARTY, 0, self.upto) if row.key}

    async def run(self) -> None:
        """Frames rows as they become durable and wakes the clients, until cancelled."""
        wake = self._shell.follow(PARTY)
        try:
            while True:
                wake.clear()
                while rows := self._shell.store.outbox(PARTY, self.upto, PAGE_ROWS):
                    for row in rows:
                        self._kept.append(Frame(row))
                        if row.key:
                            self._newest[row.key] = row.number
                    self.upto = rows[-1].number
                    if len(self._kept) > 2 * KEPT_ROWS:
                        del self._kept[:-KEPT_ROWS]
                    for waiter in self._waiters:
                        waiter.set()
                    await asyncio.sleep(0)
                await wake.wait()
        finally:
            self._shell.unfollow(PARTY, wake)

    def cursor(self, after: int) -> Cursor:
        """A client's place in the stream: it has had all rows up to `after`."""
        return Cursor(self, after)

    def page(self, after: int) -> tuple[int, list[str]]:
        """The next frames above `after` and the number up to which they go; empty when there are none."""
        if after >= self.upto:
            return after, []
        if self._kept and self._kept[0].number <= after + 1:
            start = after + 1 - self._kept[0].number  # numbers are dense
            frames = self._kept[start : start + PAGE_ROWS]
        else:
            frames = [Frame(row) for row in self._shell.store.outbox(PARTY, after, PAGE_ROWS)]
        if not frames:
            raise LocalError("read the staff's stream", cause=f"there is no row after {after}")
        newest = self._newest
        texts = [one.text for one in frames if not one.key or newest.get(one.key, 0) <= one.number]
        return frames[-1].number, texts


class Cursor:
    """One client."""

    def __init__(self, stream: StaffStream, after: int) -> None:
        self._stream = stream
        self.after = after
        self._wake = asyncio.Event()
        stream._waiters.add(self._wake)

    async def frames(self) -> list[str]:
        """The next frames, in order; waits until there are some."""
        while True:
            self._wake.clear()
            self.after, texts = self._stream.page(self.after)
            if texts:
                return texts
            if self.after >= self._stream.upto:
                await self._wake.wait()

    def close(self) -> None:
        """Gives the place up."""
        self._stream._waiters.discard(self._wake)
