"""Answers that come before what they answer: kept until it is there, since two ways to a node are not equally quick.

A partner's concurrence may come over a direct line before the request comes through a relay. It is on the log like every
input; here it waits, bounded and for a day, and has its effect as soon as the request, warning or alert is known.

    early.keep(work, message, party)         # whether it waits now
    for message, party in early.due(work, case): ...
"""

from __future__ import annotations

from collections.abc import Iterator

from noroshi.clock import seconds
from noroshi.messages import KINDS, Message, Refused, Unverified, verify
from noroshi.messages.bodies import AcknowledgementBody, DecisionBody
from noroshi.messages.canonical import encode
from noroshi.node.work import Work

REASONS = frozenset({"unknown-case", "acknowledges-nothing-known"})
"""Refusals that only say that the question is not here yet."""

MOST = 256
"""Answers of one partner that may wait: more than its posts; a flood of answers to nothing costs no more memory."""

KEPT_NS = seconds(KINDS["decision"].expiry_s)
"""How long an answer waits: then it is history."""


def keep(work: Work, message: Message, party: str) -> bool:
    """Keeps a partner's answer for later; False for our own posts' words, and when too many wait already."""
    state, of = work.state, _of(message)
    if not of or message.origin == state.own:
        return False
    waiting = sum(one[1] == message.origin for many in state.early.values() for one in many)
    if waiting >= MOST:
        return False
    state.early.setdefault(of, []).append((work.now_ns, message.origin, party, message.raw))
    work.record("note", encode({"about": "early", "of": of, "kind": message.envelope.kind}))
    return True


def due(work: Work, of: bytes) -> Iterator[tuple[Message, str]]:
    """The answers that have waited for this request, warning or alert, in the order in which they came."""
    for _, _, party, raw in work.state.early.pop(of, ()):
        message = verify(Unverified(raw), work.state.trust, work.now_ns)
        if not isinstance(message, Refused):  # its key may have been taken back since
            yield message, party


def _of(message: Message) -> bytes:
    match message.body:
        case DecisionBody() as body if not body.subject and body.step != "request":
            return body.case
        case AcknowledgementBody() as body:
            return body.of
    return b""
