"""Expectations of reports and warnings, and of the records themselves."""

from __future__ import annotations

from collections.abc import Mapping

from noroshi.clock import NS_PER_S, to_iso
from noroshi.exercise.evidence import Evidence, Judge, last_records, own_warnings
from noroshi.exercise.expectations import (
    Intact,
    PassedAfterObservation,
    ReportNever,
    ReportWithin,
    WarningLead,
)
from noroshi.messages.bodies import TrackBody, WarningBody
from noroshi.review import Entry, Judged
from noroshi.review.measures import holds


def _report_within(one: ReportWithin, evidence: Evidence) -> Judged:
    key = f"{one.origin}->{one.receiver}"
    took_s = evidence.measures.report_s.get(key)
    cites = evidence.measures.cites.report.get(key, ())
    if took_s is None:
        searched = (
            *cites,
            *_withholding(evidence, one.origin, one.receiver)[0],
            *last_records(evidence, one.receiver),
        )
        return Judged(one.id, False, f"{key}: the report never arrived", searched)
    detail = f"{key}: {took_s:.3f} s, {one.within_s:g} s allowed"
    if evidence.speed != 1.0:
        detail += f"; {took_s / evidence.speed:.3f} s of life at {evidence.speed:g} times its speed"
    return Judged(one.id, took_s / evidence.speed <= one.within_s, detail, cites)


def _report_never(one: ReportNever, evidence: Evidence) -> Judged:
    if evidence.measures.first_detection_ns.get(one.origin) is None:
        return Judged(
            one.id,
            False,
            f"{one.origin} detected nothing, so that nothing is shown by its absence",
            last_records(evidence, one.origin),
        )
    cites = tuple(
        entry.cites
        for log in evidence.logs
        if log.partner == one.receiver
        for entry in log.entries
        if isinstance(entry.body, TrackBody) and entry.envelope and entry.envelope.origin == one.origin
    )
    key = f"{one.origin}->{one.receiver}"
    if cites:
        return Judged(one.id, False, f"{key}: {len(cites)} reports arrived", cites[:3])
    withheld, reason = _withholding(evidence, one.origin, one.receiver)
    detail = f"{key}: no record of one, nothing arrived, as the structure has it"
    if withheld:
        detail += f"; withheld where it began: {reason}"
    seen = evidence.measures.cites.first_detection.get(one.origin, ())
    return Judged(one.id, True, detail, (*seen, *withheld, *last_records(evidence, one.receiver)))


def _withholding(evidence: Evidence, origin: str, receiver: str) -> tuple[tuple[str, ...], str]:
    """The first record by which the origin's node kept a report of its own from the receiver, and why."""
    for log in evidence.logs:
        if log.partner != origin:
            continue
        own: set[bytes] = set()
        for entry in log.entries:
            if entry.type == "message" and entry.envelope and isinstance(entry.body, TrackBody):
                own.add(entry.envelope.id)
            elif (
                entry.type == "release" and entry.fields["id"] in own and receiver in entry.fields["withheld"]
            ):
                return (entry.cites,), entry.fields["withheld"][receiver]
    return (), ""


def _warning_lead(one: WarningLead, evidence: Evidence) -> Judged:
    passing_ns = evidence.truth.nearest_ns(one.lat_deg, one.lon_deg)
    if passing_ns is None:
        return Judged(one.id, False, "nothing flies in this scenario", last_records(evidence, one.partner))
    looked_at = []
    for entry, body in own_warnings(evidence, one.partner):
        if any(area.region == one.region for area in body.areas):
            lead_s = (passing_ns - entry.now_ns) / NS_PER_S
            detail = (
                f"{one.partner} warned {one.region} at {to_iso(entry.now_ns, digits=1)}, "
                f"{lead_s:.1f} s before the passage; {one.at_least_s:g} s wanted"
            )
            return Judged(one.id, lead_s >= one.at_least_s, detail, (entry.cites,))
        looked_at.append(entry.cites)
    cites = tuple(looked_at[-3:]) or last_records(evidence, one.partner)
    return Judged(one.id, False, f"{one.partner} never warned {one.region}", cites)


def _passed_after_observation(one: PassedAfterObservation, evidence: Evidence) -> Judged:
    said: list[str] = []
    for log in evidence.logs:
        warned: dict[bytes, list[tuple[float, float, int]]] = {}
        seen_ns, seen = 0, ""
        for entry in log.entries:
            observed_ns = _observed_ns(entry)
            if observed_ns > seen_ns:
                seen_ns, seen = observed_ns, entry.cites
            body = entry.body
            if entry.type != "message" or entry.envelope is None or not isinstance(body, WarningBody):
                continue
            if body.state != "ended":
                warned[entry.envelope.event] = [
                    (place.latitude_rad, place.longitude_rad, (area.from_ns + area.to_ns) // 2)
                    for area in body.areas
                    if area.kind == "pass"
                    for place in area.places
                ]
            elif body.reason == "passed":
                cites = (entry.cites, seen) if seen else (entry.cites,)
                if log.partner == one.partner:
                    said += [cite for cite in cites if cite not in said]
                places = warned.get(entry.envelope.event, ())
                needed_ns = max((evidence.truth.passage_rad_ns(*place) for place in places), default=0)
                if seen_ns < needed_ns:
                    short_s = (needed_ns - seen_ns) / NS_PER_S
                    detail = f'{log.partner} said "passed" {short_s:.1f} s short of seeing it'
                    return Judged(one.id, False, detail, cites)
    if not said:
        detail = (
            f'{one.partner} never said "passed"' if one.required else f'{one.partner} did not say "passed"'
        )
        looked_at = tuple(entry.cites for entry, _ in own_warnings(evidence, one.partner))[-1:]
        return Judged(one.id, not one.required, detail, (*looked_at, *last_records(evidence, one.partner)))
    return Judged(one.id, True, '"passed" was said only after an observation beyond', tuple(said))


def _intact(one: Intact, evidence: Evidence) -> Judged:
    detail = (
        "; ".join(evidence.problems) or "every record verifies and replays; nothing lost, nothing repeated"
    )
    return Judged(one.id, not evidence.problems, detail, last_records(evidence))


def _observed_ns(entry: Entry) -> int:
    """The newest measurement that this record brought the node; 0 if none."""
    if entry.type == "detections" and entry.accepted:
        return int(max(entry.fields["time_ns"]))
    if entry.type == "received" and holds(entry) and isinstance(entry.body, TrackBody):
        return max(entry.body.time_ns, default=0)
    return 0


JUDGES: Mapping[type, Judge] = {
    ReportWithin: _report_within,
    ReportNever: _report_never,
    WarningLead: _warning_lead,
    PassedAfterObservation: _passed_after_observation,
    Intact: _intact,
}
