"""How much room the disk has, and what is still taken: tracks are refused first, warnings last.

watch = DiskWatch(store, note)
watch.look(now_s)
watch.places_open, watch.reason
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from noroshi.errors import LocalError
from noroshi.messages.kinds import Lane
from noroshi.service.queues import Place

LOOK_EVERY_S = 0.25
"""How often the disk is asked: at 10,000 messages a second a record grows by a few MiB meanwhile."""


class Room(Protocol):
    """What a store says of its disk."""

    @property
    def words(self) -> str:
        """What is short and what is not taken, in words; empty when every lane has room."""
        ...

    def takes(self, lane: int) -> bool:
        """Whether there is room for what is in this lane; a lane is shut before those of more precedence."""
        ...


class Disk(Protocol):
    """A store that knows its disk."""

    def room(self) -> Room:
        """How much may still be written. Raises LocalError when the disk cannot be asked."""
        ...

    def upkeep(self) -> bool:
        """One step of what can wait, some milliseconds; whether there is more to do. Raises LocalError."""
        ...

    @property
    def presses(self) -> bool:
        """Whether upkeep should go on even while there is work."""
        ...


_PLACES = {0: 0, 1: Place.DECISION, 2: Place.SENSOR, 3: Place.TRACK, 4: len(Place)}
"""Places that are served, by the number of lanes that have room. Own detections go with notices: without them we give no
warning of our own, yet they are many, and must leave the space in which warnings and decisions are recorded."""


class DiskWatch:
    """What the disk lets in. `disk` None: a store that has no disk to fill."""

    def __init__(self, disk: Disk | None, note: Callable[[str], None]) -> None:
        self._disk = disk
        self._note = note
        self._next_s = 0.0
        self._lanes = len(Lane)
        self._told = ""
        self.places_open = len(Place)
        self.reason = ""

    def look(self, now_s: float) -> bool:
        """Asks the disk, now and then; whether fewer places are open than before. Says what has changed.

        now_s: steady seconds.
        """
        if self._disk is None or now_s < self._next_s:
            return False
        self._next_s = now_s + LOOK_EVERY_S
        try:
            room = self._disk.room()
        except LocalError as error:
            self._say(str(error))
            return False
        before, self._lanes = self._lanes, sum(room.takes(lane) for lane in Lane)
        self.places_open = _PLACES[self._lanes]
        self.reason = room.words and f"{room.words}; what is held can be read"
        if self._lanes != before:
            self._note(self.reason or "there is room on the disk again: everything is taken")
        return self._lanes < before

    async def tend(
        self, on_thread: Callable[[Callable[[], bool]], Awaitable[bool]], is_idle: Callable[[], bool]
    ) -> None:
        """Does the store's upkeep, until cancelled: while nothing else is to do, and when it presses."""
        disk = self._disk
        while disk is not None:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                while (is_idle() or disk.presses) and await on_thread(disk.upkeep):
                    pass
            except LocalError as error:
                self._say(str(error))

    def _say(self, sentence: str) -> None:
        """Says something once, however often it comes in a row."""
        if sentence != self._told:
            self._told = sentence
            self._note(sentence)
