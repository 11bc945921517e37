"""First stage: is this input new, whole, and from whom it says? Gives verified values, or has refused.

A repeated row, batch or message is a duplicate, for ever, and has no effect. What is refused leaves a record with
its reason here; the giver is told only that it was refused.
"""

from __future__ import annotations

from noroshi.clock import seconds
from noroshi.messages import KINDS, Message, Refused, Unverified, verify
from noroshi.messages.canonical import encode
from noroshi.messages.signing import key_id
from noroshi.node.inputs import Detections, LinkChanged, ReceiptGiven, Received, SensorRow
from noroshi.node.work import Work
from noroshi.sharing.link import receipt_bytes

MAX_AHEAD_NS = 2_000_000_000
"""A measurement may be this far ahead of our clock (its clock error) before it is refused as future-dated."""

MAX_AGE_NS = seconds(KINDS["track"].expiry_s)
"""A measurement older than a track's expiry is history: recorded, never raised as live."""

MAX_FEED_GAP = 10_000_000
"""Batches that an own feed may have lost, weeks of them; a larger step is a wrong number, and would silence the feed."""


def message(work: Work, given: Received) -> Message | None:
    """The verified message, or None when it was a duplicate or has been refused."""
    state = work.state
    if given.number:
        expected = state.received.get(given.party, 0) + 1
        if given.number != expected:
            if given.number < expected:
                work.duplicate()
            else:
                work.refuse(given.party, "row-out-of-order", f"row {given.number}, expected {expected}")
            return None
        state.received[given.party] = given.number
    outcome = verify(Unverified(given.raw), state.trust, work.now_ns)
    if isinstance(outcome, Refused):
        work.refuse(given.party, outcome.reason, outcome.detail)
        return None
    identity = outcome.id + outcome.origin.encode()
    if identity in state.seen:
        work.duplicate()
        return None
    reason = _entrance_defect(work, given, outcome)
    if reason:
        work.refuse(given.party, reason, outcome.envelope.kind)
        return None
    state.seen.add(identity)
    return outcome


def detections(work: Work, given: Detections) -> SensorRow | None:
    """The own sensor whose measurements these are, or None when they are duplicates or refused."""
    state = work.state
    party = f"feed:{given.feed}"
    last = state.feeds.get(given.feed, 0)
    if given.sequence <= last:
        work.duplicate()
        return None
    if given.sequence > last + MAX_FEED_GAP:
        work.refuse(party, "batch-out-of-order", f"batch {given.sequence}, expected {last + 1}")
        return None
    if given.sequence != last + 1:
        _feed_gap(work, given.feed, given.sequence - last - 1)
    state.feeds[given.feed] = given.sequence
    sensor = state.sensors.get(given.sensor)
    if sensor is None:
        work.refuse(party, "unknown-sensor", given.sensor)
        return None
    if not given.time_ns or len(given.time_ns) != len(given.value):
        work.refuse(party, "malformed-batch", f"{len(given.time_ns)} times, {len(given.value)} values")
        return None
    if max(given.time_ns) > work.now_ns + MAX_AHEAD_NS:
        work.refuse(party, "future-dated", given.sensor)
        return None
    if min(given.time_ns) < work.now_ns - MAX_AGE_NS:
        work.refuse(party, "too-old", given.sensor)
        return None
    return sensor


def _feed_gap(work: Work, feed: str, missing: int) -> None:
    """Says that batches of an own feed never came; what comes now is used all the same."""
    work.record("note", encode({"about": "feed", "feed": feed, "missing": missing}))
    work.show(
        "refusal",
        f"Feed {feed}: {missing} batches never came",
        party=f"feed:{feed}",
        reason="feed-gap",
        detail=str(missing),
    )


def receipt(work: Work, given: ReceiptGiven) -> None:
    """Notes how far a partner has made our rows durable; its signature is on the log as proof."""
    state = work.state
    partner = given.party.removeprefix("partner:")
    upto = state.receipts.get(given.party, 0)
    if given.upto <= upto:
        work.duplicate()
        return
    data = receipt_bytes(state.genesis.realm, state.own, partner, given.upto)
    keys = [c.public for c in state.trust.certificates() if c.partner == partner and c.role == "node"]
    valid = [key for key in keys if not isinstance(state.trust.holder(key_id(key), work.now_ns), str)]
    if given.upto > state.outboxes.upto(given.party):
        work.refuse(given.party, "receipt-for-unsent-rows", str(given.upto))
    elif not any(state.scheme.verify(key, data, given.signature) for key in valid):
        work.refuse(given.party, "bad-receipt")
    else:
        state.receipts[given.party] = given.upto


def link(work: Work, given: LinkChanged) -> None:
    """Shows the state of a partner's link, and records its clock's offset."""
    state = work.state
    partner = given.party.removeprefix("partner:")
    if partner not in state.policy.neighbours:
        work.refuse(given.party, "unknown-partner")
        return
    before = state.links.get(partner, "down")
    state.links[partner] = given.state
    words = {"up": "is up", "silent": "is silent", "down": "is down"}[given.state]
    says = f"Link to {partner} {words}" if before != given.state else ""
    work.show(
        "link",
        says,
        key=f"link:{partner}",
        partner=partner,
        state=given.state,
        since_ms=work.now_ns // 1_000_000,
        offset_s=given.offset_s,
    )
    if says:
        work.record("note", encode({"about": "link", "partner": partner, "state": given.state}))


def _entrance_defect(work: Work, given: Received, received: Message) -> str:
    """Whether this party may bring this message: a link what its partner may relay, a post its own words."""
    state, envelope = work.state, received.envelope
    side, _, name = given.party.partition(":")
    own = envelope.origin == state.own
    serving = state.genesis.nodes.get(envelope.unit, "")
    if serving != envelope.node or state.genesis.node_partners.get(serving) != envelope.origin:
        return "not-its-unit"
    if side == "post":
        return "" if own and envelope.post == name else "not-this-posts-message"
    if side == "control":
        return "" if own and received.signer.role == "control" else "not-control"
    if side != "partner" or name not in state.policy.neighbours:
        return "unknown-partner"
    if own:
        return "our-own-message-came-back"
    if state.own not in envelope.label.audience:
        return "not-released-to-us"
    way = state.policy.route(envelope.origin, state.own, envelope.label.audience | {envelope.origin})
    return "" if len(way) >= 2 and way[-2] == name else "not-this-partners-way"
