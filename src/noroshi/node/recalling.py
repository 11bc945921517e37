"""Recall stage: a message that went too far is asked back from exactly those who had it, and each says what it did.

A post of the originator asks; its node tells those to whom it released the message (or passed it on: a relay passes a
recall only where the message itself went). Whoever gets it puts the message away: it is shown as recalled, waits for
nobody, and no longer counts as evidence. It may come before the message does; then the message is put away at once.
Where the label was raised, those who may still have it get an edition with the new label in its place. What left cannot
be called back: the staff are told who was asked, who has answered, and that.
"""

from __future__ import annotations

import msgspec

from noroshi.clock import NS_PER_S
from noroshi.messages import Label, Message, Refused, Unverified, may_have, verify
from noroshi.messages.bodies import RecallBody
from noroshi.messages.labels import CLASSIFICATIONS
from noroshi.node import evidence, groups, noticing, tasks
from noroshi.node.speak import say
from noroshi.node.state import Recall, State
from noroshi.node.work import MS_PER_NS, Work

HONEST = "What has left cannot be called back: they were asked to put it away"


def defect(state: State, message: Message, body: RecallBody, now_ns: int) -> str:
    """Why this speaker may not say this, or an empty text."""
    envelope = message.envelope
    if body.step == "ask":
        return _ask_defect(state, message, body, now_ns)
    if envelope.post:
        return "speaker-may-not"
    if body.step == "done":
        recall = state.recalls.get(body.of)
        known = recall is not None and envelope.origin in recall.asked | recall.replaced
        return "" if known or state.own not in envelope.label.audience else "recall-unknown"
    return ""


def asked(work: Work, message: Message, body: RecallBody) -> None:
    """An own post takes a message of this node back, or raises its label."""
    state = work.state
    if state.is_recalled(state.own, body.of):
        work.duplicate()
        return
    had = state.given_to(state.own, body.of)
    keeps = frozenset[str]()
    by = b""
    if body.label is not None:
        keeps = frozenset(one for one in had if may_have(body.label, one, origin=state.own))
        by = _reissue(work, body, keeps)
    state.put_away(state.own, body.of)
    asked_of = had - keeps
    state.recalls[body.of] = Recall(work.now_ns, had, asked_of, keeps if by else frozenset())
    unit = state.genesis.assessing_unit
    if asked_of:
        recall = RecallBody(of=body.of, step="recalled", asked=tuple(sorted(asked_of)))
        say(work, "recall", unit, _with_relays(state, asked_of, had), recall)
    if keeps and by:
        say(work, "recall", unit, keeps | {state.own}, RecallBody(of=body.of, step="replaced", by=by))
    _put_away(work, state.own, body.of)
    who = ", ".join(sorted(asked_of)) or "nobody: it had gone to none"
    _show(work, body.of, f"{message.envelope.post} recalled a message from {who}. {HONEST}" if asked_of else
          f"{message.envelope.post} recalled a message from {who}")  # fmt: skip


def told(work: Work, message: Message, body: RecallBody) -> None:
    """A partner takes one of its messages back: puts it away, now or when it comes, and says so."""
    state, envelope = work.state, message.envelope
    origin = envelope.origin
    if body.step == "recalled" and body.asked and state.own not in body.asked:
        return  # passed on; we may keep it
    key = state.known.key(origin, body.of)
    held = key in state.known
    if state.is_recalled(origin, body.of):
        work.duplicate()
        return
    state.put_away(origin, body.of)
    if held:
        _put_away(work, origin, body.of)
    way = frozenset(state.policy.route(origin, state.own, envelope.label.audience | {origin}))
    unit = state.genesis.assessing_unit
    say(work, "recall", unit, way, RecallBody(of=body.of, step="done", unknown=not held))
    words = (
        "recalled a message" if body.step == "recalled" else "put another edition in the place of a message"
    )
    work.show(
        "recall",
        f"{origin} {words}: it was put away here" if held else f"{origin} {words} that is not here",
        of=body.of.hex(),
        partner=origin,
        step=body.step,
        held=held,
    )


def answered(work: Work, message: Message, body: RecallBody) -> None:
    """A partner says that it has put away what we took back."""
    state, envelope = work.state, message.envelope
    recall = state.recalls.get(body.of)
    if recall is None or envelope.origin not in recall.asked | recall.replaced:
        return  # passed on for its originator
    if recall.done.setdefault(envelope.origin, envelope.time_ns) != envelope.time_ns:
        work.duplicate()
        return
    if body.unknown:
        recall.unknown.add(envelope.origin)
    verb = "never had" if body.unknown else "has put away"
    _show(work, body.of, f"{envelope.origin} {verb} the recalled message")


def _with_relays(state: State, asked: frozenset[str], had: frozenset[str]) -> frozenset[str]:
    """Those who are asked, and whoever passed the message on to them: relays may keep it, and pass the recall on."""
    ways = (state.policy.route(state.own, one, had | {state.own}) for one in asked)
    return asked.union({state.own}, *ways)


def _ask_defect(state: State, message: Message, body: RecallBody, now_ns: int) -> str:
    envelope = message.envelope
    post = state.posts.get(envelope.post)
    if envelope.origin != state.own or post is None:
        return "no-authority"
    if not {"watch", "approve"}.intersection(post.duties):
        return "not-this-posts-duty"
    if envelope.label.audience - state.own_audience:
        return "label-too-wide"
    if state.known.key(state.own, body.of) not in state.known:
        return "recalls-nothing-known"
    if body.label is None:
        return ""
    original = verify(Unverified(body.original), state.trust, now_ns)
    if isinstance(original, Refused) or original.id != body.of or original.origin != state.own:
        return "not-the-message-itself"
    return "" if _is_stricter(body.label, original.envelope.label) else "label-not-stricter"


def _is_stricter(new: Label, old: Label) -> bool:
    """Whether nobody may have it under the new label who may not under the old one, and something was raised."""
    if new == old or new.classification not in CLASSIFICATIONS or old.classification not in CLASSIFICATIONS:
        return False
    ranks = [CLASSIFICATIONS.index(one.classification) for one in (old, new)]
    narrower = new.audience <= old.audience and set(old.caveats) <= set(new.caveats)
    return ranks[0] <= ranks[1] and narrower and set(old.others) <= set(new.others)


def _reissue(work: Work, body: RecallBody, keeps: frozenset[str]) -> bytes:
    """Says the same under the new label to those who may still have it; its id, none if nobody may."""
    state = work.state
    original = verify(Unverified(body.original), state.trust, work.now_ns)
    if not keeps or isinstance(original, Refused) or original.body is None or body.label is None:
        return b""
    envelope = original.envelope
    kept = keeps | {state.own}
    label = msgspec.structs.replace(body.label, releasable_to=tuple(sorted(body.label.audience & kept)))
    message = say(
        work,
        envelope.kind,
        envelope.unit,
        kept,
        original.body,
        event=envelope.event,
        refs=(body.of,),
        expires_ns=envelope.expires_ns,
        label=label,
    )
    return message.id


def _put_away(work: Work, origin: str, of: bytes) -> None:
    """Nobody is asked about it any more, and it is no evidence."""
    state = work.state
    for task in [one for one in state.tasks.values() if one.fields.get("of") == of]:
        tasks.close(work, task.id, "expired")
    evidence.withdraw(work, origin, of)
    groups.put_away(work, origin, of)
    noticing.put_away(work, origin, of)


def _show(work: Work, of: bytes, says: str) -> None:
    recall = work.state.recalls[of]
    work.show(
        "recall",
        says,
        lane=1,
        key=f"recall:{of.hex()}",
        of=of.hex(),
        partner=work.state.own,
        step="recalled",
        age_s=round((work.now_ns - recall.asked_ns) / NS_PER_S, 3),
        partners=[
            {
                "partner": one,
                "asked": one in recall.asked,
                "done_ms": recall.done[one] // MS_PER_NS if one in recall.done else None,
                "never_had": one in recall.unknown,
            }
            for one in sorted(recall.had)
        ],
    )
