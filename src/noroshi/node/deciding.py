"""Decisions stage: requests, each nation's concurrence for itself, and the record of the outcome.

Who may do what is read from the structure in force; whoever is not listed there has no authority.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from noroshi.clock import seconds
from noroshi.command import decisions
from noroshi.command.decisions import Case, Concurrence
from noroshi.command.posts import Task
from noroshi.messages import Message
from noroshi.messages.bodies import DecisionBody
from noroshi.node import tasks
from noroshi.node.speak import say
from noroshi.node.work import MS_PER_NS, Work
from noroshi.structure.authority import members


def asked(work: Work, message: Message, body: DecisionBody, party: str) -> None:
    """A consultation is asked for: opens the case and asks the own posts who must answer."""
    state, envelope = work.state, message.envelope
    if body.unit not in state.able(body.decision, "propose", "decide"):
        work.refuse(party, "no-authority", f"{body.unit} may not ask for {body.decision}")
        return
    audience = envelope.label.audience
    needed = body_partners(work, body.body)
    if not body.body or not needed or not needed <= audience:
        work.refuse(party, "no-such-body", body.body)
        return
    case = Case(
        id=body.case,
        decision=body.decision,
        body=body.body,
        requested_by=envelope.post,
        requested_ns=envelope.time_ns,
        deadline_ns=body.deadline_ns or work.now_ns + seconds(state.genesis.rules.concur_within_s),
        needed=needed,
        audience=audience,
        event=envelope.event,
    )
    if state.cases.setdefault(case.id, case) is not case:
        work.refuse(party, "case-exists", case.id.hex())
        return
    says = f"{envelope.origin}: {envelope.post} asked for {_title(work, case)}"
    show_step(work, message, body, says)
    show_case(work, case)
    work.timer(f"decision:{case.id.hex()}", case.deadline_ns)
    if state.own in needed:
        _ask_own(work, case)


def answered(work: Work, message: Message, body: DecisionBody, party: str) -> None:
    """A nation's member has concurred or refused, for itself."""
    state, envelope = work.state, message.envelope
    case = state.cases.get(body.case)
    if case is None:
        work.refuse(party, "unknown-case", body.case.hex())
        return
    if body.unit not in members(state.structure, case.body):
        work.refuse(party, "no-authority", f"{body.unit} is no member of {case.body}")
        return
    outcome: Literal["concur", "refuse"] = "refuse" if body.outcome == "refuse" else "concur"
    answer = Concurrence(envelope.origin, body.unit, envelope.post, outcome, envelope.time_ns)
    reason = decisions.answer_defect(case, answer)
    if reason:
        work.refuse(party, reason, case.id.hex())
        return
    state.cases[case.id] = case = decisions.apply(case, answer)
    verb = "refused" if outcome == "refuse" else "concurred in"
    show_step(work, message, body, f"{envelope.origin}: {envelope.post} {verb} {_title(work, case)}")
    if envelope.origin == state.own:
        tasks.close(work, f"concur:{case.id.hex()}", "done")
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


def recorded(work: Work, message: Message, body: DecisionBody, party: str) -> None:
    """The convening unit's record of the outcome has come."""
    state, envelope = work.state, message.envelope
    case = state.cases.get(body.case)
    if case is None or case.body != body.unit or state.genesis.nodes.get(body.unit) != envelope.node:
        work.refuse(party, "no-authority", f"{body.unit} did not convene this case")
        return
    state.cases[case.id] = case = decisions.close(
        case, "decided" if body.outcome == "decided" else "refused", envelope.time_ns
    )
    tasks.close(work, f"concur:{case.id.hex()}", "expired")
    show_step(work, message, body, _outcome_sentence(work, case))
    show_case(work, case)


def request_tasks(work: Work, event: int, trigger: str) -> None:
    """Asks the own posts with the duty `request:<decision>` to ask for it, once per event."""
    state = work.state
    for post in state.posts.values():
        for duty in post.duties:
            word, _, decision = duty.partition(":")
            bodies = sorted(state.able(decision, "convene")) if word == "request" else []
            if not bodies or post.unit not in state.able(decision, "propose", "decide"):
                continue
            body = bodies[0]
            audience = body_partners(work, body)
            case = state.alias(f"case {decision}", event, audience)
            deadline_ns = work.now_ns + seconds(state.genesis.rules.concur_within_s)
            tasks.add(
                work,
                Task(
                    id=f"request:{case.hex()}",
                    action="request",
                    duty="request",
                    unit=post.unit,
                    posts=(post.id,),
                    title=f"{state.catalogue.decision(decision).title}: {trigger}",
                    deadline_ns=deadline_ns,
                    audience=audience,
                    event=state.alias("event", event, audience),
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


def body_partners(work: Work, body: str) -> frozenset[str]:
    """The partners whose units are members of a consulting body."""
    state = work.state
    nodes = {state.genesis.nodes.get(unit, "") for unit in members(state.structure, body)}
    return frozenset(
        state.genesis.node_partners[node] for node in nodes if node in state.genesis.node_partners
    )


def _ask_own(work: Work, case: Case) -> None:
    state = work.state
    able = [
        post
        for post in state.posts_with("concur")
        if state.posts[post].unit in members(state.structure, case.body)
    ]
    tasks.add(
        work,
        Task(
            id=f"concur:{case.id.hex()}",
            action="concur",
            duty="concur",
            unit=state.posts[able[0]].unit if able else "",
            posts=tuple(able[:1]),
            title=f"Concur in or refuse {_title(work, case)}, for {state.own}",
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
    work.show(
        "decision",
        says,
        lane=1,
        case=body.case.hex(),
        decision=body.decision,
        title=work.state.catalogue.decision(body.decision).title,
        step=body.step,
        outcome=body.outcome,
        unit=body.unit,
        partner=envelope.origin,
        post=envelope.post,
        deadline_ms=body.deadline_ns // MS_PER_NS,
    )


def show_case(work: Work, case: Case) -> None:
    """The staff's row of a whole case."""
    work.show(
        "decision-status",
        "",
        lane=1,
        key=f"decision:{case.id.hex()}",
        case=case.id.hex(),
        decision=case.decision,
        title=work.state.catalogue.decision(case.decision).title,
        body=case.body,
        state=case.state,
        requested_by=case.requested_by,
        deadline_ms=case.deadline_ns // MS_PER_NS,
        needed=sorted(case.needed),
        concurrences=[
            {
                "partner": answer.partner,
                "unit": answer.unit,
                "post": answer.post,
                "outcome": answer.outcome,
                "time_ms": answer.time_ns // MS_PER_NS,
            }
            for answer in case.answers
        ],
    )


def _title(work: Work, case: Case) -> str:
    return f"“{work.state.catalogue.decision(case.decision).title}”"


def _outcome_sentence(work: Work, case: Case) -> str:
    why = f"; no answer from {', '.join(sorted(case.missing))}" if case.missing else ""
    return (
        f"{case.body} recorded as {case.state}: {_title(work, case)}{why if case.state == 'refused' else ''}"
    )
