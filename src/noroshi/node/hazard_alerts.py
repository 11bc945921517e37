"""Another agency's hazard becomes a draft of a public alert, where our root's rules cover it; its end becomes our end.

What no rule covers has no effect here: it is shown, as before. What is drafted has the life of every alert: two posts
sign it, and its end goes to all who were told. It cites the agency's message and says in all its words whose word it is;
that the danger is over is the agency's report too. Only what has come as the rules ask changes an alert: what somebody
else says of the same matter raises an alarm, and changes nothing.

    came(work, facts, hazard, Way("feed:waves", "signed"), raw)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from noroshi.command.alerts import AlertDesk, regions
from noroshi.command.hazard_matters import EndReason, HazardMatter, Held, MatterState, holding
from noroshi.command.hazard_rules import (
    CERTAINTIES,
    SEVERITIES,
    URGENCIES,
    HazardRule,
    Way,
    is_trusted,
    is_trusted_wholly,
    listed,
    may_change,
    rule_for,
)
from noroshi.command.hazards import CHANGES, Hazard
from noroshi.gateways.hazard_facts import HazardFacts, HazardInfo
from noroshi.messages import Label
from noroshi.messages.bodies import AlertBody, AreaRow, CitedRow
from noroshi.messages.kinds import Lane
from noroshi.node import alerting, drafting, own_areas, warranting
from noroshi.node.alarms import alarm, clear
from noroshi.node.state import State
from noroshi.node.work import MS_PER_NS, Work
from noroshi.warning.hazard_areas import UnderHazard, under

TIMER = "hazard"
"""Timers at whose time an agency's message runs out."""

LONGEST_SHOWN = 2_000
"""Characters of an agency's headline that are put before a post: the whole of it stands on the hazard's own card."""

UNCLEAR = ("unverified", "outlines", "displaced")
"""Alarms about one message of an agency; they are over when its time is."""

OPEN_TO_ALL = "unclassified"
"""The rank of a partner's word that may be told to the public; its caveats may say that it is an exercise, no more."""


def came(
    work: Work, facts: HazardFacts, hazard: Hazard, way: Way, raw: bytes, label: Label | None = None
) -> None:
    """A message of an agency is in the book, or has come once more by another way. label: of the partner's message."""
    state = work.state
    rules = warranting.rules(state).hazards
    if not listed(rules) and not state.hazard_matters:
        return
    about = state.hazards.about(hazard)
    matters = holding(state.hazard_matters.values(), (one.key for one in about))
    known = next((one for one in matters if hazard.key in one.keys), None)
    if known is not None:
        if known.held and not _held(facts, label) and may_change(rules, known.cited, facts.sender, way):
            state.hazard_matters[known.number] = msgspec.structs.replace(known, held="")
            _propose_all(work, state.hazard_matters[known.number])
        return
    standing = [one for one in matters if one.is_open]
    others = [one for one in standing if not may_change(rules, one.cited, facts.sender, way)]
    if others or not is_trusted(rules, facts.sender, way):
        _unverified(work, hazard, others, way)
        return
    hazard.trusted = is_trusted_wholly(rules, facts.sender, way)
    if hazard.state == "standing":
        _stands(work, facts, hazard, way, raw, matters, label)
        return
    later = (one for one in about if one is not hazard and one.sent_ns >= hazard.sent_ns)
    goes_on = (
        hazard.state != "notice" and rule_for(rules, facts, way) is not None and hazard.until_ns > work.now_ns
    )
    if hazard.state not in ("notice", "expired") and any(one.trusted for one in later):
        return
    if goes_on:
        says = f"{hazard.name} has come as our rules ask, but an unverified message has ended it: nothing is drafted"
        _unclear(work, hazard, "unverified", "hazard-ended-unverified", says)
    elif facts.message_type in CHANGES:
        for matter in standing:
            if not _still_stands(state, matter):
                end(work, matter, _reason(facts), hazard.key)


def outweighs(state: State, hazard: Hazard, way: Way) -> bool:
    """Whether a message counts more than the other one under its identity that was here before: it has come as our rules
    of alerts ask, the other has not. Else whoever is quicker with a forged one would silence the agency.
    """
    known = state.hazards.find(hazard.key)
    trusted = is_trusted_wholly(warranting.rules(state).hazards, hazard.sender, way)
    return (
        known is not None
        and trusted
        and not known.trusted
        and not holding(state.hazard_matters.values(), (hazard.key,))
    )


def displaces(work: Work, hazard: Hazard) -> None:
    """Another content under the same identity came before, unverified: it is let go, and an alarm says so."""
    says = f"{hazard.name} has come as our rules ask: something else under its name had come unverified, and is let go"
    _unclear(work, hazard, "displaced", "hazard-displaced", says)


def over(work: Work, key: bytes) -> None:
    """The time of an agency's message is over: drafts on its word are dropped, what was issued has run out too."""
    for what in UNCLEAR:
        clear(work, f"hazard-{what}:{key.hex()}", "The time of another agency's word is over")
    for matter in holding(list(work.state.hazard_matters.values()), (key,)):
        if matter.is_open and matter.until_ns <= work.now_ns:
            _keep(work, matter, state="run-out")
            _quiet(work, matter.number)
            _drop_pending(work, matter.number)
            _show(work, matter.number, f"{matter.cited.agency}'s word has run out: {matter.event}")


def released(work: Work) -> None:
    """Our root has said something new of what may be told: what was held back for it alone is put before the posts."""
    for matter in list(work.state.hazard_matters.values()):
        ready = matter.is_open and matter.held and not warranting.is_held(work.state, matter)
        if ready and all(desk.pending(matter.number) is None for desk in drafting.desks(work)):
            _propose_all(work, matter)


def prune(state: State, before_ns: int) -> None:
    """Lets go of what has been over since before a time, when no alert rests on it any more."""
    needed = {number for desk in state.desks.values() for number in desk.events}
    state.hazard_matters = {
        number: one
        for number, one in state.hazard_matters.items()
        if number in needed or one.until_ns > before_ns
    }


def end(work: Work, matter: HazardMatter, reason: EndReason, key: bytes) -> None:
    """The agency has taken its word back, or it concerns us no more: drafts are dropped, the end is proposed."""
    _keep(work, matter, state="ended", reason=reason, keys=(*matter.keys, key))
    _quiet(work, matter.number)
    for desk in drafting.desks(work):
        _withdraw(work, desk, matter.number, reason)
    words = {"false": "withdrew it as an error", "passed": "reports that it is over"}
    says = words.get(reason, "took it back, or it concerns us no more")
    _show(work, matter.number, f"{matter.cited.agency} {says}: {matter.event}")


def _stands(
    work: Work,
    facts: HazardFacts,
    hazard: Hazard,
    way: Way,
    raw: bytes,
    matters: Sequence[HazardMatter],
    label: Label | None,
) -> None:
    """A message that stands: what of ours is under it is put before those who may alert it."""
    state = work.state
    rule = rule_for(warranting.rules(state).hazards, facts, way)
    covered = [one for one in facts.infos if rule is not None and rule.covers(one)]
    found = _under(state, rule, covered, hazard.until_ns) if rule is not None else None
    standing = [one for one in matters if one.is_open]
    if found is not None and found.is_cut:
        says = f"{hazard.name} has more outlines than are looked at: look yourself which of our areas lie under it"
        _unclear(work, hazard, "outlines", "hazard-too-many-outlines", says)
    if rule is None or found is None or not found.areas:
        for one in standing:
            end(work, one, _reason(facts), hazard.key)
        return
    for one in standing[1:]:
        end(work, one, "superseded", hazard.key)
    known = standing[0] if standing else matters[-1] if matters else None
    number = known.number if known is not None else drafting.number_without_event(state)
    first = _first(covered)
    matter = HazardMatter(
        number=number,
        keys=(
            *(one for one in (known.keys if known is not None else ()) if state.hazards.find(one)),
            hazard.key,
        ),
        state="open",
        cited=_cited(facts, rule, covered, raw),
        event=first.event[:LONGEST_SHOWN],
        headline=(first.headline or facts.note)[:LONGEST_SHOWN],
        message=hazard.message,
        entrance=way.partner or way.entrance,
        signature=way.signature,
        areas=list(found.areas),
        rings=found.rings,
        until_ns=min(hazard.until_ns, max(area.to_ns for area in found.areas)),
        units=rule.units,
        below_s=rule.automatic.below_s if rule.automatic is not None else 0.0,
        held=_held(facts, label),
    )
    state.hazard_matters[number] = matter
    _quiet(work, number)
    _tell(work, matter, hazard)
    if warranting.is_held(state, matter):
        _drop_pending(work, number)
    else:
        _propose_all(work, matter)


def _under(state: State, rule: HazardRule, covered: Sequence[HazardInfo], until_ns: int) -> UnderHazard:
    """What of ours lies under it, by the areas that hold now."""
    watch = own_areas.watch_for(state, state.now_ns)
    own = state.area_list if watch is state.own_watch else None
    return under(covered, watch, own, state.now_ns, until_ns=until_ns, patterns=rule.areas)


def _cited(facts: HazardFacts, rule: HazardRule, covered: Sequence[HazardInfo], raw: bytes) -> CitedRow:
    """What the alert cites, as grave as the gravest of what is covered."""
    gravest = max(covered, key=lambda one: SEVERITIES.index(one.severity))
    return CitedRow(
        sender=facts.sender,
        identifier=facts.identifier,
        sent_ns=facts.sent_ns,
        file=sha256(raw).digest(),
        hazard=rule.hazard,
        agency=rule.name.en,
        agency_ja=rule.name.ja,
        agency_ko=rule.name.ko,
        severity=next(
            word for word in SEVERITIES if word == gravest.severity
        ),  # a rule covers no other words
        urgency=next(word for word in URGENCIES if word == gravest.urgency),
        certainty=next(word for word in CERTAINTIES if word == gravest.certainty),
    )


def _first(covered: Sequence[HazardInfo]) -> HazardInfo:
    """The text that is put before a post: in English if there is one, else the first."""
    return next((one for one in covered if one.language.lower().startswith("en")), covered[0])


def _held(facts: HazardFacts, label: Label | None) -> Held:
    """Who has not said it to everybody: the agency itself, or the partner by whom it came."""
    bare = label is None or (
        label.classification == OPEN_TO_ALL and set(label.caveats) <= {"exercise"} and not label.others
    )
    if not bare:
        return "partner"
    return "" if facts.scope in ("Public", "") else "partner" if label is not None else "agency"


def _reason(facts: HazardFacts) -> EndReason:
    """Why an alert on an agency's word is over: an error, over by its own observation, or no longer said.

    That it is over, the agency must have observed itself, and then it is the agency's report: the words say so.
    """
    if facts.message_type == "Error":
        return "false"
    clear_ = (one for one in facts.infos if "AllClear" in one.responses and one.certainty == "Observed")
    return "passed" if next(clear_, None) is not None else "superseded"


def _still_stands(state: State, matter: HazardMatter) -> bool:
    """Whether any of the messages that made it what it is stands still."""
    found = (state.hazards.find(key) for key in matter.keys)
    return any(one is not None and one.state == "standing" for one in found)


# --- at one desk --------------------------------------------------------------------------------------


def _propose_all(work: Work, matter: HazardMatter) -> None:
    _quiet(work, matter.number)
    for desk in drafting.desks(work):
        if matter.concerns(desk.unit):
            _propose(work, desk, matter)


def _drop_pending(work: Work, number: int) -> None:
    for desk in drafting.desks(work):
        pending = desk.pending(number)
        if pending is not None:
            drafting.drop(work, pending)


def _propose(work: Work, desk: AlertDesk, matter: HazardMatter) -> None:
    number = matter.number
    pending, standing = desk.pending(number), desk.standing(number)
    standing = standing if standing and standing[-1].expires_ns > work.now_ns else ()
    if pending is not None and pending.body.type == "Cancel":
        drafting.drop(work, pending)
        pending = None
    scope = drafting.scope_for(work.state, desk.unit)
    areas = [area for area in matter.areas if scope.holds((area.country, area.region))]
    if not areas:
        _withdraw(work, desk, number, "superseded")
        return
    if not standing and desk.is_taken_back(number, regions(areas)):
        return
    told = pending.body if pending else standing[-1] if standing else None
    if told is None or _differs(told, areas, matter.cited):
        pending = drafting.draft_alert(work, desk, number, areas, matter.rings)
    if pending is not None:
        alerting.offer(work, desk, pending, matter)


def _differs(told: AlertBody, areas: Iterable[AreaRow], cited: CitedRow) -> bool:
    """Whether an agency's newer word would tell the public anything new: where, when, or how grave."""
    before = {(area.country, area.region): (area.from_ns, area.to_ns) for area in told.areas}
    after = {(area.country, area.region): (area.from_ns, area.to_ns) for area in areas}
    known = told.hazard
    if before != after or known is msgspec.UNSET:
        return True
    return (known.severity, known.hazard) != (cited.severity, cited.hazard)


def _withdraw(work: Work, desk: AlertDesk, number: int, reason: EndReason) -> None:
    """What nobody has signed is dropped, and what stands is put to its end."""
    pending, standing = desk.pending(number), desk.standing(number)
    if pending is not None:
        drafting.drop(work, pending)
    desk.think_again(number)
    if standing and standing[-1].expires_ns > work.now_ns:
        drafting.draft_end(work, desk, number, reason)


# --- what the staff are told --------------------------------------------------------------------------


def _tell(work: Work, matter: HazardMatter, hazard: Hazard) -> None:
    names = ", ".join(dict.fromkeys(area.region for area in matter.areas))
    if warranting.is_held(work.state, matter):
        says = (
            f"{hazard.name} concerns {names}, but was not said to the public: no alert on its word can be issued without"
            " a release"
        )
        alarm(work, f"hazard-held:{matter.number}", "hazard-not-public", says)
    able = [desk.unit for desk in drafting.desks(work) if matter.concerns(desk.unit)]
    who = f"drafts for {', '.join(able)}" if able else "nobody here may alert of it"
    if not warranting.is_held(work.state, matter):
        _show(work, matter.number, f"{hazard.name} concerns {names}: {who}")
    else:
        _show(work, matter.number, "")


def _unverified(work: Work, hazard: Hazard, standing: Sequence[HazardMatter], way: Way) -> None:
    """Somebody whose word does not count says something of a matter on which an alert rests: nothing changes by it."""
    for matter in standing:
        says = (
            f"{way.partner or way.entrance} brings {hazard.name} ({hazard.state}), which has not come as our rules ask:"
            " the alert on the agency's earlier word stays as it is"
        )
        alarm(work, f"hazard-unverified:{matter.number}", "hazard-change-unverified", says)


def _unclear(work: Work, hazard: Hazard, name: str, what: str, says: str) -> None:
    """Raises an alarm about one message, until its time is over."""
    alarm(work, f"hazard-{name}:{hazard.key.hex()}", what, says)
    work.timer(f"{TIMER}:{hazard.key.hex()}", hazard.until_ns)


def _quiet(work: Work, number: int) -> None:
    for what in ("held", "unverified"):
        clear(work, f"hazard-{what}:{number}", "What was unclear of another agency's word has been settled")


def _keep(
    work: Work,
    matter: HazardMatter,
    *,
    state: MatterState,
    reason: EndReason | None = None,
    keys: tuple[bytes, ...] = (),
) -> None:
    work.state.hazard_matters[matter.number] = msgspec.structs.replace(
        matter, state=state, reason=reason or "", keys=keys or matter.keys
    )


def _show(work: Work, number: int, says: str) -> None:
    matter = work.state.hazard_matters[number]
    work.show(
        "hazard-alert",
        says,
        lane=Lane.WARNING,
        key=f"hazard-alert:{-number}",
        hazard=matter.keys[0].hex(),
        hazards=[key.hex() for key in matter.keys],
        state=matter.state,
        reason=matter.reason,
        held=warranting.is_held(work.state, matter),
        agency=matter.cited.agency,
        event=matter.event,
        headline=matter.headline,
        identifier=matter.cited.identifier,
        regions=list(dict.fromkeys(area.region for area in matter.areas)),
        people=sum(area.people for area in matter.areas),
        until_ms=matter.until_ns // MS_PER_NS,
    )
