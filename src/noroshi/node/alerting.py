"""Alerts stage: an own warning becomes a draft for the authority's posts, their signatures an alert, its end an end.

The unit is the one that the structure lets decide `civil-alert-issue` for this nation. Nothing is issued by the
node itself: it drafts, checks the signatures, and passes on what two posts have signed. An alert stays the business
of its posts until it is taken back: the task to do so is open as long as the alert stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal

from noroshi.clock import seconds
from noroshi.command.alerts import (
    CANCEL,
    ISSUE,
    AlertDesk,
    Approval,
    Draft,
    PostStep,
    approval_defect,
    regions,
)
from noroshi.command.posts import Action, Task
from noroshi.gateways.cap import CapContext, encode_alert
from noroshi.messages import Message
from noroshi.messages.bodies import AlertBody, AreaRow, DecisionBody, WarningBody
from noroshi.node import deciding, rows, tasks
from noroshi.node.events import Event
from noroshi.node.speak import say
from noroshi.node.work import Work
from noroshi.structure.authority import alert_recipients
from noroshi.warning.texts import alert_texts

STEPS: Mapping[str, Action] = MappingProxyType(
    {"originate": "originate-alert", "approve": "approve-alert", "retract": "retract-alert"}
)
"""What posts are asked about a draft, and what such a task is called."""


def warned(work: Work, event: Event, warning: WarningBody) -> None:
    """An own warning was issued, updated or ended: drafts what the public should be told, if anything is new."""
    desk = _desk(work)
    if desk is None:
        return
    pending, standing = desk.pending(event.number), desk.standing(event.number)
    if pending is not None and (warning.state == "ended" or pending.body.type == "Cancel"):
        _drop(work, pending)
        pending = None
    if warning.state == "ended":
        if standing and standing[-1].expires_ns > work.now_ns:
            _draft(work, desk, event, warning, "Cancel")
        return
    told = pending.body if pending else standing[-1] if standing else None
    if told is None or not regions(warning.areas) <= regions(told.areas):
        _draft(work, desk, event, warning, "Update" if standing else "Alert")


def signed(work: Work, message: Message, body: DecisionBody, party: str) -> None:
    """A post has originated, approved, refused or taken back: counts its signature, and issues what is complete.

    That it may sign is known. The step follows from the draft and from what the post has signed, never from a task.
    """
    envelope = message.envelope
    desk = work.state.desks[body.unit]
    draft = desk.find(body.subject)
    assert draft is not None  # `authority` has found it
    step = _step(draft, body)
    when_ns = max(work.now_ns, envelope.time_ns)  # neither our clock nor the post's may be past the deadline
    reason = desk.sign(draft.digest, Approval(envelope.post, step, message.raw, when_ns))
    if reason:
        work.refuse(party, reason, draft.digest.hex())
        return
    verb = {"originate": "originated", "approve": "approved", "refuse": "refused"}[step]
    if draft.body.type == "Cancel":
        verb = "kept" if step == "refuse" else "took back"
    deciding.show_step(work, message, body, f"{envelope.post} {verb} the alert {draft.body.identifier}")
    _close_tasks(work, draft, "done")
    if draft.state == "originated":
        _ask(work, draft, "approve")
    elif draft.state == "issued":
        _issue(work, desk, draft)


def due(work: Work, digest: bytes) -> None:
    """A draft's deadline has come."""
    for desk in work.state.desks.values():
        draft = desk.find(digest)
        if draft is not None and desk.expire(digest, work.now_ns):
            _close_tasks(work, draft, "expired")
            work.show(
                "refusal", "An alert lapsed: nobody approved it in time", party=desk.unit, reason="draft-expired",
                detail=digest.hex(),
            )  # fmt: skip


def _step(draft: Draft, body: DecisionBody) -> PostStep:
    """What a signature means: one is enough to take an alert back, so it is the first whatever it is called."""
    if body.outcome == "refused":
        return "refuse"
    return "originate" if body.step == "request" or draft.body.type == "Cancel" else "approve"


def _desk(work: Work) -> AlertDesk | None:
    """The desk of this nation's alerting authority; None where the structure names none with posts here."""
    state = work.state
    for unit in sorted(state.able(ISSUE, "decide")):
        if state.genesis.nodes.get(unit) == state.genesis.node and state.posts_with("approve", unit):
            return state.desks.setdefault(unit, AlertDesk(unit))
    return None


def _draft(
    work: Work,
    desk: AlertDesk,
    event: Event,
    warning: WarningBody,
    type_: Literal["Alert", "Update", "Cancel"],
) -> None:
    state = work.state
    standing = desk.standing(event.number)
    count = state.counters["alert"] = state.counters.get("alert", 0) + 1
    alias = state.alias("alert", count, state.own_audience)
    ends = type_ == "Cancel"
    areas = _alerted(standing) if ends else list(warning.areas)
    template, texts = alert_texts(
        state.genesis.realm, type_, areas, warning.reason, nation=state.nation, now_ns=work.now_ns
    )
    rules = state.genesis.rules
    expires_ns = work.now_ns + seconds(rules.alert_expires_s)
    body = AlertBody(
        identifier=f"{state.own}-{alias[:6].hex()}-{len(standing) + 1}",
        type=type_,
        unit=desk.unit,
        sent_ns=0,
        expires_ns=expires_ns,
        template=template,
        texts=texts,
        areas=areas,
        rings=[ring for one in standing for ring in one.rings] if ends else warning.corridor,
        references=[one.identifier for one in standing],
        recipients=_told(standing) if ends else _recipients(work, desk.unit),
        digest=b"",
        approvals=[],
        reason=warning.reason,
    )
    wanted_ns = standing[-1].expires_ns if ends else work.now_ns + seconds(rules.approve_within_s)
    deadline_ns = min(wanted_ns, expires_ns - 1)
    draft, replaced = desk.draft(event.number, body, deadline_ns)
    for old in replaced:
        _drop(work, old)
    work.timer(f"draft:{draft.digest.hex()}", deadline_ns)
    _ask(work, draft, "retract" if ends else "originate")


def _alerted(standing: Sequence[AlertBody]) -> list[AreaRow]:
    """Every area that one of these alerts names, as the last of them has it: the end covers all of it."""
    areas = {(area.kind, area.country, area.region): area for one in standing for area in one.areas}
    return list(areas.values())


def _told(standing: Sequence[AlertBody]) -> list[str]:
    """Everybody who was sent one of these alerts: the end goes to exactly them."""
    return list(dict.fromkeys(unit for one in standing for unit in one.recipients))


def _drop(work: Work, draft: Draft) -> None:
    """Gives up a draft that is no longer wanted."""
    draft.move("supersede")
    _close_tasks(work, draft, "expired")


def _close_tasks(work: Work, draft: Draft, state: str) -> None:
    """Closes whatever the draft had asked so far; what was never asked or is closed stays as it is."""
    for step in STEPS:
        tasks.close(work, _task_id(step, draft), state)


def _task_id(step: str, draft: Draft) -> str:
    return f"{step}:{draft.digest.hex()}"


def _ask(work: Work, draft: Draft, step: Literal["originate", "approve", "retract"]) -> None:
    """Puts the draft before the posts that may take this step; never before one that has signed it already."""
    state = work.state
    duty = "approve" if step == "approve" else "watch"
    signers = {one.post for one in draft.approvals}
    posts = tuple(post for post in state.posts_with(duty, draft.body.unit) if post not in signers)
    names = ", ".join(area.region for area in draft.body.areas)
    words = {
        "originate": "Originate the alert",
        "approve": "Approve the alert",
        "retract": "Take back the alert",
    }
    tasks.add(
        work,
        Task(
            id=_task_id(step, draft),
            action=STEPS[step],
            duty=duty,
            unit=draft.body.unit,
            posts=posts,
            title=f"{words[step]} for {names}",
            deadline_ns=draft.deadline_ns,
            audience=state.own_audience,
            event=state.event_alias(state.events.get(state.own_audience, draft.event)),
            fields={
                "kind": "decision",
                "case": draft.digest[:16],
                "decision": CANCEL if step == "retract" else ISSUE,
                "step": "request" if step == "originate" else "ruling",
                "subject": draft.digest,
                "deadline_ns": draft.deadline_ns,
            },
        ),
    )


def _issue(work: Work, desk: AlertDesk, draft: Draft) -> None:
    """All have signed: the alert goes out, as messages, as CAP, and to every recipient for acknowledgement."""
    state = work.state
    body = draft.whole(work.now_ns)
    reason = approval_defect(body, state.trust, work.now_ns, origin=state.own)
    if reason:
        draft.state = "refused"
        work.refuse(desk.unit, reason, body.identifier)
        return
    sent_of = {one.identifier: one.sent_ns for one in desk.standing(draft.event)}
    desk.stand(draft, body)
    event = state.events.get(state.own_audience, draft.event)
    alias = state.event_alias(event)
    message = say(work, "alert", desk.unit, state.own_audience, body, event=alias, expires_ns=body.expires_ns)
    for audience in state.policy.audiences(desk.unit, "alert"):
        towards = state.alias_towards(event, audience.partners)
        # Made from all that our own side knows: two persons have declared it to whoever is told.
        say(
            work,
            "alert",
            desk.unit,
            audience.partners,
            body,
            event=towards,
            expires_ns=body.expires_ns,
            declared=True,
        )
    context = CapContext(
        realm=state.genesis.realm,
        sender=f"{desk.unit}@{state.genesis.node}.noroshi.invalid",
        sender_name=state.structure.unit(desk.unit).name,
        nation=state.nation,
        sent_of=sent_of,
        incident=alias.hex(),
        basis=event.warning.basis if event.warning is not None else "single-source",
    )
    work.file(body.identifier, encode_alert(body, context))
    rows.show_alert(work, message, body)
    state.reach.sent(message.id, body.recipients, work.now_ns)
    state.alerts[message.id] = body
    rows.show_reach(work, message.id, body)
    for unit in body.recipients:
        ask_acknowledgement(
            work, message, state.own_audience, (unit,), f"Acknowledge the alert {body.identifier}"
        )
    if body.type == "Alert":
        deciding.request_tasks(work, event, f"alert {body.identifier}")


def ask_acknowledgement(
    work: Work, message: Message, audience: frozenset[str], units: tuple[str, ...], title: str
) -> None:
    """Asks one post of these units to say that it has read and understood the message."""
    state = work.state
    posts = state.posts_with("acknowledge", *units) if units else ()
    if not posts:
        return
    unit = state.posts[posts[0]].unit
    tasks.add(
        work,
        Task(
            id=f"acknowledge:{message.id.hex()}:{unit}",
            action="acknowledge",
            duty="acknowledge",
            unit=unit,
            posts=posts[:1],
            title=title,
            deadline_ns=work.now_ns + seconds(state.genesis.rules.approve_within_s),
            audience=audience,
            event=message.envelope.event,
            fields={"kind": "acknowledgement", "of": message.id},
        ),
    )


def _recipients(work: Work, unit: str) -> list[str]:
    """The units to be told by the structure that a node of ours serves."""
    state = work.state
    return [
        one for one in sorted(alert_recipients(state.structure, unit))
        if state.genesis.nodes.get(one) == state.genesis.node and one != unit
    ]  # fmt: skip
