"""The commit in the making: what one input has led to so far.

Stages add records, rows and refusals to it and set timers; nothing of it is true before the shell has made the
finished commit durable.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

import msgspec

from noroshi.clock import NEVER, seconds
from noroshi.errors import LocalError
from noroshi.log import Batch, Cut, Forget, OutboxRow, Record
from noroshi.messages.canonical import encode
from noroshi.messages.kinds import DAY_S, YEAR_S, Lane
from noroshi.node import refused
from noroshi.node.inputs import Answer, Commit
from noroshi.sharing import CAP_GATEWAY, STAFF, party_of

if TYPE_CHECKING:
    from noroshi.node.state import State

MS_PER_NS = 1_000_000

KEPT_S = 30 * DAY_S
"""Bodies of timers, receipts, links' states and the like: as long as those of tracks, which they explain."""

ACTS_S = YEAR_S
"""Bodies of refusals and release decisions: as long as those of the warnings that they are about."""

FOR_EVER_S = float("inf")
"""Bodies without which nobody could say who we are and whose word counted: genesis, keys, policies, retention itself."""


ACCEPTED = Answer("accepted")


class Work:
    """One input's commit while it is made. `now_ns` is the node's time for all of it, `now_ms` the same in rows."""

    def __init__(self, state: State, now_ns: int) -> None:
        self.state = state
        self.now_ns = now_ns
        self.now_ms = now_ns // MS_PER_NS
        self._records: list[Record] = []
        self._rows: list[OutboxRow] = []
        self._cuts: tuple[Cut, ...] = ()
        self._forget: Forget | None = None
        self.answer = ACCEPTED

    def record(self, type_: str, body: bytes, keep_s: float = KEPT_S) -> None:
        """Adds a record to the chain; retention keeps its body for `keep_s`."""
        keep_ns = NEVER if keep_s == FOR_EVER_S else self.now_ns + seconds(keep_s)
        self._records.append(self.state.chain.link(self.now_ns, type_, body, keep_ns))

    @property
    def input_record(self) -> int:
        """The number of the record that holds the input itself."""
        return self._records[0].sequence

    @property
    def input_hash(self) -> bytes:
        """SHA-256 of the input, as the record holds it."""
        return self._records[0].body_hash

    @property
    def newest_record(self) -> int:
        """The number of the record that was added last."""
        return self._records[-1].sequence

    def keep(self, keep_s: float) -> None:
        """Says how long the body of the input itself is kept, now that it is known what it holds."""
        keep_ns = NEVER if keep_s == FOR_EVER_S else self.now_ns + seconds(keep_s)
        self._records[0] = msgspec.structs.replace(self._records[0], keep_ns=keep_ns)

    def send(
        self, party: str, lane: int, data: bytes, key: str = "", why: Hashable = None, digest: bytes = b""
    ) -> int:
        """Adds an outbox row; its number. Called by the release stage and the two projections below only.

        digest: SHA-256 of the data, where the caller has it.
        """
        row = self.state.outboxes.put(party, lane, key, self.now_ns, data, why, digest)
        self._rows.append(row)
        return row.number

    def restart(self, party: str, may_still_go: Callable[[Hashable], bool]) -> None:
        """Begins a partner's streams anew: what may no longer go is taken out before it is sent.

        Cuts come before the rows of the same commit, so nothing may have been sent to the party in it yet.
        """
        if any(party_of(row.stream) == party for row in self._rows):
            raise LocalError(
                "begin a partner's streams anew", subject=party, cause="rows of this commit stand there"
            )
        self._cuts += self.state.outboxes.restart(party, may_still_go)

    def forget(self, what: Forget) -> None:
        """Lets the store drop what need not be kept."""
        self._forget = what

    def show(self, type_: str, says: str, *, lane: int = Lane.NOTICE, key: str = "", **fields: Any) -> None:
        """Adds a row to the staff's stream: plain JSON, with a sentence for the timeline."""
        self.show_row({"type": type_, "time_ms": self.now_ms, "says": says, **fields}, lane, key)

    def show_row(self, row: dict[str, Any], lane: int, key: str = "") -> None:
        """The same of a row that is whole: its type, `now_ms`, what it says, and then the rest, in this order."""
        data = msgspec.json.encode(row)
        self._rows.append(self.state.outboxes.put(STAFF, lane, key, self.now_ns, data))

    def file(self, name: str, data: bytes) -> None:
        """Adds a file for the CAP gateway."""
        self.send(CAP_GATEWAY, Lane.WARNING, data, name)

    def draw(self, party: str, data: bytes, lane: int, key: str) -> None:
        """Adds an event for a group's clients of Cursor on Target; of one key they draw the newest."""
        self.send(party, lane, data, key)

    def refuse(self, party: str, reason: str, detail: str = "", *, shown: bool = True) -> None:
        """Records a refusal with its reason, for our own side; the giver is only told that it was refused.

        shown: also to the staff; not, where they are told of many at once. A source of which much is refused is shown
        with counts: see `noroshi.node.refused`.
        """
        party = party[: refused.MAX_NAME]
        alone = refused.shown_alone(self, party, reason)
        body = encode({"party": party, "reason": reason, "detail": detail[:500]})
        self.record("refusal", body, ACTS_S)
        if shown and alone:
            says = f"Refused from {party}: {reason}"
            self.show("refusal", says, party=party, reason=reason, detail=detail[:500])
        self.answer = Answer("refused", reason)

    def duplicate(self) -> None:
        """Notes that the input was here before: it has no effect and is answered like the first time."""
        self.answer = Answer("duplicate")

    def timer(self, name: str, due_ns: int) -> None:
        """Sets a timer, or moves it."""
        self.state.timers[name] = due_ns

    def finish(self) -> Commit:
        """The whole commit."""
        batch = Batch(tuple(self._records), tuple(self._rows), self._cuts, self._forget)
        return Commit(batch, self.answer)
