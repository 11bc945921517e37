"""What a run finds out about its sensors: biases and clocks that are off, one that agrees with none, counts that differ.

Rules: a finding names the sensor and its partner and says how sure it is; nothing is corrected behind anybody's back.

    for finding in findings_of(answer, sensors):
        print(finding["sentence"])
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from noroshi.service.track_run import RunAnswer
from noroshi.tracking.counts import compare_counts
from noroshi.tracking.measurements import concatenate
from noroshi.tracking.registration import find_biases
from noroshi.tracking.sensors import Sensor
from noroshi.tracking.track_filter import estimate
from noroshi.tracking.tracks import concatenate_tracks

COUNT_ROWS = 10
"""Rows of one partner from which its own picture of an object says where it goes."""
MOST_COUNTED = 50
"""Objects of which pictures are compared; counts of more than that differ by coverage, which says nothing."""
APART_ROWS = 20
"""Rows in tracks from which on it is strange that a sensor shares none of them with another."""


def findings_of(answer: RunAnswer, sensors: Sequence[Sensor]) -> list[dict[str, Any]]:
    """All findings, the most significant first."""
    return [*_biases(answer, sensors), *_apart(answer, sensors), *_counts(answer, sensors)]


def _biases(answer: RunAnswer, sensors: Sequence[Sensor]) -> list[dict[str, Any]]:
    """Rows of tracks in free fall, held against each other; see `find_biases`."""
    falling = [k for k, one in enumerate(answer.last) if one.flight.phase.free]
    if not falling:
        return []
    rows = concatenate([answer.rows[k][0] for k in falling])
    sensor = np.concatenate([answer.rows[k][1] for k in falling])
    of = np.repeat(np.array(falling, np.int64), [len(answer.rows[k][1]) for k in falling])
    partners = {i: one.partner for i, one in enumerate(sensors)}
    names = {i: one.id for i, one in enumerate(sensors)}
    return [
        {
            "kind": found.kind,
            "sensor": sensors[found.sensor].id,
            "partner": found.partner,
            "value": found.value,
            "unit": found.unit,
            "sigma": found.sigma,
            "significance": found.significance,
            "or_else": [sensors[i].id for i in found.rivals],
            "sentence": found.sentence,
        }
        for found in find_biases(rows, sensor, of, partners, names)
    ]


def _apart(answer: RunAnswer, sensors: Sequence[Sensor]) -> list[dict[str, Any]]:
    """Sensors with tracks of their own while others have theirs at the same time: a wrong place would look like that."""
    used = answer.table.rows_of_sensor[answer.confirmed]
    first = answer.table.tracks.first_observed_ns[answer.confirmed]
    last = answer.table.tracks.last_observed_ns[answer.confirmed]
    found = []
    for i, sensor in enumerate(sensors):
        mine = used[:, i] > 0
        others = (used.sum(axis=1) - used[:, i]) > 0
        if used[:, i].sum() < APART_ROWS or (mine & others).any():
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
