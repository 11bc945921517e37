"""The life of a warning: a table, and one pure function that says what there is to say.

What a prediction threatens but does not yet know well enough is a draft, shown to the own staff and sent to nobody. A
warning is issued at once when it is known well enough, or proposed to somebody first where the rules ask for that; it is
updated when something that matters has changed, and ended for one of three reasons: it was false, better knowledge
superseded it, or the object was observed beyond (`passed`). A track that nobody observes any more is said to be lost.
Without news a warning lapses at its valid-until, which needs no message because every message names it. New words need
new evidence: a draft from the same or less evidence, a repeated or a late one changes nothing.

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

from msgspec import UNSET
from scipy.special import ndtri

from noroshi.clock import seconds
from noroshi.messages.bodies import FallRow, Ring, WarningBody
from noroshi.tracking import Observation
from noroshi.warning.draft import Draft, DraftArea, Evidence
from noroshi.warning.rules import WarningRules
from noroshi.warning.statements import Basis, basis, lost, passed

Phase = Literal["none", "draft", "proposed", "declined", "issued", "updated", "lapsed", "ended", "standing"]
"""`standing` is what older snapshots call a warning that was issued or updated."""

Step = Literal[
    "predict", "propose", "agree", "decline", "warn", "change", "refresh", "lose", "clear", "beyond", "withdraw",
    "run-out",
]  # fmt: skip
Say = Literal["draft", "propose", "drop", "issue", "update", "end", ""]
Reason = Literal["", "false", "superseded", "passed"]

TABLE: Mapping[tuple[Phase, Step], tuple[Phase, Say]] = MappingProxyType(
    {
        ("none", "predict"): ("draft", "draft"),
        ("none", "propose"): ("proposed", "propose"),
        ("none", "warn"): ("issued", "issue"),
        ("draft", "predict"): ("draft", "draft"),
        ("draft", "propose"): ("proposed", "propose"),
        ("draft", "warn"): ("issued", "issue"),
        ("draft", "clear"): ("none", "drop"),
        ("draft", "withdraw"): ("ended", "drop"),
        ("proposed", "propose"): ("proposed", "propose"),
        ("proposed", "agree"): ("issued", "issue"),
        ("proposed", "decline"): ("declined", "drop"),
        ("proposed", "warn"): ("issued", "issue"),
        ("proposed", "clear"): ("none", "drop"),
        ("proposed", "withdraw"): ("ended", "drop"),
        ("declined", "warn"): ("issued", "issue"),
        ("declined", "withdraw"): ("ended", ""),
        ("issued", "change"): ("updated", "update"),
        ("issued", "refresh"): ("updated", "update"),
        ("issued", "lose"): ("updated", "update"),
        ("issued", "clear"): ("ended", "end"),
        ("issued", "beyond"): ("ended", "end"),
        ("issued", "withdraw"): ("ended", "end"),
        ("issued", "run-out"): ("lapsed", ""),
        ("updated", "change"): ("updated", "update"),
        ("updated", "refresh"): ("updated", "update"),
        ("updated", "lose"): ("updated", "update"),
        ("updated", "clear"): ("ended", "end"),
        ("updated", "beyond"): ("ended", "end"),
        ("updated", "withdraw"): ("ended", "end"),
        ("updated", "run-out"): ("lapsed", ""),
        ("lapsed", "warn"): ("updated", "update"),
        ("lapsed", "beyond"): ("ended", "end"),
        ("lapsed", "withdraw"): ("ended", "end"),
        ("ended", "propose"): ("proposed", "propose"),
        ("ended", "warn"): ("issued", "issue"),
    }
)
"""(phase, what has come) -> (phase, what is said). What is not here changes nothing and says nothing."""

STANDING: frozenset[Phase] = frozenset({"issued", "updated", "standing"})
"""Phases in which partners and public may rely on the warning."""

INNER: frozenset[Phase] = frozenset({"draft", "proposed"})
"""Phases of which only the own staff are told."""

WINDOW_MOVED_NS = seconds(10.0)
"""A time window that moved by more than this at either end is worth an update."""

CLASSES = (0.5, 0.9)
"""Bounds of the classes of probability: possible, likely, all but certain."""

CLASS_MARGIN = 0.05
"""How far beyond a bound a probability must go to change its class: one that sits on a bound says nothing new."""


BOUND_SIGMAS = 2.0
"""How many of the largest errors with which anybody is warned (`warn_sigma_m`) an area may lie beyond the true strip."""

REACHED_M = 100_000.0
"""An area whose entry is nearer than this to the estimate counts as reached: no late doubt takes it out."""


@dataclass(frozen=True, slots=True)
class WarningState:
    """What was last said of one event to one audience, and what it rested on.

    number: of the last message that was sent, 0 before the first; lost: whether it said that nobody observes the object.
    """

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
    lost: bool = False

    @property
    def basis(self) -> Basis:
        """How well it is founded."""
        return basis(self.sensings, self.partners)

    @property
    def stands(self) -> bool:
        """Whether it was issued and neither ended nor lapsed."""
        return self.phase in STANDING


def apply(
    state: WarningState | None,
    draft: Draft,
    observation: Observation | None,
    sensings: Sequence[str],
    partners: Sequence[str],
    rules: WarningRules,
    now_ns: int,
) -> tuple[WarningState | None, WarningBody | None]:
    """The state after a new look at an event, and what there is to say, if there is something.

    state: what was said before, None at first; observation: the newest measured position, None when there is none;
    sensings and partners: of the evidence. Late, repeated and out-of-order drafts leave all as it is. The body of a
    draft or a proposal, and of its being dropped, is for the own staff: see `is_inner`.
    """
    state = _today(state)
    if state is not None and state.stands and now_ns > state.valid_until_ns:
        state = _moved(state, "run-out")
    known = _known(state, observation, now_ns)
    if state is not None and (state.stands or state.phase == "lapsed") and known is not None:
        ended = _beyond(state, draft, known, rules)
        if ended is not None:
            return ended, _body(ended, now_ns)
    if state is not None and not _newer(draft.evidence, state.evidence):
        return state, None
    step, areas = _step(state, draft, known, sensings, partners, rules, now_ns)
    phase = state.phase if state is not None else "none"
    if step is None or (phase, step) not in TABLE or _stays_withdrawn(state):
        return state, None
    after, says = TABLE[phase, step]
    if step == "clear":
        assert state is not None  # only what was said can be cleared
        gone = replace(_moved(state, step), number=state.number + (says == "end"), reason="superseded",
                       evidence=draft.evidence)  # fmt: skip
        return gone, _body(replace(gone, phase="ended"), now_ns)
    before = state.number if state is not None else 0
    said = WarningState(
        phase=after,
        number=before if after in INNER else before + 1,
        areas=areas,
        evidence=draft.evidence,
        sensings=tuple(sensings),
        partners=tuple(partners),
        valid_until_ns=_valid_until(areas, rules, now_ns),
        corridor=_corridor(state, draft, areas),
        fall=draft.fall,
    )
    return said, _body(said, now_ns)


def lose(
    state: WarningState | None, evidence: Evidence, rules: WarningRules, now_ns: int
) -> tuple[WarningState | None, WarningBody | None]:
    """Says once of a standing warning that its object is lost: nobody has observed it for `lost_after_s`.

    evidence: all that there is. Areas, windows and valid-until stay as they were said: that nobody looks does not end a
    danger. Nothing is said of a warning that runs out now, or by rules of an older edition.
    """
    state = _today(state)
    if state is None or state.lost or (state.phase, "lose") not in TABLE or not rules.tells:
        return state, None
    newest = evidence if _newer(evidence, state.evidence) else state.evidence
    if now_ns > state.valid_until_ns or not lost(newest.last_observed_ns, now_ns, rules):
        return state, None
    said = replace(_moved(state, "lose"), number=state.number + 1, evidence=newest, lost=True)
    return said, _body(said, now_ns)


def answer(
    state: WarningState | None, agreed: bool, rules: WarningRules, now_ns: int
) -> tuple[WarningState | None, WarningBody | None]:
    """Issues a proposal or drops it, because somebody who may said so, or the rule did when its time was over.

    Nothing to say when nothing is proposed. What was declined is issued later only if it is founded better by then.
    """
    state = _today(state)
    step: Step = "agree" if agreed else "decline"
    if state is None or (state.phase, step) not in TABLE:
        return state, None
    after = _moved(state, step)
    if not agreed:
        return after, _body(replace(after, phase="ended", reason="superseded"), now_ns)
    issued = replace(after, number=state.number + 1, valid_until_ns=_valid_until(after.areas, rules, now_ns))
    return issued, _body(issued, now_ns)


def is_inner(before: WarningState | None, body: WarningBody) -> bool:
    """Whether a body is for the own staff alone: a draft, a proposal, or the end of one. before: the state before it."""
    return body.state in INNER or (body.state == "ended" and before is not None and before.phase in INNER)


def withdraw(
    state: WarningState | None, reason: Literal["false", "superseded"], now_ns: int
) -> tuple[WarningState | None, WarningBody | None]:
    """Ends a warning because a person or a merged event says so. Nothing to say when none stands or it has ended.

    A warning that was withdrawn as false is not issued again for the same event.
    """
    state = _today(state)
    if state is None or (state.phase, "withdraw") not in TABLE:
        return state, None
    says = TABLE[state.phase, "withdraw"][1]
    ended = replace(_moved(state, "withdraw"), number=state.number + (says == "end"), reason=reason)
    return ended, _body(ended, now_ns) if says else None


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
    if state is None or not state.stands:
        return _first_step(state, draft, observation, basis(sensings, partners), rules, now_ns)
    areas = _areas(state.areas, draft, observation, rules, now_ns)
    if not areas:
        return "clear", ()
    if state.lost or _changed(state, areas, basis(sensings, partners)):
        return "change", areas
    running_out = state.valid_until_ns - now_ns < seconds(rules.refresh_s)
    return ("refresh" if running_out and any(area.row.to_ns > now_ns for area in areas) else None), areas


def _first_step(
    state: WarningState | None,
    draft: Draft,
    observation: Observation | None,
    now: Basis,
    rules: WarningRules,
    now_ns: int,
) -> tuple[Step | None, tuple[DraftArea, ...]]:
    """While nothing stands: whether there is something to warn of, to propose, to draft, or to drop."""
    phase = state.phase if state is not None else "none"
    areas = _areas((), draft, observation, rules, now_ns)
    asks = rules.must_propose(now) and phase != "lapsed"
    if areas and not asks:
        return "warn", areas
    if areas and phase == "declined":
        return None, areas
    if areas:
        changed = state is None or phase != "proposed" or _changed(state, areas, now)
        return ("propose" if changed else None), areas
    if not rules.tells or phase not in ("none", *INNER):
        return None, ()
    doubtful = tuple(area for area in draft.areas if not _behind(area, observation, rules))
    if phase == "proposed":
        return (None, ()) if doubtful else ("clear", ())
    if not doubtful:
        return ("clear" if phase == "draft" else None), ()
    changed = state is None or phase == "none" or _changed(state, doubtful, now)
    return ("predict" if changed else None), doubtful


def _areas(
    standing: Sequence[DraftArea],
    draft: Draft,
    observation: Observation | None,
    rules: WarningRules,
    now_ns: int,
) -> tuple[DraftArea, ...]:
    """What a warning would name now: standing areas that still hold, and new ones that are sure enough."""
    drafted = {area.key: area for area in (*draft.near, *draft.areas)}
    kept = []
    for old in standing:
        if _reached(old, draft, now_ns):
            kept.append(old)
        elif old.key in drafted:
            kept.append(drafted[old.key])
    if any(area.exit is None for area in kept):
        kept = [area for area in kept if not _behind(area, observation, rules)]
    old_keys = {area.key for area in standing}
    fresh = [
        area
        for area in draft.areas
        if area.key not in old_keys
        and area.sigma_m <= _most_sigma_m(area, rules)
        and not _behind(area, observation, rules)
    ]
    if draft.evidence.updates < rules.minimum_updates:
        fresh = []
    return tuple(sorted([*kept, *fresh], key=lambda area: (area.row.from_ns, area.key)))


def _most_sigma_m(area: DraftArea, rules: WarningRules) -> float:
    """How unsure the prediction may be there for the area to be newly warned.

    The less probable it is, the surer: an area that lies z sigmas beside what is warned, z being the quantile of its
    probability, is warned only where two sigmas more stay within two of `warn_sigma_m`, which is the over-warning bound.
    Rules of the first edition take any.
    """
    if not rules.tells:
        return rules.warn_sigma_m
    beside = max(float(ndtri(1.0 - area.row.probability)), 0.0) if area.row.probability < 1.0 else 0.0
    return rules.warn_sigma_m * BOUND_SIGMAS / (BOUND_SIGMAS + beside)


def _behind(area: DraftArea, observation: Observation | None, rules: WarningRules) -> bool:
    return observation is not None and passed((area,), observation, rules)


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
    said = state.areas if state is not None and state.stands else ()
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


def _today(state: WarningState | None) -> WarningState | None:
    """A state out of an older snapshot, in the words of today."""
    if state is None or state.phase != "standing":
        return state
    return replace(state, phase="issued" if state.number == 1 else "updated")


def _valid_until(areas: Sequence[DraftArea], rules: WarningRules, now_ns: int) -> int:
    """`valid_s` from now, or the end of the last window, whichever is later."""
    return max(now_ns + seconds(rules.valid_s), *(area.row.to_ns for area in areas))


def _body(state: WarningState, now_ns: int) -> WarningBody:
    ended = state.phase == "ended"
    names: Mapping[Phase, Literal["draft", "proposed", "issued", "ended"]] = {
        "draft": "draft", "proposed": "proposed", "issued": "issued", "ended": "ended",
    }  # fmt: skip
    return WarningBody(
        number=state.number,
        state=names.get(state.phase, "updated"),
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
        lost=True if state.lost and not ended else UNSET,
    )
