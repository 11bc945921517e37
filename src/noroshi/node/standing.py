"""What stands and may be shown to groups of clients that are set down later, or that may have other things now.

Kept by what it is about, the newest of each, whoever may see it now: who may is asked when it is shown. What has ended
is let go at once; of another agency's alerts only so many are kept as a map can hold.

    keep(state.standing, Standing(what="hazard", name=..., until_ns=...), now_ns)
    drop(state.standing, "hazard", name)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from noroshi.gateways.hazard_facts import HazardFacts
from noroshi.messages.bodies import AlertBody, WarningBody
from noroshi.messages.bodies_notice import NoticeBody
from noroshi.sharing.release import ReleaseKey

MAX_STANDING = 400
"""Of each kind: more warnings, alerts and notices stand in no crisis, and no map shows more alerts of other agencies."""

What = Literal["warning", "declared", "heard-warning", "heard-alert", "alert", "hazard", "notice"]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that stands.

    name: what it is about, the same in all its updates; event: its number, of our own; partners: whose picture it is of,
    or who was told; key: what decides who may have a partner's message; origin, message: who said it, and its id; title:
    of another agency's alert.
    """

    what: What
    name: str
    origin: str
    until_ns: int
    message: bytes = b""
    event: int = 0
    partners: tuple[str, ...] = ()
    key: ReleaseKey | None = None
    label: str = ""
    title: str = ""
    warning: WarningBody | None = None
    alert: AlertBody | None = None
    facts: HazardFacts | None = None
    notice: NoticeBody | None = None


Kept = dict[str, Standing]
"""By `what` and `name`."""


def keep(kept: Kept, thing: Standing, now_ns: int) -> None:
    """Takes the newest state of a thing in; of too many of its kind the one that ends first goes."""
    kept.pop(_place(thing.what, thing.name), None)
    if thing.until_ns <= now_ns:
        return
    kept[_place(thing.what, thing.name)] = thing
    alike = [one for one in kept.values() if one.what == thing.what]
    if len(alike) > MAX_STANDING:
        first = min(alike, key=lambda one: one.until_ns)
        del kept[_place(first.what, first.name)]


def drop(kept: Kept, what: What, name: str) -> None:
    """It stands no more."""
    kept.pop(_place(what, name), None)


def drop_message(kept: Kept, origin: str, message: bytes) -> None:
    """A message was taken back."""
    for place in [place for place, one in kept.items() if (one.origin, one.message) == (origin, message)]:
        del kept[place]


def now(kept: Kept, now_ns: int) -> Iterator[Standing]:
    """What stands at a time, in the order in which it was last said."""
    return iter([one for one in kept.values() if one.until_ns > now_ns])


def prune(kept: Kept, now_ns: int) -> None:
    """Lets go of what has run out."""
    for place in [place for place, one in kept.items() if one.until_ns <= now_ns]:
        del kept[place]


def _place(what: What, name: str) -> str:
    return f"{what}:{name}"
