"""What was refused, by its source: counted, and told to the staff one by one only until it is a flood.

The first of a source are shown each; from then on one row with the counts, no oftener than every two seconds, and a
sentence only whenever there are ten times as many. What the shell refuses at its doors, before it becomes an input of
anybody's, comes here as counts alone. Everything stays on the record, the counts also in the node's state.

    if refused.shown_alone(work, "hand:api", "malformed-cap"): work.show("refusal", ...)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from noroshi.clock import NS_PER_S
from noroshi.node.inputs import DoorHeard

if TYPE_CHECKING:
    from noroshi.node.work import Work

TIMER = "refused"

SHOWN_ALONE = 8
"""Refusals of one source that are shown each with its detail: as many as a person reads."""

TOLD_NS = 2 * NS_PER_S
"""After them its counts are told again no oftener than this."""

QUIET_NS = 600 * NS_PER_S
"""A source of which nothing was refused for so long has its first ones shown again."""

MAX_SOURCES = 256
"""Sources with counts of their own: the names of parties come from outside, and may be many."""

MAX_REASONS = 32
"""Reasons of one source that are told apart: there are some sixty, and no source meets half of them."""

MAX_NAME = 100
"""Characters of a party's name: longer ones are no names."""

REPEATED = "repeated"
"""The reason by which replays are counted: what came before, under a number or in a request of its own."""

OTHERS = "others"
"""The source, or the reason, that stands for all beyond those."""

TENFOLD = 10
"""A sentence is for the timeline whenever there are so many times as many as at the last."""


@dataclass(slots=True)
class Tally:
    """What was refused of one source. alone: how many were shown each lately; said: how many when a sentence was
    said; told: how many the staff's row has.
    """

    first_ns: int
    last_ns: int
    reasons: dict[str, int] = field(default_factory=dict)
    alone: int = 0
    said: int = 0
    told: int = 0

    @property
    def count(self) -> int:
        """All that was refused."""
        return sum(self.reasons.values())


def shown_alone(work: Work, party: str, reason: str) -> bool:
    """Counts a refusal; whether the staff are shown this one, and not its count only."""
    name, tally = _tally(work, party)
    _add(tally, reason, 1)
    alone = tally.alone < SHOWN_ALONE
    if alone:
        tally.alone += 1
        tally.said = tally.count
    _tell(work, name, tally, at_once=alone)
    return alone


def repeated(work: Work, party: str) -> None:
    """Counts a message that was here before and came anew, from whoever: it has no effect, and nobody is bothered."""
    name, tally = _tally(work, party)
    _add(tally, REPEATED, 1)
    _tell(work, name, tally, at_once=tally.reasons[REPEATED] <= SHOWN_ALONE)


def door(work: Work, given: DoorHeard) -> None:
    """Takes the counts of what the shell has refused at one of its doors since it last told."""
    name, tally = _tally(work, f"door:{given.entrance} {given.source}".strip())
    for reason, count in sorted(given.counts.items()):
        _add(tally, reason[:MAX_NAME], max(count, 0))
    _tell(work, name, tally, at_once=True)  # the shell has waited already


def due(work: Work, name: str) -> None:
    """The staff are told how many there are by now."""
    tally = work.state.refused.get(name)
    if tally is not None and tally.told != tally.count:
        _show(work, name, tally)


def _tally(work: Work, party: str) -> tuple[str, Tally]:
    sources = work.state.refused
    name = party[:MAX_NAME]
    if name not in sources and len(sources) >= MAX_SOURCES:
        name = OTHERS
    tally = sources.setdefault(name, Tally(work.now_ns, work.now_ns))
    if tally.last_ns + QUIET_NS < work.now_ns:
        tally.alone = 0
    tally.last_ns = work.now_ns
    return name, tally


def _add(tally: Tally, reason: str, count: int) -> None:
    known = reason in tally.reasons or len(tally.reasons) < MAX_REASONS
    name = reason if known else OTHERS
    if name not in tally.reasons:  # by name, as a snapshot gives them back
        tally.reasons = dict(sorted({**tally.reasons, name: 0}.items()))
    tally.reasons[name] += count


def _tell(work: Work, name: str, tally: Tally, *, at_once: bool) -> None:
    timer = f"{TIMER}:{name}"
    if at_once:
        _show(work, name, tally)
    elif timer not in work.state.timers:
        work.timer(timer, work.now_ns + TOLD_NS)


def _show(work: Work, name: str, tally: Tally) -> None:
    """A row of counts; in its sentence the commonest reasons first."""
    count = tally.count
    news = name.startswith("door:") and not tally.said
    says = ""
    if news or (tally.said and count >= TENFOLD * tally.said):
        tally.said = count
        often = sorted(tally.reasons.items(), key=lambda one: (-one[1], one[0]))[:3]
        says = f"Refused from {name}, {count} by now: " + ", ".join(
            f"{many} {reason}" for reason, many in often
        )
    tally.told = count
    work.show(
        "refused",
        says,
        key=f"refused:{name}",
        party=name,
        reasons=dict(tally.reasons),
        count=count,
        first_ms=tally.first_ns // 1_000_000,
        last_ms=tally.last_ns // 1_000_000,
    )
