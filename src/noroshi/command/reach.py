"""Who was sent an alert, whose last hops have received it, who has acknowledged it, who is asked next, and who has not.

A receipt is what a machine says: the message has come out at a last hop. An acknowledgement is what a person says. Both
only ever grow: receipts of several relays are joined, so that a late, repeated or lost statement of one changes nothing.

    reach = Reach()
    reach.sent(message_id, ("jp-fdma", "jp-pref"), now_ns)
    reach.acknowledged(message_id, "jp-pref", "jp-pref.duty", now_ns)       # True the first time
    reach.missing(message_id)                                                # ('jp-fdma',)

    told = Told(message_id, "JPN-1", "alert", raw, now_ns)
    told.given(relay)                                                        # this relay has it in its outbox
    told.said("pref-a", 3, received_bits, now_ns, now_ns)                    # hops 0 and 1
    told.silent()                                                            # {'jp-pref': 0b1100}: of 4 last hops two
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from noroshi.messages.bodies_reach import Receipts, bits_of, bytes_of
from noroshi.structure import Structure

Purpose = Literal["alert", "end", "test"]
"""What a message is that relays pass on: an alert or its update, the end of alerts, a test of readiness."""

MAX_LEVELS = 16
"""Levels of command that are gone up at most: deeper than any structure, and a ring in one is left."""

UPWARDS = ("command", "tasking", "relay")
"""Links along which the unit above is found, the first that there is."""


@dataclass(slots=True)
class Recipient:
    """One unit's state for one message; times are None until it happened."""

    unit: str
    sent_ns: int
    acknowledged_ns: int | None = None
    post: str = ""


class Reach:
    """The recipients of every message that asks for acknowledgement."""

    def __init__(self) -> None:
        self._rows: dict[bytes, dict[str, Recipient]] = {}

    def sent(self, message: bytes, units: Iterable[str], now_ns: int) -> None:
        """Notes that a message went to these units."""
        rows = self._rows.setdefault(message, {})
        for unit in units:
            rows.setdefault(unit, Recipient(unit, now_ns))

    def knows(self, message: bytes) -> bool:
        """Whether this message asks for acknowledgement here."""
        return message in self._rows

    def acknowledged(self, message: bytes, unit: str, post: str, now_ns: int) -> bool:
        """Notes an acknowledgement; whether it was the unit's first. A unit that was not sent it counts as well."""
        row = self._rows.setdefault(message, {}).setdefault(unit, Recipient(unit, now_ns))
        if row.acknowledged_ns is not None:
            return False
        row.acknowledged_ns, row.post = now_ns, post
        return True

    def rows(self, message: bytes) -> tuple[Recipient, ...]:
        """All recipients of a message, in the order they were sent it."""
        return tuple(self._rows.get(message, {}).values())

    def missing(self, message: bytes) -> tuple[str, ...]:
        """Units that have not acknowledged."""
        return tuple(row.unit for row in self.rows(message) if row.acknowledged_ns is None)

    def prune(self, known: Container[bytes]) -> None:
        """Lets go of the messages that are no longer known."""
        self._rows = {message: rows for message, rows in self._rows.items() if message in known}

    def saved(self) -> list[tuple[bytes, list[Recipient]]]:
        """All of it, in the order in which it came."""
        return [(message, list(rows.values())) for message, rows in self._rows.items()]

    @classmethod
    def loaded(cls, saved: Iterable[tuple[bytes, list[Recipient]]]) -> Reach:
        """The reach that `saved` gave."""
        reach = cls()
        reach._rows = {message: {row.unit: row for row in rows} for message, rows in saved}
        return reach


@dataclass(slots=True)
class Relay:
    """A relay as it has last said of itself. roster: whose last hops it serves, `hops` of them, numbered from 0."""

    name: str
    unit: str
    roster: str
    hops: int
    receipts: Receipts
    here_ns: int
    version: int = 1


@dataclass(slots=True)
class RelayLine:
    """What the shell sees of the line to a relay. hops: last hops that are connected to it, as it last said."""

    name: str
    state: Literal["up", "silent", "down", "removed"]
    hops: int
    since_ns: int


@dataclass(slots=True)
class Word:
    """What one relay has said of one message. received: bitmap of last hops; times 0 before the first receipt.

    signed: of those whose own signatures it holds, in the tree with this root; asked, asked_of: the root and
    the last hops for which it was asked to show some; proven: the root for which it has; shown: how many; false: whether
    it has shown what does not hold; owing: whether it has shown nothing in time.
    """

    relay: str
    unit: str
    roster: str
    hops: int
    sent_ns: int
    receipts: Receipts = "keyed"
    sequence: int = 0
    received: bytes = b""
    first_ns: int = 0
    last_ns: int = 0
    refused: str = ""
    version: int = 1
    signed: bytes = b""
    root: bytes = b""
    asked: bytes = b""
    asked_of: bytes = b""
    proven: bytes = b""
    shown: int = 0
    false: bool = False
    owing: bool = False

    @property
    def is_doubted(self) -> bool:
        """Whether its word that somebody has signed counts no more than its word that somebody has received."""
        return self.false or self.owing


@dataclass(slots=True)
class Told:
    """One message that was given to relays. units: to whom it goes; before: the ids of
    those whose audience an end must reach; event: what its envelope calls the event.
    """

    message: bytes
    identifier: str
    purpose: Purpose
    raw: bytes
    sent_ns: int
    units: tuple[str, ...] = ()
    before: tuple[bytes, ...] = ()
    event: bytes = b""
    words: dict[str, Word] = field(default_factory=dict)
    is_over: bool = False

    def given(self, relay: Relay, now_ns: int) -> bool:
        """Notes that a relay was given it; whether that is new."""
        if relay.name in self.words:
            return False
        self.words[relay.name] = Word(
            relay.name, relay.unit, relay.roster, relay.hops, now_ns, relay.receipts, version=relay.version
        )
        return True

    def said(
        self, relay: str, sequence: int, received: bytes, first_ns: int, last_ns: int, refused: str = ""
    ) -> int:
        """Joins what a relay says with what it said before; the bits of its roster that are new to us."""
        word = self.words[relay]
        before = self.union(word.roster)
        word.received = bytes_of(bits_of(word.received) | bits_of(received))
        if first_ns:
            word.first_ns = min(word.first_ns or first_ns, first_ns)
            word.last_ns = max(word.last_ns, last_ns)
        if sequence > word.sequence:
            word.sequence, word.refused = sequence, refused
        return bits_of(received) & ~before

    @property
    def rosters(self) -> tuple[str, ...]:
        """The rosters to which it went, in order."""
        return tuple(dict.fromkeys(word.roster for word in self.words.values()))

    def hops(self, roster: str) -> int:
        """Last hops of a roster: the most that one of its relays speaks of."""
        return max((word.hops for word in self.words.values() if word.roster == roster), default=0)

    def union(self, roster: str) -> int:
        """Bits of the roster's last hops that have received it, by whichever relay."""
        bits = 0
        for word in self.words.values():
            if word.roster == roster:
                bits |= bits_of(word.received)
        return bits

    def signed(self, roster: str) -> int:
        """Bits of those who have signed their receipt themselves, as far as their relay's word for it is not doubted."""
        bits = 0
        for word in self.words.values():
            if word.roster == roster and not word.is_doubted:
                bits |= bits_of(word.signed)
        return bits

    def silent(self) -> dict[str, int]:
        """Of each roster the last hops that have not received it; those with none are left out."""
        missing = {one: ((1 << self.hops(one)) - 1) & ~self.union(one) for one in self.rosters}
        return {roster: bits for roster, bits in missing.items() if bits}

    @property
    def received(self) -> int:
        """Last hops that have received it, over all rosters."""
        return sum(self.union(roster).bit_count() for roster in self.rosters)

    @property
    def all_hops(self) -> int:
        """Last hops over all rosters."""
        return sum(self.hops(roster) for roster in self.rosters)

    def first_received_ns(self, unit: str) -> int | None:
        """When the first of a unit's last hops received it; None while none has."""
        return min(
            (word.first_ns for word in self.words.values() if word.unit == unit and word.first_ns),
            default=None,
        )


@dataclass(frozen=True, slots=True)
class Same:
    """Whether the end of an alert has come to just those who had the alert: bits of a roster on either side."""

    roster: str
    had: int
    ended: int

    @property
    def not_ended(self) -> int:
        """Had the alert, and have not receipted its end."""
        return self.had & ~self.ended

    @property
    def only_ended(self) -> int:
        """Have receipted the end, and of the alert nothing is known."""
        return self.ended & ~self.had


def same_set(end: Told, told: Mapping[bytes, Told]) -> tuple[Same, ...]:
    """Per roster who had one of the alerts that an end takes back, and who has its end."""
    before = [told[one] for one in end.before if one in told]
    rosters = dict.fromkeys(roster for one in (*before, end) for roster in one.rosters)
    found = []
    for roster in rosters:
        had = 0
        for one in before:
            had |= one.union(roster)
        found.append(Same(roster, had, end.union(roster)))
    return tuple(found)


def lacking(told: Told, every: Mapping[bytes, Told]) -> dict[str, int]:
    """Of each roster the last hops that should have a message and have not; those with none are left out.

    Of an end these are the ones that had what it ends: nobody else is given it. Where all relays of a roster are of the
    first version its end is waited for from all, as it was when they were written.
    """
    found = told.silent()
    if told.purpose != "end":
        return found
    newer = {word.roster for word in told.words.values() if word.version > 1}
    found = {roster: bits for roster, bits in found.items() if roster not in newer}
    owed = {one.roster: one.not_ended for one in same_set(told, every) if one.roster in newer}
    return found | {roster: bits for roster, bits in owed.items() if bits}


def hops_of(bits: int) -> Iterator[int]:
    """The numbers of the set bits, rising."""
    place = 0
    while bits:
        skip = (bits & -bits).bit_length() - 1
        place += skip
        yield place
        bits >>= skip + 1
        place += 1


def in_words(bits: int, most: int = 12) -> str:
    """Last hops as a person reads them: `3, 17-19`; after `most` ranges how many more there are."""
    ranges: list[list[int]] = []
    for hop in hops_of(bits):
        if ranges and ranges[-1][1] == hop - 1:
            ranges[-1][1] = hop
        else:
            ranges.append([hop, hop])
    words = [f"{one}" if one == last else f"{one}-{last}" for one, last in ranges[:most]]
    rest = sum(last - one + 1 for one, last in ranges[most:])
    return ", ".join(words) + (f" and {rest} more" if rest else "")


@dataclass(slots=True)
class Chase:
    """Who is asked, one after the other, that a unit has understood an alert, until somebody acknowledges.

    steps: (unit, post) in the order in which they are asked, an empty post where a level has nobody here. place: the
    next of them; due_ns: when it is their turn.
    """

    unit: str
    steps: tuple[tuple[str, str], ...]
    due_ns: int
    place: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)
    done_ns: int | None = None
    by: str = ""

    @property
    def is_open(self) -> bool:
        """Whether somebody is still waited for, or still to be asked."""
        return self.done_ns is None and self.place <= len(self.steps)


def steps_for(
    structure: Structure, unit: str, posts: Mapping[str, Sequence[str]]
) -> tuple[tuple[str, str], ...]:
    """Who is asked about an alert to `unit`: its own posts in their order, then those of the unit above, and so on up.

    posts: the posts that acknowledge, by unit. A level that has none is in it with an empty post: it is never passed
    over unsaid.
    """
    found: list[tuple[str, str]] = []
    seen: set[str] = set()
    here = unit
    while here and here not in seen and len(seen) < MAX_LEVELS:
        seen.add(here)
        found += [(here, post) for post in posts.get(here, ())] or [(here, "")]
        here = _above(structure, here)
    return tuple(found)


def _above(structure: Structure, unit: str) -> str:
    for type_ in UPWARDS:
        for link in structure.links:
            if link.type == type_ and link.to_unit == unit:
                return link.from_unit
    return ""
