"""Streams: what one party is given, numbered densely, chained by hashes, receipted and attested.

A partner has one stream per lane, so that a warning overtakes a hundred thousand tracks and still nothing is skipped
unseen; all other parties have one stream each. Each row moves the stream's head on, and both sides can compute it: the
sender signs where its streams for a partner stand (a checkpoint), the receiver signs what it has made durable (a
receipt). What was altered, left out or slipped in afterwards differs from one of the two, and whoever shows it need
show nothing but the stream that both have seen. A head tells nothing of a row: every row holds a signature that nobody
can guess.

    stream_of("partner:USA", Lane.WARNING)               # 'partner:USA/warning'
    head = next_head(EMPTY_HEAD, row.data)
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

import msgspec

from noroshi.messages.canonical import encode
from noroshi.messages.kinds import Lane

EMPTY_HEAD = bytes(32)
HEAD_BYTES = 32

MAX_NUMBER = 1 << 62
"""Numbers and epochs are below this, so that they fit every store; a million rows a second end it in 146,000 years."""

LANES = tuple(Lane)
_NAMES = tuple(lane.name.lower() for lane in LANES)
_ROW_DOMAIN = b"noroshi stream 1\x00"
_DOMAINS = {"receipt": b"noroshi receipt 2\x00", "checkpoint": b"noroshi checkpoint 1\x00"}


class Position(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where the streams of one partner stand: per lane the number of the last row, and the head after it.

    epoch: how often the streams were begun anew, which happens when the policy for the partner changes.
    """

    epoch: int
    upto: tuple[int, int, int, int]
    heads: tuple[bytes, bytes, bytes, bytes]

    @property
    def defect(self) -> str:
        """What cannot be in it, or an empty text."""
        if not 0 <= self.epoch < MAX_NUMBER or min(self.upto) < 0 or max(self.upto) >= MAX_NUMBER:
            return "a number that is none"
        if any(len(head) != HEAD_BYTES for head in self.heads):
            return "a head of another size"
        return ""

    def at(self, lane: int, number: int, head: bytes) -> Position:
        """The same with another place in one lane."""
        upto = (*self.upto[:lane], number, *self.upto[lane + 1 :])
        heads = (*self.heads[:lane], head, *self.heads[lane + 1 :])
        return Position(self.epoch, upto, heads)  # type: ignore[arg-type]  # four, as before


START = Position(0, (0, 0, 0, 0), (EMPTY_HEAD, EMPTY_HEAD, EMPTY_HEAD, EMPTY_HEAD))
"""Before the first row."""


class Statement(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A position that somebody has signed: a receipt (by the receiver) or a checkpoint (by the sender)."""

    position: Position
    signature: bytes


def stream_of(party: str, lane: int) -> str:
    """The stream of a partner (`partner:USA`) in a lane; of any other party its one stream."""
    return f"{party}/{_NAMES[lane]}" if party.startswith("partner:") else party


def streams_of(party: str) -> tuple[str, ...]:
    """All streams of a party."""
    return tuple([f"{party}/{name}" for name in _NAMES]) if party.startswith("partner:") else (party,)


def party_of(stream: str) -> str:
    """Whose stream it is."""
    return stream.partition("/")[0]


def next_head(head: bytes, data: bytes) -> bytes:
    """The head of a stream after one more row."""
    return sha256(_ROW_DOMAIN + head + sha256(data).digest()).digest()


def head_after(head: bytes, digest: bytes) -> bytes:
    """The same from the SHA-256 of the row's data, where the data itself is no longer at hand."""
    return sha256(_ROW_DOMAIN + head + digest).digest()


def statement_bytes(
    what: Literal["receipt", "checkpoint"], realm: str, sender: str, receiver: str, position: Position
) -> bytes:
    """What is signed about `sender`'s streams for `receiver`: by the receiver in a receipt, by the sender otherwise."""
    return _DOMAINS[what] + encode([realm, sender, receiver, position])


def resume_defect(held: Position, sent: Position, receipted: Position) -> str:
    """Why we cannot go on with a partner that holds this of our streams, or an empty text. The partner is not at fault:
    either our record or its is an older copy, and somebody must find out which.
    """
    if held.epoch > sent.epoch:
        return "it holds streams that this record has not begun: this record is an older copy"
    if held.epoch < sent.epoch:
        for lane, upto in enumerate(receipted.upto):
            if held.upto[lane] < upto:
                return (
                    f"it holds {_NAMES[lane]} row {held.upto[lane]} of ours and has receipted {upto}: "
                    f"its record is an older copy"
                )
        return ""
    for lane, upto in enumerate(held.upto):
        if upto > sent.upto[lane]:
            return f"it holds {_NAMES[lane]} row {upto} of ours, and this record ends at {sent.upto[lane]}"
        for known in (sent, receipted):
            if upto == known.upto[lane] and held.heads[lane] != known.heads[lane]:
                return f"it holds another {_NAMES[lane]} row {upto} than this record: one of them is an older copy"
    return ""
