"""Whether notices did what they are for: watches informed by their own word, and tracks explained, none suppressed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from noroshi.clock import NS_PER_S
from noroshi.command.notices import ASKING, notice_id
from noroshi.exercise.evidence import Evidence, Judge, last_records
from noroshi.exercise.expectations import NoticeNotShown, NoticeShown, WatchInformed, WatchNotInformed
from noroshi.messages.bodies import TrackBody
from noroshi.messages.bodies_notice import NoticeBody
from noroshi.review import Entry, Judged, Log

PROMPT_NS = NS_PER_S
"""How soon after its deadline a missing word must be said."""


@dataclass(frozen=True, slots=True)
class _Given:
    """A step of a notice as its giver's node took it."""

    log: Log
    entry: Entry
    body: NoticeBody


def _steps(evidence: Evidence, name: str) -> list[_Given]:
    """The steps of the notice that its giver calls `name`, in the order in which its node took them."""
    found = []
    for log in evidence.logs:
        for entry in log.entries:
            body = entry.body
            if entry.type != "received" or not entry.accepted or not isinstance(body, NoticeBody):
                continue
            own = entry.envelope is not None and entry.envelope.origin == log.partner
            if own and body.notice == notice_id(log.partner, body.unit, name):
                found.append(_Given(log, entry, body))
    return found


def _notes(log: Log, notice: bytes, *steps: str) -> Iterator[Entry]:
    """The records of what the node has noted about a notice."""
    for entry in log.entries:
        fields = entry.fields
        about = entry.type == "note" and fields.get("about") == "notice"
        if about and fields["notice"] == notice and fields["step"] in steps:
            yield entry


def _never_given(
    one: WatchInformed | WatchNotInformed | NoticeShown | NoticeNotShown, evidence: Evidence
) -> Judged:
    return Judged(one.id, False, f"the notice {one.notice} was never given", last_records(evidence))


def _informed(one: WatchInformed, evidence: Evidence) -> Judged:
    asked = [given for given in _steps(evidence, one.notice) if given.body.step in ASKING]
    if not asked:
        return _never_given(one, evidence)
    first = asked[0]
    for entry in _notes(first.log, first.body.notice, "informed"):
        if entry.fields["unit"] == one.unit:
            took_s = (entry.now_ns - first.entry.now_ns) / NS_PER_S
            detail = f"{one.unit} has said so {took_s:.0f} s after the notice"
            return Judged(
                one.id, entry.now_ns <= first.body.inform_by_ns, detail, (first.entry.cites, entry.cites)
            )
    detail = f"{one.unit} never said that it knows"
    return Judged(one.id, False, detail, (first.entry.cites, *last_records(evidence, first.log.partner)))


def _not_informed(one: WatchNotInformed, evidence: Evidence) -> Judged:
    asked = [given for given in _steps(evidence, one.notice) if given.body.step in ASKING]
    if not asked:
        return _never_given(one, evidence)
    first, deadline_ns = asked[0], asked[0].body.inform_by_ns
    seen = [
        entry
        for log in evidence.logs
        if log.partner == one.partner
        for entry in _notes(log, first.body.notice, "uninformed")
        if entry.fields["unit"] == one.unit
    ]
    if not seen:
        detail = f"{one.partner} never said that {one.unit} is not informed"
        return Judged(one.id, False, detail, (first.entry.cites, *last_records(evidence, one.partner)))
    late_s = (seen[0].now_ns - deadline_ns) / NS_PER_S
    detail = f"{one.partner} said {late_s:.1f} s after the deadline that {one.unit} is not informed"
    cites: tuple[str, ...] = (first.entry.cites, seen[0].cites)
    met = 0 <= seen[0].now_ns - deadline_ns <= PROMPT_NS
    if one.escalated_to:
        asks = [
            entry
            for log in evidence.logs
            for entry in _notes(log, first.body.notice, "asked")
            if (entry.fields["unit"], entry.fields["asked"]) == (one.unit, one.escalated_to)
            and entry.now_ns >= deadline_ns
        ]
        detail += f"; {one.escalated_to} was {'' if asks else 'not '}asked in its place"
        met, cites = met and bool(asks), (*cites, *(entry.cites for entry in asks[:1]))
    return Judged(one.id, met, detail, cites)


def _carried(evidence: Evidence, partner: str, notice: bytes) -> tuple[list[Entry], set[int]]:
    """The records by which the partner's pictures took a notice on, and the numbers that carry it at the end."""
    taken, now = [], set()
    for log in evidence.logs:
        if log.partner != partner:
            continue
        for entry in _notes(log, notice, "attached", "outside-window", "outside-area", "outside-azimuth"):
            if entry.fields["step"] == "attached":
                taken.append(entry)
                now.add(entry.fields["number"])
            else:
                now.discard(entry.fields["number"])
    return taken, now


def _is_evidence(entry: Entry) -> bool:
    """Whether this record brought the node a measurement."""
    if entry.type == "detections":
        return entry.accepted
    return entry.type == "received" and entry.accepted and isinstance(entry.body, TrackBody)


def _shown(one: NoticeShown, evidence: Evidence) -> Judged:
    given = _steps(evidence, one.notice)
    if not given:
        return _never_given(one, evidence)
    taken, now = _carried(evidence, one.partner, given[0].body.notice)
    first = next(
        (
            entry
            for log in evidence.logs
            if log.partner == one.partner
            for entry in log.entries
            if _is_evidence(entry)
        ),
        None,
    )
    if not taken or first is None:
        detail = f"no picture of {one.partner}'s ever carried it"
        return Judged(one.id, False, detail, last_records(evidence, one.partner))
    took_s = (taken[0].now_ns - first.now_ns) / NS_PER_S
    detail = f"on {one.partner}'s picture {took_s:.1f} s after its first evidence; {one.within_s:g} s allowed"
    if not now:
        detail += "; it was taken off again"
    return Judged(one.id, took_s <= one.within_s and bool(now), detail, (first.cites, taken[0].cites))


def _not_shown(one: NoticeNotShown, evidence: Evidence) -> Judged:
    given = _steps(evidence, one.notice)
    if not given:
        return _never_given(one, evidence)
    taken, _ = _carried(evidence, one.partner, given[0].body.notice)
    detail = f"{len(taken)} pictures of {one.partner}'s carried it"
    cites = tuple(entry.cites for entry in taken[:3]) or last_records(evidence, one.partner)
    return Judged(one.id, not taken, detail, cites)


JUDGES: Mapping[type, Judge] = {
    WatchInformed: _informed,
    WatchNotInformed: _not_informed,
    NoticeShown: _shown,
    NoticeNotShown: _not_shown,
}
