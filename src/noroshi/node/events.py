"""Events: one real-world occurrence each, as one audience may know it, and the evidence that belongs to it.

Each audience has its own events with numbers of their own: which measurement belongs to which event, and what the
event's picture shows, follows only from evidence that this audience may have. What it may not have can therefore
not show in it, not even by a number. Pictures that hold the same evidence share one estimate; they part at the first
piece that only one of them may use.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from noroshi.node.outlook import Outlook
from noroshi.tracking import Measurements, TrackFilter
from noroshi.warning.lifecycle import WarningState

Partners = frozenset[str]
"""An audience."""


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
    same occurrence as other audiences know it (kept at our own event only); over_ns: when it was closed, None before.
    """

    audience: Partners
    number: int
    opened_by: str
    known_ns: int
    estimate: Estimate = field(default_factory=Estimate)
    sequences: dict[str, int] = field(default_factory=dict)
    same_as: set[tuple[str, bytes]] = field(default_factory=set)
    known_as: dict[Partners, Event] = field(default_factory=dict)
    warning: WarningState | None = None
    looked_ns: int = 0
    over_ns: int | None = None
    lost: bool = False


class EventBook:
    """All events of a node by audience, and which of a partner's events is which of ours."""

    def __init__(self) -> None:
        self._events: dict[Partners, list[Event]] = {}
        self._foreign: dict[tuple[Partners, str, bytes], Event] = {}
        self._touched: dict[Event, None] = {}

    def open(self, audience: Partners, partner: str, now_ns: int) -> Event:
        """A new event of an audience, opened by a partner's evidence and still without it."""
        events = self._events.setdefault(audience, [])
        event = Event(audience, len(events) + 1, partner, now_ns)
        events.append(event)
        return event

    def of(self, audience: Partners) -> Sequence[Event]:
        """All events of an audience, in the order of their numbers."""
        return self._events.get(audience, ())

    def get(self, audience: Partners, number: int) -> Event:
        """The event with this number. Raises LookupError."""
        return self._events[audience][number - 1]

    def active(self, audience: Partners) -> Iterable[Event]:
        """The events of an audience that are not over, oldest first."""
        return (event for event in self.of(audience) if event.over_ns is None)

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

    def take_touched(self) -> tuple[Event, ...]:
        """The events whose evidence has changed since the last call."""
        touched = tuple(self._touched)
        self._touched.clear()
        return touched

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
