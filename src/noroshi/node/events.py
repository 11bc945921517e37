"""Events: one real-world occurrence each, as this partner sees it, and the evidence that belongs to it.

Each audience has its own picture of an event, made only from evidence that this audience may have. Pictures that
so far hold the same evidence share one estimate; they part at the first piece that only one of them may use.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from noroshi.node.outlook import Outlook
from noroshi.tracking import Measurements, TrackFilter
from noroshi.warning.lifecycle import WarningState

TRAIL_POINTS = 200
"""Observed points kept for drawing; at one a second more than three minutes."""


@dataclass(slots=True)
class Estimate:
    """A track and what it was made from: partners, kinds of sensing, sources; shared by equal pictures."""

    filter: TrackFilter
    partners: dict[str, int] = field(default_factory=dict)
    sensings: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    outlook: Outlook | None = None
    looked_ns: int = -1

    def copy(self) -> Estimate:
        """An independent estimate from the same evidence."""
        return Estimate(self.filter.copy(), dict(self.partners), dict(self.sensings), self.rows)

    def add(self, piece: Piece) -> None:
        """Takes one piece of evidence in."""
        self.filter.add(piece.measurements)
        self.partners[piece.partner] = self.partners.get(piece.partner, 0) + len(piece.measurements)
        self.sensings[piece.sensing] = self.sensings.get(piece.sensing, 0) + len(piece.measurements)
        self.rows += len(piece.measurements)
        self.outlook = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Measurements of one partner's sensor, and the audiences that may hold them."""

    id: bytes
    partner: str
    sensing: str
    measurements: Measurements
    audiences: tuple[frozenset[str], ...]

    def usable_for(self, audience: frozenset[str]) -> bool:
        """Whether every member of `audience` may have this piece by one and the same edition."""
        return any(audience <= one for one in self.audiences)


@dataclass(slots=True)
class Event:
    """One event. opened_by: the audience pictures that know it; foreign: partners' aliases joined to it."""

    number: int
    opened_ns: int
    first_observed_ns: int
    keys: dict[frozenset[str], bytes] = field(default_factory=dict)
    estimates: dict[bytes, Estimate] = field(default_factory=dict)
    announced: set[frozenset[str]] = field(default_factory=set)
    foreign: dict[tuple[str, bytes], frozenset[str]] = field(default_factory=dict)
    sequences: dict[tuple[frozenset[str], str], int] = field(default_factory=dict)
    warnings: dict[frozenset[str], WarningState] = field(default_factory=dict)
    known_ns: dict[frozenset[str], int] = field(default_factory=dict)
    looked_ns: dict[frozenset[str], int] = field(default_factory=dict)
    over: set[frozenset[str]] = field(default_factory=set)
    lost: bool = False

    def picture(self, audience: frozenset[str]) -> Estimate | None:
        """The estimate of this audience's picture; None while it has no evidence."""
        key = self.keys.get(audience)
        return self.estimates[key] if key is not None else None

    def add(self, piece: Piece, audiences: Iterable[frozenset[str]]) -> tuple[frozenset[str], ...]:
        """Takes a piece into every picture that may use it; the audiences whose picture it reached."""
        users = tuple(audience for audience in audiences if piece.usable_for(audience))
        groups: dict[bytes, list[frozenset[str]]] = {}
        for audience in users:
            groups.setdefault(self.keys.get(audience, b""), []).append(audience)
        for old, members in groups.items():
            self._advance(old, members, piece)
        return users

    def _advance(self, old: bytes, members: list[frozenset[str]], piece: Piece) -> None:
        new = blake2b(old + piece.id, digest_size=16).digest()
        stays = any(key == old for audience, key in self.keys.items() if audience not in members)
        if new not in self.estimates:
            if not old:
                estimate = Estimate(TrackFilter())
            elif stays:
                estimate = self.estimates[old].copy()
            else:
                estimate = self.estimates[old]
            estimate.add(piece)
            self.estimates[new] = estimate
        if old and not stays:
            del self.estimates[old]
        for audience in members:
            self.keys[audience] = new


class EventBook:
    """All events of a node, and which of a partner's events is which of ours."""

    def __init__(self) -> None:
        self.events: dict[int, Event] = {}
        self._foreign: dict[tuple[str, bytes], int] = {}
        self._touched: dict[tuple[int, frozenset[str]], None] = {}

    def touch(self, event: Event, audience: frozenset[str]) -> None:
        """Marks a picture whose evidence has changed."""
        self._touched[event.number, audience] = None

    def take_touched(self) -> tuple[tuple[Event, frozenset[str]], ...]:
        """The marked pictures, and no more marks."""
        touched = tuple((self.events[number], audience) for number, audience in self._touched)
        self._touched.clear()
        return touched

    def open(self, now_ns: int, first_observed_ns: int) -> Event:
        """A new event."""
        event = Event(len(self.events) + 1, now_ns, first_observed_ns)
        self.events[event.number] = event
        return event

    def active(self, audience: frozenset[str]) -> tuple[Event, ...]:
        """Events whose picture for this audience is not over, oldest first."""
        return tuple(event for event in self.events.values() if audience not in event.over)

    def find(self, partner: str, alias: bytes) -> Event | None:
        """Our event that a partner's alias has been joined to."""
        number = self._foreign.get((partner, alias))
        return self.events[number] if number is not None else None

    def join(self, event: Event, partner: str, alias: bytes, audience: frozenset[str]) -> None:
        """Joins a partner's alias to an own event."""
        self._foreign[partner, alias] = event.number
        event.foreign[partner, alias] = audience
