"""Who was sent an alert or a warning, who has acknowledged it, and who has not.

reach = Reach()
reach.sent(message_id, ("jp-fdma", "jp-pref"), now_ns)
reach.acknowledged(message_id, "jp-pref", "jp-pref.duty", now_ns)       # True the first time
reach.missing(message_id)                                                # ('jp-fdma',)
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass


@dataclass(slots=True)
class Recipient:
    """One unit's state for one message; times are None until it happened."""

    unit: str
    sent_ns: int
    acknowledged_ns: int | None = None
    post: str = ""


class Reach:
    """The recipients of every message that asks for acknowledgement."""

    def __init__(self) -> None:
        self._rows: dict[bytes, dict[str, Recipient]] = {}

    def sent(self, message: bytes, units: Iterable[str], now_ns: int) -> None:
        """Notes that a message went to these units."""
        rows = self._rows.setdefault(message, {})
        for unit in units:
            rows.setdefault(unit, Recipient(unit, now_ns))

    def knows(self, message: bytes) -> bool:
        """Whether this message asks for acknowledgement here."""
        return message in self._rows

    def acknowledged(self, message: bytes, unit: str, post: str, now_ns: int) -> bool:
        """Notes an acknowledgement; whether it was the unit's first. A unit that was not sent it counts as well."""
        row = self._rows.setdefault(message, {}).setdefault(unit, Recipient(unit, now_ns))
        if row.acknowledged_ns is not None:
            return False
        row.acknowledged_ns, row.post = now_ns, post
        return True

    def rows(self, message: bytes) -> tuple[Recipient, ...]:
        """All recipients of a message, in the order they were sent it."""
        return tuple(self._rows.get(message, {}).values())

    def missing(self, message: bytes) -> tuple[str, ...]:
        """Units that have not acknowledged."""
        return tuple(row.unit for row in self.rows(message) if row.acknowledged_ns is None)

    def prune(self, known: Container[bytes]) -> None:
        """Lets go of the messages that are no longer known."""
        self._rows = {message: rows for message, rows in self._rows.items() if message in known}

    def saved(self) -> list[tuple[bytes, list[Recipient]]]:
        """All of it, in the order in which it came."""
        return [(message, list(rows.values())) for message, rows in self._rows.items()]

    @classmethod
    def loaded(cls, saved: Iterable[tuple[bytes, list[Recipient]]]) -> Reach:
        """The reach that `saved` gave."""
        reach = cls()
        reach._rows = {message: {row.unit: row for row in rows} for message, rows in saved}
        return reach
