"""Other agencies' alerts at this node: let in, checked, told on, acknowledged, ended.

A file comes by a feed, by hand or over the node's own address, or inside a partner's message; all take the same way. It
must be of this realm by its own word, be no older and no newer than it can be, and contradict nothing that came before.
Whoever is told of a hazard is told of its end. Where our root's rules cover it, an alert is drafted: see
`noroshi.node.hazard_alerts`. An agency's alert that names an authority of our own is no hazard; see
`noroshi.node.relaying`.

    given(work, CapGiven(party="feed:jma", raw=data))
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from noroshi.clock import NS_PER_S, seconds
from noroshi.command.hazard_rules import Way
from noroshi.command.hazards import CHANGES, Hazard, Taken, identity
from noroshi.gateways.cap_model import CapUnreadableError
from noroshi.gateways.cap_read import read_cap
from noroshi.gateways.hazard_facts import LONGEST_NS, HazardFacts, act_now, facts_of
from noroshi.gateways.realm import check_foreign_words, status_for
from noroshi.messages import Label, Message, label_for
from noroshi.messages.bodies_hazard import MAX_CLAIM_WORD, MAX_HAZARD_BYTES, HazardBody
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import MAX_ERROR_NS
from noroshi.node import alerting, groups, hazard_alerts, hazard_rows, relaying, security
from noroshi.node.inputs import CapGiven, FeedHeard
from noroshi.node.speak import say
from noroshi.node.state import Said, State
from noroshi.node.work import Work

AHEAD_NS = MAX_ERROR_NS
"""How far ahead of our clock an agency may have sent: its people set clocks by hand, and times are whole seconds."""

KEPT_NS = seconds(3600.0)
"""What is over is kept for so long: a feed still lists it, and it is not to be told as history each time."""

MAX_WORDS = 200_000
"""Characters of all texts together, as a person reads them: real alerts in six languages have some ten thousand, and one
character of some scripts reads as eighteen.
"""

PUBLIC = "unclassified"
"""The rank of what an agency has said to everybody."""


def given(work: Work, cap: CapGiven) -> None:
    """A file of another agency has come by an entrance of our own."""
    state, party = work.state, cap.party
    if cap.fault:
        work.refuse(party, cap.fault, cap.detail)
        return
    facts = _read(work, party, cap.raw)
    if facts is None:
        return
    unit = relaying.named_by(state, facts)
    if unit:
        relaying.file(work, party, facts, unit)
        return
    if cap.senders and facts.sender not in cap.senders:
        work.refuse(party, "not-this-entrances-sender", facts.sender)
        return
    hazard = _hazard(facts, signed=cap.signature == "signed")
    way = Way(party, cap.signature)
    taken = _take(work, party, facts, hazard, state.own, way)
    if taken is None:
        _again(work, facts, hazard.key, way, cap.raw)
        return
    hazard.shared = (cap.shared and facts.scope in ("Public", "")) or any(
        one.shared for one in (*taken.changed, *state.hazards.before(hazard))
    )
    if hazard.state not in ("standing", "notice") and not taken.changed:
        _history(work, facts, hazard)
        hazard_alerts.came(work, facts, hazard, way, cap.raw)
        return
    body = HazardBody(
        cap=cap.raw,
        sender=facts.sender,
        identifier=facts.identifier,
        sent_ns=facts.sent_ns,
        signature=cap.signature,
    )
    said: list[Message] = []
    for audience in _audiences(state) if hazard.shared else [state.own_audience]:
        message = say(
            work, "hazard", state.genesis.assessing_unit, audience, body,
            expires_ns=hazard.until_ns, label=label_for(audience, PUBLIC),
        )  # fmt: skip
        state.warnings[message.id] = Said(hazard.name, audience, work.now_ns)
        said.append(message)
    hazard.message = said[0].id
    _after(work, facts, taken, said[0], state.own_audience, cap.signature)
    hazard_alerts.came(work, facts, hazard, way, cap.raw)


def heard(work: Work, message: Message, body: HazardBody, party: str) -> None:
    """A partner tells of an agency's alert: looked at as if it had come here first."""
    state, origin = work.state, message.origin
    facts = _read(work, party, body.cap)
    if facts is None:
        return
    if (facts.sender, facts.identifier, facts.sent_ns) != (body.sender, body.identifier, body.sent_ns):
        work.refuse(party, "facts-differ", body.identifier)
        return
    if relaying.named_by(state, facts):
        work.refuse(party, "names-an-authority", facts.sender)
        return
    hazard = _hazard(facts, signed=body.signature == "signed")
    hazard.message = message.id
    way = frozenset(state.policy.route(origin, state.own, message.envelope.label.audience | {origin}))
    state.warnings[message.id] = Said(hazard.name, way, work.now_ns)
    by, label = Way("", body.signature, origin), message.envelope.label
    taken = _take(work, party, facts, hazard, origin, by)
    if taken is None:
        _again(work, facts, hazard.key, by, body.cap, label)
    elif hazard.state not in ("standing", "notice") and not taken.changed:
        _history(work, facts, hazard)
        hazard_alerts.came(work, facts, hazard, by, body.cap, label)
    else:
        _after(work, facts, taken, message, way, body.signature)
        hazard_alerts.came(work, facts, hazard, by, body.cap, label)
    if work.answer.outcome != "refused":
        alerting.heard_hazard(work, message, body, hazard.key)


def due(work: Work, key: bytes) -> None:
    """An agency's alert has come to the end that it named."""
    hazard = work.state.hazards.run_out(key, work.now_ns)
    if hazard is not None:
        hazard_rows.show_state(work, hazard, f"{hazard.name} has run out")
        groups.hazard_over(work, hazard)
    hazard_alerts.over(work, key)


def feed(work: Work, state_of: FeedHeard) -> None:
    """Shows how a feed of another agency is heard; what has not changed is shown once."""
    state = work.state
    before = state.feeds_heard.get(state_of.feed, "")
    if before == state_of.state:
        work.duplicate()
        return
    state.feeds_heard[state_of.feed] = state_of.state
    says = {
        "fresh": f"The feed {state_of.feed} answers again" if before else "",
        "failing": f"The feed {state_of.feed} does not answer: {state_of.detail}",
        "stale": f"Nothing has been heard of the feed {state_of.feed} for too long: {state_of.detail}",
    }
    work.record("note", encode({"about": "hazard-feed", "feed": state_of.feed, "state": state_of.state}))
    work.show(
        "hazard-feed",
        says[state_of.state],
        key=f"hazard-feed:{state_of.feed}",
        feed=state_of.feed,
        state=state_of.state,
        detail=state_of.detail,
    )


def prune(state: State, now_ns: int) -> None:
    """Lets go of what is over."""
    state.hazards.prune(now_ns - KEPT_NS)
    hazard_alerts.prune(state, now_ns - KEPT_NS)
    relaying.prune(state, now_ns)


def _read(work: Work, party: str, raw: bytes) -> HazardFacts | None:
    """What a file says; None when it was refused, for what it is or for what it claims to be."""
    if len(raw) > MAX_HAZARD_BYTES:
        work.refuse(party, "oversize", f"{len(raw)} bytes, at most {MAX_HAZARD_BYTES}")
        return None
    try:
        facts = facts_of(read_cap(raw))
    except CapUnreadableError as error:
        work.refuse(party, "malformed-cap", f"line {error.line}: {error.rule}")
        return None
    if isinstance(facts, str):
        work.refuse(party, facts)
        return None
    reason, detail = _defect(work.state, facts, work.now_ns)
    if reason:
        work.refuse(party, reason, detail)
        return None
    return facts


def _defect(state: State, facts: HazardFacts, now_ns: int) -> tuple[str, str]:
    """Why a file cannot be let in, with a detail for our own operator."""
    reason, detail = realm_defect(facts, state.genesis.realm)
    if reason:
        return reason, detail
    if not 0 < len(facts.sender) <= MAX_CLAIM_WORD or not 0 < len(facts.identifier) <= MAX_CLAIM_WORD:
        return "malformed-identity", facts.sender
    if facts.message_type not in ("Alert", *CHANGES):
        return "acknowledges-only", facts.message_type
    if facts.message_type in ("Alert", "Update") and not facts.texts:
        return "says-nothing", facts.identifier
    if facts.sent_ns > now_ns + AHEAD_NS:
        return "future-dated", f"{(facts.sent_ns - now_ns) / NS_PER_S:.0f} s ahead"
    if facts.until_ns < facts.sent_ns:
        return "ends-before-it-was-sent", facts.identifier
    return "", ""


def realm_defect(facts: HazardFacts, realm: str) -> tuple[str, str]:
    """Why a file is not of this realm, by its status or by its words; a status can only refuse."""
    if facts.status != status_for(realm):
        return "wrong-status", f"{facts.status!r} in {realm}"
    if sum(len(unicodedata.normalize("NFKC", text)) for text in facts.texts) > MAX_WORDS:
        return "text-too-long", facts.identifier
    found = (check_foreign_words(text, realm) for text in facts.texts)
    words = next(filter(None, found), "")
    return ("claims-another-realm", words) if words else ("", "")


def _hazard(facts: HazardFacts, *, signed: bool) -> Hazard:
    ends = facts.message_type in ("Cancel", "Error")
    return Hazard(
        key=identity(facts.sender, facts.identifier, facts.sent_ns),
        sender=facts.sender,
        identifier=facts.identifier,
        sent_ns=facts.sent_ns,
        until_ns=facts.sent_ns + LONGEST_NS if ends else facts.until_ns,
        digest=facts.digest,
        act=act_now(facts),
        signed=signed,
        name=hazard_rows.name_of(facts),
    )


def _take(work: Work, party: str, facts: HazardFacts, hazard: Hazard, partner: str, way: Way) -> Taken | None:
    """Takes a file into the book; None where it was refused, or here before: then it is noted who has it too."""
    book = work.state.hazards
    refers = [
        (one.sender, identity(facts.sender, one.identifier, one.sent_ns), one.sent_ns)
        for one in (facts.references if facts.message_type in CHANGES else ())
    ]
    reason = book.defect(hazard, facts.message_type, refers)
    if reason == security.CONTRADICTORY and hazard_alerts.outweighs(work.state, hazard, way):
        reason = book.defect(hazard, facts.message_type, refers, instead=True)
        if not reason:
            hazard_alerts.displaces(work, hazard)
            book.drop(hazard.key)
    if reason == security.CONTRADICTORY:
        security.contradicts(work, party, f"{facts.sender} {facts.identifier}")
        return None
    if reason:
        work.refuse(party, reason, facts.identifier)
        return None
    taken = book.take(hazard, facts.message_type, [key for _, key, _ in refers], work.now_ns)
    known = book.find(hazard.key)
    assert known is not None  # it was taken just now or before
    if partner not in known.partners:
        known.partners.append(partner)
        if taken is None and known.state == "standing":
            hazard_rows.show_state(work, known, "")
    if taken is None:
        work.duplicate()
    return taken


def _again(
    work: Work, facts: HazardFacts, key: bytes, way: Way, raw: bytes, label: Label | None = None
) -> None:
    """A message that was here before has come once more: it may now have come as our rules of alerts ask."""
    known = work.state.hazards.find(key)
    if known is not None and work.answer.outcome == "duplicate":
        hazard_alerts.came(work, facts, known, way, raw, label)


def _history(work: Work, facts: HazardFacts, hazard: Hazard) -> None:
    """It was over when it came: it is on the record, and raises nothing."""
    work.record("note", encode({"about": "hazard", "identifier": facts.identifier, "was": hazard.state}))
    hazard_rows.show_state(
        work, hazard, f"{hazard.name} was over when it came ({hazard.state}): kept as history"
    )


def _after(
    work: Work,
    facts: HazardFacts,
    taken: Taken,
    message: Message,
    answer_to: frozenset[str],
    signature: str,
) -> None:
    """Shows what is new and what has ended by it, and has the watch acknowledge what needs somebody to act."""
    hazard, state = taken.hazard, work.state
    ended = taken.changed
    if hazard.state == "standing":
        work.timer(f"{hazard_alerts.TIMER}:{hazard.key.hex()}", hazard.until_ns)
        hazard_rows.show(work, facts, hazard, message, signature)
    else:
        hazard_rows.show_notice(work, facts, hazard, ended)
    for one in ended:
        hazard_rows.show_state(work, one, "")
    groups.hazard(work, facts, hazard, ended, message)
    asked = hazard.asked
    hazard.asked = asked or hazard.act
    wanted = hazard.act and not asked if hazard.state == "standing" else any(one.asked for one in ended)
    if wanted:
        verb = "Acknowledge" if hazard.state == "standing" else "Acknowledge the end of"
        alerting.ask_acknowledgement(work, message, answer_to, _watches(state), f"{verb} {hazard.name}")


def _watches(state: State) -> tuple[str, ...]:
    """The units whose posts keep the watch."""
    return tuple(post.unit for post in state.posts.values() if "watch" in post.duties)


def _audiences(state: State) -> Iterable[frozenset[str]]:
    """Who is told of what an agency has said to everybody: all whom our release policy lets have it.

    It was published, so no sharing edge is needed. Members have one message together; an observer, of whom a rule says
    so, has one of its own.
    """
    policy, unit, bare = state.release_policy, state.genesis.assessing_unit, Label(PUBLIC, ())
    told = [name for name in state.others if policy.verdict(name, unit, "hazard", "", bare).effect == "full"]
    members = [name for name in told if policy.on_terms(name, "member")]
    yield state.own_audience.union(members)
    for name in told:
        if name not in members and policy.on_terms(name, "observer"):
            yield state.own_audience | {name}
