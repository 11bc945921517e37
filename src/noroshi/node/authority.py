"""May this speaker say this, here and now? Asked of every verified message before it has an effect.

Whoever has no row in the structure has no authority. A post speaks for its own unit and no other, a nation for itself;
a node speaks for a post never. What an own post may not say does not leave this node either.

    refused = defect(state, message, now_ns)          # Refused("no-authority", "us-dod may not ...") or None
"""

from __future__ import annotations

import msgspec

from noroshi.clock import seconds
from noroshi.command import decisions
from noroshi.command.alerts import APPROVING, CANCEL, ISSUE, approval_defect, rules_of, signature_defect
from noroshi.command.decisions import Concurrence
from noroshi.gateways.realm import check_realm_words
from noroshi.messages import KINDS, Envelope, Message, Refused
from noroshi.messages.bodies import (
    AcknowledgementBody,
    AlertBody,
    DecisionBody,
    InjectBody,
    RecallBody,
    ReleaseBody,
    RemarkBody,
    WarningBody,
)
from noroshi.messages.bodies_alerts import AlertRequestBody
from noroshi.messages.bodies_counts import CountBody
from noroshi.messages.bodies_notice import NoticeBody
from noroshi.messages.bodies_reach import DeliveryBody, ReadinessBody
from noroshi.messages.signing import ID_BYTES
from noroshi.messages.trust import REAL
from noroshi.node import contradiction, counting, groups, noticing, originating
from noroshi.node.chasing import may_acknowledge
from noroshi.node.policing import release_defect
from noroshi.node.proposing import AGREE, proposal_of
from noroshi.node.reaching import defect as relay_defect
from noroshi.node.recalling import defect as recall_defect
from noroshi.node.state import COUNTRIES, State

LONGEST_NS = seconds(KINDS["decision"].expiry_s)
"""The longest time that a consultation may be given: decisions are history after a day."""


def defect(state: State, message: Message, now_ns: int) -> Refused | None:
    """Why a verified message may have no effect here, or None when it may."""
    through = getattr(message.body, "through", msgspec.UNSET)
    reason = groups.speaker_defect(state, message, "" if through is msgspec.UNSET else through)
    if not reason and isinstance(message.body, AlertRequestBody):
        return originating.defect(state, message, message.body)
    reason = reason or _body_defect(state, message, now_ns)
    if not reason:
        return None
    envelope = message.envelope
    return Refused(reason, f"{envelope.kind} of {envelope.post or envelope.node} for {envelope.unit}")


def _body_defect(state: State, message: Message, now_ns: int) -> str:
    match message.body:
        case AcknowledgementBody() as body:
            reason = _acknowledgement(state, message.envelope, body)
        case DecisionBody() as body:
            reason = _decision(state, message, body, now_ns)
        case AlertBody() as body:
            reason = _alert(state, message.envelope, body, now_ns)
        case ReleaseBody() as body:
            reason = release_defect(state, message, body, now_ns)
        case RecallBody() as body:
            reason = recall_defect(state, message, body, now_ns)
        case NoticeBody() as body:
            reason = noticing.defect(state, message, body, now_ns)
        case CountBody() as body:
            reason = counting.defect(state, message, body)
        case WarningBody() as body:
            reason = contradiction.warning(state, message, body)
        case DeliveryBody() as body:
            reason = relay_defect(state, message) or contradiction.delivery(state, body)
        case ReadinessBody():
            reason = relay_defect(state, message)
        case InjectBody() as body:
            reason = "exercises-only" if state.genesis.realm == REAL else _other_realm(state, body.text)
        case RemarkBody() as body:
            reason = _other_realm(state, body.text) if state.genesis.realm != REAL else ""
        case _:
            reason = ""
    return reason


def _other_realm(state: State, text: str) -> str:
    """Whether words claim the other realm: an order of an exercise that is "not a drill" is no order."""
    return "claims-the-other-realm" if check_realm_words(text, state.genesis.realm) else ""


def _acknowledgement(state: State, envelope: Envelope, body: AcknowledgementBody) -> str:
    if body.unit != envelope.unit:
        return "speaks-for-another-unit"
    notice = noticing.find(state, body.of)
    if notice is not None:
        return noticing.acknowledgement_defect(state, envelope, body, notice)
    alert, warning = state.alerts.get(body.of), state.warnings.get(body.of)
    if alert is None and warning is None:
        return "acknowledges-nothing-known"
    asked = alert is None or body.unit in alert.recipients or may_acknowledge(state, body.of, body.unit)
    if not asked:
        return "not-a-recipient"
    answer_to = warning.answer_to if warning is not None else state.own_audience
    return _own_label(state, envelope, answer_to)


def _decision(state: State, message: Message, body: DecisionBody, now_ns: int) -> str:
    envelope = message.envelope
    if body.unit != envelope.unit:
        return "speaks-for-another-unit"
    if body.decision == AGREE:
        return _agreement(state, envelope, body)
    if body.subject:
        return _signature(state, message, body)
    if body.typed is not msgspec.UNSET:
        return "typed-where-nothing-is-asked"
    if body.decision == CANCEL:
        return "needs-a-public-correction"
    if body.step == "ruling":
        return _ruling(state, envelope, body)
    if not envelope.post:
        return "needs-a-post"
    return (
        _request(state, envelope, body, now_ns)
        if body.step == "request"
        else _concurrence(state, envelope, body)
    )


def _agreement(state: State, envelope: Envelope, body: DecisionBody) -> str:
    """A watch of ours says whether a proposed warning is issued: nobody else's is asked, and once only."""
    if envelope.origin != state.own or not envelope.post:
        return "no-authority"
    if (body.step, body.outcome) not in (("ruling", "decided"), ("ruling", "refused")) or body.subject:
        return "malformed-answer"
    if proposal_of(state, body.case) is None:
        return "unknown-draft"
    return _own_duty(state, envelope, "watch") or _own_label(state, envelope, state.own_audience)


def _signature(state: State, message: Message, body: DecisionBody) -> str:
    """A post's signature under one of our drafts."""
    envelope = message.envelope
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
    reason = _own_duty(state, envelope, duty) or _own_label(state, envelope, state.own_audience)
    rules = rules_of(draft.body, state.trust, state.own)
    return reason or (rules if isinstance(rules, str) else signature_defect(draft.body, message, rules))


def _request(state: State, envelope: Envelope, body: DecisionBody, now_ns: int) -> str:
    if body.unit not in state.able(body.decision, "propose", "decide"):
        return "no-authority"
    needed = state.sitting(body.body)
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
    reason = approval_defect(body, state.trust, now_ns, origin=envelope.origin)
    reason = reason or contradiction.alert(state, envelope.origin, body)
    return reason or ("" if _is_within(state, envelope.origin, body) else "wider-than-authority")


def _is_within(state: State, origin: str, body: AlertBody) -> bool:
    """Whether a partner alerts its own nation only: nobody alerts another's people."""
    nation = state.partners.get(origin, "")
    own = COUNTRIES.get(nation, (nation,))
    return all(area.country in own for area in body.areas)


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
