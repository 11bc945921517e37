"""Proposed warnings: what a watch is asked, and which event of ours an answer is about.

event = proposal_of(state, body.case)            # None once it is answered, expired or dropped
"""

from __future__ import annotations

from noroshi.clock import seconds
from noroshi.command.posts import Task
from noroshi.messages.bodies import WarningBody
from noroshi.node import rows, tasks
from noroshi.node.events import Event
from noroshi.node.state import State
from noroshi.node.work import Work

AGREE = "warning-issue"
"""What a watch decides when a warning is proposed to it."""


def proposal_of(state: State, case: bytes) -> Event | None:
    """Our own event whose proposed warning has this case, while it waits for an answer."""
    for event in state.events.active(state.own_audience):
        if event.warning is not None and event.warning.phase == "proposed" and _case(state, event) == case:
            return event
    return None


def ask(work: Work, event: Event, body: WarningBody) -> None:
    """Puts a proposed warning of our own picture before the watch of the assessing unit, or any of ours."""
    state, rules = work.state, work.state.genesis.rules
    unit = state.genesis.assessing_unit
    deadline_ns = work.now_ns + seconds(rules.propose_for_s)
    names = ", ".join(sorted({area.region for area in body.areas}))
    otherwise = "dropped" if rules.propose_then == "drop" else "issued"
    posts = state.posts_with("watch", unit) or state.posts_with("watch")
    tasks.add(
        work,
        Task(
            id=_task_id(state, event, body.number),
            action="agree-warning",
            duty="watch",
            unit=state.posts[posts[0]].unit if posts else unit,
            posts=posts,
            title=f"Agree to warn {names}: {rows.BASIS_WORDS[body.basis]}; without an answer it is {otherwise}",
            deadline_ns=deadline_ns,
            audience=state.own_audience,
            event=state.event_alias(event),
            fields={
                "kind": "decision",
                "case": _case(state, event),
                "decision": AGREE,
                "step": "ruling",
                "deadline_ns": deadline_ns,
            },
        ),
    )


def close(work: Work, event: Event, number: int) -> None:
    """Nobody need answer any more. number: of the last message before the proposal."""
    tasks.close(work, _task_id(work.state, event, number), "done")


def _case(state: State, event: Event) -> bytes:
    return state.alias("proposal", event.number, event.audience)


def _task_id(state: State, event: Event, number: int) -> str:
    return f"agree:{_case(state, event).hex()}:{number}"
