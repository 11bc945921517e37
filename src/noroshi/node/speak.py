"""Saying something: an edition per audience, signed, recorded, and handed to the one door out.

message = say(work, "warning", unit, audience, body, event=alias)
"""

from __future__ import annotations

import msgspec

from noroshi.messages import KINDS, Envelope, Label, Message, label_for, seal
from noroshi.messages.bodies import Body, RecallBody
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import digest, read_payload
from noroshi.messages.kinds import Lane
from noroshi.node import trusting
from noroshi.node.state import State
from noroshi.node.work import ACTS_S, Work
from noroshi.sharing import RELAYS, Allowed, Withheld, partner_party
from noroshi.sharing.release import CaseRelease, Plain, ReleaseKey


def say(
    work: Work,
    kind: str,
    unit: str,
    audience: frozenset[str],
    body: Body,
    *,
    event: bytes = b"",
    refs: tuple[bytes, ...] = (),
    expires_ns: int = 0,
    label: Label | None = None,
    released: tuple[str, str] | None = None,
    declared: bool = False,
) -> Message:
    """Signs one edition for `audience`, records it, and releases it to the audience's other partners.

    label: where it is not the usual one for this audience; it names nobody beyond it. released: a partner and the post
    that has released this edition to it. declared: the audience is told of what it may not see; the record says so.
    """
    state = work.state
    envelope = Envelope(
        v=KINDS[kind].since,
        realm=state.genesis.realm,
        origin=state.own,
        node=state.genesis.node,
        unit=unit,
        id=state.new_id(audience),
        kind=kind,
        time_ns=work.now_ns,
        time_error_ns=state.clock_error_ns,
        label=label or label_for(audience),
        event=event,
        refs=refs,
        expires_ns=expires_ns,
        body=msgspec.Raw(b""),
    )
    certificate, secret = trusting.signer(state, work.now_ns)
    message = seal(envelope, body, certificate, state.scheme, secret)
    work.record("message", message.raw, message.kind.retention_s if message.kind else ACTS_S)
    known = state.known
    known.add(known.key(state.own, message.id), known.check(read_payload(message.raw)), work.newest_record)
    cases = (CaseRelease(message.id, *released),) if released else ()
    release(work, message, cases, declared=declared)
    return message


def release(
    work: Work,
    message: Message,
    cases: tuple[CaseRelease, ...] = (),
    *,
    declared: bool = False,
    lane: int = Lane.NOTICE,
) -> None:
    """Puts the edition, unchanged, into the outbox of every neighbour on the way to a partner who may have it.

    lane: in which it came, where its kind is unknown here: it goes on in the same. Records what was decided: numbers of
    the rows, reasons of what was withheld, the rules that decided.
    """
    state, envelope = work.state, message.envelope
    lane = message.kind.lane if message.kind else lane
    why = state.policy.key(message, cases)
    plain = state.policy.plain(why)
    if plain is not None:
        _release_plainly(work, message, why, plain, lane, declared=declared)
        return
    key = state.known.key(envelope.origin, message.id)
    sent: dict[str, int] = {}
    rules: dict[str, str] = {}
    withheld: dict[str, str] = {}
    denied_by: dict[str, str] = {}
    ways: dict[str, str] = {}
    hashed, given = b"", 0
    recall = message.body if isinstance(message.body, RecallBody) else None
    for partner in state.others:
        if partner == envelope.origin:
            continue
        outcome = state.policy.charged(why, partner, work.now_ns, state.spent)
        if recall is not None and not _had(state, message, recall, partner):
            outcome = Withheld("never-had-it", "recall")
        if isinstance(outcome, Allowed) and outcome.edition == "declared" and not declared:
            outcome = Withheld("declared-only", outcome.rule)
        if isinstance(outcome, Allowed):
            rules[partner] = outcome.rule
            ways[partner] = outcome.next_hop
            given |= 1 << state.bit(partner)
            if outcome.next_hop not in sent:
                party = partner_party(outcome.next_hop)
                hashed = hashed or digest(message.raw)
                sent[outcome.next_hop] = work.send(party, lane, message.raw, why=why, digest=hashed)
        else:
            withheld[partner] = outcome.reason
            denied_by[partner] = outcome.rule
    if given:
        state.known.mark_all(key, given)
    decided = {
        "id": message.id,
        "kind": envelope.kind,
        "to": sent,
        "rules": rules,
        "withheld": withheld,
        "denied_by": denied_by,
        "ways": ways,
        "policy": state.release_policy.version,
        "declared": declared,
    }
    work.record("release", encode(decided), ACTS_S)


def _release_plainly(
    work: Work, message: Message, why: ReleaseKey, plain: Plain, lane: int, *, declared: bool
) -> None:
    """The same where it follows from the policy alone, as it does for nearly all: it was worked out once."""
    state, envelope = work.state, message.envelope
    party_digest = digest(message.raw) if plain.hops else b""
    sent = {
        hop: work.send(partner_party(hop), lane, message.raw, why=why, digest=party_digest)
        for hop in plain.hops
    }
    given = 0
    for partner in plain.partners:
        given |= 1 << state.bit(partner)
    if given:
        state.known.mark_all(state.known.key(envelope.origin, message.id), given)
    decided = {
        "id": message.id,
        "kind": envelope.kind,
        "to": sent,
        "rules": plain.rules,
        "withheld": plain.withheld,
        "denied_by": plain.denied_by,
        "ways": plain.ways,
        "policy": state.release_policy.version,
        "declared": declared,
    }
    work.record("release", encode(decided), ACTS_S)


def pass_to(work: Work, relay: str, raw: bytes, lane: int, key: str = "") -> None:
    """Puts what was said to our own side into the outbox of one of our own relays, as it was signed."""
    work.send(f"{RELAYS}{relay}", lane, raw, key)


def _had(state: State, message: Message, body: RecallBody, partner: str) -> bool:
    """Whether a recall concerns a partner: one that was given the message by us, or any, when it answers to one."""
    return body.step == "done" or partner in state.given_to(message.origin, body.of)
