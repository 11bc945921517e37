"""What waits for the core: one queue per party and place, bounded, served by precedence and then by turns.

Rules: parties within their quotas go first, then the order of places, then turns among parties; own sensors have a sure
turn. Rows of one stream keep their order, and what a partner sent after it had begun its streams anew waits until all
from before has been taken. A full queue refuses, so a flood costs its sender and not the memory.

    queues = InputQueues(Quotas(), now_s)
    queues.add(Received(...), future)
    waiting = queues.take(now_s, places_open=6)
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from enum import IntEnum

import msgspec

from noroshi.errors import LocalError
from noroshi.node.inputs import (
    Answer,
    CapGiven,
    CheckpointGiven,
    Control,
    Detections,
    DoorHeard,
    Input,
    ReceiptGiven,
    Received,
    RelayGiven,
    Restart,
)
from noroshi.service.quotas import Account, Quotas, Standing
from noroshi.sharing import RELAYS

SENSOR_TURN = 8
"""Own detections have at least every so manieth place: they are how this node warns, whatever others warn of."""

MAX_OWN_PARTIES = 256
"""Own feeds and posts with a queue of their own; further names share one, so that made-up names cost no memory."""

MAX_OWN_INPUTS, MAX_OWN_BYTES = 20_000, 64 << 20
"""What may wait of all own feeds and posts together; more is refused, and its giver gives it again."""

RECEIPT_PAUSE_S = 1.0
"""Of a party that is held one receipt a second is taken all the same: without any, our warnings to it would stop."""

QUIET_S = 10.0
"""A party that was held is said to be so no longer when it has not been for so long, for it may go to and fro."""

INPUT_BYTES, MEASUREMENT_BYTES = 256, 128
"""What an input costs in memory beside its raw bytes, and one measurement in a batch."""


class Place(IntEnum):
    """The order in which what waits is served.

    WARNING: partners' warnings, and control changes: a key that is no longer good must not be believed once more.
    DECISION: partners' decisions, own posts, links. RECEIPT: what lets our rows to a partner go on. SENSOR: own
    detections: they come before what partners see, since nobody else warns of what only we see. NOTICE and TRACK:
    partners' notices and tracks; other agencies' files, of which a storm brings many, wait among the notices.
    """

    WARNING = 0
    DECISION = 1
    RECEIPT = 2
    SENSOR = 3
    NOTICE = 4
    TRACK = 5


_ROWS = (Place.WARNING, Place.DECISION, Place.NOTICE, Place.TRACK)
"""The place of a partner's row, by its lane."""

_ALL = tuple(Place)
_IS_URGENT = tuple(place <= Place.RECEIPT for place in Place)
_IS_ROW = tuple(place in _ROWS for place in Place)

CONTROL, NODE, FEEDS, POSTS = "control", "node", "feed:", "post:"
_OWN = (CONTROL, NODE, FEEDS, POSTS, RELAYS)


class CrowdedError(LocalError):
    """More waits of this party than may: the giver keeps it and gives it again later."""


class Waiting(msgspec.Struct, frozen=True):
    """One input, and who is to be told when it is durable.

    bytes: what it costs in memory; is_own: it comes from this node's own people, sensors or links.
    """

    given: Input
    future: asyncio.Future[Answer]
    party: str
    place: Place
    bytes: int
    is_own: bool


class _Party:
    """What waits of one party. later: all that came after it began its streams anew, in order."""

    __slots__ = ("account", "bytes", "inputs", "later", "ordered", "places", "receipt_at_s", "restarting")

    def __init__(self, account: Account | None) -> None:
        self.account = account
        self.places: tuple[deque[Waiting], ...] = tuple(deque() for _ in Place)
        self.bytes = [0] * len(Place)
        self.later: deque[Waiting] = deque()
        self.ordered = 0
        self.restarting = False
        self.receipt_at_s = 0.0
        self.inputs = 0


class InputQueues:
    """All that waits. now_s, here and below: steady seconds."""

    def __init__(self, quotas: Quotas, now_s: float) -> None:
        self._quotas = quotas
        self._begun_s = now_s
        self._parties: dict[str, _Party] = {}
        self._accounts: dict[str, Account] = {}
        self._turns: tuple[deque[str], ...] = tuple(deque() for _ in Place)
        self._since_sensor = 0
        self._own_inputs = 0
        self._own_bytes = 0
        self._waiting = 0
        self._told: dict[str, Standing] = {}
        self._trouble_s: dict[str, float] = {}
        self.deferred = False
        """Whether what was taken last is of a party that has used more than its share."""

    def __len__(self) -> int:
        return self._waiting

    # --- in ---------------------------------------------------------------------------------------------------

    def add(self, given: Input, future: asyncio.Future[Answer]) -> None:
        """Queues an input. Raises CrowdedError when as much waits already as may."""
        place = place_of(given)
        party = self._name(given)
        own = party.startswith(_OWN)
        waiting = Waiting(given, future, party, place, size_of(given), own)
        found = self._parties.get(party)
        if found is not None and self._is_full(found, waiting):
            raise _crowded(party, "more of it is waiting already than may")
        if own and (self._own_inputs >= MAX_OWN_INPUTS or self._own_bytes + waiting.bytes > MAX_OWN_BYTES):
            raise _crowded(party, f"{self._own_inputs} inputs of this node's own are waiting already")
        if found is None:
            found = self._parties[party] = _Party(None if own else self._account(party))
        self._waiting += 1
        if own:
            self._own_inputs += 1
            self._own_bytes += waiting.bytes
        self._put_or_keep(found, waiting)

    def crowded(self, party: str) -> bool:
        """Whether so much of a partner waits that no more should be read from it: half of what may."""
        found = self._parties.get(party)
        return found is not None and any(
            2 * len(queue) > self._quotas.queue_inputs or 2 * size > self._quotas.queue_bytes
            for queue, size in zip((*found.places, found.later), (*found.bytes, 0), strict=True)
        )

    def drop(self, party: str) -> list[Waiting]:
        """Takes out all that waits of a partner: it comes again, since no receipt covers it."""
        found = self._parties.pop(party, None)
        if found is None:
            return []
        for turns in self._turns:
            if party in turns:
                turns.remove(party)
        dropped = [one for queue in (*found.places, found.later) for one in queue]
        self._waiting -= len(dropped)
        return dropped

    # --- out --------------------------------------------------------------------------------------------------

    def take(self, now_s: float, places_open: int = len(Place)) -> Waiting | None:
        """The next input, or None when nothing may be taken. places_open: how many places are served, from the first."""
        if not self._waiting:
            return None
        if self._since_sensor >= SENSOR_TURN and places_open > Place.SENSOR:
            waiting = self._from(Place.SENSOR, deferred=False, now_s=now_s)
            if waiting is not None:
                self.deferred = False
                return waiting
        for deferred in (False, True):
            for place in _ALL[:places_open]:
                if self._turns[place]:
                    waiting = self._from(place, deferred=deferred, now_s=now_s)
                    if waiting is not None:
                        self.deferred = deferred
                        return waiting
        return None

    def take_all(self) -> Iterator[Waiting]:
        """Everything that waits, quotas or not: the node takes nothing more."""
        for party in list(self._parties):
            yield from self.drop(party)
        self._own_inputs = self._own_bytes = 0

    def take_own(self, first_closed: int) -> Iterator[Waiting]:
        """What own feeds and posts gave of places that are not served now: they are told so, and keep it."""
        for name, found in list(self._parties.items()):
            for place in Place:
                queue = found.places[place]
                while place >= first_closed and queue and queue[0].is_own and name != NODE:
                    yield self._pop(name, found, place)

    # --- quotas -----------------------------------------------------------------------------------------------

    def charge(self, waiting: Waiting, handled_s: float, logged_bytes: int, now_s: float) -> None:
        """Counts what an input has cost, in its party's account."""
        account = self._accounts.get(waiting.party)
        if account is not None:
            account.charge(
                urgent=_IS_URGENT[waiting.place],
                handled_s=handled_s,
                logged_bytes=logged_bytes,
                now_s=now_s,
            )

    def bar(self, waiting: Waiting, now_s: float) -> None:
        """Holds a partner for a while on whose row the core has failed."""
        if not waiting.is_own:
            self._account(waiting.party).bar(now_s)

    def standings(self, now_s: float) -> list[Standing]:
        """What is new about how parties stand: why one is held, or an empty reason after a while in which it was not."""
        news = []
        for party, account in self._accounts.items():
            account.pass_time(now_s)
            reason, told = account.reason, self._told.get(party, Standing(party, ""))
            quiet_s = now_s - self._trouble_s.get(party, -QUIET_S)
            if reason:
                self._trouble_s[party] = now_s
            if (not told.reason and reason) or (told.reason and not reason and quiet_s >= QUIET_S):
                self._told[party] = Standing(party, reason)
                news.append(self._told[party])
        return news

    def _account(self, party: str) -> Account:
        if party not in self._accounts:
            self._accounts[party] = Account(self._quotas, self._begun_s)
        return self._accounts[party]

    # --- inside -----------------------------------------------------------------------------------------------

    def _name(self, given: Input) -> str:
        name = party_of(given)
        if (
            name in self._parties
            or not name.startswith((FEEDS, POSTS, RELAYS))
            or len(self._parties) < MAX_OWN_PARTIES
        ):
            return name
        return name.partition(":")[0] + ":"

    def _is_full(self, found: _Party, waiting: Waiting) -> bool:
        quotas, place = self._quotas, waiting.place
        queue = found.later if found.later else found.places[place]
        return len(queue) >= quotas.queue_inputs or found.bytes[place] + waiting.bytes > quotas.queue_bytes

    def _put_or_keep(self, found: _Party, waiting: Waiting) -> None:
        found.inputs += 1
        found.bytes[waiting.place] += waiting.bytes
        ordered = _IS_ROW[waiting.place] and not waiting.is_own
        anew = isinstance(waiting.given, Restart)
        if ordered and (found.later or found.restarting or (anew and found.ordered)):
            found.later.append(waiting)
        else:
            self._put(found, waiting)

    def _put(self, found: _Party, waiting: Waiting) -> None:
        queue = found.places[waiting.place]
        if not queue:
            self._turns[waiting.place].append(waiting.party)
        queue.append(waiting)
        if _IS_ROW[waiting.place]:
            found.ordered += 1
            found.restarting |= isinstance(waiting.given, Restart)

    def _from(self, place: Place, *, deferred: bool, now_s: float) -> Waiting | None:
        """The next of a place, of parties within their share or of those that are not."""
        turns, urgent = self._turns[place], _IS_URGENT[place]
        for _ in range(len(turns)):
            party = turns[0]
            turns.rotate(-1)
            found = self._parties[party]
            account = found.account
            if account is not None:
                if account.barred or account.deferred(urgent=urgent) != deferred:
                    continue
                if account.held(urgent=urgent) and not self._is_receipt_due(found, place, now_s):
                    continue
            elif deferred:
                continue
            return self._pop(party, found, place)
        return None

    def _is_receipt_due(self, found: _Party, place: Place, now_s: float) -> bool:
        if place != Place.RECEIPT or now_s < found.receipt_at_s + RECEIPT_PAUSE_S:
            return False
        found.receipt_at_s = now_s
        return True

    def _pop(self, party: str, found: _Party, place: Place) -> Waiting:
        queue = found.places[place]
        waiting = queue.popleft()
        if not queue:
            self._turns[place].remove(party)
        self._waiting -= 1
        found.inputs -= 1
        found.bytes[place] -= waiting.bytes
        self._since_sensor = 0 if place == Place.SENSOR else self._since_sensor + 1
        if waiting.is_own:
            self._own_inputs -= 1
            self._own_bytes -= waiting.bytes
        elif _IS_ROW[place]:
            found.ordered -= 1
            if not found.ordered:
                found.restarting = False
                self._begin_anew(found)
        if not found.inputs:
            del self._parties[party]
        return waiting

    def _begin_anew(self, found: _Party) -> None:
        """All from before is taken: what came later takes its places, up to where the partner began anew once more."""
        while found.later and not found.restarting:
            if isinstance(found.later[0].given, Restart) and found.ordered:
                return
            self._put(found, found.later.popleft())


def place_of(given: Input) -> Place:
    """Where an input stands in the order of service."""
    match given:
        case Received(number=number, lane=lane) if number:
            return _ROWS[lane] if 0 <= lane < len(_ROWS) else Place.TRACK
        case Control() | Restart():
            return Place.WARNING
        case ReceiptGiven() | CheckpointGiven():
            return Place.RECEIPT
        case Detections():
            return Place.SENSOR
        case CapGiven() | RelayGiven() | DoorHeard():
            return Place.NOTICE
    return Place.DECISION


def party_of(given: Input) -> str:
    """In whose queue an input waits."""
    match given:
        case Received(number=0, party=party):
            return party if party.startswith((POSTS, RELAYS)) else CONTROL
        case (
            Received(party=party)
            | ReceiptGiven(party=party)
            | CheckpointGiven(party=party)
            | Restart(party=party)
        ):
            return party
        case Detections(feed=feed):
            return FEEDS + feed
        case Control():
            return CONTROL
        case CapGiven(party=party) | RelayGiven(party=party):
            return FEEDS + party
    return NODE


def size_of(given: Input) -> int:
    """About how many bytes of memory an input takes."""
    match given:
        case Received(raw=raw) | Control(raw=raw) | CapGiven(raw=raw):
            return INPUT_BYTES + len(raw)
        case RelayGiven(text=text, original=original):
            return INPUT_BYTES + len(text) + len(original)
        case Detections(time_ns=times):
            return INPUT_BYTES + MEASUREMENT_BYTES * len(times)
    return INPUT_BYTES


def _crowded(party: str, cause: str) -> CrowdedError:
    return CrowdedError("take an input", subject=party, cause=cause, hint="give it again later", retry=True)
