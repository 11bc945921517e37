"""What is refused at the doors, before it is anybody's input: counted by door, source and reason, and told to the node.

The node puts the counts on its record and before the staff. A flood costs a number: a door and source is told of when
something new was refused there, then no oftener than every ten seconds; only so many sources have numbers of their own.

    shell.doors.count("page", "127.0.0.1", "no-token")
    await shell.doors.run()
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable

from noroshi.errors import LocalError
from noroshi.node.inputs import Answer, DoorHeard

LOOK_S = 1.0
"""How often it is looked for something that was refused."""

TOLD_S = 10.0
"""After a door has been told of with a source, its counts wait for so long: a flood is a row now and then."""

MAX_SOURCES = 16
"""Sources of one door with counts of their own; the others count together."""

MAX_REASONS = 24

OTHERS = "others"


class Doors:
    """The counts of one process. give: takes an input of the node."""

    def __init__(
        self, give: Callable[[DoorHeard], asyncio.Future[Answer]], now_s: Callable[[], float]
    ) -> None:
        self._give = give
        self._now_s = now_s
        self._new: dict[tuple[str, str], Counter[str]] = {}
        self._told_s: dict[tuple[str, str], float] = {}

    def count(self, entrance: str, source: str, reason: str, many: int = 1) -> None:
        """Counts something that was refused, or so many of it. Cheap, whoever calls it how often."""
        place = entrance, source[:64]
        if place not in self._told_s and place not in self._new:
            known = self._told_s.keys() | self._new.keys()
            if sum(door == entrance for door, _ in known) >= MAX_SOURCES:
                place = entrance, OTHERS
        counts = self._new.setdefault(place, Counter())
        counts[reason if reason in counts or len(counts) < MAX_REASONS else OTHERS] += many

    def tell(self, *, last: bool = False) -> list[asyncio.Future[Answer]]:
        """Gives the node what is new, where it is time, or for the last time. A node that takes nothing just now is told
        later. The answers that are to come.
        """
        given = []
        now_s = self._now_s() + TOLD_S * last
        for place in [one for one, at_s in self._told_s.items() if now_s >= at_s + TOLD_S]:
            if place not in self._new:
                del self._told_s[place]
        for place in [one for one in self._new if now_s >= self._told_s.get(one, -TOLD_S) + TOLD_S]:
            entrance, source = place
            with contextlib.suppress(LocalError):
                given.append(
                    self._give(DoorHeard(entrance=entrance, source=source, counts=dict(self._new[place])))
                )
                del self._new[place]
                self._told_s[place] = now_s
        return given

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.tell()
