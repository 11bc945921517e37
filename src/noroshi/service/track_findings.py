"""What a run finds out about its sensors: biases and clocks that are off, one that agrees with none, counts that differ.

Rules: a finding names the sensor and its partner and says how sure it is; what was corrected says so.

    for finding in findings_of(answer, sensors, biases):
        print(finding["sentence"])
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from noroshi.service.track_registration import falling
from noroshi.service.track_run import RunAnswer
from noroshi.tracking.counts import compare_counts
from noroshi.tracking.measurements import concatenate
from noroshi.tracking.registration import Finding, find_biases
from noroshi.tracking.sensors import Sensor
from noroshi.tracking.track_filter import estimate
from noroshi.tracking.tracks import concatenate_tracks

COUNT_ROWS = 10
"""Rows of one partner from which its own picture of an object says where it goes."""
MOST_COUNTED = 50
"""Objects of which pictures are compared; counts of more than that differ by coverage, which says nothing."""
APART_ROWS = 20
"""Rows in tracks from which on it is strange that a sensor shares none of them with another."""


def findings_of(
    answer: RunAnswer,
    sensors: Sequence[Sensor],
    biases: Sequence[Finding],
    *,
    used: bool = False,
    one_object: Sequence[Sequence[int]] = (),
) -> list[dict[str, Any]]:
    """All findings, the most significant first.

    biases: of the sensors; used: whether the tracks allow for them (the sure ones taken out, the others doubted);
    one_object: places of confirmed tracks that are one object, see `Registration.one_object`.
    """
    named = {one.sensor for one in biases}
    return [
        *(_bias(one, sensors, used) for one in biases),
        *_doubles(answer, sensors, one_object),
        *_apart(answer, sensors, named),
        *_counts(answer, sensors),
    ]


def biases_of(answer: RunAnswer, sensors: Sequence[Sensor]) -> tuple[Finding, ...]:
    """Rows of tracks in free fall, held against each other; see `find_biases`."""
    falls = [falling(rows, one.flight) for (rows, _), one in zip(answer.rows, answer.last, strict=True)]
    if not any(mine.any() for mine in falls):
        return ()
    rows = concatenate([rows[mine] for (rows, _), mine in zip(answer.rows, falls, strict=True)])
    sensor = np.concatenate([of[mine] for (_, of), mine in zip(answer.rows, falls, strict=True)])
    number = np.repeat(np.arange(len(falls)), [int(mine.sum()) for mine in falls])
    partners = {i: one.partner for i, one in enumerate(sensors)}
    return find_biases(rows, sensor, number, partners, {i: one.id for i, one in enumerate(sensors)})


def bias_document(one: Finding, sensors: Sequence[Sensor]) -> dict[str, Any]:
    """What a sensor is off by, as it is printed."""
    return {
        "sensor": sensors[one.sensor].id,
        "partner": one.partner,
        "kind": one.kind,
        "value": one.value,
        "unit": one.unit,
        "sigma": one.sigma,
    }


def _bias(one: Finding, sensors: Sequence[Sensor], used: bool) -> dict[str, Any]:
    after = ""
    if used:
        after = " Tracks allow for as much." if one.rivals else " Its rows were corrected by that."
    return {
        **bias_document(one, sensors),
        "significance": one.significance,
        "or_else": [sensors[i].id for i in one.rivals],
        "or_kind": [kind for kind, _ in one.or_kinds],
        "corrected": used and not one.rivals,
        "allowed_for": used,
        "sentence": one.sentence + after,
    }


def _doubles(
    answer: RunAnswer, sensors: Sequence[Sensor], one_object: Sequence[Sequence[int]]
) -> list[dict[str, Any]]:
    """Tracks that are one object if sensors measure beside one another, so that nobody counts two."""
    found = []
    for lot in one_object:
        rows = [answer.confirmed[k] for k in lot]
        names = [int(answer.table.id[i]) for i in rows]
        used = answer.table.rows_of_sensor[rows].sum(axis=0)
        seen = [sensors[i].id for i in np.flatnonzero(used).tolist()]
        listed = f"{', '.join(map(str, names[:-1]))} and {names[-1]}"
        sentence = (
            f"Tracks {listed} may be one object: what {' and '.join(seen)} see of it lies apart as sensors that measure "
            "beside one another would have it"
        )
        found.append({"kind": "one-object-or-two", "tracks": names, "sensors": seen, "sentence": sentence})
    return found


def _apart(answer: RunAnswer, sensors: Sequence[Sensor], named: Collection[int]) -> list[dict[str, Any]]:
    """Sensors with tracks of their own while others have theirs at the same time: a wrong place would look like that.

    named: sensors of which it is known already what they are off by.
    """
    used = answer.table.rows_of_sensor[answer.confirmed]
    first = answer.table.tracks.first_observed_ns[answer.confirmed]
    last = answer.table.tracks.last_observed_ns[answer.confirmed]
    found = []
    for i, sensor in enumerate(sensors):
        mine = used[:, i] > 0
        others = (used.sum(axis=1) - used[:, i]) > 0
        if i in named or used[:, i].sum() < APART_ROWS or (mine & others).any():
            continue
        meets = (first[mine][:, None] <= last[others]) & (first[others] <= last[mine][:, None])
        if meets.any():
            sentence = (
                f"{sensor.id} ({sensor.partner}) shares no track with another sensor, though they track at one time: "
                "it sees other objects, or its place, its north or its clock is far off"
            )
            found.append(
                {
                    "kind": "agrees-with-none",
                    "sensor": sensor.id,
                    "partner": sensor.partner,
                    "sentence": sentence,
                }
            )
    return found


def _counts(answer: RunAnswer, sensors: Sequence[Sensor]) -> list[dict[str, Any]]:
    """Partners that count the objects followed now differently, where merged or separated pieces would explain it.

    What a partner has not seen at all is left out: that says only where its sensors look.
    """
    partner = np.array([one.partner for one in sensors])
    going = [
        k
        for k, i in enumerate(answer.confirmed)
        if not answer.table.ended[i] and answer.last[k].flight.phase.free
    ]
    pictures = {}
    for name in sorted(set(partner.tolist())):
        mine = [(rows, partner[which] == name) for rows, which in (answer.rows[k] for k in going)]
        own = [estimate(rows[is_mine]) for rows, is_mine in mine if is_mine.sum() >= COUNT_ROWS]
        if own:
            pictures[name] = concatenate_tracks(own)
    if len(pictures) < 2 or len(going) > MOST_COUNTED:
        return []
    said = compare_counts(pictures)
    if all(one.why == "not-seen" for one in said.unmatched):
        return []
    return [
        {
            "kind": "counts-disagree",
            "counts": dict(said.counts),
            "least": said.least,
            "most": said.most,
            "sentence": said.sentence,
        }
    ]
