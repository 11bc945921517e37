"""Alerts stage: an own warning, or an agency's hazard that our rules cover, becomes a draft for the authorities' posts,
their signatures an alert, its end an end.

A unit drafts that the structure lets decide `civil-alert-issue` for this nation, each for as much as it may alert.
The node itself issues nothing, but for what its root has warranted: it drafts, checks the signatures, and passes on what
two posts have signed. An alert stays the business of its posts until it is taken back. The words of its correction are
made with it: one signature sends them, whoever else is away, for as long as the alert stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import msgspec

from noroshi.clock import seconds
from noroshi.command.alerts import (
    ISSUE,
    AlertDesk,
    Approval,
    Draft,
    PostStep,
    approval_defect,
    regions,
)
from noroshi.command.corroboration import corroboration_defect, hazard_corroboration_defect
from noroshi.command.hazard_matters import HazardMatter
from noroshi.command.hazard_rules import automatic_s, listed
from noroshi.command.posts import Task
from noroshi.command.warrant import BASES, Basis
from noroshi.gateways.cap import CapContext, CapError, encode_alert
from noroshi.messages import Message, Unverified, verify
from noroshi.messages.bodies import AlertBody, DecisionBody, WarningBody
from noroshi.messages.bodies_hazard import HazardBody
from noroshi.node import deciding, drafting, groups, reaching, rows, tasks, warranting
from noroshi.node.alarms import alarm, clear
from noroshi.node.events import Event
from noroshi.node.speak import say
from noroshi.node.state import State
from noroshi.node.work import Work

MAX_HEARD = 256
"""Partners' warnings that are held beside ours: one of each partner and event, of far more events than a raid has."""

MAX_SECOND_BYTES = 64 << 10
"""Of a partner's word of an agency's file that may stand beside an alert, which carries it to every relay: real files of
tsunamis and earthquakes have some 10 kB.
"""


def warned(work: Work, event: Event, warning: WarningBody) -> None:
    """An own warning was issued, updated or ended: drafts what the public should be told, if anything is new."""
    state = work.state
    if warning.state in ("issued", "updated"):
        state.warned[event.number] = warning
    elif warning.state == "ended":
        state.warned.pop(event.number, None)
    else:
        return
    for desk in drafting.desks(work):
        _warned(work, desk, event, warning)


def _warned(work: Work, desk: AlertDesk, event: Event, warning: WarningBody) -> None:
    pending, standing = desk.pending(event.number), desk.standing(event.number)
    if pending is not None and (warning.state == "ended" or pending.body.type == "Cancel"):
        drafting.drop(work, pending)
        pending = None
    if warning.state == "ended":
        desk.think_again(event.number)
        if standing and standing[-1].expires_ns > work.now_ns:
            drafting.draft_end(work, desk, event.number, warning.reason)
        return
    scope = drafting.scope_for(work.state, desk.unit)
    areas = [area for area in warning.areas if scope.holds((area.country, area.region))]
    if not areas or (not standing and desk.is_taken_back(event.number, regions(areas))):
        return
    told = pending.body if pending else standing[-1] if standing else None
    if told is None or not regions(areas) <= regions(told.areas):
        pending = drafting.draft_alert(work, desk, event.number, areas, warning.corridor)
    if pending is not None:
        _automatically(work, desk, pending, warning)


def signed(work: Work, message: Message, body: DecisionBody, party: str) -> None:
    """A post has originated, approved, refused or taken back: counts its signature, and issues what is complete.

    That it may sign is known. The step follows from the draft and from what the post has signed, never from a task.
    """
    envelope = message.envelope
    desk = work.state.desks[body.unit]
    draft = desk.find(body.subject)
    assert draft is not None  # `authority` has found it
    step = _step(draft, body)
    if _is_held(work.state, draft) and step != "refuse":
        work.refuse(party, "needs-a-release", "the agency's word may not be told to the public")
        return
    when_ns = max(work.now_ns, envelope.time_ns)  # neither our clock nor the post's may be past the deadline
    reason = desk.sign(draft.digest, Approval(envelope.post, step, message.raw, when_ns))
    if reason:
        work.refuse(party, reason, draft.digest.hex())
        return
    verb = {"originate": "originated", "approve": "approved", "refuse": "refused"}[step]
    if draft.body.type == "Cancel":
        verb = "kept" if step == "refuse" else "took back"
        if step == "refuse":
            _quiet(work, draft.body, "kept")
    deciding.show_step(work, message, body, f"{envelope.post} {verb} the alert {draft.body.identifier}")
    drafting.close_tasks(work, draft, "done")
    if draft.state == "originated":
        if not _second(work, desk, draft):
            drafting.ask(work, draft, "approve")
    elif draft.state == "issued":
        _issue(work, desk, draft)


def heard(work: Work, message: Message, body: WarningBody) -> None:
    """A partner has warned: it may stand for a second person, and does at once where a draft waits for one."""
    state = work.state
    key = (message.origin, message.envelope.event)
    state.heard_warnings.pop(key, None)
    if body.state not in ("issued", "updated") or not body.corridor:
        return
    while len(state.heard_warnings) >= MAX_HEARD:
        del state.heard_warnings[next(iter(state.heard_warnings))]
    state.heard_warnings[key] = (body.valid_until_ns, message.raw)
    for desk in list(state.desks.values()):
        for draft in desk.originated():
            _second(work, desk, draft)


def heard_hazard(work: Work, message: Message, body: HazardBody, key: bytes) -> None:
    """A partner tells of the same file, and has checked it: it may stand for a second person as a warning may.

    key: of the agency's message. It counts only where our root lets a partner stand for the second person at all.
    """
    state = work.state
    rules = warranting.rules(state)
    if not rules.second_by_partner or not listed(rules.hazards) or len(message.raw) > MAX_SECOND_BYTES:
        return
    if body.signature != "signed":
        return
    state.heard_warnings.pop((message.origin, key), None)
    while len(state.heard_warnings) >= MAX_HEARD:
        del state.heard_warnings[next(iter(state.heard_warnings))]
    until_ns = message.envelope.time_ns + seconds(rules.fresh_s)
    state.heard_warnings[message.origin, key] = (until_ns, message.raw)
    for desk in list(state.desks.values()):
        for draft in desk.originated():
            _second(work, desk, draft)


def due(work: Work, digest: bytes) -> None:
    """A draft's deadline has come."""
    for desk in work.state.desks.values():
        draft = desk.find(digest)
        if draft is None:
            continue
        was_ready = draft.state == "ready"
        if desk.expire(digest, work.now_ns):
            drafting.close_tasks(work, draft, "expired")
            if was_ready:
                drafting.show_correction(work, draft)
            else:
                work.show(
                    "refusal", "An alert lapsed: nobody approved it in time", party=desk.unit, reason="draft-expired",
                    detail=digest.hex(),
                )  # fmt: skip


def near(work: Work, digest: bytes) -> None:
    """So little time is left that people could not sign a draft any more: looks whether it may issue by itself."""
    for desk in work.state.desks.values():
        draft = desk.find(digest)
        matter = work.state.hazard_matters.get(draft.event) if draft is not None else None
        if draft is not None and matter is not None and matter.is_open and matter.until_ns > work.now_ns:
            # Nobody signed it in time: it is made again, and goes out by itself.
            lapsed = draft.state == "expired"
            body = draft.body
            again = drafting.draft_alert(work, desk, draft.event, body.areas, body.rings) if lapsed else draft
            if again is not None:
                offer(work, desk, again, matter)
            continue
        warning = work.state.warned.get(draft.event) if draft is not None else None
        if draft is None or warning is None or warning.valid_until_ns < work.now_ns:
            continue
        if draft.state == "expired":
            # Nobody signed it in time, and nothing has changed since: it is asked for again, and goes out by itself.
            _warned(work, desk, work.state.events.get(work.state.own_audience, draft.event), warning)
        else:
            _automatically(work, desk, draft, warning)


def _step(draft: Draft, body: DecisionBody) -> PostStep:
    """What a signature means: one is enough to take an alert back, so it is the first whatever it is called."""
    if body.outcome == "refused":
        return "refuse"
    return "originate" if body.step == "request" or draft.body.type == "Cancel" else "approve"


# The second person, and the alert that no person has signed


def _second(work: Work, desk: AlertDesk, draft: Draft) -> bool:
    """Whether a partner's warning of the same event stands for the second person: then the alert is out."""
    state = work.state
    rules = warranting.rules(state)
    matter = state.hazard_matters.get(draft.event)
    if not rules.second_by_partner or draft.body.type == "Cancel" or _is_held(state, draft):
        return False
    if draft.event < 0 and matter is None:
        return False
    event = state.events.get(state.own_audience, draft.event) if matter is None else None
    sent = msgspec.structs.replace(draft.body, sent_ns=work.now_ns)
    defect = corroboration_defect if matter is None else hazard_corroboration_defect
    for (origin, alias), (_, raw) in state.heard_warnings.items():
        speaks_of_it = (
            (origin, alias) in event.same_as
            if event is not None
            else matter is not None and alias in matter.keys
        )
        found = verify(Unverified(raw), state.trust, work.now_ns) if speaks_of_it else None
        if not isinstance(found, Message):
            continue
        if defect(sent, found, state.own, seconds(rules.fresh_s)) or not draft.move("corroborate"):
            continue
        draft.approvals.append(Approval(f"partner:{origin}", "approve", raw, work.now_ns))
        what = "warning" if matter is None else "word of the same file"
        says = f"{origin}'s signed {what} stands for the second person under {draft.body.identifier}"
        work.show("policy", says, lane=1, partner=origin, identifier=draft.body.identifier)
        drafting.close_tasks(work, draft, "done")
        _issue(work, desk, draft)
        return True
    return False


def _automatically(work: Work, desk: AlertDesk, draft: Draft, warning: WarningBody) -> None:
    """Issues a draft by itself where the root allows it and the time left is shorter than people need."""
    terms = warranting.rules(work.state).automatic
    if terms is None or draft.state not in ("drafted", "originated") or draft.body.type == "Cancel":
        return
    if BASES.index(warning.basis) < BASES.index(terms.needs):
        return
    _by_itself(work, desk, draft, terms.below_s, warning.basis)


def offer(work: Work, desk: AlertDesk, draft: Draft, matter: HazardMatter) -> None:
    """Issues a draft on another agency's word by itself, where the root allows it and people lack the time."""
    cited = draft.body.hazard
    if draft.state not in ("drafted", "originated") or draft.body.type == "Cancel" or cited is msgspec.UNSET:
        return
    if not matter.below_s or _is_held(work.state, draft):
        return
    if matter.below_s <= automatic_s(warranting.rules(work.state).hazards, cited):
        _by_itself(work, desk, draft, matter.below_s, msgspec.UNSET)


def _by_itself(
    work: Work, desk: AlertDesk, draft: Draft, below_s: float, basis: Basis | msgspec.UnsetType
) -> None:
    first_ns = min(area.from_ns for area in draft.body.areas)
    near_ns = first_ns - seconds(below_s)
    if work.now_ns < near_ns:
        work.timer(f"automatic:{draft.digest.hex()}", near_ns)
        return
    _issue_automatically(work, desk, draft, basis)


def _is_held(state: State, draft: Draft) -> bool:
    """Whether what the agency has said may not be told to the public; the end of what was told always may."""
    matter = state.hazard_matters.get(draft.event)
    return matter is not None and draft.body.type != "Cancel" and warranting.is_held(state, matter)


def _issue_automatically(work: Work, desk: AlertDesk, draft: Draft, basis: Basis | msgspec.UnsetType) -> None:
    """The same alert in words that say that it is automatic, signed by the node; a person is told, and can stop it."""
    state, body = work.state, draft.body
    words = drafting.worded(work, desk, body.type, body.areas, "", body.hazard, automatic=True)
    if words is None:
        return
    template, texts = words
    said = msgspec.structs.replace(
        body, texts=texts, template=template, automatic=True, basis=basis, warrant=state.warrant
    )
    made = drafting.put(work, desk, draft.event, said, draft.deadline_ns)
    ruling = DecisionBody(
        case=made.digest[:16],
        decision=ISSUE,
        step="ruling",
        unit=desk.unit,
        outcome="decided",
        subject=made.digest,
    )
    message = say(work, "decision", desk.unit, state.own_audience, ruling)
    made.move("automatic")
    made.approvals.append(Approval("", "approve", message.raw, work.now_ns))
    deciding.show_step(work, message, ruling, f"The node issued the alert {body.identifier} automatically")
    if not _issue(work, desk, made):
        return
    alarm(
        work, f"automatic:{body.identifier}", "automatic-alert",
        f"The alert {body.identifier} of {desk.unit} went out by itself: nobody has looked at it", unit=desk.unit,
        identifier=body.identifier,
    )  # fmt: skip
    stop = next((one for one in desk.ready(made.event) if one.body.reason == "false"), None)
    if stop is not None:
        drafting.ask(work, stop, "stop")


# Out


def _issue(work: Work, desk: AlertDesk, draft: Draft) -> bool:
    """All have signed: the alert goes out, as messages, as CAP, and to every recipient; whether it did."""
    state = work.state
    body = draft.whole(work.now_ns)
    reason = approval_defect(body, state.trust, work.now_ns, origin=state.own) or _width_defect(state, body)
    if reason:
        draft.state = "refused"
        work.refuse(desk.unit, reason, body.identifier)
        return False
    sent_of = {one.identifier: one.sent_ns for one in desk.standing(draft.event)}
    for old in desk.ready(draft.event):
        drafting.drop(work, old)
    pending = desk.pending(draft.event)
    if pending is not None:
        drafting.drop(work, pending)
    desk.stand(draft, body)
    matter = state.hazard_matters.get(draft.event)
    if body.type == "Cancel" and (draft.event in state.warned or (matter is not None and matter.is_open)):
        desk.take_back(draft.event, regions(body.areas))
    event = state.events.get(state.own_audience, draft.event) if draft.event > 0 else None
    alias = drafting.alias_of(state, draft.event)
    message = say(work, "alert", desk.unit, state.own_audience, body, event=alias, expires_ns=body.expires_ns)
    told = state.own_audience
    for audience in state.policy.audiences(desk.unit, "alert"):
        if not _may_show(state, body, audience.partners):
            continue
        towards = state.alias_towards(event, audience.partners) if event is not None else b""
        # Made from all that our own side knows: two persons have declared it to whoever is told.
        edition = say(
            work,
            "alert",
            desk.unit,
            audience.partners,
            body,
            event=towards,
            expires_ns=body.expires_ns,
            declared=True,
        )
        told |= state.given_to(state.own, edition.id)
    known = event.warning.basis if event is not None and event.warning is not None else "single-source"
    context = CapContext(
        realm=state.genesis.realm,
        sender=f"{desk.unit}@{state.genesis.node}.noroshi.invalid",
        sender_name=state.structure.unit(desk.unit).name,
        nation=state.nation,
        sent_of=sent_of,
        incident=alias.hex(),
        basis=known if body.basis is msgspec.UNSET else body.basis,
    )
    work.file(body.identifier, _written(work, body, context))
    rows.show_alert(work, message, body)
    groups.alerted(work, draft.event, body, message.id, told)
    reaching.issued(work, message, body)
    if body.type == "Cancel":
        drafting.show_correction(work, draft)
        _quiet(work, body, "taken back")
    else:
        drafting.prepare(work, desk, draft.event)
    if body.type == "Alert" and event is not None:
        deciding.request_tasks(work, event, f"alert {body.identifier}")
    return True


def _written(work: Work, body: AlertBody, context: CapContext) -> bytes:
    """The alert's file. Where a profile's rules cannot be kept it goes out all the same, and an alarm says which not."""
    publishing = work.state.genesis.publishing
    if publishing is msgspec.UNSET or not publishing.profile:
        return encode_alert(body, context)
    name = f"profile:{body.unit}"
    try:
        data = encode_alert(body, replace(context, profile=publishing.profile))
        clear(work, name, f"The files of {body.unit} keep the profile {publishing.profile}")
        return data
    except CapError as error:
        alarm(
            work, name, "profile-not-kept",
            f"The file of {body.identifier} does not keep the profile {publishing.profile}: {error.cause}",
            unit=body.unit, identifier=body.identifier,
        )  # fmt: skip
        return encode_alert(body, context)


def _width_defect(state: State, body: AlertBody) -> str:
    """Whether a unit alerts more than it may; an end goes as far as what it ends."""
    scope = drafting.scope_for(state, body.unit)
    wide = body.type != "Cancel" and not all(map(scope.holds, regions(body.areas)))
    return "wider-than-authority" if wide else ""


def _may_show(state: State, body: AlertBody, audience: Iterable[str]) -> bool:
    """Whether everybody in an audience may have what the alert carries: a partner's warning has a label of its own."""
    for raw in body.approvals:
        found = verify(Unverified(raw), state.trust, body.sent_ns)
        foreign = isinstance(found, Message) and found.origin != state.own
        if (
            foreign
            and isinstance(found, Message)
            and not set(audience) <= found.envelope.label.audience | {found.origin}
        ):
            return False
    return True


def _quiet(work: Work, body: AlertBody, says: str) -> None:
    """A person has looked at what went out by itself, and has kept it or taken it back."""
    for one in body.references:
        clear(work, f"automatic:{one}", f"The alert {one} was {says}")


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
