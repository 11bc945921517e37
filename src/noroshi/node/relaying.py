"""What others say in an authority's name: shown with the authority's own signature beside it, or as an unverified relay.

A relay is never a warning and never a hazard, whatever it says. Where the original, signed message is with it, or the
file is word for word what the authority has issued, it is a relay of a verified alert; where that alert has ended, or
the relay says it in other words, this is shown too. Otherwise the authority's node is told of it.

    given(work, RelayGiven(party="post:duty", outlet="a broadcaster", claimed="jp-cabsec", text="Take shelter"))
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from hashlib import sha256
from typing import Literal

import msgspec

from noroshi.clock import NS_PER_S, seconds
from noroshi.command.alerts import ISSUE
from noroshi.errors import NoroshiError
from noroshi.gateways.cap import CapContext, encode_alert
from noroshi.gateways.cap_model import CapUnreadableError
from noroshi.gateways.cap_read import read_cap
from noroshi.gateways.hazard_facts import HazardFacts, facts_of
from noroshi.gateways.realm import check_realm_words
from noroshi.messages import Message, Refused, Unverified, label_for, verify
from noroshi.messages.bodies import AlertBody
from noroshi.messages.bodies_hazard import MAX_CLAIM_TEXT, MAX_CLAIM_WORD, ClaimBody
from noroshi.messages.canonical import encode
from noroshi.messages.envelope import MAX_ERROR_NS
from noroshi.messages.kinds import DAY_S, Lane
from noroshi.node import authority
from noroshi.node.inputs import RelayGiven
from noroshi.node.speak import say
from noroshi.node.state import HeardAlert, State
from noroshi.node.work import ACTS_S, MS_PER_NS, Work

Verdict = Literal["unverified", "verified", "ended", "other-words"]

KEPT_NS = seconds(DAY_S)
"""The same words of the same outlet count once in so long."""

MAX_RELAYED = 4_096
"""Relays that are told apart; more in a day is a flood, and is refused."""

MAX_HEARD = 4_096
"""Partners' alerts against which relays are held; the oldest are let go."""

HEARD_NS = seconds(8 * DAY_S)
"""A partner's alert is known for so long after it has run out: late relays of it are told to be of an ended one."""

SHORTEST_NAME = 6
"""Characters of an authority's name that are looked for inside a text: shorter ones are words of everyday."""

OWN_DOMAIN = ".noroshi.invalid"
"""The end of the addresses in whose name nodes write files; nobody else may use it."""

WORDS = {
    "unverified": "UNVERIFIED RELAY, not a warning",
    "verified": "relay of a verified alert",
    "ended": "relay of an alert that has ENDED",
    "other-words": "relay of a verified alert, IN OTHER WORDS",
}


def given(work: Work, relay: RelayGiven) -> None:
    """Somebody has said something in public; one of ours hands it in."""
    reason, detail = _defect(work.state, relay, work.now_ns)
    if reason:
        work.refuse(relay.party, reason, detail)
        return
    state = work.state
    unit = claimed_unit(state, relay.claimed) or _unit_in(state, relay.text)
    verdict: Verdict = "unverified"
    heard: HeardAlert | None = None
    if relay.original:
        found = _original(state, relay.original, work.now_ns)
        if isinstance(found, str):
            work.record("note", encode({"about": "relay", "original": found}))
        elif not unit or found.body.unit == unit:
            heard, unit = found, found.body.unit
            verdict = _verdict(heard, work.now_ns, _says(heard.body, relay.text))
    _show(
        work, relay.party, relay.outlet, unit or relay.claimed, relay.text, relay.link,
        relay.said_ns or work.now_ns, "text", verdict, heard,
    )  # fmt: skip


def file(work: Work, party: str, facts: HazardFacts, unit: str) -> None:
    """A file in the Common Alerting Protocol came that speaks in an authority's name."""
    state = work.state
    heard = _known(state, facts.identifier)
    verdict: Verdict = "unverified"
    if heard is not None and _same(state, heard, facts):
        verdict = _verdict(heard, work.now_ns, True)
    else:
        heard = None
    text = " / ".join(one.headline or one.event for one in facts.infos) or facts.note or facts.identifier
    _show(
        work, party, party, unit, text[:MAX_CLAIM_TEXT], "", facts.sent_ns, "cap", verdict, heard
    )  # fmt: skip


def told(work: Work, message: Message, body: ClaimBody) -> None:
    """A partner's node tells that somebody speaks in the name of an authority of ours."""
    origin, owner = message.origin, _owner(work.state, body.unit)
    if owner != work.state.own:
        if owner and owner in message.envelope.label.audience:
            return  # we are on its way to whom it concerns
        work.refuse(f"partner:{origin}", "no-such-authority", body.unit)
        return
    _row(
        work,
        body.outlet,
        body.unit,
        body.text,
        body.link,
        body.said_ns,
        body.form,
        "unverified",
        "",
        origin,
        "",
    )


def heard(work: Work, message: Message, body: AlertBody) -> None:
    """A partner's public alert was believed: relays are held against it from now on, and it ends what it cancels."""
    alerts = work.state.heard_alerts
    if body.type == "Cancel":
        for identifier in body.references:
            known = alerts.get(identifier)
            if known is not None and known.origin == message.origin:
                alerts[identifier] = HeardAlert(known.origin, known.body, ended=True)
    alerts.setdefault(body.identifier, HeardAlert(message.origin, body))
    while len(alerts) > MAX_HEARD:
        del alerts[next(iter(alerts))]


def prune(state: State, now_ns: int) -> None:
    """Lets go of relays and alerts that are past."""
    state.relayed = {key: at_ns for key, at_ns in state.relayed.items() if at_ns + KEPT_NS > now_ns}
    state.heard_alerts = {
        key: one for key, one in state.heard_alerts.items() if one.body.expires_ns + HEARD_NS > now_ns
    }


def named_by(state: State, facts: HazardFacts) -> str:
    """The unit of this coalition in whose name a file speaks; empty for another agency's own."""
    sender = facts.sender.casefold()
    name, _, place = sender.rpartition("@")
    if place.endswith(OWN_DOMAIN) or place == OWN_DOMAIN[1:]:
        node = place.removesuffix(OWN_DOMAIN)
        return name if state.structure.has(name) else next(iter(_alerting(state, node)), name or sender)
    for words in (facts.sender, *(one.sender_name for one in facts.infos)):
        unit = _named(state, words, _alerting(state))
        if unit:
            return unit
    return _named(state, name, _alerting(state)) if name else ""


def claimed_unit(state: State, words: str) -> str:
    """The unit that somebody names: by its id or name, or by its partner or nation (its alerting authority)."""
    plain = _plain(words)
    if not plain:
        return ""
    unit = _named(state, words, [one.id for one in state.structure.units])
    if unit:
        return unit
    for partner, nation in sorted(state.partners.items()):
        if plain in (partner.casefold(), nation.casefold()):
            nodes = [node for node, owner in state.node_partners.items() if owner == partner]
            return next((one for node in sorted(nodes) for one in _alerting(state, node)), "")
    return _unit_in(state, words)


def _alerting(state: State, node: str = "") -> list[str]:
    """The units that may issue a public alert, at a node if one is given."""
    units = sorted(state.able(ISSUE, "decide"))
    return [unit for unit in units if not node or state.serving.get(unit) == node]


def _named(state: State, words: str, units: Iterable[str]) -> str:
    """The one of these units whose id or name the words are."""
    plain = _plain(words)
    return next((unit for unit in units if plain and plain in _names(state, unit)), "")


def _unit_in(state: State, text: str) -> str:
    """The alerting authority that a text names."""
    plain = _plain(text)
    for unit in _alerting(state):
        if any(name in plain for name in _names(state, unit) if len(name) >= SHORTEST_NAME):
            return unit
    return ""


def _names(state: State, unit: str) -> set[str]:
    """What a unit is called: its id, its name, and the first part of a name that goes on after a comma."""
    name = _plain(state.structure.unit(unit).name)
    return {unit, name, name.partition(",")[0]}


def _plain(text: str) -> str:
    """As a person reads it: letters of other widths, marks of direction and odd spaces do not help."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    seen = (c for c in folded if c.isspace() or unicodedata.category(c) not in ("Cf", "Cc", "Mn"))
    return " ".join("".join(seen).split())


def _defect(state: State, relay: RelayGiven, now_ns: int) -> tuple[str, str]:
    words = (relay.outlet, relay.claimed, relay.link)
    if not relay.outlet.strip() or not relay.text.strip():
        return "malformed-relay", "it names no outlet, or says nothing"
    if any(len(word) > MAX_CLAIM_WORD for word in words) or len(relay.text) > MAX_CLAIM_TEXT:
        return "oversize", f"{len(relay.text)} characters"
    if not 0 <= relay.said_ns <= now_ns + MAX_ERROR_NS:
        return "future-dated", f"{(relay.said_ns - now_ns) / NS_PER_S:.0f} s ahead"
    for text in (relay.text, relay.outlet, relay.claimed):
        found = check_realm_words(text, state.genesis.realm)
        if found:
            return "claims-another-realm", found
    return "", ""


def _original(state: State, raw: bytes, now_ns: int) -> HeardAlert | str:
    """The authority's alert in the bytes that came with a relay, or why they prove nothing."""
    if raw.lstrip()[:1] == b"<":
        try:
            facts = facts_of(read_cap(raw))
        except CapUnreadableError as error:
            return f"malformed-cap: {error.rule}"
        known = _known(state, facts.identifier) if not isinstance(facts, str) else None
        if isinstance(facts, str) or known is None or not _same(state, known, facts):
            return "not-what-was-issued"
        return known
    outcome = verify(Unverified(raw), state.trust, now_ns)
    if isinstance(outcome, Refused):
        return outcome.reason
    body = outcome.body
    if not isinstance(body, AlertBody):
        return "no-alert"
    refused = authority.defect(state, outcome, now_ns)
    if refused is not None:
        return refused.reason
    known = _known(state, body.identifier)
    return HeardAlert(outcome.origin, body, ended=known.ended if known is not None else False)


def _known(state: State, identifier: str) -> HeardAlert | None:
    """The alert with this identifier, our own or a partner's."""
    own = [one for one in state.alerts.values() if one.identifier == identifier]
    if own:
        ended = any(one.type == "Cancel" and identifier in one.references for one in state.alerts.values())
        return HeardAlert(state.own, own[0], ended)
    return state.heard_alerts.get(identifier)


def _same(state: State, heard: HeardAlert, facts: HazardFacts) -> bool:
    """Whether a file says what the authority has issued: the alert is written again, and held against the file."""
    body = heard.body
    nodes = [node for node, owner in state.node_partners.items() if owner == heard.origin]
    if facts.sender.casefold() not in {f"{body.unit}@{node}{OWN_DOMAIN}" for node in nodes}:
        return False
    context = CapContext(
        realm=state.genesis.realm,
        sender=facts.sender,
        nation=state.partners.get(heard.origin, ""),
        sent_of={one.identifier: one.sent_ns for one in facts.references},
    )
    try:
        again = facts_of(read_cap(encode_alert(body, context)))
    except NoroshiError:
        return False
    return not isinstance(again, str) and _comparable(again) == _comparable(facts)


def _comparable(facts: HazardFacts) -> HazardFacts:
    """Without what only the authority's own node knows: what the unit is called, and how sure it was."""
    infos = tuple(msgspec.structs.replace(one, sender_name="", certainty="") for one in facts.infos)
    return msgspec.structs.replace(facts, infos=infos)


def _says(body: AlertBody, text: str) -> bool:
    """Whether a text is the alert's own words in one of its languages, or a part of them."""
    plain = _plain(text)
    for row in body.texts:
        parts = [_plain(part) for part in (row.headline, row.description, row.instruction)]
        if plain and (plain in " ".join(parts) or plain in parts):
            return True
    return False


def _verdict(heard: HeardAlert, now_ns: int, same_words: bool) -> Verdict:
    if heard.ended or heard.body.expires_ns <= now_ns:
        return "ended"
    return "verified" if same_words else "other-words"


def _show(
    work: Work, party: str, outlet: str, unit: str, text: str, link: str, said_ns: int,
    form: Literal["text", "cap"], verdict: Verdict, heard_alert: HeardAlert | None,
) -> None:  # fmt: skip
    """Shows a relay once, and tells the authority's node of one that is not verified."""
    state = work.state
    key = sha256(encode([outlet, unit, text, verdict])).digest()[:16]
    if key in state.relayed:
        work.duplicate()
        return
    if len(state.relayed) >= MAX_RELAYED:
        work.refuse(party, "too-many-relays", outlet)
        return
    state.relayed[key] = work.now_ns
    partner = _owner(state, unit)
    tell = partner if verdict != "verified" and partner not in ("", state.own) else ""
    identifier = heard_alert.body.identifier if heard_alert is not None else ""
    _row(work, outlet, unit, text, link, said_ns, form, verdict, identifier, state.own, tell)
    if tell:
        body = ClaimBody(
            outlet=outlet[:MAX_CLAIM_WORD], unit=unit, text=text, link=link, said_ns=said_ns, form=form
        )
        audience = _way_to(state, tell)
        say(work, "claim", state.genesis.assessing_unit, audience, body, label=label_for(audience))


def _way_to(state: State, partner: str) -> frozenset[str]:
    """The partner, and those over whom it is reached: what was said in public they may know."""
    members = frozenset(one for one in state.others if state.release_policy.on_terms(one, "member"))
    way = state.policy.route(state.own, partner, members | {state.own, partner})
    return state.own_audience.union(way, {partner})


def _owner(state: State, unit: str) -> str:
    """The partner whose node speaks for a unit; empty where there is none."""
    return state.node_partners.get(state.serving.get(unit, ""), "")


def _row(
    work: Work, outlet: str, unit: str, text: str, link: str, said_ns: int, form: str,
    verdict: str, identifier: str, by: str, tell: str,
) -> None:  # fmt: skip
    state = work.state
    noted = {"about": "relay", "outlet": outlet, "unit": unit, "verdict": verdict, "told_by": by}
    work.record("note", encode(noted), ACTS_S)
    name = state.structure.unit(unit).name if state.structure.has(unit) else unit
    whose = "our own authority" if _owner(state, unit) == state.own else "the authority"
    says = f'{WORDS[verdict]}: {outlet} says in the name of {whose} {name or "(none)"}: "{text}"'
    if by != state.own:
        says += f" (told by {by})"
    work.show(
        "relayed",
        says if len(says) <= 600 else says[:599] + "…",
        lane=Lane.NOTICE,
        outlet=outlet,
        unit=unit,
        unit_name=name,
        partner=_owner(state, unit),
        text=text,
        link=link,
        said_ms=said_ns // MS_PER_NS,
        form=form,
        verdict=verdict,
        alert=identifier,
        told_by=by,
        tells=tell,
    )
