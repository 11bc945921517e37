"""Warnings stage: looks at every picture when it is time, says what it predicts, and warns of own areas.

Each audience's warning comes from that audience's picture alone, so that what a partner may not have cannot show in
what it is told.
"""

from __future__ import annotations

from noroshi.clock import seconds
from noroshi.messages import KINDS
from noroshi.messages.bodies import WarningBody
from noroshi.node import alerting, deciding, rows
from noroshi.node.comparing import compare
from noroshi.node.events import Estimate, Event
from noroshi.node.outlook import Outlook, look_ahead
from noroshi.node.speak import say
from noroshi.node.state import Said
from noroshi.node.work import Work
from noroshi.sharing.reduced import tear_line
from noroshi.sharing.release import audience_name
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


def touched(work: Work, event: Event) -> None:
    """A picture has new evidence: looks at once if its last look is long enough ago, else sets the timer for it."""
    if event.audience not in work.state.picture_audiences():
        return
    due_ns = event.looked_ns + seconds(_gap_s(work, event))
    if work.now_ns >= due_ns:
        look(work, event)
    else:
        name = timer_name(work, event)
        work.timer(name, min(due_ns, work.state.timers.get(name, due_ns)))


def look(work: Work, event: Event) -> None:
    """Looks at one picture: shows it, if it is our own, and says to its audience what has to be said.

    When it looks depends on this picture alone, so that what others know does not show in the timing either.
    """
    state, estimate = work.state, event.estimate
    if event.over_ns is not None:
        return
    event.looked_ns = work.now_ns
    outlook = estimate.outlook
    if outlook is None or estimate.looked_ns != work.now_ns:
        outlook = look_ahead(estimate.filter, state.watch, state.genesis.rules, work.now_ns)
        estimate.outlook, estimate.looked_ns = outlook, work.now_ns
    seen = outlook is not None and not outlook.lost
    work.timer(timer_name(work, event), work.now_ns + seconds(STEP_S if seen else LOST_STEP_S))
    if outlook is not None:
        if event.audience == state.own_audience:
            rows.show_picture(work, event, estimate, outlook)
            compare(work, event)
        _warn(work, event, estimate, outlook)
    _end_when_over(work, event, outlook)


def _gap_s(work: Work, event: Event) -> float:
    """Least time between two looks at a picture; depends on this picture alone."""
    if event.warning is not None and event.warning.phase == "standing":
        return WARNED_S
    young = work.now_ns - event.known_ns < seconds(YOUNG_S)
    return EAGER_S if young and event.warning is None else STEP_S


def timer_name(work: Work, event: Event) -> str:
    """The timer of one picture. Says nothing of other audiences: timers of one instant act in the order of names."""
    return f"look:{audience_name(event.audience)}:{event.number}"


def due(work: Work, rest: str) -> None:
    """The timer of a picture has come due."""
    name, _, number = rest.partition(":")
    audience = frozenset(name.split("+"))
    if audience in work.state.picture_audiences():  # a changed policy may have ended it
        look(work, work.state.events.get(audience, int(number)))


def _warn(work: Work, event: Event, estimate: Estimate, outlook: Outlook) -> None:
    state = work.state
    if outlook.draft is None:
        return
    event.warning, body = apply(
        event.warning,
        outlook.draft,
        outlook.observation,
        tuple(sorted(estimate.sensings)),
        tuple(sorted(estimate.partners)),
        state.genesis.rules,
        work.now_ns,
    )
    if body is None:
        return
    if event.audience not in _warned_in_full(work):
        return
    message = say(
        work,
        "warning",
        state.genesis.assessing_unit,
        event.audience,
        body,
        event=state.event_alias(event),
        expires_ns=body.valid_until_ns,
    )
    if event.audience == state.own_audience:
        _declare(work, event, body)
    state.warnings[message.id] = Said(
        f"{state.own}'s warning ({body.state})", state.own_audience, work.now_ns
    )
    if event.audience == state.own_audience:
        rows.show_warning(work, message, body)
        alerting.warned(work, event, body)
        if body.state == "issued":
            deciding.request_tasks(work, event, "a warning was issued")


def _warned_in_full(work: Work) -> set[frozenset[str]]:
    """The audiences that are told all that their picture gives; others have a picture for other kinds only."""
    state = work.state
    audiences = state.policy.audiences(state.genesis.assessing_unit, KINDS["warning"].content)
    return {state.own_audience, *(one.partners for one in audiences if one.edition == "full")}


def _declare(work: Work, event: Event, body: WarningBody) -> None:
    """Warns those, by a tear-line, whom the policy wants warned of what they may not see: a declared release."""
    state = work.state
    unit = state.genesis.assessing_unit
    for audience in state.policy.audiences(unit, KINDS["warning"].content):
        if audience.edition == "declared":
            alias = state.alias("declared", event.number, audience.partners)
            line = tear_line(body, state.release_policy.grid)
            expires_ns = line.valid_until_ns
            say(
                work,
                "warning",
                unit,
                audience.partners,
                line,
                event=alias,
                expires_ns=expires_ns,
                declared=True,
            )


def _end_when_over(work: Work, event: Event, outlook: Outlook | None) -> None:
    """Looks no more at a picture whose object must be down, or of which nothing was seen for long."""
    end_ns = event.estimate.filter.last_observed_ns
    if outlook is not None and outlook.fall is not None:
        end_ns = max(end_ns, outlook.fall.time_ns)
    if work.now_ns <= end_ns + seconds(CLOSE_AFTER_S):
        return
    event.over_ns = work.now_ns
    work.state.timers.pop(timer_name(work, event), None)
    if event.audience == work.state.own_audience:
        rows.show_closed(work, event)
