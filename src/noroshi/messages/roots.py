"""Which of a partner's roots count, and for what: follows from the pins and replacements known, in whatever order.

A partner has *lines* of roots. Each pin begins one, the first root (of the genesis) the earliest; in a line each root
may hand over to the next. A later pin ends the lines before it. A root that has handed over, or whose line has ended,
keeps what the statement names, until the time it names, and no more: nothing is judged by a date that the holder of the
key could write. A root that names two successors is contested: nobody under either is believed until two persons pin.

    standings(first, pins, replacements)[root].until_ns
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from noroshi.clock import NEVER
from noroshi.messages.keys import Pin, Replacement, signed_bytes


@dataclass(frozen=True, slots=True)
class Standing:
    """What one root counts for.

    rank: its line's number, then its place in the line; a root may take back what roots of its rank and below have
    certified. until_ns, keeps: till when certificates under it hold, and for which key ids (None: all).
    """

    rank: tuple[int, int]
    until_ns: int = NEVER
    keeps: frozenset[bytes] | None = None
    contested: bool = False

    def cut(self, until_ns: int, keeps: Iterable[bytes]) -> Standing:
        """The same root, of which less holds."""
        kept = frozenset(keeps)
        kept = kept if self.keeps is None else self.keeps & kept
        return Standing(self.rank, min(self.until_ns, until_ns), kept, self.contested)

    @property
    def is_present(self) -> bool:
        """Whether it may still certify: it has not handed over, its line has not ended, nobody else claims its place."""
        return self.keeps is None and not self.contested


def standings(
    first: bytes | None, pins: Iterable[Pin], replacements: Iterable[Replacement]
) -> dict[bytes, Standing]:
    """The standing of every root of one partner that is known at all. first: the root of the genesis, if it had one."""
    followed: dict[bytes, list[Replacement]] = {}
    for one in replacements:
        followed.setdefault(one.old, []).append(one)
    lines: list[tuple[int, bytes, int, tuple[bytes, ...]]] = [] if first is None else [(0, first, 0, ())]
    lines += [(one.number, one.value, one.ends_ns, one.keeps) for one in chosen(pins)]
    found: dict[bytes, Standing] = {}
    for number, begin, ends_ns, keeps in lines:
        line = _line(number, begin, followed)
        ended = {root: old.cut(ends_ns, keeps) for root, old in found.items() if root not in line}
        found = ended | line
    return found


def chosen(pins: Iterable[Pin]) -> list[Pin]:
    """The pins that count, by rising number; of two with one number the same one at every node."""
    by_number: dict[int, Pin] = {}
    for one in sorted(pins, key=signed_bytes):
        by_number[one.number] = one
    return [by_number[number] for number in sorted(by_number)]


def _line(number: int, begin: bytes, followed: dict[bytes, list[Replacement]]) -> dict[bytes, Standing]:
    """The roots that follow from one on, each at the shortest way; a root that comes back has no second place."""
    line: dict[bytes, Standing] = {}
    step = {begin: False}
    place = 0
    while step:
        following: dict[bytes, bool] = {}
        for root, contested in step.items():
            standing = Standing((number, place), contested=contested)
            next_ones = followed.get(root, [])
            for one in next_ones:
                standing = standing.cut(one.ends_ns, one.keeps)
            line[root] = standing
            split = contested or len({one.new for one in next_ones}) > 1
            for one in next_ones:
                following[one.new] = following.get(one.new, False) or split
        step = {root: contested for root, contested in following.items() if root not in line}
        place += 1
    return line
