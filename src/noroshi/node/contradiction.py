"""Does a message that holds by itself contradict what its author has said before of the same?

Under one id it is a matter of the bytes; see `noroshi.node.security`. Here it is a matter of what is claimed: an alert
or a warning that is ended twice for different reasons, one that goes on after its end, two contents under one number or
identifier, receipts that are taken back. What was believed first stands; what only came late contradicts nothing.

    reason = contradiction.alert(state, origin, body)        # 'contradictory' or an empty text
"""

from __future__ import annotations

from noroshi.clock import seconds
from noroshi.messages import Message
from noroshi.messages.bodies import AlertBody, WarningBody
from noroshi.messages.bodies_reach import DeliveryBody, bits_of
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import DAY_S
from noroshi.node.security import CONTRADICTORY
from noroshi.node.state import HeardWord, State
from noroshi.node.work import Work

WORD_KEPT_NS = seconds(DAY_S)
"""A warning's newest word is known for so long after it has run out: longer than any link is slow."""

MAX_HEARD = 4_096
"""Partners' warnings whose newest word is known; the oldest are let go. A partner has some tens at a time."""


def alert(state: State, origin: str, body: AlertBody) -> str:
    """Why a partner's alert contradicts what the partner has alerted before, or an empty text."""
    heard = state.heard_alerts
    before = heard.get(body.identifier)
    if before is not None and before.origin == origin:
        return "" if before.body.digest == body.digest else CONTRADICTORY
    for identifier in body.references:
        earlier = heard.get(identifier)
        if earlier is None or earlier.origin != origin or not earlier.ended:
            continue
        ends = [
            one.body
            for one in heard.values()
            if one.origin == origin and one.body.type == "Cancel" and identifier in one.body.references
        ]
        goes_on = any(one.sent_ns < body.sent_ns for one in ends) and body.type != "Cancel"
        if goes_on or (body.type == "Cancel" and any(one.reason != body.reason for one in ends)):
            return CONTRADICTORY
    return ""


def warning(state: State, message: Message, body: WarningBody) -> str:
    """Why a partner's warning contradicts what the partner has said of the same event, or an empty text."""
    before = state.heard_words.get((message.origin, message.envelope.event))
    if before is None or body.number < before.number:
        return ""
    if body.number == before.number:
        return "" if before.check == state.known.check(encode(body)) else CONTRADICTORY
    follows = body.number == before.number + 1  # with a gap, what began it anew may still be on another way
    return CONTRADICTORY if before.is_ended and follows and body.state != "issued" else ""


def warned(work: Work, message: Message, body: WarningBody) -> None:
    """Notes a partner's warning that was believed."""
    words, key = work.state.heard_words, (message.origin, message.envelope.event)
    before = words.get(key)
    if before is not None and before.number >= body.number:
        return
    words.pop(key, None)
    while len(words) >= MAX_HEARD:
        del words[next(iter(words))]
    check = work.state.known.check(encode(body))
    words[key] = HeardWord(body.number, check, body.state == "ended", body.valid_until_ns)


def delivery(state: State, body: DeliveryBody) -> str:
    """Why a relay's receipts contradict those that it has given before, or an empty text.

    Under one number a relay says one thing. Under a later one it may say less: it was set up anew from an old disk, and
    what its last hops then receipt must count; what it had told before stands.
    """
    told = state.told.get(body.of)
    word = told.words.get(body.relay) if told is not None else None
    if word is None or body.sequence != word.sequence:
        return ""
    return CONTRADICTORY if bits_of(word.received) & ~bits_of(body.received) else ""


def prune(state: State, now_ns: int) -> None:
    """Lets go of words that are past."""
    state.heard_words = {
        key: one for key, one in state.heard_words.items() if one.until_ns + WORD_KEPT_NS >= now_ns
    }
