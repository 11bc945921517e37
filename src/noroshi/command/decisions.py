"""Consultations and other decisions: asked for, agreed to by each nation for itself, recorded with their outcome.

There is no common commander: a case is `decided` when every needed nation has concurred for itself, `refused` as
soon as one refuses or when the deadline passes with somebody silent. The unit that convenes records the outcome;
it decides for nobody.

    case = opened(...)
    case = apply(case, Concurrence("KOR", "kr-mnd", "kr-mnd.duty", "concur", now_ns))
    case.state                               # 'open', 'decided' or 'refused'
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec.structs import replace

State = Literal["open", "decided", "refused"]
Step = Literal["concur", "last-concur", "refuse", "deadline"]


class Concurrence(msgspec.Struct, frozen=True):
    """One nation's answer, for itself: which unit and post gave it, and when."""

    partner: str
    unit: str
    post: str
    outcome: Literal["concur", "refuse"]
    time_ns: int


class Case(msgspec.Struct, frozen=True):
    """One decision in progress. needed: the partners that must answer; body: the unit that convenes."""

    id: bytes
    decision: str
    body: str
    requested_by: str
    requested_ns: int
    deadline_ns: int
    needed: frozenset[str]
    audience: frozenset[str]
    event: bytes = b""
    state: State = "open"
    closed_ns: int = 0
    recorded: bool = False
    answers: tuple[Concurrence, ...] = ()

    @property
    def missing(self) -> frozenset[str]:
        """Partners that have not answered."""
        return self.needed - {answer.partner for answer in self.answers}


TABLE: Mapping[tuple[State, Step], State] = MappingProxyType(
    {
        ("open", "concur"): "open",
        ("open", "last-concur"): "decided",
        ("open", "refuse"): "refused",
        ("open", "deadline"): "refused",
    }
)
"""All steps that change or keep a case; in any other state nothing does."""


def answer_defect(case: Case, answer: Concurrence) -> str:
    """Why an answer does not count, or an empty text."""
    if case.state != "open":
        return "case-closed"
    if answer.partner not in case.needed:
        return "not-asked"
    if any(one.partner == answer.partner for one in case.answers):
        return "already-answered"
    return "late" if answer.time_ns > case.deadline_ns else ""


def apply(case: Case, answer: Concurrence) -> Case:
    """The case after one nation's answer. Answers that `answer_defect` names leave it as it is."""
    if answer_defect(case, answer):
        return case
    answers = (*case.answers, answer)
    last = answer.outcome == "concur" and len(answers) == len(case.needed)
    state = TABLE[case.state, "last-concur" if last else answer.outcome]
    closed_ns = 0 if state == "open" else answer.time_ns
    return replace(case, answers=answers, state=state, closed_ns=closed_ns)


def expire(case: Case, now_ns: int) -> Case:
    """The case at `now_ns`: refused when it is still open at its deadline."""
    if now_ns < case.deadline_ns or (case.state, "deadline") not in TABLE:
        return case
    return replace(case, state=TABLE[case.state, "deadline"], closed_ns=now_ns)


def close(case: Case, outcome: Literal["decided", "refused"], now_ns: int) -> Case:
    """The case as the convening unit recorded it."""
    return replace(case, state=outcome, closed_ns=case.closed_ns or now_ns, recorded=True)
