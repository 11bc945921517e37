"""Whether other agencies' alerts arrived as such, and what was said in an authority's name as what it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import UNSET

from noroshi.clock import NS_PER_S
from noroshi.exercise.evidence import Evidence, Judge, last_records
from noroshi.exercise.expectations import HazardAlert, HazardNever, HazardShown, RelayShown, RelayUnverified
from noroshi.gateways.cap_model import CapUnreadableError
from noroshi.gateways.cap_read import read_cap
from noroshi.gateways.hazard_facts import HazardFacts, facts_of
from noroshi.messages.bodies import AlertBody
from noroshi.messages.bodies_hazard import ClaimBody, HazardBody
from noroshi.review import Entry, Judged


def _held(evidence: Evidence, partner: str) -> Iterator[tuple[Entry, HazardFacts]]:
    """The agencies' messages that the partner's node has taken as such, with what they say."""
    for log in evidence.logs:
        for entry in log.entries if log.partner == partner else ():
            body = entry.body
            if entry.accepted and entry.type in ("message", "received") and isinstance(body, HazardBody):
                try:
                    facts = facts_of(read_cap(body.cap))
                except CapUnreadableError:
                    continue
                if not isinstance(facts, str):
                    yield entry, facts


def _given(evidence: Evidence, identifier: str = "") -> Iterator[Entry]:
    """What came by hand or by feeds, anywhere; of one message if it is named."""
    for log in evidence.logs:
        for entry in log.entries:
            if entry.type == "cap" and identifier.encode() in entry.fields["raw"]:
                yield entry


def _shown(one: HazardShown, evidence: Evidence) -> Judged:
    first = min(_given(evidence, one.identifier), key=lambda entry: entry.now_ns, default=None)
    found = [pair for pair in _held(evidence, one.partner) if pair[1].identifier == one.identifier]
    if first is None or not found:
        detail = f"{one.partner} never held {one.identifier}" if first else f"{one.identifier} never came"
        return Judged(one.id, False, detail, last_records(evidence, one.partner))
    entry = found[0][0]
    took_s = (entry.now_ns - first.now_ns) / NS_PER_S
    met = took_s <= one.within_s
    detail = f"{one.partner} held {one.identifier} after {took_s:.2f} s; {one.within_s:g} s allowed"
    cites: tuple[str, ...] = (first.cites, entry.cites)
    if one.ended:
        ends = [
            each.cites
            for each, facts in _held(evidence, one.partner)
            if facts.message_type in ("Cancel", "Error")
            and any(named.identifier == one.identifier for named in facts.references)
        ]
        met, cites = met and bool(ends), (*cites, *ends[:1])
        detail += f"; {'and' if ends else 'but not'} its end"
    return Judged(one.id, met, detail, cites)


def _never(one: HazardNever, evidence: Evidence) -> Judged:
    came = list(_given(evidence, one.identifier))
    relays = [entry for log in evidence.logs for entry in log.entries if entry.type == "relay"]
    if not came and not (relays and not one.identifier):
        detail = "nothing came, so that nothing is shown by its absence"
        return Judged(one.id, False, detail, last_records(evidence, one.partner))
    found = [
        entry.cites
        for entry, facts in _held(evidence, one.partner)
        if one.identifier in ("", facts.identifier)
    ]
    detail = f"{one.partner} took {len(found)} as hazards, of {len(came)} that came"
    return Judged(one.id, not found, detail, tuple(found[:3]) or last_records(evidence, one.partner))


def _alert(one: HazardAlert, evidence: Evidence) -> Judged:
    came = min(_given(evidence, one.identifier), key=lambda entry: entry.now_ns, default=None)
    if came is None:
        return Judged(one.id, False, f"{one.identifier} never came", last_records(evidence))
    resting = [
        entry
        for log in evidence.logs
        for entry in log.entries
        if entry.type == "message"
        and isinstance(entry.body, AlertBody)
        and entry.body.unit == one.unit
        and entry.body.hazard is not UNSET
        and entry.body.hazard.identifier == one.identifier
        and entry.body.type != "Cancel"
    ]
    first = min(resting, key=lambda entry: entry.now_ns, default=None)
    if first is None:
        return Judged(one.id, one.never, f"no alert of {one.unit} rests on {one.identifier}", (came.cites,))
    took_s = (first.now_ns - came.now_ns) / NS_PER_S
    detail = f"{one.unit} alerted on {one.identifier} after {took_s:.1f} s; {one.within_s:g} s allowed"
    return Judged(one.id, not one.never and took_s <= one.within_s, detail, (came.cites, first.cites))


def _relay_shown(one: RelayShown, evidence: Evidence) -> Judged:
    return _relay(evidence, one.id, one.partner, one.unit, one.verdict, one.told_within_s)


def _relay_unverified(one: RelayUnverified, evidence: Evidence) -> Judged:
    return _relay(evidence, one.id, one.partner, one.unit, "unverified", one.told_within_s)


def _relay(evidence: Evidence, name: str, partner: str, unit: str, verdict: str, within_s: float) -> Judged:
    """How the partner's node has shown what was said in a unit's name; where 0 s are given, nobody need be told."""
    notes = [
        entry
        for log in evidence.logs
        for entry in (log.entries if log.partner == partner else ())
        if entry.type == "note" and entry.fields.get("about") == "relay" and entry.fields.get("unit") == unit
    ]
    if not notes:
        detail = f"nothing in {unit}'s name is on {partner}'s record"
        return Judged(name, False, detail, last_records(evidence, partner))
    wrong = [entry for entry in notes if entry.fields["verdict"] != verdict]
    first, detail = notes[0], f"{partner} has shown {len(notes)} relays in {unit}'s name as {verdict}"
    if wrong:
        detail = f"{partner} has shown one in {unit}'s name as {wrong[0].fields['verdict']}, not {verdict}"
        return Judged(name, False, detail, (wrong[0].cites,))
    if within_s == 0.0 or _is_own(evidence, partner, unit):
        return Judged(name, True, detail, (first.cites,))
    told = [
        entry
        for log in evidence.logs
        for entry in log.entries
        if entry.accepted
        and entry.type == "received"
        and isinstance(entry.body, ClaimBody)
        and entry.body.unit == unit
        and _is_own(evidence, log.partner, unit)
    ]
    if not told:
        return Judged(name, False, f"{detail}; its node was never told", (first.cites,))
    took_s = (told[0].now_ns - first.now_ns) / NS_PER_S
    return Judged(
        name,
        took_s <= within_s,
        f"{detail}; its node was told after {took_s:.2f} s",
        (first.cites, told[0].cites),
    )


def _is_own(evidence: Evidence, partner: str, unit: str) -> bool:
    """Whether this partner's node serves the unit."""
    log = next((one for one in evidence.logs if one.partner == partner), None)
    return log is not None and log.genesis["nodes"].get(unit) == log.node


JUDGES: Mapping[type, Judge] = {
    HazardShown: _shown,
    HazardNever: _never,
    HazardAlert: _alert,
    RelayShown: _relay_shown,
    RelayUnverified: _relay_unverified,
}
