"""Other agencies' alerts: which stand, which were updated, taken back, or have run out.

Who has heard the same messages knows the same, in whatever order, how often and by whatever way: what a message
does to another is noted under the other's name, whether that is here yet or not, and of several the latest sent counts.
A message changes what it names and everything between the two. What was signed is changed by what is signed only.

    book = HazardBook()
    taken = book.take(Hazard(...), "Alert", (), now_ns)
    taken.hazard.state                           # 'standing'
    book.take(cancel, "Cancel", (identity,), now_ns)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Literal

import msgspec

from noroshi.gateways.hazard_facts import LONGEST_NS
from noroshi.messages.canonical import encode

HazardState = Literal["none", "standing", "expired", "superseded", "cancelled", "withdrawn", "notice"]
"""`notice` is a message that only ends others: it is kept, so that it counts once, and never stands."""

HazardStep = Literal["come", "come-late", "update", "cancel", "error", "run-out"]

TABLE: Mapping[tuple[HazardState, HazardStep], HazardState] = MappingProxyType(
    {
        ("none", "come"): "standing",
        ("none", "come-late"): "expired",
        ("none", "update"): "superseded",
        ("none", "cancel"): "cancelled",
        ("none", "error"): "withdrawn",
        ("standing", "update"): "superseded",
        ("standing", "cancel"): "cancelled",
        ("standing", "error"): "withdrawn",
        ("standing", "run-out"): "expired",
        ("expired", "update"): "superseded",
        ("expired", "cancel"): "cancelled",
        ("expired", "error"): "withdrawn",
        ("superseded", "cancel"): "cancelled",
        ("superseded", "error"): "withdrawn",
        ("cancelled", "update"): "superseded",
        ("cancelled", "error"): "withdrawn",
        ("withdrawn", "update"): "superseded",
        ("withdrawn", "cancel"): "cancelled",
    }
)
"""The life of one message; a step that is not here changes nothing. What has ended never stands again."""

CHANGES: Mapping[str, HazardStep] = MappingProxyType(
    {"Update": "update", "Cancel": "cancel", "Error": "error"}
)
"""What a message of each type does to those that it refers to."""

MAX_HAZARDS = 8_192
"""Messages that are held: a large country has some thousand in force; more is a flood, and is refused."""

MAX_MARKS = 4 * MAX_HAZARDS
"""What is noted of messages, here or not; then the older half is let go. Real ones refer to up to nine earlier ones."""

MAX_REFERENCES = 100
"""Earlier messages that one may name; real ones name up to nine."""


@dataclass(slots=True)
class Hazard:
    """One message of an agency, as long as it can matter.

    key: of its identity; digest: of what it says; until_ns: when it ends by itself; act: whether somebody must act now;
    signed: whether its signature was checked and held; message: the id of the message that brought it; partners: who
    has told us of it, ourselves among them; asked: whether the watch was asked to acknowledge it, or what it follows;
    shared: whether we have told partners of it; trusted: whether it has come as all our nation's rules of alerts ask.
    """

    key: bytes
    sender: str
    identifier: str
    sent_ns: int
    until_ns: int
    digest: bytes
    act: bool
    signed: bool
    name: str
    message: bytes = b""
    partners: list[str] = field(default_factory=list)
    refers: tuple[bytes, ...] = ()
    state: HazardState = "none"
    asked: bool = False
    shared: bool = False
    trusted: bool = False


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """What the latest message that refers to another does to it. by: that message's key."""

    sent_ns: int
    step: HazardStep
    by: bytes


@dataclass(frozen=True, slots=True)
class Taken:
    """A message was new: what became of it, and of others by it, in the order in which they came."""

    hazard: Hazard
    changed: tuple[Hazard, ...]


def identity(sender: str, identifier: str, sent_ns: int) -> bytes:
    """The key of a message: who sent it, what it is called, and when it was sent, 16 bytes."""
    return sha256(encode([sender, identifier, sent_ns])).digest()[:16]


def diagram() -> list[tuple[str, str, str]]:
    """The table as rows (it is, there comes, then it is), for the manual."""
    return [(state, step, after) for (state, step), after in TABLE.items()]


class HazardBook:
    """All messages of agencies that can matter still, and what is noted of those that are not here."""

    def __init__(self) -> None:
        self._items: dict[bytes, Hazard] = {}
        self._marks: dict[tuple[bytes, bool], Mark] = {}
        self._referring: dict[bytes, list[bytes]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Hazard]:
        return iter(self._items.values())

    def find(self, key: bytes) -> Hazard | None:
        """The message with this key."""
        return self._items.get(key)

    def before(self, one: Hazard) -> Iterator[Hazard]:
        """The messages here that it follows, or ends."""
        return (self._items[key] for key in self._line(one) if key != one.key and key in self._items)

    def about(self, one: Hazard) -> list[Hazard]:
        """The messages here of the same matter: those that it names or follows, and all that follow any of these."""
        seen: set[bytes] = set()
        waiting = [*self._line(one)]
        while waiting:
            key = waiting.pop()
            if key not in seen:
                seen.add(key)
                waiting += self._referring.get(key, ())
        return [each for each in self._items.values() if each.key in seen]

    def defect(
        self, new: Hazard, type_: str, refers: Iterable[tuple[str, bytes, int]], *, instead: bool = False
    ) -> str:
        """Why a message cannot be taken in, or an empty text. instead: in the place of the one with its identity.

        refers: of those that it names the sender as it names it, the key under its own sender, and when it was sent.
        Agencies go by several names, and a real one's updates of a tsunami warning used two: so a name that differs is
        taken for its own, which can change nobody else's, and only an end that is about nothing of its own is refused.
        """
        named = tuple(refers)
        known = self._items.get(new.key)
        if known is not None and not instead:
            return "" if known.digest == new.digest else "contradictory"
        if len(named) > MAX_REFERENCES:
            return "too-many-references"
        if type_ in CHANGES and not named:
            return "refers-to-nothing"
        for sender, key, sent_ns in named if type_ in CHANGES else ():
            if sender != new.sender and type_ != "Update" and key not in self._items:
                return "refers-to-another-sender"
            if key == new.key or sent_ns > new.sent_ns:
                return "older-than-what-it-changes"
            earlier = self._items.get(key)
            if earlier is not None and earlier.signed and not new.signed:
                return "weaker-than-what-it-changes"
        return "too-many-hazards" if len(self._items) >= MAX_HAZARDS else ""

    def take(self, new: Hazard, type_: str, refers: Iterable[bytes], now_ns: int) -> Taken | None:
        """Takes a message in that has no defect; None when it was here before."""
        if new.key in self._items:
            return None
        new.refers = tuple(refers)
        step = CHANGES.get(type_)
        if step is not None:
            for key in new.refers:
                self._note(key, new.signed, Mark(new.sent_ns, step, new.key))
        self._items[new.key] = new
        self._index(new)
        if type_ in ("Cancel", "Error"):
            new.state = "notice"
        else:
            change = self._change(new)
            self._move(new, change or ("come" if new.until_ns > now_ns else "come-late"))
        new.asked = any(one.asked for one in self.before(new))
        touched = self._following(new)
        return Taken(new, tuple(one for one in touched if one is not new and self._settle(one)))

    def drop(self, key: bytes) -> None:
        """Lets go of a message, so that the true one can be taken in its place."""
        self._items.pop(key, None)
        self._reindex()

    def run_out(self, key: bytes, now_ns: int) -> Hazard | None:
        """Lets a message run out whose time is over; the message if it did."""
        known = self._items.get(key)
        if known is None or known.until_ns > now_ns or not self._move(known, "run-out"):
            return None
        return known

    def prune(self, before_ns: int) -> None:
        """Lets go of what has been over since before a time: heard again it would be history."""
        self._items = {key: one for key, one in self._items.items() if one.until_ns > before_ns}
        self._reindex()
        self._marks = {
            key: mark for key, mark in self._marks.items() if mark.sent_ns + LONGEST_NS > before_ns
        }

    def saved(self) -> SavedHazards:
        """All of it, in the order in which it came."""
        return SavedHazards(list(self._items.values()), list(self._marks.items()))

    @classmethod
    def loaded(cls, saved: SavedHazards) -> HazardBook:
        """The book that `saved` gave."""
        book = cls()
        book._items = {one.key: one for one in saved.items}
        book._marks = dict(saved.marks)
        book._reindex()
        return book

    def _reindex(self) -> None:
        self._referring = {}
        for one in self._items.values():
            self._index(one)

    def _index(self, one: Hazard) -> None:
        for key in one.refers:
            self._referring.setdefault(key, []).append(one.key)

    def _following(self, new: Hazard) -> list[Hazard]:
        """The messages here that it names, and all that follow these or itself, in the order in which they came."""
        seen: set[bytes] = set()
        waiting = [new.key, *new.refers]
        while waiting:
            key = waiting.pop()
            if key not in seen:
                seen.add(key)
                waiting += self._referring.get(key, ())
        return [one for one in self._items.values() if one.key in seen] if len(seen) > 1 else []

    def _note(self, key: bytes, signed: bool, mark: Mark) -> None:
        known = self._marks.get((key, signed))
        if known is None or _order(mark) > _order(known):
            self._marks[key, signed] = mark
        if len(self._marks) > MAX_MARKS:
            newest = sorted(self._marks.items(), key=lambda item: _order(item[1]))[MAX_MARKS // 2 :]
            self._marks = dict(newest)

    def _change(self, one: Hazard) -> HazardStep | None:
        """What the latest message does to this one that refers to it, or to anything that it follows."""
        found: list[Mark] = []
        for key in self._line(one):
            for signed in (True, False) if not one.signed else (True,):
                mark = self._marks.get((key, signed))
                own = key == one.key
                if mark is not None and mark.by != one.key and (own or mark.sent_ns > one.sent_ns):
                    found.append(mark)
        return max(found, key=_order).step if found else None

    def _line(self, one: Hazard) -> Iterator[bytes]:
        """Its own key, and those of all that it follows, as far as they are known."""
        seen: set[bytes] = set()
        waiting = [one.key]
        while waiting:
            key = waiting.pop()
            if key not in seen:
                seen.add(key)
                yield key
                known = self._items.get(key)
                waiting += known.refers if known is not None else one.refers if key == one.key else ()

    def _settle(self, one: Hazard) -> bool:
        """Whether something that has come has changed this message."""
        if one.state == "notice":
            return False
        change = self._change(one)
        return change is not None and self._move(one, change)

    @staticmethod
    def _move(one: Hazard, step: HazardStep) -> bool:
        after = TABLE.get((one.state, step))
        if after is None or after == one.state:
            return False
        one.state = after
        return True


class SavedHazards(msgspec.Struct, frozen=True, array_like=True):
    """A book as a snapshot holds it."""

    items: list[Hazard]
    marks: list[tuple[tuple[bytes, bool], Mark]]


def _order(mark: Mark) -> tuple[int, int, bytes]:
    """Which of two counts: the later sent; of the same second what ends more; then any order that all agree on."""
    return mark.sent_ns, ("update", "cancel", "error").index(mark.step), mark.by
