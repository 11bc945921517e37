"""Reach stage: an alert goes to relays and posts, receipts and acknowledgements come back, and who is silent shows.

Relays are whoever holds a certificate of that role under our own root. An alert goes to those of its recipients' units,
its end to exactly the relays that were given what it ends. A last hop without a receipt raises an alarm when its time is
over; acknowledgements are chased by `noroshi.node.chasing`.

    reaching.issued(work, message, body)          # an alert has been signed
    reaching.delivered(work, message, body)       # a relay's receipts
    reaching.late(work, message_id)               # the time for receipts is over
"""

from __future__ import annotations

import msgspec

from noroshi.command.passing import keys_digest, keys_of
from noroshi.command.reach import Purpose, Relay, Told, in_words, lacking
from noroshi.messages import Message
from noroshi.messages.bodies import AlertBody
from noroshi.messages.bodies_reach import DeliveryBody, ReadinessBody
from noroshi.messages.kinds import Lane
from noroshi.node import chasing, proving, relay_lines
from noroshi.node.alarms import alarm, clear
from noroshi.node.reach_rows import show, within_ns
from noroshi.node.speak import pass_to
from noroshi.node.state import State
from noroshi.node.work import Work


def defect(state: State, message: Message) -> str:
    """Why a relay's statement does not count, or an empty text."""
    envelope, body = message.envelope, message.body
    if envelope.origin != state.own or message.signer.role != "relay":
        return "not-our-relay"
    if not envelope.label.audience <= state.own_audience:
        return "label-too-wide"
    if isinstance(body, ReadinessBody):
        return "" if body.step == "here" else "not-a-relays-word"
    if not isinstance(body, DeliveryBody):
        return "not-a-relays-word"
    if body.relay != envelope.post:
        return "speaks-for-another-relay"
    told = state.told.get(body.of)
    if told is None:
        return "delivery-of-nothing-known"
    word = told.words.get(body.relay)
    if word is None:
        return "never-given-to-it"
    return "" if body.roster == word.roster else "another-roster"


def issued(work: Work, message: Message, body: AlertBody) -> None:
    """An alert, its update or its end goes to its relays and posts."""
    state = work.state
    state.reach.sent(message.id, body.recipients, work.now_ns)
    state.alerts[message.id] = body
    purpose: Purpose = "end" if body.type == "Cancel" else "alert"
    before = tuple(one.message for one in state.told.values() if one.identifier in body.references)
    told = Told(
        message.id, body.identifier, purpose, message.raw, work.now_ns, (*body.recipients, body.unit), before,
        message.envelope.event,
    )  # fmt: skip
    state.told[message.id] = told
    for one in before if purpose == "end" else ():
        state.told[one].is_over = True
    _never_heard(work, told)
    hand_out(work, told)
    show(work, message.id)
    chasing.begin(work, told, body)


def hand_out(work: Work, told: Told) -> None:
    """Puts a message before all relays that are to pass it on, and waits for their receipts."""
    timer = f"receipts:{told.message.hex()}"
    for relay in _relays_for(work, told):
        if told.given(relay, work.now_ns):
            pass_to(work, relay.name, told.raw, _LANES[told.purpose], told.message.hex())
            _hand_out_before(work, told, relay)
            if timer not in work.state.timers:  # a relay that comes and goes puts no alarm off
                work.timer(timer, work.now_ns + within_ns(work.state))


def _hand_out_before(work: Work, end: Told, relay: Relay) -> None:
    """What an end ends, to a relay that was not given it: so it knows whom of those that come to it the end is for.

    It comes after its end, and so goes to no last hop any more.
    """
    for one in end.before if relay.version > 1 else ():
        told = work.state.told.get(one)
        if told is not None and end.purpose == "end" and told.given(relay, work.now_ns):
            pass_to(work, relay.name, told.raw, Lane.WARNING, told.message.hex())


_LANES = {"alert": Lane.WARNING, "end": Lane.WARNING, "test": Lane.NOTICE}


def certified(work: Work) -> frozenset[str]:
    """The names of our relays whose keys count now."""
    state = work.state
    return frozenset(one.subject for one in state.trust.valid(state.own, "relay", work.now_ns))


def _relays_for(work: Work, told: Told) -> list[Relay]:
    """An end goes to whoever was given what it ends, and to those that serve the same last hops; a test to all."""
    state, counting = work.state, certified(work)
    known = [relay for name, relay in sorted(state.relays.items()) if name in counting]
    if told.purpose == "test":
        return known
    if told.purpose == "alert":
        return [relay for relay in known if relay.unit in told.units]
    before = [state.told[one] for one in told.before if one in state.told]
    names = {name for one in before for name in one.words}
    rosters = {roster for one in before for roster in one.rosters}
    return [relay for relay in known if relay.name in names or relay.roster in rosters]


def _never_heard(work: Work, told: Told) -> None:
    """Says which relays of the recipients have a certificate and have never said that they are there."""
    state = work.state
    for one in state.trust.valid(state.own, "relay", work.now_ns):
        if one.unit in told.units and one.subject not in state.relays:
            alarm(
                work, f"relay-never-heard:{one.subject}", "relay-never-heard",
                f"The relay {one.subject} of {one.unit} has never been heard: its last hops get nothing",
                unit=one.unit, relay=one.subject,
            )  # fmt: skip


# What relays say


def here(work: Work, message: Message, body: ReadinessBody) -> bool:
    """A relay is there: it is given the keys that it lacks and what stands; whether its roster is new to us."""
    state, envelope = work.state, message.envelope
    name = envelope.post
    before = state.relays.get(name)
    new = all(one.roster != body.roster for one in state.relays.values())
    version = 1 if body.version is msgspec.UNSET else body.version
    relay = Relay(name, envelope.unit, body.roster, body.hops, body.receipts, work.now_ns, version)
    state.relays[name] = relay
    clear(work, f"relay-never-heard:{name}", f"The relay {name} is heard")
    says = (
        f"The relay {name} of {relay.unit} serves {relay.hops} last hops ({relay.roster})"
        if before is None
        else ""
    )
    relay_lines.show(work, name, says)
    bundles, signing = all_keys(state), state.enrolled.get(relay.roster, b"")
    if keys_digest((*bundles, signing)) != body.trust:
        _give_keys(work, name, bundles)
        if signing:
            pass_to(work, name, signing, Lane.WARNING)
    tests_sent = [told for told in state.told.values() if told.purpose == "test"]
    for told in tests_sent[-1:] if name in certified(work) else ():
        hand_out(work, told)
    for told in list(state.told.values()):
        if told.purpose == "alert" and not told.is_over and told.message in state.alerts:
            expires_ns = state.alerts[told.message].expires_ns
            replaced = relay.version > 1 and any(told.message in one.before for one in state.told.values())
            stands = expires_ns > work.now_ns and not replaced
            if stands and relay.unit in told.units and name in certified(work):
                hand_out(work, told)
    if name in certified(work):
        _hand_out_ends(work, relay)
    return new


def _hand_out_ends(work: Work, relay: Relay) -> None:
    """A relay in another's place is given the ends of what its roster's last hops may still have."""
    state = work.state
    for told in list(state.told.values()):
        before = [state.told[one] for one in told.before if one in state.told]
        if told.purpose == "end" and any(relay.roster in one.rosters for one in before) and relay.version > 1:
            hand_out(work, told)


def keys_changed(work: Work) -> None:
    """Statements of our own roots are new: relays get them, since nothing else tells them whom to believe."""
    bundles = all_keys(work.state)
    for name in sorted(certified(work).intersection(work.state.relays)):
        _give_keys(work, name, bundles)


def _give_keys(work: Work, relay: str, bundles: tuple[bytes, ...]) -> None:
    for raw in bundles:
        pass_to(work, relay, raw, Lane.WARNING)


def all_keys(state: State) -> tuple[bytes, ...]:
    """What a relay must know to check an alert: whom roots have certified, partners' too, whose warning may count."""
    return keys_of(state.trust.bundles())


def delivered(work: Work, message: Message, body: DeliveryBody) -> Told:
    """A relay's receipts: joined with what is known; the message that they are about."""
    state = work.state
    told = state.told[body.of]
    word = told.words[body.relay]
    word.hops, word.receipts = body.hops, body.receipts
    was_refused = word.refused
    silent_before = lacking(told, state.told)
    newer = body.sequence > word.sequence
    told.said(body.relay, body.sequence, body.received, body.first_ns, body.last_ns, body.refused)
    proving.heard(work, told, word, body, newer=newer)
    if word.refused and not was_refused:
        alarm(
            work, f"not-passed-on:{body.of.hex()}:{body.relay}", "not-passed-on",
            f"The relay {body.relay} does not pass on {told.identifier}: {word.refused}",
            unit=word.unit, relay=body.relay, of=body.of.hex(), detail=word.refused,
        )  # fmt: skip
    elif was_refused and not word.refused:
        clear(work, f"not-passed-on:{body.of.hex()}:{body.relay}", f"{body.relay} passes it on")
    silent = lacking(told, state.told)
    for roster in told.rosters:
        name = silent_name(told, roster)
        if roster in silent_before and roster not in silent:
            clear(work, name, f"All last hops of {roster} have {told.identifier}")
        elif name in state.alarms and silent.get(roster) != silent_before.get(roster):
            _alarm_silent(work, told, roster, silent[roster])
    if told.purpose != "test":
        show(work, body.of)
        for end in state.told.values():
            if body.of in end.before and end.purpose == "end":
                show(work, end.message)
    return told


def late(work: Work, message: bytes) -> Told | None:
    """The time for receipts is over: names the last hops that are silent; the message, where it is known."""
    told = work.state.told.get(message)
    if told is None:
        return None
    for roster, bits in lacking(told, work.state.told).items():
        _alarm_silent(work, told, roster, bits)
    if told.purpose != "test":
        show(work, message)
    return told


def silent_name(told: Told, roster: str) -> str:
    """The alarm about last hops of a roster that have given no receipt of a message."""
    return f"last-hop-silent:{told.message.hex()}:{roster}"


def _alarm_silent(work: Work, told: Told, roster: str, bits: int) -> None:
    what = "readiness-failed" if told.purpose == "test" else "last-hop-silent"
    count, hops, words = bits.bit_count(), told.hops(roster), in_words(bits)
    units = sorted({word.unit for word in told.words.values() if word.roster == roster})
    alarm(
        work, silent_name(told, roster), what,
        f"No receipt of {told.identifier} from {count} of {hops} last hops of {roster}: {words}",
        unit=", ".join(units), roster=roster, of=told.message.hex(), count=count, hops=hops, detail=words,
    )  # fmt: skip
