"""Last hops that sign: who they are, and whether a relay that says it has their signatures can show them.

Our root signs the list of last hops with keys of their own. A relay holds their signatures under each receipt and tells
the root of a hash tree over them. Some time after an alert the node asks for a few that the relay could not know
before; what it shows is checked here and stays on the record. A relay that shows nothing, or what does not hold, is an
alarm, and its word that somebody has signed counts no more than its word that somebody has received.

    proving.adopt(work, party, raw)              # the list, given at the node
    proving.heard(work, told, word, body)        # what a relay says or shows
    proving.due(work, message_id)                # time to ask, or to say that nothing was shown
"""

from __future__ import annotations

import msgspec

from noroshi.clock import seconds
from noroshi.command.hop_keys import Enrolled, open_roster, receipt_text
from noroshi.command.hop_tree import root_of
from noroshi.command.reach import Told, Word, hops_of
from noroshi.messages import derive
from noroshi.messages.bodies_reach import DeliveryBody, HopProof, ReadinessBody, bits_of, bytes_of
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import Lane
from noroshi.node import trusting
from noroshi.node.alarms import alarm, clear
from noroshi.node.speak import pass_to, say
from noroshi.node.state import State
from noroshi.node.work import FOR_EVER_S, Work

TIMER = "prove"

ASK_AFTER_NS = seconds(30.0)
"""Signatures are asked for when the first rush of receipts is over, and an answer may take as long."""

SAMPLE = 16
"""Signatures that are asked for of a relay, drawn after it has fixed all of them: of a relay that has made up a tenth of
them four in five are found out by one alert, of one that has made up half of them all but one in 65,000."""


def adopt(work: Work, party: str, raw: bytes) -> None:
    """Puts a list of last hops that sign in force, if our root has signed it and it is newer; relays are given it."""
    state = work.state
    given = trusting.by_own_root(work, party, raw, open_roster, "a roster")
    if given is None:
        return
    before = enrolled(state, given.roster)
    if raw == state.enrolled.get(given.roster):
        work.duplicate()
        return
    if before is not None and given.version <= before.version:
        work.refuse(party, "stale-roster", f"version {given.version} after {before.version}")
        return
    state.enrolled[given.roster] = raw
    _ask_anew(work, given.roster)
    work.keep(FOR_EVER_S)
    noted = {"about": "roster", "roster": given.roster, "version": given.version, "hops": len(given.keys)}
    work.record("note", encode(noted), FOR_EVER_S)
    counting = {one.subject for one in state.trust.valid(state.own, "relay", work.now_ns)}
    for relay in state.relays.values():
        if relay.roster == given.roster and relay.name in counting:
            pass_to(work, relay.name, raw, Lane.WARNING)
    work.show(
        "roster", f"{len(given.keys)} last hops of {given.roster} sign their receipts (list {given.version})",
        key=f"roster:{given.roster}", roster=given.roster, version=given.version, signing=len(given.keys),
    )  # fmt: skip


def _ask_anew(work: Work, roster: str) -> None:
    """What relays were asked by the list before they need not show any more: they are asked again by the new one."""
    for told in work.state.told.values():
        for word in told.words.values():
            if word.roster == roster and word.asked != word.proven:
                word.asked = b""
                _wait(work, told)


def _wait(work: Work, told: Told) -> None:
    """Asks in a while, where it is not waited for anyway."""
    timer = f"{TIMER}:{told.message.hex()}"
    if timer not in work.state.timers:
        work.timer(timer, work.now_ns + ASK_AFTER_NS)


def enrolled(state: State, roster: str) -> Enrolled | None:
    """The list in force. It counts for as long as the root that signed it does."""
    raw, root = state.enrolled.get(roster), state.trust.root(state.own)
    if raw is None or root is None:
        return None
    found = open_roster(raw, state.scheme, root, partner=state.own, realm=state.genesis.realm)
    return found if isinstance(found, Enrolled) else None


def heard(work: Work, told: Told, word: Word, body: DeliveryBody, *, newer: bool) -> None:
    """What a relay says of signatures, or shows of them. newer: whether it is the last that it has said."""
    if body.signed is msgspec.UNSET or body.root is msgspec.UNSET:
        if newer:
            word.signed = word.root = b""
        return
    if body.proofs is not msgspec.UNSET:
        _shown(work, told, word, body, body.proofs)
    elif newer and body.root != word.root:
        word.signed, word.root = body.signed, body.root
        _wait(work, told)


def due(work: Work, message: bytes) -> None:
    """Asks the relays that have said something new, and names those that were asked and have shown nothing.

    A relay that has said something new since owes an answer all the same: else it need never give one.
    """
    told = work.state.told.get(message)
    if told is None:
        return
    asked = False
    for word in told.words.values():
        if word.asked not in (b"", word.proven):
            word.owing = True
            _alarm(work, told, word, "has not shown the signatures that it says it has")
        if word.root not in (b"", word.proven, word.asked):
            word.asked, word.asked_of = word.root, word.signed
            _ask(work, told, word)
            asked = True
    if asked:
        work.timer(f"{TIMER}:{message.hex()}", work.now_ns + ASK_AFTER_NS)


def _ask(work: Work, told: Told, word: Word) -> None:
    state = work.state
    wanted = bytes_of(sum(1 << hop for hop in _sample(state, told, word)))
    body = ReadinessBody(step="prove", of=told.message, root=word.root, signed=word.signed, wanted=wanted)
    message = say(work, "readiness", state.genesis.assessing_unit, state.own_audience, body)
    pass_to(work, word.relay, message.raw, Lane.NOTICE)


def _sample(state: State, told: Told, word: Word) -> list[int]:
    """The last hops whose signatures are asked for: nobody can know them who has not our secret."""
    hops = list(hops_of(bits_of(word.asked_of)))
    draw = [
        derive(state.secrets.ids, "signatures", told.message, word.relay, word.asked, hop) for hop in hops
    ]
    return [hop for _, hop in sorted(zip(draw, hops, strict=True))[:SAMPLE]]


def _shown(work: Work, told: Told, word: Word, body: DeliveryBody, proofs: tuple[HopProof, ...]) -> None:
    """A relay shows signatures: all that were asked for must be there and hold."""
    if body.root != word.asked or word.proven == word.asked:
        return
    given = enrolled(work.state, word.roster)
    keys = dict(given.keys) if given is not None else {}
    false = [one.hop for one in proofs if not _holds(work.state, told, word, keys.get(one.hop), one)]
    if false:
        word.false = True
        words = ", ".join(str(hop) for hop in false)
        _alarm(work, told, word, f"shows signatures that are not those of last hops {words}")
    elif not set(_sample(work.state, told, word)) - {one.hop for one in proofs}:
        word.proven, word.shown, word.owing = word.asked, len(proofs), False
        clear(work, _name(told, word), f"The relay {word.relay} has shown signatures of last hops")


def _holds(state: State, told: Told, word: Word, public: bytes | None, proof: HopProof) -> bool:
    text = receipt_text(state.genesis.realm, word.roster, proof.hop, told.message)
    return (
        public is not None
        and state.scheme.verify(public, text, proof.signature)
        and root_of(proof.hop, proof.signature, proof.path) == word.asked
    )


def _name(told: Told, word: Word) -> str:
    return f"not-proven:{told.message.hex()}:{word.relay}"


def _alarm(work: Work, told: Told, word: Word, says: str) -> None:
    alarm(
        work, _name(told, word), "receipts-not-proven",
        f"The relay {word.relay} {says} ({told.identifier})",
        unit=word.unit, relay=word.relay, of=told.message.hex(),
    )  # fmt: skip
