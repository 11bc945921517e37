"""Saying something: an edition per audience, signed, recorded, and handed to the one door out.

message = say(work, "warning", unit, audience, body, event=alias)
"""

from __future__ import annotations

import msgspec

from noroshi.messages import Envelope, Message, label_for, seal
from noroshi.messages.bodies import Body
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import SCHEMA_VERSION
from noroshi.messages.kinds import Lane
from noroshi.node.work import Work
from noroshi.sharing import Allowed, partner_party


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
) -> Message:
    """Signs one edition for `audience`, records it, and releases it to the audience's other partners."""
    state = work.state
    envelope = Envelope(
        v=SCHEMA_VERSION,
        realm=state.genesis.realm,
        origin=state.own,
        node=state.genesis.node,
        unit=unit,
        id=state.new_id(audience),
        kind=kind,
        time_ns=work.now_ns,
        time_error_ns=0,
        label=label_for(audience),
        event=event,
        refs=refs,
        expires_ns=expires_ns,
        body=msgspec.Raw(b""),
    )
    message = seal(envelope, body, state.certificate, state.scheme, state.secrets.signing)
    state.seen.add(message.id + state.own.encode())
    work.record("message", message.raw)
    release(work, message)
    return message


def release(work: Work, message: Message) -> None:
    """Puts the edition, unchanged, into the outbox of every neighbour on the way to a partner who may have it.

    Records what was decided: numbers of the rows, reasons of what was withheld, the edges that decided.
    """
    state, envelope = work.state, message.envelope
    lane = message.kind.lane if message.kind else Lane.NOTICE
    sent: dict[str, int] = {}
    rules: dict[str, str] = {}
    withheld: dict[str, str] = {}
    for partner in sorted(state.genesis.partners):
        if partner in (state.own, envelope.origin):
            continue
        outcome = state.policy.onward(message, partner)
        if isinstance(outcome, Allowed):
            rules[partner] = outcome.rule
            if outcome.next_hop not in sent:
                sent[outcome.next_hop] = work.send(partner_party(outcome.next_hop), lane, message.raw)
        else:
            withheld[partner] = outcome.reason
    decided = {"id": message.id, "kind": envelope.kind, "to": sent, "rules": rules, "withheld": withheld}
    work.record("release", encode(decided))
