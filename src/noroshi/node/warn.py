"""Warnings stage: looks at every picture when it is time, says what it predicts, and warns of own areas.

Each audience's warning comes from that audience's picture alone, so that what a partner may not have cannot show in
what it is told.
"""

from __future__ import annotations

from noroshi.clock import seconds
from noroshi.node import alerting, deciding, rows
from noroshi.node.events import Estimate, Event
from noroshi.node.outlook import Outlook, look_ahead
from noroshi.node.speak import say
from noroshi.node.work import Work
from noroshi.warning.lifecycle import apply

EAGER_S = 0.1
"""Least time between two looks at a young picture of which nobody has been warned: the moment must not wait."""

YOUNG_S = 20.0
"""How long a picture is young: after that a track is known well enough, or nothing hurries."""

WARNED_S = 2.0
"""Least time between two looks while a warning stands: it is updated no more often."""

STEP_S = 5.0
"""Least time between two looks otherwise, and the longest time without a look: lost tracks must be noticed."""

LOST_STEP_S = 30.0
"""Between two looks at a lost track without new evidence: nothing is predicted anew from what is known already."""

CLOSE_AFTER_S = 120.0
"""After its predicted fall (or its last observation, when it has none) an event is closed."""


def touched(work: Work, event: Event, audience: frozenset[str]) -> None:
    """A picture has new evidence: looks at once if its last look is long enough ago, else sets the timer for it."""
    due_ns = event.looked_ns.get(audience, 0) + seconds(_gap_s(work, event, audience))
    if work.now_ns >= due_ns:
        look(work, event, audience)
    else:
        name = timer_name(work, event, audience)
        work.timer(name, min(due_ns, work.state.timers.get(name, due_ns)))


def look(work: Work, event: Event, audience: frozenset[str]) -> None:
    """Looks at one audience's picture of an event: shows it, if it is our own, and says what has to be said.

    When it looks depends on this picture alone, so that what others know does not show in the timing either.
    """
    state = work.state
    estimate = event.picture(audience)
    if estimate is None or audience in event.over:
        return
    event.looked_ns[audience] = work.now_ns
    work.timer(timer_name(work, event, audience), work.now_ns + seconds(STEP_S))
    outlook = estimate.outlook
    if outlook is None or estimate.looked_ns != work.now_ns:
        outlook = look_ahead(estimate.filter, state.watch, state.genesis.rules, work.now_ns)
        estimate.outlook, estimate.looked_ns = outlook, work.now_ns
    if audience == state.own_audience:
        rows.show_picture(work, event, estimate, outlook)
    if outlook.lost:
        work.timer(timer_name(work, event, audience), work.now_ns + seconds(LOST_STEP_S))
    _warn(work, event, audience, estimate, outlook)
    _end_when_over(work, event, audience, outlook)


def _gap_s(work: Work, event: Event, audience: frozenset[str]) -> float:
    """Least time between two looks at a picture; depends on this picture alone."""
    warned = event.warnings.get(audience)
    if warned is not None and warned.phase == "standing":
        return WARNED_S
    young = work.now_ns - event.known_ns[audience] < seconds(YOUNG_S)
    return EAGER_S if young and warned is None else STEP_S


def timer_name(work: Work, event: Event, audience: frozenset[str]) -> str:
    """The timer of one picture."""
    return f"look:{event.number}:{work.state.picture_audiences().index(audience)}"


def due(work: Work, rest: str) -> None:
    """The timer of a picture has come due."""
    event, _, audience = rest.partition(":")
    look(work, work.state.events.events[int(event)], work.state.picture_audiences()[int(audience)])


def _warn(work: Work, event: Event, audience: frozenset[str], estimate: Estimate, outlook: Outlook) -> None:
    state = work.state
    if outlook.draft is None:
        return
    after, body = apply(
        event.warnings.get(audience),
        outlook.draft,
        outlook.observation,
        tuple(sorted(estimate.sensings)),
        tuple(sorted(estimate.partners)),
        state.genesis.rules,
        work.now_ns,
    )
    if after is not None:
        event.warnings[audience] = after
    if body is None:
        return
    alias = state.alias("event", event.number, audience)
    unit = state.genesis.assessing_unit
    message = say(work, "warning", unit, audience, body, event=alias, expires_ns=body.valid_until_ns)
    state.warnings[message.id] = f"{state.own}'s warning ({body.state})"
    if audience == state.own_audience:
        rows.show_warning(work, message, body)
        alerting.warned(work, event, body)
        if body.state == "issued":
            deciding.request_tasks(work, event.number, "a warning was issued")


def _end_when_over(work: Work, event: Event, audience: frozenset[str], outlook: Outlook) -> None:
    """Looks no more at a picture whose object must be down, or of which nothing was seen for long."""
    end_ns = outlook.fall.time_ns if outlook.fall is not None else outlook.last_observed_ns
    if work.now_ns <= max(end_ns, outlook.last_observed_ns) + seconds(CLOSE_AFTER_S):
        return
    event.over.add(audience)
    work.state.timers.pop(timer_name(work, event, audience), None)
    if audience == work.state.own_audience:
        rows.show_closed(work, event)
