"""First stage: is this input new, whole, and from whom it says? Gives verified values, or has refused.

A repeated row, batch or message is a duplicate, for ever, and has no effect; one that says something else under an id
that was seen is contradictory. What is refused leaves a record with its reason here; the giver is told only that it was
refused.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from noroshi.clock import NEVER, NS_PER_S, seconds
from noroshi.log import Forget
from noroshi.messages import KINDS, Message, Refused, Unverified, key_id, verify
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import MAX_ERROR_NS, read_payload, read_signature
from noroshi.messages.kinds import DAY_S, YEAR_S
from noroshi.messages.passkeys import count_of
from noroshi.messages.trust import REAL
from noroshi.node import groups, refused, security
from noroshi.node.inputs import (
    Answer,
    CheckpointGiven,
    ClockStepped,
    Detections,
    Input,
    LinkChanged,
    ReceiptGiven,
    Received,
    Restart,
    Retention,
    SensorRow,
)
from noroshi.node.state import State
from noroshi.node.work import FOR_EVER_S, Work
from noroshi.sharing import STAFF, Position
from noroshi.sharing.streams import LANES, START, next_head, statement_bytes

CAME_BACK = "our-own-message-came-back"

MAX_AHEAD_NS = 2_000_000_000
"""A measurement may be this far ahead of our clock (its clock error) before it is refused as future-dated."""

MAX_AGE_NS = seconds(KINDS["track"].expiry_s)
"""A measurement older than a track's expiry is history: recorded, never raised as live."""

UNKNOWN_KEPT_S = YEAR_S
"""How long the body of a message of an unknown kind is kept: like a notice."""

STAFF_KEPT_NS = seconds(7 * DAY_S)
"""How long the staff's rows are kept: what is older is read from the record, by a review."""

MAX_RETAINED = 256
"""Acts of retention whose marks are kept: more than one an hour for a week come only while the disk is short of room."""

MAX_FEED_GAP = 10_000_000
"""Batches that an own feed may have lost, weeks of them; a larger step is a wrong number, and would silence the feed."""

MAX_FEED_NAME, MAX_FEEDS = 100, 1_024
"""Characters of a feed's name, and feeds that one node counts: it has some tens of sensors."""

MAX_BATCH = 1_000
"""Measurements in one batch of an own feed: each takes half a millisecond, and nothing else is heard meanwhile."""


def message(work: Work, given: Received) -> Message | None:
    """The verified message, or None when it was a duplicate or has been refused."""
    state = work.state
    if given.number and not is_next_row(work, given):
        return None
    outcome = verify(Unverified(given.raw), state.trust, work.now_ns)
    if isinstance(outcome, Refused):
        security.refused(work, given, outcome)
        return None
    work.keep(outcome.kind.retention_s if outcome.kind else UNKNOWN_KEPT_S)
    key = state.known.key(outcome.origin, outcome.id)
    check = state.known.check(_content(outcome))
    if key in state.known:
        _seen_before(work, given, outcome, state.known.said(key), check)
        return None
    reason = _entrance_defect(state, given, outcome)
    if reason:
        work.refuse(given.party, reason, outcome.envelope.kind)
        if reason == CAME_BACK:
            security.came_back(work, given, outcome)
        return None
    if not _counts_up(work, given, outcome):
        return None
    state.known.add(key, check, work.input_record)
    return outcome


def _content(message: Message) -> bytes:
    """What must be the same whenever a message is the same. A post's answer to a task has one id however often it is
    given: somebody who has pressed twice has said nothing else, only later.
    """
    if not message.envelope.post:
        return read_payload(message.raw)
    return encode(msgspec.structs.replace(message.envelope, time_ns=0, time_error_ns=0))


def _seen_before(work: Work, given: Received, message: Message, said: tuple[int, int], check: int) -> None:
    """A message whose id was seen: a repeat, or another content that its author has signed under the same id."""
    before, record = said
    if before and before != check:
        security.contradictory(work, given, message, record)
        return
    work.duplicate()
    refused.repeated(work, given.party)


def foreseen(state: State, now_ns: int, given: Input) -> Answer | None:
    """The answer to an own giver's input that is worthless by its form, its signature or its number. Changes nothing."""
    if isinstance(given, Detections):
        return Answer("duplicate") if given.sequence <= state.feeds.get(given.feed, 0) else None
    if not isinstance(given, Received) or given.number:
        return None
    outcome = verify(Unverified(given.raw), state.trust, now_ns)
    if isinstance(outcome, Refused):
        return Answer("refused", outcome.reason)
    key = state.known.key(outcome.origin, outcome.id)
    if key in state.known:
        before, _ = state.known.said(key)
        is_other = before and before != state.known.check(_content(outcome))
        return Answer("refused", security.CONTRADICTORY) if is_other else Answer("duplicate")
    reason = _entrance_defect(state, given, outcome)
    return Answer("refused", reason) if reason else None


def _counts_up(work: Work, given: Received, message: Message) -> bool:
    """Whether an own post's passkey has counted on since its last signature: one that goes back has been copied.

    Those that do not count say 0 every time.
    """
    state, signer = work.state, message.signer
    if message.origin != state.own or signer.passkey is UNSET:
        return True
    name = key_id(signer.public)
    count, before = count_of(read_signature(given.raw)), state.passkey_counts.get(name, 0)
    if before and count <= before:
        detail = f"{signer.subject}: {count} after {before}"
        work.refuse(given.party, "passkey-count-went-back", detail)
        return False
    if count:
        state.passkey_counts[name] = count
    return True


def is_next_row(work: Work, given: Received) -> bool:
    """Whether this is the next row of its stream; moves the stream on, and holds it against its sender's word."""
    state = work.state
    if not 0 <= given.lane < len(LANES):
        work.refuse(given.party, "unknown-lane", str(given.lane))
        return False
    before = state.received.get(given.party, START)
    expected = before.upto[given.lane] + 1
    if given.number != expected:
        if given.number < expected:
            _old_row(work, given)
        else:
            work.refuse(given.party, "row-out-of-order", f"row {given.number}, expected {expected}")
        return False
    head = next_head(before.heads[given.lane], given.raw)
    state.received[given.party] = before.at(given.lane, given.number, head)
    attested = state.attested.get(given.party)
    if attested is not None and attested.upto[given.lane] == given.number:
        _compare(work, given.party, attested, (given.lane,))
    return True


def _old_row(work: Work, given: Received) -> None:
    """A row that came before is a duplicate, unless it says something else under the id of a message that is here."""
    known = work.state.known
    outcome = verify(Unverified(given.raw), work.state.trust, work.now_ns)
    if isinstance(outcome, Message):
        before, record = known.said(known.key(outcome.origin, outcome.id))
        if before and before != known.check(_content(outcome)):
            security.contradictory(work, given, outcome, record)
            return
    work.duplicate()


def _compare(work: Work, party: str, attested: Position, lanes: Iterable[int]) -> None:
    """Holds what a partner has signed against what came from it, where both are at the same row."""
    held = work.state.received.get(party, START)
    for lane in lanes:
        same_place = attested.epoch == held.epoch and attested.upto[lane] == held.upto[lane]
        if same_place and attested.heads[lane] != held.heads[lane]:
            where = f"{LANES[lane].name.lower()} row {held.upto[lane]}"
            work.refuse(party, "stream-differs", where)
            security.differs(work, party, "stream-differs", where)


def detections(work: Work, given: Detections) -> SensorRow | None:
    """The own sensor whose measurements these are, or None when they are duplicates or refused."""
    state = work.state
    party = f"feed:{given.feed}"
    foreign = _foreign(work, given)
    if foreign:
        security.foreign(work, party, foreign)
        return None
    last = state.feeds.get(given.feed, 0)
    if given.sequence <= last:
        newest = state.feed_hashes.get(given.feed) if given.sequence == last else None
        if newest is not None and newest != work.input_hash:
            security.contradicts(work, party, f"another batch {given.sequence}")
        else:
            work.duplicate()
        return None
    if given.sequence > last + MAX_FEED_GAP:
        work.refuse(party, "batch-out-of-order", f"batch {given.sequence}, expected {last + 1}")
        return None
    if len(given.feed) > MAX_FEED_NAME or (not last and len(state.feeds) >= MAX_FEEDS):
        work.refuse(party, "unknown-feed", given.feed)
        return None
    sensor = state.sensors.get(given.sensor)
    if sensor is None:
        work.refuse(party, "unknown-sensor", given.sensor)
        return None
    if not given.time_ns or len(given.time_ns) != len(given.value):
        work.refuse(party, "malformed-batch", f"{len(given.time_ns)} times, {len(given.value)} values")
        return None
    if len(given.time_ns) > MAX_BATCH:
        work.refuse(party, "batch-too-large", f"{len(given.time_ns)} measurements, at most {MAX_BATCH}")
        return None
    if max(given.time_ns) > work.now_ns + MAX_AHEAD_NS:
        work.refuse(party, "future-dated", given.sensor)
        return None
    if min(given.time_ns) < work.now_ns - MAX_AGE_NS:
        work.refuse(party, "too-old", given.sensor)
        return None
    return sensor


def counted(work: Work, given: Detections) -> None:
    """Moves an own feed on to a batch that holds: one that is refused moves nothing, or it could silence the feed."""
    missing = given.sequence - work.state.feeds.get(given.feed, 0) - 1
    if missing:
        _feed_gap(work, given.feed, missing)
    work.state.feeds[given.feed] = given.sequence
    work.state.feed_hashes[given.feed] = work.input_hash


def _foreign(work: Work, given: Detections) -> str:
    """Why a batch is not of this realm, or an empty text. A real one must say so: an exercise's must never be taken for
    it; where all is exercise, a batch that says nothing is of this one.
    """
    realm = work.state.genesis.realm
    if given.realm is UNSET:
        return "realm-not-said" if realm == REAL else ""
    return "" if given.realm == realm else "foreign-realm"


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
    state, position = work.state, given.position
    partner = given.party.removeprefix("partner:")
    if position.defect or partner not in state.policy.neighbours:
        work.refuse(given.party, "bad-receipt", position.defect)
        return
    known = state.outboxes.durable_there(given.party)
    if position.epoch < known.epoch or position == known:
        work.duplicate()
        return
    reason = state.outboxes.defect(given.party, position)
    if reason:
        work.refuse(given.party, reason, str(position.upto))
        security.differs(work, given.party, reason, str(position.upto))
        return
    data = statement_bytes("receipt", state.genesis.realm, state.own, partner, position)
    if not _signed_by_node(work, partner, data, given.signature):
        work.refuse(given.party, "bad-receipt")
        return
    if not state.outboxes.receipted(given.party, position):
        work.duplicate()


def checkpoint(work: Work, given: CheckpointGiven) -> None:
    """Keeps a partner's signed word on its streams for us, and holds it against what came, now or when it has come."""
    state, position = work.state, given.position
    partner = given.party.removeprefix("partner:")
    data = statement_bytes("checkpoint", state.genesis.realm, partner, state.own, position)
    known = partner in state.policy.neighbours and not position.defect
    if not known or not _signed_by_node(work, partner, data, given.signature):
        work.refuse(given.party, "bad-checkpoint", position.defect)
        return
    if position == state.attested.get(given.party):
        work.duplicate()
        return
    state.attested[given.party] = position
    _compare(work, given.party, position, LANES)


def restart(work: Work, given: Restart) -> None:
    """A partner goes on anew after rows that we hold: its numbers follow those, whatever else of it we hold already."""
    state, position = work.state, given.position
    held = state.received.get(given.party, START)
    if given.party.removeprefix("partner:") not in state.policy.neighbours or position.defect:
        work.refuse(given.party, "bad-restart", position.defect)
        return
    if position.epoch <= held.epoch:
        work.duplicate()
        return
    for lane in LANES:
        same = position.upto[lane] == held.upto[lane]
        if position.upto[lane] > held.upto[lane] or (same and position.heads[lane] != held.heads[lane]):
            work.refuse(given.party, "restart-differs", f"{lane.name.lower()} row {position.upto[lane]}")
            return
    state.received[given.party] = position
    state.attested.pop(given.party, None)
    work.record("note", encode({"about": "restart", "partner": given.party, "epoch": position.epoch}))


def clock(work: Work, given: ClockStepped) -> None:
    """The machine's clock was stepped: what was to happen in a minute still happens in a minute."""
    state = work.state
    error_ns = min(max(given.error_ns, 0), MAX_ERROR_NS)
    if not given.by_ns and error_ns == state.clock_error_ns:
        work.duplicate()
        return
    state.clock_error_ns = error_ns
    if not given.by_ns:
        return
    state.spent.shift(given.by_ns)
    state.pruned_ns = max(state.pruned_ns + given.by_ns, 0)
    for name, due_ns in state.timers.items():
        state.timers[name] = min(max(due_ns + given.by_ns, 0), NEVER)
    work.record("note", encode({"about": "clock", "by_ns": given.by_ns}))
    work.show(
        "clock",
        f"This machine's clock was stepped by {given.by_ns / NS_PER_S:+.1f} s: times before and after do not compare",
        by_s=round(given.by_ns / NS_PER_S, 3),
    )


def retention(work: Work, given: Retention) -> None:
    """Lets go what need not be kept: bodies by their kind; partners' rows that were receipted by the last time, and the
    staff's after a week. The chain and the heads of all streams stay, and this record says that it was done.
    """
    state = work.state
    if given.upto_sequence > state.chain.sequence or given.before_ns > work.now_ns:
        work.refuse("control:retention", "too-far", f"record {given.upto_sequence}")
        return
    rows: dict[str, int] = {}
    for at_ns, marks in state.retained:
        for stream, upto in marks.items():
            if stream != STAFF or at_ns + STAFF_KEPT_NS <= work.now_ns:
                rows[stream] = upto
    state.retained = [one for one in state.retained if one[0] + STAFF_KEPT_NS > work.now_ns][-MAX_RETAINED:]
    state.retained.append((work.now_ns, state.outboxes.done_with()))
    forget = Forget(given.upto_sequence, given.before_ns, tuple(sorted(rows.items())))
    work.forget(forget)
    work.record("note", encode({"about": "retention", "rows": rows, "upto": given.upto_sequence}), FOR_EVER_S)


def _signed_by_node(work: Work, partner: str, data: bytes, signature: bytes) -> bool:
    """Whether a node of that partner, whose key counts now, has signed these bytes."""
    trust = work.state.trust
    valid = trust.valid(partner, "node", work.now_ns)
    return any(trust.scheme.verify(one.public, data, signature) for one in valid)


def link(work: Work, given: LinkChanged) -> None:
    """Shows the state of a partner's link, and records its clock's offset."""
    state = work.state
    partner = given.party.removeprefix("partner:")
    if partner not in state.policy.neighbours or given.state == "removed":
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


def _entrance_defect(state: State, given: Received, received: Message) -> str:
    """Whether this party may bring this message: a link what its partner may relay, a post its own words."""
    envelope = received.envelope
    side, _, name = given.party.partition(":")
    if given.number and received.kind is not None and given.lane != received.kind.lane:
        return "wrong-lane"
    own = envelope.origin == state.own
    serving = state.serving.get(envelope.unit, "")
    if serving != envelope.node or state.node_partners.get(serving) != envelope.origin:
        return "not-its-unit"
    if side == "post":
        return "" if own and envelope.post == name else "not-this-posts-message"
    if side == "relay":
        own_relay = own and envelope.post == name and received.signer.role == "relay"
        return "" if own_relay else "not-this-relays-message"
    if side == "gateway":
        return groups.entrance_defect(state, received, name.removeprefix("cot-"))
    if side == "control":
        return "" if own and received.signer.role == "control" else "not-control"
    if side != "partner" or name not in state.policy.neighbours:
        return "unknown-partner"
    if own:
        return CAME_BACK
    audience = envelope.label.audience
    if state.own not in audience:
        return "not-released-to-us"
    way = state.policy.route(envelope.origin, state.own, audience | {envelope.origin})
    return "" if len(way) >= 2 and way[-2] == name else "not-this-partners-way"
