"""May this speaker say this, here and now? Asked of every verified message before it has an effect.

Whoever has no row in the structure has no authority. A post speaks for its own unit and no other, a nation for itself;
a node speaks for a post never. What an own post may not say does not leave this node either.

    refused = defect(state, message, now_ns)          # Refused("no-authority", "us-dod may not ...") or None
"""

from __future__ import annotations

from noroshi.clock import seconds
from noroshi.command import decisions
from noroshi.command.alerts import APPROVING, CANCEL, ISSUE, approval_defect
from noroshi.command.decisions import Concurrence
from noroshi.messages import KINDS, Envelope, Message, Refused
from noroshi.messages.bodies import (
    AcknowledgementBody,
    AlertBody,
    DecisionBody,
    InjectBody,
    RecallBody,
    ReleaseBody,
)
from noroshi.messages.signing import ID_BYTES
from noroshi.messages.trust import REAL
from noroshi.node.policing import release_defect
from noroshi.node.recalling import defect as recall_defect
from noroshi.node.state import State

LONGEST_NS = seconds(KINDS["decision"].expiry_s)
"""The longest time that a consultation may be given: decisions are history after a day."""


def defect(state: State, message: Message, now_ns: int) -> Refused | None:
    """Why a verified message may have no effect here, or None when it may."""
    match message.body:
        case AcknowledgementBody() as body:
            reason = _acknowledgement(state, message.envelope, body)
        case DecisionBody() as body:
            reason = _decision(state, message.envelope, body, now_ns)
        case AlertBody() as body:
            reason = _alert(state, message.envelope, body, now_ns)
        case ReleaseBody() as body:
            reason = release_defect(state, message, body, now_ns)
        case RecallBody() as body:
            reason = recall_defect(state, message, body, now_ns)
        case InjectBody():
            reason = "exercises-only" if state.genesis.realm == REAL else ""
        case _:
            reason = ""
    if not reason:
        return None
    envelope = message.envelope
    return Refused(reason, f"{envelope.kind} of {envelope.post or envelope.node} for {envelope.unit}")


def body_partners(state: State, body: str) -> frozenset[str]:
    """The partners whose units are members of a consulting body; nobody where there is no such body."""
    nodes = {state.genesis.nodes.get(unit, "") for unit in state.members(body)}
    return frozenset(
        state.genesis.node_partners[node] for node in nodes if node in state.genesis.node_partners
    )


def _acknowledgement(state: State, envelope: Envelope, body: AcknowledgementBody) -> str:
    if body.unit != envelope.unit:
        return "speaks-for-another-unit"
    alert, warning = state.alerts.get(body.of), state.warnings.get(body.of)
    if alert is None and warning is None:
        return "acknowledges-nothing-known"
    if alert is not None and body.unit not in alert.recipients:
        return "not-a-recipient"
    answer_to = warning.answer_to if warning is not None else state.own_audience
    return _own_label(state, envelope, answer_to)


def _decision(state: State, envelope: Envelope, body: DecisionBody, now_ns: int) -> str:
    if body.unit != envelope.unit:
        return "speaks-for-another-unit"
    if body.subject:
        return _signature(state, envelope, body)
    if body.step == "ruling":
        return _ruling(state, envelope, body)
    if not envelope.post:
        return "needs-a-post"
    return (
        _request(state, envelope, body, now_ns)
        if body.step == "request"
        else _concurrence(state, envelope, body)
    )


def _signature(state: State, envelope: Envelope, body: DecisionBody) -> str:
    """A post's signature under one of our drafts."""
    desk = state.desks.get(body.unit) if envelope.origin == state.own else None
    draft = desk.find(body.subject) if desk is not None else None
    if draft is None:
        return "unknown-draft"
    ends = draft.body.type == "Cancel"
    wanted = CANCEL if ends else ISSUE
    if body.decision != wanted or body.unit not in state.able(wanted, "decide"):
        return "no-authority"
    if body.outcome != "refused" and (body.step, body.outcome) not in APPROVING:
        return "malformed-answer"
    duty = "approve" if body.step == "ruling" and not ends else "watch"
    return _own_duty(state, envelope, duty) or _own_label(state, envelope, state.own_audience)


def _request(state: State, envelope: Envelope, body: DecisionBody, now_ns: int) -> str:
    if body.unit not in state.able(body.decision, "propose", "decide"):
        return "no-authority"
    needed = body_partners(state, body.body)
    if not needed or body.body not in state.able(body.decision, "convene"):
        return "no-such-body"
    if envelope.label.audience != needed:
        return "wrong-audience"
    if len(body.case) != ID_BYTES:
        return "malformed-case"
    if body.case in state.cases:
        return "case-exists"
    if body.deadline_ns and not now_ns < body.deadline_ns <= now_ns + LONGEST_NS:
        return "late" if body.deadline_ns <= now_ns else "deadline-too-far"
    return _own_duty(state, envelope, f"request:{body.decision}")


def _concurrence(state: State, envelope: Envelope, body: DecisionBody) -> str:
    case = state.cases.get(body.case)
    if case is None:
        return "unknown-case"
    if body.decision != case.decision or body.unit not in state.members(case.body):
        return "no-authority"
    if envelope.label.audience != case.audience:
        return "wrong-audience"
    if body.outcome not in ("concur", "refuse"):
        return "malformed-answer"
    answer = Concurrence(envelope.origin, body.unit, envelope.post, body.outcome, envelope.time_ns)
    return decisions.answer_defect(case, answer) or _own_duty(state, envelope, "concur")


def _ruling(state: State, envelope: Envelope, body: DecisionBody) -> str:
    """The convening unit's record: it decides for nobody, and says the outcome once."""
    case = state.cases.get(body.case)
    convenes = case is not None and case.body == body.unit and body.decision == case.decision
    if case is None or not convenes or envelope.post:
        return "no-authority"
    if body.outcome not in ("decided", "refused"):
        return "malformed-answer"
    if case.recorded:
        return "case-closed"
    refused = any(answer.outcome == "refuse" for answer in case.answers)
    if body.outcome == "decided" and (refused or state.own in case.missing):
        return "ruling-differs-from-answers"
    return ""


def _alert(state: State, envelope: Envelope, body: AlertBody, now_ns: int) -> str:
    if body.unit != envelope.unit:
        return "speaks-for-another-unit"
    if body.unit not in state.able(CANCEL if body.type == "Cancel" else ISSUE, "decide"):
        return "no-authority"
    return approval_defect(body, state.trust, now_ns, origin=envelope.origin)


def _own_duty(state: State, envelope: Envelope, duty: str) -> str:
    """A post of ours does what it has the duty to do; others' duties are their own business."""
    if envelope.origin != state.own:
        return ""
    post = state.posts.get(envelope.post)
    return "" if post is not None and duty in post.duties else "not-this-posts-duty"


def _own_label(state: State, envelope: Envelope, audience: frozenset[str]) -> str:
    """What a post of ours says goes no further than to those whom it concerns."""
    wider = envelope.origin == state.own and not envelope.label.audience <= audience
    return "label-too-wide" if wider else ""
