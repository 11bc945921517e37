"""Letting go of what can no longer matter, so that a node that runs for years stays small.

Once an hour, before the first input of the hour has its effect, and as of the full hour: whatever is hidden from an
audience can then not show in when something was let go. What is on the log stays there; what was seen stays known.
"""

from __future__ import annotations

from noroshi.clock import seconds
from noroshi.messages import KINDS
from noroshi.messages.kinds import DAY_S, YEAR_S
from noroshi.node import contradiction, early, groups, hazards, noticing, tasks
from noroshi.node.state import State
from noroshi.node.work import Work

EVERY_NS = seconds(3600.0)
"""Between two times: what grows in an hour is small, and going through all of it takes milliseconds."""

ANSWERED_FOR_NS = seconds(8 * DAY_S)
"""Warnings, alerts and consultations take answers for so long: after a week without a link, all that was said on the
other side still finds what it answers."""

RECALLED_FOR_NS = seconds(YEAR_S)
"""A recall waits for its answers for so long. Only posts recall, so there are few."""

TESTS_KEPT_NS = seconds(2 * DAY_S)
"""A test of readiness takes receipts for so long: a relay that was away over a night still gives them."""

ASKED_KEPT_NS = seconds(KINDS["event"].expiry_s)
"""A request that nobody has made is not asked for again for so long: its event is over by then."""


def hourly(work: Work) -> None:
    """Lets go of what is past, if this is the first input of the hour."""
    hour_ns = work.now_ns // EVERY_NS * EVERY_NS
    if hour_ns > work.state.pruned_ns:
        work.state.pruned_ns = hour_ns
        _prune(work, hour_ns)


def _prune(work: Work, now_ns: int) -> None:
    state = work.state
    needed: set[int] = set()
    for desk in state.desks.values():
        desk.prune(now_ns)
        needed |= desk.events
    state.warned = {key: one for key, one in state.warned.items() if one.valid_until_ns >= now_ns}
    state.heard_warnings = {key: one for key, one in state.heard_warnings.items() if one[0] >= now_ns}
    needed.update(state.warned)
    state.events.prune(now_ns, state.own_audience, needed)
    state.alerts = {
        key: one for key, one in state.alerts.items() if one.expires_ns + ANSWERED_FOR_NS >= now_ns
    }
    state.warnings = {
        key: one for key, one in state.warnings.items() if one.said_ns + ANSWERED_FOR_NS >= now_ns
    }
    state.cases = {
        key: one
        for key, one in state.cases.items()
        if one.state == "open" or one.deadline_ns + ANSWERED_FOR_NS >= now_ns
    }
    state.early = {
        of: kept
        for of, many in state.early.items()
        if (kept := [one for one in many if one[0] + early.KEPT_NS >= now_ns])
    }
    state.recalls = {
        key: one for key, one in state.recalls.items() if one.asked_ns + RECALLED_FOR_NS >= now_ns
    }
    contradiction.prune(state, now_ns)
    noticing.prune(state, now_ns)
    hazards.prune(state, now_ns)
    groups.prune(state, now_ns)
    state.reach.prune(state.alerts.keys() | state.warnings.keys())
    state.told = {
        key: one
        for key, one in state.told.items()
        if key in state.alerts or (one.purpose == "test" and one.sent_ns + TESTS_KEPT_NS >= now_ns)
    }
    state.chases = {key: one for key, one in state.chases.items() if key in state.alerts}
    for task_id in [task_id for task_id in state.tasks if _is_past(state, task_id, now_ns)]:
        tasks.close(work, task_id, "expired")
        del state.tasks[task_id]
        state.closed_tasks.discard(task_id)


def _is_past(state: State, task_id: str, now_ns: int) -> bool:
    """Whether what a task is about has been let go: nothing would come of doing it, and nobody asks for it again."""
    task = state.tasks[task_id]
    match task.action:
        case "acknowledge":
            message = task.fields["of"]
            held = message in state.alerts or message in state.warnings
            return not held and noticing.find(state, message) is None
        case "concur":
            return task.fields["case"] not in state.cases
        case "request":
            return task.deadline_ns + ASKED_KEPT_NS < now_ns
        case _:
            return all(desk.find(task.fields["subject"]) is None for desk in state.desks.values())
