"""Proof to a third person: do the rows that somebody shows fit what was signed about them?

The third person needs statements and the SHA-256 of rows, never a row itself. A checkpoint binds the sender to the rows
of its streams, a receipt the receiver to what it has made durable. Rows that do not give the signed head were altered,
left out or slipped in since; with the other side's rows as well it is told which. Two statements of one signer that
differ about the same place convict it without any row at all.

    shown = Shown()
    shown.add(Lane.NOTICE, sha256(row).digest())
    between = Between("real", "USA", "JPN")                        # USA's streams for Japan
    between.examine("checkpoint", statement, shown, verify).agrees
    between.contradiction("checkpoint", one, other, verify)        # the lanes in which two words were said
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Literal

from noroshi.sharing.streams import LANES, START, Position, Statement, head_after, statement_bytes

What = Literal["receipt", "checkpoint"]
Verify = Callable[[bytes, bytes], bool]
"""Whether a key of the signer, that counted when it signed, gives this signature (second) of these bytes (first)."""


@dataclass(slots=True)
class Shown:
    """Digests of the rows that somebody shows, lane by lane, after `base`: a position that is not in dispute.

    The base is the start, or a statement that both accept, where retention has let go what came before it.
    """

    base: Position = START
    digests: list[list[bytes]] = field(default_factory=lambda: [[] for _ in LANES])

    def add(self, lane: int, digest: bytes) -> None:
        """The next row of a lane, by its SHA-256."""
        self.digests[lane].append(digest)

    def restart(self, position: Position) -> None:
        """The sender began its streams anew after these rows: what came above them counts no more.

        Rows that stay keep their own digests, whatever the sender says that their head was.
        """
        base = Position(position.epoch, self.base.upto, self.base.heads)
        for lane, rows in enumerate(self.digests):
            if position.upto[lane] < base.upto[lane]:
                base = base.at(lane, position.upto[lane], position.heads[lane])
            del rows[position.upto[lane] - base.upto[lane] :]
        self.base = base

    def upto(self, lane: int) -> int:
        """The number of the last row that is shown."""
        return self.base.upto[lane] + len(self.digests[lane])

    def head(self, lane: int, upto: int) -> bytes:
        """The head of a lane after row `upto`, which must be shown or be the base."""
        head = self.base.heads[lane]
        for digest in self.digests[lane][: upto - self.base.upto[lane]]:
            head = head_after(head, digest)
        return head


@dataclass(frozen=True, slots=True)
class Difference:
    """At least `count` of the rows `first` to `last` of a lane, as the signer counts them (added ones: as shown).

    omitted: signed for, and not shown. added: shown, and not among what was signed for. altered: others than those
    signed for. unsettled: somewhere among these; the signer's rows would tell where and how.
    """

    lane: int
    what: Literal["altered", "omitted", "added", "unsettled"]
    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class Finding:
    """signed: whether the statement is genuine; nothing else is looked at where it is not. comparable: whether it is
    about the streams that are shown, from a place that is shown. differences: empty when all that was signed is there.
    """

    signed: bool
    comparable: bool = False
    differences: tuple[Difference, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether the rows are those that were signed for, each in its place."""
        return self.signed and self.comparable and not self.differences


@dataclass(frozen=True, slots=True)
class Between:
    """The streams of `sender` for `receiver` in a realm."""

    realm: str
    sender: str
    receiver: str

    def is_signed(self, what: What, statement: Statement, verify: Verify) -> bool:
        """Whether it is the genuine word of who must have signed it: a receipt the receiver, a checkpoint the sender."""
        if statement.position.defect:
            return False
        data = statement_bytes(what, self.realm, self.sender, self.receiver, statement.position)
        return verify(data, statement.signature)

    def examine(
        self, what: What, statement: Statement, shown: Shown, verify: Verify, signers: Shown | None = None
    ) -> Finding:
        """Holds the rows that one side shows against what the other (or the same) has signed.

        signers: the signer's own rows; they tell where rows differ, and count only in lanes where they give the head
        that it has signed: who shows others than it has signed for is not believed about them.
        """
        if not self.is_signed(what, statement, verify):
            return Finding(signed=False)
        position = statement.position
        early = any(upto < base for upto, base in zip(position.upto, shown.base.upto, strict=True))
        if position.epoch != shown.base.epoch or early:
            return Finding(signed=True)
        found = [one for lane in LANES for one in _differences(lane, position, shown, signers)]
        return Finding(signed=True, comparable=True, differences=tuple(found))

    def contradiction(self, what: What, one: Statement, other: Statement, verify: Verify) -> tuple[int, ...]:
        """The lanes in which the signer has said two things about one place; none where a statement is not genuine."""
        if not all(self.is_signed(what, statement, verify) for statement in (one, other)):
            return ()
        a, b = one.position, other.position
        if a.epoch != b.epoch:
            return ()
        return tuple(
            lane for lane in LANES if a.upto[lane] == b.upto[lane] and a.heads[lane] != b.heads[lane]
        )


def _differences(lane: int, signed: Position, shown: Shown, signers: Shown | None) -> list[Difference]:
    """Where the rows of a lane are not those that were signed for."""
    upto, base = signed.upto[lane], shown.base.upto[lane]
    if shown.upto(lane) >= upto and shown.head(lane, upto) == signed.heads[lane]:
        return []
    if signers is not None and _gives(lane, signed, signers, shown):
        return _edits(lane, base, signers.digests[lane][: upto - base], shown.digests[lane])
    missing = upto - shown.upto(lane)
    if missing > 0:
        return [Difference(lane, "omitted", base + 1, upto, missing)]
    return [Difference(lane, "unsettled", base + 1, upto, 1)]


def _gives(lane: int, signed: Position, rows: Shown, shown: Shown) -> bool:
    """Whether the signer's rows begin where the others do, and give the head that it has signed."""
    same_base = (rows.base.epoch, rows.base.upto[lane], rows.base.heads[lane]) == (
        shown.base.epoch,
        shown.base.upto[lane],
        shown.base.heads[lane],
    )
    upto = signed.upto[lane]
    return same_base and rows.upto(lane) >= upto and rows.head(lane, upto) == signed.heads[lane]


def _edits(lane: int, base: int, signed: Sequence[bytes], shown: Sequence[bytes]) -> list[Difference]:
    """What was done to the signed rows to give those that are shown; what is shown above them nobody has signed yet."""
    start = 0
    while start < min(len(signed), len(shown)) and signed[start] == shown[start]:
        start += 1
    above = base + start
    found: list[Difference] = []

    def note(what: Literal["altered", "omitted", "added"], after: int, upto: int) -> None:
        if upto > after:
            found.append(Difference(lane, what, above + after + 1, above + upto, upto - after))

    edits = SequenceMatcher(None, signed[start:], shown[start:], autojunk=False).get_opcodes()
    for what, i, j, k, m in edits:
        same = min(j - i, m - k) if what == "replace" else 0
        if what != "equal":
            note("altered", i, i + same)
            note("omitted", i + same, j)
            if i + same < len(signed) - start:
                note("added", k + same, m)
    return found
