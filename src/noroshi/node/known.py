"""Which messages were ever seen, for ever, in few bytes: a keyed digest of each, who was given it, and what it said.

The newest are in a dictionary; older ones in sorted segments that never change, so that two snapshots share them. A
segment that is full is joined with its equal, so few have to be asked. The digest is keyed with the node's own secret:
nobody else can make two messages that fall together, or guess what was seen. What a message said is noted as a check of
its payload and the number of the record that holds it: two contents under one id are told from a repeat.

    known = Known(secrets.ids)
    key = known.key("USA", message.id)
    known.add(key, known.check(payload), record)
    known.said(key)                      # (check, record); (0, 0) where it was noted without
    known.mark(key, 2)                   # given to the partner with index 2
    key in known, known.mask(key)        # True, 4
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b, sha256

import numpy as np
from numpy.typing import NDArray

from noroshi.errors import LocalError

KEY_BYTES = 16
"""Of a digest: among ten thousand million messages two fall together with a chance below one in 10 to the 18."""

SEGMENT = 65_536
"""Messages of the smallest segment: sorting them takes some 20 ms, once in as many messages."""

LARGEST = 1 << 20
"""Messages of the largest segment: joining two halves takes some 50 ms, and a warning may have to wait for it."""

CHECK_BYTES = 4
"""Of a check of what a message said. It is keyed as well: whoever signs two contents passes one off for the other with a
chance of one in four thousand million, and cannot try it out at home.
"""

RECALLED = 31
"""The bit of a message that its originator has recalled; the others are the indices of partners."""

MAX_RECORD = (1 << 32) - 1
"""The largest number of a record that is noted; a later one is noted as 0, and looked for by its message's id."""

_ROW_BYTES = KEY_BYTES + 4
_SAID_BYTES = 8
_PERSON = b"noroshi-known"
_PERSON_SAID = b"noroshi-said"

Words = NDArray[np.uint64]
Masks = NDArray[np.uint32]


class Segment:
    """Keys in order with their masks, in one piece of bytes: all first halves, all second halves, all masks.

    data: little-endian; said: for each key, in the same order, the check and the record of what was said, 8 bytes, or
    nothing where none of it was noted; digest, said_digest: their SHA-256. Raises LocalError where the bytes are no
    segment.
    """

    __slots__ = ("_digest", "_high", "_low", "_masks", "_said", "_said_digest", "data", "said")

    def __init__(self, data: bytes, said: bytes = b"") -> None:
        count, rest = divmod(len(data), _ROW_BYTES)
        if rest:
            raise LocalError(
                "read what was seen", cause=f"a segment of {len(data)} bytes holds no whole rows"
            )
        if said and len(said) != _SAID_BYTES * count:
            raise LocalError(
                "read what was seen", cause=f"{len(said)} bytes of what was said do not fit {count} messages"
            )
        self.data = data
        self.said = said
        self._high: Words = np.frombuffer(data, "<u8", count)
        self._low: Words = np.frombuffer(data, "<u8", count, 8 * count)
        self._masks: Masks = np.frombuffer(data, "<u4", count, KEY_BYTES * count)
        self._said: Words = np.frombuffer(said, "<u8") if said else np.zeros(count, "<u8")
        self._digest = self._said_digest = b""

    def __len__(self) -> int:
        return len(self._high)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the bytes, made when it is first asked for."""
        self._digest = self._digest or sha256(self.data).digest()
        return self._digest

    @property
    def said_digest(self) -> bytes:
        """SHA-256 of what was said; empty where nothing of it was noted."""
        if self.said:
            self._said_digest = self._said_digest or sha256(self.said).digest()
        return self._said_digest

    def place(self, key: bytes) -> int | None:
        """The row of a key, None where it is not here."""
        high, low = np.uint64(int.from_bytes(key[:8], "big")), int.from_bytes(key[8:], "big")
        place = int(self._high.searchsorted(high))
        while place < len(self._high) and self._high[place] == high:
            if int(self._low[place]) == low:
                return place
            place += 1
        return None

    def mask(self, place: int) -> int:
        """The mask of a row."""
        return int(self._masks[place])

    def word(self, place: int) -> int:
        """The check and the record of a row, as one number."""
        return int(self._said[place])

    @property
    def columns(self) -> tuple[Words, Words, Masks, Words]:
        """First and second halves of the keys, the masks, and what was said, in the order of the keys' first halves."""
        return self._high, self._low, self._masks, self._said


class Known:
    """The messages that were ever seen. secret: the node's key of ids."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._recent: dict[bytes, int] = {}
        self._words: dict[bytes, int] = {}
        self._segments: list[Segment] = []
        self._marks: dict[bytes, int] = {}
        self._asked: tuple[str, bytes, bytes] = ("", b"", self._digest("", b""))
        self._absent = b""

    def key(self, origin: str, identity: bytes) -> bytes:
        """The digest of a message's origin and id, 16 bytes. One message is asked for several times in turn."""
        if identity is not self._asked[1] or origin is not self._asked[0]:
            self._asked = origin, identity, self._digest(origin, identity)
        return self._asked[2]

    def _digest(self, origin: str, identity: bytes) -> bytes:
        text = len(identity).to_bytes(4, "big") + identity + origin.encode()
        return blake2b(text, digest_size=KEY_BYTES, key=self._secret, person=_PERSON).digest()

    def check(self, payload: bytes) -> int:
        """A number that stands for what a message says; never 0."""
        found = blake2b(payload, digest_size=CHECK_BYTES, key=self._secret, person=_PERSON_SAID).digest()
        return int.from_bytes(found, "big") or 1

    def said(self, key: bytes) -> tuple[int, int]:
        """The check of what a message said and the record that holds it; (0, 0) where that was not noted."""
        word = self._words.get(key, 0)
        if not word and key not in self._recent:
            found = self._found(key)
            word = found[0].word(found[1]) if found is not None else 0
        return word >> 32, word & MAX_RECORD

    def __len__(self) -> int:
        return len(self._recent) + sum(map(len, self._segments))

    def __contains__(self, key: bytes) -> bool:
        if key in self._recent or self._old(key) is not None:
            return True
        self._absent = key
        return False

    def add(self, key: bytes, check: int = 0, record: int = 0) -> None:
        """Notes a message, with what it said if that is known; one that is here already stays as it is."""
        if (
            key is not self._absent and key in self
        ):  # who adds has mostly just asked, and all segments were looked at
            return
        self._absent = b""
        self._recent[key] = 0
        if check:
            self._words[key] = check << 32 | (record if record <= MAX_RECORD else 0)
        if len(self._recent) == SEGMENT:
            self._settle()

    def mask(self, key: bytes) -> int:
        """The bits that were set for a message; 0 for one that was never seen."""
        recent = self._recent.get(key)
        return recent if recent is not None else (self._old(key) or 0) | self._marks.get(key, 0)

    def mark(self, key: bytes, bit: int) -> None:
        """Sets a bit, 0 to 31, of a message. Raises LookupError for one that was never seen."""
        self.mark_all(key, 1 << bit)

    def mark_all(self, key: bytes, bits: int) -> None:
        """Sets all bits of a mask. Raises LookupError for a message that was never seen."""
        if key in self._recent:
            self._recent[key] |= bits
        elif self._old(key) is None:
            raise LookupError("a message that was never seen cannot be marked")
        else:
            self._marks[key] = self._marks.get(key, 0) | bits

    @property
    def segments(self) -> Sequence[Segment]:
        """The segments, the oldest first."""
        return tuple(self._segments)

    @property
    def recent(self) -> tuple[bytes, bytes]:
        """What is in no segment yet: rows of a key (16 bytes) and a mask (4), in the order seen; and the marks that were
        made on older ones since, likewise.
        """
        return _rows(self._recent), _rows(self._marks)

    @property
    def recent_said(self) -> bytes:
        """What those said that are in no segment yet, in the order seen, 8 bytes each (little-endian)."""
        if not self._words:
            return b""
        return b"".join([self._words.get(key, 0).to_bytes(_SAID_BYTES, "little") for key in self._recent])

    @classmethod
    def of(
        cls, secret: bytes, segments: Sequence[Segment], recent: bytes, marks: bytes, said: bytes = b""
    ) -> Known:
        """What `segments`, `recent` and `recent_said` gave. Raises LocalError where the bytes hold no whole rows."""
        known = cls(secret)
        known._segments = list(segments)
        known._recent, known._marks = _table(recent), _table(marks)
        if said and len(said) != _SAID_BYTES * len(known._recent):
            raise LocalError(
                "read what was seen", cause=f"{len(said)} bytes of what was said fit no messages"
            )
        words = np.frombuffer(said, "<u8").tolist()
        known._words = {key: word for key, word in zip(known._recent, words, strict=False) if word}
        return known

    def _found(self, key: bytes) -> tuple[Segment, int] | None:
        """Its place in the segments, the newest first; None where the key is in none."""
        for segment in reversed(self._segments):
            place = segment.place(key)
            if place is not None:
                return segment, place
        return None

    def _old(self, key: bytes) -> int | None:
        """The mask in the segments; None where the key is in none."""
        found = self._found(key)
        return found[0].mask(found[1]) if found is not None else None

    def _settle(self) -> None:
        """Makes a segment of the recent ones, and joins it with those of its own size."""
        rows = np.frombuffer(b"".join(self._recent), ">u8").reshape(-1, 2).astype("<u8")
        said = np.fromiter((self._words.get(key, 0) for key in self._recent), "<u8", len(rows))
        columns = [(rows[:, 0], rows[:, 1], np.fromiter(self._recent.values(), "<u4", len(rows)), said)]
        size = len(rows)
        while self._segments and len(self._segments[-1]) == size and 2 * size <= LARGEST:
            columns.append(self._segments.pop().columns)
            size *= 2
        self._segments.append(_joined(columns))
        self._recent, self._words = {}, {}
        self._move_marks()

    def _move_marks(self) -> None:
        """Puts the marks on older messages into the newest segment, where they belong there."""
        newest = self._segments[-1]
        places = {key: place for key in self._marks if (place := newest.place(key)) is not None}
        if not places:
            return
        high, low, masks, _ = newest.columns
        changed = masks.copy()
        for key, place in places.items():
            changed[place] |= self._marks.pop(key)
        self._segments[-1] = Segment(b"".join((high.data, low.data, changed.data)), newest.said)


def _joined(columns: Sequence[tuple[Words, Words, Masks, Words]]) -> Segment:
    """One segment of all these rows. Runs that are in order already cost little to merge."""
    high, low, masks, said = (np.concatenate(parts) for parts in zip(*columns[::-1], strict=True))
    order = high.argsort(kind="stable")
    words = said[order].tobytes() if said.any() else b""
    return Segment(b"".join((high[order].data, low[order].data, masks[order].data)), words)


def _rows(table: dict[bytes, int]) -> bytes:
    return b"".join(key + mask.to_bytes(4, "little") for key, mask in table.items())


def _table(rows: bytes) -> dict[bytes, int]:
    if len(rows) % _ROW_BYTES:
        raise LocalError("read what was seen", cause=f"{len(rows)} bytes hold no whole rows")
    starts = range(0, len(rows), _ROW_BYTES)
    return {
        rows[at : at + KEY_BYTES]: int.from_bytes(rows[at + KEY_BYTES : at + _ROW_BYTES], "little")
        for at in starts
    }
