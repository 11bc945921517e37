"""Warnings stage: looks at every picture when it is time, says what it predicts, and warns of own areas.

Each audience's warning comes from that audience's picture alone, so that what a partner may not have cannot show in
what it is told. Drafts and proposals are shown to the own staff and to nobody else; what a person answers to a proposal
counts for every audience that waits for the same answer, which is that person's own declared act.
"""

from __future__ import annotations

from noroshi.clock import seconds
from noroshi.messages import KINDS, Message
from noroshi.messages.bodies import DecisionBody, WarningBody
from noroshi.node import alerting, deciding, groups, noticing, own_areas, proposing, rows
from noroshi.node.comparing import compare
from noroshi.node.events import Estimate, Event
from noroshi.node.outlook import Outlook, look_ahead
from noroshi.node.speak import say
from noroshi.node.state import Said
from noroshi.node.work import Work
from noroshi.sharing.reduced import tear_line
from noroshi.sharing.release import audience_name
from noroshi.warning.draft import Evidence
from noroshi.warning.lifecycle import WarningState, answer, apply, is_inner, lose

EAGER_S = 0.1
"""Least time between two looks at a young picture of which nobody has been warned: the moment must not wait."""

YOUNG_S = 20.0
"""How long a picture is young: after that a track is known well enough, or nothing hurries."""

WARNED_S = 2.0
"""Least time between two looks while a warning stands or is proposed: it is updated no more often."""

STEP_S = 5.0
"""Least time between two looks otherwise, and the longest time without a look: lost tracks must be noticed."""

LOST_STEP_S = 30.0
"""Between two looks at a lost track without new evidence: nothing is predicted anew from what is known already."""

JUST_AFTER_NS = 1_000_000
"""A track is looked at so long after the moment from which on it counts as lost."""

CLOSE_AFTER_S = 120.0
"""After its predicted fall (or its last observation, when it has none) an event is closed."""


def touched(work: Work, event: Event) -> None:
    """A picture has new evidence: looks at once if its last look is long enough ago, else sets the timer for it."""
    if event.audience not in work.state.looked_audiences():
        return
    _expect(work, event)
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
        watch = own_areas.watch_for(state, estimate.filter.first_observed_ns)
        outlook = look_ahead(estimate.filter, watch, state.genesis.rules, work.now_ns)
        estimate.outlook, estimate.looked_ns = outlook, work.now_ns
    seen = outlook is not None and not outlook.lost
    work.timer(timer_name(work, event), work.now_ns + seconds(STEP_S if seen else LOST_STEP_S))
    if outlook is not None:
        if event.audience == state.own_audience:
            noticing.seen(work, event, estimate, outlook)
            rows.show_picture(work, event, estimate, outlook)
            compare(work, event)
        groups.picture(work, event, estimate, outlook)
        _warn(work, event, estimate, outlook)
    _end_when_over(work, event, outlook)


def _gap_s(work: Work, event: Event) -> float:
    """Least time between two looks at a picture; depends on this picture alone."""
    if event.warning is not None and (event.warning.stands or event.warning.phase == "proposed"):
        return WARNED_S
    young = work.now_ns - event.known_ns < seconds(YOUNG_S)
    told = event.warning is not None and event.warning.phase not in ("none", "draft")
    return EAGER_S if young and not told else STEP_S


def _expect(work: Work, event: Event) -> None:
    """Sets the timer that tells, to the moment, that nothing has been observed for too long."""
    rules = work.state.genesis.rules
    if rules.tells and event.over_ns is None:
        lost_ns = event.estimate.filter.last_observed_ns + seconds(rules.lost_after_s)
        work.timer(f"lost:{_place(event)}", max(lost_ns, work.now_ns) + JUST_AFTER_NS)


def _place(event: Event) -> str:
    return f"{audience_name(event.audience)}:{event.number}"


def timer_name(work: Work, event: Event) -> str:
    """The timer of one picture. Says nothing of other audiences: timers of one instant act in the order of names."""
    return f"look:{_place(event)}"


def due(work: Work, rest: str) -> None:
    """The timer of a picture has come due."""
    event = _event_at(work, rest)
    if event is not None:
        look(work, event)


def unanswered(work: Work, rest: str) -> None:
    """The time of a proposal is over: the rule says whether it is issued or dropped."""
    event = _event_at(work, rest)
    if event is not None:
        _answer(work, event, work.state.genesis.rules.propose_then != "drop", "nobody answered in time")


def agreed(work: Work, message: Message, body: DecisionBody) -> None:
    """A post of ours has agreed to a proposed warning, or declined it."""
    state, yes, post = work.state, body.outcome == "decided", message.envelope.post
    ours = proposing.proposal_of(state, body.case)
    if ours is None:  # `authority` has looked
        return
    for event in dict.fromkeys((ours, *ours.known_as.values())):
        _answer(work, event, yes, f"{post} {'agreed' if yes else 'declined'}")


def _event_at(work: Work, rest: str) -> Event | None:
    """The event that a timer names; None where a changed policy has ended the picture."""
    name, _, number = rest.partition(":")
    audience = frozenset(name.split("+"))
    if audience not in work.state.looked_audiences():
        return None
    return work.state.events.get(audience, int(number))


def _warn(work: Work, event: Event, estimate: Estimate, outlook: Outlook) -> None:
    rules, before = work.state.genesis.rules, event.warning
    if outlook.draft is not None:
        event.warning, body = apply(
            before,
            outlook.draft,
            outlook.observation,
            tuple(sorted(estimate.sensings)),
            tuple(sorted(estimate.partners)),
            rules,
            work.now_ns,
        )
        if body is not None:
            _told(work, event, before, body)
    before = event.warning
    track = estimate.filter
    evidence = Evidence(track.first_observed_ns, track.last_observed_ns, len(track))
    event.warning, body = lose(before, evidence, rules, work.now_ns)
    if body is not None:
        _told(work, event, before, body)


def _answer(work: Work, event: Event, yes: bool, why: str) -> None:
    before = event.warning
    event.warning, body = answer(before, yes, work.state.genesis.rules, work.now_ns)
    if body is None:
        return
    if event.audience == work.state.own_audience:
        rows.show_answer(work, event, yes, why)
    _told(work, event, before, body)


def _told(work: Work, event: Event, before: WarningState | None, body: WarningBody) -> None:
    """Shows what is only our own, and sends what is for the event's audience."""
    own = event.audience == work.state.own_audience
    if before is not None and before.phase == "proposed" and body.state != "proposed":
        work.state.timers.pop(f"agree:{_place(event)}", None)
        if own:
            proposing.close(work, event, before.number)
    if is_inner(before, body):
        if own:
            rows.show_draft(work, event, before, body)
        if body.state == "proposed" and (before is None or before.phase != "proposed"):
            deadline_ns = work.now_ns + seconds(work.state.genesis.rules.propose_for_s)
            work.timer(f"agree:{_place(event)}", deadline_ns)
            if own:
                proposing.ask(work, event, body)
        return
    _say_warning(work, event, body)


def _say_warning(work: Work, event: Event, body: WarningBody) -> None:
    state = work.state
    if event.audience != state.own_audience:
        groups.warned(work, event, body)
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
        groups.warned(work, event, body, message.id)
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
            edition = say(
                work,
                "warning",
                unit,
                audience.partners,
                line,
                event=alias,
                expires_ns=expires_ns,
                declared=True,
            )
            groups.torn(work, event, line, state.given_to(state.own, edition.id))


def _end_when_over(work: Work, event: Event, outlook: Outlook | None) -> None:
    """Looks no more at a picture whose object must be down, or of which nothing was seen for long."""
    end_ns = event.estimate.filter.last_observed_ns
    if outlook is not None and outlook.fall is not None:
        end_ns = max(end_ns, outlook.fall.time_ns)
    if work.now_ns <= end_ns + seconds(CLOSE_AFTER_S):
        return
    event.over_ns = work.now_ns
    groups.closed(work, event)
    for timer in ("look", "lost", "agree"):
        work.state.timers.pop(f"{timer}:{_place(event)}", None)
    if event.audience == work.state.own_audience:
        rows.show_closed(work, event)
