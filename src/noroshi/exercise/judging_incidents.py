"""Expectations of incidents: what must not be believed, not be confirmed, not be said, and what must be taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from noroshi.clock import NS_PER_S
from noroshi.exercise.evidence import Evidence, Judge, last_records, own_warnings
from noroshi.exercise.expectations import (
    ConfirmedWithin,
    CountCorrected,
    CountsAgree,
    CountsShown,
    LostWithin,
    NeverConfirmed,
    SecurityNotices,
    ValidUntil,
    WarningIssued,
    WarningNever,
)
from noroshi.messages.bodies import EventBody, TrackBody, WarningBody
from noroshi.messages.bodies_counts import CountBody
from noroshi.review import Entry, Judged, Log

OWN_NAME = "in-our-own-name"


def _logs(evidence: Evidence, partner: str) -> Iterator[Log]:
    return (log for log in evidence.logs if log.partner == partner)


def _notes(evidence: Evidence, partner: str, about: str) -> list[Entry]:
    return [
        entry
        for log in _logs(evidence, partner)
        for entry in log.entries
        if entry.type == "note" and entry.fields.get("about") == about
    ]


def _said(evidence: Evidence, partner: str, kind: type) -> list[Entry]:
    """What the partner's own node said, of one kind."""
    return [
        entry
        for log in _logs(evidence, partner)
        for entry in log.entries
        if entry.type == "message" and isinstance(entry.body, kind)
    ]


def _first_ns(evidence: Evidence) -> int | None:
    return min((at for at in evidence.measures.first_detection_ns.values() if at is not None), default=None)


def _warning_never(one: WarningNever, evidence: Evidence) -> Judged:
    warned = [entry for entry, _ in own_warnings(evidence, one.partner)]
    opened = [entry for entry in _said(evidence, one.partner, EventBody) if _opens(entry)]
    detail = f"{one.partner} spoke {len(warned)} warnings and opened {len(opened)} events"
    wrong = (*warned, *opened)
    cites = tuple(entry.cites for entry in wrong[:3]) or last_records(evidence, one.partner)
    return Judged(one.id, not wrong, detail, cites)


def _opens(entry: Entry) -> bool:
    return isinstance(entry.body, EventBody) and entry.body.step == "opened"


def _warning_issued(one: WarningIssued, evidence: Evidence) -> Judged:
    return _in_time(one.id, one.partner, one.within_s, "warned", evidence, confirmed=False)


def _confirmed_within(one: ConfirmedWithin, evidence: Evidence) -> Judged:
    return _in_time(one.id, one.partner, one.within_s, "was confirmed", evidence, confirmed=True)


def _in_time(
    name: str, partner: str, within_s: float, words: str, evidence: Evidence, *, confirmed: bool
) -> Judged:
    first_ns = _first_ns(evidence)
    for entry, body in own_warnings(evidence, partner):
        if first_ns is not None and (body.basis == "confirmed" or not confirmed):
            took_s = (entry.now_ns - first_ns) / NS_PER_S
            detail = f"{partner} {words} {took_s:.1f} s after the first detection; {within_s:g} s allowed"
            return Judged(name, took_s <= within_s, detail, (entry.cites,))
    return Judged(name, False, f"{partner} never {words}", last_records(evidence, partner))


def _security_notices(one: SecurityNotices, evidence: Evidence) -> Judged:
    notes = _notes(evidence, one.partner, "security")
    told = [entry.fields["party"] for entry in notes if entry.fields["first"]]
    alarms = [entry for entry in notes if entry.fields["reason"] == OWN_NAME]
    refused = sum(
        1 for log in _logs(evidence, one.partner) for entry in log.entries if entry.type == "refusal"
    )
    met = sorted(told) == sorted(one.sources) and bool(alarms) == one.alarm
    detail = f"{len(told)} notices of {', '.join(sorted(told)) or 'nobody'} for {refused} refusals"
    if alarms:
        detail += f"; alarm: {len(alarms)} spoke in our own name"
    cites = tuple(entry.cites for entry in notes[:5]) or last_records(evidence, one.partner)
    return Judged(one.id, met, detail, cites)


def _never_confirmed(one: NeverConfirmed, evidence: Evidence) -> Judged:
    warned = list(own_warnings(evidence, one.partner))
    wrong = [entry for entry, body in warned if body.basis == "confirmed"]
    opened = [entry for entry in _said(evidence, one.partner, EventBody) if _opens(entry)]
    bases = ", ".join(sorted({body.basis for _, body in warned})) or "none"
    shown = bool(opened) and (bool(warned) or not one.warned)
    detail = f"{one.partner} opened {len(opened)} events and spoke {len(warned)} warnings: {bases}"
    cites = tuple(entry.cites for entry in wrong[:3] or [*(entry for entry, _ in warned[:3]), *opened[:3]])
    return Judged(one.id, shown and not wrong, detail, cites or last_records(evidence, one.partner))


def _counts_shown(one: CountsShown, evidence: Evidence) -> Judged:
    notes = [entry for entry in _notes(evidence, one.partner, "count") if entry.fields["differs"]]
    if not notes:
        return Judged(
            one.id,
            False,
            f"{one.partner} never showed that counts differ",
            last_records(evidence, one.partner),
        )
    first = notes[0]
    opened = [
        entry.now_ns
        for entry in _said(evidence, one.partner, EventBody)
        if _opens(entry) and entry.now_ns <= first.now_ns and entry.envelope is not None
        and entry.envelope.label.audience <= {one.partner}
    ]  # fmt: skip
    counted = [
        entry.now_ns for entry in _received(evidence, one.partner, CountBody) if entry.now_ns <= first.now_ns
    ]
    tracks = _received(evidence, one.partner, TrackBody)
    others = {entry.envelope.origin for entry in tracks if entry.envelope is not None}
    seen = [
        min(at.now_ns for at in tracks if at.envelope is not None and at.envelope.origin == name)
        for name in others
    ]
    own = [
        entry.now_ns
        for log in _logs(evidence, one.partner)
        for entry in log.entries
        if entry.type == "detections" and entry.accepted
    ]
    since_ns = max([*opened[1:2], *counted[:1], *seen, *own[:1]], default=first.now_ns)
    took_s = (first.now_ns - since_ns) / NS_PER_S
    counts = ", ".join(f"{name} {count}" for name, count in sorted(first.fields["counts"].items()))
    last = notes[-1].fields
    detail = f"{counts}; shown {took_s:.1f} s after; the picture holds {last['least']} to {last['most']}"
    bounds = (last["least"], last["most"]) == (one.least, one.most)
    return Judged(one.id, took_s / evidence.speed <= one.within_s and bounds, detail, (first.cites,))


def _received(evidence: Evidence, partner: str, kind: type) -> list[Entry]:
    return [
        entry
        for log in _logs(evidence, partner)
        for entry in log.entries
        if entry.type == "received" and entry.accepted and isinstance(entry.body, kind)
    ]


def _counts_agree(one: CountsAgree, evidence: Evidence) -> Judged:
    notes = _notes(evidence, one.partner, "count")
    if not notes:
        return Judged(one.id, False, f"{one.partner} showed no counts", last_records(evidence, one.partner))
    last = notes[-1]
    counts = last.fields["counts"]
    words = ", ".join(f"{name} counts {count}" for name, count in sorted(counts.items()))
    met = not last.fields["differs"] and set(counts.values()) == {one.count}
    return Judged(one.id, met, f"at last {words}", (last.cites,))


def _count_corrected(one: CountCorrected, evidence: Evidence) -> Judged:
    spoken = [
        entry
        for entry in (*_said(evidence, one.partner, CountBody), *_received(evidence, one.partner, CountBody))
        if entry.envelope is not None and entry.envelope.origin == one.partner
    ]
    ids = {entry.envelope.id: entry for entry in spoken if entry.envelope is not None}
    corrections = [
        entry for entry in ids.values() if isinstance(entry.body, CountBody) and entry.body.supersedes
        and entry.envelope is not None and entry.envelope.post
    ]  # fmt: skip
    if len(corrections) != 1:
        detail = f"{one.partner} corrected its count {len(corrections)} times"
        return Judged(
            one.id,
            False,
            detail,
            tuple(entry.cites for entry in corrections) or last_records(evidence, one.partner),
        )
    (last,) = corrections
    assert isinstance(last.body, CountBody)
    assert last.envelope is not None
    had = _holders(evidence, last.body.supersedes)
    have = _holders(evidence, last.envelope.id)
    detail = (
        f"corrected to {last.body.count} in one message; {', '.join(sorted(had)) or 'nobody'} had the first, "
        f"{', '.join(sorted(have)) or 'nobody'} have the correction"
    )
    return Judged(one.id, last.body.count == one.count and bool(had) and had <= have, detail, (last.cites,))


def _holders(evidence: Evidence, message: bytes) -> set[str]:
    """The partners that hold a message that another has sent them."""
    return {
        log.partner
        for log in evidence.logs
        for entry in log.entries
        if entry.type == "received" and entry.accepted and entry.envelope is not None
        and entry.envelope.id == message and entry.envelope.origin != log.partner
    }  # fmt: skip


def _valid_until(one: ValidUntil, evidence: Evidence) -> Judged:
    given: dict[bytes, set[str]] = {}
    ended: dict[bytes, set[str]] = {}
    lasting: list[Entry] = []
    for entry in _said(evidence, one.partner, WarningBody):
        body, envelope = entry.body, entry.envelope
        if not isinstance(body, WarningBody) or envelope is None:
            continue
        to = ended if body.state == "ended" else given
        to.setdefault(envelope.event, set()).update(_holders(evidence, envelope.id))
        if body.state != "ended" and body.valid_until_ns <= entry.now_ns:
            lasting.append(entry)
    apart = [event for event, holders in ended.items() if holders != given.get(event, set())]
    detail = f"{len(given)} warnings, all with a valid-until; {len(ended)} were ended, to the same partners"
    if lasting:
        detail = f"{len(lasting)} warnings were past their valid-until when they were spoken"
    elif apart:
        detail = f"the end of {len(apart)} warnings went to others than the warning"
    elif not given:
        detail = f"{one.partner} warned of nothing"
    met = bool(given) and not lasting and not apart
    return Judged(
        one.id,
        met,
        detail,
        tuple(entry.cites for entry in lasting[:3]) or last_records(evidence, one.partner),
    )


def _lost_within(one: LostWithin, evidence: Evidence) -> Judged:
    seen_ns, updates = 0, 0
    first: tuple[Entry, float] | None = None
    for log in _logs(evidence, one.partner):
        for entry in log.entries:
            body = entry.body
            if entry.type == "detections" and entry.accepted:
                seen_ns = max(seen_ns, *entry.fields["time_ns"])
            elif entry.type == "received" and entry.accepted and isinstance(body, TrackBody):
                seen_ns = max(seen_ns, *body.time_ns)
            elif entry.type == "message" and isinstance(body, WarningBody):
                updates += 1
                wrong = _wrong_of_a_loss(body, entry, seen_ns)
                if wrong:
                    return Judged(one.id, False, f"{one.partner} {wrong}", (entry.cites,))
                if body.lost is True and first is None:
                    first = entry, (entry.now_ns - seen_ns) / NS_PER_S
    if first is None:
        detail = f"{one.partner} never said that it was lost"
        return Judged(one.id, False, detail, last_records(evidence, one.partner))
    entry, took_s = first
    detail = (
        f"lost was said {took_s:.1f} s after the last observation; {one.within_s:g} s allowed; "
        f"all {updates} messages say when it was last observed"
    )
    return Judged(one.id, round(took_s, 1) <= one.within_s, detail, (entry.cites,))


def _wrong_of_a_loss(body: WarningBody, entry: Entry, seen_ns: int) -> str:
    """What a warning of an object that is lost must not say. seen_ns: when the node's newest evidence observed it."""
    if body.reason == "passed":
        return 'said "passed" of a lost object'
    if not 0 < body.last_observed_ns <= min(seen_ns, entry.now_ns):
        return "named a time of the last observation at which nothing was observed"
    if body.lost is True and body.last_observed_ns != seen_ns:
        return "said that it was lost, and named another time than that of the last observation"
    return ""


JUDGES: Mapping[type, Judge] = {
    WarningNever: _warning_never,
    WarningIssued: _warning_issued,
    ConfirmedWithin: _confirmed_within,
    SecurityNotices: _security_notices,
    NeverConfirmed: _never_confirmed,
    CountsShown: _counts_shown,
    CountsAgree: _counts_agree,
    CountCorrected: _count_corrected,
    ValidUntil: _valid_until,
    LostWithin: _lost_within,
}
"""Who answers which type of expectation."""
