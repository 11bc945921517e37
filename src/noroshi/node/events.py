"""Events: one real-world occurrence each, as one audience may know it, and the evidence that belongs to it.

Each audience has its own events with numbers of their own: which measurement belongs to which event, and what the
event's picture shows, follows only from evidence that this audience may have. What it may not have can therefore
not show in it, not even by a number. Pictures that hold the same evidence share one estimate; they part at the first
piece that only one of them may use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import msgspec

from noroshi.clock import seconds
from noroshi.messages import KINDS
from noroshi.messages.bodies import ReducedTrackBody
from noroshi.messages.canonical import encode
from noroshi.node.outlook import Outlook
from noroshi.tracking import Measurements, TrackFilter
from noroshi.warning.lifecycle import WarningState

Partners = frozenset[str]
"""An audience."""

REDUCED = "reduced"
"""In the audience of an event of which others get reduced editions only: made of own evidence, apart from all else."""

ROWS_KEPT_NS = seconds(KINDS["track"].expiry_s)
"""An event that is over keeps its measurements for so long: a row that comes later is too old to be taken in."""

EVENT_KEPT_NS = seconds(KINDS["event"].expiry_s)
"""An event that is over is kept for so long, with what partners call it: then it is history to everybody."""

UNSEEN_OVER_NS = seconds(3600.0)
"""After its last row an event that nobody looks at is over: no object is in flight, unseen, for an hour."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Measurements of one partner's sensor, and the audiences that may hold them."""

    partner: str
    sensing: str
    measurements: Measurements
    audiences: tuple[Partners, ...]

    def usable_for(self, audience: Partners) -> bool:
        """Whether every member of `audience` may have this piece by one and the same edition."""
        return any(audience <= one for one in self.audiences)


class Given(msgspec.Struct, frozen=True, array_like=True):
    """What one message gave to an event, so that it can be taken out again; rows: time and values of each."""

    partner: str
    sensing: str
    rows: tuple[tuple[int, bytes], ...]


@dataclass(slots=True, eq=False)
class Estimate:
    """A track and what it was made from: partners, kinds of sensing, rows. users: how many events share it."""

    filter: TrackFilter = field(default_factory=TrackFilter)
    partners: dict[str, int] = field(default_factory=dict)
    sensings: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    outlook: Outlook | None = None
    looked_ns: int = -1
    users: int = 1

    def copy(self) -> Estimate:
        """An independent estimate from the same evidence."""
        return Estimate(self.filter.copy(), dict(self.partners), dict(self.sensings), self.rows)

    def without(self, given: Given) -> Estimate:
        """The estimate that there is without these rows: what they had told shows in nothing any more."""
        rows = self.filter.measurements
        gone = set(given.rows)
        kept = [place for place, row in enumerate(row_keys(rows)) if row not in gone]
        rest = Estimate(partners=dict(self.partners), sensings=dict(self.sensings))
        rest.filter.add(rows[kept])
        rest.rows = len(rest.filter)
        for counts, name in ((rest.partners, given.partner), (rest.sensings, given.sensing)):
            counts[name] = counts.get(name, 0) - len(gone)
            if counts[name] <= 0:
                del counts[name]
        return rest

    def add(self, piece: Piece) -> None:
        """Takes one piece of evidence in."""
        self.filter.add(piece.measurements)
        self.partners[piece.partner] = self.partners.get(piece.partner, 0) + len(piece.measurements)
        self.sensings[piece.sensing] = self.sensings.get(piece.sensing, 0) + len(piece.measurements)
        self.rows = len(self.filter)
        self.outlook = None


@dataclass(slots=True, eq=False)
class Event:
    """One event of one audience; it exists from its first evidence on.

    number: dense per audience; opened_by: whose evidence was the first; known_ns: when the audience could first know;
    sequences: of the own sensors' increments; same_as: partners' aliases to which it was signed equal; known_as: the
    same occurrence as other audiences know it (kept at our own event only); over_ns: when it was closed, None before;
    given: what each message gave, by its key in `Known`, while its rows are kept. reduced: the last edition said.
    Of our own events: phase: as last shown; compared: how often its sensors were; told: biases that the staff know of.
    """

    audience: Partners
    number: int
    opened_by: str
    known_ns: int
    estimate: Estimate = field(default_factory=Estimate)
    sequences: dict[str, int] = field(default_factory=dict)
    same_as: set[tuple[str, bytes]] = field(default_factory=set)
    known_as: dict[Partners, Event] = field(default_factory=dict)
    given: dict[bytes, Given] = field(default_factory=dict)
    reduced: ReducedTrackBody | None = None
    warning: WarningState | None = None
    looked_ns: int = 0
    over_ns: int | None = None
    lost: bool = False
    phase: str = ""
    compared: int = 0
    told: set[tuple[bytes, str]] = field(default_factory=set)


class SavedEstimate(msgspec.Struct, frozen=True, array_like=True):
    """An estimate as a snapshot holds it; track: the digest of its filter's bytes."""

    track: bytes
    partners: list[tuple[str, int]]
    sensings: list[tuple[str, int]]
    rows: int
    users: int


class SavedEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event as a snapshot holds it: audiences and estimates by their places in the book, events by audience and
    number. estimate: -1 where its measurements have been let go; given: the digest of what messages gave.
    """

    audience: int
    number: int
    opened_by: str
    known_ns: int
    estimate: int
    sequences: list[tuple[str, int]]
    same_as: list[tuple[str, bytes]]
    known_as: list[tuple[int, int]]
    given: bytes
    reduced: ReducedTrackBody | None
    warning: WarningState | None
    looked_ns: int
    over_ns: int | None
    lost: bool
    phase: str = ""
    compared: int = 0
    told: list[tuple[bytes, str]] = []


_GIVEN = msgspec.msgpack.Decoder(list[tuple[bytes, Given]])


class SavedBook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All events as a snapshot holds them. opened: the last number of each audience; foreign: partners' aliases."""

    audiences: list[list[str]]
    opened: list[int]
    estimates: list[SavedEstimate]
    events: list[SavedEvent]
    foreign: list[tuple[int, int, str, bytes]]
    touched: list[tuple[int, int]]


class EventBook:
    """All events of a node by audience, and which of a partner's events is which of ours."""

    def __init__(self) -> None:
        self._events: dict[Partners, dict[int, Event]] = {}
        self._opened: dict[Partners, int] = {}
        self._active: dict[Partners, list[Event]] = {}
        self._foreign: dict[tuple[Partners, str, bytes], Event] = {}
        self._touched: dict[Event, None] = {}
        self._nothing = Estimate()

    def open(self, audience: Partners, partner: str, now_ns: int) -> Event:
        """A new event of an audience, opened by a partner's evidence and still without it."""
        number = self._opened[audience] = self._opened.get(audience, 0) + 1
        event = Event(audience, number, partner, now_ns)
        self._events.setdefault(audience, {})[number] = event
        self._active.setdefault(audience, []).append(event)
        return event

    def lend(self, event: Event, audience: Partners, now_ns: int) -> Event:
        """The same occurrence for others who may have all that it rests on: its evidence so far, and apart from then on.

        Its picture is theirs from now on; nothing is said of before.
        """
        other = self.open(audience, event.opened_by, now_ns)
        other.estimate, other.given = event.estimate, dict(event.given)
        event.estimate.users += 1
        for key, joined in list(self._foreign.items()):
            if joined is event:
                self._foreign[audience, key[1], key[2]] = other
        self._touched[other] = None
        return other

    def of(self, audience: Partners) -> Sequence[Event]:
        """All events of an audience that are kept, in the order of their numbers."""
        return tuple(self._events.get(audience, {}).values())

    def get(self, audience: Partners, number: int) -> Event:
        """The event with this number. Raises LookupError."""
        return self._events[audience][number]

    def active(self, audience: Partners) -> Sequence[Event]:
        """The events of an audience that are not over, oldest first."""
        active = [event for event in self._active.get(audience, ()) if event.over_ns is None]
        self._active[audience] = active
        return tuple(active)

    def open_by(self, audience: Partners, partner: str) -> int:
        """How many events of an audience that are not over a partner's evidence has opened."""
        return sum(event.opened_by == partner for event in self.active(audience))

    def find(self, audience: Partners, partner: str, alias: bytes) -> Event | None:
        """The audience's event that a partner's alias has been joined to."""
        return self._foreign.get((audience, partner, alias))

    def join(self, event: Event, partner: str, alias: bytes) -> None:
        """Joins a partner's alias to an event."""
        self._foreign[event.audience, partner, alias] = event

    def add(self, piece: Piece, events: Iterable[Event]) -> None:
        """Takes a piece into these events, one per audience; equal pictures stay one estimate."""
        groups: dict[Estimate | None, list[Event]] = {}
        for event in events:
            groups.setdefault(event.estimate if event.estimate.rows else None, []).append(event)
            self._touched[event] = None
        for members in groups.values():
            self._advance(members, piece)

    def withdraw(self, key: bytes, now_ns: int) -> int:
        """Takes out what one message gave, wherever it counts; in how many pictures. One without evidence is over."""
        pictures = 0
        for events in self._events.values():
            for event in events.values():
                given = event.given.pop(key, None)
                if given is None or not event.estimate.rows:
                    continue
                pictures += 1
                event.estimate.users -= 1
                event.estimate = event.estimate.without(given)
                if event.estimate.rows:
                    self._touched[event] = None
                elif event.over_ns is None:
                    event.over_ns = now_ns
        return pictures

    def take_touched(self) -> tuple[Event, ...]:
        """The events whose evidence has changed since the last call."""
        touched = tuple(self._touched)
        self._touched.clear()
        return touched

    def prune(self, now_ns: int, own: Partners, needed: AbstractSet[int]) -> None:
        """Lets go of what can no longer matter: first the measurements of events that are over, then the events.

        own: our own audience, whose events know what others call them; needed: numbers of those that an alert cites.
        """
        for audience, events in self._events.items():
            for event in self.active(audience):
                seen_ns = event.estimate.filter.last_observed_ns if event.estimate.rows else event.known_ns
                if event.looked_ns == 0 and seen_ns + UNSEEN_OVER_NS < now_ns:
                    event.over_ns = seen_ns + UNSEEN_OVER_NS
            for event in events.values():
                if _past(event, now_ns, ROWS_KEPT_NS) and event.estimate is not self._nothing:
                    event.estimate.users -= 1
                    event.estimate = self._nothing
                    event.given.clear()
        kept = [e for e in self.of(own) if e.number in needed or not _past(e, now_ns, EVENT_KEPT_NS)]
        cited = {known for event in kept for known in event.known_as.values()}.union(kept)
        for audience, events in self._events.items():
            self._events[audience] = {
                number: event
                for number, event in events.items()
                if event in cited or (audience != own and not _past(event, now_ns, EVENT_KEPT_NS))
            }
        self._foreign = {
            key: event for key, event in self._foreign.items() if event.number in self._events[event.audience]
        }

    def saved(self, put: Callable[[bytes], bytes]) -> SavedBook:
        """All of it; put: takes bytes that are kept apart, and gives their digest."""
        places = {audience: place for place, audience in enumerate(self._events)}
        estimates: dict[Estimate, int] = {}
        events = [
            SavedEvent(
                places[event.audience],
                event.number,
                event.opened_by,
                event.known_ns,
                -1
                if event.estimate is self._nothing
                else estimates.setdefault(event.estimate, len(estimates)),
                list(event.sequences.items()),
                sorted(event.same_as),
                [(places[audience], known.number) for audience, known in event.known_as.items()],
                put(encode(list(event.given.items()))),
                event.reduced,
                event.warning,
                event.looked_ns,
                event.over_ns,
                event.lost,
                event.phase,
                event.compared,
                sorted(event.told),
            )
            for kept in self._events.values()
            for event in kept.values()
        ]
        return SavedBook(
            audiences=[sorted(audience) for audience in places],
            opened=[self._opened[audience] for audience in places],
            estimates=[
                SavedEstimate(
                    put(one.filter.packed()),
                    list(one.partners.items()),
                    list(one.sensings.items()),
                    one.rows,
                    one.users,
                )
                for one in estimates
            ],
            events=events,
            foreign=[
                (places[audience], event.number, partner, alias)
                for (audience, partner, alias), event in self._foreign.items()
            ],
            touched=[(places[event.audience], event.number) for event in self._touched],
        )

    @classmethod
    def loaded(cls, saved: SavedBook, get: Callable[[bytes], bytes]) -> EventBook:
        """The book that `saved` gave; get: gives the bytes of a digest. Raises LookupError or TrackError."""
        book = cls()
        audiences = [frozenset(names) for names in saved.audiences]
        estimates = [
            Estimate(
                TrackFilter.unpacked(get(one.track)),
                dict(one.partners),
                dict(one.sensings),
                one.rows,
                users=one.users,
            )
            for one in saved.estimates
        ]
        for audience, number in zip(audiences, saved.opened, strict=True):
            book._events[audience], book._opened[audience] = {}, number
        for one in saved.events:
            event = Event(audiences[one.audience], one.number, one.opened_by, one.known_ns)
            event.estimate = book._nothing if one.estimate < 0 else estimates[one.estimate]
            event.sequences, event.same_as = dict(one.sequences), set(one.same_as)
            event.given = dict(_GIVEN.decode(get(one.given)))
            event.reduced, event.warning, event.looked_ns = one.reduced, one.warning, one.looked_ns
            event.over_ns, event.lost = one.over_ns, one.lost
            event.phase, event.compared, event.told = one.phase, one.compared, set(one.told)
            book._events[event.audience][event.number] = event
        for one in saved.events:
            event = book.get(audiences[one.audience], one.number)
            for place, number in one.known_as:
                event.known_as[audiences[place]] = book.get(audiences[place], number)
        for audience, kept in book._events.items():
            book._active[audience] = [event for event in kept.values() if event.over_ns is None]
        for place, number, partner, alias in saved.foreign:
            book.join(book.get(audiences[place], number), partner, alias)
        for place, number in saved.touched:
            book._touched[book.get(audiences[place], number)] = None
        return book

    def _advance(self, members: list[Event], piece: Piece) -> None:
        """Gives events with the same evidence one more piece, apart from those that share it and do not get this."""
        estimate = members[0].estimate
        if estimate.users > len(members):
            estimate.users -= len(members)
            estimate = estimate.copy()
        estimate.users = len(members)
        estimate.add(piece)
        for event in members:
            event.estimate = estimate


def given_by(piece: Piece) -> Given:
    """What a piece gives to an event."""
    return Given(piece.partner, piece.sensing, tuple(row_keys(piece.measurements)))


def row_keys(rows: Measurements) -> list[tuple[int, bytes]]:
    """What tells one row from another: its time and its values."""
    return [(int(time_ns), value.tobytes()) for time_ns, value in zip(rows.time_ns, rows.value, strict=True)]


def _past(event: Event, now_ns: int, kept_ns: int) -> bool:
    """Whether an event has been over for longer than this."""
    return event.over_ns is not None and event.over_ns + kept_ns < now_ns
