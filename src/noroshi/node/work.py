"""The commit in the making: what one input has led to so far.

Stages add records, rows and refusals to it and set timers; nothing of it is true before the shell has made the
finished commit durable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from noroshi.log import Batch, OutboxRow, Record
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import Lane
from noroshi.node.inputs import Answer, Commit
from noroshi.sharing import CAP_GATEWAY, STAFF

if TYPE_CHECKING:
    from noroshi.node.state import State

MS_PER_NS = 1_000_000


class Work:
    """One input's commit while it is made. `now_ns` is the node's time for all of it."""

    def __init__(self, state: State, now_ns: int) -> None:
        self.state = state
        self.now_ns = now_ns
        self._records: list[Record] = []
        self._rows: list[OutboxRow] = []
        self.answer = Answer("accepted")

    def record(self, type_: str, body: bytes) -> None:
        """Adds a record to the chain."""
        self._records.append(self.state.chain.link(self.now_ns, type_, body))

    def send(self, party: str, lane: int, data: bytes, key: str = "") -> int:
        """Adds an outbox row; its number. Called by the release stage and the two projections below only."""
        row = self.state.outboxes.put(party, lane, key, self.now_ns, data)
        self._rows.append(row)
        return row.number

    def show(self, type_: str, says: str, *, lane: int = Lane.NOTICE, key: str = "", **fields: Any) -> None:
        """Adds a row to the staff's stream: plain JSON, with a sentence for the timeline."""
        row = {"type": type_, "time_ms": self.now_ns // MS_PER_NS, "says": says, **fields}
        self.send(STAFF, lane, msgspec.json.encode(row), key)

    def file(self, name: str, data: bytes) -> None:
        """Adds a file for the CAP gateway."""
        self.send(CAP_GATEWAY, Lane.WARNING, data, name)

    def refuse(self, party: str, reason: str, detail: str = "") -> None:
        """Records a refusal with its reason, for our own side; the giver is only told that it was refused."""
        self.record("refusal", encode({"party": party, "reason": reason, "detail": detail[:500]}))
        self.show(
            "refusal", f"Refused from {party}: {reason}", party=party, reason=reason, detail=detail[:500]
        )
        self.answer = Answer("refused", reason)

    def duplicate(self) -> None:
        """Notes that the input was here before: it has no effect and is answered like the first time."""
        self.answer = Answer("duplicate")

    def timer(self, name: str, due_ns: int) -> None:
        """Sets a timer, or moves it."""
        self.state.timers[name] = due_ns

    def finish(self) -> Commit:
        """The whole commit."""
        return Commit(Batch(tuple(self._records), tuple(self._rows)), self.answer)
