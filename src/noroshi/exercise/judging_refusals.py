"""Whether what had to be refused was refused, with its reason, and shown to the operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from noroshi.exercise.evidence import Evidence, Judge, last_records
from noroshi.exercise.expectations import DoorRefused, RefusedInput, TakenNever
from noroshi.review import Judged


def _refused(one: RefusedInput, evidence: Evidence) -> Judged:
    found = [
        entry
        for log in evidence.logs
        if log.partner == one.partner
        for entry in log.entries
        if entry.type == "refusal" and entry.fields["reason"] == one.reason
    ]
    fitting = [one_found for one_found in found if one.saying in one_found.fields.get("detail", "")]
    detail = f"{one.partner} refused {len(found)} times: {one.reason}"
    if fitting:
        detail += f" ({fitting[0].fields.get('detail', '')})"
    elif found:
        detail += f", but never said {one.saying!r}: {found[0].fields.get('detail', '')!r}"
    cites = tuple(entry.cites for entry in fitting[:3]) or last_records(evidence, one.partner)
    return Judged(one.id, len(fitting) >= one.at_least, detail, cites)


def _door_refused(one: DoorRefused, evidence: Evidence) -> Judged:
    told = [
        entry
        for log in evidence.logs
        if log.partner == one.partner
        for entry in log.entries
        if entry.type == "door" and entry.fields.get("entrance") == one.door
    ]
    counts: Counter[str] = Counter()
    for entry in told:
        counts.update(entry.fields["counts"])
    found = counts[one.reason] if one.reason else counts.total()
    words = ", ".join(f"{many} {reason}" for reason, many in sorted(counts.items())) or "nothing"
    cites = tuple(entry.cites for entry in told[:3]) or last_records(evidence, one.partner)
    return Judged(one.id, found >= one.at_least, f"{one.partner} refused at its {one.door}: {words}", cites)


def _taken_never(one: TakenNever, evidence: Evidence) -> Judged:
    came = [
        entry
        for log in evidence.logs
        if log.partner == one.partner
        for entry in log.entries
        if one.party in (entry.fields.get("party"), f"feed:{entry.fields.get('feed')}")
        and entry.type in ("received", "detections")
    ]
    taken = [entry for entry in came if entry.accepted]
    detail = (
        f"{one.partner} took {len(taken)} of the {len(came)} that came from {one.party} and were recorded"
    )
    cites = tuple(entry.cites for entry in (taken or came)[:3]) or last_records(evidence, one.partner)
    return Judged(one.id, bool(came) and not taken, detail, cites)


JUDGES: Mapping[type, Judge] = {
    RefusedInput: _refused,
    DoorRefused: _door_refused,
    TakenNever: _taken_never,
}
