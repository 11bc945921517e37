"""Outboxes: one dense, numbered stream per party. Everything that leaves a node is one of their rows.

Only this package makes rows; links, pages, exports and gateways read them. A party's numbers count what it was
given and nothing else, so what was withheld leaves no gap.

    row = outboxes.put("partner:USA", Lane.WARNING, "", now_ns, raw)
"""

from __future__ import annotations

from noroshi.log import OutboxRow

STAFF = "staff"
CAP_GATEWAY = "gateway:cap"


def partner_party(partner: str) -> str:
    """The party name of a partner's link."""
    return f"partner:{partner}"


class Outboxes:
    """The last number of each party's stream."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def put(self, party: str, lane: int, key: str, now_ns: int, data: bytes) -> OutboxRow:
        """The next row for `party`."""
        number = self._numbers[party] = self._numbers.get(party, 0) + 1
        return OutboxRow(party, number, lane, key, now_ns, data)

    def upto(self, party: str) -> int:
        """The number of the last row for `party`, 0 if none."""
        return self._numbers.get(party, 0)
