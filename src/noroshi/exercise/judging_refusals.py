"""Whether what had to be refused was refused, with its reason, and shown to the operator."""

from __future__ import annotations

from collections.abc import Mapping

from noroshi.exercise.evidence import Evidence, Judge, last_records
from noroshi.exercise.expectations import RefusedInput
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


JUDGES: Mapping[type, Judge] = {RefusedInput: _refused}
