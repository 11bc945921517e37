"""How much room a record has: a budget of its own, what the disk has left, and which lanes that is enough for.

Rules: the budget holds before the disk is full, and as it runs out tracks are refused first, then notices, decisions,
and warnings last. Pages that retention has emptied count as room, since new rows go there.

    room = store.room()
    room.takes(Lane.TRACK)
"""

from __future__ import annotations

from dataclasses import dataclass

from noroshi.sharing.streams import LANES

RESERVE_BYTES = 64 << 20
"""Space of the disk that the record leaves alone: what its write-ahead log needs at most between two checkpoints, and
as much again for whoever comes to free space."""

LEAST_LEFT = (0.01, 0.02, 0.04, 0.08)
"""The share of the whole that must be left for a lane to be taken, warnings first: each lane that is refused leaves half
of what there is to those before it. A day of everything at the full rate fills a disk; the last hundredth of
10 GB holds 30,000 warnings."""

UNLIMITED_BYTES = 1 << 62


@dataclass(frozen=True, slots=True)
class Budget:
    """What a record may use: `bytes` of its own, and it leaves `reserve_bytes` of the disk free."""

    bytes: int = UNLIMITED_BYTES
    reserve_bytes: int = RESERVE_BYTES

    def __post_init__(self) -> None:
        if self.bytes <= 0 or self.reserve_bytes < 0:
            raise ValueError(f"no budget: {self.bytes} bytes with {self.reserve_bytes} in reserve")


@dataclass(frozen=True, slots=True)
class Room:
    """What is left for a record, in bytes.

    used_bytes: what it holds now; left_bytes: what may be added; free_bytes: what the disk has free; open_lanes: which
    lanes that is enough for, warnings first.
    """

    used_bytes: int
    left_bytes: int
    free_bytes: int
    open_lanes: tuple[bool, ...]

    def takes(self, lane: int) -> bool:
        """Whether there is room for what is in this lane."""
        return self.open_lanes[lane]

    @property
    def words(self) -> str:
        """What an operator should know; empty while every lane has room."""
        shut = [lane.name.lower() + "s" for lane in LANES if not self.open_lanes[lane]]
        if not shut:
            return ""
        return (
            f"the record has room for {self.left_bytes >> 20} MiB more (the disk has {self.free_bytes >> 20} MiB free):"
            f" no {', '.join(reversed(shut))} are taken"
        )


@dataclass(frozen=True, slots=True)
class Space:
    """What a record takes on its disk, in bytes.

    pages_bytes: all pages of the database, also those that are still in its write-ahead log only; reusable_bytes: those
    of them that are empty; file_bytes and wal_bytes: the two files as they are; free_bytes: left by the file system.
    """

    pages_bytes: int
    reusable_bytes: int
    file_bytes: int
    wal_bytes: int
    free_bytes: int


def room_in(budget: Budget, space: Space) -> Room:
    """The room that a budget and a disk leave."""
    used = space.pages_bytes - space.reusable_bytes + space.wal_bytes
    still_to_grow = max(0, space.pages_bytes - space.file_bytes)
    by_disk = space.free_bytes - still_to_grow - budget.reserve_bytes + space.reusable_bytes
    left = max(0, min(budget.bytes - used, by_disk))
    if space.free_bytes < budget.reserve_bytes // 2:
        left = 0  # not even the write-ahead log has room, and without it nothing can go into emptied pages
    whole = used + left
    return Room(used, left, space.free_bytes, tuple(left > whole * LEAST_LEFT[lane] for lane in LANES))
