"""Decisions stage: requests, each nation's concurrence for itself, and the record of the outcome.

Who may do what is read from the structure in force; whoever is not listed there has no authority.
"""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from noroshi.clock import seconds
from noroshi.command import decisions
from noroshi.command.decisions import Case, Concurrence
from noroshi.command.posts import Task
from noroshi.messages import Message
from noroshi.messages.bodies import DecisionBody
from noroshi.messages.kinds import Lane
from noroshi.node import tasks
from noroshi.node.events import Event
from noroshi.node.inputs import PostRow
from noroshi.node.speak import say
from noroshi.node.work import MS_PER_NS, Work


def asked(work: Work, message: Message, body: DecisionBody) -> None:
    """A consultation is asked for: opens the case and asks the own post that must answer."""
    state, envelope = work.state, message.envelope
    case = Case(
        id=body.case,
        decision=body.decision,
        body=body.body,
        requested_by=envelope.post,
        requested_ns=envelope.time_ns,
        deadline_ns=body.deadline_ns or work.now_ns + seconds(state.genesis.rules.concur_within_s),
        needed=state.sitting(body.body),
        audience=envelope.label.audience,
        event=envelope.event,
    )
    state.cases[case.id] = case
    tasks.close(work, f"request:{case.id.hex()}", "done")
    says = f"{envelope.origin}: {envelope.post} asked {case.body}: {_title(work, case)}"
    show_step(work, message, body, says)
    show_case(work, case)
    work.timer(timer_name(case.id), case.deadline_ns)
    if state.own in case.needed:
        _ask_own(work, case)


def answered(work: Work, message: Message, body: DecisionBody) -> None:
    """A nation's member has concurred or refused, for itself."""
    state, envelope = work.state, message.envelope
    outcome: Literal["concur", "refuse"] = "refuse" if body.outcome == "refuse" else "concur"
    answer = Concurrence(envelope.origin, body.unit, envelope.post, outcome, envelope.time_ns)
    state.cases[body.case] = case = decisions.apply(state.cases[body.case], answer)
    verb = "refused" if outcome == "refuse" else "concurred"
    show_step(work, message, body, f"{envelope.origin}: {envelope.post} {verb}: {_title(work, case)}")
    if envelope.origin == state.own:
        tasks.close(work, f"concur:{case.id.hex()}", "done")
    elif case.state != "open":
        tasks.close(work, f"concur:{case.id.hex()}", "expired")
    conclude(work, case)


def due(work: Work, case_id: bytes) -> None:
    """The deadline of a case has come."""
    case = work.state.cases.get(case_id)
    if case is not None and case.state == "open":
        work.state.cases[case_id] = case = decisions.expire(case, work.now_ns)
        tasks.close(work, f"concur:{case.id.hex()}", "expired")
        conclude(work, case)


def conclude(work: Work, case: Case) -> None:
    """Shows the case; where the convening unit is served here, records the outcome for all."""
    state = work.state
    if case.state != "open":
        state.timers.pop(timer_name(case.id), None)
    if (
        case.state != "open"
        and not case.recorded
        and state.genesis.nodes.get(case.body) == state.genesis.node
    ):
        body = DecisionBody(
            case=case.id,
            decision=case.decision,
            step="ruling",
            unit=case.body,
            outcome="decided" if case.state == "decided" else "refused",
            body=case.body,
        )
        message = say(work, "decision", case.body, case.audience, body, event=case.event)
        state.cases[case.id] = case = replace(case, recorded=True)
        show_step(work, message, body, _outcome_sentence(work, case))
    show_case(work, case)


def timer_name(case: bytes) -> str:
    """The timer of a case's deadline."""
    return f"decision:{case.hex()}"


def recorded(work: Work, message: Message, body: DecisionBody) -> None:
    """The convening unit's record of the outcome has come."""
    outcome: Literal["decided", "refused"] = "decided" if body.outcome == "decided" else "refused"
    case = decisions.close(work.state.cases[body.case], outcome, message.envelope.time_ns)
    work.state.cases[case.id] = case
    work.state.timers.pop(timer_name(case.id), None)
    tasks.close(work, f"concur:{case.id.hex()}", "expired")
    show_step(work, message, body, _outcome_sentence(work, case))
    show_case(work, case)


def request_tasks(work: Work, event: Event, trigger: str) -> None:
    """Asks the own posts with the duty `request:<decision>` to ask for it, once per event."""
    for post in work.state.posts.values():
        for duty in post.duties:
            word, _, decision = duty.partition(":")
            if word == "request" and post.unit in work.state.able(decision, "propose", "decide"):
                _ask_to_request(work, event, post, decision, trigger)


def _ask_to_request(work: Work, event: Event, post: PostRow, decision: str, trigger: str) -> None:
    state = work.state
    body = min(state.able(decision, "convene"), default="")
    audience = state.sitting(body)
    case = state.alias(f"case {decision}", event.number, audience)
    task_id = f"request:{case.hex()}"
    if not audience or task_id in state.tasks:
        return
    deadline_ns = work.now_ns + seconds(state.genesis.rules.concur_within_s)
    work.timer(f"task:{task_id}", deadline_ns)
    tasks.add(
        work,
        Task(
            id=task_id,
            action="request",
            duty="request",
            unit=post.unit,
            posts=(post.id,),
            title=f"{state.title_of(decision)}: {trigger}",
            deadline_ns=deadline_ns,
            audience=audience,
            event=state.alias_towards(event, audience),
            fields={
                "kind": "decision",
                "case": case,
                "decision": decision,
                "step": "request",
                "body": body,
                "deadline_ns": deadline_ns,
            },
        ),
    )


def _ask_own(work: Work, case: Case) -> None:
    state = work.state
    able = [post for post in state.posts_with("concur") if state.posts[post].unit in state.members(case.body)]
    tasks.add(
        work,
        Task(
            id=f"concur:{case.id.hex()}",
            action="concur",
            duty="concur",
            unit=state.posts[able[0]].unit if able else "",
            posts=tuple(able[:1]),
            title=f"Concur or refuse, for {state.own}: {_title(work, case)}",
            deadline_ns=case.deadline_ns,
            audience=case.audience,
            event=case.event,
            fields={
                "kind": "decision",
                "case": case.id,
                "decision": case.decision,
                "step": "concurrence",
                "body": case.body,
                "deadline_ns": case.deadline_ns,
            },
        ),
    )


def show_step(work: Work, message: Message, body: DecisionBody, says: str) -> None:
    """The staff's row of one step."""
    envelope = message.envelope
    work.show_row(
        {
            "type": "decision",
            "time_ms": work.now_ms,
            "says": says,
            "case": body.case.hex(),
            "decision": body.decision,
            "title": work.state.title_of(body.decision),
            "step": body.step,
            "outcome": body.outcome,
            "unit": body.unit,
            "partner": envelope.origin,
            "post": envelope.post,
            "deadline_ms": body.deadline_ns // MS_PER_NS,
        },
        Lane.DECISION,
    )


def show_case(work: Work, case: Case) -> None:
    """The staff's row of a whole case."""
    name = case.id.hex()
    work.show_row(
        {
            "type": "decision-status",
            "time_ms": work.now_ms,
            "says": "",
            "case": name,
            "decision": case.decision,
            "title": work.state.title_of(case.decision),
            "body": case.body,
            "state": case.state,
            "requested_by": case.requested_by,
            "deadline_ms": case.deadline_ns // MS_PER_NS,
            "needed": sorted(case.needed),
            "concurrences": [
                {
                    "partner": answer.partner,
                    "unit": answer.unit,
                    "post": answer.post,
                    "outcome": answer.outcome,
                    "time_ms": answer.time_ns // MS_PER_NS,
                }
                for answer in case.answers
            ],
        },
        Lane.DECISION,
        key=f"decision:{name}",
    )


def _title(work: Work, case: Case) -> str:
    """What is decided on, in the words of the catalogue."""
    return f"“{work.state.title_of(case.decision)}”"


def _outcome_sentence(work: Work, case: Case) -> str:
    why = f"; no answer from {', '.join(sorted(case.missing))}" if case.missing else ""
    return (
        f"{case.body} recorded as {case.state}: {_title(work, case)}{why if case.state == 'refused' else ''}"
    )
