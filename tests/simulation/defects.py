"""Planted defects: what the simulation must find, or it proves nothing.

with planted("tells-first") as ways: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import pytest

from noroshi.messages import Message, Refused, Unverified, verify
from noroshi.node import accept, flow
from noroshi.node.inputs import Received
from noroshi.node.work import Work
from noroshi.sharing.release import Allowed, ReleaseKey, ReleasePolicy, Withheld
from tests.simulation.shell import Ways

_WAYS: Mapping[str, Callable[[], Ways]] = MappingProxyType(
    {
        "": Ways,
        "tells-first": lambda: Ways(tells_first=True),
        "torn-batches": lambda: Ways(whole_frames=False),
        "forgets-seen": lambda: Ways(forgets_seen=True),
        "drops-when-full": lambda: Ways(drops_when_full=True),
        "skips-lane": lambda: Ways(skips_lane=True),
        "repeats-effect": Ways,
        "takes-twice": Ways,
        "leaks": Ways,
        "keeps-denied": Ways,
    }
)

DEFECTS = tuple(filter(None, _WAYS))
"""tells-first: answers and publishes before it writes. torn-batches: an append is not one transaction. forgets-seen:
what was seen is forgotten when a process dies. drops-when-full: what a full disk does not take is told as kept.
skips-lane: notices that wait are left out on a new connection. repeats-effect: a repeated message is acted on again.
takes-twice: it is not asked what was seen. leaks: the door lets everything out to neighbours.
keeps-denied: what a new policy denies stays in the outbox.
"""


@contextmanager
def planted(name: str) -> Iterator[Ways]:
    """The ways of a shell with this defect in it, or in the core for as long; an empty name is none.

    Raises KeyError for an unknown name.
    """
    with pytest.MonkeyPatch.context() as patch:
        match name:
            case "repeats-effect":
                patch.setattr(accept, "message", _acting_again(accept.message))
            case "takes-twice":
                patch.setattr(accept, "message", _unasked(accept.message))
            case "keeps-denied":
                patch.setattr(Work, "restart", lambda work, party, may_still_go: None)
            case "leaks":
                patch.setattr(ReleasePolicy, "onward_key", _open_door(ReleasePolicy.onward_key))
        yield _WAYS[name]()


Accepting = Callable[[Work, Received], Message | None]
Deciding = Callable[[ReleasePolicy, ReleaseKey, str], Allowed | Withheld]


def _acting_again(message: Accepting) -> Accepting:
    def again(work: Work, given: Received) -> Message | None:
        outcome = message(work, given)
        if outcome is None and work.answer.outcome == "duplicate":
            repeated = verify(Unverified(given.raw), work.state.trust, work.now_ns)
            if not isinstance(repeated, Refused):
                flow._act(work, repeated, given.party)
        return outcome

    return again


def _unasked(message: Accepting) -> Accepting:
    def unasked(work: Work, given: Received) -> Message | None:
        if not given.number:
            work.state.known = type(work.state.known)(work.state.secrets.ids)
        return message(work, given)

    return unasked


def _open_door(decide: Deciding) -> Deciding:
    def open_door(policy: ReleasePolicy, key: ReleaseKey, partner: str) -> Allowed | Withheld:
        outcome = decide(policy, key, partner)
        if isinstance(outcome, Withheld) and partner in policy.neighbours:
            return Allowed(partner, "planted")
        return outcome

    return open_door
