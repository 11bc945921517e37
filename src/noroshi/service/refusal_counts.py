"""What a node has refused, by entrance, source and reason, as its record last told the staff: a look at the newest rows.

for one in refusal_counts("jpn/record.db"): one.entrance, one.source, one.reasons
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from noroshi.service.record_file import RecordFile
from noroshi.sharing import STAFF

ENTRANCES = {
    "partner": "link",
    "post": "posts",
    "relay": "relays",
    "gateway": "cot",
    "hand": "other agencies",
    "file": "other agencies",
    "feed": "feeds",
    "control": "control",
    "trust": "files of trust",
    "door": "door",
}
"""What the parties of the record came by."""

KEY = "refused:"


@dataclass(frozen=True, slots=True)
class Refusals:
    """What was refused of one source, since the node's record began. Times in UTC milliseconds."""

    entrance: str
    source: str
    reasons: dict[str, int]
    count: int
    first_ms: int
    last_ms: int


class _Row(msgspec.Struct, frozen=True):
    party: str
    reasons: dict[str, int]
    count: int
    first_ms: int
    last_ms: int


def refusal_counts(path: Path | str) -> list[Refusals]:
    """All counts, by entrance and source. Raises what `RecordFile` raises."""
    found = []
    with RecordFile(path) as file:
        for key, number in file.newest(STAFF).items():
            if key.startswith(KEY):
                for row in file.outbox(STAFF, number - 1, 1):
                    found.append(_opened(msgspec.json.decode(row.data, type=_Row)))
    return sorted(found, key=lambda one: (one.entrance, one.source))


def _opened(row: _Row) -> Refusals:
    side, _, name = row.party.partition(":")
    if side == "door":
        door, _, source = name.rpartition(" ")
        entrance = f"door: {door or source}"
        source = source if door else ""
    else:
        entrance, source = ENTRANCES.get(side, "other"), name or row.party
    return Refusals(entrance, source, row.reasons, row.count, row.first_ms, row.last_ms)
