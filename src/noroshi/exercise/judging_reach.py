"""Expectations of last hops: the end to the same set, how soon a correction has come, who is named as silent."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from noroshi.clock import NS_PER_S
from noroshi.command.alerts import CANCEL
from noroshi.command.reach import in_words
from noroshi.exercise.evidence import Evidence, Judge, last_records, looked_at, public_alerts
from noroshi.exercise.expectations import CorrectionWithin, EndReachesSame, LastHopAlarm
from noroshi.messages.bodies import AlertBody, DecisionBody
from noroshi.review import Judged, Log
from noroshi.review.measures import holds
from noroshi.review.reach import Reached, reaches, same_sets


def _of_unit(evidence: Evidence, unit: str) -> list[tuple[Log, Reached]]:
    """What relays were given of a unit's alerts and ends."""
    units = {alert.identifier: alert.unit for alert in evidence.measures.alerts}
    return [
        (log, one)
        for log in evidence.logs
        for one in reaches(log)
        if one.purpose != "test" and units.get(one.identifier) == unit
    ]


def _end_reaches_same(one: EndReachesSame, evidence: Evidence) -> Judged:
    issued = public_alerts(evidence, one.unit)
    ends = [alert for alert in evidence.measures.alerts if alert.unit == one.unit and alert.type == "Cancel"]
    if not issued or not ends:
        detail = f"{one.unit} {'ended no' if issued else 'issued no'} public alert"
        return Judged(one.id, False, detail, looked_at(evidence, issued))
    told = {unit for alert in issued for unit in alert.recipients}
    ended = set(ends[-1].recipients)
    cites = looked_at(evidence, [*issued, ends[-1]])
    if told != ended:
        return Judged(one.id, False, f"recipients differ: {', '.join(sorted(told ^ ended))}", cites)
    if one.reason and ends[-1].reason != one.reason:
        return Judged(one.id, False, f"ended as {ends[-1].reason}, not as {one.reason}", cites)
    if len(set(ends[-1].posts)) > one.posts:
        detail = f"the end took {', '.join(ends[-1].posts)}: more than {one.posts}"
        return Judged(one.id, False, detail, cites)
    detail = f"alert and end ({ends[-1].reason}) went to the same {len(told)} recipients"
    sames = [
        same for _, end in _of_unit(evidence, one.unit) for same in same_sets(_before(evidence, one, end))
    ]
    carried = [reached.cites for _, reached in _of_unit(evidence, one.unit) if reached.rosters]
    if carried and not any(same.had for same in sames):
        return Judged(one.id, False, "relays carried it, and no receipt says to whom", (*cites, *carried[:1]))
    for same in sames:
        if not same.equal:
            lacking, only = in_words(same.had & ~same.ended), in_words(same.ended & ~same.had)
            detail = f"last hops of {same.roster} differ: had it and not its end: {lacking or 'none'}"
            return Judged(
                one.id, False, f"{detail}; its end and not it: {only or 'none'}", (*cites, same.cites)
            )
    if sames:
        hops = sum(same.had.bit_count() for same in sames)
        detail += f", and by receipts to the same {hops} last hops"
    return Judged(one.id, True, detail, (*cites, *(same.cites for same in sames)))


def _before(evidence: Evidence, one: EndReachesSame, end: Reached) -> list[Reached]:
    """An end, and all that may be what it ends; nothing for what is no end."""
    if end.purpose != "end":
        return []
    return [end, *(other for _, other in _of_unit(evidence, one.unit) if other.purpose == "alert")]


def _correction_within(one: CorrectionWithin, evidence: Evidence) -> Judged:
    found = _of_unit(evidence, one.unit)
    ends = [(log, end) for log, end in found if end.purpose == "end"]
    if not ends:
        return Judged(one.id, False, f"{one.unit} sent no correction to last hops", last_records(evidence))
    log, end = ends[0]
    alerts = [other for _, other in found if other.identifier in end.refers]
    had: dict[str, int] = {}
    for alert in alerts:
        for roster in alert.rosters.values():
            bits = sum(1 << hop for hop, at in roster.recorded_ns.items() if at <= end.sent_ns)
            had[roster.roster] = had.get(roster.roster, 0) | bits
    count = sum(bits.bit_count() for bits in had.values())
    begun_ns, cites = _taken_back(log, end)
    late_s = (end.sent_ns - begun_ns) / NS_PER_S
    times = [late_s + took for took in end.times_s(had)]
    needed = ceil(one.share * count - 1e-9)
    if not count:
        return Judged(one.id, False, "no last hop had received the alert", (*cites, end.cites))
    in_time = sum(took <= one.within_s for took in times)
    detail = (
        f"{in_time} of {count} last hops had the correction within {one.within_s:g} s of its being taken back"
    )
    if 0 < needed <= len(times):
        detail += f"; {one.share:.0%} after {times[needed - 1]:.2f} s"
    return Judged(one.id, in_time >= needed, detail, (*cites, end.cites))


def _taken_back(log: Log, end: Reached) -> tuple[int, tuple[str, ...]]:
    """When the post's signature under the end came to its node, and that record; the end's own time without one."""
    digests = {
        entry.body.digest
        for entry in log.entries
        if isinstance(entry.body, AlertBody) and entry.body.identifier == end.identifier
    }
    for entry in log.entries:
        body = entry.body
        if (
            holds(entry)
            and isinstance(body, DecisionBody)
            and body.decision == CANCEL
            and body.subject in digests
        ):
            return entry.now_ns, (entry.cites,)
    return end.sent_ns, ()


def _last_hop_alarm(one: LastHopAlarm, evidence: Evidence) -> Judged:
    raised = [
        (log, entry)
        for log in evidence.logs
        for entry in log.entries
        if entry.type == "note"
        and entry.fields.get("about") == "alarm"
        and entry.fields.get("what") == "last-hop-silent"
        and entry.fields.get("roster") == one.roster
    ]
    if one.never:
        detail = f"{len(raised)} alarms of silent last hops of {one.roster}"
        cites = tuple(entry.cites for _, entry in raised) or last_records(evidence)
        return Judged(one.id, not raised, detail, cites)
    if not raised:
        return Judged(one.id, False, f"no alarm of {one.roster}", last_records(evidence))
    log, first = raised[0]
    sent = (
        entry.now_ns
        for entry in log.entries
        if entry.envelope is not None and entry.envelope.id.hex() == first.fields["of"]
    )
    sent_ns = next(sent, first.now_ns)
    after_s = (first.now_ns - sent_ns) / NS_PER_S
    detail = f"{first.fields['says']}; {after_s:.1f} s after it was sent, {one.within_s:g} s allowed"
    return Judged(one.id, after_s <= one.within_s, detail, (first.cites,))


JUDGES: Mapping[type, Judge] = {
    EndReachesSame: _end_reaches_same,
    CorrectionWithin: _correction_within,
    LastHopAlarm: _last_hop_alarm,
}
