"""Groups stage: what clients of Cursor on Target see, each group what all of its partners may have, and nothing else.

A group is a party with an outbox of its own, `gateway:cot-<name>`. Its tracks, areas and warnings are made from the
picture of its audience, so that what the group may not know leaves nothing in it, not even a number; a partner's message
is shown where its label and our policy let every partner of the group have it. Each row is one event, whole, under its
uid. What was shown is remembered, so that its end takes away exactly that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from noroshi.command.hazards import Hazard
from noroshi.command.notices import LONGEST_ASCENT_NS
from noroshi.gateways.hazard_facts import HazardFacts
from noroshi.messages import KINDS, Message, key_id
from noroshi.messages.bodies import AlertBody, WarningBody
from noroshi.messages.bodies_notice import NoticeBody
from noroshi.messages.canonical import encode
from noroshi.messages.labels import CLASSIFICATIONS
from noroshi.node import drawing, own_areas, standing
from noroshi.node.events import REDUCED, Estimate, Event
from noroshi.node.inputs import Gateways, GroupHeard, GroupRow
from noroshi.node.outlook import Outlook, look_ahead
from noroshi.node.standing import Standing, What
from noroshi.node.state import State
from noroshi.node.work import FOR_EVER_S, Work
from noroshi.sharing import Allowed, Withheld
from noroshi.sharing.release import audience_name

MAX_GROUPS = 16
MAX_NAME = 32


def adopt(work: Work, given: Gateways) -> None:
    """Takes the groups that the operator has set down: new ones begin with what stands, others that are gone end."""
    state = work.state
    rows = {row.name: row for row in given.groups}
    reason = _defect(state, given)
    if reason:
        work.refuse("control:groups", reason)
        return
    if rows == state.groups:
        work.duplicate()
        return
    before, seen = state.groups, set(state.event_audiences())
    kept = {name for name, row in rows.items() if name in before and before[name].partners == row.partners}
    for name in [one for one in before if one not in kept]:
        drawing.clear(work, before[name], told=not before[name].is_whole)
        state.shown.pop(name, None)
    state.adopt_groups(rows)
    work.record(
        "note",
        encode({"about": "groups", "groups": [list(row.partners) for row in rows.values()]}),
        FOR_EVER_S,
    )
    for row in rows.values():
        if row.is_whole and (row.name not in kept or not before[row.name].is_whole):
            _begin(work, row, is_new=frozenset(row.partners) not in seen)
        elif row.name not in kept and frozenset(row.partners) == state.own_audience:
            _show_standing(work, row)


def heard(work: Work, given: GroupHeard) -> None:
    """Shows the staff how a group's clients are."""
    if given.group not in work.state.groups:
        work.refuse("control:groups", "unknown-group", given.group)
        return
    work.show(
        "gateway",
        f"TAK group {given.group}: {given.news}" if given.news else "",
        key=f"gateway:cot-{given.group}",
        group=given.group,
        partners=list(work.state.groups[given.group].partners),
        clients=given.clients,
        counts=given.counts,
    )


def speaker_defect(state: State, message: Message, through: str) -> str:
    """Why a gateway's key may not say this, or an empty text. through: the group that the message names.

    Such a key acknowledges and remarks for its post and does nothing else, by whatever entrance it comes.
    """
    key = key_id(message.signer.public) if state.groups else b""
    known = any(key == other for row in state.groups.values() for _, other in row.posts)
    if not known:
        return "names-a-gateway" if through and message.origin == state.own else ""
    groups = [row.name for row in state.groups.values() if (message.envelope.post, key) in row.posts]
    if message.envelope.kind not in ("acknowledgement", "remark"):
        return "gateway-may-not"
    return "" if through in groups else "not-through-this-gateway"


def entrance_defect(state: State, message: Message, group: str) -> str:
    """Why a group's clients may not bring this message, or an empty text."""
    row = state.groups.get(group)
    key = (message.envelope.post, key_id(message.signer.public))
    return (
        ""
        if row is not None and message.origin == state.own and key in row.posts
        else "not-this-gateways-message"
    )


def picture(work: Work, event: Event, estimate: Estimate, outlook: Outlook) -> None:
    """The newest state of one event, to the groups whose audience the picture is of."""
    for row in _of_audience(work.state, event.audience):
        drawing.picture(work, row, _base(work.state, event), event, estimate, outlook)


def closed(work: Work, event: Event) -> None:
    """An event is over: nothing of its picture is drawn any more."""
    for row in _of_audience(work.state, event.audience):
        base = _base(work.state, event)
        for part in ("track", "fall", "path"):
            drawing.wipe(work, row, f"{base}.{part}")


def warned(work: Work, event: Event, body: WarningBody, message: bytes = b"") -> None:
    """A warning from the picture of an audience, to its groups if they may have what warnings say.

    message: its id where it was said, for groups of our own staff, who may acknowledge it.
    """
    own = event.audience == work.state.own_audience
    _said(
        work,
        Standing(
            what="warning",
            name=f"{event.number} of {audience_name(event.audience)}",
            origin=work.state.own,
            until_ns=body.valid_until_ns if body.state != "ended" else 0,
            message=message if own else b"",
            event=event.number,
            partners=tuple(sorted(event.audience)),
            warning=body,
        ),
    )


def torn(work: Work, event: Event, line: WarningBody, told: frozenset[str]) -> None:
    """A warning that was released by declaration: also to the groups of those who were told of it, and to no others."""
    _said(
        work,
        Standing(
            what="declared",
            name=f"{event.number} to {audience_name(told)}",
            origin=work.state.own,
            until_ns=line.valid_until_ns if line.state != "ended" else 0,
            event=event.number,
            partners=tuple(sorted(told)),
            warning=line,
        ),
    )


def heard_warning(work: Work, message: Message, body: WarningBody) -> None:
    """A partner's warning, to the groups all of whose partners may have it."""
    until_ns = body.valid_until_ns if body.state != "ended" else 0
    _said(work, _of_message(work, message, "heard-warning", _heard_base(message), until_ns, warning=body))


def heard_alert(work: Work, message: Message, body: AlertBody) -> None:
    """A partner's public alert likewise."""
    first = body.references[0] if body.references else body.identifier
    until_ns = body.expires_ns if body.type != "Cancel" else 0
    _said(work, _of_message(work, message, "heard-alert", _heard_base(message, first), until_ns, alert=body))


def alerted(work: Work, event: int, body: AlertBody, message: bytes, told: frozenset[str]) -> None:
    """An own public alert, its update or its end: declared by persons to those who were told, and shown to no others.

    event: the number of what it is about; message: the id of our own side's edition; told: ourselves, and the partners
    to whom it was released. An end goes to all who were shown what it ends.
    """
    _said(
        work,
        Standing(
            what="alert",
            name=str(event),
            origin=work.state.own,
            until_ns=body.expires_ns if body.type != "Cancel" else 0,
            message=message,
            event=event,
            partners=tuple(sorted(told)),
            alert=body,
        ),
    )


def hazard(work: Work, facts: HazardFacts, found: Hazard, ended: Iterable[Hazard], message: Message) -> None:
    """Another agency's alert, to groups all of whose partners may have it; what has ended by it is ended for all."""
    for one in ended:
        hazard_over(work, one)
    if found.state == "standing":
        name = _hazard_uid(found)
        _said(work, _of_message(work, message, "hazard", name, facts.until_ns, facts=facts, title=found.name))


def hazard_over(work: Work, found: Hazard) -> None:
    """Another agency's alert stands no more."""
    standing.drop(work.state.standing, "hazard", _hazard_uid(found))
    for row in work.state.groups.values():
        drawing.stop(work, row, _hazard_uid(found), f"{found.name} does not stand any more ({found.state})")


def notice(work: Work, message: Message, body: NoticeBody) -> None:
    """An announced launch, or its newest step: to groups all of whose partners may have it, and which are shown all."""
    over = body.step in ("done", "withdrawn")
    if over:
        notice_over(work, body.notice)
    else:
        until_ns = min(message.envelope.expires_ns, body.to_ns + LONGEST_ASCENT_NS)
        _said(
            work, _of_message(work, message, "notice", f"notice.{body.notice.hex()}", until_ns, notice=body)
        )


def notice_over(work: Work, key: bytes) -> None:
    """An announced launch is done, withdrawn, taken back, or has run out: it is drawn no more."""
    standing.drop(work.state.standing, "notice", f"notice.{key.hex()}")
    for row in work.state.groups.values():
        drawing.wipe(work, row, f"notice.{key.hex()}")


def _hazard_uid(found: Hazard) -> str:
    """Made from what the agency has published itself."""
    return f"hazard.{found.key.hex()}"


def put_away(work: Work, origin: str, message: bytes) -> None:
    """A message was taken back: what it had drawn is taken away."""
    standing.drop_message(work.state.standing, origin, message)
    for row in work.state.groups.values():
        drawing.put_away(work, row, (origin, message))


def policy_changed(work: Work, changed: frozenset[str]) -> None:
    """What these partners may have has changed: their groups begin anew, with what they may have now.

    Others' groups stay as they are: that something was changed for somebody is nothing for them. What is taken away is
    taken away without a word: that it ended would not be true, and why is nobody's business.
    """
    for row in work.state.groups.values():
        if changed.intersection(row.partners) - {work.state.own}:
            drawing.clear(work, row, told=not row.is_whole)
            if row.is_whole:
                _begin(work, row, is_new=False)


def prune(state: State, now_ns: int) -> None:
    """Lets go of what has run out."""
    drawing.prune(state, now_ns)
    standing.prune(state.standing, now_ns)


# --- what stands, and to whom it is shown -------------------------------------------------------------


def _said(work: Work, thing: Standing) -> None:
    """Shows a thing to the groups that may see it, and keeps it for those that come."""
    state = work.state
    standing.keep(state.standing, thing, work.now_ns)
    for row in _rows(state, thing):
        _draw(work, row, thing)


def _rows(state: State, thing: Standing) -> Iterator[GroupRow]:
    """The groups that may see a thing now."""
    for row in state.groups.values():
        if _is_for(state, row, thing):
            yield row


def _is_for(state: State, row: GroupRow, thing: Standing) -> bool:
    partners, told = frozenset(row.partners), frozenset(thing.partners)
    match thing.what:
        case "warning":
            content = KINDS["warning"].content
            unit = state.genesis.assessing_unit
            return (
                partners == told
                and not _has_removed(state, row)
                and _may_hear(state, row, unit, content, "full")
            )
        case "declared":
            others = partners - state.own_audience
            unit, content = state.genesis.assessing_unit, KINDS["warning"].content
            return bool(others) and others <= told and others <= _told(state, unit, content, "declared")
        case "alert":
            ends = thing.until_ns == 0 and _name(state, row, thing) in state.shown.get(row.name, {})
            assert thing.alert is not None
            return ends or partners <= told & _told(state, thing.alert.unit, "alert")
        case "notice":
            return row.is_whole and _may_have(state, row, thing)
        case _:
            return _may_have(state, row, thing)


def _may_have(state: State, row: GroupRow, thing: Standing) -> bool:
    """Whether all partners of a group may have a message: by its label, and by our own policy."""
    assert thing.key is not None
    others = [one for one in row.partners if one not in (state.own, thing.origin)]
    outcomes: list[Allowed | Withheld] = [state.policy.onward_key(thing.key, one) for one in others]
    # Whether a line leads there is no matter: its people read here.
    return all(isinstance(one, Allowed) or one.rule == "links" for one in outcomes)


def _name(state: State, row: GroupRow, thing: Standing) -> str:
    """What a thing is called to a group: what we made ourselves is called otherwise to each audience."""
    partners = frozenset(row.partners)
    match thing.what:
        case "warning":
            return f"{state.alias('cot-event', thing.event, partners).hex()}.warning"
        case "declared":
            return f"{state.alias('cot-declared', thing.event, partners).hex()}.warning"
        case "alert":
            return f"{state.alias('cot-alert', thing.event, partners).hex()}.alert"
        case _:
            return thing.name


def _draw(work: Work, row: GroupRow, thing: Standing) -> None:
    state, uid = work.state, _name(work.state, row, thing)
    of = (thing.origin, thing.message)
    if thing.what == "alert" and frozenset(row.partners) != state.own_audience:
        of = (thing.origin, b"")
    label = thing.label or drawing.label_of(row)
    if thing.warning is not None:
        drawing.warning(work, row, uid, thing.origin, thing.warning, of, label)
    elif thing.alert is not None:
        drawing.alert(work, row, uid, thing.origin, thing.alert, of, label)
    elif thing.facts is not None:
        drawing.hazard(work, row, uid, thing.title, thing.facts, of, label)
    elif thing.notice is not None:
        drawing.notice(work, row, uid, thing.notice, of, label)


def _begin(work: Work, row: GroupRow, *, is_new: bool) -> None:
    """A group is shown what stands, alerts and warnings first. is_new: whether nobody had its audience's picture yet."""
    state, partners = work.state, frozenset(row.partners)
    for thing in standing.now(state.standing, work.now_ns):
        if _is_for(state, row, thing):
            _draw(work, row, thing)
    if partners == state.own_audience:
        _show_standing(work, row)
    if is_new:
        _lend(state, partners, work.now_ns)
        return
    if _has_removed(state, row):
        return
    for event in state.events.active(partners):
        seen = event.estimate.filter
        outlook = event.estimate.outlook
        if outlook is None and event.estimate.rows:
            watch = own_areas.watch_for(state, seen.first_observed_ns)
            outlook = look_ahead(seen, watch, state.genesis.rules, work.now_ns)
        if outlook is not None:
            drawing.picture(work, row, _base(state, event), event, event.estimate, outlook)


def _lend(state: State, partners: frozenset[str], now_ns: int) -> None:
    """Gives an audience that had no picture yet those of the fewest others, all of which its partners may have as well.

    What those others may not have is in none of them; the group may have more, and gets it from now on.
    """
    wider = [one for one in state.event_audiences() if one > partners and REDUCED not in one]
    for audience in sorted(wider, key=lambda one: (len(one), sorted(one))):
        events = state.events.active(audience)
        if not events or state.events.active(partners):
            continue
        ours = {known: own for own in state.events.of(state.own_audience) for known in own.known_as.values()}
        for event in events:
            if event.estimate.rows:
                other = state.events.lend(event, partners, now_ns)
                if event in ours:
                    ours[event].known_as.setdefault(partners, other)


def _of_message(work: Work, message: Message, what: What, name: str, until_ns: int, **more: Any) -> Standing:
    return Standing(
        what=what,
        name=name,
        origin=message.origin,
        until_ns=until_ns,
        message=message.id,
        key=work.state.policy.key(message),
        label=label_of(message),
        **more,
    )


def _heard_base(message: Message, first: str = "") -> str:
    envelope = message.envelope
    about = envelope.event.hex() or first
    return f"{envelope.origin}.{about}.{'alert' if first else 'warning'}"


# --- who may ------------------------------------------------------------------------------------------


def _defect(state: State, given: Gateways) -> str:
    names = [row.name for row in given.groups]
    if (
        len(set(names)) != len(names)
        or len(names) > MAX_GROUPS
        or any(not 0 < len(n) <= MAX_NAME for n in names)
    ):
        return "malformed-groups"
    for row in given.groups:
        partners = frozenset(row.partners)
        if state.own not in partners or not partners <= set(state.partners):
            return "unknown-partner"
        for post, _ in row.posts:
            if post not in state.posts:
                return "unknown-post"
    return ""


def _of_audience(state: State, audience: frozenset[str]) -> Iterator[GroupRow]:
    """The groups of exactly this audience, unless one of its partners is spoken with no more."""
    for row in state.groups.values():
        if frozenset(row.partners) == audience and not _has_removed(state, row):
            yield row


def _has_removed(state: State, row: GroupRow) -> bool:
    """Whether one of a group's partners is spoken with no more."""
    return any(state.release_policy.on_terms(one, "removed") for one in row.partners if one != state.own)


def _may_hear(state: State, row: GroupRow, unit: str, content: str, *editions: str) -> bool:
    """Whether the policy lets all partners of a group have what a unit of ours says of this content."""
    partners = frozenset(row.partners)
    return partners == state.own_audience or any(
        one.edition in editions and partners <= one.partners for one in state.policy.audiences(unit, content)
    )


def _told(state: State, unit: str, content: str, *editions: str) -> frozenset[str]:
    """Ourselves, and all whom the policy lets be told today of what a unit of ours says of this content.

    Who was told of something once may have to be told nothing more: a group that begins anew is not shown it again.
    """
    today = state.policy.audiences(unit, content)
    return state.own_audience.union(
        *(one.partners for one in today if not editions or one.edition in editions)
    )


def _show_standing(work: Work, row: GroupRow) -> None:
    """A group of our own staff that is new is shown the alerts that stand."""
    state = work.state
    ids = {body.identifier: message for message, body in state.alerts.items()}
    for desk in state.desks.values():
        for number in sorted(desk.events):
            for body in desk.standing(number)[-1:]:
                base = state.alias("cot-alert", number, state.own_audience).hex()
                if body.expires_ns > work.now_ns and f"{base}.alert" not in state.shown.get(row.name, {}):
                    of = (state.own, ids.get(body.identifier, b""))
                    drawing.alert(work, row, f"{base}.alert", state.own, body, of, drawing.label_of(row))


def _base(state: State, event: Event) -> str:
    """What an event's things are called to those who share its picture; nothing else is called so."""
    return state.alias("cot-event", event.number, event.audience).hex()


def label_of(message: Message) -> str:
    label = message.envelope.label
    rank = label.classification if label.classification in CLASSIFICATIONS else "unknown"
    return f"{rank}, releasable to {', '.join(sorted(label.audience))}"
