"""Alerts stage: an own warning becomes a draft for the authority's posts, their signatures an alert, its end an end.

The unit is the one that the structure lets decide `civil-alert-issue` for this nation. Nothing is issued by the
node itself: it drafts, checks the signatures, and passes on what two posts have signed.
"""

from __future__ import annotations

from noroshi.clock import seconds
from noroshi.command.alerts import CANCEL, ISSUE, AlertDesk, Approval, Draft, approval_defect, regions
from noroshi.command.posts import Task
from noroshi.gateways.cap import CapContext, encode_alert
from noroshi.messages import Message
from noroshi.messages.bodies import AlertBody, DecisionBody, WarningBody
from noroshi.node import deciding, rows, tasks
from noroshi.node.events import Event
from noroshi.node.speak import say
from noroshi.node.work import MS_PER_NS, Work
from noroshi.structure.authority import alert_recipients
from noroshi.warning.statements import Basis
from noroshi.warning.texts import alert_texts


def warned(work: Work, event: Event, warning: WarningBody) -> None:
    """An own warning was issued, updated or ended: drafts what the public should be told, if anything is new."""
    desk = _desk(work)
    if desk is None:
        return
    key = _key(event)
    standing, pending = desk.standing(key), desk.pending(key)
    if warning.state == "ended":
        if pending is not None:
            _drop(work, pending)
        if standing and standing[-1].type != "Cancel":
            _draft(work, desk, event, warning, "Cancel")
        return
    told = pending.body if pending else standing[-1] if standing else None
    if told is not None and told.type != "Cancel" and regions(warning.areas) <= regions(told.areas):
        return
    _draft(work, desk, event, warning, "Update" if standing and standing[-1].type != "Cancel" else "Alert")


def signed(work: Work, message: Message, body: DecisionBody, party: str) -> None:
    """A post has originated, approved, refused or retracted: checks its authority, and issues what is complete."""
    state, envelope = work.state, message.envelope
    desk = state.desks.get(body.unit)
    draft = desk.find(body.subject) if desk is not None else None
    if desk is None or draft is None:
        work.refuse(party, "unknown-draft", body.subject.hex())
        return
    decision = CANCEL if draft.body.type == "Cancel" else ISSUE
    if body.decision != decision or body.unit not in state.able(decision, "decide"):
        work.refuse(party, "no-authority", f"{body.unit} may not decide {body.decision}")
        return
    step = "refuse" if body.outcome == "refused" else "originate" if body.step == "request" else "approve"
    if draft.body.type == "Cancel" and step == "approve":
        step = "originate"
    reason = desk.sign(draft.digest, Approval(envelope.post, step, message.raw, envelope.time_ns))  # type: ignore[arg-type]  # one of the three words above
    if reason:
        work.refuse(party, reason, draft.digest.hex())
        return
    verb = {"originate": "originated", "approve": "approved", "refuse": "refused"}[step]
    says = f"{envelope.post} {'retracted' if decision == CANCEL else verb} the alert {draft.body.identifier}"
    deciding.show_step(work, message, body, says)
    for suffix in ("originate", "approve", "retract"):
        if step in suffix or draft.state != "originated" or suffix == "originate":
            tasks.close(work, f"{suffix}:{draft.digest.hex()}", "done")
    if draft.state == "originated":
        _ask(work, draft, "approve")
    elif draft.state == "issued":
        _issue(work, desk, draft)


def due(work: Work, digest: bytes) -> None:
    """A draft's deadline has come."""
    for desk in work.state.desks.values():
        if desk.expire(digest, work.now_ns):
            for suffix in ("originate", "approve", "retract"):
                tasks.close(work, f"{suffix}:{digest.hex()}", "expired")
            work.show(
                "refusal", "An alert lapsed: nobody approved it in time", party=desk.unit, reason="draft-expired",
                detail=digest.hex(),
            )  # fmt: skip


def _desk(work: Work) -> AlertDesk | None:
    """The desk of this nation's alerting authority; None where the structure names none with posts here."""
    state = work.state
    for unit in sorted(state.able(ISSUE, "decide")):
        if state.genesis.nodes.get(unit) == state.genesis.node and state.posts_with("approve", unit):
            return state.desks.setdefault(unit, AlertDesk(unit))
    return None


def _draft(work: Work, desk: AlertDesk, event: Event, warning: WarningBody, type_: str) -> None:
    state = work.state
    key = _key(event)
    earlier = desk.standing(key)
    number = len(earlier) + 1
    count = state.counters["alert"] = state.counters.get("alert", 0) + 1
    alias = state.alias("alert", count, state.own_audience)
    areas = list(earlier[-1].areas) if type_ == "Cancel" else list(warning.areas)
    rings = earlier[-1].rings if type_ == "Cancel" else warning.corridor
    template, texts = alert_texts(
        state.genesis.realm, type_, areas, warning.reason, nation=state.nation, now_ns=work.now_ns
    )
    body = AlertBody(
        identifier=f"{state.own}-{alias[:6].hex()}-{number}",
        type=type_,  # type: ignore[arg-type]  # one of the three words of CAP
        unit=desk.unit,
        sent_ns=0,
        expires_ns=work.now_ns + seconds(state.genesis.rules.alert_expires_s),
        template=template,
        texts=texts,
        areas=areas,
        rings=rings,
        references=[one.identifier for one in earlier],
        recipients=earlier[-1].recipients if type_ == "Cancel" else _recipients(work, desk.unit),
        digest=b"",
        approvals=[],
        reason=warning.reason,
    )
    deadline_ns = work.now_ns + seconds(state.genesis.rules.approve_within_s)
    draft, replaced = desk.draft(key, body, deadline_ns)
    for old in replaced:
        _drop(work, old)
    work.timer(f"draft:{draft.digest.hex()}", deadline_ns)
    _ask(work, draft, "retract" if type_ == "Cancel" else "originate")


def _drop(work: Work, draft: Draft) -> None:
    draft.state = "superseded"
    for suffix in ("originate", "approve", "retract"):
        tasks.close(work, f"{suffix}:{draft.digest.hex()}", "expired")


def _ask(work: Work, draft: Draft, step: str) -> None:
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
            id=f"{step}:{draft.digest.hex()}",
            action=f"{step}-alert",  # type: ignore[arg-type]  # one of the three actions on alerts
            duty=duty,
            unit=draft.body.unit,
            posts=posts,
            title=f"{words[step]} for {names}",
            deadline_ns=draft.deadline_ns,
            audience=state.own_audience,
            event=state.alias("event", int.from_bytes(draft.event), state.own_audience),
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
    """Two posts have signed: the alert goes out, as a message, as CAP, and to every recipient for acknowledgement."""
    state = work.state
    body = desk.issue(draft, work.now_ns)
    defect = approval_defect(body, state.trust, work.now_ns)
    if defect:
        work.refuse(desk.unit, defect, body.identifier)
        return
    audience = frozenset.union(
        state.own_audience, *(one.partners for one in state.policy.audiences(desk.unit, "alert"))
    )
    event = state.alias("event", int.from_bytes(draft.event), audience)
    message = say(work, "alert", desk.unit, audience, body, event=event, expires_ns=body.expires_ns)
    context = CapContext(
        realm=state.genesis.realm,
        sender=f"{desk.unit}@{state.genesis.node}.noroshi.invalid",
        sender_name=state.structure.unit(desk.unit).name,
        nation=state.nation,
        sent_of={one.identifier: one.sent_ns for one in desk.standing(draft.event)},
        incident=event.hex(),
        basis=_basis(work, int.from_bytes(draft.event)),
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
        deciding.request_tasks(work, int.from_bytes(draft.event), f"alert {body.identifier}")


def _basis(work: Work, event: int) -> Basis:
    """How well the event is founded by our own picture."""
    warned = work.state.events.events[event].warnings.get(work.state.own_audience)
    return warned.basis if warned is not None else "single-source"


def ask_acknowledgement(
    work: Work, message: Message, audience: frozenset[str], units: tuple[str, ...], title: str
) -> None:
    """Asks one post of these units to say that it has read and understood the message."""
    state = work.state
    posts = state.posts_with("acknowledge", *units)
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


def _key(event: Event) -> bytes:
    return event.number.to_bytes(8, "big")


__all__ = ["MS_PER_NS", "ask_acknowledgement", "due", "signed", "warned"]
