"""A replay: the inputs on a log give back everything that stands after them, or somebody is told where they do not.

follow("jpn/record.db", records, node.handle)                        # from the first record on
follow("jpn/record.db", records, node.handle, after=node.chain)      # from where a snapshot ends
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from noroshi.errors import LocalError
from noroshi.log import Chain, DamagedRecordError, Record, check
from noroshi.node.inputs import Commit, Input, decode_input


class ReplayDiffersError(LocalError):
    """The inputs on the log do not give back what stands after them: other code, keys, places, or a forged log."""

    def __init__(self, subject: str, sequence: int) -> None:
        super().__init__(
            "replay the record",
            subject=f"{subject}, record {sequence}",
            cause="the inputs before it do not give it back",
            hint="use the version and keys that wrote it; `noroshi log verify` tells whether the chain is whole",
        )


def follow(
    subject: str,
    records: Iterable[Record],
    commit: Callable[[int, Input], Commit],
    *,
    after: Chain | None = None,
) -> None:
    """Gives each input to `commit`, at its time, and holds what follows against the records, byte for byte.

    after: the end of what is known already; the log begins with the first record where it is None. Raises
    DamagedRecordError when the chain is broken, ReplayDiffersError when what follows is not what is there, or when
    retention has dropped the body of an input.
    """
    previous = _end(after) if after is not None and after.sequence else None
    made: list[Record] = []
    for record in records:
        cause = check(previous, record)
        if cause:
            raise DamagedRecordError(subject, previous.sequence + 1 if previous else 1, cause)
        previous = record
        if not made:
            made = list(commit(record.now_ns, _input(subject, record)).batch.records[::-1])
        if made.pop().hash != record.hash:
            raise ReplayDiffersError(subject, record.sequence)
    if made:
        raise ReplayDiffersError(subject, made[-1].sequence)


def _input(subject: str, record: Record) -> Input:
    if not record.is_input or record.body is None:
        raise ReplayDiffersError(subject, record.sequence)
    try:
        return decode_input(record.body)
    except msgspec.MsgspecError as error:
        raise DamagedRecordError(subject, record.sequence, f"its input does not decode: {error}") from None


def _end(chain: Chain) -> Record:
    """As much of the record at the end of a chain as the next one is held against."""
    return Record(chain.sequence, b"", 0, "", b"", None, chain.head)
