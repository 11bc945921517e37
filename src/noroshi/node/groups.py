"""Groups stage: what clients of Cursor on Target see, each group what all of its partners may have, and nothing else.

A group is a party with an outbox of its own, `gateway:cot-<name>`. Its tracks, areas and warnings are made from the
picture of its audience, so that what the group may not know leaves nothing in it, not even a number; a partner's message
is shown where its label and our policy let every partner of the group have it. Each row is one event, whole, under its
uid. What was shown is remembered, so that its end takes away exactly that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from noroshi.command.hazards import Hazard
from noroshi.gateways.hazard_facts import HazardFacts
from noroshi.messages import KINDS, Message, key_id
from noroshi.messages.bodies import AlertBody, WarningBody
from noroshi.messages.canonical import encode
from noroshi.messages.labels import CLASSIFICATIONS
from noroshi.node import drawing
from noroshi.node.events import Estimate, Event
from noroshi.node.inputs import Gateways, GroupHeard, GroupRow
from noroshi.node.outlook import Outlook
from noroshi.node.state import State
from noroshi.node.work import FOR_EVER_S, Work
from noroshi.sharing import Allowed, Withheld

MAX_GROUPS = 16
MAX_NAME = 32


def adopt(work: Work, given: Gateways) -> None:
    """Takes the groups that the operator has set down: new ones begin, others that are gone end."""
    state = work.state
    rows = {row.name: row for row in given.groups}
    reason = _defect(state, given)
    if reason:
        work.refuse("control:groups", reason)
        return
    if rows == state.groups:
        work.duplicate()
        return
    kept = {
        name
        for name, row in rows.items()
        if name in state.groups and state.groups[name].partners == row.partners
    }
    for name in [one for one in state.groups if one not in kept]:
        drawing.clear(work, state.groups[name])
        state.shown.pop(name, None)
    state.adopt_groups(rows)
    work.record(
        "note",
        encode({"about": "groups", "groups": [list(row.partners) for row in rows.values()]}),
        FOR_EVER_S,
    )
    for row in rows.values():
        if row.name not in kept and frozenset(row.partners) == state.own_audience:
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
    key = key_id(message.signer.public)
    groups = [row.name for row in state.groups.values() if (message.envelope.post, key) in row.posts]
    known = any(key == other for row in state.groups.values() for _, other in row.posts)
    if not known:
        return "names-a-gateway" if through and message.origin == state.own else ""
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
    state = work.state
    for row in _of_audience(state, event.audience):
        if _may_hear(state, row, state.genesis.assessing_unit, KINDS["warning"].content, "full"):
            own = event.audience == state.own_audience
            of = (state.own, message if own else b"")
            drawing.warning(
                work, row, f"{_base(state, event)}.warning", state.own, body, of, drawing.label_of(row)
            )


def torn(work: Work, event: Event, line: WarningBody, told: frozenset[str]) -> None:
    """A warning that was released by declaration: also to the groups of those who were told of it, and to no others."""
    state = work.state
    for row in state.groups.values():
        partners = frozenset(row.partners)
        if partners - state.own_audience and partners <= told | state.own_audience:
            base = state.alias("cot-declared", event.number, partners).hex()
            label = drawing.label_of(row)
            drawing.warning(work, row, f"{base}.warning", state.own, line, (state.own, b""), label)


def heard_warning(work: Work, message: Message, body: WarningBody) -> None:
    """A partner's warning, to the groups all of whose partners may have it."""
    envelope = message.envelope
    base = f"{envelope.origin}.{envelope.event.hex()}"
    for row in _who_may(work.state, message):
        drawing.warning(
            work,
            row,
            f"{base}.warning",
            envelope.origin,
            body,
            (envelope.origin, message.id),
            label_of(message),
        )


def heard_alert(work: Work, message: Message, body: AlertBody) -> None:
    """A partner's public alert likewise."""
    envelope = message.envelope
    first = body.references[0] if body.references else body.identifier
    base = f"{envelope.origin}.{envelope.event.hex() or first}"
    for row in _who_may(work.state, message):
        drawing.alert(
            work,
            row,
            f"{base}.alert",
            envelope.origin,
            body,
            (envelope.origin, message.id),
            label_of(message),
        )


def alerted(work: Work, event: int, body: AlertBody, message: bytes, told: frozenset[str]) -> None:
    """An own public alert, its update or its end: declared by persons to those who were told, and shown to no others.

    event: the number of what it is about; message: the id of our own side's edition; told: ourselves, and the partners
    to whom it was released. An end goes to all who were shown what it ends.
    """
    state = work.state
    for row in state.groups.values():
        partners = frozenset(row.partners)
        base = state.alias("cot-alert", event, partners).hex()
        ends = body.type == "Cancel" and f"{base}.alert" in state.shown.get(row.name, {})
        if partners <= told or ends:
            of = (state.own, message if partners == state.own_audience else b"")
            drawing.alert(work, row, f"{base}.alert", state.own, body, of, drawing.label_of(row))


def hazard(work: Work, facts: HazardFacts, found: Hazard, ended: Iterable[Hazard], message: Message) -> None:
    """Another agency's alert, to groups all of whose partners may have it; what has ended by it is ended for all."""
    for one in ended:
        hazard_over(work, one)
    if found.state == "standing":
        for row in _who_may(work.state, message):
            of = (message.origin, message.id)
            drawing.hazard(work, row, _hazard_uid(found), found.name, facts, of, label_of(message))


def hazard_over(work: Work, found: Hazard) -> None:
    """Another agency's alert stands no more."""
    for row in work.state.groups.values():
        drawing.stop(work, row, _hazard_uid(found), f"{found.name} does not stand any more ({found.state})")


def _hazard_uid(found: Hazard) -> str:
    """Made from what the agency has published itself."""
    return f"hazard.{found.key.hex()}"


def put_away(work: Work, origin: str, message: bytes) -> None:
    """A message was taken back: what it had drawn is taken away."""
    for row in work.state.groups.values():
        drawing.put_away(work, row, (origin, message))


def policy_changed(work: Work, changed: frozenset[str]) -> None:
    """What these partners may have has changed: their groups begin anew, with what they may have now.

    Others' groups stay as they are: that something was changed for somebody is nothing for them.
    """
    for row in work.state.groups.values():
        if changed.intersection(row.partners) - {work.state.own}:
            drawing.clear(work, row)


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
        if frozenset(row.partners) == audience and not any(
            state.release_policy.on_terms(one, "removed") for one in row.partners if one != state.own
        ):
            yield row


def _may_hear(state: State, row: GroupRow, unit: str, content: str, *editions: str) -> bool:
    """Whether the policy lets all partners of a group have what a unit of ours says of this content."""
    partners = frozenset(row.partners)
    return partners == state.own_audience or any(
        one.edition in editions and partners <= one.partners for one in state.policy.audiences(unit, content)
    )


def _who_may(state: State, message: Message) -> Iterator[GroupRow]:
    """The groups all of whose partners may have a partner's message: by its label, and by our own policy."""
    key = state.policy.key(message)
    for row in state.groups.values():
        others = [one for one in row.partners if one not in (state.own, message.origin)]
        outcomes: list[Allowed | Withheld] = [state.policy.onward_key(key, one) for one in others]
        # Whether a line leads there is no matter: its people read here.
        if all(isinstance(one, Allowed) or one.rule == "links" for one in outcomes):
            yield row


def _show_standing(work: Work, row: GroupRow) -> None:
    """A group of our own staff that is new is shown the alerts that stand."""
    state = work.state
    ids = {body.identifier: message for message, body in state.alerts.items()}
    for desk in state.desks.values():
        for number in sorted(desk.events):
            for body in desk.standing(number)[-1:]:
                if body.expires_ns > work.now_ns:
                    base = state.alias("cot-alert", number, state.own_audience).hex()
                    of = (state.own, ids.get(body.identifier, b""))
                    drawing.alert(work, row, f"{base}.alert", state.own, body, of, drawing.label_of(row))


def _base(state: State, event: Event) -> str:
    """What an event's things are called to those who share its picture; nothing else is called so."""
    return state.alias("cot-event", event.number, event.audience).hex()


def label_of(message: Message) -> str:
    label = message.envelope.label
    rank = label.classification if label.classification in CLASSIFICATIONS else "unknown"
    return f"{rank}, releasable to {', '.join(sorted(label.audience))}"
