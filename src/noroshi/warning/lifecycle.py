"""The life of a warning: a table, and one pure function that says what there is to say.

A warning is issued, updated when something that matters has changed, and ended for one of three reasons: it was
false, better knowledge superseded it, or the object was observed beyond (`passed`). Without news it lapses at its
valid-until, which needs no message because every message names it. New words need new evidence: a draft from the same
or less evidence, a repeated or a late one changes nothing.

    state, body = apply(None, Draft(...), None, ("radar",), ("JPN",), rules, now_ns)
    body.state                               # 'issued'
    state, body = withdraw(state, "false", now_ns)
    body.state, body.reason                  # ('ended', 'false')
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

from noroshi.clock import seconds
from noroshi.messages.bodies import FallRow, Ring, WarningBody
from noroshi.tracking import Observation
from noroshi.warning.draft import Draft, DraftArea, Evidence
from noroshi.warning.rules import WarningRules
from noroshi.warning.statements import Basis, basis, passed

Phase = Literal["none", "standing", "lapsed", "ended"]
Step = Literal["warn", "change", "refresh", "clear", "beyond", "withdraw", "run-out"]
Say = Literal["issue", "update", "end", ""]
Reason = Literal["", "false", "superseded", "passed"]

TABLE: Mapping[tuple[Phase, Step], tuple[Phase, Say]] = MappingProxyType(
    {
        ("none", "warn"): ("standing", "issue"),
        ("standing", "change"): ("standing", "update"),
        ("standing", "refresh"): ("standing", "update"),
        ("standing", "clear"): ("ended", "end"),
        ("standing", "beyond"): ("ended", "end"),
        ("standing", "withdraw"): ("ended", "end"),
        ("standing", "run-out"): ("lapsed", ""),
        ("lapsed", "warn"): ("standing", "update"),
        ("lapsed", "beyond"): ("ended", "end"),
        ("lapsed", "withdraw"): ("ended", "end"),
        ("ended", "warn"): ("standing", "issue"),
    }
)
"""(phase, what has come) -> (phase, what is said). What is not here changes nothing and says nothing."""

WINDOW_MOVED_NS = seconds(10.0)
"""A time window that moved by more than this at either end is worth an update."""

CLASSES = (0.5, 0.9)
"""Bounds of the classes of probability: possible, likely, all but certain."""

CLASS_MARGIN = 0.05
"""How far beyond a bound a probability must go to change its class: one that sits on a bound says nothing new."""


REACHED_M = 100_000.0
"""An area whose entry is nearer than this to the estimate counts as reached: no late doubt takes it out."""


@dataclass(frozen=True, slots=True)
class WarningState:
    """What was last said of one event to one audience, and what it rested on."""

    phase: Phase
    number: int
    areas: tuple[DraftArea, ...]
    evidence: Evidence
    sensings: tuple[str, ...]
    partners: tuple[str, ...]
    valid_until_ns: int
    corridor: tuple[Ring, ...] = ()
    fall: FallRow | None = None
    reason: Reason = ""

    @property
    def basis(self) -> Basis:
        """How well it is founded."""
        return basis(self.sensings, self.partners)


def apply(
    state: WarningState | None,
    draft: Draft,
    observation: Observation | None,
    sensings: Sequence[str],
    partners: Sequence[str],
    rules: WarningRules,
    now_ns: int,
) -> tuple[WarningState | None, WarningBody | None]:
    """The state after a new look at an event, and the warning to be signed, if there is one.

    state: what was said before, None at first; observation: the newest measured position, None when there is none;
    sensings and partners: of the evidence. Late, repeated and out-of-order drafts leave all as it is.
    """
    if state is not None and state.phase == "standing" and now_ns > state.valid_until_ns:
        state = _moved(state, "run-out")
    known = _known(state, observation, now_ns)
    if state is not None and state.phase in ("standing", "lapsed") and known is not None:
        ended = _beyond(state, draft, known, rules)
        if ended is not None:
            return ended, _body(ended, now_ns)
    if state is not None and not _newer(draft.evidence, state.evidence):
        return state, None
    step, areas = _step(state, draft, known, sensings, partners, rules, now_ns)
    phase = state.phase if state is not None else "none"
    if step is None or (phase, step) not in TABLE or _stays_withdrawn(state):
        return state, None
    after, _ = TABLE[phase, step]
    if after == "ended" and state is not None:
        ended = replace(
            _moved(state, step), number=state.number + 1, reason="superseded", evidence=draft.evidence
        )
        return ended, _body(ended, now_ns)
    said = WarningState(
        phase=after,
        number=1 if state is None else state.number + 1,
        areas=areas,
        evidence=draft.evidence,
        sensings=tuple(sensings),
        partners=tuple(partners),
        valid_until_ns=_valid_until(areas, rules, now_ns),
        corridor=_corridor(state, draft, areas),
        fall=draft.fall,
    )
    return said, _body(said, now_ns, first=TABLE[phase, step][1] == "issue")


def withdraw(
    state: WarningState | None, reason: Literal["false", "superseded"], now_ns: int
) -> tuple[WarningState | None, WarningBody | None]:
    """Ends a warning because a person or a merged event says so. Nothing to say when none stands or it has ended.

    A warning that was withdrawn as false is not issued again for the same event.
    """
    if state is None or (state.phase, "withdraw") not in TABLE:
        return state, None
    ended = replace(_moved(state, "withdraw"), number=state.number + 1, reason=reason)
    return ended, _body(ended, now_ns)


def diagram() -> tuple[tuple[str, str, str, str], ...]:
    """The rows of the life cycle for the manual: phase, what comes, next phase, what is said."""
    return tuple((phase, step, after, say) for (phase, step), (after, say) in TABLE.items())


def _step(
    state: WarningState | None,
    draft: Draft,
    observation: Observation | None,
    sensings: Sequence[str],
    partners: Sequence[str],
    rules: WarningRules,
    now_ns: int,
) -> tuple[Step | None, tuple[DraftArea, ...]]:
    standing = state.areas if state is not None and state.phase == "standing" else ()
    areas = _areas(standing, draft, observation, rules, now_ns)
    if not standing:
        return ("warn" if areas else None), areas
    assert state is not None  # it has areas
    if not areas:
        return "clear", ()
    if _changed(state, areas, basis(sensings, partners)):
        return "change", areas
    running_out = state.valid_until_ns - now_ns < seconds(rules.refresh_s)
    return ("refresh" if running_out and any(area.row.to_ns > now_ns for area in areas) else None), areas


def _areas(
    standing: Sequence[DraftArea],
    draft: Draft,
    observation: Observation | None,
    rules: WarningRules,
    now_ns: int,
) -> tuple[DraftArea, ...]:
    """What a warning would name now: standing areas that still hold, and new ones that are sure enough."""

    def behind(area: DraftArea) -> bool:
        return observation is not None and passed((area,), observation, rules)

    drafted = {area.key: area for area in (*draft.near, *draft.areas)}
    kept = []
    for old in standing:
        if _reached(old, draft, now_ns):
            kept.append(old)
        elif old.key in drafted:
            kept.append(drafted[old.key])
    if any(area.exit is None for area in kept):
        kept = [area for area in kept if not behind(area)]
    old_keys = {area.key for area in standing}
    fresh = [
        area
        for area in draft.areas
        if area.key not in old_keys and area.sigma_m <= rules.warn_sigma_m and not behind(area)
    ]
    if draft.evidence.updates < rules.minimum_updates:
        fresh = []
    return tuple(sorted([*kept, *fresh], key=lambda area: (area.row.from_ns, area.key)))


def _reached(area: DraftArea, draft: Draft, now_ns: int) -> bool:
    """Whether the object has come to a standing area, or its time is over: it stays as it was last said.

    What then leaves the draft leaves because it lies behind, and no prediction may say that it has been passed: the
    area stays until an observation does, or until the warning lapses.
    """
    if area.row.to_ns <= now_ns:
        return True
    if area.entry is None:
        return False
    gap = zip(draft.start.point_m, area.entry.point_m, area.entry.heading, strict=True)
    return sum((at - entry) * heading for at, entry, heading in gap) >= -REACHED_M


def _corridor(state: WarningState | None, draft: Draft, areas: Sequence[DraftArea]) -> tuple[Ring, ...]:
    """The draft's corridor, and the one that was said before for areas that stand as they were said."""
    said = state.areas if state is not None and state.phase == "standing" else ()
    if state is None or not any(area is old for area in areas for old in said):
        return draft.corridor
    new = {area.key for area in areas} - {old.key for old in said}
    return (*state.corridor, *draft.corridor) if new else state.corridor


def _changed(state: WarningState, areas: Sequence[DraftArea], now: Basis) -> bool:
    before = {area.key: area.row for area in state.areas}
    if before.keys() != {area.key for area in areas} or state.basis != now:
        return True
    for area in areas:
        old, new = before[area.key], area.row
        moved_ns = max(abs(new.from_ns - old.from_ns), abs(new.to_ns - old.to_ns))
        if moved_ns > WINDOW_MOVED_NS or _crossed(old.probability, new.probability):
            return True
    return False


def _crossed(old: float, new: float) -> bool:
    return any(
        (old < bound and new >= bound + CLASS_MARGIN) or (old >= bound and new < bound - CLASS_MARGIN)
        for bound in CLASSES
    )


def _beyond(
    state: WarningState, draft: Draft, observation: Observation, rules: WarningRules
) -> WarningState | None:
    """The end by an observation beyond all areas of passing over; None while one is not passed, or a fall stands."""
    if any(area.exit is None for area in state.areas) or not passed(state.areas, observation, rules):
        return None
    evidence = replace(
        state.evidence, last_observed_ns=max(state.evidence.last_observed_ns, observation.time_ns),
        updates=max(state.evidence.updates, draft.evidence.updates),
    )  # fmt: skip
    return replace(_moved(state, "beyond"), number=state.number + 1, reason="passed", evidence=evidence)


def _known(state: WarningState | None, observation: Observation | None, now_ns: int) -> Observation | None:
    """The observation, if it can be one: not from the future, and not older than what was already known."""
    if observation is None or observation.time_ns > now_ns:
        return None
    return observation if state is None or observation.time_ns >= state.evidence.first_observed_ns else None


def _newer(new: Evidence, old: Evidence) -> bool:
    if new.last_observed_ns < old.last_observed_ns:
        return False
    return new.last_observed_ns > old.last_observed_ns or new.updates > old.updates


def _stays_withdrawn(state: WarningState | None) -> bool:
    return state is not None and state.phase == "ended" and state.reason == "false"


def _moved(state: WarningState, step: Step) -> WarningState:
    return replace(state, phase=TABLE[state.phase, step][0])


def _valid_until(areas: Sequence[DraftArea], rules: WarningRules, now_ns: int) -> int:
    """`valid_s` from now, or the end of the last window, whichever is later."""
    return max(now_ns + seconds(rules.valid_s), *(area.row.to_ns for area in areas))


def _body(state: WarningState, now_ns: int, *, first: bool = False) -> WarningBody:
    ended = state.phase == "ended"
    return WarningBody(
        number=state.number,
        state="ended" if ended else "issued" if first else "updated",
        basis=state.basis,
        sensings=sorted(set(state.sensings)),
        partners=sorted(set(state.partners)),
        first_observed_ns=state.evidence.first_observed_ns,
        last_observed_ns=state.evidence.last_observed_ns,
        valid_until_ns=max(state.valid_until_ns, now_ns) if ended else state.valid_until_ns,
        areas=[area.row for area in state.areas],
        corridor=list(state.corridor),
        fall=state.fall,
        reason=state.reason,
    )
