"""Planted leaks: what the comparison of pairs must find, or it proves nothing. Each changes real code for a while.

with planted("one numbering for all"): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from noroshi.log import OutboxRow
from noroshi.messages import Message, label_for
from noroshi.messages.bodies import CellRow
from noroshi.messages.kinds import Lane
from noroshi.node import core, evidence, flow, policing, recalling, reducing, speak, warn
from noroshi.node.events import REDUCED, Event, Piece
from noroshi.node.state import State
from noroshi.node.work import Work
from noroshi.sharing import Outboxes, Position, Statement, Withheld, partner_party, reduced
from noroshi.sharing.release import CaseRelease, ReleaseKey, ReleasePolicy
from tests.leaks.plan import Setting, Wanted

Patch = pytest.MonkeyPatch

_UNREADABLE = ("malformed", "not-canonical")
"""What the planted words are refused for themselves: to tell of that as well would never end."""


def _one_numbering(patch: Patch) -> None:
    """Path 3: rows are numbered by what was said to anybody."""
    put = Outboxes.put

    def shared(self: Outboxes, party: str, *rest: Any, **more: Any) -> OutboxRow:
        row = put(self, party, *rest, **more)
        total = sum(end.number for end in self.streams.values())
        return msgspec.structs.replace(row, number=total) if party.startswith("partner:") else row

    patch.setattr(Outboxes, "put", shared)


def _one_counter(patch: Patch) -> None:
    """Path 4: ids come from one counter for all audiences."""
    new_id = State.new_id

    def shared(self: State, audience: frozenset[str]) -> bytes:
        self.counters["all"] = self.counters.get("all", 0) + 1
        return new_id(self, frozenset((f"{self.counters['all']}",)))

    patch.setattr(State, "new_id", shared)


def _ids_of_the_record(patch: Patch) -> None:
    """Path 4: ids tell how much a node has on its record."""
    patch.setattr(State, "new_id", lambda self, audience: self.chain.sequence.to_bytes(16, "big"))


def _pictures_of_everything(patch: Patch) -> None:
    """Path 24: every audience's picture is made of all evidence."""
    patch.setattr(Piece, "usable_for", lambda self, audience: REDUCED not in audience)


def _one_numbering_of_events(patch: Patch) -> None:
    """Path 6: aliases of events count what others know."""
    opened = evidence._event_for

    def numbered(work: Work, audience: frozenset[str], *rest: Any) -> Event | None:
        event = opened(work, audience, *rest)
        if event is not None and not event.estimate.rows:
            event.number += len(work.state.known)
            work.state.events._events[audience][event.number] = event
        return event

    patch.setattr(evidence, "_event_for", numbered)


def _withheld_leaves_a_trace(patch: Patch) -> None:
    """Path 3: where something was withheld there is a row that says so."""
    release = speak.release

    def tracing(work: Work, message: Message, *given: Any, **more: Any) -> None:
        release(work, message, *given, **more)
        for partner in work.state.policy.neighbours:
            if isinstance(work.state.policy.onward(message, partner), Withheld):
                work.send(partner_party(partner), Lane.NOTICE, b"withheld")

    patch.setattr(flow, "release", tracing)


def _refusals_are_told(patch: Patch) -> None:
    """Path 16: everybody is told what was refused, and why."""
    refuse = Work.refuse

    def telling(self: Work, party: str, reason: str, detail: str = "", *, shown: bool = True) -> None:
        refuse(self, party, reason, detail, shown=shown)
        for partner in self.state.policy.neighbours if reason not in _UNREADABLE else ():
            self.send(partner_party(partner), Lane.NOTICE, f"{party}: {reason}".encode())

    patch.setattr(Work, "refuse", telling)


def _errors_have_a_reason(patch: Patch) -> None:
    """Path 16: who is refused is told why, with the number of the record."""
    refuse = Work.refuse

    def telling(self: Work, party: str, reason: str, detail: str = "", *, shown: bool = True) -> None:
        refuse(self, party, reason, detail, shown=shown)
        if party.removeprefix("partner:") in self.state.policy.neighbours and reason not in _UNREADABLE:
            self.send(party, Lane.NOTICE, f"{reason}: see record {self.state.chain.sequence}".encode())

    patch.setattr(Work, "refuse", telling)


def _looks_in_turn(patch: Patch) -> None:
    """Path 14: a picture is looked at only if no other was looked at lately."""
    touched = warn.touched

    def in_turn(work: Work, event: Event) -> None:
        looks = [one.looked_ns for kept in work.state.events._events.values() for one in kept.values()]
        if work.now_ns - max(looks) > 500_000_000:
            touched(work, event)

    patch.setattr(warn, "touched", in_turn)


def _work_delays(patch: Patch) -> None:
    """Path 29: the time on a row is later the more was said to anybody in the same moment and before."""
    put = Outboxes.put

    def late(
        self: Outboxes, party: str, lane: int, key: str, now_ns: int, *rest: Any, **more: Any
    ) -> OutboxRow:
        waited_ns = sum(end.number for end in self.streams.values())
        return put(self, party, lane, key, now_ns + waited_ns, *rest, **more)

    patch.setattr(Outboxes, "put", late)


def _receipts_count_others(patch: Patch) -> None:
    """Path 5: a receipt tells how much came from everybody."""
    receipt = core.Node.receipt

    def counting(self: core.Node, party: str) -> Statement:
        statement = receipt(self, party)
        total = sum(sum(one.upto) for one in self.state.received.values())
        position = statement.position.at(Lane.TRACK, total, statement.position.heads[Lane.TRACK])
        return Statement(position, statement.signature)

    patch.setattr(core.Node, "receipt", counting)


def _checkpoints_over_all(patch: Patch) -> None:
    """Path 28: a checkpoint is over the streams of all partners."""
    sent = Outboxes.sent

    def over_all(self: core.Node, party: str) -> Statement:
        every = [sent(self.state.outboxes, partner_party(one)) for one in self.state.others]
        own: Position = self.sent(party)
        head = bytes(a ^ b for a, b in zip(own.heads[0], max(one.heads[2] for one in every), strict=True))
        return self._sign("checkpoint", party.removeprefix("partner:"), own.at(0, own.upto[0], head))

    patch.setattr(core.Node, "checkpoint", over_all)


def _labels_too_wide(patch: Patch) -> None:
    """Path 21: a label is read as if it named everybody."""
    key = ReleasePolicy.key

    def wide(self: ReleasePolicy, message: Message, cases: tuple[CaseRelease, ...] = ()) -> ReleaseKey:
        found = key(self, message, cases)
        everybody = label_for([self.own, *self._nations], found.label.classification, found.label.caveats)
        return msgspec.structs.replace(found, label=everybody)

    patch.setattr(ReleasePolicy, "key", wide)


def _reduced_from_everything(patch: Patch) -> None:
    """Path 24: reduced editions are made of what partners gave for us alone, too."""
    usable = Piece.usable_for
    patch.setattr(Piece, "usable_for", lambda self, audience: usable(self, audience) or REDUCED in audience)


def _fresh_noise(patch: Patch) -> None:
    """Path 11: a reduced cell is moved anew each time, by what else was on the record."""
    reduce = reduced.reduce

    def noisy(work: Work, event: Event) -> None:
        def moved(*given: Any) -> Any:
            body = reduce(*given)
            if body is None or body.fall is None:
                return body
            by = work.state.chain.sequence % 3
            return msgspec.structs.replace(
                body, fall=CellRow(row=body.fall.row + by, column=body.fall.column)
            )

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(reducing, "reduce", moved)
            touched(work, event)

    touched = reducing.touched
    patch.setattr(reducing, "touched", noisy)


def _declared_unrecorded(patch: Patch) -> None:
    """Path 25: a tear-line goes, and no record says that it was declared."""
    release = speak.release
    decided = ReleasePolicy.charged

    def silent(work: Work, message: Message, *given: Any, declared: bool = False, **more: Any) -> None:
        def opened(self: ReleasePolicy, *asked: Any) -> Any:
            outcome = decided(self, *asked)
            if declared and not isinstance(outcome, Withheld):
                return type(outcome)(outcome.next_hop, outcome.rule, "full", outcome.budgets)
            return outcome

        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(ReleasePolicy, "charged", opened)
            release(work, message, *given, **more)

    patch.setattr(speak, "release", silent)


def _catch_up_skips_the_policy(patch: Patch) -> None:
    """Path 20: what waits for a partner goes, whatever the new policy says."""
    patch.setattr(policing, "_may_still_go", lambda state, neighbour, why: True)


def _recall_to_all(patch: Patch) -> None:
    """Path 19: a recall goes to everybody, also to who never had the message."""
    patch.setattr(State, "given_to", lambda self, origin, message: frozenset(self.others))
    patch.setattr(recalling, "may_have", lambda label, partner, *, origin: False)


def _policies_show(patch: Patch) -> None:
    """Path 20: all streams begin anew when the terms of one partner change."""
    patch.setattr(Outboxes, "must_restart", lambda self, party, may_still_go: True)


def _restarts_forget(patch: Patch) -> None:
    """Path 14: a node that comes back begins its ids anew."""
    restore = core.Node.restore.__func__  # type: ignore[attr-defined]  # of the class method

    def forgetting(cls: type[core.Node], *given: Any) -> core.Node:
        node: core.Node = restore(cls, *given)
        node.state.counters = {name: count + 1 for name, count in node.state.counters.items()}
        return node

    patch.setattr(core.Node, "restore", classmethod(forgetting))


def _size_of_the_hidden(patch: Patch) -> None:
    """Path 13: an edition is padded by how much else was said."""
    say = speak.say

    def said(work: Work, kind: str, unit: str, audience: frozenset[str], *given: Any, **more: Any) -> Message:
        more["refs"] = (*more.get("refs", ()), *([bytes(16)] * (len(work.state.known) % 5)))
        return say(work, kind, unit, audience, *given, **more)

    patch.setattr(evidence, "say", said)
    patch.setattr(recalling, "say", said)


_PLANTS: Mapping[str, Callable[[Patch], None]] = MappingProxyType(
    {
        "one numbering for all": _one_numbering,
        "one counter for all": _one_counter,
        "ids of the record": _ids_of_the_record,
        "pictures of everything": _pictures_of_everything,
        "one numbering of events": _one_numbering_of_events,
        "withheld leaves a trace": _withheld_leaves_a_trace,
        "refusals are told": _refusals_are_told,
        "errors have a reason": _errors_have_a_reason,
        "looks in turn": _looks_in_turn,
        "work delays": _work_delays,
        "receipts count others": _receipts_count_others,
        "checkpoints over all": _checkpoints_over_all,
        "labels too wide": _labels_too_wide,
        "reduced from everything": _reduced_from_everything,
        "fresh noise": _fresh_noise,
        "declared and unrecorded": _declared_unrecorded,
        "catch-up skips the policy": _catch_up_skips_the_policy,
        "recall to all": _recall_to_all,
        "policies show": _policies_show,
        "restarts forget": _restarts_forget,
        "sizes tell": _size_of_the_hidden,
    }
)

LEAKS = tuple(_PLANTS)

TRACKED = frozenset(
    {
        "pictures of everything",
        "one numbering of events",
        "looks in turn",
        "reduced from everything",
        "fresh noise",
        "declared and unrecorded",
        "one counter for all",
        "sizes tell",
        "restarts forget",
    }
)
"""Those that only show where radars see something."""


_SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "reduced from everything": "reduced",
        "fresh noise": "reduced",
        "declared and unrecorded": "declared",
        "policies show": "observer",
    }
)
"""Those that only show where nodes have such policies."""


FIRST: Mapping[str, int] = MappingProxyType(
    {"reduced from everything": 78, "restarts forget": 24, "recall to all": 25}
)
"""Where the search for a leak begins, when few pairs show it: coarse cells hide much even where they leak."""


def showing(name: str, number: int) -> Wanted:
    """A pair in which a leak may show, by its number from 1 on."""
    seed = number + FIRST.get(name, 0)
    return Wanted(seed, tracked=True if name in TRACKED else None, setting=_SETTINGS.get(name), leak=name)


@contextmanager
def planted(name: str) -> Iterator[None]:
    """The leak is there for as long. Raises KeyError for an unknown name."""
    with pytest.MonkeyPatch.context() as patch:
        _PLANTS[name](patch)
        yield
